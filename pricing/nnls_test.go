package pricing

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func dense(v [][]float64) *mat.Dense {
	a := mat.NewDense(len(v), len(v[0]), nil)
	for k, row := range v {
		a.SetRow(k, row)
	}
	return a
}

func TestNNLS(t *testing.T) {
	for _, c := range []struct {
		name string
		v    [][]float64
		s    []float64
		want []float64
	}{
		{"protocol vector", [][]float64{{1, 1}, {2, 3}}, []float64{3, 5}, []float64{2.6, 0}},
		{"unconstrained optimum is inside", [][]float64{{2, 0}, {0, 4}, {1, 2}}, []float64{10, 8, 9}, []float64{5, 2}},
		{"everything would be negative", [][]float64{{1, 0}, {0, 1}}, []float64{-1, -2}, []float64{0, 0}},
		{"zero prices", [][]float64{{1, 2}, {3, 4}}, []float64{0, 0}, []float64{0, 0}},
		// The third column, the mean of the others, enters first, and leaves again.
		{"a variable leaves", [][]float64{{1, 0, 0.5}, {0, 1, 0.5}, {0, 0, 0.01}}, []float64{2, 1, 0}, []float64{2, 1, 0}},
		{"more columns than rows", [][]float64{{1, 0, 1}}, []float64{2}, []float64{2, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, err := nnls(dense(c.v), c.s)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, x, near); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// The conditions of Karush, Kuhn and Tucker are necessary and sufficient for the
// optimum: the problem is convex.
func TestNNLSOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, s := system(t)
		for j := range v[0] { // the caller leaves zero columns out
			v[0][j] += 0.1
		}
		for k := range s {
			s[k] -= rapid.Float64Range(0, 50).Draw(t, "shift")
		}
		x, err := nnls(dense(v), s)
		if err != nil {
			t.Fatal(err)
		}
		residual := make([]float64, len(s))
		for k, row := range v {
			residual[k] = s[k] - dot(row, x)
		}
		for j := range x {
			column := make([]float64, len(v))
			for k := range v {
				column[k] = v[k][j]
			}
			gradient := dot(column, residual) / norm(column)
			limit := 1e-7 * (norm(s) + 1)
			switch {
			case x[j] < 0 || math.IsNaN(x[j]):
				t.Fatalf("x[%d] = %v", j, x[j])
			case x[j] > 0 && math.Abs(gradient) > limit:
				t.Fatalf("x[%d] = %v is free, but its gradient is %v", j, x[j], gradient)
			case x[j] == 0 && gradient > limit:
				t.Fatalf("x[%d] = 0, but its gradient is %v", j, gradient)
			}
		}
	})
}

// Rates that are not negative are found again from the prices that they make.
func TestNNLSFindsPlanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, s := system(t)
		planted := make([]float64, len(v[0]))
		for j := range planted {
			v[0][j] += 0.1
			if rapid.Bool().Draw(t, "used") {
				planted[j] = rapid.Float64Range(0, 10).Draw(t, "rate")
			}
		}
		for k, row := range v {
			s[k] = dot(row, planted)
		}
		x, err := nnls(dense(v), s)
		if err != nil {
			t.Fatal(err)
		}
		for k, row := range v {
			if math.Abs(dot(row, x)-s[k]) > 1e-6*(norm(s)+1) {
				t.Fatalf("row %d: %v, want %v (rates %v, planted %v)", k, dot(row, x), s[k], x, planted)
			}
		}
	})
}
