/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mem_util.h - what the tests share in which the host takes a guest's memory away and gives
 * it back while vCPUs use it: a guest that knows what it must find in every word
 *
 * Two vCPUs visit the pages of an area in random order.  Each has two words of its own in
 * every page, one near its start and one at its end, and the host has one.  A vCPU reads
 * its words, compares them with what it wrote there last, writes a value that it has never
 * written before to both, and remembers that.  What it remembers is kept in a book that is
 * memory of its own, and that the host leaves alone.
 *
 * Most of what a host does must not change what is in memory.  Where it does (a page is
 * thrown away, or replaced), the page has an epoch, odd while that goes on:
 *
 *	host				vCPU
 *	  epoch is made odd		  e = epoch
 *	  old page goes, new one comes	  read words; if the epoch is still e, and e even:
 *	  base: what its words are now	    they are what was written in epoch e,
 *	  epoch is made even		    or e is new, and they are the base
 *					  write; if the epoch still is e, that was in e
 *
 * A write that went on while the epoch changed may be there or not; no other may.
 *
 * A page that nobody can reach makes KVM_RUN fail with EFAULT.  The host says so in advance
 * (hole_begin(), hole_end()), and any other EFAULT is a failure.
 */
#ifndef MEM_UTIL_H
#define MEM_UTIL_H

#include "minikvm_util.h"

#define AREA		0x40000000UL	/* the area, guest-physical */
#define AREA_SLOT	5
#define BOOK		0x60000000UL
#define BOOK_SLOT	6
#define LARGE		(2UL << 20)
#define AREA_PAGES	8192		/* at most */
#define VISITORS	2
#define NOTHING		(~0UL)		/* no value at all */

/* Where things are in a page, in 8-byte words. */
#define FRONT(me)	(me)
#define BACK(me)	(511 - (me))
#define HOST_WORD	8
#define NAME_WORD	9		/* for the test; nobody changes it */

struct known {
	u64 val;			/* in both words, written in this epoch: */
	u64 epoch;
	u64 maybe;			/* written while the epoch changed */
};

struct book {
	volatile u64 stop;
	volatile u64 pages;		/* to visit */
	volatile u64 readonly;		/* nothing is written */
	volatile u64 near;		/* visits in a row to pages near each other */
	volatile u64 pausing;
	volatile u64 turns[VISITORS];
	volatile u64 epoch[AREA_PAGES];
	volatile u64 base[AREA_PAGES];
	volatile u64 host[AREA_PAGES];	/* the host's word is at least that */
	struct known known[VISITORS][AREA_PAGES];
};

/* ------------------------------------------------------------------- guest */

__guest_inline bool word_is_right(const struct known *k, u64 epoch, u64 base, u64 val)
{
	if (k->epoch == epoch)
		return val == k->val;
	return val == base || val == k->maybe;
}

__guest_inline void visit(struct book *b, u64 me, u64 n, u64 val)
{
	volatile u64 *page = (u64 *)(AREA + n * PAGE_SIZE);
	struct known *k = &b->known[me][n];
	u64 epoch = b->epoch[n], base = b->base[n], least = b->host[n];
	u64 front = page[FRONT(me)], back = page[BACK(me)], host = page[HOST_WORD];

	if (b->epoch[n] == epoch && !(epoch & 1)) {
		if (!word_is_right(k, epoch, base, front) ||
		    !word_is_right(k, epoch, base, back) || host < least) {
			g_ucall(UCALL_SYNC, n, epoch);
			g_ucall(UCALL_SYNC, front, back);
			g_ucall(UCALL_SYNC, k->val, k->epoch);
			g_ucall(UCALL_SYNC, base, k->maybe);
			g_ucall(UCALL_FAIL, host, least);
		}
		if (front == back) {
			k->val = front;
			k->epoch = epoch;
			k->maybe = NOTHING;
		}
	}
	if (b->readonly)
		return;
	/* Locked, so that the epoch is read after they can be seen. */
	__atomic_exchange_n(&page[FRONT(me)], val, __ATOMIC_SEQ_CST);
	__atomic_exchange_n(&page[BACK(me)], val, __ATOMIC_SEQ_CST);
	if (b->epoch[n] == epoch && !(epoch & 1)) {
		k->val = val;
		k->epoch = epoch;
		k->maybe = NOTHING;
	} else {
		k->epoch = NOTHING;
		k->maybe = val;
	}
}

static GUEST_FN void g_visitor(u64 me)
{
	struct book *b = (struct book *)BOOK;
	u64 x = 12345 * me + 1, from = 0;

	for (u64 val = (me + 1) << 56; !b->stop; ) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		if (!(++val % b->near))
			from = x >> 33;
		visit(b, me, (from + (x >> 56)) % b->pages, val);
		b->turns[me]++;
		if (b->pausing)
			g_ucall(UCALL_SYNC, NOTHING, 0);
	}
	g_done();
}

/* -------------------------------------------------------------------- host */

struct visitor {
	struct mem *m;
	struct vcpu *vcpu;
	pthread_t thread;
	volatile bool paused, failed;
	u64 efaults;
};

struct mem {
	struct vm *vm;
	struct book *book;
	u8 *area;
	u64 pages;
	struct visitor visitor[VISITORS];
	bool running;
	volatile u64 hole;		/* odd: some page cannot be reached */
	u64 host_val;
	unsigned int seed;
	struct mem_use before;
};

static inline u64 *mem_page(struct mem *m, u64 n)
{
	return (u64 *)(m->area + n * PAGE_SIZE);
}

static inline u64 mem_random(struct mem *m, u64 below)
{
	return rand_r(&m->seed) % below;
}

/* Rounds of a test's loop; MINIKVM_SCALE makes all of them longer. */
static inline u64 mem_rounds(u64 n)
{
	const char *scale = getenv("MINIKVM_SCALE");

	return n * (scale ? atoi(scale) : 1);
}

/* A VM with this memory in its area; visitors are ready, and do not run. */
static inline void mem_init(struct mem *m, void *area, u64 size)
{
	m->area = area;
	m->pages = size / PAGE_SIZE;
	m->seed = 1;
	m->vm = vm_new();
	m->book = vm_add(m->vm, BOOK_SLOT, 0, BOOK,
			 (sizeof(struct book) + LARGE) & ~(LARGE - 1));
	m->book->pages = m->pages;
	m->book->near = 64;
	for (u64 n = 0; n < AREA_PAGES; n++)
		for (int i = 0; i < VISITORS; i++)
			m->book->known[i][n] = (struct known){ 0, NOTHING, NOTHING };
	if (m->pages > AREA_PAGES || vm_slot(m->vm, AREA_SLOT, 0, AREA, size, area))
		die("the area's slot");
	for (int i = 0; i < VISITORS; i++) {
		struct kvm_regs r;

		m->visitor[i] = (struct visitor){ .m = m, .vcpu = vcpu_new(m->vm, i) };
		vcpu_long(m->visitor[i].vcpu, g_visitor);
		vcpu_regs(m->visitor[i].vcpu, &r);
		r.rdi = i;
		vcpu_set_regs(m->visitor[i].vcpu, &r);
	}
}

static inline void visitor_pause(struct visitor *v)
{
	v->paused = true;
	while (v->m->book->pausing)
		usleep(50);
	v->paused = false;
}

/* True: go on. */
static inline bool visitor_ucall(struct visitor *v)
{
	struct kvm_regs r;

	vcpu_regs(v->vcpu, &r);
	if ((u32)r.rax == UCALL_SYNC && r.rdi == NOTHING) {
		visitor_pause(v);
		return true;
	}
	if ((u32)r.rax == UCALL_DONE)
		return false;
	printf("# vCPU %d: ucall %u: %#llx %#llx\n", v->vcpu->id, (u32)r.rax, r.rdi, r.rsi);
	v->failed = (u32)r.rax != UCALL_SYNC;
	return !v->failed;
}

static inline void *visitor_thread(void *arg)
{
	struct visitor *v = arg;
	u64 hole;
	int ret;

	for (;;) {
		hole = v->m->hole;
		ret = vcpu_run(v->vcpu);
		if (ret == -EFAULT && (hole & 1 || v->m->hole != hole)) {
			v->efaults++;
			usleep(20);
			continue;
		}
		if (ret || v->vcpu->run->exit_reason != KVM_EXIT_IO) {
			printf("# vCPU %d: KVM_RUN gave %d\n", v->vcpu->id, ret);
			vcpu_dump(v->vcpu);
			v->failed = true;
			return NULL;
		}
		if (!visitor_ucall(v))
			return NULL;
	}
}

static inline void mem_run(struct mem *m)
{
	m->running = true;
	for (int i = 0; i < VISITORS; i++)
		if (pthread_create(&m->visitor[i].thread, NULL, visitor_thread, &m->visitor[i]))
			die("pthread_create");
}

static inline bool mem_failed(struct mem *m)
{
	return m->visitor[0].failed || m->visitor[1].failed;
}

/* A vCPU does not go on: what it has been doing for a second, and where threads are. */
static inline void mem_explain(struct mem *m)
{
	static const char * const counters[] = {
		"exits", "tdp_faults", "tdp_stale_faults", "tdp_lost_races",
		"mmu_notifier_invalidations", "remote_tlb_flush",
	};

	for (int second = 0; second < 2; second++, sleep(1)) {
		for (u64 i = 0; i < ARRAY_SIZE(counters); i++)
			printf("# %s %ld", counters[i], vm_counter(m->vm, counters[i]));
		printf(" turns %lu %lu\n", m->book->turns[0], m->book->turns[1]);
	}
	fflush(stdout);
	if (system("cd /proc/$PPID/task && grep -H . */stat */stack | sed 's/^/# /'"))
		printf("# no stacks\n");
}

/* Both vCPUs go on for so many visits, or the test has failed. */
static inline bool mem_go_on(struct mem *m, u64 visits)
{
	u64 end = now_ns() + 60000000000UL;

	for (int i = 0; i < VISITORS; i++) {
		u64 until = m->book->turns[i] + visits;

		while (m->book->turns[i] < until) {
			if (mem_failed(m))
				return false;
			if (now_ns() > end) {
				printf("# vCPU %d does not go on\n", i);
				mem_explain(m);
				return false;
			}
			usleep(50);
		}
	}
	return !mem_failed(m);
}

/* They stop between two visits. */
static inline void mem_pause(struct mem *m)
{
	m->book->pausing = 1;
	for (int i = 0; i < VISITORS; i++)
		while (!m->visitor[i].paused && !m->visitor[i].failed)
			usleep(50);
}

static inline void mem_resume(struct mem *m)
{
	m->book->pausing = 0;
	for (int i = 0; i < VISITORS; i++)
		while (m->visitor[i].paused)
			usleep(50);
}

/* The pages' contents change between these two, to `base` in the vCPUs' words. */
static inline void change_begin(struct mem *m, u64 page, u64 n)
{
	for (u64 i = page; i < page + n; i++)
		m->book->epoch[i]++;
	__sync_synchronize();
}

static inline void change_end(struct mem *m, u64 page, u64 n, u64 base)
{
	for (u64 i = page; i < page + n; i++) {
		mem_page(m, i)[HOST_WORD] = m->book->host[i];
		m->book->base[i] = base;
	}
	__sync_synchronize();
	for (u64 i = page; i < page + n; i++)
		m->book->epoch[i]++;
}

static inline void hole_begin(struct mem *m)
{
	m->hole++;
	__sync_synchronize();
}

static inline void hole_end(struct mem *m)
{
	__sync_synchronize();
	m->hole++;
}

/* The host writes to a page, too; vCPUs see that at once. */
static inline void mem_host_writes(struct mem *m, u64 page)
{
	mem_page(m, page)[HOST_WORD] = ++m->host_val;
	__sync_synchronize();
	m->book->host[page] = m->host_val;
}

/* Is there in memory what the vCPUs have written last?  They do not run. */
static inline bool mem_is_right(struct mem *m)
{
	u64 wrong = 0;

	for (u64 n = 0; n < m->pages; n++) {
		const volatile u64 *page = mem_page(m, n);

		for (int i = 0; i < VISITORS; i++) {
			const struct known *k = &m->book->known[i][n];
			u64 e = m->book->epoch[n], base = m->book->base[n];

			if (word_is_right(k, e, base, page[FRONT(i)]) &&
			    word_is_right(k, e, base, page[BACK(i)]))
				continue;
			if (!wrong++)
				printf("# page %lu, vCPU %d: %#lx %#lx, not %#lx\n", n, i,
				       page[FRONT(i)], page[BACK(i)], k->val);
		}
		wrong += page[HOST_WORD] != m->book->host[n];
	}
	if (wrong)
		printf("# %lu words are wrong\n", wrong);
	return !wrong;
}

/* Ends the visitors; says whether all was right. */
static inline bool mem_stop(struct mem *m)
{
	m->book->stop = 1;
	m->book->pausing = 0;
	for (int i = 0; i < VISITORS; i++)
		pthread_join(m->visitor[i].thread, NULL);
	m->running = false;
	return !mem_failed(m) && mem_is_right(m);
}

static inline u64 mem_efaults(struct mem *m)
{
	return m->visitor[0].efaults + m->visitor[1].efaults;
}

/* Every test's beginning and end. */
static inline void mem_before(struct mem *m)
{
	log_mark();
	mem_use(&m->before);
}

/* The VM goes; nothing of it stays. */
static inline bool mem_nothing_left(struct mem *m)
{
	if (m->running)
		mem_stop(m);
	if (m->vm)
		vm_free(m->vm);
	return mem_use_back_to(&m->before);
}

/* ------------------------------------------------------------------- logged */

/* A copy of the memory that is kept like it by the dirty log alone. */
struct mem_log {
	struct mem *m;
	u8 *copy;
	u64 log[AREA_PAGES / 64];
	u64 touched[AREA_PAGES / 64];	/* the VMM's own changes are not in the log */
	u64 named;			/* pages that were in the log, in all */
	u64 named_same;			/* in the last one, and like the copy */
	bool clean_named;		/* the log had a page that nobody visits */
};

static inline void log_init(struct mem_log *l, struct mem *m)
{
	l->m = m;
	l->copy = vm_anon(m->pages * PAGE_SIZE);
}

static inline void log_set(struct mem_log *l, bool on)
{
	struct mem *m = l->m;
	int ret = vm_slot(m->vm, AREA_SLOT, on ? KVM_MEM_LOG_DIRTY_PAGES : 0, AREA,
			  m->pages * PAGE_SIZE, m->area);

	if (ret)
		die("the slot's flags: %s", strerror(-ret));
}

/* The VMM has changed these pages. */
static inline void log_touch(struct mem_log *l, u64 page, u64 n)
{
	for (u64 i = page; i < page + n; i++)
		l->touched[i / 64] |= 1UL << (i % 64);
}

/*
 * Copy what the log names; what is written after that is in the next.  Where the vCPUs were
 * stopped here and at the log before, and wrote in between, no page is named_same: each
 * visit ends with a value that is new.
 */
static inline void log_take(struct mem_log *l)
{
	struct mem *m = l->m;
	struct kvm_dirty_log log = { .slot = AREA_SLOT, .dirty_bitmap = l->log };

	if (kioctlp(m->vm->fd, KVM_GET_DIRTY_LOG, &log))
		die("KVM_GET_DIRTY_LOG");
	l->named_same = 0;
	for (u64 n = 0; n < m->pages; n++) {
		bool named = l->log[n / 64] >> (n % 64) & 1;
		bool touched = l->touched[n / 64] >> (n % 64) & 1;
		u8 *copy = l->copy + n * PAGE_SIZE;

		if (!named && !touched)
			continue;
		l->named += named;
		l->named_same += !touched && !memcmp(copy, mem_page(m, n), PAGE_SIZE);
		l->clean_named |= named && n >= m->book->pages;
		memcpy(copy, mem_page(m, n), PAGE_SIZE);
	}
	memset(l->touched, 0, sizeof(l->touched));
}

/* The vCPUs are stopped, and the log has been taken: is the copy like the memory? */
static inline bool log_is_complete(struct mem_log *l)
{
	for (u64 n = 0; n < l->m->pages; n++) {
		if (!memcmp(l->copy + n * PAGE_SIZE, mem_page(l->m, n), PAGE_SIZE))
			continue;
		printf("# page %lu was written and is not in the log\n", n);
		return false;
	}
	return true;
}

/* The vCPUs run, and stop after so many visits: is the log what they wrote, exactly? */
static inline bool log_is_exact_after(struct mem_log *l, u64 visits)
{
	if (!mem_go_on(l->m, visits))
		return false;
	mem_pause(l->m);
	log_take(l);
	if (l->named_same)
		printf("# %lu pages are in the log, and nobody wrote there\n", l->named_same);
	return !mem_failed(l->m) && log_is_complete(l) && !l->named_same;
}

/* Memory that begins with a page of 2M, of its own mapping. */
static inline u8 *mem_aligned(u64 size)
{
	u8 *p = vm_anon(size + LARGE);

	return (u8 *)(((u64)p + LARGE - 1) & ~(LARGE - 1));
}

#endif
