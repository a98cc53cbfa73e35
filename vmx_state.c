// SPDX-License-Identifier: GPL-2.0
/*
 * vmx_state.c - guest registers that live in the VMCS
 *
 * The generic core keeps copies of guest registers in vcpu->arch.  Those that
 * hardware loads from the VMCS reach this file in one of two ways:
 *
 *	vmx_cache_reg()		fetch one, when somebody first asks after an exit
 *	vmx_store_reg()		put a control register, EFER or DR7 in place now
 *	vmx_flush_dirty_regs()	put RIP, RSP, RFLAGS, CR3 and the PDPTEs in place,
 *				if they were written, just before an entry
 *
 * Segment registers and the descriptor tables are not copied but accessed; a
 * small cache spares repeated VMREADs of the same one between two entries.
 *
 * CR0 and CR4 bits are owned by the guest (it changes them without an exit) or
 * by us (its writes exit, and it reads what we want from the read shadow):
 * SDM 25.6.6.
 */
#include <asm/tlbflush.h>
#include <asm/debugreg.h>
#include <asm/vmx.h>

#include "vmx.h"

/*
 * Guest-owned bits must have no effect that we have to follow.  TS and WP are
 * plain; the others in CR4 are as well, as far as the guest's CPUID has them
 * (what it has not must raise #GP, so those exit).
 */
#define VMX_CR0_GUEST_OWNED	(X86_CR0_TS | X86_CR0_WP)
#define VMX_CR4_GUEST_OWNED	(X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PGE | \
				 X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | \
				 X86_CR4_FSGSBASE)

/**
 * vmx_init_state_masks() - who owns which bits of CR0 and CR4
 * @vcpu: loaded vCPU, whose CR4 reserved bits are known
 */
void vmx_init_state_masks(struct kvm_vcpu *vcpu)
{
	/* Settle what the guest changed under the old masks first. */
	kvm_read_cr0(vcpu);
	kvm_read_cr4(vcpu);
	vcpu->arch.cr0_guest_owned_bits = VMX_CR0_GUEST_OWNED;
	vcpu->arch.cr4_guest_owned_bits = VMX_CR4_GUEST_OWNED & ~vcpu->arch.cr4_reserved_bits;
	vmcs_writel(CR0_GUEST_HOST_MASK, ~vcpu->arch.cr0_guest_owned_bits);
	vmcs_writel(CR4_GUEST_HOST_MASK, ~vcpu->arch.cr4_guest_owned_bits);
}

/* ---- the registers with a copy ---- */

/* Bits in @owned come from the VMCS, the others from our copy. */
static unsigned long merge_owned(unsigned long copy, unsigned long owned, unsigned long field)
{
	return (copy & ~owned) | (vmcs_readl(field) & owned);
}

/**
 * vmx_cache_reg() - fetch a register from the VMCS
 * @vcpu: loaded vCPU
 * @reg: which; not yet in vcpu->arch.regs_avail
 */
void vmx_cache_reg(struct kvm_vcpu *vcpu, enum kvm_reg reg)
{
	struct kvm_vcpu_arch *arch = &vcpu->arch;

	kvm_register_mark_available(vcpu, reg);
	switch (reg) {
	case VCPU_REGS_RSP:
		arch->regs[VCPU_REGS_RSP] = vmcs_readl(GUEST_RSP);
		break;
	case VCPU_REGS_RIP:
		arch->regs[VCPU_REGS_RIP] = vmcs_readl(GUEST_RIP);
		break;
	case VCPU_EXREG_RFLAGS:
		arch->rflags = vmcs_readl(GUEST_RFLAGS);
		break;
	case VCPU_EXREG_CR0:
		arch->cr0 = merge_owned(arch->cr0, arch->cr0_guest_owned_bits, GUEST_CR0);
		break;
	case VCPU_EXREG_CR3:
		arch->cr3 = vmcs_readl(GUEST_CR3);
		break;
	case VCPU_EXREG_CR4:
		arch->cr4 = merge_owned(arch->cr4, arch->cr4_guest_owned_bits, GUEST_CR4);
		break;
	case VCPU_EXREG_PDPTR:
		/* Meaningful only in PAE paging (SDM 28.3.4). */
		if (!is_pae_paging(vcpu))
			break;
		arch->pdptrs[0] = vmcs_read64(GUEST_PDPTR0);
		arch->pdptrs[1] = vmcs_read64(GUEST_PDPTR1);
		arch->pdptrs[2] = vmcs_read64(GUEST_PDPTR2);
		arch->pdptrs[3] = vmcs_read64(GUEST_PDPTR3);
		break;
	case VCPU_EXREG_DR7:
		arch->dr7 = vmcs_readl(GUEST_DR7);
		break;
	case VCPU_EXREG_DR6:
		get_debugreg(arch->dr6, 6);
		set_debugreg(DR6_INIT, 6);
		break;
	default:
		break;
	}
}

/*
 * The CPU insists on some CR0 bits (NE); unrestricted guest lifts that for PE
 * and PG (SDM 24.8).  CD and NW are only shown to the guest: with EPT it is the
 * EPT entry's memory type that counts, and a real CD would stop caching for all.
 */
static void vmx_store_cr0(struct kvm_vcpu *vcpu)
{
	unsigned long cr0 = vcpu->arch.cr0;
	unsigned long hw = cr0 & ~(X86_CR0_CD | X86_CR0_NW);

	hw |= vmx_cr0_fixed0 & ~(X86_CR0_PE | X86_CR0_PG);
	vmcs_writel(CR0_READ_SHADOW, cr0);
	vmcs_writel(GUEST_CR0, hw);
}

/*
 * VMXE must be 1 in VMX operation.  MCE stays as the host has it: without it a
 * machine check in the guest would shut the CPU down.
 */
static void vmx_store_cr4(struct kvm_vcpu *vcpu)
{
	unsigned long cr4 = vcpu->arch.cr4;
	unsigned long hw = cr4 | vmx_cr4_fixed0 | (cr4_read_shadow() & X86_CR4_MCE);

	vmcs_writel(CR4_READ_SHADOW, cr4);
	vmcs_writel(GUEST_CR4, hw);
}

/* The IA-32e-mode-guest control must agree with EFER.LMA (SDM 27.3.1.1). */
static void vmx_store_efer(struct kvm_vcpu *vcpu)
{
	u32 entry = vmcs_config.vmentry;

	if (vcpu->arch.efer & EFER_LMA)
		entry |= VM_ENTRY_IA32E_MODE;
	vmcs_write32(VM_ENTRY_CONTROLS, entry);
	vmcs_write64(GUEST_IA32_EFER, vcpu->arch.efer);
}

/**
 * vmx_store_reg() - put a register in place that the core has changed
 * @vcpu: loaded vCPU
 * @reg: VCPU_EXREG_CR0, _CR4, _EFER, _DR6 or _DR7; vcpu->arch has the new value
 */
void vmx_store_reg(struct kvm_vcpu *vcpu, enum kvm_reg reg)
{
	switch (reg) {
	case VCPU_EXREG_CR0:
		vmx_store_cr0(vcpu);
		break;
	case VCPU_EXREG_CR4:
		vmx_store_cr4(vcpu);
		break;
	case VCPU_EXREG_EFER:
		vmx_store_efer(vcpu);
		break;
	case VCPU_EXREG_DR7:
		vmcs_writel(GUEST_DR7, vcpu->arch.eff_dr7);
		break;
	case VCPU_EXREG_DR6:
		/* No entry or exit switches it. */
		set_debugreg(vcpu->arch.dr6, 6);
		break;
	default:
		break;
	}
	kvm_register_mark_available(vcpu, reg);
}

/* Before an entry: what was written since the exit. */
void vmx_flush_dirty_regs(struct vcpu_vmx *vmx)
{
	struct kvm_vcpu_arch *arch = &vmx->vcpu.arch;
	u32 dirty = arch->regs_dirty;

	if (dirty & BIT(VCPU_REGS_RIP))
		vmcs_writel(GUEST_RIP, arch->regs[VCPU_REGS_RIP]);
	if (dirty & BIT(VCPU_REGS_RSP))
		vmcs_writel(GUEST_RSP, arch->regs[VCPU_REGS_RSP]);
	if (dirty & BIT(VCPU_EXREG_RFLAGS))
		vmcs_writel(GUEST_RFLAGS, arch->rflags);
	if (dirty & BIT(VCPU_EXREG_CR3))
		vmcs_writel(GUEST_CR3, arch->cr3);
	if (dirty & BIT(VCPU_EXREG_PDPTR)) {
		vmcs_write64(GUEST_PDPTR0, arch->pdptrs[0]);
		vmcs_write64(GUEST_PDPTR1, arch->pdptrs[1]);
		vmcs_write64(GUEST_PDPTR2, arch->pdptrs[2]);
		vmcs_write64(GUEST_PDPTR3, arch->pdptrs[3]);
	}
	arch->regs_dirty = 0;
}

bool vmx_is_valid_cr4(struct kvm_vcpu *vcpu, unsigned long cr4)
{
	return !(cr4 & ~vmx_cr4_fixed1) && !(cr4 & X86_CR4_VMXE);
}

/* ---- segments and descriptor tables ---- */

/* The VMCS has LDTR before TR, enum kvm_seg the other way round. */
static unsigned int vmx_seg_nr(int seg)
{
	if (seg == VCPU_SREG_TR)
		return 7;
	if (seg == VCPU_SREG_LDTR)
		return 6;
	return seg;
}

/* Selectors are 16-bit fields, the others 32 or natural: step 2 in encoding. */
#define SEG_FIELD(first, seg)	((first) + 2 * vmx_seg_nr(seg))

/* Access rights as the VMCS has them (SDM 25.4.1, table "Format of Access Rights"). */
#define SEG_AR_TYPE(ar)	((ar) & 0xf)
#define SEG_AR_S(ar)	(((ar) >> 4) & 1)
#define SEG_AR_DPL(ar)	(((ar) >> 5) & 3)
#define SEG_AR_P(ar)	(((ar) >> 7) & 1)
#define SEG_AR_AVL(ar)	(((ar) >> 12) & 1)
#define SEG_AR_L(ar)	(((ar) >> 13) & 1)
#define SEG_AR_DB(ar)	(((ar) >> 14) & 1)
#define SEG_AR_G(ar)	(((ar) >> 15) & 1)
#define SEG_AR_UNUSABLE	BIT(16)

/* Bits of vcpu_vmx.seg_valid: four for each segment. */
enum { SEG_SELECTOR, SEG_BASE, SEG_LIMIT, SEG_AR, SEG_NR_FIELDS };
#define SEG_VALID(seg, field)	BIT((seg) * SEG_NR_FIELDS + (field))
#define SEG_VALID_ALL(seg)	GENMASK((seg) * SEG_NR_FIELDS + SEG_AR, (seg) * SEG_NR_FIELDS)

/* Access rights are asked for most often, and mostly alone: CS.L, SS.DPL. */
static u32 vmx_segment_ar(struct kvm_vcpu *vcpu, int seg)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!(vmx->seg_valid & SEG_VALID(seg, SEG_AR))) {
		vmx->segments[seg].ar = __vmcs_readl(SEG_FIELD(GUEST_ES_AR_BYTES, seg));
		vmx->seg_valid |= SEG_VALID(seg, SEG_AR);
	}
	return vmx->segments[seg].ar;
}

static struct vmx_segment_cache *vmx_segment(struct kvm_vcpu *vcpu, int seg)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	struct vmx_segment_cache *s = &vmx->segments[seg];

	vmx_segment_ar(vcpu, seg);
	if ((vmx->seg_valid & SEG_VALID_ALL(seg)) != SEG_VALID_ALL(seg)) {
		s->selector = __vmcs_readl(SEG_FIELD(GUEST_ES_SELECTOR, seg));
		s->base = __vmcs_readl(SEG_FIELD(GUEST_ES_BASE, seg));
		s->limit = __vmcs_readl(SEG_FIELD(GUEST_ES_LIMIT, seg));
		vmx->seg_valid |= SEG_VALID_ALL(seg);
	}
	return s;
}

/**
 * vmx_get_segment() - a segment register as userspace sees it
 * @vcpu: loaded vCPU
 * @var: filled
 * @seg: enum kvm_seg
 *
 * An unusable segment is shown as not present: VMMs that know nothing of
 * "unusable" carry it through a save and restore that way.
 */
void vmx_get_segment(struct kvm_vcpu *vcpu, struct kvm_segment *var, int seg)
{
	struct vmx_segment_cache *s = vmx_segment(vcpu, seg);

	*var = (struct kvm_segment) {
		.base = s->base,
		.limit = s->limit,
		.selector = s->selector,
		.type = SEG_AR_TYPE(s->ar),
		.s = SEG_AR_S(s->ar),
		.dpl = SEG_AR_DPL(s->ar),
		.present = !(s->ar & SEG_AR_UNUSABLE),
		.avl = SEG_AR_AVL(s->ar),
		.l = SEG_AR_L(s->ar),
		.db = SEG_AR_DB(s->ar),
		.g = SEG_AR_G(s->ar),
		.unusable = !!(s->ar & SEG_AR_UNUSABLE),
	};
}

/**
 * vmx_set_segment() - load a segment register with its hidden part
 * @vcpu: loaded vCPU
 * @var: from userspace; anything: a state that no entry takes is found there
 * @seg: enum kvm_seg
 */
void vmx_set_segment(struct kvm_vcpu *vcpu, const struct kvm_segment *var, int seg)
{
	u32 ar = (var->type & 0xf) | (var->s & 1) << 4 | (var->dpl & 3) << 5 | !!var->present << 7 |
		 (var->avl & 1) << 12 | (var->l & 1) << 13 | (var->db & 1) << 14 |
		 (var->g & 1) << 15;

	/*
	 * A loaded segment has its accessed bit set (SDM 27.3.1.2 requires it); a
	 * VMM may build one without.
	 */
	if (seg != VCPU_SREG_LDTR)
		ar |= 1;
	/*
	 * The attributes stay: SS.DPL is the privilege level even if SS is
	 * unusable (SDM 25.4.1), and has to survive a save and restore.
	 */
	if (var->unusable || !var->present)
		ar |= SEG_AR_UNUSABLE;
	to_vmx(vcpu)->seg_valid &= ~SEG_VALID_ALL(seg);
	__vmcs_writel(SEG_FIELD(GUEST_ES_SELECTOR, seg), var->selector);
	__vmcs_writel(SEG_FIELD(GUEST_ES_BASE, seg), var->base);
	__vmcs_writel(SEG_FIELD(GUEST_ES_LIMIT, seg), var->limit);
	__vmcs_writel(SEG_FIELD(GUEST_ES_AR_BYTES, seg), ar);
}

/* The current privilege level is SS.DPL (SDM 25.4.1), but for the two old modes. */
int vmx_get_cpl(struct kvm_vcpu *vcpu)
{
	if (!is_protmode(vcpu))
		return 0;
	if (!is_long_mode(vcpu) && (kvm_get_rflags(vcpu) & X86_EFLAGS_VM))
		return 3;
	return SEG_AR_DPL(vmx_segment_ar(vcpu, VCPU_SREG_SS));
}

bool vmx_get_cs_l(struct kvm_vcpu *vcpu)
{
	return SEG_AR_L(vmx_segment_ar(vcpu, VCPU_SREG_CS));
}

void vmx_get_dt(struct kvm_vcpu *vcpu, struct desc_ptr *dt, enum kvm_dt which)
{
	if (which == VCPU_DT_GDTR) {
		dt->size = vmcs_read32(GUEST_GDTR_LIMIT);
		dt->address = vmcs_readl(GUEST_GDTR_BASE);
	} else {
		dt->size = vmcs_read32(GUEST_IDTR_LIMIT);
		dt->address = vmcs_readl(GUEST_IDTR_BASE);
	}
}

void vmx_set_dt(struct kvm_vcpu *vcpu, const struct desc_ptr *dt, enum kvm_dt which)
{
	if (which == VCPU_DT_GDTR) {
		vmcs_write32(GUEST_GDTR_LIMIT, dt->size);
		vmcs_writel(GUEST_GDTR_BASE, dt->address);
	} else {
		vmcs_write32(GUEST_IDTR_LIMIT, dt->size);
		vmcs_writel(GUEST_IDTR_BASE, dt->address);
	}
}

/* ---- MSRs ---- */

static u64 vmx_get_kernel_gs_base(struct vcpu_vmx *vmx)
{
	preempt_disable();
	if (vmx->guest_state_loaded)
		vmx->msr_guest_kernel_gs_base = kvm_rdmsr(MSR_KERNEL_GS_BASE);
	preempt_enable();
	return vmx->msr_guest_kernel_gs_base;
}

static void vmx_set_kernel_gs_base(struct vcpu_vmx *vmx, u64 data)
{
	preempt_disable();
	if (vmx->guest_state_loaded)
		kvm_wrmsr(MSR_KERNEL_GS_BASE, data);
	preempt_enable();
	vmx->msr_guest_kernel_gs_base = data;
}

/**
 * vmx_get_msr() - read an MSR that VMX or this file keeps
 * @vcpu: loaded vCPU
 * @index: ECX of RDMSR
 * @data: filled
 *
 * Return: 0, or 1 if the MSR is not kept here.
 */
int vmx_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	int slot;

	switch (index) {
	case MSR_FS_BASE:
		*data = vmcs_readl(GUEST_FS_BASE);
		return 0;
	case MSR_GS_BASE:
		*data = vmcs_readl(GUEST_GS_BASE);
		return 0;
	case MSR_KERNEL_GS_BASE:
		*data = vmx_get_kernel_gs_base(vmx);
		return 0;
	case MSR_IA32_SYSENTER_CS:
		*data = vmcs_read32(GUEST_SYSENTER_CS);
		return 0;
	case MSR_IA32_SYSENTER_ESP:
		*data = vmcs_readl(GUEST_SYSENTER_ESP);
		return 0;
	case MSR_IA32_SYSENTER_EIP:
		*data = vmcs_readl(GUEST_SYSENTER_EIP);
		return 0;
	case MSR_IA32_CR_PAT:
		*data = vcpu->arch.pat;
		return 0;
	case MSR_IA32_FEAT_CTL:
		*data = vmx->feat_ctl;
		return 0;
	}
	slot = vmx_guest_msr_slot(index);
	if (slot < 0)
		return 1;
	*data = vmx->guest_msrs[slot];
	return 0;
}

/**
 * vmx_set_msr() - write an MSR that VMX or this file keeps
 * @vcpu: loaded vCPU
 * @index: ECX of WRMSR
 * @data: EDX:EAX; msr.c has checked that the architecture allows it
 *
 * Return: 0, or 1 if the MSR is not kept here.
 */
int vmx_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 data)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	int slot;

	switch (index) {
	case MSR_FS_BASE:
		vmx->seg_valid &= ~SEG_VALID_ALL(VCPU_SREG_FS);
		vmcs_writel(GUEST_FS_BASE, data);
		return 0;
	case MSR_GS_BASE:
		vmx->seg_valid &= ~SEG_VALID_ALL(VCPU_SREG_GS);
		vmcs_writel(GUEST_GS_BASE, data);
		return 0;
	case MSR_KERNEL_GS_BASE:
		vmx_set_kernel_gs_base(vmx, data);
		return 0;
	case MSR_IA32_SYSENTER_CS:
		vmcs_write32(GUEST_SYSENTER_CS, data);
		return 0;
	case MSR_IA32_SYSENTER_ESP:
		vmcs_writel(GUEST_SYSENTER_ESP, data);
		return 0;
	case MSR_IA32_SYSENTER_EIP:
		vmcs_writel(GUEST_SYSENTER_EIP, data);
		return 0;
	case MSR_IA32_CR_PAT:
		vcpu->arch.pat = data;
		vmcs_write64(GUEST_IA32_PAT, data);
		return 0;
	case MSR_IA32_FEAT_CTL:
		vmx->feat_ctl = data;
		return 0;
	}
	slot = vmx_guest_msr_slot(index);
	if (slot < 0)
		return 1;
	vmx_set_guest_msr(vmx, slot, data);
	return 0;
}

/* SDM 26.3: guest TSC = host TSC * multiplier + offset, in hardware. */
void vmx_write_tsc_offset(struct kvm_vcpu *vcpu)
{
	vmcs_write64(TSC_OFFSET, vcpu->arch.tsc_offset);
	if (kvm_caps.has_tsc_scaling)
		vmcs_write64(TSC_MULTIPLIER, vcpu->arch.tsc_scaling_ratio);
}

/* ---- what exits ---- */

/*
 * MSRs that the guest may access without an exit: the VMCS switches them, or
 * vmx_prepare_switch_to_guest() does; TSC reads go through the offset.
 */
static const struct {
	u32 index;
	bool write;
} vmx_passthrough_msrs[] = {
	{ MSR_FS_BASE, true },
	{ MSR_GS_BASE, true },
	{ MSR_KERNEL_GS_BASE, true },
	{ MSR_IA32_SYSENTER_CS, true },
	{ MSR_IA32_SYSENTER_ESP, true },
	{ MSR_IA32_SYSENTER_EIP, true },
	{ MSR_IA32_TSC, false },
};

/* Each part is 1 KiB: 128 longs.  Write parts come after both read parts. */
void vmx_msr_bitmap_set(unsigned long *bitmap, u32 index, bool write, bool intercept)
{
	unsigned long *part = bitmap + (write ? 256 : 0) + (index >= 0xc0000000 ? 128 : 0);

	if (intercept)
		__set_bit(index & 0x1fff, part);
	else
		__clear_bit(index & 0x1fff, part);
}

static void vmx_update_msr_bitmap(struct kvm_vcpu *vcpu)
{
	unsigned long *bitmap = to_vmx(vcpu)->msr_bitmap;
	int i;

	for (i = 0; i < ARRAY_SIZE(vmx_passthrough_msrs); i++) {
		u32 index = vmx_passthrough_msrs[i].index;
		bool write = vmx_passthrough_msrs[i].write;

		vmx_msr_bitmap_set(bitmap, index, false,
				   !kvm_msr_allowed(vcpu, index, KVM_MSR_FILTER_READ));
		vmx_msr_bitmap_set(bitmap, index, true,
				   !write || !kvm_msr_allowed(vcpu, index, KVM_MSR_FILTER_WRITE));
	}
}

/* An instruction that CPUID does not offer must raise #UD: its control is off. */
static u32 vmx_secondary_controls(struct kvm_vcpu *vcpu)
{
	u32 ctl = vmcs_config.cpu_based_2nd & (~VMX_APIC_2ND | vmx_apic_secondary(vcpu));

	if (!to_vmx(vcpu)->vpid)
		ctl &= ~SECONDARY_EXEC_ENABLE_VPID;
	if (!guest_cpuid_has(vcpu, X86_FEATURE_RDTSCP) && !guest_cpuid_has(vcpu, X86_FEATURE_RDPID))
		ctl &= ~SECONDARY_EXEC_ENABLE_RDTSCP;
	if (!guest_cpuid_has(vcpu, X86_FEATURE_INVPCID))
		ctl &= ~SECONDARY_EXEC_ENABLE_INVPCID;
	if (!guest_cpuid_has(vcpu, X86_FEATURE_XSAVES))
		ctl &= ~SECONDARY_EXEC_ENABLE_XSAVES;
	if (vcpu->kvm->arch.disabled_exits & KVM_X86_DISABLE_EXITS_PAUSE)
		ctl &= ~SECONDARY_EXEC_PAUSE_LOOP_EXITING;
	return ctl;
}

/*
 * Exceptions that exit: #MC is the host's.  #DB and #AC because a guest can
 * arrange for them to recur endlessly during their own delivery, with no chance
 * for an interrupt; passing them on by injection breaks the cycle.  #BP only for
 * a debugger outside, #UD only for kvm_handle_ud()'s sake.
 */
static u32 vmx_exception_bitmap(struct kvm_vcpu *vcpu)
{
	u32 bits = BIT(X86_TRAP_MC) | BIT(X86_TRAP_DB) | BIT(X86_TRAP_AC);

	if (vcpu->arch.guest_debug & KVM_GUESTDBG_USE_SW_BP)
		bits |= BIT(X86_TRAP_BP);
	if (kvm_fixes_hypercalls(vcpu->kvm))
		bits |= BIT(X86_TRAP_UD);
	return bits;
}

/**
 * vmx_update_intercepts() - what exits, after a change of what decides it
 * @vcpu: loaded vCPU; kvm->srcu is held, for the MSR filter
 */
void vmx_update_intercepts(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	vmx_init_state_masks(vcpu);
	vmx_apic_update(vcpu);
	vmcs_write32(SECONDARY_VM_EXEC_CONTROL, vmx_secondary_controls(vcpu));
	vmx->exception_bitmap = vmx_exception_bitmap(vcpu);
	vmcs_write32(EXCEPTION_BITMAP, vmx->exception_bitmap);
	if (vcpu->kvm->arch.disabled_exits & KVM_X86_DISABLE_EXITS_HLT)
		vmx_exec_control_clear(vmx, CPU_BASED_HLT_EXITING);
	vmx_update_msr_bitmap(vcpu);
}
