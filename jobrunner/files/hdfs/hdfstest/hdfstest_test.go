package hdfstest

import (
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestStart(t *testing.T) {
	c := Start(t, Options{})
	out, err := c.Java(Shell, "-ls", "-d", "/")
	if err != nil || !strings.Contains(out, "/") {
		t.Fatalf("%q, %v", out, err)
	}
}
