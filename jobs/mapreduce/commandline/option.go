package commandline

import (
	"fmt"
	"strings"
)

// option is one option with its arguments, as it stands on the command line.
type option struct {
	name   string // without dashes
	values []string
}

// arity is how many arguments an option takes.
type arity int

const (
	flag arity = iota
	one
	several // all up to the next option
)

// known are the options of hadoop-streaming.jar and Hadoop's generic ones.
var known = map[string]arity{
	"input": several, "output": one, "mapper": one, "combiner": one, "reducer": one,
	"file": several, "cacheFile": several, "cacheArchive": several, "dfs": one, "additionalconfspec": one,
	"inputformat": one, "outputformat": one, "partitioner": one, "numReduceTasks": one, "inputreader": one,
	"mapdebug": one, "reducedebug": one, "jobconf": one, "cmdenv": one, "io": one,
	"background": flag, "verbose": flag, "info": flag, "help": flag, "debug": flag, "lazyOutput": flag,
	"D": one, "conf": one, "fs": one, "jt": one, "files": one, "libjars": one, "archives": one, "tokenCacheFile": one,
}

// optionName is the option that a word names.
func optionName(word string) (string, bool) {
	if !strings.HasPrefix(word, "-") {
		return "", false
	}
	name := strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-")
	_, ok := known[name]
	return name, ok
}

// options reads the words of a command line as Hadoop's parser does.
func options(words []string) ([]option, error) {
	var out []option
	for i := 0; i < len(words); {
		word := words[i]
		i++
		if rest, ok := strings.CutPrefix(word, "-D"); ok && rest != "" { // -Dname=value
			out = append(out, option{"D", []string{rest}})
			continue
		}
		name, ok := optionName(word)
		if !ok {
			return nil, fmt.Errorf("%w: %s", ErrUsage, unknown(word))
		}
		opt := option{name: name}
		for i < len(words) && (known[name] == several || known[name] == one && len(opt.values) == 0) {
			if _, next := optionName(words[i]); next {
				break
			}
			opt.values = append(opt.values, unquote(words[i]))
			i++
		}
		if known[name] != flag && len(opt.values) == 0 {
			return nil, fmt.Errorf("%w: -%s needs an argument", ErrUsage, name)
		}
		out = append(out, opt)
	}
	return out, nil
}

func unknown(word string) string {
	if !strings.HasPrefix(word, "-") {
		return fmt.Sprintf("%q belongs to no option; a value with spaces must be quoted", clip(word))
	}
	name := strings.ToLower(strings.TrimLeft(word, "-"))
	for other := range known {
		if strings.ToLower(other) == name {
			return fmt.Sprintf("%s is no option of hadoop-streaming; did you mean -%s?", clip(word), other)
		}
	}
	return clip(word) + " is no option of hadoop-streaming"
}

// unquote takes off one pair of double quotes, as Hadoop's parser does where none
// stands between.
func unquote(s string) string {
	if n := len(s); n > 1 && s[0] == '"' && s[n-1] == '"' && !strings.Contains(s[1:n-1], `"`) {
		return s[1 : n-1]
	}
	return s
}

// withoutPrefix drops "hadoop jar hadoop-streaming.jar", "yarn jar …" and "mapred
// streaming" from the beginning.
func withoutPrefix(words []string) []string {
	base := func(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }
	if len(words) == 0 {
		return words
	}
	switch name := base(words[0]); {
	case (name == "hadoop" || name == "yarn") && len(words) > 2 && words[1] == "jar":
		return words[3:]
	case name == "mapred" && len(words) > 1 && words[1] == "streaming":
		return words[2:]
	case strings.HasSuffix(name, ".jar"):
		return words[1:]
	}
	return words
}

func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
