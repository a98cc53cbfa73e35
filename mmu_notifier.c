// SPDX-License-Identifier: GPL-2.0
/*
 * mmu_notifier.c - the host changes its mind about a page that a guest has
 *
 * A guest's memory is the VMM's, and what is behind a piece of it may change at any
 * time: it is swapped out, merged with its like, moved to make room for a huge page,
 * unmapped, protected, copied because a child of fork() wrote to it.  The kernel tells
 * whoever keeps translations of a process' memory, before it does so:
 *
 *	the host			this file
 *
 *	invalidate_range_start(hva..)	leaves are zapped, TLBs flushed; from now on
 *					no fault may map anything of the range
 *	  changes its page tables
 *	invalidate_range_end(hva..)	faults may again
 *	  frees or reuses the pages
 *
 *	clear_flush_young(hva..)	"was it used since I last asked?"; forget it
 *	clear_young(hva..)		the same, precise enough for less work
 *	test_young(hva)			without forgetting
 *
 *	release()			the process ends: nothing stays mapped
 *
 * Why are pages not simply pinned?  Then none of that would be possible, and a guest's
 * memory be worse than any other process'.
 *
 * Locks: mmu_lock, exclusively to zap and to change the counters below, shared for
 * aging where hardware has an accessed bit.  The notifier's callers hold locks of
 * the host's memory management (rmap locks, mmap_lock), so nothing here may
 * wait for those; mmu_lock is only held around work on our own tables.
 *
 * The retry rule.  The notifier works on pages that are mapped.  A page that a fault has
 * looked up is on its way to be, and nobody finds it.  So a fault asks, when it has
 * mmu_lock and before it maps: may my page have been taken away since I looked it up?
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
 *	 3 mmu_lock shared: retry?  map
 *
 * 3 excludes a and c, though not other faults: they write nothing that is asked here.
 *
 *	3 before a		the page is mapped, and a zaps it
 *	3 between a and c	in_progress is not 0, and the range has hva: retry
 *	3 after c, 1 before c	seq differs: retry
 *	3 after c, 1 after c	1 sees c's store, so b's too, which is older (x86 keeps
 *				stores in order); 2 is later than 1 (the barrier
 *				between them), and found what the host has now
 *
 * To retry is to enter the guest, which faults again.  Between a and c that would be in
 * vain, and worse: who is there may be waiting for the CPU on which the vCPU keeps faulting
 * (ksmd, which is nicer, was seen to wait for whole time slices).  So a fault sleeps
 * before 1 until c, of an invalidation that has its page.  Who invalidates waits for nothing
 * that a fault holds there: a vCPU, and kvm->srcu.
 */
#include <linux/mmu_notifier.h>
#include <linux/wait.h>

#include "tdp_mmu.h"

static struct kvm *mmu_notifier_to_kvm(struct mmu_notifier *mn)
{
	return container_of(mn, struct kvm, mmu_notifier);
}

/* ---- the fault's side ---- */

static bool hva_is_invalidated(struct kvm *kvm, hva_t hva)
{
	return kvm->mmu_invalidate_in_progress &&
	       hva >= kvm->mmu_invalidate_start && hva < kvm->mmu_invalidate_end;
}

static bool hva_is_invalidated_now(struct kvm *kvm, hva_t hva)
{
	bool ret;

	read_lock(&kvm->mmu_lock);
	ret = hva_is_invalidated(kvm, hva);
	read_unlock(&kvm->mmu_lock);
	return ret;
}

/**
 * __mmu_invalidate_wait() - what mmu_invalidate_wait() does if there is any invalidation
 * @kvm: the VM
 * @hva: of the page
 *
 * Context: may sleep.
 */
void __mmu_invalidate_wait(struct kvm *kvm, hva_t hva)
{
	wait_event_interruptible(kvm->mmu_invalidate_wq, !hva_is_invalidated_now(kvm, hva));
}

/**
 * mmu_invalidate_retry_hva() - step 3 above: may the page have been taken away?
 * @kvm: the VM
 * @mmu_seq: from mmu_invalidate_seq_begin()
 * @hva: of the page
 *
 * Context: kvm->mmu_lock held, shared or not, until the page is mapped.
 * Return: true if it must not be mapped.
 */
bool mmu_invalidate_retry_hva(struct kvm *kvm, unsigned long mmu_seq, hva_t hva)
{
	lockdep_assert_held(&kvm->mmu_lock);
	return hva_is_invalidated(kvm, hva) || kvm->mmu_invalidate_seq != mmu_seq;
}

/* ---- invalidation ---- */

/*
 * Walk whatever the guest has of host addresses [start, end), in all slots.  Returns
 * false if it was interrupted; the caller begins anew then, since slots may have
 * come and gone meanwhile.  What has been zapped stays zapped (the retry rule), so
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
			if (!kvm_tdp_mmu_walk(w, as))
				return false;
		}
	}
	return true;
}

/* The range that is being invalidated; several at a time are taken for one. */
static void invalidate_begin(struct kvm *kvm, hva_t start, hva_t end)
{
	if (!kvm->mmu_invalidate_in_progress++) {
		kvm->mmu_invalidate_start = start;
		kvm->mmu_invalidate_end = end;
	} else {
		kvm->mmu_invalidate_start = min(kvm->mmu_invalidate_start, start);
		kvm->mmu_invalidate_end = max(kvm->mmu_invalidate_end, end);
	}
}

static int mn_invalidate_range_start(struct mmu_notifier *mn,
				     const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = tdp_zap_leaf, .zaps = true,
					  .may_yield = mmu_notifier_range_blockable(range),
					  .restarts = true);

	atomic64_inc(&kvm->stat.mmu_notifier_invalidations);
	write_lock(&kvm->mmu_lock);
	invalidate_begin(kvm, range->start, range->end);
	while (!walk_hva_range(&w, range->start, range->end)) {
		kvm_tdp_mmu_walk_finish(&w);
		cond_resched_rwlock_write(&kvm->mmu_lock);
	}
	kvm_tdp_mmu_walk_finish(&w);
	write_unlock(&kvm->mmu_lock);
	return 0;
}

static void mn_invalidate_range_end(struct mmu_notifier *mn,
				    const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	write_lock(&kvm->mmu_lock);
	WRITE_ONCE(kvm->mmu_invalidate_seq, kvm->mmu_invalidate_seq + 1);
	kvm->mmu_invalidate_in_progress--;
	write_unlock(&kvm->mmu_lock);
	if (wq_has_sleeper(&kvm->mmu_invalidate_wq))
		wake_up_all(&kvm->mmu_invalidate_wq);
}

/* ---- aging ---- */

static bool age_range(struct tdp_walk *w, hva_t start, hva_t end, bool flush)
{
	walk_hva_range(w, start, end);
	w->flush |= flush && w->young;
	kvm_tdp_mmu_walk_finish(w);
	return w->young;
}

/* "Was it used lately?", and forget that it was. */
static int mn_age(struct mmu_notifier *mn, unsigned long start, unsigned long end, bool flush)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = tdp_age_leaf,
					  .zaps = kvm_tdp_mmu_aging_zaps());
	bool young;

	if (w.zaps) {
		write_lock(&kvm->mmu_lock);
		young = age_range(&w, start, end, flush);
		write_unlock(&kvm->mmu_lock);
	} else {
		read_lock(&kvm->mmu_lock);
		young = age_range(&w, start, end, flush);
		read_unlock(&kvm->mmu_lock);
	}
	return young;
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
	struct tdp_walk w = TDP_WALK_INIT(w, .kvm = kvm, .leaf = tdp_test_leaf);

	read_lock(&kvm->mmu_lock);
	walk_hva_range(&w, address, address + PAGE_SIZE);
	read_unlock(&kvm->mmu_lock);
	return w.young;
}

/* ---- beginning and end ---- */

/* The process is gone, though its VM may have open files. */
static void mn_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	kvm_tdp_mmu_zap_all(mmu_notifier_to_kvm(mn));
}

static const struct mmu_notifier_ops kvm_mmu_notifier_ops = {
	.invalidate_range_start	= mn_invalidate_range_start,
	.invalidate_range_end	= mn_invalidate_range_end,
	.clear_flush_young	= mn_clear_flush_young,
	.clear_young		= mn_clear_young,
	.test_young		= mn_test_young,
	.release		= mn_release,
};

/**
 * kvm_mmu_notifier_register() - have the host tell us about changes of the VMM's memory
 * @kvm: the VM; kvm->mm and kvm->mmu_lock are set up
 *
 * Return: 0, -ENOMEM, or -EINTR if a signal is pending.
 */
int kvm_mmu_notifier_register(struct kvm *kvm)
{
	init_waitqueue_head(&kvm->mmu_invalidate_wq);
	kvm->mmu_notifier.ops = &kvm_mmu_notifier_ops;
	return mmu_notifier_register(&kvm->mmu_notifier, kvm->mm);
}

/**
 * kvm_mmu_notifier_unregister() - the end of it
 * @kvm: the VM
 *
 * Context: may sleep; in any process.  None of the functions above runs afterwards.
 */
void kvm_mmu_notifier_unregister(struct kvm *kvm)
{
	mmu_notifier_unregister(&kvm->mmu_notifier, kvm->mm);
}
