// Package local is the files.System of this machine's disk.
//
// A file's ID is its inode, its block 128 MiB (what HDFS cuts files into), so
// that jobs are cut alike on both. Put writes a hidden file beside the new one,
// syncs it, renames it in one step that refuses an existing target, and syncs
// the folder.
//
// Start at local.go (looking and reading), then write.go.
package local
