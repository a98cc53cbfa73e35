/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tdp_mmu.h - between mmu.c, mmu_notifier.c and the tables in tdp_mmu.c
 *
 * Nobody else includes this: what the rest of the module asks of the MMU is in
 * kvm_host.h.
 */
#ifndef MINIKVM_TDP_MMU_H
#define MINIKVM_TDP_MMU_H

#include "kvm_host.h"

/**
 * struct kvm_page_fault - a fault, from the exit to the entry that mends it
 * @vcpu:	who faulted
 * @gfn:	where
 * @write:	the access was a write
 * @exec:	it was an instruction fetch
 * @slot:	the slot of @gfn
 * @hva:	the host-virtual address of @gfn
 * @mmu_seq:	kvm->mmu_invalidate_seq before the host's page was looked up
 * @page:	that page, a reference is held; NULL if the host keeps no count of it
 * @pfn:	its frame
 * @host_writable: the host lets us write to it
 * @uncached:	it is a device's
 * @map_writable: the guest may be allowed to write: @host_writable, and the slot allows it
 * @logged:	writes to the slot are logged: each first write has to be seen
 * @goal_level:	how large a page may be used; 1 = 4K
 * @was_opened:	result: the guest can write now and could not before
 */
struct kvm_page_fault {
	struct kvm_vcpu *vcpu;
	gfn_t gfn;
	bool write;
	bool exec;
	struct kvm_memory_slot *slot;
	hva_t hva;
	unsigned long mmu_seq;

	struct page *page;
	kvm_pfn_t pfn;
	bool host_writable;
	bool uncached;

	bool map_writable;
	bool logged;
	int goal_level;
	bool was_opened;
};

struct tdp_walk;
typedef void tdp_leaf_fn(struct tdp_walk *w, u64 *entry, int level, gfn_t gfn);

/**
 * struct tdp_walk - go through the leaves of a range
 * @kvm:	whose
 * @start:	first frame; moves on as the walk does
 * @end:	behind the last frame
 * @leaf:	what to do with each leaf that touches the range
 * @zaps:	@leaf may remove entries, and the walk removes tables that are empty
 *		then: mmu_lock is held to write
 * @may_yield:	the walk may be interrupted, see walk_table()
 * @restarts:	after that it begins anew: it must have removed something first
 * @budget:	interrupt it when so many tables are unlinked; 0: no limit
 * @flush:	set when the TLBs may have something that the tables forbid
 * @free:	tables that are unlinked, to be freed after the flush
 * @nr_free:	how many there were
 * @slot:	the slot, for those @leaf functions that want to know
 * @may_grow: tdp_zap_small_leaf(): the leaves before @known_until could be larger
 * @known_until: a frame
 * @mask:	which pages behind @mask_gfn are meant; 0: all
 * @mask_gfn:	the page of bit 0
 * @young:	for aging: one was used
 */
struct tdp_walk {
	struct kvm *kvm;
	gfn_t start;
	gfn_t end;
	tdp_leaf_fn *leaf;
	bool zaps;
	bool may_yield;
	bool restarts;
	unsigned long budget;
	bool flush;
	struct list_head free;
	unsigned long nr_free;
	struct kvm_memory_slot *slot;
	bool may_grow;
	gfn_t known_until;
	unsigned long mask;
	gfn_t mask_gfn;
	bool young;
};

#define TDP_WALK_INIT(name, ...)						\
	{ .free = LIST_HEAD_INIT(name.free), __VA_ARGS__ }

#define PT_ENTRIES	512
#define PT_INDEX_BITS	9

/* Pages that an entry of @level covers. */
static inline gfn_t level_pages(int level)
{
	return (gfn_t)1 << ((level - 1) * PT_INDEX_BITS);
}

/* ---- mmu.c ---- */

extern bool kvm_nx_huge_pages;	/* constant once the module works */
int host_pfn_mapping_level(struct kvm *kvm, hva_t hva);
int kvm_slot_max_level(const struct kvm_memory_slot *slot, gfn_t gfn, int level);

/* ---- mmu_notifier.c ---- */

int kvm_mmu_notifier_register(struct kvm *kvm);
void kvm_mmu_notifier_unregister(struct kvm *kvm);
void __mmu_invalidate_wait(struct kvm *kvm, hva_t hva);
bool mmu_invalidate_retry_hva(struct kvm *kvm, unsigned long mmu_seq, hva_t hva);

/**
 * mmu_invalidate_wait() - let the host finish with a page before it is looked up
 * @kvm: the VM
 * @hva: of the page
 *
 * Only for the speed of it.  A signal ends it; the caller goes on and retries.
 *
 * Context: may sleep.
 */
static inline void mmu_invalidate_wait(struct kvm *kvm, hva_t hva)
{
	if (unlikely(READ_ONCE(kvm->mmu_invalidate_in_progress)))
		__mmu_invalidate_wait(kvm, hva);
}

/**
 * mmu_invalidate_seq_begin() - step 1 of the retry rule, see mmu_notifier.c
 * @kvm: the VM
 *
 * Context: no lock; before the host's page is looked up.
 * Return: what mmu_invalidate_retry_hva() wants to know.
 */
static inline unsigned long mmu_invalidate_seq_begin(struct kvm *kvm)
{
	unsigned long seq = READ_ONCE(kvm->mmu_invalidate_seq);

	smp_rmb();	/* the lookup comes after */
	return seq;
}

/* ---- tdp_mmu.c ---- */

int kvm_tdp_mmu_fill_cache(struct kvm_vcpu *vcpu);
void kvm_tdp_mmu_free_cache(struct kvm_vcpu *vcpu);
hpa_t kvm_tdp_mmu_get_root(struct kvm_vcpu *vcpu);
void kvm_tdp_mmu_free_roots(struct kvm *kvm);

bool kvm_tdp_mmu_fast_page_fault(struct kvm_page_fault *f);
int kvm_tdp_mmu_map(struct kvm_page_fault *f);

bool kvm_tdp_mmu_walk(struct tdp_walk *w, int as_id);
void kvm_tdp_mmu_walk_finish(struct tdp_walk *w);
void kvm_tdp_mmu_walk_yielding(struct tdp_walk *w, int as_id);
void kvm_tdp_mmu_zap_all(struct kvm *kvm);

/* What can be done with a leaf: tdp_walk.leaf. */
tdp_leaf_fn tdp_zap_leaf, tdp_zap_small_leaf, tdp_log_leaf, tdp_test_leaf, tdp_age_leaf;
bool kvm_tdp_mmu_aging_zaps(void);

#endif
