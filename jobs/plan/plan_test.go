package plan_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/ledger/types"
)

// sound is a valid graph of two tasks.
func sound() plan.Graph {
	return plan.Graph{Tasks: []plan.Task{
		{Name: "a", Command: []string{"x"}, Inputs: []plan.Input{{Path: "f", File: "g"}}, Collect: []string{"out/*"}, Publish: true},
		{Name: "b", Command: []string{"y"}, Inputs: []plan.Input{{Path: "in", Task: "a", From: "out"}, {Task: "a"}, {Path: "s", Data: []byte("z")}},
			Checkpoint: []string{"state"}, Publish: true, PublishAs: "c"},
	}}
}

func TestCheck(t *testing.T) {
	if err := sound().Check(); err != nil {
		t.Fatal(err)
	}
	for name, mutate := range map[string]func(*plan.Graph){
		"has no tasks":                       func(g *plan.Graph) { g.Tasks = nil },
		"is no folder name":                  func(g *plan.Graph) { g.Tasks[0].Name = "../a" },
		"is there twice":                     func(g *plan.Graph) { g.Tasks[1].Name = "a" },
		"has no command":                     func(g *plan.Graph) { g.Tasks[1].Command = nil },
		"needs a, which is not before it":    func(g *plan.Graph) { g.Tasks[0], g.Tasks[1] = g.Tasks[1], g.Tasks[0] },
		"has 2 sources":                      func(g *plan.Graph) { g.Tasks[0].Inputs[0].Task = "b" },
		"has 0 sources":                      func(g *plan.Graph) { g.Tasks[0].Inputs[0].File = "" },
		"leaves the scratch folder or is no": func(g *plan.Graph) { g.Tasks[0].Inputs[0].Path = "../f" },
		"an input has no path":               func(g *plan.Graph) { g.Tasks[0].Inputs[0].Path = "" },
		`input "in" is there twice`:          func(g *plan.Graph) { g.Tasks[1].Inputs[2].Path = "in" },
		"pattern \"/x\"":                     func(g *plan.Graph) { g.Tasks[0].Collect[0] = "/x" },
		"pattern \"../x\"":                   func(g *plan.Graph) { g.Tasks[1].Checkpoint[0] = "../x" },
		"are both published as a":            func(g *plan.Graph) { g.Tasks[1].PublishAs = "a" },
	} {
		g := sound()
		mutate(&g)
		if err := g.Check(); !errors.Is(err, plan.ErrGraph) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// streamed is a valid graph whose tasks read data files and deliver.
func streamed() plan.Graph {
	return plan.Graph{Output: "out", Tasks: []plan.Task{
		{Name: "m", Command: []string{"x"}, Keep: true, Facts: "facts.json", Collect: []string{"seg/"},
			Stdin: []plan.Part{{File: "f", Size: 10, Offset: 4, Length: 6, Lead: true}, {File: "g.gz", Size: 5, Length: 5, Whole: true}}},
		{Name: "r", Command: []string{"y"}, Inputs: []plan.Input{{Path: "in/0", Task: "m", From: "seg/0"}},
			Deliver: []plan.Delivery{{From: "out/p", Name: "part-0"}, {From: "out/s", Name: "_skipped/0", Optional: true}}},
		{Name: "s", Command: []string{"y"}, Keep: true, Deliver: []plan.Delivery{{From: "out/p", Name: "part-1"}, {From: "side", Name: "."}}},
		{Name: "t", Command: []string{"y"}, Deliver: []plan.Delivery{{From: "side", Name: "."}}},
	}}
}

func TestCheckStreams(t *testing.T) {
	if err := streamed().Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want   string
		mutate func(*plan.Graph)
	}{
		{"no file", func(g *plan.Graph) { g.Tasks[0].Stdin[0].File = "" }},
		{"7 bytes are not in a file of 10", func(g *plan.Graph) { g.Tasks[0].Stdin[0].Length = 7 }},
		{"bytes are not in a file of 10", func(g *plan.Graph) { g.Tasks[0].Stdin[0].Offset = 1<<63 - 1 }},
		{"length -1", func(g *plan.Graph) { g.Tasks[0].Stdin[0].Length = -1 }},
		{"from -1", func(g *plan.Graph) { g.Tasks[0].Stdin[0].Offset = -1 }},
		{"limit -1", func(g *plan.Graph) { g.Tasks[0].Stdin[0].Limit = -1 }},
		{"the whole file of 5 bytes has 4", func(g *plan.Graph) { g.Tasks[0].Stdin[1].Length = 4 }},
		{"streamed as it is", func(g *plan.Graph) { g.Tasks[0].Stdin[1].Lead = true }},
		{"streamed as it is", func(g *plan.Graph) { g.Tasks[0].Stdin[1].Codec = "bzip2" }},
		{"a delimiter of 65537 bytes", func(g *plan.Graph) { g.Tasks[0].Stdin[0].Delimiter = make([]byte, 65537) }},
		{"standard input of 10001 parts", func(g *plan.Graph) { g.Tasks[0].Stdin = make([]plan.Part, 10001) }},
		{`facts "../x" leave`, func(g *plan.Graph) { g.Tasks[0].Facts = "../x" }},
		{"only feed other tasks are published", func(g *plan.Graph) { g.Tasks[0].Publish = true }},
		{"no output folder", func(g *plan.Graph) { g.Output = "" }},
		{`delivery "/p" leaves`, func(g *plan.Graph) { g.Tasks[1].Deliver[0].From = "/p" }},
		{`"../part" is no name`, func(g *plan.Graph) { g.Tasks[1].Deliver[0].Name = "../part" }},
		{`"_SUCCESS" is no name`, func(g *plan.Graph) { g.Tasks[1].Deliver[0].Name = "_SUCCESS" }},
		{"and r both deliver part-0", func(g *plan.Graph) { g.Tasks[2].Deliver[0].Name = "part-0" }},
	} {
		g := streamed()
		c.mutate(&g)
		if err := g.Check(); !errors.Is(err, plan.ErrGraph) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.want, err)
		}
	}
}

// What a task streams counts for its key; how it runs and delivers does not.
func TestKeysOfStreams(t *testing.T) {
	keys := func(mutate func(*plan.Task)) types.Hash {
		g := streamed()
		mutate(&g.Tasks[0])
		list, err := g.Keys("host", nil)
		if err != nil {
			t.Fatal(err)
		}
		return list[1] // through the task that needs it
	}
	before := keys(func(*plan.Task) {})
	for name, mutate := range map[string]func(*plan.Task){
		"file":    func(t *plan.Task) { t.Stdin[0].File = "h" },
		"id":      func(t *plan.Task) { t.Stdin[0].ID++ },
		"time":    func(t *plan.Task) { t.Stdin[0].ModTime++ },
		"offset":  func(t *plan.Task) { t.Stdin[0].Offset-- },
		"lead":    func(t *plan.Task) { t.Stdin[0].Lead = false },
		"no part": func(t *plan.Task) { t.Stdin = t.Stdin[:1] },
	} {
		if keys(mutate) == before {
			t.Errorf("%s does not count", name)
		}
	}
	if keys(func(t *plan.Task) { t.Keep, t.Facts, t.Speculate, t.SkipBad, t.Deliver = false, "", true, true, nil }) != before {
		t.Error("how it runs counts")
	}
}

// What a task computes changes its key and the keys of all that need it; where
// and how it runs does not.
func TestKeys(t *testing.T) {
	hash := func(path string) (types.Hash, error) { return types.HashOf("test", []byte(path)), nil }
	before, err := sound().Keys("host", hash)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		mutate func(*plan.Graph)
		same   []bool
	}{
		{"nothing", func(g *plan.Graph) {}, []bool{true, true}},
		{"terms", func(g *plan.Graph) {
			g.Tasks[0].Name, g.Tasks[0].Stage, g.Tasks[0].Number, g.Tasks[0].Index, g.Tasks[0].ExpectSeconds = "z", "s", 7, "7", 9
			g.Tasks[1].Inputs[0].Task, g.Tasks[1].Inputs[1].Task = "z", "z"
		}, []bool{true, true}},
		{"first command", func(g *plan.Graph) { g.Tasks[0].Command = []string{"x", ""} }, []bool{false, false}},
		{"second command", func(g *plan.Graph) { g.Tasks[1].Command = []string{"z"} }, []bool{true, false}},
		{"variable", func(g *plan.Graph) { g.Tasks[1].Env = map[string]string{"A": "b"} }, []bool{true, false}},
		{"file", func(g *plan.Graph) { g.Tasks[0].Inputs[0].File = "h" }, []bool{false, false}},
		{"inline data", func(g *plan.Graph) { g.Tasks[1].Inputs[2].Data = []byte("w") }, []bool{true, false}},
		{"path", func(g *plan.Graph) { g.Tasks[1].Inputs[2].Path = "t" }, []bool{true, false}},
		{"parameter", func(g *plan.Graph) { g.Tasks[1].Params = []plan.Param{{Name: "n", Value: "1"}} }, []bool{true, false}},
		{"pattern", func(g *plan.Graph) { g.Tasks[0].Collect = []string{"out/**"} }, []bool{false, false}},
	} {
		g := sound()
		c.mutate(&g)
		after, err := g.Keys("host", hash)
		if err != nil {
			t.Fatal(err)
		}
		same := []bool{before[0] == after[0], before[1] == after[1]}
		if diff := cmp.Diff(c.same, same); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
	other, err := sound().Keys("/other/image", hash)
	if err != nil || other[0] == before[0] {
		t.Errorf("another image has the same key (%v)", err)
	}
	if _, err := sound().Keys("host", func(string) (types.Hash, error) { return types.Hash{}, errors.New("gone") }); err == nil {
		t.Error("a file that cannot be read has a key")
	}
}
