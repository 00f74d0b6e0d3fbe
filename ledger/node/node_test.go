package node_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/node"
	"github.com/zennet/zennet/ledger/types"
)

func newKey(t testing.TB) types.PrivateKey {
	t.Helper()
	key, err := types.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newGenesis makes a genesis whose delegates live in the homes, and one funded key.
func newGenesis(t testing.TB, homes ...string) (chain.Genesis, types.PrivateKey) {
	t.Helper()
	funded := newKey(t)
	g := chain.Genesis{
		Params:   chain.DevParams(),
		Time:     time.Now().Unix(),
		Random:   types.HashOf("test", []byte(t.Name())),
		Accounts: []chain.GenesisAccount{{Address: funded.Address(), Amount: 1000 * types.XEN}},
	}
	for i, home := range homes {
		consensus, err := node.ConsensusKey(home)
		if err != nil {
			t.Fatal(err)
		}
		delegate := newKey(t).Address()
		g.Accounts = append(g.Accounts, chain.GenesisAccount{Address: delegate, Amount: 10 * types.XEN})
		g.Delegates = append(g.Delegates, chain.GenesisDelegate{Address: delegate, ConsensusKey: consensus, Name: fmt.Sprint("delegate ", i)})
	}
	return g, funded
}

func openClient(t testing.TB, rpc string, g chain.Genesis) *client.Client {
	t.Helper()
	c, err := client.Open(t.Context(), client.Config{RPC: rpc, Genesis: g})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestMain is also the node that TestKill kills: a process of its own.
func TestMain(m *testing.M) {
	home := os.Getenv("ZENNET_TEST_NODE")
	if home == "" {
		os.Exit(m.Run())
	}
	g, err := node.LoadGenesis(filepath.Join(home, "genesis.json"))
	if err == nil {
		var n *node.Node
		n, err = node.Start(context.Background(), node.Config{Home: home, RPC: "127.0.0.1:0", Genesis: g, Check: true})
		if err == nil {
			fmt.Println(n.RPC())
			_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends, if it does not kill us first
			err = n.Close()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// spawn runs a node in a child process and returns its URL.
func spawn(t *testing.T, home string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ZENNET_TEST_NODE="+home)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("node did not start: %v: %s", err, &stderr)
	}
	return cmd, strings.TrimSpace(url)
}

// TestKill kills a node with SIGKILL, again and again in the middle of its work.
// What a client saw final is there after each restart, nothing is there twice,
// and all money is somewhere.
func TestKill(t *testing.T) {
	home := t.TempDir()
	g, payer := newGenesis(t, home)
	if err := node.SaveGenesis(filepath.Join(home, "genesis.json"), g); err != nil {
		t.Fatal(err)
	}
	payee := g.Accounts[1].Address
	final := map[types.Hash]client.Receipt{}
	var unknown []chain.Tx
	for round := range 8 {
		cmd, url := spawn(t, home)
		c, err := client.Open(t.Context(), client.Config{RPC: url, Genesis: g})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var all sync.WaitGroup
		for _, tx := range unknown { // sent before the kill, or not: now they settle, in any order
			all.Go(func() {
				r, err := c.Broadcast(t.Context(), tx)
				mu.Lock()
				defer mu.Unlock()
				if final[r.Tx] = r; err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		all.Wait()
		unknown = nil
		for id, was := range final {
			if _, height, err := c.Tx(t.Context(), id); err != nil || height != was.Height {
				t.Fatalf("round %d: final transaction at %d, was at %d (%v)", round, height, was.Height, err)
			}
		}
		if round == 7 {
			got, _, err := c.Account(t.Context(), payee)
			if want := types.Amount(10*types.XEN - g.Params.Bond + types.Amount(len(final))*types.XEN); err != nil || got.Balance < want || got.Balance > want+types.XEN/100 {
				t.Errorf("payee has %s, want %s and its share of fees (%v)", got.Balance, want, err)
			}
			s, err := c.Supply(t.Context())
			if err != nil || s.Balances+s.Deposits+s.PrepaidFees+s.Bonds+s.Burned != s.Genesis {
				t.Errorf("supply %+v (%v)", s, err)
			}
			c.Close()
			break
		}
		// Five submit one after another; the kill falls anywhere.
		ctx, cancel := context.WithCancel(t.Context())
		for range 5 {
			all.Go(func() {
				for ctx.Err() == nil {
					tx, err := c.Prepare(ctx, payer, chain.Body{Transfer: &chain.Transfer{To: payee, Amount: types.XEN}})
					if err != nil {
						return
					}
					r, err := c.Broadcast(ctx, tx)
					mu.Lock()
					if err == nil {
						final[r.Tx] = r
					} else {
						unknown = append(unknown, tx)
					}
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(40+37*round) * time.Millisecond) // the kill must not wait for any event
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		cancel()
		all.Wait()
		c.Close()
	}
	if len(final) < 8 {
		t.Errorf("only %d transactions", len(final))
	}
	t.Logf("%d transactions final", len(final))
}

func TestStartErrors(t *testing.T) {
	home := t.TempDir()
	g, _ := newGenesis(t, home)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	n, err := node.Start(ctx, node.Config{Home: home, RPC: "127.0.0.1:0", Genesis: g})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Start(ctx, node.Config{Home: home, RPC: "127.0.0.1:0", Genesis: g}); !errors.Is(err, node.ErrConfig) {
		t.Errorf("second node in one home: %v", err)
	}
	other := t.TempDir()
	g2, _ := newGenesis(t, other)
	taken := strings.TrimPrefix(n.RPC(), "http://")
	if _, err := node.Start(ctx, node.Config{Home: other, RPC: taken, Genesis: g2}); !errors.Is(err, node.ErrConfig) {
		t.Errorf("port that is taken: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if err := n.Close(); err != nil {
		t.Error("second close:", err)
	}
	if _, err := node.Start(ctx, node.Config{Home: home, RPC: "127.0.0.1:0", Genesis: g2}); !errors.Is(err, node.ErrGenesis) {
		t.Errorf("another ledger in the home: %v", err)
	}
	if _, err := node.Start(ctx, node.Config{Home: home, Genesis: g}); !errors.Is(err, node.ErrConfig) {
		t.Errorf("no RPC address: %v", err)
	}
	if _, err := node.Start(ctx, node.Config{Home: home, RPC: "127.0.0.1:0"}); !errors.Is(err, chain.ErrGenesis) {
		t.Errorf("no genesis: %v", err)
	}
	key := filepath.Join(home, "config", "priv_validator_key.json")
	if err := os.WriteFile(key, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Start(ctx, node.Config{Home: home, RPC: "127.0.0.1:0", Genesis: g}); !errors.Is(err, node.ErrKey) {
		t.Errorf("bad key: %v", err)
	}
}

// TestBounds sends what no client sends.
func TestBounds(t *testing.T) {
	home := t.TempDir()
	g, _ := newGenesis(t, home)
	n, err := node.Start(t.Context(), node.Config{Home: home, RPC: "127.0.0.1:0", Genesis: g})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	post := func(body string) string {
		resp, err := http.Post(n.RPC(), "application/json", strings.NewReader(body))
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		data, _ := io.ReadAll(resp.Body)
		return resp.Status + " " + string(data)
	}
	for _, c := range []struct{ name, body, want string }{
		{"garbage", "{", "error"},
		{"large", `{"jsonrpc":"2.0","id":1,"method":"zennet_value","params":{"key":"` + strings.Repeat("A", 1<<20) + `"}}`, "too large"},
		{"long key", `{"jsonrpc":"2.0","id":1,"method":"zennet_value","params":{"key":"` + strings.Repeat("A", 1000) + `","height":"0"}}`, "has no proof"},
		{"derived key", `{"jsonrpc":"2.0","id":1,"method":"zennet_value","params":{"key":"aA==","height":"0"}}`, "has no proof"},
		{"height to come", `{"jsonrpc":"2.0","id":1,"method":"zennet_value","params":{"key":"YQ==","height":"9999"}}`, "cannot be proven yet"},
		{"negative height", `{"jsonrpc":"2.0","id":1,"method":"zennet_value","params":{"key":"YQ==","height":"-1"}}`, "cannot be proven yet"},
		{"all prefixes", `{"jsonrpc":"2.0","id":1,"method":"zennet_values","params":{"prefix":"","after":"","limit":"1","height":"0"}}`, "prefix of 0 bytes"},
		{"short id", `{"jsonrpc":"2.0","id":1,"method":"zennet_tx","params":{"id":"AAAA"}}`, "id of 3 bytes"},
		{"subscription", `{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"query":"tm.event='NewBlock'"}}`, "Method not found"},
		{"control", `{"jsonrpc":"2.0","id":1,"method":"unsafe_flush_mempool","params":{}}`, "Method not found"},
		{"not a transaction", `{"jsonrpc":"2.0","id":1,"method":"broadcast_tx_sync","params":{"tx":"AAAA"}}`, "not a valid transaction"},
		{"engine's query", `{"jsonrpc":"2.0","id":1,"method":"abci_query","params":{"path":"/nothing","data":"","height":"0","prove":false}}`, "there is /key"},
		{"head", `{"jsonrpc":"2.0","id":1,"method":"zennet_head","params":{"after":"-5","wait_ms":"-5"}}`, `"height"`},
	} {
		if got := post(c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s: %.300s", c.name, got)
		}
	}
}

func TestGenesisFile(t *testing.T) {
	home := t.TempDir()
	g, _ := newGenesis(t, home)
	path := filepath.Join(home, "genesis.json")
	if err := node.SaveGenesis(path, g); err != nil {
		t.Fatal(err)
	}
	got, err := node.LoadGenesis(path)
	if err != nil || got.LedgerID() != g.LedgerID() {
		t.Errorf("ledger %s (%v): %s", got.LedgerID(), err, cmp.Diff(g, got))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(string) string
		want   error
	}{
		{"unknown key", func(s string) string { return strings.Replace(s, `"time"`, `"tiem"`, 1) }, node.ErrGenesis},
		{"text behind", func(s string) string { return s + "{}" }, node.ErrGenesis},
		{"half", func(s string) string { return s[:len(s)/2] }, node.ErrGenesis},
		{"nobody", func(s string) string { return "{}" }, chain.ErrGenesis},
	} {
		if _, err := node.DecodeGenesis([]byte(c.change(string(data)))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzDecodeGenesis(f *testing.F) {
	f.Add([]byte(`{"params":{},"time":1}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if g, err := node.DecodeGenesis(data); err == nil && g.Validate() != nil {
			t.Error("accepted a genesis that is not valid")
		}
	})
}
