# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the test host's shell scripts share: where things are kept, how one
# talks to the person watching, and which Debian kernel "6.1" or "6.12" means
# on this machine.  Sourced, never run.
#
# Everything that is built once lives in the cache, outside the tree.  Every
# cached thing is made in a temporary directory under a lock and moved into
# place when complete, so a reader either finds it whole or not at all, and
# any number of runs may share it.

set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$HERE/../.." && pwd)
CACHE=${MINIKVM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/minikvm}
export HERE TOP CACHE

# Progress goes to stderr: stdout carries a script's result.
say() { printf '[testhost] %s\n' "$*" >&2; }
die() { printf '[testhost] error: %s\n' "$*" >&2; exit 1; }

# with_lock NAME COMMAND...: one builder at a time; the others wait, and then
# find the work done.
with_lock() {
	local name=$1
	shift
	mkdir -p "$CACHE"
	(
		if ! flock -n 9; then
			say "waiting for another run to finish: $name"
			flock 9
		fi
		"$@"
	) 9>"$CACHE/.lock-${name//\//_}"
}

# cache_key FILE-OR-TEXT...: a short hash of the named files' contents and of
# every argument that is not a file.
cache_key() {
	local arg
	for arg in "$@"; do
		if [ -f "$arg" ]; then cat -- "$arg"; else printf '%s\n' "$arg"; fi
	done | sha256sum | cut -c1-12
}

# The meta package whose dependency names the kernel's full version.
headers_package() {
	case $1 in
	6.1) echo linux-headers-cloud-amd64 ;;
	6.12) echo linux-headers-6.12-cloud-amd64 ;;
	*) die "unknown kernel '$1': use 6.1 or 6.12" ;;
	esac
}

# kernel_release 6.1: e.g. 6.1.0-56-cloud-amd64.  Taken from the installed
# headers, since the modules must match the kernel they are loaded into.
kernel_release() {
	local package release
	package=$(headers_package "$1")
	release=$(dpkg-query -W -f '${Depends}\n' "$package" 2>/dev/null |
		tr ',' '\n' |
		sed -n 's/^ *linux-headers-\([^ ]*-cloud-amd64\).*/\1/p' | head -n 1)
	[ -n "$release" ] || die "package $package is missing: run tools/testhost/deps"
	echo "$release"
}

# apt_fetch PACKAGE DIRECTORY: unpacks a Debian package without installing it.
apt_fetch() {
	local package=$1 dir=$2 download
	download=$(mktemp -d "$CACHE/.deb.XXXXXX")
	say "fetching $package"
	if ! (cd "$download" &&
		apt-get -q -o APT::Sandbox::User=root download "$package") >&2; then
		rm -rf "$download"
		die "cannot fetch $package: is 'apt-get update' due?"
	fi
	dpkg -x "$download"/*.deb "$dir"
	rm -rf "$download"
}

# kernel_package RELEASE: prints the directory of the unpacked kernel package.
kernel_package() {
	local dest=$CACHE/kernel-$1
	with_lock "kernel-$1" fetch_kernel "$1" "$dest"
	echo "$dest"
}

fetch_kernel() {
	local work
	[ ! -d "$2" ] || return 0
	work=$(mktemp -d "$CACHE/.kernel.XXXXXX")
	apt_fetch "linux-image-$1" "$work"
	mv "$work" "$2"
}
