package agent

import (
	"sync"

	"github.com/zennet/zennet/provider/protocol"
)

// pool is what is offered and what of it is taken.
type pool struct {
	all Capacity

	mu   sync.Mutex
	used Capacity
}

// fit is how many containers of spec there is room for.
func (p *pool) fit(spec protocol.Spec) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.all.Leases - p.used.Leases
	n = min(n, rest(uint64(p.all.MilliCPU), uint64(p.used.MilliCPU), uint64(spec.MilliCPU)))
	n = min(n, rest(p.all.Memory, p.used.Memory, spec.Memory))
	return max(0, min(n, rest(p.all.Disk, p.used.Disk, spec.Disk)))
}

// rest is how many of one the difference holds; recovered leases may exceed all.
func rest(all, used, one uint64) int {
	if used > all {
		return 0
	}
	return int(min((all-used)/max(one, 1), maxLeases))
}

// take takes room for one container, which fit has found or recovery demands.
func (p *pool) take(spec protocol.Spec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used.MilliCPU += spec.MilliCPU
	p.used.Memory += spec.Memory
	p.used.Disk += spec.Disk
	p.used.Leases++
}

// give gives the room back.
func (p *pool) give(spec protocol.Spec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used.MilliCPU -= spec.MilliCPU
	p.used.Memory -= spec.Memory
	p.used.Disk -= spec.Disk
	p.used.Leases--
}

func (p *pool) taken() Capacity {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}
