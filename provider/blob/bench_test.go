package blob

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/zennet/zennet/provider/protocol"
)

// BenchmarkStaging moves a tree over loopback TCP into a store, onto the disk, and
// reports its rate beside that of cp -r and sync -f of the same tree in the same run.
func BenchmarkStaging(b *testing.B) {
	for name, shape := range map[string]struct{ files, size int }{
		"few-large":  {4, 64 << 20},
		"many-small": {4000, 4 << 10},
	} {
		b.Run(name, func(b *testing.B) {
			src := root(b, b.TempDir())
			for i := range shape.files {
				if err := src.WriteFile(fmt.Sprintf("f%05d", i), noise(uint64(i), shape.size), 0o644); err != nil {
					b.Fatal(err)
				}
			}
			m, err := Scan(src, []string{"."})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(shape.files * shape.size))
			var staged, copied time.Duration
			for i := 0; b.Loop(); i++ {
				to := filepath.Join(b.TempDir(), "copy")
				start := time.Now()
				if out, err := exec.Command("cp", "-r", src.Name(), to).CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				if out, err := exec.Command("sync", "-f", to).CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				copied += time.Since(start)
				if err := os.RemoveAll(to); err != nil {
					b.Fatal(err)
				}
				start = time.Now()
				stage(b, src, m)
				staged += time.Since(start)
			}
			b.ReportMetric(copied.Seconds()/staged.Seconds(), "x-cp")
		})
	}
}

// stage sends m's chunks to a fresh store, and syncs it.
func stage(b *testing.B, src *os.Root, m protocol.Manifest) {
	dir, err := os.MkdirTemp("", "stage")
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		b.StopTimer()
		os.RemoveAll(dir)
		b.StartTimer()
	}()
	s, err := Open(dir, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	source := NewSource(src, "", m)
	defer source.Close()
	if _, _, err, err2 := transfer(b, s, Intake{Owner: "bench"}, Hashes(m), source.Get); err != nil || err2 != nil {
		b.Fatal(err, err2)
	}
	if err := s.Sync(); err != nil {
		b.Fatal(err)
	}
}
