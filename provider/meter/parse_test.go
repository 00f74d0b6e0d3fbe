package meter

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseNetDev(t *testing.T) {
	const title = "Inter-|   Receive                                                |  Transmit\n" +
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
	for _, c := range []struct {
		name, data string
		rx, tx     uint64
		err        error
	}{
		{"only loopback", title + "    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0\n", 0, 0, nil},
		{"two interfaces", title + "  eth0: 599438691   35805    0    0    0     0          0         0  3069693   28920    0    0    0     0       0          0\n" +
			"  tun0:100 1 0 0 0 0 0 0 50 1 0 0 0 0 0 0\n", 599438791, 3069743, nil},
		{"short line", title + " eth0: 1 2 3\n", 0, 0, ErrFormat},
		{"no number", title + " eth0: x 1 0 0 0 0 0 0 50 1 0 0 0 0 0 0\n", 0, 0, ErrFormat},
		{"empty", "", 0, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			rx, tx, err := parseNetDev([]byte(c.data))
			if rx != c.rx || tx != c.tx || !errors.Is(err, c.err) {
				t.Errorf("%d, %d, %v; want %d, %d, %v", rx, tx, err, c.rx, c.tx, c.err)
			}
		})
	}
}

func TestParseMountinfo(t *testing.T) {
	const root = "22 1 252:0 / / rw,relatime - ext4 /dev/vda rw\n"
	const loop = "30 22 7:3 / /work rw,nosuid,nodev - ext4 /dev/loop3 rw\n"
	for _, c := range []struct{ name, data, want string }{
		{"loop device", root + loop, "7:3"},
		{"a disk", root + "30 22 8:1 / /work rw - ext4 /dev/sda1 rw\n", ""},
		{"elsewhere", root + "30 22 7:3 / /work/tasks rw - ext4 /dev/loop3 rw\n", ""},
		{"mounted over", loop + "31 30 0:40 / /work rw - tmpfs tmpfs rw\n", ""},
		{"over another", "30 22 0:40 / /work rw - tmpfs tmpfs rw\n" + loop, "7:3"},
		{"short line", "7:3\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := parseMountinfo([]byte(c.data)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 1 7 7 0 -1 4194304 101 202 3 4 50 60 70 80 20 0 1 0 12345 1000 200"
	want := times{user: 120 * 10_000_000, system: 140 * 10_000_000, minor: 303, major: 7}
	for _, name := range []string{"sh", "a b", ") S 9 9 (", ""} {
		got, ok := parseStat("7 (" + name + ")" + rest)
		if d := cmp.Diff(want, got, cmp.AllowUnexported(times{})); !ok || d != "" {
			t.Errorf("name %q: %v (-want +got):\n%s", name, ok, d)
		}
	}
	for _, bad := range []string{"", "7 (sh) S 1", "7 (sh) S 1 7 7 0 -1 0 x 202 3 4 50 60 70 80 20 0", "no parenthesis"} {
		if _, ok := parseStat(bad); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestParseErrors(t *testing.T) {
	if _, err := parseTable([]byte("a 1\nb\n")); !errors.Is(err, ErrFormat) {
		t.Errorf("table: %v", err)
	}
	if table, err := parseTable([]byte("max max\nlow 3\n\n")); err != nil || len(table) != 1 || table["low"] != 3 {
		t.Errorf("table with a word: %v, %v", table, err)
	}
	if _, _, err := parseBlkio([]byte("8:0 Read x\n"), ""); !errors.Is(err, ErrFormat) {
		t.Errorf("blkio: %v", err)
	}
	if _, err := parseIOStat([]byte("8:0 rbytes=x\n"), ""); !errors.Is(err, ErrFormat) {
		t.Errorf("io.stat: %v", err)
	}
}

// Nothing that the kernel, or a process by its name, writes can panic.
func FuzzParse(f *testing.F) {
	f.Add([]byte("8:0 Read 1\n8:0 rbytes=1\neth0: 1 2 3 4 5 6 7 8 9\n7 (sh) S 1 7 7 0 -1 4194304 101 202 3 4 50 60 70 80 20 0\nuser 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parseTable(data)
		parseBlkio(data, "7:3")
		parseIOStat(data, "7:3")
		parseNetDev(data)
		parseMountinfo(data)
		parseStat(string(data))
	})
}
