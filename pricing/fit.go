package pricing

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// DefaultRho is the truncation of PROTOCOL.md 2.4: singular values of at most
// this share of the largest are taken for zero.
const DefaultRho = 1e-6

// constantSpread is the relative spread up to which a column counts as constant
// (2.3): a wall clock under full load differs from run to run by less.
const constantSpread = 1e-3

// Options of one fit.
type Options struct {
	// Units are the scale d_j of each column (2.4): how much of it is about as much
	// as one unit of any other. nil = all 1.
	Units []float64
	// Rho is the truncation; 0 = DefaultRho.
	Rho float64
	// Signed accepts negative rates: the plain pseudo-inverse (2.2). Without it a fit
	// with a negative rate is replaced by the non-negative one (2.5).
	Signed bool
}

// Fit is a solution of V r = s and how good it is (2.8).
type Fit struct {
	Rates     []float64 // r, one a column of V, per unit of V; 0 for a column that was left out
	Residuals []float64 // (V r − s)_k, one a benchmark, in the unit of s
	HoldOut   float64   // root mean square of the errors of predicting each row from the others, over that of s
	Rank      int       // singular values above ρσ₁
	Condition float64   // σ₁ over the smallest singular value that was kept
	LeftOut   []int     // columns that are zero or constant (2.3), ascending
	NNLS      bool      // non-negative least squares took the place of the pseudo-inverse (2.5)
}

// Solve finds rates r with V r = s in the least-squares sense (PROTOCOL.md
// 2.2–2.5). Row k of v is benchmark k's counters and s[k] its price; all rows
// have the same length. It returns ErrShape where sizes do not fit, a value is
// not finite, or a unit is not positive, and ErrFit where no column is left.
func Solve(v [][]float64, s []float64, opts Options) (Fit, error) {
	if err := opts.check(v, s); err != nil {
		return Fit{}, err
	}
	fit, err := solve(v, s, opts)
	if err != nil {
		return Fit{}, err
	}
	fit.Residuals = make([]float64, len(v))
	for k, row := range v {
		fit.Residuals[k] = dot(row, fit.Rates) - s[k]
	}
	fit.HoldOut = holdOut(v, s, opts)
	return fit, nil
}

// SolveUniform is the one-number form of 2.2: "this machine, fully used, earns
// price a second". Row k of u is the counters per second under full load k.
func SolveUniform(u [][]float64, price float64, opts Options) (Fit, error) {
	s := make([]float64, len(u))
	for k := range s {
		s[k] = price
	}
	return Solve(u, s, opts)
}

// check fills in the defaults.
func (o *Options) check(v [][]float64, s []float64) error {
	if len(v) == 0 || len(v) != len(s) || len(v[0]) == 0 {
		return fmt.Errorf("%w: %d rows, %d prices", ErrShape, len(v), len(s))
	}
	n := len(v[0])
	if o.Units == nil {
		o.Units = slices.Repeat([]float64{1}, n)
	}
	if len(o.Units) != n {
		return fmt.Errorf("%w: %d columns, %d units", ErrShape, n, len(o.Units))
	}
	for j, d := range o.Units {
		if !(d > 0) || math.IsInf(d, 0) {
			return fmt.Errorf("%w: unit %d is %v", ErrShape, j, d)
		}
	}
	for k, row := range v {
		if len(row) != n {
			return fmt.Errorf("%w: row %d has %d columns, row 0 has %d", ErrShape, k, len(row), n)
		}
		for j, x := range row {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("%w: row %d, column %d is %v", ErrShape, k, j, x)
			}
		}
		if math.IsNaN(s[k]) || math.IsInf(s[k], 0) {
			return fmt.Errorf("%w: price %d is %v", ErrShape, k, s[k])
		}
	}
	switch {
	case o.Rho == 0:
		o.Rho = DefaultRho
	case !(o.Rho > 0 && o.Rho < 1):
		return fmt.Errorf("%w: truncation %v is not between 0 and 1", ErrShape, o.Rho)
	}
	return nil
}

// solve does one fit without its report; opts are checked.
func solve(v [][]float64, s []float64, opts Options) (Fit, error) {
	cols, left := columns(v)
	fit := Fit{Rates: make([]float64, len(v[0])), LeftOut: left}
	if len(cols) == 0 {
		return Fit{}, fmt.Errorf("%w: every counter is zero in every benchmark", ErrFit)
	}
	a := mat.NewDense(len(v), len(cols), nil)
	for k, row := range v {
		for i, j := range cols {
			a.Set(k, i, row[j]/opts.Units[j])
		}
	}
	r, rank, condition, err := leastSquares(a, s, opts.Rho)
	if err != nil {
		return Fit{}, err
	}
	fit.Rank, fit.Condition = rank, condition
	if !opts.Signed && negative(r) {
		fit.NNLS = true
		if r, err = nnls(a, s); err != nil {
			return Fit{}, err
		}
	}
	for i, j := range cols {
		fit.Rates[j] = r[i] / opts.Units[j]
	}
	if !opts.Signed {
		for j := range fit.Rates {
			fit.Rates[j] = max(0, fit.Rates[j]) // rounding around zero
		}
	}
	return fit, nil
}

// columns separates those to fit from those to leave out (2.3). Where all that
// are not zero are constant, the rows repeat one benchmark and nothing can be
// told apart: they stay.
func columns(v [][]float64) (use, left []int) {
	var constant []int
	for j := range v[0] {
		low, high := v[0][j], v[0][j]
		for _, row := range v {
			low, high = min(low, row[j]), max(high, row[j])
		}
		switch size := max(math.Abs(low), math.Abs(high)); {
		case size == 0:
			left = append(left, j)
		case len(v) > 1 && high-low <= constantSpread*size:
			constant = append(constant, j)
		default:
			use = append(use, j)
		}
	}
	if len(use) == 0 {
		return constant, left
	}
	left = append(left, constant...)
	slices.Sort(left)
	return use, left
}

// leastSquares is the minimum-norm solution a⁺ b by SVD, where singular values
// of at most rho times the largest are dropped.
func leastSquares(a *mat.Dense, b []float64, rho float64) (x []float64, rank int, condition float64, err error) {
	var svd mat.SVD
	if !svd.Factorize(a, mat.SVDThin) {
		return nil, 0, 0, fmt.Errorf("%w: the singular value decomposition does not converge", ErrFit)
	}
	sigma := svd.Values(nil)
	var u, w mat.Dense
	svd.UTo(&u)
	svd.VTo(&w)
	rows, cols := a.Dims()
	x = make([]float64, cols)
	for i, value := range sigma {
		if value <= rho*sigma[0] {
			break
		}
		rank++
		var c float64
		for k := range rows {
			c += u.At(k, i) * b[k]
		}
		c /= value
		for j := range cols {
			x[j] += c * w.At(j, i)
		}
	}
	if rank == 0 {
		return x, 0, math.Inf(1), nil
	}
	return x, rank, sigma[0] / sigma[rank-1], nil
}

// negative reports whether a rate is below zero by more than rounding.
func negative(r []float64) bool {
	var size float64
	for _, x := range r {
		size = max(size, math.Abs(x))
	}
	return slices.ContainsFunc(r, func(x float64) bool { return x < -1e-12*size })
}

// holdOut is the leave-one-out error of 2.8. A fit that has nothing to fit
// predicts 0.
func holdOut(v [][]float64, s []float64, opts Options) float64 {
	var wrong, all float64
	for k := range v {
		var predicted float64
		if len(v) > 1 {
			others := slices.Delete(slices.Clone(v), k, k+1)
			prices := slices.Delete(slices.Clone(s), k, k+1)
			if fit, err := solve(others, prices, opts); err == nil {
				predicted = dot(v[k], fit.Rates)
			}
		}
		wrong += (predicted - s[k]) * (predicted - s[k])
		all += s[k] * s[k]
	}
	if all == 0 {
		return 0
	}
	return math.Sqrt(wrong / all)
}

func dot(a, b []float64) float64 {
	var sum float64
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
