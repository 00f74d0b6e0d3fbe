package runtime

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
)

const (
	versionsTime = 30 * time.Second // for all programs that are asked at once
	maxVersion   = 200              // bytes
	maxAsked     = 64               // programs at once
	maxKnown     = 4096             // versions kept; then all are forgotten
)

// Versions tells the version of each program that the image has, in one line: what
// it says to --version, or, where it knows no such thing, the SHA-256 of its
// file. A program that the image lacks is missing. Programs run as any task does,
// in a container. Answers are kept until the image changes.
func (r *Runc) Versions(ctx context.Context, image string, programs []string) (map[string]string, error) {
	if len(programs) > maxAsked {
		return nil, fmt.Errorf("%w: versions of %d programs, at most %d", ErrSpec, len(programs), maxAsked)
	}
	root, err := r.rootOf(image)
	if err != nil {
		return nil, err
	}
	state, out, unknown := imageState(root), map[string]string{}, []string{}
	r.mu.Lock()
	for _, name := range programs {
		version, known := r.versions[state+"\x00"+name]
		switch {
		case !known:
			unknown = append(unknown, name)
		case version != "":
			out[name] = version
		}
	}
	r.mu.Unlock()
	if len(unknown) == 0 {
		return out, nil
	}
	ctx, cancel := context.WithTimeout(ctx, versionsTime)
	defer cancel()
	fresh, err := r.askVersions(ctx, image, unknown)
	if err != nil {
		return nil, fmt.Errorf("versions of %s in image %s: %w", strings.Join(unknown, ", "), image, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.versions) > maxKnown {
		clear(r.versions)
	}
	for _, name := range unknown {
		r.versions[state+"\x00"+name] = fresh[name]
	}
	maps.Copy(out, fresh)
	return out, nil
}

// imageState changes whenever programs are installed in a root folder: with the
// loader's cache, the package database, or the folders of programs.
func imageState(root string) string {
	state := root
	if root == HostImage {
		root = "/"
	}
	for _, name := range []string{"etc/ld.so.cache", "var/lib/dpkg/status", "usr/bin", "usr/local/bin", "bin"} {
		if info, err := os.Stat(filepath.Join(root, name)); err == nil {
			state += fmt.Sprintf("\x00%s %d %d", name, info.ModTime().UnixNano(), info.Size())
		}
	}
	return state
}

// askVersions runs the programs in a container of its own.
func (r *Runc) askVersions(ctx context.Context, image string, programs []string) (map[string]string, error) {
	var tag [6]byte
	rand.Read(tag[:])
	id := "versions-" + hex.EncodeToString(tag[:])
	if err := r.Start(ctx, Spec{ID: id, Image: image, MilliCPU: 1000, Memory: 512 << 20, Disk: 64 << 20, Pids: 64}); err != nil {
		return nil, err
	}
	defer func() {
		if err := r.Remove(context.WithoutCancel(ctx), id); err != nil {
			r.cfg.Log.Warn("container that told versions is not removed", "id", id, "err", err)
		}
	}()
	c, err := client.Connect(ctx, func(ctx context.Context) (io.ReadWriteCloser, error) { return r.Dial(ctx, id) })
	if err != nil {
		return nil, err
	}
	defer c.Close()
	out := map[string]string{}
	for _, name := range programs {
		said, err := ask(ctx, c, name, []string{name, "--version"})
		if err != nil {
			return nil, err
		}
		if said == nil {
			continue
		}
		if out[name] = versionLine(said); out[name] != "" {
			continue
		}
		digest, err := ask(ctx, c, "digest "+name, []string{workerPath, "digest", name})
		if err != nil {
			return nil, err
		}
		out[name] = strings.TrimSpace(string(digest))
	}
	return out, nil
}

// ask runs a command and returns what it printed, on stdout first; nil where the
// program is not there.
func ask(ctx context.Context, c *client.Client, id string, command []string) ([]byte, error) {
	if err := c.Run(protocol.Run{ID: id, Command: command, TimeoutSeconds: 10, GraceSeconds: 1}); err != nil {
		return nil, err
	}
	for {
		select {
		case ev, ok := <-c.Events():
			if !ok {
				return nil, c.Err()
			}
			e := ev.Exited
			if e == nil || e.ID != id {
				continue
			}
			if e.Class == protocol.ClassStart {
				return nil, nil
			}
			stdout, err := stream(ctx, c, id, protocol.FetchStdout, e.Stdout)
			if err != nil {
				return nil, err
			}
			stderr, err := stream(ctx, c, id, protocol.FetchStderr, e.Stderr)
			if err != nil {
				return nil, err
			}
			return append(append(stdout, '\n'), stderr...), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// maxSaid bounds what is read of a program that prints more than its version.
const maxSaid = 1 << 20

func stream(ctx context.Context, c *client.Client, id string, what uint8, s protocol.Stream) ([]byte, error) {
	if uint64(len(s.Inline)) == s.Size || s.Size > maxSaid {
		return s.Inline, nil
	}
	var all bytes.Buffer
	err := c.Fetch(ctx, id, what, "", s.Size, []types.Hash{s.Hash}, &all)
	return all.Bytes(), err
}

var (
	saysVersion = regexp.MustCompile(`(?i)version\b.*\d`)
	hasNumber   = regexp.MustCompile(`\d+\.\d+`)
)

// versionLine picks the line that tells a version: the first that says so, else
// the first with a number such as 1.2; "" where there is none.
func versionLine(said []byte) string {
	for _, sign := range []*regexp.Regexp{saysVersion, hasNumber} {
		for line := range bytes.Lines(said) {
			if sign.Match(line) {
				text := strings.Join(strings.Fields(strings.ToValidUTF8(string(line), "?")), " ")
				if len(text) > maxVersion {
					text = strings.ToValidUTF8(text[:maxVersion], "")
				}
				return text
			}
		}
	}
	return ""
}
