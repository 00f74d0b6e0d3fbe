package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/pricing"
)

// patience bounds every wait of these tests, life what runs beside one of them.
const (
	patience = 3 * time.Minute
	life     = 30 * time.Minute
)

var bin string // folder of the built programs

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Geteuid() != 0 {
		fmt.Println("e2e: skipped: containers need root")
		if os.Getenv("CI") != "" {
			return 1
		}
		return 0
	}
	dir, err := os.MkdirTemp("", "zennet-e2e-bin-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755)
	bin = dir
	for _, build := range []struct {
		cgo      string
		packages []string
	}{
		{os.Getenv("CGO_ENABLED"), []string{"../cmd/zennet-job", "../cmd/zennetd", "../../ledger/cmd/xencoind"}},
		{"0", []string{"../../provider/cmd/zennet-worker"}}, // static: it runs in any root
	} {
		cmd := exec.Command("go", append([]string{"build", "-o", dir + "/"}, build.packages...)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+build.cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Printf("build: %v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

// site is a user's place: a state folder and a folder with job files.
type site struct {
	t    *testing.T
	home string
	dir  string
	died bool // its publisher was killed while leases lived
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, home: filepath.Join(t.TempDir(), "home"), dir: filepath.Join(t.TempDir(), "jobs")}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			if log, err := os.ReadFile(filepath.Join(s.home, "zennet.log")); err == nil {
				t.Logf("zennet.log:\n%s", tail(log, 6000))
			}
		}
	})
	return s
}

func tail(b []byte, n int) []byte {
	if len(b) > n {
		return b[len(b)-n:]
	}
	return b
}

func (s *site) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *site) read(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

func (s *site) command(program string, args ...string) *exec.Cmd {
	return s.bounded(patience, program, args...)
}

func (s *site) bounded(most time.Duration, program string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	s.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(bin, program), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "ZENNET_HOME="+s.home)
	return cmd
}

// job runs zennet-job to its end and wants the exit status.
func (s *site) job(want int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	cmd := s.command("zennet-job", args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		s.t.Fatalf("zennet-job %s: exit %d, want %d\nstdout:\n%s\nstderr:\n%s", strings.Join(args, " "), got, want, tail(out.Bytes(), 4000), tail(errs.Bytes(), 8000))
	}
	return out.String(), errs.String()
}

func (s *site) status(id string) journal.Status {
	s.t.Helper()
	out, _ := s.job(0, "status", id, "--json")
	var st journal.Status
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		s.t.Fatal(err)
	}
	return st
}

// eventually polls what no program announces.
func (s *site) eventually(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("never: %s", what)
		}
	}
}

// receipt reads a job's receipt and holds every lease to PROTOCOL.md 2.6 and
// 3.5: the settled sum is the last voucher's, and that is the bill of the agreed
// usage, computed again. A publisher that dies after it has signed a voucher, and comes
// back when its provider waits no longer, leaves that one with the voucher before.
func (s *site) receipt(id string) journal.Receipt {
	s.t.Helper()
	out, _ := s.job(0, "receipt", id, "--json")
	var r journal.Receipt
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		s.t.Fatal(err)
	}
	var total, cpu uint64
	for _, l := range r.Leases {
		bill, err := l.Rates.Bill(l.Usage)
		if err != nil {
			s.t.Fatal(err)
		}
		if bill != l.BillNXEN || l.BillNXEN != l.VoucherNXEN || l.VoucherNXEN != l.SettledNXEN && !(s.died && l.SettledNXEN < l.VoucherNXEN) {
			s.t.Errorf("lease %s: computed bill %d, bill %d, voucher %d, settled %d", l.Contract.Short(), bill, l.BillNXEN, l.VoucherNXEN, l.SettledNXEN)
		}
		if l.Tx == "" || l.Height == 0 || l.Verdict == "" {
			s.t.Errorf("lease %s is not settled: %+v", l.Contract.Short(), l)
		}
		cpu += l.Usage[pricing.CPUUser] + l.Usage[pricing.CPUSystem]
		total += uint64(l.SettledNXEN)
	}
	if cpu == 0 {
		s.t.Error("no lease used any CPU time")
	}
	if total != uint64(r.TotalNXEN) || len(r.Leases) == 0 {
		s.t.Errorf("%d leases settle %d nXEN, total %d", len(r.Leases), total, r.TotalNXEN)
	}
	return r
}

// process is a program that runs beside the test.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}

	mu    sync.Mutex
	lines []string
	more  chan struct{}
}

// start begins a program and collects what it prints, both streams.
func (s *site) start(program string, args ...string) *process {
	s.t.Helper()
	p := &process{t: s.t, cmd: s.bounded(life, program, args...), done: make(chan struct{}), more: make(chan struct{})}
	r, w := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.mu.Lock()
			p.lines = append(p.lines, lines.Text())
			close(p.more)
			p.more = make(chan struct{})
			p.mu.Unlock()
		}
	}()
	go func() {
		p.cmd.Wait()
		w.Close()
		close(p.done)
	}()
	s.t.Cleanup(func() {
		p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(30 * time.Second):
			p.cmd.Process.Kill()
			<-p.done
		}
	})
	return p
}

// await waits for a line that holds text and returns it.
func (p *process) await(text string) string {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		p.mu.Lock()
		more := p.more
		for _, line := range p.lines {
			if strings.Contains(line, text) {
				p.mu.Unlock()
				return line
			}
		}
		p.mu.Unlock()
		select {
		case <-more:
		case <-p.done:
			p.t.Fatalf("%s ended (%v) before it said %q:\n%s", p.cmd.Path, p.cmd.ProcessState, text, p.said())
		case <-deadline:
			p.t.Fatalf("%s never said %q:\n%s", p.cmd.Path, text, p.said())
		}
	}
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// kill ends the process as a power cut would, and waits for that.
func (p *process) kill() {
	p.t.Helper()
	p.cmd.Process.Kill()
	<-p.done
}

func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s did not end:\n%s", p.cmd.Path, p.said())
	}
	return p.cmd.ProcessState.ExitCode()
}

// id is the job's id, which a submit prints as a line of its own.
func (p *process) id() string {
	p.t.Helper()
	for _, line := range strings.Split(p.said(), "\n") {
		if len(line) == 16 && !strings.Contains(line, " ") {
			return line
		}
	}
	p.t.Fatalf("no id in:\n%s", p.said())
	return ""
}
