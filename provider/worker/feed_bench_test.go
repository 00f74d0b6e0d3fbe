package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
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

// BenchmarkFeedKept is BenchmarkFeed where every chunk goes into the provider's blob
// store on the way, hashed there a third time and written to its disk.
func BenchmarkFeedKept(b *testing.B) {
	benchmarkSplit(b, false)
}

// BenchmarkFeedKnown is BenchmarkFeed where the chunks are in the store.
func BenchmarkFeedKnown(b *testing.B) {
	benchmarkSplit(b, true)
}

func benchmarkSplit(b *testing.B, known bool) {
	dial, dir := serve(b)
	store, put := stocked(b, dir, benchBytes+64<<20)
	c, f := connect(b, dial), newFeeder(b, dial)
	data := noise(benchBytes)
	split := client.Split{Source: source(data), Store: put}
	feed := func(id string) client.Learnt {
		c.Run(protocol.Run{ID: id, Command: []string{"sh", "-c", "cat > /dev/null"}, Stdin: true})
		fed, learnt, err := f.FeedSplit(context.Background(), id, true, split)
		if err != nil || fed.End != protocol.FedWhole {
			b.Fatal(fed, err)
		}
		exited(b, c)
		c.Release(id)
		return learnt
	}
	if known {
		split.Known = feed("before").Chunks
	}
	b.SetBytes(benchBytes)
	b.ResetTimer()
	before := cpu()
	for i := range b.N {
		for at := 0; at < benchBytes && !known; at += protocol.ChunkSize { // the same chunk again would not travel
			binary.LittleEndian.PutUint64(data[at:], rand.Uint64())
		}
		if learnt := feed(fmt.Sprint(i)); !known && !learnt.Kept || learnt.Read == known {
			b.Fatalf("%+v", learnt)
		}
	}
	perGiB(b, before)
	b.StopTimer()
	if _, blobs := store.Usage(); blobs == 0 {
		b.Fatal("nothing was kept")
	}
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
