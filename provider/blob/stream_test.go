package blob

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// transfer runs Send and Receive over loopback TCP.
func transfer(t testing.TB, to *Store, in Intake, hashes []types.Hash, get func(types.Hash) ([]byte, error)) (sent, came uint64, sendErr, receiveErr error) {
	t.Helper()
	a, b := pair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		came, receiveErr = Receive(context.Background(), b, to, in)
		b.Close()
	}()
	sent, sendErr = Send(context.Background(), a, hashes, get)
	a.Close()
	<-done
	return sent, came, sendErr, receiveErr
}

// pair is two ends of a loopback connection.
func pair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// A tree goes from folder to folder by way of two stores, and only once.
func TestTreeTravels(t *testing.T) {
	big := string(noise(1, 3*protocol.ChunkSize+5))
	src := folder(t, map[string]string{"a/big": big, "a/small": "x", "a/none": "", "a/again": big, "b/link": "->../a/small", "empty/": ""})
	m, err := Scan(src, []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	data, err := EncodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	source := NewSource(src, "", m)
	defer source.Close()
	get := func(h types.Hash) ([]byte, error) {
		if h == HashOf(data) {
			return data, nil
		}
		return source.Get(h)
	}
	to := open(t, 0)
	hashes := append(Hashes(m), HashOf(data))
	sent, came, err, err2 := transfer(t, to, Intake{Owner: "lease"}, hashes, get)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if want := uint64(len(big) + 1 + len(data)); sent != want || came != want {
		t.Errorf("sent %d, came %d bytes, want %d", sent, came, want)
	}
	if sent, _, err, err2 = transfer(t, to, Intake{Owner: "lease"}, hashes, get); sent != 0 || err != nil || err2 != nil {
		t.Errorf("the second time %d bytes went (%v, %v)", sent, err, err2)
	}
	back, err := to.Get(HashOf(data))
	if err != nil {
		t.Fatal(err)
	}
	if m, err = DecodeManifest(back); err != nil {
		t.Fatal(err)
	}
	dst := folder(t, nil)
	if err := Place(dst, "out/tree", m, to.Get); err != nil {
		t.Fatal(err)
	}
	sub, err := dst.OpenRoot("out/tree")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	again, err := Scan(sub, []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	if got := types.Encode(again); !bytes.Equal(got, data) {
		t.Errorf("placed\n%swant\n%s", describe(again), describe(m))
	}
}

// A transfer that breaks goes on where it stopped.
func TestBrokenTransferResumes(t *testing.T) {
	from, to := open(t, 0), open(t, 0)
	var hashes []types.Hash
	for i := range uint64(20) {
		h, err := from.Put(noise(i, 100_000))
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, h)
	}
	cut, n := errors.New("cut"), 0
	sent, _, err, err2 := transfer(t, to, Intake{}, hashes, func(h types.Hash) ([]byte, error) {
		if n++; n > 8 {
			return nil, cut
		}
		return from.Get(h)
	})
	if !errors.Is(err, cut) || !errors.Is(err2, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v and %v", err, err2)
	}
	_, held := to.Usage()
	rest, _, err, err2 := transfer(t, to, Intake{}, hashes, from.Get)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if held == 0 || sent != 8*100_000 || rest != uint64(20-held)*100_000 {
		t.Errorf("first %d bytes, of which %d blobs were kept, then %d bytes", sent, held, rest)
	}
}

func TestMoreThanOneWindow(t *testing.T) {
	from, to := open(t, 0), open(t, 0)
	var hashes []types.Hash
	for i := range uint64(protocol.MaxHave + 10) {
		h, err := from.Put(noise(i, 10))
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, h, h)
	}
	if _, _, err, err2 := transfer(t, to, Intake{Owner: "x"}, hashes, from.Get); err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if _, n := to.Usage(); n != protocol.MaxHave+10 {
		t.Errorf("%d blobs came", n)
	}
}

// What the receiver cannot keep is told to the sender, while it still sends.
func TestRefusalsAreTold(t *testing.T) {
	from := open(t, 0)
	var hashes []types.Hash
	for i := range uint64(40) {
		h, err := from.Put(noise(i, protocol.ChunkSize))
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, h)
	}
	for name, c := range map[string]struct {
		max  uint64
		in   Intake
		get  func(types.Hash) ([]byte, error)
		want error
		told string
	}{
		"limit":   {0, Intake{Limit: 3 * protocol.ChunkSize}, from.Get, ErrLimit, "more than the lease may store"},
		"full":    {5 * protocol.ChunkSize, Intake{Owner: "x"}, from.Get, ErrFull, "full"},
		"forgery": {0, Intake{Owner: "x"}, func(types.Hash) ([]byte, error) { return []byte("other"), nil }, ErrDamaged, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err, err2 := transfer(t, open(t, c.max), c.in, hashes, c.get)
			if !errors.Is(err2, c.want) {
				t.Errorf("the receiver has %v, want %v", err2, c.want)
			}
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.told) {
				t.Errorf("the sender has %v", err)
			}
		})
	}
}

// What comes for a cache is not pinned, so that it never keeps anything else out;
// and only a share of what a lease may send is taken for it.
func TestCache(t *testing.T) {
	from, to := open(t, 0), open(t, 8*protocol.ChunkSize)
	var hashes []types.Hash
	for i := range uint64(16) {
		h, err := from.Put(noise(i, protocol.ChunkSize))
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, h)
	}
	cache := func(in Intake, hashes ...types.Hash) (sent uint64, sendErr, receiveErr error) {
		a, b := pair(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, receiveErr = Receive(context.Background(), b, to, in)
			b.Close()
		}()
		sent, sendErr = SendCache(context.Background(), a, hashes, from.Get)
		a.Close()
		<-done
		return sent, sendErr, receiveErr
	}
	in := Intake{Owner: "x", Limit: 100 * protocol.ChunkSize, Share: 6 * protocol.ChunkSize}
	if sent, err, err2 := cache(in, hashes[:6]...); err != nil || err2 != nil || sent != 6*protocol.ChunkSize {
		t.Fatal(sent, err, err2)
	}
	in.Share = 0
	if sent, err, err2 := cache(in, hashes[:6]...); err != nil || err2 != nil || sent != 0 {
		t.Errorf("what is there already: %d bytes sent, %v, %v", sent, err, err2)
	}
	if _, err, err2 := cache(in, hashes[7]); !errors.Is(err, ErrRefused) || !errors.Is(err2, ErrLimit) {
		t.Errorf("beyond the share: %v, %v", err, err2)
	}
	if _, _, err, err2 := transfer(t, to, in, hashes[8:], from.Get); err != nil || err2 != nil {
		t.Errorf("inputs do not find room: %v, %v", err, err2)
	}
	if to.Has(hashes[0]) || !to.Has(hashes[15]) {
		t.Error("the cache is there, or the inputs are not")
	}
	if err := Check(to); err != nil {
		t.Error(err)
	}
}

// A peer that breaks the protocol ends its own stream, nothing else.
func TestHostileStreams(t *testing.T) {
	some := HashOf([]byte("some"))
	frame := func(ms ...protocol.Message) []byte {
		var b []byte
		var err error
		for _, m := range ms {
			if b, err = protocol.AppendFrame(b, m); err != nil {
				t.Fatal(err)
			}
		}
		return b
	}
	for name, data := range map[string][]byte{
		"wrong message":    frame(&protocol.Chunk{Data: []byte("x")}),
		"nothing":          frame(&protocol.Have{}),
		"twice":            frame(&protocol.Have{Chunks: []types.Hash{some, some}}),
		"cut after have":   frame(&protocol.Have{Chunks: []types.Hash{some}}),
		"half a frame":     frame(&protocol.Have{Chunks: []types.Hash{some}})[:9],
		"noise":            noise(3, 1000),
		"have for a chunk": frame(&protocol.Have{Chunks: []types.Hash{some}}, &protocol.Have{Chunks: []types.Hash{some}}),
		"huge frame":       {0xff, 0xff, 0xff, 0xff, 50},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, 1<<20)
			a, b := pair(t)
			go func() {
				a.Write(data)
				a.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, a)
			}()
			if _, err := Receive(context.Background(), b, s, Intake{Owner: "x"}); err == nil {
				t.Error("accepted")
			}
			if _, n := s.Usage(); n != 0 {
				t.Errorf("%d blobs were kept", n)
			}
		})
	}
	for name, missing := range map[string]protocol.Missing{
		"beyond":   {Indexes: []uint32{7}},
		"unsorted": {Indexes: []uint32{1, 0}},
		"twice":    {Indexes: []uint32{0, 0}},
	} {
		t.Run("missing "+name, func(t *testing.T) {
			a, b := pair(t)
			go func() {
				protocol.ReadMessage(b)
				protocol.WriteMessage(b, &missing)
				io.Copy(io.Discard, b)
			}()
			_, err := Send(context.Background(), a, []types.Hash{some, HashOf(nil)}, func(types.Hash) ([]byte, error) { return nil, os.ErrNotExist })
			if !errors.Is(err, ErrStream) {
				t.Errorf("got %v, want ErrStream", err)
			}
		})
	}
}

func TestContextEndsATransfer(t *testing.T) {
	s := open(t, 0)
	a, b := pair(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := Receive(ctx, b, s, Intake{})
		done <- err
	}()
	go func() {
		_, err := Send(ctx, a, []types.Hash{HashOf([]byte("x"))}, func(types.Hash) ([]byte, error) {
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		})
		done <- err
	}()
	for range 2 {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want canceled", err)
		}
	}
}

// FuzzReceive: whatever comes, the store's books stay right.
func FuzzReceive(f *testing.F) {
	good, err := protocol.AppendFrame(nil, &protocol.Have{Chunks: []types.Hash{HashOf([]byte("x"))}})
	if err != nil {
		f.Fatal(err)
	}
	if good, err = protocol.AppendFrame(good, &protocol.Chunk{Data: []byte("x")}); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		s := open(t, 1<<20)
		Receive(context.Background(), struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(data), io.Discard}, s, Intake{Owner: "x", Limit: 1 << 20})
		for h := range s.entries {
			if _, err := s.Get(h); err != nil {
				t.Error(err)
			}
		}
	})
}
