package data

import (
	"errors"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestPatterns holds Hadoop's rules for one component (GlobPattern of 3.4.2).
func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no string // names, by spaces
	}{
		{"a", "a", "b aa"},
		{"*", "a _a .a", ""},
		{"a*b", "ab axb a*b axyb", "a b abc"},
		{"a?c", "abc a?c aéc", "ac abbc"},
		{"[abc]x", "ax bx", "dx x ^x"},
		{"[a-c]x", "ax bx cx", "dx -x"},
		{"[^a-c]x", "dx -x", "ax x"},
		{"[!a]x", "bx !x", "ax"},
		{"[a!]x", "ax !x", "bx"},
		{"{ab,cd}", "ab cd", "abcd a ab,cd"},
		{"{a{b,c},d}e", "abe ace de", "ae abcde"},
		{"x{,y}", "x xy", "xz"},
		{"{a*,?b}", "a axx xb", "xxb"},
		{"part-0000[0-4]", "part-00000 part-00004", "part-00005"},
		{`a\*`, "a*", "ab a"},
		{`\{a\}`, "{a}", "a"},
		{"a.b", "a.b", "axb"},
		{"a+(b)|$^c", "a+(b)|$^c", "aab"},
		{"a}b", "a}b", "ab"},
		{"a,b", "a,b", "a"},
	} {
		got, err := compile(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		match := func(name string) bool {
			if got.pattern == nil {
				return got.name == name
			}
			return got.pattern.MatchString(name)
		}
		for _, name := range strings.Fields(c.yes) {
			if !match(name) {
				t.Errorf("%s does not match %s", c.pattern, name)
			}
		}
		for _, name := range strings.Fields(c.no) {
			if match(name) {
				t.Errorf("%s matches %s", c.pattern, name)
			}
		}
	}
	for _, bad := range []string{"[a", "{a", `a\`, "[b-a]", "[[a]", "[]"} {
		if _, err := compile(bad); !errors.Is(err, ErrPlace) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestExpand(t *testing.T) {
	for pattern, want := range map[string]string{
		"/a/b":                  "/a/b",
		"/{a,b}/c":              "/{a,b}/c",
		"/{a/b,c}/d":            "/a/b/d /c/d",
		"/{a/{b,c},d}/e":        "/a/{b,c}/e /d/e",
		"/{a/{b/x,c},d}/e":      "/a/b/x/e /a/c/e /d/e",
		"/{p,q}{a/b,c}":         "/{p,q}a/b /{p,q}c",
		`/\{a/b,c\}`:            `/\{a/b,c\}`,
		"/{a/1,b/2}/{c/3,d/4}":  "/a/1/c/3 /a/1/d/4 /b/2/c/3 /b/2/d/4",
		"/a}/b":                 "/a}/b",
		"/{a/b":                 "/{a/b",
		"/{a,b/{c,d}/{e/f,g}}h": "/ah /b/{c,d}/e/fh /b/{c,d}/gh",
	} {
		got, err := expand(pattern)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q %v", pattern, got, err)
		}
	}
	if _, err := expand(strings.Repeat("{a/b,c/d}", 30)); !errors.Is(err, ErrPlace) {
		t.Errorf("2^30 patterns: %v", err)
	}
}

func TestPlaces(t *testing.T) {
	for text, want := range map[string]string{ // scheme authority path, and the name that a file there gets
		"hdfs://nn:8020/a b/c%20d?#": "hdfs nn:8020 /a b/c%20d?# hdfs://nn:8020/a b/c%20d?#",
		"hdfs://cluster":             "hdfs cluster / hdfs://cluster/",
		"hdfs:///a":                  "hdfs  /a hdfs:///a",
		"hdfs:/a/../b":               "hdfs  /b hdfs:///b",
		"file:/a":                    "  /a file:/a",
		"file:///a//b/":              "  /a/b file:/a/b",
		"file://localhost/a":         "  /a file:/a",
		"/a":                         "  /a /a",
		"a/b":                        "  /job/a/b a/b",
		"../a":                       "  /a /a",
		"x:y":                        "  /job/x:y x:y",
		"file:a":                     "  /job/a a",
	} {
		p, err := parse(text, "/job")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		at, err := p.absolute()
		got := strings.Join([]string{p.scheme, p.authority, at, p.name(at)}, " ")
		if err != nil || got != want {
			t.Errorf("%s: %q, want %q %v", text, got, want, err)
		}
		// The name that a file gets means the same file.
		again, err := parse(p.name(at), "/job")
		if err != nil {
			t.Errorf("%s: %v", p.name(at), err)
			continue
		}
		if back, err := again.absolute(); err != nil || back != at || again.scheme != p.scheme || again.authority != p.authority {
			t.Errorf("%s: %q is %q %v", text, p.name(at), back, err)
		}
	}
	for _, bad := range []string{"", "s3a://bucket/x", "http://h/x", "hdfs:a", "hdfs://a@b/c", "hdfs://{a,b}/c", "file://host/a", "a\nb", "a\x00"} {
		if p, err := parse(bad, "/job"); !errors.Is(err, ErrPlace) {
			t.Errorf("%q: %+v %v", bad, p, err)
		}
	}
}

// FuzzPatterns: whatever a pattern holds, reading it ends, and what it takes
// literally is a name of one component.
func FuzzPatterns(f *testing.F) {
	for _, seed := range []string{"/a/*", "/{a,b}/[c-d]?", `/\{x/{y/z,w}`, "[", "{{{/", "/a/../..", `\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 {
			return
		}
		patterns, err := expand(text)
		if err != nil {
			return
		}
		if !strings.ContainsAny(text, `\{`) && !slices.Equal(patterns, []string{text}) {
			t.Errorf("%q expands to %q", text, patterns)
		}
		for _, one := range patterns {
			parts, err := components(one)
			if err != nil {
				continue
			}
			for _, c := range parts {
				if c.pattern == nil && (c.name == "" || c.name == ".." || strings.Contains(c.name, "/")) {
					t.Errorf("%q has the name %q", one, c.name)
				}
			}
		}
		if p, err := parse(text, "/job"); err == nil {
			if at, err := p.absolute(); err == nil && !path.IsAbs(at) {
				t.Errorf("%q is %q", text, at)
			}
		}
	})
}
