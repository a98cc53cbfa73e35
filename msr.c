// SPDX-License-Identifier: GPL-2.0
/*
 * msr.c - model-specific registers
 *
 * What an MSR is and may hold is a row of kvm_msrs[].  Most rows only say where
 * in the vCPU the value is kept and which bits are reserved; the few with side
 * effects have functions.  A row also says whether the vendor's hardware holds
 * the register (kvm_x86_ops.get_msr and set_msr), and whether only one vendor's
 * CPUs have it (kvm_caps.own_msrs).  An MSR without a row does not exist: the guest
 * gets #GP, and a VMM sees its list cut short there.
 *
 * Who asks:
 *
 *	the guest	RDMSR and WRMSR exit to kvm_emulate_rdmsr() and _wrmsr(),
 *			unless the vendor lets the hardware do them.  First the
 *			VM's filter (KVM_X86_SET_MSR_FILTER) is asked, then the
 *			row, and if either says no, the VMM may want to answer
 *			itself (KVM_CAP_X86_USER_SPACE_MSR); else #GP.
 *	the VMM		KVM_GET_MSRS and KVM_SET_MSRS ("host_initiated"), to save,
 *			restore and configure.  It may also do what a CPU's maker
 *			could: write registers that are read-only to software, and
 *			use those that the guest's CPUID does not show.
 *
 * Rows are found by a hash of the index, built once by kvm_init_msr_lists().
 *
 * Some registers exist only because old kernels touch them before they look
 * at CPUID: they read as 0 (or a constant), and take writes of what they read.
 *
 * Locks: values are vcpu->mutex's.  The filter is immutable once it is
 * published in kvm->arch.msr_filter; readers are under kvm->srcu.
 *
 * Left out: PMU, speculation control, x2APIC and TSC deadline (the local APIC is
 * the VMM's), SMM, MPX, PT, SGX: CPUID shows none of them.  MTRRs are
 * kept but change nothing: EPT or nested paging decides memory types.  AMD's LS_CFG
 * and IBS: a kernel that found them would believe that they work.
 */
#include <linux/hash.h>
#include <linux/kvm_para.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "irq.h"
#include "kvm_host.h"

/*
 * What an access came to.  The guest's #GP is all of them but MSR_OK.  Functions of
 * other files that read or write a register say 0 or 1: the first two of these.
 */
enum msr_result {
	MSR_OK,
	MSR_INVALID,	/* the MSR exists, but not so */
	MSR_UNKNOWN,
	MSR_FILTERED,
};

#define MSR_LISTED	BIT(0)	/* in KVM_GET_MSR_INDEX_LIST, if its feature is there */
#define MSR_VENDOR	BIT(1)	/* the vendor has the value */
#define MSR_OWN		BIT(2)	/* exists only if kvm_caps.own_msrs has it */
#define MSR_CANONICAL	BIT(3)	/* holds a linear address */
#define MSR_HOST	BIT(4)	/* for the VMM alone */
#define MSR_RO		BIT(5)	/* the guest may only read it */
#define MSR_SINK	BIT(6)	/* writes vanish */

/**
 * struct kvm_msr_row - one MSR, or several in a row
 * @index:	its number; of the first of @count
 * @count:	how many; 0 means 1
 * @flags:	MSR_*
 * @feature:	X86_FEATURE_* that a guest must have to touch it; 0: none
 * @feature2:	which also suffices
 * @field:	where the value is, as offset in struct kvm_vcpu_arch; 0: @value
 * @reserved:	bits that nobody may set
 * @value:	a constant; may be written back, if not MSR_SINK
 * @get:	instead of @field or @value
 * @set:	likewise, after all the checks
 */
struct kvm_msr_row {
	u32 index;
	u16 count;
	u8 flags;
	u16 feature, feature2;
	u16 field;
	u64 reserved;
	u64 value;
	int (*get)(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host);
	int (*set)(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host);
};

/* ---- MTRRs and the PAT ---- */

/* A memory type as MTRRs have it: UC, WC, WT, WP, WB (SDM 12.11.1). */
static bool is_mtrr_type(u8 type)
{
	return type < 8 && BIT(type) & 0x73;
}

static bool are_mtrr_types(u64 types)
{
	int i;

	for (i = 0; i < 64; i += 8)
		if (!is_mtrr_type(types >> i))
			return false;
	return true;
}

/* SDM 12.11.2.1: type, fixed-range enable, enable. */
static bool is_valid_mtrr_deftype(u64 data)
{
	return !(data & ~0xcffULL) && is_mtrr_type(data);
}

/* SDM 12.11.2.3, figure 12-7: even numbers are bases, odd ones masks. */
static bool is_valid_mtrr_var(u32 index, u64 data, u64 reserved_gpa_bits)
{
	if (index & 1)
		return !(data & (reserved_gpa_bits | 0x7ff));
	return !(data & (reserved_gpa_bits | 0xf00)) && is_mtrr_type(data);
}

/* SDM 12.12.2: types as MTRRs', and "UC-". */
static bool is_valid_pat(u64 data)
{
	int i;

	for (i = 0; i < 64; i += 8) {
		u8 type = data >> i;

		if (type != 7 && !is_mtrr_type(type))
			return false;
	}
	return true;
}

/* Where an MTRR's value is; the numbers have holes. */
static u64 *mtrr_slot(struct kvm_vcpu *vcpu, u32 index)
{
	struct kvm_mtrr *mtrr = &vcpu->arch.mtrr;
	u32 n;

	switch (index) {
	case MSR_MTRRdefType:
		return &mtrr->deftype;
	case MSR_MTRRfix64K_00000:
		return &mtrr->fixed[0];
	case MSR_MTRRfix16K_80000:
	case MSR_MTRRfix16K_A0000:
		return &mtrr->fixed[1 + array_index_nospec(index - MSR_MTRRfix16K_80000, 2)];
	case MSR_MTRRfix4K_C0000 ... MSR_MTRRfix4K_F8000:
		return &mtrr->fixed[3 + array_index_nospec(index - MSR_MTRRfix4K_C0000, 8)];
	}
	n = array_index_nospec((index - MTRRphysBase_MSR(0)) / 2, KVM_NR_VAR_MTRR);
	return index & 1 ? &mtrr->var[n].mask : &mtrr->var[n].base;
}

static int get_mtrr(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = *mtrr_slot(vcpu, index);
	return MSR_OK;
}

static int set_mtrr(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	bool valid;

	if (index == MSR_MTRRdefType)
		valid = is_valid_mtrr_deftype(data);
	else if (index < MSR_MTRRfix64K_00000)
		valid = is_valid_mtrr_var(index, data, vcpu->arch.reserved_gpa_bits);
	else
		valid = are_mtrr_types(data);
	if (!valid)
		return MSR_INVALID;
	*mtrr_slot(vcpu, index) = data;
	return MSR_OK;
}

/* ---- registers that the vendor keeps ---- */

static int set_vendor_msr(struct kvm_vcpu *vcpu, u32 index, u64 data)
{
	switch (kvm_x86_ops.set_msr(vcpu, index, data)) {
	case 0:
		return MSR_OK;
	case 1:
		return MSR_UNKNOWN;
	default:
		return MSR_INVALID;
	}
}

static int set_pat(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	return is_valid_pat(data) ? set_vendor_msr(vcpu, index, data) : MSR_INVALID;
}

/* Intel's CPUs check the address, AMD's keep 32 bits of it (APM vol. 2, 6.1.2). */
static int set_sysenter_address(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (is_noncanonical_address(data, vcpu)) {
		if (guest_cpuid_is_intel(vcpu))
			return MSR_INVALID;
		data = (u32)data;
	}
	return set_vendor_msr(vcpu, index, data);
}

/* Intel's CPUs check that the upper half is 0, AMD's do not look. */
static int set_tsc_aux(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (data >> 32 && guest_cpuid_is_intel(vcpu))
		return MSR_INVALID;
	return set_vendor_msr(vcpu, index, (u32)data);
}

/* A guest may have got more in without an exit, and a VMM must be able to restore that. */
static int set_syscall_mask(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (data >> 32 && !host)
		return MSR_INVALID;
	return set_vendor_msr(vcpu, index, (u32)data);
}

/* Locked by firmware, as a rule with nothing in it enabled: there is no VMX here. */
static int set_feat_ctl(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	u64 old;

	if (kvm_x86_ops.get_msr(vcpu, index, &old))
		return MSR_UNKNOWN;
	if (!host && old & FEAT_CTL_LOCKED)
		return MSR_INVALID;
	return set_vendor_msr(vcpu, index, data);
}

/* ---- registers with effects ---- */

static int set_never(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	return MSR_INVALID;
}

/* For half a register: as if it did not exist to who reads it, or writes it. */
static int get_unknown(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	return MSR_UNKNOWN;
}

static int set_unknown(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	return MSR_UNKNOWN;
}

/**
 * kvm_set_efer() - write IA32_EFER (SDM 2.2.1)
 * @vcpu:	the vCPU, loaded
 * @efer:	the value; its LMA is ignored, that bit is the hardware's
 * @host_initiated: for the VMM; the guest's CPUID does not matter then
 *
 * Return: 0, or 1 if WRMSR would cause #GP.
 */
int kvm_set_efer(struct kvm_vcpu *vcpu, u64 efer, bool host_initiated)
{
	u64 old = vcpu->arch.efer;

	if (efer & ~(kvm_caps.supported_efer | EFER_LMA))
		return 1;
	if (!host_initiated) {
		if (efer & vcpu->arch.efer_reserved_bits)
			return 1;
		if ((old ^ efer) & EFER_LME && is_paging(vcpu))
			return 1;
	}

	efer = (efer & ~EFER_LMA) | (old & EFER_LMA);
	if (efer != old) {
		vcpu->arch.efer = efer;
		kvm_x86_ops.store_reg(vcpu, VCPU_EXREG_EFER);
	}
	return 0;
}

static int set_msr_efer(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	return kvm_set_efer(vcpu, data, host) ? MSR_INVALID : MSR_OK;
}

/**
 * kvm_set_apic_base() - write IA32_APIC_BASE (SDM 11.4.4, 11.12.1)
 * @vcpu:	the vCPU
 * @value:	the value
 * @host_initiated: for the VMM, which may go from any state to any other
 *
 * Return: 0, or 1 if WRMSR would cause #GP.
 */
int kvm_set_apic_base(struct kvm_vcpu *vcpu, u64 value, bool host_initiated)
{
	const u64 mode = MSR_IA32_APICBASE_ENABLE | X2APIC_ENABLE;
	u64 old = vcpu->arch.apic_base & mode, new = value & mode;
	u64 reserved = vcpu->arch.reserved_gpa_bits | 0x2ff, was;

	if (!guest_cpuid_has(vcpu, X86_FEATURE_X2APIC))
		reserved |= X2APIC_ENABLE;
	if (value & reserved || new == X2APIC_ENABLE)
		return 1;
	/* From x2APIC only off, and to x2APIC only from xAPIC (figure 11-27). */
	if (!host_initiated && ((old == mode && new == MSR_IA32_APICBASE_ENABLE) ||
				(old == 0 && new == mode)))
		return 1;

	was = vcpu->arch.apic_base;
	vcpu->arch.apic_base = value;
	if (lapic_in_kernel(vcpu))
		kvm_apic_set_base(vcpu, was, value);
	if (old != new)
		kvm_update_cpuid_runtime(vcpu);
	return 0;
}

static int get_x2apic(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	return lapic_in_kernel(vcpu) && !kvm_x2apic_msr_read(vcpu, index, data) ? MSR_OK :
										  MSR_INVALID;
}

static int set_x2apic(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	return lapic_in_kernel(vcpu) && !kvm_x2apic_msr_write(vcpu, index, data) ? MSR_OK :
										   MSR_INVALID;
}

/* Without a local APIC of ours it reads 0 and takes anything, as KVM has it. */
static int get_tsc_deadline(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = lapic_in_kernel(vcpu) ? kvm_apic_get_tscdeadline(vcpu) : 0;
	return MSR_OK;
}

static int set_tsc_deadline(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (lapic_in_kernel(vcpu))
		kvm_apic_set_tscdeadline(vcpu, data);
	return MSR_OK;
}

static int set_msr_apic_base(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	return kvm_set_apic_base(vcpu, data, host) ? MSR_INVALID : MSR_OK;
}

static int get_tsc(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = kvm_read_l1_tsc(vcpu, rdtsc());
	return MSR_OK;
}

static int set_tsc(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (host)
		kvm_synchronize_tsc(vcpu, data);
	else
		kvm_write_tsc_as_guest(vcpu, data);
	return MSR_OK;
}

static int set_tsc_adjust(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	kvm_write_tsc_adjust(vcpu, data, host);
	return MSR_OK;
}

/* What is wired: no BTS, no PEBS; EMON tells of a PMU, and does not take writes. */
#define MISC_ENABLE_WIRED	(MSR_IA32_MISC_ENABLE_BTS_UNAVAIL |	\
				 MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL)

static int set_misc_enable(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	u64 old = vcpu->arch.ia32_misc_enable;

	if (!host) {
		if ((old ^ data) & MISC_ENABLE_WIRED)
			return MSR_INVALID;
		data = (data & ~MSR_IA32_MISC_ENABLE_EMON) | (old & MSR_IA32_MISC_ENABLE_EMON);
	}
	vcpu->arch.ia32_misc_enable = data;
	if ((old ^ data) & MSR_IA32_MISC_ENABLE_MWAIT)
		kvm_update_cpuid_runtime(vcpu);
	return MSR_OK;
}

/* A VM may hide it (KVM_CAP_MSR_PLATFORM_INFO): then it is as if it were not there. */
static int get_platform_info(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (!host && !vcpu->kvm->arch.guest_can_read_msr_platform_info)
		return MSR_INVALID;
	*data = vcpu->arch.msr_platform_info;
	return MSR_OK;
}

/* CPUID faulting cannot be taken away while it is switched on. */
static int set_platform_info(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!(data & MSR_PLATFORM_INFO_CPUID_FAULT) &&
	    vcpu->arch.msr_misc_features_enables & MSR_MISC_FEATURES_ENABLES_CPUID_FAULT)
		return MSR_INVALID;
	vcpu->arch.msr_platform_info = data;
	return MSR_OK;
}

static int set_misc_features(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (data & MSR_MISC_FEATURES_ENABLES_CPUID_FAULT &&
	    !(vcpu->arch.msr_platform_info & MSR_PLATFORM_INFO_CPUID_FAULT))
		return MSR_INVALID;
	vcpu->arch.msr_misc_features_enables = data;
	return MSR_OK;
}

static int set_ucode_rev(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	/* Intel's guests write 0 before CPUID(1), so that it may be loaded anew. */
	if (host)
		vcpu->arch.microcode_version = data;
	return MSR_OK;
}

static int set_xss(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (data & ~kvm_caps.supported_xss)
		return MSR_INVALID;
	vcpu->arch.ia32_xss = data;
	kvm_update_cpuid_runtime(vcpu);
	return MSR_OK;
}

/* Branch records and branch steps are not to be had, but asking is no fault. */
static int set_debugctl(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	return data & ~(u64)(DEBUGCTLMSR_LBR | DEBUGCTLMSR_BTF) ? MSR_INVALID : MSR_OK;
}

/*
 * AMD's hardware configuration.  McStatusWrEn lets a guest inject errors into itself
 * (mce.c), TscFreqSel says that the TSC counts at the rate of P-state 0, which old
 * kernels want to see.  What kernels set besides are workarounds (no TLB caching of
 * page tables, no flush filter, IGNNE) that a guest has no need of: they vanish.
 */
#define HWCR_IGNORED	(BIT_ULL(3) | BIT_ULL(6) | BIT_ULL(8))
#define HWCR_TSC_FREQ_SEL BIT_ULL(24)

static int set_hwcr(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	data &= ~HWCR_IGNORED;
	if (data & ~(HWCR_MC_STATUS_WR_EN | HWCR_TSC_FREQ_SEL))
		return MSR_INVALID;
	vcpu->arch.hwcr = data;
	return MSR_OK;
}

/*
 * AMD's family 15h shares an instruction cache between two cores, and its kernels
 * switch a filter of it off, with the bits of 0x1e; guests find it done.  No other
 * CPU has the register, but there too AMD's kernels may look.
 */
static int get_ic_cfg(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	struct kvm_cpuid_entry2 *entry = kvm_find_cpuid_entry(vcpu, 1, 0);
	unsigned int model;

	if (!entry || !guest_cpuid_is_amd(vcpu))
		return MSR_UNKNOWN;
	model = (entry->eax >> 4 & 0xf) | (entry->eax >> 12 & 0xf0);
	*data = (entry->eax >> 8 & 0xf) == 0xf && (entry->eax >> 20 & 0xff) == 0x15 - 0xf &&
		model >= 0x2 && model < 0x20 ? 0x1e : 0;
	return MSR_OK;
}

/* ---- what a VM may know about its host: the feature MSRs ---- */

/*
 * Of IA32_ARCH_CAPABILITIES: facts about what the hardware is and is not
 * vulnerable to.  Bits that announce a control (IBRS, TSX_CTRL, ...) are not
 * offered, as the controls are not.
 */
#define ARCH_CAP_FACTS	(ARCH_CAP_RDCL_NO | ARCH_CAP_RSBA | ARCH_CAP_SKIP_VMENTRY_L1DFLUSH | \
			 ARCH_CAP_SSB_NO | ARCH_CAP_MDS_NO | ARCH_CAP_PSCHANGE_MC_NO | \
			 ARCH_CAP_TAA_NO | ARCH_CAP_SBDR_SSDP_NO | ARCH_CAP_FBSDP_NO | \
			 ARCH_CAP_PSDP_NO | ARCH_CAP_FB_CLEAR | ARCH_CAP_RRSBA | \
			 ARCH_CAP_BHI_NO | ARCH_CAP_PBRSB_NO | ARCH_CAP_GDS_NO | \
			 ARCH_CAP_RFDS_NO | ARCH_CAP_RFDS_CLEAR | ARCH_CAP_ITS_NO)

static u64 supported_arch_capabilities;

static int set_arch_capabilities(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (data & ~supported_arch_capabilities)
		return MSR_INVALID;
	vcpu->arch.arch_capabilities = data;
	return MSR_OK;
}

/*
 * AMD's "OS visible workarounds": a list of flaws, by number, that a kernel may have to
 * work around (APM vol. 2, appendix E).  Bits 1 and 2 (timers that stop while the
 * CPU sleeps) are the hypervisor's work.
 */
static u64 osvw_id_length, osvw_status;

static void read_osvw(void)
{
	osvw_id_length = 0;
	osvw_status = 0;
	if (!kvm_cpu_cap_has(X86_FEATURE_OSVW) ||
	    rdmsrl_safe(MSR_AMD64_OSVW_ID_LENGTH, &osvw_id_length) ||
	    rdmsrl_safe(MSR_AMD64_OSVW_STATUS, &osvw_status))
		return;
	/* If the CPU tells nothing, it may have the flaw of bit 0: some of family 10h do. */
	if (!osvw_id_length)
		osvw_status = boot_cpu_data.x86 == 0x10;
	osvw_id_length = max(osvw_id_length, 3ULL);
	osvw_status &= ~(u64)(BIT(1) | BIT(2));
}

/* The last one is there only if it has something to say. */
static const u32 feature_msrs[] = {
	MSR_IA32_UCODE_REV,
	MSR_IA32_ARCH_CAPABILITIES,
	MSR_IA32_PERF_CAPABILITIES,
	MSR_AMD64_DE_CFG,
};

static unsigned int nr_feature_msrs(void)
{
	return ARRAY_SIZE(feature_msrs) - !kvm_caps.supported_de_cfg;
}

static int get_feature_msr(u32 index, u64 *data)
{
	switch (index) {
	case MSR_IA32_UCODE_REV:
		if (rdmsrl_safe(index, data))
			*data = 0;
		return MSR_OK;
	case MSR_IA32_ARCH_CAPABILITIES:
		*data = supported_arch_capabilities;
		return MSR_OK;
	case MSR_IA32_PERF_CAPABILITIES:
		*data = 0;	/* no PMU */
		return MSR_OK;
	case MSR_AMD64_DE_CFG:
		*data = kvm_caps.supported_de_cfg;
		return *data ? MSR_OK : MSR_UNKNOWN;
	default:
		return MSR_UNKNOWN;
	}
}

/* ---- the table ---- */

#define FIELD(name)		.field = offsetof(struct kvm_vcpu_arch, name)
#define ROW(idx, ...)		{ .index = (idx), __VA_ARGS__ }
/* Reads as a constant, which may be written back. */
#define CONST(idx, n, val)	{ .index = (idx), .count = (n), .value = (val) }
/* Reads as a constant, takes anything. */
#define SINK(idx, n, val)	{ .index = (idx), .count = (n), .value = (val), .flags = MSR_SINK }
#define PV(idx)			{ .index = (idx), .flags = MSR_LISTED, .get = kvm_get_pv_msr, \
				  .set = kvm_set_pv_msr }
#define VENDOR(idx, ...)	{ .index = (idx), .flags = MSR_VENDOR | __VA_ARGS__ }

static const struct kvm_msr_row kvm_msrs[] = {
	/* Held by hardware, or swapped by the vendor's code. */
	VENDOR(MSR_FS_BASE, MSR_CANONICAL),
	VENDOR(MSR_GS_BASE, MSR_CANONICAL),
	VENDOR(MSR_KERNEL_GS_BASE, MSR_CANONICAL | MSR_LISTED),
	VENDOR(MSR_IA32_SYSENTER_CS, MSR_LISTED),
	VENDOR(MSR_IA32_SYSENTER_ESP, MSR_LISTED, .set = set_sysenter_address),
	VENDOR(MSR_IA32_SYSENTER_EIP, MSR_LISTED, .set = set_sysenter_address),
	VENDOR(MSR_STAR, MSR_LISTED),
	VENDOR(MSR_LSTAR, MSR_CANONICAL | MSR_LISTED),
	VENDOR(MSR_CSTAR, MSR_CANONICAL | MSR_LISTED),
	VENDOR(MSR_SYSCALL_MASK, MSR_LISTED, .set = set_syscall_mask),
	VENDOR(MSR_TSC_AUX, MSR_LISTED, .feature = X86_FEATURE_RDTSCP,
	       .feature2 = X86_FEATURE_RDPID, .set = set_tsc_aux),
	VENDOR(MSR_IA32_CR_PAT, MSR_LISTED, .set = set_pat),
	/* One vendor's alone; the vendor knows the rules. */
	VENDOR(MSR_VM_CR, MSR_OWN),
	VENDOR(MSR_VM_HSAVE_PA, MSR_OWN | MSR_LISTED),
	VENDOR(MSR_AMD64_DE_CFG, MSR_OWN),

	/* Mode, time, identity. */
	ROW(MSR_EFER, FIELD(efer), .set = set_msr_efer),
	ROW(MSR_IA32_APICBASE, FIELD(apic_base), .set = set_msr_apic_base),
	ROW(APIC_BASE_MSR, .count = 0x80, .get = get_x2apic, .set = set_x2apic),
	ROW(APIC_BASE_MSR + 0x80, .count = 0x80, .get = get_x2apic, .set = set_x2apic),
	ROW(MSR_IA32_TSC_DEADLINE, .flags = MSR_LISTED, .get = get_tsc_deadline,
	    .set = set_tsc_deadline),
	ROW(MSR_IA32_TSC, .flags = MSR_LISTED, .get = get_tsc, .set = set_tsc),
	ROW(MSR_IA32_TSC_ADJUST, FIELD(ia32_tsc_adjust), .flags = MSR_LISTED,
	    .feature = X86_FEATURE_TSC_ADJUST, .set = set_tsc_adjust),
	ROW(MSR_IA32_MISC_ENABLE, FIELD(ia32_misc_enable), .flags = MSR_LISTED,
	    .set = set_misc_enable),
	ROW(MSR_IA32_XSS, FIELD(ia32_xss), .flags = MSR_LISTED,
	    .feature = X86_FEATURE_XSAVES, .set = set_xss),
	ROW(MSR_PLATFORM_INFO, .flags = MSR_LISTED | MSR_RO, .get = get_platform_info,
	    .set = set_platform_info),
	ROW(MSR_MISC_FEATURES_ENABLES, FIELD(msr_misc_features_enables), .flags = MSR_LISTED,
	    .reserved = ~(u64)MSR_MISC_FEATURES_ENABLES_CPUID_FAULT, .set = set_misc_features),
	VENDOR(MSR_IA32_FEAT_CTL, MSR_OWN | MSR_LISTED, .reserved = ~(u64)FEAT_CTL_LOCKED,
	       .set = set_feat_ctl),
	ROW(MSR_IA32_UCODE_REV, FIELD(microcode_version), .flags = MSR_LISTED,
	    .set = set_ucode_rev),
	ROW(MSR_IA32_ARCH_CAPABILITIES, FIELD(arch_capabilities), .flags = MSR_LISTED | MSR_RO,
	    .feature = X86_FEATURE_ARCH_CAPABILITIES, .set = set_arch_capabilities),
	ROW(MSR_IA32_PERF_CAPABILITIES, .flags = MSR_RO, .feature = X86_FEATURE_PDCM),
	ROW(MSR_IA32_DEBUGCTLMSR, .set = set_debugctl),

	/* Memory types: listed, so that a saved VM has them when it is restored. */
	ROW(MSR_MTRRcap, .value = BIT(10) | BIT(8) | KVM_NR_VAR_MTRR, .set = set_never),
	ROW(MSR_MTRRdefType, .flags = MSR_LISTED, .get = get_mtrr, .set = set_mtrr),
	ROW(MTRRphysBase_MSR(0), .count = 2 * KVM_NR_VAR_MTRR, .flags = MSR_LISTED,
	    .get = get_mtrr, .set = set_mtrr),
	ROW(MSR_MTRRfix64K_00000, .flags = MSR_LISTED, .get = get_mtrr, .set = set_mtrr),
	ROW(MSR_MTRRfix16K_80000, .count = 2, .flags = MSR_LISTED, .get = get_mtrr,
	    .set = set_mtrr),
	ROW(MSR_MTRRfix4K_C0000, .count = 8, .flags = MSR_LISTED, .get = get_mtrr,
	    .set = set_mtrr),

	/* Machine check.  The banks are not listed: how many there are varies. */
	ROW(MSR_IA32_MCG_CAP, .get = kvm_get_mcg_cap, .set = set_never),
	ROW(MSR_IA32_MCG_STATUS, FIELD(mcg_status), .flags = MSR_LISTED),
	ROW(MSR_IA32_MCG_CTL, .flags = MSR_LISTED, .get = kvm_get_mcg_ctl,
	    .set = kvm_set_mcg_ctl),
	ROW(MSR_IA32_MC0_CTL, .count = KVM_MAX_MCE_BANKS * MCI_NR_REGS,
	    .get = kvm_get_mce_bank, .set = kvm_set_mce_bank),
	CONST(MSR_IA32_P5_MC_ADDR, 2, 0),

	/* KVM's own: pv.c. */
	PV(MSR_KVM_WALL_CLOCK), PV(MSR_KVM_SYSTEM_TIME),
	PV(MSR_KVM_WALL_CLOCK_NEW), PV(MSR_KVM_SYSTEM_TIME_NEW), PV(MSR_KVM_STEAL_TIME),
	PV(MSR_KVM_PV_EOI_EN), PV(MSR_KVM_ASYNC_PF_EN), PV(MSR_KVM_ASYNC_PF_INT),
	PV(MSR_KVM_ASYNC_PF_ACK), PV(MSR_KVM_POLL_CONTROL),

	/* Intel's, touched without a look at CPUID. */
	CONST(MSR_IA32_PLATFORM_ID, 1, 0),
	CONST(MSR_IA32_EBL_CR_POWERON, 1, 0),
	CONST(MSR_EBC_FREQUENCY_ID, 1, 1 << 24),	/* the P4's bus: 133 MHz */
	ROW(MSR_IA32_UCODE_WRITE, .flags = MSR_SINK, .get = get_unknown),
	CONST(MSR_FSB_FREQ, 1, 3),			/* the Core's: 166 MHz */
	SINK(MSR_IA32_BBL_CR_CTL3, 1, 0xbe702111),	/* "L2 cache present" */
	/* Counters that never count: an NMI watchdog finds that out by itself. */
	SINK(MSR_P6_PERFCTR0, 2, 0),
	SINK(MSR_P6_EVNTSEL0, 2, 0),
	CONST(MSR_IA32_PERF_STATUS, 1, 1000 | 4ULL << 40),/* frequency, "bus ratio" */
	CONST(MSR_IA32_PERF_CTL, 1, 0),
	CONST(MSR_IA32_LASTBRANCHFROMIP, 4, 0),		/* and TOIP, INTFROMIP, INTTOIP */
	ROW(MSR_IA32_POWER_CTL, FIELD(msr_power_ctl), .flags = MSR_LISTED),
	CONST(MSR_RAPL_POWER_UNIT, 1, 0),
	CONST(MSR_PKG_ENERGY_STATUS, 1, 0),
	CONST(MSR_DRAM_ENERGY_STATUS, 1, 0),
	CONST(MSR_PP0_ENERGY_STATUS, 1, 0),
	CONST(MSR_PP1_ENERGY_STATUS, 1, 0),

	/* AMD's likewise. */
	SINK(MSR_K7_EVNTSEL0, 8, 0),			/* and the counters */
	CONST(MSR_AMD64_SYSCFG, 1, 0),
	ROW(MSR_K7_HWCR, FIELD(hwcr), .flags = MSR_LISTED, .set = set_hwcr),
	CONST(MSR_K8_TOP_MEM1, 1, 0),
	SINK(MSR_K7_CLK_CTL, 1, 0x20000000),		/* a delay, as the K7 has it */
	CONST(MSR_K8_TOP_MEM2, 1, 0),
	SINK(MSR_AMD64_NB_CFG, 1, 0),
	ROW(MSR_AMD64_PATCH_LOADER, .flags = MSR_SINK, .get = get_unknown),
	CONST(MSR_K8_INT_PENDING_MSG, 1, 0),
	CONST(MSR_FAM10H_MMIO_CONF_BASE, 1, 0),
	CONST(MSR_AMD_PERF_CTL, 1, 0),
	CONST(MSR_K8_TSEG_ADDR, 2, 0),			/* and its mask */
	SINK(MSR_VM_HSAVE_PA, 1, 0),			/* where it is nobody's own */
	SINK(MSR_AMD64_DC_CFG, 1, 0),
	SINK(MSR_AMD64_TW_CFG, 1, 0),
	SINK(MSR_AMD64_BU_CFG2, 1, 0),
	SINK(MSR_F15H_EX_CFG, 1, 0),
	ROW(MSR_F15H_IC_CFG, .get = get_ic_cfg, .set = set_unknown),
	ROW(MSR_AMD64_OSVW_ID_LENGTH, FIELD(osvw_id_length), .feature = X86_FEATURE_OSVW),
	ROW(MSR_AMD64_OSVW_STATUS, FIELD(osvw_status), .feature = X86_FEATURE_OSVW),
};

/* ---- finding a row ---- */

/* Open addressing; about half full. */
#define MSR_HASH_BITS	10

static struct {
	u32 index;
	u16 row;	/* of kvm_msrs[], from 1; 0: free */
} msr_hash[1 << MSR_HASH_BITS];

static u32 msr_list[256];
static unsigned int msr_list_len;

static void msr_hash_add(u32 index, unsigned int row)
{
	unsigned int i = hash_32(index, MSR_HASH_BITS);

	for (; msr_hash[i].row; i = (i + 1) % ARRAY_SIZE(msr_hash))
		if (msr_hash[i].index == index)
			return;		/* the first row counts */
	msr_hash[i].index = index;
	msr_hash[i].row = row + 1;
}

static const struct kvm_msr_row *find_msr(u32 index)
{
	unsigned int i = hash_32(index, MSR_HASH_BITS);

	for (; msr_hash[i].row; i = (i + 1) % ARRAY_SIZE(msr_hash))
		if (likely(msr_hash[i].index == index))
			return &kvm_msrs[array_index_nospec(msr_hash[i].row - 1,
							    ARRAY_SIZE(kvm_msrs))];
	return NULL;
}

static bool is_there(const struct kvm_msr_row *row)
{
	const u32 *own = kvm_caps.own_msrs;

	if (!(row->flags & MSR_OWN))
		return true;
	while (own && *own)
		if (*own++ == row->index)
			return true;
	return false;
}

static bool is_listed(const struct kvm_msr_row *row)
{
	return row->flags & MSR_LISTED &&
	       (!row->feature || kvm_cpu_cap_has(row->feature) ||
		(row->feature2 && kvm_cpu_cap_has(row->feature2)));
}

/**
 * kvm_init_msr_lists() - prepare the table and the lists of MSRs
 *
 * Once, after kvm_set_cpu_caps().
 */
void kvm_init_msr_lists(void)
{
	unsigned int row, i;

	supported_arch_capabilities = 0;
	if (kvm_cpu_cap_has(X86_FEATURE_ARCH_CAPABILITIES) &&
	    !rdmsrl_safe(MSR_IA32_ARCH_CAPABILITIES, &supported_arch_capabilities))
		supported_arch_capabilities &= ARCH_CAP_FACTS;
	read_osvw();

	memset(msr_hash, 0, sizeof(msr_hash));
	msr_list_len = 0;
	for (row = 0; row < ARRAY_SIZE(kvm_msrs); row++) {
		if (!is_there(&kvm_msrs[row]))
			continue;
		for (i = 0; i < max_t(unsigned int, kvm_msrs[row].count, 1); i++) {
			msr_hash_add(kvm_msrs[row].index + i, row);
			if (is_listed(&kvm_msrs[row]) && msr_list_len < ARRAY_SIZE(msr_list))
				msr_list[msr_list_len++] = kvm_msrs[row].index + i;
		}
	}
}

/* ---- reading and writing ---- */

static u64 *msr_field(struct kvm_vcpu *vcpu, const struct kvm_msr_row *row)
{
	return (u64 *)((char *)&vcpu->arch + row->field);
}

static bool guest_may_access(struct kvm_vcpu *vcpu, const struct kvm_msr_row *row)
{
	if (row->flags & MSR_HOST)
		return false;
	return !row->feature || guest_cpuid_has(vcpu, row->feature) ||
	       (row->feature2 && guest_cpuid_has(vcpu, row->feature2));
}

/**
 * kvm_get_msr() - read an MSR
 * @vcpu:	the vCPU, loaded
 * @index:	its number
 * @data:	where to; unchanged on failure
 * @host_initiated: for the VMM, not the guest
 *
 * Return: 0, or why not: enum msr_result, not 0.
 */
int kvm_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host_initiated)
{
	const struct kvm_msr_row *row = find_msr(index);

	if (unlikely(!row))
		return MSR_UNKNOWN;
	if (!host_initiated && !guest_may_access(vcpu, row))
		return MSR_INVALID;
	if (row->flags & MSR_VENDOR)
		return kvm_x86_ops.get_msr(vcpu, index, data) ? MSR_UNKNOWN : MSR_OK;
	if (row->get)
		return row->get(vcpu, index, data, host_initiated);
	*data = row->field ? *msr_field(vcpu, row) : row->value;
	return MSR_OK;
}

/* A constant, or one that the vendor keeps. */
static int set_msr_without_field(struct kvm_vcpu *vcpu, const struct kvm_msr_row *row,
				 u32 index, u64 data)
{
	if (row->flags & MSR_VENDOR)
		return set_vendor_msr(vcpu, index, data);
	return row->flags & MSR_SINK || data == row->value ? MSR_OK : MSR_INVALID;
}

/**
 * kvm_set_msr() - write an MSR
 * @vcpu:	the vCPU, loaded
 * @index:	its number
 * @data:	the value
 * @host_initiated: for the VMM, not the guest
 *
 * Return: 0, or why not: enum msr_result, not 0.  Nothing has changed then.
 */
int kvm_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host_initiated)
{
	const struct kvm_msr_row *row = find_msr(index);

	if (unlikely(!row))
		return MSR_UNKNOWN;
	if (!host_initiated && (row->flags & MSR_RO || !guest_may_access(vcpu, row)))
		return MSR_INVALID;
	if (data & row->reserved)
		return MSR_INVALID;
	if (row->flags & MSR_CANONICAL && is_noncanonical_address(data, vcpu))
		return MSR_INVALID;
	if (row->set)
		return row->set(vcpu, index, data, host_initiated);
	if (!row->field)
		return set_msr_without_field(vcpu, row, index, data);
	*msr_field(vcpu, row) = data;
	return MSR_OK;
}

/* ---- RDMSR and WRMSR ---- */

static const u32 msr_exit_reasons[] = {
	[MSR_INVALID] = KVM_MSR_EXIT_REASON_INVAL,
	[MSR_UNKNOWN] = KVM_MSR_EXIT_REASON_UNKNOWN,
	[MSR_FILTERED] = KVM_MSR_EXIT_REASON_FILTER,
};

/*
 * The instruction failed.  Ask the VMM if it wants to be asked, else #GP.
 * Return: 1/0 of the run loop.
 */
static int msr_access_failed(struct kvm_vcpu *vcpu, int result, u32 exit_reason, u64 data,
			     int (*complete)(struct kvm_vcpu *vcpu))
{
	u32 reason = msr_exit_reasons[result];
	struct kvm_run *run = vcpu->run;

	if (!(READ_ONCE(vcpu->kvm->arch.user_space_msr_mask) & reason)) {
		kvm_inject_gp(vcpu, 0);
		return 1;
	}
	run->exit_reason = exit_reason;
	run->msr.error = 0;
	memset(run->msr.pad, 0, sizeof(run->msr.pad));
	run->msr.reason = reason;
	run->msr.index = kvm_ecx_read(vcpu);
	run->msr.data = data;
	vcpu->arch.complete_userspace_io = complete;
	return 0;
}

/* The VMM has answered: it did what the instruction wants, or wants a #GP. */
static int complete_wrmsr(struct kvm_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->run->msr.error)) {
		kvm_inject_gp(vcpu, 0);
		return 1;
	}
	return kvm_skip_emulated_instruction(vcpu);
}

static int complete_rdmsr(struct kvm_vcpu *vcpu)
{
	if (!READ_ONCE(vcpu->run->msr.error))
		kvm_edx_eax_write(vcpu, READ_ONCE(vcpu->run->msr.data));
	return complete_wrmsr(vcpu);
}

/**
 * kvm_emulate_rdmsr() - an RDMSR exited
 * @vcpu:	the vCPU
 *
 * Return: 1/0/-errno of the run loop.
 */
int kvm_emulate_rdmsr(struct kvm_vcpu *vcpu)
{
	u32 index = kvm_ecx_read(vcpu);
	int r = MSR_FILTERED;
	u64 data = 0;

	if (likely(kvm_msr_allowed(vcpu, index, KVM_MSR_FILTER_READ)))
		r = kvm_get_msr(vcpu, index, &data, false);
	if (unlikely(r))
		return msr_access_failed(vcpu, r, KVM_EXIT_X86_RDMSR, 0, complete_rdmsr);
	kvm_edx_eax_write(vcpu, data);
	return kvm_skip_emulated_instruction(vcpu);
}
EXPORT_SYMBOL_GPL(kvm_emulate_rdmsr);

/**
 * kvm_emulate_wrmsr() - a WRMSR exited
 * @vcpu:	the vCPU
 *
 * Return: 1/0/-errno of the run loop.
 */
int kvm_emulate_wrmsr(struct kvm_vcpu *vcpu)
{
	u32 index = kvm_ecx_read(vcpu);
	u64 data = kvm_edx_eax_read(vcpu);
	int r = MSR_FILTERED;

	if (likely(kvm_msr_allowed(vcpu, index, KVM_MSR_FILTER_WRITE)))
		r = kvm_set_msr(vcpu, index, data, false);
	if (unlikely(r))
		return msr_access_failed(vcpu, r, KVM_EXIT_X86_WRMSR, data, complete_wrmsr);
	return kvm_skip_emulated_instruction(vcpu);
}
EXPORT_SYMBOL_GPL(kvm_emulate_wrmsr);

/* ---- the filter ---- */

struct kvm_x86_msr_filter {
	bool default_allow;
	unsigned int nr_ranges;
	struct msr_filter_range {
		u32 flags, base, nmsrs;
		unsigned long *bitmap;	/* 1: allowed */
	} ranges[KVM_MSR_FILTER_MAX_RANGES];
};

/* The first range that has the MSR, for this kind of access, decides. */
static bool msr_filter_allows(const struct kvm_x86_msr_filter *filter, u32 index, u32 type)
{
	const struct msr_filter_range *range;

	for (range = filter->ranges; range < filter->ranges + filter->nr_ranges; range++)
		if (range->flags & type && index >= range->base &&
		    index - range->base < range->nmsrs)
			return test_bit(index - range->base, range->bitmap);
	return filter->default_allow;
}

/**
 * kvm_msr_allowed() - may the guest access an MSR, says the VM's filter?
 * @vcpu:	the vCPU
 * @index:	the MSR
 * @type:	KVM_MSR_FILTER_READ or KVM_MSR_FILTER_WRITE
 *
 * x2APIC's MSRs are never filtered: the hardware would not ask either.
 *
 * Return: whether it may.
 */
bool kvm_msr_allowed(struct kvm_vcpu *vcpu, u32 index, u32 type)
{
	struct kvm *kvm = vcpu->kvm;
	const struct kvm_x86_msr_filter *filter;
	bool allowed = true;
	int idx;

	if (likely(!rcu_access_pointer(kvm->arch.msr_filter)))
		return true;
	if (index >= 0x800 && index <= 0x8ff)
		return true;

	idx = srcu_read_lock(&kvm->srcu);
	filter = srcu_dereference(kvm->arch.msr_filter, &kvm->srcu);
	if (filter)
		allowed = msr_filter_allows(filter, index, type);
	srcu_read_unlock(&kvm->srcu, idx);
	return allowed;
}
EXPORT_SYMBOL_GPL(kvm_msr_allowed);

static void free_msr_filter(struct kvm_x86_msr_filter *filter)
{
	unsigned int i;

	if (!filter)
		return;
	for (i = 0; i < filter->nr_ranges; i++)
		kfree(filter->ranges[i].bitmap);
	kfree(filter);
}

/* A range of 0 MSRs is an unused slot of the ioctl's array, and is passed over. */
static int add_msr_filter_range(struct kvm_x86_msr_filter *filter,
				const struct kvm_msr_filter_range *user)
{
	size_t size = BITS_TO_LONGS((u64)user->nmsrs) * sizeof(long);
	unsigned long *bitmap;

	if (!user->nmsrs)
		return 0;
	if (!user->flags || user->flags & ~(KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE))
		return -EINVAL;
	if (size > KVM_MSR_FILTER_MAX_BITMAP_SIZE)
		return -EINVAL;

	bitmap = memdup_user((const void __user *)user->bitmap, size);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	filter->ranges[filter->nr_ranges++] = (struct msr_filter_range) {
		.flags = user->flags,
		.base = user->base,
		.nmsrs = user->nmsrs,
		.bitmap = bitmap,
	};
	return 0;
}

static struct kvm_x86_msr_filter *new_msr_filter(const struct kvm_msr_filter *user)
{
	struct kvm_x86_msr_filter *filter;
	unsigned int i;
	int r = 0;

	if (user->flags & ~KVM_MSR_FILTER_DEFAULT_DENY)
		return ERR_PTR(-EINVAL);
	filter = kzalloc(sizeof(*filter), GFP_KERNEL_ACCOUNT);
	if (!filter)
		return ERR_PTR(-ENOMEM);

	filter->default_allow = !(user->flags & KVM_MSR_FILTER_DEFAULT_DENY);
	for (i = 0; !r && i < ARRAY_SIZE(user->ranges); i++)
		r = add_msr_filter_range(filter, &user->ranges[i]);
	/* Nothing allowed at all: surely a mistake. */
	if (!r && !filter->default_allow && !filter->nr_ranges)
		r = -EINVAL;
	if (r) {
		free_msr_filter(filter);
		return ERR_PTR(r);
	}
	return filter;
}

/**
 * kvm_vm_ioctl_set_msr_filter() - KVM_X86_SET_MSR_FILTER
 * @kvm:	the VM
 * @user:	struct kvm_msr_filter
 *
 * The new filter replaces the old as a whole.  vCPUs obey it from their next
 * entry on.
 *
 * Return: 0; -EINVAL for unknown flags, a range of no kind of access or with a
 * bitmap above KVM_MSR_FILTER_MAX_BITMAP_SIZE, and a default of "deny" without any range;
 * -EFAULT; -ENOMEM.  Errors leave the old filter in place.
 */
int kvm_vm_ioctl_set_msr_filter(struct kvm *kvm, const void __user *user)
{
	struct kvm_x86_msr_filter *new, *old;
	struct kvm_msr_filter arg;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	new = new_msr_filter(&arg);
	if (IS_ERR(new))
		return PTR_ERR(new);

	mutex_lock(&kvm->lock);
	old = rcu_replace_pointer(kvm->arch.msr_filter, new, lockdep_is_held(&kvm->lock));
	mutex_unlock(&kvm->lock);
	kvm_make_all_cpus_request(kvm, KVM_REQ_INTERCEPTS);
	synchronize_srcu(&kvm->srcu);
	free_msr_filter(old);
	return 0;
}

/* ---- ioctls ---- */

/**
 * kvm_get_msr_index_list() - KVM_GET_MSR_INDEX_LIST, KVM_GET_MSR_FEATURE_INDEX_LIST
 * @user:	the count and room for as many indices; the true count is always
 *		written back
 * @features:	which of the two
 *
 * Return: 0, -E2BIG if there is not room enough, or -EFAULT.
 */
int kvm_get_msr_index_list(struct kvm_msr_list __user *user, bool features)
{
	const u32 *list = features ? feature_msrs : msr_list;
	u32 n = features ? nr_feature_msrs() : msr_list_len;
	u32 room;

	if (get_user(room, &user->nmsrs) || put_user(n, &user->nmsrs))
		return -EFAULT;
	if (room < n)
		return -E2BIG;
	return copy_to_user(user->indices, list, n * sizeof(*list)) ? -EFAULT : 0;
}

/**
 * kvm_msr_io() - KVM_GET_MSRS, KVM_SET_MSRS
 * @vcpu:	the vCPU, loaded; NULL for the feature MSRs (reading only)
 * @user:	the list
 * @set:	which of the two
 *
 * Return: how many, from the first on, were read or written; -E2BIG for 256 or
 * more; -EFAULT; -ENOMEM.
 */
long kvm_msr_io(struct kvm_vcpu *vcpu, struct kvm_msrs __user *user, bool set)
{
	struct kvm_msr_entry *entries;
	struct kvm_msrs head;
	u32 nmsrs, i;
	long r;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	nmsrs = head.nmsrs;
	if (nmsrs >= 256)
		return -E2BIG;
	entries = memdup_user(user->entries, nmsrs * sizeof(*entries));
	if (IS_ERR(entries))
		return PTR_ERR(entries);

	for (i = 0; i < nmsrs; i++) {
		u32 index = entries[i].index;

		if (!vcpu)
			r = get_feature_msr(index, &entries[i].data);
		else if (set)
			r = kvm_set_msr(vcpu, index, entries[i].data, true);
		else
			r = kvm_get_msr(vcpu, index, &entries[i].data, true);
		if (r)
			break;
	}
	r = i;
	if (!set && copy_to_user(user->entries, entries, nmsrs * sizeof(*entries)))
		r = -EFAULT;
	kfree(entries);
	return r;
}

/* ---- life ---- */

/**
 * kvm_msr_vm_init() - a VM without a filter
 * @kvm:	the VM
 *
 * Return: 0.
 */
int kvm_msr_vm_init(struct kvm *kvm)
{
	RCU_INIT_POINTER(kvm->arch.msr_filter, NULL);
	kvm->arch.guest_can_read_msr_platform_info = true;
	kvm_tsc_vm_init(kvm);
	kvm_pvclock_vm_init(kvm);
	return 0;
}

/**
 * kvm_msr_vm_destroy() - free the filter
 * @kvm:	the VM, which nobody uses any more
 */
void kvm_msr_vm_destroy(struct kvm *kvm)
{
	free_msr_filter(rcu_dereference_protected(kvm->arch.msr_filter, 1));
}

/**
 * kvm_msr_vcpu_create() - the parts of a vCPU that live until it is freed
 * @vcpu:	the vCPU, not loaded
 *
 * Return: 0; -ENOMEM; -EINVAL if the host cannot do the VM's TSC rate.
 */
int kvm_msr_vcpu_create(struct kvm_vcpu *vcpu)
{
	int r = kvm_tsc_vcpu_create(vcpu);

	if (r)
		return r;
	r = kvm_mce_vcpu_create(vcpu);
	if (r)
		return r;
	vcpu->arch.arch_capabilities = supported_arch_capabilities;
	vcpu->arch.msr_platform_info = MSR_PLATFORM_INFO_CPUID_FAULT;
	vcpu->arch.microcode_version = kvm_caps.ucode_rev;
	vcpu->arch.osvw_id_length = osvw_id_length;
	vcpu->arch.osvw_status = osvw_status;
	return 0;
}

/**
 * kvm_msr_vcpu_destroy() - undo kvm_msr_vcpu_create()
 * @vcpu:	the vCPU; harmless if its creation had failed
 */
void kvm_msr_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	kvm_mce_vcpu_destroy(vcpu);
}

/**
 * kvm_msr_vcpu_reset() - MSRs as after RESET (SDM table 10-1)
 * @vcpu:	the vCPU, loaded
 *
 * Without EFER and IA32_APIC_BASE, which come with the control registers, and
 * what the vendor keeps, but with the value of the PAT.
 */
void kvm_msr_vcpu_reset(struct kvm_vcpu *vcpu)
{
	vcpu->arch.pat = 0x0007040600070406ULL;
	memset(&vcpu->arch.mtrr, 0, sizeof(vcpu->arch.mtrr));
	vcpu->arch.ia32_misc_enable = MISC_ENABLE_WIRED;
	vcpu->arch.msr_misc_features_enables = 0;
	vcpu->arch.hwcr = 0;
	vcpu->arch.mcg_status = 0;
	kvm_tsc_vcpu_reset(vcpu);
}
