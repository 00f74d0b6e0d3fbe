package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/zennet/zennet/jobrunner/api"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/types"
)

// quietInterval is the least time between two progress lines where there is no
// terminal to redraw.
const quietInterval = 10 * time.Second

// reporter shows a job's way: a bar on a terminal, lines elsewhere, JSON for
// scripts. Only the id (or the JSON) goes to stdout.
type reporter struct {
	env   env
	json  bool
	start time.Time

	mu       sync.Mutex
	pool     *mpb.Progress
	bar      *mpb.Bar
	last     journal.Status
	lastLine time.Time
	shown    int                 // failures already told
	leases   map[types.Hash]bool // already told of

	caption atomic.Pointer[string] // the bar's text; its own lock, for the bar draws from another goroutine
}

func newReporter(e env, asJSON bool) *reporter {
	r := &reporter{env: e, json: asJSON, start: time.Now(), leases: map[types.Hash]bool{}}
	if f, ok := e.err.(*os.File); ok && !asJSON && term.IsTerminal(int(f.Fd())) {
		r.pool = mpb.New(mpb.WithOutput(f), mpb.WithWidth(32), mpb.WithAutoRefresh())
	}
	return r
}

// writer is where lines go: past the bar where there is one.
func (r *reporter) writer() io.Writer {
	if r.pool != nil {
		return r.pool
	}
	return r.env.err
}

func (r *reporter) line(text string) { fmt.Fprintf(r.writer(), "%s\n", text) }

// note tells something that happened, in words.
func (r *reporter) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.json {
		writeEvent(r.env.out, event{Event: "note", Text: text})
		return
	}
	r.line(fmt.Sprintf("%6.1fs  %s", time.Since(r.start).Seconds(), text))
}

func (r *reporter) job(rep api.SubmitReply) {
	if r.json {
		r.mu.Lock()
		writeEvent(r.env.out, event{Event: "job", ID: rep.ID, State: rep.State, Output: rep.Output})
		r.mu.Unlock()
		return
	}
	fmt.Fprintln(r.env.out, rep.ID)
	switch rep.State {
	case "done":
		r.note("this job is done already (--again runs it again)")
		if rep.Output != "" {
			r.note("its output is " + rep.Output)
		}
	case "running":
		r.note("this job runs already: attached to it")
	case "resumed":
		r.note("this job goes on: finished tasks are kept")
	}
	if rep.Replaces != "" {
		r.note("its results replace those of job " + rep.Replaces + " in the same folder (outputs: or --outputs keep both)")
	}
}

func (r *reporter) progress(s journal.Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.last
	r.last = s
	if r.json {
		writeEvent(r.env.out, event{Event: "progress", ID: s.ID, Job: &s})
		return
	}
	for ; r.shown < len(s.Failures); r.shown++ {
		f := s.Failures[r.shown]
		r.line(fmt.Sprintf("%6.1fs  task %s, attempt %d failed (%s): %s", time.Since(r.start).Seconds(), f.Task, f.Attempt, f.Class, f.Message))
	}
	for _, slot := range s.Slots {
		if !r.leases[slot.Lease] {
			r.leases[slot.Lease] = true
			r.line(fmt.Sprintf("%6.1fs  leased a container from %s: contract signed, deposit locked, its worker answers",
				time.Since(r.start).Seconds(), slot.Provider.Short()))
		}
	}
	if r.pool != nil {
		r.draw(s)
		return
	}
	moved := before.Stage != s.Stage || before.State != s.State
	if s.Ended() || !moved && (time.Since(r.lastLine) < quietInterval || same(before, s)) {
		return
	}
	r.lastLine = time.Now()
	r.line(fmt.Sprintf("%6.1fs  %s", time.Since(r.start).Seconds(), describe(s)))
}

func same(a, b journal.Status) bool {
	return a.Tasks == b.Tasks && a.SpentNXEN == b.SpentNXEN && len(a.Slots) == len(b.Slots) && said(a) == said(b)
}

func (r *reporter) draw(s journal.Status) {
	text := " " + describe(s)
	r.caption.Store(&text)
	if r.bar == nil && s.Tasks.Total > 0 {
		r.bar = r.pool.AddBar(int64(s.Tasks.Total), mpb.BarRemoveOnComplete(),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
				return *r.caption.Load()
			})))
	}
	if r.bar != nil {
		r.bar.SetCurrent(int64(s.Tasks.Done))
	}
}

// describe is a job's state in one line.
func describe(s journal.Status) string {
	var b strings.Builder
	stage := s.Stage
	if stage == "" || s.State != journal.JobRunning {
		stage = string(s.State)
	}
	fmt.Fprintf(&b, "%s: %d of %d tasks done", stage, s.Tasks.Done, s.Tasks.Total)
	if s.Tasks.Running > 0 {
		fmt.Fprintf(&b, ", %d running", s.Tasks.Running)
	}
	if s.Tasks.Failed > 0 {
		fmt.Fprintf(&b, ", %d failed", s.Tasks.Failed)
	}
	if n := providers(s); n > 0 {
		fmt.Fprintf(&b, ", %s at %s", count(len(s.Slots), "container"), count(n, "provider"))
	}
	fmt.Fprintf(&b, ", %s of %s spent", money(s.SpentNXEN), s.BudgetNXEN)
	if s.ETASeconds != nil && s.State == journal.JobRunning {
		fmt.Fprintf(&b, ", %s left", seconds(*s.ETASeconds))
	}
	if text := said(s); text != "" && s.State == journal.JobRunning {
		fmt.Fprintf(&b, "; %s", text)
	}
	return b.String()
}

// said is what a running task says of itself, the first one that says something.
func said(s journal.Status) string {
	for _, slot := range s.Slots {
		for _, task := range slot.Tasks {
			if text := slot.Messages[task]; text != "" {
				return task + ": " + oneLine(text, 60)
			}
		}
	}
	return ""
}

func providers(s journal.Status) int {
	seen := map[types.Address]bool{}
	for _, slot := range s.Slots {
		seen[slot.Provider] = true
	}
	return len(seen)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

// money is a sum as a table shows it: six decimals of a XEN, small ones in nXEN.
func money(a types.Amount) string {
	if a < types.XEN/100_000 {
		return fmt.Sprintf("%d nXEN", uint64(a))
	}
	return fmt.Sprintf("%.6f XEN", float64(a)/float64(types.XEN))
}

// end says how the job ended.
func (r *reporter) end(s journal.Status) {
	r.close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.json {
		spent := uint64(s.SpentNXEN)
		writeEvent(r.env.out, event{Event: "end", ID: s.ID, State: string(s.State), Spent: &spent, Out: s.Outputs, Output: made(s), Text: s.Message})
		return
	}
	took := time.Since(s.Since)
	if !s.EndedAt.IsZero() {
		took = s.EndedAt.Sub(s.Since)
	}
	r.line(fmt.Sprintf("%6.1fs  %s: %d of %d tasks, %s spent of %s, took %s", time.Since(r.start).Seconds(),
		s.State, s.Tasks.Done, s.Tasks.Total, money(s.SpentNXEN), s.BudgetNXEN, took.Round(100*time.Millisecond)))
	if s.Message != "" {
		r.line("         " + s.Message)
	}
	if at := made(s); at != "" {
		r.line("         output: " + at)
	}
	if s.Tasks.Done > 0 {
		r.line("         results: " + s.Outputs)
	}
	if s.State == journal.JobFailed {
		r.line("         why: zennet-job explain " + s.ID)
	}
}

// made is the folder that a job's tasks delivered into, once it is there.
func made(s journal.Status) string {
	if s.State != journal.JobDone {
		return ""
	}
	return s.Output
}

// close ends the bar; lines go to stderr from then on.
func (r *reporter) close() {
	r.mu.Lock()
	pool, bar := r.pool, r.bar
	r.pool, r.bar = nil, nil
	r.mu.Unlock()
	if pool == nil {
		return
	}
	if bar != nil {
		bar.Abort(true)
	}
	pool.Shutdown()
}
