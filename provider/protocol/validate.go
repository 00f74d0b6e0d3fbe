package protocol

import (
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
)

// The bounds of what a peer may say. Every message that is read was checked
// against them before anybody else sees it.
const (
	MaxText     = 2048  // bytes of a sentence: reasons, errors
	MaxID       = 256   // bytes of a task's id
	MaxName     = 256   // bytes of an image's, machine's or benchmark's name, or a version
	MaxPrograms = 32    // programs of a Spec
	MaxSeconds  = 86400 // interval, grace
	MaxAnn      = 512   // bytes of an encoded Ann (1.1)
	maxPath     = 4096  // bytes
	maxList     = 65536 // entries of a list that has no narrower bound

	// MaxPrice bounds prices: 10¹⁸ nXEN, a thousand million XEN.
	MaxPrice = 1_000_000_000_000_000_000
)

// Sentence cuts a text to what a message may carry, on a rune's border, and
// makes it valid UTF-8.
func Sentence(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) <= MaxText {
		return s
	}
	cut := MaxText
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

// MaxLine is the most bytes of a Line.
const MaxLine = 255

// Line makes of a text one line that a terminal can show: spaces stand for all that
// cannot be printed, and it has at most MaxLine bytes.
func Line(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	for len(s) > MaxLine {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return strings.TrimSuffix(s, " ")
}

// DecodeAnn reads and validates the body of an announcement.
func DecodeAnn(body []byte) (Ann, error) {
	var a Ann
	if len(body) > MaxAnn {
		return a, fmt.Errorf("%w: announcement of %d bytes, at most %d", ErrTooLarge, len(body), MaxAnn)
	}
	if err := types.Decode(body, &a); err != nil {
		return a, err
	}
	return a, a.Validate()
}

// problems collects the first thing that is wrong.
type problems struct{ err error }

func (p *problems) check(ok bool, format string, args ...any) {
	if !ok && p.err == nil {
		p.err = fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
	}
}

func (p *problems) nested(what string, err error) {
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("%w: %s: %w", ErrInvalid, what, err)
	}
}

func (p *problems) text(what, s string) {
	p.check(len(s) <= MaxText, "%s of %d bytes, at most %d", what, len(s), MaxText)
}

// line is a Line.
func (p *problems) line(what, s string) {
	p.check(s == Line(s), "%s %.40q is no line of at most %d bytes", what, s, MaxLine)
}

// name is a text of 1 to most bytes without NUL.
func (p *problems) name(what, s string, most int) {
	p.check(s != "" && len(s) <= most && !strings.ContainsRune(s, 0), "%s %.40q must have 1 to %d bytes", what, s, most)
}

// path is slash-separated, clean, relative, inside its root; "." is the root.
func (p *problems) path(what, s string) {
	p.check(len(s) <= maxPath && fs.ValidPath(s) && !strings.ContainsRune(s, 0), "%s %.40q is no clean relative path", what, s)
}

func (p *problems) list(what string, n, most int) {
	p.check(n <= most, "%d %s, at most %d", n, what, most)
}

func (p *problems) hash(what string, h types.Hash) { p.check(!h.IsZero(), "no %s", what) }

func (p *problems) usage(u pricing.Usage) { p.nested("usage", u.Validate()) }

// Validate checks the bounds of 1.1.
func (a *Ann) Validate() error {
	p := &problems{}
	p.nested("spec", a.Spec.Validate())
	p.check(a.Count > 0, "no containers wanted")
	p.check(len(a.Addrs) > 0 && len(a.Addrs) <= 8, "%d addresses, want 1 to 8", len(a.Addrs))
	for _, addr := range a.Addrs {
		p.name("address", addr, 128)
	}
	p.check(a.LeaseSeconds > 0, "no lease time")
	p.interval(a.IntervalSeconds)
	p.check(a.MaxRate <= MaxPrice, "maxRate %d", a.MaxRate)
	p.check(a.Deadline > 0, "no deadline")
	p.check(len(a.Info) <= 128, "info of %d bytes, at most 128", len(a.Info))
	return p.err
}

func (p *problems) interval(seconds int32) {
	p.check(seconds != 0 && seconds >= -MaxSeconds && seconds <= MaxSeconds, "interval of %d s", seconds)
}

// Validate checks a container's bounds.
func (s *Spec) Validate() error {
	p := &problems{}
	p.check(s.MilliCPU > 0 && s.MilliCPU <= 1<<24, "cpu of %d thousandths", s.MilliCPU)
	p.check(s.Memory > 0 && s.Memory <= 1<<50, "memory of %d bytes", s.Memory)
	p.check(s.Disk <= 1<<50, "disk of %d bytes", s.Disk)
	p.check(s.Pids > 0 && s.Pids <= 1<<22, "%d processes", s.Pids)
	p.name("image", s.Image, MaxName)
	p.list("programs", len(s.Programs), MaxPrograms)
	seen := map[string]bool{}
	for _, name := range s.Programs {
		p.name("program", name, 64)
		p.check(!seen[name], "program %q twice", name)
		seen[name] = true
	}
	return p.err
}

func (m *Capabilities) Validate() error {
	p := &problems{}
	p.check(m.Cores > 0 && m.Cores <= 1<<16, "%d cores", m.Cores)
	p.check(m.Memory > 0 && m.Memory <= 1<<50, "memory of %d bytes", m.Memory)
	p.check(m.Disk <= 1<<50, "disk of %d bytes", m.Disk)
	p.check(len(m.Machine) <= MaxName, "machine of %d bytes", len(m.Machine))
	p.list("programs", len(m.Programs), MaxPrograms)
	for name, version := range m.Programs {
		p.name("program", name, 64)
		p.check(len(version) <= MaxName, "version of %s of %d bytes", name, len(version))
	}
	p.list("benchmarks", len(m.Benchmarks), 64)
	for _, b := range m.Benchmarks {
		p.name("benchmark", b.Name, 64)
		p.usage(b.Usage)
		p.check(b.Price <= MaxPrice, "price %d of benchmark %q", b.Price, b.Name)
	}
	p.rates(m.Rates)
	p.check(m.MaxRate <= MaxPrice, "maxRate %d", m.MaxRate)
	p.check(m.Slots > 0, "no slots")
	return p.err
}

func (p *problems) rates(r pricing.Rates) {
	p.nested("rates", r.Validate())
	for c, rate := range r {
		p.check(rate.NXEN <= MaxPrice, "rate %d of %s", rate.NXEN, c)
	}
}

// Validate checks the bounds of terms; whether they are acceptable is for the
// two sides.
func (t *Terms) Validate() error {
	p := &problems{}
	p.rates(t.Rates)
	p.check(t.MaxRate <= MaxPrice, "maxRate %d", t.MaxRate)
	p.interval(t.IntervalSeconds)
	p.check(t.GraceSeconds > 0 && t.GraceSeconds <= MaxSeconds, "grace of %d s", t.GraceSeconds)
	p.check(t.TolerancePPM <= 1_000_000, "tolerance of %d millionths", t.TolerancePPM)
	p.check(t.Holdback <= MaxPrice && t.Deposit <= MaxPrice, "holdback %d, deposit %d", t.Holdback, t.Deposit)
	p.check(t.Expiry > 0 && t.Expiry < 1<<33, "expiry at %d", t.Expiry)
	return p.err
}

// Validate checks a contract's bounds.
func (c *Contract) Validate() error {
	p := &problems{}
	p.hash("ledger", c.Ledger)
	p.check(!c.Publisher.IsZero() && !c.Provider.IsZero() && c.Publisher != c.Provider, "between %s and %s", c.Publisher.Short(), c.Provider.Short())
	p.nested("spec", c.Spec.Validate())
	p.nested("terms", c.Terms.Validate())
	return p.err
}

func (m *Offer) Validate() error   { return m.Contract.Validate() }
func (m *Counter) Validate() error { return m.Terms.Validate() }

func (m *Accept) Validate() error {
	p := &problems{}
	p.hash("contract", m.Contract)
	return p.err
}

func (m *Reject) Validate() error { return sentence(m.Reason) }

func sentence(s string) error {
	p := &problems{}
	p.text("reason", s)
	return p.err
}

func (m *Opened) Validate() error {
	p := &problems{}
	p.hash("channel", m.Channel)
	p.check(m.Height >= 0, "height %d", m.Height)
	return p.err
}

func (*Ready) Validate() error { return nil }

// Validate checks a report's form; its signature and sums are for the machines.
func (u *UsageReport) Validate() error {
	p := &problems{}
	p.hash("channel", u.Channel)
	p.check(u.Seq > 0, "no number")
	p.check(u.TimeNS > 0, "no time")
	p.usage(u.Usage)
	p.check((u.Seq == 1) == u.Before.IsZero(), "report %d with the report before being %s", u.Seq, u.Before.Short())
	p.list("commitments", len(u.Commits), 256)
	return p.err
}

func (m *Paid) Validate() error {
	p := &problems{}
	p.hash("channel", m.Voucher.Channel)
	p.check(m.Voucher.Seq > 0, "voucher without a number")
	p.usage(m.Agreed)
	p.check(m.Answers > 0, "no report is answered")
	return p.err
}

func (m *TopUpNotice) Validate() error {
	p := &problems{}
	p.check(m.Height >= 0, "height %d", m.Height)
	return p.err
}

func (m *State) Validate() error { return sentence(m.Reason) }
func (m *Bye) Validate() error   { return sentence(m.Reason) }
func (m *Drop) Validate() error  { return sentence(m.Reason) }

func (m *Closed) Validate() error {
	p := &problems{}
	p.check(m.Height >= 0, "height %d", m.Height)
	return p.err
}

func (m *Resume) Validate() error {
	p := &problems{}
	p.hash("contract", m.Contract)
	if m.Usage != nil {
		p.nested("usage report", m.Usage.Validate())
	}
	if m.Paid != nil {
		p.nested("payment", m.Paid.Validate())
	}
	return p.err
}

func (m *StreamHeader) Validate() error {
	p := &problems{}
	p.hash("contract", m.Contract)
	if m.Ticket != nil {
		p.nested("ticket", m.Ticket.Validate())
	}
	return p.err
}
