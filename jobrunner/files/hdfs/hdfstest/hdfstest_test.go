package hdfstest

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

// wordCount runs Hadoop Streaming over a text and returns its output.
func wordCount(t *testing.T, c *Cluster) string {
	local := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(local, []byte("b\na\nb\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-mkdir", "-p", "/tmp", "/in"}, {"-chmod", "1777", "/tmp"}, {"-put", local, "/in/text"}} {
		if _, err := c.Java(Shell, args...); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := c.Streaming("-input", "/in", "-output", "/out", "-mapper", "cat", "-reducer", "uniq -c"); err != nil {
		t.Fatalf("%s\n%v", out, err)
	}
	out, err := c.Java(Shell, "-cat", "/out/part-00000")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(out), " ")
}

// A cluster runs Streaming jobs without YARN, and leaves nothing when it ends.
func TestStreaming(t *testing.T) {
	c := Start(t, Options{DataNodes: 1})
	if got := wordCount(t, c); got != "1 a 2 b" {
		t.Errorf("got %q", got)
	}
	pid := c.names[0].cmd.Process.Pid
	c.Close()
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("the NameNode is still there: %v", err)
	}
	if _, err := os.Stat(c.dir); !os.IsNotExist(err) {
		t.Errorf("the cluster's folder is still there: %v", err)
	}
}

func TestStreamingOnYARN(t *testing.T) {
	if os.Getenv("ZENNET_SOAK") == "" {
		t.Skip("takes a minute; set ZENNET_SOAK=1")
	}
	c := Start(t, Options{DataNodes: 1, YARN: true})
	if got := wordCount(t, c); got != "1 a 2 b" {
		t.Errorf("got %q", got)
	}
}
