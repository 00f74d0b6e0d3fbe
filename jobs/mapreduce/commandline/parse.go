package commandline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

// World is what the meaning of a command line depends on.
type World struct {
	Dir       string // absolute path of the folder that the user is in
	User      string // $HADOOP_USER_NAME, else the user's name: relative paths of HDFS are in /user/NAME
	ConfDir   string // absolute path of the Hadoop configuration in use, "" = none
	DefaultFS string // its fs.defaultFS, "" = none
	// Settings reads the properties of a configuration file (-conf).
	Settings func(path string) (map[string]string, error)
}

// Job is what a command line asks for.
type Job struct {
	Help       bool     // -help or -info: nothing else is set
	YAML       []byte   // the job file
	Dir        string   // absolute path of the folder that its paths are relative to: World.Dir or one around it
	Background bool     // -background: do not wait for the job's end
	Warnings   []string // sentences
}

const (
	// MaxWords bounds the words of a command line, MaxBytes their bytes.
	MaxWords = 10_000
	MaxBytes = 512 << 10
)

// Parse reads the words of a command line, behind "zennet-job streaming". Errors
// are ErrUsage, or those of streaming.Resolve.
func Parse(words []string, w World) (Job, error) {
	total := 0
	for _, word := range words {
		if total += len(word); !utf8.ValidString(word) || strings.ContainsRune(word, 0) {
			return Job{}, fmt.Errorf("%w: %q is not UTF-8", ErrUsage, clip(word))
		}
	}
	if len(words) > MaxWords || total > MaxBytes {
		return Job{}, fmt.Errorf("%w: %d words of %d bytes; at most %d of %d", ErrUsage, len(words), total, MaxWords, MaxBytes)
	}
	opts, err := options(withoutPrefix(words))
	if err != nil {
		return Job{}, err
	}
	p := &parser{world: w, reducers: -1, seen: map[string]bool{}}
	for _, opt := range opts {
		if opt.name == "help" || opt.name == "info" {
			return Job{Help: true}, nil
		}
		if err := p.option(opt); err != nil {
			return Job{}, err
		}
	}
	return p.finish()
}

// parser gathers the options.
type parser struct {
	world World
	fs    string          // fs.defaultFS, as it holds in the end
	seen  map[string]bool // options that were given

	input, output             []string // output: at most one
	mapper, combiner, reducer string
	files, archives           []shipment
	shipped                   []string // absolute paths of -file
	reducers                  int      // -1 = not given
	partitioner               string
	lazy, background          bool
	file, conf, late          []streaming.Setting // properties of -conf, of -D, and those that Hadoop sets last
	fsOption                  string              // -fs or -dfs
	env                       []streaming.Setting
	warnings                  []string
}

func (p *parser) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

// repeatable options add up; of others Hadoop takes the first.
var repeatable = []string{"input", "file", "cacheFile", "cacheArchive", "jobconf", "cmdenv", "D", "conf", "files", "archives", "debug", "verbose", "lazyOutput", "background"}

func (p *parser) option(opt option) error {
	if p.seen[opt.name] && !slices.Contains(repeatable, opt.name) {
		p.warn("-%s is given twice; as in Hadoop the first counts", opt.name)
		return nil
	}
	p.seen[opt.name] = true
	value := ""
	if len(opt.values) > 0 {
		value = opt.values[0]
	}
	switch opt.name {
	case "input":
		p.input = append(p.input, opt.values...)
	case "output":
		p.output = []string{value}
	case "mapper":
		p.mapper = value
	case "combiner":
		p.combiner = value
	case "reducer":
		p.reducer = value
	case "numReduceTasks":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return fmt.Errorf("%w: -numReduceTasks %s: want a number from 0", ErrUsage, clip(value))
		}
		p.reducers = n
	case "partitioner":
		kind, ok := streaming.PartitionerByClass(value)
		if !ok {
			return fmt.Errorf("%w: -partitioner %s has no equal here; HashPartitioner, KeyFieldBasedPartitioner and TotalOrderPartitioner have", ErrUsage, clip(value))
		}
		p.partitioner = kind
	case "inputformat":
		p.late = append(p.late, streaming.Setting{Name: "mapred.input.format.class", Value: value})
	case "outputformat":
		p.late = append(p.late, streaming.Setting{Name: "mapred.output.format.class", Value: value})
	case "lazyOutput":
		p.lazy = true
	case "background":
		p.background = true
	case "file", "files", "cacheFile", "archives", "cacheArchive":
		p.ship(opt)
	case "D", "jobconf", "cmdenv", "conf", "additionalconfspec", "fs", "dfs":
		return p.setting(opt.name, value)
	case "verbose", "debug":
	case "jt", "tokenCacheFile":
		p.warn("-%s %s has no meaning here", opt.name, clip(value))
	case "mapdebug", "reducedebug":
		p.warn("-%s: no debug script is run; zennet-job explain and logs show why a task failed", opt.name)
	case "io":
		if value != "text" {
			return fmt.Errorf("%w: -io %s: lines of text are the only way to talk to processes here", ErrUsage, clip(value))
		}
	case "inputreader":
		return fmt.Errorf("%w: -inputreader %s: record readers are Java classes, which cannot run here", ErrUsage, clip(value))
	case "libjars":
		return fmt.Errorf("%w: -libjars %s: Java classes cannot run here", ErrUsage, clip(value))
	}
	return nil
}

// setting takes an option that sets properties or variables.
func (p *parser) setting(option, value string) error {
	switch option {
	case "D", "jobconf":
		name, text, ok := strings.Cut(value, "=")
		if !ok || name == "" {
			if option == "jobconf" {
				return fmt.Errorf("%w: -jobconf %s: want name=value", ErrUsage, clip(value))
			}
			p.warn("-D %s is passed over, as in Hadoop: it is not name=value", clip(value))
			return nil
		}
		if option == "D" {
			p.conf = append(p.conf, streaming.Setting{Name: name, Value: text})
		} else {
			p.late = append(p.late, streaming.Setting{Name: name, Value: text})
		}
	case "cmdenv":
		// Hadoop joins them by spaces and splits them again.
		for _, word := range strings.Split(value, " ") {
			name, text, ok := strings.Cut(word, "=")
			if !ok || name == "" {
				if word != "" {
					p.warn("-cmdenv %s: %s is passed over, as in Hadoop: a value ends at a space", clip(value), clip(word))
				}
				continue
			}
			p.env = append(p.env, streaming.Setting{Name: name, Value: text})
		}
	case "fs", "dfs":
		if value == "local" {
			value = "file:///"
		} else if !strings.Contains(value, ":/") {
			value = "hdfs://" + value
		}
		p.fsOption = value
	default: // conf, additionalconfspec
		if p.world.Settings == nil {
			return fmt.Errorf("%w: -%s %s cannot be read", ErrUsage, option, clip(value))
		}
		found, err := p.world.Settings(p.abs(value))
		if err != nil {
			return fmt.Errorf("%w: -%s %s: %w", ErrUsage, option, clip(value), err)
		}
		names := make([]string, 0, len(found))
		for name := range found {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			p.file = append(p.file, streaming.Setting{Name: name, Value: found[name]})
		}
	}
	return nil
}

// finish checks what was gathered and writes the job file.
func (p *parser) finish() (Job, error) {
	if len(p.input) == 0 {
		return Job{}, fmt.Errorf("%w: -input is missing", ErrUsage)
	}
	if len(p.output) == 0 {
		return Job{}, fmt.Errorf("%w: -output is missing", ErrUsage)
	}
	if strings.EqualFold(p.reducer, streaming.BuiltinAggregate) && p.combiner != "" {
		p.warn("-combiner: aggregate brings its own, as in Hadoop")
		p.combiner = ""
	}
	p.mapper, p.combiner, p.reducer = p.unqualified(p.mapper), p.unqualified(p.combiner), p.unqualified(p.reducer)
	conf := last(slices.Concat(p.file, p.conf, p.late))
	p.fs = p.defaultFS()
	env := last(p.env)
	_, warnings, err := streaming.Resolve(streaming.Options{Mapper: p.mapper, Combiner: p.combiner, Reducer: p.reducer,
		Reducers: p.reducers, Partitioner: p.partitioner, Lazy: p.lazy, Conf: conf, Env: env})
	if err != nil {
		return Job{}, err
	}
	for _, w := range warnings {
		p.warnings = append(p.warnings, w.String())
	}
	return p.write(conf, env)
}

// defaultFS is the last word on fs.defaultFS: -D, else -fs, else -conf, else the
// user's configuration.
func (p *parser) defaultFS() string {
	fs := p.world.DefaultFS
	take := func(list []streaming.Setting) {
		for _, s := range list {
			if streaming.NewName(s.Name) == "fs.defaultFS" {
				fs = s.Value
			}
		}
	}
	take(p.file)
	if p.fsOption != "" {
		fs = p.fsOption
	}
	take(p.conf)
	take(p.late)
	return fs
}

// last keeps of each name the last setting, in its place.
func last(list []streaming.Setting) []streaming.Setting {
	var out []streaming.Setting
	for i, s := range list {
		again := slices.ContainsFunc(list[i+1:], func(other streaming.Setting) bool { return other.Name == s.Name })
		if !again {
			out = append(out, s)
		}
	}
	return out
}
