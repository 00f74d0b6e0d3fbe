package mapreduce

import (
	"fmt"
	"strconv"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

// operation takes one key's values and makes something of them. An error of begin
// refuses the key, one of value that value; else the value has changed nothing.
type operation interface {
	begin(key []byte) error
	value(value []byte) error
	end(key []byte, emit func(key, value []byte) error) error
}

// groups hands records that come in order to an operation, group by group.
type groups struct {
	a         *attempt
	operation operation
	emit      func(key, value []byte) error
	refusals  *refusals // nil: what is refused is an error
	any       bool
	key       []byte // the group's first
	refused   bool   // the key is
	taken     bool   // a value was
}

// newGroups makes one of our operations in the place of a reducer or, if combining,
// of a combiner.
func (a *attempt) newGroups(cmd streaming.Command, combining bool, emit func(key, value []byte) error) (*groups, error) {
	g := &groups{a: a, emit: emit}
	switch {
	case sums(cmd):
		g.operation = &sum{}
	case cmd.Builtin == mapreduce.BuiltinCount && !combining:
		g.operation = &tally{}
	case cmd.Builtin == streaming.BuiltinAggregate:
		g.operation = &aggregate{combining: combining, most: a.uniqueValues()}
	default:
		return nil, fmt.Errorf("builtin:%s is no reducer", cmd.Builtin)
	}
	return g, nil
}

func (g *groups) add(key, value []byte) error {
	if !g.any || !g.a.sameGroup(g.key, key) {
		if err := g.end(); err != nil {
			return err
		}
		g.any, g.taken = true, false
		g.key = append(g.key[:0], key...)
		err := g.operation.begin(g.key)
		if g.refused = err != nil; g.refused {
			if err := g.refuse(err); err != nil {
				return err
			}
		}
	}
	if g.refused {
		return g.refusals.put(key, value)
	}
	err := g.operation.value(value)
	if err == nil {
		g.taken = true
		return nil
	}
	if err := g.refuse(fmt.Errorf("key %q: %w", clip(string(g.key)), err)); err != nil {
		return err
	}
	return g.refusals.put(key, value)
}

// refuse says whether what is refused may be left out.
func (g *groups) refuse(why error) error {
	if g.refusals == nil {
		return why
	}
	return g.refusals.unit(why)
}

// end ends the last group. One of which nothing was taken is none.
func (g *groups) end() error {
	if !g.any {
		return nil
	}
	g.any = false
	if !g.taken {
		g.a.facts.count(mapreduce.ReduceSkippedGroups, 1)
		return nil
	}
	return g.operation.end(g.key, g.emit)
}

// sum adds whole numbers up; beyond 64 bits it wraps, as Java's long does.
type sum struct {
	total  int64
	digits []byte
}

func (s *sum) begin([]byte) error { s.total = 0; return nil }

func (s *sum) value(value []byte) error {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return fmt.Errorf("sum: %q is no whole number", clip(string(value)))
	}
	s.total += n
	return nil
}

func (s *sum) end(key []byte, emit func(key, value []byte) error) error {
	s.digits = strconv.AppendInt(s.digits[:0], s.total, 10)
	return emit(key, s.digits)
}

// tally counts values.
type tally struct{ sum }

func (t *tally) value([]byte) error { t.total++; return nil }

// aggregate is Hadoop's.
type aggregate struct {
	combining bool
	most      int64
	values    *streaming.Aggregate
	name      []byte
}

func (g *aggregate) begin(key []byte) (err error) {
	g.values, g.name, err = streaming.NewAggregate(key, g.most)
	return err
}

func (g *aggregate) value(value []byte) error { return g.values.Add(value) }

func (g *aggregate) end(key []byte, emit func(key, value []byte) error) error {
	if !g.combining {
		return emit(g.name, g.values.Result())
	}
	for _, value := range g.values.Combined() {
		if err := emit(key, value); err != nil {
			return err
		}
	}
	return nil
}

// uniqueValues is Hadoop's bound of what UniqValueCount counts; 0: none.
func (a *attempt) uniqueValues() int64 {
	most := int64(0)
	for _, s := range a.config.Conf {
		if streaming.NewName(s.Name) == "mapreduce.aggregate.max.num.unique.values" {
			most, _ = strconv.ParseInt(s.Value, 10, 64)
		}
	}
	return most
}
