package conformance

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/runtime"
)

// walls: what a task tries against the host, and what stops it. Each script exits
// with 0 only if it was stopped, and prints how.
func (s *suite) walls(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	abstract, err := net.Listen("unix", "@zennet-conformance")
	if err != nil {
		t.Fatal(err)
	}
	defer abstract.Close()
	blobs := temp(t)
	if err := os.WriteFile(filepath.Join(blobs, "blob"), []byte("pushed"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := s.start(t, func(sp *runtime.Spec) { sp.Blobs = blobs })

	for _, w := range []struct{ name, script string }{
		{"root's home", `ls /root && exit 1; ls /home && exit 1; ls /var && exit 1; ls /boot && exit 1; ls /srv && exit 1; ls /run && exit 1; exit 0`},
		{"passwords and users", `cat /etc/shadow && exit 1; test $(wc -l < /etc/passwd) -le 3; test ! -e /etc/ssh; test ! -e /etc/hostname`},
		{"root is read-only", `touch /x && exit 1; touch /usr/x && exit 1; touch /etc/x && exit 1; touch /dev/x && exit 1; touch /zennet/x && exit 1; touch /sys/x && exit 1; touch /sys/fs/cgroup/x && exit 1; exit 0`},
		{"worker is read-only", `echo > /zennet/worker && exit 1; rm /zennet/worker && exit 1; mv /zennet/worker /zennet/w && exit 1; exit 0`},
		{"blobs are read-only", `test "$(cat /zennet/blobs/blob)" = pushed || exit 1; touch /zennet/blobs/x && exit 1; echo > /zennet/blobs/blob && exit 1; exit 0`},
		{"host's processes", `test $(ls -d /proc/[0-9]* | wc -l) -le 8 || exit 1; kill -0 ` + fmt.Sprint(os.Getpid()) + ` 2>/dev/null && exit 1; exit 0`},
		{"worker's memory and files", `cat /proc/1/environ && exit 1; head -c 1 /proc/1/mem && exit 1; ls /proc/1/fd && exit 1; ls -l /proc/1/cwd && exit 1; readlink /proc/1/exe && exit 1; exit 0`},
		{"capabilities", `grep -q 'CapEff:.0000000000000000' /proc/self/status && grep -q 'CapBnd:.0000000000000000' /proc/self/status && grep -q 'NoNewPrivs:.1' /proc/self/status && grep -q 'Seccomp:.2' /proc/self/status`},
		{"mounts", `mount -t tmpfs x /tmp && exit 1; mount --bind /usr /tmp && exit 1; mount -o remount,rw /usr && exit 1; umount /usr && exit 1; exit 0`},
		{"namespaces", `unshare -U true && exit 1; unshare -m true && exit 1; nsenter -t 1 -m true && exit 1; exit 0`},
		{"setuid programs", `su -c true </dev/null && exit 1; test "$(id -u)" -ge 700000`},
		{"raw devices", `ls /dev/vda /dev/sda /dev/loop0 /dev/loop-control /dev/mem /dev/kmsg /dev/fuse /dev/net/tun 2>/dev/null && exit 1; exit 0`},
		{"own devices", `mknod /work/dev b 7 0 && exit 1; mknod /tmp/dev c 1 1 && exit 1; exit 0`},
		{"kernel settings", `echo 1 > /proc/sys/kernel/core_pattern && exit 1; echo b > /proc/sysrq-trigger && exit 1; echo 1 > /proc/sys/vm/drop_caches && exit 1; echo c > /proc/self/oom_score_adj; exit 0`},
		{"kernel secrets", `test -s /proc/kcore && exit 1; test -s /proc/keys && exit 1; ls /sys/firmware/* && exit 1; dmesg && exit 1; exit 0`},
		{"cgroups", `test "$(cat /proc/self/cgroup | grep -v ':/$')" = "" || exit 1; find /sys/fs/cgroup -name '*limit_in_bytes' -o -name memory.max -o -name pids.max | while read f; do echo 999999999 > $f && echo $f; done | grep . && exit 1; exit 0`},
		{"temporary folders are bounded", `head -c 200M /dev/zero > /tmp/fill && exit 1; rm /tmp/fill; exit 0`},
	} {
		t.Run(w.name, func(t *testing.T) {
			c.t = t
			expect(t, c.sh("sh "+w.name, "exec 2>&1; "+w.script), protocol.ClassOK, "")
		})
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for _, w := range []struct{ name, script string }{
		{"host's loopback", `
import socket
for family, at in ((socket.AF_INET, ("127.0.0.1", ` + port + `)), (socket.AF_INET, ("8.8.8.8", 53)), (socket.AF_UNIX, "\0zennet-conformance")):
    s = socket.socket(family, socket.SOCK_STREAM); s.settimeout(2)
    try: s.connect(at)
    except OSError as e: print(e)
    else: raise SystemExit("connected to %s" % (at,))
print(sorted(i[1] for i in socket.if_nameindex()))
assert [i[1] for i in socket.if_nameindex() if i[1] == "eth0"] == []
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); socket.create_connection(s.getsockname(), 2)
`},
		{"sockets past the namespace", `
import socket
for family, kind in ((40, 1), (38, 5), (17, 3), (31, 3)):
    try: socket.socket(family, kind)
    except OSError as e: print(e)
    else: raise SystemExit("socket of family %d" % family)
`},
		{"kernel interfaces", `
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
numbers = dict(ptrace=101, mount=165, umount2=166, pivot_root=155, chroot=161, unshare=272, setns=308, bpf=321, perf_event_open=298, userfaultfd=323,
    keyctl=250, add_key=248, request_key=249, kexec_load=246, init_module=175, finit_module=313, delete_module=176, open_by_handle_at=304,
    name_to_handle_at=303, reboot=169, swapon=167, settimeofday=164, io_uring_setup=425, fsopen=430, move_mount=429, open_tree=428,
    mount_setattr=442, acct=163, iopl=172, ioperm=173, syslog=103, quotactl=179, fanotify_init=300, pidfd_getfd=438, kcmp=312)
if os.uname().machine == "x86_64":
    for name, n in numbers.items():
        r = libc.syscall(n, 0, 0, 0, 0, 0, 0)
        e = ctypes.get_errno()
        assert r == -1 and e in (errno.EPERM, errno.ENOSYS), "%s: %d, %s" % (name, r, errno.errorcode.get(e))
        ctypes.set_errno(0)
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        r = libc.syscall(56, flag | 17, 0, 0, 0, 0)
        if r == 0: os._exit(0)
        assert r == -1, "clone with %x" % flag
    assert libc.syscall(435, 0, 0) == -1 and ctypes.get_errno() == errno.ENOSYS
`},
		{"other users", `
import os
for change in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.setresuid(0, 0, 0), lambda: os.chown("/work/tasks", 0, 0)):
    try: change()
    except OSError as e: print(e)
    else: raise SystemExit("changed")
`},
		{"files by handle", `
import os
for path in ("/proc/1/root/etc/shadow", "/proc/self/root/root", "/usr/../root", "/work/../../../root"):
    try: print(os.listdir(path))
    except OSError as e: print(e)
    else: raise SystemExit(path)
`},
	} {
		t.Run(w.name, func(t *testing.T) {
			c.t = t
			expect(t, c.python("py "+w.name, w.script), protocol.ClassOK, "")
		})
	}

	t.Run("cores go nowhere", func(t *testing.T) {
		c.t = t
		e := c.sh("core", "kill -SEGV $$")
		if e.Code != 139 || e.Class != protocol.ClassExit || !strings.Contains(e.Message, "SIGSEGV") {
			t.Errorf("got %s", describe(e))
		}
	})
	c.t = t
	c.alive("after")
}
