package segment

import (
	"bytes"
	"encoding/binary"
)

// Compare orders keys. Nil means the order of their unsigned bytes.
type Compare func(a, b []byte) int

// Merger brings the entries of several sources into one order; equal keys come
// in the order of the sources. It is a tournament: a tree whose leaves are the
// sources, and each inner node names the loser of the match there.
type Merger struct {
	compare Compare
	players []player
	losers  []int32
	best    int32
	started bool
	big     []byte
}

type player struct {
	Source
	prefix uint64 // the key's first bytes, as a number
	key    []byte
	done   bool
}

// NewMerger merges sources that are in the order of compare.
func NewMerger(sources []Source, compare Compare) *Merger {
	m := &Merger{compare: compare, players: make([]player, len(sources)), losers: make([]int32, len(sources))}
	for i, s := range sources {
		m.players[i].Source = s
	}
	return m
}

// Next gives the next entry. What it gives is good until it is called again;
// payload is nil at the end, and only then.
func (m *Merger) Next() (key, payload []byte, err error) {
	if len(m.players) == 0 {
		return nil, nil, nil
	}
	if !m.started {
		m.started = true
		for i := range m.players {
			if err := m.players[i].next(); err != nil {
				return nil, nil, err
			}
		}
		m.best = m.play(1)
	} else if p := &m.players[m.best]; !p.done {
		if err := p.next(); err != nil {
			return nil, nil, err
		}
		if p.done || !p.Same() {
			m.replay()
		}
	}
	p := &m.players[m.best]
	if p.done {
		return nil, nil, nil
	}
	if payload, err = p.Payload(&m.big); payload == nil && err == nil {
		payload = []byte{}
	}
	p.key = p.Source.Key() // it may have moved
	return p.key, payload, err
}

func (p *player) next() error {
	more, err := p.Source.Next()
	p.done = !more
	if more {
		p.key = p.Source.Key()
		p.prefix = Prefix(p.key)
	}
	return err
}

// play finds the winner below a node, for the first time. The leaves' nodes have
// the numbers from len(players) on.
func (m *Merger) play(node int) int32 {
	n := len(m.players)
	if node >= n {
		return int32(node - n)
	}
	a, b := m.play(2*node), m.play(2*node+1)
	if m.less(b, a) {
		a, b = b, a
	}
	m.losers[node] = b
	return a
}

// replay lets the last winner's next entry climb.
func (m *Merger) replay() {
	best := m.best
	for node := (int(best) + len(m.players)) / 2; node > 0; node /= 2 {
		if m.less(m.losers[node], best) {
			m.losers[node], best = best, m.losers[node]
		}
	}
	m.best = best
}

func (m *Merger) less(a, b int32) bool {
	p, q := &m.players[a], &m.players[b]
	if p.done || q.done {
		return !p.done
	}
	if m.compare != nil {
		if c := m.compare(p.key, q.key); c != 0 {
			return c < 0
		}
		return a < b
	}
	if p.prefix != q.prefix {
		return p.prefix < q.prefix
	}
	if c := bytes.Compare(p.key, q.key); c != 0 {
		return c < 0
	}
	return a < b
}

// Prefix is the first eight bytes of a key as a number that sorts like them; a
// shorter key is filled up with zeros.
func Prefix(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}
