package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"github.com/zennet/zennet/jobrunner/api"
	"github.com/zennet/zennet/jobrunner/home"
	"github.com/zennet/zennet/jobrunner/journal"
)

// maxResultRows bounds the files that result lists for people.
const maxResultRows = 200

// Files of a report that result shows.
const (
	countersFile = "counters.md"
	summaryFile  = "mapreduce.json"
)

func resultCmd(e env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "result ID", Short: "Say where a job's results are, and list them", Example: "  zennet-job result 3f2a\n  cd $(zennet-job result 3f2a --json | jq -r .outputs)", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return withJob(args[0], func(j *journal.Journal, id string) error {
				s, err := j.Status(id)
				if err != nil {
					return err
				}
				return printResult(e, s, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON: {id, state, outputs, files: [{path, size}]}; of kind mapreduce also {output, report: {counters, phases, …}}")
	return cmd
}

type resultFile struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
}

func printResult(e env, s journal.Status, asJSON bool) error {
	files := []resultFile{}
	err := filepath.WalkDir(s.Outputs, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(s.Outputs, path)
		files = append(files, resultFile{rel, info.Size()})
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if asJSON {
		return json.NewEncoder(e.out).Encode(struct {
			ID      string           `json:"id"`
			State   journal.JobState `json:"state"`
			Outputs string           `json:"outputs"`
			Output  string           `json:"output,omitempty"` // the folder that its tasks delivered into
			Files   []resultFile     `json:"files"`
			Report  json.RawMessage  `json:"report,omitempty"` // mapreduce.json
		}{s.ID, s.State, s.Outputs, made(s), files, summary(s.Outputs)})
	}
	fmt.Fprintln(e.out, s.Outputs)
	for i, f := range files {
		if i == maxResultRows {
			fmt.Fprintf(e.out, "  … %d more\n", len(files)-i)
			break
		}
		fmt.Fprintf(e.out, "  %10d  %s\n", f.Size, f.Path)
	}
	if at := made(s); at != "" {
		fmt.Fprintf(e.out, "\noutput: %s\n", at)
	}
	if table, err := os.ReadFile(filepath.Join(s.Outputs, "report", countersFile)); err == nil {
		fmt.Fprintf(e.out, "\n%s", table)
	}
	if len(files) == 0 {
		e.say("no results yet: the job is %s", s.State)
	}
	return nil
}

// summary is the report of a job of kind mapreduce, nil where there is none.
func summary(outputs string) json.RawMessage {
	text, err := os.ReadFile(filepath.Join(outputs, "report", summaryFile))
	if err != nil || !json.Valid(text) {
		return nil
	}
	return text
}

func logsCmd(e env) *cobra.Command {
	var followLogs bool
	cmd := &cobra.Command{
		Use:   "logs ID [TASK]",
		Short: "Print what a task wrote: its stdout to stdout, its stderr to stderr",
		Long: `Prints what a task wrote: its stdout to stdout, its stderr to stderr. With -f it follows
a running task until it has ended. A job of one task needs no TASK.`,
		Example: "  zennet-job logs 3f2a 17\n  zennet-job logs 3f2a member-0.2 -f",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJob(args[0], func(j *journal.Journal, id string) error {
				s, err := j.Status(id)
				if err != nil {
					return err
				}
				task, err := pickTask(j, id, args[1:])
				if err != nil {
					return err
				}
				return printLogs(cmd.Context(), e, s, task, followLogs)
			})
		},
	}
	cmd.Flags().BoolVarP(&followLogs, "follow", "f", false, "go on until the task has ended")
	return cmd
}

func pickTask(j *journal.Journal, id string, given []string) (string, error) {
	tasks, err := j.Tasks(id)
	if err != nil {
		return "", err
	}
	names := make([]string, len(tasks))
	for i, t := range tasks {
		names[i] = t.Name
	}
	if len(given) == 0 && len(names) == 1 {
		return names[0], nil
	}
	if len(given) == 0 {
		shown := names[:min(len(names), 20)]
		return "", usage("which task? %v%s", shown, map[bool]string{true: " …"}[len(shown) < len(names)])
	}
	for _, name := range names {
		if name == given[0] {
			return name, nil
		}
	}
	return "", usage("job %s has no task %q", id, given[0])
}

// printLogs copies both streams of a task, from its host where one runs, else
// from the results.
func printLogs(ctx context.Context, e env, s journal.Status, task string, followLogs bool) error {
	h, err := home.Default()
	if err != nil {
		return err
	}
	open := func(stderr bool) (io.ReadCloser, error) {
		name := task + ".stdout"
		if stderr {
			name = task + ".stderr"
		}
		f, err := os.Open(filepath.Join(s.Outputs, "logs", name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usage("nothing of task %s is there: the job is %s", task, s.State)
		}
		return f, err
	}
	if c, err := api.Dial(h.Socket()); err == nil {
		open = func(stderr bool) (io.ReadCloser, error) {
			return c.Logs(ctx, api.LogsRequest{Job: s.ID, Task: task, Stderr: stderr, Follow: followLogs})
		}
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, to := range []io.Writer{e.out, e.err} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			from, err := open(i == 1)
			if err != nil {
				errs[i] = err
				return
			}
			defer from.Close()
			_, errs[i] = io.Copy(to, from)
		}()
	}
	wg.Wait()
	if errs[0] != nil {
		return errs[0]
	}
	return errs[1]
}
