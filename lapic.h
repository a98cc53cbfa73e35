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

#define LAPIC_PAGE_SIZE		0x400	/* of the registers; also of struct kvm_lapic_state */
#define LAPIC_NR_LVT		6
/* Version 14H: an integrated xAPIC, without suppression of EOI broadcasts. */
#define LAPIC_VERSION		(0x14 | (LAPIC_NR_LVT - 1) << 16)
#define LAPIC_BUS_CYCLE_NS	1	/* the timer counts 1 GHz, divided by TDCR */
/* The shortest period of the periodic timer: what a host can bear. */
#define LAPIC_MIN_PERIOD_NS	200000

/* Bits of the ESR (SDM vol. 3, 11.5.3). */
#define LAPIC_ESR_SEND_ILLEGAL	0x20u
#define LAPIC_ESR_RECV_ILLEGAL	0x40u
#define LAPIC_ESR_ILLEGAL_REG	0x80u

enum lapic_mode { LAPIC_DISABLED, LAPIC_XAPIC, LAPIC_X2APIC };

/**
 * struct lapic - one local APIC
 * @regs:	the register page, %LAPIC_PAGE_SIZE bytes, as xAPIC lays it out.  In
 *		x2APIC mode the ID register is 32 bits wide and ICR2 has the upper
 *		half of the ICR
 * @mode:	as IA32_APIC_BASE has it
 * @id:		of the CPU: its x2APIC ID, and the initial ID in xAPIC mode
 * @tsc_deadline_mode: the timer has that mode (CPUID.1:ECX bit 24)
 * @directed_eoi: software can keep EOIs from the I/O APICs, as theirs have an EOI register
 * @esr_pending: errors since the last write to the ESR, which shows them
 * @timer:	one-shot and periodic: a count is under way
 * @timer.period: TMICT as a time, in ns
 * @timer.target: when the count first reaches 0, in ns of the caller's clock
 * @tsc_deadline: guest TSC at which the timer fires; 0: not armed
 * @posted:	hardware may be at work on the page: what arrives goes to @pir first
 * @pir:	interrupts on their way to the IRR, as in it; see lapic_take_posted()
 * @acted_on:	the registers as this code last wrote them: see lapic_write_done()
 *
 * IRR (@pir if @posted), TMR and @esr_pending are changed with atomic operations, by any thread
 * (lapic_set_irr(), lapic_error()).  All else belongs to the vCPU's thread; others
 * may look (destinations, LVTs, enabled or not) and see it before or after a change.
 */
struct lapic {
	u8 *regs;
	enum lapic_mode mode;
	u32 id;
	bool tsc_deadline_mode;
	bool directed_eoi;
	u32 esr_pending;
	struct {
		bool armed;
		u64 period;
		u64 target;
	} timer;
	u64 tsc_deadline;
	bool posted;
	u32 pir[8];
	u32 acted_on[LAPIC_PAGE_SIZE / 0x10];
};

/* What the binding is to do after a register access: struct lapic_effect.what. */
#define LAPIC_DO_EVENT	0x01	/* look again whether there is an interrupt to inject */
#define LAPIC_DO_SEND	0x02	/* deliver @irq */
#define LAPIC_DO_EOI	0x04	/* tell the I/O APICs: @eoi_vector, @eoi_level */
#define LAPIC_DO_MAP	0x08	/* an ID, or a logical destination, has changed */
#define LAPIC_DO_TIMER	0x10	/* set the host's timer anew, or stop it */
#define LAPIC_DO_TPR	0x20	/* the task priority has changed */

struct lapic_effect {
	u32 what;
	struct kvm_lapic_irq irq;
	u8 eoi_vector;
	bool eoi_level;
};

/* ---- registers ---- */

void lapic_set_version(struct lapic *l);
bool lapic_eoi_is_directed(const struct lapic *l);
void lapic_reset(struct lapic *l, bool init);
void lapic_open_lint0(struct lapic *l);
void lapic_set_tpr(struct lapic *l, u8 cr8);
void lapic_set_mode(struct lapic *l, enum lapic_mode mode);
u32 lapic_get(const struct lapic *l, unsigned int reg);
bool lapic_read(struct lapic *l, unsigned int reg, u64 now, u64 *val);
bool lapic_write(struct lapic *l, unsigned int reg, u64 val, u64 now, struct lapic_effect *e);
void lapic_write_done(struct lapic *l, unsigned int reg, u64 now, struct lapic_effect *e);
bool lapic_mmio_read(struct lapic *l, unsigned int offset, unsigned int len, u64 now, u32 *val);
void lapic_mmio_write(struct lapic *l, unsigned int offset, unsigned int len, u32 val, u64 now,
		      struct lapic_effect *e);
void lapic_get_page(struct lapic *l, u64 now, bool wide_id, void *page);
bool lapic_set_page(struct lapic *l, u64 now, bool wide_id, const void *page);

/* ---- interrupts ---- */

bool lapic_sw_enabled(const struct lapic *l);
bool lapic_matches(const struct lapic *l, const struct kvm_lapic_irq *irq, bool ipi,
		   bool broadcast_quirk);
bool lapic_set_irr(struct lapic *l, u8 vector, bool level);
bool lapic_error(struct lapic *l, u32 error);
u8 lapic_ppr(const struct lapic *l);
bool lapic_vector_active(const struct lapic *l, u8 vector);
void lapic_take_posted(struct lapic *l);
int lapic_highest_isr(const struct lapic *l);
int lapic_highest_irr(const struct lapic *l);
int lapic_pending(const struct lapic *l);
u8 lapic_masked_by_tpr(const struct lapic *l);
int lapic_ack(struct lapic *l);
void lapic_eoi(struct lapic *l, struct lapic_effect *e);
int lapic_sole_edge(const struct lapic *l);
u32 lapic_vapic_word(const struct lapic *l);
bool lapic_extint_open(const struct lapic *l);

/* ---- timer ---- */

u32 lapic_timer_count(const struct lapic *l, u64 now);
bool lapic_timer_periodic(const struct lapic *l);
bool lapic_timer_deadline(const struct lapic *l);
u64 lapic_tsc_to_ns(u64 cycles, u32 khz);

#endif
