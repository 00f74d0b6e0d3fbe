package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zennet/zennet/pricing"
)

// TestSplitsStayWhereTheyWereRead: on one machine a split stays once it is read again;
// a third job over the same file, with another mapper and a publisher that was killed in
// between, is charged for almost none of its bytes: its maps run where their splits lie.
func TestSplitsStayWhereTheyWereRead(t *testing.T) {
	s := newSite(t)
	network := s.network()
	const maps, mib = 6, 12
	fill(t, s.dir+"/text", mib, proseLine)
	// The maps take a while, so that no slot takes the work of those that are not there yet.
	s.write("count.sh", "#!/bin/sh\nsleep 2\nwc $1\n")
	run := func(name, flag string) (staged uint64, sum int) {
		t.Helper()
		file := s.write(name+".yaml", fmt.Sprintf(`version: 1
kind: mapreduce
name: %[1]s
slots: 3
providers: {min: 3}
budget: 5 XEN
input: text
output: %[1]s-out
mapreduce: {mapper: ./count.sh %[2]s, files: [count.sh], reducers: 0, split: 2M, conf: {mapreduce.job.maps: %[3]d}}
outputs: results/%[1]s
`, name, flag, maps))
		out, _ := s.job(0, "submit", file)
		for _, l := range s.receipt(first(out)).Leases {
			staged += l.Usage[pricing.StagedIn]
		}
		for _, line := range lines(parts(t, s.dir+"/"+name+"-out")) {
			var n int
			if _, err := fmt.Sscan(strings.TrimSpace(line), &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			sum += n
		}
		return staged, sum
	}
	before, bytes := run("bytes", "-c")
	if before < mib<<20 {
		t.Errorf("the first job sent %d bytes, fewer than its input has", before)
	}
	if again, _ := run("lines", "-l"); again < mib<<20 {
		t.Errorf("the second job sent %d bytes, fewer than its input has", again)
	}
	network.kill()
	network = s.network()
	after, words := run("words", "-w")
	if after > before/2 {
		t.Errorf("the third job sent %d bytes, the first one %d", after, before)
	}
	t.Logf("sent %d bytes, then %d", before, after)
	if text := s.read("text"); bytes != len(text) || words != len(strings.Fields(text)) {
		t.Errorf("counted %d bytes and %d words, not %d and %d", bytes, words, len(text), len(strings.Fields(text)))
	}
}
