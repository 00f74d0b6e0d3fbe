package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/jobs/spec"
)

const (
	// MaxFiles is how many input files a job may have.
	MaxFiles = 1_000_000
	maxDepth = 100 // folders in folders
	// maxTried files are opened at most, to see whether they can be read.
	maxTried = 100
)

// Survey lists the job's input files as Hadoop does: patterns are expanded; of a
// folder its files are taken, but for names that begin with _ or .; a folder in a
// folder is refused unless the job asks for it
// (mapreduce.input.fileinputformat.input.dir.recursive). A file that is named
// twice is there twice. Of each folder's files one of each owner, group and mode is
// opened: what may not be read, or not from here, is found out. Where maps get a number of lines each (NLineInputFormat), the
// files are read to find where these end. An error names the job file's line; nothing
// was spent.
func (d *Data) Survey(ctx context.Context) ([]spec.Found, error) {
	config, _, err := mapreduce.Resolve(d.job)
	if err != nil {
		return nil, err
	}
	s := survey{data: d, ctx: ctx, recursive: config.Input.Recursive, tried: map[alike]bool{}}
	if config.Input.Format == streaming.FormatNLine {
		s.lines = config.Input.Lines
	}
	for _, text := range d.job.MapReduce.Input {
		if err := s.input(text); err != nil {
			return nil, refuse(d.job, "input", text, err)
		}
	}
	return s.found, nil
}

// survey is one listing of the inputs.
type survey struct {
	data      *Data
	ctx       context.Context
	recursive bool
	lines     int // of a map; 0: files are cut by their sizes
	found     []spec.Found
	tried     map[alike]bool
}

// alike is what files have in common of which all can be read or none.
type alike struct{ system, folder, access string }

// input adds the files of one input: a file, a folder, or a pattern of these.
func (s *survey) input(text string) error {
	p, err := parse(text, s.data.dir)
	if err != nil {
		return err
	}
	sys, err := s.data.system(s.ctx, p)
	if err != nil {
		return err
	}
	matches, wild, err := s.glob(sys, p)
	if err != nil {
		return err
	}
	if len(matches) == 0 {
		if wild {
			return errors.New("no file matches it")
		}
		return fs.ErrNotExist
	}
	for _, one := range matches {
		if one.Folder {
			err = s.folder(sys, p, one.Path, 0)
		} else {
			err = s.file(sys, p, one)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hidden says that Hadoop passes a name over.
func hidden(name string) bool { return strings.HasPrefix(name, "_") || strings.HasPrefix(name, ".") }

// glob finds what a place names, in Hadoop's order of paths; wild says that it has a
// pattern in it.
func (s *survey) glob(sys files.System, p place) (found []files.Info, wild bool, err error) {
	patterns, err := expand(p.path)
	if err != nil {
		return nil, false, err
	}
	for _, pattern := range patterns {
		parts, err := components(pattern)
		if err != nil {
			return nil, false, err
		}
		base := "/"
		if p.base != "" && !strings.HasPrefix(pattern, "/") {
			base = path.Clean(p.base)
		}
		some, has, err := s.walk(sys, base, parts)
		if err != nil {
			return nil, false, err
		}
		found, wild = append(found, some...), wild || has || len(patterns) > 1
	}
	shown := found[:0]
	for _, one := range found {
		if name := path.Base(one.Path); !hidden(name) {
			shown = append(shown, one)
		} else if !wild {
			return nil, false, fmt.Errorf("names that begin with _ or . are passed over, as in Hadoop")
		}
	}
	slices.SortStableFunc(shown, func(a, b files.Info) int { return comparePaths(a.Path, b.Path) })
	return shown, wild, nil
}

// walk goes down one pattern. Only folders whose entries must be matched are
// listed; what is named in full is looked up once, at the end.
func (s *survey) walk(sys files.System, base string, parts []component) (at []files.Info, wild bool, err error) {
	at = []files.Info{{Path: base, Folder: true}}
	for i, c := range parts {
		last := i == len(parts)-1
		var next []files.Info
		for _, from := range at {
			switch {
			case c.pattern != nil:
				wild = true
				err = sys.List(s.ctx, from.Path, func(entries []files.Info) error {
					for _, e := range entries {
						if (last || e.Folder) && c.pattern.MatchString(path.Base(e.Path)) {
							next = append(next, e)
						}
					}
					return s.bound(len(next))
				})
			case !last:
				next = append(next, files.Info{Path: path.Join(from.Path, c.name), Folder: true})
			default:
				var info files.Info
				if info, err = sys.Stat(s.ctx, path.Join(from.Path, c.name)); err == nil {
					next = append(next, info)
				}
			}
			if err != nil && !missing(err) {
				return nil, wild, err
			}
			err = nil
		}
		at = next
	}
	if len(parts) == 0 {
		info, err := sys.Stat(s.ctx, base)
		return []files.Info{info}, wild, err
	}
	return at, wild, nil
}

// missing says that nothing is there, as where a path goes on below a file.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// folder adds the files of a folder, in HDFS' order of names; those of a folder in it
// stand where the folder does.
func (s *survey) folder(sys files.System, p place, at string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s lies more than %d folders deep", at, maxDepth)
	}
	var all []files.Info
	err := sys.List(s.ctx, at, func(entries []files.Info) error {
		for _, e := range entries {
			if !hidden(path.Base(e.Path)) {
				all = append(all, e)
			}
		}
		return s.bound(len(s.found) + len(all))
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b files.Info) int { return compareNames(path.Base(a.Path), path.Base(b.Path)) })
	for _, e := range all {
		switch {
		case !e.Folder:
			err = s.file(sys, p, e)
		case s.recursive:
			err = s.folder(sys, p, e.Path, depth+1)
		default:
			err = fmt.Errorf("not a file: %s; folders in folders are read with mapreduce.input.fileinputformat.input.dir.recursive", e.Path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) file(sys files.System, p place, f files.Info) error {
	switch {
	case f.Other:
		return fmt.Errorf("%s is neither a file nor a folder", f.Path)
	case f.Encrypted:
		return fmt.Errorf("%s lies in an encryption zone, whose files cannot be decrypted here", f.Path)
	}
	found := spec.Found{Path: p.name(f.Path), Size: f.Size, Block: f.Block, ID: f.ID, ModTime: f.ModTime}
	if s.lines > 0 {
		if err := s.cut(sys, f.Path, &found); err != nil {
			return err
		}
	}
	s.found = append(s.found, found)
	if err := s.try(sys, p, f); err != nil {
		return err
	}
	return s.bound(len(s.found))
}

// try opens a file, unless one like it was opened: a listing does not tell
// whether files may be read, nor whether they can be from here.
func (s *survey) try(sys files.System, p place, f files.Info) error {
	one := alike{p.scheme + p.authority, path.Dir(f.Path), f.Access}
	if f.Size == 0 || s.tried[one] || len(s.tried) >= maxTried {
		return nil
	}
	file, err := sys.Open(s.ctx, f.Path, 0)
	if err != nil {
		return err
	}
	s.tried[one] = true
	return file.Close()
}

func (s *survey) bound(n int) error {
	if n > MaxFiles {
		return fmt.Errorf("more than %d files", MaxFiles)
	}
	return s.ctx.Err()
}
