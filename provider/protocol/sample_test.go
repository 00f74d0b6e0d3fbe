package protocol

import (
	"bytes"
	"testing"

	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
)

func hash(b byte) types.Hash { return types.Hash(bytes.Repeat([]byte{b}, 32)) }

func address(t testing.TB, b byte) types.Address {
	k, err := types.KeyFromBytes(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k.Address()
}

func spec() Spec {
	return Spec{MilliCPU: 1000, Memory: 512 << 20, Disk: 1 << 30, Pids: 256, Image: "host", Programs: []string{"gmx"}}
}

func terms() Terms {
	return Terms{Rates: pricing.Rates{pricing.CPUUser: {NXEN: 5, Per: 3600}}, MaxRate: 1000, IntervalSeconds: 2,
		GraceSeconds: 4, TolerancePPM: 50_000, Deposit: 100, Expiry: 1_800_000_000}
}

func ann() Ann {
	return Ann{Spec: spec(), Count: 4, Addrs: []string{"/ip4/127.0.0.1/tcp/4001"}, LeaseSeconds: 600, IntervalSeconds: 2, Deadline: 1_800_000_000}
}

func report() UsageReport {
	return UsageReport{Channel: hash(1), Seq: 2, TimeNS: 7, Usage: pricing.Usage{pricing.CPUUser: 9}, Bill: 3, Before: hash(2)}
}

func paid() Paid {
	agreed := pricing.Usage{pricing.CPUUser: 9}
	return Paid{Voucher: channel.Voucher{Channel: hash(1), Seq: 1, Amount: 3, UsageHash: AgreedHash(agreed)}, Agreed: agreed, Answers: 2}
}

func exited() Exited {
	return Exited{ID: "t.1", Class: ClassExit, Message: "exit 3", Code: 3, Usage: pricing.Usage{pricing.CPUUser: 9},
		Stdout: Stream{Size: 2, Hash: hash(3), Inline: []byte("hi")}, Files: 1, Bytes: 1, Tree: hash(4), Manifest: []byte{1}, Inline: [][]byte{{7}}}
}

// valid is one valid message of every kind, by its number on the wire.
func valid(t testing.TB) map[uint8]Message {
	u, p, e := report(), paid(), exited()
	contract := Contract{Ledger: hash(9), Publisher: address(t, 1), Provider: address(t, 2), Spec: spec(), Terms: terms()}
	return map[uint8]Message{
		1: &Capabilities{Announcement: hash(5), Cores: 2, Memory: 1 << 30, Disk: 1 << 30, Machine: "a machine", Programs: map[string]string{"gmx": "2022.5"},
			Benchmarks: []Benchmark{{Name: "float", WallNS: 1, Usage: pricing.Usage{pricing.CPUUser: 1}, Price: 4}}, Rates: terms().Rates, MaxRate: 900, Slots: 2},
		2: &Offer{Contract: contract}, 3: &Counter{Terms: terms()}, 4: &Accept{Contract: hash(1)}, 5: &Reject{Reason: "no"},
		6: &Opened{Channel: hash(1), Tx: hash(2), Height: 3}, 7: &Ready{}, 8: &u, 9: &p, 10: &TopUpNotice{Tx: hash(1), Height: 3},
		11: &State{Frozen: true, Reason: "no voucher"}, 12: &Bye{Reason: "done"}, 13: &Closed{Tx: hash(1), Height: 3, Claim: 7},
		14: &Resume{Contract: hash(1), Usage: &u, Paid: &p}, 15: &Drop{Reason: "lost"}, 16: &StreamHeader{Contract: hash(1)},
		17: &Pull{From: address(t, 2), Addrs: []string{"/ip4/127.0.0.1/tcp/1"}, Ticket: Ticket{Contract: hash(1), Reader: address(t, 1), Expires: 9},
			Files: []PullFile{{Task: "t.1", Path: "seg/00000", Size: ChunkSize + 1, Chunks: []types.Hash{hash(1), hash(2)}}}},
		18: &Pulled{Bytes: 5, Done: true},
		32: &WorkerHello{Version: 1, Purpose: PurposeControl}, 33: &Greeting{Version: 1, Tasks: []TaskInfo{{ID: "t.1", Exited: &e}}},
		34: &Run{ID: "t.1", Command: []string{"sh", "-c", "true"}, Env: map[string]string{"A": "b"}, Inputs: []Mount{{Path: "a/b", Tree: hash(1), Pieces: true}, {Path: "c", Small: []byte("x"), Mode: 0o644},
			{Path: "d", Task: "t.2", From: "e/f"}},
			Collect: []string{"out/**"}, Checkpoint: []string{"state.*"}, TimeoutSeconds: 1, GraceSeconds: 1, Stdin: true},
		35: &Started{ID: "t.1"}, 36: &e, 37: &Kill{ID: "t.1", GraceSeconds: 10}, 38: &Release{ID: "t.1"}, 39: &Measure{Seq: 1},
		40: &Reading{Seq: 1, TimeNS: 5, Usage: pricing.Usage{pricing.CPUUser: 1}}, 41: &Logs{ID: "t.1", Follow: true},
		42: &Fetch{ID: "t.1", Path: "a/b", Length: 100}, 43: &Data{Bytes: []byte("abc")},
		44: &Feed{ID: "t.1", From: 7}, 45: &Fed{Offset: 7, End: FedFailed, Error: "no"}, 46: &FeedEnd{Size: 7, Hash: hash(6), Error: "gone"},
		47: &FeedBlob{Hash: hash(6), Size: 7},
		48: &Have{Chunks: []types.Hash{hash(1), hash(2)}, Cache: true}, 49: &Missing{Indexes: []uint32{0, 1}}, 50: &Chunk{Data: []byte("abc")}, 51: &Stored{},
		56: &Said{ID: "t.1", Text: "half of it"},
	}
}
