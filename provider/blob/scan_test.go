package blob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

func TestScan(t *testing.T) {
	files := map[string]string{
		"conf.gro": "c", "out/a.png": "aa", "out/b.png": "b", "out/deep/c.png": "c", "out/log.txt": "l",
		"empty/": "", "empty/inner/": "", "odd[1].txt": "o", "ünïcode": "u",
		"latest": "->out/a.png", "dir": "->out", "out/up": "->../conf.gro",
	}
	for name, c := range map[string]struct {
		patterns []string
		want     string
	}{
		"one file":          {[]string{"conf.gro"}, "conf.gro 644 1\n"},
		"dot slash":         {[]string{"./conf.gro"}, "conf.gro 644 1\n"},
		"star":              {[]string{"out/*.png"}, "out/a.png 644 2\nout/b.png 644 1\n"},
		"double star":       {[]string{"**/*.png"}, "out/a.png 644 2\nout/b.png 644 1\nout/deep/c.png 644 1\n"},
		"braces":            {[]string{"out/{a,b}.png"}, "out/a.png 644 2\nout/b.png 644 1\n"},
		"folder whole":      {[]string{"out/deep"}, "out/deep/c.png 644 1\n"},
		"folder slash":      {[]string{"out/deep/"}, "out/deep/c.png 644 1\n"},
		"folder by a star":  {[]string{"out/d*"}, "out/deep/c.png 644 1\n"},
		"overlap":           {[]string{"out/deep/*", "out/deep", "out/deep/c.png"}, "out/deep/c.png 644 1\n"},
		"empty folder":      {[]string{"empty"}, "empty/inner/ 755\n"},
		"odd name":          {[]string{"odd[1].txt"}, "odd[1].txt 644 1\n"},
		"unicode":           {[]string{"ü*"}, "ünïcode 644 1\n"},
		"link alone":        {[]string{"latest"}, "latest 644 2\n"},
		"link and target":   {[]string{"latest", "out/a.png"}, "latest -> out/a.png\nout/a.png 644 2\n"},
		"link to a folder":  {[]string{"dir", "out/deep"}, "dir -> out\nout/deep/c.png 644 1\n"},
		"through a link":    {[]string{"dir/a.png"}, "dir/a.png 644 2\n"},
		"link out of a dir": {[]string{"out/up", "out/log.txt"}, "out/log.txt 644 1\nout/up 644 1\n"},
		"everything": {[]string{"."}, "conf.gro 644 1\ndir -> out\nempty/inner/ 755\nlatest -> out/a.png\nodd[1].txt 644 1\nout/a.png 644 2\n" +
			"out/b.png 644 1\nout/deep/c.png 644 1\nout/log.txt 644 1\nout/up -> ../conf.gro\nünïcode 644 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Scan(folder(t, files), c.patterns)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, describe(m)); diff != "" {
				t.Error(diff)
			}
			if err := Validate(m); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestScanRefuses(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := folder(t, map[string]string{
		"f": "f", "real/x": "x", "out": "->" + outside + "/secret", "up": "->../..", "dangling": "->nowhere", "loop": "->loop",
		"todir": "->real", "abs": "->/etc", "bad/\xff": "x", "pipes/f": "f", "pipes/link": "->fifo", "way": "->real",
	})
	for _, p := range []string{"pipes/fifo", "fifo"} {
		if err := unix.Mkfifo(filepath.Join(r.Name(), p), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mknod(filepath.Join(r.Name(), "device"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil && os.Getuid() == 0 {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		patterns []string
		want     error
		says     string
	}{
		"no match":           {[]string{"f", "*.none"}, ErrNoMatch, "*.none"},
		"no file":            {[]string{"nothing"}, ErrNoMatch, "nothing"},
		"above":              {[]string{"../x"}, ErrPath, "../x"},
		"above inside":       {[]string{"real/../../x"}, ErrPath, "real/.."},
		"absolute":           {[]string{"/etc/passwd"}, ErrPath, "/etc/passwd"},
		"empty":              {[]string{""}, ErrPath, ""},
		"bad pattern":        {[]string{"[a"}, ErrPath, "[a"},
		"link outside":       {[]string{"out"}, ErrLink, "out"},
		"link above":         {[]string{"up"}, ErrLink, "up"},
		"absolute link":      {[]string{"abs"}, ErrLink, "abs"},
		"dangling":           {[]string{"dangling"}, ErrLink, "dangling"},
		"loop":               {[]string{"loop"}, ErrLink, "loop"},
		"folder not taken":   {[]string{"todir"}, ErrLink, "todir"},
		"beneath taken link": {[]string{"way", "way/x", "real"}, ErrLink, "way"},
		"pipe":               {[]string{"fifo"}, ErrSpecial, `"fifo" is a pipe`},
		"pipe in a folder":   {[]string{"pipes"}, ErrSpecial, `"pipes/fifo" is a pipe`},
		"device":             {[]string{"device"}, ErrSpecial, `"device" is a device`},
		"not utf-8":          {[]string{"bad"}, ErrPath, `\xff`},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "device" && os.Getuid() != 0 {
				t.Skip("only root makes devices")
			}
			m, err := Scan(r, c.patterns)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v with\n%s, want %v saying %q", err, describe(m), c.want, c.says)
			}
		})
	}
	if _, err := Scan(folder(t, map[string]string{"d/f": "x", "d/l": "->" + outside}), []string{"d"}); !errors.Is(err, ErrLink) {
		t.Errorf("a link in a folder: got %v, want ErrLink", err)
	}
	for _, p := range []string{"[f]", "**/x", "*/f", "**/[f]", "re*/**"} {
		if _, err := Scan(r, []string{p}); err != nil {
			t.Errorf("%s: what is not taken stands in the way: %v", p, err)
		}
	}
	huge := folder(t, map[string]string{"sparse": ""})
	if err := os.Truncate(filepath.Join(huge.Name(), "sparse"), maxSize+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Scan(huge, []string{"sparse"}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a sparse file: got %v, want ErrTooLarge", err)
	}
}

func TestScanFileAndPlaceIt(t *testing.T) {
	src := folder(t, map[string]string{"in/conf.gro": "atoms"})
	m, err := ScanFile(src, "in/conf.gro")
	if err != nil {
		t.Fatal(err)
	}
	if got := describe(m); got != ". 644 5\n" {
		t.Fatal(got)
	}
	source := NewSource(src, "in/conf.gro", m)
	defer source.Close()
	dst := folder(t, nil)
	if err := Place(dst, "x/y.gro", m, source.Get); err != nil {
		t.Fatal(err)
	}
	if got, err := dst.ReadFile("x/y.gro"); err != nil || string(got) != "atoms" {
		t.Errorf("got %q (%v)", got, err)
	}
	if err := Place(dst, "", m, source.Get); !errors.Is(err, ErrPath) {
		t.Errorf("no name: got %v, want ErrPath", err)
	}
	if _, err := ScanFile(src, "in"); !errors.Is(err, ErrSpecial) {
		t.Errorf("a folder: got %v, want ErrSpecial", err)
	}
}

func TestImport(t *testing.T) {
	big := string(noise(9, 2*protocol.ChunkSize+1))
	r, s := folder(t, map[string]string{"a": big, "b": "b"}), open(t, 0)
	m, err := s.Import(r, []string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	dst := folder(t, nil)
	if err := Place(dst, ".", m, s.Get); err != nil {
		t.Fatal(err)
	}
	if got, err := dst.ReadFile("a"); err != nil || string(got) != big {
		t.Errorf("%d bytes came back (%v)", len(got), err)
	}
	full := open(t, blockSize)
	full.Pin("x", put(t, full, []byte("p")))
	if _, err := full.Import(r, []string{"*"}); !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
}

func TestSourceNoticesChanges(t *testing.T) {
	r := folder(t, map[string]string{"a": "before"})
	m, err := Scan(r, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	s := NewSource(r, "", m)
	defer s.Close()
	for name, now := range map[string]string{"other": "behind", "shorter": "be"} {
		if err := r.WriteFile("a", []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(m.Files[0].Chunks[0]); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: got %v, want ErrChanged", name, err)
		}
	}
	if _, err := s.Get(types.Hash{}); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v, want ErrMissing", err)
	}
}

// Nothing that stands in the way is replaced, and no link leads out of the root.
func TestPlaceLeavesWhatIsThere(t *testing.T) {
	outside := t.TempDir()
	m := protocol.Manifest{Files: []protocol.File{{Path: "f", Mode: 0o644, Size: 1, Chunks: []types.Hash{HashOf([]byte("x"))}}}}
	get := func(types.Hash) ([]byte, error) { return []byte("x"), nil }
	for name, c := range map[string]struct {
		files map[string]string
		at    string
		want  error
	}{
		"file":        {map[string]string{"f": "old"}, "", fs.ErrExist},
		"link":        {map[string]string{"f": "->" + outside + "/f"}, "", fs.ErrExist},
		"folder link": {map[string]string{"d": "->" + outside}, "d", fs.ErrExist},
		"file as dir": {map[string]string{"d": "old"}, "d", fs.ErrExist},
		"above":       {nil, "../x", ErrPath},
		"absolute":    {nil, "/x", ErrPath},
	} {
		t.Run(name, func(t *testing.T) {
			r := folder(t, c.files)
			if err := Place(r, c.at, m, get); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if there, err := os.ReadDir(outside); err != nil || len(there) != 0 {
				t.Errorf("outside: %v (%v)", there, err)
			}
		})
	}
	if err := Place(folder(t, nil), "", m, func(types.Hash) ([]byte, error) { return []byte("y"), nil }); !errors.Is(err, ErrDamaged) {
		t.Errorf("other bytes: got %v, want ErrDamaged", err)
	}
	r := folder(t, map[string]string{"d/there": "t"})
	if err := Place(r, "d", m, get); err != nil {
		t.Errorf("into a folder that is there: %v", err)
	}
}

// A file in pieces is a folder of links to where its chunks lie.
func TestPlacePieces(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	one, two := HashOf([]byte("one")), HashOf([]byte("two"))
	file := protocol.File{Path: ".", Mode: 0o644, Size: protocol.ChunkSize + 3, Chunks: []types.Hash{one, two}}
	target := func(h types.Hash) string { return "/store/" + h.String() }
	if err := PlacePieces(root, "in/0", protocol.Manifest{Files: []protocol.File{file}}, target); err != nil {
		t.Fatal(err)
	}
	for i, h := range file.Chunks {
		if got, err := root.Readlink("in/0/" + protocol.PieceName(i)); err != nil || got != target(h) {
			t.Errorf("piece %d: %s, %v", i, got, err)
		}
	}
	if err := PlacePieces(root, "in/0", protocol.Manifest{Files: []protocol.File{file}}, target); !errors.Is(err, fs.ErrExist) {
		t.Errorf("twice: %v", err)
	}
	folder := protocol.Manifest{Files: []protocol.File{{Path: "a", Mode: protocol.ModeDir | 0o755}}}
	if err := PlacePieces(root, "in/1", folder, target); !errors.Is(err, ErrSpecial) {
		t.Errorf("a folder: %v", err)
	}
	if err := PlacePieces(root, "", protocol.Manifest{Files: []protocol.File{file}}, target); !errors.Is(err, ErrPath) {
		t.Errorf("no name: %v", err)
	}
}

func TestModes(t *testing.T) {
	r := folder(t, map[string]string{"run.sh": "#!", "ro": "r", "d/": ""})
	for p, mode := range map[string]fs.FileMode{"run.sh": 0o755 | fs.ModeSetuid, "ro": 0o400, "d": 0o700} {
		if err := r.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Scan(r, []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("d/ 700\nro 400 1\nrun.sh 755 2\n", describe(m)); diff != "" {
		t.Fatal(diff)
	}
	source := NewSource(r, "", m)
	defer source.Close()
	dst := folder(t, nil)
	if err := Place(dst, "", m, source.Get); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]fs.FileMode{"run.sh": 0o755, "ro": 0o400, "d": fs.ModeDir | 0o700} {
		if info, err := dst.Stat(p); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, want %v (%v)", p, info.Mode(), want, err)
		}
	}
}

func BenchmarkScanManyFiles(b *testing.B) {
	files := map[string]string{}
	for i := range 5000 {
		files[fmt.Sprintf("d%d/f%d", i%50, i)] = fmt.Sprint(i)
	}
	r := folder(b, files)
	for b.Loop() {
		if _, err := Scan(r, []string{"."}); err != nil {
			b.Fatal(err)
		}
	}
}
