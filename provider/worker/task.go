package worker

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// Folders of the scratch volume. What a task may not see collected, its output
// streams and its HOME, is beside its scratch folder, not in it.
const (
	tasksDir = "tasks"
	logsDir  = "logs"
	homesDir = "home"
)

// task is one attempt that the publisher asked for.
type task struct {
	run     protocol.Run
	name    string // of its folders
	scratch string // absolute
	home    string // absolute: HOME and TMPDIR
	kills   chan time.Duration
	done    chan struct{} // closed with exited
	feed    *feed         // of its standard input, or nil
	voice   *voice        // of the worker's own program, else nil

	pid int // of its first process; used by its own goroutine

	// Guarded by Server.mu.
	started  bool
	released bool
	exited   *protocol.Exited
}

func newTask(r protocol.Run, dir string) *task {
	name := r.ID
	if !plainName.MatchString(name) {
		name = fmt.Sprintf("~%x", sha256.Sum256([]byte(name)))
	}
	return &task{run: r, name: name, scratch: filepath.Join(dir, tasksDir, name), home: filepath.Join(dir, homesDir, name),
		kills: make(chan time.Duration, 8), done: make(chan struct{})}
}

// plainName is what an ID must look like to name folders; others are hashed.
var plainName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.,=@+:-]{0,199}$`)

func (t *task) log(stderr bool) string {
	if stderr {
		return logsDir + "/" + t.name + ".stderr"
	}
	return logsDir + "/" + t.name + ".stdout"
}

func (t *task) manifest() string { return logsDir + "/" + t.name + ".manifest" }

// attempt takes a task from its inputs to its Exited.
func (s *Server) attempt(t *task) *protocol.Exited {
	out := &protocol.Exited{ID: t.run.ID, Code: -1}
	if t.feed != nil {
		defer t.feed.over()
	}
	fail := func(err error) *protocol.Exited {
		explain(out, err)
		return out
	}
	stdout, stderr, err := s.prepare(t)
	if err != nil {
		return fail(err)
	}
	defer stdout.Close()
	defer stderr.Close()
	select {
	case <-t.kills:
		out.Class, out.Message = protocol.ClassKilled, "killed before it started"
		return out
	case <-s.stopping.Done():
		out.Class, out.Message = protocol.ClassKilled, "the worker ends"
		return out
	default:
	}
	before := s.limits.read()
	began := time.Now()
	ended, err := s.start(t, stdout, stderr)
	if err != nil {
		return fail(err)
	}
	s.mu.Lock()
	t.started = true
	s.emit(&protocol.Started{ID: t.run.ID})
	s.mu.Unlock()

	facts := s.supervise(t, ended, before)
	t.voice.close()
	out.WallNS = uint64(facts.at.Sub(began))
	out.Usage = usageOf(facts.usage)
	out.Code = exitCode(facts.status)
	out.Stdout = streamOf(stdout)
	out.Stderr = streamOf(stderr)
	if out.Code != 0 || facts.why.ended != "" {
		facts.stderr = lastWords(stderr)
		out.Class, out.Message = classify(facts, t.run.TimeoutSeconds, s.cfg.Pids)
		if out.Class == protocol.ClassMemory {
			s.limits.claimMemory()
		}
	}
	if t.feed != nil {
		t.feed.verdict(out)
	}
	s.collect(t, out)
	return out
}

// prepare makes the task's folders, places its inputs and opens its streams.
func (s *Server) prepare(t *task) (stdout, stderr *os.File, err error) {
	err = s.makeFolders(t)
	if errors.Is(err, fs.ErrNotExist) { // a task has removed what all are kept in
		if err = s.folders(); err == nil {
			err = s.makeFolders(t)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrStage, err)
	}
	if len(t.run.Inputs) > 0 || len(t.run.Collect) > 0 {
		if err := s.stage(t); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrStage, err)
		}
	}
	if stdout, err = s.create(t.log(false)); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrStage, err)
	}
	if stderr, err = s.create(t.log(true)); err != nil {
		stdout.Close()
		return nil, nil, fmt.Errorf("%w: %w", ErrStage, err)
	}
	return stdout, stderr, nil
}

// makeFolders and create take plain paths, for speed. A task may have put links
// there, but has no fewer rights than the worker. What is read back is opened
// through os.Root, or by the descriptor.
func (s *Server) makeFolders(t *task) error {
	for _, path := range []string{t.scratch, t.home} {
		if err := unix.Mkdir(path, 0o755); err != nil {
			return &fs.PathError{Op: "mkdir", Path: path, Err: err}
		}
	}
	return nil
}

func (s *Server) create(name string) (*os.File, error) {
	path := filepath.Join(s.cfg.Dir, name)
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_APPEND|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// start runs the task's program, in a session of its own.
func (s *Server) start(t *task, stdout, stderr *os.File) (<-chan ending, error) {
	env := environment(t)
	path, err := s.program(t, env["PATH"])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStart, err)
	}
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	stdin := s.null
	if t.feed != nil {
		stdin = t.feed.stdin
		defer t.feed.begun()
	}
	files := []uintptr{uintptr(stdin), stdout.Fd(), stderr.Fd()}
	if t.run.Command[0] == protocol.WorkerProgram {
		say, err := t.listen(func(text string) { s.said(t, text) })
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrStart, err)
		}
		defer unix.Close(say)
		files, list = append(files, uintptr(say)), append(list, fmt.Sprintf("%s=%d", protocol.EnvSay, len(files)))
	}
	pid, ended, err := s.children.spawn(path, t.run.Command, &syscall.ProcAttr{
		Dir: t.scratch, Env: list, Sys: &syscall.SysProcAttr{Setsid: true}, Files: files,
	})
	if err != nil {
		t.voice.close()
		return nil, fmt.Errorf("%w: %s: %w", ErrStart, t.run.Command[0], err)
	}
	t.pid = pid
	s.limits.apply(pid)
	return ended, nil
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is what a task finds: what the publisher gave, and the least that
// programs expect.
func environment(t *task) map[string]string {
	env := map[string]string{
		"PATH": defaultPath,
		"LANG": "C.UTF-8", "HOME": t.home, "TMPDIR": t.home,
	}
	maps.Copy(env, t.run.Env)
	return env
}

// lookup finds a program as a shell would: a name with a slash is a path, from
// the scratch folder on; others are searched in PATH.
func lookup(name, path, scratch string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range filepath.SplitList(path) {
		if dir == "" {
			dir = "."
		}
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(scratch, dir)
		}
		full := filepath.Join(dir, name)
		if info, err := os.Stat(full); err == nil && info.Mode().IsRegular() && unix.Access(full, unix.X_OK) == nil {
			return full, nil
		}
	}
	return "", fmt.Errorf("no program %q in PATH", name)
}

// program finds a task's program. The worker's own stands under its name wherever
// it lies.
func (s *Server) program(t *task, path string) (string, error) {
	if name := t.run.Command[0]; name != protocol.WorkerProgram {
		return s.programs.lookup(name, path, t.scratch)
	}
	return os.Executable()
}

// programs remembers where programs are. The image is read-only: what was found
// on the default path stays there.
type programs struct{ known sync.Map }

func (p *programs) lookup(name, path, scratch string) (string, error) {
	if path != defaultPath {
		return lookup(name, path, scratch)
	}
	if full, ok := p.known.Load(name); ok {
		return full.(string), nil
	}
	full, err := lookup(name, path, scratch)
	if err == nil && full != name {
		p.known.Store(name, full)
	}
	return full, err
}

// why says who ended a task before it ended itself.
type why struct {
	ended string // protocol.ClassTimeout, ClassKilled, ClassStage, or ""
	hard  bool   // TERM was not enough
	grace uint32 // seconds
	words string // of ClassStage
}

// facts are what a task's end looked like.
type facts struct {
	ending
	at     time.Time // when its first process ended
	why    why
	limits events // what happened at the limits up to then
	stderr string // the end of it
}

// supervise waits until the task's first process has ended, by itself, at its
// timeout or by the publisher's wish, and sees that nothing of it is left.
func (s *Server) supervise(t *task, ended <-chan ending, before events) facts {
	var f facts
	var timeout, grace <-chan time.Time
	if t.run.TimeoutSeconds > 0 {
		timer := time.NewTimer(time.Duration(t.run.TimeoutSeconds) * time.Second)
		defer timer.Stop()
		timeout = timer.C
	}
	reaped, killing := false, false
	told := map[int]bool{} // processes that have had a TERM, each once
	tell := func(pids []int) {
		for _, pid := range pids {
			if !told[pid] {
				told[pid] = true
				unix.Kill(pid, unix.SIGTERM)
			}
		}
	}
	terminate := func(class string, after time.Duration) {
		if f.why.ended == "" {
			f.why.ended = class
			tell(s.living(t, reaped))
		}
		timeout, grace = nil, time.After(after)
	}
	f.why.grace = t.run.GraceSeconds
	var unfed <-chan struct{}
	if t.feed != nil {
		unfed = t.feed.failed
	}
	stopping := s.stopping.Done()
	var give <-chan time.Time
	for {
		// After the end of the first process the rest of the tree has as long as a TERM
		// gave it, else nothing.
		var changed <-chan struct{}
		if reaped {
			changed = s.children.changed()
			left := s.living(t, true)
			if len(left) == 0 {
				return f
			}
			if f.why.ended != "" {
				tell(left) // one may have been forked while others were told
			}
			if f.why.ended == "" || killing {
				s.killTree(t, true)
				killing = true
				if give == nil {
					give = time.After(endurance)
				}
				grace = time.After(20 * time.Millisecond)
			}
		}
		select {
		case f.ending = <-ended:
			reaped, ended, f.at, timeout = true, nil, time.Now(), nil
			if f.status != 0 { // before what it has left is killed: that may hold what it lacked
				f.limits = s.limits.since(before)
			}
		case <-timeout:
			terminate(protocol.ClassTimeout, time.Duration(t.run.GraceSeconds)*time.Second)
		case after := <-t.kills:
			if !reaped || f.why.ended != "" {
				terminate(protocol.ClassKilled, after)
			}
		case <-unfed:
			unfed = nil
			if !reaped && f.why.ended == "" {
				f.why.words = t.feed.finish(protocol.Fed{}).Error
				terminate(protocol.ClassStage, time.Duration(t.run.GraceSeconds)*time.Second)
			}
		case <-stopping:
			stopping = nil
			terminate(protocol.ClassKilled, 0)
		case <-grace:
			if !killing {
				killing, f.why.hard = true, !reaped
			}
			s.killTree(t, reaped)
			grace = time.After(20 * time.Millisecond)
		case <-changed:
		case <-give:
			s.cfg.Log.Warn("processes of a task do not die", "task", t.run.ID)
			return f
		}
	}
}

func exitCode(status syscall.WaitStatus) int32 {
	if status.Signaled() {
		return int32(128 + status.Signal())
	}
	return int32(status.ExitStatus())
}

// usageOf is what the task's processes used, from getrusage(2); block counts are
// in units of 512 bytes there.
func usageOf(r syscall.Rusage) pricing.Usage {
	return pricing.Usage{
		pricing.CPUUser:     uint64(r.Utime.Nano()),
		pricing.CPUSystem:   uint64(r.Stime.Nano()),
		pricing.FaultsMinor: uint64(r.Minflt),
		pricing.FaultsMajor: uint64(r.Majflt),
		pricing.BlockRead:   uint64(r.Inblock) * 512,
		pricing.BlockWrite:  uint64(r.Oublock) * 512,
	}
}

// clean deletes what the task has left on the disk.
func (s *Server) clean(t *task) {
	for _, name := range []string{tasksDir + "/" + t.name, homesDir + "/" + t.name} {
		if unix.Rmdir(filepath.Join(s.cfg.Dir, name)) == nil {
			continue // most are empty
		}
		if err := s.root.RemoveAll(name); err != nil {
			unlock(s.root, name) // folders without the right to write resist
			if err := s.root.RemoveAll(name); err != nil {
				s.cfg.Log.Debug("a task's folder stays", "task", t.run.ID, "err", err)
			}
		}
	}
	unix.Unlink(filepath.Join(s.cfg.Dir, t.log(false)))
	unix.Unlink(filepath.Join(s.cfg.Dir, t.log(true)))
	if t.exited.Files > 0 && t.exited.Manifest == nil {
		s.root.Remove(t.manifest())
	}
}

// unlock gives the owner all rights on a folder and the folders in it.
func unlock(root *os.Root, name string) {
	info, err := root.Lstat(name)
	if err != nil || !info.IsDir() {
		return
	}
	root.Chmod(name, 0o700)
	dir, err := root.Open(name)
	if err != nil {
		return
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(1000)
		for _, entry := range entries {
			if entry.IsDir() {
				unlock(root, name+"/"+entry.Name())
			}
		}
		if err != nil {
			return
		}
	}
}
