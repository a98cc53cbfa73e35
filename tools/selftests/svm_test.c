// SPDX-License-Identifier: GPL-2.0
/*
 * svm_test - what is particular to AMD's SVM; skipped on another vendor's CPU
 *
 * Guards: NMIs without help of the hardware, whose blocking ends with the IRET
 * and never earlier, later or twice; the dummy virtual interrupt of the interrupt
 * window, which no guest may see; events cut short by a nested page fault, also
 * where there is no memory until the VMM adds some; RIP behind instructions with
 * prefixes, where the CPU gives no next RIP; shutdown, which leaves no state to
 * rely on; a VMRUN that fails; SVM's own instructions, MSRs and CPUID leaf, which
 * a guest does not have.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"
#include "guest_msr.h"

#define HI		0x40000000UL	/* memory that comes late */
#define VM_CR		0xc0010114
#define VM_HSAVE_PA	0xc0010117
#define EFER		0xc0000080
#define EFER_SVME	0x1000

FIXTURE(svm) {
	struct vm *vm;
	struct vcpu *vcpu;
	struct kvm_run *run;
};

/* Milestones with interrupts off; then on. */
ASM_GUEST(steps, "mov $0x3e8, %edx\n"
	  "1: mov $2, %eax; out %eax, %dx; nop; test %rbx, %rbx; jz 1b\n"
	  "sti; nop\n"
	  ".globl steps_on\nsteps_on: nop\n"
	  "2: mov $2, %eax; out %eax, %dx; jmp 2b\n");
extern u8 steps_on[];

FIXTURE_SETUP(svm)
{
	if (!host_is_amd())
		SKIP(return, "this host has no SVM");
	self->vcpu = vm_long(steps);
	self->vm = self->vcpu->vm;
	self->run = self->vcpu->run;
	log_mark();
}

FIXTURE_TEARDOWN(svm)
{
	if (!self->vm)
		return;
	vm_free(self->vm);
	EXPECT_FALSE(log_has_warning());
}

/* What a fixture skips, the harness of 6.1 runs all the same. */
#define ON_AMD() do {							\
	if (_metadata->skip)						\
		return;							\
} while (0)

static int nmi(struct vcpu *vcpu)
{
	return kioctl(vcpu->fd, KVM_NMI, 0);
}

static int interrupt(struct vcpu *vcpu, u32 vector)
{
	struct kvm_interrupt irq = { .irq = vector };

	return kioctlp(vcpu->fd, KVM_INTERRUPT, &irq);
}

/* This vector goes to the guest's own code. */
static void set_gate(struct vm *vm, int vector, u8 *handler)
{
	u64 *gate = (u64 *)vm_ptr(vm, GPA_IDT) + 2 * vector, to = (u64)handler;

	gate[0] = (to & 0xffff) | SEL_CODE64 << 16 | 0xeeULL << 40 | (to >> 16 & 0xffff) << 48;
	gate[1] = to >> 32;
}

static void set_rip(struct vcpu *vcpu, u8 *rip, u64 rflags)
{
	struct kvm_regs r;

	vcpu_regs(vcpu, &r);
	r.rip = (u64)rip;
	r.rflags = rflags;
	vcpu_set_regs(vcpu, &r);
}

/* ---------------------------------------------------------------------- NMI */

/* Two wait at most: one is taken, the other after its IRET. */
TEST_F(svm, nmi_thrice)
{
	ON_AMD();
	self->vcpu->exc->action = EXC_IRET;
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, nmi(self->vcpu));
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(2, self->vcpu->exc->count);
	EXPECT_EQ(2, self->vcpu->exc->log[0]);
	EXPECT_EQ(2, self->vcpu->exc->log[1]);
	EXPECT_EQ((u64)steps, self->vcpu->exc->rip);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(2, self->vcpu->exc->count);
}

/*
 * An IRET ends the blocking, also that of a handler within the handler (APM 2,
 * 8.2.3): the second NMI comes behind it, in the middle of the first one's.
 */
ASM_GUEST(nmi_outer, ".globl nmi_inside\n"
	  "incq 0x100000; cmpq $1, 0x100000; jne 1f\n"
	  "mov $0x3e8, %edx; mov $2, %eax; out %eax, %dx; nop; int $0x90\n"
	  "nmi_inside: nop; iretq\n"
	  "1: mov (%rsp), %r9; mov %r9, 0x100008; iretq\n");
ASM_GUEST(int_handler, "incq 0x100080; iretq\n");
extern u8 nmi_inside[];

TEST_F(svm, iret_of_an_inner_handler_unblocks)
{
	u64 *data;
	struct kvm_vcpu_events ev;

	ON_AMD();
	data = vm_ptr(self->vm, GPA_DATA);
	set_gate(self->vm, 2, nmi_outer);
	set_gate(self->vm, 0x90, int_handler);
	ASSERT_EQ(0, nmi(self->vcpu));
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(1, data[0]);
	vcpu_events(self->vcpu, &ev);
	EXPECT_EQ(1, ev.nmi.masked);
	ASSERT_EQ(0, nmi(self->vcpu));
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(2, data[0]);
	EXPECT_EQ(1, data[0x80 / 8]);
	EXPECT_EQ((u64)nmi_inside, data[1]);	/* where the second one came */
	vcpu_events(self->vcpu, &ev);
	EXPECT_EQ(0, ev.nmi.masked);
	EXPECT_EQ(0, ev.nmi.pending);
}

ASM_GUEST(nops, ".globl nop1, nop2\nnop\nnop1: nop\nnop2: nop\nnop; hlt\n");
extern u8 nop1[], nop2[];

/* One instruction of shadow, then the NMI. */
TEST_F(svm, nmi_waits_for_the_shadow)
{
	struct kvm_vcpu_events ev;

	ON_AMD();
	set_rip(self->vcpu, nops, 2);
	self->vcpu->exc->action = EXC_UCALL;
	vcpu_events(self->vcpu, &ev);
	ev.flags = KVM_VCPUEVENT_VALID_SHADOW;
	ev.interrupt.shadow = KVM_X86_SHADOW_INT_MOV_SS;
	ASSERT_EQ(0, vcpu_set_events(self->vcpu, &ev));
	ASSERT_EQ(0, nmi(self->vcpu));
	EXPECT_UCALL(self->vcpu, UCALL_IRQ);
	EXPECT_EQ(2, self->vcpu->exc->vector);
	/* QEMU TCG: VMRUN drops the shadow, so a host's interrupt can end it early. */
	if (!host_is_tcg() || self->vcpu->exc->rip != (u64)nops)
		EXPECT_EQ((u64)nop1, self->vcpu->exc->rip);
	/* However it was waited for, the guest sees no trap of it. */
	EXPECT_EQ(0, self->vcpu->exc->rflags & 0x100);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	EXPECT_EQ(1, self->vcpu->exc->count);
}

/* A halted vCPU wakes for it with interrupts off, behind its HLT. */
TEST_F(svm, nmi_ends_hlt)
{
	struct kvm_regs r;

	ON_AMD();
	set_rip(self->vcpu, nops, 2);
	self->vcpu->exc->action = EXC_UCALL;
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	vcpu_regs(self->vcpu, &r);
	ASSERT_EQ(0, nmi(self->vcpu));
	EXPECT_UCALL(self->vcpu, UCALL_IRQ);
	EXPECT_EQ(r.rip, self->vcpu->exc->rip);
}

/* TF of the guest's own over the IRET that the module watches for. */
ASM_GUEST(nmi_tf, "push $0x10; lea 64(%rsp), %rax; push %rax; push $0x102; push $8\n"
	  "lea 1f(%rip), %rax; push %rax; .globl nmi_tf_out\nnmi_tf_out: out %al, $0x80; iretq\n"
	  ".globl nmi_tf_on\n1: nop; nmi_tf_on: nop; hlt\n");
extern u8 nmi_tf_out[], nmi_tf_on[];

TEST_F(svm, iret_into_a_single_step)
{
	struct kvm_vcpu_events ev;

	ON_AMD();
	set_rip(self->vcpu, nmi_tf, 2);
	self->vcpu->exc->action = EXC_UCALL;
	vcpu_events(self->vcpu, &ev);
	ev.nmi.masked = 1;
	ASSERT_EQ(0, vcpu_set_events(self->vcpu, &ev));
	EXPECT_EXIT(self->vcpu, KVM_EXIT_IO);
	EXPECT_EQ(0x80, self->run->io.port);
	/* Not before the NOP behind the IRET is done: TF takes effect then. */
	EXPECT_UCALL(self->vcpu, UCALL_IRQ);
	EXPECT_EQ(1, self->vcpu->exc->vector);
	EXPECT_EQ((u64)nmi_tf_on, self->vcpu->exc->rip);
	vcpu_events(self->vcpu, &ev);
	EXPECT_EQ(0, ev.nmi.masked);
}

/* ---------------------------------------------------------- interrupt window */

/* The virtual interrupt that opens the window has a vector; no guest sees it. */
TEST_F(svm, window_not_wanted_any_more)
{
	struct kvm_regs r;

	ON_AMD();
	self->vcpu->exc->action = EXC_IRET;
	self->run->request_interrupt_window = 1;
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	self->run->request_interrupt_window = 0;
	vcpu_regs(self->vcpu, &r);
	r.rbx = 1;
	vcpu_set_regs(self->vcpu, &r);
	for (int i = 0; i < 3; i++)
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(0, self->vcpu->exc->count);
}

/* The TPR is the VMM's affair: it opens at any, though the CPU knows it. */
TEST_F(svm, window_at_any_tpr)
{
	ON_AMD();
	self->vcpu->exc->action = EXC_IRET;
	for (int tpr = 0; tpr < 16; tpr++) {
		struct kvm_regs r;

		vcpu_long(self->vcpu, steps);
		self->vcpu->exc->action = EXC_IRET;
		vcpu_regs(self->vcpu, &r);
		r.rbx = 1;
		vcpu_set_regs(self->vcpu, &r);
		self->run->cr8 = tpr;
		self->run->request_interrupt_window = 1;
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
		EXPECT_EXIT(self->vcpu, KVM_EXIT_IRQ_WINDOW_OPEN);
		vcpu_regs(self->vcpu, &r);
		EXPECT_EQ((u64)steps_on, r.rip)
			TH_LOG("TPR %d", tpr);
		EXPECT_EQ(tpr, self->run->cr8);
		ASSERT_EQ(0, interrupt(self->vcpu, 0x31));
		self->run->request_interrupt_window = 0;
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
		EXPECT_EQ(1, self->vcpu->exc->count)
			TH_LOG("TPR %d", tpr);
		EXPECT_EQ(0x31, self->vcpu->exc->vector);
	}
}

/* ----------------------------------------------- events and nested page faults */

ASM_GUEST(int_n, "int $0x80\n.globl int_n_next\nint_n_next: " ASM_DONE);
ASM_GUEST(int_3, "int3\n.globl int_3_next\nint_3_next: " ASM_DONE);
ASM_GUEST(plain, "nop; nop\n" ASM_DONE);
ASM_GUEST(undefined, "ud2\n" ASM_DONE);
extern u8 int_n_next[], int_3_next[];

enum event { SOFT, IRQ, NMI_, FAULT };

static const struct {
	const char *name;
	u8 *code, *rip;
	enum event kind;
	u64 vector;
} events[] = {
	{ "int 0x80", int_n, int_n_next, SOFT, 0x80 },
	{ "int3", int_3, int_3_next, SOFT, 3 },
	{ "interrupt", plain, plain, IRQ, 0x91 },
	{ "NMI", plain, plain, NMI_, 2 },
	{ "#UD", undefined, undefined, FAULT, 6 },
};

/*
 * The IDT is where there is no memory.  The VMM hears that the event cannot be
 * delivered, twice; it adds the memory, and the event comes, once.
 */
TEST_F(svm, memory_for_the_idt_comes_late)
{
	ON_AMD();
	if (dev_is_stock())
		SKIP(return, "the stock module emulates: INT comes twice, an interrupt never");
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		struct guest_exc *exc = self->vcpu->exc;
		struct kvm_sregs s;
		u8 *late;

		vcpu_long(self->vcpu, events[i].code);
		set_rip(self->vcpu, events[i].code, 0x202);
		vcpu_sregs(self->vcpu, &s);
		s.idt.base = HI;
		ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
		exc->action = events[i].kind == FAULT ? EXC_UCALL : EXC_IRET;
		if (events[i].kind == IRQ)
			ASSERT_EQ(0, interrupt(self->vcpu, events[i].vector));
		if (events[i].kind == NMI_)
			ASSERT_EQ(0, nmi(self->vcpu));
		for (int k = 0; k < 2; k++) {
			EXPECT_EXIT(self->vcpu, KVM_EXIT_INTERNAL_ERROR);
			EXPECT_EQ(KVM_INTERNAL_ERROR_DELIVERY_EV, self->run->internal.suberror)
				TH_LOG("%s", events[i].name);
		}
		late = vm_add(self->vm, 10, 0, HI, PAGE_SIZE);
		memcpy(late, vm_ptr(self->vm, GPA_IDT), PAGE_SIZE);
		if (events[i].kind == FAULT)
			EXPECT_UCALL(self->vcpu, UCALL_IRQ);
		else
			EXPECT_UCALL(self->vcpu, UCALL_DONE);
		EXPECT_EQ(1, exc->count)
			TH_LOG("%s", events[i].name);
		EXPECT_EQ(events[i].vector, exc->vector)
			TH_LOG("%s", events[i].name);
		EXPECT_EQ((u64)events[i].rip, exc->rip)
			TH_LOG("%s", events[i].name);
		ASSERT_EQ(0, vm_slot(self->vm, 10, 0, 0, 0, NULL));
		munmap(late, PAGE_SIZE);
		vm_free(self->vm);
		self->vcpu = vm_long(steps);
		self->vm = self->vcpu->vm;
		self->run = self->vcpu->run;
	}
}

/* INT, INT3 and INTO of 32-bit code, IDT and stack not yet mapped. */
ASM_GUEST_BITS(int_32, 32, "int $0x80\n");
ASM_GUEST_BITS(int3_32, 32, "int3\n");
ASM_GUEST_BITS(into_32, 32, "mov $0x7fffffff, %eax; inc %eax; into\n");

TEST_F(svm, software_interrupts_of_32_bits)
{
	static const struct {
		u8 *from, *to;
		int vector;
	} t[] = {
		{ int_32, int_32_end, 0x80 }, { int3_32, int3_32_end, 3 },
		{ into_32, into_32_end, 4 },
	};

	ON_AMD();
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		u8 *fresh = vm_add(self->vm, 10, 0, HI, 4 * PAGE_SIZE);
		struct kvm_sregs s;
		struct kvm_regs r;

		memcpy(fresh, vm_ptr(self->vm, GPA_IDT32), 2048);
		vm_load(self->vm, GPA_CODE, t[i].from, t[i].to);
		vcpu_prot32(self->vcpu, GPA_CODE);
		vcpu_sregs(self->vcpu, &s);
		s.idt.base = HI;
		ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
		vcpu_regs(self->vcpu, &r);
		r.rsp = HI + 3 * PAGE_SIZE + 8;		/* the frame is on two pages */
		vcpu_set_regs(self->vcpu, &r);
		EXPECT_EXIT(self->vcpu, KVM_EXIT_IO);
		EXPECT_EQ(t[i].vector, vcpu_stub_vector(self->vcpu));
		vcpu_regs(self->vcpu, &r);
		EXPECT_EQ(HI + 3 * PAGE_SIZE - 4, r.rsp);
		/* It returns behind the instruction, which is the last one. */
		EXPECT_EQ(GPA_CODE + (t[i].to - t[i].from), *(u32 *)(fresh + (r.rsp - HI)))
			TH_LOG("vector %d", t[i].vector);
		ASSERT_EQ(0, vm_slot(self->vm, 10, 0, 0, 0, NULL));
		munmap(fresh, 4 * PAGE_SIZE);
	}
}

/* An instruction on two pages, an operand on two others; all of them new. */
ASM_GUEST(straddle, "movabs $0x1122334455667788, %rbx\nmov %rbx, 0xffc(%rdi)\n"
	  "mov 0xffc(%rdi), %rdi\n" ASM_DONE);

TEST_F(svm, across_pages)
{
	struct kvm_regs r;
	struct ucall uc;
	u8 *fresh;

	ON_AMD();
	fresh = vm_add(self->vm, 10, 0, HI, 16 * PAGE_SIZE);
	for (int at = 1; at < 20; at++) {
		u8 *to = fresh + PAGE_SIZE - at;

		memcpy(to, straddle, straddle_end - straddle);
		vcpu_long(self->vcpu, (void *)(HI + PAGE_SIZE - at));
		vcpu_regs(self->vcpu, &r);
		r.rdi = HI + 4 * PAGE_SIZE;
		vcpu_set_regs(self->vcpu, &r);
		uc = vcpu_ucall(self->vcpu);
		EXPECT_EQ(UCALL_DONE, uc.cmd);
		EXPECT_EQ(0x1122334455667788, uc.a);
		/* New again, for the next turn. */
		ASSERT_EQ(0, madvise(fresh, 16 * PAGE_SIZE, MADV_DONTNEED));
	}
	ASSERT_EQ(0, vm_slot(self->vm, 10, 0, 0, 0, NULL));
	munmap(fresh, 16 * PAGE_SIZE);
}

/* Page tables without memory: told, not retried for ever. */
TEST_F(svm, page_tables_in_nowhere)
{
	struct kvm_sregs s;

	ON_AMD();
	if (dev_is_stock())
		SKIP(return, "the stock module retries for ever");
	alarm_handler();
	self->vcpu->exc->action = EXC_IRET;	/* it may come to a #PF */
	vcpu_sregs(self->vcpu, &s);
	s.cr3 = GPA_MMIO;
	ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
	set_timer_ms(5000);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_INTERNAL_ERROR);
	set_timer_ms(0);
	s.cr3 = GPA_PML4;
	ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
}

/* ------------------------------------------------------- RIP behind prefixes */

/* Each leaves 5 in RDI only if the next instruction starts where it should. */
#define LENGTH_ROWS							\
	X(cpuid, "cpuid")						\
	X(cpuid_66, ".byte 0x66; cpuid")				\
	X(cpuid_rex, ".byte 0x48; cpuid")				\
	X(cpuid_many, ".byte 0x2e, 0x66, 0x67, 0xf2, 0x4f; cpuid")	\
	X(rdmsr_66, "mov $0xc0000080, %ecx; .byte 0x66; rdmsr")		\
	X(wrmsr_rex, "mov $0x277, %ecx; rdmsr; .byte 0x48; wrmsr")	\
	X(wbinvd_66, ".byte 0x66; wbinvd")				\
	X(invd_rex, ".byte 0x41; invd")					\
	X(hypercall, "mov $999, %eax; vmmcall")				\
	X(hypercall_rex, "mov $999, %eax; .byte 0x48; vmmcall")		\
	X(invlpg_sib, "mov $8, %ecx; .byte 0x3e; invlpg 0x12345678(%rax, %rcx, 4)") \
	X(invlpg_rip, "invlpg 0x1000(%rip)")				\
	X(invlpg_addr32, "invlpg 16(%eax)")				\
	X(cr0, "mov %cr0, %rax; .byte 0x66; mov %rax, %cr0")		\
	X(cr4, "mov %cr4, %r9; xor $0x80, %r9; mov %r9, %cr4")		\
	X(cr4_mod, "mov %cr4, %rax; xor $0x80, %rax; .byte 0x0f, 0x22, 0x20") \
	X(cr8, "mov $3, %r10d; mov %r10, %cr8; mov %cr8, %r11")		\
	X(dr7, "mov $0x400, %r8d; mov %r8, %dr7; mov %dr7, %r8")	\
	X(clts_66, ".byte 0x66; clts")					\
	X(smsw, "smsw 0x100000; lmsw 0x100000")				\
	X(lmsw_sib, "mov $0x100000, %ecx; smsw %eax; mov %eax, 4(%rcx); lmsw 4(%rcx)") \
	X(rdtsc_66, ".byte 0x66; rdtsc")				\
	X(pause, "mov $9999, %ecx; 1: .byte 0x66; pause; dec %ecx; jnz 1b") \
	X(monitor, "mov $0x100000, %eax; xor %ecx, %ecx; xor %edx, %edx; monitor; nop") \
	X(lgdt, "sgdt 0x100000; .byte 0x66; lgdt 0x100000; sidt 0x100000; lidt 0x100000") \
	X(str, "str 0x100000; mov $0x38, %ecx; sldt %eax")

#define X(name, text) ASM_GUEST(len_##name, "xor %eax, %eax; " text "; mov $5, %edi\n" ASM_DONE);
LENGTH_ROWS
#undef X

TEST_F(svm, instruction_lengths)
{
	static const struct {
		const char *name;
		u8 *code;
	} t[] = {
#define X(name, text) { #name, len_##name },
		LENGTH_ROWS
#undef X
	};

	ON_AMD();
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct ucall uc;

		vcpu_long(self->vcpu, t[i].code);
		uc = vcpu_ucall(self->vcpu);
		EXPECT_EQ(UCALL_DONE, uc.cmd)
			TH_LOG("%s: vector %lu at %#lx", t[i].name, uc.a, uc.b - (u64)t[i].code);
		EXPECT_EQ(5, uc.a)
			TH_LOG("%s", t[i].name);
	}
}

/* 16-bit code, whose IP wraps nowhere near the emulator's. */
ASM_GUEST_BITS(len_16, 16, ".byte 0x66, 0x67; cpuid; .byte 0x2e; hlt; mov $999, %eax; vmmcall\n"
	       "mov %cr0, %eax; mov %eax, %cr0; mov $5, %di; out %al, $0x55\n");

TEST_F(svm, instruction_lengths_in_real_mode)
{
	struct kvm_regs r;

	ON_AMD();
	vm_load(self->vm, GPA_CODE, len_16, len_16_end);
	vcpu_real(self->vcpu, GPA_CODE >> 4, 0);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_IO);
	EXPECT_EQ(0x55, self->run->io.port);
	vcpu_regs(self->vcpu, &r);
	EXPECT_EQ(5, r.rdi);
}

/* --------------------------------------------------- a guest has no SVM itself */

/* A vCPU whose CPUID lacks SVM, which the stock module could nest. */
static struct vcpu *without_svm(struct vm *vm, int id, void *code)
{
	struct vcpu *vcpu = vcpu_bare(vm, id);
	struct cpuid_buf c;

	supported_cpuid(&c);
	cpuid_find(&c, 0x80000001, 0)->ecx &= ~4u;
	if (kioctlp(vcpu->fd, KVM_SET_CPUID2, &c))
		die("KVM_SET_CPUID2");
	vcpu_long(vcpu, code);
	return vcpu;
}

#define SVM_ROWS							\
	X(vmrun, "vmrun") X(vmload, "vmload") X(vmsave, "vmsave")	\
	X(stgi, "stgi") X(clgi, "clgi") X(skinit, "skinit") X(invlpga, "invlpga %rax, %ecx")

#define X(name, text) ASM_GUEST(own_##name, "mov $0x100000, %eax; " text "\n" ASM_DONE);
SVM_ROWS
#undef X

TEST_F(svm, instructions_are_undefined)
{
	static const struct {
		const char *name;
		u8 *code;
	} t[] = {
#define X(name, text) { #name, own_##name },
		SVM_ROWS
#undef X
	};

	ON_AMD();
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct vcpu *vcpu = without_svm(self->vm, i + 1, t[i].code);

		/* The stock module lets these pass: INVLPGA, and with vGIF its two. */
		if (dev_is_stock() && (t[i].code == own_invlpga ||
				       t[i].code == own_stgi || t[i].code == own_clgi))
			continue;
		EXPECT_EQ(UCALL_EXC, vcpu_ucall(vcpu).cmd)
			TH_LOG("%s", t[i].name);
		EXPECT_EQ(6, vcpu->exc->vector)
			TH_LOG("%s", t[i].name);
		EXPECT_EQ((u64)t[i].code + 5, vcpu->exc->rip)
			TH_LOG("%s", t[i].name);
	}
}

static GUEST_FN void guest_svme(void)
{
	u64 efer;
	int vec;

	g_rdmsr(EFER, &efer);
	vec = g_wrmsr(EFER, efer | EFER_SVME);
	g_ucall(UCALL_SYNC, vec, efer);
	g_rdmsr(EFER, &efer);
	g_ucall(UCALL_SYNC, vec, efer);
}

/* The CPU runs the guest with EFER.SVME set; nobody sees it. */
TEST_F(svm, efer_svme)
{
	struct vcpu *vcpu;
	struct kvm_sregs s;
	struct ucall uc;
	u64 val;

	ON_AMD();
	vcpu = without_svm(self->vm, 1, guest_svme);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_EQ(13, uc.a);
	EXPECT_EQ(0xd01, uc.b);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(0xd01, uc.b);
	vcpu_sregs(vcpu, &s);
	EXPECT_EQ(0xd01, s.efer);
	EXPECT_EQ(1, vcpu_get_msr(vcpu, EFER, &val));
	EXPECT_EQ(0xd01, val);
}

TEST_F(svm, no_leaf_for_svm)
{
	struct cpuid_buf c;
	struct kvm_cpuid_entry2 *e;

	ON_AMD();
	if (dev_is_stock())
		SKIP(return, "the stock module can nest SVM");
	supported_cpuid(&c);
	EXPECT_FALSE(cpuid_has(0x80000001, 0, 'c', 2));
	e = cpuid_find(&c, 0x8000000a, 0);
	if (e)
		EXPECT_EQ(0, e->eax | e->ebx | e->ecx | e->edx);
}

/* ---------------------------------------------------------------------- MSRs */

#define REFUSED 13
#define TAKEN -1

/* What a Linux guest of AMD's reads and writes at boot, and the answers. */
static const struct {
	u32 index;
	int read;
	u64 value;			/* of the read */
	u64 good, bad;			/* writes; ANY_: not tried */
	const char *name;
} amd_msrs[] = {
#define OSVW_ID_LENGTH 0xc0010140
#define ANY_ 0xa5a5a5a5a5a5a5a5ULL
	{ VM_CR, TAKEN, 0, 0, 0x100, "VM_CR" },
	{ VM_HSAVE_PA, TAKEN, 0, ANY_, 0x123, "VM_HSAVE_PA" },
	{ 0xc0010015, TAKEN, 0, 1 << 18, 0x10, "HWCR" },
	{ 0xc0010010, TAKEN, 0, ANY_, ANY_, "SYSCFG" },
	{ 0xc001001f, TAKEN, 0, ANY_, ANY_, "NB_CFG" },
	{ 0xc0010055, TAKEN, 0, ANY_, ANY_, "INT_PENDING_MSG" },
	{ 0xc0011029, TAKEN, 0, ANY_, ANY_, "DE_CFG" },
	{ 0xc0011022, TAKEN, 0, 0, ANY_, "DC_CFG" },
	{ OSVW_ID_LENGTH, REFUSED, 0, ANY_, 0, "OSVW_ID_LENGTH" },
	{ 0x8b, TAKEN, 0x01000065, 0, ANY_, "PATCH_LEVEL" },
	{ 0xc0010020, REFUSED, 0, 0, ANY_, "PATCH_LOADER" },
	{ 0xc0010112, TAKEN, 0, ANY_, ANY_, "TSEG_ADDR" },
	{ 0xc0010058, TAKEN, 0, ANY_, ANY_, "MMIO_CONF_BASE" },
	{ 0xc0010000, TAKEN, 0, 0, ANY_, "PERF_CTL0" },
	{ 0xc0010004, TAKEN, 0, 0, ANY_, "PERF_CTR0" },
	{ 0xc0011fff, REFUSED, 0, ANY_, 0, "none" },
};

TEST_F(svm, amd_msrs)
{
	typeof(op) *o;

	ON_AMD();
	vcpu_long(self->vcpu, guest_msr);
	o = &GUEST_VAR(self->vm, op);
	for (size_t i = 0; i < ARRAY_SIZE(amd_msrs); i++) {
		/* Some CPUs, and so guests, have OSVW (CPUID 8000_0001H ECX). */
		if (amd_msrs[i].index == OSVW_ID_LENGTH && cpuid_has(0x80000001, 0, 'c', 9))
			continue;
		o->index = amd_msrs[i].index;
		o->write = false;
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
		EXPECT_EQ(amd_msrs[i].read, o->vec)
			TH_LOG("%s: read", amd_msrs[i].name);
		if (o->vec == TAKEN)
			EXPECT_EQ(amd_msrs[i].value, o->val)
				TH_LOG("%s: value", amd_msrs[i].name);
		o->write = true;
		if (amd_msrs[i].good != ANY_) {
			o->val = amd_msrs[i].good;
			EXPECT_UCALL(self->vcpu, UCALL_SYNC);
			EXPECT_EQ(TAKEN, o->vec)
				TH_LOG("%s = %#lx", amd_msrs[i].name, amd_msrs[i].good);
		}
		if (amd_msrs[i].bad != ANY_) {
			o->val = amd_msrs[i].bad;
			EXPECT_UCALL(self->vcpu, UCALL_SYNC);
			EXPECT_EQ(REFUSED, o->vec)
				TH_LOG("%s = %#lx", amd_msrs[i].name, amd_msrs[i].bad);
		}
	}
}

/* ------------------------------------------------------------------ SYSENTER */

ASM_GUEST(sysenter_64, "mov $3, %edi; sysenter\n");
ASM_GUEST(sysenter_to, "mov $4, %edi\n" ASM_DONE);
ASM_GUEST_BITS(sysenter_32, 32, "mov $0x174, %ecx; mov $0x18, %eax; xor %edx, %edx; wrmsr\n"
	       "inc %ecx; mov $0x20000, %eax; wrmsr\n"
	       "inc %ecx; mov $1f - sysenter_32 + 0x10000, %eax; wrmsr; sysenter; hlt\n"
	       "1: mov %esp, %edi; out %al, $0x55\n");

/* Not in long mode, on AMD (APM 3, SYSENTER); elsewhere it is there. */
TEST_F(svm, sysenter)
{
	struct kvm_regs r;

	ON_AMD();
	vcpu_long(self->vcpu, sysenter_64);
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, 0x174, SEL_CODE64));
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, 0x176, (u64)sysenter_to));
	/* The stock module's emulator has it, but for no other mode; Bochs has it in all. */
	if (!dev_is_stock() && host_is_tcg()) {
		EXPECT_UCALL(self->vcpu, UCALL_EXC);
		EXPECT_EQ(6, self->vcpu->exc->vector);
		EXPECT_EQ((u64)sysenter_64 + 5, self->vcpu->exc->rip);
	}
	vm_load(self->vm, GPA_CODE, sysenter_32, sysenter_32_end);
	vcpu_prot32(self->vcpu, GPA_CODE);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_IO);
	EXPECT_EQ(0x55, self->run->io.port);
	vcpu_regs(self->vcpu, &r);
	EXPECT_EQ(0x20000, r.rdi);
}

/* ------------------------------------------------- failed VMRUN, shutdown, reset */

/* CS.L with CS.D is one of the few states that VMRUN refuses (APM 2, 15.5.1). */
TEST_F(svm, failed_vmrun)
{
	struct kvm_sregs good, bad;
	struct kvm_regs r;

	ON_AMD();
	if (!host_is_tcg())
		SKIP(return, "Bochs' VMRUN refuses other states, and overwrites the VMCB");
	vcpu_sregs(self->vcpu, &good);
	bad = good;
	bad.cs.db = 1;
	for (int round = 0; round < 3; round++) {
		ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &bad));
		for (int i = 0; i < 2; i++) {
			EXPECT_EXIT(self->vcpu, KVM_EXIT_FAIL_ENTRY);
			/* The exit code's low half: VMEXIT_INVALID. */
			EXPECT_EQ(0xffffffff,
				  self->run->fail_entry.hardware_entry_failure_reason);
		}
		vcpu_regs(self->vcpu, &r);
		/* QEMU TCG: RIP in the VMCB has the low bits of VMRUN's address. */
		if (host_is_tcg() && dev_is_stock())
			set_rip(self->vcpu, steps, 2);
		else if (!round)
			EXPECT_EQ((u64)steps, r.rip);
		ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &good));
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	}
}

/* States that VMX refuses and SVM has no rule about: they run. */
TEST_F(svm, states_without_a_rule)
{
	struct kvm_sregs good, s;

	ON_AMD();
	vcpu_sregs(self->vcpu, &good);
	for (int i = 0; i < 4; i++) {
		s = good;
		switch (i) {
		case 0:
			s.tr.unusable = 1;
			s.tr.present = 0;
			break;
		case 1:
			s.tr.type = 3;
			break;
		case 2:
			s.ldt.unusable = 0;
			s.ldt.present = 1;
			s.ldt.type = 7;
			break;
		case 3:
			s.ds.type = 0;
			break;
		}
		ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	}
}

/* A shutdown leaves the VMCB undefined (APM 2, 15.14.3): the vCPU is as after INIT. */
ASM_GUEST(triple, "movq $0, 0x100000; movw $0, 0x100008; lidt 0x100000; ud2\n");

TEST_F(svm, shutdown_resets)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	ON_AMD();
	for (int i = 0; i < 2; i++) {
		vcpu_long(self->vcpu, triple);
		EXPECT_EXIT(self->vcpu, KVM_EXIT_SHUTDOWN);
		vcpu_regs(self->vcpu, &r);
		vcpu_sregs(self->vcpu, &s);
		EXPECT_EQ(0xfff0, r.rip);
		EXPECT_EQ(2, r.rflags);
		EXPECT_EQ(0, s.cr0 & 0x80000001);
		EXPECT_EQ(0, s.efer);
		EXPECT_EQ(0xf000, s.cs.selector);
		EXPECT_EQ(0xffff0000, s.cs.base);
		vcpu_long(self->vcpu, steps);
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	}
}

/* From 64 bits to the reset vector and back, as a VMM resets a vCPU. */
ASM_GUEST_BITS(rom, 16, "mov $0x77, %al; out %al, $0x55; hlt\n");

TEST_F(svm, reset_by_the_vmm)
{
	struct kvm_sregs reset;
	struct kvm_regs r;
	struct vcpu *other;
	u8 *top;

	ON_AMD();
	other = vcpu_bare(self->vm, 1);
	vcpu_sregs(other, &reset);
	vcpu_regs(other, &r);
	top = vm_add(self->vm, 10, 0, 0xfffff000, PAGE_SIZE);
	memcpy(top + 0xff0, rom, rom_end - rom);
	for (int i = 0; i < 3; i++) {
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
		ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &reset));
		vcpu_set_regs(self->vcpu, &r);
		EXPECT_EXIT(self->vcpu, KVM_EXIT_IO);
		EXPECT_EQ(0x55, self->run->io.port);
		EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
		vcpu_long(self->vcpu, steps);
	}
	ASSERT_EQ(0, vm_slot(self->vm, 10, 0, 0, 0, NULL));
	munmap(top, PAGE_SIZE);
}

TEST_HARNESS_MAIN
