// SPDX-License-Identifier: GPL-2.0
/*
 * cpuid.c - what CPU does the guest think it runs on?
 *
 * Three lists of features meet here:
 *
 *	the host's	boot_cpu_data and the CPUID instruction
 *	ours		supported_features[] below: what this code handles.
 *			Their intersection is kvm_cpu_caps[], and
 *			KVM_GET_SUPPORTED_CPUID shows it as CPUID leaves
 *	the guest's	what the VMM then chose, by KVM_SET_CPUID2.  Exits of
 *			the guest's CPUID instruction are answered from it,
 *			and it decides which CR4, EFER and XCR0 bits, MSRs and
 *			address bits exist for the guest
 *
 * A feature belongs in supported_features[] if the guest can use it without
 * any help (an instruction that only touches registers that fpu.c switches),
 * or if some file here does the helping.  Nothing else is advertised: no VMX or
 * SVM, no PMU, PT, SGX, MPX, IBS, LWP, AMX or CET, no speculation-control MSRs, no
 * MONITOR, and, while the local APIC is the VMM's, neither x2APIC nor the TSC deadline.
 * The leaves of Intel and of AMD are all handled, whatever the vendor: a leaf
 * that the host lacks is simply not shown.  Who made the guest's CPU is asked of
 * the guest's list, for the few rules in which their CPUs differ.
 *
 * Some bits mirror the guest's state of the moment (OSXSAVE, OSPKE, the APIC's
 * enable bit, the size of XSAVE's area).  kvm_update_cpuid_runtime() writes them
 * into the list whenever that state changes, which is rare; so an exit
 * only looks an entry up.
 *
 * The look-up is linear within a function, but starts at the function's first
 * entry: cpuid_first[][] has that for the 32 lowest functions of each of the
 * four ranges (0, 0x40000000, 0x80000000, 0xc0000000), which are nearly all
 * that anybody asks for.
 *
 * Locks: a guest's list is vcpu->mutex's; kvm_cpu_caps[] is constant after
 * module initialisation.
 */
#include <linux/kvm_para.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "irq.h"
#include "kvm_host.h"

/* ---- which features exist ---- */

/* Where the feature words of <asm/cpufeatures.h> lie in CPUID. */
static const struct cpuid_word {
	u32 function;
	u8 index;
	u8 reg;
	bool valid;
} cpuid_words[NCAPINTS] = {
	[CPUID_1_EDX] = { 1, 0, CPUID_EDX, true },
	[CPUID_1_ECX] = { 1, 0, CPUID_ECX, true },
	[CPUID_6_EAX] = { 6, 0, CPUID_EAX, true },
	[CPUID_7_0_EBX] = { 7, 0, CPUID_EBX, true },
	[CPUID_7_ECX] = { 7, 0, CPUID_ECX, true },
	[CPUID_7_EDX] = { 7, 0, CPUID_EDX, true },
	[CPUID_7_1_EAX] = { 7, 1, CPUID_EAX, true },
	[CPUID_D_1_EAX] = { 0xd, 1, CPUID_EAX, true },
	[CPUID_8000_0001_EDX] = { 0x80000001, 0, CPUID_EDX, true },
	[CPUID_8000_0001_ECX] = { 0x80000001, 0, CPUID_ECX, true },
	[CPUID_8000_0008_EBX] = { 0x80000008, 0, CPUID_EBX, true },
	[CPUID_8000_0021_EAX] = { 0x80000021, 0, CPUID_EAX, true },
};

#define F(name)	(X86_FEATURE_##name)

/*
 * Facts that AMD tells in leaf 0x80000021 (APM vol. 3, E.4.21).  Not all kernels have
 * names for them; LFENCE_RDTSC has one, but not everywhere in this word.
 */
#define F_NO_NESTED_DATA_BP	(CPUID_8000_0021_EAX * 32 + 0)
#define F_LFENCE_SERIALIZES	(CPUID_8000_0021_EAX * 32 + 2)
#define F_NULL_SEL_CLR_BASE	(CPUID_8000_0021_EAX * 32 + 6)
#define F_NO_SMM_CTL_MSR	(CPUID_8000_0021_EAX * 32 + 9)

/* What a guest may have if the host has it. */
static const u16 supported_features[] = {
	/* The base: all of it works by itself, or by x86.c, msr.c and mmu.c. */
	F(FPU), F(VME), F(DE), F(PSE), F(TSC), F(MSR), F(PAE), F(MCE), F(CX8), F(APIC),
	F(SEP), F(MTRR), F(PGE), F(MCA), F(CMOV), F(PAT), F(PSE36), F(CLFLUSH), F(MMX),
	F(FXSR), F(XMM), F(XMM2), F(SELFSNOOP),
	F(SYSCALL), F(NX), F(MMXEXT), F(FXSR_OPT), F(GBPAGES), F(RDTSCP), F(LM),
	F(3DNOWEXT), F(3DNOW),
	/* Plain instructions. */
	F(XMM3), F(PCLMULQDQ), F(SSSE3), F(FMA), F(CX16), F(XMM4_1), F(XMM4_2), F(MOVBE),
	F(POPCNT), F(AES), F(AVX), F(F16C), F(RDRAND),
	F(BMI1), F(AVX2), F(BMI2), F(ERMS), F(RDSEED), F(ADX), F(CLFLUSHOPT), F(CLWB),
	F(SHA_NI), F(GFNI), F(VAES), F(VPCLMULQDQ), F(RDPID), F(CLDEMOTE), F(MOVDIRI),
	F(MOVDIR64B), F(FSRM), F(SERIALIZE), F(MD_CLEAR), F(AVX_VNNI),
	F(LAHF_LM), F(CMP_LEGACY), F(CR8_LEGACY), F(ABM), F(SSE4A), F(MISALIGNSSE),
	F(3DNOWPREFETCH), F(XOP), F(FMA4), F(TBM), F(TOPOEXT),
	F(CLZERO), F(XSAVEERPTR), F(WBNOINVD), F(VERW_CLEAR),
	/* Facts about the FPU, not abilities. */
	F(FDP_EXCPTN_ONLY), F(ZERO_FCS_FDS),
	/* AVX-512: fpu.c switches its state. */
	F(AVX512F), F(AVX512DQ), F(AVX512IFMA), F(AVX512CD), F(AVX512BW), F(AVX512VL),
	F(AVX512VBMI), F(AVX512_VBMI2), F(AVX512_VNNI), F(AVX512_BITALG),
	F(AVX512_VPOPCNTDQ), F(AVX512_VP2INTERSECT), F(AVX512_FP16), F(AVX512_BF16),
	/* Paging and protection, done by the hardware once CR4 says so. */
	F(PCID), F(FSGSBASE), F(SMEP), F(SMAP), F(INVPCID), F(PKU), F(UMIP),
	/* Extended state: fpu.c. */
	F(XSAVE), F(XSAVEOPT), F(XSAVEC), F(XGETBV1), F(XSAVES),
	/* MSRs of facts about the hardware's flaws (msr.c), and flaws it has not. */
	F(ARCH_CAPABILITIES), F(OSVW),
	F(AMD_SSB_NO), F(BTC_NO), F(SRSO_NO), F_NO_NESTED_DATA_BP, F_LFENCE_SERIALIZES,
	F_NULL_SEL_CLR_BASE,
	/* A bit of EFER for each guest. */
	F(AUTOIBRS),
};

/* What a guest may have even if the host has it not: software does it all. */
static const u16 emulated_features[] = {
	F(TSC_ADJUST), F(HYPERVISOR), F(X2APIC), F(ARAT), F_NO_SMM_CTL_MSR,
};

/* A feature that is worth nothing without some extended state. */
static const struct {
	u16 feature;
	u64 xfeatures;
} xstate_features[] = {
	{ F(AVX), XFEATURE_MASK_YMM },
	{ F(FMA), XFEATURE_MASK_YMM },
	{ F(F16C), XFEATURE_MASK_YMM },
	{ F(AVX2), XFEATURE_MASK_YMM },
	{ F(XOP), XFEATURE_MASK_YMM },
	{ F(FMA4), XFEATURE_MASK_YMM },
	{ F(VAES), XFEATURE_MASK_YMM },
	{ F(VPCLMULQDQ), XFEATURE_MASK_YMM },
	{ F(AVX_VNNI), XFEATURE_MASK_YMM },
	{ F(AVX512F), XFEATURE_MASK_AVX512 },
	{ F(AVX512DQ), XFEATURE_MASK_AVX512 },
	{ F(AVX512IFMA), XFEATURE_MASK_AVX512 },
	{ F(AVX512CD), XFEATURE_MASK_AVX512 },
	{ F(AVX512BW), XFEATURE_MASK_AVX512 },
	{ F(AVX512VL), XFEATURE_MASK_AVX512 },
	{ F(AVX512VBMI), XFEATURE_MASK_AVX512 },
	{ F(AVX512_VBMI2), XFEATURE_MASK_AVX512 },
	{ F(AVX512_VNNI), XFEATURE_MASK_AVX512 },
	{ F(AVX512_BITALG), XFEATURE_MASK_AVX512 },
	{ F(AVX512_VPOPCNTDQ), XFEATURE_MASK_AVX512 },
	{ F(AVX512_VP2INTERSECT), XFEATURE_MASK_AVX512 },
	{ F(AVX512_FP16), XFEATURE_MASK_AVX512 },
	{ F(AVX512_BF16), XFEATURE_MASK_AVX512 },
	{ F(PKU), XFEATURE_MASK_PKRU },
	{ F(XSAVE), XFEATURE_MASK_FPSSE },
	{ F(XSAVEOPT), XFEATURE_MASK_FPSSE },
	{ F(XSAVEC), XFEATURE_MASK_FPSSE },
	{ F(XGETBV1), XFEATURE_MASK_FPSSE },
	{ F(XSAVES), XFEATURE_MASK_FPSSE },
};

/* CR4 bits that exist only with a feature; all others of CR4_ALWAYS do. */
static const struct {
	u64 bit;
	u16 feature;
} cr4_features[] = {
	{ X86_CR4_UMIP, F(UMIP) },
	{ X86_CR4_LA57, F(LA57) },
	{ X86_CR4_FSGSBASE, F(FSGSBASE) },
	{ X86_CR4_PCIDE, F(PCID) },
	{ X86_CR4_OSXSAVE, F(XSAVE) },
	{ X86_CR4_SMEP, F(SMEP) },
	{ X86_CR4_SMAP, F(SMAP) },
	{ X86_CR4_PKE, F(PKU) },
};

/* EFER bits likewise; SCE always exists. */
static const struct {
	u64 bits;
	u16 feature;
} efer_features[] = {
	{ EFER_LME | EFER_LMA, F(LM) },
	{ EFER_NX, F(NX) },
	{ EFER_FFXSR, F(FXSR_OPT) },
	{ EFER_AUTOIBRS, F(AUTOIBRS) },
};

#define CR4_ALWAYS	(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | \
			 X86_CR4_PSE | X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE | \
			 X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

/* Bits of CPUID.80000001H:EDX that AMD defines as copies of CPUID.1:EDX. */
#define AMD_ALIASES	(GENMASK(9, 0) | GENMASK(17, 12) | GENMASK(24, 23))

static u32 kvm_cpu_caps[NCAPINTS] __read_mostly;

static void kvm_cpu_cap_set(unsigned int x86_feature)
{
	kvm_cpu_caps[x86_feature / 32] |= BIT(x86_feature % 32);
}

/**
 * kvm_cpu_cap_clear() - a feature is not to be offered to guests
 * @x86_feature:	X86_FEATURE_*; only while the module initialises
 */
void kvm_cpu_cap_clear(unsigned int x86_feature)
{
	kvm_cpu_caps[x86_feature / 32] &= ~BIT(x86_feature % 32);
}

/**
 * kvm_cpu_cap_has() - may guests have a feature?
 * @x86_feature:	X86_FEATURE_* of a word that has a CPUID leaf
 *
 * Return: whether KVM_GET_SUPPORTED_CPUID shows it.
 */
bool kvm_cpu_cap_has(unsigned int x86_feature)
{
	return kvm_cpu_caps[x86_feature / 32] & BIT(x86_feature % 32);
}

static u32 *cpuid_entry_reg(struct kvm_cpuid_entry2 *entry, unsigned int reg)
{
	switch (reg) {
	case CPUID_EAX:
		return &entry->eax;
	case CPUID_EBX:
		return &entry->ebx;
	case CPUID_ECX:
		return &entry->ecx;
	default:
		return &entry->edx;
	}
}

/* CPUID of the machine itself; zeros beyond what it has (Intel would repeat a leaf). */
static void host_cpuid(struct kvm_cpuid_entry2 *entry, u32 function, u32 index)
{
	memset(entry, 0, sizeof(*entry));
	entry->function = function;
	entry->index = index;
	if (cpuid_eax(function & 0x80000000) >= function)
		cpuid_count(function, index, &entry->eax, &entry->ebx, &entry->ecx, &entry->edx);
}

/* Both the kernel and the hardware have it: the kernel may have been told "nopku". */
static bool host_has(unsigned int x86_feature)
{
	const struct cpuid_word *word = &cpuid_words[x86_feature / 32];
	struct kvm_cpuid_entry2 entry;

	if (!word->valid || !boot_cpu_has(x86_feature))
		return false;
	host_cpuid(&entry, word->function, word->index);
	return *cpuid_entry_reg(&entry, word->reg) & BIT(x86_feature % 32);
}

/**
 * kvm_set_cpu_caps() - compute what guests may have
 *
 * Once, after the vendor's hardware_setup() and kvm_fpu_hardware_setup() have
 * filled kvm_caps; adds kvm_caps.supported_efer.
 */
void kvm_set_cpu_caps(void)
{
	unsigned int i;

	memset(kvm_cpu_caps, 0, sizeof(kvm_cpu_caps));
	for (i = 0; i < ARRAY_SIZE(supported_features); i++)
		if (host_has(supported_features[i]))
			kvm_cpu_cap_set(supported_features[i]);

	for (i = 0; i < ARRAY_SIZE(xstate_features); i++)
		if (xstate_features[i].xfeatures & ~kvm_caps.supported_xcr0)
			kvm_cpu_cap_clear(xstate_features[i].feature);

	/* Instructions that the vendor must let a guest use, and be able to take away. */
	if (!kvm_caps.has_invpcid)
		kvm_cpu_cap_clear(F(INVPCID));
	if (!kvm_caps.has_rdtscp) {
		kvm_cpu_cap_clear(F(RDTSCP));
		kvm_cpu_cap_clear(F(RDPID));
	}
	if (!kvm_caps.has_xsaves)
		kvm_cpu_cap_clear(F(XSAVES));

	for (i = 0; i < ARRAY_SIZE(emulated_features); i++)
		kvm_cpu_cap_set(emulated_features[i]);

	/* CPUs before Zen 3 do not tell these two, but the kernel has found them out. */
	if (boot_cpu_has(X86_FEATURE_LFENCE_RDTSC))
		kvm_cpu_cap_set(F_LFENCE_SERIALIZES);
	if (!boot_cpu_has_bug(X86_BUG_NULL_SEG))
		kvm_cpu_cap_set(F_NULL_SEL_CLR_BASE);

	kvm_caps.supported_efer = EFER_SCE;
	for (i = 0; i < ARRAY_SIZE(efer_features); i++)
		if (kvm_cpu_cap_has(efer_features[i].feature))
			kvm_caps.supported_efer |= efer_features[i].bits;
}

/* ---- KVM_GET_SUPPORTED_CPUID ---- */

/* The list as it grows; full: a call finds no room for one more. */
struct cpuid_array {
	struct kvm_cpuid_entry2 *entries;
	unsigned int nent, max;
};

static struct kvm_cpuid_entry2 *cpuid_array_add(struct cpuid_array *array, u32 function,
						u32 index)
{
	struct kvm_cpuid_entry2 *entry;

	if (array->nent >= array->max)
		return NULL;
	entry = &array->entries[array->nent++];
	host_cpuid(entry, function, index);
	return entry;
}

/* Replace the feature words of an entry, if it has any, by what guests may have. */
static void cpuid_entry_override(struct kvm_cpuid_entry2 *entry)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cpuid_words); i++)
		if (cpuid_words[i].valid && cpuid_words[i].function == entry->function &&
		    cpuid_words[i].index == entry->index)
			*cpuid_entry_reg(entry, cpuid_words[i].reg) = kvm_cpu_caps[i];
}

static void cpuid_entry_keep(struct kvm_cpuid_entry2 *entry, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	entry->eax &= eax;
	entry->ebx &= ebx;
	entry->ecx &= ecx;
	entry->edx &= edx;
}

/* Leaves 4 and 0x8000001D: sub-leaves up to one of type "no more caches". */
static int do_cpuid_caches(struct cpuid_array *array, u32 function)
{
	struct kvm_cpuid_entry2 *entry;
	u32 i = 0;

	do {
		entry = cpuid_array_add(array, function, i++);
		if (!entry)
			return -E2BIG;
		entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	} while (entry->eax & 0x1f);
	return 0;
}

/* Leaf 7: features; EAX is the highest sub-leaf. */
static int do_cpuid_7(struct cpuid_array *array)
{
	struct kvm_cpuid_entry2 *entry = cpuid_array_add(array, 7, 0);

	if (!entry)
		return -E2BIG;
	entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	entry->eax = min(entry->eax, 1U);
	cpuid_entry_override(entry);
	if (!entry->eax)
		return 0;

	entry = cpuid_array_add(array, 7, 1);
	if (!entry)
		return -E2BIG;
	entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	cpuid_entry_keep(entry, 0, 0, 0, 0);
	cpuid_entry_override(entry);
	return 0;
}

/* Leaf 0DH: XSAVE's components and sizes; sub-leaves 2 and up are one for each. */
static int do_cpuid_xsave(struct cpuid_array *array)
{
	u64 xcr0 = kvm_caps.supported_xcr0, xss = kvm_caps.supported_xss;
	struct kvm_cpuid_entry2 *entry = cpuid_array_add(array, 0xd, 0);
	u32 i;

	if (!entry)
		return -E2BIG;
	entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	entry->eax = xcr0;
	entry->edx = xcr0 >> 32;
	entry->ebx = xcr0 ? kvm_xstate_size(xcr0, false) : 0;
	entry->ecx = entry->ebx;
	if (!xcr0)
		return 0;

	entry = cpuid_array_add(array, 0xd, 1);
	if (!entry)
		return -E2BIG;
	entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	cpuid_entry_override(entry);
	entry->ebx = kvm_cpu_cap_has(F(XSAVES)) || kvm_cpu_cap_has(F(XSAVEC)) ?
		     kvm_xstate_size(xcr0 | xss, true) : 0;
	entry->ecx = xss;
	entry->edx = xss >> 32;

	for (i = 2; i < 63; i++) {
		if (!((xcr0 | xss) & BIT_ULL(i)))
			continue;
		entry = cpuid_array_add(array, 0xd, i);
		if (!entry)
			return -E2BIG;
		entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		/* Of ECX: is it in IA32_XSS, and is it aligned when compacted? */
		cpuid_entry_keep(entry, ~0U, ~0U, BIT(0) | BIT(1), 0);
	}
	return 0;
}

/* Leaf 0x80000008: address widths, as far as the second-level page table reaches. */
static void cpuid_entry_addresses(struct kvm_cpuid_entry2 *entry)
{
	u32 phys = entry->eax & 0xff;

	if (!phys)
		phys = boot_cpu_data.x86_phys_bits;
	if (kvm_caps.tdp_levels < 5)
		phys = min(phys, 48U);
	entry->eax = phys | 48 << 8;
	/* Of ECX: the core count and the size of its field; no counters. */
	cpuid_entry_keep(entry, ~0U, ~0U, 0xf0ff, 0);
}

/* A function with one entry: change the host's answer into ours. */
static void do_cpuid_entry(struct kvm_cpuid_entry2 *entry)
{
	static const u32 signature[3] = { 0x4b4d564b, 0x564b4d56, 0x4d };	/* KVMKVMKVM */

	cpuid_entry_override(entry);
	switch (entry->function) {
	case 0:
		/* Beyond 0DH all is SGX, PT and other things that guests do not get. */
		entry->eax = min(entry->eax, 0xdU);
		break;
	case 1:
		/* This CPU's APIC id and its package's are nobody's business. */
		entry->ebx &= 0xffff;
		break;
	case 2:		/* Intel's cache descriptors */
	case 0x80000002:/* the brand string */
	case 0x80000003:
	case 0x80000004:
	case 0x80000005:/* AMD's caches and TLBs */
	case 0x80000006:
		break;
	case 6:		/* ARAT alone */
		cpuid_entry_keep(entry, ~0U, 0, 0, 0);
		break;
	case KVM_CPUID_SIGNATURE:
		entry->eax = KVM_CPUID_FEATURES;
		entry->ebx = signature[0];
		entry->ecx = signature[1];
		entry->edx = signature[2];
		break;
	case KVM_CPUID_FEATURES:
		entry->eax = kvm_pv_supported_features();
		break;
	case 0x80000000:
		entry->eax = clamp(entry->eax, 0x80000000U, 0x80000021U);
		/* An AMD CPU that is too old for the last leaf has something to tell there. */
		if (entry->eax >= 0x8000001d)
			entry->eax = 0x80000021;
		break;
	case 0x80000001:
		/* AMD repeats some of leaf 1's features here, Intel does not. */
		entry->edx |= cpuid_edx(0x80000001) & kvm_cpu_caps[CPUID_1_EDX] & AMD_ALIASES;
		/* Of AMD's: brand and package. */
		entry->ebx &= ~GENMASK(27, 16);
		break;
	case 0x80000007:/* invariant TSC */
		cpuid_entry_keep(entry, 0, 0, 0, BIT(8) & boot_cpu_data.x86_power);
		break;
	case 0x80000008:
		cpuid_entry_addresses(entry);
		break;
	case 0x80000019:/* AMD's TLBs for 1-GByte pages */
		cpuid_entry_keep(entry, ~0U, ~0U, 0, 0);
		break;
	case 0x8000001a:/* hints: which instructions are fast */
		cpuid_entry_keep(entry, 7, 0, 0, 0);
		break;
	case 0x80000021:/* facts, put in above */
		cpuid_entry_keep(entry, ~0U, 0, 0, 0);
		break;
	default:
		/* PMU, MONITOR, DCA, topology, SVM, ...: there, and empty. */
		cpuid_entry_keep(entry, 0, 0, 0, 0);
		break;
	}
}

static int do_cpuid_func(struct cpuid_array *array, u32 function)
{
	struct kvm_cpuid_entry2 *entry;

	switch (function) {
	case 4:
	case 0x8000001d:
		return do_cpuid_caches(array, function);
	case 7:
		return do_cpuid_7(array);
	case 0xd:
		return do_cpuid_xsave(array);
	}

	entry = cpuid_array_add(array, function, 0);
	if (!entry)
		return -E2BIG;
	/* Without a sub-leaf 1, "no topology". */
	if (function == 0xb)
		entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	do_cpuid_entry(entry);
	return 0;
}

/* A range's first function says how far the range goes. */
static int do_cpuid_range(struct cpuid_array *array, u32 base)
{
	unsigned int first = array->nent;
	u32 function, last = base;
	int r;

	for (function = base; function <= last; function++) {
		r = do_cpuid_func(array, function);
		if (r)
			return r;
		if (function == base)
			last = array->entries[first].eax;
	}
	return 0;
}

/* The user's buffer may hold anything, but what it means to say must be legible. */
static bool padding_is_zero(const struct kvm_cpuid_entry2 *entries, u32 nent)
{
	u32 i;

	for (i = 0; i < nent; i++)
		if (memchr_inv(entries[i].padding, 0, sizeof(entries[i].padding)))
			return false;
	return true;
}

/**
 * kvm_dev_ioctl_get_cpuid() - KVM_GET_SUPPORTED_CPUID, KVM_GET_EMULATED_CPUID
 * @cpuid:	its header; nent becomes the number of entries written
 * @entries:	where to
 * @type:	which of the two ioctls
 *
 * The emulated list is of what works on a host that lacks it, and whose use
 * may be slow: instructions that #UD on the host and are interpreted.  There
 * is none.
 *
 * Return: 0; -E2BIG if the list has more than nent entries, or nent is 0;
 * -EINVAL if padding is not zero (emulated list only); -EFAULT; -ENOMEM.
 */
int kvm_dev_ioctl_get_cpuid(struct kvm_cpuid2 *cpuid, struct kvm_cpuid_entry2 __user *entries,
			    unsigned int type)
{
	static const u32 ranges[] = { 0, KVM_CPUID_SIGNATURE, 0x80000000 };
	struct cpuid_array array = {};
	unsigned int i;
	int r = 0;

	if (cpuid->nent < 1)
		return -E2BIG;
	array.max = min_t(u32, cpuid->nent, KVM_MAX_CPUID_ENTRIES);

	if (type == KVM_GET_EMULATED_CPUID) {
		array.entries = vmemdup_user(entries, array_size(array.max, sizeof(*entries)));
		if (IS_ERR(array.entries))
			return PTR_ERR(array.entries);
		if (!padding_is_zero(array.entries, array.max))
			r = -EINVAL;
		goto out;
	}

	array.entries = kvcalloc(array.max, sizeof(*array.entries), GFP_KERNEL_ACCOUNT);
	if (!array.entries)
		return -ENOMEM;
	for (i = 0; !r && i < ARRAY_SIZE(ranges); i++)
		r = do_cpuid_range(&array, ranges[i]);
	if (!r && copy_to_user(entries, array.entries, array.nent * sizeof(*entries)))
		r = -EFAULT;
out:
	if (!r)
		cpuid->nent = array.nent;
	kvfree(array.entries);
	return r;
}

/* ---- a guest's list ---- */

#define CPUID_NONE	U16_MAX

static struct kvm_cpuid_entry2 *cpuid_entry_find(struct kvm_cpuid_entry2 *entries, u32 nent,
						 u32 function, u32 index)
{
	u32 i;

	for (i = 0; i < nent; i++)
		if (entries[i].function == function &&
		    (entries[i].index == index ||
		     !(entries[i].flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
			return &entries[i];
	return NULL;
}

static void cpuid_build_index(struct kvm_vcpu *vcpu)
{
	int i;

	memset(vcpu->arch.cpuid_first, 0xff, sizeof(vcpu->arch.cpuid_first));
	for (i = vcpu->arch.cpuid_nent - 1; i >= 0; i--) {
		u32 function = vcpu->arch.cpuid_entries[i].function;

		if ((function & 0x3fffffff) < ARRAY_SIZE(vcpu->arch.cpuid_first[0]))
			vcpu->arch.cpuid_first[function >> 30][function & 0x1f] = i;
	}
}

/**
 * kvm_find_cpuid_entry() - look a leaf of the guest's CPUID up
 * @vcpu:	the vCPU
 * @function:	EAX
 * @index:	ECX; counts only if the VMM said that it does for this function
 *
 * Return: the entry, valid until the next KVM_SET_CPUID2, or NULL.
 */
struct kvm_cpuid_entry2 *kvm_find_cpuid_entry(struct kvm_vcpu *vcpu, u32 function, u32 index)
{
	u32 first = 0;

	if (likely((function & 0x3fffffff) < ARRAY_SIZE(vcpu->arch.cpuid_first[0]))) {
		first = vcpu->arch.cpuid_first[function >> 30][function & 0x1f];
		if (first == CPUID_NONE)
			return NULL;
	}
	return cpuid_entry_find(vcpu->arch.cpuid_entries + first,
				vcpu->arch.cpuid_nent - first, function, index);
}

/**
 * guest_cpuid_has() - did the VMM give the guest a feature?
 * @vcpu:		the vCPU
 * @x86_feature:	X86_FEATURE_* of a word that has a CPUID leaf
 *
 * Return: so the guest's CPUID says.
 */
bool guest_cpuid_has(struct kvm_vcpu *vcpu, unsigned int x86_feature)
{
	const struct cpuid_word *word = &cpuid_words[x86_feature / 32];
	struct kvm_cpuid_entry2 *entry;

	if (!word->valid)
		return false;
	entry = kvm_find_cpuid_entry(vcpu, word->function, word->index);
	return entry && *cpuid_entry_reg(entry, word->reg) & BIT(x86_feature % 32);
}
EXPORT_SYMBOL_GPL(guest_cpuid_has);

/* Leaf 0 has the maker's 12 letters in EBX, EDX, ECX. */
static bool guest_vendor_is(struct kvm_vcpu *vcpu, const char *vendor)
{
	const struct kvm_cpuid_entry2 *entry = kvm_find_cpuid_entry(vcpu, 0, 0);

	return entry && !memcmp(&entry->ebx, vendor, 4) && !memcmp(&entry->edx, vendor + 4, 4) &&
	       !memcmp(&entry->ecx, vendor + 8, 4);
}

/**
 * guest_cpuid_is_intel() - does the guest believe that Intel made its CPU?
 * @vcpu:	the vCPU
 *
 * Return: so the guest's CPUID says; false without one.
 */
bool guest_cpuid_is_intel(struct kvm_vcpu *vcpu)
{
	return guest_vendor_is(vcpu, "GenuineIntel");
}
EXPORT_SYMBOL_GPL(guest_cpuid_is_intel);

/**
 * guest_cpuid_is_amd() - likewise AMD, or Hygon, whose CPUs are AMD's design
 * @vcpu:	the vCPU
 *
 * Return: so the guest's CPUID says; false without one.
 */
bool guest_cpuid_is_amd(struct kvm_vcpu *vcpu)
{
	return guest_vendor_is(vcpu, "AuthenticAMD") || guest_vendor_is(vcpu, "HygonGenuine");
}

static void cpuid_entry_change(struct kvm_cpuid_entry2 *entry, unsigned int x86_feature,
			       bool has)
{
	u32 *reg = cpuid_entry_reg(entry, cpuid_words[x86_feature / 32].reg);

	if (has)
		*reg |= BIT(x86_feature % 32);
	else
		*reg &= ~BIT(x86_feature % 32);
}

/* The bits that mirror the vCPU's state, in a list that need not be its own yet. */
static void update_cpuid_runtime(struct kvm_vcpu *vcpu, struct kvm_cpuid_entry2 *entries,
				 u32 nent)
{
	struct kvm_cpuid_entry2 *entry;

	entry = cpuid_entry_find(entries, nent, 1, 0);
	if (entry) {
		cpuid_entry_change(entry, F(OSXSAVE), kvm_read_cr4_bits(vcpu, X86_CR4_OSXSAVE));
		cpuid_entry_change(entry, F(APIC),
				   vcpu->arch.apic_base & MSR_IA32_APICBASE_ENABLE);
		if (vcpu->kvm->arch.disabled_quirks & KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT)
			cpuid_entry_change(entry, F(MWAIT), vcpu->arch.ia32_misc_enable &
							    MSR_IA32_MISC_ENABLE_MWAIT);
	}

	entry = cpuid_entry_find(entries, nent, 7, 0);
	if (entry)
		cpuid_entry_change(entry, F(OSPKE), kvm_read_cr4_bits(vcpu, X86_CR4_PKE));

	entry = cpuid_entry_find(entries, nent, 0xd, 0);
	if (entry)
		entry->ebx = kvm_xstate_size(vcpu->arch.xcr0, false);

	entry = cpuid_entry_find(entries, nent, 0xd, 1);
	if (entry && entry->eax & (BIT(F(XSAVES) % 32) | BIT(F(XSAVEC) % 32)))
		entry->ebx = kvm_xstate_size(vcpu->arch.xcr0 | vcpu->arch.ia32_xss, true);
}

/**
 * kvm_update_cpuid_runtime() - state that CPUID mirrors has changed
 * @vcpu:	the vCPU
 *
 * CR4.OSXSAVE, CR4.PKE, XCR0, IA32_XSS, IA32_APIC_BASE or IA32_MISC_ENABLE.
 */
void kvm_update_cpuid_runtime(struct kvm_vcpu *vcpu)
{
	update_cpuid_runtime(vcpu, vcpu->arch.cpuid_entries, vcpu->arch.cpuid_nent);
}

/* ---- what else follows from the guest's list ---- */

/* Until there is a list, all that the host can do: a VMM may set CR4 first. */
static bool vcpu_may_use(struct kvm_vcpu *vcpu, unsigned int x86_feature)
{
	return kvm_cpu_cap_has(x86_feature) &&
	       (!vcpu->arch.cpuid_nent || guest_cpuid_has(vcpu, x86_feature));
}

static u64 cr4_reserved_bits(struct kvm_vcpu *vcpu)
{
	u64 allowed = CR4_ALWAYS;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cr4_features); i++)
		if (vcpu_may_use(vcpu, cr4_features[i].feature))
			allowed |= cr4_features[i].bit;
	return ~allowed;
}

static u64 efer_reserved_bits(struct kvm_vcpu *vcpu)
{
	u64 allowed = EFER_SCE;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(efer_features); i++)
		if (vcpu_may_use(vcpu, efer_features[i].feature))
			allowed |= efer_features[i].bits;
	return ~allowed;
}

static u8 guest_maxphyaddr(struct kvm_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *entry = kvm_find_cpuid_entry(vcpu, 0x80000000, 0);

	if (entry && entry->eax >= 0x80000008) {
		entry = kvm_find_cpuid_entry(vcpu, 0x80000008, 0);
		/* Less than 32 bits never existed, more than 52 do not fit an entry. */
		if (entry)
			return clamp(entry->eax & 0xff, 32U, 52U);
	}
	return 36;	/* what PAE had before there was a leaf to say so */
}

/* The list is new: recompute what is kept because others ask for it often. */
static void cpuid_changed(struct kvm_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *entry;

	cpuid_build_index(vcpu);
	kvm_pv_cpuid_changed(vcpu);
	kvm_apic_cpuid_changed(vcpu);
	vcpu->arch.maxphyaddr = guest_maxphyaddr(vcpu);
	vcpu->arch.reserved_gpa_bits = ~(BIT_ULL(vcpu->arch.maxphyaddr) - 1);
	vcpu->arch.cr4_reserved_bits = cr4_reserved_bits(vcpu);
	vcpu->arch.efer_reserved_bits = efer_reserved_bits(vcpu);

	entry = kvm_find_cpuid_entry(vcpu, 0xd, 0);
	vcpu->arch.guest_supported_xcr0 = !entry ? 0 :
		(entry->eax | (u64)entry->edx << 32) & kvm_caps.supported_xcr0;
}

/**
 * kvm_cpuid_vcpu_create() - a vCPU without a CPUID yet
 * @vcpu:	the vCPU
 */
void kvm_cpuid_vcpu_create(struct kvm_vcpu *vcpu)
{
	vcpu->arch.cpuid_entries = NULL;
	vcpu->arch.cpuid_nent = 0;
	cpuid_changed(vcpu);
}

/**
 * kvm_vcpu_free_cpuid() - free what KVM_SET_CPUID2 stored
 * @vcpu:	the vCPU
 */
void kvm_vcpu_free_cpuid(struct kvm_vcpu *vcpu)
{
	kvfree(vcpu->arch.cpuid_entries);
	vcpu->arch.cpuid_entries = NULL;
	vcpu->arch.cpuid_nent = 0;
}

/* ---- KVM_SET_CPUID, KVM_SET_CPUID2, KVM_GET_CPUID2 ---- */

/* A width of linear addresses that no paging mode has would confuse us all. */
static bool linear_width_is_sane(struct kvm_cpuid_entry2 *entries, u32 nent)
{
	struct kvm_cpuid_entry2 *entry = cpuid_entry_find(entries, nent, 0x80000008, 0);
	u8 width = entry ? entry->eax >> 8 : 0;

	return width == 0 || width == 48 || width == 57;
}

/* Takes @entries, which may be NULL if @nent is 0; frees them if it fails. */
static int set_cpuid(struct kvm_vcpu *vcpu, struct kvm_cpuid_entry2 *entries, u32 nent)
{
	int r = -EINVAL;

	if (!linear_width_is_sane(entries, nent))
		goto fail;
	kvm_pv_trim_cpuid(vcpu, entries, nent);
	update_cpuid_runtime(vcpu, entries, nent);

	/* A CPU does not change under a running system, but may be told again what it is. */
	if (vcpu->ran_once) {
		if (nent == vcpu->arch.cpuid_nent &&
		    (!nent || !memcmp(entries, vcpu->arch.cpuid_entries, nent * sizeof(*entries))))
			r = 0;
		goto fail;
	}

	kvfree(vcpu->arch.cpuid_entries);
	vcpu->arch.cpuid_entries = entries;
	vcpu->arch.cpuid_nent = nent;
	cpuid_changed(vcpu);
	kvm_x86_ops.update_intercepts(vcpu);
	return 0;
fail:
	kvfree(entries);
	return r;
}

/**
 * kvm_vcpu_ioctl_set_cpuid() - KVM_SET_CPUID: entries without sub-leaves
 * @vcpu:	the vCPU, loaded
 * @cpuid:	the header
 * @entries:	the list
 *
 * Return: as kvm_vcpu_ioctl_set_cpuid2().
 */
int kvm_vcpu_ioctl_set_cpuid(struct kvm_vcpu *vcpu, struct kvm_cpuid *cpuid,
			     struct kvm_cpuid_entry __user *entries)
{
	struct kvm_cpuid_entry *old = NULL;
	struct kvm_cpuid_entry2 *new = NULL;
	u32 i;

	if (cpuid->nent > KVM_MAX_CPUID_ENTRIES)
		return -E2BIG;
	if (cpuid->nent) {
		old = vmemdup_user(entries, array_size(cpuid->nent, sizeof(*old)));
		if (IS_ERR(old))
			return PTR_ERR(old);
		new = kvcalloc(cpuid->nent, sizeof(*new), GFP_KERNEL_ACCOUNT);
		if (!new) {
			kvfree(old);
			return -ENOMEM;
		}
	}

	for (i = 0; i < cpuid->nent; i++) {
		new[i].function = old[i].function;
		new[i].eax = old[i].eax;
		new[i].ebx = old[i].ebx;
		new[i].ecx = old[i].ecx;
		new[i].edx = old[i].edx;
	}
	kvfree(old);
	return set_cpuid(vcpu, new, cpuid->nent);
}

/**
 * kvm_vcpu_ioctl_set_cpuid2() - KVM_SET_CPUID2
 * @vcpu:	the vCPU, loaded
 * @cpuid:	the header
 * @entries:	the list; 0 entries take it away
 *
 * Return: 0; -E2BIG above KVM_MAX_CPUID_ENTRIES; -EINVAL for a width of linear
 * addresses other than 48 and 57, and after the first KVM_RUN for a list that
 * is not the one in use; -EFAULT; -ENOMEM.  Errors change nothing.
 */
int kvm_vcpu_ioctl_set_cpuid2(struct kvm_vcpu *vcpu, struct kvm_cpuid2 *cpuid,
			      struct kvm_cpuid_entry2 __user *entries)
{
	struct kvm_cpuid_entry2 *new = NULL;

	if (cpuid->nent > KVM_MAX_CPUID_ENTRIES)
		return -E2BIG;
	if (cpuid->nent) {
		new = vmemdup_user(entries, array_size(cpuid->nent, sizeof(*new)));
		if (IS_ERR(new))
			return PTR_ERR(new);
	}
	return set_cpuid(vcpu, new, cpuid->nent);
}

/**
 * kvm_vcpu_ioctl_get_cpuid2() - KVM_GET_CPUID2
 * @vcpu:	the vCPU
 * @cpuid:	the header; nent becomes the number of entries there are
 * @entries:	where to
 *
 * Return: 0; -E2BIG, with nent set, if there is not room for all; -EFAULT.
 */
int kvm_vcpu_ioctl_get_cpuid2(struct kvm_vcpu *vcpu, struct kvm_cpuid2 *cpuid,
			      struct kvm_cpuid_entry2 __user *entries)
{
	u32 room = cpuid->nent;

	cpuid->nent = vcpu->arch.cpuid_nent;
	if (room < vcpu->arch.cpuid_nent)
		return -E2BIG;
	if (copy_to_user(entries, vcpu->arch.cpuid_entries,
			 vcpu->arch.cpuid_nent * sizeof(*entries)))
		return -EFAULT;
	return 0;
}

/* ---- the CPUID instruction ---- */

/*
 * The guest asked for a leaf that is not in its list.  On Intel's CPUs a function
 * above its range's highest is answered like the highest basic one; all other
 * holes, and others' CPUs, answer zeros (SDM vol. 2, CPUID, "INPUT EAX = ..., out of range").
 */
static struct kvm_cpuid_entry2 *out_of_range_entry(struct kvm_vcpu *vcpu, u32 function,
						   u32 index)
{
	struct kvm_cpuid_entry2 *basic = kvm_find_cpuid_entry(vcpu, 0, 0);
	struct kvm_cpuid_entry2 *range;

	if (!guest_cpuid_is_intel(vcpu))
		return NULL;

	/* Hypervisors' ranges begin at each 0x100; there may be several. */
	if (function >> 28 == 4)
		range = kvm_find_cpuid_entry(vcpu, function & ~0xffU, 0);
	else if (function >= 0xc0000000)
		range = kvm_find_cpuid_entry(vcpu, 0xc0000000, 0);
	else
		range = kvm_find_cpuid_entry(vcpu, function & 0x80000000, 0);
	if (range && function <= range->eax)
		return NULL;
	return kvm_find_cpuid_entry(vcpu, basic->eax, index);
}

/*
 * The topology leaves give ECX's low byte back and the x2APIC id in EDX even
 * for a level that does not exist (SDM vol. 2, CPUID leaves 0BH and 1FH).
 */
static void cpuid_missing_topology_level(struct kvm_vcpu *vcpu, u32 function, u32 index,
					 unsigned long *regs)
{
	struct kvm_cpuid_entry2 *entry = kvm_find_cpuid_entry(vcpu, function, 1);

	if (!entry)
		return;
	regs[VCPU_REGS_RCX] = index & 0xff;
	regs[VCPU_REGS_RDX] = entry->edx;
}

/**
 * kvm_emulate_cpuid() - a CPUID exited
 * @vcpu:	the vCPU
 *
 * Return: 1/0/-errno of the run loop.
 */
int kvm_emulate_cpuid(struct kvm_vcpu *vcpu)
{
	unsigned long *regs = vcpu->arch.regs;
	u32 function = regs[VCPU_REGS_RAX], index = regs[VCPU_REGS_RCX];
	struct kvm_cpuid_entry2 *entry;

	/* CPUID faulting, the only feature in that MSR that is there to be enabled. */
	if (unlikely(vcpu->arch.msr_misc_features_enables) && kvm_x86_ops.get_cpl(vcpu) > 0) {
		kvm_inject_gp(vcpu, 0);
		return 1;
	}

	entry = kvm_find_cpuid_entry(vcpu, function, index);
	if (unlikely(!entry))
		entry = out_of_range_entry(vcpu, function, index);
	if (likely(entry)) {
		regs[VCPU_REGS_RAX] = entry->eax;
		regs[VCPU_REGS_RBX] = entry->ebx;
		regs[VCPU_REGS_RCX] = entry->ecx;
		regs[VCPU_REGS_RDX] = entry->edx;
	} else {
		regs[VCPU_REGS_RAX] = 0;
		regs[VCPU_REGS_RBX] = 0;
		regs[VCPU_REGS_RCX] = 0;
		regs[VCPU_REGS_RDX] = 0;
		if (function == 0xb || function == 0x1f)
			cpuid_missing_topology_level(vcpu, function, index, regs);
	}
	return kvm_skip_emulated_instruction(vcpu);
}
EXPORT_SYMBOL_GPL(kvm_emulate_cpuid);
