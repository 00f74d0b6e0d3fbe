package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
)

// The benchmarks of the whole product print ratios: what is compared runs in the
// same minute on the same machine. They run with ZENNET_BENCH=1 (make bench).
func benchmarks(t *testing.T) {
	t.Helper()
	if os.Getenv("ZENNET_BENCH") == "" {
		t.Skip("make bench runs this")
	}
}

const noops = 2000

// TestBenchNoop: no-op tasks on warm slots, every one journalled, beside a shell
// loop and GNU parallel; and the time of one task on a warm slot.
func TestBenchNoop(t *testing.T) {
	benchmarks(t)
	s := newSite(t)
	file := s.write("noop.yaml", fmt.Sprintf("version: 1\nkind: container\ncommand: [\"true\"]\narray: 0-%d\nslots: 2\n", noops-1))
	out, _ := s.job(0, "submit", file)
	ours := s.span(first(out))
	shell := timed(t, "sh", "-c", fmt.Sprintf("i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done", noops))
	fmt.Printf("no-op tasks a second: %.0f leased and journalled, %.0f in a shell loop: ratio %.2f\n", noops/ours.Seconds(), noops/shell.Seconds(), shell.Seconds()/ours.Seconds())
	if _, err := exec.LookPath("parallel"); err == nil {
		parallel := timed(t, "sh", "-c", fmt.Sprintf("seq %d | parallel -j2 true", noops))
		fmt.Printf("no-op tasks a second: %.0f with GNU parallel: ratio %.1f (goal 5)\n", noops/parallel.Seconds(), parallel.Seconds()/ours.Seconds())
	}
	one := s.write("one.yaml", "version: 1\nkind: container\nname: one\ncommand: [\"true\"]\narray: 10000-10199\nslots: 1\n")
	out, _ = s.job(0, "submit", one)
	var walls []time.Duration
	for _, a := range s.attempts(first(out)) {
		walls = append(walls, a.Ended.Sub(a.Started))
	}
	slices.Sort(walls)
	fmt.Printf("one task on a warm slot: p50 %v, p95 %v (goal 5ms)\n", walls[len(walls)/2].Round(10*time.Microsecond), walls[len(walls)*95/100].Round(10*time.Microsecond))
}

func (s *site) attempts(id string) []journal.Attempt {
	s.t.Helper()
	j, err := journal.OpenReadOnly(filepath.Join(s.home, "journal.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer j.Close()
	attempts, err := j.Attempts(id, false)
	if err != nil || len(attempts) == 0 {
		s.t.Fatalf("%d attempts, %v", len(attempts), err)
	}
	return attempts
}

// span is the time from a job's first start of a task to its last end.
func (s *site) span(id string) time.Duration {
	attempts := s.attempts(id)
	begin, end := attempts[0].Started, attempts[0].Ended
	for _, a := range attempts {
		if a.Started.Before(begin) {
			begin = a.Started
		}
		if a.Ended.After(end) {
			end = a.Ended
		}
	}
	return end.Sub(begin)
}

func timed(t *testing.T, name string, args ...string) time.Duration {
	t.Helper()
	start := time.Now()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return time.Since(start)
}

var performance = regexp.MustCompile(`(?m)^Performance:\s+([0-9.]+)`)

// TestBenchGromacs: ns/day of mdrun in a leased container beside the bare one,
// three times each in turn; the medians' ratio.
func TestBenchGromacs(t *testing.T) {
	benchmarks(t)
	if _, err := exec.LookPath("gmx"); err != nil {
		t.Skip("gmx is not installed")
	}
	s := newSite(t)
	dir := filepath.Join(s.dir, "water")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := `set -e
gmx -quiet solvate -cs spc216 -box 2.8 2.8 2.8 -o conf.gro
n=$(grep -c OW conf.gro)
printf '#include "amber99sb-ildn.ff/forcefield.itp"\n#include "amber99sb-ildn.ff/spc.itp"\n[ system ]\nwater\n[ molecules ]\nSOL %d\n' $n > topol.top
printf 'integrator=md\ndt=0.002\nnsteps=4000\ncutoff-scheme=Verlet\ncoulombtype=PME\nrcoulomb=0.9\nrvdw=0.9\ntcoupl=V-rescale\ntc-grps=System\ntau-t=0.1\nref-t=300\ngen-vel=yes\ngen-temp=300\ngen-seed=1\nld-seed=1\n' > md.mdp
gmx -quiet grompp -f md.mdp -c conf.gro -p topol.top -o topol.tpr -maxwarn 1`
	prepare := exec.Command("sh", "-c", script)
	prepare.Dir = dir
	if out, err := prepare.CombinedOutput(); err != nil {
		t.Fatalf("prepare: %v\n%s", err, tail(out, 3000))
	}
	tpr, err := os.ReadFile(filepath.Join(dir, "topol.tpr"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("topol.tpr", string(tpr))
	speed := func(log []byte) float64 {
		m := performance.FindSubmatch(log)
		if m == nil {
			t.Fatalf("no performance in the log:\n%s", tail(log, 2000))
		}
		v, _ := strconv.ParseFloat(string(m[1]), 64)
		return v
	}
	var leased, bare []float64
	for round := range 3 {
		file := s.write("md.yaml", fmt.Sprintf("version: 1\nkind: container\nname: md%d\ncommand: [\"gmx\", \"mdrun\", \"-nt\", \"1\", \"-pin\", \"off\", \"-reprod\", \"-s\", \"topol.tpr\", \"-g\", \"md.log\"]\nenv: {ROUND: \"%d\"}\ninputs: [topol.tpr]\ncollect: [md.log]\noutputs: out%d\n", round, round, round))
		s.job(0, "submit", file)
		logs, err := filepath.Glob(filepath.Join(s.dir, fmt.Sprintf("out%d/tasks/*/md.log", round)))
		if err != nil || len(logs) != 1 {
			t.Fatalf("logs: %v %v", logs, err)
		}
		log, err := os.ReadFile(logs[0])
		if err != nil {
			t.Fatal(err)
		}
		leased = append(leased, speed(log))
		run := exec.Command("gmx", "mdrun", "-nt", "1", "-pin", "off", "-reprod", "-s", "topol.tpr", "-g", "bare.log")
		run.Dir = dir
		run.Env = append(os.Environ(), "GMX_MAXBACKUP=-1")
		if out, err := run.CombinedOutput(); err != nil {
			t.Fatalf("bare: %v\n%s", err, tail(bytes.TrimSpace(out), 2000))
		}
		if log, err = os.ReadFile(filepath.Join(dir, "bare.log")); err != nil {
			t.Fatal(err)
		}
		bare = append(bare, speed(log))
	}
	slices.Sort(leased)
	slices.Sort(bare)
	fmt.Printf("gromacs, one core: %.1f ns/day leased, %.1f bare: ratio %.3f (goal 0.98)\n", leased[1], bare[1], leased[1]/bare[1])
}
