// SPDX-License-Identifier: GPL-2.0
/*
 * pv_eoi_test - MSR_KVM_PV_EOI_EN: a bit in memory instead of the EOI register
 *
 * Guards: the guest is offered the bit where its EOI matters to nobody else, and only
 * there; an EOI made that way counts; the offer is taken back whenever the vCPU is out
 * of the guest, so that KVM_GET_LAPIC shows the truth; the MSR's rules and its gate.
 *
 * An interrupt of the host between the guest's interrupt and its look at the word takes
 * the offer back, so a single offer can be missing: tests count many.
 */
#include <kselftest_harness.h>

#include "irq_util.h"

#define MSR_PV_EOI	0x4b564d04
#define F_PV_EOI	6
#define WORD		(GPA_DATA + 0x40)
#define VEC		0x61
#define VEC_LOW		0x31
#define ROUNDS		60

static GUEST_DATA volatile u64 hold, stuck, go_on;

static bool no_feature(void)
{
	return !cpuid_has(0x40000001, 0, 'a', F_PV_EOI);
}

/* As a kernel does it: one instruction, which no exit can divide. */
__guest_inline bool took_offer(void)
{
	bool was;

	asm volatile("btrl $0, %1" : "=@ccc"(was), "+m"(*(u32 *)WORD) : : "memory");
	return was;
}

/*
 * Each turn: report how many interrupts there were, and whether the last one's EOI could
 * be made by the bit; take what comes; EOI.  Variables hold: make no EOI.  stuck: spin
 * before it until the host lets go.
 */
static GUEST_FN void guest_takes(void)
{
	volatile struct guest_exc *exc = g_exc();
	u64 seen = 0, offers = 0;

	exc->action = EXC_IRET;
	lapic_write(LAPIC_SVR, 0x1ff);
	for (;;) {
		g_ucall(UCALL_SYNC, exc->count, offers);
		asm volatile("sti; nop; nop; cli" : : : "memory");
		if (seen == exc->count || hold)
			continue;
		if (stuck) {
			stuck = 2;
			while (!go_on)
				asm volatile("pause");
		}
		seen++;
		if (took_offer())
			offers++;
		else
			lapic_write(LAPIC_EOI, 0);
	}
}

static struct vcpu *vcpu_taking(struct vm *vm)
{
	struct vcpu *vcpu = vcpu_new(vm, 0);

	vcpu_long(vcpu, guest_takes);
	if (vcpu_ucall(vcpu).cmd != UCALL_SYNC)
		die("the guest does not run");
	return vcpu;
}

static struct vcpu *enabled(struct vm *vm)
{
	struct vcpu *vcpu = vcpu_taking(vm);

	*(volatile u32 *)vm_ptr(vm, WORD) = 0;
	if (vcpu_set_msr(vcpu, MSR_PV_EOI, WORD | 1) != 1)
		die("MSR_KVM_PV_EOI_EN");
	return vcpu;
}

static void raise_msi(struct vm *vm, u32 data)
{
	struct kvm_msi msi = { .address_lo = LAPIC_GPA, .data = data };
	int ret = kioctlp(vm->fd, KVM_SIGNAL_MSI, &msi);

	if (ret != 1)
		die("KVM_SIGNAL_MSI: %d", ret);
}

static u32 lapic_word(struct vcpu *vcpu, int reg)
{
	struct kvm_lapic_state s;

	if (kioctlp(vcpu->fd, KVM_GET_LAPIC, &s))
		die("KVM_GET_LAPIC");
	return *(u32 *)&s.regs[reg];
}

static bool bit_of(struct vcpu *vcpu, int base, u8 vector)
{
	return lapic_word(vcpu, base + vector / 32 * 16) >> (vector % 32) & 1;
}

#define IN_SERVICE(vcpu, v)	bit_of(vcpu, 0x100, v)
#define WAITS(vcpu, v)		bit_of(vcpu, 0x200, v)

/* ROUNDS interrupts, one at a time, each of which must get through.  The offers taken. */
static u64 rounds(struct __test_metadata *_metadata, struct vcpu *vcpu, u32 data)
{
	struct ucall uc = vcpu_ucall(vcpu);
	u64 before = uc.a, offers = uc.b;

	for (u64 i = 1; i <= ROUNDS; i++) {
		raise_msi(vcpu->vm, data);
		/* It is taken in one turn, at the latest the next. */
		uc = vcpu_ucall(vcpu);
		if (uc.a < before + i)
			uc = vcpu_ucall(vcpu);
		ASSERT_EQ(before + i, uc.a);
		EXPECT_EQ(0, *(volatile u32 *)vm_ptr(vcpu->vm, WORD));
		EXPECT_EQ(0, IN_SERVICE(vcpu, data & 0xff));
	}
	return uc.b - offers;
}

TEST(edges_are_offered)
{
	struct vcpu *vcpu;

	if (no_feature())
		SKIP(return, "no PV EOI");
	vcpu = enabled(vm_irqchip());
	EXPECT_LE(ROUNDS / 2, rounds(_metadata, vcpu, VEC));
	/* Switched off, there is no offer, and the word is left alone. */
	ASSERT_EQ(1, vcpu_set_msr(vcpu, MSR_PV_EOI, WORD));
	EXPECT_EQ(0, rounds(_metadata, vcpu, VEC));
	vm_free(vcpu->vm);
}

TEST(split_irqchip)
{
	struct vcpu *vcpu;

	if (no_feature())
		SKIP(return, "no PV EOI");
	vcpu = enabled(vm_split(24));
	EXPECT_LE(ROUNDS / 2, rounds(_metadata, vcpu, VEC));
	vm_free(vcpu->vm);
}

/* The EOI of a level-triggered interrupt is the I/O APIC's, too. */
TEST(levels_are_not_offered)
{
	struct routes r = {};
	struct vcpu *vcpu;
	struct ucall uc;
	struct vm *vm;

	if (no_feature())
		SKIP(return, "no PV EOI");
	vm = vm_irqchip();
	vcpu = enabled(vm);
	/* Not to the PIC as well. */
	route_pin(&r, 9, KVM_IRQCHIP_IOAPIC, 9);
	ASSERT_EQ(0, set_routes(vm, &r));
	set_redirection(vm, 9, VEC | REDIR_LEVEL);
	uc = vcpu_ucall(vcpu);
	for (u64 n = uc.a + 1; n <= 20; n++) {
		/* The pin's remote IRR goes with the EOI, or there is no second one. */
		irq_line(vm, 9, 1);
		irq_line(vm, 9, 0);
		vcpu_ucall(vcpu);
		uc = vcpu_ucall(vcpu);
		ASSERT_EQ(n, uc.a);
	}
	EXPECT_EQ(0, uc.b);
	set_redirection(vm, 9, REDIR_MASKED);
	EXPECT_LE(ROUNDS / 2, rounds(_metadata, vcpu, VEC));
	vm_free(vm);
}

/* Nor is an edge whose EOI somebody waits for: here a resampling irqfd's pin. */
TEST(watched_edges_are_not_offered)
{
	struct routes r = {};
	int fd, resample;
	struct vcpu *vcpu;
	struct vm *vm;

	if (no_feature())
		SKIP(return, "no PV EOI");
	vm = vm_irqchip();
	vcpu = enabled(vm);
	fd = new_eventfd();
	resample = new_eventfd();
	route_pin(&r, 9, KVM_IRQCHIP_IOAPIC, 9);
	ASSERT_EQ(0, set_routes(vm, &r));
	set_redirection(vm, 9, VEC);
	ASSERT_EQ(0, irqfd(vm, fd, 9, KVM_IRQFD_FLAG_RESAMPLE, resample));
	for (u64 n = 1; n <= 10; n++) {
		/* It is raised by a worker of the host. */
		signal_eventfd(fd);
		for (int tries = 0; vcpu_ucall(vcpu).a < n && tries < 1000; tries++)
			usleep(1000);
		ASSERT_EQ(n, vcpu_ucall(vcpu).a);
		EXPECT_EQ(1, read_eventfd(resample));
	}
	EXPECT_EQ(0, vcpu_ucall(vcpu).b);
	vm_free(vm);
	close(fd);
	close(resample);
}

/* What waits for the EOI has to get in at once. */
TEST(no_offer_while_one_waits)
{
	struct vcpu *vcpu;
	struct ucall uc;
	u64 n, offers;

	if (no_feature())
		SKIP(return, "no PV EOI");
	vcpu = enabled(vm_irqchip());
	GUEST_VAR(vcpu->vm, hold) = 1;
	raise_msi(vcpu->vm, VEC);
	raise_msi(vcpu->vm, VEC_LOW);
	n = vcpu_ucall(vcpu).a;
	if (!n)
		n = vcpu_ucall(vcpu).a;
	ASSERT_EQ(1, n);
	EXPECT_EQ(1, IN_SERVICE(vcpu, VEC));
	EXPECT_EQ(0, *(volatile u32 *)vm_ptr(vcpu->vm, WORD));
	/* Now the same priority: it must wait, and the EOI must bring it. */
	raise_msi(vcpu->vm, VEC + 1);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(1, uc.a);
	offers = uc.b;
	EXPECT_EQ(1, WAITS(vcpu, VEC + 1));
	EXPECT_EQ(1, WAITS(vcpu, VEC_LOW));
	GUEST_VAR(vcpu->vm, hold) = 0;
	for (int i = 0; i < 6; i++)
		uc = vcpu_ucall(vcpu);
	EXPECT_EQ(3, uc.a);
	/* At most the last of the three. */
	EXPECT_GE(offers + 1, uc.b);
	for (int v = 0x30; v < 0x70; v++)
		EXPECT_EQ(0, IN_SERVICE(vcpu, v));
	vm_free(vcpu->vm);
}

static volatile bool kicked_out;

static void *kick_soon(void *vcpu_thread)
{
	while (!kicked_out) {
		usleep(20000);
		pthread_kill(*(pthread_t *)vcpu_thread, SIGALRM);
	}
	return NULL;
}

/* A vCPU that a signal stops in the middle of its handler has no offer left in memory. */
TEST(offer_is_taken_back)
{
	pthread_t self = pthread_self(), thread;
	struct vcpu *vcpu;
	int ret;

	if (no_feature())
		SKIP(return, "no PV EOI");
	vcpu = enabled(vm_irqchip());
	alarm_handler();
	for (int i = 0; i < 5; i++) {
		GUEST_VAR(vcpu->vm, stuck) = 1;
		GUEST_VAR(vcpu->vm, go_on) = 0;
		raise_msi(vcpu->vm, VEC);
		kicked_out = false;
		ASSERT_EQ(0, pthread_create(&thread, NULL, kick_soon, &self));
		do {
			ret = vcpu_run(vcpu);
		} while (!ret || GUEST_VAR(vcpu->vm, stuck) != 2);
		kicked_out = true;
		pthread_join(thread, NULL);
		EXPECT_EQ(-EINTR, ret);
		EXPECT_EQ(0, *(volatile u32 *)vm_ptr(vcpu->vm, WORD));
		EXPECT_EQ(1, IN_SERVICE(vcpu, VEC));
		/* Let go: it uses the register, or a new offer, and the next one comes. */
		GUEST_VAR(vcpu->vm, go_on) = 1;
		GUEST_VAR(vcpu->vm, stuck) = 0;
		vcpu_ucall(vcpu);
		vcpu_ucall(vcpu);
		EXPECT_EQ(0, IN_SERVICE(vcpu, VEC));
	}
	EXPECT_LE(ROUNDS / 2, rounds(_metadata, vcpu, VEC));
	vm_free(vcpu->vm);
}

TEST(msr)
{
	struct vcpu *vcpu;
	u64 val;

	if (no_feature())
		SKIP(return, "no PV EOI");
	vcpu = vcpu_taking(vm_irqchip());
	ASSERT_EQ(1, vcpu_get_msr(vcpu, MSR_PV_EOI, &val));
	EXPECT_EQ(0, val);
	/* Aligned to 4, bit 1 is reserved, and there is memory. */
	EXPECT_EQ(0, vcpu_set_msr(vcpu, MSR_PV_EOI, WORD | 2));
	EXPECT_EQ(0, vcpu_set_msr(vcpu, MSR_PV_EOI, WORD | 3));
	EXPECT_EQ(0, vcpu_set_msr(vcpu, MSR_PV_EOI, GPA_MMIO | 1));
	ASSERT_EQ(1, vcpu_get_msr(vcpu, MSR_PV_EOI, &val));
	EXPECT_EQ(0, val);
	EXPECT_EQ(1, vcpu_set_msr(vcpu, MSR_PV_EOI, WORD | 1));
	ASSERT_EQ(1, vcpu_get_msr(vcpu, MSR_PV_EOI, &val));
	EXPECT_EQ(WORD | 1, val);
	/* The memory goes away under it: interrupts work on, without offers. */
	ASSERT_EQ(0, vm_slot(vcpu->vm, 4, 0, 0x40000000, PAGE_SIZE, vm_anon(PAGE_SIZE)));
	ASSERT_EQ(1, vcpu_set_msr(vcpu, MSR_PV_EOI, 0x40000001));
	ASSERT_EQ(0, vm_slot(vcpu->vm, 4, 0, 0x40000000, 0, NULL));
	EXPECT_EQ(0, rounds(_metadata, vcpu, VEC));
	vm_free(vcpu->vm);
}

static GUEST_FN void guest_msr(void)
{
	u64 val;

	g_ucall(UCALL_SYNC, (u64)(g_rdmsr(MSR_PV_EOI, &val) == -1) << 1 |
			    (g_wrmsr(MSR_PV_EOI, WORD | 1) == -1), 0);
}

TEST(cpuid_gate)
{
	if (no_feature() || dev_cap(KVM_CAP_ENFORCE_PV_FEATURE_CPUID) <= 0)
		SKIP(return, "no PV EOI, or no KVM_CAP_ENFORCE_PV_FEATURE_CPUID");
	for (int on = 0; on < 2; on++) {
		struct kvm_enable_cap cap = {
			.cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args[0] = 1,
		};
		struct vcpu *vcpu = vcpu_bare(vm_irqchip(), 0);
		struct cpuid_buf buf;

		supported_cpuid(&buf);
		cpuid_find(&buf, 0x40000001, 0)->eax = on << F_PV_EOI;
		ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_SET_CPUID2, &buf.head));
		ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_ENABLE_CAP, &cap));
		vcpu_long(vcpu, guest_msr);
		EXPECT_EQ(on ? 3 : 0, vcpu_ucall(vcpu).a);
		vm_free(vcpu->vm);
	}
}

TEST_HARNESS_MAIN
