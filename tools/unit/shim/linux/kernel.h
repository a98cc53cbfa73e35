/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MINIKVM_SHIM_KERNEL_H
#define MINIKVM_SHIM_KERNEL_H

#include <stdarg.h>
#include <stdio.h>
#include <linux/types.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Like vsnprintf, but returns what was stored. */
static inline int vscnprintf(char *buf, size_t size, const char *format, va_list args)
{
	int len = vsnprintf(buf, size, format, args);

	return (size_t)len < size ? len : (int)size - 1;
}

static inline __printf(3, 4) int scnprintf(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vscnprintf(buf, size, format, args);
	va_end(args);
	return len;
}

#endif
