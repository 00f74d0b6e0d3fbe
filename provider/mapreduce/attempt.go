package mapreduce

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/provider/mapreduce/process"
	"github.com/zennet/zennet/provider/mapreduce/segment"
)

// attempt is one run of one task.
type attempt struct {
	Options
	task   mapreduce.Task
	config *streaming.Config
	env    []string // of the user's programs
	skip   bool     // bad records may be left out
	facts  *facts
}

// mergeFiles is how many segments are open at once.
const mergeFiles = 256

func newAttempt(task mapreduce.Task, o Options) (*attempt, error) {
	o.Log = &sharedLog{to: o.Log}
	a := &attempt{Options: o, task: task, facts: newFacts()}
	if o.Say != nil {
		a.facts.teller = &teller{to: o.Say, every: sayEvery}
	}
	a.config = &a.task.Config
	a.skip = task.SkipBad > 0 && a.variable(plan.EnvSkip) == "1"
	for _, dir := range []string{mapreduce.WorkDir + "/tmp", mapreduce.OutDir, mapreduce.SideDir, mapreduce.SegmentDir} {
		if err := os.MkdirAll(a.path(dir), 0o755); err != nil {
			return nil, err
		}
	}
	if err := a.prepareWork(); err != nil {
		return nil, err
	}
	a.env = a.environment()
	return a, nil
}

// path is an absolute path of something in the scratch folder.
func (a *attempt) path(name string) string { return filepath.Join(a.Dir, name) }

// variable is one of our own environment.
func (a *attempt) variable(name string) string {
	for _, v := range slices.Backward(a.Env) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// environment is that of the user's programs: our own, and over it what Hadoop sets.
func (a *attempt) environment() []string {
	number, _ := strconv.Atoi(a.variable("ZENNET_ATTEMPT"))
	e := streaming.TaskEnv{
		JobID: a.variable("ZENNET_JOB_ID"), Map: a.task.Kind != mapreduce.KindReduce, Task: a.task.Number, Attempt: max(0, number-1),
		Maps: a.task.Maps, User: a.task.User, Dir: a.path(mapreduce.WorkDir), SideDir: a.path(mapreduce.SideDir),
		Inputs: a.task.Input, Output: a.task.Results, Files: a.task.Files,
	}
	for _, archive := range a.task.Archives {
		e.Archives = append(e.Archives, archive.Folder)
	}
	if len(a.task.Stdin) > 0 {
		in := a.task.Stdin[0]
		e.File, e.Start, e.Length = in.File, in.Start, in.Length
	}
	all := map[string]string{}
	for _, list := range [][]string{a.Env, streaming.Environment(*a.config, e)} {
		for _, v := range list {
			name, value, _ := strings.Cut(v, "=")
			all[name] = value
		}
	}
	out := make([]string, 0, len(all))
	for name, value := range all {
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return out
}

// pipe runs a program of the user's, and returns when feed has.
func (a *attempt) pipe(what string, cmd streaming.Command, feed func(io.Writer) error, line func([]byte) error) error {
	p := a.program(cmd)
	p.Join = true
	return a.run(what, p, feed, line)
}

// program is a program of the user's.
func (a *attempt) program(cmd streaming.Command) process.Program {
	return process.Program{
		Args: cmd.Args, Dir: a.path(mapreduce.WorkDir), Env: a.env, Timeout: a.config.Timeout, AnyExit: !a.config.ExitIsFailure,
		Prefix: a.config.ReporterPrefix, Report: a.facts.report, Log: a.Log,
	}
}

// run runs it.
func (a *attempt) run(what string, p process.Program, feed func(io.Writer) error, line func([]byte) error) error {
	usage, err := p.Run(feed, line)
	a.facts.took(mapreduce.PartUser, usage)
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, clip(strings.Join(p.Args, " ")), err)
	}
	return nil
}

// compare is the order of keys; nil is that of unsigned bytes.
func (a *attempt) compare() segment.Compare {
	if a.config.Comparator.Plain() {
		return nil
	}
	return a.config.Comparator.Compare
}

// clip bounds a text that is quoted in a message.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// sharedLog is the log of several programs at once.
type sharedLog struct {
	mu sync.Mutex
	to io.Writer
}

// Write implements io.Writer.
func (l *sharedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

// closing adds the error of closing to that of what was done.
func closing(err *error, c io.Closer) { *err = errors.Join(*err, c.Close()) }
