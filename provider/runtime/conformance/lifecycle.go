package conformance

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/provider/meter"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/runtime"
)

// lifecycle: start, list, status, kill from outside, remove; nothing stays.
func (s *suite) lifecycle(t *testing.T) {
	rt, ctx := s.open(t, t.TempDir()), within(t)
	c := startOn(t, rt, spec("one"))
	if err := rt.Start(ctx, spec("one")); !errors.Is(err, runtime.ErrExists) {
		t.Errorf("second start: %v", err)
	}
	c.alive("a")
	status, err := rt.Status(ctx, "one")
	if err != nil || status.State != runtime.Running || status.PID == 0 {
		t.Errorf("status %+v, %v", status, err)
	}
	root, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", status.PID))
	if own, _ := os.Readlink("/proc/self/ns/mnt"); err != nil || root == own {
		t.Errorf("mount namespace %s, %v", root, err)
	}
	m, err := meter.Open(rt.Cgroup("one"), status.PID)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	proc, err := os.FindProcess(status.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := proc.Kill(); err != nil {
		t.Fatal(err)
	}
	status, err = rt.Wait(ctx, "one")
	if err != nil || status.State != runtime.Stopped || status.ExitCode != -1 && status.ExitCode != 137 {
		t.Errorf("after kill: %+v, %v", status, err)
	}
	if _, err := rt.Dial(ctx, "one"); !errors.Is(err, runtime.ErrNotRunning) {
		t.Errorf("dial after kill: %v", err)
	}
	if ids, err := rt.List(ctx); err != nil || !slices.Equal(ids, []string{"one"}) {
		t.Errorf("list %v, %v", ids, err)
	}
	for range 2 {
		if err := rt.Remove(ctx, "one"); err != nil {
			t.Fatal(err)
		}
	}
	if ids, err := rt.List(ctx); err != nil || len(ids) != 0 {
		t.Errorf("list after remove: %v, %v", ids, err)
	}
	if _, err := rt.Status(ctx, "one"); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("status after remove: %v", err)
	}
	gone(t, rt.Cgroup("one"))
}

// gone checks that no folder of a container's cgroup is left.
func gone(t *testing.T, paths meter.Paths) {
	t.Helper()
	for _, dir := range append([]string{paths.V2}, values(paths.V1)...) {
		if dir == "" {
			continue
		}
		// The label's cgroup, too, goes with its last container.
		for _, dir := range []string{dir, filepath.Dir(dir)} {
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("cgroup %s is left", dir)
			}
		}
	}
}

func values(m map[string]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// restart: a container outlives the runtime that started it; a new one on the
// same folder dials it, and its tasks went on; then it removes it.
func (s *suite) restart(t *testing.T) {
	dir := t.TempDir()
	c := startOn(t, s.open(t, dir), spec("stays"))
	c.begin(protocol.Run{ID: "long", Command: []string{"sh", "-c", "echo begun; sleep 1000"}})
	c.waitOutput("long", "begun")
	c.run(protocol.Run{ID: "short", Command: []string{"true"}})
	c.client.Close()

	c.rt = s.open(t, dir)
	ctx := within(t)
	if ids, err := c.rt.List(ctx); err != nil || !slices.Equal(ids, []string{"stays"}) {
		t.Fatalf("list %v, %v", ids, err)
	}
	if status, err := c.rt.Status(ctx, "stays"); err != nil || status.State != runtime.Running {
		t.Fatalf("status %+v, %v", status, err)
	}
	c.connect()
	held := map[string]bool{}
	for _, task := range c.client.Tasks() {
		held[task.ID] = task.Exited != nil
	}
	if diff := cmp.Diff(map[string]bool{"long": false, "short": true}, held); diff != "" {
		t.Errorf("greeting: %s", diff)
	}
	if err := c.rt.Freeze(ctx, "stays"); err != nil {
		t.Fatal(err)
	}
	again := s.open(t, dir)
	if status, err := again.Status(ctx, "stays"); err != nil || status.State != runtime.Frozen {
		t.Fatalf("status %+v, %v", status, err)
	}
	if err := again.Remove(ctx, "stays"); err != nil {
		t.Fatal(err)
	}
	gone(t, again.Cgroup("stays"))
}

// smallest: the least container that is accepted runs a task.
func (s *suite) smallest(t *testing.T) {
	c := s.start(t, func(sp *runtime.Spec) {
		sp.MilliCPU, sp.Memory, sp.Disk, sp.Pids = runtime.MinMilliCPU, runtime.MinMemory, runtime.MinDisk, runtime.MinPids
	})
	c.alive("small")
}

// parallel: many containers start at once, each with a user and a volume of its own.
func (s *suite) parallel(t *testing.T) {
	const n = 8
	rt, ctx := s.open(t, t.TempDir()), within(t)
	var wait sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		sp := spec(fmt.Sprintf("c%d", i))
		sp.Memory, sp.Disk = 64<<20, 32<<20
		wait.Go(func() { errs[i] = rt.Start(ctx, sp) })
	}
	wait.Wait()
	t.Cleanup(func() {
		for i := range n {
			wait.Go(func() { errs[i] = errors.Join(errs[i], rt.Remove(within(t), fmt.Sprintf("c%d", i))) })
		}
		wait.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	users := map[string]bool{}
	for i := range n {
		c := &container{owner: t, t: t, rt: rt, id: fmt.Sprintf("c%d", i), seen: map[string]*protocol.Exited{}}
		c.connect()
		out := c.sh("who", "id -u; cat /work/mark 2>/dev/null; echo here > /work/mark")
		expect(t, out, protocol.ClassOK, "")
		users[string(out.Stdout.Inline)] = true
	}
	if len(users) != n {
		t.Errorf("users %v", users)
	}
}

// freeze: nothing of a frozen container moves; thawed it goes on.
func (s *suite) freeze(t *testing.T) {
	c := s.start(t, nil)
	ctx := within(t)
	c.begin(protocol.Run{ID: "ticks", Command: []string{"sh", "-c", "while :; do echo tick; sleep 0.01; done"}})
	c.waitOutput("ticks", "tick\ntick\n")
	for range 2 {
		if err := c.rt.Freeze(ctx, c.id); err != nil {
			t.Fatal(err)
		}
	}
	if status, err := c.rt.Status(ctx, c.id); err != nil || status.State != runtime.Frozen {
		t.Errorf("frozen: %+v, %v", status, err)
	}
	m, err := meter.Open(c.rt.Cgroup(c.id), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	before, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // that nothing happens is no event
	after, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	if used := after.Usage["cpu_user"] + after.Usage["cpu_system"] - before.Usage["cpu_user"] - before.Usage["cpu_system"]; used > 2e6 {
		t.Errorf("frozen, it used %d ns of CPU time", used)
	}
	for range 2 {
		if err := c.rt.Thaw(ctx, c.id); err != nil {
			t.Fatal(err)
		}
	}
	if status, err := c.rt.Status(ctx, c.id); err != nil || status.State != runtime.Running {
		t.Errorf("thawed: %+v, %v", status, err)
	}
	c.alive("after")
}

// images: a rootfs folder and tars of it run; the image is never written to.
func (s *suite) images(t *testing.T) {
	dir := temp(t)
	image := filepath.Join(dir, "rootfs")
	for _, folder := range []string{"bin", "etc", "work", "lib64", "tmp"} {
		if err := os.MkdirAll(filepath.Join(image, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, from := range map[string]string{"bin/sh": "/bin/dash", "bin/cat": "/bin/cat"} {
		copyProgram(t, from, image, name)
	}
	for name, text := range map[string]string{"etc/passwd": "root:x:0:0:::\nsecret\n", "etc/version": "mine\n"} {
		if err := os.WriteFile(filepath.Join(image, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before := tree(t, image)
	archive := filepath.Join(dir, "image.tar.gz")
	writeTar(t, image, archive)
	rt := s.open(t, t.TempDir())
	for i, name := range []string{image, archive, archive} {
		t.Run(fmt.Sprint(i, " ", filepath.Base(name)), func(t *testing.T) {
			sp := spec(fmt.Sprintf("i%d", i))
			sp.Image = name
			c := startOn(t, rt, sp)
			expect(t, c.sh("a", "cat /etc/version; ! cat /etc/passwd | while read line; do test \"$line\" = secret && echo seen; done; echo x > /etc/version || echo fixed"),
				protocol.ClassOK, "mine\nfixed\n")
		})
	}
	if diff := cmp.Diff(before, tree(t, image)); diff != "" {
		t.Errorf("the image has changed: %s", diff)
	}
	for name, content := range map[string][]byte{"dots.tar": tarOf(t, "../out", ""), "garbage.tar": []byte(strings.Repeat("x", 2000)),
		"through.tar": tarOf(t, "link", "/", "link/tmp/zennet-escaped", "")} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		sp := spec("bad")
		sp.Image = path
		if err := rt.Start(within(t), sp); !errors.Is(err, runtime.ErrImage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Lstat("/tmp/zennet-escaped"); err == nil {
		t.Error("a tar has written outside of its image")
	}
}

// copyProgram puts a program and its libraries into a root folder.
func copyProgram(t *testing.T, from, root, name string) {
	t.Helper()
	out, err := exec.Command("ldd", from).Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{from: name}
	for _, word := range strings.Fields(string(out)) {
		if strings.HasPrefix(word, "/") {
			files[word] = strings.TrimPrefix(word, "/")
		}
	}
	for from, to := range files {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to = filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// tree lists what is in a folder.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			out = append(out, fmt.Sprint(path, info.Mode(), info.ModTime()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func writeTar(t *testing.T, dir, to string) {
	t.Helper()
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	w := tar.NewWriter(zip)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), zip.Close(), os.WriteFile(to, buf.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// tarOf makes a tar of names, each with the target of a link, or "" for a file.
func tarOf(t *testing.T, pairs ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for i := 0; i < len(pairs); i += 2 {
		head := &tar.Header{Name: pairs[i], Typeflag: tar.TypeReg, Mode: 0o644}
		if pairs[i+1] != "" {
			head.Typeflag, head.Linkname = tar.TypeSymlink, pairs[i+1]
		}
		if err := w.WriteHeader(head); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// versions: what a program says, its hash where it says nothing, or nothing.
func (s *suite) versions(t *testing.T) {
	rt := s.open(t, t.TempDir())
	got, err := rt.Versions(within(t), runtime.HostImage, []string{"python3", "bash", "dash", "no-such-program"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got["python3"], "Python 3.") || !strings.Contains(got["bash"], "version 5") ||
		!strings.HasPrefix(got["dash"], "sha256:") || len(got) != 3 {
		t.Errorf("versions %q", got)
	}
	again, err := rt.Versions(within(t), runtime.HostImage, []string{"python3", "no-such-program"})
	if err != nil || again["python3"] != got["python3"] || len(again) != 1 {
		t.Errorf("again %q, %v", again, err)
	}
	if ids, _ := rt.List(within(t)); len(ids) != 0 {
		t.Errorf("containers %v are left", ids)
	}
}

// refusals: what is not possible is refused, and leaves nothing.
func (s *suite) refusals(t *testing.T) {
	rt := s.open(t, t.TempDir())
	for _, c := range []struct {
		name   string
		change func(*runtime.Spec)
		want   error
	}{
		{"no ID", func(s *runtime.Spec) { s.ID = "" }, runtime.ErrSpec},
		{"ID is a path", func(s *runtime.Spec) { s.ID = "../x" }, runtime.ErrSpec},
		{"no image", func(s *runtime.Spec) { s.Image = "" }, runtime.ErrSpec},
		{"image is not there", func(s *runtime.Spec) { s.Image = "/no/such/image" }, runtime.ErrImage},
		{"image is empty", func(s *runtime.Spec) { s.Image = t.TempDir() }, runtime.ErrImage},
		{"image is a file", func(s *runtime.Spec) { s.Image = "/etc/passwd" }, runtime.ErrImage},
		{"no CPU", func(s *runtime.Spec) { s.MilliCPU = 0 }, runtime.ErrSpec},
		{"little memory", func(s *runtime.Spec) { s.Memory = 1 << 20 }, runtime.ErrSpec},
		{"no disk", func(s *runtime.Spec) { s.Disk = 0 }, runtime.ErrSpec},
		{"no processes", func(s *runtime.Spec) { s.Pids = 0 }, runtime.ErrSpec},
		{"blobs are not there", func(s *runtime.Spec) { s.Blobs = "/no/such/folder" }, runtime.ErrSpec},
		{"blobs are closed", func(s *runtime.Spec) { s.Blobs = closed(t) }, runtime.ErrSpec},
	} {
		t.Run(c.name, func(t *testing.T) {
			sp := spec("refused")
			c.change(&sp)
			if err := rt.Start(within(t), sp); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if ids, _ := rt.List(within(t)); len(ids) != 0 {
				t.Errorf("containers %v are left", ids)
			}
		})
	}
	for name, err := range map[string]error{"freeze": rt.Freeze(within(t), "none"), "thaw": rt.Thaw(within(t), "none")} {
		if !errors.Is(err, runtime.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func closed(t *testing.T) string {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}
