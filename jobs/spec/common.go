package spec

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/zennet/zennet/ledger/types"
)

// Keys of the top level, by what they belong to.
var (
	commonKeys = []string{"version", "kind", "name", "image", "resources", "slots", "budget", "providers", "pool",
		"verify", "retry", "timeout", "deadline", "outputs"}
	containerKeys = []string{"command", "array", "matrix", "inputs", "env", "collect", "checkpoint", "hdfs"}
	gromacsKeys   = []string{"gromacs", "report"}
	mapReduceKeys = []string{"mapreduce", "input", "output"}
	laterKeys     = []string{"mpi"}
)

// kinds are the kinds of jobs that are built, each with the keys that are only its own.
var kinds = []struct {
	name string
	keys []string
}{{KindContainer, containerKeys}, {KindGromacs, gromacsKeys}, {KindMapReduce, mapReduceKeys}}

var jobName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// job reads the whole file. Sections of other kinds than the job's are refused.
func (r *reader) job(root *yaml.Node) Job {
	known := slices.Concat(commonKeys, containerKeys, gromacsKeys, mapReduceKeys, laterKeys)
	top := r.fields(field{node: root}, known...)
	job := Job{File: r.file, Lines: r.lines}
	r.version(top["version"])
	kind, built := r.kind(top["kind"])
	job.Kind = kind
	job.Name = r.name(top["name"])
	job.Image = r.image(top["image"])
	job.Resources = r.resources(top["resources"])
	job.Slots = int(r.integer(top["slots"], DefaultSlots, 1, MaxSlots))
	job.Budget = r.amount(top["budget"], "", DefaultBudget)
	job.Providers = r.providers(top["providers"])
	job.Pool = r.pool(top["pool"])
	job.Verify = r.verify(top["verify"], kind)
	job.Retry = r.retry(top["retry"])
	job.Timeout = r.duration(top["timeout"], DefaultTimeout)
	job.Deadline = r.duration(top["deadline"], 0)
	job.Outputs = r.outputs(top["outputs"])
	if !top["slots"].given() {
		job.Slots = max(job.Slots, job.Providers.Min)
	}
	if job.Providers.Min > job.Slots {
		r.report(top["slots"].key, "slots", ErrValue, "%d slots cannot be on %d different providers (providers.min)", job.Slots, job.Providers.Min)
	}
	if !built {
		return job
	}
	r.foreign(top, kind)
	switch kind {
	case KindContainer:
		job.Container = r.container(top)
		job.Checkpoint = r.patterns(top["checkpoint"])
		r.apart(top["inputs"], job.Container.Inputs, job.Outputs)
	case KindGromacs:
		job.Gromacs = r.gromacs(top["gromacs"])
		job.Report = r.reports(top["report"])
		// The planner's scripts end with this code where no retry can help.
		job.Retry.Never = append(job.Retry.Never, Range{VerdictCode, VerdictCode})
	case KindMapReduce:
		job.MapReduce = r.mapReduce(top)
		r.outside(top, job)
		if _, given := r.lines["retry.attempts"]; !given {
			job.Retry.Attempts = r.confAttempts(job.MapReduce.Conf)
		}
	}
	return job
}

// foreign refuses the keys that belong to other kinds than the job's.
func (r *reader) foreign(top map[string]field, kind string) {
	for _, name := range laterKeys {
		if f := top[name]; f.given() {
			r.report(f.key, name, ErrKey, "does not belong to kind %s", kind)
		}
	}
	for _, other := range kinds {
		if other.name == kind {
			continue
		}
		for _, name := range other.keys {
			f := top[name]
			switch {
			case !f.given():
			case name == "checkpoint" && kind == KindGromacs:
				r.report(f.key, name, ErrKey, "does not belong to kind gromacs, which keeps checkpoints of its own")
			case name == "env" && kind == KindMapReduce:
				r.report(f.key, name, ErrKey, "does not belong to kind mapreduce; its variables stand in the section: mapreduce.env")
			case name == "hdfs" && kind == KindMapReduce:
				r.report(f.key, name, ErrKey, "stands in the section of kind mapreduce: mapreduce.hdfs")
			default:
				r.report(f.key, name, ErrKey, "does not belong to kind %s", kind)
			}
		}
	}
}

// VerdictCode is the exit code by which a planner's own script says that its
// input cannot work (such as a box too small for the collapsed solute), so that
// no further attempt is made. It is EX_DATAERR of BSD's sysexits.
const VerdictCode = 65

func (r *reader) version(f field) {
	if !f.given() {
		r.report(nil, "version", ErrKey, "is missing; this is version: 1")
		return
	}
	if s, ok := r.text(f); ok && s != "1" {
		r.report(f.node, f.path, ErrValue, "%s is not known; this Zennet reads version 1", clip(s))
	}
}

// kind also says whether that kind is built.
func (r *reader) kind(f field) (string, bool) {
	const want = "want container, gromacs or mapreduce"
	if !f.given() {
		r.report(nil, "kind", ErrKey, "is missing; %s", want)
		return "", false
	}
	switch s, ok := r.text(f); {
	case !ok:
		return "", false
	case s == KindContainer || s == KindGromacs || s == KindMapReduce:
		return s, true
	case s == "mpi":
		r.report(f.node, f.path, ErrNotBuilt, "%s is not built yet; container, gromacs and mapreduce are", s)
		return s, false
	default:
		hint := ""
		if near := nearest(s, []string{KindContainer, KindGromacs, KindMapReduce, "mpi"}); near != "" {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		r.report(f.node, f.path, ErrValue, "%s is no kind of job; %s%s", clip(s), want, hint)
		return "", false
	}
}

func (r *reader) name(f field) string {
	fallback := strings.TrimSuffix(path.Base(r.file), path.Ext(r.file))
	if !jobName.MatchString(fallback) || len(fallback) > MaxName {
		fallback = "job"
	}
	s, ok := r.text(f)
	if ok && (!jobName.MatchString(s) || len(s) > MaxName) {
		r.report(f.node, f.path, ErrValue, "%s is no name; want at most %d letters, digits, dots, dashes and underscores", clip(s), MaxName)
		ok = false
	}
	if !ok {
		return fallback
	}
	return s
}

func (r *reader) image(f field) string {
	s, ok := r.text(f)
	switch {
	case !ok || s == ImageHost:
		return ImageHost
	case strings.HasPrefix(s, "/") && path.Clean(s) != "/":
		return path.Clean(s)
	case s == "" || s == "/":
		r.report(f.node, f.path, ErrValue, "%q is no image; want host", s)
	default:
		r.report(f.node, f.path, ErrNotBuilt, "%s: OCI references are not built yet; want host (the provider's own programs), "+
			"or the absolute path of a root folder or tar that the provider has", clip(s))
	}
	return ImageHost
}

func (r *reader) resources(f field) Resources {
	in := r.fields(f, "cpu", "memory", "disk")
	return Resources{
		MilliCPU: uint32(r.number(in["cpu"], "", DefaultMilliCPU/1000, 0.01, MaxCPU, "cpu: 1")*1000 + 0.5),
		Memory:   r.size(in["memory"], DefaultMemory, MinMemory, MaxMemory),
		Disk:     r.size(in["disk"], DefaultDisk, MinDisk, MaxDisk),
	}
}

func (r *reader) providers(f field) Providers {
	in := r.fields(f, "min", "maxRate", "reputation", "deny")
	out := Providers{
		Min:        int(r.integer(in["min"], 1, 1, MaxSlots)),
		MaxRate:    r.amount(in["maxRate"], "/h", 0),
		Reputation: r.number(in["reputation"], "", 0, 0, 1, "reputation: 0"),
	}
	if out.Reputation != 0 {
		r.report(in["reputation"].key, in["reputation"].path, ErrNotBuilt, "choosing providers by reputation is not built yet; leave it out or 0")
	}
	for _, item := range r.list(in["deny"], MaxInputs) {
		s, ok := r.text(item)
		if !ok {
			continue
		}
		addr, err := types.ParseAddress(s)
		if err != nil {
			r.report(item.node, item.path, ErrValue, "%s is no address (want zen1…)", clip(s))
			continue
		}
		out.Deny = append(out.Deny, addr)
	}
	return out
}

func (r *reader) pool(f field) string {
	if f.given() && f.node.Kind != yaml.ScalarNode {
		r.report(f.key, f.path, ErrNotBuilt, "the nomad pool is not built yet; want direct")
		return "direct"
	}
	if s, ok := r.text(f); ok && s == "nomad" {
		r.report(f.node, f.path, ErrNotBuilt, "the nomad pool is not built yet; want direct")
		return "direct"
	}
	return r.word(f, "direct", "direct")
}

func (r *reader) verify(f field, kind string) Verify {
	in := r.fields(f, "spotcheck", "replicas", "compare")
	out := Verify{
		SpotCheck: r.number(in["spotcheck"], "", 0, 0, 1, "spotcheck: 0"),
		Replicas:  int(r.integer(in["replicas"], 1, 1, 100)),
		Compare:   r.word(in["compare"], "", "exact", "numeric", "gromacs", "command"),
	}
	if out.SpotCheck != 0 {
		r.report(in["spotcheck"].key, in["spotcheck"].path, ErrNotBuilt, "spot checks are not built yet; leave it out or 0")
	}
	if out.Replicas != 1 {
		r.report(in["replicas"].key, in["replicas"].path, ErrNotBuilt, "replicas beyond 1 are not built yet")
	}
	if in["compare"].given() && (out.SpotCheck != 0 || out.Replicas != 1 || out.Compare != "" && out.Compare != kind) {
		// With nothing to compare, only the kind's own word is harmless.
		r.report(in["compare"].key, in["compare"].path, ErrNotBuilt, "comparing results is not built yet; leave it out")
	}
	return out
}

func (r *reader) retry(f field) Retry {
	in := r.fields(f, "attempts", "never")
	out := Retry{Attempts: int(r.integer(in["attempts"], DefaultAttempts, 1, MaxAttempts))}
	for _, item := range r.list(in["never"], 255) {
		s, ok := r.text(item)
		if !ok {
			continue
		}
		from, to, dash := strings.Cut(s, "-")
		if !dash {
			to = from
		}
		a, errA := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
		b, errB := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
		if errA != nil || errB != nil || a < 1 || b > 255 || a > b {
			r.report(item.node, item.path, ErrValue, "%s is no exit code from 1 to 255, nor a range such as 64-78", clip(s))
			continue
		}
		out.Never = append(out.Never, Range{int(a), int(b)})
	}
	return out
}

func (r *reader) reports(f field) []string {
	if !f.given() {
		return []string{ReportEnergy, ReportRMSD, ReportGyration, ReportImage}
	}
	var out []string
	seen := map[string]bool{}
	for _, item := range r.list(f, 100) {
		s := r.word(item, "", ReportEnergy, ReportRMSD, ReportGyration, ReportImage)
		if s != "" && seen[s] {
			r.report(item.node, item.path, ErrValue, "%s is listed twice", s)
		}
		if s != "" {
			out = append(out, s)
		}
		seen[s] = true
	}
	return out
}
