package streaming

import (
	"fmt"
	"strconv"
	"strings"
)

// Setting is a property or an environment variable with its value.
type Setting struct{ Name, Value string }

// Warning is a sentence about a setting that does not do here what its writer may
// expect. Name is the property as it was written.
type Warning struct{ Name, Text string }

func (w Warning) String() string { return w.Name + ": " + w.Text }

// properties are a job's settings under their new names; later ones win. One without
// a value is none, as Hadoop's tasks find it. Every question is remembered, so that
// what nobody asked for can be named.
type properties struct {
	list    []Setting
	value   map[string]string // by new name
	asGiven map[string]string // new name → the name it was last written under
	asked   map[string]bool
	err     error // the first malformed value
	notes   []Warning
}

func newProperties(list []Setting) *properties {
	p := &properties{list: list, value: map[string]string{}, asGiven: map[string]string{}, asked: map[string]bool{}}
	for _, s := range list {
		p.asGiven[NewName(s.Name)] = s.Name
		if s.Value == "" {
			delete(p.value, NewName(s.Name))
			continue
		}
		p.value[NewName(s.Name)] = s.Value
	}
	return p
}

// Expand replaces ${name} by the property of that name, up to 20 times, as Hadoop
// does; it ends at the first name that is unknown.
func Expand(value string, lookup func(name string) (string, bool)) string {
	const most, longest = 20, 1 << 16
	for range most {
		from := strings.Index(value, "${")
		if from < 0 {
			return value
		}
		end := strings.IndexByte(value[from:], '}')
		if end < 0 {
			return value
		}
		end += from
		with, ok := lookup(value[from+2 : end])
		if !ok || len(value)+len(with) > longest {
			return value
		}
		value = value[:from] + with + value[end+1:]
	}
	return value
}

func (p *properties) raw(name string) (string, bool) {
	v, ok := p.value[NewName(name)]
	return v, ok
}

// text is the property's value, "" and false where it was not set.
func (p *properties) text(name string) (string, bool) {
	p.asked[name] = true
	v, ok := p.value[name]
	if !ok {
		return "", false
	}
	return Expand(v, p.raw), true
}

func (p *properties) textOr(name, fallback string) string {
	if v, ok := p.text(name); ok {
		return v
	}
	return fallback
}

// trimmed is the value without white space around it; an empty one counts as not
// given, as in Hadoop's getTrimmed.
func (p *properties) trimmed(name string) (string, bool) {
	v, ok := p.text(name)
	v = strings.TrimSpace(v)
	return v, ok && v != ""
}

func (p *properties) fail(name, format string, args ...any) {
	if p.err == nil {
		p.err = refusal{ErrSetting, p.given(name), fmt.Sprintf(format, args...)}
	}
}

func (p *properties) unsupported(name, format string, args ...any) {
	if p.err == nil {
		p.err = refusal{ErrUnsupported, p.given(name), fmt.Sprintf(format, args...)}
	}
}

// given is the name under which the user wrote the property.
func (p *properties) given(name string) string {
	if as, ok := p.asGiven[name]; ok {
		return as
	}
	return name
}

// integer reads a whole number; Hadoop also takes 0x and a sign.
func (p *properties) integer(name string, fallback, least, most int64) int64 {
	v, ok := p.trimmed(name)
	if !ok {
		return fallback
	}
	n, err := parseLong(v)
	if err != nil {
		p.fail(name, "%s is no whole number", clip(v))
		return fallback
	}
	if n < least || n > most {
		p.fail(name, "%d is not from %d to %d", n, least, most)
		return fallback
	}
	return n
}

func parseLong(v string) (int64, error) {
	digits, negative := strings.CutPrefix(v, "-")
	for _, prefix := range []string{"0x", "0X"} {
		if hex, ok := strings.CutPrefix(digits, prefix); ok {
			n, err := strconv.ParseInt(hex, 16, 64)
			if negative {
				n = -n
			}
			return n, err
		}
	}
	return strconv.ParseInt(v, 10, 64)
}

// size reads a number of bytes that may end in k, m, g, t, p or e (powers of 1024),
// as Hadoop's getLongBytes does.
func (p *properties) size(name string, fallback int64) int64 {
	v, ok := p.trimmed(name)
	if !ok {
		return fallback
	}
	given, shift := v, 0
	if at := strings.IndexByte("kmgtpe", v[len(v)-1]|0x20); at >= 0 {
		shift = 10 * (at + 1)
		v = v[:len(v)-1]
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 || n<<shift>>shift != n {
		p.fail(name, "%s is no number of bytes", clip(given))
		return fallback
	}
	return n << shift
}

// boolean reads true or false; anything else is the fallback, as in Hadoop.
func (p *properties) boolean(name string, fallback bool) bool {
	v, ok := p.trimmed(name)
	switch {
	case ok && strings.EqualFold(v, "true"):
		return true
	case ok && strings.EqualFold(v, "false"):
		return false
	}
	return fallback
}
