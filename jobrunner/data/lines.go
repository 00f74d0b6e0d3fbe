package data

import (
	"errors"
	"fmt"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/codec"
	"github.com/zennet/zennet/jobs/spec"
)

// cut finds where a file is cut whose maps get so many lines each. That needs all
// of it to be read. Compressed files are not cut.
func (s *survey) cut(sys files.System, at string, f *spec.Found) (err error) {
	if _, compressed := codec.ByExtension(f.Path); compressed || f.Size == 0 {
		return nil
	}
	r, err := sys.Open(s.ctx, at, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if f.Cuts, err = mapreduce.Cuts(r, s.lines, mapreduce.MaxMaps); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}
