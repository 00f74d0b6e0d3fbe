package process

import (
	"bufio"
	"bytes"
	"io"

	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

// longestReport is what a line on stderr may have at most to be a report; a longer
// one is log.
const longestReport = 64 << 10

// listen reads the program's stderr: what it reports, and its log.
func (r *running) listen() {
	in := bufio.NewReaderSize(&complaints{r}, longestReport)
	for start := true; ; {
		piece, err := in.ReadSlice('\n')
		r.hear(piece, start && err != bufio.ErrBufferFull)
		start = err == nil
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}

// hear takes a line of stderr, or a part of one that is too long. A CR ends a line too.
func (r *running) hear(piece []byte, whole bool) {
	for len(piece) > 0 {
		line := piece
		if i := bytes.IndexByte(piece, '\r'); i >= 0 && whole {
			if line = piece[:i+1]; i+1 < len(piece) && piece[i+1] == '\n' {
				line = piece[:i+2]
			}
		}
		piece = piece[len(line):]
		if !whole || len(r.Prefix) > 0 && !bytes.HasPrefix(line, []byte(r.Prefix)) {
			r.log(line)
			continue
		}
		said := streaming.Report(bytes.TrimRight(line, "\r\n"), r.Prefix)
		switch said.Kind {
		case streaming.ReportCounter, streaming.ReportStatus:
			if r.Report != nil {
				r.Report(said)
			}
		case streaming.ReportMalformed:
			r.log([]byte(said.Text + "\n"))
		default:
			r.log(line)
		}
	}
}

// log passes on what is log; where it cannot be written, it is lost.
func (r *running) log(line []byte) {
	if r.Log != nil {
		_, _ = r.Log.Write(line)
	}
}

// complaints reads stderr. Who writes there is not silent.
type complaints struct{ r *running }

// Read implements io.Reader.
func (e *complaints) Read(p []byte) (int, error) {
	n, err := e.r.stderr.Read(p)
	if n > 0 {
		e.r.clock.touch()
	} else if err != nil {
		err = io.EOF
	}
	return n, err
}
