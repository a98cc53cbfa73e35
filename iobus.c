// SPDX-License-Identifier: GPL-2.0
/*
 * iobus.c - who in the kernel answers a port or a guest-physical address
 *
 * A guest's IN, OUT or access to an address without memory is first offered to
 * the devices that live in the kernel: interrupt controllers, the PIT, ioeventfds,
 * coalesced zones.  Only what none of them takes becomes an exit to userspace.
 *
 * There are three buses: addresses, ports, and "fast MMIO": writes whose address
 * alone says everything, so that the vendor can ask before an instruction is
 * decoded.  A bus is an array of ranges, sorted by address.  Ranges may overlap (an
 * ioeventfd inside a coalesced zone, two ioeventfds with different data on one
 * port), so all that contain the access are asked, in the order of the array, until
 * one says that it was meant.  Of ranges with one address the older comes first.
 *
 * Finding the first of them: a range far to the left may reach over many others.
 * Each entry therefore also knows how far the entries up to itself reach; that
 * number only grows along the array, and can be bisected.
 *
 * Locks.  An array never changes but in one way (below): it is replaced, under
 * kvm->slots_lock, and freed when no reader of kvm->srcu can have it any more.  A
 * removal must not fail; if there is no memory for a smaller array, the entry stays
 * in the old one without a device.
 *
 * Left out: splitting of an access that reaches over a range's end.  It is
 * nobody's, as with KVM.
 */
#include <linux/slab.h>

#include "irq.h"

/* Devices on one bus, those with ops->uncounted aside; and of all kinds. */
#define NR_IOBUS_DEVS		1000
#define NR_IOBUS_RANGES		32768

/**
 * struct kvm_io_range - a device's place on a bus
 * @addr:	first address
 * @last:	last one
 * @reach:	the highest @last of this entry and all before it
 * @any_len:	length 0 was asked for: accesses of any size that begin at @addr
 * @dev:	NULL: gone
 */
struct kvm_io_range {
	gpa_t addr;
	gpa_t last;
	gpa_t reach;
	bool any_len;
	struct kvm_io_device *dev;
};

/**
 * struct kvm_io_bus - a version of a bus
 * @nr:		entries of @range
 * @counted:	those that count against NR_IOBUS_DEVS
 * @range:	sorted by address
 */
struct kvm_io_bus {
	int nr;
	int counted;
	struct kvm_io_range range[];
};

static struct kvm_io_bus *kvm_io_bus_alloc(int nr)
{
	struct kvm_io_bus *bus;

	bus = kvzalloc(struct_size(bus, range, nr), GFP_KERNEL_ACCOUNT);
	if (bus)
		bus->nr = nr;
	return bus;
}

/**
 * kvm_io_bus_vm_init() - the empty buses of a new VM
 * @kvm: the VM
 *
 * Return: 0 or -ENOMEM, with nothing left behind.
 */
int kvm_io_bus_vm_init(struct kvm *kvm)
{
	struct kvm_io_bus *bus;
	int i;

	for (i = 0; i < KVM_NR_BUSES; i++) {
		bus = kvm_io_bus_alloc(0);
		if (!bus) {
			kvm_io_bus_vm_destroy(kvm);
			return -ENOMEM;
		}
		rcu_assign_pointer(kvm->buses[i], bus);
	}
	return 0;
}

/* ---- an access ---- */

static bool kvm_io_range_contains(const struct kvm_io_range *range, gpa_t addr, int len)
{
	if (range->any_len)
		return addr == range->addr;
	/* No overflow: an access ends below the end of the address space. */
	return addr >= range->addr && addr + len - 1 <= range->last;
}

/* The first entry that reaches as far as @addr, or bus->nr. */
static int kvm_io_bus_first(const struct kvm_io_bus *bus, gpa_t addr)
{
	int low = 0, high = bus->nr;

	while (low < high) {
		int mid = low + (high - low) / 2;

		if (bus->range[mid].reach < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int kvm_io_dev_access(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr,
			     int len, void *val, bool write)
{
	if (write)
		return dev->ops->write ? dev->ops->write(vcpu, dev, addr, len, val) : -EOPNOTSUPP;
	return dev->ops->read ? dev->ops->read(vcpu, dev, addr, len, val) : -EOPNOTSUPP;
}

static int kvm_io_bus_access(struct kvm_vcpu *vcpu, enum kvm_bus which, gpa_t addr, int len,
			     void *val, bool write)
{
	struct kvm_io_bus *bus = srcu_dereference(vcpu->kvm->buses[which], &vcpu->kvm->srcu);
	struct kvm_io_range *range;
	struct kvm_io_device *dev;
	int i, r;

	for (i = kvm_io_bus_first(bus, addr); i < bus->nr; i++) {
		range = &bus->range[i];
		if (range->addr > addr)
			break;
		dev = READ_ONCE(range->dev);
		if (!dev || !kvm_io_range_contains(range, addr, len))
			continue;
		r = kvm_io_dev_access(vcpu, dev, addr, len, val, write);
		if (r != -EOPNOTSUPP)
			return r;
	}
	return -EOPNOTSUPP;
}

/**
 * kvm_io_bus_read() - offer a guest's read to the kernel's devices
 * @vcpu: loaded vCPU; kvm->srcu is held
 * @bus: which bus
 * @addr: port or guest-physical address
 * @len: bytes: 1, 2, 4 or 8 (fast MMIO: 0)
 * @val: where the bytes go; untouched unless the return value is 0
 *
 * Return: 0; -EOPNOTSUPP if it is for userspace.
 */
int kvm_io_bus_read(struct kvm_vcpu *vcpu, enum kvm_bus bus, gpa_t addr, int len, void *val)
{
	return kvm_io_bus_access(vcpu, bus, addr, len, val, false);
}

/**
 * kvm_io_bus_write() - offer a guest's write to the kernel's devices
 * @vcpu: loaded vCPU; kvm->srcu is held
 * @bus: which bus
 * @addr: port or guest-physical address
 * @len: bytes: 1, 2, 4 or 8 (fast MMIO: 0)
 * @val: the bytes
 *
 * Return: 0; -EOPNOTSUPP if it is for userspace.
 */
int kvm_io_bus_write(struct kvm_vcpu *vcpu, enum kvm_bus bus, gpa_t addr, int len,
		     const void *val)
{
	return kvm_io_bus_access(vcpu, bus, addr, len, (void *)val, true);
}
EXPORT_SYMBOL_GPL(kvm_io_bus_write);

/* ---- changes ---- */

static struct kvm_io_bus *kvm_io_bus_locked(struct kvm *kvm, enum kvm_bus which)
{
	return rcu_dereference_protected(kvm->buses[which], lockdep_is_held(&kvm->slots_lock));
}

/* Put the finished @bus in its place, and wait till nobody uses the old one. */
static void kvm_io_bus_replace(struct kvm *kvm, enum kvm_bus which, struct kvm_io_bus *bus)
{
	struct kvm_io_bus *old = kvm_io_bus_locked(kvm, which);
	gpa_t reach = 0;
	int i;

	bus->counted = 0;
	for (i = 0; i < bus->nr; i++) {
		reach = max(reach, bus->range[i].last);
		bus->range[i].reach = reach;
		if (bus->range[i].dev && !bus->range[i].dev->ops->uncounted)
			bus->counted++;
	}
	rcu_assign_pointer(kvm->buses[which], bus);
	synchronize_srcu_expedited(&kvm->srcu);
	kvfree(old);
}

/**
 * kvm_io_bus_register_dev() - a device answers a range of a bus
 * @kvm: the VM; its slots_lock is held
 * @which: which bus
 * @addr: first address
 * @len: bytes; 0: accesses of any length at @addr
 * @dev: the device, its ops set; the bus has it till it is unregistered
 *
 * Sleeps for a grace period of kvm->srcu, which must not be held.
 *
 * Return: 0; -EINVAL if the range wraps; -ENOSPC, -ENOMEM.  On an error the device
 * is still the caller's to free.
 */
int kvm_io_bus_register_dev(struct kvm *kvm, enum kvm_bus which, gpa_t addr, u64 len,
			    struct kvm_io_device *dev)
{
	struct kvm_io_bus *bus, *old = kvm_io_bus_locked(kvm, which);
	struct kvm_io_range range = {
		.addr = addr,
		.last = addr + (len ?: 1) - 1,
		.any_len = !len,
		.dev = dev,
	};
	int i;

	lockdep_assert_held(&kvm->slots_lock);
	if (range.last < addr)
		return -EINVAL;
	if (old->nr >= NR_IOBUS_RANGES ||
	    (!dev->ops->uncounted && old->counted >= NR_IOBUS_DEVS))
		return -ENOSPC;
	bus = kvm_io_bus_alloc(old->nr + 1);
	if (!bus)
		return -ENOMEM;

	for (i = 0; i < old->nr && old->range[i].addr <= addr; i++)
		;
	memcpy(bus->range, old->range, i * sizeof(range));
	bus->range[i] = range;
	memcpy(&bus->range[i + 1], &old->range[i], (old->nr - i) * sizeof(range));
	kvm_io_bus_replace(kvm, which, bus);
	return 0;
}

static void kvm_io_dev_destroy(struct kvm_io_device *dev)
{
	if (dev && dev->ops->destructor)
		dev->ops->destructor(dev);
}

/**
 * kvm_io_bus_unregister_dev() - a device answers no more
 * @kvm: the VM; its slots_lock is held
 * @which: the bus it is on
 * @dev: the device
 *
 * Sleeps for a grace period of kvm->srcu, which must not be held: when this
 * returns, no vCPU is in the device's functions, and its destructor was called.
 *
 * Return: 0, or -ENOENT if it is not on that bus, or no more.
 */
int kvm_io_bus_unregister_dev(struct kvm *kvm, enum kvm_bus which, struct kvm_io_device *dev)
{
	struct kvm_io_bus *bus, *old = kvm_io_bus_locked(kvm, which);
	int i;

	lockdep_assert_held(&kvm->slots_lock);
	if (!old)	/* the VM ends, and its buses have ended */
		return -ENOENT;
	for (i = 0; i < old->nr && old->range[i].dev != dev; i++)
		;
	if (i == old->nr)
		return -ENOENT;

	bus = kvm_io_bus_alloc(old->nr - 1);
	if (bus) {
		memcpy(bus->range, old->range, i * sizeof(bus->range[0]));
		memcpy(&bus->range[i], &old->range[i + 1],
		       (bus->nr - i) * sizeof(bus->range[0]));
		kvm_io_bus_replace(kvm, which, bus);
	} else {
		if (!dev->ops->uncounted)
			old->counted--;
		WRITE_ONCE(old->range[i].dev, NULL);
		synchronize_srcu_expedited(&kvm->srcu);
	}
	kvm_io_dev_destroy(dev);
	return 0;
}

/**
 * kvm_io_bus_vm_destroy() - the VM ends: all devices with it
 * @kvm: the VM; no vCPU runs, no ioctl is under way
 */
void kvm_io_bus_vm_destroy(struct kvm *kvm)
{
	struct kvm_io_bus *bus;
	int i, j;

	for (i = 0; i < KVM_NR_BUSES; i++) {
		bus = rcu_dereference_protected(kvm->buses[i], true);
		RCU_INIT_POINTER(kvm->buses[i], NULL);
		for (j = 0; bus && j < bus->nr; j++)
			kvm_io_dev_destroy(bus->range[j].dev);
		kvfree(bus);
	}
}
