// SPDX-License-Identifier: GPL-2.0
/*
 * vmx_count.c - how many VMREADs, VMWRITEs, RDMSRs and WRMSRs were executed
 *
 * Only in a build with MINIKVM_COUNT=1, for "make bench": the accessors in vmx.h
 * then count on their CPU, and the sums are files beside the other counters in
 * /sys/kernel/debug/minikvm.  What set-up executes is counted too; a benchmark
 * takes differences.
 */
#include <linux/debugfs.h>

#include "vmx.h"

DEFINE_PER_CPU(struct vmx_access_count, vmx_access_count);

/* @data is the offset of the counter in struct vmx_access_count. */
static int vmx_count_get(void *data, u64 *val)
{
	u64 *count, sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		count = (void *)per_cpu_ptr(&vmx_access_count, cpu) + (unsigned long)data;
		sum += *count;
	}
	*val = sum;
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(vmx_count_fops, vmx_count_get, NULL, "%llu\n");

#define VMX_COUNT_FILE(dir, name)						\
	debugfs_create_file(#name, 0444, dir,					\
			    (void *)offsetof(struct vmx_access_count, name), &vmx_count_fops)

/* After kvm_init(), whose directory it is; kvm_exit() removes them with it. */
void vmx_count_init(void)
{
	struct dentry *dir = debugfs_lookup("minikvm", NULL);

	VMX_COUNT_FILE(dir, vmreads);
	VMX_COUNT_FILE(dir, vmwrites);
	VMX_COUNT_FILE(dir, rdmsrs);
	VMX_COUNT_FILE(dir, wrmsrs);
	dput(dir);
}
