/* SPDX-License-Identifier: GPL-2.0 */
/*
 * irq.h - interrupts: who says what to whom
 *
 *	devices in userspace	KVM_IRQ_LINE, KVM_SIGNAL_MSI, irqfd
 *	      |
 *	      v
 *	irq.c			a GSI's routes: pins of the PICs and the I/O APIC, MSIs
 *	      |		\	 \
 *	      v		 v	  v
 *	irqchip.c: i8259.c  ioapic.c  (MSI)	i8254.c drives GSI 0
 *	      |		 |	  |
 *	      |		 v	  v
 *	      |		struct kvm_lapic_irq: an interrupt message
 *	      v			  |
 *	ExtINT (LINT0)		  v
 *	      +----------->	lapic.c: one for each vCPU; IRR, ISR, the timer
 *				  |
 *				  v
 *				x86.c: kvm_cpu_has_interrupt(), kvm_cpu_get_interrupt()
 *
 * i8259.c, ioapic.c, i8254.c and lapic.c are pure cores: registers, rules, a few
 * hooks; no lock, no kernel service.  irqchip.c and apic.c bind them to a VM and
 * to a vCPU, and own the locks.
 *
 * Locks, inside those of kvm_host.h:
 *
 *	kvm->irq_lock		(mutex) changes of routes, irqfds, notifiers
 *	kvm->irq_srcu		read side: the routing table stays
 *	pic->lock, ioapic->lock	(spinlock, interrupts off) each chip's state; the
 *				I/O APIC's is taken before the PIC's never, and
 *				no LAPIC is locked: its IRR is set with atomic bits
 */
#ifndef MINIKVM_IRQ_H
#define MINIKVM_IRQ_H

#include <linux/kvm.h>

#include "kvm_host.h"
#include "lapic.h"

#define KVM_NR_PIC_PINS		16
#define KVM_NR_IOAPIC_PINS	24

/* Who holds a line up: a line is high while any of them holds it. */
#define KVM_USERSPACE_IRQ_SOURCE_ID		0
#define KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID	1
#define KVM_PIT_IRQ_SOURCE_ID			2
#define KVM_NR_IRQ_SOURCES			3

#define KVM_PIT_GSI	0	/* the PIT's interrupt */

enum kvm_irqchip_mode {
	KVM_IRQCHIP_NONE,
	KVM_IRQCHIP_KERNEL,	/* PICs, I/O APIC, local APICs, maybe a PIT */
	KVM_IRQCHIP_SPLIT,	/* local APICs here, the rest in userspace */
};

struct kvm_lapic;		/* apic.c */

/* ---- irq.c: routing ---- */

int kvm_irq_vm_init(struct kvm *kvm);
void kvm_irq_vm_destroy(struct kvm *kvm);
enum kvm_irqchip_mode kvm_irqchip_mode(struct kvm *kvm);
static inline bool irqchip_in_kernel(struct kvm *kvm)
{
	return kvm_irqchip_mode(kvm) != KVM_IRQCHIP_NONE;	/* local APICs are */
}

int kvm_vm_ioctl_create_irqchip(struct kvm *kvm);
int kvm_enable_split_irqchip(struct kvm *kvm, u64 nr_user_pins);
int kvm_set_gsi_routing(struct kvm *kvm, const void __user *user);
int kvm_vm_ioctl_irq_line(struct kvm *kvm, struct kvm_irq_level *irq, bool line_status);
int kvm_send_userspace_msi(struct kvm *kvm, const struct kvm_msi *msi);
/*
 * Raise or lower a GSI for one source.  Process or atomic context.
 * > 0: delivered to so many CPUs, 0: coalesced, < 0: ignored (masked, no route).
 */
int kvm_set_irq(struct kvm *kvm, int source, u32 gsi, int level, bool line_status);
/* The same for an edge, if that can be done with interrupts off; else -EWOULDBLOCK. */
int kvm_set_irq_inatomic(struct kvm *kvm, u32 gsi);

/**
 * struct kvm_irq_ack_notifier - somebody who waits for a GSI's EOI
 * @link:	in kvm->irq_ack_notifiers
 * @gsi:	which one
 * @irq_acked:	called in any context but NMI, without a chip's lock: it may call kvm_set_irq()
 */
struct kvm_irq_ack_notifier {
	struct hlist_node link;
	u32 gsi;
	void (*irq_acked)(struct kvm_irq_ack_notifier *notifier);
};

/* These two sleep; unregister returns when the function runs nowhere any more. */
void kvm_register_irq_ack_notifier(struct kvm *kvm, struct kvm_irq_ack_notifier *notifier);
void kvm_unregister_irq_ack_notifier(struct kvm *kvm, struct kvm_irq_ack_notifier *notifier);
/* The GSI that leads to this pin, or -1.  Any context but NMI. */
int kvm_irq_pin_gsi(struct kvm *kvm, unsigned int irqchip, unsigned int pin);
/* Does anybody wait for the EOI of what this pin delivers?  Any context. */
bool kvm_irq_has_notifier(struct kvm *kvm, unsigned int irqchip, unsigned int pin);
/*
 * An EOI of the LAPIC or a PIC for this pin: tell resampling irqfds and the PIT.
 * No chip's lock is held.  A slave PIC's pins are 0..7 or 8..15, as the caller likes.
 */
void kvm_notify_acked_irq(struct kvm *kvm, unsigned int irqchip, unsigned int pin);
/* Which vectors' EOIs the I/O APIC (ours or the userspace one) wants to hear of. */
void kvm_scan_ioapic_routes(struct kvm_vcpu *vcpu, unsigned long *handled_vectors);

/* The interrupt that the vCPU would take next.  Loaded vCPU. */
bool kvm_cpu_has_extint(struct kvm_vcpu *vcpu);
bool kvm_cpu_has_interrupt(struct kvm_vcpu *vcpu);
bool kvm_cpu_has_injectable(struct kvm_vcpu *vcpu);	/* ... that hardware will not deliver */
int kvm_cpu_get_interrupt(struct kvm_vcpu *vcpu);	/* acknowledges; -1: none */

/* ---- irqchip.c: PICs and I/O APIC of a VM; pit.c: its PIT ---- */

int kvm_irqchip_create(struct kvm *kvm);	/* PICs and I/O APIC, on the I/O buses */
void kvm_irqchip_destroy(struct kvm *kvm);
int kvm_vm_ioctl_get_irqchip(struct kvm *kvm, struct kvm_irqchip *chip);
int kvm_vm_ioctl_set_irqchip(struct kvm *kvm, const struct kvm_irqchip *chip);
int kvm_pic_set_irq(struct kvm *kvm, unsigned int pin, int source, int level);
int kvm_ioapic_set_irq(struct kvm *kvm, unsigned int pin, int source, int level, bool line_status);
int kvm_pic_read_irq(struct kvm *kvm);		/* INTA: the vector */
bool kvm_pic_output(struct kvm *kvm);		/* INTR is up */
void kvm_ioapic_update_eoi(struct kvm_vcpu *vcpu, int vector, bool level_triggered);
void kvm_ioapic_scan(struct kvm_vcpu *vcpu, unsigned long *handled_vectors);

int kvm_vm_ioctl_create_pit(struct kvm *kvm, const struct kvm_pit_config *config);
int kvm_vm_ioctl_get_pit(struct kvm *kvm, struct kvm_pit_state2 *state);	/* PIT and PIT2 */
int kvm_vm_ioctl_set_pit(struct kvm *kvm, const struct kvm_pit_state2 *state, bool pit2);
int kvm_vm_ioctl_reinject(struct kvm *kvm, const struct kvm_reinject_control *control);
void kvm_pit_destroy(struct kvm *kvm);
void kvm_pit_unmasked(struct kvm *kvm);		/* irqchip.c: GSI 0 was masked */
void kvm_pit_irqchip_set(struct kvm *kvm);	/* irqchip.c: KVM_SET_IRQCHIP */

/* ---- apic.c: the local APIC of a vCPU ---- */

int kvm_apic_vcpu_create(struct kvm_vcpu *vcpu);	/* 0 also if the VM has none */
void kvm_apic_vcpu_destroy(struct kvm_vcpu *vcpu);
void kvm_apic_vcpu_reset(struct kvm_vcpu *vcpu, bool init);

static inline bool lapic_in_kernel(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.apic;
}

void kvm_apic_vm_init(struct kvm *kvm);
void kvm_apic_vm_destroy(struct kvm *kvm);

/*
 * Deliver a message to all CPUs that it names.  Any context but NMI.
 * > 0: to so many; 0: all had it pending already; -1: there is no such CPU.
 */
int kvm_irq_delivery_to_apic(struct kvm *kvm, struct kvm_vcpu *src,
			     const struct kvm_lapic_irq *irq);
/* Deliver this to this vCPU's APIC.  1, or 0: coalesced. */
int kvm_apic_set_irq(struct kvm_vcpu *vcpu, const struct kvm_lapic_irq *irq);
/* Is this vCPU among those that the message names?  (Lowest priority: could it be?) */
bool kvm_apic_match_dest(struct kvm_vcpu *vcpu, const struct kvm_lapic_irq *irq);
/* Is the vector in ISR or IRR: will its EOI come?  Any context. */
bool kvm_apic_pending_eoi(struct kvm_vcpu *vcpu, int vector);
bool kvm_apic_sw_enabled(struct kvm_vcpu *vcpu);	/* it accepts fixed interrupts */
bool kvm_apic_eoi_is_private(struct kvm_vcpu *vcpu);	/* nobody waits for the next one */
void kvm_apic_eoi(struct kvm_vcpu *vcpu);		/* made in pv.c's way */
bool kvm_apic_accept_pic_intr(struct kvm_vcpu *vcpu);	/* is LINT0 open for ExtINT? */
int kvm_apic_has_interrupt(struct kvm_vcpu *vcpu);	/* vector above PPR, or -1 */
int kvm_apic_ack_interrupt(struct kvm_vcpu *vcpu);	/* IRR to ISR: vector, or -1 */
/* LINT0 of every vCPU as the PIT's NMI watchdog uses it. */
void kvm_apic_local_deliver_nmi_wd(struct kvm *kvm);
/* KVM_REQ_* of the APIC: timer expired, INIT, SIPI.  Loaded vCPU. */
void kvm_apic_accept_events(struct kvm_vcpu *vcpu);
bool kvm_apic_has_events(struct kvm_vcpu *vcpu);	/* INIT or SIPI waits */
void kvm_apic_set_pending_sipi(struct kvm_vcpu *vcpu);	/* KVM_SET_MP_STATE */
void kvm_apic_set_sipi_vector(struct kvm_vcpu *vcpu, u8 vector);	/* KVM_SET_VCPU_EVENTS */
bool kvm_apic_timer_pending(struct kvm_vcpu *vcpu);
void kvm_apic_inject_pending_timer(struct kvm_vcpu *vcpu);

/* MMIO at apic_base (true: it was ours), MSRs 0x800.., APIC_BASE, TSC_DEADLINE, CR8. */
bool kvm_apic_mmio_in_range(struct kvm_vcpu *vcpu, gpa_t gpa);
void kvm_apic_mmio_read(struct kvm_vcpu *vcpu, gpa_t gpa, void *data, unsigned int len);
void kvm_apic_mmio_write(struct kvm_vcpu *vcpu, gpa_t gpa, const void *data, unsigned int len);
int kvm_x2apic_msr_read(struct kvm_vcpu *vcpu, u32 msr, u64 *data);	/* 0, or 1: #GP */
int kvm_x2apic_msr_write(struct kvm_vcpu *vcpu, u32 msr, u64 data);
void kvm_apic_set_base(struct kvm_vcpu *vcpu, u64 old, u64 new);	/* checked already */
u64 kvm_apic_get_tscdeadline(struct kvm_vcpu *vcpu);
void kvm_apic_set_tscdeadline(struct kvm_vcpu *vcpu, u64 data);
void kvm_apic_set_tpr(struct kvm_vcpu *vcpu, unsigned long cr8);
unsigned long kvm_apic_get_cr8(struct kvm_vcpu *vcpu);
void kvm_apic_note_cr8(struct kvm_vcpu *vcpu, unsigned long cr8);
unsigned int kvm_apic_masked_class(struct kvm_vcpu *vcpu);
hpa_t kvm_apic_page(struct kvm_vcpu *vcpu);
void kvm_apic_get_apicv(struct kvm_vcpu *vcpu, struct kvm_apicv *v);
void kvm_apic_eoi_done(struct kvm_vcpu *vcpu, u8 vector);
void kvm_apic_write_done(struct kvm_vcpu *vcpu, unsigned int offset);
int kvm_vcpu_ioctl_get_lapic(struct kvm_vcpu *vcpu, struct kvm_lapic_state *s);
int kvm_vcpu_ioctl_set_lapic(struct kvm_vcpu *vcpu, const struct kvm_lapic_state *s);
void kvm_apic_cpuid_changed(struct kvm_vcpu *vcpu);
int kvm_vcpu_ioctl_set_vapic_addr(struct kvm_vcpu *vcpu, u64 addr);
/* Around each entry; kvm->srcu held, may sleep.  Nothing to do for most guests. */
void kvm_apic_write_vapic(struct kvm_vcpu *vcpu);
void kvm_apic_read_vapic(struct kvm_vcpu *vcpu);
/* Around each stay in the guest. */
static inline void kvm_apic_sync_to_vapic(struct kvm_vcpu *vcpu)
{
	if (unlikely(vcpu->arch.vapic_addr))
		kvm_apic_write_vapic(vcpu);
}

static inline void kvm_apic_sync_from_vapic(struct kvm_vcpu *vcpu)
{
	if (unlikely(vcpu->arch.vapic_addr))
		kvm_apic_read_vapic(vcpu);
}

/* KVM_NMI, LINT0/LINT1, or a guest's ICR: an NMI for this vCPU.  Any context but NMI. */
void kvm_inject_nmi(struct kvm_vcpu *vcpu);
void kvm_process_nmi(struct kvm_vcpu *vcpu);	/* KVM_REQ_NMI */
void kvm_vcpu_scan_ioapic(struct kvm_vcpu *vcpu);	/* KVM_REQ_SCAN_IOAPIC */
void kvm_apic_tsc_changed(struct kvm_vcpu *vcpu);	/* offset or rate */

/* ---- iobus.c: who answers a port or an address in the kernel ---- */

struct kvm_io_device;

/**
 * struct kvm_io_device_ops - a device on a bus
 * @read, @write: 0: done; -EOPNOTSUPP: not for me, ask the next.  kvm->srcu is held;
 *	the vCPU is loaded, preemption on.  NULL: never for me.
 * @destructor: the VM ends, or the device was unregistered; a grace period later.
 *	NULL: the owner frees it.
 * @uncounted: does not count against NR_IOBUS_DEVS: an ioeventfd
 */
struct kvm_io_device_ops {
	int (*read)(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
		    void *val);
	int (*write)(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
		     const void *val);
	void (*destructor)(struct kvm_io_device *dev);
	bool uncounted;
};

struct kvm_io_device {
	const struct kvm_io_device_ops *ops;
};

int kvm_io_bus_vm_init(struct kvm *kvm);
void kvm_io_bus_vm_destroy(struct kvm *kvm);
/* kvm->slots_lock held */
int kvm_io_bus_register_dev(struct kvm *kvm, enum kvm_bus bus, gpa_t addr, u64 len,
			    struct kvm_io_device *dev);
int kvm_io_bus_unregister_dev(struct kvm *kvm, enum kvm_bus bus, struct kvm_io_device *dev);
/* 0: a device did it; -EOPNOTSUPP: it is userspace's.  kvm->srcu held. */
int kvm_io_bus_read(struct kvm_vcpu *vcpu, enum kvm_bus bus, gpa_t addr, int len, void *val);
int kvm_io_bus_write(struct kvm_vcpu *vcpu, enum kvm_bus bus, gpa_t addr, int len,
		     const void *val);

/* ---- eventfd.c: irqfd and ioeventfd; coalesced_mmio.c ---- */

void kvm_eventfd_vm_init(struct kvm *kvm);
void kvm_irqfd_release(struct kvm *kvm);
int kvm_irqfd(struct kvm *kvm, const struct kvm_irqfd *args);
int kvm_ioeventfd(struct kvm *kvm, const struct kvm_ioeventfd *args);
int kvm_irqfd_init(void);
void kvm_irqfd_exit(void);

int kvm_coalesced_mmio_init(struct kvm *kvm);	/* the ring is a page of its own */
void kvm_coalesced_mmio_free(struct kvm *kvm);
int kvm_vm_ioctl_register_coalesced_mmio(struct kvm *kvm, const struct kvm_coalesced_mmio_zone *z);
int kvm_vm_ioctl_unregister_coalesced_mmio(struct kvm *kvm,
					   const struct kvm_coalesced_mmio_zone *z);

#endif
