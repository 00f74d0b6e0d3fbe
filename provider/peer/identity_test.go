package peer

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/zennet/zennet/ledger/types"
)

func key(t testing.TB, seed byte) types.PrivateKey {
	t.Helper()
	k, err := types.KeyFromBytes(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// An identity and an account are the same key (PROTOCOL.md 1.3).
func TestIdentityIsTheAccount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, err := types.KeyFromBytes(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "scalar"))
		if err != nil {
			t.Skip(err)
		}
		id, err := ID(k.Address())
		if err != nil {
			t.Fatal(err)
		}
		priv, err := identity(k)
		if err != nil {
			t.Fatal(err)
		}
		own, err := peer.IDFromPrivateKey(priv)
		if err != nil || own != id {
			t.Fatalf("the key's own id is %s, the address's %s (%v)", own, id, err)
		}
		addr, err := Address(id)
		if err != nil || addr != k.Address() {
			t.Fatalf("got %s, want %s (%v)", addr, k.Address(), err)
		}
	})
}

func TestForeignIdentitiesAreRefused(t *testing.T) {
	_, edwards, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, rsa, err := crypto.GenerateRSAKeyPair(2048, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	addr := key(t, 7).Address()
	odd, err := crypto.UnmarshalSecp256k1PublicKey(append([]byte{3}, addr[:]...))
	if err != nil {
		t.Fatal(err)
	}
	for name, pub := range map[string]crypto.PubKey{"ed25519": edwards, "rsa": rsa, "odd Y": odd} {
		id, err := peer.IDFromPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Address(id); !errors.Is(err, ErrIdentity) {
			t.Errorf("%s: got %v, want ErrIdentity", name, err)
		}
	}
	for name, id := range map[string]peer.ID{"empty": "", "noise": "\x00\x03abc"} {
		if _, err := Address(id); !errors.Is(err, ErrIdentity) {
			t.Errorf("%s: got %v, want ErrIdentity", name, err)
		}
	}
	if _, err := ID(types.Address(bytes.Repeat([]byte{0xff}, 32))); !errors.Is(err, ErrIdentity) {
		t.Errorf("no point: got %v, want ErrIdentity", err)
	}
	if _, err := New(types.PrivateKey{}, nil); !errors.Is(err, ErrIdentity) {
		t.Errorf("no key: got %v, want ErrIdentity", err)
	}
}

// FuzzAddress: what is taken for an account is spelled one way.
func FuzzAddress(f *testing.F) {
	id, err := ID(key(f, 1).Address())
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(id))
	f.Add([]byte{0, 37, 8, 2, 18, 33, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		addr, err := Address(peer.ID(data))
		if err != nil {
			return
		}
		if again, err := ID(addr); err != nil || string(again) != string(data) {
			t.Fatalf("%x is accepted, but spelled %x (%v)", data, again, err)
		}
	})
}
