package plan

import (
	"fmt"
	"path"
	"strings"
)

// Bounds of what a task streams and delivers.
const (
	maxParts     = 10_000 // of one task's standard input
	maxDelimiter = 64 << 10
	maxDelivery  = 1000 // bytes of a delivery's name
)

// checkStreams holds what Check says of Stdin, Deliver, Facts and Keep. delivered
// are the names in the output folder that are taken, by task.
func (t Task) checkStreams(output string, delivered map[string]string) error {
	if len(t.Stdin) > maxParts {
		return fmt.Errorf("standard input of %d parts, at most %d", len(t.Stdin), maxParts)
	}
	for _, p := range t.Stdin {
		if err := p.check(); err != nil {
			return fmt.Errorf("standard input: %q from %d: %w", p.File, p.Offset, err)
		}
	}
	if t.Facts != "" && !local(t.Facts) {
		return fmt.Errorf("facts %q leave the scratch folder", t.Facts)
	}
	switch {
	case t.Keep && (t.Publish || t.Report):
		return fmt.Errorf("files that only feed other tasks are published")
	case len(t.Deliver) > 0 && output == "":
		return fmt.Errorf("delivers, but the graph has no output folder")
	}
	for _, d := range t.Deliver {
		switch {
		case !local(d.From):
			return fmt.Errorf("delivery %q leaves the scratch folder", d.From)
		case d.Name == ".":
			continue
		case !local(d.Name) || len(d.Name) > maxDelivery || d.Name == "_SUCCESS":
			return fmt.Errorf("delivery as %q is no name in the output folder", d.Name)
		}
		if other, ok := delivered[d.Name]; ok {
			return fmt.Errorf("and %s both deliver %s", other, d.Name)
		}
		delivered[d.Name] = t.Name
	}
	return nil
}

// check says what is wrong with a part.
func (p Part) check() error {
	switch {
	case p.File == "" || strings.ContainsRune(p.File, 0):
		return fmt.Errorf("no file")
	case p.Size < 0 || p.Offset < 0 || p.Length < 0 || p.Limit < 0:
		return fmt.Errorf("size %d, length %d, limit %d", p.Size, p.Length, p.Limit)
	case p.Length > p.Size || p.Offset > p.Size-p.Length:
		return fmt.Errorf("%d bytes are not in a file of %d", p.Length, p.Size)
	case p.Whole && (p.Offset != 0 || p.Length != p.Size):
		return fmt.Errorf("the whole file of %d bytes has %d", p.Size, p.Length)
	case p.Whole && (p.Codec != "" || p.Lead || len(p.Delimiter) > 0):
		return fmt.Errorf("records of a file that is streamed as it is")
	case len(p.Delimiter) > maxDelimiter:
		return fmt.Errorf("a delimiter of %d bytes, at most %d", len(p.Delimiter), maxDelimiter)
	}
	return nil
}

// local says that a path is clean, relative and stays where it starts.
func local(name string) bool {
	return name != "" && name != "." && path.Clean(name) == name && !path.IsAbs(name) && name != ".." && !strings.HasPrefix(name, "../") &&
		!strings.ContainsAny(name, "\x00\n")
}
