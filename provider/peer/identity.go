package peer

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	pb "github.com/libp2p/go-libp2p/core/crypto/pb"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/zennet/zennet/ledger/types"
)

// evenY is the first byte of a compressed point whose Y is even.
const evenY = 2

// ID is the libp2p name of an account: the identity multihash of its compressed
// key 02‖x. An address that is no point of the curve is ErrIdentity.
func ID(addr types.Address) (peer.ID, error) {
	pub, err := crypto.UnmarshalSecp256k1PublicKey(append([]byte{evenY}, addr[:]...))
	if err != nil {
		return "", fmt.Errorf("%w: %x: %v", ErrIdentity, addr[:], err)
	}
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("%w: %s: %v", ErrIdentity, addr, err)
	}
	return id, nil
}

// Address is the account of a peer. A peer whose key is of another kind or has
// odd Y is ErrIdentity; so is a second spelling of an identity.
func Address(id peer.ID) (types.Address, error) {
	var addr types.Address
	pub, err := id.ExtractPublicKey()
	if err != nil {
		return addr, fmt.Errorf("%w: %s holds no key: %v", ErrIdentity, id, err)
	}
	if pub.Type() != pb.KeyType_Secp256k1 {
		return addr, fmt.Errorf("%w: %s has a %s key", ErrIdentity, id, pub.Type())
	}
	raw, err := pub.Raw()
	if err != nil || len(raw) != 33 {
		return addr, fmt.Errorf("%w: %s has a key of %d bytes", ErrIdentity, id, len(raw))
	}
	if raw[0] != evenY {
		return addr, fmt.Errorf("%w: the key of %s has odd Y", ErrIdentity, id)
	}
	copy(addr[:], raw[1:])
	if again, err := ID(addr); err != nil || again != id {
		return types.Address{}, fmt.Errorf("%w: %s has another spelling", ErrIdentity, id)
	}
	return addr, nil
}

// identity is key as libp2p takes it.
func identity(key types.PrivateKey) (crypto.PrivKey, error) {
	if key.IsZero() {
		return nil, fmt.Errorf("%w: no key", ErrIdentity)
	}
	priv, err := crypto.UnmarshalSecp256k1PrivateKey(key.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrIdentity, err)
	}
	return priv, nil
}
