// SPDX-License-Identifier: GPL-2.0
/*
 * debug.c - debug registers, breakpoints and single step; of the guest's own, and
 * of a debugger outside
 *
 * There is one set of debug registers in a CPU (SDM 18.2) and up to three who want
 * it: the host, the guest, and a debugger that watches the guest through the VMM
 * (KVM_SET_GUEST_DEBUG; QEMU's gdbstub is one).
 *
 *	arch.db, dr6, dr7	what the guest has written, and reads back
 *	arch.eff_db, eff_dr7	what it runs with: the same, or the debugger's
 *				registers if that uses hardware breakpoints
 *
 * DR7 is in the VMCS (and VMCB): entry and exit switch it by themselves, and the
 * host runs with DR7 clear after an exit, so stale addresses in DR0-3 do nothing.
 * DR6 is the vendor's business, for it is in the VMCB and not in the VMCS.
 * DR0-3 have to be moved by hand.  They and DR6 seldom are:
 *
 *	nobody uses them	nothing is moved; the guest's MOV DR exits
 *	eff_dr7 enables one	kvm_load_guest_debugregs() loads DR0-3 at each entry
 *	the guest's MOV DR	exited once: it is about to work on its breakpoints.
 *				Its registers go to hardware (debugreg_in_hw), it
 *				runs MOV DR freely till the next exit, and
 *				kvm_restore_host_debugregs() takes them back.  Not
 *				while a debugger watches: its view must be kept up.
 *
 * The host's own breakpoints, if it has any, are put back after each exit.
 *
 * #DB and #BP of the guest exit.  If the debugger has asked for them, KVM_RUN
 * returns KVM_EXIT_DEBUG; else the guest gets its exception, with the causes in
 * DR6.  They travel as the exception's payload until it is delivered, because a
 * VMM that saves the vCPU in between must see a DR6 that is not yet changed.
 *
 * Single step by the debugger sets RFLAGS.TF in the guest behind its back; that
 * is in x86.c, with RFLAGS.  An instruction that was emulated has to check TF for
 * the hardware: kvm_debug_after_insn().
 *
 * Left out: data breakpoints on accesses that emulate.c makes for the guest; the
 * hardware does not see them.  RTM's and the bus-lock trap's bits exist only
 * as far as CPUID has the features.
 *
 * Locks: all is vcpu->mutex's.
 */
#include <linux/percpu.h>
#include <asm/processor.h>
#include <asm/debugreg.h>
#include "kvm_host.h"

/* SDM 18.2.3, 18.2.4: which bits can be written, and what the rest reads as. */
#define DR6_WRITABLE	(DR_TRAP_BITS | DR_STEP | DR_SWITCH | DR6_BD)
#define DR7_ONE		BIT(10)
#define DR7_WRITABLE	0xffff23ffUL	/* L, G, LE, GE, GD, R/W and LEN */
#define DR7_ENABLES	0xffUL		/* L0, G0, ... G3 */

/* Of a #DB's payload: "breakpoint enabled" is not a bit of DR6 (SDM 26.2.2). */
#define DB_PAYLOAD_ENABLED	BIT(12)

/* ---- what the guest runs with ---- */

static bool debugger_has_hw_bp(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.guest_debug & KVM_GUESTDBG_USE_HW_BP;
}

/**
 * kvm_update_dr7() - dr7 or guest_debug_dr7, or who of them counts, has changed
 * @vcpu:	the vCPU, loaded
 */
void kvm_update_dr7(struct kvm_vcpu *vcpu)
{
	vcpu->arch.eff_dr7 = debugger_has_hw_bp(vcpu) ? vcpu->arch.guest_debug_dr7 :
							vcpu->arch.dr7;
	vcpu->arch.debugreg_active = vcpu->arch.eff_dr7 & DR7_ENABLES;
	kvm_x86_ops.store_reg(vcpu, VCPU_EXREG_DR7);
}

static void update_eff_db(struct kvm_vcpu *vcpu)
{
	if (!debugger_has_hw_bp(vcpu))
		memcpy(vcpu->arch.eff_db, vcpu->arch.db, sizeof(vcpu->arch.eff_db));
}

/**
 * kvm_debug_vcpu_reset() - debug registers as after RESET (SDM table 10-1)
 * @vcpu:	the vCPU, loaded
 */
void kvm_debug_vcpu_reset(struct kvm_vcpu *vcpu)
{
	memset(vcpu->arch.db, 0, sizeof(vcpu->arch.db));
	vcpu->arch.dr6 = DR6_INIT;
	vcpu->arch.dr7 = DR7_ONE;
	update_eff_db(vcpu);
	kvm_update_dr7(vcpu);
}

/* ---- entry and exit ---- */

/**
 * kvm_load_guest_debugregs() - DR0-3 and DR6 for the guest, if it has a use for them
 * @vcpu:	the vCPU, about to enter; interrupts off
 */
void kvm_load_guest_debugregs(struct kvm_vcpu *vcpu)
{
	if (likely(!vcpu->arch.debugreg_active && !vcpu->arch.debugreg_in_hw)) {
		/* The entry loads DR7 anyhow; no host breakpoint may hit before. */
		if (unlikely(hw_breakpoint_active()))
			set_debugreg(DR7_ONE, 7);
		return;
	}

	set_debugreg(DR7_ONE, 7);
	set_debugreg(vcpu->arch.eff_db[0], 0);
	set_debugreg(vcpu->arch.eff_db[1], 1);
	set_debugreg(vcpu->arch.eff_db[2], 2);
	set_debugreg(vcpu->arch.eff_db[3], 3);
	if (vcpu->arch.debugreg_in_hw)
		kvm_x86_ops.store_reg(vcpu, VCPU_EXREG_DR6);
}

/* The guest may have written any of them: from now on MOV DR exits again. */
static void take_debugregs_back(struct kvm_vcpu *vcpu)
{
	get_debugreg(vcpu->arch.db[0], 0);
	get_debugreg(vcpu->arch.db[1], 1);
	get_debugreg(vcpu->arch.db[2], 2);
	get_debugreg(vcpu->arch.db[3], 3);
	kvm_x86_ops.cache_reg(vcpu, VCPU_EXREG_DR6);
	kvm_x86_ops.cache_reg(vcpu, VCPU_EXREG_DR7);

	vcpu->arch.debugreg_in_hw = false;
	update_eff_db(vcpu);
	kvm_update_dr7(vcpu);
}

/**
 * kvm_restore_host_debugregs() - undo kvm_load_guest_debugregs() after the exit
 * @vcpu:	the vCPU; interrupts still off since the entry
 */
void kvm_restore_host_debugregs(struct kvm_vcpu *vcpu)
{
	if (unlikely(vcpu->arch.debugreg_in_hw))
		take_debugregs_back(vcpu);
	if (unlikely(hw_breakpoint_active()))
		hw_breakpoint_restore();
}

/* ---- MOV DR ---- */

/* What of DR6 and DR7 a guest can write depends on its CPU. */
static unsigned long dr6_value(struct kvm_vcpu *vcpu, unsigned long val)
{
	unsigned long writable = DR6_WRITABLE;

	if (guest_cpuid_has(vcpu, X86_FEATURE_RTM))
		writable |= DR6_RTM;
	return (val & writable) | (DR6_INIT & ~writable);
}

static unsigned long dr7_value(unsigned long val)
{
	return (val & DR7_WRITABLE) | DR7_ONE;
}

/**
 * kvm_set_dr() - write a debug register
 * @vcpu:	the vCPU, loaded
 * @dr:		0..7; 4 and 5 mean 6 and 7 (that CR4.DE is clear is checked)
 * @val:	the value; reserved bits below bit 32 are forced to what they are
 *
 * Return: 0, or 1 if MOV DR would cause #GP: bits 63:32 of DR6 and DR7.
 */
int kvm_set_dr(struct kvm_vcpu *vcpu, int dr, unsigned long val)
{
	switch (dr) {
	case 0 ... 3:
		vcpu->arch.db[dr] = val;
		update_eff_db(vcpu);
		return 0;
	case 4:
	case 6:
		if (val >> 32)
			return 1;
		vcpu->arch.dr6 = dr6_value(vcpu, val);
		return 0;
	default:
		if (val >> 32)
			return 1;
		vcpu->arch.dr7 = dr7_value(val);
		kvm_update_dr7(vcpu);
		return 0;
	}
}

/**
 * kvm_get_dr() - read a debug register
 * @vcpu:	the vCPU
 * @dr:		0..7; 4 and 5 mean 6 and 7 (that CR4.DE is clear is checked)
 *
 * Return: its value, as the guest knows it.
 */
unsigned long kvm_get_dr(struct kvm_vcpu *vcpu, int dr)
{
	switch (dr) {
	case 0 ... 3:
		return vcpu->arch.db[dr];
	case 4:
	case 6:
		return vcpu->arch.dr6;
	default:
		return vcpu->arch.dr7;
	}
}

/* KVM_RUN returns with KVM_EXIT_DEBUG. */
static int debug_exit(struct kvm_vcpu *vcpu, u32 exception, unsigned long dr6)
{
	struct kvm_debug_exit_arch *debug = &vcpu->run->debug.arch;

	vcpu->run->exit_reason = KVM_EXIT_DEBUG;
	debug->exception = exception;
	debug->pad = 0;
	debug->pc = kvm_get_linear_rip(vcpu);
	debug->dr6 = dr6;
	debug->dr7 = vcpu->arch.eff_dr7;
	return 0;
}

/*
 * DR7.GD makes MOV DR cause #DB (SDM 18.2.4), but the VM exit came first.
 * The debugger may have set it, to learn who uses its registers.
 */
static int general_detect(struct kvm_vcpu *vcpu)
{
	if (debugger_has_hw_bp(vcpu))
		return debug_exit(vcpu, X86_TRAP_DB, DR6_INIT | DR6_BD);
	kvm_queue_exception_p(vcpu, X86_TRAP_DB, DR6_BD);
	return 1;
}

/**
 * kvm_dr_is_guarded() - does DR7.GD, the guest's or a debugger's, forbid MOV DR?
 * @vcpu:	the vCPU
 */
bool kvm_dr_is_guarded(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.eff_dr7 & DR7_GD;
}

/* What can be done without knowing the operand.  Sets *@r, the run loop's, if so. */
static bool mov_dr_is_done(struct kvm_vcpu *vcpu, int dr, int *r)
{
	*r = 1;
	if ((dr == 4 || dr == 5) && kvm_read_cr4_bits(vcpu, X86_CR4_DE)) {
		kvm_queue_exception(vcpu, X86_TRAP_UD);
		return true;
	}
	if (kvm_x86_ops.get_cpl(vcpu) > 0) {
		kvm_inject_gp(vcpu, 0);
		return true;
	}
	if (kvm_dr_is_guarded(vcpu)) {
		*r = general_detect(vcpu);
		return true;
	}
	if (!vcpu->arch.guest_debug) {
		/* Once more, without an exit; and so for what follows. */
		vcpu->arch.debugreg_in_hw = true;
		return true;
	}
	return false;
}

/**
 * kvm_emulate_mov_dr() - a MOV to or from a debug register exited
 * @vcpu:	the vCPU
 * @dr:		0..7, as encoded
 * @reg:	the general register
 * @from_dr:	which way
 *
 * Return: 1/0/-errno of the run loop.
 */
int kvm_emulate_mov_dr(struct kvm_vcpu *vcpu, int dr, enum kvm_reg reg, bool from_dr)
{
	int r;

	if (mov_dr_is_done(vcpu, dr, &r))
		return r;
	if (from_dr) {
		kvm_register_write(vcpu, reg, kvm_get_dr(vcpu, dr));
	} else if (kvm_set_dr(vcpu, dr, kvm_register_read(vcpu, reg))) {
		kvm_inject_gp(vcpu, 0);
		return 1;
	}
	return kvm_skip_emulated_instruction(vcpu);
}
EXPORT_SYMBOL_GPL(kvm_emulate_mov_dr);

/**
 * kvm_emulate_undecoded_mov_dr() - kvm_emulate_mov_dr() without knowing the operand
 * @vcpu:	the vCPU; kvm->srcu held
 * @dr:		0..7, as encoded
 *
 * It has to be known only while a debugger watches.  Then the emulator finds it.
 *
 * Return: 1/0/-errno of the run loop.
 */
int kvm_emulate_undecoded_mov_dr(struct kvm_vcpu *vcpu, int dr)
{
	int r;

	return mov_dr_is_done(vcpu, dr, &r) ? r : kvm_emulate_instruction(vcpu);
}
EXPORT_SYMBOL_GPL(kvm_emulate_undecoded_mov_dr);

/* ---- #DB and #BP ---- */

/**
 * kvm_get_linear_rip() - where the guest is, for one who sets breakpoints
 * @vcpu:	the vCPU, loaded
 *
 * Return: RIP with CS.base added where that counts.
 */
unsigned long kvm_get_linear_rip(struct kvm_vcpu *vcpu)
{
	unsigned long rip = kvm_rip_read(vcpu);
	struct kvm_segment cs;

	kvm_x86_ops.get_segment(vcpu, &cs, VCPU_SREG_CS);
	if (is_long_mode(vcpu) && cs.l)
		return rip;
	return (u32)(cs.base + rip);
}

/**
 * kvm_handle_debug_exit() - #DB or #BP exited
 * @vcpu:	the vCPU; RIP is where the exception found it
 * @dr6:	a #DB's causes, 1 for true, as the hardware's exit information has them
 * @is_bp:	it is #BP
 * @insn_len:	a #BP's INT3's, in case that the VMM gives it back to the guest
 *
 * Return: 1/0 of the run loop.
 */
int kvm_handle_debug_exit(struct kvm_vcpu *vcpu, unsigned long dr6, bool is_bp, u32 insn_len)
{
	u32 debug = vcpu->arch.guest_debug;

	if (is_bp) {
		vcpu->arch.event_insn_len = insn_len;
		if (debug & KVM_GUESTDBG_USE_SW_BP)
			return debug_exit(vcpu, X86_TRAP_BP, 0);
		kvm_queue_exception(vcpu, X86_TRAP_BP);
		return 1;
	}
	if (debug & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP))
		return debug_exit(vcpu, X86_TRAP_DB, (dr6 & ~DB_PAYLOAD_ENABLED) | DR6_INIT);
	kvm_queue_exception_p(vcpu, X86_TRAP_DB, dr6);
	return 1;
}
EXPORT_SYMBOL_GPL(kvm_handle_debug_exit);

/**
 * kvm_deliver_db_payload() - a #DB is being delivered: show its causes in DR6
 * @vcpu:	the vCPU
 * @payload:	the causes, 1 for true; DR6's RTM bit is stored inverted
 *
 * The processor clears B0-B3 first, and never BD, BS and BT (SDM 18.2.3).
 */
void kvm_deliver_db_payload(struct kvm_vcpu *vcpu, unsigned long payload)
{
	unsigned long dr6 = vcpu->arch.dr6;

	payload &= ~DB_PAYLOAD_ENABLED;
	dr6 = (dr6 & ~DR_TRAP_BITS) | DR6_RTM;
	dr6 |= payload;
	dr6 ^= payload & DR6_RTM;
	vcpu->arch.dr6 = dr6_value(vcpu, dr6);
}

/**
 * kvm_debug_after_insn() - a whole instruction was emulated: is a single step due?
 * @vcpu:	the vCPU; RIP is past the instruction
 * @old_rflags:	RFLAGS that the instruction began with
 *
 * The old TF, because an instruction that sets it does not trap yet (SDM
 * 18.3.1.4).  RF is good for one instruction (SDM 18.3.1.1) and cleared here.
 *
 * Return: 1, or 0 after filling KVM_EXIT_DEBUG.
 */
int kvm_debug_after_insn(struct kvm_vcpu *vcpu, unsigned long old_rflags)
{
	if (old_rflags & X86_EFLAGS_RF)
		kvm_set_rflags(vcpu, kvm_get_rflags(vcpu) & ~X86_EFLAGS_RF);
	if (vcpu->arch.guest_debug & KVM_GUESTDBG_SINGLESTEP)
		return debug_exit(vcpu, X86_TRAP_DB, DR6_INIT | DR_STEP);
	if (old_rflags & X86_EFLAGS_TF)
		kvm_queue_exception_p(vcpu, X86_TRAP_DB, DR_STEP);
	return 1;
}

/* ---- ioctls ---- */

/**
 * kvm_vcpu_ioctl_get_debugregs() - KVM_GET_DEBUGREGS
 * @vcpu:	the vCPU
 * @dbg:	where to; wholly overwritten
 */
void kvm_vcpu_ioctl_get_debugregs(struct kvm_vcpu *vcpu, struct kvm_debugregs *dbg)
{
	int i;

	memset(dbg, 0, sizeof(*dbg));
	for (i = 0; i < KVM_NR_DB_REGS; i++)
		dbg->db[i] = vcpu->arch.db[i];
	dbg->dr6 = vcpu->arch.dr6;
	dbg->dr7 = vcpu->arch.dr7;
}

/**
 * kvm_vcpu_ioctl_set_debugregs() - KVM_SET_DEBUGREGS
 * @vcpu:	the vCPU, loaded
 * @dbg:	the values
 *
 * Return: 0, or -EINVAL for flags and for bits 63:32 of DR6 and DR7.
 */
int kvm_vcpu_ioctl_set_debugregs(struct kvm_vcpu *vcpu, const struct kvm_debugregs *dbg)
{
	int i;

	if (dbg->flags || dbg->dr6 >> 32 || dbg->dr7 >> 32)
		return -EINVAL;

	for (i = 0; i < KVM_NR_DB_REGS; i++)
		vcpu->arch.db[i] = dbg->db[i];
	vcpu->arch.dr6 = dr6_value(vcpu, dbg->dr6);
	vcpu->arch.dr7 = dr7_value(dbg->dr7);
	update_eff_db(vcpu);
	kvm_update_dr7(vcpu);
	return 0;
}

/**
 * kvm_vcpu_ioctl_set_guest_debug() - KVM_SET_GUEST_DEBUG
 * @vcpu:	the vCPU, loaded
 * @dbg:	what the debugger wants; without KVM_GUESTDBG_ENABLE nothing more
 *
 * Return: 0; -EINVAL for unknown flags and for bits 63:32 of the debugger's
 * DR7; -EBUSY if an exception is to be injected and the vCPU has one already.
 * Errors change nothing.
 */
int kvm_vcpu_ioctl_set_guest_debug(struct kvm_vcpu *vcpu, const struct kvm_guest_debug *dbg)
{
	unsigned long rflags;
	int i;

	if (dbg->control & ~KVM_GUESTDBG_VALID)
		return -EINVAL;
	if (dbg->control & KVM_GUESTDBG_USE_HW_BP && dbg->arch.debugreg[7] >> 32)
		return -EINVAL;
	if (dbg->control & (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)) {
		if (vcpu->arch.exception.pending || vcpu->arch.exception.injected)
			return -EBUSY;
		kvm_queue_exception(vcpu, dbg->control & KVM_GUESTDBG_INJECT_DB ?
					  X86_TRAP_DB : X86_TRAP_BP);
	}

	/* Without the TF of the old setting, and then with that of the new one. */
	rflags = kvm_get_rflags(vcpu);

	vcpu->arch.guest_debug = dbg->control & KVM_GUESTDBG_ENABLE ? dbg->control : 0;
	/* A signal may have come between the guest's MOV DR and its second try. */
	vcpu->arch.debugreg_in_hw = false;
	if (debugger_has_hw_bp(vcpu)) {
		for (i = 0; i < KVM_NR_DB_REGS; i++)
			vcpu->arch.eff_db[i] = dbg->arch.debugreg[i];
		vcpu->arch.guest_debug_dr7 = dr7_value(dbg->arch.debugreg[7]);
	}
	update_eff_db(vcpu);
	kvm_update_dr7(vcpu);

	kvm_set_rflags(vcpu, rflags);
	kvm_x86_ops.update_intercepts(vcpu);
	return 0;
}
