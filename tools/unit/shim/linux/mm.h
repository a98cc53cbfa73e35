/* SPDX-License-Identifier: GPL-2.0 */
/* What the MMU wants of it is in ../../kvm_shim.h. */
