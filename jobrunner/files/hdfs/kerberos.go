package hdfs

import (
	"fmt"
	"os"
	"strings"

	krb "github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/zennet/zennet/jobrunner/files"
)

// login gets a ticket for the principal; it is renewed until Destroy.
func login(c Config, nameNodes []nameNode) (*krb.Client, error) {
	for _, nn := range nameNodes {
		if nn.principal == "" {
			return nil, fmt.Errorf("the configuration asks for Kerberos but has no dfs.namenode.kerberos.principal: %w", files.ErrConfig)
		}
	}
	if c.Principal == "" || c.Keytab == "" {
		return nil, fmt.Errorf("the configuration asks for Kerberos: principal %q and keytab %q must both be given: %w", c.Principal, c.Keytab, files.ErrConfig)
	}
	path := c.KRB5
	if path == "" {
		path = os.Getenv("KRB5_CONFIG")
	}
	if path == "" {
		path = "/etc/krb5.conf"
	}
	conf, err := config.Load(path)
	if err != nil {
		return nil, fmt.Errorf("kerberos: %s: %w: %w", path, files.ErrConfig, err)
	}
	keys, err := keytab.Load(c.Keytab)
	if err != nil {
		return nil, fmt.Errorf("kerberos: keytab %s: %w: %w", c.Keytab, files.ErrConfig, err)
	}
	name, realm, ok := strings.Cut(c.Principal, "@")
	if !ok {
		realm = conf.LibDefaults.DefaultRealm
	}
	client := krb.NewWithKeytab(name, realm, keys, conf, krb.DisablePAFXFAST(true))
	if err := client.Login(); err != nil {
		client.Destroy()
		return nil, fmt.Errorf("kerberos: no ticket for %s@%s with keytab %s: %w: %w", name, realm, c.Keytab, files.ErrConfig, err)
	}
	return client, nil
}
