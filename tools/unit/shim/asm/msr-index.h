/* SPDX-License-Identifier: GPL-2.0 */
#include <include/asm/msr-index.h>
