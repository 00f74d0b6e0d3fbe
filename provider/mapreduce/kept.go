package mapreduce

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// kept is a program's input in a file, with another that says where each unit begins.
type kept struct {
	data, index *os.File
	out, marks  *bufio.Writer
	size, units int64
}

func newKept(dir string) (*kept, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	data, err := os.CreateTemp(dir, "kept-*")
	if err != nil {
		return nil, err
	}
	index, err := os.CreateTemp(dir, "index-*")
	if err != nil {
		return nil, errors.Join(err, data.Close(), os.Remove(data.Name()))
	}
	return &kept{data: data, index: index, out: bufio.NewWriterSize(data, bufferSize), marks: bufio.NewWriter(index)}, nil
}

// add adds to the input; begins says that a unit begins here.
func (k *kept) add(b []byte, begins bool) error {
	if begins {
		var at [8]byte
		binary.LittleEndian.PutUint64(at[:], uint64(k.size))
		if _, err := k.marks.Write(at[:]); err != nil {
			return err
		}
		k.units++
	}
	k.size += int64(len(b))
	_, err := k.out.Write(b)
	return err
}

// flush ends what is added.
func (k *kept) flush() error { return errors.Join(k.out.Flush(), k.marks.Flush()) }

// start is where a unit begins.
func (k *kept) start(unit int64) (int64, error) {
	if unit == k.units {
		return k.size, nil
	}
	var at [8]byte
	_, err := k.index.ReadAt(at[:], 8*unit)
	return int64(binary.LittleEndian.Uint64(at[:])), err
}

// copy writes a range of units.
func (k *kept) copy(w io.Writer, r span) error {
	from, err := k.start(r.from)
	if err != nil {
		return err
	}
	to, err := k.start(r.to)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(w, io.NewSectionReader(k.data, from, to-from), make([]byte, bufferSize))
	return err
}

// Close removes the files.
func (k *kept) Close() error {
	return errors.Join(k.data.Close(), k.index.Close(), os.Remove(k.data.Name()), os.Remove(k.index.Name()))
}
