/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The local APIC: registers, priorities, destinations, timer arithmetic
 *
 * A pure core: it knows no vCPU, takes no lock, reads no clock, and compiles in
 * userspace too (tools/unit).  What a register write makes the outside do (send a
 * message, tell the I/O APICs of an EOI, set the host's timer) it does not do but
 * reports, in a struct lapic_effect; apic.c is the binding that does it.
 */
#ifndef MINIKVM_LAPIC_H
#define MINIKVM_LAPIC_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#endif
#include <asm/apicdef.h>

/**
 * struct kvm_lapic_irq - an interrupt message, of an I/O APIC pin, MSI or ICR
 * @vector:	0..255
 * @delivery_mode: APIC_DM_FIXED, APIC_DM_LOWEST, APIC_DM_SMI, _NMI, _INIT, _STARTUP, _EXTINT
 * @dest_mode:	APIC_DEST_PHYSICAL or APIC_DEST_LOGICAL
 * @level:	asserted (INIT de-assert is 0)
 * @trig_mode:	level-triggered: the EOI goes to the I/O APICs
 * @shorthand:	APIC_DEST_NOSHORT, _SELF, _ALLINC, _ALLBUT
 * @dest_id:	as in the message: 8 bits, or 32 with x2APIC format
 * @msi_redir_hint: MSI: any one of the destinations
 */
struct kvm_lapic_irq {
	u32 vector;
	u16 delivery_mode;
	u16 dest_mode;
	bool level;
	u16 trig_mode;
	u32 shorthand;
	u32 dest_id;
	bool msi_redir_hint;
};

#define APIC_DEST_NOSHORT	0	/* asm/apicdef.h has the other shorthands */

#endif
