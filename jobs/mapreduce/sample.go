package mapreduce

import (
	"github.com/zennet/zennet/jobs/mapreduce/codec"
)

// How much of the input is sampled for the boundaries of a range partitioner.
const (
	sampleShare  = 32 // of the input,
	sampleLeast  = 1 << 20
	sampleMost   = 8 << 20 // bytes in all
	samplePlaces = 20      // at most, in equal distances
	samplePlace  = 64 << 10
	blockPlaces  = 4         // of so many places that lie in files of compressed blocks one is read,
	blockPlace   = 256 << 10 // and so much of it that a block begins there
)

// sampleTask reads a little of the input in places that lie equally far apart, runs
// the mapper over it and finds the boundaries. Of compressed files that cannot be
// cut only the longest one's beginning is read, and only where there are no others.
func (p *planner) sampleTask() pair {
	node, told := p.task(KindSample, StageSample, StageSample, 0)
	node.Collect = append(node.Collect, BoundariesFile)
	node.ExpectSeconds = 1
	for _, s := range p.sampleSplits() {
		part, source := p.stdin(s)
		part.Limit = sampleMost
		if !part.Whole {
			part.Limit = max(s.length, samplePlace)
		}
		// Positions would only confuse: the sources come without a mark between.
		part.Lead, source.Lead = false, false
		node.Stdin, told.Stdin = append(node.Stdin, part), append(told.Stdin, source)
	}
	return pair{node, told}
}

// sampleSplits are the parts of the files that are read.
func (p *planner) sampleSplits() []split {
	var files []int
	var total int64
	longest := split{file: -1}
	for i, f := range p.section.Found {
		switch c, compressed := codec.ByExtension(f.Path); {
		case compressed && !c.Splittable():
			if longest.file < 0 || f.Size > longest.length {
				longest = split{file: i, length: f.Size}
			}
		case f.Size > 0:
			files, total = append(files, i), total+f.Size
		}
	}
	if total == 0 {
		if longest.file < 0 {
			return nil
		}
		return []split{longest}
	}
	all := min(total, max(sampleLeast, min(sampleMost, total/sampleShare)))
	places := min(samplePlaces, max(1, all/samplePlace))
	size := all / places
	var out []split
	at, file := int64(0), 0 // files[file] begins at the position at of all files
	for i := range places {
		want := i * (total / places)
		for ; want >= at+p.section.Found[files[file]].Size; file++ {
			at += p.section.Found[files[file]].Size
		}
		f := p.section.Found[files[file]]
		offset, length := want-at, size
		if _, blocks := codec.ByExtension(f.Path); blocks {
			if i%blockPlaces != 0 {
				continue
			}
			length = max(size, blockPlace)
		}
		out = append(out, split{file: files[file], offset: offset, length: min(length, f.Size-offset)})
	}
	return out
}
