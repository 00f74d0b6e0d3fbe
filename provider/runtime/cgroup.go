package runtime

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/provider/meter"
)

// hierarchy is where this machine's cgroups are mounted.
type hierarchy struct {
	v1 map[string]string // controller → mount point
	v2 string            // mount point of the unified hierarchy, or ""
}

// hierarchies reads the mounts (proc_pid_mountinfo(5)).
func hierarchies() (hierarchy, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return hierarchy{}, fmt.Errorf("%w: %v", ErrHost, err)
	}
	defer f.Close()
	h := hierarchy{v1: map[string]string{}}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		switch right[0] {
		case "cgroup2":
			h.v2 = left[4]
		case "cgroup":
			for option := range strings.SplitSeq(right[2], ",") {
				if option != "rw" && option != "ro" {
					h.v1[strings.TrimPrefix(option, "name=")] = left[4]
				}
			}
		}
	}
	for _, name := range []string{"cpu", "memory", "pids", "freezer", "devices"} {
		if _, v1 := h.v1[name]; !v1 && (h.v2 == "" || len(h.v1) > 1) {
			return h, fmt.Errorf("%w: no cgroup controller %s", ErrHost, name)
		}
	}
	return h, nil
}

// paths are the folders of the cgroup of the given path. Named hierarchies (of
// systemd, for one) are among V1 too.
func (h hierarchy) paths(cgroup string) meter.Paths {
	p := meter.Paths{V1: map[string]string{}}
	for name, at := range h.v1 {
		p.V1[name] = filepath.Join(at, cgroup)
	}
	if h.v2 != "" {
		p.V2 = filepath.Join(h.v2, cgroup)
	}
	return p
}

// folders lists all folders of a cgroup path, each once.
func (h hierarchy) folders(cgroup string) []string {
	seen := map[string]bool{}
	var out []string
	p := h.paths(cgroup)
	for _, dir := range p.V1 {
		if !seen[dir] {
			seen[dir] = true
			out = append(out, dir)
		}
	}
	if p.V2 != "" {
		out = append(out, p.V2)
	}
	return out
}

// accountsSwap says whether a limit of memory and swap together can be set.
func (h hierarchy) accountsSwap() bool {
	if at, v1 := h.v1["memory"]; v1 {
		_, err := os.Stat(filepath.Join(at, "memory.memsw.limit_in_bytes"))
		return err == nil
	}
	// The root of v2 has no such file; its children do, where memory is delegated.
	found, err := filepath.Glob(filepath.Join(h.v2, "*", "memory.swap.max"))
	return err == nil && len(found) > 0
}

// kill ends every process in the cgroup, thaws it so that they can die, and
// removes its folders. It is what cleans up where runc has no state to do it.
func (h hierarchy) kill(ctx context.Context, cgroup string) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		left := 0
		for _, dir := range h.folders(cgroup) {
			os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("THAWED"), 0)
			os.WriteFile(filepath.Join(dir, "cgroup.freeze"), []byte("0"), 0)
			data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			if err != nil {
				continue
			}
			for field := range strings.FieldsSeq(string(data)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
					unix.Kill(pid, unix.SIGKILL)
				}
			}
			if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
				left++
			}
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cgroup %s is still in use: %w", cgroup, ctx.Err())
		case <-time.After(wait):
		}
	}
}

// removeEmpty removes a cgroup's folders where nothing is in them.
func (h hierarchy) removeEmpty(cgroup string) {
	for _, dir := range h.folders(cgroup) {
		unix.Rmdir(dir)
	}
}

// frozen reads whether the container is frozen.
func (h hierarchy) frozen(cgroup string) bool {
	p := h.paths(cgroup)
	if dir, v1 := p.V1["freezer"]; v1 {
		data, _ := os.ReadFile(filepath.Join(dir, "freezer.state"))
		return strings.HasPrefix(string(data), "FR") // FROZEN or FREEZING
	}
	data, _ := os.ReadFile(filepath.Join(p.V2, "cgroup.freeze"))
	return strings.HasPrefix(string(data), "1")
}

// holds says whether the process is in the cgroup, and not a zombie.
func (h hierarchy) holds(cgroup string, pid int) bool {
	proc := "/proc/" + strconv.Itoa(pid)
	data, err := os.ReadFile(proc + "/cgroup")
	if err != nil {
		return false
	}
	in := false
	for line := range strings.Lines(string(data)) {
		if strings.HasSuffix(strings.TrimSpace(line), ":"+cgroup) {
			in = true
		}
	}
	stat, err := os.ReadFile(proc + "/stat")
	if err != nil || !in {
		return false
	}
	end := strings.LastIndexByte(string(stat), ')')
	return end >= 0 && !strings.HasPrefix(string(stat[end+1:]), " Z") && !strings.HasPrefix(string(stat[end+1:]), " X")
}
