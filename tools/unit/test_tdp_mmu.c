// SPDX-License-Identifier: GPL-2.0
/*
 * test_tdp_mmu - the module's own tables, with hardware and a host that are threads
 *
 * tdp_mmu.c and mmu_notifier.c are compiled in as they are (kvm_shim.h).  Around them:
 *
 *	vCPUs	walk the tables without a lock, as the MMU does, keep translations in a
 *		TLB of their own until they are told to flush it, set accessed and dirty
 *		bits, log pages (PML), and fault
 *	host	moves pages about, merges 512 to a huge one, write-protects, asks what was
 *		used; a page that it has taken away is poisoned
 *	VMM	switches the dirty log on, reads it while the vCPUs write, and copies what it
 *		names; switches it off; takes tables back
 *
 * Each vCPU has a word of its own in each page, knows what has to be there, and looks
 * before it adds one: a page that is not the guest's any more, or a lost write, is
 * seen at the next access.  When the VMM has stopped all and has read the log for the last
 * time, its copy has to be equal to the memory: no write was missed.  In the end no
 * table is left.  AddressSanitizer sees a walk through a freed table.
 *
 * Unlike an emulated machine this has real races: native threads, and TLBs that
 * forget nothing on their own.
 *
 * A few tests more do one step after the other, in an order that threads hardly ever
 * come to, or with tables that only other machines have (1G, five levels).
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tdp_mmu.h"

#define VCPUS		3
#define REGIONS		3		/* of 2M */
#define GFNS		(REGIONS * 512)
#define BASE_GFN	0x40000
#define BASE_HVA	0x7f0000000000UL
#define BLOCKS		(REGIONS + 2)	/* of 512 frames, aligned */
#define FRAMES		(BLOCKS * 512)
#define POISON		0xdeadbeefU
#define TLB_SIZE	64
#define PML_SIZE	16

static int seconds = 1;

/* ---- numbers ---- */

static __thread u64 seed;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static bool one_in(int n)
{
	return rnd() % n == 0;
}

bool need_resched(void)
{
	return one_in(64);
}

void shim_dawdle(void)
{
	if (one_in(8))
		sched_yield();
}

/* ---- failures ---- */

static int failures;
static volatile bool stop_all;

static void fail(const char *what, gfn_t gfn, u64 got, u64 want)
{
	if (!__atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST))
		printf("# %s: page %lu: %#lx, not %#lx\n", what, gfn, got, want);
	stop_all = true;
}

void shim_warn(const char *file, int line)
{
	printf("# WARN_ON_ONCE at %s:%d\n", file, line);
	fail("warning", 0, 1, 0);
}

/* ---- the machine ---- */

static const struct kvm_tdp_format ept_format = {
	.present = 7, .table = 7, .leaf = 1, .write = 2, .exec = 4, .large = BIT_ULL(7),
	.accessed = BIT_ULL(8), .dirty = BIT_ULL(9), .memtype_wb = 0x70,
	.host_writable = BIT_ULL(52),
};

struct kvm_caps kvm_caps = { .tdp_format = &ept_format, .tdp_levels = 4 };
bool kvm_nx_huge_pages;

static struct kvm kvm;
static struct kvm_memory_slot slot = {
	.base_gfn = BASE_GFN, .npages = GFNS, .userspace_addr = BASE_HVA,
	.hva_node = { BASE_HVA, BASE_HVA + GFNS * PAGE_SIZE - 1 },
};

/* Host memory: a word for each vCPU in each frame. */
static u32 frames[FRAMES][VCPUS];

struct translation {
	gfn_t first;			/* 0: none */
	gfn_t pages;
	u64 entry;
};

static struct cpu {
	struct kvm_vcpu vcpu;
	struct translation tlb[TLB_SIZE];
	int flush_wanted;
	int in_guest;
	gfn_t pml[PML_SIZE];
	int pml_n;
	u32 expected[GFNS];
	pthread_t thread;
	u64 accesses, faults, stale;
} cpus[VCPUS];

void kvm_flush_remote_tlbs(struct kvm *unused)
{
	for (int i = 0; i < VCPUS; i++)
		__atomic_store_n(&cpus[i].flush_wanted, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < VCPUS; i++)
		while (__atomic_load_n(&cpus[i].in_guest, __ATOMIC_SEQ_CST) &&
		       __atomic_load_n(&cpus[i].flush_wanted, __ATOMIC_SEQ_CST))
			sched_yield();
}

/* ---- the host's memory management ---- */

static pthread_mutex_t host_lock = PTHREAD_MUTEX_INITIALIZER;	/* mmap_lock, and more */
static struct {
	u32 frame;
	bool writable;
} host_map[GFNS];
static bool host_huge[REGIONS];
static bool frame_used[FRAMES];

static hva_t gfn_hva(u32 gfn)
{
	return BASE_HVA + gfn * PAGE_SIZE;
}

static u32 free_frames(u32 n)
{
	u32 f, i, start = rnd() % BLOCKS * 512;

	for (f = 0; f < FRAMES; f += n) {
		u32 at = (start + f) % FRAMES;

		for (i = 0; i < n && !frame_used[at + i]; i++)
			;
		if (i == n)
			return at;
	}
	return ~0U;
}

/* Invalidate, call change() on each page, end; old frames are poisoned. */
static void host_move(u32 first, u32 n, u32 to)
{
	const struct mmu_notifier_ops *ops = kvm.mmu_notifier.ops;
	struct mmu_notifier_range range = { gfn_hva(first), gfn_hva(first + n) };
	u32 old[512];

	if (host_huge[first / 512]) {
		range.start = gfn_hva(first & ~511);
		range.end = gfn_hva((first | 511) + 1);
	}
	ops->invalidate_range_start(&kvm.mmu_notifier, &range);
	WRITE_ONCE(host_huge[first / 512], n == 512);
	for (u32 i = 0; i < n; i++) {
		u32 f = host_map[first + i].frame;

		old[i] = f;
		memcpy(frames[to + i], frames[f], sizeof(frames[0]));
		frame_used[to + i] = true;
		WRITE_ONCE(host_map[first + i].frame, to + i);
		WRITE_ONCE(host_map[first + i].writable, true);
	}
	/* The last moment at which a vCPU may not write to the old frame. */
	for (u32 i = 0; i < n; i++)
		for (int j = 0; j < VCPUS; j++)
			__atomic_store_n(&frames[old[i]][j], POISON, __ATOMIC_RELAXED);
	ops->invalidate_range_end(&kvm.mmu_notifier, &range);
	for (u32 i = 0; i < n; i++)
		frame_used[old[i]] = false;
}

static void host_move_one(u32 gfn)
{
	u32 to = free_frames(1);

	if (to != ~0U)
		host_move(gfn, 1, to);
}

static void host_protect(u32 gfn)
{
	const struct mmu_notifier_ops *ops = kvm.mmu_notifier.ops;
	struct mmu_notifier_range range = { gfn_hva(gfn), gfn_hva(gfn + 1) };

	if (host_huge[gfn / 512]) {
		range.start = gfn_hva(gfn & ~511);
		range.end = gfn_hva((gfn | 511) + 1);
	}
	ops->invalidate_range_start(&kvm.mmu_notifier, &range);
	WRITE_ONCE(host_huge[gfn / 512], false);
	WRITE_ONCE(host_map[gfn].writable, false);
	ops->invalidate_range_end(&kvm.mmu_notifier, &range);
}

static void *host_thread(void *arg)
{
	const struct mmu_notifier_ops *ops = kvm.mmu_notifier.ops;
	u32 gfn, to;

	seed = (u64)arg;
	while (!stop_all) {
		gfn = rnd() % GFNS;
		pthread_mutex_lock(&host_lock);
		switch (rnd() % 8) {
		case 0:
			to = free_frames(512);
			if (to != ~0U)
				host_move(gfn & ~511, 512, to);
			break;
		case 1:
			host_protect(gfn);
			break;
		case 2:
			ops->clear_flush_young(&kvm.mmu_notifier, NULL, gfn_hva(gfn),
					       gfn_hva(gfn + 1));
			break;
		case 3:
			ops->clear_young(&kvm.mmu_notifier, NULL, gfn_hva(gfn & ~511),
					 gfn_hva((gfn | 511) + 1));
			break;
		case 4:
			ops->test_young(&kvm.mmu_notifier, NULL, gfn_hva(gfn));
			break;
		default:
			host_move_one(gfn);
		}
		pthread_mutex_unlock(&host_lock);
		for (int i = rnd() % 200; i; i--)
			sched_yield();
	}
	return NULL;
}

int host_pfn_mapping_level(struct kvm *unused, hva_t hva)
{
	return READ_ONCE(host_huge[(hva - BASE_HVA) >> 21]) ? 2 : 1;
}

int kvm_slot_max_level(const struct kvm_memory_slot *s, gfn_t gfn, int level)
{
	return min(level, 2);
}

/* ---- the dirty log ---- */

static pthread_rwlock_t srcu = PTHREAD_RWLOCK_INITIALIZER;
static bool logging;
static u64 bitmap[GFNS / 64];

static void mark_dirty(u32 gfn)
{
	if (READ_ONCE(logging))
		__atomic_fetch_or(&bitmap[gfn / 64], 1ULL << gfn % 64, __ATOMIC_SEQ_CST);
}

/* ---- a vCPU ---- */

static void flush_pml(struct cpu *cpu)
{
	for (int i = 0; i < cpu->pml_n; i++)
		mark_dirty(cpu->pml[i] - BASE_GFN);
	cpu->pml_n = 0;
}

/* What mmu.c does with mmu_lock held. */
static int direct_map(struct cpu *cpu, struct kvm_page_fault *f)
{
	int r;

	if (mmu_invalidate_retry_hva(&kvm, f->mmu_seq, f->hva)) {
		cpu->stale++;
		return 0;
	}
	f->goal_level = f->logged || (f->exec && kvm_nx_huge_pages) ? 1 :
			host_pfn_mapping_level(&kvm, f->hva);
	r = kvm_tdp_mmu_map(f);
	if (!r && f->was_opened)
		mark_dirty(f->gfn - BASE_GFN);
	return r;
}

static void direct_map_instead(struct cpu *cpu, struct kvm_page_fault *f)
{
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = &kvm, .leaf = tdp_zap_leaf, .zaps = true);

	write_lock(&kvm.mmu_lock);
	if (direct_map(cpu, f)) {
		w.start = f->gfn & ~(level_pages(f->goal_level) - 1);
		w.end = w.start + level_pages(f->goal_level);
		kvm_tdp_mmu_walk(&w, 0);
		kvm_tdp_mmu_walk_finish(&w);
		direct_map(cpu, f);
	}
	write_unlock(&kvm.mmu_lock);
}

static void page_fault(struct cpu *cpu, gfn_t gfn, bool write, bool exec, bool present)
{
	struct kvm_page_fault f = {
		.vcpu = &cpu->vcpu, .gfn = gfn, .write = write, .exec = exec,
		.hva = gfn_hva(gfn - BASE_GFN),
	};
	u32 g = gfn - BASE_GFN;
	bool done = false;
	int r;

	cpu->faults++;
	pthread_rwlock_rdlock(&srcu);
	f.logged = logging;
	if (present) {
		read_lock(&kvm.mmu_lock);
		done = kvm_tdp_mmu_fast_page_fault(&f);
		if (done && f.was_opened)
			mark_dirty(g);
		read_unlock(&kvm.mmu_lock);
	}
	if (!done) {
		kvm_tdp_mmu_fill_cache(&cpu->vcpu);
		mmu_invalidate_wait(&kvm, f.hva);
		f.mmu_seq = mmu_invalidate_seq_begin(&kvm);
		if (write && !READ_ONCE(host_map[g].writable)) {
			pthread_mutex_lock(&host_lock);		/* copy on write */
			if (!host_map[g].writable)
				host_move_one(g);
			pthread_mutex_unlock(&host_lock);
		}
		f.host_writable = READ_ONCE(host_map[g].writable);
		f.pfn = READ_ONCE(host_map[g].frame);
		f.map_writable = f.host_writable;
		for (int i = rnd() % 4; i; i--)
			sched_yield();
		if (f.host_writable || !write) {
			read_lock(&kvm.mmu_lock);
			r = direct_map(cpu, &f);
			read_unlock(&kvm.mmu_lock);
			if (r)
				direct_map_instead(cpu, &f);
		}
	}
	pthread_rwlock_unlock(&srcu);
}

/* The MMU's walk.  Returns the leaf, 0 if there is none. */
static u64 hardware_walk(struct cpu *cpu, gfn_t gfn, bool write, struct translation *t)
{
	u64 *table = __va(kvm.arch.root_hpa[0]), *entry, e, before;
	int level = kvm_caps.tdp_levels;

	for (;; level--) {
		entry = table + (gfn >> (level - 1) * 9) % 512;
		e = READ_ONCE(*entry);
		if (!(e & ept_format.present))
			return 0;
		if (level == 1 || (e & ept_format.large))
			break;
		table = __va(e & GENMASK_ULL(51, 12));
	}
	if (kvm_caps.tdp_ad_bits) {
		do {
			before = READ_ONCE(*entry);
			if (!(before & ept_format.present) ||
			    (level > 1 && !(before & ept_format.large)))
				return 0;		/* changed under us: a fault, or again */
			e = before | ept_format.accessed;
			if (write && (before & ept_format.write))
				e |= ept_format.dirty;
		} while (!try_cmpxchg64(entry, &before, e));
		if ((e & ~before & ept_format.dirty) && kvm_caps.cpu_dirty_log_size)
			cpu->pml[cpu->pml_n++] = gfn;
	}
	t->pages = level_pages(level);
	t->first = gfn & ~(t->pages - 1);
	t->entry = e;
	return e;
}

/* One instruction that accesses a page; false: it faulted. */
static bool access_page(struct cpu *cpu, u32 g, bool write, bool exec)
{
	gfn_t gfn = BASE_GFN + g;
	struct translation *t = &cpu->tlb[g % TLB_SIZE];
	int me = cpu - cpus;
	u64 need = (write ? ept_format.write : 0) | (exec ? ept_format.exec : 0);
	u64 need_tlb = need | (write && kvm_caps.tdp_ad_bits ? ept_format.dirty : 0);
	u32 frame, word;

	if (!t->first || gfn < t->first || gfn >= t->first + t->pages ||
	    (t->entry & need_tlb) != need_tlb) {
		u64 e = hardware_walk(cpu, gfn, write, t);

		if (!e || (e & need) != need) {
			t->first = 0;
			return false;
		}
	}
	frame = ((t->entry & GENMASK_ULL(51, 12)) >> 12) + (gfn - t->first);
	for (int i = rnd() % 8 ? 0 : 3; i; i--)
		sched_yield();			/* a long instruction */
	word = __atomic_load_n(&frames[frame][me], __ATOMIC_RELAXED);
	if (word != cpu->expected[g])
		fail("vCPU reads", g, word, cpu->expected[g]);
	if (write)
		__atomic_store_n(&frames[frame][me], ++cpu->expected[g], __ATOMIC_RELAXED);
	cpu->accesses++;
	return true;
}

static volatile bool pause_vcpus, leave;
static pthread_barrier_t paused, resumed;

/* Between two instructions: requests from outside. */
static void check_requests(struct cpu *cpu)
{
	if (!__atomic_load_n(&cpu->flush_wanted, __ATOMIC_SEQ_CST))
		return;
	memset(cpu->tlb, 0, sizeof(cpu->tlb));
	__atomic_store_n(&cpu->flush_wanted, 0, __ATOMIC_SEQ_CST);
}

static void *vcpu_thread(void *arg)
{
	struct cpu *cpu = arg;
	bool write, exec, present, ok;
	u32 g;

	seed = 88172645463325252ULL + (cpu - cpus);
	for (;;) {
		/* Outside the guest. */
		if (pause_vcpus) {
			pthread_barrier_wait(&paused);
			pthread_barrier_wait(&resumed);
			if (leave)
				return NULL;
		}
		g = one_in(2) ? rnd() % GFNS : rnd() % 32 * 48;
		write = one_in(2);
		exec = !write && one_in(8);
		__atomic_store_n(&cpu->in_guest, 1, __ATOMIC_SEQ_CST);
		do {
			check_requests(cpu);
			ok = access_page(cpu, g, write, exec);
			if (ok) {
				g = (g + one_in(3)) % GFNS;
				write = one_in(2);
				exec = !write && one_in(8);
			}
		} while (ok && !pause_vcpus && cpu->pml_n < PML_SIZE && !one_in(64));
		/* What the exit qualification says was seen before the exit. */
		present = !ok && one_in(2);
		__atomic_store_n(&cpu->in_guest, 0, __ATOMIC_SEQ_CST);
		flush_pml(cpu);
		if (!ok)
			page_fault(cpu, BASE_GFN + g, write, exec, present);
	}
}

/* ---- the VMM ---- */

static u32 copy[GFNS][VCPUS];

static void copy_page(u32 g)
{
	pthread_mutex_lock(&host_lock);
	for (int j = 0; j < VCPUS; j++)
		copy[g][j] = __atomic_load_n(&frames[host_map[g].frame][j], __ATOMIC_RELAXED);
	pthread_mutex_unlock(&host_lock);
}

/* As dirty_log.c: take the bits and close the leaves, flush, then copy. */
static void read_log(void)
{
	u64 words[GFNS / 64];

	for (int i = 0; i < GFNS / 64; i++) {
		struct tdp_walk w = TDP_WALK_INIT(w, .kvm = &kvm, .leaf = tdp_log_leaf,
						  .start = BASE_GFN + i * 64,
						  .end = BASE_GFN + i * 64 + 64,
						  .mask_gfn = BASE_GFN + i * 64);

		write_lock(&kvm.mmu_lock);
		words[i] = __atomic_exchange_n(&bitmap[i], 0, __ATOMIC_SEQ_CST);
		w.mask = words[i];
		if (words[i]) {
			w.start += __builtin_ctzll(words[i]);
			kvm_tdp_mmu_walk(&w, 0);
		}
		kvm_tdp_mmu_walk_finish(&w);
		write_unlock(&kvm.mmu_lock);
	}
	for (u32 g = 0; g < GFNS; g++)
		if (words[g / 64] >> g % 64 & 1)
			copy_page(g);
}

static void walk_slot(void (*leaf)(struct tdp_walk *, u64 *, int, gfn_t), bool zaps)
{
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = &kvm, .leaf = leaf, .zaps = zaps,
					  .slot = &slot, .start = BASE_GFN,
					  .end = BASE_GFN + GFNS);

	kvm_tdp_mmu_walk_yielding(&w, 0);
}

/* With the flag of the slot, a grace period: faults see the new one afterwards. */
static void set_logging(bool on, bool all_dirty)
{
	if (on)
		memset(bitmap, all_dirty ? 0xff : 0, sizeof(bitmap));
	pthread_rwlock_wrlock(&srcu);
	WRITE_ONCE(logging, on);
	pthread_rwlock_unlock(&srcu);
	if (!on)
		walk_slot(tdp_zap_small_leaf, true);
	else if (!all_dirty)
		walk_slot(tdp_log_leaf, false);
}

static void shrink(void)
{
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = &kvm, .leaf = tdp_zap_leaf, .zaps = true,
					  .budget = 1, .start = BASE_GFN + rnd() % GFNS,
					  .end = ~(gfn_t)0);

	write_lock(&kvm.mmu_lock);
	kvm_tdp_mmu_walk(&w, 0);
	kvm_tdp_mmu_walk_finish(&w);
	write_unlock(&kvm.mmu_lock);
}

static int migrations;

/* Copy a running guest, stop it, and compare. */
static void migrate(void)
{
	bool all_dirty = one_in(2);

	set_logging(true, all_dirty);
	for (u32 g = 0; !all_dirty && g < GFNS; g++)
		copy_page(g);
	for (int pass = 0; pass < 4; pass++) {
		read_log();
		if (one_in(3))
			shrink();
		usleep(500);
	}
	pause_vcpus = true;
	pthread_barrier_wait(&paused);
	read_log();
	pthread_mutex_lock(&host_lock);
	for (u32 g = 0; g < GFNS; g++)
		for (int j = 0; j < VCPUS; j++)
			if (copy[g][j] != frames[host_map[g].frame][j])
				fail("a write is not in the log", g, copy[g][j],
				     frames[host_map[g].frame][j]);
	pthread_mutex_unlock(&host_lock);
	pause_vcpus = false;
	pthread_barrier_wait(&resumed);
	set_logging(false, false);
	migrations++;
}

static void set_up(void)
{
	pthread_rwlockattr_t fair;

	memset(&kvm, 0, sizeof(kvm));
	memset(cpus, 0, sizeof(cpus));
	memset(frames, 0, sizeof(frames));
	memset(frame_used, 0, sizeof(frame_used));
	pthread_rwlockattr_init(&fair);
	pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&kvm.mmu_lock, &fair);
	pthread_rwlock_init(&srcu, &fair);
	pthread_barrier_init(&paused, NULL, VCPUS + 1);
	pthread_barrier_init(&resumed, NULL, VCPUS + 1);
	kvm.slots[0].hva_tree.only = &slot.hva_node;
	kvm_mmu_notifier_register(&kvm);
	for (u32 g = 0; g < GFNS; g++) {
		host_map[g].frame = g;
		host_map[g].writable = true;
		frame_used[g] = true;
	}
	for (int r = 0; r < REGIONS; r++)
		host_huge[r] = r % 2;
	for (int i = 0; i < VCPUS; i++) {
		cpus[i].vcpu.kvm = &kvm;
		kvm_tdp_mmu_fill_cache(&cpus[i].vcpu);
		kvm_tdp_mmu_get_root(&cpus[i].vcpu);
	}
	failures = 0;
	migrations = 0;
	stop_all = false;
	leave = false;
}

static void run(int n, const char *name)
{
	u64 accesses = 0, faults = 0, stale = 0, lost = 0;
	time_t end = time(NULL) + seconds;
	pthread_t host;

	set_up();
	for (int i = 0; i < VCPUS; i++)
		pthread_create(&cpus[i].thread, NULL, vcpu_thread, &cpus[i]);
	pthread_create(&host, NULL, host_thread, (void *)88172645463393265ULL);
	while (time(NULL) <= end && !stop_all) {
		migrate();
		usleep(1000);
	}
	stop_all = true;
	leave = true;
	pause_vcpus = true;
	pthread_barrier_wait(&paused);
	pthread_barrier_wait(&resumed);
	pthread_join(host, NULL);
	for (int i = 0; i < VCPUS; i++) {
		pthread_join(cpus[i].thread, NULL);
		kvm_tdp_mmu_free_cache(&cpus[i].vcpu);
		accesses += cpus[i].accesses;
		faults += cpus[i].faults;
		stale += cpus[i].stale;
		lost += cpus[i].vcpu.stat.tdp_lost_races;
	}
	pause_vcpus = false;
	kvm_tdp_mmu_zap_all(&kvm);
	kvm_tdp_mmu_free_roots(&kvm);
	if (atomic64_read(&kvm.stat.pt_pages) || atomic64_read(&kvm.stat.pages_4k) ||
	    atomic64_read(&kvm.stat.pages_2m))
		fail("left: tables, 4K, 2M", atomic64_read(&kvm.stat.pt_pages),
		     atomic64_read(&kvm.stat.pages_4k), atomic64_read(&kvm.stat.pages_2m));
	printf("# %lu accesses, %lu faults, %lu of them stale, %lu lost races, %d migrations\n",
	       accesses, faults, stale, lost, migrations);
	printf("%s %d - %s\n", failures ? "not ok" : "ok", n, name);
}

/* ---- one after the other: what threads seldom do in the order that matters ---- */

#define GB_GFNS	(512 * 512)
#define ALONE	(8 * GB_GFNS + 5 * 512 + 70)	/* a gfn; its frame has the same number */

static int map_one(gfn_t gfn, int level, bool write, bool logged)
{
	struct kvm_page_fault f = {
		.vcpu = &cpus[0].vcpu, .gfn = gfn, .pfn = gfn, .goal_level = level,
		.write = write, .logged = logged, .host_writable = true, .map_writable = true,
	};

	kvm_tdp_mmu_fill_cache(f.vcpu);
	return kvm_tdp_mmu_map(&f);
}

/* A leaf of so many pages maps it to the right frame, and has and lacks these bits. */
static void expect_leaf(gfn_t gfn, gfn_t pages, u64 has, u64 lacks, const char *what)
{
	struct translation t = {};
	u64 entry = hardware_walk(&cpus[0], gfn, false, &t);

	if (!entry || t.pages != pages || (entry & (has | lacks)) != has ||
	    (entry & GENMASK_ULL(51, 12)) >> 12 != (gfn & ~(pages - 1)))
		fail(what, gfn, entry, has);
}

static void expect_counts(u64 tables, u64 n4k, u64 n2m, u64 n1g)
{
	const u64 now[] = {
		atomic64_read(&kvm.stat.pt_pages), atomic64_read(&kvm.stat.pages_4k),
		atomic64_read(&kvm.stat.pages_2m), atomic64_read(&kvm.stat.pages_1g),
	}, want[] = { tables, n4k, n2m, n1g };

	for (int i = 0; i < 4; i++)
		if (now[i] != want[i])
			fail("count of tables, 4K, 2M, 1G", i, now[i], want[i]);
}

static void leave_nothing(void)
{
	kvm_tdp_mmu_zap_all(&kvm);
	kvm_tdp_mmu_free_roots(&kvm);
	expect_counts(0, 0, 0, 0);
	for (int i = 0; i < VCPUS; i++)
		kvm_tdp_mmu_free_cache(&cpus[i].vcpu);
}

/* A read and a write fault find nothing there; the read comes to the entry last. */
static void slow_read(void)
{
	const u64 open = ept_format.write | ept_format.dirty;

	map_one(ALONE, 1, true, true);
	map_one(ALONE, 1, false, true);
	expect_leaf(ALONE, 1, open, 0, "a read has taken the write permission");
	leave_nothing();
}

/* Open ones may be in a TLB, with the dirty bit set; closed ones may not be written. */
static void split_open_and_closed(void)
{
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = &kvm, .leaf = tdp_log_leaf,
					  .end = ~(gfn_t)0);
	const u64 open = ept_format.write | ept_format.dirty;
	bool pml = kvm_caps.cpu_dirty_log_size;

	map_one(ALONE, 2, true, false);
	map_one(ALONE, 1, false, true);
	expect_leaf(ALONE + 1, 1, open, 0, "a child of an open leaf");
	leave_nothing();

	kvm_tdp_mmu_fill_cache(&cpus[0].vcpu);
	kvm_tdp_mmu_get_root(&cpus[0].vcpu);
	map_one(ALONE, 2, true, false);
	kvm_tdp_mmu_walk(&w, 0);
	kvm_tdp_mmu_walk_finish(&w);
	expect_leaf(ALONE, 512, 0, ept_format.write, "a leaf closed by the log");
	map_one(ALONE, 1, true, true);
	expect_leaf(ALONE, 1, open, 0, "the one that was written");
	expect_leaf(ALONE + 1, 1, pml ? ept_format.write : 0,
		    pml ? ept_format.dirty : ept_format.write, "a child of a closed leaf");
	leave_nothing();
}

/* 1G is split twice on the way to 4K, each child says what its parent said. */
static void gigabyte(void)
{
	const u64 up = kvm_caps.tdp_levels - 2;	/* tables down to the entry of 1G */

	map_one(ALONE, 3, true, false);
	expect_leaf(ALONE, GB_GFNS, ept_format.write | ept_format.dirty, 0, "1G");
	expect_counts(up, 0, 0, 1);
	map_one(ALONE, 1, false, true);
	expect_counts(up + 2, 512, 511, 0);
	for (gfn_t gfn = ALONE & ~(GB_GFNS - 1UL), end = gfn + GB_GFNS; gfn < end; gfn += 35)
		expect_leaf(gfn, gfn / 512 == ALONE / 512 ? 1 : 512,
			    ept_format.write | ept_format.dirty, 0, "a part of 1G");
	if (map_one(ALONE, 3, false, false) != -EAGAIN)
		fail("1G takes the place of a table", ALONE, 0, -EAGAIN);
	leave_nothing();
}

static void one_by_one(int n, const char *name, void (*test)(void))
{
	set_up();
	test();
	printf("%s %d - %s\n", failures ? "not ok" : "ok", n, name);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		bool ad, pml, nx;
	} machines[] = {
		{ "accessed and dirty bits", true },
		{ "no accessed bits" },
		{ "PML", true, true },
		{ "no large page can be executed", true, false, true },
		{ "that, with PML", true, true, true },
	};
	static const struct {
		const char *name;
		void (*test)(void);
		int levels;
		bool pml;
	} orders[] = {
		{ "a slow read takes nothing from a write", slow_read, 4 },
		{ "the parts of an open and of a closed page", split_open_and_closed, 4 },
		{ "the same with PML", split_open_and_closed, 4, true },
		{ "1G", gigabyte, 4 },
		{ "1G in five levels", gigabyte, 5 },
	};
	int bad = 0;

	if (argc > 1)
		seconds = atoi(argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	seed = 1;
	printf("1..%zu\n", ARRAY_SIZE(machines) + ARRAY_SIZE(orders));
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		kvm_caps.tdp_ad_bits = machines[i].ad;
		kvm_caps.cpu_dirty_log_size = machines[i].pml ? PML_SIZE : 0;
		kvm_nx_huge_pages = machines[i].nx;
		run(i + 1, machines[i].name);
		bad += failures;
	}
	kvm_caps.tdp_ad_bits = true;
	kvm_nx_huge_pages = false;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		kvm_caps.tdp_levels = orders[i].levels;
		kvm_caps.cpu_dirty_log_size = orders[i].pml ? PML_SIZE : 0;
		one_by_one(ARRAY_SIZE(machines) + i + 1, orders[i].name, orders[i].test);
		bad += failures;
	}
	return bad ? 1 : 0;
}
