package meter

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Hardware describes the machine, for capabilities (PROTOCOL.md 1.4) and as the
// identity that cached benchmarks belong to.
type Hardware struct {
	CPU    string `json:"cpu"`    // the model's name
	Cores  int    `json:"cores"`  // that this process may use
	Memory uint64 `json:"memory"` // bytes of RAM
	Kernel string `json:"kernel"` // "Linux 6.1.0-18-amd64"
}

// Machine describes the machine that this process runs on.
func Machine() (Hardware, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return Hardware{}, fmt.Errorf("read memory size: %w", err)
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return Hardware{}, fmt.Errorf("read kernel version: %w", err)
	}
	return Hardware{
		CPU:    cpuModel(),
		Cores:  runtime.NumCPU(),
		Memory: uint64(info.Totalram) * uint64(info.Unit),
		Kernel: unix.ByteSliceToString(uts.Sysname[:]) + " " + unix.ByteSliceToString(uts.Release[:]),
	}, nil
}

// cpuModel is the "model name" of the first CPU, else the architecture: some
// architectures give no name.
func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
