package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/zennet/zennet/jobrunner/api"
	"github.com/zennet/zennet/jobrunner/engine"
	"github.com/zennet/zennet/jobrunner/home"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/ledger/keyfile"
)

// Exit statuses of the commands (DESIGN.md, "What scripts rely on").
const (
	exitDone      = 0
	exitFailed    = 1
	exitUsage     = 2 // file or flags wrong, nothing spent
	exitNoOffer   = 3 // not affordable, or nobody offers it
	exitNoDaemon  = 4 // no daemon or ledger
	exitCancelled = 130
)

// exit carries a status past cobra. A nil err prints nothing.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// env is where a command reads and writes.
type env struct {
	in       io.Reader
	out, err io.Writer
}

func (e env) say(format string, args ...any) { fmt.Fprintf(e.err, format+"\n", args...) }

// Run executes zennet-job with its arguments and returns its exit status.
func Run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	return execute(ctx, newJob(env{in, out, errw}), args, errw)
}

// RunDaemon executes zennetd with its arguments and returns its exit status.
func RunDaemon(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	return execute(ctx, newDaemon(env{in, out, errw}), args, errw)
}

func execute(ctx context.Context, cmd *cobra.Command, args []string, errw io.Writer) int {
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	code := status(err)
	if text := message(err); text != "" {
		fmt.Fprintln(errw, text)
	}
	return code
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// status maps an error to an exit status. What cobra itself refuses is a wrong
// command line.
func status(err error) int {
	var e exit
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &e):
		return e.code
	case errors.Is(err, context.Canceled):
		return exitCancelled
	case errors.Is(err, api.ErrNoDaemon), errors.Is(err, api.ErrBusy), errors.Is(err, api.ErrStopped):
		return exitNoDaemon
	case errors.Is(err, engine.ErrNotAffordable), errors.Is(err, engine.ErrNoOffers):
		return exitNoOffer
	case errors.Is(err, api.ErrSpec), errors.Is(err, api.ErrNotFound), errors.Is(err, journal.ErrNotFound),
		errors.Is(err, spec.ErrSyntax), errors.Is(err, spec.ErrKey), errors.Is(err, spec.ErrValue),
		errors.Is(err, keyfile.ErrKeyFile), errors.Is(err, spec.ErrFile), errors.Is(err, spec.ErrNotBuilt), errors.Is(err, errUsage):
		return exitUsage
	}
	return exitFailed
}

var errUsage = errors.New("wrong usage")

func usage(format string, args ...any) error { return exit{exitUsage, fmt.Errorf(format, args...)} }

func newJob(e env) *cobra.Command {
	root := &cobra.Command{
		Use:   "zennet-job",
		Short: "Run jobs on machines leased from strangers, and pay for what they measurably used",
		Long: `zennet-job runs batch jobs (gromacs simulations, arrays of any command) in containers
leased on an open market, pays each provider every few seconds for measured use, and
settles on a ledger.

It uses the daemon of ZENNET_HOME (zennetd) where one runs; otherwise submit starts a
whole small network inside its own process: a ledger and three providers on loopback.`,
		Example: `  zennet-job submit fold.yaml
  zennet-job submit fold.yaml --set gromacs.length=60ps --budget "2 XEN" --json
  zennet-job status 3f2a --json
  zennet-job receipt 3f2a`,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetIn(e.in)
	root.SetOut(e.out)
	root.SetErr(e.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%s: %v (see %s --help)", cmd.Name(), err, cmd.CommandPath())
	})
	root.AddCommand(submitCmd(e), streamingCmd(e), validateCmd(e), planCmd(e), lsCmd(e), statusCmd(e), watchCmd(e),
		logsCmd(e), cancelCmd(e), resultCmd(e), receiptCmd(e), explainCmd(e))
	for _, c := range root.Commands() {
		args := c.Args
		c.Args = func(cmd *cobra.Command, given []string) error {
			if err := args(cmd, given); err != nil {
				return usage("%s: %v (see %s --help)", cmd.Name(), err, cmd.CommandPath())
			}
			return nil
		}
	}
	root.Args = func(cmd *cobra.Command, given []string) error {
		if len(given) > 0 {
			return usage("unknown command %q (see zennet-job --help)", given[0])
		}
		return nil
	}
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return root
}

// openHome is the user's state folder, made if missing.
func openHome() (home.Home, error) {
	h, err := home.Default()
	if err != nil {
		return h, exit{exitFailed, err}
	}
	if err := h.Make(); err != nil {
		return h, exit{exitFailed, err}
	}
	return h, nil
}

// readJournal opens the journal of the home for reading. A home without one has
// no job.
func readJournal() (*journal.Journal, error) {
	h, err := openHome()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(h.Journal()); errors.Is(err, os.ErrNotExist) {
		return nil, usage("no job was ever submitted in %s", h.Dir)
	}
	return journal.OpenReadOnly(h.Journal())
}
