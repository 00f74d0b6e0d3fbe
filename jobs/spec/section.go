package spec

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// Bounds and defaults of kind mapreduce. What the section does not give is left to
// conf, whose meaning jobs/mapreduce/streaming knows.
const (
	NotGiven           = -1 // MapReduce.Reducers: conf's, else 1
	DefaultMapAttempts = 4  // Hadoop's mapreduce.map.maxattempts
	MaxReducers        = 10_000
	MaxSkip            = 1_000_000
)

// Partitioners of kind mapreduce.
const (
	PartitionerHash     = "hash"
	PartitionerKeyField = "keyfield"
	PartitionerRange    = "range"
)

// archiveTypes are the packed files that a task can unpack.
var archiveTypes = []string{".tar", ".tar.gz", ".tgz", ".zip", ".jar"}

var mapReduceSection = []string{"mapper", "combiner", "reducer", "files", "archives", "reducers", "maps", "split", "partitioner",
	"speculative", "skipBadRecords", "lazyOutput", "conf", "env", "hdfs"}

// mapReduce reads the keys of kind mapreduce. Without a section the job copies
// its input, as Hadoop's does.
func (r *reader) mapReduce(top map[string]field) *MapReduce {
	in := r.fields(top["mapreduce"], mapReduceSection...)
	m := &MapReduce{
		Input:          r.dataInputs(top["input"]),
		Output:         r.dataOutput(top["output"]),
		Mapper:         r.commandLine(in["mapper"]),
		Combiner:       r.commandLine(in["combiner"]),
		Reducer:        r.commandLine(in["reducer"]),
		Reducers:       int(r.integer(in["reducers"], NotGiven, 0, MaxReducers)),
		Maps:           int(r.integer(in["maps"], 0, 1, MaxTasks)),
		Split:          r.size(in["split"], 0, 1, MaxDisk),
		Partitioner:    r.word(in["partitioner"], "", PartitionerHash, PartitionerKeyField, PartitionerRange),
		Speculative:    r.boolean(in["speculative"], true),
		SkipBadRecords: int(r.integer(in["skipBadRecords"], 0, 0, MaxSkip)),
		LazyOutput:     r.boolean(in["lazyOutput"], false),
		Conf:           r.settings(in["conf"]),
		Env:            r.variables(in["env"]),
		HDFS:           r.hdfs(in["hdfs"]),
	}
	links := places{"tmp": "tmp"} // the tasks' TMPDIR
	m.Files = r.linked(in["files"], links, nil)
	m.Archives = r.linked(in["archives"], links, archiveTypes)
	return m
}

// commandLine reads a command, which Hadoop's rules split later; "" = not given.
func (r *reader) commandLine(f field) string {
	s, ok := r.text(f)
	if ok && strings.TrimSpace(s) == "" {
		r.report(f.node, f.path, ErrValue, "is empty; leave it out for none of your own")
	}
	return s
}

func (r *reader) boolean(f field, fallback bool) bool {
	switch r.word(f, "", "true", "false") {
	case "true":
		return true
	case "false":
		return false
	}
	return fallback
}

// settings reads -D properties in the order written.
func (r *reader) settings(f field) []Setting {
	var out []Setting
	for _, one := range r.entries(f) {
		name := one.key.Value
		s, ok := r.text(one)
		switch {
		case name == "" || strings.ContainsAny(name, "= \t\r\n\x00"):
			r.report(one.key, clip(one.path), ErrKey, "is no name of a property")
		case ok:
			out = append(out, Setting{name, s})
		}
	}
	return out
}

// variables reads the environment of the user's programs in the order written.
func (r *reader) variables(f field) []Setting {
	var out []Setting
	for _, one := range r.entries(f) {
		name := one.key.Value
		s, ok := r.text(one)
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00"):
			r.report(one.key, clip(one.path), ErrKey, "is no name of a variable")
		case strings.HasPrefix(name, "ZENNET_"):
			r.report(one.key, clip(one.path), ErrKey, "names that begin with ZENNET_ are the runner's own")
		case ok:
			out = append(out, Setting{name, s})
		}
	}
	return out
}

// confNumber is a number that conf may set under one of several names; the last
// one written counts. What is no number is the planner's to refuse.
func (r *reader) confNumber(conf []Setting, fallback, most int64, names ...string) int64 {
	for _, one := range conf {
		if n, err := strconv.ParseInt(strings.TrimSpace(one.Value), 10, 64); slices.Contains(names, one.Name) && err == nil && n >= 0 && n <= most {
			fallback = n
		}
	}
	return fallback
}

// confAttempts is retry.attempts where the file does not give it.
func (r *reader) confAttempts(conf []Setting) int {
	maps := r.confNumber(conf, DefaultMapAttempts, MaxAttempts, "mapreduce.map.maxattempts", "mapred.map.max.attempts")
	reduces := r.confNumber(conf, DefaultMapAttempts, MaxAttempts, "mapreduce.reduce.maxattempts", "mapred.reduce.max.attempts")
	if maps == DefaultMapAttempts { // one bound serves both: the one that was changed
		maps = reduces
	}
	return int(max(1, maps))
}

func (r *reader) hdfs(f field) HDFS {
	in := r.fields(f, "user", "conf", "principal", "keytab")
	line := func(f field) string {
		s, ok := r.text(f)
		if ok && (s == "" || strings.ContainsAny(s, "\r\n")) {
			r.report(f.node, f.path, ErrValue, "want one line, not empty")
			return ""
		}
		return s
	}
	out := HDFS{User: line(in["user"]), Conf: line(in["conf"]), Principal: line(in["principal"]), Keytab: line(in["keytab"])}
	for _, one := range []struct {
		here, there field
		name        string
	}{{in["principal"], in["keytab"], "keytab"}, {in["keytab"], in["principal"], "principal"}} {
		if one.here.given() && !one.there.given() {
			r.report(one.here.key, one.here.path, ErrKey, "Kerberos needs hdfs.%s too", one.name)
		}
	}
	return out
}

// linked reads files that go into the tasks' working folder, "path" or
// "path#name"; taken are the names there. types are the extensions allowed.
func (r *reader) linked(f field, taken places, types []string) []string {
	var out []string
	for _, item := range r.list(f, MaxInputs) {
		s, ok := r.text(item)
		if !ok {
			continue
		}
		name, link := Linked(s)
		clean, problem := name, ""
		remote := dataURL.MatchString(name)
		if remote {
			problem = remoteProblem(name)
		} else {
			clean, problem = Inside(name)
		}
		if problem == "" && len(types) > 0 && !slices.ContainsFunc(types, func(t string) bool { return strings.HasSuffix(strings.ToLower(clean), t) }) {
			problem = clip(name) + " is no archive (want " + strings.Join(types, ", ") + ")"
		}
		if problem == "" && !remote {
			problem = exists(r.files, clean)
		}
		if problem == "" && (link == "" || link == "." || link == ".." || strings.ContainsAny(link, "/\\\r\n")) {
			problem = clip(link) + " is no name for a file in the working folder"
		}
		if problem == "" {
			problem = taken.overlap(link)
		}
		if problem != "" {
			r.report(item.node, item.path, ErrFile, "%s", problem)
			continue
		}
		if path.Base(clean) == link {
			out = append(out, clean)
		} else {
			out = append(out, clean+"#"+link)
		}
	}
	return out
}

// Linked cuts "path#name" into the path and the name in the tasks' working
// folder, which is by default the path's last element.
func Linked(s string) (name, link string) {
	name, link, named := strings.Cut(s, "#")
	if !named {
		link = path.Base(name)
	}
	return name, link
}
