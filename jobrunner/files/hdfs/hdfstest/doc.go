// Package hdfstest starts a real Hadoop for tests and benchmarks: a NameNode and
// DataNodes, on request a second NameNode (HA), Kerberos, and YARN, all on free
// ports of 127.0.0.1, with ways to hurt them: kill, stop, restart, flip a byte.
//
// The jars come from Maven Central (pom.xml, scripts/hadoop.sh). Where Java or
// Maven is missing, tests are skipped; with CI set they fail. Every process is a
// child that the kernel kills when the test's process ends, however it ends.
//
// Most packages share one cluster, because a start takes seconds: call Main from
// TestMain and Shared in the tests.
//
// Start at cluster.go; faults.go has the ways to hurt it, config.go the settings,
// made.go what is made once for all, yarn.go what the comparison with Hadoop's own MapReduce needs.
package hdfstest
