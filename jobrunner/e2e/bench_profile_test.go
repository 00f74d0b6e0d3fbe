package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// cpuParts are what the time of a network's process goes into besides containers;
// a sample belongs to the first whose name is on its stack.
var cpuParts = []struct {
	name  string
	names []string // of functions
}{
	{"hashing", []string{"sha256."}},
	{"encryption", []string{"crypto/tls.", "noise."}},
	{"HDFS", []string{"colinmarc/hdfs", "files/hdfs."}},
	{"storing", []string{"provider/blob."}},
	{"ledger and journal", []string{"cometbft/", "cosmos/", "secp256k1", "sqlite", "zennet/ledger/", "provider/contract."}},
	{"garbage collection", []string{"runtime.gcBgMarkWorker", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcAssist"}},
	{"streams", []string{"yamux", "libp2p", "provider/worker", "provider/agent.", "provider/protocol."}},
	{"rest", []string{""}},
}

// profile measures where the CPU time of the network's process goes until the returned
// function is called, which gives a line for people.
func (b mapReduceBench) profile() (done func() string) {
	ctx, cancel := context.WithCancel(context.Background())
	var taken []*profile.Profile
	var failed error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil && failed == nil { // second by second: how long it takes is not known
			var p *profile.Profile
			if p, failed = fetchProfile(b.url + "?seconds=1"); failed == nil {
				taken = append(taken, p)
			}
		}
	}()
	return func() string {
		cancel()
		<-ended
		all, err := profile.Merge(taken)
		if failed != nil || err != nil {
			b.t.Fatal("profile: ", failed, err)
		}
		return sumProfile(all)
	}
}

func fetchProfile(url string) (*profile.Profile, error) {
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	return profile.Parse(bytes.NewReader(data))
}

func sumProfile(p *profile.Profile) string {
	sums := map[string]time.Duration{}
	for _, s := range p.Sample {
		sums[partOf(s)] += time.Duration(s.Value[len(s.Value)-1])
	}
	var out []string
	for _, part := range cpuParts {
		out = append(out, fmt.Sprintf("%s %.2f", part.name, sums[part.name].Seconds()))
	}
	return "CPU seconds of publisher, providers and ledger (one process): " + strings.Join(out, ", ") + "\n"
}

func partOf(s *profile.Sample) string {
	for _, part := range cpuParts {
		for _, at := range s.Location {
			for _, line := range at.Line {
				for _, name := range part.names {
					if line.Function != nil && strings.Contains(line.Function.Name, name) {
						return part.name
					}
				}
			}
		}
	}
	return "rest"
}
