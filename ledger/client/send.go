package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/node/wire"
	"github.com/zennet/zennet/ledger/types"
)

// How long a Broadcast waits before it looks again.
const (
	resend   = 2 * time.Second // after sending: look it up and send again
	patience = 4 * time.Second // with a nonce that is prepared and not sent
)

// Submit is Prepare and Broadcast. Where another process took the nonce first,
// it prepares again, until ctx ends.
func (c *Client) Submit(ctx context.Context, key types.PrivateKey, body chain.Body) (Receipt, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	for {
		tx, err := c.Prepare(ctx, key, body)
		if err != nil {
			return Receipt{}, err
		}
		receipt, err := c.Broadcast(ctx, tx)
		if !errors.Is(err, errStale) || ctx.Err() != nil {
			return receipt, err
		}
	}
}

// errStale is the ErrRejected of a transaction whose nonce another one used.
var errStale = fmt.Errorf("%w: its nonce was used by another transaction", ErrRejected)

// Broadcast sends a transaction and waits until its block is final and its
// result is proven by the next header. It may be called again for the same
// transaction, also by another process and after a crash: one that is on the
// ledger already returns its receipt. A transaction that the ledger refuses, or
// that was included but failed, is ErrRejected with the ledger's words; one whose
// fate is unknown when ctx ends is ErrUnavailable.
func (c *Client) Broadcast(ctx context.Context, tx chain.Tx) (Receipt, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	wait := c.sends.add(tx, c.heads)
	defer c.sends.remove(wait)
	account := c.nonces.of(tx.Body.From)
	if !free(tx.Body) {
		defer account.sending(tx.Body.Nonce)()
		if err := account.turnOf(ctx, tx.Body.Nonce); err != nil {
			return Receipt{}, c.outOfTime(ctx, nil)
		}
	}
	at, included, err := c.deliver(ctx, tx, wait)
	switch {
	case err == nil && !free(tx.Body):
		account.used(tx.Body.Nonce)
	case errors.Is(err, ErrRejected) && !free(tx.Body):
		account.refused(tx.Body.Nonce)
		if errors.Is(err, errStale) {
			account.resync(tx.Body.Nonce + 1) // at least; saves asking
		}
	case wait.sent && !free(tx.Body):
		account.unknown(tx.Body.Nonce, chain.EncodeTx(tx))
	}
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{Tx: wait.id, Height: at, Fee: included.Result.Fee}
	if included.Result.Code != chain.CodeOK {
		return receipt, fmt.Errorf("%w: %s", ErrRejected, included.Result.Log)
	}
	return receipt, nil
}

// deliver sends until the transaction is found in a block, or refused.
func (c *Client) deliver(ctx context.Context, tx chain.Tx, wait *send) (int64, Included, error) {
	raw := chain.EncodeTx(tx)
	pause, again := 20*time.Millisecond, resend
	for {
		verdict, err := c.post(ctx, raw)
		if verdict.kind != taken || wait.sent {
			// Known to the node, refused, or sent before: it may be in a block that
			// nobody scans any more.
			at, included, found, lookErr := c.find(ctx, wait.id)
			if found {
				return at, included, nil
			}
			err = errors.Join(err, lookErr)
		}
		d := again
		switch {
		case err != nil && !errors.Is(err, ErrUnavailable):
			return 0, Included{}, err
		case err != nil:
			d, pause = pause, min(2*pause, 500*time.Millisecond)
		case verdict.kind == refused:
			return 0, Included{}, fmt.Errorf("%w: %s", ErrRejected, verdict.text)
		case verdict.kind == nonceRefused:
			next, askErr := c.nonceOf(ctx, tx.Body.From)
			if err = askErr; err == nil && tx.Body.Nonce < next {
				return c.lost(ctx, wait.id)
			}
			// Not its turn yet, or the ledger is further than its newest proof.
			d, pause = pause, min(2*pause, 200*time.Millisecond)
		}
		wait.sent = true
		switch found, more := c.await(ctx, wait, d); {
		case found != nil && found.included.Tx.ID() != wait.id:
			return 0, Included{}, errStale
		case found != nil:
			return found.at, found.included, nil
		case !more:
			return 0, Included{}, c.outOfTime(ctx, err)
		}
		if err == nil && verdict.kind != nonceRefused {
			c.fillGap(ctx, tx)
			again = min(2*again, 8*resend) // a node that is busy is not made busier
		}
	}
}

// verdict is what the node's mempool says of a transaction.
type verdict struct {
	kind verdictKind
	text string
}

type verdictKind int

const (
	taken        verdictKind = iota
	pending                  // it was taken before
	refused                  // for good, unless the ledger changes
	nonceRefused             // its nonce was used, or is too far ahead for now
)

// inCache is what the engine says of a transaction that it has seen.
const inCache = "tx already exists in cache"

// post hands the transaction to the node.
func (c *Client) post(ctx context.Context, raw []byte) (verdict, error) {
	var answer ctypes.ResultBroadcastTx
	err := c.rpc.call(ctx, "broadcast_tx_sync", map[string]any{"tx": raw}, &answer)
	var said *answerError
	switch {
	case errors.As(err, &said) && said.text == inCache:
		return verdict{kind: pending}, nil
	case errors.As(err, &said): // the mempool is full or the node catches up
		return verdict{}, fmt.Errorf("%w: %s", ErrUnavailable, said.text)
	case err != nil:
		return verdict{}, err
	case answer.Code != 0 && answer.Codespace == wire.NonceRefused:
		return verdict{nonceRefused, answer.Log}, nil
	case answer.Code != 0:
		return verdict{refused, cmp.Or(answer.Log, "no reason given")}, nil
	}
	return verdict{}, nil
}

// lost decides about a transaction whose nonce is past: its own inclusion may
// just have used it.
func (c *Client) lost(ctx context.Context, id types.Hash) (int64, Included, error) {
	at, included, found, err := c.find(ctx, id)
	if err == nil && !found {
		err = errStale
	}
	return at, included, err
}

// Tx finds a transaction that is on the ledger, with its result and the height
// of its block, both verified. ErrNotFound is the node's word: it may not have
// seen the transaction, or have pruned it.
func (c *Client) Tx(ctx context.Context, id types.Hash) (Included, int64, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	type place struct {
		included Included
		at       int64
	}
	p, err := retry(ctx, func() (place, error) {
		at, included, found, err := c.find(ctx, id)
		if err == nil && !found {
			err = fmt.Errorf("transaction %s: %w", id.Short(), ErrNotFound)
		}
		return place{included, at}, err
	})
	return p.included, p.at, err
}

// find asks the node where a transaction is, and reads it there.
func (c *Client) find(ctx context.Context, id types.Hash) (at int64, included Included, found bool, err error) {
	var answer wire.TxAt
	if err := c.rpc.call(ctx, wire.MethodTx, map[string]any{"id": id[:]}, &answer); err != nil {
		return 0, included, false, missing(err, "transaction %s", id.Short())
	}
	if !answer.Found {
		return 0, included, false, nil
	}
	if _, ok := c.heads.wait(ctx, answer.Height+1); !ok {
		return 0, included, false, c.outOfTime(ctx, nil)
	}
	block, err := c.blocks.get(ctx, answer.Height)
	if err != nil {
		return 0, included, false, err
	}
	for _, included := range block.Txs {
		if included.Tx.ID() == id {
			return answer.Height, included, true, nil
		}
	}
	return 0, included, false, fmt.Errorf("%w: transaction %s is not in block %d", ErrProof, id.Short(), answer.Height)
}

// fillGap uses up a nonce that this client handed out and that holds up the
// transactions behind it: one that was sent and got lost between the node's
// mempool and a block (it restarted) is sent again, though its Broadcast gave up;
// for one that nobody will send, the smallest transfer does.
func (c *Client) fillGap(ctx context.Context, tx chain.Tx) {
	if free(tx.Body) {
		return
	}
	from := tx.Body.From
	if !c.nonces.of(from).gapDue() {
		return
	}
	next, err := c.nonceOf(ctx, from)
	if err != nil || next >= tx.Body.Nonce {
		return
	}
	if raw := c.nonces.of(from).lostAt(next); raw != nil {
		verdict, err := c.post(ctx, raw)
		c.log.Info("a transaction that was lost is sent again", "account", from, "nonce", next, "refusal", verdict.text, "err", err)
		if verdict.kind != refused {
			return
		}
	}
	key, ok := c.nonces.of(from).gap(next, patience)
	if !ok {
		return
	}
	for _, a := range c.cfg.Genesis.Accounts {
		if a.Address == from {
			continue
		}
		body := chain.Body{From: from, Nonce: next, Transfer: &chain.Transfer{To: a.Address, Amount: 1}}
		if header, err := c.recent(ctx); err == nil {
			body.Fee = chain.FeeOf(c.cfg.Genesis.Params, body, header.Time)
			verdict, err := c.post(ctx, chain.EncodeTx(body.Sign(key, c.ledger)))
			c.log.Warn("a nonce was prepared and never sent; filled it", "account", from, "nonce", next, "refusal", verdict.text, "err", err)
		}
		return
	}
}
