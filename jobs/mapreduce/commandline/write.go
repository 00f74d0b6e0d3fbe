package commandline

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

// resultsName is a name for a results folder beside which nothing is to be quoted.
var resultsName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$`)

// write makes the job file.
func (p *parser) write(conf, env []streaming.Setting) (Job, error) {
	files, err := p.placed(p.files)
	if err != nil {
		return Job{}, err
	}
	archives, err := p.placed(p.archives)
	if err != nil {
		return Job{}, err
	}
	shipped := slices.Concat(files, archives)
	dir := around(p.world.Dir, shipped)
	usesHDFS := slices.ContainsFunc(shipped, shipment.remote)
	place := func(option, name string) (string, error) {
		at, err := p.data(option, name)
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(at, "hdfs:") {
			usesHDFS = true
			return at, nil
		}
		if rest, ok := below(dir, at); ok {
			return rest, nil
		}
		return "file:" + at, nil
	}
	var input []string
	for _, list := range p.input {
		for _, one := range streaming.SplitPaths(list) {
			at, err := place("input", one)
			if err != nil {
				return Job{}, err
			}
			input = append(input, at)
		}
	}
	output, err := place("output", p.output[0])
	if err != nil {
		return Job{}, err
	}
	top := mapping()
	top.add("version", number(1))
	top.add("kind", text("mapreduce"))
	if name := jobNameOf(conf); name != "" {
		top.add("name", text(name))
	}
	top.add("input", list(input))
	top.add("output", text(output))
	// Results (logs, report, receipt) of a folder of their own, so that jobs of one
	// script do not stand in each other's way.
	if name := path.Base(p.output[0]) + ".results"; resultsName.MatchString(name) {
		results, _ := below(dir, path.Join(p.world.Dir, name))
		top.add("outputs", text(results))
	}
	section := mapping()
	section.addText("mapper", p.mapper)
	section.addText("combiner", p.combiner)
	reducers, reducer := p.reducers, p.reducer
	if reducer == "NONE" {
		reducers, reducer = 0, ""
	}
	section.addText("reducer", reducer)
	if reducers >= 0 {
		section.add("reducers", number(reducers))
	}
	section.addText("partitioner", p.partitioner)
	section.addList("files", linked(dir, files))
	section.addList("archives", linked(dir, archives))
	if p.lazy {
		section.add("lazyOutput", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
	}
	section.addSettings("conf", conf)
	section.addSettings("env", env)
	if usesHDFS {
		hdfs := mapping()
		hdfs.addText("user", p.world.User)
		hdfs.addText("conf", p.world.ConfDir)
		section.addMapping("hdfs", hdfs)
	}
	top.addMapping("mapreduce", section)
	var buf bytes.Buffer
	if dir != p.world.Dir {
		fmt.Fprintf(&buf, "# paths are relative to %s\n", strconv.Quote(dir))
	}
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := enc.Encode((*yaml.Node)(top)); err != nil {
		return Job{}, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return Job{YAML: buf.Bytes(), Dir: dir, Background: p.background, Warnings: p.warnings}, nil
}

// linked are files as the job file lists them, each once.
func linked(dir string, files []shipment) []string {
	var out []string
	for _, f := range files {
		name, ok := below(dir, f.path)
		if !ok {
			name = f.path // a URL, or the folder itself, as the job file's reader will say
		}
		if f.link != "" && f.link != path.Base(f.path) {
			name += "#" + f.link
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// object is a YAML mapping in the making.
type object yaml.Node

func mapping() *object { return &object{Kind: yaml.MappingNode, Tag: "!!map"} }

func (o *object) add(key string, value *yaml.Node) { o.Content = append(o.Content, text(key), value) }

func (o *object) addText(key, value string) {
	if value != "" {
		o.add(key, text(value))
	}
}

func (o *object) addList(key string, items []string) {
	if len(items) > 0 {
		o.add(key, list(items))
	}
}

func (o *object) addMapping(key string, value *object) {
	if len(value.Content) > 0 {
		o.add(key, (*yaml.Node)(value))
	}
}

func (o *object) addSettings(key string, settings []streaming.Setting) {
	m := mapping()
	for _, s := range settings {
		m.add(s.Name, text(s.Value))
	}
	o.addMapping(key, m)
}

// text is a string; what would read as something else, or would be folded, is quoted.
func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	if n.Style == yaml.LiteralStyle || strings.ContainsAny(s, "\t\r") || s == "" {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

func number(n int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(n)}
}

func list(items []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, item := range items {
		n.Content = append(n.Content, text(item))
	}
	return n
}
