package e2e

import (
	"path/filepath"
	"syscall"
	"testing"
)

// TestMapReduceFaults hurts providers while reducers run, whose maps left their
// output with them: the job makes what it makes undisturbed, and counts it once.
func TestMapReduceFaults(t *testing.T) {
	w := newWorld(t, 2)
	w.write("in.txt", text(300_000)) // 12 MB
	w.write("red.py", "import sys, time\nn = 0\nfor line in sys.stdin:\n    n += 1\n    sys.stdout.write(line)\nsys.stderr.write('reporter:counter:test,lines,%d\\n' % n)\nsys.stderr.flush()\ntime.sleep(4)\n")
	run := func(name string, hurt func(id string)) (map[string]string, map[string]int64) {
		t.Helper()
		out, _ := w.job(0, "submit", "--detach", w.write(name+".yaml", `version: 1
kind: mapreduce
name: `+name+`
slots: 2
providers: {min: 2}
budget: 1 XEN
input: in.txt
output: `+name+`/out
mapreduce: {mapper: builtin:identity, reducer: python3 red.py, files: [red.py], reducers: 2, split: 4M}
outputs: `+name+`
`))
		id := first(out)
		w.eventually("reducers run", func() bool {
			st := w.status(id)
			return st.State != "running" && st.State != "queued" || st.Tasks.Done >= st.Tasks.Total-2 && st.Tasks.Running > 0
		})
		hurt(id)
		w.job(0, "watch", id)
		w.eventually("every lease is settled", func() bool { return w.allSettled(id) })
		w.receipt(id)
		return parts(t, filepath.Join(w.dir, name, "out")), w.counters(name)
	}
	want, counted := run("calm", func(string) {})
	if len(want) != 2 || len(want["part-00000"]) < 1<<20 || counted["test/lines"] != 300_000 {
		t.Fatalf("%d parts, %v", len(want), counted)
	}
	for _, c := range []struct {
		name string
		long bool
		hurt func(id string)
	}{
		{"container", false, func(string) { w.killContainer() }},
		{"provider", false, func(string) {
			w.providers[1].kill()
			w.providers[1] = w.provide(1, w.genesisHome)
			w.providers[1].await("providing as")
		}},
		{"publisher", false, func(string) {
			w.publisher.kill()
			w.publisher = w.publish(w.genesisHome)
			w.publisher.await("publishing as")
		}},
		{"frozen", true, func(id string) {
			w.providers[0].cmd.Process.Signal(syscall.SIGSTOP)
			w.eventually("its work is elsewhere", func() bool { return len(w.status(id).Failures) > 0 })
			w.providers[0].cmd.Process.Signal(syscall.SIGCONT)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.long && !soak {
				t.Skip("make soak runs this: it takes minutes")
			}
			got, n := run(c.name, c.hurt)
			for part := range want {
				if got[part] != want[part] {
					t.Errorf("%s differs: %d bytes, undisturbed %d", part, len(got[part]), len(want[part]))
				}
			}
			for _, name := range []string{"test/lines", "Map-Reduce Framework/Map input records", "Map-Reduce Framework/Reduce output records"} {
				if n[name] != counted[name] {
					t.Errorf("%s: %d, undisturbed %d", name, n[name], counted[name])
				}
			}
			if left := hidden(t, w.dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
