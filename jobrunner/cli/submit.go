package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/zennet/zennet/jobrunner/api"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/spec"
)

// jobFile is a job file as the user named it.
type jobFile struct {
	name string // for messages
	text []byte
	dir  string // absolute folder that its paths are relative to
}

// maxJobFile bounds what is read of a job file before the parser sees it; one
// byte more than the parser takes, so that it can say so.
const maxJobFile = 1<<20 + 1

func readJobFile(e env, arg string) (jobFile, error) {
	if arg == "-" {
		text, err := io.ReadAll(io.LimitReader(e.in, maxJobFile))
		if err != nil {
			return jobFile{}, usage("stdin: %v", err)
		}
		dir, err := os.Getwd()
		return jobFile{"stdin", text, dir}, err
	}
	f, err := os.Open(arg)
	if err != nil {
		return jobFile{}, usage("%v", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return jobFile{}, usage("%s: not a regular file", arg)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxJobFile))
	if err != nil {
		return jobFile{}, usage("%v", err)
	}
	path, err := filepath.Abs(arg)
	return jobFile{filepath.Base(arg), text, filepath.Dir(path)}, err
}

func (f jobFile) parse(sets []string) (spec.Job, error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return spec.Job{}, usage("%v", err)
	}
	defer root.Close()
	job, err := spec.Parse(f.name, f.text, root.FS(), sets)
	if err != nil {
		return job, exit{exitUsage, err}
	}
	return job, nil
}

type submitFlags struct {
	json, detach, again bool
	budget, outputs     string
	sets                []string
}

func submitCmd(e env) *cobra.Command {
	var f submitFlags
	cmd := &cobra.Command{
		Use:   "submit FILE",
		Short: "Run a job and wait for its end",
		Long: `Runs the job of a job file ("-" reads it from stdin) and shows its progress until it
has ended. The job's id is the first line of stdout.

The same job submitted twice is one job: where it runs, this attaches to it; where it
was interrupted or failed, it goes on with what is missing; where it is done, it says
so. Ctrl-C cancels it, settles its leases and leaves nothing running; a second Ctrl-C
leaves at once, and the next start cleans up.

Exit status: 0 done, 1 failed, 2 file or flags wrong (nothing spent), 3 not affordable
or nobody offers it, 4 no daemon or ledger, or its disk is full (the job goes on when it
is submitted again), 130 cancelled.`,
		Example: `  zennet-job submit fold.yaml
  zennet-job submit fold.yaml --budget "2 XEN" --outputs /data/run7
  zennet-job submit array.yaml --set slots=8 --set array=0-199 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return submit(cmd.Context(), e, args[0], f) },
	}
	f.define(cmd.Flags())
	cmd.Flags().StringArrayVar(&f.sets, "set", nil, "override a key of the file: dotted.key=value (repeatable)")
	return cmd
}

// define adds the flags that every way to submit has, but for --set.
func (f *submitFlags) define(flags *pflag.FlagSet) {
	flags.BoolVar(&f.json, "json", false, "print one JSON object a line: job, progress…, end")
	flags.BoolVar(&f.detach, "detach", false, "return once the daemon has the job")
	flags.BoolVar(&f.again, "again", false, "run everything again, finished tasks too")
	flags.StringVar(&f.budget, "budget", "", `never spend more than this, such as "2.5 XEN"`)
	flags.StringVar(&f.outputs, "outputs", "", "folder of the results, relative to where you are")
}

func submit(ctx context.Context, e env, arg string, f submitFlags) error {
	file, err := readJobFile(e, arg)
	if err != nil {
		return err
	}
	return submitFile(ctx, e, file, f)
}

func submitFile(ctx context.Context, e env, file jobFile, f submitFlags) error {
	sets := f.sets
	if f.budget != "" {
		sets = append(sets, "budget="+f.budget)
	}
	// All that can be refused is refused before a network is started for it.
	if _, _, _, err := planFile(ctx, file, sets); err != nil {
		return err
	}
	req := api.SubmitRequest{Name: file.name, Text: file.text, Dir: file.dir, Set: sets, Again: f.again}
	if f.outputs != "" {
		var err error
		if req.Outputs, err = filepath.Abs(f.outputs); err != nil {
			return usage("--outputs: %v", err)
		}
	}
	out := newReporter(e, f.json)
	defer out.close()
	return withHost(ctx, hostOptions{env: e, progress: out.note, mustRun: f.detach}, func(ctx context.Context, c *api.Client) error {
		rep, err := c.Submit(ctx, req)
		if err != nil {
			return err
		}
		out.job(rep)
		if f.detach {
			return nil
		}
		return follow(ctx, e, c, rep.ID, out)
	})
}

// follow shows a job until it has ended. An interrupt cancels the job; the
// second one ends this process at once.
func follow(ctx context.Context, e env, c *api.Client, id string, out *reporter) error {
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupts)
	watched := make(chan struct{})
	handled := make(chan struct{})
	go func() {
		defer close(handled)
		select {
		case <-watched:
			return
		case <-interrupts:
		}
		out.note("cancelling: leases are being settled (interrupt again to leave at once)")
		go func() {
			<-interrupts
			e.say("left: the next start settles what is open")
			os.Exit(exitCancelled)
		}()
		if err := c.Cancel(ctx, id); err != nil {
			out.note("cancel: " + err.Error())
		}
	}()
	var last journal.Status
	err := c.Watch(ctx, id, func(s journal.Status) {
		last = s
		out.progress(s)
	})
	close(watched)
	<-handled
	if err != nil {
		return err
	}
	out.end(last)
	return exit{last.Exit(), nil}
}

// event is one line of --json.
type event struct {
	Event string  `json:"event"` // job, note, progress, end
	ID    string  `json:"id,omitempty"`
	State string  `json:"state,omitempty"`
	Text  string  `json:"text,omitempty"`
	Spent *uint64 `json:"spent_nxen,omitempty"`
	Out   string  `json:"outputs,omitempty"`
	// Output is the folder that the job's tasks deliver into; in end it is there.
	Output string          `json:"output,omitempty"`
	Job    *journal.Status `json:"status,omitempty"`
}

func writeEvent(w io.Writer, ev event) {
	data, err := json.Marshal(ev)
	if err != nil {
		return
	}
	fmt.Fprintf(w, "%s\n", data)
}
