package engine

import (
	"strings"
	"testing"

	"github.com/zennet/zennet/jobs/plan"
)

// TestNames: a name in the output belongs to one task: the one that the graph gives it to,
// else the first that takes it; a file is in nobody's way where another has a folder.
func TestNames(t *testing.T) {
	g := plan.Graph{Tasks: []plan.Task{
		{Name: "a", Deliver: []plan.Delivery{{From: "p", Name: "part-0"}, {From: "s", Name: "_skipped/a"}, {From: "x", Name: "."}}},
		{Name: "b", Deliver: []plan.Delivery{{From: "p", Name: "part-1"}, {From: "x", Name: "."}}},
	}}
	for _, c := range []struct {
		before []string // taken by a
		name   string   // by b
		want   string   // of the error; "" = none
	}{
		{nil, "stats", ""},
		{nil, "stats/b", ""},
		{[]string{"stats"}, "stats2", ""},
		{[]string{"stats/a"}, "stats/b", ""},
		{[]string{"stats"}, "stats", "task b leaves a file stats for the output, where task a delivers stats"},
		{[]string{"stats"}, "stats/b", "task b leaves a file stats/b for the output, where task a delivers stats"},
		{[]string{"stats/deep/a"}, "stats", "where task a delivers stats/…"},
		{nil, "part-0", "where task a delivers part-0"},
		{nil, "part-1", "task b leaves a file part-1 for the output, where task b delivers part-1"},
		{nil, "part-0/b", "where task a delivers part-0"},
		{nil, "_skipped", "where task a delivers _skipped/…"},
		{nil, "_skipped/b", ""},
		{nil, "_SUCCESS", "the job's own name"},
		{nil, "_SUCCESS/b", "the job's own name"},
	} {
		n := newNames(g)
		for range 2 { // delivered again
			for _, name := range c.before {
				if err := n.take(0, name); err != nil {
					t.Fatal(err)
				}
			}
		}
		err := n.take(1, c.name)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s after %v: %v", c.name, c.before, err)
		}
		if n.known(c.name) != strings.HasPrefix(c.name, "part-") {
			t.Errorf("%s: known %v", c.name, n.known(c.name))
		}
	}
}
