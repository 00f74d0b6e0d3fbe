package api

import (
	"fmt"
	"os"
	"path/filepath"
)

// withSocketPath calls fn with a name of path that fits the 107 bytes of a unix
// socket's address: a longer one goes through a descriptor of its folder.
func withSocketPath(path string, fn func(path string) error) error {
	if len(path) < 108 {
		return fn(path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return fn(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
}
