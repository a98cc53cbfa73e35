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
 * What was written to, dirty_log.c knows; how software reads and writes guest
 * memory is in guest_mem.c.
 *
 * Locks: kvm->slots_lock around every change; kvm->srcu to read; kvm->mmu_lock
 * for the hva tree and EPT entries.
 *
 * Left out: guest_memfd (so KVM_SET_USER_MEMORY_REGION2 does what the
 * first one does), KVM_MEM_USERFAULT.
 */
#include <linux/bitmap.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

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

/**
 * kvm_slot_number() - take apart the slot number of an ioctl
 * @slot: the number that userspace gave
 * @as_id: where the address space goes
 * @id: where the slot's number in it goes
 *
 * Userspace has no business with numbers from KVM_USER_MEM_SLOTS on.
 *
 * Return: 0, or -EINVAL if there cannot be such a slot.
 */
int kvm_slot_number(u32 slot, int *as_id, int *id)
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

	write_lock(&kvm->mmu_lock);
	interval_tree_insert(&slot->hva_node, &slots->hva_tree);
	write_unlock(&kvm->mmu_lock);
}

static void memslot_untrack_hva(struct kvm *kvm, struct kvm_memslots *slots,
				struct kvm_memory_slot *slot)
{
	write_lock(&kvm->mmu_lock);
	interval_tree_remove(&slot->hva_node, &slots->hva_tree);
	write_unlock(&kvm->mmu_lock);
}

/* Slots that keep a log, counted from before they can be found until they cannot any more. */
static void memslot_count_logging(struct kvm *kvm, const struct kvm_memory_slot *slot, int n)
{
	if (kvm_slot_dirty_track_enabled(slot))
		WRITE_ONCE(kvm->nr_slots_logging, kvm->nr_slots_logging + n);
}

static void memslot_free(struct kvm *kvm, struct kvm_memory_slot *slot,
			 const struct kvm_memory_slot *heir)
{
	memslot_count_logging(kvm, slot, -1);
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
	memslot_free(kvm, old, NULL);
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
	memslot_free(kvm, old, new);
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
	 * so as KVM_CLEAR_DIRTY_LOG clears them.  When it ends, small entries go where
	 * faults can make large ones again.
	 */
	if (!kvm_slot_dirty_track_enabled(new))
		kvm_mmu_recover_huge_pages(kvm, new);
	else if (!all_dirty)
		kvm_mmu_write_protect_memslot(kvm, new);

	memslot_free(kvm, old, new);
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
memslot_alloc(struct kvm *kvm, const struct kvm_userspace_memory_region *mem, int as_id, int id,
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

	if (!kvm_slot_dirty_track_enabled(new) || READ_ONCE(kvm->dirty_ring_size))
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

	if (kvm_slot_number(mem->slot, &as_id, &id) || check_region(mem))
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

	/* Looked at once: KVM_ENABLE_CAP does not wait for us.  Rings begin empty. */
	all_dirty = !READ_ONCE(kvm->dirty_ring_size) &&
		    (READ_ONCE(kvm->manual_dirty_log_protect) & KVM_DIRTY_LOG_INITIALLY_SET);
	new = memslot_alloc(kvm, mem, as_id, id, old, all_dirty);
	if (!new)
		return -ENOMEM;
	memslot_count_logging(kvm, new, 1);
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
		memslot_free(kvm, new, old);
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
			memslot_free(kvm, slot, NULL);
		xa_destroy(&slots->by_id);
		mt_clear_in_rcu(&slots->by_gfn);
		mtree_destroy(&slots->by_gfn);
	}
}
