package contract

import (
	"fmt"

	"github.com/zennet/zennet/provider/protocol"
)

// event dispatches an event. It is long because it is one table of what each
// event means in each phase.
func (r *providerRun) event(e Event) error {
	if r.s.Phase.Ended() {
		return nil // late answers of the driver mean nothing any more
	}
	switch e := e.(type) {
	case Tick:
		return r.tick()
	case Match:
		if r.s.Phase != Idle {
			return r.unfit(e)
		}
		r.s.publisher, r.s.spec, r.s.capabilities = e.Publisher, e.Spec, e.Capabilities
		r.s.Record.Announcement = e.Announcement
		r.to(Matched)
	case LinkUp:
		return r.linkUp()
	case LinkDown:
		r.linkDown(e.Reason)
	case Received:
		if err := r.receive(e.Message); err != nil {
			return err
		}
	case ChannelSeen:
		r.channelSeen(e)
	case HeaderSeen:
		r.s.header = max(r.s.header, e.Header)
		r.guard()
	case Provisioned:
		if r.s.Phase != Provisioning {
			return nil // the lease ended meanwhile; Destroy was an effect then
		}
		r.activate()
	case Progressed:
		if r.s.Phase == Provisioning {
			r.send(&protocol.Starting{Done: e.Done})
		}
	case ProvisionFailed:
		if r.s.Phase == Provisioning {
			r.end("no container: " + e.Reason)
		}
	case Exited:
		r.exited(e.Reason)
	case Metered:
		r.metered(e)
	case Leave:
		r.leave(e.Reason)
	case Settled:
		r.settled(e)
	case SettleFailed:
		if r.s.Phase == Closing {
			r.s.retryAt = r.now + r.Params.retry()
		}
	default:
		return r.unfit(e)
	}
	return r.err
}

func (r *providerRun) unfit(e Event) error {
	return fmt.Errorf("%w: %T in %s", ErrEvent, e, r.s.Phase)
}

func (r *providerRun) linkUp() error {
	switch r.s.Phase {
	case Idle:
		return r.unfit(LinkUp{})
	case Matched:
		r.s.Linked = true
		r.to(Capabilities)
		r.send(&r.s.capabilities)
	case Capabilities, Negotiating:
		if !r.s.talk.accepted {
			return r.unfit(LinkUp{})
		}
		fallthrough
	default:
		r.s.Linked, r.s.resuming = true, true
		r.send(&protocol.Resume{Contract: r.s.Record.Contract.ID(), Usage: r.s.Record.Report, Paid: r.s.Record.Paid})
	}
	return r.err
}

func (r *providerRun) linkDown(reason string) {
	r.s.Linked = false
	switch r.s.Phase {
	case Matched, Capabilities, Negotiating:
		if !r.s.talk.accepted {
			r.fail("link lost: " + reason)
		}
	case Active:
		r.s.Reason = "link lost: " + reason
		r.to(Suspended)
	}
}

// receive takes a message of the publisher. What is late or doubled is ignored;
// what no honest publisher sends is ErrPeer.
func (r *providerRun) receive(m protocol.Message) error {
	if !r.s.Linked {
		return fmt.Errorf("%w: message without a link", ErrEvent)
	}
	var err error
	switch m := m.(type) {
	case *protocol.Offer:
		err = r.offer(m)
	case *protocol.Counter:
		err = r.counter(m)
	case *protocol.Accept:
		err = r.accept(m)
	case *protocol.Reject:
		if r.s.Phase != Capabilities && r.s.Phase != Negotiating {
			err = r.stray(m)
		} else {
			r.fail("rejected: " + m.Reason)
		}
	case *protocol.Opened:
		err = r.opened(m)
	case *protocol.Paid:
		err = r.paid(m)
	case *protocol.TopUpNotice:
		if r.inService() {
			r.verify()
		}
	case *protocol.Bye:
		r.bye(m.Reason)
	case *protocol.Resume:
		err = r.resume(m)
	case *protocol.Drop:
		r.dropped(m.Reason)
	default:
		err = r.stray(m)
	}
	if err == nil {
		err = r.err
	}
	if err == nil {
		r.s.Record.Heard = r.now
		r.guard()
		err = r.err
	}
	return err
}

func (r *providerRun) stray(m protocol.Message) error {
	return fmt.Errorf("%w: %T in %s", ErrPeer, m, r.s.Phase)
}

// inService reports whether there is a proven channel and no settlement yet.
func (r *providerRun) inService() bool {
	switch r.s.Phase {
	case Confirmed, Provisioning, Active, Suspended:
		return true
	}
	return false
}

func (r *providerRun) offer(m *protocol.Offer) error {
	if r.s.Phase != Capabilities {
		return r.stray(m)
	}
	c := m.Contract
	switch {
	case c.Ledger != r.Ledger:
		return fmt.Errorf("%w: offer for ledger %s", ErrPeer, c.Ledger.Short())
	case c.Publisher != r.s.publisher || c.Provider != r.Key.Address():
		return fmt.Errorf("%w: offer between %s and %s", ErrPeer, c.Publisher.Short(), c.Provider.Short())
	case !sameSpec(c.Spec, r.s.spec):
		return fmt.Errorf("%w: offer for another container than announced", ErrPeer)
	}
	r.s.talk = talk{contract: c, first: c.Terms}
	r.to(Negotiating)
	r.answer()
	return r.err
}

func (r *providerRun) counter(m *protocol.Counter) error {
	if r.s.Phase != Negotiating {
		return r.stray(m)
	}
	if err := r.s.talk.counter(m.Terms); err != nil {
		return err
	}
	r.answer()
	return r.err
}

func (r *providerRun) answer() {
	t := &r.s.talk
	fix := r.Policy.acceptable(t.contract.Terms, r.s.capabilities, t.given, r.Params.MarginSeconds, r.seconds())
	m := t.answer(r.Key, r.Ledger, fix)
	if _, yes := m.(*protocol.Accept); yes {
		r.s.Record.Contract = t.contract
		r.s.phaseAt = r.now
		r.save() // our signature binds: a channel may open for it from now on
	}
	r.send(m)
	if no, yes := m.(*protocol.Reject); yes {
		r.fail(no.Reason)
	}
}

func (r *providerRun) accept(m *protocol.Accept) error {
	if r.s.Phase != Negotiating {
		if r.s.talk.accepted && m.Contract == r.s.Record.Contract.ID() {
			return nil // sent again after a RESUME
		}
		return r.stray(m)
	}
	t := &r.s.talk
	if err := t.accept(m, r.s.publisher, r.Ledger); err != nil {
		return err
	}
	first := !t.accepted
	t.accepted = true
	r.s.Record.Contract, r.s.Record.PublisherSig = t.contract, m.Sig
	r.to(Channel)
	r.save()
	if first {
		r.send(&protocol.Accept{Contract: t.contract.ID(), Sig: signContract(r.Key, r.Ledger, t.contract)})
	}
	return nil
}

func sameSpec(a, b protocol.Spec) bool {
	if len(a.Programs) != len(b.Programs) {
		return false
	}
	for i := range a.Programs {
		if a.Programs[i] != b.Programs[i] {
			return false
		}
	}
	return a.MilliCPU == b.MilliCPU && a.Memory == b.Memory && a.Disk == b.Disk && a.Pids == b.Pids && a.Image == b.Image
}
