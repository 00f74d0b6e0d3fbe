package spec

import (
	"path"
	"strings"
)

// Remote is a file or folder of another file system that tasks start from, as it was
// when the job was submitted; jobrunner/data fills it in before the job is planned.
type Remote struct {
	URL string
	// Files are the file itself, named ".", or those in the folder, by name.
	Files []RemoteFile
	// Tree is the hash, in hexadecimal, of what the publisher holds of it; "" until it
	// was fetched.
	Tree string `json:",omitempty"`
}

// RemoteFile is one file of a Remote; Name is its path below that.
type RemoteFile struct {
	Name string
	Found
}

// Source is a URL that tasks start from, and the key of the job file that names it.
type Source struct{ URL, Key string }

// Sources are the URLs that the job's tasks start from, each once.
func (j Job) Sources() []Source {
	var out []Source
	seen := map[string]bool{}
	add := func(key, name string) {
		if IsURL(name) && !seen[name] {
			seen[name] = true
			out = append(out, Source{name, key})
		}
	}
	if m := j.MapReduce; m != nil {
		for _, s := range m.Files {
			name, _ := Linked(s)
			add("mapreduce.files", name)
		}
		for _, s := range m.Archives {
			name, _ := Linked(s)
			add("mapreduce.archives", name)
		}
	}
	if c := j.Container; c != nil {
		for _, in := range c.Inputs {
			for i := 0; IsURL(in) && (i == 0 || i < c.Tasks() && strings.ContainsRune(in, '{')); i++ {
				add("inputs", c.Fill(in, i))
			}
		}
	}
	return out
}

// RemoteAt is what is known of a URL that tasks start from; nil where nothing is.
func (j Job) RemoteAt(url string) *Remote {
	for i := range j.Remote {
		if j.Remote[i].URL == url {
			return &j.Remote[i]
		}
	}
	return nil
}

// HDFS says how the job's HDFS is reached.
func (j Job) HDFS() HDFS {
	switch {
	case j.MapReduce != nil:
		return j.MapReduce.HDFS
	case j.Container != nil:
		return j.Container.HDFS
	}
	return HDFS{}
}

// IsURL says that a file is named by its URL. Names of the job file's folder may hold
// a colon, so the schemes that are spoken count alone.
func IsURL(name string) bool {
	return strings.HasPrefix(name, "hdfs:") || strings.HasPrefix(name, "file:")
}

// InputPath is where an input lies in the tasks' scratch folder: under its own name.
func InputPath(in string) string {
	if IsURL(in) {
		return path.Base(in)
	}
	return in
}
