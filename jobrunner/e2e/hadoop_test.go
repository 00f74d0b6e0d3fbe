package e2e

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/files/hdfs"
	"github.com/zennet/zennet/jobrunner/files/hdfs/hdfstest"
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
	// Its values, which the reducer drops, make its output other bytes than providers have
	// seen before, and may have kept.
	w.write("late.py", "import os, sys, time\nfor line in sys.stdin:\n    sys.stdout.write(line[:-1] + '\\tlate\\n')\nsys.stderr.write('reporter:counter:test,maps,1\\n')\nsys.stderr.flush()\nif os.environ['mapreduce_task_partition'] == '0':\n    time.sleep(6)\n")
	w.write("red.py", "import sys\nn = 0\nfor line in sys.stdin:\n    n += 1\n    print(line.partition('\\t')[0])\nsys.stderr.write('reporter:counter:test,lines,%d\\n' % n)\n")
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
	mapper, speculative := "map.py", "true"
	switch name {
	case "corrupted": // the others' output waits for the last one's
		mapper = "late.py"
	case "frozen-worker": // nobody else takes what it has
		mapper, speculative = "late.py", "false"
	}
	return w.write(name+".yaml", `version: 1
kind: mapreduce
name: `+name+`
slots: 2
providers: {min: 2}
budget: 1 XEN
input: hdfs:///in/`+input+`
output: hdfs:///out/`+name+`
mapreduce: {mapper: python3 `+mapper+`, reducer: python3 red.py, files: [map.py, late.py, red.py], reducers: 2, split: 3M, speculative: `+speculative+`}
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
func (w *hadoopWorld) sprung(t *testing.T, tr *trap, id string) bool {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		select {
		case <-tr.sprung:
			return true
		case <-time.After(200 * time.Millisecond): // status is asked, it does not tell by itself
		}
		switch st := w.status(id); {
		case st.Ended():
			return false
		case time.Now().After(deadline):
			t.Fatalf("no call with %q: %+v\n%s", tr.needles, st, w.publisher.said())
		}
	}
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
	w.died = true
	meanwhile()
	w.publisher = w.publish(w.genesisHome)
	w.publisher.await("publishing as")
}

// atCall waits for a call to the NameNode, hurts somebody while it is held, and lets
// go.
func (w *hadoopWorld) atCall(t *testing.T, id string, after bool, needles []string, hurt func()) {
	t.Helper()
	tr := arm(w.taps, after, needles...)
	defer w.letGo()
	if !w.sprung(t, tr, id) {
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
