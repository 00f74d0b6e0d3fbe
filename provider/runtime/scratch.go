package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The scratch volume is a sparse file with an ext4 on it, behind a loop device.
// The file's length is the limit, and the kernel holds it. The file system has
// no journal (nobody recovers a scratch volume), no blocks kept for root, and
// its tables are not zeroed, for the sparse file is zeros: about 5 ms.

// makeScratch writes an image of the given size whose root belongs to uid.
func makeScratch(ctx context.Context, image string, bytes uint64, uid uint32) error {
	f, err := os.OpenFile(image, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("scratch volume: %w", err)
	}
	err = f.Truncate(int64(bytes))
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("scratch volume: %w", err)
	}
	cmd := exec.CommandContext(ctx, "mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0",
		"-O", "^has_journal,^resize_inode",
		"-E", fmt.Sprintf("lazy_itable_init=1,nodiscard,root_owner=%d:%d", uid, uid), image)
	cmd.Env = append(os.Environ(), "PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin")
	if out, err := cmd.CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("%w: no mkfs.ext4 (package e2fsprogs)", ErrHost)
		}
		return fmt.Errorf("scratch volume: mkfs.ext4: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// attach makes a loop device of image. The device detaches by itself when its
// last user is gone: the returned file, which the caller closes once the
// container has mounted it, and then the container's mount.
func attach(image string) (*os.File, error) {
	back, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("scratch volume: %w", err)
	}
	defer back.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: loop devices: %v", ErrHost, err)
	}
	defer control.Close()
	// Others may take the free device first, so that many may be tried.
	for range 256 {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("%w: no free loop device: %v", ErrHost, err)
		}
		device, err := openLoop(n)
		if errors.Is(err, unix.ENXIO) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%w: loop device: %v", ErrHost, err)
		}
		config := unix.LoopConfig{Fd: uint32(back.Fd()), Size: 4096,
			Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR | unix.LO_FLAGS_DIRECT_IO}}
		copy(config.Info.File_name[:len(config.Info.File_name)-1], image)
		switch err = unix.IoctlLoopConfigure(int(device.Fd()), &config); {
		case err == nil:
			return device, nil
		case errors.Is(err, unix.EBUSY):
			device.Close()
		default:
			device.Close()
			return nil, fmt.Errorf("%w: loop device %d: %v", ErrHost, n, err)
		}
	}
	return nil, fmt.Errorf("%w: no free loop device", ErrHost)
}

// openLoop opens /dev/loop<n>, and makes the node where no udev does.
func openLoop(n int) (*os.File, error) {
	path := "/dev/loop" + strconv.Itoa(n)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		if err = unix.Mknod(path, unix.S_IFBLK|0o600, int(unix.Mkdev(7, uint32(n)))); err == nil || errors.Is(err, unix.EEXIST) {
			f, err = os.OpenFile(path, os.O_RDWR, 0)
		}
	}
	return f, err
}

// loopsOf lists the loop devices whose backing file is image.
func loopsOf(image string) []string {
	files, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	var out []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if strings.TrimSuffix(strings.TrimSpace(string(data)), " (deleted)") == image {
			out = append(out, filepath.Base(filepath.Dir(filepath.Dir(file))))
		}
	}
	return out
}

// detached waits until no loop device has image any more, and after a while asks
// for it: a container's mounts go a little after its last process.
func detached(ctx context.Context, image string) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		loops := loopsOf(image)
		if len(loops) == 0 {
			return nil
		}
		if wait >= 64*time.Millisecond {
			for _, name := range loops {
				if f, err := os.OpenFile("/dev/"+name, os.O_RDWR, 0); err == nil {
					unix.IoctlSetInt(int(f.Fd()), unix.LOOP_CLR_FD, 0)
					f.Close()
				}
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("scratch volume is still in use by %s: %w", strings.Join(loops, ", "), ctx.Err())
		case <-time.After(wait):
		}
	}
}
