// SPDX-License-Identifier: GPL-2.0
/*
 * mmu.c - the second level of translation: guest-physical to host-physical
 *
 * The hardware (EPT; SDM vol. 3, chapter "VMX support for address translation")
 * translates every guest-physical address through page tables that belong to the
 * hypervisor.  They begin empty.  An access to an address that they do not map
 * is an exit, and this file makes the entry:
 *
 *	exit: EPT violation at gpa
 *	  kvm_mmu_page_fault()
 *	    gfn -> slot			no slot: an MMIO exit (io.c), unless an ioeventfd
 *					wants to know only that somebody wrote there
 *	    fast_fault()		the entry is there by now, or is read-only
 *					for the dirty log's sake: done
 *	    slot -> hva -> host page	host_page_get(); may sleep, may swap in
 *	    mmu_lock:
 *	      is that page still the right one?		fault_is_stale()
 *	      how large a page can it be?		mapping_level()
 *	      write the entry				map_page()
 *	enter the guest again
 *
 * A table is a page of 512 entries of 8 bytes.  Level 1 maps 4K pages; an entry
 * of level 2 or 3 either points to a table or is a leaf that maps 2M or 1G; levels
 * 4 (and 5) only point.  Entries look as kvm_caps.tdp_format says, so nothing here
 * is Intel's.  Their states, and who moves them:
 *
 *			 fault (no table yet)
 *	   not present  ---------------------->  table
 *	     |      ^   <----------------------
 *	     |      |    its last entry went, or a large leaf takes its place
 *	fault|      |zap: MMU notifier, slot gone, other size wanted
 *	     v      |
 *	    leaf, read-only  <--------------->  leaf, writable
 *		      write fault ->  <- dirty log was read
 *
 * A leaf also has the software bit host_writable: the host lets us write to the
 * page, so that a read-only leaf may become writable without asking the host.
 *
 * A table counts its entries in use, and one that has none is unlinked: what is
 * not mapped costs nothing.
 *
 * Whose page is it?  The VMM's.  We keep no reference to a page that is mapped;
 * instead the MMU notifier tells us before the host takes a page away (swap, KSM,
 * compaction, munmap), and then the entry goes.  The race between a fault and a
 * notification is at fault_is_stale().
 *
 * The dirty state of a host page.  Whoever writes to a page through
 * get_user_pages() has to say so.  We do when we write the entry: from then on the
 * page counts as dirty, and when the host wants to clean it, it first notifies us,
 * since it write-protects its own page-table entry for that.  So the dirty bit
 * of EPT is not needed.
 *
 * TLB rule.  Hardware caches entries.  Whoever removes an entry or takes away a
 * permission flushes the TLBs (kvm_flush_remote_tlbs()) before he drops mmu_lock
 * and before the page-table pages that he unlinked are freed.  So whoever holds
 * mmu_lock may believe that the hardware does what the entries say.  Adding an
 * entry or a permission needs no flush: a fault drops what the hardware had
 * cached for the address (SDM vol. 3, "Operations that invalidate cached
 * mappings").
 *
 * Locks: kvm->mmu_lock for every entry, table and the notifier's counters;
 * hardware changes accessed and dirty bits in spite of it, hence the atomic
 * operations.  Nothing is allocated under it: tables come out of a cache that is
 * filled before.  Long walks let others have it in between.  kvm->srcu is held
 * throughout a fault, see memslot.c.
 *
 * Left out: faults of several vCPUs in parallel (one spinlock for all);
 * splitting a large page in place (it is zapped and comes back small); the
 * mitigation of "iTLB multihit", which maps large pages without execute
 * permission on CPUs that have the bug; shadow page tables (CPUs without EPT);
 * the address space of system management mode, which has slots but no vCPU yet.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <asm/pgtable.h>

#include "kvm_host.h"
#include "guest_walk.h"
#include "irq.h"
#include "trace.h"

static bool large_pages = true;
module_param(large_pages, bool, 0444);
MODULE_PARM_DESC(large_pages, "Map guest memory with 2M and 1G pages where the host does");

#define PT_ENTRIES	512
#define PT_INDEX_BITS	9
#define PT_ADDR_MASK	GENMASK_ULL(51, 12)

/* ---- entries and tables ---- */

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

/* Pages that an entry of @level covers. */
static gfn_t level_pages(int level)
{
	return (gfn_t)1 << ((level - 1) * PT_INDEX_BITS);
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

/* A table's count of entries in use is its struct page's private word. */
static unsigned long table_count(u64 *table)
{
	return page_private(virt_to_page(table));
}

static void table_count_add(u64 *entry, int n)
{
	struct page *page = virt_to_page(entry);

	set_page_private(page, page_private(page) + n);
}

static void count_leaf(struct kvm *kvm, int level, int n)
{
	atomic64_t *stat = level == 1 ? &kvm->stat.pages_4k :
			   level == 2 ? &kvm->stat.pages_2m : &kvm->stat.pages_1g;

	atomic64_add(n, stat);
}

/* Write to an entry that was not in use. */
static void entry_set(u64 *entry, u64 val)
{
	WRITE_ONCE(*entry, val);
	table_count_add(entry, 1);
}

static void entry_clear(u64 *entry)
{
	xchg(entry, 0);
	table_count_add(entry, -1);
}

/* ---- page-table pages ---- */

/* Enough for the deepest walk, so that nothing need be allocated under mmu_lock. */
static int pt_cache_fill(struct kvm_pt_cache *cache)
{
	u64 *table;

	while (cache->nr < KVM_PT_CACHE_SIZE) {
		table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!table)
			return -ENOMEM;
		cache->table[cache->nr++] = table;
	}
	return 0;
}

static u64 *table_alloc(struct kvm_vcpu *vcpu)
{
	u64 *table = vcpu->arch.pt_cache.table[--vcpu->arch.pt_cache.nr];

	set_page_private(virt_to_page(table), 0);
	atomic64_inc(&vcpu->kvm->stat.pt_pages);
	return table;
}

/* ---- walks over a range ---- */

/**
 * struct tdp_walk - go through the leaves of a range
 * @kvm:	whose
 * @start:	first frame; moves on as the walk does
 * @end:	behind the last frame
 * @leaf:	what to do with each leaf that touches the range
 * @may_yield:	the walk may be interrupted, see walk_table()
 * @restarts:	after that it begins anew: it must have removed something first
 * @flush:	set when the TLBs may have something that is gone from the tables
 * @free:	tables that are unlinked, to be freed after the flush
 * @mask:	for write_protect_masked(): which pages behind @mask_gfn; 0: all
 * @mask_gfn:	the page of bit 0
 * @young:	for aging: one was used
 */
struct tdp_walk {
	struct kvm *kvm;
	gfn_t start;
	gfn_t end;
	void (*leaf)(struct tdp_walk *w, u64 *entry, int level, gfn_t gfn);
	bool may_yield;
	bool restarts;
	bool flush;
	struct list_head free;
	unsigned long mask;
	gfn_t mask_gfn;
	bool young;
};

#define TDP_WALK_INIT(name, ...)						\
	{ .free = LIST_HEAD_INIT(name.free), __VA_ARGS__ }

/* The TLB rule: to be called before mmu_lock is dropped. */
static void walk_finish(struct tdp_walk *w)
{
	struct page *page, *next;

	if (w->flush)
		kvm_flush_remote_tlbs(w->kvm);
	w->flush = false;

	list_for_each_entry_safe(page, next, &w->free, lru) {
		list_del(&page->lru);
		set_page_private(page, 0);
		__free_page(page);
		atomic64_dec(&w->kvm->stat.pt_pages);
	}
}

static void unlink_table(struct tdp_walk *w, u64 *entry)
{
	struct page *page = virt_to_page(entry_table(*entry));

	entry_clear(entry);
	list_add(&page->lru, &w->free);
	w->flush = true;
}

static bool walk_should_yield(const struct tdp_walk *w)
{
	return w->may_yield && (w->flush || !w->restarts) &&
	       (need_resched() || spin_needbreak(&w->kvm->mmu_lock));
}

/*
 * Go through one table, whose first entry maps @base, and those below it.  Returns
 * false if it stopped half-way because somebody else wants the CPU or mmu_lock:
 * the caller then does walk_finish() and cond_resched_lock() and calls again with
 * the root; w->start says where to go on.
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
		if (!table_count(entry_table(entry)))
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

/* One address space, from its root; returns as walk_table() does. */
static bool walk_root(struct tdp_walk *w, int as_id)
{
	hpa_t root = w->kvm->arch.root_hpa[as_id];

	lockdep_assert_held(&w->kvm->mmu_lock);
	return !root || walk_table(w, __va(root), kvm_caps.tdp_levels, 0);
}

/* The whole walk, for those that may be interrupted.  Takes mmu_lock. */
static void walk_yielding(struct tdp_walk *w, int as_id)
{
	w->may_yield = true;
	spin_lock(&w->kvm->mmu_lock);
	while (!walk_root(w, as_id)) {
		walk_finish(w);
		cond_resched_lock(&w->kvm->mmu_lock);
	}
	walk_finish(w);
	spin_unlock(&w->kvm->mmu_lock);
}

/* ---- what is done with a leaf ---- */

static void zap_leaf(struct tdp_walk *w, u64 *entry, int level, gfn_t gfn)
{
	entry_clear(entry);
	count_leaf(w->kvm, level, -1);
	w->flush = true;
}

/* A large page cannot tell which 4K of it are written, so it goes. */
static void write_protect_leaf(struct tdp_walk *w, u64 *entry, int level, gfn_t gfn)
{
	if (level > 1) {
		zap_leaf(w, entry, level, gfn);
		return;
	}
	if (w->mask && !(w->mask >> (gfn - w->mask_gfn) & 1))
		return;
	if (READ_ONCE(*entry) & format()->write) {
		atomic64_andnot(format()->write, (atomic64_t *)entry);
		w->flush = true;
	}
}

static void test_leaf(struct tdp_walk *w, u64 *entry, int level, gfn_t gfn)
{
	if (!accessed_bit() || (READ_ONCE(*entry) & accessed_bit()))
		w->young = true;
}

/*
 * Forget that the page was used.  Without an accessed bit the entry goes: if the
 * page is used again, there is a fault.
 */
static void age_leaf(struct tdp_walk *w, u64 *entry, int level, gfn_t gfn)
{
	if (!accessed_bit()) {
		w->young = true;
		zap_leaf(w, entry, level, gfn);
	} else if (READ_ONCE(*entry) & accessed_bit()) {
		w->young = true;
		atomic64_andnot(accessed_bit(), (atomic64_t *)entry);
	}
}

/* ---- the roots ---- */

/**
 * kvm_mmu_reload() - see to it that a vCPU has a root to run on
 * @vcpu: the vCPU, loaded
 *
 * All vCPUs of a VM share one root.  The first to come allocates it.  A root that
 * is new to the vCPU may be at an address where an older VM had one, so what
 * hardware remembers of that address has to go.
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_mmu_reload(struct kvm_vcpu *vcpu)
{
	struct kvm *kvm = vcpu->kvm;
	hpa_t *root = &kvm->arch.root_hpa[0];

	if (likely(vcpu->arch.root_hpa))
		return 0;

	if (pt_cache_fill(&vcpu->arch.pt_cache))
		return -ENOMEM;
	spin_lock(&kvm->mmu_lock);
	if (!*root)
		*root = __pa(table_alloc(vcpu));
	spin_unlock(&kvm->mmu_lock);

	vcpu->arch.root_hpa = *root;
	kvm_x86_ops.load_mmu(vcpu, *root);
	kvm_make_request(KVM_REQ_TLB_FLUSH, vcpu);
	return 0;
}

/* ---- the host's side of a fault ---- */

/**
 * struct host_page - what is behind a host-virtual address at the moment
 * @page:	the page, a reference is held; NULL if the host keeps no count of it
 * @pfn:	its frame
 * @writable:	the host lets us write to it
 * @uncached:	it is a device's
 */
struct host_page {
	struct page *page;
	kvm_pfn_t pfn;
	bool writable;
	bool uncached;
};

static void host_page_put(struct host_page *hp)
{
	if (hp->page)
		put_page(hp->page);
}

/*
 * A mapping that a driver made of bare frames: get_user_pages() refuses it, so
 * look into the page table, and have the driver fill it if it is not yet there.
 * We need no reference: the notifier watches over these mappings too.
 */
static int host_pfnmap_get(hva_t hva, bool write, struct host_page *hp)
{
	vm_flags_t needed = write ? VM_WRITE : VM_READ;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool cached, unlocked = false;
	unsigned long pfn;
	int r = -EFAULT;

	mmap_read_lock(mm);
	vma = find_vma_intersection(mm, hva, hva + 1);
	if (!vma || !(vma->vm_flags & (VM_IO | VM_PFNMAP)) || !(vma->vm_flags & needed))
		goto out;

	r = minikvm_follow_pfnmap(vma, hva, &pfn, &hp->writable, &cached);
	if (r || (write && !hp->writable)) {
		r = fixup_user_fault(mm, hva, write ? FAULT_FLAG_WRITE : 0, &unlocked);
		/* The lock was dropped: the VMA may be another one now.  Fault again. */
		if (!r)
			r = -EAGAIN;
		goto out;
	}
	hp->pfn = pfn;
	hp->uncached = !cached || !page_is_ram(pfn);
out:
	mmap_read_unlock(mm);
	return r;
}

/*
 * Find the page behind @hva, bring it in if it is swapped out, break copy-on-write
 * if @write.  Even for a read it is of use to know that the page is writable: it
 * saves the next fault.
 *
 * Returns 0, -EFAULT (nothing there, or not for writing), -EHWPOISON, -EINTR (the
 * process is to die), or -EAGAIN (things have changed, try again).
 */
static int host_page_get(hva_t hva, bool write, bool may_write, struct host_page *hp)
{
	struct page *page;
	long n;

	if (may_write && get_user_page_fast_only(hva, FOLL_WRITE, &hp->page)) {
		hp->pfn = page_to_pfn(hp->page);
		hp->writable = true;
		return 0;
	}

	n = get_user_pages_unlocked(hva, 1, &hp->page, MINIKVM_FOLL_FLAGS |
				    (write ? FOLL_WRITE : 0));
	if (n != 1) {
		hp->page = NULL;
		return n == -EFAULT ? host_pfnmap_get(hva, write, hp) : n ? n : -EFAULT;
	}
	hp->writable = write;
	if (!write && may_write && get_user_page_fast_only(hva, FOLL_WRITE, &page)) {
		put_page(hp->page);
		hp->page = page;
		hp->writable = true;
	}
	hp->pfn = page_to_pfn(hp->page);
	return 0;
}

/*
 * The level at which the host itself maps @hva to @pfn.  That a page is part of a
 * huge one does not say: the VMM may have unmapped the rest of it, which the guest
 * then must not see.  Only the host's page table knows.
 *
 * Called under mmu_lock, after fault_is_stale() said no: whoever is about to
 * change that table must notify us first, and for that needs mmu_lock.  Interrupts
 * are off so that the table we look at is not freed: that takes an IPI or an RCU
 * grace period.
 */
static int host_mapping_level(hva_t hva, kvm_pfn_t pfn)
{
	unsigned long flags;
	int level = 1;
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	local_irq_save(flags);
	pgd = READ_ONCE(*pgd_offset(current->mm, hva));
	if (pgd_none(pgd))
		goto out;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		goto out;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		goto out;
	if (pud_leaf(pud)) {
		if (pud_pfn(pud) == (pfn & ~(level_pages(3) - 1)))
			level = 3;
		goto out;
	}
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (!pmd_none(pmd) && pmd_present(pmd) && pmd_leaf(pmd) &&
	    pmd_pfn(pmd) == (pfn & ~(level_pages(2) - 1)))
		level = 2;
out:
	local_irq_restore(flags);
	return level;
}

/* ---- a fault ---- */

/**
 * struct fault - what kvm_mmu_page_fault() knows
 * @vcpu:	who faulted
 * @gfn:	where
 * @write:	the access was a write
 * @slot:	the slot of @gfn
 * @hva:	the host-virtual address of @gfn
 * @seq:	kvm->mmu_invalidate_seq before @host was looked up
 * @host:	the host page
 */
struct fault {
	struct kvm_vcpu *vcpu;
	gfn_t gfn;
	bool write;
	struct kvm_memory_slot *slot;
	hva_t hva;
	unsigned long seq;
	struct host_page host;
};

/*
 * May f->host have been taken away since it was looked up?  The notifier works on
 * pages that are mapped; ours is on its way to be.
 *
 *	vCPU fault				host, e.g. swap-out
 *	 1 seq = mmu_invalidate_seq
 *	 2 page = lookup(hva)
 *						 a invalidate_range_start: under
 *						   mmu_lock: in_progress++, zap
 *						 b the host's entry is cleared
 *						 c invalidate_range_end: under
 *						   mmu_lock: seq++, in_progress--
 *						 d page is freed
 *	 3 mmu_lock: this function; map
 *
 * 3 and a and c exclude each other.  3 before a: the page is mapped and a zaps it.
 * 3 between a and c: in_progress is not 0, and the range has hva.  3 after c: if 1
 * was before c, seq differs; if 1 was after c, so was 2 (the barrier between them),
 * and it found what the host has now.  In the cases that fail the guest is
 * entered again and faults again.
 */
static bool fault_is_stale(const struct fault *f)
{
	const struct kvm *kvm = f->vcpu->kvm;

	if (kvm->mmu_invalidate_in_progress &&
	    f->hva >= kvm->mmu_invalidate_start && f->hva < kvm->mmu_invalidate_end)
		return true;
	return kvm->mmu_invalidate_seq != f->seq;
}

/*
 * How large a page may be used: as the host has it, all of it inside the slot,
 * guest and host address alike in the bits below; but single pages if the writes
 * are to be logged.
 */
static int mapping_level(const struct fault *f)
{
	const struct kvm_memory_slot *slot = f->slot;
	gfn_t first, last, mask;
	int level;

	if (!large_pages || slot->dirty_bitmap || !f->host.page)
		return 1;

	level = min_t(int, kvm_caps.tdp_max_page_level,
		      host_mapping_level(f->hva, f->host.pfn));
	for (; level > 1; level--) {
		mask = level_pages(level) - 1;
		first = f->gfn & ~mask;
		last = first | mask;
		if (first >= slot->base_gfn && last < slot->base_gfn + slot->npages &&
		    !((slot->base_gfn ^ (slot->userspace_addr >> PAGE_SHIFT)) & mask))
			break;
	}
	return level;
}

static u64 make_leaf(const struct fault *f, int level)
{
	const struct kvm_tdp_format *fmt = format();
	u64 entry = fmt->leaf | accessed_bit();

	entry |= (f->host.pfn & ~(level_pages(level) - 1)) << PAGE_SHIFT;
	entry |= f->host.uncached ? fmt->memtype_uc : fmt->memtype_wb;
	if (level > 1)
		entry |= fmt->large;
	if (f->host.writable && !(f->slot->flags & KVM_MEM_READONLY)) {
		entry |= fmt->host_writable;
		/* While writes are logged, a read leaves the first write to be seen. */
		if (f->write || !f->slot->dirty_bitmap)
			entry |= fmt->write;
	}
	return entry;
}

/* Make @entry, whatever it is, not present, and let nothing be left of it in a TLB. */
static void drop_entry(struct kvm *kvm, u64 *entry, int level)
{
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .end = level_pages(level),
					  .leaf = zap_leaf);

	if (entry_is_leaf(*entry, level)) {
		zap_leaf(&w, entry, level, 0);
	} else {
		/* Frames in this walk are counted from the entry's first. */
		walk_table(&w, entry_table(*entry), level - 1, 0);
		unlink_table(&w, entry);
	}
	walk_finish(&w);
}

/* The entry of @level for @gfn; tables that are missing above it are made. */
static u64 *reach_entry(struct kvm_vcpu *vcpu, gfn_t gfn, int level)
{
	int l = kvm_caps.tdp_levels;
	u64 *entry = (u64 *)__va(vcpu->kvm->arch.root_hpa[0]) + level_index(gfn, l);

	while (l > level) {
		if (entry_is_present(*entry) && entry_is_leaf(*entry, l))
			drop_entry(vcpu->kvm, entry, l);
		if (!entry_is_present(*entry))
			entry_set(entry, __pa(table_alloc(vcpu)) | format()->table);
		l--;
		entry = entry_table(*entry) + level_index(gfn, l);
	}
	return entry;
}

static void map_page(const struct fault *f)
{
	struct kvm *kvm = f->vcpu->kvm;
	int level = mapping_level(f);
	u64 *entry = reach_entry(f->vcpu, f->gfn, level);
	u64 val = make_leaf(f, level);
	u64 old = READ_ONCE(*entry);

	if (entry_is_present(old) &&
	    (!entry_is_leaf(old, level) || ((old ^ val) & PT_ADDR_MASK))) {
		drop_entry(kvm, entry, level);
		old = 0;
	}
	if (entry_is_present(old)) {
		/* Only ever more permissions, see the TLB rule. */
		atomic64_or(val, (atomic64_t *)entry);
	} else {
		entry_set(entry, val);
		count_leaf(kvm, level, 1);
	}

	if (val & format()->write)
		mark_page_dirty_in_slot(kvm, f->slot, f->gfn);
	/* See "the dirty state of a host page" above.  The zero page is reserved. */
	if ((val & format()->host_writable) && f->host.page && !PageReserved(f->host.page))
		SetPageDirty(f->host.page);
	f->vcpu->stat.tdp_pages_mapped++;
}

static u64 *find_leaf(struct kvm *kvm, gfn_t gfn, int *level)
{
	int l = kvm_caps.tdp_levels;
	u64 *entry = (u64 *)__va(kvm->arch.root_hpa[0]) + level_index(gfn, l);

	while (entry_is_present(*entry)) {
		if (entry_is_leaf(*entry, l)) {
			*level = l;
			return entry;
		}
		l--;
		entry = entry_table(*entry) + level_index(gfn, l);
	}
	return NULL;
}

/*
 * The faults that need nothing of the host: another vCPU was faster, or the entry is
 * read-only only because the dirty log was read.
 */
static bool fast_fault(const struct fault *f)
{
	struct kvm *kvm = f->vcpu->kvm;
	bool fixed = false;
	u64 *entry;
	int level;

	spin_lock(&kvm->mmu_lock);
	entry = find_leaf(kvm, f->gfn, &level);
	if (!entry) {
		fixed = false;
	} else if (!f->write || (*entry & format()->write)) {
		fixed = true;
	} else if (level == 1 && (*entry & format()->host_writable)) {
		atomic64_or(format()->write, (atomic64_t *)entry);
		mark_page_dirty_in_slot(kvm, f->slot, f->gfn);
		fixed = true;
	}
	spin_unlock(&kvm->mmu_lock);
	return fixed;
}

/*
 * The one page without a slot: at the local APIC's address VMX wants to find its
 * APIC-access page, to do what the guest does there with the registers instead.  It is
 * a page of the kernel's, so no notifier has a say.
 *
 * The guest must see it only through a vCPU that virtualizes accesses to it: one whose APIC
 * is in xAPIC mode at the usual address.  Whoever changes that drops the page for good;
 * accesses then are emulated.
 */
#define APIC_GFN	(APIC_DEFAULT_PHYS_BASE >> PAGE_SHIFT)

static bool may_map_apic_page(const struct kvm *kvm)
{
	return READ_ONCE(kvm->arch.apic_access_page) && !READ_ONCE(kvm->arch.apic_page_dropped);
}

static int map_apic_page(struct kvm_vcpu *vcpu)
{
	const struct kvm_tdp_format *fmt = format();
	struct kvm *kvm = vcpu->kvm;
	u64 *entry;

	if (pt_cache_fill(&vcpu->arch.pt_cache))
		return -ENOMEM;
	spin_lock(&kvm->mmu_lock);
	if (may_map_apic_page(kvm)) {
		entry = reach_entry(vcpu, APIC_GFN, 1);
		if (!entry_is_present(*entry)) {
			entry_set(entry, fmt->leaf | fmt->write | fmt->memtype_wb |
				  accessed_bit() | kvm->arch.apic_access_page);
			count_leaf(kvm, 1, 1);
		}
	}
	spin_unlock(&kvm->mmu_lock);
	return 1;
}

/**
 * kvm_mmu_drop_apic_page() - accesses to the local APIC's page are emulated from now on
 * @kvm: the VM
 */
void kvm_mmu_drop_apic_page(struct kvm *kvm)
{
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = zap_leaf, .start = APIC_GFN,
					  .end = APIC_GFN + 1);

	if (!may_map_apic_page(kvm))
		return;
	spin_lock(&kvm->mmu_lock);
	WRITE_ONCE(kvm->arch.apic_page_dropped, true);
	walk_root(&w, 0);
	walk_finish(&w);
	spin_unlock(&kvm->mmu_lock);
}

/**
 * kvm_mmu_page_fault() - the guest accessed what its tables do not (yet) allow
 * @vcpu: the vCPU, kvm->srcu held
 * @gpa: guest-physical address of the access
 * @access: KVM_FAULT_READ, _WRITE, _EXEC
 *
 * If the host page has a memory error, the VMM gets SIGBUS with the host address, and
 * KVM_RUN ends because of that signal.
 *
 * Return: the run loop's contract.  1: enter the guest again; what
 * kvm_emulate_mmio() returns, if there is no memory or it is read-only and the
 * access a write; -EFAULT if the VMM has nothing mapped behind the slot; -EINTR
 * if the process is being killed; -ENOMEM.
 */
int kvm_mmu_page_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u32 access)
{
	struct kvm *kvm = vcpu->kvm;
	struct fault f = {
		.vcpu = vcpu,
		.gfn = gpa_to_gfn(gpa),
		.write = access & KVM_FAULT_WRITE,
	};
	bool may_write;
	int r;

	trace_minikvm_page_fault(vcpu, gpa, access);
	f.slot = gfn_to_memslot(kvm, f.gfn);
	may_write = f.slot && !(f.slot->flags & KVM_MEM_READONLY);
	if (!f.slot && f.gfn == APIC_GFN && may_map_apic_page(kvm))
		return map_apic_page(vcpu);
	if (!f.slot && (access & KVM_FAULT_CAN_SKIP) &&
	    !kvm_io_bus_write(vcpu, KVM_FAST_MMIO_BUS, gpa, 0, NULL))
		return kvm_skip_emulated_instruction(vcpu);
	if (!f.slot || (f.write && !may_write))
		return kvm_emulate_mmio(vcpu, gpa, access);
	if (fast_fault(&f))
		return 1;

	if (pt_cache_fill(&vcpu->arch.pt_cache))
		return -ENOMEM;
	f.hva = gfn_to_hva_memslot(f.slot, f.gfn);
	f.seq = READ_ONCE(kvm->mmu_invalidate_seq);
	smp_rmb();	/* the lookup comes after: see fault_is_stale() */

	/* The guest may have better to do than to wait for a slow page. */
	if (kvm_apf_enabled(vcpu) && kvm_async_pf(vcpu, f.gfn, f.hva, f.write))
		return 1;

	r = host_page_get(f.hva, f.write, may_write, &f.host);
	if (r == -EHWPOISON)
		send_sig_mceerr(BUS_MCEERR_AR, (void __user *)f.hva, PAGE_SHIFT, current);
	if (r == -EHWPOISON || r == -EAGAIN)
		return 1;
	if (r)
		return r;

	spin_lock(&kvm->mmu_lock);
	if (!fault_is_stale(&f))
		map_page(&f);
	spin_unlock(&kvm->mmu_lock);
	host_page_put(&f.host);
	return 1;
}
EXPORT_SYMBOL_GPL(kvm_mmu_page_fault);

/* ---- what memslot.c asks for ---- */

/**
 * kvm_mmu_zap_memslot() - remove every entry of a slot
 * @kvm: the VM
 * @slot: the slot
 *
 * Context: kvm->slots_lock held.  Nothing stops faults from making new entries, except
 * that they do not find the slot.
 */
void kvm_mmu_zap_memslot(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = zap_leaf,
					  .start = slot->base_gfn,
					  .end = slot->base_gfn + slot->npages);

	walk_yielding(&w, slot->as_id);
}

/**
 * kvm_mmu_write_protect_memslot() - see the next write to each page of a slot
 * @kvm: the VM
 * @slot: the slot
 *
 * Context: kvm->slots_lock held.
 */
void kvm_mmu_write_protect_memslot(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = write_protect_leaf,
					  .start = slot->base_gfn,
					  .end = slot->base_gfn + slot->npages);

	walk_yielding(&w, slot->as_id);
}

/**
 * kvm_mmu_write_protect_masked() - see the next write to some pages
 * @kvm: the VM
 * @slot: the pages' slot
 * @first: the page of bit 0
 * @mask: which pages, not 0
 *
 * Context: kvm->mmu_lock held.
 * Return: whether the caller has to flush the TLBs before he drops it.
 */
bool kvm_mmu_write_protect_masked(struct kvm *kvm, struct kvm_memory_slot *slot,
				  gfn_t first, unsigned long mask)
{
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = write_protect_leaf,
					  .start = first + __ffs(mask),
					  .end = first + __fls(mask) + 1,
					  .mask = mask, .mask_gfn = first);

	walk_root(&w, slot->as_id);
	if (!list_empty(&w.free))
		walk_finish(&w);
	return w.flush;
}

/* ---- the MMU notifier: the host changes its mind about a page ---- */

static struct kvm *mmu_notifier_to_kvm(struct mmu_notifier *mn)
{
	return container_of(mn, struct kvm, mmu_notifier);
}

/*
 * Walk whatever the guest has of host addresses [start, end), in all slots.  Returns
 * false if it was interrupted; the caller begins anew then, since slots may have
 * come and gone meanwhile.  What has been zapped stays zapped (fault_is_stale()), so
 * he gets ahead.
 */
static bool walk_hva_range(struct tdp_walk *w, hva_t start, hva_t end)
{
	struct interval_tree_node *node;
	struct kvm_memory_slot *slot;
	hva_t from, last;
	int as;

	for (as = 0; as < KVM_ADDRESS_SPACE_NUM; as++) {
		for (node = interval_tree_iter_first(&w->kvm->slots[as].hva_tree, start, end - 1);
		     node; node = interval_tree_iter_next(node, start, end - 1)) {
			slot = container_of(node, struct kvm_memory_slot, hva_node);
			from = max_t(hva_t, start, node->start);
			last = min_t(hva_t, end - 1, node->last);
			w->start = slot->base_gfn +
				   ((from - slot->userspace_addr) >> PAGE_SHIFT);
			w->end = slot->base_gfn +
				 ((last - slot->userspace_addr) >> PAGE_SHIFT) + 1;
			if (!walk_root(w, as))
				return false;
		}
	}
	return true;
}

static int mn_invalidate_range_start(struct mmu_notifier *mn,
				     const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = zap_leaf,
					  .may_yield = mmu_notifier_range_blockable(range),
					  .restarts = true);

	atomic64_inc(&kvm->stat.mmu_notifier_invalidations);
	spin_lock(&kvm->mmu_lock);
	if (!kvm->mmu_invalidate_in_progress++) {
		kvm->mmu_invalidate_start = range->start;
		kvm->mmu_invalidate_end = range->end;
	} else {
		kvm->mmu_invalidate_start = min_t(hva_t, kvm->mmu_invalidate_start,
						  range->start);
		kvm->mmu_invalidate_end = max_t(hva_t, kvm->mmu_invalidate_end, range->end);
	}

	while (!walk_hva_range(&w, range->start, range->end)) {
		walk_finish(&w);
		cond_resched_lock(&kvm->mmu_lock);
	}
	walk_finish(&w);
	spin_unlock(&kvm->mmu_lock);
	return 0;
}

static void mn_invalidate_range_end(struct mmu_notifier *mn,
				    const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	/* A full barrier, too: who reads the new seq finds the host's new entries. */
	spin_lock(&kvm->mmu_lock);
	WRITE_ONCE(kvm->mmu_invalidate_seq, kvm->mmu_invalidate_seq + 1);
	kvm->mmu_invalidate_in_progress--;
	spin_unlock(&kvm->mmu_lock);
}

/* "Was it used lately?", and forget that it was. */
static int mn_age(struct mmu_notifier *mn, unsigned long start, unsigned long end, bool flush)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = age_leaf);

	spin_lock(&kvm->mmu_lock);
	walk_hva_range(&w, start, end);
	w.flush |= flush && w.young;
	walk_finish(&w);
	spin_unlock(&kvm->mmu_lock);
	return w.young;
}

static int mn_clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
				unsigned long start, unsigned long end)
{
	return mn_age(mn, start, end, true);
}

/*
 * Without a flush the CPU goes on using its TLB entry and does not set the bit again:
 * the page looks idler than it is, which is what this call accepts for its speed.
 */
static int mn_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
			  unsigned long start, unsigned long end)
{
	return mn_age(mn, start, end, false);
}

static int mn_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
			 unsigned long address)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = test_leaf);

	spin_lock(&kvm->mmu_lock);
	walk_hva_range(&w, address, address + PAGE_SIZE);
	spin_unlock(&kvm->mmu_lock);
	return w.young;
}

static void zap_all(struct kvm *kvm)
{
	int as;

	for (as = 0; as < KVM_ADDRESS_SPACE_NUM; as++) {
		struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = zap_leaf,
						  .end = ~(gfn_t)0);

		walk_yielding(&w, as);
	}
}

/* The process is gone, though its VM may have open files. */
static void mn_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	zap_all(mmu_notifier_to_kvm(mn));
}

static const struct mmu_notifier_ops kvm_mmu_notifier_ops = {
	.invalidate_range_start	= mn_invalidate_range_start,
	.invalidate_range_end	= mn_invalidate_range_end,
	.clear_flush_young	= mn_clear_flush_young,
	.clear_young		= mn_clear_young,
	.test_young		= mn_test_young,
	.release		= mn_release,
};

/* ---- the guest's own page tables: the binding of guest_walk.c ---- */

static int walk_read(void *opaque, u64 gpa, void *entry, unsigned int size)
{
	return kvm_read_guest(opaque, gpa, entry, size);
}

static int walk_cmpxchg(void *opaque, u64 gpa, void *old, const void *new,
			unsigned int size)
{
	return kvm_cmpxchg_guest(opaque, gpa, old, new, size);
}

static const struct guest_walk_ops walk_ops = {
	.read = walk_read,
	.cmpxchg = walk_cmpxchg,
};

static enum guest_paging guest_paging(struct kvm_vcpu *vcpu)
{
	if (!is_paging(vcpu))
		return GUEST_PAGING_NONE;
	if (is_long_mode(vcpu))
		return kvm_read_cr4_bits(vcpu, X86_CR4_LA57) ? GUEST_PAGING_5LEVEL :
							       GUEST_PAGING_4LEVEL;
	return kvm_read_cr4_bits(vcpu, X86_CR4_PAE) ? GUEST_PAGING_PAE : GUEST_PAGING_32;
}

static void guest_mmu_init(struct kvm_vcpu *vcpu, struct guest_mmu *mmu)
{
	unsigned long cr4 = kvm_read_cr4(vcpu);

	*mmu = (struct guest_mmu) {
		.ops = &walk_ops,
		.opaque = vcpu->kvm,
		.mode = guest_paging(vcpu),
		.cr3 = kvm_read_cr3(vcpu),
		.pkru = vcpu->arch.pkru,
		.maxphyaddr = vcpu->arch.maxphyaddr,
		.nxe = vcpu->arch.efer & EFER_NX,
		.wp = kvm_read_cr0_bits(vcpu, X86_CR0_WP),
		.pse = cr4 & X86_CR4_PSE,
		.smep = cr4 & X86_CR4_SMEP,
		.smap = cr4 & X86_CR4_SMAP,
		.pke = cr4 & X86_CR4_PKE,
		.ac = kvm_get_rflags(vcpu) & X86_EFLAGS_AC,
	};
	if (mmu->mode >= GUEST_PAGING_4LEVEL)
		mmu->gbpages = guest_cpuid_has(vcpu, X86_FEATURE_GBPAGES);
	if (mmu->mode == GUEST_PAGING_PAE) {
		kvm_register_fetch(vcpu, VCPU_EXREG_PDPTR);
		memcpy(mmu->pdptrs, vcpu->arch.pdptrs, sizeof(mmu->pdptrs));
	}
}

static unsigned int walk_access(u32 access)
{
	if (access & KVM_FAULT_PROBE)
		return GUEST_WALK_PEEK;
	return (access & KVM_FAULT_WRITE ? GUEST_WALK_WRITE : 0) |
	       (access & KVM_FAULT_USER ? GUEST_WALK_USER : 0) |
	       (access & KVM_FAULT_EXEC ? GUEST_WALK_FETCH : 0) |
	       (access & KVM_FAULT_IMPLICIT ? GUEST_WALK_IMPLICIT : 0);
}

/**
 * kvm_mmu_gva_to_gpa() - translate as the guest's MMU would
 * @vcpu: the vCPU, loaded; kvm->srcu held
 * @gva: linear address; in long mode canonical
 * @access: KVM_FAULT_*, which are checked and for which accessed and dirty bits
 *	are set; KVM_FAULT_PROBE: nothing checked, nothing set
 * @e: the #PF, if there is one; may be NULL
 *
 * Context: may sleep.
 * Return: the guest-physical address, or INVALID_GPA.
 */
gpa_t kvm_mmu_gva_to_gpa(struct kvm_vcpu *vcpu, gva_t gva, u32 access,
			 struct x86_exception *e)
{
	struct guest_walk_result res;
	struct guest_mmu mmu;

	guest_mmu_init(vcpu, &mmu);
	if (!guest_walk(&mmu, gva, walk_access(access), &res))
		return res.gpa;

	if (e)
		*e = (struct x86_exception) {
			.vector = X86_TRAP_PF,
			.has_error_code = true,
			.error_code = res.error_code,
			.address = gva,
		};
	return INVALID_GPA;
}

/**
 * load_pdptrs() - load the four page-directory pointers of PAE paging
 * @vcpu: the vCPU, loaded; kvm->srcu held
 * @cr3: where they are; 32-byte aligned, below 4G
 *
 * MOV to CR3 and the switch to PAE paging load them into registers, which is
 * when they are checked (SDM vol. 3, 4.4.1).
 *
 * Context: may sleep.
 * Return: 1, or 0 if they cannot be read or have reserved bits set (to the guest
 * that is #GP); then nothing has changed.
 */
int load_pdptrs(struct kvm_vcpu *vcpu, unsigned long cr3)
{
	u64 pdptrs[4];
	int i;

	if (kvm_read_guest(vcpu->kvm, cr3 & GENMASK(31, 5), pdptrs, sizeof(pdptrs)))
		return 0;
	for (i = 0; i < 4; i++)
		if (!guest_walk_pdpte_is_valid(pdptrs[i], vcpu->arch.maxphyaddr))
			return 0;

	memcpy(vcpu->arch.pdptrs, pdptrs, sizeof(pdptrs));
	kvm_register_mark_dirty(vcpu, VCPU_EXREG_PDPTR);
	return 1;
}

/* ---- beginning and end of a VM and of a vCPU ---- */

/**
 * kvm_mmu_init_vm() - have the host tell us about changes of the VMM's memory
 * @kvm: the VM; kvm->mm and kvm->mmu_lock are set up
 *
 * Return: 0, -ENOMEM, or -EINTR if the process is being killed.
 */
int kvm_mmu_init_vm(struct kvm *kvm)
{
	kvm->mmu_notifier.ops = &kvm_mmu_notifier_ops;
	return mmu_notifier_register(&kvm->mmu_notifier, kvm->mm);
}

/**
 * kvm_mmu_create() - a new vCPU's part of the MMU
 * @vcpu: the vCPU
 *
 * Only its stock of page-table pages: tables belong to the VM.
 *
 * Return: 0 or -ENOMEM; then kvm_mmu_destroy() is still to be called.
 */
int kvm_mmu_create(struct kvm_vcpu *vcpu)
{
	return pt_cache_fill(&vcpu->arch.pt_cache);
}

/**
 * kvm_mmu_uninit_vm() - free all page tables of a VM
 * @kvm: the VM; no vCPU is left, slots are still there
 *
 * Context: may sleep; in any process.
 */
void kvm_mmu_uninit_vm(struct kvm *kvm)
{
	hpa_t root;
	int as;

	mmu_notifier_unregister(&kvm->mmu_notifier, kvm->mm);
	zap_all(kvm);

	for (as = 0; as < KVM_ADDRESS_SPACE_NUM; as++) {
		root = kvm->arch.root_hpa[as];
		if (!root)
			continue;
		free_page((unsigned long)__va(root));
		kvm->arch.root_hpa[as] = 0;
		atomic64_dec(&kvm->stat.pt_pages);
	}
	if (atomic64_read(&kvm->stat.pt_pages) || atomic64_read(&kvm->stat.pages_4k))
		pr_warn("a VM ended with %lld page tables and %lld pages mapped\n",
			atomic64_read(&kvm->stat.pt_pages),
			atomic64_read(&kvm->stat.pages_4k));
}

/**
 * kvm_mmu_destroy() - free a vCPU's unused page-table pages
 * @vcpu: the vCPU
 */
void kvm_mmu_destroy(struct kvm_vcpu *vcpu)
{
	struct kvm_pt_cache *cache = &vcpu->arch.pt_cache;

	while (cache->nr)
		free_page((unsigned long)cache->table[--cache->nr]);
}
