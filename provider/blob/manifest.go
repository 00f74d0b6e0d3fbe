package blob

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// Bounds of a manifest.
const (
	MaxFiles  = 200_000                        // files, links and empty folders
	MaxPath   = 4000                           // bytes of a path or a link's target
	MaxName   = 255                            // bytes of one element of a path
	maxChunks = protocol.MaxManifest / 34      // hashes that an encoded manifest can hold
	maxSize   = maxChunks * protocol.ChunkSize // bytes of all files
)

// HashOf names a blob: the SHA-256 of its bytes.
func HashOf(data []byte) types.Hash { return sha256.Sum256(data) }

// EncodeManifest is m's canonical encoding, at most protocol.MaxManifest bytes.
// An m that DecodeManifest would refuse is ErrManifest, ErrPath, ErrLink or
// ErrTooLarge.
func EncodeManifest(m protocol.Manifest) ([]byte, error) {
	if err := Validate(m); err != nil {
		return nil, err
	}
	data := types.Encode(m)
	if len(data) > protocol.MaxManifest {
		return nil, fmt.Errorf("%w: a manifest of %d files has %d bytes, at most %d", ErrTooLarge, len(m.Files), len(data), protocol.MaxManifest)
	}
	return data, nil
}

// DecodeManifest reads and validates an encoded manifest from anyone.
func DecodeManifest(data []byte) (protocol.Manifest, error) {
	var m protocol.Manifest
	if len(data) > protocol.MaxManifest {
		return m, fmt.Errorf("%w: a manifest of %d bytes, at most %d", ErrTooLarge, len(data), protocol.MaxManifest)
	}
	if err := types.Decode(data, &m); err != nil {
		return m, fmt.Errorf("%w: %v", ErrManifest, err)
	}
	if err := Validate(m); err != nil {
		return protocol.Manifest{}, err
	}
	return m, nil
}

// Validate checks that m is a tree that can be placed anywhere without leaving
// its folder: sorted distinct clean paths, none beneath a file or link, links
// that stay inside, sizes that fit their chunks.
func Validate(m protocol.Manifest) error {
	if len(m.Files) > MaxFiles {
		return fmt.Errorf("%w: %d files, at most %d", ErrTooLarge, len(m.Files), MaxFiles)
	}
	var total uint64
	taken := make(map[string]bool, len(m.Files))
	for i, f := range m.Files {
		if i > 0 && f.Path <= m.Files[i-1].Path {
			return fmt.Errorf("%w: %q stands after %q", ErrManifest, f.Path, m.Files[i-1].Path)
		}
		if err := validateFile(f, len(m.Files) == 1); err != nil {
			return err
		}
		if total += f.Size; f.Size > maxSize || total > maxSize {
			return fmt.Errorf("%w: files of more than %d bytes", ErrTooLarge, uint64(maxSize))
		}
		taken[f.Path] = true
	}
	for _, f := range m.Files {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if taken[dir] {
				return fmt.Errorf("%w: %q is beneath %q, which is listed itself", ErrManifest, f.Path, dir)
			}
		}
	}
	return nil
}

func validateFile(f protocol.File, alone bool) error {
	if !(alone && f.Path == "." && f.Link == "" && f.Mode&protocol.ModeDir == 0) {
		if err := validatePath(f.Path); err != nil {
			return err
		}
	}
	switch {
	case f.Mode&^(protocol.ModeDir|0o777) != 0:
		return fmt.Errorf("%w: %q has mode %o", ErrManifest, f.Path, f.Mode)
	case f.Link != "" || f.Mode&protocol.ModeDir != 0:
		if f.Size != 0 || len(f.Chunks) != 0 || f.Link != "" && f.Mode != linkMode {
			return fmt.Errorf("%w: %q is no regular file but has contents or a mode", ErrManifest, f.Path)
		}
		if f.Link != "" {
			return validateLink(f.Path, f.Link)
		}
	case uint64(len(f.Chunks)) != chunks(f.Size):
		return fmt.Errorf("%w: %q of %d bytes has %d chunks", ErrManifest, f.Path, f.Size, len(f.Chunks))
	}
	return nil
}

// linkMode is the mode of every link.
const linkMode = 0o777

// chunks is how many chunks a file of size bytes has.
func chunks(size uint64) uint64 {
	n := size / protocol.ChunkSize
	if size%protocol.ChunkSize != 0 {
		n++
	}
	return n
}

// validatePath refuses what is not a clean relative path below ".".
func validatePath(p string) error {
	if len(p) > MaxPath || p == "." || !fs.ValidPath(p) || strings.ContainsRune(p, 0) || !utf8.ValidString(p) {
		return fmt.Errorf("%w: %.200q", ErrPath, p)
	}
	for name := range strings.SplitSeq(p, "/") {
		if len(name) > MaxName {
			return fmt.Errorf("%w: a name of %d bytes in %.200q", ErrPath, len(name), p)
		}
	}
	return nil
}

// validateLink refuses a target that may lead out of the tree. A target is some
// "..", then names: with ".." after a name, a chain of links that each look
// harmless could climb out.
func validateLink(p, target string) error {
	if len(target) > MaxPath || strings.ContainsRune(target, 0) || !utf8.ValidString(target) {
		return fmt.Errorf("%w: target of %q", ErrPath, p)
	}
	if strings.HasPrefix(target, "/") {
		return fmt.Errorf("%w: %q points to %q", ErrLink, p, target)
	}
	depth, named := strings.Count(p, "/"), false
	for name := range strings.SplitSeq(target, "/") {
		switch {
		case name == "..":
			if depth--; named || depth < 0 {
				return fmt.Errorf("%w: %q points to %q", ErrLink, p, target)
			}
		case name != "" && name != ".":
			named = true
		}
	}
	return nil
}

// Hashes lists the distinct chunks of m in the order of its files.
func Hashes(m protocol.Manifest) []types.Hash {
	var out []types.Hash
	seen := map[types.Hash]bool{}
	for _, f := range m.Files {
		for _, h := range f.Chunks {
			if !seen[h] {
				seen[h] = true
				out = append(out, h)
			}
		}
	}
	return out
}

// Size is the sum of the files' sizes in bytes.
func Size(m protocol.Manifest) uint64 {
	var n uint64
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}
