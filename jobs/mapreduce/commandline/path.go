package commandline

import (
	"fmt"
	"path"
	"strings"

	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

// shipment is a file that goes into the tasks' working folder.
type shipment struct {
	option string // that named it
	path   string // as it was written; placed makes it absolute, or a URL of HDFS
	link   string // name there; "" = its own
}

// remote says that the file lies in an HDFS.
func (s shipment) remote() bool { return strings.HasPrefix(s.path, "hdfs:") }

// abs is an absolute path of this machine.
func (p *parser) abs(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(p.world.Dir, name)
}

// ship takes -file, -files, -cacheFile, -archives and -cacheArchive.
func (p *parser) ship(opt option) {
	for _, value := range opt.values {
		names := []string{value}
		if opt.name != "file" {
			names = strings.Split(value, ",")
		}
		for _, name := range names {
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			one := shipment{option: opt.name, path: name}
			if opt.name != "file" {
				one.path, one.link, _ = strings.Cut(name, "#")
			}
			if opt.name == "archives" || opt.name == "cacheArchive" {
				p.archives = append(p.archives, one)
				continue
			}
			if opt.name == "file" {
				p.shipped = append(p.shipped, p.abs(one.path))
			}
			p.files = append(p.files, one)
		}
	}
}

// placed finds out where the files lie: those of -cacheFile and -cacheArchive, and what
// has a scheme, where paths of -input do; others on this machine.
func (p *parser) placed(list []shipment) ([]shipment, error) {
	var out []shipment
	for _, one := range list {
		if strings.HasPrefix(one.option, "cache") || scheme.MatchString(one.path) {
			var err error
			if one.path, err = p.data(one.option, one.path); err != nil {
				return nil, err
			}
		}
		if !one.remote() {
			one.path = p.abs(one.path)
		}
		out = append(out, one)
	}
	return out, nil
}

// unqualified takes the folder off a command's program that -file ships: it lies in
// the working folder then.
func (p *parser) unqualified(command string) string {
	program, args, spaced := strings.Cut(command, " ")
	if program == "" {
		return command
	}
	for _, file := range p.shipped {
		if p.abs(program) != file {
			continue
		}
		if program = path.Base(file); spaced {
			return program + " " + args
		}
		return program
	}
	return command
}

// data is the URL of a path of -input or -output, or its absolute path on this machine.
func (p *parser) data(option, name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("%w: -%s is empty", ErrUsage, option)
	}
	fs := strings.TrimRight(p.fs, "/")
	switch s := scheme.FindString(name); s {
	case "":
	case "file:":
		return "/" + strings.TrimLeft(strings.TrimPrefix(name, s), "/"), nil
	case "hdfs:":
		if rest := strings.TrimPrefix(name, s); !strings.HasPrefix(rest, "//") || strings.HasPrefix(rest, "///") {
			if strings.HasPrefix(fs, "hdfs://") { // the default's authority
				return fs + "/" + strings.TrimLeft(rest, "/"), nil
			}
		}
		return name, nil
	default:
		return "", fmt.Errorf("%w: -%s %s: %s is not known here; hdfs: and file: are", ErrUsage, option, clip(name), s)
	}
	switch {
	case fs == "" || strings.HasPrefix(fs, "file:"):
		return p.abs(name), nil
	case !strings.HasPrefix(fs, "hdfs://"):
		return "", fmt.Errorf("%w: -%s %s: fs.defaultFS is %s, which is not known here; hdfs: and file: are", ErrUsage, option, clip(name), clip(p.fs))
	case strings.HasPrefix(name, "/"):
		return fs + name, nil
	}
	return fs + "/user/" + p.world.User + "/" + strings.TrimPrefix(name, "./"), nil
}

// around is the deepest folder that holds dir and every file of this machine.
func around(dir string, files []shipment) string {
	for _, f := range files {
		for !f.remote() && dir != "/" && !strings.HasPrefix(f.path, dir+"/") {
			dir = path.Dir(dir)
		}
	}
	return dir
}

// below is an absolute path as it is written relative to dir, or false.
func below(dir, name string) (string, bool) {
	if dir == "/" {
		return strings.TrimPrefix(name, "/"), name != "/"
	}
	return strings.CutPrefix(name, dir+"/")
}

// jobNameOf makes a job's name of Hadoop's, "" where nothing is left of it.
func jobNameOf(conf []streaming.Setting) string {
	name := ""
	for _, s := range conf {
		if streaming.NewName(s.Name) == "mapreduce.job.name" {
			name = s.Value
		}
	}
	clean := strings.Join(strings.FieldsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '_' || r == '-')
	}), "-")
	const most = 64
	clean = strings.TrimLeft(clean, "-._")
	return strings.TrimRight(clean[:min(len(clean), most)], "-")
}
