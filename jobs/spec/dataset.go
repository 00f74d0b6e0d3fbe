package spec

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

var dataURL = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

// dataURLProblem says what is wrong with a URL of input or output, or "".
func dataURLProblem(s string) string {
	scheme, rest, _ := strings.Cut(s, ":")
	switch scheme {
	case "hdfs":
		// hdfs://nameservice/path, or hdfs:/path for the configuration's own.
		authority, name := "", rest
		if after, ok := strings.CutPrefix(rest, "//"); ok {
			var slash bool
			if authority, name, slash = strings.Cut(after, "/"); slash {
				name = "/" + name
			}
		}
		if !strings.HasPrefix(name, "/") || strings.ContainsAny(authority, "@ ?#") {
			return clip(s) + " is no HDFS path (want for example hdfs://namenode:8020/books/*.txt)"
		}
	case "file":
		if after, ok := strings.CutPrefix(rest, "//"); ok {
			rest = after
		}
		if !strings.HasPrefix(rest, "/") {
			return clip(s) + " is no path of this machine (want for example file:/data/books, or a path relative to the job file)"
		}
	default:
		return clip(s) + ": " + clip(scheme) + " is not known; want hdfs:, file:, or a path relative to the job file's folder"
	}
	if path.Clean(rest) == "/" && scheme == "file" {
		return clip(s) + " is the root folder"
	}
	return ""
}

// remoteProblem says what is wrong with the URL of a file or folder that is placed
// under its own name, or "".
func remoteProblem(s string) string {
	problem := dataURLProblem(s)
	if problem == "" && (strings.ContainsAny(s, "\x00\r\n") || strings.HasSuffix(s, "/") || strings.Trim(path.Base(s), ".") == "" || strings.HasSuffix(path.Base(s), ":")) {
		problem = clip(s) + " does not end in a file's or folder's name"
	}
	return problem
}

// dataInputs reads the list of input files, folders and globs. As in Hadoop a
// comma outside braces ends a path.
func (r *reader) dataInputs(f field) []string {
	if !f.given() {
		r.report(nil, "input", ErrKey, "is missing; want for example input: [hdfs://namenode:8020/books/*.txt]")
		return nil
	}
	if f.node.Kind == yaml.SequenceNode && len(f.node.Content) == 0 {
		r.report(f.node, f.path, ErrValue, "is empty; want at least one file, folder or glob")
	}
	var out []string
	for _, item := range r.list(f, MaxInputs) {
		s, ok := r.text(item)
		if !ok {
			continue
		}
		for _, one := range streaming.SplitPaths(s) {
			clean, problem := dataPath(one)
			if problem == "" && clean == one && !dataURL.MatchString(one) && !strings.ContainsAny(one, `*?[]{}`) {
				problem = exists(r.files, clean)
			}
			if problem != "" {
				r.report(item.node, item.path, ErrFile, "%s", problem)
				continue
			}
			if len(out) == MaxInputs {
				r.report(item.node, item.path, ErrValue, "lists more than %d paths", MaxInputs)
				return out
			}
			out = append(out, clean)
		}
	}
	return out
}

// dataPath checks a URL or a relative path; the second result says what is wrong.
func dataPath(s string) (string, string) {
	if strings.ContainsAny(s, "\x00\r\n") {
		return "", clip(s) + " is not one line"
	}
	if dataURL.MatchString(s) {
		return s, dataURLProblem(s)
	}
	if path.IsAbs(s) {
		return "", clip(s) + " is absolute; want hdfs:" + clip(s) + " or file:" + clip(s) + ", or a path relative to the job file's folder"
	}
	return Inside(s)
}

func (r *reader) dataOutput(f field) string {
	if !f.given() {
		r.report(nil, "output", ErrKey, "is missing; want for example output: hdfs://namenode:8020/out")
		return ""
	}
	s, ok := r.text(f)
	if !ok {
		return ""
	}
	clean, problem := dataPath(s)
	if problem != "" {
		r.report(f.node, f.path, ErrFile, "%s", problem)
	}
	return clean
}

// reserved are the names in the results folder that are the runner's.
var reserved = []string{"tasks", "logs", "report", "receipt.json"}

// outside holds that a local output folder lies neither in an input nor around the
// results, nor the other way round, and is none of the results' own folders.
func (r *reader) outside(top map[string]field, job Job) {
	m, f := job.MapReduce, top["output"]
	r.apart(top["input"], m.Input, job.Outputs)
	if m.Output == "" || dataURL.MatchString(m.Output) {
		return
	}
	for _, in := range m.Input {
		if in == m.Output || strings.HasPrefix(m.Output, in+"/") || strings.HasPrefix(in, m.Output+"/") {
			r.report(f.key, f.path, ErrFile, "input %s and output %s lie in one another", clip(in), clip(m.Output))
			return
		}
	}
	if m.Output == job.Outputs || strings.HasPrefix(job.Outputs, m.Output+"/") {
		r.report(f.key, f.path, ErrFile, "%s holds the results folder (outputs: %s); the output must be a folder of its own, such as %s", clip(m.Output),
			clip(job.Outputs), clip(path.Join(job.Outputs, "output")))
		return
	}
	if inner, ok := strings.CutPrefix(m.Output, job.Outputs+"/"); ok {
		if first, _, _ := strings.Cut(inner, "/"); slices.Contains(reserved, first) || strings.HasPrefix(first, ".zennet") {
			r.report(f.key, f.path, ErrFile, "%s is the runner's own folder in the results", clip(job.Outputs+"/"+first))
		}
	}
}
