package meter

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// process is a container's first process as the host sees it; the zero value is
// none. A PID may be another's once its process has ended, so that the time of
// start belongs to its identity.
type process struct {
	dir     string // in procfs
	started string // ticks since boot
}

// findProcess returns the process at a folder of procfs, or none where it ended.
func findProcess(dir string) process {
	started, err := startTime(dir)
	if err != nil {
		return process{}
	}
	return process{dir, started}
}

// file reads one of the process's files, while it is the same process.
func (p process) file(name string) ([]byte, error) {
	if p.dir == "" {
		return nil, os.ErrNotExist
	}
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		return nil, err
	}
	// Asked after the read: what is still the same now was the same then.
	if started, err := startTime(p.dir); err != nil || started != p.started {
		return nil, os.ErrNotExist
	}
	return data, nil
}

// startTime is field 22 of /proc/<pid>/stat (proc_pid_stat(5)).
func startTime(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return "", err
	}
	fields := statFields(string(data))
	if len(fields) < 20 {
		return "", fmt.Errorf("%w: %s: %.80q", ErrFormat, dir, data)
	}
	return fields[19], nil
}

// statFields are the fields of /proc/<pid>/stat from the third on. The second,
// the name in parentheses, may hold anything, also blanks and parentheses.
func statFields(stat string) []string {
	return strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
}
