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
 *	guest: MOV to CR8	TPR < threshold: vmx_handle_tpr_below_threshold()
 *	kvm_inject_events()	injects it
 *
 * VM entry wants the threshold not to be above the TPR.  Whoever lowers the TPR from
 * outside the guest makes KVM_REQ_EVENT, so it is set anew before the entry.
 *
 * APICv: APIC-register virtualization and virtual-interrupt delivery (SDM 30.1.4, 30.2),
 * always both.  The CPU reads most registers from the page, takes interrupts from the
 * IRR as soon as priorities and RFLAGS.IF let it, and does EOIs and IPIs of a CPU to
 * itself.  There is no window to be waited for, and no threshold.  What is left:
 *
 *	an interrupt comes	lapic.pir, KVM_REQ_EVENT; before the entry vmx_load_apicv()
 *				says which vector is the highest in the IRR (RVI), and in
 *				the ISR (SVI)
 *	EOI of interest		vmx_handle_eoi_induced(): the EOI-exit bitmap has it
 *	write with consequences	vmx_handle_apic_write(): an ICR, the timer; the value is in
 *				the page already, nothing is decoded
 *	other accesses		vmx_handle_apic_access(): emulated as ever
 *
 * How the guest gets there: in xAPIC mode through the APIC-access page, which mmu.c
 * maps at the APIC's address (map_apic_page()); in x2APIC mode by RDMSR and WRMSR,
 * if the MSR bitmap lets them through.
 *
 * Off for a vCPU while a debugger keeps interrupts away (KVM_GUESTDBG_BLOCKIRQ): the
 * CPU would not ask.  PICs are no hindrance: ExtINTs are injected as without APICv.
 *
 * Left out: posted interrupts.  A vCPU in the guest is kicked out for an interrupt.
 */
#include <linux/module.h>
#include <asm/apicdef.h>

#include "vmx.h"

#include "irq.h"	/* behind <asm/vmx.h>, for compat.h */

static bool __read_mostly flexpriority = true;
module_param(flexpriority, bool, 0444);
MODULE_PARM_DESC(flexpriority, "let hardware keep the local APIC's TPR where it can (default on)");

static bool __read_mostly enable_apicv;
module_param(enable_apicv, bool, 0444);
MODULE_PARM_DESC(enable_apicv, "let hardware deliver the local APIC's interrupts where it can (default off)");

#define VMX_APICV	(SECONDARY_EXEC_APIC_REGISTER_VIRT | SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY)
#define VMX_APICV_NEEDS	(VMX_APICV | SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES)

/* ---- which controls ---- */

/**
 * vmx_apic_setup() - take out of the controls what is not wanted or is of no use alone
 * @conf: with all that this CPU has
 */
void vmx_apic_setup(struct vmcs_config *conf)
{
	if (!flexpriority)
		conf->cpu_based &= ~CPU_BASED_TPR_SHADOW;
	if (!enable_apicv || !(conf->cpu_based & CPU_BASED_TPR_SHADOW) ||
	    (conf->cpu_based_2nd & VMX_APICV_NEEDS) != VMX_APICV_NEEDS)
		conf->cpu_based_2nd &= ~VMX_APIC_2ND;
}

/* Once: the parameters tell what is in use. */
void vmx_apic_report(void)
{
	flexpriority = vmcs_config.cpu_based & CPU_BASED_TPR_SHADOW;
	enable_apicv = vmcs_config.cpu_based_2nd & SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
}

/**
 * vmx_apic_cpu_based() - the primary controls that depend on who has the local APIC
 * @vcpu: the vCPU
 *
 * Return: vmcs_config.cpu_based, with either a TPR shadow or exits of MOV CR8.
 */
u32 vmx_apic_cpu_based(struct kvm_vcpu *vcpu)
{
	u32 ctl = vmcs_config.cpu_based;

	if (lapic_in_kernel(vcpu) && (ctl & CPU_BASED_TPR_SHADOW))
		return ctl & ~(CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING);
	return ctl & ~CPU_BASED_TPR_SHADOW;
}

static bool vmx_in_x2apic_mode(struct kvm_vcpu *vcpu)
{
	return (vcpu->arch.apic_base & (MSR_IA32_APICBASE_ENABLE | X2APIC_ENABLE)) ==
	       (MSR_IA32_APICBASE_ENABLE | X2APIC_ENABLE);
}

/**
 * vmx_apic_secondary() - the secondary controls that this file decides on
 * @vcpu: loaded vCPU, after vmx_apic_update()
 *
 * The two ways to the registers exclude each other.  The one over the APIC-access page stays
 * open while APICv is off, as long as that page may be mapped.
 */
u32 vmx_apic_secondary(struct kvm_vcpu *vcpu)
{
	u32 ctl = 0;

	if (!lapic_in_kernel(vcpu))
		return 0;
	if (vcpu->arch.apicv_active)
		ctl |= VMX_APICV;
	if (vmx_in_x2apic_mode(vcpu))
		return ctl | SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE;
	return ctl | SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES;
}

/*
 * x2APIC registers that RDMSR finds in the page as it should: all but the timer's count,
 * which is not kept, and the ICR, whose upper half is elsewhere.
 */
static const struct {
	u32 first, last;
} vmx_x2apic_reads[] = {
	{ APIC_ID, APIC_LVR }, { APIC_TASKPRI, APIC_TASKPRI }, { APIC_PROCPRI, APIC_PROCPRI },
	{ APIC_LDR, APIC_LDR }, { APIC_SPIV, APIC_IRR + 0x70 }, { APIC_ESR, APIC_ESR },
	{ APIC_LVTT, APIC_TMICT }, { APIC_TDCR, APIC_TDCR },
};

static u32 vmx_x2apic_msr(unsigned int reg)
{
	return APIC_BASE_MSR + (reg >> 4);
}

static void vmx_apic_update_msr_bitmap(struct kvm_vcpu *vcpu)
{
	unsigned long *bitmap = to_vmx(vcpu)->msr_bitmap;
	bool exits = !vcpu->arch.apicv_active || !vmx_in_x2apic_mode(vcpu) ||
		     !(vmcs_config.cpu_based_2nd & SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE);
	unsigned int reg;
	int i;

	for (i = 0; i < ARRAY_SIZE(vmx_x2apic_reads); i++) {
		for (reg = vmx_x2apic_reads[i].first; reg <= vmx_x2apic_reads[i].last; reg += 0x10)
			vmx_msr_bitmap_set(bitmap, vmx_x2apic_msr(reg), false, exits);
	}
	vmx_msr_bitmap_set(bitmap, vmx_x2apic_msr(APIC_TASKPRI), true, exits);
	vmx_msr_bitmap_set(bitmap, vmx_x2apic_msr(APIC_EOI), true, exits);
	vmx_msr_bitmap_set(bitmap, vmx_x2apic_msr(APIC_SELF_IPI), true, exits);
}

/**
 * vmx_apic_update() - APICv on or off, after a change of what decides it
 * @vcpu: loaded vCPU
 */
void vmx_apic_update(struct kvm_vcpu *vcpu)
{
	bool active = kvm_caps.has_apicv && lapic_in_kernel(vcpu) &&
		      !(vcpu->arch.guest_debug & KVM_GUESTDBG_BLOCKIRQ);

	if (active != vcpu->arch.apicv_active) {
		vcpu->arch.apicv_active = active;
		kvm_make_request(KVM_REQ_EVENT, vcpu);
	}
	vmx_apic_update_msr_bitmap(vcpu);
}

static void vmx_write_eoi_exit(int i, u64 bits)
{
	vmcs_write64(EOI_EXIT_BITMAP0 + 2 * i, bits);
}

/**
 * vmx_apic_reset() - the VMCS fields of this file
 * @vcpu: loaded vCPU, whose primary controls are written
 */
void vmx_apic_reset(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	int i;

	if (!(vmx->exec_control & CPU_BASED_TPR_SHADOW))
		return;
	vmcs_write64(VIRTUAL_APIC_PAGE_ADDR, kvm_apic_page(vcpu));
	vmx->tpr_threshold = 0;
	vmcs_write32(TPR_THRESHOLD, 0);
	if (!kvm_caps.has_apicv)
		return;
	vmcs_write64(APIC_ACCESS_ADDR, vcpu->kvm->arch.apic_access_page);
	vmcs_write16(GUEST_INTR_STATUS, 0);
	for (i = 0; i < ARRAY_SIZE(vmx->eoi_exit); i++) {
		vmx->eoi_exit[i] = 0;
		vmx_write_eoi_exit(i, 0);
	}
}

/* ---- before an entry ---- */

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
 * vmx_load_apicv() - what the CPU is to deliver (SDM 25.4.2, 25.6.8)
 * @vcpu: loaded vCPU with arch.apicv_active
 * @v: highest vectors, EOIs of interest
 *
 * The CPU goes on with the guest interrupt status by itself, so it must be read.
 */
void vmx_load_apicv(struct kvm_vcpu *vcpu, const struct kvm_apicv *v)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u16 status = v->svi << 8 | v->rvi;
	int i;

	if (vmcs_read16(GUEST_INTR_STATUS) != status)
		vmcs_write16(GUEST_INTR_STATUS, status);
	for (i = 0; i < ARRAY_SIZE(vmx->eoi_exit); i++) {
		if (vmx->eoi_exit[i] == v->eoi_exit[i])
			continue;
		vmx->eoi_exit[i] = v->eoi_exit[i];
		vmx_write_eoi_exit(i, v->eoi_exit[i]);
	}
}

/* ---- exits: 1/0/-errno of the run loop ---- */

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

/* Exit qualification: SDM 28.2.1, table for APIC-access VM exits. */
#define APIC_QUAL_OFFSET(qual)	((qual) & 0xfff)
#define APIC_QUAL_TYPE(qual)	((qual) & 0xf000)

/**
 * vmx_handle_apic_access() - an access to the page that hardware does not do
 * @vcpu: loaded vCPU; the instruction is not done
 *
 * Return: as kvm_emulate_mmio().
 */
int vmx_handle_apic_access(struct kvm_vcpu *vcpu)
{
	unsigned long qual = vmx_get_exit_qual(vcpu);
	u32 access = KVM_FAULT_READ;

	if (APIC_QUAL_TYPE(qual) == TYPE_LINEAR_APIC_INST_WRITE)
		access = KVM_FAULT_WRITE;
	else if (APIC_QUAL_TYPE(qual) == TYPE_LINEAR_APIC_INST_FETCH)
		access = KVM_FAULT_EXEC;
	return kvm_emulate_mmio(vcpu, APIC_DEFAULT_PHYS_BASE + APIC_QUAL_OFFSET(qual), access);
}

/**
 * vmx_handle_apic_write() - a write to the page from which something follows
 * @vcpu: loaded vCPU; the instruction is done, the value in the page
 *
 * Return: 1.
 */
int vmx_handle_apic_write(struct kvm_vcpu *vcpu)
{
	kvm_apic_write_done(vcpu, APIC_QUAL_OFFSET(vmx_get_exit_qual(vcpu)) & ~0xful);
	return 1;
}

/**
 * vmx_handle_eoi_induced() - an EOI that somebody wants to hear of
 * @vcpu: loaded vCPU; the instruction and the EOI are done
 *
 * Return: 1.
 */
int vmx_handle_eoi_induced(struct kvm_vcpu *vcpu)
{
	kvm_apic_eoi_done(vcpu, vmx_get_exit_qual(vcpu));
	return 1;
}
