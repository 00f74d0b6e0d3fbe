package hdfs

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/files/filestest"
)

// server answers every connection by f, in place of a NameNode.
func server(t *testing.T, f func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	filestest.Must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	return l.Addr().String()
}

// to opens a System of which a test is the NameNode.
func to(t *testing.T, address string, patience, timeout time.Duration) *System {
	t.Setenv("HADOOP_CONF_DIR", "")
	t.Setenv("HADOOP_HOME", "")
	s, err := Open(Config{Authority: address, User: "u", Patience: patience, Timeout: timeout})
	filestest.Must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// Servers that are no NameNode, or none that can be spoken to, are named at once
// instead of asked for minutes.
func TestNeverANameNode(t *testing.T) {
	frame := func(text string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
	}
	for name, c := range map[string]struct {
		answer []byte
		words  string
	}{
		"a web server":  {[]byte("HTTP/1.1 404 Not Found\r\n\r\n"), "answers in HTTP"},
		"noise":         {[]byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3}, "announces an answer of 4294967295 bytes"},
		"with Kerberos": {frame("\x10\x08\xfd.AccessControlException: SIMPLE authentication is not enabled. Available:[TOKEN, KERBEROS]"), "wants Kerberos"},
	} {
		s := to(t, server(t, func(conn net.Conn) {
			conn.Read(make([]byte, 1000))
			conn.Write(c.answer)
			io.Copy(io.Discard, conn)
		}), time.Hour, 10*time.Second)
		_, err := s.Stat(filestest.Context(t), "/x")
		if !errors.Is(err, files.ErrConfig) || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), "/x") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := to(t, "no-such-host.invalid", time.Hour, 10*time.Second)
	if _, err := s.Stat(filestest.Context(t), "/x"); !errors.Is(err, files.ErrConfig) {
		t.Errorf("an unknown host: %v", err)
	}
}

// A server that accepts and says nothing, one that hangs up, and none at all are
// given up after the patience, not before.
func TestPatience(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	filestest.Must(t, err)
	nobody := l.Addr().String()
	l.Close()
	for name, address := range map[string]string{
		"silent":      server(t, func(c net.Conn) { io.Copy(io.Discard, c) }),
		"hangs up":    server(t, func(net.Conn) {}),
		"nobody":      nobody,
		"half answer": server(t, func(c net.Conn) { c.Read(make([]byte, 100)); c.Write([]byte{0, 0, 1, 0, 5}); io.Copy(io.Discard, c) }),
	} {
		s := to(t, address, 500*time.Millisecond, 200*time.Millisecond)
		begin := time.Now()
		_, err := s.Stat(filestest.Context(t), "/x")
		if !errors.Is(err, files.ErrUnavailable) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
		if d := time.Since(begin); d > time.Minute {
			t.Errorf("%s: given up after %s", name, d)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := s.Stat(filestest.Context(t), "/x"); !errors.Is(err, files.ErrClosed) {
			t.Errorf("%s: after Close: %v", name, err)
		}
	}
}

// Close ends calls that wait for a silent server.
func TestCloseEndsCalls(t *testing.T) {
	asked := make(chan struct{}, 10)
	s := to(t, server(t, func(c net.Conn) { asked <- struct{}{}; io.Copy(io.Discard, c) }), time.Hour, time.Hour)
	done := make(chan error, 1)
	go func() {
		_, err := s.Stat(filestest.Context(t), "/x")
		done <- err
	}()
	<-asked
	s.Close()
	select {
	case err := <-done:
		if err == nil {
			t.Error("an answer from nobody")
		}
	case <-time.After(time.Minute):
		t.Error("still waits")
	}
}

func write(t *testing.T, path, text string) {
	filestest.Must(t, os.WriteFile(path, []byte(text), 0o600))
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	site := func(s Settings) Config {
		var text strings.Builder
		text.WriteString("<configuration>")
		for name, value := range s {
			text.WriteString("<property><name>" + name + "</name><value>" + value + "</value></property>")
		}
		text.WriteString("</configuration>")
		write(t, dir+"/hdfs-site.xml", text.String())
		return Config{Conf: dir, Authority: "nn", Principal: "p@R", Keytab: dir + "/keytab", KRB5: dir + "/krb5.conf"}
	}
	kerberos := Settings{"hadoop.security.authentication": "kerberos", "dfs.namenode.kerberos.principal": "nn/_HOST@R"}
	with := func(s Settings, name, value string) Settings {
		out := Settings{name: value}
		for k, v := range s {
			if k != name {
				out[k] = v
			}
		}
		return out
	}
	if _, err := Open(site(with(kerberos, protectionKey, "integrity"))); !errors.Is(err, files.ErrUnsupported) || !strings.Contains(err.Error(), "integrity") {
		t.Errorf("integrity: %v", err)
	}
	none := site(with(kerberos, "dfs.namenode.kerberos.principal", ""))
	if _, err := Open(none); !errors.Is(err, files.ErrConfig) || !strings.Contains(err.Error(), "kerberos.principal") {
		t.Errorf("no principal of the NameNode: %v", err)
	}
	c := site(kerberos)
	c.Keytab = ""
	if _, err := Open(c); !errors.Is(err, files.ErrConfig) || !strings.Contains(err.Error(), "keytab") {
		t.Errorf("no keytab: %v", err)
	}
	c = site(kerberos)
	if _, err := Open(c); !errors.Is(err, files.ErrConfig) || !strings.Contains(err.Error(), "krb5.conf") {
		t.Errorf("no krb5.conf: %v", err)
	}
	write(t, c.KRB5, "[libdefaults]\n default_realm = R\n")
	write(t, c.Keytab, "noise")
	if _, err := Open(c); !errors.Is(err, files.ErrConfig) || !strings.Contains(err.Error(), c.Keytab) {
		t.Errorf("a keytab that is none: %v", err)
	}
}
