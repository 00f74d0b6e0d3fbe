package e2e

import (
	"os"
	"testing"
)

// TestMapReduceKilled kills the publisher again and again while a job runs; what
// it makes at last is what it makes undisturbed, counters too.
func TestMapReduceKilled(t *testing.T) {
	s := newSite(t)
	s.write("in.txt", text(40_000))
	s.write("slow.py", "import sys, time\nfor line in sys.stdin:\n    for w in line.split():\n        print(w + '\\t1')\nsys.stderr.write('reporter:counter:test,maps,1\\n')\ntime.sleep(1)\n")
	job := func(name string) string {
		return s.write(name+".yaml", `version: 1
kind: mapreduce
name: `+name+`
slots: 2
budget: 1 XEN
input: in.txt
output: `+name+`/out
mapreduce: {mapper: python3 slow.py, reducer: "builtin:sum", combiner: "builtin:sum", files: [slow.py], reducers: 2, split: 512K}
outputs: `+name+`
`)
	}
	s.job(0, "submit", job("calm"))
	file := job("killed")
	kills := 3
	if soak {
		kills = 12
	}
	id := ""
	for n := 0; n < kills && (id == "" || s.status(id).State != "done"); n++ {
		p := s.start("zennet-job", "submit", file)
		if id == "" {
			p.await("leased a container")
			id = p.id()
		}
		s.eventually("it is further", func() bool { // a little further each time
			st := s.status(id)
			return st.Tasks.Done > n || st.State == "done"
		})
		p.kill()
		if _, err := os.Stat(s.dir + "/killed/out"); err == nil && s.status(id).State != "done" {
			if _, err := os.Stat(s.dir + "/killed/out/_SUCCESS"); err != nil {
				t.Fatal("an unfinished output is to be seen")
			}
		}
	}
	out, _ := s.job(0, "submit", file)
	s.receipt(first(out))
	calm, killed := parts(t, s.dir+"/calm/out"), parts(t, s.dir+"/killed/out")
	if len(calm) != 2 || len(killed) != 2 || calm["part-00000"] != killed["part-00000"] || calm["part-00001"] != killed["part-00001"] {
		t.Error("the output differs")
	}
	want, got := s.counters("calm"), s.counters("killed")
	for _, name := range []string{"test/maps", "Map-Reduce Framework/Map input records", "Map-Reduce Framework/Map output records", "Map-Reduce Framework/Reduce output records"} {
		if want[name] == 0 || want[name] != got[name] {
			t.Errorf("%s: %d, undisturbed %d", name, got[name], want[name])
		}
	}
	if left := hidden(t, s.dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
