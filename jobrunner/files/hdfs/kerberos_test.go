package hdfs

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/files/filestest"
	"github.com/zennet/zennet/jobrunner/files/hdfs/hdfstest"
)

// secure opens a cluster with Kerberos as the superuser.
func secure(t *testing.T, o hdfstest.Options) (*hdfstest.Cluster, *System, string) {
	o.Kerberos, o.DataNodes = true, 1
	c := hdfstest.Start(t, o)
	s, folder := open(t, c, func(config *Config) {
		config.Principal, config.Keytab, config.KRB5 = "hdfs/127.0.0.1@"+hdfstest.Realm, c.Keytab(), c.KRB5()
	})
	return c, s, folder
}

func TestKerberos(t *testing.T) {
	t.Parallel()
	c, s, folder := secure(t, hdfstest.Options{})
	filestest.Run(t, s, folder)
	if s.web.down() {
		t.Error("WebHDFS was not reachable with a ticket")
	}

	// Another principal is another user.
	alice, err := Open(Config{Conf: c.Conf, Principal: hdfstest.Principal, Keytab: c.Keytab(), KRB5: c.KRB5()})
	filestest.Must(t, err)
	defer alice.Close()
	if _, err := alice.Stat(filestest.Context(t), folder); err != nil {
		t.Error(err)
	}
	if err := alice.Mkdir(filestest.Context(t), folder+"/alice"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("alice made a folder: %v", err)
	}
	// A principal that is not in the keytab, and a client without Kerberos.
	if _, err := Open(Config{Conf: c.Conf, Principal: "bob", Keytab: c.Keytab(), KRB5: c.KRB5()}); !errors.Is(err, files.ErrConfig) || !strings.Contains(err.Error(), "bob") {
		t.Errorf("bob: %v", err)
	}
	plain, err := Open(Config{Authority: c.NameNode(0), User: "hadoop", Patience: time.Hour})
	filestest.Must(t, err)
	defer plain.Close()
	if _, err := plain.Stat(filestest.Context(t), "/"); !errors.Is(err, files.ErrConfig) || !strings.Contains(err.Error(), "Kerberos") {
		t.Errorf("without Kerberos: %v", err)
	}
}

// Transfers that are encrypted with AES are read and written.
func TestKerberosPrivacy(t *testing.T) {
	soak(t)
	_, s, folder := secure(t, hdfstest.Options{Protection: "privacy", AES: true})
	filestest.Run(t, s, folder)
}

// DataNodes with a protection that cannot be read from here are named, be it
// known from the configuration or not.
func TestKerberosUnreadable(t *testing.T) {
	soak(t)
	for _, protection := range []string{"integrity", "privacy"} {
		t.Run(protection, func(t *testing.T) {
			c := hdfstest.Start(t, hdfstest.Options{Kerberos: true, DataNodes: 1, Protection: protection})
			config := Config{Conf: c.Conf, Principal: "hdfs/127.0.0.1@" + hdfstest.Realm, Keytab: c.Keytab(), KRB5: c.KRB5()}
			s, err := Open(config)
			if protection == "integrity" {
				if !errors.Is(err, files.ErrUnsupported) {
					t.Fatalf("got %v", err)
				}
				return
			}
			filestest.Must(t, err)
			defer s.Close()
			filestest.Put(t, s, "/f", []byte("some text"))
			if _, err := s.Open(filestest.Context(t), "/f", 0); !errors.Is(err, files.ErrUnsupported) || !strings.Contains(err.Error(), cipherKey) {
				t.Errorf("got %v", err)
			}
		})
	}
}
