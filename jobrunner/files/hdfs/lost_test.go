package hdfs

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/files/filestest"
)

// cutter stands between the client and the NameNode. It lets one call of each
// armed method through and hangs up instead of passing on its answer.
type cutter struct {
	to string
	mu sync.Mutex
	at map[string]bool
}

func (c *cutter) arm(methods ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range methods {
		c.at[m] = true
	}
}

func (c *cutter) hit(request []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for m := range c.at {
		if bytes.Contains(request, []byte("\n"+string(rune(len(m)))+m)) {
			delete(c.at, m)
			return true
		}
	}
	return false
}

func (c *cutter) armed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.at)
}

func (c *cutter) serve(client net.Conn) {
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	var mu sync.Mutex
	cut := false
	go func() {
		defer server.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			mu.Lock()
			cut = cut || c.hit(buf[:n])
			mu.Unlock()
			if _, werr := server.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		mu.Lock()
		stop := cut
		mu.Unlock()
		if stop || err != nil {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A call that was carried out although its answer was lost is not carried out
// twice, and does not fail over what it did itself.
func TestLostAnswers(t *testing.T) {
	c := shared(t)
	between := &cutter{to: c.NameNode(0), at: map[string]bool{}}
	proxy := server(t, between.serve)
	t.Setenv("HADOOP_CONF_DIR", "")
	s, err := Open(Config{Authority: proxy, User: c.User, Patience: time.Minute})
	filestest.Must(t, err)
	defer s.Close()
	// Renames go to the NameNode by the same way.
	s.web.until = time.Now().Add(time.Hour)
	folder, ctx := "/test/"+t.Name(), filestest.Context(t)
	filestest.Must(t, s.Remove(ctx, folder))
	filestest.Must(t, s.MkdirAll(ctx, folder))

	between.arm("mkdirs")
	filestest.Must(t, s.Mkdir(ctx, folder+"/a"))
	data := filestest.Random(100_000, 15)
	between.arm("create", "addBlock", "complete", "rename2")
	filestest.Put(t, s, folder+"/a/f", data)
	between.arm("rename2")
	filestest.Must(t, s.Rename(ctx, folder+"/a", folder+"/b"))
	between.arm("getFileInfo", "getBlockLocations", "getListing")
	if got := filestest.Read(t, s, folder+"/b/f", 0); !bytes.Equal(got, data) {
		t.Error("wrong data")
	}
	if got := filestest.Names(t, s, folder+"/b"); len(got) != 1 || got[0] != "f" {
		t.Errorf("left behind: %q", got)
	}
	between.arm("delete")
	filestest.Must(t, s.Remove(ctx, folder+"/b"))
	if n := between.armed(); n != 0 {
		t.Errorf("%d answers were not lost: %v", n, between.at)
	}
	if got := filestest.Names(t, s, folder); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}

// A reader whose connection breaks in the middle goes on where it was.
func TestReadGoesOn(t *testing.T) {
	c := shared(t)
	s, folder := open(t, c, nil)
	data := filestest.Random(5<<19, 16)
	filestest.Put(t, s, folder+"/f", data)
	r, err := s.Open(filestest.Context(t), folder+"/f", 0)
	filestest.Must(t, err)
	defer r.Close()
	var got []byte
	for i := 0; len(got) < len(data); i++ {
		buf := make([]byte, 100_000+i)
		n, err := r.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			t.Fatal(err)
		}
		if i%5 == 4 {
			s.mu.Lock()
			for l := range s.busy {
				l.abort()
			}
			s.mu.Unlock()
		}
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	if !bytes.Equal(got, data) {
		t.Error("wrong data")
	}
}
