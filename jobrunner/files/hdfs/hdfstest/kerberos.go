package hdfstest

import (
	"fmt"
	"os"
	"path/filepath"

	krb "github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

// Realm is the Kerberos realm of a cluster with Kerberos.
const Realm = "ZENNET.TEST"

// Principal is a plain user of the realm, who is in the cluster's keytab.
const Principal = "alice@" + Realm

// Keytab is the file with the keys of all principals.
func (c *Cluster) Keytab() string { return filepath.Join(c.dir, "kdc", "all.keytab") }

// KRB5 is the krb5.conf of the cluster's realm.
func (c *Cluster) KRB5() string { return c.krb5 }

// startKDC starts Hadoop's own Kerberos server for tests, which needs no root.
func (c *Cluster) startKDC() error {
	work := filepath.Join(c.dir, "kdc")
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	address := freeAddress()
	properties := filepath.Join(work, "minikdc.properties")
	text := fmt.Sprintf("org.name=ZENNET\norg.domain=TEST\nkdc.bind.address=127.0.0.1\nkdc.port=%s\ninstance=zennet\nmax.ticket.lifetime=86400000\nmax.renewable.lifetime=604800000\ntransport=TCP\ndebug=false\n", port(address))
	if err := os.WriteFile(properties, []byte(text), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "secret"), []byte("signs cookies"), 0o600); err != nil {
		return err
	}
	var err error
	c.kdc, err = c.start("kdc", "org.apache.hadoop.minikdc.MiniKdc", work, properties, c.Keytab(),
		"hdfs/127.0.0.1", "HTTP/127.0.0.1", "hdfs/localhost", "HTTP/localhost", "alice")
	if err != nil {
		return err
	}
	var last error
	err = c.await(func() (bool, error) {
		if c.kdc.ended() {
			return false, c.kdc.failure()
		}
		info, err := os.Stat(c.Keytab())
		found, _ := filepath.Glob(filepath.Join(work, "*", "krb5.conf"))
		if own := filepath.Join(work, "krb5.conf"); len(found) == 0 {
			if _, err := os.Stat(own); err == nil {
				found = []string{own}
			}
		}
		if err != nil || info.Size() == 0 || len(found) == 0 || !listens(address) {
			return false, nil
		}
		c.krb5 = found[0]
		last = c.login() // the files may be half written
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("Kerberos server: %w (%v)", err, last)
	}
	return nil
}

// login gets the ticket with which the cluster's web pages are asked.
func (c *Cluster) login() error {
	conf, err := config.Load(c.krb5)
	if err != nil {
		return err
	}
	keys, err := keytab.Load(c.Keytab())
	if err != nil {
		return err
	}
	ticket := krb.NewWithKeytab("hdfs/127.0.0.1", Realm, keys, conf, krb.DisablePAFXFAST(true))
	if err := ticket.Login(); err != nil {
		ticket.Destroy()
		return err
	}
	c.ticket = ticket
	return nil
}

func (c *Cluster) kerberosSettings(core, hdfs Settings) {
	core["hadoop.security.authentication"] = "kerberos"
	core["hadoop.security.authorization"] = "true"
	core["hadoop.security.auth_to_local"] = "RULE:[2:$1](.*)s/.*/hadoop/\nDEFAULT"
	for _, daemon := range []string{"namenode", "datanode"} {
		hdfs["dfs."+daemon+".kerberos.principal"] = "hdfs/127.0.0.1@" + Realm
		hdfs["dfs."+daemon+".keytab.file"] = c.Keytab()
	}
	core["hadoop.http.authentication.type"] = "kerberos"
	core["hadoop.http.authentication.kerberos.principal"] = "HTTP/127.0.0.1@" + Realm
	core["hadoop.http.authentication.kerberos.keytab"] = c.Keytab()
	core["hadoop.http.authentication.signature.secret.file"] = filepath.Join(c.dir, "kdc", "secret")
	hdfs["dfs.web.authentication.kerberos.principal"] = "HTTP/127.0.0.1@" + Realm
	hdfs["dfs.web.authentication.kerberos.keytab"] = c.Keytab()
	hdfs["dfs.block.access.token.enable"] = "true"
	hdfs["dfs.data.transfer.protection"] = c.o.Protection
	hdfs["ignore.secure.ports.for.testing"] = "true"
	if c.o.AES {
		hdfs["dfs.encrypt.data.transfer.cipher.suites"] = "AES/CTR/NoPadding"
	}
}
