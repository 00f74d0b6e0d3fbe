package collect

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/provider/mapreduce/segment"
)

// entry is one place of the index: a record, or a key with all its values.
type entry struct {
	prefix uint64 // the key's first bytes, as they sort
	node   uint32 // where the record's bytes are
	part   uint32 // the partition; the top bits tell the kind of node
}

const (
	entrySize = 16

	grouped  = 1 << 31 // a node with a chain of values
	summed   = 1 << 30 // a node with one number
	partMask = summed - 1

	minMemory = 64 << 10
	maxMemory = 1<<32 - 1<<16 // nodes are named by 32 bits
)

// arena is a region of memory outside of Go's heap, whose pages cost nothing until
// they are used: bytes from the start, entries from the end.
type arena struct {
	region []byte
	used   int // bytes of nodes; 0 names no node
	count  int // entries
}

func newArena(size int64) (*arena, error) {
	n := int(min(max(size, minMemory), maxMemory)) &^ (entrySize - 1)
	region, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes of memory: %w", n, err)
	}
	// Random access to many small pages is slow; where the kernel does not help, so be it.
	_ = unix.Madvise(region, unix.MADV_HUGEPAGE)
	return &arena{region: region, used: entrySize}, nil
}

func (a *arena) close() error {
	if a.region == nil {
		return nil
	}
	region := a.region
	a.region = nil
	return unix.Munmap(region)
}

func (a *arena) reset() { a.used, a.count = entrySize, 0 }

// room says whether so many more bytes and entries fit, beside others' bytes.
func (a *arena) room(bytes, entries, others int) bool {
	return a.used+bytes+(a.count+entries)*entrySize+others <= len(a.region)
}

// entries is the index, the last entry first.
func (a *arena) entries() []entry {
	if a.count == 0 {
		return nil
	}
	first := &a.region[len(a.region)-a.count*entrySize]
	// The region begins at a page and its size is a multiple of an entry's.
	return unsafe.Slice((*entry)(unsafe.Pointer(first)), a.count)
}

// at is the entry with that number, the first being 0.
func (a *arena) at(i uint32) *entry {
	return (*entry)(unsafe.Pointer(&a.region[len(a.region)-(int(i)+1)*entrySize]))
}

// push adds an entry. There is room.
func (a *arena) push(key []byte, node, part uint32) {
	a.count++
	*a.at(uint32(a.count - 1)) = entry{segment.Prefix(key), node, part}
}

// plain adds a node of key and value: sizes and bytes.
func (a *arena) plain(key, value []byte) uint32 {
	node := a.used
	b := binary.AppendUvarint(a.region[:a.used], uint64(len(key)))
	b = append(b, key...)
	b = binary.AppendUvarint(b, uint64(len(value)))
	b = append(b, value...)
	a.used = len(b)
	return uint32(node)
}

// recordSize is what plain takes at most.
func recordSize(key, value []byte) int { return len(key) + len(value) + 2*binary.MaxVarintLen64 }

// skip is how many bytes stand before the key's size in a node.
func (e entry) skip() uint32 {
	switch {
	case e.part&grouped != 0:
		return tailSize
	case e.part&summed != 0:
		return sumSize
	}
	return 0
}

// key is the entry's key, and where what follows it begins.
func (a *arena) key(e entry) (key []byte, end int) { return a.keyAt(e.node + e.skip()) }

// keyAt reads a key's size and the key.
func (a *arena) keyAt(at uint32) (key []byte, end int) {
	start := int(at)
	size := uint64(a.region[start])
	if start++; size >= 0x80 {
		var n int
		size, n = binary.Uvarint(a.region[start-1:])
		start += n - 1
	}
	end = start + int(size)
	return a.region[start:end:end], end
}
