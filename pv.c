// SPDX-License-Identifier: GPL-2.0
/*
 * pv.c - what a guest can do that knows it is a guest
 *
 * A guest that finds "KVMKVMKVM" in CPUID's leaf 0x40000000 learns from the next leaf
 * what its host offers besides a PC (Documentation/virt/kvm/x86/cpuid.rst): clocks,
 * counters and wishes, told by MSRs, shared memory and hypercalls.  This file owns that
 * leaf: which features exist, who may use them.
 *
 *	MSRs		msr.c's rows come to kvm_get_pv_msr() and kvm_set_pv_msr()
 *	hypercalls	VMCALL or VMMCALL exits to kvm_emulate_hypercall()
 *
 * Gates.  Old guests tried things without a look at CPUID, so what exists works for
 * every guest; unless the VMM enabled KVM_CAP_ENFORCE_PV_FEATURE_CPUID on the vCPU:
 * then a feature that the guest's CPUID does not show is not there for it (#GP,
 * KVM_ENOSYS).  The VMM itself may always get and set the MSRs.
 *
 * The clock is pvclock.c's.
 *
 * Locks: all of it is vcpu->mutex's.
 */
#include <linux/kvm_para.h>
#include <linux/uaccess.h>
#include "kvm_host.h"

/* ---- who may use what ---- */

/**
 * kvm_pv_supported_features() - EAX of leaf KVM_CPUID_FEATURES, as far as it works here
 */
u32 kvm_pv_supported_features(void)
{
	return BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_NOP_IO_DELAY) |
	       BIT(KVM_FEATURE_CLOCKSOURCE2) | BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT);
}

/* Hypervisors' leaves come in blocks of 0x100: the one that has KVM's signature. */
static u32 find_features(struct kvm_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *entry;
	u32 base;

	for (base = KVM_CPUID_SIGNATURE; base < 0x40010000; base += 0x100) {
		entry = kvm_find_cpuid_entry(vcpu, base, 0);
		if (!entry || memcmp(&entry->ebx, KVM_SIGNATURE, 12))
			continue;
		entry = kvm_find_cpuid_entry(vcpu, base | KVM_CPUID_FEATURES, 0);
		return entry ? entry->eax : 0;
	}
	return 0;
}

/**
 * kvm_pv_cpuid_changed() - the guest's CPUID is a new one
 * @vcpu: the vCPU
 */
void kvm_pv_cpuid_changed(struct kvm_vcpu *vcpu)
{
	vcpu->arch.pv_features = find_features(vcpu);
}

/**
 * kvm_vcpu_ioctl_enable_cap() - KVM_ENABLE_CAP on a vCPU
 * @vcpu: the vCPU
 * @cap: from userspace, copied
 *
 * Return: 0, or -EINVAL for a flag or another capability.
 */
int kvm_vcpu_ioctl_enable_cap(struct kvm_vcpu *vcpu, const struct kvm_enable_cap *cap)
{
	if (cap->flags || cap->cap != KVM_CAP_ENFORCE_PV_FEATURE_CPUID)
		return -EINVAL;
	vcpu->arch.pv_enforce = cap->args[0];
	return 0;
}

static bool guest_pv_has(struct kvm_vcpu *vcpu, unsigned int feature)
{
	return !vcpu->arch.pv_enforce || vcpu->arch.pv_features & BIT(feature);
}

/* ---- MSRs ---- */

static unsigned int pv_msr_feature(u32 index)
{
	switch (index) {
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_SYSTEM_TIME:
		return KVM_FEATURE_CLOCKSOURCE;
	default:
		return KVM_FEATURE_CLOCKSOURCE2;
	}
}

/**
 * kvm_get_pv_msr() - a row of msr.c's table reads one of KVM's MSRs
 * @vcpu: the vCPU, loaded
 * @index: MSR_KVM_*
 * @data: where to
 * @host: for the VMM
 *
 * Return: 0, or 1: #GP.
 */
int kvm_get_pv_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (!host && !guest_pv_has(vcpu, pv_msr_feature(index)))
		return 1;
	switch (index) {
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_WALL_CLOCK_NEW:
		*data = READ_ONCE(vcpu->kvm->arch.wall_clock);
		return 0;
	case MSR_KVM_SYSTEM_TIME:
	case MSR_KVM_SYSTEM_TIME_NEW:
		*data = vcpu->arch.system_time;
		return 0;
	}
	return 1;
}

/**
 * kvm_set_pv_msr() - likewise writes one
 * @vcpu: the vCPU, loaded; kvm->srcu held
 * @index: MSR_KVM_*
 * @data: the value
 * @host: for the VMM
 *
 * Return: 0, or 1: #GP; then nothing has changed.
 */
int kvm_set_pv_msr(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!host && !guest_pv_has(vcpu, pv_msr_feature(index)))
		return 1;
	switch (index) {
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_WALL_CLOCK_NEW:
		kvm_set_wall_clock(vcpu, data);
		return 0;
	case MSR_KVM_SYSTEM_TIME:
	case MSR_KVM_SYSTEM_TIME_NEW:
		kvm_set_system_time(vcpu, data);
		return 0;
	}
	return 1;
}

/**
 * kvm_pv_vcpu_reset() - RESET and INIT: a new kernel starts, and knows of none of it
 * @vcpu: the vCPU
 */
void kvm_pv_vcpu_reset(struct kvm_vcpu *vcpu)
{
	vcpu->arch.system_time = 0;
	vcpu->arch.clock_guest_stopped = false;
}

/* ---- hypercalls ---- */

/**
 * kvm_emulate_hypercall() - VMCALL or VMMCALL
 * @vcpu: loaded vCPU
 *
 * No hypercall is offered yet; the answer is KVM's for an unknown one.
 */
int kvm_emulate_hypercall(struct kvm_vcpu *vcpu)
{
	long ret = -KVM_ENOSYS;

	vcpu->stat.hypercalls++;
	if (kvm_x86_ops.get_cpl(vcpu) > 0)
		ret = -KVM_EPERM;
	kvm_register_write(vcpu, VCPU_REGS_RAX, ret);
	return kvm_skip_emulated_instruction(vcpu);
}
EXPORT_SYMBOL_GPL(kvm_emulate_hypercall);
