// SPDX-License-Identifier: GPL-2.0
/*
 * lapic_timer_test - the local APIC's timer: one-shot, periodic, TSC deadline
 *
 * Guards: that it fires, once for each time that it is armed, with the right vector;
 * never early, by the guest's own TSC; and what stops it, moves it, or makes it fire
 * at once.  How late it may be depends on the test host, so that is bounded only by
 * what is certainly a fault.
 */
#include <kselftest_harness.h>

#include "cpu_agent.h"

#define MS		1000000u	/* in counts of the timer, divided by 1 */
#define DIV_1		0xb
#define TIMER_VECTOR	0x61
#define LATE_MS		3000

FIXTURE(timer)
{
	struct vm *vm;
	struct vcpu *vcpu;
	u64 ms;				/* in cycles of the guest's TSC */
};

FIXTURE_VARIANT(timer)
{
	bool x2apic;
};

FIXTURE_VARIANT_ADD(timer, xapic) { .x2apic = false };
FIXTURE_VARIANT_ADD(timer, x2apic) { .x2apic = true };

FIXTURE_SETUP(timer)
{
	self->vm = vm_agents(2);
	self->vcpu = self->vm->vcpus[0];
	self->ms = tsc_khz_of(self->vcpu);
	if (variant->x2apic)
		to_x2apic(self->vcpu);
	apic_write(self->vcpu, APIC_TDCR, DIV_1);
	apic_write(self->vcpu, APIC_LVTT, TIMER_VECTOR);
}

FIXTURE_TEARDOWN(timer)
{
	vm_free(self->vm);
}

static u64 guest_tsc(struct vcpu *vcpu)
{
	return agent_run(vcpu, AGENT_RDTSC, 0, 0, 0);
}

/* Wait for an interrupt, at most so long.  Has one come?  @tsc: when. */
static bool wait_irq(struct vcpu *vcpu, u64 cycles, u64 *tsc)
{
	u64 count = vcpu->exc->count, when = agent_run(vcpu, AGENT_SPIN, 0, 0, cycles);

	if (tsc)
		*tsc = when;
	return vcpu->exc->count > count;
}

/* The timer has fired, at the right time, and will not do so again. */
#define EXPECT_FIRES(start, cycles) do {					\
	u64 __when = 0, __start = (start), __cycles = (cycles);			\
										\
	EXPECT_TRUE(wait_irq(self->vcpu, __cycles + LATE_MS * self->ms, &__when));	\
	EXPECT_EQ(TIMER_VECTOR, agent_log(self->vcpu, 0));			\
	EXPECT_GE(__when - __start, __cycles);					\
	EXPECT_LT(__when - __start, __cycles + LATE_MS * self->ms);		\
	apic_write(self->vcpu, APIC_EOI, 0);					\
} while (0)

#define EXPECT_SILENCE(cycles)							\
	EXPECT_FALSE(wait_irq(self->vcpu, cycles, NULL))

/* The timer's clock and the TSC are calibrated to each other only so well. */
static u64 a_bit_less(u64 cycles)
{
	return cycles - cycles / 50;
}

/* ------------------------------------------------------------ one-shot, periodic */

TEST_F(timer, one_shot)
{
	u64 start, left;

	for (int i = 0; i < 3; i++) {
		start = guest_tsc(self->vcpu);
		apic_write(self->vcpu, APIC_TMICT, 20 * MS);
		left = apic_read(self->vcpu, APIC_TMCCT);
		EXPECT_LE(left, 20 * MS);
		EXPECT_FIRES(start, a_bit_less(20 * self->ms));
		EXPECT_EQ(0, apic_read(self->vcpu, APIC_TMCCT));
		EXPECT_EQ(20 * MS, apic_read(self->vcpu, APIC_TMICT));
	}
	EXPECT_SILENCE(60 * self->ms);
}

TEST_F(timer, the_count_counts_down)
{
	u64 start, now, a, b;

	apic_write(self->vcpu, APIC_TMICT, 1000 * MS);
	start = guest_tsc(self->vcpu);
	a = apic_read(self->vcpu, APIC_TMCCT);
	EXPECT_SILENCE(20 * self->ms);
	now = guest_tsc(self->vcpu);
	b = apic_read(self->vcpu, APIC_TMCCT);
	EXPECT_GE(1000 * MS, a);
	EXPECT_GE(a - b, a_bit_less(20 * MS));
	EXPECT_GE(now - start, 20 * self->ms);
}

TEST_F(timer, divisors)
{
	static const u8 tdcr[] = { 0xb, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa };

	for (u32 i = 0; i < ARRAY_SIZE(tdcr); i++) {
		u64 start;

		if (dev_is_stock())		/* else it begins anew what is over */
			apic_write(self->vcpu, APIC_TMICT, 0);
		apic_write(self->vcpu, APIC_TDCR, tdcr[i]);
		start = guest_tsc(self->vcpu);
		apic_write(self->vcpu, APIC_TMICT, (8 * MS) >> i);
		EXPECT_FIRES(start, a_bit_less(8 * self->ms));
	}
}

TEST_F(timer, stopped_or_begun_anew)
{
	u64 start;

	apic_write(self->vcpu, APIC_TMICT, 30 * MS);
	apic_write(self->vcpu, APIC_TMICT, 0);
	EXPECT_EQ(0, apic_read(self->vcpu, APIC_TMCCT));
	EXPECT_SILENCE(60 * self->ms);
	apic_write(self->vcpu, APIC_TMICT, 30 * MS);
	EXPECT_SILENCE(10 * self->ms);
	start = guest_tsc(self->vcpu);
	apic_write(self->vcpu, APIC_TMICT, 40 * MS);
	EXPECT_FIRES(start, a_bit_less(40 * self->ms));
}

/* It counts, and is over; nobody hears of it. */
TEST_F(timer, masked)
{
	if (dev_is_stock())
		SKIP(return, "KVM keeps the tick till it is unmasked");
	apic_write(self->vcpu, APIC_LVTT, TIMER_VECTOR | LVT_MASKED);
	apic_write(self->vcpu, APIC_TMICT, 5 * MS);
	EXPECT_SILENCE(30 * self->ms);
	EXPECT_EQ(0, apic_read(self->vcpu, APIC_TMCCT));
	apic_write(self->vcpu, APIC_LVTT, TIMER_VECTOR);
	EXPECT_SILENCE(20 * self->ms);
	apic_write(self->vcpu, APIC_TMICT, 5 * MS);
	EXPECT_TRUE(wait_irq(self->vcpu, LATE_MS * self->ms, NULL));
}

TEST_F(timer, periodic)
{
	u64 start, end;

	apic_write(self->vcpu, APIC_LVTT, TIMER_VECTOR | LVT_PERIODIC);
	start = guest_tsc(self->vcpu);
	apic_write(self->vcpu, APIC_TMICT, 10 * MS);
	end = agent_run(self->vcpu, AGENT_TICKS, 0, 0, 20);
	EXPECT_EQ(20, self->vcpu->exc->count);
	EXPECT_GE(end - start, a_bit_less(200 * self->ms));
	EXPECT_LT(end - start, 200 * self->ms + LATE_MS * self->ms);
	EXPECT_LE(apic_read(self->vcpu, APIC_TMCCT), 10 * MS);
	/* Ticks that nobody takes are one. */
	start = guest_tsc(self->vcpu);
	agent_run(self->vcpu, AGENT_NOP, 0, 0, 0);
	while (guest_tsc(self->vcpu) - start < 50 * self->ms)
		;
	EXPECT_EQ(1, agent_take(self->vcpu));
	EXPECT_EQ(0, agent_take(self->vcpu));
	apic_write(self->vcpu, APIC_TMICT, 0);
	apic_write(self->vcpu, APIC_EOI, 0);
	agent_drain(self->vcpu);
	EXPECT_SILENCE(50 * self->ms);
}

/* A guest that asks for more than a host can bear gets less, and the host lives. */
TEST_F(timer, a_period_of_nothing)
{
	u64 start, end;

	apic_write(self->vcpu, APIC_LVTT, TIMER_VECTOR | LVT_PERIODIC);
	start = guest_tsc(self->vcpu);
	apic_write(self->vcpu, APIC_TMICT, 1);
	end = agent_run(self->vcpu, AGENT_TICKS, 0, 0, 50);
	EXPECT_GE(end - start, a_bit_less(49 * self->ms / 5));	/* 200 us each */
	apic_write(self->vcpu, APIC_LVTT, TIMER_VECTOR);
	apic_write(self->vcpu, APIC_TMICT, 0);
	agent_drain(self->vcpu);
	EXPECT_SILENCE(10 * self->ms);
}

/* ------------------------------------------------------------------ TSC deadline */

static void arm_deadline(struct vcpu *vcpu, u64 tsc)
{
	if (guest_wrmsr(vcpu, MSR_TSC_DEADLINE, tsc) != -1)
		die("the deadline cannot be written");
}

static u64 deadline_of(struct vcpu *vcpu)
{
	u64 val;

	if (guest_rdmsr(vcpu, MSR_TSC_DEADLINE, &val) != -1)
		die("the deadline cannot be read");
	return val;
}

TEST_F(timer, deadline)
{
	u64 start;

	/* Not in that mode it is not there. */
	arm_deadline(self->vcpu, 1);
	EXPECT_EQ(0, deadline_of(self->vcpu));
	EXPECT_SILENCE(5 * self->ms);

	apic_write(self->vcpu, APIC_LVTT, TIMER_VECTOR | LVT_DEADLINE);
	for (int i = 0; i < 3; i++) {
		start = guest_tsc(self->vcpu);
		arm_deadline(self->vcpu, start + 20 * self->ms);
		EXPECT_EQ(start + 20 * self->ms, deadline_of(self->vcpu));
		EXPECT_FIRES(start, 20 * self->ms);	/* to the cycle */
		EXPECT_EQ(0, deadline_of(self->vcpu));
	}
	/* In the past: at once. */
	arm_deadline(self->vcpu, 1);
	EXPECT_EQ(1, agent_take(self->vcpu));
	apic_write(self->vcpu, APIC_EOI, 0);
	/* Disarmed, and moved. */
	start = guest_tsc(self->vcpu);
	arm_deadline(self->vcpu, start + 20 * self->ms);
	arm_deadline(self->vcpu, 0);
	EXPECT_SILENCE(40 * self->ms);
	start = guest_tsc(self->vcpu);
	arm_deadline(self->vcpu, start + 10 * self->ms);
	arm_deadline(self->vcpu, start + 50 * self->ms);
	EXPECT_FIRES(start, 50 * self->ms);
	EXPECT_SILENCE(20 * self->ms);
	/* So far away that its time in ns does not fit. */
	arm_deadline(self->vcpu, ~0UL);
	EXPECT_SILENCE(10 * self->ms);
	EXPECT_EQ(~0UL, deadline_of(self->vcpu));
}

/* From a mode to another all is disarmed, both ways. */
TEST_F(timer, modes_do_not_mix)
{
	apic_write(self->vcpu, APIC_TMICT, 20 * MS);
	apic_write(self->vcpu, APIC_LVTT, TIMER_VECTOR | LVT_DEADLINE);
	EXPECT_SILENCE(40 * self->ms);
	apic_write(self->vcpu, APIC_TMICT, 5 * MS);	/* ignored */
	EXPECT_EQ(0, apic_read(self->vcpu, APIC_TMICT));
	EXPECT_EQ(0, apic_read(self->vcpu, APIC_TMCCT));
	EXPECT_SILENCE(20 * self->ms);
	arm_deadline(self->vcpu, guest_tsc(self->vcpu) + 20 * self->ms);
	apic_write(self->vcpu, APIC_LVTT, TIMER_VECTOR);
	EXPECT_SILENCE(40 * self->ms);
	apic_write(self->vcpu, APIC_LVTT, TIMER_VECTOR | LVT_DEADLINE);
	EXPECT_EQ(0, deadline_of(self->vcpu));
	EXPECT_SILENCE(20 * self->ms);
}

/* The guest moves its TSC: the deadline is nearer, or farther. */
TEST_F(timer, the_guest_writes_its_tsc)
{
	static const u32 msrs[] = { MSR_TSC, MSR_TSC_ADJUST };
	u64 start;

	if (dev_is_stock())
		SKIP(return, "KVM leaves the timer where it was");
	apic_write(self->vcpu, APIC_LVTT, TIMER_VECTOR | LVT_DEADLINE);
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		u64 val, jump = 100000 * self->ms;

		/* 100 s ahead; and then it is now. */
		start = guest_tsc(self->vcpu);
		arm_deadline(self->vcpu, start + jump);
		EXPECT_SILENCE(5 * self->ms);
		guest_rdmsr(self->vcpu, msrs[i], &val);
		guest_wrmsr(self->vcpu, msrs[i], val + jump);
		EXPECT_EQ(1, agent_take(self->vcpu));
		apic_write(self->vcpu, APIC_EOI, 0);
		EXPECT_EQ(0, deadline_of(self->vcpu));
		/* 20 ms ahead; and then the TSC is 40 ms less. */
		start = guest_tsc(self->vcpu);
		arm_deadline(self->vcpu, start + 20 * self->ms);
		guest_rdmsr(self->vcpu, msrs[i], &val);
		guest_wrmsr(self->vcpu, msrs[i], val - 40 * self->ms);
		EXPECT_FIRES(start, 20 * self->ms);
	}
}

static int set_tsc_offset(struct vcpu *vcpu, u64 offset)
{
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (u64)&offset,
	};

	return kioctlp(vcpu->fd, KVM_SET_DEVICE_ATTR, &attr);
}

static u64 tsc_offset(struct vcpu *vcpu)
{
	u64 offset;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (u64)&offset,
	};

	if (kioctlp(vcpu->fd, KVM_GET_DEVICE_ATTR, &attr))
		die("KVM_VCPU_TSC_OFFSET");
	return offset;
}

TEST_F(timer, the_vmm_writes_the_tsc)
{
	u64 start, jump = 100000 * self->ms;
	int r;

	if (dev_is_stock())
		SKIP(return, "KVM leaves the timer where it was");
	apic_write(self->vcpu, APIC_LVTT, TIMER_VECTOR | LVT_DEADLINE);
	for (int by_offset = 0; by_offset < 2; by_offset++) {
		start = guest_tsc(self->vcpu);
		arm_deadline(self->vcpu, start + jump);
		agent_settle(self->vcpu);
		if (by_offset)
			r = set_tsc_offset(self->vcpu, tsc_offset(self->vcpu) + jump);
		else
			r = vcpu_set_msr(self->vcpu, MSR_TSC, start + jump) - 1;
		EXPECT_EQ(0, r);
		EXPECT_EQ(1, agent_take(self->vcpu));
		apic_write(self->vcpu, APIC_EOI, 0);
		EXPECT_EQ(0, deadline_of(self->vcpu));
	}
}

/* ------------------------------------------------------------- sleep and wake-up */

static void set_if(struct vcpu *vcpu, bool on)
{
	struct kvm_regs regs;

	vcpu_regs(vcpu, &regs);
	regs.rflags = (regs.rflags & ~0x200UL) | (on ? 0x200 : 0);
	vcpu_set_regs(vcpu, &regs);
}

/* A halted vCPU is woken by each kind; the halt is in the kernel. */
TEST_F(timer, wakes_a_halted_vcpu)
{
	u64 start;

	for (int i = 0; i < 20; i++) {
		bool deadline = i & 1;

		apic_write(self->vcpu, APIC_LVTT, TIMER_VECTOR | (deadline ? LVT_DEADLINE : 0));
		start = guest_tsc(self->vcpu);
		if (deadline)
			arm_deadline(self->vcpu, start + 30 * self->ms);
		else
			apic_write(self->vcpu, APIC_TMICT, 30 * MS);
		/* Asleep by state: the APIC is what this is about. */
		agent_settle(self->vcpu);
		ASSERT_EQ(0, set_mp_state(self->vcpu, KVM_MP_STATE_HALTED));
		set_if(self->vcpu, true);
		agent_order(self->vcpu, AGENT_RDTSC, 0, 0, 0);
		agent_finish(self->vcpu);
		EXPECT_EQ(i + 1, self->vcpu->exc->count);
		EXPECT_GE(agent_mailbox(self->vcpu)->val - start, a_bit_less(30 * self->ms));
		set_if(self->vcpu, false);
		apic_write(self->vcpu, APIC_EOI, 0);
	}
}

/* INIT stops it. */
TEST_F(timer, init_stops_it)
{
	struct vcpu *ap = self->vm->vcpus[1];
	struct kvm_lapic_state s;

	apic_write(ap, APIC_LVTT, TIMER_VECTOR | LVT_PERIODIC);
	apic_write(ap, APIC_TMICT, 10 * MS);
	send_ipi(self->vcpu, DM_INIT | ICR_ASSERT, 1);
	EXPECT_EQ(KVM_MP_STATE_INIT_RECEIVED, mp_state(ap));
	usleep(30000);
	EXPECT_EQ(0, who_has(self->vm, TIMER_VECTOR));
	s = lapic_get(ap);
	EXPECT_EQ(0, *lapic_reg(&s, APIC_TMICT));
	EXPECT_EQ(0, *lapic_reg(&s, APIC_TMCCT));
	EXPECT_EQ(LVT_MASKED, *lapic_reg(&s, APIC_LVTT));
}

TEST_HARNESS_MAIN
