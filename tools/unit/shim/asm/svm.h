/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's header also has inline functions for SEV, which nothing here calls;
 * they need not work, only compile.  Its size checks do work.
 */
#ifndef MINIKVM_SHIM_SVM_H
#define MINIKVM_SHIM_SVM_H

#include <assert.h>
#include <linux/bits.h>
#include <linux/types.h>

#define PAGE_SIZE 4096
#define __packed __attribute__((__packed__))
#define BUILD_BUG_ON(condition) static_assert(!(condition), #condition)
#define ASSERT_STRUCT_OFFSET(type, member, offset) \
	static_assert(offsetof(type, member) == (offset), #member)

static inline bool test_bit(unsigned int bit, const unsigned long *words)
{
	return words[bit / 64] >> (bit % 64) & 1;
}

static inline void __set_bit(unsigned int bit, unsigned long *words)
{
	words[bit / 64] |= 1ul << (bit % 64);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Waddress-of-packed-member"
#include <include/asm/svm.h>
#pragma GCC diagnostic pop

#endif
