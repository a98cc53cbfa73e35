/* SPDX-License-Identifier: GPL-2.0 */
/*
 * count.h - how many VMREADs, VMWRITEs and MSR accesses an exit costs
 *
 * In a build with MINIKVM_COUNT=1 ("make bench" makes one) the accessors of
 * entry and exit count on their CPU; in any other they count nothing.  The sums
 * are files beside the other counters: see count.c.
 */
#ifndef MINIKVM_COUNT_H
#define MINIKVM_COUNT_H

#include <asm/msr.h>

#include "exports.h"

struct dentry;

#ifdef MINIKVM_COUNT_ACCESSES
#include <linux/percpu.h>

struct kvm_access_count {
	u64 vmreads, vmwrites, rdmsrs, wrmsrs;
};
DECLARE_PER_CPU(struct kvm_access_count, kvm_access_count);
#define kvm_count(what)	this_cpu_inc(kvm_access_count.what)
void kvm_count_init(struct dentry *dir);
#else
#define kvm_count(what)	do { } while (0)
static inline void kvm_count_init(struct dentry *dir) { }
#endif

/* MSR accesses of the entry and exit paths go through these, to be counted. */
static inline u64 kvm_rdmsr(u32 msr)
{
	kvm_count(rdmsrs);
	return __rdmsr(msr);
}

static inline void kvm_wrmsr(u32 msr, u64 val)
{
	kvm_count(wrmsrs);
	wrmsrl(msr, val);
}

#endif
