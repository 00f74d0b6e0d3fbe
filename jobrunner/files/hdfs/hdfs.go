package hdfs

import (
	"fmt"
	"os"
	"os/user"
	"strings"
	"sync"
	"time"

	"github.com/colinmarc/hdfs/v2/hadoopconf"
	krb "github.com/jcmturner/gokrb5/v8/client"

	"github.com/zennet/zennet/jobrunner/files"
)

// How long a call is tried again: Patience for a job that runs, Quick for a
// person who waits.
const (
	Patience = 5 * time.Minute
	Quick    = 15 * time.Second
)

// Timeout is the default of Config.Timeout.
const Timeout = 20 * time.Second

// Config says which cluster, and as whom.
type Config struct {
	// Authority is the host part of an hdfs: URL: a nameservice, host:port, host
	// (port 8020), or "" for fs.defaultFS.
	Authority string
	// Conf is the folder of core-site.xml and hdfs-site.xml, "" for the
	// environment's (LoadSettings).
	Conf string
	// User is the HDFS user, "" for $HADOOP_USER_NAME, else the current user. With
	// Kerberos it is the principal's.
	User string
	// Principal (user[/host][@REALM]) and Keytab, a file, are needed where the
	// configuration asks for Kerberos. KRB5 is the krb5.conf, "" for
	// $KRB5_CONFIG, else /etc/krb5.conf.
	Principal, Keytab, KRB5 string
	// Patience bounds how long a call is tried again after it failed for the first
	// time; 0 is Patience. A call that never fails may take longer.
	Patience time.Duration
	// Timeout bounds each wait for a server; 0 is Timeout.
	Timeout time.Duration
}

// System is an HDFS.
type System struct {
	name      string // authority
	user      string
	settings  Settings
	plain     hadoopconf.HadoopConf // what the library reads of the settings
	kerberos  *krb.Client
	patience  time.Duration
	timeout   time.Duration
	nameNodes []nameNode
	web       *web
	slots     chan struct{}

	mu       sync.Mutex
	current  int // of nameNodes: the one that answered last
	idle     []*link
	busy     map[*link]bool
	closed   bool
	suspects map[string]time.Time // DataNodes that failed lately
}

var _ files.System = (*System)(nil)

// Open reads the configuration and, where that asks for Kerberos, logs in. It
// does not speak to the cluster yet. What can be known to be unreadable from the
// configuration is refused here.
func Open(c Config) (*System, error) {
	settings, err := LoadSettings(c.Conf)
	if err != nil {
		return nil, err
	}
	name, nameNodes, err := settings.resolve(c.Authority)
	if err != nil {
		return nil, err
	}
	s := &System{name: name, user: c.User, settings: settings, plain: plainSettings(settings), patience: c.Patience, timeout: c.Timeout, nameNodes: nameNodes,
		slots: make(chan struct{}, linksMax), busy: map[*link]bool{}, suspects: map[string]time.Time{}}
	if s.patience == 0 {
		s.patience = Patience
	}
	if s.timeout == 0 {
		s.timeout = Timeout
	}
	if s.user == "" {
		s.user = os.Getenv("HADOOP_USER_NAME")
	}
	if s.user == "" {
		s.user = systemUser()
	}
	if err := s.checkProtection(); err != nil {
		return nil, err
	}
	if strings.EqualFold(settings.Get("hadoop.security.authentication"), "kerberos") {
		if s.kerberos, err = login(c, nameNodes); err != nil {
			return nil, err
		}
		s.user = s.kerberos.Credentials.UserName()
	}
	s.web = newWeb(s)
	return s, nil
}

func systemUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

// plainSettings are those that the library itself reads, expanded. It must not
// see fs.defaultFS, over which it can panic.
func plainSettings(s Settings) hadoopconf.HadoopConf {
	out := hadoopconf.HadoopConf{}
	for _, name := range []string{"dfs.client.use.datanode.hostname", protectionKey, "dfs.encrypt.data.transfer"} {
		if v := s.Get(name); v != "" {
			out[name] = v
		}
	}
	return out
}

const protectionKey = "dfs.data.transfer.protection"

// checkProtection refuses at once what the library writes but cannot read.
func (s *System) checkProtection() error {
	wanted := strings.ToLower(s.settings.Get(protectionKey))
	if !strings.Contains(wanted, "integrity") || s.settings.Get("dfs.encrypt.data.transfer") == "true" {
		return nil
	}
	return fmt.Errorf("hdfs://%s: %s is %q: DataNodes that only protect integrity can be written but not read from here; they must offer authentication, or privacy with %s=AES/CTR/NoPadding: %w",
		s.name, protectionKey, wanted, cipherKey, files.ErrUnsupported)
}

const cipherKey = "dfs.encrypt.data.transfer.cipher.suites"

// url names a path for people.
func (s *System) url(path string) string { return "hdfs://" + s.name + path }

// suspectFor is how long a DataNode that failed is left out where that can be
// asked for: the NameNode notices its death after ten and a half minutes.
const suspectFor = 11 * time.Minute

func (s *System) suspect(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.suspects[address] = time.Now()
}

func (s *System) suspected() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for address, at := range s.suspects {
		if time.Since(at) > suspectFor {
			delete(s.suspects, address)
		} else {
			out = append(out, address)
		}
	}
	return out
}
