// SPDX-License-Identifier: GPL-2.0
/*
 * lapic.c - the local APIC: registers, priorities, destinations, timer arithmetic
 *
 * Each CPU has one (SDM vol. 3, chapter 11).  It collects interrupt messages from
 * the I/O APIC, from devices (MSI), from other CPUs and from itself, and hands
 * them to the CPU in the order of their priority.  The way of an interrupt:
 *
 *	message --(matches my ID or LDR?)--> IRR --(priority > PPR)--> ISR --(EOI)--> done
 *
 *	lapic_matches()		is it for this CPU?
 *	lapic_set_irr()		it waits: a bit in the IRR; the TMR says if an EOI is to
 *				be told to the I/O APICs
 *	lapic_pending()		the highest one that the CPU may take now, if any
 *	lapic_ack()		the CPU takes it: IRR to ISR
 *	lapic_eoi()		the handler is done: out of the ISR
 *
 * The upper four bits of a vector are its priority class.  The PPR is the higher of
 * the class in service and of the TPR, and only a class above it gets in.
 *
 * Registers are reached in one of two ways, by mode: in a page of memory (xAPIC),
 * each in the first 4 of 16 bytes; or as MSRs 800H and up (x2APIC), where
 * reserved bits cause #GP.  reg_rules[] says which registers exist in which mode
 * and what can be written.
 *
 * Not here: sending a message on (apic.c has the map of who has which ID), the
 * host's timer, INIT and SIPI.  Left out for good: SMI, the thermal and performance
 * sources behind their LVTs, focus processors, arbitration IDs (as every xAPIC).
 */
#include "lapic.h"

#ifdef __KERNEL__
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/string.h>
#else
#include <string.h>
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define fallthrough __attribute__((__fallthrough__))
#endif

/* Names that asm/apicdef.h lacks. */
#define LVT_SENT		0x1000u	/* delivery status: read only, always idle */
#define LVT_REMOTE_IRR		0x4000u	/* read only */
#define LVT_MODE_MASK		(3u << 17)	/* of the timer */
#define ICR_TRIGGER_LEVEL	APIC_INT_LEVELTRIG
#define ICR_X2APIC_RESERVED	0xfff32000u	/* bits 31:20, 17:16, 13 (SDM 11.12.9) */
#define ILLEGAL_BELOW		16		/* vectors 0..15 are not the APIC's */

/* ---- a page of registers, some of them written by several threads ---- */

static u32 *reg_ptr(const struct lapic *l, unsigned int reg)
{
	return (u32 *)(l->regs + reg);
}

/**
 * lapic_get() - a register's 32 bits as they are in the page
 * @l: the APIC
 * @reg: its offset in the page, %APIC_ID and so on
 */
u32 lapic_get(const struct lapic *l, unsigned int reg)
{
	return READ_ONCE(*reg_ptr(l, reg));
}

static void set_reg(struct lapic *l, unsigned int reg, u32 val)
{
	*reg_ptr(l, reg) = val;
	l->acted_on[reg / 0x10] = val;
}

/* A vector's word in the 256 bits of IRR, ISR or TMR, and its bit in there. */
static unsigned int vector_reg(unsigned int base, u8 vector)
{
	return base + vector / 32 * 0x10;
}

static u32 vector_bit(u8 vector)
{
	return 1u << (vector % 32);
}

static bool test_vector(const struct lapic *l, unsigned int base, u8 vector)
{
	return lapic_get(l, vector_reg(base, vector)) & vector_bit(vector);
}

/*
 * Atomic, and full barriers.  Return what the bits were.  (A register has 16 bytes,
 * so that the kernel's functions may touch 8.)
 */
#ifdef __KERNEL__
static bool atomic_set_vector(struct lapic *l, unsigned int base, u8 vector)
{
	return test_and_set_bit(vector % 32, (unsigned long *)reg_ptr(l, vector_reg(base, vector)));
}

static bool atomic_clear_vector(struct lapic *l, unsigned int base, u8 vector)
{
	return test_and_clear_bit(vector % 32,
				  (unsigned long *)reg_ptr(l, vector_reg(base, vector)));
}

static u32 atomic_or_u32(u32 *word, u32 bits)
{
	return atomic_fetch_or(bits, (atomic_t *)word);
}

static u32 atomic_take_u32(u32 *word)
{
	return xchg(word, 0);
}
#else
static bool atomic_set_vector(struct lapic *l, unsigned int base, u8 vector)
{
	return __atomic_fetch_or(reg_ptr(l, vector_reg(base, vector)), vector_bit(vector),
				 __ATOMIC_SEQ_CST) & vector_bit(vector);
}

static bool atomic_clear_vector(struct lapic *l, unsigned int base, u8 vector)
{
	return __atomic_fetch_and(reg_ptr(l, vector_reg(base, vector)), ~vector_bit(vector),
				  __ATOMIC_SEQ_CST) & vector_bit(vector);
}

static u32 atomic_or_u32(u32 *word, u32 bits)
{
	return __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST);
}

static u32 atomic_take_u32(u32 *word)
{
	return __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST);
}
#endif

/* The highest vector in IRR or ISR, -1 if there is none. */
static int highest_vector(const struct lapic *l, unsigned int base)
{
	int word;
	u32 bits;

	for (word = 7; word >= 0; word--) {
		bits = lapic_get(l, base + word * 0x10);
		if (bits)
			return word * 32 + 31 - __builtin_clz(bits);
	}
	return -1;
}

/* ---- which registers there are ---- */

#define R	0x01	/* can be read */
#define W	0x02	/* can be written */
#define XR	0x04	/* only in xAPIC mode */
#define XW	0x08
#define X2W	0x10	/* only in x2APIC mode */

/* By offset / 16: access, and the bits that a write changes. */
static const struct {
	u8 access;
	u32 writable;
	u32 ignored;	/* bits that a write may have set, though they are read only */
} reg_rules[LAPIC_PAGE_SIZE / 0x10] = {
#define REG(offset)	[(offset) / 0x10]
	REG(APIC_ID)		= { R | XW, 0xff000000 },
	REG(APIC_LVR)		= { R },
	REG(APIC_TASKPRI)	= { R | W, 0xff },
	REG(APIC_ARBPRI)	= { XR },
	REG(APIC_PROCPRI)	= { R },
	REG(APIC_EOI)		= { W },
	REG(APIC_RRR)		= { XR },
	REG(APIC_LDR)		= { R | XW, 0xff000000 },
	REG(APIC_DFR)		= { XR | XW, 0xf0000000 },
	REG(APIC_SPIV)		= { R | W, 0x13ff },
	[APIC_ISR / 0x10 ... APIC_IRR / 0x10 + 7] = { R },	/* ISR, TMR, IRR */
	REG(APIC_ESR)		= { R | W },
	REG(APIC_ICR)		= { R | W },	/* write_icr() has its rules */
	REG(APIC_ICR2)		= { XR | XW, 0xff000000 },
	REG(APIC_LVTT)		= { R | W, 0x700ff, LVT_SENT },
	REG(APIC_LVTTHMR)	= { R | W, 0x107ff, LVT_SENT },
	REG(APIC_LVTPC)		= { R | W, 0x107ff, LVT_SENT },
	REG(APIC_LVT0)		= { R | W, 0x1a7ff, LVT_SENT | LVT_REMOTE_IRR },
	REG(APIC_LVT1)		= { R | W, 0x1a7ff, LVT_SENT | LVT_REMOTE_IRR },
	REG(APIC_LVTERR)	= { R | W, 0x100ff, LVT_SENT },
	REG(APIC_TMICT)		= { R | W, ~0u },
	REG(APIC_TMCCT)		= { R },
	REG(APIC_TDCR)		= { R | W, 0xb },
	REG(APIC_SELF_IPI)	= { X2W, 0xff },
#undef REG
};

static bool is_lvt(unsigned int reg)
{
	return reg >= APIC_LVTT && reg <= APIC_LVTERR;
}

static u8 reg_access(unsigned int reg)
{
	return reg < LAPIC_PAGE_SIZE && !(reg % 0x10) ? reg_rules[reg / 0x10].access : 0;
}

static bool reg_readable(const struct lapic *l, unsigned int reg)
{
	return reg_access(reg) & (l->mode == LAPIC_XAPIC ? R | XR : R);
}

static bool reg_writable(const struct lapic *l, unsigned int reg)
{
	return reg_access(reg) & (l->mode == LAPIC_XAPIC ? W | XW : W | X2W);
}

#undef R
#undef W
#undef XR
#undef XW
#undef X2W

/* The bits of a register that this APIC implements. */
static u32 reg_mask(const struct lapic *l, unsigned int reg)
{
	u32 mask = reg_rules[reg / 0x10].writable;

	if (reg == APIC_LVTT && !l->tsc_deadline_mode)
		mask &= ~(u32)APIC_LVT_TIMER_TSCDEADLINE;
	if (reg == APIC_SPIV && !l->directed_eoi)
		mask &= ~APIC_SPIV_DIRECTED_EOI;
	return mask;
}

/* ---- reset, modes ---- */

/**
 * lapic_set_version() - the version register, by what the APIC can do
 * @l: the APIC
 */
void lapic_set_version(struct lapic *l)
{
	set_reg(l, APIC_LVR, LAPIC_VERSION | (l->directed_eoi ? APIC_LVR_DIRECTED_EOI : 0));
}

static void set_x2apic_id(struct lapic *l)
{
	set_reg(l, APIC_ID, l->id);
	/* Derived from the ID, and read only (SDM 11.12.10.2). */
	set_reg(l, APIC_LDR, (l->id >> 4) << 16 | 1u << (l->id & 0xf));
}

/**
 * lapic_reset() - the state after power-up, or after INIT (SDM 11.4.7)
 * @l: the APIC; its mode stays
 * @init: INIT, which does not change the ID
 *
 * The binding stops the host's timer.
 */
void lapic_reset(struct lapic *l, bool init)
{
	u32 id = init ? lapic_get(l, APIC_ID) : l->id << 24;
	unsigned int reg;

	memset(l->regs, 0, LAPIC_PAGE_SIZE);
	memset(l->acted_on, 0, sizeof(l->acted_on));
	memset(l->pir, 0, sizeof(l->pir));
	set_reg(l, APIC_ID, id);
	lapic_set_version(l);
	set_reg(l, APIC_DFR, APIC_DFR_FLAT);
	set_reg(l, APIC_SPIV, 0xff);
	for (reg = APIC_LVTT; reg <= APIC_LVTERR; reg += 0x10)
		set_reg(l, reg, APIC_LVT_MASKED);
	if (l->mode == LAPIC_X2APIC)
		set_x2apic_id(l);
	l->esr_pending = 0;
	l->timer.armed = false;
	l->tsc_deadline = 0;
}

/**
 * lapic_open_lint0() - the PIC's interrupts come through, as firmware has set it up
 * @l: the APIC, just reset
 */
void lapic_open_lint0(struct lapic *l)
{
	set_reg(l, APIC_LVT0, APIC_DM_EXTINT);
}

/**
 * lapic_set_tpr() - MOV to CR8
 * @l: the APIC
 * @cr8: 0..15, the TPR's class
 */
void lapic_set_tpr(struct lapic *l, u8 cr8)
{
	set_reg(l, APIC_TASKPRI, cr8 << 4);
}

/**
 * lapic_set_mode() - IA32_APIC_BASE was written; whether it may be is the caller's
 * @l: the APIC
 * @mode: as it says
 *
 * What is switched off forgets all, also what a late sender has left there.  x2APIC mode
 * has IDs that nobody can change, and xAPIC mode after it starts with no logical ID
 * (SDM 11.12.5).
 */
void lapic_set_mode(struct lapic *l, enum lapic_mode mode)
{
	enum lapic_mode old = l->mode;

	if (old == mode)
		return;
	l->mode = mode;
	if (old == LAPIC_DISABLED || mode == LAPIC_DISABLED) {
		lapic_reset(l, false);
	} else if (mode == LAPIC_X2APIC) {
		set_x2apic_id(l);
	} else {
		set_reg(l, APIC_ID, l->id << 24);
		set_reg(l, APIC_LDR, 0);
	}
}

/**
 * lapic_eoi_is_directed() - does software tell the I/O APICs of EOIs by itself?
 * @l: the APIC
 */
bool lapic_eoi_is_directed(const struct lapic *l)
{
	return lapic_get(l, APIC_SPIV) & APIC_SPIV_DIRECTED_EOI;
}

/**
 * lapic_sw_enabled() - does it accept fixed interrupts?
 * @l: the APIC
 *
 * Switched on in IA32_APIC_BASE and in the spurious-vector register.
 */
bool lapic_sw_enabled(const struct lapic *l)
{
	return READ_ONCE(l->mode) != LAPIC_DISABLED &&
	       (lapic_get(l, APIC_SPIV) & APIC_SPIV_APIC_ENABLED);
}

/* ---- destinations (SDM 11.6.2, 11.12.10) ---- */

#define BROADCAST_XAPIC		0xffu
#define BROADCAST_X2APIC	0xffffffffu

static bool matches_physical(const struct lapic *l, u32 dest)
{
	/* An ID that xAPIC cannot express names the CPU also in that mode. */
	if (READ_ONCE(l->mode) == LAPIC_X2APIC || dest > 0xff)
		return dest == l->id;
	return dest == lapic_get(l, APIC_ID) >> 24;
}

static bool matches_logical(const struct lapic *l, u32 dest)
{
	u32 ldr = lapic_get(l, APIC_LDR);

	if (READ_ONCE(l->mode) == LAPIC_X2APIC)
		return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff);
	ldr >>= 24;
	switch (lapic_get(l, APIC_DFR)) {
	case APIC_DFR_FLAT:
		return dest <= 0xff && (ldr & dest);
	case APIC_DFR_CLUSTER:
		return dest <= 0xff && ldr >> 4 == dest >> 4 && (ldr & dest & 0xf);
	}
	return false;
}

/**
 * lapic_matches() - does a message without shorthand name this CPU?
 * @l: the APIC
 * @irq: the message
 * @ipi: it comes from an ICR, not from an I/O APIC or MSI
 * @broadcast_quirk: FFH of a device means all, in x2APIC mode too (KVM's habit, which
 *	KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK ends: FFH can be an x2APIC ID)
 *
 * An APIC that is switched off in IA32_APIC_BASE is not on the bus.
 */
bool lapic_matches(const struct lapic *l, const struct kvm_lapic_irq *irq, bool ipi,
		   bool broadcast_quirk)
{
	enum lapic_mode mode = READ_ONCE(l->mode);
	u32 all = mode == LAPIC_X2APIC && (ipi || !broadcast_quirk) ? BROADCAST_X2APIC :
								      BROADCAST_XAPIC;

	if (mode == LAPIC_DISABLED)
		return false;
	if (irq->dest_id == all || (mode == LAPIC_X2APIC && irq->dest_id == BROADCAST_X2APIC))
		return true;
	return irq->dest_mode == APIC_DEST_LOGICAL ? matches_logical(l, irq->dest_id) :
						     matches_physical(l, irq->dest_id);
}

/* ---- IRR, ISR, priorities (SDM 11.8) ---- */

/**
 * lapic_set_irr() - an interrupt has arrived
 * @l: the APIC, software enabled
 * @vector: 16..255
 * @level: level-triggered: its EOI is for the I/O APICs
 *
 * Any thread.  A full barrier.
 *
 * Return: true if it did not wait already.
 */
bool lapic_set_irr(struct lapic *l, u8 vector, bool level)
{
	/* The TMR first: who sees the bit in the IRR finds the mode with it. */
	if (level != test_vector(l, APIC_TMR, vector)) {
		if (level)
			atomic_set_vector(l, APIC_TMR, vector);
		else
			atomic_clear_vector(l, APIC_TMR, vector);
	}
	if (l->posted)
		return !(atomic_or_u32(&l->pir[vector / 32], vector_bit(vector)) &
			 vector_bit(vector));
	return !atomic_set_vector(l, APIC_IRR, vector);
}

/**
 * lapic_take_posted() - what has arrived goes into the IRR
 * @l: the APIC; the vCPU's thread, and hardware is not at work on the page
 *
 * The CPU that delivers interrupts by itself changes the IRR, and nobody promises that
 * it does so atomically: so others keep out of it.
 */
void lapic_take_posted(struct lapic *l)
{
	unsigned int i;

	if (!l->posted)
		return;
	for (i = 0; i < 8; i++) {
		if (READ_ONCE(l->pir[i]))
			*reg_ptr(l, APIC_IRR + i * 0x10) |= atomic_take_u32(&l->pir[i]);
	}
}

/**
 * lapic_error() - note an error for the ESR, and interrupt if the LVT says so
 * @l: the APIC
 * @error: a bit of the ESR
 *
 * Any thread.
 *
 * Return: true if the error interrupt is now waiting: the vCPU is to look.
 */
bool lapic_error(struct lapic *l, u32 error)
{
	u32 lvt = lapic_get(l, APIC_LVTERR);

	if (atomic_or_u32(&l->esr_pending, error) & error)
		return false;
	if ((lvt & APIC_LVT_MASKED) || (lvt & APIC_VECTOR_MASK) < ILLEGAL_BELOW ||
	    !lapic_sw_enabled(l))
		return false;
	return lapic_set_irr(l, lvt & APIC_VECTOR_MASK, false);
}

int lapic_highest_irr(const struct lapic *l)
{
	return highest_vector(l, APIC_IRR);
}

int lapic_highest_isr(const struct lapic *l)
{
	return highest_vector(l, APIC_ISR);
}

/**
 * lapic_vector_active() - does the vector wait, or is it in service?
 * @l: the APIC; any thread
 * @vector: the vector
 */
bool lapic_vector_active(const struct lapic *l, u8 vector)
{
	return (READ_ONCE(l->pir[vector / 32]) & vector_bit(vector)) ||
	       test_vector(l, APIC_IRR, vector) || test_vector(l, APIC_ISR, vector);
}

/**
 * lapic_ppr() - the processor priority (SDM 11.8.3.1)
 * @l: the APIC
 */
u8 lapic_ppr(const struct lapic *l)
{
	u8 tpr = lapic_get(l, APIC_TASKPRI);
	int isr = lapic_highest_isr(l);

	if (isr < 0 || (tpr & 0xf0) >= (isr & 0xf0))
		return tpr;
	return isr & 0xf0;
}

/**
 * lapic_pending() - the interrupt that the CPU would take now
 * @l: the APIC
 *
 * Software disable does not take back what waits in the IRR (SDM 11.4.7.2).
 *
 * Return: its vector, or -1.
 */
int lapic_pending(const struct lapic *l)
{
	int vector;

	if (l->mode == LAPIC_DISABLED)
		return -1;
	vector = highest_vector(l, APIC_IRR);
	return vector >= 0 && (vector & 0xf0) > (lapic_ppr(l) & 0xf0) ? vector : -1;
}

/**
 * lapic_masked_by_tpr() - does an interrupt wait for nothing but a lower TPR?
 * @l: the APIC
 *
 * Return: its class; 0: no.
 */
u8 lapic_masked_by_tpr(const struct lapic *l)
{
	int irr = highest_vector(l, APIC_IRR), isr;

	if (irr < 0 || l->mode == LAPIC_DISABLED ||
	    (irr & 0xf0) > (lapic_get(l, APIC_TASKPRI) & 0xf0))
		return 0;
	isr = lapic_highest_isr(l);
	return isr < 0 || (irr & 0xf0) > (isr & 0xf0) ? irr >> 4 : 0;
}

/**
 * lapic_ack() - the CPU takes the interrupt
 * @l: the APIC; the vCPU's thread
 *
 * The spurious vector is for hardware where the TPR can rise between the question and
 * the answer; here both are one thread's, and only it takes bits out of the IRR.
 *
 * Return: the vector, now in service, or -1 if there was none.
 */
int lapic_ack(struct lapic *l)
{
	int vector = lapic_pending(l);

	if (vector < 0)
		return -1;
	atomic_clear_vector(l, APIC_IRR, vector);
	*reg_ptr(l, vector_reg(APIC_ISR, vector)) |= vector_bit(vector);
	return vector;
}

/**
 * lapic_eoi() - the handler of the highest interrupt in service is done (SDM 11.8.5)
 * @l: the APIC
 * @e: takes what follows
 */
void lapic_eoi(struct lapic *l, struct lapic_effect *e)
{
	int vector = lapic_highest_isr(l);

	if (vector < 0)
		return;
	*reg_ptr(l, vector_reg(APIC_ISR, vector)) &= ~vector_bit(vector);
	e->what |= LAPIC_DO_EVENT | LAPIC_DO_EOI;
	e->eoi_vector = vector;
	e->eoi_level = test_vector(l, APIC_TMR, vector);
}

/**
 * lapic_sole_edge() - would the next EOI change nothing but the ISR?
 * @l: the APIC; the vCPU's thread
 *
 * So it is when one interrupt is in service, edge-triggered, and none waits.
 *
 * Return: its vector, or -1.
 */
int lapic_sole_edge(const struct lapic *l)
{
	int isr = highest_vector(l, APIC_ISR), word;

	if (isr < 0 || test_vector(l, APIC_TMR, isr) || highest_vector(l, APIC_IRR) >= 0)
		return -1;
	if (lapic_get(l, vector_reg(APIC_ISR, isr)) != vector_bit(isr))
		return -1;
	for (word = 0; word < isr / 32; word++) {
		if (lapic_get(l, APIC_ISR + word * 0x10))
			return -1;
	}
	return isr;
}

/**
 * lapic_vapic_word() - the TPR, the class in service, the highest vector that waits
 * @l: the APIC
 *
 * Return: in bytes 0, 1 and 3.
 */
u32 lapic_vapic_word(const struct lapic *l)
{
	int irr = highest_vector(l, APIC_IRR), isr = highest_vector(l, APIC_ISR);

	return lapic_get(l, APIC_TASKPRI) | (isr < 0 ? 0 : (u32)(isr & 0xf0) << 8) |
	       (irr < 0 ? 0 : (u32)irr << 24);
}

/**
 * lapic_extint_open() - does LINT0 let the PIC's interrupts through?
 * @l: the APIC
 *
 * An APIC that is switched off leaves the CPU's INTR pin to the PIC.
 */
bool lapic_extint_open(const struct lapic *l)
{
	u32 lvt0 = lapic_get(l, APIC_LVT0);

	return l->mode == LAPIC_DISABLED ||
	       (!(lvt0 & APIC_LVT_MASKED) && (lvt0 & APIC_DM_FIXED_MASK) == APIC_DM_EXTINT);
}

/* ---- timer (SDM 11.5.4) ---- */

static u32 timer_mode(const struct lapic *l)
{
	return lapic_get(l, APIC_LVTT) & LVT_MODE_MASK;
}

bool lapic_timer_periodic(const struct lapic *l)
{
	return timer_mode(l) == APIC_LVT_TIMER_PERIODIC;
}

bool lapic_timer_deadline(const struct lapic *l)
{
	return timer_mode(l) == APIC_LVT_TIMER_TSCDEADLINE;
}

/* The time of one count: bits 3, 1 and 0 are 2, 4, .. 128, and 111 is 1 (figure 11-10). */
static u64 timer_tick(const struct lapic *l)
{
	u32 tdcr = lapic_get(l, APIC_TDCR);
	u32 shift = (((tdcr & 3) | (tdcr & 8) >> 1) + 1) & 7;

	return (u64)LAPIC_BUS_CYCLE_NS << shift;
}

static u64 timer_period(const struct lapic *l)
{
	u64 period = lapic_get(l, APIC_TMICT) * timer_tick(l);

	if (lapic_timer_periodic(l) && period < LAPIC_MIN_PERIOD_NS)
		period = LAPIC_MIN_PERIOD_NS;
	return period;
}

/* How long till the count reaches 0, in ns; 0: it has. */
static u64 timer_remaining(const struct lapic *l, u64 now)
{
	if (!l->timer.armed)
		return 0;
	if (now < l->timer.target)
		return l->timer.target - now;
	if (!lapic_timer_periodic(l))
		return 0;
	return l->timer.period - (now - l->timer.target) % l->timer.period;
}

/**
 * lapic_timer_count() - the current-count register
 * @l: the APIC
 * @now: the caller's clock, in ns
 *
 * Rounded up: it is 0 exactly when the time is over.
 */
u32 lapic_timer_count(const struct lapic *l, u64 now)
{
	u64 tick = timer_tick(l), count = (timer_remaining(l, now) + tick - 1) / tick;
	u32 first = lapic_get(l, APIC_TMICT);

	return count < first ? count : first;	/* the minimal period can be longer */
}

/* Start at @count, or from the top if it is 0. */
static void timer_start(struct lapic *l, u64 now, u32 count)
{
	u32 mode = timer_mode(l);

	l->timer.armed = lapic_get(l, APIC_TMICT) &&
			 (mode == APIC_LVT_TIMER_ONESHOT || mode == APIC_LVT_TIMER_PERIODIC);
	if (!l->timer.armed)
		return;
	l->timer.period = timer_period(l);
	l->timer.target = now + (count ? count * timer_tick(l) : l->timer.period);
}

/* A mode or a divisor was written: the count goes on, from where it is. */
static void timer_rescale(struct lapic *l, u64 now, u32 count)
{
	if (!l->timer.armed)
		return;
	if (count)
		timer_start(l, now, count);
	else
		l->timer.armed = false;		/* a one-shot that is over stays so */
}

/* To TSC-deadline mode and back everything is disarmed (SDM 11.5.4.1). */
static void timer_disarm(struct lapic *l)
{
	set_reg(l, APIC_TMICT, 0);
	l->timer.armed = false;
	l->tsc_deadline = 0;
}

/**
 * lapic_tsc_to_ns() - how long a TSC takes for so many cycles
 * @cycles: any number
 * @khz: its rate
 *
 * Rounded up, and never more than what a signed number of ns can hold.
 */
u64 lapic_tsc_to_ns(u64 cycles, u32 khz)
{
	const u64 max = ~0ull >> 1;
	u64 ms = cycles / khz, rest = cycles % khz;

	if (ms >= max / 1000000)
		return max;
	return ms * 1000000 + (rest * 1000000 + khz - 1) / khz;
}

/* ---- register writes ---- */

static void write_lvtt(struct lapic *l, u32 val, u64 now, struct lapic_effect *e)
{
	u32 count = lapic_timer_count(l, now);
	bool deadline = lapic_timer_deadline(l);
	u32 old = timer_mode(l);

	set_reg(l, APIC_LVTT, val);
	if (old == timer_mode(l))
		return;
	e->what |= LAPIC_DO_TIMER;
	if (deadline != lapic_timer_deadline(l))
		timer_disarm(l);
	else
		timer_rescale(l, now, count);
}

static void write_tdcr(struct lapic *l, u32 val, u64 now, struct lapic_effect *e)
{
	u32 count = lapic_timer_count(l, now);

	set_reg(l, APIC_TDCR, val);
	timer_rescale(l, now, count);
	e->what |= LAPIC_DO_TIMER;
}

static void write_tmict(struct lapic *l, u32 val, u64 now, struct lapic_effect *e)
{
	if (lapic_timer_deadline(l))
		return;
	set_reg(l, APIC_TMICT, val);
	timer_start(l, now, 0);
	e->what |= LAPIC_DO_TIMER;
}

/* While software disables it, all LVTs are masked (SDM 11.4.7.2). */
static void write_spiv(struct lapic *l, u32 val, struct lapic_effect *e)
{
	unsigned int reg;

	if ((lapic_get(l, APIC_SPIV) ^ val) & APIC_SPIV_APIC_ENABLED)
		e->what |= LAPIC_DO_MAP | LAPIC_DO_EVENT;
	set_reg(l, APIC_SPIV, val);
	if (val & APIC_SPIV_APIC_ENABLED)
		return;
	for (reg = APIC_LVTT; reg <= APIC_LVTERR; reg += 0x10)
		set_reg(l, reg, lapic_get(l, reg) | APIC_LVT_MASKED);
}

/*
 * The message that an ICR describes (SDM 11.6.1).  Level and trigger mode are of use
 * for INIT only, whose de-assert form has no effect any more.
 */
static void send_icr(struct lapic *l, u32 icr, u32 dest, struct lapic_effect *e)
{
	u32 mode = icr & APIC_DM_FIXED_MASK;

	if ((mode == APIC_DM_FIXED || mode == APIC_DM_LOWEST) &&
	    (icr & APIC_VECTOR_MASK) < ILLEGAL_BELOW) {
		if (lapic_error(l, LAPIC_ESR_SEND_ILLEGAL))
			e->what |= LAPIC_DO_EVENT;
		return;
	}
	e->what |= LAPIC_DO_SEND;
	e->irq = (struct kvm_lapic_irq) {
		.vector = icr & APIC_VECTOR_MASK,
		.delivery_mode = mode,
		.dest_mode = icr & APIC_DEST_LOGICAL,
		.level = icr & APIC_INT_ASSERT,
		.trig_mode = mode == APIC_DM_INIT && (icr & ICR_TRIGGER_LEVEL),
		.shorthand = icr & APIC_DEST_ALLBUT,
		.dest_id = dest,
	};
}

static void write_icr(struct lapic *l, u64 val, struct lapic_effect *e)
{
	bool x2apic = l->mode == LAPIC_X2APIC;

	if (x2apic)
		set_reg(l, APIC_ICR2, val >> 32);
	/* In an xAPIC reserved bits are kept, as KVM does and tests want. */
	set_reg(l, APIC_ICR, (u32)val & ~APIC_ICR_BUSY);
	send_icr(l, val, lapic_get(l, APIC_ICR2) >> (x2apic ? 0 : 24), e);
}

static void write_tpr(struct lapic *l, u32 val, struct lapic_effect *e)
{
	set_reg(l, APIC_TASKPRI, val);
	e->what |= LAPIC_DO_TPR | LAPIC_DO_EVENT;
}

/* Of x2APIC: bits that must be 0. */
static bool x2apic_value_ok(const struct lapic *l, unsigned int reg, u64 val)
{
	if (reg == APIC_ICR)
		return !(val & ICR_X2APIC_RESERVED);
	return !(val & ~(u64)(reg_mask(l, reg) | reg_rules[reg / 0x10].ignored));
}

/**
 * lapic_write() - a write to a register
 * @l: the APIC, not disabled; the vCPU's thread
 * @reg: offset in the page; x2APIC: (MSR - 800H) * 16
 * @val: the value; 64 bits wide only for the x2APIC's ICR
 * @now: the caller's clock, in ns
 * @e: takes what is to be done; the caller has zeroed it
 *
 * Return: false if there is no such register to write, or (x2APIC only) a reserved
 * bit is set: #GP; then nothing has changed.
 */
bool lapic_write(struct lapic *l, unsigned int reg, u64 val, u64 now, struct lapic_effect *e)
{
	if (!reg_writable(l, reg))
		return false;
	if (l->mode == LAPIC_X2APIC && !x2apic_value_ok(l, reg, val))
		return false;
	if (reg != APIC_ICR)
		val &= reg_mask(l, reg);
	if (is_lvt(reg) && !lapic_sw_enabled(l))
		val |= APIC_LVT_MASKED;

	switch (reg) {
	case APIC_TASKPRI:
		write_tpr(l, val, e);
		break;
	case APIC_EOI:
		lapic_eoi(l, e);
		break;
	case APIC_SPIV:
		write_spiv(l, val, e);
		break;
	case APIC_ESR:		/* a write shows the errors since the last one */
		set_reg(l, APIC_ESR, atomic_take_u32(&l->esr_pending));
		break;
	case APIC_ICR:
		write_icr(l, val, e);
		break;
	case APIC_SELF_IPI:
		send_icr(l, val | APIC_DEST_SELF | APIC_INT_ASSERT, 0, e);
		break;
	case APIC_LVTT:
		write_lvtt(l, val, now, e);
		break;
	case APIC_TMICT:
		write_tmict(l, val, now, e);
		break;
	case APIC_TDCR:
		write_tdcr(l, val, now, e);
		break;
	case APIC_LVT0:		/* a PIC may have asked in vain so far */
		set_reg(l, reg, val);
		e->what |= LAPIC_DO_EVENT;
		break;
	case APIC_DFR:
		val |= ~reg_mask(l, reg);	/* reserved: read as ones */
		fallthrough;
	case APIC_ID:
	case APIC_LDR:
		e->what |= LAPIC_DO_MAP;
		fallthrough;
	default:
		set_reg(l, reg, val);
	}
	return true;
}

/**
 * lapic_write_done() - hardware has let the guest write to the page
 * @l: the APIC, not disabled; the vCPU's thread
 * @reg: which register
 * @now: the caller's clock, in ns
 * @e: takes what is to be done; the caller has zeroed it
 *
 * All 32 bits are there, whatever the register has.  What follows depends on what was
 * there before: so the write is taken back, and done as by lapic_write().
 */
void lapic_write_done(struct lapic *l, unsigned int reg, u64 now, struct lapic_effect *e)
{
	u32 val;

	if (!reg_writable(l, reg))
		return;
	val = lapic_get(l, reg);
	*reg_ptr(l, reg) = l->acted_on[reg / 0x10];
	lapic_write(l, reg, val, now, e);
}

/**
 * lapic_read() - a read of a register
 * @l: the APIC, not disabled; the vCPU's thread
 * @reg: offset in the page; x2APIC: (MSR - 800H) * 16
 * @now: the caller's clock, in ns
 * @val: takes the value
 *
 * Return: false if there is no such register to read.
 */
bool lapic_read(struct lapic *l, unsigned int reg, u64 now, u64 *val)
{
	if (!reg_readable(l, reg))
		return false;
	switch (reg) {
	case APIC_PROCPRI:
		*val = lapic_ppr(l);
		break;
	case APIC_TMCCT:
		*val = lapic_timer_count(l, now);
		break;
	case APIC_ICR:
		*val = lapic_get(l, APIC_ICR);
		if (l->mode == LAPIC_X2APIC)
			*val |= (u64)lapic_get(l, APIC_ICR2) << 32;
		break;
	default:
		*val = lapic_get(l, reg);
	}
	return true;
}

/* ---- the page of an xAPIC ---- */

/**
 * lapic_mmio_read() - a read from the page
 * @l: the APIC, in xAPIC mode
 * @offset: where in the page
 * @len: how many bytes; only up to 4 in the first 4 of each 16 are defined (11.4.1)
 * @now: the caller's clock, in ns
 * @val: takes the value; 0 where there is nothing
 *
 * Return: true if the error interrupt is now waiting: there is no such register.
 */
bool lapic_mmio_read(struct lapic *l, unsigned int offset, unsigned int len, u64 now, u32 *val)
{
	unsigned int byte = offset % 0x10;
	u64 whole;

	*val = 0;
	if (byte + len > 4)
		return false;
	if (!lapic_read(l, offset - byte, now, &whole))
		return !reg_writable(l, offset - byte) && lapic_error(l, LAPIC_ESR_ILLEGAL_REG);
	*val = (u32)whole >> (8 * byte);
	return false;
}

/**
 * lapic_mmio_write() - a write to the page
 * @l: the APIC, in xAPIC mode
 * @offset: where in the page
 * @len: how many bytes; only 4 at a multiple of 16 are a write (SDM 11.4.1)
 * @val: the value
 * @now: the caller's clock, in ns
 * @e: takes what is to be done; the caller has zeroed it
 */
void lapic_mmio_write(struct lapic *l, unsigned int offset, unsigned int len, u32 val, u64 now,
		      struct lapic_effect *e)
{
	if (len != 4 || offset % 0x10)
		return;
	if (lapic_write(l, offset, val, now, e) || reg_readable(l, offset))
		return;
	if (lapic_error(l, LAPIC_ESR_ILLEGAL_REG))
		e->what |= LAPIC_DO_EVENT;
}

/* ---- KVM_GET_LAPIC, KVM_SET_LAPIC ---- */

/**
 * lapic_get_page() - the state as struct kvm_lapic_state has it
 * @l: the APIC
 * @now: the caller's clock, in ns
 * @wide_id: KVM_X2APIC_API_USE_32BIT_IDS; otherwise an x2APIC ID loses its upper
 *	bits and is shown where an xAPIC has its own, in bits 31:24
 * @page: takes %LAPIC_PAGE_SIZE bytes
 *
 * The TSC deadline, an MSR, and errors that the ESR does not show yet are not in it.
 */
void lapic_get_page(struct lapic *l, u64 now, bool wide_id, void *page)
{
	u32 *out = page;
	unsigned int i;

	for (i = 0; i < LAPIC_PAGE_SIZE / sizeof(*out); i++)
		out[i] = lapic_get(l, i * sizeof(*out));
	out[APIC_PROCPRI / sizeof(*out)] = lapic_ppr(l);
	out[APIC_TMCCT / sizeof(*out)] = lapic_timer_count(l, now);
	if (l->mode == LAPIC_X2APIC && !wide_id)
		out[APIC_ID / sizeof(*out)] = l->id << 24;
}

/* Registers as a guest could have written them, whatever the VMM says. */
static void sanitize_page(struct lapic *l)
{
	unsigned int reg;

	for (reg = APIC_LVTT; reg <= APIC_LVTERR; reg += 0x10)
		set_reg(l, reg, lapic_get(l, reg) & reg_mask(l, reg));
	set_reg(l, APIC_TASKPRI, lapic_get(l, APIC_TASKPRI) & reg_mask(l, APIC_TASKPRI));
	set_reg(l, APIC_SPIV, lapic_get(l, APIC_SPIV) & reg_mask(l, APIC_SPIV));
	set_reg(l, APIC_TDCR, lapic_get(l, APIC_TDCR) & reg_mask(l, APIC_TDCR));
	lapic_set_version(l);
	set_reg(l, APIC_ICR, lapic_get(l, APIC_ICR) & ~(u32)APIC_ICR_BUSY);
	set_reg(l, APIC_DFR, lapic_get(l, APIC_DFR) | 0x0fffffff);
	if (l->mode == LAPIC_X2APIC) {
		set_x2apic_id(l);
	} else {
		set_reg(l, APIC_ID, lapic_get(l, APIC_ID) & 0xff000000);
		set_reg(l, APIC_LDR, lapic_get(l, APIC_LDR) & 0xff000000);
		set_reg(l, APIC_ICR2, lapic_get(l, APIC_ICR2) & 0xff000000);
	}
}

/**
 * lapic_set_page() - the state from struct kvm_lapic_state
 * @l: the APIC, in the mode in which the state was taken
 * @now: the caller's clock, in ns
 * @wide_id: as of lapic_get_page(); then the ID must be this CPU's in x2APIC mode
 * @page: %LAPIC_PAGE_SIZE bytes
 *
 * The timer goes on where TMCCT says it was.  One that TMCCT says is over fires once
 * more: QEMU's states have no TMCCT, and a lost tick is worse than one too many.
 * The binding sets the host's timer and forgets what it knew about the old state.
 *
 * Return: false if the ID is another's; then nothing has changed.
 */
bool lapic_set_page(struct lapic *l, u64 now, bool wide_id, const void *page)
{
	const u32 *in = page;
	u32 count = in[APIC_TMCCT / sizeof(*in)];
	u64 deadline = l->tsc_deadline;
	unsigned int reg;

	if (l->mode == LAPIC_X2APIC && wide_id && in[APIC_ID / sizeof(*in)] != l->id)
		return false;
	memcpy(l->regs, page, LAPIC_PAGE_SIZE);
	memset(l->pir, 0, sizeof(l->pir));
	sanitize_page(l);
	for (reg = 0; reg < LAPIC_PAGE_SIZE; reg += 0x10)
		l->acted_on[reg / 0x10] = lapic_get(l, reg);
	l->esr_pending = 0;
	l->tsc_deadline = lapic_timer_deadline(l) ? deadline : 0;
	if (count > lapic_get(l, APIC_TMICT))
		count = lapic_get(l, APIC_TMICT);
	timer_start(l, now, count);
	if (l->timer.armed && !count && !lapic_timer_periodic(l))
		l->timer.target = now;
	return true;
}
