// Package codec reads and writes the compressed formats that Hadoop's jobs use.
//
// They are gzip, zlib (Hadoop's DefaultCodec, .deflate), bzip2, zstd, and the
// block formats that Hadoop calls .snappy and .lz4, which are not those tools'
// own frames. A codec is found by a file's extension, as Hadoop finds it, or by a
// name: Hadoop's class, or the format's.
//
// Every reader takes concatenated streams as one, as the tools do. Input that
// ends in the midst of a stream, or fails a checksum where the format has one, is
// an error; its bytes so far have been handed out. What a reader holds is bounded
// whatever the input claims (memory_test.go has the bounds). How much a small input
// may grow is not: who reads counts.
//
// A bzip2 file can be read from the middle (Blocks): its blocks stand alone, but
// begin at any bit. Together with record.Cut, which sees only what they decode
// to, every record of such a file is read once, whatever way it is split.
//
// The package is pure: its codecs run in the caller's goroutine and touch nothing
// but their reader or writer. Start with codec.go.
package codec
