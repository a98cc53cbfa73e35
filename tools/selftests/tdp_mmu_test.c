// SPDX-License-Identifier: GPL-2.0
/*
 * tdp_mmu_test - the tables that the hardware walks, seen through their counters
 *
 * Guards: vCPUs that fault at the same places at the same time make each entry and each
 * table once; a large page under a dirty log is split in place, by one fault, and
 * made again when the log ends; a fetch from a large page splits it where the CPU's
 * "iTLB multihit" wants that, and nowhere else; the host can have the tables' memory
 * back at any time, while vCPUs run too, and knows of it.
 */
#include <kselftest_harness.h>

#include <linux/mman.h>

#include "guest_count.h"

#define HI	0x40000000UL		/* above the fixture's RAM, mapped 1:1 */
#define SLOT	5
#define MB	0x100000UL
#define SIZE	(16 * MB)
#define LARGE	(2 * MB)
#define GB	(1024 * MB)
#define PAGES	(SIZE / PAGE_SIZE)
#define VCPUS	4
#define GIGANTIC "/sys/kernel/mm/hugepages/hugepages-1048576kB/"

/* RSI: 0 read (RDI), 1 write RBX to (RDI), 2 call RDI. */
ASM_GUEST(touch, "1: push %rbx; pop %rbx\n"		/* the stack is mapped before a call */
	  "cmp $1, %rsi; je 2f; ja 3f\n"
	  "mov (%rdi), %rbx; jmp 4f\n"
	  "2: mov %rbx, (%rdi); jmp 4f\n"
	  "3: call *%rdi\n"
	  "4: mov $0x3e8, %edx; mov $2, %eax; out %eax, %dx; jmp 1b\n");

FIXTURE(tdp) {
	struct vm *vm;
	struct vcpu *vcpu;		/* runs touch */
	struct vcpu *counting[VCPUS];
	u8 *area, *mem;			/* SIZE bytes at a multiple of LARGE */
};

static u64 guest_touch(struct vcpu *vcpu, u64 addr, u64 how, u64 val)
{
	struct kvm_regs r;

	vcpu_regs(vcpu, &r);
	r.rdi = addr;
	r.rsi = how;
	r.rbx = val;
	vcpu_set_regs(vcpu, &r);
	if (vcpu_ucall(vcpu).cmd != UCALL_SYNC)
		die("guest: exit %s", exit_name(vcpu->run->exit_reason));
	vcpu_regs(vcpu, &r);
	return r.rbx;
}

#define guest_read(vcpu, addr)		guest_touch(vcpu, addr, 0, 0)
#define guest_write(vcpu, addr, val)	guest_touch(vcpu, addr, 1, val)
#define guest_call(vcpu, addr)		guest_touch(vcpu, addr, 2, 0)

FIXTURE_SETUP(tdp)
{
	if (dev_is_stock())
		SKIP(return, "the stock module has other counters");
	self->vcpu = vm_long(touch);
	self->vm = self->vcpu->vm;
	self->area = vm_anon(SIZE + LARGE);
	self->mem = (u8 *)(((u64)self->area + LARGE - 1) & ~(LARGE - 1));
	madvise(self->mem, SIZE, MADV_NOHUGEPAGE);
	for (int i = 0; i < VCPUS; i++)
		self->counting[i] = vcpu_new(self->vm, 1 + i);
	log_mark();
}

FIXTURE_TEARDOWN(tdp)
{
	if (!self->vm)
		return;
	vm_free(self->vm);
	munmap(self->area, SIZE + LARGE);
	EXPECT_FALSE(log_has_warning());
}

/* All count in all pages, side by side; says whether all words are right. */
static bool count_together(struct vcpu **vcpus, u8 *mem, u64 rounds, void (*meanwhile)(void))
{
	pthread_t t[VCPUS];
	bool good = true;
	int done = 0;
	void *res;

	for (int i = 0; i < VCPUS; i++)
		t[i] = count_start(vcpus[i], HI + 8 * i, PAGES, rounds);
	while (done < VCPUS) {
		if (meanwhile && pthread_tryjoin_np(t[done], &res)) {
			meanwhile();
			continue;
		}
		if (!meanwhile)
			pthread_join(t[done], &res);
		good &= (u64)res == UCALL_DONE;
		done++;
	}
	return good && counts_are(mem, PAGES, VCPUS, rounds);
}

static void fresh_memory(u8 *mem)
{
	if (madvise(mem, SIZE, MADV_DONTNEED))
		die("madvise: %s", strerror(errno));
}

TEST_F_TIMEOUT(tdp, same_pages_at_once, 60)
{
	long pt, pages;

	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	/* Their own code and stacks are mapped after this. */
	ASSERT_TRUE(count_together(self->counting, self->mem, 1, NULL));
	for (int round = 0; round < 4; round++) {
		fresh_memory(self->mem);
		pt = vm_counter(self->vm, "pt_pages");
		pages = vm_counter(self->vm, "pages_4k");
		ASSERT_TRUE(count_together(self->counting, self->mem, 1, NULL));
		EXPECT_EQ(PAGES, vm_counter(self->vm, "pages_4k") - pages);
		/* One of each 2M, and one above them if the fixture's is not the same. */
		EXPECT_LE(PAGES / 512, vm_counter(self->vm, "pt_pages") - pt);
		EXPECT_GE(PAGES / 512 + 1, vm_counter(self->vm, "pt_pages") - pt);
	}
	TH_LOG("%ld compare-and-exchanges lost", vm_counter(self->vm, "tdp_lost_races"));
	if (host_cpus() > 1)
		EXPECT_LT(0, vm_counter(self->vm, "tdp_lost_races"));
	fresh_memory(self->mem);
	EXPECT_EQ(pt, vm_counter(self->vm, "pt_pages"));
	EXPECT_EQ(pages, vm_counter(self->vm, "pages_4k"));
}

/* ---- large pages ---- */

static void make_huge(u8 *mem, size_t size)
{
	if (madvise(mem, size, MADV_HUGEPAGE) || madvise(mem, size, MADV_POPULATE_WRITE))
		die("populate: %s", strerror(errno));
	madvise(mem, size, MADV_COLLAPSE);
}

static bool host_may_execute_large_pages(void)
{
	char text[128] = "";
	int fd = open("/sys/devices/system/cpu/vulnerabilities/itlb_multihit", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		die("itlb_multihit: %s", strerror(errno));
	close(fd);
	return !strncmp(text, "Not affected", 12);
}

TEST_F(tdp, split_in_place)
{
	long small, large, faults;
	u64 bitmap[LARGE / PAGE_SIZE / 64];
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };

	make_huge(self->mem, LARGE);
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, LARGE, self->mem));
	guest_write(self->vcpu, HI + 7 * PAGE_SIZE, 1);
	small = vm_counter(self->vm, "pages_4k");
	large = vm_counter(self->vm, "pages_2m");

	ASSERT_EQ(0, vm_slot(self->vm, SLOT, KVM_MEM_LOG_DIRTY_PAGES, HI, LARGE, self->mem));
	EXPECT_EQ(large, vm_counter(self->vm, "pages_2m"));
	faults = vm_counter(self->vm, "tdp_faults");
	guest_read(self->vcpu, HI);
	EXPECT_EQ(faults, vm_counter(self->vm, "tdp_faults"));
	guest_write(self->vcpu, HI + 70 * PAGE_SIZE, 2);
	EXPECT_EQ(faults + 1, vm_counter(self->vm, "tdp_faults"));
	EXPECT_EQ(large - 1, vm_counter(self->vm, "pages_2m"));
	EXPECT_EQ(small + 512, vm_counter(self->vm, "pages_4k"));
	guest_read(self->vcpu, HI + 511 * PAGE_SIZE);
	EXPECT_EQ(faults + 1, vm_counter(self->vm, "tdp_faults"));

	ASSERT_EQ(0, kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, &log));
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(i == 1 ? 1ULL << 6 : 0, bitmap[i]);
	guest_write(self->vcpu, HI + 71 * PAGE_SIZE, 3);
	guest_write(self->vcpu, HI + 70 * PAGE_SIZE, 4);
	ASSERT_EQ(0, kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, &log));
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(i == 1 ? 3ULL << 6 : 0, bitmap[i]);

	/* The log ends: the first access makes it whole again. */
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, LARGE, self->mem));
	EXPECT_EQ(1, guest_read(self->vcpu, HI + 7 * PAGE_SIZE));
	EXPECT_EQ(4, guest_read(self->vcpu, HI + 70 * PAGE_SIZE));
	EXPECT_EQ(3, guest_read(self->vcpu, HI + 71 * PAGE_SIZE));
	EXPECT_EQ(large, vm_counter(self->vm, "pages_2m"));
	EXPECT_EQ(small, vm_counter(self->vm, "pages_4k"));
}

/* All pages dirty to begin with: what was not yet cleared need not be seen. */
TEST_F(tdp, split_by_clear)
{
	long large;
	u64 bitmap[LARGE / PAGE_SIZE / 64], none[8] = {};
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };
	struct kvm_clear_dirty_log clear = {
		.slot = SLOT, .first_page = 64, .num_pages = 64, .dirty_bitmap = bitmap };

	ASSERT_EQ(0, vm_enable_cap(self->vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 3));
	make_huge(self->mem, LARGE);
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, LARGE, self->mem));
	guest_write(self->vcpu, HI, 1);
	large = vm_counter(self->vm, "pages_2m");
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, KVM_MEM_LOG_DIRTY_PAGES, HI, LARGE, self->mem));
	guest_write(self->vcpu, HI + 3 * PAGE_SIZE, 1);
	EXPECT_EQ(large, vm_counter(self->vm, "pages_2m"));
	memset(bitmap, 0xff, sizeof(bitmap));
	ASSERT_EQ(0, kioctlp(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &clear));
	guest_write(self->vcpu, HI + 65 * PAGE_SIZE, 2);
	EXPECT_EQ(large - 1, vm_counter(self->vm, "pages_2m"));
	memcpy(bitmap, none, sizeof(bitmap));
	ASSERT_EQ(0, kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, &log));
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(i == 1 ? 2 : ~0ULL, bitmap[i]);
}

/* A host page of 1G, or NULL: memory has no such hole any more, or never had. */
static u8 *host_gigabyte(void)
{
	void *p;

	if (write_text(GIGANTIC "nr_hugepages", "1") || read_number(GIGANTIC "nr_hugepages") < 1)
		return NULL;
	p = mmap(NULL, GB, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_1GB, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* One entry for all of it; a log splits it twice, and at the log's end it is whole again. */
TEST_F_TIMEOUT(tdp, gigabyte, 120)
{
	const u64 at = 5 * LARGE + 70 * PAGE_SIZE;
	u64 *bitmap = calloc(GB / PAGE_SIZE / 64, sizeof(u64));
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };
	long small, large, giga, tables, faults;
	u8 *mem = host_gigabyte();

	if (!mem)
		SKIP(return, "the host has no page of 1G");
	if (!cpu_has_flag("vmx flags", "ept_1gb") && !cpu_has_flag("flags", "svm"))
		SKIP(return, "the CPU has no EPT entries of 1G");
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, GB, mem));
	giga = vm_counter(self->vm, "pages_1g");
	guest_write(self->vcpu, HI, 0);
	EXPECT_EQ(giga + 1, vm_counter(self->vm, "pages_1g"));
	small = vm_counter(self->vm, "pages_4k");
	large = vm_counter(self->vm, "pages_2m");
	tables = vm_counter(self->vm, "pt_pages");
	faults = vm_counter(self->vm, "tdp_faults");
	for (u64 i = 0; i < GB; i += LARGE)
		guest_write(self->vcpu, HI + i, i);
	EXPECT_EQ(faults, vm_counter(self->vm, "tdp_faults"));

	ASSERT_EQ(0, vm_slot(self->vm, SLOT, KVM_MEM_LOG_DIRTY_PAGES, HI, GB, mem));
	EXPECT_EQ(7 * LARGE, guest_read(self->vcpu, HI + 7 * LARGE));
	EXPECT_EQ(giga + 1, vm_counter(self->vm, "pages_1g"));
	guest_write(self->vcpu, HI + at, 2);
	EXPECT_EQ(giga, vm_counter(self->vm, "pages_1g"));
	EXPECT_EQ(large + 511, vm_counter(self->vm, "pages_2m"));
	EXPECT_EQ(small + 512, vm_counter(self->vm, "pages_4k"));
	EXPECT_EQ(tables + 2, vm_counter(self->vm, "pt_pages"));
	ASSERT_EQ(0, kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, &log));
	for (u64 i = 0; i < GB / PAGE_SIZE / 64; i++)
		EXPECT_EQ(i == at / PAGE_SIZE / 64 ? 1ULL << 6 : 0, bitmap[i]);
	for (u64 i = 0; i < GB; i += LARGE)
		EXPECT_EQ(i, guest_read(self->vcpu, HI + i));

	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, GB, mem));
	EXPECT_EQ(2, guest_read(self->vcpu, HI + at));
	EXPECT_EQ(giga + 1, vm_counter(self->vm, "pages_1g"));
	EXPECT_EQ(large, vm_counter(self->vm, "pages_2m"));
	EXPECT_EQ(small, vm_counter(self->vm, "pages_4k"));
	EXPECT_EQ(tables, vm_counter(self->vm, "pt_pages"));

	/* Other memory in its place. */
	munmap(mem, GB);
	EXPECT_EQ(giga, vm_counter(self->vm, "pages_1g"));
	EXPECT_EQ(mem, mmap(mem, GB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_EQ(0, guest_read(self->vcpu, HI + at));
	EXPECT_EQ(0, vm_slot(self->vm, SLOT, 0, 0, 0, NULL));
	EXPECT_EQ(0, write_text(GIGANTIC "nr_hugepages", "0"));
	munmap(mem, GB);
	free(bitmap);
}

TEST_F(tdp, fetch_from_a_large_page)
{
	bool may = host_may_execute_large_pages();
	long small, large;

	make_huge(self->mem, LARGE);
	memset(self->mem, 0xc3, LARGE);			/* RET */
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, LARGE, self->mem));
	guest_read(self->vcpu, HI);
	small = vm_counter(self->vm, "pages_4k");
	large = vm_counter(self->vm, "pages_2m");
	guest_call(self->vcpu, HI + 5 * PAGE_SIZE);
	guest_call(self->vcpu, HI + 6 * PAGE_SIZE);
	TH_LOG("large pages may%s be executed here", may ? "" : " not");
	EXPECT_EQ(may ? large : large - 1, vm_counter(self->vm, "pages_2m"));
	EXPECT_EQ(may ? small : small + 512, vm_counter(self->vm, "pages_4k"));
	guest_write(self->vcpu, HI + 9 * PAGE_SIZE, 5);
	EXPECT_EQ(may ? large : large - 1, vm_counter(self->vm, "pages_2m"));
	EXPECT_EQ(5, *(u64 *)(self->mem + 9 * PAGE_SIZE));
}

/* ---- memory is short ---- */

static void shrink(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd < 0 || write(fd, "2", 1) != 1)
		die("drop_caches: %s", strerror(errno));
	close(fd);
}

/* A page in each 2M of a GiB wants 512 tables: enough to be seen in the host's sums. */
TEST_F_TIMEOUT(tdp, host_takes_tables_back, 60)
{
	const u64 size = 1024 * MB;
	long kb = host_table_kib();
	u8 *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ASSERT_LE(0, kb);
	ASSERT_NE(MAP_FAILED, p);
	madvise(p, size, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, size, p));
	for (u64 i = 0; i < size; i += LARGE)
		guest_write(self->vcpu, HI + i, i);
	EXPECT_LE(512, vm_counter(self->vm, "pt_pages"));
	EXPECT_LE(kb + 1024, host_table_kib());

	for (int i = 0; i < 40 && vm_counter(self->vm, "pt_pages") > 1; i++)
		shrink();
	EXPECT_EQ(1, vm_counter(self->vm, "pt_pages"));	/* the root */
	EXPECT_EQ(0, vm_counter(self->vm, "pages_4k"));
	EXPECT_GE(kb + 1024, host_table_kib());
	for (u64 i = 0; i < size; i += 7 * LARGE)
		ASSERT_EQ(i, guest_read(self->vcpu, HI + i));
	munmap(p, size);
}

TEST_F_TIMEOUT(tdp, taken_back_while_running, 60)
{
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	ASSERT_TRUE(count_together(self->counting, self->mem, 8, shrink));
	fresh_memory(self->mem);
	EXPECT_GE(64, vm_counter(self->vm, "pages_4k"));
}

TEST_HARNESS_MAIN
