package blob

import (
	"container/list"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// Bounds of a store, beside its bytes.
const (
	maxEntries = 1 << 19 // blobs
	blockSize  = 4096    // every blob counts as whole blocks of the disk
)

// touchAfter is how old the time of a blob's last use on disk may grow.
const touchAfter = time.Hour

// Store keeps blobs in a folder of its own, each in a file <2 hex>/<64 hex> that
// anyone on the machine who reaches the folder may read. It is safe for
// concurrent use by one process; two processes must not share a folder.
type Store struct {
	dir    string
	max    uint64
	folder *os.File // dir, for syncfs
	serial atomic.Uint64

	mu      sync.Mutex
	entries map[types.Hash]*entry
	recent  *list.List // of *entry, the most recently used in front
	bytes   uint64     // sum of charge over entries
	pins    map[types.Hash]int
	owners  map[string]map[types.Hash]bool
	shards  [256]bool // folders that are known to exist
	closed  bool
}

// entry is one blob that is believed to be there.
type entry struct {
	hash    types.Hash
	size    int64
	mtime   int64 // Unix ns, as the disk has it; a change makes it doubtful
	trusted bool  // its bytes were seen to have the hash, or were synced by a store that had
	touched int64 // Unix ns of the last use that the disk knows of
	place   *list.Element
}

func (e *entry) charge() uint64 { return charge(int(e.size)) }

func charge(size int) uint64 {
	return uint64(max(1, (size+blockSize-1)/blockSize)) * blockSize
}

// Open opens the store in dir, which is made if need be. maxBytes bounds the
// disk space of its blobs; 0 is no bound. Close it.
func Open(dir string, maxBytes uint64) (*Store, error) {
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o755); err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	folder, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	s := &Store{
		dir: dir, max: maxBytes, folder: folder, recent: list.New(),
		entries: map[types.Hash]*entry{}, pins: map[types.Hash]int{}, owners: map[string]map[types.Hash]bool{},
	}
	// Others read the blobs through a mount of this folder, whatever the umask was.
	if err := errors.Join(folder.Chmod(0o755), s.sweep(), s.load()); err != nil {
		return nil, errors.Join(fmt.Errorf("open blob store: %w", err), folder.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evict(0)
	return s, nil
}

// sweep removes what a killed process was writing.
func (s *Store) sweep() error {
	tmp := filepath.Join(s.dir, "tmp")
	halves, err := os.ReadDir(tmp)
	if err != nil {
		return err
	}
	for _, h := range halves {
		if err := os.Remove(filepath.Join(tmp, h.Name())); err != nil {
			return err
		}
	}
	return nil
}

// load lists the blobs on disk. Those that are younger than the last Sync may be
// damaged if the machine went down: they are read before they are believed.
func (s *Store) load() error {
	var synced int64
	if mark, err := os.Stat(s.mark()); err == nil {
		synced = mark.ModTime().UnixNano()
	}
	var found []*entry
	shards, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, shard := range shards {
		first, err := hex.DecodeString(shard.Name())
		if err != nil || len(first) != 1 || !shard.IsDir() {
			continue
		}
		s.shards[first[0]] = true
		files, err := os.ReadDir(filepath.Join(s.dir, shard.Name()))
		if err != nil {
			return err
		}
		for _, f := range files {
			var h types.Hash
			if h.UnmarshalText([]byte(f.Name())) != nil || h[0] != first[0] {
				continue
			}
			info, err := f.Info()
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			e := &entry{hash: h, size: info.Size(), mtime: info.ModTime().UnixNano()}
			e.trusted = e.mtime <= synced
			e.touched = accessed(info)
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *entry) int { return int(min(max(a.touched-b.touched, -1), 1)) })
	for _, e := range found {
		s.insert(e)
	}
	return nil
}

func accessed(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Atim.Nano()
	}
	return info.ModTime().UnixNano()
}

// mark is a file whose time says until when all blobs are on the disk.
func (s *Store) mark() string { return filepath.Join(s.dir, "synced") }

func (s *Store) path(h types.Hash) string {
	name := h.String()
	return filepath.Join(s.dir, name[:2], name)
}

// insert adds e as the most recently used; mu is held, or the store is new.
func (s *Store) insert(e *entry) {
	e.place = s.recent.PushFront(e)
	s.entries[e.hash] = e
	s.bytes += e.charge()
}

// forget takes e out of the index; mu is held.
func (s *Store) forget(e *entry) {
	s.recent.Remove(e.place)
	delete(s.entries, e.hash)
	s.bytes -= e.charge()
}

// drop forgets e and deletes its file, unless another took its place; mu is held.
func (s *Store) drop(e *entry) {
	if s.entries[e.hash] == e {
		s.forget(e)
		os.Remove(s.path(e.hash)) // what stays behind is found and counted by the next Open
	}
}

// evict makes room for more bytes by dropping what is unpinned and was not used
// for longest, and reports whether there is room; mu is held.
func (s *Store) evict(more uint64) bool {
	fits := func() bool {
		return (s.max == 0 || s.bytes+more <= s.max) && (more == 0 || len(s.entries) < maxEntries)
	}
	for at := s.recent.Back(); at != nil && !fits(); {
		e := at.Value.(*entry)
		at = at.Prev()
		if s.pins[e.hash] == 0 {
			s.drop(e)
		}
	}
	return fits()
}

// Put keeps data, at most protocol.MaxManifest bytes, and returns its name. It
// is there for Get at once and survives the process; Sync makes it survive the
// machine. A store that is full of pinned blobs is ErrFull.
func (s *Store) Put(data []byte) (types.Hash, error) {
	h := HashOf(data)
	return h, s.put(h, data)
}

// Keep stores data under its hash, which the caller has verified.
func (s *Store) Keep(h types.Hash, data []byte) error { return s.put(h, data) }

// put keeps data, whose hash was computed.
func (s *Store) put(h types.Hash, data []byte) error {
	if len(data) > protocol.MaxManifest {
		return fmt.Errorf("%w: a blob of %d bytes, at most %d", ErrTooLarge, len(data), protocol.MaxManifest)
	}
	if s.Has(h) {
		return nil
	}
	s.mu.Lock()
	err := s.room(len(data))
	s.mu.Unlock()
	if err != nil {
		return err
	}
	half := filepath.Join(s.dir, "tmp", strconv.FormatUint(s.serial.Add(1), 16))
	info, err := write(half, data)
	if err != nil {
		return errors.Join(fmt.Errorf("store blob %s: %w", h.Short(), err), remove(half))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.entries[h]; old != nil && old.trusted {
		s.use(old)
		return remove(half)
	} else if old != nil {
		s.forget(old)
	}
	if err := s.room(len(data)); err != nil {
		return errors.Join(err, remove(half))
	}
	if !s.shards[h[0]] {
		shard := filepath.Dir(s.path(h))
		if err := errors.Join(os.MkdirAll(shard, 0o755), os.Chmod(shard, 0o755)); err != nil {
			return errors.Join(fmt.Errorf("store blob %s: %w", h.Short(), err), remove(half))
		}
		s.shards[h[0]] = true
	}
	if err := os.Rename(half, s.path(h)); err != nil {
		return errors.Join(fmt.Errorf("store blob %s: %w", h.Short(), err), remove(half))
	}
	s.insert(&entry{hash: h, size: info.Size(), mtime: info.ModTime().UnixNano(), trusted: true, touched: time.Now().UnixNano()})
	return nil
}

// room makes room for size bytes; mu is held.
func (s *Store) room(size int) error {
	if s.closed {
		return fmt.Errorf("blob store: %w", fs.ErrClosed)
	}
	if !s.evict(charge(size)) {
		return fmt.Errorf("%w: no room for %d bytes", ErrFull, size)
	}
	return nil
}

func remove(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// write makes a file of data that all may read, whatever the umask.
func write(name string, data []byte) (fs.FileInfo, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(data)
	info, failed := f.Stat()
	if err = errors.Join(err, failed); err == nil && info.Mode().Perm() != 0o644 {
		err = f.Chmod(0o644)
	}
	return info, errors.Join(err, f.Close())
}

// Has reports whether the store holds the whole blob h. A file that was cut or
// rewritten since it was stored is found out here, and dropped.
func (s *Store) Has(h types.Hash) bool {
	s.mu.Lock()
	e := s.entries[h]
	s.mu.Unlock()
	if e == nil {
		return false
	}
	info, err := os.Lstat(s.path(h))
	s.mu.Lock()
	same := err == nil && e.trusted && info.Size() == e.size && info.ModTime().UnixNano() == e.mtime
	if same {
		s.use(e)
	}
	s.mu.Unlock()
	if same {
		return true
	}
	_, err = s.Get(h)
	return err == nil
}

// Holds is Has for a blob of a known length in bytes.
func (s *Store) Holds(h types.Hash, size uint64) bool {
	if !s.Has(h) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[h]
	return e != nil && uint64(e.size) == size
}

// use notes that e is in use; mu is held.
func (s *Store) use(e *entry) {
	if s.entries[e.hash] != e {
		return
	}
	s.recent.MoveToFront(e.place)
	if now := time.Now().UnixNano(); now-e.touched > int64(touchAfter) {
		e.touched = now
		times := []unix.Timespec{unix.NsecToTimespec(now), {Nsec: unix.UTIME_OMIT}}
		unix.UtimesNanoAt(unix.AT_FDCWD, s.path(e.hash), times, unix.AT_SYMLINK_NOFOLLOW) // only the order of eviction hangs on it
	}
}

// Get returns the blob h. One that is not there, or whose bytes do not have its
// hash (it is dropped then), is ErrMissing.
func (s *Store) Get(h types.Hash) ([]byte, error) { return s.GetIn(nil, h) }

// GetIn is Get into buf, where that is large enough.
func (s *Store) GetIn(buf []byte, h types.Hash) ([]byte, error) {
	s.mu.Lock()
	e := s.entries[h]
	s.mu.Unlock()
	if e == nil {
		return nil, fmt.Errorf("%w: %s", ErrMissing, h)
	}
	data, info, err := read(s.path(h), buf)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrTooLarge) {
		return nil, fmt.Errorf("read blob %s: %w", h.Short(), err)
	}
	whole := err == nil && HashOf(data) == h
	s.mu.Lock()
	defer s.mu.Unlock()
	if !whole {
		s.drop(e)
		return nil, fmt.Errorf("%w: %s", ErrMissing, h)
	}
	if s.entries[h] == e {
		s.bytes -= e.charge()
		e.size, e.mtime, e.trusted = info.Size(), info.ModTime().UnixNano(), true
		s.bytes += e.charge()
		s.use(e)
	}
	return data, nil
}

func read(name string, buf []byte) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Size() > protocol.MaxManifest {
		return nil, nil, ErrTooLarge
	}
	data := slices.Grow(buf[:0], int(info.Size()))[:info.Size()]
	n, err := io.ReadFull(f, data)
	return data[:n], info, err
}

// Usage is the disk space that the store's blobs take, in bytes, and their number.
func (s *Store) Usage() (bytes uint64, blobs int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes, len(s.entries)
}

// Dir is the store's folder.
func (s *Store) Dir() string { return s.dir }

// Sync puts all blobs that were stored before onto the disk, with one syncfs.
func (s *Store) Sync() error {
	const clockStep = 100 * time.Millisecond // files get the time of the kernel's coarse clock
	before := time.Now().Add(-clockStep)
	if err := unix.Syncfs(int(s.folder.Fd())); err != nil {
		return fmt.Errorf("sync blob store: %w", err)
	}
	if f, err := os.OpenFile(s.mark(), os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		return fmt.Errorf("sync blob store: %w", err)
	} else if err := errors.Join(f.Close(), os.Chtimes(s.mark(), before, before)); err != nil {
		return fmt.Errorf("sync blob store: %w", err)
	}
	return nil
}

// Close ends the use of the store. What it holds stays.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.folder.Close()
}
