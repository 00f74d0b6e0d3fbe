package gromacs_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cockroachdb/datadriven"
	"github.com/zennet/zennet/jobs/gromacs"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// measured makes what report tasks of n members leave: smooth curves of rows rows.
func measured(n, rows int) fstest.MapFS {
	files := fstest.MapFS{
		"tasks/prepare/prepare.txt": {Data: []byte("diameter_nm 1.573\nbox_nm 3.20000\nbox_type dodecahedron\natoms 2220\nmolecules_SOL 692\n")},
	}
	put := func(name string, legends string, row func(t float64) []float64) {
		var b strings.Builder
		b.WriteString("# made\n@ title \"x\"\n")
		for i, legend := range strings.Fields(legends) {
			fmt.Fprintf(&b, "@ s%d legend \"%s\"\n", i, strings.ReplaceAll(legend, "_", " "))
		}
		for i := range rows {
			t := 30 * float64(i) / float64(rows-1)
			fmt.Fprintf(&b, "%f", t)
			for _, x := range row(t) {
				fmt.Fprintf(&b, " %f", x)
			}
			b.WriteString("\n")
		}
		files["report/"+name] = &fstest.MapFile{Data: []byte(b.String())}
	}
	for m := range n {
		k := float64(m)
		member := fmt.Sprintf("member-%d", m)
		files["report/about."+member+".txt"] = &fstest.MapFile{Data: []byte("gromacs 2022.5\natoms 2220\ngroup Protein\nfit Backbone\nitem energy ok\nitem rmsd ok\nitem gyration ok\nitem image ok\n")}
		put("energy."+member+".xvg", "Potential Kinetic-En. Total-Energy Conserved-En. Temperature Pressure", func(t float64) []float64 {
			return []float64{-31700 + 100*math.Sin(t+k), 5700, -26000, -25800 + t*2220*0.001, 300 + 5*math.Cos(t*2+k), 400 * math.Sin(t*3+k)}
		})
		put("rmsd."+member+".xvg", "Backbone", func(t float64) []float64 { return []float64{0.1 * (1 - math.Exp(-t/5)) * (1 + k/10)} })
		put("gyration."+member+".xvg", "Rg RgX RgY RgZ", func(t float64) []float64 { return []float64{0.55 + 0.01*math.Sin(t/3+k), 1, 1, 1} })
		put("image."+member+".xvg", "least_distance largest_extent", func(t float64) []float64 { return []float64{1.5 - 0.01*t - k/20, 1.7} })
	}
	return files
}

func report(t testing.TB, files fstest.MapFS, sets ...string) map[string][]byte {
	t.Helper()
	data, err := os.ReadFile(examples + "/fold.yaml")
	if err != nil {
		t.Fatal(err)
	}
	job, graph := planned(t, examples, string(data), sets...)
	return reportOf(t, job, graph, files)
}

func reportOf(t testing.TB, job spec.Job, graph plan.Graph, files fstest.MapFS) map[string][]byte {
	t.Helper()
	list, err := gromacs.Report(job, graph, files)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range list {
		out[f.Path] = f.Data
	}
	return out
}

// report.md as it reads, whole and where something is missing.
func TestReport(t *testing.T) {
	datadriven.RunTest(t, "testdata/report.txt", func(t *testing.T, d *datadriven.TestData) string {
		files := measured(4, 61)
		var sets []string
		switch d.Cmd {
		case "whole":
		case "one-task-failed":
			for name := range files {
				if strings.Contains(name, "member-2") {
					delete(files, name)
				}
			}
		case "nothing":
			files = fstest.MapFS{}
		case "water":
			for m := range 4 {
				files[fmt.Sprintf("report/about.member-%d.txt", m)].Data = []byte("gromacs 2022.5\nitem rmsd left out: all atoms are water or ions\nitem energy ok\n")
				for _, item := range []string{"rmsd", "gyration", "image"} {
					delete(files, fmt.Sprintf("report/%s.member-%d.xvg", item, m))
				}
			}
			sets = []string{"report=[energy, rmsd]"}
		case "hostile":
			files["report/rmsd.member-0.xvg"].Data = []byte("@ s0 legend \"](http://x)<script>\"\n0 NaN\n1 Inf\n0 0.1\n1 0.2\n1 0.3\n0.5 0.4\n2 x\n3 1 2 3\n4 1e308\n")
			files["report/about.member-0.txt"].Data = []byte("gromacs <b>|*`\x00\natoms 10\nfit ![](x)\nitem\nitem image left out: <script>\n")
			files["report/image.member-1.xvg"].Data = bytes.Repeat([]byte("9"), 2<<20)
		}
		out := report(t, files, sets...)
		var names []string
		for _, item := range []string{"energy", "rmsd", "gyration", "image"} {
			if out[item+".png"] != nil {
				names = append(names, item+".png")
			}
		}
		return fmt.Sprintf("pictures: %s\n\n%s", strings.Join(names, " "), out["report.md"])
	})
}

// A picture shows what it claims: it is a PNG of its size, has ink of every
// member's colour, and equal tables give equal bytes.
func TestPictures(t *testing.T) {
	a, b := report(t, measured(4, 61)), report(t, measured(4, 61))
	for name, panels := range map[string]int{"energy.png": 3, "rmsd.png": 1, "gyration.png": 1, "image.png": 1} {
		if !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s differs from run to run", name)
		}
		picture, err := png.Decode(bytes.NewReader(a[name]))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if size := picture.Bounds().Size(); size.X < 1000 || size.Y < 500*panels {
			t.Errorf("%s is %v", name, size)
		}
		for m, want := range []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}} {
			if n := ink(picture, want); n < 200*panels {
				t.Errorf("%s has %d pixels of member %d", name, n, m)
			}
		}
	}
	if out := report(t, measured(3, 61), "gromacs.ensemble=3"); ink(decode(t, out["rmsd.png"]), color.RGBA{204, 121, 167, 255}) != 0 {
		t.Error("a picture of three members has a fourth line")
	}
}

func decode(t testing.TB, data []byte) image.Image {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

func ink(picture image.Image, want color.RGBA) int {
	n := 0
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			r, g, b, _ := picture.At(x, y).RGBA()
			if uint8(r>>8) == want.R && uint8(g>>8) == want.G && uint8(b>>8) == want.B {
				n++
			}
		}
	}
	return n
}

// A large ensemble of long tables is drawn too.
func TestLargeReport(t *testing.T) {
	out := report(t, measured(40, 5000), "gromacs.ensemble=40", "gromacs.length=30ps")
	if len(out["energy.png"]) == 0 || !bytes.Contains(out["report.md"], []byte("| 39 |")) {
		t.Error("something is missing")
	}
	if path := os.Getenv("KEEP_REPORT"); path != "" {
		for name, data := range out {
			write(t, path+"/"+name, data)
		}
	}
}

func FuzzReport(f *testing.F) {
	f.Add([]byte("0 1\n1 2\n"), []byte("gromacs x\nitem rmsd ok\n"))
	f.Add([]byte("@ s0 legend \"a\"\n0 -1e308\n1 1e308\n"), []byte("atoms -1"))
	f.Add([]byte("0 1e-320\n1e-300 1e-320\n"), []byte(""))
	text, err := os.ReadFile(examples + "/fold.yaml")
	if err != nil {
		f.Fatal(err)
	}
	job, graph := planned(f, examples, string(text), "gromacs.ensemble=1")
	f.Fuzz(func(t *testing.T, table, about []byte) {
		files := fstest.MapFS{"report/about.member-0.txt": {Data: about}}
		for _, item := range job.Report {
			files["report/"+item+".member-0.xvg"] = &fstest.MapFile{Data: table}
		}
		reportOf(t, job, graph, files)
	})
}
