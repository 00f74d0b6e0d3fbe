package protocol

import (
	"strings"
)

// What travels inline in Exited (worker.go).
const (
	maxInlineStream   = 8 << 10
	maxInlineManifest = 32 << 10
	maxInlineFiles    = 32 << 10
)

func (m *WorkerHello) Validate() error {
	p := &problems{}
	p.check(m.Version > 0, "no version")
	switch m.Purpose {
	case PurposeControl, PurposeLogs, PurposeFetch, PurposeMeasure, PurposeStdin:
	default:
		p.check(false, "purpose %.40q", m.Purpose)
	}
	return p.err
}

func (m *Greeting) Validate() error {
	p := &problems{}
	p.check(m.Version > 0, "no version")
	p.list("tasks", len(m.Tasks), maxList)
	for _, t := range m.Tasks {
		p.name("task", t.ID, MaxID)
		if t.Exited != nil {
			p.nested("task "+t.ID, t.Exited.Validate())
			p.check(t.Exited.ID == t.ID, "task %.40q ended as %.40q", t.ID, t.Exited.ID)
		}
	}
	return p.err
}

func (m *Run) Validate() error {
	p := &problems{}
	p.name("task", m.ID, MaxID)
	p.check(len(m.Command) > 0 && m.Command[0] != "", "no command")
	p.list("arguments", len(m.Command), maxList)
	for _, a := range m.Command {
		p.check(!strings.ContainsRune(a, 0), "argument %.40q holds NUL", a)
	}
	p.list("variables", len(m.Env), maxList)
	for k, v := range m.Env {
		p.check(k != "" && !strings.ContainsAny(k, "=\x00") && !strings.ContainsRune(v, 0), "variable %.40q", k)
	}
	p.list("inputs", len(m.Inputs), maxList)
	for _, in := range m.Inputs {
		p.check(in.Path == "" || len(in.Path) <= maxPath, "input path of %d bytes", len(in.Path))
		if in.Path != "" {
			p.path("input", in.Path)
		}
		p.check(in.Tree.IsZero() || len(in.Small) == 0 && in.Task == "", "input %.40q is a tree and a file", in.Path)
		p.check(in.Task == "" || len(in.Small) == 0, "input %.40q is two files", in.Path)
		p.check(!in.Pieces || !in.Tree.IsZero(), "input %.40q in pieces is no tree", in.Path)
		p.check((in.Task == "") == (in.From == ""), "input %.40q is %.40q of task %.40q", in.Path, in.From, in.Task)
		if in.Task != "" {
			p.name("task", in.Task, MaxID)
			p.path("file", in.From)
		}
		p.check(!in.Tree.IsZero() || in.Path != "" && in.Path != ".", "a small input without a name")
		p.check(in.Mode <= 0o7777, "input %.40q has mode %o", in.Path, in.Mode)
	}
	for _, list := range [][]string{m.Collect, m.Checkpoint} {
		p.list("patterns", len(list), maxList)
		for _, pattern := range list {
			p.name("pattern", pattern, maxPath)
		}
	}
	return p.err
}

func (m *Started) Validate() error { return taskID(m.ID) }
func (m *Kill) Validate() error    { return taskID(m.ID) }
func (m *Release) Validate() error { return taskID(m.ID) }
func (m *Logs) Validate() error    { return taskID(m.ID) }
func (*Measure) Validate() error   { return nil }

func taskID(id string) error {
	p := &problems{}
	p.name("task", id, MaxID)
	return p.err
}

func (m *Said) Validate() error {
	p := &problems{}
	p.name("task", m.ID, MaxID)
	p.line("what it says", m.Text)
	return p.err
}

func (m *Exited) Validate() error {
	p := &problems{}
	p.name("task", m.ID, MaxID)
	switch m.Class {
	case ClassOK, ClassExit, ClassCollect, ClassTimeout, ClassMemory, ClassPids, ClassDisk, ClassKilled, ClassStage, ClassStart:
	default:
		p.check(false, "class %.40q", m.Class)
	}
	p.text("message", m.Message)
	p.usage(m.Usage)
	for _, s := range []Stream{m.Stdout, m.Stderr} {
		p.check(len(s.Inline) <= maxInlineStream, "%d bytes of output inline", len(s.Inline))
		p.check(len(s.Inline) == 0 || uint64(len(s.Inline)) == s.Size, "%d bytes of output, %d inline", s.Size, len(s.Inline))
	}
	p.check(len(m.Manifest) <= maxInlineManifest, "manifest of %d bytes inline", len(m.Manifest))
	p.check(len(m.Manifest) == 0 || !m.Tree.IsZero(), "a manifest without its hash")
	p.check(uint64(len(m.Inline)) <= uint64(m.Files), "%d files, %d inline", m.Files, len(m.Inline))
	total := 0
	for _, f := range m.Inline {
		total += len(f)
	}
	p.check(total <= maxInlineFiles, "%d bytes of files inline", total)
	return p.err
}

func (m *Reading) Validate() error {
	p := &problems{}
	p.check(m.TimeNS > 0, "no time")
	p.usage(m.Usage)
	return p.err
}

func (m *Fetch) Validate() error {
	p := &problems{}
	p.name("task", m.ID, MaxID)
	p.check(m.What <= FetchStderr, "what is %d", m.What)
	if m.What == FetchFile {
		p.path("file", m.Path)
	} else {
		p.check(m.Path == "", "a path where none belongs")
	}
	p.check(m.Length <= ChunkSize, "%d bytes at once, at most %d", m.Length, ChunkSize)
	return p.err
}

func (m *Data) Validate() error {
	p := &problems{}
	p.check(len(m.Bytes) <= ChunkSize, "%d bytes at once, at most %d", len(m.Bytes), ChunkSize)
	p.text("error", m.Error)
	return p.err
}

func (m *Have) Validate() error {
	p := &problems{}
	p.list("chunks", len(m.Chunks), MaxHave)
	return p.err
}

// Validate bounds the list; whether its indexes fit the Have that it answers is
// for the sender, who knows it.
func (m *Missing) Validate() error {
	p := &problems{}
	p.list("chunks", len(m.Indexes), MaxHave)
	return p.err
}

func (m *Chunk) Validate() error {
	p := &problems{}
	p.check(len(m.Data) <= MaxManifest, "chunk of %d bytes", len(m.Data))
	return p.err
}

func (m *Stored) Validate() error {
	p := &problems{}
	p.text("error", m.Error)
	return p.err
}
