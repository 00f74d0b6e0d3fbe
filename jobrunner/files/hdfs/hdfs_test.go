package hdfs

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/files/filestest"
	"github.com/zennet/zennet/jobrunner/files/hdfs/hdfstest"
)

func TestMain(m *testing.M) {
	for _, name := range []string{"HADOOP_CONF_DIR", "HADOOP_HOME"} { // the tests say what is configured
		os.Unsetenv(name)
	}
	hdfstest.Main(m)
}

// soak says whether faults that take minutes are to be waited for.
func soak(t *testing.T) {
	if os.Getenv("ZENNET_SOAK") == "" {
		t.Skip("takes minutes; set ZENNET_SOAK=1")
	}
}

// open opens the cluster as its superuser and makes an empty folder for the test.
func open(t testing.TB, c *hdfstest.Cluster, change func(*Config)) (*System, string) {
	t.Helper()
	s := another(t, c, change)
	folder := "/test/" + t.Name()
	filestest.Must(t, s.Remove(filestest.Context(t), folder))
	filestest.Must(t, s.MkdirAll(filestest.Context(t), folder))
	return s, folder
}

// another opens the cluster once more.
func another(t testing.TB, c *hdfstest.Cluster, change func(*Config)) *System {
	t.Helper()
	config := Config{Conf: c.Conf, User: c.User, Patience: 4 * time.Minute}
	if change != nil {
		change(&config)
	}
	s, err := Open(config)
	filestest.Must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func shared(t testing.TB) *hdfstest.Cluster {
	return hdfstest.Shared(t, hdfstest.Options{Encryption: true})
}

func TestSystem(t *testing.T) {
	s, folder := open(t, shared(t), nil)
	filestest.Run(t, s, folder)
}

// The same suite where WebHDFS is out of reach.
func TestSystemWithoutWeb(t *testing.T) {
	s, folder := open(t, shared(t), nil)
	s.web.fails()
	s.web.until = time.Now().Add(time.Hour)
	filestest.Run(t, s, folder)
}

// A listing asks once for a thousand entries.
func TestListManyFiles(t *testing.T) {
	c := shared(t)
	s, folder := open(t, c, nil)
	const n = 2100
	ctx := filestest.Context(t)
	for i := range n {
		filestest.Must(t, s.Mkdir(ctx, fmt.Sprintf("%s/%05d", folder, i)))
	}
	if got := filestest.Names(t, s, folder); len(got) != n || got[0] != "00000" || got[n-1] != fmt.Sprintf("%05d", n-1) {
		t.Errorf("%d entries", len(got))
	}
}
