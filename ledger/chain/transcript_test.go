package chain

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
)

// TestTranscripts plays blocks on the test genesis and prints what they do.
//
//	block [after=seconds] [missed=(d1,…)] [double=(d1,…)]
//	alice transfer bob 5 XEN
//
// An input line is: who, what, arguments. "channel" means the last one opened.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		w := newWorld(t)
		play := &transcript{world: w}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "block":
				return play.block(t, d)
			case "show":
				return play.show(strings.Fields(d.Input))
			}
			t.Fatalf("%s: no such command %q", d.Pos, d.Cmd)
			return ""
		})
	})
}

type transcript struct {
	*world
	channel types.Hash // the last one opened
	ann     types.Hash // the last one announced
}

func (p *transcript) block(t *testing.T, d *datadriven.TestData) string {
	info := BlockInfo{Height: p.Height() + 1, Time: p.Time() + 1, Proposer: validatorOf("d0")}
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "after":
			var seconds int64
			arg.Scan(t, 0, &seconds)
			info.Time = p.Time() + seconds
		case "missed":
			absent(arg.Vals...)(&info)
		case "double":
			convict(arg.Vals...)(&info)
		}
	}
	var out strings.Builder
	p.BeginBlock(info)
	p.check()
	for _, line := range strings.Split(d.Input, "\n") {
		if line == "" {
			continue
		}
		who, b := p.parse(t, strings.Fields(line))
		tx := p.tx(who, b)
		if b.Open != nil {
			p.channel = ChannelID(p.Ledger(), tx.Body.From, tx.Body.Nonce)
		}
		if b.Announce != nil {
			p.ann = tx.ID()
		}
		r := p.Apply(&tx)
		p.check()
		verdict := map[uint32]string{CodeOK: "ok", CodeFailed: "failed", CodeRejected: "rejected"}[r.Code]
		fmt.Fprintf(&out, "%s: %s", line, verdict)
		if r.Fee > 0 {
			fmt.Fprintf(&out, ", fee %d nXEN", uint64(r.Fee))
		}
		if r.Log != "" {
			fmt.Fprintf(&out, ": %s", p.words(r.Log))
		}
		fmt.Fprintln(&out)
	}
	for _, u := range p.EndBlock() {
		for _, name := range people {
			if slices.Equal(u.ConsensusKey, consensusPub(name)) {
				fmt.Fprintf(&out, "engine: %s has power %d\n", name, u.Power)
			}
		}
	}
	p.check()
	return fmt.Sprintf("height %d, time +%d\n%s", p.Height(), p.Time()-startTime, out.String())
}

// words replaces keys and ids by names.
func (p *transcript) words(text string) string {
	for _, name := range people {
		text = strings.ReplaceAll(text, addr(name).Short(), name)
	}
	return strings.ReplaceAll(text, p.channel.Short(), "channel")
}

func (p *transcript) parse(t *testing.T, f []string) (string, Body) {
	amount := func(i int) types.Amount {
		a, err := types.ParseAmount(f[i] + f[i+1])
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	seconds := func(i int) int64 {
		var n int64
		if _, err := fmt.Sscan(f[i], &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	switch f[1] {
	case "transfer": // who transfer to amount
		return f[0], Body{Transfer: &Transfer{addr(f[2]), amount(3)}}
	case "open": // who open payee deposit expiry-from-start
		return f[0], Body{Open: &Open{addr(f[2]), types.Hash{7}, amount(3), startTime + seconds(5)}}
	case "topup": // who topup amount expiry-from-start
		return f[0], Body{TopUp: &TopUp{p.channel, amount(2), startTime + seconds(4)}}
	case "close": // who close claim voucher-amount
		v := channel.Voucher{Channel: p.channel, Seq: 1, Amount: amount(4)}.Sign(newKey("alice"), p.Ledger())
		return f[0], Body{Close: &Close{p.channel, amount(2), &v}}
	case "refund":
		return f[0], Body{Refund: &Refund{p.channel}}
	case "announce": // who announce lifetime text
		return f[0], Body{Announce: &Announce{[]byte(f[3]), uint32(seconds(2))}}
	case "withdraw":
		return f[0], Body{Withdraw: &Withdraw{p.ann}}
	case "receipt": // who receipt verdict expiry-from-start
		return f[0], Body{Receipt: &Receipt{p.channel, types.Hash{8}, Verdict(f[2]), startTime + seconds(3)}}
	case "register":
		return f[0], Body{Register: register(p.world, f[0], f[0])}
	case "resign":
		return f[0], Body{Resign: &Resign{}}
	case "unjail":
		return f[0], Body{Unjail: &Unjail{}}
	case "vote":
		return f[0], Body{Vote: &Vote{sorted(f[2:]...)}}
	}
	t.Fatalf("no such transaction: %q", f)
	return "", Body{}
}

func (p *transcript) show(what []string) string {
	var out strings.Builder
	for _, name := range what {
		switch name {
		case "supply":
			s := p.Supply()
			fmt.Fprintf(&out, "supply: balances %s, deposits %s, prepaid %s, bonds %s, burned %s, genesis %s\n",
				s.Balances, s.Deposits, s.PrepaidFees, s.Bonds, s.Burned, s.Genesis)
		case "channel":
			c, open := p.Channel(p.channel)
			left, closed := p.Settlement(p.channel)
			r, received := p.Receipt(p.channel)
			switch {
			case open:
				fmt.Fprintf(&out, "channel: deposit %s, expiry +%d\n", c.Deposit, c.Expiry-startTime)
			case closed:
				fmt.Fprintf(&out, "channel: closed, claim %s of %s, refund %t\n", left.Claim, left.Deposit, left.Refund)
			case received:
				fmt.Fprintf(&out, "channel: closed, claim %s, receipt %s\n", r.Claim, r.Receipt.Verdict)
			default:
				fmt.Fprintf(&out, "channel: unknown\n")
			}
		case "set":
			fmt.Fprintf(&out, "set: in force %s, next %s\n", p.seated(p.head.Set), p.seated(p.head.Next))
		case "announcements":
			for _, a := range p.Announcements() {
				fmt.Fprintf(&out, "announcement: %q until +%d\n", a.Body, a.Expiry-startTime)
			}
		default:
			if d, ok := p.Delegate(addr(name)); ok {
				fmt.Fprintf(&out, "%s: weight %s, bond %s, jailed %t, resigned %t, banned %t\n", name, d.Weight, d.Bond, d.Jailed, d.Resigned, d.Banned)
			} else {
				acc := p.Account(addr(name))
				fmt.Fprintf(&out, "%s: balance %s, nonce %d\n", name, acc.Balance, acc.Nonce)
			}
		}
	}
	return out.String()
}
