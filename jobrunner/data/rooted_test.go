package data

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/files/local"
	"github.com/zennet/zennet/jobs/spec"
)

// rooted is a part of the local disk that passes for an HDFS, counts its calls and
// fails where it is told to.
type rooted struct {
	local.System
	root string

	mu    sync.Mutex
	calls map[string]int
	fail  func(call, path string) error
}

func newRooted(t testing.TB) *rooted {
	return &rooted{root: t.TempDir(), calls: map[string]int{}}
}

func (r *rooted) call(call, path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[call]++
	if r.fail != nil {
		return r.fail(call, path)
	}
	return nil
}

func (r *rooted) in(path string) string { return filepath.Join(r.root, path) }

func (r *rooted) out(i files.Info) files.Info {
	i.Path = "/" + strings.TrimPrefix(strings.TrimPrefix(i.Path, r.root), "/")
	return i
}

func (r *rooted) Stat(ctx context.Context, path string) (files.Info, error) {
	if err := r.call("stat", path); err != nil {
		return files.Info{}, err
	}
	i, err := r.System.Stat(ctx, r.in(path))
	return r.out(i), err
}

func (r *rooted) List(ctx context.Context, path string, each func([]files.Info) error) error {
	if err := r.call("list", path); err != nil {
		return err
	}
	return r.System.List(ctx, r.in(path), func(all []files.Info) error {
		for i := range all {
			all[i] = r.out(all[i])
		}
		return each(all)
	})
}

func (r *rooted) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	if err := r.call("open", path); err != nil {
		return nil, err
	}
	return r.System.Open(ctx, r.in(path), offset)
}

func (r *rooted) Put(ctx context.Context, path string, from files.Source) (files.Info, error) {
	if err := r.call("put", path); err != nil {
		return files.Info{}, err
	}
	i, err := r.System.Put(ctx, r.in(path), from)
	return r.out(i), err
}

func (r *rooted) Mkdir(ctx context.Context, path string) error {
	if err := r.call("mkdir", path); err != nil {
		return err
	}
	return r.System.Mkdir(ctx, r.in(path))
}

func (r *rooted) MkdirAll(ctx context.Context, path string) error {
	return r.System.MkdirAll(ctx, r.in(path))
}

func (r *rooted) Rename(ctx context.Context, from, to string) error {
	if err := r.call("rename", from); err != nil {
		return err
	}
	return r.System.Rename(ctx, r.in(from), r.in(to))
}

func (r *rooted) Remove(ctx context.Context, path string) error {
	if err := r.call("remove", path); err != nil {
		return err
	}
	return r.System.Remove(ctx, r.in(path))
}

// write makes files, by path → content; a path that ends in a slash is a folder.
func (r *rooted) write(t testing.TB, all map[string]string) {
	t.Helper()
	for name, text := range all {
		at := r.in(name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(at, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// open gives data over the rooted folder as hdfs://nn, and as the job's own folder.
func (r *rooted) open(t testing.TB, m spec.MapReduce) *Data {
	t.Helper()
	job := spec.Job{File: "job.yaml", Kind: spec.KindMapReduce, MapReduce: &m, Lines: map[string]string{"input": "job.yaml:3", "output": "job.yaml:4"}}
	d, err := Open(job, r.root, Options{Connect: func(_ context.Context, scheme, authority string) (files.System, error) {
		if scheme != "hdfs" || authority != "nn" {
			return nil, fmt.Errorf("%w: %s://%s", files.ErrUnavailable, scheme, authority)
		}
		return r, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}
