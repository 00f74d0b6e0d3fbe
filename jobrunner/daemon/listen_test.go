package daemon

import (
	"crypto/rand"
	"slices"
	"testing"

	"github.com/zennet/zennet/jobrunner/home"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/peer"
)

// TestListen finds the same port again, and leaves it where another place is asked for.
func TestListen(t *testing.T) {
	key, err := types.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h := home.Home{Dir: t.TempDir()}
	at := func(addr string) []string {
		t.Helper()
		host, err := listen(h, key, []string{addr})
		if err != nil {
			t.Fatal(err)
		}
		defer host.Close()
		return peer.Addrs(host)
	}
	first := at("/ip4/127.0.0.1/tcp/0")
	if again := at("/ip4/127.0.0.1/tcp/0"); !slices.Equal(again, first) {
		t.Errorf("second time at %q, not %q", again, first)
	}
	if moved := at("/ip4/127.0.0.2/tcp/0"); len(moved) != 1 || moved[0][:len("/ip4/127.0.0.2/")] != "/ip4/127.0.0.2/" {
		t.Errorf("asked for 127.0.0.2, listens at %q", moved)
	}
}
