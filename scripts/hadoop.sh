#!/usr/bin/env bash
# Fetches the Hadoop that tests and benchmarks run against, by Maven and its own
# settings, into the user's cache, and prints the folder. Does nothing where it is
# there already; two at once wait for each other.
set -euo pipefail
cd "$(dirname "$0")/.."
pom=jobrunner/files/hdfs/hdfstest/pom.xml
version=$(sed -n 's:.*<hadoop>\(.*\)</hadoop>.*:\1:p' "$pom")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/zennet
# The list of jars follows from the pom: another pom has another folder, so that
# nothing is taken away from who runs.
lib=$cache/hadoop-$version-$(sha256sum "$pom" | cut -c1-16)/lib
mkdir -p "$cache"
exec 9>"$cache/hadoop.lock"
flock 9
if [ ! -d "$lib" ]; then
	for tool in java mvn; do
		command -v $tool >/dev/null || { echo "hadoop: $tool is missing: run make test-deps" >&2; exit 1; }
	done
	echo "hadoop: fetching Hadoop $version" >&2
	rm -rf "$lib.new"
	timeout 900 mvn -q -B -f "$pom" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$lib.new" >&2
	mv "$lib.new" "$lib"
fi
# What every cluster would make anew, each with another start of Java: a formatted
# NameNode's folder, a key for encryption zones, and an archive of the classes that
# Hadoop loads, with which Java starts in half the time (one that does not fit the Java
# that runs is passed over by it).
made=${lib%/lib}/made
if [ ! -d "$made" ]; then
	work=$(mktemp -d "$cache/made.XXXXXX")
	java=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 --add-opens=java.base/java.lang=ALL-UNNAMED)
	"${java[@]}" -XX:ArchiveClassesAtExit="$work/classes.jsa" -cp "$lib/*" org.apache.hadoop.hdfs.server.namenode.NameNode \
		-D fs.defaultFS=hdfs://127.0.0.1:1 -D dfs.namenode.name.dir="file://$work/name" -format -nonInteractive >"$work/log" 2>&1 &&
		"${java[@]}" -cp "$lib/*" org.apache.hadoop.crypto.key.KeyShell create zennet -size 128 \
			-provider "jceks://file$work/keys.jceks" >>"$work/log" 2>&1 ||
		{ cat "$work/log" >&2; rm -rf "$work"; exit 1; }
	mv "$work" "$made"
fi
echo "$lib"
