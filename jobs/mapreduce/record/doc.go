// Package record finds records in bytes by Hadoop's rules.
//
// A record ends at LF, CRLF or a lone CR (CR CR LF ends two), or at a delimiter
// of the user's instead; the last one of a file needs no end. Bytes are otherwise
// bytes: NULs, invalid UTF-8 and a byte order mark pass. Reader hands records out
// one by one, without their ends and without an allocation for each. Cut takes the
// whole records of one split out of a file, verbatim: whatever way a file is split,
// every record belongs to one split, and the splits' records in order are the file's.
//
// Memory is bounded by the longest record that the caller allows; Cut holds
// nothing back. The package is pure: it reads what it is handed. Start with
// Reader, then with mark, which is all there is to splitting.
package record
