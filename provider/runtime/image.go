package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// HostImage is the image of the provider's own programs.
const HostImage = "host"

// hostEtc is what an image "host" has of /etc: what programs need to start and
// to run, nothing that tells about users, services or secrets of the machine.
// Names that are missing on the host are left out.
var hostEtc = []string{"ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "ssl/certs", "ssl/openssl.cnf", "ca-certificates",
	"localtime", "protocols", "services", "mime.types", "magic", "openmpi", "fonts", "perl", "python3", "python3.[0-9]*", "java-*", "R"}

// usrNames are the top-level names that belong to /usr: links into it, where the
// host has merged them.
var usrNames = []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"}

// own are top-level folders that a container gets from us, whatever the image has.
var own = map[string]bool{"proc": true, "dev": true, "sys": true, "work": true, "tmp": true, "zennet": true}

// prepareRoot makes the bundle's root folder: an empty skeleton, over which the
// image's parts are bound read-only. The image itself is never written to.
func prepareRoot(bundle, image string, uid uint32) ([]specs.Mount, error) {
	root := filepath.Join(bundle, "rootfs")
	for _, dir := range []string{"etc", "proc", "dev", "sys", "work", "tmp", "zennet"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return nil, fmt.Errorf("root folder: %w", err)
		}
	}
	// The bundle is closed to others, but what is bound from it must be readable.
	if err := os.Chmod(root, 0o755); err != nil {
		return nil, fmt.Errorf("root folder: %w", err)
	}
	files := []struct{ name, text string }{
		{"passwd", fmt.Sprintf("root:x:0:0:root:/:/usr/sbin/nologin\nzennet:x:%d:%d:zennet:/work:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n", uid, uid)},
		{"group", fmt.Sprintf("root:x:0:\nzennet:x:%d:\nnogroup:x:65534:\n", uid)},
		{"hosts", "127.0.0.1 localhost zennet\n::1 localhost\n"},
		{"nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
	}
	if image == HostImage {
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(root, "etc", f.name), []byte(f.text), 0o644); err != nil {
				return nil, fmt.Errorf("root folder: %w", err)
			}
		}
		return hostBinds(root)
	}
	binds, err := folderBinds(root, image)
	if err != nil {
		return nil, err
	}
	// Where the image has these files, the container sees ours in their place.
	for _, f := range files[:3] {
		if info, err := os.Lstat(filepath.Join(image, "etc", f.name)); err != nil || !info.Mode().IsRegular() {
			continue
		}
		path := filepath.Join(bundle, f.name)
		if err := os.WriteFile(path, []byte(f.text), 0o644); err != nil {
			return nil, fmt.Errorf("root folder: %w", err)
		}
		binds = append(binds, specs.Mount{Destination: "/etc/" + f.name, Type: "bind", Source: path, Options: bindFile})
	}
	return binds, nil
}

func hostBinds(root string) ([]specs.Mount, error) {
	binds := []specs.Mount{{Destination: "/usr", Type: "bind", Source: "/usr", Options: bindTree}}
	for _, name := range usrNames {
		info, err := os.Lstat("/" + name)
		switch {
		case err != nil:
		case info.IsDir(): // a host that has not merged them into /usr
			binds = append(binds, specs.Mount{Destination: "/" + name, Type: "bind", Source: "/" + name, Options: bindTree})
		default:
			if err := os.Symlink("usr/"+name, filepath.Join(root, name)); err != nil {
				return nil, fmt.Errorf("root folder: %w", err)
			}
		}
	}
	for _, pattern := range hostEtc {
		found, err := filepath.Glob("/etc/" + pattern)
		if err != nil {
			return nil, fmt.Errorf("%w: host: %v", ErrImage, err)
		}
		for _, path := range found {
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm()&0o004 == 0 {
				continue
			}
			options := bindFile
			if info.IsDir() {
				options = bindTree
			}
			binds = append(binds, specs.Mount{Destination: path, Type: "bind", Source: path, Options: options})
		}
	}
	return binds, nil
}

// folderBinds binds each top-level folder and file of a root folder.
func folderBinds(root, image string) ([]specs.Mount, error) {
	entries, err := os.ReadDir(image)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrImage, err)
	}
	var binds []specs.Mount
	for _, entry := range entries {
		name, from := entry.Name(), filepath.Join(image, entry.Name())
		bind := specs.Mount{Destination: "/" + name, Type: "bind", Source: from}
		switch mode := entry.Type(); {
		case own[name]:
			continue
		case mode&os.ModeSymlink != 0:
			target, err := os.Readlink(from)
			if err != nil {
				return nil, fmt.Errorf("%w: %v", ErrImage, err)
			}
			if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
				return nil, fmt.Errorf("root folder: %w", err)
			}
			continue
		case mode.IsDir():
			bind.Options = bindTree
		case mode.IsRegular():
			bind.Options = bindFile
		default:
			continue // a device or socket has no business in an image's root
		}
		binds = append(binds, bind)
	}
	if len(binds) == 0 {
		return nil, fmt.Errorf("%w: %s holds no programs", ErrImage, image)
	}
	return binds, nil
}

// isArchive says whether an image's name is a tar, plain or compressed by gzip.
func isArchive(image string) bool {
	return strings.HasSuffix(image, ".tar") || strings.HasSuffix(image, ".tar.gz") || strings.HasSuffix(image, ".tgz")
}

// rootOf finds the root folder of an image; HostImage stays what it is. A tar is
// unpacked into the cache first.
func (r *Runc) rootOf(image string) (string, error) {
	if image == HostImage {
		return image, nil
	}
	path, err := filepath.Abs(image)
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrImage, err)
	}
	// A bind follows links; resolved here once, so that the path is what is bound.
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", fmt.Errorf("%w: %v", ErrImage, err)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %v", ErrImage, err)
	case info.IsDir():
		return path, nil
	case info.Mode().IsRegular() && isArchive(path):
		return r.unpacked(path)
	}
	return "", fmt.Errorf("%w: %s is neither a folder nor a .tar, .tar.gz or .tgz", ErrImage, path)
}
