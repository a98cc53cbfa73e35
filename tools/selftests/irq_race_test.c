// SPDX-License-Identifier: GPL-2.0
/*
 * irq_race_test - two things at the same moment, and not one interrupt too few or too many
 *
 * A device and a guest shake hands: the device makes its next interrupt as soon as it
 * sees the guest in the handler of the last one, so it meets whatever the guest does
 * then: an EOI, HLT, a change of the I/O APIC's mask.  Or a third party changes routes,
 * takes irqfds away, or sends signals to the vCPU's thread all the while.  Each interrupt
 * is waited for, with a limit in time, and at the end the guest must have counted as
 * many as were made: one that got lost stops the test, one too many shows in the sum.
 *
 * With one host CPU threads meet only where they are preempted; two show more.
 * Elsewhere: removal of an ioeventfd against a write (ioeventfd_test), closing of
 * eventfds and of VMs against signals (irqfd_test).
 */
#include <kselftest_harness.h>

#include "cpu_agent.h"

#define IOAPIC_GPA	0xfec00000UL
#define ACK_PORT	0x510
#define VECTOR		0x41
#define GSI		40
#define PIN		20
#define LIMIT_NS	20000000000UL	/* the harness has 30 s for a test */

#define RACE_ACK	1u	/* the device is told by a port; it lowers its line */
#define RACE_TOGGLE	2u	/* mask and unmask the pin all the time */
#define RACE_HLT	4u	/* STI and HLT */
#define RACE_SYNC	8u	/* a ucall after each: the test halts the vCPU */

GUEST_DATA static volatile u32 race_flags;
GUEST_DATA static volatile u32 race_end;
GUEST_DATA static volatile u64 race_seen;
GUEST_DATA static volatile u64 race_sends;	/* of the guest that sends IPIs */
GUEST_DATA static volatile u64 race_limit;	/* TSC cycles to wait for one */

GUEST_FN static void race_redirect(u32 low)
{
	*(volatile u32 *)IOAPIC_GPA = 0x10 + 2 * PIN;
	*(volatile u32 *)(IOAPIC_GPA + 0x10) = low;
}

GUEST_FN static void race_guest(void)
{
	volatile struct guest_exc *exc = g_exc();
	u64 done = 0;

	exc->action = EXC_IRET;
	lapic_write(APIC_SVR, 0x1ff);
	g_ucall(UCALL_SYNC, 0, 0);
	while (!race_end) {
		u64 before = done;

		if (race_flags & RACE_TOGGLE) {
			race_redirect(VECTOR | REDIR_LEVEL | REDIR_MASKED);
			race_redirect(VECTOR | REDIR_LEVEL);
		}
		if (race_flags & RACE_HLT)
			g_halt();
		else
			asm volatile("sti; nop; nop; cli" : : : "memory");
		for (; done < exc->count; done++) {
			if (race_flags & RACE_ACK)
				asm volatile("out %%al, %0" : : "Nd"((u16)ACK_PORT));
			race_seen = done + 1;
			lapic_write(APIC_EOI, 0);
		}
		if ((race_flags & RACE_SYNC) && done > before) {
			asm volatile("sti" : : : "memory");
			g_ucall(UCALL_SYNC, 0, 0);
			asm volatile("cli" : : : "memory");
		}
	}
	g_done();
}

GUEST_FN static void race_ipi_guest(void)
{
	lapic_write(APIC_SVR, 0x1ff);
	lapic_write(APIC_ICR2, 0);
	for (u64 i = 1; i <= race_sends; i++) {
		u64 start = g_rdtsc();

		lapic_write(APIC_ICR, VECTOR | ICR_ASSERT);
		while (race_seen < i) {
			G_ASSERT(g_rdtsc() - start < race_limit, i);
			asm volatile("pause");
		}
	}
	g_done();
}

/* ------------------------------------------------------------------ the host's side */

/**
 * struct race - a guest that takes interrupts in a thread of its own
 * @vm: its VM
 * @vcpu: it, vCPU 0
 * @thread: runs it
 * @acks: how often it has told the device
 * @halts: how often it was set to halted
 * @error: what went wrong in the thread
 */
struct race {
	struct vm *vm;
	struct vcpu *vcpu;
	pthread_t thread;
	volatile u64 acks, halts;
	const char *volatile error;
};

/* Asleep by its state, without the instruction. */
static void race_halt(struct race *r)
{
	r->vcpu->run->immediate_exit = 1;
	if (vcpu_run(r->vcpu) != -EINTR)
		r->error = "the last exit is not complete";
	r->vcpu->run->immediate_exit = 0;
	/* One that came after STI is still to be seen by the guest's loop. */
	if (GUEST_VAR(r->vm, race_end) || r->vcpu->exc->count != GUEST_VAR(r->vm, race_seen))
		return;
	set_mp_state(r->vcpu, KVM_MP_STATE_HALTED);
	r->halts++;
}

/* Returns false when the guest has come to its end. */
static bool race_step(struct race *r)
{
	struct kvm_run *run = r->vcpu->run;
	int ret = vcpu_run(r->vcpu);

	if (ret == -EINTR)
		return true;
	if (ret || run->exit_reason != KVM_EXIT_IO) {
		r->error = ret ? strerror(-ret) : exit_name(run->exit_reason);
		return false;
	}
	if (run->io.port == ACK_PORT) {
		irq_line(r->vm, PIN, 0);
		r->acks++;
		return true;
	}
	if (*(u32 *)((u8 *)run + run->io.data_offset) != UCALL_SYNC)
		return false;
	race_halt(r);
	return true;
}

static void *race_thread(void *arg)
{
	struct race *r = arg;

	while (race_step(r))
		;
	return NULL;
}

static void no_op(int sig)
{
	(void)sig;
}

static void race_routes(struct vm *vm, u32 data)
{
	struct routes routes = {};

	route_msi(&routes, GSI, data);
	route_pin(&routes, PIN, KVM_IRQCHIP_IOAPIC, PIN);
	if (set_routes(vm, &routes))
		die("KVM_SET_GSI_ROUTING");
}

static void race_start(struct race *r, u32 flags)
{
	struct ucall uc;

	memset(r, 0, sizeof(*r));
	log_mark();
	signal(SIGUSR1, no_op);
	r->vm = vm_irqchip();
	race_routes(r->vm, VECTOR);
	r->vcpu = vcpu_new(r->vm, 0);
	vcpu_long(r->vcpu, race_guest);
	uc = vcpu_ucall(r->vcpu);
	if (uc.cmd != UCALL_SYNC)
		die("the guest does not come to its loop");
	GUEST_VAR(r->vm, race_flags) = flags;
	if (pthread_create(&r->thread, NULL, race_thread, r))
		die("no thread");
}

/* Wait till a counter is there; false: something has got lost. */
static bool race_await(struct race *r, volatile u64 *counter, u64 n)
{
	u64 start = now_ns();

	for (u32 i = 0; *counter < n; i++) {
		if (r->error || now_ns() - start > LIMIT_NS)
			return false;
		if (i > 50)
			usleep(1);
	}
	return true;
}

static void signal_msi(struct race *r)
{
	struct kvm_msi msi = { .address_lo = LAPIC_GPA, .data = VECTOR };

	kioctlp(r->vm->fd, KVM_SIGNAL_MSI, &msi);
}

/* Let it end; one more interrupt if it may be asleep.  Returns how many it has taken. */
static u64 race_stop(struct race *r, bool asleep)
{
	u64 n;

	usleep(30000);			/* for those that nobody has made */
	GUEST_VAR(r->vm, race_end) = 1;
	if (asleep)
		signal_msi(r);
	pthread_join(r->thread, NULL);
	n = r->vcpu->exc->count - asleep;
	if (r->error)
		die("the guest's thread: %s", r->error);
	return n;
}

#define SEEN(r)	(&GUEST_VAR((r)->vm, race_seen))

#define EXPECT_ALL(r, n, asleep) do {						\
	EXPECT_EQ(n, race_stop(r, asleep));					\
	vm_free((r)->vm);							\
	EXPECT_FALSE(log_has_warning());					\
} while (0)

static void pulse(struct race *r)
{
	irq_line(r->vm, PIN, 1);
	irq_line(r->vm, PIN, 0);
}

/* -------------------------------------------------------- EOI, mask against a raise */

#define ROUNDS	600

TEST(eoi_against_a_new_edge)
{
	struct race r;

	race_start(&r, 0);
	set_redirection(r.vm, PIN, VECTOR);
	for (u64 i = 1; i <= ROUNDS; i++) {
		if (i & 1)
			pulse(&r);
		else
			signal_msi(&r);
		ASSERT_TRUE(race_await(&r, SEEN(&r), i)) TH_LOG("lost: %llu", i);
	}
	EXPECT_ALL(&r, ROUNDS, 0);
}

TEST(eoi_against_a_new_level)
{
	struct race r;

	race_start(&r, RACE_ACK);
	set_redirection(r.vm, PIN, VECTOR | REDIR_LEVEL);
	for (u64 i = 1; i <= ROUNDS; i++) {
		irq_line(r.vm, PIN, 1);
		/* Down again; its EOI is yet to come, or is just on its way. */
		ASSERT_TRUE(race_await(&r, &r.acks, i)) TH_LOG("lost: %llu", i);
	}
	EXPECT_ALL(&r, ROUNDS, 0);
	EXPECT_EQ(ROUNDS, r.acks);
}

TEST(unmask_against_a_raise)
{
	struct race r;

	race_start(&r, RACE_ACK | RACE_TOGGLE);
	for (u64 i = 1; i <= ROUNDS; i++) {
		irq_line(r.vm, PIN, 1);
		ASSERT_TRUE(race_await(&r, &r.acks, i)) TH_LOG("lost: %llu", i);
	}
	EXPECT_ALL(&r, ROUNDS, 0);
	EXPECT_EQ(ROUNDS, r.acks);
}

/* -------------------------------------------------------------- kicks against a halt */

enum kick { KICK_MSI, KICK_PIN, KICK_IRQFD };

static u64 kick_rounds(struct __test_metadata *_metadata, u32 flags, enum kick kick, u64 n)
{
	int fd = new_eventfd();
	struct race r;
	u64 taken;

	race_start(&r, flags);
	set_redirection(r.vm, PIN, VECTOR);
	if (kick == KICK_IRQFD)
		ASSERT_EQ(0, irqfd(r.vm, fd, GSI, 0, 0));
	for (u64 i = 1; i <= n; i++) {
		switch (kick) {
		case KICK_MSI:
			signal_msi(&r);
			break;
		case KICK_PIN:
			pulse(&r);
			break;
		case KICK_IRQFD:
			signal_eventfd(fd);
		}
		if (!race_await(&r, SEEN(&r), i)) {
			TH_LOG("lost: %llu", (unsigned long long)i);
			break;
		}
		/* Sometimes it is asleep already, and sometimes not yet. */
		if (i % 4 == 0)
			usleep(i % 64 * 4);
	}
	taken = race_stop(&r, true);
	if (flags & RACE_SYNC)
		EXPECT_LE(n / 10, r.halts);
	vm_free(r.vm);
	EXPECT_FALSE(log_has_warning());
	return taken;
}

TEST(msi_against_a_halt)
{
	EXPECT_EQ(ROUNDS, kick_rounds(_metadata, RACE_SYNC, KICK_MSI, ROUNDS));
}

TEST(pin_against_a_halt)
{
	EXPECT_EQ(ROUNDS, kick_rounds(_metadata, RACE_SYNC, KICK_PIN, ROUNDS));
}

TEST(irqfd_against_a_halt)
{
	EXPECT_EQ(ROUNDS, kick_rounds(_metadata, RACE_SYNC, KICK_IRQFD, ROUNDS));
}

TEST(kicks_against_the_instruction)
{
	EXPECT_EQ(ROUNDS, kick_rounds(_metadata, RACE_HLT, KICK_MSI, ROUNDS));
	EXPECT_EQ(ROUNDS, kick_rounds(_metadata, RACE_HLT, KICK_IRQFD, ROUNDS));
}

static void *run_to_its_end(void *arg)
{
	struct ucall *uc = malloc(sizeof(*uc));

	*uc = vcpu_ucall(arg);
	return uc;
}

static void ipi_race(struct __test_metadata *_metadata, u32 flags, u64 n)
{
	struct ucall *uc;
	struct race r;
	struct vcpu *sender;
	pthread_t thread;

	race_start(&r, flags);
	GUEST_VAR(r.vm, race_sends) = n;
	GUEST_VAR(r.vm, race_limit) = tsc_khz_of(r.vcpu) * (LIMIT_NS / 1000000);
	sender = vcpu_new(r.vm, 1);
	vcpu_long(sender, race_ipi_guest);
	ASSERT_EQ(0, set_mp_state(sender, KVM_MP_STATE_RUNNABLE));
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_to_its_end, sender));
	pthread_join(thread, (void **)&uc);
	EXPECT_EQ(UCALL_DONE, uc->cmd) TH_LOG("lost: %llu", uc->b);
	free(uc);
	EXPECT_ALL(&r, n, flags & (RACE_SYNC | RACE_HLT) ? 1 : 0);
}

/* On one CPU each turn of a spinning vCPU takes as long as the scheduler gives it. */
#define SKIP_ON_ONE_CPU()						\
	do {								\
		if (host_cpus() < 2)					\
			SKIP(return, "two vCPUs that spin want two CPUs");	\
	} while (0)

TEST(ipi_against_an_eoi)
{
	SKIP_ON_ONE_CPU();
	ipi_race(_metadata, 0, ROUNDS / 3);
}

TEST(ipi_against_a_halt)
{
	SKIP_ON_ONE_CPU();
	ipi_race(_metadata, RACE_SYNC, ROUNDS / 3);
}

TEST(ipi_against_the_instruction)
{
	SKIP_ON_ONE_CPU();
	ipi_race(_metadata, RACE_HLT, ROUNDS);
}

/* ------------------------------------------------------------------ third parties */

struct meddler {
	struct race *race;
	void (*meddle)(struct meddler *m);
	volatile bool stop;
	int fd;
	volatile u64 n;
	pthread_t thread;
};

static void *meddler_thread(void *arg)
{
	struct meddler *m = arg;

	while (!m->stop) {
		m->meddle(m);
		m->n++;
		if (m->n % 4 == 0)
			usleep(1);
	}
	return NULL;
}

static void meddler_start(struct meddler *m)
{
	if (pthread_create(&m->thread, NULL, meddler_thread, m))
		die("no thread");
}

static void meddler_stop(struct meddler *m)
{
	m->stop = true;
	pthread_join(m->thread, NULL);
}

/* The same interrupt, by now with this vector and by now with that. */
static void change_route(struct meddler *m)
{
	race_routes(m->race->vm, VECTOR + (m->n & 1));
}

TEST(route_change_against_an_interrupt)
{
	struct race r;
	struct meddler m = { .race = &r, .meddle = change_route };
	int fd = new_eventfd();

	race_start(&r, 0);
	ASSERT_EQ(0, irqfd(r.vm, fd, GSI, 0, 0));
	meddler_start(&m);
	for (u64 i = 1; i <= ROUNDS; i++) {
		if (i & 1)
			signal_eventfd(fd);
		else
			irq_line(r.vm, GSI, 1);
		ASSERT_TRUE(race_await(&r, SEEN(&r), i)) TH_LOG("lost: %llu", i);
	}
	meddler_stop(&m);
	EXPECT_LT(10, m.n);
	EXPECT_ALL(&r, ROUNDS, 0);
}

/*
 * A signal while there is no irqfd waits in the eventfd for the next one; while there
 * is one it is an interrupt, also if the irqfd goes away at that moment.
 */
static void remove_irqfd(struct meddler *m)
{
	if (irqfd(m->race->vm, m->fd, GSI, m->n & 1 ? 0 : KVM_IRQFD_FLAG_DEASSIGN, 0))
		m->race->error = "KVM_IRQFD";
}

TEST(irqfd_removal_against_a_signal)
{
	struct race r;
	struct meddler m = { .race = &r, .meddle = remove_irqfd, .fd = new_eventfd() };

	race_start(&r, 0);
	ASSERT_EQ(0, irqfd(r.vm, m.fd, GSI, 0, 0));
	meddler_start(&m);
	for (u64 i = 1; i <= ROUNDS; i++) {
		signal_eventfd(m.fd);
		ASSERT_TRUE(race_await(&r, SEEN(&r), i)) TH_LOG("lost: %llu", i);
	}
	meddler_stop(&m);
	EXPECT_LT(10, m.n);
	EXPECT_ALL(&r, ROUNDS, 0);
}

/* Signals take the vCPU's thread out of KVM_RUN at any moment. */
static void disturb(struct meddler *m)
{
	pthread_kill(m->race->thread, SIGUSR1);
	usleep(m->n % 50);
}

TEST(signals_against_interrupts)
{
	static const u32 flags[] = { 0, RACE_SYNC };

	for (u32 f = 0; f < ARRAY_SIZE(flags); f++) {
		struct race r;
		struct meddler m = { .race = &r, .meddle = disturb };

		race_start(&r, flags[f]);
		meddler_start(&m);
		for (u64 i = 1; i <= ROUNDS; i++) {
			signal_msi(&r);
			ASSERT_TRUE(race_await(&r, SEEN(&r), i)) TH_LOG("lost: %llu", i);
		}
		meddler_stop(&m);
		EXPECT_ALL(&r, ROUNDS, flags[f] ? 1 : 0);
	}
}

/* State that is read and written back while interrupts arrive is not lost either. */
static void get_state(struct meddler *m)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	if (kioctlp(m->race->vm->fd, KVM_GET_IRQCHIP, &chip))
		m->race->error = "KVM_GET_IRQCHIP";
}

TEST(get_irqchip_against_a_level)
{
	struct race r;
	struct meddler m = { .race = &r, .meddle = get_state };

	race_start(&r, RACE_ACK);
	set_redirection(r.vm, PIN, VECTOR | REDIR_LEVEL);
	meddler_start(&m);
	for (u64 i = 1; i <= ROUNDS; i++) {
		irq_line(r.vm, PIN, 1);
		ASSERT_TRUE(race_await(&r, &r.acks, i)) TH_LOG("lost: %llu", i);
	}
	meddler_stop(&m);
	EXPECT_ALL(&r, ROUNDS, 0);
}

/* ------------------------------------------------------------------------ the end */

GUEST_FN static void storm_guest(void)
{
	u64 seen = 0;

	g_exc()->action = EXC_IRET;
	lapic_write(APIC_SVR, 0x1ff);
	lapic_write(APIC_TDCR, 0xb);
	lapic_write(APIC_LVTT, 0x51 | LVT_PERIODIC);
	lapic_write(APIC_TMICT, 300000);
	for (;;) {
		lapic_write(APIC_ICR, 0x41 | ICR_ASSERT | ICR_ALL);
		asm volatile("sti; nop; nop; cli" : : : "memory");
		for (; seen < g_exc()->count; seen++)
			lapic_write(APIC_EOI, 0);
	}
}

static void *storm_thread(void *arg)
{
	for (;;)
		vcpu_run(arg);
	return NULL;
}

/* A VM with IPIs, timers and an irqfd in full swing; somebody kills it. */
static void storm(void)
{
	struct vm *vm = vm_irqchip();
	int fd = new_eventfd();
	pthread_t thread;

	race_routes(vm, VECTOR);
	for (int i = 0; i < 3; i++) {
		vcpu_long(vcpu_new(vm, i), storm_guest);
		set_mp_state(vm->vcpus[i], KVM_MP_STATE_RUNNABLE);
		pthread_create(&thread, NULL, storm_thread, vm->vcpus[i]);
	}
	irqfd(vm, fd, GSI, 0, 0);
	for (;;)
		signal_eventfd(fd);
}

TEST(killed)
{
	log_mark();
	for (int i = 0; i < 15; i++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			storm();
			_exit(1);
		}
		ASSERT_LT(0, pid);
		usleep(20000 + i * 7000);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	EXPECT_FALSE(log_has_warning());
}

TEST_HARNESS_MAIN
