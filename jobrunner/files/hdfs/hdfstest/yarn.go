package hdfstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
)

// writeYARN writes the settings of YARN and MapReduce for a machine with two
// cores: two tasks at once, short heartbeats, sort buffers that hold a split.
func (c *Cluster) writeYARN() error {
	c.rmWeb = freeAddress()
	yarn := Settings{
		"yarn.resourcemanager.hostname":                                                 "127.0.0.1",
		"yarn.resourcemanager.address":                                                  freeAddress(),
		"yarn.resourcemanager.scheduler.address":                                        freeAddress(),
		"yarn.resourcemanager.resource-tracker.address":                                 freeAddress(),
		"yarn.resourcemanager.admin.address":                                            freeAddress(),
		"yarn.resourcemanager.webapp.address":                                           c.rmWeb,
		"yarn.resourcemanager.nodemanagers.heartbeat-interval-ms":                       "100",
		"yarn.nodemanager.hostname":                                                     "127.0.0.1",
		"yarn.nodemanager.address":                                                      freeAddress(),
		"yarn.nodemanager.localizer.address":                                            freeAddress(),
		"yarn.nodemanager.collector-service.address":                                    freeAddress(),
		"yarn.nodemanager.webapp.address":                                               freeAddress(),
		"yarn.nodemanager.local-dirs":                                                   filepath.Join(c.dir, "nm-local"),
		"yarn.nodemanager.log-dirs":                                                     filepath.Join(c.dir, "nm-logs"),
		"yarn.nodemanager.aux-services":                                                 "mapreduce_shuffle",
		"yarn.nodemanager.resource.memory-mb":                                           "8192",
		"yarn.nodemanager.resource.cpu-vcores":                                          "3", // two tasks and the application's master
		"yarn.scheduler.minimum-allocation-mb":                                          "128",
		"yarn.nodemanager.vmem-check-enabled":                                           "false",
		"yarn.nodemanager.pmem-check-enabled":                                           "false",
		"yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "100",
		"yarn.nodemanager.delete.debug-delay-sec":                                       "0",
		"yarn.node-attribute.fs-store.root-dir":                                         "file://" + filepath.Join(c.dir, "node-attribute"),
		"yarn.log-aggregation-enable":                                                   "false",
	}
	mapred := Settings{
		"mapreduce.framework.name":                              "yarn",
		"mapreduce.application.classpath":                       c.Conf + ":" + c.lib + "/*",
		"mapreduce.shuffle.port":                                port(freeAddress()),
		"mapreduce.map.memory.mb":                               "1024",
		"mapreduce.reduce.memory.mb":                            "1024",
		"mapreduce.map.java.opts":                               "-Xmx768m -XX:+UseSerialGC --add-opens=java.base/java.lang=ALL-UNNAMED",
		"mapreduce.reduce.java.opts":                            "-Xmx768m -XX:+UseSerialGC --add-opens=java.base/java.lang=ALL-UNNAMED",
		"yarn.app.mapreduce.am.resource.mb":                     "512",
		"yarn.app.mapreduce.am.command-opts":                    "-Xmx384m -XX:+UseSerialGC --add-opens=java.base/java.lang=ALL-UNNAMED",
		"yarn.app.mapreduce.am.staging-dir":                     "/tmp/staging",
		"yarn.app.mapreduce.am.scheduler.heartbeat.interval-ms": "100",
		"mapreduce.task.io.sort.mb":                             "256",
		"mapreduce.client.progressmonitor.pollinterval":         "100",
		"mapreduce.client.completion.pollinterval":              "100",
		"mapreduce.client.submit.file.replication":              "1",
		"mapreduce.jobhistory.address":                          "127.0.0.1:0",
	}
	for name, value := range c.o.Yarn {
		yarn[name], mapred[name] = value, value
	}
	capacity := Settings{
		"yarn.scheduler.capacity.root.queues":                          "default",
		"yarn.scheduler.capacity.root.default.capacity":                "100",
		"yarn.scheduler.capacity.maximum-am-resource-percent":          "0.5",
		"yarn.scheduler.capacity.resource-calculator":                  "org.apache.hadoop.yarn.util.resource.DominantResourceCalculator",
		"yarn.scheduler.capacity.root.default.acl_submit_applications": "*",
	}
	for name, s := range map[string]Settings{"yarn-site.xml": yarn, "mapred-site.xml": mapred, "capacity-scheduler.xml": capacity} {
		if err := WriteSettings(filepath.Join(c.Conf, name), s); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) startYARN() error {
	for name, main := range map[string]string{
		"resourcemanager": "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager",
		"nodemanager":     "org.apache.hadoop.yarn.server.nodemanager.NodeManager",
	} {
		p, err := c.start(name, main)
		if err != nil {
			return err
		}
		c.yarn = append(c.yarn, p)
	}
	return c.await(func() (bool, error) {
		for _, p := range c.yarn {
			if p.ended() {
				return false, p.failure()
			}
		}
		return c.nodes() == nil, nil
	})
}

// nodes asks the ResourceManager whether its NodeManager runs.
func (c *Cluster) nodes() error {
	text, err := c.get("http://" + c.rmWeb + "/ws/v1/cluster/metrics")
	if err != nil {
		return err
	}
	var m struct {
		Metrics struct {
			Active int `json:"activeNodes"`
		} `json:"clusterMetrics"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	if m.Metrics.Active != 1 {
		return errors.New("no NodeManager yet")
	}
	return nil
}

// Streaming runs a Hadoop Streaming job (the arguments of hadoop-streaming) and
// returns what it printed: on YARN where the cluster has that, else in one
// process (LocalJobRunner).
func (c *Cluster) Streaming(args ...string) (string, error) {
	return c.job("org.apache.hadoop.streaming.HadoopStreaming", args)
}

// Example runs one of Hadoop's own example jobs ("wordcount", "terasort", …).
func (c *Cluster) Example(args ...string) (string, error) {
	return c.job("org.apache.hadoop.examples.ExampleDriver", args)
}

func (c *Cluster) job(main string, args []string) (string, error) {
	out, err := c.Java(main, args...)
	if err != nil {
		err = fmt.Errorf("hadoop job: %w", err)
	}
	return out, err
}
