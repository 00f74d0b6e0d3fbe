package worker

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/provider/protocol"
)

// What a full volume and the limit of processes look like in the messages of the
// C library, of shells and of language runtimes.
var (
	diskSigns = []string{"no space left on device", "disk quota exceeded", "enospc", "errno 28"}
	pidsSigns = []string{"fork: retry", "cannot fork", "can't fork", "fork failed", "unable to fork", "failed to fork", "fork: resource temporarily unavailable",
		"can't start new thread", "cannot create thread", "unable to create thread", "failed to create new os thread", "unable to create native thread",
		"pthread_create", "thread creation failed", "vfork: resource temporarily unavailable", "clone: resource temporarily unavailable", "no more processes"}
	memorySigns = []string{"cannot allocate memory", "out of memory", "memoryerror", "std::bad_alloc", "unable to allocate"}
)

// fullBytes and fullFiles are the free rest below which a volume counts as full.
const (
	fullBytes = 256 << 10
	fullFiles = 4
)

// classify tells why a task that ran did not succeed: the class, and a sentence
// that gives the reason first, then the program's own last words. It is only
// asked where the exit code is not 0 or the task was ended.
func classify(f facts, timeoutSeconds uint32, pids uint64) (class, message string) {
	end := fmt.Sprintf("exit code %d", f.status.ExitStatus())
	if f.status.Signaled() {
		end = fmt.Sprintf("killed by signal %d (%s)", f.status.Signal(), unix.SignalName(f.status.Signal()))
	}
	lines := strings.FieldsFunc(f.stderr, func(r rune) bool { return r == '\n' || r == '\r' })
	words := "" // the line that tells most: the one with a sign, else the last
	if len(lines) > 0 {
		words = lines[len(lines)-1]
	}
	signs := func(list []string) bool {
		for _, line := range lines {
			for _, sign := range list {
				if strings.Contains(strings.ToLower(line), sign) {
					words = line
					return true
				}
			}
		}
		return false
	}
	killed := f.status.Signaled() && f.status.Signal() == syscall.SIGKILL || f.status.ExitStatus() == 128+int(syscall.SIGKILL)
	switch {
	case f.why.ended == protocol.ClassTimeout:
		class, message = protocol.ClassTimeout, fmt.Sprintf("ran longer than %d s: %s after TERM", timeoutSeconds, end)
		if f.why.hard {
			message = fmt.Sprintf("ran longer than %d s, and did not end within %d s of TERM", timeoutSeconds, f.why.grace)
		}
	case f.why.ended == protocol.ClassKilled:
		class, message = protocol.ClassKilled, "killed by the publisher: "+end
	case f.why.ended == protocol.ClassStage:
		return protocol.ClassStage, f.why.words
	case f.limits.memoryKills > 0 && killed:
		class, message = protocol.ClassMemory, "killed at the memory limit"
	case f.limits.memoryKills > 0:
		class, message = protocol.ClassMemory, fmt.Sprintf("one of its processes was killed at the memory limit: %s", end)
	case signs(diskSigns) || f.limits.known && (f.limits.freeBytes < fullBytes || f.limits.freeFiles < fullFiles):
		class, message = protocol.ClassDisk, "the scratch disk is full: "+end
	case signs(pidsSigns) || f.limits.refusedForks > 0 || pids > 0 && f.limits.processes+2 >= pids+workerThreads:
		class, message = protocol.ClassPids, fmt.Sprintf("ran into the limit of %d processes: %s", pids, end)
	case signs(memorySigns):
		class, message = protocol.ClassMemory, "could not get memory: "+end
	default:
		class, message = protocol.ClassExit, end
	}
	if words != "" {
		message += ": " + words
	}
	return class, sentence(message)
}

// classifyError tells the class of a task that did not come to run, or whose
// outputs could not be taken.
func classifyError(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return protocol.ClassDisk
	case errors.Is(err, ErrStage):
		return protocol.ClassStage
	case errors.Is(err, ErrStart) && errors.Is(err, syscall.EAGAIN):
		return protocol.ClassPids
	case errors.Is(err, ErrStart) && errors.Is(err, syscall.ENOMEM):
		return protocol.ClassMemory
	case errors.Is(err, ErrStart):
		return protocol.ClassStart
	}
	return protocol.ClassCollect
}

// explain fills in the class and the sentence of an error.
func explain(out *protocol.Exited, err error) {
	out.Class, out.Message = classifyError(err), sentence(err.Error())
	if out.Class == protocol.ClassDisk {
		out.Message = sentence("the scratch disk is full: " + err.Error())
	}
}

// maxMessage bounds an Exited's message, in bytes.
const maxMessage = 600

// sentence makes one bounded line of UTF-8 of what may hold anything.
func sentence(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	if len(text) > maxMessage {
		cut := maxMessage
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return text
}
