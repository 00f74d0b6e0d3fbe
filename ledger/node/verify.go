package node

import (
	"crypto/sha256"
	"runtime"
	"sync"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"golang.org/x/sync/errgroup"
)

// maxVerified bounds the signatures whose validity is remembered, twice.
const maxVerified = 1 << 15

// verifier checks each signature once: a transaction's when it enters the
// mempool, and not again when it is proposed and executed. Only valid ones are
// remembered. It is safe for concurrent use.
type verifier struct {
	mu         sync.Mutex
	young, old map[[32]byte]struct{} // two generations; the old one is dropped whole
}

func newVerifier() *verifier {
	return &verifier{young: map[[32]byte]struct{}{}, old: map[[32]byte]struct{}{}}
}

// verify gives what types.Verify gives.
func (v *verifier) verify(by types.Address, kind string, ledger types.Hash, body []byte, sig types.Signature) error {
	h := sha256.New()
	h.Write(by[:])
	h.Write(ledger[:])
	h.Write(sig[:])
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write(body)
	name := [32]byte(h.Sum(nil))
	if v.known(name) {
		return nil
	}
	if err := types.Verify(by, kind, ledger, body, sig); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.young) >= maxVerified {
		v.old, v.young = v.young, make(map[[32]byte]struct{}, maxVerified)
	}
	v.young[name] = struct{}{}
	return nil
}

func (v *verifier) known(name [32]byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.young[name]; ok {
		return true
	}
	_, ok := v.old[name]
	return ok
}

// warm verifies the signatures of transactions on all cores, so that executing
// them one after another finds them known. Bad ones are found again then.
func (v *verifier) warm(ledger types.Hash, txs []*chain.Tx) {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, tx := range txs {
		if tx == nil {
			continue
		}
		group.Go(func() error {
			_ = v.verify(tx.Body.From, "tx", ledger, types.Encode(tx.Body), tx.Sig)
			return nil
		})
	}
	_ = group.Wait()
}
