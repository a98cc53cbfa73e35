// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of lapic.c: registers and reserved bits, destinations, delivery modes,
 * priorities, EOI, errors, the timer's arithmetic, save and restore.
 *
 * Expected values come from SDM vol. 3, chapter 11, not from the code.
 */
#include <stdlib.h>
#include <string.h>

#include "lapic.h"
#include "tap.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* One APIC with its page; the page ends where ASan looks. */
struct cpu {
	struct lapic l;
	struct lapic_effect e;
};

static struct cpu *new_cpu(u32 id, enum lapic_mode mode)
{
	struct cpu *c = calloc(1, sizeof(*c));

	c->l.regs = calloc(1, LAPIC_PAGE_SIZE);
	c->l.id = id;
	c->l.tsc_deadline_mode = true;
	c->l.mode = LAPIC_XAPIC;
	lapic_reset(&c->l, false);
	lapic_set_mode(&c->l, mode);
	return c;
}

static void free_cpu(struct cpu *c)
{
	free(c->l.regs);
	free(c);
}

static bool wr(struct cpu *c, unsigned int reg, u64 val)
{
	c->e = (struct lapic_effect){};
	return lapic_write(&c->l, reg, val, 0, &c->e);
}

static bool wr_at(struct cpu *c, unsigned int reg, u64 val, u64 now)
{
	c->e = (struct lapic_effect){};
	return lapic_write(&c->l, reg, val, now, &c->e);
}

static u64 rd_at(struct cpu *c, unsigned int reg, u64 now)
{
	u64 val = 0xdeadbeef;

	return lapic_read(&c->l, reg, now, &val) ? val : 0xdeadbeef;
}

static u64 rd(struct cpu *c, unsigned int reg)
{
	return rd_at(c, reg, 0);
}

/* Write all ones, say what is left. */
static u64 ones(struct cpu *c, unsigned int reg)
{
	wr(c, reg, 0xffffffff);
	return rd(c, reg);
}

static struct cpu *new_enabled(u32 id, enum lapic_mode mode)
{
	struct cpu *c = new_cpu(id, mode);

	wr(c, APIC_SPIV, 0x1ff);
	return c;
}

/* ---- reset and registers ---- */

static void test_reset(void)
{
	struct cpu *c = new_cpu(3, LAPIC_XAPIC);
	unsigned int reg, masked = 0;

	tap_ok(rd(c, APIC_ID) == 3 << 24, "reset: ID");
	tap_ok(rd(c, APIC_LVR) == 0x50014, "reset: version 14H, 6 LVTs, no EOI suppression");
	tap_ok(rd(c, APIC_SPIV) == 0xff, "reset: disabled by software");
	tap_ok(rd(c, APIC_DFR) == 0xffffffff && !rd(c, APIC_LDR), "reset: flat, no logical ID");
	for (reg = APIC_LVTT; reg <= APIC_LVTERR; reg += 0x10)
		masked += rd(c, reg) == APIC_LVT_MASKED;
	tap_ok(masked == 6, "reset: all LVTs masked");
	tap_ok(!rd(c, APIC_TASKPRI) && !rd(c, APIC_PROCPRI) && !rd(c, APIC_TMICT) &&
	       !rd(c, APIC_TMCCT) && !rd(c, APIC_TDCR) && !rd(c, APIC_ICR) && !rd(c, APIC_ESR),
	       "reset: the rest is 0");

	wr(c, APIC_SPIV, 0x1ff);
	wr(c, APIC_ID, 9u << 24);
	wr(c, APIC_TASKPRI, 0x55);
	lapic_set_irr(&c->l, 0x80, true);
	lapic_reset(&c->l, true);
	tap_ok(rd(c, APIC_ID) == 9u << 24, "INIT keeps the ID");
	tap_ok(rd(c, APIC_SPIV) == 0xff && !rd(c, APIC_TASKPRI) && lapic_pending(&c->l) < 0 &&
	       !rd(c, APIC_TMR + 0x40), "INIT clears the rest");
	lapic_reset(&c->l, false);
	tap_ok(rd(c, APIC_ID) == 3u << 24, "RESET gives the ID back");
	lapic_open_lint0(&c->l);
	tap_ok(lapic_extint_open(&c->l), "LINT0 opened for the PIC, though disabled by software");
	free_cpu(c);
}

static void test_xapic_registers(void)
{
	static const struct {
		unsigned int reg;
		u32 ones;
		const char *name;
	} regs[] = {
		{ APIC_ID, 0xff000000, "ID" },
		{ APIC_LVR, 0x50014, "version is read only" },
		{ APIC_TASKPRI, 0xff, "TPR" },
		{ APIC_LDR, 0xff000000, "LDR" },
		{ APIC_DFR, 0xffffffff, "DFR" },
		{ APIC_ICR2, 0xff000000, "ICR2" },
		{ APIC_LVTT, 0x700ff, "LVT timer" },
		{ APIC_LVTTHMR, 0x107ff, "LVT thermal" },
		{ APIC_LVTPC, 0x107ff, "LVT performance" },
		{ APIC_LVT0, 0x1a7ff, "LVT LINT0" },
		{ APIC_LVT1, 0x1a7ff, "LVT LINT1" },
		{ APIC_LVTERR, 0x100ff, "LVT error" },
		{ APIC_TDCR, 0xb, "divide configuration" },
		{ APIC_ISR + 0x70, 0, "ISR is read only" },
		{ APIC_TMR, 0, "TMR is read only" },
		{ APIC_IRR + 0x30, 0, "IRR is read only" },
		{ APIC_TMCCT, 0, "current count is read only" },
		{ APIC_SPIV, 0x3ff, "spurious vector" },
	};
	struct cpu *c = new_enabled(0, LAPIC_XAPIC);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regs); i++)
		tap_ok(ones(c, regs[i].reg) == regs[i].ones, "xAPIC, ones written: %s",
		       regs[i].name);
	wr(c, APIC_DFR, 0);
	tap_ok(rd(c, APIC_DFR) == 0x0fffffff, "DFR: reserved bits read 1");
	c->l.tsc_deadline_mode = false;
	tap_ok(ones(c, APIC_LVTT) == 0x300ff, "LVT timer without TSC-deadline mode");
	wr(c, APIC_ICR, 0x1000 | 0xc0000 | 0x41);
	tap_ok(rd(c, APIC_ICR) == (0xc0000 | 0x41), "ICR: the busy bit is never seen");
	tap_ok(!wr(c, APIC_SELF_IPI, 0x41), "xAPIC has no self-IPI register");
	tap_ok(!wr(c, 0x2f0, 0) && !wr(c, 0x40, 0) && !wr(c, 0x3a0, 0), "no CMCI, no 40H, no 3A0H");
	tap_ok(!wr(c, 0x400, 0) && !wr(c, 0xff0, 0), "nothing behind 3F0H");
	tap_ok(!wr(c, APIC_TASKPRI + 4, 0), "registers are at multiples of 16");
	free_cpu(c);
}

static void test_x2apic_registers(void)
{
	static const struct {
		unsigned int reg;
		u64 good, bad;
		const char *name;
	} regs[] = {
		{ APIC_TASKPRI, 0xff, 0x100, "TPR" },
		{ APIC_SPIV, 0x3ff, 0x400, "spurious vector" },
		{ APIC_EOI, 0, 1, "EOI" },
		{ APIC_ESR, 0, 1, "ESR" },
		{ APIC_LVTT, 0x710ff, 0x800, "LVT timer" },
		{ APIC_LVTTHMR, 0x117ff, 0x20000, "LVT thermal" },
		{ APIC_LVTPC, 0x117ff, 0x800, "LVT performance" },
		{ APIC_LVT0, 0x1f7ff, 0x800, "LVT LINT0" },
		{ APIC_LVT1, 0x1f7ff, 0x20000, "LVT LINT1" },
		{ APIC_LVTERR, 0x110ff, 0x100, "LVT error" },
		{ APIC_TMICT, 0xffffffff, 1ull << 32, "initial count" },
		{ APIC_TDCR, 0xb, 4, "divide configuration" },
		{ APIC_SELF_IPI, 0xff, 0x100, "self-IPI" },
		{ APIC_ICR, 0xffffffff000cdfffull, 1 << 13, "ICR bit 13" },
		{ APIC_ICR, 0x40, 1 << 16, "ICR bit 16" },
		{ APIC_ICR, 0x41, 1 << 20, "ICR bit 20" },
		{ APIC_ICR, 0x42, 1u << 31, "ICR bit 31" },
	};
	static const unsigned int absent[] = {
		APIC_DFR, APIC_ICR2, APIC_ARBPRI, APIC_RRR, 0x2f0, 0x40, 0x3f0 + 0x10,
	};
	struct cpu *c = new_enabled(0x123, LAPIC_X2APIC);
	unsigned int i;
	u64 before, val;

	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		wr(c, APIC_SPIV, 0x1ff);
		tap_ok(wr(c, regs[i].reg, regs[i].good), "x2APIC: good value: %s", regs[i].name);
		before = rd(c, regs[i].reg);
		tap_ok(!wr(c, regs[i].reg, regs[i].bad) && !c->e.what &&
		       rd(c, regs[i].reg) == before, "x2APIC: #GP, nothing done: %s",
		       regs[i].name);
		tap_ok(regs[i].reg == APIC_ICR || !wr(c, regs[i].reg, 1ull << 32),
		       "x2APIC: #GP for the upper half: %s", regs[i].name);
	}
	for (i = 0; i < ARRAY_SIZE(absent); i++)
		tap_ok(!lapic_read(&c->l, absent[i], 0, &val) && !wr(c, absent[i], 0),
		       "x2APIC: #GP for %03X", absent[i]);
	tap_ok(!wr(c, APIC_ID, 0) && !wr(c, APIC_LDR, 0) && !wr(c, APIC_LVR, 0) &&
	       !wr(c, APIC_PROCPRI, 0) && !wr(c, APIC_TMCCT, 0) && !wr(c, APIC_IRR, 0),
	       "x2APIC: #GP for writes to what is read only");
	tap_ok(!lapic_read(&c->l, APIC_EOI, 0, &val) && !lapic_read(&c->l, APIC_SELF_IPI, 0, &val),
	       "x2APIC: #GP for reads of what is write only");
	tap_ok(rd(c, APIC_ID) == 0x123, "x2APIC: the ID has 32 bits");
	tap_ok(rd(c, APIC_LDR) == 0x120008, "x2APIC: the logical ID is derived");
	wr(c, APIC_ICR, 0x1234567800000041);
	tap_ok(rd(c, APIC_ICR) == 0x1234567800000041, "x2APIC: the ICR has 64 bits");
	free_cpu(c);
}

static void test_mmio(void)
{
	struct cpu *c = new_enabled(0, LAPIC_XAPIC);
	u32 val;

	c->e = (struct lapic_effect){};
	lapic_mmio_write(&c->l, APIC_TASKPRI, 4, 0x35, 0, &c->e);
	tap_ok(rd(c, APIC_TASKPRI) == 0x35 && (c->e.what & LAPIC_DO_TPR), "MMIO: 4 bytes");
	lapic_mmio_write(&c->l, APIC_TASKPRI, 1, 0x77, 0, &c->e);
	lapic_mmio_write(&c->l, APIC_TASKPRI, 2, 0x77, 0, &c->e);
	lapic_mmio_write(&c->l, APIC_TASKPRI, 8, 0x77, 0, &c->e);
	lapic_mmio_write(&c->l, APIC_TASKPRI + 1, 4, 0x77, 0, &c->e);
	tap_ok(rd(c, APIC_TASKPRI) == 0x35, "MMIO: other writes are ignored");
	lapic_mmio_read(&c->l, APIC_LVR + 2, 1, 0, &val);
	tap_ok(val == 5, "MMIO: a byte in the middle of a register is read");
	lapic_mmio_read(&c->l, APIC_LVR + 3, 2, 0, &val);
	tap_ok(!val, "MMIO: nothing behind the first 4 bytes");
	lapic_mmio_read(&c->l, APIC_LVR, 8, 0, &val);
	tap_ok(!val, "MMIO: 8 bytes read 0");

	wr(c, APIC_ESR, 0);
	tap_ok(!rd(c, APIC_ESR), "no error yet");
	lapic_mmio_read(&c->l, APIC_EOI, 4, 0, &val);
	wr(c, APIC_LVR, 0);
	lapic_mmio_write(&c->l, APIC_LVR, 4, 0, 0, &c->e);
	wr(c, APIC_ESR, 0);
	tap_ok(!rd(c, APIC_ESR), "the wrong direction is no illegal address");
	lapic_mmio_read(&c->l, 0x3a0, 4, 0, &val);
	tap_ok(!rd(c, APIC_ESR), "an error shows only after a write to the ESR");
	wr(c, APIC_ESR, 0);
	tap_ok(rd(c, APIC_ESR) == 0x80, "illegal register address");
	wr(c, APIC_ESR, 0);
	tap_ok(!rd(c, APIC_ESR), "the next write clears it");
	lapic_mmio_write(&c->l, 0xffc & ~0xfu, 4, 0, 0, &c->e);
	wr(c, APIC_ESR, 0);
	tap_ok(rd(c, APIC_ESR) == 0x80, "illegal address far behind the registers, too");
	free_cpu(c);
}

static void test_modes(void)
{
	struct cpu *c = new_enabled(0x21, LAPIC_XAPIC);

	wr(c, APIC_TASKPRI, 0x20);
	wr(c, APIC_LDR, 0x42000000);
	lapic_set_irr(&c->l, 0x90, false);
	lapic_set_mode(&c->l, LAPIC_X2APIC);
	tap_ok(rd(c, APIC_ID) == 0x21 && rd(c, APIC_LDR) == 0x20002, "to x2APIC: IDs");
	tap_ok(rd(c, APIC_TASKPRI) == 0x20 && lapic_pending(&c->l) == 0x90,
	       "to x2APIC: the rest stays");
	lapic_set_mode(&c->l, LAPIC_DISABLED);
	tap_ok(lapic_pending(&c->l) < 0 && !lapic_sw_enabled(&c->l), "disabled");
	lapic_set_irr(&c->l, 0x90, false);
	tap_ok(lapic_pending(&c->l) < 0, "disabled: delivers nothing, even if a sender was late");
	tap_ok(lapic_extint_open(&c->l), "disabled: the CPU's pin is the PIC's");
	lapic_set_mode(&c->l, LAPIC_XAPIC);
	tap_ok(rd(c, APIC_ID) == 0x21 << 24 && !rd(c, APIC_LDR) && !rd(c, APIC_TASKPRI) &&
	       rd(c, APIC_SPIV) == 0xff && lapic_pending(&c->l) < 0, "on again: as after RESET");
	lapic_set_mode(&c->l, LAPIC_XAPIC);
	wr(c, APIC_ID, 7 << 24);
	lapic_set_mode(&c->l, LAPIC_XAPIC);
	tap_ok(rd(c, APIC_ID) == 7 << 24, "no transition, no change");
	free_cpu(c);
}

static void test_sw_disable(void)
{
	struct cpu *c = new_enabled(0, LAPIC_XAPIC);
	unsigned int reg, masked = 0;

	for (reg = APIC_LVTT; reg <= APIC_LVTERR; reg += 0x10)
		wr(c, reg, 0x55);
	lapic_set_irr(&c->l, 0x80, false);
	wr(c, APIC_SPIV, 0xff);
	tap_ok((c->e.what & LAPIC_DO_MAP) && !lapic_sw_enabled(&c->l), "software disable");
	for (reg = APIC_LVTT; reg <= APIC_LVTERR; reg += 0x10)
		masked += rd(c, reg) == (APIC_LVT_MASKED | 0x55);
	tap_ok(masked == 6, "software disable masks the LVTs");
	wr(c, APIC_LVT0, 0x700);
	tap_ok(rd(c, APIC_LVT0) == 0x10700, "... and they stay masked");
	tap_ok(lapic_pending(&c->l) == 0x80, "... but what waits goes on waiting");
	wr(c, APIC_SPIV, 0x1ff);
	tap_ok(rd(c, APIC_LVT0) == 0x10700, "enabling unmasks nothing");
	wr(c, APIC_LVT0, 0x700);
	tap_ok(c->e.what & LAPIC_DO_EVENT, "LINT0 may let something in");
	tap_ok(rd(c, APIC_LVT0) == 0x700 && lapic_extint_open(&c->l), "LINT0 as ExtINT");
	wr(c, APIC_LVT0, 0x400);
	tap_ok(!lapic_extint_open(&c->l), "LINT0 as NMI lets no ExtINT through");
	free_cpu(c);
}

/* ---- destinations ---- */

static bool names(struct cpu *c, bool logical, u32 dest, bool ipi, bool quirk)
{
	struct kvm_lapic_irq irq = {
		.dest_mode = logical ? APIC_DEST_LOGICAL : APIC_DEST_PHYSICAL,
		.dest_id = dest,
	};

	return lapic_matches(&c->l, &irq, ipi, quirk);
}

static void test_physical(void)
{
	struct cpu *x = new_cpu(5, LAPIC_XAPIC), *x2 = new_cpu(5, LAPIC_X2APIC);
	struct cpu *big = new_cpu(0x105, LAPIC_XAPIC), *last = new_cpu(0xff, LAPIC_X2APIC);

	tap_ok(names(x, false, 5, true, true) && !names(x, false, 4, true, true),
	       "physical: own ID only");
	tap_ok(names(x, false, 0xff, true, true) && names(x, false, 0xff, false, false),
	       "physical: xAPIC broadcast");
	wr(x, APIC_ID, 6 << 24);
	tap_ok(names(x, false, 6, true, true) && !names(x, false, 5, true, true),
	       "physical: a changed xAPIC ID");
	tap_ok(names(x2, false, 5, true, true) && !names(x2, false, 0x105, true, true),
	       "physical: x2APIC, all 32 bits count");
	tap_ok(!names(x2, false, 0xff, true, true) && names(x2, false, ~0u, true, true),
	       "physical: x2APIC broadcast has 32 bits");
	tap_ok(names(x2, false, 0xff, false, true), "... but a device's has 8, by KVM's habit");
	tap_ok(!names(x2, false, 0xff, false, false) && names(x2, false, ~0u, false, false),
	       "... unless that is switched off");
	tap_ok(names(last, false, 0xff, true, true), "an IPI for x2APIC ID FFH");
	tap_ok(names(big, false, 0x105, true, true) && names(big, false, 5, true, true),
	       "an xAPIC whose ID does not fit has both");
	lapic_set_mode(&x2->l, LAPIC_DISABLED);
	tap_ok(!names(x2, false, 5, true, true) && !names(x2, false, ~0u, true, true),
	       "disabled: named by nothing");
	free_cpu(x);
	free_cpu(x2);
	free_cpu(big);
	free_cpu(last);
}

static void test_logical(void)
{
	struct cpu *c = new_cpu(0, LAPIC_XAPIC);
	unsigned int id, dest, wrong = 0;

	tap_ok(!names(c, true, 0x01, true, true), "flat: without LDR named by nothing");
	wr(c, APIC_LDR, 0x04000000);
	tap_ok((c->e.what & LAPIC_DO_MAP), "LDR: the map is to be made anew");
	tap_ok(names(c, true, 0x04, true, true) && names(c, true, 0x86, true, true) &&
	       !names(c, true, 0x80, true, true), "flat: one bit in common");
	tap_ok(names(c, true, 0xff, true, true), "flat: broadcast");
	tap_ok(!names(c, true, 0x104, true, true), "flat: 8 bits only");

	wr(c, APIC_DFR, 0);
	wr(c, APIC_LDR, 0x24000000);
	tap_ok(names(c, true, 0x24, true, true) && names(c, true, 0x2f, true, true),
	       "cluster: its bit");
	tap_ok(!names(c, true, 0x28, true, true) && !names(c, true, 0x34, true, true),
	       "cluster: another bit, another cluster");
	tap_ok(names(c, true, 0xff, true, true), "cluster: broadcast");
	wr(c, APIC_DFR, 0x50000000);
	tap_ok(!names(c, true, 0x24, true, true), "a DFR of neither model matches nothing");
	free_cpu(c);

	for (id = 0; id < 64; id++) {
		c = new_cpu(id, LAPIC_X2APIC);
		for (dest = 0; dest < 64; dest++)
			wrong += names(c, true, (dest / 16) << 16 | 1u << dest % 16, true, true) !=
				 (id == dest);
		free_cpu(c);
	}
	tap_ok(!wrong, "x2APIC logical: 64 x 64 IDs, each named by its own only");
	c = new_cpu(0x37, LAPIC_X2APIC);
	tap_ok(names(c, true, 0x3ffff, true, true) && !names(c, true, 0x3ff7f, true, true) &&
	       names(c, true, ~0u, true, true) && !names(c, true, 0xff, true, true),
	       "x2APIC logical: masks, broadcast");
	free_cpu(c);
}

/* ---- sending ---- */

static void test_icr(void)
{
	static const struct {
		u32 icr;
		u16 mode;
		const char *name;
	} modes[] = {
		{ 0x040, APIC_DM_FIXED, "fixed" }, { 0x140, APIC_DM_LOWEST, "lowest priority" },
		{ 0x200, APIC_DM_SMI, "SMI" }, { 0x400, APIC_DM_NMI, "NMI" },
		{ 0x500, APIC_DM_INIT, "INIT" }, { 0x69a, APIC_DM_STARTUP, "start-up" },
	};
	struct cpu *c = new_enabled(0, LAPIC_XAPIC);
	struct kvm_lapic_irq *irq = &c->e.irq;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		wr(c, APIC_ICR2, 0x35000000);
		tap_ok(wr(c, APIC_ICR, modes[i].icr | 0x4000) && c->e.what == LAPIC_DO_SEND &&
		       irq->delivery_mode == modes[i].mode &&
		       irq->vector == (modes[i].icr & 0xff) && irq->dest_id == 0x35 &&
		       irq->dest_mode == APIC_DEST_PHYSICAL && irq->level && !irq->trig_mode &&
		       irq->shorthand == APIC_DEST_NOSHORT, "ICR: %s", modes[i].name);
	}
	wr(c, APIC_ICR, 0x4841);
	tap_ok(irq->dest_mode == APIC_DEST_LOGICAL, "ICR: logical");
	for (i = 0; i < 4; i++) {
		wr(c, APIC_ICR, 0x4041 | i << 18);
		tap_ok(irq->shorthand == i << 18, "ICR: shorthand %u", i);
	}
	wr(c, APIC_ICR, 0x8500);
	tap_ok(irq->delivery_mode == APIC_DM_INIT && irq->trig_mode && !irq->level,
	       "ICR: INIT de-assert");
	wr(c, APIC_ICR, 0xc041);
	tap_ok(!irq->trig_mode, "ICR: other IPIs are edge-triggered whatever it says");
	tap_ok(wr(c, APIC_ICR, 0x400f) && !c->e.what, "ICR: vector 15 is not sent");
	wr(c, APIC_ESR, 0);
	tap_ok(rd(c, APIC_ESR) == 0x20, "... but an error");
	tap_ok(wr(c, APIC_ICR, 0x440f) && c->e.what == LAPIC_DO_SEND,
	       "an NMI's vector means nothing");
	free_cpu(c);

	c = new_enabled(0, LAPIC_X2APIC);
	irq = &c->e.irq;
	wr(c, APIC_ICR, 0x12345678ull << 32 | 0x41);
	tap_ok(irq->dest_id == 0x12345678, "x2APIC ICR: 32-bit destination, no assert bit needed");
	wr(c, APIC_SELF_IPI, 0x77);
	tap_ok(c->e.what == LAPIC_DO_SEND && irq->shorthand == APIC_DEST_SELF &&
	       irq->vector == 0x77 && irq->delivery_mode == APIC_DM_FIXED && !irq->trig_mode,
	       "self-IPI");
	wr(c, APIC_SELF_IPI, 0x7);
	tap_ok(!c->e.what, "self-IPI: vector 7 is not sent");
	wr(c, APIC_ESR, 0);
	tap_ok(rd(c, APIC_ESR) == 0x20, "... but an error");
	free_cpu(c);
}

static void test_errors(void)
{
	struct cpu *c = new_enabled(0, LAPIC_XAPIC);

	tap_ok(!lapic_error(&c->l, LAPIC_ESR_RECV_ILLEGAL), "error, LVT masked: no interrupt");
	wr(c, APIC_LVTERR, 0xe5);
	tap_ok(!lapic_error(&c->l, LAPIC_ESR_RECV_ILLEGAL) && lapic_pending(&c->l) < 0,
	       "the same error again: no interrupt");
	tap_ok(lapic_error(&c->l, LAPIC_ESR_SEND_ILLEGAL) && lapic_pending(&c->l) == 0xe5,
	       "another: the interrupt");
	wr(c, APIC_ESR, 0);
	tap_ok(rd(c, APIC_ESR) == 0x60, "the ESR shows both");
	lapic_ack(&c->l);
	wr(c, APIC_EOI, 0);
	tap_ok(lapic_error(&c->l, LAPIC_ESR_SEND_ILLEGAL), "after a write to the ESR it is new");
	wr(c, APIC_LVTERR, 5);
	wr(c, APIC_ESR, 0);
	tap_ok(!lapic_error(&c->l, LAPIC_ESR_SEND_ILLEGAL), "an illegal vector for it: no loop");
	free_cpu(c);
}

/* ---- priorities ---- */

static void test_priorities(void)
{
	struct cpu *c = new_enabled(0, LAPIC_XAPIC);

	tap_ok(lapic_pending(&c->l) < 0 && lapic_ack(&c->l) < 0, "nothing waits");
	tap_ok(lapic_set_irr(&c->l, 0x31, false), "arrives");
	tap_ok(!lapic_set_irr(&c->l, 0x31, false), "arrives again: coalesced");
	lapic_set_irr(&c->l, 0xf0, false);
	lapic_set_irr(&c->l, 0x4f, true);
	tap_ok(rd(c, APIC_IRR + 0x10) == 1u << 17 && rd(c, APIC_IRR + 0x20) == 1u << 15 &&
	       rd(c, APIC_IRR + 0x70) == 1u << 16, "IRR");
	tap_ok(rd(c, APIC_TMR + 0x20) == 1u << 15 && !rd(c, APIC_TMR + 0x10), "TMR");
	tap_ok(lapic_ack(&c->l) == 0xf0 && rd(c, APIC_PROCPRI) == 0xf0, "the highest first");
	tap_ok(!rd(c, APIC_IRR + 0x70) && rd(c, APIC_ISR + 0x70) == 1u << 16, "IRR to ISR");
	tap_ok(lapic_pending(&c->l) < 0, "lower ones wait for its EOI");
	lapic_set_irr(&c->l, 0xff, false);
	tap_ok(lapic_pending(&c->l) < 0, "the same class does, too");
	lapic_set_irr(&c->l, 0xf0, false);
	tap_ok(rd(c, APIC_IRR + 0x70) & 1u << 16, "one in service can wait once more");

	wr(c, APIC_EOI, 0);
	tap_ok(c->e.what == (LAPIC_DO_EVENT | LAPIC_DO_EOI) && c->e.eoi_vector == 0xf0 &&
	       !c->e.eoi_level, "EOI of an edge");
	tap_ok(lapic_ack(&c->l) == 0xff, "then the next");
	wr(c, APIC_EOI, 0);
	tap_ok(lapic_ack(&c->l) == 0xf0, "and the one that came twice");
	wr(c, APIC_EOI, 0);
	tap_ok(lapic_ack(&c->l) == 0x4f && lapic_pending(&c->l) < 0, "class 4 before class 3");
	lapic_set_irr(&c->l, 0x50, false);
	tap_ok(lapic_ack(&c->l) == 0x50, "a higher class interrupts the handler");
	wr(c, APIC_EOI, 0);
	tap_ok(c->e.eoi_vector == 0x50 && !c->e.eoi_level, "EOI is of the highest in service");
	wr(c, APIC_EOI, 0);
	tap_ok(c->e.eoi_vector == 0x4f && c->e.eoi_level, "EOI of a level");
	lapic_ack(&c->l);
	wr(c, APIC_EOI, 0);
	wr(c, APIC_EOI, 0);
	tap_ok(!c->e.what, "EOI without anything in service");
	wr(c, APIC_SPIV, 0x13ff);
	tap_ok(!lapic_eoi_is_directed(&c->l) && !(rd(c, APIC_LVR) & APIC_LVR_DIRECTED_EOI),
	       "EOIs cannot be directed");
	c->l.directed_eoi = true;
	lapic_set_version(&c->l);
	wr(c, APIC_SPIV, 0x13ff);
	tap_ok(lapic_eoi_is_directed(&c->l) && rd(c, APIC_SPIV) == 0x13ff &&
	       (rd(c, APIC_LVR) & APIC_LVR_DIRECTED_EOI), "unless there is who can be told");
	wr(c, APIC_SPIV, 0x3ff);
	tap_ok(!lapic_eoi_is_directed(&c->l), "and software wants it");
	lapic_set_irr(&c->l, 0x4f, false);
	lapic_ack(&c->l);
	wr(c, APIC_EOI, 0);
	tap_ok(c->e.eoi_vector == 0x4f && !c->e.eoi_level, "the last message's mode counts");
	free_cpu(c);
}

static void test_ppr(void)
{
	static const struct {
		u8 tpr;
		int isr;
		u8 ppr;
	} cases[] = {
		{ 0x00, -1, 0x00 }, { 0x35, -1, 0x35 }, { 0x00, 0x67, 0x60 }, { 0x35, 0x67, 0x60 },
		{ 0x65, 0x67, 0x65 }, { 0x75, 0x67, 0x75 }, { 0xff, 0x67, 0xff },
	};
	struct cpu *c;
	unsigned int i, tpr, vector, wrong = 0;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		c = new_enabled(0, LAPIC_XAPIC);
		if (cases[i].isr >= 0) {
			lapic_set_irr(&c->l, cases[i].isr, false);
			lapic_ack(&c->l);
		}
		wr(c, APIC_TASKPRI, cases[i].tpr);
		tap_ok(rd(c, APIC_PROCPRI) == cases[i].ppr, "PPR: TPR %02X, in service %d",
		       cases[i].tpr, cases[i].isr);
		free_cpu(c);
	}
	for (tpr = 0; tpr < 256; tpr++) {
		for (vector = 16; vector < 256; vector++) {
			c = new_enabled(0, LAPIC_XAPIC);
			wr(c, APIC_TASKPRI, tpr);
			lapic_set_irr(&c->l, vector, false);
			wrong += (lapic_pending(&c->l) == (int)vector) != (vector / 16 > tpr / 16);
			free_cpu(c);
		}
	}
	tap_ok(!wrong, "each TPR lets through exactly the classes above its own");
	c = new_enabled(0, LAPIC_XAPIC);
	lapic_set_irr(&c->l, 0x77, false);
	lapic_set_irr(&c->l, 0x66, false);
	tap_ok(lapic_vapic_word(&c->l) == 0x77000000, "vAPIC word: what waits");
	lapic_ack(&c->l);
	wr(c, APIC_TASKPRI, 0x31);
	tap_ok(lapic_vapic_word(&c->l) == 0x66007031, "vAPIC word: TPR and class in service");
	lapic_set_tpr(&c->l, 0xa);
	tap_ok(rd(c, APIC_TASKPRI) == 0xa0, "CR8 is the TPR's class");
	free_cpu(c);
}

/* Which EOIs would change nothing but the ISR? */
static void test_sole_edge(void)
{
	static const u8 others[] = { 0x10, 0x30, 0x5f, 0x71, 0x80, 0xff };
	struct cpu *c = new_enabled(0, LAPIC_XAPIC);
	unsigned int i;

	tap_ok(lapic_sole_edge(&c->l) < 0, "nothing in service");
	lapic_set_irr(&c->l, 0x60, false);
	tap_ok(lapic_sole_edge(&c->l) < 0, "... one waits");
	lapic_ack(&c->l);
	tap_ok(lapic_sole_edge(&c->l) == 0x60, "one edge in service, none waits");
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		lapic_set_irr(&c->l, others[i], false);
		tap_ok(lapic_sole_edge(&c->l) < 0, "%02X waits besides", others[i]);
		if (lapic_ack(&c->l) == others[i]) {
			tap_ok(lapic_sole_edge(&c->l) < 0, "%02X in service, too", others[i]);
			wr(c, APIC_EOI, 0);
		} else {
			wr(c, APIC_EOI, 0);
			lapic_ack(&c->l);
			tap_ok(lapic_sole_edge(&c->l) == others[i], "it is the one now");
			wr(c, APIC_EOI, 0);
			lapic_set_irr(&c->l, 0x60, false);
			lapic_ack(&c->l);
		}
		tap_ok(lapic_sole_edge(&c->l) == 0x60, "%02X is gone", others[i]);
	}
	wr(c, APIC_EOI, 0);
	lapic_set_irr(&c->l, 0x60, true);
	lapic_ack(&c->l);
	tap_ok(lapic_sole_edge(&c->l) < 0, "a level in service");
	free_cpu(c);
}

/* ---- timer ---- */

static void test_divisors(void)
{
	static const unsigned int tdcr[] = { 0xb, 0, 1, 2, 3, 8, 9, 0xa };
	struct cpu *c = new_enabled(0, LAPIC_XAPIC);
	unsigned int i;

	for (i = 0; i < 8; i++) {
		wr(c, APIC_TDCR, tdcr[i]);
		wr_at(c, APIC_TMICT, 1000000, 5);
		tap_ok(c->l.timer.armed && c->l.timer.target == 5 + (1000000ull << i) &&
		       c->e.what == LAPIC_DO_TIMER, "divide by %u", 1 << i);
	}
	wr(c, APIC_TMICT, 0xffffffff);
	tap_ok(c->l.timer.target == 0xffffffffull * 128, "the longest time");
	free_cpu(c);
}

static void test_oneshot(void)
{
	struct cpu *c = new_enabled(0, LAPIC_XAPIC);

	wr(c, APIC_LVTT, 0x40);
	wr_at(c, APIC_TMICT, 1000, 10000);	/* divide by 2: 2000 ns */
	tap_ok(rd_at(c, APIC_TMCCT, 10000) == 1000, "one-shot: starts at the top");
	tap_ok(rd_at(c, APIC_TMCCT, 11000) == 500, "one-shot: half");
	tap_ok(rd_at(c, APIC_TMCCT, 11999) == 1, "one-shot: not 0 before the time is over");
	tap_ok(rd_at(c, APIC_TMCCT, 12000) == 0 && rd_at(c, APIC_TMCCT, 99999) == 0,
	       "one-shot: 0, and stays");

	wr_at(c, APIC_TMICT, 1000, 10000);
	wr_at(c, APIC_TDCR, 3, 11000);		/* divide by 16, at count 500 */
	tap_ok(rd_at(c, APIC_TMCCT, 11000) == 500 && c->l.timer.target == 11000 + 500 * 16,
	       "a new divisor: the count goes on");
	wr_at(c, APIC_TDCR, 0xb, 100000);
	tap_ok(!c->l.timer.armed && rd_at(c, APIC_TMCCT, 100000) == 0,
	       "a new divisor does not bring back one that is over");
	wr_at(c, APIC_TMICT, 1000, 0);
	wr_at(c, APIC_TMICT, 0, 10);
	tap_ok(!c->l.timer.armed && c->e.what == LAPIC_DO_TIMER && !rd_at(c, APIC_TMCCT, 10),
	       "0 stops it");
	wr_at(c, APIC_TMICT, 1000, 0);
	wr_at(c, APIC_LVTT, 0x10040, 10);
	tap_ok(c->l.timer.armed && !c->e.what, "masking does not stop it");
	free_cpu(c);
}

static void test_periodic(void)
{
	struct cpu *c = new_enabled(0, LAPIC_XAPIC);

	wr(c, APIC_TDCR, 0xb);
	wr(c, APIC_LVTT, 0x20040);
	wr_at(c, APIC_TMICT, 1000000, 0);
	tap_ok(lapic_timer_periodic(&c->l) && rd_at(c, APIC_TMCCT, 1) == 999999, "periodic: first");
	tap_ok(rd_at(c, APIC_TMCCT, 1000000) == 1000000 &&
	       rd_at(c, APIC_TMCCT, 1000001) == 999999 &&
	       rd_at(c, APIC_TMCCT, 7250000) == 750000, "periodic: again and again");
	wr_at(c, APIC_LVTT, 0x40, 7250000);
	tap_ok(c->l.timer.armed && c->l.timer.target == 8000000 && (c->e.what & LAPIC_DO_TIMER),
	       "periodic to one-shot: the period under way is the last");
	wr_at(c, APIC_LVTT, 0x20040, 7500000);
	tap_ok(c->l.timer.target == 8000000 && c->l.timer.period == 1000000,
	       "one-shot to periodic");
	wr_at(c, APIC_LVTT, 0x40, 7500000);
	wr_at(c, APIC_LVTT, 0x20040, 9000000);
	tap_ok(!c->l.timer.armed, "... not when it is over");
	wr_at(c, APIC_TMICT, 1, 0);
	tap_ok(c->l.timer.period == LAPIC_MIN_PERIOD_NS, "periodic: no faster than a host bears");
	tap_ok(rd_at(c, APIC_TMCCT, 1) == 1, "... and the count never above its first");
	free_cpu(c);
}

static void test_deadline(void)
{
	struct cpu *c = new_enabled(0, LAPIC_XAPIC);

	wr_at(c, APIC_TMICT, 1000000, 0);
	wr_at(c, APIC_LVTT, 0x40040, 10);
	tap_ok(lapic_timer_deadline(&c->l) && !c->l.timer.armed && !rd(c, APIC_TMICT) &&
	       (c->e.what & LAPIC_DO_TIMER), "to TSC-deadline mode: the count is gone");
	wr(c, APIC_TMICT, 5);
	tap_ok(!rd(c, APIC_TMICT) && !c->e.what, "TSC-deadline: the initial count is ignored");
	c->l.tsc_deadline = 12345;
	wr(c, APIC_LVTT, 0x50040);
	tap_ok(c->l.tsc_deadline == 12345, "masking keeps the deadline");
	wr(c, APIC_LVTT, 0x40);
	tap_ok(!c->l.tsc_deadline && (c->e.what & LAPIC_DO_TIMER), "another mode does not");
	wr(c, APIC_LVTT, 0x60040);
	wr(c, APIC_TMICT, 5);
	tap_ok(!c->l.timer.armed, "the reserved mode counts nothing");
	free_cpu(c);

	tap_ok(lapic_tsc_to_ns(2000, 2000000) == 1000, "2000 cycles of 2 GHz");
	tap_ok(lapic_tsc_to_ns(1, 3000000) == 1, "rounded up");
	tap_ok(lapic_tsc_to_ns(0, 3000000) == 0, "no cycles, no time");
	tap_ok(lapic_tsc_to_ns(3600ull * 2400000000, 2400000) == 3600000000000ull, "an hour");
	tap_ok(lapic_tsc_to_ns(9000000000000000ull, 1000) == 9000000000000000000ull,
	       "as long as ns can say");
	tap_ok(lapic_tsc_to_ns(~0ull, 1) == ~0ull >> 1 &&
	       lapic_tsc_to_ns(~0ull, 1000) == ~0ull >> 1, "the end of time");
	tap_ok(lapic_tsc_to_ns(~0ull, 4294967295u) <= ~0ull >> 1, "the fastest clock");
}

/* ---- save and restore ---- */

static u32 page_reg(const u8 *page, unsigned int reg)
{
	u32 val;

	memcpy(&val, page + reg, sizeof(val));
	return val;
}

static void set_page_reg(u8 *page, unsigned int reg, u32 val)
{
	memcpy(page + reg, &val, sizeof(val));
}

/* The last write was this EOI. */
static bool c_eoi(struct cpu *c, u8 vector, bool level)
{
	return (c->e.what & LAPIC_DO_EOI) && c->e.eoi_vector == vector && c->e.eoi_level == level;
}

static void test_round_trip(void)
{
	struct cpu *a = new_enabled(2, LAPIC_XAPIC), *b = new_cpu(2, LAPIC_XAPIC);
	u8 page[LAPIC_PAGE_SIZE], again[LAPIC_PAGE_SIZE];

	wr(a, APIC_TASKPRI, 0x21);
	wr(a, APIC_LDR, 0x04000000);
	wr(a, APIC_LVT0, 0x700);
	wr(a, APIC_LVTT, 0x20055);
	wr(a, APIC_ICR2, 0x05000000);
	wr(a, APIC_ICR, 0x4099);
	wr_at(a, APIC_TMICT, 1000000, 0);
	lapic_set_irr(&a->l, 0x66, true);
	lapic_ack(&a->l);
	lapic_set_irr(&a->l, 0x77, false);
	lapic_set_irr(&a->l, 0x78, true);

	lapic_get_page(&a->l, 500000, false, page);
	tap_ok(page_reg(page, APIC_TMCCT) == 750000 && page_reg(page, APIC_PROCPRI) == 0x60,
	       "get: current count and PPR are those of now");
	tap_ok(lapic_set_page(&b->l, 9000000, false, page), "set");
	lapic_get_page(&b->l, 9000000, false, again);
	tap_ok(!memcmp(page, again, sizeof(page)), "get, set, get: the same");
	tap_ok(b->l.timer.armed && b->l.timer.target == 9000000 + 750000 * 2 &&
	       b->l.timer.period == 2000000, "the timer goes on where it was");
	tap_ok(lapic_ack(&b->l) == 0x78, "what waited still waits");
	wr(b, APIC_EOI, 0);
	tap_ok(c_eoi(b, 0x78, true), "... with its mode");
	tap_ok(lapic_ack(&b->l) == 0x77, "... and the next");
	wr(b, APIC_EOI, 0);
	tap_ok(c_eoi(b, 0x77, false), "... with its mode");
	wr(b, APIC_EOI, 0);
	tap_ok(c_eoi(b, 0x66, true), "what was in service still is");
	free_cpu(a);
	free_cpu(b);
}

static void test_set_timer(void)
{
	struct cpu *c = new_enabled(0, LAPIC_XAPIC);
	u8 page[LAPIC_PAGE_SIZE];

	wr(c, APIC_LVTT, 0x40);
	wr_at(c, APIC_TMICT, 1000, 0);
	lapic_get_page(&c->l, 0, false, page);
	set_page_reg(page, APIC_TMCCT, 0);
	lapic_set_page(&c->l, 5000, false, page);
	tap_ok(c->l.timer.armed && c->l.timer.target == 5000, "set: a one-shot at 0 fires at once");
	set_page_reg(page, APIC_TMCCT, 5000);
	lapic_set_page(&c->l, 5000, false, page);
	tap_ok(c->l.timer.target == 7000, "set: no count above the first");
	set_page_reg(page, APIC_TMICT, 0);
	lapic_set_page(&c->l, 5000, false, page);
	tap_ok(!c->l.timer.armed, "set: a timer that was stopped");

	set_page_reg(page, APIC_LVTT, 0x20040);
	set_page_reg(page, APIC_TMICT, 1000000);
	set_page_reg(page, APIC_TMCCT, 0);
	lapic_set_page(&c->l, 5000, false, page);
	tap_ok(c->l.timer.target == 2005000, "set: a periodic one at 0 has a period before it");

	wr(c, APIC_LVTT, 0x40040);
	c->l.tsc_deadline = 99;
	lapic_get_page(&c->l, 0, false, page);
	lapic_set_page(&c->l, 0, false, page);
	tap_ok(c->l.tsc_deadline == 99, "set: the deadline is an MSR's, and stays");
	set_page_reg(page, APIC_LVTT, 0x40);
	lapic_set_page(&c->l, 0, false, page);
	tap_ok(!c->l.tsc_deadline, "... but not in another mode");
	free_cpu(c);
}

static void test_id_formats(void)
{
	struct cpu *c = new_enabled(0x102, LAPIC_X2APIC);
	u8 page[LAPIC_PAGE_SIZE];

	wr(c, APIC_ICR, 0x1234567800000041);
	lapic_get_page(&c->l, 0, true, page);
	tap_ok(page_reg(page, APIC_ID) == 0x102, "get, 32-bit IDs");
	tap_ok(page_reg(page, APIC_ICR2) == 0x12345678, "get: the ICR's upper half");
	tap_ok(lapic_set_page(&c->l, 0, true, page), "set, 32-bit IDs");
	set_page_reg(page, APIC_ID, 0x103);
	set_page_reg(page, APIC_TASKPRI, 0x44);
	tap_ok(!lapic_set_page(&c->l, 0, true, page) && !rd(c, APIC_TASKPRI),
	       "set, another's ID: refused, nothing changed");
	lapic_get_page(&c->l, 0, false, page);
	tap_ok(page_reg(page, APIC_ID) == 0x02000000, "get, 8-bit IDs, in x2APIC mode");
	set_page_reg(page, APIC_ID, 0x77000000);
	set_page_reg(page, APIC_LDR, 0x77000000);
	tap_ok(lapic_set_page(&c->l, 0, false, page) && rd(c, APIC_ID) == 0x102 &&
	       rd(c, APIC_LDR) == 0x100004, "set, 8-bit IDs: x2APIC IDs are not settable");
	free_cpu(c);

	c = new_enabled(4, LAPIC_XAPIC);
	lapic_get_page(&c->l, 0, true, page);
	tap_ok(page_reg(page, APIC_ID) == 4 << 24, "get, 32-bit IDs, in xAPIC mode");
	set_page_reg(page, APIC_ID, 0x09abcdef);
	lapic_set_page(&c->l, 0, true, page);
	tap_ok(rd(c, APIC_ID) == 9 << 24, "set: an xAPIC's ID is settable");
	lapic_get_page(&c->l, 0, false, page);
	tap_ok(page_reg(page, APIC_ID) == 9 << 24, "get, 8-bit IDs, of a changed xAPIC ID");
	free_cpu(c);
}

static void test_set_garbage(void)
{
	struct cpu *c = new_cpu(0, LAPIC_XAPIC);
	u8 page[LAPIC_PAGE_SIZE];

	memset(page, 0xff, sizeof(page));
	lapic_set_page(&c->l, 0, false, page);
	tap_ok(rd(c, APIC_LVR) == 0x50014 && rd(c, APIC_TASKPRI) == 0xff &&
	       rd(c, APIC_SPIV) == 0x3ff && rd(c, APIC_LVTT) == 0x700ff &&
	       rd(c, APIC_LVT0) == 0x1a7ff && rd(c, APIC_TDCR) == 0xb &&
	       rd(c, APIC_ICR2) == 0xff000000 && rd(c, APIC_LDR) == 0xff000000,
	       "set all ones: only what registers have");
	tap_ok(rd(c, APIC_ICR) == 0xffffefff, "... the ICR whole, but for the busy bit");
	tap_ok(rd(c, APIC_IRR) == 0xffffffff, "... the IRR whole: selftests pass values there");
	tap_ok(!c->l.timer.armed, "... no timer in the reserved mode");
	memset(page, 0, sizeof(page));
	lapic_set_page(&c->l, 0, false, page);
	tap_ok(rd(c, APIC_LVR) == 0x50014 && rd(c, APIC_DFR) == 0x0fffffff,
	       "set all zeroes: version and DFR are whole");
	free_cpu(c);
}

/*
 * Anything in any order: nothing crashes (ASan, UBSan), the vector in hand is always
 * above the PPR, and what comes in goes out once.
 */
static void test_random(void)
{
	struct cpu *c = new_enabled(0, LAPIC_XAPIC);
	unsigned int i, accepted = 0, taken = 0, bad = 0;
	u8 page[LAPIC_PAGE_SIZE];
	u64 now = 0;
	u8 ppr;
	int v;

	srandom(1);
	for (i = 0; i < 2000000; i++) {
		now += random() % 100000;
		switch (random() % 6) {
		case 0:
			wr_at(c, random() % 0x44 * 0x10, (u32)random() << random() % 16, now);
			break;
		case 1:
			if (lapic_sw_enabled(&c->l))
				accepted += lapic_set_irr(&c->l, 16 + random() % 240, random() & 1);
			break;
		case 2:
			ppr = lapic_ppr(&c->l);
			v = lapic_ack(&c->l);
			bad += v >= 0 && v / 16 <= ppr / 16;
			taken += v >= 0;
			break;
		case 3:
			wr_at(c, APIC_EOI, 0, now);
			break;
		case 4:
			bad += rd_at(c, APIC_TMCCT, now) > rd_at(c, APIC_TMICT, now);
			break;
		case 5:
			lapic_get_page(&c->l, now, false, page);
			lapic_set_page(&c->l, now, false, page);
			break;
		}
	}
	wr(c, APIC_TASKPRI, 0);
	while (lapic_highest_isr(&c->l) >= 0)
		wr(c, APIC_EOI, 0);
	while (lapic_ack(&c->l) >= 0) {
		taken++;
		wr(c, APIC_EOI, 0);
	}
	tap_note("%u interrupts", taken);
	tap_ok(!bad, "random: PPR and current count hold");
	/* Error interrupts of bad ICRs are the only ones that are not of case 1. */
	tap_ok(taken >= accepted && taken - accepted < accepted / 10 && accepted > 10000,
	       "random: what came in went out");
	free_cpu(c);
}

int main(void)
{
	test_reset();
	test_xapic_registers();
	test_x2apic_registers();
	test_mmio();
	test_modes();
	test_sw_disable();
	test_physical();
	test_logical();
	test_icr();
	test_errors();
	test_priorities();
	test_ppr();
	test_sole_edge();
	test_divisors();
	test_oneshot();
	test_periodic();
	test_deadline();
	test_round_trip();
	test_set_timer();
	test_id_formats();
	test_set_garbage();
	test_random();
	return tap_done();
}
