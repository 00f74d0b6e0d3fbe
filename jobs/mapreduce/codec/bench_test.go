package codec

import (
	"bytes"
	"compress/bzip2"
	"io"
	"testing"
)

// BenchmarkReaders: raw bytes a second.
func BenchmarkReaders(b *testing.B) {
	data := samples()["text"]
	for _, c := range codecs {
		packed := compress(b, c, data)
		b.Run(c.Name(), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				r, err := c.NewReader(bytes.NewReader(packed))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
	}
	b.Run("bzip2 of the standard library", func(b *testing.B) {
		packed := compress(b, codecOf(b, "bzip2"), data)
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := io.Copy(io.Discard, bzip2.NewReader(bytes.NewReader(packed))); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkWriters: raw bytes a second.
func BenchmarkWriters(b *testing.B) {
	data := samples()["text"]
	for _, c := range codecs {
		b.Run(c.Name(), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				compress(b, c, data)
			}
		})
	}
}
