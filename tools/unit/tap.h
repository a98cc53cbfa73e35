/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A unit test's output in TAP (Test Anything Protocol): one line per test, the
 * plan at the end.
 *
 *	int main(void)
 *	{
 *		tap_ok(add(1, 1) == 2, "1 + 1");
 *		tap_skip("no AVX on this CPU", "vector moves");
 *		return tap_done();
 *	}
 *
 * Include it in one file of a program: the counters are static.
 */
#ifndef MINIKVM_TAP_H
#define MINIKVM_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#define TAP_PRINTF(fmt, args) format(printf, fmt, args)

static unsigned int tap_count, tap_failed, tap_skipped;

/* A comment line: what a reader of a failure needs to know. */
static inline __attribute__((TAP_PRINTF(1, 2)))
void tap_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("# ", stdout);
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
}

/* One test.  Returns @ok, so that a caller can print more on failure. */
static inline __attribute__((TAP_PRINTF(2, 3)))
bool tap_ok(bool ok, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("%s %u - ", ok ? "ok" : "not ok", ++tap_count);
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
	tap_failed += !ok;
	return ok;
}

/* A test that cannot run here, and why. */
static inline __attribute__((TAP_PRINTF(2, 3)))
void tap_skip(const char *reason, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("ok %u - ", ++tap_count);
	vprintf(fmt, args);
	printf(" # SKIP %s\n", reason);
	va_end(args);
	tap_skipped++;
}

/* The plan; returns the program's exit status.  No test at all is a failure. */
static inline int tap_done(void)
{
	printf("1..%u\n", tap_count);
	tap_note("%u passed, %u failed, %u skipped",
		 tap_count - tap_failed - tap_skipped, tap_failed, tap_skipped);
	return tap_failed || !tap_count;
}

#endif /* MINIKVM_TAP_H */
