package runtime_test

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/zennet/zennet/provider/runtime"
	"github.com/zennet/zennet/provider/runtime/conformance"
)

// TestRunc is the suite that every runtime passes.
func TestRunc(t *testing.T) {
	labels := map[string]string{}
	conformance.Suite(t, func(t *testing.T, dir string) conformance.Runtime {
		if labels[dir] == "" {
			labels[dir] = label()
			checkLeftovers(t, dir)
		}
		return open(t, dir, labels[dir])
	})
}

func label() string {
	var b [6]byte
	rand.Read(b[:])
	return "test-" + hex.EncodeToString(b[:])
}

// open makes a runtime; without root or runc there is none to test.
func open(t testing.TB, dir, label string) *runtime.Runc {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "containers need root")
	}
	if _, err := exec.LookPath("runc"); err != nil {
		skip(t, "no runc (apt-get install runc)")
	}
	level := slog.LevelWarn
	r, err := runtime.NewRunc(runtime.Config{Dir: dir, Worker: workerBinary(t), Label: label,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// skip skips on a laptop, and fails where all must be there.
func skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

var workerOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "zennet-worker")
	if err != nil {
		return "", err
	}
	workerDir = dir
	path := filepath.Join(dir, "zennet-worker")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "github.com/zennet/zennet/provider/cmd/zennet-worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// workerBinary builds the worker, once a test run.
func workerBinary(t testing.TB) string {
	t.Helper()
	path, err := workerOnce()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// workerDir is what workerOnce has made, if it was called.
var workerDir string

func TestMain(m *testing.M) {
	code := m.Run()
	if workerDir != "" {
		os.RemoveAll(workerDir)
	}
	os.Exit(code)
}

// checkLeftovers checks, when the test has ended and its containers are removed,
// that no mount, loop device, user or cgroup of the folder is left.
func checkLeftovers(t testing.TB, dir string) {
	t.Cleanup(func() {
		for _, left := range leftovers(dir) {
			t.Errorf("left behind: %s", left)
		}
	})
}

func leftovers(dir string) []string {
	var out []string
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, dir) {
			out = append(out, "mount "+line)
		}
	}
	loops, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, file := range loops {
		if data, _ := os.ReadFile(file); strings.HasPrefix(string(data), dir) {
			out = append(out, "loop device "+string(data))
		}
	}
	users, _ := filepath.Glob("/run/zennet/uid/*")
	for _, link := range users {
		if owner, _ := os.Readlink(link); strings.HasPrefix(owner, dir) {
			out = append(out, "user "+link)
		}
	}
	bundles, _ := filepath.Glob(filepath.Join(dir, "bundles", "*"))
	return append(out, bundles...)
}
