#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# run_selftests.sh - inside the test host: run selftest programs one by one
#
#   run_selftests.sh [PROGRAM...]        default: every *_test beside this script
#
# Prints each program's TAP, its exit status and its time, then one summary line.
# A program fails by its exit status, by running into its time limit (LIMIT
# seconds), by printing no plan, or by what the kernel logged meanwhile.

dir=$(cd "$(dirname "$0")" && pwd)
limit=${LIMIT:-120}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
bad='WARNING:|BUG:|Oops|general protection|lockup|unchecked MSR|refcount_t|Call Trace|kmemleak'

[ $# -gt 0 ] || set -- "$dir"/*_test
passed=0 failed=0 names=
for prog in "$@"; do
	name=$(basename "$prog")
	echo "=== $name"
	dmesg -c >/dev/null
	start=$(cut -d' ' -f1 /proc/uptime)
	timeout -s KILL "$limit" "$dir/$name" >"$out" 2>&1
	status=$?
	stop=$(cut -d' ' -f1 /proc/uptime)
	cat "$out"
	why=
	[ $status -eq 0 ] || why="exit status $status"
	grep -q '^1\.\.[1-9]' "$out" || why="$why; no test ran"
	if dmesg | grep -Eq "$bad"; then
		why="$why; the kernel complained"
		dmesg | sed 's/^/# /'
	fi
	took=$(echo "$start $stop" | awk '{ printf "%.1f", $2 - $1 }')
	ok=$(grep -c '^ok [0-9]* [^#]' "$out")
	skip=$(grep -c '^ok [0-9]* # SKIP' "$out")
	notok=$(grep -c '^not ok' "$out")
	if [ -z "$why" ]; then
		passed=$((passed + 1))
		echo "=== PASS $name: $ok ok, $skip skipped, $took s"
	else
		failed=$((failed + 1))
		names="$names $name"
		echo "=== FAIL $name: $ok ok, $skip skipped, $notok failed, $took s (${why#; })"
	fi
done
echo "=== selftests: $passed programs passed, $failed failed$names"
[ $failed -eq 0 ]
