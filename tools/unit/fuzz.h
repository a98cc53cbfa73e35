/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fuzzers of the interrupt controllers and timers share: bytes become
 * accesses, one after the other, and after each PROMISE() says what must hold.
 */
#ifndef MINIKVM_FUZZ_H
#define MINIKVM_FUZZ_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define PROMISE(cond) do {							\
	if (!(cond)) {								\
		fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #cond); \
		abort();							\
	}									\
} while (0)

struct input {
	const unsigned char *at;
	size_t left;
};

static inline unsigned char take_byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static inline unsigned int take_u32(struct input *in)
{
	unsigned int val = take_byte(in);

	val |= take_byte(in) << 8;
	val |= take_byte(in) << 16;
	return val | (unsigned int)take_byte(in) << 24;
}

/* The name that libFuzzer calls, in a style of its own. */
int fuzz_one_input(const unsigned char *data, size_t size)
	__asm__("LLVMFuzzerTestOneInput");

#endif
