/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The I/O APIC: 24 pins, each of which sends an interrupt message
 *
 * A pure core: no lock, no kernel service; it compiles in userspace too
 * (tools/unit).  irqchip.c is the binding.
 */
#ifndef MINIKVM_IOAPIC_H
#define MINIKVM_IOAPIC_H

#include "lapic.h"
#include <asm/kvm.h>
#ifdef __KERNEL__
#include <linux/bits.h>
#else
#undef BIT_ULL
#define BIT_ULL(n) (1ull << (n))
#endif

#define IOAPIC_DEFAULT_BASE	0xfec00000u
#define IOAPIC_LENGTH		0x100

/* A redirection entry, 82093AA 3.2.4. */
#define IOAPIC_VECTOR		0xffull
#define IOAPIC_DM_SHIFT		8
#define IOAPIC_DM_MASK		(7ull << IOAPIC_DM_SHIFT)
#define IOAPIC_LOGICAL		BIT_ULL(11)
#define IOAPIC_STATUS		BIT_ULL(12)	/* delivery status: never pending here */
#define IOAPIC_POLARITY		BIT_ULL(13)
#define IOAPIC_REMOTE_IRR	BIT_ULL(14)
#define IOAPIC_LEVEL		BIT_ULL(15)
#define IOAPIC_MASKED		BIT_ULL(16)
#define IOAPIC_DEST_SHIFT	56

/* EOIs that at once find the pin high again, before the guest is given a pause. */
#define IOAPIC_EOI_STORM	10000

/**
 * struct ioapic - the chip
 * @redirtbl:	redirection entries
 * @base:	where the VMM says that its registers are
 * @ioregsel:	the register that the window shows
 * @id:		0..15
 * @irr:	pins that are high
 * @delivered:	pins among them whose edge was delivered
 * @sources:	for each pin a bit for each source that holds it high
 * @eoi_count:	for each pin, EOIs in a row after which it was high
 * @unmasked:	pins unmasked since the binding cleared this
 * @deliver:	sends a message: the number of CPUs that took it; 0: all had it
 *		already; -1: there was none
 */
struct ioapic {
	u64 redirtbl[KVM_IOAPIC_NUM_PINS];
	u64 base;
	u32 ioregsel;
	u32 id;
	u32 irr;
	u32 delivered;
	u8 sources[KVM_IOAPIC_NUM_PINS];
	u16 eoi_count[KVM_IOAPIC_NUM_PINS];
	u32 unmasked;
	int (*deliver)(struct ioapic *ioapic, const struct kvm_lapic_irq *irq);
};

void ioapic_init(struct ioapic *ioapic);
int ioapic_set_irq(struct ioapic *ioapic, unsigned int pin, unsigned int source, bool level);
u32 ioapic_pins_of_vector(const struct ioapic *ioapic, u8 vector);
bool ioapic_eoi(struct ioapic *ioapic, unsigned int pin);
void ioapic_redeliver(struct ioapic *ioapic);
void ioapic_message(const struct ioapic *ioapic, unsigned int pin, struct kvm_lapic_irq *irq);
u32 ioapic_read(const struct ioapic *ioapic, unsigned int offset);
bool ioapic_write(struct ioapic *ioapic, unsigned int offset, u32 val);
void ioapic_get_state(const struct ioapic *ioapic, struct kvm_ioapic_state *state);
void ioapic_set_state(struct ioapic *ioapic, const struct kvm_ioapic_state *state);

#endif
