package data

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// The order of input files numbers the maps of equal length, and so the files of a
// job without reducers.

// compareNames is the order in which HDFS lists a folder: by signed bytes, in which
// names that begin with ASCII come last.
func compareNames(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return cmp.Compare(int8(a[i]), int8(b[i]))
		}
	}
	return cmp.Compare(len(a), len(b))
}

// comparePaths is the order that Hadoop brings the matches of a pattern into: that of
// java.net.URI, by UTF-16 units of the percent-encoded path.
func comparePaths(a, b string) int {
	return slices.Compare(encoded(a), encoded(b))
}

// encoded is a path as java.net.URI has it: ASCII that no URI's path may hold is
// percent-encoded.
func encoded(path string) []uint16 {
	var out strings.Builder
	for _, c := range path {
		if c < 0x80 && !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') && !strings.ContainsRune("-_.!~*'():@&=+$,;/", c) {
			fmt.Fprintf(&out, "%%%02X", c)
		} else {
			out.WriteRune(c)
		}
	}
	return utf16.Encode([]rune(out.String()))
}
