package schedule

import (
	"time"

	"github.com/zennet/zennet/provider/protocol"
)

// over is the failed end of an attempt that runs: the task goes on with the one
// that races it, or later, or has failed for good.
//
//	class                 counts      again where
//	exit                  yes         attempts are left and Never does not hold the code
//	collect, timeout,     yes         attempts are left
//	start
//	memory, pids, disk    yes         attempts are left, once, and then alone in its slot
//	stage, provider       no          fewer than 10 such ends
//	killed                no          always, if nobody asked for it as a lost provider; once the
//	                                  job stops, it waits for the job's next run
//	any, final            —           never
func (m *machine) over(out []Effect, i, try int, class string, code int, final bool) []Effect {
	t := &m.tasks[i]
	a := *t.attempt(try)
	provider := ""
	if s := m.slots[a.slot]; s != nil {
		provider = s.provider
	}
	v := Verdict{Task: i, Try: try, Class: class}
	alive := t.rival != nil // another attempt runs on
	if alive {
		m.quit(i, a)
	} else {
		m.drop(i)
	}
	if m.stopping != nil && (a.killed || class == protocol.ClassProvider || class == protocol.ClassKilled) {
		if !alive {
			m.shelve(i)
		}
		return append(out, v)
	}
	var wait time.Duration
	switch class {
	case protocol.ClassProvider, protocol.ClassStage, protocol.ClassKilled:
		t.lost++
		v.Final = t.lost > maxLost
		if class != protocol.ClassProvider {
			wait = pause(t.lost)
		}
	case protocol.ClassMemory, protocol.ClassPids, protocol.ClassDisk:
		t.spent++
		t.hard++
		t.alone = true
		v.Final = t.hard >= maxHard || t.spent >= m.params.Attempts
		wait = pause(t.spent)
	default:
		t.spent++
		v.Final = t.spent >= m.params.Attempts || class == protocol.ClassExit && m.params.forbids(code)
		wait = pause(t.spent)
	}
	if v.Final = v.Final || final; v.Final && !alive {
		m.fail(i)
		return append(out, v)
	}
	v.Final = false
	if provider != "" && !t.avoids(provider) {
		t.avoid = append(t.avoid, provider)
	}
	if alive || !m.shelve(i) {
		return append(out, v)
	}
	v.Retry = m.now + wait
	m.delay.push(delayed{v.Retry, i})
	m.due()
	return append(out, v)
}

// shelve puts a task whose attempt has ended aside for its next one; false where
// what it needs was lost meanwhile: it waits for that, or is blocked.
func (m *machine) shelve(i int) bool {
	t := &m.tasks[i]
	t.phase = backoff
	return !m.damaged || m.await(i)
}

func (p Params) forbids(code int) bool {
	for _, r := range p.Never {
		if r.From <= code && code <= r.To {
			return true
		}
	}
	return false
}

// pause is how long a task waits after its nth failure.
func pause(n int) time.Duration {
	d := firstBackoff
	for ; n > 1 && d < mostBackoff; n-- {
		d *= 2
	}
	return min(d, mostBackoff)
}
