package cli

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A profile is served to this machine only, and no longer than the process serves.
func TestServeProfile(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "localhost:0", "127.0.0.1", "nonsense"} {
		var wrong exit
		if _, err := serveProfile(env{err: io.Discard}, addr); !errors.As(err, &wrong) || wrong.code != exitUsage {
			t.Errorf("%s: %v", addr, err)
		}
	}
	var said bytes.Buffer
	stop, err := serveProfile(env{err: &said}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, url, _ := strings.Cut(strings.TrimSpace(said.String()), "go tool pprof ")
	answer, err := http.Get(strings.TrimSuffix(url, "profile") + "heap")
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v %v", url, answer, err)
	}
	answer.Body.Close()
	stop()
	if _, err := http.Get(url); err == nil {
		t.Error("it is served on")
	}
}
