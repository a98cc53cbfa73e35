// SPDX-License-Identifier: GPL-2.0
/*
 * pml_test - the dirty log where the CPU itself notes what the guest writes
 *
 * Guards: as many pages as the guest writes without an exit are in the log, those and no
 * others, although the CPU's buffer has room for 512; a vCPU that stays in the guest has
 * told what it wrote when KVM_GET_DIRTY_LOG returns; nothing is logged, and nothing exits,
 * for a slot that keeps no log.
 *
 * What the log says is the same without PML, by write protection: those expectations
 * hold on every host.  What it costs is not, and the counters tell which of the two it was.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

#define PML	"/sys/module/minikvm_intel/parameters/pml"
#define HI	0x40000000UL
#define SLOT	5
#define LOG	KVM_MEM_LOG_DIRTY_PAGES
#define PAGES	2048UL
#define SIZE	(PAGES * PAGE_SIZE)
#define AGAIN	8	/* in the same page: its translation stays in the TLB */
#define BUFFER	512			/* entries that the CPU's buffer has */

/* RDI: a word in the first page, RSI: pages.  Count in each. */
ASM_GUEST(count_pages, "1: mov %rdi, %r9; mov %rsi, %rcx\n"
	  "2: incq (%r9); add $4096, %r9; loop 2b\n"
	  "mov $0x3e8, %edx; mov $1, %eax; out %eax, %dx; jmp 1b\n");

/* The same, but what is written is an interrupt's frame.  The real stack is in R8. */
ASM_GUEST(interrupt_pages, "mov %rsp, %r8\n"
	  "1: mov %rdi, %r9; mov %rsi, %rcx\n"
	  "2: mov %r9, %rsp; int $0x40; add $4096, %r9; loop 2b\n"
	  "mov %r8, %rsp\n"
	  "mov $0x3e8, %edx; mov $1, %eax; out %eax, %dx; jmp 1b\n");

static GUEST_DATA volatile u64 wanted, written;

/* A page each time that it is wanted, and not a single exit. */
static GUEST_FN void g_write_on_demand(void)
{
	for (u64 n = 0; n != ~0UL; n = wanted) {
		if (n == written)
			continue;
		*(volatile u64 *)(HI + n / AGAIN % PAGES * PAGE_SIZE) = n;
		written = n;
	}
	g_done();
}

FIXTURE(pml) {
	struct vm *vm;
	u8 *mem;
	u64 bits[PAGES / 64];
};

FIXTURE_SETUP(pml)
{
	self->vm = vm_new();
	self->mem = vm_anon(SIZE);
	ASSERT_EQ(0, madvise(self->mem, SIZE, MADV_NOHUGEPAGE));
	memset(self->mem, 1, SIZE);
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
}

FIXTURE_TEARDOWN(pml)
{
	vm_free(self->vm);
	munmap(self->mem, SIZE);
}

/* Is it to be expected?  The CPU has it, the module is to use it. */
static bool has_pml(void)
{
	char on = 'N';
	int fd = open(PML, O_RDONLY);

	if (fd < 0 || read(fd, &on, 1) != 1)
		on = 'N';
	close(fd);
	return on == 'Y' && cpu_has_flag("vmx flags", "pml");
}

static struct vcpu *counting_vcpu(struct vm *vm, void *guest, u64 first, u64 pages)
{
	struct vcpu *vcpu = vcpu_new(vm, 0);
	struct kvm_regs r;

	vcpu_long(vcpu, guest);
	vcpu_regs(vcpu, &r);
	r.rdi = first;
	r.rsi = pages;
	vcpu_set_regs(vcpu, &r);
	return vcpu;
}

static int set_log(FIXTURE_DATA(pml) * self, u32 flags)
{
	return vm_slot(self->vm, SLOT, flags, HI, SIZE, self->mem);
}

static int get_log(FIXTURE_DATA(pml) * self)
{
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = self->bits };

	return kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, &log);
}

static u64 count_bits(FIXTURE_DATA(pml) * self)
{
	u64 n = 0;

	for (u64 i = 0; i < ARRAY_SIZE(self->bits); i++)
		n += __builtin_popcountll(self->bits[i]);
	return n;
}

/* Four buffers full, and rest. */
TEST_F(pml, more_than_the_buffer)
{
	const u64 pages = PAGES - 7;
	struct vcpu *vcpu = counting_vcpu(self->vm, count_pages, HI, pages);
	long full, faults, logged;

	EXPECT_UCALL(vcpu, UCALL_DONE);		/* every page is mapped */
	ASSERT_EQ(0, set_log(self, LOG));
	ASSERT_EQ(0, get_log(self));
	EXPECT_EQ(0, count_bits(self));

	for (int round = 0; round < 3; round++) {
		full = module_counter("exit_pml_full");
		faults = module_counter("tdp_faults");
		logged = module_counter("pml_pages");
		EXPECT_UCALL(vcpu, UCALL_DONE);
		ASSERT_EQ(0, get_log(self));
		EXPECT_EQ(pages, count_bits(self));
		EXPECT_EQ(~0UL, self->bits[0]);
		if (dev_is_stock())
			continue;
		full = module_counter("exit_pml_full") - full;
		faults = module_counter("tdp_faults") - faults;
		logged = module_counter("pml_pages") - logged;
		if (!has_pml()) {
			EXPECT_LE(pages, faults);
			EXPECT_EQ(0, logged);
			continue;
		}
		/* An exit for another reason empties it as well. */
		EXPECT_GE(pages / BUFFER, full);
		EXPECT_LT(0, full);
		EXPECT_GT(BUFFER / 2, faults);
		EXPECT_LE(pages, logged);
	}
	for (u64 i = 0; i < pages; i++)
		ASSERT_EQ(0x0101010101010101UL + 4, *(u64 *)(self->mem + i * PAGE_SIZE));
}

/* The buffer is full while an interrupt is being delivered: that comes once all the same. */
TEST_F(pml, in_an_interrupt)
{
	struct vcpu *vcpu = counting_vcpu(self->vm, interrupt_pages, HI + 0xf00, PAGES);
	long full;

	vcpu->exc->action = EXC_IRET;
	EXPECT_UCALL(vcpu, UCALL_DONE);
	ASSERT_EQ(0, set_log(self, LOG));
	for (int round = 2; round < 5; round++) {
		full = module_counter("exit_pml_full");
		EXPECT_UCALL(vcpu, UCALL_DONE);
		ASSERT_EQ(0, get_log(self));
		EXPECT_EQ(PAGES, count_bits(self));
		EXPECT_EQ(round * PAGES, vcpu->exc->count);
		if (!dev_is_stock() && has_pml())
			EXPECT_LT(full, module_counter("exit_pml_full"));
	}
}

static void *run_thread(void *vcpu)
{
	return (void *)(u64)vcpu_ucall(vcpu).cmd;
}

/*
 * The vCPU does not exit by itself; the log names its page all the same, and at once.  And
 * without PML: the next write to a page that was named is seen, though its translation
 * was in the TLB.
 */
TEST_F(pml, in_the_guest)
{
	/* Both spin: where they take turns a round is a time slice each. */
	const u64 rounds = host_cpus() > 1 ? 2000 : 50;
	struct vcpu *vcpu = vcpu_new(self->vm, 0);
	u64 page, n;
	pthread_t t;
	void *res;
	int late;

	vcpu_long(vcpu, g_write_on_demand);
	ASSERT_EQ(0, set_log(self, LOG));
	pthread_create(&t, NULL, run_thread, vcpu);
	for (n = 1; n <= rounds; n++) {
		GUEST_VAR(self->vm, wanted) = n;
		while (GUEST_VAR(self->vm, written) != n)
			sched_yield();
		page = n / AGAIN % PAGES;
		/* The stock module kicks the vCPU, but does not wait till it has told. */
		for (late = 0; late < 1000; late++) {
			ASSERT_EQ(0, get_log(self));
			if (count_bits(self) || !dev_is_stock())
				break;
		}
		ASSERT_EQ(1, count_bits(self));
		ASSERT_EQ(1UL << page % 64, self->bits[page / 64]);
	}
	GUEST_VAR(self->vm, wanted) = ~0UL;
	pthread_join(t, &res);
	EXPECT_EQ(UCALL_DONE, (u64)res);
}

/* Before there was a log, and after it has ended. */
TEST_F(pml, no_log)
{
	struct vcpu *vcpu = counting_vcpu(self->vm, count_pages, HI, PAGES);
	long logged;

	if (dev_is_stock())
		SKIP(return, "the stock module's counters are others");
	EXPECT_UCALL(vcpu, UCALL_DONE);
	for (int round = 0; round < 2; round++) {
		logged = module_counter("pml_pages");
		for (int i = 0; i < 3; i++)
			EXPECT_UCALL(vcpu, UCALL_DONE);
		/* What was in the buffer when the log ended may still come. */
		EXPECT_GE(logged + (round ? BUFFER : 0), module_counter("pml_pages"));
		ASSERT_EQ(0, set_log(self, LOG));
		EXPECT_UCALL(vcpu, UCALL_DONE);
		ASSERT_EQ(0, get_log(self));
		EXPECT_EQ(PAGES, count_bits(self));
		/* What waits for a write is logged once more, to no effect, but not twice. */
		ASSERT_EQ(0, set_log(self, 0));
		EXPECT_UCALL(vcpu, UCALL_DONE);
	}
}

TEST_HARNESS_MAIN
