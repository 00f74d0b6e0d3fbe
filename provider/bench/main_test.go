package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// TestMain makes this binary the worker of TestMeasureForReal's containers.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "bench" {
		os.Exit(Main(os.Args[2:], os.Stdout))
	}
	os.Exit(m.Run())
}

func TestMainPrints(t *testing.T) {
	var out bytes.Buffer
	if code := Main([]string{"hash", "--seed", "7", "--scale", "0.01", "--dir", t.TempDir(), "--linger", "1ms"}, &out); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	var line struct {
		Kernel   string  `json:"kernel"`
		Version  int     `json:"version"`
		Seed     uint64  `json:"seed"`
		Scale    float64 `json:"scale"`
		Checksum string  `json:"checksum"`
		WallNS   int64   `json:"wall_ns"`
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	if line.Kernel != "hash" || line.Version != Version || line.Seed != 7 || line.Scale != 0.01 ||
		line.Checksum != fmt.Sprintf("%016x", checksums["hash"]) || line.WallNS <= 0 {
		t.Errorf("%+v", line)
	}
}

func TestMainRefuses(t *testing.T) {
	stderr := os.Stderr
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = null
	t.Cleanup(func() { os.Stderr = stderr; null.Close() })
	for _, c := range []struct {
		name string
		args []string
		code int
	}{
		{"no kernel", nil, 2},
		{"unknown flag", []string{"hash", "--gold"}, 2},
		{"further argument", []string{"hash", "disk"}, 2},
		{"unknown kernel", []string{"gold"}, 1},
		{"folder missing", []string{"disk", "--dir", "/nowhere"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			if code := Main(c.args, &out); code != c.code || out.Len() > 0 {
				t.Errorf("exit status %d, output %q; want %d and nothing", code, &out, c.code)
			}
		})
	}
}
