package hdfstest

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

// KillDataNode ends DataNode i at once. The NameNode takes it for alive for
// another ten minutes.
func (c *Cluster) KillDataNode(i int) {
	c.datas[i].killed = true
	c.datas[i].kill()
}

// StartDataNode starts DataNode i again, after KillDataNode, and waits until the
// NameNode has heard of it.
func (c *Cluster) StartDataNode(i int) error {
	if err := c.startDataNode(i); err != nil {
		return err
	}
	if err := c.await(func() (bool, error) { return listens(c.datas[i].ports[0]), c.dead() }); err != nil {
		return err
	}
	return c.Ready(len(c.datas))
}

// StopDataNode freezes DataNode i: it accepts connections and says nothing.
func (c *Cluster) StopDataNode(i int) { c.datas[i].freeze() }

// ContinueDataNode ends StopDataNode.
func (c *Cluster) ContinueDataNode(i int) { c.datas[i].signal(syscall.SIGCONT) }

// StopNameNode freezes NameNode i.
func (c *Cluster) StopNameNode(i int) { c.names[i].freeze() }

// ContinueNameNode ends StopNameNode.
func (c *Cluster) ContinueNameNode(i int) { c.names[i].signal(syscall.SIGCONT) }

// KillNameNode ends NameNode i at once.
func (c *Cluster) KillNameNode(i int) {
	c.names[i].killed = true
	c.names[i].kill()
}

// RestartNameNode kills NameNode i, starts it again and waits until it is ready.
func (c *Cluster) RestartNameNode(i int) error {
	c.KillNameNode(i)
	if err := c.startNameNode(i); err != nil {
		return err
	}
	return c.Ready(len(c.datas))
}

// Failover makes NameNode i of an HA cluster the active one.
func (c *Cluster) Failover(from, to int) error {
	if from >= 0 {
		if _, err := c.Java(HA, "-transitionToStandby", c.names[from].id); err != nil {
			return err
		}
	}
	_, err := c.Java(HA, "-transitionToActive", c.names[to].id)
	return err
}

const zoneKey = "zennet"

// CreateZone makes a folder that is there and empty an encryption zone.
func (c *Cluster) CreateZone(path string) error {
	_, err := c.Java("org.apache.hadoop.hdfs.tools.CryptoAdmin", "-createZone", "-keyName", zoneKey, "-path", path)
	return err
}

// ErasureCode makes the files that will be put into a folder erasure-coded; it
// needs three DataNodes.
func (c *Cluster) ErasureCode(path string) error {
	const policy = "XOR-2-1-1024k"
	for _, q := range []string{"/?op=ENABLEECPOLICY", path + "?op=SETECPOLICY"} {
		req, err := http.NewRequest(http.MethodPut, "http://"+c.names[0].http+"/webhdfs/v1"+q+"&ecpolicy="+policy+"&user.name="+c.User, nil)
		if err != nil {
			return err
		}
		resp, err := c.do(req)
		if err != nil {
			return err
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s: %s", q, resp.Status, text)
		}
	}
	return nil
}

var blockName = regexp.MustCompile(`blk_(\d+)_\d+ len=(\d+)`)

// Blocks are the numbers of a file's blocks, in order.
func (c *Cluster) Blocks(path string) ([]string, error) {
	q := url.Values{"ugi": {c.User}, "path": {path}, "files": {"1"}, "blocks": {"1"}}
	text, err := c.get("http://" + c.names[0].http + "/fsck?" + q.Encode())
	if err != nil {
		return nil, err
	}
	var out []string
	for _, m := range blockName.FindAllStringSubmatch(string(text), -1) {
		out = append(out, m[1])
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no block of %s in %s", path, text)
	}
	return out, nil
}

// FlipByte changes one byte of a file in the replica that DataNode i has, at an
// offset of the file.
func (c *Cluster) FlipByte(path string, i int, offset int64) error {
	file, err := c.replica(path, i, offset/c.o.BlockSize)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], offset%c.o.BlockSize); err != nil {
		return err
	}
	b[0] ^= 0x10
	_, err = f.WriteAt(b[:], offset%c.o.BlockSize)
	return err
}

func (c *Cluster) replica(path string, i int, block int64) (string, error) {
	blocks, err := c.Blocks(path)
	if err != nil {
		return "", err
	}
	if block >= int64(len(blocks)) {
		return "", fmt.Errorf("%s has %d blocks", path, len(blocks))
	}
	name, found := "blk_"+blocks[block], ""
	err = filepath.WalkDir(c.datas[i].dir, func(p string, _ fs.DirEntry, err error) error {
		if filepath.Base(p) == name {
			found = p
		}
		return err
	})
	if err == nil && found == "" {
		err = fmt.Errorf("DataNode %d has no %s of %s", i, name, path)
	}
	return found, err
}
