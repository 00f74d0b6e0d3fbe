package mapreduce

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

var one = []byte("1")

// builtinMap is one of our operations in a mapper's place. It says how many records
// it has read.
func (a *attempt) builtinMap(s *split, to sink) (records int64, err error) {
	cmd, in := a.config.Mapper, a.config.Input
	if counts(cmd) && in.Format != streaming.FormatKeyValue && len(in.Delimiter) == 0 {
		return newWords(to).lines(s)
	}
	each, end, err := a.mapOperation(cmd, to)
	if err != nil {
		return 0, err
	}
	err = s.records(in, func(offset int64, line []byte) error {
		records++
		return each(offset, line)
	})
	if err == nil {
		err = end()
	}
	return records, err
}

func counts(cmd streaming.Command) bool {
	return cmd.Builtin == mapreduce.BuiltinWordCount || cmd.Builtin == streaming.BuiltinTokenCount
}

// mapOperation is what is done with each record, and at the end.
func (a *attempt) mapOperation(cmd streaming.Command, to sink) (each func(offset int64, line []byte) error, end func() error, err error) {
	in, fields := a.config.Input, a.config.MapOutput
	end = func() error { return nil }
	switch cmd.Builtin {
	case streaming.BuiltinIdentity:
		return func(offset int64, line []byte) error { return to.Put(in.Pair(offset, line)) }, end, nil
	case streaming.BuiltinInverse:
		return func(offset int64, line []byte) error {
			key, value := in.Pair(offset, line)
			return to.Put(value, key)
		}, end, nil
	case mapreduce.BuiltinSort:
		return func(_ int64, line []byte) error { return to.Put(fields.Split(line)) }, end, nil
	case mapreduce.BuiltinWordCount, streaming.BuiltinTokenCount:
		w := newWords(to)
		return func(offset int64, line []byte) error {
			_, value := in.Pair(offset, line)
			return w.add(value)
		}, w.flush, nil
	case mapreduce.BuiltinGrep, streaming.BuiltinRegex:
		if len(cmd.Args) == 0 {
			return nil, nil, fmt.Errorf("builtin:%s needs an expression", cmd.Builtin)
		}
		expression, err := regexp.Compile(cmd.Args[0])
		if err != nil {
			return nil, nil, fmt.Errorf("builtin:%s: %w", cmd.Builtin, err)
		}
		if cmd.Builtin == mapreduce.BuiltinGrep {
			return func(_ int64, line []byte) error {
				if !expression.Match(line) {
					return nil
				}
				return to.Put(fields.Split(line))
			}, end, nil
		}
		group := 0
		if len(cmd.Args) > 1 {
			if group, err = strconv.Atoi(cmd.Args[1]); err != nil || group < 0 || group > expression.NumSubexp() {
				return nil, nil, fmt.Errorf("builtin:regex: %s has no group %s", clip(cmd.Args[0]), clip(cmd.Args[1]))
			}
		}
		return func(offset int64, line []byte) error {
			_, value := in.Pair(offset, line)
			for _, at := range expression.FindAllSubmatchIndex(value, -1) {
				if at[2*group] < 0 {
					continue
				}
				if err := to.Put(value[at[2*group]:at[2*group+1]], one); err != nil {
					return err
				}
			}
			return nil
		}, end, nil
	}
	return nil, nil, fmt.Errorf("builtin:%s is no mapper", cmd.Builtin)
}
