// SPDX-License-Identifier: GPL-2.0
/*
 * irq.c - which wires lead where: GSIs, their routes, and what a vCPU takes next
 *
 * A device model does not know interrupt controllers.  It raises a GSI ("global
 * system interrupt", ACPI's word for a number for each wire), and a table that the
 * VMM gave us says what that means:
 *
 *	GSI --> a pin of the master PIC, the slave PIC and/or the I/O APIC
 *	    \-> or one MSI: an address and a data word, as a PCI device writes them
 *
 * One GSI may go to one pin of each chip, because on a PC both the PICs and the I/O
 * APIC see the wire, and the guest masks those that it does not use.
 *
 * Two ways lead back.  When a guest ends a level-triggered interrupt, the chip
 * tells pin and chip number, and the table turned round gives the GSI; whoever
 * registered for that GSI's EOI is called: an irqfd that samples its line again, the
 * PIT that counts its ticks.  With a split irqchip the I/O APIC is in the VMM, which
 * must hear of EOIs too: kvm_scan_ioapic_routes() says of which.
 *
 * Locks.  The table is never changed, only replaced: under kvm->irq_lock, with
 * readers under kvm->irq_srcu, whose read side may be entered in any context.  An
 * interrupt that is on its way while the table is replaced goes by the old one or
 * the new one, entirely.  After KVM_SET_GSI_ROUTING has returned nothing goes by the
 * old one.  kvm->lock guards the one change of irqchip_mode.
 *
 * Left out: the routes of other architectures and hypervisors (adapters, Hyper-V's
 * SINTs, Xen's event channels).
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/apicdef.h>
#include <asm/msi.h>

#include "irq.h"

/**
 * struct kvm_irq_routing_table - all routes of a VM, immutable
 * @pin_gsi:	what leads to this pin of this chip, -1: nothing
 * @first:	routes of GSI n are @routes[@first[n]] up to before @routes[@first[n + 1]]
 * @routes:	by GSI
 */
struct kvm_irq_routing_table {
	s16 pin_gsi[KVM_NR_IRQCHIPS][KVM_NR_IOAPIC_PINS];
	u16 first[KVM_MAX_IRQ_ROUTES + 1];
	struct kvm_irq_routing_entry routes[];
};

#define KVM_PINS_PER_PIC	8

/* ---- making tables ---- */

/* In x2APIC format the high address word is bits 31:8 of the destination, no more. */
static bool kvm_msi_is_valid(struct kvm *kvm, u32 address_hi)
{
	return !READ_ONCE(kvm->arch.x2apic_format) || !(address_hi & 0xff);
}

static bool kvm_route_is_valid(struct kvm *kvm, const struct kvm_irq_routing_entry *route)
{
	if (route->gsi >= KVM_MAX_IRQ_ROUTES)
		return false;
	switch (route->type) {
	case KVM_IRQ_ROUTING_MSI:
		/* A device id is for architectures that translate MSIs; it is not looked at. */
		return !(route->flags & ~KVM_MSI_VALID_DEVID) &&
		       kvm_msi_is_valid(kvm, route->u.msi.address_hi);
	case KVM_IRQ_ROUTING_IRQCHIP:
		if (route->flags || kvm_irqchip_mode(kvm) == KVM_IRQCHIP_SPLIT)
			return false;
		switch (route->u.irqchip.irqchip) {
		case KVM_IRQCHIP_PIC_MASTER:
		case KVM_IRQCHIP_PIC_SLAVE:
			return route->u.irqchip.pin < KVM_PINS_PER_PIC;
		case KVM_IRQCHIP_IOAPIC:
			return route->u.irqchip.pin < KVM_NR_IOAPIC_PINS;
		}
	}
	return false;
}

/* Routes of one GSI: one MSI, or pins of different chips. */
static bool kvm_routes_conflict(const struct kvm_irq_routing_entry *a,
				const struct kvm_irq_routing_entry *b)
{
	return a->type != KVM_IRQ_ROUTING_IRQCHIP || b->type != KVM_IRQ_ROUTING_IRQCHIP ||
	       a->u.irqchip.irqchip == b->u.irqchip.irqchip;
}

/* Put a route behind those that its GSI has; table->first is complete. */
static int kvm_table_insert(struct kvm_irq_routing_table *table, u16 *used,
			    const struct kvm_irq_routing_entry *route)
{
	struct kvm_irq_routing_entry *slot = &table->routes[table->first[route->gsi]];
	int i;

	for (i = 0; i < used[route->gsi]; i++) {
		if (kvm_routes_conflict(&slot[i], route))
			return -EINVAL;
	}
	slot[i] = *route;
	used[route->gsi]++;
	if (route->type == KVM_IRQ_ROUTING_IRQCHIP)
		table->pin_gsi[route->u.irqchip.irqchip][route->u.irqchip.pin] = route->gsi;
	return 0;
}

/* @used: zeroed, one for each GSI. */
static int kvm_table_fill(struct kvm *kvm, struct kvm_irq_routing_table *table, u16 *used,
			  const struct kvm_irq_routing_entry *routes, unsigned int nr)
{
	unsigned int i, sum = 0;
	int r;

	memset(table->pin_gsi, -1, sizeof(table->pin_gsi));
	for (i = 0; i < nr; i++) {
		if (!kvm_route_is_valid(kvm, &routes[i]))
			return -EINVAL;
		table->first[routes[i].gsi]++;	/* a count, for now */
	}
	for (i = 0; i <= KVM_MAX_IRQ_ROUTES; i++) {
		unsigned int count = table->first[i];

		table->first[i] = sum;
		sum += count;
	}
	for (i = 0; i < nr; i++) {
		r = kvm_table_insert(table, used, &routes[i]);
		if (r)
			return r;
	}
	return 0;
}

static struct kvm_irq_routing_table *
kvm_make_table(struct kvm *kvm, const struct kvm_irq_routing_entry *routes, unsigned int nr)
{
	struct kvm_irq_routing_table *table;
	u16 *used;
	int r = -ENOMEM;

	used = kcalloc(KVM_MAX_IRQ_ROUTES, sizeof(*used), GFP_KERNEL_ACCOUNT);
	table = kvzalloc(struct_size(table, routes, nr), GFP_KERNEL_ACCOUNT);
	if (used && table)
		r = kvm_table_fill(kvm, table, used, routes, nr);
	kfree(used);
	if (!r)
		return table;
	kvfree(table);
	return ERR_PTR(r);
}

/*
 * Which EOIs the I/O APIC's side wants to hear of depends on the routes and on the
 * notifiers: the vCPUs are to ask again.
 */
static void kvm_routes_changed(struct kvm *kvm)
{
	if (irqchip_in_kernel(kvm))
		kvm_make_all_cpus_request(kvm, KVM_REQ_SCAN_IOAPIC);
}

static int kvm_set_routes(struct kvm *kvm, const struct kvm_irq_routing_entry *routes,
			  unsigned int nr)
{
	struct kvm_irq_routing_table *new, *old;

	new = kvm_make_table(kvm, routes, nr);
	if (IS_ERR(new))
		return PTR_ERR(new);
	mutex_lock(&kvm->irq_lock);
	old = rcu_dereference_protected(kvm->irq_routing, lockdep_is_held(&kvm->irq_lock));
	rcu_assign_pointer(kvm->irq_routing, new);
	mutex_unlock(&kvm->irq_lock);
	kvm_routes_changed(kvm);
	synchronize_srcu_expedited(&kvm->irq_srcu);
	kvfree(old);
	return 0;
}

static struct kvm_irq_routing_entry kvm_pin_route(u32 gsi, u32 irqchip, u32 pin)
{
	return (struct kvm_irq_routing_entry) {
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = irqchip, .pin = pin },
	};
}

/* A PC's: GSIs 0 to 15 are the ISA interrupts, seen by both kinds of chip. */
static int kvm_set_default_routes(struct kvm *kvm)
{
	struct kvm_irq_routing_entry *routes;
	unsigned int gsi, nr = 0;
	int r;

	routes = kcalloc(KVM_NR_PIC_PINS + KVM_NR_IOAPIC_PINS, sizeof(*routes),
			 GFP_KERNEL_ACCOUNT);
	if (!routes)
		return -ENOMEM;
	for (gsi = 0; gsi < KVM_NR_IOAPIC_PINS; gsi++) {
		routes[nr++] = kvm_pin_route(gsi, KVM_IRQCHIP_IOAPIC, gsi);
		if (gsi >= KVM_NR_PIC_PINS)
			continue;
		routes[nr++] = kvm_pin_route(gsi, gsi < KVM_PINS_PER_PIC ?
					     KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
					     gsi % KVM_PINS_PER_PIC);
	}
	r = kvm_set_routes(kvm, routes, nr);
	kfree(routes);
	return r;
}

/**
 * kvm_irq_vm_init() - a new VM: no interrupt controllers, no routes
 * @kvm: the VM
 *
 * Return: 0 or -ENOMEM, with nothing left behind.
 */
int kvm_irq_vm_init(struct kvm *kvm)
{
	int r;

	mutex_init(&kvm->irq_lock);
	INIT_HLIST_HEAD(&kvm->irq_ack_notifiers);
	r = init_srcu_struct(&kvm->irq_srcu);
	if (r)
		return r;
	r = kvm_set_routes(kvm, NULL, 0);
	if (r)
		cleanup_srcu_struct(&kvm->irq_srcu);
	return r;
}

/**
 * kvm_irq_vm_destroy() - the mirror image of kvm_irq_vm_init()
 * @kvm: the VM; its chips and irqfds are gone
 */
void kvm_irq_vm_destroy(struct kvm *kvm)
{
	kvfree(rcu_dereference_protected(kvm->irq_routing, true));
	cleanup_srcu_struct(&kvm->irq_srcu);
}

/**
 * kvm_set_gsi_routing() - KVM_SET_GSI_ROUTING: replace all routes
 * @kvm: the VM
 * @user: struct kvm_irq_routing and its entries
 *
 * Return: 0; -EINVAL without local APICs in the kernel or for a route that cannot
 * be; -EFAULT, -ENOMEM.  On an error the old routes stay.
 */
int kvm_set_gsi_routing(struct kvm *kvm, const void __user *user)
{
	const struct kvm_irq_routing __user *urouting = user;
	struct kvm_irq_routing_entry *routes = NULL;
	struct kvm_irq_routing routing;
	int r;

	if (copy_from_user(&routing, user, sizeof(routing)))
		return -EFAULT;
	if (!irqchip_in_kernel(kvm) || routing.nr > KVM_MAX_IRQ_ROUTES || routing.flags)
		return -EINVAL;
	if (routing.nr) {
		routes = vmemdup_user(urouting->entries, array_size(routing.nr, sizeof(*routes)));
		if (IS_ERR(routes))
			return PTR_ERR(routes);
	}
	r = kvm_set_routes(kvm, routes, routing.nr);
	kvfree(routes);
	return r;
}

/* ---- which chips there are ---- */

/**
 * kvm_irqchip_mode() - who has the interrupt controllers
 * @kvm: the VM
 *
 * Any context.  Whoever sees a mode sees all that it needs, too.
 *
 * Return: the mode; it changes once at most, before the first vCPU.
 */
enum kvm_irqchip_mode kvm_irqchip_mode(struct kvm *kvm)
{
	/* Pairs with the smp_store_release() of the two functions below. */
	return smp_load_acquire(&kvm->arch.irqchip_mode);
}
EXPORT_SYMBOL_GPL(kvm_irqchip_mode);

/**
 * kvm_vm_ioctl_create_irqchip() - KVM_CREATE_IRQCHIP: all controllers here
 * @kvm: the VM
 *
 * Return: 0, -EEXIST if the VM has local APICs already, -EINVAL if it has vCPUs,
 * -ENOMEM.
 */
int kvm_vm_ioctl_create_irqchip(struct kvm *kvm)
{
	int r = 0;

	mutex_lock(&kvm->lock);
	if (irqchip_in_kernel(kvm))
		r = -EEXIST;
	else if (kvm->created_vcpus)
		r = -EINVAL;
	if (r)
		goto out;
	r = kvm_irqchip_create(kvm);
	if (r)
		goto out;
	r = kvm_set_default_routes(kvm);
	if (r)
		kvm_irqchip_destroy(kvm);
	else	/* the chips and routes before it: kvm_irqchip_mode() */
		smp_store_release(&kvm->arch.irqchip_mode, KVM_IRQCHIP_KERNEL);
out:
	mutex_unlock(&kvm->lock);
	return r;
}

/**
 * kvm_enable_split_irqchip() - KVM_CAP_SPLIT_IRQCHIP: local APICs here, no more
 * @kvm: the VM
 * @nr_user_pins: the routes of GSIs below it are pins of the VMM's I/O APICs, which
 *	are told of EOIs
 *
 * Return: 0; -EINVAL for too many pins; -EEXIST if the VM has local APICs already,
 * or (as KVM has it) vCPUs.
 */
int kvm_enable_split_irqchip(struct kvm *kvm, u64 nr_user_pins)
{
	int r = 0;

	if (nr_user_pins > KVM_MAX_IRQ_ROUTES)
		return -EINVAL;
	mutex_lock(&kvm->lock);
	if (irqchip_in_kernel(kvm) || kvm->created_vcpus) {
		r = -EEXIST;
	} else {
		/* There are no routes yet: they want an irqchip. */
		kvm->arch.nr_user_ioapic_pins = nr_user_pins;
		/* The number before it: kvm_irqchip_mode(). */
		smp_store_release(&kvm->arch.irqchip_mode, KVM_IRQCHIP_SPLIT);
	}
	mutex_unlock(&kvm->lock);
	return r;
}

/* ---- from a GSI to the chips ---- */

/*
 * SDM vol. 3, 11.11 (MSI).  Address: 19:12 destination, 3 redirection hint, 2
 * logical; data: 7:0 vector, 10:8 delivery mode, 15 level-triggered.  In x2APIC
 * format bits 31:8 of the destination are in the upper address word.
 */
static void kvm_msi_to_lapic_irq(struct kvm *kvm, u32 address_lo, u32 address_hi, u32 data,
				 struct kvm_lapic_irq *irq)
{
	*irq = (struct kvm_lapic_irq) {
		.vector = data & APIC_VECTOR_MASK,
		.delivery_mode = data & APIC_MODE_MASK,
		.dest_mode = address_lo & BIT(2) ? APIC_DEST_LOGICAL : APIC_DEST_PHYSICAL,
		.level = true,
		.trig_mode = !!(data & BIT(15)),
		.shorthand = APIC_DEST_NOSHORT,
		.dest_id = (address_lo >> 12) & 0xff,
		.msi_redir_hint = address_lo & BIT(3),
	};
	if (READ_ONCE(kvm->arch.x2apic_format))
		irq->dest_id |= address_hi & 0xffffff00;
}

/* A message that names nobody was sent all the same: 0, delivered to none. */
static int kvm_send_msi(struct kvm *kvm, u32 address_lo, u32 address_hi, u32 data)
{
	struct kvm_lapic_irq irq;

	if (!kvm_msi_is_valid(kvm, address_hi))
		return -EINVAL;
	kvm_msi_to_lapic_irq(kvm, address_lo, address_hi, data, &irq);
	return max(kvm_irq_delivery_to_apic(kvm, NULL, &irq), 0);
}

static int kvm_route_set(struct kvm *kvm, const struct kvm_irq_routing_entry *route, int source,
			 int level, bool line_status)
{
	u32 pin = route->u.irqchip.pin;

	if (route->type == KVM_IRQ_ROUTING_MSI) {
		if (!level)	/* a message has no falling edge */
			return -1;
		return kvm_send_msi(kvm, route->u.msi.address_lo, route->u.msi.address_hi,
				    route->u.msi.data);
	}
	switch (route->u.irqchip.irqchip) {
	case KVM_IRQCHIP_PIC_SLAVE:
		pin += KVM_PINS_PER_PIC;
		fallthrough;
	case KVM_IRQCHIP_PIC_MASTER:
		return kvm_pic_set_irq(kvm, pin, source, level);
	}
	return kvm_ioapic_set_irq(kvm, pin, source, level, line_status);
}

/* A GSI's routes.  irq_srcu held. */
static const struct kvm_irq_routing_entry *kvm_gsi_routes(struct kvm *kvm, u32 gsi, int *nr)
{
	struct kvm_irq_routing_table *table = srcu_dereference(kvm->irq_routing, &kvm->irq_srcu);

	*nr = 0;
	if (gsi >= KVM_MAX_IRQ_ROUTES)
		return NULL;
	*nr = table->first[gsi + 1] - table->first[gsi];
	return &table->routes[table->first[gsi]];
}

/**
 * kvm_set_irq() - one source raises or lowers a GSI
 * @kvm: the VM
 * @source: KVM_..._IRQ_SOURCE_ID
 * @gsi: any number; without a route nothing happens
 * @level: 0 or 1
 * @line_status: the caller wants to know whether the interrupt was coalesced
 *
 * Any context but NMI; the chips' locks are not held.
 *
 * Return: > 0: delivered, to so many CPUs; 0: coalesced with one that waits
 * already, or to nobody; < 0: masked, or without a route.
 */
int kvm_set_irq(struct kvm *kvm, int source, u32 gsi, int level, bool line_status)
{
	const struct kvm_irq_routing_entry *route;
	int idx, nr, r, sum = -1;

	idx = srcu_read_lock(&kvm->irq_srcu);
	for (route = kvm_gsi_routes(kvm, gsi, &nr); nr; nr--, route++) {
		r = kvm_route_set(kvm, route, source, level, line_status);
		if (r >= 0)
			sum = max(sum, 0) + r;
	}
	srcu_read_unlock(&kvm->irq_srcu, idx);
	return sum;
}

/**
 * kvm_set_irq_inatomic() - an edge on a GSI, from where time is short
 * @kvm: the VM
 * @gsi: any number
 *
 * An MSI sets bits in local APICs and is done.  A chip's pin takes its lock and may
 * have much to say: that is left to a worker.
 *
 * Return: as kvm_set_irq(); -EWOULDBLOCK if it was not done, and is to be done in
 * process context.
 */
int kvm_set_irq_inatomic(struct kvm *kvm, u32 gsi)
{
	const struct kvm_irq_routing_entry *route;
	int idx, nr, r = -EWOULDBLOCK;

	idx = srcu_read_lock(&kvm->irq_srcu);
	route = kvm_gsi_routes(kvm, gsi, &nr);
	if (!nr)
		r = -1;
	else if (route->type == KVM_IRQ_ROUTING_MSI)
		r = kvm_route_set(kvm, route, KVM_USERSPACE_IRQ_SOURCE_ID, 1, false);
	srcu_read_unlock(&kvm->irq_srcu, idx);
	return r;
}

/**
 * kvm_send_userspace_msi() - KVM_SIGNAL_MSI
 * @kvm: the VM
 * @msi: from userspace, copied
 *
 * Return: how many CPUs got it; 0: none, or they all had it waiting; -EINVAL.
 */
int kvm_send_userspace_msi(struct kvm *kvm, const struct kvm_msi *msi)
{
	if (!irqchip_in_kernel(kvm) || (msi->flags & ~KVM_MSI_VALID_DEVID))
		return -EINVAL;
	return kvm_send_msi(kvm, msi->address_lo, msi->address_hi, msi->data);
}

/**
 * kvm_vm_ioctl_irq_line() - KVM_IRQ_LINE and KVM_IRQ_LINE_STATUS
 * @kvm: the VM
 * @irq: from userspace, copied; its status is set: see kvm_set_irq()
 * @line_status: of the second kind
 *
 * Return: 0, or -ENXIO without local APICs in the kernel.
 */
int kvm_vm_ioctl_irq_line(struct kvm *kvm, struct kvm_irq_level *irq, bool line_status)
{
	if (!irqchip_in_kernel(kvm))
		return -ENXIO;
	irq->status = kvm_set_irq(kvm, KVM_USERSPACE_IRQ_SOURCE_ID, irq->irq, !!irq->level,
				  line_status);
	return 0;
}

/* ---- and back: who wants to hear of EOIs ---- */

/* What leads to a pin, or -1.  irq_srcu held. */
static int kvm_pin_gsi(struct kvm *kvm, unsigned int irqchip, unsigned int pin)
{
	struct kvm_irq_routing_table *table = srcu_dereference(kvm->irq_routing, &kvm->irq_srcu);

	if (irqchip != KVM_IRQCHIP_IOAPIC)
		pin %= KVM_PINS_PER_PIC;
	if (irqchip >= KVM_NR_IRQCHIPS || pin >= KVM_NR_IOAPIC_PINS)
		return -1;
	return table->pin_gsi[irqchip][pin];
}

/**
 * kvm_irq_pin_gsi() - what leads to a pin?
 * @kvm: the VM
 * @irqchip: KVM_IRQCHIP_*
 * @pin: of that chip
 *
 * Any context but NMI.
 *
 * Return: a GSI, or -1.
 */
int kvm_irq_pin_gsi(struct kvm *kvm, unsigned int irqchip, unsigned int pin)
{
	int idx, gsi;

	idx = srcu_read_lock(&kvm->irq_srcu);
	gsi = kvm_pin_gsi(kvm, irqchip, pin);
	srcu_read_unlock(&kvm->irq_srcu, idx);
	return gsi;
}

/**
 * kvm_irq_has_notifier() - does anybody want to hear of a pin's EOI?
 * @kvm: the VM
 * @irqchip: KVM_IRQCHIP_*
 * @pin: of that chip
 *
 * Any context but NMI.
 */
bool kvm_irq_has_notifier(struct kvm *kvm, unsigned int irqchip, unsigned int pin)
{
	struct kvm_irq_ack_notifier *notifier;
	bool found = false;
	int idx, gsi;

	idx = srcu_read_lock(&kvm->irq_srcu);
	gsi = kvm_pin_gsi(kvm, irqchip, pin);
	hlist_for_each_entry_srcu(notifier, &kvm->irq_ack_notifiers, link,
				  srcu_read_lock_held(&kvm->irq_srcu)) {
		if (gsi >= 0 && notifier->gsi == gsi)
			found = true;
	}
	srcu_read_unlock(&kvm->irq_srcu, idx);
	return found;
}

/**
 * kvm_notify_acked_irq() - the guest has ended an interrupt of this pin
 * @kvm: the VM
 * @irqchip: KVM_IRQCHIP_*
 * @pin: of that chip
 *
 * Any context but NMI.  The chips' locks are not held, for a notifier will lower the
 * line.
 */
void kvm_notify_acked_irq(struct kvm *kvm, unsigned int irqchip, unsigned int pin)
{
	struct kvm_irq_ack_notifier *notifier;
	int idx, gsi;

	idx = srcu_read_lock(&kvm->irq_srcu);
	gsi = kvm_pin_gsi(kvm, irqchip, pin);
	hlist_for_each_entry_srcu(notifier, &kvm->irq_ack_notifiers, link,
				  srcu_read_lock_held(&kvm->irq_srcu)) {
		if (gsi >= 0 && notifier->gsi == gsi)
			notifier->irq_acked(notifier);
	}
	srcu_read_unlock(&kvm->irq_srcu, idx);
}

/**
 * kvm_register_irq_ack_notifier() - be called when the guest ends this interrupt
 * @kvm: the VM
 * @notifier: filled in by the caller, who keeps it till it is unregistered
 */
void kvm_register_irq_ack_notifier(struct kvm *kvm, struct kvm_irq_ack_notifier *notifier)
{
	mutex_lock(&kvm->irq_lock);
	hlist_add_head_rcu(&notifier->link, &kvm->irq_ack_notifiers);
	mutex_unlock(&kvm->irq_lock);
	kvm_routes_changed(kvm);
}

/**
 * kvm_unregister_irq_ack_notifier() - the opposite
 * @kvm: the VM
 * @notifier: not called any more when this returns
 *
 * Sleeps; irq_srcu is not held.
 */
void kvm_unregister_irq_ack_notifier(struct kvm *kvm, struct kvm_irq_ack_notifier *notifier)
{
	mutex_lock(&kvm->irq_lock);
	hlist_del_init_rcu(&notifier->link);
	mutex_unlock(&kvm->irq_lock);
	synchronize_srcu_expedited(&kvm->irq_srcu);
	kvm_routes_changed(kvm);
}

/* The pins of a userspace I/O APIC are level-triggered MSI routes. */
static void kvm_scan_split_routes(struct kvm_vcpu *vcpu, unsigned long *handled_vectors)
{
	struct kvm *kvm = vcpu->kvm;
	const struct kvm_irq_routing_entry *route;
	struct kvm_lapic_irq irq;
	int idx, nr;
	u32 gsi;

	idx = srcu_read_lock(&kvm->irq_srcu);
	for (gsi = 0; gsi < kvm->arch.nr_user_ioapic_pins; gsi++) {
		route = kvm_gsi_routes(kvm, gsi, &nr);
		if (!nr)
			continue;
		kvm_msi_to_lapic_irq(kvm, route->u.msi.address_lo, route->u.msi.address_hi,
				     route->u.msi.data, &irq);
		/* An interrupt may wait for its EOI while its route is changed. */
		if (irq.trig_mode && (kvm_apic_match_dest(vcpu, &irq) ||
				      kvm_apic_pending_eoi(vcpu, irq.vector)))
			__set_bit(irq.vector, handled_vectors);
	}
	srcu_read_unlock(&kvm->irq_srcu, idx);
}

/**
 * kvm_scan_ioapic_routes() - whose EOIs does the I/O APIC's side want to hear of?
 * @vcpu: its EOIs
 * @handled_vectors: 256 bits; those of interest are set, none is cleared
 *
 * Asked again after KVM_REQ_SCAN_IOAPIC.  The I/O APIC's pins if that is here; else
 * the routes that stand for those of the VMM.
 */
void kvm_scan_ioapic_routes(struct kvm_vcpu *vcpu, unsigned long *handled_vectors)
{
	switch (kvm_irqchip_mode(vcpu->kvm)) {
	case KVM_IRQCHIP_KERNEL:
		kvm_ioapic_scan(vcpu, handled_vectors);
		break;
	case KVM_IRQCHIP_SPLIT:
		kvm_scan_split_routes(vcpu, handled_vectors);
		break;
	case KVM_IRQCHIP_NONE:
		break;
	}
}

/* ---- what a vCPU takes next ---- */

/**
 * kvm_cpu_has_extint() - does an interrupt wait whose vector a PIC will say?
 * @vcpu: loaded vCPU
 *
 * The PIC is the kernel's, or the VMM's: then the vector came with KVM_INTERRUPT.
 * A local APIC lets it through if LINT0 is set so.
 */
bool kvm_cpu_has_extint(struct kvm_vcpu *vcpu)
{
	bool from_user = vcpu->arch.interrupt.pending;

	if (!lapic_in_kernel(vcpu))
		return from_user;
	if (!kvm_apic_accept_pic_intr(vcpu))
		return false;
	return kvm_irqchip_mode(vcpu->kvm) == KVM_IRQCHIP_KERNEL ? kvm_pic_output(vcpu->kvm)
								 : from_user;
}

/**
 * kvm_cpu_has_interrupt() - is there an interrupt that the vCPU would take?
 * @vcpu: loaded vCPU
 *
 * RFLAGS.IF and the like are not looked at.
 */
bool kvm_cpu_has_interrupt(struct kvm_vcpu *vcpu)
{
	if (kvm_cpu_has_extint(vcpu))
		return true;
	return lapic_in_kernel(vcpu) && kvm_apic_has_interrupt(vcpu) >= 0;
}

/**
 * kvm_cpu_has_injectable() - is there an interrupt that must be injected?
 * @vcpu: loaded vCPU
 *
 * Those that hardware takes from the local APIC's page by itself are not.
 */
bool kvm_cpu_has_injectable(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.apicv_active ? kvm_cpu_has_extint(vcpu) : kvm_cpu_has_interrupt(vcpu);
}

/**
 * kvm_cpu_get_interrupt() - acknowledge the interrupt that the vCPU takes
 * @vcpu: loaded vCPU
 *
 * An ExtINT goes before the local APIC's own, as LINT0 is not subject to the TPR.
 *
 * Return: the vector, or -1: none.
 */
int kvm_cpu_get_interrupt(struct kvm_vcpu *vcpu)
{
	if (kvm_cpu_has_extint(vcpu)) {
		if (lapic_in_kernel(vcpu) && kvm_irqchip_mode(vcpu->kvm) == KVM_IRQCHIP_KERNEL)
			return kvm_pic_read_irq(vcpu->kvm);
		vcpu->arch.interrupt.pending = false;
		return vcpu->arch.interrupt.nr;
	}
	if (!lapic_in_kernel(vcpu) || vcpu->arch.apicv_active)
		return -1;
	return kvm_apic_ack_interrupt(vcpu);
}
