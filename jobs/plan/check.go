package plan

import (
	"fmt"
	"path"
	"strings"
)

// Check holds what every graph must: at least one task, names that are unique and
// plain folder names, a command, needs that come before, inputs with exactly one
// source that stay inside the scratch folder and do not overwrite each other,
// patterns that do not leave it, parts of the standard input that lie in their
// files, and one task for each name that is delivered. The error is ErrGraph.
func (g Graph) Check() error {
	if len(g.Tasks) == 0 {
		return fmt.Errorf("%w: it has no tasks", ErrGraph)
	}
	before := make(map[string]bool, len(g.Tasks))
	published, delivered := map[string]string{}, map[string]string{}
	for _, t := range g.Tasks {
		bad := func(format string, args ...any) error {
			return fmt.Errorf("%w: task %q: %s", ErrGraph, t.Name, fmt.Sprintf(format, args...))
		}
		switch {
		case t.Name == "" || t.Name == "." || t.Name == ".." || strings.ContainsAny(t.Name, "/\x00\n"):
			return bad("is no folder name")
		case before[t.Name]:
			return bad("is there twice")
		case len(t.Command) == 0 || t.Command[0] == "":
			return bad("has no command")
		}
		paths := map[string]bool{}
		for _, in := range t.Inputs {
			sources := 0
			for _, there := range []bool{in.Data != nil, in.File != "", in.Task != ""} {
				if there {
					sources++
				}
			}
			clean := path.Clean("/" + in.Path)[1:]
			switch {
			case sources != 1:
				return bad("input %q has %d sources", in.Path, sources)
			case in.Path != "" && in.Path != "." && in.Path != clean:
				return bad("input %q leaves the scratch folder or is not clean", in.Path)
			case clean == "" && in.Task == "":
				return bad("an input has no path")
			case clean != "" && paths[clean]:
				return bad("input %q is there twice", in.Path)
			case in.Task != "" && !before[in.Task]:
				return bad("needs %s, which is not before it", in.Task)
			}
			paths[clean] = true
		}
		for _, pattern := range append(append([]string{}, t.Collect...), t.Checkpoint...) {
			if pattern == "" || path.IsAbs(pattern) || strings.HasPrefix(path.Clean(pattern), "..") {
				return bad("pattern %q leaves the scratch folder", pattern)
			}
		}
		if err := t.checkStreams(g.Output, delivered); err != nil {
			return bad("%s", err)
		}
		if t.Publish {
			as := t.Name
			if t.PublishAs != "" {
				as = t.PublishAs
			}
			if other, ok := published[as]; ok {
				return bad("and %s are both published as %s", other, as)
			}
			published[as] = t.Name
		}
		before[t.Name] = true
	}
	return nil
}
