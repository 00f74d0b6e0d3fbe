package spec

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Parse reads the job file's text. name is what messages call it ("fold.yaml");
// files is the folder it stands in, through which inputs are looked for; sets are
// the values of --set flags, "dotted.key=YAML value", applied in order over the
// file. The error is Problems.
func Parse(name string, data []byte, files fs.FS, sets []string) (Job, error) {
	r := &reader{file: name, files: files, lines: map[string]string{}, flags: map[*yaml.Node]string{}}
	root := r.load(data)
	if root == nil {
		return Job{}, r.err()
	}
	for _, set := range sets {
		r.set(root, set)
	}
	r.plain(root, 0)
	if err := r.err(); err != nil {
		return Job{}, err
	}
	job := r.job(root)
	if err := r.err(); err != nil {
		return Job{}, err
	}
	return job, nil
}

// load reads the text as one YAML mapping, or reports why not and returns nil.
func (r *reader) load(data []byte) *yaml.Node {
	whole := func(format string, args ...any) *yaml.Node {
		r.report(nil, "", ErrSyntax, format, args...)
		return nil
	}
	if len(data) > MaxFile {
		return whole("is %d bytes long; a job file has at most %d", len(data), MaxFile)
	}
	if deep(data) {
		return whole("is nested too deeply; a job file needs at most %d levels", MaxDepth)
	}
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return whole("is empty; it must begin with version: 1")
		}
		r.syntax(err)
		return nil
	}
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case err == nil:
		r.report(&second, "", ErrSyntax, "a second document begins here; a job file is one")
		return nil
	case !errors.Is(err, io.EOF):
		r.syntax(err)
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return whole("is no mapping of keys to values; it must begin with version: 1")
	}
	return doc.Content[0]
}

// deep reports whether flow collections nest so deeply that the YAML library's
// recursion would be at stake; block nesting is bounded by its indentation. Text
// in quotes counts too, which only makes the bound a little stricter.
func deep(data []byte) bool {
	depth := 0
	for _, c := range data {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		case '\n':
			continue
		}
		if depth > 1000 {
			return true
		}
	}
	return false
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// syntax reports the YAML library's error at the line that it names.
func (r *reader) syntax(err error) {
	where, line, text := r.file+":1", 1, err.Error()
	if m := yamlLine.FindStringSubmatch(strings.ReplaceAll(text, "\n", " ")); m != nil {
		text = m[2]
		if m[1] != "" {
			line, _ = strconv.Atoi(m[1])
			where = r.file + ":" + m[1]
		}
	}
	r.problems = append(r.problems, placed{line: line,
		Problem: Problem{Where: where, Kind: ErrSyntax, Text: "is not YAML: " + text}})
}

// plain refuses what job files do without: anchors, aliases and merge keys
// (whose expansion could be huge), explicit tags, and deep nesting.
func (r *reader) plain(n *yaml.Node, depth int) {
	if depth > MaxDepth {
		r.report(n, "", ErrSyntax, "is nested more than %d levels deep", MaxDepth)
		return
	}
	switch {
	case n.Kind == yaml.AliasNode:
		if n.Line == r.aliased {
			return // one a line is enough: a bomb has hundreds
		}
		r.aliased = n.Line
		r.report(n, "", ErrSyntax, "alias *%s: write the value out; job files have no anchors and aliases", clip(n.Value))
		return
	case n.Anchor != "":
		r.report(n, "", ErrSyntax, "anchor &%s: write the value out; job files have no anchors and aliases", clip(n.Anchor))
	case n.Style&yaml.TaggedStyle != 0:
		r.report(n, "", ErrSyntax, "tag %s: job files have no explicit tags", clip(n.Tag))
	}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && child.Kind == yaml.ScalarNode && child.Tag == "!!merge" {
			r.report(child, "", ErrSyntax, "merge key <<: write the values out; job files have no merge keys")
			continue
		}
		r.plain(child, depth+1)
	}
}

func at(lines map[string]string, file, key string) string {
	for key != "" {
		if where, ok := lines[key]; ok {
			return where
		}
		key = key[:max(0, strings.LastIndexByte(key, '.'))]
	}
	return file
}

// clip bounds a text that is quoted in a message.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
