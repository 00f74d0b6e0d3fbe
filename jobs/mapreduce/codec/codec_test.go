package codec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// samples are contents that codecs treat differently.
func samples() map[string][]byte {
	random := make([]byte, 300_000)
	rand.NewChaCha8([32]byte{}).Read(random)
	var text bytes.Buffer
	for i := range 25_000 {
		fmt.Fprintf(&text, "line %d of the text, which repeats itself\n", i%977*i)
	}
	return map[string][]byte{
		"nothing": nil,
		"a byte":  {'x'},
		"a line":  []byte("one line\n"),
		"text":    text.Bytes(),
		"random":  random,
		"zeros":   make([]byte, 1_500_000),
		"a chunk": text.Bytes()[:writeChunk],
	}
}

func compress(t testing.TB, c Codec, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := c.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 { // in uneven pieces
		n := min(len(data), 70_001)
		if m, err := w.Write(data[:n]); err != nil || m != n {
			t.Fatalf("wrote %d of %d: %v", m, n, err)
		}
		data = data[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decompress(c Codec, r io.Reader) ([]byte, error) {
	z, err := c.NewReader(r)
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(z)
	if more := z.Close(); err == nil {
		err = more
	}
	return out, err
}

func TestRoundTrip(t *testing.T) {
	for _, c := range codecs {
		for name, data := range samples() {
			t.Run(c.Name()+"/"+name, func(t *testing.T) {
				packed := compress(t, c, data)
				for _, src := range []io.Reader{bytes.NewReader(packed), iotest.DataErrReader(bytes.NewReader(packed)), iotest.HalfReader(bytes.NewReader(packed))} {
					got, err := decompress(c, src)
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(got, data) {
						t.Fatalf("%d bytes back, want %d", len(got), len(data))
					}
				}
			})
		}
	}
}

func TestConcatenatedStreamsAreOne(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.Name(), func(t *testing.T) {
			var packed, want []byte
			for _, part := range []string{"one\n", "", "two\n", strings.Repeat("three\n", 100_000)} {
				packed = append(packed, compress(t, c, []byte(part))...)
				want = append(want, part...)
			}
			got, err := decompress(c, bytes.NewReader(packed))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes and %v, want %d", len(got), err, len(want))
			}
		})
	}
}

// TestTruncated: data that ends anywhere but at its end is io.ErrUnexpectedEOF,
// and what was read until then is right.
func TestTruncated(t *testing.T) {
	data := []byte(strings.Repeat("truncated ", 200))
	for _, c := range codecs {
		t.Run(c.Name(), func(t *testing.T) {
			packed := compress(t, c, data)
			first := 0
			if slices.Contains([]string{"bzip2", "snappy", "lz4"}, c.Name()) {
				first = 1 // nothing is an empty file, as in Hadoop
			}
			for n := first; n < len(packed); n++ {
				got, err := decompress(c, bytes.NewReader(packed[:n]))
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%d of %d bytes: error %v", n, len(packed), err)
				}
				if !bytes.HasPrefix(data, got) {
					t.Errorf("%d of %d bytes: read what was not written", n, len(packed))
				}
			}
		})
	}
}

// TestFlippedBit: formats with checksums find any flipped bit; the others at least
// never fail in another way than the package says.
func TestFlippedBit(t *testing.T) {
	data := []byte(strings.Repeat("flipped ", 50) + "and the end")
	for _, c := range codecs {
		t.Run(c.Name(), func(t *testing.T) {
			sums := c.Name() != "snappy" && c.Name() != "lz4"
			packed := compress(t, c, data)
			for bit := range 8 * len(packed) {
				bad := bytes.Clone(packed)
				bad[bit/8] ^= 1 << (bit % 8)
				got, err := decompress(c, bytes.NewReader(bad))
				if err == nil && sums && !bytes.Equal(got, data) {
					t.Errorf("bit %d flipped: other bytes and no error", bit)
				}
				if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("bit %d flipped: %v", bit, err)
				}
			}
		})
	}
}

func TestNotThisFormat(t *testing.T) {
	for _, c := range codecs {
		for _, data := range []string{"plain text, longer than a header\n", strings.Repeat("\xff", 100), "\x80"} {
			if got, err := decompress(c, strings.NewReader(data)); !errors.Is(err, ErrCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s of %q: %q, error %v", c.Name(), data, got, err)
			}
		}
	}
}

// TestReadersErrorPasses: what the reader below says is not the data's fault.
func TestReadersErrorPasses(t *testing.T) {
	broken := errors.New("connection lost")
	data := samples()["random"]
	for _, c := range codecs {
		packed := compress(t, c, data)
		for _, n := range []int{0, 1, 5, len(packed) / 2, len(packed) - 1, len(packed)} {
			got, err := decompress(c, io.MultiReader(bytes.NewReader(packed[:n]), iotest.ErrReader(broken)))
			if !errors.Is(err, broken) || errors.Is(err, ErrCorrupt) {
				t.Errorf("%s broken at %d of %d: error %v", c.Name(), n, len(packed), err)
			}
			if !bytes.HasPrefix(data, got) {
				t.Errorf("%s broken at %d: read what was not written", c.Name(), n)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"gzip", "gzip"},
		{"GZIP", "gzip"},
		{"GzipCodec", "gzip"},
		{"org.apache.hadoop.io.compress.GzipCodec", "gzip"},
		{"org.apache.hadoop.io.compress.DefaultCodec", "deflate"},
		{"org.apache.hadoop.io.compress.DeflateCodec", "deflate"},
		{"default", "deflate"},
		{"org.apache.hadoop.io.compress.BZip2Codec", "bzip2"},
		{"bzip2", "bzip2"},
		{"org.apache.hadoop.io.compress.ZStandardCodec", "zstd"},
		{"zstandard", "zstd"},
		{"org.apache.hadoop.io.compress.SnappyCodec", "snappy"},
		{"org.apache.hadoop.io.compress.Lz4Codec", "lz4"},
		{"com.hadoop.compression.lzo.LzopCodec", ""},
		{"org.apache.hadoop.io.compress.gzip", ""},
		{"", ""},
	} {
		if got, ok := ByName(c.name); got.Name() != c.want || ok != (c.want != "") {
			t.Errorf("%q is %q, want %q", c.name, got.Name(), c.want)
		}
	}
	for _, c := range []struct{ file, want string }{
		{"part-00000.gz", "gzip"}, {"a/b.c/x.deflate", "deflate"}, {"x.bz2", "bzip2"}, {"x.zst", "zstd"},
		{"x.snappy", "snappy"}, {"x.lz4", "lz4"}, {"x.GZ", "gzip"}, {"x.Bz2", "bzip2"}, {"gz", ""}, {".gz", ""}, {"x.gz/part", ""}, {"x.gz.txt", ""},
	} {
		if got, ok := ByExtension(c.file); got.Name() != c.want || ok != (c.want != "") {
			t.Errorf("%q is %q, want %q", c.file, got.Name(), c.want)
		}
	}
	for _, c := range codecs {
		if back, _ := ByName(c.name); back.Name() != c.name {
			t.Errorf("%s is not its name's codec", c.name)
		}
		if back, _ := ByExtension("x" + c.Extension()); back.Name() != c.name {
			t.Errorf("%s is not its extension's codec", c.name)
		}
	}
}
