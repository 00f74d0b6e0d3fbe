package files

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// PathMax is the length of a path in bytes at most (HDFS takes 8000 characters).
const PathMax = 8000

// CheckPath says whether p is absolute and clean: no empty, "." or ".." parts,
// no NUL, valid UTF-8.
func CheckPath(p string) error {
	switch {
	case len(p) > PathMax:
		return fmt.Errorf("path of %d bytes, more than %d: %w", len(p), PathMax, ErrPath)
	case !strings.HasPrefix(p, "/") || path.Clean(p) != p:
		return fmt.Errorf("path %q: must be absolute and clean: %w", p, ErrPath)
	case strings.ContainsRune(p, 0) || !utf8.ValidString(p):
		return fmt.Errorf("path %q: must be UTF-8 without NUL: %w", p, ErrPath)
	}
	return nil
}
