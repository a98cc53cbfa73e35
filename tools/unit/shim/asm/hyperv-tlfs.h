/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MINIKVM_SHIM_HYPERV_TLFS_H
#define MINIKVM_SHIM_HYPERV_TLFS_H

/* Part of struct vmcb: only its size counts. */
struct hv_vmcb_enlightenments {
	unsigned char software[32];
};

#endif
