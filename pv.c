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
 * The clock is pvclock.c's, asynchronous page faults are async_pf.c's.
 *
 * Locks: all of it is vcpu->mutex's, but pv_unhalted, which any vCPU may set.
 */
#include <linux/kvm_para.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <linux/uaccess.h>
#include <asm/apicdef.h>
#include "irq.h"
#include "kvm_host.h"

/* ---- who may use what ---- */

/* What a local APIC of ours does. */
#define NEEDS_LAPIC	(BIT(KVM_FEATURE_PV_UNHALT) | BIT(KVM_FEATURE_PV_SEND_IPI) | \
			 BIT(KVM_FEATURE_PV_EOI) | BIT(KVM_FEATURE_ASYNC_PF) | \
			 BIT(KVM_FEATURE_ASYNC_PF_INT))

/**
 * kvm_pv_supported_features() - EAX of leaf KVM_CPUID_FEATURES, as far as it works here
 */
u32 kvm_pv_supported_features(void)
{
	u32 features = BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_NOP_IO_DELAY) |
		       BIT(KVM_FEATURE_CLOCKSOURCE2) | BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT) |
		       BIT(KVM_FEATURE_PV_SCHED_YIELD) | BIT(KVM_FEATURE_POLL_CONTROL) |
		       NEEDS_LAPIC;

	if (sched_info_on())
		features |= BIT(KVM_FEATURE_STEAL_TIME) | BIT(KVM_FEATURE_PV_TLB_FLUSH);
	return features;
}

/**
 * kvm_pv_trim_cpuid() - take from a guest's CPUID what cannot work for this vCPU
 * @vcpu: the vCPU
 * @entries: the list that the VMM wants it to have
 * @nent: its length
 *
 * QEMU offers "all that is supported" also to a guest whose local APICs are QEMU's.
 */
void kvm_pv_trim_cpuid(struct kvm_vcpu *vcpu, struct kvm_cpuid_entry2 *entries, u32 nent)
{
	u32 i, base = 0, without = 0;

	if (!lapic_in_kernel(vcpu))
		without |= NEEDS_LAPIC;
	if (vcpu->kvm->arch.disabled_exits & KVM_X86_DISABLE_EXITS_HLT)
		without |= BIT(KVM_FEATURE_PV_UNHALT);
	for (i = 0; i < nent; i++)
		if (entries[i].function >> 28 == 4 && !(entries[i].function & 0xff) &&
		    !memcmp(&entries[i].ebx, KVM_SIGNATURE, 12))
			base = entries[i].function;
	for (i = 0; base && i < nent; i++)
		if (entries[i].function == (base | KVM_CPUID_FEATURES))
			entries[i].eax &= ~without;
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

/* ---- steal time ---- */

static bool steal_time_enabled(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.steal_msr & KVM_MSR_ENABLED;
}

static gpa_t steal_time_gpa(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.steal_msr & KVM_STEAL_VALID_BITS;
}

static int set_steal_time(struct kvm_vcpu *vcpu, u64 data)
{
	if (data & KVM_STEAL_RESERVED_MASK)
		return 1;
	vcpu->arch.steal_msr = data;
	vcpu->arch.steal_marked = false;
	/* What the thread waited for before is nothing that the guest lost. */
	vcpu->arch.last_run_delay = current->sched_info.run_delay;
	if (data & KVM_MSR_ENABLED)
		kvm_make_request(KVM_REQ_STEAL_UPDATE, vcpu);
	return 0;
}

/*
 * The vCPU runs again: take the mark away, and learn whether others have asked meanwhile
 * for a flush of its TLB.  An exchange, as they add their bit whenever they like.
 */
static void take_preempted_mark(struct kvm_vcpu *vcpu)
{
	gpa_t gpa = steal_time_gpa(vcpu) + offsetof(struct kvm_steal_time, preempted);
	u8 old = 0, none = 0;
	int r;

	vcpu->arch.steal_marked = false;
	do {
		r = kvm_cmpxchg_guest(vcpu->kvm, gpa, &old, &none, sizeof(old));
	} while (r == 1);
	if (!r && (old & KVM_VCPU_FLUSH_TLB))
		kvm_flush_guest_tlb(vcpu);
}

/**
 * kvm_steal_time_update() - KVM_REQ_STEAL_UPDATE: before the vCPU enters the guest
 * @vcpu: the vCPU, loaded; kvm->srcu held
 *
 * "Stolen" is the time that the vCPU's thread could have run, and did not.
 */
void kvm_steal_time_update(struct kvm_vcpu *vcpu)
{
	gpa_t gpa = steal_time_gpa(vcpu);
	gpa_t version = gpa + offsetof(struct kvm_steal_time, version);
	u64 run_delay = current->sched_info.run_delay;
	struct kvm_steal_time st;
	struct kvm *kvm = vcpu->kvm;

	if (!steal_time_enabled(vcpu))
		return;
	take_preempted_mark(vcpu);
	if (kvm_read_guest(kvm, gpa, &st, sizeof(st)))
		return;
	/* Less than before: another thread runs the vCPU. */
	if (run_delay > vcpu->arch.last_run_delay)
		st.steal += run_delay - vcpu->arch.last_run_delay;
	vcpu->arch.last_run_delay = run_delay;

	/* As with the clock: odd, the contents, even. */
	st.version = (st.version + 1) | 1;
	if (kvm_put_guest_u32(kvm, version, st.version))
		return;
	smp_wmb();	/* as in pvclock.c's write_time_info() */
	kvm_write_guest(kvm, gpa, &st.steal, sizeof(st.steal));
	smp_wmb();	/* likewise */
	kvm_put_guest_u32(kvm, version, st.version + 1);
}

/**
 * kvm_steal_time_load() - the vCPU comes to a CPU; preemption off
 * @vcpu: the vCPU
 */
void kvm_steal_time_load(struct kvm_vcpu *vcpu)
{
	if (steal_time_enabled(vcpu))
		kvm_make_request(KVM_REQ_STEAL_UPDATE, vcpu);
}

/**
 * kvm_steal_time_put() - the vCPU leaves its CPU; preemption off
 * @vcpu: the vCPU
 *
 * Tell the other vCPUs, which then do not spin for a lock of this one, and leave a note
 * instead of an IPI if its TLB is to be flushed.  That note is read at the next entry,
 * so the mark is made only where no work for the guest is half done (arch.at_rest):
 * an instruction under emulation has used translations already.  And only once: a second
 * mark would wipe the note away.
 */
void kvm_steal_time_put(struct kvm_vcpu *vcpu)
{
	gpa_t gpa = steal_time_gpa(vcpu) + offsetof(struct kvm_steal_time, preempted);
	int idx;

	if (!steal_time_enabled(vcpu) || !vcpu->arch.at_rest || vcpu->arch.steal_marked)
		return;
	idx = srcu_read_lock(&vcpu->kvm->srcu);
	if (!kvm_put_guest_u8_atomic(vcpu->kvm, gpa, KVM_VCPU_PREEMPTED))
		vcpu->arch.steal_marked = true;
	srcu_read_unlock(&vcpu->kvm->srcu, idx);
}

/* ---- PV EOI ---- */

/*
 * To write the APIC's EOI register costs an exit.  Where nothing would come of it but a
 * bit cleared in the ISR, we set bit 0 of a word that the guest shares with us, before
 * the guest is entered.  A guest that finds it set clears it instead (one instruction, as
 * we may come in between), and after the next exit, whatever its cause, we see that:
 *
 *	arch.pv_eoi_offered	the bit
 *	no			0	the guest uses the register
 *	yes			1	it may use the bit, and has not done so yet
 *	yes			0	it has: kvm_apic_eoi()
 *
 * The offer is taken back after each exit, so nobody sees an ISR that is out of date, and
 * what the VMM saves is complete.  It is made anew with the next injection.  A vector
 * that comes meanwhile, and needs the EOI to get through, kicks the vCPU out.
 */
static gpa_t pv_eoi_gpa(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.pv_eoi_msr & ~(u64)KVM_MSR_ENABLED;
}

static int set_pv_eoi(struct kvm_vcpu *vcpu, u64 data)
{
	gpa_t gpa = data & ~(u64)KVM_MSR_ENABLED;
	u32 word;

	if (!IS_ALIGNED(gpa, sizeof(word)))
		return 1;
	if (data & KVM_MSR_ENABLED && kvm_read_guest(vcpu->kvm, gpa, &word, sizeof(word)))
		return 1;
	vcpu->arch.pv_eoi_msr = data;
	return 0;
}

/**
 * kvm_pv_eoi_offer() - events are chosen: is the EOI of the one in service for us only?
 * @vcpu: loaded vCPU, about to enter the guest; kvm->srcu held, preemption off
 *
 * Without the page at hand there is no offer.
 */
void kvm_pv_eoi_offer(struct kvm_vcpu *vcpu)
{
	if (!(vcpu->arch.pv_eoi_msr & KVM_MSR_ENABLED) || !kvm_apic_eoi_is_private(vcpu))
		return;
	if (!kvm_put_guest_u8_atomic(vcpu->kvm, pv_eoi_gpa(vcpu), KVM_PV_EOI_ENABLED))
		vcpu->arch.pv_eoi_offered = true;
}

/**
 * kvm_pv_eoi_take_back() - did the guest take the offer?
 * @vcpu: loaded vCPU with arch.pv_eoi_offered, out of the guest; kvm->srcu held, may sleep
 *
 * If the memory is gone, so is the guest's knowledge of any offer.
 */
void kvm_pv_eoi_take_back(struct kvm_vcpu *vcpu)
{
	gpa_t gpa = pv_eoi_gpa(vcpu);
	u32 word;

	vcpu->arch.pv_eoi_offered = false;
	if (kvm_read_guest(vcpu->kvm, gpa, &word, sizeof(word)))
		return;
	if (word & KVM_PV_EOI_MASK)
		kvm_put_guest_u32(vcpu->kvm, gpa, word & ~(u32)KVM_PV_EOI_MASK);
	else
		kvm_apic_eoi(vcpu);
}

/* ---- MSRs ---- */

static unsigned int pv_msr_feature(u32 index)
{
	switch (index) {
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_SYSTEM_TIME:
		return KVM_FEATURE_CLOCKSOURCE;
	case MSR_KVM_STEAL_TIME:
		return KVM_FEATURE_STEAL_TIME;
	case MSR_KVM_PV_EOI_EN:
		return KVM_FEATURE_PV_EOI;
	case MSR_KVM_ASYNC_PF_EN:
		return KVM_FEATURE_ASYNC_PF;
	case MSR_KVM_ASYNC_PF_INT:
	case MSR_KVM_ASYNC_PF_ACK:
		return KVM_FEATURE_ASYNC_PF_INT;
	case MSR_KVM_POLL_CONTROL:
		return KVM_FEATURE_POLL_CONTROL;
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
	case MSR_KVM_STEAL_TIME:
		*data = vcpu->arch.steal_msr;
		return 0;
	case MSR_KVM_PV_EOI_EN:
		*data = vcpu->arch.pv_eoi_msr;
		return 0;
	case MSR_KVM_POLL_CONTROL:
		*data = vcpu->arch.poll_control;
		return 0;
	case MSR_KVM_ASYNC_PF_EN:
		*data = vcpu->arch.apf.msr_en;
		return 0;
	case MSR_KVM_ASYNC_PF_INT:
		*data = vcpu->arch.apf.vector;
		return 0;
	case MSR_KVM_ASYNC_PF_ACK:
		*data = 0;
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
	case MSR_KVM_STEAL_TIME:
		return set_steal_time(vcpu, data);
	case MSR_KVM_PV_EOI_EN:
		return set_pv_eoi(vcpu, data);
	case MSR_KVM_POLL_CONTROL:
		if (data & ~1ull)
			return 1;
		vcpu->arch.poll_control = data;
		return 0;
	case MSR_KVM_ASYNC_PF_EN:
		return kvm_async_pf_set_en(vcpu, data);
	case MSR_KVM_ASYNC_PF_INT:
		return kvm_async_pf_set_int(vcpu, data);
	case MSR_KVM_ASYNC_PF_ACK:
		kvm_async_pf_ack(vcpu, data);
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
	vcpu->arch.steal_msr = 0;
	vcpu->arch.steal_marked = false;
	vcpu->arch.pv_unhalted = false;
	vcpu->arch.pv_eoi_msr = 0;
	vcpu->arch.poll_control = 1;
}

/* ---- hypercalls ---- */

/*
 * Guests name a vCPU by its APIC ID.  That is the vCPU's id, unless the guest renumbers
 * its xAPICs; who does so has no use for these hypercalls.
 */
static struct kvm_vcpu *vcpu_by_apic_id(struct kvm *kvm, unsigned long id)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		if (vcpu->vcpu_id == id)
			return vcpu;
	return NULL;
}

/*
 * KVM_HC_KICK_CPU: end that vCPU's HLT, or its next one, if it is not there yet: it has
 * looked at the lock, and goes to sleep while we release it.
 */
static long hc_kick_cpu(struct kvm_vcpu *vcpu, unsigned long apic_id)
{
	struct kvm_vcpu *target = vcpu_by_apic_id(vcpu->kvm, apic_id);

	if (!target)
		return 0;
	WRITE_ONCE(target->arch.pv_unhalted, true);
	kvm_make_request(KVM_REQ_EVENT, target);
	kvm_vcpu_kick(target);
	kvm_vcpu_yield_to(target);
	return 0;
}

/* KVM_HC_SCHED_YIELD: what I wait for is done by that vCPU, which was preempted. */
static long hc_sched_yield(struct kvm_vcpu *vcpu, unsigned long apic_id)
{
	struct kvm_vcpu *target = vcpu_by_apic_id(vcpu->kvm, apic_id);

	if (target && target != vcpu && READ_ONCE(target->preempted))
		kvm_vcpu_yield_to(target);
	return 0;
}

/*
 * KVM_HC_SEND_IPI: one exit for many: a bitmap of APIC IDs from @min on, of 128 bits, or
 * of 64 from a 32-bit guest.  Returns to how many the interrupt is new.
 */
static long hc_send_ipi(struct kvm_vcpu *vcpu, const unsigned long *args, bool is_64_bit)
{
	unsigned int i, bits = is_64_bit ? 64 : 32;
	unsigned long n, id, min = args[2], icr = args[3];
	struct kvm_lapic_irq irq = {
		.vector = icr & APIC_VECTOR_MASK,
		.delivery_mode = icr & APIC_MODE_MASK,
		.level = icr & APIC_INT_ASSERT,
		.trig_mode = icr & APIC_INT_LEVELTRIG,
	};
	struct kvm_vcpu *target;
	long count = 0;

	if (!lapic_in_kernel(vcpu))
		return -KVM_EOPNOTSUPP;
	if (icr & (APIC_DEST_LOGICAL | APIC_DEST_ALLBUT))	/* the field of shorthands */
		return -KVM_EINVAL;
	kvm_for_each_vcpu(n, target, vcpu->kvm) {
		id = target->vcpu_id - min;
		i = id / bits;
		if (id < 2 * bits && args[i] & BIT(id % bits))
			count += kvm_apic_set_irq(target, &irq);
	}
	return count;
}

static long do_hypercall(struct kvm_vcpu *vcpu, unsigned long nr, const unsigned long *args,
			 bool is_64_bit)
{
	switch (nr) {
	case KVM_HC_VAPIC_POLL_IRQ:	/* the exit itself is what was wanted */
		return 0;
	case KVM_HC_KICK_CPU:
		return guest_pv_has(vcpu, KVM_FEATURE_PV_UNHALT) ?
		       hc_kick_cpu(vcpu, args[1]) : -KVM_ENOSYS;
	case KVM_HC_SEND_IPI:
		return guest_pv_has(vcpu, KVM_FEATURE_PV_SEND_IPI) ?
		       hc_send_ipi(vcpu, args, is_64_bit) : -KVM_ENOSYS;
	case KVM_HC_SCHED_YIELD:
		return guest_pv_has(vcpu, KVM_FEATURE_PV_SCHED_YIELD) ?
		       hc_sched_yield(vcpu, args[0]) : -KVM_ENOSYS;
	case KVM_HC_CLOCK_PAIRING:
		return is_64_bit ? kvm_pvclock_pairing(vcpu, args[0], args[1]) : -KVM_ENOSYS;
	}
	return -KVM_ENOSYS;
}

/**
 * kvm_emulate_hypercall() - VMCALL or VMMCALL
 * @vcpu: loaded vCPU; kvm->srcu held
 *
 * The number is in RAX, arguments are in RBX, RCX, RDX and RSI, the answer, in RAX, is a
 * number or one of KVM's error codes.  Only a guest's kernel may call.
 *
 * Return: 1/0/-errno of the run loop.
 */
int kvm_emulate_hypercall(struct kvm_vcpu *vcpu)
{
	const unsigned long args[] = {
		kvm_register_read(vcpu, VCPU_REGS_RBX), kvm_register_read(vcpu, VCPU_REGS_RCX),
		kvm_register_read(vcpu, VCPU_REGS_RDX), kvm_register_read(vcpu, VCPU_REGS_RSI),
	};
	unsigned long nr = kvm_register_read(vcpu, VCPU_REGS_RAX);
	long ret = -KVM_EPERM;

	vcpu->stat.hypercalls++;
	if (kvm_x86_ops.get_cpl(vcpu) == 0)
		ret = do_hypercall(vcpu, nr, args, is_64_bit_mode(vcpu));
	kvm_register_write(vcpu, VCPU_REGS_RAX, ret);
	return kvm_skip_emulated_instruction(vcpu);
}
EXPORT_SYMBOL_GPL(kvm_emulate_hypercall);
