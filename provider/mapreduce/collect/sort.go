package collect

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// few is how many entries are sorted by comparing rather than by radix.
const few = 48

// sort brings the index into the order of partitions, keys and, where these tie,
// of the nodes, and says where each partition ends.
func (c *Collector) sort() (ends []int) {
	defer c.stats.Sort.since(time.Now(), processCPU())
	all := c.arena.entries()
	ends = make([]int, c.options.Reducers)
	for i := range all {
		ends[all[i].part&partMask]++
	}
	next := make([]int, len(ends)) // where each partition's next entry goes
	total := 0
	for p, n := range ends {
		next[p] = total
		total += n
		ends[p] = total
	}
	if len(ends) > 1 {
		for p := range ends {
			for i := next[p]; i < ends[p]; i = next[p] {
				e := all[i]
				for q := e.part & partMask; int(q) != p; q = e.part & partMask {
					all[next[q]], e = e, all[next[q]]
					next[q]++
				}
				all[i] = e
				next[p]++
			}
		}
	}
	start := 0
	for _, end := range ends {
		if c.options.Compare != nil {
			slices.SortFunc(all[start:end], c.compare)
		} else {
			c.radix(all[start:end], 56)
		}
		start = end
	}
	return ends
}

// radix sorts by the byte of the prefix at shift and those below it, in place.
func (c *Collector) radix(all []entry, shift int) {
	for ; len(all) > few && shift >= 0; shift -= 8 {
		var ends, next [256]int
		for i := range all {
			ends[byte(all[i].prefix>>shift)]++
		}
		if ends[byte(all[0].prefix>>shift)] == len(all) {
			continue
		}
		total := 0
		for b, n := range ends {
			next[b] = total
			total += n
			ends[b] = total
		}
		for b := range ends {
			for i := next[b]; i < ends[b]; i = next[b] {
				e := all[i]
				for q := byte(e.prefix >> shift); int(q) != b; q = byte(e.prefix >> shift) {
					all[next[q]], e = e, all[next[q]]
					next[q]++
				}
				all[i] = e
				next[b]++
			}
		}
		start := 0
		for _, end := range ends {
			if end-start > 1 {
				c.radix(all[start:end], shift-8)
			}
			start = end
		}
		return
	}
	slices.SortFunc(all, c.plainly)
}

// plainly compares by the keys' bytes.
func (c *Collector) plainly(a, b entry) int {
	if a.prefix != b.prefix {
		return cmp.Compare(a.prefix, b.prefix)
	}
	p, _ := c.arena.key(a)
	q, _ := c.arena.key(b)
	if d := bytes.Compare(p, q); d != 0 {
		return d
	}
	return cmp.Compare(a.node, b.node)
}

// compare compares by the job's comparator.
func (c *Collector) compare(a, b entry) int {
	p, _ := c.arena.key(a)
	q, _ := c.arena.key(b)
	if d := c.options.Compare(p, q); d != 0 {
		return d
	}
	return cmp.Compare(a.node, b.node)
}
