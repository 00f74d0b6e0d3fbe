package lease

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/protocol"
)

// maxEvents bounds what waits for a session's goroutine.
const maxEvents = 128

// session drives one lease's machine: it alone steps it, carries effects out in
// order, and stops for good when something could not be stored.
type session struct {
	m        *Market
	provider types.Address
	machine  contract.Publisher
	job      string
	purse    *purse
	group    string   // the provider's network, while it is an offer
	request  *request // whose offer this is; nil after a restart
	resumed  func()   // called once when a restored lease has its provider back

	events chan happening
	ended  chan struct{} // closed when the goroutine has returned

	// Owned by the goroutine.
	state  contract.PublisherState
	link   *link
	opened time.Time
	// watching says that the ledger is being watched for the channel's end.
	watching bool
	receipt  types.Hash // the transaction that publishes the verdict
	told     bool       // it is on the ledger, or cannot get there any more

	money  sync.Mutex
	fees   types.Amount // of the lease's transactions
	locked types.Amount // taken from the purse for deposits; what is not claimed goes back
	back   types.Amount // released, and still in the journal's account

	lease *Lease
	inner insider
	view  atomic.Pointer[view] // what others may know
}

// view is a session's state for other goroutines.
type view struct {
	phase      contract.Phase
	bill, paid types.Amount
	frozen     bool
	linked     bool
	reason     string
	lost       bool
	contract   protocol.Contract // fixed from Accept on
	programs   map[string]string
}

// happening is an event with the link it came over, if any: what an old link
// says is dropped.
type happening struct {
	event contract.Event
	over  *link
	up    *link // a new link, attached before event
}

func newSession(m *Market, provider types.Address, r *request) *session {
	s := m.session(provider, r.Job, r.purse, m.machine(r))
	s.request = r
	s.state = contract.NewPublisher(provider, r.Spec, m.now())
	s.show()
	return s
}

func (m *Market) session(provider types.Address, job string, p *purse, machine contract.Publisher) *session {
	s := &session{m: m, provider: provider, job: job, purse: p, machine: machine,
		events: make(chan happening, maxEvents), ended: make(chan struct{}), opened: m.cfg.Now()}
	s.inner.session = s
	s.lease = &Lease{s: s, done: make(chan struct{}), cache: make(chan struct{}, 1)}
	return s
}

// machine is what is the same for all leases of a request; r is nil after a restart.
func (m *Market) machine(r *request) contract.Publisher {
	policy := contract.PublisherPolicy{
		MaxIntervalSeconds: uint32(6 * m.cfg.Interval / time.Second), MaxGraceSeconds: uint32(6 * m.cfg.Grace / time.Second),
		MaxLeaseSeconds: uint32(4 * m.cfg.Lifetime / time.Second),
		TopUpSeconds:    uint32(m.cfg.Service / time.Second), LeaseSeconds: uint32(m.cfg.Lifetime / time.Second),
	}
	if r != nil {
		policy.MaxRate = r.MaxRate
		policy.MaxDeposit = r.purse.available()
	}
	return contract.Publisher{Key: m.cfg.Key, Ledger: m.cfg.Ledger.LedgerID(), Params: m.cfg.Params, Policy: policy}
}

// begin runs the session of an offer that came over l.
func (s *session) begin(l *link, caps *protocol.Capabilities) {
	s.link = l
	first := happening{contract.Received{At: s.at(), Message: caps}, l, nil}
	if !s.m.begin(func() { s.run(func() bool { return s.handle(first) }) }) {
		l.stream.Reset()
		return
	}
	s.m.begin(func() { s.read(l) })
}

// attach takes a new link over which the provider resumes.
func (s *session) attach(l *link, resume *protocol.Resume) {
	s.post(happening{event: contract.LinkUp{At: s.at()}, up: l})
	s.post(happening{event: contract.Received{At: s.at(), Message: resume}, over: l})
	ok := s.m.begin(func() {
		// The session may have ended before it saw the link: then nobody else closes it.
		var watch sync.WaitGroup
		over := make(chan struct{})
		watch.Go(func() {
			select {
			case <-s.ended:
				l.stream.Close()
			case <-over:
			}
		})
		s.read(l)
		close(over)
		watch.Wait()
	})
	if !ok {
		l.stream.Reset()
	}
}

func (s *session) at() contract.At { return contract.At(s.m.now()) }

// post hands something to the goroutine, or drops it when that has returned.
func (s *session) post(h happening) {
	select {
	case s.events <- h:
	case <-s.ended:
	case <-s.m.ctx.Done():
	}
}

func (s *session) tell(e contract.Event) { s.post(happening{event: e}) }

// read passes on what the provider says over one link until it ends.
func (s *session) read(l *link) {
	for {
		msg, err := protocol.ReadMessage(l.in)
		if err != nil {
			s.post(happening{contract.LinkDown{At: s.at(), Reason: err.Error()}, l, nil})
			return
		}
		s.post(happening{contract.Received{At: s.at(), Message: msg}, l, nil})
	}
}

// run steps the machine until the lease has ended or the market closes.
func (s *session) run(start func() bool) {
	defer s.stop()
	if !start() {
		return
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for !s.state.Phase.Ended() {
		wait := time.Hour
		if due := s.machine.Deadline(s.state); due != 0 {
			wait = max(time.Duration(due-s.m.now()), 0)
		}
		// TOP-UPs are looked at in every Tick: one an interval at least.
		timer.Reset(min(wait, s.m.cfg.Interval))
		select {
		case h := <-s.events:
			if !s.handle(h) {
				return
			}
		case <-timer.C:
			if !s.handle(happening{event: contract.Tick{At: s.at()}}) {
				return
			}
		case <-s.m.ctx.Done():
			return
		}
	}
	switch r := s.state.Record; {
	case s.state.Phase != contract.Closed || r.FinalAt == 0:
	case r.CloseHeight == 0: // the ledger has no place for its receipt any more
		s.over()
	default:
		s.publishReceipt()
	}
}

// stop ends what belongs to the session.
func (s *session) stop() {
	close(s.ended)
	if s.link != nil {
		s.link.stream.Close()
	}
	s.inner.close()
	s.m.forget(s)
	if s.request != nil {
		s.request.over(s)
	}
	s.lease.finish()
}

// handle steps the machine once; false ends the session, because its state is
// not stored: the journal has the last word at the next start.
func (s *session) handle(h happening) bool {
	if h.up != nil {
		if s.link != nil {
			s.link.stream.Reset()
		}
		s.link = h.up
	} else if h.over != nil && h.over != s.link {
		return true
	}
	if _, down := h.event.(contract.LinkDown); down {
		s.link = nil
	}
	next, effects, err := s.machine.Step(s.state, h.event)
	s.unsent(h.event, next.Record)
	if err != nil {
		s.m.log.Warn("lease", "provider", s.provider, "phase", s.state.Phase, "event", fmt.Sprintf("%T", h.event), "err", err)
		if errors.Is(err, contract.ErrPeer) && s.link != nil {
			s.link.stream.Reset()
			s.link = nil
			return s.handle(happening{event: contract.LinkDown{At: s.at(), Reason: err.Error()}})
		}
		return true
	}
	if next.Record.Strikes > s.state.Record.Strikes {
		s.m.log.Warn("usage disputed", "provider", s.provider, "strikes", next.Record.Strikes, "what", next.Dispute)
	}
	s.state = next
	return s.carryOutAll(effects)
}

// unsent gives back what a signed transaction would have spent that the machine
// did not take over: the lease ended while it was being prepared.
func (s *session) unsent(e contract.Event, r contract.PublisherRecord) {
	var raw, kept []byte
	switch e := e.(type) {
	case contract.OpenPrepared:
		raw, kept = e.Tx, r.OpenTx
	case contract.TopUpPrepared:
		raw, kept = e.Tx, r.TopUpTx
	}
	if raw == nil || bytes.Equal(raw, kept) {
		return
	}
	if tx, err := chain.DecodeTx(raw); err == nil {
		s.m.cfg.Ledger.Discard(tx)
		s.drop(locks(tx), tx.Body.Fee)
	}
}

func (s *session) carryOutAll(effects []contract.Effect) bool {
	for _, e := range effects {
		if err := s.carryOut(e); err != nil {
			s.m.log.Error("lease stops: its state could not be stored", "provider", s.provider, "err", err)
			return false
		}
	}
	s.show()
	return true
}

// show publishes the state to other goroutines.
func (s *session) show() {
	s.view.Store(&view{phase: s.state.Phase, bill: agreed(s.state.Record), paid: s.state.Paid(), frozen: s.state.Frozen,
		linked: s.state.Linked, reason: s.state.Reason, lost: s.state.Record.Lost,
		contract: s.state.Record.Contract, programs: s.state.Record.Programs})
	s.lease.observe()
	if s.request != nil && s.state.Phase == contract.Closing {
		s.request.settling(s)
	}
	if s.resumed != nil && s.state.Linked && serves(s.state.Phase) {
		s.resumed()
		s.resumed = nil
	}
}

// agreed is the bill of the counters that both sides agree on (2.6).
func agreed(r contract.PublisherRecord) types.Amount {
	if r.Paid == nil {
		return 0
	}
	bill, err := r.Contract.Terms.Rates.Bill(r.Paid.Agreed)
	if err != nil {
		return r.Paid.Voucher.Amount // cannot be: it was signed
	}
	return bill
}

func serves(p contract.Phase) bool {
	return p == contract.Ready || p == contract.Active || p == contract.Suspended
}

// carryOut begins one effect. An error says that something could not be stored.
// It is long because it is the table of effects.
func (s *session) carryOut(e contract.Effect) error {
	switch e := e.(type) {
	case contract.Send:
		s.send(e.Message)
	case contract.Hangup:
		if s.link != nil {
			s.link.stream.Close()
			s.link = nil
		}
	case contract.SaveLease:
		return s.save(e.Record)
	case contract.SavePayment:
		return s.m.cfg.Journal.SavePayment(e.Record.Contract.ID(), &e.Report, &e.Paid)
	case contract.Offered:
		s.request.offer(s, e.Capabilities)
	case contract.OpenChannel:
		s.m.remember(s, e.Contract.ID())
		s.async(func(ctx context.Context) contract.Event { return s.openChannel(ctx, e) })
	case contract.Broadcast:
		s.async(func(ctx context.Context) contract.Event { return s.broadcast(ctx, e) })
	case contract.PrepareTopUp:
		s.async(func(ctx context.Context) contract.Event { return s.prepareTopUp(ctx, e) })
	case contract.VerifyChannel:
		s.async(func(ctx context.Context) contract.Event { return s.verify(ctx, e.ID, types.Hash{}, 0) })
	case contract.Measure:
		s.async(func(ctx context.Context) contract.Event { return s.inner.measure(ctx) })
	case contract.Usable:
		if s.request != nil {
			s.request.usable(s.lease)
		}
	case contract.AwaitSettlement:
		s.watch(e.Channel)
	case contract.SubmitRefund:
		s.async(func(ctx context.Context) contract.Event { return s.refund(ctx, e.Channel) })
	case contract.Lost, contract.Fail:
		// seen through the state
	case contract.Done:
		s.settleAccount(e)
	default:
		return fmt.Errorf("unknown effect %T", e)
	}
	return nil
}

// async runs fn beside the session; its event comes back.
func (s *session) async(fn func(ctx context.Context) contract.Event) {
	s.m.begin(func() {
		ctx, cancel := context.WithTimeout(s.m.ctx, ledgerTimeout)
		defer cancel()
		if e := fn(ctx); e != nil {
			s.tell(e)
		}
	})
}

func (s *session) send(msg protocol.Message) {
	l := s.link
	if l == nil {
		return
	}
	if err := l.send(msg); err != nil {
		s.m.log.Info("lease stream broke", "provider", s.provider, "err", err)
		l.stream.Reset() // its reader tells of it
	}
}

// save stores the machine's record.
func (s *session) save(r contract.PublisherRecord) error {
	l := journal.Lease{ID: r.Contract.ID(), Job: s.job, Provider: s.provider, Contract: r.Contract, Sig: r.ProviderSig,
		State: stateOf(r), Channel: r.Channel, OpenTx: r.OpenTx, TopUpTx: r.TopUpTx, Record: types.Encode(r),
		Deposit: r.Deposit + r.TopUp, Fees: s.feesSoFar(), Programs: r.Programs, CloseTx: r.CloseTx, CloseHeight: r.CloseHeight,
		Claim: r.Claim, Reason: r.Reason, Opened: s.opened, Verdict: s.verdict(r), ReceiptTx: s.receipt, ReceiptOver: s.told}
	if r.Phase == contract.Closed {
		l.Closed = s.m.cfg.Now()
	}
	if err := s.m.cfg.Journal.SaveLease(l); err != nil {
		return err
	}
	s.giveBack()
	return nil
}

func (s *session) feesSoFar() types.Amount {
	s.money.Lock()
	defer s.money.Unlock()
	return s.fees
}

// verdict is what the publisher says of a settled lease.
func (s *session) verdict(r contract.PublisherRecord) chain.Verdict {
	switch {
	case r.Phase != contract.Closed:
		return ""
	case s.lease.verdict() != "":
		return s.lease.verdict()
	case r.Lost || r.Refunded:
		return chain.VerdictLost
	case r.Strikes >= max(s.machine.Params.Strikes, 1):
		return chain.VerdictDispute
	}
	return chain.VerdictOK
}

func stateOf(r contract.PublisherRecord) journal.LeaseState {
	switch {
	case r.Phase == contract.Closed:
		return journal.LeaseSettled
	case r.Phase == contract.Failed:
		return journal.LeaseFailed
	case r.Lost:
		return journal.LeaseLost
	case r.Phase == contract.Closing:
		return journal.LeaseClosing
	case r.Phase == contract.Channel:
		return journal.LeaseOpening
	}
	return journal.LeaseActive
}

// insider reads the counters from inside the container, over a worker
// connection of its own.
type insider struct {
	session *session
	mu      sync.Mutex
	conn    io.ReadWriteCloser
	in      *bufio.Reader
	seq     uint64
}
