// SPDX-License-Identifier: GPL-2.0
/*
 * ioapic.c - the I/O APIC: 24 pins, each of which sends an interrupt message
 *
 * Models the Intel 82093AA ("82093AA I/O Advanced Programmable Interrupt Controller",
 * datasheet 290566), version 0x11: 24 redirection entries behind an index and a data
 * register, no EOI register (that came with version 0x20).
 *
 * The way of an interrupt:
 *
 *	a pin rises	ioapic_set_irq()
 *	a message	ioapic_service()  if the entry is not masked, and, if it is
 *					  level-triggered, no EOI is outstanding
 *	EOI		ioapic_eoi()	  level: Remote IRR falls; if the pin is still
 *					  high, the next message goes at once
 *
 * Level-triggered pins lose nothing: whatever stopped the message (mask, Remote IRR),
 * its end looks at the pin again.  An edge on a masked pin is lost, as in the chip.
 *
 * Reserved bits of an entry read as zero.  Messages arrive at once, so Delivery Status
 * is always "idle".  Polarity is stored and means nothing: a pin here is asserted or
 * not.
 *
 * Left out on purpose: the arbitration register is a copy of the ID, for there is no
 * APIC bus to arbitrate for.
 *
 * No locks: struct ioapic is the binding's, and so is the order in which an EOI first
 * tells devices and then looks at the pin: see kvm_ioapic_update_eoi().
 */
#include "ioapic.h"

#define IOAPIC_VERSION_ID	0x11

/* Offsets from the base, and indices. */
#define IOAPIC_REG_SELECT	0x00
#define IOAPIC_REG_WINDOW	0x10
#define IOAPIC_INDEX_ID		0x00
#define IOAPIC_INDEX_VERSION	0x01
#define IOAPIC_INDEX_ARB	0x02
#define IOAPIC_INDEX_REDIRTBL	0x10

#define IOAPIC_ID_SHIFT		24
#define IOAPIC_ID_MASK		0xf

/* The bits that an entry has, and those that a write changes. */
#define IOAPIC_DEFINED	(0x1ffffull | 0xffull << IOAPIC_DEST_SHIFT)
#define IOAPIC_WRITABLE	(IOAPIC_DEFINED & ~(IOAPIC_STATUS | IOAPIC_REMOTE_IRR))

/**
 * ioapic_message() - what a pin sends
 * @ioapic: the chip
 * @pin: 0..23
 * @irq: the message
 */
void ioapic_message(const struct ioapic *ioapic, unsigned int pin, struct kvm_lapic_irq *irq)
{
	u64 entry = ioapic->redirtbl[pin];

	*irq = (struct kvm_lapic_irq){
		.vector = entry & IOAPIC_VECTOR,
		/* Encoded as in the local APIC's ICR. */
		.delivery_mode = entry & IOAPIC_DM_MASK,
		.dest_mode = entry & IOAPIC_LOGICAL ? APIC_DEST_LOGICAL : APIC_DEST_PHYSICAL,
		.level = true,
		.trig_mode = !!(entry & IOAPIC_LEVEL),
		.shorthand = APIC_DEST_NOSHORT,
		.dest_id = entry >> IOAPIC_DEST_SHIFT,
	};
}

/* Does this interrupt have an EOI?  NMI, SMI, INIT and ExtINT have none. */
static bool ioapic_has_eoi(u64 entry)
{
	u32 mode = entry & IOAPIC_DM_MASK;

	return mode == APIC_DM_FIXED || mode == APIC_DM_LOWEST;
}

/* The pin is high: send its message, unless it must wait.  As ioapic_set_irq(). */
static int ioapic_service(struct ioapic *ioapic, unsigned int pin)
{
	u64 *entry = &ioapic->redirtbl[pin];
	struct kvm_lapic_irq irq;
	int r;

	if (*entry & IOAPIC_MASKED)
		return -1;
	if ((*entry & IOAPIC_LEVEL) && (*entry & IOAPIC_REMOTE_IRR))
		return -1;

	ioapic_message(ioapic, pin, &irq);
	r = ioapic->deliver(ioapic, &irq);
	if (!(*entry & IOAPIC_LEVEL))
		ioapic->delivered |= 1u << pin;
	else if (r > 0 && ioapic_has_eoi(*entry))
		*entry |= IOAPIC_REMOTE_IRR;
	return r;
}

/**
 * ioapic_set_irq() - a source holds a pin high, or does no more
 * @ioapic: the chip
 * @pin: 0..23
 * @source: 0..7; the pin is high while any source holds it
 * @level: high
 *
 * Return: > 0: to so many CPUs, or the pin fell; 0: coalesced with one that waits;
 * -1: masked, its EOI is outstanding, or no CPU is named.
 */
int ioapic_set_irq(struct ioapic *ioapic, unsigned int pin, unsigned int source, bool level)
{
	u32 bit = 1u << pin;
	bool was_high = ioapic->irr & bit;

	if (level)
		ioapic->sources[pin] |= 1u << source;
	else
		ioapic->sources[pin] &= ~(1u << source);

	if (!ioapic->sources[pin]) {
		ioapic->irr &= ~bit;
		ioapic->delivered &= ~bit;
		return 1;
	}
	ioapic->irr |= bit;
	if (!(ioapic->redirtbl[pin] & IOAPIC_LEVEL) && was_high)
		return 0;
	return ioapic_service(ioapic, pin);
}

/* ---- EOI ---- */

/**
 * ioapic_pins_of_vector() - whose interrupt has this vector?
 * @ioapic: the chip
 * @vector: of an EOI
 *
 * Return: a bit for each pin.
 */
u32 ioapic_pins_of_vector(const struct ioapic *ioapic, u8 vector)
{
	unsigned int pin;
	u32 pins = 0;

	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++)
		if ((ioapic->redirtbl[pin] & IOAPIC_VECTOR) == vector)
			pins |= 1u << pin;
	return pins;
}

/**
 * ioapic_eoi() - the EOI of a level-triggered interrupt arrives
 * @ioapic: the chip
 * @pin: one of ioapic_pins_of_vector()
 *
 * If the pin is high its next message is sent; but not if that has happened
 * IOAPIC_EOI_STORM times in a row: a guest that handles such an interrupt without
 * making the device quiet gets nowhere, and is to have some time without.
 *
 * Return: true if the next message is still to be sent: ioapic_redeliver(), a little
 * later.
 */
bool ioapic_eoi(struct ioapic *ioapic, unsigned int pin)
{
	u64 *entry = &ioapic->redirtbl[pin];

	/* Changed to edge by another CPU, which cleared Remote IRR. */
	if (!(*entry & IOAPIC_LEVEL))
		return false;
	*entry &= ~IOAPIC_REMOTE_IRR;
	if ((*entry & IOAPIC_MASKED) || !(ioapic->irr & (1u << pin))) {
		ioapic->eoi_count[pin] = 0;
		return false;
	}
	if (++ioapic->eoi_count[pin] >= IOAPIC_EOI_STORM) {
		ioapic->eoi_count[pin] = 0;
		return true;
	}
	ioapic_service(ioapic, pin);
	return false;
}

/**
 * ioapic_redeliver() - send what level-triggered pins have waiting
 * @ioapic: the chip
 */
void ioapic_redeliver(struct ioapic *ioapic)
{
	unsigned int pin;

	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++)
		if ((ioapic->redirtbl[pin] & IOAPIC_LEVEL) && (ioapic->irr & (1u << pin)))
			ioapic_service(ioapic, pin);
}

/* ---- registers ---- */

static u32 ioapic_read_index(const struct ioapic *ioapic)
{
	unsigned int half = ioapic->ioregsel - IOAPIC_INDEX_REDIRTBL;

	switch (ioapic->ioregsel) {
	case IOAPIC_INDEX_VERSION:
		return (KVM_IOAPIC_NUM_PINS - 1) << 16 | IOAPIC_VERSION_ID;
	case IOAPIC_INDEX_ID:
	case IOAPIC_INDEX_ARB:
		return ioapic->id << IOAPIC_ID_SHIFT;
	}
	if (ioapic->ioregsel < IOAPIC_INDEX_REDIRTBL)
		return 0;
	if (half / 2 >= KVM_IOAPIC_NUM_PINS)
		return ~0u;
	return ioapic->redirtbl[half / 2] >> (half & 1 ? 32 : 0);
}

/**
 * ioapic_read() - the guest reads a register
 * @ioapic: the chip
 * @offset: from the base; what is no register reads as 0
 */
u32 ioapic_read(const struct ioapic *ioapic, unsigned int offset)
{
	switch (offset) {
	case IOAPIC_REG_SELECT:
		return ioapic->ioregsel;
	case IOAPIC_REG_WINDOW:
		return ioapic_read_index(ioapic);
	}
	return 0;
}

/* Half of an entry is written. */
static void ioapic_write_entry(struct ioapic *ioapic, unsigned int half, u32 val)
{
	unsigned int pin = half / 2, shift = half & 1 ? 32 : 0;
	u64 writable = IOAPIC_WRITABLE & (0xffffffffull << shift);
	u64 *entry = &ioapic->redirtbl[pin];
	u64 old = *entry;

	*entry = (old & ~writable) | ((u64)val << shift & writable);
	/*
	 * Without an EOI register the only way to get rid of Remote IRR by force is
	 * to make the pin edge-triggered for a moment, and guests do.
	 */
	if (!(*entry & IOAPIC_LEVEL))
		*entry &= ~IOAPIC_REMOTE_IRR;
	if ((old & IOAPIC_MASKED) && !(*entry & IOAPIC_MASKED))
		ioapic->unmasked |= 1u << pin;
	if ((*entry & IOAPIC_LEVEL) && (ioapic->irr & (1u << pin)))
		ioapic_service(ioapic, pin);
}

/**
 * ioapic_write() - the guest writes a register
 * @ioapic: the chip
 * @offset: from the base
 * @val: what it writes
 *
 * Return: true if it was a redirection entry: vectors and destinations may be others.
 */
bool ioapic_write(struct ioapic *ioapic, unsigned int offset, u32 val)
{
	unsigned int half = ioapic->ioregsel - IOAPIC_INDEX_REDIRTBL;

	if (offset == IOAPIC_REG_SELECT)
		ioapic->ioregsel = val & 0xff;
	if (offset != IOAPIC_REG_WINDOW)
		return false;
	if (ioapic->ioregsel == IOAPIC_INDEX_ID)
		ioapic->id = val >> IOAPIC_ID_SHIFT & IOAPIC_ID_MASK;
	if (ioapic->ioregsel < IOAPIC_INDEX_REDIRTBL || half / 2 >= KVM_IOAPIC_NUM_PINS)
		return false;
	ioapic_write_entry(ioapic, half, val);
	return true;
}

/* ---- set-up, save and restore ---- */

/**
 * ioapic_init() - power-up: everything is masked
 * @ioapic: the chip; @ioapic->deliver is set afterwards
 */
void ioapic_init(struct ioapic *ioapic)
{
	unsigned int pin;

	*ioapic = (struct ioapic){ .base = IOAPIC_DEFAULT_BASE };
	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++)
		ioapic->redirtbl[pin] = IOAPIC_MASKED;
}

/**
 * ioapic_get_state() - save
 * @ioapic: the chip
 * @state: all of its state; a pin that is high is not in @state->irr if its edge
 *	was delivered, for whoever restores that delivers it
 */
void ioapic_get_state(const struct ioapic *ioapic, struct kvm_ioapic_state *state)
{
	unsigned int pin;

	*state = (struct kvm_ioapic_state){
		.base_address = ioapic->base,
		.ioregsel = ioapic->ioregsel,
		.id = ioapic->id,
		.irr = ioapic->irr & ~ioapic->delivered,
	};
	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++)
		state->redirtbl[pin].bits = ioapic->redirtbl[pin];
}

/**
 * ioapic_set_state() - restore
 * @ioapic: the chip
 * @state: as ioapic_get_state() gave it; what no chip can have is made to fit
 *
 * Pins that are high in @state and may send their message do so.  Who holds the pins
 * is not changed: the devices are restored by others, and each pin falls when its
 * device says so.
 */
void ioapic_set_state(struct ioapic *ioapic, const struct kvm_ioapic_state *state)
{
	unsigned int pin;

	ioapic->base = state->base_address;
	ioapic->ioregsel = state->ioregsel & 0xff;
	ioapic->id = state->id & IOAPIC_ID_MASK;
	ioapic->irr = state->irr & ((1u << KVM_IOAPIC_NUM_PINS) - 1);
	ioapic->delivered = 0;
	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++) {
		u64 entry = state->redirtbl[pin].bits & IOAPIC_DEFINED & ~IOAPIC_STATUS;

		if (!(entry & IOAPIC_LEVEL))
			entry &= ~IOAPIC_REMOTE_IRR;
		ioapic->redirtbl[pin] = entry;
		ioapic->eoi_count[pin] = 0;
	}
	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++)
		if (ioapic->irr & (1u << pin))
			ioapic_service(ioapic, pin);
}
