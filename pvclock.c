// SPDX-License-Identifier: GPL-2.0
/*
 * pvclock.c - kvmclock: the time, told to a guest through its memory
 *
 * A guest could keep time by its TSC, if it knew the rate exactly, and if the
 * TSC never stopped, jumped or changed its rate.  Nobody but the host knows when it
 * does, least of all while a VM is paused or moves to another machine.  So the host
 * writes a line of a linear function into the guest's memory, for each vCPU
 * (struct pvclock_vcpu_time_info, <asm/pvclock-abi.h>),
 *
 *	time = system_time + (TSC - tsc_timestamp) * tsc_to_system_mul * 2^tsc_shift / 2^32
 *
 * and writes a new one whenever that line stops being true.  The guest reads the time
 * without an exit.  A version number, odd while the host writes, tells it to read again.
 *
 * Time is in nanoseconds; 0 is when the VM was made, or what KVM_SET_CLOCK says.  It is
 * the host's CLOCK_MONOTONIC_RAW, which NTP does not bend, plus the time that the
 * host slept, plus the VM's clock_offset.
 *
 * The master clock.  If each vCPU gets a line of its own, made at another moment,
 * the lines differ by some nanoseconds, and a guest that asks two vCPUs in turn may see
 * time go back; it must guard against that by a shared variable, which is slow.  But
 * if the host's own clock is the TSC, and all vCPUs' TSCs are the same (offset and
 * rate), then one line serves all: a pair (master_tsc, master_ns), taken once for the
 * VM.  The guest sees PVCLOCK_TSC_STABLE_BIT then, and can trust any vCPU.  The pair is
 * taken anew when any of that changes; in the meantime no vCPU may be in the guest,
 * as one would have the old line, another the new.
 *
 * How a change gets to the guest, by requests to vCPUs:
 *
 *	the host's clock becomes another	pvclock_gtod notifier, all VMs	\
 *	a vCPU's TSC is written			tsc.c				 >  REQ_MASTER_CLOCK
 *	KVM_SET_CLOCK				the VM's new offset		/	|
 *	MSR_KVM_SYSTEM_TIME is written		\				v
 *	a vCPU comes to another CPU		 >-------------> KVM_REQ_CLOCK_UPDATE:
 *	KVM_KVMCLOCK_CTRL			/		 kvm_pvclock_update()
 *
 * KVM_REQ_CLOCK_HOLD keeps vCPUs out of the guest while the VM's clock changes.
 *
 * Locks: kvm->arch.clock_lock has the VM's clock; it is inside kvm->srcu, and who
 * holds it waits for no grace period.  A vCPU's fields are vcpu->mutex's.
 *
 * Left out: the old MSRs and the new do the same (KVM takes the stable bit from a guest
 * that uses the old ones); hosts whose clock is Hyper-V's TSC page have no master clock.
 */
#include <linux/clocksource.h>
#include <linux/irq_work.h>
#include <linux/kvm_para.h>
#include <linux/ktime.h>
#include <linux/pvclock_gtod.h>
#include <linux/timekeeper_internal.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>
#include <asm/pvclock.h>
#include <asm/tsc.h>
#include "kvm_host.h"

/* ---- the host's clock ---- */

/* CLOCK_MONOTONIC_RAW with the time that the host slept, in nanoseconds. */
static u64 host_ns(void)
{
	return ktime_get_raw_ns() + ktime_to_ns(ktime_mono_to_any(0, TK_OFFS_BOOT));
}

/* What the timekeeper last told: written by its notifier alone. */
static bool host_clock_is_tsc;
static ktime_t host_slept;

/*
 * The TSC and what the clocks show at that very moment.  False: the host's clock is not
 * the TSC, and nothing is known.
 */
static bool host_snapshot(u64 *tsc, u64 *ns, u64 *realtime)
{
	struct system_time_snapshot snap;

	ktime_get_snapshot(&snap);
	smp_rmb();	/* the notifier runs before anybody can read a new clock */
	if (!READ_ONCE(host_clock_is_tsc))
		return false;
	*tsc = snap.cycles;
	*ns = ktime_to_ns(ktime_add(snap.raw, ktime_mono_to_any(0, TK_OFFS_BOOT)));
	*realtime = ktime_to_ns(snap.real);
	return true;
}

/* All lines are wrong: the clock is another one, or the TSC may have stood still. */
static void host_clock_changed(struct work_struct *work)
{
	struct kvm *kvm;

	mutex_lock(&kvm_lock);
	list_for_each_entry(kvm, &vm_list, vm_list) {
		WRITE_ONCE(kvm->arch.master_stale, true);
		kvm_make_all_cpus_request(kvm, KVM_REQ_MASTER_CLOCK);
	}
	mutex_unlock(&kvm_lock);
}

static DECLARE_WORK(host_clock_work, host_clock_changed);

/* The timekeeper's locks are held in the notifier: queue_work() could want them. */
static void queue_host_clock_work(struct irq_work *irq_work)
{
	queue_work(system_long_wq, &host_clock_work);
}

static DEFINE_IRQ_WORK(host_clock_irq_work, queue_host_clock_work);

static int host_clock_notify(struct notifier_block *nb, unsigned long was_set, void *priv)
{
	const struct timekeeper *tk = priv;
	bool is_tsc = tk->tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_TSC;

	if (is_tsc == host_clock_is_tsc && tk->offs_boot == host_slept)
		return 0;
	host_slept = tk->offs_boot;
	WRITE_ONCE(host_clock_is_tsc, is_tsc);
	irq_work_queue(&host_clock_irq_work);
	return 0;
}

static struct notifier_block host_clock_notifier = {
	.notifier_call = host_clock_notify,
};

/**
 * kvm_pvclock_init() - hear of changes of the host's clock
 *
 * Once, when the module starts; before the first VM.
 */
void kvm_pvclock_init(void)
{
	pvclock_gtod_register_notifier(&host_clock_notifier);
}

/**
 * kvm_pvclock_exit() - undo kvm_pvclock_init(); there is no VM any more
 */
void kvm_pvclock_exit(void)
{
	pvclock_gtod_unregister_notifier(&host_clock_notifier);
	irq_work_sync(&host_clock_irq_work);
	cancel_work_sync(&host_clock_work);
}

/* ---- rates ---- */

/*
 * Factors that make nanoseconds of ticks: ns = (ticks * 2^shift) * mul / 2^32.  The shift
 * brings the rate between 1 and 2 GHz, so that mul has all its 32 bits.
 */
static void ticks_to_ns_factors(u64 hz, u32 *mul, s8 *shift)
{
	u64 rate = max_t(u64, hz, 1);

	*shift = 0;
	for (; rate <= NSEC_PER_SEC; rate <<= 1)
		(*shift)++;
	for (; rate > 2 * NSEC_PER_SEC; rate >>= 1)
		(*shift)--;
	*mul = div64_u64((u64)NSEC_PER_SEC << 32, rate);
}

static u64 host_ticks_to_ns(u64 ticks)
{
	u32 mul;
	s8 shift;

	ticks_to_ns_factors(tsc_khz * 1000ULL, &mul, &shift);
	return pvclock_scale_delta(ticks, mul, shift);
}

/* ---- a VM's clock ---- */

/**
 * kvm_pvclock_vm_init() - a new VM's clock shows 0
 * @kvm: the VM
 */
void kvm_pvclock_vm_init(struct kvm *kvm)
{
	mutex_init(&kvm->arch.clock_lock);
	kvm->arch.clock_offset = -host_ns();
}

/* Do all vCPUs have the same TSC? */
static bool vcpus_share_tsc(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu, *first = kvm_get_vcpu(kvm, 0);
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (READ_ONCE(vcpu->arch.tsc_offset) != READ_ONCE(first->arch.tsc_offset) ||
		    READ_ONCE(vcpu->arch.tsc_scaling_ratio) !=
		    READ_ONCE(first->arch.tsc_scaling_ratio))
			return false;
	}
	return i > 0;
}

/* From here on no vCPU is in the guest, or enters it, until release_vcpus(); clock_lock too. */
static void hold_vcpus(struct kvm *kvm)
{
	mutex_lock(&kvm->arch.clock_lock);
	kvm_make_all_cpus_request(kvm, KVM_REQ_CLOCK_HOLD);
}

/* And whoever enters has the new clock. */
static void release_vcpus(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		kvm_make_request(KVM_REQ_CLOCK_UPDATE, vcpu);
		smp_mb__before_atomic();	/* it takes its request before it goes on */
		clear_bit(KVM_REQ_CLOCK_HOLD, &vcpu->requests);
	}
	mutex_unlock(&kvm->arch.clock_lock);
}

/* vCPUs are held.  Take the pair (TSC, ns) of the master clock, if there can be one. */
static void take_master_clock(struct kvm *kvm)
{
	struct kvm_arch *ka = &kvm->arch;
	u64 tsc, ns, realtime;
	bool master;

	lockdep_assert_held(&ka->clock_lock);
	WRITE_ONCE(ka->master_stale, false);
	master = vcpus_share_tsc(kvm) && host_snapshot(&tsc, &ns, &realtime);
	if (master) {
		ka->master_tsc = tsc;
		ka->master_ns = ns;
	}
	WRITE_ONCE(ka->master_clock, master);
}

/**
 * kvm_pvclock_wait() - KVM_REQ_CLOCK_HOLD: wait till the VM's clock has been changed
 * @vcpu: the vCPU; kvm->srcu held
 */
void kvm_pvclock_wait(struct kvm_vcpu *vcpu)
{
	mutex_lock(&vcpu->kvm->arch.clock_lock);
	mutex_unlock(&vcpu->kvm->arch.clock_lock);
}

/**
 * kvm_pvclock_check_master() - KVM_REQ_MASTER_CLOCK
 * @vcpu: the vCPU, whose TSC may have become another; kvm->srcu held
 *
 * The master clock begins or ends, or goes on as it was: a pair that is still true
 * needs no successor.
 */
void kvm_pvclock_check_master(struct kvm_vcpu *vcpu)
{
	struct kvm_arch *ka = &vcpu->kvm->arch;
	bool possible = READ_ONCE(host_clock_is_tsc) && vcpus_share_tsc(vcpu->kvm);

	kvm_make_request(KVM_REQ_CLOCK_UPDATE, vcpu);
	if (possible == READ_ONCE(ka->master_clock) && !READ_ONCE(ka->master_stale))
		return;
	hold_vcpus(vcpu->kvm);
	take_master_clock(vcpu->kvm);
	release_vcpus(vcpu->kvm);
}

/* The VM's clock at the moment, and what else KVM_GET_CLOCK tells. */
static void read_clock(struct kvm *kvm, struct kvm_clock_data *data)
{
	struct kvm_arch *ka = &kvm->arch;
	u64 ns;

	lockdep_assert_held(&ka->clock_lock);
	memset(data, 0, sizeof(*data));
	if (!ka->master_clock) {
		data->clock = host_ns() + ka->clock_offset;
		return;
	}
	data->flags = KVM_CLOCK_TSC_STABLE;
	if (host_snapshot(&data->host_tsc, &ns, &data->realtime))
		data->flags |= KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
	else
		data->host_tsc = rdtsc();
	/* What the guests themselves would compute, to the nanosecond. */
	data->clock = ka->master_ns + ka->clock_offset +
		      host_ticks_to_ns(data->host_tsc - ka->master_tsc);
}

/**
 * kvm_vm_ioctl_get_clock() - KVM_GET_CLOCK
 * @kvm: the VM
 * @data: the time in ns; flags tell whether all vCPUs show exactly this, and
 *	whether realtime and host_tsc are those of the same moment
 */
void kvm_vm_ioctl_get_clock(struct kvm *kvm, struct kvm_clock_data *data)
{
	mutex_lock(&kvm->arch.clock_lock);
	read_clock(kvm, data);
	mutex_unlock(&kvm->arch.clock_lock);
	if (!(data->flags & KVM_CLOCK_HOST_TSC))
		data->host_tsc = 0;
}

/**
 * kvm_vm_ioctl_set_clock() - KVM_SET_CLOCK
 * @kvm: the VM
 * @data: what the clock shall show; with KVM_CLOCK_REALTIME, what it should have shown at
 *	that time of day: what has passed since is added.  Other flags are as
 *	KVM_GET_CLOCK gives them, and say nothing here.
 *
 * Return: 0, or -EINVAL for a flag that KVM_GET_CLOCK does not know.
 */
int kvm_vm_ioctl_set_clock(struct kvm *kvm, const struct kvm_clock_data *data)
{
	struct kvm_arch *ka = &kvm->arch;
	u64 clock = data->clock, now;

	if (data->flags & ~(u32)KVM_PVCLOCK_FLAGS)
		return -EINVAL;
	hold_vcpus(kvm);
	take_master_clock(kvm);
	if (data->flags & KVM_CLOCK_REALTIME) {
		now = ktime_get_real_ns();
		/* A clock of the other machine that is fast must not turn this one back. */
		if (now > data->realtime)
			clock += now - data->realtime;
	}
	/* The guest's system_time is master_ns + clock_offset: never below 0. */
	ka->clock_offset = clock - (ka->master_clock ? ka->master_ns : host_ns());
	release_vcpus(kvm);
	return 0;
}

/* ---- a vCPU's line ---- */

/* How old a vCPU's line may become, without a master clock, before it drifts off. */
#define LINE_MAX_AGE_NS	NSEC_PER_SEC

/**
 * kvm_pvclock_vcpu_load() - the vCPU comes to a CPU
 * @vcpu: the vCPU; its cpu field is still the old one
 * @cpu: where to; preemption off
 */
void kvm_pvclock_vcpu_load(struct kvm_vcpu *vcpu, int cpu)
{
	if (READ_ONCE(vcpu->kvm->arch.master_clock) ||
	    !(vcpu->arch.system_time & KVM_MSR_ENABLED))
		return;
	if (vcpu->cpu != cpu || host_ns() - vcpu->arch.clock_updated_ns > LINE_MAX_AGE_NS)
		kvm_make_request(KVM_REQ_CLOCK_UPDATE, vcpu);
}

/* Where the guest wants it.  Version numbers are written by one store: they are aligned. */
static bool time_info_gpa(struct kvm_vcpu *vcpu, gpa_t *gpa)
{
	*gpa = vcpu->arch.system_time & ~(u64)KVM_MSR_ENABLED;
	return vcpu->arch.system_time & KVM_MSR_ENABLED && IS_ALIGNED(*gpa, sizeof(u32));
}

/*
 * The protocol of the version: odd, the contents, even.  If memory is not there, or is
 * taken away in the middle, that is the VMM's doing, and the guest has no clock.
 */
static void write_time_info(struct kvm_vcpu *vcpu, gpa_t gpa, struct pvclock_vcpu_time_info *info)
{
	const unsigned int head = offsetofend(struct pvclock_vcpu_time_info, version);
	struct pvclock_vcpu_time_info old;
	struct kvm *kvm = vcpu->kvm;

	if (kvm_read_guest(kvm, gpa, &old, sizeof(old)))
		return;
	info->version = (old.version + 1) | 1;
	/* "Do not be angry about the time that went by": the guest clears that itself. */
	info->flags |= old.flags & PVCLOCK_GUEST_STOPPED;
	if (vcpu->arch.clock_guest_stopped)
		info->flags |= PVCLOCK_GUEST_STOPPED;

	if (kvm_put_guest_u32(kvm, gpa, info->version))
		return;
	smp_wmb();	/* the guest reads the version before and after the rest */
	if (kvm_write_guest(kvm, gpa + head, (char *)info + head, sizeof(*info) - head))
		return;
	smp_wmb();	/* likewise */
	if (kvm_put_guest_u32(kvm, gpa, info->version + 1))
		return;
	vcpu->arch.clock_guest_stopped = false;
}

/**
 * kvm_pvclock_update() - KVM_REQ_CLOCK_UPDATE: write the vCPU's line
 * @vcpu: the vCPU, loaded; kvm->srcu held
 */
void kvm_pvclock_update(struct kvm_vcpu *vcpu)
{
	struct pvclock_vcpu_time_info info = {};
	struct kvm_arch *ka = &vcpu->kvm->arch;
	u64 tsc, ns;
	gpa_t gpa;

	if (!time_info_gpa(vcpu, &gpa))
		return;
	mutex_lock(&ka->clock_lock);
	if (ka->master_clock) {
		tsc = ka->master_tsc;
		ns = ka->master_ns;
		info.flags = PVCLOCK_TSC_STABLE_BIT;
	} else {
		local_irq_disable();	/* as close together as can be */
		tsc = rdtsc();
		ns = host_ns();
		local_irq_enable();
	}
	info.system_time = ns + ka->clock_offset;
	mutex_unlock(&ka->clock_lock);

	vcpu->arch.clock_updated_ns = ns;
	info.tsc_timestamp = kvm_read_l1_tsc(vcpu, tsc);
	ticks_to_ns_factors(kvm_guest_tsc_hz(vcpu), &info.tsc_to_system_mul, &info.tsc_shift);
	write_time_info(vcpu, gpa, &info);
}

/**
 * kvm_set_system_time() - MSR_KVM_SYSTEM_TIME, MSR_KVM_SYSTEM_TIME_NEW
 * @vcpu: the vCPU, loaded
 * @data: guest-physical address of its struct pvclock_vcpu_time_info, bit 0 to enable
 */
void kvm_set_system_time(struct kvm_vcpu *vcpu, u64 data)
{
	vcpu->arch.system_time = data;
	kvm_make_request(KVM_REQ_CLOCK_UPDATE, vcpu);
}

/**
 * kvm_set_wall_clock() - MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK_NEW
 * @vcpu: the vCPU, loaded; kvm->srcu held
 * @data: guest-physical address of a struct pvclock_wall_clock
 *
 * It tells what time of day it was when the VM's clock showed 0, as of now: when the
 * host's clock is set, only the guest that asks again learns of it.
 */
void kvm_set_wall_clock(struct kvm_vcpu *vcpu, u64 data)
{
	struct pvclock_wall_clock wc;
	struct kvm *kvm = vcpu->kvm;
	struct kvm_clock_data now;
	u64 start;
	u32 head;

	mutex_lock(&kvm->arch.clock_lock);
	kvm->arch.wall_clock = data;
	read_clock(kvm, &now);
	if (!(now.flags & KVM_CLOCK_REALTIME))
		now.realtime = ktime_get_real_ns();
	mutex_unlock(&kvm->arch.clock_lock);
	if (!data || !IS_ALIGNED(data, sizeof(u32)) ||
	    kvm_read_guest(kvm, data, &wc, sizeof(wc)))
		return;

	start = now.realtime - now.clock;
	wc.sec = div_u64_rem(start, NSEC_PER_SEC, &wc.nsec);
	wc.version = (wc.version + 1) | 1;
	head = offsetofend(struct pvclock_wall_clock, version);
	if (kvm_put_guest_u32(kvm, data, wc.version))
		return;
	smp_wmb();	/* as in write_time_info() */
	if (kvm_write_guest(kvm, data + head, (char *)&wc + head, sizeof(wc) - head))
		return;
	smp_wmb();	/* likewise */
	kvm_put_guest_u32(kvm, data, wc.version + 1);
}

/**
 * kvm_pvclock_pairing() - KVM_HC_CLOCK_PAIRING: the host's time of day and the guest's TSC
 *	of one moment, so that the guest can set its clock
 * @vcpu: the vCPU, loaded; kvm->srcu held
 * @gpa: of a struct kvm_clock_pairing
 * @type: which of the host's clocks
 *
 * Return: 0 or a KVM_E* of hypercalls.
 */
long kvm_pvclock_pairing(struct kvm_vcpu *vcpu, gpa_t gpa, unsigned long type)
{
	struct kvm_clock_pairing pairing = {};
	u64 tsc, ns, realtime;
	u32 rem;

	if (type != KVM_CLOCK_PAIRING_WALLCLOCK || !host_snapshot(&tsc, &ns, &realtime))
		return -KVM_EOPNOTSUPP;
	pairing.sec = div_u64_rem(realtime, NSEC_PER_SEC, &rem);
	pairing.nsec = rem;
	pairing.tsc = kvm_read_l1_tsc(vcpu, tsc);
	return kvm_write_guest(vcpu->kvm, gpa, &pairing, sizeof(pairing)) ? -KVM_EFAULT : 0;
}

/**
 * kvm_vcpu_ioctl_kvmclock_ctrl() - KVM_KVMCLOCK_CTRL: the VMM has paused the guest
 * @vcpu: the vCPU, loaded
 *
 * The guest's watchdogs are to overlook the gap.
 *
 * Return: 0, or -EINVAL if the guest has no kvmclock.
 */
int kvm_vcpu_ioctl_kvmclock_ctrl(struct kvm_vcpu *vcpu)
{
	if (!(vcpu->arch.system_time & KVM_MSR_ENABLED))
		return -EINVAL;
	vcpu->arch.clock_guest_stopped = true;
	kvm_make_request(KVM_REQ_CLOCK_UPDATE, vcpu);
	return 0;
}
