package container

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// Variables of a task that the runner sets (DESIGN, "What scripts rely on").
const (
	varIndex  = "ZENNET_TASK_INDEX"
	varNumber = "ZENNET_TASK_NUMBER"
	varCount  = "ZENNET_TASK_COUNT"
	varParam  = "ZENNET_PARAM_"
)

// Plan is the graph of a container job. files is the job file's folder.
func Plan(job spec.Job, files fs.FS) (plan.Graph, error) {
	c := *job.Container
	count := c.Tasks()
	counts, err := mentions(files, job)
	if err != nil {
		return plan.Graph{}, err
	}
	graph := plan.Graph{Tasks: make([]plan.Task, count)}
	names := make(map[string]int, count)
	for i := range graph.Tasks {
		task := plan.Task{
			Name:       name(c, i),
			Stage:      "run",
			Command:    c.Command,
			Env:        make(map[string]string, len(c.Env)+2*len(c.Matrix)+1),
			Collect:    fill(c, c.Collect, i),
			Checkpoint: job.Checkpoint,
			Index:      c.IndexOf(i),
			Number:     i,
			Publish:    true,
		}
		for k, v := range c.Env {
			task.Env[k] = v
		}
		if len(c.Array) > 0 || counts[varIndex] {
			task.Env[varIndex] = task.Index
		}
		if counts[varNumber] {
			task.Env[varNumber] = strconv.Itoa(i)
		}
		if counts[varCount] {
			task.Env[varCount] = strconv.Itoa(count)
		}
		for k, value := range c.Values(i) {
			axis := c.Matrix[k].Name
			task.Params = append(task.Params, plan.Param{Name: axis, Value: value})
			// Both spellings: as the axis is written, and as variables usually are.
			task.Env[varParam+axis] = value
			task.Env[varParam+strings.ToUpper(axis)] = value
		}
		for _, in := range c.Inputs {
			at := c.Fill(in, i)
			task.Inputs = append(task.Inputs, plan.Input{Path: spec.InputPath(at), File: at})
		}
		if len(task.Name) > spec.MaxTaskName {
			return plan.Graph{}, fmt.Errorf("%s: matrix: the name of task %d is longer than %d bytes", job.At("matrix"), i, spec.MaxTaskName)
		}
		if other, ok := names[task.Name]; ok {
			return plan.Graph{}, fmt.Errorf("%s: matrix: tasks %d and %d would both be named %s", job.At("matrix"), other, i, task.Name)
		}
		names[task.Name] = i
		graph.Tasks[i] = task
	}
	return graph, nil
}

// name is the array's value, the matrix coordinates as "temp=300,seed=1", or "0".
// What cannot be in a folder's name is replaced there, not in the parameter.
func name(c spec.Container, i int) string {
	if len(c.Matrix) == 0 {
		return c.IndexOf(i)
	}
	parts := make([]string, len(c.Matrix))
	for k, value := range c.Values(i) {
		parts[k] = c.Matrix[k].Name + "=" + strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._+-@%~", r) {
				return r
			}
			return '_'
		}, value)
	}
	return strings.Join(parts, ",")
}

func fill(c spec.Container, patterns []string, i int) []string {
	out := make([]string, len(patterns))
	for k, p := range patterns {
		out[k] = c.Fill(p, i)
	}
	return out
}

// mentions finds which of the runner's counting variables the tasks can be
// expected to read: those whose names stand in the command, in a variable, or in
// an input file. A tree too large to look through counts as mentioning them.
func mentions(files fs.FS, job spec.Job) (map[string]bool, error) {
	const mostFile, mostAll = 1 << 20, 64 << 20
	c := *job.Container
	found := map[string]bool{}
	look := func(text []byte) {
		for _, v := range []string{varIndex, varNumber, varCount} {
			if bytes.Contains(text, []byte(v)) {
				found[v] = true
			}
		}
	}
	for _, word := range c.Command {
		look([]byte(word))
	}
	for _, value := range c.Env {
		look([]byte(value))
	}
	left, seen := mostAll, map[string]bool{}
	for i := range c.Tasks() {
		for _, in := range c.Inputs {
			at := c.Fill(in, i)
			if seen[at] || len(found) == 3 {
				continue
			}
			seen[at] = true
			if spec.IsURL(at) {
				if r := job.RemoteAt(at); r == nil || slices.ContainsFunc(r.Files, func(f spec.RemoteFile) bool { return f.Size <= mostFile }) {
					found[varIndex], found[varNumber], found[varCount] = true, true, true // not looked into
				}
				continue
			}
			err := fs.WalkDir(files, at, func(name string, entry fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				if entry.IsDir() {
					return nil
				}
				info, err := fs.Stat(files, name)
				if errors.Is(err, fs.ErrNotExist) {
					return nil // a link to nothing
				}
				if err != nil {
					return err
				}
				if !info.Mode().IsRegular() || info.Size() > mostFile {
					return nil // data, not a script that counts tasks
				}
				if left -= int(info.Size()); left < 0 {
					found[varIndex], found[varNumber], found[varCount] = true, true, true
					return fs.SkipAll
				}
				data, err := fs.ReadFile(files, name)
				look(data)
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("%s: inputs: %w", job.At("inputs"), err)
			}
		}
	}
	return found, nil
}
