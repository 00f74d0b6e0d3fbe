package api_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/jobrunner/api"
	"github.com/zennet/zennet/jobrunner/journal"
)

// fake is a service with one job, "a", that ends after two snapshots.
type fake struct {
	submitted api.SubmitRequest
	cancelled string
	hold      chan struct{} // Watch waits for it before the last snapshot
}

func (f *fake) Submit(_ context.Context, r api.SubmitRequest) (api.SubmitReply, error) {
	f.submitted = r
	if r.Name == "bad.yaml" {
		return api.SubmitReply{}, api.Problem{Kind: api.ErrSpec, Message: "bad.yaml:3: slots: no number"}
	}
	return api.SubmitReply{ID: "a", State: "new"}, nil
}

func (f *fake) Cancel(_ context.Context, id string) error {
	if id != "a" {
		return api.Problem{Kind: api.ErrNotFound, Message: "no job " + id}
	}
	f.cancelled = id
	return nil
}

func (f *fake) Watch(ctx context.Context, id string) (<-chan journal.Status, error) {
	out := make(chan journal.Status)
	go func() {
		defer close(out)
		out <- journal.Status{ID: id, State: journal.JobRunning}
		select {
		case <-f.hold:
			out <- journal.Status{ID: id, State: journal.JobDone}
		case <-ctx.Done():
		}
	}()
	return out, nil
}

func (f *fake) Logs(_ context.Context, r api.LogsRequest) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(strings.Repeat("line\n", 100_000))), nil
}

func (f *fake) Network(context.Context) (api.Network, error) {
	return api.Network{}, errors.New("the ledger is away")
}

func serve(t *testing.T, path string) (*fake, *api.Server, *api.Client) {
	t.Helper()
	f := &fake{hold: make(chan struct{})}
	s, err := api.Serve(path, f, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c, err := api.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	return f, s, c
}

func TestRoundTrip(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	// A folder so deep that its path exceeds a socket's address.
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "api.sock")
	f, _, c := serve(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v %v", info, err)
	}
	want := api.SubmitRequest{Name: "a.yaml", Text: []byte("version: 1\n\x00\xff"), Dir: "/x", Set: []string{"slots=2"}, Outputs: "/y", Again: true}
	rep, err := c.Submit(ctx, want)
	if err != nil || rep.ID != "a" || rep.State != "new" {
		t.Fatalf("submit: %+v %v", rep, err)
	}
	if diff := cmp.Diff(want, f.submitted); diff != "" {
		t.Error(diff)
	}
	close(f.hold)
	var states []journal.JobState
	if err := c.Watch(ctx, "a", func(s journal.Status) { states = append(states, s.State) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]journal.JobState{journal.JobRunning, journal.JobDone}, states); diff != "" {
		t.Error(diff)
	}
	if err := c.Cancel(ctx, "a"); err != nil || f.cancelled != "a" {
		t.Errorf("cancel: %v", err)
	}
	logs, err := c.Logs(ctx, api.LogsRequest{Job: "a", Task: "0", Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	if all, err := io.ReadAll(logs); err != nil || len(all) != 500_000 {
		t.Errorf("logs: %d bytes, %v", len(all), err)
	}
}

func TestErrorsKeepTheirKind(t *testing.T) {
	_, s, c := serve(t, filepath.Join(t.TempDir(), "api.sock"))
	if _, err := c.Submit(t.Context(), api.SubmitRequest{Name: "bad.yaml"}); !errors.Is(err, api.ErrSpec) || err.Error() != "bad.yaml:3: slots: no number" {
		t.Errorf("submit: %v", err)
	}
	if err := c.Cancel(t.Context(), "b"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("cancel: %v", err)
	}
	if _, err := c.Network(t.Context()); !errors.Is(err, api.ErrInternal) || !strings.Contains(err.Error(), "away") {
		t.Errorf("network: %v", err)
	}
	// A host that leaves in the middle of a job is no end of the job.
	began := make(chan struct{})
	watched := make(chan error, 1)
	go func() {
		watched <- c.Watch(context.WithoutCancel(t.Context()), "a", func(journal.Status) { close(began) })
	}()
	<-began
	s.Close()
	if err := <-watched; !errors.Is(err, api.ErrNoDaemon) {
		t.Errorf("watch: %v", err)
	}
	if err := c.Cancel(t.Context(), "a"); !errors.Is(err, api.ErrNoDaemon) {
		t.Errorf("cancel after the end: %v", err)
	}
}

func TestDialNobody(t *testing.T) {
	if _, err := api.Dial(filepath.Join(t.TempDir(), "api.sock")); !errors.Is(err, api.ErrNoDaemon) {
		t.Errorf("dial: %v", err)
	}
}
