package gromacs

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"sort"
	"strings"

	"github.com/zennet/zennet/jobs/spec"
)

var include = regexp.MustCompile(`(?m)^[ \t]*#[ \t]*include[ \t]+["<]([^">]+)[">]`)

// includes are the files of the job's folder that a topology includes, directly or
// not, sorted; what is not there is left to gmx, whose own force fields it finds
// (a missing file of the user's then stops the first task with its name). Every
// path is relative to the job file's folder.
func includes(files fs.FS, top string) ([]string, error) {
	const most = 1000
	seen := map[string]bool{}
	queue := []string{top}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		for _, m := range include.FindAllStringSubmatch(string(data), -1) {
			if path.IsAbs(m[1]) {
				continue // a file of the provider's image
			}
			// gmx looks beside the including file, then where it runs: beside the topology.
			for _, base := range []string{path.Dir(name), path.Dir(top)} {
				at, problem := spec.Inside(path.Join(base, m[1]))
				if problem != "" {
					return nil, fmt.Errorf("%w: %s includes %s, which leaves the job file's folder", ErrInput, name, m[1])
				}
				info, err := fs.Stat(files, at)
				if err != nil || !info.Mode().IsRegular() {
					continue
				}
				if !seen[at] && at != top {
					seen[at] = true
					queue = append(queue, at)
				}
				break
			}
			if len(seen) > most {
				return nil, fmt.Errorf("%w: %s includes more than %d files", ErrInput, top, most)
			}
		}
	}
	out := make([]string, 0, len(seen))
	for name := range seen {
		out = append(out, name)
	}
	sort.Strings(out)
	return out, nil
}

// confAtoms is the number of atoms in a .gro file; 0 for other formats.
func confAtoms(name string, data []byte) (int, error) {
	if strings.HasSuffix(strings.ToLower(name), ".gro") {
		return groAtoms(strings.Split(string(data), "\n"))
	}
	if strings.HasSuffix(strings.ToLower(name), ".pdb") {
		s, err := ReadStructure(name, data)
		return s.Atoms, err
	}
	return 0, nil
}
