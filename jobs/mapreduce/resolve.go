package mapreduce

import (
	"fmt"
	"strings"

	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/jobs/spec"
)

// Resolve is what the job's section and its conf mean together. Warnings name
// settings that only reach the environment. An error begins with the place in the
// job file.
func Resolve(job spec.Job) (streaming.Config, []streaming.Warning, error) {
	m := job.MapReduce
	c, warnings, err := streaming.Resolve(streaming.Options{
		Mapper: m.Mapper, Combiner: m.Combiner, Reducer: m.Reducer,
		Reducers: m.Reducers, Maps: m.Maps, Partitioner: m.Partitioner, Lazy: m.LazyOutput,
		Conf: settings(m.Conf), Env: settings(m.Env),
	})
	if err != nil {
		return c, nil, fmt.Errorf("%s: mapreduce: %w", job.At(settingKey(err)), err)
	}
	if c.Input.Format != streaming.FormatText {
		c.Input.Delimiter = nil // Hadoop's other formats have LF, CRLF and CR only
	}
	if c.Combiner.Builtin == streaming.BuiltinIdentity {
		c.Combiner = streaming.Command{}
	}
	for _, one := range []struct {
		what string
		cmd  streaming.Command
	}{{"mapper", c.Mapper}, {"combiner", c.Combiner}, {"reducer", c.Reducer}} {
		if err := checkBuiltin(one.what, one.cmd); err != nil {
			return c, nil, fmt.Errorf("%s: mapreduce.%s: %w", job.At("mapreduce."+one.what), one.what, err)
		}
	}
	return c, warnings, nil
}

func settings(list []spec.Setting) []streaming.Setting {
	out := make([]streaming.Setting, len(list))
	for i, s := range list {
		out[i] = streaming.Setting(s)
	}
	return out
}

// settingKey is the key of the job file that an error of streaming is about.
func settingKey(err error) string {
	name, _, _ := strings.Cut(err.Error(), ": ")
	switch name {
	case "mapper", "combiner", "reducer", "partitioner":
		return "mapreduce." + name
	}
	return "mapreduce.conf." + name
}
