// SPDX-License-Identifier: GPL-2.0
/*
 * user_return.c - MSRs that only userspace notices
 *
 * Some MSRs the host kernel itself never depends on: SYSCALL's, and TSC_AUX.  No
 * VM entry or exit of VMX switches them.  So the guest's values stay in the CPU
 * across exits until the thread returns to userspace (or another thread does,
 * on this CPU): a user-return notifier then puts the host's back.
 *
 *	vendor's set-up		kvm_add_user_return_msr(): which MSRs these are
 *	before an entry		kvm_set_user_return_msrs(): those that differ are
 *				written, and the notifier is armed
 *	return to userspace	kvm_on_user_return(): likewise, the other way
 *	virtualization off	kvm_drop_user_return_msrs()
 *
 * The list is constant after set-up.  The rest is each CPU's own: it is touched
 * with preemption off, and with interrupts off where hardware_disable()'s IPI may
 * come between.
 */
#include <linux/export.h>
#include <linux/percpu.h>
#include <linux/user-return-notifier.h>

#include "count.h"
#include "kvm_host.h"

static u32 user_return_msr[KVM_MAX_USER_RETURN_MSRS];
static unsigned int nr_user_return_msrs;

/**
 * struct kvm_user_return_msrs - the MSRs of one CPU
 * @urn:	calls kvm_on_user_return()
 * @armed:	@urn is registered
 * @host_known:	@host holds the host's values
 * @host:	which no thread's userspace ever changes
 * @current_value: what is in the CPU
 */
struct kvm_user_return_msrs {
	struct user_return_notifier urn;
	bool armed;
	bool host_known;
	u64 host[KVM_MAX_USER_RETURN_MSRS];
	u64 current_value[KVM_MAX_USER_RETURN_MSRS];
};

static DEFINE_PER_CPU(struct kvm_user_return_msrs, kvm_user_return_msrs);

/* A vendor's set-up begins: with an empty list. */
void kvm_clear_user_return_msrs(void)
{
	nr_user_return_msrs = 0;
}

/**
 * kvm_add_user_return_msr() - one more MSR, which this machine has
 * @msr: its number
 *
 * Context: hardware_setup().
 * Return: its slot; the first is 0, each next one higher.  -1 if there is no room.
 */
int kvm_add_user_return_msr(u32 msr)
{
	if (WARN_ON_ONCE(nr_user_return_msrs == KVM_MAX_USER_RETURN_MSRS))
		return -1;
	user_return_msr[nr_user_return_msrs] = msr;
	return nr_user_return_msrs++;
}
EXPORT_SYMBOL_GPL(kvm_add_user_return_msr);

static void kvm_on_user_return(struct user_return_notifier *urn)
{
	struct kvm_user_return_msrs *m = container_of(urn, struct kvm_user_return_msrs, urn);
	unsigned long flags;
	int i;

	/* hardware_disable()'s IPI may do the same at the same time. */
	local_irq_save(flags);
	if (m->armed) {
		m->armed = false;
		user_return_notifier_unregister(urn);
	}
	local_irq_restore(flags);
	for (i = 0; i < nr_user_return_msrs; i++) {
		if (m->current_value[i] == m->host[i])
			continue;
		kvm_wrmsr(user_return_msr[i], m->host[i]);
		m->current_value[i] = m->host[i];
	}
}

static void kvm_learn_host_msrs(struct kvm_user_return_msrs *m)
{
	int i;

	for (i = 0; i < nr_user_return_msrs; i++) {
		m->host[i] = kvm_rdmsr(user_return_msr[i]);
		m->current_value[i] = m->host[i];
	}
	m->host_known = true;
}

/**
 * kvm_set_user_return_msrs() - put the guest's values of some in the CPU
 * @first: slot of the first
 * @values: theirs, @values[0] for slot @first; @n of them
 * @n: how many; 0 is fine
 *
 * Context: preemption off.
 */
void kvm_set_user_return_msrs(unsigned int first, const u64 *values, unsigned int n)
{
	struct kvm_user_return_msrs *m = this_cpu_ptr(&kvm_user_return_msrs);
	unsigned int i;

	if (unlikely(!m->host_known))
		kvm_learn_host_msrs(m);
	for (i = first; i < first + n; i++) {
		if (m->current_value[i] == values[i - first])
			continue;
		kvm_wrmsr(user_return_msr[i], values[i - first]);
		m->current_value[i] = values[i - first];
		if (m->armed)
			continue;
		m->urn.on_user_return = kvm_on_user_return;
		user_return_notifier_register(&m->urn);
		m->armed = true;
	}
}
EXPORT_SYMBOL_GPL(kvm_set_user_return_msrs);

/**
 * kvm_drop_user_return_msrs() - virtualization goes off on this CPU
 *
 * Its notifier must not stay behind: the module may be unloaded next.
 *
 * Context: interrupts off.
 */
void kvm_drop_user_return_msrs(void)
{
	struct kvm_user_return_msrs *m = this_cpu_ptr(&kvm_user_return_msrs);

	if (m->armed)
		kvm_on_user_return(&m->urn);
	m->host_known = false;
}
