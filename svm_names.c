// SPDX-License-Identifier: GPL-2.0
/*
 * SVM numbers in words, and a VMCB dump that can be read
 *
 * The first part looks numbers up in the lists of svm_names.h: exit codes, the
 * rows of the exit counters, intercept bits.  The second walks VMCB_FIELD_LIST
 * and prints every field under the name that the APM gives it, followed by what
 * the value means: a word of intercepts as their names, a segment as its parts
 * and kind, an event as its type and vector.  vmcb_explain_invalid() puts it
 * together with the rule checker of vmcb_check.c into the full report of a VMRUN
 * that failed.
 *
 * A decoder is a row of decoders[]: a table of bit names, or a function where
 * the value is more than a set of bits.
 *
 * Pure: reads the VMCB, prints through vmcb_print_fn, takes no lock, allocates
 * nothing.  The VMCB is plain memory; it only must not change meanwhile, so the
 * caller is the thread that runs the vCPU.
 */
#include <linux/stddef.h>

#include "report.h"
#include "vmcb_check.h"

/* ---------------------------------------------------------------- number to name */

static const char * const row_names[SVM_NR_EXIT_ROWS] = {
#define X(code, name) [SVM_EXIT_ROW(code)] = name,
	SVM_EXIT_CODE_LIST(X)
#undef X
};

/**
 * svm_exit_row - where an exit is counted
 * @code: EXITCODE, all 64 bits
 *
 * Return: the row, below SVM_NR_EXIT_ROWS; SVM_NR_EXIT_ROWS for a code that has
 * none, a failed VMRUN's among them.
 */
unsigned int svm_exit_row(u64 code)
{
	if (code < SVM_NR_INTERCEPT_ROWS)
		return code;
	if (code >= SVM_EXIT_NPF && code - SVM_EXIT_NPF < SVM_NR_EXIT_ROWS - SVM_NR_INTERCEPT_ROWS)
		return SVM_EXIT_ROW(code);
	return SVM_NR_EXIT_ROWS;
}

/**
 * svm_exit_row_name - name a row of the exit counters
 * @row: any number
 *
 * Return: e.g. "NPF"; NULL if no exit is counted there.
 */
const char *svm_exit_row_name(u32 row)
{
	return row < SVM_NR_EXIT_ROWS ? row_names[row] : NULL;
}

/**
 * svm_exit_code_name - name an exit code (APM vol. 2, app. C)
 * @code: EXITCODE; the negative codes may have come as 32 or as 64 bits
 *
 * Return: e.g. "NPF", "INVALID" for a VMRUN that failed; "UNKNOWN", never NULL,
 * for a code in no list.
 */
const char *svm_exit_code_name(u64 code)
{
	/* From -1 down: what is not an exit from the guest. */
	static const char * const negative[] = {
		"INVALID", "BUSY", "IDLE_REQUIRED", "INVALID_PMC",
	};
	const char *name = svm_exit_row_name(svm_exit_row(code));
	u32 index = ~(u32)code;

	if (name)
		return name;
	if ((code >> 32 == 0 || code >> 32 == ~0u) && index < ARRAY_SIZE(negative))
		return negative[index];
	return "UNKNOWN";
}

/**
 * svm_intercept_name - name an intercept
 * @bit: its bit, counted from the start of the VMCB, as the INTERCEPT_ constants
 *
 * Return: e.g. "WRITE_CR3"; NULL for a bit without a meaning.
 */
const char *svm_intercept_name(unsigned int bit)
{
	return bit < SVM_NR_INTERCEPT_ROWS ? row_names[bit] : NULL;
}

/* --------------------------------------------------------------- the VMCB's fields */

enum vmcb_decoder {
	VMCB_DECODE_PLAIN,
	VMCB_DECODE_INTERCEPT,
	VMCB_DECODE_TLB_CONTROL,
	VMCB_DECODE_VINTR,
	VMCB_DECODE_INT_SHADOW,
	VMCB_DECODE_EXIT_CODE,
	VMCB_DECODE_EVENT,
	VMCB_DECODE_NESTED_CTL,
	VMCB_DECODE_VIRT_EXT,
	VMCB_DECODE_CLEAN,
	VMCB_DECODE_BYTES,
	VMCB_DECODE_SEGMENT,
	VMCB_DECODE_TABLE,
	VMCB_DECODE_EFER,
	VMCB_DECODE_CR0,
	VMCB_DECODE_CR4,
	VMCB_DECODE_RFLAGS,
	VMCB_DECODE_S_CET,
	VMCB_DECODE_PAT,
};

static const struct vmcb_field_row {
	u16 offset;
	u16 size;
	enum vmcb_decoder decoder;
	const char *name;
} fields[] = {
#define X(id, member, decoder, name)						\
	[VMCB_FIELD_##id] = { offsetof(struct vmcb, member),			\
			      sizeof(((struct vmcb *)NULL)->member),		\
			      VMCB_DECODE_##decoder, name },
	VMCB_FIELD_LIST(X)
#undef X
};

/**
 * vmcb_field_name - the APM's name of a VMCB field
 * @field: which
 *
 * Return: e.g. "IOPM_BASE_PA".
 */
const char *vmcb_field_name(enum vmcb_field field)
{
	return (unsigned int)field < VMCB_NR_FIELDS ? fields[field].name : "unknown VMCB field";
}

/**
 * vmcb_field_value - what a VMCB field holds
 * @vmcb: the VMCB
 * @field: which field
 *
 * Return: its value, zero extended; of a segment register, the attributes.
 */
u64 vmcb_field_value(const struct vmcb *vmcb, enum vmcb_field field)
{
	u64 value = 0;

	if ((unsigned int)field < VMCB_NR_FIELDS)
		memcpy(&value, (const u8 *)vmcb + fields[field].offset, fields[field].size);
	return value;
}

/* ------------------------------------------------------------------- the decoders */

/**
 * struct shown - a field about to be decoded
 * @vmcb: the VMCB it is in
 * @row: its row of fields[]
 * @value: what it holds
 */
struct shown {
	const struct vmcb *vmcb;
	const struct vmcb_field_row *row;
	u64 value;
};

static const struct bit_name vintr_bits[] = {
	{ V_IRQ_MASK, "V_IRQ" }, { V_GIF_MASK, "VGIF" }, { BIT_ULL(11), "V_NMI" },
	{ BIT_ULL(12), "V_NMI_MASK" }, { V_IGN_TPR_MASK, "V_IGN_TPR" },
	{ V_INTR_MASKING_MASK, "V_INTR_MASKING" }, { V_GIF_ENABLE_MASK, "VGIF enabled" },
	{ BIT_ULL(26), "V_NMI_ENABLE" }, { BIT_ULL(X2APIC_MODE_SHIFT), "x2AVIC" },
	{ BIT_ULL(AVIC_ENABLE_SHIFT), "AVIC" }, {}
};

static const struct bit_name int_shadow_bits[] = {
	{ SVM_INTERRUPT_SHADOW_MASK, "INTERRUPT_SHADOW" },
	{ SVM_GUEST_INTERRUPT_MASK, "GUEST_INTERRUPT_MASK" }, {}
};

static const struct bit_name nested_ctl_bits[] = {
	{ SVM_NESTED_CTL_NP_ENABLE, "NP_ENABLE" }, { SVM_NESTED_CTL_SEV_ENABLE, "SEV" },
	{ SVM_NESTED_CTL_SEV_ES_ENABLE, "SEV-ES" }, { BIT_ULL(3), "GMET" },
	{ BIT_ULL(4), "SSS check" }, { BIT_ULL(5), "VTE" }, {}
};

static const struct bit_name virt_ext_bits[] = {
	{ LBR_CTL_ENABLE_MASK, "LBR virtualization" },
	{ VIRTUAL_VMLOAD_VMSAVE_ENABLE_MASK, "VMSAVE/VMLOAD virtualization" }, {}
};

/* Groups that the processor may take from its cache (APM vol. 2, 15.15.3). */
static const struct bit_name clean_bits[] = {
	{ BIT_ULL(0), "intercepts" }, { BIT_ULL(1), "IOPM, MSRPM" }, { BIT_ULL(2), "ASID" },
	{ BIT_ULL(3), "V_TPR" }, { BIT_ULL(4), "NP" }, { BIT_ULL(5), "CRx, EFER" },
	{ BIT_ULL(6), "DRx" }, { BIT_ULL(7), "GDTR, IDTR" }, { BIT_ULL(8), "CS, DS, SS, ES, CPL" },
	{ BIT_ULL(9), "CR2" }, { BIT_ULL(10), "LBR" }, { BIT_ULL(11), "AVIC" },
	{ BIT_ULL(12), "CET" }, {}
};

static const struct bit_name s_cet_bits[] = {
	{ BIT_ULL(0), "SH_STK_EN" }, { BIT_ULL(1), "WR_SHSTK_EN" }, {}
};

/* Bit n of a word of intercepts is exit code n, counted through all words. */
static void decode_intercept(struct line *line, const struct shown *shown)
{
	unsigned int base = shown->row->offset * 8, bit;
	const char *name;
	u32 unnamed = 0;
	bool first = true;
	char rest[24];

	for (bit = 0; bit < 32; bit++) {
		if (!(shown->value & BIT(bit)))
			continue;
		name = svm_intercept_name(base + bit);
		if (!name) {
			unnamed |= BIT(bit);
			continue;
		}
		line_item(line, first, name);
		first = false;
	}
	if (unnamed) {
		scnprintf(rest, sizeof(rest), "reserved 0x%x", unnamed);
		line_item(line, first, rest);
	}
}

static void decode_tlb_control(struct line *line, const struct shown *shown)
{
	static const char * const words[] = {
		[TLB_CONTROL_DO_NOTHING] = "no flush",
		[TLB_CONTROL_FLUSH_ALL_ASID] = "flush the whole TLB",
		[TLB_CONTROL_FLUSH_ASID] = "flush this ASID",
		[TLB_CONTROL_FLUSH_ASID_LOCAL] = "flush this ASID's non-global entries",
	};
	const char *text = shown->value < ARRAY_SIZE(words) ? words[shown->value] : NULL;

	line_item(line, true, text ? text : "reserved");
}

static void decode_vintr(struct line *line, const struct shown *shown)
{
	const u64 tpr = 0xff, numbers = tpr | V_INTR_PRIO_MASK;
	char text[40];

	scnprintf(text, sizeof(text), "V_TPR %u, V_INTR_PRIO %u", (u32)(shown->value & tpr),
		  (u32)(shown->value & V_INTR_PRIO_MASK) >> V_INTR_PRIO_SHIFT);
	line_item(line, true, text);
	if (shown->value & ~numbers)
		line_add(line, ",");
	decode_bits(line, vintr_bits, shown->value & ~numbers);
}

static void decode_exit_code(struct line *line, const struct shown *shown)
{
	u64 high = vmcb_field_value(shown->vmcb, VMCB_FIELD_EXIT_CODE_HI);

	line_item(line, true, svm_exit_code_name(high << 32 | shown->value));
}

/* EVENTINJ and EXITINTINFO have one format (APM vol. 2, 15.20 and 15.7.2). */
static void decode_event(struct line *line, const struct shown *shown)
{
	static const char * const types[] = {
		"interrupt", "reserved type 1", "NMI", "exception", "software interrupt",
		"reserved type 5", "reserved type 6", "reserved type 7",
	};
	u32 event = shown->value;
	char text[24];

	if (!(event & SVM_EVTINJ_VALID)) {
		line_item(line, true, "no event");
		return;
	}
	line_item(line, true, types[(event & SVM_EVTINJ_TYPE_MASK) >> SVM_EVTINJ_TYPE_SHIFT]);
	scnprintf(text, sizeof(text), "vector %u", event & SVM_EVTINJ_VEC_MASK);
	line_item(line, false, text);
	if (event & SVM_EVTINJ_VALID_ERR)
		line_item(line, false, "with error code");
}

/* The instruction bytes follow their number; 15 at most (APM vol. 2, 15.8.4). */
static void decode_bytes(struct line *line, const struct shown *shown)
{
	const u8 *bytes = shown->vmcb->control.insn_bytes;
	unsigned int i;

	for (i = 0; i < shown->value && i < sizeof(shown->vmcb->control.insn_bytes); i++)
		line_add(line, " %02x", bytes[i]);
}

static const struct vmcb_seg *shown_segment(const struct shown *shown)
{
	return (const void *)((const u8 *)shown->vmcb + shown->row->offset -
			      offsetof(struct vmcb_seg, attrib));
}

static void decode_table(struct line *line, const struct shown *shown)
{
	const struct vmcb_seg *seg = shown_segment(shown);

	line_add(line, " base 0x%llx, limit 0x%x", (unsigned long long)seg->base, seg->limit);
}

/* Attributes: a descriptor's bits 47:40 and 55:52 (APM vol. 2, 15.5.1 "Segment State"). */
static void decode_segment(struct line *line, const struct shown *shown)
{
	const struct vmcb_seg *seg = shown_segment(shown);
	u16 attrib = shown->value;
	char text[32];

	line_add(line, " selector 0x%04x, base 0x%llx, limit 0x%x,", seg->selector,
		 (unsigned long long)seg->base, seg->limit);
	if (!(attrib & SVM_SELECTOR_P_MASK)) {
		line_item(line, true, "not present");
		return;
	}
	decode_descriptor_type(line, attrib);
	scnprintf(text, sizeof(text), "DPL %u",
		  (attrib & SVM_SELECTOR_DPL_MASK) >> SVM_SELECTOR_DPL_SHIFT);
	line_item(line, false, text);
	if (attrib & SVM_SELECTOR_S_MASK)
		line_item(line, false, attrib & SVM_SELECTOR_L_MASK ? "64-bit" :
				       attrib & SVM_SELECTOR_DB_MASK ? "32-bit" : "16-bit");
	if (attrib & SVM_SELECTOR_L_MASK && attrib & SVM_SELECTOR_DB_MASK)
		line_item(line, false, "D");
	line_item(line, false, attrib & SVM_SELECTOR_G_MASK ? "limit in pages" : "limit in bytes");
}

static void decode_g_pat(struct line *line, const struct shown *shown)
{
	decode_pat(line, shown->value);
}

static const struct {
	const struct bit_name *bits;
	void (*decode)(struct line *line, const struct shown *shown);
} decoders[] = {
	[VMCB_DECODE_PLAIN] = {},
	[VMCB_DECODE_INTERCEPT] = { .decode = decode_intercept },
	[VMCB_DECODE_TLB_CONTROL] = { .decode = decode_tlb_control },
	[VMCB_DECODE_VINTR] = { .decode = decode_vintr },
	[VMCB_DECODE_INT_SHADOW] = { .bits = int_shadow_bits },
	[VMCB_DECODE_EXIT_CODE] = { .decode = decode_exit_code },
	[VMCB_DECODE_EVENT] = { .decode = decode_event },
	[VMCB_DECODE_NESTED_CTL] = { .bits = nested_ctl_bits },
	[VMCB_DECODE_VIRT_EXT] = { .bits = virt_ext_bits },
	[VMCB_DECODE_CLEAN] = { .bits = clean_bits },
	[VMCB_DECODE_BYTES] = { .decode = decode_bytes },
	[VMCB_DECODE_SEGMENT] = { .decode = decode_segment },
	[VMCB_DECODE_TABLE] = { .decode = decode_table },
	[VMCB_DECODE_EFER] = { .bits = efer_bits },
	[VMCB_DECODE_CR0] = { .bits = cr0_bits },
	[VMCB_DECODE_CR4] = { .bits = cr4_bits },
	[VMCB_DECODE_RFLAGS] = { .bits = rflags_bits },
	[VMCB_DECODE_S_CET] = { .bits = s_cet_bits },
	[VMCB_DECODE_PAT] = { .decode = decode_g_pat },
};

/* ------------------------------------------------------------------------- the dump */

#define NAME_COLUMN 25

/* "  NAME   0xVALUE meaning", or with @narrow "  NAME = 0xVALUE meaning" */
static void print_field(struct line *line, const struct vmcb *vmcb, enum vmcb_field field,
			bool narrow)
{
	const struct vmcb_field_row *row = &fields[field];
	const struct shown shown = { vmcb, row, vmcb_field_value(vmcb, field) };

	line_add(line, "  %-*s %s", narrow ? 0 : NAME_COLUMN, row->name, narrow ? "= " : "");
	line_add(line, "0x%0*llx", row->size * 2, (unsigned long long)shown.value);
	line->indent = 4;
	if (decoders[row->decoder].bits)
		decode_bits(line, decoders[row->decoder].bits, shown.value);
	else if (decoders[row->decoder].decode)
		decoders[row->decoder].decode(line, &shown);
	line_flush(line);
}

/**
 * vmcb_dump - print a VMCB by field name
 * @vmcb: the VMCB, which does not change meanwhile
 * @print: takes each line
 * @ctx: passed to @print
 *
 * FS, GS, TR, LDTR and the MSRs of system calls are as of the last VMSAVE.  Some
 * 90 lines: the caller limits the rate.
 */
void vmcb_dump(const struct vmcb *vmcb, vmcb_print_fn print, void *ctx)
{
	struct line line = { .print = print, .ctx = ctx };
	enum vmcb_field field = 0;

	print(ctx, "VMCB control area:");
	for (; fields[field].offset < offsetof(struct vmcb, save); field++)
		print_field(&line, vmcb, field, false);
	print(ctx, "VMCB save area (part of it as of the last VMSAVE):");
	for (; field < VMCB_NR_FIELDS; field++)
		print_field(&line, vmcb, field, false);
}

/* ------------------------------------------------------- a failed VMRUN, in full */

struct explanation {
	struct line line;
	const struct vmcb *vmcb;
};

/* A vmcb_report_fn: @ctx is the struct explanation. */
static void print_violation(void *ctx, const struct vmcb_violation *violation)
{
	struct explanation *expl = ctx;
	struct line *line = &expl->line;
	const struct bit_name *bits;
	unsigned int i;

	line_add(line, "Broken rule %s, APM vol. 2, %s \"%s\":", violation->id,
		 violation->section, violation->title);
	line_flush(line);
	line_add(line, "  %s", violation->words);
	line_flush(line);
	for (i = 0; i < violation->nr; i++) {
		print_field(line, expl->vmcb, violation->field[i], true);
		if (i || !violation->bits)
			continue;
		line_add(line, "  wrong bits: 0x%llx", (unsigned long long)violation->bits);
		bits = decoders[fields[violation->field[i]].decoder].bits;
		if (bits)
			decode_bits(line, bits, violation->bits);
		line_flush(line);
	}
}

/**
 * vmcb_explain_invalid - the full report of a VMRUN that ended in VMEXIT_INVALID
 * @vmcb: the VMCB as VMRUN got it, with the exit code; see vmcb_check()
 * @env: the processor's capabilities
 * @print: takes each line
 * @ctx: passed to @print
 *
 * Says what the processor said, dumps the VMCB and names every broken rule.  Some
 * 100 lines: the caller limits the rate.
 *
 * Return: how many rules are broken.
 */
unsigned int vmcb_explain_invalid(const struct vmcb *vmcb, const struct vmcb_check_env *env,
				  vmcb_print_fn print, void *ctx)
{
	struct explanation expl = { .line = { .print = print, .ctx = ctx }, .vmcb = vmcb };
	u64 code = (u64)vmcb->control.exit_code_hi << 32 | vmcb->control.exit_code;
	struct line *line = &expl.line;
	unsigned int broken;

	line_add(line, "VMRUN failed: exit code 0x%llx (%s)", (unsigned long long)code,
		 svm_exit_code_name(code));
	line_flush(line);
	vmcb_dump(vmcb, print, ctx);

	broken = vmcb_check(vmcb, env, print_violation, &expl);
	if (broken)
		line_add(line, "%u broken rule%s.", broken, broken == 1 ? "" : "s");
	else
		line_add(line, "All rules checked hold; %s.", vmcb->control.clean ?
			 "the processor may have used a copy of what is marked clean" :
			 "see vmcb_rules.h for those left out");
	line_flush(line);
	return broken;
}
