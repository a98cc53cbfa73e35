// SPDX-License-Identifier: GPL-2.0
/*
 * irqchip.c - the PICs and the I/O APIC of a VM
 *
 * The binding of i8259.c and ioapic.c: it puts them on the buses, keeps one access
 * at a time in each, and does what they ask for.
 *
 *	kvm_pic_set_irq(), kvm_ioapic_set_irq()	irq.c: a route leads to a pin
 *	pic_dev_read(), ioapic_dev_read(), ...	iobus.c: the guest at the registers
 *	kvm_pic_read_irq()			a vCPU takes an ExtINT: INTA
 *	kvm_ioapic_update_eoi()			apic.c: EOI of a vector
 *	ioapic_deliver()			to apic.c: a message
 *
 * Whoever waits for an EOI (a resampling irqfd, the PIT) may move a pin of the chip
 * that has just had it.  So the cores only note what ended, and the notifiers are
 * called when the lock is free again: pic_unlock(), kvm_ioapic_update_eoi().
 *
 * Locks: pic_lock and ioapic_lock, one for each chip, interrupts off; never both.
 * Messages are sent with ioapic_lock held, which keeps those of one pin in order; local
 * APICs have no lock.
 *
 * Left out on purpose: KVM's count of the vCPUs that have not yet ended an RTC
 * interrupt, by which it tells the VMM about coalesced ones.
 */
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "i8259.h"
#include "ioapic.h"
#include "irq.h"

#define PIC_MASTER_PORT	0x20
#define PIC_SLAVE_PORT	0xa0
#define PIC_ELCR_PORT	0x4d0

/**
 * struct kvm_irqchip_state - the interrupt controllers of a VM
 * @kvm:	the VM
 * @pic_lock:	guards @pic and @pic_was_up
 * @pic:	both PICs; @pic.intr is also read without the lock
 * @pic_was_up:	@pic.intr when the lock was taken
 * @ioapic_lock: guards @ioapic
 * @ioapic:	the I/O APIC
 * @redeliver:	after an EOI storm
 * @pic_dev:	on the port bus
 * @ioapic_dev:	on the MMIO bus
 */
struct kvm_irqchip_state {
	struct kvm *kvm;

	spinlock_t pic_lock;		/* @pic, @pic_was_up */
	struct i8259 pic;
	bool pic_was_up;

	spinlock_t ioapic_lock;		/* @ioapic */
	struct ioapic ioapic;
	struct delayed_work redeliver;

	struct kvm_io_device pic_dev[3];
	struct kvm_io_device ioapic_dev;
};

static const gpa_t pic_ports[] = { PIC_MASTER_PORT, PIC_SLAVE_PORT, PIC_ELCR_PORT };

/* NULL if the VM has none (yet), or has only local APICs here. */
static struct kvm_irqchip_state *kvm_irqchip(struct kvm *kvm)
{
	return kvm_irqchip_mode(kvm) == KVM_IRQCHIP_KERNEL ? kvm->arch.irqchip : NULL;
}

/* Pins that the guest has unmasked: the PIT wants to know about its own. */
static void kvm_pins_unmasked(struct kvm *kvm, unsigned int chip, u32 pins)
{
	unsigned long bits = pins;
	unsigned int pin;

	for_each_set_bit(pin, &bits, 32)
		if (kvm_irq_pin_gsi(kvm, chip, pin) == KVM_PIT_GSI)
			kvm_pit_unmasked(kvm);
}

/* ---- the PICs ---- */

static void pic_lock(struct kvm_irqchip_state *s, unsigned long *flags)
	__acquires(&s->pic_lock)
{
	spin_lock_irqsave(&s->pic_lock, *flags);
	s->pic_was_up = s->pic.intr;
}

/*
 * INTR is wired to LINT0 of every CPU; where that is open for ExtINT, the CPU looks
 * at kvm_pic_output().  KVM tells the first such CPU and no other, for one INTA is
 * all that there is to do.
 */
static void kvm_pic_kick(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long idx;

	kvm_for_each_vcpu(idx, vcpu, kvm) {
		if (!kvm_apic_accept_pic_intr(vcpu))
			continue;
		kvm_make_request(KVM_REQ_EVENT, vcpu);
		kvm_vcpu_kick(vcpu);
		return;
	}
}

/* Drop the lock, then do what the chips have asked for in the meantime. */
static void pic_unlock(struct kvm_irqchip_state *s, unsigned long flags)
	__releases(&s->pic_lock)
{
	unsigned long acked = s->pic.acked;
	u16 unmasked = s->pic.unmasked;
	bool kick = s->pic.intr && !s->pic_was_up;
	unsigned int pin;

	s->pic.acked = 0;
	s->pic.unmasked = 0;
	spin_unlock_irqrestore(&s->pic_lock, flags);

	if (kick)
		kvm_pic_kick(s->kvm);
	for_each_set_bit(pin, &acked, I8259_NR_PINS)
		kvm_notify_acked_irq(s->kvm, pin < 8 ? KVM_IRQCHIP_PIC_MASTER :
				     KVM_IRQCHIP_PIC_SLAVE, pin % 8);
	kvm_pins_unmasked(s->kvm, KVM_IRQCHIP_PIC_MASTER, unmasked & 0xff);
	kvm_pins_unmasked(s->kvm, KVM_IRQCHIP_PIC_SLAVE, unmasked >> 8);
}

/**
 * kvm_pic_set_irq() - a source holds a pin of a PIC high, or does no more
 * @kvm: the VM
 * @pin: 0..7 master, 8..15 slave
 * @source: KVM_*_IRQ_SOURCE_ID
 * @level: 0 or not
 *
 * Any context but NMI.
 *
 * Return: 1; 0: was requested already; -1: masked, or there is no PIC here.
 */
int kvm_pic_set_irq(struct kvm *kvm, unsigned int pin, int source, int level)
{
	struct kvm_irqchip_state *s = kvm_irqchip(kvm);
	unsigned long flags;
	int r;

	if (!s || pin >= I8259_NR_PINS)
		return -1;
	pin = array_index_nospec(pin, I8259_NR_PINS);
	pic_lock(s, &flags);
	r = i8259_set_irq(&s->pic, pin, source, level);
	pic_unlock(s, flags);
	return r;
}

/**
 * kvm_pic_output() - is INTR up?
 * @kvm: the VM
 *
 * Any context.  It may change at once; whoever raises it kicks a vCPU afterwards.
 */
bool kvm_pic_output(struct kvm *kvm)
{
	struct kvm_irqchip_state *s = kvm_irqchip(kvm);

	return s && READ_ONCE(s->pic.intr);
}

/**
 * kvm_pic_read_irq() - INTA: a CPU takes the PICs' interrupt
 * @kvm: the VM, with PICs
 *
 * Any context but NMI.
 *
 * Return: the vector; that of IR7 if the request has gone.
 */
int kvm_pic_read_irq(struct kvm *kvm)
{
	struct kvm_irqchip_state *s = kvm_irqchip(kvm);
	unsigned long flags;
	int vector;

	pic_lock(s, &flags);
	vector = i8259_intack(&s->pic);
	pic_unlock(s, flags);
	return vector;
}

/* The chips have 8-bit ports; a wider access is one for each, as on an ISA bus. */
static int pic_dev_read(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			void *val)
{
	struct kvm_irqchip_state *s = kvm_irqchip(vcpu->kvm);
	unsigned long flags;
	u8 *byte = val;
	int i;

	pic_lock(s, &flags);
	for (i = 0; i < len; i++)
		byte[i] = i8259_read(&s->pic, addr + i);
	pic_unlock(s, flags);
	return 0;
}

static int pic_dev_write(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			 const void *val)
{
	struct kvm_irqchip_state *s = kvm_irqchip(vcpu->kvm);
	const u8 *byte = val;
	unsigned long flags;
	int i;

	pic_lock(s, &flags);
	for (i = 0; i < len; i++)
		i8259_write(&s->pic, addr + i, byte[i]);
	pic_unlock(s, flags);
	return 0;
}

static const struct kvm_io_device_ops pic_dev_ops = {
	.read = pic_dev_read,
	.write = pic_dev_write,
};

/* ---- the I/O APIC ---- */

/* The core's hook; ioapic_lock is held. */
static int ioapic_deliver(struct ioapic *ioapic, const struct kvm_lapic_irq *irq)
{
	struct kvm_irqchip_state *s = container_of(ioapic, struct kvm_irqchip_state, ioapic);

	return kvm_irq_delivery_to_apic(s->kvm, NULL, irq);
}

/**
 * kvm_ioapic_set_irq() - a source holds a pin of the I/O APIC high, or does no more
 * @kvm: the VM
 * @pin: 0..23
 * @source: KVM_*_IRQ_SOURCE_ID
 * @level: 0 or not
 * @line_status: the caller's caller wants to know what came of it; all are told
 *
 * Any context but NMI.
 *
 * Return: > 0: to so many CPUs; 0: coalesced; -1: masked, not yet ended, or there is no
 * I/O APIC here.
 */
int kvm_ioapic_set_irq(struct kvm *kvm, unsigned int pin, int source, int level, bool line_status)
{
	struct kvm_irqchip_state *s = kvm_irqchip(kvm);
	unsigned long flags;
	int r;

	if (!s || pin >= KVM_IOAPIC_NUM_PINS)
		return -1;
	pin = array_index_nospec(pin, KVM_IOAPIC_NUM_PINS);
	spin_lock_irqsave(&s->ioapic_lock, flags);
	r = ioapic_set_irq(&s->ioapic, pin, source, level);
	spin_unlock_irqrestore(&s->ioapic_lock, flags);
	return r;
}

/**
 * kvm_ioapic_update_eoi() - a local APIC broadcasts an EOI
 * @vcpu: whose local APIC
 * @vector: which interrupt ended
 * @level_triggered: it arrived as level-triggered, and the EOI is not directed
 *
 * Devices hear of it before the chip does: what they do to the pin decides whether
 * there is a next message.  Process context, no lock.
 */
void kvm_ioapic_update_eoi(struct kvm_vcpu *vcpu, int vector, bool level_triggered)
{
	struct kvm_irqchip_state *s = kvm_irqchip(vcpu->kvm);
	unsigned long flags, pins;
	unsigned int pin;
	bool storm;

	if (!s)
		return;
	spin_lock_irqsave(&s->ioapic_lock, flags);
	pins = ioapic_pins_of_vector(&s->ioapic, vector);
	spin_unlock_irqrestore(&s->ioapic_lock, flags);

	for_each_set_bit(pin, &pins, KVM_IOAPIC_NUM_PINS) {
		kvm_notify_acked_irq(s->kvm, KVM_IRQCHIP_IOAPIC, pin);
		if (!level_triggered)
			continue;
		spin_lock_irqsave(&s->ioapic_lock, flags);
		storm = ioapic_eoi(&s->ioapic, pin);
		spin_unlock_irqrestore(&s->ioapic_lock, flags);
		if (storm)
			schedule_delayed_work(&s->redeliver, HZ / 100);
	}
}

static void ioapic_redeliver_work(struct work_struct *work)
{
	struct kvm_irqchip_state *s =
		container_of(to_delayed_work(work), struct kvm_irqchip_state, redeliver);
	unsigned long flags;

	spin_lock_irqsave(&s->ioapic_lock, flags);
	ioapic_redeliver(&s->ioapic);
	spin_unlock_irqrestore(&s->ioapic_lock, flags);
}

/**
 * kvm_ioapic_scan() - which vectors' EOIs does the I/O APIC want from a vCPU?
 * @vcpu: the vCPU
 * @handled_vectors: 256 bits; those of interest are set, none is cleared
 *
 * A vector that the vCPU has in IRR or ISR counts whatever its entry says now: the guest
 * may have moved the interrupt elsewhere before it ended this one.
 */
void kvm_ioapic_scan(struct kvm_vcpu *vcpu, unsigned long *handled_vectors)
{
	struct kvm_irqchip_state *s = kvm_irqchip(vcpu->kvm);
	struct kvm_lapic_irq irq;
	unsigned long flags;
	unsigned int pin;

	if (!s)
		return;
	spin_lock_irqsave(&s->ioapic_lock, flags);
	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++) {
		ioapic_message(&s->ioapic, pin, &irq);
		if (!irq.trig_mode && !kvm_irq_has_notifier(s->kvm, KVM_IRQCHIP_IOAPIC, pin))
			continue;
		if (kvm_apic_match_dest(vcpu, &irq) || kvm_apic_pending_eoi(vcpu, irq.vector))
			__set_bit(irq.vector, handled_vectors);
	}
	spin_unlock_irqrestore(&s->ioapic_lock, flags);
}

/* Restored elsewhere, the registers are on no bus: userspace's, as with KVM. */
static bool ioapic_in_range(struct kvm_irqchip_state *s, gpa_t addr)
{
	u64 base = READ_ONCE(s->ioapic.base);

	return addr >= base && addr - base < IOAPIC_LENGTH;
}

/* Registers have 32 bits; of a wider access the rest is zero, or ignored. */
static int ioapic_dev_read(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr,
			   int len, void *val)
{
	struct kvm_irqchip_state *s = kvm_irqchip(vcpu->kvm);
	unsigned long flags;
	u32 data;

	if (!ioapic_in_range(s, addr))
		return -EOPNOTSUPP;
	spin_lock_irqsave(&s->ioapic_lock, flags);
	data = ioapic_read(&s->ioapic, addr & (IOAPIC_LENGTH - 1));
	spin_unlock_irqrestore(&s->ioapic_lock, flags);
	memset(val, 0, len);
	memcpy(val, &data, min_t(int, len, sizeof(data)));
	return 0;
}

static int ioapic_dev_write(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr,
			    int len, const void *val)
{
	struct kvm_irqchip_state *s = kvm_irqchip(vcpu->kvm);
	unsigned long flags;
	u32 data = 0, unmasked;
	bool changed;

	if (!ioapic_in_range(s, addr))
		return -EOPNOTSUPP;
	memcpy(&data, val, min_t(int, len, sizeof(data)));
	spin_lock_irqsave(&s->ioapic_lock, flags);
	changed = ioapic_write(&s->ioapic, addr & (IOAPIC_LENGTH - 1), data);
	unmasked = s->ioapic.unmasked;
	s->ioapic.unmasked = 0;
	spin_unlock_irqrestore(&s->ioapic_lock, flags);

	if (changed)
		kvm_make_all_cpus_request(s->kvm, KVM_REQ_SCAN_IOAPIC);
	kvm_pins_unmasked(s->kvm, KVM_IRQCHIP_IOAPIC, unmasked);
	return 0;
}

static const struct kvm_io_device_ops ioapic_dev_ops = {
	.read = ioapic_dev_read,
	.write = ioapic_dev_write,
};

/* ---- set-up, save and restore ---- */

/* Take the first @nr devices off their buses: the PICs' three, then the I/O APIC's. */
static void kvm_irqchip_leave_buses(struct kvm_irqchip_state *s, int nr)
{
	while (nr-- > 0) {
		if (nr == ARRAY_SIZE(s->pic_dev))
			kvm_io_bus_unregister_dev(s->kvm, KVM_MMIO_BUS, &s->ioapic_dev);
		else
			kvm_io_bus_unregister_dev(s->kvm, KVM_PIO_BUS, &s->pic_dev[nr]);
	}
}

static int kvm_irqchip_enter_buses(struct kvm_irqchip_state *s)
{
	int i, r = 0;

	for (i = 0; i < ARRAY_SIZE(s->pic_dev) && !r; i++) {
		s->pic_dev[i].ops = &pic_dev_ops;
		r = kvm_io_bus_register_dev(s->kvm, KVM_PIO_BUS, pic_ports[i], 2, &s->pic_dev[i]);
	}
	if (!r) {
		s->ioapic_dev.ops = &ioapic_dev_ops;
		i++;
		r = kvm_io_bus_register_dev(s->kvm, KVM_MMIO_BUS, IOAPIC_DEFAULT_BASE,
					    IOAPIC_LENGTH, &s->ioapic_dev);
	}
	if (r)
		kvm_irqchip_leave_buses(s, i - 1);
	return r;
}

/**
 * kvm_irqchip_create() - give a VM PICs and an I/O APIC
 * @kvm: the VM; it has none, and no vCPU; kvm->lock is held
 *
 * Nobody uses them before kvm_irqchip_mode() says KVM_IRQCHIP_KERNEL.
 *
 * Return: 0, or -ENOMEM.
 */
int kvm_irqchip_create(struct kvm *kvm)
{
	struct kvm_irqchip_state *s;
	int r;

	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	s->kvm = kvm;
	spin_lock_init(&s->pic_lock);
	spin_lock_init(&s->ioapic_lock);
	INIT_DELAYED_WORK(&s->redeliver, ioapic_redeliver_work);
	i8259_init(&s->pic);
	ioapic_init(&s->ioapic);
	s->ioapic.deliver = ioapic_deliver;

	mutex_lock(&kvm->slots_lock);
	r = kvm_irqchip_enter_buses(s);
	mutex_unlock(&kvm->slots_lock);
	if (r)
		kfree(s);
	else
		kvm->arch.irqchip = s;
	return r;
}

/**
 * kvm_irqchip_destroy() - undo kvm_irqchip_create()
 * @kvm: the VM; it ends, or has no vCPU and kvm->lock is held
 *
 * While its vCPUs exist; before or after the buses are destroyed; after kvm_pit_destroy() and
 * kvm_irqfd_release(): nobody raises a pin any more.
 */
void kvm_irqchip_destroy(struct kvm *kvm)
{
	struct kvm_irqchip_state *s = kvm->arch.irqchip;

	if (!s)
		return;
	mutex_lock(&kvm->slots_lock);
	if (rcu_access_pointer(kvm->buses[KVM_PIO_BUS]))
		kvm_irqchip_leave_buses(s, ARRAY_SIZE(s->pic_dev) + 1);
	mutex_unlock(&kvm->slots_lock);
	cancel_delayed_work_sync(&s->redeliver);
	kvm->arch.irqchip = NULL;
	kfree(s);
}

/**
 * kvm_vm_ioctl_get_irqchip() - KVM_GET_IRQCHIP
 * @kvm: the VM
 * @chip: @chip->chip_id says which; its state goes to @chip->chip
 *
 * Return: 0; -ENXIO without controllers in the kernel; -EINVAL: no such chip.
 */
int kvm_vm_ioctl_get_irqchip(struct kvm *kvm, struct kvm_irqchip *chip)
{
	struct kvm_irqchip_state *s = kvm_irqchip(kvm);
	unsigned long flags;

	if (!s)
		return -ENXIO;
	switch (chip->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		spin_lock_irqsave(&s->pic_lock, flags);
		i8259_get_state(&s->pic, chip->chip_id == KVM_IRQCHIP_PIC_SLAVE,
				&chip->chip.pic);
		spin_unlock_irqrestore(&s->pic_lock, flags);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		spin_lock_irqsave(&s->ioapic_lock, flags);
		ioapic_get_state(&s->ioapic, &chip->chip.ioapic);
		spin_unlock_irqrestore(&s->ioapic_lock, flags);
		return 0;
	default:
		return -EINVAL;
	}
}

/**
 * kvm_vm_ioctl_set_irqchip() - KVM_SET_IRQCHIP
 * @kvm: the VM
 * @chip: @chip->chip_id says which; @chip->chip is its state
 *
 * Return: 0; -ENXIO without controllers in the kernel; -EINVAL: no such chip.
 */
int kvm_vm_ioctl_set_irqchip(struct kvm *kvm, const struct kvm_irqchip *chip)
{
	struct kvm_irqchip_state *s = kvm_irqchip(kvm);
	unsigned long flags;

	if (!s)
		return -ENXIO;
	switch (chip->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		pic_lock(s, &flags);
		/* INTR may be up already for a vCPU that has just been set up: tell it. */
		s->pic_was_up = false;
		i8259_set_state(&s->pic, chip->chip_id == KVM_IRQCHIP_PIC_SLAVE,
				&chip->chip.pic);
		pic_unlock(s, flags);
		break;
	case KVM_IRQCHIP_IOAPIC:
		spin_lock_irqsave(&s->ioapic_lock, flags);
		ioapic_set_state(&s->ioapic, &chip->chip.ioapic);
		spin_unlock_irqrestore(&s->ioapic_lock, flags);
		kvm_make_all_cpus_request(kvm, KVM_REQ_SCAN_IOAPIC);
		break;
	default:
		return -EINVAL;
	}
	kvm_pit_irqchip_set(kvm);
	return 0;
}
