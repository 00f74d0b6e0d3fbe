package mapreduce

import (
	"fmt"
	"os"

	"github.com/zennet/zennet/jobs/mapreduce"
)

// prepareWork makes the user's working folder ready: files executable, archives
// unpacked.
func (a *attempt) prepareWork() error {
	root, err := os.OpenRoot(a.path(mapreduce.WorkDir))
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range a.task.Files {
		info, err := root.Stat(name)
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() && info.Mode()&0o111 != 0o111 {
			if err := root.Chmod(name, info.Mode().Perm()|0o111); err != nil {
				return err
			}
		}
	}
	for _, archive := range a.task.Archives {
		if err := root.MkdirAll(archive.Folder, 0o755); err != nil {
			return err
		}
		into, err := root.OpenRoot(archive.Folder)
		if err != nil {
			return err
		}
		err = unpack(a.path(mapreduce.ArchiveDir+"/"+archive.File), into)
		into.Close()
		if err != nil {
			return fmt.Errorf("unpack the archive of %s: %w", archive.Folder, err)
		}
	}
	return nil
}
