package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Inside cleans a path that a user wrote and says what is wrong with it: it must
// be relative and stay inside the folder it is relative to. The second result is
// "" where nothing is.
func Inside(name string) (string, string) {
	clean := path.Clean(name)
	switch {
	case strings.TrimSpace(name) == "":
		return "", "is empty"
	case strings.ContainsAny(name, "\x00\n\r") || strings.Contains(name, `\`):
		return "", fmt.Sprintf("%q holds a character that paths of a job may not have", clip(name))
	case path.IsAbs(name):
		return "", clip(name) + " is absolute; paths are relative to the job file's folder and stay inside it"
	case clean == ".." || strings.HasPrefix(clean, "../"):
		return "", clip(name) + " leaves the job file's folder"
	case clean == ".":
		return "", clip(name) + " is the job file's folder itself; name files or folders in it"
	}
	return clean, ""
}

// errLeaves says that a symbolic link leads out of the tree.
var errLeaves = errors.New("leaves the job file's folder")

// resolve follows the symbolic links of a clean relative path and returns where
// it ends. A link that is absolute or climbs out is errLeaves.
func resolve(files fs.FS, name string) (string, fs.FileInfo, error) {
	const mostLinks = 40
	done, rest := ".", name
	var info fs.FileInfo
	for links := 0; rest != ""; {
		part, after, _ := strings.Cut(rest, "/")
		rest = after
		if part == "" || part == "." {
			continue
		}
		if part == ".." {
			if done == "." {
				return "", nil, errLeaves
			}
			done = path.Dir(done)
			continue
		}
		next := path.Join(done, part)
		var err error
		if info, err = fs.Lstat(files, next); err != nil {
			return "", nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		target, err := fs.ReadLink(files, next)
		if err != nil {
			return "", nil, err
		}
		if links++; path.IsAbs(target) || links > mostLinks {
			return "", nil, errLeaves
		}
		rest = target + "/" + rest
	}
	info, err := fs.Lstat(files, done)
	return done, info, err
}

// exists checks that a clean path is a file, or a folder of files, all inside
// the tree; it says what is wrong, or "".
func exists(files fs.FS, name string) string {
	end, info, err := resolve(files, name)
	switch {
	case errors.Is(err, errLeaves):
		return clip(name) + " is, or goes through, a symbolic link that leaves the job file's folder"
	case errors.Is(err, fs.ErrNotExist):
		return clip(name) + " does not exist"
	case err != nil:
		return clip(name) + " cannot be read: " + clip(err.Error())
	case info.Mode().IsRegular():
		return ""
	case !info.IsDir():
		return clip(name) + " is neither a file nor a folder"
	}
	count, problem := 0, ""
	err = fs.WalkDir(files, end, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if count++; count > MaxTreeFiles {
			problem = fmt.Sprintf("%s holds more than %d files", clip(name), MaxTreeFiles)
			return fs.SkipAll
		}
		switch mode := entry.Type(); {
		case mode&fs.ModeSymlink != 0:
			if _, _, err := resolve(files, at); errors.Is(err, errLeaves) {
				problem = clip(at) + " is a symbolic link that leaves the job file's folder"
			}
		case !mode.IsRegular() && !mode.IsDir():
			problem = clip(at) + " is neither a file nor a folder"
		}
		if problem != "" {
			return fs.SkipAll
		}
		return nil
	})
	if problem == "" && err != nil {
		problem = clip(name) + " cannot be read: " + clip(err.Error())
	}
	return problem
}

// inputs reads the list of a container job and looks for the files of each task.
func (r *reader) inputs(f field, c Container, names map[string]bool) []string {
	var out []string
	checked := map[string]bool{}
	placed := places{}
	for _, item := range r.list(f, MaxInputs) {
		s, ok := r.text(item)
		if !ok {
			continue
		}
		remote := IsURL(s)
		clean, problem := s, ""
		if remote {
			problem = remoteProblem(s)
		} else {
			clean, problem = Inside(s)
		}
		if problem == "" {
			problem = unknownHole(clean, names)
		}
		if problem == "" {
			problem = placed.overlap(InputPath(clean))
		}
		if problem != "" {
			r.report(item.node, item.path, ErrFile, "%s", problem)
			continue
		}
		out = append(out, clean)
		if remote {
			continue // looked for when the job is submitted
		}
		missing, tasks := 0, c.Tasks()
		if !strings.ContainsRune(clean, '{') {
			tasks = 1
		}
		for i := range tasks {
			name := c.Fill(clean, i)
			if checked[name] {
				continue
			}
			checked[name] = true
			problem := ""
			if again, bad := Inside(name); bad != "" || again != name {
				problem = clip(name) + " leaves the job file's folder, or is not a plain path"
			} else {
				problem = exists(r.files, name)
			}
			if problem == "" {
				continue
			}
			if missing++; missing > 3 {
				r.report(item.node, item.path, ErrFile, "and more of %s", clip(clean))
				break
			}
			r.report(item.node, item.path, ErrFile, "%s", problem)
		}
	}
	return out
}

// places are the paths that inputs take in the scratch folder, and the folders
// above them (by a path below each).
type places map[string]string

// overlap adds a path, or says which other it would lie in or around.
func (p places) overlap(name string) string {
	for at := name; at != "."; at = path.Dir(at) {
		if other, ok := p[at]; ok && (at == name || other == at) {
			return fmt.Sprintf("%s and %s overlap", clip(other), clip(name))
		}
	}
	for at := path.Dir(name); at != "."; at = path.Dir(at) {
		p[at] = name
	}
	p[name] = name
	return ""
}

var hole = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// unknownHole finds a {name} that nothing fills in.
func unknownHole(s string, names map[string]bool) string {
	for _, m := range hole.FindAllStringSubmatch(s, -1) {
		if !names[m[1]] {
			return fmt.Sprintf("{%s} is not known; want {index}, {number}, or the name of a matrix parameter", m[1])
		}
	}
	return ""
}

// Values are the matrix values of task i in the order of the axes; the last axis
// runs fastest.
func (c Container) Values(i int) []string {
	out := make([]string, len(c.Matrix))
	for k := len(c.Matrix) - 1; k >= 0; k-- {
		n := len(c.Matrix[k].Values)
		out[k] = c.Matrix[k].Values[i%n]
		i /= n
	}
	return out
}

// IndexOf is ZENNET_TASK_INDEX of task i: the array's value, else i.
func (c Container) IndexOf(i int) string {
	if len(c.Array) > 0 {
		return strconv.FormatInt(c.Array[i], 10)
	}
	return strconv.Itoa(i)
}

// Fill replaces {index}, {number} and {NAME of an axis} for task i.
func (c Container) Fill(s string, i int) string {
	if !strings.ContainsRune(s, '{') {
		return s
	}
	return hole.ReplaceAllStringFunc(s, func(m string) string {
		switch name := m[1 : len(m)-1]; name {
		case "index":
			return c.IndexOf(i)
		case "number":
			return strconv.Itoa(i)
		default:
			for k, axis := range c.Matrix {
				if axis.Name == name {
					return c.Values(i)[k]
				}
			}
			return m
		}
	})
}

// patterns reads doublestar patterns relative to the scratch folder.
func (r *reader) patterns(f field) []string {
	var out []string
	for _, item := range r.list(f, MaxInputs) {
		s, ok := r.text(item)
		if !ok {
			continue
		}
		clean := path.Clean(s)
		problem := ""
		switch {
		case strings.TrimSpace(s) == "":
			problem = "is empty"
		case path.IsAbs(s) || clean == ".." || strings.HasPrefix(clean, "../") || strings.Contains(s, "/../"):
			problem = clip(s) + " leaves the task's scratch folder"
		case strings.ContainsAny(s, "\n\r"):
			problem = clip(s) + " has more than one line"
		case clean == ".":
			clean = "**"
		case !doublestar.ValidatePattern(clean):
			problem = clip(s) + " is no pattern (want for example out/*.png)"
		case strings.HasSuffix(s, "/"):
			clean += "/" // names a folder, which is made before the task starts
		}
		if problem != "" {
			r.report(item.node, item.path, ErrValue, "%s", problem)
			continue
		}
		out = append(out, clean)
	}
	return out
}

// outputs reads the results folder.
func (r *reader) outputs(f field) string {
	s, ok := r.text(f)
	if !ok {
		return DefaultOutputs
	}
	clean, problem := Inside(s)
	if problem == "" {
		_, info, err := resolve(r.files, clean)
		switch {
		case errors.Is(err, errLeaves):
			problem = clip(s) + " is, or goes through, a symbolic link that leaves the job file's folder"
		case err == nil && !info.IsDir():
			problem = clip(s) + " is there and no folder"
		}
	}
	if problem != "" {
		r.report(f.node, f.path, ErrFile, "%s", problem)
		return DefaultOutputs
	}
	return clean
}

// apart refuses results inside an input, which would change it, and the other
// way round.
func (r *reader) apart(f field, inputs []string, outputs string) {
	for _, in := range inputs {
		if in == outputs || strings.HasPrefix(outputs, in+"/") || strings.HasPrefix(in, outputs+"/") {
			r.report(f.key, f.path, ErrFile, "input %s and the results folder %s lie in one another", clip(in), clip(outputs))
		}
	}
}
