/* SPDX-License-Identifier: GPL-2.0 */
#include <linux/bug.h>
#include <asm/msr-index.h>
#include <include/asm/vmx.h>
