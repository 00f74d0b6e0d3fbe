package zennet_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/zennet/zennet/"

// folders in their order: a package imports only its own folder and those before.
var folders = []string{"ledger", "pricing", "jobs", "provider", "jobrunner", "nomad-driver"}

// pure packages know no clock, network, file, process or goroutine.
var pure = []string{
	"ledger/types", "ledger/chain", "ledger/channel",
	"pricing",
	"jobs/plan", "jobs/spec", "jobs/container", "jobs/gromacs", "jobs/mapreduce", "jobs/planner",
	"jobs/mapreduce/streaming", "jobs/mapreduce/commandline",
	"jobs/mapreduce/record", "jobs/mapreduce/codec",
	"provider/protocol", "provider/contract",
	"jobrunner/schedule",
}

var impureImports = []string{"net", "os", "os/exec", "context", "sync", "sync/atomic", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand"}

var impureCalls = map[string][]string{"time": {"Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer", "NewTicker", "AfterFunc"}}

type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestImportsPointLeft(t *testing.T) {
	for _, p := range packages(t) {
		path, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours {
			continue
		}
		own := slices.Index(folders, strings.Split(path, "/")[0])
		if own < 0 {
			t.Errorf("%s: no such folder in the architecture: %v", path, folders)
		}
		for _, imp := range p.Imports {
			rest, ours := strings.CutPrefix(imp, module)
			if ours && slices.Index(folders, strings.Split(rest, "/")[0]) > own {
				t.Errorf("%s imports %s, which is to its right in %v", path, rest, folders)
			}
			if strings.HasPrefix(imp, "github.com/hashicorp/nomad/") && folders[max(own, 0)] != "nomad-driver" {
				t.Errorf("%s imports %s: only nomad-driver may", path, imp)
			}
			if strings.HasPrefix(imp, "github.com/cometbft/") && !strings.HasPrefix(path+"/", "ledger/node/") && path != "ledger/client" {
				t.Errorf("%s imports %s: only ledger/node and ledger/client may", path, imp)
			}
		}
	}
}

func TestPurePackages(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		if !slices.Contains(pure, path) {
			continue
		}
		seen++
		for _, imp := range p.Imports {
			if slices.Contains(impureImports, imp) {
				t.Errorf("%s is pure but imports %s", path, imp)
			}
		}
		for _, name := range p.GoFiles {
			checkPureFile(t, filepath.Join(p.Dir, name))
		}
	}
	if seen != len(pure) {
		t.Errorf("found %d of the %d pure packages", seen, len(pure))
	}
}

func checkPureFile(t *testing.T, file string) {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s: a pure package starts a goroutine", set.Position(n.Pos()))
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && slices.Contains(impureCalls[x.Name], n.Sel.Name) {
				t.Errorf("%s: a pure package calls %s.%s", set.Position(n.Pos()), x.Name, n.Sel.Name)
			}
		}
		return true
	})
}

// TestEveryPackageIsDocumented wants a doc.go (or a main's own comment).
func TestEveryPackageIsDocumented(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		documented := false
		for _, name := range p.GoFiles {
			tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			documented = documented || tree.Doc != nil
		}
		if !documented {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// TestMainsAreThin: a command's main file is at most 60 lines.
func TestMainsAreThin(t *testing.T) {
	for _, p := range packages(t) {
		if !strings.Contains(p.ImportPath, "/cmd/") {
			continue
		}
		for _, name := range p.GoFiles {
			if name != "main.go" {
				continue
			}
			data, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if lines := strings.Count(string(data), "\n"); lines > 60 {
				t.Errorf("%s/main.go has %d lines, at most 60", p.ImportPath, lines)
			}
		}
	}
}
