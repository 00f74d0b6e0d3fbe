package mapreduce

import (
	"errors"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobs/mapreduce"
)

// A record that the lease's memory cannot hold is refused with its place and with
// what to raise; where a program dies of one that is large, that is told too.
func TestLargeRecord(t *testing.T) {
	dies := map[string]string{"die.sh": "cat > /dev/null; kill -9 $$"}
	huge, big := strings.Repeat("x", 2*megabyte), strings.Repeat("y", 700_000)
	for name, c := range map[string]struct {
		mapper, reducer, input string
		conf                   []string
		want                   []string // in the error
		log                    string
	}{
		"read as records": {mapper: "builtin:identity", reducer: "cat", input: "short\n" + huge + "\nend\n",
			want: []string{"the record at byte 6 of in/0 has more than 1 MiB", "resources.memory", "9 MiB at least"}},
		"by a delimiter": {mapper: "cat", reducer: "cat", input: "short|" + huge + "|end", conf: []string{"textinputformat.record.delimiter=|"},
			want: []string{"the record at byte 6 of in/0 has more than 1 MiB", "9 MiB at least"}},
		"a word": {mapper: "builtin:wordcount", reducer: "builtin:sum", input: "short " + huge,
			want: []string{"a word of in/0 has more than 1 MiB", "9 MiB at least"}},
		"passed through": {mapper: "cat", reducer: "cat", input: "short\n" + huge + "\nend\n",
			want: []string{"mapper cat: ", "a line that it wrote has more than 1 MiB", "9 MiB at least"}, log: "mapreduce: the record at byte 6 of in/0 has "},
		"the mapper dies of it": {mapper: "sh die.sh", reducer: "cat", input: "a\nb\n" + big,
			want: []string{"killed by signal 9", "it was given a large record: the record at byte 4 of in/0 has 700000 bytes or more", "6 MiB at least"}, log: "mapreduce: the record at byte 4"},
		"the reducer dies of it": {mapper: "cat", reducer: "sh die.sh", input: "a\nb\n" + big,
			want: []string{"killed by signal 9", "it was given a large record: record 3 of the reducer's input has 700000 bytes or more"}},
		"it fits": {mapper: "cat", reducer: "cat", input: "a\n" + big + "\n", log: "mapreduce: the record at byte 2 of in/0 has "},
		"small":   {mapper: "cat", reducer: "cat", input: strings.Repeat("a line\n", 100_000)},
	} {
		j := &job{Options: streamed(c.mapper, c.reducer, c.conf...), inputs: []string{c.input}, files: dies,
			change: func(task *mapreduce.Task) { task.Record = megabyte }}
		_, err := j.run(t)
		for _, words := range c.want {
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: want %q in: %v", name, words, err)
			}
		}
		if len(c.want) == 0 && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if told := j.log.String(); !strings.Contains(told, c.log) || c.log == "" && strings.Contains(told, "record") && c.want == nil {
			t.Errorf("%s: the log has %.300q", name, told)
		}
		if strings.Contains(c.input, huge) != errors.Is(err, errTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Without a bound nothing is refused and nothing told.
func TestAnyRecord(t *testing.T) {
	j := &job{Options: streamed("cat", "cat"), inputs: []string{strings.Repeat("x", 3*megabyte)}}
	if parts, err := j.run(t); err != nil || len(parts[0]) != 3*megabyte+2 || j.log.Len() > 0 {
		t.Errorf("%v, %q", err, j.log.String())
	}
}
