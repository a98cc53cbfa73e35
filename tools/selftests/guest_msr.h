/* SPDX-License-Identifier: GPL-2.0 */
/*
 * guest_msr.h - a guest that reads and writes MSRs as it is told
 *
 * The test fills op through GUEST_VAR() and runs the vCPU to the next UCALL_SYNC;
 * op.vec is then the vector of the fault, or -1.
 */
#ifndef GUEST_MSR_H
#define GUEST_MSR_H

#include "minikvm_util.h"

static GUEST_DATA struct {
	u32 index;
	bool write;
	u64 val;
	int vec;
} op;

static GUEST_FN void guest_msr(void)
{
	for (;;) {
		if (op.write)
			op.vec = g_wrmsr(op.index, op.val);
		else
			op.vec = g_rdmsr(op.index, &op.val);
		g_ucall(UCALL_SYNC, op.vec, op.val);
	}
}

#endif
