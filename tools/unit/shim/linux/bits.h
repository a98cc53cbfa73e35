/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MINIKVM_SHIM_BITS_H
#define MINIKVM_SHIM_BITS_H

#define BIT(n) (1ul << (n))
#define BIT_ULL(n) (1ull << (n))
#define GENMASK(high, low) ((~0ul << (low)) & (~0ul >> (63 - (high))))
#define GENMASK_ULL(high, low) ((~0ull << (low)) & (~0ull >> (63 - (high))))

#endif
