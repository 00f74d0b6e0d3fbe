package hdfstest

import (
	"fmt"
	"net"
	"sync"
)

// Ports lie below those that the kernel gives to outgoing connections: a daemon
// that is restarted must find its own free again. Every process that uses this
// package has a block of its own, which it claims by an abstract socket, so that
// two do not choose the same port between looking and listening.
const (
	portsFrom = 10000
	portBlock = 200
	blocks    = 110
)

var ports struct {
	sync.Mutex
	claim net.Listener
	from  int
	next  int
}

// freeAddress is an address of 127.0.0.1 at which nobody listens.
func freeAddress() string {
	ports.Lock()
	defer ports.Unlock()
	for i := 0; ports.claim == nil && i < blocks; i++ {
		if l, err := net.Listen("unix", fmt.Sprintf("@zennet-hdfstest-%d", i)); err == nil {
			ports.claim, ports.from = l, portsFrom+i*portBlock
		}
	}
	for {
		address := fmt.Sprintf("127.0.0.1:%d", ports.from+ports.next)
		ports.next = (ports.next + 1) % portBlock
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
}
