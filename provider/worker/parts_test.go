package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
)

func TestParseStat(t *testing.T) {
	for name, c := range map[string]struct {
		stat string
		want proc
		ok   bool
	}{
		"plain":       {"7 (sh) S 1 7 5 0 -1 0", proc{7, 1, 5}, true},
		"odd name":    {"7 (a) Z 9 9 9 (b) R 2 3 4 0", proc{7, 2, 4}, true},
		"zombie":      {"7 (sh) Z 1 7 5 0", proc{}, false},
		"short":       {"7 (sh) S 1", proc{}, false},
		"no name":     {"", proc{}, false},
		"not numbers": {"7 (sh) S a b c d", proc{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parseStat(7, c.stat)
			if ok != c.ok || ok && got != c.want {
				t.Errorf("got %+v, %v", got, ok)
			}
		})
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("7 (a) Z 9 9 9 (b) R 2 3 4 0")
	f.Fuzz(func(t *testing.T, stat string) { parseStat(1, stat) })
}

func TestFamily(t *testing.T) {
	// 1 is the worker; 10 the task: child 11, grandchild 12; 13 is a daemon in its
	// session; 20 has left and is marked, 21 is its child; 30 and 31 are another task's.
	procs := []proc{{1, 0, 1}, {10, 1, 10}, {11, 10, 10}, {12, 11, 12}, {13, 1, 10}, {20, 1, 20}, {21, 20, 20}, {30, 1, 30}, {31, 30, 30}}
	got := family(procs, 1, 10, func(pid int) bool { return pid == 20 || pid == 1 })
	if diff := cmp.Diff([]int{10, 11, 12, 13, 20, 21}, got); diff != "" {
		t.Error(diff)
	}
}

// TestFamilyByChance: the worker is in no family, and families of two tasks
// share nobody.
func TestFamilyByChance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		procs := []proc{{1, 0, 1}, {2, 1, 2}, {3, 1, 3}}
		for pid := 4; pid < 30; pid++ {
			parent := rapid.SampledFrom(procs).Draw(t, "parent")
			session := parent.session
			if parent.pid == 1 {
				session = pid
			}
			if rapid.Bool().Draw(t, "own session") {
				session = pid
			}
			procs = append(procs, proc{pid, parent.pid, session})
		}
		nobody := func(int) bool { return false }
		one, two := family(procs, 1, 2, nobody), family(procs, 1, 3, nobody)
		for _, pid := range one {
			if pid == 1 || slices.Contains(two, pid) {
				t.Fatalf("%d is in both of %v and %v", pid, one, two)
			}
		}
		if !slices.Contains(one, 2) {
			t.Fatal("the task is not of its family")
		}
	})
}

func exitStatus(code int) syscall.WaitStatus                { return syscall.WaitStatus(code << 8) }
func signalStatus(signal syscall.Signal) syscall.WaitStatus { return syscall.WaitStatus(signal) }

func TestClassify(t *testing.T) {
	full := events{known: true, freeBytes: 4096, freeFiles: 1000}
	for name, c := range map[string]struct {
		status     syscall.WaitStatus
		why        why
		limits     events
		stderr     string
		class, say string
	}{
		"exit code":              {status: exitStatus(3), class: protocol.ClassExit, say: "exit code 3"},
		"last words":             {status: exitStatus(3), stderr: "no such atom", class: protocol.ClassExit, say: "exit code 3: no such atom"},
		"own signal":             {status: signalStatus(11), class: protocol.ClassExit, say: "killed by signal 11 (SIGSEGV)"},
		"killed at the limit":    {status: signalStatus(9), limits: events{memoryKills: 1}, class: protocol.ClassMemory, say: "killed at the memory limit"},
		"shell tells of it":      {status: exitStatus(137), limits: events{memoryKills: 1}, class: protocol.ClassMemory, say: "killed at the memory limit"},
		"child killed":           {status: exitStatus(1), limits: events{memoryKills: 2}, class: protocol.ClassMemory, say: "one of its processes was killed at the memory limit: exit code 1"},
		"killed without a limit": {status: signalStatus(9), class: protocol.ClassExit, say: "killed by signal 9 (SIGKILL)"},
		"says memory":            {status: exitStatus(1), stderr: "MemoryError", class: protocol.ClassMemory, say: "could not get memory: exit code 1: MemoryError"},
		"disk is full":           {status: exitStatus(1), limits: full, class: protocol.ClassDisk, say: "the scratch disk is full: exit code 1"},
		"no files left":          {status: exitStatus(1), limits: events{known: true, freeBytes: 1 << 30}, class: protocol.ClassDisk, say: "the scratch disk is full: exit code 1"},
		"says disk":              {status: exitStatus(1), stderr: "write: No space left on device", class: protocol.ClassDisk, say: "the scratch disk is full: exit code 1: write: No space left on device"},
		"disk not asked":         {status: exitStatus(1), limits: events{}, class: protocol.ClassExit, say: "exit code 1"},
		"forks refused":          {status: exitStatus(1), limits: events{refusedForks: 1}, class: protocol.ClassPids, say: "ran into the limit of 40 processes: exit code 1"},
		"many processes":         {status: exitStatus(1), limits: events{processes: 40 + workerThreads}, class: protocol.ClassPids, say: "ran into the limit of 40 processes: exit code 1"},
		"not so many":            {status: exitStatus(1), limits: events{processes: 39}, class: protocol.ClassExit, say: "exit code 1"},
		"says fork":              {status: exitStatus(254), stderr: "sh: 1: Cannot fork", class: protocol.ClassPids, say: "ran into the limit of 40 processes: exit code 254: sh: 1: Cannot fork"},
		"timeout":                {status: signalStatus(15), why: why{ended: protocol.ClassTimeout, grace: 5}, class: protocol.ClassTimeout, say: "ran longer than 30 s: killed by signal 15 (SIGTERM) after TERM"},
		"timeout, hard":          {status: signalStatus(9), why: why{ended: protocol.ClassTimeout, grace: 5, hard: true}, class: protocol.ClassTimeout, say: "ran longer than 30 s, and did not end within 5 s of TERM"},
		"not fed":                {status: signalStatus(15), why: why{ended: protocol.ClassStage, words: "no input"}, class: protocol.ClassStage, say: "no input"},
		"timeout comes first":    {status: exitStatus(1), why: why{ended: protocol.ClassTimeout}, limits: full, class: protocol.ClassTimeout, say: "ran longer than 30 s: exit code 1 after TERM"},
		"killed":                 {status: exitStatus(0), why: why{ended: protocol.ClassKilled}, class: protocol.ClassKilled, say: "killed by the publisher: exit code 0"},
	} {
		t.Run(name, func(t *testing.T) {
			class, say := classify(facts{ending: ending{status: c.status}, why: c.why, limits: c.limits, stderr: c.stderr}, 30, 40)
			if class != c.class || say != c.say {
				t.Errorf("got %q, %q; want %q, %q", class, say, c.class, c.say)
			}
		})
	}
}

func TestClassifyError(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("%w: %w", ErrStage, &os.PathError{Err: syscall.ENOSPC}), protocol.ClassDisk},
		{fmt.Errorf("%w: %w", ErrStage, blob.ErrDamaged), protocol.ClassStage},
		{fmt.Errorf("%w: %w", ErrStart, syscall.EAGAIN), protocol.ClassPids},
		{fmt.Errorf("%w: %w", ErrStart, syscall.ENOMEM), protocol.ClassMemory},
		{fmt.Errorf("%w: %w", ErrStart, syscall.ENOENT), protocol.ClassStart},
		{blob.ErrNoMatch, protocol.ClassCollect},
	} {
		if got := classifyError(c.err); got != c.want {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
}

func TestSentence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "bytes"))
		got := sentence(text)
		if !utf8.ValidString(got) || len(got) > maxMessage+len("…") || strings.ContainsAny(got, "\n\r\x00\x1b") {
			t.Fatalf("%q", got)
		}
	})
}

func TestCounter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	for name, c := range map[string]struct {
		text, key string
		want      uint64
	}{
		"v1":         {"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "oom_kill", 3},
		"v2":         {"low 0\nhigh 0\nmax 1\noom 2\noom_kill 4\n", "oom_kill", 4},
		"one number": {"12\n", "", 12},
		"missing":    {"low 0\n", "oom_kill", 0},
		"garbage":    {"oom_kill x\n", "oom_kill", 0},
		"long":       {strings.Repeat("some_key 1\n", 100) + "oom_kill 5\n", "oom_kill", 5},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			file := openKernelFile(path)
			defer file.close()
			for range 2 {
				if got := counter(file, c.key); got != c.want {
					t.Errorf("got %d, want %d", got, c.want)
				}
			}
		})
	}
	if got := counter(openKernelFile("/no/such/file"), "x"); got != 0 {
		t.Errorf("got %d of no file", got)
	}
}

// TestFolderNames: an ID that is no plain name cannot name a folder elsewhere.
func TestFolderNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.SampledFrom([]string{"..", ".", "a/b", "../x", "/", "~", "-", "temp=300,seed=1", strings.Repeat("x", 256)}), rapid.String()).Draw(t, "id")
		task := newTask(protocol.Run{ID: id}, "/work")
		if filepath.Dir(task.scratch) != "/work/tasks" || filepath.Dir(task.home) != "/work/home" || len(filepath.Base(task.log(true))) > 255 {
			t.Fatalf("%q is kept in %q", id, task.scratch)
		}
	})
}
