// SPDX-License-Identifier: GPL-2.0
/*
 * vmx_apic.c - what VMX does of the local APIC by itself
 *
 * lapic.c is the local APIC, and its register page is what VMX calls the
 * virtual-APIC page (SDM 30.1): both sides see the same registers at once, and
 * nothing has to be copied.  Only for VMs whose local APIC is ours.
 *
 * TPR shadow (SDM 30.3).  MOV to and from CR8 work on the TPR in that page
 * without an exit.  Raising it needs nobody; lowering it is of interest only if an
 * interrupt waits for that.  The TPR threshold is the class of that interrupt, or 0,
 * and a MOV that takes the TPR below it exits:
 *
 *	kvm_inject_events()	looks what waits; vmx_watch_tpr() sets the threshold
 *	guest: MOV to CR8	TPR < threshold: handle_tpr_below_threshold()
 *	kvm_inject_events()	injects it
 *
 * VM entry wants the threshold not to be above the TPR.  Whoever lowers the TPR from
 * outside the guest makes KVM_REQ_EVENT, so it is set anew before the entry.
 */
#include <linux/module.h>

#include "vmx.h"

#include "irq.h"	/* behind <asm/vmx.h>, for compat.h */

static bool __read_mostly flexpriority = true;
module_param(flexpriority, bool, 0444);
MODULE_PARM_DESC(flexpriority, "let hardware keep the local APIC's TPR where it can (default on)");

/**
 * vmx_apic_cpu_based() - the primary controls that depend on who has the local APIC
 * @vcpu: the vCPU
 *
 * Return: vmcs_config.cpu_based, with either a TPR shadow or exits of MOV CR8.
 */
u32 vmx_apic_cpu_based(struct kvm_vcpu *vcpu)
{
	u32 ctl = vmcs_config.cpu_based;

	if (flexpriority && lapic_in_kernel(vcpu) && (ctl & CPU_BASED_TPR_SHADOW))
		return ctl & ~(CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING);
	return ctl & ~CPU_BASED_TPR_SHADOW;
}

/**
 * vmx_apic_reset() - the VMCS fields of this file
 * @vcpu: loaded vCPU, whose primary controls are written
 */
void vmx_apic_reset(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!(vmx->exec_control & CPU_BASED_TPR_SHADOW))
		return;
	vmcs_write64(VIRTUAL_APIC_PAGE_ADDR, kvm_apic_page(vcpu));
	vmx->tpr_threshold = 0;
	vmcs_write32(TPR_THRESHOLD, 0);
}

/**
 * vmx_watch_tpr() - exit when the guest lowers its TPR below a class
 * @vcpu: loaded vCPU
 * @class: 1..15, not above the TPR's; 0: never
 */
void vmx_watch_tpr(struct kvm_vcpu *vcpu, unsigned int class)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (vmx->tpr_threshold == class || !(vmx->exec_control & CPU_BASED_TPR_SHADOW))
		return;
	vmx->tpr_threshold = class;
	vmcs_write32(TPR_THRESHOLD, class);
}

/**
 * vmx_handle_tpr_below_threshold() - what waited for a lower TPR can be injected
 * @vcpu: loaded vCPU; the instruction that lowered it is done
 *
 * Return: 1.
 */
int vmx_handle_tpr_below_threshold(struct kvm_vcpu *vcpu)
{
	kvm_make_request(KVM_REQ_EVENT, vcpu);
	return 1;
}
