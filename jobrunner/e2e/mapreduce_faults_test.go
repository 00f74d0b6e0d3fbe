package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/files/hdfs"
	"github.com/zennet/zennet/jobrunner/files/hdfs/hdfstest"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/chain"
)

// hadoopWorld is a world whose publisher reads and writes a real HDFS of three
// DataNodes, through taps on the NameNode's two ports.
type hadoopWorld struct {
	*world
	c    *hdfstest.Cluster
	fs   *hdfs.System // by itself, past the taps
	taps []*tap
	want map[string]string // parts of the undisturbed job
	sums map[string]int64  // its counters
}

// inputLines of the input lie in 12 blocks and make 4 maps, whose output stays with the
// providers.
const inputLines = 300_000

func newHadoopWorld(t *testing.T, providers int) *hadoopWorld {
	t.Helper()
	// The NameNode takes a DataNode for dead after 12 s instead of ten minutes.
	w := &hadoopWorld{c: hdfstest.Start(t, hdfstest.Options{HDFS: hdfstest.Settings{"dfs.namenode.heartbeat.recheck-interval": "1000"}})}
	w.taps = []*tap{newTap(t, w.c.NameNode(0)), newTap(t, w.c.NameNodeWeb(0))}
	conf := t.TempDir()
	for file, s := range map[string]hdfstest.Settings{
		"core-site.xml": {"fs.defaultFS": "hdfs://" + w.taps[0].address},
		"hdfs-site.xml": {"dfs.namenode.http-address": w.taps[1].address},
	} {
		if err := hdfstest.WriteSettings(filepath.Join(conf, file), s); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HADOOP_CONF_DIR", conf)
	t.Setenv("HADOOP_USER_NAME", w.c.User)
	var err error
	if w.fs, err = hdfs.Open(hdfs.Config{Conf: w.c.Conf, User: w.c.User}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.fs.Close() })
	for _, file := range []string{"text", "flipped"} {
		w.put(t, "/in/"+file, text(inputLines))
	}
	w.world = newWorld(t, providers)
	w.write("map.py", "import sys, time\nfor line in sys.stdin:\n    sys.stdout.write(line)\nsys.stderr.write('reporter:counter:test,maps,1\\n')\nsys.stderr.flush()\ntime.sleep(0.5)\n")
	w.write("late.py", "import os, time\nexec(open('map.py').read())\nif os.environ['mapreduce_task_partition'] == '0':\n    time.sleep(6)\n")
	w.write("red.py", "import sys\nn = 0\nfor line in sys.stdin:\n    n += 1\n    sys.stdout.write(line)\nsys.stderr.write('reporter:counter:test,lines,%d\\n' % n)\n")
	return w
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func (w *hadoopWorld) put(t *testing.T, path, content string) {
	t.Helper()
	err := w.fs.MkdirAll(patient(t), filepath.Dir(path))
	if err == nil {
		_, err = w.fs.Put(patient(t), path, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// file writes the job file of a name. Bad replicas stay where they are: they are of a
// file that only one job reads.
func (w *hadoopWorld) file(name string) string {
	input := "text"
	if name == "flipped" {
		input = name
	}
	mapper := "map.py"
	if name == "corrupted" { // the others' output waits for the last one's
		mapper = "late.py"
	}
	return w.write(name+".yaml", `version: 1
kind: mapreduce
name: `+name+`
slots: 2
providers: {min: 2}
budget: 1 XEN
input: hdfs:///in/`+input+`
output: hdfs:///out/`+name+`
mapreduce: {mapper: python3 `+mapper+`, reducer: python3 red.py, files: [map.py, late.py, red.py], reducers: 2, split: 3M}
outputs: `+name+`
`)
}

// end waits for a job's end, and holds output, counters, leases and what is left
// behind to what they have to be.
func (w *hadoopWorld) end(t *testing.T, name, id string) {
	t.Helper()
	w.job(0, "watch", id)
	w.eventually("every lease is settled", func() bool { return w.allSettled(id) })
	w.receipt(id)
	parts, sums := w.parts(t, "/out/"+name), w.counters(name)
	if w.want == nil {
		w.want, w.sums = parts, sums
		if len(parts) != 2 || sums["test/lines"] != inputLines || sums["test/maps"] < 4 {
			t.Fatalf("undisturbed: %d parts, %v", len(parts), sums)
		}
		return
	}
	for part := range w.want {
		if parts[part] != w.want[part] {
			t.Errorf("%s differs: %d bytes, undisturbed %d", part, len(parts[part]), len(w.want[part]))
		}
	}
	for _, counter := range []string{"test/maps", "test/lines", "Map-Reduce Framework/Map input records", "Map-Reduce Framework/Map output records",
		"Map-Reduce Framework/Reduce input records", "Map-Reduce Framework/Reduce output records"} {
		if sums[counter] != w.sums[counter] || sums[counter] == 0 {
			t.Errorf("%s: %d, undisturbed %d", counter, sums[counter], w.sums[counter])
		}
	}
	if left := w.hiddenThere(t, "/"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// parts reads an output on HDFS; _SUCCESS must be there.
func (w *hadoopWorld) parts(t *testing.T, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, f := range w.list(t, folder) {
		r, err := w.fs.Open(patient(t), f.Path, 0)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(f.Path)] = string(data)
	}
	if text, there := out["_SUCCESS"]; !there || text != "" {
		t.Errorf("%s has no empty _SUCCESS", folder)
	}
	delete(out, "_SUCCESS")
	return out
}

func (w *hadoopWorld) list(t *testing.T, folder string) (all []files.Info) {
	t.Helper()
	if err := w.fs.List(patient(t), folder, func(some []files.Info) error { all = append(all, some...); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// hiddenThere lists the staging folders and half-written files below a folder.
func (w *hadoopWorld) hiddenThere(t *testing.T, folder string) (out []string) {
	t.Helper()
	for _, f := range w.list(t, folder) {
		if strings.Contains(filepath.Base(f.Path), ".zennet-") {
			out = append(out, f.Path)
		} else if f.Folder {
			out = append(out, w.hiddenThere(t, f.Path)...)
		}
	}
	return out
}

// sprung waits until a call is held, or the job has ended without it.
func (w *hadoopWorld) sprung(tr *trap, id string) bool {
	w.t.Helper()
	held := false
	w.eventually("the call is made", func() bool {
		select {
		case <-tr.sprung:
			held = true
			return true
		default:
			return w.status(id).Ended()
		}
	})
	return held
}

// letGo opens the taps.
func (w *hadoopWorld) letGo() {
	for _, p := range w.taps {
		p.release()
	}
}

// restart kills the publisher and starts it again; meanwhile is done in between.
func (w *hadoopWorld) restart(meanwhile func()) {
	w.t.Helper()
	w.publisher.kill()
	meanwhile()
	w.publisher = w.publish(w.genesisHome)
	w.publisher.await("publishing as")
}

// rename is how a rename of WebHDFS to a path that ends so stands in a request.
func rename(to string) []string { return []string{"op=RENAME", url.QueryEscape(to) + "&"} }

// TestMapReduceOnHDFS hurts everybody who has a part in a job over HDFS: what it
// makes is what it makes undisturbed, counted once, and nothing is left half-written.
func TestMapReduceOnHDFS(t *testing.T) {
	w := newHadoopWorld(t, 2)
	out, _ := w.job(0, "submit", "--detach", w.file("calm"))
	w.end(t, "calm", first(out))
	running := func(id string) {
		w.eventually("maps run", func() bool { st := w.status(id); return st.Tasks.Done > 0 && st.Tasks.Running > 0 || st.Ended() })
	}
	for _, c := range []struct {
		name string
		long bool
		hurt func(t *testing.T, name, id string)
	}{
		{"flipped", false, nil},
		{"datanode", false, func(t *testing.T, name, id string) {
			running(id)
			w.c.KillDataNode(0)
			t.Cleanup(func() {
				if err := w.c.StartDataNode(0); err != nil {
					t.Error(err)
				}
			})
		}},
		{"datanodes", true, func(t *testing.T, name, id string) { // one dead, one frozen, while it reads and writes
			running(id)
			w.c.KillDataNode(0)
			w.c.StopDataNode(1)
			t.Cleanup(func() {
				w.c.ContinueDataNode(1)
				if err := w.c.StartDataNode(0); err != nil {
					t.Error(err)
				}
			})
		}},
		{"namenode-map", true, func(t *testing.T, name, id string) {
			running(id)
			w.restartNameNode(t)
		}},
		{"namenode-deliver", true, func(t *testing.T, name, id string) {
			w.atCall(t, id, true, []string{rpc("complete"), name + ".zennet-"}, func() { w.restartNameNode(t) })
		}},
		{"namenode-before-rename", true, func(t *testing.T, name, id string) {
			w.atCall(t, id, false, rename("/out/"+name), func() { w.restartNameNode(t) })
		}},
		{"namenode-after-rename", false, func(t *testing.T, name, id string) {
			w.atCall(t, id, true, rename("/out/"+name), func() { w.restartNameNode(t) })
		}},
		{"publisher", false, func(t *testing.T, name, id string) {
			steps := []struct {
				after   bool
				needles []string
			}{
				{true, rename("part-0000")[:1]}, {false, rename("/out/" + name)}, {true, rename("/out/" + name)},
			}
			if soak {
				steps = steps[:0]
				for _, needles := range [][]string{{rpc("create"), name + ".zennet-"}, {rpc("addBlock"), name + ".zennet-"}, {rpc("complete"), name + ".zennet-"},
					{"op=RENAME", "part-0000"}, rename("_SUCCESS"), rename("/out/" + name)} {
					for _, after := range []bool{false, true} {
						steps = append(steps, struct {
							after   bool
							needles []string
						}{after, needles})
					}
				}
			}
			for _, s := range steps {
				w.atCall(t, id, s.after, s.needles, func() { w.restart(w.letGo) })
			}
		}},
		{"corrupted", false, func(t *testing.T, name, id string) {
			w.eventually("map output is kept", func() bool { return w.flipKept(0) > 0 || w.flipKept(1) > 0 })
			t.Cleanup(func() {
				found := slices.ContainsFunc(w.receipt(id).Leases, func(l journal.LeaseReceipt) bool { return l.Verdict == chain.VerdictMismatch })
				if !found {
					t.Error("nobody noticed")
				}
			})
		}},
		{"provider", true, func(t *testing.T, name, id string) {
			running(id)
			w.providers[1].kill()
			w.providers[1] = w.provide(1, w.genesisHome)
			w.providers[1].await("providing as")
		}},
		{"frozen-provider", true, func(t *testing.T, name, id string) {
			running(id)
			w.providers[0].cmd.Process.Signal(syscall.SIGSTOP)
			t.Cleanup(func() { w.providers[0].cmd.Process.Signal(syscall.SIGCONT) })
			w.eventually("its work is elsewhere", func() bool { return len(w.status(id).Failures) > 0 || w.status(id).Ended() })
			w.providers[0].cmd.Process.Signal(syscall.SIGCONT)
		}},
		{"frozen-worker", true, func(t *testing.T, name, id string) {
			running(id)
			pids := w.workers(w.homes...)
			if len(pids) == 0 {
				t.Fatal("no worker runs")
			}
			if err := syscall.Kill(pids[0], syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.long && !soak {
				t.Skip("make soak runs this: it takes minutes")
			}
			if c.hurt == nil {
				w.flip(t, "/in/flipped")
			}
			began := time.Now()
			out, _ := w.job(0, "submit", "--detach", w.file(c.name))
			id := first(out)
			if c.hurt != nil {
				c.hurt(t, c.name, id)
			}
			w.end(t, c.name, id)
			t.Logf("took %.1f s", time.Since(began).Seconds())
		})
	}
}

// atCall waits for a call to the NameNode, hurts somebody while it is held, and lets
// go.
func (w *hadoopWorld) atCall(t *testing.T, id string, after bool, needles []string, hurt func()) {
	t.Helper()
	tr := arm(w.taps, after, needles...)
	defer w.letGo()
	if !w.sprung(tr, id) {
		t.Fatalf("the job ended before a call with %q", needles)
	}
	hurt()
}

func (w *hadoopWorld) restartNameNode(t *testing.T) {
	t.Helper()
	if err := w.c.RestartNameNode(0); err != nil {
		t.Fatal(err)
	}
}

// flip changes a byte in one replica of each block of a file.
func (w *hadoopWorld) flip(t *testing.T, file string) {
	t.Helper()
	blocks, err := w.c.Blocks(file)
	if err != nil {
		t.Fatal(err)
	}
	for b := range blocks {
		if err := w.c.FlipByte(file, b%3, int64(b)<<20+1000); err != nil {
			t.Fatal(err)
		}
	}
}

// workers are the first processes of the containers of some providers.
func (w *world) workers(homes ...string) (pids []int) {
	w.t.Helper()
	for _, home := range homes {
		states, err := filepath.Glob(filepath.Join(home, "provider", "runc", "*", "*", "state.json"))
		if err != nil {
			w.t.Fatal(err)
		}
		for _, path := range states {
			data, err := os.ReadFile(path)
			var state struct {
				PID int `json:"init_process_pid"`
			}
			if err == nil && json.Unmarshal(data, &state) == nil && state.PID > 1 {
				pids = append(pids, state.PID)
			}
		}
	}
	return pids
}

// flipKept changes a byte in each map output that lies ready in a provider's
// containers, and says in how many. One that was just written may not have been hashed yet.
func (w *world) flipKept(provider int) (n int) {
	w.t.Helper()
	for _, pid := range w.workers(w.homes[provider]) {
		found, err := filepath.Glob(fmt.Sprintf("/proc/%d/root/work/tasks/*/seg/0*", pid))
		if err != nil {
			w.t.Fatal(err)
		}
		for _, path := range found {
			info, err := os.Stat(path)
			if err != nil || info.Size() < 1000 || time.Since(info.ModTime()) < time.Second {
				continue
			}
			data, err := os.ReadFile(path)
			if err != nil {
				continue
			}
			data[len(data)/2] ^= 1
			if os.WriteFile(path, data, 0o644) == nil {
				n++
			}
		}
	}
	return n
}

// TestOneOutputTwoPublishers: the same job of two publishers, who know nothing of each
// other, makes one output: the first one's, whole. The second is told, and leaves
// nothing.
func TestOneOutputTwoPublishers(t *testing.T) {
	shared := t.TempDir()
	if err := os.Chmod(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	input := filepath.Join(shared, "in.txt")
	if err := os.WriteFile(input, []byte("b\na\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var sites []*site
	var runs []*process
	for range 2 {
		s := newSite(t)
		s.write("slow.py", "import sys, time\nfor line in sys.stdin:\n    sys.stdout.write(line)\nsys.stdout.flush()\ntime.sleep(8)\n")
		s.write("job.yaml", `version: 1
kind: mapreduce
name: twice
slots: 1
budget: 1 XEN
input: file:`+input+`
output: file:`+shared+`/out
mapreduce: {mapper: cat, reducer: python3 slow.py, files: [slow.py], reducers: 1}
`)
		sites = append(sites, s)
		runs = append(runs, s.start("zennet-job", "submit", "job.yaml"))
	}
	for _, p := range runs {
		p.await("leased a container")
	}
	if staging := hidden(t, shared); len(staging) != 2 {
		t.Errorf("two jobs have the staging folders %v", staging)
	}
	codes := []int{runs[0].exit(), runs[1].exit()}
	if sorted := slices.Sorted(slices.Values(codes)); !slices.Equal(sorted, []int{0, 1}) {
		t.Fatalf("exit %v:\n%s\n\n%s", codes, runs[0].said(), runs[1].said())
	}
	second := runs[slices.Index(codes, 1)]
	if said := second.said(); !strings.Contains(said, "somebody else made it") || !strings.Contains(said, shared+"/out") {
		t.Errorf("the second says:\n%s", said)
	}
	if got := parts(t, shared+"/out"); len(got) != 1 || got["part-00000"] != "a\t\nb\t\n" {
		t.Errorf("output %q", got)
	}
	if left := hidden(t, shared); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if runs[0].id() != runs[1].id() {
		t.Error("these are two jobs")
	}
	// Submitted again it is refused: the output is there, and another's.
	loser := sites[slices.Index(codes, 1)]
	if _, stderr := loser.job(2, "submit", "job.yaml"); !strings.Contains(stderr, "exists already") {
		t.Errorf("again: %s", stderr)
	}
}
