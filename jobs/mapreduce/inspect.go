package mapreduce

import (
	"fmt"
	"slices"

	"github.com/zennet/zennet/jobs/mapreduce/codec"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// Inspect says what is known of a job before it runs: its files, maps and
// reducers, and what looks unwise.
func Inspect(job spec.Job) (plan.Info, error) {
	p, err := prepare(job)
	if err != nil {
		return plan.Info{}, err
	}
	var info plan.Info
	note := func(format string, args ...any) { info.Notes = append(info.Notes, fmt.Sprintf(format, args...)) }
	warn := func(key, format string, args ...any) {
		info.Warnings = append(info.Warnings, fmt.Sprintf("%s: %s: %s", job.At(key), key, fmt.Sprintf(format, args...)))
	}
	var bytes, whole int64
	wholes, longest := 0, int64(0)
	for _, f := range p.section.Found {
		bytes += f.Size
		if c, compressed := codec.ByExtension(f.Path); compressed && !c.Splittable() {
			wholes, whole, longest = wholes+1, whole+f.Size, max(longest, f.Size)
		}
	}
	note("input: %s, %s; %s, %s", count(len(p.section.Found), "file"), size(bytes), count(len(p.splits), "map"), count(p.config.Reducers, "reducer"))
	if len(p.splits) > 0 {
		lengths := []int64{p.splits[0].length, p.splits[len(p.splits)-1].length}
		if lengths[0] != lengths[1] {
			note("splits: %s to %s", size(lengths[1]), size(lengths[0]))
		} else {
			note("splits: %s", size(lengths[0]))
		}
	}
	note("mapper: %s", p.config.Mapper)
	if !p.config.Combiner.None() {
		note("combiner: %s", p.config.Combiner)
	}
	if p.config.Reducers > 0 {
		note("reducer: %s; partitioner %s", p.config.Reducer, p.config.Partitioner.Kind)
	}
	if p.sampled() {
		note("the mapper's output is sampled first, to cut its keys into ranges of like size")
	}
	for _, w := range p.warnings {
		warn("mapreduce.conf."+w.Name, "%s", w.Text)
	}
	if n := len(p.splits); n < job.Slots && p.section.Split == 0 && bytes > 64<<20 && wholes == 0 {
		warn("mapreduce.maps", "%s are fewer than %s; maps: or split: cuts the input finer", count(n, "map"), count(job.Slots, "slot"))
	}
	if longest > 1<<30 {
		warn("input", "%s in files that cannot be cut (the longest has %s): each is one map; bzip2 and plain files are cut", size(whole), size(longest))
	}
	if p.section.SkipBadRecords > 0 && p.config.Reducers > 0 {
		note("with skipBadRecords every map's output comes to the publisher first, so that left-out records can be delivered")
	}
	if slices.ContainsFunc(p.splits, func(s split) bool { return s.length > 0 && s.length < 64<<10 }) && len(p.splits) > 1000 {
		note("small splits run one after another in a slot, which costs some milliseconds each")
	}
	return info, nil
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// size is a number of bytes for people.
func size(n int64) string {
	for _, u := range []struct {
		name  string
		scale int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.scale {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.scale), u.name)
		}
	}
	return count(int(n), "byte")
}
