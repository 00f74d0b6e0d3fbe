package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/provider/protocol"
)

// straightJob is a press whose job is one task with a large delivered file.
func straightJob(t *testing.T, retry string) (p *press, submit func() journal.Status) {
	p = newPress(t)
	planner := func(spec.Job, fs.FS) (plan.Graph, error) {
		g := p.graph()
		g.Tasks = g.Tasks[1:]
		return g, nil
	}
	p.planner, p.engine.planner = planner, planner
	return p, func() journal.Status {
		return p.wait(p.submit("command: [\"true\"]\noutputs: outputs/\nslots: 1\nretry: {attempts: " + retry + "}\n").ID)
	}
}

// only checks that part-00001 is the whole output, and nothing is left beside it.
func (p *press) only() {
	p.t.Helper()
	if data, err := os.ReadFile(filepath.Join(p.output, "part-00001")); err != nil || string(data) != seq(300_000) {
		p.t.Errorf("%d bytes, %v", len(data), err)
	}
	if all, err := os.ReadDir(p.output); err != nil || len(all) != 2 {
		p.t.Errorf("output %v %v", all, err)
	}
	p.tidy()
}

// TestStraightOverBrokenLink: a file on its way into the staging folder comes whole over
// a link that breaks, and its task is not run again.
func TestStraightOverBrokenLink(t *testing.T) {
	p, submit := straightJob(t, "1")
	var broke atomic.Int64
	p.market.spoil = func(int) func(net.Conn) net.Conn {
		return func(c net.Conn) net.Conn {
			return &spoiled{Conn: c, at: 500_000, then: func([]byte) error {
				if broke.Add(1) > 2 {
					return nil
				}
				return errors.New("link broke")
			}}
		}
	}
	p.want(submit(), journal.JobDone, 1, 0)
	if broke.Load() < 2 || p.ran()["b"] != 1 || p.calls["settle"] != 1 {
		t.Errorf("broke %d times, ran %v, calls %v", broke.Load(), p.ran(), p.calls)
	}
	p.only()
}

// TestStraightFromLiar: a file that is not what was announced by hash never becomes part
// of the output; its task runs again at another provider.
func TestStraightFromLiar(t *testing.T) {
	p, submit := straightJob(t, "1")
	p.market.spoil = func(n int) func(net.Conn) net.Conn {
		if n > 1 {
			return nil
		}
		return func(c net.Conn) net.Conn {
			return &spoiled{Conn: c, at: 1_500_000, then: func(b []byte) error { b[len(b)/2]++; return nil }}
		}
	}
	s := submit()
	p.want(s, journal.JobDone, 1, 0)
	if len(s.Failures) != 1 || s.Failures[0].Class != protocol.ClassProvider || !strings.Contains(s.Failures[0].Message, "hash") {
		t.Errorf("failures %+v", s.Failures)
	}
	leases, err := p.journal.Leases(s.ID, false)
	if err != nil || len(leases) != 2 || leases[0].Verdict != chain.VerdictMismatch || p.calls["settle"] != 1 {
		t.Errorf("leases %+v %v, calls %v", leases, err, p.calls)
	}
	p.only()
}

// TestStraightElsewise: where the output's file system fails while a file is on its way
// there, the file is stored and delivered later; its task is not run again.
func TestStraightElsewise(t *testing.T) {
	p, submit := straightJob(t, "1")
	var once sync.Once
	p.hook = func(call string, after bool) (err error) {
		if call == "put" && !after {
			once.Do(func() { err = errors.New("no data node") })
		}
		return err
	}
	p.want(submit(), journal.JobDone, 1, 0)
	if p.calls["settle"] != 0 || p.ran()["b"] != 1 {
		t.Errorf("calls %v, ran %v", p.calls, p.ran())
	}
	p.only()
}

// TestStraightHangs: an output's file system that does not answer does not keep a job from
// being cancelled.
func TestStraightHangs(t *testing.T) {
	p, _ := straightJob(t, "1")
	p.hang = make(chan string, 100)
	id := p.submit("command: [\"true\"]\noutputs: outputs/\nslots: 1\n").ID
	<-p.hang
	must(t, p.engine.Cancel(p.ctx(), id))
	if s := p.wait(id); s.State != journal.JobCancelled {
		t.Errorf("%s: %s", s.State, s.Message)
	}
	p.tidy()
}

// TestFailedStaysFailed: a job whose output could not be made is not run again by the
// process that goes on after a kill, though what it made went with its staging folder.
func TestFailedStaysFailed(t *testing.T) {
	p, _ := straightJob(t, "1")
	p.hook = func(call string, after bool) error {
		switch {
		case call == "commit":
			return fmt.Errorf("quota: %w", fs.ErrPermission)
		case call == "discard" && after:
			go p.engine.fail(errKilled)
			return errKilled
		}
		return nil
	}
	id := p.submit("command: [\"true\"]\noutputs: outputs/\nslots: 1\n").ID
	if _, err := p.engine.Wait(p.ctx(), id); err == nil {
		t.Fatal("it ended")
	}
	p.hook = nil
	p.restart()
	if s := p.wait(id); s.State != journal.JobFailed || s.Cause != journal.CauseOutput || !strings.Contains(s.Message, "quota") || p.ran()["b"] != 1 {
		t.Errorf("%s %s %q, ran %v", s.State, s.Cause, s.Message, p.ran())
	}
	p.tidy()
}

// TestMadeIsMade: where the output was made and its owner has taken it away, a process
// that goes on with the job's end makes nothing again.
func TestMadeIsMade(t *testing.T) {
	p, _ := straightJob(t, "1")
	var made atomic.Bool
	p.hook = func(call string, after bool) error {
		if call == "commit" && after {
			made.Store(true)
		}
		return nil
	}
	p.close()
	p.options.Before = func(kind string) error {
		if made.Load() && kind != "output" {
			go p.engine.fail(errKilled)
			return errKilled
		}
		return nil
	}
	p.open()
	id := p.submit("command: [\"true\"]\noutputs: outputs/\nslots: 1\n").ID
	<-p.engine.Failed()
	p.only()
	must(t, os.RemoveAll(p.output))
	p.restart()
	p.want(p.wait(id), journal.JobDone, 1, 0)
	if _, err := os.Stat(p.output); err == nil || p.ran()["b"] != 1 {
		t.Errorf("made again: %v, ran %v", err, p.ran())
	}
	p.tidy()
}

// TestStraightOfLosers: what an attempt sent that did not come to its success, because
// publisher and provider died, is not in the output; another one's is.
func TestStraightOfLosers(t *testing.T) {
	p, submit := straightJob(t, "2")
	killed := false
	p.hook = func(call string, after bool) error {
		if call == "put" && after && !killed {
			killed = true
			go p.engine.fail(errKilled)
			return errKilled
		}
		return nil
	}
	job := p.submit("command: [\"true\"]\noutputs: outputs/\nslots: 1\nretry: {attempts: 2}\n")
	if _, err := p.engine.Wait(p.ctx(), job.ID); err == nil {
		t.Fatal("it ended")
	}
	for _, lease := range p.market.live() {
		lease.process.Process.Kill()
		lease.end(errKilled)
	}
	p.restart()
	s := submit()
	p.want(s, journal.JobDone, 1, 0)
	if p.ran()["b"] != 2 {
		t.Errorf("ran %v", p.ran())
	}
	p.only()
}
