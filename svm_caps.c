// SPDX-License-Identifier: GPL-2.0
/*
 * svm_caps.c - what this machine's SVM can do, and what of it is used
 *
 * SVM says what it can in CPUID 8000_000AH and has no control words to negotiate: a
 * feature is there or not.  Only nested paging is required; for the others there
 * is a second way, which older CPUs and some hypervisors below us need.
 *
 * Nothing here runs after set-up but svm_fill_check_env(), for a failed VMRUN.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cc_platform.h>
#include <linux/module.h>
#include <asm/processor.h>
#include <asm/tlbflush.h>

#include "svm.h"
#include "vmcb_check.h"

static bool __read_mostly enable_nrips = true;
module_param_named(nrips, enable_nrips, bool, 0444);
MODULE_PARM_DESC(nrips, "take the next instruction's address from hardware where it tells (default on)");

static bool __read_mostly enable_vnmi = true;
module_param_named(vnmi, enable_vnmi, bool, 0444);
MODULE_PARM_DESC(vnmi, "let hardware keep the NMI mask where it can (default on)");

struct svm_features svm_features __ro_after_init;

/* CPUID 8000_000AH EDX (APM vol. 3, E.4.9). */
#define SVM_FEATURE_NPT			BIT(0)
#define SVM_FEATURE_NRIPS		BIT(3)
#define SVM_FEATURE_TSC_RATIO		BIT(4)
#define SVM_FEATURE_FLUSH_BY_ASID	BIT(6)
#define SVM_FEATURE_DECODE_ASSISTS	BIT(7)
#define SVM_FEATURE_PAUSE_FILTER	BIT(10)
#define SVM_FEATURE_PAUSE_THRESHOLD	BIT(12)
#define SVM_FEATURE_VNMI		BIT(25)

/*
 * Nested page tables are ordinary page tables that the CPU walks as a user (APM
 * 15.25.5), so every entry has the user bit.  Bits 62:52 are ignored.  Memory types
 * are PWT, PCD and the host's PAT: all clear is write-back in Linux's, both set is
 * uncached; the guest's own type counts as well, and the stricter one wins.
 */
static const struct kvm_tdp_format svm_npt_format = {
	.present = _PAGE_PRESENT,
	.table = _PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED,
	.leaf = _PAGE_PRESENT | _PAGE_USER,
	.write = _PAGE_RW,
	.accessed = _PAGE_ACCESSED,
	.dirty = _PAGE_DIRTY,
	.large = _PAGE_PSE,
	.memtype_wb = 0,
	.memtype_uc = _PAGE_PWT | _PAGE_PCD,
	.host_writable = BIT_ULL(52),
};

/* Is there SVM, and may we use it?  Says why not. */
static int svm_check_support(void)
{
	u64 vm_cr;

	if (cpuid_eax(0x80000000) < SVM_CPUID_FUNC || !(cpuid_ecx(0x80000001) & BIT(2))) {
		pr_err("this CPU has no SVM (CPUID.80000001H:ECX bit 2 is 0)\n");
		return -EOPNOTSUPP;
	}
	rdmsrl(MSR_VM_CR, vm_cr);
	if (vm_cr & SVM_VM_CR_SVM_DIS_MASK) {
		pr_err("SVM is disabled by the firmware (VM_CR is %#llx%s): look for \"SVM\" or \"AMD-V\" in its set-up\n",
		       vm_cr, vm_cr & SVM_VM_CR_SVM_LOCK_MASK ? " and locked" : "");
		return -EOPNOTSUPP;
	}
	if (!(cpuid_edx(SVM_CPUID_FUNC) & SVM_FEATURE_NPT)) {
		pr_err("this CPU's SVM lacks nested paging (CPUID.8000000AH:EDX bit 0 is 0)\n");
		return -EOPNOTSUPP;
	}
	/* Every address in a VMCB and a nested page table would need the C-bit. */
	if (cc_platform_has(CC_ATTR_HOST_MEM_ENCRYPT)) {
		pr_err("the host's memory is encrypted (SME), which minikvm does not know: boot with mem_encrypt=off\n");
		return -EOPNOTSUPP;
	}
	/* ASID 0 is the host's own. */
	if (cpuid_ebx(SVM_CPUID_FUNC) < 2) {
		pr_err("this CPU's SVM has no ASID for a guest\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

static void svm_read_features(struct svm_features *f)
{
	u32 edx = cpuid_edx(SVM_CPUID_FUNC);

	*f = (struct svm_features) {
		.nr_asids = cpuid_ebx(SVM_CPUID_FUNC),
		.nrips = enable_nrips && (edx & SVM_FEATURE_NRIPS),
		.decode_assists = edx & SVM_FEATURE_DECODE_ASSISTS,
		.flush_by_asid = edx & SVM_FEATURE_FLUSH_BY_ASID,
		.pause_filter = edx & SVM_FEATURE_PAUSE_FILTER,
		.pause_threshold = edx & SVM_FEATURE_PAUSE_THRESHOLD,
		.vnmi = enable_vnmi && (edx & SVM_FEATURE_VNMI),
		.tsc_ratio = edx & SVM_FEATURE_TSC_RATIO,
		.invpcid = cpuid_eax(0) >= 7 && (cpuid_ebx(7) & BIT(10)),
	};
}

/* Tell the generic core what it may offer to guests. */
static void svm_set_caps(void)
{
	static const u32 own_msrs[] = { MSR_VM_CR, MSR_VM_HSAVE_PA, MSR_AMD64_DE_CFG, 0 };

	kvm_caps.own_msrs = own_msrs;
	kvm_caps.ucode_rev = 0x01000065;	/* what Linux' KVM says: high enough for guests */
	/* "LFENCE waits", which the host's kernel has seen to. */
	if (boot_cpu_has(X86_FEATURE_LFENCE_RDTSC))
		kvm_caps.supported_de_cfg = MSR_AMD64_DE_CFG_LFENCE_SERIALIZE;

	/* No control bit: what the CPU has a guest has, or an intercept takes it. */
	kvm_caps.has_invpcid = boot_cpu_has(X86_FEATURE_INVPCID);
	kvm_caps.has_rdtscp = boot_cpu_has(X86_FEATURE_RDTSCP);
	kvm_caps.has_xsaves = boot_cpu_has(X86_FEATURE_XSAVES);
	if (svm_features.tsc_ratio) {
		kvm_caps.has_tsc_scaling = true;
		kvm_caps.tsc_scaling_frac_bits = 32;	/* APM 15.30.5 */
		kvm_caps.max_tsc_scaling_ratio = GENMASK_ULL(39, 0);
	}

	/* Nested tables are as deep as the host's own (APM 15.25.3). */
	kvm_caps.tdp_levels = cr4_read_shadow() & X86_CR4_LA57 ? 5 : 4;
	kvm_caps.tdp_max_page_level = boot_cpu_has(X86_FEATURE_GBPAGES) ? 3 : 2;
	kvm_caps.tdp_ad_bits = true;
	kvm_caps.tdp_format = &svm_npt_format;
}

/**
 * svm_setup_caps() - fill svm_features and kvm_caps from this CPU
 *
 * Return: 0, or -EOPNOTSUPP after saying in the log what is missing.
 */
int svm_setup_caps(void)
{
	int r = svm_check_support();

	if (r)
		return r;
	svm_read_features(&svm_features);
	svm_set_caps();
	return 0;
}

/**
 * svm_check_processor_compatibility() - can this CPU run what any of them runs?
 *
 * Context: the CPU in question, interrupts off.
 * Return: 0 or -EIO.
 */
int svm_check_processor_compatibility(void)
{
	struct svm_features f;

	if (svm_check_support())
		return -EIO;
	svm_read_features(&f);
	if (memcmp(&f, &svm_features, sizeof(f))) {
		pr_err("CPU %d differs in its SVM features from the CPU that loaded the module\n",
		       smp_processor_id());
		return -EIO;
	}
	return 0;
}

/* Bits of CR4 that this CPU has. */
static u64 svm_cr4_bits(void)
{
	static const struct {
		u64 bits;
		unsigned int feature;
	} optional[] = {
		{ X86_CR4_UMIP, X86_FEATURE_UMIP },
		{ X86_CR4_LA57, X86_FEATURE_LA57 },
		{ X86_CR4_FSGSBASE, X86_FEATURE_FSGSBASE },
		{ X86_CR4_PCIDE, X86_FEATURE_PCID },
		{ X86_CR4_OSXSAVE, X86_FEATURE_XSAVE },
		{ X86_CR4_SMEP, X86_FEATURE_SMEP },
		{ X86_CR4_SMAP, X86_FEATURE_SMAP },
		{ X86_CR4_PKE, X86_FEATURE_PKU },
	};
	u64 bits = GENMASK(10, 0);	/* VME to OSXMMEXCPT */
	int i;

	for (i = 0; i < ARRAY_SIZE(optional); i++)
		bits |= boot_cpu_has(optional[i].feature) ? optional[i].bits : 0;
	return bits;
}

/**
 * svm_fill_check_env() - what the rules of VMRUN depend on, on this machine
 * @env: filled
 */
void svm_fill_check_env(struct vmcb_check_env *env)
{
	*env = (struct vmcb_check_env) {
		.efer_bits = kvm_caps.supported_efer | EFER_SVME,
		.cr4_bits = svm_cr4_bits(),
		.nr_asids = svm_features.nr_asids,
		.features = cpuid_edx(SVM_CPUID_FUNC),
		.phys_bits = boot_cpu_data.x86_phys_bits,
	};
}
