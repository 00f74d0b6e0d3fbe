package node

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

// engineLog hands the consensus engine's warnings and errors to an slog.Logger;
// its stream of notices is dropped, and what it says of being stopped.
type engineLog struct {
	log  *slog.Logger
	stop *atomic.Bool // the node is closing
}

var _ cmtlog.Logger = engineLog{}

func (engineLog) Debug(string, ...any) {}
func (engineLog) Info(string, ...any)  {}

func (l engineLog) Warn(msg string, keyvals ...any)  { l.write(slog.LevelWarn, msg, keyvals) }
func (l engineLog) Error(msg string, keyvals ...any) { l.write(slog.LevelError, msg, keyvals) }

func (l engineLog) With(keyvals ...any) cmtlog.Logger {
	return engineLog{l.log.With(text(keyvals)...), l.stop}
}

func (l engineLog) write(level slog.Level, msg string, keyvals []any) {
	if !l.stop.Load() && l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, msg, text(keyvals)...)
	}
}

// text makes the engine's lazily printed values safe for any handler.
func text(keyvals []any) []any {
	out := make([]any, len(keyvals))
	for i, v := range keyvals {
		if s, ok := v.(fmt.Stringer); ok {
			v = s.String()
		}
		out[i] = v
	}
	return out
}
