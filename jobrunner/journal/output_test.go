package journal

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOutputs(t *testing.T) {
	j := open(t)
	b, rows := job("a", 2)
	must(t, j.StartJob(b, rows))
	_, err := j.Output("a")
	wants(t, err, ErrNotFound)
	wants(t, j.Deliver("a", []Delivery{{"part-00000", 0, 1}}), ErrOrder)
	wants(t, j.MakeOutput("a"), ErrOrder)

	o := Output{Job: "a", URL: "hdfs://nn/out", Staging: "/.out.zennet-a", Folder: 1<<63 + 5, State: OutputMaking}
	must(t, j.BeginOutput(o))
	must(t, j.Deliver("a", []Delivery{{"part-00001", 1, 7}}))
	must(t, j.Deliver("a", []Delivery{{"part-00001", 1, 8}, {"part-00000", 0, 0}}))
	got, err := j.Output("a")
	must(t, err)
	if d := cmp.Diff(o, got); d != "" {
		t.Error(d)
	}
	files, err := j.Deliveries("a")
	must(t, err)
	if d := cmp.Diff([]Delivery{{"part-00000", 0, 0}, {"part-00001", 1, 8}}, files); d != "" {
		t.Error(d)
	}
	if s, err := j.Status("a"); err != nil || s.Output != o.URL {
		t.Errorf("status: output %q, %v", s.Output, err)
	}

	// Begun anew, nothing counts that was delivered before.
	o.Folder = 9
	must(t, j.BeginOutput(o))
	if files, err := j.Deliveries("a"); err != nil || len(files) != 0 {
		t.Errorf("after another beginning: %v %v", files, err)
	}
	if made, err := j.Made(o.URL, o.Folder); err != nil || !made {
		t.Errorf("renamed by one who died: %v %v", made, err)
	}
	if made, err := j.Made(o.URL, 8); err != nil || made {
		t.Errorf("a folder that is gone: %v %v", made, err)
	}
	must(t, j.Deliver("a", []Delivery{{"part-00000", 0, 1}}))
	must(t, j.MakeOutput("a"))
	wants(t, j.Deliver("a", []Delivery{{"part-00000", 0, 1}}), ErrOrder)
	for _, c := range []struct {
		url    string
		folder uint64
		want   bool
	}{{o.URL, o.Folder, true}, {o.URL, 8, false}, {"hdfs://nn/other", o.Folder, false}} {
		if made, err := j.Made(c.url, c.folder); err != nil || made != c.want {
			t.Errorf("made %s %d: %v %v", c.url, c.folder, made, err)
		}
	}
	must(t, j.DropOutput("a"))
	if _, err = j.Output("a"); err == nil {
		t.Error("dropped and still there")
	}
}

func TestManyDeliveries(t *testing.T) {
	j := open(t)
	b, rows := job("a", 1)
	must(t, j.StartJob(b, rows))
	must(t, j.BeginOutput(Output{Job: "a"}))
	var want []Delivery
	for i := range 3*maxRows + 1 {
		want = append(want, Delivery{fmt.Sprintf("part-%05d", i), 0, int64(i)})
	}
	must(t, j.Deliver("a", want))
	got, err := j.Deliveries("a")
	must(t, err)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestCheckOutput: a job that is done has its output.
func TestCheckOutput(t *testing.T) {
	j := open(t)
	b, rows := job("a", 0)
	b.State = JobDone
	must(t, j.StartJob(b, rows))
	must(t, j.Check())
	must(t, j.BeginOutput(Output{Job: "a", URL: "/out"}))
	wants(t, j.Check(), ErrInvariant)
	must(t, j.MakeOutput("a"))
	must(t, j.Check())
}

// TestMigration: a journal of the first format is brought up to date where it is
// opened, and its jobs are all there.
func TestMigration(t *testing.T) {
	const first = "770c"
	if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(schemas[0]))); sum[:4] != first {
		t.Errorf("step 1 was edited (%s): journals of that format exist, add a step instead", sum[:4])
	}
	path := filepath.Join(t.TempDir(), "journal.db")
	all := schemas
	schemas = all[:1]
	j, err := Open(path)
	schemas = all
	must(t, err)
	b, rows := job("a", 2)
	must(t, j.StartJob(b, rows))
	for _, err := range j.EndAttempts([]End{end("a", 0, 1, "", TaskDone)}) {
		must(t, err)
	}
	must(t, j.Close())
	if _, err := OpenReadOnly(path); err == nil {
		t.Error("an old journal was opened by one who cannot bring it up to date")
	}

	j, err = Open(path)
	must(t, err)
	defer j.Close()
	s, err := j.Status("a")
	must(t, err)
	if s.Tasks.Done != 1 || s.Tasks.Total != 2 || s.Output != "" {
		t.Errorf("status %+v", s)
	}
	must(t, j.BeginOutput(Output{Job: "a", URL: "/out"}))
	must(t, j.Deliver("a", []Delivery{{"part-00000", 0, 1}}))
	must(t, j.Check())
}
