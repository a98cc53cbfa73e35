// SPDX-License-Identifier: GPL-2.0
/*
 * count.c - how many VMREADs, VMWRITEs, RDMSRs and WRMSRs were executed
 *
 * Only in a build with MINIKVM_COUNT=1, for "make bench": the accessors in count.h
 * and vmx.h then count on their CPU, and the sums are files beside the other
 * counters in /sys/kernel/debug/minikvm.  What set-up executes is counted too; a
 * benchmark takes differences.
 */
#include <linux/debugfs.h>
#include <linux/export.h>

#include "count.h"

DEFINE_PER_CPU(struct kvm_access_count, kvm_access_count);
EXPORT_PER_CPU_SYMBOL_GPL(kvm_access_count);

/* @data is the offset of the counter in struct kvm_access_count. */
static int kvm_count_get(void *data, u64 *val)
{
	u64 *count, sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		count = (void *)per_cpu_ptr(&kvm_access_count, cpu) + (unsigned long)data;
		sum += *count;
	}
	*val = sum;
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(kvm_count_fops, kvm_count_get, NULL, "%llu\n");

#define KVM_COUNT_FILE(dir, name)						\
	debugfs_create_file(#name, 0444, dir,					\
			    (void *)offsetof(struct kvm_access_count, name), &kvm_count_fops)

/* @dir: of the totals; the files go with it. */
void kvm_count_init(struct dentry *dir)
{
	KVM_COUNT_FILE(dir, vmreads);
	KVM_COUNT_FILE(dir, vmwrites);
	KVM_COUNT_FILE(dir, rdmsrs);
	KVM_COUNT_FILE(dir, wrmsrs);
}
