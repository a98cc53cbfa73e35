// SPDX-License-Identifier: GPL-2.0
/*
 * lapic_test - the local APIC as a guest uses it, whoever does its work
 *
 * Guards: CR8 and the TPR are one register, and keep interrupts out exactly as long as
 * their class is not above it; an EOI lets the next one in; interrupts between CPUs
 * that run are neither lost nor doubled; registers keep the bits that they have, and
 * what a write makes happen does; a state that is saved in mid-flight goes on in
 * another VM; a debugger keeps interrupts away.  In xAPIC and in x2APIC mode.
 *
 * Where hardware does some of it (TPR shadow, virtual-interrupt delivery), also that
 * it does: exits are counted.
 */
#include <kselftest_harness.h>

#include "irq_util.h"

#define LAPIC_VERSION	0x30
#define LAPIC_TPR	0x80
#define LAPIC_PPR	0xa0
#define LAPIC_DFR	0xe0
#define LAPIC_ISR	0x100
#define LAPIC_TMR	0x180
#define LAPIC_IRR	0x200
#define LAPIC_ESR	0x280
#define LAPIC_ICR	0x300
#define LAPIC_ICR2	0x310
#define LAPIC_LVTT	0x320
#define LAPIC_LVTPC	0x340
#define LAPIC_LVT0	0x350
#define LAPIC_LVT1	0x360
#define LAPIC_LVTERR	0x370
#define LAPIC_TMICT	0x380
#define LAPIC_TMCCT	0x390
#define LAPIC_TDCR	0x3e0
#define LAPIC_SELF_IPI	0x3f0

#define LVT_MASKED	0x10000
#define LVT_PERIODIC	0x20000
#define ICR_SELF	0x40000
#define ICR_ASSERT	0x4000
#define SW_ENABLED	0x100

#define MSR_APIC_BASE	0x1b
#define BASE_ENABLED	0x800
#define BASE_X2APIC	0x400

/* ---------------------------------------------------------------------- guest */

GUEST_DATA static volatile bool x2apic;
GUEST_DATA static volatile u32 rounds = 1000;
GUEST_DATA static volatile u32 beats[2];	/* of ping_pong */

GUEST_FN static u64 apic_get(u32 reg)
{
	u64 val = 0;

	if (!x2apic)
		return *(volatile u32 *)(LAPIC_GPA + reg);
	G_ASSERT(g_rdmsr(0x800 + reg / 16, &val) == -1, reg);
	g_exc()->action = EXC_IRET;
	return val;
}

GUEST_FN static void apic_put(u32 reg, u64 val)
{
	if (x2apic)
		asm volatile("wrmsr" : : "a"((u32)val), "d"((u32)(val >> 32)),
			     "c"(0x800 + reg / 16) : "memory");
	else
		lapic_write(reg, val);
}

GUEST_FN static void apic_on(void)
{
	u64 base;

	if (x2apic) {
		g_rdmsr(MSR_APIC_BASE, &base);
		G_ASSERT(g_wrmsr(MSR_APIC_BASE, base | BASE_X2APIC) == -1, base);
	}
	g_exc()->action = EXC_IRET;
	g_exc()->count = 0;
	apic_put(LAPIC_SVR, 0x1ff);
}

__guest_inline void g_set_cr8(u64 val)
{
	asm volatile("mov %0, %%cr8" : : "r"(val) : "memory");
}

__guest_inline u64 g_cr8(void)
{
	u64 val;

	asm volatile("mov %%cr8, %0" : "=r"(val) : : "memory");
	return val;
}

/* Two instructions with interrupts on: one that can be taken is taken by the second. */
__guest_inline void g_open(void)
{
	asm volatile("sti; nop; nop; nop; cli" : : : "memory");
}

/* To this CPU itself, in the way that exists in both modes. */
__guest_inline void g_self_ipi(u32 vector)
{
	apic_put(LAPIC_ICR, vector | ICR_SELF | ICR_ASSERT);
}

__guest_inline u64 g_count(void)
{
	return *(volatile u64 *)&g_exc()->count;
}

#define G_TAKEN(n, v) do {						\
	g_open();							\
	G_ASSERT(g_count() == (n), g_count());				\
	G_ASSERT(*(volatile u64 *)&g_exc()->vector == (v), g_exc()->vector); \
} while (0)

#define G_NOT_TAKEN(n) do {						\
	g_open();							\
	G_ASSERT(g_count() == (n), g_count());				\
} while (0)

GUEST_FN static void cr8_is_the_tpr(void)
{
	u32 other;

	apic_on();
	for (u32 i = 0; i < 16; i++) {
		g_set_cr8(i);
		G_ASSERT(g_cr8() == i, g_cr8());
		G_ASSERT(apic_get(LAPIC_TPR) == i << 4, apic_get(LAPIC_TPR));
		G_ASSERT(apic_get(LAPIC_PPR) == i << 4, apic_get(LAPIC_PPR));
		g_ucall(UCALL_SYNC, i, i << 4);
		G_ASSERT(g_cr8() == i, g_cr8());
		/* Another class than the next one: an SVM that keeps CR8 keeps only that. */
		other = (i + 7) & 15;
		apic_put(LAPIC_TPR, other << 4 | 0xb);
		G_ASSERT(g_cr8() == other, g_cr8());
		G_ASSERT(apic_get(LAPIC_TPR) == (other << 4 | 0xb), apic_get(LAPIC_TPR));
		g_ucall(UCALL_SYNC, other, other << 4 | 0xb);
	}
	g_done();
}

GUEST_FN static void tpr_keeps_out(void)
{
	u64 n = 0;

	apic_on();
	for (u32 i = 0; i < rounds; i++) {
		g_set_cr8(6);
		g_self_ipi(0x65);
		G_NOT_TAKEN(n);
		g_set_cr8(7);
		G_NOT_TAKEN(n);
		G_ASSERT(apic_get(LAPIC_IRR + 0x30) == 1 << 5, apic_get(LAPIC_IRR + 0x30));
		g_set_cr8(6);
		G_NOT_TAKEN(n);
		g_set_cr8(5);
		G_TAKEN(++n, 0x65);
		G_ASSERT(apic_get(LAPIC_ISR + 0x30) == 1 << 5, apic_get(LAPIC_ISR + 0x30));
		G_ASSERT(apic_get(LAPIC_IRR + 0x30) == 0, apic_get(LAPIC_IRR + 0x30));
		G_ASSERT(apic_get(LAPIC_PPR) == 0x60, apic_get(LAPIC_PPR));

		/* In service: its class waits, whatever the TPR; a higher one comes. */
		g_self_ipi(0x61);
		G_NOT_TAKEN(n);
		g_set_cr8(0);
		G_NOT_TAKEN(n);
		g_self_ipi(0x71);
		G_TAKEN(++n, 0x71);
		apic_put(LAPIC_EOI, 0);
		G_NOT_TAKEN(n);
		apic_put(LAPIC_EOI, 0);
		G_TAKEN(++n, 0x61);
		apic_put(LAPIC_EOI, 0);
		G_ASSERT(apic_get(LAPIC_ISR + 0x30) == 0, apic_get(LAPIC_ISR + 0x30));
		G_ASSERT(apic_get(LAPIC_PPR) == 0, apic_get(LAPIC_PPR));

		/* With IF set all the time, the write itself lets it in. */
		g_set_cr8(9);
		g_self_ipi(0x95);
		asm volatile("sti; nop" : : : "memory");
		G_ASSERT(g_count() == n, g_count());
		g_set_cr8(8);
		asm volatile("nop; nop; cli" : : : "memory");
		G_ASSERT(g_count() == ++n, g_count());
		apic_put(LAPIC_EOI, 0);
		g_set_cr8(0);
	}
	g_done();
}

GUEST_FN static void use_cr8(void)
{
	apic_on();
	g_ucall(UCALL_SYNC, 0, 0);
	for (u32 i = 0; i < rounds; i++) {
		g_set_cr8(i & 15);
		G_ASSERT(g_cr8() == (i & 15), g_cr8());
	}
	g_done();
}

/* Take an interrupt, and say its end. */
GUEST_FN static void use_eoi(void)
{
	apic_on();
	g_ucall(UCALL_SYNC, 0, 0);
	for (u32 i = 1; i <= rounds; i++) {
		g_self_ipi(0x55);
		G_TAKEN(i, 0x55);
		apic_put(LAPIC_EOI, 0);
	}
	g_done();
}

/* Registers: what is written, and what then can be read, in xAPIC mode. */
struct reg_write {
	u32 reg, val, reads;
};

GUEST_DATA static struct reg_write reg_writes[] = {
	{ LAPIC_TPR, 0xffffffff, 0xff }, { LAPIC_TPR, 0, 0 },
	{ LAPIC_LDR, 0xffffffff, 0xff000000 }, { LAPIC_LDR, 0x01234567, 0x01000000 },
	{ LAPIC_DFR, 0, 0x0fffffff }, { LAPIC_DFR, 0xffffffff, 0xffffffff },
	{ LAPIC_LVTPC, 0xffffffff, 0x107ff }, { LAPIC_LVTPC, LVT_MASKED, LVT_MASKED },
	{ LAPIC_LVT0, 0xffffffff, 0x1a7ff }, { LAPIC_LVT1, LVT_MASKED | 0x700, LVT_MASKED | 0x700 },
	{ LAPIC_LVTERR, 0xffffffff, 0x100ff }, { LAPIC_LVTT, 0x300ff, 0x300ff },
	{ LAPIC_TDCR, 0xffffffff, 0xb }, { LAPIC_TDCR, 3, 3 },
	{ LAPIC_ICR2, 0xffffffff, 0xff000000 }, { LAPIC_ICR2, 0x02345678, 0x02000000 },
	{ LAPIC_ESR, 0xffffffff, 0 },
	/* Software disable masks the LVTs, and they stay so. */
	{ LAPIC_LVT1, 0x400, 0x400 }, { LAPIC_SVR, 0xff, 0xff },
	{ LAPIC_LVT1, 0x400, LVT_MASKED | 0x400 }, { LAPIC_SVR, 0x1ff, 0x1ff },
	{ LAPIC_SVR, 0xffffe1ff, 0x1ff },	/* bit 12: with a split irqchip */
};

GUEST_FN static void registers(void)
{
	apic_on();
	for (u32 i = 0; i < ARRAY_SIZE(reg_writes); i++) {
		volatile struct reg_write *w = &reg_writes[i];

		apic_put(w->reg, w->val);
		if (apic_get(w->reg) != w->reads)
			g_ucall(UCALL_FAIL, w->reg << 16 | i, apic_get(w->reg));
	}
	G_ASSERT(apic_get(LAPIC_LVT1) == (LVT_MASKED | 0x400), apic_get(LAPIC_LVT1));
	g_done();
}

/*
 * The timer: the count goes on over a change of the divisor, at the new rate; a
 * one-shot fires once, a periodic one again and again; to stop it TMICT gets 0.
 */
GUEST_FN static void timer(void)
{
	u64 a, b, n;

	apic_on();
	apic_put(LAPIC_TDCR, 0xb);			/* by 1 */
	apic_put(LAPIC_LVTT, LVT_MASKED | 0x60);
	apic_put(LAPIC_TMICT, 0xffffffff);
	a = apic_get(LAPIC_TMCCT);
	b = apic_get(LAPIC_TMCCT);
	G_ASSERT(b && b < a, b);
	apic_put(LAPIC_TDCR, 0xa);			/* by 128 */
	a = apic_get(LAPIC_TMCCT);
	G_ASSERT(a <= b && b - a < 0x40000000, b - a);	/* not rescaled to a 128th */
	apic_put(LAPIC_TMICT, 0);
	G_ASSERT(apic_get(LAPIC_TMCCT) == 0, 0);

	apic_put(LAPIC_TDCR, 0xb);
	apic_put(LAPIC_LVTT, 0x61);
	apic_put(LAPIC_TMICT, 2000000);
	while (!g_count())
		g_open();
	G_ASSERT(g_exc()->vector == 0x61, g_exc()->vector);
	G_ASSERT(apic_get(LAPIC_TMCCT) == 0, 0);
	apic_put(LAPIC_EOI, 0);

	apic_put(LAPIC_LVTT, LVT_PERIODIC | 0x62);
	apic_put(LAPIC_TMICT, 1000000);
	for (n = 2; n < 12; n++) {
		while (g_count() < n)
			g_open();
		G_ASSERT(g_exc()->vector == 0x62, g_exc()->vector);
		apic_put(LAPIC_EOI, 0);
	}
	apic_put(LAPIC_TMICT, 0);
	G_ASSERT(apic_get(LAPIC_TMCCT) == 0, 0);
	g_done();
}

/* What an x2APIC refuses, and that it refuses it still when hardware does the rest. */
GUEST_FN static void x2apic_faults(void)
{
	u64 val;

	apic_on();
	G_ASSERT(g_wrmsr(0x808, 0x100) == 13, 0);
	G_ASSERT(g_wrmsr(0x80b, 1) == 13, 0);
	G_ASSERT(g_wrmsr(0x83f, 0x100) == 13, 0);
	G_ASSERT(g_wrmsr(0x802, 0) == 13, 0);
	G_ASSERT(g_wrmsr(0x80f, 0x2000) == 13, 0);
	G_ASSERT(g_wrmsr(0x80a, 0) == 13, 0);
	G_ASSERT(g_rdmsr(0x80b, &val) == 13, val);
	G_ASSERT(g_rdmsr(0x83f, &val) == 13, val);
	G_ASSERT(g_rdmsr(0x80e, &val) == 13, val);
	G_ASSERT(g_rdmsr(0x831, &val) == 13, val);
	G_ASSERT(g_rdmsr(0x800, &val) == 13, val);
	G_ASSERT(g_rdmsr(0x80d, &val) == -1 && val == 1, val);
	G_ASSERT(g_rdmsr(0x802, &val) == -1 && val == 0, val);
	G_ASSERT(g_wrmsr(0x830, 0x700000050) == -1, 0);
	G_ASSERT(g_rdmsr(0x830, &val) == -1 && val >> 32 == 7, val);
	g_exc()->action = EXC_IRET;
	g_exc()->count = 0;
	apic_put(LAPIC_SELF_IPI, 0x77);
	G_TAKEN(1, 0x77);
	apic_put(LAPIC_EOI, 0);
	g_done();
}

/* Each CPU waits for the other's interrupt, and answers it: none must get lost. */
GUEST_FN static void ping_pong(void)
{
	u32 me, other;

	apic_on();
	me = x2apic ? apic_get(LAPIC_ID) : apic_get(LAPIC_ID) >> 24;
	other = 1 - me;
	g_ucall(UCALL_SYNC, me, 0);
	for (u32 i = 1; i <= rounds; i++) {
		if (me) {
			while (g_count() < i)
				g_open();
			apic_put(LAPIC_EOI, 0);
		}
		if (x2apic) {
			apic_put(LAPIC_ICR, (u64)other << 32 | 0x50 | ICR_ASSERT);
		} else {
			apic_put(LAPIC_ICR2, other << 24);
			apic_put(LAPIC_ICR, 0x50 | ICR_ASSERT);
		}
		if (!me) {
			while (g_count() < i)
				g_open();
			apic_put(LAPIC_EOI, 0);
		}
		beats[me] = i;
	}
	g_open();
	g_ucall(UCALL_SYNC, me, g_count());
	g_done();
}

/* One interrupt in service, two waiting: the host moves the guest here. */
GUEST_FN static void move_me(void)
{
	apic_on();
	g_self_ipi(0x65);
	G_TAKEN(1, 0x65);
	g_self_ipi(0x61);
	g_self_ipi(0x35);
	g_set_cr8(4);
	g_ucall(UCALL_SYNC, 0, 0);
	G_ASSERT(g_cr8() == 4, g_cr8());
	G_NOT_TAKEN(1);
	apic_put(LAPIC_EOI, 0);
	G_TAKEN(2, 0x61);
	apic_put(LAPIC_EOI, 0);
	G_NOT_TAKEN(2);
	g_set_cr8(2);
	G_TAKEN(3, 0x35);
	apic_put(LAPIC_EOI, 0);
	G_ASSERT(apic_get(LAPIC_PPR) == 0x20, apic_get(LAPIC_PPR));
	g_done();
}

/* The page is where IA32_APIC_BASE says, and is nobody's in x2APIC mode. */
#define OTHER_BASE	0xfe000000UL

GUEST_FN static void page_moves(void)
{
	u64 base;

	apic_on();
	g_rdmsr(MSR_APIC_BASE, &base);
	if (!x2apic) {
		lapic_write(LAPIC_TPR, 0x30);
		G_ASSERT(g_cr8() == 3, g_cr8());
		g_wrmsr(MSR_APIC_BASE, (base & 0xfff) | OTHER_BASE);
		G_ASSERT(*(volatile u32 *)(OTHER_BASE + LAPIC_TPR) == 0x30, 0);
		*(volatile u32 *)(OTHER_BASE + LAPIC_TPR) = 0x40;
		G_ASSERT(g_cr8() == 4, g_cr8());
	}
	lapic_write(LAPIC_TPR, 0x50);			/* userspace's */
	G_ASSERT(g_cr8() == (x2apic ? 0 : 4), g_cr8());
	if (!x2apic) {
		g_wrmsr(MSR_APIC_BASE, base);
		lapic_write(LAPIC_TPR, 0x60);
		G_ASSERT(g_cr8() == 6, g_cr8());
	}
	g_done();
}

/* ----------------------------------------------------------------------- host */

FIXTURE(lapic) {
	struct vm *vm;
	struct vcpu *vcpu;
};

FIXTURE_VARIANT(lapic) {
	bool x2apic, split;
};

FIXTURE_VARIANT_ADD(lapic, xapic) { false, false };
FIXTURE_VARIANT_ADD(lapic, x2apic) { true, false };
FIXTURE_VARIANT_ADD(lapic, xapic_split) { false, true };
FIXTURE_VARIANT_ADD(lapic, x2apic_split) { true, true };

FIXTURE_SETUP(lapic)
{
	self->vm = variant->split ? vm_split(24) : vm_irqchip();
	self->vcpu = vcpu_new(self->vm, 0);
	GUEST_VAR(self->vm, x2apic) = variant->x2apic;
}

FIXTURE_TEARDOWN(lapic)
{
	vm_free(self->vm);
}

static u32 lapic_reg(struct vcpu *vcpu, u32 reg)
{
	struct kvm_lapic_state s;

	if (kioctlp(vcpu->fd, KVM_GET_LAPIC, &s))
		die("KVM_GET_LAPIC");
	return *(u32 *)(s.regs + reg);
}

TEST_F(lapic, cr8_is_the_tpr)
{
	struct kvm_sregs s;
	struct ucall uc;

	vcpu_long(self->vcpu, cr8_is_the_tpr);
	for (u32 i = 0; i < 32; i++) {
		uc = vcpu_ucall(self->vcpu);
		ASSERT_EQ(UCALL_SYNC, uc.cmd);
		EXPECT_EQ(uc.a, self->vcpu->run->cr8);
		EXPECT_EQ(uc.b, lapic_reg(self->vcpu, LAPIC_TPR));
		vcpu_sregs(self->vcpu, &s);
		EXPECT_EQ(uc.a, s.cr8);
	}
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
}

/* The host writes it. */
TEST_F(lapic, cr8_from_outside)
{
	struct kvm_sregs s;

	vcpu_long(self->vcpu, cr8_is_the_tpr);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);	/* CR8 is 1 */
	vcpu_sregs(self->vcpu, &s);
	s.cr8 = 3;
	ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
	EXPECT_EQ(0x30, lapic_reg(self->vcpu, LAPIC_TPR));
	EXPECT_UCALL(self->vcpu, UCALL_FAIL);
}

TEST_F(lapic, tpr_keeps_out)
{
	GUEST_VAR(self->vm, rounds) = 50;
	vcpu_long(self->vcpu, tpr_keeps_out);
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
}

/* An interrupt that comes from outside while the guest has shut it out. */
TEST_F(lapic, tpr_and_msi)
{
	struct kvm_msi msi = { .address_lo = LAPIC_GPA, .data = 0x95 };

	vcpu_long(self->vcpu, cr8_is_the_tpr);
	for (int i = 0; i < 1 + 2 * 9; i++)
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);	/* CR8 is 9 */
	EXPECT_EQ(9, self->vcpu->run->cr8);
	EXPECT_EQ(1, kioctlp(self->vm->fd, KVM_SIGNAL_MSI, &msi));
	EXPECT_EQ(1 << 21, lapic_reg(self->vcpu, LAPIC_IRR + 0x40));
	EXPECT_EQ(0, lapic_reg(self->vcpu, LAPIC_ISR + 0x40));
	/* IF is 0 all the time: it never comes, and all else is as it was. */
	for (int i = 1 + 2 * 9; i < 32; i++)
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
	EXPECT_EQ(1 << 21, lapic_reg(self->vcpu, LAPIC_IRR + 0x40));
}

TEST_F(lapic, timer)
{
	vcpu_long(self->vcpu, timer);
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
}

TEST_F(lapic, registers)
{
	if (variant->x2apic)
		SKIP(return, "its reserved bits fault");
	vcpu_long(self->vcpu, registers);
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
}

TEST_F(lapic, page_moves)
{
	if (dev_is_stock())
		SKIP(return, "its page may stay where it was");
	vcpu_long(self->vcpu, page_moves);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_MMIO);
	EXPECT_EQ(LAPIC_GPA + LAPIC_TPR, self->vcpu->run->mmio.phys_addr);
	EXPECT_EQ(1, self->vcpu->run->mmio.is_write);
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
}

TEST_F(lapic, x2apic_faults)
{
	if (!variant->x2apic)
		SKIP(return, "xAPIC mode");
	vcpu_long(self->vcpu, x2apic_faults);
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
}

static void *run_ping_pong(void *arg)
{
	struct vcpu *vcpu = arg;
	struct ucall uc = vcpu_ucall(vcpu);

	return (void *)(uintptr_t)(uc.cmd == UCALL_SYNC ? uc.b : -1UL);
}

TEST_F(lapic, ping_pong)
{
	struct vcpu *other = vcpu_new(self->vm, 1);
	struct kvm_mp_state run = { .mp_state = KVM_MP_STATE_RUNNABLE };
	u32 n = host_cpus() > 1 ? 5000 : 100;
	pthread_t thread;
	void *count;

	GUEST_VAR(self->vm, rounds) = n;
	vcpu_long(self->vcpu, ping_pong);
	vcpu_long(other, ping_pong);
	ASSERT_EQ(0, kioctlp(other->fd, KVM_SET_MP_STATE, &run));
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_UCALL(other, UCALL_SYNC);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_ping_pong, other));
	EXPECT_EQ(n, (uintptr_t)run_ping_pong(self->vcpu));
	pthread_join(thread, &count);
	EXPECT_EQ(n, (uintptr_t)count);
}

TEST_F(lapic, moves_in_mid_flight)
{
	struct vm *vm = variant->split ? vm_split(24) : vm_irqchip();
	struct vcpu *to = vcpu_new(vm, 0);
	struct kvm_vcpu_events events;
	struct kvm_lapic_state lapic;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	vcpu_long(self->vcpu, move_me);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	self->vcpu->run->immediate_exit = 1;
	EXPECT_EQ(-EINTR, vcpu_run(self->vcpu));
	self->vcpu->run->immediate_exit = 0;
	vcpu_long(to, move_me);
	memcpy(vm->ram, self->vm->ram, RAM_SIZE);
	memcpy(vm->guest, self->vm->guest, vm->guest_size);
	vcpu_regs(self->vcpu, &regs);
	vcpu_sregs(self->vcpu, &sregs);
	vcpu_events(self->vcpu, &events);
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_LAPIC, &lapic));
	ASSERT_EQ(0, vcpu_set_sregs(to, &sregs));
	vcpu_set_regs(to, &regs);
	ASSERT_EQ(0, vcpu_set_events(to, &events));
	ASSERT_EQ(0, kioctlp(to->fd, KVM_SET_LAPIC, &lapic));
	EXPECT_UCALL(to, UCALL_DONE);
	vm_free(vm);
}

/* A debugger that steps does not want to see handlers. */
TEST_F(lapic, blocked_by_a_debugger)
{
	struct kvm_guest_debug step = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_BLOCKIRQ,
	}, off = {};
	struct kvm_msi msi = { .address_lo = LAPIC_GPA, .data = 0x55 };
	struct kvm_regs regs;

	GUEST_VAR(self->vm, rounds) = 5;
	vcpu_long(self->vcpu, use_cr8);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	vcpu_regs(self->vcpu, &regs);
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_GUEST_DEBUG, &step));
	EXPECT_EQ(1, kioctlp(self->vm->fd, KVM_SIGNAL_MSI, &msi));
	for (int i = 0; i < 10; i++) {
		vcpu_regs(self->vcpu, &regs);
		regs.rflags |= 0x200;
		vcpu_set_regs(self->vcpu, &regs);
		EXPECT_EXIT(self->vcpu, KVM_EXIT_DEBUG);
		EXPECT_EQ(1 << 21, lapic_reg(self->vcpu, LAPIC_IRR + 0x20));
		EXPECT_EQ(0, lapic_reg(self->vcpu, LAPIC_ISR + 0x20));
	}
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_GUEST_DEBUG, &off));
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
	EXPECT_EQ(0, lapic_reg(self->vcpu, LAPIC_IRR + 0x20));
	EXPECT_EQ(1 << 21, lapic_reg(self->vcpu, LAPIC_ISR + 0x20));
}

/* --------------------------------------------------------------- who does it */

/* What the module says of itself: 'Y' or 'N'; 'N' also if it says nothing. */
static char vmx_param(const char *name)
{
	char path[128], c = 'N';
	int fd;

	snprintf(path, sizeof(path), "/sys/module/minikvm_intel/parameters/%s", name);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		if (read(fd, &c, 1) != 1)
			c = 'N';
		close(fd);
	}
	return c;
}

static long exits_of(struct __test_metadata *_metadata, struct vcpu *vcpu, void *guest, u32 n)
{
	long before;

	GUEST_VAR(vcpu->vm, rounds) = n;
	vcpu_long(vcpu, guest);
	EXPECT_UCALL(vcpu, UCALL_SYNC);
	before = module_counter("exits");
	EXPECT_UCALL(vcpu, UCALL_DONE);
	return module_counter("exits") - before;
}

TEST_F(lapic, cr8_costs_no_exit)
{
	bool hw = host_is_amd() || vmx_param("flexpriority") == 'Y';
	long exits;

	if (module_counter("exits") < 0 || dev_is_stock())
		SKIP(return, "the stock module's counters are others");
	exits = exits_of(_metadata, self->vcpu, use_cr8, 2000);
	TH_LOG("%ld exits of 2000 writes and 2000 reads of CR8", exits);
	EXPECT_TRUE(hw ? exits < 500 : exits >= 4000);
}

/* An interrupt of the CPU to itself, and its EOI: with APICv only an x2APIC's ICR exits. */
TEST_F(lapic, eoi_costs_no_exit)
{
	bool hw = vmx_param("enable_apicv") == 'Y';
	long exits;

	if (module_counter("exits") < 0 || dev_is_stock())
		SKIP(return, "the stock module's counters are others");
	exits = exits_of(_metadata, self->vcpu, use_eoi, 2000);
	TH_LOG("%ld exits of 2000 interrupts and EOIs", exits);
	EXPECT_TRUE(hw ? exits < (variant->x2apic ? 2500 : 500) : exits >= 4000);
}

TEST_HARNESS_MAIN
