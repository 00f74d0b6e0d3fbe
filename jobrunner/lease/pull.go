package lease

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
)

// What a pull waits for.
const (
	ticketTime = 15 * time.Minute // that a ticket is good for; clocks may differ by minutes
	pullSilent = 30 * time.Second // the provider tells every two seconds how far it is
)

// Pull lets the provider fetch files that ended tasks left in the container of
// another lease of this publisher, from that one's provider. ErrPull says that it
// could not: the files may come through the publisher then.
func (l *Lease) Pull(ctx context.Context, from types.Address, contract types.Hash, files []client.File) error {
	cfg := &l.s.m.cfg
	addrs := peer.Known(cfg.Host, from)
	if from != l.s.provider && len(addrs) == 0 {
		return fmt.Errorf("%w: %s does not listen", ErrPull, from.Short())
	}
	stream, err := l.open(ctx, peer.PullProtocol)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPull, err)
	}
	defer stream.Close()
	stop := context.AfterFunc(ctx, func() { stream.Reset() })
	defer stop()
	in := bufio.NewReader(stream)
	ticket := protocol.NewTicket(cfg.Key, cfg.Ledger.LedgerID(), contract, l.s.provider, time.Now().Add(ticketTime).Unix())
	for _, part := range pullParts(files) {
		l.expect(contract, part)
		if err := stream.SetDeadline(time.Now().Add(pullSilent)); err != nil {
			return fmt.Errorf("%w: %w", ErrPull, err)
		}
		err := protocol.WriteMessage(stream, &protocol.Pull{From: from, Addrs: addrs, Ticket: ticket, Files: part})
		for done := false; err == nil && !done; {
			var p *protocol.Pulled
			if err = stream.SetDeadline(time.Now().Add(pullSilent)); err != nil {
				break
			}
			if p, err = protocol.Read[protocol.Pulled](in); err == nil {
				if done = p.Done; p.Error != "" {
					err = errors.New(p.Error)
				}
			}
		}
		if err != nil {
			stream.Reset()
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return fmt.Errorf("%w: %w", ErrPull, err)
		}
	}
	return nil
}

// expect counts what a pull may move as seen, in the lease that takes it and in
// the one that gives it: none of it passes here, and both count it as staged.
func (l *Lease) expect(from types.Hash, files []protocol.PullFile) {
	var bytes uint64
	for _, f := range files {
		bytes += f.Size
	}
	l.stagedIn.Add(bytes)
	l.s.m.mu.Lock()
	giver := l.s.m.sessions[from]
	l.s.m.mu.Unlock()
	if giver != nil {
		giver.lease.stagedOut.Add(bytes)
	}
}

// pullParts cuts a list of files into what one Pull may hold.
func pullParts(files []client.File) (parts [][]protocol.PullFile) {
	chunks := 0
	for i, f := range files {
		last := len(parts) - 1
		if i == 0 || len(parts[last]) == protocol.MaxPullFiles || chunks+len(f.Chunks) > protocol.MaxPullChunks {
			parts, chunks = append(parts, nil), 0
			last++
		}
		chunks += len(f.Chunks)
		parts[last] = append(parts[last], protocol.PullFile{Task: f.Task, Path: f.Path, Size: f.Size, Chunks: f.Chunks})
	}
	return parts
}
