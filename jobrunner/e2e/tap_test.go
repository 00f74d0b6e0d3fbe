package e2e

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// tap stands between the publisher and the NameNode. It can hold one call: before
// the NameNode hears of it, or after it has answered. So a test hurts somebody at
// exactly that step.
type tap struct {
	address string // where the publisher finds the NameNode
	to      string

	mu   sync.Mutex
	trap *trap
}

// trap is a call that is waited for.
type trap struct {
	needles [][]byte // all are in the request
	after   bool     // it is held once the server has answered

	once, free   sync.Once
	sprung, open chan struct{} // closed when a call is held; to let go, which drops what was held
}

func (tr *trap) spring() { tr.once.Do(func() { close(tr.sprung) }) }
func (tr *trap) letGo()  { tr.free.Do(func() { close(tr.open) }) }

func newTap(t *testing.T, to string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{address: l.Addr().String(), to: to}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		p.release()
	})
	return p
}

// arm waits for the next call that has all needles in it: an RPC's name, a path.
func arm(taps []*tap, after bool, needles ...string) *trap {
	tr := &trap{after: after, sprung: make(chan struct{}), open: make(chan struct{})}
	for _, n := range needles {
		tr.needles = append(tr.needles, []byte(n))
	}
	for _, p := range taps {
		p.mu.Lock()
		p.trap = tr
		p.mu.Unlock()
	}
	return tr
}

// rpc is how a call's name stands in a request.
func rpc(method string) string { return "\n" + string(rune(len(method))) + method }

// release lets go of what is held, and holds nothing more.
func (p *tap) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trap != nil {
		p.trap.letGo()
		p.trap = nil
	}
}

// match is the trap that a request walks into. All like it are held.
func (p *tap) match(request []byte) *trap {
	p.mu.Lock()
	defer p.mu.Unlock()
	tr := p.trap
	if tr == nil {
		return nil
	}
	for _, n := range tr.needles {
		if !bytes.Contains(request, n) {
			return nil
		}
	}
	return tr
}

func (p *tap) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	var mu sync.Mutex
	var held *trap // its answer is kept back
	go func() {
		defer server.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if n > 0 {
				if tr := p.match(buf[:n]); tr != nil {
					if !tr.after {
						tr.spring()
						<-tr.open
						return
					}
					mu.Lock()
					held = tr
					mu.Unlock()
				}
				if _, err := server.Write(buf[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		mu.Lock()
		tr := held
		mu.Unlock()
		if tr != nil {
			tr.spring()
			<-tr.open
			return
		}
		if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
