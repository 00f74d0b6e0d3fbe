package streaming

// SplitPaths cuts a list of input paths at its commas, but not inside braces, as
// FileInputFormat does.
func SplitPaths(list string) []string {
	var out []string
	depth, begin := 0, 0
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '{':
			depth++
		case '}':
			depth = max(0, depth-1)
		case ',':
			if depth == 0 {
				out, begin = append(out, list[begin:i]), i+1
			}
		}
	}
	return append(out, list[begin:])
}
