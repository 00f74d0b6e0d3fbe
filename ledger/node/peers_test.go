package node_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/node"
	"github.com/zennet/zennet/ledger/types"
)

func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestFour runs four delegates that meet over the network: transactions sent to
// one are final on all, also while one is down, and that one catches up.
func TestFour(t *testing.T) {
	if testing.Short() {
		t.Skip("four nodes take some seconds")
	}
	homes := []string{t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()}
	g, payer := newGenesis(t, homes...)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	nodes := make([]*node.Node, 4)
	listen := make([]string, 4)
	start := func(i int, peers []string) {
		n, err := node.Start(ctx, node.Config{Home: homes[i], RPC: "127.0.0.1:0", Genesis: g, Check: true,
			P2P: node.P2P{Listen: listen[i], Peers: peers}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		nodes[i] = n
	}
	var peers []string
	for i := range nodes {
		listen[i] = freeAddr(t)
		start(i, peers)
		peers = append(peers, nodes[i].PeerAddress())
	}
	clients := make([]*client.Client, 4)
	for i, n := range nodes {
		c, err := client.Open(ctx, client.Config{RPC: n.RPC(), Genesis: g})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients[i] = c
	}
	to := newKey(t).Address()
	pay := func(i int) client.Receipt {
		t.Helper()
		r, err := clients[i].Submit(ctx, payer, chain.Body{Transfer: &chain.Transfer{To: to, Amount: types.XEN}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	pay(0)
	if err := nodes[3].Close(); err != nil {
		t.Fatal(err)
	}
	last := pay(0)
	start(3, peers[:3])
	c := openClient(t, nodes[3].RPC(), g)
	blocks, err := c.FollowFrom(ctx, last.Height)
	if err != nil {
		t.Fatal(err)
	}
	if block, ok := <-blocks; !ok || len(block.Txs) != 1 || block.Txs[0].Tx.ID() != last.Tx {
		t.Errorf("the node that was down has %+v", block)
	}
	for i, c := range append(clients[:3:3], c) {
		if got, _, err := c.Account(ctx, to); err != nil || got.Balance != 2*types.XEN {
			t.Errorf("node %d: payee has %s (%v)", i, got.Balance, err)
		}
	}
}
