package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// words splits a command line as a shell does, without its redirections.
func words(t *testing.T, line string) []string {
	t.Helper()
	line = regexp.MustCompile(`\s[<>]\s*\S+|\s&$`).ReplaceAllString(line, "")
	line = regexp.MustCompile(`\$\([^)]*\)`).ReplaceAllString(line, "x") // a command in it is an example of its own
	out, err := exec.Command("sh", "-fc", "set -- "+line+"\nprintf '%s\\0' \"$@\"").Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// lines are the command lines of a text, those that go on put together.
func lines(text string) []string {
	var out []string
	for _, line := range strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// readme is the repository's README.
func readme(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// examples are the command lines of a program in its own help and in the README.
func examples(t *testing.T, root *cobra.Command) []string {
	var out []string
	inner := regexp.MustCompile(`\$\((` + root.Name() + ` [^|)]*)`)
	take := func(text string) {
		for _, line := range lines(text) {
			line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "$ "), "ZENNET_HOME=me "), "bin/")
			if strings.HasPrefix(line, root.Name()+" ") {
				out = append(out, line)
			}
			for _, m := range inner.FindAllStringSubmatch(line, -1) {
				out = append(out, m[1])
			}
		}
	}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		take(c.Example)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	for i, block := range strings.Split(readme(t), "```") {
		if i%2 == 0 || strings.Contains(block, "│") { // the picture
			continue
		}
		take(block)
	}
	if len(out) < 3 {
		t.Fatalf("%d examples of %s", len(out), root.Name())
	}
	return out
}

// parse checks a command line's command, flags and arguments without running it.
func parse(t *testing.T, root *cobra.Command, line string) {
	t.Helper()
	args := words(t, line)
	if args[0] != root.Name() {
		t.Fatalf("%s: not of %s", line, root.Name())
	}
	cmd, rest, err := root.Find(args[1:])
	if err == nil && !cmd.DisableFlagParsing {
		if err = cmd.ParseFlags(rest); err == nil && cmd.Args != nil {
			err = cmd.Args(cmd, cmd.Flags().Args())
		}
	}
	if err != nil || cmd == root && root.Name() == "zennet-job" {
		t.Errorf("%s: %v", line, err)
	}
}

// TestExamples: every command line that a help text or the README shows is one that
// the program takes; those that only read files are run.
func TestExamples(t *testing.T) {
	t.Setenv("ZENNET_HOME", t.TempDir())
	e := env{strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}}
	all := examples(t, newJob(e))
	for _, line := range all {
		parse(t, newJob(e), line)
	}
	for _, line := range examples(t, newDaemon(e)) {
		parse(t, newDaemon(e), line)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../jobs/examples")); err != nil {
		t.Fatal(err)
	}
	_, hello, found := strings.Cut(readme(t), "# hello.yaml\n")
	hello, _, ended := strings.Cut(hello, "```")
	if !found || !ended {
		t.Fatal("the README has no hello.yaml")
	}
	if err := os.WriteFile(filepath.Join(dir, "hello.yaml"), []byte(hello), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	ran := 0
	for _, line := range all {
		args := words(t, line)[1:]
		if !slices.Contains([]string{"validate", "plan"}, args[0]) {
			continue
		}
		ran++
		in := strings.NewReader("")
		if _, file, ok := strings.Cut(line, "< "); ok {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in = strings.NewReader(string(data))
		}
		var out, errs bytes.Buffer
		if got := Run(t.Context(), args, in, &out, &errs); got != 0 || out.Len() == 0 {
			t.Errorf("%s: exit %d:\n%s%s", line, got, out.String(), errs.String())
		}
	}
	if ran < 5 {
		t.Errorf("%d examples were run", ran)
	}
	var out, errs bytes.Buffer
	if Run(t.Context(), []string{"plan", "hello.yaml"}, strings.NewReader(""), &out, &errs); !strings.Contains(out.String(), "100 tasks in at most 4 containers") {
		t.Errorf("hello.yaml: %s%s", out.String(), errs.String())
	}
}
