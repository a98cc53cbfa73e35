// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: any accesses to a local APIC, interrupts from outside, time, modes
 *
 * After each step: no interrupt was lost or invented; priorities hold, computed here in
 * another way; no reserved bit is set; a refused access has changed nothing; the timer
 * does not run backwards; and an APIC that gets the saved page is the same one.
 */
#include <string.h>

#include "fuzz.h"
#include "lapic.h"

struct machine {
	struct lapic l;
	unsigned long long now;
	unsigned int waiting;		/* in the IRR, by our own count */
};

static unsigned int bits_in(const struct lapic *l, unsigned int base)
{
	unsigned int i, n = 0;

	for (i = 0; i < 8; i++)
		n += __builtin_popcount(lapic_get(l, base + i * 0x10));
	return n;
}

static bool has_vector(const struct lapic *l, unsigned int base, unsigned int vector)
{
	return lapic_get(l, base + vector / 32 * 0x10) >> vector % 32 & 1;
}

/* The highest by a search from below. */
static int top(const struct lapic *l, unsigned int base)
{
	int vector, found = -1;

	for (vector = 0; vector < 256; vector++)
		if (has_vector(l, base, vector))
			found = vector;
	return found;
}

static void check_priorities(const struct lapic *l)
{
	unsigned int tpr = lapic_get(l, APIC_TASKPRI), class;
	int isr = top(l, APIC_ISR), irr = top(l, APIC_IRR), pending = lapic_pending(l);

	class = tpr >> 4;
	if (isr >= 0 && (unsigned int)isr >> 4 > class)
		class = isr >> 4;
	PROMISE(lapic_ppr(l) >> 4 == class);
	PROMISE(lapic_highest_isr(l) == isr);
	if (l->mode == LAPIC_DISABLED)
		PROMISE(pending == -1);
	else if (irr >= 0 && (unsigned int)irr >> 4 > class)
		PROMISE(pending == irr);
	else
		PROMISE(pending == -1);
}

static void check_registers(const struct lapic *l)
{
	static const unsigned int lvt[] = { 0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff };
	bool x2apic = l->mode == LAPIC_X2APIC;
	unsigned int i;

	for (i = 0; i < 6; i++) {
		unsigned int val = lapic_get(l, APIC_LVTT + i * 0x10);

		PROMISE(!(val & ~(lvt[i] | APIC_LVT_MASKED)));
		if (!lapic_sw_enabled(l))
			PROMISE(val & APIC_LVT_MASKED);
	}
	PROMISE(!(lapic_get(l, APIC_TASKPRI) & ~0xffu));
	PROMISE(!(lapic_get(l, APIC_SPIV) & ~0x3ffu));
	PROMISE(!(lapic_get(l, APIC_TDCR) & ~0xbu));
	PROMISE(lapic_get(l, APIC_LVR) == LAPIC_VERSION);
	PROMISE(!(lapic_get(l, APIC_ICR) & APIC_ICR_BUSY));
	if (x2apic) {
		PROMISE(lapic_get(l, APIC_ID) == l->id);
		PROMISE(lapic_get(l, APIC_LDR) == ((l->id >> 4) << 16 | 1u << (l->id & 15)));
	} else {
		PROMISE(!(lapic_get(l, APIC_ID) & 0xffffff));
		PROMISE(!(lapic_get(l, APIC_LDR) & 0xffffff));
		PROMISE((lapic_get(l, APIC_DFR) & 0xfffffff) == 0xfffffff);
	}
}

static void check_timer(const struct lapic *l, unsigned long long now)
{
	PROMISE(lapic_timer_count(l, now) <= lapic_get(l, APIC_TMICT));
	if (lapic_timer_deadline(l))
		PROMISE(!l->timer.armed);
	else
		PROMISE(!l->tsc_deadline);
	if (!l->timer.armed)
		PROMISE(!lapic_timer_count(l, now));
	else
		PROMISE(l->timer.period);
	if (l->timer.armed && !lapic_timer_periodic(l))
		PROMISE(lapic_timer_count(l, now + 1000000) <= lapic_timer_count(l, now));
}

/* What follows from an access; a page that another one takes over is the same. */
static void check_copy(struct machine *m)
{
	unsigned char page[LAPIC_PAGE_SIZE], regs[LAPIC_PAGE_SIZE], again[LAPIC_PAGE_SIZE];
	struct lapic copy = m->l;
	unsigned int count = lapic_timer_count(&m->l, m->now);

	copy.regs = regs;
	memset(regs, 0xee, sizeof(regs));
	lapic_get_page(&m->l, m->now, true, page);
	PROMISE(lapic_set_page(&copy, m->now, true, page));
	lapic_get_page(&copy, m->now, true, again);
	/* A one-shot that is over may fire once more: its count is 0 all the same. */
	PROMISE(!memcmp(page, again, sizeof(page)) ||
		(lapic_timer_periodic(&copy) && !count));
	PROMISE(lapic_pending(&copy) == lapic_pending(&m->l));
	PROMISE(copy.tsc_deadline == m->l.tsc_deadline);
}

static void apply(struct machine *m, const struct lapic_effect *e)
{
	unsigned int mode = e->irq.delivery_mode;

	if (e->what & LAPIC_DO_SEND) {
		PROMISE(e->irq.vector <= 0xff);
		if (mode == APIC_DM_FIXED || mode == APIC_DM_LOWEST)
			PROMISE(e->irq.vector >= 16);
		if (e->irq.shorthand == APIC_DEST_SELF && mode == APIC_DM_FIXED &&
		    lapic_sw_enabled(&m->l))
			m->waiting += lapic_set_irr(&m->l, e->irq.vector, false);
	}
	if (e->what & LAPIC_DO_EOI)
		PROMISE(!has_vector(&m->l, APIC_ISR, e->eoi_vector));
}

static void write_reg(struct machine *m, unsigned int reg, unsigned long long val)
{
	unsigned char before[LAPIC_PAGE_SIZE];
	struct lapic_effect e = {};
	unsigned int errors = bits_in(&m->l, APIC_IRR);
	struct lapic old = m->l;

	if (m->l.mode == LAPIC_DISABLED)
		return;
	memcpy(before, m->l.regs, sizeof(before));
	if (m->l.mode == LAPIC_XAPIC) {
		lapic_mmio_write(&m->l, reg, 4, val, m->now, &e);
	} else if (!lapic_write(&m->l, reg & 0xff0, val, m->now, &e)) {
		PROMISE(!memcmp(before, m->l.regs, sizeof(before)) && !e.what);
		PROMISE(!memcmp(&old.timer, &m->l.timer, sizeof(old.timer)));
	}
	/* The error interrupt, if any, is the APIC's own. */
	m->waiting += bits_in(&m->l, APIC_IRR) - errors;
	PROMISE(bits_in(&m->l, APIC_IRR) - errors <= 1);
	apply(m, &e);
}

static void read_reg(struct machine *m, unsigned int reg)
{
	unsigned int before = bits_in(&m->l, APIC_IRR), val;
	unsigned long long wide;

	if (m->l.mode == LAPIC_XAPIC)
		lapic_mmio_read(&m->l, reg, 4, m->now, &val);
	else if (m->l.mode == LAPIC_X2APIC)
		lapic_read(&m->l, reg & 0xff0, m->now, &wide);
	m->waiting += bits_in(&m->l, APIC_IRR) - before;
}

static void ack(struct machine *m)
{
	int pending = lapic_pending(&m->l);
	bool again = pending >= 0 && has_vector(&m->l, APIC_ISR, pending);

	PROMISE(!again);		/* its class is in service: cannot be */
	PROMISE(lapic_ack(&m->l) == pending);
	if (pending < 0)
		return;
	m->waiting--;
	PROMISE(has_vector(&m->l, APIC_ISR, pending));
	PROMISE(!has_vector(&m->l, APIC_IRR, pending));
}

/* Any page may be set; what it makes is a legal state. */
static void set_any_page(struct machine *m, struct input *in)
{
	unsigned char page[LAPIC_PAGE_SIZE];
	unsigned int i;

	for (i = 0; i < sizeof(page); i++)
		page[i] = take_byte(in);
	lapic_set_page(&m->l, m->now, false, page);
	/* The VMM's: vectors that no APIC has are as they are. */
	for (i = 0; i < 8; i++)
		memset(m->l.regs + APIC_ISR + i * 0x10, 0, 4);
	for (i = APIC_LVTT; i <= APIC_LVTERR && !lapic_sw_enabled(&m->l); i += 0x10)
		m->l.regs[i + 2] |= 1;
	m->waiting = bits_in(&m->l, APIC_IRR);
}

static void step(struct machine *m, struct input *in)
{
	unsigned int reg;

	switch (take_byte(in) % 12) {
	case 0:
	case 1:
	case 2:
		reg = (take_byte(in) & 0x3f) << 4;
		write_reg(m, reg, take_u32(in));
		break;
	case 3:
		write_reg(m, take_u32(in) & 0x3ff, (unsigned long long)take_u32(in) << 32 |
						   take_u32(in));
		break;
	case 4:
		read_reg(m, take_u32(in) & 0xfff & ~(m->l.mode == LAPIC_X2APIC ? 0xfu : 0));
		break;
	case 5:
	case 6:
		if (lapic_sw_enabled(&m->l))
			m->waiting += lapic_set_irr(&m->l, take_byte(in) | 0x10,
						    take_byte(in) & 1);
		break;
	case 7:
		ack(m);
		break;
	case 8:
		write_reg(m, APIC_EOI, 0);
		break;
	case 9:
		m->now += take_u32(in);
		break;
	case 10:
		switch (take_byte(in) % 8) {
		case 0:
			lapic_set_mode(&m->l, take_byte(in) % 3);
			break;
		case 1:
			lapic_reset(&m->l, take_byte(in) & 1);
			break;
		case 2:
			lapic_set_tpr(&m->l, take_byte(in) & 15);
			break;
		case 3:
			set_any_page(m, in);
			break;
		case 4:
			if (lapic_timer_deadline(&m->l))
				m->l.tsc_deadline = take_u32(in);
		}
		m->waiting = bits_in(&m->l, APIC_IRR);
		break;
	case 11:
		reg = bits_in(&m->l, APIC_IRR);
		lapic_error(&m->l, 1u << (take_byte(in) & 7));
		m->waiting += bits_in(&m->l, APIC_IRR) - reg;
		break;
	}
}

int fuzz_one_input(const unsigned char *data, size_t size)
{
	static unsigned char regs[LAPIC_PAGE_SIZE];
	struct input in = { data, size };
	struct machine m = {
		.l = { .regs = regs, .id = take_byte(&in), .mode = LAPIC_XAPIC,
		       .tsc_deadline_mode = true },
	};

	lapic_reset(&m.l, false);
	while (in.left) {
		step(&m, &in);
		PROMISE(bits_in(&m.l, APIC_IRR) == m.waiting);
		check_priorities(&m.l);
		check_registers(&m.l);
		check_timer(&m.l, m.now);
		check_copy(&m);
	}
	return 0;
}
