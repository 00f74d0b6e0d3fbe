package hdfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/files/filestest"
)

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		filestest.Must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("core-site.xml", `<?xml version="1.0"?><!-- c --><configuration>
		<property><name>fs.default.name</name><value>hdfs://old:1</value></property>
		<property><name> spaced </name><value>
			a &amp; b
		</value><description>x</description></property>
		<property><name>fixed</name><value>core</value><final>true</final></property>
		<property><name>open</name><value>core</value></property>
		<property name="short" value="attributes"/>
		<property><name>empty</name><value/></property>
		<property><name>novalue</name></property>
		</configuration>`)
	write("hdfs-site.xml", `<configuration>
		<property><name>fixed</name><value>hdfs</value></property>
		<property><name>open</name><value>hdfs</value></property>
		<property><name>host</name><value>h</value></property>
		<property><name>url</name><value>${host}:${port}/${host}</value></property>
		<property><name>inner</name><value>${ho${st}}</value></property>
		<property><name>st</name><value>st</value></property>
		<property><name>loop</name><value>x${loop}</value></property>
		<property><name>env</name><value>${env.ZENNET_T} ${env.ZENNET_NO:-d1} ${env.ZENNET_NO-d2} ${env.ZENNET_EMPTY:-d3}</value></property>
		<property><name>odd</name><value>${} ${a b} $x } ${host</value></property>
		</configuration>`)
	t.Setenv("ZENNET_T", "set")
	t.Setenv("ZENNET_EMPTY", "")
	s, err := LoadSettings(dir)
	filestest.Must(t, err)
	for name, want := range map[string]string{
		"fs.defaultFS": "hdfs://old:1", "spaced": "a & b", "fixed": "core", "open": "hdfs", "short": "attributes",
		"empty": "", "novalue": "", "missing": "", "url": "h:${port}/${host}", "inner": "h", "env": "set d1 d2 d3",
		"odd": "${} ${a b} $x } ${host",
	} {
		if got := s.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := s.Get("loop"); !strings.HasPrefix(got, "xxx") || len(got) > 100 {
		t.Errorf("loop is %q", got)
	}
}

func TestSettingsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"not XML":  "fs.defaultFS=hdfs://x",
		"cut":      "<configuration><property>",
		"another":  "<project></project>",
		"includes": `<configuration xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="more.xml"/></configuration>`,
		"empty":    "",
	} {
		dir := t.TempDir()
		filestest.Must(t, os.WriteFile(filepath.Join(dir, "core-site.xml"), []byte(text), 0o600))
		if _, err := LoadSettings(dir); !errors.Is(err, files.ErrConfig) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadSettings(t.TempDir()); !errors.Is(err, files.ErrConfig) {
		t.Errorf("a folder without site files: %v", err)
	}
	t.Setenv("HADOOP_CONF_DIR", "")
	t.Setenv("HADOOP_HOME", "")
	if s, err := LoadSettings(""); err != nil || len(s) != 0 {
		t.Errorf("no configuration at all: %v, %v", s, err)
	}
}

func TestResolve(t *testing.T) {
	ha := Settings{
		"dfs.nameservices": "ns, other", "dfs.ha.namenodes.ns": "a,b",
		"dfs.namenode.rpc-address.ns.a": "n1:9000", "dfs.namenode.rpc-address.ns.b": "n2",
		"dfs.namenode.http-address.ns.a": "0.0.0.0:50070", "dfs.namenode.https-address.ns.b": "n2:1",
		"dfs.namenode.rpc-address.other": "${h}:8021", "h": "n3",
		"dfs.namenode.kerberos.principal": "nn/_HOST@REALM",
		"fs.defaultFS":                    "hdfs://ns/",
	}
	plain := Settings{"fs.defaultFS": "hdfs://N4", "dfs.namenode.http-address": "web:1"}
	secure := Settings{"dfs.http.policy": "HTTPS_ONLY", "dfs.namenode.https-address": ":9871"}
	nn := func(rpc, web, principal string) nameNode { return nameNode{rpc, web, principal} }
	for _, c := range []struct {
		s         Settings
		authority string
		want      []nameNode
	}{
		{ha, "ns", []nameNode{nn("n1:9000", "http://n1:50070", "nn/n1"), nn("n2:8020", "http://n2:9870", "nn/n2")}},
		{ha, "", []nameNode{nn("n1:9000", "http://n1:50070", "nn/n1"), nn("n2:8020", "http://n2:9870", "nn/n2")}},
		{ha, "other", []nameNode{nn("n3:8021", "http://n3:9870", "nn/n3")}},
		{ha, "n1:9000", []nameNode{nn("n1:9000", "http://n1:50070", "nn/n1")}},
		{ha, "else", []nameNode{nn("else:8020", "http://else:9870", "nn/else")}},
		{plain, "", []nameNode{nn("N4:8020", "http://web:1", "")}},
		{Settings{}, "[::1]", []nameNode{nn("[::1]:8020", "http://[::1]:9870", "")}},
		{secure, "n5", []nameNode{nn("n5:8020", "https://n5:9871", "")}},
	} {
		_, got, err := c.s.resolve(c.authority)
		if err != nil || len(got) != len(c.want) {
			t.Errorf("%q: %v, %v", c.authority, got, err)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%q: %+v, want %+v", c.authority, got[i], c.want[i])
			}
		}
	}
	for _, c := range []struct {
		s         Settings
		authority string
	}{
		{Settings{}, ""}, {Settings{"fs.defaultFS": "file:///"}, ""}, {Settings{"fs.defaultFS": "hdfs://%"}, ""},
		{Settings{}, "user@host"}, {Settings{}, "a b"}, {Settings{}, ":8020"}, {Settings{"dfs.ha.namenodes.ns": "a"}, "ns"},
	} {
		if _, got, err := c.s.resolve(c.authority); !errors.Is(err, files.ErrConfig) {
			t.Errorf("%v %q: %v, %v", c.s, c.authority, got, err)
		}
	}
}

func TestBytesOf(t *testing.T) {
	for in, want := range map[string]int64{"": 0, "m": 0, "1": 1, "134217728": 1 << 27, "128m": 1 << 27, "2G": 1 << 31, "3k": 3072,
		"-1": 0, "x": 0, "9223372036854775807": 0, "8589934592g": 0, "1mm": 0} {
		if got := bytesOf(in); got != want {
			t.Errorf("%q is %d, want %d", in, got, want)
		}
	}
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte(`<configuration><property><name>a</name><value>${b}${b}${b}</value></property><property><name>b</name><value>${c}${c}</value></property></configuration>`), "host:1")
	f.Add([]byte(`<configuration><property><name>dfs.ha.namenodes.x</name><value>a,b</value></property></configuration>`), "x")
	f.Add([]byte(`<configuration><property><name>fs.defaultFS</name><value>hdfs://[::1]:%41</value></property></configuration>`), "")
	f.Fuzz(func(t *testing.T, text []byte, authority string) {
		s, err := ParseSettings(text)
		if err != nil {
			return
		}
		for name := range s {
			if got := s.Get(name); len(got) > settingsMax {
				t.Fatalf("%s has %d bytes", name, len(got))
			}
		}
		_, nodes, err := s.resolve(authority)
		if err == nil && len(nodes) == 0 {
			t.Fatal("no NameNode and no error")
		}
		for _, nn := range nodes {
			if _, err := hostPort(nn.rpc, "1"); err != nil {
				t.Fatalf("%q: %v", nn.rpc, err)
			}
		}
	})
}
