package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"github.com/colinmarc/hdfs/v2"

	"github.com/zennet/zennet/jobrunner/files"
)

// remote is an exception that a server answered with.
type remote struct {
	class string // Java class
	text  string // its first line
	kind  error  // fs.ErrNotExist and the like, or nil
}

func (r *remote) Error() string {
	name := r.class[strings.LastIndexByte(r.class, '.')+1:]
	if r.text == "" {
		return name
	}
	return name + ": " + r.text
}

func (r *remote) Unwrap() error { return r.kind }

func newRemote(class, message string) *remote {
	text, _, _ := strings.Cut(message, "\n")
	// The first line of some repeats the class.
	text = strings.TrimPrefix(text, class+": ")
	return &remote{class, text, kinds[class]}
}

// kinds of exceptions, by class.
var kinds = map[string]error{
	"java.io.FileNotFoundException":                                                  fs.ErrNotExist,
	"org.apache.hadoop.fs.ParentNotDirectoryException":                               fs.ErrInvalid,
	"org.apache.hadoop.security.AccessControlException":                              fs.ErrPermission,
	"org.apache.hadoop.fs.FileAlreadyExistsException":                                fs.ErrExist,
	"org.apache.hadoop.hdfs.protocol.AlreadyBeingCreatedException":                   fs.ErrExist,
	"org.apache.hadoop.fs.PathIsNotEmptyDirectoryException":                          syscall.ENOTEMPTY,
	"org.apache.hadoop.HadoopIllegalArgumentException":                               fs.ErrInvalid,
	"org.apache.hadoop.fs.InvalidPathException":                                      fs.ErrInvalid,
	"org.apache.hadoop.hdfs.protocol.FSLimitException$PathComponentTooLongException": fs.ErrInvalid,
}

// noNameNode begins what the library says when the only NameNode of a client is
// in standby, or could not be connected again.
const noNameNode = "no available namenodes"

// passing are exceptions of a server that will do what it was asked later, or of
// one whose partner will.
var passing = map[string]bool{
	"org.apache.hadoop.hdfs.server.namenode.SafeModeException":         true,
	"org.apache.hadoop.ipc.StandbyException":                           true,
	"org.apache.hadoop.ipc.RetriableException":                         true,
	"org.apache.hadoop.ipc.ObserverRetryOnActiveException":             true,
	"org.apache.hadoop.ipc.RpcServerException":                         true,
	"org.apache.hadoop.hdfs.server.namenode.NotReplicatedYetException": true,
	"org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException":     true, // of a write: it begins again
	"org.apache.hadoop.fs.UnresolvedLinkException":                     false,
}

// explain maps what the library returns to this package's errors and says
// whether trying again may help.
func explain(err error) (error, bool) {
	var r *remote
	var h hdfs.Error
	switch {
	case errors.As(err, &r):
	case errors.As(err, &h):
		r = newRemote(h.Exception(), h.Message())
		err = r
	}
	if r != nil {
		return err, passing[r.class]
	}
	for _, final := range []error{files.ErrConfig, files.ErrUnsupported, files.ErrCorrupt, files.ErrChanged, files.ErrClosed, files.ErrFolder,
		fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid, syscall.ENOTEMPTY} {
		if errors.Is(err, final) {
			return plainly(err), false
		}
	}
	if strings.Contains(err.Error(), "kerberos authentication not supported") {
		return fmt.Errorf("%w: the configuration asks for Kerberos, the NameNode does not: %w", files.ErrConfig, err), false
	}
	// A single address was tried: what it said is in the library's sentence.
	return err, true
}

// plainly takes the library's own path and verb off an error.
func plainly(err error) error {
	if p, ok := err.(*fs.PathError); ok {
		return p.Err
	}
	return err
}

// retry counts the time since a call failed for the first time.
type retry struct {
	s     *System
	ctx   context.Context
	until time.Time
	pause time.Duration
}

const (
	pauseFirst = 50 * time.Millisecond
	pauseMost  = 3 * time.Second
)

// patient begins to count.
func (r *retry) patient() {
	if r.until.IsZero() {
		r.until, r.pause = time.Now().Add(r.s.patience), pauseFirst
	}
}

// again waits after a failure; it returns nil when the call is to be tried
// again, else the error that the call ends with.
func (r *retry) again(err error) error {
	err, passes := explain(err)
	if cause := r.ctx.Err(); cause != nil {
		return fmt.Errorf("%w (%v)", cause, err)
	}
	if !passes {
		return err
	}
	r.patient()
	wait := r.pause/2 + rand.N(r.pause)
	if time.Now().Add(wait).After(r.until) {
		return fmt.Errorf("%w for %s: %w", files.ErrUnavailable, r.s.patience, err)
	}
	r.pause = min(2*r.pause, pauseMost)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.ctx.Done():
		return fmt.Errorf("%w (%v)", r.ctx.Err(), err)
	}
}

// call does one thing at the NameNode, with patience. again is true when an
// earlier try may have been carried out although its answer was lost.
func (s *System) call(ctx context.Context, op, path string, f func(c *hdfs.Client, again bool) error) error {
	if err := files.CheckPath(path); err != nil {
		return fmt.Errorf("%s hdfs://%s: %w", op, s.name, err)
	}
	r := retry{s: s, ctx: ctx}
	for again := false; ; again = true {
		err := s.once(ctx, func(l *link) error { return f(l.client, again) })
		if err == nil {
			return nil
		}
		if err := r.again(err); err != nil {
			return fmt.Errorf("%s %s: %w", op, s.url(path), err)
		}
	}
}

// once uses one link; one that failed is thrown away, and its NameNode left for
// the next.
func (s *System) once(ctx context.Context, f func(*link) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, l.abort)
	err = safely(func() error { return f(l) })
	stop()
	s.done(l, err)
	return l.explain(err)
}

// done gives a link back, or ends it where err says that it may be out of order.
func (s *System) done(l *link, err error) {
	if err != nil {
		if _, passes := explain(err); passes || l.refused() {
			s.drop(l)
			s.failOver(l.nn)
			return
		}
	}
	s.release(l)
}

// safely turns a panic of the library, over an answer that it did not expect,
// into an error.
func safely(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("an answer that the client could not take: %v", p)
		}
	}()
	return f()
}
