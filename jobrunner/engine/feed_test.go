package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/mapreduce/codec"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/provider/protocol"
)

// library is a Source of files in memory.
type library struct {
	files map[string][]byte

	mu    sync.Mutex
	opens int
	check error                             // of every Check
	fail  func(open int, file string) error // of the nth Open
	gate  func(ctx context.Context, file string, at int) error
}

func (l *library) Close() error { return nil }

func (l *library) Check(context.Context, plan.Part) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.check
}

func (l *library) Open(ctx context.Context, p plan.Part) (io.ReadCloser, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opens++
	if l.fail != nil {
		if err := l.fail(l.opens, p.File); err != nil {
			return nil, fmt.Errorf("input %s: %w", p.File, err)
		}
	}
	return &book{l: l, ctx: ctx, name: p.File, rest: l.files[p.File][p.Offset : p.Offset+p.Length]}, nil
}

type book struct {
	l    *library
	ctx  context.Context
	name string
	at   int
	rest []byte
}

func (b *book) Read(p []byte) (int, error) {
	b.l.mu.Lock()
	gate := b.l.gate
	b.l.mu.Unlock()
	if gate != nil {
		if err := gate(b.ctx, b.name, b.at); err != nil {
			return 0, err
		}
	}
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.rest[:min(len(b.rest), 100_000)])
	b.at += n
	b.rest = b.rest[n:]
	return n, nil
}

func (b *book) Close() error { return nil }

// reading is a lab whose tasks are fed parts of a library's files: task i, which
// prints the hash of its input, the file i, in three parts of which one is empty.
type reading struct {
	*lab
	library *library
	tasks   int
}

func newReading(t testing.TB, tasks, size int) *reading {
	r := &reading{lab: newLab(t), library: &library{files: map[string][]byte{}}, tasks: tasks}
	for i := range tasks {
		file := make([]byte, size+i)
		rand.NewChaCha8([32]byte{byte(i)}).Read(file)
		r.library.files[fmt.Sprint("f", i)] = file
	}
	r.data = func(spec.Job, string) (Source, func(string) Output, error) { return r.library, nil, nil }
	r.planner = func(job spec.Job, _ fs.FS) (plan.Graph, error) {
		var g plan.Graph
		for i := range r.tasks {
			name := fmt.Sprint("f", i)
			size := int64(len(r.library.files[name]))
			part := func(from, to int64) plan.Part {
				return plan.Part{File: name, Size: size, Offset: from, Length: to - from}
			}
			g.Tasks = append(g.Tasks, plan.Task{Name: fmt.Sprint(i), Index: fmt.Sprint(i), Command: job.Container.Command, Collect: []string{"sum"}, Publish: true,
				Stdin: []plan.Part{part(0, size/3), part(size/3, size/3), part(size/3, size)}})
		}
		return g, nil
	}
	r.close()
	r.open()
	return r
}

// fed is a job whose tasks note that they run and hash what they are fed.
func (r *reading) fed() string {
	return strings.ReplaceAll(fmt.Sprintf(`command: ["sh", "-c", "echo $ZENNET_TASK_INDEX.$ZENNET_ATTEMPT >> %s/ran; sha256sum > sum"]
		slots: 2
		retry: {attempts: 1}
		outputs: outputs/
		`, r.home), "\n\t\t", "\n")
}

// right checks the end of a job: every task has had its whole input, and ran so
// many times.
func (r *reading) right(s journal.Status, times int) {
	r.t.Helper()
	r.want(s, journal.JobDone, r.tasks, 0)
	for i := range r.tasks {
		name := fmt.Sprint(i)
		want := fmt.Sprintf("%x  -\n", sha256.Sum256(r.library.files["f"+name]))
		if got := r.file("tasks/" + name + "/sum"); got != want || r.ran()[name] != times {
			r.t.Errorf("task %d: %q, want %q; ran %d times", i, got, want, r.ran()[name])
		}
	}
}

// stopAt lets reading wait at a place of a file, once it is reached, until it is
// allowed to go on or its context ends.
func (l *library) stopAt(file string, at int) (reached chan struct{}, goOn func()) {
	reached, on := make(chan struct{}), make(chan struct{})
	var once sync.Once
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate = func(ctx context.Context, name string, pos int) error {
		if name != file || pos < at {
			return nil
		}
		once.Do(func() { close(reached) })
		select {
		case <-on:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return reached, func() { close(on) }
}

func TestFed(t *testing.T) {
	for _, size := range []int{0, 10, 3_000_000} {
		r := newReading(t, 5, size)
		s := r.run(r.fed())
		r.right(s, 1)
		if len(s.Failures) > 0 {
			t.Errorf("failures %+v", s.Failures)
		}
	}
}

// TestFedRestart kills the host in the middle of a feed, also while it waits for the
// file system: the task runs on and gets the rest.
func TestFedRestart(t *testing.T) {
	for name, at := range map[string]int{"at once": 0, "in the middle": 2_000_000} {
		t.Run(name, func(t *testing.T) {
			r := newReading(t, 2, 4_000_000)
			reached, goOn := r.library.stopAt("f1", at)
			id := r.submit(r.fed()).ID
			<-reached
			r.until(id, func(s journal.Status) bool { return s.Tasks.Done == 1 && r.ran()["1"] == 1 })
			r.restart()
			goOn()
			s := r.wait(id)
			r.right(s, 1)
			if len(s.Failures) > 0 {
				t.Errorf("failures %+v", s.Failures)
			}
		})
	}
}

// TestFedLinkBreaks cuts all connections in the middle of a feed.
func TestFedLinkBreaks(t *testing.T) {
	r := newReading(t, 2, 4_000_000)
	reached, goOn := r.library.stopAt("f1", 1_000_000)
	id := r.submit(r.fed()).ID
	<-reached
	for _, lease := range r.market.live() {
		lease.cut()
		lease.mend()
	}
	goOn()
	s := r.wait(id)
	r.right(s, 1)
	if len(s.Failures) > 0 {
		t.Errorf("failures %+v", s.Failures)
	}
}

// torn is a connection that breaks after some bytes were written.
type torn struct {
	net.Conn
	mu   sync.Mutex
	left int
}

func (c *torn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left -= len(p); c.left >= 0 {
		return c.Conn.Write(p)
	}
	n, _ := c.Conn.Write(p[:max(0, len(p)+c.left)])
	c.Conn.Close()
	return n, errors.New("link broke")
}

// TestFedBadLink: links that break again and again, anywhere.
func TestFedBadLink(t *testing.T) {
	r := newReading(t, 4, 3_000_000)
	random := rand.New(rand.NewPCG(3, 4))
	var mu sync.Mutex
	breaks := 0
	r.market.spoil = func(int) func(net.Conn) net.Conn {
		return func(c net.Conn) net.Conn {
			mu.Lock()
			defer mu.Unlock()
			if breaks++; breaks > 40 {
				return c
			}
			left := random.IntN(1_000_000)
			if random.IntN(3) == 0 {
				left = random.IntN(600)
			}
			return &torn{Conn: c, left: left}
		}
	}
	r.right(r.run(r.fed()), 1)
}

// TestFedProviderDies: the next attempt is fed from the beginning.
func TestFedProviderDies(t *testing.T) {
	r := newReading(t, 1, 4_000_000)
	reached, goOn := r.library.stopAt("f0", 2_000_000)
	id := r.submit(r.fed()).ID
	<-reached
	r.until(id, func(journal.Status) bool { return r.ran()["0"] == 1 })
	for _, lease := range r.market.live() {
		lease.process.Process.Kill()
	}
	goOn()
	r.right(r.wait(id), 2)
}

// TestFedSourceFails: what cannot be read now may be later; the attempt's end names
// the file, and does not count.
func TestFedSourceFails(t *testing.T) {
	r := newReading(t, 1, 1000)
	r.library.fail = func(open int, _ string) error {
		if open <= 2*3 { // two attempts at three parts
			return errors.New("the file system does not answer")
		}
		return nil
	}
	s := r.run(r.fed())
	r.want(s, journal.JobDone, 1, 0)
	if len(s.Failures) != 2 {
		t.Fatalf("failures %+v", s.Failures)
	}
	for _, f := range s.Failures {
		if f.Class != protocol.ClassStage || f.Message != "input f0: the file system does not answer" {
			t.Errorf("failure %+v", f)
		}
	}
}

// TestFedHopeless: what no other attempt could read either fails the job at once.
func TestFedHopeless(t *testing.T) {
	for _, why := range []error{codec.ErrCorrupt, files.ErrCorrupt, files.ErrUnsupported, fs.ErrPermission} {
		r := newReading(t, 1, 1000)
		r.library.fail = func(int, string) error { return why }
		s := r.run(r.fed())
		r.want(s, journal.JobFailed, 0, 1)
		if len(s.Failures) != 1 || s.Failures[0].Message != "input f0: "+why.Error() {
			t.Errorf("%v: failures %+v", why, s.Failures)
		}
	}
}

// TestFedChanged: a file that is no longer what was planned fails the job, and no
// other attempt is made; also where that is seen only at the file's end.
func TestFedChanged(t *testing.T) {
	for _, at := range []int{0, 3_000_000} {
		l := newLab(t)
		path := filepath.Join(l.dir, "in")
		l.write("in", strings.Repeat("line\n", 800_000))
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		part := plan.Part{File: "in", ID: info.Sys().(*syscall.Stat_t).Ino, Size: info.Size(), ModTime: info.ModTime().UnixMilli(), Length: info.Size()}
		change := func() { l.write("in", strings.Repeat("LINE\n", 800_000)+"more") }
		l.data = func(job spec.Job, dir string) (Source, func(string) Output, error) {
			job.MapReduce = &spec.MapReduce{}
			d, err := data.Open(job, dir, data.Options{})
			return changing{d, at, change}, nil, err
		}
		l.planner = func(spec.Job, fs.FS) (plan.Graph, error) {
			return plan.Graph{Tasks: []plan.Task{{Name: "a", Command: []string{"sh", "-c", "cat > sum"}, Collect: []string{"sum"}, Stdin: []plan.Part{part}}}}, nil
		}
		l.close()
		l.open()
		s := l.run("command: [x]\nretry: {attempts: 5}\noutputs: outputs/\n")
		if s.State != journal.JobFailed || s.Cause != journal.CauseTask || len(s.Failures) != 1 {
			t.Fatalf("%s %s, failures %+v", s.State, s.Cause, s.Failures)
		}
		if f := s.Failures[0]; f.Class != protocol.ClassStage || !strings.HasPrefix(f.Message, "input in: input changed since the job was planned") {
			t.Errorf("failure %+v", f)
		}
	}
}

// TestFedEarlyEnd: a task need not read all.
func TestFedEarlyEnd(t *testing.T) {
	r := newReading(t, 1, 30_000_000)
	s := r.run(`command: ["sh", "-c", "head -c 3 | wc -c > sum"]
		outputs: outputs/
		`)
	r.want(s, journal.JobDone, 1, 0)
	if got := r.file("tasks/0/sum"); strings.TrimSpace(got) != "3" {
		t.Errorf("counted %q", got)
	}
}

// TestFedCancel stops a job in the middle of a feed.
func TestFedCancel(t *testing.T) {
	r := newReading(t, 1, 4_000_000)
	reached, _ := r.library.stopAt("f0", 2_000_000)
	id := r.submit(r.fed()).ID
	<-reached
	if err := r.engine.Cancel(r.ctx(), id); err != nil {
		t.Fatal(err)
	}
	r.want(r.wait(id), journal.JobCancelled, 0, 0)
}

// changing changes a file while it is read.
type changing struct {
	Source
	at     int
	change func()
}

func (c changing) Open(ctx context.Context, p plan.Part) (io.ReadCloser, error) {
	if c.at == 0 {
		c.change()
	}
	r, err := c.Source.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	return &changer{ReadCloser: r, c: c}, nil
}

type changer struct {
	io.ReadCloser
	c    changing
	read int
}

func (r *changer) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if r.read += n; r.read-n <= r.c.at && r.read > r.c.at && r.c.at > 0 {
		r.c.change()
	}
	return n, err
}
