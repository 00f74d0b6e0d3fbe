#!/usr/bin/env bash
# Installs what Zennet needs from Debian: runc (containers), gromacs (the demo's
# job), mkfs.ext4 (scratch disks), and the tools that compressed files are compared
# with. With the argument "test" also what only tests need: Java and Maven, for a
# real Hadoop. Does nothing where all of it is there already.
set -euo pipefail

packages=(runc gromacs e2fsprogs iproute2 parallel ca-certificates bzip2 zstd lz4 python3)
[ "${1:-}" != test ] || packages+=(default-jdk-headless maven)
missing=()
for p in "${packages[@]}"; do
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing+=("$p")
done

if ! command -v go >/dev/null; then
	echo "deps: Go is missing: install Go 1.26 or newer (https://go.dev/dl) and put it in PATH" >&2
	exit 1
fi
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "deps: these Debian packages are missing; as root run:" >&2
	echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
	exit 1
fi
echo "deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() { apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; }
if ! install; then
	apt-get update >"$log" 2>&1 && install || { cat "$log" >&2; exit 1; }
fi
