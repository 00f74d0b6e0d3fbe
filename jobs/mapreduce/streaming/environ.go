package streaming

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// TaskEnv is what is known of the task whose processes get an environment.
type TaskEnv struct {
	JobID   string // Zennet's; Hadoop's form follows from it
	Map     bool   // a map (its combiner too), or a reduce
	Task    int    // number among the maps or the reduces, from 0
	Attempt int    // from 0, as in Hadoop
	Maps    int    // of the whole job
	User    string // who submitted the job
	Dir     string // absolute path of the working folder, which holds tmp
	SideDir string // absolute path of the folder of side files

	Inputs   []string // as the job names them
	Output   string
	Files    []string // link names of the files in the working folder
	Archives []string

	// Of a map: its input file, and the bytes of its split.
	File          string
	Start, Length int64
}

// Environment is what a mapper, combiner or reducer finds in its environment,
// NAME=value, beside what every program needs (PATH…): the job's properties with
// everything that is no letter or digit as _, what Hadoop tells of the task under new
// and old names, Config.Env, PWD and TMPDIR. Sorted; every name once.
func Environment(c Config, t TaskEnv) []string {
	properties := map[string]string{}
	for _, s := range c.Conf {
		properties[NewName(s.Name)] = s.Value
	}
	for _, s := range taskProperties(c, t) {
		properties[s.Name] = s.Value
	}
	maps.DeleteFunc(properties, func(_, value string) bool { return value == "" })
	lookup := func(name string) (string, bool) {
		v, ok := properties[NewName(name)]
		return v, ok
	}
	env := map[string]string{}
	for name, value := range properties {
		env[safeName(name)] = truncate(Expand(value, lookup), c.Truncate)
	}
	for _, s := range c.Env {
		env[s.Name] = s.Value
	}
	env["TMPDIR"] = t.Dir + "/tmp"
	env["PWD"] = t.Dir
	out := make([]string, 0, len(env))
	for name, value := range env {
		if name != "" && !strings.ContainsAny(name, "=\x00") && !strings.ContainsRune(value, 0) {
			out = append(out, name+"="+value)
		}
	}
	slices.Sort(out)
	return out
}

// taskProperties are the properties that Hadoop sets for a task, and their old names.
func taskProperties(c Config, t TaskEnv) []Setting {
	job := HadoopID(t.JobID)
	letter := "r"
	if t.Map {
		letter = "m"
	}
	task := fmt.Sprintf("%s_%s_%06d", job, letter, t.Task)
	attempt := fmt.Sprintf("%s_%d", task, t.Attempt)
	number := strconv.Itoa(t.Task)
	isMap := strconv.FormatBool(t.Map)
	name := c.Name
	if name == "" {
		name = "streamjob" + strings.TrimPrefix(job, "job_") + ".jar"
	}
	list := []Setting{
		{"mapreduce.job.id", "job_" + job}, {"mapred.job.id", "job_" + job},
		{"mapreduce.task.id", "task_" + task}, {"mapred.tip.id", "task_" + task},
		{"mapreduce.task.attempt.id", "attempt_" + attempt}, {"mapred.task.id", "attempt_" + attempt},
		{"mapreduce.task.partition", number}, {"mapred.task.partition", number},
		{"mapreduce.task.ismap", isMap}, {"mapred.task.is.map", isMap},
		{"mapreduce.task.output.dir", t.SideDir}, {"mapred.work.output.dir", t.SideDir},
		{"mapreduce.job.local.dir", t.Dir}, {"job.local.dir", t.Dir},
		{"mapreduce.cluster.local.dir", t.Dir}, {"mapred.local.dir", t.Dir},
		{"mapreduce.job.working.dir", t.Dir},
		{"mapreduce.job.name", name},
		{"mapreduce.job.maps", strconv.Itoa(t.Maps)},
		{"mapreduce.job.reduces", strconv.Itoa(c.Reducers)},
		{"mapreduce.job.user.name", t.User},
		{"mapreduce.task.timeout", strconv.FormatInt(c.Timeout.Milliseconds(), 10)},
		{"mapreduce.input.fileinputformat.inputdir", strings.Join(t.Inputs, ",")},
		{"mapreduce.output.fileoutputformat.outputdir", t.Output},
	}
	if len(t.Files) > 0 {
		local := make([]string, len(t.Files))
		for i, f := range t.Files {
			local[i] = t.Dir + "/" + f
		}
		list = append(list, Setting{"mapreduce.job.cache.files", strings.Join(t.Files, ",")},
			Setting{"mapreduce.job.cache.local.files", strings.Join(local, ",")}, Setting{"mapred.cache.localFiles", strings.Join(local, ",")})
	}
	if len(t.Archives) > 0 {
		local := make([]string, len(t.Archives))
		for i, f := range t.Archives {
			local[i] = t.Dir + "/" + f
		}
		list = append(list, Setting{"mapreduce.job.cache.archives", strings.Join(t.Archives, ",")},
			Setting{"mapreduce.job.cache.local.archives", strings.Join(local, ",")}, Setting{"mapred.cache.localArchives", strings.Join(local, ",")})
	}
	if t.Map {
		start, length := strconv.FormatInt(t.Start, 10), strconv.FormatInt(t.Length, 10)
		list = append(list,
			Setting{"mapreduce.map.input.file", t.File}, Setting{"map.input.file", t.File},
			Setting{"mapreduce.map.input.start", start}, Setting{"map.input.start", start},
			Setting{"mapreduce.map.input.length", length}, Setting{"map.input.length", length})
	}
	return append(list, streamProperties(c)...)
}

// streamProperties are stream.* properties that Hadoop sets itself.
func streamProperties(c Config) []Setting {
	var env strings.Builder
	env.WriteString("HADOOP_ROOT_LOGGER=")
	for _, s := range c.Env {
		env.WriteString(" " + s.Name + "=" + s.Value)
	}
	return []Setting{
		{"stream.addenvironment", env.String()},
	}
}

// HadoopID is the number part of the job's id in Hadoop's form, 1795326759307_0001;
// the same job has always the same.
func HadoopID(job string) string {
	sum := sha256.Sum256([]byte(job))
	when := 1_000_000_000_000 + binary.BigEndian.Uint64(sum[:8])%9_000_000_000_000
	return fmt.Sprintf("%d_%04d", when, 1+binary.BigEndian.Uint16(sum[8:10])%9999)
}

// safeName is a property's name as a variable: all but ASCII letters and digits
// becomes _, one for every UTF-16 unit.
func safeName(name string) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case '0' <= r && r <= '9', 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z':
			b.WriteRune(r)
		case r > 0xFFFF:
			b.WriteString("__")
		default:
			b.WriteByte('_')
		}
	}
	return b.String()
}

// truncate cuts a value to limit UTF-16 units; a negative limit is none.
func truncate(value string, limit int) string {
	if limit < 0 || len(value) <= limit {
		return value
	}
	units := utf16.Encode([]rune(value))
	if len(units) <= limit {
		return value
	}
	cut := string(utf16.Decode(units[:limit]))
	if limit > 0 && utf16.IsSurrogate(rune(units[limit-1])) && units[limit-1] < 0xDC00 {
		cut = strings.TrimSuffix(cut, replacement) + "?" // half a pair, as Java writes it
	}
	return cut
}
