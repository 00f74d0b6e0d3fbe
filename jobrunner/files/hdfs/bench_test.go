package hdfs

import (
	"io"
	"syscall"
	"testing"

	"github.com/colinmarc/hdfs/v2"

	"github.com/zennet/zennet/jobrunner/files/filestest"
	"github.com/zennet/zennet/jobrunner/files/hdfs/hdfstest"
)

const benchSize = 256 << 20

// BenchmarkRead reads one file of 256 MiB from one DataNode on this machine:
// through this package, which checks every byte, and through the library as it
// comes, which hands out what it read whether that is right or not. cpu-s/GiB is
// this process's own time, without the DataNode's.
func BenchmarkRead(b *testing.B) {
	s, plain, folder := benchmark(b)
	p := folder + "/f"
	filestest.Put(b, s, p, filestest.Random(benchSize, 1))
	b.Run("checked", func(b *testing.B) {
		measure(b, func() {
			r, err := s.Open(filestest.Context(b), p, 0)
			filestest.Must(b, err)
			consume(b, r)
		})
	})
	b.Run("library", func(b *testing.B) {
		measure(b, func() {
			r, err := plain.Open(p)
			filestest.Must(b, err)
			consume(b, r)
		})
	})
}

func consume(b *testing.B, r io.ReadCloser) {
	defer r.Close()
	buf, total := make([]byte, 256<<10), 0
	for {
		n, err := r.Read(buf)
		total += n
		if err == io.EOF {
			break
		}
		filestest.Must(b, err)
	}
	if total != benchSize {
		b.Fatalf("%d bytes", total)
	}
}

// BenchmarkWrite writes such a file: whole and renamed by this package, and
// through the library as it comes.
func BenchmarkWrite(b *testing.B) {
	s, plain, folder := benchmark(b)
	data := filestest.Random(benchSize, 1)
	b.Run("put", func(b *testing.B) {
		measure(b, func() {
			filestest.Put(b, s, folder+"/put", data)
			filestest.Must(b, s.Remove(filestest.Context(b), folder+"/put"))
		})
	})
	b.Run("library", func(b *testing.B) {
		measure(b, func() {
			w, err := plain.Create(folder + "/library")
			filestest.Must(b, err)
			for at := 0; at < len(data); at += copyBuffer {
				_, err := w.Write(data[at : at+copyBuffer])
				filestest.Must(b, err)
			}
			for err = w.Close(); hdfs.IsErrReplicating(err); err = w.Close() {
			}
			filestest.Must(b, err)
			filestest.Must(b, plain.Remove(folder+"/library"))
		})
	})
}

// BenchmarkOpen opens and reads files of one kilobyte.
func BenchmarkOpen(b *testing.B) {
	s, _, folder := benchmark(b)
	filestest.Put(b, s, folder+"/small", filestest.Random(1000, 1))
	for b.Loop() {
		filestest.Read(b, s, folder+"/small", 0)
	}
}

func benchmark(b *testing.B) (*System, *hdfs.Client, string) {
	c := hdfstest.Shared(b, hdfstest.Options{DataNodes: 1, BlockSize: 128 << 20, Fast: true})
	s, folder := open(b, c, nil)
	plain, err := hdfs.NewClient(hdfs.ClientOptions{Addresses: []string{c.NameNode(0)}, User: c.User})
	filestest.Must(b, err)
	b.Cleanup(func() { plain.Close() })
	return s, plain, folder
}

func measure(b *testing.B, f func()) {
	b.SetBytes(benchSize)
	before := cpu()
	for b.Loop() {
		f()
	}
	b.ReportMetric((cpu()-before)/float64(b.N)/benchSize*(1<<30), "cpu-s/GiB")
}

// cpu is this process's time so far, in seconds.
func cpu() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
