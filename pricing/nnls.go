package pricing

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

const (
	// nnlsTolerance is the cosine between a column and the residual below which they
	// count as orthogonal.
	nnlsTolerance = 1e-10
	// nnlsRho is the truncation within a passive set. Its columns are independent, so
	// that it only has to catch rounding.
	nnlsRho = 1e-13
)

// nnls minimises ‖a x − b‖ over x ≥ 0.
//
// It is the active-set method of C. L. Lawson and R. J. Hanson, "Solving Least
// Squares Problems" (1974), chapter 23, algorithm NNLS: the passive set holds
// the variables that are free to be positive; the one whose increase helps most
// enters it, and those that its least-squares solution would make negative
// leave. The residual falls strictly with every step of the outer loop, so no
// passive set comes twice and the loop ends. At its end the conditions of Karush,
// Kuhn and Tucker hold: with g = aᵀ(b − a x), g = 0 where x > 0 and g ≤ 0 where
// x = 0.
func nnls(a *mat.Dense, b []float64) ([]float64, error) {
	_, n := a.Dims()
	p := problem{a: a, b: b, x: make([]float64, n), passive: make([]bool, n)}
	tried := make([]bool, n) // entered without gain since the last progress
	// The bound is never met; it guards against a cycle by rounding.
	for range 30 * (n + 1) {
		enter := p.best(tried)
		if enter < 0 {
			return p.x, nil
		}
		p.passive[enter] = true
		grown, err := p.descend(enter)
		if err != nil {
			return nil, err
		}
		if grown {
			clear(tried)
		} else {
			tried[enter] = true
		}
	}
	return nil, fmt.Errorf("%w: non-negative least squares does not converge", ErrFit)
}

// problem is the state of nnls.
type problem struct {
	a       *mat.Dense
	b, x    []float64
	passive []bool
}

// best is the variable outside the passive set whose column points most along
// the residual, or -1 where none does.
func (p *problem) best(tried []bool) int {
	residual := make([]float64, len(p.b))
	for k := range residual {
		residual[k] = p.b[k] - dot(p.a.RawRowView(k), p.x)
	}
	size := norm(p.b)
	enter, most := -1, nnlsTolerance*size
	for j, in := range p.passive {
		if in || tried[j] {
			continue
		}
		column := mat.Col(nil, j, p.a)
		if w := dot(column, residual) / norm(column); w > most {
			enter, most = j, w
		}
	}
	return enter
}

// descend moves x to the least-squares solution on the passive set, and drops
// from the set what would become negative on the way. It reports false where the
// variable that entered does not grow, which only rounding can cause.
func (p *problem) descend(entered int) (bool, error) {
	z, err := p.unconstrained()
	if err != nil {
		return false, err
	}
	if z[entered] <= 0 {
		p.passive[entered] = false
		return false, nil
	}
	for {
		step, block := 1.0, -1
		for j, in := range p.passive {
			if in && z[j] <= 0 {
				if t := p.x[j] / (p.x[j] - z[j]); block < 0 || t < step {
					step, block = t, j
				}
			}
		}
		for j, in := range p.passive {
			if in {
				p.x[j] = max(0, p.x[j]+step*(z[j]-p.x[j]))
			}
		}
		if block < 0 {
			return true, nil
		}
		p.x[block], p.passive[block] = 0, false
		if z, err = p.unconstrained(); err != nil {
			return false, err
		}
	}
}

// unconstrained is the least-squares solution over the passive columns; the
// other variables are 0.
func (p *problem) unconstrained() ([]float64, error) {
	rows, n := p.a.Dims()
	var cols []int
	for j, in := range p.passive {
		if in {
			cols = append(cols, j)
		}
	}
	z := make([]float64, n)
	if len(cols) == 0 {
		return z, nil
	}
	sub := mat.NewDense(rows, len(cols), nil)
	for i, j := range cols {
		sub.SetCol(i, mat.Col(nil, j, p.a))
	}
	y, _, _, err := leastSquares(sub, p.b, nnlsRho)
	if err != nil {
		return nil, err
	}
	for i, j := range cols {
		z[j] = y[i]
	}
	return z, nil
}

func norm(a []float64) float64 {
	var sum float64
	for _, x := range a {
		sum = math.Hypot(sum, x)
	}
	return sum
}
