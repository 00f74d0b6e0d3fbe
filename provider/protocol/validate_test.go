package protocol

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
)

func measure() int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.TotalAlloc)
}

// mutated applies one mutation to the valid message of a kind.
func mutated[T any](t *testing.T, number uint8, change func(*T)) Message {
	m := any(valid(t)[number]).(*T)
	change(m)
	return any(m).(Message)
}

// Each case is one mutation of a valid message and must be ErrInvalid.
func TestBounds(t *testing.T) {
	long := strings.Repeat("x", MaxText+1)
	cases := map[string]Message{
		"capabilities: no cores":         mutated(t, 1, func(m *Capabilities) { m.Cores = 0 }),
		"capabilities: no memory":        mutated(t, 1, func(m *Capabilities) { m.Memory = 0 }),
		"capabilities: absurd disk":      mutated(t, 1, func(m *Capabilities) { m.Disk = 1 << 60 }),
		"capabilities: long machine":     mutated(t, 1, func(m *Capabilities) { m.Machine = long }),
		"capabilities: nameless program": mutated(t, 1, func(m *Capabilities) { m.Programs[""] = "1" }),
		"capabilities: long version":     mutated(t, 1, func(m *Capabilities) { m.Programs["gmx"] = long }),
		"capabilities: many benchmarks":  mutated(t, 1, func(m *Capabilities) { m.Benchmarks = make([]Benchmark, 65) }),
		"capabilities: odd counter":      mutated(t, 1, func(m *Capabilities) { m.Benchmarks[0].Usage["joules"] = 1 }),
		"capabilities: rate without per": mutated(t, 1, func(m *Capabilities) { m.Rates[pricing.CPUUser] = pricing.Rate{NXEN: 1} }),
		"capabilities: absurd rate":      mutated(t, 1, func(m *Capabilities) { m.Rates[pricing.CPUUser] = pricing.Rate{NXEN: 1 << 63, Per: 1} }),
		"capabilities: absurd maxRate":   mutated(t, 1, func(m *Capabilities) { m.MaxRate = MaxPrice + 1 }),
		"capabilities: no slots":         mutated(t, 1, func(m *Capabilities) { m.Slots = 0 }),

		"offer: no ledger":           mutated(t, 2, func(m *Offer) { m.Contract.Ledger = [32]byte{} }),
		"offer: with itself":         mutated(t, 2, func(m *Offer) { m.Contract.Provider = m.Contract.Publisher }),
		"offer: nobody":              mutated(t, 2, func(m *Offer) { m.Contract.Publisher = [32]byte{} }),
		"offer: no cpu":              mutated(t, 2, func(m *Offer) { m.Contract.Spec.MilliCPU = 0 }),
		"offer: no memory":           mutated(t, 2, func(m *Offer) { m.Contract.Spec.Memory = 0 }),
		"offer: no processes":        mutated(t, 2, func(m *Offer) { m.Contract.Spec.Pids = 0 }),
		"offer: no image":            mutated(t, 2, func(m *Offer) { m.Contract.Spec.Image = "" }),
		"offer: program twice":       mutated(t, 2, func(m *Offer) { m.Contract.Spec.Programs = []string{"a", "a"} }),
		"offer: many programs":       mutated(t, 2, func(m *Offer) { m.Contract.Spec.Programs = make([]string, MaxPrograms+1) }),
		"counter: no interval":       mutated(t, 3, func(m *Counter) { m.Terms.IntervalSeconds = 0 }),
		"counter: interval of years": mutated(t, 3, func(m *Counter) { m.Terms.IntervalSeconds = -1 << 31 }),
		"counter: no grace":          mutated(t, 3, func(m *Counter) { m.Terms.GraceSeconds = 0 }),
		"counter: tolerance":         mutated(t, 3, func(m *Counter) { m.Terms.TolerancePPM = 1_000_001 }),
		"counter: deposit":           mutated(t, 3, func(m *Counter) { m.Terms.Deposit = MaxPrice + 1 }),
		"counter: expiry":            mutated(t, 3, func(m *Counter) { m.Terms.Expiry = 1 << 40 }),

		"accept: no contract":     &Accept{},
		"reject: long":            &Reject{Reason: long},
		"opened: no channel":      mutated(t, 6, func(m *Opened) { m.Channel = [32]byte{} }),
		"opened: height":          mutated(t, 6, func(m *Opened) { m.Height = -1 }),
		"usage: no channel":       mutated(t, 8, func(m *UsageReport) { m.Channel = [32]byte{} }),
		"usage: no number":        mutated(t, 8, func(m *UsageReport) { m.Seq = 0 }),
		"usage: no time":          mutated(t, 8, func(m *UsageReport) { m.TimeNS = 0 }),
		"usage: odd counter":      mutated(t, 8, func(m *UsageReport) { m.Usage["joules"] = 1 }),
		"usage: nothing before":   mutated(t, 8, func(m *UsageReport) { m.Before = [32]byte{} }),
		"usage: first with one":   mutated(t, 8, func(m *UsageReport) { m.Seq = 1 }),
		"usage: many commitments": mutated(t, 8, func(m *UsageReport) { m.Commits = make([]types.Hash, 257) }),
		"paid: no channel":        mutated(t, 9, func(m *Paid) { m.Voucher.Channel = [32]byte{} }),
		"paid: no number":         mutated(t, 9, func(m *Paid) { m.Voucher.Seq = 0 }),
		"paid: odd counter":       mutated(t, 9, func(m *Paid) { m.Agreed["joules"] = 1 }),
		"paid: answers nothing":   mutated(t, 9, func(m *Paid) { m.Answers = 0 }),
		"top-up: height":          mutated(t, 10, func(m *TopUpNotice) { m.Height = -1 }),
		"state: long":             &State{Reason: long},
		"bye: long":               &Bye{Reason: long},
		"closed: height":          mutated(t, 13, func(m *Closed) { m.Height = -1 }),
		"resume: no contract":     mutated(t, 14, func(m *Resume) { m.Contract = [32]byte{} }),
		"resume: bad usage":       mutated(t, 14, func(m *Resume) { m.Usage.Seq = 0 }),
		"resume: bad payment":     mutated(t, 14, func(m *Resume) { m.Paid.Voucher.Seq = 0 }),
		"drop: long":              &Drop{Reason: long},
		"header: no contract":     &StreamHeader{},

		"hello: purpose":             mutated(t, 32, func(m *WorkerHello) { m.Purpose = "shell" }),
		"hello: version":             mutated(t, 32, func(m *WorkerHello) { m.Version = 0 }),
		"greeting: another's end":    mutated(t, 33, func(m *Greeting) { m.Tasks[0].ID = "t.2" }),
		"greeting: nameless":         mutated(t, 33, func(m *Greeting) { m.Tasks[0].ID = "" }),
		"run: nameless":              mutated(t, 34, func(m *Run) { m.ID = "" }),
		"run: no command":            mutated(t, 34, func(m *Run) { m.Command = nil }),
		"run: NUL":                   mutated(t, 34, func(m *Run) { m.Command[1] = "a\x00b" }),
		"run: variable":              mutated(t, 34, func(m *Run) { m.Env["A=B"] = "" }),
		"run: input leaves the tree": mutated(t, 34, func(m *Run) { m.Inputs[0].Path = "../x" }),
		"run: absolute input":        mutated(t, 34, func(m *Run) { m.Inputs[0].Path = "/etc/x" }),
		"run: input both":            mutated(t, 34, func(m *Run) { m.Inputs[0].Small = []byte("x") }),
		"run: pieces of a file":      mutated(t, 34, func(m *Run) { m.Inputs[1].Pieces = true }),
		"run: tree of a task":        mutated(t, 34, func(m *Run) { m.Inputs[0].Task, m.Inputs[0].From = "t.2", "a" }),
		"run: file of a task":        mutated(t, 34, func(m *Run) { m.Inputs[1].Task, m.Inputs[1].From = "t.2", "a" }),
		"run: task without a file":   mutated(t, 34, func(m *Run) { m.Inputs[2].From = "" }),
		"run: file without a task":   mutated(t, 34, func(m *Run) { m.Inputs[2].Task = "" }),
		"run: task's file is above":  mutated(t, 34, func(m *Run) { m.Inputs[2].From = "../a" }),
		"run: nameless file":         mutated(t, 34, func(m *Run) { m.Inputs[1].Path = "" }),
		"run: mode":                  mutated(t, 34, func(m *Run) { m.Inputs[1].Mode = 1 << 20 }),
		"run: empty pattern":         mutated(t, 34, func(m *Run) { m.Collect[0] = "" }),
		"started: nameless":          &Started{},
		"exited: class":              mutated(t, 36, func(m *Exited) { m.Class = ClassProvider }),
		"exited: long message":       mutated(t, 36, func(m *Exited) { m.Message = long }),
		"exited: stream":             mutated(t, 36, func(m *Exited) { m.Stdout.Size = 3 }),
		"exited: large stream":       mutated(t, 36, func(m *Exited) { m.Stdout = Stream{Size: 9000, Inline: make([]byte, 9000)} }),
		"exited: large manifest":     mutated(t, 36, func(m *Exited) { m.Manifest = make([]byte, 32<<10+1) }),
		"exited: hashless manifest":  mutated(t, 36, func(m *Exited) { m.Tree = [32]byte{} }),
		"exited: too many files":     mutated(t, 36, func(m *Exited) { m.Files = 0 }),
		"exited: large files":        mutated(t, 36, func(m *Exited) { m.Inline = [][]byte{make([]byte, 33<<10)} }),
		"kill: nameless":             &Kill{},
		"release: nameless":          &Release{},
		"reading: no time":           mutated(t, 40, func(m *Reading) { m.TimeNS = 0 }),
		"reading: odd counter":       mutated(t, 40, func(m *Reading) { m.Usage["joules"] = 1 }),
		"logs: nameless":             &Logs{},
		"fetch: what":                mutated(t, 42, func(m *Fetch) { m.What = 4 }),
		"fetch: leaves the tree":     mutated(t, 42, func(m *Fetch) { m.Path = "a/../../b" }),
		"fetch: path of stdout":      mutated(t, 42, func(m *Fetch) { m.What = FetchStdout }),
		"fetch: too much":            mutated(t, 42, func(m *Fetch) { m.Length = ChunkSize + 1 }),
		"data: too much":             &Data{Bytes: make([]byte, ChunkSize+1)},
		"feed: nameless":             mutated(t, 44, func(m *Feed) { m.ID = "" }),
		"fed: end":                   mutated(t, 45, func(m *Fed) { m.End = FedLacking + 1; m.Error = "" }),
		"fed: error without failure": mutated(t, 45, func(m *Fed) { m.End = FedWhole }),
		"fed: failure without error": mutated(t, 45, func(m *Fed) { m.Error = "" }),
		"fed: long":                  mutated(t, 45, func(m *Fed) { m.Error = long }),
		"feedend: long":              mutated(t, 46, func(m *FeedEnd) { m.Error = long }),
		"feedblob: nothing":          mutated(t, 47, func(m *FeedBlob) { m.Size = 0 }),
		"feedblob: beyond a chunk":   mutated(t, 47, func(m *FeedBlob) { m.Size = ChunkSize + 1 }),
		"feedblob: no name":          mutated(t, 47, func(m *FeedBlob) { m.Hash = types.Hash{} }),
		"said: nameless":             mutated(t, 56, func(m *Said) { m.ID = "" }),
		"said: control character":    mutated(t, 56, func(m *Said) { m.Text = "\x1b[31mred" }),
		"said: two lines":            mutated(t, 56, func(m *Said) { m.Text = "a\nb" }),
		"said: turned round":         mutated(t, 56, func(m *Said) { m.Text = "a\u202eb" }),
		"said: not UTF-8":            mutated(t, 56, func(m *Said) { m.Text = "a\xffb" }),
		"said: long":                 mutated(t, 56, func(m *Said) { m.Text = strings.Repeat("x", MaxLine+1) }),
		"have: too many":             &Have{Chunks: make([]types.Hash, MaxHave+1)},
		"missing: too many":          &Missing{Indexes: make([]uint32, MaxHave+1)},
		"chunk: too large":           &Chunk{Data: make([]byte, MaxManifest+1)},
		"stored: long":               &Stored{Error: long},
	}
	for name, m := range cases {
		if err := m.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	for number, m := range valid(t) {
		if err := m.Validate(); err != nil {
			t.Errorf("valid message %d: %v", number, err)
		}
	}
}

func TestAnn(t *testing.T) {
	for name, change := range map[string]func(*Ann){
		"no containers": func(a *Ann) { a.Count = 0 },
		"no address":    func(a *Ann) { a.Addrs = nil },
		"empty address": func(a *Ann) { a.Addrs = []string{""} },
		"no time":       func(a *Ann) { a.LeaseSeconds = 0 },
		"no interval":   func(a *Ann) { a.IntervalSeconds = 0 },
		"no deadline":   func(a *Ann) { a.Deadline = 0 },
		"long info":     func(a *Ann) { a.Info = strings.Repeat("x", 129) },
		"no image":      func(a *Ann) { a.Spec.Image = "" },
	} {
		a := ann()
		change(&a)
		if err := a.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}

func TestSentence(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("ä", MaxText), "bad \xff byte"} {
		if m := (&Bye{Reason: Sentence(s)}); m.Validate() != nil || !strings.HasPrefix(strings.ToValidUTF8(s, "�"), m.Reason) {
			t.Errorf("%.20q became %.20q", s, m.Reason)
		}
	}
}

// TestLine: whatever a program says, it can be told, and shown on a terminal.
func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		" 50 % of  part\t3 \n":           "50 % of part 3",
		"\x1b[2J\x07bell\x00":            "[2J bell",
		"\u202eevil\u2028line\u0085next": "evil line next",
		"größer \xff \ufffd ✓":           "größer ✓",
		strings.Repeat("ä", 200):         strings.Repeat("ä", 127),
		strings.Repeat("x", 254) + " y":  strings.Repeat("x", 254),
	} {
		got := Line(in)
		if m := (&Said{ID: "a", Text: got}); got != want || m.Validate() != nil {
			t.Errorf("%q became %q (%v), want %q", in, got, m.Validate(), want)
		}
	}
}
