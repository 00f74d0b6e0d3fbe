package lease

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/protocol"
)

// openChannel reserves the money and signs OPEN; nothing is sent.
func (s *session) openChannel(ctx context.Context, e contract.OpenChannel) contract.Event {
	tx, err := s.prepare(ctx, chain.Body{Open: &chain.Open{Payee: e.Contract.Provider, Contract: e.Contract.ID(),
		Deposit: e.Deposit, Expiry: e.Expiry}}, e.Deposit, "a deposit")
	if err != nil {
		s.request.unaffordable(err)
		return contract.OpenFailed{At: s.at(), Reason: err.Error(), Rejected: true}
	}
	return contract.OpenPrepared{At: s.at(), Channel: chain.ChannelID(s.m.cfg.Ledger.LedgerID(), s.m.cfg.Key.Address(), tx.Body.Nonce),
		Tx: chain.EncodeTx(tx)}
}

// feeSlack is what a ledger client may offer above the exact fee, which it does
// to tell its transactions apart; nXEN.
const feeSlack = 1 << 16

// feeOf is the most that a transaction will offer as its fee.
func (m *Market) feeOf(body chain.Body) types.Amount {
	return chain.FeeOf(m.cfg.Ledger.Params(), body, m.cfg.Now().Unix()) + feeSlack
}

// prepare reserves the money for a transaction, and only then signs it: a nonce
// that was handed out in vain holds up all later ones.
func (s *session) prepare(ctx context.Context, body chain.Body, deposit types.Amount, what string) (chain.Tx, error) {
	fee := s.m.feeOf(body)
	if err := s.reserve(ctx, deposit, fee, what); err != nil {
		return chain.Tx{}, err
	}
	tx, err := s.m.cfg.Ledger.Prepare(ctx, s.m.cfg.Key, body)
	switch {
	case err != nil:
		s.drop(deposit, fee)
	case tx.Body.Fee > fee:
		s.m.cfg.Ledger.Discard(tx)
		s.drop(deposit, fee)
		err = fmt.Errorf("%w: a fee of %s where %s was expected", ErrNotAffordable, tx.Body.Fee, fee)
	default:
		s.drop(0, fee-tx.Body.Fee)
	}
	return tx, err
}

// reserve takes a deposit and its fee from the purse, and checks that the
// account holds them.
func (s *session) reserve(ctx context.Context, deposit, fee types.Amount, what string) error {
	sum, err := deposit.Add(fee)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrNotAffordable, err)
	}
	if err := s.purse.take(sum, what); err != nil {
		return err
	}
	if err := s.m.afford(ctx, sum); err != nil {
		s.purse.giveBack(sum)
		return err
	}
	s.money.Lock()
	s.locked += deposit
	s.fees += fee
	s.money.Unlock()
	return nil
}

// release takes back what was reserved and will not be spent. The purse has it
// again once the journal says so too (save): a budget is not exceeded by the
// journal's account either.
func (s *session) release(deposit, fee types.Amount) {
	s.money.Lock()
	defer s.money.Unlock()
	deposit, fee = min(deposit, s.locked), min(fee, s.fees)
	s.locked -= deposit
	s.fees -= fee
	s.back += deposit + fee
}

// drop returns to the purse what was reserved and never came into the journal.
func (s *session) drop(deposit, fee types.Amount) {
	s.money.Lock()
	defer s.money.Unlock()
	s.locked -= deposit
	s.fees -= fee
	s.purse.giveBack(deposit + fee)
}

// giveBack returns to the purse what was released.
func (s *session) giveBack() {
	s.money.Lock()
	defer s.money.Unlock()
	s.purse.giveBack(s.back)
	s.back = 0
}

// locks is what a transaction would lock in a channel.
func locks(tx chain.Tx) types.Amount {
	switch b := tx.Body; {
	case b.Open != nil:
		return b.Open.Deposit
	case b.TopUp != nil:
		return b.TopUp.Amount
	}
	return 0
}

// unspent is what is left of the fee that a transaction offered: all of it where
// it was refused without being included.
func unspent(tx chain.Tx, r client.Receipt) types.Amount {
	return tx.Body.Fee - min(r.Fee, tx.Body.Fee)
}

// broadcast sends a stored transaction and waits until it is final and proven.
func (s *session) broadcast(ctx context.Context, e contract.Broadcast) contract.Event {
	failed := func(err error, rejected bool) contract.Event {
		if e.TopUp {
			return contract.TopUpFailed{At: s.at(), Reason: err.Error(), Rejected: rejected}
		}
		return contract.OpenFailed{At: s.at(), Reason: err.Error(), Rejected: rejected}
	}
	tx, err := chain.DecodeTx(e.Tx)
	if err != nil {
		return failed(err, true)
	}
	receipt, err := s.m.cfg.Ledger.Broadcast(ctx, tx)
	if err != nil {
		rejected := errors.Is(err, client.ErrRejected)
		if rejected {
			s.release(locks(tx), unspent(tx, receipt))
		}
		return failed(err, rejected)
	}
	s.release(0, unspent(tx, receipt))
	id := chain.ChannelID(s.m.cfg.Ledger.LedgerID(), tx.Body.From, tx.Body.Nonce)
	if tx.Body.TopUp != nil {
		id = tx.Body.TopUp.Channel
	}
	if seen := s.verify(ctx, id, receipt.Tx, receipt.Height); seen != nil {
		return seen
	}
	return failed(fmt.Errorf("the channel could not be read"), false)
}

// verify reads the channel with its proof; nil where the ledger does not answer,
// the machine asks again.
func (s *session) verify(ctx context.Context, id, tx types.Hash, height int64) contract.Event {
	p, header, err := s.m.proven(ctx, id)
	if err != nil {
		s.m.log.Info("channel not read", "channel", id.Short(), "err", err)
		return nil
	}
	return contract.ChannelSeen{At: s.at(), Channel: p, Header: header, Tx: tx, Height: height}
}

// prepareTopUp reserves the money and signs TOP-UP; nothing is sent. What the
// budget leaves must do, as long as it buys anything.
func (s *session) prepareTopUp(ctx context.Context, e contract.PrepareTopUp) contract.Event {
	body := chain.Body{TopUp: &chain.TopUp{Channel: e.Channel, Amount: e.Amount, Expiry: e.Expiry}}
	if left, fee := s.purse.available(), s.m.feeOf(body); left > fee {
		body.TopUp.Amount = min(e.Amount, left-fee)
	}
	tx, err := s.prepare(ctx, body, body.TopUp.Amount, "a top-up")
	if err != nil {
		return contract.TopUpFailed{At: s.at(), Reason: err.Error()}
	}
	return contract.TopUpPrepared{At: s.at(), Amount: body.TopUp.Amount, Expiry: e.Expiry, Tx: chain.EncodeTx(tx)}
}

// watch tells when the channel has left the ledger. The wait has no deadline but
// the session's own: a lost provider may settle any time before the expiry.
func (s *session) watch(channel types.Hash) {
	if s.watching {
		return
	}
	s.watching = true
	open := s.state.Record.FinalAt / int64(time.Second)
	s.m.begin(func() {
		ctx, cancel := context.WithCancel(s.m.ctx)
		defer cancel()
		for {
			end, err := s.m.awaitSettlement(ctx, channel, open)
			if err == nil {
				s.tell(contract.Settled{At: s.at(), Tx: end.tx, Height: end.height, Claim: end.claim, Refund: end.refund})
				return
			}
			if ctx.Err() != nil {
				return
			}
			if errors.Is(err, errForgotten) {
				s.tell(s.forgotten(channel))
				return
			}
			s.m.log.Info("settlement not read", "channel", channel.Short(), "err", err)
			next, _ := s.m.blocks.next()
			select {
			case <-next:
			case <-time.After(time.Second):
			case <-s.ended:
				return
			case <-ctx.Done():
				return
			}
		}
	})
}

// forgotten ends a lease whose end was too long ago: the most that the provider
// may have claimed, its best voucher, is taken for claimed.
func (s *session) forgotten(channel types.Hash) contract.Event {
	reason := fmt.Sprintf("its channel %s left the ledger more than %s ago, and how is not kept any longer: the last voucher is taken for claimed",
		channel.Short(), time.Duration(s.m.cfg.Ledger.Params().ReceiptSeconds)*time.Second)
	s.m.log.Warn("lease settled unseen", "provider", s.provider, "reason", reason)
	return contract.Settled{At: s.at(), Claim: s.view.Load().paid, Reason: reason}
}

// refund takes the deposit back after expiry.
func (s *session) refund(ctx context.Context, channel types.Hash) contract.Event {
	_, err := s.m.cfg.Ledger.Submit(ctx, s.m.cfg.Key, chain.Body{Refund: &chain.Refund{Channel: channel}})
	if err != nil {
		return contract.SettleFailed{At: s.at(), Reason: err.Error()}
	}
	return nil // the watch tells of it
}

// settleAccount gives back what was locked and not claimed.
func (s *session) settleAccount(e contract.Done) {
	s.money.Lock()
	s.back += s.locked - min(e.Claim, s.locked)
	s.locked = 0
	s.money.Unlock()
	s.giveBack() // the settlement is stored
}

// publishReceipt puts the verdict of a settled lease on the ledger, once
// (PROTOCOL.md 4.3), where the budget allows its fee.
func (s *session) publishReceipt() {
	r := s.state.Record
	ctx, cancel := context.WithTimeout(s.m.ctx, ledgerTimeout)
	defer cancel()
	tx, err := s.prepare(ctx, chain.Body{Receipt: &chain.Receipt{Channel: r.Channel,
		Lease: types.HashOf("lease-record", types.Encode(r)), Verdict: s.verdict(r), Expiry: s.m.cfg.Now().Add(receiptLife).Unix()}}, 0, "a receipt")
	if err != nil {
		s.m.log.Info("no receipt", "channel", r.Channel.Short(), "err", err)
		return
	}
	s.receipt = tx.ID()
	if err := s.save(r); err != nil { // the fee counts before it is spent
		s.m.cfg.Ledger.Discard(tx)
		return
	}
	receipt, err := s.m.cfg.Ledger.Broadcast(ctx, tx)
	if err != nil {
		s.m.log.Info("no receipt", "channel", r.Channel.Short(), "err", err)
		return
	}
	s.release(0, unspent(tx, receipt))
	s.over()
}

// over notes that nothing is left to do for the lease's receipt.
func (s *session) over() {
	s.told = true
	if err := s.save(s.state.Record); err != nil {
		s.m.log.Error("lease not stored", "channel", s.state.Record.Channel.Short(), "err", err)
	}
}

// receiptLife is how long a receipt stays on the ledger.
const receiptLife = 30 * 24 * time.Hour

// measure asks the worker for its counters; where it does not answer in time,
// the machine goes by the provider's word within its bounds.
func (i *insider) measure(ctx context.Context) contract.Event {
	s := i.session
	reading, err := i.read(ctx)
	e := contract.Inside{At: s.at(), StagedIn: s.lease.stagedIn.Load(), StagedOut: s.lease.stagedOut.Load()}
	if err != nil {
		s.m.log.Debug("no reading from inside", "provider", s.provider, "err", err)
		return e
	}
	e.TimeNS, e.Usage = reading.TimeNS, reading.Usage
	return e
}

func (i *insider) read(ctx context.Context) (*protocol.Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, measureWait)
	defer cancel()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.conn == nil {
		conn, err := i.session.lease.Worker(ctx)
		if err != nil {
			return nil, err
		}
		if err := protocol.WriteMessage(conn, &protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: protocol.PurposeMeasure}); err != nil {
			conn.Close()
			return nil, err
		}
		i.conn, i.in = conn, bufio.NewReader(conn)
	}
	conn := i.conn
	stop := context.AfterFunc(ctx, func() { interrupt(conn) })
	defer stop()
	i.seq++
	if err := protocol.WriteMessage(i.conn, &protocol.Measure{Seq: i.seq}); err != nil {
		i.drop()
		return nil, err
	}
	r, err := protocol.Read[protocol.Reading](i.in)
	if err == nil && r.Seq != i.seq {
		err = fmt.Errorf("reading %d, asked for %d", r.Seq, i.seq)
	}
	if err != nil {
		i.drop()
	}
	return r, err
}

// interrupt ends a read that waits; the reader drops the connection.
func interrupt(conn io.Closer) {
	if d, ok := conn.(interface{ SetDeadline(time.Time) error }); ok {
		d.SetDeadline(time.Unix(1, 0))
	}
}

func (i *insider) drop() {
	i.conn.Close()
	i.conn = nil
}

func (i *insider) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.conn != nil {
		i.drop()
	}
}
