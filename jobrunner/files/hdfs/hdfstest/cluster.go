package hdfstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	krb "github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/spnego"
)

// Nameservice is the name of an HA cluster.
const Nameservice = "zennet-ha"

// patience bounds every wait: a bare machine under load starts Java slowly.
const patience = 3 * time.Minute

// Options say what cluster to start. The zero value is a NameNode and three
// DataNodes with blocks of 1 MiB.
type Options struct {
	DataNodes   int   // default 3
	Replication int   // default: as many as DataNodes, at most 3
	BlockSize   int64 // bytes; default 1 MiB
	// HA starts a second, standby NameNode.
	HA bool
	// Kerberos starts a Kerberos server; Protection is dfs.data.transfer.protection
	// (default "authentication"), AES lets DataNodes offer that cipher.
	Kerberos   bool
	Protection string
	AES        bool
	// Encryption gives the NameNode a key for encryption zones (CreateZone).
	Encryption bool
	// YARN starts a ResourceManager and a NodeManager too.
	YARN bool
	// Fast lets Java optimize fully, for benchmarks; starts take longer.
	Fast bool
	// Core, HDFS and Yarn are further properties of the site files.
	Core, HDFS, Yarn Settings
}

// Cluster is a running Hadoop.
type Cluster struct {
	// Conf is the folder of core-site.xml and hdfs-site.xml for clients.
	Conf string
	// User is the superuser.
	User string

	o      Options
	dir    string // everything of it
	lib    string // jars
	web    string // empty folders that Hadoop wants on its class path
	names  []*nameNode
	datas  []*dataNode
	yarn   []*process
	rmWeb  string // the ResourceManager's HTTP address
	kdc    *process
	krb5   string // krb5.conf
	ticket *krb.Client
	client http.Client
}

type nameNode struct {
	*process
	rpc, http string
	dir       string
	id        string
}

type dataNode struct {
	*process
	ports [3]string
	dir   string
}

// Start starts a cluster that ends with the test.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	lib := need(t)
	begin := time.Now()
	c, err := open(lib, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	t.Logf("Hadoop is up after %.1f s", time.Since(begin).Seconds())
	return c
}

var shared struct {
	sync.Mutex
	clusters map[string]*Cluster
}

// Shared returns the package's cluster with these options, which it starts when
// it is the first to ask. It ends in Main. Tests that hurt it restore it.
func Shared(t testing.TB, o Options) *Cluster {
	t.Helper()
	lib := need(t)
	shared.Lock()
	defer shared.Unlock()
	key := fmt.Sprintf("%+v", o)
	if c := shared.clusters[key]; c != nil {
		return c
	}
	c, err := open(lib, o)
	if err != nil {
		t.Fatal(err)
	}
	if shared.clusters == nil {
		shared.clusters = map[string]*Cluster{}
	}
	shared.clusters[key] = c
	return c
}

// Main runs a package's tests and then ends its shared clusters: call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	for _, c := range shared.clusters {
		c.Close()
	}
	os.Exit(code)
}

func open(lib string, o Options) (*Cluster, error) {
	if o.DataNodes == 0 {
		o.DataNodes = 3
	}
	if o.Replication == 0 {
		o.Replication = min(3, o.DataNodes)
	}
	if o.BlockSize == 0 {
		o.BlockSize = 1 << 20
	}
	if o.Protection == "" {
		o.Protection = "authentication"
	}
	dir, err := os.MkdirTemp("", "zennet-hadoop-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{o: o, dir: dir, lib: lib, Conf: filepath.Join(dir, "conf"), web: filepath.Join(dir, "web"), User: "hadoop",
		client: http.Client{Timeout: 30 * time.Second}}
	if err := c.up(); err != nil {
		c.Close()
		return nil, fmt.Errorf("hadoop: %w", err)
	}
	return c, nil
}

func (c *Cluster) up() error {
	for _, d := range []string{"conf", "logs", "tmp", "web/webapps/hdfs/WEB-INF", "web/webapps/datanode/WEB-INF"} {
		if err := os.MkdirAll(filepath.Join(c.dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := c.writeHosts(); err != nil {
		return err
	}
	names := 1
	if c.o.HA {
		names = 2
	}
	for i := range names {
		c.names = append(c.names, &nameNode{rpc: freeAddress(), http: freeAddress(), dir: filepath.Join(c.dir, fmt.Sprintf("name%d", i)), id: fmt.Sprintf("nn%d", i+1)})
	}
	for i := range c.o.DataNodes {
		c.datas = append(c.datas, &dataNode{ports: [3]string{freeAddress(), freeAddress(), freeAddress()}, dir: filepath.Join(c.dir, fmt.Sprintf("data%d", i))})
	}
	if c.o.Kerberos {
		if err := c.startKDC(); err != nil {
			return err
		}
	}
	if err := c.writeConf(); err != nil {
		return err
	}
	if err := c.format(); err != nil {
		return err
	}
	for i := range c.datas {
		if err := c.startDataNode(i); err != nil {
			return err
		}
	}
	for i := range c.names {
		if err := c.startNameNode(i); err != nil {
			return err
		}
	}
	if c.o.HA {
		if err := errors.Join(c.listening(0), c.listening(1)); err != nil {
			return err
		}
		if _, err := c.Java(HA, "-transitionToActive", "nn1"); err != nil {
			return err
		}
	}
	if err := c.Ready(c.o.DataNodes); err != nil {
		return err
	}
	if c.o.YARN {
		return c.startYARN()
	}
	return nil
}

const (
	nameNodeMain = "org.apache.hadoop.hdfs.server.namenode.NameNode"
	dataNodeMain = "org.apache.hadoop.hdfs.server.datanode.DataNode"
)

func (c *Cluster) nameNodeArgs(i int) []string {
	args := []string{"-D", "dfs.namenode.name.dir=file://" + c.names[i].dir}
	if c.o.HA {
		args = append(args, "-D", "dfs.ha.namenode.id="+c.names[i].id)
	}
	return args
}

func (c *Cluster) startNameNode(i int) (err error) {
	c.names[i].process, err = c.start(fmt.Sprintf("namenode%d", i), nameNodeMain, c.nameNodeArgs(i)...)
	return err
}

// listening waits until a NameNode takes calls.
func (c *Cluster) listening(i int) error {
	return c.await(func() (bool, error) { return listens(c.names[i].rpc), c.dead() })
}

func (c *Cluster) startDataNode(i int) (err error) {
	d := c.datas[i]
	d.process, err = c.start(fmt.Sprintf("datanode%d", i), dataNodeMain,
		"-D", "dfs.datanode.data.dir=file://"+d.dir, "-D", "dfs.datanode.hostname=127.0.0.1",
		"-D", "dfs.datanode.address="+d.ports[0], "-D", "dfs.datanode.http.address="+d.ports[1], "-D", "dfs.datanode.ipc.address="+d.ports[2])
	return err
}

// Close ends every process and removes the cluster's folder.
func (c *Cluster) Close() {
	for _, p := range c.yarn {
		p.kill()
	}
	for _, d := range c.datas {
		d.process.kill()
	}
	for _, n := range c.names {
		n.process.kill()
	}
	c.kdc.kill()
	if c.ticket != nil {
		c.ticket.Destroy()
	}
	os.RemoveAll(c.dir)
}

// URL is the whole URL of a path.
func (c *Cluster) URL(path string) string { return c.authority() + path }

func (c *Cluster) authority() string {
	if c.o.HA {
		return "hdfs://" + Nameservice
	}
	return "hdfs://" + c.names[0].rpc
}

func port(address string) string {
	_, p, _ := strings.Cut(address, ":")
	return p
}

// NameNode is the RPC address of NameNode i, counted from 0.
func (c *Cluster) NameNode(i int) string { return c.names[i].rpc }

// NameNodeWeb is the HTTP address of NameNode i.
func (c *Cluster) NameNodeWeb(i int) string { return c.names[i].http }

// Ready waits until the active NameNode is out of safe mode and has so many
// live DataNodes that have said which blocks they have.
func (c *Cluster) Ready(live int) error {
	var last error
	err := c.await(func() (bool, error) {
		if err := c.dead(); err != nil {
			return false, err
		}
		for i := range c.names {
			if last = c.ready(i, live); last == nil {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("%w (%v)", err, last)
	}
	return nil
}

func (c *Cluster) ready(i, live int) error {
	var info struct {
		Beans []struct {
			State        string `json:"FSState"`
			HAState      string `json:"tag.HAState"`
			Live         int    `json:"NumLiveDataNodes"`
			StaleStorage int    `json:"NumStaleStorages"`
		} `json:"beans"`
	}
	for _, bean := range []string{"FSNamesystemState", "FSNamesystem"} {
		text, err := c.get("http://" + c.names[i].http + "/jmx?qry=Hadoop:service=NameNode,name=" + bean)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &info); err != nil {
			return err
		}
		if len(info.Beans) != 1 {
			return errors.New("starting")
		}
	}
	if b := info.Beans[0]; b.State != "Operational" || b.HAState != "active" || b.Live < live || b.StaleStorage > 0 {
		return fmt.Errorf("%s, %s, %d live DataNodes of %d, %d storages without report", b.State, b.HAState, b.Live, live, b.StaleStorage)
	}
	return nil
}

func (c *Cluster) get(url string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return text, err
}

// do sends a request, with a ticket where the cluster wants one.
func (c *Cluster) do(req *http.Request) (*http.Response, error) {
	if c.ticket == nil {
		return c.client.Do(req)
	}
	return spnego.NewClient(c.ticket, &c.client, "HTTP/127.0.0.1").Do(req)
}

// dead is the failure of a process that ended by itself.
func (c *Cluster) dead() error {
	for _, n := range c.names {
		if n.process != nil && n.ended() && !n.killed {
			return n.failure()
		}
	}
	for _, d := range c.datas {
		if d.process != nil && d.ended() && !d.killed {
			return d.failure()
		}
	}
	return nil
}

// await asks until done says so; it asks servers, which have no other way to tell.
func (c *Cluster) await(done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready within %s", patience)
		case <-tick.C:
		}
	}
}

func listens(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		conn.Close()
	}
	return err == nil
}
