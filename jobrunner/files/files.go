package files

import (
	"context"
	"io"
)

// Info is what a System knows of a file or folder without opening it.
type Info struct {
	// Path is absolute.
	Path   string
	Folder bool
	// Size and Block are bytes; Block is the size of the pieces in which the file
	// is stored, by which jobs cut it. Both are 0 for folders.
	Size, Block int64
	// ID is the file's number in its system; it outlives a rename.
	ID uint64
	// ModTime is in Unix milliseconds.
	ModTime int64
	// Access is owner, group and mode in the system's own words: whoever can read one
	// file of a folder can read those there that have the same.
	Access string
	// Encrypted says that the stored bytes are ciphertext (an encryption zone): Open
	// refuses the file.
	Encrypted bool
	// ErasureCoded says that the file is spread over stripes instead of replicas.
	ErasureCoded bool
	// Other says that this is neither a file nor a folder (a device, a socket, a
	// dangling link): Open refuses it.
	Other bool
}

// Source opens the bytes of a file to be written. It may be called again: a
// write that failed is repeated from its start.
type Source func() (io.ReadCloser, error)

// System is a place where files lie. Its errors name the path and match
// fs.ErrNotExist, fs.ErrExist, fs.ErrPermission and the kinds of this package.
type System interface {
	// Stat describes one file or folder; links are followed.
	Stat(ctx context.Context, path string) (Info, error)
	// List calls each with the entries of a folder in the order of their names, up
	// to 1000 at a time, without a call to a server for each; it stops at each's
	// first error and returns that.
	List(ctx context.Context, folder string, each func([]Info) error) error
	// Open reads a file from offset on, to its end as it was when it was opened. It
	// returns once the first byte is there (or the file has none), so that a file
	// that must not or cannot be read is refused here. The context rules the
	// reader's whole life.
	Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error)
	// Put makes a new file, whole and safe, or fails and leaves nothing under path.
	// Its folder must exist, path must not.
	Put(ctx context.Context, path string, source Source) (Info, error)
	// Mkdir makes one folder, which must not exist, in one that must.
	Mkdir(ctx context.Context, path string) error
	// MkdirAll makes a folder and those it lies in; one that exists is no error.
	MkdirAll(ctx context.Context, path string) error
	// Rename gives a file or folder another path. An existing target is refused
	// with fs.ErrExist, in one step with the rename where the system can do that.
	Rename(ctx context.Context, from, to string) error
	// Remove removes a file, or a folder with all that is in it; a missing one is
	// no error.
	Remove(ctx context.Context, path string) error
	// Close ends the System's connections. Readers that are still open fail.
	Close() error
}

// ListMax is the number of entries that List hands out at most at a time.
const ListMax = 1000
