package mapreduce

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/zennet/zennet/jobs/mapreduce"
)

// checkSide refuses side files that cannot be delivered, while the task can still say
// so: what is no file, and names that the job itself gives in its output. Hadoop has
// such a file overwritten, or takes it for a part.
func (a *attempt) checkSide() error {
	root := a.path(mapreduce.SideDir)
	if err := os.MkdirAll(root, 0o755); err != nil { // where a program has removed it
		return err
	}
	return fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
			return err
		case !d.Type().IsRegular():
			return fmt.Errorf("side file %s is no regular file", name)
		}
		if wrong := mapreduce.SideName(name); wrong != "" {
			return fmt.Errorf("side file: %s", wrong)
		}
		return nil
	})
}
