// SPDX-License-Identifier: GPL-2.0
/*
 * ud.c - #UD, and the other vendor's hypercall
 *
 * Intel's processors call their hypervisor with VMCALL, AMD's with VMMCALL, and each
 * raises #UD at the other's.  A guest that was saved on one and restored on the other, or
 * that never asked whose processor it has, would die of it.  KVM has helped such guests
 * from its beginning: it writes the right instruction over the wrong one, in the guest's
 * own memory, and lets it try again.  A VMM that wants a true processor switches the
 * habit off (KVM_CAP_DISABLE_QUIRKS2, KVM_X86_QUIRK_FIX_HYPERCALL_INSN).
 *
 *	#UD exits, while the quirk is on
 *	-> the vendor's handler -> kvm_handle_ud()
 *		0F 01 C1 (VMCALL) or 0F 01 D9 (VMMCALL), and not the own one:
 *			its last byte is written; the guest runs it again
 *		anything else: the guest's #UD
 *
 * Only the last byte differs, so that another CPU that executes the instruction at that
 * moment sees the one or the other, never a mixture.  The write is the guest's, with its
 * privilege: where its page tables forbid it, the guest gets the #PF.
 *
 * Locks: none of its own; vcpu->mutex and kvm->srcu are held.
 *
 * Left out: the instruction behind prefixes, which would mean nothing to it.  Other
 * instructions that one vendor lacks (SYSENTER in AMD's long mode) stay #UD.
 */
#include "kvm_host.h"

#define HYPERCALL_LEN	3

static const u8 hypercall_opcode[HYPERCALL_LEN - 1] = { 0x0f, 0x01 };

/* The guest's code at RIP, if it is still there. */
static bool fetch(struct kvm_vcpu *vcpu, gva_t rip, u32 user, u8 *code, unsigned int len)
{
	unsigned int i;
	gpa_t gpa;

	for (i = 0; i < len; i++) {
		gpa = kvm_mmu_gva_to_gpa(vcpu, rip + i, KVM_FAULT_EXEC | user, NULL);
		if (gpa == INVALID_GPA || kvm_read_guest(vcpu->kvm, gpa, &code[i], 1))
			return false;
	}
	return true;
}

static bool is_foreign_hypercall(const u8 *code, u8 own)
{
	u8 last = code[HYPERCALL_LEN - 1];

	return !memcmp(code, hypercall_opcode, sizeof(hypercall_opcode)) && last != own &&
	       (last == KVM_VMCALL_BYTE || last == KVM_VMMCALL_BYTE);
}

/**
 * kvm_handle_ud() - #UD exited
 * @vcpu:	the vCPU, loaded; kvm->srcu held; RIP is at the instruction
 * @own:	the last byte of this vendor's hypercall, KVM_VMCALL_BYTE or KVM_VMMCALL_BYTE
 *
 * Context: may sleep.
 * Return: 1 of the run loop: the guest goes on, with the instruction mended or with an
 * exception.
 */
int kvm_handle_ud(struct kvm_vcpu *vcpu, u8 own)
{
	u32 user = kvm_x86_ops.get_cpl(vcpu) == 3 ? KVM_FAULT_USER : 0;
	gva_t rip = kvm_get_linear_rip(vcpu);
	struct x86_exception e;
	u8 code[HYPERCALL_LEN];
	gpa_t gpa;

	if (!kvm_fixes_hypercalls(vcpu->kvm) || !fetch(vcpu, rip, user, code, sizeof(code)) ||
	    !is_foreign_hypercall(code, own)) {
		kvm_queue_exception(vcpu, X86_TRAP_UD);
		return 1;
	}
	gpa = kvm_mmu_gva_to_gpa(vcpu, rip + HYPERCALL_LEN - 1, KVM_FAULT_WRITE | user, &e);
	if (gpa == INVALID_GPA)
		kvm_inject_x86_exception(vcpu, &e);
	else if (kvm_write_guest(vcpu->kvm, gpa, &own, sizeof(own)))
		kvm_queue_exception(vcpu, X86_TRAP_UD);	/* in a ROM, or no memory at all */
	return 1;
}
EXPORT_SYMBOL_GPL(kvm_handle_ud);
