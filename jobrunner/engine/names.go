package engine

import (
	"fmt"
	"path"
	"strings"

	"github.com/zennet/zennet/jobs/plan"
)

// names are those in a job's output folder, and who delivers them: what the graph
// names belongs to its task from the start, other files to the first task that has
// such a one. A second one is an error, for nobody could say whose file is right.
type names struct {
	graph   plan.Graph
	planned map[string]int // task that the graph lets deliver a name
	taken   map[string]int // task that has delivered it
	folders map[string]int // folders of all these, and a task that has a file there
}

// success is the name that no task delivers.
const success = "_SUCCESS"

func newNames(g plan.Graph) *names {
	n := &names{graph: g, planned: map[string]int{}, taken: map[string]int{}, folders: map[string]int{}}
	for i, t := range g.Tasks {
		for _, d := range t.Deliver {
			if d.Name != "." {
				n.planned[d.Name] = i
				n.above(i, d.Name)
			}
		}
	}
	return n
}

// above notes the folders that a name lies in.
func (n *names) above(task int, name string) {
	for at := path.Dir(name); at != "."; at = path.Dir(at) {
		n.folders[at] = task
	}
}

// known says that the graph names a file, or a folder that it is in.
func (n *names) known(name string) bool {
	for at := name; at != "."; at = path.Dir(at) {
		if _, ok := n.planned[at]; ok {
			return true
		}
	}
	return false
}

// take gives a name that the graph does not know to a task, or says whose it is. A task
// may take one again.
func (n *names) take(task int, name string) error {
	for at := name; at != "."; at = path.Dir(at) {
		if owner, ok := n.planned[at]; ok {
			return n.conflict(task, name, owner, at)
		}
		if owner, ok := n.taken[at]; ok && (owner != task || at != name) {
			return n.conflict(task, name, owner, at)
		}
		if at == success || strings.HasPrefix(at, ownName) {
			return fmt.Errorf("task %s leaves a file %s for the output, which is one of the job's own names there", n.graph.Tasks[task].Name, name)
		}
	}
	if owner, ok := n.folders[name]; ok {
		return n.conflict(task, name, owner, name+"/…")
	}
	n.taken[name] = task
	n.above(task, name)
	return nil
}

func (n *names) conflict(task int, name string, owner int, other string) error {
	return fmt.Errorf("task %s leaves a file %s for the output, where task %s delivers %s", n.graph.Tasks[task].Name, name, n.graph.Tasks[owner].Name, other)
}
