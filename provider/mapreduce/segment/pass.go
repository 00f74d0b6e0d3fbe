package segment

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Input names a segment: a part of a file, or a run that is in memory.
type Input struct {
	Path         string
	Offset, Size int64 // Size −1: the whole file
	Memory       Source
}

// Options bound a merge.
type Options struct {
	Compare Compare
	Memory  int64  // bytes for blocks and keys
	Files   int    // open at once
	Dir     string // for what lies between two passes; made where it is needed
}

// Merge is a running merge of files.
type Merge struct {
	*Merger
	// Records are the values of all inputs, without those in memory.
	Records uint64
	// Passes are the merges that were needed before this one, and Spilled the bytes
	// that they wrote.
	Passes  int
	Spilled int64

	files map[string]file
	temp  []string
}

// run is an input with what its footer says.
type run struct {
	Input
	footer Footer
	temp   bool
}

func (r run) cost() int64 {
	if r.Memory != nil {
		return 0
	}
	return r.footer.Cost()
}

// Open starts to merge the inputs. Where they are too many for the options, some
// neighbours are merged into files first, as few bytes as will do.
func (o Options) Open(inputs []Input) (*Merge, error) {
	m := &Merge{}
	runs := make([]run, 0, len(inputs))
	for _, in := range inputs {
		r := run{Input: in}
		if in.Memory == nil {
			if in.Size == 0 {
				continue
			}
			var err error
			if r.footer, err = r.look(); err != nil {
				return nil, err
			}
			if r.footer.Blocks == 0 {
				continue
			}
			m.Records += r.footer.Records
		}
		runs = append(runs, r)
	}
	for {
		first, n := o.choose(runs)
		if n == 0 {
			break
		}
		merged, err := o.pass(m, runs[first:first+n])
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
		runs = append(append(append([]run{}, runs[:first]...), merged), runs[first+n:]...)
	}
	if err := m.open(runs, o.Compare); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// look reads a file's footer, and fills in its size.
func (r *run) look() (Footer, error) {
	f, size, err := openFile(r.Path)
	if err != nil {
		return Footer{}, err
	}
	defer f.Close()
	if r.Size < 0 {
		r.Size = size
	}
	s, err := Open(f, r.Offset, r.Size)
	if err != nil {
		return Footer{}, fmt.Errorf("%s: %w", r.Path, err)
	}
	return s.Footer(), nil
}

// choose says which neighbours to merge before the rest can be: about as many as
// will do, where they are smallest. n = 0: none need to.
func (o Options) choose(runs []run) (first, n int) {
	files := max(o.Files, 3)
	var total int64
	for _, r := range runs {
		total += r.cost()
	}
	if len(runs) <= 2 || len(runs) <= files && total <= o.Memory {
		return 0, 0
	}
	want := max(2, len(runs)-files+1)
	if over := total - o.Memory; over > 0 {
		want = max(want, 1+int((over+writing)*int64(len(runs))/total))
	}
	want = min(want, files)
	var least int64
	for start := range runs {
		var cost, size int64
		wide := 0
		for _, r := range runs[start:min(start+want, len(runs))] {
			if r.Memory != nil || wide >= 2 && cost+r.cost() > o.Memory-writing {
				break
			}
			cost += r.cost()
			size += r.Size
			wide++
		}
		if wide >= 2 && (wide > n || wide == n && size < least) {
			first, n, least = start, wide, size
		}
	}
	return first, n
}

// writing is what a Writer takes, and reading what it wrote.
const writing = 2 * BlockSize

// pass merges runs into one file.
func (o Options) pass(m *Merge, runs []run) (out run, err error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return out, err
	}
	part := &Merge{}
	defer func() { err = errors.Join(err, part.Close()) }()
	if err := part.open(runs, o.Compare); err != nil {
		return out, err
	}
	f, err := os.CreateTemp(o.Dir, "merge-*")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	m.temp = append(m.temp, f.Name())
	footer, size, err := part.WriteTo(f)
	if err != nil {
		return out, fmt.Errorf("merge into %s: %w", filepath.Base(f.Name()), err)
	}
	for _, r := range runs {
		if r.temp {
			os.Remove(r.Path)
		}
	}
	m.Passes++
	m.Spilled += size
	return run{Input: Input{Path: f.Name(), Size: size}, footer: footer, temp: true}, nil
}

// open opens the runs and starts their tournament.
func (m *Merge) open(runs []run, compare Compare) error {
	m.files = make(map[string]file)
	sources := make([]Source, 0, len(runs))
	for _, r := range runs {
		if r.Memory != nil {
			sources = append(sources, r.Memory)
			continue
		}
		f := m.files[r.Path]
		if f == nil {
			var err error
			if f, _, err = openFile(r.Path); err != nil {
				return err
			}
			m.files[r.Path] = f
		}
		s, err := Open(f, r.Offset, r.Size)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Path, err)
		}
		sources = append(sources, named{s, r.Path})
	}
	m.Merger = NewMerger(sources, compare)
	return nil
}

// named puts the file's name before errors.
type named struct {
	*Reader
	path string
}

func (n named) Next() (bool, error) {
	more, err := n.Reader.Next()
	if err != nil {
		err = fmt.Errorf("%s: %w", n.path, err)
	}
	return more, err
}

func (n named) Payload(big *[]byte) ([]byte, error) {
	payload, err := n.Reader.Payload(big)
	if err != nil {
		err = fmt.Errorf("%s: %w", n.path, err)
	}
	return payload, err
}

// WriteTo writes what is left of the merge as one segment.
func (m *Merge) WriteTo(f *os.File) (Footer, int64, error) {
	buffer := bufio.NewWriterSize(f, BlockSize)
	w := NewWriter(buffer)
	for {
		key, payload, err := m.Next()
		if err != nil {
			return Footer{}, 0, err
		}
		if payload == nil {
			break
		}
		n, err := Count(payload)
		if err != nil {
			return Footer{}, 0, err
		}
		if err := w.Append(key, payload, n); err != nil {
			return Footer{}, 0, err
		}
	}
	footer, size, err := w.Close()
	return footer, size, errors.Join(err, buffer.Flush())
}

// Count says how many values a payload has.
func Count(payload []byte) (n int, err error) {
	for ; len(payload) > 0; n++ {
		if _, payload, err = Value(payload); err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close closes the files and removes those of the passes before.
func (m *Merge) Close() error {
	var all error
	for _, f := range m.files {
		all = errors.Join(all, f.Close())
	}
	m.files = nil
	for _, name := range m.temp {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	m.temp = nil
	return all
}
