package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/protocol"
)

// match is an announcement that the agent may serve.
type match struct {
	id       types.Hash
	from     types.Address
	ann      protocol.Ann
	programs map[string]string // versions of those that it asks for

	offered int       // containers offered and not refused for want of a link
	closed  bool      // the publisher said no
	failed  int       // leases that came to nothing
	after   time.Time // not offered to again before
}

// outcome is how a lease with a match ended.
type outcome struct {
	match    *match
	served   bool // there was a contract
	declined bool // the publisher said no
}

// Attempts for one announcement.
const (
	maxFailed  = 3
	retryAfter = 2 * time.Second
)

// market follows the ledger and begins leases until the agent ends. It owns all
// matches.
func (a *Agent) market() {
	matches := map[types.Hash]*match{}
	seen := map[types.Hash]bool{}
	blocks := a.follow()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-a.ctx.Done():
			return
		case b, open := <-blocks:
			if !open {
				blocks = nil
				continue
			}
			for _, ann := range b.announced {
				a.look(ann, seen)
			}
			for _, id := range b.withdrawn {
				delete(matches, id)
			}
		case m := <-a.fresh:
			if len(matches) < maxMatches {
				matches[m.id] = m
				a.offer(m)
			}
		case o := <-a.over:
			o.match.closed = o.match.closed || o.declined
			if !o.served && !o.declined {
				o.match.offered--
				o.match.failed++
				o.match.after = time.Now().Add(retryAfter)
			}
			a.offerAll(matches, seen)
		case <-a.wake:
			a.offerAll(matches, seen)
		case <-tick.C:
			a.offerAll(matches, seen)
		}
	}
}

// offerAll offers what there is room for, oldest announcements not first: all
// publishers have the same chance. Those whose time is up are forgotten.
func (a *Agent) offerAll(matches map[types.Hash]*match, seen map[types.Hash]bool) {
	for id, m := range matches {
		if time.Now().Unix() >= m.ann.Deadline || m.closed || m.failed >= maxFailed {
			delete(matches, id)
			continue
		}
		a.offer(m)
	}
	if len(seen) > 64*maxMatches {
		clear(seen)
	}
}

// news is what a block says to the market.
type news struct {
	announced []chain.Announcement
	withdrawn []types.Hash
}

// follow delivers the announcements that are on the ledger already, and those of
// all blocks from now on. The channel ends with the agent.
func (a *Agent) follow() <-chan news {
	out := make(chan news)
	a.spawn(func() {
		defer close(out)
		for a.ctx.Err() == nil {
			if err := a.followOnce(out); err != nil && a.ctx.Err() == nil {
				a.log.Warn("ledger not followed, trying again", "err", err)
			}
			select {
			case <-time.After(time.Second):
			case <-a.ctx.Done():
			}
		}
	})
	return out
}

// followOnce follows until the ledger's blocks end.
func (a *Agent) followOnce(out chan<- news) error {
	blocks, err := a.cfg.Ledger.Follow(a.ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(a.ctx, ledgerTime)
	defer cancel()
	old, err := a.cfg.Ledger.Announcements(ctx)
	if err != nil {
		return err
	}
	if !a.tell(out, news{announced: old}) {
		return nil
	}
	for b := range blocks {
		a.newHeader(b.Header.Time)
		var n news
		for _, tx := range b.Txs {
			switch body := tx.Tx.Body; {
			case tx.Result.Code != chain.CodeOK:
			case body.Announce != nil:
				n.announced = append(n.announced, chain.Announcement{ID: tx.Tx.ID(), From: body.From, Body: body.Announce.Body,
					Expiry: b.Header.Time + int64(body.Announce.LifetimeSeconds), Height: b.Header.Height})
			case body.Withdraw != nil:
				n.withdrawn = append(n.withdrawn, body.Withdraw.Announcement)
			}
		}
		if len(n.announced)+len(n.withdrawn) > 0 && !a.tell(out, n) {
			return nil
		}
	}
	return fmt.Errorf("its blocks have ended")
}

func (a *Agent) tell(out chan<- news, n news) bool {
	select {
	case out <- n:
		return true
	case <-a.ctx.Done():
		return false
	}
}

// look decides whether an announcement is of interest, and finds out the rest
// aside; it comes back through fresh.
func (a *Agent) look(ann chain.Announcement, seen map[types.Hash]bool) {
	if seen[ann.ID] {
		return
	}
	seen[ann.ID] = true
	m := &match{id: ann.ID, from: ann.From, offered: a.before[ann.ID]}
	if err := a.filter(m, ann.Body); err != nil {
		a.log.Info("announcement left alone", "announcement", ann.ID.Short(), "from", ann.From.Short(), "err", err)
		return
	}
	a.spawn(func() {
		if err := a.inspect(m); err != nil {
			a.log.Info("announcement left alone", "announcement", ann.ID.Short(), "from", ann.From.Short(), "err", err)
			return
		}
		select {
		case a.fresh <- m:
		case <-a.ctx.Done():
		}
	})
}

// filter reads an announcement and says why it is left alone (1.2).
func (a *Agent) filter(m *match, body []byte) (err error) {
	if m.ann, err = protocol.DecodeAnn(body); err != nil {
		return fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	ann, spec := m.ann, m.ann.Spec
	ask := a.cfg.MaxRate(spec)
	reserve, err := ask.MulDiv(uint64(reserve(a.cfg.Policy)), 1_000_000)
	if err != nil {
		return fmt.Errorf("%w: its price is beyond all bounds", ErrUnfit)
	}
	_, known := a.cfg.Image(spec.Image)
	one := pool{all: a.cfg.Capacity}
	switch {
	case m.from == a.cfg.Key.Address():
		return fmt.Errorf("%w: it is ours", ErrUnfit)
	case time.Now().Unix() >= ann.Deadline:
		return fmt.Errorf("%w: its deadline has passed", ErrUnfit)
	case ann.Difficulty > 0:
		return fmt.Errorf("%w: it demands an identity proof of %d bits, and this agent has none", ErrUnfit, ann.Difficulty)
	case !known:
		return fmt.Errorf("%w: image %q is not known here", ErrUnfit, spec.Image)
	case one.fit(spec) == 0:
		return fmt.Errorf("%w: a container of %d mCPU, %d bytes of memory, %d of disk is beyond what is offered", ErrUnfit, spec.MilliCPU, spec.Memory, spec.Disk)
	case ann.MaxRate > 0 && reserve > ann.MaxRate:
		return fmt.Errorf("%w: it pays at most %s an hour, the reserve is %s", ErrUnfit, ann.MaxRate, reserve)
	}
	if a.cfg.Accept != nil {
		if err := a.cfg.Accept(m.from, ann); err != nil {
			return fmt.Errorf("%w: %w", ErrUnfit, err)
		}
	}
	return nil
}

// reserve is the least share of the asked price, in millionths.
func reserve(p contract.ProviderPolicy) uint32 {
	if p.ReservePPM == 0 || p.ReservePPM > 1_000_000 {
		return 1_000_000
	}
	return p.ReservePPM
}

// inspect finds the versions of the programs that an announcement names, and
// demands that all are there.
func (a *Agent) inspect(m *match) error {
	spec := m.ann.Spec
	if len(spec.Programs) == 0 {
		return nil
	}
	select {
	case a.looks <- struct{}{}:
		defer func() { <-a.looks }()
	case <-a.ctx.Done():
		return a.ctx.Err()
	}
	image, _ := a.cfg.Image(spec.Image)
	ctx, cancel := context.WithTimeout(a.ctx, versionTime)
	defer cancel()
	versions, err := a.cfg.Runtime.Versions(ctx, image, spec.Programs)
	if err != nil {
		return err
	}
	for _, p := range spec.Programs {
		if versions[p] == "" {
			return fmt.Errorf("%w: program %q is not here", ErrUnfit, p)
		}
	}
	m.programs = versions
	return nil
}

// offer begins as many leases for m as it wants and there is room for.
func (a *Agent) offer(m *match) {
	now := time.Now()
	if m.closed || m.failed >= maxFailed || now.Before(m.after) || now.Before(a.wary.pause(m.from)) {
		return
	}
	free := a.pool.fit(m.ann.Spec)
	n := min(free, int(m.ann.Count)-m.offered, maxTalks-a.talks(m.from))
	for i := range n {
		l := a.newLease(m.from, m.ann.Addrs, m.ann.Spec, m)
		first := func() {
			l.step(contract.Match{At: l.at(), Publisher: m.from, Announcement: m.id, Spec: m.ann.Spec,
				Capabilities: a.capabilities(m, uint16(min(free-i, maxLeases)))})
		}
		if !a.begin(l, LeaseStatus{Publisher: m.from, Spec: m.ann.Spec, Phase: contract.Idle, Changed: now}, first) {
			l.giveBack()
			return
		}
		m.offered++
	}
	if n > 0 {
		a.log.Info("offering", "publisher", m.from.Short(), "containers", n, "announcement", m.id.Short())
	}
}

// talks is how many negotiations with a publisher are not funded yet.
func (a *Agent) talks(publisher types.Address) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for l, s := range a.leases {
		if l.publisher == publisher && !s.funded {
			n++
		}
	}
	return n
}

// capabilities is what the agent says of itself (1.4).
func (a *Agent) capabilities(m *match, slots uint16) protocol.Capabilities {
	return protocol.Capabilities{
		Announcement: m.id, Cores: uint32(a.cfg.Hardware.Cores), Memory: a.cfg.Capacity.Memory, Disk: a.cfg.Capacity.Disk,
		Machine: a.cfg.Hardware.CPU, Programs: m.programs, Benchmarks: a.cfg.Benchmarks,
		Rates: a.cfg.Rates, MaxRate: a.cfg.MaxRate(m.ann.Spec), Slots: slots,
	}
}

// ended tells the market how a lease of a match ended.
func (a *Agent) ended(l *lease) {
	if !l.funded && !l.declined && l.met && a.ctx.Err() == nil {
		a.wary.blame(l.publisher, time.Now())
	}
	if l.match == nil {
		a.freed()
		return
	}
	select {
	case a.over <- outcome{match: l.match, served: l.saved, declined: l.declined && !l.saved}:
	case <-a.ctx.Done():
	}
}
