package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	gorunc "github.com/containerd/go-runc"

	"github.com/zennet/zennet/provider/meter"
)

// Config is what an operator decides.
type Config struct {
	Dir    string       // all state; made if missing, for root only; one process at a time
	Worker string       // path of the zennet-worker binary
	Label  string       // names the cgroups: /zennet/<Label>/<ID>; unique on the machine
	Log    *slog.Logger // nil = none
}

// Spec is one container.
type Spec struct {
	ID       string   // 1–64 of [a-zA-Z0-9_.-], begins with a letter or digit
	Image    string   // "host", a rootfs folder, or a .tar, .tar.gz or .tgz file
	MilliCPU uint32   // 1000 = one core
	Memory   uint64   // bytes, page cache and tmpfs included; there is no swap
	Disk     uint64   // bytes of scratch at /work
	Pids     uint32   // processes and threads of tasks
	Blobs    string   // host folder, read-only at /zennet/blobs; "" = none; others must have the right to read it
	Args     []string // the worker's arguments; default "serve"
}

// Runc runs containers. It is safe for concurrent use.
type Runc struct {
	cfg       Config
	runc      gorunc.Runc
	worker    string // our own copy of Config.Worker
	hierarchy hierarchy
	noSwap    bool
	uids      string

	locks    keyed      // one Start, Freeze, Thaw or Remove a container at once
	images   sync.Mutex // one unpacking at once; guards archives
	archives map[archiveID]string
	read     atomic.Uint64 // bytes of archives

	mu       sync.Mutex
	inits    map[string]*process // first processes that were seen alive
	versions map[string]string   // "" = the image does not have the program
}

// stopTime bounds how long the end of a container may take.
const stopTime = 20 * time.Second

// NewRunc opens the runtime's folder. It starts and removes no container: call
// List for what an earlier process left. ErrHost says what the machine lacks.
func NewRunc(cfg Config) (*Runc, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: only root can make them", ErrHost)
	}
	if !idPattern.MatchString(cfg.Label) {
		return nil, fmt.Errorf("%w: label %q", ErrSpec, cfg.Label)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	binary, err := program("runc")
	if err != nil {
		return nil, err
	}
	if _, err := program("mkfs.ext4"); err != nil {
		return nil, err
	}
	r := &Runc{uids: uidDir, archives: map[archiveID]string{}, inits: map[string]*process{}, versions: map[string]string{}}
	if r.hierarchy, err = hierarchies(); err != nil {
		return nil, err
	}
	r.noSwap = r.hierarchy.accountsSwap()
	if cfg.Dir, err = ownFolder(cfg.Dir); err != nil {
		return nil, err
	}
	r.cfg = cfg
	r.removeLabel()
	if r.worker, err = copyWorker(cfg.Worker, cfg.Dir); err != nil {
		return nil, err
	}
	// With its parent's death runc dies too: else it could start a container that a
	// new process on this folder has just removed.
	r.runc = gorunc.Runc{Command: binary, Root: filepath.Join(cfg.Dir, "runc"), PdeathSignal: syscall.SIGKILL}
	return r, nil
}

// program finds a program of the system, also where PATH lacks sbin.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: no program %s", ErrHost, name)
}

// ownFolder makes the runtime's folder and returns its real path, which is what
// the kernel will tell of files in it.
func ownFolder(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("runtime folder: %w", err)
	}
	for _, sub := range []string{"", "bundles", "images", "runc", "worker"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return "", fmt.Errorf("runtime folder: %w", err)
		}
	}
	parts, err := filepath.Glob(filepath.Join(dir, "images", partPrefix+"*"))
	if err != nil {
		return "", fmt.Errorf("runtime folder: %w", err)
	}
	for _, part := range parts {
		os.RemoveAll(part)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", fmt.Errorf("runtime folder: %w", err)
	}
	return dir, nil
}

// copyWorker keeps the worker's binary in the runtime's folder under its hash,
// readable by all, so that containers do not depend on where it was built and an
// upgrade does not change those that run.
func copyWorker(from, dir string) (string, error) {
	data, err := os.ReadFile(from)
	if err != nil {
		return "", fmt.Errorf("%w: worker: %v", ErrHost, err)
	}
	sum := sha256.Sum256(data)
	path := filepath.Join(dir, "worker", hex.EncodeToString(sum[:16]))
	if info, err := os.Stat(path); err == nil && info.Size() == int64(len(data)) && info.Mode().Perm() == 0o755 {
		return path, nil
	}
	part := path + ".part"
	if err = os.WriteFile(part, data, 0o755); err == nil {
		if err = os.Chmod(part, 0o755); err == nil {
			err = os.Rename(part, path)
		}
	}
	if err != nil {
		return "", fmt.Errorf("keep worker: %w", err)
	}
	return path, nil
}

// Start makes a container and starts its worker, which can be dialled when Start
// returns. A failed Start leaves nothing behind. ErrExists where the ID is taken,
// ErrSpec, ErrImage, ErrHost or ErrRunc for what they say.
func (r *Runc) Start(ctx context.Context, s Spec) error {
	if err := s.Validate(); err != nil {
		return err
	}
	unlock, err := r.locks.lock(ctx, s.ID)
	if err != nil {
		return err
	}
	defer unlock()
	bundle := r.bundle(s.ID)
	r.mu.Lock() // against the last Remove, which takes the label's cgroup away
	err = os.Mkdir(bundle, 0o700)
	r.mu.Unlock()
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, s.ID)
	} else if err != nil {
		return fmt.Errorf("start %s: %w", s.ID, err)
	}
	if err := r.start(ctx, s, bundle); err != nil {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		if e := r.remove(after, s.ID); e != nil {
			r.cfg.Log.Warn("container that did not start is not removed", "id", s.ID, "err", e)
		}
		return fmt.Errorf("start %s: %w", s.ID, err)
	}
	return nil
}

func (r *Runc) start(ctx context.Context, s Spec, bundle string) error {
	image, err := r.rootOf(s.Image)
	if err != nil {
		return err
	}
	p := place{worker: r.worker, cgroup: r.cgroup(s.ID), noSwap: r.noSwap, cgroups: true}
	if p.uid, err = claimUID(r.uids, bundle); err != nil {
		return err
	}
	if p.binds, err = prepareRoot(bundle, image, p.uid); err != nil {
		return err
	}
	scratch := filepath.Join(bundle, scratchFile)
	if err := makeScratch(ctx, scratch, s.Disk, p.uid); err != nil {
		return err
	}
	device, err := attach(scratch)
	if err != nil {
		return err
	}
	defer device.Close()
	p.device = device.Name()
	if err := writeJSON(filepath.Join(bundle, configFile), bundleSpec(s, p)); err != nil {
		return err
	}
	socket, err := listen(bundle)
	if err != nil {
		return err
	}
	defer socket.Close()
	log, err := os.OpenFile(filepath.Join(bundle, logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	_, err = r.runc.Run(ctx, s.ID, bundle, &gorunc.CreateOpts{
		Detach: true, PidFile: filepath.Join(bundle, pidFile), IO: logOnly{log}, ExtraFiles: []*os.File{socket}})
	if err != nil {
		return fmt.Errorf("%w: %v: %s", ErrRunc, err, tail(log.Name()))
	}
	r.watch(s.ID)
	return nil
}

// listen makes the worker's listening socket. Its path may be longer than a
// socket's address: the folder is named by a descriptor.
func listen(bundle string) (*os.File, error) {
	dir, err := os.Open(bundle)
	if err != nil {
		return nil, fmt.Errorf("worker's socket: %w", err)
	}
	defer dir.Close()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: socketPath(dir)})
	if err != nil {
		return nil, fmt.Errorf("worker's socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	defer l.Close()
	f, err := l.File()
	if err != nil {
		return nil, fmt.Errorf("worker's socket: %w", err)
	}
	return f, nil
}

func socketPath(dir *os.File) string {
	return "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + socketFile
}

// Dial connects to the container's worker. ErrNotRunning where that has ended.
func (r *Runc) Dial(ctx context.Context, id string) (net.Conn, error) {
	if err := r.exists(id); err != nil {
		return nil, err
	}
	dir, err := os.Open(r.bundle(id))
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", id, err)
	}
	defer dir.Close()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socketPath(dir))
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("dial %s: %w", id, ErrNotRunning)
	}
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", id, err)
	}
	return conn, nil
}

// Remove kills the container and deletes all that belongs to it. Removing what is
// not there is no error; what an earlier process left half made goes too.
func (r *Runc) Remove(ctx context.Context, id string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("%w: ID %q", ErrSpec, id)
	}
	unlock, err := r.locks.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	return r.remove(ctx, id)
}

func (r *Runc) remove(ctx context.Context, id string) error {
	bundle := r.bundle(id)
	if _, err := os.Lstat(bundle); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// Its processes die first and without runc, which would wait for them in steps of
	// 100 ms. A runc that has died half-way has left a cgroup, perhaps, and no state.
	if err := r.hierarchy.kill(ctx, r.cgroup(id)); err != nil {
		return fmt.Errorf("remove %s: %w", id, err)
	}
	state := filepath.Join(r.runc.Root, id)
	if _, err := os.Lstat(state); err == nil {
		if err := r.runc.Delete(ctx, id, &gorunc.DeleteOpts{Force: true}); err != nil {
			r.cfg.Log.Debug("runc delete", "id", id, "err", err)
		}
		if err := os.RemoveAll(state); err != nil {
			return fmt.Errorf("remove %s: %w", id, err)
		}
	}
	if err := detached(ctx, filepath.Join(bundle, scratchFile)); err != nil {
		return fmt.Errorf("remove %s: %w", id, err)
	}
	if err := releaseUID(r.uids, bundle); err != nil {
		return fmt.Errorf("remove %s: %w", id, err)
	}
	r.forget(id)
	if err := os.RemoveAll(bundle); err != nil {
		return fmt.Errorf("remove %s: %w", id, err)
	}
	r.removeLabel()
	return nil
}

// removeLabel removes the label's cgroup where there is no container.
func (r *Runc) removeLabel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if left, err := os.ReadDir(filepath.Join(r.cfg.Dir, "bundles")); err == nil && len(left) == 0 {
		r.hierarchy.removeEmpty("/zennet/" + r.cfg.Label)
	}
}

// List returns the IDs of the containers in this runtime's folder, sorted: also
// those that do not run, those that were only half made, and those of an earlier
// process.
func (r *Runc) List(ctx context.Context) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(r.cfg.Dir, "bundles"))
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var ids []string
	for _, entry := range entries {
		if idPattern.MatchString(entry.Name()) {
			ids = append(ids, entry.Name())
		}
	}
	return ids, ctx.Err()
}

// Cgroup says where the container's counters are.
func (r *Runc) Cgroup(id string) meter.Paths { return r.hierarchy.paths(r.cgroup(id)) }

// logOnly gives runc and the worker no input, no output, and a file for stderr.
type logOnly struct{ log *os.File }

func (logOnly) Stdin() io.WriteCloser   { return nil }
func (logOnly) Stdout() io.ReadCloser   { return nil }
func (logOnly) Stderr() io.ReadCloser   { return nil }
func (logOnly) Close() error            { return nil }
func (l logOnly) Set(command *exec.Cmd) { command.Stderr = l.log }

// tail returns the end of a small log, for an error message.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	if len(data) > 1000 {
		data = data[len(data)-1000:]
	}
	return strings.TrimSpace(string(data))
}

// keyed is one lock a key.
type keyed struct {
	mu   sync.Mutex
	held map[string]chan struct{}
}

// lock takes the key's lock, or gives up with ctx.
func (k *keyed) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		k.mu.Lock()
		if k.held == nil {
			k.held = map[string]chan struct{}{}
		}
		busy, taken := k.held[key]
		if !taken {
			mine := make(chan struct{})
			k.held[key] = mine
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.held, key)
				k.mu.Unlock()
				close(mine)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, fmt.Errorf("container %s is busy: %w", key, ctx.Err())
		}
	}
}
