package mapreduce

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Bounds of an archive.
const (
	maxEntries  = 1_000_000
	maxUnpacked = 1 << 40 // bytes; the lease's disk ends earlier
)

// errArchive says that an archive cannot be unpacked.
var errArchive = errors.New("not an archive that can be unpacked")

// unpack unpacks an archive into a folder, and never outside of it: neither by
// names with .. nor by links, for all is done through an os.Root. Its kind follows
// from its name: .zip and .jar; .tar, .tar.gz, .tgz and .tar.bz2. Any other file is
// copied as it is, as Hadoop does.
func unpack(file string, into *os.Root) error {
	name := strings.ToLower(file)
	if strings.HasSuffix(name, ".zip") || strings.HasSuffix(name, ".jar") {
		return unzip(file, into)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var in io.Reader = bufio.NewReaderSize(f, bufferSize)
	switch {
	case strings.HasSuffix(name, ".tar"):
	case strings.HasSuffix(name, ".tgz"), strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".gz"):
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("%w: %w", errArchive, err)
		}
		in = unpacked
	case strings.HasSuffix(name, ".bz2"):
		in = bzip2.NewReader(in)
	default:
		return fmt.Errorf("%w: its name ends in none of .zip, .jar, .tar, .tar.gz, .tgz, .tar.bz2", errArchive)
	}
	return untar(in, into)
}

// unpacking counts what an archive has brought.
type unpacking struct {
	into    *os.Root
	entries int
	bytes   int64
}

// inside is the clean, relative name of an entry; "" is the folder itself.
func inside(name string) string { return path.Clean("/" + name)[1:] }

func (u *unpacking) next(name string) error {
	if u.entries++; u.entries > maxEntries {
		return fmt.Errorf("%w: it has more than %d entries", errArchive, maxEntries)
	}
	if dir := path.Dir(inside(name)); dir != "." {
		return u.into.MkdirAll(dir, 0o755)
	}
	return nil
}

func (u *unpacking) folder(name string) error {
	if inside(name) == "" {
		return nil
	}
	return u.into.MkdirAll(inside(name), 0o755)
}

func (u *unpacking) file(name string, mode fs.FileMode, content io.Reader) error {
	if inside(name) == "" {
		return fmt.Errorf("%w: a file has no name", errArchive)
	}
	_ = u.into.Remove(inside(name)) // a later entry replaces an earlier one
	f, err := u.into.OpenFile(inside(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode.Perm()|0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(content, maxUnpacked-u.bytes+1))
	err = errors.Join(err, f.Close())
	if u.bytes += n; err == nil && u.bytes > maxUnpacked {
		err = fmt.Errorf("%w: it has more than %d bytes", errArchive, int64(maxUnpacked))
	}
	return err
}

// link makes a symbolic link that stays inside.
func (u *unpacking) link(name, target string) error {
	if inside(name) == "" {
		return fmt.Errorf("%w: a link has no name", errArchive)
	}
	leads := path.Join(path.Dir(inside(name)), target)
	if path.IsAbs(target) || leads == ".." || strings.HasPrefix(leads, "../") {
		return fmt.Errorf("%w: the link %s leads out of it, to %s", errArchive, clip(name), clip(target))
	}
	_ = u.into.Remove(inside(name))
	return u.into.Symlink(target, inside(name))
}

func untar(in io.Reader, into *os.Root) error {
	u := unpacking{into: into}
	for t := tar.NewReader(in); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errArchive, err)
		}
		if err := u.next(h.Name); err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = u.folder(h.Name)
		case tar.TypeReg:
			err = u.file(h.Name, h.FileInfo().Mode(), t)
		case tar.TypeSymlink:
			err = u.link(h.Name, h.Linkname)
		case tar.TypeLink:
			_ = into.Remove(inside(h.Name))
			err = into.Link(inside(h.Linkname), inside(h.Name))
		case tar.TypeXGlobalHeader:
		default:
			err = fmt.Errorf("%w: %s is of type %q", errArchive, clip(h.Name), h.Typeflag)
		}
		if err != nil {
			return err
		}
	}
}

func unzip(file string, into *os.Root) error {
	z, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("%w: %w", errArchive, err)
	}
	defer z.Close()
	u := unpacking{into: into}
	for _, f := range z.File {
		if err := u.next(f.Name); err != nil {
			return err
		}
		if err := u.zipped(f); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacking) zipped(f *zip.File) error {
	switch mode := f.Mode(); {
	case mode.IsDir():
		return u.folder(f.Name)
	case mode.IsRegular(), mode&fs.ModeSymlink != 0:
		content, err := f.Open()
		if err != nil {
			return fmt.Errorf("%w: %s: %w", errArchive, clip(f.Name), err)
		}
		defer content.Close()
		if mode.IsRegular() {
			return u.file(f.Name, mode, content)
		}
		target, err := io.ReadAll(io.LimitReader(content, 4096))
		if err != nil {
			return fmt.Errorf("%w: %s: %w", errArchive, clip(f.Name), err)
		}
		return u.link(f.Name, string(target))
	}
	return fmt.Errorf("%w: %s is no file, folder or link", errArchive, clip(f.Name))
}
