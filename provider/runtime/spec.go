package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Where a container finds things. These paths are part of the worker's contract.
const (
	workerPath  = "/zennet/worker"
	blobsPath   = "/zennet/blobs"
	scratchPath = "/work"
)

// The least that a container can be.
const (
	MinMilliCPU = 10
	MinMemory   = 16 << 20 // bytes; less, and runc and the worker themselves do not fit
	MinDisk     = 1 << 20  // bytes; less, and ext4 cannot be made
	MinPids     = 4
)

const (
	// workerPids is room for the worker's own threads beside the tasks' processes.
	// The worker keeps tasks below the container's limit, so that a fork bomb
	// cannot take the threads that it needs to stop it.
	workerPids = 48
	cpuPeriod  = 100_000 // µs
)

var idPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$`)

// Validate says why a container cannot be, or nil.
func (s Spec) Validate() error {
	switch {
	case !idPattern.MatchString(s.ID):
		return fmt.Errorf("%w: ID %q", ErrSpec, s.ID)
	case s.Image == "":
		return fmt.Errorf("%w: no image", ErrSpec)
	case s.MilliCPU < MinMilliCPU:
		return fmt.Errorf("%w: %d thousandths of a core, at least %d", ErrSpec, s.MilliCPU, MinMilliCPU)
	case s.Memory < MinMemory || s.Memory > 1<<50:
		return fmt.Errorf("%w: %d bytes of memory, at least %d", ErrSpec, s.Memory, MinMemory)
	case s.Disk < MinDisk || s.Disk > 1<<44:
		return fmt.Errorf("%w: %d bytes of disk, at least %d and at most 16 TiB", ErrSpec, s.Disk, MinDisk)
	case s.Pids < MinPids || s.Pids > 1<<20:
		return fmt.Errorf("%w: %d processes, at least %d", ErrSpec, s.Pids, MinPids)
	}
	if s.Blobs != "" {
		info, err := os.Stat(s.Blobs)
		if err != nil {
			return fmt.Errorf("%w: blobs: %v", ErrSpec, err)
		}
		if !info.IsDir() || info.Mode().Perm()&0o005 != 0o005 || !filepath.IsAbs(s.Blobs) {
			return fmt.Errorf("%w: blobs: %s is not an absolute path of a folder that others may read (mode %v)", ErrSpec, s.Blobs, info.Mode())
		}
	}
	return nil
}

// place is what Start has prepared for a container.
type place struct {
	uid     uint32
	binds   []specs.Mount // the image's parts
	worker  string        // host path of the binary
	device  string        // block device of the scratch volume
	cgroup  string        // cgroupsPath
	noSwap  bool          // the kernel accounts swap, so that it can be forbidden
	cgroups bool          // mount the container's own cgroups, read-only
}

// bundle is the OCI configuration of a container.
func bundleSpec(s Spec, p place) *specs.Spec {
	args := append([]string{workerPath}, s.Args...)
	if len(s.Args) == 0 {
		args = append(args, "serve")
	}
	procs := min(goruntime.NumCPU(), max(2, int(s.MilliCPU+999)/1000))
	adj := 200
	return &specs.Spec{
		Version:  "1.0.2",
		Hostname: "zennet",
		Root:     &specs.Root{Path: "rootfs", Readonly: true},
		Process: &specs.Process{
			User: specs.User{UID: p.uid, GID: p.uid},
			Args: args,
			Cwd:  scratchPath,
			Env: []string{
				"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
				"HOME=" + scratchPath, "LANG=C.UTF-8",
				"GOMAXPROCS=" + strconv.Itoa(procs),
				"GOMEMLIMIT=" + strconv.FormatUint(max(s.Memory/4, 32<<20), 10), // the rest is for the tasks
				"ZENNET_PIDS=" + strconv.FormatUint(uint64(s.Pids), 10),
			},
			Capabilities:    &specs.LinuxCapabilities{},
			NoNewPrivileges: true,
			OOMScoreAdj:     &adj, // before the host's own programs
			Rlimits: []specs.POSIXRlimit{
				rlimit("RLIMIT_NOFILE", unix.RLIMIT_NOFILE, 1024, 65536),
				// 1, not 0: a core_pattern that pipes to a program of the host ignores 0 (core(5)).
				rlimit("RLIMIT_CORE", unix.RLIMIT_CORE, 1, 1),
				rlimit("RLIMIT_MEMLOCK", unix.RLIMIT_MEMLOCK, 8<<20, 8<<20),
			},
		},
		Mounts: mounts(s, p),
		Linux: &specs.Linux{
			CgroupsPath:       p.cgroup,
			RootfsPropagation: "private",
			Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.IPCNamespace},
				{Type: specs.UTSNamespace}, {Type: specs.MountNamespace}, {Type: specs.CgroupNamespace}},
			Resources:     resources(s, p),
			Seccomp:       seccomp(),
			MaskedPaths:   masked,
			ReadonlyPaths: readonly,
		},
	}
}

// rlimit is a limit of processes. It is not above our own: raising that takes a
// capability (CAP_SYS_RESOURCE) that root may lack where it is confined itself.
func rlimit(name string, which int, soft, hard uint64) specs.POSIXRlimit {
	var own unix.Rlimit
	if err := unix.Getrlimit(which, &own); err == nil {
		hard = min(hard, own.Max)
	}
	return specs.POSIXRlimit{Type: name, Soft: min(soft, hard), Hard: hard}
}

func resources(s Spec, p place) *specs.LinuxResources {
	memory, pids := int64(s.Memory), int64(s.Pids)+workerPids
	period, quota := uint64(cpuPeriod), int64(s.MilliCPU)*cpuPeriod/1000
	shares := max(2, uint64(s.MilliCPU)*1024/1000)
	r := &specs.LinuxResources{
		Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}},
		Memory:  &specs.LinuxMemory{Limit: &memory},
		CPU:     &specs.LinuxCPU{Period: &period, Quota: &quota, Shares: &shares},
		Pids:    &specs.LinuxPids{Limit: pids},
	}
	if p.noSwap {
		r.Memory.Swap = &memory // of memory and swap together
	}
	return r
}

func mounts(s Spec, p place) []specs.Mount {
	tmpfs := func(at string, bytes uint64, more ...string) specs.Mount {
		return specs.Mount{Destination: at, Type: "tmpfs", Source: "tmpfs",
			Options: append([]string{"nosuid", "nodev", "size=" + strconv.FormatUint(bytes, 10)}, more...)}
	}
	list := append([]specs.Mount{}, p.binds...)
	list = append(list,
		specs.Mount{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "nodev", "noexec"}},
		specs.Mount{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "noexec", "strictatime", "mode=755", "size=64k"}},
		specs.Mount{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0600", "max=64"}},
		// Shared memory and /tmp are memory, and count as such.
		tmpfs("/dev/shm", s.Memory/2, "noexec", "mode=1777"),
		tmpfs("/tmp", min(s.Memory/4, 256<<20), "mode=1777"),
		specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		// The kernel mounts the volume inside the container alone, so that it goes with it.
		specs.Mount{Destination: scratchPath, Type: "ext4", Source: p.device, Options: []string{"rw", "nosuid", "nodev", "noatime", "noinit_itable"}},
		specs.Mount{Destination: workerPath, Type: "bind", Source: p.worker, Options: bindFile},
	)
	if p.cgroups {
		list = append(list, specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "ro"}})
	}
	if s.Blobs != "" {
		list = append(list, specs.Mount{Destination: blobsPath, Type: "bind", Source: s.Blobs, Options: []string{"bind", "ro", "nosuid", "nodev", "noexec", "private"}})
	}
	return list
}

var (
	bindFile = []string{"bind", "ro", "nosuid", "nodev", "private"}
	bindTree = []string{"rbind", "rro", "nosuid", "nodev", "rprivate"}
)

// masked and readonly are parts of procfs and sysfs that tell about the host, or
// change it. An unprivileged user cannot write most of them anyway.
var (
	masked = []string{"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/kmsg",
		"/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
		"/sys/devices/virtual/dmi", "/sys/devices/virtual/powercap", "/sys/firmware"}
	readonly = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)
