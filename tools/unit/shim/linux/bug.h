/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MINIKVM_SHIM_BUG_H
#define MINIKVM_SHIM_BUG_H

#include <assert.h>

#define WARN_ON_ONCE(condition) assert(!(condition))

#endif
