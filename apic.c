// SPDX-License-Identifier: GPL-2.0
/*
 * apic.c - the local APIC of a vCPU: lapic.c bound to KVM
 *
 * lapic.c knows what a register means; this file gives it a page, a clock and a
 * timer, and does what it asks for:
 *
 *	the guest writes a register	kvm_apic_mmio_write(), kvm_x2apic_msr_write()
 *	  lapic_write()			says what follows from it
 *	  apic_do_effects()		does it
 *
 *	somebody sends an interrupt	kvm_irq_delivery_to_apic()
 *	  apic_map, or all vCPUs	whom does the message name?
 *	  kvm_apic_set_irq()		IRR, request, kick
 *
 *	the vCPU enters the guest	kvm_apic_has_interrupt(), kvm_apic_ack_interrupt()
 *
 * Sending needs no lock: any thread, and any interrupt, may post a bit in the IRR of
 * any vCPU.  Nothing is lost between it and the vCPU:
 *
 *	sender				vCPU thread
 *	------				-----------
 *	set the IRR's bit		mode = IN_GUEST_MODE
 *	set KVM_REQ_EVENT		full barrier
 *	full barrier			any request?  yes: do not enter; take the
 *	mode == IN_GUEST_MODE?		request, full barrier, read the IRR
 *	  yes: IPI
 *
 * The right and the lower left are kvm_vcpu_kick()'s: the vCPU sees the request before
 * it enters, or the sender sees it inside and gets it out.  And who takes the request
 * sees the bit, for it was set before.  One who finds the bit set already leaves the
 * rest to him who has set it.  A vCPU that sleeps in HLT is halt.c's variant.
 *
 * The map.  kvm->arch.apic_map, by RCU, says which vCPU has which ID.  It is only a short
 * cut: what it cannot answer for sure (broadcast, two CPUs with one ID, flat and
 * cluster mode mixed, an ID that is not there) is asked of every APIC in turn.
 *
 * The timer is an hrtimer.  Its interrupt sets timer_pending and makes a request;
 * the vCPU's thread delivers the LVT's interrupt.  For the TSC deadline it may be a
 * little early, as clocks differ; then it is set again for the rest.
 *
 * NMIs: any thread counts nmi_queued up, and the vCPU's thread moves what it takes to
 * nmi_pending.
 *
 * Locks: apic_map_lock (a mutex, innermost) to change the map.  All else is the vCPU's
 * thread's, but for IRR, TMR, pending_events, timer_pending, which are atomic.
 *
 * Hardware that delivers interrupts by itself (arch.apicv_active) works on the same page
 * of registers while the guest runs.  Senders then post to lapic.pir, and what hardware
 * needs to know is told before an entry: kvm_apic_get_apicv().
 *
 * Left out: SMI; interrupts posted to a CPU that is in the guest, without an exit.
 */
#include <linux/export.h>
#include <linux/hrtimer.h>
#include <linux/kvm.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <asm/apicdef.h>
#include <asm/tsc.h>

#include "irq.h"
#include "kvm_host.h"
#include "lapic.h"

/* Bits of pending_events. */
enum { APIC_EVENT_INIT, APIC_EVENT_SIPI };

/**
 * struct kvm_lapic - a vCPU's local APIC
 * @core:	registers and rules
 * @vcpu:	whose
 * @timer:	the host's timer behind the guest's
 * @timer_period: for @timer's interrupt, in ns; 0: it fires once
 * @timer_pending: it has fired, and the interrupt is still to be delivered
 * @pending_events: INIT and SIPI that wait
 * @sipi_vector: where the CPU starts; of the last SIPI
 */
struct kvm_lapic {
	struct lapic core;
	struct kvm_vcpu *vcpu;
	struct hrtimer timer;
	u64 timer_period;
	atomic_t timer_pending;
	unsigned long pending_events;
	u8 sipi_vector;
};

static_assert(LAPIC_PAGE_SIZE == KVM_APIC_REG_SIZE);

/* ---- the timer ---- */

/* Interrupt context. */
static enum hrtimer_restart apic_timer_fn(struct hrtimer *timer)
{
	struct kvm_lapic *apic = container_of(timer, struct kvm_lapic, timer);

	atomic_set(&apic->timer_pending, 1);
	kvm_make_request(KVM_REQ_APIC_TIMER, apic->vcpu);
	kvm_vcpu_kick(apic->vcpu);
	if (!apic->timer_period)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(apic->timer_period));
	return HRTIMER_RESTART;
}

static void apic_start_hrtimer(struct kvm_lapic *apic, u64 when)
{
	hrtimer_start(&apic->timer, min_t(u64, when, KTIME_MAX), HRTIMER_MODE_ABS_HARD);
}

static void apic_start_deadline(struct kvm_lapic *apic)
{
	struct kvm_vcpu *vcpu = apic->vcpu;
	u64 deadline = apic->core.tsc_deadline;
	u64 tsc = kvm_read_l1_tsc(vcpu, rdtsc());

	if (!deadline)
		return;
	if (tsc < deadline) {
		apic_start_hrtimer(apic, ktime_get_ns() +
				   lapic_tsc_to_ns(deadline - tsc, vcpu->arch.virtual_tsc_khz));
		return;
	}
	atomic_set(&apic->timer_pending, 1);
	kvm_make_request(KVM_REQ_APIC_TIMER, vcpu);
}

/* The guest's timer has changed: the host's follows.  vCPU's thread. */
static void apic_set_timer(struct kvm_lapic *apic)
{
	hrtimer_cancel(&apic->timer);
	atomic_set(&apic->timer_pending, 0);
	apic->timer_period = 0;
	if (lapic_timer_deadline(&apic->core)) {
		apic_start_deadline(apic);
	} else if (apic->core.timer.armed) {
		if (lapic_timer_periodic(&apic->core))
			apic->timer_period = apic->core.timer.period;
		apic_start_hrtimer(apic, apic->core.timer.target);
	}
}

bool kvm_apic_timer_pending(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.apic && atomic_read(&vcpu->arch.apic->timer_pending);
}

/* A source of this CPU itself: its LVT says what becomes of it. */
static void apic_local_deliver(struct kvm_lapic *apic, unsigned int lvt_reg)
{
	u32 lvt = lapic_get(&apic->core, lvt_reg);
	struct kvm_lapic_irq irq = {
		.vector = lvt & APIC_VECTOR_MASK,
		.delivery_mode = lvt & APIC_DM_FIXED_MASK,
		.trig_mode = !!(lvt & APIC_LVT_LEVEL_TRIGGER),
		.level = true,
	};

	if (READ_ONCE(apic->core.mode) != LAPIC_DISABLED && !(lvt & APIC_LVT_MASKED))
		kvm_apic_set_irq(apic->vcpu, &irq);
}

/**
 * kvm_apic_inject_pending_timer() - the timer has fired: deliver its interrupt
 * @vcpu: loaded vCPU
 */
void kvm_apic_inject_pending_timer(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic *apic = vcpu->arch.apic;

	if (!apic || !atomic_xchg(&apic->timer_pending, 0))
		return;
	if (lapic_timer_deadline(&apic->core)) {
		if (kvm_read_l1_tsc(vcpu, rdtsc()) < apic->core.tsc_deadline) {
			apic_start_deadline(apic);	/* too early */
			return;
		}
		apic->core.tsc_deadline = 0;
	}
	apic_local_deliver(apic, APIC_LVTT);
}

/**
 * kvm_apic_get_tscdeadline() - read IA32_TSC_DEADLINE
 * @vcpu: loaded vCPU
 *
 * Return: the guest TSC at which the timer will fire; 0: it is not armed.
 */
u64 kvm_apic_get_tscdeadline(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic *apic = vcpu->arch.apic;

	return apic && lapic_timer_deadline(&apic->core) ? apic->core.tsc_deadline : 0;
}

/**
 * kvm_apic_set_tscdeadline() - write IA32_TSC_DEADLINE
 * @vcpu: loaded vCPU
 * @data: guest TSC, 0 to disarm; ignored unless the timer is in that mode (11.5.4.1)
 */
void kvm_apic_set_tscdeadline(struct kvm_vcpu *vcpu, u64 data)
{
	struct kvm_lapic *apic = vcpu->arch.apic;

	if (!apic || !lapic_timer_deadline(&apic->core))
		return;
	apic->core.tsc_deadline = data;
	apic_set_timer(apic);
}

/**
 * kvm_apic_tsc_changed() - the guest's TSC has jumped: a deadline is elsewhere
 * @vcpu: loaded vCPU, with or without a local APIC of ours; no spinlock held
 */
void kvm_apic_tsc_changed(struct kvm_vcpu *vcpu)
{
	if (kvm_apic_get_tscdeadline(vcpu))
		apic_set_timer(vcpu->arch.apic);
}

/* ---- who has which ID ---- */

enum apic_map_logical { APIC_MAP_EMPTY, APIC_MAP_FLAT, APIC_MAP_CLUSTER, APIC_MAP_X2APIC,
			APIC_MAP_MIXED };

/**
 * struct kvm_apic_map - the short cut from a destination to its vCPUs
 * @rcu:	to free it
 * @usable:	no two vCPUs have the same physical ID
 * @mode:	how all of them read a logical destination
 * @logical:	xAPIC: flat: a vCPU for each bit; cluster: 4 for each cluster.  (In x2APIC
 *		mode a logical ID says the physical one: @phys will do)
 * @max_id:	last index of @phys
 * @phys:	by physical ID
 */
struct kvm_apic_map {
	struct rcu_head rcu;
	bool usable;
	enum apic_map_logical mode;
	struct kvm_vcpu *logical[64];
	u32 max_id;
	struct kvm_vcpu *phys[];
};

static void apic_map_add_id(struct kvm_apic_map *map, u32 id, struct kvm_vcpu *vcpu)
{
	if (id > map->max_id || (map->phys[id] && map->phys[id] != vcpu))
		map->usable = false;
	else
		map->phys[id] = vcpu;
}

static enum apic_map_logical apic_logical_mode(const struct lapic *l)
{
	if (l->mode == LAPIC_X2APIC)
		return APIC_MAP_X2APIC;
	return lapic_get(l, APIC_DFR) == APIC_DFR_FLAT ? APIC_MAP_FLAT :
	       lapic_get(l, APIC_DFR) == APIC_DFR_CLUSTER ? APIC_MAP_CLUSTER : APIC_MAP_MIXED;
}

static void apic_map_add_logical(struct kvm_apic_map *map, struct kvm_vcpu *vcpu)
{
	const struct lapic *l = &vcpu->arch.apic->core;
	enum apic_map_logical mode = apic_logical_mode(l);
	unsigned long bits = lapic_get(l, APIC_LDR) >> 24;
	unsigned int base = 0, bit;

	if (map->mode == APIC_MAP_EMPTY)
		map->mode = mode;
	else if (map->mode != mode)
		map->mode = APIC_MAP_MIXED;
	if (map->mode != APIC_MAP_FLAT && map->mode != APIC_MAP_CLUSTER)
		return;
	if (mode == APIC_MAP_CLUSTER) {
		base = bits >> 4 << 2;
		bits &= 0xf;
	}
	for_each_set_bit(bit, &bits, 8) {
		if (map->logical[base + bit])
			map->mode = APIC_MAP_MIXED;	/* two share a bit */
		map->logical[base + bit] = vcpu;
	}
}

static void apic_map_add(struct kvm_apic_map *map, struct kvm_vcpu *vcpu)
{
	const struct lapic *l = &vcpu->arch.apic->core;

	if (READ_ONCE(l->mode) == LAPIC_DISABLED)
		return;
	if (l->mode == LAPIC_XAPIC)
		apic_map_add_id(map, lapic_get(l, APIC_ID) >> 24, vcpu);
	if (l->mode == LAPIC_X2APIC || l->id > 0xff)	/* see lapic_matches() */
		apic_map_add_id(map, l->id, vcpu);
	apic_map_add_logical(map, vcpu);
}

/* NULL: no memory. */
static struct kvm_apic_map *apic_map_build(struct kvm *kvm)
{
	struct kvm_apic_map *map;
	struct kvm_vcpu *vcpu;
	u32 max_id = 0xff;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		max_id = max_t(u32, max_id, vcpu->vcpu_id);
	map = kvzalloc(struct_size(map, phys, max_id + 1), GFP_KERNEL_ACCOUNT);
	if (!map)
		return NULL;
	map->max_id = max_id;
	map->usable = true;
	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (vcpu->arch.apic)
			apic_map_add(map, vcpu);
	}
	return map;
}

static void apic_map_replace(struct kvm *kvm, struct kvm_apic_map *map)
{
	struct kvm_apic_map *old;

	old = rcu_replace_pointer(kvm->arch.apic_map, map,
				  lockdep_is_held(&kvm->arch.apic_map_lock));
	if (old)
		kvfree_rcu(old, rcu);
}

/*
 * An ID, a logical ID or a mode has changed.  Who has delivered by the old map so far
 * did so before the change.  Each vCPU asks again which EOIs are of interest: that
 * depends on who is named by the I/O APIC's pins.
 */
static void apic_map_update(struct kvm *kvm)
{
	mutex_lock(&kvm->arch.apic_map_lock);
	apic_map_replace(kvm, apic_map_build(kvm));
	mutex_unlock(&kvm->arch.apic_map_lock);
	kvm_make_all_cpus_request(kvm, KVM_REQ_SCAN_IOAPIC);
}

/**
 * kvm_apic_vm_init() - a VM without APICs
 * @kvm: the VM
 */
void kvm_apic_vm_init(struct kvm *kvm)
{
	mutex_init(&kvm->arch.apic_map_lock);
}

/**
 * kvm_apic_vm_destroy() - free the map and the APIC-access page
 * @kvm: the VM; nobody delivers interrupts any more, and no vCPU is left
 */
void kvm_apic_vm_destroy(struct kvm *kvm)
{
	mutex_lock(&kvm->arch.apic_map_lock);
	apic_map_replace(kvm, NULL);
	mutex_unlock(&kvm->arch.apic_map_lock);
	if (kvm->arch.apic_access_page)
		free_page((unsigned long)__va(kvm->arch.apic_access_page));
}

/* ---- delivery ---- */

/* Somebody has set a bit in the vCPU's IRR. */
static void apic_notify(struct kvm_vcpu *vcpu)
{
	kvm_make_request(KVM_REQ_EVENT, vcpu);
	kvm_vcpu_kick(vcpu);
}

static int apic_accept_fixed(struct kvm_lapic *apic, const struct kvm_lapic_irq *irq)
{
	if (!lapic_sw_enabled(&apic->core))
		return 0;
	if (irq->vector < 16) {
		if (lapic_error(&apic->core, LAPIC_ESR_RECV_ILLEGAL))
			apic_notify(apic->vcpu);
		return 0;
	}
	if (!lapic_set_irr(&apic->core, irq->vector, irq->trig_mode))
		return 0;
	apic_notify(apic->vcpu);
	return 1;
}

static int apic_accept_init(struct kvm_lapic *apic)
{
	/* What a SIPI before it has asked for is forgotten. */
	xchg(&apic->pending_events, BIT(APIC_EVENT_INIT));
	apic_notify(apic->vcpu);
	return 1;
}

static int apic_accept_sipi(struct kvm_lapic *apic, u8 vector)
{
	WRITE_ONCE(apic->sipi_vector, vector);
	smp_wmb();	/* before the bit; kvm_apic_accept_events() has the other half */
	set_bit(APIC_EVENT_SIPI, &apic->pending_events);
	apic_notify(apic->vcpu);
	return 1;
}

/**
 * kvm_apic_set_irq() - deliver a message to one vCPU, whomever it names
 * @vcpu: the vCPU
 * @irq: the message
 *
 * Any context but NMI.
 *
 * Return: 1, or 0 if it waited already or the APIC does not take it.
 */
int kvm_apic_set_irq(struct kvm_vcpu *vcpu, const struct kvm_lapic_irq *irq)
{
	struct kvm_lapic *apic = vcpu->arch.apic;

	if (!apic)
		return 0;
	switch (irq->delivery_mode) {
	case APIC_DM_FIXED:
	case APIC_DM_LOWEST:
		return apic_accept_fixed(apic, irq);
	case APIC_DM_NMI:
		kvm_inject_nmi(vcpu);
		return 1;
	case APIC_DM_INIT:	/* its level-triggered de-assert does nothing */
		return irq->trig_mode && !irq->level ? 0 : apic_accept_init(apic);
	case APIC_DM_STARTUP:
		return apic_accept_sipi(apic, irq->vector);
	}
	/* SMI: there is no SMM.  ExtINT: the PIC's, see kvm_apic_accept_pic_intr(). */
	return 0;
}

static bool is_lowest_priority(const struct kvm_lapic_irq *irq)
{
	return irq->delivery_mode == APIC_DM_LOWEST || irq->msi_redir_hint;
}

/* The most that one logical destination can name: an x2APIC cluster. */
#define APIC_MAX_TARGETS	16

struct apic_targets {
	unsigned int n;
	struct kvm_vcpu *vcpu[APIC_MAX_TARGETS];
};

static bool apic_map_target(struct kvm_apic_map *map, u32 id, struct apic_targets *t)
{
	struct kvm_vcpu *vcpu;

	if (id > map->max_id)
		return false;
	vcpu = map->phys[array_index_nospec(id, map->max_id + 1)];
	if (!vcpu)
		return false;
	t->vcpu[t->n++] = vcpu;
	return true;
}

static bool apic_map_logical(struct kvm_apic_map *map, u32 dest, struct apic_targets *t)
{
	unsigned long bits = dest;
	unsigned int base = 0, bit;

	switch (map->mode) {
	case APIC_MAP_X2APIC:
		bits &= 0xffff;
		for_each_set_bit(bit, &bits, 16) {
			if (!apic_map_target(map, (dest >> 16 << 4) + bit, t))
				return false;
		}
		return true;
	case APIC_MAP_CLUSTER:
		base = (dest >> 4 & 0xf) << 2;
		bits &= 0xf;
		fallthrough;
	case APIC_MAP_FLAT:
		if (dest > 0xff)
			return false;
		for_each_set_bit(bit, &bits, 8) {
			t->vcpu[t->n] = map->logical[base + bit];
			if (!t->vcpu[t->n++])
				return false;
		}
		return true;
	default:
		return false;
	}
}

/* Whom does it name?  False: the map does not know. */
static bool apic_map_lookup(struct kvm_apic_map *map, const struct kvm_lapic_irq *irq,
			    struct apic_targets *t)
{
	t->n = 0;
	if (!map || !map->usable || irq->shorthand || irq->dest_id == 0xff ||
	    irq->dest_id == ~0u)
		return false;
	if (irq->dest_mode == APIC_DEST_LOGICAL)
		return apic_map_logical(map, irq->dest_id, t);
	return apic_map_target(map, irq->dest_id, t);
}

/*
 * Lowest priority: any one will do.  The vector chooses, so that it finds the caches
 * of one CPU warm each time; vectors spread.  Returns an index below @n.
 */
static unsigned int apic_choose(const struct kvm_lapic_irq *irq, unsigned int n)
{
	return irq->vector % n;
}

static int apic_deliver_to_targets(const struct apic_targets *t, const struct kvm_lapic_irq *irq)
{
	struct apic_targets enabled = { .n = 0 };
	unsigned int i;
	int r = 0;

	if (!t->n)
		return -1;
	if (!is_lowest_priority(irq)) {
		for (i = 0; i < t->n; i++)
			r += kvm_apic_set_irq(t->vcpu[i], irq);
		return r;
	}
	for (i = 0; i < t->n; i++) {
		if (lapic_sw_enabled(&t->vcpu[i]->arch.apic->core))
			enabled.vcpu[enabled.n++] = t->vcpu[i];
	}
	return enabled.n ? kvm_apic_set_irq(enabled.vcpu[apic_choose(irq, enabled.n)], irq) : -1;
}

/* By ID, logical ID or broadcast. */
static bool apic_matches(struct kvm_vcpu *vcpu, bool ipi, const struct kvm_lapic_irq *irq)
{
	return lapic_matches(&vcpu->arch.apic->core, irq, ipi,
			     !READ_ONCE(vcpu->kvm->arch.x2apic_broadcast_quirk_disabled));
}

static bool apic_is_named(struct kvm_vcpu *vcpu, struct kvm_vcpu *src,
			  const struct kvm_lapic_irq *irq)
{
	if (!vcpu->arch.apic)
		return false;
	switch (irq->shorthand) {
	case APIC_DEST_NOSHORT:
		return apic_matches(vcpu, src, irq);
	case APIC_DEST_ALLBUT:
		if (vcpu == src)
			return false;
		fallthrough;
	default:
		return READ_ONCE(vcpu->arch.apic->core.mode) != LAPIC_DISABLED;
	}
}

/**
 * kvm_apic_match_dest() - does a device's message name this vCPU?
 * @vcpu: the vCPU
 * @irq: the message; for lowest priority: could it be this one?
 *
 * Any context.
 */
bool kvm_apic_match_dest(struct kvm_vcpu *vcpu, const struct kvm_lapic_irq *irq)
{
	return vcpu->arch.apic && apic_matches(vcpu, false, irq);
}

/* The long way: ask each. */
static int apic_deliver_to_all(struct kvm *kvm, struct kvm_vcpu *src,
			       const struct kvm_lapic_irq *irq)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	int r = -1;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (!apic_is_named(vcpu, src, irq))
			continue;
		r = max(r, 0) + kvm_apic_set_irq(vcpu, irq);
	}
	return r;
}

static int apic_deliver_to_one(struct kvm *kvm, struct kvm_vcpu *src,
			       const struct kvm_lapic_irq *irq)
{
	struct kvm_vcpu *vcpu, *chosen = NULL;
	unsigned int n = 0, nth = 0;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		n += apic_is_named(vcpu, src, irq) && lapic_sw_enabled(&vcpu->arch.apic->core);
	if (!n)
		return -1;
	nth = apic_choose(irq, n);
	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (!apic_is_named(vcpu, src, irq) || !lapic_sw_enabled(&vcpu->arch.apic->core))
			continue;
		chosen = vcpu;		/* the last one, if some have gone meanwhile */
		if (!nth--)
			break;
	}
	return chosen ? kvm_apic_set_irq(chosen, irq) : -1;
}

/**
 * kvm_irq_delivery_to_apic() - deliver a message to all vCPUs that it names
 * @kvm: the VM
 * @src: whose ICR it comes from; NULL: an I/O APIC or MSI
 * @irq: the message
 *
 * Any context but NMI.
 *
 * Return: to how many it is new; 0: all had it already, or do not take it; -1: it
 * names none.
 */
int kvm_irq_delivery_to_apic(struct kvm *kvm, struct kvm_vcpu *src,
			     const struct kvm_lapic_irq *irq)
{
	struct apic_targets targets;
	bool known;

	if (irq->shorthand == APIC_DEST_SELF)
		return src ? kvm_apic_set_irq(src, irq) : -1;

	rcu_read_lock();
	known = apic_map_lookup(rcu_dereference(kvm->arch.apic_map), irq, &targets);
	rcu_read_unlock();
	/* The vCPUs live as long as the VM. */
	if (known)
		return apic_deliver_to_targets(&targets, irq);
	return is_lowest_priority(irq) ? apic_deliver_to_one(kvm, src, irq) :
					 apic_deliver_to_all(kvm, src, irq);
}

/**
 * kvm_apic_local_deliver_nmi_wd() - the PIT's output at every LINT0
 * @kvm: the VM
 *
 * Old guests set LINT0 to NMI and use the PIT as a watchdog.  Any context but NMI.
 */
void kvm_apic_local_deliver_nmi_wd(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (vcpu->arch.apic)
			apic_local_deliver(vcpu->arch.apic, APIC_LVT0);
	}
}

/* ---- NMI, INIT, SIPI ---- */

/**
 * kvm_inject_nmi() - an NMI for this vCPU
 * @vcpu: the vCPU, with or without a local APIC of ours
 *
 * Any context but NMI.
 */
void kvm_inject_nmi(struct kvm_vcpu *vcpu)
{
	atomic_inc(&vcpu->arch.nmi_queued);
	kvm_make_request(KVM_REQ_NMI, vcpu);
	kvm_vcpu_kick(vcpu);
}

/**
 * kvm_process_nmi() - take what has been queued: KVM_REQ_NMI
 * @vcpu: loaded vCPU
 *
 * One NMI can be pending while another is handled; hardware latches no more.
 */
void kvm_process_nmi(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_arch *arch = &vcpu->arch;
	unsigned int queued = atomic_xchg(&arch->nmi_queued, 0);
	bool busy = arch->nmi_injected || kvm_x86_ops.get_nmi_mask(vcpu);

	arch->nmi_pending = min(arch->nmi_pending + min(queued, 2u), busy ? 1u : 2u);
	kvm_make_request(KVM_REQ_EVENT, vcpu);
}

bool kvm_apic_has_events(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.apic && READ_ONCE(vcpu->arch.apic->pending_events);
}

void kvm_apic_set_pending_sipi(struct kvm_vcpu *vcpu)
{
	set_bit(APIC_EVENT_SIPI, &vcpu->arch.apic->pending_events);
}

void kvm_apic_set_sipi_vector(struct kvm_vcpu *vcpu, u8 vector)
{
	if (vcpu->arch.apic)
		WRITE_ONCE(vcpu->arch.apic->sipi_vector, vector);
}

/* Real mode at 000VV000H (SDM 9.4.4.2); all else is as INIT has left it. */
static void apic_start_at(struct kvm_vcpu *vcpu, u8 vector)
{
	struct kvm_segment cs;

	kvm_x86_ops.get_segment(vcpu, &cs, VCPU_SREG_CS);
	cs.selector = vector << 8;
	cs.base = vector << 12;
	kvm_x86_ops.set_segment(vcpu, &cs, VCPU_SREG_CS);
	kvm_rip_write(vcpu, 0);
}

/**
 * kvm_apic_accept_events() - act on INIT and SIPI
 * @vcpu: loaded vCPU; kvm->srcu held
 *
 * INIT resets the vCPU; the BSP runs on, from the reset vector, others wait for a SIPI.
 * One that does not wait for it ignores it.
 */
void kvm_apic_accept_events(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic *apic = vcpu->arch.apic;

	if (!kvm_apic_has_events(vcpu))
		return;
	if (test_and_clear_bit(APIC_EVENT_INIT, &apic->pending_events)) {
		kvm_vcpu_reset(vcpu, true);
		vcpu->arch.mp_state = vcpu->arch.apic_base & MSR_IA32_APICBASE_BSP ?
				      KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED;
	}
	if (test_and_clear_bit(APIC_EVENT_SIPI, &apic->pending_events) &&
	    vcpu->arch.mp_state == KVM_MP_STATE_INIT_RECEIVED) {
		/* The vector was written before the bit, which was taken by a full barrier. */
		apic_start_at(vcpu, READ_ONCE(apic->sipi_vector));
		vcpu->arch.mp_state = KVM_MP_STATE_RUNNABLE;
	}
}

/* ---- what the vCPU takes ---- */

int kvm_apic_has_interrupt(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic *apic = vcpu->arch.apic;

	if (!apic)
		return -1;
	lapic_take_posted(&apic->core);
	return lapic_pending(&apic->core);
}

int kvm_apic_ack_interrupt(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic *apic = vcpu->arch.apic;

	if (!apic)
		return -1;
	lapic_take_posted(&apic->core);
	return lapic_ack(&apic->core);
}

/**
 * kvm_apic_pending_eoi() - will the EOI of this vector come?
 * @vcpu: the vCPU
 * @vector: the vector
 *
 * Any context.
 */
bool kvm_apic_pending_eoi(struct kvm_vcpu *vcpu, int vector)
{
	return vcpu->arch.apic && lapic_vector_active(&vcpu->arch.apic->core, vector);
}

bool kvm_apic_accept_pic_intr(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.apic && lapic_extint_open(&vcpu->arch.apic->core);
}

/* ---- register accesses ---- */

/**
 * kvm_vcpu_scan_ioapic() - which EOIs does the I/O APIC want?  KVM_REQ_SCAN_IOAPIC
 * @vcpu: loaded vCPU
 */
void kvm_vcpu_scan_ioapic(struct kvm_vcpu *vcpu)
{
	bitmap_zero(vcpu->arch.ioapic_handled_vectors, 256);
	if (!vcpu->arch.apic)
		return;
	kvm_scan_ioapic_routes(vcpu, vcpu->arch.ioapic_handled_vectors);
	if (vcpu->arch.apicv_active)
		kvm_make_request(KVM_REQ_EVENT, vcpu);	/* tell hardware */
}

/*
 * An EOI.  The I/O APIC waits for that of each level-triggered interrupt, and may want
 * to know of others: its PIT counts the ticks that were handled.
 */
static void apic_tell_eoi(struct kvm_vcpu *vcpu, u8 vector, bool level)
{
	bool handled;

	if (kvm_check_request(KVM_REQ_SCAN_IOAPIC, vcpu))
		kvm_vcpu_scan_ioapic(vcpu);	/* now, or a new pin would miss its EOI */
	handled = test_bit(vector, vcpu->arch.ioapic_handled_vectors);
	if (kvm_irqchip_mode(vcpu->kvm) == KVM_IRQCHIP_KERNEL) {
		if (level || handled)
			kvm_ioapic_update_eoi(vcpu, vector, level);
	} else if (handled && !lapic_eoi_is_directed(&vcpu->arch.apic->core)) {
		vcpu->arch.pending_ioapic_eoi = vector;
		kvm_make_request(KVM_REQ_IOAPIC_EOI_EXIT, vcpu);
	}
}

/**
 * kvm_apic_sw_enabled() - would it take an interrupt?
 * @vcpu: the vCPU
 */
bool kvm_apic_sw_enabled(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.apic && lapic_sw_enabled(&vcpu->arch.apic->core);
}

/**
 * kvm_apic_eoi_is_private() - may the guest's next EOI become known later?
 * @vcpu: loaded vCPU
 *
 * Return: true if it is of no interest to anybody but the guest.
 */
bool kvm_apic_eoi_is_private(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic *apic = vcpu->arch.apic;
	int vector;

	if (!apic || apic->core.mode == LAPIC_DISABLED || vcpu->arch.apicv_active)
		return false;
	vector = lapic_sole_edge(&apic->core);
	return vector >= 0 && !test_bit(vector, vcpu->arch.ioapic_handled_vectors);
}

/* CR8 and the TPR are one register; the copy is for the vendors. */
static void apic_mirror_tpr(struct kvm_vcpu *vcpu)
{
	vcpu->arch.cr8 = lapic_get(&vcpu->arch.apic->core, APIC_TASKPRI) >> 4;
}

static void apic_do_effects(struct kvm_vcpu *vcpu, const struct lapic_effect *e)
{
	if (e->what & LAPIC_DO_TPR)
		apic_mirror_tpr(vcpu);
	if (e->what & LAPIC_DO_TIMER)
		apic_set_timer(vcpu->arch.apic);
	if (e->what & LAPIC_DO_MAP)
		apic_map_update(vcpu->kvm);
	if (e->what & LAPIC_DO_EOI)
		apic_tell_eoi(vcpu, e->eoi_vector, e->eoi_level);
	if (e->what & LAPIC_DO_SEND)
		kvm_irq_delivery_to_apic(vcpu->kvm, vcpu, &e->irq);
	if (e->what & LAPIC_DO_EVENT)
		kvm_make_request(KVM_REQ_EVENT, vcpu);
}

/**
 * kvm_apic_eoi() - the guest has made an EOI without a write to the register
 * @vcpu: loaded vCPU with a local APIC of ours
 */
void kvm_apic_eoi(struct kvm_vcpu *vcpu)
{
	struct lapic_effect e = {};

	lapic_eoi(&vcpu->arch.apic->core, &e);
	apic_do_effects(vcpu, &e);
}

/**
 * kvm_apic_mmio_in_range() - is it in the APIC's page?
 * @vcpu: the vCPU, with a local APIC of ours
 * @gpa: guest-physical address
 */
bool kvm_apic_mmio_in_range(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	gpa_t base = vcpu->arch.apic_base & PAGE_MASK & ~vcpu->arch.reserved_gpa_bits;

	return vcpu->arch.apic->core.mode == LAPIC_XAPIC && gpa - base < PAGE_SIZE;
}

/**
 * kvm_apic_mmio_read() - the guest reads in the APIC's page
 * @vcpu: loaded vCPU
 * @gpa: for which kvm_apic_mmio_in_range() is true
 * @data: takes @len bytes
 * @len: how many
 */
void kvm_apic_mmio_read(struct kvm_vcpu *vcpu, gpa_t gpa, void *data, unsigned int len)
{
	u32 val;

	memset(data, 0, len);
	if (lapic_mmio_read(&vcpu->arch.apic->core, offset_in_page(gpa), len, ktime_get_ns(), &val))
		kvm_make_request(KVM_REQ_EVENT, vcpu);
	memcpy(data, &val, min_t(unsigned int, len, sizeof(val)));
}

/**
 * kvm_apic_cpuid_changed() - the guest's CPUID is a new one
 * @vcpu: the vCPU
 *
 * EOIs can be directed where the VMM has the I/O APIC: ours has no EOI register.
 */
void kvm_apic_cpuid_changed(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic *apic = vcpu->arch.apic;

	if (!apic)
		return;
	apic->core.directed_eoi = guest_cpuid_has(vcpu, X86_FEATURE_X2APIC) &&
				  kvm_irqchip_mode(vcpu->kvm) == KVM_IRQCHIP_SPLIT;
	lapic_set_version(&apic->core);
}

static void apic_refresh_timer_modes(struct kvm_vcpu *vcpu)
{
	vcpu->arch.apic->core.tsc_deadline_mode =
		guest_cpuid_has(vcpu, X86_FEATURE_TSC_DEADLINE_TIMER);
}

/**
 * kvm_apic_mmio_write() - the guest writes in the APIC's page
 * @vcpu: loaded vCPU; kvm->srcu held
 * @gpa: for which kvm_apic_mmio_in_range() is true
 * @data: @len bytes
 * @len: how many
 */
void kvm_apic_mmio_write(struct kvm_vcpu *vcpu, gpa_t gpa, const void *data, unsigned int len)
{
	struct lapic_effect e = {};
	u32 val = 0;

	memcpy(&val, data, min_t(unsigned int, len, sizeof(val)));
	if (offset_in_page(gpa) == APIC_LVTT)
		apic_refresh_timer_modes(vcpu);
	lapic_mmio_write(&vcpu->arch.apic->core, offset_in_page(gpa), len, val, ktime_get_ns(), &e);
	apic_do_effects(vcpu, &e);
}

/* The register of an MSR 800H..8FFH in x2APIC mode; the mode decides if there is one. */
static bool apic_msr_reg(struct kvm_vcpu *vcpu, u32 msr, unsigned int *reg)
{
	*reg = (msr - APIC_BASE_MSR) << 4;
	return vcpu->arch.apic && vcpu->arch.apic->core.mode == LAPIC_X2APIC;
}

/**
 * kvm_x2apic_msr_read() - RDMSR of 800H..8FFH
 * @vcpu: loaded vCPU
 * @msr: the MSR
 * @data: takes its value
 *
 * Return: 0, or 1: #GP.
 */
int kvm_x2apic_msr_read(struct kvm_vcpu *vcpu, u32 msr, u64 *data)
{
	unsigned int reg;

	if (!apic_msr_reg(vcpu, msr, &reg))
		return 1;
	return !lapic_read(&vcpu->arch.apic->core, reg, ktime_get_ns(), data);
}

/**
 * kvm_x2apic_msr_write() - WRMSR of 800H..8FFH
 * @vcpu: loaded vCPU; kvm->srcu held
 * @msr: the MSR
 * @data: the value
 *
 * Return: 0, or 1: #GP.
 */
int kvm_x2apic_msr_write(struct kvm_vcpu *vcpu, u32 msr, u64 data)
{
	struct lapic_effect e = {};
	unsigned int reg;

	if (!apic_msr_reg(vcpu, msr, &reg))
		return 1;
	if (reg == APIC_LVTT)
		apic_refresh_timer_modes(vcpu);
	if (!lapic_write(&vcpu->arch.apic->core, reg, data, ktime_get_ns(), &e))
		return 1;
	apic_do_effects(vcpu, &e);
	return 0;
}

/**
 * kvm_apic_set_tpr() - MOV to CR8
 * @vcpu: loaded vCPU with a local APIC of ours
 * @cr8: 0..15
 */
void kvm_apic_set_tpr(struct kvm_vcpu *vcpu, unsigned long cr8)
{
	lapic_set_tpr(&vcpu->arch.apic->core, cr8);
	apic_mirror_tpr(vcpu);
	kvm_make_request(KVM_REQ_EVENT, vcpu);
}

/**
 * kvm_apic_note_cr8() - the guest has written CR8 without an exit
 * @vcpu: the vCPU, with a local APIC of ours; any context of its thread
 * @cr8: 0..15
 *
 * If an interrupt waited for that there was an exit, so there is nothing to look for.
 */
void kvm_apic_note_cr8(struct kvm_vcpu *vcpu, unsigned long cr8)
{
	lapic_set_tpr(&vcpu->arch.apic->core, cr8);
	vcpu->arch.cr8 = cr8;
}
EXPORT_SYMBOL_GPL(kvm_apic_note_cr8);

/**
 * kvm_apic_masked_class() - the class of an interrupt that only the TPR keeps out
 * @vcpu: loaded vCPU with a local APIC of ours
 *
 * Return: 1..15, 0: there is none.
 */
unsigned int kvm_apic_masked_class(struct kvm_vcpu *vcpu)
{
	struct lapic *l = &vcpu->arch.apic->core;

	lapic_take_posted(l);
	return lapic_masked_by_tpr(l);
}

/**
 * kvm_apic_page() - where the registers are, for hardware that works on them
 * @vcpu: the vCPU, with a local APIC of ours
 */
hpa_t kvm_apic_page(struct kvm_vcpu *vcpu)
{
	return __pa(vcpu->arch.apic->core.regs);
}
EXPORT_SYMBOL_GPL(kvm_apic_page);

unsigned long kvm_apic_get_cr8(struct kvm_vcpu *vcpu)
{
	return lapic_get(&vcpu->arch.apic->core, APIC_TASKPRI) >> 4;
}

static enum lapic_mode apic_base_mode(u64 base)
{
	if (!(base & MSR_IA32_APICBASE_ENABLE))
		return LAPIC_DISABLED;
	return base & X2APIC_ENABLE ? LAPIC_X2APIC : LAPIC_XAPIC;
}

/**
 * kvm_apic_set_base() - IA32_APIC_BASE has changed
 * @vcpu: loaded vCPU; without a local APIC of ours nothing happens
 * @old: its value before
 * @new: its value, which msr.c has found legal and stored
 */
void kvm_apic_set_base(struct kvm_vcpu *vcpu, u64 old, u64 new)
{
	struct kvm_lapic *apic = vcpu->arch.apic;

	if (!apic)
		return;
	if (apic_base_mode(new) != LAPIC_XAPIC || ((old ^ new) & PAGE_MASK))
		kvm_mmu_drop_apic_page(vcpu->kvm);
	if (apic_base_mode(new) == apic->core.mode)
		return;
	lapic_set_mode(&apic->core, apic_base_mode(new));
	kvm_x86_ops.update_intercepts(vcpu);
	if (apic->core.mode == LAPIC_DISABLED)
		apic_set_timer(apic);
	apic_mirror_tpr(vcpu);
	apic_map_update(vcpu->kvm);
	kvm_make_request(KVM_REQ_EVENT, vcpu);
}

/* ---- hardware that does some of it ---- */

/**
 * kvm_apic_get_apicv() - what hardware must know to deliver interrupts
 * @vcpu: loaded vCPU with a local APIC of ours; not in the guest
 * @v: filled
 *
 * The EOIs that others want to hear of are those of the I/O APIC's pins, and of all that
 * was level-triggered when it came.
 */
void kvm_apic_get_apicv(struct kvm_vcpu *vcpu, struct kvm_apicv *v)
{
	struct lapic *l = &vcpu->arch.apic->core;
	unsigned int i;

	lapic_take_posted(l);
	v->rvi = max(lapic_highest_irr(l), 0);
	v->svi = max(lapic_highest_isr(l), 0);
	for (i = 0; i < ARRAY_SIZE(v->eoi_exit); i++)
		v->eoi_exit[i] = vcpu->arch.ioapic_handled_vectors[i] |
				 lapic_get(l, APIC_TMR + 2 * i * 0x10) |
				 (u64)lapic_get(l, APIC_TMR + (2 * i + 1) * 0x10) << 32;
}

/**
 * kvm_apic_eoi_done() - hardware has done an EOI of which others want to hear
 * @vcpu: loaded vCPU; kvm->srcu held
 * @vector: whose; it is not in service any more
 */
void kvm_apic_eoi_done(struct kvm_vcpu *vcpu, u8 vector)
{
	u32 tmr = lapic_get(&vcpu->arch.apic->core, APIC_TMR + vector / 32 * 0x10);

	apic_tell_eoi(vcpu, vector, tmr >> (vector % 32) & 1);
	kvm_make_request(KVM_REQ_EVENT, vcpu);
}
EXPORT_SYMBOL_GPL(kvm_apic_eoi_done);

/**
 * kvm_apic_write_done() - hardware has let the guest write to a register
 * @vcpu: loaded vCPU; kvm->srcu held
 * @offset: in the page; the value is there
 */
void kvm_apic_write_done(struct kvm_vcpu *vcpu, unsigned int offset)
{
	struct lapic *l = &vcpu->arch.apic->core;
	struct lapic_effect e = {};

	if (l->mode == LAPIC_DISABLED)
		return;
	if (offset == APIC_LVTT)
		apic_refresh_timer_modes(vcpu);
	lapic_write_done(l, offset, ktime_get_ns(), &e);
	apic_do_effects(vcpu, &e);
}
EXPORT_SYMBOL_GPL(kvm_apic_write_done);

/*
 * The page that hardware knows the APIC's address by; nobody ever sees what is in it.
 * One for each VM, made with its first vCPU.
 */
static int apic_access_page_create(struct kvm *kvm)
{
	unsigned long page;

	if (!kvm_caps.has_apicv || READ_ONCE(kvm->arch.apic_access_page))
		return 0;
	page = get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!page)
		return -ENOMEM;
	if (cmpxchg(&kvm->arch.apic_access_page, 0, __pa(page)))
		free_page(page);
	return 0;
}

/* ---- KVM_GET_LAPIC, KVM_SET_LAPIC ---- */

/**
 * kvm_vcpu_ioctl_get_lapic() - KVM_GET_LAPIC
 * @vcpu: loaded vCPU
 * @s: takes the state
 *
 * A tick of the periodic timer that is still to be delivered is in the IRR it shows.
 * A one-shot that is over shows a count of 0, and an expired deadline is in its MSR:
 * both fire when the state is set.
 *
 * Return: 0, -EINVAL without a local APIC.
 */
int kvm_vcpu_ioctl_get_lapic(struct kvm_vcpu *vcpu, struct kvm_lapic_state *s)
{
	struct kvm_lapic *apic = vcpu->arch.apic;

	if (!apic)
		return -EINVAL;
	if (lapic_timer_periodic(&apic->core))
		kvm_apic_inject_pending_timer(vcpu);
	lapic_take_posted(&apic->core);
	lapic_get_page(&apic->core, ktime_get_ns(), READ_ONCE(vcpu->kvm->arch.x2apic_format),
		       s->regs);
	return 0;
}

/**
 * kvm_vcpu_ioctl_set_lapic() - KVM_SET_LAPIC
 * @vcpu: loaded vCPU; kvm->srcu held
 * @s: the state
 *
 * Return: 0; -EINVAL without a local APIC or if a 32-bit ID is not this vCPU's.
 */
int kvm_vcpu_ioctl_set_lapic(struct kvm_vcpu *vcpu, const struct kvm_lapic_state *s)
{
	struct kvm_lapic *apic = vcpu->arch.apic;

	if (!apic)
		return -EINVAL;
	apic->core.tsc_deadline_mode = true;	/* the guest could set it when it was saved */
	if (!lapic_set_page(&apic->core, ktime_get_ns(), READ_ONCE(vcpu->kvm->arch.x2apic_format),
			    s->regs))
		return -EINVAL;
	apic_set_timer(apic);
	apic_mirror_tpr(vcpu);
	apic_map_update(vcpu->kvm);
	kvm_make_request(KVM_REQ_EVENT, vcpu);
	return 0;
}

/* ---- KVM_SET_VAPIC_ADDR ---- */

/*
 * A guest that a VMM has patched does not write the TPR's register, but a word in its
 * memory, and looks there whether that is worth a real write: byte 0 is the TPR, byte
 * 1 the class in service, byte 3 the highest vector that waits.
 */

/**
 * kvm_vcpu_ioctl_set_vapic_addr() - KVM_SET_VAPIC_ADDR
 * @vcpu: loaded vCPU; kvm->srcu held
 * @addr: guest-physical address of that word; 0: there is none
 *
 * Return: 0; -EINVAL without a local APIC or if the word crosses a page; -EFAULT if
 * there is no memory.
 */
int kvm_vcpu_ioctl_set_vapic_addr(struct kvm_vcpu *vcpu, u64 addr)
{
	u32 word;

	if (!vcpu->arch.apic || offset_in_page(addr) > PAGE_SIZE - sizeof(word))
		return -EINVAL;
	if (addr && kvm_read_guest(vcpu->kvm, addr, &word, sizeof(word)))
		return -EFAULT;
	vcpu->arch.vapic_addr = addr;
	return 0;
}

/**
 * kvm_apic_write_vapic() - before an entry: let the guest see what waits
 * @vcpu: loaded vCPU with that word; kvm->srcu held, may sleep
 *
 * The memory may be gone since: then so is the patched code.
 */
void kvm_apic_write_vapic(struct kvm_vcpu *vcpu)
{
	u32 word = lapic_vapic_word(&vcpu->arch.apic->core);

	kvm_write_guest(vcpu->kvm, vcpu->arch.vapic_addr, &word, sizeof(word));
}

/**
 * kvm_apic_read_vapic() - after an exit: the TPR may have changed
 * @vcpu: loaded vCPU with that word; kvm->srcu held, may sleep
 */
void kvm_apic_read_vapic(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic *apic = vcpu->arch.apic;
	struct lapic_effect e = {};
	u8 tpr;

	if (kvm_read_guest(vcpu->kvm, vcpu->arch.vapic_addr, &tpr, sizeof(tpr)) ||
	    tpr == lapic_get(&apic->core, APIC_TASKPRI))
		return;
	lapic_write(&apic->core, APIC_TASKPRI, tpr, ktime_get_ns(), &e);
	apic_do_effects(vcpu, &e);
}

/* ---- set-up and teardown ---- */

/**
 * kvm_apic_vcpu_create() - a local APIC for a new vCPU, if its VM has them
 * @vcpu: the vCPU
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_apic_vcpu_create(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic *apic;

	if (!irqchip_in_kernel(vcpu->kvm))
		return 0;
	if (apic_access_page_create(vcpu->kvm))
		return -ENOMEM;
	apic = kzalloc(sizeof(*apic), GFP_KERNEL_ACCOUNT);
	if (!apic)
		return -ENOMEM;
	apic->core.regs = (u8 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!apic->core.regs) {
		kfree(apic);
		return -ENOMEM;
	}
	apic->core.posted = kvm_caps.has_apicv;
	apic->vcpu = vcpu;
	minikvm_hrtimer_setup(&apic->timer, apic_timer_fn, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	vcpu->arch.apic = apic;
	return 0;
}

void kvm_apic_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic *apic = vcpu->arch.apic;

	if (!apic)
		return;
	hrtimer_cancel(&apic->timer);
	free_page((unsigned long)apic->core.regs);
	kfree(apic);
	vcpu->arch.apic = NULL;
}

/**
 * kvm_apic_vcpu_reset() - the local APIC after power-up, or after INIT
 * @vcpu: loaded vCPU; without a local APIC nothing happens
 * @init: INIT, which leaves IA32_APIC_BASE and the ID alone
 *
 * Called when arch.apic_base has its value.
 */
void kvm_apic_vcpu_reset(struct kvm_vcpu *vcpu, bool init)
{
	struct kvm_lapic *apic = vcpu->arch.apic;

	if (!apic)
		return;
	if (!init) {
		apic->core.id = vcpu->vcpu_id;
		apic->core.mode = apic_base_mode(vcpu->arch.apic_base);
		WRITE_ONCE(apic->pending_events, 0);
	}
	lapic_reset(&apic->core, init);
	/* A habit of KVM, for firmware that expects the PIC to work at once. */
	if (vcpu->vcpu_id == vcpu->kvm->arch.bsp_vcpu_id &&
	    !(READ_ONCE(vcpu->kvm->arch.disabled_quirks) & KVM_X86_QUIRK_LINT0_REENABLED))
		lapic_open_lint0(&apic->core);
	apic_set_timer(apic);
	apic_mirror_tpr(vcpu);
	apic_map_update(vcpu->kvm);
}
