// SPDX-License-Identifier: GPL-2.0
/*
 * pit.c - the PIT of a VM: time for i8254.c, and its interrupt
 *
 * The binding of i8254.c.  Counter 0's OUT is GSI 0; each time it rises is a tick:
 *
 *	pit_timer_fn()	hrtimer: ticks have passed; the next one is when?
 *	pit_work()	a worker, because raising a GSI takes time: a pulse on GSI 0
 *	pit_acked()	the guest has ended the tick's interrupt
 *
 * Reinjection.  A guest that counts ticks must get them all, even if it was not
 * scheduled for a while.  So ticks are counted in @pending, and the next one is given
 * to the guest when it has ended the last (@irq_ack).  What the guest can never end
 * must not be waited for: ticks that come while the pin is masked are dropped, and
 * unmasking it begins anew, as do programming the counter and KVM_SET_IRQCHIP.
 * KVM_REINJECT_CONTROL switches this off: then a tick is a pulse, and one that finds
 * the last not ended is coalesced with it.
 *
 * Before Linux had the local APIC's timer it let the PIT's interrupt also arrive as an
 * NMI, on each CPU's LINT0, to see lockups: hence kvm_apic_local_deliver_nmi_wd().
 *
 * Locks: pit->lock, interrupts off, also taken by the timer.  It is not held while the
 * GSI is raised, for its notifiers come back here.  pit->lock may be taken with
 * irq_srcu held; nothing is taken inside it.
 *
 * Left out on purpose: a worker thread for each VM, which KVM has so that the VMM can
 * give it a priority.
 */
#include <linux/hrtimer.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "i8254.h"
#include "irq.h"

#define PIT_PORT		0x40
#define PIT_NR_PORTS		4
#define PIT_SPEAKER_PORT	0x61
/* A guest that asks for shorter periods gets this one; KVM's default. */
#define PIT_MIN_PERIOD_NS	(200 * NSEC_PER_USEC)

/**
 * struct kvm_pit - the PIT of a VM
 * @kvm:	the VM
 * @lock:	guards what follows, down to @next
 * @chip:	counters
 * @reinject:	no tick is lost
 * @irq_ack:	the guest has ended the last tick
 * @pending:	ticks that the guest has not got
 * @seen:	events of counter 0 that @pending has seen
 * @next:	when the timer is meant to fire; PIT_NEVER: not
 * @timer:	fires at @next, or for nothing
 * @work:	gives the guest a tick, if it is to have one
 * @notifier:	hears of EOIs for GSI 0
 * @dev:	ports 0x40 to 0x43
 * @speaker_dev: port 0x61, if the VMM wants it here
 * @has_speaker: it does
 */
struct kvm_pit {
	struct kvm *kvm;

	spinlock_t lock;	/* down to @next */
	struct i8254 chip;
	bool reinject;
	bool irq_ack;
	u64 pending;
	u64 seen;
	u64 next;

	struct hrtimer timer;
	struct work_struct work;
	struct kvm_irq_ack_notifier notifier;
	struct kvm_io_device dev;
	struct kvm_io_device speaker_dev;
	bool has_speaker;
};

static struct kvm_pit *kvm_pit(struct kvm *kvm)
{
	return smp_load_acquire(&kvm->arch.pit);	/* of kvm_vm_ioctl_create_pit() */
}

/* ---- ticks ---- */

/* May the guest have a tick now?  pit->lock held. */
static bool pit_may_tick(struct kvm_pit *pit)
{
	return pit->pending && (pit->irq_ack || !pit->reinject);
}

/* pit->lock held. */
static void pit_queue(struct kvm_pit *pit)
{
	if (pit_may_tick(pit))
		queue_work(system_highpri_wq, &pit->work);
}

/* pit->lock held.  Too short a period: one tick for each time the timer fires. */
static bool pit_period_too_short(struct kvm_pit *pit)
{
	u64 period = i8254_period(&pit->chip, 0);

	return period && period < PIT_MIN_PERIOD_NS;
}

/* Count the ticks up to @now; pit->lock held. */
static void pit_count_ticks(struct kvm_pit *pit, u64 now)
{
	u64 events = i8254_events(&pit->chip, 0, now);
	u64 nr = events - pit->seen;

	if (!nr)
		return;
	pit->seen = events;
	if (!pit->reinject)
		pit->pending = 1;
	else
		pit->pending += pit_period_too_short(pit) ? 1 : nr;
	pit_queue(pit);
}

/*
 * Set the timer for the tick after @now; pit->lock held.  A callback that waits for
 * the lock finds that its time has not come; it must not be waited for here.
 */
static void pit_arm(struct kvm_pit *pit, u64 now)
{
	u64 next = i8254_next_event(&pit->chip, 0, now);

	if (pit->chip.flags & KVM_PIT_FLAGS_HPET_LEGACY)
		next = PIT_NEVER;	/* the HPET drives GSI 0 */
	else if (pit_period_too_short(pit) && next != PIT_NEVER)
		next = max(next, now + PIT_MIN_PERIOD_NS);
	pit->next = next;
	if (next == PIT_NEVER)
		hrtimer_try_to_cancel(&pit->timer);
	else
		hrtimer_start(&pit->timer, ns_to_ktime(next), HRTIMER_MODE_ABS);
}

static enum hrtimer_restart pit_timer_fn(struct hrtimer *timer)
{
	struct kvm_pit *pit = container_of(timer, struct kvm_pit, timer);
	unsigned long flags;
	u64 now;

	spin_lock_irqsave(&pit->lock, flags);
	now = ktime_get_ns();
	if (now >= pit->next) {
		pit_count_ticks(pit, now);
		pit_arm(pit, now);
	}
	spin_unlock_irqrestore(&pit->lock, flags);
	return HRTIMER_NORESTART;	/* pit_arm() has started it */
}

/* Nothing is owed to the guest, nothing expected of it.  pit->lock held. */
static void pit_reset_reinject(struct kvm_pit *pit)
{
	pit->pending = 0;
	pit->irq_ack = true;
}

/* Counter 0 was programmed; pit->lock held. */
static void pit_restart(struct kvm_pit *pit, u64 now)
{
	pit_reset_reinject(pit);
	pit->seen = i8254_events(&pit->chip, 0, now);
	pit_arm(pit, now);
}

/* Is the guest to have a tick now?  Then it is taken. */
static bool pit_take_tick(struct kvm_pit *pit)
{
	unsigned long flags;
	bool tick;

	spin_lock_irqsave(&pit->lock, flags);
	tick = pit_may_tick(pit);
	if (tick) {
		pit->pending--;
		pit->irq_ack = false;
	}
	spin_unlock_irqrestore(&pit->lock, flags);
	return tick;
}

static void pit_forget(struct kvm_pit *pit)
{
	unsigned long flags;

	spin_lock_irqsave(&pit->lock, flags);
	pit_reset_reinject(pit);
	spin_unlock_irqrestore(&pit->lock, flags);
}

static void pit_work(struct work_struct *work)
{
	struct kvm_pit *pit = container_of(work, struct kvm_pit, work);
	int r;

	if (!pit_take_tick(pit))
		return;
	r = kvm_set_irq(pit->kvm, KVM_PIT_IRQ_SOURCE_ID, KVM_PIT_GSI, 1, false);
	kvm_set_irq(pit->kvm, KVM_PIT_IRQ_SOURCE_ID, KVM_PIT_GSI, 0, false);
	if (r < 0)
		pit_forget(pit);	/* it went nowhere: there will be no EOI */
	kvm_apic_local_deliver_nmi_wd(pit->kvm);
}

static void pit_acked(struct kvm_irq_ack_notifier *notifier)
{
	struct kvm_pit *pit = container_of(notifier, struct kvm_pit, notifier);
	unsigned long flags;

	spin_lock_irqsave(&pit->lock, flags);
	pit->irq_ack = true;
	pit_queue(pit);
	spin_unlock_irqrestore(&pit->lock, flags);
}

/**
 * kvm_pit_unmasked() - GSI 0 can be delivered from now on
 * @kvm: the VM
 *
 * The ticks that it missed before are forgotten.  Any context but NMI.
 */
void kvm_pit_unmasked(struct kvm *kvm)
{
	struct kvm_pit *pit = kvm_pit(kvm);

	if (pit)
		pit_forget(pit);
}

/**
 * kvm_pit_irqchip_set() - the VMM has set the state of a PIC or of the I/O APIC
 * @kvm: the VM
 *
 * The tick that was in that chip may be gone with its old state, and then nobody ends
 * it; the new state may be that of a chip which saw GSI 0 in the middle of a pulse, and
 * then the next tick is no edge.  So none is waited for, and the pin is low.
 * Process context, no lock.
 */
void kvm_pit_irqchip_set(struct kvm *kvm)
{
	struct kvm_pit *pit = kvm_pit(kvm);

	if (!pit)
		return;
	kvm_set_irq(kvm, KVM_PIT_IRQ_SOURCE_ID, KVM_PIT_GSI, 0, false);
	pit_forget(pit);
}

/* ---- ports ---- */

/* Ports of 8 bits; a wider access is one for each, as on an ISA bus. */
static int pit_dev_read(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			void *val)
{
	struct kvm_pit *pit = container_of(dev, struct kvm_pit, dev);
	unsigned long flags;
	u8 *byte = val;
	int i;

	spin_lock_irqsave(&pit->lock, flags);
	for (i = 0; i < len; i++)
		byte[i] = i8254_read(&pit->chip, addr - PIT_PORT + i, ktime_get_ns());
	spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

static int pit_dev_write(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			 const void *val)
{
	struct kvm_pit *pit = container_of(dev, struct kvm_pit, dev);
	const u8 *byte = val;
	unsigned long flags;
	int i;

	spin_lock_irqsave(&pit->lock, flags);
	for (i = 0; i < len; i++) {
		u64 now = ktime_get_ns();

		if (i8254_write(&pit->chip, addr - PIT_PORT + i, byte[i], now))
			pit_restart(pit, now);
	}
	spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

static const struct kvm_io_device_ops pit_dev_ops = {
	.read = pit_dev_read,
	.write = pit_dev_write,
};

static int pit_speaker_read(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr,
			    int len, void *val)
{
	struct kvm_pit *pit = container_of(dev, struct kvm_pit, speaker_dev);
	unsigned long flags;

	spin_lock_irqsave(&pit->lock, flags);
	*(u8 *)val = i8254_read_speaker(&pit->chip, ktime_get_ns());
	spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

static int pit_speaker_write(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr,
			     int len, const void *val)
{
	struct kvm_pit *pit = container_of(dev, struct kvm_pit, speaker_dev);
	unsigned long flags;

	spin_lock_irqsave(&pit->lock, flags);
	i8254_write_speaker(&pit->chip, *(const u8 *)val, ktime_get_ns());
	spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

static const struct kvm_io_device_ops pit_speaker_ops = {
	.read = pit_speaker_read,
	.write = pit_speaker_write,
};

/* ---- set-up ---- */

static struct kvm_pit *pit_alloc(struct kvm *kvm, bool has_speaker)
{
	struct kvm_pit *pit = kzalloc(sizeof(*pit), GFP_KERNEL_ACCOUNT);

	if (!pit)
		return NULL;
	pit->kvm = kvm;
	spin_lock_init(&pit->lock);
	i8254_init(&pit->chip);
	pit->reinject = true;
	pit_reset_reinject(pit);
	pit->next = PIT_NEVER;
	minikvm_hrtimer_setup(&pit->timer, pit_timer_fn, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	INIT_WORK(&pit->work, pit_work);
	pit->notifier.gsi = KVM_PIT_GSI;
	pit->notifier.irq_acked = pit_acked;
	pit->dev.ops = &pit_dev_ops;
	pit->speaker_dev.ops = &pit_speaker_ops;
	pit->has_speaker = has_speaker;
	return pit;
}

/* On no bus, and without notifier: only timer and work are left to be stopped. */
static void pit_free(struct kvm_pit *pit)
{
	spin_lock_irq(&pit->lock);
	pit->next = PIT_NEVER;
	spin_unlock_irq(&pit->lock);
	hrtimer_cancel(&pit->timer);
	cancel_work_sync(&pit->work);
	kfree(pit);
}

static int pit_enter_buses(struct kvm_pit *pit)
{
	struct kvm *kvm = pit->kvm;
	int r;

	mutex_lock(&kvm->slots_lock);
	r = kvm_io_bus_register_dev(kvm, KVM_PIO_BUS, PIT_PORT, PIT_NR_PORTS, &pit->dev);
	if (!r && pit->has_speaker) {
		r = kvm_io_bus_register_dev(kvm, KVM_PIO_BUS, PIT_SPEAKER_PORT, 1,
					    &pit->speaker_dev);
		if (r)
			kvm_io_bus_unregister_dev(kvm, KVM_PIO_BUS, &pit->dev);
	}
	mutex_unlock(&kvm->slots_lock);
	return r;
}

/**
 * kvm_vm_ioctl_create_pit() - KVM_CREATE_PIT2: counters and their interrupt
 * @kvm: the VM; takes kvm->lock
 * @config: flags: KVM_PIT_SPEAKER_DUMMY: port 0x61 too, which shows counter 2's OUT
 *
 * The interrupt controllers may come later, as Linux 6.1 has it and some VMMs do it:
 * until then GSI 0 leads nowhere.  (6.12 wants them first.)
 *
 * Return: 0; -EEXIST if there is one; -ENOENT with a split irqchip, whose PIT is the
 * VMM's; -ENOMEM; -ENOSPC: the bus is full.
 */
int kvm_vm_ioctl_create_pit(struct kvm *kvm, const struct kvm_pit_config *config)
{
	struct kvm_pit *pit = NULL;
	int r;

	mutex_lock(&kvm->lock);
	r = -EEXIST;
	if (kvm->arch.pit)
		goto out;
	r = -ENOENT;
	if (kvm_irqchip_mode(kvm) == KVM_IRQCHIP_SPLIT)
		goto out;
	r = -ENOMEM;
	pit = pit_alloc(kvm, config->flags & KVM_PIT_SPEAKER_DUMMY);
	if (!pit)
		goto out;
	r = pit_enter_buses(pit);
	if (r) {
		pit_free(pit);
		goto out;
	}
	kvm_register_irq_ack_notifier(kvm, &pit->notifier);
	smp_store_release(&kvm->arch.pit, pit);	/* pairs with kvm_pit() */
out:
	mutex_unlock(&kvm->lock);
	return r;
}

/**
 * kvm_pit_destroy() - the VM ends: no tick comes any more
 * @kvm: the VM; no vCPU runs.  Its routes and controllers still exist.
 */
void kvm_pit_destroy(struct kvm *kvm)
{
	struct kvm_pit *pit = kvm->arch.pit;

	if (!pit)
		return;
	mutex_lock(&kvm->slots_lock);
	if (rcu_access_pointer(kvm->buses[KVM_PIO_BUS])) {
		kvm_io_bus_unregister_dev(kvm, KVM_PIO_BUS, &pit->dev);
		if (pit->has_speaker)
			kvm_io_bus_unregister_dev(kvm, KVM_PIO_BUS, &pit->speaker_dev);
	}
	mutex_unlock(&kvm->slots_lock);
	kvm_unregister_irq_ack_notifier(kvm, &pit->notifier);
	kvm->arch.pit = NULL;
	pit_free(pit);
}

/* ---- save and restore ---- */

/**
 * kvm_vm_ioctl_get_pit() - KVM_GET_PIT, KVM_GET_PIT2
 * @kvm: the VM
 * @state: counters and flags; times are of the host's monotonic clock
 *
 * Return: 0, or -ENXIO without a PIT.
 */
int kvm_vm_ioctl_get_pit(struct kvm *kvm, struct kvm_pit_state2 *state)
{
	struct kvm_pit *pit = kvm_pit(kvm);
	unsigned long flags;

	if (!pit)
		return -ENXIO;
	spin_lock_irqsave(&pit->lock, flags);
	i8254_get_state(&pit->chip, state, ktime_get_ns());
	spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

/**
 * kvm_vm_ioctl_set_pit() - KVM_SET_PIT, KVM_SET_PIT2
 * @kvm: the VM
 * @state: counters, and with @pit2 flags
 * @pit2: KVM_SET_PIT2
 *
 * Counters go on from their count_load_time.  If counter 0 was to fire once, and that
 * time has passed, it fires now: nothing says whether it had fired when it was saved,
 * and a guest can live with an interrupt too many better than without one.
 *
 * Return: 0; -ENXIO without a PIT; -EINVAL: a count above 65536.
 */
int kvm_vm_ioctl_set_pit(struct kvm *kvm, const struct kvm_pit_state2 *state, bool pit2)
{
	struct kvm_pit *pit = kvm_pit(kvm);
	unsigned long flags;
	u64 now;

	if (!pit)
		return -ENXIO;
	if (!i8254_state_valid(state->channels))
		return -EINVAL;
	spin_lock_irqsave(&pit->lock, flags);
	now = ktime_get_ns();
	i8254_set_channels(&pit->chip, state->channels, now);
	if (pit2)
		pit->chip.flags = state->flags & (KVM_PIT_FLAGS_HPET_LEGACY |
						  KVM_PIT_FLAGS_SPEAKER_DATA_ON);
	pit_restart(pit, now);
	if (!i8254_period(&pit->chip, 0) && !(pit->chip.flags & KVM_PIT_FLAGS_HPET_LEGACY)) {
		pit->seen = 0;
		pit_count_ticks(pit, now);
	}
	spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

/**
 * kvm_vm_ioctl_reinject() - KVM_REINJECT_CONTROL: must the guest get every tick?
 * @kvm: the VM
 * @control: @control->pit_reinject
 *
 * Return: 0, or -ENXIO without a PIT.
 */
int kvm_vm_ioctl_reinject(struct kvm *kvm, const struct kvm_reinject_control *control)
{
	struct kvm_pit *pit = kvm_pit(kvm);
	unsigned long flags;

	if (!pit)
		return -ENXIO;
	spin_lock_irqsave(&pit->lock, flags);
	if (pit->reinject != !!control->pit_reinject) {
		pit->reinject = control->pit_reinject;
		pit_reset_reinject(pit);
	}
	spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}
