package spec

import (
	"fmt"
	"io/fs"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// reader turns YAML nodes into values and collects the problems on the way. Its
// methods return a usable zero value after a problem, so that reading goes on and
// finds the others.
type reader struct {
	file     string
	files    fs.FS
	lines    map[string]string     // dotted key → place, for Job.Lines
	flags    map[*yaml.Node]string // nodes that come from a --set flag
	aliased  int                   // last line whose alias was reported
	problems []placed
	more     int
}

// placed is a problem with the line that it is sorted by.
type placed struct {
	Problem
	line int
}

func (r *reader) where(n *yaml.Node) (string, int) {
	if n == nil {
		return r.file + ":1", 1
	}
	if flag, ok := r.flags[n]; ok {
		return flag, 1 << 30
	}
	return fmt.Sprintf("%s:%d", r.file, n.Line), n.Line
}

// report adds a problem at a node; nil is the whole file, and its first line.
func (r *reader) report(n *yaml.Node, key string, kind ErrorKind, format string, args ...any) {
	if len(r.problems) >= 10*MaxErrors {
		r.more++
		return
	}
	where, line := r.where(n)
	r.problems = append(r.problems, placed{Problem{Where: where, Key: key, Kind: kind, Text: fmt.Sprintf(format, args...)}, line})
}

// err is nil, or the problems in the file's order.
func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	sort.SliceStable(r.problems, func(i, j int) bool { return r.problems[i].line < r.problems[j].line })
	out := Problems{More: r.more}
	for i, one := range r.problems {
		if i == MaxErrors {
			out.More += len(r.problems) - MaxErrors
			break
		}
		out.List = append(out.List, one.Problem)
	}
	return out
}

// field is a key of a mapping with its value and its dotted path.
type field struct {
	key  *yaml.Node // where the key stands; nil where it is not given
	node *yaml.Node
	path string
}

// given reports whether the key is there.
func (f field) given() bool { return f.node != nil }

// fields reads a mapping whose keys are known; others are reported with the
// nearest known one, and so is a key given twice.
func (r *reader) fields(f field, known ...string) map[string]field {
	out := make(map[string]field, len(known))
	for _, name := range known {
		out[name] = field{path: join(f.path, name)}
	}
	for _, one := range r.entries(f) {
		name := one.path[len(join(f.path, "")):]
		if _, ok := out[name]; !ok {
			hint := ""
			if near := nearest(name, known); near != "" {
				hint = fmt.Sprintf("; did you mean %s?", near)
			}
			r.report(one.key, clip(one.path), ErrKey, "unknown key%s", hint)
			continue
		}
		out[name] = one
	}
	return out
}

// entries reads a mapping with free keys, in the order written.
func (r *reader) entries(f field) []field {
	if !f.given() {
		return nil
	}
	if f.node.Kind != yaml.MappingNode {
		r.report(f.node, f.path, ErrValue, "must be a mapping of keys to values, not %s", kindOf(f.node))
		return nil
	}
	var out []field
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		key, value := f.node.Content[i], f.node.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			r.report(key, f.path, ErrKey, "a key must be a word, not %s", kindOf(key))
			continue
		}
		path := join(f.path, key.Value)
		if first, ok := seen[key.Value]; ok {
			where, _ := r.where(first)
			r.report(key, clip(path), ErrKey, "is given twice, first at %s", where)
			continue
		}
		if len(out) == MaxInputs {
			r.report(key, f.path, ErrValue, "has more than %d entries", MaxInputs)
			break
		}
		seen[key.Value] = key
		r.lines[path], _ = r.where(key)
		out = append(out, field{key: key, node: value, path: path})
	}
	return out
}

// text reads a scalar as it is written. null is no text.
func (r *reader) text(f field) (string, bool) {
	if !f.given() {
		return "", false
	}
	n := f.node
	switch {
	case n.Kind != yaml.ScalarNode:
		r.report(n, f.path, ErrValue, "must be one value, not %s", kindOf(n))
	case n.Tag == "!!null":
		r.report(n, f.path, ErrValue, "has no value")
	case len(n.Value) > MaxText:
		r.report(n, f.path, ErrValue, "is %d bytes long; at most %d", len(n.Value), MaxText)
	case strings.ContainsRune(n.Value, 0):
		r.report(n, f.path, ErrValue, "holds a NUL byte")
	default:
		return n.Value, true
	}
	return "", false
}

// list reads a sequence, or one value as a sequence of one, of at most most
// items. Every item has the sequence's path.
func (r *reader) list(f field, most int) []field {
	if !f.given() {
		return nil
	}
	switch f.node.Kind {
	case yaml.ScalarNode:
		if f.node.Tag == "!!null" {
			r.report(f.node, f.path, ErrValue, "has no value; an empty list is []")
			return nil
		}
		return []field{f}
	case yaml.SequenceNode:
		if len(f.node.Content) > most {
			r.report(f.node, f.path, ErrValue, "lists %d items; at most %d", len(f.node.Content), most)
			return nil
		}
		out := make([]field, len(f.node.Content))
		for i, n := range f.node.Content {
			out[i] = field{key: f.key, node: n, path: f.path}
		}
		return out
	}
	r.report(f.node, f.path, ErrValue, "must be a list, not %s", kindOf(f.node))
	return nil
}

// texts reads a list of words.
func (r *reader) texts(f field, most int) []string {
	var out []string
	for _, item := range r.list(f, most) {
		if s, ok := r.text(item); ok {
			out = append(out, s)
		}
	}
	return out
}

// word reads one of a few words, with a default.
func (r *reader) word(f field, fallback string, allowed ...string) string {
	s, ok := r.text(f)
	if !ok {
		return fallback
	}
	for _, one := range allowed {
		if s == one {
			return s
		}
	}
	hint := ""
	if near := nearest(s, allowed); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	r.report(f.node, f.path, ErrValue, "%s is none of %s%s", clip(s), strings.Join(allowed, ", "), hint)
	return fallback
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return "nothing"
		}
		return clip(n.Value)
	}
	return "that"
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// nearest is the known word that a mistyped one was likely meant to be: at most
// a third of its letters differ. "" if there is none.
func nearest(word string, known []string) string {
	best, least := "", len(word)/3+1
	if len(word) > 40 {
		return ""
	}
	for _, one := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(one)); d < least || d == least && best == "" && d <= 1 {
			best, least = one, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with the
// neighbour that turns a into b (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
