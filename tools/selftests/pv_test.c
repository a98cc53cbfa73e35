// SPDX-License-Identifier: GPL-2.0
/*
 * pv_test - steal time and hypercalls
 *
 * Guards: the time that a vCPU's thread waits for a CPU is told to the guest; a vCPU is
 * marked as preempted while it sleeps, and a flush of its TLB that another asked for
 * takes place before it goes on; hypercalls answer as KVM's, at CPL 0 only; kicks, yields
 * and IPIs reach the right vCPU; all of it is gated by CPUID if the VMM wants that.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

#define MSR_STEAL	0x4b564d03
#define ENABLE		1UL

#define HC_POLL_IRQ	1
#define HC_KICK		5
#define HC_PAIRING	9
#define HC_SEND_IPI	10
#define HC_YIELD	11

#define MSR_POLL_CONTROL 0x4b564d05
#define F_STEAL		5
#define F_UNHALT	7
#define F_TLB_FLUSH	9
#define F_SEND_IPI	11
#define F_POLL_CONTROL	12
#define F_YIELD		13

#define E_NOSYS		1000UL
#define E_PERM		1UL
#define E_OPNOTSUPP	95UL
#define E_INVAL		22UL

#define PREEMPTED	1
#define FLUSH_TLB	2

#define SECOND	1000000000ULL

struct steal_time {
	u64 steal;
	u32 version, flags;
	u8 preempted, pad1[3];
	u32 pad[11];
};

#define GPA_STEAL(vcpu)	(GPA_DATA + PAGE_SIZE * (vcpu)->id + 128)

static bool no_feature(int bit)
{
	return !cpuid_has(0x40000001, 0, 'a', bit);
}

/* ------------------------------------------------------------------- guest */

/* The vendor's hypercall instruction. */
static GUEST_DATA bool amd;

__guest_inline u64 g_hypercall(u64 nr, u64 a, u64 b, u64 c, u64 d)
{
	if (amd)
		asm volatile("vmmcall" : "+a"(nr) : "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	else
		asm volatile("vmcall" : "+a"(nr) : "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return nr;
}

struct hc {
	u64 nr, a, b, c, d;
};

static GUEST_DATA struct hc hc;

static GUEST_FN void guest_calls(void)
{
	for (;;) {
		volatile struct hc *h = &hc;

		g_ucall(UCALL_SYNC, g_hypercall(h->nr, h->a, h->b, h->c, h->d), 0);
	}
}

static GUEST_FN void guest_idle(void)
{
	for (;;)
		g_ucall(UCALL_SYNC, 0, 0);
}

static GUEST_FN void guest_spins(void)
{
	for (;;) {
		for (int i = 0; i < 100000; i++)
			asm volatile("pause");
		g_ucall(UCALL_SYNC, 0, 0);
	}
}

static u64 next(struct vcpu *vcpu)
{
	struct ucall uc = vcpu_ucall(vcpu);

	if (uc.cmd != UCALL_SYNC)
		die("ucall %u %#lx %#lx", uc.cmd, uc.a, uc.b);
	return uc.a;
}

static struct vcpu *vm_for(void *entry)
{
	struct vcpu *vcpu = vm_long(entry);

	GUEST_VAR(vcpu->vm, amd) = host_is_amd();
	return vcpu;
}

static u64 call(struct vcpu *vcpu, u64 nr, u64 a, u64 b, u64 c, u64 d)
{
	GUEST_VAR(vcpu->vm, hc) = (struct hc){ nr, a, b, c, d };
	return next(vcpu);
}

/* -------------------------------------------------------------- steal time */

static u64 run_delay(void)
{
	unsigned long run, delay;
	FILE *f = fopen("/proc/thread-self/schedstat", "r");

	if (!f || fscanf(f, "%lu %lu", &run, &delay) != 2)
		die("schedstat");
	fclose(f);
	return delay;
}

static void *burn(void *stop)
{
	while (!*(volatile bool *)stop)
		;
	return NULL;
}

TEST(steal_time_is_told)
{
	volatile struct steal_time *st;
	bool stop = false;
	struct vcpu *vcpu;
	pthread_t thread;
	u64 before, steal, waited;

	if (no_feature(F_STEAL))
		SKIP(return, "no steal time");
	pin_cpu(0);
	vcpu = vm_for(guest_spins);
	st = vm_ptr(vcpu->vm, GPA_STEAL(vcpu));
	ASSERT_EQ(1, vcpu_set_msr(vcpu, MSR_STEAL, GPA_STEAL(vcpu) | ENABLE));
	before = run_delay();
	next(vcpu);
	EXPECT_EQ(0, st->version & 1);
	EXPECT_LT(0, st->version);
	EXPECT_EQ(0, st->flags);
	steal = st->steal;
	/* Another thread wants the same CPU: we wait for it. */
	ASSERT_EQ(0, pthread_create(&thread, NULL, burn, &stop));
	while (st->steal - steal < SECOND / 20 && run_delay() - before < SECOND)
		next(vcpu);
	stop = true;
	pthread_join(thread, NULL);
	waited = run_delay() - before;
	EXPECT_LE(SECOND / 20, st->steal - steal);
	EXPECT_GE(waited, st->steal - steal);
	EXPECT_EQ(0, st->version & 1);
	vm_free(vcpu->vm);
}

TEST(steal_time_msr)
{
	struct vcpu *vcpu;
	struct steal_time *st, before;
	u64 val;

	if (no_feature(F_STEAL))
		SKIP(return, "no steal time");
	vcpu = vm_for(guest_idle);
	st = vm_ptr(vcpu->vm, GPA_STEAL(vcpu));
	/* Bits 1 to 5 are reserved. */
	for (int bit = 1; bit <= 5; bit++)
		EXPECT_EQ(0, vcpu_set_msr(vcpu, MSR_STEAL, GPA_STEAL(vcpu) | ENABLE | 1 << bit));
	ASSERT_EQ(1, vcpu_get_msr(vcpu, MSR_STEAL, &val));
	EXPECT_EQ(0, val);
	next(vcpu);
	EXPECT_EQ(0, st->version);
	ASSERT_EQ(1, vcpu_set_msr(vcpu, MSR_STEAL, GPA_STEAL(vcpu) | ENABLE));
	next(vcpu);
	EXPECT_NE(0, st->version);
	/* What was stolen before goes on counting: it is the guest's memory. */
	st->steal = 1ULL << 50;
	next(vcpu);
	EXPECT_LE(1ULL << 50, st->steal);
	EXPECT_GT((1ULL << 50) + 100 * SECOND, st->steal);
	ASSERT_EQ(1, vcpu_get_msr(vcpu, MSR_STEAL, &val));
	EXPECT_EQ(GPA_STEAL(vcpu) | ENABLE, val);
	/* Switched off, and nowhere. */
	ASSERT_EQ(1, vcpu_set_msr(vcpu, MSR_STEAL, GPA_STEAL(vcpu)));
	before = *st;
	next(vcpu);
	EXPECT_EQ(0, memcmp(&before, st, sizeof(before)));
	ASSERT_EQ(1, vcpu_set_msr(vcpu, MSR_STEAL, GPA_MMIO | ENABLE));
	next(vcpu);
	vm_free(vcpu->vm);
}

/* A line of the TLB is used, and the page table changed under it; see below. */
#define GVA_TEST	0x3fe00000UL	/* its page directory entry is the last of GPA_PD */

static GUEST_FN void guest_reads(void)
{
	for (;;)
		g_ucall(UCALL_SYNC, *(volatile u64 *)GVA_TEST, 0);
}

/*
 * What another vCPU would do: note the wish for a flush in the mark of one that is
 * preempted.  Here the vCPU's thread is out of KVM_RUN, so the test writes the mark too.
 */
TEST(flush_is_done_before_the_guest_runs)
{
	struct vcpu *vcpu;
	struct steal_time *st;
	u64 *pde;

	if (no_feature(F_TLB_FLUSH))
		SKIP(return, "no PV TLB flush");
	vcpu = vm_for(guest_reads);
	st = vm_ptr(vcpu->vm, GPA_STEAL(vcpu));
	*(u64 *)vm_ptr(vcpu->vm, 0x200000) = 0x1111;
	*(u64 *)vm_ptr(vcpu->vm, 0x0) = 0x2222;
	pde = (u64 *)vm_ptr(vcpu->vm, GPA_PD) + (GVA_TEST >> 21);
	*pde = 0x200000 | 0xe3;
	ASSERT_EQ(1, vcpu_set_msr(vcpu, MSR_STEAL, GPA_STEAL(vcpu) | ENABLE));
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(i & 1 ? 0x2222 : 0x1111, next(vcpu));
		*pde = (i & 1 ? 0x200000 : 0) | 0xe3;
		st->preempted = PREEMPTED | FLUSH_TLB;
	}
	next(vcpu);
	EXPECT_EQ(0, st->preempted);
	vm_free(vcpu->vm);
}

/* -------------------------------------------------------------- hypercalls */

TEST(numbers)
{
	struct vcpu *vcpu = vm_for(guest_calls);

	EXPECT_EQ(0, call(vcpu, HC_POLL_IRQ, 0, 0, 0, 0));
	EXPECT_EQ(-E_NOSYS, call(vcpu, 0, 0, 0, 0, 0));
	EXPECT_EQ(-E_NOSYS, call(vcpu, 2, 0, 0, 0, 0));
	EXPECT_EQ(-E_NOSYS, call(vcpu, 99, 0, 0, 0, 0));
	EXPECT_EQ(-E_NOSYS, call(vcpu, -1UL, 0, 0, 0, 0));
	EXPECT_EQ(-E_NOSYS, call(vcpu, 1UL << 32 | HC_POLL_IRQ, 0, 0, 0, 0));
	/* To nobody, and to oneself: harmless. */
	if (!no_feature(F_UNHALT)) {
		EXPECT_EQ(0, call(vcpu, HC_KICK, 0, 0, 0, 0));
		EXPECT_EQ(0, call(vcpu, HC_KICK, 0, 77, 0, 0));
		EXPECT_EQ(0, call(vcpu, HC_KICK, 0, -1UL, 0, 0));
	}
	if (!no_feature(F_YIELD)) {
		EXPECT_EQ(0, call(vcpu, HC_YIELD, 0, 0, 0, 0));
		EXPECT_EQ(0, call(vcpu, HC_YIELD, 77, 0, 0, 0));
		EXPECT_EQ(0, call(vcpu, HC_YIELD, -1UL, 0, 0, 0));
	}
	/* Without a local APIC in the kernel there is nothing to send with. */
	if (!no_feature(F_SEND_IPI))
		EXPECT_EQ(-E_OPNOTSUPP, call(vcpu, HC_SEND_IPI, 1, 0, 0, 0x30));
	vm_free(vcpu->vm);
}

struct pairing {
	int64_t sec, nsec;
	u64 tsc;
	u32 flags, pad[9];
};

TEST(clock_pairing)
{
	struct vcpu *vcpu = vm_for(guest_calls);
	volatile struct pairing *p = vm_ptr(vcpu->vm, GPA_DATA);
	struct timespec before, after;
	u64 tsc, r;

	EXPECT_EQ(-E_OPNOTSUPP, call(vcpu, HC_PAIRING, GPA_DATA, 1, 0, 0));
	clock_gettime(CLOCK_REALTIME, &before);
	r = call(vcpu, HC_PAIRING, GPA_DATA, 0, 0, 0);
	clock_gettime(CLOCK_REALTIME, &after);
	if (r == -E_OPNOTSUPP)
		SKIP(return, "the host's clock is not the TSC");
	ASSERT_EQ(0, r);
	EXPECT_LE(before.tv_sec * SECOND + before.tv_nsec, p->sec * SECOND + p->nsec);
	EXPECT_GE(after.tv_sec * SECOND + after.tv_nsec, p->sec * SECOND + p->nsec);
	EXPECT_EQ(0, p->flags);
	ASSERT_EQ(1, vcpu_get_msr(vcpu, 0x10, &tsc));
	EXPECT_GT(tsc, p->tsc);
	EXPECT_NE(0, p->tsc);
	EXPECT_EQ(-14UL, call(vcpu, HC_PAIRING, GPA_MMIO, 0, 0, 0));
	vm_free(vcpu->vm);
}

/* ------------------------------------------------ with local APICs in the kernel */

static GUEST_FN void guest_halts(void)
{
	asm volatile("cli; hlt");
	g_ucall(UCALL_SYNC, 0x4a17, 0);
	g_done();
}

static void *run_to_ucall(void *arg)
{
	return (void *)vcpu_ucall(arg).a;
}

static struct vm *vm_with_irqchip(void)
{
	struct vm *vm = vm_new();

	if (kioctl(vm->fd, KVM_CREATE_IRQCHIP, 0))
		die("KVM_CREATE_IRQCHIP");
	GUEST_VAR(vm, amd) = host_is_amd();
	return vm;
}

static void set_runnable(struct vcpu *vcpu)
{
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };

	if (kioctlp(vcpu->fd, KVM_SET_MP_STATE, &mp))
		die("KVM_SET_MP_STATE");
}

/* As a guest would begin.  Until then the stock module does not find an APIC by its ID. */
static void enable_lapic(struct vcpu *vcpu)
{
	struct kvm_lapic_state lapic;

	if (kioctlp(vcpu->fd, KVM_GET_LAPIC, &lapic))
		die("KVM_GET_LAPIC");
	*(u32 *)&lapic.regs[0xf0] = 0x1ff;
	if (kioctlp(vcpu->fd, KVM_SET_LAPIC, &lapic))
		die("KVM_SET_LAPIC");
}

/* How often has a halted vCPU been found awake while it was polled? */
static long polled(void)
{
	return module_counter("halt_poll_successes");
}

/*
 * Each turn a HLT that a timer of the local APIC ends after some 30 us.  The handler goes
 * on behind a HLT that it came before: not every emulated CPU keeps STI's shadow.
 */
ASM_GUEST(nap_handler,
	  "push %rax; incq %gs:16; mov $0xfee000b0, %eax; movl $0, (%rax)\n"
	  "mov 8(%rsp), %rax; cmpb $0xf4, (%rax); jne 1f; incq 8(%rsp)\n"
	  "1: pop %rax; iretq");

#define NAPS	200

static GUEST_FN void guest_naps(void)
{
	volatile struct guest_exc *exc = g_exc();

	*(volatile u32 *)0xfee000f0UL = 0x1ff;		/* spurious vector: on */
	*(volatile u32 *)0xfee003e0UL = 0xb;		/* divide by 1: 1 GHz */
	*(volatile u32 *)0xfee00320UL = 0x70;
	for (u64 i = 0; i < NAPS; i++) {
		*(volatile u32 *)0xfee00380UL = 30000;
		while (exc->count == i)
			asm volatile("sti; hlt; cli" : : : "memory");
	}
	g_ucall(UCALL_SYNC, exc->count, 0);
	g_done();
}

static long polled_in_naps(u64 control)
{
	struct vcpu *vcpu = vcpu_new(vm_with_irqchip(), 0);
	u64 addr = (u64)nap_handler;
	long before = polled();
	u64 *gate;

	vcpu_long(vcpu, guest_naps);
	gate = (u64 *)vm_ptr(vcpu->vm, GPA_IDT) + 2 * 0x70;
	gate[0] = (addr & 0xffff) | SEL_CODE64 << 16 | 0x8e00ULL << 32 |
		  (addr >> 16 & 0xffff) << 48;
	gate[1] = addr >> 32;
	if (vcpu_set_msr(vcpu, MSR_POLL_CONTROL, control) != 1)
		die("MSR_KVM_POLL_CONTROL");
	if (next(vcpu) != NAPS)
		die("naps");
	vm_free(vcpu->vm);
	return polled() - before;
}

/* A guest that polls itself is not polled for. */
TEST(poll_control_ends_polling)
{
	if (no_feature(F_POLL_CONTROL) || !dev_cap(KVM_CAP_IRQCHIP))
		SKIP(return, "no poll control, or no irqchip");
	if (polled() < 0)
		SKIP(return, "no counter");
	EXPECT_EQ(0, polled_in_naps(0));
	EXPECT_LT(0, polled_in_naps(1));
}

/* A HLT with interrupts off ends by a kick, be it before or after. */
TEST(kick_ends_halt)
{
	if (no_feature(F_UNHALT) || !dev_cap(KVM_CAP_IRQCHIP))
		SKIP(return, "no irqchip");
	for (int early = 0; early < 2; early++) {
		struct vm *vm = vm_with_irqchip();
		struct vcpu *a = vcpu_new(vm, 0), *b = vcpu_new(vm, 1);
		pthread_t thread;
		void *ret;

		vcpu_long(a, guest_calls);
		vcpu_long(b, guest_halts);
		enable_lapic(a);
		enable_lapic(b);
		set_runnable(b);
		if (early)
			EXPECT_EQ(0, call(a, HC_KICK, 0, 1, 0, 0));
		ASSERT_EQ(0, pthread_create(&thread, NULL, run_to_ucall, b));
		usleep(20000);
		if (!early) {
			EXPECT_EQ(0, call(a, HC_KICK, 0, 0, 0, 0));	/* not that one */
			usleep(20000);
			EXPECT_EQ(EBUSY, pthread_tryjoin_np(thread, &ret));
			EXPECT_EQ(0, call(a, HC_KICK, 0, 1, 0, 0));
		}
		pthread_join(thread, &ret);
		EXPECT_EQ(0x4a17, (u64)ret);
		vm_free(vm);
	}
}

/* What is new in the IRR of each vCPU, after one call. */
TEST(send_ipi)
{
	struct kvm_lapic_state lapic;
	struct vcpu *vcpus[4];
	struct vm *vm;

	if (no_feature(F_SEND_IPI) || !dev_cap(KVM_CAP_IRQCHIP))
		SKIP(return, "no irqchip");
	vm = vm_with_irqchip();
	for (int i = 0; i < 4; i++) {
		vcpus[i] = vcpu_new(vm, i);
		enable_lapic(vcpus[i]);
	}
	vcpu_long(vcpus[0], guest_calls);
	/* From APIC ID 1 on: 1 and 3. */
	EXPECT_EQ(2, call(vcpus[0], HC_SEND_IPI, 5, 0, 1, 0x41));
	/* The upper word begins 64 later, or 60 ids before those there are. */
	EXPECT_EQ(0, call(vcpus[0], HC_SEND_IPI, 0, 5, 1, 0x42));
	EXPECT_EQ(2, call(vcpus[0], HC_SEND_IPI, 0, 6, -63UL, 0x43));
	/* Shorthands and logical destinations make no sense. */
	EXPECT_EQ(-E_INVAL, call(vcpus[0], HC_SEND_IPI, 5, 0, 1, 0x44 | 1 << 11));
	EXPECT_EQ(-E_INVAL, call(vcpus[0], HC_SEND_IPI, 5, 0, 1, 0x44 | 1 << 18));
	for (int i = 1; i < 4; i++) {
		u32 irr;

		ASSERT_EQ(0, kioctlp(vcpus[i]->fd, KVM_GET_LAPIC, &lapic));
		irr = *(u32 *)&lapic.regs[0x220];
		EXPECT_EQ(i == 1 || i == 3 ? 2 : 0, irr & 2);
		EXPECT_EQ(0, irr & 4);
		EXPECT_EQ(i == 2 || i == 3 ? 8 : 0, irr & 8);
		EXPECT_EQ(0, irr & 16);
	}
	vm_free(vm);
}

/* ----------------------------------------------------------------------- gates */

static struct vcpu *enforced(u32 features)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args[0] = 1 };
	struct cpuid_buf buf;

	supported_cpuid(&buf);
	cpuid_find(&buf, 0x40000001, 0)->eax = features;
	if (kioctlp(vcpu->fd, KVM_SET_CPUID2, &buf.head) ||
	    kioctlp(vcpu->fd, KVM_ENABLE_CAP, &cap))
		die("CPUID");
	GUEST_VAR(vm, amd) = host_is_amd();
	return vcpu;
}

static GUEST_FN void guest_steal_msr(void)
{
	u64 val;

	g_ucall(UCALL_SYNC, (u64)(g_rdmsr(MSR_STEAL, &val) == -1) << 1 |
			    (g_wrmsr(MSR_STEAL, 0) == -1), 0);
}

TEST(cpuid_gates)
{
	struct vcpu *vcpu;

	if (dev_cap(KVM_CAP_ENFORCE_PV_FEATURE_CPUID) <= 0)
		SKIP(return, "no KVM_CAP_ENFORCE_PV_FEATURE_CPUID");
	vcpu = enforced(0);
	vcpu_long(vcpu, guest_calls);
	EXPECT_EQ(-E_NOSYS, call(vcpu, HC_KICK, 0, 0, 0, 0));
	EXPECT_EQ(-E_NOSYS, call(vcpu, HC_SEND_IPI, 1, 0, 0, 0x30));
	EXPECT_EQ(-E_NOSYS, call(vcpu, HC_YIELD, 0, 0, 0, 0));
	EXPECT_EQ(0, call(vcpu, HC_POLL_IRQ, 0, 0, 0, 0));
	vm_free(vcpu->vm);
	vcpu = enforced(1 << F_YIELD);
	vcpu_long(vcpu, guest_calls);
	EXPECT_EQ(0, call(vcpu, HC_YIELD, 0, 0, 0, 0));
	vm_free(vcpu->vm);

	vcpu = enforced(0);
	vcpu_long(vcpu, guest_steal_msr);
	EXPECT_EQ(0, next(vcpu));
	vm_free(vcpu->vm);
	vcpu = enforced(1 << F_STEAL);
	vcpu_long(vcpu, guest_steal_msr);
	EXPECT_EQ(3, next(vcpu));
	vm_free(vcpu->vm);
}

/* 1 from the start; only bit 0 can be written. */
static GUEST_FN void guest_poll_control(void)
{
	u64 before = -1, after = -1;

	g_rdmsr(MSR_POLL_CONTROL, &before);
	if (g_wrmsr(MSR_POLL_CONTROL, 0) != -1)
		after = -2;
	else
		g_rdmsr(MSR_POLL_CONTROL, &after);
	g_ucall(UCALL_SYNC, g_wrmsr(MSR_POLL_CONTROL, 2) == -1 ? -3 : before, after);
}

TEST(poll_control)
{
	struct vm *vm = vm_with_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0);
	struct ucall uc;

	if (no_feature(F_POLL_CONTROL))
		SKIP(return, "no KVM_FEATURE_POLL_CONTROL");
	vcpu_long(vcpu, guest_poll_control);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_EQ(1, uc.a);
	EXPECT_EQ(0, uc.b);
	vm_free(vm);
}

/* How long the host polls is the VMM's to bound, in 32 bits of ns. */
TEST(halt_poll_cap)
{
	struct vm *vm = vm_with_irqchip();

	if (dev_cap(KVM_CAP_HALT_POLL) <= 0)
		SKIP(return, "no KVM_CAP_HALT_POLL");
	EXPECT_EQ(0, vm_enable_cap(vm, KVM_CAP_HALT_POLL, 0));
	EXPECT_EQ(0, vm_enable_cap(vm, KVM_CAP_HALT_POLL, 0xffffffff));
	EXPECT_EQ(-EINVAL, vm_enable_cap(vm, KVM_CAP_HALT_POLL, 0x100000000));
	vm_free(vm);
}

/* What cannot work without a local APIC here is not shown to the guest, as QEMU would. */
TEST(cpuid_without_lapic)
{
	struct cpuid_buf buf;
	struct vcpu *vcpu;
	u32 eax;

	if (dev_is_stock())
		SKIP(return, "the stock module shows what it is told to");
	vcpu = vm_for(guest_idle);
	memset(&buf, 0, sizeof(buf));
	buf.head.nent = MAX_CPUID;
	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_GET_CPUID2, &buf.head));
	eax = cpuid_find(&buf, 0x40000001, 0)->eax;
	EXPECT_EQ(0, eax & (1 << F_UNHALT | 1 << F_SEND_IPI));
	EXPECT_NE(0, eax & 1 << F_STEAL);
	vm_free(vcpu->vm);
}

TEST_HARNESS_MAIN
