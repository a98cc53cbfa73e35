// SPDX-License-Identifier: GPL-2.0
/*
 * tsc_test - the guest's time-stamp counter
 *
 * Guards: the guest's TSC is the host's plus an offset that the VMM controls;
 * writes of TSC and TSC_ADJUST by host and guest act as the SDM and QEMU expect;
 * the counter never goes back, also when the vCPU changes host CPU.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

#define MSR_TSC		0x10
#define MSR_ADJUST	0x3b

/* How far two readings around a set of calls may lie apart: 2 s at 5 GHz. */
#define SLACK	10000000000ULL

static GUEST_FN void guest_tsc(void)
{
	for (;;) {
		u64 adjust;

		g_rdmsr(MSR_ADJUST, &adjust);
		g_ucall(UCALL_SYNC, g_rdtsc(), adjust);
	}
}

FIXTURE(tsc) {
	struct vm *vm;
	struct vcpu *vcpu;
};

FIXTURE_SETUP(tsc)
{
	self->vcpu = vm_long(guest_tsc);
	self->vm = self->vcpu->vm;
}

FIXTURE_TEARDOWN(tsc)
{
	vm_free(self->vm);
}

static u64 read_tsc(struct vcpu *vcpu, u64 *adjust)
{
	struct ucall uc = vcpu_ucall(vcpu);

	if (uc.cmd != UCALL_SYNC)
		die("ucall %u", uc.cmd);
	if (adjust)
		*adjust = uc.b;
	return uc.a;
}

#define EXPECT_NEAR(want, got) do {					\
	u64 __w = (want), __g = (got);					\
	EXPECT_LE(__w, __g);						\
	EXPECT_GT(__w + SLACK, __g);					\
} while (0)

/* --------------------------------------------------------------- frequency */

TEST_F(tsc, khz)
{
	int khz = kioctl(self->vcpu->fd, KVM_GET_TSC_KHZ, 0);

	ASSERT_LT(1000, khz);
	EXPECT_EQ(0, kioctl(self->vcpu->fd, KVM_SET_TSC_KHZ, khz));
	EXPECT_EQ(khz, kioctl(self->vcpu->fd, KVM_GET_TSC_KHZ, 0));
	EXPECT_EQ(0, kioctl(self->vcpu->fd, KVM_SET_TSC_KHZ, 0));	/* the host's */
	EXPECT_EQ(khz, kioctl(self->vcpu->fd, KVM_GET_TSC_KHZ, 0));
	/* Slower than the host needs hardware's help. */
	if (!dev_cap(KVM_CAP_TSC_CONTROL)) {
		EXPECT_GT(0, kioctl(self->vcpu->fd, KVM_SET_TSC_KHZ, khz / 2));
		/* The stock module remembers what it refused. */
		if (!dev_is_stock())
			EXPECT_EQ(khz, kioctl(self->vcpu->fd, KVM_GET_TSC_KHZ, 0));
	}
}

/* What the guest counts in a tenth of a second agrees with the frequency. */
TEST_F(tsc, runs_at_khz)
{
	int khz = kioctl(self->vcpu->fd, KVM_GET_TSC_KHZ, 0);
	u64 t0, t1, n0, n1;

	read_tsc(self->vcpu, NULL);
	n0 = now_ns();
	t0 = read_tsc(self->vcpu, NULL);
	usleep(100000);
	t1 = read_tsc(self->vcpu, NULL);
	n1 = now_ns();
	/* Within one part in ten, for a virtual host. */
	EXPECT_LT((n1 - n0) * khz / 1000000 * 9 / 10, t1 - t0);
	EXPECT_GT((n1 - n0) * khz / 1000000 * 11 / 10, t1 - t0);
}

TEST_F(tsc, never_goes_back)
{
	u64 last = 0;

	for (int i = 0; i < 60; i++) {
		u64 now;

		if (i % 10 == 0)
			pin_cpu(i / 10 % host_cpus());
		now = read_tsc(self->vcpu, NULL);
		ASSERT_LT(last, now);
		last = now;
	}
}

/* ------------------------------------------------------------------- offset */

TEST_F(tsc, offset_attribute)
{
	u64 offset = 0, before, after, guest;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET,
		.addr = (u64)&offset,
	};

	EXPECT_EQ(0, kioctlp(self->vcpu->fd, KVM_HAS_DEVICE_ATTR, &attr));
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_DEVICE_ATTR, &attr));
	before = host_tsc();
	guest = read_tsc(self->vcpu, NULL);
	after = host_tsc();
	EXPECT_LE(before + offset, guest);
	EXPECT_GE(after + offset, guest);
	for (int i = 0; i < 3; i++) {
		offset = i == 0 ? 0 : i == 1 ? 1000000000000ULL : -host_tsc();
		ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_DEVICE_ATTR, &attr));
		before = host_tsc();
		guest = read_tsc(self->vcpu, NULL);
		after = host_tsc();
		EXPECT_LE(before + offset, guest);
		EXPECT_GE(after + offset, guest);
	}
	attr.attr = 77;
	EXPECT_EQ(-ENXIO, kioctlp(self->vcpu->fd, KVM_HAS_DEVICE_ATTR, &attr));
	EXPECT_EQ(-ENXIO, kioctlp(self->vcpu->fd, KVM_GET_DEVICE_ATTR, &attr));
	EXPECT_EQ(-ENXIO, kioctlp(self->vcpu->fd, KVM_SET_DEVICE_ATTR, &attr));
	attr.attr = KVM_VCPU_TSC_OFFSET;
	attr.addr = 8;
	EXPECT_EQ(-EFAULT, kioctlp(self->vcpu->fd, KVM_GET_DEVICE_ATTR, &attr));
	EXPECT_EQ(-EFAULT, kioctlp(self->vcpu->fd, KVM_SET_DEVICE_ATTR, &attr));
	attr.group = 9;
	EXPECT_EQ(-ENXIO, kioctlp(self->vcpu->fd, KVM_HAS_DEVICE_ATTR, &attr));
}

/* -------------------------------------------------------- TSC and TSC_ADJUST */

TEST_F(tsc, vmm_writes_tsc)
{
	u64 adjust, val;

	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_TSC, 1ULL << 50));
	EXPECT_NEAR(1ULL << 50, read_tsc(self->vcpu, &adjust));
	EXPECT_EQ(0, adjust);			/* the VMM's writes leave no trace */
	EXPECT_EQ(1, vcpu_get_msr(self->vcpu, MSR_TSC, &val));
	EXPECT_NEAR(1ULL << 50, val);
	/* Back in time, too. */
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_TSC, 1ULL << 45));
	EXPECT_NEAR(1ULL << 45, read_tsc(self->vcpu, NULL));
}

TEST_F(tsc, vmm_writes_adjust)
{
	u64 adjust, val;

	if (!cpuid_has(7, 0, 'b', 1))
		SKIP(return, "no TSC_ADJUST in the guest's CPUID");
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_TSC, 1ULL << 50));
	/* It is state to carry, not an order: the TSC stays. */
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_ADJUST, 1ULL << 40));
	EXPECT_EQ(1, vcpu_get_msr(self->vcpu, MSR_ADJUST, &val));
	EXPECT_EQ(1ULL << 40, val);
	EXPECT_NEAR(1ULL << 50, read_tsc(self->vcpu, &adjust));
	EXPECT_EQ(1ULL << 40, adjust);
}

static GUEST_FN void guest_writes(void)
{
	u64 val;

	G_ASSERT(g_wrmsr(MSR_ADJUST, 1UL << 40) == -1, 1);
	G_ASSERT(g_rdtsc() >= 1UL << 50, 2);
	g_ucall(UCALL_SYNC, g_rdtsc(), 0);
	G_ASSERT(g_wrmsr(MSR_TSC, 1UL << 52) == -1, 3);
	G_ASSERT(g_rdmsr(MSR_ADJUST, &val) == -1, 4);
	g_ucall(UCALL_SYNC, g_rdtsc(), val);
	G_ASSERT(g_rdmsr(MSR_TSC, &val) == -1, 5);
	G_ASSERT(g_rdtsc() >= val, 6);
	g_done();
}

/* On the CPU the two are tied: a write of one moves the other by as much. */
TEST_F(tsc, guest_writes)
{
	struct ucall uc;
	u64 tsc;

	if (!cpuid_has(7, 0, 'b', 1))
		SKIP(return, "no TSC_ADJUST in the guest's CPUID");
	vcpu_long(self->vcpu, guest_writes);
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_TSC, 1ULL << 50));
	uc = vcpu_ucall(self->vcpu);
	ASSERT_EQ(UCALL_SYNC, uc.cmd)
		TH_LOG("line %lu, value %lu", uc.a, uc.b);
	EXPECT_NEAR((1ULL << 50) + (1ULL << 40), uc.a);
	tsc = uc.a;
	uc = vcpu_ucall(self->vcpu);
	ASSERT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_NEAR(1ULL << 52, uc.a);
	/* From about tsc to 2^52. */
	EXPECT_GE((1ULL << 40) + (1ULL << 52) - tsc, uc.b);
	EXPECT_LT((1ULL << 40) + (1ULL << 52) - tsc - SLACK, uc.b);
	uc = vcpu_ucall(self->vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd)
		TH_LOG("line %lu, value %lu", uc.a, uc.b);
}

/* Two vCPUs that are told the same value by a VMM start in step. */
TEST_F(tsc, vcpus_in_step)
{
	struct vcpu *b = vcpu_new(self->vm, 1);
	u64 a1, b1, a2;

	vcpu_long(b, guest_tsc);
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_TSC, 0));
	ASSERT_EQ(1, vcpu_set_msr(b, MSR_TSC, 0));
	read_tsc(self->vcpu, NULL);
	read_tsc(b, NULL);
	a1 = read_tsc(self->vcpu, NULL);
	b1 = read_tsc(b, NULL);
	a2 = read_tsc(self->vcpu, NULL);
	EXPECT_LT(a1, b1);
	EXPECT_LT(b1, a2);
}

TEST_HARNESS_MAIN
