package worker

import (
	"errors"

	"golang.org/x/sys/unix"
)

// kernelFile is a file of procfs or of a cgroup that is read again and again: it
// stays open, and each reading is one call. package os makes ten of it.
type kernelFile struct{ fd int }

// openKernelFile returns nil where there is no such file.
func openKernelFile(path string) *kernelFile {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	return &kernelFile{fd}
}

// read returns the file's contents of now, in buf where they fit; nil where they
// cannot be read.
func (k *kernelFile) read(buf []byte) []byte {
	if k == nil {
		return nil
	}
	buf = buf[:cap(buf)]
	for n := 0; ; {
		m, err := unix.Pread(k.fd, buf[n:], int64(n))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil
		}
		n += m
		// These files come in pieces of a page at least: what is shorter is the end.
		if m == 0 || n < len(buf) && n < 4000 {
			return buf[:n]
		}
		if n == len(buf) {
			buf = append(buf, make([]byte, len(buf))...)
		}
	}
}

func (k *kernelFile) close() {
	if k != nil {
		unix.Close(k.fd)
	}
}

// readOnce reads a small kernel file into buf.
func readOnce(path string, buf []byte) []byte {
	k := openKernelFile(path)
	defer k.close()
	return k.read(buf)
}
