package gromacs_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/ledger/types"
)

func keysOf(t testing.TB, graph plan.Graph, folder string) map[string]string {
	t.Helper()
	keys, err := graph.Keys("host", func(path string) (types.Hash, error) {
		data, err := os.ReadFile(filepath.Join(folder, path))
		return sha256.Sum256(data), err
	})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for i, task := range graph.Tasks {
		out[task.Name] = keys[i].String()
	}
	return out
}

// A longer length or a larger ensemble costs only what is new; a changed run costs all of it.
func TestTakeOver(t *testing.T) {
	_, graph := planned(t, examples, folding)
	before := keysOf(t, graph, examples)
	for _, c := range []struct {
		name string
		sets []string
		same []string // of the tasks of both plans, these are taken over
		not  []string
	}{
		{"longer", []string{"gromacs.length=2ps"}, []string{"prepare", "member-0.1", "member-1.2"}, []string{"member-0.3", "member-0", "report-0"}},
		{"larger", []string{"gromacs.ensemble=3"}, []string{"prepare", "member-0.3", "member-1", "report-1"}, nil},
		{"other terms", []string{"slots=2", "budget=9 XEN", "providers.min=2", "retry.attempts=9", "timeout=1h"},
			[]string{"prepare", "member-0.3", "member-1", "report-1"}, nil},
		{"other report", []string{"report=[rmsd]"}, []string{"member-0", "member-1.3"}, []string{"report-0"}},
		{"other seed", []string{"gromacs.seed=2"}, nil, []string{"prepare", "member-0.1", "member-0"}},
		{"other cut-off", []string{"gromacs.mdp={rcoulomb: 1.0}"}, nil, []string{"prepare", "member-0.1"}},
		{"other thermostat", []string{"gromacs.mdp={tau-t: 0.5}"}, []string{}, []string{"member-0.1"}},
		{"more cores", []string{"resources.cpu=2"}, nil, []string{"prepare", "member-0.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, graph := planned(t, examples, folding, c.sets...)
			after := keysOf(t, graph, examples)
			for _, name := range c.same {
				if before[name] != after[name] || after[name] == "" {
					t.Errorf("%s is not taken over", name)
				}
			}
			for _, name := range c.not {
				if before[name] == after[name] {
					t.Errorf("%s is taken over", name)
				}
			}
		})
	}
}
