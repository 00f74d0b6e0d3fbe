// Package blob moves trees of files between machines by content: a tree is a
// protocol.Manifest, its files are chunks of 1 MiB named by their SHA-256, and
// an encoded manifest is itself one such blob.
//
//   - [Store] keeps blobs in a folder, as <2 hex>/<64 hex>, bounded, the least
//     recently used going first; what a live lease needs is pinned.
//   - [Scan] makes the manifest of what patterns choose in a folder,
//     [Store.Import] keeps the chunks too, and [Place] writes a tree back.
//   - [Send] and [Receive] are the two ends of a blob stream: only what is missing
//     travels, so that a broken transfer goes on where it stopped.
//
// It guarantees that nothing whose hash is wrong is ever given out or written;
// that no path, link or special file of a manifest or of a folder leaves its tree
// on either side; that kill -9 at any point leaves a store that works and holds
// no half chunk that counts; and that memory is bounded whatever the tree.
//
// It leaves to others who may send what to whom (provider/agent) and deadlines
// (provider/peer). Start at manifest.go, then store.go.
package blob
