// SPDX-License-Identifier: GPL-2.0
/*
 * cr.c - RFLAGS and control registers, as the guest's instructions write them
 *
 *	exit's handler, emulator -> kvm_set_cr0(), _cr3(), _cr4(), _cr8()
 *		the rules of MOV to CR; what else changes with it (EFER.LMA, the
 *		PDPTEs, TLB entries, CPUID); then vcpu->arch, and the vendor's op
 *
 * The ioctls that write them are in x86_state.c: they have other rules, for there
 * a whole set of registers changes at once.
 */
#include "irq.h"
#include "kvm_host.h"

/* ---- RFLAGS ---- */

/**
 * kvm_get_rflags() - RFLAGS as the guest has them
 * @vcpu: loaded vCPU
 *
 * Without the TF that a debugger's single step added.
 */
unsigned long kvm_get_rflags(struct kvm_vcpu *vcpu)
{
	unsigned long rflags = kvm_get_rflags_raw(vcpu);

	if (vcpu->arch.guest_debug & KVM_GUESTDBG_SINGLESTEP)
		rflags &= ~X86_EFLAGS_TF;
	return rflags;
}
EXPORT_SYMBOL_GPL(kvm_get_rflags);

/**
 * kvm_set_rflags() - write RFLAGS, keeping a debugger's single step going
 * @vcpu: loaded vCPU
 * @rflags: new value; bit 1 becomes set
 */
void kvm_set_rflags(struct kvm_vcpu *vcpu, unsigned long rflags)
{
	rflags |= X86_EFLAGS_FIXED;
	if (vcpu->arch.guest_debug & KVM_GUESTDBG_SINGLESTEP)
		rflags |= X86_EFLAGS_TF;
	vcpu->arch.rflags = rflags;
	kvm_register_mark_dirty(vcpu, VCPU_EXREG_RFLAGS);
	/* IF may have become set. */
	kvm_make_request(KVM_REQ_EVENT, vcpu);
}

/* ---- control registers: the rules of MOV to CR (SDM 2.5, vol. 2 MOV) ---- */

#define CR0_DEFINED_BITS	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | \
				 X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | \
				 X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)

/* The combinations that always raise #GP. */
bool kvm_is_valid_cr0(unsigned long cr0)
{
	if (cr0 >> 32)
		return false;
	if ((cr0 & X86_CR0_NW) && !(cr0 & X86_CR0_CD))
		return false;
	return !(cr0 & X86_CR0_PG) || (cr0 & X86_CR0_PE);
}

bool kvm_is_valid_cr4(struct kvm_vcpu *vcpu, unsigned long cr4)
{
	return !(cr4 & vcpu->arch.cr4_reserved_bits) && kvm_x86_ops.is_valid_cr4(vcpu, cr4);
}

/**
 * kvm_flush_guest_tlb() - what the guest's own TLB entries mean has changed
 * @vcpu: loaded vCPU
 *
 * Should the vCPU move to another CPU before it enters, everything is flushed there.
 */
void kvm_flush_guest_tlb(struct kvm_vcpu *vcpu)
{
	preempt_disable();
	kvm_x86_ops.flush_tlb_guest(vcpu);
	preempt_enable();
	vcpu->stat.tlb_flush_guest++;
}

/* Switching paging on: may it be, in this mode?  SDM 4.1.1, 4.4.1. */
static bool kvm_may_enable_paging(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.efer & EFER_LME)
		return kvm_read_cr4_bits(vcpu, X86_CR4_PAE) && !kvm_x86_ops.get_cs_l(vcpu);
	if (kvm_read_cr4_bits(vcpu, X86_CR4_PAE))
		return load_pdptrs(vcpu, kvm_read_cr3(vcpu));
	return true;
}

/* Switching it off: not from 64-bit mode, not with PCIDs. */
static bool kvm_may_disable_paging(struct kvm_vcpu *vcpu)
{
	return !is_64_bit_mode(vcpu) && !kvm_read_cr4_bits(vcpu, X86_CR4_PCIDE);
}

/**
 * kvm_set_cr0() - MOV to CR0
 * @vcpu: loaded vCPU; kvm->srcu held
 * @cr0: new value
 *
 * Return: 0, or 1 if the instruction raises #GP(0); then nothing has changed.
 */
int kvm_set_cr0(struct kvm_vcpu *vcpu, unsigned long cr0)
{
	unsigned long old = kvm_read_cr0(vcpu);
	bool toggles_paging = (cr0 ^ old) & X86_CR0_PG;

	if (!kvm_is_valid_cr0(cr0))
		return 1;
	cr0 = (cr0 & CR0_DEFINED_BITS) | X86_CR0_ET;
	if (toggles_paging && (cr0 & X86_CR0_PG) && !kvm_may_enable_paging(vcpu))
		return 1;
	if (toggles_paging && !(cr0 & X86_CR0_PG) && !kvm_may_disable_paging(vcpu))
		return 1;
	/* Caching bits make PAE paging load its PDPTEs as well (SDM 4.4.1). */
	if (!toggles_paging && ((cr0 ^ old) & (X86_CR0_CD | X86_CR0_NW)) &&
	    is_pae_paging(vcpu) && !load_pdptrs(vcpu, kvm_read_cr3(vcpu)))
		return 1;

	vcpu->arch.cr0 = cr0;
	kvm_x86_ops.store_reg(vcpu, VCPU_EXREG_CR0);
	if (toggles_paging) {
		if (vcpu->arch.efer & EFER_LME) {
			vcpu->arch.efer ^= EFER_LMA;
			kvm_x86_ops.store_reg(vcpu, VCPU_EXREG_EFER);
		}
		kvm_flush_guest_tlb(vcpu);
	}
	return 0;
}
EXPORT_SYMBOL_GPL(kvm_set_cr0);

/**
 * kvm_lmsw() - LMSW: the low four bits of CR0; it cannot clear PE
 * @vcpu: loaded vCPU
 * @msw: the operand
 */
void kvm_lmsw(struct kvm_vcpu *vcpu, unsigned long msw)
{
	kvm_set_cr0(vcpu, (kvm_read_cr0(vcpu) & ~0xeul) | (msw & 0xf));
}
EXPORT_SYMBOL_GPL(kvm_lmsw);

#define CR3_NOFLUSH	BIT_ULL(63)	/* with CR4.PCIDE only, and not stored */

/**
 * kvm_set_cr3() - MOV to CR3
 * @vcpu: loaded vCPU; kvm->srcu held
 * @cr3: new value
 *
 * Return: 0, or 1 if the instruction raises #GP(0).
 */
int kvm_set_cr3(struct kvm_vcpu *vcpu, unsigned long cr3)
{
	if (kvm_read_cr4_bits(vcpu, X86_CR4_PCIDE))
		cr3 &= ~CR3_NOFLUSH;
	if (is_long_mode(vcpu) && (cr3 & vcpu->arch.reserved_gpa_bits))
		return 1;
	if (is_pae_paging(vcpu) && !load_pdptrs(vcpu, cr3))
		return 1;
	vcpu->arch.cr3 = cr3;
	kvm_register_mark_dirty(vcpu, VCPU_EXREG_CR3);
	kvm_flush_guest_tlb(vcpu);
	return 0;
}
EXPORT_SYMBOL_GPL(kvm_set_cr3);

#define CR4_TLB_BITS	(X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCIDE | \
			 X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE)
#define CR4_PDPTR_BITS	(X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_SMEP)

/**
 * kvm_set_cr4() - MOV to CR4
 * @vcpu: loaded vCPU; kvm->srcu held
 * @cr4: new value
 *
 * Return: 0, or 1 if the instruction raises #GP(0); then nothing has changed.
 */
int kvm_set_cr4(struct kvm_vcpu *vcpu, unsigned long cr4)
{
	unsigned long old = kvm_read_cr4(vcpu), changed = old ^ cr4;

	if (!kvm_is_valid_cr4(vcpu, cr4))
		return 1;
	if (is_long_mode(vcpu)) {
		if (!(cr4 & X86_CR4_PAE) || (changed & X86_CR4_LA57))
			return 1;
	} else if (is_paging(vcpu) && (cr4 & X86_CR4_PAE) && (changed & CR4_PDPTR_BITS)) {
		if (!load_pdptrs(vcpu, kvm_read_cr3(vcpu)))
			return 1;
	}
	if ((changed & cr4 & X86_CR4_PCIDE) &&
	    (!is_long_mode(vcpu) || (kvm_read_cr3(vcpu) & 0xfff)))
		return 1;

	vcpu->arch.cr4 = cr4;
	kvm_x86_ops.store_reg(vcpu, VCPU_EXREG_CR4);
	if (changed & CR4_TLB_BITS)
		kvm_flush_guest_tlb(vcpu);
	if (changed & (X86_CR4_OSXSAVE | X86_CR4_PKE))
		kvm_update_cpuid_runtime(vcpu);
	return 0;
}
EXPORT_SYMBOL_GPL(kvm_set_cr4);

/**
 * kvm_set_cr8() - the task priority, bits 7:4 of the local APIC's TPR
 * @vcpu: loaded vCPU
 * @cr8: new value
 *
 * Return: 0, or 1 if the instruction raises #GP(0).
 */
int kvm_set_cr8(struct kvm_vcpu *vcpu, unsigned long cr8)
{
	if (cr8 & ~0xful)
		return 1;
	if (lapic_in_kernel(vcpu))
		kvm_apic_set_tpr(vcpu, cr8);
	else
		vcpu->arch.cr8 = cr8;
	return 0;
}

unsigned long kvm_get_cr8(struct kvm_vcpu *vcpu)
{
	return lapic_in_kernel(vcpu) ? kvm_apic_get_cr8(vcpu) : vcpu->arch.cr8;
}

/**
 * kvm_emulate_set_cr8() - a MOV to CR8 exited
 * @vcpu: loaded vCPU
 * @cr8: the value
 *
 * Return: 1/0 of the run loop; 0: single step, or KVM_EXIT_SET_TPR.
 */
int kvm_emulate_set_cr8(struct kvm_vcpu *vcpu, unsigned long cr8)
{
	unsigned long old = vcpu->arch.cr8;
	int r;

	if (kvm_set_cr8(vcpu, cr8)) {
		kvm_inject_gp(vcpu, 0);
		return 1;
	}
	r = kvm_skip_emulated_instruction(vcpu);
	return r == 1 && cr8 < old && !lapic_in_kernel(vcpu) ? kvm_exit_set_tpr(vcpu) : r;
}
EXPORT_SYMBOL_GPL(kvm_emulate_set_cr8);
