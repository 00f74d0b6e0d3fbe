package meter

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// scratchPoint is where a container has its scratch volume.
const scratchPoint = "/work"

// device is the block device of a container's scratch volume; the zero value is
// none. Only a loop device qualifies: one is attached for each container, while
// a disk is shared.
type device struct {
	number string   // "7:3"
	dir    string   // its folder in sysfs
	base   ioCounts // when the meter was opened: a loop device keeps counting from user to user
}

// findDevice looks for it in the mount namespace of a process.
func findDevice(init process, blockdev string) device {
	d := device{number: mounted(init)}
	if d.number == "" {
		return device{}
	}
	d.dir = filepath.Join(blockdev, d.number)
	var err error
	if d.base, err = readDevice(d.dir); err != nil {
		return device{}
	}
	return d
}

// read returns what the device did since the meter was opened, or nothing once
// the container no longer has it: it may then be another's. The meter keeps its
// highest values.
func (d device) read(init process) ioCounts {
	if d.number == "" || mounted(init) != d.number {
		return ioCounts{}
	}
	now, err := readDevice(d.dir)
	if err != nil {
		return ioCounts{}
	}
	return now.minus(d.base)
}

// minus is the growth of each count, 0 where it fell.
func (a ioCounts) minus(b ioCounts) ioCounts {
	return ioCounts{a.readBytes - min(a.readBytes, b.readBytes), a.writeBytes - min(a.writeBytes, b.writeBytes),
		a.readOps - min(a.readOps, b.readOps), a.writeOps - min(a.writeOps, b.writeOps), a.busy - min(a.busy, b.busy)}
}

// readDevice reads a block device's stat file (Documentation/block/stat.rst);
// sectors there are always 512 bytes.
func readDevice(dir string) (ioCounts, error) {
	data, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return ioCounts{}, err
	}
	fields := strings.Fields(string(data))
	if len(fields) < 10 {
		return ioCounts{}, fmt.Errorf("%w: %s: %.80q", ErrFormat, dir, data)
	}
	var n [10]uint64
	for i := range n {
		if n[i], err = strconv.ParseUint(fields[i], 10, 64); err != nil {
			return ioCounts{}, fmt.Errorf("%w: %s: %.80q", ErrFormat, dir, data)
		}
	}
	return ioCounts{readOps: n[0], readBytes: n[2] * 512, writeOps: n[4], writeBytes: n[6] * 512, busy: n[9] * 1e6}, nil
}

// mounted is the "major:minor" of the scratch volume of a container's first
// process, or "".
func mounted(init process) string {
	data, err := init.file("mountinfo")
	if err != nil {
		return ""
	}
	return parseMountinfo(data)
}

// parseMountinfo finds the last mount on /work (proc_pid_mountinfo(5)) and
// returns its "major:minor" where that is a loop device, else "".
func parseMountinfo(data []byte) string {
	found := ""
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line) // id parent major:minor root mountpoint …
		if len(fields) >= 5 && fields[4] == scratchPoint {
			found = ""
			if strings.HasPrefix(fields[2], "7:") {
				found = fields[2]
			}
		}
	}
	return found
}
