package hdfstest

import (
	"os"
	"path/filepath"
)

// made is something that scripts/hadoop.sh has made beside the jars.
func (c *Cluster) made(name string) string { return filepath.Join(filepath.Dir(c.lib), "made", name) }

// format gives the NameNodes their folders, and the cluster its key, as they were made
// once: the options -format and -bootstrapStandby would do the same.
func (c *Cluster) format() error {
	folders := []string{}
	for _, n := range c.names {
		folders = append(folders, n.dir)
	}
	if c.o.HA {
		folders = append(folders, c.shared())
	}
	for _, dir := range folders {
		if err := os.CopyFS(dir, os.DirFS(c.made("name"))); err != nil {
			return err
		}
	}
	if !c.o.Encryption {
		return nil
	}
	key, err := os.ReadFile(c.made("keys.jceks"))
	if err != nil {
		return err
	}
	return os.WriteFile(c.keys(), key, 0o600)
}

// shared is the folder of edits that the NameNodes of an HA cluster share.
func (c *Cluster) shared() string { return filepath.Join(c.dir, "shared") }

// keys is the file of the key for encryption zones.
func (c *Cluster) keys() string { return filepath.Join(c.dir, "keys.jceks") }
