// SPDX-License-Identifier: GPL-2.0
/*
 * apic_test - the local APIC as a guest and its VMM see it
 *
 * What each register does by itself is tested with the core in userspace
 * (tools/unit/test_lapic.c).  Here: that the registers are reached in both modes and
 * what cannot be written causes #GP; that IPIs of each kind reach exactly those whom
 * they name; that the guest takes them in the order of priority; legal and illegal
 * modes; errors; who hears of an EOI; what the VMM's ioctls show and set.  The timer
 * has a test of its own (lapic_timer_test).
 *
 * Expected values are those of SDM vol. 3, chapter 11.  Where KVM has others, that is
 * said; those tests do not hold there.
 */
#include <kselftest_harness.h>

#include "cpu_agent.h"

#define ESR_SEND_ILLEGAL	0x20
#define ESR_RECV_ILLEGAL	0x40
#define ESR_ILLEGAL_REG		0x80

/* -------------------------------------------------------------------- registers */

struct reg_case {
	u32 reg, write;			/* the bits that can be written */
	u32 xapic, x2apic;		/* what is then read */
};

#define NO	0xdeadbeefu		/* #GP in x2APIC mode */

static const struct reg_case reg_cases[] = {
	{ APIC_TPR, 0xf0, 0xf0, 0xf0 },
	{ APIC_LVTTHMR, 0x107ff, 0x107ff, 0x107ff },
	{ APIC_LVTPC, 0x107ff, 0x107ff, 0x107ff },
	{ APIC_LVT0, 0x1a7ff, 0x1a7ff, 0x1a7ff },
	{ APIC_LVT1, 0x1a7ff, 0x1a7ff, 0x1a7ff },
	{ APIC_LVTERR, 0x100ff, 0x100ff, 0x100ff },
	{ APIC_LVTT, 0x300ff, 0x300ff, 0x300ff },
	{ APIC_TDCR, 0xb, 0xb, 0xb },
	{ APIC_TMICT, 0, 0, 0 },
	{ APIC_LDR, 0xff000000, 0xff000000, NO },
	{ APIC_DFR, 0xf0000000, 0xffffffff, NO },
	{ APIC_ICR2, 0xff000000, 0xff000000, NO },
};

TEST(xapic_registers)
{
	struct vm *vm = vm_agents(1);
	struct vcpu *vcpu = vm->vcpus[0];

	EXPECT_EQ(0, apic_read(vcpu, APIC_ID));
	EXPECT_EQ(0x14, apic_read(vcpu, APIC_LVR) & 0xff);
	EXPECT_LE(5, apic_read(vcpu, APIC_LVR) >> 16 & 0xff);
	EXPECT_EQ(0xffffffff, apic_read(vcpu, APIC_DFR));
	EXPECT_EQ(0x10000, apic_read(vcpu, APIC_LVTT));
	EXPECT_EQ(0x1ff, apic_read(vcpu, APIC_SVR));
	for (u32 i = 0; i < ARRAY_SIZE(reg_cases); i++) {
		const struct reg_case *c = &reg_cases[i];

		u32 ones = dev_is_stock() ? c->write : ~0u;	/* it keeps some bits */

		if (c->reg == APIC_LVTT)
			ones &= ~LVT_DEADLINE;	/* not together with the periodic mode */
		if (c->reg == APIC_TPR)
			ones &= 0xf0;		/* see the_task_priority_holds_back */
		apic_write(vcpu, c->reg, c->reg == APIC_TMICT ? 0 : ones);
		EXPECT_EQ(c->xapic, apic_read(vcpu, c->reg)) TH_LOG("register %#x", c->reg);
		apic_write(vcpu, c->reg, 0);
	}
	apic_write(vcpu, APIC_SVR, 0xffffffff);
	EXPECT_EQ(0x3ff, apic_read(vcpu, APIC_SVR) & 0x3ff);
	/* Read only, and no error. */
	apic_write(vcpu, APIC_LVR, 0);
	apic_write(vcpu, APIC_PPR, 0xff);
	apic_write(vcpu, APIC_ISR, 0xff);
	apic_write(vcpu, APIC_IRR, 0xffffffff);
	apic_write(vcpu, APIC_TMCCT, 5);
	EXPECT_EQ(0x14, apic_read(vcpu, APIC_LVR) & 0xff);
	EXPECT_EQ(0, apic_read(vcpu, APIC_PPR));
	EXPECT_EQ(0, apic_read(vcpu, APIC_IRR));
	EXPECT_EQ(0, agent_take(vcpu));
	vm_free(vm);
}

/* Whole registers are written; parts of them can be read. */
TEST(xapic_widths)
{
	struct vm *vm = vm_agents(1);
	struct vcpu *vcpu = vm->vcpus[0];

	apic_write(vcpu, APIC_LVT1, 0x10234);
	EXPECT_EQ(0x34, agent_run(vcpu, AGENT_READ, LAPIC_GPA + APIC_LVT1, 1, 0));
	EXPECT_EQ(0x02, agent_run(vcpu, AGENT_READ, LAPIC_GPA + APIC_LVT1 + 1, 1, 0));
	EXPECT_EQ(0x0001, agent_run(vcpu, AGENT_READ, LAPIC_GPA + APIC_LVT1 + 2, 2, 0));
	agent_run(vcpu, AGENT_WRITE, LAPIC_GPA + APIC_LVT1, 1, 0x55);
	agent_run(vcpu, AGENT_WRITE, LAPIC_GPA + APIC_LVT1, 2, 0x55);
	agent_run(vcpu, AGENT_WRITE, LAPIC_GPA + APIC_LVT1 + 4, 4, 0x55);
	EXPECT_EQ(0x10234, apic_read(vcpu, APIC_LVT1));
	vm_free(vm);
}

TEST(x2apic_registers)
{
	struct vm *vm = vm_agents(2);
	struct vcpu *vcpu = vm->vcpus[1];
	u64 val;

	to_x2apic(vcpu);
	EXPECT_EQ(1, apic_read(vcpu, APIC_ID));
	EXPECT_EQ(2, apic_read(vcpu, APIC_LDR));
	for (u32 i = 0; i < ARRAY_SIZE(reg_cases); i++) {
		const struct reg_case *c = &reg_cases[i];

		if (c->x2apic == NO) {
			EXPECT_EQ(VECTOR_GP, apic_write(vcpu, c->reg, 0));
			continue;
		}
		EXPECT_EQ(-1, apic_write(vcpu, c->reg, c->write));
		EXPECT_EQ(c->x2apic, apic_read(vcpu, c->reg)) TH_LOG("register %#x", c->reg);
		/* Each bit that is reserved, also in the upper half.  (KVM drops some.) */
		for (int bit = 0; bit < 64 && !dev_is_stock(); bit++) {
			u32 known = c->write | (c->reg == APIC_TPR ? 0xf : 0) |
				    (c->reg >= APIC_LVTT && c->reg <= APIC_LVTERR ?
						0x1000 : 0) |
				    (c->reg == APIC_LVTT ? LVT_DEADLINE : 0) |
				    (c->reg == APIC_LVT0 || c->reg == APIC_LVT1 ? 0x4000 : 0) |
				    (c->reg == APIC_TMICT ? ~0u : 0);

			if (bit < 32 && (known >> bit & 1))
				continue;
			EXPECT_EQ(VECTOR_GP, apic_write(vcpu, c->reg, 1UL << bit))
				TH_LOG("register %#x, bit %d", c->reg, bit);
			EXPECT_EQ(c->x2apic, apic_read(vcpu, c->reg));
		}
		apic_write(vcpu, c->reg, c->reg == APIC_TPR ? 0 : c->write & 0x10000);
	}
	if (!dev_is_stock())		/* 6.1 */
		EXPECT_EQ(VECTOR_GP, apic_write(vcpu, APIC_EOI, 1));
	EXPECT_EQ(VECTOR_GP, apic_write(vcpu, APIC_ESR, 1));
	EXPECT_EQ(VECTOR_GP, apic_write(vcpu, APIC_SELF, 0x100));
	EXPECT_EQ(VECTOR_GP, apic_write(vcpu, APIC_ICR, 1UL << 20));
	EXPECT_EQ(VECTOR_GP, guest_rdmsr(vcpu, MSR_X2APIC + (APIC_SELF >> 4), &val));
	EXPECT_EQ(0, who_has(vm, 0));
	vm_free(vm);
}

/* Which of the 256 MSRs exist, to read and to write. */
TEST(x2apic_which_msrs)
{
	static const u8 readable[] = {
		0x02, 0x03, 0x08, 0x0a, 0x0d, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
		0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23,
		0x24, 0x25, 0x26, 0x27, 0x28, 0x30, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
		0x39, 0x3e,
	};
	/* 0 can be written.  (ICR and self IPI: an illegal vector, no harm.) */
	static const u8 writable[] = {
		0x08, 0x0b, 0x0f, 0x28, 0x30, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x3e,
		0x3f,
	};
	struct vm *vm = vm_agents(1);
	struct vcpu *vcpu = vm->vcpus[0];
	u64 val;

	/* None of them in xAPIC mode. */
	EXPECT_EQ(VECTOR_GP, guest_rdmsr(vcpu, MSR_X2APIC + 2, &val));
	EXPECT_EQ(VECTOR_GP, guest_wrmsr(vcpu, MSR_X2APIC + 8, 0));
	to_x2apic(vcpu);
	for (u32 i = 0; i < 0x100; i++) {
		bool r = memchr(readable, i, sizeof(readable));
		bool w = memchr(writable, i, sizeof(writable));

		if (i == 0x2f)
			continue;	/* LVT CMCI: optional */
		EXPECT_EQ(r ? -1 : VECTOR_GP, guest_rdmsr(vcpu, MSR_X2APIC + i, &val))
			TH_LOG("RDMSR %#x", MSR_X2APIC + i);
		EXPECT_EQ(w ? -1 : VECTOR_GP, guest_wrmsr(vcpu, MSR_X2APIC + i, 0))
			TH_LOG("WRMSR %#x", MSR_X2APIC + i);
	}
	vm_free(vm);
}

/* ------------------------------------------------------------------------ modes */

TEST(apic_base)
{
	struct vm *vm = vm_agents(2);
	struct vcpu *vcpu = vm->vcpus[1];
	const u64 on = LAPIC_GPA | BASE_ENABLED, x2 = on | BASE_X2APIC, off = LAPIC_GPA;
	u64 val;

	EXPECT_EQ(-1, guest_rdmsr(vcpu, MSR_APIC_BASE, &val));
	EXPECT_EQ(on, val);
	EXPECT_EQ(-1, guest_rdmsr(vm->vcpus[0], MSR_APIC_BASE, &val));
	EXPECT_EQ(on | BASE_BSP, val);
	for (int bit = 0; bit < 64; bit++) {
		if (bit == 8 || bit == 10 || bit == 11 || (bit >= 12 && bit < 52))
			continue;
		EXPECT_EQ(VECTOR_GP, guest_wrmsr(vcpu, MSR_APIC_BASE, on | 1UL << bit))
			TH_LOG("bit %d", bit);
	}
	/* xAPIC: x2APIC alone is nonsense. */
	EXPECT_EQ(VECTOR_GP, guest_wrmsr(vcpu, MSR_APIC_BASE, LAPIC_GPA | BASE_X2APIC));
	/* xAPIC to x2APIC, and not back. */
	apic_write(vcpu, APIC_TPR, 0x30);
	EXPECT_EQ(-1, guest_wrmsr(vcpu, MSR_APIC_BASE, x2));
	EXPECT_EQ(0x30, apic_read(vcpu, APIC_TPR));
	EXPECT_EQ(VECTOR_GP, guest_wrmsr(vcpu, MSR_APIC_BASE, on));
	EXPECT_EQ(VECTOR_GP, guest_wrmsr(vcpu, MSR_APIC_BASE, LAPIC_GPA | BASE_X2APIC));
	EXPECT_EQ(-1, guest_wrmsr(vcpu, MSR_APIC_BASE, x2));
	/* Off, and from there only to xAPIC. */
	EXPECT_EQ(-1, guest_wrmsr(vcpu, MSR_APIC_BASE, off));
	EXPECT_EQ(VECTOR_GP, guest_rdmsr(vcpu, MSR_X2APIC + 2, &val));
	EXPECT_EQ(VECTOR_GP, guest_wrmsr(vcpu, MSR_APIC_BASE, x2));
	EXPECT_EQ(-1, guest_wrmsr(vcpu, MSR_APIC_BASE, on));
	EXPECT_EQ(1 << 24, apic_read(vcpu, APIC_ID));
	if (!dev_is_stock()) {		/* there all but the ID is as it was */
		EXPECT_EQ(0xff, apic_read(vcpu, APIC_SVR));
		EXPECT_EQ(0, apic_read(vcpu, APIC_TPR));
	}
	vm_free(vm);
}

/* CPUID.1:EDX bit 9 goes with the enable bit; an APIC that is off takes nothing. */
TEST(switched_off)
{
	struct vm *vm = vm_agents(2);
	struct vcpu *vcpu = vm->vcpus[0];

	EXPECT_EQ(-1, guest_wrmsr(vm->vcpus[1], MSR_APIC_BASE, LAPIC_GPA));
	send_ipi(vcpu, 0x41 | ICR_ASSERT, 1);
	send_ipi(vcpu, DM_NMI | ICR_ASSERT, 1);
	send_ipi(vcpu, 0x42 | ICR_ASSERT | ICR_OTHERS, 0);
	EXPECT_EQ(-1, guest_wrmsr(vm->vcpus[1], MSR_APIC_BASE, LAPIC_GPA | BASE_ENABLED));
	apic_write(vm->vcpus[1], APIC_SVR, 0x1ff);
	EXPECT_EQ(0, agent_take(vm->vcpus[1]));
	send_ipi(vcpu, 0x43 | ICR_ASSERT, 1);
	EXPECT_EQ(1, agent_take(vm->vcpus[1]));
	vm_free(vm);
}

/* The page is where the base says; elsewhere there is nothing. */
TEST(the_page_moves)
{
	struct vm *vm = vm_agents(1);
	struct vcpu *vcpu = vm->vcpus[0];

	EXPECT_EQ(-1, guest_wrmsr(vcpu, MSR_APIC_BASE, 0xd0000000 | BASE_ENABLED | BASE_BSP));
	EXPECT_EQ(0x1ff, agent_run(vcpu, AGENT_READ, 0xd0000000 + APIC_SVR, 4, 0));
	agent_order(vcpu, AGENT_READ, LAPIC_GPA + APIC_SVR, 4, 0);
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EQ(LAPIC_GPA + APIC_SVR, vcpu->run->mmio.phys_addr);
	vm_free(vm);
}

/* ------------------------------------------------------- priorities, IRR and ISR */

FIXTURE(mode)
{
	struct vm *vm;
	struct vcpu *vcpu;
};

FIXTURE_VARIANT(mode)
{
	bool x2apic;
};

FIXTURE_VARIANT_ADD(mode, xapic) { .x2apic = false };
FIXTURE_VARIANT_ADD(mode, x2apic) { .x2apic = true };

FIXTURE_SETUP(mode)
{
	self->vm = vm_agents(2);
	self->vcpu = self->vm->vcpus[0];
	for (int i = 0; i < 2 && variant->x2apic; i++)
		to_x2apic(self->vm->vcpus[i]);
}

FIXTURE_TEARDOWN(mode)
{
	vm_free(self->vm);
}

TEST_F(mode, the_highest_goes_first)
{
	static const u8 vectors[] = { 0x31, 0x75, 0x10, 0xff, 0x74, 0x20 };
	static const u8 order[] = { 0xff, 0x75, 0x74, 0x31, 0x20, 0x10 };

	for (u32 i = 0; i < ARRAY_SIZE(vectors); i++)
		self_ipi(self->vcpu, vectors[i]);
	self_ipi(self->vcpu, 0x75);		/* waits already: once */
	/* Without an EOI only a higher class gets in. */
	for (u32 i = 0; i < ARRAY_SIZE(order); i++) {
		EXPECT_EQ(1, agent_take(self->vcpu));
		EXPECT_EQ(order[i], agent_log(self->vcpu, 0));
		EXPECT_EQ(order[i] & 0xf0, apic_read(self->vcpu, APIC_PPR));
		EXPECT_TRUE(vector_in(self->vcpu, APIC_ISR, order[i]));
		EXPECT_FALSE(vector_in(self->vcpu, APIC_IRR, order[i]));
		EXPECT_EQ(0, agent_take(self->vcpu));
		apic_write(self->vcpu, APIC_EOI, 0);
		EXPECT_FALSE(vector_in(self->vcpu, APIC_ISR, order[i]));
	}
	EXPECT_EQ(0, agent_take(self->vcpu));
	EXPECT_EQ(0, apic_read(self->vcpu, APIC_PPR));
	apic_write(self->vcpu, APIC_EOI, 0);	/* nothing in service: nothing */
}

TEST_F(mode, interrupts_nest)
{
	self_ipi(self->vcpu, 0x41);
	EXPECT_EQ(1, agent_take(self->vcpu));
	self_ipi(self->vcpu, 0x41);		/* its own next one waits */
	self_ipi(self->vcpu, 0x4f);		/* the same class */
	self_ipi(self->vcpu, 0x52);
	EXPECT_EQ(1, agent_take(self->vcpu));
	EXPECT_EQ(0x52, agent_log(self->vcpu, 0));
	apic_write(self->vcpu, APIC_EOI, 0);	/* of 52H */
	EXPECT_TRUE(vector_in(self->vcpu, APIC_ISR, 0x41));
	EXPECT_EQ(0, agent_take(self->vcpu));
	apic_write(self->vcpu, APIC_EOI, 0);
	EXPECT_EQ(1, agent_take(self->vcpu));
	EXPECT_EQ(0x4f, agent_log(self->vcpu, 0));
	apic_write(self->vcpu, APIC_EOI, 0);
	EXPECT_EQ(1, agent_take(self->vcpu));
	EXPECT_EQ(0x41, agent_log(self->vcpu, 0));
}

TEST_F(mode, the_task_priority_holds_back)
{
	struct vcpu *vcpu = self->vcpu;
	u8 tpr;

	/* KVM forgets the lower half on AMD. */
	tpr = dev_is_stock() && host_is_amd() ? 0x40 : 0x45;
	apic_write(vcpu, APIC_TPR, 0x45);
	EXPECT_EQ(tpr, apic_read(vcpu, APIC_PPR));
	EXPECT_EQ(4, agent_run(vcpu, AGENT_GET_CR8, 0, 0, 0));
	self_ipi(vcpu, 0x4f);
	EXPECT_EQ(0, agent_take(vcpu));
	self_ipi(vcpu, 0x50);
	EXPECT_EQ(1, agent_take(vcpu));
	EXPECT_EQ(0x50, apic_read(vcpu, APIC_PPR));	/* max(TPR, ISR) */
	apic_write(vcpu, APIC_EOI, 0);
	EXPECT_EQ(tpr, apic_read(vcpu, APIC_PPR));
	/* By CR8: the lower half of the TPR is 0 then. */
	agent_run(vcpu, AGENT_SET_CR8, 0, 0, 5);
	EXPECT_EQ(0x50, apic_read(vcpu, APIC_TPR));
	EXPECT_EQ(0, agent_take(vcpu));
	agent_run(vcpu, AGENT_SET_CR8, 0, 0, 3);
	EXPECT_EQ(1, agent_take(vcpu));
	EXPECT_EQ(0x4f, agent_log(vcpu, 0));
	apic_write(vcpu, APIC_EOI, 0);
	/* All is held back by 15. */
	agent_run(vcpu, AGENT_SET_CR8, 0, 0, 15);
	self_ipi(vcpu, 0xff);
	EXPECT_EQ(0, agent_take(vcpu));
	apic_write(vcpu, APIC_TPR, 0);
	EXPECT_EQ(1, agent_take(vcpu));
	agent_run(vcpu, AGENT_SET_CR8, 0, 0, 16);
	if (!host_is_tcg())			/* whose CR8 takes it */
		EXPECT_EQ(VECTOR_GP, agent_vector(vcpu));
	EXPECT_EQ(0, apic_read(vcpu, APIC_TPR));
}

/* A CR8 that rises and falls while interrupts wait in a guest that runs. */
TEST_F(mode, lowering_cr8_lets_the_interrupt_in_at_once)
{
	struct vcpu *vcpu = self->vcpu;
	u64 limit = tsc_khz_of(vcpu) * 2000;

	for (int i = 0; i < 20; i++) {
		agent_run(vcpu, AGENT_SET_CR8, 0, 0, 8);
		self_ipi(vcpu, 0x66);
		EXPECT_EQ(0, agent_take(vcpu));
		agent_run(vcpu, AGENT_SET_CR8, 0, 0, i & 1 ? 0 : 5);
		agent_run(vcpu, AGENT_SPIN, 0, 0, limit);
		EXPECT_EQ(i + 1, vcpu->exc->count);
		apic_write(vcpu, APIC_EOI, 0);
	}
}

/* ------------------------------------------------------------------ what arrives */

TEST_F(mode, delivery_modes)
{
	struct vcpu *a = self->vcpu, *b = self->vm->vcpus[1];
	u64 count;

	send_ipi(a, 0x41 | ICR_ASSERT, 1);
	send_ipi(a, 0x42 | ICR_ASSERT | DM_LOWEST, 1);
	/* Not delivered by an ICR: SMI (there is no SMM), ExtINT, and a reserved mode. */
	send_ipi(a, DM_EXTINT | 0x43 | ICR_ASSERT, 1);
	send_ipi(a, 0x300 | 0x44 | ICR_ASSERT, 1);
	EXPECT_EQ(0, who_has(self->vm, 0x43) | who_has(self->vm, 0x44));
	EXPECT_EQ(2, who_has(self->vm, 0x41));
	EXPECT_EQ(2, who_has(self->vm, 0x42));
	EXPECT_EQ(2, agent_drain(b));
	EXPECT_EQ(0x41, agent_log(b, 0));
	EXPECT_EQ(0x42, agent_log(b, 1));

	/* An NMI asks neither for IF nor for the vector. */
	count = b->exc->count;
	send_ipi(a, DM_NMI | 0x45 | ICR_ASSERT, 1);
	agent_run(b, AGENT_NOP, 0, 0, 0);
	agent_run(b, AGENT_NOP, 0, 0, 0);
	EXPECT_EQ(count + 1, b->exc->count);
	EXPECT_EQ(2, agent_log(b, 0));
	EXPECT_EQ(0, who_has(self->vm, 0x45));
}

TEST_F(mode, init_and_sipi)
{
	struct vcpu *a = self->vcpu, *b = self->vm->vcpus[1];
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	send_ipi(a, DM_SIPI | 0x12, 1);		/* it does not wait for one */
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(b));
	apic_write(b, APIC_TPR, 0x20);
	send_ipi(a, 0x77 | ICR_ASSERT, 1);
	send_ipi(a, DM_INIT | ICR_LEVEL, 1);		/* the de-assert does nothing */
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(b));
	send_ipi(a, DM_INIT | ICR_LEVEL | ICR_ASSERT, 1);
	EXPECT_EQ(KVM_MP_STATE_INIT_RECEIVED, mp_state(b));
	EXPECT_EQ(0, who_has(self->vm, 0x77));		/* forgotten */
	send_ipi(a, 0x78 | ICR_ASSERT, 1);		/* software has it disabled */
	EXPECT_EQ(0, who_has(self->vm, 0x78));
	vcpu_sregs(b, &sregs);
	EXPECT_EQ(0xf000, sregs.cs.selector);
	EXPECT_EQ(self->vm->vcpus[1]->run->apic_base, sregs.apic_base);	/* the mode stays */
	send_ipi(a, DM_SIPI | 0x9a, 1);
	send_ipi(a, DM_SIPI | 0x9a, 1);		/* guests send two */
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(b));
	vcpu_sregs(b, &sregs);
	vcpu_regs(b, &regs);
	EXPECT_EQ(0x9a00, sregs.cs.selector);
	EXPECT_EQ(0x9a000, sregs.cs.base);
	EXPECT_EQ(0, regs.rip);
	EXPECT_EQ(0, sregs.cr0 & 1);
}

/* The bootstrap processor does not wait: it begins at the reset vector. */
TEST(init_of_the_bsp)
{
	struct vm *vm = vm_agents(2);
	struct kvm_sregs sregs;

	send_ipi(vm->vcpus[1], DM_INIT | ICR_ASSERT, 0);
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(vm->vcpus[0]));
	vcpu_sregs(vm->vcpus[0], &sregs);
	EXPECT_EQ(0xffff0000, sregs.cs.base);
	vm_free(vm);
}

TEST_F(mode, errors)
{
	struct kvm_msi msi = { .address_lo = LAPIC_GPA, .data = 0x05 };
	struct vcpu *vcpu = self->vcpu;

	apic_write(vcpu, APIC_ESR, 0);
	EXPECT_EQ(0, apic_read(vcpu, APIC_ESR));
	if (dev_is_stock())
		SKIP(return, "KVM has no errors but the one of a write to the ESR");
	apic_write(vcpu, APIC_LVTERR, 0xe1);
	self_ipi(vcpu, 0x0f);
	EXPECT_EQ(0, apic_read(vcpu, APIC_ESR));	/* not before it is written */
	EXPECT_EQ(1, agent_drain(vcpu));
	EXPECT_EQ(0xe1, agent_log(vcpu, 0));
	apic_write(vcpu, APIC_ESR, 0);
	EXPECT_EQ(ESR_SEND_ILLEGAL, apic_read(vcpu, APIC_ESR));
	apic_write(vcpu, APIC_ESR, 0);
	EXPECT_EQ(0, apic_read(vcpu, APIC_ESR));

	/* One that arrives, from a device. */
	kioctlp(self->vm->fd, KVM_SIGNAL_MSI, &msi);
	EXPECT_EQ(1, agent_drain(vcpu));
	apic_write(vcpu, APIC_ESR, 0);
	EXPECT_EQ(ESR_RECV_ILLEGAL, apic_read(vcpu, APIC_ESR));
	if (variant->x2apic)
		return;
	agent_run(vcpu, AGENT_READ, LAPIC_GPA + 0x50, 4, 0);
	apic_write(vcpu, APIC_LVTERR, 0xe1 | LVT_MASKED);
	apic_write(vcpu, 0x40, 1);
	EXPECT_EQ(1, agent_drain(vcpu));		/* the second was masked */
	apic_write(vcpu, APIC_ESR, 0);
	EXPECT_EQ(ESR_ILLEGAL_REG, apic_read(vcpu, APIC_ESR));
}

/* Bit 8 of the spurious-vector register. */
TEST_F(mode, disabled_by_software)
{
	struct vcpu *a = self->vcpu, *b = self->vm->vcpus[1];
	u64 count;

	send_ipi(a, 0x41 | ICR_ASSERT, 1);
	apic_write(b, APIC_LVT1, 0x400);
	apic_write(b, APIC_SVR, 0xff);
	EXPECT_EQ(0x400 | LVT_MASKED, apic_read(b, APIC_LVT1));
	apic_write(b, APIC_LVT1, 0x400);
	EXPECT_EQ(0x400 | LVT_MASKED, apic_read(b, APIC_LVT1));
	send_ipi(a, 0x42 | ICR_ASSERT, 1);
	EXPECT_EQ(0, who_has(self->vm, 0x42));
	EXPECT_EQ(2, who_has(self->vm, 0x41));	/* what waits goes on waiting */
	EXPECT_EQ(1, agent_take(b));
	apic_write(b, APIC_EOI, 0);
	count = b->exc->count;
	send_ipi(a, DM_NMI | ICR_ASSERT, 1);		/* not affected */
	agent_run(b, AGENT_NOP, 0, 0, 0);
	agent_run(b, AGENT_NOP, 0, 0, 0);
	EXPECT_EQ(count + 1, b->exc->count);
	apic_write(b, APIC_SVR, 0x1ff);
	EXPECT_EQ(0x400 | LVT_MASKED, apic_read(b, APIC_LVT1));
	send_ipi(a, 0x43 | ICR_ASSERT, 1);
	EXPECT_EQ(1, agent_take(b));
}

/* ------------------------------------------------------------------ destinations */

struct dest_case {
	u32 icr, dest, who;		/* a bit for each of the four vCPUs; 0 sends */
};

static void dest_check(struct __test_metadata *_metadata, struct vm *vm,
		       const struct dest_case *c, int n, u8 vector)
{
	for (int i = 0; i < n; i++, vector++) {
		send_ipi(vm->vcpus[0], vector | ICR_ASSERT | c[i].icr, c[i].dest);
		EXPECT_EQ(c[i].who, who_has(vm, vector))
			TH_LOG("case %d: icr %#x, destination %#x", i, c[i].icr, c[i].dest);
	}
}

#define LOG	ICR_LOGICAL

TEST(destinations_xapic_flat)
{
	static const struct dest_case cases[] = {
		{ 0, 0, 0x1 }, { 0, 1, 0x2 }, { 0, 3, 0x8 }, { 0, 4, 0 }, { 0, 0xff, 0xf },
		{ 0, 0xfe, 0 },
		{ LOG, 0x01, 0x1 }, { LOG, 0x06, 0x6 }, { LOG, 0x0f, 0xf }, { LOG, 0x08, 0x8 },
		{ LOG, 0x18, 0x8 }, { LOG, 0x10, 0 }, { LOG, 0, 0 }, { LOG, 0xff, 0xf },
		{ ICR_SELF, 3, 0x1 }, { ICR_ALL, 3, 0xf }, { ICR_OTHERS, 3, 0xe },
		{ ICR_SELF | LOG, 8, 0x1 }, { ICR_ALL | LOG, 0, 0xf },
		/* Two bits for one CPU, which KVM does not have: the last two. */
		{ LOG, 0x80, 0x8 }, { LOG, 0x90, 0x8 },
	};
	struct vm *vm = vm_agents(4);
	int n = ARRAY_SIZE(cases);

	for (int i = 0; i < 4; i++) {
		u32 ldr = 1u << i;

		if (i == 3 && !dev_is_stock())
			ldr = 0x88;
		apic_write(vm->vcpus[i], APIC_LDR, ldr << 24);
	}
	if (dev_is_stock())
		n -= 2;
	dest_check(_metadata, vm, cases, n, 0x30);
	vm_free(vm);
}

TEST(destinations_xapic_cluster)
{
	static const struct dest_case cases[] = {
		{ LOG, 0x01, 0x1 }, { LOG, 0x03, 0x3 }, { LOG, 0x02, 0x2 }, { LOG, 0x11, 0x4 },
		{ LOG, 0x18, 0x8 }, { LOG, 0x1f, 0xc }, { LOG, 0x2f, 0 }, { LOG, 0x10, 0 },
		{ LOG, 0xff, 0xf }, { 0, 2, 0x4 },
	};
	struct vm *vm = vm_agents(4);
	static const u8 ldr[] = { 0x01, 0x02, 0x11, 0x18 };

	for (int i = 0; i < 4; i++) {
		apic_write(vm->vcpus[i], APIC_DFR, 0x0fffffff);
		apic_write(vm->vcpus[i], APIC_LDR, ldr[i] << 24);
	}
	dest_check(_metadata, vm, cases, ARRAY_SIZE(cases), 0x30);
	vm_free(vm);
}

/* Two in flat mode, two in cluster mode: each reads the destination in its own way. */
TEST(destinations_xapic_mixed)
{
	static const struct dest_case cases[] = {
		{ LOG, 0x01, 0x1 | 0x4 }, { LOG, 0x02, 0x2 }, { LOG, 0x12, 0x2 | 0x8 },
		{ LOG, 0x32, 0x2 }, { LOG, 0x04, 0x4 },
	};
	struct vm *vm = vm_agents(4);
	static const u8 ldr[] = { 0x01, 0x02, 0x05, 0x12 };

	for (int i = 0; i < 4; i++) {
		if (i >= 2)
			apic_write(vm->vcpus[i], APIC_DFR, 0x0fffffff);
		apic_write(vm->vcpus[i], APIC_LDR, ldr[i] << 24);
	}
	dest_check(_metadata, vm, cases, ARRAY_SIZE(cases), 0x30);
	vm_free(vm);
}

TEST(destinations_x2apic)
{
	static const struct dest_case cases[] = {
		{ 0, 0, 0x1 }, { 0, 2, 0x4 }, { 0, 17, 0x8 }, { 0, 3, 0 }, { 0, 0xff, 0 },
		{ 0, 0xffffffff, 0xf }, { 0, 0x10002, 0 }, { 0, 0x80000000, 0 },
		{ LOG, 0x00000001, 0x1 }, { LOG, 0x00000007, 0x7 }, { LOG, 0x00010002, 0x8 },
		{ LOG, 0x00010001, 0 }, { LOG, 0x00020002, 0 }, { LOG, 0xffffffff, 0xf },
		{ LOG, 0x0001ffff, 0x8 }, { LOG, 0, 0 },
		{ ICR_SELF, 2, 0x1 }, { ICR_ALL, 0, 0xf }, { ICR_OTHERS, 0, 0xe },
	};
	static const u8 ids[] = { 0, 1, 2, 17 };
	struct vm *vm = vm_irqchip();

	/* Stacks and mailboxes are by index of vCPU: ID 17 never runs, but is there. */
	for (int i = 0; i < 4; i++) {
		struct vcpu *vcpu = vcpu_with_apic(vm, ids[i]);
		struct kvm_lapic_state s;
		struct kvm_sregs sregs;

		if (i < 3) {
			agent_start(vcpu);
			to_x2apic(vcpu);
			continue;
		}
		vcpu_sregs(vcpu, &sregs);
		sregs.apic_base |= BASE_X2APIC;
		ASSERT_EQ(0, vcpu_set_sregs(vcpu, &sregs));
		s = lapic_get(vcpu);
		*lapic_reg(&s, APIC_SVR) = 0x1ff;
		lapic_set(vcpu, s);
	}
	dest_check(_metadata, vm, cases, ARRAY_SIZE(cases), 0x30);
	/* The register for oneself. */
	EXPECT_EQ(-1, apic_write(vm->vcpus[2], APIC_SELF, 0x71));
	EXPECT_EQ(4, who_has(vm, 0x71));
	vm_free(vm);
}

/* Any one of them, and one only; never one that software has disabled. */
TEST(lowest_priority)
{
	struct vm *vm = vm_agents(4);

	for (int i = 0; i < 4; i++)
		apic_write(vm->vcpus[i], APIC_LDR, 1u << (24 + i));
	apic_write(vm->vcpus[2], APIC_SVR, 0xff);
	for (u8 vector = 0x30; vector < 0x50; vector++) {
		u32 who;

		send_ipi(vm->vcpus[0], vector | ICR_ASSERT | DM_LOWEST | LOG,
			 vector & 1 ? 0x0e : 0xff);
		who = who_has(vm, vector);
		if (!dev_is_stock())	/* which may choose the one that takes nothing */
			EXPECT_EQ(1, __builtin_popcount(who));
		EXPECT_GE(1, __builtin_popcount(who));
		EXPECT_EQ(0, who & (vector & 1 ? 0x5 : 0x4));
	}
	vm_free(vm);
}

TEST(shorthand_of_other_kinds)
{
	struct vm *vm = vm_agents(3);

	send_ipi(vm->vcpus[0], DM_NMI | ICR_OTHERS | ICR_ASSERT, 0);
	for (int i = 0; i < 3; i++) {
		agent_run(vm->vcpus[i], AGENT_NOP, 0, 0, 0);
		agent_run(vm->vcpus[i], AGENT_NOP, 0, 0, 0);
		EXPECT_EQ(i > 0, vm->vcpus[i]->exc->count);
	}
	send_ipi(vm->vcpus[0], DM_INIT | ICR_OTHERS | ICR_ASSERT, 0);
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(vm->vcpus[0]));
	EXPECT_EQ(KVM_MP_STATE_INIT_RECEIVED, mp_state(vm->vcpus[1]));
	EXPECT_EQ(KVM_MP_STATE_INIT_RECEIVED, mp_state(vm->vcpus[2]));
	send_ipi(vm->vcpus[0], DM_SIPI | ICR_OTHERS | ICR_ASSERT | 0x10, 0);
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(vm->vcpus[1]));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(vm->vcpus[2]));
	vm_free(vm);
}

/* ---------------------------------------------------------------- EOI, LINT0 */

/* Of a level-triggered interrupt the I/O APIC hears, of an edge it does not. */
TEST(who_hears_of_an_eoi)
{
	struct vm *vm = vm_agents(2);
	struct routes routes = {};

	route_pin(&routes, 20, KVM_IRQCHIP_IOAPIC, 20);
	route_pin(&routes, 21, KVM_IRQCHIP_IOAPIC, 21);
	ASSERT_EQ(0, set_routes(vm, &routes));
	set_redirection(vm, 20, 0x61 | REDIR_LEVEL | 1UL << 56);
	set_redirection(vm, 21, 0x71 | 1UL << 56);
	irq_line(vm, 20, 1);
	EXPECT_EQ(1, agent_take(vm->vcpus[1]));
	irq_line(vm, 21, 1);
	irq_line(vm, 21, 0);
	EXPECT_TRUE(vector_in(vm->vcpus[1], APIC_TMR, 0x61));
	EXPECT_FALSE(vector_in(vm->vcpus[1], APIC_TMR, 0x71));
	/* The edge's handler interrupts the other's. */
	self_ipi(vm->vcpus[0], 0x61);
	EXPECT_EQ(1, agent_take(vm->vcpus[1]));
	EXPECT_EQ(1, agent_drain(vm->vcpus[0]));	/* another CPU's EOI of 61H, an edge */
	apic_write(vm->vcpus[1], APIC_EOI, 0);
	irq_line(vm, 20, 0);
	EXPECT_TRUE(remote_irr(vm, 20));
	irq_line(vm, 20, 1);
	apic_write(vm->vcpus[1], APIC_EOI, 0);
	/* It is high again: at once the next one. */
	EXPECT_EQ(1, agent_take(vm->vcpus[1]));
	EXPECT_EQ(0x61, agent_log(vm->vcpus[1], 0));
	irq_line(vm, 20, 0);
	apic_write(vm->vcpus[1], APIC_EOI, 0);
	EXPECT_FALSE(remote_irr(vm, 20));
	EXPECT_EQ(0, agent_take(vm->vcpus[1]));
	vm_free(vm);
}

/* The PIC's request was there before LINT0 let it through. */
TEST(lint0_is_opened_while_the_pic_asks)
{
	struct vm *vm = vm_agents(1);
	struct vcpu *vcpu = vm->vcpus[0];
	static const struct {
		u16 port;
		u8 val;
	} init[] = {
		{ 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 4 }, { 0x21, 1 }, { 0x21, 0 },
		{ 0xa0, 0x11 }, { 0xa1, 0x28 }, { 0xa1, 2 }, { 0xa1, 1 }, { 0xa1, 0xff },
	};

	if (dev_is_stock())
		SKIP(return, "KVM tells the vCPU only later");
	apic_write(vcpu, APIC_LVT0, DM_EXTINT | LVT_MASKED);
	for (u32 i = 0; i < ARRAY_SIZE(init); i++)
		agent_run(vcpu, AGENT_OUT, init[i].port, 1, init[i].val);
	irq_line(vm, 5, 1);
	EXPECT_EQ(0, agent_take(vcpu));
	apic_write(vcpu, APIC_LVT0, DM_EXTINT);
	EXPECT_EQ(1, agent_take(vcpu));
	EXPECT_EQ(0x25, agent_log(vcpu, 0));
	EXPECT_FALSE(vector_in(vcpu, APIC_ISR, 0x25));	/* the PIC's, not the APIC's */

	/* In a run without an exit between, the next one too. */
	agent_run(vcpu, AGENT_OUT, 0x20, 1, 0x20);
	irq_line(vm, 5, 0);
	apic_write(vcpu, APIC_LVT0, DM_EXTINT | LVT_MASKED);
	irq_line(vm, 3, 1);
	agent_order(vcpu, AGENT_WRITE, LAPIC_GPA + APIC_LVT0, 4, DM_EXTINT);
	agent_finish(vcpu);
	agent_run(vcpu, AGENT_SPIN, 0, 0, tsc_khz_of(vcpu) * 2000);
	EXPECT_EQ(2, vcpu->exc->count);
	vm_free(vm);
}

/* A guest that opens LINT0 with IF = 1, and makes no exit after that. */
GUEST_FN static void lint0_guest(void)
{
	volatile struct guest_exc *exc = g_exc();
	u64 start;

	exc->action = EXC_IRET;
	lapic_write(APIC_SVR, 0x1ff);
	lapic_write(APIC_LVT0, DM_EXTINT | LVT_MASKED);
	g_ucall(UCALL_SYNC, 0, 0);
	asm volatile("sti; nop; nop" : : : "memory");
	lapic_write(APIC_LVT0, DM_EXTINT);
	start = g_rdtsc();
	while (!exc->count && g_rdtsc() - start < 2000000000UL)
		asm volatile("pause");
	asm volatile("cli" : : : "memory");
	g_ucall(UCALL_SYNC, exc->count, exc->vector);
}

TEST(lint0_is_opened_by_a_guest_that_waits_for_it)
{
	struct vm *vm = vm_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0);
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_PIC_MASTER };
	struct ucall uc;

	if (dev_is_stock())
		SKIP(return, "KVM tells the vCPU only later");
	vcpu_long(vcpu, lint0_guest);
	uc = vcpu_ucall(vcpu);
	ASSERT_EQ(UCALL_SYNC, uc.cmd);
	ASSERT_EQ(0, kioctlp(vm->fd, KVM_GET_IRQCHIP, &chip));
	chip.chip.pic.irq_base = 0x20;
	chip.chip.pic.imr = 0;
	ASSERT_EQ(0, kioctlp(vm->fd, KVM_SET_IRQCHIP, &chip));
	irq_line(vm, 5, 1);
	uc = vcpu_ucall(vcpu);
	ASSERT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_EQ(1, uc.a);
	EXPECT_EQ(0x25, uc.b);
	vm_free(vm);
}

/* ------------------------------------------------------------------- the VMM's side */

TEST(errnos)
{
	struct vm *bare = vm_new(), *vm = vm_irqchip();
	struct vcpu *without = vcpu_new(bare, 0), *vcpu = vcpu_new(vm, 0);
	struct kvm_vapic_addr vapic = { .vapic_addr = GPA_DATA };
	struct kvm_lapic_state s;

	EXPECT_EQ(-EINVAL, kioctlp(without->fd, KVM_GET_LAPIC, &s));
	EXPECT_EQ(-EINVAL, kioctlp(without->fd, KVM_SET_LAPIC, &s));
	EXPECT_EQ(-EINVAL, kioctlp(without->fd, KVM_SET_VAPIC_ADDR, &vapic));
	EXPECT_EQ(-EINVAL, set_mp_state(without, KVM_MP_STATE_HALTED));
	EXPECT_EQ(0, set_mp_state(without, KVM_MP_STATE_RUNNABLE));
	EXPECT_EQ(-EFAULT, kioctlp(vcpu->fd, KVM_GET_LAPIC, NULL));
	EXPECT_EQ(-EFAULT, kioctlp(vcpu->fd, KVM_SET_LAPIC, NULL));
	EXPECT_EQ(-EFAULT, kioctlp(vcpu->fd, KVM_SET_VAPIC_ADDR, NULL));
	vapic.vapic_addr = 0x70000000;
	if (!dev_is_stock())		/* 6.1 takes any address */
		EXPECT_EQ(-EFAULT, kioctlp(vcpu->fd, KVM_SET_VAPIC_ADDR, &vapic));
	EXPECT_EQ(-EINVAL, set_mp_state(vcpu, 77));
	vm_free(vm);
	vm_free(bare);
}

TEST(both_formats_of_ids)
{
	for (int wide = 0; wide < 2; wide++) {
		struct vm *vm = vm_irqchip();
		struct vcpu *vcpu;
		struct kvm_sregs sregs;
		struct kvm_lapic_state s;

		if (wide)
			ASSERT_EQ(0, vm_enable_cap(vm, KVM_CAP_X2APIC_API,
						   KVM_X2APIC_API_USE_32BIT_IDS));
		vcpu = vcpu_with_apic(vm, 5);
		s = lapic_get(vcpu);
		EXPECT_EQ(5 << 24, *lapic_reg(&s, APIC_ID));
		vcpu_sregs(vcpu, &sregs);
		sregs.apic_base |= BASE_X2APIC;
		ASSERT_EQ(0, vcpu_set_sregs(vcpu, &sregs));
		s = lapic_get(vcpu);
		EXPECT_EQ(wide ? 5 : 5 << 24, *lapic_reg(&s, APIC_ID));
		EXPECT_EQ(1 << 5, *lapic_reg(&s, APIC_LDR));
		*lapic_reg(&s, APIC_ICR) = 0x41;
		*lapic_reg(&s, APIC_ICR2) = 0x12345678;
		*lapic_reg(&s, APIC_LDR) = 0x77;
		lapic_set(vcpu, s);
		s = lapic_get(vcpu);
		EXPECT_EQ(0x12345678, *lapic_reg(&s, APIC_ICR2));
		EXPECT_EQ(1 << 5, *lapic_reg(&s, APIC_LDR));	/* follows from the ID */
		*lapic_reg(&s, APIC_ID) = wide ? 6 : 6 << 24;
		EXPECT_EQ(-EINVAL, kioctlp(vcpu->fd, KVM_SET_LAPIC, &s) ?: wide ? 0 : -EINVAL);
		vm_free(vm);
	}
}

TEST(x2apic_api)
{
	struct vm *vm = vm_irqchip();
	int flags = dev_cap(KVM_CAP_X2APIC_API);

	EXPECT_EQ(KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK,
		  flags & 3);
	EXPECT_EQ(-EINVAL, vm_enable_cap(vm, KVM_CAP_X2APIC_API, 1 << 20));
	EXPECT_EQ(0, vm_enable_cap(vm, KVM_CAP_X2APIC_API, 3));
	vm_free(vm);
}

/* FFH of a device is all, unless the VMM knows better. */
TEST(broadcast_of_a_device_in_x2apic_mode)
{
	for (int quirk = 0; quirk < 2; quirk++) {
		struct vm *vm = vm_irqchip();
		struct kvm_msi msi = { .address_lo = LAPIC_GPA | 0xff << 12, .data = 0x41 };

		if (!quirk)
			ASSERT_EQ(0, vm_enable_cap(vm, KVM_CAP_X2APIC_API, 3));
		agents_in(vm, 2);
		to_x2apic(vm->vcpus[0]);
		to_x2apic(vm->vcpus[1]);
		kioctlp(vm->fd, KVM_SIGNAL_MSI, &msi);
		EXPECT_EQ(quirk ? 3 : 0, who_has(vm, 0x41));
		vm_free(vm);
	}
}

TEST(states_of_a_vcpu)
{
	struct vm *vm = vm_irqchip();
	struct vcpu *bsp = vcpu_with_apic(vm, 0), *ap = vcpu_with_apic(vm, 1);
	struct vcpu *halted = agent_start(vcpu_with_apic(vm, 2));
	struct kvm_sregs sregs;

	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(bsp));
	EXPECT_EQ(KVM_MP_STATE_UNINITIALIZED, mp_state(ap));
	ASSERT_EQ(0, set_mp_state(ap, KVM_MP_STATE_INIT_RECEIVED));
	send_ipi(halted, DM_SIPI | 0x20, 1);
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(ap));
	vcpu_sregs(ap, &sregs);
	EXPECT_EQ(0x20000, sregs.cs.base);

	/* Set to halted it sleeps till an interrupt, though its code is elsewhere. */
	agent_settle(halted);
	ASSERT_EQ(0, set_mp_state(halted, KVM_MP_STATE_HALTED));
	EXPECT_EQ(KVM_MP_STATE_HALTED, mp_state(halted));
	alarm_handler();
	set_timer_ms(50);
	EXPECT_EQ(-EINTR, vcpu_run(halted));
	EXPECT_EQ(KVM_MP_STATE_HALTED, mp_state(halted));
	EXPECT_EQ(0, kioctl(halted->fd, KVM_NMI, 0));
	agent_order(halted, AGENT_NOP, 0, 0, 0);
	agent_finish(halted);
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(halted));
	EXPECT_EQ(1, halted->exc->count);
	vm_free(vm);
}

TEST(another_boot_cpu)
{
	struct vm *vm = vm_irqchip();
	struct kvm_sregs sregs;
	struct kvm_lapic_state s;

	EXPECT_EQ(0, kioctl(vm->fd, KVM_SET_BOOT_CPU_ID, 1));
	vcpu_with_apic(vm, 0);
	vcpu_with_apic(vm, 1);
	EXPECT_EQ(-EBUSY, kioctl(vm->fd, KVM_SET_BOOT_CPU_ID, 0));
	EXPECT_EQ(KVM_MP_STATE_UNINITIALIZED, mp_state(vm->vcpus[0]));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(vm->vcpus[1]));
	vcpu_sregs(vm->vcpus[0], &sregs);
	EXPECT_EQ(LAPIC_GPA | BASE_ENABLED, sregs.apic_base);
	vcpu_sregs(vm->vcpus[1], &sregs);
	EXPECT_EQ(LAPIC_GPA | BASE_ENABLED | BASE_BSP, sregs.apic_base);
	/* Its LINT0 is open for the PIC, as firmware has it. */
	s = lapic_get(vm->vcpus[1]);
	EXPECT_EQ(DM_EXTINT, *lapic_reg(&s, APIC_LVT0));
	s = lapic_get(vm->vcpus[0]);
	EXPECT_EQ(LVT_MASKED, *lapic_reg(&s, APIC_LVT0));
	vm_free(vm);
}

/* The guest's TPR is a byte in its memory; the word tells it what waits. */
TEST(vapic_address)
{
	struct vm *vm = vm_agents(1);
	struct vcpu *vcpu = vm->vcpus[0];
	struct kvm_vapic_addr vapic = { .vapic_addr = GPA_DATA };
	volatile u32 *word = vm_ptr(vm, GPA_DATA);

	*word = 0;
	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_SET_VAPIC_ADDR, &vapic));
	self_ipi(vcpu, 0x55);
	EXPECT_EQ(1, agent_take(vcpu));
	self_ipi(vcpu, 0x43);
	agent_run(vcpu, AGENT_NOP, 0, 0, 0);
	EXPECT_EQ(0x43005000, *word);		/* waits 43H; class 5 in service; TPR 0 */
	/* The guest raises its TPR by a plain store. */
	agent_run(vcpu, AGENT_WRITE, GPA_DATA, 1, 0x47);
	EXPECT_EQ(0x47, apic_read(vcpu, APIC_TPR));
	apic_write(vcpu, APIC_EOI, 0);
	EXPECT_EQ(0, agent_take(vcpu));
	agent_run(vcpu, AGENT_WRITE, GPA_DATA, 1, 0);
	EXPECT_EQ(1, agent_take(vcpu));
	EXPECT_EQ(0x43, agent_log(vcpu, 0));
	vapic.vapic_addr = 0;
	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_SET_VAPIC_ADDR, &vapic));
	*word = 0x11111111;
	agent_run(vcpu, AGENT_NOP, 0, 0, 0);
	EXPECT_EQ(0x11111111, *word);
	vm_free(vm);
}

TEST_HARNESS_MAIN
