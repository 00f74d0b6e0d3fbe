package spec

// MapReduce is the section of kind mapreduce, with the file's input and output.
// Commands are split as Hadoop Streaming splits them; "builtin:NAME ARGUMENT…"
// names an operation of the worker, and "aggregate" Hadoop's. What is not given is
// conf's to say, and else has Hadoop's default.
type MapReduce struct {
	Input          []string  // URLs (hdfs:, file:) or paths relative to the job file's folder; globs, folders
	Output         string    // a folder that must not exist yet
	Mapper         string    // "" = not given, by default builtin:identity
	Combiner       string    // "" = none
	Reducer        string    // likewise; NONE = no reducers
	Files          []string  // put into the tasks' working folder: "path" or "path#link"
	Archives       []string  // unpacked there: "path" or "path#folder"
	Reducers       int       // 0 = map output is the output; NotGiven: by default 1
	Maps           int       // how many maps are wished for; 0 = not given, by default 2
	Split          uint64    // bytes of a split; 0 = after Hadoop's rule
	Partitioner    string    // hash, keyfield or range; "" = not given, by default hash
	Speculative    bool      // slow tasks get a second attempt; default true
	SkipBadRecords int       // records (of a reducer's program: groups) that a task may leave out; default 0
	LazyOutput     bool      // no empty parts
	Conf           []Setting // -D properties in the order written
	Env            []Setting // for mapper, combiner and reducer (-cmdenv)
	HDFS           HDFS

	// Found are the input files as they were when the job was submitted, in the
	// order of Input and by path; jobrunner/data fills it in before the job is planned.
	Found []Found `json:",omitempty"`
}

// Setting is a name with its value.
type Setting struct{ Name, Value string }

// HDFS says how to reach an HDFS; all of it is optional.
type HDFS struct {
	User      string // default: $HADOOP_USER_NAME, else the current user
	Conf      string // folder of core-site.xml and hdfs-site.xml; default $HADOOP_CONF_DIR
	Principal string // Kerberos
	Keytab    string // path; it never leaves the publisher
}

// Found is one input file. Cuts are the file positions behind every so many lines
// (NLineInputFormat), where the job asks for that and the file could be read.
type Found struct {
	Path    string  // the whole URL, or the path relative to the job file's folder
	Size    int64   // bytes
	Block   int64   // bytes of a block
	ID      uint64  // the file's number in its file system
	ModTime int64   // Unix milliseconds
	Cuts    []int64 `json:",omitempty"`
}
