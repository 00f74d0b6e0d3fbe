package runtime

import (
	goruntime "runtime"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// seccomp is the filter of every process of a container: an allow-list. What is
// on neither list fails with ENOSYS, as on a kernel that does not have it, so
// that libraries fall back; what is dangerous fails with EPERM, so that a log
// says what happened. DECISIONS.md has the reasons.
func seccomp() *specs.LinuxSeccomp {
	enosys, eperm := uint(syscall.ENOSYS), uint(syscall.EPERM)
	allow := func(name string, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
		return specs.LinuxSyscall{Names: []string{name}, Action: specs.ActAllow, Args: args}
	}
	rules := []specs.LinuxSyscall{
		{Names: allowed, Action: specs.ActAllow},
		{Names: refused, Action: specs.ActErrno, ErrnoRet: &eperm},
		// clone without a new namespace; clone3 passes its flags by pointer, where a filter
		// cannot look, so that it must seem absent: then the C library uses clone.
		allow("clone", specs.LinuxSeccompArg{Index: 0, Value: namespaceFlags, ValueTwo: 0, Op: specs.OpMaskedEqual}),
		{Names: []string{"clone3"}, Action: specs.ActErrno, ErrnoRet: &enosys},
	}
	for _, family := range []uint64{syscall.AF_UNIX, syscall.AF_INET, syscall.AF_INET6, syscall.AF_NETLINK} {
		// Others, AF_VSOCK and AF_ALG among them, reach past the network namespace or far
		// into the kernel.
		rules = append(rules, allow("socket", specs.LinuxSeccompArg{Index: 0, Value: family, Op: specs.OpEqualTo}))
	}
	for _, persona := range []uint64{0, 0x0008, 0x20000, 0x20008, 0xffffffff} {
		// Linux, 32-bit addresses, uname of 2.6, and the question which it is.
		rules = append(rules, allow("personality", specs.LinuxSeccompArg{Index: 0, Value: persona, Op: specs.OpEqualTo}))
	}
	// Named pipes are made by the same call as devices.
	for name, mode := range map[string]uint{"mknod": 1, "mknodat": 2} {
		kind := func(k uint64) specs.LinuxSeccompArg {
			return specs.LinuxSeccompArg{Index: mode, Value: syscall.S_IFMT, ValueTwo: k, Op: specs.OpMaskedEqual}
		}
		rules = append(rules, allow(name, kind(syscall.S_IFIFO)))
		for _, device := range []uint64{syscall.S_IFCHR, syscall.S_IFBLK} {
			rules = append(rules, specs.LinuxSyscall{Names: []string{name}, Action: specs.ActErrno, ErrnoRet: &eperm, Args: []specs.LinuxSeccompArg{kind(device)}})
		}
	}
	return &specs.LinuxSeccomp{
		DefaultAction:   specs.ActErrno,
		DefaultErrnoRet: &enosys,
		Architectures:   architectures[goruntime.GOARCH],
		Syscalls:        rules,
	}
}

// namespaceFlags are the bits of clone's flags that make namespaces: CLONE_NEWNS,
// NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (linux/sched.h).
const namespaceFlags = 0x7e020000

// architectures has the native one only: a process that makes a 32-bit call is
// killed, for that second table of calls would need a filter of its own.
var architectures = map[string][]specs.Arch{
	"amd64": {specs.ArchX86_64},
	"arm64": {specs.ArchAARCH64},
}

// refused are calls that reach the kernel's administration, other processes or
// files outside of the container's view.
var refused = []string{
	// mounts, roots and namespaces
	"mount", "umount", "umount2", "pivot_root", "chroot", "fsopen", "fsconfig", "fsmount", "fspick",
	"open_tree", "move_mount", "mount_setattr", "unshare", "setns", "swapon", "swapoff", "quotactl", "quotactl_fd",
	// other processes
	"ptrace", "kcmp", "pidfd_getfd", "process_madvise",
	// files by handle, devices
	"open_by_handle_at", "name_to_handle_at", "fanotify_init",
	// the kernel itself
	"init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms",
	"kexec_load", "kexec_file_load", "reboot", "bpf", "perf_event_open", "userfaultfd", "syslog", "acct",
	"iopl", "ioperm", "lookup_dcookie", "nfsservctl", "uselib", "ustat", "sysfs", "_sysctl", "vhangup", "vm86", "vm86old",
	// keys are not in any namespace
	"add_key", "keyctl", "request_key",
	// clocks and names
	"settimeofday", "stime", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex",
	"sethostname", "setdomainname",
	// kernel memory attacked often, needed by nearly nobody
	"io_uring_setup", "io_uring_enter", "io_uring_register",
}

// allowed are the calls that ordinary programs make.
var allowed = []string{
	// files
	"access", "chdir", "chmod", "chown", "chown32", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3",
	"faccessat", "faccessat2", "fadvise64", "fadvise64_64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2",
	"fchown", "fchown32", "fchownat", "fcntl", "fcntl64", "fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr",
	"fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate", "ftruncate64", "futimesat",
	"getcwd", "getdents", "getdents64", "getxattr", "inotify_add_watch", "inotify_init", "inotify_init1",
	"inotify_rm_watch", "ioctl", "lchown", "lchown32", "lgetxattr", "link", "linkat", "listxattr", "llistxattr",
	"lremovexattr", "lseek", "_llseek", "lsetxattr", "lstat", "lstat64", "mkdir", "mkdirat", "newfstatat", "open",
	"openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
	"readlink", "readlinkat", "readv", "removexattr", "rename", "renameat", "renameat2", "rmdir", "sendfile",
	"sendfile64", "setxattr", "splice", "stat", "stat64", "statfs", "statfs64", "statx", "symlink", "symlinkat",
	"sync", "sync_file_range", "sync_file_range2", "syncfs", "tee", "truncate", "truncate64", "umask", "unlink",
	"unlinkat", "utime", "utimensat", "utimensat_time64", "utimes", "vmsplice", "write", "writev", "cachestat",
	// memory
	"brk", "madvise", "membarrier", "memfd_create", "mincore", "mlock", "mlock2", "mlockall", "mmap", "mmap2",
	"mprotect", "mremap", "mseal", "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free",
	"pkey_mprotect", "remap_file_pages", "map_shadow_stack", "get_mempolicy",
	// processes and threads
	"capget", "capset", "execve", "execveat", "exit", "exit_group", "fork", "vfork", "getcpu", "getegid", "getegid32",
	"geteuid", "geteuid32", "getgid", "getgid32", "getgroups", "getgroups32", "getpgid", "getpgrp", "getpid", "getppid",
	"getpriority", "getresgid", "getresgid32", "getresuid", "getresuid32", "getrlimit", "ugetrlimit", "getrusage",
	"getsid", "gettid", "getuid", "getuid32", "ioprio_get", "ioprio_set", "kill", "pidfd_open", "pidfd_send_signal",
	"prctl", "arch_prctl", "prlimit64", "process_mrelease", "process_vm_readv", "process_vm_writev", "rseq",
	"sched_getaffinity", "sched_getattr", "sched_getparam", "sched_get_priority_max", "sched_get_priority_min",
	"sched_getscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64", "sched_setaffinity",
	"sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield", "seccomp", "setfsgid", "setfsgid32",
	"setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups", "setgroups32", "setpgid", "setpriority", "setregid",
	"setregid32", "setresgid", "setresgid32", "setresuid", "setresuid32", "setreuid", "setreuid32", "setrlimit",
	"set_robust_list", "get_robust_list", "setsid", "set_tid_address", "setuid", "setuid32", "tgkill", "tkill",
	"wait4", "waitid", "waitpid", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
	"set_thread_area", "get_thread_area",
	// signals and time
	"alarm", "clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64", "clock_nanosleep",
	"clock_nanosleep_time64", "getitimer", "gettimeofday", "nanosleep", "pause", "restart_syscall", "rt_sigaction",
	"rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
	"rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "setitimer", "sigaltstack", "signalfd", "signalfd4", "sigreturn",
	"time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime",
	"timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64", "timerfd_settime",
	"timerfd_settime64", "times",
	// waiting, and talking to each other
	"accept", "accept4", "bind", "connect", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old",
	"epoll_pwait", "epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "futex", "futex_time64",
	"futex_waitv", "futex_wait", "futex_wake", "futex_requeue", "getpeername", "getsockname", "getsockopt",
	"io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_pgetevents_time64", "io_setup", "io_submit",
	"ipc", "listen", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64",
	"mq_timedsend", "mq_timedsend_time64", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "_newselect", "pipe",
	"pipe2", "poll", "ppoll", "ppoll_time64", "pselect6", "pselect6_time64", "recv", "recvfrom", "recvmmsg",
	"recvmmsg_time64", "recvmsg", "select", "semctl", "semget", "semop", "semtimedop", "semtimedop_time64", "send",
	"sendmmsg", "sendmsg", "sendto", "setsockopt", "shmat", "shmctl", "shmdt", "shmget", "shutdown", "socketpair",
	// the machine
	"getrandom", "sysinfo", "uname",
}
