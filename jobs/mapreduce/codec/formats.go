package codec

import (
	"io"

	"github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// zstdWindow is the zstd tool's own bound (2^27); Hadoop writes 2 MiB.
const zstdWindow = 128 << 20

func openGzip(r io.Reader) (io.ReadCloser, error) {
	return newStream("gzip", r, func(src *source) (io.ReadCloser, error) { return gzip.NewReader(src) })
}

func createGzip(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }

func openDeflate(r io.Reader) (io.ReadCloser, error) {
	return newStream("deflate", r, func(src *source) (io.ReadCloser, error) { return zlib.NewReader(src) })
}

func createDeflate(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil }

func createBzip2(w io.Writer) (io.WriteCloser, error) {
	return bzip2.NewWriter(w, &bzip2.WriterConfig{Level: bzip2.BestCompression})
}

func openZstd(r io.Reader) (io.ReadCloser, error) {
	return newStream("zstd", r, func(src *source) (io.ReadCloser, error) {
		if src.ended() {
			return nil, io.EOF
		}
		dec, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, err
		}
		return dec.IOReadCloser(), nil
	})
}

func createZstd(w io.Writer) (io.WriteCloser, error) {
	return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
}
