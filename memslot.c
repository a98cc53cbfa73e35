// SPDX-License-Identifier: GPL-2.0
/*
 * memslot.c - what memory the guest has: KVM_SET_USER_MEMORY_REGION
 *
 * A VM has no memory of its own.  The VMM says "guest-physical range so and so
 * is my memory from this address on", and that is a slot.  Where no slot is, a
 * guest's access is an MMIO exit.  A slot maps
 *
 *	gfn  ->  hva = userspace_addr + (gfn - base_gfn) * 4096
 *
 * and that is all it does; which host page is behind hva is asked anew whenever
 * mmu.c needs it, and may change while the guest runs.
 *
 * Each slot can be found in three ways:
 *
 *	by gfn	maple tree	every guest memory access by software or EPT fault
 *	by id	xarray		the VMM's calls
 *	by hva	interval tree	the MMU notifier: "this host range goes away"
 *
 * The life of a slot.  Readers by gfn take no lock, only kvm->srcu, so a slot
 * does not change while it can be found.  Each change makes a new struct:
 *
 *	CREATE	  into the tree by hva, then publish by gfn
 *	FLAGS	  publish the new one in the old one's place; synchronize_srcu();
 *		  write-protect or zap its EPT entries; free the old one
 *	DELETE	  unpublish; synchronize_srcu(); zap; out of the hva tree; free
 *	MOVE	  DELETE, then CREATE at the new place
 *
 * Why in this order?  An EPT fault holds kvm->srcu from looking up the slot to
 * writing the EPT entry.  After synchronize_srcu() nobody who saw the old state
 * is still on the way to write an entry, so what is zapped then stays zapped.
 * The other way round, a late fault would bring back an entry of a slot that
 * is gone.  The slot leaves the hva tree last, since the MMU notifier must find
 * it as long as there is an entry.
 *
 *	vCPU: EPT fault				VMM: delete
 *	  srcu_read_lock
 *	  slot = by_gfn[gfn]
 *						  by_gfn[gfn] = NULL
 *						  synchronize_srcu: waits
 *	  host page = f(slot)
 *	  mmu_lock: EPT entry = host page
 *	  srcu_read_unlock
 *						  mmu_lock: zap, flush the TLBs
 *	(next access: no slot, an MMIO exit)	  the VMM may unmap its memory
 *
 * While a slot moves there is a moment with no slot; a guest that touches the
 * memory then gets an MMIO exit, as with KVM.
 *
 * Everything that can fail is done before the first change.  Past that point the
 * only allocations are the maple tree's own nodes (256 bytes); they are made
 * with __GFP_NOFAIL.
 *
 * The dirty log.  With KVM_MEM_LOG_DIRTY_PAGES a slot has a bitmap of the pages
 * that were written since the VMM last asked.  Two writers set bits:
 *
 *	mmu.c, when it makes an EPT entry writable, in the same critical section
 *		of mmu_lock;
 *	kvm_write_guest() and friends, after they have written.
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
 * KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 splits the two halves: KVM_GET_DIRTY_LOG
 * copies only, KVM_CLEAR_DIRTY_LOG clears and protects, a piece at a time.
 *
 * Locks: kvm->slots_lock around every change and the dirty log calls; kvm->srcu
 * to read; kvm->mmu_lock for the hva tree, EPT entries and the fetching of dirty
 * words.
 *
 * Left out: the dirty ring, guest_memfd (so KVM_SET_USER_MEMORY_REGION2 does what the
 * first one does), KVM_MEM_USERFAULT.
 */
#include <linux/bitmap.h>
#include <linux/cache.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "kvm_host.h"

/* As KVM has it: more than 8 TB is several slots.  It keeps a bitmap below 256 MB. */
#define KVM_MEM_MAX_NR_PAGES	((1UL << 31) - 1)

#define GFP_SLOT_NOFAIL		(GFP_KERNEL_ACCOUNT | __GFP_NOFAIL)

/* ---- setting up ---- */

/**
 * kvm_memslots_init() - give a new VM its empty slots
 * @kvm: the VM
 *
 * Return: 0.
 */
int kvm_memslots_init(struct kvm *kvm)
{
	int as;

	for (as = 0; as < KVM_ADDRESS_SPACE_NUM; as++) {
		struct kvm_memslots *slots = &kvm->slots[as];

		mt_init_flags(&slots->by_gfn, MT_FLAGS_USE_RCU);
		xa_init_flags(&slots->by_id, XA_FLAGS_ACCOUNT);
		slots->hva_tree = RB_ROOT_CACHED;
	}
	return 0;
}

/* ---- finding a slot ---- */

/**
 * gfn_to_memslot() - which slot has a guest frame
 * @kvm: the VM
 * @gfn: the frame, in address space 0
 *
 * Context: kvm->srcu or kvm->slots_lock held; the slot is valid as long as it is.
 * Return: the slot or NULL.
 */
struct kvm_memory_slot *gfn_to_memslot(struct kvm *kvm, gfn_t gfn)
{
	return mtree_load(&kvm->slots[0].by_gfn, gfn);
}

/**
 * id_to_memslot() - which slot has a number
 * @slots: the address space
 * @id: the slot's number in it
 *
 * Context: kvm->slots_lock held.
 * Return: the slot or NULL.
 */
struct kvm_memory_slot *id_to_memslot(struct kvm_memslots *slots, int id)
{
	return xa_load(&slots->by_id, id);
}

/*
 * Take apart the slot number of an ioctl: address space and number in it.
 * Userspace has no business with numbers from KVM_USER_MEM_SLOTS on.
 */
static int slot_number(u32 slot, int *as_id, int *id)
{
	*as_id = slot >> 16;
	*id = (u16)slot;

	if (*as_id >= KVM_ADDRESS_SPACE_NUM || *id >= KVM_USER_MEM_SLOTS)
		return -EINVAL;
	*as_id = array_index_nospec(*as_id, KVM_ADDRESS_SPACE_NUM);
	*id = array_index_nospec(*id, KVM_USER_MEM_SLOTS);
	return 0;
}

/* ---- the steps of a change ---- */

static gfn_t last_gfn(const struct kvm_memory_slot *slot)
{
	return slot->base_gfn + slot->npages - 1;
}

static int memslot_publish(struct kvm_memslots *slots, struct kvm_memory_slot *slot,
			   gfp_t gfp)
{
	return mtree_store_range(&slots->by_gfn, slot->base_gfn, last_gfn(slot), slot, gfp);
}

/* No fault that saw @slot is under way any more when this returns. */
static void memslot_unpublish(struct kvm *kvm, struct kvm_memslots *slots,
			      struct kvm_memory_slot *slot)
{
	mtree_store_range(&slots->by_gfn, slot->base_gfn, last_gfn(slot), NULL,
			  GFP_SLOT_NOFAIL);
	synchronize_srcu_expedited(&kvm->srcu);
}

static void memslot_track_hva(struct kvm *kvm, struct kvm_memslots *slots,
			      struct kvm_memory_slot *slot)
{
	slot->hva_node.start = slot->userspace_addr;
	slot->hva_node.last = slot->userspace_addr + (slot->npages << PAGE_SHIFT) - 1;

	spin_lock(&kvm->mmu_lock);
	interval_tree_insert(&slot->hva_node, &slots->hva_tree);
	spin_unlock(&kvm->mmu_lock);
}

static void memslot_untrack_hva(struct kvm *kvm, struct kvm_memslots *slots,
				struct kvm_memory_slot *slot)
{
	spin_lock(&kvm->mmu_lock);
	interval_tree_remove(&slot->hva_node, &slots->hva_tree);
	spin_unlock(&kvm->mmu_lock);
}

static void memslot_free(struct kvm_memory_slot *slot, const struct kvm_memory_slot *heir)
{
	if (slot->dirty_bitmap && (!heir || heir->dirty_bitmap != slot->dirty_bitmap))
		kvfree(slot->dirty_bitmap);
	kfree(slot);
}

static bool memslot_overlaps(struct kvm_memslots *slots, const struct kvm_memory_slot *new,
			     const struct kvm_memory_slot *old)
{
	unsigned long gfn = new->base_gfn;
	struct kvm_memory_slot *slot;

	/* mt_find() moves gfn behind the slot that it found. */
	while ((slot = mt_find(&slots->by_gfn, &gfn, last_gfn(new))))
		if (slot != old)
			return true;
	return false;
}

/* ---- one function for each kind of change ---- */

static int memslot_create(struct kvm *kvm, struct kvm_memslots *slots,
			  struct kvm_memory_slot *new)
{
	int r;

	r = xa_insert(&slots->by_id, new->id, new, GFP_KERNEL);
	if (r)
		return r;
	memslot_track_hva(kvm, slots, new);
	r = memslot_publish(slots, new, GFP_KERNEL_ACCOUNT);
	if (r) {
		memslot_untrack_hva(kvm, slots, new);
		xa_erase(&slots->by_id, new->id);
		return r;
	}
	kvm->nr_slot_pages += new->npages;
	return 0;
}

static void memslot_delete(struct kvm *kvm, struct kvm_memslots *slots,
			   struct kvm_memory_slot *old)
{
	xa_erase(&slots->by_id, old->id);
	memslot_unpublish(kvm, slots, old);
	kvm_mmu_zap_memslot(kvm, old);
	memslot_untrack_hva(kvm, slots, old);
	kvm->nr_slot_pages -= old->npages;
	memslot_free(old, NULL);
}

static void memslot_move(struct kvm *kvm, struct kvm_memslots *slots,
			 struct kvm_memory_slot *old, struct kvm_memory_slot *new)
{
	memslot_unpublish(kvm, slots, old);
	kvm_mmu_zap_memslot(kvm, old);
	memslot_untrack_hva(kvm, slots, old);

	memslot_track_hva(kvm, slots, new);
	/* Takes no memory: there is an entry with this id. */
	xa_store(&slots->by_id, new->id, new, GFP_KERNEL);
	memslot_publish(slots, new, GFP_SLOT_NOFAIL);
	memslot_free(old, new);
}

/* The only flag that can change is KVM_MEM_LOG_DIRTY_PAGES. */
static int memslot_change_flags(struct kvm *kvm, struct kvm_memslots *slots,
				struct kvm_memory_slot *old, struct kvm_memory_slot *new,
				bool all_dirty)
{
	int r;

	r = memslot_publish(slots, new, GFP_KERNEL_ACCOUNT);
	if (r)
		return r;
	xa_store(&slots->by_id, new->id, new, GFP_KERNEL);
	/* Both are in the hva tree for a moment; they are of the same gfns. */
	memslot_track_hva(kvm, slots, new);
	synchronize_srcu_expedited(&kvm->srcu);
	memslot_untrack_hva(kvm, slots, old);

	/*
	 * Every fault now sees the new slot.  Logging begins with read-only
	 * entries; or, if all pages count as dirty to begin with, they are made
	 * so as KVM_CLEAR_DIRTY_LOG clears them.  When it ends, small entries go
	 * so that faults can make large ones again.
	 */
	if (!new->dirty_bitmap)
		kvm_mmu_zap_memslot(kvm, new);
	else if (!all_dirty)
		kvm_mmu_write_protect_memslot(kvm, new);

	memslot_free(old, new);
	return 0;
}

static int memslot_alloc_dirty_bitmap(struct kvm_memory_slot *slot, bool all_dirty)
{
	slot->dirty_bitmap = kvcalloc(BITS_TO_LONGS(slot->npages), sizeof(long),
				      GFP_KERNEL_ACCOUNT);
	if (!slot->dirty_bitmap)
		return -ENOMEM;
	if (all_dirty)
		bitmap_set(slot->dirty_bitmap, 0, slot->npages);
	return 0;
}

/* A slot as @mem wants it, not yet to be found anywhere; or NULL. */
static struct kvm_memory_slot *
memslot_alloc(const struct kvm_userspace_memory_region *mem, int as_id, int id,
	      const struct kvm_memory_slot *old, bool all_dirty)
{
	struct kvm_memory_slot *new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);

	if (!new)
		return NULL;
	new->as_id = as_id;
	new->id = id;
	new->base_gfn = gpa_to_gfn(mem->guest_phys_addr);
	new->npages = mem->memory_size >> PAGE_SHIFT;
	new->userspace_addr = mem->userspace_addr;
	new->flags = mem->flags;

	if (!(new->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return new;
	/* A slot that moves takes its log along. */
	if (old && old->dirty_bitmap) {
		new->dirty_bitmap = old->dirty_bitmap;
	} else if (memslot_alloc_dirty_bitmap(new, all_dirty)) {
		kfree(new);
		return NULL;
	}
	return new;
}

/* Guest-physical bits that both the host's memory bus and the EPT can reach. */
static gpa_t max_gpa(void)
{
	int bits = min_t(int, boot_cpu_data.x86_phys_bits,
			 PAGE_SHIFT + 9 * kvm_caps.tdp_levels);

	return BIT_ULL(bits) - 1;
}

/* What can be said of a request without looking at the slots that exist. */
static int check_region(const struct kvm_userspace_memory_region *mem)
{
	u64 size = mem->memory_size;

	if (mem->flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY))
		return -EINVAL;
	if (!PAGE_ALIGNED(size) || !PAGE_ALIGNED(mem->guest_phys_addr) ||
	    !PAGE_ALIGNED(mem->userspace_addr))
		return -EINVAL;
	if (!access_ok((void __user *)(unsigned long)mem->userspace_addr, size))
		return -EINVAL;
	if (mem->guest_phys_addr + size < mem->guest_phys_addr)
		return -EINVAL;
	if (size >> PAGE_SHIFT > KVM_MEM_MAX_NR_PAGES)
		return -EINVAL;
	if (size && mem->guest_phys_addr + size - 1 > max_gpa())
		return -EINVAL;
	return 0;
}

/* What @mem wants of a slot that exists already, and is allowed to. */
static int check_change(const struct kvm_userspace_memory_region *mem,
			const struct kvm_memory_slot *old)
{
	if (mem->userspace_addr != old->userspace_addr ||
	    mem->memory_size >> PAGE_SHIFT != old->npages ||
	    ((mem->flags ^ old->flags) & KVM_MEM_READONLY))
		return -EINVAL;
	return 0;
}

/**
 * __kvm_set_memory_region() - create, delete, move a slot or change its flags
 * @kvm: the VM
 * @mem: the request, which the caller has copied from userspace
 *
 * Which of them it is follows from the slot's number: a number not in use
 * creates, size 0 deletes, another guest address moves, other flags change the
 * flags.  Size, host address and the read-only flag of a slot never change.
 *
 * Context: kvm->slots_lock held; kvm->srcu not held.
 * Return: 0; -EINVAL for a range, flag or change that is not allowed, -EEXIST for
 * an overlap with another slot, -ENOMEM.  After an error nothing has changed.
 */
int __kvm_set_memory_region(struct kvm *kvm, const struct kvm_userspace_memory_region *mem)
{
	struct kvm_memory_slot *old, *new;
	struct kvm_memslots *slots;
	int as_id, id, r;
	bool all_dirty;

	lockdep_assert_held(&kvm->slots_lock);

	if (slot_number(mem->slot, &as_id, &id) || check_region(mem))
		return -EINVAL;
	slots = &kvm->slots[as_id];
	old = id_to_memslot(slots, id);

	if (!mem->memory_size) {
		if (!old)
			return -EINVAL;
		memslot_delete(kvm, slots, old);
		return 0;
	}

	if (old) {
		r = check_change(mem, old);
		if (r)
			return r;
		if (gpa_to_gfn(mem->guest_phys_addr) == old->base_gfn &&
		    mem->flags == old->flags)
			return 0;
	} else if (kvm->nr_slot_pages + (mem->memory_size >> PAGE_SHIFT) <
		   kvm->nr_slot_pages) {
		return -EINVAL;
	}

	/* Looked at once: KVM_ENABLE_CAP does not wait for us. */
	all_dirty = READ_ONCE(kvm->manual_dirty_log_protect) & KVM_DIRTY_LOG_INITIALLY_SET;
	new = memslot_alloc(mem, as_id, id, old, all_dirty);
	if (!new)
		return -ENOMEM;
	if (memslot_overlaps(slots, new, old)) {
		r = -EEXIST;
	} else if (!old) {
		r = memslot_create(kvm, slots, new);
	} else if (new->base_gfn != old->base_gfn) {
		memslot_move(kvm, slots, old, new);
		r = 0;
	} else {
		r = memslot_change_flags(kvm, slots, old, new, all_dirty);
	}
	if (r)
		memslot_free(new, old);
	else if (mem->guest_phys_addr <= APIC_DEFAULT_PHYS_BASE &&
		 APIC_DEFAULT_PHYS_BASE - mem->guest_phys_addr < mem->memory_size)
		kvm_mmu_drop_apic_page(kvm);	/* the slot is there now */
	return r;
}

/**
 * kvm_vm_ioctl_set_memory_region() - KVM_SET_USER_MEMORY_REGION
 * @kvm: the VM
 * @mem: the request, which the caller has copied from userspace
 *
 * Return: as __kvm_set_memory_region().
 */
int kvm_vm_ioctl_set_memory_region(struct kvm *kvm, struct kvm_userspace_memory_region *mem)
{
	int r;

	mutex_lock(&kvm->slots_lock);
	r = __kvm_set_memory_region(kvm, mem);
	mutex_unlock(&kvm->slots_lock);
	return r;
}

/* ---- the dirty log ---- */

/**
 * mark_page_dirty_in_slot() - a page of the guest was or may now be written
 * @kvm: the VM
 * @slot: the page's slot, or NULL
 * @gfn: the page
 *
 * Context: kvm->srcu held.  Whoever lets the guest write calls it in the section
 * of mmu_lock that does so; whoever writes by himself calls it afterwards.
 */
void mark_page_dirty_in_slot(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn)
{
	if (slot && slot->dirty_bitmap)
		set_bit(gfn - slot->base_gfn, slot->dirty_bitmap);
}

/* The slot that a dirty log call is about. */
static int log_slot(struct kvm *kvm, u32 number, struct kvm_memory_slot **slot)
{
	int as_id, id;

	if (slot_number(number, &as_id, &id))
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

	spin_lock(&kvm->mmu_lock);
	for (i = 0; i < n; i++) {
		words[i] &= READ_ONCE(slot->dirty_bitmap[first + i]);
		if (words[i]) {
			gfn = slot->base_gfn + (first + i) * BITS_PER_LONG;
			words[i] &= atomic_long_fetch_andnot(words[i],
							     log_word(slot, first + i));
			flush |= kvm_mmu_write_protect_masked(kvm, slot, gfn, words[i]);
		}
		if (!need_resched() && !spin_needbreak(&kvm->mmu_lock))
			continue;
		if (flush)
			kvm_flush_remote_tlbs(kvm);
		flush = false;
		cond_resched_lock(&kvm->mmu_lock);
	}
	if (flush)
		kvm_flush_remote_tlbs(kvm);
	spin_unlock(&kvm->mmu_lock);
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

	r = log_slot(kvm, log->slot, &slot);
	if (r)
		return r;

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
 * it keeps no log, -EFAULT (the log is then as before), -ENOMEM.
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
 * -EFAULT (and nothing is cleared), -ENOMEM.
 */
int kvm_vm_ioctl_clear_dirty_log(struct kvm *kvm, struct kvm_clear_dirty_log *log)
{
	int r;

	mutex_lock(&kvm->slots_lock);
	r = clear_dirty_log(kvm, log);
	mutex_unlock(&kvm->slots_lock);
	return r;
}

/* ---- guest memory, for software ---- */

/*
 * Where the VMM has guest-physical address @gpa; NULL if nowhere, or if it is to
 * be written and may not be.
 */
static void __user *gpa_to_user(struct kvm *kvm, gpa_t gpa, bool write,
				struct kvm_memory_slot **slot)
{
	*slot = gfn_to_memslot(kvm, gpa_to_gfn(gpa));
	if (!*slot || (write && ((*slot)->flags & KVM_MEM_READONLY)))
		return NULL;
	return (void __user *)(gfn_to_hva_memslot(*slot, gpa_to_gfn(gpa)) +
			       offset_in_page(gpa));
}

/* How much of @len bytes at @gpa is in the first page. */
static unsigned long in_first_page(gpa_t gpa, unsigned long len)
{
	return min_t(unsigned long, len, PAGE_SIZE - offset_in_page(gpa));
}

/**
 * kvm_read_guest() - copy from guest memory
 * @kvm: the VM
 * @gpa: guest-physical address
 * @data: where to
 * @len: bytes; may cross pages and slots
 *
 * Context: kvm->srcu held, the VMM's process, may sleep.
 * Return: 0, or -EFAULT if some of it is in no slot or the VMM has unmapped it.
 */
int kvm_read_guest(struct kvm *kvm, gpa_t gpa, void *data, unsigned long len)
{
	struct kvm_memory_slot *slot;
	const void __user *from;
	unsigned long n;

	for (; len; len -= n, gpa += n, data += n) {
		n = in_first_page(gpa, len);
		from = gpa_to_user(kvm, gpa, false, &slot);
		if (!from || copy_from_user(data, from, n))
			return -EFAULT;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(kvm_read_guest);

/**
 * kvm_write_guest() - copy to guest memory
 * @kvm: the VM
 * @gpa: guest-physical address
 * @data: where from
 * @len: bytes; may cross pages and slots
 *
 * The pages are dirty afterwards, even one that could be written only in part.
 *
 * Context: kvm->srcu held, the VMM's process, may sleep.
 * Return: 0, or -EFAULT if some of it is in no slot or a read-only one, or the
 * VMM has unmapped it; what comes before has been written then.
 */
int kvm_write_guest(struct kvm *kvm, gpa_t gpa, const void *data, unsigned long len)
{
	struct kvm_memory_slot *slot;
	unsigned long n, left;
	void __user *to;

	for (; len; len -= n, gpa += n, data += n) {
		n = in_first_page(gpa, len);
		to = gpa_to_user(kvm, gpa, true, &slot);
		if (!to)
			return -EFAULT;
		left = copy_to_user(to, data, n);
		mark_page_dirty_in_slot(kvm, slot, gpa_to_gfn(gpa));
		if (left)
			return -EFAULT;
	}
	return 0;
}

/**
 * kvm_put_guest_u32() - write 32 bits of guest memory so that nobody sees half of them
 * @kvm: the VM
 * @gpa: guest-physical address, aligned
 * @val: the value
 *
 * Context: kvm->srcu held, the VMM's process, may sleep.
 * Return: 0, or -EFAULT as kvm_write_guest().
 */
int kvm_put_guest_u32(struct kvm *kvm, gpa_t gpa, u32 val)
{
	struct kvm_memory_slot *slot;
	u32 __user *to = gpa_to_user(kvm, gpa, true, &slot);

	if (!to || put_user(val, to))
		return -EFAULT;
	mark_page_dirty_in_slot(kvm, slot, gpa_to_gfn(gpa));
	return 0;
}

/**
 * kvm_put_guest_u8_atomic() - write a byte of guest memory, if it is there
 * @kvm: the VM
 * @gpa: guest-physical address
 * @val: the value
 *
 * Context: kvm->srcu held, the VMM's process; may be called with preemption off.
 * Return: 0, or -EFAULT as kvm_write_guest(), and also if the page is not mapped now.
 */
int kvm_put_guest_u8_atomic(struct kvm *kvm, gpa_t gpa, u8 val)
{
	struct kvm_memory_slot *slot;
	u8 __user *to = gpa_to_user(kvm, gpa, true, &slot);
	int r;

	if (!to)
		return -EFAULT;
	pagefault_disable();
	r = put_user(val, to);
	pagefault_enable();
	if (!r)
		mark_page_dirty_in_slot(kvm, slot, gpa_to_gfn(gpa));
	return r;
}

#define cmpxchg_user(type, ptr, old, new)				\
	__try_cmpxchg_user((type __user *)(ptr), (type *)(old),	\
			   *(const type *)(new), fault_##type)

/**
 * kvm_cmpxchg_guest() - compare and exchange in guest memory, atomically
 * @kvm: the VM
 * @gpa: guest-physical address
 * @old: what is expected there; what was there, if it is something else
 * @new: what shall be there
 * @len: 1, 2, 4 or 8 bytes
 *
 * Operands that cross a cache line are refused: the host may forbid split locks
 * to itself, and doing it in two steps would break the promise.  So are those of
 * 16 bytes, for which the kernel has no access to user memory.
 *
 * Context: kvm->srcu held, the VMM's process, may sleep.
 * Return: 0: done; 1: something else was there; -EFAULT as kvm_write_guest();
 * -EOPNOTSUPP.
 */
int kvm_cmpxchg_guest(struct kvm *kvm, gpa_t gpa, void *old, const void *new, unsigned int len)
{
	struct kvm_memory_slot *slot;
	void __user *ptr;
	int r;

	if (!len || (gpa ^ (gpa + len - 1)) & ~(gpa_t)(L1_CACHE_BYTES - 1))
		return -EOPNOTSUPP;
	ptr = gpa_to_user(kvm, gpa, true, &slot);
	if (!ptr)
		return -EFAULT;

	switch (len) {
	case 1:
		r = cmpxchg_user(u8, ptr, old, new);
		break;
	case 2:
		r = cmpxchg_user(u16, ptr, old, new);
		break;
	case 4:
		r = cmpxchg_user(u32, ptr, old, new);
		break;
	case 8:
		r = cmpxchg_user(u64, ptr, old, new);
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (!r)
		mark_page_dirty_in_slot(kvm, slot, gpa_to_gfn(gpa));
	return r;
}

/* ---- teardown ---- */

/**
 * kvm_memslots_destroy() - free the slots of a VM that nobody can reach any more
 * @kvm: the VM
 *
 * The tree leaves RCU mode first: in that mode Linux 6.1's mtree_destroy() leaves a deep
 * tree to mt_free_walk(), a path that nothing in Linux takes (exit_mmap() leaves RCU
 * mode too), and which follows what is no pointer: an oops with 32764 slots.
 *
 * Context: after kvm_mmu_uninit_vm(): no EPT entry, no MMU notifier.
 */
void kvm_memslots_destroy(struct kvm *kvm)
{
	struct kvm_memory_slot *slot;
	unsigned long id;
	int as;

	for (as = 0; as < KVM_ADDRESS_SPACE_NUM; as++) {
		struct kvm_memslots *slots = &kvm->slots[as];

		xa_for_each(&slots->by_id, id, slot)
			memslot_free(slot, NULL);
		xa_destroy(&slots->by_id);
		mt_clear_in_rcu(&slots->by_gfn);
		mtree_destroy(&slots->by_gfn);
	}
}
