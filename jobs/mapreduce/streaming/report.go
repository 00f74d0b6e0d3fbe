package streaming

import (
	"strconv"
	"strings"
)

// ReportKind says what a line on a process's stderr is.
type ReportKind int

const (
	// ReportLog is a line for the log.
	ReportLog ReportKind = iota
	// ReportCounter adds Value to counter Name of Group.
	ReportCounter
	// ReportStatus sets the task's status to Text.
	ReportStatus
	// ReportMalformed begins with the prefix, but says nothing that is understood; Text
	// says why. It changes nothing.
	ReportMalformed
)

// Said is what one line on stderr says.
type Said struct {
	Kind        ReportKind
	Group, Name string
	Value       int64
	Text        string
}

// Report reads one line of stderr, without its end (LF, CRLF or CR), as Hadoop
// does: prefix ("reporter:") followed by counter:GROUP,NAME,N or status:TEXT.
func Report(line []byte, prefix string) Said {
	text := string(javaText(line))
	if !strings.HasPrefix(text, prefix) {
		return Said{Kind: ReportLog, Text: text}
	}
	if rest, ok := strings.CutPrefix(text, prefix+"counter:"); ok {
		// Java's split drops empty columns at the end.
		columns := strings.Split(strings.TrimRight(trim(rest), ","), ",")
		if len(columns) != 3 {
			return Said{Kind: ReportMalformed, Text: "cannot parse counter line: " + text}
		}
		n, err := strconv.ParseInt(columns[2], 10, 64)
		if err != nil {
			return Said{Kind: ReportMalformed, Text: "cannot parse counter increment '" + columns[2] + "' from line: " + text}
		}
		return Said{Kind: ReportCounter, Group: columns[0], Name: columns[1], Value: n}
	}
	if rest, ok := strings.CutPrefix(text, prefix+"status:"); ok {
		return Said{Kind: ReportStatus, Text: trim(rest)}
	}
	return Said{Kind: ReportMalformed, Text: "cannot parse reporter line: " + text}
}

// trim is Java's String.trim: control characters and spaces.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}
