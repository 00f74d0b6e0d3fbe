package hdfstest

import (
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Settings are properties of a Hadoop configuration.
type Settings map[string]string

// WriteSettings writes a configuration file as Hadoop reads it.
func WriteSettings(path string, s Settings) error {
	type property struct {
		Name  string `xml:"name"`
		Value string `xml:"value"`
	}
	var doc struct {
		XMLName    xml.Name   `xml:"configuration"`
		Properties []property `xml:"property"`
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		doc.Properties = append(doc.Properties, property{name, s[name]})
	}
	text, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append([]byte(xml.Header), text...), 0o644)
}

const log4j = `log4j.rootLogger=WARN,stderr
log4j.appender.stderr=org.apache.log4j.ConsoleAppender
log4j.appender.stderr.target=System.err
log4j.appender.stderr.layout=org.apache.log4j.PatternLayout
log4j.appender.stderr.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
`

// writeConf writes the folder that daemons and clients share; what differs
// between daemons (ports, data folders) is on their command lines.
func (c *Cluster) writeConf() error {
	core := Settings{
		"fs.defaultFS":                         c.authority(),
		"hadoop.tmp.dir":                       filepath.Join(c.dir, "tmp"),
		"ipc.client.connect.max.retries":       "3",
		"ipc.client.connect.retry.interval":    "200", // ms: DataNodes find a restarted NameNode soon
		"hadoop.http.staticuser.user":          c.User,
		"hadoop.security.token.service.use_ip": "true",
	}
	hdfs := Settings{
		"dfs.replication":                                      fmt.Sprint(c.o.Replication),
		"dfs.blocksize":                                        fmt.Sprint(c.o.BlockSize),
		"dfs.namenode.fs-limits.min-block-size":                "1024",
		"dfs.namenode.safemode.extension":                      "0",
		"dfs.namenode.datanode.registration.ip-hostname-check": "false",
		"dfs.namenode.redundancy.considerLoad":                 "false",
		"dfs.namenode.acls.enabled":                            "true",
		"dfs.heartbeat.interval":                               "1",
		"dfs.blockreport.initialDelay":                         "0",
		"dfs.datanode.max.locked.memory":                       "0",
		"dfs.namenode.edits.noeditlogchannelflush":             "true",
		"dfs.datanode.scan.period.hours":                       "-1",
		"dfs.permissions.superusergroup":                       "supergroup",
		"dfs.webhdfs.enabled":                                  "true",
	}
	if c.o.HA {
		ids := []string{}
		for i, nn := range c.names {
			id := fmt.Sprintf("nn%d", i+1)
			ids = append(ids, id)
			hdfs["dfs.namenode.rpc-address."+Nameservice+"."+id] = nn.rpc
			hdfs["dfs.namenode.http-address."+Nameservice+"."+id] = nn.http
		}
		hdfs["dfs.nameservices"] = Nameservice
		hdfs["dfs.ha.namenodes."+Nameservice] = strings.Join(ids, ",")
		hdfs["dfs.client.failover.proxy.provider."+Nameservice] = "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider"
		hdfs["dfs.namenode.shared.edits.dir"] = "file://" + c.shared()
		hdfs["dfs.ha.tail-edits.period"] = "1"
		hdfs["dfs.ha.fencing.methods"] = "shell(/bin/true)"
	} else {
		hdfs["dfs.namenode.rpc-address"] = c.names[0].rpc
		hdfs["dfs.namenode.http-address"] = c.names[0].http
		hdfs["dfs.namenode.secondary.http-address"] = "127.0.0.1:0"
	}
	if c.o.Kerberos {
		c.kerberosSettings(core, hdfs)
	}
	if c.o.Encryption {
		core["hadoop.security.key.provider.path"] = "jceks://file" + c.keys()
	}
	maps.Copy(core, c.o.Core)
	maps.Copy(hdfs, c.o.HDFS)
	if err := WriteSettings(filepath.Join(c.Conf, "core-site.xml"), core); err != nil {
		return err
	}
	if err := WriteSettings(filepath.Join(c.Conf, "hdfs-site.xml"), hdfs); err != nil {
		return err
	}
	if c.o.YARN {
		if err := c.writeYARN(); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(c.Conf, "log4j.properties"), []byte(log4j), 0o644)
}
