package mapreduce

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/provider/mapreduce/process"
)

// Options are what a task finds around it.
type Options struct {
	Dir   string // absolute path of the scratch folder
	Stdin io.Reader
	Log   io.Writer
	Say   io.Writer // gets what the user's program reports as its status, a line at a time; nil: nobody
	Env   []string
}

// Main is the program: args is the kind of task. It returns the exit code.
func Main(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "usage: zennet-worker mapreduce map | reduce | sample")
		return 2
	}
	say := sayTo()
	dir, err := os.Getwd()
	if err == nil {
		err = Run(args[0], Options{Dir: dir, Stdin: os.Stdin, Log: os.Stderr, Say: say, Env: os.Environ()})
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "mapreduce %s: %v\n", args[0], err)
	return Code(err)
}

// Code is the exit code for an error of Run: the user's program's own where that
// failed, else 1.
func Code(err error) int {
	var exit *process.Exit
	if errors.As(err, &exit) {
		return exit.Code()
	}
	return 1
}

// Go's own heap is small beside the region that records are collected in, which is
// outside of it, and is to stay so.
const (
	gcPercent = 50
	leastHeap = 48 << 20 // bytes, beyond which memory is given back to the system at once
)

// Run runs one task.
func Run(kind string, o Options) error {
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	data, err := os.ReadFile(filepath.Join(o.Dir, mapreduce.TaskFile))
	if err != nil {
		return err
	}
	task, err := mapreduce.DecodeTask(data)
	if err != nil {
		return fmt.Errorf("%s: %w", mapreduce.TaskFile, err)
	}
	if task.Kind != kind {
		return fmt.Errorf("%s is of a %s task", mapreduce.TaskFile, task.Kind)
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(max(task.Memory, leastHeap)))
	a, err := newAttempt(task, o)
	if err != nil {
		return err
	}
	switch kind {
	case mapreduce.KindMap:
		err = a.runMap()
	case mapreduce.KindReduce:
		err = a.runReduce()
	default:
		err = a.runSample()
	}
	if err == nil {
		err = a.checkSide()
	}
	if err != nil {
		return err
	}
	return a.writeFacts()
}
