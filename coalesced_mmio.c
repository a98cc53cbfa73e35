// SPDX-License-Identifier: GPL-2.0
/*
 * coalesced_mmio.c - writes that can wait: a ring instead of an exit for each
 *
 * Some registers are written often and nothing happens at once: a frame buffer in a
 * banked mode, an index port.  The VMM names such ranges ("zones"), of addresses or
 * ports.  A guest's write to one is put in a ring that the VMM has mapped (the third
 * page of every vCPU's file descriptor, one and the same page for the VM), and the
 * guest goes on.  The VMM empties the ring when it next sees an exit, before it deals
 * with that one: so the order of a vCPU's writes is kept.
 *
 * Reads of a zone exit as ever, and so does a write when the ring is full: that is
 * how the VMM comes to empty it.
 *
 * The VMM may write the ring's page at any time.  An index from there that is out of
 * bounds counts as "full"; nothing worse can come of it.
 *
 * Locks.  Each zone is a device on the I/O bus (iobus.c); kvm->slots_lock guards the
 * list of zones, kvm->ring_lock makes vCPUs that write the ring take turns.
 */
#include <linux/slab.h>

#include "irq.h"

/**
 * struct kvm_coalesced_zone - a range whose writes go to the ring
 * @dev:	on the bus of ports or of addresses
 * @kvm:	the VM
 * @zone:	as userspace gave it
 * @link:	in kvm->coalesced_zones
 */
struct kvm_coalesced_zone {
	struct kvm_io_device dev;
	struct kvm *kvm;
	struct kvm_coalesced_mmio_zone zone;
	struct list_head link;
};

static struct kvm_coalesced_zone *to_zone(struct kvm_io_device *dev)
{
	return container_of(dev, struct kvm_coalesced_zone, dev);
}

/**
 * kvm_coalesced_mmio_init() - the ring of a new VM
 * @kvm: the VM
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_coalesced_mmio_init(struct kvm *kvm)
{
	BUILD_BUG_ON(KVM_COALESCED_PAGE_OFFSET >= KVM_VCPU_MMAP_PAGES);
	spin_lock_init(&kvm->ring_lock);
	INIT_LIST_HEAD(&kvm->coalesced_zones);
	kvm->coalesced_mmio_ring = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return kvm->coalesced_mmio_ring ? 0 : -ENOMEM;
}

/**
 * kvm_coalesced_mmio_free() - the ring goes; mappings of it keep the page
 * @kvm: the VM; its I/O buses are gone, and the zones with them
 */
void kvm_coalesced_mmio_free(struct kvm *kvm)
{
	free_page((unsigned long)kvm->coalesced_mmio_ring);
}

static int kvm_coalesced_write(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr,
			       int len, const void *val)
{
	struct kvm_coalesced_zone *zone = to_zone(dev);
	struct kvm_coalesced_mmio_ring *ring = zone->kvm->coalesced_mmio_ring;
	struct kvm_coalesced_mmio *slot;
	u32 last, next;

	if (len > sizeof(slot->data))
		return -EOPNOTSUPP;
	spin_lock(&zone->kvm->ring_lock);
	last = READ_ONCE(ring->last);
	next = (last + 1) % KVM_COALESCED_MMIO_MAX;
	if (last >= KVM_COALESCED_MMIO_MAX || next == READ_ONCE(ring->first)) {
		spin_unlock(&zone->kvm->ring_lock);
		return -EOPNOTSUPP;
	}
	slot = &ring->coalesced_mmio[last];
	slot->phys_addr = addr;
	slot->len = len;
	memcpy(slot->data, val, len);
	slot->pio = zone->zone.pio;
	smp_store_release(&ring->last, next);	/* the VMM reads the slot after it */
	spin_unlock(&zone->kvm->ring_lock);
	return 0;
}

static void kvm_coalesced_destroy(struct kvm_io_device *dev)
{
	struct kvm_coalesced_zone *zone = to_zone(dev);

	list_del(&zone->link);
	kfree(zone);
}

static const struct kvm_io_device_ops kvm_coalesced_ops = {
	.write = kvm_coalesced_write,
	.destructor = kvm_coalesced_destroy,
};

static enum kvm_bus kvm_zone_bus(const struct kvm_coalesced_mmio_zone *zone)
{
	return zone->pio ? KVM_PIO_BUS : KVM_MMIO_BUS;
}

/**
 * kvm_vm_ioctl_register_coalesced_mmio() - KVM_REGISTER_COALESCED_MMIO
 * @kvm: the VM
 * @z: from userspace, copied
 *
 * Return: 0; -EINVAL for a range that is empty or wraps, or a pio that is not 0 or
 * 1; -ENOSPC, -ENOMEM.
 */
int kvm_vm_ioctl_register_coalesced_mmio(struct kvm *kvm, const struct kvm_coalesced_mmio_zone *z)
{
	struct kvm_coalesced_zone *zone;
	int r;

	if (z->pio > 1 || !z->size)
		return -EINVAL;
	zone = kzalloc(sizeof(*zone), GFP_KERNEL_ACCOUNT);
	if (!zone)
		return -ENOMEM;
	zone->dev.ops = &kvm_coalesced_ops;
	zone->kvm = kvm;
	zone->zone = *z;

	mutex_lock(&kvm->slots_lock);
	r = kvm_io_bus_register_dev(kvm, kvm_zone_bus(z), z->addr, z->size, &zone->dev);
	if (r)
		kfree(zone);
	else
		list_add_tail(&zone->link, &kvm->coalesced_zones);
	mutex_unlock(&kvm->slots_lock);
	return r;
}

/* Does @outer hold all of @inner?  Neither wraps. */
static bool kvm_zone_holds(const struct kvm_coalesced_mmio_zone *outer,
			   const struct kvm_coalesced_mmio_zone *inner)
{
	return outer->pio == inner->pio && inner->addr >= outer->addr &&
	       inner->size <= outer->size &&
	       inner->addr - outer->addr <= outer->size - inner->size;
}

/**
 * kvm_vm_ioctl_unregister_coalesced_mmio() - KVM_UNREGISTER_COALESCED_MMIO
 * @kvm: the VM
 * @z: from userspace, copied
 *
 * Every zone that holds this range goes, entirely.  It is no error if there is none.
 *
 * Return: 0, or -EINVAL for a pio that is not 0 or 1.
 */
int kvm_vm_ioctl_unregister_coalesced_mmio(struct kvm *kvm,
					   const struct kvm_coalesced_mmio_zone *z)
{
	struct kvm_coalesced_zone *zone, *next;

	if (z->pio > 1)
		return -EINVAL;
	mutex_lock(&kvm->slots_lock);
	list_for_each_entry_safe(zone, next, &kvm->coalesced_zones, link) {
		if (kvm_zone_holds(&zone->zone, z))
			kvm_io_bus_unregister_dev(kvm, kvm_zone_bus(z), &zone->dev);
	}
	mutex_unlock(&kvm->slots_lock);
	return 0;
}
