// Package home is the state folder of a user (ZENNET_HOME): where keys, the
// journal, blobs and the API's socket are, who holds its lock, and how keys are
// kept. One host process a home: see [Home.Lock].
package home

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/zennet/zennet/ledger/types"
)

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrLocked says that another process hosts this home.
	ErrLocked ErrorKind = "another process holds the lock"
	// ErrKeyFile says that a key file is malformed or open to others.
	ErrKeyFile ErrorKind = "bad key file"
)

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

// Key reads keys/<name>.key, or draws and stores a new one (mode 0600, written
// beside, synced and renamed: a key is never half there).
func (h Home) Key(name string) (types.PrivateKey, error) {
	return KeyFile(filepath.Join(h.path("keys"), name+".key"))
}

// KeyFile is Key for any path.
func KeyFile(path string) (types.PrivateKey, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return newKeyFile(path)
	}
	if err != nil {
		return types.PrivateKey{}, fmt.Errorf("%w: %v", ErrKeyFile, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return types.PrivateKey{}, fmt.Errorf("%w: %s is open to others (mode %04o): chmod 600 it", ErrKeyFile, path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return types.PrivateKey{}, fmt.Errorf("%w: %v", ErrKeyFile, err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return types.PrivateKey{}, fmt.Errorf("%w: %s is not 64 hex digits", ErrKeyFile, path)
	}
	key, err := types.KeyFromBytes(raw)
	if err != nil {
		return types.PrivateKey{}, fmt.Errorf("%w: %s: %v", ErrKeyFile, path, err)
	}
	return key, nil
}

func newKeyFile(path string) (types.PrivateKey, error) {
	key, err := types.NewKey(rand.Reader)
	if err != nil {
		return types.PrivateKey{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return types.PrivateKey{}, fmt.Errorf("%w: %v", ErrKeyFile, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return types.PrivateKey{}, fmt.Errorf("%w: %v", ErrKeyFile, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := fmt.Fprintln(f, hex.EncodeToString(key.Bytes())); err != nil {
		return types.PrivateKey{}, fmt.Errorf("%w: %v", ErrKeyFile, err)
	}
	if err := f.Sync(); err != nil {
		return types.PrivateKey{}, fmt.Errorf("%w: %v", ErrKeyFile, err)
	}
	// Link, not rename: of two processes that make the key at once, one wins and
	// the other reads the winner's.
	if err := os.Link(f.Name(), path); errors.Is(err, os.ErrExist) {
		return KeyFile(path)
	} else if err != nil {
		return types.PrivateKey{}, fmt.Errorf("%w: %v", ErrKeyFile, err)
	}
	return key, nil
}
