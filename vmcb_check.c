// SPDX-License-Identifier: GPL-2.0
/*
 * VMRUN's consistency checks, made again in software
 *
 * VMRUN loads the guest's state from the VMCB, and when something in it cannot be
 * it ends in #VMEXIT(INVALID), exit code -1 (APM vol. 2, 15.5.1 "Canonicalization
 * and Consistency Checks"), without a word about what.  This file makes the same
 * checks and names every rule that is broken, where the processor stops at one.
 *
 * The rules' words are the rows of vmcb_rules.h; here is one small function for
 * each group of them, in that order, and in it one MUST() or NO_BITS() for each
 * rule: condition, rule, the fields to blame (the guilty one first).  Read the APM
 * on one side and this on the other.
 *
 * It runs only after a failed VMRUN: clarity first, speed not at all.  Pure: it
 * reads the VMCB and struct vmcb_check_env, takes no lock and keeps no state.
 * What it leaves out, and why, is listed in vmcb_rules.h.
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "vmcb_check.h"

/* CPUID.8000000AH:EDX; not all kernels have a name for bit 25. */
#define SVM_FEATURE_FLUSH_BY_ASID	BIT(6)
#define SVM_FEATURE_VNMI		BIT(25)

/* Bit 26 of the virtual interrupt control; not all kernels have a name for it. */
#define VINTR_NMI_ENABLE		BIT(26)

/*
 * Bytes of the permission maps that mean something (APM vol. 2, 15.10.1 and
 * 15.11): an access to port 0xffff may look at three bits of a third page.
 */
#define IOPM_SIZE	(2 * 4096 + 1)
#define MSRPM_SIZE	(2 * 4096)

/**
 * struct check - one run over one VMCB
 * @env: the processor's capabilities
 * @report: whom to tell of a broken rule
 * @ctx: passed to @report
 * @broken: rules broken so far
 * @control: the control area
 * @save: the save area, the guest's state
 * @paged_long_mode: EFER.LME and CR0.PG
 */
struct check {
	const struct vmcb_check_env *env;
	vmcb_report_fn report;
	void *ctx;
	unsigned int broken;

	const struct vmcb_control_area *control;
	const struct vmcb_save_area *save;
	bool paged_long_mode;
};

static const struct {
	const char *id;
	const char *words;
	enum vmcb_section section;
} rules[] = {
#define X(id, section, words) \
	[VMCB_RULE_##id] = { #id, words, VMCB_SECTION_##section },
	VMCB_RULE_LIST(X)
#undef X
};

static const struct {
	const char *number;
	const char *title;
} sections[] = {
#define X(name, number, title) \
	[VMCB_SECTION_##name] = { number, title },
	VMCB_SECTION_LIST(X)
#undef X
};

static void broken(struct check *c, enum vmcb_rule rule, u64 bits,
		   const enum vmcb_field *fields, unsigned int nr)
{
	struct vmcb_violation violation = {
		.rule = rule,
		.id = rules[rule].id,
		.section = sections[rules[rule].section].number,
		.title = sections[rules[rule].section].title,
		.words = rules[rule].words,
		.bits = bits,
	};

	for (; violation.nr < nr && violation.nr < VMCB_VIOLATION_FIELDS; violation.nr++)
		violation.field[violation.nr] = fields[violation.nr];
	c->broken++;
	c->report(c->ctx, &violation);
}

#define FIELDS(...) ((const enum vmcb_field[]){ __VA_ARGS__ })

#define BROKEN(c, rule, bits, ...)						\
	broken(c, rule, bits, FIELDS(__VA_ARGS__),				\
	       sizeof(FIELDS(__VA_ARGS__)) / sizeof(enum vmcb_field))

/* MUST(c, condition, rule, fields...): the condition must hold. */
#define MUST(c, condition, rule, ...)						\
	do {									\
		if (!(condition))						\
			BROKEN(c, VMCB_RULE_##rule, 0, __VA_ARGS__);		\
	} while (0)

/* NO_BITS(c, wrong, rule, fields...): wrong bits of the first field: none. */
#define NO_BITS(c, wrong, rule, ...)						\
	do {									\
		u64 wrong_bits = (wrong);					\
										\
		if (wrong_bits)							\
			BROKEN(c, VMCB_RULE_##rule, wrong_bits, __VA_ARGS__);	\
	} while (0)

/* ------------------------------------------------------ what rules are made of */

/* Bits of @value from bit @width up. */
static u64 beyond(u64 value, unsigned int width)
{
	return width >= 64 ? 0 : value >> width << width;
}

/*
 * A map must not "extend to" the end of physical memory: one that ends just there
 * is already refused.  VMRUN ignores bits 11:0 of the address.
 */
static bool physical_map(const struct check *c, u64 addr, u64 size)
{
	u64 end = (addr & ~c->env->c_bit & ~0xfffull) + size;

	return end >= size && !beyond(end, c->env->phys_bits);
}

static bool intercepted(const struct check *c, unsigned int bit)
{
	return c->control->intercepts[bit / 32] & BIT(bit % 32);
}

/* --------------------------------------------------- 15.5.1 the guest's registers */

static void check_control_registers(struct check *c)
{
	const struct vmcb_save_area *save = c->save;

	MUST(c, !(save->cr0 & X86_CR0_NW) || (save->cr0 & X86_CR0_CD), CR0_NW_NEEDS_CD,
	     VMCB_FIELD_CR0);
	NO_BITS(c, beyond(save->cr0, 32), CR0_HIGH, VMCB_FIELD_CR0);
	/*
	 * The APM says "any MBZ bit".  Those that move with the paging mode are no
	 * matter for VMRUN; what no mode can have is checked in all.
	 */
	NO_BITS(c, beyond(save->cr3, c->env->phys_bits), CR3_RESERVED, VMCB_FIELD_CR3);
	NO_BITS(c, save->cr4 & ~c->env->cr4_bits, CR4_RESERVED, VMCB_FIELD_CR4);
	NO_BITS(c, beyond(save->dr6, 32), DR6_HIGH, VMCB_FIELD_DR6);
	NO_BITS(c, beyond(save->dr7, 32), DR7_HIGH, VMCB_FIELD_DR7);
}

static void check_efer(struct check *c)
{
	const u64 long_mode = EFER_LME | EFER_LMA;
	u64 efer = c->save->efer;

	MUST(c, efer & EFER_SVME, EFER_SVME, VMCB_FIELD_EFER);
	NO_BITS(c, efer & ~c->env->efer_bits & ~(long_mode | EFER_SVME), EFER_RESERVED,
		VMCB_FIELD_EFER);
	if (!(c->env->efer_bits & EFER_LME))
		NO_BITS(c, efer & long_mode, LONG_MODE_EXISTS, VMCB_FIELD_EFER);
}

/* PG without PE is allowed where LME is clear: paged real mode (APM vol. 2, 15.19). */
static void check_long_mode(struct check *c)
{
	const u16 l_and_d = SVM_SELECTOR_L_MASK | SVM_SELECTOR_DB_MASK;
	const struct vmcb_save_area *save = c->save;

	if (!c->paged_long_mode)
		return;
	MUST(c, save->cr4 & X86_CR4_PAE, LONG_MODE_PAE, VMCB_FIELD_CR4, VMCB_FIELD_EFER,
	     VMCB_FIELD_CR0);
	MUST(c, save->cr0 & X86_CR0_PE, LONG_MODE_PE, VMCB_FIELD_CR0, VMCB_FIELD_EFER);
	if (save->cr4 & X86_CR4_PAE)
		MUST(c, (save->cs.attrib & l_and_d) != l_and_d, CS_L_OR_D, VMCB_FIELD_CS,
		     VMCB_FIELD_EFER, VMCB_FIELD_CR0, VMCB_FIELD_CR4);
}

/* Control-flow enforcement: S_CET is loaded only where the processor has shadow stacks. */
static void check_cet(struct check *c)
{
	if (!(c->env->cr4_bits & X86_CR4_CET))
		return;
	NO_BITS(c, c->save->s_cet & ~GENMASK_ULL(1, 0), S_CET_RESERVED, VMCB_FIELD_S_CET);
	MUST(c, !(c->save->cr4 & X86_CR4_CET) || (c->save->cr0 & X86_CR0_WP), CET_NEEDS_WP,
	     VMCB_FIELD_CR0, VMCB_FIELD_CR4);
}

/* ---------------------------------------------------- 15.5.1 and 15.16 the controls */

static void check_controls(struct check *c)
{
	const struct vmcb_control_area *control = c->control;

	MUST(c, intercepted(c, INTERCEPT_VMRUN), VMRUN_INTERCEPT, VMCB_FIELD_INTERCEPT_4);
	MUST(c, physical_map(c, control->msrpm_base_pa, MSRPM_SIZE), MSRPM_ADDR,
	     VMCB_FIELD_MSRPM_BASE);
	MUST(c, physical_map(c, control->iopm_base_pa, IOPM_SIZE), IOPM_ADDR,
	     VMCB_FIELD_IOPM_BASE);
}

static bool valid_tlb_control(const struct check *c)
{
	switch (c->control->tlb_ctl) {
	case TLB_CONTROL_DO_NOTHING:
	case TLB_CONTROL_FLUSH_ALL_ASID:
		return true;
	case TLB_CONTROL_FLUSH_ASID:
	case TLB_CONTROL_FLUSH_ASID_LOCAL:
		return c->env->features & SVM_FEATURE_FLUSH_BY_ASID;
	default:
		return false;
	}
}

static void check_tlb(struct check *c)
{
	MUST(c, c->control->asid, ASID_NOT_ZERO, VMCB_FIELD_ASID);
	MUST(c, !c->control->asid || c->control->asid < c->env->nr_asids, ASID_EXISTS,
	     VMCB_FIELD_ASID);
	MUST(c, valid_tlb_control(c), TLB_CONTROL, VMCB_FIELD_TLB_CONTROL);
}

/* ------------------------------------------------ 15.20 and 15.21.10 injected events */

/* Vectors that are exceptions (APM vol. 2, table 8-1): not 2, 9, 15, 20, 22 to 27, 31. */
static const u32 exceptions =
	(GENMASK(X86_TRAP_XF, X86_TRAP_DE) &
	 ~(BIT(X86_TRAP_NMI) | BIT(X86_TRAP_OLD_MF) | BIT(X86_TRAP_SPURIOUS))) |
	BIT(X86_TRAP_CP) | GENMASK(SVM_TRAP_SX, SVM_TRAP_HV);

static void check_exception(struct check *c, u8 vector, enum vmcb_field field)
{
	bool in_64bit_mode = c->paged_long_mode && (c->save->cs.attrib & SVM_SELECTOR_L_MASK);

	MUST(c, vector < 32 && (exceptions & BIT(vector)), EVENT_VECTOR, field);
	if (vector == X86_TRAP_OF || vector == X86_TRAP_BR)
		MUST(c, !in_64bit_mode, EVENT_MODE, field, VMCB_FIELD_CS, VMCB_FIELD_EFER);
}

/* A VMRUN that failed may have moved the event it did not inject to EXITINTINFO. */
static void check_event(struct check *c)
{
	bool moved = !(c->control->event_inj & SVM_EVTINJ_VALID);
	u32 event = moved ? c->control->exit_int_info : c->control->event_inj;
	enum vmcb_field field = moved ? VMCB_FIELD_EXIT_INT_INFO : VMCB_FIELD_EVENT_INJ;

	if (!(event & SVM_EVTINJ_VALID))
		return;
	switch (event & SVM_EVTINJ_TYPE_MASK) {
	case SVM_EVTINJ_TYPE_INTR:
	case SVM_EVTINJ_TYPE_NMI:
	case SVM_EVTINJ_TYPE_SOFT:
		break;
	case SVM_EVTINJ_TYPE_EXEPT:
		check_exception(c, event & SVM_EVTINJ_VEC_MASK, field);
		break;
	default:
		MUST(c, false, EVENT_TYPE, field);
	}
}

static void check_vnmi(struct check *c)
{
	if ((c->env->features & SVM_FEATURE_VNMI) && (c->control->int_ctl & VINTR_NMI_ENABLE))
		MUST(c, intercepted(c, INTERCEPT_NMI), VNMI_NEEDS_INTERCEPT,
		     VMCB_FIELD_INTERCEPT_3, VMCB_FIELD_VINTR);
}

/* --------------------------------------------------------- 15.25.4 nested paging */

/* Memory types of PAT: 2 and 3 are reserved, and so is all above 7. */
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

static void check_nested_paging(struct check *c)
{
	u64 ncr3 = c->control->nested_cr3;

	if (!(c->control->nested_ctl & SVM_NESTED_CTL_NP_ENABLE))
		return;
	NO_BITS(c, beyond(ncr3, c->env->phys_bits) & ~c->env->c_bit, NCR3_RESERVED,
		VMCB_FIELD_NCR3);
	MUST(c, valid_pat(c->save->g_pat), G_PAT_TYPES, VMCB_FIELD_G_PAT);
}

/* ------------------------------------------------------------------ all of it */

/**
 * vmcb_check - make VMRUN's consistency checks (APM vol. 2, 15.5.1)
 * @vmcb: the VMCB as VMRUN got it.  A processor leaves it so; QEMU's TCG and Bochs
 *	do not: they overwrite the save area with the host's state, so there it
 *	takes a copy made before VMRUN to find a mistake in the guest's state.
 * @env: the processor's capabilities
 * @report: called once for each broken rule
 * @ctx: passed to @report
 *
 * Return: how many rules are broken.
 */
unsigned int vmcb_check(const struct vmcb *vmcb, const struct vmcb_check_env *env,
			vmcb_report_fn report, void *ctx)
{
	struct check c = {
		.env = env,
		.report = report,
		.ctx = ctx,
		.control = &vmcb->control,
		.save = &vmcb->save,
		.paged_long_mode = (vmcb->save.efer & EFER_LME) && (vmcb->save.cr0 & X86_CR0_PG),
	};

	check_efer(&c);
	check_control_registers(&c);
	check_long_mode(&c);
	check_cet(&c);
	check_controls(&c);
	check_tlb(&c);
	check_event(&c);
	check_vnmi(&c);
	check_nested_paging(&c);
	return c.broken;
}
