package spec

import (
	"io/fs"
	"strings"
)

// Parse reads the job file's text. name is what messages call it ("fold.yaml");
// files is the folder it stands in, through which inputs are looked for; sets are
// the values of --set flags, "dotted.key=YAML value", applied in order over the
// file. The error is Problems.
func Parse(name string, data []byte, files fs.FS, sets []string) (Job, error) {
	return Job{}, Problems{List: []Problem{{Where: name, Kind: ErrSyntax, Text: "nothing is read yet"}}}
}

func at(lines map[string]string, file, key string) string {
	for key != "" {
		if where, ok := lines[key]; ok {
			return where
		}
		key = key[:max(0, strings.LastIndexByte(key, '.'))]
	}
	return file
}
