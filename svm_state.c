// SPDX-License-Identifier: GPL-2.0
/*
 * svm_state.c - guest registers that live in the VMCB
 *
 * The generic core keeps copies of guest registers in vcpu->arch.  Those that
 * hardware loads from the VMCB reach this file in one of two ways:
 *
 *	svm_cache_reg()		fetch one, when somebody first asks after an exit
 *	svm_store_reg()		put a control or debug register or EFER in place now
 *	svm_flush_dirty_regs()	put RFLAGS and CR3 in place, if they were written,
 *				just before an entry
 *
 * RAX, RSP and RIP go both ways at every entry and exit, in svm.c.  Segment
 * registers and descriptor tables are not copied but accessed.
 *
 * CR0 and CR4.  Nothing in the VMCB shows the guest a bit other than it is.  So a
 * guest reads them freely while they are in hardware as it wants them, and every
 * read exits while they differ; and it changes CR0.TS and MP, where only those
 * differ, without an exit ("selective CR0 write", APM 15.8), nothing else.
 */
#include <asm/tlbflush.h>
#include <asm/debugreg.h>

#include "svm.h"

#define SVM_CR0_GUEST_OWNED	SVM_CR0_SELECTIVE_MASK

/* ---- the registers with a copy ---- */

/**
 * svm_cache_reg() - fetch a register from the VMCB
 * @vcpu: loaded vCPU
 * @reg: which; not yet in vcpu->arch.regs_avail
 */
void svm_cache_reg(struct kvm_vcpu *vcpu, enum kvm_reg reg)
{
	struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;
	struct kvm_vcpu_arch *arch = &vcpu->arch;

	kvm_register_mark_available(vcpu, reg);
	switch (reg) {
	case VCPU_EXREG_RFLAGS:
		arch->rflags = save->rflags;
		break;
	case VCPU_EXREG_CR0:
		arch->cr0 = (arch->cr0 & ~arch->cr0_guest_owned_bits) |
			    (save->cr0 & arch->cr0_guest_owned_bits);
		break;
	case VCPU_EXREG_CR3:
		arch->cr3 = save->cr3;
		break;
	case VCPU_EXREG_PDPTR:
		/*
		 * The VMCB has none: with nested paging the CPU reads them from
		 * the guest's memory whenever it walks (APM 15.25.10).
		 */
		if (is_pae_paging(vcpu) &&
		    kvm_read_guest(vcpu->kvm, kvm_read_cr3(vcpu) & GENMASK(31, 5),
				   arch->pdptrs, sizeof(arch->pdptrs)))
			memset(arch->pdptrs, 0, sizeof(arch->pdptrs));
		break;
	case VCPU_EXREG_DR6:
		arch->dr6 = save->dr6;
		save->dr6 = DR6_INIT;
		vmcb_mark_dirty(to_svm(vcpu)->vmcb, VMCB_DR);
		break;
	case VCPU_EXREG_DR7:
		arch->dr7 = save->dr7;
		break;
	default:
		break;
	}
}

/*
 * CD and NW are only shown to the guest: caching belongs to the nested page tables,
 * and a real CD would make everything slow.  While they are set, hardware's CR0 is
 * not what the guest wants to see.
 */
static void svm_store_cr0(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	unsigned long cr0 = vcpu->arch.cr0;
	unsigned long hw = cr0 & ~(X86_CR0_CD | X86_CR0_NW);
	bool differs = hw != cr0;

	svm->vmcb->save.cr0 = hw;
	vmcb_mark_dirty(svm->vmcb, VMCB_CR);
	vcpu->arch.cr0_guest_owned_bits = differs ? 0 : SVM_CR0_GUEST_OWNED;
	svm_set_intercept(svm, INTERCEPT_CR0_READ, differs);
	svm_set_intercept(svm, INTERCEPT_CR0_WRITE, differs);
}

/*
 * MCE stays as the host has it: without it a machine check in the guest would shut
 * the CPU down.
 */
static void svm_store_cr4(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	unsigned long cr4 = vcpu->arch.cr4;
	unsigned long hw = cr4 | (cr4_read_shadow() & X86_CR4_MCE);

	svm->vmcb->save.cr4 = hw;
	vmcb_mark_dirty(svm->vmcb, VMCB_CR);
	svm_set_intercept(svm, INTERCEPT_CR4_READ, hw != cr4);
}

/**
 * svm_store_reg() - put a register in place that the core has changed
 * @vcpu: loaded vCPU
 * @reg: VCPU_EXREG_CR0, _CR4, _EFER, _DR6 or _DR7; vcpu->arch has the new value
 */
void svm_store_reg(struct kvm_vcpu *vcpu, enum kvm_reg reg)
{
	struct vmcb *vmcb = to_svm(vcpu)->vmcb;

	switch (reg) {
	case VCPU_EXREG_CR0:
		svm_store_cr0(vcpu);
		break;
	case VCPU_EXREG_CR4:
		svm_store_cr4(vcpu);
		break;
	case VCPU_EXREG_EFER:
		/* VMRUN insists on SVME (APM 15.5.1); the guest reads arch.efer. */
		vmcb->save.efer = vcpu->arch.efer | EFER_SVME;
		vmcb_mark_dirty(vmcb, VMCB_CR);
		break;
	case VCPU_EXREG_DR6:
		vmcb->save.dr6 = vcpu->arch.dr6;
		vmcb_mark_dirty(vmcb, VMCB_DR);
		break;
	case VCPU_EXREG_DR7:
		vmcb->save.dr7 = vcpu->arch.eff_dr7;
		vmcb_mark_dirty(vmcb, VMCB_DR);
		break;
	default:
		break;
	}
	kvm_register_mark_available(vcpu, reg);
}

/* Before an entry: what was written since the exit.  PDPTEs have no place here. */
void svm_flush_dirty_regs(struct vcpu_svm *svm)
{
	struct kvm_vcpu_arch *arch = &svm->vcpu.arch;

	if (arch->regs_dirty & BIT(VCPU_EXREG_RFLAGS))
		svm->vmcb->save.rflags = arch->rflags;
	if (arch->regs_dirty & BIT(VCPU_EXREG_CR3)) {
		svm->vmcb->save.cr3 = arch->cr3;
		vmcb_mark_dirty(svm->vmcb, VMCB_CR);
	}
	arch->regs_dirty = 0;
}

bool svm_is_valid_cr4(struct kvm_vcpu *vcpu, unsigned long cr4)
{
	return !(cr4 & X86_CR4_VMXE);
}

/* ---- segments and descriptor tables ---- */

static struct vmcb_seg *svm_seg(struct kvm_vcpu *vcpu, int seg)
{
	struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;
	struct vmcb_seg *const segs[] = {
		[VCPU_SREG_ES] = &save->es, [VCPU_SREG_CS] = &save->cs,
		[VCPU_SREG_SS] = &save->ss, [VCPU_SREG_DS] = &save->ds,
		[VCPU_SREG_FS] = &save->fs, [VCPU_SREG_GS] = &save->gs,
		[VCPU_SREG_TR] = &save->tr, [VCPU_SREG_LDTR] = &save->ldtr,
	};

	return segs[seg];
}

/**
 * svm_get_segment() - a segment register as userspace sees it
 * @vcpu: loaded vCPU
 * @var: filled
 * @seg: enum kvm_seg
 *
 * The VMCB holds a descriptor's attributes with the bits closed up (APM 15.5.1),
 * and no "unusable": a null selector shows as not present.  CPUs differ in what
 * else they save there, so what a loaded segment must look like is put right
 * here; a VMM may give it to another vendor's CPU, which insists.
 */
void svm_get_segment(struct kvm_vcpu *vcpu, struct kvm_segment *var, int seg)
{
	const struct vmcb_seg *s = svm_seg(vcpu, seg);
	u16 attrib = s->attrib;

	*var = (struct kvm_segment) {
		.base = s->base,
		.limit = s->limit,
		.selector = s->selector,
		.type = attrib & SVM_SELECTOR_TYPE_MASK,
		.s = (attrib >> SVM_SELECTOR_S_SHIFT) & 1,
		.dpl = (attrib >> SVM_SELECTOR_DPL_SHIFT) & 3,
		.present = (attrib >> SVM_SELECTOR_P_SHIFT) & 1,
		.avl = (attrib >> SVM_SELECTOR_AVL_SHIFT) & 1,
		.l = (attrib >> SVM_SELECTOR_L_SHIFT) & 1,
		.db = (attrib >> SVM_SELECTOR_DB_SHIFT) & 1,
		.g = (attrib >> SVM_SELECTOR_G_SHIFT) & 1,
	};
	var->unusable = !var->present;

	switch (seg) {
	case VCPU_SREG_CS:
		/* Some CPUs do not save G. */
		var->g = s->limit > 0xfffff;
		break;
	case VCPU_SREG_TR:
		var->type |= 2;		/* a loaded TSS is busy; some do not say so */
		break;
	case VCPU_SREG_SS:
		if (var->unusable)
			var->db = 0;
		/* SYSRET to user mode can leave another DPL in SS. */
		var->dpl = to_svm(vcpu)->vmcb->save.cpl;
		break;
	case VCPU_SREG_DS:
	case VCPU_SREG_ES:
	case VCPU_SREG_FS:
	case VCPU_SREG_GS:
		/* Loading sets "accessed"; some do not save it. */
		if (!var->unusable)
			var->type |= 1;
		break;
	}
}

/**
 * svm_set_segment() - load a segment register with its hidden part
 * @vcpu: loaded vCPU
 * @var: from userspace; anything: a state that VMRUN does not take is found there
 * @seg: enum kvm_seg
 */
void svm_set_segment(struct kvm_vcpu *vcpu, const struct kvm_segment *var, int seg)
{
	struct vmcb *vmcb = to_svm(vcpu)->vmcb;
	struct vmcb_seg *s = svm_seg(vcpu, seg);
	bool present = var->present && !var->unusable;

	s->base = var->base;
	s->limit = var->limit;
	s->selector = var->selector;
	s->attrib = (var->type & SVM_SELECTOR_TYPE_MASK) |
		    (var->s & 1) << SVM_SELECTOR_S_SHIFT |
		    (var->dpl & 3) << SVM_SELECTOR_DPL_SHIFT |
		    present << SVM_SELECTOR_P_SHIFT |
		    (var->avl & 1) << SVM_SELECTOR_AVL_SHIFT |
		    (var->l & 1) << SVM_SELECTOR_L_SHIFT |
		    (var->db & 1) << SVM_SELECTOR_DB_SHIFT |
		    (var->g & 1) << SVM_SELECTOR_G_SHIFT;
	/* The privilege level is SS.DPL, also if SS is null; here it has a field. */
	if (seg == VCPU_SREG_SS)
		vmcb->save.cpl = var->dpl & 3;
	vmcb_mark_dirty(vmcb, VMCB_SEG);
}

int svm_get_cpl(struct kvm_vcpu *vcpu)
{
	return to_svm(vcpu)->vmcb->save.cpl;
}

bool svm_get_cs_l(struct kvm_vcpu *vcpu)
{
	return to_svm(vcpu)->vmcb->save.cs.attrib & SVM_SELECTOR_L_MASK;
}

static struct vmcb_seg *svm_dt(struct kvm_vcpu *vcpu, enum kvm_dt which)
{
	struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;

	return which == VCPU_DT_GDTR ? &save->gdtr : &save->idtr;
}

void svm_get_dt(struct kvm_vcpu *vcpu, struct desc_ptr *dt, enum kvm_dt which)
{
	const struct vmcb_seg *s = svm_dt(vcpu, which);

	dt->size = s->limit;
	dt->address = s->base;
}

void svm_set_dt(struct kvm_vcpu *vcpu, const struct desc_ptr *dt, enum kvm_dt which)
{
	struct vmcb_seg *s = svm_dt(vcpu, which);

	s->limit = dt->size;
	s->base = dt->address;
	vmcb_mark_dirty(to_svm(vcpu)->vmcb, VMCB_DT);
}

/* ---- MSRs ---- */

/* Where the VMCB has it; NULL: it has not. */
static u64 *svm_msr_in_vmcb(struct kvm_vcpu *vcpu, u32 index)
{
	struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;

	switch (index) {
	case MSR_FS_BASE:
		return &save->fs.base;
	case MSR_GS_BASE:
		return &save->gs.base;
	case MSR_KERNEL_GS_BASE:
		return &save->kernel_gs_base;
	case MSR_STAR:
		return &save->star;
	case MSR_LSTAR:
		return &save->lstar;
	case MSR_CSTAR:
		return &save->cstar;
	case MSR_SYSCALL_MASK:
		return &save->sfmask;
	case MSR_IA32_SYSENTER_CS:
		return &save->sysenter_cs;
	}
	return NULL;
}

/**
 * svm_get_msr() - read an MSR that SVM or this file keeps
 * @vcpu: loaded vCPU
 * @index: ECX of RDMSR
 * @data: filled
 *
 * Return: 0, or 1 if the MSR is not kept here.
 */
int svm_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data)
{
	const u64 *field = svm_msr_in_vmcb(vcpu, index);

	if (field) {
		*data = *field;
		return 0;
	}
	switch (index) {
	case MSR_IA32_CR_PAT:
		*data = vcpu->arch.pat;
		return 0;
	case MSR_TSC_AUX:
		*data = to_svm(vcpu)->tsc_aux;
		return 0;
	case MSR_IA32_SYSENTER_ESP:
		*data = to_svm(vcpu)->sysenter_esp;
		return 0;
	case MSR_IA32_SYSENTER_EIP:
		*data = to_svm(vcpu)->sysenter_eip;
		return 0;
	case MSR_VM_CR:
		*data = to_svm(vcpu)->vm_cr;
		return 0;
	case MSR_VM_HSAVE_PA:
		*data = to_svm(vcpu)->hsave_pa;
		return 0;
	case MSR_AMD64_DE_CFG:
		*data = to_svm(vcpu)->de_cfg;
		return 0;
	}
	return 1;
}

static void svm_set_tsc_aux(struct vcpu_svm *svm, u64 data)
{
	svm->tsc_aux = data;
	preempt_disable();
	if (svm->guest_state_loaded)
		kvm_set_user_return_msrs(0, &svm->tsc_aux, kvm_caps.has_rdtscp);
	preempt_enable();
}

/*
 * An AMD CPU has but 32 bits of SYSENTER's addresses, and VMSAVE gives no more back
 * (APM vol. 2, 6.1.2).  A guest that was told it has an Intel CPU finds 64 when it
 * looks; SYSENTER itself is undefined in long mode here, whoever asks.
 */
static u64 svm_sysenter_address(struct kvm_vcpu *vcpu, u64 data)
{
	return guest_cpuid_is_intel(vcpu) ? data : (u32)data;
}

/* Once it is locked, it stays so, and SVM as off or on as it is (APM 15.30.1). */
static int svm_set_vm_cr(struct vcpu_svm *svm, u64 data)
{
	u64 fixed = svm->vm_cr & SVM_VM_CR_SVM_LOCK_MASK ?
		    SVM_VM_CR_SVM_LOCK_MASK | SVM_VM_CR_SVM_DIS_MASK : 0;

	if (data & ~SVM_VM_CR_VALID_MASK)
		return -EINVAL;
	svm->vm_cr = (data & ~fixed) | (svm->vm_cr & fixed);
	return 0;
}

/**
 * svm_set_msr() - write an MSR that SVM or this file keeps
 * @vcpu: loaded vCPU
 * @index: ECX of WRMSR
 * @data: EDX:EAX; msr.c has checked that the architecture allows it
 *
 * Return: 0; 1 if the MSR is not kept here; -EINVAL if it cannot have this value.
 */
int svm_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 data)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	u64 *field = svm_msr_in_vmcb(vcpu, index);

	if (field) {
		*field = data;	/* VMLOAD loads it: no clean bit */
		return 0;
	}
	switch (index) {
	case MSR_IA32_CR_PAT:
		vcpu->arch.pat = data;
		svm->vmcb->save.g_pat = data;
		vmcb_mark_dirty(svm->vmcb, VMCB_NPT);
		return 0;
	case MSR_TSC_AUX:
		svm_set_tsc_aux(svm, data);
		return 0;
	case MSR_IA32_SYSENTER_ESP:
		svm->sysenter_esp = svm_sysenter_address(vcpu, data);
		svm->vmcb->save.sysenter_esp = svm->sysenter_esp;
		return 0;
	case MSR_IA32_SYSENTER_EIP:
		svm->sysenter_eip = svm_sysenter_address(vcpu, data);
		svm->vmcb->save.sysenter_eip = svm->sysenter_eip;
		return 0;
	case MSR_VM_CR:
		return svm_set_vm_cr(svm, data);
	case MSR_VM_HSAVE_PA:
		if (data & (vcpu->arch.reserved_gpa_bits | ~PAGE_MASK))
			return -EINVAL;
		svm->hsave_pa = data;
		return 0;
	case MSR_AMD64_DE_CFG:
		if (data & ~kvm_caps.supported_de_cfg)
			return -EINVAL;
		svm->de_cfg = data;
		return 0;
	}
	return 1;
}

/* ---- time ---- */

/* What the TSC ratio MSR of this CPU holds; 0: not known. */
static DEFINE_PER_CPU(u64, svm_current_tsc_ratio);

/* The MSR scales the guest's TSC while a guest runs (APM 15.30.5).  Preemption off. */
void svm_load_tsc_ratio(u64 ratio)
{
	if (!svm_features.tsc_ratio || this_cpu_read(svm_current_tsc_ratio) == ratio)
		return;
	kvm_wrmsr(MSR_AMD64_TSC_RATIO, ratio);
	this_cpu_write(svm_current_tsc_ratio, ratio);
}

/**
 * svm_write_tsc_offset() - arch.tsc_offset or tsc_scaling_ratio has changed
 * @vcpu: loaded vCPU
 */
void svm_write_tsc_offset(struct kvm_vcpu *vcpu)
{
	struct vmcb *vmcb = to_svm(vcpu)->vmcb;

	vmcb->control.tsc_offset = vcpu->arch.tsc_offset;
	vmcb_mark_dirty(vmcb, VMCB_INTERCEPTS);
	preempt_disable();
	svm_load_tsc_ratio(vcpu->arch.tsc_scaling_ratio);
	preempt_enable();
}

/* ---- what exits ---- */

/*
 * MSRs that the guest reaches itself, as far as the VMM's filter lets it.  VMLOAD
 * and VMSAVE switch them all.  SYSENTER's two addresses are not among them: see
 * svm_sysenter_address().
 */
static const u32 svm_passthrough_msrs[] = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR, MSR_LSTAR, MSR_CSTAR,
	MSR_SYSCALL_MASK, MSR_IA32_SYSENTER_CS,
};

/*
 * The MSR permission map has two bits an MSR, read and write; a set bit exits.
 * Its parts of 2 KiB are for MSRs 0..1fff, c0000000..c0001fff and c0010000..c0011fff
 * (APM 15.11).  All those above are in the first two.
 */
static void svm_update_msrpm(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	int i;

	for (i = 0; i < ARRAY_SIZE(svm_passthrough_msrs); i++) {
		u32 index = svm_passthrough_msrs[i];
		u32 bit = 2 * (index & 0x1fff) + (index >= 0xc0000000 ? 8 * 2048 : 0);
		unsigned long *map = (unsigned long *)svm->msrpm;

		__assign_bit(bit, map, !kvm_msr_allowed(vcpu, index, KVM_MSR_FILTER_READ));
		__assign_bit(bit + 1, map, !kvm_msr_allowed(vcpu, index, KVM_MSR_FILTER_WRITE));
	}
	vmcb_mark_dirty(svm->vmcb, VMCB_PERM_MAP);
}

/**
 * svm_update_intercepts() - what exits, after a change of what decides it
 * @vcpu: loaded vCPU; kvm->srcu is held, for the MSR filter
 *
 * Exceptions: #MC is the host's.  #DB and #AC because a guest can arrange for
 * them to recur endlessly during their own delivery, with no chance for an
 * interrupt; passing them on by injection breaks the cycle.  #BP only for a
 * debugger outside, #UD only for kvm_handle_ud()'s sake.
 */
void svm_update_intercepts(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	u64 disabled = vcpu->kvm->arch.disabled_exits;

	svm_set_intercept(svm, INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_BP,
			  vcpu->arch.guest_debug & KVM_GUESTDBG_USE_SW_BP);
	svm_set_intercept(svm, INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_UD,
			  kvm_fixes_hypercalls(vcpu->kvm));
	/* What CPUID does not offer must raise #UD.  RDPID cannot be taken away. */
	svm_set_intercept(svm, INTERCEPT_RDTSCP, !guest_cpuid_has(vcpu, X86_FEATURE_RDTSCP));
	svm_set_intercept(svm, INTERCEPT_INVPCID,
			  svm_features.invpcid && !guest_cpuid_has(vcpu, X86_FEATURE_INVPCID));
	if (disabled & KVM_X86_DISABLE_EXITS_HLT)
		svm_set_intercept(svm, INTERCEPT_HLT, false);
	if (disabled & KVM_X86_DISABLE_EXITS_PAUSE)
		svm_set_intercept(svm, INTERCEPT_PAUSE, false);
	svm_update_msrpm(vcpu);
}
