/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel's headers and the pure cores expect of <linux/types.h>, for
 * userspace.  The files beside this one do the same for their names; those under
 * asm/ fetch the one kernel header that is meant (-I KERNEL/arch/x86) without
 * letting all others shadow the C library's.
 */
#ifndef MINIKVM_SHIM_TYPES_H
#define MINIKVM_SHIM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include_next <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;

#define __printf(a, b) __attribute__((__format__(__printf__, a, b)))
#define __aligned(n) __attribute__((__aligned__(n)))

#endif
