package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/zennet/zennet/provider/runtime"
)

// crashDir and crashLabel tell the test's own binary that it is the process to be
// killed: it starts containers one after the other.
const (
	crashDir   = "ZENNET_TEST_CRASH_DIR"
	crashLabel = "ZENNET_TEST_CRASH_LABEL"
	crashBin   = "ZENNET_TEST_CRASH_WORKER"
)

func TestCrashHelper(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("only run by TestKilledWhileStarting")
	}
	r, err := runtime.NewRunc(runtime.Config{Dir: dir, Worker: os.Getenv(crashBin), Label: os.Getenv(crashLabel)})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready")
	for i := 0; ; i++ {
		id := fmt.Sprintf("k%d", i)
		if err := r.Start(context.Background(), runtime.Spec{ID: id, Image: "host", MilliCPU: 1000, Memory: 64 << 20, Disk: 16 << 20, Pids: 32}); err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			if err := r.Remove(context.Background(), id); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestKilledWhileStarting kills a process at some moment of its starting and
// removing containers: a new runtime on its folder finds and removes everything,
// what was only half made too, and then can start the same IDs.
func TestKilledWhileStarting(t *testing.T) {
	dir, name := t.TempDir(), label()
	open(t, dir, name) // skips where there is nothing to test
	checkLeftovers(t, dir)
	for round := range 8 {
		helper := exec.Command(os.Args[0], "-test.run", "^TestCrashHelper$", "-test.v")
		helper.Env = append(os.Environ(), crashDir+"="+dir, crashLabel+"="+name, crashBin+"="+workerBinary(t))
		out, err := helper.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := helper.Start(); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4096)
		for got := ""; !strings.Contains(got, "ready\n"); {
			n, err := out.Read(buf)
			if got += string(buf[:n]); err != nil {
				t.Fatalf("helper: %v: %s", err, got)
			}
		}
		// The moment differs in every round; which step it hits is the machine's choice.
		time.Sleep(time.Duration(round*round*4+1) * time.Millisecond)
		helper.Process.Kill()
		helper.Wait()

		r := open(t, dir, name)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		ids, err := r.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if err := r.Remove(ctx, id); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		}
		for _, left := range leftovers(dir) {
			t.Errorf("round %d: left behind: %s", round, left)
		}
		if status, err := r.Status(ctx, "k0"); !errors.Is(err, runtime.ErrNotFound) {
			t.Errorf("round %d: %+v, %v", round, status, err)
		}
		for _, folder := range r.Cgroup("k0").V1 {
			if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("round %d: cgroup %s is left", round, folder)
			}
		}
		cancel()
	}
}
