// SPDX-License-Identifier: GPL-2.0
/*
 * dirty_log.c - which pages were written: KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG
 *
 * A VMM that moves a guest to another machine, or shows its screen, wants to
 * know what the guest has written since it last looked.
 *
 * With KVM_MEM_LOG_DIRTY_PAGES a slot has a bitmap of the pages that were
 * written since the VMM last asked.  These set bits:
 *
 *	mmu.c, when it makes an EPT entry writable, in the same critical section
 *		of mmu_lock;
 *	guest_mem.c, after it has written;
 *	vmx_pml.c, of pages that the hardware itself has logged.
 *
 * One reader takes them: under mmu_lock it fetches and clears a word and makes
 * the entries of its pages read-only, flushes the TLBs, and only then gives the
 * word to the VMM.  So no write is ever missed:
 *
 *	a guest's write needs a writable entry.  That entry was made in a section
 *	before the reader's: the bit was set, so the reader reports it, and the
 *	flush ends the writes before the VMM copies the page; or in a section
 *	after the reader's: then the bit is there for the next time.
 *	A write by software sets its bit after the data: if the reader comes in
 *	between, it is reported the next time.
 *
 * With hardware that logs, pages are not made read-only: their dirty bits are cleared.
 * It tells what it has logged when the guest is left, so vCPUs are made to leave
 * it before the log is read; vmx_pml.c goes on from here.
 *
 * KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 splits the two halves: KVM_GET_DIRTY_LOG
 * copies only, KVM_CLEAR_DIRTY_LOG clears and protects, a piece at a time.
 *
 * A VM with KVM_CAP_DIRTY_LOG_RING has rings in place of bitmaps, and
 * mark_page_dirty_in_slot() is the fork: dirty_ring.c.
 *
 * Locks: kvm->slots_lock around the calls, so that the slot stays; kvm->mmu_lock
 * for the fetching of words.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kvm_host.h"

/**
 * mark_page_dirty_in_slot() - a page of the guest was or may now be written
 * @kvm: the VM
 * @slot: the page's slot, or NULL
 * @gfn: the page
 *
 * Context: kvm->srcu held.  Whoever lets the guest write calls it in the section
 * of mmu_lock that does so; whoever writes by himself calls it afterwards.  A vCPU is
 * loaded: there is no write but by one, or by an ioctl on one.  It is not an argument,
 * since most who write to guest memory have only the VM at hand.
 */
void mark_page_dirty_in_slot(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn)
{
	struct kvm_vcpu *vcpu;

	if (!slot || !kvm_slot_dirty_track_enabled(slot))
		return;
	if (!kvm->dirty_ring_size) {
		set_bit(gfn - slot->base_gfn, slot->dirty_bitmap);
		return;
	}
	vcpu = kvm_get_running_vcpu();
	if (WARN_ON_ONCE(!vcpu || vcpu->kvm != kvm))
		atomic64_inc(&kvm->stat.dirty_ring_lost);
	else
		kvm_dirty_ring_push(vcpu, slot->as_id << 16 | slot->id, gfn - slot->base_gfn);
}

/**
 * kvm_vcpu_mark_page_dirty() - the guest has written a page
 * @vcpu: the vCPU that did, loaded by this thread
 * @gfn: the page; it may be in no slot any more
 *
 * For hardware that tells which pages were written.
 *
 * Context: kvm->srcu held.
 */
void kvm_vcpu_mark_page_dirty(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	mark_page_dirty_in_slot(vcpu->kvm, gfn_to_memslot(vcpu->kvm, gfn), gfn);
}
EXPORT_SYMBOL_GPL(kvm_vcpu_mark_page_dirty);

/* The slot that a dirty log call is about. */
static int log_slot(struct kvm *kvm, u32 number, struct kvm_memory_slot **slot)
{
	int as_id, id;

	if (kvm_slot_number(number, &as_id, &id))
		return -EINVAL;
	*slot = id_to_memslot(&kvm->slots[as_id], id);
	if (!*slot || !(*slot)->dirty_bitmap)
		return -ENOENT;
	return 0;
}

static atomic_long_t *log_word(struct kvm_memory_slot *slot, unsigned long word)
{
	return (atomic_long_t *)&slot->dirty_bitmap[word];
}

/*
 * Take words [first, first + n) of the log, as far as @words asks for them, and
 * make the pages read-only: see "no write is ever missed" above.  @words has
 * what was taken afterwards.  Between two words others may have mmu_lock; what
 * was protected till then has been flushed.
 */
static void take_dirty_words(struct kvm *kvm, struct kvm_memory_slot *slot,
			     unsigned long first, unsigned long n, unsigned long *words)
{
	bool flush = false;
	unsigned long i;
	gfn_t gfn;

	write_lock(&kvm->mmu_lock);
	for (i = 0; i < n; i++) {
		words[i] &= READ_ONCE(slot->dirty_bitmap[first + i]);
		if (words[i]) {
			gfn = slot->base_gfn + (first + i) * BITS_PER_LONG;
			words[i] &= atomic_long_fetch_andnot(words[i],
							     log_word(slot, first + i));
			flush |= kvm_mmu_write_protect_masked(kvm, slot, gfn, words[i]);
		}
		if (!need_resched() && !rwlock_needbreak(&kvm->mmu_lock))
			continue;
		if (flush)
			kvm_flush_remote_tlbs(kvm);
		flush = false;
		cond_resched_rwlock_write(&kvm->mmu_lock);
	}
	if (flush)
		kvm_flush_remote_tlbs(kvm);
	write_unlock(&kvm->mmu_lock);
}

/* The VMM could not be told: the pages are still dirty. */
static void give_back_dirty_words(struct kvm_memory_slot *slot, unsigned long n,
				  const unsigned long *words)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		if (words[i])
			atomic_long_or(words[i], log_word(slot, i));
}

static int get_dirty_log(struct kvm *kvm, struct kvm_dirty_log *log)
{
	struct kvm_memory_slot *slot;
	unsigned long n, *words;
	int r;

	if (kvm->dirty_ring_size)
		return -ENXIO;
	r = log_slot(kvm, log->slot, &slot);
	if (r)
		return r;

	if (kvm_caps.cpu_dirty_log_size)
		kvm_kick_out_of_guest(kvm);
	n = BITS_TO_LONGS(slot->npages);
	if (READ_ONCE(kvm->manual_dirty_log_protect))
		return copy_to_user(log->dirty_bitmap, slot->dirty_bitmap,
				    n * sizeof(long)) ? -EFAULT : 0;

	words = kvmalloc_array(n, sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!words)
		return -ENOMEM;
	memset(words, 0xff, n * sizeof(long));
	take_dirty_words(kvm, slot, 0, n, words);
	if (copy_to_user(log->dirty_bitmap, words, n * sizeof(long))) {
		give_back_dirty_words(slot, n, words);
		r = -EFAULT;
	}
	kvfree(words);
	return r;
}

/**
 * kvm_vm_ioctl_get_dirty_log() - KVM_GET_DIRTY_LOG
 * @kvm: the VM
 * @log: slot, and where its bitmap is to be copied
 *
 * Without KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 the log is empty afterwards.
 *
 * Return: 0; -EINVAL if there cannot be such a slot, -ENOENT if there is none or
 * it keeps no log, -EFAULT (the log is then as before), -ENOMEM, -ENXIO if the VM has
 * rings.
 */
int kvm_vm_ioctl_get_dirty_log(struct kvm *kvm, struct kvm_dirty_log *log)
{
	int r;

	mutex_lock(&kvm->slots_lock);
	r = get_dirty_log(kvm, log);
	mutex_unlock(&kvm->slots_lock);
	return r;
}

static int clear_dirty_log(struct kvm *kvm, struct kvm_clear_dirty_log *log)
{
	struct kvm_memory_slot *slot;
	unsigned long n, *words;
	u64 rest;
	int r;

	if (kvm->dirty_ring_size)
		return -ENXIO;
	/* Whole words only, except that the slot may end within the last one. */
	if (log->first_page % BITS_PER_LONG)
		return -EINVAL;
	r = log_slot(kvm, log->slot, &slot);
	if (r)
		return r;
	if (log->first_page > slot->npages)
		return -EINVAL;
	rest = slot->npages - log->first_page;
	if (log->num_pages > rest ||
	    (log->num_pages < rest && log->num_pages % BITS_PER_LONG))
		return -EINVAL;

	n = BITS_TO_LONGS(log->num_pages);
	if (!n)
		return 0;
	words = kvmalloc_array(n, sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!words)
		return -ENOMEM;
	if (copy_from_user(words, log->dirty_bitmap, n * sizeof(long)))
		r = -EFAULT;
	else
		take_dirty_words(kvm, slot, log->first_page / BITS_PER_LONG, n, words);
	kvfree(words);
	return r;
}

/**
 * kvm_vm_ioctl_clear_dirty_log() - KVM_CLEAR_DIRTY_LOG
 * @kvm: the VM
 * @log: slot, range of pages, and a bitmap of those that are to be clean
 *
 * Return: 0; -EINVAL if there cannot be such a slot or the range is not in it or
 * not of whole words, -ENOENT if there is no such slot or it keeps no log,
 * -EFAULT (and nothing is cleared), -ENOMEM, -ENXIO if the VM has rings.
 */
int kvm_vm_ioctl_clear_dirty_log(struct kvm *kvm, struct kvm_clear_dirty_log *log)
{
	int r;

	mutex_lock(&kvm->slots_lock);
	r = clear_dirty_log(kvm, log);
	mutex_unlock(&kvm->slots_lock);
	return r;
}
