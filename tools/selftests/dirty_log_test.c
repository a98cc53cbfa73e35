// SPDX-License-Identifier: GPL-2.0
/*
 * dirty_log_test - which pages a guest wrote
 *
 * Guards: every write is in the log, by the CPU and by the emulator; a read is
 * not; a page read out is clean until it is written again; switching the flag on
 * a live slot works; and under concurrent writes nothing is lost: a copy kept up
 * by the log alone, as migration does, ends up equal.
 */
#include <kselftest_harness.h>

#include "emulated_writes.h"
#include "minikvm_util.h"

#define HI	0x40000000UL
#define PAGES	200
#define SLOT	5
#define LOG	KVM_MEM_LOG_DIRTY_PAGES

FIXTURE(log) {
	struct vm *vm;
	struct vcpu *vcpu;
	u8 *mem;
	u64 bitmap[(PAGES + 63) / 64];
};

/* Write, or read, the page whose address is in RDI; report. */
ASM_GUEST(touch, "1: test %rsi, %rsi; jz 2f\n"
	  "incq (%rdi); jmp 3f\n"
	  "2: mov (%rdi), %rbx\n"
	  "3: mov $0x3e8, %edx; mov $2, %eax; out %eax, %dx; jmp 1b\n");

FIXTURE_SETUP(log)
{
	self->vcpu = vm_long(touch);
	self->vm = self->vcpu->vm;
	self->mem = vm_add(self->vm, SLOT, LOG, HI, PAGES * PAGE_SIZE);
}

FIXTURE_TEARDOWN(log)
{
	vm_free(self->vm);
}

static void guest_touch(struct vcpu *vcpu, u64 page, bool write)
{
	struct kvm_regs r;

	vcpu_regs(vcpu, &r);
	r.rdi = HI + page * PAGE_SIZE + 8 * (page & 7);
	r.rsi = write;
	vcpu_set_regs(vcpu, &r);
	if (vcpu_ucall(vcpu).cmd != UCALL_SYNC)
		die("page %lu", page);
}

static int get_log(struct vm *vm, u32 slot, void *bitmap)
{
	struct kvm_dirty_log l = { .slot = slot, .dirty_bitmap = bitmap };

	return kioctlp(vm->fd, KVM_GET_DIRTY_LOG, &l);
}

static int count_log(struct _test_data_log *self)
{
	int n = 0;

	memset(self->bitmap, 0xff, sizeof(self->bitmap));
	if (get_log(self->vm, SLOT, self->bitmap))
		die("KVM_GET_DIRTY_LOG");
	for (size_t i = 0; i < ARRAY_SIZE(self->bitmap); i++)
		n += __builtin_popcountll(self->bitmap[i]);
	return n;
}

static bool dirty(struct _test_data_log *self, u64 page)
{
	return self->bitmap[page / 64] >> (page % 64) & 1;
}

TEST_F(log, bad_calls)
{
	EXPECT_EQ(-ENOENT, get_log(self->vm, 9, self->bitmap));	/* no slot */
	EXPECT_EQ(-ENOENT, get_log(self->vm, 0, self->bitmap));	/* no log */
	EXPECT_EQ(-EINVAL, get_log(self->vm, 0x7fff, self->bitmap));
	EXPECT_EQ(-EINVAL, get_log(self->vm, 0xffff << 16, self->bitmap));
	EXPECT_EQ(-EFAULT, get_log(self->vm, SLOT, (void *)8));
	EXPECT_EQ(-EFAULT, kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, 8));
}

TEST_F(log, writes_and_reads)
{
	count_log(self);			/* new slots may start all dirty */
	EXPECT_EQ(0, count_log(self));
	for (int round = 0; round < 3; round++) {
		static const u64 w[] = { 0, 1, 63, 64, 100, 127, 128, 199 };

		for (size_t i = 0; i < ARRAY_SIZE(w); i++)
			guest_touch(self->vcpu, w[i], true);
		for (u64 p = 2; p < 60; p += 5)
			guest_touch(self->vcpu, p, false);
		EXPECT_EQ((int)ARRAY_SIZE(w), count_log(self));
		for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
			EXPECT_TRUE(dirty(self, w[i]))
				TH_LOG("round %d: page %lu is missing", round, w[i]);
		}
		EXPECT_EQ(0, count_log(self));
	}
	EXPECT_EQ(3, *(u64 *)(self->mem + 64 * PAGE_SIZE));
}

TEST_F(log, flag_toggles)
{
	for (u64 p = 0; p < PAGES; p++)
		guest_touch(self->vcpu, p, true);
	for (int round = 0; round < 3; round++) {
		ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, PAGES * PAGE_SIZE, self->mem));
		EXPECT_EQ(-ENOENT, get_log(self->vm, SLOT, self->bitmap));
		guest_touch(self->vcpu, 3, true);
		ASSERT_EQ(0, vm_slot(self->vm, SLOT, LOG, HI, PAGES * PAGE_SIZE, self->mem));
		/* Writes before the flag do not count; the next ones do. */
		EXPECT_EQ(0, count_log(self));
		guest_touch(self->vcpu, 3, true);
		guest_touch(self->vcpu, 150, true);
		EXPECT_EQ(2, count_log(self));
		EXPECT_TRUE(dirty(self, 3) && dirty(self, 150));
	}
}

/* The failed read of a log must not lose it. */
TEST_F(log, efault_keeps_old_log_whole)
{
	count_log(self);
	guest_touch(self->vcpu, 7, true);
	EXPECT_EQ(1, count_log(self));
	EXPECT_TRUE(dirty(self, 7));
}

/* Writes by the emulator: string input, moves from a device, a push. */
TEST_F(log, emulated_writes)
{
	for (size_t i = 0; i < ARRAY_SIZE(emulated_writes); i++) {
		const struct emulated_write *w = &emulated_writes[i];
		struct kvm_regs r;

		count_log(self);
		vcpu_long(self->vcpu, w->code);
		vcpu_regs(self->vcpu, &r);
		r.rdi = HI + 10 * PAGE_SIZE;
		vcpu_set_regs(self->vcpu, &r);
		while (vcpu_exit(self->vcpu) != KVM_EXIT_HLT)
			;
		count_log(self);
		for (u64 p = 0; p < PAGES; p++) {
			EXPECT_EQ(p >= w->from && p <= w->to, dirty(self, p))
				TH_LOG("%s: page %lu", w->name, p);
		}
	}
}

/* The CPU's own writes to a page table: accessed and dirty bits. */
TEST_F(log, page_table_walks)
{
	struct kvm_sregs s;

	memcpy(self->mem, vm_ptr(self->vm, GPA_PML4), PAGE_SIZE);
	*(u64 *)self->mem &= ~0x20ULL;
	vcpu_sregs(self->vcpu, &s);
	s.cr3 = HI;
	ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
	count_log(self);
	guest_touch(self->vcpu, 5, false);
	EXPECT_EQ(1, count_log(self));
	EXPECT_TRUE(dirty(self, 0));
	EXPECT_EQ(0x20, *(u64 *)self->mem & 0x20);
}

/* ---------------------------------------------------- nothing is ever lost */

static GUEST_FN void guest_writer(u64 n)
{
	u64 x = n * 12345 + 1;

	(void)x;
	for (u64 i = 1;; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		*(volatile u64 *)(HI + (x >> 33) % PAGES * PAGE_SIZE + 8 * n) = i;
	}
}

static volatile bool stop;

static void *writer_thread(void *arg)
{
	struct vcpu *vcpu = arg;

	while (!stop) {
		int ret = vcpu_run(vcpu);

		if (ret && ret != -EINTR)
			die("KVM_RUN: %s", strerror(-ret));
		if (!ret)
			die("exit %s", exit_name(vcpu->run->exit_reason));
	}
	return NULL;
}

TEST_F(log, migration_copy_is_exact)
{
	struct vcpu *v[2] = { self->vcpu, vcpu_new(self->vm, 1) };
	u8 *copy = vm_anon(PAGES * PAGE_SIZE);
	pthread_t t[2];
	int passes = 0;

	alarm_handler();
	memcpy(copy, self->mem, PAGES * PAGE_SIZE);
	count_log(self);
	for (int i = 0; i < 2; i++) {
		struct kvm_regs r;

		vcpu_long(v[i], guest_writer);
		vcpu_regs(v[i], &r);
		r.rdi = i + 1;
		vcpu_set_regs(v[i], &r);
		pthread_create(&t[i], NULL, writer_thread, v[i]);
	}
	for (int round = 0; round < 40; round++) {
		if (round == 39) {
			stop = true;
			for (int i = 0; i < 2; i++) {
				v[i]->run->immediate_exit = 1;
				pthread_kill(t[i], SIGALRM);
				pthread_join(t[i], NULL);
			}
		} else {
			usleep(2000);
		}
		passes += count_log(self) > 0;
		for (u64 p = 0; p < PAGES; p++) {
			if (dirty(self, p))
				memcpy(copy + p * PAGE_SIZE, self->mem + p * PAGE_SIZE, PAGE_SIZE);
		}
	}
	EXPECT_LT(2, passes);
	EXPECT_EQ(0, memcmp(copy, self->mem, PAGES * PAGE_SIZE));
	munmap(copy, PAGES * PAGE_SIZE);
}

/* ------------------------------------------------------- clearing by hand */

TEST_F(log, manual_protect)
{
	int cap = vm_cap(self->vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);
	struct kvm_clear_dirty_log c = {
		.slot = SLOT, .num_pages = 64, .first_page = 0,
		.dirty_bitmap = self->bitmap,
	};

	if (!cap) {
		EXPECT_GT(0, kioctlp(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &c));
		SKIP(return, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 is 0");
	}
	ASSERT_EQ(0, vm_enable_cap(self->vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1));
	count_log(self);
	memset(self->bitmap, 0xff, sizeof(self->bitmap));
	c.num_pages = PAGES;
	ASSERT_EQ(0, kioctlp(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &c));
	guest_touch(self->vcpu, 3, true);
	guest_touch(self->vcpu, 70, true);
	EXPECT_EQ(2, count_log(self));
	EXPECT_EQ(2, count_log(self));		/* reading clears nothing now */
	memset(self->bitmap, 0xff, sizeof(self->bitmap));
	c.num_pages = 64;
	ASSERT_EQ(0, kioctlp(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &c));
	EXPECT_EQ(1, count_log(self));
	EXPECT_TRUE(dirty(self, 70));
	c.first_page = 1;			/* not a multiple of 64 */
	EXPECT_EQ(-EINVAL, kioctlp(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &c));
	c.first_page = 1 << 20;
	EXPECT_EQ(-EINVAL, kioctlp(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &c));
}

TEST_HARNESS_MAIN
