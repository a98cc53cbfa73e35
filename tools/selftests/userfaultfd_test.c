// SPDX-License-Identifier: GPL-2.0
/*
 * userfaultfd_test - memory that the VMM brings when a vCPU wants it
 *
 * Post-copy: vCPUs run while their memory is still elsewhere.  A handler thread brings the
 * page that one waits for, another thread those that nobody waits for yet, and they race.
 * The reverse is a snapshot: all is write-protected, and a page is saved before the first
 * write to it goes on.  The guest is mem_util.h's, which knows every word.
 *
 * Guards: a page is there with its contents when a vCPU gets on, for anonymous and shared
 * memory, and each comes once, whoever waits for it; no write slips past the protection,
 * large page or small; a vCPU that waits does not keep another from running, nor its VMM
 * from being killed, and goes on when nobody is to bring the page any more.
 */
#include <kselftest_harness.h>

#include <linux/userfaultfd.h>
#include <poll.h>

#include "mem_util.h"

#define SIZE		(2 * LARGE)
#define PAGES		(SIZE / PAGE_SIZE)
#define NAME(n)		(0x7117000000000000UL | (n) << 8)

enum { BY_COPY, BY_ZEROS, BY_CONTINUE, BY_PROTECTION };

/* Where pages come from, or go to. */
struct post {
	struct mem *m;
	int fd, how;
	u8 *src;			/* their contents; of a snapshot: what was saved */
	u8 *alias;			/* shared memory, where it can be filled unseen */
	volatile bool stop;
	pthread_t handler, pusher;
	u64 faults, pushed, brought;
	pthread_mutex_t lock;		/* of a snapshot: saving and unprotecting are one */
	bool saved[PAGES];
};

FIXTURE(uffd) {
	struct mem m;
	struct post p;
};

FIXTURE_SETUP(uffd)
{
	mem_before(&self->m);
	self->p.fd = -1;
	self->p.m = &self->m;
	pthread_mutex_init(&self->p.lock, NULL);
}

FIXTURE_TEARDOWN(uffd)
{
	EXPECT_TRUE(mem_nothing_left(&self->m));
	EXPECT_FALSE(log_has_warning());
}

/* False: this kernel has no such mode for this memory. */
static bool start_uffd(struct post *p, u64 features, u64 mode, u64 needed)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register reg = {
		.range = { (u64)p->m->area, SIZE }, .mode = mode,
	};

	p->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (p->fd < 0 || ioctl(p->fd, UFFDIO_API, &api) || ioctl(p->fd, UFFDIO_REGISTER, &reg))
		return false;
	return reg.ioctls >> needed & 1;
}

static bool bring(struct post *p, u64 n)
{
	u64 addr = (u64)mem_page(p->m, n);
	int ret;

	if (p->how == BY_COPY) {
		struct uffdio_copy copy = {
			.dst = addr, .src = (u64)p->src + n * PAGE_SIZE, .len = PAGE_SIZE,
		};

		ret = ioctl(p->fd, UFFDIO_COPY, &copy);
	} else if (p->how == BY_ZEROS) {
		struct uffdio_zeropage zero = { .range = { addr, PAGE_SIZE } };

		ret = ioctl(p->fd, UFFDIO_ZEROPAGE, &zero);
	} else {
		struct uffdio_continue cont = { .range = { addr, PAGE_SIZE } };

		ret = ioctl(p->fd, UFFDIO_CONTINUE, &cont);
	}
	/* The other thread was first; its wake-up may be too early for a later waiter. */
	if (ret && errno == EEXIST) {
		struct uffdio_range range = { addr, PAGE_SIZE };

		ioctl(p->fd, UFFDIO_WAKE, &range);
		return false;
	}
	if (ret)
		die("page %lu: %m", n);
	__sync_fetch_and_add(&p->brought, 1);
	return true;
}

static void unprotect(struct post *p, u64 n)
{
	struct uffdio_writeprotect wp = { .range = { (u64)mem_page(p->m, n), PAGE_SIZE } };

	pthread_mutex_lock(&p->lock);
	if (!p->saved[n])
		memcpy(p->src + n * PAGE_SIZE, mem_page(p->m, n), PAGE_SIZE);
	p->saved[n] = true;
	if (ioctl(p->fd, UFFDIO_WRITEPROTECT, &wp))
		die("UFFDIO_WRITEPROTECT: %m");
	pthread_mutex_unlock(&p->lock);
}

static void *handler_thread(void *arg)
{
	struct post *p = arg;
	struct uffd_msg msg;

	while (!p->stop) {
		struct pollfd poller = { .fd = p->fd, .events = POLLIN };
		u64 n;

		if (poll(&poller, 1, 20) <= 0 || read(p->fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		n = (msg.arg.pagefault.address - (u64)p->m->area) / PAGE_SIZE;
		p->faults++;
		if (p->how == BY_PROTECTION)
			unprotect(p, n);
		else
			bring(p, n);
	}
	return NULL;
}

/* All pages, those first that nobody is near to. */
static void *pusher_thread(void *arg)
{
	struct post *p = arg;

	for (u64 i = 0; i < PAGES && !p->stop; i++) {
		u64 n = i * 769 % PAGES;

		if (p->how == BY_PROTECTION)
			unprotect(p, n);
		else
			p->pushed += bring(p, n);
		if (i % 8 == 0)
			usleep(200);
	}
	return NULL;
}

static void start_threads(struct post *p)
{
	p->stop = false;
	if (pthread_create(&p->handler, NULL, handler_thread, p) ||
	    pthread_create(&p->pusher, NULL, pusher_thread, p))
		die("pthread_create");
}

/* Once everything has been pushed, nobody can fault any more. */
static void end_threads(struct post *p)
{
	pthread_join(p->pusher, NULL);
	p->stop = true;
	pthread_join(p->handler, NULL);
}

/* The words as a VM that ran elsewhere would have left them. */
static void fill_source(struct post *p)
{
	struct mem *m = p->m;

	if (p->how == BY_ZEROS)
		return;
	for (u64 n = 0; n < PAGES; n++) {
		u64 *page = (u64 *)(p->src + n * PAGE_SIZE);

		for (int i = 0; i < VISITORS; i++) {
			page[FRONT(i)] = NAME(n);
			page[BACK(i)] = NAME(n);
		}
		page[HOST_WORD] = NAME(n) + 1;
		page[NAME_WORD] = NAME(n) + 2;
		m->book->base[n] = NAME(n);
		m->book->host[n] = NAME(n) + 1;
	}
}

static bool names_are_right(struct post *p)
{
	for (u64 n = 0; n < PAGES; n++)
		if (mem_page(p->m, n)[NAME_WORD] != (p->how == BY_ZEROS ? 0 : NAME(n) + 2))
			return false;
	return true;
}

/* Pages go away and are brought again, in another run, with other contents. */
static void post_copy(struct __test_metadata *_metadata, struct post *p,
		      void (*forget)(struct post *))
{
	struct mem *m = p->m;

	for (u64 round = 0; round < mem_rounds(3); round++) {
		if (round) {
			mem_pause(m);
			for (u64 n = 0; n < PAGES; n++)
				m->book->epoch[n] += 2;
			forget(p);
			fill_source(p);
			start_threads(p);
			mem_resume(m);
		} else {
			fill_source(p);
			start_threads(p);
			mem_run(m);
		}
		ASSERT_TRUE(mem_go_on(m, 3000));
		end_threads(p);
		EXPECT_EQ((round + 1) * PAGES, p->brought);
		ASSERT_TRUE(mem_go_on(m, 2000));
	}
	TH_LOG("%lu faults were told, %lu pages pushed", p->faults, p->pushed);
	EXPECT_LT(mem_rounds(30), p->faults);
	EXPECT_LT(mem_rounds(30), p->pushed);
	EXPECT_TRUE(mem_stop(m));
	EXPECT_TRUE(names_are_right(p));
}

static void forget_anon(struct post *p)
{
	if (madvise(p->m->area, SIZE, MADV_DONTNEED))
		die("MADV_DONTNEED: %m");
}

TEST_F_TIMEOUT(uffd, post_copy_anonymous, 100)
{
	struct post *p = &self->p;

	mem_init(&self->m, mem_aligned(SIZE), SIZE);
	p->src = vm_anon(SIZE);
	p->how = BY_COPY;
	ASSERT_TRUE(start_uffd(p, 0, UFFDIO_REGISTER_MODE_MISSING, _UFFDIO_COPY));
	post_copy(_metadata, p, forget_anon);
}

/* Pages of zeros: first the host's one for all, then, with the first write, one's own. */
TEST_F_TIMEOUT(uffd, post_copy_zeros, 100)
{
	struct post *p = &self->p;

	mem_init(&self->m, mem_aligned(SIZE), SIZE);
	p->how = BY_ZEROS;
	ASSERT_TRUE(start_uffd(p, 0, UFFDIO_REGISTER_MODE_MISSING, _UFFDIO_ZEROPAGE));
	post_copy(_metadata, p, forget_anon);
}

/* Shared memory: twice the same file. */
static void init_shared(struct post *p)
{
	int fd = memfd_create("memory", 0);
	u8 *area;

	if (ftruncate(fd, SIZE))
		die("ftruncate: %m");
	area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p->alias = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (area == MAP_FAILED || p->alias == MAP_FAILED)
		die("mmap: %m");
	mem_init(p->m, area, SIZE);
	close(fd);
}

static void forget_shared(struct post *p)
{
	if (madvise(p->m->area, SIZE, MADV_REMOVE))
		die("MADV_REMOVE: %m");
}

TEST_F_TIMEOUT(uffd, post_copy_shared, 100)
{
	struct post *p = &self->p;

	init_shared(p);
	p->src = vm_anon(SIZE);
	p->how = BY_COPY;
	ASSERT_TRUE(start_uffd(p, UFFD_FEATURE_MISSING_SHMEM, UFFDIO_REGISTER_MODE_MISSING,
			       _UFFDIO_COPY));
	post_copy(_metadata, p, forget_shared);
}

/* The file's pages are there, but not mapped: they come without a copy. */
static void forget_minor(struct post *p)
{
	if (madvise(p->m->area, SIZE, MADV_DONTNEED))
		die("MADV_DONTNEED: %m");
}

TEST_F_TIMEOUT(uffd, post_copy_minor, 100)
{
	struct post *p = &self->p;

	init_shared(p);
	p->src = p->alias;
	p->how = BY_CONTINUE;
	if (!start_uffd(p, UFFD_FEATURE_MINOR_SHMEM, UFFDIO_REGISTER_MODE_MINOR,
			_UFFDIO_CONTINUE))
		SKIP(return, "no minor faults");
	post_copy(_metadata, p, forget_minor);
}

/* ---------------------------------------------------------------- a snapshot */

TEST_F_TIMEOUT(uffd, snapshot_while_running, 100)
{
	struct post *p = &self->p;
	struct mem *m = &self->m;
	u8 *truth = vm_anon(SIZE);

	mem_init(m, mem_aligned(SIZE), SIZE);
	memset(m->area, 0, SIZE);
	p->src = vm_anon(SIZE);
	p->how = BY_PROTECTION;
	if (!start_uffd(p, UFFD_FEATURE_PAGEFAULT_FLAG_WP, UFFDIO_REGISTER_MODE_WP,
			_UFFDIO_WRITEPROTECT))
		SKIP(return, "no write-protection");
	mem_run(m);
	for (u64 round = 0; round < mem_rounds(5); round++) {
		struct uffdio_writeprotect wp = {
			.range = { (u64)m->area, SIZE }, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
		};

		for (u64 n = 0; n < SIZE / LARGE; n++)
			madvise(m->area + n * LARGE, LARGE, MADV_COLLAPSE);
		ASSERT_TRUE(mem_go_on(m, 1500));
		mem_pause(m);
		memcpy(truth, m->area, SIZE);
		memset(p->saved, 0, sizeof(p->saved));
		ASSERT_EQ(0, ioctl(p->fd, UFFDIO_WRITEPROTECT, &wp));
		start_threads(p);
		mem_resume(m);
		ASSERT_TRUE(mem_go_on(m, 1500));
		end_threads(p);
		EXPECT_EQ(0, memcmp(truth, p->src, SIZE));
	}
	TH_LOG("%lu writes had to wait", p->faults);
	EXPECT_LT(mem_rounds(50), p->faults);
	EXPECT_TRUE(mem_stop(m));
}

/* ---------------------------------------------------------- one that never comes */

static void wait_for_a_fault(struct post *p)
{
	struct pollfd poller = { .fd = p->fd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&poller, 1, 20000) <= 0 || read(p->fd, &msg, sizeof(msg)) != sizeof(msg))
		die("nobody faults");
}

/* A vCPU waits for a page; the other one uses others, till it wants the same. */
TEST_F_TIMEOUT(uffd, others_go_on, 60)
{
	struct post *p = &self->p;
	struct mem *m = &self->m;
	u64 before;

	mem_init(m, mem_aligned(SIZE), SIZE);
	p->src = vm_anon(SIZE);
	p->how = BY_COPY;
	fill_source(p);
	ASSERT_TRUE(start_uffd(p, 0, UFFDIO_REGISTER_MODE_MISSING, _UFFDIO_COPY));
	/* All but page 0, where only the first vCPU will look. */
	for (u64 n = 1; n < PAGES; n++)
		ASSERT_TRUE(bring(p, n));
	m->book->pages = 1;
	ASSERT_EQ(0, pthread_create(&m->visitor[0].thread, NULL, visitor_thread, &m->visitor[0]));
	wait_for_a_fault(p);
	m->book->pages = 16;
	m->book->near = 1;
	/* Its random numbers bring it to page 0 as well, sooner or later. */
	ASSERT_EQ(0, pthread_create(&m->visitor[1].thread, NULL, visitor_thread, &m->visitor[1]));
	m->running = true;
	wait_for_a_fault(p);
	before = m->book->turns[1];
	EXPECT_EQ(0UL, m->book->turns[0]);
	EXPECT_LT(0UL, before);
	usleep(100000);
	EXPECT_EQ(0UL, m->book->turns[0]);
	EXPECT_EQ(before, m->book->turns[1]);
	ASSERT_TRUE(bring(p, 0));
	m->book->pages = PAGES;
	ASSERT_TRUE(mem_go_on(m, 2000));
	EXPECT_TRUE(mem_stop(m));
	EXPECT_TRUE(names_are_right(p));
}

/* The VMM is killed with both vCPUs waiting; the parent waits for its end. */
static void wait_for_ever(struct post *p)
{
	mem_init(p->m, mem_aligned(SIZE), SIZE);
	p->how = BY_COPY;
	if (!start_uffd(p, 0, UFFDIO_REGISTER_MODE_MISSING, _UFFDIO_COPY))
		die("userfaultfd: %m");
	mem_run(p->m);
	wait_for_a_fault(p);
	wait_for_a_fault(p);
	kill(getppid(), SIGUSR1);
	for (;;)
		pause();
}

TEST_F_TIMEOUT(uffd, killed_while_waiting, 60)
{
	sigset_t usr1;
	int status;
	pid_t pid;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	for (int i = 0; i < 5; i++) {
		struct timespec limit = { .tv_sec = 20 };

		pid = fork();
		if (!pid)
			wait_for_ever(&self->p);
		ASSERT_EQ(SIGUSR1, sigtimedwait(&usr1, NULL, &limit));
		usleep(i * 1000);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
}

/* Nobody will bring pages any more, and vCPUs wait: they go on, with pages of zeros. */
static void given_up(struct __test_metadata *_metadata, struct post *p, bool closed)
{
	struct uffdio_range range = { .len = SIZE };
	struct mem *m = p->m;

	mem_init(m, mem_aligned(SIZE), SIZE);
	ASSERT_TRUE(start_uffd(p, 0, UFFDIO_REGISTER_MODE_MISSING, _UFFDIO_COPY));
	mem_run(m);
	wait_for_a_fault(p);
	wait_for_a_fault(p);
	range.start = (u64)m->area;
	ASSERT_EQ(0, closed ? close(p->fd) : ioctl(p->fd, UFFDIO_UNREGISTER, &range));
	ASSERT_TRUE(mem_go_on(m, 3000));
	EXPECT_TRUE(mem_stop(m));
}

TEST_F_TIMEOUT(uffd, closed_while_waiting, 60)
{
	given_up(_metadata, &self->p, true);
}

TEST_F_TIMEOUT(uffd, unregistered_while_waiting, 60)
{
	given_up(_metadata, &self->p, false);
}

TEST_HARNESS_MAIN
