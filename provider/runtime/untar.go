package runtime

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
)

const (
	maxImageBytes = 64 << 30 // of an unpacked image
	maxImageFiles = 2 << 20
)

// unpacked returns the folder that holds the contents of a tar, which it unpacks
// once: the folder is named by the tar's hash.
func (r *Runc) unpacked(archive string) (string, error) {
	r.images.Lock()
	defer r.images.Unlock()
	f, err := os.Open(archive)
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrImage, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrImage, err)
	}
	// Hashing a large tar for every container would be slow: the file's identity
	// stands for its content as long as this process lives.
	identity := archiveID{path: archive, size: info.Size(), modified: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		identity.inode = st.Ino
	}
	if folder, known := r.archives[identity]; known {
		return folder, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, &counter{f, &r.read}); err != nil {
		return "", fmt.Errorf("%w: %v", ErrImage, err)
	}
	folder := filepath.Join(r.cfg.Dir, "images", hex.EncodeToString(sum.Sum(nil)))
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return "", fmt.Errorf("%w: %v", ErrImage, err)
		}
		if err := unpackBeside(&counter{f, &r.read}, folder); err != nil {
			return "", err
		}
	}
	r.archives[identity] = folder
	return folder, nil
}

// counter counts what is read.
type counter struct {
	from io.Reader
	n    *atomic.Uint64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n.Add(uint64(n))
	return n, err
}

// Unpacked counts the bytes of image archives that were read so far.
func (r *Runc) Unpacked() uint64 { return r.read.Load() }

// archiveID tells one version of an archive from another without reading it.
type archiveID struct {
	path           string
	size, modified int64
	inode          uint64
}

// unpackBeside unpacks into a temporary folder and renames that, so that a folder
// of the cache is whole or not there.
func unpackBeside(archive io.Reader, folder string) error {
	part, err := os.MkdirTemp(filepath.Dir(folder), partPrefix)
	if err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	defer os.RemoveAll(part)
	if err := os.Chmod(part, 0o755); err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	root, err := os.OpenRoot(part)
	if err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	defer root.Close()
	if err := untar(root, archive, maxImageFiles, maxImageBytes); err != nil {
		return err
	}
	if err := os.Rename(part, folder); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("unpack image: %w", err)
	}
	return nil
}

// partPrefix begins the names of folders that are being unpacked.
const partPrefix = "part-"

// untar unpacks a tar, plain or gzipped, into root: folders, regular files and
// links. Devices, pipes and the bits setuid and setgid are left out, all belongs
// to the caller, and no name can leave root. What is malformed, or exceeds the
// bounds, is ErrImage.
func untar(root *os.Root, archive io.Reader, maxFiles int, maxBytes int64) error {
	in := bufio.NewReaderSize(archive, 1<<20)
	var from io.Reader = in
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzip, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("%w: %v", ErrImage, err)
		}
		defer unzip.Close()
		from = unzip
	}
	left := maxBytes
	for tr, files := tar.NewReader(from), 0; ; files++ {
		head, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %v", ErrImage, err)
		}
		if left -= head.Size; files >= maxFiles || left < 0 || head.Size < 0 {
			return fmt.Errorf("%w: more than %d files or %d bytes", ErrImage, maxFiles, maxBytes)
		}
		name := path.Clean(strings.TrimPrefix(head.Name, "/"))
		if name == "." {
			continue
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%w: the name %q leaves the image", ErrImage, head.Name)
		}
		if err := unpackEntry(root, name, head, tr); err != nil {
			return fmt.Errorf("%w: %s: %v", ErrImage, name, err)
		}
	}
}

func unpackEntry(root *os.Root, name string, head *tar.Header, content io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(head.Mode).Perm()
	switch head.Typeflag {
	case tar.TypeDir:
		if err := root.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return root.Chmod(name, mode|0o700)
	case tar.TypeReg:
		root.Remove(name) // a later entry replaces an earlier one, and does not write through its links
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		if e := f.Chmod(mode); err == nil {
			err = e
		}
		if e := f.Close(); err == nil {
			err = e
		}
		return err
	case tar.TypeSymlink:
		root.Remove(name)
		return root.Symlink(head.Linkname, name)
	case tar.TypeLink:
		target := path.Clean(strings.TrimPrefix(head.Linkname, "/"))
		if !filepath.IsLocal(target) {
			return fmt.Errorf("the link to %q leaves the image", head.Linkname)
		}
		root.Remove(name)
		return root.Link(target, name)
	}
	return nil
}
