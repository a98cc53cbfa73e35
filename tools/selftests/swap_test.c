// SPDX-License-Identifier: GPL-2.0
/*
 * swap_test - a guest's memory goes to a swap device and comes back while it is used
 *
 * The pressure is on the VMM's memory cgroup, which is asked for memory; the device is the test
 * host's /dev/swapdisk, a real disk.  The guest is mem_util.h's, which knows every word.
 *
 * Guards: nothing is lost on the way to the disk and back, whether reclaim takes pages
 * from running vCPUs or the VMM gives them up; what is swapped out has no entry in the
 * tables; what slots cost is charged to the VMM's cgroup.  Which pages reclaim chooses,
 * and what else is charged, are reclaim_test's.
 */
#include <kselftest_harness.h>

#include <sys/swap.h>

#include "cgroup_util.h"
#include "mem_util.h"

#define MB		0x100000UL
#define SIZE		(8 * MB)
#define PAGES		(SIZE / PAGE_SIZE)

FIXTURE(swap) {
	struct mem m;
	bool ready;
};

FIXTURE_SETUP(swap)
{
	self->ready = !access(SWAPDISK, F_OK) && enter_group();
	if (!self->ready)
		return;
	if (swapon(SWAPDISK, 0) && errno != EBUSY)
		die("swapon: %m");
	mem_before(&self->m);
}

FIXTURE_TEARDOWN(swap)
{
	if (!self->ready)
		return;
	EXPECT_TRUE(mem_nothing_left(&self->m));
	EXPECT_FALSE(log_has_warning());
	EXPECT_TRUE(leave_group());
	EXPECT_EQ(0, swapoff(SWAPDISK));
}

#define NEED_SWAP() do {						\
	if (!self->ready)						\
		SKIP(return, "no " SWAPDISK ", or no memory cgroup");	\
} while (0)

static void make_area(struct mem *m, u64 size, int advice)
{
	u8 *area = mem_aligned(size);

	madvise(area, size, advice);
	mem_init(m, area, size);
}

static long swapped_in(void)
{
	return number_after("/proc/vmstat", "pswpin");
}

static long swapped_out(void)
{
	return number_after("/proc/vmstat", "pswpout");
}

/* Kilobytes of this process that are on the disk. */
static long vm_swap(void)
{
	return number_after("/proc/self/status", "VmSwap:");
}

/* The cgroup is made smaller, again and again, while vCPUs use all that they have. */
static void under_pressure(struct __test_metadata *_metadata, struct mem *m, int advice)
{
	long in, out, most = 0, want = mem_rounds(300);
	u64 end = now_ns() + 60000000000UL;

	make_area(m, SIZE, advice);
	mem_run(m);
	ASSERT_TRUE(mem_go_on(m, 8000));
	/* They stay at one place for a while, or no page would ever look unused. */
	m->book->near = 50000;
	in = swapped_in();
	out = swapped_out();
	ASSERT_LE(0, in);
	while ((swapped_in() < in + want || swapped_out() < out + want) && now_ns() < end) {
		/* A limit would do the same, but kill who uses all of his memory. */
		write_text(GROUP "/memory.reclaim", "2M");
		if (vm_swap() > most)
			most = vm_swap();
		for (int i = 0; i < 16; i++)
			mem_host_writes(m, mem_random(m, PAGES));
		ASSERT_TRUE(mem_go_on(m, 30000));
	}
	TH_LOG("%ld pages swapped out, %ld in, at most %ld KiB on the disk; %lu + %lu visits",
	       swapped_out() - out, swapped_in() - in, most, m->book->turns[0],
	       m->book->turns[1]);
	EXPECT_LE(in + want, swapped_in());
	EXPECT_LE(out + want, swapped_out());
	EXPECT_LT(200, most);
	EXPECT_TRUE(mem_stop(m));
}

TEST_F_TIMEOUT(swap, small_pages_under_pressure, 200)
{
	NEED_SWAP();
	under_pressure(_metadata, &self->m, MADV_NOHUGEPAGE);
}

/* They are split on their way out. */
TEST_F_TIMEOUT(swap, large_pages_under_pressure, 200)
{
	NEED_SWAP();
	under_pressure(_metadata, &self->m, MADV_HUGEPAGE);
}

/*
 * Give up all of the area, which vCPUs do not use now; how much went?  What they have used
 * before stays the first time that it is asked for: they may want it again.
 */
static u64 page_out(struct mem *m)
{
	for (int i = 0; i < 3; i++)
		if (madvise(m->area, m->pages * PAGE_SIZE, MADV_PAGEOUT))
			die("MADV_PAGEOUT: %m");
	return pages_that_are(m->area, m->pages, PM_SWAPPED);
}

/* With the vCPUs stopped it can be said what is where. */
TEST_F_TIMEOUT(swap, everything_out_and_back, 120)
{
	struct mem *m = &self->m;
	struct mem_use used;

	NEED_SWAP();
	make_area(m, 4 * MB, MADV_HUGEPAGE);
	mem_run(m);
	for (u64 round = 0; round < mem_rounds(3); round++) {
		u64 gone, back;

		ASSERT_TRUE(mem_go_on(m, 8000));
		mem_pause(m);
		gone = page_out(m);
		mem_use(&used);
		/* The rest is the book's and the first 4 MiB's. */
		EXPECT_LT(m->pages * 9 / 10, gone);
		if (!dev_is_stock()) {
			EXPECT_GE(m->pages - gone + (RAM_SIZE + sizeof(struct book)) / PAGE_SIZE,
				  (u64)(used.pages[0] - m->before.pages[0]));
		}
		/* Nothing brings them back but the vCPUs. */
		EXPECT_EQ(gone, pages_that_are(m->area, m->pages, PM_SWAPPED));
		mem_resume(m);
		ASSERT_TRUE(mem_go_on(m, 8000));
		back = gone - pages_that_are(m->area, m->pages, PM_SWAPPED);
		EXPECT_LT(gone / 2, back);
	}
	EXPECT_TRUE(mem_stop(m));
}

/* Pages are given up under the vCPUs' feet. */
TEST_F_TIMEOUT(swap, given_up_while_used, 120)
{
	struct mem *m = &self->m;
	long out = swapped_out();

	NEED_SWAP();
	make_area(m, 4 * MB, MADV_NOHUGEPAGE);
	mem_run(m);
	/* A page that a vCPU uses just now stays: it takes as many rounds as it takes. */
	for (u64 round = 0; round < mem_rounds(30) ||
	     (round < 500 && swapped_out() <= out + 300); round++) {
		u64 n = mem_random(m, m->pages - 64);

		for (int i = 0; i < 3; i++)
			madvise(mem_page(m, n), 64 * PAGE_SIZE, MADV_PAGEOUT);
		mem_host_writes(m, n + mem_random(m, 64));
		ASSERT_TRUE(mem_go_on(m, 150));
	}
	EXPECT_LT(out + 300, swapped_out());
	EXPECT_TRUE(mem_stop(m));
}

/* A slot that logs has a bit for each page, at least. */
TEST_F_TIMEOUT(swap, slots_are_charged, 60)
{
	u64 size = 1UL << 30, slots = 64;
	long bytes = slots * size / PAGE_SIZE / 8;
	struct mem *m = &self->m;
	long before;
	void *mem;

	NEED_SWAP();
	make_area(m, LARGE, MADV_NOHUGEPAGE);
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, mem);
	before = charged("kernel");
	ASSERT_LE(0, before);
	for (u64 i = 0; i < slots; i++)
		ASSERT_EQ(0, vm_slot(m->vm, 10 + i, KVM_MEM_LOG_DIRTY_PAGES, (4 + i) << 30,
				     size, mem));
	EXPECT_TRUE(charge_comes_to("kernel", before + bytes * 3 / 4, before + bytes * 2));
	for (u64 i = 0; i < slots; i++)
		ASSERT_EQ(0, vm_slot(m->vm, 10 + i, 0, (4 + i) << 30, 0, mem));
	EXPECT_TRUE(charge_comes_to("kernel", 0, before + bytes / 4));
}

TEST_HARNESS_MAIN
