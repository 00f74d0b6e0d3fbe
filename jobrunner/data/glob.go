package data

import (
	"fmt"
	"regexp"
	"strings"
)

// maxPatterns bounds what braces around slashes may expand to.
const maxPatterns = 10_000

// component is one part of a path between slashes: a pattern, or a name.
type component struct {
	pattern *regexp.Regexp // nil: name is meant literally
	name    string
}

// expand writes out the braces that hold slashes, as Hadoop's GlobExpander: other
// braces are matched within their component.
func expand(pattern string) ([]string, error) {
	todo, out := []string{pattern}, []string{}
	for len(todo) > 0 {
		one := todo[0]
		todo = todo[1:]
		open, end, parts := slashBraces(one)
		if parts == nil {
			out = append(out, one)
		}
		var next []string
		for _, part := range parts {
			next = append(next, one[:open]+part+one[end:])
		}
		todo = append(next, todo...)
		if len(todo)+len(out) > maxPatterns {
			return nil, fmt.Errorf("%w: its braces make more than %d patterns", ErrPlace, maxPatterns)
		}
	}
	return out, nil
}

// slashBraces finds the first outermost braces with a slash in them: where they
// begin and end, and their alternatives.
func slashBraces(s string) (open, end int, parts []string) {
	depth, slash, from := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '{':
			if depth++; depth == 1 {
				open, slash, from, parts = i, false, i+1, nil
			}
		case '/':
			slash = slash || depth > 0
		case ',':
			if depth == 1 {
				parts = append(parts, s[from:i])
				from = i + 1
			}
		case '}':
			if depth == 0 {
				continue
			}
			if depth--; depth == 0 && slash {
				return open, i + 1, append(parts, s[from:i])
			}
		}
	}
	return 0, 0, nil
}

// components cuts a path at its slashes and compiles what are patterns.
func components(pattern string) ([]component, error) {
	var out []component
	for _, text := range strings.Split(pattern, "/") {
		if text == "" || text == "." {
			continue
		}
		c, err := compile(text)
		if err != nil {
			return nil, err
		}
		if c.pattern == nil && c.name == ".." {
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
			continue
		}
		out = append(out, c)
	}
	return out, nil
}

// compile reads one component by the rules of Hadoop's GlobPattern: ?, *, [ab],
// [a-c], [^a], [!a], {one,other}, and \ before a character that is meant itself.
func compile(text string) (component, error) {
	var re, name strings.Builder
	re.WriteString(`(?s)\A(?:`)
	wild, braces, set := false, 0, false
	bad := func(what string) (component, error) {
		return component{}, fmt.Errorf("%w: pattern %q: %s", ErrPlace, text, what)
	}
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		c := runes[i]
		switch {
		case c == '\\':
			if i++; i == len(runes) {
				return bad("nothing follows its last backslash")
			}
			c = runes[i]
			re.WriteString(regexp.QuoteMeta(string(c)))
		case set:
			switch {
			case c == '[':
				return bad("a [ inside [ ]")
			case c == ']':
				set = false
				re.WriteRune(c)
			case c == '!' && runes[i-1] == '[', c == '^' && runes[i-1] == '[':
				re.WriteRune('^')
			case c == '^' || c == '&' || c == '~':
				re.WriteString(`\` + string(c))
			default:
				re.WriteRune(c)
			}
			continue
		case c == '[':
			set, wild = true, true
			re.WriteRune(c)
		case c == '*':
			wild = true
			re.WriteString(`.*`)
		case c == '?':
			wild = true
			re.WriteString(`.`)
		case c == '{':
			wild = true
			braces++
			re.WriteString(`(?:`)
		case c == ',' && braces > 0:
			re.WriteString(`|`)
		case c == '}' && braces > 0:
			braces--
			re.WriteString(`)`)
		default:
			re.WriteString(regexp.QuoteMeta(string(c)))
		}
		name.WriteRune(c)
	}
	switch {
	case set:
		return bad("its [ is not closed")
	case braces > 0:
		return bad("its { is not closed")
	case !wild:
		return component{name: name.String()}, nil
	}
	re.WriteString(`)\z`)
	p, err := regexp.Compile(re.String())
	if err != nil {
		return bad("is no pattern")
	}
	return component{pattern: p}, nil
}
