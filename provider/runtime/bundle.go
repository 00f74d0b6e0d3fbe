package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A container's bundle folder, <Dir>/bundles/<ID>, is made before anything else
// of the container and deleted after all else: what has no bundle has nothing.
//
//	config.json  what runc reads
//	rootfs/      skeleton of the root
//	scratch.img  the scratch volume
//	sock         the worker's listening socket
//	pid          of the container's first process, written by runc
//	worker.log   what the worker had to say about itself
const (
	configFile  = "config.json"
	scratchFile = "scratch.img"
	socketFile  = "sock"
	pidFile     = "pid"
	logFile     = "worker.log"
)

func (r *Runc) bundle(id string) string { return filepath.Join(r.cfg.Dir, "bundles", id) }
func (r *Runc) cgroup(id string) string { return "/zennet/" + r.cfg.Label + "/" + id }

// exists returns ErrNotFound unless the container has a bundle.
func (r *Runc) exists(id string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("%w: ID %q", ErrSpec, id)
	}
	if _, err := os.Lstat(r.bundle(id)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrNotFound, id)
	} else if err != nil {
		return fmt.Errorf("container %s: %w", id, err)
	}
	return nil
}

// pid reads the first process of a container; 0 where there is none yet.
func (r *Runc) pid(id string) int {
	data, err := os.ReadFile(filepath.Join(r.bundle(id), pidFile))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}

func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// Every container on the machine has a user of its own, so that ownership and
// per-user limits of the kernel are per container. The machine's agents share one
// pool: a link <uidDir>/<uid> → bundle claims a user as long as the bundle exists.
const (
	uidDir   = "/run/zennet/uid"
	firstUID = 700000
	lastUID  = 799999
)

// claimUID takes the lowest free user for a bundle.
func claimUID(dir, bundle string) (uint32, error) {
	unlock, err := lockUIDs(dir)
	if err != nil {
		return 0, err
	}
	defer unlock()
	for uid := firstUID; uid <= lastUID; uid++ {
		link := filepath.Join(dir, strconv.Itoa(uid))
		if owner, err := os.Readlink(link); err == nil {
			if _, err := os.Lstat(owner); !errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := os.Remove(link); err != nil {
				return 0, fmt.Errorf("claim a user: %w", err)
			}
		}
		if err := os.Symlink(bundle, link); err == nil {
			return uint32(uid), nil
		} else if !errors.Is(err, fs.ErrExist) {
			return 0, fmt.Errorf("claim a user: %w", err)
		}
	}
	return 0, fmt.Errorf("%w: all users from %d to %d are taken", ErrHost, firstUID, lastUID)
}

// releaseUID gives up the users that a bundle has claimed.
func releaseUID(dir, bundle string) error {
	unlock, err := lockUIDs(dir)
	if err != nil {
		return err
	}
	defer unlock()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("release a user: %w", err)
	}
	for _, entry := range entries {
		link := filepath.Join(dir, entry.Name())
		if owner, err := os.Readlink(link); err == nil && owner == bundle {
			if err := os.Remove(link); err != nil {
				return fmt.Errorf("release a user: %w", err)
			}
		}
	}
	return nil
}

func lockUIDs(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("users of containers: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("users of containers: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("users of containers: %w", err)
	}
	return func() { f.Close() }, nil
}
