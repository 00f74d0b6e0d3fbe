package mapreduce

import (
	"errors"
	"fmt"
	"io"

	"github.com/zennet/zennet/jobs/mapreduce/record"
)

// Cuts reads a file of a job whose maps get n lines each (Resolve: Input.Lines)
// and returns the positions behind every n lines (LF, CRLF and
// a lone CR end one, as in NLineInputFormat), without the file's own end: what
// spec.Found.Cuts holds. More than most are ErrJob.
func Cuts(r io.Reader, n, most int) ([]int64, error) {
	lines := record.NewReader(r, nil, 0)
	var out []int64
	for count := 0; ; count++ {
		_, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if count > 0 && count%n == 0 {
			if len(out) == most {
				return nil, fmt.Errorf("%w: more than %d times %d lines", ErrJob, most, n)
			}
			out = append(out, lines.Offset())
		}
	}
}
