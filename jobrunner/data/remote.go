package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobs/spec"
)

// Remotes looks for the files and folders that the job's tasks start from and that are
// named by URLs, and opens each file: that it can be read is known before anything is
// spent. Nothing in such a URL is a pattern, as in Hadoop. Of a folder all files are
// taken, in folders too; one without files is refused. An error names the job file's
// line.
func (d *Data) Remotes(ctx context.Context) ([]spec.Remote, error) {
	sources := d.job.Sources()
	if len(sources) > spec.MaxInputs {
		one := sources[spec.MaxInputs]
		return nil, refuse(d.job, one.Key, one.URL, fmt.Errorf("the job's tasks start from more than %d URLs", spec.MaxInputs))
	}
	var out []spec.Remote
	left := spec.MaxTreeFiles
	for _, one := range sources {
		r, err := d.remote(ctx, one.URL, &left)
		if err != nil {
			return nil, refuse(d.job, one.Key, one.URL, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// remote looks for one URL; left is how many files all of them may still have.
func (d *Data) remote(ctx context.Context, url string, left *int) (spec.Remote, error) {
	r := spec.Remote{URL: url}
	p, err := parse(url, d.dir)
	if err != nil {
		return r, err
	}
	at, err := p.absolute()
	if err != nil {
		return r, err
	}
	sys, err := d.system(ctx, p)
	if err != nil {
		return r, err
	}
	info, err := sys.Stat(ctx, at)
	if err != nil {
		return r, err
	}
	add := func(name string, f files.Info) error {
		switch {
		case f.Other:
			return fmt.Errorf("%s is neither a file nor a folder", f.Path)
		case f.Encrypted:
			return fmt.Errorf("%s lies in an encryption zone, whose files cannot be decrypted here", f.Path)
		}
		if *left--; *left < 0 {
			return fmt.Errorf("the job's tasks start from more than %d files of other file systems", spec.MaxTreeFiles)
		}
		file, err := sys.Open(ctx, f.Path, 0)
		if err != nil {
			return err
		}
		r.Files = append(r.Files, spec.RemoteFile{Name: name,
			Found: spec.Found{Path: p.name(f.Path), Size: f.Size, Block: f.Block, ID: f.ID, ModTime: f.ModTime}})
		return file.Close()
	}
	if !info.Folder {
		return r, add(".", info)
	}
	for todo := []string{at}; len(todo) > 0; todo = todo[1:] {
		if strings.Count(todo[0], "/") > strings.Count(at, "/")+maxDepth {
			return r, fmt.Errorf("%s lies more than %d folders deep", todo[0], maxDepth)
		}
		var found []files.Info
		err := sys.List(ctx, todo[0], func(entries []files.Info) error {
			for _, e := range entries {
				if e.Folder {
					todo = append(todo, e.Path)
				} else {
					found = append(found, e)
				}
			}
			if len(found) > *left {
				return fmt.Errorf("the job's tasks start from more than %d files of other file systems", spec.MaxTreeFiles)
			}
			return ctx.Err()
		})
		if err != nil && !(errors.Is(err, fs.ErrNotExist) && todo[0] != at) {
			return r, err
		}
		for _, f := range found {
			if err := add(strings.TrimPrefix(f.Path, strings.TrimSuffix(at, "/")+"/"), f); err != nil {
				return r, err
			}
		}
	}
	if len(r.Files) == 0 {
		return r, fmt.Errorf("%s is a folder without files", path.Base(at))
	}
	slices.SortFunc(r.Files, func(a, b spec.RemoteFile) int { return strings.Compare(a.Name, b.Name) })
	return r, nil
}
