package lease

import (
	"bufio"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
)

// What providers move among themselves passes no publisher, and they count it:
// the publisher has asked for it, and does not dispute it.
func TestPullIsSeen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := newSeller(t, b.ledger, 2)
	p.host.SetStreamHandler(peer.PullProtocol, func(s network.Stream) {
		defer s.Close()
		in := bufio.NewReader(s)
		if _, err := protocol.Read[protocol.StreamHeader](in); err != nil {
			t.Error(err)
		}
		for {
			pull, err := protocol.Read[protocol.Pull](in)
			if err != nil {
				return
			}
			if pull.Ticket.Contract.IsZero() || len(pull.Files) == 0 {
				t.Errorf("%+v", pull)
			}
			if err := protocol.WriteMessage(s, &protocol.Pulled{Done: true}); err != nil {
				return
			}
		}
	})
	b.open()
	leases := b.acquire(b.request(2))
	takes, gives := leases[0], leases[1]
	const size = 300 << 20
	file := client.File{Task: "0.1"}
	file.Path, file.Size, file.Chunks = "seg/00000", size, make([]types.Hash, size/protocol.ChunkSize)
	if err := takes.Pull(b.context(10*time.Second), gives.Provider(), gives.ID(), []client.File{file}); err != nil {
		t.Fatal(err)
	}
	in := takes.s.inner.measure(b.context(5 * time.Second)).(contract.Inside)
	out := gives.s.inner.measure(b.context(5 * time.Second)).(contract.Inside)
	if in.StagedIn < size || out.StagedOut < size || in.StagedOut >= size || out.StagedIn >= size {
		t.Errorf("taken: %d in, %d out; given: %d in, %d out; want %d", in.StagedIn, in.StagedOut, out.StagedIn, out.StagedOut, size)
	}
}
