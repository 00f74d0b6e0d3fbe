package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/jobs/mapreduce/record"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

// Program is what is to be run, and how.
type Program struct {
	Args    []string // Args[0] is looked up in Dir, then in PATH of Env
	Dir     string   // absolute
	Env     []string
	Timeout time.Duration // of silence; 0: none
	AnyExit bool          // an exit other than 0 is no failure
	Join    bool          // feed waits for nothing but the program: Run returns after it
	Longest int           // bytes of a line of its output at most, else record.ErrTooLong; 0: Hadoop's bound
	Prefix  string        // of the lines on stderr that are for us
	Report  func(streaming.Said)
	Log     io.Writer // gets the other lines
}

// Usage is what a run took.
type Usage struct{ Wall, CPU time.Duration }

// pipeSize is the size of a busy pipe, the most that Linux gives to everyone.
const pipeSize = 1 << 20

// running is a program that runs.
type running struct {
	Program
	process               *os.Process
	stdin, stdout, stderr *os.File // our ends
	clock                 clock

	ended chan struct{} // closed when state and waitErr are set
	state *os.ProcessState
	err   error
	quiet atomic.Bool // it was killed for its silence
}

// Run runs the program. feed writes its standard input; what it writes to fails
// once the program reads no more. line gets each line of its output, without its
// end, until the next. An error of line ends the program and is returned as it is.
// Once Run has returned, line is not called again, and feed may still run only where
// the program failed and Join is not set.
func (p Program) Run(feed func(io.Writer) error, line func([]byte) error) (Usage, error) {
	began := time.Now()
	r, err := p.start()
	if err != nil {
		return Usage{}, err
	}
	fed := make(chan error, 1)
	go func() {
		in := &input{file: r.stdin, clock: &r.clock}
		err := feed(in)
		fed <- errors.Join(err, in.close())
	}()
	heard, watched, stop := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(heard)
		r.listen()
	}()
	go func() {
		defer close(watched)
		r.watch(stop)
	}()
	go r.wait()

	lineErr := r.lines(line)
	if lineErr != nil {
		r.kill()
	}
	r.clock.theirs() // there is no output to wait for
	<-r.ended
	<-heard
	usage, err := r.verdict(lineErr)
	if err == nil {
		err = <-fed
		if r.quiet.Load() {
			err = r.silent()
		}
	} else {
		_ = r.stdin.SetWriteDeadline(time.Now())
		if r.Join {
			<-fed
		}
	}
	usage.Wall = time.Since(began)
	close(stop)
	<-watched
	_ = unix.Kill(-r.process.Pid, unix.SIGKILL) // what it has left behind, where it did not fail
	r.stdout.Close()
	r.stderr.Close()
	return usage, err
}

func (r *running) silent() error { return fmt.Errorf("%w (%v)", ErrSilent, r.Timeout) }

// verdict says what came of it, once the program has ended.
func (r *running) verdict(lineErr error) (Usage, error) {
	if r.err != nil {
		return Usage{}, fmt.Errorf("wait for %s: %w", r.Args[0], r.err)
	}
	usage := Usage{CPU: r.state.UserTime() + r.state.SystemTime()}
	switch status := r.state.Sys().(syscall.WaitStatus); {
	case r.quiet.Load():
		return usage, r.silent()
	case lineErr != nil:
		return usage, lineErr
	case (status.Signaled() || status.ExitStatus() != 0) && !r.AnyExit:
		return usage, &Exit{status}
	}
	return usage, nil
}

// start starts the program with three pipes.
func (p Program) start() (*running, error) {
	r := &running{Program: p, ended: make(chan struct{})}
	path, err := p.find()
	if err != nil {
		return nil, err
	}
	var theirs [3]*os.File
	var files []*os.File
	closeAll := func() {
		for _, f := range files {
			f.Close()
		}
	}
	for i, ours := range []**os.File{&r.stdin, &r.stdout, &r.stderr} {
		reader, writer, err := os.Pipe()
		if err != nil {
			closeAll()
			return nil, fmt.Errorf("%w: %w", ErrStart, err)
		}
		files = append(files, reader, writer)
		theirs[i], *ours = writer, reader
		if i == 0 {
			theirs[i], *ours = reader, writer
		}
	}
	resize(r.stdout, pipeSize)
	attr := &os.ProcAttr{Dir: p.Dir, Env: p.Env, Files: theirs[:], Sys: &syscall.SysProcAttr{Setpgid: true}}
	r.process, err = os.StartProcess(path, p.Args, attr)
	if errors.Is(err, syscall.ENOEXEC) { // a script without #!: as a shell has it
		r.process, err = os.StartProcess("/bin/sh", append([]string{"/bin/sh", path}, p.Args[1:]...), attr)
	}
	if err != nil {
		closeAll()
		return nil, fmt.Errorf("%s %w: %w", p.Args[0], ErrStart, err)
	}
	for _, f := range theirs {
		f.Close()
	}
	r.clock.touch()
	r.clock.ours.Store(2)
	return r, nil
}

// find looks the program up: in the working folder, then in PATH.
func (p Program) find() (string, error) {
	name := p.Args[0]
	path := ""
	for _, v := range p.Env {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			path = value
		}
	}
	places := append([]string{p.Dir}, strings.Split(path, ":")...)
	if strings.HasPrefix(name, "/") {
		places = []string{""}
	}
	for i, dir := range places {
		if dir == "" && i > 0 {
			continue
		}
		full := dir + "/" + name
		if strings.HasPrefix(name, "/") {
			full = name
		}
		if info, err := os.Stat(full); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if unix.Access(full, unix.X_OK) == nil {
			return full, nil
		}
		if i == 0 { // the user's own file
			if err := os.Chmod(full, 0o755); err == nil {
				return full, nil
			}
		}
	}
	return "", fmt.Errorf("%s %w: %w: it is neither in the working folder nor in PATH", name, ErrStart, exec.ErrNotFound)
}

// resize sets a pipe's size, where the kernel lets us.
func resize(f *os.File, size int) {
	if c, err := f.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, size) })
	}
}

// lines hands out the program's lines.
func (r *running) lines(line func([]byte) error) error {
	lines := record.NewReader(&reader{r.stdout, &r.clock}, nil, r.Longest)
	for {
		l, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = line(l)
		}
		if err != nil {
			return err
		}
	}
}

// wait waits for the program's end. What it leaves behind in its process group
// ends with it, where it failed.
func (r *running) wait() {
	r.state, r.err = r.process.Wait()
	if r.err != nil || r.state.ExitCode() != 0 && !r.AnyExit {
		r.kill()
	}
	close(r.ended)
}

// lastWords is how long what a killed program has written is still read.
const lastWords = time.Second

// kill ends the program and its process group. What has left the group may still
// hold the pipes: it is not waited for.
func (r *running) kill() {
	_ = unix.Kill(-r.process.Pid, unix.SIGKILL)
	until := time.Now().Add(lastWords)
	_ = r.stdout.SetReadDeadline(until)
	_ = r.stderr.SetReadDeadline(until)
	_ = r.stdin.SetWriteDeadline(until)
}

// watch kills a program that is silent for too long.
func (r *running) watch(stop <-chan struct{}) {
	ticker := time.NewTicker(min(max(r.Timeout/8, 5*time.Millisecond), 5*time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		limit := r.Timeout
		select {
		case <-r.ended: // and something that it has left behind holds its pipes
			if limit == 0 {
				limit = streaming.DefaultTimeout
			}
		default:
		}
		if limit > 0 && r.clock.silence() > limit {
			r.quiet.Store(true)
			r.kill()
			return
		}
	}
}
