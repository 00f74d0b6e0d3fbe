package conformance

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/meter"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/runtime"
)

// hogs: what takes all it can get hits the container's limits, is told so by
// class, and the worker runs the next task.
func (s *suite) hogs(t *testing.T) {
	c := s.start(t, func(sp *runtime.Spec) { sp.Memory, sp.Disk, sp.Pids = 128<<20, 32<<20, 40 })

	hog := func(name, class, word string, r protocol.Run) {
		t.Run(name, func(t *testing.T) {
			c.t = t
			r.ID = name
			e := c.run(r)
			if e.Class != class || !strings.Contains(e.Message, word) {
				t.Fatalf("got %s; want class %q with %q", describe(e), class, word)
			}
			// Until it is released, what it has written stays on the disk.
			if err := c.client.Release(name); err != nil {
				t.Fatal(err)
			}
			c.released(name)
			c.alive(name + " after")
		})
	}
	sh := func(script string) protocol.Run {
		return protocol.Run{Command: []string{"sh", "-c", script}, TimeoutSeconds: 20, GraceSeconds: 1}
	}
	py := func(script string) protocol.Run {
		return protocol.Run{Command: []string{"/usr/bin/python3", "-c", script}, TimeoutSeconds: 20, GraceSeconds: 1}
	}
	hog("memory", protocol.ClassMemory, "memory limit", py("x = []\nwhile True: x.append(bytearray(1 << 20))"))
	hog("memory of a child", protocol.ClassMemory, "memory limit", sh(`python3 -c 'x = bytearray(1 << 30)' || exit 3`))
	hog("memory of shared files", protocol.ClassMemory, "memory limit", sh(`head -c 60M /dev/zero > /dev/shm/fill; python3 -c 'x = bytearray(100 << 20)'; echo $?; test -e /nothing`))
	hog("disk", protocol.ClassDisk, "disk is full", sh(`head -c 100M /dev/zero > fill || { rm -f fill; echo "sh: write error: No space left on device" >&2; exit 1; }`))
	hog("disk stays full", protocol.ClassDisk, "disk is full", sh(`head -c 100M /dev/zero > fill`))
	hog("files", protocol.ClassDisk, "disk is full", py("import os\nfor i in range(1000000): os.close(os.open(str(i), os.O_CREAT))"))
	hog("fork bomb", protocol.ClassTimeout, "longer than 2 s", protocol.Run{TimeoutSeconds: 2, GraceSeconds: 1,
		Command: []string{"bash", "-c", "bomb() { bomb | bomb & bomb; }; bomb 2>/dev/null; sleep 100"}})
	hog("fork bomb left behind", protocol.ClassOK, "", protocol.Run{TimeoutSeconds: 20,
		Command: []string{"bash", "-c", "bomb() { bomb | bomb & }; bomb 2>/dev/null; exit 0"}})
	hog("processes", protocol.ClassPids, "limit of 40 processes", py(`
import os, time
for i in range(100):
    if os.fork() == 0:
        time.sleep(100)`))
	hog("threads", protocol.ClassPids, "limit of 40 processes", py(`
import threading, time
for i in range(100): threading.Thread(target=time.sleep, args=(100,), daemon=True).start()`))
	hog("descriptors", protocol.ClassExit, "Too many open files", py("x = []\nwhile True: x.append(open('/dev/null'))"))
	hog("kill everything", protocol.ClassExit, "exit code 7", sh("sleep 1000 & kill -9 -1; wait $! && exit 6; exit 7"))
	hog("kill own group", protocol.ClassExit, "SIGKILL", sh("kill -9 0; sleep 5"))
	hog("stop everything", protocol.ClassTimeout, "longer than 1 s", protocol.Run{Command: []string{"sh", "-c", "kill -STOP -1; kill -STOP $$; sleep 5"}, TimeoutSeconds: 1})
	hog("signal the worker", protocol.ClassOK, "", py(`
import os, random
for n in random.choices(range(1, 65), k=2000): os.kill(1, n)`))
	hog("remove everything", protocol.ClassOK, "", sh("rm -rf /work/* 2>/dev/null; exit 0"))
	hog("take the worker's place", protocol.ClassOK, "", sh("rm -rf /work/*; ln -s /etc /work/tasks; ln -s /usr /work/logs; rm -rf /work/tasks /work/logs"))

	t.Run("much output", func(t *testing.T) {
		sp := spec("loud")
		sp.Disk = 256 << 20
		c := startOn(t, s.open(t, t.TempDir()), sp)
		e := c.sh("loud", "yes 0123456789abcde | head -c 104857600")
		if e.Class != protocol.ClassOK || e.Stdout.Size != 100<<20 || e.Stdout.Inline != nil {
			t.Fatalf("got %s, %d bytes", describe(e), e.Stdout.Size)
		}
		sum := sha256.New()
		if err := c.client.Fetch(within(t), "loud", protocol.FetchStdout, "", e.Stdout.Size, []types.Hash{e.Stdout.Hash}, sum); err != nil {
			t.Fatal(err)
		}
		if want := sha256.Sum256(bytes.Repeat([]byte("0123456789abcde\n"), 100<<20/16)); types.Hash(sum.Sum(nil)) != want {
			t.Error("another hash")
		}
		logs, err := c.client.Logs(within(t), protocol.Logs{ID: "loud", Offset: 100<<20 - 5})
		if err != nil {
			t.Fatal(err)
		}
		defer logs.Close()
		if end, err := io.ReadAll(logs); err != nil || string(end) != "bcde\n" {
			t.Errorf("end of the log: %q, %v", end, err)
		}
	})
	t.Run("container is small on the host", func(t *testing.T) {
		// The limit of the volume is its size; what is not written takes no room.
		sp := spec("sparse")
		sp.Disk = 4 << 30
		c := startOn(t, s.open(t, t.TempDir()), sp)
		expect(t, c.sh("df", "df --output=size -B1M /work | tail -1 | { read n; test $n -gt 3900 -a $n -le 4096; }"), protocol.ClassOK, "")
	})
	t.Run("CPU", func(t *testing.T) {
		sp := spec("slow")
		sp.MilliCPU = 200
		c := startOn(t, s.open(t, t.TempDir()), sp)
		e := c.python("spin", "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nt = time.process_time()\nprint(t)\nassert t < 0.45, t")
		expect(t, e, protocol.ClassOK, "")
	})
}

// manyShortTasks: 200 tasks side by side and after each other; the counters grow,
// none is lost, and the worker keeps nothing of them.
func (s *suite) manyShortTasks(t *testing.T) {
	c := s.start(t, nil)
	status, err := c.rt.Status(within(t), c.id)
	if err != nil {
		t.Fatal(err)
	}
	m, err := meter.Open(c.rt.Cgroup(c.id), status.PID)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	first, err := c.client.Measure(within(t))
	if err != nil {
		t.Fatal(err)
	}
	const n, width = 200, 8
	running, next := 0, 0
	for done := 0; done < n; {
		for ; next < n && running < width; next++ {
			c.begin(protocol.Run{ID: fmt.Sprintf("t%d", next), Command: []string{"sh", "-c", "sleep 0.01; echo $((6 * 7))"}})
			running++
		}
		ev, ok := <-c.client.Events()
		if !ok {
			t.Fatal(c.client.Err())
		}
		if ev.Exited == nil {
			continue
		}
		expect(t, ev.Exited, protocol.ClassOK, "42\n")
		done++
		running--
		if err := c.client.Release(ev.Exited.ID); err != nil {
			t.Fatal(err)
		}
		if done%50 == 0 {
			if _, err := c.client.Measure(within(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	reading, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	outside := reading.Usage
	inside, err := c.client.Measure(within(t))
	if err != nil {
		t.Fatal(err)
	}
	// The two readings see the same work from two sides (PROTOCOL.md 5.4).
	host, own := cpu(outside), cpu(inside.Usage)-cpu(first.Usage)
	if host == 0 || own == 0 || own > host*5/4+50e6 || host > own*5/4+200e6 {
		t.Errorf("CPU time %d ns from outside, %d from inside", host, own)
	}
	expect(t, c.sh("left", "ls /work/tasks /work/home; ls /work/logs | wc -l"), protocol.ClassOK, "/work/home:\nleft\n\n/work/tasks:\nleft\n2\n")
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", status.PID))
	t.Logf("worker: %s, %v", strings.Join(strings.Fields(grep(string(data), "VmRSS", "Threads")), " "), err)
}

func cpu(u pricing.Usage) uint64 { return u[pricing.CPUUser] + u[pricing.CPUSystem] }

func grep(text string, keys ...string) string {
	var out []string
	for line := range strings.Lines(text) {
		for _, key := range keys {
			if strings.HasPrefix(line, key) {
				out = append(out, line)
			}
		}
	}
	return strings.Join(out, " ")
}
