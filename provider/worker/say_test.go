package worker

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/provider/protocol"
)

// TestSay: the publisher hears what the worker's own program says while it runs, as
// lines that can be shown; a program of the user's has no voice.
func TestSay(t *testing.T) {
	if os.Getenv("ZENNET_TEST_OWN") != "" {
		fd, err := strconv.Atoi(os.Getenv(protocol.EnvSay))
		if err != nil {
			os.Exit(3)
		}
		out := os.NewFile(uintptr(fd), "say")
		out.WriteString("half of it\n")
		out.WriteString("\x1b[31mred\n" + strings.Repeat("long ", 1000) + "\nend\n")
		select {} // until it is killed
	}
	dial, _ := serve(t)
	c := connect(t, dial)
	c.Run(protocol.Run{ID: "b", Command: []string{"sh", "-c", "echo $ZENNET_SAY; test ! -e /proc/self/fd/3"}})
	if e := exited(t, c); e.Class != protocol.ClassOK || string(e.Stdout.Inline) != "\n" {
		t.Errorf("%s %q, output %q", e.Class, e.Message, e.Stdout.Inline)
	}
	c.Run(protocol.Run{ID: "a", Command: []string{protocol.WorkerProgram, "-test.run=^TestSay$"}, Env: map[string]string{"ZENNET_TEST_OWN": "1"}})
	var said []string
	deadline := time.After(30 * time.Second)
	for len(said) == 0 || said[len(said)-1] != "end" {
		select {
		case ev := <-c.Events():
			if ev.Said != nil && ev.Said.ID == "a" {
				said = append(said, ev.Said.Text)
			} else if ev.Started == nil {
				t.Fatalf("%+v", ev.Exited)
			}
		case <-deadline:
			t.Fatalf("heard %q", said)
		}
	}
	if diff := cmp.Diff([]string{"half of it", "[31mred", protocol.Line(strings.Repeat("long ", 1000)), "end"}, said); diff != "" {
		t.Error(diff)
	}
	c.Kill("a", 0)
	if e := exited(t, c); e.Class != protocol.ClassKilled {
		t.Errorf("%s %q", e.Class, e.Message)
	}
}

// TestSayHeldOpen: who keeps the program's voice after its end is not waited for.
func TestSayHeldOpen(t *testing.T) {
	if os.Getenv("ZENNET_TEST_OWN") != "" {
		return
	}
	task := &task{}
	theirs, err := task.listen(func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer os.NewFile(uintptr(theirs), "say").Close()
	task.voice.close()
}
