// SPDX-License-Identifier: GPL-2.0
/*
 * ksm_test - pages that look alike are merged and part again under running vCPUs
 *
 * ksmd write-protects a page, compares it and puts one that others share in its place; a
 * write of the guest, or of the VMM, gives the page's owner a copy.  The guest is
 * mem_util.h's.  Pages come in a few kinds that differ in one word, far inside.
 *
 * Guards: a merged page is found as it was, by both vCPUs; a write to it reaches nobody
 * else and is not lost, when it comes while ksmd compares as well; pages of different
 * kinds are never taken for each other, whatever size they had.
 */
#include <kselftest_harness.h>

#include "mem_util.h"

#define KSM	"/sys/kernel/mm/ksm/"
#define SIZE	(2 * LARGE)
#define PAGES	(SIZE / PAGE_SIZE)
#define KINDS	3

FIXTURE(ksm) {
	struct mem m;
	struct mem_log log;
	bool ready;
};

FIXTURE_SETUP(ksm)
{
	u8 *area;

	mem_before(&self->m);
	self->ready = !write_text(KSM "run", "2");
	area = mem_aligned(SIZE);
	madvise(area, SIZE, MADV_NOHUGEPAGE);
	mem_init(&self->m, area, SIZE);
	write_text(KSM "sleep_millisecs", "2");
	write_text(KSM "pages_to_scan", "400");
	write_text(KSM "smart_scan", "0");	/* newer: pass over what changed often */
	/* Merging the whole program's pages would take too long. */
	madvise(area, SIZE, MADV_MERGEABLE);
}

FIXTURE_TEARDOWN(ksm)
{
	EXPECT_TRUE(mem_nothing_left(&self->m));
	write_text(KSM "run", "2");		/* parts what is merged */
	EXPECT_FALSE(log_has_warning());
}

#define NEED_KSM() do {							\
	if (!self->ready)						\
		SKIP(return, "no KSM");					\
} while (0)

static long merged(void)
{
	return read_number(KSM "pages_sharing");
}

/* Make these pages all alike, but for their kind. */
static void make_alike(struct mem *m, u64 page, u64 n)
{
	change_begin(m, page, n);
	for (u64 i = page; i < page + n; i++) {
		u64 *p = mem_page(m, i);

		memset(p, 0, PAGE_SIZE);
		p[300] = 7000 + i % KINDS;
		m->book->host[i] = 0;
	}
	change_end(m, page, n, 0);
}

static bool kinds_are_right(struct mem *m)
{
	for (u64 i = 0; i < m->pages; i++)
		if (mem_page(m, i)[300] != 7000 + i % KINDS)
			return false;
	return true;
}

static bool wait_until_merged(struct mem *m, long at_least)
{
	u64 end = now_ns() + 60000000000UL;

	while (now_ns() < end && merged() < at_least)
		if (!mem_go_on(m, 50))
			return false;
	return merged() >= at_least;
}

/* ksmd takes no note of a page's parting before it comes there again. */
static bool wait_until_parted(struct mem *m, long fewer)
{
	mem_pause(m);
	for (int i = 0; i < 20000 && merged() >= fewer; i++)
		usleep(1000);
	mem_resume(m);
	return merged() < fewer;
}

/* vCPUs only read from now on, and most pages are merged. */
static bool merge_all(struct mem *m)
{
	m->book->readonly = 1;
	if (!mem_go_on(m, 10))
		return false;
	make_alike(m, 0, PAGES);
	return !write_text(KSM "run", "1") && wait_until_merged(m, PAGES - PAGES / 8);
}

/* They read while all is merged, then write everywhere while ksmd goes on. */
TEST_F_TIMEOUT(ksm, merged_and_parted, 120)
{
	struct mem *m = &self->m;

	NEED_KSM();
	mem_run(m);
	for (u64 round = 0; round < mem_rounds(4); round++) {
		ASSERT_TRUE(merge_all(m));
		ASSERT_TRUE(mem_go_on(m, 3000));
		m->book->readonly = 0;
		for (int i = 0; i < 40; i++)
			mem_host_writes(m, mem_random(m, PAGES));
		ASSERT_TRUE(mem_go_on(m, 6000));
		EXPECT_TRUE(kinds_are_right(m));
	}
	EXPECT_TRUE(wait_until_parted(m, PAGES / 2));
	EXPECT_TRUE(mem_stop(m));
	EXPECT_TRUE(kinds_are_right(m));
}

/* ksmd has to give up a page again and again because somebody writes to it. */
TEST_F_TIMEOUT(ksm, alike_while_written, 120)
{
	struct mem *m = &self->m;
	long stale, faults, most = 0;

	NEED_KSM();
	m->book->near = 512;
	make_alike(m, 0, PAGES);
	ASSERT_EQ(0, write_text(KSM "run", "1"));
	mem_run(m);
	for (u64 round = 0; round < mem_rounds(20); round++) {
		make_alike(m, mem_random(m, PAGES - 200), 200);
		/* ksmd takes what stays as it is for two scans: let it have some. */
		mem_pause(m);
		for (int i = 0; i < 20000 && merged() < 50; i++)
			usleep(1000);
		mem_resume(m);
		if (merged() > most)
			most = merged();
		ASSERT_TRUE(mem_go_on(m, 300));
	}
	stale = vm_counter(m->vm, "tdp_stale_faults");
	faults = vm_counter(m->vm, "tdp_faults");
	TH_LOG("at most %ld pages were merged, %ld full scans, %ld of %ld faults were stale", most,
	       read_number(KSM "full_scans"), stale, faults);
	EXPECT_LE(50, most);
	/* A vCPU whose page ksmd is at waits for ksmd, and leaves it the CPU. */
	if (!dev_is_stock())
		EXPECT_LT(stale, faults / 2);
	EXPECT_TRUE(mem_stop(m));
	EXPECT_TRUE(kinds_are_right(m));
}

/* Merged, parted and logged: neither ksmd nor a vCPU's copy may lose a bit of the log. */
TEST_F_TIMEOUT(ksm, logged, 120)
{
	struct mem_log *l = &self->log;
	struct mem *m = &self->m;

	NEED_KSM();
	log_init(l, m);
	mem_run(m);
	for (u64 round = 0; round < mem_rounds(2); round++) {
		/* Logged before pages are merged, or after. */
		if (round & 1)
			log_set(l, true);
		ASSERT_TRUE(merge_all(m));
		log_set(l, true);
		mem_pause(m);
		log_take(l);
		memcpy(l->copy, m->area, SIZE);
		m->book->readonly = 0;
		for (int i = 0; i < 20; i++) {
			mem_resume(m);
			ASSERT_TRUE(log_is_exact_after(l, 100));
		}
		mem_resume(m);
		log_set(l, false);
		ASSERT_TRUE(mem_go_on(m, 1000));
	}
	TH_LOG("%lu pages were in the log, %ld are merged", l->named, merged());
	EXPECT_LT((u64)mem_rounds(100), l->named);
	EXPECT_TRUE(mem_stop(m));
	EXPECT_TRUE(kinds_are_right(m));
}

/* Huge pages are split for it, and the host makes new ones of what was merged. */
TEST_F_TIMEOUT(ksm, large_pages_merged, 120)
{
	struct mem *m = &self->m;

	NEED_KSM();
	madvise(m->area, SIZE, MADV_HUGEPAGE);
	mem_run(m);
	for (u64 round = 0; round < mem_rounds(2); round++) {
		m->book->readonly = 1;
		ASSERT_EQ(0, write_text(KSM "run", "2"));
		ASSERT_TRUE(mem_go_on(m, 10));
		make_alike(m, 0, PAGES);
		madvise(m->area, SIZE, MADV_COLLAPSE);
		ASSERT_TRUE(mem_go_on(m, 2000));
		ASSERT_EQ(0, write_text(KSM "run", "1"));
		ASSERT_TRUE(wait_until_merged(m, PAGES - PAGES / 8));
		m->book->readonly = 0;
		ASSERT_TRUE(mem_go_on(m, 4000));
		/* "2" parts all pages at once; vCPUs go on. */
		ASSERT_EQ(0, write_text(KSM "run", "2"));
		EXPECT_EQ(0, merged());
		ASSERT_TRUE(mem_go_on(m, 1000));
	}
	EXPECT_TRUE(mem_stop(m));
	EXPECT_TRUE(kinds_are_right(m));
}

TEST_HARNESS_MAIN
