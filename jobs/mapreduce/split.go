package mapreduce

import (
	"fmt"
	"sort"

	"github.com/zennet/zennet/jobs/spec"
)

// slop is how much longer than the others the last split of a file may be
// (FileInputFormat.SPLIT_SLOP).
const slop = 1.1

// split is a part of the file Found[file] that one map reads.
type split struct {
	file           int
	offset, length int64
}

// cutting says how files are cut into splits.
type cutting struct {
	maps  int   // how many are wished for; 0 counts as 1
	least int64 // bytes of a split at least
	size  int64 // bytes of a split; 0 = by Hadoop's rule
	lines bool  // NLineInputFormat: files are cut at Found.Cuts
	// splittable says whether a file's records can be read from the middle.
	splittable func(path string) bool
}

// cut makes the splits as FileInputFormat.getSplits of Hadoop 3.4.2 (package
// mapred) and JobSubmitter's order: longest first, the files' order where equal.
// More than most splits are ErrJob.
func (c cutting) cut(files []spec.Found, most int) ([]split, error) {
	var total int64
	for _, f := range files {
		if total += f.Size; f.Size < 0 || total < 0 {
			return nil, fmt.Errorf("%w: the input files are larger than can be", ErrJob)
		}
	}
	goal := total / int64(max(1, c.maps))
	out := make([]split, 0, len(files))
	for i, f := range files {
		size := c.size
		if size == 0 {
			size = max(c.least, min(goal, f.Block), 1)
		}
		switch whole := (split{file: i, length: f.Size}); {
		case f.Size == 0 || !c.splittable(f.Path):
			out = append(out, whole)
		case c.lines:
			out = appendLines(out, i, f)
		default:
			rest := f.Size
			for float64(rest)/float64(size) > slop {
				if len(out) > most {
					break
				}
				out = append(out, split{i, f.Size - rest, size})
				rest -= size
			}
			if rest > 0 {
				out = append(out, split{i, f.Size - rest, rest})
			}
		}
		if len(out) > most {
			return nil, fmt.Errorf("%w: the input makes more than %d splits; larger splits (split:) make fewer", ErrJob, most)
		}
	}
	sort.SliceStable(out, func(a, b int) bool { return out[a].length > out[b].length })
	return out, nil
}

// appendLines cuts a file behind every Nth line. As in NLineInputFormat, a split
// but the first begins a byte early, and all end a byte early, for a record that
// begins at a split's end is the split's. (Where the first split is one byte, an
// empty line, the second begins at 0 too and has that line again: as in Hadoop.) A
// file that was not read is one split.
func appendLines(out []split, file int, f spec.Found) []split {
	begin := int64(0)
	for _, end := range f.Cuts {
		if end <= begin || end > f.Size {
			break
		}
		out = append(out, lineSplit(file, begin, end))
		begin = end
	}
	if begin == f.Size {
		return out
	}
	return append(out, lineSplit(file, begin, f.Size))
}

func lineSplit(file int, begin, end int64) split {
	if begin == 0 {
		return split{file, 0, end - 1}
	}
	return split{file, begin - 1, end - begin}
}
