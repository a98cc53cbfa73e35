// SPDX-License-Identifier: GPL-2.0
/*
 * halt.c - a vCPU that has nothing to do: polling, sleeping, waking
 *
 *	HLT			kvm_emulate_halt(): mp_state = HALTED
 *	vcpu_run()		kvm_vcpu_halt(): poll a while, then sleep
 *	an interrupt comes	kvm_vcpu_kick() -> kvm_vcpu_wake_up()
 *	vcpu_run()		mp_state = RUNNABLE, into the guest
 *
 * A vCPU that waits for INIT or SIPI sleeps as well, without polling.
 *
 * No wake-up is lost.  Who has something for the vCPU first makes it visible (a bit
 * of the IRR, a request), then wakes; the vCPU first says that it sleeps, then looks:
 *
 *	sender				vCPU thread
 *	------				-----------
 *	set the bit			task state = INTERRUPTIBLE
 *	full barrier			full barrier
 *	is somebody asleep?		is there a bit?  yes: do not sleep
 *	  yes: wake			schedule()
 *
 * rcuwait has the barriers: rcuwait_wake_up() begins with one, and
 * rcuwait_wait_event() sets the task's state with one.
 *
 * Polling.  To sleep and be woken takes longer than most waits of a busy guest, so
 * the vCPU first polls with the guest's memory still in the caches.  How long is
 * learned: a wait that was over soon after the polling ended makes it longer, a long
 * one shorter, and halt_poll_ns bounds it, or KVM_CAP_HALT_POLL for one VM.  A guest
 * that polls by itself switches ours off (MSR_KVM_POLL_CONTROL).
 *
 * The vCPU stays loaded; kvm->srcu is not held here.
 */
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/rcuwait.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>

#include "kvm_host.h"

static unsigned int halt_poll_ns = 200000;
module_param(halt_poll_ns, uint, 0644);
MODULE_PARM_DESC(halt_poll_ns, "longest time to poll before a halted vCPU sleeps, in ns; 0: never (default 200000)");

#define HALT_POLL_START_NS	10000

/* Is there a reason to be awake?  Vcpu's thread. */
static bool kvm_vcpu_may_run(struct kvm_vcpu *vcpu)
{
	return kvm_arch_vcpu_runnable(vcpu) || signal_pending(current) ||
	       test_bit(KVM_REQ_VM_DEAD, &vcpu->requests);
}

/**
 * kvm_vcpu_block() - sleep until the vCPU has something to do, or a signal comes
 * @vcpu: loaded vCPU of this thread; kvm->srcu not held
 */
void kvm_vcpu_block(struct kvm_vcpu *vcpu)
{
	vcpu->stat.halt_sleeps++;
	rcuwait_wait_event(&vcpu->wait, kvm_vcpu_may_run(vcpu), TASK_INTERRUPTIBLE);
}

/*
 * Returns true if the wait was over before the time was.  Another thread of this CPU
 * has better use for it, and may be the one that we wait for.
 */
static bool kvm_vcpu_poll(struct kvm_vcpu *vcpu, u64 start)
{
	u64 until = start + vcpu->halt_poll_ns;

	do {
		if (kvm_vcpu_may_run(vcpu))
			return true;
		cpu_relax();
	} while (single_task_running() && !need_resched() && ktime_get_ns() < until);
	return false;
}

static unsigned int kvm_vcpu_poll_limit(struct kvm_vcpu *vcpu)
{
	s64 limit = READ_ONCE(vcpu->kvm->halt_poll_limit);

	if (kvm_arch_no_poll(vcpu))
		return 0;
	return limit < 0 ? READ_ONCE(halt_poll_ns) : limit;
}

static void kvm_adapt_polling(struct kvm_vcpu *vcpu, u64 waited)
{
	unsigned int max = kvm_vcpu_poll_limit(vcpu);

	if (waited > max)
		vcpu->halt_poll_ns = 0;
	else if (waited > vcpu->halt_poll_ns)
		vcpu->halt_poll_ns = min(max, max(2 * vcpu->halt_poll_ns,
						  (unsigned int)HALT_POLL_START_NS));
	vcpu->halt_poll_ns = min(vcpu->halt_poll_ns, max);
}

/**
 * kvm_vcpu_halt() - wait as HLT does: poll, then sleep
 * @vcpu: loaded vCPU of this thread; kvm->srcu not held
 */
void kvm_vcpu_halt(struct kvm_vcpu *vcpu)
{
	u64 start = ktime_get_ns();

	if (vcpu->halt_poll_ns && kvm_vcpu_poll(vcpu, start))
		vcpu->stat.halt_poll_successes++;
	else
		kvm_vcpu_block(vcpu);
	kvm_adapt_polling(vcpu, ktime_get_ns() - start);
}

/**
 * kvm_vcpu_wake_up() - end the vCPU's sleep, if it sleeps
 * @vcpu: any vCPU
 *
 * Any context but NMI.  What it is woken for is visible already.
 *
 * Return: true if it slept.
 */
bool kvm_vcpu_wake_up(struct kvm_vcpu *vcpu)
{
	return rcuwait_wake_up(&vcpu->wait);
}
