package spec

import (
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// container reads the keys of kind container.
func (r *reader) container(top map[string]field) *Container {
	out := &Container{
		Command: r.command(top["command"]),
		Array:   r.array(top["array"]),
		Matrix:  r.matrix(top["matrix"]),
		Env:     r.env(top["env"]),
		HDFS:    r.hdfs(top["hdfs"]),
	}
	if top["array"].given() && top["matrix"].given() {
		r.report(top["matrix"].key, "matrix", ErrKey, "a job has an array or a matrix, not both")
	}
	for _, one := range []struct {
		name string
		n    int
	}{{"inputs", count(top["inputs"])}, {"collect", count(top["collect"])}, {"env", len(out.Env)}} {
		if tasks := out.Tasks(); one.n > 1 && one.n*tasks > MaxTotal {
			r.report(top[one.name].key, one.name, ErrValue, "%d entries for each of %d tasks are more than %d in all", one.n, tasks, MaxTotal)
			return out
		}
	}
	names := map[string]bool{"index": true, "number": true}
	for _, axis := range out.Matrix {
		names[axis.Name] = true
	}
	out.Inputs = r.inputs(top["inputs"], *out, names)
	out.Collect = r.patterns(top["collect"])
	return out
}

func (r *reader) command(f field) []string {
	if !f.given() {
		r.report(nil, "command", ErrKey, `is missing; want for example command: ["sh", "-c", "echo $ZENNET_TASK_INDEX"]`)
		return nil
	}
	if f.node.Kind == yaml.ScalarNode {
		s, ok := r.text(f)
		if ok && strings.TrimSpace(s) == "" {
			r.report(f.node, f.path, ErrValue, "is empty")
		}
		return []string{"sh", "-c", s}
	}
	words := r.texts(f, MaxInputs)
	if f.node.Kind == yaml.SequenceNode && (len(f.node.Content) == 0 || len(words) > 0 && words[0] == "") {
		r.report(f.node, f.path, ErrValue, "names no program")
	}
	return words
}

var arrayRange = regexp.MustCompile(`^(\d+)-(\d+)(?::(\d+))?$`)

// array reads "0-99", "0-99:3" or a list of numbers, checking the count before
// it makes any.
func (r *reader) array(f field) []int64 {
	if !f.given() {
		return nil
	}
	if f.node.Kind == yaml.ScalarNode {
		s, ok := r.text(f)
		if !ok {
			return nil
		}
		m := arrayRange.FindStringSubmatch(strings.ReplaceAll(s, " ", ""))
		if m == nil {
			r.report(f.node, f.path, ErrValue, "%s is no array (want 0-99, 0-99:3 or [1, 4, 9])", clip(s))
			return nil
		}
		step := int64(1)
		from, errA := strconv.ParseInt(m[1], 10, 64)
		to, errB := strconv.ParseInt(m[2], 10, 64)
		var errC error
		if m[3] != "" {
			step, errC = strconv.ParseInt(m[3], 10, 64)
		}
		switch {
		case errA != nil || errB != nil || errC != nil:
			r.report(f.node, f.path, ErrValue, "%s has a number that is too large", clip(s))
		case to < from:
			r.report(f.node, f.path, ErrValue, "%s ends before it begins", clip(s))
		case step == 0:
			r.report(f.node, f.path, ErrValue, "%s has a step of 0", clip(s))
		case (to-from)/step >= MaxTasks:
			r.report(f.node, f.path, ErrValue, "%s is more than %d tasks", clip(s), MaxTasks)
		default:
			count := (to-from)/step + 1
			out := make([]int64, count)
			for i := range out {
				out[i] = from + int64(i)*step
			}
			return out
		}
		return nil
	}
	items := r.list(f, MaxTasks)
	if f.node.Kind == yaml.SequenceNode && len(f.node.Content) == 0 {
		r.report(f.node, f.path, ErrValue, "is empty; a job has at least one task")
	}
	seen := make(map[int64]bool, len(items))
	var out []int64
	for _, item := range items {
		s, ok := r.text(item)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(s, 10, 64)
		switch {
		case err != nil || !isDigits(s):
			r.report(item.node, item.path, ErrValue, "%s is no whole number from 0 up", clip(s))
		case seen[n]:
			r.report(item.node, item.path, ErrValue, "%d is listed twice", n)
		default:
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

// matrix reads the axes in the order written.
func (r *reader) matrix(f field) []Axis {
	var out []Axis
	count := 1
	seen := map[string]bool{"INDEX": true, "NUMBER": true}
	axes := r.entries(f)
	if f.given() && f.node.Kind == yaml.MappingNode && len(axes) == 0 {
		r.report(f.node, f.path, ErrValue, "is empty; want for example matrix: {seed: [1, 2, 3]}")
	}
	if len(axes) > MaxAxes {
		r.report(f.key, f.path, ErrValue, "has %d parameters; at most %d", len(axes), MaxAxes)
		return nil
	}
	for _, one := range axes {
		axis := Axis{Name: one.key.Value}
		upper := strings.ToUpper(axis.Name)
		switch {
		case !envName.MatchString(axis.Name) || len(axis.Name) > MaxName:
			r.report(one.key, clip(one.path), ErrKey, "a parameter's name is letters, digits and underscores")
			continue
		case seen[upper]:
			r.report(one.key, one.path, ErrKey, "is another spelling of a name that is there (or of index, number)")
			continue
		}
		seen[upper] = true
		values := map[string]bool{}
		for _, item := range r.list(one, MaxTasks) {
			s, ok := r.text(item)
			switch {
			case !ok:
			case s == "" || strings.ContainsAny(s, "\n\r"):
				r.report(item.node, item.path, ErrValue, "a value is one line, and not empty")
			case values[s]:
				r.report(item.node, item.path, ErrValue, "%s is listed twice", clip(s))
			default:
				values[s] = true
				axis.Values = append(axis.Values, s)
			}
		}
		if len(axis.Values) == 0 {
			if one.node.Kind == yaml.SequenceNode && len(one.node.Content) == 0 {
				r.report(one.node, one.path, ErrValue, "lists no values")
			}
			continue
		}
		if count > MaxTasks/len(axis.Values) {
			r.report(f.key, f.path, ErrValue, "is more than %d tasks", MaxTasks)
			return nil
		}
		count *= len(axis.Values)
		out = append(out, axis)
	}
	return out
}

func (r *reader) env(f field) map[string]string {
	var out map[string]string
	for _, one := range r.entries(f) {
		name := one.key.Value
		s, ok := r.text(one)
		switch {
		case !envName.MatchString(name):
			r.report(one.key, clip(one.path), ErrKey, "a variable's name is letters, digits and underscores")
		case strings.HasPrefix(name, "ZENNET_"):
			r.report(one.key, clip(one.path), ErrKey, "names that begin with ZENNET_ are the runner's own")
		case ok:
			if out == nil {
				out = map[string]string{}
			}
			out[name] = s
		}
	}
	return out
}

// count is the number of items of a list, before it is read.
func count(f field) int {
	if !f.given() || f.node.Kind != yaml.SequenceNode {
		return 1
	}
	return len(f.node.Content)
}
