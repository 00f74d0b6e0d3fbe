package streaming

import (
	"fmt"
	"strings"
)

// Built-in operations that Resolve itself knows; others are named by the worker.
const (
	BuiltinIdentity   = "identity"   // Hadoop's IdentityMapper and IdentityReducer
	BuiltinAggregate  = "aggregate"  // Hadoop's ValueAggregatorReducer and -Combiner
	BuiltinSum        = "sum"        // LongSumReducer: adds a key's values
	BuiltinTokenCount = "tokencount" // TokenCountMapper: each word of the line with 1
	BuiltinInverse    = "inverse"    // InverseMapper: value and key change places
	BuiltinRegex      = "regex"      // RegexMapper: each match of the expression with 1; Args are expression and group
)

// Command is what a mapper, combiner or reducer runs: a built-in operation with its
// arguments, or a program with its arguments (Args[0] is looked up in the working
// folder, then in PATH). The zero Command is none.
type Command struct {
	Builtin string   `json:",omitempty"`
	Args    []string `json:",omitempty"`
}

// None reports whether there is no command.
func (c Command) None() bool { return c.Builtin == "" && len(c.Args) == 0 }

// String is the command as ParseCommand reads it, for messages.
func (c Command) String() string {
	if c.Builtin != "" {
		return strings.Join(append([]string{"builtin:" + c.Builtin}, c.Args...), " ")
	}
	return strings.Join(c.Args, " ")
}

const (
	// MaxCommand bounds a command line, in bytes.
	MaxCommand = 64 << 10
	builtin    = "builtin:"
)

// ParseCommand reads a command as a job names it: "builtin:NAME ARGUMENT…",
// "aggregate" in any case, the name of a Java class that has an equal here, or a
// command line, split by SplitCommand. An empty line is the zero Command.
func ParseCommand(line string) (Command, error) {
	if len(line) > MaxCommand {
		return Command{}, refusal{ErrCommand, "", fmt.Sprintf("a command of %d bytes; at most %d", len(line), MaxCommand)}
	}
	if strings.ContainsRune(line, 0) {
		return Command{}, refusal{ErrCommand, "", "a command holds a NUL"}
	}
	if strings.EqualFold(line, BuiltinAggregate) {
		return Command{Builtin: BuiltinAggregate}, nil
	}
	if name, ok := classCommand[line]; ok {
		return Command{Builtin: name}, nil
	}
	if javaClass.MatchString(line) {
		return Command{}, refusal{ErrUnsupported, "", fmt.Sprintf("%s is a Java class that has no equal here; use a program or a builtin:", clip(line))}
	}
	args := SplitCommand(line)
	if len(args) == 0 {
		if line == "" {
			return Command{}, nil
		}
		return Command{}, refusal{ErrCommand, "", fmt.Sprintf("%q names no program", clip(line))}
	}
	if name, ok := strings.CutPrefix(args[0], builtin); ok {
		if name == "" {
			return Command{}, refusal{ErrCommand, "", fmt.Sprintf("%s names no operation; want builtin:NAME", clip(line))}
		}
		return Command{Builtin: name, Args: args[1:]}, nil
	}
	return Command{Args: args}, nil
}

// SplitCommand splits a command line as Hadoop Streaming does: at spaces (nothing
// else is white space), where '…' and "…" keep what they hold together. There is no
// shell: $, \ and * are themselves. A quote also ends the word before it, so that
// a"b c" is two words, and an empty pair of quotes is no word.
func SplitCommand(line string) []string {
	var args []string
	var quote byte
	start := 0
	for i := 0; i <= len(line); i++ {
		end := i == len(line)
		if !end {
			switch c := line[i]; {
			case quote == 0 && (c == '\'' || c == '"'):
				quote, end = c, true
			case quote != 0 && c == quote:
				quote, end = 0, true
			case quote == 0 && c == ' ':
				end = true
			}
		}
		if end {
			if i > start {
				args = append(args, line[start:i])
			}
			start = i + 1
		}
	}
	return args
}
