package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/jobrunner/api"
	"github.com/zennet/zennet/jobrunner/engine"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
)

func TestExitStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{usage("flag"), 2},
		{api.Problem{Kind: api.ErrSpec, Message: "a.yaml:1: x"}, 2},
		{fmt.Errorf("submit: %w", api.ErrNotFound), 2},
		{fmt.Errorf("%w: budget", engine.ErrNotAffordable), 3},
		{engine.ErrNoOffers, 3},
		{api.ErrNoDaemon, 4},
		{api.ErrBusy, 4},
		{api.Problem{Kind: api.ErrStopped, Message: "job x: stopped"}, 4},
		{context.Canceled, 130},
		{exit{130, nil}, 130},
		{exit{0, nil}, 0},
	} {
		if got := status(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

// TestCommandLines tries every command without a network: help everywhere, and
// wrong usage is exit 2 with a sentence.
func TestCommandLines(t *testing.T) {
	t.Setenv("ZENNET_HOME", t.TempDir())
	dir := t.TempDir()
	good := filepath.Join(dir, "good.yaml")
	if err := os.WriteFile(good, []byte("version: 1\nkind: container\ncommand: [\"true\"]\narray: 0-4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		want int
		text string // in stdout or stderr
	}{
		{"", 0, "Available Commands"},
		{"--help", 0, "zennet-job submit fold.yaml"},
		{"submit --help", 0, "Exit status"},
		{"receipt --help", 0, "zennet-job receipt"},
		{"frobnicate", 2, "frobnicate"},
		{"submit", 2, "accepts 1 arg"},
		{"submit a b", 2, "accepts 1 arg"},
		{"submit --budget", 2, "needs an argument"},
		{"submit " + good + " --budget 3", 2, "budget"},
		{"submit " + dir, 2, "not a regular file"},
		{"submit " + good + " --set slots=none", 2, "--set slots=none"},
		{"status nothing", 2, "no job"},
		{"ls --json", 0, "[]"},
		{"validate " + good, 0, "5 tasks"},
		{"validate " + good + " --set nonsense=1", 2, "nonsense"},
		{"plan " + good, 0, "at most 1 XEN"},
		{"plan " + good + " --json", 0, `"budget_nxen":1000000000`},
	} {
		var out, errs bytes.Buffer
		got := Run(t.Context(), strings.Fields(c.args), strings.NewReader(""), &out, &errs)
		if got != c.want || !strings.Contains(out.String()+errs.String(), c.text) {
			t.Errorf("zennet-job %s: exit %d, want %d with %q:\n%s%s", c.args, got, c.want, c.text, out.String(), errs.String())
		}
	}
	for args, want := range map[string]int{"": 2, "--help": 0, "--devnet --publish": 2, "--publish": 2, "nonsense": 2,
		"address nobody": 2, "address provider": 0, "--provide --ledger http://127.0.0.1:1 --genesis /none": 2,
		"--publish --ledger http://127.0.0.1:1 --genesis /none --interval 500ms": 2} {
		var out, errs bytes.Buffer
		if got := RunDaemon(t.Context(), strings.Fields(args), strings.NewReader(""), &out, &errs); got != want {
			t.Errorf("zennetd %s: exit %d, want %d:\n%s", args, got, want, errs.String())
		}
	}
}

func TestJobFileFromStdin(t *testing.T) {
	t.Setenv("ZENNET_HOME", t.TempDir())
	var out, errs bytes.Buffer
	if got := Run(t.Context(), []string{"validate", "-"}, strings.NewReader("version: 1\nkind: container\ncommand: x\nslots: many\n"), &out, &errs); got != 2 || !strings.Contains(errs.String(), "stdin:4: slots") {
		t.Errorf("exit %d: %s", got, errs.String())
	}
}

func TestMoney(t *testing.T) {
	for a, want := range map[types.Amount]string{0: "0 nXEN", 9_999: "9999 nXEN", 10_000: "0.000010 XEN", 2_500_000_000: "2.500000 XEN"} {
		if got := money(a); got != want {
			t.Errorf("%d: %s, want %s", uint64(a), got, want)
		}
	}
}

func address(t *testing.T, n byte) types.Address {
	t.Helper()
	key, err := types.KeyFromBytes(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key.Address()
}

func TestReceiptTable(t *testing.T) {
	r := journal.Receipt{Job: "00112233", Image: "host", TotalNXEN: 50_001_000, FeesNXEN: 780_000, Leases: []journal.LeaseReceipt{{
		Provider: address(t, 1), Rates: pricing.Rates{pricing.CPUUser: {NXEN: 50_000_000, Per: 3600e9}, pricing.NetRx: {NXEN: 0, Per: 1 << 30}},
		Usage:    pricing.Usage{pricing.CPUUser: 3600e9, pricing.NetRx: 5, pricing.Memory: 3 << 30},
		BillNXEN: 50_000_000, VoucherNXEN: 50_000_000, SettledNXEN: 50_000_000, Tx: strings.Repeat("ab", 32), Height: 77, Verdict: chain.VerdictOK}}}
	var out bytes.Buffer
	if err := printReceipt(&out, r); err != nil {
		t.Fatal(err)
	}
	want := `job 00112233, image host

PROVIDER       CPU TIME  MEMORY     BILL          VOUCHER       SETTLED       HEIGHT  TX            VERDICT
ADDR  1h0m0s    3.0 GiB·s  0.050000 XEN  0.050000 XEN  0.050000 XEN  77      abababababab  ok
total                                                           0.050001 XEN                        

ledger fees: 0.000780 XEN

COUNTER   USED  UNIT      PRICE         COST
cpu_user  1     CPU hour  0.050000 XEN  0.050000 XEN
`
	want = strings.ReplaceAll(want, "ADDR", address(t, 1).Short())
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestDescribe(t *testing.T) {
	eta := 61.2
	s := journal.Status{State: journal.JobRunning, Stage: "simulate", Tasks: journal.TaskCounts{Total: 21, Done: 3, Running: 2, Failed: 1, Waiting: 15},
		SpentNXEN: 1_250_000, BudgetNXEN: 2_500_000_000, ETASeconds: &eta,
		Slots: []journal.Slot{{Provider: address(t, 1)}, {Provider: address(t, 1)}, {Provider: address(t, 2)}}}
	want := "simulate: 3 of 21 tasks done, 2 running, 1 failed, 3 containers at 2 providers, 0.001250 XEN of 2.5 XEN spent, 1m1s left"
	if got := describe(s); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestProgressLines: without a terminal, a line for every change of stage, and
// otherwise one in a while; each lease and each failure once.
func TestProgressLines(t *testing.T) {
	var out, errs bytes.Buffer
	r := newReporter(env{strings.NewReader(""), &out, &errs}, false)
	s := journal.Status{ID: "x", State: journal.JobRunning, Stage: "run", Tasks: journal.TaskCounts{Total: 9}, Slots: []journal.Slot{{Lease: types.Hash{1}, Provider: address(t, 1)}}}
	for i := range 5 {
		s.Tasks.Done = i
		s.Failures = []journal.Failure{{Task: "7", Attempt: 1, Class: "exit", Message: "exit code 3"}}
		r.progress(s)
	}
	s.State, s.EndedAt = journal.JobDone, time.Now()
	r.progress(s)
	r.end(s)
	text := errs.String()
	if strings.Count(text, "leased a container") != 1 || strings.Count(text, "exit code 3") != 1 || strings.Count(text, "run: ") != 1 || strings.Count(text, "done: 4 of 9") != 1 {
		t.Errorf("printed:\n%s", text)
	}
	if out.Len() != 0 {
		t.Errorf("stdout has %q", out.String())
	}
}
