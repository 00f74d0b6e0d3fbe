package hdfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/spnego"

	"github.com/zennet/zennet/jobrunner/files"
)

// errNoWeb says that WebHDFS cannot be used at the moment, and that nothing was
// asked of it.
var errNoWeb = errors.New("WebHDFS is not reachable")

const (
	webDownFor = time.Minute
	// webWait bounds waits for a DataNode that writes: it notices a frozen partner
	// only after a minute or more.
	webWait  = 4 * time.Minute
	replyMax = 1 << 20
)

// web speaks WebHDFS, for what the library has no call for.
type web struct {
	s     *System
	short *http.Client // for questions
	long  *http.Client // for data

	mu    sync.Mutex
	until time.Time // not asked until then
}

func newWeb(s *System) *web {
	client := func(wait time.Duration) *http.Client {
		dialer := net.Dialer{Timeout: min(connectWait, s.timeout)}
		return &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
					c, err := dialer.DialContext(ctx, network, address)
					if err != nil {
						return nil, err
					}
					return &conn{Conn: c, timeout: wait, closed: func() {}}, nil
				},
				TLSHandshakeTimeout: s.timeout, MaxIdleConns: 16, IdleConnTimeout: idleFor, DisableCompression: true,
				WriteBufferSize: dataBuffer, ReadBufferSize: dataBuffer, ExpectContinueTimeout: s.timeout,
			},
		}
	}
	return &web{s: s, short: client(s.timeout), long: client(max(webWait, s.timeout))}
}

func (w *web) close() {
	w.short.CloseIdleConnections()
	w.long.CloseIdleConnections()
}

func (w *web) down() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.until)
}

func (w *web) fails() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = time.Now().Add(webDownFor)
}

// escape writes a path so that every server on the way reads the same one.
func escape(path string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// ask sends a question to the NameNodes in turn, until one is not in standby.
func (w *web) ask(ctx context.Context, method, path, op string, params url.Values) ([]byte, error) {
	if w.down() {
		return nil, errNoWeb
	}
	if params == nil {
		params = url.Values{}
	}
	params.Set("op", op)
	if w.s.kerberos == nil {
		params.Set("user.name", w.s.user)
	}
	var last error
	for _, nn := range w.s.order() {
		target := nn.web + "/webhdfs/v1" + escape(path) + "?" + params.Encode()
		body, err := w.askOne(ctx, method, target)
		var r *remote
		if err == nil || errors.As(err, &r) && r.class != "org.apache.hadoop.ipc.StandbyException" {
			return body, err
		}
		last = err
		if !errors.Is(err, errNoWeb) && r == nil {
			break // it may have been carried out
		}
	}
	if ctx.Err() == nil {
		w.fails()
	}
	return nil, last
}

// order is the NameNodes, the one that answered last first.
func (s *System) order() []nameNode {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(append([]nameNode(nil), s.nameNodes[s.current:]...), s.nameNodes[:s.current]...)
}

func (w *web) askOne(ctx context.Context, method, target string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoWeb, err)
	}
	var resp *http.Response
	if w.s.kerberos != nil {
		resp, err = spnego.NewClient(w.s.kerberos, w.short, "HTTP/"+req.URL.Hostname()).Do(req)
	} else {
		resp, err = w.short.Do(req)
	}
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return nil, fmt.Errorf("%w: %w", errNoWeb, err)
		}
		return nil, err
	}
	defer resp.Body.Close()
	return answer(resp)
}

// notAuthenticated is what a server says whose HTTP side takes no tickets.
const notAuthenticated = "java.lang.SecurityException"

// answer reads a reply, or the exception in it.
func answer(resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, replyMax))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 || resp.StatusCode == http.StatusTemporaryRedirect {
		return body, nil
	}
	var e struct {
		RemoteException struct {
			JavaClassName string `json:"javaClassName"`
			Message       string `json:"message"`
		}
	}
	if json.Unmarshal(body, &e) != nil || e.RemoteException.JavaClassName == "" {
		return nil, fmt.Errorf("%w: %s", errNoWeb, resp.Status)
	}
	if resp.StatusCode == http.StatusUnauthorized || e.RemoteException.JavaClassName == notAuthenticated {
		return nil, fmt.Errorf("%w: %s", errNoWeb, e.RemoteException.Message)
	}
	return nil, newRemote(e.RemoteException.JavaClassName, e.RemoteException.Message)
}

// rename renames, unless the target exists.
func (w *web) rename(ctx context.Context, from, to string) error {
	_, err := w.ask(ctx, http.MethodPut, from, "RENAME", url.Values{"destination": {to}, "renameoptions": {"NONE"}})
	return err
}

// replicate asks for so many replicas; a file that has fewer is whole all the same.
func (w *web) replicate(ctx context.Context, path string, n int) {
	w.ask(ctx, http.MethodPut, path, "SETREPLICATION", url.Values{"replication": {strconv.Itoa(n)}})
}

// locate asks the NameNode for a DataNode that will do op. It may name one that
// is dead or frozen, so that one is asked whether it lives before it is used.
func (w *web) locate(ctx context.Context, method, path, op string, params url.Values) (string, error) {
	params.Set("noredirect", "true")
	var last error
	for i := range locateMax {
		params.Del("excludedatanodes")
		// Those that failed lately are left out, but not always: they may be all.
		if bad := w.s.suspected(); len(bad) > 0 && i%2 == 0 {
			params.Set("excludedatanodes", strings.Join(bad, ","))
		}
		body, err := w.ask(ctx, method, path, op, params)
		var r *remote
		if errors.As(err, &r) && i%2 == 0 {
			last = err
			continue
		}
		if err != nil {
			return "", err
		}
		var to struct{ Location string }
		if err := json.Unmarshal(body, &to); err != nil || to.Location == "" {
			return "", fmt.Errorf("%w: %s names no DataNode", errNoWeb, op)
		}
		if last = w.alive(ctx, to.Location); last == nil {
			return to.Location, nil
		}
	}
	return "", last
}

const locateMax = 6

// alive asks the server of a URL for anything at all.
func (w *web) alive(ctx context.Context, target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}).String(), nil)
	if err != nil {
		return err
	}
	resp, err := w.short.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// create writes a file through a DataNode.
func (w *web) create(ctx context.Context, path string, l layout, source files.Source) (int64, error) {
	target, err := w.locate(ctx, http.MethodPut, path, "CREATE", url.Values{"overwrite": {"false"}, "permission": {"644"},
		"replication": {strconv.Itoa(l.replication)}, "blocksize": {strconv.FormatInt(l.block, 10)}})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		n   int64
		err error
	}
	in, out := io.Pipe()
	copied := make(chan result, 1)
	go func() {
		n, err := copySource(ctx, out, source)
		out.CloseWithError(err)
		copied <- result{n, err}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, target, in)
	if err != nil {
		in.CloseWithError(err)
		<-copied
		return 0, err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Expect", "100-continue")
	resp, err := w.long.Do(req)
	if err == nil {
		_, err = answer(resp)
		resp.Body.Close()
	}
	in.CloseWithError(errReplied)
	r := <-copied
	var own *sourceError
	if errors.As(r.err, &own) {
		return 0, own
	}
	if err == nil {
		err = r.err
	}
	return r.n, err
}

var errReplied = errors.New("the DataNode answered before the file's end")

// open reads a file from offset to its end through a DataNode.
func (w *web) open(ctx context.Context, path string, offset int64) (stream, error) {
	target, err := w.locate(ctx, http.MethodGet, path, "OPEN", url.Values{"offset": {strconv.FormatInt(offset, 10)}})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	resp, err := w.long.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		_, err := answer(resp)
		if err == nil {
			err = fmt.Errorf("%w: %s", errNoWeb, resp.Status)
		}
		return nil, err
	}
	return &webStream{resp.Body}, nil
}

// webStream reads what a DataNode, which checks it, sends over HTTP.
type webStream struct{ body io.ReadCloser }

func (s *webStream) Read(p []byte) (int, error) { return s.body.Read(p) }
func (s *webStream) close(error)                { s.body.Close() }
