package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zennet/zennet/jobs/mapreduce/codec"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// found surveys one input.
func found(t testing.TB, d *Data) spec.Found {
	t.Helper()
	all, err := d.Survey(context.Background())
	if err != nil || len(all) != 1 {
		t.Fatalf("%d files, %v", len(all), err)
	}
	return all[0]
}

func partOf(f spec.Found, offset, length int64) plan.Part {
	return plan.Part{File: f.Path, ID: f.ID, Size: f.Size, ModTime: f.ModTime, Offset: offset, Length: length}
}

func read(t testing.TB, d *Data, p plan.Part) string {
	t.Helper()
	r, err := d.Open(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestParts: whatever way a file is cut, its parts in order are the file, and each
// begins where a record begins.
func TestParts(t *testing.T) {
	text := "one\ntwo\r\nthree\rfour\n\n" + strings.Repeat("a longer line\n", 10) + "the last has no end"
	r := newRooted(t)
	var packed bytes.Buffer
	c, _ := codec.ByName("bzip2")
	w, err := c.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r.write(t, map[string]string{"in": text, "in.bz2": packed.String()})
	for _, input := range []string{"in", "hdfs://nn/in"} {
		d := r.open(t, spec.MapReduce{Input: []string{input}})
		f := found(t, d)
		for size := int64(1); size < 60; size++ {
			var all strings.Builder
			for at := int64(0); at < f.Size; at += size {
				p := partOf(f, at, min(size, f.Size-at))
				plain := read(t, d, p)
				all.WriteString(plain)
				p.Lead = true
				led := read(t, d, p)
				where := int64(binary.BigEndian.Uint64([]byte(led[:8])))
				if led[8:] != plain || plain != "" && !strings.HasPrefix(text[where:], plain) || plain == "" && where != at+p.Length {
					t.Fatalf("part from %d: %q is said to be at %d", at, plain, where)
				}
			}
			if all.String() != text {
				t.Fatalf("%s in parts of %d: %q", input, size, all.String())
			}
		}
		if got := read(t, d, plan.Part{File: f.Path, ID: f.ID, Size: f.Size, ModTime: f.ModTime, Length: f.Size, Whole: true}); got != text {
			t.Errorf("whole: %q", got)
		}
		limited := partOf(f, 0, f.Size)
		limited.Limit = 10
		if got := read(t, d, limited); got != "one\ntwo\r\nthree\r" {
			t.Errorf("limited: %q", got)
		}
	}
	d := r.open(t, spec.MapReduce{Input: []string{"in.bz2"}})
	f := found(t, d)
	var all string
	for at := int64(0); at < f.Size; at += 40 {
		p := partOf(f, at, min(40, f.Size-at))
		p.Codec = "bzip2"
		all += read(t, d, p)
	}
	if all != text {
		t.Errorf("bzip2: %q", all)
	}
}

// TestChangedInput: a file that is not the planned one any more is refused by name.
func TestChangedInput(t *testing.T) {
	text := strings.Repeat("line\n", 1000)
	for name, change := range map[string]func(at string) error{
		"longer":  func(at string) error { return os.WriteFile(at, []byte(text+"more\n"), 0o644) },
		"shorter": func(at string) error { return os.Truncate(at, 100) },
		"written": func(at string) error { return os.Chtimes(at, time.Time{}, time.Now().Add(time.Hour)) },
		"gone":    os.Remove,
		"another": func(at string) error {
			info, err := os.Stat(at)
			return errors.Join(err, os.WriteFile(at+".new", []byte(text), 0o644), os.Chtimes(at+".new", time.Time{}, info.ModTime()), os.Rename(at+".new", at))
		},
	} {
		for _, when := range []string{"before", "while"} {
			r := newRooted(t)
			r.write(t, map[string]string{"in": text})
			d := r.open(t, spec.MapReduce{Input: []string{"in"}})
			f := found(t, d)
			p := partOf(f, 2000, f.Size-2000)
			var err error
			if when == "before" {
				if err := change(r.in("in")); err != nil {
					t.Fatal(err)
				}
				if err := d.Check(context.Background(), p); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "input in: ") {
					t.Errorf("%s: %v", name, err)
				}
				_, err = d.Open(context.Background(), p)
			} else {
				var s io.ReadCloser
				if s, err = d.Open(context.Background(), p); err != nil {
					t.Fatal(err)
				}
				if err := d.Check(context.Background(), p); err != nil {
					t.Fatal(err)
				}
				if err := change(r.in("in")); err != nil {
					t.Fatal(err)
				}
				_, err = io.ReadAll(s)
				s.Close()
			}
			if !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "input in: ") {
				t.Errorf("%s %s it was read: %v", name, when, err)
			}
		}
	}
}

func TestBadParts(t *testing.T) {
	r := newRooted(t)
	r.write(t, map[string]string{"in": "text\n"})
	d := r.open(t, spec.MapReduce{Input: []string{"in"}})
	f := found(t, d)
	for _, p := range []plan.Part{partOf(f, -1, 2), partOf(f, 0, 6), partOf(f, 5, 1), partOf(f, 1<<62, 1<<62), {File: f.Path, ID: f.ID, Size: f.Size, ModTime: f.ModTime, Length: 5, Codec: "gzip"}} {
		if _, err := d.Open(context.Background(), p); !errors.Is(err, ErrPart) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(context.Background(), partOf(spec.Found{Path: "hdfs://nn/in"}, 0, 0)); err == nil {
		t.Error("opened after Close")
	}
}

// TestLines: where maps get a number of lines, the survey finds where these end.
func TestLines(t *testing.T) {
	r := newRooted(t)
	r.write(t, map[string]string{"in": "1\n22\r\n3\n4\n5"})
	d := r.open(t, spec.MapReduce{Input: []string{"in"}, Conf: []spec.Setting{
		{Name: "mapreduce.job.inputformat.class", Value: "org.apache.hadoop.mapred.lib.NLineInputFormat"},
		{Name: "mapreduce.input.lineinputformat.linespermap", Value: "2"}}})
	f := found(t, d)
	if got := fmt.Sprint(f.Cuts); got != "[6 10]" {
		t.Errorf("cuts %s", got)
	}
}
