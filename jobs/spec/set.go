package spec

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

// set applies one --set flag, "dotted.key=YAML value", to the file's tree.
// Mappings on the way are made where they are missing; a value that is there is
// replaced whole. Problems name the flag.
func (r *reader) set(root *yaml.Node, flag string) {
	marker := &yaml.Node{}
	r.flags[marker] = "--set " + clip(flag)
	key, text, ok := strings.Cut(flag, "=")
	if !ok || key == "" {
		r.report(marker, "", ErrSyntax, "want key=value, for example slots=2 or resources.cpu=2")
		return
	}
	value, problem := setValue(text)
	if problem != "" {
		r.report(marker, key, ErrSyntax, "%s", problem)
		return
	}
	r.mark(value, r.flags[marker])
	node, parts := root, setPath(key)
	for i, part := range parts {
		path := strings.Join(parts[:i+1], ".")
		if part == "" || len(parts) > MaxDepth {
			r.report(marker, "", ErrSyntax, "%s is no key", clip(key))
			return
		}
		if node.Kind != yaml.MappingNode {
			r.report(marker, path, ErrKey, "%s is no mapping, so it has no key %s", strings.Join(parts[:i], "."), clip(part))
			return
		}
		at := -1
		for j := 0; j+1 < len(node.Content); j += 2 {
			if node.Content[j].Value == part {
				at = j
			}
		}
		if at < 0 {
			name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: part}
			r.flags[name] = r.flags[marker]
			child := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
			r.flags[child] = r.flags[marker]
			at = len(node.Content)
			node.Content = append(node.Content, name, child)
		}
		if i == len(parts)-1 {
			name := *node.Content[at]
			node.Content[at], node.Content[at+1] = &name, value
			r.flags[&name] = r.flags[marker]
			return
		}
		node = node.Content[at+1]
	}
}

// setPath cuts a dotted key. Hadoop's property names hold dots themselves, and so
// may names of variables.
func setPath(key string) []string {
	for _, free := range []string{"mapreduce.conf.", "mapreduce.env."} {
		if name, ok := strings.CutPrefix(key, free); ok && name != "" {
			return append(strings.Split(strings.TrimSuffix(free, "."), "."), name)
		}
	}
	return strings.Split(key, ".")
}

// setValue reads a flag's value as YAML; an empty one is the empty string.
func setValue(text string) (*yaml.Node, string) {
	if strings.TrimSpace(text) == "" {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}, ""
	}
	if len(text) > MaxFile || deep([]byte(text)) {
		return nil, "the value is too long or nested too deeply"
	}
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	if err := decoder.Decode(&doc); err != nil {
		return nil, "the value is not YAML: " + strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: ")
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) || len(doc.Content) != 1 {
		return nil, "the value is not one YAML value"
	}
	return doc.Content[0], ""
}

func (r *reader) mark(n *yaml.Node, flag string) {
	r.flags[n] = flag
	for _, child := range n.Content {
		r.mark(child, flag)
	}
}
