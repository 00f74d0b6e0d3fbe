package mapreduce

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

// Operations of the worker that stand in a command's place, beside those that
// streaming names.
const (
	BuiltinSort      = "sort"      // mapper: the line is split into key and value as a program's output is (what cat does)
	BuiltinWordCount = "wordcount" // mapper: each word with 1 (words as in Java's StringTokenizer); combiner and reducer: sum
	BuiltinGrep      = "grep"      // mapper: the lines in which the expression (Go's RE2) matches, split as by sort
	BuiltinCount     = "count"     // reducer: how many values a key has
)

// builtins are the operations by where they may stand, with how many arguments
// they take at least and at most.
var builtins = map[string]map[string][2]int{
	"mapper": {
		streaming.BuiltinIdentity: {0, 0}, streaming.BuiltinInverse: {0, 0}, streaming.BuiltinTokenCount: {0, 0},
		streaming.BuiltinRegex: {1, 2}, BuiltinSort: {0, 0}, BuiltinWordCount: {0, 0}, BuiltinGrep: {1, 1},
	},
	"combiner": {
		streaming.BuiltinSum: {0, 0}, streaming.BuiltinAggregate: {0, 0}, BuiltinWordCount: {0, 0},
	},
	"reducer": {
		streaming.BuiltinIdentity: {0, 0}, streaming.BuiltinSum: {0, 0}, streaming.BuiltinAggregate: {0, 0}, BuiltinWordCount: {0, 0},
		BuiltinSort: {0, 0}, BuiltinCount: {0, 0},
	},
}

// Builtins lists the operations that can be a "mapper", "combiner" or "reducer".
func Builtins(what string) []string {
	var out []string
	for name := range builtins[what] {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// checkBuiltin refuses an operation that the worker does not have.
func checkBuiltin(what string, cmd streaming.Command) error {
	if cmd.Builtin == "" {
		return nil
	}
	bounds, known := builtins[what][cmd.Builtin]
	switch n := len(cmd.Args); {
	case !known:
		return fmt.Errorf("%w: builtin:%s cannot be the %s; there are %s", ErrJob, cmd.Builtin, what, strings.Join(Builtins(what), ", "))
	case n < bounds[0] || n > bounds[1]:
		return fmt.Errorf("%w: builtin:%s takes %d to %d arguments, not %d", ErrJob, cmd.Builtin, bounds[0], bounds[1], n)
	}
	if cmd.Builtin == BuiltinGrep || cmd.Builtin == streaming.BuiltinRegex {
		expression, err := regexp.Compile(cmd.Args[0])
		if err != nil {
			return fmt.Errorf("%w: builtin:%s: %w", ErrJob, cmd.Builtin, err)
		}
		if len(cmd.Args) == 2 {
			if group, err := strconv.Atoi(cmd.Args[1]); err != nil || group < 0 || group > expression.NumSubexp() {
				return fmt.Errorf("%w: builtin:%s: %s has no group %s", ErrJob, cmd.Builtin, cmd.Args[0], cmd.Args[1])
			}
		}
	}
	return nil
}
