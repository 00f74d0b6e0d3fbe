package data

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/zennet/zennet/jobrunner/files"
)

// place is where something lies: a file system and a path there. Nothing in it is
// percent-encoded, as in Hadoop.
type place struct {
	scheme    string // "hdfs", or "" for this machine's disk
	authority string // host:port or nameservice; "" = the configuration's default
	prefix    string // what was written before the path, for names of files found below
	base      string // absolute folder that a relative path starts from, else ""
	path      string // absolute, or relative to base; not cleaned yet
}

var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*)://`)

// parse reads a place as a user wrote it; dir is the absolute folder that a plain
// path is relative to.
func parse(text, dir string) (place, error) {
	bad := func(format string, args ...any) (place, error) {
		return place{}, fmt.Errorf("%w: %s", ErrPlace, fmt.Sprintf(format, args...))
	}
	switch {
	case text == "":
		return bad("it is empty")
	case strings.ContainsAny(text, "\x00\n\r"):
		return bad("%q has a character that no place may have", text)
	case strings.HasPrefix(text, "hdfs:"):
		rest := strings.TrimPrefix(text, "hdfs:")
		authority := ""
		if after, ok := strings.CutPrefix(rest, "//"); ok {
			i := strings.IndexByte(after, '/')
			if i < 0 {
				i = len(after)
			}
			authority, rest = after[:i], after[i:]
		}
		if rest == "" {
			rest = "/"
		}
		if rest[0] != '/' || strings.ContainsAny(authority, "{}*?[]\\@ ") {
			return bad("want hdfs://HOST:PORT/PATH, hdfs://NAMESERVICE/PATH or hdfs:///PATH")
		}
		return place{scheme: "hdfs", authority: authority, prefix: "hdfs://" + authority, path: rest}, nil
	case strings.HasPrefix(text, "file:"):
		rest := strings.TrimPrefix(text, "file:")
		if strings.HasPrefix(rest, "//") {
			rest = rest[2:]
			if local, ok := strings.CutPrefix(rest, "localhost/"); ok {
				rest = "/" + local
			}
			if !strings.HasPrefix(rest, "/") {
				return bad("want file:///PATH; another host's files cannot be read")
			}
		}
		p := place{prefix: "file:", path: rest}
		if !strings.HasPrefix(rest, "/") {
			p.prefix, p.base = "", dir
		}
		return p, nil
	}
	if m := scheme.FindStringSubmatch(text); m != nil {
		return bad("%s: is not spoken here; want hdfs:, file: or a path", m[1])
	}
	p := place{path: text}
	if !strings.HasPrefix(text, "/") {
		p.base = dir
	}
	return p, nil
}

// absolute is the clean path in the file system, where nothing of it is a pattern.
func (p place) absolute() (string, error) {
	clean := path.Clean(p.base + "/" + p.path)
	return clean, files.CheckPath(clean)
}

// name is how a file found below the place is called, so that parse finds it again.
func (p place) name(absolute string) string {
	if p.base != "" {
		base := strings.TrimSuffix(path.Clean(p.base), "/")
		if rest, ok := strings.CutPrefix(absolute, base+"/"); ok && !ambiguous(rest) {
			return rest
		}
		return absolute
	}
	return p.prefix + absolute
}

// ambiguous says that a relative path would be read as something else.
func ambiguous(rest string) bool {
	return strings.HasPrefix(rest, "hdfs:") || strings.HasPrefix(rest, "file:") || scheme.MatchString(rest)
}

// URL is a place for people, as Hadoop would write it: whole, without a pattern
// being looked for. What cannot be understood is left as it is.
func URL(text, dir string) string {
	p, err := parse(text, dir)
	if err != nil {
		return text
	}
	at, err := p.absolute()
	if err != nil {
		return text
	}
	if p.scheme == "" {
		return at
	}
	return p.prefix + at
}
