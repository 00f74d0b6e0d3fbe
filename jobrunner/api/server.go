package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// maxRequest bounds a submission: the job file may have 1 MiB, in base64.
const maxRequest = 4 << 20

// Server answers at a unix socket.
type Server struct {
	http *http.Server
	done chan struct{} // closed when nothing is served any more
	path string
}

// Serve listens at path (made with the owner's permissions, an old socket is
// replaced: the caller holds the lock of its folder) and answers until Close.
func Serve(path string, service Service, log *slog.Logger) (*Server, error) {
	listener, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	h := handler{service, log}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/jobs", h.submit)
	mux.HandleFunc("POST /v1/jobs/{id}/cancel", h.cancel)
	mux.HandleFunc("GET /v1/jobs/{id}/events", h.events)
	mux.HandleFunc("GET /v1/jobs/{id}/logs", h.logs)
	mux.HandleFunc("GET /v1/network", h.network)
	s := &Server{http: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}, done: make(chan struct{}), path: path}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("api stopped", "err", err)
		}
	}()
	return s, nil
}

// listen makes the socket in a folder of its own and then moves it to path, so
// that nobody else can connect before its permissions are right.
func listen(path string) (net.Listener, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".api-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	private := filepath.Join(dir, "s")
	var listener *net.UnixListener
	err = withSocketPath(private, func(short string) (err error) {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(private, 0o600), os.Rename(private, path)); err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}

// Close stops listening, gives requests under way a second, and removes the socket.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.http.Close()
	}
	<-s.done
	os.Remove(s.path)
	return nil
}

type handler struct {
	service Service
	log     *slog.Logger
}

func (h handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	code, problem := status(err)
	if code >= 500 {
		h.log.Warn("api", "path", r.URL.Path, "err", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(problem)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func (h handler) submit(w http.ResponseWriter, r *http.Request) {
	var req SubmitRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&req); err != nil {
		h.fail(w, r, fmt.Errorf("%w: %v", ErrSpec, err))
		return
	}
	rep, err := h.service.Submit(r.Context(), req)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	reply(w, rep)
}

func (h handler) cancel(w http.ResponseWriter, r *http.Request) {
	if err := h.service.Cancel(r.Context(), r.PathValue("id")); err != nil {
		h.fail(w, r, err)
		return
	}
	reply(w, struct{}{})
}

func (h handler) events(w http.ResponseWriter, r *http.Request) {
	snapshots, err := h.service.Watch(r.Context(), r.PathValue("id"))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	out.Flush()
	for s := range snapshots {
		data, err := json.Marshal(s)
		if err != nil {
			h.log.Error("encode a snapshot", "err", err)
			return
		}
		fmt.Fprintf(w, "data: %s\n\n", data)
		if out.Flush() != nil {
			return
		}
	}
}

func (h handler) logs(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	stream, err := h.service.Logs(r.Context(), LogsRequest{Job: r.PathValue("id"), Task: q.Get("task"),
		Stderr: q.Get("stderr") == "1", Follow: q.Get("follow") == "1"})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	defer stream.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	out := http.NewResponseController(w)
	out.Flush()
	buf := make([]byte, 64<<10)
	for {
		n, err := stream.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil || out.Flush() != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				h.log.Warn("logs", "path", r.URL.Path, "err", err)
			}
			return
		}
	}
}

func (h handler) network(w http.ResponseWriter, r *http.Request) {
	n, err := h.service.Network(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	reply(w, n)
}
