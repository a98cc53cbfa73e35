// SPDX-License-Identifier: GPL-2.0
/*
 * svm_exit.c - what a #VMEXIT means, and how events get into the guest
 *
 * First half: events.  An exception, interrupt or NMI is injected by filling the
 * VMCB's EVENTINJ; VMRUN then delivers it through the guest's IDT (APM 15.20).  If
 * that delivery itself exits (a nested page fault on the stack, say), EXITINTINFO
 * tells what was interrupted, and svm_complete_interrupts() puts it back so that
 * the next entry injects it again.
 *
 * NMIs.  Hardware without NMI virtualization does not know that the guest is in
 * its NMI handler, so we do (nmi_masked): the handler ends with the guest's next
 * IRET, which therefore exits.  That exit comes before the IRET is executed:
 *
 *	NMI injected		nmi_masked, IRET exits
 *	exit: IRET at X		no more IRET exits; the IRET may execute
 *	any exit, RIP != X	it has: not masked any more
 *
 * If another NMI waits, it must get in right behind the IRET, and so does one that
 * waits for the end of an interrupt shadow: then the guest is let go for one
 * instruction (RFLAGS.TF, set by svm_vcpu_run() for that entry only), and #DB
 * exits.  Should the instruction itself fault, the guest finds a TF in the RFLAGS
 * on its stack that it did not set: the price of hardware that cannot tell.
 *
 * Second half: exits.  svm_handle_exit() looks the exit code up in
 * svm_exit_handlers[].  The return contract of a handler, and of everything that
 * it calls for its result:
 *
 *	1	done: enter the guest again
 *	0	return to userspace; vcpu->run is filled
 *	< 0	KVM_RUN fails with this errno
 *
 * Handlers run with interrupts and preemption on, the vCPU loaded, kvm->srcu
 * held.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/nospec.h>
#include <uapi/asm/debugreg.h>
#include <asm/trap_pf.h>
#include <asm/trapnr.h>

#include "svm.h"

/* ---- events into the guest ---- */

bool svm_get_nmi_mask(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (svm_features.vnmi)
		return svm->vmcb->control.int_ctl & V_NMI_BLOCKING_MASK;
	return svm->nmi_masked;
}

void svm_set_nmi_mask(struct kvm_vcpu *vcpu, bool masked)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	struct vmcb_control_area *control = &svm->vmcb->control;

	svm->await_iret = false;
	if (svm_features.vnmi) {
		control->int_ctl &= ~V_NMI_BLOCKING_MASK;
		control->int_ctl |= masked ? V_NMI_BLOCKING_MASK : 0;
		vmcb_mark_dirty(svm->vmcb, VMCB_INTR);
		return;
	}
	svm->nmi_masked = masked;
	svm_set_intercept(svm, INTERCEPT_IRET, masked);
}

/* SVM does not tell STI's shadow from that of MOV SS. */
u32 svm_get_interrupt_shadow(struct kvm_vcpu *vcpu)
{
	if (to_svm(vcpu)->vmcb->control.int_state & SVM_INTERRUPT_SHADOW_MASK)
		return KVM_X86_SHADOW_INT_STI | KVM_X86_SHADOW_INT_MOV_SS;
	return 0;
}

void svm_set_interrupt_shadow(struct kvm_vcpu *vcpu, u32 shadow)
{
	struct vmcb_control_area *control = &to_svm(vcpu)->vmcb->control;

	if (shadow)
		control->int_state |= SVM_INTERRUPT_SHADOW_MASK;
	else
		control->int_state &= ~SVM_INTERRUPT_SHADOW_MASK;
}

/**
 * svm_event_allowed() - could this event be injected at the next entry?
 * @vcpu: loaded vCPU
 * @type: interrupt or NMI
 */
bool svm_event_allowed(struct kvm_vcpu *vcpu, enum kvm_event_type type)
{
	if (svm_get_interrupt_shadow(vcpu))
		return false;
	if (type == KVM_EVENT_NMI)
		return !svm_get_nmi_mask(vcpu);
	return kvm_get_rflags(vcpu) & X86_EFLAGS_IF;
}

/*
 * A virtual interrupt of the highest priority (APM 15.21.4) that exits instead of
 * being taken: the moment when it could be is what we want to know.
 */
static void svm_set_irq_window(struct vcpu_svm *svm, bool on)
{
	struct vmcb_control_area *control = &svm->vmcb->control;

	control->int_ctl &= ~V_IRQ_INJECTION_BITS_MASK;
	if (on)
		control->int_ctl |= V_IRQ_INJECTION_BITS_MASK;
	control->int_vector = 0;
	vmcb_mark_dirty(svm->vmcb, VMCB_INTR);
	svm_set_intercept(svm, INTERCEPT_VINTR, on);
}

/**
 * svm_enable_window() - exit as soon as this event can be injected
 * @vcpu: loaded vCPU
 * @type: interrupt or NMI
 */
void svm_enable_window(struct kvm_vcpu *vcpu, enum kvm_event_type type)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (type == KVM_EVENT_IRQ)
		svm_set_irq_window(svm, true);
	else if (svm_get_nmi_mask(vcpu) && !svm->await_iret)
		svm_set_intercept(svm, INTERCEPT_IRET, true);
	else
		svm->nmi_step = true;
}

/*
 * INT n, INT3, INTO: the return address is behind the instruction.  VMRUN pushes
 * RIP as it is in the VMCB (or NRIP, if the CPU has that), so svm_vcpu_run() moves
 * both for this entry.
 */
static void svm_write_event(struct vcpu_svm *svm, u32 type, u8 vector, bool soft)
{
	svm->soft_len = soft ? svm->vcpu.arch.event_insn_len ?: 1 : 0;
	svm->vmcb->control.event_inj = vector | type | SVM_EVTINJ_VALID;
}

static bool is_soft_exception(u8 vector)
{
	return vector == X86_TRAP_BP || vector == X86_TRAP_OF;
}

/* vcpu->arch.exception; real mode pushes no error code. */
void svm_inject_exception(struct kvm_vcpu *vcpu)
{
	struct kvm_queued_exception *ex = &vcpu->arch.exception;
	struct vcpu_svm *svm = to_svm(vcpu);
	u32 type = SVM_EVTINJ_TYPE_EXEPT;

	if (ex->has_error_code && is_protmode(vcpu)) {
		svm->vmcb->control.event_inj_err = ex->error_code;
		type |= SVM_EVTINJ_VALID_ERR;
	}
	svm_write_event(svm, type, ex->vector, is_soft_exception(ex->vector));
}

/* The window may be open still: behind STI a HLT's exit comes before the window's. */
void svm_inject_irq(struct kvm_vcpu *vcpu)
{
	struct kvm_queued_interrupt *irq = &vcpu->arch.interrupt;
	struct vcpu_svm *svm = to_svm(vcpu);

	if (svm->vmcb->control.int_ctl & V_IRQ_MASK)
		svm_set_irq_window(svm, false);
	svm_write_event(svm, irq->soft ? SVM_EVTINJ_TYPE_SOFT : SVM_EVTINJ_TYPE_INTR,
			irq->nr, irq->soft);
}

/* With NMI virtualization VMRUN sets the mask by itself. */
void svm_inject_nmi(struct kvm_vcpu *vcpu)
{
	svm_write_event(to_svm(vcpu), SVM_EVTINJ_TYPE_NMI, X86_TRAP_NMI, false);
	if (!svm_features.vnmi)
		svm_set_nmi_mask(vcpu, true);
}

/*
 * The entry that would have delivered the event does not take place.  The
 * "injected" flags in vcpu->arch are still set: it is injected again next time.
 */
void svm_cancel_injection(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (vcpu->arch.nmi_injected)
		svm_set_nmi_mask(vcpu, false);
	svm->vmcb->control.event_inj = 0;
	svm->soft_len = 0;
}

/*
 * The exit interrupted the delivery of an event: it is to be injected again.  An
 * instruction's event that we did not inject needs nothing, because RIP is still
 * on the instruction, which will be executed again.
 */
static void svm_requeue_event(struct vcpu_svm *svm, u32 info, u8 soft_len)
{
	struct kvm_vcpu *vcpu = &svm->vcpu;
	u8 vector = info & SVM_EXITINTINFO_VEC_MASK;
	u32 type = info & SVM_EXITINTINFO_TYPE_MASK;
	bool has_error = info & SVM_EXITINTINFO_VALID_ERR;
	bool soft = type == SVM_EXITINTINFO_TYPE_SOFT ||
		    (type == SVM_EXITINTINFO_TYPE_EXEPT && is_soft_exception(vector));

	if (soft && !soft_len) {
		vcpu->arch.soft_event_interrupted = true;
		return;
	}
	vcpu->arch.event_insn_len = soft_len;

	switch (type) {
	case SVM_EXITINTINFO_TYPE_NMI:
		vcpu->arch.nmi_injected = true;
		svm_set_nmi_mask(vcpu, false);
		break;
	case SVM_EXITINTINFO_TYPE_EXEPT:
		kvm_requeue_exception(vcpu, vector, has_error,
				      has_error ? svm->vmcb->control.exit_int_info_err : 0);
		break;
	case SVM_EXITINTINFO_TYPE_SOFT:
	case SVM_EXITINTINFO_TYPE_INTR:
		vcpu->arch.interrupt.injected = true;
		vcpu->arch.interrupt.soft = soft;
		vcpu->arch.interrupt.nr = vector;
		break;
	default:
		break;
	}
	vcpu->stat.reinjections++;
	kvm_make_request(KVM_REQ_EVENT, vcpu);
}

/* The IRET that was let through has been executed. */
static void svm_note_iret(struct vcpu_svm *svm)
{
	if (kvm_rip_read(&svm->vcpu) == svm->iret_rip)
		return;
	svm->await_iret = false;
	svm->nmi_masked = false;
	kvm_make_request(KVM_REQ_EVENT, &svm->vcpu);
}

/*
 * After every exit: what was injected has been delivered, unless the exit says
 * otherwise.  If VMRUN refused, nothing was delivered and nothing changes.
 */
void svm_complete_interrupts(struct vcpu_svm *svm)
{
	struct kvm_vcpu_arch *arch = &svm->vcpu.arch;
	u32 info = svm->vmcb->control.exit_int_info;
	u8 soft_len = svm->soft_len;

	if (unlikely(svm->exit_code == SVM_EXIT_REFUSED)) {
		svm_cancel_injection(&svm->vcpu);
		return;
	}
	if (svm->exit_code == SVM_EXIT_SHUTDOWN)
		info = 0;	/* the event that could not be delivered */
	/* RIP is behind the instruction, but its event was not delivered. */
	if (unlikely(soft_len) && (info & SVM_EXITINTINFO_VALID))
		kvm_rip_write(&svm->vcpu, kvm_rip_read(&svm->vcpu) - soft_len);
	if (unlikely(svm->await_iret))
		svm_note_iret(svm);

	svm->soft_len = 0;
	arch->nmi_injected = false;
	arch->exception.injected = false;
	arch->interrupt.injected = false;
	arch->soft_event_interrupted = false;
	if (unlikely(info & SVM_EXITINTINFO_VALID))
		svm_requeue_event(svm, info, soft_len);
}

/* ---- what must be done before interrupts are on again ---- */

/**
 * svm_handle_exit_irqoff() - give the host its machine checks
 * @vcpu: the vCPU that just exited; interrupts are off
 *
 * NMIs and interrupts need nothing: an intercept leaves them pending, and they
 * are taken as soon as GIF is 1 and interrupts are on.
 */
void svm_handle_exit_irqoff(struct kvm_vcpu *vcpu)
{
	if (unlikely(to_svm(vcpu)->exit_code == SVM_EXIT_EXCP_BASE + X86_TRAP_MC))
		kvm_raise_host_mce();
}

/* ---- the instruction that exited ---- */

/*
 * Where the next instruction is; 0: the guest took this one's page away.  The
 * hardware tells for IN and OUT always, for others if it has NRIP.
 */
static unsigned long svm_next_rip(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	unsigned long rip;
	int len;

	if (svm->exit_code == SVM_EXIT_IOIO)
		return svm->vmcb->control.exit_info_2;
	if (svm_features.nrips && svm->vmcb->control.next_rip)
		return svm->vmcb->control.next_rip;
	len = kvm_insn_len(vcpu);
	if (!len)
		return 0;
	rip = kvm_rip_read(vcpu) + len;
	return is_64_bit_mode(vcpu) ? rip : (u32)rip;
}

/**
 * svm_skip_emulated_instruction() - move RIP past it, end its interrupt shadow
 * @vcpu: loaded vCPU; the exit was caused by an instruction
 *
 * If another vCPU has just unmapped the instruction, it is executed again, and the
 * guest gets its page fault.
 */
void svm_skip_emulated_instruction(struct kvm_vcpu *vcpu)
{
	unsigned long rip = svm_next_rip(vcpu);

	if (rip)
		kvm_rip_write(vcpu, rip);
	svm_set_interrupt_shadow(vcpu, 0);
}

/* The end of most instructions: #GP if it failed, else past it. */
static int svm_complete_insn(struct kvm_vcpu *vcpu, int err)
{
	if (!err)
		return kvm_skip_emulated_instruction(vcpu);
	kvm_queue_exception_e(vcpu, X86_TRAP_GP, 0);
	return 1;
}

/* ---- exceptions and interrupts ---- */

/* Which of DR6's causes a #DB has, 1 for true. */
#define SVM_DB_CAUSES	(DR_TRAP_BITS | DR6_BD | DR_STEP | DR_SWITCH)

static int handle_db(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	unsigned long causes = svm->exit_dr6 & SVM_DB_CAUSES;

	if (svm->nmi_stepped) {
		causes &= ~DR_STEP;
		if (!causes)
			return 1;
	}
	return kvm_handle_debug_exit(vcpu, causes, false, 0);
}

static int handle_bp(struct kvm_vcpu *vcpu)
{
	return kvm_handle_debug_exit(vcpu, 0, true, kvm_insn_len(vcpu));
}

static int handle_ud(struct kvm_vcpu *vcpu)
{
	return kvm_handle_ud(vcpu, KVM_VMMCALL_BYTE);
}

static int handle_ac(struct kvm_vcpu *vcpu)
{
	kvm_queue_exception_e(vcpu, X86_TRAP_AC, to_svm(vcpu)->vmcb->control.exit_info_1);
	return 1;
}

/* Done by svm_handle_exit_irqoff(), or by the host when GIF became 1. */
static int handle_host_event(struct kvm_vcpu *vcpu)
{
	return 1;
}

static int handle_intr(struct kvm_vcpu *vcpu)
{
	vcpu->stat.irq_exits++;
	return 1;
}

static int handle_nmi(struct kvm_vcpu *vcpu)
{
	vcpu->stat.nmi_exits++;
	return 1;
}

static int handle_vintr(struct kvm_vcpu *vcpu)
{
	svm_set_irq_window(to_svm(vcpu), false);
	kvm_make_request(KVM_REQ_EVENT, vcpu);
	vcpu->stat.irq_window_exits++;
	return 1;
}

static int handle_iret(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	svm_set_intercept(svm, INTERCEPT_IRET, false);
	svm->await_iret = svm_get_nmi_mask(vcpu);
	svm->iret_rip = kvm_rip_read(vcpu);
	if (vcpu->arch.nmi_pending)
		kvm_make_request(KVM_REQ_EVENT, vcpu);
	vcpu->stat.nmi_window_exits++;
	return 1;
}

/*
 * A triple fault.  What the VMCB holds now is up to the CPU (APM 15.14.3), so
 * there is no state to show or to go on with but that of a CPU after INIT.
 */
static int handle_shutdown(struct kvm_vcpu *vcpu)
{
	kvm_vcpu_reset(vcpu, true);
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

/* ---- memory ---- */

/*
 * EXITINFO1 of a nested page fault is a page fault's error code, and says whether the
 * address was an operand's or a page table's (APM 15.25.6).
 */
#define SVM_NPF_FINAL	BIT_ULL(32)

static int handle_npf(struct kvm_vcpu *vcpu)
{
	struct vmcb_control_area *control = &to_svm(vcpu)->vmcb->control;
	u64 error = control->exit_info_1;
	u32 access = KVM_FAULT_READ;

	vcpu->stat.tdp_faults++;
	if (error & X86_PF_INSTR)
		access = KVM_FAULT_EXEC;
	if (error & X86_PF_WRITE)
		access = KVM_FAULT_WRITE;
	if (error & X86_PF_PROT)
		access |= KVM_FAULT_PRESENT;
	if (error & SVM_NPF_FINAL)
		access |= KVM_FAULT_GVA_UNKNOWN;
	return kvm_mmu_page_fault(vcpu, control->exit_info_2, access);
}

/* ---- control and debug registers ---- */

/*
 * With decode assists EXITINFO1 says which general register a MOV has (APM 15.8.1);
 * for CLTS, LMSW and SMSW, and without decode assists, the instruction is emulated.
 */
#define CR_INFO_MOV	BIT_ULL(63)

static bool svm_mov_cr_decoded(struct kvm_vcpu *vcpu, int *gpr)
{
	u64 info = to_svm(vcpu)->vmcb->control.exit_info_1;

	*gpr = info & SVM_EXITINFO_REG_MASK;
	return svm_features.decode_assists && (info & CR_INFO_MOV);
}

static int handle_cr_write(struct kvm_vcpu *vcpu)
{
	u64 code = to_svm(vcpu)->exit_code;
	unsigned long val;
	int gpr;

	if (!svm_mov_cr_decoded(vcpu, &gpr))
		return kvm_emulate_instruction(vcpu);
	val = kvm_register_read(vcpu, gpr);
	switch (code) {
	case SVM_EXIT_WRITE_CR4:
		return svm_complete_insn(vcpu, kvm_set_cr4(vcpu, val));
	case SVM_EXIT_WRITE_CR8:
		return kvm_emulate_set_cr8(vcpu, val);
	default:
		return svm_complete_insn(vcpu, kvm_set_cr0(vcpu, val));
	}
}

static int handle_cr_read(struct kvm_vcpu *vcpu)
{
	u64 code = to_svm(vcpu)->exit_code;
	int gpr;

	if (!svm_mov_cr_decoded(vcpu, &gpr))
		return kvm_emulate_instruction(vcpu);
	kvm_register_write(vcpu, gpr, code == SVM_EXIT_READ_CR0 ? kvm_read_cr0(vcpu) :
								 kvm_read_cr4(vcpu));
	return kvm_skip_emulated_instruction(vcpu);
}

static int handle_dr(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	int dr = svm->exit_code & 7;
	bool from_dr = svm->exit_code < SVM_EXIT_WRITE_DR0;

	if (!svm_features.decode_assists)
		return kvm_emulate_undecoded_mov_dr(vcpu, dr);
	return kvm_emulate_mov_dr(vcpu, dr, svm->vmcb->control.exit_info_1 & SVM_EXITINFO_REG_MASK,
				  from_dr);
}

/* ---- instructions ---- */

/* EXITINFO1 of IN and OUT: APM 15.10.2. */
static int handle_io(struct kvm_vcpu *vcpu)
{
	u32 info = to_svm(vcpu)->vmcb->control.exit_info_1;

	vcpu->stat.io_exits++;
	if (info & SVM_IOIO_STR_MASK)
		return kvm_emulate_instruction(vcpu);
	return kvm_fast_pio(vcpu, (info & SVM_IOIO_SIZE_MASK) >> SVM_IOIO_SIZE_SHIFT, info >> 16,
			    info & SVM_IOIO_TYPE_MASK);
}

static int handle_msr(struct kvm_vcpu *vcpu)
{
	return to_svm(vcpu)->vmcb->control.exit_info_1 ? kvm_emulate_wrmsr(vcpu) :
							 kvm_emulate_rdmsr(vcpu);
}

/* The guest spins: somebody else has what it waits for. */
static int handle_pause(struct kvm_vcpu *vcpu)
{
	vcpu->stat.pause_exits++;
	svm_grow_pause_window(to_svm(vcpu));
	kvm_vcpu_on_spin(vcpu);
	return kvm_skip_emulated_instruction(vcpu);
}

/* There is no virtual PMU, so there is no counter to read. */
static int handle_rdpmc(struct kvm_vcpu *vcpu)
{
	return svm_complete_insn(vcpu, 1);
}

/* ---- the table ---- */

/*
 * One row for each exit that the intercepts in use can cause, by svm_exit_row().
 *
 * INVD and WBINVD: caches are coherent with guest memory, nothing to do.  SVM's own
 * instructions and those that CPUID does not offer raise #UD.
 */
static int (*const svm_exit_handlers[])(struct kvm_vcpu *vcpu) = {
	[SVM_EXIT_READ_CR0]			= handle_cr_read,
	[SVM_EXIT_READ_CR4]			= handle_cr_read,
	[SVM_EXIT_WRITE_CR0]			= handle_cr_write,
	[SVM_EXIT_WRITE_CR4]			= handle_cr_write,
	[SVM_EXIT_WRITE_CR8]			= handle_cr_write,
	[SVM_EXIT_READ_DR0 ... SVM_EXIT_READ_DR7] = handle_dr,
	[SVM_EXIT_WRITE_DR0 ... SVM_EXIT_WRITE_DR7] = handle_dr,
	[SVM_EXIT_EXCP_BASE + X86_TRAP_DB]	= handle_db,
	[SVM_EXIT_EXCP_BASE + X86_TRAP_BP]	= handle_bp,
	[SVM_EXIT_EXCP_BASE + X86_TRAP_UD]	= handle_ud,
	[SVM_EXIT_EXCP_BASE + X86_TRAP_AC]	= handle_ac,
	[SVM_EXIT_EXCP_BASE + X86_TRAP_MC]	= handle_host_event,
	[SVM_EXIT_INTR]				= handle_intr,
	[SVM_EXIT_NMI]				= handle_nmi,
	[SVM_EXIT_SMI]				= handle_host_event,
	[SVM_EXIT_INIT]				= handle_host_event,
	[SVM_EXIT_VINTR]			= handle_vintr,
	[SVM_EXIT_CR0_SEL_WRITE]		= handle_cr_write,
	[SVM_EXIT_RDPMC]			= handle_rdpmc,
	[SVM_EXIT_CPUID]			= kvm_emulate_cpuid,
	[SVM_EXIT_IRET]				= handle_iret,
	[SVM_EXIT_INVD]				= kvm_emulate_as_nop,
	[SVM_EXIT_PAUSE]			= handle_pause,
	[SVM_EXIT_HLT]				= kvm_emulate_halt,
	[SVM_EXIT_INVLPGA]			= kvm_handle_invalid_op,
	[SVM_EXIT_IOIO]				= handle_io,
	[SVM_EXIT_MSR]				= handle_msr,
	[SVM_EXIT_SHUTDOWN]			= handle_shutdown,
	[SVM_EXIT_VMRUN]			= kvm_handle_invalid_op,
	[SVM_EXIT_VMMCALL]			= kvm_emulate_hypercall,
	[SVM_EXIT_VMLOAD]			= kvm_handle_invalid_op,
	[SVM_EXIT_VMSAVE]			= kvm_handle_invalid_op,
	[SVM_EXIT_STGI]				= kvm_handle_invalid_op,
	[SVM_EXIT_CLGI]				= kvm_handle_invalid_op,
	[SVM_EXIT_SKINIT]			= kvm_handle_invalid_op,
	[SVM_EXIT_RDTSCP]			= kvm_handle_invalid_op,
	[SVM_EXIT_WBINVD]			= kvm_emulate_as_nop,
	[SVM_EXIT_MONITOR]			= kvm_emulate_mwait,
	[SVM_EXIT_MWAIT]			= kvm_emulate_mwait,
	[SVM_EXIT_MWAIT_COND]			= kvm_emulate_mwait,
	[SVM_EXIT_XSETBV]			= kvm_emulate_xsetbv,
	[SVM_EXIT_RDPRU]			= kvm_handle_invalid_op,
	[SVM_EXIT_INVPCID]			= kvm_handle_invalid_op,
	[SVM_EXIT_ROW(SVM_EXIT_NPF)]		= handle_npf,
};

/*
 * VMRUN refused.  On hardware the guest's state is as it was; some emulators write
 * the host's over it.
 */
static int svm_handle_failed_entry(struct kvm_vcpu *vcpu)
{
	vcpu->stat.entry_failures++;
	svm_explain_entry_failure(vcpu);
	vcpu->run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	vcpu->run->fail_entry.hardware_entry_failure_reason = (u32)SVM_EXIT_ERR;
	vcpu->run->fail_entry.cpu = vcpu->cpu;
	return 0;
}

static int svm_handle_unexpected_exit(struct kvm_vcpu *vcpu)
{
	u64 code = to_svm(vcpu)->exit_code;
	u64 data[] = { code, vcpu->cpu };

	pr_warn_ratelimited("unexpected exit code %#llx (%s)\n", code, svm_exit_code_name(code));
	svm_dump(vcpu);
	return kvm_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON, data,
				  ARRAY_SIZE(data));
}

/**
 * svm_handle_exit() - deal with the exit that just happened
 * @vcpu: loaded vCPU
 *
 * Return: 1/0/-errno, see the top of this file.
 */
int svm_handle_exit(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	unsigned int row, safe;

	if (unlikely(svm->exit_code == SVM_EXIT_REFUSED))
		return svm_handle_failed_entry(vcpu);
	row = svm_exit_row(svm->exit_code);
	if (likely(row < KVM_NR_EXIT_REASONS))
		vcpu->stat.exit_reasons[row]++;
	/* No speculation past the bound: the guest has a say in the code. */
	safe = array_index_nospec(row, ARRAY_SIZE(svm_exit_handlers));
	if (unlikely(safe != row || !svm_exit_handlers[safe]))
		return svm_handle_unexpected_exit(vcpu);
	return svm_exit_handlers[safe](vcpu);
}

/* ---- for tracing ---- */

void svm_get_exit_info(struct kvm_vcpu *vcpu, struct kvm_exit_info *info)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	const struct vmcb_control_area *control = &svm->vmcb->control;

	*info = (struct kvm_exit_info) {
		.name = svm_exit_code_name(svm->exit_code),
		.reason = svm->exit_code,
		.info1 = control->exit_info_1,
		.info2 = control->exit_info_2,
		.error_code = control->exit_int_info_err,
		.vectoring = control->exit_int_info,
	};
}

/* NULL for what cannot happen here, so that no counter is made for it. */
const char *svm_exit_name(u32 row)
{
	if (row >= ARRAY_SIZE(svm_exit_handlers) || !svm_exit_handlers[row])
		return NULL;
	return svm_exit_row_name(row);
}
