// SPDX-License-Identifier: GPL-2.0
/*
 * routing_test - where an interrupt line or a message leads
 *
 * Guards: when interrupt controllers may be made; which routes are refused, and that
 * a refused table changes nothing; the routes of a PC before any are set; what
 * KVM_IRQ_LINE_STATUS and KVM_SIGNAL_MSI tell; messages' fields; lines that more than
 * one pin sees; and, with a split irqchip, of which EOIs userspace is told, and how
 * its PIC's interrupts come in.
 */
#include <kselftest_harness.h>

#include "irq_util.h"

#define GSI		40
#define VECTOR		0x41
#define MAX_ROUTES	4096

static int set_one(struct vm *vm, struct kvm_irq_routing_entry e)
{
	struct routes routes = { .head.nr = 1, .e[0] = e };

	return set_routes(vm, &routes);
}

static int signal_msi(struct vm *vm, u32 lo, u32 hi, u32 data)
{
	struct kvm_msi msi = { .address_lo = lo, .address_hi = hi, .data = data };
	int r = ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);

	return r < 0 ? -errno : r;
}

static int line_status(struct vm *vm, u32 gsi, u32 level)
{
	struct kvm_irq_level irq = { .irq = gsi, .level = level };
	int r = kioctlp(vm->fd, KVM_IRQ_LINE_STATUS, &irq);

	if (r)
		die("KVM_IRQ_LINE_STATUS: %s", strerror(-r));
	return irq.status;
}

static struct kvm_irqchip get_chip(struct vm *vm, u32 id)
{
	struct kvm_irqchip chip = { .chip_id = id };
	int r = kioctlp(vm->fd, KVM_GET_IRQCHIP, &chip);

	if (r)
		die("KVM_GET_IRQCHIP: %s", strerror(-r));
	return chip;
}

/* ------------------------------------------------------------- making irqchips */

TEST(capabilities)
{
	EXPECT_EQ(1, dev_cap(KVM_CAP_IRQCHIP));
	EXPECT_EQ(1, dev_cap(KVM_CAP_SPLIT_IRQCHIP));
	EXPECT_EQ(1, dev_cap(KVM_CAP_IRQ_INJECT_STATUS));
	EXPECT_EQ(1, dev_cap(KVM_CAP_SIGNAL_MSI));
	EXPECT_EQ(MAX_ROUTES, dev_cap(KVM_CAP_IRQ_ROUTING));
}

TEST(once_and_before_vcpus)
{
	struct vm *kernel = vm_new(), *split = vm_new(), *late = vm_new();

	EXPECT_EQ(0, kioctl(kernel->fd, KVM_CREATE_IRQCHIP, 0));
	EXPECT_EQ(-EEXIST, kioctl(kernel->fd, KVM_CREATE_IRQCHIP, 0));
	EXPECT_EQ(-EEXIST, vm_enable_cap(kernel, KVM_CAP_SPLIT_IRQCHIP, 24));

	EXPECT_EQ(-EINVAL, vm_enable_cap(split, KVM_CAP_SPLIT_IRQCHIP, MAX_ROUTES + 1));
	EXPECT_EQ(0, vm_enable_cap(split, KVM_CAP_SPLIT_IRQCHIP, 24));
	EXPECT_EQ(-EEXIST, vm_enable_cap(split, KVM_CAP_SPLIT_IRQCHIP, 24));
	EXPECT_EQ(-EEXIST, kioctl(split->fd, KVM_CREATE_IRQCHIP, 0));

	vcpu_new(late, 0);
	EXPECT_EQ(-EINVAL, kioctl(late->fd, KVM_CREATE_IRQCHIP, 0));
	EXPECT_EQ(-EEXIST, vm_enable_cap(late, KVM_CAP_SPLIT_IRQCHIP, 24));
	vm_free(late);
	vm_free(split);
	vm_free(kernel);
}

TEST(without_an_irqchip)
{
	struct vm *vm = vm_new();
	struct kvm_irq_level irq = {};

	EXPECT_EQ(-ENXIO, kioctlp(vm->fd, KVM_IRQ_LINE, &irq));
	EXPECT_EQ(-ENXIO, kioctlp(vm->fd, KVM_IRQ_LINE_STATUS, &irq));
	EXPECT_EQ(-EINVAL, signal_msi(vm, LAPIC_GPA, 0, VECTOR));
	EXPECT_EQ(-EINVAL, set_routes(vm, &(struct routes){}));
	vm_free(vm);
}

/* --------------------------------------------------------------------- tables */

#define PIN_ROUTE(_gsi, _chip, _pin) ((struct kvm_irq_routing_entry) {	\
	.gsi = _gsi, .type = KVM_IRQ_ROUTING_IRQCHIP,			\
	.u.irqchip = { .irqchip = _chip, .pin = _pin } })
#define MSI_ROUTE(_gsi, _hi) ((struct kvm_irq_routing_entry) {		\
	.gsi = _gsi, .type = KVM_IRQ_ROUTING_MSI,			\
	.u.msi = { .address_lo = LAPIC_GPA, .address_hi = _hi, .data = VECTOR } })

TEST(which_routes_can_be)
{
	struct vm *vm = vm_irqchip(), *split = vm_split(24);
	struct kvm_irq_routing_entry e;

	EXPECT_EQ(0, set_one(vm, PIN_ROUTE(0, KVM_IRQCHIP_PIC_MASTER, 7)));
	EXPECT_EQ(-EINVAL, set_one(vm, PIN_ROUTE(0, KVM_IRQCHIP_PIC_MASTER, 8)));
	EXPECT_EQ(0, set_one(vm, PIN_ROUTE(0, KVM_IRQCHIP_PIC_SLAVE, 7)));
	EXPECT_EQ(-EINVAL, set_one(vm, PIN_ROUTE(0, KVM_IRQCHIP_PIC_SLAVE, 8)));
	EXPECT_EQ(-EINVAL, set_one(vm, PIN_ROUTE(0, KVM_IRQCHIP_PIC_SLAVE, -1U)));
	EXPECT_EQ(0, set_one(vm, PIN_ROUTE(0, KVM_IRQCHIP_IOAPIC, 23)));
	EXPECT_EQ(-EINVAL, set_one(vm, PIN_ROUTE(0, KVM_IRQCHIP_IOAPIC, 24)));
	EXPECT_EQ(-EINVAL, set_one(vm, PIN_ROUTE(0, 3, 0)));
	EXPECT_EQ(-EINVAL, set_one(vm, PIN_ROUTE(0, -1U, 0)));
	EXPECT_EQ(0, set_one(vm, MSI_ROUTE(MAX_ROUTES - 1, 0)));
	EXPECT_EQ(-EINVAL, set_one(vm, MSI_ROUTE(MAX_ROUTES, 0)));
	EXPECT_EQ(-EINVAL, set_one(vm, MSI_ROUTE(-1U, 0)));

	/* Flags: of an MSI one is known, of the others none. */
	e = MSI_ROUTE(GSI, 0);
	e.flags = KVM_MSI_VALID_DEVID;
	EXPECT_EQ(0, set_one(vm, e));
	e.flags = 2;
	EXPECT_EQ(-EINVAL, set_one(vm, e));
	e = PIN_ROUTE(0, KVM_IRQCHIP_IOAPIC, 1);
	e.flags = 1;
	EXPECT_EQ(-EINVAL, set_one(vm, e));
	e.flags = 0;
	e.type = KVM_IRQ_ROUTING_S390_ADAPTER;
	EXPECT_EQ(-EINVAL, set_one(vm, e));
	e.type = 0;
	EXPECT_EQ(-EINVAL, set_one(vm, e));
	e.type = -1U;
	EXPECT_EQ(-EINVAL, set_one(vm, e));

	/* Without chips only messages. */
	EXPECT_EQ(-EINVAL, set_one(split, PIN_ROUTE(0, KVM_IRQCHIP_IOAPIC, 1)));
	EXPECT_EQ(0, set_one(split, MSI_ROUTE(0, 0)));
	vm_free(split);
	vm_free(vm);
}

TEST(routes_of_one_gsi)
{
	struct vm *vm = vm_irqchip();
	struct routes routes = {};

	route_pin(&routes, 5, KVM_IRQCHIP_IOAPIC, 9);
	route_pin(&routes, 5, KVM_IRQCHIP_PIC_MASTER, 5);
	route_pin(&routes, 5, KVM_IRQCHIP_PIC_SLAVE, 1);
	EXPECT_EQ(0, set_routes(vm, &routes));
	route_pin(&routes, 5, KVM_IRQCHIP_IOAPIC, 10);	/* a second pin of a chip */
	EXPECT_EQ(-EINVAL, set_routes(vm, &routes));
	routes.head.nr = 3;
	route_msi(&routes, 5, VECTOR);
	EXPECT_EQ(-EINVAL, set_routes(vm, &routes));
	routes.head.nr = 0;
	route_msi(&routes, 5, VECTOR);
	EXPECT_EQ(0, set_routes(vm, &routes));
	route_msi(&routes, 5, VECTOR + 1);
	EXPECT_EQ(-EINVAL, set_routes(vm, &routes));
	vm_free(vm);
}

TEST(sizes)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry e[MAX_ROUTES + 1];
	} *big = calloc(1, sizeof(*big));
	struct vm *vm = vm_irqchip();
	u8 *edge = vm_anon(2 * PAGE_SIZE);

	for (u32 i = 0; i <= MAX_ROUTES; i++)
		big->e[i] = MSI_ROUTE(MAX_ROUTES - 1 - i % MAX_ROUTES, 0);
	big->head.nr = MAX_ROUTES;
	EXPECT_EQ(0, kioctlp(vm->fd, KVM_SET_GSI_ROUTING, big));
	EXPECT_EQ(0, kioctlp(vm->fd, KVM_SET_GSI_ROUTING, big));
	big->head.nr = MAX_ROUTES + 1;
	EXPECT_EQ(-EINVAL, kioctlp(vm->fd, KVM_SET_GSI_ROUTING, big));
	big->head.nr = -1U;
	EXPECT_EQ(-EINVAL, kioctlp(vm->fd, KVM_SET_GSI_ROUTING, big));
	big->head.nr = 1;
	big->head.flags = 1;
	EXPECT_EQ(-EINVAL, kioctlp(vm->fd, KVM_SET_GSI_ROUTING, big));
	EXPECT_EQ(-EFAULT, kioctlp(vm->fd, KVM_SET_GSI_ROUTING, NULL));
	/* The entries are not there. */
	munmap(edge + PAGE_SIZE, PAGE_SIZE);
	edge += PAGE_SIZE - sizeof(big->head);
	*(struct kvm_irq_routing *)edge = (struct kvm_irq_routing) { .nr = 1 };
	EXPECT_EQ(-EFAULT, kioctlp(vm->fd, KVM_SET_GSI_ROUTING, edge));
	vm_free(vm);
	free(big);
}

TEST(a_refused_table_changes_nothing)
{
	struct vm *vm = vm_irqchip();
	struct routes routes = {};
	struct vcpu *vcpu;

	route_msi(&routes, GSI, VECTOR);
	ASSERT_EQ(0, set_routes(vm, &routes));
	vcpu = vcpu_waiting(vm);
	route_msi(&routes, GSI + 1, VECTOR);
	routes.e[0].gsi = GSI + 2;
	routes.e[1].gsi = MAX_ROUTES;
	ASSERT_EQ(-EINVAL, set_routes(vm, &routes));
	EXPECT_EQ(-1, line_status(vm, GSI + 2, 1));
	EXPECT_EQ(1, line_status(vm, GSI, 1));
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));
	vm_free(vm);
}

/* A line as both kinds of chip see it: which pins show it? */
TEST(a_pcs_routes)
{
	struct vm *vm = vm_irqchip();

	for (u32 gsi = 0; gsi < 24; gsi++) {
		u32 master = 0, slave = 0;

		if (gsi == 2)	/* the slave's wire to the master */
			continue;
		irq_line(vm, gsi, 1);
		if (gsi < 8)
			master = 1u << gsi;
		else if (gsi < 16)
			slave = 1u << (gsi - 8);
		EXPECT_EQ(master, get_chip(vm, KVM_IRQCHIP_PIC_MASTER).chip.pic.irr &
			  (slave ? ~4u : ~0u))
			TH_LOG("GSI %u", gsi);
		EXPECT_EQ(slave, get_chip(vm, KVM_IRQCHIP_PIC_SLAVE).chip.pic.irr)
			TH_LOG("GSI %u", gsi);
		EXPECT_EQ(1u << gsi, get_chip(vm, KVM_IRQCHIP_IOAPIC).chip.ioapic.irr)
			TH_LOG("GSI %u", gsi);
		irq_line(vm, gsi, 0);
		/* A new VM: an edge stays in a chip till somebody takes it. */
		vm_free(vm);
		vm = vm_irqchip();
	}
	EXPECT_EQ(-1, line_status(vm, 24, 1));
	vm_free(vm);
}

/* ------------------------------------------------------------------- messages */

TEST(status_of_a_line)
{
	struct vm *vm = vm_irqchip();
	struct routes routes = {};
	struct vcpu *vcpu;

	route_msi(&routes, GSI, VECTOR);
	route_pin(&routes, 20, KVM_IRQCHIP_IOAPIC, 20);
	ASSERT_EQ(0, set_routes(vm, &routes));
	vcpu = vcpu_waiting(vm);
	EXPECT_EQ(1, line_status(vm, GSI, 1));
	/* One of them waits already, which the stock module does not tell. */
	EXPECT_EQ(dev_is_stock(), line_status(vm, GSI, 1));
	EXPECT_EQ(-1, line_status(vm, GSI, 0));		/* there is no such message */
	EXPECT_EQ(-1, line_status(vm, GSI + 1, 1));
	EXPECT_EQ(-1, line_status(vm, MAX_ROUTES, 1));
	EXPECT_EQ(-1, line_status(vm, -1U, 1));
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));

	set_redirection(vm, 20, VECTOR);
	EXPECT_EQ(1, line_status(vm, 20, 1));
	EXPECT_EQ(0, line_status(vm, 20, 1));		/* it is up: no edge */
	EXPECT_EQ(2, irqs_after_run(vcpu, NULL));
	vm_free(vm);
}

TEST(signal_msi_tells_how_many)
{
	struct vm *vm = vm_irqchip();
	struct kvm_msi msi = { .address_lo = LAPIC_GPA, .data = VECTOR, .flags = 2 };
	struct vcpu *vcpu = vcpu_waiting(vm);
	u64 vector;

	EXPECT_EQ(-EINVAL, kioctlp(vm->fd, KVM_SIGNAL_MSI, &msi));
	EXPECT_EQ(1, signal_msi(vm, LAPIC_GPA, 0, VECTOR));
	EXPECT_EQ(dev_is_stock(), signal_msi(vm, LAPIC_GPA, 0, VECTOR));
	EXPECT_EQ(1, irqs_after_run(vcpu, &vector));
	EXPECT_EQ(VECTOR, vector);
	EXPECT_EQ(0, signal_msi(vm, LAPIC_GPA | 5 << 12, 0, VECTOR));	/* nobody's id */
	EXPECT_EQ(1, irqs_now(vcpu));

	/* Broadcast, and logical. */
	EXPECT_EQ(1, signal_msi(vm, LAPIC_GPA | 0xff << 12, 0, VECTOR + 1));
	EXPECT_EQ(2, irqs_after_run(vcpu, &vector));
	EXPECT_EQ(VECTOR + 1, vector);
	EXPECT_EQ(0, signal_msi(vm, LAPIC_GPA | 0x80 << 12 | 4, 0, VECTOR));
	EXPECT_EQ(1, signal_msi(vm, LAPIC_GPA | 0x81 << 12 | 4, 0, VECTOR + 2));
	EXPECT_EQ(3, irqs_after_run(vcpu, &vector));
	EXPECT_EQ(VECTOR + 2, vector);
	vm_free(vm);
}

/*
 * A message waits for STI, and the guest is in HLT then: the interrupt ends that, and
 * the window that was asked for is not to come as one more exit.
 */
TEST(a_message_before_hlt)
{
	struct vm *vm = vm_irqchip();
	struct vcpu *vcpu = vcpu_waiting(vm);
	long windows = vm_counter(vm, "irq_window_exits");

	for (u64 i = 1; i <= 20; i++) {
		EXPECT_EQ(1, signal_msi(vm, LAPIC_GPA, 0, VECTOR));
		EXPECT_EQ(i, irqs_after_run(vcpu, NULL));
	}
	/* One does come if something else ends STI's shadow before the HLT. */
	if (!dev_is_stock())
		EXPECT_GT(10, vm_counter(vm, "irq_window_exits") - windows);
	vm_free(vm);
}

TEST(a_message_is_for_one_of_many)
{
	struct vm *vm = vm_irqchip();
	struct vcpu *vcpus[3];

	for (int i = 0; i < 3; i++) {
		struct kvm_mp_state run = { KVM_MP_STATE_RUNNABLE };

		vcpus[i] = vcpu_new(vm, i);
		ASSERT_EQ(0, kioctlp(vcpus[i]->fd, KVM_SET_MP_STATE, &run));
		vcpu_long(vcpus[i], wait_for_irqs);
		EXPECT_UCALL(vcpus[i], UCALL_SYNC);
	}
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(1, signal_msi(vm, LAPIC_GPA | i << 12, 0, VECTOR));
		EXPECT_EQ(1, irqs_after_run(vcpus[i], NULL));
	}
	EXPECT_EQ(3, signal_msi(vm, LAPIC_GPA | 0xff << 12, 0, VECTOR));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(2, irqs_after_run(vcpus[i], NULL));
	/* Logical: two of them.  Lowest priority: one, whoever. */
	EXPECT_EQ(2, signal_msi(vm, LAPIC_GPA | 6 << 12 | 4, 0, VECTOR));
	EXPECT_EQ(3, irqs_after_run(vcpus[1], NULL));
	EXPECT_EQ(3, irqs_after_run(vcpus[2], NULL));
	EXPECT_EQ(1, signal_msi(vm, LAPIC_GPA | 7 << 12 | 4, 0, VECTOR | 1 << 8));
	GUEST_VAR(vm, irq_flags) |= IRQ_SPIN;
	EXPECT_EQ(9, irqs_after_run(vcpus[0], NULL) + irqs_after_run(vcpus[1], NULL) +
		  irqs_after_run(vcpus[2], NULL));
	vm_free(vm);
}

TEST(x2apic_format)
{
	struct vm *vm = vm_split(24);
	struct vcpu *vcpu;

	ASSERT_EQ(0, set_one(vm, MSI_ROUTE(GSI, 0x1ff)));	/* not looked at yet */
	ASSERT_EQ(0, vm_enable_cap(vm, KVM_CAP_X2APIC_API, KVM_X2APIC_API_USE_32BIT_IDS));
	EXPECT_EQ(-EINVAL, set_one(vm, MSI_ROUTE(GSI, 0x1ff)));
	EXPECT_EQ(0, set_one(vm, MSI_ROUTE(GSI, 0x100)));
	vcpu = vcpu_waiting(vm);
	/* CPU 0x100, which there is not. */
	EXPECT_EQ(0, line_status(vm, GSI, 1));
	EXPECT_EQ(0, signal_msi(vm, LAPIC_GPA, 0x100, VECTOR));
	EXPECT_EQ(-EINVAL, signal_msi(vm, LAPIC_GPA, 1, VECTOR));
	EXPECT_EQ(1, signal_msi(vm, LAPIC_GPA, 0, VECTOR));
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));
	vm_free(vm);
}

/* --------------------------------------------------------------- split irqchip */

TEST(userspace_hears_of_eois)
{
	struct vm *vm = vm_split(24);
	struct routes routes = {};
	struct vcpu *vcpu;

	route_msi(&routes, 3, VECTOR | MSI_LEVEL);
	route_msi(&routes, 4, VECTOR + 1);		/* an edge */
	route_msi(&routes, 24, (VECTOR + 2) | MSI_LEVEL); /* not a pin of the I/O APIC */
	ASSERT_EQ(0, set_routes(vm, &routes));
	vcpu = vcpu_waiting(vm);

	EXPECT_EQ(1, line_status(vm, 3, 1));
	EXPECT_EXIT(vcpu, KVM_EXIT_IOAPIC_EOI);
	EXPECT_EQ(VECTOR, vcpu->run->eoi.vector);
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));

	EXPECT_EQ(1, line_status(vm, 4, 1));
	EXPECT_EQ(2, irqs_after_run(vcpu, NULL));
	EXPECT_EQ(1, line_status(vm, 24, 1));
	EXPECT_EQ(3, irqs_after_run(vcpu, NULL));
	EXPECT_EQ(3, irqs_now(vcpu));

	/* Routes that are changed: the new ones count at once. */
	routes.e[1].u.msi.data |= MSI_LEVEL;
	routes.e[0].u.msi.data &= ~MSI_LEVEL;
	ASSERT_EQ(0, set_routes(vm, &routes));
	EXPECT_EQ(1, line_status(vm, 4, 1));
	EXPECT_EXIT(vcpu, KVM_EXIT_IOAPIC_EOI);
	EXPECT_EQ(VECTOR + 1, vcpu->run->eoi.vector);
	EXPECT_EQ(4, irqs_after_run(vcpu, NULL));
	EXPECT_EQ(1, line_status(vm, 3, 1));
	EXPECT_EQ(5, irqs_after_run(vcpu, NULL));
	vm_free(vm);
}

#define DIRECTED_EOI_OFFERED	0x1000000	/* of the version register */
#define DIRECTED_EOI		0x1000	/* of the spurious-vector register */

/* The guest will tell the I/O APIC itself: no exit, if it has said so. */
TEST(directed_eoi)
{
	struct vm *vm = vm_new();
	struct kvm_lapic_state lapic;
	struct routes routes = {};
	struct vcpu *vcpu;

	ASSERT_EQ(0, kioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	vcpu = vcpu_new(vm, 0);
	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_GET_LAPIC, &lapic));
	EXPECT_EQ(0, *(u32 *)&lapic.regs[0x30] & DIRECTED_EOI_OFFERED);
	vm_free(vm);

	vm = vm_split(24);
	route_msi(&routes, 3, VECTOR | MSI_LEVEL);
	ASSERT_EQ(0, set_routes(vm, &routes));
	vcpu = vcpu_waiting(vm);
	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_GET_LAPIC, &lapic));
	EXPECT_EQ(DIRECTED_EOI_OFFERED, *(u32 *)&lapic.regs[0x30] & DIRECTED_EOI_OFFERED);
	*(u32 *)&lapic.regs[LAPIC_SVR] |= DIRECTED_EOI;
	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_SET_LAPIC, &lapic));
	EXPECT_EQ(1, line_status(vm, 3, 1));
	if (dev_is_stock())		/* Linux 6.1 offers it, but exits */
		EXPECT_EXIT(vcpu, KVM_EXIT_IOAPIC_EOI);
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));
	vm_free(vm);
}

TEST(an_eoi_after_its_route_was_changed)
{
	struct vm *vm = vm_split(24);
	volatile u32 *flags = &GUEST_VAR(vm, irq_flags);
	struct routes routes = {};
	struct vcpu *vcpu;

	route_msi(&routes, 3, VECTOR | MSI_LEVEL);
	ASSERT_EQ(0, set_routes(vm, &routes));
	vcpu = vcpu_waiting(vm);
	*flags = 0;
	EXPECT_EQ(1, line_status(vm, 3, 1));
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));	/* in service */
	/* To another CPU from now on; but this one has still to end its own. */
	routes.e[0].u.msi.address_lo |= 1 << 12;
	ASSERT_EQ(0, set_routes(vm, &routes));
	*flags = IRQ_EOI | IRQ_SPIN;
	if (!dev_is_stock()) {		/* Linux has had it right since 6.14 */
		EXPECT_EXIT(vcpu, KVM_EXIT_IOAPIC_EOI);
		EXPECT_EQ(VECTOR, vcpu->run->eoi.vector);
	}
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));
	vm_free(vm);
}

#define LVT0_EXTINT	0x700

GUEST_FN static void take_extint(void)
{
	g_exc()->action = EXC_IRET;
	lapic_write(LAPIC_SVR, 0x1ff);
	g_ucall(UCALL_SYNC, 0, 0);
	lapic_write(0x350, LVT0_EXTINT);
	g_ucall(UCALL_SYNC, 1, 0);
	g_halt();
	g_ucall(UCALL_SYNC, g_exc()->count, g_exc()->vector);
	g_done();
}

TEST(an_extint_of_userspace)
{
	struct vm *vm = vm_split(24);
	struct vcpu *vcpu = vcpu_new(vm, 0);
	struct kvm_interrupt irq = { .irq = 0x77 };
	struct ucall uc;

	vcpu_long(vcpu, take_extint);
	EXPECT_UCALL(vcpu, UCALL_SYNC);
	EXPECT_UCALL(vcpu, UCALL_SYNC);
	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_INTERRUPT, &irq));
	EXPECT_EQ(-EEXIST, kioctlp(vcpu->fd, KVM_INTERRUPT, &irq));
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_EQ(1, uc.a);
	EXPECT_EQ(0x77, uc.b);
	EXPECT_UCALL(vcpu, UCALL_DONE);
	vm_free(vm);
}

TEST(no_interrupt_for_a_kernel_pic)
{
	struct vm *vm = vm_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0);
	struct kvm_interrupt irq = { .irq = 0x77 };

	EXPECT_EQ(-ENXIO, kioctlp(vcpu->fd, KVM_INTERRUPT, &irq));
	vm_free(vm);
}

TEST_HARNESS_MAIN
