package data

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/files/hdfs"
	"github.com/zennet/zennet/jobrunner/files/local"
	"github.com/zennet/zennet/jobs/spec"
)

// Options are how a job's file systems are reached.
type Options struct {
	// Patience is how long one that fails is tried again; one that does not answer at
	// all is waited for two and a half times as long at most. 0: minutes, as a running
	// job does.
	Patience time.Duration
	// Connect opens the file system of a scheme other than the local one; nil = HDFS
	// by the job's settings.
	Connect func(ctx context.Context, scheme, authority string) (files.System, error)
}

// Data is a job's way to its data. It is safe for use by several goroutines.
type Data struct {
	job     spec.Job
	dir     string // absolute folder of the job file
	options Options

	mu      sync.Mutex
	closed  bool
	systems map[string]*system
}

// system is a file system that is opened when it is first needed.
type system struct {
	mu   sync.Mutex // held while it is being opened
	open files.System
}

// Open makes a way to the data of a job of kind mapreduce or container whose file is in
// dir. Nothing is reached yet.
func Open(job spec.Job, dir string, o Options) (*Data, error) {
	if job.MapReduce == nil && job.Container == nil {
		return nil, fmt.Errorf("%w: a job of kind %s has no data files", ErrPlace, job.Kind)
	}
	d := &Data{job: job, dir: dir, options: o, systems: map[string]*system{}}
	if d.options.Connect == nil {
		d.options.Connect = d.connect
	}
	return d, nil
}

// Prepare looks for what a job names in file systems before it is planned: URLs that
// its tasks start from and, of kind mapreduce, its input and what is in its output's
// way. It gives the job with its files found, and the number of the folder that is
// there already, if one is. Errors name the job file's line; nothing was spent.
func Prepare(ctx context.Context, job spec.Job, dir string, o Options) (out spec.Job, existing uint64, exists bool, err error) {
	if job.MapReduce == nil && len(job.Sources()) == 0 {
		return job, 0, false, nil
	}
	d, err := Open(job, dir, o)
	if err != nil {
		return job, 0, false, err
	}
	defer d.Close()
	if job.Remote, err = d.Remotes(ctx); err != nil || job.MapReduce == nil {
		return job, 0, false, err
	}
	section := *job.MapReduce
	job.MapReduce = &section
	if section.Found, err = d.Survey(ctx); err != nil {
		return job, 0, false, err
	}
	existing, exists, err = d.Output("").Exists(ctx)
	return job, existing, exists, err
}

// system gives the file system of a place; it is kept for the next time.
func (d *Data) system(ctx context.Context, p place) (files.System, error) {
	if p.scheme == "" {
		return local.System{}, nil
	}
	key := p.scheme + "://" + p.authority
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil, files.ErrClosed
	}
	s := d.systems[key]
	if s == nil {
		s = &system{}
		d.systems[key] = s
	}
	d.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil {
		return s.open, nil
	}
	open, err := d.options.Connect(ctx, p.scheme, p.authority)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errors.Join(files.ErrClosed, open.Close())
	}
	s.open = open
	return open, nil
}

// Close ends all connections.
func (d *Data) Close() error {
	d.mu.Lock()
	d.closed = true
	all := d.systems
	d.systems = nil
	d.mu.Unlock()
	var errs []error
	for _, s := range all {
		s.mu.Lock()
		if s.open != nil {
			errs = append(errs, s.open.Close())
		}
		s.mu.Unlock()
	}
	return errors.Join(errs...)
}

// connect opens an HDFS by the job's settings; paths among them are relative to the
// job file's folder.
func (d *Data) connect(_ context.Context, scheme, authority string) (files.System, error) {
	if scheme != "hdfs" {
		return nil, fmt.Errorf("%w: %s: is not spoken here", ErrPlace, scheme)
	}
	h := d.job.HDFS()
	return hdfs.Open(hdfs.Config{Authority: authority, Conf: d.beside(h.Conf), User: h.User, Principal: h.Principal, Keytab: d.beside(h.Keytab),
		Patience: d.options.Patience, Timeout: d.options.Patience * 2 / 3})
}

// beside is a path of the job file's: relative to its folder.
func (d *Data) beside(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(d.dir, path)
}
