package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

var day = time.Unix(1_800_000_000, 5)

func open(t testing.TB) *Journal {
	t.Helper()
	j, err := Open(filepath.Join(t.TempDir(), "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t testing.TB, err error, kind ErrorKind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
}

func hash(n byte) types.Hash { return types.Hash{n, 1} }

func job(id string, tasks int) (Job, []Task) {
	b := Job{ID: id, Name: "name", Kind: "container", Image: "host", State: JobRunning, File: "a.yaml", Source: []byte("text"),
		Spec: []byte(`{}`), Dir: "/d", Outputs: "/d/out", Budget: 5000, Run: 1, Tasks: tasks, Submitted: day, Since: day}
	var rows []Task
	for i := range tasks {
		rows = append(rows, Task{Number: i, Key: hash(byte(i + 10)), Name: fmt.Sprint("t", i), Stage: "run", State: TaskWaiting})
	}
	return b, rows
}

func lease(id string, n byte) Lease {
	c := protocol.Contract{Nonce: [16]byte{n}, Provider: types.Address{n}, Terms: protocol.Terms{IntervalSeconds: 2,
		Rates: pricing.Rates{pricing.CPUUser: {NXEN: 3, Per: 2}}}}
	return Lease{ID: c.ID(), Job: id, Provider: c.Provider, Contract: c, State: LeaseActive, Channel: hash(n), OpenTx: []byte{1}, Record: []byte{2},
		Deposit: 1000, Fees: 7, Programs: map[string]string{"gmx": "2022.5"}, Opened: day.Add(time.Second)}
}

func paid(seq, counter uint64) (*protocol.UsageReport, *protocol.Paid) {
	usage := pricing.Usage{pricing.CPUUser: counter}
	bill := types.Amount(counter * 3 / 2)
	return &protocol.UsageReport{Seq: seq, Usage: usage, Bill: bill},
		&protocol.Paid{Voucher: channel.Voucher{Seq: seq, Amount: bill, UsageHash: protocol.AgreedHash(usage)}, Agreed: usage}
}

func end(id string, task, attempt int, class string, state TaskState) End {
	return End{Attempt: Attempt{Job: id, Task: task, Attempt: attempt, Run: 1, Lease: hash(1), Provider: types.Address{3}, Started: day,
		Ended: day.Add(time.Minute), Class: class, Message: "why", Code: 1, Wall: time.Second, Usage: pricing.Usage{pricing.CPUUser: 4}}, State: state}
}

func TestJobs(t *testing.T) {
	j := open(t)
	b, rows := job("a", 3)
	b.Programs, b.Deadline = map[string]string{"gmx": "1"}, day.Add(time.Hour)
	must(t, j.StartJob(b, rows))
	got, err := j.Job("a")
	must(t, err)
	if d := cmp.Diff(b, got); d != "" {
		t.Error(d)
	}
	tasks, err := j.Tasks("a")
	must(t, err)
	if d := cmp.Diff(rows, tasks); d != "" {
		t.Error(d)
	}
	b.State, b.Message = JobDone, strings.Repeat("é", maxText)
	must(t, j.SaveJob(b))
	if got, _ = j.Job("a"); got.State != JobDone || len(got.Message) > maxText || !strings.HasPrefix(b.Message, got.Message) {
		t.Errorf("state %s, message of %d bytes", got.State, len(got.Message))
	}
	_, err = j.Job("b")
	wants(t, err, ErrNotFound)
	live, err := j.Jobs(true)
	must(t, err)
	if len(live) != 0 {
		t.Errorf("live: %v", live)
	}
}

func TestTasks(t *testing.T) {
	j := open(t)
	b, rows := job("a", 4)
	must(t, j.StartJob(b, rows))
	must(t, j.StartAttempt(Attempt{Job: "a", Task: 0, Attempt: 1, Run: 1, Lease: hash(1), Started: day}))
	must(t, j.StartAttempt(Attempt{Job: "a", Task: 1, Attempt: 1, Run: 1, Lease: hash(1), Started: day}))
	good := end("a", 0, 1, "", TaskDone)
	good.Tree = hash(9)
	failed := end("a", 1, 1, protocol.ClassExit, TaskWaiting)
	failed.Checkpoint = hash(8)
	unstarted := end("a", 2, 1, "", TaskDone)
	for _, err := range j.EndAttempts([]End{good, failed, unstarted}) {
		must(t, err)
	}
	for name, e := range map[string]End{
		"the same end again":               good,
		"another success of a done task":   end("a", 0, 2, "", TaskDone),
		"a success of a task not known":    end("a", 7, 1, "", TaskDone),
		"an ended attempt that now failed": end("a", 2, 1, protocol.ClassExit, TaskFailed),
	} {
		t.Run(name, func(t *testing.T) {
			// Alone, and among others that are good.
			wants(t, j.EndAttempts([]End{e})[0], ErrOrder)
			fine := end("a", 3, j.next(t, 3), protocol.ClassTimeout, TaskWaiting)
			errs := j.EndAttempts([]End{e, fine})
			wants(t, errs[0], ErrOrder)
			must(t, errs[1])
		})
	}
	final := end("a", 3, 50, protocol.ClassExit, TaskFailed)
	must(t, j.EndAttempts([]End{final})[0])
	tasks, err := j.Tasks("a")
	must(t, err)
	if tasks[0].State != TaskDone || tasks[0].Tree != hash(9) || tasks[1].State != TaskWaiting || tasks[1].Checkpoint != hash(8) ||
		tasks[2].State != TaskDone || tasks[3].State != TaskFailed {
		t.Errorf("tasks %+v", tasks)
	}
	found, err := j.FinishedTasks([]types.Hash{rows[0].Key, rows[1].Key})
	must(t, err)
	if d := cmp.Diff(map[types.Hash]Finished{rows[0].Key: {Job: "a", Outputs: "/d/out", Name: "t0", Tree: hash(9)}}, found); d != "" {
		t.Error(d)
	}
	failures, err := j.Failures("a")
	must(t, err)
	if len(failures) != 6 || failures[0].Task != "t1" || failures[0].Message != "why" {
		t.Errorf("failures %+v", failures)
	}
	last, err := j.LastAttempts("a")
	must(t, err)
	if last[3] != 50 || last[0] != 1 {
		t.Errorf("last attempts %v", last)
	}
	must(t, j.Check())
}

// next is the number of a task's next attempt.
func (j *Journal) next(t *testing.T, task int) int {
	last, err := j.LastAttempts("a")
	must(t, err)
	return last[task] + 1
}

func TestManySuccessesWithOneBad(t *testing.T) {
	j := open(t)
	b, rows := job("a", 150)
	must(t, j.StartJob(b, rows))
	must(t, j.EndAttempts([]End{end("a", 70, 1, "", TaskDone)})[0])
	var ends []End
	for i := range 150 {
		ends = append(ends, end("a", i, 1, "", TaskDone))
	}
	for i, err := range j.EndAttempts(ends) {
		if i == 70 {
			wants(t, err, ErrOrder)
		} else {
			must(t, err)
		}
	}
	must(t, j.Check())
	s, err := j.Status("a")
	must(t, err)
	if s.Tasks != (TaskCounts{Total: 150, Done: 150}) {
		t.Errorf("%+v", s.Tasks)
	}
}

func TestLeases(t *testing.T) {
	j := open(t)
	b, rows := job("a", 1)
	must(t, j.StartJob(b, rows))
	l := lease("a", 1)
	must(t, j.SaveLease(l))
	r1, p1 := paid(1, 10)
	must(t, j.SavePayment(l.ID, r1, p1))
	r2, p2 := paid(2, 20)
	must(t, j.SavePayment(l.ID, r2, nil))
	must(t, j.SavePayment(l.ID, nil, p2))
	must(t, j.SavePayment(l.ID, r2, p2)) // the same again changes nothing
	must(t, j.SaveLease(l))              // and leaves payments as they are
	l.LastUsage, l.LastPaid = r2, p2
	got, err := j.Lease(l.ID)
	must(t, err)
	if d := cmp.Diff(l, got); d != "" {
		t.Error(d)
	}
	over, overPaid := paid(3, 2000)
	for name, c := range map[string]struct {
		id   types.Hash
		r    *protocol.UsageReport
		p    *protocol.Paid
		kind ErrorKind
	}{
		"older report":           {l.ID, r1, nil, ErrOrder},
		"smaller voucher":        {l.ID, nil, p1, ErrOrder},
		"voucher beyond deposit": {l.ID, over, overPaid, ErrOrder},
		"unknown lease":          {hash(99), r2, p2, ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) { wants(t, j.SavePayment(c.id, c.r, c.p), c.kind) })
	}
	if got, _ := j.Lease(l.ID); got.LastUsage.Seq != 2 {
		t.Error("a refused payment left its report")
	}
	for seq := uint64(3); seq < 200; seq++ {
		r, p := paid(seq, 20+seq)
		must(t, j.SavePayment(l.ID, r, p))
	}
	reports, payments, err := j.Payments(l.ID)
	must(t, err)
	if len(reports) != keptPayments || len(payments) != keptPayments || reports[len(reports)-1].Seq != 199 {
		t.Errorf("%d reports, %d payments kept", len(reports), len(payments))
	}
	must(t, j.Check())
	must(t, j.SaveLease(lease("", 2)))
	l.State, l.Claim = LeaseSettled, 300
	must(t, j.SaveLease(l))
	if live, _ := j.Leases("", true); len(live) != 1 || live[0].Job != "" {
		t.Errorf("live leases %v", live)
	}
	if all, _ := j.Leases("a", false); len(all) != 1 {
		t.Errorf("leases of the job %v", all)
	}
}

// TestCheck: one contradiction a case, each found.
func TestCheck(t *testing.T) {
	base := func(t *testing.T) (*Journal, Job, Lease) {
		j := open(t)
		b, rows := job("a", 2)
		must(t, j.StartJob(b, rows))
		l := lease("a", 1)
		must(t, j.SaveLease(l))
		r, p := paid(1, 10)
		must(t, j.SavePayment(l.ID, r, p))
		must(t, j.EndAttempts([]End{end("a", 0, 1, "", TaskDone)})[0])
		must(t, j.Check())
		return j, b, l
	}
	for name, c := range map[string]struct {
		words  string
		mutate func(t *testing.T, j *Journal, b Job, l Lease)
	}{
		"a success twice": {"succeeded twice", func(t *testing.T, j *Journal, b Job, l Lease) {
			must(t, j.EndAttempts([]End{end("a", 0, 2, "", TaskWaiting)})[0])
		}},
		"done by nobody": {"without an attempt", func(t *testing.T, j *Journal, b Job, l Lease) {
			must(t, j.SaveTasks("a", []Task{{Number: 1, Name: "x", State: TaskDone}}))
		}},
		"an attempt outlives its job": {"did not", func(t *testing.T, j *Journal, b Job, l Lease) {
			must(t, j.StartAttempt(Attempt{Job: "a", Task: 1, Attempt: 1, Started: day}))
			b.State = JobFailed
			must(t, j.SaveJob(b))
		}},
		"done with a task missing": {"task t1 is not", func(t *testing.T, j *Journal, b Job, l Lease) {
			b.State = JobDone
			must(t, j.SaveJob(b))
		}},
		"over budget": {"its budget is 5", func(t *testing.T, j *Journal, b Job, l Lease) {
			b.Budget = 5
			must(t, j.SaveJob(b))
		}},
		"claim above voucher": {"exceeds the voucher", func(t *testing.T, j *Journal, b Job, l Lease) {
			l.Claim, l.State = 16, LeaseSettled
			must(t, j.SaveLease(l))
		}},
		"paid above deposit": {"of a deposit", func(t *testing.T, j *Journal, b Job, l Lease) {
			l.Deposit = 3
			must(t, j.SaveLease(l))
		}},
		"voucher above bill": {"exceeds the agreed bill", func(t *testing.T, j *Journal, b Job, l Lease) {
			r, p := paid(2, 20)
			p.Voucher.Amount++
			must(t, j.SavePayment(l.ID, r, p))
		}},
		"voucher for other counters": {"other counters", func(t *testing.T, j *Journal, b Job, l Lease) {
			r, p := paid(2, 20)
			p.Agreed = pricing.Usage{pricing.CPUUser: 21}
			must(t, j.SavePayment(l.ID, r, p))
		}},
		"another contract": {"another hash", func(t *testing.T, j *Journal, b Job, l Lease) {
			l.Contract.Nonce[3] = 9
			must(t, j.SaveLease(l))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			j, b, l := base(t)
			c.mutate(t, j, b, l)
			err := j.Check()
			if !errors.Is(err, ErrInvariant) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestReadOnlyBesideWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?%#", "j.db")
	_, err := OpenReadOnly(path)
	wants(t, err, ErrNotFound)
	path = filepath.Join(t.TempDir(), "a b?%#.db")
	j, err := Open(path)
	must(t, err)
	r, err := OpenReadOnly(path)
	must(t, err)
	defer r.Close()
	for i := range 5 {
		b, rows := job(fmt.Sprint("j", i), 1)
		must(t, j.StartJob(b, rows))
		list, err := r.List()
		must(t, err)
		if len(list) != i+1 {
			t.Fatalf("reader sees %d jobs of %d", len(list), i+1)
		}
	}
	wants(t, r.SaveJob(Job{ID: "x"}), ErrReadOnly)
	must(t, j.Close())
	wants(t, j.SaveJob(Job{ID: "x"}), ErrClosed)
	if list, err := r.List(); err != nil || len(list) != 5 {
		t.Errorf("after the host left: %d %v", len(list), err)
	}
}

func TestNewerFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.db")
	j, err := Open(path)
	must(t, err)
	must(t, j.do("x", true, func(tx *txn) error { return tx.exec("PRAGMA user_version = 99") }))
	must(t, j.Close())
	_, err = Open(path)
	wants(t, err, ErrVersion)
	_, err = OpenReadOnly(path)
	wants(t, err, ErrVersion)
}

// TestCrash: what a durable call stored is there although the journal was never
// closed, and after a failed write nothing more is taken.
func TestCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.db")
	var n int
	j, err := OpenWith(path, Options{Before: func(string) error {
		if n++; n > 3 {
			return errors.New("killed")
		}
		return nil
	}})
	must(t, err)
	b, rows := job("a", 3)
	must(t, j.StartJob(b, rows))
	must(t, j.EndAttempts([]End{end("a", 0, 1, "", TaskDone)})[0])
	must(t, j.EndAttempts([]End{end("a", 1, 1, "", TaskDone)})[0])
	wants(t, j.EndAttempts([]End{end("a", 2, 1, "", TaskDone)})[0], ErrFailed)
	wants(t, j.StartAttempt(Attempt{Job: "a"}), ErrFailed)
	again, err := Open(path)
	must(t, err)
	defer again.Close()
	s, err := again.Status("a")
	must(t, err)
	if s.Tasks.Done != 2 {
		t.Errorf("%+v", s.Tasks)
	}
	wants(t, j.Close(), ErrFailed)
}

// TestFullDisk: once SQLite says that the disk is full, the journal takes nothing
// more, also when there is room again: what was refused may have been the base of
// what comes.
func TestFullDisk(t *testing.T) {
	j := open(t)
	b, rows := job("a", 1)
	must(t, j.StartJob(b, rows))
	l := lease("a", 1)
	must(t, j.SaveLease(l))
	limit := func(pages int) {
		_, err := j.conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		must(t, err)
	}
	limit(1) // as many as there are
	b.Source = make([]byte, 1<<20)
	select {
	case <-j.Failed():
		t.Fatal("failed before the disk was full")
	default:
	}
	wants(t, j.SaveJob(b), ErrFailed)
	<-j.Failed()
	wants(t, j.Err(), ErrFailed)
	limit(1 << 20)
	r, p := paid(1, 11)
	wants(t, j.SavePayment(l.ID, r, p), ErrFailed)
	wants(t, j.Close(), ErrFailed)
}

// TestOwnFault: a write that contradicts what is stored is refused, and the journal
// goes on.
func TestOwnFault(t *testing.T) {
	j := open(t)
	wants(t, j.SavePayment(hash(1), &protocol.UsageReport{}, nil), ErrNotFound)
	b, rows := job("a", 1)
	must(t, j.StartJob(b, rows))
	must(t, j.Err())
}

// TestManyWriters: concurrent durable calls all land, whoever shares a
// transaction, and a bad one among them fails alone.
func TestManyWriters(t *testing.T) {
	j := open(t)
	b, rows := job("a", 400)
	must(t, j.StartJob(b, rows))
	var wait sync.WaitGroup
	for i := range 400 {
		wait.Go(func() {
			for try := 1; try <= 2; try++ {
				err := j.EndAttempts([]End{end("a", i, 1, "", TaskDone)})[0]
				if (try == 1) != (err == nil) {
					t.Errorf("task %d, try %d: %v", i, try, err)
				}
			}
		})
	}
	wait.Wait()
	must(t, j.Check())
}

func TestReceiptAndStatus(t *testing.T) {
	j := open(t)
	b, rows := job("a", 2)
	must(t, j.StartJob(b, rows))
	old := lease("a", 3)
	old.Opened = day.Add(-time.Hour) // of an earlier run
	must(t, j.SaveLease(old))
	l := lease("a", 1)
	must(t, j.SaveLease(l))
	r, p := paid(1, 11)
	must(t, j.SavePayment(l.ID, r, p))
	must(t, j.StartAttempt(Attempt{Job: "a", Task: 1, Attempt: 1, Run: 1, Lease: l.ID, Provider: l.Provider, Started: day}))
	must(t, j.Sync())
	s, err := j.Status("a")
	must(t, err)
	if s.Tasks != (TaskCounts{Total: 2, Waiting: 1, Running: 1}) || s.SpentNXEN != 16 || s.FeesNXEN != 7 || len(s.Slots) != 2 ||
		s.Slots[1].Tasks[0] != "t1" || s.ETASeconds != nil || s.Exit() != 0 {
		t.Errorf("%+v", s)
	}
	l.State, l.Claim, l.CloseTx, l.CloseHeight, l.Verdict = LeaseSettled, 16, hash(7), 12, chain.VerdictOK
	must(t, j.SaveLease(l))
	got, err := j.Receipt("a")
	must(t, err)
	want := Receipt{Job: "a", Image: "host", TotalNXEN: 16, FeesNXEN: 7, Leases: []LeaseReceipt{{Provider: l.Provider, Contract: l.ID, Channel: l.Channel,
		DepositNXEN: 1000, Rates: l.Contract.Terms.Rates, Usage: pricing.Usage{pricing.CPUUser: 11}, BillNXEN: 16, VoucherNXEN: 16, SettledNXEN: 16,
		Tx: hash(7).String(), Height: 12, Verdict: chain.VerdictOK}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	_, err = j.Receipt("b")
	wants(t, err, ErrNotFound)

	// Fees of other transactions count, those of an earlier run do not.
	for _, f := range []Fee{{Tx: hash(20), Amount: 900}, {Tx: hash(20), Amount: 100}, {Tx: hash(21), Amount: 11}, {Tx: hash(22), Amount: 4000, At: day.Add(-time.Hour)}} {
		if f.Job, f.What = "a", "announcement"; f.At.IsZero() {
			f.At = day
		}
		must(t, j.SaveFee(f))
	}
	s, err = j.Status("a")
	must(t, err)
	got, err = j.Receipt("a")
	must(t, err)
	if s.SpentNXEN != 16 || s.FeesNXEN != 7+111 || got.FeesNXEN != s.FeesNXEN {
		t.Errorf("spent %d, fees %d, receipt's %d", s.SpentNXEN, s.FeesNXEN, got.FeesNXEN)
	}
	must(t, j.Check())
	must(t, j.SaveFee(Fee{Tx: hash(23), Job: "a", Amount: b.Budget, At: day}))
	wants(t, j.Check(), ErrInvariant)
}

// TestUnreceipted lists settled leases until their receipts are over.
func TestUnreceipted(t *testing.T) {
	j := open(t)
	b, rows := job("a", 1)
	must(t, j.StartJob(b, rows))
	for n, want := range []int{0, 1, 0} {
		l := lease("a", 1)
		if n > 0 {
			l.State, l.ReceiptOver = LeaseSettled, n > 1
		}
		must(t, j.SaveLease(l))
		due, err := j.Unreceipted()
		must(t, err)
		if len(due) != want || want == 1 && due[0].ID != l.ID {
			t.Errorf("step %d: %d due", n, len(due))
		}
	}
}

func TestExit(t *testing.T) {
	for _, c := range []struct {
		state JobState
		cause Cause
		exit  int
	}{{JobDone, "", 0}, {JobRunning, "", 0}, {JobFailed, CauseTask, 1}, {JobFailed, CauseDeadline, 1}, {JobFailed, CauseInternal, 1},
		{JobFailed, CauseInvalid, 2}, {JobFailed, CauseUnaffordable, 3}, {JobFailed, CauseNoOffers, 3}, {JobCancelled, CauseCancelled, 130}} {
		if got := (Status{State: c.state, Cause: c.cause}).Exit(); got != c.exit {
			t.Errorf("%s %s: exit %d, want %d", c.state, c.cause, got, c.exit)
		}
	}
}

// BenchmarkEnds is task records a second: ends of attempts in batches, as the
// engine's committer writes them.
func BenchmarkEnds(b *testing.B) {
	for _, batch := range []int{1, 16, 256} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			j := open(b)
			rec, rows := job("a", b.N*batch)
			must(b, j.StartJob(rec, rows))
			b.ResetTimer()
			for i := range b.N {
				ends := make([]End, batch)
				for k := range ends {
					ends[k] = end("a", i*batch+k, 1, "", TaskDone)
				}
				for _, err := range j.EndAttempts(ends) {
					must(b, err)
				}
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "tasks/s")
		})
	}
}
