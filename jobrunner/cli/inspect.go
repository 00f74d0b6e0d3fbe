package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/zennet/zennet/jobrunner/api"
	"github.com/zennet/zennet/jobrunner/home"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// resolve finds the one job whose id begins with prefix, or that has it as its
// name.
func resolve(j *journal.Journal, prefix string) (string, error) {
	rows, err := j.List()
	if err != nil {
		return "", err
	}
	var found []string
	for _, r := range rows {
		if r.ID == prefix {
			return r.ID, nil
		}
		if strings.HasPrefix(r.ID, prefix) || r.Name == prefix {
			found = append(found, r.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", usage("no job %q (see zennet-job ls)", prefix)
	}
	return "", usage("%q could be %s", prefix, strings.Join(found, " or "))
}

// withJob opens the journal and finds a job in it.
func withJob(prefix string, fn func(j *journal.Journal, id string) error) error {
	j, err := readJournal()
	if err != nil {
		return err
	}
	defer j.Close()
	id, err := resolve(j, prefix)
	if err != nil {
		return err
	}
	return fn(j, id)
}

func lsCmd(e env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "ls", Short: "List jobs, the latest first", Example: "  zennet-job ls\n  zennet-job ls --json", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			rows := []journal.Row{}
			if j, err := readJournal(); err == nil {
				defer j.Close()
				if rows, err = j.List(); err != nil {
					return err
				}
			} else if !asJSON {
				return err
			}
			if asJSON {
				return json.NewEncoder(e.out).Encode(rows)
			}
			w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tNAME\tKIND\tSTATE\tTASKS\tSPENT\tSUBMITTED")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d/%d\t%s\t%s\n", r.ID, r.Name, r.Kind, r.State, r.Tasks.Done, r.Tasks.Total,
					money(r.SpentNXEN), r.Submitted.Local().Format(time.DateTime))
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func statusCmd(e env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status ID", Short: "Show how a job stands", Example: "  zennet-job status 3f2a\n  zennet-job status 3f2a --json", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJob(args[0], func(j *journal.Journal, id string) error {
				s, err := j.Status(id)
				if err != nil {
					return err
				}
				if !s.Ended() {
					s = live(cmd.Context(), s)
				}
				if asJSON {
					return json.NewEncoder(e.out).Encode(s)
				}
				return printStatus(e.out, s)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// liveWait is how long the host of a running job is waited for.
const liveWait = 2 * time.Second

// live is how a job stands as its host has it, which knows more than the journal: what
// its tasks say. Where no host answers, it is what the journal says.
func live(ctx context.Context, s journal.Status) journal.Status {
	c, err := dialHome()
	if err != nil {
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, liveWait)
	defer cancel()
	_ = c.Watch(ctx, s.ID, func(next journal.Status) {
		if ctx.Err() == nil {
			s = next
		}
		cancel()
	})
	return s
}

func printStatus(out io.Writer, s journal.Status) error {
	fmt.Fprintf(out, "%s  %s (%s)\n%s\n", s.ID, s.Name, s.Kind, describe(s))
	if s.Message != "" {
		fmt.Fprintln(out, s.Message)
	}
	if s.Output != "" {
		fmt.Fprintf(out, "output: %s\n", s.Output)
	}
	fmt.Fprintf(out, "results: %s\n", s.Outputs)
	if len(s.Slots) > 0 {
		fmt.Fprintln(out)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "LEASE\tPROVIDER\tSTATE\tBILL\tPAID\tRUNNING")
		for _, slot := range s.Slots {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", slot.Lease.Short(), slot.Provider.Short(), slot.State,
				money(slot.BillNXEN), money(slot.PaidNXEN), strings.Join(slot.Tasks, " "))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		printMessages(out, s)
	}
	return printFailures(out, s.Failures)
}

// printMessages prints what running tasks say of themselves.
func printMessages(out io.Writer, s journal.Status) {
	any := false
	for _, slot := range s.Slots {
		for _, task := range slot.Tasks {
			if text := slot.Messages[task]; text != "" {
				if !any {
					fmt.Fprintln(out)
				}
				any = true
				fmt.Fprintf(out, "%s: %s\n", task, text)
			}
		}
	}
}

func printFailures(out io.Writer, failures []journal.Failure) error {
	if len(failures) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TASK\tATTEMPT\tPROVIDER\tCLASS\tFIRST CAUSE")
	for _, f := range failures {
		provider := f.Provider
		if len(provider) > 13 {
			provider = provider[:8] + "…" + provider[len(provider)-4:]
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", f.Task, f.Attempt, provider, f.Class, oneLine(f.Message, 100))
	}
	return w.Flush()
}

func oneLine(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func watchCmd(e env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "watch ID", Short: "Follow a running job until it has ended", Example: "  zennet-job watch 3f2a", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJob(args[0], func(j *journal.Journal, id string) error {
				out := newReporter(e, asJSON)
				defer out.close()
				s, err := j.Status(id)
				if err != nil {
					return err
				}
				if !s.Ended() {
					c, err := dialHome()
					if err != nil {
						return err
					}
					if err := c.Watch(cmd.Context(), id, func(next journal.Status) { s = next; out.progress(next) }); err != nil {
						return err
					}
				}
				out.end(s)
				return exit{s.Exit(), nil}
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func dialHome() (*api.Client, error) {
	h, err := home.Default()
	if err != nil {
		return nil, err
	}
	c, err := api.Dial(h.Socket())
	if err != nil {
		return nil, exit{exitNoDaemon, fmt.Errorf("%w: nothing runs now; submit the job again to go on with it", err)}
	}
	return c, nil
}

func cancelCmd(e env) *cobra.Command {
	return &cobra.Command{
		Use: "cancel ID", Short: "End a job: leases are settled, finished results stay", Example: "  zennet-job cancel 3f2a", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJob(args[0], func(j *journal.Journal, id string) error {
				s, err := j.Status(id)
				if err != nil {
					return err
				}
				if s.Ended() {
					e.say("job %s has ended already: %s", id, s.State)
					return nil
				}
				// Where the job's host died, its leases are open still: host a network to settle them.
				note := func(text string) { e.say("%s", text) }
				return withHost(cmd.Context(), hostOptions{env: e, progress: note}, func(ctx context.Context, c *api.Client) error {
					if err := c.Cancel(ctx, id); err != nil {
						return err
					}
					err := c.Watch(ctx, id, func(next journal.Status) { s = next })
					if err != nil {
						return err
					}
					e.say("job %s: %s, %s spent", id, s.State, money(s.SpentNXEN))
					return nil
				})
			})
		},
	}
}

func explainCmd(e env) *cobra.Command {
	return &cobra.Command{
		Use: "explain ID [TASK]", Short: "Say why attempts failed, first causes first", Example: "  zennet-job explain 3f2a\n  zennet-job explain 3f2a member-0.2",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			return withJob(args[0], func(j *journal.Journal, id string) error {
				s, err := j.Status(id)
				if err != nil {
					return err
				}
				fmt.Fprintf(e.out, "%s: %s\n", id, describe(s))
				if s.Message != "" {
					fmt.Fprintln(e.out, s.Message)
				}
				told := 0
				for _, f := range s.Failures {
					if len(args) == 2 && f.Task != args[1] {
						continue
					}
					told++
					fmt.Fprintf(e.out, "\ntask %s, attempt %d, at %s: %s\n  %s\n", f.Task, f.Attempt, f.Provider, f.Class, f.Message)
					if advice := advice[f.Class]; advice != "" {
						fmt.Fprintf(e.out, "  %s\n", advice)
					}
				}
				if told == 0 {
					fmt.Fprintln(e.out, "no attempt failed")
				}
				return nil
			})
		},
	}
}

// advice is what to do next, by class of failure.
var advice = map[string]string{
	protocol.ClassExit:     "Its own exit code: look at zennet-job logs. Codes in retry.never are not tried again.",
	protocol.ClassCollect:  "It ended well but left nothing that a collect pattern matches: compare the pattern with what it writes.",
	protocol.ClassTimeout:  "Raise timeout, or give it more cpu.",
	protocol.ClassMemory:   "Raise resources.memory.",
	protocol.ClassPids:     "It started too many processes or threads at once.",
	protocol.ClassDisk:     "Raise resources.disk: inputs, outputs and logs all count.",
	protocol.ClassStage:    "Its inputs could not be placed or read: do they fit resources.disk, are they still what they were when the job was submitted?",
	protocol.ClassStart:    "Its program is not there: does the image hold it? With image host it must be installed at the provider.",
	protocol.ClassProvider: "The provider was lost; the task ran elsewhere. This does not count as an attempt.",
}

func receiptCmd(e env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "receipt ID", Short: "Show what was paid to whom for which usage, as the ledger has it", Example: "  zennet-job receipt 3f2a\n  zennet-job receipt 3f2a --json", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return withJob(args[0], func(j *journal.Journal, id string) error {
				r, err := j.Receipt(id)
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(e.out).Encode(r)
				}
				return printReceipt(e.out, r)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printReceipt(out io.Writer, r journal.Receipt) error {
	fmt.Fprintf(out, "job %s, image %s\n\n", r.Job, r.Image)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROVIDER\tCPU TIME\tMEMORY\tBILL\tVOUCHER\tSETTLED\tHEIGHT\tTX\tVERDICT")
	for _, l := range r.Leases {
		tx := l.Tx
		if len(tx) > 12 {
			tx = tx[:12]
		}
		fmt.Fprintf(w, "%s\t%s\t%.1f GiB·s\t%s\t%s\t%s\t%d\t%s\t%s\n", l.Provider.Short(),
			time.Duration(l.Usage[pricing.CPUUser]+l.Usage[pricing.CPUSystem]).Round(10*time.Millisecond),
			float64(l.Usage[pricing.Memory])/(1<<30), money(l.BillNXEN), money(l.VoucherNXEN), money(l.SettledNXEN), l.Height, tx, l.Verdict)
	}
	fmt.Fprintf(w, "total\t\t\t\t\t%s\t\t\t\n", money(r.TotalNXEN))
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nledger fees: %s\n", money(r.FeesNXEN))
	printRates(out, r)
	return nil
}

// printRates adds up, over all leases, what was used of each counter and what
// that cost.
func printRates(out io.Writer, r journal.Receipt) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nCOUNTER\tUSED\tUNIT\tPRICE\tCOST")
	for _, c := range pricing.Counters {
		unit := pricing.Units[c]
		var used, cost types.Amount
		prices := map[types.Amount]bool{}
		for _, l := range r.Leases {
			rate, priced := l.Rates[c]
			if !priced || rate.NXEN == 0 || l.Usage[c] == 0 {
				continue
			}
			one, err := pricing.Rates{c: rate}.Bill(pricing.Usage{c: l.Usage[c]})
			if err != nil {
				continue
			}
			used, cost = used+types.Amount(l.Usage[c]), cost+one
			prices[priceOf(rate, unit)] = true
		}
		if used == 0 {
			continue
		}
		price := "differs"
		for p := range prices {
			if len(prices) == 1 {
				price = money(p)
			}
		}
		fmt.Fprintf(w, "%s\t%.4g\t%s\t%s\t%s\n", c, float64(used)/float64(unit.Per), unit.Name, price, money(cost))
	}
	w.Flush()
}

// priceOf is a rate in the unit that people know.
func priceOf(r pricing.Rate, u pricing.Unit) types.Amount {
	price, err := types.Amount(r.NXEN).MulDiv(u.Per, r.Per)
	if err != nil {
		return 0
	}
	return price
}
