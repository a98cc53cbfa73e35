// SPDX-License-Identifier: GPL-2.0
/*
 * The processor's VM-entry checks, made again in software
 *
 * VMLAUNCH and VMRESUME check the VMCS in three steps (SDM vol. 3C ch. 27 "VM
 * Entries") and say only which step failed:
 *
 *	27.2.1 controls    -> VMfail, VM-instruction error 7
 *	27.2.2 host state  -> VMfail, VM-instruction error 8
 *	27.3.1 guest state -> VM exit, reason 33 with bit 31 set
 *
 * This file makes the same checks and names every rule that is broken.  The
 * rules' words are the rows of vmcs_rules.h; here is one small function for
 * each subsection of the SDM, in its order, and in it one MUST() for each rule:
 * condition, rule, the fields to blame (the guilty one first).  Read the SDM on
 * one side and this on the other.
 *
 * It runs only after a failed entry: clarity first, speed not at all.  Pure: it
 * reads through struct vmcs_check_env, takes no lock and keeps no state, so the
 * caller must only see to it that the VMCS stays current (preemption off).
 * What it leaves out, and why, is listed in vmcs_rules.h.
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "vmcs_check.h"

/**
 * struct check - one run over one VMCS
 * @env: the VMCS and the processor's capabilities
 * @report: whom to tell of a broken rule
 * @ctx: passed to @report
 * @broken: rules broken so far
 * @pin: pin-based controls
 * @proc: primary processor-based controls
 * @proc2: secondary ones; 0 if not activated, as the processor takes them
 * @exit: VM-exit controls
 * @entry: VM-entry controls
 * @proc3: tertiary processor-based controls, 0 if not activated
 * @event: the event to inject (VM-entry interruption information), 0 for none
 * @cr0: guest CR0
 * @cr4: guest CR4
 * @rflags: guest RFLAGS
 * @ia32e: "IA-32e mode guest"
 * @unrestricted: "unrestricted guest"
 * @v86: the guest is in virtual-8086 mode
 */
struct check {
	const struct vmcs_check_env *env;
	vmcs_report_fn report;
	void *ctx;
	int broken;

	u32 pin, proc, proc2, exit, entry;
	u64 proc3;
	u32 event;
	u64 cr0, cr4, rflags;
	bool ia32e, unrestricted, v86;
};

static const struct {
	const char *id;
	const char *words;
	enum vmcs_section section;
} rules[] = {
#define X(id, section, words) \
	[VMCS_RULE_##id] = { #id, words, VMCS_SECTION_##section },
	VMCS_RULE_LIST(X)
#undef X
};

static const struct {
	const char *number;
	const char *title;
} sections[] = {
#define X(name, number, title) \
	[VMCS_SECTION_##name] = { number, title },
	VMCS_SECTION_LIST(X)
#undef X
};

static u64 get(const struct check *c, u32 field)
{
	u64 value;

	/* A field this processor lacks has no feature that gives it a meaning. */
	if (!c->env->vmcs.read(c->env->vmcs.ctx, field, &value))
		return 0;
	return value;
}

static void broken(struct check *c, enum vmcs_rule rule, u64 bits, const u32 *fields,
		   unsigned int nr)
{
	struct vmcs_violation violation = {
		.rule = rule,
		.id = rules[rule].id,
		.section = sections[rules[rule].section].number,
		.title = sections[rules[rule].section].title,
		.words = rules[rule].words,
		.bits = bits,
	};

	for (; violation.nr < nr && violation.nr < VMCS_VIOLATION_FIELDS; violation.nr++) {
		violation.field[violation.nr].encoding = fields[violation.nr];
		violation.field[violation.nr].value = get(c, fields[violation.nr]);
	}
	c->broken++;
	c->report(c->ctx, &violation);
}

#define BROKEN(c, rule, bits, ...)						\
	broken(c, rule, bits, (const u32[]){ __VA_ARGS__ },		\
	       sizeof((const u32[]){ __VA_ARGS__ }) / sizeof(u32))

/* MUST(c, condition, rule, fields...): the condition must hold. */
#define MUST(c, condition, rule, ...)						\
	do {									\
		if (!(condition))						\
			BROKEN(c, VMCS_RULE_##rule, 0, __VA_ARGS__);		\
	} while (0)

/* NO_BITS(c, wrong, rule, fields...): wrong bits of the first field: none. */
#define NO_BITS(c, wrong, rule, ...)						\
	do {									\
		u64 wrong_bits = (wrong);					\
										\
		if (wrong_bits)							\
			BROKEN(c, VMCS_RULE_##rule, wrong_bits, __VA_ARGS__);	\
	} while (0)

/* ------------------------------------------------------ what rules are made of */

/* Bits that an allowed-0/allowed-1 capability MSR forbids (SDM app. A.2 "Reserved Controls"). */
static u64 forbidden(u32 control, u64 cap)
{
	u32 must_be_1 = cap;
	u32 may_be_1 = cap >> 32;

	return (must_be_1 & ~control) | (control & ~may_be_1);
}

/* Bits of CR0 or CR4 that VMX operation fixes otherwise (SDM 24.8). */
static u64 misfixed(u64 cr, u64 fixed0, u64 fixed1)
{
	return (fixed0 & ~cr) | (cr & ~fixed1);
}

/* Bits of @value from bit @width up. */
static u64 beyond(u64 value, unsigned int width)
{
	return width >= 64 ? 0 : value >> width << width;
}

/*
 * Bits that keep @addr from being the address of a structure for VMX: below the
 * alignment, or beyond the physical-address width (32 with IA32_VMX_BASIC[48]).
 */
static u64 bad_addr(const struct check *c, u64 addr, u64 align)
{
	unsigned int width = c->env->basic & BIT_ULL(48) ? 32 : c->env->phys_bits;

	return (addr & (align - 1)) | beyond(addr, width);
}

static u64 bad_page(const struct check *c, u32 field)
{
	return bad_addr(c, get(c, field), 4096);
}

/* An MSR area of @count 16-byte entries: 0 entries need no address. */
static u64 bad_msr_area(const struct check *c, u32 addr_field, u32 count_field)
{
	u64 addr = get(c, addr_field);
	u64 count = get(c, count_field);

	if (!count)
		return 0;
	return bad_addr(c, addr, 16) | bad_addr(c, addr + count * 16 - 1, 1);
}

/*
 * Are bits 63:N-1 all equal?  N is the width the processor supports, whatever
 * CR4.LA57 says (SDM vol. 1, 3.3.7.1 "Canonical Addressing").
 */
static bool canonical(const struct check *c, u64 addr)
{
	u64 top = beyond(addr, c->env->linear_bits - 1);

	return top == 0 || top == beyond(~0ull, c->env->linear_bits - 1);
}

static bool canonical_field(const struct check *c, u32 field)
{
	return canonical(c, get(c, field));
}

/* Memory types of IA32_PAT: 2 and 3 are reserved, and so is all above 7. */
static bool valid_pat(u64 pat)
{
	unsigned int i;

	for (i = 0; i < 64; i += 8) {
		u8 type = pat >> i;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

/* CR3 may hold LAM_U48 and LAM_U57 (62:61) where CR4.LAM_SUP (28) exists. */
static u64 bad_cr3(const struct check *c, u64 cr3)
{
	u64 lam = c->env->cr4_fixed1 & BIT_ULL(28) ? GENMASK_ULL(62, 61) : 0;

	return beyond(cr3, c->env->phys_bits) & ~lam;
}

static bool valid_s_cet(const struct check *c, u64 s_cet)
{
	return canonical(c, s_cet) && !(s_cet & GENMASK_ULL(9, 6)) &&
	       (s_cet & GENMASK_ULL(11, 10)) != GENMASK_ULL(11, 10);
}

#define EFER_DEFINED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX)

/* CR0.NW and CD are never checked: no VM entry or exit changes them. */
#define CR0_UNCHECKED (X86_CR0_NW | X86_CR0_CD)

/* ----------------------------------------- 27.2.1.1 VM-execution control fields */

static void check_exec_allowed(struct check *c)
{
	const struct vmcs_check_env *env = c->env;

	NO_BITS(c, forbidden(c->pin, env->pin_ctls), PIN_CTLS_ALLOWED, PIN_BASED_VM_EXEC_CONTROL);
	NO_BITS(c, forbidden(c->proc, env->proc_ctls), PROC_CTLS_ALLOWED,
		CPU_BASED_VM_EXEC_CONTROL);
	if (c->proc & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		NO_BITS(c, forbidden(c->proc2, env->proc_ctls2), PROC_CTLS2_ALLOWED,
			SECONDARY_VM_EXEC_CONTROL);
	if (c->proc & CPU_BASED_ACTIVATE_TERTIARY_CONTROLS)
		NO_BITS(c, c->proc3 & ~env->proc_ctls3, PROC_CTLS3_ALLOWED,
			TERTIARY_VM_EXEC_CONTROL);
	MUST(c, get(c, CR3_TARGET_COUNT) <= (u64)vmx_misc_cr3_count(env->misc), CR3_TARGET_COUNT,
	     CR3_TARGET_COUNT);
}

static void check_exec_bitmaps(struct check *c)
{
	if (c->proc & CPU_BASED_USE_IO_BITMAPS) {
		NO_BITS(c, bad_page(c, IO_BITMAP_A), IO_BITMAP_A_ADDR, IO_BITMAP_A);
		NO_BITS(c, bad_page(c, IO_BITMAP_B), IO_BITMAP_B_ADDR, IO_BITMAP_B);
	}
	if (c->proc & CPU_BASED_USE_MSR_BITMAPS)
		NO_BITS(c, bad_page(c, MSR_BITMAP), MSR_BITMAP_ADDR, MSR_BITMAP);
	if (c->proc2 & SECONDARY_EXEC_SHADOW_VMCS) {
		NO_BITS(c, bad_page(c, VMREAD_BITMAP), VMREAD_BITMAP_ADDR, VMREAD_BITMAP);
		NO_BITS(c, bad_page(c, VMWRITE_BITMAP), VMWRITE_BITMAP_ADDR, VMWRITE_BITMAP);
	}
}

static void check_exec_nmi(struct check *c)
{
	MUST(c, (c->pin & PIN_BASED_NMI_EXITING) || !(c->pin & PIN_BASED_VIRTUAL_NMIS),
	     VNMI_NEEDS_NMI_EXITING, PIN_BASED_VM_EXEC_CONTROL);
	MUST(c, (c->pin & PIN_BASED_VIRTUAL_NMIS) || !(c->proc & CPU_BASED_NMI_WINDOW_EXITING),
	     NMI_WINDOW_NEEDS_VNMI, CPU_BASED_VM_EXEC_CONTROL, PIN_BASED_VM_EXEC_CONTROL);
}

static void check_exec_apic(struct check *c)
{
	const u32 needs_tpr_shadow = SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE |
				     SECONDARY_EXEC_APIC_REGISTER_VIRT |
				     SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
	bool vid = c->proc2 & SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;

	if (c->proc & CPU_BASED_TPR_SHADOW) {
		NO_BITS(c, bad_page(c, VIRTUAL_APIC_PAGE_ADDR), VIRTUAL_APIC_ADDR,
			VIRTUAL_APIC_PAGE_ADDR);
		if (!vid)
			NO_BITS(c, beyond(get(c, TPR_THRESHOLD), 4), TPR_THRESHOLD_HIGH,
				TPR_THRESHOLD);
	} else {
		NO_BITS(c, c->proc2 & needs_tpr_shadow, APIC_VIRT_NEEDS_TPR_SHADOW,
			SECONDARY_VM_EXEC_CONTROL, CPU_BASED_VM_EXEC_CONTROL);
	}
	if (c->proc2 & SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES) {
		NO_BITS(c, bad_page(c, APIC_ACCESS_ADDR), APIC_ACCESS_PAGE, APIC_ACCESS_ADDR);
		MUST(c, !(c->proc2 & SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE),
		     X2APIC_OR_APIC_ACCESS, SECONDARY_VM_EXEC_CONTROL);
	}
	MUST(c, !vid || (c->pin & PIN_BASED_EXT_INTR_MASK), VID_NEEDS_EXTINT_EXITING,
	     PIN_BASED_VM_EXEC_CONTROL, SECONDARY_VM_EXEC_CONTROL);
}

static void check_exec_posted(struct check *c)
{
	if (!(c->pin & PIN_BASED_POSTED_INTR))
		return;
	MUST(c, c->proc2 & SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY, POSTED_NEEDS_VID,
	     SECONDARY_VM_EXEC_CONTROL, PIN_BASED_VM_EXEC_CONTROL);
	MUST(c, c->exit & VM_EXIT_ACK_INTR_ON_EXIT, POSTED_NEEDS_ACK, VM_EXIT_CONTROLS,
	     PIN_BASED_VM_EXEC_CONTROL);
	MUST(c, get(c, POSTED_INTR_NV) <= 255, POSTED_VECTOR, POSTED_INTR_NV);
	NO_BITS(c, bad_addr(c, get(c, POSTED_INTR_DESC_ADDR), 64), POSTED_DESC_ADDR,
		POSTED_INTR_DESC_ADDR);
}

static void check_exec_ipi(struct check *c)
{
	u64 table = get(c, PID_POINTER_TABLE);
	u64 last = table + get(c, LAST_PID_POINTER_INDEX) * 8;

	if (!(c->proc3 & TERTIARY_EXEC_IPI_VIRT))
		return;
	MUST(c, c->proc & CPU_BASED_TPR_SHADOW, IPIV_NEEDS_TPR_SHADOW, CPU_BASED_VM_EXEC_CONTROL,
	     TERTIARY_VM_EXEC_CONTROL);
	NO_BITS(c, bad_addr(c, table, 8) | bad_addr(c, last, 8), IPIV_TABLE_ADDR,
		PID_POINTER_TABLE, LAST_PID_POINTER_INDEX);
}

/* The EPT pointer: memory type 2:0, walk length less one 5:3, flags 6 and 7. */
static void check_exec_eptp(struct check *c)
{
	u64 cap = c->env->ept_vpid_cap;
	u64 eptp = get(c, EPT_POINTER);
	u64 type = eptp & VMX_EPTP_MT_MASK;
	u64 walk = eptp & VMX_EPTP_PWL_MASK;

	MUST(c, (type == 0 && (cap & VMX_EPTP_UC_BIT)) || (type == 6 && (cap & VMX_EPTP_WB_BIT)),
	     EPTP_MEMORY_TYPE, EPT_POINTER);
	MUST(c, (walk == VMX_EPTP_PWL_4 && (cap & VMX_EPT_PAGE_WALK_4_BIT)) ||
	     (walk == VMX_EPTP_PWL_5 && (cap & VMX_EPT_PAGE_WALK_5_BIT)),
	     EPTP_WALK_LENGTH, EPT_POINTER);
	MUST(c, !(eptp & VMX_EPTP_AD_ENABLE_BIT) || (cap & VMX_EPT_AD_BIT), EPTP_ACCESSED_DIRTY,
	     EPT_POINTER);
	MUST(c, !(eptp & BIT_ULL(7)) || (cap & BIT_ULL(23)), EPTP_SHADOW_STACK, EPT_POINTER);
	NO_BITS(c, (eptp & GENMASK_ULL(11, 8)) | beyond(eptp, c->env->phys_bits), EPTP_RESERVED,
		EPT_POINTER);
}

/* What rests on EPT: each needs it, and most bring an address of their own. */
static void check_exec_ept_users(struct check *c)
{
	bool ept = c->proc2 & SECONDARY_EXEC_ENABLE_EPT;

	if (c->proc2 & SECONDARY_EXEC_ENABLE_PML) {
		MUST(c, ept, PML_NEEDS_EPT, SECONDARY_VM_EXEC_CONTROL);
		NO_BITS(c, bad_page(c, PML_ADDRESS), PML_ADDR, PML_ADDRESS);
	}
	MUST(c, ept || !c->unrestricted, UNRESTRICTED_NEEDS_EPT, SECONDARY_VM_EXEC_CONTROL);
	MUST(c, ept || !(c->proc2 & SECONDARY_EXEC_MODE_BASED_EPT_EXEC), MBEC_NEEDS_EPT,
	     SECONDARY_VM_EXEC_CONTROL);
	if (c->proc2 & VMCS_PROC2_SUBPAGE_WRITE) {
		MUST(c, ept, SPP_NEEDS_EPT, SECONDARY_VM_EXEC_CONTROL);
		NO_BITS(c, bad_page(c, VMCS_SPP_TABLE_POINTER), SPP_TABLE_ADDR,
			VMCS_SPP_TABLE_POINTER);
	}
	if (c->proc2 & VMCS_PROC2_EPT_VIOLATION_VE)
		NO_BITS(c, bad_page(c, VMCS_VE_INFORMATION_ADDRESS), VE_INFO_ADDR,
			VMCS_VE_INFORMATION_ADDRESS);
	if (c->proc2 & SECONDARY_EXEC_PT_USE_GPA) {
		MUST(c, ept, PT_GPA_NEEDS_EPT, SECONDARY_VM_EXEC_CONTROL);
		MUST(c, (c->entry & VM_ENTRY_LOAD_IA32_RTIT_CTL) &&
		     (c->exit & VM_EXIT_CLEAR_IA32_RTIT_CTL), PT_GPA_NEEDS_RTIT,
		     VM_ENTRY_CONTROLS, VM_EXIT_CONTROLS, SECONDARY_VM_EXEC_CONTROL);
	}
}

static void check_exec_vmfunc(struct check *c)
{
	u64 functions = get(c, VM_FUNCTION_CONTROL);

	if (!(c->proc2 & SECONDARY_EXEC_ENABLE_VMFUNC))
		return;
	NO_BITS(c, functions & ~c->env->vmfunc, VMFUNC_ALLOWED, VM_FUNCTION_CONTROL);
	if (functions & VMX_VMFUNC_EPTP_SWITCHING) {
		MUST(c, c->proc2 & SECONDARY_EXEC_ENABLE_EPT, EPTP_SWITCHING_NEEDS_EPT,
		     SECONDARY_VM_EXEC_CONTROL, VM_FUNCTION_CONTROL);
		NO_BITS(c, bad_page(c, EPTP_LIST_ADDRESS), EPTP_LIST_ADDR, EPTP_LIST_ADDRESS);
	}
}

static void check_exec_ctls(struct check *c)
{
	check_exec_allowed(c);
	check_exec_bitmaps(c);
	check_exec_nmi(c);
	check_exec_apic(c);
	check_exec_posted(c);
	check_exec_ipi(c);
	if (c->proc2 & SECONDARY_EXEC_ENABLE_VPID)
		MUST(c, get(c, VIRTUAL_PROCESSOR_ID), VPID_NOT_ZERO, VIRTUAL_PROCESSOR_ID);
	if (c->proc2 & SECONDARY_EXEC_ENABLE_EPT)
		check_exec_eptp(c);
	check_exec_ept_users(c);
	check_exec_vmfunc(c);
	if (c->proc2 & SECONDARY_EXEC_TSC_SCALING)
		MUST(c, get(c, TSC_MULTIPLIER), TSC_MULTIPLIER, TSC_MULTIPLIER);
}

/* ---------------------------------------------- 27.2.1.2 VM-exit control fields */

static void check_exit_ctls(struct check *c)
{
	NO_BITS(c, forbidden(c->exit, c->env->exit_ctls), EXIT_CTLS_ALLOWED, VM_EXIT_CONTROLS);
	MUST(c, (c->pin & PIN_BASED_VMX_PREEMPTION_TIMER) ||
	     !(c->exit & VM_EXIT_SAVE_VMX_PREEMPTION_TIMER), SAVE_TIMER_NEEDS_TIMER,
	     VM_EXIT_CONTROLS, PIN_BASED_VM_EXEC_CONTROL);
	NO_BITS(c, bad_msr_area(c, VM_EXIT_MSR_STORE_ADDR, VM_EXIT_MSR_STORE_COUNT),
		EXIT_MSR_STORE_ADDR, VM_EXIT_MSR_STORE_ADDR, VM_EXIT_MSR_STORE_COUNT);
	NO_BITS(c, bad_msr_area(c, VM_EXIT_MSR_LOAD_ADDR, VM_EXIT_MSR_LOAD_COUNT),
		EXIT_MSR_LOAD_ADDR, VM_EXIT_MSR_LOAD_ADDR, VM_EXIT_MSR_LOAD_COUNT);
}

/* --------------------------------------------- 27.2.1.3 VM-entry control fields */

static bool event_is(const struct check *c, u32 type)
{
	return (c->event & INTR_INFO_VALID_MASK) && (c->event & INTR_INFO_INTR_TYPE_MASK) == type;
}

static bool valid_event_type(const struct check *c)
{
	bool mtf = c->env->proc_ctls >> 32 & CPU_BASED_MONITOR_TRAP_FLAG;

	if (event_is(c, INTR_TYPE_OTHER_EVENT))
		return mtf;
	return !event_is(c, INTR_TYPE_RESERVED);
}

static bool valid_event_vector(const struct check *c)
{
	u8 vector = c->event & INTR_INFO_VECTOR_MASK;

	if (event_is(c, INTR_TYPE_NMI_INTR))
		return vector == 2;
	if (event_is(c, INTR_TYPE_HARD_EXCEPTION))
		return vector <= 31;
	if (event_is(c, INTR_TYPE_OTHER_EVENT))
		return vector == 0;
	return true;
}

/* #DF, #TS, #NP, #SS, #GP, #PF and #AC push an error code. */
#define HAS_ERROR_CODE (BIT(8) | GENMASK(14, 10) | BIT(17))

static void check_event_error_code(struct check *c)
{
	u8 vector = c->event & INTR_INFO_VECTOR_MASK;
	bool may = event_is(c, INTR_TYPE_HARD_EXCEPTION) && (c->cr0 & X86_CR0_PE);
	/* IA32_VMX_BASIC[56]: the processor does not compare it with the vector. */
	bool strict = !(c->env->basic & BIT_ULL(56));
	bool listed = vector < 32 && (BIT(vector) & HAS_ERROR_CODE);

	if (c->event & INTR_INFO_DELIVER_CODE_MASK) {
		MUST(c, may && (!strict || listed), EVENT_ERROR_CODE_EXTRA,
		     VM_ENTRY_INTR_INFO_FIELD, GUEST_CR0);
		NO_BITS(c, beyond(get(c, VM_ENTRY_EXCEPTION_ERROR_CODE), 16),
			EVENT_ERROR_CODE_HIGH, VM_ENTRY_EXCEPTION_ERROR_CODE);
	} else {
		MUST(c, !(may && strict && listed), EVENT_ERROR_CODE_MISSING,
		     VM_ENTRY_INTR_INFO_FIELD, GUEST_CR0);
	}
}

static void check_entry_event(struct check *c)
{
	u64 len = get(c, VM_ENTRY_INSTRUCTION_LEN);
	bool software = event_is(c, INTR_TYPE_SOFT_INTR) ||
			event_is(c, INTR_TYPE_PRIV_SW_EXCEPTION) ||
			event_is(c, INTR_TYPE_SOFT_EXCEPTION);

	MUST(c, valid_event_type(c), EVENT_TYPE, VM_ENTRY_INTR_INFO_FIELD);
	MUST(c, valid_event_vector(c), EVENT_VECTOR, VM_ENTRY_INTR_INFO_FIELD);
	check_event_error_code(c);
	NO_BITS(c, c->event & GENMASK(30, 12), EVENT_RESERVED, VM_ENTRY_INTR_INFO_FIELD);
	if (software)
		MUST(c, len <= 15 && (len || (c->env->misc & VMX_MISC_ZERO_LEN_INS)),
		     EVENT_INSTRUCTION_LEN, VM_ENTRY_INSTRUCTION_LEN, VM_ENTRY_INTR_INFO_FIELD);
}

static void check_entry_ctls(struct check *c)
{
	NO_BITS(c, forbidden(c->entry, c->env->entry_ctls), ENTRY_CTLS_ALLOWED, VM_ENTRY_CONTROLS);
	NO_BITS(c, c->entry & (VM_ENTRY_SMM | VM_ENTRY_DEACT_DUAL_MONITOR), ENTRY_OUTSIDE_SMM,
		VM_ENTRY_CONTROLS);
	if (c->event)
		check_entry_event(c);
	NO_BITS(c, bad_msr_area(c, VM_ENTRY_MSR_LOAD_ADDR, VM_ENTRY_MSR_LOAD_COUNT),
		ENTRY_MSR_LOAD_ADDR, VM_ENTRY_MSR_LOAD_ADDR, VM_ENTRY_MSR_LOAD_COUNT);
}

/* --------------------------- 27.2.2 Host control registers, MSRs, and SSP */

static void check_host_crs(struct check *c)
{
	const struct vmcs_check_env *env = c->env;
	u64 cr0 = get(c, HOST_CR0);
	u64 cr4 = get(c, HOST_CR4);

	NO_BITS(c, misfixed(cr0, env->cr0_fixed0, env->cr0_fixed1) & ~CR0_UNCHECKED,
		HOST_CR0_FIXED, HOST_CR0);
	NO_BITS(c, misfixed(cr4, env->cr4_fixed0, env->cr4_fixed1), HOST_CR4_FIXED, HOST_CR4);
	MUST(c, (cr0 & X86_CR0_WP) || !(cr4 & X86_CR4_CET), HOST_CET_NEEDS_WP, HOST_CR4, HOST_CR0);
	NO_BITS(c, bad_cr3(c, get(c, HOST_CR3)), HOST_CR3_WIDTH, HOST_CR3);
}

static void check_host_efer(struct check *c)
{
	u64 want = c->exit & VM_EXIT_HOST_ADDR_SPACE_SIZE ? EFER_LMA | EFER_LME : 0;
	u64 efer = get(c, HOST_IA32_EFER);

	NO_BITS(c, efer & ~(u64)EFER_DEFINED, HOST_EFER_RESERVED, HOST_IA32_EFER);
	NO_BITS(c, (efer ^ want) & (EFER_LMA | EFER_LME), HOST_EFER_LONG_MODE, HOST_IA32_EFER,
		VM_EXIT_CONTROLS);
}

static void check_host_msrs(struct check *c)
{
	MUST(c, canonical_field(c, HOST_IA32_SYSENTER_ESP), HOST_SYSENTER_CANONICAL,
	     HOST_IA32_SYSENTER_ESP);
	MUST(c, canonical_field(c, HOST_IA32_SYSENTER_EIP), HOST_SYSENTER_CANONICAL,
	     HOST_IA32_SYSENTER_EIP);
	if (c->exit & VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL)
		NO_BITS(c, get(c, HOST_IA32_PERF_GLOBAL_CTRL) & c->env->perf_global_ctrl_reserved,
			HOST_PERF_GLOBAL_CTRL, HOST_IA32_PERF_GLOBAL_CTRL);
	if (c->exit & VM_EXIT_LOAD_IA32_PAT)
		MUST(c, valid_pat(get(c, HOST_IA32_PAT)), HOST_PAT, HOST_IA32_PAT);
	if (c->exit & VM_EXIT_LOAD_IA32_EFER)
		check_host_efer(c);
	if (c->exit & VMCS_EXIT_LOAD_PKRS)
		NO_BITS(c, beyond(get(c, VMCS_HOST_IA32_PKRS), 32), HOST_PKRS,
			VMCS_HOST_IA32_PKRS);
}

static void check_host_cet(struct check *c)
{
	if (!(c->exit & VMCS_EXIT_LOAD_CET))
		return;
	MUST(c, valid_s_cet(c, get(c, VMCS_HOST_S_CET)), HOST_S_CET, VMCS_HOST_S_CET);
	MUST(c, canonical_field(c, VMCS_HOST_INTR_SSP_TABLE), HOST_SSP_TABLE,
	     VMCS_HOST_INTR_SSP_TABLE);
	NO_BITS(c, get(c, VMCS_HOST_SSP) & 3, HOST_SSP, VMCS_HOST_SSP);
}

/* -------------------- 27.2.3 Host segment and descriptor-table registers */

static void check_host_segs(struct check *c)
{
	static const u32 selectors[] = {
		HOST_ES_SELECTOR, HOST_CS_SELECTOR, HOST_SS_SELECTOR, HOST_DS_SELECTOR,
		HOST_FS_SELECTOR, HOST_GS_SELECTOR, HOST_TR_SELECTOR,
	};
	static const u32 bases[] = {
		HOST_FS_BASE, HOST_GS_BASE, HOST_TR_BASE, HOST_GDTR_BASE, HOST_IDTR_BASE,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(selectors); i++)
		NO_BITS(c, get(c, selectors[i]) & 7, HOST_SELECTOR_RPL_TI, selectors[i]);
	MUST(c, get(c, HOST_CS_SELECTOR), HOST_CS_TR_NOT_NULL, HOST_CS_SELECTOR);
	MUST(c, get(c, HOST_TR_SELECTOR), HOST_CS_TR_NOT_NULL, HOST_TR_SELECTOR);
	if (!(c->exit & VM_EXIT_HOST_ADDR_SPACE_SIZE))
		MUST(c, get(c, HOST_SS_SELECTOR), HOST_SS_NOT_NULL, HOST_SS_SELECTOR,
		     VM_EXIT_CONTROLS);
	for (i = 0; i < ARRAY_SIZE(bases); i++)
		MUST(c, canonical_field(c, bases[i]), HOST_BASE_CANONICAL, bases[i]);
}

/* -------------------------------------------------- 27.2.4 Address-space size */

static void check_addr_size(struct check *c)
{
	bool host64 = c->exit & VM_EXIT_HOST_ADDR_SPACE_SIZE;
	u64 rip = get(c, HOST_RIP);
	u64 cr4 = get(c, HOST_CR4);

	if (c->env->host_efer & EFER_LMA)
		MUST(c, host64, INSIDE_IA32E, VM_EXIT_CONTROLS);
	else
		MUST(c, !host64 && !c->ia32e, OUTSIDE_IA32E, VM_EXIT_CONTROLS, VM_ENTRY_CONTROLS);
	if (host64) {
		MUST(c, cr4 & X86_CR4_PAE, HOST_64_PAE, HOST_CR4, VM_EXIT_CONTROLS);
		MUST(c, canonical(c, rip), HOST_64_RIP, HOST_RIP);
	} else {
		MUST(c, !c->ia32e, HOST_32_GUEST_64, VM_ENTRY_CONTROLS, VM_EXIT_CONTROLS);
		MUST(c, !(cr4 & X86_CR4_PCIDE), HOST_32_PCIDE, HOST_CR4, VM_EXIT_CONTROLS);
		NO_BITS(c, beyond(rip, 32), HOST_32_RIP, HOST_RIP, VM_EXIT_CONTROLS);
	}
}

/* ------------ 27.3.1.1 Guest control registers, debug registers, and MSRs */

static void check_guest_crs(struct check *c)
{
	const struct vmcs_check_env *env = c->env;
	u64 unchecked = CR0_UNCHECKED;

	if (c->unrestricted)
		unchecked |= X86_CR0_PE | X86_CR0_PG;
	NO_BITS(c, misfixed(c->cr0, env->cr0_fixed0, env->cr0_fixed1) & ~unchecked,
		GUEST_CR0_FIXED, GUEST_CR0);
	MUST(c, (c->cr0 & X86_CR0_PE) || !(c->cr0 & X86_CR0_PG), GUEST_CR0_PG_NEEDS_PE, GUEST_CR0);
	NO_BITS(c, misfixed(c->cr4, env->cr4_fixed0, env->cr4_fixed1), GUEST_CR4_FIXED, GUEST_CR4);
	MUST(c, (c->cr0 & X86_CR0_WP) || !(c->cr4 & X86_CR4_CET), GUEST_CET_NEEDS_WP, GUEST_CR4,
	     GUEST_CR0);
	if (c->ia32e) {
		MUST(c, c->cr0 & X86_CR0_PG, GUEST_IA32E_NEEDS_PG, GUEST_CR0, VM_ENTRY_CONTROLS);
		MUST(c, c->cr4 & X86_CR4_PAE, GUEST_IA32E_NEEDS_PAE, GUEST_CR4, VM_ENTRY_CONTROLS);
	} else {
		MUST(c, !(c->cr4 & X86_CR4_PCIDE), GUEST_PCIDE_NEEDS_IA32E, GUEST_CR4,
		     VM_ENTRY_CONTROLS);
	}
	NO_BITS(c, bad_cr3(c, get(c, GUEST_CR3)), GUEST_CR3_WIDTH, GUEST_CR3);
}

static void check_guest_efer(struct check *c)
{
	u64 efer = get(c, GUEST_IA32_EFER);
	bool lma = efer & EFER_LMA;
	bool lme = efer & EFER_LME;

	NO_BITS(c, efer & ~(u64)EFER_DEFINED, GUEST_EFER_RESERVED, GUEST_IA32_EFER);
	MUST(c, lma == c->ia32e, GUEST_EFER_LMA, GUEST_IA32_EFER, VM_ENTRY_CONTROLS);
	if (c->cr0 & X86_CR0_PG)
		MUST(c, lme == lma, GUEST_EFER_LME, GUEST_IA32_EFER, GUEST_CR0);
}

static void check_guest_msrs(struct check *c)
{
	u64 bndcfgs = get(c, GUEST_BNDCFGS);

	if (c->entry & VM_ENTRY_LOAD_DEBUG_CONTROLS) {
		NO_BITS(c, get(c, GUEST_IA32_DEBUGCTL) & c->env->debugctl_reserved,
			GUEST_DEBUGCTL, GUEST_IA32_DEBUGCTL);
		NO_BITS(c, beyond(get(c, GUEST_DR7), 32), GUEST_DR7_HIGH, GUEST_DR7);
	}
	MUST(c, canonical_field(c, GUEST_SYSENTER_ESP), GUEST_SYSENTER_CANONICAL,
	     GUEST_SYSENTER_ESP);
	MUST(c, canonical_field(c, GUEST_SYSENTER_EIP), GUEST_SYSENTER_CANONICAL,
	     GUEST_SYSENTER_EIP);
	if (c->entry & VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL)
		NO_BITS(c, get(c, GUEST_IA32_PERF_GLOBAL_CTRL) & c->env->perf_global_ctrl_reserved,
			GUEST_PERF_GLOBAL_CTRL, GUEST_IA32_PERF_GLOBAL_CTRL);
	if (c->entry & VM_ENTRY_LOAD_IA32_PAT)
		MUST(c, valid_pat(get(c, GUEST_IA32_PAT)), GUEST_PAT, GUEST_IA32_PAT);
	if (c->entry & VM_ENTRY_LOAD_IA32_EFER)
		check_guest_efer(c);
	if (c->entry & VM_ENTRY_LOAD_BNDCFGS) {
		NO_BITS(c, bndcfgs & GENMASK_ULL(11, 2), GUEST_BNDCFGS_RESERVED, GUEST_BNDCFGS);
		MUST(c, canonical(c, bndcfgs), GUEST_BNDCFGS_CANONICAL, GUEST_BNDCFGS);
	}
	if (c->entry & VM_ENTRY_LOAD_IA32_RTIT_CTL)
		NO_BITS(c, get(c, GUEST_IA32_RTIT_CTL) & c->env->rtit_ctl_reserved, GUEST_RTIT_CTL,
			GUEST_IA32_RTIT_CTL);
	if (c->entry & VMCS_ENTRY_LOAD_CET) {
		MUST(c, valid_s_cet(c, get(c, VMCS_GUEST_S_CET)), GUEST_S_CET, VMCS_GUEST_S_CET);
		MUST(c, canonical_field(c, VMCS_GUEST_INTR_SSP_TABLE), GUEST_SSP_TABLE,
		     VMCS_GUEST_INTR_SSP_TABLE);
	}
	if (c->entry & VMCS_ENTRY_LOAD_PKRS)
		NO_BITS(c, beyond(get(c, VMCS_GUEST_IA32_PKRS), 32), GUEST_PKRS,
			VMCS_GUEST_IA32_PKRS);
}

/* ------------------------------------------ 27.3.1.2 Guest segment registers */

/* Segment registers in the order of their encodings, which are two apart. */
enum seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR };

#define SEG_FIELD(seg, first) ((first) + 2 * (u32)(seg))
#define SEG_SELECTOR(seg) SEG_FIELD(seg, GUEST_ES_SELECTOR)
#define SEG_BASE(seg) SEG_FIELD(seg, GUEST_ES_BASE)
#define SEG_LIMIT(seg) SEG_FIELD(seg, GUEST_ES_LIMIT)
#define SEG_AR(seg) SEG_FIELD(seg, GUEST_ES_AR_BYTES)

static u32 seg_ar(const struct check *c, enum seg seg)
{
	return get(c, SEG_AR(seg));
}

static bool seg_usable(const struct check *c, enum seg seg)
{
	return !(seg_ar(c, seg) & VMX_AR_UNUSABLE_MASK);
}

static u32 seg_type(const struct check *c, enum seg seg)
{
	return seg_ar(c, seg) & VMX_AR_TYPE_MASK;
}

static u32 seg_dpl(const struct check *c, enum seg seg)
{
	return VMX_AR_DPL(seg_ar(c, seg));
}

static u32 seg_rpl(const struct check *c, enum seg seg)
{
	return get(c, SEG_SELECTOR(seg)) & 3;
}

/* Access-rights bits 11:8 and 31:17 are reserved. */
static u32 seg_reserved(const struct check *c, enum seg seg)
{
	return seg_ar(c, seg) & VMX_AR_RESERVD_MASK;
}

/* A byte-granular limit has bits 31:20 clear, a page-granular one 11:0 set. */
static bool seg_g_may_be_1(const struct check *c, enum seg seg)
{
	return (get(c, SEG_LIMIT(seg)) & 0xfff) == 0xfff;
}

static bool seg_g_may_be_0(const struct check *c, enum seg seg)
{
	return !(get(c, SEG_LIMIT(seg)) >> 20);
}

static void check_seg_selectors(struct check *c)
{
	MUST(c, !(get(c, GUEST_TR_SELECTOR) & 4), TR_SELECTOR_TI, GUEST_TR_SELECTOR);
	if (seg_usable(c, SEG_LDTR))
		MUST(c, !(get(c, GUEST_LDTR_SELECTOR) & 4), LDTR_SELECTOR_TI, GUEST_LDTR_SELECTOR,
		     GUEST_LDTR_AR_BYTES);
	if (!c->v86 && !c->unrestricted)
		MUST(c, seg_rpl(c, SEG_SS) == seg_rpl(c, SEG_CS), SS_RPL_IS_CS_RPL,
		     GUEST_SS_SELECTOR, GUEST_CS_SELECTOR);
}

static void check_seg_bases(struct check *c)
{
	enum seg seg;

	for (seg = SEG_ES; c->v86 && seg <= SEG_GS; seg++)
		MUST(c, get(c, SEG_BASE(seg)) == get(c, SEG_SELECTOR(seg)) << 4, V86_BASE,
		     SEG_BASE(seg), SEG_SELECTOR(seg));
	for (seg = SEG_FS; seg <= SEG_TR; seg++) {
		if (seg == SEG_LDTR && !seg_usable(c, seg))
			continue;
		MUST(c, canonical_field(c, SEG_BASE(seg)), SEG_BASE_CANONICAL, SEG_BASE(seg));
	}
	for (seg = SEG_ES; seg <= SEG_DS; seg++)
		if (seg == SEG_CS || seg_usable(c, seg))
			NO_BITS(c, beyond(get(c, SEG_BASE(seg)), 32), SEG_BASE_32, SEG_BASE(seg));
}

/* Virtual-8086 mode knows one shape of segment. */
static void check_v86_segs(struct check *c)
{
	enum seg seg;

	for (seg = SEG_ES; seg <= SEG_GS; seg++) {
		MUST(c, get(c, SEG_LIMIT(seg)) == 0xffff, V86_LIMIT, SEG_LIMIT(seg));
		MUST(c, seg_ar(c, seg) == 0xf3, V86_AR, SEG_AR(seg));
	}
}

static void check_cs(struct check *c)
{
	u32 ar = seg_ar(c, SEG_CS);
	u32 type = seg_type(c, SEG_CS);
	u32 dpl = seg_dpl(c, SEG_CS);
	u32 ss_dpl = seg_dpl(c, SEG_SS);

	/* Type 3, writable data, is what CS holds in real mode. */
	MUST(c, (type & 9) == 9 || (type == 3 && c->unrestricted), CS_TYPE, GUEST_CS_AR_BYTES);
	if (type == 3)
		MUST(c, dpl == 0, CS_DPL_DATA, GUEST_CS_AR_BYTES);
	else if (type == 9 || type == 11)
		MUST(c, dpl == ss_dpl, CS_DPL_NONCONFORMING, GUEST_CS_AR_BYTES, GUEST_SS_AR_BYTES);
	else if (type == 13 || type == 15)
		MUST(c, dpl <= ss_dpl, CS_DPL_CONFORMING, GUEST_CS_AR_BYTES, GUEST_SS_AR_BYTES);
	if (c->ia32e && (ar & VMX_AR_L_MASK))
		MUST(c, !(ar & VMX_AR_DB_MASK), CS_D_WITH_L, GUEST_CS_AR_BYTES, VM_ENTRY_CONTROLS);
}

static void check_ss(struct check *c)
{
	u32 type = seg_type(c, SEG_SS);
	u32 dpl = seg_dpl(c, SEG_SS);

	if (seg_usable(c, SEG_SS))
		MUST(c, type == 3 || type == 7, SS_TYPE, GUEST_SS_AR_BYTES);
	/* The DPL of SS is the CPL, so it counts even if SS is unusable. */
	if (!c->unrestricted)
		MUST(c, dpl == seg_rpl(c, SEG_SS), SS_DPL_IS_RPL, GUEST_SS_AR_BYTES,
		     GUEST_SS_SELECTOR);
	if (seg_type(c, SEG_CS) == 3 || !(c->cr0 & X86_CR0_PE))
		MUST(c, dpl == 0, SS_DPL_ZERO, GUEST_SS_AR_BYTES, GUEST_CS_AR_BYTES, GUEST_CR0);
}

/* DS, ES, FS or GS, if usable. */
static void check_data_seg(struct check *c, enum seg seg)
{
	u32 type = seg_type(c, seg);

	MUST(c, type & VMX_AR_TYPE_ACCESSES_MASK, DATA_SEG_ACCESSED, SEG_AR(seg));
	if (type & VMX_AR_TYPE_CODE_MASK)
		MUST(c, type & VMX_AR_TYPE_READABLE_MASK, DATA_SEG_READABLE, SEG_AR(seg));
	if (!c->unrestricted && type <= 11)
		MUST(c, seg_dpl(c, seg) >= seg_rpl(c, seg), DATA_SEG_DPL, SEG_AR(seg),
		     SEG_SELECTOR(seg));
}

/* What holds for CS and for every usable code or data segment. */
static void check_code_data_seg(struct check *c, enum seg seg)
{
	u32 ar = seg_ar(c, seg);

	MUST(c, ar & VMX_AR_S_MASK, SEG_S, SEG_AR(seg));
	MUST(c, ar & VMX_AR_P_MASK, SEG_PRESENT, SEG_AR(seg));
	NO_BITS(c, seg_reserved(c, seg), SEG_AR_RESERVED, SEG_AR(seg));
	if (ar & VMX_AR_G_MASK)
		MUST(c, seg_g_may_be_1(c, seg), SEG_G_ZERO, SEG_AR(seg), SEG_LIMIT(seg));
	else
		MUST(c, seg_g_may_be_0(c, seg), SEG_G_ONE, SEG_AR(seg), SEG_LIMIT(seg));
}

static void check_tr(struct check *c)
{
	u32 ar = seg_ar(c, SEG_TR);
	u32 type = seg_type(c, SEG_TR);

	MUST(c, type == 11 || (type == 3 && !c->ia32e), TR_TYPE, GUEST_TR_AR_BYTES,
	     VM_ENTRY_CONTROLS);
	MUST(c, !(ar & VMX_AR_S_MASK), TR_S, GUEST_TR_AR_BYTES);
	MUST(c, ar & VMX_AR_P_MASK, TR_PRESENT, GUEST_TR_AR_BYTES);
	NO_BITS(c, seg_reserved(c, SEG_TR), TR_AR_RESERVED, GUEST_TR_AR_BYTES);
	if (ar & VMX_AR_G_MASK)
		MUST(c, seg_g_may_be_1(c, SEG_TR), TR_G_ZERO, GUEST_TR_AR_BYTES, GUEST_TR_LIMIT);
	else
		MUST(c, seg_g_may_be_0(c, SEG_TR), TR_G_ONE, GUEST_TR_AR_BYTES, GUEST_TR_LIMIT);
	MUST(c, seg_usable(c, SEG_TR), TR_USABLE, GUEST_TR_AR_BYTES);
}

static void check_ldtr(struct check *c)
{
	u32 ar = seg_ar(c, SEG_LDTR);

	if (!seg_usable(c, SEG_LDTR))
		return;
	MUST(c, seg_type(c, SEG_LDTR) == VMX_AR_TYPE_LDT, LDTR_TYPE, GUEST_LDTR_AR_BYTES);
	MUST(c, !(ar & VMX_AR_S_MASK), LDTR_S, GUEST_LDTR_AR_BYTES);
	MUST(c, ar & VMX_AR_P_MASK, LDTR_PRESENT, GUEST_LDTR_AR_BYTES);
	NO_BITS(c, seg_reserved(c, SEG_LDTR), LDTR_AR_RESERVED, GUEST_LDTR_AR_BYTES);
	if (ar & VMX_AR_G_MASK)
		MUST(c, seg_g_may_be_1(c, SEG_LDTR), LDTR_G_ZERO, GUEST_LDTR_AR_BYTES,
		     GUEST_LDTR_LIMIT);
	else
		MUST(c, seg_g_may_be_0(c, SEG_LDTR), LDTR_G_ONE, GUEST_LDTR_AR_BYTES,
		     GUEST_LDTR_LIMIT);
}

static void check_guest_segs(struct check *c)
{
	enum seg seg;

	check_seg_selectors(c);
	check_seg_bases(c);
	if (c->v86) {
		check_v86_segs(c);
	} else {
		check_cs(c);
		check_ss(c);
		for (seg = SEG_ES; seg <= SEG_GS; seg++) {
			if (seg != SEG_CS && !seg_usable(c, seg))
				continue;
			check_code_data_seg(c, seg);
			if (seg != SEG_CS && seg != SEG_SS)
				check_data_seg(c, seg);
		}
	}
	check_tr(c);
	check_ldtr(c);
}

/* -------------------------------- 27.3.1.3 Guest descriptor-table registers */

static void check_guest_tables(struct check *c)
{
	MUST(c, canonical_field(c, GUEST_GDTR_BASE), TABLE_BASE_CANONICAL, GUEST_GDTR_BASE);
	MUST(c, canonical_field(c, GUEST_IDTR_BASE), TABLE_BASE_CANONICAL, GUEST_IDTR_BASE);
	NO_BITS(c, beyond(get(c, GUEST_GDTR_LIMIT), 16), TABLE_LIMIT_16, GUEST_GDTR_LIMIT);
	NO_BITS(c, beyond(get(c, GUEST_IDTR_LIMIT), 16), TABLE_LIMIT_16, GUEST_IDTR_LIMIT);
}

/* ------------------------------------------- 27.3.1.4 Guest RIP, RFLAGS, SSP */

#define RFLAGS_MBZ (~GENMASK_ULL(21, 0) | BIT_ULL(15) | BIT_ULL(5) | BIT_ULL(3))

static void check_guest_rip(struct check *c)
{
	bool mode64 = c->ia32e && (seg_ar(c, SEG_CS) & VMX_AR_L_MASK);
	unsigned int width = c->env->linear_bits;
	u64 rip = get(c, GUEST_RIP);
	u64 ssp = get(c, VMCS_GUEST_SSP);
	u64 top = beyond(rip, width);

	/* Looser than canonical: bit N-1 may differ from the bits above it. */
	if (mode64)
		MUST(c, top == 0 || top == beyond(~0ull, width), GUEST_RIP_64, GUEST_RIP);
	else
		NO_BITS(c, beyond(rip, 32), GUEST_RIP_32, GUEST_RIP, GUEST_CS_AR_BYTES,
			VM_ENTRY_CONTROLS);
	if (!(c->entry & VMCS_ENTRY_LOAD_CET))
		return;
	NO_BITS(c, ssp & 3, GUEST_SSP_ALIGNED, VMCS_GUEST_SSP);
	MUST(c, mode64 ? canonical(c, ssp) : !beyond(ssp, 32), GUEST_SSP_WIDTH, VMCS_GUEST_SSP,
	     GUEST_CS_AR_BYTES, VM_ENTRY_CONTROLS);
}

static void check_guest_rflags(struct check *c)
{
	NO_BITS(c, (c->rflags & RFLAGS_MBZ) | (~c->rflags & X86_EFLAGS_FIXED), RFLAGS_RESERVED,
		GUEST_RFLAGS);
	if (c->ia32e || !(c->cr0 & X86_CR0_PE))
		MUST(c, !c->v86, RFLAGS_VM, GUEST_RFLAGS, VM_ENTRY_CONTROLS, GUEST_CR0);
	if (event_is(c, INTR_TYPE_EXT_INTR))
		MUST(c, c->rflags & X86_EFLAGS_IF, RFLAGS_IF_EXTINT, GUEST_RFLAGS,
		     VM_ENTRY_INTR_INFO_FIELD);
}

/* ---------------------------------------- 27.3.1.5 Guest non-register state */

static bool activity_supported(const struct check *c, u64 activity)
{
	/* IA32_VMX_MISC[8:6]: HLT, shutdown, wait-for-SIPI. */
	return activity == GUEST_ACTIVITY_ACTIVE ||
	       (activity <= GUEST_ACTIVITY_WAIT_SIPI && (c->env->misc >> (5 + activity) & 1));
}

/* May the injected event come in this activity state? */
static bool event_fits_activity(const struct check *c, u64 activity)
{
	u8 vector = c->event & INTR_INFO_VECTOR_MASK;
	bool nmi = event_is(c, INTR_TYPE_NMI_INTR);
	bool db = event_is(c, INTR_TYPE_HARD_EXCEPTION) && vector == 1;
	bool mc = event_is(c, INTR_TYPE_HARD_EXCEPTION) && vector == 18;
	bool mtf = event_is(c, INTR_TYPE_OTHER_EVENT) && vector == 0;

	switch (activity) {
	case GUEST_ACTIVITY_HLT:
		return event_is(c, INTR_TYPE_EXT_INTR) || nmi || db || mc || mtf;
	case GUEST_ACTIVITY_SHUTDOWN:
		return nmi || mc;
	case GUEST_ACTIVITY_WAIT_SIPI:
		return false;
	default:
		return true;
	}
}

static void check_activity(struct check *c)
{
	u64 blocking = get(c, GUEST_INTERRUPTIBILITY_INFO);
	u64 activity = get(c, GUEST_ACTIVITY_STATE);

	MUST(c, activity_supported(c, activity), ACTIVITY_SUPPORTED, GUEST_ACTIVITY_STATE);
	if (activity == GUEST_ACTIVITY_HLT)
		MUST(c, seg_dpl(c, SEG_SS) == 0, ACTIVITY_HLT_DPL, GUEST_ACTIVITY_STATE,
		     GUEST_SS_AR_BYTES);
	if (blocking & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS))
		MUST(c, activity == GUEST_ACTIVITY_ACTIVE, ACTIVITY_BLOCKED, GUEST_ACTIVITY_STATE,
		     GUEST_INTERRUPTIBILITY_INFO);
	if (c->event)
		MUST(c, event_fits_activity(c, activity), ACTIVITY_EVENT, VM_ENTRY_INTR_INFO_FIELD,
		     GUEST_ACTIVITY_STATE);
}

static void check_interruptibility(struct check *c)
{
	u64 blocking = get(c, GUEST_INTERRUPTIBILITY_INFO);
	bool sti = blocking & GUEST_INTR_STATE_STI;
	bool mov_ss = blocking & GUEST_INTR_STATE_MOV_SS;

	NO_BITS(c, beyond(blocking, 5), BLOCKING_RESERVED, GUEST_INTERRUPTIBILITY_INFO);
	MUST(c, !(sti && mov_ss), BLOCKING_STI_AND_MOV_SS, GUEST_INTERRUPTIBILITY_INFO);
	if (sti)
		MUST(c, c->rflags & X86_EFLAGS_IF, BLOCKING_STI_NEEDS_IF,
		     GUEST_INTERRUPTIBILITY_INFO, GUEST_RFLAGS);
	if (event_is(c, INTR_TYPE_EXT_INTR))
		MUST(c, !sti && !mov_ss, BLOCKING_EXTINT, GUEST_INTERRUPTIBILITY_INFO,
		     VM_ENTRY_INTR_INFO_FIELD);
	if (event_is(c, INTR_TYPE_NMI_INTR)) {
		MUST(c, !mov_ss, BLOCKING_NMI_MOV_SS, GUEST_INTERRUPTIBILITY_INFO,
		     VM_ENTRY_INTR_INFO_FIELD);
		MUST(c, !sti, BLOCKING_NMI_STI, GUEST_INTERRUPTIBILITY_INFO,
		     VM_ENTRY_INTR_INFO_FIELD);
		MUST(c, !(c->pin & PIN_BASED_VIRTUAL_NMIS) || !(blocking & GUEST_INTR_STATE_NMI),
		     BLOCKING_VIRTUAL_NMI, GUEST_INTERRUPTIBILITY_INFO, VM_ENTRY_INTR_INFO_FIELD,
		     PIN_BASED_VM_EXEC_CONTROL);
	}
	MUST(c, !(blocking & GUEST_INTR_STATE_SMI), BLOCKING_SMI, GUEST_INTERRUPTIBILITY_INFO);
	if (blocking & GUEST_INTR_STATE_ENCLAVE_INTR)
		MUST(c, !mov_ss, BLOCKING_ENCLAVE, GUEST_INTERRUPTIBILITY_INFO);
}

/* Pending debug exceptions: B3..B0 3:0, bus lock 11, enabled 12, BS 14, RTM 16. */
#define DBG_PENDING_BUS_LOCK BIT_ULL(11)
#define DBG_PENDING_ENABLED BIT_ULL(12)
#define DBG_PENDING_BS BIT_ULL(14)
#define DBG_PENDING_RTM BIT_ULL(16)
#define DBG_PENDING_MBZ (~GENMASK_ULL(16, 0) | BIT_ULL(15) | BIT_ULL(13) | GENMASK_ULL(10, 4))

static void check_pending_dbg(struct check *c)
{
	u64 pending = get(c, GUEST_PENDING_DBG_EXCEPTIONS);
	u64 blocking = get(c, GUEST_INTERRUPTIBILITY_INFO);
	u64 debugctl = get(c, GUEST_IA32_DEBUGCTL);
	bool stepping = (c->rflags & X86_EFLAGS_TF) && !(debugctl & DEBUGCTLMSR_BTF);
	u64 mbz = DBG_PENDING_MBZ;

	/* Bus-lock debug exceptions exist where IA32_DEBUGCTL has their enable. */
	if (c->env->debugctl_reserved & BIT_ULL(2))
		mbz |= DBG_PENDING_BUS_LOCK;
	NO_BITS(c, pending & mbz, PENDING_DBG_RESERVED, GUEST_PENDING_DBG_EXCEPTIONS);

	if ((blocking & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)) ||
	    get(c, GUEST_ACTIVITY_STATE) == GUEST_ACTIVITY_HLT) {
		MUST(c, !stepping || (pending & DBG_PENDING_BS), PENDING_DBG_BS_MISSING,
		     GUEST_PENDING_DBG_EXCEPTIONS, GUEST_RFLAGS, GUEST_IA32_DEBUGCTL,
		     GUEST_INTERRUPTIBILITY_INFO);
		MUST(c, stepping || !(pending & DBG_PENDING_BS), PENDING_DBG_BS_EXTRA,
		     GUEST_PENDING_DBG_EXCEPTIONS, GUEST_RFLAGS, GUEST_IA32_DEBUGCTL,
		     GUEST_INTERRUPTIBILITY_INFO);
	}
	if (pending & DBG_PENDING_RTM)
		MUST(c, (pending & ~mbz) == (DBG_PENDING_RTM | DBG_PENDING_ENABLED) &&
		     !(blocking & GUEST_INTR_STATE_MOV_SS), PENDING_DBG_RTM,
		     GUEST_PENDING_DBG_EXCEPTIONS, GUEST_INTERRUPTIBILITY_INFO);
}

static void check_link_pointer(struct check *c)
{
	u64 link = get(c, VMCS_LINK_POINTER);

	if (link != ~0ull)
		NO_BITS(c, bad_addr(c, link, 4096), LINK_POINTER, VMCS_LINK_POINTER);
}

/* ---------------------- 27.3.1.6 Guest page-directory-pointer-table entries */

static void check_guest_pdptes(struct check *c)
{
	bool pae = (c->cr0 & X86_CR0_PG) && (c->cr4 & X86_CR4_PAE) && !c->ia32e;
	u32 field;

	/* Without EPT the processor reads them from memory, not from the VMCS. */
	if (!pae || !(c->proc2 & SECONDARY_EXEC_ENABLE_EPT))
		return;
	for (field = GUEST_PDPTR0; field <= GUEST_PDPTR3; field += 2) {
		u64 pdpte = get(c, field);
		u64 reserved = (pdpte & (GENMASK_ULL(8, 5) | GENMASK_ULL(2, 1))) |
			       beyond(pdpte, c->env->phys_bits);

		if (pdpte & 1)
			NO_BITS(c, reserved, PDPTE_RESERVED, field);
	}
}

/* -------------------------------------------------------------- the three parts */

static void start(struct check *c, const struct vmcs_check_env *env, vmcs_report_fn report,
		  void *ctx)
{
	u32 event;

	*c = (struct check){ .env = env, .report = report, .ctx = ctx };
	c->pin = get(c, PIN_BASED_VM_EXEC_CONTROL);
	c->proc = get(c, CPU_BASED_VM_EXEC_CONTROL);
	if (c->proc & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		c->proc2 = get(c, SECONDARY_VM_EXEC_CONTROL);
	if (c->proc & CPU_BASED_ACTIVATE_TERTIARY_CONTROLS)
		c->proc3 = get(c, TERTIARY_VM_EXEC_CONTROL);
	c->exit = get(c, VM_EXIT_CONTROLS);
	c->entry = get(c, VM_ENTRY_CONTROLS);
	event = get(c, VM_ENTRY_INTR_INFO_FIELD);
	if (event & INTR_INFO_VALID_MASK)
		c->event = event;
	c->cr0 = get(c, GUEST_CR0);
	c->cr4 = get(c, GUEST_CR4);
	c->rflags = get(c, GUEST_RFLAGS);
	c->ia32e = c->entry & VM_ENTRY_IA32E_MODE;
	c->unrestricted = c->proc2 & SECONDARY_EXEC_UNRESTRICTED_GUEST;
	c->v86 = c->rflags & X86_EFLAGS_VM;
}

/**
 * vmcs_check_controls - check the control fields (SDM 27.2.1)
 * @env: the VMCS, which must stay current, and the capabilities
 * @report: called once for each broken rule
 * @ctx: passed to @report
 *
 * The processor reports these with VM-instruction error 7.
 *
 * Return: how many rules are broken.
 */
int vmcs_check_controls(const struct vmcs_check_env *env, vmcs_report_fn report, void *ctx)
{
	struct check c;

	start(&c, env, report, ctx);
	check_exec_ctls(&c);
	check_exit_ctls(&c);
	check_entry_ctls(&c);
	return c.broken;
}

/**
 * vmcs_check_host - check the host state (SDM 27.2.2 to 27.2.4)
 * @env: the VMCS, which must stay current, and the capabilities
 * @report: called once for each broken rule
 * @ctx: passed to @report
 *
 * The processor reports these with VM-instruction error 8.  27.2.4 is also about
 * control bits; a processor may report those with error 7.
 *
 * Return: how many rules are broken.
 */
int vmcs_check_host(const struct vmcs_check_env *env, vmcs_report_fn report, void *ctx)
{
	struct check c;

	start(&c, env, report, ctx);
	check_host_crs(&c);
	check_host_msrs(&c);
	check_host_cet(&c);
	check_host_segs(&c);
	check_addr_size(&c);
	return c.broken;
}

/**
 * vmcs_check_guest - check the guest state (SDM 27.3.1)
 * @env: the VMCS, which must stay current, and the capabilities
 * @report: called once for each broken rule
 * @ctx: passed to @report
 *
 * The processor reports these by a VM exit with reason 33 and bit 31 set.
 *
 * Return: how many rules are broken.
 */
int vmcs_check_guest(const struct vmcs_check_env *env, vmcs_report_fn report, void *ctx)
{
	struct check c;

	start(&c, env, report, ctx);
	check_guest_crs(&c);
	check_guest_msrs(&c);
	check_guest_segs(&c);
	check_guest_tables(&c);
	check_guest_rip(&c);
	check_guest_rflags(&c);
	check_activity(&c);
	check_interruptibility(&c);
	check_pending_dbg(&c);
	check_link_pointer(&c);
	check_guest_pdptes(&c);
	return c.broken;
}

/**
 * vmcs_check - check every rule of VM entry (SDM 27.2 and 27.3.1)
 * @env: the VMCS, which must stay current, and the capabilities
 * @report: called once for each broken rule
 * @ctx: passed to @report
 *
 * Return: how many rules are broken.
 */
int vmcs_check(const struct vmcs_check_env *env, vmcs_report_fn report, void *ctx)
{
	return vmcs_check_controls(env, report, ctx) + vmcs_check_host(env, report, ctx) +
	       vmcs_check_guest(env, report, ctx);
}
