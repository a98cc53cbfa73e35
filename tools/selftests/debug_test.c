// SPDX-License-Identifier: GPL-2.0
/*
 * debug_test - a debugger on the outside, and debug registers on the inside
 *
 * Guards: KVM_SET_GUEST_DEBUG's software and hardware breakpoints, watchpoints
 * and single steps, with the address and DR6 that gdb stubs rely on, also over
 * instructions that exit; that the guest's own debug registers and TF keep
 * working, are not seen from outside, and are not lost to it.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

#define DR6_FIXED	0xffff0ff0ULL
#define DR6_BS		0x4000ULL
#define DR6_BD		0x2000ULL

/* Of SVM in QEMU's emulation: what the VMCB has in DR7 arms nothing. */
#define NEEDS_BREAKPOINTS()						\
	SKIP_ON_TCG("VMRUN does not arm DR7's breakpoints, and there is no DR7.GD")

FIXTURE(dbg) {
	struct vm *vm;
	struct vcpu *vcpu;
	struct kvm_run *run;
};

ASM_GUEST(code,
	  ".globl at_int3, after_int3, bp0, bp1, bp2, bp3, watch_store, watch_next, at_gd, code_done\n"
	  "at_int3: int3\nafter_int3: nop\n"
	  "bp0: nop\nbp1: inc %rbx\nbp2: xor %ecx, %ecx\nbp3: nop\n"
	  "watch_store: movl $5, 0x100000\nwatch_next: nop\n"
	  "at_gd: mov %dr0, %rax\n"
	  "code_done:\n" ASM_DONE);
extern u8 at_int3[], after_int3[], bp0[], bp1[], bp2[], bp3[], watch_store[], watch_next[];
extern u8 at_gd[], code_done[];

FIXTURE_SETUP(dbg)
{
	self->vcpu = vm_long(code);
	self->vm = self->vcpu->vm;
	self->run = self->vcpu->run;
	self->vcpu->exc->action = EXC_IRET;
}

FIXTURE_TEARDOWN(dbg)
{
	vm_free(self->vm);
}

static int debug(struct vcpu *vcpu, u32 control, u64 dr7, u64 addr, int n)
{
	struct kvm_guest_debug d = { .control = control };

	if (n >= 0)
		d.arch.debugreg[n] = addr;
	d.arch.debugreg[7] = dr7;
	return kioctlp(vcpu->fd, KVM_SET_GUEST_DEBUG, &d);
}

static void set_rip(struct vcpu *vcpu, u8 *rip)
{
	struct kvm_regs r;

	vcpu_regs(vcpu, &r);
	r.rip = (u64)rip;
	vcpu_set_regs(vcpu, &r);
}

#define EXPECT_DEBUG(vec, at, dr6_bits) do {				\
	EXPECT_EXIT(self->vcpu, KVM_EXIT_DEBUG);			\
	EXPECT_EQ((u32)(vec), self->run->debug.arch.exception);		\
	EXPECT_EQ((u64)(at), self->run->debug.arch.pc);			\
	if ((vec) == 1)							\
		EXPECT_EQ(DR6_FIXED | (dr6_bits), self->run->debug.arch.dr6); \
} while (0)

TEST_F(dbg, software_breakpoint)
{
	struct kvm_regs r;

	SKIP_ON_TCG("an intercepted #BP does not exit when it is INT3's");
	ASSERT_EQ(0, debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, 0, 0, -1));
	EXPECT_DEBUG(3, at_int3, 0);
	vcpu_regs(self->vcpu, &r);
	EXPECT_EQ((u64)at_int3, r.rip);
	/* Again, and then past it as a debugger does. */
	EXPECT_DEBUG(3, at_int3, 0);
	set_rip(self->vcpu, bp0);
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
	EXPECT_EQ(0, self->vcpu->exc->count);
}

/* Without a debugger INT3 is the guest's. */
TEST_F(dbg, guest_int3)
{
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
	EXPECT_EQ(1, self->vcpu->exc->count);
	EXPECT_EQ(3, self->vcpu->exc->vector);
	EXPECT_EQ((u64)after_int3, self->vcpu->exc->rip);
}

/* Hardware breakpoints alone leave INT3 to the guest, too. */
TEST_F(dbg, hardware_breakpoints)
{
	u8 *at[4] = { bp0, bp1, bp2, bp3 };
	struct kvm_debugregs d;

	NEEDS_BREAKPOINTS();
	for (int i = 0; i < 4; i++) {
		set_rip(self->vcpu, at_int3);
		ASSERT_EQ(0, debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP,
				   0x400 | 2 << (2 * i), (u64)at[i], i));
		EXPECT_DEBUG(1, at[i], 1ULL << i);
		/* The guest's own registers show nothing of it. */
		ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_DEBUGREGS, &d));
		EXPECT_EQ(0, d.db[i]);
		EXPECT_EQ(0x400, d.dr7);
		EXPECT_EQ(DR6_FIXED, d.dr6);
	}
	EXPECT_EQ(4, self->vcpu->exc->count);
	EXPECT_EQ(3, self->vcpu->exc->vector);
	ASSERT_EQ(0, debug(self->vcpu, 0, 0, 0, -1));
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
}

TEST_F(dbg, watchpoints)
{
	NEEDS_BREAKPOINTS();
	for (int i = 0; i < 4; i++) {
		set_rip(self->vcpu, bp0);
		ASSERT_EQ(0, debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP,
				   0x400 | 2 << (2 * i) | 0xdULL << (16 + 4 * i),
				   GPA_DATA, i));
		EXPECT_DEBUG(1, watch_next, 1ULL << i);
		EXPECT_EQ(5, *(u32 *)vm_ptr(self->vm, GPA_DATA));
		*(u32 *)vm_ptr(self->vm, GPA_DATA) = 0;
	}
}

/* ------------------------------------------------------------- single step */

ASM_GUEST(steps,
	  ".globl s0, s1, s2, s3, s4, s5, s6, s7, s8, s9\n"
	  "s0: nop\n"
	  "s1: xor %eax, %eax\n"
	  "s2: cpuid\n"
	  "s3: mov $0xc0000080, %ecx\n"
	  "s4: rdmsr\n"
	  "s5: mov %cr3, %rax\n"
	  "s6: mov %rax, %cr3\n"
	  "s7: push %rax\n"
	  "s8: jmp s9\n"
	  "hlt\n"
	  "s9: nop; hlt\n");
extern u8 s0[], s1[], s2[], s3[], s4[], s5[], s6[], s7[], s8[], s9[];

TEST_F(dbg, single_step)
{
	u8 *at[] = { s1, s2, s3, s4, s5, s6, s7, s8, s9, s9 + 1 };
	struct kvm_regs r;

	set_rip(self->vcpu, s0);
	ASSERT_EQ(0, debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, 0, 0, -1));
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		EXPECT_DEBUG(1, at[i], DR6_BS);
		vcpu_regs(self->vcpu, &r);
		EXPECT_EQ((u64)at[i], r.rip);
		/* TF is the debugger's: the VMM does not see it. */
		EXPECT_EQ(0, r.rflags & 0x100);
	}
	ASSERT_EQ(0, debug(self->vcpu, 0, 0, 0, -1));
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	EXPECT_EQ(0, self->vcpu->exc->count);
}

ASM_GUEST(step_io, ".globl io0, io1, io2\n"
	  "io0: out %al, $0x80\nio1: in $0x80, %al\nio2: nop; hlt\n");
extern u8 io0[], io1[], io2[];

/* The exit to userspace comes first, then the step behind the instruction. */
TEST_F(dbg, single_step_io)
{
	set_rip(self->vcpu, io0);
	ASSERT_EQ(0, debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, 0, 0, -1));
	EXPECT_EXIT(self->vcpu, KVM_EXIT_IO);
	EXPECT_DEBUG(1, io1, DR6_BS);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_IO);
	EXPECT_DEBUG(1, io2, DR6_BS);
	EXPECT_DEBUG(1, io2 + 1, DR6_BS);
}

/* PUSHF under a single step must not show the debugger's TF to the guest. */
ASM_GUEST(step_pushf, ".globl pf0\npf0: pushf; pop %rbx; hlt\n");
extern u8 pf0[];

TEST_F(dbg, single_step_then_run)
{
	struct kvm_regs r;

	set_rip(self->vcpu, s0);
	ASSERT_EQ(0, debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, 0, 0, -1));
	EXPECT_DEBUG(1, s1, DR6_BS);
	ASSERT_EQ(0, debug(self->vcpu, 0, 0, 0, -1));
	set_rip(self->vcpu, pf0);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	vcpu_regs(self->vcpu, &r);
	EXPECT_EQ(0, r.rbx & 0x100);
	EXPECT_EQ(0, self->vcpu->exc->count);
}

/* A step with interrupts held back, though one is waiting. */
ASM_GUEST(step_if, ".globl if0, if1, if2\nif0: nop\nif1: nop\nif2: hlt\n");
extern u8 if0[], if1[], if2[];

TEST_F(dbg, single_step_blocks_irq)
{
	struct kvm_regs r;

	if (dev_cap(KVM_CAP_SET_GUEST_DEBUG2) <= 0 ||
	    !(dev_cap(KVM_CAP_SET_GUEST_DEBUG2) & KVM_GUESTDBG_BLOCKIRQ))
		SKIP(return, "KVM_GUESTDBG_BLOCKIRQ is not offered");
	set_rip(self->vcpu, if0);
	vcpu_regs(self->vcpu, &r);
	r.rflags |= 0x200;
	vcpu_set_regs(self->vcpu, &r);
	ASSERT_EQ(0, debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |
			   KVM_GUESTDBG_BLOCKIRQ, 0, 0, -1));
	ASSERT_EQ(0, kioctl(self->vcpu->fd, KVM_NMI, 0));
	EXPECT_DEBUG(1, if1, DR6_BS);
	EXPECT_DEBUG(1, if2, DR6_BS);
	EXPECT_EQ(0, self->vcpu->exc->count);
	ASSERT_EQ(0, debug(self->vcpu, 0, 0, 0, -1));
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	EXPECT_EQ(1, self->vcpu->exc->count);
	EXPECT_EQ(2, self->vcpu->exc->vector);
}

/* ----------------------------------------------------- general detect, inject */

TEST_F(dbg, general_detect)
{
	NEEDS_BREAKPOINTS();
	set_rip(self->vcpu, bp0);
	ASSERT_EQ(0, debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP,
			   0x400 | 1 << 13, 0, -1));
	EXPECT_DEBUG(1, at_gd, DR6_BD);
	ASSERT_EQ(0, debug(self->vcpu, 0, 0, 0, -1));
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
}

TEST_F(dbg, injected_by_debugger)
{
	set_rip(self->vcpu, bp0);
	self->vcpu->exc->action = EXC_UCALL;
	ASSERT_EQ(0, debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_DB, 0, 0, -1));
	EXPECT_UCALL(self->vcpu, UCALL_IRQ);
	EXPECT_EQ(1, self->vcpu->exc->vector);
	EXPECT_EQ((u64)bp0, self->vcpu->exc->rip);
	self->vcpu->exc->action = EXC_IRET;
	ASSERT_EQ(0, debug(self->vcpu, 0, 0, 0, -1));
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
}

/* ------------------------------------------------- the guest's own registers */

static GUEST_FN void guest_own_watch(void)
{
	static volatile u32 target;
	struct guest_exc *e = g_exc();
	u64 dr6, dr7 = 0x400 | 2 | 0xdUL << 16;

	e->action = EXC_IRET;
	asm volatile("mov %0, %%dr0" : : "r"(&target));
	asm volatile("mov %0, %%dr7" : : "r"(dr7));
	target = 5;
	asm volatile("mov %%dr6, %0" : "=r"(dr6));
	G_ASSERT(e->count == 1 && e->vector == 1, e->count);
	G_ASSERT((dr6 & 0xf) == 1, dr6);
	/* Kept over exits of all kinds. */
	g_ucall(UCALL_SYNC, dr6, 0);
	target = 6;
	G_ASSERT(e->count == 2, e->count);
	/* Switched off it is quiet. */
	asm volatile("mov %0, %%dr7" : : "r"(0x400UL));
	target = 7;
	G_ASSERT(e->count == 2, e->count);
	/* GD: a MOV DR faults, before it is done. */
	e->count = 0;
	asm volatile("mov %0, %%dr7" : : "r"(0x400UL | 1 << 13));
	e->action = EXC_REPORT;
	G_ASSERT(G_TRY("mov %%rax, %%dr1", : "a"(0x1234) : "r11", "memory") == 1, e->vector);
	asm volatile("mov %%dr6, %0" : "=r"(dr6));
	G_ASSERT(dr6 & DR6_BD, dr6);
	g_done();
}

static GUEST_FN void guest_trap_flag(void)
{
	struct guest_exc *e = g_exc();
	u64 dr6;

	e->action = EXC_IRET;
	/* TF: after the instruction that follows the POPF, and no longer. */
	asm volatile("mov %0, %%dr6" : : "r"(DR6_FIXED));
	asm volatile("pushf; orw $0x100, (%%rsp); popf; nop; pushf; andw $0xfeff, (%%rsp); popf"
		     : : : "memory", "cc");
	asm volatile("mov %%dr6, %0" : "=r"(dr6));
	G_ASSERT(e->count == 4, e->count);
	G_ASSERT(dr6 & DR6_BS, dr6);
	/* TF over an instruction that exits. */
	e->count = 0;
	asm volatile("pushf; orw $0x100, (%%rsp); popf; cpuid; pushf; andw $0xfeff, (%%rsp); popf"
		     : : "a"(0), "c"(0) : "rbx", "rdx", "memory", "cc");
	G_ASSERT(e->count == 4, e->count);
	g_done();
}

TEST_F(dbg, guest_trap_flag)
{
	struct ucall uc;

	vcpu_long(self->vcpu, guest_trap_flag);
	uc = vcpu_ucall(self->vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd)
		TH_LOG("line %lu, value %#lx", uc.a, uc.b);
}

TEST_F(dbg, guest_owns_debug_registers)
{
	struct kvm_debugregs d;
	struct ucall uc;

	NEEDS_BREAKPOINTS();
	vcpu_long(self->vcpu, guest_own_watch);
	uc = vcpu_ucall(self->vcpu);
	ASSERT_EQ(UCALL_SYNC, uc.cmd)
		TH_LOG("line %lu, value %#lx", uc.a, uc.b);
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_DEBUGREGS, &d));
	EXPECT_EQ(DR6_FIXED | 1, d.dr6);
	EXPECT_EQ(0xd0402, d.dr7);
	uc = vcpu_ucall(self->vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd)
		TH_LOG("line %lu, value %#lx", uc.a, uc.b);
}

/* What the VMM sets as the guest's is armed at once. */
TEST_F(dbg, set_debugregs_arms)
{
	struct kvm_debugregs d = {
		.db = { (u64)bp1 }, .dr6 = DR6_FIXED, .dr7 = 0x402,
	};

	NEEDS_BREAKPOINTS();
	set_rip(self->vcpu, bp0);
	self->vcpu->exc->action = EXC_UCALL;
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_DEBUGREGS, &d));
	EXPECT_UCALL(self->vcpu, UCALL_IRQ);
	EXPECT_EQ(1, self->vcpu->exc->vector);
	EXPECT_EQ((u64)bp1, self->vcpu->exc->rip);
}

ASM_GUEST(rf_code, ".globl rf_next\ncpuid\nrf_next: nop\n" ASM_DONE);
extern u8 rf_next[];

/* RF is for one instruction, be it one that exits (SDM 18.3.1.1). */
TEST_F(dbg, rf_ends_with_an_insn_that_exits)
{
	struct kvm_debugregs d = {
		.db = { (u64)rf_next }, .dr6 = DR6_FIXED, .dr7 = 0x402,
	};
	struct kvm_regs r;

	if (dev_is_stock())
		SKIP(return, "stock keeps RF, and misses the breakpoint");
	NEEDS_BREAKPOINTS();
	vcpu_regs(self->vcpu, &r);
	r.rip = (u64)rf_code;
	r.rflags = 0x10002;
	vcpu_set_regs(self->vcpu, &r);
	self->vcpu->exc->action = EXC_UCALL;
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_DEBUGREGS, &d));
	EXPECT_UCALL(self->vcpu, UCALL_IRQ);
	EXPECT_EQ(1, self->vcpu->exc->vector);
	EXPECT_EQ((u64)rf_next, self->vcpu->exc->rip);
}

/* The host's own debug registers survive a guest that uses them all. */
TEST_F(dbg, two_vcpus_keep_their_own)
{
	struct vcpu *b = vcpu_new(self->vm, 1);
	struct kvm_debugregs d = { .dr6 = DR6_FIXED, .dr7 = 0x400 };

	vcpu_long(b, s9);
	for (int i = 0; i < 4; i++)
		d.db[i] = 0x1000 * (i + 1);
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_DEBUGREGS, &d));
	EXPECT_EXIT(b, KVM_EXIT_HLT);
	set_rip(self->vcpu, at_gd);
	EXPECT_UCALL(self->vcpu, UCALL_DONE);
	ASSERT_EQ(0, kioctlp(b->fd, KVM_GET_DEBUGREGS, &d));
	EXPECT_EQ(0, d.db[0] | d.db[1] | d.db[2] | d.db[3]);
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_DEBUGREGS, &d));
	EXPECT_EQ(0x2000, d.db[1]);
}

TEST_HARNESS_MAIN
