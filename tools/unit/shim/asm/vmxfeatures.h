/* SPDX-License-Identifier: GPL-2.0 */
#include <include/asm/vmxfeatures.h>
