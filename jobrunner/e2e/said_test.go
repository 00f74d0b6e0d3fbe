package e2e

import (
	"strings"
	"testing"
)

// TestStatusSays: what a mapper reports as its status is to be seen while it runs.
func TestStatusSays(t *testing.T) {
	s := newSite(t)
	s.network()
	s.write("in.txt", "a\n")
	s.write("slow.py", "import sys, time\nfor line in sys.stdin:\n    sys.stderr.write('reporter:status:saw ' + line.strip() + ' \\x1b[31mred\\n')\n    sys.stderr.flush()\n    time.sleep(300)\n")
	s.write("job.yaml", "version: 1\nkind: mapreduce\nname: slow\nslots: 1\ninput: in.txt\noutput: made/out\nmapreduce: {mapper: python3 slow.py, files: [slow.py], maps: 1}\n")
	out, _ := s.job(0, "submit", "--detach", "job.yaml")
	id := first(out)
	s.eventually("its mapper says something", func() bool {
		for _, slot := range s.status(id).Slots {
			if slot.Messages["map-00000"] == "saw a [31mred" {
				return true
			}
		}
		return false
	})
	if out, _ := s.job(0, "status", id); !strings.Contains(out, "\nmap-00000: saw a [31mred\n") {
		t.Errorf("status does not say it:\n%s", out)
	}
	s.job(0, "cancel", id)
}
