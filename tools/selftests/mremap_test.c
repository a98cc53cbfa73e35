// SPDX-License-Identifier: GPL-2.0
/*
 * mremap_test - the VMM rearranges its address space while vCPUs run on it
 *
 * A slot is a range of the VMM's addresses, whatever is there.  mremap(), munmap(), mmap()
 * over it, mprotect(), madvise(), fork(), a shorter file and migration change what is there.
 * The guest is mem_util.h's, which knows every word.
 *
 * Guards: when such a call has returned, vCPUs use what is there now, and nobody writes to
 * what was there before; where nothing is, KVM_RUN fails with EFAULT, in the meantime only;
 * what only moves, or is only copied, keeps its contents.
 */
#include <kselftest_harness.h>

#include "mem_util.h"

#define SIZE		(2 * LARGE)
#define PAGES		(SIZE / PAGE_SIZE)

FIXTURE(map) {
	struct mem m;
};

FIXTURE_SETUP(map)
{
	mem_before(&self->m);
	mem_init(&self->m, mem_aligned(SIZE), SIZE);
	/* Some has small pages only, some large ones if the host likes. */
	madvise(self->m.area, LARGE, MADV_NOHUGEPAGE);
	madvise(self->m.area + LARGE, LARGE, MADV_HUGEPAGE);
}

FIXTURE_TEARDOWN(map)
{
	EXPECT_TRUE(mem_nothing_left(&self->m));
	EXPECT_FALSE(log_has_warning());
}

/* A run of pages to do something to. */
struct some {
	u64 page, n, bytes;
	void *at;
};

static struct some choose(struct mem *m, u64 most)
{
	struct some s = { .n = 1 + mem_random(m, most) };

	/* Of one kind: mremap() wants a single mapping. */
	s.page = mem_random(m, m->pages / 2 - s.n) + mem_random(m, 2) * m->pages / 2;
	s.bytes = s.n * PAGE_SIZE;
	s.at = mem_page(m, s.page);
	return s;
}

static void *map_at(void *at, u64 bytes)
{
	void *p = mmap(at, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);

	if (p == MAP_FAILED)
		die("mmap: %m");
	return p;
}

static u64 sum_of(const void *mem, u64 bytes)
{
	const volatile u64 *p = mem;
	u64 sum = 0;

	for (u64 i = 0; i < bytes / 8; i++)
		sum = sum * 31 + p[i];
	return sum;
}

static u64 rounds(u64 with_two_cpus)
{
	return mem_rounds(host_cpus() > 1 ? with_two_cpus : with_two_cpus / 2);
}

/* Pages go elsewhere and come back: as they were, and nobody wrote meanwhile. */
TEST_F_TIMEOUT(map, moved_away_and_back, 60)
{
	struct mem *m = &self->m;

	mem_run(m);
	ASSERT_TRUE(mem_go_on(m, 5000));
	for (u64 i = 0; i < rounds(80); i++) {
		struct some s = choose(m, 64);
		void *away = map_at(NULL, s.bytes);
		u64 sum;

		hole_begin(m);
		ASSERT_EQ(away, mremap(s.at, s.bytes, s.bytes,
				       MREMAP_MAYMOVE | MREMAP_FIXED, away));
		sum = sum_of(away, s.bytes);
		if (i % 4 == 0)
			usleep(2000);
		ASSERT_EQ(sum, sum_of(away, s.bytes));
		ASSERT_EQ(s.at, mremap(away, s.bytes, s.bytes,
				       MREMAP_MAYMOVE | MREMAP_FIXED, s.at));
		hole_end(m);
		ASSERT_TRUE(mem_go_on(m, 100));
	}
	EXPECT_LT(0UL, mem_efaults(m));
	EXPECT_TRUE(mem_stop(m));
}

/* Other memory is moved to where the vCPUs look: there is no time with nothing there. */
TEST_F_TIMEOUT(map, other_memory_moved_in, 60)
{
	struct mem *m = &self->m;

	mem_run(m);
	for (u64 i = 0; i < rounds(80); i++) {
		struct some s = choose(m, 64);
		u64 *fresh = map_at(NULL, s.bytes);

		for (u64 k = 0; k < s.bytes / 8; k++)
			fresh[k] = 5000 + i;
		change_begin(m, s.page, s.n);
		hole_begin(m);
		for (u64 k = 0; k < s.n; k++)
			m->book->host[s.page + k] = 5000 + i;
		ASSERT_EQ(s.at, mremap(fresh, s.bytes, s.bytes,
				       MREMAP_MAYMOVE | MREMAP_FIXED, s.at));
		hole_end(m);
		change_end(m, s.page, s.n, 5000 + i);
		ASSERT_TRUE(mem_go_on(m, 100));
	}
	EXPECT_TRUE(mem_stop(m));
}

/* munmap: a hole, till something new is there. */
TEST_F_TIMEOUT(map, unmapped_and_mapped, 60)
{
	struct mem *m = &self->m;

	mem_run(m);
	for (u64 i = 0; i < rounds(100); i++) {
		struct some s = choose(m, 100);

		change_begin(m, s.page, s.n);
		hole_begin(m);
		ASSERT_EQ(0, munmap(s.at, s.bytes));
		if (i % 4 == 0)
			usleep(1000);
		map_at(s.at, s.bytes);
		hole_end(m);
		change_end(m, s.page, s.n, 0);
		ASSERT_TRUE(mem_go_on(m, 100));
	}
	EXPECT_LT(0UL, mem_efaults(m));
	EXPECT_TRUE(mem_stop(m));
}

/*
 * What was there lives on elsewhere, in a file: vCPUs that still had it would be seen to
 * write to it.
 */
TEST_F_TIMEOUT(map, replaced_by_a_file_and_back, 60)
{
	int fd = memfd_create("pages", 0);
	struct mem *m = &self->m;
	u8 *file;

	ASSERT_EQ(0, ftruncate(fd, SIZE));
	file = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)file);
	mem_run(m);
	for (u64 i = 0; i < rounds(100); i++) {
		struct some s = choose(m, 64);
		u8 *there = file + s.page * PAGE_SIZE;
		u64 sum;

		memset(there, 0, s.bytes);
		change_begin(m, s.page, s.n);
		hole_begin(m);
		ASSERT_EQ(s.at, mmap(s.at, s.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
				     fd, s.page * PAGE_SIZE));
		hole_end(m);
		change_end(m, s.page, s.n, 0);
		ASSERT_TRUE(mem_go_on(m, 150));
		change_begin(m, s.page, s.n);
		hole_begin(m);
		map_at(s.at, s.bytes);
		hole_end(m);
		sum = sum_of(there, s.bytes);
		change_end(m, s.page, s.n, 0);
		ASSERT_TRUE(mem_go_on(m, 100));
		ASSERT_EQ(sum, sum_of(there, s.bytes));
	}
	EXPECT_TRUE(mem_stop(m));
	close(fd);
}

/* No access, or none to write: nothing changes while it is so, and nothing is lost. */
TEST_F_TIMEOUT(map, protected, 60)
{
	struct mem *m = &self->m;

	mem_run(m);
	for (u64 i = 0; i < rounds(200); i++) {
		struct some s = choose(m, 64);
		u64 sum;

		hole_begin(m);
		ASSERT_EQ(0, mprotect(s.at, s.bytes, PROT_READ));
		sum = sum_of(s.at, s.bytes);
		if (i & 1)
			ASSERT_EQ(0, mprotect(s.at, s.bytes, PROT_NONE));
		if (i % 8 == 0)
			usleep(2000);
		ASSERT_EQ(0, mprotect(s.at, s.bytes, PROT_READ));
		ASSERT_EQ(sum, sum_of(s.at, s.bytes));
		ASSERT_EQ(0, mprotect(s.at, s.bytes, PROT_READ | PROT_WRITE));
		hole_end(m);
		ASSERT_TRUE(mem_go_on(m, 50));
	}
	EXPECT_LT(0UL, mem_efaults(m));
	EXPECT_TRUE(mem_stop(m));
}

/* MADV_DONTNEED: zero from then on.  MADV_FREE: it may be, at a time of the host's choice. */
TEST_F_TIMEOUT(map, thrown_away, 60)
{
	struct mem *m = &self->m;

	mem_run(m);
	for (u64 i = 0; i < rounds(200); i++) {
		struct some s = choose(m, i % 8 ? 32 : 500);

		change_begin(m, s.page, s.n);
		if (i % 3 == 0) {
			ASSERT_EQ(0, madvise(s.at, s.bytes, MADV_FREE));
			ASSERT_EQ(0, madvise(s.at, s.bytes, MADV_PAGEOUT));
		}
		ASSERT_EQ(0, madvise(s.at, s.bytes, MADV_DONTNEED));
		change_end(m, s.page, s.n, 0);
		ASSERT_TRUE(mem_go_on(m, 60));
	}
	EXPECT_TRUE(mem_stop(m));
}

/* Pages said to be cold, a part of a large one too, are what they were. */
TEST_F_TIMEOUT(map, cold, 60)
{
	struct mem *m = &self->m;

	mem_run(m);
	ASSERT_TRUE(mem_go_on(m, 5000));
	for (u64 i = 0; i < rounds(100); i++) {
		struct some s = choose(m, i % 8 ? 32 : 500);

		ASSERT_EQ(0, madvise(s.at, s.bytes, MADV_COLD));
		if (i & 1)
			ASSERT_EQ(0, madvise(s.at, s.bytes, MADV_PAGEOUT));
		ASSERT_TRUE(mem_go_on(m, 50));
	}
	EXPECT_EQ(0UL, mem_efaults(m));
	EXPECT_TRUE(mem_stop(m));
}

/* What a vCPU writes after MADV_FREE is not thrown away. */
TEST_F_TIMEOUT(map, free_is_taken_back_by_a_write, 60)
{
	struct mem *m = &self->m;

	mem_run(m);
	ASSERT_TRUE(mem_go_on(m, 3000));
	for (u64 i = 0; i < rounds(40); i++) {
		struct some s = choose(m, 64);

		mem_pause(m);
		change_begin(m, s.page, s.n);
		ASSERT_EQ(0, madvise(s.at, s.bytes, MADV_DONTNEED));
		change_end(m, s.page, s.n, 0);
		/* Zero pages may be freed: they look the same, until one is written. */
		for (u64 k = 0; k < s.n; k++)
			((volatile u64 *)mem_page(m, s.page + k))[HOST_WORD] = 0;
		ASSERT_EQ(0, madvise(s.at, s.bytes, MADV_FREE));
		for (u64 k = 0; k < s.n; k++)
			m->book->host[s.page + k] = 0;
		mem_resume(m);
		madvise(s.at, s.bytes, MADV_PAGEOUT);
		ASSERT_TRUE(mem_go_on(m, 150));
	}
	EXPECT_TRUE(mem_stop(m));
}

/*
 * A child has a copy of the memory as it was.  The VMM goes on with its own: the vCPUs'
 * writes do not get into the child's, nor the child's into what they read.
 */
static void scribble(struct mem *m)
{
	for (u64 n = 0; n < PAGES; n += 1 + mem_random(m, 4))
		for (int i = 0; i < VISITORS; i++) {
			mem_page(m, n)[FRONT(i)] = 0xbad;
			mem_page(m, n)[BACK(i)] = 0xbad;
		}
}

static int child_watches(struct mem *m, int from_parent, int to_parent)
{
	u64 sum = sum_of(m->area, SIZE), n = 0;
	char c;

	/* The copy was made when nobody knows; after that it is the child's. */
	while (read(from_parent, &c, 1) == 1) {
		n++;
		if (sum_of(m->area, SIZE) != sum)
			return 1;
		scribble(m);
		sum = sum_of(m->area, SIZE);
		if (write(to_parent, &c, 1) != 1)
			return 3;
	}
	return n ? 0 : 2;
}

TEST_F_TIMEOUT(map, forked, 60)
{
	struct mem *m = &self->m;

	mem_run(m);
	ASSERT_TRUE(mem_go_on(m, 5000));
	for (u64 i = 0; i < rounds(6); i++) {
		int down[2], up[2], status;
		pid_t pid;
		char c;

		ASSERT_EQ(0, pipe(down));
		ASSERT_EQ(0, pipe(up));
		pid = fork();
		if (!pid) {
			close(down[1]);
			_exit(child_watches(m, down[0], up[1]));
		}
		close(down[0]);
		close(up[1]);
		for (int k = 0; k < 2; k++) {
			mem_host_writes(m, mem_random(m, PAGES));
			/* Now the vCPUs part more pages first, now the child. */
			ASSERT_TRUE(mem_go_on(m, i & 1 ? 500 : 20));
			ASSERT_EQ(1, write(down[1], "x", 1));
			ASSERT_EQ(1, read(up[0], &c, 1));
		}
		close(down[1]);
		ASSERT_TRUE(mem_go_on(m, 500));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		close(up[0]);
		EXPECT_EQ(0, status);
	}
	EXPECT_TRUE(mem_stop(m));
}

/* A file behind the slot gets shorter and longer, and holes. */
TEST_F_TIMEOUT(map, truncated, 60)
{
	int fd = memfd_create("memory", 0);
	struct mem *m = &self->m;

	ASSERT_EQ(0, ftruncate(fd, SIZE));
	ASSERT_EQ((void *)m->area, mmap(m->area, SIZE, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_FIXED, fd, 0));
	mem_run(m);
	for (u64 i = 0; i < rounds(80); i++) {
		struct some s = choose(m, 32);
		u64 from = i & 1 ? s.page : PAGES - 1 - mem_random(m, 200);
		u64 n = i & 1 ? s.n : PAGES - from;

		change_begin(m, from, n);
		if (i % 4 == 1) {
			ASSERT_EQ(0, madvise(mem_page(m, from), n * PAGE_SIZE, MADV_REMOVE));
		} else if (i & 1) {
			ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					       from * PAGE_SIZE, n * PAGE_SIZE));
		} else {
			hole_begin(m);
			ASSERT_EQ(0, ftruncate(fd, from * PAGE_SIZE));
			if (i % 8 == 0)
				usleep(1000);
			ASSERT_EQ(0, ftruncate(fd, SIZE));
			hole_end(m);
		}
		change_end(m, from, n, 0);
		ASSERT_TRUE(mem_go_on(m, 100));
	}
	EXPECT_TRUE(mem_stop(m));
	close(fd);
}

/* The pages of the area whose frames are others than those in @frames, which is brought up. */
static u64 moved_since(struct mem *m, u64 *frames)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	u64 moved = 0;

	for (u64 i = 0; i < PAGES; i++) {
		u64 at = (u64)mem_page(m, i) / PAGE_SIZE * sizeof(u64), now;

		if (pread(fd, &now, sizeof(now), at) != sizeof(now))
			die("pagemap: %m");
		now &= PM_FRAME;
		moved += frames[i] && now && now != frames[i];
		frames[i] = now;
	}
	close(fd);
	return moved;
}

static int block_state(int block, const char *state)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%d/state", block);
	return write_text(path, state);
}

/* A block of memory that will hold nothing but what can be moved elsewhere, or -1. */
static int movable_block(void)
{
	for (int block = 64; block >= 0; block--) {
		if (block_state(block, "offline"))
			continue;
		if (!block_state(block, "online_movable"))
			return block;
		block_state(block, "online");
	}
	return -1;
}

/* The memory that the pages are in is taken away: all of them move, small and large. */
TEST_F_TIMEOUT(map, migrated, 120)
{
	int block = movable_block();
	u64 *frames = calloc(PAGES, sizeof(u64));
	struct mem *m = &self->m;
	u64 moved;

	if (block < 0)
		SKIP(return, "no memory can be taken away");
	mem_run(m);
	for (u64 round = 0; round < mem_rounds(3); round++) {
		/* User memory is taken from there first. */
		change_begin(m, 0, PAGES);
		madvise(m->area, SIZE, MADV_DONTNEED);
		change_end(m, 0, PAGES, 0);
		ASSERT_TRUE(mem_go_on(m, 2000));
		moved_since(m, frames);
		ASSERT_EQ(0, block_state(block, "offline"));
		moved = moved_since(m, frames);
		TH_LOG("%lu pages moved", moved);
		EXPECT_LT(PAGES / 2, moved);
		ASSERT_TRUE(mem_go_on(m, 2000));
		ASSERT_EQ(0, block_state(block, "online_movable"));
	}
	EXPECT_TRUE(mem_stop(m));
	EXPECT_EQ(0, block_state(block, "offline"));
	EXPECT_EQ(0, block_state(block, "online"));
	free(frames);
}

TEST_HARNESS_MAIN
