package engine

import (
	"errors"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
)

// committer journals the ends of attempts, many at a time: one sync of the blob
// store and one transaction for all that waits. It makes a success durable
// before anybody hears of it.
type committer struct {
	run   *run
	queue chan pending
	done  chan struct{}
}

type pending struct {
	ended ended
	then  func(error)
}

const (
	maxPending = 1024
	// Where at least crowd tasks run, a batch waits this long for company: their
	// slots are free already, and a commit costs as much as several tasks.
	crowd     = 4
	gatherFor = 3 * time.Millisecond
)

func newCommitter(r *run) *committer {
	c := &committer{run: r, queue: make(chan pending, maxPending), done: make(chan struct{})}
	go c.main()
	return c
}

// add queues an end; then is called once, when it is durable or cannot be.
func (c *committer) add(e ended, then func(error)) { c.queue <- pending{e, then} }

// stop commits what waits and ends; nothing may be added any more.
func (c *committer) stop() {
	close(c.queue)
	<-c.done
}

func (c *committer) main() {
	defer close(c.done)
	for first := range c.queue {
		batch := []pending{first}
		if c.run.running.Load() >= crowd {
			time.Sleep(gatherFor)
		}
	drain:
		for len(batch) < maxPending {
			select {
			case p, ok := <-c.queue:
				if !ok {
					break drain
				}
				batch = append(batch, p)
			default:
				break drain
			}
		}
		c.write(batch)
	}
}

func (c *committer) write(batch []pending) {
	var err error
	ends := make([]journal.End, len(batch))
	sync := false
	for i, p := range batch {
		ends[i] = p.ended.End
		sync = sync || p.ended.sync
	}
	if sync {
		err = c.run.e.blobs.Sync()
	}
	errs := make([]error, len(batch))
	if err == nil {
		errs = c.run.e.journal.EndAttempts(ends)
	}
	for i, p := range batch {
		one := errs[i]
		if err != nil {
			one = err
		}
		if one != nil && !errors.Is(one, journal.ErrOrder) {
			c.run.die(one)
		}
		p.then(one)
	}
}

func durationOf(ns uint64) time.Duration { return time.Duration(min(ns, 1<<62)) }
