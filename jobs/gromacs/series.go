package gromacs

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
)

// series is what one item of the report is for one member: a table over time.
type series struct {
	member  int
	legends []string
	time    []float64   // ps, rising
	values  [][]float64 // [column][row]
}

// readSeries reads an .xvg table. It comes from a provider: whatever is in it,
// nothing but numbers goes on, and rows that are not are left out.
func readSeries(data []byte) (series, error) {
	const (
		mostColumns = 64
		mostValue   = 1e12 // no quantity of a simulation comes near
	)
	var s series
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(make([]byte, 0, 64<<10), 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "@") {
			if _, legend, ok := strings.Cut(line, " legend "); ok && len(s.legends) < mostColumns {
				s.legends = append(s.legends, strings.Trim(legend, `" `))
			}
			continue
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		if len(words) < 2 || len(words) > mostColumns || s.values != nil && len(words)-1 != len(s.values) {
			continue
		}
		row := make([]float64, len(words))
		fine := true
		for i, word := range words {
			x, err := strconv.ParseFloat(word, 64)
			fine = fine && err == nil && math.Abs(x) <= mostValue // no NaN either
			row[i] = x
		}
		if !fine || len(s.time) > 0 && row[0] <= s.time[len(s.time)-1] {
			continue
		}
		if s.values == nil {
			s.values = make([][]float64, len(row)-1)
		}
		s.time = append(s.time, row[0])
		for i, x := range row[1:] {
			s.values[i] = append(s.values[i], x)
		}
	}
	if err := lines.Err(); err != nil || len(s.time) == 0 {
		return s, fmt.Errorf("%w: it holds no table", ErrInput)
	}
	for len(s.legends) < len(s.values) {
		s.legends = append(s.legends, fmt.Sprintf("column %d", len(s.legends)+1))
	}
	return s, nil
}

// column is the values under a legend; nil where there is none.
func (s series) column(legend string) []float64 {
	for i, one := range s.legends {
		if one == legend && i < len(s.values) {
			return s.values[i]
		}
	}
	return nil
}

// stats are the figures of a column.
type stats struct {
	mean, sd, least, most, last float64
}

// figures of values, which are not empty; sd is that of the sample, 0 for one value.
func figures(values []float64) stats {
	s := stats{least: math.Inf(1), most: math.Inf(-1), last: values[len(values)-1]}
	for _, x := range values {
		s.mean += x / float64(len(values))
		s.least, s.most = min(s.least, x), max(s.most, x)
	}
	for _, x := range values {
		s.sd += (x - s.mean) * (x - s.mean)
	}
	if len(values) > 1 {
		s.sd = math.Sqrt(s.sd / float64(len(values)-1))
	}
	return s
}

// drift is the slope of the least-squares line through values over time.
func drift(time, values []float64) float64 {
	n := float64(len(time))
	if n < 2 {
		return 0
	}
	var t, v, tt, tv float64
	for i := range time {
		t += time[i] / n
		v += values[i] / n
	}
	for i := range time {
		tt += (time[i] - t) * (time[i] - t)
		tv += (time[i] - t) * (values[i] - v)
	}
	if tt == 0 {
		return 0
	}
	return tv / tt
}

// about is what a report task says of its member.
type about struct {
	gromacs string
	atoms   string
	whole   string            // group that gyration and image are of
	fit     string            // group that rmsd is of
	items   map[string]string // item → "ok" or why it was left out
}

// readAbout reads about.MEMBER.txt; unknown lines are passed over.
func readAbout(data []byte) about {
	a := about{items: map[string]string{}}
	for _, line := range strings.Split(string(data), "\n") {
		key, rest, _ := strings.Cut(plain(line), " ")
		switch key {
		case "gromacs":
			a.gromacs = rest
		case "atoms":
			a.atoms = rest
		case "group":
			a.whole = rest
		case "fit":
			a.fit = rest
		case "item":
			item, state, _ := strings.Cut(rest, " ")
			a.items[item] = state
		}
	}
	return a
}

// plain keeps the printable part of a line that a provider wrote, without what
// Markdown would take for markup.
func plain(s string) string {
	if len(s) > 500 {
		s = s[:500]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune("|<>`*[]", r) {
			return -1
		}
		return r
	}, s)
}

// readFile reads a report's file if it is there and not absurdly large.
func readFile(files fs.FS, name string) []byte {
	const most = 256 << 20
	if info, err := fs.Stat(files, name); err != nil || info.Size() > most {
		return nil
	}
	data, err := fs.ReadFile(files, name)
	if err != nil {
		return nil
	}
	return data
}
