package contract

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

var allPhases = []Phase{Idle, Matched, Announced, Capabilities, Negotiating, Channel, Confirmed, Provisioning, Ready, Active, Suspended, Closing, Closed, Failed}

// The tables: what they do not name is refused; every phase is reached from the
// first and leads to an end; a phase with a channel never fails, it closes.
func TestTables(t *testing.T) {
	for name, c := range map[string]struct {
		table map[Phase][]Phase
		first Phase
	}{"provider": {providerTable, Idle}, "publisher": {publisherTable, Announced}} {
		reached := map[Phase]bool{c.first: true}
		for range allPhases {
			for from, list := range c.table {
				if reached[from] {
					for _, to := range list {
						reached[to] = true
					}
				}
			}
		}
		for _, from := range allPhases {
			if len(c.table[from]) > 0 && !reached[from] {
				t.Errorf("%s: %s is never reached", name, from)
			}
			if reached[from] && len(c.table[from]) == 0 != from.Ended() {
				t.Errorf("%s: %s leads to %v", name, from, c.table[from])
			}
			for _, to := range allPhases {
				if err := move(c.table, from, to); errors.Is(err, ErrTransition) == slices.Contains(c.table[from], to) {
					t.Errorf("%s: %s to %s: %v", name, from, to, err)
				}
			}
		}
		for _, funded := range []Phase{Confirmed, Provisioning, Ready, Active, Suspended, Closing} {
			if slices.Contains(c.table[funded], Failed) {
				t.Errorf("%s: %s may fail although money is locked", name, funded)
			}
		}
	}
}

// Every phase that waits for somebody has a bound (PROTOCOL.md 1, "a named
// timeout for every state").
func TestEveryPhaseHasABound(t *testing.T) {
	p := DefaultParams()
	for _, phase := range []Phase{Matched, Announced, Capabilities, Negotiating, Channel, Confirmed, Provisioning, Closing} {
		if p.timeout(phase) <= 0 {
			t.Errorf("%s has no timeout", phase)
		}
		p.TimeoutSeconds = map[Phase]uint32{phase: 7}
		if p.timeout(phase) != 7*second {
			t.Errorf("%s: the timeout of Params does not count", phase)
		}
	}
	for _, s := range []ProviderState{{Phase: Matched}, {Phase: Capabilities}, {Phase: Negotiating}, {Phase: Channel}, {Phase: Provisioning}} {
		s.phaseAt = 5
		if (Provider{Params: p}).Deadline(s) == 0 {
			t.Errorf("provider in %s waits for ever", s.Phase)
		}
	}
	for _, s := range []PublisherState{{Phase: Announced}, {Phase: Capabilities}, {Phase: Negotiating}, {Phase: Confirmed}} {
		s.phaseAt = 5
		if (Publisher{Params: p}).Deadline(s) == 0 {
			t.Errorf("publisher in %s waits for ever", s.Phase)
		}
	}
}

// The transcripts show every transition of both tables (some pass through
// confirmed in one step).
func TestTranscriptsShowEveryTransition(t *testing.T) {
	files, err := filepath.Glob("testdata/transcript/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	seen := map[string]bool{}
	line := regexp.MustCompile(`(?m)^ *[0-9.]+ ([AB]) (\S+) -> (\S+)$`)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range line.FindAllStringSubmatch(string(text), -1) {
			seen[m[1]+" "+m[2]+" "+m[3]] = true
		}
	}
	// Through two transitions in one step.
	seen["B channel confirmed"] = seen["B channel provisioning"]
	seen["B confirmed provisioning"] = seen["B channel provisioning"]
	unshown := map[string]bool{
		"B idle failed":         true, // an operator's change of mind
		"B confirmed closing":   true, // never left waiting there: confirmed leads on at once
		"A channel closing":     true, // only by way of confirmed
		"B matched failed":      true, // nobody answers the dial
		"B capabilities failed": true, // told in TestTimeouts
		"A announced failed":    true,
		"A capabilities failed": true,
	}
	for who, table := range map[string]map[Phase][]Phase{"A": publisherTable, "B": providerTable} {
		for from, list := range table {
			for _, to := range list {
				name := who + " " + string(from) + " " + string(to)
				if !seen[name] && !unshown[name] {
					t.Errorf("no transcript shows %s", name)
				}
			}
		}
	}
}
