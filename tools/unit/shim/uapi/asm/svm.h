/* SPDX-License-Identifier: GPL-2.0 */
#include <include/uapi/asm/svm.h>
