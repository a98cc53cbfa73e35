// SPDX-License-Identifier: GPL-2.0
/*
 * dirty_ring.c - which pages were written, told by each vCPU: KVM_CAP_DIRTY_LOG_RING
 *
 * A bitmap (dirty_log.c) costs the VMM time for each page that the guest has.  A ring
 * costs time for each page that was written: every vCPU has one, in memory that it
 * shares with the VMM, and appends the slot and the offset of a page when it lets a
 * write through.  A VM has either bitmaps or rings.  An entry goes round like this;
 * its flags say whose it is:
 *
 *	flags	  who moves it on
 *	0	  vCPU: kvm_dirty_ring_push() puts a page there
 *	DIRTY	  VMM: "reaps" it: notes the page, sets RESET
 *	RESET	  kernel: KVM_RESET_DIRTY_RINGS makes the page read-only, and the entry 0
 *
 *	        reset                        pushed
 *	  ... 0 | RESET RESET DIRTY DIRTY DIRTY | 0 0 0 ...
 *
 * The VMM may look at a page's contents after KVM_RESET_DIRTY_RINGS has returned.
 * Then no write is missed, for the reason that dirty_log.c has: the page is protected
 * before, so that a write either is seen by the VMM or makes a new entry.
 *
 * A full ring.  An entry that finds no room would be a write that is lost.  So the vCPU
 * does not enter the guest with less room than it can need till the next time it is
 * asked: what hardware logs by itself, and RSVD_ENTRIES for what software writes on
 * the way.  KVM_RUN returns KVM_EXIT_DIRTY_RING_FULL instead, as often as it is called.
 * Only a VMM that makes the kernel write (KVM_SET_MSRS with the guest's clocks) while it
 * reaps nothing can come as far as the end; then an entry is dropped, and the counter
 * dirty_ring_lost has it.
 *
 * Trust.  The VMM can write anything into the ring at any time.  What the kernel relies
 * on are the two indices, which it keeps to itself; KVM_RESET_DIRTY_RINGS never goes
 * beyond what was pushed, whatever the flags say.  Slot and offset of an entry that
 * comes back are a request like any ioctl's: protect that page.  If there is no such
 * page, or the slot keeps no log, there is nothing to do.  So a slot may go or move while
 * there are entries of it.
 *
 * Locks.  Only the thread that has the vCPU loaded pushes, mmu_lock or not, and with
 * preemption off too.  Only one resets, under kvm->slots_lock.  Between the two is no
 * lock: each owns one index, and publishes it with release semantics when the entries
 * before it are as they should be; the other reads it with acquire.  Towards the VMM the
 * same is done with flags.
 */
#include <linux/log2.h>
#include <linux/sched/signal.h>
#include <linux/vmalloc.h>

#include "kvm_host.h"

#define RSVD_ENTRIES	64
#define MAX_ENTRIES	(KVM_DIRTY_RING_MAX_BYTES / sizeof(struct kvm_dirty_gfn))

/* ---- setting up ---- */

/* Entries that a vCPU which enters the guest must find free. */
static u32 reserved_entries(void)
{
	return RSVD_ENTRIES + kvm_caps.cpu_dirty_log_size;
}

/**
 * kvm_dirty_ring_enable() - KVM_ENABLE_CAP of KVM_CAP_DIRTY_LOG_RING
 * @kvm: the VM
 * @bytes: the size of each vCPU's ring
 *
 * Slots that keep a log already have a bitmap; nobody reads or writes that any more.
 *
 * Return: 0; -EINVAL if the size is no power of two, or less than a page or than what is
 * reserved, or if it is set already or a vCPU exists; -E2BIG.
 */
int kvm_dirty_ring_enable(struct kvm *kvm, u32 bytes)
{
	int r = -EINVAL;

	if (!is_power_of_2(bytes) || bytes < PAGE_SIZE ||
	    bytes < reserved_entries() * sizeof(struct kvm_dirty_gfn))
		return -EINVAL;
	if (bytes > KVM_DIRTY_RING_MAX_BYTES)
		return -E2BIG;

	mutex_lock(&kvm->lock);
	if (!kvm->dirty_ring_size && !kvm->created_vcpus) {
		WRITE_ONCE(kvm->dirty_ring_size, bytes);
		r = 0;
	}
	mutex_unlock(&kvm->lock);
	return r;
}

/**
 * kvm_dirty_ring_create() - give a new vCPU its ring, if the VM has rings
 * @vcpu: the vCPU, which nobody can reach yet
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_dirty_ring_create(struct kvm_vcpu *vcpu)
{
	struct kvm_dirty_ring *ring = &vcpu->dirty_ring;
	u32 bytes = vcpu->kvm->dirty_ring_size;

	BUILD_BUG_ON(!is_power_of_2(MAX_ENTRIES));
	if (!bytes)
		return 0;
	ring->gfns = __vmalloc(bytes, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!ring->gfns)
		return -ENOMEM;
	ring->size = bytes / sizeof(struct kvm_dirty_gfn);
	ring->soft_limit = ring->size - reserved_entries();
	return 0;
}

/**
 * kvm_dirty_ring_destroy() - free a vCPU's ring
 * @vcpu: the vCPU, which nobody can reach any more; it may have no ring
 */
void kvm_dirty_ring_destroy(struct kvm_vcpu *vcpu)
{
	vfree(vcpu->dirty_ring.gfns);
}

/**
 * kvm_dirty_ring_page() - what userspace finds at a page of the vCPU's file
 * @vcpu: the vCPU
 * @pgoff: which page
 *
 * Return: the page of the ring, or NULL if the ring is not there.
 */
struct page *kvm_dirty_ring_page(struct kvm_vcpu *vcpu, unsigned long pgoff)
{
	if (!kvm_dirty_ring_overlaps(vcpu->kvm, pgoff, 1))
		return NULL;
	return vmalloc_to_page((void *)vcpu->dirty_ring.gfns +
			       (pgoff - KVM_DIRTY_LOG_PAGE_OFFSET) * PAGE_SIZE);
}

/**
 * kvm_dirty_ring_overlaps() - has a range of a vCPU's file to do with its ring?
 * @kvm: the VM
 * @pgoff: the first page
 * @pages: how many, not 0
 */
bool kvm_dirty_ring_overlaps(struct kvm *kvm, unsigned long pgoff, unsigned long pages)
{
	unsigned long end = KVM_DIRTY_LOG_PAGE_OFFSET + kvm->dirty_ring_size / PAGE_SIZE;

	return pgoff < end && pgoff + pages > KVM_DIRTY_LOG_PAGE_OFFSET;
}

/* ---- the vCPU's side ---- */

static struct kvm_dirty_gfn *ring_entry(struct kvm_dirty_ring *ring, u32 index)
{
	return &ring->gfns[index & (ring->size - 1)];
}

/*
 * Devices write to the same page several times in a row: one entry will do, as long as
 * the VMM has not reaped it.  If we see here that it has not, it resets after this, and
 * reads the page after that.
 */
static bool is_newest_entry(struct kvm_dirty_ring *ring, u32 slot, u64 offset)
{
	struct kvm_dirty_gfn *newest = ring_entry(ring, ring->pushed - 1);

	if (slot != ring->newest_slot || offset != ring->newest_offset)
		return false;
	smp_mb();	/* the page was written before the flags are read; VMM: the reverse */
	return READ_ONCE(newest->flags) == KVM_DIRTY_GFN_F_DIRTY;
}

/**
 * kvm_dirty_ring_push() - tell the VMM of a page
 * @vcpu: a vCPU with a ring, loaded by this thread
 * @slot: the slot's number, as userspace gave it
 * @offset: the page in it
 *
 * Context: any but interrupts; see mark_page_dirty_in_slot().
 */
void kvm_dirty_ring_push(struct kvm_vcpu *vcpu, u32 slot, u64 offset)
{
	struct kvm_dirty_ring *ring = &vcpu->dirty_ring;
	/* acquire: what was reset has been read, and may be overwritten */
	u32 used = ring->pushed - smp_load_acquire(&ring->reset);
	struct kvm_dirty_gfn *entry = ring_entry(ring, ring->pushed);

	if (used && is_newest_entry(ring, slot, offset))
		return;
	if (used >= ring->size) {
		atomic64_inc(&vcpu->kvm->stat.dirty_ring_lost);
		return;
	}
	ring->newest_slot = slot;
	ring->newest_offset = offset;
	WRITE_ONCE(entry->slot, slot);
	WRITE_ONCE(entry->offset, offset);
	smp_store_release(&entry->flags, KVM_DIRTY_GFN_F_DIRTY);	/* for the VMM */
	smp_store_release(&ring->pushed, ring->pushed + 1);	/* for reset_ring() */
}

/**
 * kvm_dirty_ring_is_full() - must the VMM reap before the vCPU may go on?
 * @vcpu: loaded vCPU, which has a ring
 *
 * Return: whether the ring has no more room than the next round in the guest may need.
 */
bool kvm_dirty_ring_is_full(struct kvm_vcpu *vcpu)
{
	struct kvm_dirty_ring *ring = &vcpu->dirty_ring;

	return ring->pushed - READ_ONCE(ring->reset) >= ring->soft_limit;
}

/* ---- KVM_RESET_DIRTY_RINGS ---- */

/**
 * struct reset_state - pages to be protected together
 * @kvm: the VM
 * @number: their slot's, as userspace gave it
 * @slot: that slot
 * @word: offset of the first of 64 pages
 * @mask: which of them; 0: none, and the fields above mean nothing
 * @flush: entries were changed since the last flush of the TLBs
 */
struct reset_state {
	struct kvm *kvm;
	u32 number;
	struct kvm_memory_slot *slot;
	u64 word;
	unsigned long mask;
	bool flush;
};

static void flush_tlbs(struct reset_state *s)
{
	if (s->flush)
		kvm_flush_remote_tlbs(s->kvm);
	s->flush = false;
}

/* Let others have mmu_lock.  The slots stay as they are. */
static void give_way(struct reset_state *s)
{
	if (!need_resched() && !rwlock_needbreak(&s->kvm->mmu_lock))
		return;
	flush_tlbs(s);
	cond_resched_rwlock_write(&s->kvm->mmu_lock);
}

/* Make the pages that were gathered read-only. */
static void protect_word(struct reset_state *s)
{
	if (s->mask)
		s->flush |= kvm_mmu_write_protect_masked(s->kvm, s->slot,
							 s->slot->base_gfn + s->word, s->mask);
	s->mask = 0;
}

static void protect_page(struct reset_state *s, u32 number, u64 offset)
{
	int as_id, id;

	if (!s->mask || number != s->number || round_down(offset, BITS_PER_LONG) != s->word) {
		protect_word(s);
		if (kvm_slot_number(number, &as_id, &id))
			return;
		s->number = number;
		s->slot = id_to_memslot(&s->kvm->slots[as_id], id);
		s->word = round_down(offset, BITS_PER_LONG);
	}
	if (s->slot && kvm_slot_dirty_track_enabled(s->slot) && offset < s->slot->npages)
		s->mask |= BIT(offset % BITS_PER_LONG);
}

/* Take back what the VMM has reaped, in order; returns how many entries. */
static u32 reset_ring(struct reset_state *s, struct kvm_dirty_ring *ring)
{
	u32 end = smp_load_acquire(&ring->pushed);	/* the entries are complete */
	u32 begin = ring->reset;
	u32 i;

	for (i = begin; i != end; i++) {
		struct kvm_dirty_gfn *entry = ring_entry(ring, i);

		/* acquire: the VMM has done with the entry what it wanted to */
		if (!(smp_load_acquire(&entry->flags) & KVM_DIRTY_GFN_F_RESET))
			break;
		protect_page(s, READ_ONCE(entry->slot), READ_ONCE(entry->offset));
		WRITE_ONCE(entry->flags, 0);
		smp_store_release(&ring->reset, i + 1);	/* the vCPU may have it */
		give_way(s);
	}
	return i - begin;
}

/**
 * kvm_vm_ioctl_reset_dirty_rings() - KVM_RESET_DIRTY_RINGS
 * @kvm: the VM
 *
 * When it returns, the next write to a page whose entry was taken back makes a new entry.
 *
 * Return: how many entries of all vCPUs were taken back; -EINVAL if the VM has no rings.
 */
int kvm_vm_ioctl_reset_dirty_rings(struct kvm *kvm)
{
	struct reset_state s = { .kvm = kvm };
	struct kvm_vcpu *vcpu;
	unsigned long idx;
	int n = 0;

	if (!READ_ONCE(kvm->dirty_ring_size))
		return -EINVAL;

	mutex_lock(&kvm->slots_lock);
	write_lock(&kvm->mmu_lock);
	kvm_for_each_vcpu(idx, vcpu, kvm) {
		n += reset_ring(&s, &vcpu->dirty_ring);
		if (fatal_signal_pending(current))
			break;
	}
	protect_word(&s);
	flush_tlbs(&s);
	write_unlock(&kvm->mmu_lock);
	mutex_unlock(&kvm->slots_lock);
	return n;
}
