package worker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/zennet/zennet/provider/protocol"
)

const benchBytes = 256 << 20

// cpu is what this process and its ended children have used.
func cpu() (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		syscall.Getrusage(who, &r)
		sum += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return sum
}

func perGiB(b *testing.B, before time.Duration) {
	b.ReportMetric((cpu()-before).Seconds()/float64(b.N)*(1<<30)/benchBytes, "cpu-s/GiB")
}

// BenchmarkFeed streams 256 MiB into a process over a stdin connection: publisher's
// end, worker and process, hashing at both ends.
func BenchmarkFeed(b *testing.B) {
	dial, _ := serve(b)
	c, f := connect(b, dial), newFeeder(b, dial)
	data := noise(benchBytes)
	b.SetBytes(benchBytes)
	before := cpu()
	for i := range b.N {
		id := fmt.Sprint(i)
		c.Run(protocol.Run{ID: id, Command: []string{"sh", "-c", "cat > /dev/null"}, Stdin: true})
		if fed, err := f.Feed(context.Background(), id, true, source(data)); err != nil || fed.End != protocol.FedWhole {
			b.Fatal(fed, err)
		}
		exited(b, c)
		c.Release(id)
	}
	perGiB(b, before)
}

// BenchmarkPipe is the least that it could cost: the same bytes through a pipe.
func BenchmarkPipe(b *testing.B) {
	data := noise(benchBytes)
	b.SetBytes(benchBytes)
	before := cpu()
	for range b.N {
		cmd := exec.Command("sh", "-c", "cat > /dev/null")
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(in, bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	perGiB(b, before)
}

// BenchmarkFedNoop is BenchmarkNoop for a task that is fed a line.
func BenchmarkFedNoop(b *testing.B) {
	dial, _ := serve(b)
	c, f := connect(b, dial), newFeeder(b, dial)
	line := source([]byte("a line\n"))
	i := 0
	for b.Loop() {
		id := fmt.Sprint("t", i)
		i++
		if err := c.Run(protocol.Run{ID: id, Command: []string{"cat"}, Stdin: true}); err != nil {
			b.Fatal(err)
		}
		if fed, err := f.Feed(context.Background(), id, true, line); err != nil || fed.End != protocol.FedWhole {
			b.Fatal(fed, err)
		}
		if e := exited(b, c); e.Class != protocol.ClassOK {
			b.Fatal(e.Message)
		}
		c.Release(id)
	}
}
