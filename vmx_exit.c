// SPDX-License-Identifier: GPL-2.0
/*
 * vmx_exit.c - what a VM exit means, and how events get into the guest
 *
 * First half: events.  An exception, interrupt or NMI is injected by filling
 * VM_ENTRY_INTR_INFO; the CPU then delivers it through the guest's IDT as part
 * of the entry.  If that delivery itself exits (an EPT violation on the stack,
 * say), the exit tells in the IDT-vectoring information what was interrupted,
 * and vmx_complete_interrupts() puts it back so that the next entry injects it
 * again.
 *
 * Second half: exits.  vmx_handle_exit() looks the basic exit reason up in
 * vmx_exit_handlers[].  The return contract of a handler, and of everything that
 * it calls for its result:
 *
 *	1	done: enter the guest again
 *	0	return to userspace; vcpu->run is filled
 *	< 0	KVM_RUN fails with this errno
 *
 * Handlers run with interrupts and preemption on, the vCPU loaded, kvm->srcu
 * held.  They read from the VMCS what they need and nothing else.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/nospec.h>
#include <uapi/asm/debugreg.h>
#include <asm/trapnr.h>
#include <asm/vmx.h>

#include "vmcs_check.h"
#include "vmx.h"

/* ---- events into the guest ---- */

bool vmx_get_nmi_mask(struct kvm_vcpu *vcpu)
{
	return vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) & GUEST_INTR_STATE_NMI;
}

static void vmx_change_interruptibility(u32 mask, u32 bits)
{
	u32 old = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);
	u32 new = (old & ~mask) | bits;

	if (new != old)
		vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, new);
}

void vmx_set_nmi_mask(struct kvm_vcpu *vcpu, bool masked)
{
	vmx_change_interruptibility(GUEST_INTR_STATE_NMI, masked ? GUEST_INTR_STATE_NMI : 0);
}

u32 vmx_get_interrupt_shadow(struct kvm_vcpu *vcpu)
{
	u32 info = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);
	u32 shadow = 0;

	if (info & GUEST_INTR_STATE_STI)
		shadow |= KVM_X86_SHADOW_INT_STI;
	if (info & GUEST_INTR_STATE_MOV_SS)
		shadow |= KVM_X86_SHADOW_INT_MOV_SS;
	return shadow;
}

/* Both at once is not a state that VM entry takes (SDM 27.3.1.5): MOV SS wins. */
void vmx_set_interrupt_shadow(struct kvm_vcpu *vcpu, u32 shadow)
{
	u32 bits = 0;

	if (shadow & KVM_X86_SHADOW_INT_MOV_SS)
		bits = GUEST_INTR_STATE_MOV_SS;
	else if (shadow & KVM_X86_SHADOW_INT_STI)
		bits = GUEST_INTR_STATE_STI;
	vmx_change_interruptibility(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS, bits);
}

/**
 * vmx_event_allowed() - could this event be injected at the next entry?
 * @vcpu: loaded vCPU
 * @type: interrupt or NMI
 */
bool vmx_event_allowed(struct kvm_vcpu *vcpu, enum kvm_event_type type)
{
	u32 blocked = GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS;

	if (type == KVM_EVENT_NMI)
		blocked |= GUEST_INTR_STATE_NMI;
	else if (!(kvm_get_rflags(vcpu) & X86_EFLAGS_IF))
		return false;
	return !(vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) & blocked);
}

/**
 * vmx_enable_window() - exit as soon as this event can be injected
 * @vcpu: loaded vCPU
 * @type: interrupt or NMI
 *
 * An NMI that waits for the end of an STI's shadow only may use the interrupt
 * window: a CPU need not open the NMI window there (SDM 26.2).
 */
void vmx_enable_window(struct kvm_vcpu *vcpu, enum kvm_event_type type)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (type == KVM_EVENT_NMI &&
	    !(vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) & GUEST_INTR_STATE_STI))
		vmx_exec_control_set(vmx, CPU_BASED_NMI_WINDOW_EXITING);
	else
		vmx_exec_control_set(vmx, CPU_BASED_INTR_WINDOW_EXITING);
}

static void vmx_write_event(struct vcpu_vmx *vmx, u32 type, u8 vector)
{
	/* INT n, INT3, INTO: the return address is behind the instruction. */
	if (type == INTR_TYPE_SOFT_INTR || type == INTR_TYPE_SOFT_EXCEPTION)
		vmcs_write32(VM_ENTRY_INSTRUCTION_LEN, vmx->vcpu.arch.event_insn_len ?: 1);
	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, vector | type | INTR_INFO_VALID_MASK);
}

/* vcpu->arch.exception; real mode pushes no error code (SDM 27.2.1.3). */
void vmx_inject_exception(struct kvm_vcpu *vcpu)
{
	struct kvm_queued_exception *ex = &vcpu->arch.exception;
	u32 type = INTR_TYPE_HARD_EXCEPTION;

	if (ex->vector == X86_TRAP_BP || ex->vector == X86_TRAP_OF)
		type = INTR_TYPE_SOFT_EXCEPTION;
	if (ex->has_error_code && is_protmode(vcpu)) {
		vmcs_write32(VM_ENTRY_EXCEPTION_ERROR_CODE, ex->error_code);
		type |= INTR_INFO_DELIVER_CODE_MASK;
	}
	vmx_write_event(to_vmx(vcpu), type, ex->vector);
}

/* The window may be open still: behind STI a HLT's exit comes before the window's. */
void vmx_inject_irq(struct kvm_vcpu *vcpu)
{
	struct kvm_queued_interrupt *irq = &vcpu->arch.interrupt;

	vmx_exec_control_clear(to_vmx(vcpu), CPU_BASED_INTR_WINDOW_EXITING);
	vmx_write_event(to_vmx(vcpu), irq->soft ? INTR_TYPE_SOFT_INTR : INTR_TYPE_EXT_INTR,
			irq->nr);
}

void vmx_inject_nmi(struct kvm_vcpu *vcpu)
{
	vmx_write_event(to_vmx(vcpu), INTR_TYPE_NMI_INTR, X86_TRAP_NMI);
}

/*
 * The entry that would have delivered the event does not take place.  The
 * "injected" flags in vcpu->arch are still set: it is injected again next time.
 */
void vmx_cancel_injection(struct kvm_vcpu *vcpu)
{
	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, 0);
}

/*
 * The exit interrupted the delivery of an event: it is to be injected again.
 * SDM 28.2.4; for an NMI the blocking that its delivery began is undone.
 */
static void vmx_requeue_event(struct vcpu_vmx *vmx)
{
	struct kvm_vcpu *vcpu = &vmx->vcpu;
	u32 info = vmx->idt_vectoring_info;
	u8 vector = info & VECTORING_INFO_VECTOR_MASK;
	bool has_error = info & VECTORING_INFO_DELIVER_CODE_MASK;

	switch (info & VECTORING_INFO_TYPE_MASK) {
	case INTR_TYPE_NMI_INTR:
		vcpu->arch.nmi_injected = true;
		vmx_set_nmi_mask(vcpu, false);
		break;
	case INTR_TYPE_SOFT_EXCEPTION:
		vcpu->arch.event_insn_len = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
		fallthrough;
	case INTR_TYPE_HARD_EXCEPTION:
		kvm_requeue_exception(vcpu, vector, has_error,
				      has_error ? vmcs_read32(IDT_VECTORING_ERROR_CODE) : 0);
		break;
	case INTR_TYPE_SOFT_INTR:
		vcpu->arch.event_insn_len = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
		fallthrough;
	case INTR_TYPE_EXT_INTR:
		vcpu->arch.interrupt.injected = true;
		vcpu->arch.interrupt.soft = (info & VECTORING_INFO_TYPE_MASK) ==
					    INTR_TYPE_SOFT_INTR;
		vcpu->arch.interrupt.nr = vector;
		break;
	default:
		break;
	}
	vcpu->stat.reinjections++;
	kvm_make_request(KVM_REQ_EVENT, vcpu);
}

/*
 * After every exit: what was injected has been delivered, unless the exit says
 * otherwise.  If the entry failed, nothing was delivered and nothing changes.
 */
void vmx_complete_interrupts(struct vcpu_vmx *vmx)
{
	struct kvm_vcpu_arch *arch = &vmx->vcpu.arch;

	if (unlikely(vmx->fail || (vmx->exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY))) {
		vmx_cancel_injection(&vmx->vcpu);
		return;
	}
	arch->nmi_injected = false;
	arch->exception.injected = false;
	arch->interrupt.injected = false;
	if (unlikely(vmx->idt_vectoring_info & VECTORING_INFO_VALID_MASK))
		vmx_requeue_event(vmx);
}

/*
 * An IRET unblocks NMIs first and may then fault: in the guest's eyes it did not
 * execute, so NMIs are blocked still (SDM 28.2.3, "NMI unblocking due to IRET").
 */
static void vmx_recover_nmi_blocking(struct vcpu_vmx *vmx, u32 unblocked)
{
	if (unblocked && !(vmx->idt_vectoring_info & VECTORING_INFO_VALID_MASK))
		vmx_set_nmi_mask(&vmx->vcpu, true);
}

/* ---- what must be done before interrupts are on again ---- */

/**
 * vmx_handle_exit_irqoff() - give the host its NMIs and machine checks
 * @vcpu: the vCPU that just exited; interrupts are off
 *
 * An NMI exit has blocked NMIs as an NMI does; the INT 2 runs the host's
 * handler, whose IRET unblocks them.  External interrupts need nothing: they
 * were not acknowledged, and are taken as soon as interrupts are enabled.
 */
void vmx_handle_exit_irqoff(struct kvm_vcpu *vcpu)
{
	u16 basic = to_vmx(vcpu)->exit_reason;
	u32 info;

	/* A machine check during the entry made it fail (SDM 27.9). */
	if (unlikely(basic == EXIT_REASON_MCE_DURING_VMENTRY))
		kvm_raise_host_mce();
	if (likely(basic != EXIT_REASON_EXCEPTION_NMI))
		return;
	info = vmx_get_intr_info(vcpu);
	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR)
		asm volatile("int $2");
	else if ((info & (INTR_INFO_VECTOR_MASK | INTR_INFO_INTR_TYPE_MASK)) ==
		 (X86_TRAP_MC | INTR_TYPE_HARD_EXCEPTION))
		kvm_raise_host_mce();
}

/* ---- the instruction that exited ---- */

/**
 * vmx_skip_emulated_instruction() - move RIP past it, end its interrupt shadow
 * @vcpu: loaded vCPU; the exit was caused by an instruction
 */
void vmx_skip_emulated_instruction(struct kvm_vcpu *vcpu)
{
	unsigned long old = kvm_rip_read(vcpu);
	unsigned long rip = old + vmcs_read32(VM_EXIT_INSTRUCTION_LEN);

	/* Outside 64-bit mode EIP wraps at 4 GiB; only then is the mode asked for. */
	if (unlikely((old ^ rip) >> 32) && !is_64_bit_mode(vcpu))
		rip = (u32)rip;
	kvm_rip_write(vcpu, rip);
	vmx_change_interruptibility(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS, 0);
}

/* The end of most instructions: #GP if it failed, else past it. */
static int vmx_complete_insn(struct kvm_vcpu *vcpu, int err)
{
	if (!err)
		return kvm_skip_emulated_instruction(vcpu);
	kvm_queue_exception_e(vcpu, X86_TRAP_GP, 0);
	return 1;
}

/* ---- exceptions and interrupts ---- */

static int handle_debug_exception(struct kvm_vcpu *vcpu, u32 intr_info)
{
	unsigned long dr6 = vmx_get_exit_qual(vcpu);

	/* INT1 (ICEBP) is a trap: its #DB comes behind the instruction. */
	if ((intr_info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_PRIV_SW_EXCEPTION)
		vmx_skip_emulated_instruction(vcpu);
	/*
	 * In a shadow with TF set, VM entry wants the pending single step to be
	 * noted (SDM 27.3.1.5); the exit has taken it from there.
	 */
	else if ((kvm_get_rflags(vcpu) & X86_EFLAGS_TF) && vmx_get_interrupt_shadow(vcpu))
		vmcs_writel(GUEST_PENDING_DBG_EXCEPTIONS,
			    vmcs_readl(GUEST_PENDING_DBG_EXCEPTIONS) | DR_STEP);
	return kvm_handle_debug_exit(vcpu, dr6, false, 0);
}

static int handle_exception_nmi(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 info = vmx_get_intr_info(vcpu);
	u8 vector = info & INTR_INFO_VECTOR_MASK;

	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR) {
		vcpu->stat.nmi_exits++;
		return 1;	/* done by vmx_handle_exit_irqoff() */
	}
	if (vector == X86_TRAP_MC)
		return 1;	/* likewise */

	vmx_recover_nmi_blocking(vmx, info & INTR_INFO_UNBLOCK_NMI);
	if (vmx->idt_vectoring_info & VECTORING_INFO_VALID_MASK) {
		u64 data[] = { vmx->idt_vectoring_info, info };

		return kvm_internal_error(vcpu, KVM_INTERNAL_ERROR_SIMUL_EX, data,
					  ARRAY_SIZE(data));
	}

	switch (vector) {
	case X86_TRAP_DB:
		return handle_debug_exception(vcpu, info);
	case X86_TRAP_BP:
		vcpu->arch.event_insn_len = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
		return kvm_handle_debug_exit(vcpu, 0, true, vcpu->arch.event_insn_len);
	case X86_TRAP_UD:
		return kvm_handle_ud(vcpu, KVM_VMCALL_BYTE);
	case X86_TRAP_AC:
		kvm_queue_exception_e(vcpu, X86_TRAP_AC, vmcs_read32(VM_EXIT_INTR_ERROR_CODE));
		return 1;
	}
	vcpu->run->exit_reason = KVM_EXIT_EXCEPTION;
	vcpu->run->ex.exception = vector;
	vcpu->run->ex.error_code = vmcs_read32(VM_EXIT_INTR_ERROR_CODE);
	return 0;
}

static int handle_external_interrupt(struct kvm_vcpu *vcpu)
{
	vcpu->stat.irq_exits++;
	return 1;
}

static int handle_triple_fault(struct kvm_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

static int handle_interrupt_window(struct kvm_vcpu *vcpu)
{
	vmx_exec_control_clear(to_vmx(vcpu), CPU_BASED_INTR_WINDOW_EXITING);
	kvm_make_request(KVM_REQ_EVENT, vcpu);
	vcpu->stat.irq_window_exits++;
	return 1;
}

static int handle_nmi_window(struct kvm_vcpu *vcpu)
{
	vmx_exec_control_clear(to_vmx(vcpu), CPU_BASED_NMI_WINDOW_EXITING);
	kvm_make_request(KVM_REQ_EVENT, vcpu);
	vcpu->stat.nmi_window_exits++;
	return 1;
}

/* ---- memory ---- */

#define EPT_QUAL_READ		BIT(0)
#define EPT_QUAL_WRITE		BIT(1)
#define EPT_QUAL_EXEC		BIT(2)
#define EPT_QUAL_ENTRY_RWX	GENMASK(5, 3)	/* what the entry allows */
#define EPT_QUAL_GVA_VALID	BIT(7)
#define EPT_QUAL_TRANSLATED	BIT(8)	/* not an access to the guest's page tables */
#define EPT_QUAL_NMI_UNBLOCKED	BIT(12)

/*
 * CPUs tell the length of the instruction at an EPT violation too, but the SDM does not
 * promise it (28.2.5): a hypervisor below us may not.  RIP is the instruction's only if
 * it was not the delivery of an event that wrote.
 */
static bool vmx_write_can_be_skipped(struct kvm_vcpu *vcpu, unsigned long qual)
{
	return (qual & (EPT_QUAL_READ | EPT_QUAL_WRITE | EPT_QUAL_TRANSLATED)) ==
	       (EPT_QUAL_WRITE | EPT_QUAL_TRANSLATED) &&
	       !(to_vmx(vcpu)->idt_vectoring_info & VECTORING_INFO_VALID_MASK) &&
	       !boot_cpu_has(X86_FEATURE_HYPERVISOR);
}

/* SDM 28.2.1, table "Exit Qualification for EPT Violations". */
static int handle_ept_violation(struct kvm_vcpu *vcpu)
{
	unsigned long qual = vmx_get_exit_qual(vcpu);
	gpa_t gpa = vmcs_read64(GUEST_PHYSICAL_ADDRESS);
	u32 access = 0;

	vcpu->stat.tdp_faults++;
	if (qual & EPT_QUAL_READ)
		access |= KVM_FAULT_READ;
	if (qual & EPT_QUAL_WRITE)
		access |= KVM_FAULT_WRITE;
	if (qual & EPT_QUAL_EXEC)
		access |= KVM_FAULT_EXEC;
	if (qual & EPT_QUAL_ENTRY_RWX)
		access |= KVM_FAULT_PRESENT;
	if ((qual & EPT_QUAL_GVA_VALID) && (qual & EPT_QUAL_TRANSLATED)) {
		access |= KVM_FAULT_GVA_VALID;
		vcpu->arch.fault_gva = vmcs_readl(GUEST_LINEAR_ADDRESS);
	}
	if (vmx_write_can_be_skipped(vcpu, qual))
		access |= KVM_FAULT_CAN_SKIP;
	vmx_recover_nmi_blocking(to_vmx(vcpu), qual & EPT_QUAL_NMI_UNBLOCKED);
	return kvm_mmu_page_fault(vcpu, gpa, access);
}

/* vmx_vcpu_run() has emptied the buffer: the write is done again, and is logged. */
static int handle_pml_full(struct kvm_vcpu *vcpu)
{
	vmx_recover_nmi_blocking(to_vmx(vcpu), vmx_get_exit_qual(vcpu) & EPT_QUAL_NMI_UNBLOCKED);
	return 1;
}

/* mmu.c writes no entry that the CPU could find misconfigured. */
static int handle_ept_misconfig(struct kvm_vcpu *vcpu)
{
	u64 data[] = { to_vmx(vcpu)->exit_reason, vmcs_read64(GUEST_PHYSICAL_ADDRESS) };

	vmx_dump(vcpu);
	return kvm_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON, data,
				  ARRAY_SIZE(data));
}

/* ---- control and debug registers ---- */

/* Exit qualification of a control-register access: SDM 28.2.1. */
#define CR_QUAL_NR(qual)	((qual) & 0xf)
#define CR_QUAL_TYPE(qual)	(((qual) >> 4) & 3)
#define CR_QUAL_GPR(qual)	(((qual) >> 8) & 0xf)
#define CR_QUAL_LMSW_DATA(qual)	(((qual) >> 16) & 0xffff)
enum { CR_MOV_TO, CR_MOV_FROM, CR_CLTS, CR_LMSW };

static int handle_mov_to_cr(struct kvm_vcpu *vcpu, int cr, unsigned long val)
{
	switch (cr) {
	case 0:
		return vmx_complete_insn(vcpu, kvm_set_cr0(vcpu, val));
	case 3:
		return vmx_complete_insn(vcpu, kvm_set_cr3(vcpu, val));
	case 4:
		return vmx_complete_insn(vcpu, kvm_set_cr4(vcpu, val));
	case 8:
		return kvm_emulate_set_cr8(vcpu, val);
	}
	return kvm_handle_invalid_op(vcpu);
}

static int handle_mov_from_cr(struct kvm_vcpu *vcpu, int cr, int gpr)
{
	switch (cr) {
	case 3:
		kvm_register_write(vcpu, gpr, kvm_read_cr3(vcpu));
		break;
	case 8:		/* no TPR shadow: arch.cr8 is the truth */
		kvm_register_write(vcpu, gpr, vcpu->arch.cr8);
		break;
	default:
		return kvm_handle_invalid_op(vcpu);
	}
	return kvm_skip_emulated_instruction(vcpu);
}

static int handle_cr(struct kvm_vcpu *vcpu)
{
	unsigned long qual = vmx_get_exit_qual(vcpu);
	int gpr = CR_QUAL_GPR(qual);

	switch (CR_QUAL_TYPE(qual)) {
	case CR_MOV_TO:
		return handle_mov_to_cr(vcpu, CR_QUAL_NR(qual), kvm_register_read(vcpu, gpr));
	case CR_MOV_FROM:
		return handle_mov_from_cr(vcpu, CR_QUAL_NR(qual), gpr);
	case CR_CLTS:
		return vmx_complete_insn(vcpu, kvm_set_cr0(vcpu, kvm_read_cr0(vcpu) & ~X86_CR0_TS));
	default:
		kvm_lmsw(vcpu, CR_QUAL_LMSW_DATA(qual));
		return kvm_skip_emulated_instruction(vcpu);
	}
}

#define DR_QUAL_NR(qual)	((qual) & 7)
#define DR_QUAL_FROM(qual)	((qual) & BIT(4))
#define DR_QUAL_GPR(qual)	(((qual) >> 8) & 0xf)

static int handle_dr(struct kvm_vcpu *vcpu)
{
	unsigned long qual = vmx_get_exit_qual(vcpu);

	return kvm_emulate_mov_dr(vcpu, DR_QUAL_NR(qual), DR_QUAL_GPR(qual), DR_QUAL_FROM(qual));
}

/* ---- instructions ---- */

#define IO_QUAL_SIZE(qual)	(((qual) & 7) + 1)
#define IO_QUAL_IN(qual)	((qual) & BIT(3))
#define IO_QUAL_STRING(qual)	((qual) & BIT(4))
#define IO_QUAL_PORT(qual)	(((qual) >> 16) & 0xffff)

static int handle_io(struct kvm_vcpu *vcpu)
{
	unsigned long qual = vmx_get_exit_qual(vcpu);

	vcpu->stat.io_exits++;
	if (IO_QUAL_STRING(qual))
		return kvm_emulate_instruction(vcpu);
	return kvm_fast_pio(vcpu, IO_QUAL_SIZE(qual), IO_QUAL_PORT(qual), IO_QUAL_IN(qual));
}

/* The guest spins: somebody else has what it waits for. */
static int handle_pause(struct kvm_vcpu *vcpu)
{
	vcpu->stat.pause_exits++;
	vmx_grow_ple_window(to_vmx(vcpu));
	kvm_vcpu_on_spin(vcpu);
	return kvm_skip_emulated_instruction(vcpu);
}

/* There is no virtual PMU, so there is no counter to read. */
static int handle_rdpmc(struct kvm_vcpu *vcpu)
{
	return vmx_complete_insn(vcpu, 1);
}

/*
 * A hardware task switch (16 and 32-bit only) is long and used by no system that
 * matters here; it is not emulated, and said so with all that the exit tells.
 */
static int handle_task_switch(struct kvm_vcpu *vcpu)
{
	u64 data[] = { EXIT_REASON_TASK_SWITCH, vmx_get_exit_qual(vcpu),
		       to_vmx(vcpu)->idt_vectoring_info };

	return kvm_internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION, data, ARRAY_SIZE(data));
}

/* ---- the table ---- */

/*
 * One row for each reason that the controls in use can cause.  Names and
 * counters come from VMX_EXIT_REASON_LIST in vmx_names.h.
 *
 * INVD and WBINVD: caches are coherent with guest memory, nothing to do.
 */
static int (*const vmx_exit_handlers[])(struct kvm_vcpu *vcpu) = {
	[EXIT_REASON_EXCEPTION_NMI]		= handle_exception_nmi,
	[EXIT_REASON_EXTERNAL_INTERRUPT]	= handle_external_interrupt,
	[EXIT_REASON_TRIPLE_FAULT]		= handle_triple_fault,
	[EXIT_REASON_INTERRUPT_WINDOW]		= handle_interrupt_window,
	[EXIT_REASON_NMI_WINDOW]		= handle_nmi_window,
	[EXIT_REASON_TASK_SWITCH]		= handle_task_switch,
	[EXIT_REASON_CPUID]			= kvm_emulate_cpuid,
	[EXIT_REASON_HLT]			= kvm_emulate_halt,
	[EXIT_REASON_INVD]			= kvm_emulate_as_nop,
	[EXIT_REASON_RDPMC]			= handle_rdpmc,
	[EXIT_REASON_VMCALL]			= kvm_emulate_hypercall,
	[EXIT_REASON_VMCLEAR]			= kvm_handle_invalid_op,
	[EXIT_REASON_VMLAUNCH]			= kvm_handle_invalid_op,
	[EXIT_REASON_VMPTRLD]			= kvm_handle_invalid_op,
	[EXIT_REASON_VMPTRST]			= kvm_handle_invalid_op,
	[EXIT_REASON_VMREAD]			= kvm_handle_invalid_op,
	[EXIT_REASON_VMRESUME]			= kvm_handle_invalid_op,
	[EXIT_REASON_VMWRITE]			= kvm_handle_invalid_op,
	[EXIT_REASON_VMOFF]			= kvm_handle_invalid_op,
	[EXIT_REASON_VMON]			= kvm_handle_invalid_op,
	[EXIT_REASON_CR_ACCESS]			= handle_cr,
	[EXIT_REASON_DR_ACCESS]			= handle_dr,
	[EXIT_REASON_IO_INSTRUCTION]		= handle_io,
	[EXIT_REASON_MSR_READ]			= kvm_emulate_rdmsr,
	[EXIT_REASON_MSR_WRITE]			= kvm_emulate_wrmsr,
	[EXIT_REASON_MWAIT_INSTRUCTION]		= kvm_emulate_mwait,
	[EXIT_REASON_MONITOR_INSTRUCTION]	= kvm_emulate_mwait,
	[EXIT_REASON_PAUSE_INSTRUCTION]		= handle_pause,
	[EXIT_REASON_TPR_BELOW_THRESHOLD]	= vmx_handle_tpr_below_threshold,
	[EXIT_REASON_APIC_ACCESS]		= vmx_handle_apic_access,
	[EXIT_REASON_EOI_INDUCED]		= vmx_handle_eoi_induced,
	[EXIT_REASON_APIC_WRITE]		= vmx_handle_apic_write,
	[EXIT_REASON_EPT_VIOLATION]		= handle_ept_violation,
	[EXIT_REASON_EPT_MISCONFIG]		= handle_ept_misconfig,
	[EXIT_REASON_INVEPT]			= kvm_handle_invalid_op,
	[EXIT_REASON_INVVPID]			= kvm_handle_invalid_op,
	[EXIT_REASON_WBINVD]			= kvm_emulate_as_nop,
	[EXIT_REASON_XSETBV]			= kvm_emulate_xsetbv,
	[EXIT_REASON_ENCLS]			= kvm_handle_invalid_op,
	[EXIT_REASON_PML_FULL]			= handle_pml_full,
};

/* The entry did not take place; the guest's state is as it was. */
static int vmx_handle_failed_entry(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	struct kvm_run *run = vcpu->run;

	vcpu->stat.entry_failures++;
	vmx_explain_entry_failure(vcpu);
	run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason =
		vmx->fail ? vmcs_read32(VM_INSTRUCTION_ERROR) : vmx->exit_reason;
	run->fail_entry.cpu = vcpu->cpu;
	return 0;
}

static int vmx_handle_unexpected_exit(struct kvm_vcpu *vcpu)
{
	u64 data[] = { to_vmx(vcpu)->exit_reason, vcpu->cpu };

	pr_warn_ratelimited("unexpected exit reason %#x (%s)\n", to_vmx(vcpu)->exit_reason,
			    vmx_exit_reason_name(to_vmx(vcpu)->exit_reason));
	vmx_dump(vcpu);
	return kvm_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON, data,
				  ARRAY_SIZE(data));
}

/**
 * vmx_handle_exit() - deal with the exit that just happened
 * @vcpu: loaded vCPU
 *
 * Return: 1/0/-errno, see the top of this file.
 */
int vmx_handle_exit(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u16 basic = vmx->exit_reason;

	if (unlikely(vmx->fail || (vmx->exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY)))
		return vmx_handle_failed_entry(vcpu);
	if (likely(basic < KVM_NR_EXIT_REASONS))
		vcpu->stat.exit_reasons[basic]++;
	/* No speculation past the bound: the guest has a say in the reason. */
	basic = array_index_nospec(basic, ARRAY_SIZE(vmx_exit_handlers));
	if (unlikely(basic != (u16)vmx->exit_reason || !vmx_exit_handlers[basic]))
		return vmx_handle_unexpected_exit(vcpu);
	return vmx_exit_handlers[basic](vcpu);
}

/* ---- for tracing ---- */

void vmx_get_exit_info(struct kvm_vcpu *vcpu, struct kvm_exit_info *info)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	*info = (struct kvm_exit_info) {
		.name = vmx_exit_reason_name(vmx->exit_reason),
		.reason = vmx->exit_reason,
		.info1 = vmx_get_exit_qual(vcpu),
		.vectoring = vmx->idt_vectoring_info,
		.intr_info = vmx_get_intr_info(vcpu),
		.error_code = vmcs_read32(VM_EXIT_INTR_ERROR_CODE),
	};
}

/* NULL for what cannot happen here, so that no counter is made for it. */
const char *vmx_exit_name(u32 reason)
{
	static const char * const names[] = {
#define X(constant, name, counter) [constant] = name,
		VMX_EXIT_REASON_LIST(X)
#undef X
	};
	u16 basic = reason;

	if (basic >= ARRAY_SIZE(vmx_exit_handlers) || !vmx_exit_handlers[basic])
		return NULL;
	return names[basic];
}
