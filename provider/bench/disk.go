package bench

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// scratch makes a file that vanishes with its last descriptor.
func scratch(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "bench-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// readBack drops the file from the page cache and folds what the disk then gives.
func readBack(f *os.File, sum uint64, buf []byte) (uint64, error) {
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return 0, fmt.Errorf("drop from cache: %w", err)
	}
	if _, err := f.Seek(0, 0); err != nil {
		return 0, err
	}
	return foldReader(sum, f, buf)
}

// disk writes a file of 96 MiB, syncs it, and reads it back from the disk.
func disk(w work) (uint64, error) {
	f, err := scratch(w.dir)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	w.rng.fill(buf)
	for i := range w.times(96) {
		binary.LittleEndian.PutUint64(buf, uint64(i))
		if _, err := f.Write(buf); err != nil {
			return 0, err
		}
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return readBack(f, 0, buf)
}

// small writes 4 KiB at a time and syncs each.
func small(w work) (uint64, error) {
	f, err := scratch(w.dir)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buf := make([]byte, page)
	w.rng.fill(buf)
	for i := range w.times(1000) {
		binary.LittleEndian.PutUint64(buf, uint64(i))
		if _, err := f.Write(buf); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, fmt.Errorf("sync: %w", err)
		}
	}
	return readBack(f, 0, buf)
}

// mixed makes records, sorts them, and stores them with their hash.
func mixed(w work) (uint64, error) {
	records := make([]uint64, w.times(3_000_000))
	for i := range records {
		records[i] = w.rng.next()
	}
	slices.Sort(records)
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, records); err != nil {
		return 0, err
	}
	sum := sha256.Sum256(out.Bytes())
	out.Write(sum[:])
	f, err := scratch(w.dir)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Write(out.Bytes()); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return fold(binary.LittleEndian.Uint64(sum[:]), uint64(out.Len())), nil
}
