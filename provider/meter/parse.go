package meter

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ioCounts are one device's or cgroup's reads and writes, and how many ns the
// device was busy with them, where that is known.
type ioCounts struct{ readBytes, writeBytes, readOps, writeOps, busy uint64 }

// max is the greater of each count.
func (a ioCounts) max(b ioCounts) ioCounts {
	return ioCounts{max(a.readBytes, b.readBytes), max(a.writeBytes, b.writeBytes),
		max(a.readOps, b.readOps), max(a.writeOps, b.writeOps), max(a.busy, b.busy)}
}

func trim(b []byte) []byte { return bytes.TrimSpace(b) }

func readNumber(dir, name string) (uint64, error) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(trim(data)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %s: %.40q", ErrFormat, filepath.Join(dir, name), data)
	}
	return n, nil
}

func readTable(dir, name string) (map[string]uint64, error) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	table, err := parseTable(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	return table, nil
}

// parseTable reads lines "name number" ("flat keyed" files of cgroup-v2.rst). A
// value that is not a number ("max") is left out.
func parseTable(data []byte) (map[string]uint64, error) {
	table := map[string]uint64{}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("%w: %.80q", ErrFormat, line)
		}
		if n, err := strconv.ParseUint(fields[1], 10, 64); err == nil {
			table[fields[0]] = n
		}
	}
	return table, nil
}

// parseBlkio sums the Read and Write lines of a blkio.throttle file over all
// devices but the one numbered skip ("major:minor").
func parseBlkio(data []byte, skip string) (read, write uint64, err error) {
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] == skip {
			continue // "Total 0", or a device without statistics
		}
		n, err := strconv.ParseUint(fields[2], 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("%w: %.80q", ErrFormat, line)
		}
		switch fields[1] {
		case "Read":
			read += n
		case "Write":
			write += n
		}
	}
	return read, write, nil
}

// parseIOStat sums a v2 io.stat ("8:0 rbytes=1 wbytes=2 rios=3 wios=4 …") over
// all devices but the one numbered skip.
func parseIOStat(data []byte, skip string) (ioCounts, error) {
	var out ioCounts
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == skip {
			continue
		}
		for _, f := range fields[1:] {
			name, value, _ := strings.Cut(f, "=")
			var to *uint64
			switch name {
			case "rbytes":
				to = &out.readBytes
			case "wbytes":
				to = &out.writeBytes
			case "rios":
				to = &out.readOps
			case "wios":
				to = &out.writeOps
			default:
				continue
			}
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return ioCounts{}, fmt.Errorf("%w: %.80q", ErrFormat, line)
			}
			*to += n
		}
	}
	return out, nil
}

// parseNetDev sums bytes received and sent over all interfaces but lo.
func parseNetDev(data []byte) (rx, tx uint64, err error) {
	for line := range strings.Lines(string(data)) {
		name, rest, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) == "lo" {
			continue // the two title lines have no colon
		}
		fields := strings.Fields(rest)
		if len(fields) < 9 {
			return 0, 0, fmt.Errorf("%w: %.80q", ErrFormat, line)
		}
		in, err1 := strconv.ParseUint(fields[0], 10, 64)
		out, err2 := strconv.ParseUint(fields[8], 10, 64)
		if err1 != nil || err2 != nil {
			return 0, 0, fmt.Errorf("%w: %.80q", ErrFormat, line)
		}
		rx, tx = rx+in, tx+out
	}
	return rx, tx, nil
}
