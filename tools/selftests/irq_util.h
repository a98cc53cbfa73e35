/* SPDX-License-Identifier: GPL-2.0 */
/*
 * irq_util.h - what the tests of interrupts share: VMs with an irqchip, routes, and a
 * guest that takes what comes
 *
 * The guest, wait_for_irqs(), makes a SYNC ucall, which tells how many interrupts it
 * has taken and the last vector, and then halts with interrupts enabled.  So a test
 * raises something while the guest is stopped, runs it, and sees what came.  EOIs are
 * the test's to order: IRQ_EOI in the guest's variable irq_flags.  With IRQ_SPIN it does
 * not halt, and tells again and again.
 */
#ifndef IRQ_UTIL_H
#define IRQ_UTIL_H

#include <sys/eventfd.h>

#include "minikvm_util.h"

#define LAPIC_GPA	0xfee00000UL
#define LAPIC_ID	0x20
#define LAPIC_EOI	0xb0
#define LAPIC_LDR	0xd0
#define LAPIC_SVR	0xf0
#define REDIR_LEVEL	0x8000
#define REDIR_MASKED	0x10000
#define MSI_LEVEL	0x8000

#define IRQ_EOI		1u	/* acknowledge each interrupt */
#define IRQ_SPIN	2u	/* do not halt: poll with interrupts enabled */

GUEST_DATA static volatile u32 irq_flags = IRQ_EOI;

GUEST_FN static void lapic_write(u32 reg, u32 val)
{
	*(volatile u32 *)(LAPIC_GPA + reg) = val;
}

GUEST_FN static void wait_for_irqs(void)
{
	volatile struct guest_exc *exc = g_exc();
	u64 seen = 0;

	exc->action = EXC_IRET;
	lapic_write(LAPIC_SVR, 0x1ff);
	/* Logical destination, flat: a bit for each CPU. */
	lapic_write(LAPIC_LDR, 1u << (24 + (*(volatile u32 *)(LAPIC_GPA + LAPIC_ID) >> 24)));
	for (;;) {
		g_ucall(UCALL_SYNC, exc->count, exc->vector);
		if (irq_flags & IRQ_SPIN)
			asm volatile("sti; nop; nop; cli" : : : "memory");
		else
			g_halt();
		if (irq_flags & IRQ_EOI) {
			for (; seen < exc->count; seen++)
				lapic_write(LAPIC_EOI, 0);
		}
	}
}

/* ------------------------------------------------------------------ the host's side */

struct routes {
	struct kvm_irq_routing head;
	struct kvm_irq_routing_entry e[64];
};

static inline void route_msi(struct routes *r, u32 gsi, u32 data)
{
	r->e[r->head.nr++] = (struct kvm_irq_routing_entry) {
		.gsi = gsi, .type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = LAPIC_GPA, .data = data },
	};
}

static inline void route_pin(struct routes *r, u32 gsi, u32 chip, u32 pin)
{
	r->e[r->head.nr++] = (struct kvm_irq_routing_entry) {
		.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

static inline int set_routes(struct vm *vm, struct routes *r)
{
	return kioctlp(vm->fd, KVM_SET_GSI_ROUTING, r);
}

static inline struct vm *vm_irqchip(void)
{
	struct vm *vm = vm_new();
	int ret = kioctl(vm->fd, KVM_CREATE_IRQCHIP, 0);

	if (ret)
		die("KVM_CREATE_IRQCHIP: %s", strerror(-ret));
	return vm;
}

static inline struct vm *vm_split(u32 pins)
{
	struct vm *vm = vm_new();
	int ret = vm_enable_cap(vm, KVM_CAP_SPLIT_IRQCHIP, pins);

	if (ret)
		die("KVM_CAP_SPLIT_IRQCHIP: %s", strerror(-ret));
	return vm;
}

/* A vCPU in wait_for_irqs(), at its first SYNC. */
static inline struct vcpu *vcpu_waiting(struct vm *vm)
{
	struct vcpu *vcpu = vcpu_new(vm, 0);
	struct ucall uc;

	vcpu_long(vcpu, wait_for_irqs);
	uc = vcpu_ucall(vcpu);
	if (uc.cmd != UCALL_SYNC)
		die("the guest did not come to wait for interrupts");
	return vcpu;
}

/* Run till the guest has woken up: how many interrupts has it taken by now? */
static inline u64 irqs_after_run(struct vcpu *vcpu, u64 *vector)
{
	struct ucall uc = vcpu_ucall(vcpu);

	if (uc.cmd != UCALL_SYNC)
		die("ucall %u (%#llx, %#llx) instead of a SYNC", uc.cmd,
		    (unsigned long long)uc.a, (unsigned long long)uc.b);
	if (vector)
		*vector = uc.b;
	return uc.a;
}

/* Let the guest poll a while instead of halting: what is still on its way? */
static inline u64 irqs_now(struct vcpu *vcpu)
{
	volatile u32 *flags = &GUEST_VAR(vcpu->vm, irq_flags);
	u64 n;

	*flags |= IRQ_SPIN;
	for (int i = 0; i < 20; i++) {
		n = irqs_after_run(vcpu, NULL);
		usleep(500);
	}
	*flags &= ~IRQ_SPIN;
	return n;
}

/* What the guest would write to a pin's register of the I/O APIC. */
static inline void set_redirection(struct vm *vm, int pin, u64 entry)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	int ret = kioctlp(vm->fd, KVM_GET_IRQCHIP, &chip);

	chip.chip.ioapic.redirtbl[pin].bits = entry;
	ret = ret ?: kioctlp(vm->fd, KVM_SET_IRQCHIP, &chip);
	if (ret)
		die("the I/O APIC cannot be set: %s", strerror(-ret));
}

static inline int irq_line(struct vm *vm, u32 gsi, u32 level)
{
	struct kvm_irq_level irq = { .irq = gsi, .level = level };

	return kioctlp(vm->fd, KVM_IRQ_LINE, &irq);
}

static inline int irqfd(struct vm *vm, int fd, u32 gsi, u32 flags, int resamplefd)
{
	struct kvm_irqfd args = {
		.fd = fd, .gsi = gsi, .flags = flags, .resamplefd = resamplefd,
	};

	return kioctlp(vm->fd, KVM_IRQFD, &args);
}

static inline int new_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		die("eventfd: %m");
	return fd;
}

static inline void signal_eventfd(int fd)
{
	if (write(fd, &(u64){ 1 }, sizeof(u64)) != sizeof(u64))
		die("an eventfd cannot be signalled: %m");
}

static inline u64 read_eventfd(int fd)
{
	u64 n;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

#endif
