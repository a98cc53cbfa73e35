// SPDX-License-Identifier: GPL-2.0
/*
 * irqchip_test - the PICs, the I/O APIC and the PIT, as a guest and a VMM see them
 *
 * What each register does is tested with the cores in userspace (tools/unit).  Here:
 * their ports and addresses reach them; interrupts reach a guest, also a halted one,
 * with the right vector and the right number of times; the PIT keeps time and gives
 * the guest the ticks that it owes; each chip's state goes to another VM in mid-flight
 * and goes on there; a VM may end while its PIT ticks; every errno.
 */
#include <kselftest_harness.h>

#include "irq_util.h"

#define IOAPIC_GPA	0xfec00000UL
#define LAPIC_LVT0	0x350
#define LVT_EXTINT	0x700
#define LVT_NMI		0x400
#define PIC_BASE	0x20		/* vectors of the master; the slave's follow */
#define PIT_FREQ	1193182

/* What guests are to do; each VM has its own. */
GUEST_DATA static volatile u32 pit_divisor;	/* 0: no PIT */
GUEST_DATA static volatile u32 pit_mode = 2;
GUEST_DATA static volatile u32 ticks_wanted = 1;

__guest_inline void g_outb(u16 port, u8 val)
{
	asm volatile("out %0, %1" : : "a"(val), "Nd"(port));
}

__guest_inline u8 g_inb(u16 port)
{
	u8 val;

	asm volatile("in %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

GUEST_FN static void init_pics(void)
{
	g_outb(0x20, 0x11);
	g_outb(0x21, PIC_BASE);
	g_outb(0x21, 0x04);
	g_outb(0x21, 0x01);
	g_outb(0xa0, 0x11);
	g_outb(0xa1, PIC_BASE + 8);
	g_outb(0xa1, 0x02);
	g_outb(0xa1, 0x01);
	g_outb(0x21, 0);
	g_outb(0xa1, 0);
}

GUEST_FN static void init_pit(void)
{
	if (!pit_divisor)
		return;
	g_outb(0x43, 0x30 | pit_mode << 1);
	g_outb(0x40, pit_divisor);
	g_outb(0x40, pit_divisor >> 8);
}

/* Take interrupts of the PICs, and tell after every so many. */
GUEST_FN static void pic_guest(void)
{
	g_exc()->action = EXC_IRET;
	lapic_write(LAPIC_SVR, 0x1ff);
	lapic_write(LAPIC_LVT0, LVT_EXTINT);
	init_pics();
	g_ucall(UCALL_SYNC, 0, 0);
	init_pit();
	for (;;) {
		u64 until = g_exc()->count + ticks_wanted;

		while (g_exc()->count < until) {
			u64 seen = g_exc()->count;

			if (irq_flags & IRQ_SPIN)
				asm volatile("sti; pause; cli" : : : "memory");
			else
				g_halt();
			if (!(irq_flags & IRQ_EOI))
				continue;
			for (; seen < g_exc()->count; seen++) {
				if (g_exc()->vector >= PIC_BASE + 8)
					g_outb(0xa0, 0x20);
				g_outb(0x20, 0x20);
			}
		}
		g_ucall(UCALL_SYNC, g_exc()->count, g_exc()->vector);
	}
}

/* ------------------------------------------------------------------ the host's side */

static struct vm *vm_pit(void)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct vm *vm = vm_irqchip();
	int r = kioctlp(vm->fd, KVM_CREATE_PIT2, &config);

	if (r)
		die("KVM_CREATE_PIT2: %s", strerror(-r));
	return vm;
}

static struct vcpu *start_guest(struct vm *vm, void *fn)
{
	struct vcpu *vcpu = vcpu_new(vm, 0);

	vcpu_long(vcpu, fn);
	irqs_after_run(vcpu, NULL);
	return vcpu;
}

static struct kvm_irqchip chip_get(struct vm *vm, u32 id)
{
	struct kvm_irqchip chip = { .chip_id = id };
	int r = kioctlp(vm->fd, KVM_GET_IRQCHIP, &chip);

	if (r)
		die("KVM_GET_IRQCHIP: %s", strerror(-r));
	return chip;
}

static bool remote_irr(struct vm *vm, int pin)
{
	return chip_get(vm, KVM_IRQCHIP_IOAPIC).chip.ioapic.redirtbl[pin].fields.remote_irr;
}

static void chip_set(struct vm *vm, struct kvm_irqchip chip)
{
	int r = kioctlp(vm->fd, KVM_SET_IRQCHIP, &chip);

	if (r)
		die("KVM_SET_IRQCHIP: %s", strerror(-r));
}

static struct kvm_pit_state2 pit_get(struct vm *vm)
{
	struct kvm_pit_state2 state;
	int r = kioctlp(vm->fd, KVM_GET_PIT2, &state);

	if (r)
		die("KVM_GET_PIT2: %s", strerror(-r));
	return state;
}

static void pit_set(struct vm *vm, struct kvm_pit_state2 state)
{
	int r = kioctlp(vm->fd, KVM_SET_PIT2, &state);

	if (r)
		die("KVM_SET_PIT2: %s", strerror(-r));
}

static void pulse(struct vm *vm, u32 gsi)
{
	irq_line(vm, gsi, 1);
	irq_line(vm, gsi, 0);
}

/* A vCPU of another VM becomes what this one is: memory, registers, local APIC. */
static struct vcpu *move_to(struct vcpu *from, struct vm *vm)
{
	struct kvm_lapic_state lapic;
	struct vcpu *vcpu = vcpu_new(vm, 0);
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;

	/* An exit for I/O is complete only after the next KVM_RUN has begun. */
	from->run->immediate_exit = 1;
	if (vcpu_run(from) != -EINTR)
		die("the last exit cannot be completed");
	memcpy(vm->ram, from->vm->ram, RAM_SIZE);
	memcpy(vm->guest, from->vm->guest, vm->guest_size);
	vcpu_regs(from, &regs);
	vcpu_sregs(from, &sregs);
	vcpu_events(from, &events);
	if (vcpu_set_sregs(vcpu, &sregs))
		die("sregs cannot be set");
	if (kioctlp(from->fd, KVM_GET_LAPIC, &lapic) || kioctlp(vcpu->fd, KVM_SET_LAPIC, &lapic))
		die("the local APIC cannot be moved");
	vcpu_set_regs(vcpu, &regs);
	if (vcpu_set_events(vcpu, &events))
		die("events cannot be set");
	return vcpu;
}

static void move_chips(struct vm *from, struct vm *to)
{
	for (u32 id = 0; id < KVM_NR_IRQCHIPS; id++)
		chip_set(to, chip_get(from, id));
}

/* ---------------------------------------------------------------------- errnos */

TEST(errnos)
{
	struct vm *bare = vm_new(), *vm = vm_irqchip(), *split = vm_split(24);
	struct kvm_reinject_control control = { .pit_reinject = 1 };
	struct kvm_pit_config config = {};
	struct kvm_irqchip chip = {};
	struct kvm_pit_state2 state;

	EXPECT_EQ(-ENXIO, kioctlp(bare->fd, KVM_GET_IRQCHIP, &chip));
	EXPECT_EQ(-ENXIO, kioctlp(bare->fd, KVM_SET_IRQCHIP, &chip));
	EXPECT_EQ(-ENXIO, kioctlp(split->fd, KVM_GET_IRQCHIP, &chip));
	EXPECT_EQ(-ENXIO, kioctlp(split->fd, KVM_SET_IRQCHIP, &chip));
	chip.chip_id = 3;
	EXPECT_EQ(-EINVAL, kioctlp(vm->fd, KVM_GET_IRQCHIP, &chip));
	EXPECT_EQ(-EINVAL, kioctlp(vm->fd, KVM_SET_IRQCHIP, &chip));
	EXPECT_EQ(-EFAULT, kioctlp(vm->fd, KVM_GET_IRQCHIP, NULL));
	EXPECT_EQ(-EFAULT, kioctlp(vm->fd, KVM_SET_IRQCHIP, NULL));

	EXPECT_EQ(-ENXIO, kioctlp(vm->fd, KVM_GET_PIT, &state));
	EXPECT_EQ(-ENXIO, kioctlp(vm->fd, KVM_SET_PIT, &state));
	EXPECT_EQ(-ENXIO, kioctlp(vm->fd, KVM_GET_PIT2, &state));
	EXPECT_EQ(-ENXIO, kioctlp(vm->fd, KVM_SET_PIT2, &state));
	EXPECT_EQ(-ENXIO, kioctlp(vm->fd, KVM_REINJECT_CONTROL, &control));
	if (!dev_is_stock()) {		/* 6.1 takes both, 6.12 neither */
		EXPECT_EQ(0, kioctlp(bare->fd, KVM_CREATE_PIT2, &config));
		EXPECT_EQ(-EEXIST, kioctlp(bare->fd, KVM_CREATE_PIT2, &config));
		EXPECT_EQ(-ENOENT, kioctlp(split->fd, KVM_CREATE_PIT2, &config));
	}
	EXPECT_EQ(-EFAULT, kioctlp(vm->fd, KVM_CREATE_PIT2, NULL));
	EXPECT_EQ(0, kioctlp(vm->fd, KVM_CREATE_PIT2, &config));
	EXPECT_EQ(-EEXIST, kioctlp(vm->fd, KVM_CREATE_PIT2, &config));
	EXPECT_EQ(-EEXIST, kioctl(vm->fd, KVM_CREATE_PIT, 0));
	state = pit_get(vm);
	EXPECT_EQ(0x10000, state.channels[0].count);
	state.channels[1].count = 0x10001;
	if (!dev_is_stock())
		EXPECT_EQ(-EINVAL, kioctlp(vm->fd, KVM_SET_PIT2, &state));
	EXPECT_EQ(0, kioctlp(vm->fd, KVM_REINJECT_CONTROL, &control));
	vm_free(split);
	vm_free(vm);
	vm_free(bare);
}

/* ------------------------------------------------------------------------- PICs */

TEST(pic_interrupts)
{
	struct vm *vm = vm_irqchip();
	struct vcpu *vcpu = start_guest(vm, pic_guest);
	u64 vector;

	pulse(vm, 5);
	EXPECT_EQ(1, irqs_after_run(vcpu, &vector));
	EXPECT_EQ(PIC_BASE + 5, vector);
	pulse(vm, 12);
	EXPECT_EQ(2, irqs_after_run(vcpu, &vector));
	EXPECT_EQ(PIC_BASE + 12, vector);
	EXPECT_EQ(0, chip_get(vm, KVM_IRQCHIP_PIC_MASTER).chip.pic.isr);
	EXPECT_EQ(0, chip_get(vm, KVM_IRQCHIP_PIC_SLAVE).chip.pic.isr);

	/* Two at once: the more urgent first, the other after its EOI. */
	pulse(vm, 7);
	pulse(vm, 3);
	EXPECT_EQ(3, irqs_after_run(vcpu, &vector));
	EXPECT_EQ(PIC_BASE + 3, vector);
	EXPECT_EQ(4, irqs_after_run(vcpu, &vector));
	EXPECT_EQ(PIC_BASE + 7, vector);
	vm_free(vm);
}

static void *pulse_later(void *arg)
{
	usleep(20000);
	pulse(arg, 4);
	return NULL;
}

TEST(pic_wakes_a_halted_vcpu)
{
	struct vm *vm = vm_irqchip();
	struct vcpu *vcpu = start_guest(vm, pic_guest);
	pthread_t thread;
	u64 vector;

	for (u64 i = 1; i <= 10; i++) {
		pthread_create(&thread, NULL, pulse_later, vm);
		EXPECT_EQ(i, irqs_after_run(vcpu, &vector));
		EXPECT_EQ(PIC_BASE + 4, vector);
		pthread_join(thread, NULL);
	}
	vm_free(vm);
}

GUEST_FN static void pic_ports_guest(void)
{
	u16 word;

	init_pics();
	g_outb(0x21, 0xa5);
	G_ASSERT(g_inb(0x21) == 0xa5, g_inb(0x21));
	g_outb(0xa1, 0x5a);
	G_ASSERT(g_inb(0xa1) == 0x5a, g_inb(0xa1));
	g_outb(0x4d0, 0xff);
	g_outb(0x4d1, 0xff);
	G_ASSERT(g_inb(0x4d0) == 0xf8, g_inb(0x4d0));
	G_ASSERT(g_inb(0x4d1) == 0xde, g_inb(0x4d1));
	/* Two ports at once; KVM answers 0. */
	asm volatile("in %1, %0" : "=a"(word) : "Nd"((u16)0x4d0));
	g_ucall(UCALL_SYNC, word, 0);
	g_done();
}

TEST(pic_ports)
{
	struct vm *vm = vm_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0);
	struct kvm_pic_state pic;
	struct ucall uc;

	vcpu_long(vcpu, pic_ports_guest);
	uc = vcpu_ucall(vcpu);
	ASSERT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_EQ(dev_is_stock() ? 0 : 0xdef8, uc.a);
	pic = chip_get(vm, KVM_IRQCHIP_PIC_MASTER).chip.pic;
	EXPECT_EQ(0xa5, pic.imr);
	EXPECT_EQ(PIC_BASE, pic.irq_base);
	EXPECT_EQ(0xf8, pic.elcr);
	EXPECT_EQ(0xf8, pic.elcr_mask);
	pic = chip_get(vm, KVM_IRQCHIP_PIC_SLAVE).chip.pic;
	EXPECT_EQ(0x5a, pic.imr);
	EXPECT_EQ(0xde, pic.elcr_mask);
	vm_free(vm);
}

TEST(pic_level)
{
	struct vm *vm = vm_irqchip();
	struct vcpu *vcpu = start_guest(vm, pic_guest);
	struct kvm_irqchip slave = chip_get(vm, KVM_IRQCHIP_PIC_SLAVE);

	slave.chip.pic.elcr = 1 << 2;
	chip_set(vm, slave);
	irq_line(vm, 10, 1);
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));
	EXPECT_EQ(2, irqs_after_run(vcpu, NULL));	/* still high */
	irq_line(vm, 10, 0);
	pulse(vm, 4);
	EXPECT_EQ(3, irqs_after_run(vcpu, NULL));
	pulse(vm, 4);
	EXPECT_EQ(4, irqs_after_run(vcpu, NULL));
	vm_free(vm);
}

TEST(pic_moves)
{
	struct vm *vm = vm_irqchip(), *other = vm_irqchip();
	struct vcpu *vcpu = start_guest(vm, pic_guest);
	u64 vector;

	/* One in service, one that waits for its EOI, the VM ends. */
	GUEST_VAR(vm, irq_flags) = 0;
	pulse(vm, 3);
	EXPECT_EQ(1, irqs_after_run(vcpu, &vector));
	pulse(vm, 6);
	EXPECT_EQ(1 << 3, chip_get(vm, KVM_IRQCHIP_PIC_MASTER).chip.pic.isr);
	EXPECT_EQ(1 << 6, chip_get(vm, KVM_IRQCHIP_PIC_MASTER).chip.pic.irr);
	vcpu = move_to(vcpu, other);
	move_chips(vm, other);
	vm_free(vm);
	/* The other one goes on: a more urgent one nests. */
	pulse(other, 1);
	EXPECT_EQ(2, irqs_after_run(vcpu, &vector));
	EXPECT_EQ(PIC_BASE + 1, vector);
	EXPECT_EQ(1 << 1 | 1 << 3, chip_get(other, KVM_IRQCHIP_PIC_MASTER).chip.pic.isr);
	EXPECT_EQ(1 << 6, chip_get(other, KVM_IRQCHIP_PIC_MASTER).chip.pic.irr);
	vm_free(other);
}

/* --------------------------------------------------------------------- I/O APIC */

GUEST_FN static u32 ioapic_get(u32 index)
{
	*(volatile u32 *)IOAPIC_GPA = index;
	return *(volatile u32 *)(IOAPIC_GPA + 0x10);
}

GUEST_FN static void ioapic_put(u32 index, u32 val)
{
	*(volatile u32 *)IOAPIC_GPA = index;
	*(volatile u32 *)(IOAPIC_GPA + 0x10) = val;
}

GUEST_FN static void ioapic_guest(void)
{
	G_ASSERT(ioapic_get(1) == 0x170011, ioapic_get(1));
	ioapic_put(0, 0x07000000);
	G_ASSERT(ioapic_get(0) == 0x07000000, ioapic_get(0));
	G_ASSERT(ioapic_get(0x10) == 0x10000, ioapic_get(0x10));
	G_ASSERT(*(volatile u8 *)IOAPIC_GPA == 0x10, *(volatile u8 *)IOAPIC_GPA);
	G_ASSERT(*(volatile u64 *)(IOAPIC_GPA + 0x10) == 0x10000, 0);
	g_outb(0x21, 0xff);
	g_outb(0xa1, 0xff);
	ioapic_put(0x10 + 2 * 4, 0x44);				/* edge */
	ioapic_put(0x10 + 2 * 11, 0x4b | REDIR_LEVEL);
	wait_for_irqs();
}

TEST(ioapic_interrupts)
{
	struct vm *vm = vm_irqchip();
	struct vcpu *vcpu = start_guest(vm, ioapic_guest);
	u64 vector;

	pulse(vm, 4);
	EXPECT_EQ(1, irqs_after_run(vcpu, &vector));
	EXPECT_EQ(0x44, vector);
	EXPECT_EQ(1, irqs_now(vcpu));
	irq_line(vm, 11, 1);
	EXPECT_EQ(2, irqs_after_run(vcpu, &vector));
	EXPECT_EQ(0x4b, vector);
	EXPECT_TRUE(remote_irr(vm, 11));
	EXPECT_EQ(3, irqs_after_run(vcpu, NULL));	/* EOI while it is high */
	irq_line(vm, 11, 0);
	EXPECT_EQ(4, irqs_now(vcpu));			/* as the third's EOI found it */
	EXPECT_FALSE(remote_irr(vm, 11));
	EXPECT_EQ(7, chip_get(vm, KVM_IRQCHIP_IOAPIC).chip.ioapic.id);
	vm_free(vm);
}

TEST(ioapic_moves)
{
	struct vm *vm = vm_irqchip(), *other = vm_irqchip();
	struct vcpu *vcpu = start_guest(vm, ioapic_guest);

	/* In service, not yet ended, and still high. */
	GUEST_VAR(vm, irq_flags) = 0;
	irq_line(vm, 11, 1);
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));
	vcpu = move_to(vcpu, other);
	move_chips(vm, other);
	vm_free(vm);
	EXPECT_EQ(1, irqs_now(vcpu));
	GUEST_VAR(other, irq_flags) = IRQ_EOI;
	irq_line(other, 11, 0);
	EXPECT_EQ(1, irqs_now(vcpu));
	irq_line(other, 11, 1);
	EXPECT_EQ(2, irqs_after_run(vcpu, NULL));
	vm_free(other);
}

/* The registers answer only where the VMM has said that they are. */
TEST(ioapic_address)
{
	struct vm *vm = vm_irqchip();
	struct kvm_irqchip chip = chip_get(vm, KVM_IRQCHIP_IOAPIC);
	struct vcpu *vcpu = vcpu_new(vm, 0);

	EXPECT_EQ(IOAPIC_GPA, chip.chip.ioapic.base_address);
	chip.chip.ioapic.base_address = 0xfec80000;
	chip_set(vm, chip);
	vcpu_long(vcpu, ioapic_guest);
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EQ(IOAPIC_GPA, vcpu->run->mmio.phys_addr);
	vm_free(vm);
}

/* -------------------------------------------------------------------------- PIT */

TEST(pit_keeps_time)
{
	struct vm *vm = vm_pit();
	struct vcpu *vcpu = start_guest(vm, pic_guest);
	u64 vector, start, ms;

	GUEST_VAR(vm, irq_flags) = IRQ_EOI | IRQ_SPIN;
	GUEST_VAR(vm, pit_divisor) = PIT_FREQ / 20;
	GUEST_VAR(vm, ticks_wanted) = 20;
	start = now_ns();
	EXPECT_EQ(20, irqs_after_run(vcpu, &vector));
	ms = (now_ns() - start) / 1000000;
	EXPECT_EQ(PIC_BASE, vector);
	EXPECT_GE(ms, 999);
	EXPECT_LT(ms, 5000);		/* the test host may be slow */
	vm_free(vm);
}

TEST(pit_one_shot)
{
	struct vm *vm = vm_pit();
	struct vcpu *vcpu = start_guest(vm, pic_guest);
	u64 start;

	GUEST_VAR(vm, pit_mode) = 0;
	GUEST_VAR(vm, irq_flags) = IRQ_EOI | IRQ_SPIN;
	GUEST_VAR(vm, pit_divisor) = PIT_FREQ / 50;
	start = now_ns();
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));
	EXPECT_GE(now_ns() - start, 20000000);
	usleep(50000);
	pulse(vm, 4);
	EXPECT_EQ(2, irqs_after_run(vcpu, NULL));	/* that one, and no tick */
	vm_free(vm);
}

/*
 * 20 ticks pass while the guest does not run.  It runs then till it has had all that
 * are due, or has got some without.  Returns how many it lacks.
 */
static int64_t ticks_missing(bool reinject)
{
	struct kvm_reinject_control control = { .pit_reinject = reinject };
	struct vm *vm = vm_pit();
	struct vcpu *vcpu = start_guest(vm, pic_guest);
	int64_t missing;
	u64 start, n;

	if (kioctlp(vm->fd, KVM_REINJECT_CONTROL, &control))
		die("KVM_REINJECT_CONTROL");
	GUEST_VAR(vm, irq_flags) = IRQ_EOI | IRQ_SPIN;
	GUEST_VAR(vm, pit_divisor) = PIT_FREQ / 20;
	start = now_ns();
	irqs_after_run(vcpu, NULL);
	usleep(1000000);
	do {
		n = irqs_after_run(vcpu, NULL);
		missing = (int64_t)((now_ns() - start) / 50000000) - (int64_t)n;
	} while (missing > 2 && n < (reinject ? 400 : 30));
	vm_free(vm);
	return missing;
}

TEST(pit_reinjects)
{
	EXPECT_LE(ticks_missing(true), 2);
	EXPECT_GE(ticks_missing(false), 15);
}

/* Masked while ticks pass: none is owed afterwards, and they go on. */
TEST(pit_unmasked)
{
	struct vm *vm = vm_pit();
	struct vcpu *vcpu = start_guest(vm, ioapic_guest);
	struct routes routes = {};
	struct kvm_pit_state2 state = pit_get(vm);
	u64 n;

	route_pin(&routes, 0, KVM_IRQCHIP_IOAPIC, 2);
	EXPECT_EQ(0, set_routes(vm, &routes));
	state.channels[0].mode = 2;
	state.channels[0].count = PIT_FREQ / 200;
	state.channels[0].count_load_time = 0;
	pit_set(vm, state);
	usleep(300000);
	set_redirection(vm, 2, 0x42);
	n = irqs_after_run(vcpu, NULL);
	usleep(20000);
	n = irqs_after_run(vcpu, NULL);
	n = irqs_now(vcpu);
	EXPECT_GE(n, 2);
	EXPECT_LE(n, 40);
	vm_free(vm);
}

TEST(pit_moves)
{
	struct vm *vm = vm_pit(), *other = vm_pit();
	struct vcpu *vcpu = start_guest(vm, pic_guest);
	struct kvm_pit_state2 state;
	u64 start;

	/* A one-shot of 50 ms moves in its middle: it is not begun anew. */
	GUEST_VAR(vm, pit_mode) = 0;
	GUEST_VAR(vm, irq_flags) = IRQ_EOI | IRQ_SPIN;
	GUEST_VAR(vm, pit_divisor) = PIT_FREQ / 20;
	pulse(vm, 4);
	start = now_ns();
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));
	state = pit_get(vm);
	EXPECT_EQ(0, state.channels[0].mode);
	EXPECT_EQ(PIT_FREQ / 20, state.channels[0].count);
	vcpu = move_to(vcpu, other);
	move_chips(vm, other);
	vm_free(vm);
	pit_set(other, state);
	if (!dev_is_stock()) {		/* which begins anew */
		EXPECT_EQ(state.channels[0].count_load_time,
			  pit_get(other).channels[0].count_load_time);
	}
	EXPECT_EQ(2, irqs_after_run(vcpu, NULL));
	EXPECT_GE(now_ns() - start, 50000000);
	vm_free(other);
}

TEST(pit_leaves_gsi_0_to_the_hpet)
{
	struct vm *vm = vm_pit();
	struct vcpu *vcpu = start_guest(vm, pic_guest);
	struct kvm_pit_state2 state;
	u64 n;

	GUEST_VAR(vm, irq_flags) = IRQ_EOI | IRQ_SPIN;
	GUEST_VAR(vm, pit_divisor) = PIT_FREQ / 200;
	irqs_after_run(vcpu, NULL);
	state = pit_get(vm);
	state.flags |= KVM_PIT_FLAGS_HPET_LEGACY;
	pit_set(vm, state);
	EXPECT_EQ(KVM_PIT_FLAGS_HPET_LEGACY, pit_get(vm).flags);
	pulse(vm, 4);
	n = irqs_after_run(vcpu, NULL);
	usleep(50000);
	pulse(vm, 4);
	EXPECT_GE(n + 2, irqs_after_run(vcpu, NULL));
	pulse(vm, 4);
	EXPECT_GE(n + 3, irqs_after_run(vcpu, NULL));
	state.flags = 0;
	pit_set(vm, state);
	GUEST_VAR(vm, ticks_wanted) = 20;
	irqs_after_run(vcpu, NULL);			/* it ticks again, or this hangs */
	vm_free(vm);
}

GUEST_FN static void speaker_guest(void)
{
	u8 high, low;

	g_outb(0x61, 1);
	g_outb(0x43, 0xb0);
	g_outb(0x42, 0xff);
	g_outb(0x42, 0xff);
	low = g_inb(0x61);
	do
		high = g_inb(0x61);
	while (!(high & 0x20));
	g_ucall(UCALL_SYNC, low, high);
	g_done();
}

/* How a kernel measures its TSC. */
TEST(speaker_port)
{
	struct vm *vm = vm_pit(), *without = vm_irqchip();
	struct kvm_pit_config config = {};
	struct vcpu *vcpu = vcpu_new(vm, 0);
	u64 start = now_ns();
	struct ucall uc;

	vcpu_long(vcpu, speaker_guest);
	uc = vcpu_ucall(vcpu);
	ASSERT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_EQ(0x01, uc.a & ~0x10);
	EXPECT_EQ(0x21, uc.b & ~0x10);
	EXPECT_GE(now_ns() - start, 54000000);

	EXPECT_EQ(0, kioctlp(without->fd, KVM_CREATE_PIT2, &config));
	vcpu = vcpu_new(without, 0);
	vcpu_long(vcpu, speaker_guest);
	EXPECT_EXIT(vcpu, KVM_EXIT_IO);
	EXPECT_EQ(0x61, vcpu->run->io.port);
	vm_free(without);
	vm_free(vm);
}

/* Virtual wire as an NMI: LINT0 in NMI mode sees each tick. */
TEST(pit_nmi_watchdog)
{
	struct vm *vm = vm_pit();
	struct vcpu *vcpu = start_guest(vm, ioapic_guest);
	struct kvm_pit_state2 state = pit_get(vm);
	struct kvm_lapic_state lapic;
	u64 vector;

	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_GET_LAPIC, &lapic));
	*(u32 *)(lapic.regs + LAPIC_LVT0) = LVT_NMI;
	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_SET_LAPIC, &lapic));
	state.channels[0].mode = 2;
	state.channels[0].count = PIT_FREQ / 100;
	state.channels[0].count_load_time = 0;
	pit_set(vm, state);
	EXPECT_EQ(1, irqs_after_run(vcpu, &vector));
	EXPECT_EQ(2, vector);
	vm_free(vm);
}

/* VMs that end while their PITs tick as fast as they can. */
TEST(pit_ends_with_its_vm)
{
	for (int i = 0; i < 10; i++) {
		struct vm *vm = vm_pit();
		struct vcpu *vcpu = start_guest(vm, pic_guest);

		GUEST_VAR(vm, irq_flags) = IRQ_EOI | IRQ_SPIN;
		GUEST_VAR(vm, pit_divisor) = 1 + i;
		GUEST_VAR(vm, ticks_wanted) = 3;
		irqs_after_run(vcpu, NULL);
		vm_free(vm);
	}
	EXPECT_FALSE(log_has_warning());
}

TEST_HARNESS_MAIN
