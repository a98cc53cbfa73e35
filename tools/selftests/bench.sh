#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh - inside the test host, with both modules loaded: one table
#
# Runs the bench program beside this script on minikvm and on the stock module, in
# this order, and prints ticks of both with the ratio; with a minikvm that counts
# (MINIKVM_COUNT=1), VMREADs, VMWRITEs, RDMSRs and WRMSRs per exit as well.
#
#   bench.sh [LOOPS]

dir=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

MINIKVM_DEV=/dev/minikvm "$dir/bench" "$@" >"$tmp/mini" || exit
if [ -c /dev/kvm ] && [ ! -L /dev/kvm ]; then
	MINIKVM_DEV=/dev/kvm "$dir/bench" "$@" >"$tmp/stock" || exit
else
	echo "bench.sh: no stock /dev/kvm here, no comparison" >&2
	: >"$tmp/stock"
fi

# A name may hold spaces: it takes columns 7 to 34.
awk '
BEGIN {
	printf "%-28s %9s %9s %6s  %s\n", "ticks each", "minikvm", "stock", "ratio", \
		"vmread vmwrite rdmsr wrmsr"
}
{ name = substr($0, 7, 28); sub(/ +$/, "", name); rest = substr($0, 35) }
FNR == NR { stock[name] = rest + 0; next }
rest ~ /skipped/ { printf "%-28s %s\n", name, rest; next }
{
	n = split(rest, f, " ")
	if (name in stock && stock[name] > 0)
		printf "%-28s %9d %9d %6.2f", name, f[1], stock[name], f[1] / stock[name]
	else
		printf "%-28s %9d %9s %6s", name, f[1], "-", "-"
	if (n >= 5)
		printf "  %6.2f %7.2f %5.2f %5.2f", f[2], f[3], f[4], f[5]
	printf "\n"
}' "$tmp/stock" "$tmp/mini"
