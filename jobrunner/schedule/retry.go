package schedule

import (
	"time"

	"github.com/zennet/zennet/provider/protocol"
)

// over is the failed end of the attempt that runs: the task goes on later or
// has failed for good.
//
//	class                 counts      again where
//	exit                  yes         attempts are left and Never does not hold the code
//	collect, timeout,     yes         attempts are left
//	start
//	memory, pids, disk    yes         attempts are left, once, and then alone in its slot
//	stage, provider       no          fewer than 10 such ends
//	killed                no          always, if nobody asked for it as a lost provider; once the
//	                                  job stops, it waits for the job's next run
func (m *machine) over(out []Effect, i int, class string, code int) []Effect {
	t := &m.tasks[i]
	provider := ""
	if s := m.slots[t.slot]; s != nil {
		provider = s.provider
	}
	m.drop(i)
	v := Verdict{Task: i, Try: t.try, Class: class}
	if m.stopping != nil && (t.killed || class == protocol.ClassProvider || class == protocol.ClassKilled) {
		t.phase = backoff
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
	if v.Final {
		m.fail(i)
		return append(out, v)
	}
	if provider != "" && !t.avoids(provider) {
		t.avoid = append(t.avoid, provider)
	}
	v.Retry = m.now + wait
	t.phase = backoff
	m.delay.push(delayed{v.Retry, i})
	m.due()
	return append(out, v)
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
