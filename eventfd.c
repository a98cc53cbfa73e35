// SPDX-License-Identifier: GPL-2.0
/*
 * eventfd.c - a file descriptor in place of an ioctl or an exit: irqfd, ioeventfd
 *
 * An eventfd is a counter behind a file descriptor; writing adds to it and wakes
 * whoever waits.  It joins a VM to something that knows nothing of VMs: a vhost
 * thread in the kernel, a device model in another process.
 *
 *	irqfd		eventfd written --> an interrupt for the guest
 *	ioeventfd	guest writes an address --> eventfd signalled, no exit
 *
 * irqfd.  We wait on the eventfd with a function of our own.  The signaller calls
 * it, with interrupts off and the eventfd's lock held: an MSI is delivered there and
 * then; what leads to a chip's pin is left to a work item.
 *
 * An irqfd is an edge, unless it has a resampler.  A level-triggered line stays up
 * until its device lets go, and the one who knows when to look is the guest: it ends
 * the interrupt (EOI).  So a signal raises the GSI and it stays up; the EOI lowers
 * it, and signals a second eventfd: "look again".  If the device still wants
 * attention, its model signals the first one again.  All irqfds of a GSI share a
 * resampler, which holds the line up for all of them, as wired-OR does.
 *
 * ioeventfd.  A device on an I/O bus (iobus.c) that takes a write if address,
 * length and (if asked for) data are right.  One without a length takes writes of
 * any length.  Such a one for MMIO is on a bus of its own too, where the address alone
 * decides and the vendor can look before an instruction is decoded.
 *
 * Locks.
 *	kvm->irqfds_mutex	one assignment, removal or shutdown at a time; resamplers
 *	  eventfd's own		taken by eventfd, around irqfd_wakeup()
 *	    kvm->irqfds_lock	the list of active irqfds; interrupts off
 *	kvm->irq_srcu		read side: a resampler's list stays
 *	kvm->slots_lock		ioeventfds
 *
 * Left out: bypassing the kernel altogether (an assigned device's interrupts that the
 * IOMMU posts to a vCPU).
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "irq.h"

/* ---- irqfd ---- */

/**
 * struct irqfd_resampler - a GSI that irqfds hold up until the guest's EOI
 * @kvm:	the VM
 * @irqfds:	those of this GSI; irqfds_mutex, irq_srcu to read
 * @notifier:	calls us on an EOI; has the GSI
 * @link:	in kvm->resamplers
 */
struct irqfd_resampler {
	struct kvm *kvm;
	struct list_head irqfds;
	struct kvm_irq_ack_notifier notifier;
	struct list_head link;
};

/**
 * struct irqfd - an eventfd whose signal is an interrupt
 * @kvm:	the VM; it cannot go while this exists, see below
 * @gsi:	what a signal raises
 * @eventfd:	a reference
 * @wait:	our place in its wait queue
 * @poll:	how we got there
 * @inject:	raises @gsi in process context
 * @shutdown:	ends this irqfd
 * @link:	in kvm->irqfds while active; empty once @shutdown is queued
 * @resampler:	NULL: edge
 * @resamplefd:	a reference; signalled on EOI
 * @resampler_link: in resampler->irqfds
 *
 * Life.  It is born in kvm_irqfd_assign(), under irqfds_mutex.  Three things can
 * end it, in any order and at once: KVM_IRQFD_FLAG_DEASSIGN, the last close of the
 * eventfd (EPOLLHUP, in atomic context), the close of the VM.  Each does the same:
 * under irqfds_lock, take it off the list; whoever did that queues @shutdown.  So it
 * is queued once.  The work leaves the wait queue, after which no signal can come;
 * waits for @inject; and frees.  The close of the VM waits till all that is done, so
 * that no irqfd outlives its VM.  The other way round, the reference keeps the
 * eventfd's memory after its file is closed.
 */
struct irqfd {
	struct kvm *kvm;
	u32 gsi;
	struct eventfd_ctx *eventfd;
	wait_queue_entry_t wait;
	poll_table poll;
	struct work_struct inject;
	struct work_struct shutdown;
	struct list_head link;
	struct irqfd_resampler *resampler;
	struct eventfd_ctx *resamplefd;
	struct list_head resampler_link;
};

/* For struct irqfd's shutdown; a queue of our own, so that it can be waited for. */
static struct workqueue_struct *irqfd_cleanup_wq;

/**
 * kvm_eventfd_vm_init() - a new VM: no irqfds, no ioeventfds
 * @kvm: the VM
 */
void kvm_eventfd_vm_init(struct kvm *kvm)
{
	mutex_init(&kvm->irqfds_mutex);
	spin_lock_init(&kvm->irqfds_lock);
	INIT_LIST_HEAD(&kvm->irqfds);
	INIT_LIST_HEAD(&kvm->resamplers);
	INIT_LIST_HEAD(&kvm->ioeventfds);
}

/* Two irqfds of one GSI may be at this at once: that is no worse than two edges. */
static void irqfd_inject(struct work_struct *work)
{
	struct irqfd *irqfd = container_of(work, struct irqfd, inject);
	struct kvm *kvm = irqfd->kvm;

	if (irqfd->resampler) {
		kvm_set_irq(kvm, KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, irqfd->gsi, 1, false);
		return;
	}
	kvm_set_irq(kvm, KVM_USERSPACE_IRQ_SOURCE_ID, irqfd->gsi, 1, false);
	kvm_set_irq(kvm, KVM_USERSPACE_IRQ_SOURCE_ID, irqfd->gsi, 0, false);
}

/* irqfds_lock held: the first to come here ends it. */
static void irqfd_deactivate(struct irqfd *irqfd)
{
	lockdep_assert_held(&irqfd->kvm->irqfds_lock);
	list_del_init(&irqfd->link);
	queue_work(irqfd_cleanup_wq, &irqfd->shutdown);
}

/* The eventfd was signalled, or is closed.  Its lock is held, interrupts are off. */
static int irqfd_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct irqfd *irqfd = container_of(wait, struct irqfd, wait);
	struct kvm *kvm = irqfd->kvm;
	__poll_t events = key_to_poll(key);
	unsigned long flags;
	u64 count;

	if (events & EPOLLHUP) {
		spin_lock_irqsave(&kvm->irqfds_lock, flags);
		if (!list_empty(&irqfd->link))
			irqfd_deactivate(irqfd);
		spin_unlock_irqrestore(&kvm->irqfds_lock, flags);
	}
	if (!(events & EPOLLIN))
		return 0;
	eventfd_ctx_do_read(irqfd->eventfd, &count);
	atomic64_inc(&kvm->stat.irqfd_signals);
	if (irqfd->resampler || kvm_set_irq_inatomic(kvm, irqfd->gsi) == -EWOULDBLOCK)
		schedule_work(&irqfd->inject);
	return 1;	/* taken: there is nothing left for a reader to wake up for */
}

static void irqfd_queue_proc(struct file *file, wait_queue_head_t *queue, poll_table *poll)
{
	struct irqfd *irqfd = container_of(poll, struct irqfd, poll);

	add_wait_queue_priority(queue, &irqfd->wait);
}

/* The guest has ended the interrupt.  Any context but NMI; irq_srcu is held. */
static void irqfd_resampler_ack(struct kvm_irq_ack_notifier *notifier)
{
	struct irqfd_resampler *resampler =
		container_of(notifier, struct irqfd_resampler, notifier);
	struct kvm *kvm = resampler->kvm;
	struct irqfd *irqfd;

	kvm_set_irq(kvm, KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, notifier->gsi, 0, false);
	list_for_each_entry_srcu(irqfd, &resampler->irqfds, resampler_link,
				 srcu_read_lock_held(&kvm->irq_srcu))
		minikvm_eventfd_signal(irqfd->resamplefd);
}

static struct irqfd_resampler *irqfd_find_resampler(struct kvm *kvm, u32 gsi)
{
	struct irqfd_resampler *resampler;

	list_for_each_entry(resampler, &kvm->resamplers, link) {
		if (resampler->notifier.gsi == gsi)
			return resampler;
	}
	return NULL;
}

/* Share the GSI's resampler, or be the first.  irqfds_mutex held. */
static int irqfd_join_resampler(struct irqfd *irqfd)
{
	struct kvm *kvm = irqfd->kvm;
	struct irqfd_resampler *resampler = irqfd_find_resampler(kvm, irqfd->gsi);
	bool first = !resampler;

	if (first) {
		resampler = kzalloc(sizeof(*resampler), GFP_KERNEL_ACCOUNT);
		if (!resampler)
			return -ENOMEM;
		resampler->kvm = kvm;
		INIT_LIST_HEAD(&resampler->irqfds);
		resampler->notifier.gsi = irqfd->gsi;
		resampler->notifier.irq_acked = irqfd_resampler_ack;
		list_add(&resampler->link, &kvm->resamplers);
	}
	list_add_rcu(&irqfd->resampler_link, &resampler->irqfds);
	irqfd->resampler = resampler;
	if (first)
		kvm_register_irq_ack_notifier(kvm, &resampler->notifier);
	return 0;
}

/* The last to leave lets go of the line.  No wake-up, no inject work comes any more. */
static void irqfd_leave_resampler(struct irqfd *irqfd)
{
	struct irqfd_resampler *resampler = irqfd->resampler;
	struct kvm *kvm = irqfd->kvm;

	mutex_lock(&kvm->irqfds_mutex);
	list_del_rcu(&irqfd->resampler_link);
	synchronize_srcu_expedited(&kvm->irq_srcu);
	if (list_empty(&resampler->irqfds)) {
		list_del(&resampler->link);
		kvm_unregister_irq_ack_notifier(kvm, &resampler->notifier);
		kvm_set_irq(kvm, KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, irqfd->gsi, 0, false);
		kfree(resampler);
	}
	mutex_unlock(&kvm->irqfds_mutex);
}

static void irqfd_shutdown(struct work_struct *work)
{
	struct irqfd *irqfd = container_of(work, struct irqfd, shutdown);
	u64 count;

	/* Takes the eventfd's lock: no wake-up is under way afterwards. */
	eventfd_ctx_remove_wait_queue(irqfd->eventfd, &irqfd->wait, &count);
	flush_work(&irqfd->inject);
	if (irqfd->resampler) {
		irqfd_leave_resampler(irqfd);
		eventfd_ctx_put(irqfd->resamplefd);
	}
	eventfd_ctx_put(irqfd->eventfd);
	kfree(irqfd);
}

static bool irqfd_eventfd_is_used(struct kvm *kvm, struct eventfd_ctx *eventfd)
{
	struct irqfd *irqfd;
	bool used = false;

	spin_lock_irq(&kvm->irqfds_lock);
	list_for_each_entry(irqfd, &kvm->irqfds, link)
		used |= irqfd->eventfd == eventfd;
	spin_unlock_irq(&kvm->irqfds_lock);
	return used;
}

/*
 * irqfds_mutex is held: nobody ends an irqfd that is not complete.  @file is, too:
 * the eventfd cannot be closed meanwhile.
 */
static int irqfd_start(struct irqfd *irqfd, struct file *file)
{
	struct kvm *kvm = irqfd->kvm;
	int r;

	if (irqfd_eventfd_is_used(kvm, irqfd->eventfd))
		return -EBUSY;
	if (irqfd->resamplefd) {
		r = irqfd_join_resampler(irqfd);
		if (r)
			return r;
	}
	/* From here on we are woken.  It may have been signalled before. */
	if (vfs_poll(file, &irqfd->poll) & EPOLLIN)
		schedule_work(&irqfd->inject);
	spin_lock_irq(&kvm->irqfds_lock);
	list_add_tail(&irqfd->link, &kvm->irqfds);
	spin_unlock_irq(&kvm->irqfds_lock);
	return 0;
}

/* Take the references, or none of them. */
static int irqfd_get_eventfds(struct irqfd *irqfd, struct file *file, const struct kvm_irqfd *args)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fileget(file);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	irqfd->eventfd = ctx;
	if (!(args->flags & KVM_IRQFD_FLAG_RESAMPLE))
		return 0;
	ctx = eventfd_ctx_fdget(args->resamplefd);
	if (IS_ERR(ctx)) {
		eventfd_ctx_put(irqfd->eventfd);
		return PTR_ERR(ctx);
	}
	irqfd->resamplefd = ctx;
	return 0;
}

static int kvm_irqfd_assign(struct kvm *kvm, const struct kvm_irqfd *args)
{
	struct irqfd *irqfd;
	struct file *file;
	int r;

	irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);
	if (!irqfd)
		return -ENOMEM;
	irqfd->kvm = kvm;
	irqfd->gsi = args->gsi;
	INIT_LIST_HEAD(&irqfd->link);
	INIT_WORK(&irqfd->inject, irqfd_inject);
	INIT_WORK(&irqfd->shutdown, irqfd_shutdown);
	init_waitqueue_func_entry(&irqfd->wait, irqfd_wakeup);
	init_poll_funcptr(&irqfd->poll, irqfd_queue_proc);

	file = eventfd_fget(args->fd);
	if (IS_ERR(file)) {
		r = PTR_ERR(file);
		goto err_file;
	}
	r = irqfd_get_eventfds(irqfd, file, args);
	if (r)
		goto err_eventfds;
	mutex_lock(&kvm->irqfds_mutex);
	r = irqfd_start(irqfd, file);
	mutex_unlock(&kvm->irqfds_mutex);
	if (r)
		goto err_start;
	/* If this is the last reference: EPOLLHUP, and it is over at once. */
	fput(file);
	return 0;

err_start:
	if (irqfd->resamplefd)
		eventfd_ctx_put(irqfd->resamplefd);
	eventfd_ctx_put(irqfd->eventfd);
err_eventfds:
	fput(file);
err_file:
	kfree(irqfd);
	return r;
}

/* It is no error if there was none, as with KVM. */
static int kvm_irqfd_deassign(struct kvm *kvm, const struct kvm_irqfd *args)
{
	struct eventfd_ctx *eventfd = eventfd_ctx_fdget(args->fd);
	struct irqfd *irqfd, *next;

	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	mutex_lock(&kvm->irqfds_mutex);
	spin_lock_irq(&kvm->irqfds_lock);
	list_for_each_entry_safe(irqfd, next, &kvm->irqfds, link) {
		if (irqfd->eventfd == eventfd && irqfd->gsi == args->gsi)
			irqfd_deactivate(irqfd);
	}
	spin_unlock_irq(&kvm->irqfds_lock);
	mutex_unlock(&kvm->irqfds_mutex);
	eventfd_ctx_put(eventfd);
	/* After the ioctl a signal is no interrupt any more. */
	flush_workqueue(irqfd_cleanup_wq);
	return 0;
}

/**
 * kvm_irqfd() - KVM_IRQFD
 * @kvm: the VM
 * @args: from userspace, copied
 *
 * Return: 0; -EINVAL for unknown flags, without local APICs in the kernel (with
 * RESAMPLE: without an I/O APIC here), or if a descriptor is not an eventfd; -EBADF;
 * -EBUSY if the eventfd is an irqfd of this VM already; -ENOMEM.
 */
int kvm_irqfd(struct kvm *kvm, const struct kvm_irqfd *args)
{
	if (args->flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	if (args->flags & KVM_IRQFD_FLAG_DEASSIGN)
		return kvm_irqfd_deassign(kvm, args);
	if (!irqchip_in_kernel(kvm))
		return -EINVAL;
	if ((args->flags & KVM_IRQFD_FLAG_RESAMPLE) &&
	    kvm_irqchip_mode(kvm) != KVM_IRQCHIP_KERNEL)
		return -EINVAL;
	return kvm_irqfd_assign(kvm, args);
}

/**
 * kvm_irqfd_release() - the VM's file descriptor is closed: end all irqfds
 * @kvm: the VM, its chips still there
 *
 * vCPU descriptors may still be open, but without the VM's no irqfd can be made.
 * Sleeps until the last one is gone, those included that others are ending.
 */
void kvm_irqfd_release(struct kvm *kvm)
{
	struct irqfd *irqfd, *next;

	spin_lock_irq(&kvm->irqfds_lock);
	list_for_each_entry_safe(irqfd, next, &kvm->irqfds, link)
		irqfd_deactivate(irqfd);
	spin_unlock_irq(&kvm->irqfds_lock);
	flush_workqueue(irqfd_cleanup_wq);
}

/**
 * kvm_irqfd_init() - once, before the first VM
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_irqfd_init(void)
{
	irqfd_cleanup_wq = alloc_workqueue("minikvm-irqfd-cleanup", 0, 0);
	return irqfd_cleanup_wq ? 0 : -ENOMEM;
}

/**
 * kvm_irqfd_exit() - the mirror image of kvm_irqfd_init()
 */
void kvm_irqfd_exit(void)
{
	destroy_workqueue(irqfd_cleanup_wq);
}

/* ---- ioeventfd ---- */

/**
 * struct ioeventfd - a guest's write that signals an eventfd
 * @dev:	on the bus @bus; its destructor frees this
 * @link:	in kvm->ioeventfds
 * @eventfd:	a reference
 * @addr:	address or port
 * @length:	1, 2, 4, 8; 0: any
 * @datamatch:	only this value, unless @wildcard
 * @wildcard:	any value
 * @bus:	which one
 */
struct ioeventfd {
	struct kvm_io_device dev;
	struct list_head link;
	struct eventfd_ctx *eventfd;
	u64 addr;
	u32 length;
	u64 datamatch;
	bool wildcard;
	enum kvm_bus bus;
};

static struct ioeventfd *to_ioeventfd(struct kvm_io_device *dev)
{
	return container_of(dev, struct ioeventfd, dev);
}

static bool ioeventfd_matches(const struct ioeventfd *p, gpa_t addr, int len, const void *val)
{
	u64 data = 0;

	if (addr != p->addr)
		return false;
	if (!p->length)
		return true;
	if (len != p->length)
		return false;
	if (p->wildcard)
		return true;
	memcpy(&data, val, len);	/* len is 1 to 8, x86 is little-endian */
	return data == p->datamatch;
}

static int ioeventfd_write(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			   const void *val)
{
	struct ioeventfd *p = to_ioeventfd(dev);

	if (!ioeventfd_matches(p, addr, len, val))
		return -EOPNOTSUPP;
	vcpu->stat.ioeventfd_signals++;
	minikvm_eventfd_signal(p->eventfd);
	return 0;
}

static void ioeventfd_destroy(struct kvm_io_device *dev)
{
	struct ioeventfd *p = to_ioeventfd(dev);

	list_del(&p->link);
	eventfd_ctx_put(p->eventfd);
	kfree(p);
}

static const struct kvm_io_device_ops ioeventfd_ops = {
	.write = ioeventfd_write,
	.destructor = ioeventfd_destroy,
	.uncounted = true,
};

/* Would one write be for both?  Then which one is signalled would be chance. */
static bool ioeventfd_collides(struct kvm *kvm, const struct ioeventfd *new)
{
	struct ioeventfd *p;

	list_for_each_entry(p, &kvm->ioeventfds, link) {
		if (p->bus != new->bus || p->addr != new->addr)
			continue;
		if (!p->length || !new->length)
			return true;
		if (p->length == new->length &&
		    (p->wildcard || new->wildcard || p->datamatch == new->datamatch))
			return true;
	}
	return false;
}

/* slots_lock held */
static int ioeventfd_register(struct kvm *kvm, struct ioeventfd *p)
{
	int r;

	if (ioeventfd_collides(kvm, p))
		return -EEXIST;
	r = kvm_io_bus_register_dev(kvm, p->bus, p->addr, p->length, &p->dev);
	if (!r)
		list_add_tail(&p->link, &kvm->ioeventfds);
	return r;
}

static int ioeventfd_assign(struct kvm *kvm, enum kvm_bus bus, const struct kvm_ioeventfd *args)
{
	struct ioeventfd *p;
	int r;

	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	p->dev.ops = &ioeventfd_ops;
	p->addr = args->addr;
	p->length = args->len;
	p->datamatch = args->datamatch;
	p->wildcard = !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH);
	p->bus = bus;
	p->eventfd = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(p->eventfd)) {
		r = PTR_ERR(p->eventfd);
		kfree(p);
		return r;
	}
	r = ioeventfd_register(kvm, p);
	if (r) {
		eventfd_ctx_put(p->eventfd);
		kfree(p);
	}
	return r;
}

static int ioeventfd_deassign(struct kvm *kvm, enum kvm_bus bus, const struct kvm_ioeventfd *args)
{
	bool wildcard = !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH);
	struct eventfd_ctx *eventfd = eventfd_ctx_fdget(args->fd);
	struct ioeventfd *p;
	int r = -ENOENT;

	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	list_for_each_entry(p, &kvm->ioeventfds, link) {
		if (p->bus != bus || p->eventfd != eventfd || p->addr != args->addr ||
		    p->length != args->len || p->wildcard != wildcard ||
		    (!wildcard && p->datamatch != args->datamatch))
			continue;
		r = kvm_io_bus_unregister_dev(kvm, bus, &p->dev);
		break;
	}
	eventfd_ctx_put(eventfd);
	return r;
}

static bool ioeventfd_args_are_valid(const struct kvm_ioeventfd *args)
{
	if (args->flags & ~(KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO |
			    KVM_IOEVENTFD_FLAG_DEASSIGN))
		return false;
	if (args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN)
		return true;	/* what cannot be assigned will not be found */
	switch (args->len) {
	case 0:
		/* Data of no length: there is nothing to compare. */
		if (args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH)
			return false;
		break;
	case 1:
	case 2:
	case 4:
	case 8:
		break;
	default:
		return false;
	}
	return args->addr + args->len >= args->addr;
}

/**
 * kvm_ioeventfd() - KVM_IOEVENTFD
 * @kvm: the VM
 * @args: from userspace, copied
 *
 * Return: 0; -EINVAL for flags or a range that cannot be, or if the descriptor is
 * no eventfd; -EBADF; -EEXIST if another one would take the same writes; -ENOENT if
 * there is none to remove; -ENOSPC, -ENOMEM.
 */
int kvm_ioeventfd(struct kvm *kvm, const struct kvm_ioeventfd *args)
{
	enum kvm_bus bus = args->flags & KVM_IOEVENTFD_FLAG_PIO ? KVM_PIO_BUS : KVM_MMIO_BUS;
	bool fast = !args->len && bus == KVM_MMIO_BUS;
	int r;

	if (!ioeventfd_args_are_valid(args))
		return -EINVAL;
	mutex_lock(&kvm->slots_lock);
	if (args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN) {
		r = ioeventfd_deassign(kvm, bus, args);
		if (!r && fast)
			ioeventfd_deassign(kvm, KVM_FAST_MMIO_BUS, args);
	} else {
		r = ioeventfd_assign(kvm, bus, args);
		if (!r && fast) {
			r = ioeventfd_assign(kvm, KVM_FAST_MMIO_BUS, args);
			if (r)
				ioeventfd_deassign(kvm, bus, args);
		}
	}
	mutex_unlock(&kvm->slots_lock);
	return r;
}
