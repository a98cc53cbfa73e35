// SPDX-License-Identifier: GPL-2.0
/*
 * thp_test - the host's huge pages come and go under running vCPUs, logged or not
 *
 * A huge page of the host is one entry of the second level where the slot is not logged,
 * and 512 where it is.  It comes when the host collapses small pages (khugepaged, or
 * MADV_COLLAPSE) and goes when a part of it is protected, thrown away or given up.  The
 * guest is mem_util.h's, which knows every word.
 *
 * Guards: nothing is lost or stale on the way; the counters say how pages are mapped, as
 * they are collapsed, split, logged and not logged any more; and of the log, that a copy
 * which is kept by it is the memory's like, and that pages are clean that nobody touched.
 */
#include <kselftest_harness.h>

#include "mem_util.h"

#define SIZE		(4 * LARGE)
#define PAGES		(SIZE / PAGE_SIZE)
#define PER_LARGE	(LARGE / PAGE_SIZE)

FIXTURE(thp) {
	struct mem m;
	struct mem_log log;
};

FIXTURE_SETUP(thp)
{
	u8 *area;

	mem_before(&self->m);
	area = mem_aligned(SIZE);
	madvise(area, SIZE, MADV_HUGEPAGE);
	mem_init(&self->m, area, SIZE);
	log_init(&self->log, &self->m);
}

FIXTURE_TEARDOWN(thp)
{
	EXPECT_TRUE(mem_nothing_left(&self->m));
	EXPECT_FALSE(log_has_warning());
}

static u8 *large_page(struct mem *m, u64 n)
{
	return m->area + n * LARGE;
}

static bool collapse(struct mem *m, u64 n)
{
	for (int i = 0; i < 100; i++) {
		if (!madvise(large_page(m, n), LARGE, MADV_COLLAPSE))
			return true;
		usleep(1000);
	}
	return false;
}

/* ------------------------------------------------- how pages are mapped, counted */

static long gauge(struct mem *m, int size)
{
	struct mem_use now;

	mem_use(&now);
	return now.pages[size] - m->before.pages[size];
}

/* Entries for 2M come to be this many, once the vCPUs have been everywhere. */
static bool large_becomes(struct mem *m, long want)
{
	u64 end = now_ns() + 60000000000UL;

	while (now_ns() < end) {
		if (!mem_go_on(m, 300))
			return false;
		if (dev_is_stock() || gauge(m, 1) == want)
			return true;
	}
	printf("# %ld entries for 2M, not %ld\n", gauge(m, 1), want);
	return false;
}

TEST_F_TIMEOUT(thp, entries_follow_the_host, 120)
{
	struct mem *m = &self->m;
	long rest, small;

	m->book->near = 8;
	memset(m->area, 0, SIZE);
	for (u64 n = 0; n < SIZE / LARGE; n++)
		ASSERT_TRUE(collapse(m, n));
	log_set(&self->log, true);
	mem_run(m);
	ASSERT_TRUE(mem_go_on(m, 5000));
	/* The book and the first memory may have large pages of their own. */
	rest = gauge(m, 1);
	for (u64 round = 0; round < mem_rounds(3); round++) {
		log_set(&self->log, false);
		EXPECT_TRUE(large_becomes(m, rest + SIZE / LARGE));
		small = gauge(m, 0);
		/* A small page is thrown away: its neighbours get entries of their own. */
		change_begin(m, 3 * PER_LARGE + 7, 1);
		madvise(mem_page(m, 3 * PER_LARGE + 7), PAGE_SIZE, MADV_DONTNEED);
		change_end(m, 3 * PER_LARGE + 7, 1, 0);
		EXPECT_TRUE(large_becomes(m, rest + 3));
		/* And one is protected for a while. */
		hole_begin(m);
		mprotect(mem_page(m, 2 * PER_LARGE + 9), PAGE_SIZE, PROT_NONE);
		EXPECT_TRUE(dev_is_stock() || gauge(m, 1) <= rest + 2);
		mprotect(mem_page(m, 2 * PER_LARGE + 9), PAGE_SIZE, PROT_READ | PROT_WRITE);
		hole_end(m);
		/* Built again. */
		ASSERT_TRUE(collapse(m, 2));
		ASSERT_TRUE(collapse(m, 3));
		EXPECT_TRUE(large_becomes(m, rest + SIZE / LARGE));
		/* While it is logged there is none, from the call's return on. */
		log_set(&self->log, true);
		ASSERT_TRUE(mem_go_on(m, 3000));
		EXPECT_EQ(rest, gauge(m, 1));
		EXPECT_TRUE(dev_is_stock() || gauge(m, 0) > small + (long)PER_LARGE);
		EXPECT_GE(small + (long)PAGES, gauge(m, 0));
	}
	EXPECT_TRUE(mem_stop(m));
}

/* khugepaged finds them by itself. */
TEST_F_TIMEOUT(thp, khugepaged, 180)
{
	struct mem *m = &self->m;
	u64 end = now_ns() + 60000000000UL;
	long before, rest;

	if (write_text("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "5"))
		SKIP(return, "no khugepaged");
	write_text("/sys/kernel/mm/transparent_hugepage/khugepaged/pages_to_scan", "4096");
	m->book->near = 8;
	madvise(m->area, SIZE, MADV_NOHUGEPAGE);
	mem_run(m);
	ASSERT_TRUE(mem_go_on(m, 8000));
	before = number_after("/proc/vmstat", "thp_collapse_alloc");
	rest = gauge(m, 1);
	madvise(m->area, SIZE, MADV_HUGEPAGE);
	EXPECT_TRUE(large_becomes(m, rest + SIZE / LARGE));
	while (now_ns() < end && number_after("/proc/vmstat", "thp_collapse_alloc") <
	       before + (long)(SIZE / LARGE))
		ASSERT_TRUE(mem_go_on(m, 300));
	EXPECT_LE(before + (long)(SIZE / LARGE),
		  number_after("/proc/vmstat", "thp_collapse_alloc"));
	EXPECT_TRUE(mem_stop(m));
}

/* ------------------------------------------------------------------ and logged */

/* One thing that makes or breaks huge pages. */
static void disturb(struct mem_log *l)
{
	struct mem *m = l->m;
	u64 n = 1 + mem_random(m, 16), page = mem_random(m, m->book->pages - n);
	u8 *at = (u8 *)mem_page(m, page);

	switch (mem_random(m, 6)) {
	case 0:
		change_begin(m, page, n);
		madvise(at, n * PAGE_SIZE, MADV_DONTNEED);
		change_end(m, page, n, 0);
		log_touch(l, page, n);
		break;
	case 1:
		hole_begin(m);
		mprotect(at, n * PAGE_SIZE, mem_random(m, 2) ? PROT_READ : PROT_NONE);
		usleep(mem_random(m, 100));
		mprotect(at, n * PAGE_SIZE, PROT_READ | PROT_WRITE);
		hole_end(m);
		break;
	case 2:
		madvise(at, n * PAGE_SIZE, MADV_PAGEOUT);
		break;
	case 3:
		mem_host_writes(m, page);
		log_touch(l, page, 1);
		break;
	default:
		madvise(large_page(m, page / PER_LARGE), LARGE, MADV_COLLAPSE);
	}
}

static void logged(struct __test_metadata *_metadata, struct _test_data_thp *self)
{
	struct mem_log *l = &self->log;
	struct mem *m = &self->m;
	long collapsed = number_after("/proc/vmstat", "thp_collapse_alloc");
	long split = number_after("/proc/vmstat", "thp_split_pmd");

	memset(m->area, 0, SIZE);
	/* The last 2M nobody touches. */
	m->book->pages = PAGES - PER_LARGE;
	for (u64 n = 0; n < SIZE / LARGE; n++)
		ASSERT_TRUE(collapse(m, n));
	mem_run(m);
	ASSERT_TRUE(mem_go_on(m, 3000));
	log_set(&self->log, true);
	memcpy(l->copy, m->area, SIZE);
	for (u64 round = 0; round < mem_rounds(host_cpus() > 1 ? 80 : 60); round++) {
		for (int i = 0; i < 3; i++) {
			disturb(l);
			ASSERT_TRUE(mem_go_on(m, 40));
		}
		log_take(l);
	}
	mem_pause(m);
	ASSERT_FALSE(mem_failed(m));
	log_take(l);
	ASSERT_TRUE(log_is_complete(l));
	mem_resume(m);
	EXPECT_FALSE(l->clean_named);
	collapsed = number_after("/proc/vmstat", "thp_collapse_alloc") - collapsed;
	split = number_after("/proc/vmstat", "thp_split_pmd") - split;
	TH_LOG("%ld collapses, %ld splits, %lu pages copied, %lu EFAULTs", collapsed, split,
	       l->named, mem_efaults(m));
	EXPECT_LT((long)mem_rounds(20), collapsed);
	EXPECT_LT((long)mem_rounds(20), split);
	log_set(&self->log, false);
	ASSERT_TRUE(mem_go_on(m, 1000));
	EXPECT_TRUE(mem_stop(m));
}

TEST_F_TIMEOUT(thp, a_copy_kept_by_the_log, 120)
{
	logged(_metadata, self);
}

/*
 * Logging goes on and off as well: there, all that was there is built anew.  From one stop to
 * the next, the log is the pages that were written, those and no other.
 */
TEST_F_TIMEOUT(thp, log_on_and_off, 120)
{
	struct mem_log *l = &self->log;
	struct mem *m = &self->m;

	memset(m->area, 0, SIZE);
	mem_run(m);
	for (u64 round = 0; round < mem_rounds(20); round++) {
		log_set(&self->log, true);
		for (int i = 0; i < 3; i++) {
			disturb(l);
			ASSERT_TRUE(mem_go_on(m, 40));
		}
		log_take(l);
		mem_pause(m);
		/* All of the log since it was on: whoever wrote is in it. */
		log_take(l);
		memcpy(l->copy, m->area, SIZE);
		mem_resume(m);
		disturb(l);
		ASSERT_TRUE(log_is_exact_after(l, 40));
		mem_resume(m);
		log_set(&self->log, false);
		disturb(l);
		ASSERT_TRUE(mem_go_on(m, 100));
	}
	EXPECT_TRUE(mem_stop(m));
}

TEST_HARNESS_MAIN
