package codec

import (
	"io"
	"path"
	"slices"
	"strings"
)

// Codec is one compressed format.
type Codec struct {
	name      string
	extension string
	classes   []string // Hadoop's, without their package
	open      func(io.Reader) (io.ReadCloser, error)
	create    func(io.Writer) (io.WriteCloser, error)
}

// hadoop is the package of Hadoop's codec classes.
const hadoop = "org.apache.hadoop.io.compress."

var codecs = []Codec{
	{"gzip", ".gz", []string{"GzipCodec"}, openGzip, createGzip},
	{"deflate", ".deflate", []string{"DefaultCodec", "DeflateCodec"}, openDeflate, createDeflate},
	{"bzip2", ".bz2", []string{"BZip2Codec"}, openBzip2, createBzip2},
	{"zstd", ".zst", []string{"ZStandardCodec"}, openZstd, createZstd},
	{"snappy", ".snappy", []string{"SnappyCodec"}, openSnappy, createSnappy},
	{"lz4", ".lz4", []string{"Lz4Codec"}, openLz4, createLz4},
}

// ByName finds a codec by its own name ("gzip", "zstd"), or as Hadoop does, by its
// class with or without package ("org.apache.hadoop.io.compress.GzipCodec",
// "GzipCodec") or by the class without Codec in any case ("default").
func ByName(name string) (Codec, bool) {
	short := strings.TrimPrefix(name, hadoop)
	for _, c := range codecs {
		alias := func(class string) bool {
			return short == class || strings.EqualFold(name, strings.TrimSuffix(class, "Codec"))
		}
		if strings.EqualFold(name, c.name) || slices.ContainsFunc(c.classes, alias) {
			return c, true
		}
	}
	return Codec{}, false
}

// ByExtension finds the codec of a file by its name, in any case, as Hadoop does: "part.gz".
func ByExtension(name string) (Codec, bool) {
	for _, c := range codecs {
		if base := path.Base(name); strings.EqualFold(path.Ext(base), c.extension) && len(base) > len(c.extension) {
			return c, true
		}
	}
	return Codec{}, false
}

// Name is the format's own name: "gzip", "deflate", "bzip2", "zstd", "snappy", "lz4".
func (c Codec) Name() string { return c.name }

// Extension is what Hadoop appends to the names of such files: ".gz".
func (c Codec) Extension() string { return c.extension }

// Splittable says that a file can be read from the middle: see Blocks.
func (c Codec) Splittable() bool { return c.name == "bzip2" }

// NewReader decompresses all of r. Close gives back the reader's memory and leaves
// r open.
func (c Codec) NewReader(r io.Reader) (io.ReadCloser, error) { return c.open(r) }

// NewWriter compresses into w. Close ends the stream and leaves w open.
func (c Codec) NewWriter(w io.Writer) (io.WriteCloser, error) { return c.create(w) }
