package commandline

import (
	"errors"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobs/spec"
)

// FuzzParse: whatever stands on a command line is refused with a kind, or becomes a
// job file that is read back as YAML of known keys.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"-input\x00in\x00-output\x00out\x00-mapper\x00cat",
		"hadoop\x00jar\x00x.jar\x00-D\x00a.b=c: {d\x00-input\x00in,{a,b}\x00hdfs:///x\x00-output\x00/o\x00-reducer\x00NONE",
		"-files\x00a#b,/c\x00-archives\x00x.zip#y\x00-file\x00../d\x00-input\x00in\x00-output\x00out\x00-cmdenv\x00A=1 2",
		"-Dmapred.job.name=\x00-fs\x00h:1\x00-input\x00 \x00-output\x00~",
		"-D\x00mapreduce.job.name=\t#\"'\x00-input\x00in\x00-output\x00out\x00-cmdenv\x00Q=\r\n%",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		job, err := Parse(strings.Split(line, "\x00"), here)
		if err != nil || job.Help {
			return
		}
		_, err = spec.Parse("streaming", job.YAML, files, nil)
		var problems spec.Problems
		if !errors.As(err, &problems) {
			return
		}
		for _, p := range problems.List {
			if p.Kind == spec.ErrSyntax {
				t.Errorf("%q: %v\n%s", line, p, job.YAML)
			}
		}
	})
}
