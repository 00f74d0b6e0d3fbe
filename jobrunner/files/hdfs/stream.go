package hdfs

import (
	"errors"
	"strings"
	"sync"

	"github.com/colinmarc/hdfs/v2"
)

// nativeStream reads through the library, on a link of its own.
type nativeStream struct {
	s     *System
	l     *link
	f     *hdfs.FileReader
	stop  func() bool
	once  sync.Once
	small [chunk]byte
	rest  []byte // of small
}

// chunk is the unit of HDFS's checksums, unless the file's writer chose another.
//
// The library checks a chunk before it hands out any of it only when it is asked
// for less than a chunk: then it reads, checks and keeps the whole. A read of one
// byte is less than any chunk; the read of up to 511 bytes after it gets the rest
// of a chunk that was checked, or part of the next of at least 512 bytes.
const chunk = 512

// Read fills p, as far as it can without an error.
func (st *nativeStream) Read(p []byte) (int, error) {
	if len(st.rest) > 0 {
		n := copy(p, st.rest)
		st.rest = st.rest[n:]
		return n, nil
	}
	if len(p) < chunk {
		n, err := st.pair(st.small[:])
		st.rest = st.small[:n]
		n = copy(p, st.rest)
		st.rest = st.rest[n:]
		return n, err
	}
	n := 0
	for len(p)-n >= chunk {
		k, err := st.pair(p[n : n+chunk])
		n += k
		if err != nil {
			if n > 0 {
				err = nil
			}
			return n, err
		}
	}
	return n, nil
}

func (st *nativeStream) pair(p []byte) (int, error) {
	n, err := st.f.Read(p[:1])
	if err != nil || n == 0 {
		return 0, err
	}
	k, err := st.f.Read(p[1:])
	if err != nil {
		return n, nil
	}
	return n + k, nil
}

func (st *nativeStream) close(err error) {
	st.once.Do(func() {
		st.stop()
		if st.f != nil {
			st.f.Close()
		}
		if err == nil {
			st.s.release(st.l)
			return
		}
		// What the NameNode refused leaves the link in order; other failures may
		// not, be they the NameNode's or a DataNode's.
		var r *remote
		mapped, passes := explain(err)
		answered := errors.As(mapped, &r)
		if answered && !passes {
			st.s.release(st.l)
			return
		}
		st.s.drop(st.l)
		if answered || st.f == nil || st.l.lost() || st.l.refused() || strings.Contains(err.Error(), noNameNode) {
			st.s.failOver(st.l.nn)
		}
	})
}
