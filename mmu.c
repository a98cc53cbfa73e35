// SPDX-License-Identifier: GPL-2.0
/*
 * mmu.c - from an EPT violation to an entry: what a guest's memory is, page by page
 *
 * The tables that the hardware walks begin empty.  An access to an address that they
 * do not map is an exit, and this file finds out what the entry has to say:
 *
 *	exit: EPT violation at gpa
 *	  kvm_mmu_page_fault()
 *	    gfn -> slot			no slot: an MMIO exit (io.c), unless an ioeventfd
 *					wants to know only that somebody wrote there
 *	    fast_page_fault()		there is an entry, and it is closed only for
 *					the dirty log's sake: done
 *	    slot -> hva -> host page	faultin_pfn(); may sleep, may swap in
 *	    mmu_lock, shared:
 *	      is that page still the right one?		mmu_invalidate_retry_hva()
 *	      how large a page can it be?		hugepage_adjust()
 *	      write the entry				kvm_tdp_mmu_map()
 *	enter the guest again
 *
 * Three files share the work.  tdp_mmu.c knows the tables, and says who may change an
 * entry and when the TLBs are flushed; mmu_notifier.c hears of the host's changes, and
 * proves that no fault misses one; this file knows slots and the host's pages.
 *
 * Faults of several vCPUs go on side by side: each works on its own path through the
 * tables, and where two meet, one of them looks again (tdp_mmu.c).  Only a
 * fault that wants a large page in the place of small ones takes mmu_lock alone.
 *
 * There is no entry for MMIO.  A page without a slot is not present in the tables, like
 * one that was not yet touched; what it is, is asked of the slots at each exit.  So there
 * is nothing that could be stale when a slot comes, and no generation number.
 *
 * Whose page is it?  The VMM's.  We keep no reference to a page that is mapped;
 * instead the MMU notifier tells us before the host takes a page away (swap, KSM,
 * compaction, munmap), and then the entry goes.
 *
 * The dirty state of a host page.  Whoever writes to a page through
 * get_user_pages() has to say so.  We do when we write the entry: from then on the
 * page counts as dirty, and when the host wants to clean it, it first notifies us,
 * since it write-protects its own page-table entry for that.
 *
 * Locks: kvm->mmu_lock as tdp_mmu.c has it.  Nothing is allocated under it: tables
 * come out of a cache that is filled before.  kvm->srcu is held throughout a fault,
 * see memslot.c.
 *
 * Left out: shadow page tables (CPUs without EPT); the address space of system
 * management mode, which has slots but no vCPU yet; giving back the memory of tables
 * that were split for a fetch, while they are in use (the stock KVM looks for them once an
 * hour).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shrinker.h>
#include <asm/pgtable.h>

#include "irq.h"
#include "tdp_mmu.h"
#include "trace.h"

static bool large_pages = true;
module_param(large_pages, bool, 0444);
MODULE_PARM_DESC(large_pages, "Map guest memory with 2M and 1G pages where the host does");

/*
 * "iTLB multihit": on CPUs with this erratum a guest that changes the size of a page that
 * it executes can stop the machine.  The cure is that no large page may be
 * executed: a fetch splits it, or has small ones made.
 */
bool kvm_nx_huge_pages;
static char *nx_huge_pages = "auto";
module_param(nx_huge_pages, charp, 0444);
MODULE_PARM_DESC(nx_huge_pages,
		 "Large pages cannot be executed: on, off, auto (if the CPU has iTLB multihit and the host mitigates)");

/* ---- the roots ---- */

/**
 * kvm_mmu_reload() - see to it that a vCPU has a root to run on
 * @vcpu: the vCPU, loaded
 *
 * A root that is new to the vCPU may be at an address where an older VM had one, so
 * what hardware remembers of that address has to go.
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_mmu_reload(struct kvm_vcpu *vcpu)
{
	if (likely(vcpu->arch.root_hpa))
		return 0;

	if (kvm_tdp_mmu_fill_cache(vcpu))
		return -ENOMEM;
	vcpu->arch.root_hpa = kvm_tdp_mmu_get_root(vcpu);
	kvm_x86_ops.load_mmu(vcpu, vcpu->arch.root_hpa);
	kvm_make_request(KVM_REQ_TLB_FLUSH, vcpu);
	return 0;
}

/* ---- the host's side of a fault ---- */

/*
 * A mapping that a driver made of bare frames: get_user_pages() refuses it, so
 * look into the page table, and have the driver fill it if it is not yet there.
 * We need no reference: the notifier watches over these mappings too.
 */
static int host_pfnmap_get(struct kvm_page_fault *f)
{
	vm_flags_t needed = f->write ? VM_WRITE : VM_READ;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool cached, unlocked = false;
	unsigned long pfn;
	int r = -EFAULT;

	mmap_read_lock(mm);
	vma = find_vma_intersection(mm, f->hva, f->hva + 1);
	if (!vma || !(vma->vm_flags & (VM_IO | VM_PFNMAP)) || !(vma->vm_flags & needed))
		goto out;

	r = minikvm_follow_pfnmap(vma, f->hva, &pfn, &f->host_writable, &cached);
	if (r || (f->write && !f->host_writable)) {
		r = fixup_user_fault(mm, f->hva, f->write ? FAULT_FLAG_WRITE : 0, &unlocked);
		/* The lock was dropped: the VMA may be another one now.  Fault again. */
		if (!r)
			r = -EAGAIN;
		goto out;
	}
	f->pfn = pfn;
	f->uncached = !cached || !page_is_ram(pfn);
out:
	mmap_read_unlock(mm);
	return r;
}

/*
 * Find the page behind f->hva, bring it in if it is swapped out, break copy-on-write
 * if it is to be written.  Even for a read it is of use to know that the page is
 * writable: it saves the next fault.
 *
 * Returns 0, -EFAULT (nothing there, or not for writing), -EHWPOISON, -EINTR (the
 * process is to die), or -EAGAIN (things have changed, try again).
 */
static int faultin_pfn(struct kvm_page_fault *f, bool may_write)
{
	struct kvm *kvm = f->vcpu->kvm;
	unsigned long seq;
	struct page *page;
	long n;

	if (may_write && get_user_page_fast_only(f->hva, FOLL_WRITE, &f->page)) {
		f->pfn = page_to_pfn(f->page);
		f->host_writable = true;
		return 0;
	}

	n = get_user_pages_unlocked(f->hva, 1, &f->page, MINIKVM_FOLL_FLAGS |
				    (f->write ? FOLL_WRITE : 0));
	if (n != 1) {
		f->page = NULL;
		return n == -EFAULT ? host_pfnmap_get(f) : n ? n : -EFAULT;
	}
	f->host_writable = f->write;
	/*
	 * Look again, which is quick now.  After a read: the page may be writable as well.
	 * After a write: if that copied a page, the host has told us so since f->mmu_seq,
	 * and the fault would be stale by its own doing.
	 */
	seq = mmu_invalidate_seq_begin(kvm);
	if (may_write && (!f->write || seq != f->mmu_seq) &&
	    get_user_page_fast_only(f->hva, FOLL_WRITE, &page)) {
		put_page(f->page);
		f->page = page;
		f->host_writable = true;
		f->mmu_seq = seq;
	}
	f->pfn = page_to_pfn(f->page);
	return 0;
}

/* ---- how large a page ---- */

/**
 * host_pfn_mapping_level() - the level at which the host itself maps an address
 * @kvm: the VM
 * @hva: the address
 *
 * That a page is part of a huge one does not say: the VMM may have unmapped the rest of
 * it, which the guest then must not see.  Only the host's page table knows.
 *
 * Context: kvm->mmu_lock held, shared or not, and the answer may be used for a mapping if
 * mmu_invalidate_retry_hva() said no: whoever is about to change that table must notify us
 * first, and for that needs mmu_lock.  Interrupts are off so that the table we look at is
 * not freed: that takes an IPI or an RCU grace period.
 * Return: 1, 2 or 3; 1 also if nothing is mapped.
 */
int host_pfn_mapping_level(struct kvm *kvm, hva_t hva)
{
	unsigned long flags;
	int level = 1;
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	local_irq_save(flags);
	pgd = READ_ONCE(*pgd_offset(kvm->mm, hva));
	if (pgd_none(pgd))
		goto out;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		goto out;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		goto out;
	if (pud_leaf(pud)) {
		level = 3;
		goto out;
	}
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (!pmd_none(pmd) && pmd_present(pmd) && pmd_leaf(pmd))
		level = 2;
out:
	local_irq_restore(flags);
	return level;
}

/**
 * kvm_slot_max_level() - the largest page that a slot has room for
 * @slot: the slot
 * @gfn: a frame in it
 * @level: no larger than this is wanted
 *
 * All of the page has to be inside the slot, guest and host address alike in the bits
 * below.
 *
 * Return: 1 to @level.
 */
int kvm_slot_max_level(const struct kvm_memory_slot *slot, gfn_t gfn, int level)
{
	gfn_t first, last, mask;

	level = min_t(int, level, large_pages ? kvm_caps.tdp_max_page_level : 1);
	for (; level > 1; level--) {
		mask = level_pages(level) - 1;
		first = gfn & ~mask;
		last = first | mask;
		if (first >= slot->base_gfn && last < slot->base_gfn + slot->npages &&
		    !((slot->base_gfn ^ (slot->userspace_addr >> PAGE_SHIFT)) & mask))
			break;
	}
	return level;
}

/* As the host has it and the slot allows; but single pages if the writes are logged. */
static int hugepage_adjust(const struct kvm_page_fault *f)
{
	if (f->logged || !f->page || (f->exec && kvm_nx_huge_pages))
		return 1;
	return kvm_slot_max_level(f->slot, f->gfn, host_pfn_mapping_level(f->vcpu->kvm, f->hva));
}

/* ---- a fault ---- */

static bool fast_page_fault(struct kvm_page_fault *f)
{
	struct kvm *kvm = f->vcpu->kvm;
	bool fixed;

	read_lock(&kvm->mmu_lock);
	fixed = kvm_tdp_mmu_fast_page_fault(f);
	if (fixed && f->was_opened)
		mark_page_dirty_in_slot(kvm, f->slot, f->gfn);
	read_unlock(&kvm->mmu_lock);
	return fixed;
}

/* mmu_lock held.  As kvm_tdp_mmu_map(); 0 also if the guest has to fault again. */
static int direct_map(struct kvm_page_fault *f)
{
	struct kvm *kvm = f->vcpu->kvm;
	int r;

	if (mmu_invalidate_retry_hva(kvm, f->mmu_seq, f->hva)) {
		f->vcpu->stat.tdp_stale_faults++;
		return 0;
	}
	f->goal_level = hugepage_adjust(f);
	r = kvm_tdp_mmu_map(f);
	if (r)
		return r;
	if (f->was_opened)
		mark_page_dirty_in_slot(kvm, f->slot, f->gfn);
	/* See "the dirty state of a host page" above.  The zero page is reserved. */
	if (f->map_writable && f->page && !PageReserved(f->page))
		SetPageDirty(f->page);
	return 0;
}

/* A large page where the tables have small ones: those go first, all at once. */
static void direct_map_instead(struct kvm_page_fault *f)
{
	struct kvm *kvm = f->vcpu->kvm;
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = tdp_zap_leaf, .zaps = true);

	write_lock(&kvm->mmu_lock);
	if (direct_map(f) == -EAGAIN) {
		w.start = f->gfn & ~(level_pages(f->goal_level) - 1);
		w.end = w.start + level_pages(f->goal_level);
		kvm_tdp_mmu_walk(&w, 0);
		kvm_tdp_mmu_walk_finish(&w);
		direct_map(f);
	}
	write_unlock(&kvm->mmu_lock);
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
	struct kvm *kvm = vcpu->kvm;
	struct kvm_page_fault f = {
		.vcpu = vcpu,
		.gfn = APIC_GFN,
		.pfn = kvm->arch.apic_access_page >> PAGE_SHIFT,
		.map_writable = true,
		.goal_level = 1,
	};

	if (kvm_tdp_mmu_fill_cache(vcpu))
		return -ENOMEM;
	read_lock(&kvm->mmu_lock);
	if (may_map_apic_page(kvm))
		kvm_tdp_mmu_map(&f);
	read_unlock(&kvm->mmu_lock);
	return 1;
}

/**
 * kvm_mmu_drop_apic_page() - accesses to the local APIC's page are emulated from now on
 * @kvm: the VM
 */
void kvm_mmu_drop_apic_page(struct kvm *kvm)
{
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = tdp_zap_leaf, .zaps = true,
					  .start = APIC_GFN, .end = APIC_GFN + 1);

	if (!may_map_apic_page(kvm))
		return;
	write_lock(&kvm->mmu_lock);
	WRITE_ONCE(kvm->arch.apic_page_dropped, true);
	kvm_tdp_mmu_walk(&w, 0);
	kvm_tdp_mmu_walk_finish(&w);
	write_unlock(&kvm->mmu_lock);
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
	struct kvm_page_fault f = {
		.vcpu = vcpu,
		.gfn = gpa_to_gfn(gpa),
		.write = access & KVM_FAULT_WRITE,
		.exec = access & KVM_FAULT_EXEC,
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

	f.logged = kvm_slot_dirty_track_enabled(f.slot);
	if ((access & KVM_FAULT_PRESENT) && fast_page_fault(&f))
		return 1;

	if (kvm_tdp_mmu_fill_cache(vcpu))
		return -ENOMEM;
	f.hva = gfn_to_hva_memslot(f.slot, f.gfn);
	mmu_invalidate_wait(kvm, f.hva);
	f.mmu_seq = mmu_invalidate_seq_begin(kvm);

	/* The guest may have better to do than to wait for a slow page. */
	if (kvm_apf_enabled(vcpu) && kvm_async_pf(vcpu, f.gfn, f.hva, f.write))
		return 1;

	r = faultin_pfn(&f, may_write);
	if (r == -EHWPOISON)
		send_sig_mceerr(BUS_MCEERR_AR, (void __user *)f.hva, PAGE_SHIFT, current);
	if (r == -EHWPOISON || r == -EAGAIN)
		return 1;
	if (r)
		return r;
	f.map_writable = f.host_writable && may_write;

	read_lock(&kvm->mmu_lock);
	r = direct_map(&f);
	read_unlock(&kvm->mmu_lock);
	if (r == -EAGAIN)
		direct_map_instead(&f);
	if (f.page)
		put_page(f.page);
	return 1;
}
EXPORT_SYMBOL_GPL(kvm_mmu_page_fault);

/* ---- what memslot.c asks for ---- */

static void walk_memslot(struct kvm *kvm, struct kvm_memory_slot *slot, tdp_leaf_fn *leaf,
			 bool zaps)
{
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = leaf, .zaps = zaps,
					  .slot = slot, .start = slot->base_gfn,
					  .end = slot->base_gfn + slot->npages);

	kvm_tdp_mmu_walk_yielding(&w, slot->as_id);
}

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
	walk_memslot(kvm, slot, tdp_zap_leaf, true);
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
	walk_memslot(kvm, slot, tdp_log_leaf, false);
}

/**
 * kvm_mmu_recover_huge_pages() - let faults make large entries again where they can
 * @kvm: the VM
 * @slot: the slot, whose log has ended
 *
 * Entries that have to stay small stay; they are opened by fast_page_fault().
 *
 * Context: kvm->slots_lock held, the VMM's process.
 */
void kvm_mmu_recover_huge_pages(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	walk_memslot(kvm, slot, tdp_zap_small_leaf, true);
}

/**
 * kvm_mmu_write_protect_masked() - see the next write to some pages
 * @kvm: the VM
 * @slot: the pages' slot
 * @first: the page of bit 0
 * @mask: which pages, not 0
 *
 * Context: kvm->mmu_lock held to write.
 * Return: whether the caller has to flush the TLBs before he drops it.
 */
bool kvm_mmu_write_protect_masked(struct kvm *kvm, struct kvm_memory_slot *slot,
				  gfn_t first, unsigned long mask)
{
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = tdp_log_leaf,
					  .start = first + __ffs(mask),
					  .end = first + __fls(mask) + 1,
					  .mask = mask, .mask_gfn = first);

	kvm_tdp_mmu_walk(&w, slot->as_id);
	return w.flush;
}

/* ---- memory is short ---- */

/*
 * Page tables are a cache, so the host may have their memory back.  VMs take turns, and in a
 * VM the shrinker goes round: kvm->arch.shrink_gfn is where it stopped.  What it takes
 * comes back by faults, if it is needed.
 *
 * kvm_lock keeps the VMs alive.  It is only tried, since whoever holds it may be the one
 * that is short of memory.
 */
static unsigned long shrink_vm(struct kvm *kvm, unsigned long nr)
{
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = tdp_zap_leaf, .zaps = true,
					  .budget = nr, .end = ~(gfn_t)0);

	write_lock(&kvm->mmu_lock);
	w.start = kvm->arch.shrink_gfn;
	kvm->arch.shrink_gfn = kvm_tdp_mmu_walk(&w, 0) ? 0 : w.start;
	kvm_tdp_mmu_walk_finish(&w);
	write_unlock(&kvm->mmu_lock);
	return w.nr_free;
}

/* The roots stay. */
static unsigned long mmu_shrink_count(struct shrinker *shrink, struct shrink_control *sc)
{
	unsigned long count = 0;
	struct kvm *kvm;

	if (!mutex_trylock(&kvm_lock))
		return 0;
	list_for_each_entry(kvm, &vm_list, vm_list)
		count += max_t(long, atomic64_read(&kvm->stat.pt_pages) - 1, 0);
	mutex_unlock(&kvm_lock);
	return count;
}

static unsigned long mmu_shrink_scan(struct shrinker *shrink, struct shrink_control *sc)
{
	unsigned long freed = 0;
	struct kvm *kvm, *next;
	LIST_HEAD(done);

	if (!mutex_trylock(&kvm_lock))
		return SHRINK_STOP;
	list_for_each_entry_safe(kvm, next, &vm_list, vm_list) {
		if (freed >= sc->nr_to_scan)
			break;
		list_move_tail(&kvm->vm_list, &done);
		freed += shrink_vm(kvm, sc->nr_to_scan - freed);
	}
	list_splice_tail(&done, &vm_list);
	mutex_unlock(&kvm_lock);
	return freed;
}

/* ---- beginning and end of a VM and of a vCPU ---- */

/**
 * kvm_mmu_init_vm() - a new VM's part of the MMU
 * @kvm: the VM; kvm->mm and kvm->mmu_lock are set up
 *
 * Return: as kvm_mmu_notifier_register().
 */
int kvm_mmu_init_vm(struct kvm *kvm)
{
	return kvm_mmu_notifier_register(kvm);
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
	return kvm_tdp_mmu_fill_cache(vcpu);
}

/**
 * kvm_mmu_uninit_vm() - free all page tables of a VM
 * @kvm: the VM; no vCPU is left, slots are still there
 *
 * Context: may sleep; in any process.
 */
void kvm_mmu_uninit_vm(struct kvm *kvm)
{
	kvm_mmu_notifier_unregister(kvm);
	kvm_tdp_mmu_zap_all(kvm);
	kvm_tdp_mmu_free_roots(kvm);
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
	kvm_tdp_mmu_free_cache(vcpu);
}

/* ---- beginning and end of the module's work ---- */

static int set_nx_huge_pages(void)
{
	bool on;

	if (sysfs_streq(nx_huge_pages, "auto")) {
		on = boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) && !cpu_mitigations_off();
	} else if (kstrtobool(nx_huge_pages, &on)) {
		pr_err("nx_huge_pages is to be on, off or auto, not %s\n", nx_huge_pages);
		return -EINVAL;
	}
	/* No CPU with another format than EPT has the erratum. */
	kvm_nx_huge_pages = on && kvm_caps.tdp_format->exec;
	return 0;
}

static struct shrinker *mmu_shrinker;

/**
 * kvm_mmu_module_init() - what the MMU needs once, when a vendor has come
 *
 * Context: kvm_caps is filled; no VM yet.
 * Return: 0, -EINVAL for a module parameter, -ENOMEM.
 */
int kvm_mmu_module_init(void)
{
	int r = set_nx_huge_pages();

	if (r)
		return r;
	mmu_shrinker = minikvm_register_shrinker(mmu_shrink_count, mmu_shrink_scan);
	return mmu_shrinker ? 0 : -ENOMEM;
}

/** kvm_mmu_module_exit() - undo it; no VM is left */
void kvm_mmu_module_exit(void)
{
	minikvm_unregister_shrinker(mmu_shrinker);
}
