package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/zennet/zennet/jobrunner/api"
	"github.com/zennet/zennet/jobrunner/devnet"
	"github.com/zennet/zennet/jobrunner/home"
)

const (
	// joinTimeout bounds the wait for a host that starts or leaves.
	joinTimeout = 60 * time.Second
	// leaveTimeout bounds the way down of an embedded network.
	leaveTimeout = 60 * time.Second
	// maxLog is the size at which the log file is begun anew, the old one kept once.
	maxLog = 16 << 20
)

type hostOptions struct {
	env      env
	progress func(string)
	mustRun  bool // refuse to host: a daemon must be there already
}

// withHost calls fn with a client of the home's daemon. Where none runs, this
// process hosts an embedded network for as long as fn and every job of others
// that joined it last.
func withHost(ctx context.Context, o hostOptions, fn func(context.Context, *api.Client) error) error {
	h, err := openHome()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(joinTimeout)
	for waited := false; ; {
		c, err := api.Dial(h.Socket())
		if err == nil {
			err = fn(ctx, c)
			if !waited && errors.Is(err, api.ErrBusy) && time.Now().Before(deadline) {
				waited = true // it was just leaving
				continue
			}
			return err
		}
		if o.mustRun {
			return exit{exitNoDaemon, fmt.Errorf("%w: start one with: zennetd --devnet", err)}
		}
		release, lockErr := h.Lock()
		if lockErr == nil {
			return host(ctx, h, release, o, fn)
		}
		if !errors.Is(lockErr, home.ErrLocked) {
			return lockErr
		}
		if time.Now().After(deadline) {
			return exit{exitNoDaemon, fmt.Errorf("another process holds %s but does not answer at %s", h.Dir, h.Socket())}
		}
		if !waited {
			waited = true
			o.progress("waiting for the host of " + h.Dir + " to answer")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// host runs the embedded network in this process around fn.
func host(ctx context.Context, h home.Home, release func(), o hostOptions, fn func(context.Context, *api.Client) error) (err error) {
	defer release()
	log, closeLog, err := openLog(h)
	if err != nil {
		return err
	}
	defer closeLog()
	net, err := devnet.Start(ctx, devnet.Config{Home: h, Progress: o.progress, Log: log})
	if err != nil {
		return exit{exitNoDaemon, fmt.Errorf("embedded network: %w", err)}
	}
	defer func() {
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
		defer cancel()
		if closeErr := net.Close(down); closeErr != nil && err == nil {
			err = closeErr
		}
	}()
	c, err := api.Dial(h.Socket())
	if err != nil {
		return err
	}
	err = fn(ctx, c)
	if n := net.Running(); n > 0 {
		o.progress(fmt.Sprintf("this process hosts the network of %s more: waiting for the end", count(n, "job")))
		if waitErr := net.WaitIdle(ctx); waitErr != nil {
			return errors.Join(err, waitErr)
		}
	}
	if n, netErr := c.Network(ctx); netErr == nil && n.Supply != nil {
		o.progress(supplyLine(n))
	}
	return err
}

// supplyLine states the invariant of PROTOCOL.md 4.9 with its numbers.
func supplyLine(n api.Network) string {
	s := n.Supply
	sum := s.Balances + s.Deposits + s.PrepaidFees + s.Bonds
	verdict := "holds"
	if sum != s.Genesis-s.Burned {
		verdict = "IS BROKEN"
	}
	return fmt.Sprintf("ledger at height %d: balances %s + deposits %s + prepaid fees %s + bonds %s = genesis %s - burned %s: %s",
		n.Height, s.Balances, s.Deposits, s.PrepaidFees, s.Bonds, s.Genesis, s.Burned, verdict)
}

// openLog opens the home's log file, where hosts and daemons write what goes on.
func openLog(h home.Home) (*slog.Logger, func(), error) {
	path := filepath.Join(h.Dir, "zennet.log")
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("log: %w", err)
	}
	return slog.New(slog.NewTextHandler(io.Writer(f), &slog.HandlerOptions{Level: logLevel()})), func() { f.Close() }, nil
}

// logLevel is ZENNET_LOG (debug, info, warn, error), info by default.
func logLevel() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(os.Getenv("ZENNET_LOG"))); err != nil {
		return slog.LevelInfo
	}
	return level
}
