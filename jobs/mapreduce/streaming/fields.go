package streaming

import (
	"bytes"
	"strconv"
)

// Fields says how a line that a process wrote becomes key and value: the key
// reaches to the Keys-th Separator.
type Fields struct {
	Separator []byte
	Keys      int // at least 1
}

// Split cuts a line (without its end). With fewer separators than Keys the whole
// line is the key and the value is empty. An empty separator stands before the first byte.
func (f Fields) Split(line []byte) (key, value []byte) {
	from := 0
	for n := max(1, f.Keys); ; n-- {
		at := bytes.Index(line[from:], f.Separator)
		if at < 0 {
			return line, line[len(line):]
		}
		at += from
		from = at + len(f.Separator)
		if n == 1 {
			return line[:at], line[from:]
		}
	}
}

// Input formats that are known.
const (
	FormatText     = "text"     // TextInputFormat: the line; its key is its byte offset
	FormatKeyValue = "keyvalue" // KeyValueTextInputFormat: key and value parted by KeyEnd
	FormatNLine    = "nline"    // NLineInputFormat: text, in splits of Lines lines
)

// Input says how records are read from the input files and handed to the mapper.
type Input struct {
	Format    string
	Lines     int    `json:",omitempty"` // of a split (FormatNLine)
	KeyEnd    []byte `json:",omitempty"` // one byte (FormatKeyValue)
	Delimiter []byte `json:",omitempty"` // of records; empty: LF, CRLF and a lone CR
	// IgnoreKey: the mapper reads the value only. Otherwise key, Separator, value.
	IgnoreKey bool
	Separator []byte
	Recursive bool // folders in input folders are searched too
}

// Pair is the record's key and value as the input format makes them; offset is the
// byte at which the record begins in its file. The results may alias line.
func (in Input) Pair(offset int64, line []byte) (key, value []byte) {
	if in.Format == FormatKeyValue {
		return Fields{Separator: in.KeyEnd, Keys: 1}.Split(line)
	}
	return strconv.AppendInt(nil, offset, 10), line
}

// Append appends to dst what the mapper reads for a record: a line with its LF.
func (in Input) Append(dst []byte, offset int64, line []byte) []byte {
	switch {
	case in.Format == FormatKeyValue:
		key, value := Fields{Separator: in.KeyEnd, Keys: 1}.Split(line)
		if !in.IgnoreKey {
			dst = append(append(dst, key...), in.Separator...)
		}
		dst = append(dst, value...)
	case in.IgnoreKey:
		dst = append(dst, line...)
	default:
		dst = append(strconv.AppendInt(dst, offset, 10), in.Separator...)
		dst = append(dst, line...)
	}
	return append(dst, '\n')
}

// AppendPair appends key, separator, value and LF: what a reducer or combiner reads
// (Config.ReduceSeparator) and what an output file holds (Config.OutputSeparator).
func AppendPair(dst, key, separator, value []byte) []byte {
	dst = append(append(dst, key...), separator...)
	return append(append(dst, value...), '\n')
}
