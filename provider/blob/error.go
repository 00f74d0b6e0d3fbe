package blob

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrMissing says that a blob is not in the store, or not whole.
	ErrMissing ErrorKind = "blob is missing"
	// ErrDamaged says that bytes do not have the hash that names them.
	ErrDamaged ErrorKind = "blob is damaged"
	// ErrFull says that the store is at its bound and all it holds is pinned.
	ErrFull ErrorKind = "blob store is full"
	// ErrTooLarge says that a blob, a file or a tree exceeds its bound.
	ErrTooLarge ErrorKind = "too large"
	// ErrManifest says that a manifest is malformed.
	ErrManifest ErrorKind = "manifest not valid"
	// ErrPath says that a path or pattern cannot stand in a manifest.
	ErrPath ErrorKind = "path not allowed"
	// ErrNoMatch says that a pattern matches nothing.
	ErrNoMatch ErrorKind = "matches nothing"
	// ErrSpecial says that a file is no regular file, folder or link.
	ErrSpecial ErrorKind = "special file"
	// ErrLink says that a symbolic link leaves its tree or leads nowhere.
	ErrLink ErrorKind = "link leaves the tree"
	// ErrChanged says that a file changed while it was read.
	ErrChanged ErrorKind = "file changed while it was read"
	// ErrStream says that the other end of a blob stream broke the protocol.
	ErrStream ErrorKind = "blob stream broken"
	// ErrLimit says that more bytes came than a lease may store.
	ErrLimit ErrorKind = "more than the lease may store"
	// ErrRefused says that the other end could not keep what was sent.
	ErrRefused ErrorKind = "blobs were not kept"
)
