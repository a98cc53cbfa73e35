// SPDX-License-Identifier: GPL-2.0
/*
 * badinput_test - garbage, in bulk
 *
 * Guards: no call with any argument may oops, hang, warn or leak; after it all
 * the module makes new VMs that work.  The generator is seeded (BADINPUT_SEED, a
 * number, chooses another) and the seed is printed, so a finding repeats.
 */
#include <kselftest_harness.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "minikvm_util.h"

static u64 seed;

static u32 rnd(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return seed >> 32;
}

static u64 rnd64(void)
{
	return (u64)rnd() << 32 | rnd();
}

static void start_seed(struct __test_metadata *_metadata)
{
	const char *s = getenv("BADINPUT_SEED");

	seed = s ? strtoull(s, NULL, 0) : 20261122;
	TH_LOG("seed %lu", seed);
}

/* Interrupt whatever runs too long, again and again. */
static void metronome(int us)
{
	struct itimerval it = {
		.it_interval = { .tv_usec = us }, .it_value = { .tv_usec = us },
	};

	alarm_handler();
	setitimer(ITIMER_REAL, &it, NULL);
}

ASM_GUEST(busy, "1: mov $0x80, %edx; out %al, %dx; cpuid; mov 0xd0000000, %eax\n"
	  "in %dx, %al; mov $0x10, %ecx; rdmsr; jmp 1b\n");

/* A fresh VM does its work: the sign that the module is whole. */
ASM_GUEST(still_fine, "mov $0x600d, %edi\n" ASM_DONE);

static void check_alive(struct __test_metadata *_metadata)
{
	struct vcpu *vcpu = vm_long(still_fine);
	struct ucall uc = vcpu_ucall(vcpu);

	EXPECT_EQ(UCALL_DONE, uc.cmd);
	EXPECT_EQ(0x600d, uc.a);
	vm_free(vcpu->vm);
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* ----------------------------------------------------- any number, any argument */

static u8 *garbage;			/* 64 KiB, then an unmapped page */
#define GARBAGE_SIZE 65536

static unsigned long any_arg(void)
{
	for (int i = 0; i < 64; i++) {
		u32 at = rnd() % (GARBAGE_SIZE - 8);

		*(u64 *)(garbage + at) = rnd64() >> (rnd() % 64);
	}
	switch (rnd() % 10) {
	case 0:
		return rnd() % 300;
	case 1:
		return rnd64();
	case 2:
		return (unsigned long)garbage + GARBAGE_SIZE - rnd() % 128;
	case 3:
		return 0xffff888000000000 + rnd() % 65536 * 8;
	case 4:
		return -(unsigned long)(rnd() % 4096);
	case 5:
		memset(garbage, rnd() % 3 ? 0 : 0xff, 4096);
		return (unsigned long)garbage;
	default:
		return (unsigned long)garbage + rnd() % 64 * 8;
	}
}

/* Calls that would fill memory or that change the process itself. */
static bool skip(unsigned long req)
{
	u32 nr = _IOC_NR(req);

	return nr == _IOC_NR(KVM_SET_SIGNAL_MASK) || nr == _IOC_NR(KVM_SET_NR_MMU_PAGES);
}

static unsigned long any_req(void)
{
	static const unsigned long known[] = {
		KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_GET_MSR_INDEX_LIST,
		KVM_CHECK_EXTENSION, KVM_GET_VCPU_MMAP_SIZE,
		KVM_GET_SUPPORTED_CPUID, KVM_GET_EMULATED_CPUID,
		KVM_GET_MSR_FEATURE_INDEX_LIST, KVM_CREATE_VCPU,
		KVM_GET_DIRTY_LOG, KVM_SET_USER_MEMORY_REGION,
		KVM_SET_TSS_ADDR, KVM_SET_IDENTITY_MAP_ADDR, KVM_CREATE_IRQCHIP,
		KVM_IRQ_LINE, KVM_GET_IRQCHIP, KVM_SET_IRQCHIP, KVM_CREATE_PIT2,
		KVM_REGISTER_COALESCED_MMIO, KVM_SET_GSI_ROUTING, KVM_IRQFD,
		KVM_IOEVENTFD, KVM_SET_BOOT_CPU_ID, KVM_SET_CLOCK,
		KVM_GET_CLOCK, KVM_RUN, KVM_GET_REGS, KVM_SET_REGS,
		KVM_GET_SREGS, KVM_SET_SREGS, KVM_TRANSLATE, KVM_INTERRUPT,
		KVM_GET_MSRS, KVM_SET_MSRS, KVM_SET_CPUID, KVM_GET_FPU,
		KVM_SET_FPU, KVM_GET_LAPIC, KVM_SET_LAPIC, KVM_SET_CPUID2,
		KVM_GET_CPUID2, KVM_SET_VAPIC_ADDR, KVM_GET_MP_STATE,
		KVM_SET_MP_STATE, KVM_NMI, KVM_SET_GUEST_DEBUG,
		KVM_X86_SETUP_MCE, KVM_X86_SET_MCE, KVM_GET_VCPU_EVENTS,
		KVM_SET_VCPU_EVENTS, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS,
		KVM_SET_TSC_KHZ, KVM_GET_TSC_KHZ, KVM_GET_XSAVE, KVM_SET_XSAVE,
		KVM_GET_XSAVE2, KVM_GET_XCRS, KVM_SET_XCRS, KVM_ENABLE_CAP,
		KVM_SIGNAL_MSI, KVM_KVMCLOCK_CTRL, KVM_CREATE_DEVICE,
		KVM_SET_DEVICE_ATTR, KVM_GET_DEVICE_ATTR, KVM_HAS_DEVICE_ATTR,
		KVM_SMI, KVM_CLEAR_DIRTY_LOG, KVM_X86_SET_MSR_FILTER,
		KVM_GET_STATS_FD, KVM_GET_SREGS2, KVM_SET_SREGS2,
		KVM_GET_NESTED_STATE, KVM_SET_NESTED_STATE,
		KVM_MEMORY_ENCRYPT_OP, KVM_SET_PMU_EVENT_FILTER,
	};

	if (rnd() % 8 == 0)
		return _IOC(rnd() % 4, rnd() % 9 ? KVMIO : rnd() % 256, rnd() % 256,
			    rnd() % 3 ? rnd() % 1024 : 0);
	return known[rnd() % ARRAY_SIZE(known)];
}

TEST(any_ioctl_any_argument)
{
	struct rlimit lim = { 600, 600 };
	struct vm *vm;
	struct vcpu *vcpu;
	int fds[3], before;

	start_seed(_metadata);
	setrlimit(RLIMIT_NOFILE, &lim);
	log_mark();
	garbage = vm_anon(GARBAGE_SIZE + PAGE_SIZE);
	munmap(garbage + GARBAGE_SIZE, PAGE_SIZE);
	metronome(3000);
	for (int vms = 0; vms < 4; vms++) {
		before = open_fds();
		vcpu = vm_long(busy);
		vm = vcpu->vm;
		fds[0] = dev_open();
		fds[1] = vm->fd;
		fds[2] = vcpu->fd;
		for (int i = 0; i < 1200; i++) {
			unsigned long req = any_req();
			int ret;

			if (skip(req))
				continue;
			ret = kioctl(fds[rnd() % 3], req, any_arg());
			/* What made an fd is closed again. */
			if (ret > 2 && (req == KVM_CREATE_VM || req == KVM_CREATE_VCPU ||
					req == KVM_GET_STATS_FD) &&
			    ret != fds[0] && ret != fds[1] && ret != fds[2])
				close(ret);
		}
		close(fds[0]);
		vm_free(vm);
		/* Nothing that failed left an fd behind. */
		EXPECT_EQ(before, open_fds());
	}
	metronome(0);
	EXPECT_FALSE(log_has_warning());
	check_alive(_metadata);
}

/* ----------------------------------------------- good state with a few bits off */

static const struct state_call {
	const char *name;
	unsigned long get, set;
	u32 size;
} states[] = {
	{ "REGS", KVM_GET_REGS, KVM_SET_REGS, sizeof(struct kvm_regs) },
	{ "SREGS", KVM_GET_SREGS, KVM_SET_SREGS, sizeof(struct kvm_sregs) },
	{ "SREGS2", KVM_GET_SREGS2, KVM_SET_SREGS2, sizeof(struct kvm_sregs2) },
	{ "EVENTS", KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, sizeof(struct kvm_vcpu_events) },
	{ "DEBUGREGS", KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs) },
	{ "XCRS", KVM_GET_XCRS, KVM_SET_XCRS, sizeof(struct kvm_xcrs) },
	{ "XSAVE", KVM_GET_XSAVE, KVM_SET_XSAVE, 1024 },
	{ "FPU", KVM_GET_FPU, KVM_SET_FPU, sizeof(struct kvm_fpu) },
	{ "MP_STATE", KVM_GET_MP_STATE, KVM_SET_MP_STATE, sizeof(struct kvm_mp_state) },
};

/*
 * Set it, and run: into an exit, or an errno.  What a VMM asked for may be
 * absurd; the answer must come, and the vCPU must be recoverable.
 */
TEST(state_with_bits_flipped)
{
	static u8 buf[8192];
	struct vcpu *vcpu;
	int taken = 0, ran = 0;

	start_seed(_metadata);
	log_mark();
	metronome(1500);
	vcpu = vm_long(busy);
	for (int i = 0; i < 1600; i++) {
		const struct state_call *s = &states[rnd() % ARRAY_SIZE(states)];
		u32 flips = 1 + rnd() % 3;

		if (i % 80 == 0) {
			vm_free(vcpu->vm);
			vcpu = vm_long(busy);
		}
		if (kioctlp(vcpu->fd, s->get, buf))
			continue;
		while (flips--) {
			u32 bit = rnd() % (s->size * 8);

			buf[bit / 8] ^= 1 << bit % 8;
		}
		if (kioctlp(vcpu->fd, s->set, buf))
			continue;
		taken++;
		for (int n = 0; n < 3; n++) {
			int ret = vcpu_run(vcpu);

			if (ret && ret != -EINTR && ret != -EINVAL && ret != -EFAULT)
				TH_LOG("%s: KVM_RUN gave %d", s->name, ret);
			if (ret)
				break;
			ran++;
			EXPECT_NE(KVM_EXIT_UNKNOWN, vcpu->run->exit_reason)
				TH_LOG("%s", s->name);
		}
		/* Calls answer whatever state it is in. */
		ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_GET_REGS, buf));
	}
	metronome(0);
	vm_free(vcpu->vm);
	EXPECT_LT(200, taken);
	EXPECT_LT(200, ran);
	EXPECT_FALSE(log_has_warning());
	check_alive(_metadata);
}

/* --------------------------------------------------------------- random guests */

/* Guests of random bytes, in three modes, over their own page tables. */
TEST(random_code)
{
	int reasons[64] = { 0 };
	struct vcpu *vcpu;
	struct vm *vm;

	start_seed(_metadata);
	log_mark();
	metronome(1000);
	for (int i = 0; i < 150; i++) {
		int ret = 0;

		if (i % 25 == 0) {
			if (i)
				vm_free(vm);
			vm = vm_new();
			vcpu = vcpu_new(vm, 0);
		}
		for (u32 k = 0; k < 512; k += 4)
			*(u32 *)vm_ptr(vm, GPA_CODE + k) = rnd();
		switch (rnd() % 3) {
		case 0:
			vcpu_long(vcpu, (void *)GPA_CODE);
			break;
		case 1:
			vcpu_prot32(vcpu, GPA_CODE);
			break;
		case 2:
			vcpu_real(vcpu, GPA_CODE >> 4, 0);
			break;
		}
		for (int n = 0; n < 20 && !ret; n++) {
			ret = vcpu_run(vcpu);
			if (!ret)
				reasons[vcpu->run->exit_reason % 64]++;
		}
		EXPECT_TRUE(ret == 0 || ret == -EINTR)
			TH_LOG("KVM_RUN gave %d", ret);
	}
	metronome(0);
	vm_free(vm);
	EXPECT_EQ(0, reasons[KVM_EXIT_UNKNOWN]);
	EXPECT_EQ(0, reasons[KVM_EXIT_EXCEPTION]);
	EXPECT_FALSE(log_has_warning());
	check_alive(_metadata);
}

/* ------------------------------------------------ kvm_run scribbled over */

struct scribbler {
	struct vcpu *vcpu;
	volatile bool stop;
};

static void *scribble(void *arg)
{
	struct scribbler *s = arg;
	volatile u8 *p = (u8 *)s->vcpu->run;
	u64 x = 99;

	while (!s->stop) {
		for (int i = 0; i < 200; i++) {
			x = x * 6364136223846793005ULL + 1442695040888963407ULL;
			p[(x >> 33) % s->vcpu->run_size] = x >> 56;
			/* The exit's own union most of all. */
			p[32 + (x >> 40) % 64] = x >> 50;
		}
		usleep(50);
	}
	return NULL;
}

/* The shared page changes under KVM_RUN: the kernel must not trust it twice. */
TEST(kvm_run_scribbled)
{
	struct scribbler s = { .vcpu = vm_long(busy) };
	pthread_t t;

	start_seed(_metadata);
	log_mark();
	metronome(2000);
	pthread_create(&t, NULL, scribble, &s);
	for (int i = 0; i < 3000; i++) {
		int ret = vcpu_run(s.vcpu);

		if (ret)
			*(volatile u64 *)s.vcpu->run = 0;
		s.vcpu->run->kvm_valid_regs = i & 7;
		s.vcpu->run->kvm_dirty_regs = 0;
	}
	s.stop = true;
	metronome(0);
	pthread_join(t, NULL);
	vm_free(s.vcpu->vm);
	EXPECT_FALSE(log_has_warning());
	check_alive(_metadata);
}

/* --------------------------------------------------------------- CPUID, MSRs */

TEST(random_cpuid_and_msrs)
{
	static struct {
		struct kvm_msrs head;
		struct kvm_msr_entry e[255];
	} m;
	struct cpuid_buf c;

	start_seed(_metadata);
	log_mark();
	metronome(2000);
	for (int i = 0; i < 25; i++) {
		struct vm *vm = vm_new();
		struct vcpu *vcpu = vcpu_bare(vm, 0);

		supported_cpuid(&c);
		for (u32 k = 0; k < 30; k++)
			(&c.e[rnd() % c.head.nent].function)[rnd() % 7] ^= 1u << rnd() % 32;
		kioctlp(vcpu->fd, KVM_SET_CPUID2, &c);
		m.head.nmsrs = 1;
		for (int k = 0; k < 150; k++) {
			static const u32 bases[] = {
				0, 0x10, 0x170, 0x200, 0x250, 0x400, 0x480, 0x800,
				0xc0000080, 0xc0000100, 0xc0010000, 0x4b564d00, 0x40000000,
			};

			m.e[0].index = bases[rnd() % ARRAY_SIZE(bases)] + rnd() % 64;
			m.e[0].data = rnd64() >> rnd() % 64;
			kioctlp(vcpu->fd, KVM_SET_MSRS, &m);
		}
		/* Long mode may be impossible now; real mode is not. */
		vcpu_real(vcpu, GPA_CODE >> 4, 0);
		*(u32 *)vm_ptr(vm, GPA_CODE) = 0xfceba20f;	/* cpuid; jmp */
		EXPECT_EQ(-EINTR, vcpu_run(vcpu));
		vm_free(vm);
	}
	metronome(0);
	EXPECT_FALSE(log_has_warning());
	check_alive(_metadata);
}

TEST_HARNESS_MAIN
