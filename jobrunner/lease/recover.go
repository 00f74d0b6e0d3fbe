package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/protocol"
)

// Recover goes on with the leases that the journal calls live: transactions that
// may not have been sent are sent again, providers that RESUME in time keep their
// lease, the others are declared lost and their channels watched. Each lease that
// lives is handed to each; Recover returns when every one is resumed or lost.
func (m *Market) Recover(ctx context.Context, each func(*Lease)) error {
	live, err := m.cfg.Journal.Leases("", true)
	if err != nil {
		return err
	}
	type restored struct {
		s       *session
		effects []contract.Effect
	}
	var all []restored
	for _, l := range live {
		s, effects, err := m.restore(l)
		if err != nil {
			m.log.Error("a lease cannot be continued", "lease", l.ID.Short(), "err", err)
			continue
		}
		all = append(all, restored{s, effects})
	}
	m.mu.Lock()
	m.recovered = true
	m.mu.Unlock()
	var wait sync.WaitGroup
	var one sync.Mutex
	for _, r := range all {
		s, effects := r.s, r.effects
		if p := s.state.Phase; p == contract.Channel || p == contract.Confirmed {
			// Nobody waits for its container any more.
			if !m.begin(func() {
				s.run(func() bool {
					return s.carryOutAll(effects) && s.handle(happening{event: contract.Leave{At: s.at(), Reason: "the publisher restarted"}})
				})
			}) {
				return ErrClosed
			}
			continue
		}
		resumed := make(chan struct{})
		s.resumed = func() { close(resumed) }
		wait.Add(1)
		if !m.begin(func() { s.run(func() bool { return s.carryOutAll(effects) }) }) {
			wait.Done()
			return ErrClosed
		}
		go func() {
			defer wait.Done()
			select {
			case <-resumed:
				one.Lock()
				each(s.lease)
				one.Unlock()
			case <-s.lease.Done():
			case <-ctx.Done():
			}
		}()
	}
	if err := m.receipts(); err != nil {
		return err
	}
	wait.Wait()
	return ctx.Err()
}

// receipts publishes, beside, what a former process kept back: the receipts of
// settled leases that are not known to be on the ledger.
func (m *Market) receipts() error {
	due, err := m.cfg.Journal.Unreceipted()
	if err != nil || len(due) == 0 {
		return err
	}
	m.begin(func() {
		for _, l := range due {
			s, _, err := m.restore(l)
			if err != nil {
				m.log.Error("no receipt", "lease", l.ID.Short(), "err", err)
				continue
			}
			s.receipt = l.ReceiptTx
			s.lease.SetVerdict(l.Verdict)
			s.run(func() bool { return m.ctx.Err() == nil && s.unreceipted() })
		}
	})
	return nil
}

// unreceipted reports whether a settled lease may still get its receipt: the ledger
// keeps its settlement for it, and puts the receipt in that place.
func (s *session) unreceipted() bool {
	ctx, cancel := context.WithTimeout(s.m.ctx, ledgerTimeout)
	defer cancel()
	channel := s.state.Record.Channel
	_, _, err := s.m.cfg.Ledger.Value(ctx, chain.SettlementKey(channel))
	switch {
	case errors.Is(err, client.ErrNotFound):
		s.over()
		return false
	case err != nil:
		s.m.log.Info("no receipt before the next start", "channel", channel.Short(), "err", err)
	}
	return err == nil
}

// restore makes the session of a lease that the journal knows.
func (m *Market) restore(l journal.Lease) (*session, []contract.Effect, error) {
	var record contract.PublisherRecord
	if err := types.Decode(l.Record, &record); err != nil {
		return nil, nil, fmt.Errorf("stored record: %w", err)
	}
	// Payments are stored on their own, and may be newer than the record.
	if l.LastUsage != nil && (record.Report == nil || l.LastUsage.Seq > record.Report.Seq) {
		record.Report = l.LastUsage
	}
	if l.LastPaid != nil && (record.Paid == nil || l.LastPaid.Voucher.Seq > record.Paid.Voucher.Seq) {
		record.Paid = l.LastPaid
	}
	job, err := m.cfg.Journal.Job(l.Job)
	if err != nil {
		return nil, nil, err
	}
	p, err := m.purseOf(l.Job, job.Budget, job.Since)
	if err != nil {
		return nil, nil, err
	}
	s := m.session(l.Provider, l.Job, p, m.machine(nil))
	s.opened, s.fees, s.locked = l.Opened, l.Fees, l.Deposit
	var effects []contract.Effect
	if s.state, effects, err = s.machine.Restore(record, m.now()); err != nil {
		return nil, nil, err
	}
	m.remember(s, l.ID)
	s.show()
	return s, effects, nil
}

// remember makes a session known by its contract, for RESUME.
func (m *Market) remember(s *session, id types.Hash) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[id] = s
}

func (m *Market) forget(s *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, other := range m.sessions {
		if other == s {
			delete(m.sessions, id)
		}
	}
}

// contract and programs are read by other goroutines once they are fixed: from
// Accept on, or after a restart.
func (s *session) contract() protocol.Contract { return s.view.Load().contract }

func (s *session) programs() map[string]string { return s.view.Load().programs }
