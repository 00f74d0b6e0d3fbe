package protocol

import "github.com/zennet/zennet/ledger/types"

// ChunkSize is the length of every chunk of a file but its last.
const ChunkSize = 1 << 20

// Manifest is a tree of files, sorted by Path, without duplicates. Its encoding
// is itself one blob, at most MaxManifest bytes, named by its SHA-256.
type Manifest struct {
	Files []File `cbor:"1,keyasint" json:"files"`
}

// File is one file, folder or link of a manifest. Path is slash-separated,
// clean, relative and never begins with "..". The path of a manifest that is a
// single file is ".".
type File struct {
	Path   string       `cbor:"1,keyasint" json:"path"`
	Mode   uint32       `cbor:"2,keyasint" json:"mode"` // permission bits, and ModeDir for an empty folder
	Size   uint64       `cbor:"3,keyasint" json:"size"`
	Chunks []types.Hash `cbor:"4,keyasint,omitempty" json:"chunks,omitempty"` // SHA-256 of each ChunkSize bytes
	Link   string       `cbor:"5,keyasint,omitempty" json:"link,omitempty"`   // target of a symbolic link inside the tree
}

// ModeDir marks a folder in File.Mode.
const ModeDir = 1 << 31

// A blob stream carries chunks from the publisher to a provider. The publisher
// sends Have; the provider answers with Missing; the publisher sends one Chunk
// for each missing one, in that order; the provider answers with Stored once all
// are kept. Then the next Have may follow.
type Have struct {
	Chunks []types.Hash `cbor:"1,keyasint"` // at most MaxHave
	// Cache says that these are of use while there is room for them, no longer: the
	// provider may drop them at any time, and takes fewer of them.
	Cache bool `cbor:"2,keyasint,omitempty"`
}

// MaxHave bounds the hashes of one Have.
const MaxHave = 4096

// Missing lists the indexes into Have.Chunks that the provider lacks.
type Missing struct {
	Indexes []uint32 `cbor:"1,keyasint"`
}

// Chunk is one blob: at most ChunkSize bytes of a file, or an encoded Manifest.
type Chunk struct {
	Data []byte `cbor:"1,keyasint"`
}

// Stored acknowledges the chunks of one Have, or says why not.
type Stored struct {
	Error string `cbor:"1,keyasint,omitempty"`
}
