// SPDX-License-Identifier: GPL-2.0
/*
 * vmx_caps.c - what this machine's VMX can do, and what of it is used
 *
 * VMX has five control words; for each, a capability MSR says which bits must be 1
 * and which may be (SDM appendix A).  What is wanted of them is data: a table of
 * required, optional and forbidden bits.  setup_vmcs_config() holds the one
 * against the other, once, and again on each CPU that comes; what is missing is
 * said by name, all of it.
 *
 * Nothing here runs after set-up but vmx_fill_check_env(), for a failed VM entry.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <asm/processor.h>

#include "vmcs_check.h"
#include "vmx.h"

static bool __read_mostly enable_vpid = true;
module_param_named(vpid, enable_vpid, bool, 0444);
MODULE_PARM_DESC(vpid, "tag TLB entries with a VPID where the CPU can (default on)");

static bool __read_mostly enable_ept_ad = true;
module_param_named(eptad, enable_ept_ad, bool, 0444);
MODULE_PARM_DESC(eptad, "use EPT accessed and dirty bits where the CPU has them (default on)");

static bool __read_mostly enable_pml = true;
module_param_named(pml, enable_pml, bool, 0444);
MODULE_PARM_DESC(pml, "have the CPU log written pages where it can (default on; needs eptad)");

struct vmcs_config vmcs_config __ro_after_init;
u64 vmx_cr0_fixed0, vmx_cr0_fixed1, vmx_cr4_fixed0, vmx_cr4_fixed1;

/**
 * struct vmx_control - one VMX control word: what we want of it
 * @name:	for messages
 * @word:	names of its bits
 * @msr:	capability MSR: low half = bits that must be 1, high half = bits
 *		that may be 1 (SDM A.2 to A.5).  The "true" MSRs, which also tell
 *		which of the traditional must-be-ones may be 0.
 * @required:	set, or refuse to load
 * @optional:	set where the CPU allows it
 * @forbidden:	must be allowed to be clear: it would defeat us
 * @available:	set only later and for a while (windows), but must exist
 * @result:	where the value to use goes
 */
struct vmx_control {
	const char *name;
	enum vmx_control_word word;
	u32 msr;
	u32 required;
	u32 optional;
	u32 forbidden;
	u32 available;
	size_t result;
};

#define RESULT(field) offsetof(struct vmcs_config, field)

static const struct vmx_control vmx_controls[] = {
	{
		.name = "pin-based controls", .word = VMX_PIN_CTLS,
		.msr = MSR_IA32_VMX_TRUE_PINBASED_CTLS,
		.required = PIN_BASED_EXT_INTR_MASK | PIN_BASED_NMI_EXITING |
			    PIN_BASED_VIRTUAL_NMIS,
		.result = RESULT(pin_based),
	}, {
		.name = "primary processor-based controls", .word = VMX_PROC_CTLS,
		.msr = MSR_IA32_VMX_TRUE_PROCBASED_CTLS,
		.required = CPU_BASED_HLT_EXITING | CPU_BASED_MWAIT_EXITING |
			    CPU_BASED_MONITOR_EXITING | CPU_BASED_RDPMC_EXITING |
			    CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING |
			    CPU_BASED_MOV_DR_EXITING | CPU_BASED_USE_IO_BITMAPS |
			    CPU_BASED_USE_MSR_BITMAPS | CPU_BASED_USE_TSC_OFFSETTING |
			    CPU_BASED_ACTIVATE_SECONDARY_CONTROLS,
		/* With EPT the guest owns CR3 and its TLB. */
		.forbidden = CPU_BASED_CR3_LOAD_EXITING | CPU_BASED_CR3_STORE_EXITING |
			     CPU_BASED_INVLPG_EXITING,
		/* vmx_apic_cpu_based() chooses between this and exits of MOV CR8. */
		.optional = CPU_BASED_TPR_SHADOW,
		.available = CPU_BASED_INTR_WINDOW_EXITING | CPU_BASED_NMI_WINDOW_EXITING,
		.result = RESULT(cpu_based),
	}, {
		.name = "secondary processor-based controls", .word = VMX_PROC_CTLS2,
		.msr = MSR_IA32_VMX_PROCBASED_CTLS2,
		.required = SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_UNRESTRICTED_GUEST,
		.optional = SECONDARY_EXEC_ENABLE_VPID | SECONDARY_EXEC_ENABLE_RDTSCP |
			    SECONDARY_EXEC_ENABLE_INVPCID | SECONDARY_EXEC_ENABLE_XSAVES |
			    SECONDARY_EXEC_WBINVD_EXITING | SECONDARY_EXEC_TSC_SCALING |
			    SECONDARY_EXEC_PAUSE_LOOP_EXITING | VMX_APIC_2ND |
			    SECONDARY_EXEC_ENABLE_PML |
			    /* SGX is not offered; without this a guest could use it. */
			    SECONDARY_EXEC_ENCLS_EXITING,
		.result = RESULT(cpu_based_2nd),
	}, {
		.name = "VM-exit controls", .word = VMX_EXIT_CTLS,
		.msr = MSR_IA32_VMX_TRUE_EXIT_CTLS,
		.required = VM_EXIT_HOST_ADDR_SPACE_SIZE | VM_EXIT_SAVE_DEBUG_CONTROLS |
			    VM_EXIT_LOAD_IA32_PAT | VM_EXIT_LOAD_IA32_EFER,
		/* The host takes the interrupt itself, when it unmasks them. */
		.forbidden = VM_EXIT_ACK_INTR_ON_EXIT,
		.result = RESULT(vmexit),
	}, {
		.name = "VM-entry controls", .word = VMX_ENTRY_CTLS,
		.msr = MSR_IA32_VMX_TRUE_ENTRY_CTLS,
		.required = VM_ENTRY_LOAD_DEBUG_CONTROLS | VM_ENTRY_LOAD_IA32_PAT |
			    VM_ENTRY_LOAD_IA32_EFER,
		.available = VM_ENTRY_IA32E_MODE,
		.result = RESULT(vmentry),
	},
};

/* SDM 29.3.2; bits 62:52 are ignored by the CPU. */
static const struct kvm_tdp_format vmx_ept_format = {
	.present = VMX_EPT_RWX_MASK,
	.table = VMX_EPT_RWX_MASK,
	.leaf = VMX_EPT_READABLE_MASK,
	.exec = VMX_EPT_EXECUTABLE_MASK,
	.write = VMX_EPT_WRITABLE_MASK,
	.accessed = VMX_EPT_ACCESS_BIT,
	.dirty = VMX_EPT_DIRTY_BIT,
	.large = BIT_ULL(7),
	/* The guest's own memory type does not count: IPAT. */
	.memtype_wb = VMX_EPTP_MT_WB << VMX_EPT_MT_EPTE_SHIFT | VMX_EPT_IPAT_BIT,
	.memtype_uc = VMX_EPTP_MT_UC << VMX_EPT_MT_EPTE_SHIFT | VMX_EPT_IPAT_BIT,
	.host_writable = BIT_ULL(52),
};

/* EPT and VPID capabilities (SDM A.10) that we cannot do without. */
static const struct {
	u64 bits;
	const char *name;
} vmx_ept_required[] = {
	{ VMX_EPT_PAGE_WALK_4_BIT, "4-level EPT walk" },
	{ VMX_EPTP_WB_BIT, "write-back EPT structures" },
	{ VMX_EPT_INVEPT_BIT, "INVEPT" },
	{ VMX_EPT_EXTENT_CONTEXT_BIT, "single-context INVEPT" },
};

/* Say each missing bit by its name; @what is what is wrong with them. */
static void vmx_report_bits(const struct vmx_control *ctl, u32 bits, const char *what)
{
	unsigned long mask = bits;
	unsigned int bit;

	for_each_set_bit(bit, &mask, 32)
		pr_err("this CPU %s \"%s\" (bit %u of the %s)\n", what,
		       vmx_control_bit_name(ctl->word, bit), bit, ctl->name);
}

static bool vmx_setup_control(const struct vmx_control *ctl, u32 *result, bool quiet)
{
	u32 must_be_1, may_be_1, missing, stuck;

	rdmsr(ctl->msr, must_be_1, may_be_1);
	missing = (ctl->required | ctl->available) & ~may_be_1;
	stuck = ctl->forbidden & must_be_1;
	*result = ctl->required | (ctl->optional & may_be_1) | must_be_1;
	if (!quiet) {
		vmx_report_bits(ctl, missing, "lacks");
		vmx_report_bits(ctl, stuck, "cannot switch off");
	}
	return !missing && !stuck;
}

static bool vmx_ept_has_ad(const struct vmcs_config *conf)
{
	return enable_ept_ad && (conf->ept_vpid & VMX_EPT_AD_BIT);
}

/* A fifth level costs a step in each walk, and is of use beyond 256 TiB only. */
static int vmx_ept_levels(const struct vmcs_config *conf)
{
	return (conf->ept_vpid & VMX_EPT_PAGE_WALK_5_BIT) &&
	       boot_cpu_data.x86_phys_bits > 48 ? 5 : 4;
}

static bool vmx_setup_ept(struct vmcs_config *conf, bool quiet)
{
	bool ok = true;
	int i;

	rdmsrl(MSR_IA32_VMX_EPT_VPID_CAP, conf->ept_vpid);
	for (i = 0; i < ARRAY_SIZE(vmx_ept_required); i++) {
		if (conf->ept_vpid & vmx_ept_required[i].bits)
			continue;
		if (!quiet)
			pr_err("this CPU's EPT lacks: %s\n", vmx_ept_required[i].name);
		ok = false;
	}
	/* VPID needs INVVPID, for one VPID, to be of use. */
	if (!enable_vpid || !(conf->ept_vpid & VMX_VPID_INVVPID_BIT) ||
	    !(conf->ept_vpid & VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT))
		conf->cpu_based_2nd &= ~SECONDARY_EXEC_ENABLE_VPID;
	/* What is logged is the setting of dirty bits. */
	if (!enable_pml || !vmx_ept_has_ad(conf))
		conf->cpu_based_2nd &= ~SECONDARY_EXEC_ENABLE_PML;
	return ok;
}

/* IA32_VMX_BASIC (SDM A.1). */
static bool vmx_setup_basic(struct vmcs_config *conf, bool quiet)
{
	u64 basic;

	rdmsrl(MSR_IA32_VMX_BASIC, basic);
	conf->revision_id = basic & GENMASK(30, 0);
	conf->size = (basic >> 32) & GENMASK(12, 0);
	if (conf->size <= PAGE_SIZE && ((basic >> 50) & 0xf) == VMX_EPTP_MT_WB &&
	    (basic & BIT_ULL(55)))
		return true;
	if (!quiet)
		pr_err("this CPU's VMCS is not of a kind that we know (IA32_VMX_BASIC is %#llx: more than 4 KiB, not write-back, or no true controls)\n",
		       basic);
	return false;
}

/*
 * Choose the controls.  Checks on, after something is found missing, so that
 * the log has the whole list.
 */
static int setup_vmcs_config(struct vmcs_config *conf, bool quiet)
{
	bool ok = true;
	u64 caps;
	int i;

	memset(conf, 0, sizeof(*conf));
	if (!vmx_setup_basic(conf, quiet))
		return -EOPNOTSUPP;

	/* Without secondary controls their MSR is not there (SDM A.3.3). */
	rdmsrl(MSR_IA32_VMX_TRUE_PROCBASED_CTLS, caps);
	if (!((caps >> 32) & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)) {
		if (!quiet)
			pr_err("this CPU has no secondary controls: no EPT, no unrestricted guest\n");
		return -EOPNOTSUPP;
	}
	for (i = 0; i < ARRAY_SIZE(vmx_controls); i++)
		ok &= vmx_setup_control(&vmx_controls[i],
					(void *)conf + vmx_controls[i].result, quiet);
	/* Nor is the EPT capability MSR without EPT and VPID (SDM A.10). */
	rdmsrl(MSR_IA32_VMX_PROCBASED_CTLS2, caps);
	if ((caps >> 32) & (SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_ENABLE_VPID))
		ok &= vmx_setup_ept(conf, quiet);
	vmx_apic_setup(conf);
	return ok ? 0 : -EOPNOTSUPP;
}

/* Is there VMX, and may we use it?  Says why not. */
static int vmx_check_support(void)
{
	u64 feat_ctl;

	if (!(cpuid_ecx(1) & BIT(5))) {
		pr_err("this CPU has no VMX (CPUID.1:ECX bit 5 is 0)\n");
		return -EOPNOTSUPP;
	}
	rdmsrl(MSR_IA32_FEAT_CTL, feat_ctl);
	if (!(feat_ctl & FEAT_CTL_LOCKED)) {
		pr_err("VMX is not enabled: IA32_FEATURE_CONTROL is not locked by the firmware or the kernel\n");
		return -EOPNOTSUPP;
	}
	if (!(feat_ctl & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)) {
		pr_err("VMX is disabled by the firmware (IA32_FEATURE_CONTROL is %#llx and locked): look for \"VT-x\" in its set-up\n",
		       feat_ctl);
		return -EOPNOTSUPP;
	}
	return 0;
}

/* Tell the generic core what it may offer to guests. */
static void vmx_set_caps(void)
{
	static const u32 own_msrs[] = { MSR_IA32_FEAT_CTL, 0 };

	kvm_caps.own_msrs = own_msrs;
	kvm_caps.ucode_rev = BIT_ULL(32);	/* the revision is the upper half */
	kvm_caps.has_invpcid = vmcs_config.cpu_based_2nd & SECONDARY_EXEC_ENABLE_INVPCID;
	kvm_caps.has_rdtscp = vmcs_config.cpu_based_2nd & SECONDARY_EXEC_ENABLE_RDTSCP;
	kvm_caps.has_xsaves = vmcs_config.cpu_based_2nd & SECONDARY_EXEC_ENABLE_XSAVES;
	kvm_caps.has_apicv = vmcs_config.cpu_based_2nd & SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
	if (vmcs_config.cpu_based_2nd & SECONDARY_EXEC_TSC_SCALING) {
		kvm_caps.has_tsc_scaling = true;
		kvm_caps.tsc_scaling_frac_bits = 48;	/* SDM 25.6.5 */
		kvm_caps.max_tsc_scaling_ratio = ~0ull;
	}

	kvm_caps.tdp_levels = vmx_ept_levels(&vmcs_config);
	kvm_caps.tdp_max_page_level = 1;
	if (vmcs_config.ept_vpid & VMX_EPT_2MB_PAGE_BIT)
		kvm_caps.tdp_max_page_level = 2;
	if (kvm_caps.tdp_max_page_level == 2 && (vmcs_config.ept_vpid & VMX_EPT_1GB_PAGE_BIT))
		kvm_caps.tdp_max_page_level = 3;
	kvm_caps.tdp_ad_bits = vmx_ept_has_ad(&vmcs_config);
	if (vmcs_config.cpu_based_2nd & SECONDARY_EXEC_ENABLE_PML)
		kvm_caps.cpu_dirty_log_size = PML_ENTRIES;
	kvm_caps.tdp_format = &vmx_ept_format;
}

/**
 * vmx_setup_caps() - fill vmcs_config and kvm_caps from this CPU
 *
 * Return: 0, or -EOPNOTSUPP after saying in the log what is missing.
 */
int vmx_setup_caps(void)
{
	int r = vmx_check_support();

	if (r)
		return r;
	r = setup_vmcs_config(&vmcs_config, false);
	if (r)
		return r;
	vmx_apic_report();
	rdmsrl(MSR_IA32_VMX_CR0_FIXED0, vmx_cr0_fixed0);
	rdmsrl(MSR_IA32_VMX_CR0_FIXED1, vmx_cr0_fixed1);
	rdmsrl(MSR_IA32_VMX_CR4_FIXED0, vmx_cr4_fixed0);
	rdmsrl(MSR_IA32_VMX_CR4_FIXED1, vmx_cr4_fixed1);
	vmx_set_caps();
	return 0;
}

/**
 * vmx_check_processor_compatibility() - can this CPU run what any of them runs?
 *
 * Context: the CPU in question, interrupts off.
 * Return: 0 or -EIO.
 */
int vmx_check_processor_compatibility(void)
{
	struct vmcs_config conf;

	if (vmx_check_support())
		return -EIO;
	if (setup_vmcs_config(&conf, true) || memcmp(&conf, &vmcs_config, sizeof(conf))) {
		pr_err("CPU %d differs in its VMX capabilities from the CPU that loaded the module\n",
		       smp_processor_id());
		return -EIO;
	}
	return 0;
}

static u64 vmx_capability(u32 msr)
{
	u64 val = 0;

	/* A capability MSR that the CPU does not have counts as 0. */
	rdmsrl_safe(msr, &val);
	return val;
}

/**
 * vmx_fill_check_env() - what the rules of VM entry depend on, on this machine
 * @env: filled
 * @reader: the VMCS to check
 */
void vmx_fill_check_env(struct vmcs_check_env *env, const struct vmcs_reader *reader)
{
	*env = (struct vmcs_check_env) {
		.vmcs = *reader,
		.basic = vmx_capability(MSR_IA32_VMX_BASIC),
		.pin_ctls = vmx_capability(MSR_IA32_VMX_TRUE_PINBASED_CTLS),
		.proc_ctls = vmx_capability(MSR_IA32_VMX_TRUE_PROCBASED_CTLS),
		.exit_ctls = vmx_capability(MSR_IA32_VMX_TRUE_EXIT_CTLS),
		.entry_ctls = vmx_capability(MSR_IA32_VMX_TRUE_ENTRY_CTLS),
		.proc_ctls2 = vmx_capability(MSR_IA32_VMX_PROCBASED_CTLS2),
		.misc = vmx_capability(MSR_IA32_VMX_MISC),
		.cr0_fixed0 = vmx_cr0_fixed0,
		.cr0_fixed1 = vmx_cr0_fixed1,
		.cr4_fixed0 = vmx_cr4_fixed0,
		.cr4_fixed1 = vmx_cr4_fixed1,
		.ept_vpid_cap = vmcs_config.ept_vpid,
		.host_efer = kvm_host_efer,
		.debugctl_reserved = VMCS_DEBUGCTL_RESERVED,
		.perf_global_ctrl_reserved = ~0ull,
		.phys_bits = boot_cpu_data.x86_phys_bits,
		.linear_bits = boot_cpu_data.x86_virt_bits,
	};
}
