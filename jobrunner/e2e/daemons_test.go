package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/types"
)

// world is a ledger, providers and a publisher as processes of their own:
// nothing is shared but sockets.
type world struct {
	*site              // the publisher's place; its home is the publisher's
	genesisHome string // of the ledger
	ledger      *process
	url         string
	publisher   *process
	providers   []*process
	homes       []string
}

// newWorld starts a ledger, n providers and a publisher.
func newWorld(t *testing.T, n int) *world {
	t.Helper()
	w := &world{site: newSite(t)}
	base := t.TempDir()
	ledger := filepath.Join(base, "ledger")
	w.genesisHome = ledger
	args := []string{"init", "--home", ledger, "--fund", w.address("publisher", w.home) + "=100XEN"}
	for i := range n {
		w.homes = append(w.homes, filepath.Join(base, fmt.Sprintf("p%d", i)))
		args = append(args, "--fund", w.address("provider", w.homes[i])+"=1XEN")
	}
	if out, err := w.command("xencoind", args...).CombinedOutput(); err != nil {
		t.Fatalf("xencoind init: %v\n%s", err, out)
	}
	w.ledger = w.start("xencoind", "start", "--home", ledger, "--rpc", "127.0.0.1:0")
	line := w.ledger.await("http://")
	w.url = line[strings.Index(line, "http://"):]
	w.url = strings.TrimRight(strings.Fields(w.url)[0], ",")
	for i := range n {
		w.providers = append(w.providers, w.provide(i, ledger))
	}
	for _, p := range w.providers {
		p.await("providing as")
	}
	w.publisher = w.publish(ledger)
	w.publisher.await("publishing as")
	return w
}

func (w *world) address(role, home string) string {
	w.t.Helper()
	out, err := w.command("zennetd", "address", role, "--home", home).Output()
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) provide(i int, ledger string) *process {
	return w.start("zennetd", "--provide", "--home", w.homes[i], "--ledger", w.url, "--genesis", filepath.Join(ledger, "genesis.json"), "--cpu", "2")
}

func (w *world) publish(ledger string) *process {
	return w.start("zennetd", "--publish", "--home", w.home, "--ledger", w.url, "--genesis", filepath.Join(ledger, "genesis.json"),
		"--interval", "2s", "--grace", "4s")
}

// TestFourProcesses runs a whole job over a ledger, two providers and a
// publisher, kills a provider in the middle, and cancels another job.
func TestFourProcesses(t *testing.T) {
	w := newWorld(t, 2)
	file := w.write("work.yaml", `version: 1
kind: container
name: work
command: ["sh", "-c", "cat data.bin | sha256sum | cut -c1-64 > sum.txt; sleep 5; echo $ZENNET_ATTEMPT > attempt.txt"]
array: 0-7
inputs: [data.bin]
collect: ["*.txt"]
slots: 4
providers: {min: 2}
budget: 1 XEN
`)
	if err := os.WriteFile(filepath.Join(w.dir, "data.bin"), make([]byte, 3<<20+17), 0o644); err != nil {
		t.Fatal(err)
	}
	run := w.start("zennet-job", "submit", file)
	run.await("running")
	id := run.id()
	w.eventually("both providers run tasks", func() bool {
		st := w.status(id)
		at := map[types.Address]bool{}
		for _, slot := range st.Slots {
			at[slot.Provider] = true
		}
		return len(at) == 2 && st.Tasks.Running >= len(st.Slots)
	})
	w.providers[0].kill()
	if code := run.exit(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, run.said())
	}
	want := w.read("results/tasks/0/sum.txt")
	for i := range 8 {
		if got := w.read(fmt.Sprintf("results/tasks/%d/sum.txt", i)); got != want || len(got) != 65 {
			t.Errorf("task %d: %q", i, got)
		}
	}
	st := w.status(id)
	if st.Tasks.Done != 8 {
		t.Errorf("status: %+v", st)
	}
	for _, f := range st.Failures {
		if f.Class != "provider" && f.Class != "stage" {
			t.Errorf("failure: %+v", f)
		}
	}
	if len(st.Failures) == 0 {
		t.Error("a provider was killed and no attempt names it")
	}
	// The killed provider comes back: it finds its container, settles with its
	// best voucher, and leaves nothing behind.
	w.providers[0] = w.provide(0, w.genesisHome)
	w.providers[0].await("providing as")
	w.eventually("every lease is settled", func() bool { return w.allSettled(id) })
	w.receipt(id)
	w.eventually("no container is left", func() bool { return len(w.containers()) == 0 })

	// A job on a daemon detaches, and is cancelled from outside.
	out, _ := w.job(0, "submit", "--detach", w.write("long.yaml", "version: 1\nkind: container\ncommand: [\"sleep\", \"600\"]\n"))
	w.job(0, "cancel", first(out))
	if st := w.status(first(out)); st.State != "cancelled" {
		t.Errorf("after cancel: %+v", st)
	}
	w.eventually("no container is left", func() bool { return len(w.containers()) == 0 })
}

func (w *world) allSettled(id string) bool {
	out, _ := w.job(0, "receipt", id, "--json")
	var r journal.Receipt
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		w.t.Fatal(err)
	}
	for _, l := range r.Leases {
		if l.Tx == "" {
			return false
		}
	}
	return true
}

// containers lists the container folders of all providers.
func (w *world) containers() []string {
	var all []string
	for _, home := range w.homes {
		found, err := filepath.Glob(filepath.Join(home, "provider", "runc", "bundles", "*"))
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// TestKillPublisherAndContainer kills the publisher's daemon in the middle of a
// job, and a container under it: the job ends as if nothing had been.
func TestKillPublisherAndContainer(t *testing.T) {
	w := newWorld(t, 1)
	file := w.write("steady.yaml", `version: 1
kind: container
name: steady
command: ["sh", "-c", "cat /proc/sys/kernel/random/uuid > id.txt; sleep 2"]
array: 0-7
collect: ["id.txt"]
slots: 2
budget: 1 XEN
`)
	out, _ := w.job(0, "submit", "--detach", file)
	id := first(out)
	w.eventually("two tasks are done", func() bool { return w.status(id).Tasks.Done >= 2 })
	w.publisher.kill()
	kept := map[string]string{}
	for i := range 8 {
		name := fmt.Sprintf("results/tasks/%d/id.txt", i)
		if data, err := os.ReadFile(filepath.Join(w.dir, name)); err == nil {
			kept[name] = string(data)
		}
	}
	w.publisher = w.publish(w.genesisHome)
	w.publisher.await("publishing as")
	w.killContainer()
	w.job(0, "watch", id)
	for name, want := range kept {
		if got := w.read(name); got != want {
			t.Errorf("%s was finished and ran again: %q, %q", name, want, got)
		}
	}
	if st := w.status(id); st.Tasks.Done != 8 {
		t.Errorf("status: %+v", st)
	}
	w.eventually("every lease is settled", func() bool { return w.allSettled(id) })
	w.receipt(id)
}

// killContainer ends the first process of some container of the first provider.
func (w *world) killContainer() {
	w.t.Helper()
	w.eventually("a container runs", func() bool {
		pids := w.workers(w.homes[0])
		return len(pids) > 0 && syscall.Kill(pids[0], syscall.SIGKILL) == nil
	})
}
