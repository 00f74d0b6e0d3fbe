package meter

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zennet/zennet/pricing"
)

// helperEnv makes this test binary one of the helpers instead, which work inside
// a cgroup or a PID namespace.
const helperEnv = "ZENNET_METER_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperEnv) {
	case "":
		os.Exit(m.Run())
	case "load":
		load()
	case "init":
		initLoad()
	case "burn":
		burn(200 * time.Millisecond)
	case "hog":
		hog()
	}
}

// load waits for a line, burns 200 ms of CPU, holds 64 MiB, says so, and waits
// for another line.
func load() {
	in := bufio.NewReader(os.Stdin)
	in.ReadString('\n')
	burn(200 * time.Millisecond)
	held := touch(64 << 20)
	fmt.Println("loaded")
	in.ReadString('\n')
	runtime.KeepAlive(held)
}

// burn uses CPU time, not wall time, so that a busy machine changes nothing; it
// gives up after a minute.
func burn(d time.Duration) {
	var used syscall.Rusage
	for n, end := 0, time.Now().Add(time.Minute); time.Now().Before(end); n++ {
		if n&0xff == 0 {
			syscall.Getrusage(syscall.RUSAGE_SELF, &used)
			if time.Duration(used.Utime.Nano()+used.Stime.Nano()) >= d {
				return
			}
		}
	}
}

func touch(size int) []byte {
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	return b
}

// hog takes memory until the kernel ends it.
func hog() {
	bufio.NewReader(os.Stdin).ReadString('\n')
	for {
		touch(8 << 20)
	}
}

// initLoad is the init of a PID namespace: it runs two children that burn CPU,
// waits for one, and prints what it sees.
func initLoad() {
	in := NewInside()
	before, err := in.Read()
	fail(err)
	for range 2 {
		c := exec.Command("/proc/self/exe")
		c.Env = append(os.Environ(), helperEnv+"=burn")
		c.Stdout = os.Stdout
		fail(c.Run())
	}
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), helperEnv+"=load")
	stdin, err := c.StdinPipe()
	fail(err)
	stdout, err := c.StdoutPipe()
	fail(err)
	fail(c.Start())
	io.WriteString(stdin, "\n")
	bufio.NewReader(stdout).ReadString('\n')
	after, err := in.Read() // one child lives, with 64 MiB of faults
	fail(err)
	stdin.Close()
	fail(c.Wait())
	last, err := in.Read()
	fail(err)
	for _, r := range []Reading{before, after, last} {
		fmt.Println(r.Usage[pricing.CPUUser]+r.Usage[pricing.CPUSystem], r.Usage[pricing.FaultsMinor])
	}
}

func fail(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("needs root: it makes cgroups")
		}
		t.Skip("needs root: it makes cgroups")
	}
}

// makeCgroup makes an empty cgroup of each v1 controller that is mounted, or one
// v2 cgroup, under a name of its own.
func makeCgroup(t *testing.T) Paths {
	t.Helper()
	needRoot(t)
	name := fmt.Sprintf("zennet-meter-test-%d", os.Getpid())
	paths := Paths{V1: map[string]string{}}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		switch fields[2] {
		case "cgroup":
			for _, controller := range strings.Split(fields[3], ",") {
				switch controller {
				case "cpuacct", "memory", "blkio", "pids":
					paths.V1[controller] = filepath.Join(fields[1], name)
				}
			}
		case "cgroup2":
			paths.V2 = filepath.Join(fields[1], name)
		}
	}
	if len(paths.V1) > 0 {
		paths.V2 = ""
	} else if paths.V2 != "" {
		// Controllers reach a child only where its parent passes them on.
		os.WriteFile(filepath.Join(filepath.Dir(paths.V2), "cgroup.subtree_control"), []byte("+cpu +memory +io +pids"), 0)
	}
	for _, dir := range dirs(paths) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Skipf("cannot make a cgroup: %v", err)
		}
		t.Cleanup(func() { os.Remove(dir) })
	}
	return paths
}

func dirs(p Paths) []string {
	var out []string
	for _, dir := range p.V1 {
		out = append(out, dir)
	}
	if p.V2 != "" {
		out = append(out, p.V2)
	}
	return out
}

// helper starts a helper that waits for a line, in the cgroup.
func helper(t *testing.T, name string, paths Paths) (cmd *exec.Cmd, stdin io.WriteCloser, stdout *bufio.Reader) {
	t.Helper()
	cmd = exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), helperEnv+"="+name)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	for _, dir := range dirs(paths) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
			t.Fatal(err)
		}
	}
	return cmd, in, bufio.NewReader(out)
}

func TestRealCgroup(t *testing.T) {
	paths := makeCgroup(t)
	cmd, stdin, stdout := helper(t, "load", paths)
	m, err := Open(paths, cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	io.WriteString(stdin, "\n")
	if _, err := stdout.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	first, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	if cpu := first.Usage[pricing.CPUUser] + first.Usage[pricing.CPUSystem]; cpu < 180e6 || cpu > 2e9 {
		t.Errorf("CPU time %d ns, want a little over 200 ms", cpu)
	}
	if n := first.Usage[pricing.FaultsMinor]; n < 16384 || n > 100_000 {
		t.Errorf("%d minor faults, want 16384 and some", n)
	}
	for range 2 { // the background sampling does its part between
		time.Sleep(50 * time.Millisecond)
		second, err := m.Read()
		if err != nil {
			t.Fatal(err)
		}
		held := float64(second.Usage[pricing.Memory]-first.Usage[pricing.Memory]) / second.Time.Sub(first.Time).Seconds()
		if held < 64<<20 || held > 96<<20 {
			t.Errorf("%.0f bytes held, want 64 MiB and some", held)
		}
	}
	stdin.Close()
	cmd.Wait()

	// The last process ended: its counters stay. The cgroup is removed: that is said.
	last, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs(paths) {
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
	}
	gone, err := m.Read()
	if !errors.Is(err, ErrGone) {
		t.Errorf("error %v, want %v", err, ErrGone)
	}
	if gone.Usage[pricing.CPUUser] != last.Usage[pricing.CPUUser] {
		t.Errorf("last reading %v, then %v", last, gone)
	}
}

func TestRealOOMKill(t *testing.T) {
	paths := makeCgroup(t)
	limit := filepath.Join(paths.V1["memory"], "memory.limit_in_bytes")
	if paths.V2 != "" {
		limit = filepath.Join(paths.V2, "memory.max")
		os.WriteFile(filepath.Join(paths.V2, "memory.swap.max"), []byte("0"), 0)
	}
	if err := os.WriteFile(limit, []byte("67108864"), 0); err != nil {
		t.Skipf("cannot limit memory: %v", err)
	}
	cmd, stdin, _ := helper(t, "hog", paths)
	m, err := Open(paths, cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	io.WriteString(stdin, "\n")
	cmd.Wait()
	r, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	if r.Events.OOMKills != 1 {
		t.Errorf("%d processes killed for memory, want 1", r.Events.OOMKills)
	}
}

func TestRealPidsMax(t *testing.T) {
	paths := makeCgroup(t)
	dir := paths.V1["pids"]
	if dir == "" {
		dir = paths.V2
	}
	if err := os.WriteFile(filepath.Join(dir, "pids.max"), []byte("1"), 0); err != nil {
		t.Skipf("cannot limit processes: %v", err)
	}
	cmd := exec.Command("sh", "-c", "read line; true | true; exit 0")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs(paths) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Open(paths, cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	io.WriteString(stdin, "\n")
	cmd.Wait()
	r, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	if r.Events.PidsMax == 0 {
		t.Error("no refused fork was counted")
	}
}

// The init of a PID namespace sees its living and its waited-for children.
func TestRealInside(t *testing.T) {
	needRoot(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", exe)
	cmd.Env = append(os.Environ(), helperEnv+"=init")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var cpu, faults [3]uint64
	if _, err := fmt.Sscan(string(out), &cpu[0], &faults[0], &cpu[1], &faults[1], &cpu[2], &faults[2]); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// Two waited for with 200 ms each, and one that lives with as much.
	if grown := cpu[1] - cpu[0]; grown < 580e6 || grown > 3e9 {
		t.Errorf("CPU time %d ns, want a little over 600 ms", grown)
	}
	if grown := faults[1] - faults[0]; grown < 16384 {
		t.Errorf("%d faults, want 16384 and more", grown)
	}
	if cpu[2] < cpu[1] || cpu[2] > cpu[1]+500e6 || faults[2] < faults[1] || faults[2] > faults[1]+5000 {
		t.Errorf("a child counts otherwise once it was waited for: %v, %v", cpu, faults)
	}
}

func TestMachine(t *testing.T) {
	m, err := Machine()
	if err != nil {
		t.Fatal(err)
	}
	if m.CPU == "" || m.Cores < 1 || m.Memory < 64<<20 || !strings.HasPrefix(m.Kernel, "Linux ") {
		t.Errorf("%+v", m)
	}
}

// BenchmarkRead shows what a reading costs, on the recorded files.
func BenchmarkRead(b *testing.B) {
	dir := "testdata/v1"
	m, err := Open(Paths{V1: map[string]string{"cpuacct": dir, "memory": dir, "blkio": dir, "pids": dir}}, os.Getpid())
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	for b.Loop() {
		if _, err := m.Read(); err != nil {
			b.Fatal(err)
		}
	}
}
