package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/runtime"
	"github.com/zennet/zennet/provider/worker"
	"github.com/zennet/zennet/provider/worker/client"
)

// digestOfTrue is what the worker's program says of a program of the host.
func digestOfTrue(t *testing.T) string {
	digest, err := worker.Digest("true")
	if err != nil {
		t.Fatal(err)
	}
	return digest + "\n"
}

// tasks: what a task finds, and how its end is told.
func (s *suite) tasks(t *testing.T) {
	c := s.start(t, nil)
	for _, w := range []struct {
		name          string
		run           protocol.Run
		class, stdout string
		code          int32
		message       string
	}{
		{name: "no-op", run: protocol.Run{Command: []string{"true"}}},
		{name: "environment", run: protocol.Run{Command: []string{"env"}, Env: map[string]string{"LANG": "C", "A": "b=c"}},
			stdout: "A=b=c\nHOME=/work/home/environment\nLANG=C\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nTMPDIR=/work/home/environment\n"},
		{name: "scratch is empty", run: protocol.Run{Command: []string{"sh", "-c", "pwd; ls -A; cat"}}, stdout: "/work/tasks/scratch is empty\n"},
		{name: "collect names folders", run: protocol.Run{Command: []string{"sh", "-c", "find . | sort; touch a/x d/e/f g/h i"}, Collect: []string{"a/*", "d/e/f", "g/", "i"}},
			stdout: ".\n./a\n./d\n./d/e\n./g\n"},
		{name: "own program", run: protocol.Run{Command: []string{protocol.WorkerProgram, "digest", "true"}}, stdout: digestOfTrue(t)},
		{name: "exit code", run: protocol.Run{Command: []string{"sh", "-c", "echo one >&2; echo two words >&2; exit 3"}}, class: protocol.ClassExit, code: 3, message: "exit code 3: two words"},
		{name: "signal", run: protocol.Run{Command: []string{"sh", "-c", "kill -TERM $$"}}, class: protocol.ClassExit, code: 143, message: "killed by signal 15 (SIGTERM)"},
		{name: "no program", run: protocol.Run{Command: []string{"no-such-program"}}, class: protocol.ClassStart, code: -1, message: `no program "no-such-program" in PATH`},
		{name: "no executable", run: protocol.Run{Command: []string{"/etc/passwd"}}, class: protocol.ClassStart, code: -1, message: "permission denied"},
		{name: "timeout", run: protocol.Run{Command: []string{"sleep", "100"}, TimeoutSeconds: 1, GraceSeconds: 5}, class: protocol.ClassTimeout, code: 143, message: "ran longer than 1 s"},
		{name: "stubborn", run: protocol.Run{Command: []string{"sh", "-c", "trap '' TERM; sleep 100; sleep 100"}, TimeoutSeconds: 1, GraceSeconds: 1}, class: protocol.ClassTimeout, code: 137, message: "did not end within 1 s of TERM"},
		{name: "nothing collected", run: protocol.Run{Command: []string{"true"}, Collect: []string{"out/*.png"}}, class: protocol.ClassCollect, message: `matches nothing: "out/*.png"`},
		{name: "input is missing", run: protocol.Run{Command: []string{"true"}, Inputs: []protocol.Mount{{Path: "in", Tree: types.Hash{1}}}}, class: protocol.ClassStage, code: -1, message: `input "in": blob 01`},
	} {
		t.Run(w.name, func(t *testing.T) {
			c.t = t
			w.run.ID = w.name
			e := c.run(w.run)
			if w.name == "environment" {
				lines := strings.SplitAfter(string(e.Stdout.Inline), "\n")
				e.Stdout.Inline = []byte(strings.Join(sorted(lines), ""))
			}
			if w.name == "scratch is empty" { // its ID is no plain name: the folder's is a hash
				e.Stdout.Inline = []byte("/work/tasks/scratch is empty\n" + strings.Join(strings.SplitAfter(string(e.Stdout.Inline), "\n")[1:], ""))
			}
			if e.Code != w.code || !strings.Contains(e.Message, w.message) {
				t.Errorf("got %s; want code %d and %q", describe(e), w.code, w.message)
			}
			expect(t, e, w.class, w.stdout)
		})
	}
	t.Run("fed", func(t *testing.T) {
		c.t = t
		data := bytes.Repeat([]byte("0123456789abcde\n"), 1<<17)
		c.begin(protocol.Run{ID: "fed", Command: []string{"sha256sum"}, Stdin: true})
		f := client.NewFeeder(c.dial)
		defer f.Close()
		fed, err := f.Feed(within(t), "fed", true, func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
		if err != nil || fed.End != protocol.FedWhole {
			t.Errorf("%+v, %v", fed, err)
		}
		expect(t, c.wait("fed"), protocol.ClassOK, fmt.Sprintf("%x  -\n", sha256.Sum256(data)))
	})
	t.Run("usage", func(t *testing.T) {
		c.t = t
		e := c.python("usage", "import time\nwhile time.process_time() < 0.2: pass")
		if used := e.Usage[pricing.CPUUser] + e.Usage[pricing.CPUSystem]; used < 150e6 || used > 2e9 || e.WallNS < 150e6 {
			t.Errorf("usage %v, wall %d", e.Usage, e.WallNS)
		}
	})
	t.Run("same task twice", func(t *testing.T) {
		c.t = t
		r := protocol.Run{ID: "twice", Command: []string{"sh", "-c", "echo x >> /work/count; cat /work/count"}}
		first := c.run(r)
		delete(c.seen, "twice")
		if diff := cmp.Diff(first, c.run(r)); diff != "" {
			t.Errorf("second answer differs: %s", diff)
		}
	})
	t.Run("kill", func(t *testing.T) {
		c.t = t
		c.begin(protocol.Run{ID: "killed", Command: []string{"sh", "-c", "trap 'echo saved > state.cpt; exit 9' TERM; echo ready; while :; do sleep 0.01; done"}, Checkpoint: []string{"state.*", "other.*"}})
		c.waitOutput("killed", "ready")
		if err := c.client.Kill("killed", 10); err != nil {
			t.Fatal(err)
		}
		e := c.wait("killed")
		if e.Class != protocol.ClassKilled || !e.Checkpoint || e.Files != 1 || len(e.Inline) != 1 || string(e.Inline[0]) != "saved\n" {
			t.Errorf("got %s with %d files %q", describe(e), e.Files, e.Inline)
		}
	})
	t.Run("child saves after its shell has gone", func(t *testing.T) {
		c.t = t
		c.begin(protocol.Run{ID: "late", Checkpoint: []string{"state.cpt"}, Command: []string{"sh", "-c",
			`python3 -c 'import signal, time; signal.signal(signal.SIGTERM, lambda *a: (time.sleep(0.3), open("state.cpt", "w").write("late"), exit(0))); print("ready", flush=True); time.sleep(100)'; true`}})
		c.waitOutput("late", "ready")
		if err := c.client.Kill("late", 10); err != nil {
			t.Fatal(err)
		}
		if e := c.wait("late"); e.Class != protocol.ClassKilled || len(e.Inline) != 1 || string(e.Inline[0]) != "late" {
			t.Errorf("got %s with %q", describe(e), e.Inline)
		}
	})
	t.Run("nothing is left running", func(t *testing.T) {
		c.t = t
		c.begin(protocol.Run{ID: "beside", Command: []string{"sh", "-c", "echo up; sleep 1000"}})
		c.waitOutput("beside", "up")
		// A child in the background, one in a session of its own, and a daemon without parent.
		expect(t, c.sh("parent", "sleep 900 & setsid sleep 901 & (setsid sh -c 'sleep 902' &) ; sleep 0.1; exit 0"), protocol.ClassOK, "")
		expect(t, c.sh("look", "ps ax -o args | grep '[s]leep 90' && exit 1; ps ax -o args | grep -q '[s]leep 1000'"), protocol.ClassOK, "")
		c.client.Kill("beside", 0)
		if e := c.wait("beside"); e.Class != protocol.ClassKilled {
			t.Errorf("got %s", describe(e))
		}
	})
	t.Run("release of a running task", func(t *testing.T) {
		c.t = t
		c.begin(protocol.Run{ID: "dropped", Command: []string{"sh", "-c", "echo up; sleep 1000"}})
		c.waitOutput("dropped", "up")
		if err := errors.Join(c.client.Release("dropped"), c.client.Kill("dropped", 0)); err != nil {
			t.Fatal(err)
		}
		c.wait("dropped")
		expect(t, c.sh("gone", "while test -e /work/tasks/dropped; do sleep 0.01; done"), protocol.ClassOK, "")
	})
}

func sorted(lines []string) []string {
	out := append([]string{}, lines...)
	for i := range out {
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

// outputs: inputs come as they were pushed, outputs go as they were made, and
// nothing is taken from outside the scratch folder.
func (s *suite) outputs(t *testing.T) {
	blobs := temp(t)
	store, err := blob.Open(blobs, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	source := temp(t)
	big := bytes.Repeat([]byte("zennet"), 500_000) // three chunks
	for name, data := range map[string][]byte{"scene/big": big, "scene/deep/small": []byte("s"), "run.sh": []byte("#!/bin/sh\ncat scene/deep/small\n")} {
		path := filepath.Join(source, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(source)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	m, err := store.Import(root, []string{"scene", "run.sh"})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := blob.EncodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	pushed, err := store.Put(encoded)
	if err != nil {
		t.Fatal(err)
	}
	c := s.start(t, func(sp *runtime.Spec) { sp.Blobs = blobs })

	e := c.run(protocol.Run{ID: "copy", Command: []string{"sh", "-c", "./run.sh; cat extra/note; cp -r scene out/; ln -s scene/big out/link"}, Collect: []string{"out"},
		Inputs: []protocol.Mount{{Tree: pushed}, {Path: "extra/note", Small: []byte("n")}, {Path: "out/empty", Small: nil}}})
	expect(t, e, protocol.ClassOK, "sn")
	out, err := blob.DecodeManifest(e.Manifest)
	if err != nil || sha256.Sum256(e.Manifest) != e.Tree {
		t.Fatalf("manifest: %v", err)
	}
	got := map[string]string{}
	for _, f := range out.Files {
		var buf bytes.Buffer
		if f.Link == "" {
			if err := c.client.Fetch(within(t), "copy", protocol.FetchFile, f.Path, f.Size, f.Chunks, &buf); err != nil {
				t.Fatal(err)
			}
		}
		got[f.Path] = fmt.Sprintf("%d %o %s", buf.Len(), f.Mode, f.Link)
	}
	want := map[string]string{"out/scene/big": "3000000 755 ", "out/scene/deep/small": "1 755 ", "out/link": "0 777 scene/big", "out/empty": "0 644 "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outputs: %s", diff)
	}
	wrong := append([]types.Hash{}, out.Files[len(out.Files)-2].Chunks...)
	t.Run("wrong hash", func(t *testing.T) {
		for i := range wrong {
			wrong[i][0] ^= 1
		}
		f := out.Files[len(out.Files)-2]
		if err := c.client.Fetch(within(t), "copy", protocol.FetchFile, f.Path, f.Size, wrong, io.Discard); !errors.Is(err, client.ErrHash) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("fetch of what is not there", func(t *testing.T) {
		for _, path := range []string{"none", "out", "scene/../../../logs/copy.stdout"} {
			if err := c.client.Fetch(within(t), "copy", protocol.FetchFile, path, 1, []types.Hash{{}}, io.Discard); err == nil {
				t.Errorf("%s was fetched", path)
			}
		}
	})
	t.Run("many files", func(t *testing.T) {
		c.t = t
		e := c.python("many", "import os\nos.mkdir('o/d')\nfor i in range(3000): open('o/d/%d' % i, 'w').write(str(i))")
		_ = e
		e = c.run(protocol.Run{ID: "many files", Command: []string{"python3", "-c", "for i in range(3000): open('o/%d' % i, 'w').write(str(i))"}, Collect: []string{"o/*"}})
		if e.Class != protocol.ClassOK || e.Files != 3000 || e.Manifest != nil {
			t.Fatalf("got %s, %d files", describe(e), e.Files)
		}
		var buf bytes.Buffer
		if err := c.client.Fetch(within(t), "many files", protocol.FetchManifest, "", 0, []types.Hash{e.Tree}, &buf); err != nil {
			t.Fatal(err)
		}
		if m, err := blob.DecodeManifest(buf.Bytes()); err != nil || len(m.Files) != 3000 {
			t.Errorf("%d files, %v", len(m.Files), err)
		}
	})

	for name, script := range map[string]string{
		"link to a secret":       "ln -s /etc/passwd out/a",
		"link to a folder":       "ln -s / out/a",
		"link upwards":           "ln -s ../../../logs out/a",
		"folder is a link":       "rmdir out; ln -s /etc out",
		"scratch is moved":       "mv /work/tasks/$(basename $PWD) /work/moved; ln -s /etc /work/tasks/$(basename $PWD)",
		"pipe":                   "mkfifo out/a",
		"socket":                 `python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("out/a")'`,
		"unreadable":             "echo > out/a; chmod 0 out/a",
		"closed folder":          "mkdir out/b; echo > out/b/a; chmod 0 out/b",
		"loop":                   "ln -s b out/a; ln -s a out/b",
		"name that is not UTF-8": `python3 -c 'open(b"out/\xff", "w")'`,
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			e := c.run(protocol.Run{ID: "trick-" + strings.ReplaceAll(name, " ", "-"), Command: []string{"sh", "-c", script}, Collect: []string{"out/*", "out"}, TimeoutSeconds: 20})
			if e.Class != protocol.ClassCollect || e.Files != 0 {
				t.Errorf("got %s with %d files %q", describe(e), e.Files, e.Inline)
			}
			if name == "scratch is moved" {
				expect(t, c.sh("repair", "rm -f /work/tasks/trick-scratch-is-moved"), protocol.ClassOK, "")
			}
			c.client.Release(e.ID)
		})
	}
	c.t = t
	c.alive("after")
}

// connections: tasks outlive connections; several may look at a task; the newest
// control connection has the say.
func (s *suite) connections(t *testing.T) {
	c := s.start(t, nil)
	c.begin(protocol.Run{ID: "counts", Command: []string{"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.05; done"}})
	c.waitOutput("counts", "1\n")
	old := c.client
	c.connect() // while the other is still open
	<-old.Done()
	if tasks := c.client.Tasks(); len(tasks) != 1 || tasks[0].Exited != nil {
		t.Errorf("greeting: %+v", tasks)
	}
	logs, err := c.client.Logs(within(t), protocol.Logs{ID: "counts", Follow: true, Offset: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	if all, err := io.ReadAll(logs); err != nil || string(all) != "2\n3\n4\n5\n6\n7\n8\n9\n" {
		t.Errorf("followed %q, %v", all, err)
	}
	e := c.wait("counts")
	expect(t, e, protocol.ClassOK, "1\n2\n3\n4\n5\n6\n7\n8\n9\n")
	c.client.Close()
	if err := c.client.Err(); !errors.Is(err, client.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
	c.connect()
	if diff := cmp.Diff([]protocol.TaskInfo{{ID: "counts", Exited: e}}, c.client.Tasks()); diff != "" {
		t.Errorf("greeting: %s", diff)
	}
	if err := c.client.Release("counts"); err != nil {
		t.Fatal(err)
	}
	c.alive("then")

	t.Run("garbage", func(t *testing.T) {
		for _, data := range [][]byte{{}, []byte("GET / HTTP/1.1\r\n\r\n"), bytes.Repeat([]byte{255}, 100), {0, 0, 0, 1, 32}} {
			conn, err := c.rt.Dial(within(t), c.id)
			if err != nil {
				t.Fatal(err)
			}
			conn.Write(data)
			if unix, ok := conn.(interface{ CloseWrite() error }); ok {
				unix.CloseWrite()
			}
			io.Copy(io.Discard, conn)
			conn.Close()
		}
		c.t = t
		c.alive("still")
	})
	t.Run("logs of a task that is not there", func(t *testing.T) {
		logs, err := c.client.Logs(within(t), protocol.Logs{ID: "none", Follow: true})
		if err != nil {
			t.Fatal(err)
		}
		defer logs.Close()
		if all, err := io.ReadAll(logs); len(all) > 0 || err != nil {
			t.Errorf("%q, %v", all, err)
		}
	})
	t.Run("measure", func(t *testing.T) {
		for range 3 {
			if r, err := c.client.Measure(within(t)); err != nil || r.Usage[pricing.CPUUser]+r.Usage[pricing.CPUSystem] == 0 {
				t.Errorf("%+v, %v", r, err)
			}
		}
	})
}
