#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh - inside the test host, with both modules loaded: one table
#
# Runs the programs bench, bench_irq and bench_mmu beside this script on minikvm and on
# the stock module, in this order, and prints ticks of both with the ratio; with --mmu
# the last of them alone.  With --counts it prints VMREADs, VMWRITEs, RDMSRs and WRMSRs
# per exit instead, of bench alone and of a minikvm that counts them (MINIKVM_COUNT=1).
#
#   bench.sh [--counts | --mmu] [LOOPS]

dir=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

counts=
progs="bench bench_irq bench_mmu"
case ${1:-} in
--counts)
	counts=1
	shift
	;;
--mmu)
	progs=bench_mmu
	shift
	;;
esac

# run DEVICE PROGRAM [LOOPS]
run() {
	prog=$2
	MINIKVM_DEV=$1
	export MINIKVM_DEV
	shift 2
	"$dir/$prog" "$@" || exit
}

# A name may hold spaces: it takes columns 7 to 34 of a line.
if [ -n "$counts" ]; then
	run /dev/minikvm bench "$@" >"$tmp/mini"
	awk '
	BEGIN { printf "%-28s %7s %7s %7s %7s\n", "each", "vmread", "vmwrite", "rdmsr", "wrmsr" }
	{
		name = substr($0, 7, 28); n = split(substr($0, 35), f, " ")
		if (n >= 5 && f[1] ~ /^[0-9]+$/) {
			printf "%-28s %7.2f %7.2f %7.2f %7.2f\n", name, f[2], f[3], f[4], f[5]
			seen = 1
		}
	}
	END { if (!seen) { print "bench.sh: this minikvm does not count"; exit 1 } }' "$tmp/mini"
	exit
fi

for prog in $progs; do
	run /dev/minikvm "$prog" "$@" >>"$tmp/mini"
	run /dev/kvm "$prog" "$@" >>"$tmp/stock"
done
awk '
BEGIN { printf "%-28s %9s %9s %6s\n", "ticks each", "minikvm", "stock", "ratio" }
{ name = substr($0, 7, 28); sub(/ +$/, "", name); rest = substr($0, 35) }
FNR == NR { stock[name] = rest + 0; next }
rest ~ /skipped/ { printf "%-28s %s\n", name, rest; next }
stock[name] > 0 {
	printf "%-28s %9d %9d %6.2f\n", name, rest, stock[name], rest / stock[name]
	next
}
{ printf "%-28s %9d %9s %6s\n", name, rest, "-", "-" }' "$tmp/stock" "$tmp/mini"
