// SPDX-License-Identifier: GPL-2.0
/*
 * tdp_mmu.c - the tables that the hardware walks: two-dimensional paging
 *
 * The hardware (EPT; SDM vol. 3, chapter "VMX support for address translation";
 * AMD's nested paging) translates every guest-physical address through page tables
 * that belong to the hypervisor.  mmu.c decides what they shall say; this file is
 * the only one that reads or writes them.
 *
 * A table is a page of 512 entries of 8 bytes.  Level 1 maps 4K pages; an entry
 * of level 2 or 3 either points to a table or is a leaf that maps 2M or 1G; levels
 * 4 (and 5) only point.  Entries look as kvm_caps.tdp_format says, so nothing here
 * is Intel's.
 *
 * Who may change an entry?  One rule decides: mmu_lock is held shared to give and
 * exclusively to take.
 *
 *	given, by any number of faults at once		taken, by one at a time
 *
 *	not present -> table				table -> not present
 *	not present -> leaf				leaf -> not present
 *	leaf -> leaf that allows more			leaf -> leaf that allows less
 *	large leaf -> table of smaller ones,
 *		which says the same
 *
 *			link
 *	not present ------------------------------> table
 *	   |   ^   <------------------------------   ^
 *	   |   |       empty, or a leaf takes its    |
 *	map|   |zap    place                         | split (large leaves only)
 *	   v   |                                     |
 *	  leaf, closed  --------------------------> leaf, open
 *		     open: a write fault ->
 *		     <- close: the dirty log is read
 *
 * A leaf is open if the guest's writes need not be seen: its write bit is set, and its
 * dirty bit too where hardware logs the pages whose dirty bit it sets (PML, SDM vol. 3,
 * 29.3.6).  Closing a leaf for the dirty log takes one of the two:
 *
 *			4K leaf			2M, 1G leaf
 *	with PML	dirty bit cleared	write bit cleared
 *	without		write bit cleared	write bit cleared
 *
 * so that a large leaf's first write is a fault, which splits it.  The software
 * bit host_writable says that a closed leaf may be opened without asking the host.
 *
 * Two that hold the lock shared may want the same entry.  Each change is therefore one
 * compare-and-exchange from what was looked at, and who loses looks again:
 *
 *	vCPU 0: fault at A			vCPU 1: fault at A, or near it
 *	  read_lock				  read_lock
 *	  entry is not present			  entry is not present
 *	  new table, private still		  new table, private still
 *	  cmpxchg(entry, 0, table): done
 *						  cmpxchg: it is no longer 0
 *						  table back into the cache
 *						  look again: there is a table, go down
 *
 * The hardware is a third party, which sets accessed and dirty bits at any time; the
 * compare fails then too, and the loop looks again.  No vCPU can lose for ever: each
 * lost exchange is another's progress, and entries only go forward under the
 * shared lock.
 *
 * Why nothing more is needed to go down the tables: a table is unlinked under the
 * exclusive lock only, so whoever holds it shared may follow any pointer.  Hardware
 * follows them without a lock; for it a table lives until the TLBs are flushed.
 *
 * TLB rule.  Hardware caches entries.  Whoever takes something flushes the TLBs
 * (kvm_flush_remote_tlbs()) before he drops mmu_lock and before the table pages that
 * he unlinked are freed.  So whoever holds mmu_lock may believe that the hardware
 * does what the entries say.  Giving needs no flush: a fault drops what the hardware
 * had cached for the address (SDM vol. 3, "Operations that invalidate cached
 * mappings").  Nor does splitting: the old translation, which a TLB may go on using,
 * is the same as the new ones.  Cleared accessed bits are not flushed unless the
 * host asks for that.
 *
 * Page-table pages are charged to the VMM's memory cgroup and counted in the host's
 * SecPageTables.  They come out of a cache of the vCPU, filled before the lock is taken.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/vmstat.h>

#include "tdp_mmu.h"

#define PT_ADDR_MASK	GENMASK_ULL(51, 12)

/* ---- entries ---- */

static const struct kvm_tdp_format *format(void)
{
	return kvm_caps.tdp_format;
}

static bool entry_is_present(u64 entry)
{
	return entry & format()->present;
}

static bool entry_is_leaf(u64 entry, int level)
{
	return level == 1 || (entry & format()->large);
}

static u64 *entry_table(u64 entry)
{
	return __va(entry & PT_ADDR_MASK);
}

static int level_index(gfn_t gfn, int level)
{
	return (gfn >> ((level - 1) * PT_INDEX_BITS)) % PT_ENTRIES;
}

/* The accessed bit, 0 if hardware does not set it. */
static u64 accessed_bit(void)
{
	return kvm_caps.tdp_ad_bits ? format()->accessed : 0;
}

/* What makes a leaf open, see above. */
static u64 open_bits(void)
{
	return format()->write | format()->dirty;
}

static void count_leaves(struct kvm *kvm, int level, int n)
{
	atomic64_t *stat = level == 1 ? &kvm->stat.pages_4k :
			   level == 2 ? &kvm->stat.pages_2m : &kvm->stat.pages_1g;

	atomic64_add(n, stat);
}

/* ---- page-table pages ---- */

/**
 * kvm_tdp_mmu_fill_cache() - enough tables for the deepest walk
 * @vcpu: the vCPU, in whose thread we are
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kvm_tdp_mmu_fill_cache(struct kvm_vcpu *vcpu)
{
	struct kvm_pt_cache *cache = &vcpu->arch.pt_cache;
	u64 *table;

	while (cache->nr < KVM_PT_CACHE_SIZE) {
		table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!table)
			return -ENOMEM;
		cache->table[cache->nr++] = table;
	}
	return 0;
}

/**
 * kvm_tdp_mmu_free_cache() - free a vCPU's unused page-table pages
 * @vcpu: the vCPU, which is about to be freed
 */
void kvm_tdp_mmu_free_cache(struct kvm_vcpu *vcpu)
{
	struct kvm_pt_cache *cache = &vcpu->arch.pt_cache;

	while (cache->nr)
		free_page((unsigned long)cache->table[--cache->nr]);
}

/* The compare of a compare-and-exchange: another vCPU or the hardware was faster. */
static bool lost_race(struct kvm_vcpu *vcpu)
{
	vcpu->stat.tdp_lost_races++;
	return false;
}

static u64 *cache_take(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.pt_cache.table[--vcpu->arch.pt_cache.nr];
}

static void cache_give_back(struct kvm_vcpu *vcpu, u64 *table)
{
	vcpu->arch.pt_cache.table[vcpu->arch.pt_cache.nr++] = table;
}

static void count_table(struct kvm *kvm, u64 *table, int n)
{
	atomic64_add(n, &kvm->stat.pt_pages);
	mod_lruvec_page_state(virt_to_page(table), NR_SECONDARY_PAGETABLE, n);
}

/*
 * The private word of a table's struct page says that a fetch wanted its pages small:
 * see kvm_nx_huge_pages in mmu.c.  A large leaf there would only be split again.
 */
static void table_set_for_exec(u64 *table, bool for_exec)
{
	set_page_private(virt_to_page(table), for_exec);
}

static bool table_is_for_exec(u64 *table)
{
	return page_private(virt_to_page(table));
}

static void free_table(struct kvm *kvm, u64 *table)
{
	count_table(kvm, table, -1);
	table_set_for_exec(table, false);
	free_page((unsigned long)table);
}

static bool table_is_empty(const u64 *table)
{
	return !memchr_inv(table, 0, PAGE_SIZE);
}

/* ---- the root ---- */

/**
 * kvm_tdp_mmu_get_root() - the root of the tables of a vCPU's VM
 * @vcpu: the vCPU, whose cache is full
 *
 * All vCPUs of a VM share one root.  The first to come makes it; it stays until the
 * VM ends.
 *
 * Context: takes mmu_lock.
 * Return: its physical address.
 */
hpa_t kvm_tdp_mmu_get_root(struct kvm_vcpu *vcpu)
{
	struct kvm *kvm = vcpu->kvm;
	hpa_t *root = &kvm->arch.root_hpa[0];
	u64 *table;

	write_lock(&kvm->mmu_lock);
	if (!*root) {
		table = cache_take(vcpu);
		count_table(kvm, table, 1);
		*root = __pa(table);
	}
	write_unlock(&kvm->mmu_lock);
	return *root;
}

/**
 * kvm_tdp_mmu_free_roots() - the last of a VM's tables
 * @kvm: the VM; no vCPU is left, nothing is mapped
 */
void kvm_tdp_mmu_free_roots(struct kvm *kvm)
{
	int as;

	for (as = 0; as < KVM_ADDRESS_SPACE_NUM; as++) {
		if (kvm->arch.root_hpa[as])
			free_table(kvm, __va(kvm->arch.root_hpa[as]));
		kvm->arch.root_hpa[as] = 0;
	}
}

/* ---- giving: mmu_lock is held, shared is enough ---- */

/*
 * Let @entry, which was @old, point to @table.  False: it has changed, and the table is in
 * the cache again; there it has to be empty.
 */
static bool install_table(struct kvm_page_fault *f, u64 *entry, u64 old, u64 *table)
{
	/* Before the table can be seen. */
	table_set_for_exec(table, f->exec && kvm_nx_huge_pages);
	if (!try_cmpxchg64(entry, &old, __pa(table) | format()->table)) {
		table_set_for_exec(table, false);
		cache_give_back(f->vcpu, table);
		return lost_race(f->vcpu);
	}
	count_table(f->vcpu->kvm, table, 1);
	return true;
}

/*
 * In the place of the large leaf @old, a table of 512 leaves that together say the same.
 * But if it is closed and hardware logs writes, they are closed as their level is, so
 * that the next writes are no faults; an open one may still be in a TLB, with its dirty bit,
 * which hardware would believe.
 */
static void split_leaf(struct kvm_page_fault *f, u64 *entry, u64 old, int level)
{
	u64 *table = cache_take(f->vcpu);
	u64 child = old;
	int i;

	if (level == 2) {
		child &= ~format()->large;
		child |= format()->exec;
		if (f->logged && kvm_caps.cpu_dirty_log_size && (old & format()->host_writable) &&
		    !(old & format()->write))
			child = (child | format()->write) & ~format()->dirty;
	}
	for (i = 0; i < PT_ENTRIES; i++)
		table[i] = child + i * (level_pages(level - 1) << PAGE_SHIFT);

	if (!install_table(f, entry, old, table)) {
		clear_page(table);
		return;
	}
	count_leaves(f->vcpu->kvm, level, -1);
	count_leaves(f->vcpu->kvm, level - 1, PT_ENTRIES);
}

static u64 make_leaf(const struct kvm_page_fault *f, int level)
{
	const struct kvm_tdp_format *fmt = format();
	u64 entry = fmt->leaf | accessed_bit();

	entry |= (f->pfn & ~(level_pages(level) - 1)) << PAGE_SHIFT;
	entry |= f->uncached ? fmt->memtype_uc : fmt->memtype_wb;
	if (level > 1)
		entry |= fmt->large;
	if (level == 1 || !kvm_nx_huge_pages)
		entry |= fmt->exec;
	if (f->map_writable) {
		entry |= fmt->host_writable;
		/* While writes are logged, a read leaves the first write to be seen. */
		if (f->write || !f->logged)
			entry |= open_bits();
		else if (kvm_caps.cpu_dirty_log_size && level == 1)
			entry |= fmt->write;
	}
	return entry;
}

/*
 * Write the leaf.  False: the entry has changed.  A leaf of another page cannot be
 * there: before the host puts another one in its place, the leaf is zapped.
 */
static bool set_leaf(struct kvm_page_fault *f, u64 *entry, u64 old, int level)
{
	u64 new = make_leaf(f, level);
	bool other_page = entry_is_present(old) && ((old ^ new) & PT_ADDR_MASK);

	/* Only ever more permissions, see the TLB rule. */
	if (!WARN_ON_ONCE(other_page))
		new |= old;
	f->was_opened = f->write && (new & ~old & open_bits());
	if (!try_cmpxchg64(entry, &old, new))
		return lost_race(f->vcpu);
	if (!entry_is_present(old))
		count_leaves(f->vcpu->kvm, level, 1);
	if (other_page)
		kvm_flush_remote_tlbs(f->vcpu->kvm);
	f->vcpu->stat.tdp_pages_mapped++;
	return true;
}

/**
 * kvm_tdp_mmu_map() - make the entry that a fault asks for
 * @f: the fault, with all that is known of the host's page; ->goal_level becomes smaller if
 *	the pages around were wanted small before; ->was_opened is the result
 *
 * Context: kvm->mmu_lock held, shared or not; the vCPU's cache was filled.
 * Return: 0; -EAGAIN if there is a table where a leaf is wanted: it has to be zapped,
 * which wants the lock exclusively.
 */
int kvm_tdp_mmu_map(struct kvm_page_fault *f)
{
	u64 *table = __va(f->vcpu->kvm->arch.root_hpa[0]);
	int level = kvm_caps.tdp_levels;
	u64 *entry, old;

	for (;;) {
		entry = table + level_index(f->gfn, level);
		old = READ_ONCE(*entry);

		if (level > f->goal_level) {
			if (!entry_is_present(old)) {
				install_table(f, entry, 0, cache_take(f->vcpu));
			} else if (entry_is_leaf(old, level)) {
				split_leaf(f, entry, old, level);
			} else {
				table = entry_table(old);
				level--;
			}
		} else if (entry_is_present(old) && !entry_is_leaf(old, level)) {
			if (!table_is_for_exec(entry_table(old)))
				return -EAGAIN;
			f->goal_level--;
		} else if (set_leaf(f, entry, old, level)) {
			return 0;
		}
	}
}

/**
 * kvm_tdp_mmu_fast_page_fault() - the faults that need nothing of the host
 * @f: the fault; gfn, write, exec, logged are known; ->was_opened is a result
 *
 * Another vCPU was faster, or the leaf is closed only because the dirty log was read.
 *
 * Context: kvm->mmu_lock held, shared or not.
 * Return: whether the guest can go on.
 */
bool kvm_tdp_mmu_fast_page_fault(struct kvm_page_fault *f)
{
	u64 needed = (f->write ? format()->write : 0) | (f->exec ? format()->exec : 0);
	u64 *table = __va(f->vcpu->kvm->arch.root_hpa[0]);
	int level = kvm_caps.tdp_levels;
	u64 *entry, old;

	for (;; level--) {
		entry = table + level_index(f->gfn, level);
		old = READ_ONCE(*entry);
		if (!entry_is_present(old))
			return false;
		if (entry_is_leaf(old, level))
			break;
		table = entry_table(old);
	}

	needed &= ~old;
	if (!needed)
		return true;
	/* To open a large leaf would say that all of its pages are written. */
	if (needed != format()->write || !(old & format()->host_writable) ||
	    (level > 1 && f->logged))
		return false;
	f->was_opened = true;
	return try_cmpxchg64(entry, &old, old | open_bits()) || lost_race(f->vcpu);
}

/* ---- walks over a range ---- */

/**
 * kvm_tdp_mmu_walk_finish() - the TLB rule, to be called before mmu_lock is dropped
 * @w: the walk
 */
void kvm_tdp_mmu_walk_finish(struct tdp_walk *w)
{
	struct page *page, *next;

	if (w->flush)
		kvm_flush_remote_tlbs(w->kvm);
	w->flush = false;

	list_for_each_entry_safe(page, next, &w->free, lru) {
		list_del(&page->lru);
		free_table(w->kvm, page_address(page));
	}
}

static void entry_clear(struct tdp_walk *w, u64 *entry)
{
	xchg(entry, 0);
	w->flush = true;
}

static void unlink_table(struct tdp_walk *w, u64 *entry)
{
	struct page *page = virt_to_page(entry_table(*entry));

	entry_clear(w, entry);
	list_add(&page->lru, &w->free);
	w->nr_free++;
}

static bool walk_should_yield(const struct tdp_walk *w)
{
	if (w->budget && w->nr_free >= w->budget)
		return true;
	return w->may_yield && (w->flush || !w->restarts) &&
	       (need_resched() || rwlock_needbreak(&w->kvm->mmu_lock));
}

/*
 * Go through one table, whose first entry maps @base, and those below it.  Returns
 * false if it stopped half-way because somebody else wants the CPU or mmu_lock:
 * the caller then does kvm_tdp_mmu_walk_finish() and cond_resched_rwlock_write() and
 * calls again with the root; w->start says where to go on.
 */
static bool walk_table(struct tdp_walk *w, u64 *table, int level, gfn_t base)
{
	gfn_t pages = level_pages(level);
	int i = w->start > base ? level_index(w->start, level) : 0;
	gfn_t gfn = base + i * pages;
	bool done;
	u64 entry;

	for (; i < PT_ENTRIES && gfn < w->end; i++, gfn += pages) {
		entry = READ_ONCE(table[i]);
		if (!entry_is_present(entry))
			continue;
		if (entry_is_leaf(entry, level)) {
			w->leaf(w, &table[i], level, gfn);
			continue;
		}

		done = walk_table(w, entry_table(entry), level - 1, gfn);
		if (w->zaps && table_is_empty(entry_table(entry)))
			unlink_table(w, &table[i]);
		if (!done)
			return false;
		if (walk_should_yield(w)) {
			w->start = gfn + pages;
			return w->start >= w->end;
		}
	}
	return true;
}

/**
 * kvm_tdp_mmu_walk() - walk a range of one address space
 * @w: the walk
 * @as_id: the address space
 *
 * Context: mmu_lock held; to write, if @w zaps or yields.
 * Return: false if it was interrupted, see walk_table().
 */
bool kvm_tdp_mmu_walk(struct tdp_walk *w, int as_id)
{
	hpa_t root = w->kvm->arch.root_hpa[as_id];

	if (w->zaps || w->may_yield)
		lockdep_assert_held_write(&w->kvm->mmu_lock);
	else
		lockdep_assert_held(&w->kvm->mmu_lock);
	return !root || walk_table(w, __va(root), kvm_caps.tdp_levels, 0);
}

/**
 * kvm_tdp_mmu_walk_yielding() - a whole walk that others may interrupt
 * @w: the walk
 * @as_id: the address space
 *
 * Context: takes mmu_lock.
 */
void kvm_tdp_mmu_walk_yielding(struct tdp_walk *w, int as_id)
{
	w->may_yield = true;
	write_lock(&w->kvm->mmu_lock);
	while (!kvm_tdp_mmu_walk(w, as_id)) {
		kvm_tdp_mmu_walk_finish(w);
		cond_resched_rwlock_write(&w->kvm->mmu_lock);
	}
	kvm_tdp_mmu_walk_finish(w);
	write_unlock(&w->kvm->mmu_lock);
}

/**
 * kvm_tdp_mmu_zap_all() - nothing is mapped any more
 * @kvm: the VM
 *
 * Context: takes mmu_lock.
 */
void kvm_tdp_mmu_zap_all(struct kvm *kvm)
{
	int as;

	for (as = 0; as < KVM_ADDRESS_SPACE_NUM; as++) {
		struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = tdp_zap_leaf,
						  .zaps = true, .end = ~(gfn_t)0);

		kvm_tdp_mmu_walk_yielding(&w, as);
	}
}

/* ---- taking: what is done with a leaf ---- */

/**
 * tdp_zap_leaf() - remove it; a walk that zaps
 * @w: the walk
 * @entry: the leaf
 * @level: its level
 * @gfn: its first frame
 */
void tdp_zap_leaf(struct tdp_walk *w, u64 *entry, int level, gfn_t gfn)
{
	entry_clear(w, entry);
	count_leaves(w->kvm, level, -1);
}

/**
 * tdp_zap_small_leaf() - remove it if it could be larger; a walk that zaps, with a slot
 * @w: the walk
 * @entry: the leaf
 * @level: its level
 * @gfn: its first frame
 */
void tdp_zap_small_leaf(struct tdp_walk *w, u64 *entry, int level, gfn_t gfn)
{
	gfn_t pages = level_pages(level + 1);

	if (gfn >= w->known_until) {
		w->known_until = ALIGN(gfn + 1, pages);
		w->may_grow = kvm_slot_max_level(w->slot, gfn, level + 1) > level &&
			      host_pfn_mapping_level(w->kvm, gfn_to_hva_memslot(w->slot, gfn)) >
			      level;
	}
	if (w->may_grow)
		tdp_zap_leaf(w, entry, level, gfn);
}

/**
 * tdp_log_leaf() - close it, so that the next write is seen; mmu_lock held to write
 * @w: the walk, which may have a mask
 * @entry: the leaf
 * @level: its level
 * @gfn: its first frame
 */
void tdp_log_leaf(struct tdp_walk *w, u64 *entry, int level, gfn_t gfn)
{
	u64 bit = level == 1 && kvm_caps.cpu_dirty_log_size ? format()->dirty : format()->write;

	if (level == 1 && w->mask && !(w->mask >> (gfn - w->mask_gfn) & 1))
		return;
	if (READ_ONCE(*entry) & bit) {
		atomic64_andnot(bit, (atomic64_t *)entry);
		w->flush = true;
	}
}

/**
 * tdp_test_leaf() - was it used?
 * @w: the walk, ->young is the answer
 * @entry: the leaf
 * @level: its level
 * @gfn: its first frame
 */
void tdp_test_leaf(struct tdp_walk *w, u64 *entry, int level, gfn_t gfn)
{
	if (!accessed_bit() || (READ_ONCE(*entry) & accessed_bit()))
		w->young = true;
}

/**
 * kvm_tdp_mmu_aging_zaps() - does tdp_age_leaf() remove leaves?
 *
 * Return: whether its walk has to be one that zaps.
 */
bool kvm_tdp_mmu_aging_zaps(void)
{
	return !accessed_bit();
}

/**
 * tdp_age_leaf() - was it used, and forget that it was
 * @w: the walk, ->young is the answer
 * @entry: the leaf
 * @level: its level
 * @gfn: its first frame
 *
 * Without an accessed bit the entry goes: if the page is used again, there is a fault.
 * With one, the entry may become a table at the same time (split_leaf()), in which the bit
 * says nothing.
 */
void tdp_age_leaf(struct tdp_walk *w, u64 *entry, int level, gfn_t gfn)
{
	if (!accessed_bit()) {
		w->young = true;
		tdp_zap_leaf(w, entry, level, gfn);
	} else if (READ_ONCE(*entry) & accessed_bit()) {
		w->young = true;
		atomic64_andnot(accessed_bit(), (atomic64_t *)entry);
	}
}
