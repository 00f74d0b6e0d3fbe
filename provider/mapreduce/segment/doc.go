// Package segment is the file format of sorted map output, and its merging.
//
// A segment is a run of entries in the job's key order. An entry is a key and one
// or more of its values, in the order in which the mapper emitted them:
//
//	entry   = uvarint n   key bytes            n = 0: the key of the entry before; else the key has n−1 bytes
//	          uvarint size   payload bytes
//	payload = (uvarint size, value bytes)…
//
// Entries lie in blocks of at most BlockSize bytes; one that is larger is spread
// over several. A block is compressed (S2) where a sample says that it pays:
//
//	block   = uint32 stored size, top bit: compressed   uint32 raw size   uint32 CRC-32C   stored bytes
//	segment = block…   footer                           or nothing at all: no entries
//
// The checksum covers the block's number, its header and its stored bytes, so
// that no block can be changed, moved, repeated or left out. The footer is a block
// of raw size 0 that counts records and bytes, and says what a reader needs.
//
// A Reader gives what was written or an error, never anything else, whatever the
// bytes are, and takes no more memory than the largest key and, while it is
// wanted, value. Merge brings any number of segments into one order within a
// bound of memory and of open files, in several passes where it must; equal keys
// come in the order of their segments.
//
// Start at format.go.
package segment
