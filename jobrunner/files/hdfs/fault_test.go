package hdfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/files/filestest"
	"github.com/zennet/zennet/jobrunner/files/hdfs/hdfstest"
)

// A flipped byte in one replica, then in two: the data of the third. In all: an
// error with the file and the place, and nothing wrong before it.
func TestFlippedByte(t *testing.T) {
	c := shared(t)
	s, folder := open(t, c, nil)
	const at = 1<<20 + 300_000 // in the second block
	data := filestest.Random(5<<19, 7)
	p := folder + "/f"
	filestest.Put(t, s, p, data)
	for i := range 3 {
		if got := filestest.Read(t, s, p, 0); !bytes.Equal(got, data) {
			t.Fatalf("%d bad replicas: wrong data", i)
		}
		if err := c.FlipByte(p, i, at); err != nil {
			t.Fatal(err)
		}
	}
	r, err := s.Open(filestest.Context(t), p, 0)
	filestest.Must(t, err)
	defer r.Close()
	got, err := io.ReadAll(r)
	if !errors.Is(err, files.ErrCorrupt) || !strings.Contains(err.Error(), fmt.Sprintf("%s at %d", p, len(got))) {
		t.Errorf("all replicas are bad: %v", err)
	}
	if len(got) > at || len(got) < at-1024 || !bytes.Equal(got, data[:len(got)]) {
		t.Errorf("%d bytes read, right ones: %v", len(got), bytes.Equal(got, data[:len(got)]))
	}
	// What begins in the bad chunk is refused when it is opened, what begins
	// behind it is read.
	if _, err := s.Open(filestest.Context(t), p, at); !errors.Is(err, files.ErrCorrupt) {
		t.Errorf("opened at the bad byte: %v", err)
	}
	if got := filestest.Read(t, s, p, at+1000); !bytes.Equal(got, data[at+1000:]) {
		t.Error("wrong data behind the bad byte")
	}
}

// A file whose writer chose other chunks for its checksums is checked as well.
func TestFlippedByteInSmallChunks(t *testing.T) {
	c := shared(t)
	s, folder := open(t, c, nil)
	data := filestest.Random(200_000, 8)
	local := t.TempDir() + "/f"
	write(t, local, string(data))
	for _, chunk := range []int{16, 128, 4096} {
		p := fmt.Sprintf("%s/%d", folder, chunk)
		if _, err := c.Java(hdfstest.Shell, "-D", fmt.Sprint("dfs.bytes-per-checksum=", chunk), "-put", local, p); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if err := c.FlipByte(p, i, 100_000); err != nil {
				t.Fatal(err)
			}
		}
		for _, offset := range []int64{0, 1, 99_999, 100_000, 123_457} {
			if got := filestest.Read(t, s, p, offset); !bytes.Equal(got, data[offset:]) {
				t.Errorf("chunks of %d, from %d: wrong data", chunk, offset)
			}
		}
	}
}

// With one of three DataNodes dead, which the NameNode does not notice, files are
// read and written as before.
func TestDataNodeKilled(t *testing.T) {
	c := shared(t)
	s, folder := open(t, c, nil)
	data := filestest.Random(5<<19, 9)
	filestest.Put(t, s, folder+"/before", data)
	r, err := s.Open(filestest.Context(t), folder+"/before", 0)
	filestest.Must(t, err)
	defer r.Close()
	head := make([]byte, 1000)
	_, err = io.ReadFull(r, head)
	filestest.Must(t, err)
	c.KillDataNode(0)
	defer func() { filestest.Must(t, c.StartDataNode(0)) }()
	tail, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(append(head, tail...), data) {
		t.Errorf("read while a DataNode died: %v", err)
	}
	for i := range 3 {
		p := fmt.Sprintf("%s/after%d", folder, i)
		filestest.Put(t, s, p, data)
		if got := filestest.Read(t, s, p, 0); !bytes.Equal(got, data) {
			t.Errorf("%s: wrong data", p)
		}
	}
	if got := filestest.Names(t, s, folder); len(got) != 4 {
		t.Errorf("left behind: %q", got)
	}
}

// A frozen DataNode holds up a read for one timeout, not for ever.
func TestDataNodeFrozenRead(t *testing.T) {
	c := shared(t)
	s, folder := open(t, c, func(c *Config) { c.Timeout = 2 * time.Second })
	data := filestest.Random(5<<19, 10)
	p := folder + "/f"
	filestest.Put(t, s, p, data)
	for i := range 3 {
		c.StopDataNode(i)
		got := filestest.Read(t, s, p, 0)
		c.ContinueDataNode(i)
		if !bytes.Equal(got, data) {
			t.Errorf("DataNode %d frozen: wrong data", i)
		}
	}
}

// A frozen DataNode in the pipeline of a write: the file is written in the end.
func TestDataNodeFrozenWrite(t *testing.T) {
	soak(t)
	c := shared(t)
	s, folder := open(t, c, func(c *Config) { c.Timeout, c.Patience = 5*time.Second, 5*time.Minute })
	data := filestest.Random(5<<19, 11)
	c.StopDataNode(1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	begin := time.Now()
	_, err := s.Put(ctx, folder+"/f", filestest.Bytes(data))
	t.Logf("written after %s", time.Since(begin))
	c.ContinueDataNode(1)
	filestest.Must(t, err)
	if got := filestest.Read(t, s, folder+"/f", 0); !bytes.Equal(got, data) {
		t.Error("wrong data")
	}
}

// The NameNode is killed and started again under calls of every kind: each
// succeeds, with what was there before and after.
func TestNameNodeRestart(t *testing.T) {
	c := shared(t)
	s, folder := open(t, c, nil)
	data := filestest.Random(3<<19, 12)
	filestest.Put(t, s, folder+"/f", data)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	stop, rounds := make(chan struct{}), make(chan int, 4)
	var work sync.WaitGroup
	for w := range 4 {
		work.Go(func() {
			n := 0
			defer func() { rounds <- n }()
			for ; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := everything(ctx, s, folder, fmt.Sprintf("%d-%d", w, n), data); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	err := c.RestartNameNode(0)
	close(stop)
	work.Wait()
	filestest.Must(t, err)
	for range 4 {
		if <-rounds == 0 {
			t.Error("a worker did nothing")
		}
	}
	if got := filestest.Names(t, s, folder); len(got) != 1 {
		t.Errorf("left behind: %q", got)
	}
}

func everything(ctx context.Context, s *System, folder, name string, data []byte) error {
	r, err := s.Open(ctx, folder+"/f", 1000)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(r)
	r.Close()
	if err != nil || !bytes.Equal(got, data[1000:]) {
		return fmt.Errorf("read wrong data: %w", err)
	}
	a, b := folder+"/"+name, folder+"/"+name+"b"
	if err := s.Mkdir(ctx, a); err != nil {
		return err
	}
	put, err := s.Put(ctx, a+"/x", filestest.Bytes(data[:700_000]))
	if err != nil {
		return err
	}
	if err := s.Rename(ctx, a, b); err != nil {
		return err
	}
	seen := 0
	err = s.List(ctx, b, func(batch []files.Info) error {
		for _, info := range batch {
			if info.ID == put.ID {
				seen++
			}
		}
		return nil
	})
	if err == nil && seen != 1 {
		err = fmt.Errorf("%d of 1 file in %s", seen, b)
	}
	if err != nil {
		return err
	}
	if err := s.Remove(ctx, b); err != nil {
		return err
	}
	if _, err := s.Stat(ctx, b); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is still there: %w", b, err)
	}
	return nil
}

// A frozen NameNode is given up after the patience; when it goes on, so do calls.
func TestNameNodeFrozen(t *testing.T) {
	c := shared(t)
	s, folder := open(t, c, func(c *Config) { c.Timeout, c.Patience = time.Second, 2*time.Second })
	filestest.Put(t, s, folder+"/f", []byte("x"))
	c.StopNameNode(0)
	_, err := s.Stat(filestest.Context(t), folder+"/f")
	c.ContinueNameNode(0)
	if !errors.Is(err, files.ErrUnavailable) {
		t.Errorf("frozen: %v", err)
	}
	if _, err := another(t, c, nil).Stat(filestest.Context(t), folder+"/f"); err != nil {
		t.Error(err)
	}
}
