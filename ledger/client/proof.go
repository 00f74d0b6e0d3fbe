package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	ics23 "github.com/cosmos/ics23/go"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/node/wire"
	"github.com/zennet/zennet/ledger/types"
)

// Account returns an account as of the newest header, proven; Header is the one
// that proves it, and the state is that after the block before. An account
// that never was is proven absent: ErrNotFound.
func (c *Client) Account(ctx context.Context, addr types.Address) (chain.Account, Header, error) {
	value, header, err := c.Value(ctx, chain.AccountKey(addr))
	if err != nil {
		return chain.Account{}, header, fmt.Errorf("account %s: %w", addr.Short(), err)
	}
	account, err := chain.DecodeAccount(value)
	if err != nil {
		return chain.Account{}, header, fmt.Errorf("%w: account %s: %v", ErrProof, addr.Short(), err)
	}
	return account, header, nil
}

// Channel returns an open channel, proven like Account. One that never was, or
// that was closed or refunded, is proven absent: ErrNotFound.
func (c *Client) Channel(ctx context.Context, id types.Hash) (chain.Channel, Header, error) {
	value, header, err := c.Value(ctx, chain.ChannelKey(id))
	if err != nil {
		return chain.Channel{}, header, fmt.Errorf("channel %s: %w", id.Short(), err)
	}
	channel, err := chain.DecodeChannel(value)
	if err != nil {
		return chain.Channel{}, header, fmt.Errorf("%w: channel %s: %v", ErrProof, id.Short(), err)
	}
	return channel, header, nil
}

// Value returns the entry of the ledger's state under a key, proven against the
// header that is returned, also where it is proven absent (ErrNotFound).
func (c *Client) Value(ctx context.Context, key []byte) ([]byte, Header, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	type proven struct {
		value  []byte
		header Header
	}
	v, err := retry(ctx, func() (proven, error) {
		var answer wire.Value
		// Height 0 leaves the choice to the node: its newest state that a final
		// header proves, so that one exchange and one header are enough.
		if err := c.rpc.call(ctx, wire.MethodValue, map[string]any{"key": key, "height": int64(0)}, &answer); err != nil {
			return proven{}, missing(err, "value")
		}
		header, err := c.light.header(ctx, answer.Height+1)
		if err != nil {
			return proven{}, err
		}
		c.heads.set(header.Height)
		p := proven{answer.Value, Header{header.Height, header.Time.Unix()}}
		return p, verifyValue(header.AppHash, key, answer)
	})
	return v.value, v.header, err
}

// Announcements lists the announcements that are open at the newest header, in
// the order of their ids. Each is proven; that none is left out is the node's word.
func (c *Client) Announcements(ctx context.Context) ([]chain.Announcement, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	return retry(ctx, func() ([]chain.Announcement, error) {
		var all []chain.Announcement
		prefix := chain.AnnouncementKey(types.Hash{})
		prefix = prefix[:len(prefix)-len(types.Hash{})]
		var after []byte
		var height int64
		for {
			var page wire.Values
			params := map[string]any{"prefix": prefix, "after": after, "limit": wire.MaxValues, "height": height}
			if err := c.rpc.call(ctx, wire.MethodValues, params, &page); err != nil {
				return nil, missing(err, "announcements")
			}
			height = page.Height
			header, err := c.light.header(ctx, height+1)
			if err != nil {
				return nil, err
			}
			for _, entry := range page.Values {
				ann, err := provenAnnouncement(header.AppHash, prefix, after, entry)
				if err != nil {
					return nil, err
				}
				all, after = append(all, ann), entry.Key
			}
			if !page.More || len(page.Values) == 0 {
				return all, nil
			}
		}
	})
}

func provenAnnouncement(root, prefix, after []byte, entry wire.Value) (chain.Announcement, error) {
	if !bytes.HasPrefix(entry.Key, prefix) || bytes.Compare(entry.Key, after) <= 0 {
		return chain.Announcement{}, fmt.Errorf("%w: announcements out of order", ErrProof)
	}
	if err := verifyValue(root, entry.Key, entry); err != nil {
		return chain.Announcement{}, err
	}
	ann, err := chain.DecodeAnnouncement(entry.Value)
	if err != nil {
		return chain.Announcement{}, fmt.Errorf("%w: announcement: %v", ErrProof, err)
	}
	return ann, nil
}

// verifyValue checks an entry, or its absence, against an application hash.
// Absence is ErrNotFound; anything that does not hold is ErrProof.
func verifyValue(root, key []byte, v wire.Value) (err error) {
	defer sane(&err)
	var proof ics23.CommitmentProof
	if err := proof.Unmarshal(v.Proof); err != nil {
		return fmt.Errorf("%w: %v", ErrProof, err)
	}
	if len(v.Value) == 0 {
		if !ics23.VerifyNonMembership(ics23.IavlSpec, root, &proof, key) {
			return fmt.Errorf("%w: absence of %x", ErrProof, key)
		}
		return ErrNotFound
	}
	if !ics23.VerifyMembership(ics23.IavlSpec, root, &proof, key, v.Value) {
		return fmt.Errorf("%w: value of %x", ErrProof, key)
	}
	return nil
}

// sane turns a panic of a library over a stranger's data into ErrProof.
func sane(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrProof, p)
	}
}

// nonceOf is the account's next nonce on the ledger; 0 where it never was.
func (c *Client) nonceOf(ctx context.Context, addr types.Address) (uint64, error) {
	account, _, err := c.Account(ctx, addr)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return account.Nonce, err
}
