package contract

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/zennet/zennet/ledger/types"
)

// TestTranscripts plays the protocol traces of testdata/transcript. A line is: seconds
// since the start, who (A publisher, B provider), what. The commands:
//
//	lease [interval=S] [grace=S] [load=M] [lie=P] …   a world; B answers A's announcement
//	run for=D        let virtual time pass
//	do WHAT          one thing happens (see act)
//	sum              who has what at the end
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcript", func(t *testing.T, path string) {
		var s *sim
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if s != nil {
				s.t = t
				s.trace.Reset()
			}
			switch d.Cmd {
			case "lease":
				s = newSim(t, scanConfig(t, d))
				s.meet()
			case "run":
				s.run(scanDuration(t, d, "for"))
			case "do":
				act(t, s, d)
			case "sum":
				return s.sum()
			default:
				d.Fatalf(t, "unknown command %s", d.Cmd)
			}
			if s.trace.Len() == 0 {
				return "(nothing)\n"
			}
			return s.trace.String()
		})
	})
}

func scanDuration(t *testing.T, d *datadriven.TestData, key string) int64 {
	var text string
	d.ScanArgs(t, key, &text)
	v, err := time.ParseDuration(text)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	return int64(v)
}

func scanConfig(t *testing.T, d *datadriven.TestData) simConfig {
	var c simConfig
	c.load = 500
	for _, arg := range d.CmdArgs {
		var n int64
		if len(arg.Vals) == 1 {
			arg.Scan(t, 0, &n)
		}
		switch arg.Key {
		case "interval":
			c.interval = int32(n)
		case "grace":
			c.grace = uint32(n)
		case "load":
			c.load = n
		case "lie":
			c.lie = n
		case "holdback":
			c.holdback = types.Amount(n)
		case "lease":
			c.lease = n
		case "topup":
			c.topUp = uint32(n)
		case "extend":
			c.extend = uint32(n)
		case "limit":
			c.limit = types.Amount(n)
		case "reserve":
			c.reserve = uint32(n)
		case "deposit":
			c.deposit = types.Amount(n)
		case "margin":
			c.margin = uint32(n)
		case "maxrate":
			c.maxFactor = n
		default:
			d.Fatalf(t, "unknown argument %s", arg.Key)
		}
	}
	return c
}

// act is one thing that happens to the world.
func act(t *testing.T, s *sim, d *datadriven.TestData) {
	words := make([]string, len(d.CmdArgs))
	for i, a := range d.CmdArgs {
		words[i] = a.String()
	}
	switch what := strings.Join(words, " "); what {
	case "publisher leaves":
		s.a.step(Leave{At: s.at(), Reason: "job done"})
	case "publisher leaves and forfeits":
		s.a.step(Leave{At: s.at(), Reason: "wrong result", Forfeit: true})
	case "provider leaves":
		s.b.step(Leave{At: s.at(), Reason: "maintenance"})
	case "publisher stops paying":
		s.a.stingy = true
	case "publisher pays again":
		s.a.stingy = false
	case "publisher has no money":
		s.a.poor = true
	case "publisher has money":
		s.a.poor = false
	case "publisher crashes":
		s.a.crash()
	case "provider crashes":
		s.b.crash()
	case "provider vanishes":
		s.b.up, s.cut, s.punctual = false, true, false
		s.unlink("no route")
	case "publisher vanishes":
		s.a.up, s.cut = false, true
		s.unlink("no route")
	case "containers do not start":
		s.b.broken = true
	case "containers hang":
		s.b.hangs = true
	case "images take a minute":
		s.b.unpacks = 60 * second
	case "images take long":
		s.b.unpacks = 600 * second
	case "worker is silent":
		s.a.blind = true
	case "worker answers":
		s.a.blind = false
	case "provider is back":
		s.cut = false
		s.b.restart()
	case "link is cut":
		s.cut = true
		s.unlink("no route")
	case "link is back":
		s.cut = false
	case "container exits":
		s.c.set(false, false)
		s.b.step(Exited{At: s.at(), Reason: "out of memory"})
	case "ledger stops":
		s.l.stopped = true
	case "ledger goes on":
		s.l.stopped = false
	case "container is killed while the provider crashes":
		s.b.crash()
		s.c.set(false, false)
	default:
		if len(words) == 2 && words[0] == "load" {
			s.c.update()
			if _, err := fmt.Sscan(words[1], &s.c.load); err != nil {
				d.Fatalf(t, "%v", err)
			}
			return
		}
		d.Fatalf(t, "unknown act %q", what)
	}
}

// sum tells how a lease stands on both sides and on the ledger.
func (s *sim) sum() string {
	var b strings.Builder
	fmt.Fprintf(&b, "A %s: paid %d of a bill of %d, strikes %d\n", s.a.state.Phase, s.a.state.Paid(), s.a.state.Bill(), s.a.state.Record.Strikes)
	fmt.Fprintf(&b, "B %s: best voucher %d, bill %d, worth %d\n", s.b.state.Phase, s.b.state.Best(), s.b.state.Bill, s.c.worth())
	id := s.a.state.Record.Channel
	if c, open := s.l.chain.Channel(id); open {
		fmt.Fprintf(&b, "ledger: channel open, deposit %d\n", c.Deposit)
	} else if k, ok := s.l.chain.Settlement(id); ok {
		fmt.Fprintf(&b, "ledger: claim %d, back to A %d, refund %v\n", k.Claim, k.Deposit-k.Claim, k.Refund)
	} else {
		fmt.Fprintf(&b, "ledger: no channel\n")
	}
	return b.String()
}
