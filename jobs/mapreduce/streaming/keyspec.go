package streaming

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// KeySpec is one -k of a key-field partitioner or comparator: a range of bytes of
// the key. Fields and bytes count from 1; EndField 0 is the end of the key, EndByte 0
// the end of EndField.
type KeySpec struct {
	Field, Byte       int
	EndField, EndByte int
	Numeric, Reverse  bool
}

// maxSpecs bounds the -k of one property.
const maxSpecs = 100

// ParseKeyOptions reads the options of a key-field partitioner or comparator as
// Hadoop does: -k f[.c][nr][,f[.c][nr]] (also "-k 1,2"), and -n, -r and -nr, which
// hold for every -k that has no letter of its own, or for the whole key where there
// is no -k. ignored are the words that Hadoop passes over, such as -rn.
func ParseKeyOptions(text string) (specs []KeySpec, ignored []string, err error) {
	var global KeySpec
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n\r\f", r) })
	for i := 0; i < len(words); i++ {
		switch word := words[i]; {
		case word == "-n":
			global.Numeric = true
		case word == "-r":
			global.Reverse = true
		case word == "-nr":
			global.Numeric, global.Reverse = true, true
		case strings.HasPrefix(word, "-k"):
			rest := word[2:]
			if rest == "" {
				if i++; i == len(words) {
					break
				}
				rest = words[i]
			}
			spec, err := parseKeySpec(rest)
			if err != nil {
				return nil, nil, err
			}
			if specs = append(specs, spec); len(specs) > maxSpecs {
				return nil, nil, refusal{ErrSetting, "", fmt.Sprintf("more than %d -k", maxSpecs)}
			}
		default:
			ignored = append(ignored, word)
		}
	}
	for i := range specs {
		if !specs[i].Numeric && !specs[i].Reverse {
			specs[i].Numeric, specs[i].Reverse = global.Numeric, global.Reverse
		}
	}
	if len(specs) == 0 && len(words) > 0 {
		specs = []KeySpec{{Field: 1, Byte: 1, Numeric: global.Numeric, Reverse: global.Reverse}}
	}
	return specs, ignored, nil
}

// parseKeySpec reads f[.c][nr][,f[.c][nr]].
func parseKeySpec(text string) (KeySpec, error) {
	spec := KeySpec{Byte: 1}
	bad := func() (KeySpec, error) {
		return KeySpec{}, refusal{ErrSetting, "", fmt.Sprintf("-k%s is not of the form -kf[.c][nr][,f[.c][nr]], with numbers from 1", clip(text))}
	}
	from, to, ranged := strings.Cut(text, ",")
	ok := spec.position(from, &spec.Field, &spec.Byte)
	if !ok || spec.Byte < 1 {
		return bad()
	}
	if ranged && !spec.position(to, &spec.EndField, &spec.EndByte) {
		return bad()
	}
	return spec, nil
}

// position reads f[.c][nr].
func (s *KeySpec) position(text string, field, at *int) bool {
	number, letters := text, ""
	if i := strings.IndexAny(text, "nr"); i >= 0 {
		number, letters = text[:i], text[i:]
	}
	first, second, dotted := strings.Cut(number, ".")
	if !ordinal(first, field) || dotted && !ordinal(second, at) {
		return false
	}
	for _, c := range letters {
		switch c {
		case 'n':
			s.Numeric = true
		case 'r':
			s.Reverse = true
		default:
			return false
		}
	}
	return true
}

func ordinal(text string, into *int) bool {
	n, err := strconv.ParseUint(text, 10, 31)
	*into = int(n)
	return err == nil
}

// fieldLengths are the lengths of the key's fields as Hadoop counts them: after a
// separator of several bytes it goes on one byte further, so that such separators
// part only the first two fields cleanly.
func fieldLengths(into []int, key, separator []byte) []int {
	start := 0
	for start <= len(key) {
		at := bytes.Index(key[start:], separator)
		if at < 0 {
			break
		}
		into = append(into, at)
		start += at + 1
	}
	return append(into, max(0, len(key)-start))
}

// find is the range of bytes that s names in a key; false where the key lacks it.
// end may be before start, which is an empty range.
func (s KeySpec) find(key []byte, lengths []int, separator int) (start, end int, ok bool) {
	if len(lengths) < s.Field {
		return 0, 0, false
	}
	offset := 0
	for _, n := range lengths[:max(0, s.Field-1)] {
		offset += n + separator
	}
	if offset+s.Byte > len(key) {
		return 0, 0, false
	}
	start, end = offset+s.Byte-1, len(key)
	if s.EndField == 0 || len(lengths) < s.EndField {
		return start, end, true
	}
	offset = s.EndByte
	for _, n := range lengths[:s.EndField-1] {
		offset += n + separator
	}
	if s.EndByte == 0 {
		offset += lengths[s.EndField-1]
	}
	return start, min(offset, len(key)), true
}

// String is the option that ParseKeyOptions reads as s.
func (s KeySpec) String() string {
	letters := ""
	if s.Numeric {
		letters = "n"
	}
	if s.Reverse {
		letters += "r"
	}
	return fmt.Sprintf("-k%d.%d%s,%d.%d", s.Field, s.Byte, letters, s.EndField, s.EndByte)
}
