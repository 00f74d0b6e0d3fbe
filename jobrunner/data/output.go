package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/zennet/zennet/jobrunner/files"
)

// success is the empty file that says that an output is whole.
const success = "_SUCCESS"

// Output is a job's output folder. Until it is committed, its files lie in the
// staging folder: hidden, beside it, or in the nearest folder above that exists.
type Output struct {
	data *Data
	id   string // the job's
	text string // the output as the job file has it
}

// Staging names a staging folder: its path in the output's file system, and its
// number there, which a rename keeps.
type Staging struct {
	Path string
	ID   uint64
}

// Place is where a staging folder is found.
type Place uint8

// The places.
const (
	Gone      Place = iota
	Staged          // where Begin made it
	Committed       // it is the output
)

// Output is the folder that the job with this id, of kind mapreduce, delivers into. No
// other job of anybody's may have the id: it names the staging folder.
func (d *Data) Output(id string) *Output {
	return &Output{data: d, id: id, text: d.job.MapReduce.Output}
}

// locate gives the file system and the absolute path of the output.
func (o *Output) locate(ctx context.Context) (files.System, string, error) {
	p, err := parse(o.text, o.data.dir)
	if err != nil {
		return nil, "", err
	}
	at, err := p.absolute()
	if err != nil {
		return nil, "", err
	}
	if at == "/" {
		return nil, "", fmt.Errorf("%w: an output cannot be the root folder", ErrPlace)
	}
	sys, err := o.data.system(ctx, p)
	return sys, at, err
}

// Exists gives the number of what is at the output's place already; false where
// nothing is. Errors name the job file's line.
func (o *Output) Exists(ctx context.Context) (id uint64, there bool, err error) {
	sys, at, err := o.locate(ctx)
	if err == nil {
		id, there, err = number(ctx, sys, at)
	}
	return id, there, refuse(o.data.job, "output", o.text, err)
}

func number(ctx context.Context, sys files.System, at string) (uint64, bool, error) {
	info, err := sys.Stat(ctx, at)
	if err != nil && missing(err) {
		return 0, false, nil
	}
	return info.ID, err == nil, err
}

// Begin makes the staging folder, empty: the proof that the output can be written.
// What is left in such a folder is removed first. An output that is there already
// is fs.ErrExist. Errors name the job file's line.
func (o *Output) Begin(ctx context.Context) (Staging, error) {
	s, err := o.begin(ctx)
	return s, refuse(o.data.job, "output", o.text, err)
}

func (o *Output) begin(ctx context.Context) (Staging, error) {
	sys, at, err := o.locate(ctx)
	if err != nil {
		return Staging{}, err
	}
	switch _, there, err := number(ctx, sys, at); {
	case err != nil:
		return Staging{}, err
	case there:
		return Staging{}, inTheWay{}
	}
	above := path.Dir(at)
	for {
		info, err := sys.Stat(ctx, above)
		if err == nil && !info.Folder {
			return Staging{}, fmt.Errorf("%s is not a folder", above)
		}
		if err == nil {
			break
		}
		if !missing(err) || above == "/" {
			return Staging{}, err
		}
		above = path.Dir(above)
	}
	s := Staging{Path: path.Join(above, "."+path.Base(at)+".zennet-"+o.id)}
	err = sys.Mkdir(ctx, s.Path)
	if errors.Is(err, fs.ErrExist) {
		if err = sys.Remove(ctx, s.Path); err == nil {
			err = sys.Mkdir(ctx, s.Path)
		}
	}
	if err != nil {
		return Staging{}, err
	}
	info, err := sys.Stat(ctx, s.Path)
	s.ID = info.ID
	return s, err
}

// Find tells what became of a staging folder.
func (o *Output) Find(ctx context.Context, s Staging) (Place, error) {
	sys, at, err := o.locate(ctx)
	if err != nil {
		return Gone, err
	}
	// The output is looked at last: a folder that is renamed meanwhile is found.
	id, there, err := number(ctx, sys, s.Path)
	if err != nil {
		return Gone, err
	}
	if there && id == s.ID {
		return Staged, nil
	}
	if id, there, err = number(ctx, sys, at); err != nil || !there || id != s.ID {
		return Gone, err
	}
	// A disk gives the number of a removed folder to another: one without _SUCCESS is.
	if _, there, err = number(ctx, sys, path.Join(at, success)); err != nil || !there {
		return Gone, err
	}
	return Committed, nil
}

// Put writes a file of size bytes into the staging folder, whole or not at all;
// from may be called again. Its name may lie in folders there. A file of that name there is replaced: nobody vouches
// for it.
func (o *Output) Put(ctx context.Context, s Staging, name string, size int64, from func() (io.ReadCloser, error)) error {
	sys, _, err := o.locate(ctx)
	if err != nil {
		return err
	}
	if !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("%w: %q is no file name", ErrPlace, name)
	}
	at := path.Join(s.Path, name)
	if path.Dir(at) != s.Path {
		if err := sys.MkdirAll(ctx, path.Dir(at)); err != nil {
			return err
		}
	}
	info, err := sys.Put(ctx, at, from)
	if errors.Is(err, fs.ErrExist) {
		if err = sys.Remove(ctx, at); err == nil {
			info, err = sys.Put(ctx, at, from)
		}
	}
	if err == nil && info.Size != size {
		err = errors.Join(fmt.Errorf("%s has %d bytes after %d were written", at, info.Size, size), sys.Remove(ctx, at))
	}
	return err
}

// Settle gives the file from in the staging folder, of size bytes, its last name there; it
// replaces a file that has it. Where that has happened before, it is done. fs.ErrNotExist:
// there is no such file.
func (o *Output) Settle(ctx context.Context, s Staging, from, name string, size int64) error {
	sys, _, err := o.locate(ctx)
	if err != nil {
		return err
	}
	if !fs.ValidPath(from) || from == "." || !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("%w: %q or %q is no file name", ErrPlace, from, name)
	}
	from, name = path.Join(s.Path, from), path.Join(s.Path, name)
	is := func(at string) (bool, error) {
		info, err := sys.Stat(ctx, at)
		if err != nil && missing(err) {
			return false, nil
		}
		return err == nil && !info.Folder && info.Size == size, err
	}
	there, err := is(from)
	if err != nil {
		return err
	}
	if !there {
		if there, err = is(name); err == nil && !there {
			err = fmt.Errorf("%s of %d bytes: %w", from, size, fs.ErrNotExist)
		}
		return err
	}
	if path.Dir(name) != s.Path {
		if err := sys.MkdirAll(ctx, path.Dir(name)); err != nil {
			return err
		}
	}
	if err = sys.Rename(ctx, from, name); errors.Is(err, fs.ErrExist) {
		if err = sys.Remove(ctx, name); err == nil {
			err = sys.Rename(ctx, from, name)
		}
	}
	return err
}

// Commit makes the staging folder the output by one rename: with the named files
// and their sizes, an empty _SUCCESS, and nothing else. A file that is missing or
// has another size is fs.ErrNotExist, an output that somebody made meanwhile
// fs.ErrExist; then the staging folder stays.
func (o *Output) Commit(ctx context.Context, s Staging, names map[string]int64) error {
	sys, at, err := o.locate(ctx)
	if err != nil {
		return err
	}
	if err := o.tidy(ctx, sys, s, names); err != nil {
		return err
	}
	empty := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(nil)), nil }
	if err := o.Put(ctx, s, success, 0, empty); err != nil {
		return err
	}
	if above := path.Dir(at); above != path.Dir(s.Path) {
		if err := sys.MkdirAll(ctx, above); err != nil {
			return err
		}
	}
	err = sys.Rename(ctx, s.Path, at)
	if errors.Is(err, fs.ErrExist) {
		return overtaken{err}
	}
	return err
}

// tidy removes what does not belong to the output and says which file of it is
// not there as it was delivered.
func (o *Output) tidy(ctx context.Context, sys files.System, s Staging, names map[string]int64) error {
	folders := map[string]bool{}
	for name := range names {
		for at := path.Dir(name); at != "."; at = path.Dir(at) {
			folders[at] = true
		}
	}
	found := 0
	var strange []string
	for todo := []string{s.Path}; len(todo) > 0; {
		at := todo[0]
		todo = todo[1:]
		err := sys.List(ctx, at, func(entries []files.Info) error {
			for _, e := range entries {
				name := strings.TrimPrefix(e.Path, s.Path+"/")
				size, ok := names[name]
				switch {
				case e.Folder && folders[name]:
					todo = append(todo, e.Path)
				case ok && !e.Folder && size == e.Size:
					found++
				default:
					strange = append(strange, e.Path)
				}
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	for _, at := range strange {
		if err := sys.Remove(ctx, at); err != nil {
			return err
		}
	}
	if found != len(names) {
		return fmt.Errorf("%d of the %d files delivered into %s are there: %w", found, len(names), s.Path, fs.ErrNotExist)
	}
	return nil
}

// Discard removes the staging folder with all that is in it.
func (o *Output) Discard(ctx context.Context, s Staging) error {
	sys, _, err := o.locate(ctx)
	if err != nil {
		return err
	}
	return sys.Remove(ctx, s.Path)
}
