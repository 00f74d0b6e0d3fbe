package pricing

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var near = cmpopts.EquateApprox(1e-9, 1e-18)

// The vectors of PROTOCOL.md 2.
func TestSolveVectors(t *testing.T) {
	big := [][]float64{{10, 1e9}, {5, 8e9}, {1, 2e9}}
	for _, c := range []struct {
		name string
		v    [][]float64
		s    []float64
		opts Options
		want []float64
		rank int
		nnls bool
	}{
		{"full rank", [][]float64{{2, 0}, {0, 4}, {1, 2}}, []float64{10, 8, 9}, Options{}, []float64{5, 2}, 2, false},
		{"rank 1 takes the minimum norm", [][]float64{{1, 2}, {2, 4}}, []float64{5, 10}, Options{}, []float64{1, 2}, 1, false},
		{"one row", [][]float64{{3, 4}}, []float64{25}, Options{}, []float64{3, 4}, 1, false},
		{"negative rate, pseudo-inverse", [][]float64{{1, 1}, {2, 3}}, []float64{3, 5}, Options{Signed: true}, []float64{4, -1}, 2, false},
		{"negative rate, non-negative", [][]float64{{1, 1}, {2, 3}}, []float64{3, 5}, Options{}, []float64{2.6, 0}, 2, true},
		{"scaled by unit", big, []float64{32, 31, 7}, Options{Units: []float64{1, 1e9}}, []float64{3, 2e-9}, 2, false},
		{"orthogonal rows", [][]float64{{1, 0}, {0, 1}, {1, 0}, {0, 1}}, []float64{6, 6, 6, 6}, Options{}, []float64{6, 6}, 2, false},
		{"zero column left out", [][]float64{{2, 0}, {4, 0}}, []float64{6, 12}, Options{}, []float64{3, 0}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			fit, err := Solve(c.v, c.s, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, fit.Rates, near); d != "" {
				t.Errorf("rates (-want +got):\n%s", d)
			}
			if fit.Rank != c.rank || fit.NNLS != c.nnls {
				t.Errorf("rank %d, nnls %v; want %d, %v", fit.Rank, fit.NNLS, c.rank, c.nnls)
			}
			for k, row := range c.v {
				if got, want := fit.Residuals[k], dot(row, fit.Rates)-c.s[k]; got != want {
					t.Errorf("residual %d is %v, want %v", k, got, want)
				}
			}
		})
	}

	// 2.4: without scaling, truncation drops the small column, and the answer is wrong.
	fit, err := Solve(big, []float64{32, 31, 7}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if fit.Rank != 1 || math.Abs(fit.Rates[0]-3) < 1 {
		t.Errorf("unscaled: rank %d, rates %v; want a wrong answer of rank 1", fit.Rank, fit.Rates)
	}
}

func TestSolveUniform(t *testing.T) {
	fit, err := SolveUniform([][]float64{{1, 0}, {0, 1}, {1, 0}, {0, 1}}, 6, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]float64{6, 6}, fit.Rates, near); d != "" {
		t.Error(d)
	}
}

// 2.3: a wall clock would satisfy the one-number form alone, and zero all other
// rates.
func TestConstantColumnIsLeftOut(t *testing.T) {
	u := [][]float64{{1, 0.9, 0.2}, {1.0001, 0.3, 0.8}, {0.9999, 0.5, 0.5}}
	fit, err := SolveUniform(u, 6, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{0}, fit.LeftOut); d != "" {
		t.Errorf("left out (-want +got):\n%s", d)
	}
	if fit.Rates[0] != 0 || fit.Rates[1] < 4 || fit.Rates[2] < 4 {
		t.Errorf("rates %v", fit.Rates)
	}
	// One benchmark run twice: every column is constant, and stays.
	fit, err = Solve([][]float64{{3, 4}, {3, 4}}, []float64{25, 25}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]float64{3, 4}, fit.Rates, near); d != "" {
		t.Error(d)
	}
}

func TestFitReport(t *testing.T) {
	fit, err := Solve([][]float64{{1, 0}, {0, 2}, {1, 2}, {3, 1}}, []float64{5, 8, 13, 19}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if fit.Rank != 2 || fit.HoldOut > 1e-12 {
		t.Errorf("consistent rows: rank %d, hold-out %v", fit.Rank, fit.HoldOut)
	}
	fit, err = Solve([][]float64{{4, 0}, {0, 0.5}}, []float64{1, 1}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(fit.Condition-8) > 1e-9 {
		t.Errorf("condition %v, want 8", fit.Condition)
	}
	if math.Abs(fit.HoldOut-1) > 1e-12 {
		t.Errorf("hold-out %v of rows that say nothing of each other, want 1", fit.HoldOut)
	}
	fit, err = Solve([][]float64{{1}, {2}}, []float64{1, 4}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	// From row 1 alone r = 2, predicting 2 for 1; from row 0 alone r = 1, predicting 2 for 4.
	if want := math.Sqrt((1.0 + 4) / 17); math.Abs(fit.HoldOut-want) > 1e-12 {
		t.Errorf("hold-out %v, want %v", fit.HoldOut, want)
	}
}

func TestSolveRefuses(t *testing.T) {
	ok := [][]float64{{1, 2}, {3, 4}}
	for _, c := range []struct {
		name string
		v    [][]float64
		s    []float64
		opts Options
		want error
	}{
		{"nothing", nil, nil, Options{}, ErrShape},
		{"no column", [][]float64{{}}, []float64{1}, Options{}, ErrShape},
		{"prices missing", ok, []float64{1}, Options{}, ErrShape},
		{"ragged", [][]float64{{1, 2}, {3}}, []float64{1, 2}, Options{}, ErrShape},
		{"units missing", ok, []float64{1, 2}, Options{Units: []float64{1}}, ErrShape},
		{"unit of zero", ok, []float64{1, 2}, Options{Units: []float64{1, 0}}, ErrShape},
		{"unit not a number", ok, []float64{1, 2}, Options{Units: []float64{1, math.NaN()}}, ErrShape},
		{"truncation of one", ok, []float64{1, 2}, Options{Rho: 1}, ErrShape},
		{"counter not finite", [][]float64{{1, math.Inf(1)}, {3, 4}}, []float64{1, 2}, Options{}, ErrShape},
		{"price not a number", ok, []float64{1, math.NaN()}, Options{}, ErrShape},
		{"all zero", [][]float64{{0, 0}, {0, 0}}, []float64{1, 2}, Options{}, ErrFit},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Solve(c.v, c.s, c.opts); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// Multiplying a column and its unit by the same factor changes nothing but the
// unit of its rate; so does multiplying all prices.
func TestScaleProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, s := system(t)
		column := rapid.IntRange(0, len(v[0])-1).Draw(t, "column")
		factor := math.Pow(2, float64(rapid.IntRange(-30, 30).Draw(t, "log2 factor")))
		units := make([]float64, len(v[0]))
		for j := range units {
			units[j] = 1
		}
		plain, err := Solve(v, s, Options{Units: units})
		if err != nil {
			t.Skip(err)
		}
		for k := range v {
			v[k][column] *= factor
			s[k] *= 8
		}
		units[column] = factor
		scaled, err := Solve(v, s, Options{Units: units})
		if err != nil {
			t.Fatal(err)
		}
		scaled.Rates[column] *= factor
		for j := range scaled.Rates {
			scaled.Rates[j] /= 8
		}
		if d := cmp.Diff(plain.Rates, scaled.Rates, cmpopts.EquateApprox(1e-6, 1e-9)); d != "" {
			t.Errorf("rates (-plain +scaled):\n%s", d)
		}
		if plain.Rank != scaled.Rank {
			t.Errorf("rank %d and %d", plain.Rank, scaled.Rank)
		}
	})
}

// system draws a small V and s.
func system(t *rapid.T) ([][]float64, []float64) {
	rows := rapid.IntRange(1, 8).Draw(t, "rows")
	cols := rapid.IntRange(1, 6).Draw(t, "columns")
	v, s := make([][]float64, rows), make([]float64, rows)
	for k := range v {
		v[k] = make([]float64, cols)
		for j := range v[k] {
			v[k][j] = float64(rapid.IntRange(0, 100).Draw(t, "v")) / 10
		}
		s[k] = float64(rapid.IntRange(0, 1000).Draw(t, "s")) / 10
	}
	return v, s
}

func BenchmarkFromBenchmarks(b *testing.B) {
	rows := machine(12, 0)
	for b.Loop() {
		if _, _, err := FromBenchmarks(rows); err != nil {
			b.Fatal(err)
		}
	}
}
