package runtime

import (
	"context"
	"log/slog"
	"net"

	"github.com/zennet/zennet/provider/meter"
)

// Config is what an operator decides.
type Config struct {
	Dir    string       // all state; made if missing, for root only
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
	Blobs    string   // host folder, read-only at /zennet/blobs; "" = none
	Args     []string // the worker's arguments; default "serve"
}

// State of a container.
type State string

const (
	Running State = "running"
	Frozen  State = "frozen"
	Stopped State = "stopped" // its first process ended
)

// Status is what is known of a container.
type Status struct {
	PID      int // of its first process, on the host; 0 once stopped
	State    State
	ExitCode int // of its first process, 128+n for signal n; -1 where unknown or still running
}

// Runc runs containers. It is safe for concurrent use.
type Runc struct{ cfg Config }

// NewRunc opens the runtime's folder.
func NewRunc(cfg Config) (*Runc, error) { return &Runc{cfg: cfg}, nil }

// Start makes and starts a container.
func (r *Runc) Start(ctx context.Context, s Spec) error { return ErrHost }

// Dial connects to the container's worker.
func (r *Runc) Dial(ctx context.Context, id string) (net.Conn, error) { return nil, ErrHost }

// Freeze stops all processes of the container until Thaw.
func (r *Runc) Freeze(ctx context.Context, id string) error { return ErrHost }

// Thaw lets a frozen container go on.
func (r *Runc) Thaw(ctx context.Context, id string) error { return ErrHost }

// Remove kills the container and deletes all that belongs to it.
func (r *Runc) Remove(ctx context.Context, id string) error { return ErrHost }

// List returns the IDs of the containers in this runtime's folder, running or not.
func (r *Runc) List(ctx context.Context) ([]string, error) { return nil, ErrHost }

// Status tells a container's state.
func (r *Runc) Status(ctx context.Context, id string) (Status, error) { return Status{}, ErrHost }

// Wait returns once the container's first process has ended.
func (r *Runc) Wait(ctx context.Context, id string) (Status, error) { return Status{}, ErrHost }

// Cgroup says where the container's counters are.
func (r *Runc) Cgroup(id string) meter.Paths { return meter.Paths{} }

// Versions tells the version of each program that the image has.
func (r *Runc) Versions(ctx context.Context, image string, programs []string) (map[string]string, error) {
	return nil, ErrHost
}
