package plan

// File is one file of a report; Path is slash-separated and relative to the
// report's folder.
type File struct {
	Path string
	Data []byte
}

// Info is what a planner can say of a job before it runs.
type Info struct {
	Atoms          int      // atoms of one simulated system, counted or estimated; 0 = none
	SegmentSeconds float64  // expected seconds of a segment on one container; 0 = unknown
	TotalSeconds   float64  // expected seconds of all tasks, one after another; 0 = unknown
	Memory         uint64   // bytes that a container is expected to need; 0 = unknown
	Notes          []string // sentences about what was chosen for the user
	Warnings       []string // sentences about what looks unwise, with the job file's line
}
