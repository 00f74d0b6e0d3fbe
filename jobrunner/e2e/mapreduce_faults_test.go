package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/chain"
)

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
		{"container", false, func(t *testing.T, name, id string) {
			running(id)
			w.killContainer()
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
			for _, pid := range w.workers(w.homes[0]) {
				if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			w.eventually("it is told as silent", func() bool { return strings.Contains(fmt.Sprint(w.status(id).Failures), "does not answer") })
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
			w.died = false
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
