// SPDX-License-Identifier: GPL-2.0
/*
 * save_restore_test - a VM is saved in mid-flight and goes on in a new one
 *
 * Each test brings a guest to a moment at which something is under way: an interrupt in
 * service and others that wait, a timer that counts, a level that has not been ended, an
 * NMI, an exception, a vCPU that sleeps.  Then all that a VMM saves is read, with the
 * ioctls of KVM, and set in a VM that has just been made; the old one ends.  The new one
 * must go on as if nothing had happened: what was pending comes once, what ticks does
 * so at the time at which it would have.
 *
 * move_vm() is what a VMM does, in the order in which QEMU does it.
 */
#include <kselftest_harness.h>

#include "cpu_agent.h"

#define MS		1000000u
#define DIV_1		0xb
#define TIMER_VECTOR	0x61
#define LATE_MS		3000
#define PIT_FREQ	1193182
#define PIN		20
#define MSR_KVM_SYSTEM_TIME 0x4b564d01

/* ------------------------------------------------------------------ the move */

static const u32 moved_msrs[] = {
	MSR_TSC_ADJUST, 0x174, 0x175, 0x176, 0x277, 0xc0000081, 0xc0000082, 0xc0000083,
	0xc0000084, 0xc0000102, MSR_KVM_SYSTEM_TIME,
};

struct cpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
	struct kvm_debugregs debugregs;
	struct kvm_xsave xsave;
	u64 msrs[ARRAY_SIZE(moved_msrs)];
	u64 tsc, deadline;
};

struct vm_state {
	struct kvm_irqchip chips[KVM_NR_IRQCHIPS];
	struct kvm_pit_state2 pit;
	struct kvm_clock_data clock;
};

#define DO(fd, req, ptr) do {							\
	int __r = kioctlp(fd, req, ptr);					\
										\
	if (__r)								\
		die(#req ": %s", strerror(-__r));				\
} while (0)

static void save_cpu(struct vcpu *vcpu, struct cpu_state *s)
{
	DO(vcpu->fd, KVM_GET_MP_STATE, &s->mp);
	DO(vcpu->fd, KVM_GET_REGS, &s->regs);
	DO(vcpu->fd, KVM_GET_SREGS, &s->sregs);
	DO(vcpu->fd, KVM_GET_XSAVE, &s->xsave);
	DO(vcpu->fd, KVM_GET_DEBUGREGS, &s->debugregs);
	DO(vcpu->fd, KVM_GET_LAPIC, &s->lapic);
	for (u32 i = 0; i < ARRAY_SIZE(moved_msrs); i++)
		vcpu_get_msr(vcpu, moved_msrs[i], &s->msrs[i]);
	vcpu_get_msr(vcpu, MSR_TSC, &s->tsc);
	vcpu_get_msr(vcpu, MSR_TSC_DEADLINE, &s->deadline);
	DO(vcpu->fd, KVM_GET_VCPU_EVENTS, &s->events);
}

static void restore_cpu(struct vcpu *vcpu, struct cpu_state *s)
{
	DO(vcpu->fd, KVM_SET_SREGS, &s->sregs);
	DO(vcpu->fd, KVM_SET_REGS, &s->regs);
	DO(vcpu->fd, KVM_SET_XSAVE, &s->xsave);
	for (u32 i = 0; i < ARRAY_SIZE(moved_msrs); i++)
		vcpu_set_msr(vcpu, moved_msrs[i], s->msrs[i]);
	vcpu_set_msr(vcpu, MSR_TSC, s->tsc);
	DO(vcpu->fd, KVM_SET_VCPU_EVENTS, &s->events);
	DO(vcpu->fd, KVM_SET_MP_STATE, &s->mp);
	DO(vcpu->fd, KVM_SET_LAPIC, &s->lapic);
	vcpu_set_msr(vcpu, MSR_TSC_DEADLINE, s->deadline);
	DO(vcpu->fd, KVM_SET_DEBUGREGS, &s->debugregs);
}

/*
 * Ends @vm.  @pit: it has one.  Exits of its vCPUs must be complete: agent_settle().
 * @prepare: what the new VM needs before its vCPUs, or NULL.
 */
static struct vm *move_vm(struct vm *vm, bool pit, void (*prepare)(struct vm *vm))
{
	static struct cpu_state cpus[4];
	static struct vm_state s;
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct vm *to = vm_irqchip();
	int n = vm->nvcpus;

	/* A tick between the PIT's state and the PICs' is in both: better than in none. */
	if (pit)
		DO(vm->fd, KVM_GET_PIT2, &s.pit);
	for (int i = 0; i < n; i++)
		save_cpu(vm->vcpus[i], &cpus[i]);
	for (u32 id = 0; id < KVM_NR_IRQCHIPS; id++) {
		s.chips[id].chip_id = id;
		DO(vm->fd, KVM_GET_IRQCHIP, &s.chips[id]);
	}
	DO(vm->fd, KVM_GET_CLOCK, &s.clock);
	memcpy(to->ram, vm->ram, RAM_SIZE);
	memcpy(to->guest, vm->guest, vm->guest_size);
	vm_free(vm);

	if (prepare)
		prepare(to);
	if (pit)
		DO(to->fd, KVM_CREATE_PIT2, &config);
	s.clock.flags = 0;
	DO(to->fd, KVM_SET_CLOCK, &s.clock);
	for (int i = 0; i < n; i++) {
		struct vcpu *vcpu = vcpu_with_apic(to, i);

		vcpu->exc = vm_ptr(to, GPA_EXC + i * sizeof(struct guest_exc));
		restore_cpu(vcpu, &cpus[i]);
	}
	for (u32 id = 0; id < KVM_NR_IRQCHIPS; id++)
		DO(to->fd, KVM_SET_IRQCHIP, &s.chips[id]);
	/* Last, for it may tick at once. */
	if (pit)
		DO(to->fd, KVM_SET_PIT2, &s.pit);
	return to;
}

/* The usual case: guests in agent(), all at a SYNC. */
static struct vm *move_agents(struct vm *vm, bool pit)
{
	for (int i = 0; i < vm->nvcpus; i++)
		agent_settle(vm->vcpus[i]);
	vm = move_vm(vm, pit, NULL);
	/* The command that is in the mailbox is begun anew: it is to be harmless. */
	for (int i = 0; i < vm->nvcpus; i++)
		agent_run(vm->vcpus[i], AGENT_NOP, 0, 0, 0);
	return vm;
}

static u64 guest_tsc(struct vcpu *vcpu)
{
	return agent_run(vcpu, AGENT_RDTSC, 0, 0, 0);
}

static bool wait_irq(struct vcpu *vcpu, u64 cycles, u64 *tsc)
{
	u64 count = vcpu->exc->count;

	*tsc = agent_run(vcpu, AGENT_SPIN, 0, 0, cycles);
	return vcpu->exc->count > count;
}

/*
 * A TSC that is set to nearly what a new vCPU's is, give or take a second, is taken to be
 * meant the same, and not set: KVM keeps vCPUs together in that way.  So these guests
 * are not as young.
 */
static struct vm *vm_aged(struct vm *vm)
{
	for (int i = 0; i < vm->nvcpus; i++)
		guest_wrmsr(vm->vcpus[i], MSR_TSC, tsc_khz_of(vm->vcpus[i]) * 1000000);
	return vm;
}

/* ------------------------------------------------------------------- local APIC */

struct mover {
	struct vm *vm;
	struct vcpu *vcpu;
	u64 ms;				/* in cycles of the guest's TSC */
};

FIXTURE(mode)
{
	struct mover m;
};

FIXTURE_VARIANT(mode)
{
	bool x2apic;
};

FIXTURE_VARIANT_ADD(mode, xapic) { .x2apic = false };
FIXTURE_VARIANT_ADD(mode, x2apic) { .x2apic = true };

FIXTURE_SETUP(mode)
{
	self->m.vm = vm_aged(vm_agents(2));
	self->m.vcpu = self->m.vm->vcpus[0];
	self->m.ms = tsc_khz_of(self->m.vcpu);
	for (int i = 0; i < 2 && variant->x2apic; i++)
		to_x2apic(self->m.vm->vcpus[i]);
	apic_write(self->m.vcpu, APIC_TDCR, DIV_1);
	apic_write(self->m.vcpu, APIC_LVTT, TIMER_VECTOR);
}

FIXTURE_TEARDOWN(mode)
{
	vm_free(self->m.vm);
}

static void move(struct mover *m)
{
	m->vm = move_agents(m->vm, false);
	m->vcpu = m->vm->vcpus[0];
}

TEST_F(mode, registers)
{
	static const u32 regs[] = {
		APIC_ID, APIC_LDR, APIC_TPR, APIC_PPR, APIC_SVR, APIC_LVTT, APIC_LVTTHMR,
		APIC_LVTPC, APIC_LVT0, APIC_LVT1, APIC_LVTERR, APIC_TDCR, APIC_ICR,
	};
	struct vcpu *vcpu = self->m.vm->vcpus[1];
	u64 before[ARRAY_SIZE(regs)];

	if (!variant->x2apic) {
		apic_write(vcpu, APIC_LDR, 0x42000000);
		apic_write(vcpu, APIC_DFR, 0x0fffffff);
	}
	apic_write(vcpu, APIC_TPR, 0xd0);
	apic_write(vcpu, APIC_LVTTHMR, 0x10051);
	apic_write(vcpu, APIC_LVTPC, 0x10400);
	apic_write(vcpu, APIC_LVT0, 0x8753);
	apic_write(vcpu, APIC_LVT1, 0x10454);
	apic_write(vcpu, APIC_LVTERR, 0x55);
	apic_write(vcpu, APIC_TDCR, 0x9);
	send_ipi(vcpu, 0xc4 | ICR_ASSERT, 1);
	for (u32 i = 0; i < ARRAY_SIZE(regs); i++)
		before[i] = apic_read(vcpu, regs[i]);
	move(&self->m);
	vcpu = self->m.vm->vcpus[1];
	for (u32 i = 0; i < ARRAY_SIZE(regs); i++) {
		EXPECT_EQ(before[i], apic_read(vcpu, regs[i]))
			TH_LOG("register %#x", regs[i]);
	}
	EXPECT_EQ(0xd, agent_run(vcpu, AGENT_GET_CR8, 0, 0, 0));
	EXPECT_EQ(0, agent_take(vcpu));		/* held back by the TPR */
	apic_write(vcpu, APIC_TPR, 0);
	EXPECT_EQ(1, agent_take(vcpu));
	EXPECT_EQ(0xc4, agent_log(vcpu, 0));
	/* The new VM finds the vCPUs by their IDs. */
	send_ipi(self->m.vcpu, 0xe1 | ICR_ASSERT, 1);
	EXPECT_EQ(2, who_has(self->m.vm, 0xe1));
	send_ipi(vcpu, 0xe2 | ICR_ASSERT | ICR_LOGICAL, variant->x2apic ? 2 : 0x42);
	EXPECT_EQ(2, who_has(self->m.vm, 0xe2));
}

TEST_F(mode, in_service_and_waiting)
{
	self_ipi(self->m.vcpu, 0x45);
	EXPECT_EQ(1, agent_take(self->m.vcpu));
	self_ipi(self->m.vcpu, 0x62);
	EXPECT_EQ(1, agent_take(self->m.vcpu));
	self_ipi(self->m.vcpu, 0x62);		/* once more */
	self_ipi(self->m.vcpu, 0x4f);
	self_ipi(self->m.vcpu, 0x31);
	move(&self->m);
	EXPECT_EQ(2, self->m.vcpu->exc->count);
	EXPECT_EQ(0, agent_take(self->m.vcpu));
	apic_write(self->m.vcpu, APIC_EOI, 0);	/* of 62H */
	EXPECT_EQ(1, agent_take(self->m.vcpu));
	EXPECT_EQ(0x62, agent_log(self->m.vcpu, 0));
	apic_write(self->m.vcpu, APIC_EOI, 0);
	EXPECT_EQ(0, agent_take(self->m.vcpu));	/* 45H is in service */
	apic_write(self->m.vcpu, APIC_EOI, 0);
	EXPECT_EQ(2, agent_drain(self->m.vcpu));
	EXPECT_EQ(0x4f, agent_log(self->m.vcpu, 1));
	EXPECT_EQ(0x31, agent_log(self->m.vcpu, 0));
	EXPECT_EQ(5, self->m.vcpu->exc->count);
}

/* The timer has run for a third of its time; the rest is in the new VM. */
static void timer_moves(struct __test_metadata *_metadata, struct mover *m, u32 lvtt,
			u32 ms)
{
	u64 start, when, cycles = ms * m->ms;

	apic_write(m->vcpu, APIC_LVTT, TIMER_VECTOR | lvtt);
	start = guest_tsc(m->vcpu);
	if (lvtt == LVT_DEADLINE)
		guest_wrmsr(m->vcpu, MSR_TSC_DEADLINE, start + cycles);
	else
		apic_write(m->vcpu, APIC_TMICT, ms * MS);
	usleep(ms * 1000 / 3);
	move(m);
	EXPECT_EQ(0, m->vcpu->exc->count);
	EXPECT_TRUE(wait_irq(m->vcpu, cycles + LATE_MS * m->ms, &when));
	EXPECT_EQ(TIMER_VECTOR, agent_log(m->vcpu, 0));
	EXPECT_GE(when - start, lvtt == LVT_DEADLINE ? cycles : cycles - cycles / 50);
	/* Begun anew it would take a third longer than this. */
	EXPECT_LT(when - start, cycles + cycles / 4);
	apic_write(m->vcpu, APIC_EOI, 0);
}

TEST_F(mode, one_shot_timer)
{
	u64 when;

	timer_moves(_metadata, &self->m, 0, 900);
	EXPECT_FALSE(wait_irq(self->m.vcpu, 100 * self->m.ms, &when));
}

TEST_F(mode, periodic_timer)
{
	u64 a, b;

	timer_moves(_metadata, &self->m, LVT_PERIODIC, 900);
	a = guest_tsc(self->m.vcpu);
	apic_write(self->m.vcpu, APIC_TMICT, 20 * MS);
	EXPECT_TRUE(wait_irq(self->m.vcpu, LATE_MS * self->m.ms, &b));
	EXPECT_GE(b - a, 19 * self->m.ms);
}

TEST_F(mode, deadline_timer)
{
	u64 when, val;

	timer_moves(_metadata, &self->m, LVT_DEADLINE, 900);
	EXPECT_EQ(-1, guest_rdmsr(self->m.vcpu, MSR_TSC_DEADLINE, &val));
	EXPECT_EQ(0, val);
	EXPECT_FALSE(wait_irq(self->m.vcpu, 100 * self->m.ms, &when));
}

/* It was over when the VM was saved, but the guest had not run since: once. */
TEST_F(mode, timers_that_were_over)
{
	static const u32 modes[] = { 0, LVT_PERIODIC, LVT_DEADLINE };

	for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
		u64 when, count = self->m.vcpu->exc->count;

		apic_write(self->m.vcpu, APIC_LVTT, TIMER_VECTOR | modes[i]);
		if (modes[i] == LVT_DEADLINE)
			guest_wrmsr(self->m.vcpu, MSR_TSC_DEADLINE,
				    guest_tsc(self->m.vcpu) + 20 * self->m.ms);
		else
			apic_write(self->m.vcpu, APIC_TMICT, modes[i] ? 600 * MS : 20 * MS);
		usleep(modes[i] ? 700000 : 50000);
		move(&self->m);
		EXPECT_TRUE(wait_irq(self->m.vcpu, LATE_MS * self->m.ms, &when));
		EXPECT_EQ(count + 1, self->m.vcpu->exc->count) TH_LOG("mode %#x", modes[i]);
		apic_write(self->m.vcpu, APIC_LVTT, TIMER_VECTOR);
		apic_write(self->m.vcpu, APIC_TMICT, 0);
		apic_write(self->m.vcpu, APIC_EOI, 0);
		EXPECT_EQ(0, agent_drain(self->m.vcpu));
	}
}

/* ------------------------------------------------------------ events of the CPU */

static void set_if(struct vcpu *vcpu)
{
	struct kvm_regs regs;

	vcpu_regs(vcpu, &regs);
	regs.rflags |= 0x200;
	vcpu_set_regs(vcpu, &regs);
}

/* KVM_GET_VCPU_EVENTS has what was begun and not finished, and what waits. */
TEST(an_nmi_that_waits)
{
	struct vm *vm = vm_aged(vm_agents(1));

	agent_settle(vm->vcpus[0]);
	EXPECT_EQ(0, kioctl(vm->vcpus[0]->fd, KVM_NMI, 0));
	vm = move_vm(vm, false, NULL);
	EXPECT_EQ(0, vm->vcpus[0]->exc->count);
	agent_run(vm->vcpus[0], AGENT_NOP, 0, 0, 0);
	EXPECT_EQ(1, vm->vcpus[0]->exc->count);
	EXPECT_EQ(2, agent_log(vm->vcpus[0], 0));
	agent_run(vm->vcpus[0], AGENT_NOP, 0, 0, 0);
	EXPECT_EQ(1, vm->vcpus[0]->exc->count);
	vm_free(vm);
}

/* In its handler: the next one is blocked till IRET, in the new VM. */
TEST(an_nmi_in_its_handler)
{
	struct vm *vm = vm_aged(vm_agents(1));
	struct vcpu *vcpu = vm->vcpus[0];
	struct ucall uc;

	agent_settle(vcpu);
	EXPECT_EQ(0, kioctl(vcpu->fd, KVM_NMI, 0));
	vcpu->exc->action = EXC_UCALL;
	uc = vcpu_ucall(vcpu);
	ASSERT_EQ(UCALL_IRQ, uc.cmd);
	EXPECT_EQ(2, uc.a);
	EXPECT_EQ(0, kioctl(vcpu->fd, KVM_NMI, 0));
	agent_settle(vcpu);
	EXPECT_EQ(1, vcpu->exc->count);
	vm = move_vm(vm, false, NULL);
	vcpu = vm->vcpus[0];
	vcpu->exc->action = EXC_IRET;
	agent_run(vcpu, AGENT_NOP, 0, 0, 0);
	agent_run(vcpu, AGENT_NOP, 0, 0, 0);
	EXPECT_EQ(2, vcpu->exc->count);
	vm_free(vm);
}

/*
 * An interrupt whose delivery has begun: out of the IRR, in service, and in
 * KVM_GET_VCPU_EVENTS only; or, as with KVM, still in the IRR.
 */
TEST(an_interrupt_on_its_way)
{
	struct vm *vm = vm_aged(vm_agents(1));
	struct vcpu *vcpu = vm->vcpus[0];
	struct kvm_vcpu_events events;

	agent_settle(vcpu);
	vcpu_events(vcpu, &events);
	events.interrupt.injected = 1;
	events.interrupt.nr = 0x77;
	events.interrupt.soft = 0;
	ASSERT_EQ(0, vcpu_set_events(vcpu, &events));
	set_if(vcpu);			/* or it would not have begun */
	vm = move_vm(vm, false, NULL);
	vcpu = vm->vcpus[0];
	agent_run(vcpu, AGENT_NOP, 0, 0, 0);
	EXPECT_EQ(1, vcpu->exc->count);
	EXPECT_EQ(0x77, agent_log(vcpu, 0));
	vm_free(vm);
}

/* With KVM_CAP_EXCEPTION_PAYLOAD "pending" is known; without, it is "injected". */
static void with_payloads(struct vm *vm)
{
	if (vm_enable_cap(vm, KVM_CAP_EXCEPTION_PAYLOAD, 1))
		die("KVM_CAP_EXCEPTION_PAYLOAD");
}

TEST(an_exception)
{
	for (int pending = 0; pending < 2; pending++) {
		struct vm *vm = vm_irqchip();
		struct kvm_vcpu_events events;
		struct vcpu *vcpu;

		if (pending)
			with_payloads(vm);
		agents_in(vm, 1);
		vcpu = vm->vcpus[0];
		agent_settle(vcpu);
		vcpu_events(vcpu, &events);
		events.exception.injected = !pending;
		events.exception.pending = pending;
		events.exception.nr = 14;
		events.exception.has_error_code = 1;
		events.exception.error_code = 2;
		events.exception_has_payload = pending;
		events.exception_payload = 0x123456000;
		if (pending)
			events.flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
		ASSERT_EQ(0, vcpu_set_events(vcpu, &events));
		vm = move_vm(vm, false, pending ? with_payloads : NULL);
		vcpu = vm->vcpus[0];
		agent_run(vcpu, AGENT_NOP, 0, 0, 0);
		EXPECT_EQ(1, vcpu->exc->count);
		EXPECT_EQ(14, agent_log(vcpu, 0));
		EXPECT_EQ(2, vcpu->exc->error);
		if (pending)
			EXPECT_EQ(0x123456000, vcpu->exc->cr2);
		vm_free(vm);
	}
}

/* ---------------------------------------------------------------- states of vCPUs */

TEST(a_halted_vcpu)
{
	struct vm *vm = vm_aged(vm_agents(2));

	for (int i = 0; i < 2; i++)
		agent_settle(vm->vcpus[i]);
	set_if(vm->vcpus[0]);
	ASSERT_EQ(0, set_mp_state(vm->vcpus[0], KVM_MP_STATE_HALTED));
	vm = move_vm(vm, false, NULL);
	EXPECT_EQ(KVM_MP_STATE_HALTED, mp_state(vm->vcpus[0]));
	alarm_handler();
	set_timer_ms(50);
	EXPECT_EQ(-EINTR, vcpu_run(vm->vcpus[0]));
	agent_run(vm->vcpus[1], AGENT_NOP, 0, 0, 0);
	send_ipi(vm->vcpus[1], 0x51 | ICR_ASSERT, 0);
	agent_run(vm->vcpus[0], AGENT_NOP, 0, 0, 0);
	EXPECT_EQ(1, vm->vcpus[0]->exc->count);
	vm_free(vm);
}

/* The interrupt that is to wake it is there already when it is moved. */
TEST(a_halted_vcpu_with_an_interrupt)
{
	struct vm *vm = vm_aged(vm_agents(2));

	send_ipi(vm->vcpus[1], 0x51 | ICR_ASSERT, 0);
	for (int i = 0; i < 2; i++)
		agent_settle(vm->vcpus[i]);
	set_if(vm->vcpus[0]);
	ASSERT_EQ(0, set_mp_state(vm->vcpus[0], KVM_MP_STATE_HALTED));
	vm = move_vm(vm, false, NULL);
	agent_run(vm->vcpus[0], AGENT_NOP, 0, 0, 0);
	EXPECT_EQ(1, vm->vcpus[0]->exc->count);
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(vm->vcpus[0]));
	vm_free(vm);
}

TEST(a_vcpu_between_init_and_sipi)
{
	struct vm *vm = vm_aged(vm_agents(2));
	struct kvm_sregs sregs;

	send_ipi(vm->vcpus[0], DM_INIT | ICR_ASSERT, 1);
	EXPECT_EQ(KVM_MP_STATE_INIT_RECEIVED, mp_state(vm->vcpus[1]));
	agent_settle(vm->vcpus[0]);
	vm = move_vm(vm, false, NULL);
	EXPECT_EQ(KVM_MP_STATE_INIT_RECEIVED, mp_state(vm->vcpus[1]));
	agent_run(vm->vcpus[0], AGENT_NOP, 0, 0, 0);
	send_ipi(vm->vcpus[0], DM_SIPI | 0x33, 1);
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(vm->vcpus[1]));
	vcpu_sregs(vm->vcpus[1], &sregs);
	EXPECT_EQ(0x33000, sregs.cs.base);
	vm_free(vm);
}

/* ------------------------------------------------------------ the chips of a VM */

static void pin_route(struct vm *vm)
{
	struct routes routes = {};

	route_pin(&routes, PIN, KVM_IRQCHIP_IOAPIC, PIN);
	for (int i = 0; i < 8; i++)
		route_pin(&routes, i, KVM_IRQCHIP_PIC_MASTER, i);
	if (set_routes(vm, &routes))
		die("KVM_SET_GSI_ROUTING");
}

/* Level, with Remote IRR: in service, and high or low when it is moved. */
TEST(an_ioapic_that_waits_for_an_eoi)
{
	for (int high = 0; high < 2; high++) {
		struct vm *vm = vm_aged(vm_agents(1));
		struct vcpu *vcpu;

		pin_route(vm);
		set_redirection(vm, PIN, 0x61 | REDIR_LEVEL);
		irq_line(vm, PIN, 1);
		EXPECT_EQ(1, agent_take(vm->vcpus[0]));
		if (!high)
			irq_line(vm, PIN, 0);
		agent_settle(vm->vcpus[0]);
		vm = move_vm(vm, false, NULL);
		pin_route(vm);
		vcpu = vm->vcpus[0];
		EXPECT_TRUE(remote_irr(vm, PIN));
		EXPECT_EQ(0, agent_take(vcpu));
		apic_write(vcpu, APIC_EOI, 0);
		EXPECT_EQ(high, agent_take(vcpu));
		irq_line(vm, PIN, 0);			/* the device's, restored later */
		if (high)
			apic_write(vcpu, APIC_EOI, 0);
		EXPECT_FALSE(remote_irr(vm, PIN));
		irq_line(vm, PIN, 1);
		EXPECT_EQ(1, agent_take(vcpu));
		vm_free(vm);
	}
}

/* Waiting in the IRR, its vector not yet taken; and one that is masked and high. */
TEST(an_ioapic_whose_messages_wait)
{
	struct vm *vm = vm_aged(vm_agents(1));
	struct vcpu *vcpu;

	pin_route(vm);
	set_redirection(vm, PIN, 0x61 | REDIR_LEVEL);
	irq_line(vm, PIN, 1);
	set_redirection(vm, 5, 0x52 | REDIR_LEVEL | REDIR_MASKED);
	agent_settle(vm->vcpus[0]);
	vm = move_vm(vm, false, NULL);
	pin_route(vm);
	vcpu = vm->vcpus[0];
	agent_run(vcpu, AGENT_NOP, 0, 0, 0);
	EXPECT_EQ(1, agent_take(vcpu));
	EXPECT_EQ(0x61, agent_log(vcpu, 0));
	EXPECT_EQ(0, agent_take(vcpu));
	irq_line(vm, PIN, 0);
	apic_write(vcpu, APIC_EOI, 0);
	EXPECT_EQ(0, agent_take(vcpu));
	vm_free(vm);
}

static void init_pic(struct vcpu *vcpu)
{
	static const u16 init[][2] = {
		{ 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 4 }, { 0x21, 1 }, { 0x21, 0 },
		{ 0xa0, 0x11 }, { 0xa1, 0x28 }, { 0xa1, 2 }, { 0xa1, 1 }, { 0xa1, 0 },
	};

	apic_write(vcpu, APIC_LVT0, DM_EXTINT);
	for (u32 i = 0; i < ARRAY_SIZE(init); i++)
		agent_run(vcpu, AGENT_OUT, init[i][0], 1, init[i][1]);
}

/* IR4 in service, IR3 and IR6 wait; and an initialization that is half done. */
TEST(a_pic_in_service)
{
	struct vm *vm = vm_aged(vm_agents(1));
	struct vcpu *vcpu = vm->vcpus[0];
	u64 n = 0;

	pin_route(vm);
	init_pic(vcpu);
	irq_line(vm, 4, 1);
	EXPECT_EQ(1, agent_take(vcpu));
	irq_line(vm, 4, 0);
	irq_line(vm, 6, 1);
	irq_line(vm, 3, 1);
	agent_run(vcpu, AGENT_OUT, 0xa0, 1, 0x11);
	agent_run(vcpu, AGENT_OUT, 0xa1, 1, 0x70);	/* and two words to come */
	agent_settle(vcpu);
	vm = move_vm(vm, false, NULL);
	pin_route(vm);
	vcpu = vm->vcpus[0];
	EXPECT_EQ(1, agent_take(vcpu));
	EXPECT_EQ(0x23, agent_log(vcpu, 0));		/* nests */
	EXPECT_EQ(0, agent_take(vcpu));
	agent_run(vcpu, AGENT_OUT, 0x20, 1, 0x20);	/* of IR3 */
	EXPECT_EQ(0, agent_take(vcpu));			/* IR4 is in service */
	agent_run(vcpu, AGENT_OUT, 0x20, 1, 0x20);
	n = agent_take(vcpu);
	EXPECT_EQ(1, n);
	EXPECT_EQ(0x26, agent_log(vcpu, 0));
	agent_run(vcpu, AGENT_OUT, 0x20, 1, 0x20);
	EXPECT_EQ(0, agent_take(vcpu));
	agent_run(vcpu, AGENT_OUT, 0xa1, 1, 2);
	agent_run(vcpu, AGENT_OUT, 0xa1, 1, 1);
	agent_run(vcpu, AGENT_OUT, 0xa1, 1, 0x5a);	/* now it is the mask */
	EXPECT_EQ(0x5a, agent_run(vcpu, AGENT_IN, 0xa1, 1, 0));
	vm_free(vm);
}

/* ------------------------------------------------------------------------- PIT */

static void pit_write(struct vcpu *vcpu, u32 channel, u32 mode, u32 count)
{
	agent_run(vcpu, AGENT_OUT, 0x43, 1, channel << 6 | 0x30 | mode << 1);
	agent_run(vcpu, AGENT_OUT, 0x40 + channel, 1, count & 0xff);
	agent_run(vcpu, AGENT_OUT, 0x40 + channel, 1, count >> 8);
}

static u32 pit_count(struct vcpu *vcpu, u32 channel)
{
	u32 low;

	agent_run(vcpu, AGENT_OUT, 0x43, 1, channel << 6);	/* latch */
	low = agent_run(vcpu, AGENT_IN, 0x40 + channel, 1, 0);
	return low | agent_run(vcpu, AGENT_IN, 0x40 + channel, 1, 0) << 8;
}

static struct vm *vm_pit_agents(void)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct vm *vm = vm_irqchip();

	DO(vm->fd, KVM_CREATE_PIT2, &config);
	agents_in(vm, 1);
	init_pic(vm->vcpus[0]);
	return vm_aged(vm);
}

/* A one-shot in its middle: it comes once, and not a whole period later. */
TEST(a_pit_in_mode_0)
{
	struct vm *vm = vm_pit_agents();
	struct vcpu *vcpu = vm->vcpus[0];
	u64 ms = tsc_khz_of(vcpu), start, when, passed;

	start = now_ns();
	pit_write(vcpu, 0, 0, 0xffff);		/* 55 ms */
	usleep(10000);
	vm = move_agents(vm, true);
	vcpu = vm->vcpus[0];
	EXPECT_TRUE(wait_irq(vcpu, LATE_MS * ms, &when));
	passed = now_ns() - start;		/* the PIT goes by the host's clock */
	EXPECT_EQ(0x20, agent_log(vcpu, 0));
	EXPECT_GE(passed, 54900000);
	agent_run(vcpu, AGENT_OUT, 0x20, 1, 0x20);
	EXPECT_FALSE(wait_irq(vcpu, 120 * ms, &when));
	/* No state says whether what is over was delivered: it may come once more, once. */
	vm = move_agents(vm, true);
	vcpu = vm->vcpus[0];
	if (wait_irq(vcpu, 120 * ms, &when))
		agent_run(vcpu, AGENT_OUT, 0x20, 1, 0x20);
	EXPECT_FALSE(wait_irq(vcpu, 120 * ms, &when));
	vm_free(vm);
}

TEST(a_pit_that_ticks)
{
	static const u8 modes[] = { 2, 3 };

	for (u32 m = 0; m < ARRAY_SIZE(modes); m++) {
		struct vm *vm = vm_pit_agents();
		struct vcpu *vcpu = vm->vcpus[0];
		u64 ms = tsc_khz_of(vcpu), when, start, passed;

		pit_write(vcpu, 0, modes[m], PIT_FREQ / 20);
		EXPECT_TRUE(wait_irq(vcpu, LATE_MS * ms, &when));
		start = now_ns();
		agent_run(vcpu, AGENT_OUT, 0x20, 1, 0x20);
		vm = move_agents(vm, true);
		vcpu = vm->vcpus[0];
		for (int i = 0; i < 10; i++) {
			EXPECT_TRUE(wait_irq(vcpu, LATE_MS * ms, &when));
			EXPECT_EQ(0x20, agent_log(vcpu, 0));
			agent_run(vcpu, AGENT_OUT, 0x20, 1, 0x20);
		}
		/* Ticks that fell into the move may be owed, all others take their time. */
		passed = now_ns() - start;
		EXPECT_GE(passed, 9 * 50000000UL);
		vm_free(vm);
	}
}

static bool tick_in_irr(struct vm *vm)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_PIC_MASTER };

	DO(vm->fd, KVM_GET_IRQCHIP, &chip);
	return chip.chip.pic.irr & 1;
}

/* Of the host's clock, for no vCPU runs. */
static bool tick_within(struct vm *vm, u64 ms)
{
	u64 start = now_ns();

	while (!tick_in_irr(vm))
		if (now_ns() - start > ms * 1000000)
			return false;
	return true;
}

/*
 * Some VMMs restore the PIT first, which ticks at once into a PIC that is not restored:
 * the tick is lost with that PIC's state, and must not be waited for.  Nor may the next
 * one be lost if the PIC was saved in the middle of a tick's pulse.
 */
TEST(a_pit_that_ticks_before_its_pic_is_set)
{
	for (u32 high = 0; high < 2; high++) {
		struct kvm_irqchip pic = { .chip_id = KVM_IRQCHIP_PIC_MASTER };
		struct vm *vm = vm_pit_agents();

		DO(vm->fd, KVM_GET_IRQCHIP, &pic);
		EXPECT_EQ(0, pic.chip.pic.irr);
		pic.chip.pic.last_irr = high;
		pit_write(vm->vcpus[0], 0, 2, PIT_FREQ / 20);
		EXPECT_TRUE(tick_within(vm, LATE_MS));
		DO(vm->fd, KVM_SET_IRQCHIP, &pic);
		EXPECT_FALSE(tick_in_irr(vm));
		EXPECT_TRUE(tick_within(vm, LATE_MS));
		vm_free(vm);
	}
}

/* The same where the I/O APIC has the tick, and its message has not been ended. */
TEST(a_pit_that_ticks_before_its_ioapic_is_set)
{
	struct kvm_irqchip ioapic = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct vm *vm = vm_pit_agents();
	struct vcpu *vcpu = vm->vcpus[0];
	u64 ms = tsc_khz_of(vcpu), when;

	agent_run(vcpu, AGENT_OUT, 0x21, 1, 0xff);
	set_redirection(vm, 0, 0x61);
	DO(vm->fd, KVM_GET_IRQCHIP, &ioapic);
	pit_write(vcpu, 0, 2, PIT_FREQ / 20);
	EXPECT_TRUE(wait_irq(vcpu, LATE_MS * ms, &when));
	EXPECT_EQ(0x61, agent_log(vcpu, 0));
	EXPECT_FALSE(wait_irq(vcpu, 120 * ms, &when));	/* it is not ended */
	ioapic.chip.ioapic.redirtbl[0].fields.vector = 0x71;
	ioapic.chip.ioapic.irr = 1;		/* sent at once, and the pin is high */
	DO(vm->fd, KVM_SET_IRQCHIP, &ioapic);
	EXPECT_TRUE(wait_irq(vcpu, LATE_MS * ms, &when));
	EXPECT_EQ(0x71, agent_log(vcpu, 0));
	apic_write(vcpu, APIC_EOI, 0);
	EXPECT_TRUE(wait_irq(vcpu, LATE_MS * ms, &when));
	EXPECT_EQ(0x71, agent_log(vcpu, 0));
	vm_free(vm);
}

/* Registers: a latched count, half of one that is read, half of one that is written. */
TEST(a_pit_between_two_bytes)
{
	struct vm *vm = vm_pit_agents();
	struct vcpu *vcpu = vm->vcpus[0];
	u32 count;

	pit_write(vcpu, 1, 2, 0x8000);
	agent_run(vcpu, AGENT_OUT, 0x43, 1, 0x40);		/* latch channel 1 */
	count = agent_run(vcpu, AGENT_IN, 0x41, 1, 0);
	agent_run(vcpu, AGENT_OUT, 0x43, 1, 0xb4);		/* channel 2, mode 2 */
	agent_run(vcpu, AGENT_OUT, 0x42, 1, 0x34);
	vm = move_agents(vm, true);
	vcpu = vm->vcpus[0];
	count |= agent_run(vcpu, AGENT_IN, 0x41, 1, 0) << 8;
	EXPECT_GE(0x8000, count);
	EXPECT_LT(0, count);
	EXPECT_GE(0x8000, pit_count(vcpu, 1));
	agent_run(vcpu, AGENT_OUT, 0x42, 1, 0x12);		/* 1234H */
	agent_run(vcpu, AGENT_OUT, 0x61, 1, 1);			/* GATE 2 */
	EXPECT_GE(0x1234, pit_count(vcpu, 2));
	vm_free(vm);
}

/* -------------------------------------------------------------------- kvmclock */

struct pvclock {
	u32 version, pad;
	u64 tsc, ns;
	u32 mul;
	int8_t shift;
	u8 flags, rest[2];
};

static u64 pvclock_now(struct vm *vm, struct vcpu *vcpu)
{
	volatile struct pvclock *c = vm_ptr(vm, GPA_DATA + 0x1000);
	u64 delta = guest_tsc(vcpu) - c->tsc;

	delta = c->shift < 0 ? delta >> -c->shift : delta << c->shift;
	/* The upper half of a product of 96 bits. */
	return c->ns + (delta >> 32) * c->mul + ((delta & 0xffffffff) * c->mul >> 32);
}

/* Time does not go back, and does not leap by what the move has not taken. */
TEST(a_clock)
{
	struct vm *vm = vm_aged(vm_agents(1));
	u64 before, after;

	ASSERT_EQ(-1, guest_wrmsr(vm->vcpus[0], MSR_KVM_SYSTEM_TIME, GPA_DATA + 0x1001));
	usleep(100000);
	before = pvclock_now(vm, vm->vcpus[0]);
	EXPECT_LT(90000000, before);
	vm = move_agents(vm, false);
	after = pvclock_now(vm, vm->vcpus[0]);
	EXPECT_GE(after, before);
	EXPECT_LT(after - before, LATE_MS * 1000000UL);
	vm_free(vm);
}

TEST_HARNESS_MAIN
