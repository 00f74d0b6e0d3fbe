// Package home is the state folder of a user (ZENNET_HOME): where keys, the
// journal, blobs and the API's socket are, who holds its lock, and how keys are
// kept. One host process a home: see [Home.Lock].
package home

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/zennet/zennet/ledger/keyfile"
	"github.com/zennet/zennet/ledger/types"
)

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

// ErrLocked says that another process hosts this home.
const ErrLocked ErrorKind = "another process holds the lock"

// Home is a state folder.
type Home struct{ Dir string }

// Default is ZENNET_HOME, else $XDG_DATA_HOME/zennet, else ~/.local/share/zennet.
func Default() (Home, error) {
	if dir := os.Getenv("ZENNET_HOME"); dir != "" {
		abs, err := filepath.Abs(dir)
		return Home{abs}, err
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return Home{filepath.Join(dir, "zennet")}, nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return Home{}, fmt.Errorf("no home folder: set ZENNET_HOME: %w", err)
	}
	return Home{filepath.Join(user, ".local", "share", "zennet")}, nil
}

// Make creates the folder and its parts, for the owner alone.
func (h Home) Make() error {
	for _, dir := range []string{h.Dir, h.path("keys")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("state folder: %w", err)
		}
	}
	return nil
}

func (h Home) path(name string) string { return filepath.Join(h.Dir, name) }

// Journal is the path of the publisher's journal.
func (h Home) Journal() string { return h.path("journal.db") }

// Blobs is the folder of the publisher's blob store.
func (h Home) Blobs() string { return h.path("blobs") }

// Socket is the path of the API's socket.
func (h Home) Socket() string { return h.path("api.sock") }

// Devnet is the folder of the embedded network.
func (h Home) Devnet() string { return h.path("devnet") }

// Light is the folder of the light client's store.
func (h Home) Light() string { return h.path("light") }

// Lock takes the home's lock for this process, or returns ErrLocked at once. The
// kernel releases it when the process dies, however it dies.
func (h Home) Lock() (release func(), err error) {
	f, err := os.OpenFile(h.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s", ErrLocked, h.Dir)
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	return func() { f.Close() }, nil
}

// Key reads keys/<name>.key, or draws and stores a new one (ledger/keyfile: mode
// 0600, encrypted where a passphrase is given).
func (h Home) Key(name string) (types.PrivateKey, error) {
	return KeyFile(filepath.Join(h.path("keys"), name+".key"))
}

// KeyFile is Key for any path.
func KeyFile(path string) (types.PrivateKey, error) { return keyfile.Open(path) }
