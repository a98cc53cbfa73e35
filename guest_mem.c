// SPDX-License-Identifier: GPL-2.0
/*
 * guest_mem.c - guest memory by guest-physical address, for software
 *
 * The emulator, the walk of the guest's page tables and the devices in the
 * kernel read and write guest memory as the VMM would: gpa -> slot -> hva, and
 * from there with the kernel's accessors of user memory.  So a page may be
 * anywhere that the host has put it, may be swapped in on the way, and a hva
 * that the VMM has unmapped is an error and no more.
 *
 * Whoever writes tells the dirty log afterwards: see dirty_log.c.
 *
 * Locks: the caller holds kvm->srcu, so that a slot that was found stays.
 */
#include <linux/cache.h>
#include <linux/uaccess.h>

#include "kvm_host.h"

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
