#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run unit-test programs, show their TAP, and end with one line of sums.
# usage: run_unit.sh PROGRAM...; programs named fuzz_* are libFuzzer targets and
# run for FUZZ_SECONDS, seeded by the program seeds_* beside them; a quarter of that
# without one.  SEED makes a run repeatable.
# Exit status: 0 only if every program ran and every test passed.

set -u

log=$(mktemp) || exit 1
corpus=$(mktemp -d) || exit 1
trap 'rm -rf "$log" "$corpus"' EXIT
passed=0 failed=0 skipped=0

run_fuzzer() {
	local program=$1 name seeds seconds=${FUZZ_SECONDS:-20} length=256

	name=$(basename "$program")
	seeds=${program/fuzz_/seeds_}
	# the seeds go to a directory of their own, findings to a scratch one
	rm -rf "${corpus:?}"/*
	mkdir -p "$corpus/new" "$corpus/seeds"
	if [ ! -x "$seeds" ]; then
		seeds=true seconds=$(((seconds + 3) / 4)) length=1500
	fi
	if "$seeds" "$corpus/seeds" &&
	   "$program" ${SEED:+-seed="$SEED"} -max_total_time="$seconds" -max_len="$length" \
		-artifact_prefix="$program-crash-" -verbosity=0 \
		-print_final_stats=1 "$corpus/new" "$corpus/seeds" \
		>"$corpus/output" 2>&1
	then
		sed -n 's/^stat::/# /p' "$corpus/output"
		echo "ok 1 - $name, $seconds s"
	else
		sed 's/^/# /' "$corpus/output"
		echo "not ok 1 - $name"
	fi
	echo "1..1"
}

# Count the lines of one program's TAP.  A program that dies before it has
# printed a plan, or fails without saying so, is a failure.
count() {
	local name=$1 status=$2 ok bad skip

	bad=$(grep -c '^not ok ' "$log")
	skip=$(grep -c '^ok .* # SKIP ' "$log")
	ok=$(($(grep -c '^ok ' "$log") - skip))
	if ! grep -q '^1\.\.' "$log" || { [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; }
	then
		echo "not ok - $name: died, status $status"
		bad=$((bad + 1))
	fi
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

for program in "$@"; do
	name=$(basename "$program")
	echo "# $name"
	case $name in
	fuzz_*) run_fuzzer "$program" ;;
	*) "$program" 2>&1 ;;
	esac | tee "$log"
	count "$name" "${PIPESTATUS[0]}"
done
skip() {
	echo "ok - $1 # SKIP $2"
	skipped=$((skipped + 1))
}

[ -z "${NO_CLANG:-}" ] || skip fuzzers "no clang here"
[ -z "${NO_ZYDIS:-}" ] || skip diff_insn_len "no libzydis-dev here"

echo "# unit tests: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
