package collect

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"strconv"
)

// A grouped node is
//
//	uint32 last chunk   uvarint size, key   the first chunk
//	chunk = uint32 next   uint32 used   uint32 values   uint32 size   payload
//
// and a summed one is int64 sum, uvarint size, key.
const (
	tailSize  = 4
	sumSize   = 8
	chunkHead = 16
	chunkMin  = 32
	chunkMax  = 16 << 10

	window    = 32 << 10 // records between two looks at how many keys are new
	firstSize = 1 << 12  // slots of an empty table
)

// table finds the node of a key. A slot is the hash's low half and the node's
// place; 0 is empty.
type table struct {
	slots []uint64
	seed  maphash.Seed
	head  uint32 // of nodes: what stands before the key
	count int
}

func (t *table) reset() {
	if t.slots == nil {
		t.slots, t.seed = make([]uint64, firstSize), maphash.MakeSeed()
	} else {
		clear(t.slots)
	}
	t.count = 0
}

func (t *table) size() int { return 8 * len(t.slots) }

// full says that one more key needs a larger table.
func (t *table) full() bool { return t.count >= len(t.slots)/8*5 }

func (t *table) grow() {
	old := t.slots
	t.slots = make([]uint64, 2*len(old))
	mask := uint32(len(t.slots) - 1)
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		i := uint32(slot>>32) & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = slot
	}
}

// find looks for a key's node; where there is none, slot is where it belongs.
func (t *table) find(a *arena, key []byte) (node, slot, hash uint32) {
	hash = uint32(maphash.Bytes(t.seed, key))
	mask := uint32(len(t.slots) - 1)
	for slot = hash & mask; ; slot = (slot + 1) & mask {
		s := t.slots[slot]
		if s == 0 {
			return 0, slot, hash
		}
		if uint32(s>>32) == hash {
			if k, _ := a.keyAt(uint32(s) + t.head); bytes.Equal(k, key) {
				return uint32(s), slot, hash
			}
		}
	}
}

func (t *table) put(slot, hash, node uint32) {
	t.slots[slot] = uint64(hash)<<32 | uint64(node)
	t.count++
}

// group adds a value to a key's chain. It reports false, and has changed nothing,
// where there is no room.
func (c *Collector) group(key, value []byte) bool {
	a := c.arena
	old, slot, hash := c.table.find(a, key)
	need := len(value) + binary.MaxVarintLen64
	if old == 0 {
		if !c.fits(tailSize+chunkHead+len(key)+2*binary.MaxVarintLen64+need, 1) {
			return false
		}
		if c.table.full() {
			c.table.grow()
			_, slot, hash = c.table.find(a, key)
		}
		node := a.used
		b := append(binary.AppendUvarint(a.region[:node+tailSize], uint64(len(key))), key...)
		a.used = len(b)
		first := a.chunk(0, value)
		binary.LittleEndian.PutUint32(a.region[node:], first)
		a.push(key, uint32(node), uint32(c.partition(key))|grouped)
		c.table.put(slot, hash, uint32(node))
		c.fresh++
		return true
	}
	at := binary.LittleEndian.Uint32(a.region[old:])
	head := a.region[at : at+chunkHead : at+chunkHead]
	used, size := binary.LittleEndian.Uint32(head[4:]), binary.LittleEndian.Uint32(head[12:])
	if int(used)+need > int(size) {
		want := min(max(2*int(size), chunkMin), chunkMax)
		if !c.fits(chunkHead+max(want, need), 0) {
			return false
		}
		next := a.chunk(want, value)
		binary.LittleEndian.PutUint32(head, next)
		binary.LittleEndian.PutUint32(a.region[old:], next)
		return true
	}
	b := a.region[at+chunkHead+used : at+chunkHead+size]
	n := 1
	if len(value) < 0x80 {
		b[0] = byte(len(value))
	} else {
		n = binary.PutUvarint(b, uint64(len(value)))
	}
	n += copy(b[n:], value)
	binary.LittleEndian.PutUint32(head[4:], used+uint32(n))
	binary.LittleEndian.PutUint32(head[8:], binary.LittleEndian.Uint32(head[8:])+1)
	return true
}

// chunk adds a chunk of at least so many bytes that begins with a value.
func (a *arena) chunk(size int, value []byte) uint32 {
	at := a.used
	b := binary.AppendUvarint(a.region[:at+chunkHead], uint64(len(value)))
	b = append(b, value...)
	used := len(b) - at - chunkHead
	a.used = at + chunkHead + max(size, used)
	head := a.region[at:]
	binary.LittleEndian.PutUint32(head, 0)
	binary.LittleEndian.PutUint32(head[4:], uint32(used))
	binary.LittleEndian.PutUint32(head[8:], 1)
	binary.LittleEndian.PutUint32(head[12:], uint32(max(size, used)))
	return uint32(at)
}

// sum adds a number to a key's. It reports false, and has changed nothing, where
// there is no room.
func (c *Collector) sum(key []byte, number int64) bool {
	a := c.arena
	old, slot, hash := c.table.find(a, key)
	if old != 0 {
		at := a.region[old:]
		binary.LittleEndian.PutUint64(at, binary.LittleEndian.Uint64(at)+uint64(number))
		return true
	}
	if !c.fits(sumSize+len(key)+binary.MaxVarintLen64, 1) {
		return false
	}
	if c.table.full() {
		c.table.grow()
		_, slot, hash = c.table.find(a, key)
	}
	node := a.used
	b := binary.LittleEndian.AppendUint64(a.region[:node], uint64(number))
	b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
	a.used = len(b)
	a.push(key, uint32(node), uint32(c.partition(key))|summed)
	c.table.put(slot, hash, uint32(node))
	return true
}

// fits says whether there is room for so many bytes and entries, and for the table
// if it has to grow.
func (c *Collector) fits(bytes, entries int) bool {
	others := c.table.size()
	if entries > 0 && c.table.full() {
		others *= 3 // the old one and the new one
	}
	return c.arena.room(bytes, entries, others)
}

// number reads a decimal number as Java's Long.parseLong does; ok is false for
// anything else.
func number(value []byte) (n int64, ok bool) {
	if len(value) > 0 && len(value) < 19 && value[0]-'0' < 10 {
		for _, c := range value {
			if c -= '0'; c > 9 {
				return 0, false
			}
			n = 10*n + int64(c)
		}
		return n, true
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	return n, err == nil
}
