package keyfile

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/zennet/zennet/ledger/types"
)

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

// ErrKeyFile says that a key file is malformed, open to others, or encrypted with
// another passphrase than the one given.
const ErrKeyFile ErrorKind = "bad key file"

// maxFile bounds what is read of a key or passphrase file, in bytes.
const maxFile = 16 << 10

// Open reads the key at path, or draws and stores a new one.
func Open(path string) (types.PrivateKey, error) {
	passphrase, err := secret()
	if err != nil {
		return types.PrivateKey{}, err
	}
	text, err := private(path)
	if errors.Is(err, os.ErrNotExist) {
		return create(path, passphrase)
	}
	if err != nil {
		return types.PrivateKey{}, err
	}
	open := !sealed(text)
	if !open {
		if text, err = unseal(text, passphrase); err != nil {
			return types.PrivateKey{}, fmt.Errorf("%w: %s %w", ErrKeyFile, path, err)
		}
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return types.PrivateKey{}, fmt.Errorf("%w: %s is not 64 hex digits", ErrKeyFile, path)
	}
	key, err := types.KeyFromBytes(raw)
	if err != nil {
		return types.PrivateKey{}, fmt.Errorf("%w: %s: %v", ErrKeyFile, path, err)
	}
	if open && passphrase != "" {
		err = write(path, key, passphrase, os.Rename)
	}
	return key, err
}

// private reads a small file that nobody else may read.
func private(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrKeyFile, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s is open to others (mode %04o): chmod 600 it", ErrKeyFile, path, info.Mode().Perm())
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%w: %s is not a file of at most %d bytes", ErrKeyFile, path, maxFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrKeyFile, err)
	}
	return text, nil
}

func create(path, passphrase string) (types.PrivateKey, error) {
	key, err := types.NewKey(rand.Reader)
	if err != nil {
		return types.PrivateKey{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return types.PrivateKey{}, fmt.Errorf("%w: %v", ErrKeyFile, err)
	}
	// Link, not rename: of two processes that make the key at once, one wins and
	// the other reads the winner's.
	if err := write(path, key, passphrase, os.Link); errors.Is(err, os.ErrExist) {
		return Open(path)
	} else if err != nil {
		return types.PrivateKey{}, err
	}
	return key, nil
}

// write stores a key beside its place, synced, and then puts it there.
func write(path string, key types.PrivateKey, passphrase string, place func(from, to string) error) error {
	text := []byte(hex.EncodeToString(key.Bytes()) + "\n")
	if passphrase != "" {
		var err error
		if text, err = seal(text, passphrase); err != nil {
			return fmt.Errorf("%w: encrypt %s: %v", ErrKeyFile, path, err)
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // of mode 0600
	if err != nil {
		return fmt.Errorf("%w: %v", ErrKeyFile, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = place(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	return nil
}
