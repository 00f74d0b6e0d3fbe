package mapreduce

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobs/mapreduce"
)

// Side files lie beside the part; names that are the job's, and what is no file, are
// refused by the task.
func TestSide(t *testing.T) {
	for script, want := range map[string]string{
		"mkdir $D/sub; echo a > $D/sub/x; echo b > $D/_log": "",
		"rm -r $D":                                "",
		"mkdir $D/empty":                          "",
		"echo > $D/part-r-00000":                  `side file: "part-r-00000" is a name that the job itself gives`,
		"echo > $D/_SUCCESS":                      `side file: "_SUCCESS" is a name`,
		"mkdir $D/_skipped; echo > $D/_skipped/x": `side file: "_skipped/x" is a name`,
		"ln -s /etc/passwd $D/x":                  "side file x is no regular file",
		"mkfifo $D/x":                             "side file x is no regular file",
		"echo > \"$D/a\\b\"":                      "is no name of a file",
	} {
		j := &job{Options: streamed("cat", "sh side.sh"), inputs: []string{"a\n"}, files: map[string]string{"side.sh": "cat\nD=$mapreduce_task_output_dir\n" + script + "\n"}}
		parts, err := j.run(t)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", script, err)
			}
			continue
		}
		if err != nil || parts[0] != "a\t\n" {
			t.Errorf("%s: %q %v", script, parts, err)
			continue
		}
		if !strings.Contains(script, "sub") {
			continue
		}
		for name, text := range map[string]string{"sub/x": "a\n", "_log": "b\n"} {
			if data, err := os.ReadFile(filepath.Join(j.dirs[1], mapreduce.SideDir, name)); err != nil || string(data) != text {
				t.Errorf("%s: %q %v", name, data, err)
			}
		}
	}
}
