// SPDX-License-Identifier: GPL-2.0
/*
 * tsc.c - the guest's time-stamp counter
 *
 * A guest reads its TSC without an exit: the hardware computes (SDM 26.3)
 *
 *	guest TSC = (host TSC * tsc_scaling_ratio >> frac_bits) + tsc_offset
 *
 * so all of TSC virtualisation is choosing these two numbers.
 *
 * The ratio follows from virtual_tsc_khz (KVM_SET_TSC_KHZ).  Without TSC scaling
 * in hardware only the host's own rate can be had, give or take what crystals
 * differ by.
 *
 * The offset changes when somebody writes the TSC:
 *
 *	the guest, by WRMSR to IA32_TSC		offset and IA32_TSC_ADJUST move
 *	the guest, to IA32_TSC_ADJUST		together (SDM 18.17.3)
 *	the VMM, by KVM_SET_MSRS of IA32_TSC	the offset alone; synchronised
 *	the VMM, of IA32_TSC_ADJUST		that MSR alone
 *	the VMM, by KVM_VCPU_TSC_OFFSET		the offset alone, exactly
 *
 * Synchronised: a VMM that restores a VM writes each vCPU's TSC in turn, with
 * values that are a little apart because time passes between the calls; but a
 * guest with several CPUs needs TSCs that agree to the cycle.  So a value within
 * a second of what the last written TSC has become by now is taken to mean "the
 * same", and gets the same offset.  So is 0, what every CPU starts with.
 *
 * Whoever changes one of the numbers tells the local APIC, whose timer may wait for
 * a deadline on this clock: kvm_apic_tsc_changed().
 *
 * Locks: a vCPU's numbers are vcpu->mutex's, and change only with the vCPU
 * loaded; the VM's record of the last write is kvm->arch.tsc_write_lock's.
 *
 * Left out: hosts whose TSC stops, jumps or differs between CPUs are served as
 * well as an offset can (a warning-free guess); the guest's clock should not be
 * its TSC there.  kvmclock is pvclock.c.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>
#include "irq.h"
#include "kvm_host.h"

/* Nearer than this to the host's rate is the host's rate, in parts per million. */
#define TSC_TOLERANCE_PPM	250

/**
 * kvm_tsc_vm_init() - a VM without a written TSC
 * @kvm:	the VM
 */
void kvm_tsc_vm_init(struct kvm *kvm)
{
	raw_spin_lock_init(&kvm->arch.tsc_write_lock);
}

static u64 tsc_ratio_one(void)
{
	return 1ULL << kvm_caps.tsc_scaling_frac_bits;
}

static u64 scale_tsc(struct kvm_vcpu *vcpu, u64 host_tsc)
{
	if (vcpu->arch.tsc_scaling_ratio == tsc_ratio_one())
		return host_tsc;
	return mul_u64_u64_shr(host_tsc, vcpu->arch.tsc_scaling_ratio,
			       kvm_caps.tsc_scaling_frac_bits);
}

/**
 * kvm_read_l1_tsc() - what the guest's TSC shows when the host's shows @host_tsc
 * @vcpu:	the vCPU
 * @host_tsc:	the host's TSC
 *
 * Return: the guest's TSC.
 */
u64 kvm_read_l1_tsc(struct kvm_vcpu *vcpu, u64 host_tsc)
{
	return scale_tsc(vcpu, host_tsc) + vcpu->arch.tsc_offset;
}

/**
 * kvm_guest_tsc_hz() - how fast the guest's TSC counts, in truth
 * @vcpu:	the vCPU
 *
 * Return: ticks a second: of the hardware, so not the rate that the VMM asked for, if
 * that was only nearly the host's.
 */
u64 kvm_guest_tsc_hz(struct kvm_vcpu *vcpu)
{
	return scale_tsc(vcpu, tsc_khz * 1000ULL);
}

static void set_tsc_offset(struct kvm_vcpu *vcpu, u64 offset)
{
	vcpu->arch.tsc_offset = offset;
	kvm_x86_ops.write_tsc_offset(vcpu);
	kvm_make_request(KVM_REQ_MASTER_CLOCK, vcpu);
}

/* ---- the rate ---- */

/* The ratio for a rate, or 0 if this host cannot do it. */
static u64 tsc_ratio_for(u32 khz)
{
	u64 slack = div_u64((u64)tsc_khz * TSC_TOLERANCE_PPM, 1000000);
	u64 ratio;

	if (khz >= tsc_khz - slack && khz <= tsc_khz + slack)
		return tsc_ratio_one();
	if (!kvm_caps.has_tsc_scaling)
		return 0;
	ratio = mul_u64_u32_div(tsc_ratio_one(), khz, tsc_khz);
	return ratio < kvm_caps.max_tsc_scaling_ratio ? ratio : 0;
}

/**
 * kvm_set_tsc_khz() - KVM_SET_TSC_KHZ on a vCPU
 * @vcpu:	the vCPU, loaded
 * @khz:	the rate that its TSC shall have; 0 for the host's
 *
 * The offset stays, so vCPUs that agreed before agree again when all have got
 * the same rate.
 *
 * Return: 0, or -EINVAL if it differs from the host's and the hardware cannot
 * scale, or not by so much.
 */
int kvm_set_tsc_khz(struct kvm_vcpu *vcpu, u32 khz)
{
	u64 ratio;

	if (!khz)
		khz = tsc_khz;
	ratio = tsc_ratio_for(khz);
	if (!ratio)
		return -EINVAL;

	vcpu->arch.virtual_tsc_khz = khz;
	vcpu->arch.tsc_scaling_ratio = ratio;
	kvm_x86_ops.write_tsc_offset(vcpu);
	kvm_make_request(KVM_REQ_MASTER_CLOCK, vcpu);
	kvm_apic_tsc_changed(vcpu);
	return 0;
}

/**
 * kvm_tsc_vcpu_create() - a vCPU's TSC ticks at its VM's rate
 * @vcpu:	the vCPU, not loaded; nothing is written to hardware yet
 *
 * Return: 0, or -EINVAL if the host cannot do the VM's rate.
 */
int kvm_tsc_vcpu_create(struct kvm_vcpu *vcpu)
{
	/* Linux may find a better number for its own rate after the VM was created. */
	u32 khz = READ_ONCE(vcpu->kvm->arch.default_tsc_khz) ?: tsc_khz;
	u64 ratio = tsc_ratio_for(khz);

	if (!ratio)
		return -EINVAL;
	vcpu->arch.virtual_tsc_khz = khz;
	vcpu->arch.tsc_scaling_ratio = ratio;
	return 0;
}

/* ---- the offset ---- */

/* The vCPU's TSC is @tsc at @now; the next VMM's write is compared with that. */
static void record_tsc_write(struct kvm_vcpu *vcpu, u64 offset, u64 tsc, u64 now)
{
	struct kvm_arch *ka = &vcpu->kvm->arch;

	lockdep_assert_held(&ka->tsc_write_lock);
	ka->last_tsc_write = tsc;
	ka->last_tsc_nsec = now;
	ka->last_tsc_khz = vcpu->arch.virtual_tsc_khz;
	ka->last_tsc_offset = offset;
	set_tsc_offset(vcpu, offset);
}

/**
 * kvm_synchronize_tsc() - the VMM writes IA32_TSC
 * @vcpu:	the vCPU, loaded
 * @tsc:	the value that it shall have about now
 */
void kvm_synchronize_tsc(struct kvm_vcpu *vcpu, u64 tsc)
{
	struct kvm_arch *ka = &vcpu->kvm->arch;
	u64 second = vcpu->arch.virtual_tsc_khz * 1000ULL;
	u64 now, passed, expected, offset;
	unsigned long flags;

	raw_spin_lock_irqsave(&ka->tsc_write_lock, flags);
	now = ktime_get_boottime_ns();
	passed = mul_u64_u32_div(now - ka->last_tsc_nsec, vcpu->arch.virtual_tsc_khz, 1000000);
	expected = ka->last_tsc_write + passed;
	offset = tsc - scale_tsc(vcpu, rdtsc());

	if (vcpu->arch.virtual_tsc_khz == ka->last_tsc_khz &&
	    (tsc == 0 || (tsc < expected + second && tsc + second > expected))) {
		if (!check_tsc_unstable())
			offset = ka->last_tsc_offset;
		else	/* the same offset would not mean the same time */
			offset += expected - tsc;
		tsc = expected;
	}
	record_tsc_write(vcpu, offset, tsc, now);
	raw_spin_unlock_irqrestore(&ka->tsc_write_lock, flags);
	kvm_apic_tsc_changed(vcpu);
}

/**
 * kvm_tsc_vcpu_reset() - IA32_TSC and IA32_TSC_ADJUST as after RESET
 * @vcpu:	the vCPU, loaded
 *
 * That is 0, or what the VM's other vCPUs, which began with 0, have reached.
 */
void kvm_tsc_vcpu_reset(struct kvm_vcpu *vcpu)
{
	vcpu->arch.ia32_tsc_adjust = 0;
	kvm_synchronize_tsc(vcpu, 0);
}

/**
 * kvm_write_tsc_as_guest() - the guest's WRMSR to IA32_TSC
 * @vcpu:	the vCPU, loaded
 * @tsc:	the value
 *
 * IA32_TSC_ADJUST shows by how much software has moved the TSC: it moves too.
 */
void kvm_write_tsc_as_guest(struct kvm_vcpu *vcpu, u64 tsc)
{
	u64 delta = tsc - kvm_read_l1_tsc(vcpu, rdtsc());

	vcpu->arch.ia32_tsc_adjust += delta;
	set_tsc_offset(vcpu, vcpu->arch.tsc_offset + delta);
	kvm_apic_tsc_changed(vcpu);
}

/**
 * kvm_write_tsc_adjust() - a write to IA32_TSC_ADJUST
 * @vcpu:	the vCPU, loaded
 * @adjust:	the value
 * @host_initiated: restored by the VMM, which restores IA32_TSC by itself
 */
void kvm_write_tsc_adjust(struct kvm_vcpu *vcpu, u64 adjust, bool host_initiated)
{
	u64 delta = adjust - vcpu->arch.ia32_tsc_adjust;

	vcpu->arch.ia32_tsc_adjust = adjust;
	if (host_initiated)
		return;
	set_tsc_offset(vcpu, vcpu->arch.tsc_offset + delta);
	kvm_apic_tsc_changed(vcpu);
}

/* KVM_VCPU_TSC_OFFSET: exactly this offset, and others may match it. */
static void set_tsc_offset_attr(struct kvm_vcpu *vcpu, u64 offset)
{
	struct kvm_arch *ka = &vcpu->kvm->arch;
	unsigned long flags;

	raw_spin_lock_irqsave(&ka->tsc_write_lock, flags);
	record_tsc_write(vcpu, offset, scale_tsc(vcpu, rdtsc()) + offset,
			 ktime_get_boottime_ns());
	raw_spin_unlock_irqrestore(&ka->tsc_write_lock, flags);
	kvm_apic_tsc_changed(vcpu);
}

/**
 * kvm_vcpu_ioctl_device_attr() - KVM_{HAS,GET,SET}_DEVICE_ATTR on a vCPU
 * @vcpu:	the vCPU, loaded
 * @ioctl:	which of them
 * @attr:	only group KVM_VCPU_TSC_CTRL, attribute KVM_VCPU_TSC_OFFSET exists
 *
 * Return: 0; -ENXIO for another attribute; -EINVAL for flags and for another
 * ioctl; -EFAULT.
 */
int kvm_vcpu_ioctl_device_attr(struct kvm_vcpu *vcpu, unsigned int ioctl,
			       const struct kvm_device_attr *attr)
{
	u64 __user *user = u64_to_user_ptr(attr->addr);
	u64 offset;

	if (attr->group != KVM_VCPU_TSC_CTRL || attr->attr != KVM_VCPU_TSC_OFFSET)
		return -ENXIO;
	if (attr->flags)
		return -EINVAL;

	switch (ioctl) {
	case KVM_HAS_DEVICE_ATTR:
		return 0;
	case KVM_GET_DEVICE_ATTR:
		return put_user(vcpu->arch.tsc_offset, user);
	case KVM_SET_DEVICE_ATTR:
		if (get_user(offset, user))
			return -EFAULT;
		set_tsc_offset_attr(vcpu, offset);
		return 0;
	default:
		return -EINVAL;
	}
}
