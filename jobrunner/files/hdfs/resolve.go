package hdfs

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/zennet/zennet/jobrunner/files"
)

// Default ports of a NameNode.
const (
	portRPC   = "8020"
	portHTTP  = "9870"
	portHTTPS = "9871"
)

// nameNode is one server of the cluster: where it answers calls, where WebHDFS,
// and its Kerberos name (service/host).
type nameNode struct {
	rpc       string
	web       string // "http://host:port"
	principal string
}

// resolve finds the NameNodes of a URL's authority: a nameservice of the
// configuration, or a host with or without port. "" is fs.defaultFS.
func (s Settings) resolve(authority string) (string, []nameNode, error) {
	if authority == "" {
		u, err := url.Parse(s.Get("fs.defaultFS"))
		if err != nil || u.Scheme != "hdfs" || u.Host == "" {
			return "", nil, fmt.Errorf("the URL names no NameNode, and fs.defaultFS is %q, which is no hdfs: URL with one: %w", s.Get("fs.defaultFS"), files.ErrConfig)
		}
		authority = u.Host
	}
	if ids := list(s.Get("dfs.ha.namenodes." + authority)); len(ids) > 0 {
		var out []nameNode
		for _, id := range ids {
			nn, err := s.nameNode("."+authority+"."+id, "")
			if err != nil {
				return "", nil, err
			}
			out = append(out, nn)
		}
		return authority, out, nil
	}
	if s.Get("dfs.namenode.rpc-address."+authority) != "" {
		nn, err := s.nameNode("."+authority, "")
		return authority, []nameNode{nn}, err
	}
	rpc, err := hostPort(authority, portRPC)
	if err != nil {
		return "", nil, fmt.Errorf("NameNode %q: %w: %w", authority, files.ErrConfig, err)
	}
	nn, err := s.nameNode(s.suffixOf(rpc), rpc)
	return authority, []nameNode{nn}, err
}

// suffixOf is the nameservice and number (".ns.nn1") under which the
// configuration has this address, "" where it has none.
func (s Settings) suffixOf(rpc string) string {
	const prefix = "dfs.namenode.rpc-address"
	for name := range s {
		if suffix, ok := strings.CutPrefix(name, prefix); ok && suffix != "" {
			if known, err := hostPort(s.Get(name), portRPC); err == nil && known == rpc {
				return suffix
			}
		}
	}
	return ""
}

// nameNode reads the addresses that the configuration has under suffix; rpc is
// its address where the URL gave that.
func (s Settings) nameNode(suffix, rpc string) (nameNode, error) {
	value := func(name string) string {
		if v := s.Get(name + suffix); v != "" {
			return v
		}
		return s.Get(name)
	}
	nn := nameNode{rpc: rpc}
	if rpc == "" {
		var err error
		if nn.rpc, err = hostPort(s.Get("dfs.namenode.rpc-address"+suffix), portRPC); err != nil {
			return nn, fmt.Errorf("dfs.namenode.rpc-address%s is %q: %w: %w", suffix, s.Get("dfs.namenode.rpc-address"+suffix), files.ErrConfig, err)
		}
	}
	host, _, _ := net.SplitHostPort(nn.rpc)
	scheme, address, port := "http", value("dfs.namenode.http-address"), portHTTP
	if value("dfs.http.policy") == "HTTPS_ONLY" {
		scheme, address, port = "https", value("dfs.namenode.https-address"), portHTTPS
	}
	web, err := hostPort(address, port)
	if err != nil {
		web = net.JoinHostPort(host, port)
	}
	if h, p, _ := net.SplitHostPort(web); h == "0.0.0.0" || h == "::" {
		web = net.JoinHostPort(host, p)
	}
	nn.web = scheme + "://" + web
	principal, _, _ := strings.Cut(value("dfs.namenode.kerberos.principal"), "@")
	nn.principal = strings.Replace(principal, "_HOST", strings.ToLower(host), 1)
	return nn, nil
}

// hostPort gives an address its default port.
func hostPort(address, port string) (string, error) {
	if address == "" {
		return "", fmt.Errorf("no address")
	}
	u, err := url.Parse("//" + address)
	if err != nil {
		return "", err
	}
	switch {
	case u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("%q is not host:port", address)
	case u.Port() != "":
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

func list(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' || r == '\r' })
}
