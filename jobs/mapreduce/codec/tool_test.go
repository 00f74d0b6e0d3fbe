package codec

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/pierrec/lz4/v4"
)

// pythonZlib is what Debian has no tool for: python3 -c pythonZlib compress|decompress.
const pythonZlib = `import sys, zlib
sys.stdout.buffer.write(getattr(zlib, sys.argv[1])(sys.stdin.buffer.read()))`

// pipe is what the tool makes of in.
func pipe(t *testing.T, in []byte, argv ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var complaint bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v: %s", argv, err, complaint.Bytes())
	}
	return out
}

// TestToolsAgree: each format's own tool reads what is written here, and the other
// way round.
func TestToolsAgree(t *testing.T) {
	for _, c := range []struct {
		codec            string
		pack, unpack     []string
		fromTool, toTool func(t *testing.T, packed []byte) []byte
	}{
		{codec: "gzip", pack: []string{"gzip", "-c"}, unpack: []string{"gzip", "-dc"}},
		{codec: "deflate", pack: []string{"python3", "-c", pythonZlib, "compress"}, unpack: []string{"python3", "-c", pythonZlib, "decompress"}},
		{codec: "bzip2", pack: []string{"bzip2", "-c"}, unpack: []string{"bzip2", "-dc"}},
		{codec: "zstd", pack: []string{"zstd", "-c"}, unpack: []string{"zstd", "-dc"}},
		{codec: "zstd", pack: []string{"zstd", "-1", "--long=27", "-c"}, unpack: []string{"zstd", "-dc"}},
		{codec: "lz4", pack: []string{"lz4", "-l", "-c"}, unpack: []string{"lz4", "-dc"}, fromTool: fromLegacy, toTool: toLegacy},
	} {
		for name, data := range samples() {
			t.Run(c.codec+"/"+name, func(t *testing.T) {
				codec := codecOf(t, c.codec)
				theirs := pipe(t, data, c.pack...)
				if c.fromTool != nil {
					theirs = c.fromTool(t, theirs)
				}
				if got, err := decompress(codec, bytes.NewReader(theirs)); err != nil || !bytes.Equal(got, data) {
					t.Errorf("theirs: %d bytes of %d, error %v", len(got), len(data), err)
				}
				ours := compress(t, codec, data)
				if c.toTool != nil {
					ours = c.toTool(t, ours)
				}
				if got := pipe(t, ours, c.unpack...); !bytes.Equal(got, data) {
					t.Errorf("ours: %d bytes of %d", len(got), len(data))
				}
			})
		}
	}
}

// legacyMagic begins the lz4 tool's oldest frame: blocks of 8 MiB, each behind its
// length, little-endian. It is the tool's nearest to Hadoop's format.
const legacyMagic = "\x02\x21\x4c\x18"

// fromLegacy puts a frame's blocks into Hadoop's.
func fromLegacy(t *testing.T, frame []byte) (packed []byte) {
	t.Helper()
	rest, ok := bytes.CutPrefix(frame, []byte(legacyMagic))
	for ok && len(rest) > 0 {
		size := binary.LittleEndian.Uint32(rest)
		chunk := rest[4 : 4+size]
		rest = rest[4+size:]
		dst := make([]byte, 8<<20)
		n, err := lz4.UncompressBlock(chunk, dst)
		if err != nil {
			t.Fatal(err)
		}
		packed = binary.BigEndian.AppendUint32(packed, uint32(n))
		packed = binary.BigEndian.AppendUint32(packed, size)
		packed = append(packed, chunk...)
	}
	if !ok {
		t.Fatalf("no frame: % x", frame[:min(len(frame), 8)])
	}
	return packed
}

// toLegacy is the other way round.
func toLegacy(_ *testing.T, packed []byte) []byte {
	frame := []byte(legacyMagic)
	for len(packed) > 4 {
		size := binary.BigEndian.Uint32(packed[4:])
		frame = binary.LittleEndian.AppendUint32(frame, size)
		frame = append(frame, packed[8:8+size]...)
		packed = packed[8+size:]
	}
	return frame
}
