package contract

// timer is one deadline of a state and what happens then.
type timer[R any] struct {
	at  int64 // Unix ns; 0 = not set
	run func(R) error
}

// earliest is the first of the timers that are set.
func earliest[R any](timers []timer[R]) (timer[R], bool) {
	var best timer[R]
	for _, t := range timers {
		if t.at != 0 && (best.at == 0 || t.at < best.at) {
			best = t
		}
	}
	return best, best.at != 0
}

// maxTimers bounds the deadlines that one Tick runs; each moves or clears its own.
const maxTimers = 32
