package data

import (
	"slices"
	"testing"
)

// Both orders are those that Hadoop 3.4.2 has.
func TestOrder(t *testing.T) {
	for _, c := range []struct {
		name    string
		compare func(a, b string) int
		sorted  []string
	}{
		{"names", compareNames, []string{"", "ü", "\U0001F600", "A", "a", "aü", "a b", "a.txt", "ab"}},
		{"paths", comparePaths, []string{"/", "/a!", "/a b", "/a%b", "/a[b", "/a{b", "/a+b", "/a,b", "/a.b", "/a/b", "/aa", "/ü", "/\U0001F600", "/\uff5e"}},
	} {
		got := slices.Clone(c.sorted)
		slices.Reverse(got)
		slices.SortFunc(got, c.compare)
		if !slices.Equal(got, c.sorted) {
			t.Errorf("%s: %q, want %q", c.name, got, c.sorted)
		}
	}
}
