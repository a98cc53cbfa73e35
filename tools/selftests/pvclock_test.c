// SPDX-License-Identifier: GPL-2.0
/*
 * pvclock_test - kvmclock: the time that a guest reads from its memory
 *
 * Guards: what the guest computes is what KVM_GET_CLOCK says; the version protocol;
 * the stable bit exactly while all vCPUs and the host share a TSC, and all vCPUs' lines
 * the same then; KVM_SET_CLOCK in its forms; wall clock; KVM_KVMCLOCK_CTRL; a saved VM's
 * clock goes on in a new one; the dirty log; bad addresses; the gates of CPUID.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

#define MSR_WALL	0x11
#define MSR_SYSTEM	0x12
#define MSR_WALL_NEW	0x4b564d00
#define MSR_SYSTEM_NEW	0x4b564d01
#define MSR_TSC		0x10

#define FLAG_STABLE	1
#define FLAG_STOPPED	2
#define ENABLE		1UL

#define SECOND	1000000000ULL
#define CLOCKSOURCE	"/sys/devices/system/clocksource/clocksource0/current_clocksource"

struct time_info {
	u32 version, pad0;
	u64 tsc_timestamp, system_time;
	u32 mul;
	int8_t shift;
	u8 flags, pad[2];
};

struct wall_clock {
	u32 version, sec, nsec;
};

#define GPA_INFO(vcpu)	(GPA_DATA + PAGE_SIZE * (vcpu)->id + 64)
#define GPA_WALL	(GPA_DATA + 0x80000)

/* ------------------------------------------------------------------- guest */

__guest_inline u64 g_clock(const volatile struct time_info *p, u8 *flags)
{
	u32 version;
	u64 delta, ns;

	do {
		version = p->version;
		asm volatile("lfence" : : : "memory");
		delta = g_rdtsc() - p->tsc_timestamp;
		delta = p->shift < 0 ? delta >> -p->shift : delta << p->shift;
		ns = p->system_time + (u64)((__uint128_t)delta * p->mul >> 32);
		*flags = p->flags;
		asm volatile("lfence" : : : "memory");
	} while (version & 1 || version != p->version);
	return ns;
}

/* Its time and flags, again and again; where they are says the MSR. */
static GUEST_FN void guest_clock(void)
{
	for (;;) {
		u64 msr, now;
		u8 flags;

		g_rdmsr(MSR_SYSTEM_NEW, &msr);
		now = g_clock((void *)(msr & ~ENABLE), &flags);
		g_ucall(UCALL_SYNC, now, flags);
	}
}

/* A thousand readings in a row that never go back. */
static GUEST_FN void guest_monotone(void)
{
	u64 last = 0, msr;
	u8 flags;

	g_rdmsr(MSR_SYSTEM_NEW, &msr);
	for (;;) {
		for (int i = 0; i < 1000; i++) {
			u64 now = g_clock((void *)(msr & ~ENABLE), &flags);

			if (now < last)
				g_ucall(UCALL_FAIL, last, now);
			last = now;
		}
		g_ucall(UCALL_SYNC, last, flags);
	}
}

/* -------------------------------------------------------------------- host */

FIXTURE(pvclock) {
	struct vm *vm;
	struct vcpu *vcpu;
	struct time_info *info;
	bool host_tsc;
};

static bool host_clock_is(const char *name)
{
	char buf[32] = "";
	int fd = open(CLOCKSOURCE, O_RDONLY);

	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) < 0)
		die("%s", CLOCKSOURCE);
	close(fd);
	buf[strcspn(buf, "\n")] = 0;
	return !strcmp(buf, name);
}

static bool set_host_clock(const char *name)
{
	int fd = open(CLOCKSOURCE, O_WRONLY);
	bool done = fd >= 0 && write(fd, name, strlen(name)) > 0;

	close(fd);
	usleep(50000);		/* for whoever is told by a work item */
	return done && host_clock_is(name);
}

FIXTURE_SETUP(pvclock)
{
	if (dev_cap(KVM_CAP_ADJUST_CLOCK) <= 0)
		SKIP(return, "no KVM_CAP_ADJUST_CLOCK");
	self->host_tsc = host_clock_is("tsc");
	self->vcpu = vm_long(guest_clock);
	self->vm = self->vcpu->vm;
	self->info = vm_ptr(self->vm, GPA_INFO(self->vcpu));
	if (vcpu_set_msr(self->vcpu, MSR_SYSTEM_NEW, GPA_INFO(self->vcpu) | ENABLE) != 1)
		die("KVM_SYSTEM_TIME");
}

FIXTURE_TEARDOWN(pvclock)
{
	if (self->vm)
		vm_free(self->vm);
}

static u64 guest_time(struct vcpu *vcpu, u8 *flags)
{
	struct ucall uc = vcpu_ucall(vcpu);

	if (uc.cmd != UCALL_SYNC)
		die("ucall %u %#lx %#lx", uc.cmd, uc.a, uc.b);
	if (flags)
		*flags = uc.b;
	return uc.a;
}

static struct kvm_clock_data get_clock(struct vm *vm)
{
	struct kvm_clock_data data;

	memset(&data, 0xee, sizeof(data));
	if (kioctlp(vm->fd, KVM_GET_CLOCK, &data))
		die("KVM_GET_CLOCK");
	return data;
}

static int set_clock(struct vm *vm, u64 clock, u32 flags, u64 realtime)
{
	struct kvm_clock_data data = { .clock = clock, .flags = flags, .realtime = realtime };

	return kioctlp(vm->fd, KVM_SET_CLOCK, &data);
}

static u64 real_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static void restart(struct vcpu *vcpu, void *entry)
{
	vcpu_long(vcpu, entry);
}

static struct vcpu *second_vcpu(struct vm *vm, void *entry)
{
	struct vcpu *b = vcpu_new(vm, 1);

	vcpu_long(b, entry);
	if (vcpu_set_msr(b, MSR_SYSTEM_NEW, GPA_INFO(b) | ENABLE) != 1)
		die("KVM_SYSTEM_TIME");
	return b;
}

/* The guest's time is between two of KVM_GET_CLOCK, or nearly, if it may differ at all. */
#define EXPECT_GUEST_AGREES(vcpu, slack) do {				\
	u64 __before = get_clock((vcpu)->vm).clock;			\
	u64 __guest = guest_time(vcpu, NULL);				\
	u64 __after = get_clock((vcpu)->vm).clock;			\
	EXPECT_LE(__before, __guest + (slack));				\
	EXPECT_LE(__guest, __after + (slack));				\
} while (0)

/* ------------------------------------------------------------ the VM's clock */

TEST(capabilities)
{
	struct vm *vm;

	if (dev_cap(KVM_CAP_ADJUST_CLOCK) <= 0)
		SKIP(return, "no KVM_CAP_ADJUST_CLOCK");
	EXPECT_EQ(KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC,
		  dev_cap(KVM_CAP_ADJUST_CLOCK));
	EXPECT_EQ(1, dev_cap(KVM_CAP_CLOCKSOURCE));
	EXPECT_EQ(1, dev_cap(KVM_CAP_KVMCLOCK_CTRL));
	EXPECT_TRUE(cpuid_has(0x40000001, 0, 'a', 0));
	EXPECT_TRUE(cpuid_has(0x40000001, 0, 'a', 3));
	EXPECT_TRUE(cpuid_has(0x40000001, 0, 'a', 24));
	/* A new VM's clock starts with 0; without a vCPU there is no TSC to be stable. */
	vm = vm_bare();
	EXPECT_GT(10 * SECOND, get_clock(vm).clock);
	EXPECT_EQ(0, get_clock(vm).flags);
	vm_free(vm);
}

TEST_F(pvclock, clock_runs)
{
	u64 n0 = now_ns(), c0 = get_clock(self->vm).clock, c1, n1;

	usleep(100000);
	c1 = get_clock(self->vm).clock;
	n1 = now_ns();
	EXPECT_LE(100000000, c1 - c0);
	EXPECT_GE((n1 - n0) + (n1 - n0) / 100, c1 - c0);
}

TEST_F(pvclock, set_clock)
{
	static const u64 values[] = { 0, 1, SECOND, 1ULL << 40, 1ULL << 62 };
	struct kvm_clock_data data;

	guest_time(self->vcpu, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		u64 now;

		ASSERT_EQ(0, set_clock(self->vm, values[i], 0, 0));
		now = get_clock(self->vm).clock;
		EXPECT_LE(values[i], now);
		EXPECT_GT(values[i] + SECOND, now);
		EXPECT_GUEST_AGREES(self->vcpu, self->host_tsc ? 0 : SECOND / 1000);
	}
	EXPECT_EQ(-EINVAL, set_clock(self->vm, 0, 1, 0));
	EXPECT_EQ(-EINVAL, set_clock(self->vm, 0, 16, 0));
	EXPECT_EQ(-EINVAL, set_clock(self->vm, 0, 1U << 31, 0));
	EXPECT_LE(1ULL << 62, get_clock(self->vm).clock);
	/* What was got can be set. */
	data = get_clock(self->vm);
	EXPECT_EQ(0, kioctlp(self->vm->fd, KVM_SET_CLOCK, &data));
	EXPECT_EQ(-EFAULT, kioctl(self->vm->fd, KVM_SET_CLOCK, 8));
	EXPECT_EQ(-EFAULT, kioctl(self->vm->fd, KVM_GET_CLOCK, 8));
}

TEST_F(pvclock, set_clock_realtime)
{
	u64 now;

	/* It showed 5 s, 100 s ago. */
	ASSERT_EQ(0, set_clock(self->vm, 5 * SECOND, KVM_CLOCK_REALTIME, real_ns() - 100 * SECOND));
	now = get_clock(self->vm).clock;
	EXPECT_LE(105 * SECOND, now);
	EXPECT_GT(106 * SECOND, now);
	EXPECT_GUEST_AGREES(self->vcpu, self->host_tsc ? 0 : SECOND / 1000);
	/* From the future: as if that were now. */
	ASSERT_EQ(0, set_clock(self->vm, 5 * SECOND, KVM_CLOCK_REALTIME, real_ns() + 100 * SECOND));
	now = get_clock(self->vm).clock;
	EXPECT_LE(5 * SECOND, now);
	EXPECT_GT(6 * SECOND, now);
	/* Without the flag the field is nothing. */
	ASSERT_EQ(0, set_clock(self->vm, 5 * SECOND, 0, real_ns() - 100 * SECOND));
	EXPECT_GT(6 * SECOND, get_clock(self->vm).clock);
}

TEST_F(pvclock, flags_tell_the_moment)
{
	struct kvm_clock_data data;
	u64 t0, t1, r0, r1;

	if (!self->host_tsc)
		SKIP(return, "the host's clock is not the TSC");
	guest_time(self->vcpu, NULL);
	r0 = real_ns();
	t0 = host_tsc();
	data = get_clock(self->vm);
	t1 = host_tsc();
	r1 = real_ns();
	EXPECT_EQ(KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC, data.flags);
	EXPECT_LE(t0, data.host_tsc);
	EXPECT_GE(t1, data.host_tsc);
	EXPECT_LE(r0, data.realtime);
	EXPECT_GE(r1, data.realtime);
	EXPECT_EQ(0, data.pad0);
	for (size_t i = 0; i < ARRAY_SIZE(data.pad); i++)
		EXPECT_EQ(0, data.pad[i]);
}

/* -------------------------------------------------------------- guest's view */

TEST_F(pvclock, guest_agrees)
{
	for (int i = 0; i < 20; i++) {
		EXPECT_GUEST_AGREES(self->vcpu, self->host_tsc ? 0 : SECOND / 1000);
		usleep(3000);
	}
	EXPECT_EQ(0, self->info->version & 1);
	EXPECT_LT(0, self->info->version);
	EXPECT_EQ(0, self->info->pad0);
}

TEST_F(pvclock, version_counts)
{
	u32 old;

	self->info->version = 77;		/* as a kernel before may have left it */
	guest_time(self->vcpu, NULL);
	old = self->info->version;
	EXPECT_EQ(0, old & 1);
	EXPECT_LT(77, old);
	ASSERT_EQ(0, set_clock(self->vm, SECOND, 0, 0));
	guest_time(self->vcpu, NULL);
	EXPECT_LT(old, self->info->version);
	EXPECT_EQ(0, self->info->version & 1);
}

TEST_F(pvclock, old_msr_is_the_same_clock)
{
	u64 val;

	guest_time(self->vcpu, NULL);
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_SYSTEM, (GPA_INFO(self->vcpu) + 128) | ENABLE));
	ASSERT_EQ(1, vcpu_get_msr(self->vcpu, MSR_SYSTEM_NEW, &val));
	EXPECT_EQ((GPA_INFO(self->vcpu) + 128) | ENABLE, val);
	EXPECT_GUEST_AGREES(self->vcpu, SECOND / 1000);
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_WALL, GPA_WALL));
	ASSERT_EQ(1, vcpu_get_msr(self->vcpu, MSR_WALL_NEW, &val));
	EXPECT_EQ(GPA_WALL, val);
}

TEST_F(pvclock, disabled_means_quiet)
{
	struct time_info before;

	guest_time(self->vcpu, NULL);
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_SYSTEM_NEW, GPA_INFO(self->vcpu)));
	before = *self->info;
	ASSERT_EQ(0, set_clock(self->vm, 1ULL << 50, 0, 0));
	guest_time(self->vcpu, NULL);
	EXPECT_EQ(0, memcmp(&before, self->info, sizeof(before)));
	EXPECT_EQ(-EINVAL, kioctl(self->vcpu->fd, KVM_KVMCLOCK_CTRL, 0));
}

TEST_F(pvclock, wall_clock)
{
	volatile struct wall_clock *wc = vm_ptr(self->vm, GPA_WALL);
	u64 r0, r1, boot, clock;

	guest_time(self->vcpu, NULL);
	wc->version = 5;
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_WALL_NEW, GPA_WALL));
	r0 = real_ns();
	clock = get_clock(self->vm).clock;
	r1 = real_ns();
	EXPECT_EQ(0, wc->version & 1);
	EXPECT_LT(5, wc->version);
	EXPECT_GT(SECOND, wc->nsec);
	boot = wc->sec * SECOND + wc->nsec;
	EXPECT_LE(r0, boot + clock + SECOND / 1000);
	EXPECT_GE(r1 + SECOND / 1000, boot + clock);
	/* Nowhere, and at no aligned place. */
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_WALL_NEW, 0));
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_WALL_NEW, GPA_MMIO));
}

TEST_F(pvclock, guest_stopped)
{
	u8 flags;

	guest_time(self->vcpu, &flags);
	EXPECT_EQ(0, flags & FLAG_STOPPED);
	ASSERT_EQ(0, kioctl(self->vcpu->fd, KVM_KVMCLOCK_CTRL, 0));
	guest_time(self->vcpu, &flags);
	EXPECT_EQ(FLAG_STOPPED, flags & FLAG_STOPPED);
	/* It stays over an update; the guest takes it away. */
	ASSERT_EQ(0, set_clock(self->vm, SECOND, 0, 0));
	guest_time(self->vcpu, &flags);
	EXPECT_EQ(FLAG_STOPPED, flags & FLAG_STOPPED);
	self->info->flags &= ~FLAG_STOPPED;
	ASSERT_EQ(0, set_clock(self->vm, SECOND, 0, 0));
	guest_time(self->vcpu, &flags);
	EXPECT_EQ(0, flags & FLAG_STOPPED);
}

/* -------------------------------------------------------------- the stable bit */

TEST_F(pvclock, stable_across_vcpus)
{
	struct vcpu *b = second_vcpu(self->vm, guest_clock);
	struct time_info *info_b = vm_ptr(self->vm, GPA_INFO(b));
	u8 flags;
	u64 last = 0;

	if (!self->host_tsc)
		SKIP(return, "the host's clock is not the TSC");
	guest_time(self->vcpu, &flags);
	guest_time(b, NULL);
	for (int i = 0; i < 50; i++) {
		struct vcpu *vcpu = i & 1 ? b : self->vcpu;
		u64 now = guest_time(vcpu, &flags);

		ASSERT_EQ(FLAG_STABLE, flags);
		ASSERT_LT(last, now);
		last = now;
		if (i % 10 == 0)
			ASSERT_EQ(0, set_clock(self->vm, last + SECOND, 0, 0));
	}
	/* One line: the same point and the same slope. */
	guest_time(self->vcpu, NULL);
	EXPECT_EQ(self->info->tsc_timestamp, info_b->tsc_timestamp);
	EXPECT_EQ(self->info->system_time, info_b->system_time);
	EXPECT_EQ(self->info->mul, info_b->mul);
	EXPECT_EQ(self->info->shift, info_b->shift);
}

/* One vCPU's TSC goes its own way: no stable bit any more, but the right time for both. */
TEST_F(pvclock, tsc_apart)
{
	struct vcpu *b = second_vcpu(self->vm, guest_clock);
	u64 tsc;
	u8 flags;

	guest_time(self->vcpu, NULL);
	guest_time(b, NULL);
	ASSERT_EQ(1, vcpu_set_msr(b, MSR_TSC, 1ULL << 55));
	guest_time(b, &flags);
	EXPECT_EQ(0, flags);
	guest_time(self->vcpu, &flags);
	EXPECT_EQ(0, flags);
	EXPECT_EQ(0, get_clock(self->vm).flags);
	EXPECT_EQ(0, get_clock(self->vm).host_tsc);
	EXPECT_GUEST_AGREES(b, SECOND / 100);
	EXPECT_GUEST_AGREES(self->vcpu, SECOND / 100);
	/* Together again: a write near the last one's means the same. */
	ASSERT_EQ(1, vcpu_get_msr(b, MSR_TSC, &tsc));
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_TSC, tsc));
	guest_time(self->vcpu, &flags);
	EXPECT_EQ(self->host_tsc ? FLAG_STABLE : 0, flags);
	guest_time(b, &flags);
	EXPECT_EQ(self->host_tsc ? FLAG_STABLE : 0, flags);
	EXPECT_GUEST_AGREES(b, self->host_tsc ? 0 : SECOND / 100);
}

/* The host's clock becomes another, and the TSC again; the guest hardly sees it. */
TEST_F(pvclock, host_changes_clock)
{
	u64 before, now;
	u8 flags;

	if (!self->host_tsc)
		SKIP(return, "the host's clock is not the TSC");
	before = guest_time(self->vcpu, &flags);
	EXPECT_EQ(FLAG_STABLE, flags);
	if (!set_host_clock("hpet") && !set_host_clock("acpi_pm"))
		SKIP(return, "the host has no other clock");
	now = guest_time(self->vcpu, &flags);
	EXPECT_EQ(0, flags);
	EXPECT_LT(before, now);
	EXPECT_GT(before + 2 * SECOND, now);
	EXPECT_GUEST_AGREES(self->vcpu, SECOND / 100);
	EXPECT_EQ(0, get_clock(self->vm).flags);
	before = now;

	ASSERT_TRUE(set_host_clock("tsc"));
	/* The stock module takes the TSC again only when it is asked for something. */
	if (dev_is_stock())
		ASSERT_EQ(0, set_clock(self->vm, get_clock(self->vm).clock, 0, 0));
	now = guest_time(self->vcpu, &flags);
	EXPECT_EQ(FLAG_STABLE, flags);
	EXPECT_LT(before, now);
	EXPECT_GT(before + 2 * SECOND, now);
	EXPECT_GUEST_AGREES(self->vcpu, 0);
}

TEST_F(pvclock, monotone_on_each_cpu)
{
	restart(self->vcpu, guest_monotone);
	for (int i = 0; i < 60; i++) {
		if (i % 5 == 0)
			pin_cpu(i / 5 % host_cpus());
		guest_time(self->vcpu, NULL);
	}
}

static volatile bool stop;

static void *run_monotone(void *arg)
{
	struct vcpu *vcpu = arg;
	u64 n = 0;

	while (!stop) {
		struct ucall uc = vcpu_ucall(vcpu);

		if (uc.cmd != UCALL_SYNC)
			return (void *)-1UL;
		n++;
	}
	return (void *)n;
}

/* The clock is set forward under running vCPUs: none sees half a change, or goes back. */
TEST_F(pvclock, set_under_way)
{
	struct vcpu *b = second_vcpu(self->vm, guest_monotone);
	pthread_t ta, tb;
	void *a_ret, *b_ret;

	restart(self->vcpu, guest_monotone);
	stop = false;
	ASSERT_EQ(0, pthread_create(&ta, NULL, run_monotone, self->vcpu));
	ASSERT_EQ(0, pthread_create(&tb, NULL, run_monotone, b));
	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(0, set_clock(self->vm, get_clock(self->vm).clock + SECOND, 0, 0));
		usleep(500);
	}
	stop = true;
	pthread_join(ta, &a_ret);
	pthread_join(tb, &b_ret);
	EXPECT_NE(-1UL, (u64)a_ret);
	EXPECT_NE(-1UL, (u64)b_ret);
	EXPECT_NE(0, (u64)a_ret);
	EXPECT_NE(0, (u64)b_ret);
}

/* ------------------------------------------------------------------- the memory */

TEST_F(pvclock, is_in_the_dirty_log)
{
	u64 gpa = 0x40000000, bitmap = 0;
	struct kvm_dirty_log log = { .slot = 5, .dirty_bitmap = &bitmap };

	vm_add(self->vm, 5, KVM_MEM_LOG_DIRTY_PAGES, gpa, 8 * PAGE_SIZE);
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_WALL_NEW, gpa + 2 * PAGE_SIZE));
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_SYSTEM_NEW, (gpa + 3 * PAGE_SIZE) | ENABLE));
	guest_time(self->vcpu, NULL);
	ASSERT_EQ(0, kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, &log));
	EXPECT_EQ(0xc, bitmap);
	ASSERT_EQ(0, kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, &log));
	EXPECT_EQ(0, bitmap);
	ASSERT_EQ(0, set_clock(self->vm, SECOND, 0, 0));
	guest_time(self->vcpu, NULL);
	ASSERT_EQ(0, kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, &log));
	EXPECT_EQ(8, bitmap);
}

/* The VMM changes the memory behind the address: the next update is in the new. */
TEST_F(pvclock, slot_changes)
{
	u64 gpa = 0x40000000;
	struct time_info *info = vm_add(self->vm, 5, 0, gpa, PAGE_SIZE), *info2;

	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_SYSTEM_NEW, gpa | ENABLE));
	guest_time(self->vcpu, NULL);
	EXPECT_NE(0, info->version);
	ASSERT_EQ(0, vm_slot(self->vm, 5, 0, gpa, 0, info));
	info2 = vm_anon(PAGE_SIZE);
	ASSERT_EQ(0, vm_slot(self->vm, 5, 0, gpa, PAGE_SIZE, info2));
	memset(info, 0, sizeof(*info));
	ASSERT_EQ(0, set_clock(self->vm, SECOND, 0, 0));
	guest_time(self->vcpu, NULL);
	EXPECT_EQ(0, info->version);
	EXPECT_NE(0, info2->version);
	EXPECT_GUEST_AGREES(self->vcpu, SECOND / 100);
}

static GUEST_FN void guest_idle(void)
{
	for (;;)
		g_ucall(UCALL_SYNC, 0, 0);
}

TEST_F(pvclock, bad_addresses)
{
	static const u64 bad[] = {
		GPA_MMIO, 0xfffffffff000, -PAGE_SIZE, -64UL, GPA_DATA + 2,
		RAM_SIZE - 8, RAM_SIZE - 16,
	};
	const struct time_info *ro;

	restart(self->vcpu, guest_idle);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_SYSTEM_NEW, bad[i] | ENABLE));
		ASSERT_EQ(0, set_clock(self->vm, SECOND, 0, 0));
		guest_time(self->vcpu, NULL);
	}
	/* Read-only memory stays as it is. */
	ro = vm_add(self->vm, 5, KVM_MEM_READONLY, 0x40000000, PAGE_SIZE);
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_SYSTEM_NEW, 0x40000000 | ENABLE));
	guest_time(self->vcpu, NULL);
	EXPECT_EQ(0, ro->version);
	EXPECT_EQ(0, ro->system_time);
	/* Unmapped under the slot. */
	munmap((void *)ro, PAGE_SIZE);
	ASSERT_EQ(0, set_clock(self->vm, SECOND, 0, 0));
	guest_time(self->vcpu, NULL);
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_SYSTEM_NEW, GPA_INFO(self->vcpu) | ENABLE));
	restart(self->vcpu, guest_clock);
	EXPECT_GUEST_AGREES(self->vcpu, SECOND / 100);
}

/* ----------------------------------------------------------- save and restore */

/* As QEMU does it: clock and MSRs of the old VM, set in a new one; the guest goes on. */
TEST_F(pvclock, goes_on_in_a_new_vm)
{
	struct kvm_clock_data data;
	struct vcpu *b;
	struct vm *vm;
	u64 last, now, msr, wall, tsc;
	u8 flags;

	ASSERT_EQ(0, set_clock(self->vm, 1000 * SECOND, 0, 0));
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, MSR_WALL_NEW, GPA_WALL));
	last = guest_time(self->vcpu, NULL);
	data = get_clock(self->vm);
	ASSERT_EQ(1, vcpu_get_msr(self->vcpu, MSR_SYSTEM_NEW, &msr));
	ASSERT_EQ(1, vcpu_get_msr(self->vcpu, MSR_WALL_NEW, &wall));
	ASSERT_EQ(1, vcpu_get_msr(self->vcpu, MSR_TSC, &tsc));

	usleep(100000);
	b = vm_long(guest_clock);
	vm = b->vm;
	memcpy(vm_ptr(vm, GPA_DATA), vm_ptr(self->vm, GPA_DATA), RAM_SIZE - GPA_DATA);
	data.flags &= KVM_CLOCK_REALTIME;
	ASSERT_EQ(0, kioctlp(vm->fd, KVM_SET_CLOCK, &data));
	ASSERT_EQ(1, vcpu_set_msr(b, MSR_TSC, tsc));
	ASSERT_EQ(1, vcpu_set_msr(b, MSR_SYSTEM_NEW, msr));
	ASSERT_EQ(1, vcpu_set_msr(b, MSR_WALL_NEW, wall));
	now = guest_time(b, &flags);
	EXPECT_EQ(self->host_tsc ? FLAG_STABLE : 0, flags);
	EXPECT_LT(last, now);
	/* With the time of day, the gap counts as well. */
	if (data.flags & KVM_CLOCK_REALTIME)
		EXPECT_LE(last + 100000000, now);
	EXPECT_GT(last + 10 * SECOND, now);
	EXPECT_GUEST_AGREES(b, self->host_tsc ? 0 : SECOND / 1000);
	vm_free(vm);
}

/* ----------------------------------------------------------------------- gates */

static GUEST_FN void guest_msrs(void)
{
	static GUEST_DATA const u32 msrs[] = { MSR_WALL, MSR_SYSTEM, MSR_WALL_NEW, MSR_SYSTEM_NEW };
	u64 got = 0, val;

	for (int i = 0; i < 4; i++) {
		got |= (u64)(g_rdmsr(msrs[i], &val) == -1) << i;
		got |= (u64)(g_wrmsr(msrs[i], 0) == -1) << (8 + i);
	}
	g_ucall(UCALL_SYNC, got, 0);
}

static u64 what_guest_may(u32 features, bool enforce)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args[0] = 1 };
	struct cpuid_buf buf;
	u64 r;

	supported_cpuid(&buf);
	cpuid_find(&buf, 0x40000001, 0)->eax = features;
	if (kioctlp(vcpu->fd, KVM_SET_CPUID2, &buf.head))
		die("KVM_SET_CPUID2");
	if (enforce && kioctlp(vcpu->fd, KVM_ENABLE_CAP, &cap))
		die("KVM_ENABLE_CAP");
	vcpu_long(vcpu, guest_msrs);
	r = guest_time(vcpu, NULL);
	vm_free(vm);
	return r;
}

TEST(cpuid_gates_msrs)
{
	if (dev_cap(KVM_CAP_ENFORCE_PV_FEATURE_CPUID) <= 0)
		SKIP(return, "no KVM_CAP_ENFORCE_PV_FEATURE_CPUID");
	EXPECT_EQ(0xf0f, what_guest_may(0, false));
	EXPECT_EQ(0x000, what_guest_may(0, true));
	EXPECT_EQ(0x303, what_guest_may(1 << 0, true));
	EXPECT_EQ(0xc0c, what_guest_may(1 << 3, true));
	EXPECT_EQ(0xf0f, what_guest_may(1 << 0 | 1 << 3, true));
}

TEST_F(pvclock, enable_cap)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID };

	EXPECT_EQ(0, kioctlp(self->vcpu->fd, KVM_ENABLE_CAP, &cap));
	cap.flags = 1;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_ENABLE_CAP, &cap));
	cap.flags = 0;
	cap.cap = 9999;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_ENABLE_CAP, &cap));
	EXPECT_EQ(-EFAULT, kioctl(self->vcpu->fd, KVM_ENABLE_CAP, 8));
}

TEST_HARNESS_MAIN
