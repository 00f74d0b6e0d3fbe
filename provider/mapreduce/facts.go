package mapreduce

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/provider/mapreduce/process"
)

const (
	ourCounters = 50      // places kept for our own counters
	namesBytes  = 3 << 20 // of the user's counters, as JSON
)

// facts are counted while a task runs.
type facts struct {
	began time.Time
	cpu   time.Duration // of this process, at the start

	mu       sync.Mutex
	counters map[[2]string]int64
	users    int // counters of the user's
	names    int // bytes of their names
	dropped  int // reports of others, which are too many
	status   string
	times    map[string]process.Usage
	teller   *teller // of statuses; may be nil
}

func newFacts() *facts {
	return &facts{began: time.Now(), cpu: ownCPU(), counters: map[[2]string]int64{}, times: map[string]process.Usage{}}
}

// add adds to a counter of our own.
func (f *facts) add(group, name string, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counters[[2]string{group, name}] += n
}

// count adds to a counter of the framework's.
func (f *facts) count(name string, n int64) { f.add(mapreduce.GroupFramework, name, n) }

// took adds to the time of a part.
func (f *facts) took(part string, u process.Usage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.times[part]
	t.Wall += u.Wall
	t.CPU += u.CPU
	f.times[part] = t
}

// report takes what a program of the user's reports.
func (f *facts) report(s streaming.Said) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.Kind == streaming.ReportStatus {
		f.status = strings.ToValidUTF8(s.Text[:min(len(s.Text), 4*mapreduce.MaxCounter)], "")
		if f.teller != nil {
			f.teller.say(f.status)
		}
		return
	}
	at := [2]string{s.Group, s.Name}
	if _, known := f.counters[at]; !known {
		size := quoted(s.Group) + quoted(s.Name)
		if f.users >= mapreduce.MaxCounters-ourCounters || f.names+size > namesBytes ||
			len(s.Group) > mapreduce.MaxCounter || len(s.Name) > mapreduce.MaxCounter {
			f.dropped++
			return
		}
		f.users++
		f.names += size
	}
	f.counters[at] += s.Value
}

// quoted is the size of a text in JSON, with what stands around it in facts.json.
func quoted(s string) int {
	data, _ := json.Marshal(s)
	return len(data) + 32
}

// save keeps what is counted so far, so that what a trial counts can be forgotten.
func (f *facts) save() (restore func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	counters := make(map[[2]string]int64, len(f.counters))
	for k, v := range f.counters {
		counters[k] = v
	}
	users, names, dropped, status := f.users, f.names, f.dropped, f.status
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.counters, f.users, f.names, f.dropped, f.status = counters, users, names, dropped, status
	}
}

// writeFacts writes facts.json.
func (a *attempt) writeFacts() error {
	f := a.facts
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dropped > 0 {
		fmt.Fprintf(a.Log, "mapreduce: %d reports of counters were dropped: there are too many counters, or their names are too long (at most %d, of %d bytes, %d in all)\n",
			f.dropped, mapreduce.MaxCounters-ourCounters, mapreduce.MaxCounter, namesBytes)
	}
	out := mapreduce.Facts{Kind: a.task.Kind, Number: a.task.Number, Wall: int64(time.Since(f.began)), Status: f.status}
	for at, n := range f.counters {
		out.Counters = append(out.Counters, mapreduce.Counter{Group: at[0], Name: at[1], Value: n})
	}
	sort.Slice(out.Counters, func(i, j int) bool {
		a, b := out.Counters[i], out.Counters[j]
		return a.Group < b.Group || a.Group == b.Group && a.Name < b.Name
	})
	for part, u := range f.times {
		out.Times = append(out.Times, mapreduce.Time{Part: part, Wall: int64(u.Wall), CPU: int64(u.CPU)})
	}
	sort.Slice(out.Times, func(i, j int) bool { return out.Times[i].Part < out.Times[j].Part })
	data, err := out.Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(a.path(mapreduce.FactsFile), data, 0o644)
}

// rest gives the processor time of this process that no part has yet to a part.
func (f *facts) rest(part string) {
	f.mu.Lock()
	own := ownCPU() - f.cpu
	for name, u := range f.times {
		if name != mapreduce.PartUser {
			own -= u.CPU
		}
	}
	f.mu.Unlock()
	f.took(part, process.Usage{CPU: max(0, own)})
}

// ownCPU is the processor time that this process has taken, all of its threads.
func ownCPU() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// stopwatch measures wall and processor time of a part that runs alone.
type stopwatch struct {
	wall time.Time
	cpu  time.Duration
}

func startWatch() stopwatch { return stopwatch{time.Now(), ownCPU()} }

func (s stopwatch) usage() process.Usage {
	return process.Usage{Wall: time.Since(s.wall), CPU: ownCPU() - s.cpu}
}
