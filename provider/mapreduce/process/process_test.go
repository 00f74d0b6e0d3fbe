package process_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/provider/mapreduce/process"
)

func shell(t testing.TB, script string) process.Program {
	return process.Program{Args: []string{"sh", "-c", script}, Dir: t.TempDir(), Env: os.Environ(), Timeout: time.Minute, Prefix: "reporter:"}
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// run runs a program and gives its lines.
func run(p process.Program, feed func(io.Writer) error) (lines []string, err error) {
	_, err = p.Run(feed, func(line []byte) error {
		lines = append(lines, string(line))
		return nil
	})
	return lines, err
}

func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		script, in string
		want       []string
	}{
		"cat":           {"cat", "a\nb\n\nc", []string{"a", "b", "", "c"}},
		"line ends":     {`printf 'a\r\nb\rc\r\r\nd'`, "", []string{"a", "b", "c", "", "d"}},
		"no output":     {"cat >/dev/null", "a\n", nil},
		"small, unread": {"echo x", strings.Repeat("y", 100_000), []string{"x"}},
		"both ways":     {"wc -c; echo done", strings.Repeat("line\n", 1_000_000), []string{"5000000", "done"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := run(shell(t, c.script), text(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Much goes in while much comes out, in pieces of all sizes.
func TestThrough(t *testing.T) {
	in := strings.Repeat("a line of some length\n", 500_000)
	var out bytes.Buffer
	usage, err := shell(t, "cat").Run(text(in), func(line []byte) error {
		out.Write(append(line, '\n'))
		return nil
	})
	if err != nil || out.String() != in || usage.Wall <= 0 {
		t.Errorf("%d bytes of %d, %+v: %v", out.Len(), len(in), usage, err)
	}
}

func TestFailures(t *testing.T) {
	large := text(strings.Repeat("0123456789\n", 1_000_000))
	code := func(n int) func(error) bool {
		return func(err error) bool {
			var exit *process.Exit
			return errors.As(err, &exit) && exit.Code() == n && errors.Is(err, process.ErrExit)
		}
	}
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	for name, c := range map[string]struct {
		script string
		feed   func(io.Writer) error
		change func(*process.Program)
		want   func(error) bool
	}{
		"exit code":           {"cat >/dev/null; exit 3", large, nil, code(3)},
		"exit without input":  {"exit 4", large, nil, code(4)},
		"signal":              {"kill -9 $$", text(""), nil, code(137)},
		"broken pipe":         {"head -c 10 >/dev/null", large, nil, is(process.ErrBrokenPipe)},
		"broken pipe at 1 MB": {"exec 0<&-; exit 0", text(strings.Repeat("x", 600_000)), nil, is(process.ErrBrokenPipe)},
		"any exit, pipe":      {"exit 3", large, func(p *process.Program) { p.AnyExit = true }, is(process.ErrBrokenPipe)},
		"any exit":            {"cat >/dev/null; exit 3", large, func(p *process.Program) { p.AnyExit = true }, is(nil)},
		"silent": {"cat >/dev/null; sleep 1000", large, func(p *process.Program) { p.Timeout = 100 * time.Millisecond },
			is(process.ErrSilent)},
		"does not read": {"sleep 1000", large, func(p *process.Program) { p.Timeout = 100 * time.Millisecond }, is(process.ErrSilent)},
		"leaves one behind": {"sleep 1000 & exit 0", text(""), func(p *process.Program) { p.Timeout = 100 * time.Millisecond },
			is(process.ErrSilent)},
		"fails and leaves one behind": {"sleep 1000 & exit 5", text(""), nil, code(5)},
		"fails and leaves one that hides": {"setsid sleep 30 & exit 5", text(""), nil,
			code(5)},
		"no such program": {"", text(""), func(p *process.Program) { p.Args = []string{"no-such-program"} }, is(exec.ErrNotFound)},
		"feed fails":      {"cat >/dev/null", func(io.Writer) error { return io.ErrUnexpectedEOF }, nil, is(io.ErrUnexpectedEOF)},
	} {
		t.Run(name, func(t *testing.T) {
			p := shell(t, c.script)
			if c.change != nil {
				c.change(&p)
			}
			if _, err := run(p, c.feed); !c.want(err) {
				t.Errorf("%v", err)
			}
		})
	}
}

// alive says whether a process is there and no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

// What a program has left in its group ends with it, though it did not fail.
func TestLeavesNobodyBehind(t *testing.T) {
	lines, err := run(shell(t, "sleep 1000 >/dev/null 2>&1 & echo $!"), text(""))
	if err != nil || len(lines) != 1 {
		t.Fatal(lines, err)
	}
	pid, err := strconv.Atoi(lines[0])
	if err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(time.Minute); alive(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("process %d is still there", pid)
		}
	}
}

// One that has left the group and holds the input without reading it is not waited for.
func TestHeldInput(t *testing.T) {
	p := shell(t, "exec 3<&0; setsid sleep 1000 >/dev/null 2>&1 & echo $!")
	p.Timeout = 100 * time.Millisecond
	lines, err := run(p, text(strings.Repeat("0123456789\n", 1_000_000)))
	if len(lines) == 1 {
		if pid, err := strconv.Atoi(lines[0]); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if !errors.Is(err, process.ErrSilent) || len(lines) != 1 {
		t.Error(lines, err)
	}
}

// With Join, feed is done when Run returns, though the program has failed.
func TestJoin(t *testing.T) {
	p := shell(t, "exit 5")
	p.Join = true
	returned := make(chan struct{})
	early := make(chan bool, 1)
	_, err := p.Run(func(w io.Writer) (err error) {
		for err == nil {
			_, err = w.Write(make([]byte, 1<<20))
		}
		select {
		case <-returned:
			early <- true
		case <-time.After(200 * time.Millisecond): // in which Run could have returned
			early <- false
		}
		return err
	}, func([]byte) error { return nil })
	close(returned)
	if !errors.Is(err, process.ErrExit) || <-early {
		t.Errorf("returned before feed had: %v", err)
	}
}

// An error of who takes the lines ends the program.
func TestLineFails(t *testing.T) {
	want := errors.New("disk full")
	_, err := shell(t, "yes").Run(text(""), func([]byte) error { return want })
	if !errors.Is(err, want) {
		t.Error(err)
	}
}

// A program whose input is slow in coming is not silent, nor one that only writes
// to stderr.
func TestPatience(t *testing.T) {
	p := shell(t, "cat; for i in 1 2 3 4 5 6; do echo $i >&2; sleep 0.5; done; echo end")
	p.Timeout = 2500 * time.Millisecond
	got, err := run(p, func(w io.Writer) error {
		if _, err := io.WriteString(w, "a\n"); err != nil {
			return err
		}
		time.Sleep(2600 * time.Millisecond) // longer than the timeout: the input is slow, and that is what is tested
		return nil
	})
	if err != nil || !cmp.Equal(got, []string{"a", "end"}) {
		t.Errorf("%q: %v", got, err)
	}
}

func TestReports(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	p := shell(t, `printf 'log\nreporter:counter:g,n,2\nreporter:counter:g,n,x\rreporter:status:half way\r\nreporter:status:`+
		``+`\n not reporter:counter:g,n,1\n' >&2; head -c 200000 /dev/zero | tr '\0' x >&2; printf '\nreporter:counter:g,last,-1' >&2`)
	var log bytes.Buffer
	var said []string
	p.Log = &log
	p.Report = func(s streaming.Said) {
		said = append(said, fmt.Sprint(s.Group, ",", s.Name, ",", s.Value, ",", s.Text))
	}
	if _, err := run(p, text("")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"g,n,2,", ",,0,half way", ",,0,", "g,last,-1,"}, said); diff != "" {
		t.Error(diff)
	}
	lines := strings.Split(log.String(), "\n")
	if len(lines) != 5 || lines[0] != "log" || !strings.Contains(lines[1], "cannot parse") || lines[2] != " not reporter:counter:g,n,1" || lines[3] != long {
		t.Errorf("%d lines of log: %.300q", len(lines), log.String())
	}
}

// Programs are looked up in the working folder first, and made executable; one
// without #! is the shell's.
func TestFind(t *testing.T) {
	p := shell(t, "")
	for name, content := range map[string]string{"own": "#!/bin/sh\necho own $1", "cat": "#!/bin/sh\necho mine", "plain": "echo plain $1", "sub/deep": "#!/bin/sh\necho deep"} {
		path := filepath.Join(p.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{"own a": "own a", "./own b": "own b", "cat": "mine", "plain c": "plain c", "sub/deep": "deep", "/bin/echo d": "d", "echo e": "e"} {
		p.Args = strings.Fields(args)
		got, err := run(p, text(""))
		if err != nil || !cmp.Equal(got, []string{want}) {
			t.Errorf("%s: %q, %v", args, got, err)
		}
	}
}

// Reading and writing costs little beside what plain pipes cost.
func BenchmarkCat(b *testing.B) {
	in := []byte(strings.Repeat("a line of some length\n", 1_000_000))
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		n := 0
		if _, err := shell(b, "cat").Run(func(w io.Writer) error {
			buffer := bufio.NewWriterSize(w, 256<<10)
			if _, err := buffer.Write(in); err != nil {
				return err
			}
			return buffer.Flush()
		}, func([]byte) error { n++; return nil }); err != nil || n != 1_000_000 {
			b.Fatal(n, err)
		}
	}
}
