package contract

import (
	"errors"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/provider/protocol"
)

// publisherSide drives the publisher's machine.
type publisherSide struct {
	sim      *sim
	m        Publisher
	state    PublisherState
	up       bool
	disk     disk
	saved    *PublisherRecord
	spec     protocol.Spec
	terms    func(protocol.Capabilities) protocol.Terms
	stingy   bool // never sends a payment
	blind    bool // gets no reading from the worker
	poor     bool // cannot top up
	forged   bool // another program signed with its key: nothing can be said of it
	watching bool
	verified
}

func (a *publisherSide) due() int64 {
	if !a.up {
		return 0
	}
	return a.m.Deadline(a.state)
}

func (a *publisherSide) known() bool { return a.state.talk.accepted && !a.state.Phase.Ended() }

func (a *publisherSide) header(t int64) {
	if !a.up {
		return
	}
	a.step(HeaderSeen{a.sim.at(), t})
	a.step(Tick{a.sim.at()})
	if a.watching {
		if end, ok := a.sim.l.settled(a.state.Record.Channel, a.sim.at()); ok {
			a.watching = false
			a.step(end)
		}
	}
}

func (a *publisherSide) step(e Event) {
	if !a.up {
		return
	}
	s := a.sim
	before := a.state
	next, effects, err := a.m.Step(a.state, e)
	if err != nil {
		s.logf("A", "refuses %s: %v", eventText(e), err)
		if errors.Is(err, ErrTransition) || errors.Is(err, ErrInvariant) {
			s.t.Fatalf("publisher: %v", err)
		}
		if errors.Is(err, ErrPeer) {
			s.unlink("protocol")
		}
		return
	}
	a.state = next
	if next.Phase != before.Phase {
		s.logf("A", "%s -> %s", before.Phase, next.Phase)
	}
	a.check()
	for _, e := range effects {
		if !a.carryOut(e) {
			a.crash()
			return
		}
	}
}

func (a *publisherSide) check() {
	s := a.sim
	verify(s, &a.verified, a.state.Record.Paid, a.state.Record.Report, a.state.Record.Contract)
	if err := a.m.Check(a.state, s.now); err != nil && !a.forged {
		s.t.Fatalf("publisher at %d: %v\n%s", s.now, err, s.trace.String())
	}
	if t := a.state.Record.Contract.Terms; s.honest && !Prepaid(t) && t.MaxRate > 0 && !a.forged && a.state.Paid() > s.c.worth()+1 && s.punctual {
		s.t.Fatalf("publisher at %d: paid %s for work of %s\n%s", s.now, a.state.Paid(), s.c.worth(), s.trace.String())
	}
}

func (a *publisherSide) carryOut(e Effect) bool {
	s := a.sim
	switch e := e.(type) {
	case Send:
		if _, payment := e.Message.(*protocol.Paid); payment && a.stingy {
			return true
		}
		s.logf("A", "> %s", messageText(e.Message))
		if p, ok := e.Message.(*protocol.Paid); ok && (a.saved == nil || a.saved.Paid == nil || a.saved.Paid.Voucher != p.Voucher) {
			s.t.Fatalf("publisher sends VOUCHER %d before it is stored", p.Voucher.Seq)
		}
		s.send("A", e.Message)
	case Hangup:
		s.in(2*latency, func() { s.unlink(e.Reason) })
	case SaveLease:
		return a.save(e.Record)
	case SavePayment:
		return a.save(e.Record)
	case Offered:
		var nonce [16]byte
		copy(nonce[:], "a fresh nonce 16")
		s.in(0, func() { a.step(Choose{At: s.at(), Terms: a.terms(e.Capabilities), Nonce: nonce}) })
	case OpenChannel:
		if a.poor {
			s.in(ledgerMS, func() { a.step(OpenFailed{At: s.at(), Reason: "the budget is spent", Rejected: true}) })
			return true
		}
		body := a.body(chain.Body{Open: &chain.Open{Payee: e.Contract.Provider, Contract: e.Contract.ID(), Deposit: e.Deposit, Expiry: e.Expiry}})
		s.in(ledgerMS, func() {
			a.step(OpenPrepared{At: s.at(), Channel: chain.ChannelID(a.m.Ledger, body.From, body.Nonce), Tx: chain.EncodeTx(body.Sign(a.m.Key, a.m.Ledger))})
		})
	case Broadcast:
		a.broadcast(e)
	case PrepareTopUp:
		a.prepareTopUp(e)
	case VerifyChannel:
		s.in(ledgerMS, func() {
			p, header := s.l.seen(e.ID)
			a.step(ChannelSeen{At: s.at(), Channel: p, Header: header})
		})
	case Measure:
		s.in(ledgerMS, func() {
			in := Inside{At: s.at()}
			if !a.blind && s.c.exists && !s.c.frozen && s.linked {
				in.TimeNS, in.Usage = s.now, s.c.read()
			}
			a.step(in)
		})
	case Usable:
		s.logf("A", "can use the container")
	case Lost:
		if !a.saved.Lost {
			s.t.Fatalf("publisher declares a loss before that is stored")
		}
		s.logf("A", "declares the lease lost: %s", e.Reason)
	case AwaitSettlement:
		a.watching = true
	case SubmitRefund:
		s.logf("A", "REFUND")
		body := chain.Body{From: a.m.Key.Address(), Refund: &chain.Refund{Channel: e.Channel}}
		s.l.submit(body.Sign(a.m.Key, a.m.Ledger), func(r chain.Result) {
			if r.Code != chain.CodeOK {
				a.step(SettleFailed{s.at(), r.Log})
			}
		})
	case Done:
		s.logf("A", "settled: the provider got %d", e.Claim)
	case Fail:
		s.logf("A", "fails: %s", e.Reason)
	default:
		s.t.Fatalf("publisher: unknown effect %T", e)
	}
	return true
}

func (a *publisherSide) body(b chain.Body) chain.Body {
	b.From = a.m.Key.Address()
	b.Nonce = a.sim.l.chain.Account(b.From).Nonce
	b.Fee = chain.FeeOf(a.sim.l.chain.Params(), b, a.sim.l.chain.Time()) * 2
	return b
}

func (a *publisherSide) broadcast(e Broadcast) {
	s := a.sim
	tx, err := chain.DecodeTx(e.Tx)
	if err != nil {
		s.t.Fatalf("stored transaction: %v", err)
	}
	if stored := a.saved != nil && (!e.TopUp && string(a.saved.OpenTx) == string(e.Tx) || e.TopUp && string(a.saved.TopUpTx) == string(e.Tx)); !stored {
		s.t.Fatalf("publisher broadcasts a transaction before it is stored")
	}
	id := chain.ChannelID(a.m.Ledger, tx.Body.From, tx.Body.Nonce)
	what := "OPEN"
	if e.TopUp {
		id, what = tx.Body.TopUp.Channel, "TOP-UP"
	}
	s.logf("A", "broadcasts %s", what)
	s.l.submit(tx, func(r chain.Result) {
		p, header := s.l.seen(id)
		known := r.Code == chain.CodeOK || s.l.chain.Account(tx.Body.From).Nonce > tx.Body.Nonce // sent before
		switch {
		case known && p != nil:
			a.step(ChannelSeen{At: s.at(), Channel: p, Header: header, Tx: tx.ID(), Height: s.l.chain.Height()})
		case known:
			if end, ok := s.l.settled(id, s.at()); ok {
				a.step(end)
			}
		case e.TopUp:
			a.step(TopUpFailed{At: s.at(), Reason: r.Log, Rejected: true})
		default:
			a.step(OpenFailed{At: s.at(), Reason: r.Log, Rejected: true})
		}
	})
}

func (a *publisherSide) prepareTopUp(e PrepareTopUp) {
	s := a.sim
	if a.poor {
		s.in(0, func() { a.step(TopUpFailed{At: s.at(), Reason: "the budget is spent"}) })
		return
	}
	body := a.body(chain.Body{TopUp: &chain.TopUp{Channel: e.Channel, Amount: e.Amount, Expiry: e.Expiry}})
	s.in(0, func() {
		a.step(TopUpPrepared{At: s.at(), Amount: e.Amount, Expiry: e.Expiry, Tx: chain.EncodeTx(body.Sign(a.m.Key, a.m.Ledger))})
	})
}

func (a *publisherSide) save(r PublisherRecord) bool {
	stored, alive := a.disk.write()
	if stored {
		rec := reencode(a.sim, r)
		a.saved = &rec
	}
	return alive
}

func (a *publisherSide) crash() {
	s := a.sim
	s.logf("A", "CRASHES")
	a.up, a.watching = false, false
	s.unlink("publisher gone")
	s.in(second, a.restart)
}

func (a *publisherSide) restart() {
	s := a.sim
	if a.up {
		return
	}
	a.up = true
	if a.saved == nil {
		s.logf("A", "restarts, knows nothing")
		a.state = PublisherState{Phase: Failed}
		return
	}
	state, effects, err := a.m.Restore(*a.saved, s.now)
	if err != nil {
		s.t.Fatalf("publisher restarts: %v", err)
	}
	s.logf("A", "restarts in %s", state.Phase)
	a.state = state
	a.check()
	for _, e := range effects {
		if !a.carryOut(e) {
			a.crash()
			return
		}
	}
}
