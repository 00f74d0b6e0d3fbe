package lease

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
)

// Request asks for containers.
type Request struct {
	Job          string
	Spec         protocol.Spec
	Count        int
	MaxRate      types.Amount // nXEN an hour and container; 0 = no limit but the budget
	Deny         []types.Address
	Avoid        []types.Address // only where nobody else offers
	MinProviders int
	// Near says of providers what part of the job's input they have, 0 to 1: one that
	// has all of it may ask twice as much as one that has nothing.
	Near     map[types.Address]float64
	Budget   types.Amount // of the whole job, fees included
	Since    time.Time    // leases of the job opened from here on count against Budget
	Seconds  uint32       // how long a lease is expected to last
	Deadline time.Time    // when to give up
	Info     string       // for people, in the announcement
}

// offer is a provider that waits for an answer.
type offer struct {
	s    *session
	caps protocol.Capabilities
}

// request is an Acquire at work.
type request struct {
	Request
	m        *Market
	purse    *purse
	programs map[string]string // versions that the job's leases must have; nil = none yet

	wake chan struct{} // capacity 1

	mu      sync.Mutex
	offers  []offer
	refused []string // why offers were not taken
	pending map[*session]bool
	settles map[*session]bool // chosen, without a container, not settled yet: their deposits come back
	ready   []*Lease          // usable, not handed over yet
	given   int
	broke   error     // ErrNotAffordable, once met
	asked   time.Time // when the announcement was sent
	choice  time.Time // when offers are chosen among; zero before the first
	heard   map[types.Address]bool
	came    int            // offers that fit, in all
	failed  map[string]int // by network: providers that were chosen and gave no container
}

// Acquire announces what is wanted and hands containers to each, one after
// another, as they become ready. It returns nil when there are Count of them;
// ErrNotAffordable or ErrNoOffers, with a sentence, when no more will come.
func (m *Market) Acquire(ctx context.Context, r Request, each func(*Lease)) error {
	q, err := m.newRequest(r)
	if err != nil {
		return err
	}
	ann, err := q.announce(ctx)
	if err != nil {
		return err
	}
	defer q.withdraw(ann)
	return q.run(ctx, each)
}

func (m *Market) newRequest(r Request) (*request, error) {
	p, err := m.purseOf(r.Job, r.Budget, r.Since)
	if err != nil {
		return nil, err
	}
	q := &request{Request: r, m: m, purse: p, wake: make(chan struct{}, 1), pending: map[*session]bool{}, settles: map[*session]bool{}, heard: map[types.Address]bool{}, failed: map[string]int{}}
	leases, err := m.cfg.Journal.Leases(r.Job, false)
	if err != nil {
		return nil, err
	}
	for _, l := range leases {
		if !l.Opened.Before(r.Since) && len(l.Programs) > 0 {
			q.programs = l.Programs
		}
	}
	return q, nil
}

// announce puts the announcement on the ledger and opens the request for offers.
func (q *request) announce(ctx context.Context) (types.Hash, error) {
	m := q.m
	lifetime := max(q.Deadline.Sub(m.cfg.Now()), 0) + afterDeadline
	body := types.Encode(&protocol.Ann{Spec: q.Spec, Count: uint16(min(q.Count, 1<<15)), Addrs: peer.Addrs(m.cfg.Host), LeaseSeconds: q.Seconds,
		IntervalSeconds: int32(m.cfg.Interval / time.Second), MaxRate: q.MaxRate, Deadline: q.Deadline.Unix() + 1, Info: q.Info})
	ctx, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	tx, err := q.prepare(ctx, chain.Body{Announce: &chain.Announce{Body: body,
		LifetimeSeconds: min(uint32(lifetime/time.Second), m.cfg.Ledger.Params().MaxAnnouncementSeconds)}}, "announcement")
	if err != nil {
		return types.Hash{}, fmt.Errorf("announce: %w", err)
	}
	id := tx.ID()
	m.mu.Lock()
	q.asked = time.Now()
	m.requests[id] = q
	m.mu.Unlock()
	if err := q.broadcast(ctx, tx, "announcement"); err != nil {
		m.mu.Lock()
		delete(m.requests, id)
		m.mu.Unlock()
		return id, fmt.Errorf("announce: %w", err)
	}
	return id, nil
}

// prepare takes a transaction's fee from the purse, signs it, and journals what it
// may cost.
func (q *request) prepare(ctx context.Context, body chain.Body, what string) (chain.Tx, error) {
	fee := q.m.feeOf(body)
	if err := q.purse.take(fee, "the "+what); err != nil {
		return chain.Tx{}, err
	}
	tx, err := chain.Tx{}, q.m.afford(ctx, fee)
	if err == nil {
		tx, err = q.m.cfg.Ledger.Prepare(ctx, q.m.cfg.Key, body)
	}
	if err != nil {
		q.purse.giveBack(fee)
		return tx, err
	}
	q.purse.giveBack(fee - min(tx.Body.Fee, fee))
	if err := q.m.cfg.Journal.SaveFee(q.fee(tx, what, tx.Body.Fee)); err != nil {
		q.m.cfg.Ledger.Discard(tx)
		q.purse.giveBack(tx.Body.Fee)
		return tx, err
	}
	return tx, nil
}

func (q *request) fee(tx chain.Tx, what string, amount types.Amount) journal.Fee {
	return journal.Fee{Tx: tx.ID(), Job: q.Job, What: what, Amount: amount, At: q.m.cfg.Now()}
}

// broadcast sends a transaction whose fee is journalled, and journals what it did
// cost, where that is known.
func (q *request) broadcast(ctx context.Context, tx chain.Tx, what string) error {
	receipt, err := q.m.cfg.Ledger.Broadcast(ctx, tx)
	if err != nil && !errors.Is(err, client.ErrRejected) {
		return err // it may be included yet
	}
	rest := unspent(tx, receipt)
	if failed := q.m.cfg.Journal.SaveFee(q.fee(tx, what, tx.Body.Fee-rest)); failed != nil {
		return errors.Join(err, failed)
	}
	q.purse.giveBack(rest)
	return err
}

// afterDeadline is how long an announcement stays on the ledger after the deadline
// for offers.
const afterDeadline = 5 * time.Second

// withdraw ends the request: offers that still wait are declined. The
// announcement itself is taken off the ledger where it would stay for long, or where
// many others do.
func (q *request) withdraw(id types.Hash) {
	m := q.m
	m.mu.Lock()
	delete(m.requests, id)
	m.mu.Unlock()
	q.mu.Lock()
	offers := q.offers
	q.offers = nil
	q.mu.Unlock()
	for _, o := range offers {
		q.decline(o.s, "filled")
	}
	if q.Deadline.Sub(m.cfg.Now()) < 30*time.Second && m.leave(q.Deadline.Add(afterDeadline)) {
		return
	}
	m.begin(func() {
		ctx, cancel := context.WithTimeout(m.ctx, ledgerTimeout)
		defer cancel()
		tx, err := q.prepare(ctx, chain.Body{Withdraw: &chain.Withdraw{Announcement: id}}, "withdrawal")
		if err == nil {
			err = q.broadcast(ctx, tx, "withdrawal")
		}
		if err != nil {
			m.log.Info("announcement not withdrawn, it expires by itself", "err", err)
		}
	})
}

// leave notes that an announcement stands on the ledger for nothing until then, and
// says whether it may: an account has places for so many, which short jobs, one after
// another, would fill.
func (m *Market) leave(until time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.cfg.Now()
	m.left = slices.DeleteFunc(m.left, func(t time.Time) bool { return t.Before(now) })
	if len(m.left) >= int(m.cfg.Ledger.Params().MaxAnnouncements)/4 {
		return false
	}
	m.left = append(m.left, until)
	return true
}

// offer takes a provider's offer (called by its session).
func (q *request) offer(s *session, caps protocol.Capabilities) {
	q.mu.Lock()
	defer q.mu.Unlock()
	reason := q.unfit(s.provider, caps)
	if reason == "" {
		reason = q.admit(offer{s, caps})
	}
	q.heard[s.provider] = true
	if reason != "" {
		q.refuse(s.provider, reason)
		q.decline(s, reason)
		return
	}
	if q.choice.IsZero() {
		now := time.Now()
		wait := gathering(now.Sub(q.asked), q.m.cfg.Gather)
		q.choice = now.Add(wait)
		time.AfterFunc(wait, q.nudge)
	}
	q.nudge()
}

// decline tells a session that its offer is not taken. It does not wait for the
// session's goroutine, which may be the caller.
func (q *request) decline(s *session, reason string) {
	q.m.begin(func() { s.tell(contract.Decline{At: s.at(), Reason: reason}) })
}

func (q *request) nudge() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *request) refuse(provider types.Address, reason string) {
	if len(q.refused) < 64 {
		q.refused = append(q.refused, provider.Short()+": "+reason)
	}
}

// unfit says why an offer cannot be taken, or "".
func (q *request) unfit(provider types.Address, caps protocol.Capabilities) string {
	if slices.Contains(q.Deny, provider) {
		return "denied by the job"
	}
	for _, p := range q.Spec.Programs {
		have, ok := caps.Programs[p]
		if !ok {
			return "has no " + p
		}
		if want, fixed := q.programs[p]; fixed && want != have {
			return fmt.Sprintf("has %s %s, the job's other leases have %s", p, have, want)
		}
	}
	return ""
}

// unaffordable notes that another lease cannot be paid for.
func (q *request) unaffordable(err error) {
	if q == nil || !errors.Is(err, ErrNotAffordable) {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.broke = err
	q.nudge()
}

// over notes that a session has ended (called by its goroutine at its end).
func (q *request) over(s *session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.give(s)
	delete(q.settles, s)
	q.offers = slices.DeleteFunc(q.offers, func(o offer) bool { return o.s == s })
	q.nudge()
}

// settling notes that a session only waits for its channel's end: its place goes to
// another offer at once, for a provider that is lost settles hours later.
func (q *request) settling(s *session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.pending[s] {
		q.give(s)
		q.settles[s] = true
		q.nudge()
	}
}

// give takes the place of a session that was chosen in vain; mu is held.
func (q *request) give(s *session) {
	if q.pending[s] {
		delete(q.pending, s)
		q.failed[s.group]++
		q.refuse(s.provider, s.view.Load().reason)
	}
}

// usable notes that a container is ready.
func (q *request) usable(l *Lease) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.pending, l.s)
	q.ready = append(q.ready, l)
	q.nudge()
}

// run chooses among offers until there are enough.
func (q *request) run(ctx context.Context, each func(*Lease)) error {
	deadline := time.NewTimer(time.Until(q.Deadline))
	defer deadline.Stop()
	gather := time.NewTicker(max(q.m.cfg.Gather/4, 10*time.Millisecond))
	defer gather.Stop()
	late := false
	for {
		q.mu.Lock()
		ready := q.ready
		q.ready = nil
		q.given += len(ready)
		given, pending := q.given, len(q.pending)
		q.mu.Unlock()
		for _, l := range ready {
			each(l)
		}
		if given >= q.Count {
			return nil
		}
		if !late {
			q.choose()
			q.mu.Lock()
			pending = len(q.pending)
			q.mu.Unlock()
		}
		q.mu.Lock()
		broke, more := q.broke, len(q.ready) > 0
		q.mu.Unlock()
		switch {
		case more: // one became ready meanwhile: it is handed over before anything is given up
			continue
		case pending > 0:
		case broke != nil:
			return broke
		case late:
			return q.nobody()
		}
		select {
		case <-q.wake:
		case <-gather.C:
		case <-deadline.C:
			late = true
		case <-q.m.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			q.leave("no longer wanted")
			return ctx.Err()
		}
	}
}

// leave ends the sessions that are not ready yet, and those that became ready
// and were not handed over.
func (q *request) leave(reason string) {
	q.mu.Lock()
	var sessions []*session
	for s := range q.pending {
		sessions = append(sessions, s)
	}
	for _, l := range q.ready {
		sessions = append(sessions, l.s)
	}
	q.mu.Unlock()
	for _, s := range sessions {
		s.tell(contract.Leave{At: s.at(), Reason: reason})
	}
}

// nobody says what was asked and what was offered.
func (q *request) nobody() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "wanted %d more of: %s", q.Count-q.given, describe(q.Spec))
	if q.MaxRate > 0 {
		fmt.Fprintf(&b, ", at most %s an hour", q.MaxRate)
	}
	switch {
	case len(q.heard) == 0:
		b.WriteString("; no provider answered the announcement")
	case len(q.refused) > 0:
		fmt.Fprintf(&b, "; %d providers answered: %s", len(q.heard), strings.Join(slices.Compact(q.refused), "; "))
	default:
		fmt.Fprintf(&b, "; %d providers answered, fewer than providers.min allows", len(q.heard))
	}
	return fmt.Errorf("%w: %s", ErrNoOffers, b.String())
}

func describe(s protocol.Spec) string {
	text := fmt.Sprintf("%g cpu, %d MiB memory, %d MiB disk, image %s", float64(s.MilliCPU)/1000, s.Memory>>20, s.Disk>>20, s.Image)
	if len(s.Programs) > 0 {
		text += " with " + strings.Join(s.Programs, ", ")
	}
	return text
}
