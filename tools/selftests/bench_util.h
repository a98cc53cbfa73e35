/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bench_util.h - what the benches share: their argument, and a line of output
 *
 * Each bench is a program "PROG [LOOPS]" that runs on CPU 0 and prints a line for
 * each thing it measures, "bench NAME FIGURE", with NAME in columns 7 to 34.  bench.sh
 * puts the lines of two devices side by side.
 */
#ifndef BENCH_UTIL_H
#define BENCH_UTIL_H

#include "minikvm_util.h"

/* How often to do each thing: the argument, or this program's default. */
static inline u64 bench_start(int argc, char **argv, u64 loops)
{
	if (argc > 1)
		loops = strtoull(argv[1], NULL, 0);
	if (!loops || argc > 2) {
		fprintf(stderr, "usage: %s [LOOPS]\n", argv[0]);
		exit(2);
	}
	pin_cpu(0);
	return loops;
}

static inline void bench_line(const char *name, int64_t figure)
{
	printf("bench %-28s %10ld\n", name, figure);
	fflush(stdout);
}

static inline void bench_skip(const char *name, const char *why)
{
	printf("bench %-28s skipped: %s\n", name, why);
	fflush(stdout);
}

#endif
