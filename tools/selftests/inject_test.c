// SPDX-License-Identifier: GPL-2.0
/*
 * inject_test - interrupts, NMIs and exceptions given to a guest
 *
 * Guards: an interrupt comes in when the guest can take it and not before; the
 * window exit tells when that is; NMIs are blocked by their own handler; an
 * event whose delivery is cut short by a fault of the host's making (a page of
 * the IDT or the stack that nothing maps yet) is delivered exactly once;
 * the TPR is told to a VMM that keeps the APIC.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

#define HI	0x40000000UL

FIXTURE(inj) {
	struct vm *vm;
	struct vcpu *vcpu;
	struct kvm_run *run;
};

/* One milestone with interrupts off, STI, then milestones for ever. */
ASM_GUEST(sti_loop,
	  "mov $0x3e8, %edx; mov $2, %eax; out %eax, %dx\n"
	  ".globl sti_at, after_sti\n"
	  "sti_at: sti\n"
	  "nop\n"
	  "after_sti: nop\n"
	  "1: mov $2, %eax; out %eax, %dx; jmp 1b\n");
extern u8 sti_at[], after_sti[];

FIXTURE_SETUP(inj)
{
	self->vcpu = vm_long(sti_loop);
	self->vm = self->vcpu->vm;
	self->run = self->vcpu->run;
}

FIXTURE_TEARDOWN(inj)
{
	vm_free(self->vm);
}

static int interrupt(struct vcpu *vcpu, u32 vector)
{
	struct kvm_interrupt irq = { .irq = vector };

	return kioctlp(vcpu->fd, KVM_INTERRUPT, &irq);
}

/* ------------------------------------------------------ external interrupts */

TEST_F(inj, interrupt_bad)
{
	EXPECT_EQ(-EINVAL, interrupt(self->vcpu, 256));
	EXPECT_EQ(-EINVAL, interrupt(self->vcpu, 0xffffffff));
}

TEST_F(inj, interrupt)
{
	self->vcpu->exc->action = EXC_IRET;
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(0, self->run->if_flag);
	EXPECT_EQ(0, self->run->ready_for_interrupt_injection);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(1, self->run->if_flag);
	for (u32 vec = 32; vec < 256; vec += 31) {
		/* Finish the OUT: then, and only then, the guest can take it. */
		self->run->immediate_exit = 1;
		EXPECT_EQ(-EINTR, vcpu_run(self->vcpu));
		self->run->immediate_exit = 0;
		EXPECT_EQ(1, self->run->ready_for_interrupt_injection);
		self->vcpu->exc->count = 0;
		ASSERT_EQ(0, interrupt(self->vcpu, vec));
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
		EXPECT_EQ(1, self->vcpu->exc->count);
		EXPECT_EQ(vec, self->vcpu->exc->vector);
	}
}

/* IF=0: the window opens when STI's shadow has passed, one instruction later. */
TEST_F(inj, window_after_sti)
{
	struct kvm_regs r;

	self->vcpu->exc->action = EXC_IRET;
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	self->run->request_interrupt_window = 1;
	EXPECT_EXIT(self->vcpu, KVM_EXIT_IRQ_WINDOW_OPEN);
	vcpu_regs(self->vcpu, &r);
	EXPECT_EQ((u64)after_sti, r.rip);
	EXPECT_EQ(1, self->run->ready_for_interrupt_injection);
	EXPECT_EQ(1, self->run->if_flag);
	/* Open already: the next RUN says so at once. */
	EXPECT_EXIT(self->vcpu, KVM_EXIT_IRQ_WINDOW_OPEN);
	self->run->request_interrupt_window = 0;
	ASSERT_EQ(0, interrupt(self->vcpu, 0x40));
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(1, self->vcpu->exc->count);
	EXPECT_EQ(0x40, self->vcpu->exc->vector);
	EXPECT_EQ((u64)after_sti, self->vcpu->exc->rip);
}

/* A pending interrupt is seen by the VMM until it is delivered. */
TEST_F(inj, pending_interrupt_is_visible)
{
	struct kvm_vcpu_events ev;

	self->vcpu->exc->action = EXC_IRET;
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	ASSERT_EQ(0, interrupt(self->vcpu, 0x51));
	vcpu_events(self->vcpu, &ev);
	EXPECT_EQ(1, ev.interrupt.injected);
	EXPECT_EQ(0x51, ev.interrupt.nr);
	/* It can be taken back. */
	ev.interrupt.injected = 0;
	ASSERT_EQ(0, vcpu_set_events(self->vcpu, &ev));
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(0, self->vcpu->exc->count);
}

ASM_GUEST(hlt_if, "sti; hlt; mov %rbx, %rdi\n" ASM_DONE);

/* The way QEMU wakes a halted vCPU: HLT exit, interrupt, RUN. */
TEST_F(inj, interrupt_ends_hlt)
{
	vcpu_long(self->vcpu, hlt_if);
	self->vcpu->exc->action = EXC_IRET;
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	EXPECT_EQ(1, self->run->ready_for_interrupt_injection);
	ASSERT_EQ(0, interrupt(self->vcpu, 0x33));
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
	EXPECT_EQ(1, self->vcpu->exc->count);
	EXPECT_EQ(0x33, self->vcpu->exc->vector);
	/* The HLT was over when it came: the handler returns behind it. */
	EXPECT_EQ((u64)hlt_if + 2, self->vcpu->exc->rip);
}

/* -------------------------------------------------------------------- shadow */

ASM_GUEST(nops, ".globl nop0, nop1, nop2\n"
	  "nop0: nop\nnop1: nop\nnop2: nop\n nop; hlt\n");
extern u8 nop0[], nop1[], nop2[];

TEST_F(inj, shadow_set_by_vmm)
{
	struct kvm_vcpu_events ev;
	struct kvm_regs r;

	SKIP_ON_TCG("VMRUN drops the interrupt shadow of the VMCB");
	vcpu_long(self->vcpu, nops);
	vcpu_regs(self->vcpu, &r);
	r.rflags |= 0x200;
	vcpu_set_regs(self->vcpu, &r);
	vcpu_events(self->vcpu, &ev);
	ev.flags = KVM_VCPUEVENT_VALID_SHADOW;
	ev.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	ASSERT_EQ(0, vcpu_set_events(self->vcpu, &ev));
	self->run->request_interrupt_window = 1;
	EXPECT_EXIT(self->vcpu, KVM_EXIT_IRQ_WINDOW_OPEN);
	vcpu_regs(self->vcpu, &r);
	EXPECT_EQ((u64)nop1, r.rip);
	vcpu_events(self->vcpu, &ev);
	EXPECT_EQ(0, ev.interrupt.shadow);
}

/*
 * An emulated instruction under STI ends the shadow as any other does.  MMIO is
 * read first, so that under STI nothing else exits than what is meant.
 */
ASM_GUEST(sti_out, "mov $0x80, %edx; sti; out %al, %dx\n"
	  ".globl sti_out_next\nsti_out_next: nop; hlt\n");
ASM_GUEST(sti_mmio, "mov $0xd0000000, %edi; mov (%rdi), %eax; sti; mov %eax, (%rdi)\n"
	  ".globl sti_mmio_next\nsti_mmio_next: nop; hlt\n");
ASM_GUEST(sti_cpuid, "sti; cpuid\n"
	  ".globl sti_cpuid_next\nsti_cpuid_next: nop; hlt\n");
extern u8 sti_out_next[], sti_mmio_next[], sti_cpuid_next[];

TEST_F(inj, shadow_ends_with_an_exit)
{
	static const struct {
		u8 *code, *next;
		u32 exit;
	} t[] = {
		{ sti_out, sti_out_next, KVM_EXIT_IO },
		{ sti_mmio, sti_mmio_next, KVM_EXIT_MMIO },
		{ sti_cpuid, sti_cpuid_next, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct kvm_regs r;

		vcpu_long(self->vcpu, t[i].code);
		self->run->request_interrupt_window = 1;
		if (t[i].exit == KVM_EXIT_MMIO)
			EXPECT_EXIT(self->vcpu, KVM_EXIT_MMIO);
		if (t[i].exit)
			EXPECT_EXIT(self->vcpu, t[i].exit);
		EXPECT_EXIT(self->vcpu, KVM_EXIT_IRQ_WINDOW_OPEN);
		vcpu_regs(self->vcpu, &r);
		EXPECT_EQ((u64)t[i].next, r.rip);
		self->run->request_interrupt_window = 0;
		EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	}
}

/* ---------------------------------------------------------------------- NMI */

TEST_F(inj, nmi)
{
	struct kvm_vcpu_events ev;

	self->vcpu->exc->action = EXC_UCALL;
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	ASSERT_EQ(0, kioctl(self->vcpu->fd, KVM_NMI, 0));
	EXPECT_UCALL(self->vcpu, UCALL_IRQ);		/* though IF is 0 */
	EXPECT_EQ(2, self->vcpu->exc->vector);
	vcpu_events(self->vcpu, &ev);
	EXPECT_EQ(1, ev.nmi.masked);
	/* In its handler: two more become one, after the IRET. */
	ASSERT_EQ(0, kioctl(self->vcpu->fd, KVM_NMI, 0));
	ASSERT_EQ(0, kioctl(self->vcpu->fd, KVM_NMI, 0));
	EXPECT_EQ(1, self->vcpu->exc->count);
	EXPECT_UCALL(self->vcpu, UCALL_IRQ);
	EXPECT_EQ(2, self->vcpu->exc->count);
	EXPECT_EQ((u64)sti_at, self->vcpu->exc->rip);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(2, self->vcpu->exc->count);
	vcpu_events(self->vcpu, &ev);
	EXPECT_EQ(0, ev.nmi.masked);
	EXPECT_EQ(0, ev.nmi.pending);
}

/* NMIs masked by the VMM wait; unmasked they come. */
TEST_F(inj, nmi_masked_by_vmm)
{
	struct kvm_vcpu_events ev;

	self->vcpu->exc->action = EXC_IRET;
	vcpu_events(self->vcpu, &ev);
	ev.nmi.masked = 1;
	ev.nmi.pending = 1;
	ev.flags = KVM_VCPUEVENT_VALID_NMI_PENDING;
	ASSERT_EQ(0, vcpu_set_events(self->vcpu, &ev));
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(0, self->vcpu->exc->count);
	vcpu_events(self->vcpu, &ev);
	EXPECT_EQ(1, ev.nmi.pending);
	ev.nmi.masked = 0;
	ev.flags = 0;
	ASSERT_EQ(0, vcpu_set_events(self->vcpu, &ev));
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(1, self->vcpu->exc->count);
	EXPECT_EQ(2, self->vcpu->exc->vector);
}

/* Both at once: the NMI first, and neither is lost. */
TEST_F(inj, nmi_and_interrupt)
{
	self->vcpu->exc->action = EXC_IRET;
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	self->run->immediate_exit = 1;
	EXPECT_EQ(-EINTR, vcpu_run(self->vcpu));
	self->run->immediate_exit = 0;
	ASSERT_EQ(0, interrupt(self->vcpu, 0x60));
	ASSERT_EQ(0, kioctl(self->vcpu->fd, KVM_NMI, 0));
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(2, self->vcpu->exc->count);
	EXPECT_EQ(0x62, self->vcpu->exc->log[0] + self->vcpu->exc->log[1]);
}

/* --------------------------------------------------------------- exceptions */

static bool has_error_code(int vec)
{
	return vec == 8 || (vec >= 10 && vec <= 14) || vec == 17;
}

static void check_exception(struct __test_metadata *_metadata, struct vcpu *vcpu, int vec)
{
	u32 err = has_error_code(vec) ? vec == 17 || vec == 8 ? 0 : 0x18 : 0;
	struct kvm_vcpu_events ev;

	vcpu_long(vcpu, nops);
	vcpu->exc->action = EXC_UCALL;
	vcpu_events(vcpu, &ev);
	ev.flags = 0;
	ev.exception.injected = 1;
	ev.exception.nr = vec;
	ev.exception.has_error_code = has_error_code(vec);
	ev.exception.error_code = err;
	ASSERT_EQ(0, vcpu_set_events(vcpu, &ev))
		TH_LOG("vector %d", vec);
	EXPECT_UCALL(vcpu, UCALL_IRQ);
	EXPECT_EQ((u64)vec, vcpu->exc->vector);
	EXPECT_EQ(err, vcpu->exc->error);
	EXPECT_EQ((u64)nop0, vcpu->exc->rip);
	vcpu_events(vcpu, &ev);
	EXPECT_EQ(0, ev.exception.injected);
	EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
	EXPECT_EQ(1, vcpu->exc->count);
}

TEST_F(inj, exceptions)
{
	for (int vec = 0; vec < 31; vec++) {
		/* 2 is no exception; 3 and 4 are an instruction's; 21 is CET's. */
		if (vec != 2 && vec != 3 && vec != 4 && vec != 21)
			check_exception(_metadata, self->vcpu, vec);
	}
}

TEST_F(inj, exception_31)
{
	SKIP_ON_TCG("VMRUN takes 31 for no exception");
	check_exception(_metadata, self->vcpu, 31);
}

/* With the capability, a pending #PF brings its address, #DB its DR6 bits. */
TEST_F(inj, exception_payload)
{
	struct kvm_vcpu_events ev;
	struct kvm_debugregs dr;
	struct kvm_sregs s;

	if (!dev_cap(KVM_CAP_EXCEPTION_PAYLOAD))
		SKIP(return, "KVM_CAP_EXCEPTION_PAYLOAD is 0");
	ASSERT_EQ(0, vm_enable_cap(self->vm, KVM_CAP_EXCEPTION_PAYLOAD, 1));
	vcpu_long(self->vcpu, nops);
	self->vcpu->exc->action = EXC_UCALL;
	vcpu_events(self->vcpu, &ev);
	EXPECT_TRUE(ev.flags & KVM_VCPUEVENT_VALID_PAYLOAD);
	ev.flags = KVM_VCPUEVENT_VALID_PAYLOAD;
	ev.exception.pending = 1;
	ev.exception.nr = 14;
	ev.exception.has_error_code = 1;
	ev.exception.error_code = 2;
	ev.exception_has_payload = 1;
	ev.exception_payload = 0xabc000;
	ASSERT_EQ(0, vcpu_set_events(self->vcpu, &ev));
	vcpu_events(self->vcpu, &ev);
	EXPECT_EQ(1, ev.exception.pending);
	EXPECT_EQ(0, ev.exception.injected);
	EXPECT_EQ(0xabc000, ev.exception_payload);
	vcpu_sregs(self->vcpu, &s);
	EXPECT_EQ(0, s.cr2);			/* not yet */
	EXPECT_UCALL(self->vcpu, UCALL_IRQ);
	EXPECT_EQ(14, self->vcpu->exc->vector);
	EXPECT_EQ(2, self->vcpu->exc->error);
	EXPECT_EQ(0xabc000, self->vcpu->exc->cr2);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);

	vcpu_long(self->vcpu, nops);
	self->vcpu->exc->action = EXC_UCALL;
	ev.exception.pending = 1;
	ev.exception.nr = 1;
	ev.exception.has_error_code = 0;
	ev.exception_has_payload = 1;
	ev.exception_payload = 0x4000;		/* BS */
	ASSERT_EQ(0, vcpu_set_events(self->vcpu, &ev));
	EXPECT_UCALL(self->vcpu, UCALL_IRQ);
	EXPECT_EQ(1, self->vcpu->exc->vector);
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_DEBUGREGS, &dr));
	EXPECT_EQ(0xffff4ff0, dr.dr6);
}

TEST_F(inj, triple_fault_event)
{
	struct kvm_vcpu_events ev;

	if (!dev_cap(KVM_CAP_X86_TRIPLE_FAULT_EVENT))
		SKIP(return, "KVM_CAP_X86_TRIPLE_FAULT_EVENT is 0");
	ASSERT_EQ(0, vm_enable_cap(self->vm, KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1));
	vcpu_events(self->vcpu, &ev);
	EXPECT_TRUE(ev.flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT);
	EXPECT_EQ(0, ev.triple_fault.pending);
	ev.flags = KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	ev.triple_fault.pending = 1;
	ASSERT_EQ(0, vcpu_set_events(self->vcpu, &ev));
	vcpu_events(self->vcpu, &ev);
	EXPECT_EQ(1, ev.triple_fault.pending);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_SHUTDOWN);
}

/* ------------------------------- delivery cut short by a fault of the host */

ASM_GUEST(soft_int, ".globl soft_int_next\nint $0x80\nsoft_int_next:\n" ASM_DONE);
ASM_GUEST(soft_int3, ".globl soft_int3_next\nint3\nsoft_int3_next:\n" ASM_DONE);
ASM_GUEST(fault_ud, "ud2\n" ASM_DONE);
ASM_GUEST(fault_gp, "mov $0x60, %eax; mov %eax, %ds\n" ASM_DONE);
ASM_GUEST(plain, "nop; nop\n" ASM_DONE);
extern u8 soft_int_next[], soft_int3_next[];

enum cut { CUT_SOFT, CUT_IRQ, CUT_NMI, CUT_FAULT };

static const struct {
	const char *name;
	u8 *code, *rip;
	enum cut kind;
	u64 vector, error;
} cuts[] = {
	{ "int 0x80", soft_int, soft_int_next, CUT_SOFT, 0x80, 0 },
	{ "int3", soft_int3, soft_int3_next, CUT_SOFT, 3, 0 },
	{ "interrupt", plain, plain, CUT_IRQ, 0x91, 0 },
	{ "NMI", plain, plain, CUT_NMI, 2, 0 },
	{ "#UD", fault_ud, fault_ud, CUT_FAULT, 6, 0 },
	{ "#GP", fault_gp, fault_gp + 5, CUT_FAULT, 13, 0x60 },
};

/*
 * The IDT and the stack move to memory that no guest has touched, so that the
 * delivery itself meets the EPT violations (or nested page faults), one after
 * another.
 */
TEST_F(inj, redelivered_after_tdp_fault)
{
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		u8 *fresh = vm_add(self->vm, 10, 0, HI, 8 * PAGE_SIZE);
		struct guest_exc *exc = self->vcpu->exc;
		struct kvm_sregs s;
		struct kvm_regs r;

		memcpy(fresh, vm_ptr(self->vm, GPA_IDT), PAGE_SIZE);
		vcpu_long(self->vcpu, cuts[i].code);
		vcpu_sregs(self->vcpu, &s);
		s.idt.base = HI;
		ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
		vcpu_regs(self->vcpu, &r);
		/* The frame is spread over two pages. */
		r.rsp = HI + 6 * PAGE_SIZE + 16;
		r.rflags |= 0x200;
		vcpu_set_regs(self->vcpu, &r);
		exc->action = cuts[i].kind == CUT_FAULT ? EXC_UCALL : EXC_IRET;
		if (cuts[i].kind == CUT_IRQ)
			ASSERT_EQ(0, interrupt(self->vcpu, cuts[i].vector));
		if (cuts[i].kind == CUT_NMI)
			ASSERT_EQ(0, kioctl(self->vcpu->fd, KVM_NMI, 0));
		if (cuts[i].kind == CUT_FAULT)
			EXPECT_UCALL(self->vcpu, UCALL_IRQ);
		else
			EXPECT_UCALL(self->vcpu, UCALL_DONE);
		EXPECT_EQ(1, exc->count)
			TH_LOG("%s", cuts[i].name);
		EXPECT_EQ(cuts[i].vector, exc->vector)
			TH_LOG("%s", cuts[i].name);
		EXPECT_EQ(cuts[i].error, exc->error)
			TH_LOG("%s", cuts[i].name);
		EXPECT_EQ((u64)cuts[i].rip, exc->rip)
			TH_LOG("%s", cuts[i].name);
		ASSERT_EQ(0, vm_slot(self->vm, 10, 0, 0, 0, NULL));
		munmap(fresh, 8 * PAGE_SIZE);
		vm_free(self->vm);
		self->vcpu = vm_long(sti_loop);
		self->vm = self->vcpu->vm;
	}
}

/* The IDT lies in MMIO: no device answers an event delivery.  No hang, no WARN. */
#define INTR_VALID	0x80000000u	/* IDT-vectoring information: SDM 25.9.3 */
#define INTR_HARD	0x300u

TEST_F(inj, idt_in_mmio)
{
	struct kvm_sregs s;

	log_mark();
	vcpu_long(self->vcpu, fault_ud);
	vcpu_sregs(self->vcpu, &s);
	s.idt.base = GPA_MMIO;
	ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(KVM_EXIT_INTERNAL_ERROR, vcpu_exit(self->vcpu));
		/*
		 * No instruction is to blame: the event and its exit are told.
		 * The stock module of 6.1 tries to emulate one all the same.
		 */
		if (dev_is_stock())
			continue;
		EXPECT_EQ(KVM_INTERNAL_ERROR_DELIVERY_EV, self->vcpu->run->internal.suberror);
		EXPECT_LE(4, self->vcpu->run->internal.ndata);
		EXPECT_EQ(INTR_VALID | INTR_HARD | UD_VECTOR,
			  self->vcpu->run->internal.data[0]);
		EXPECT_EQ(GPA_MMIO + 16 * UD_VECTOR, self->vcpu->run->internal.data[3] & ~15UL);
	}
	EXPECT_FALSE(log_has_warning());
}

/* ---------------------------------------------------------------------- TPR */

ASM_GUEST(tpr_code, "mov $9, %eax; mov %rax, %cr8; mov $9, %eax; mov %rax, %cr8\n"
	  "mov $4, %eax; mov %rax, %cr8\n.globl tpr_next\ntpr_next: mov %cr8, %rdi\n"
	  ASM_DONE);
extern u8 tpr_next[];

/* A lower TPR may free an interrupt, so the VMM is told; a higher one is not. */
TEST_F(inj, set_tpr)
{
	struct kvm_regs r;
	struct ucall uc;

	vcpu_long(self->vcpu, tpr_code);
	self->run->cr8 = 2;
	EXPECT_EXIT(self->vcpu, KVM_EXIT_SET_TPR);
	EXPECT_EQ(4, self->run->cr8);
	vcpu_regs(self->vcpu, &r);
	EXPECT_EQ((u64)tpr_next, r.rip);
	uc = vcpu_ucall(self->vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd);
	EXPECT_EQ(4, uc.a);
}

TEST_F(inj, cr8_from_kvm_run)
{
	struct kvm_sregs s;

	vcpu_long(self->vcpu, nops);
	self->run->cr8 = 7;
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	vcpu_sregs(self->vcpu, &s);
	EXPECT_EQ(7, s.cr8);
	EXPECT_EQ(7, self->run->cr8);
	self->run->cr8 = 16;
	EXPECT_EQ(-EINVAL, vcpu_run(self->vcpu));
	self->run->cr8 = 0;
	vcpu_long(self->vcpu, nops);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
}

TEST_F(inj, apic_base_in_kvm_run)
{
	vcpu_long(self->vcpu, nops);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	EXPECT_EQ(0xfee00900, self->run->apic_base);
}

TEST_F(inj, smi_as_claimed)
{
	int want = vm_cap(self->vm, KVM_CAP_X86_SMM) ? 0 : -EINVAL;

	EXPECT_EQ(want, kioctl(self->vcpu->fd, KVM_SMI, 0));
}

/*
 * A stack without memory: nothing can be delivered on it, and no instruction is
 * at fault.  Stock emulates the one at RIP, and says so only of later attempts.
 */
TEST_F(inj, delivery_to_mmio)
{
	struct kvm_regs r;

	if (dev_is_stock())
		SKIP(return, "stock runs an instruction first");
	vcpu_regs(self->vcpu, &r);
	r.rip = (u64)after_sti;
	r.rsp = GPA_MMIO + 0x800;
	r.rflags = 0x202;
	vcpu_set_regs(self->vcpu, &r);
	ASSERT_EQ(0, interrupt(self->vcpu, 0x40));
	EXPECT_EXIT(self->vcpu, KVM_EXIT_INTERNAL_ERROR);
	EXPECT_EQ(KVM_INTERNAL_ERROR_DELIVERY_EV, self->run->internal.suberror);
	vcpu_regs(self->vcpu, &r);
	EXPECT_EQ((u64)after_sti, r.rip);
}

TEST_HARNESS_MAIN
