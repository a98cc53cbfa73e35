/* SPDX-License-Identifier: GPL-2.0 */
/* What dirty_ring.c wants of it is in ../../../kvm_shim.h. */
