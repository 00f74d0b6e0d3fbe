package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/provider/meter"
	"github.com/zennet/zennet/provider/protocol"
)

// Config is what a worker needs to know of its container.
type Config struct {
	Dir     string // the scratch volume: "/work"
	Blobs   string // the publisher's pushed blobs: "/zennet/blobs"
	Pids    uint64 // processes and threads that all tasks together may have; 0 = no limit
	Cgroup  string // where the container's own cgroups are mounted: "/sys/fs/cgroup"
	Init    bool   // the caller is the first process of its PID namespace, and all others are tasks'
	Measure func() (meter.Reading, error)
	Log     *slog.Logger // nil = none
}

const (
	maxTasks       = 8192 // held at once, ended ones included
	maxConnections = 256
	helloTimeout   = 10 * time.Second
	maxGreeting    = 15 << 20 // bytes of a Greeting; what would make it larger is left out of it
	maxInfo        = 1700     // bytes of a task in it without its outputs
)

// Server runs tasks for the publisher at the other end of its connections.
type Server struct {
	cfg      Config
	root     *os.Root // of Config.Dir
	null     int      // /dev/null
	children *children
	limits   *limits
	programs programs
	work     sync.WaitGroup // connections and tasks
	stopping context.Context

	mu      sync.Mutex
	tasks   map[string]*task
	came    chan struct{} // closed when the next task comes; nil where nobody waits
	control *outbox       // of the newest control connection, or nil
	conns   map[net.Conn]bool
}

// Serve runs tasks until ctx ends; then it kills those that run. It becomes the
// reaper of all orphans of its descendants.
func Serve(ctx context.Context, listener net.Listener, cfg Config) error {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Measure == nil {
		inside := meter.NewInside()
		cfg.Measure = inside.Read
	}
	if !cfg.Init {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("worker: %w", err)
		}
	}
	dir, err := filepath.EvalSymlinks(cfg.Dir)
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	cfg.Dir = dir
	s := &Server{cfg: cfg, children: newChildren(), tasks: map[string]*task{}, conns: map[net.Conn]bool{}}
	s.limits = newLimits(cfg)
	if s.root, err = os.OpenRoot(dir); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	defer s.root.Close()
	if s.null, err = unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("worker: %s: %w", os.DevNull, err)
	}
	defer unix.Close(s.null)
	defer s.limits.close()
	if err := s.folders(); err != nil {
		return err
	}
	var cancel context.CancelFunc
	s.stopping, cancel = context.WithCancel(ctx)
	defer cancel()
	go s.children.reap()
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	err = s.accept(ctx, listener)
	cancel()
	s.mu.Lock()
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
	s.children.stop()
	return err
}

// folders makes what tasks are kept in.
func (s *Server) folders() error {
	for _, name := range []string{tasksDir, logsDir, homesDir} {
		if err := s.root.MkdirAll(name, 0o755); err != nil {
			return fmt.Errorf("worker: %w", err)
		}
	}
	return nil
}

func (s *Server) accept(ctx context.Context, listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			// Out of descriptors or memory: what ends gives some back.
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("worker: %w", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		s.mu.Lock()
		full := len(s.conns) >= maxConnections
		if !full {
			s.conns[conn] = true
			s.work.Add(1)
		}
		s.mu.Unlock()
		if full {
			conn.Close()
			continue
		}
		go func() {
			defer s.work.Done()
			err := s.serve(conn)
			conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				s.cfg.Log.Debug("connection ended", "err", err)
			}
		}()
	}
}

// serve answers one connection until it ends.
func (s *Server) serve(conn net.Conn) error {
	in := bufio.NewReaderSize(conn, 64<<10)
	conn.SetReadDeadline(time.Now().Add(helloTimeout))
	hello, err := protocol.Read[protocol.WorkerHello](in)
	if err != nil {
		return err
	}
	conn.SetReadDeadline(time.Time{})
	if hello.Version != protocol.WorkerVersion {
		// The greeting tells the version that is spoken here; there is nothing else to say.
		return protocol.WriteMessage(conn, &protocol.Greeting{Version: protocol.WorkerVersion})
	}
	switch hello.Purpose {
	case protocol.PurposeControl:
		return s.serveControl(conn, in)
	case protocol.PurposeLogs:
		return s.serveLogs(conn, in)
	case protocol.PurposeFetch:
		return s.serveFetch(conn, in)
	case protocol.PurposeMeasure:
		return s.serveMeasure(conn, in)
	case protocol.PurposeStdin:
		return s.serveStdin(conn, in)
	}
	return fmt.Errorf("%w: purpose %q", protocol.ErrInvalid, hello.Purpose)
}

// serveControl takes the place of an older control connection.
func (s *Server) serveControl(conn net.Conn, in io.Reader) error {
	out := newOutbox(conn)
	go out.write()
	defer func() { <-out.done }()
	s.mu.Lock()
	if s.control != nil {
		s.control.close(net.ErrClosed)
	}
	s.control = out
	out.send(s.greeting())
	s.mu.Unlock()
	err := s.readControl(in, out)
	s.mu.Lock()
	if s.control == out {
		s.control = nil
	}
	s.mu.Unlock()
	out.close(err)
	return err
}

func (s *Server) readControl(in io.Reader, out *outbox) error {
	for {
		m, err := protocol.ReadMessage(in)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *protocol.Run:
			s.run(*m)
		case *protocol.Kill:
			s.kill(m.ID, m.GraceSeconds)
		case *protocol.Release:
			s.release(m.ID)
		case *protocol.Measure:
			reading, err := s.measure(m.Seq)
			if err != nil {
				return err
			}
			out.send(reading)
		default:
			return fmt.Errorf("%w: %T on a control connection", protocol.ErrKind, m)
		}
	}
}

// greeting lists the tasks. Where their outputs would make it too large, the
// publisher has to fetch them.
func (s *Server) greeting() *protocol.Greeting {
	g := &protocol.Greeting{Version: protocol.WorkerVersion}
	size := len(s.tasks) * maxInfo
	for id, t := range s.tasks {
		info := protocol.TaskInfo{ID: id}
		if t.exited != nil {
			e := *t.exited
			for _, part := range append([][]byte{e.Manifest, e.Stdout.Inline, e.Stderr.Inline}, e.Inline...) {
				size += len(part)
			}
			if size > maxGreeting {
				e.Manifest, e.Inline, e.Stdout.Inline, e.Stderr.Inline = nil, nil, nil, nil
			}
			info.Exited = &e
		}
		g.Tasks = append(g.Tasks, info)
	}
	return g
}

func (s *Server) measure(seq uint64) (*protocol.Reading, error) {
	r, err := s.cfg.Measure()
	if err != nil {
		return nil, err
	}
	return &protocol.Reading{Seq: seq, TimeNS: r.Time.UnixNano(), Usage: r.Usage}, nil
}

func (s *Server) serveMeasure(conn net.Conn, in io.Reader) error {
	for {
		m, err := protocol.Read[protocol.Measure](in)
		if err != nil {
			return err
		}
		reading, err := s.measure(m.Seq)
		if err != nil {
			return err
		}
		conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err := protocol.WriteMessage(conn, reading); err != nil {
			return err
		}
	}
}

// run starts a task, or answers for one that is known as the first time.
func (s *Server) run(r protocol.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tasks[r.ID]; t != nil {
		if t.started {
			s.emit(&protocol.Started{ID: r.ID})
		}
		if t.exited != nil {
			s.emit(t.exited)
		}
		return
	}
	if len(s.tasks) >= maxTasks {
		s.emit(&protocol.Exited{ID: r.ID, Class: protocol.ClassStart, Message: fmt.Sprintf("%v: %d are held", ErrBusy, maxTasks), Code: -1})
		return
	}
	t := newTask(r, s.cfg.Dir)
	if r.Stdin {
		var err error
		if t.feed, err = newFeed(); err != nil {
			out := &protocol.Exited{ID: r.ID, Code: -1}
			explain(out, fmt.Errorf("%w: %w", ErrStart, err))
			s.emit(out)
			return
		}
	}
	s.tasks[r.ID] = t
	if s.came != nil {
		close(s.came)
		s.came = nil
	}
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		exited := s.attempt(t)
		s.mu.Lock()
		defer s.mu.Unlock()
		t.exited = exited
		close(t.done)
		s.emit(exited)
		if t.released {
			s.discard(t)
		}
	}()
}

// emit sends to the control connection, if there is one: a later one learns all
// from its greeting. The lock is held.
func (s *Server) emit(m protocol.Message) {
	if s.control != nil {
		s.control.send(m)
	}
}

func (s *Server) kill(id string, graceSeconds uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tasks[id]; t != nil {
		select {
		case t.kills <- time.Duration(graceSeconds) * time.Second:
		default: // enough of them wait already
		}
	}
}

// release forgets a task once it has ended and its files are gone.
func (s *Server) release(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[id]
	if t == nil || t.released {
		return
	}
	t.released = true
	if t.exited != nil {
		s.discard(t)
	}
}

// discard deletes what a task has left, then forgets it: until then its ID is
// known, and a second Run of it is answered as the first was. The lock is held.
func (s *Server) discard(t *task) {
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		s.clean(t)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.tasks, t.run.ID)
	}()
}

// ended returns a task that has ended.
func (s *Server) ended(id string) (*task, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[id]
	if t == nil || t.exited == nil || t.released {
		return nil, fmt.Errorf("%w: %q has not ended, or is not known", ErrTask, id)
	}
	return t, nil
}
