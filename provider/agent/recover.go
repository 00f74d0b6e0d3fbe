package agent

import (
	"context"
	"fmt"
	"slices"

	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/protocol"
)

// recover takes up what an earlier process left: every stored lease goes on or is
// settled, and a container that belongs to none is removed.
func (a *Agent) recover() error {
	old, err := a.store.live()
	if err != nil {
		return err
	}
	if a.before, err = a.store.answered(); err != nil {
		return err
	}
	there, err := a.cfg.Runtime.List(a.ctx)
	if err != nil {
		return fmt.Errorf("find containers: %w", err)
	}
	owned := map[string]bool{}
	for _, s := range old {
		id := s.rec.Contract.ID()
		owned[id.String()] = true
		l := a.newLease(s.rec.Contract.Publisher, s.addrs, s.rec.Contract.Spec, nil)
		l.saved = true
		found := slices.Contains(there, id.String())
		a.claim(id, l)
		if !a.begin(l, describe(s.rec), func() { l.restore(s.rec, found) }) {
			return context.Cause(a.ctx)
		}
	}
	for _, id := range there {
		if owned[id] {
			continue
		}
		a.log.Info("container of no lease is removed", "id", id)
		a.spawn(func() { a.remove(id) })
	}
	a.blobs.mu.Lock()
	defer a.blobs.mu.Unlock()
	if err := a.blobs.trim(); err != nil {
		a.log.Warn("idle blobs not trimmed", "err", err)
	}
	return nil
}

// restore goes on with a lease from its record. found says that there is a
// container of its name.
func (l *lease) restore(rec contract.ProviderRecord, found bool) {
	served := rec.Phase == contract.Active || rec.Phase == contract.Suspended
	alive := found && served && l.revive(rec.Contract)
	state, effects, err := l.a.machine.Restore(rec, alive, l.a.now())
	if err != nil {
		l.broken = err
		return
	}
	l.state = state
	l.a.log.Info("lease found again", "lease", l.name(), "phase", rec.Phase, "container", alive)
	l.funded = rec.Phase != contract.Negotiating && rec.Phase != contract.Channel
	l.carry(effects)
	if found && !alive && !l.removing { // what is left of it goes, whatever the machine knows
		l.destroy()
	}
	l.drain()
}

// revive takes over the container of a lease, if it still runs.
func (l *lease) revive(k protocol.Contract) bool {
	s := l.a.newService(k)
	if err := s.adopt(); err != nil {
		l.a.log.Info("container not found alive", "lease", k.ID().Short(), "err", err)
		s.leave()
		return false
	}
	l.service = s
	s.gate.set(false) // until the machine thaws it
	l.a.serve(l, s)
	l.watch(s)
	return true
}
