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
echo "$lib"
