// SPDX-License-Identifier: GPL-2.0
/*
 * VMX numbers in words, and a VMCS dump that can be read
 *
 * The first half looks numbers up in the lists of vmx_names.h.  The second half
 * walks VMCS_FIELD_LIST and prints every field that the processor has, under
 * the name that the SDM gives it, followed by what the value means: a control
 * word as the names of its bits, access rights as the kind of segment, an event
 * as its type and vector.  vmcs_explain_entry_failure() puts it together with
 * the rule checker of vmcs_check.c into the full report of a failed VM entry.
 *
 * A decoder is a row of decoders[]: a table of bit names, or a function where
 * the value is more than a set of bits.
 *
 * Pure: reads through struct vmcs_reader, prints through vmcs_print_fn, takes
 * no lock, allocates nothing.  report.h builds the lines and names what is not
 * VMX's alone.
 */
#include "report.h"
#include "vmcs_check.h"

/* ---------------------------------------------------------------- number to name */

#define X(mask, name) { mask, name },
static const struct bit_name pin_bits[] = { VMX_PIN_CTLS_LIST(X) {} };
static const struct bit_name proc_bits[] = { VMX_PROC_CTLS_LIST(X) {} };
static const struct bit_name proc2_bits[] = { VMX_PROC_CTLS2_LIST(X) {} };
static const struct bit_name proc3_bits[] = { VMX_PROC_CTLS3_LIST(X) {} };
static const struct bit_name exit_bits[] = { VMX_EXIT_CTLS_LIST(X) {} };
static const struct bit_name entry_bits[] = { VMX_ENTRY_CTLS_LIST(X) {} };
#undef X

static const struct {
	const char *name;
	const struct bit_name *bits;
} control_words[] = {
	[VMX_PIN_CTLS] = { "pin-based VM-execution controls", pin_bits },
	[VMX_PROC_CTLS] = { "primary processor-based VM-execution controls", proc_bits },
	[VMX_PROC_CTLS2] = { "secondary processor-based VM-execution controls", proc2_bits },
	[VMX_PROC_CTLS3] = { "tertiary processor-based VM-execution controls", proc3_bits },
	[VMX_EXIT_CTLS] = { "VM-exit controls", exit_bits },
	[VMX_ENTRY_CTLS] = { "VM-entry controls", entry_bits },
};

/**
 * vmx_control_word_name - the name of a control word
 * @word: which
 *
 * Return: e.g. "pin-based VM-execution controls".
 */
const char *vmx_control_word_name(enum vmx_control_word word)
{
	return (unsigned int)word < ARRAY_SIZE(control_words) ? control_words[word].name :
								"unknown control word";
}

/**
 * vmx_control_bit_name - the SDM's name of one VMX control
 * @word: the control word it is in
 * @bit: its bit number, 0 to 63
 *
 * Return: e.g. "HLT exiting"; "reserved" if the bit has no name.
 */
const char *vmx_control_bit_name(enum vmx_control_word word, unsigned int bit)
{
	const struct bit_name *entry;

	if ((unsigned int)word >= ARRAY_SIZE(control_words))
		return "reserved";
	for (entry = control_words[word].bits; entry->name; entry++)
		if (bit < 64 && entry->mask == BIT_ULL(bit))
			return entry->name;
	return "reserved";
}

/**
 * vmx_instruction_error - a VM-instruction error in words (SDM 31.4)
 * @error: what the VM-instruction error field holds after VMfailValid
 *
 * Return: a sentence without a full stop.
 */
const char *vmx_instruction_error(u32 error)
{
	static const char * const words[] = {
		[0] = "no VM-instruction error",
#define X(number, text) \
	[number] = text,
		VMX_INSTRUCTION_ERROR_LIST(X)
#undef X
	};

	return error < ARRAY_SIZE(words) && words[error] ? words[error] :
							   "unknown VM-instruction error";
}

/**
 * vmx_exit_reason_name - name a VM exit's basic reason (SDM app. C)
 * @reason: the exit-reason field; only the basic reason in bits 15:0 counts
 *
 * Return: e.g. "EPT_VIOLATION", "UNKNOWN" if it is in no list.
 */
const char *vmx_exit_reason_name(u32 reason)
{
	static const char * const names[VMX_NR_EXIT_REASONS] = {
#define X(constant, name, counter) \
	[constant] = name,
		VMX_EXIT_REASON_LIST(X)
#undef X
	};

	reason &= 0xffff;
	return reason < ARRAY_SIZE(names) && names[reason] ? names[reason] : "UNKNOWN";
}

/**
 * vmx_entry_failure_qualification - what made exit reason 33 (SDM 27.8)
 * @qualification: the exit qualification of a VM-entry failure due to invalid
 *	guest state
 *
 * Return: a phrase in words.
 */
const char *vmx_entry_failure_qualification(u64 qualification)
{
	switch (qualification) {
	case ENTRY_FAIL_DEFAULT:
		return "guest state in general";
	case ENTRY_FAIL_PDPTE:
		return "loading the PDPTEs";
	case ENTRY_FAIL_NMI:
		return "an NMI injected while events are blocked by STI";
	case ENTRY_FAIL_VMCS_LINK_PTR:
		return "the VMCS link pointer";
	default:
		return "unknown exit qualification";
	}
}

/* ------------------------------------------------------------------ the decoders */

static const struct bit_name debugctl_bits[] = {
	{ DEBUGCTLMSR_LBR, "LBR" }, { DEBUGCTLMSR_BTF, "BTF" }, { BIT_ULL(2), "BLD" },
	{ DEBUGCTLMSR_TR, "TR" }, { DEBUGCTLMSR_BTS, "BTS" }, { DEBUGCTLMSR_BTINT, "BTINT" },
	{ DEBUGCTLMSR_BTS_OFF_OS, "BTS_OFF_OS" }, { DEBUGCTLMSR_BTS_OFF_USR, "BTS_OFF_USR" },
	{ DEBUGCTLMSR_FREEZE_LBRS_ON_PMI, "FREEZE_LBRS_ON_PMI" },
	{ DEBUGCTLMSR_FREEZE_PERFMON_ON_PMI, "FREEZE_PERFMON_ON_PMI" },
	{ BIT_ULL(13), "ENABLE_UNCORE_PMI" }, { DEBUGCTLMSR_FREEZE_IN_SMM, "FREEZE_WHILE_SMM" },
	{ BIT_ULL(15), "RTM_DEBUG" }, {}
};

static const struct bit_name blocking_bits[] = {
	{ GUEST_INTR_STATE_STI, "blocking by STI" },
	{ GUEST_INTR_STATE_MOV_SS, "blocking by MOV SS" },
	{ GUEST_INTR_STATE_SMI, "blocking by SMI" },
	{ GUEST_INTR_STATE_NMI, "blocking by NMI" },
	{ GUEST_INTR_STATE_ENCLAVE_INTR, "enclave interruption" }, {}
};

static const struct bit_name pending_dbg_bits[] = {
	{ BIT_ULL(0), "B0" }, { BIT_ULL(1), "B1" }, { BIT_ULL(2), "B2" }, { BIT_ULL(3), "B3" },
	{ BIT_ULL(11), "bus lock" }, { BIT_ULL(12), "enabled breakpoint" },
	{ BIT_ULL(14), "BS" }, { BIT_ULL(16), "RTM" }, {}
};

static void decode_error(struct line *line, u64 value)
{
	line_item(line, true, vmx_instruction_error(value));
}

static void decode_reason(struct line *line, u64 value)
{
	line_item(line, true, vmx_exit_reason_name(value));
	if (value & VMX_EXIT_REASONS_FAILED_VMENTRY)
		line_item(line, false, "VM-entry failure");
}

/* Interruption information, VM-entry or VM-exit or IDT-vectoring: one format. */
static void decode_event(struct line *line, u64 value)
{
	static const char * const types[] = {
		"external interrupt", "reserved type", "NMI", "hardware exception",
		"software interrupt", "privileged software exception", "software exception",
		"other event",
	};
	char vector[24];

	if (!(value & INTR_INFO_VALID_MASK)) {
		line_item(line, true, "no event");
		return;
	}
	line_item(line, true, types[(value & INTR_INFO_INTR_TYPE_MASK) >> 8]);
	scnprintf(vector, sizeof(vector), "vector %u", (u8)value);
	line_item(line, false, vector);
	if (value & INTR_INFO_DELIVER_CODE_MASK)
		line_item(line, false, "with error code");
	if (value & INTR_INFO_UNBLOCK_NMI)
		line_item(line, false, "bit 12 (NMI unblocking)");
}

static void decode_ar(struct line *line, u64 value)
{
	u32 ar = value;
	char text[32];

	if (ar & VMX_AR_UNUSABLE_MASK) {
		line_item(line, true, "unusable");
		return;
	}
	decode_descriptor_type(line, ar);
	scnprintf(text, sizeof(text), "DPL %u", VMX_AR_DPL(ar));
	line_item(line, false, text);
	line_item(line, false, ar & VMX_AR_P_MASK ? "present" : "not present");
	if (ar & VMX_AR_S_MASK)
		line_item(line, false, ar & VMX_AR_L_MASK ? "64-bit" :
				       ar & VMX_AR_DB_MASK ? "32-bit" : "16-bit");
	line_item(line, false, ar & VMX_AR_G_MASK ? "limit in pages" : "limit in bytes");
	if (ar & VMX_AR_RESERVD_MASK) {
		scnprintf(text, sizeof(text), "reserved 0x%x", ar & VMX_AR_RESERVD_MASK);
		line_item(line, false, text);
	}
}

static void decode_activity(struct line *line, u64 value)
{
	static const char * const states[] = { "active", "HLT", "shutdown", "wait-for-SIPI" };

	line_item(line, true, value < ARRAY_SIZE(states) ? states[value] : "undefined");
}

enum vmcs_decoder {
	VMCS_DECODE_PLAIN,
	VMCS_DECODE_PIN,
	VMCS_DECODE_PROC,
	VMCS_DECODE_PROC2,
	VMCS_DECODE_PROC3,
	VMCS_DECODE_EXIT,
	VMCS_DECODE_ENTRY,
	VMCS_DECODE_CR0,
	VMCS_DECODE_CR4,
	VMCS_DECODE_RFLAGS,
	VMCS_DECODE_EFER,
	VMCS_DECODE_DEBUGCTL,
	VMCS_DECODE_BLOCKING,
	VMCS_DECODE_PENDING_DBG,
	VMCS_DECODE_ERROR,
	VMCS_DECODE_REASON,
	VMCS_DECODE_EVENT,
	VMCS_DECODE_AR,
	VMCS_DECODE_ACTIVITY,
	VMCS_DECODE_PAT,
};

static const struct {
	const struct bit_name *bits;
	void (*decode)(struct line *line, u64 value);
} decoders[] = {
	[VMCS_DECODE_PLAIN] = {},
	[VMCS_DECODE_PIN] = { .bits = pin_bits },
	[VMCS_DECODE_PROC] = { .bits = proc_bits },
	[VMCS_DECODE_PROC2] = { .bits = proc2_bits },
	[VMCS_DECODE_PROC3] = { .bits = proc3_bits },
	[VMCS_DECODE_EXIT] = { .bits = exit_bits },
	[VMCS_DECODE_ENTRY] = { .bits = entry_bits },
	[VMCS_DECODE_CR0] = { .bits = cr0_bits },
	[VMCS_DECODE_CR4] = { .bits = cr4_bits },
	[VMCS_DECODE_RFLAGS] = { .bits = rflags_bits },
	[VMCS_DECODE_EFER] = { .bits = efer_bits },
	[VMCS_DECODE_DEBUGCTL] = { .bits = debugctl_bits },
	[VMCS_DECODE_BLOCKING] = { .bits = blocking_bits },
	[VMCS_DECODE_PENDING_DBG] = { .bits = pending_dbg_bits },
	[VMCS_DECODE_ERROR] = { .decode = decode_error },
	[VMCS_DECODE_REASON] = { .decode = decode_reason },
	[VMCS_DECODE_EVENT] = { .decode = decode_event },
	[VMCS_DECODE_AR] = { .decode = decode_ar },
	[VMCS_DECODE_ACTIVITY] = { .decode = decode_activity },
	[VMCS_DECODE_PAT] = { .decode = decode_pat },
};

/* ---------------------------------------------------------------- the VMCS fields */

#define NAME_COLUMN 34

struct vmcs_field_row {
	u32 encoding;
	enum vmcs_decoder decoder;
	const char *name;
};

static const struct vmcs_field_row fields[] = {
#define X(encoding, decoder, name) { encoding, VMCS_DECODE_##decoder, name },
	VMCS_FIELD_LIST(X)
#undef X
};

static const struct vmcs_field_row *find_field(u32 encoding)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].encoding == encoding)
			return &fields[i];
	return NULL;
}

/**
 * vmcs_field_name - the SDM's name of a VMCS field
 * @encoding: the field's encoding
 *
 * Return: e.g. "Guest CR0"; "unknown VMCS field" if it is not in the list.
 */
const char *vmcs_field_name(u32 encoding)
{
	const struct vmcs_field_row *field = find_field(encoding);

	return field ? field->name : "unknown VMCS field";
}

static void add_value(struct line *line, u32 encoding, u64 value)
{
	static const u8 digits[] = {
		[VMCS_WIDTH_16] = 4,
		[VMCS_WIDTH_64] = 16,
		[VMCS_WIDTH_32] = 8,
		[VMCS_WIDTH_NATURAL] = 16,
	};

	line_add(line, "0x%0*llx", (int)digits[vmcs_encoding_width(encoding)],
		 (unsigned long long)value);
}

static void add_meaning(struct line *line, const struct vmcs_field_row *field, u64 value)
{
	line->indent = 4;
	if (decoders[field->decoder].bits)
		decode_bits(line, decoders[field->decoder].bits, value);
	else if (decoders[field->decoder].decode)
		decoders[field->decoder].decode(line, value);
}

static void dump_type(const struct vmcs_reader *vmcs, enum vmcs_field_type type, struct line *line)
{
	unsigned int i;
	u64 value;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		if (vmcs_encoding_type(fields[i].encoding) != type ||
		    !vmcs->read(vmcs->ctx, fields[i].encoding, &value))
			continue;
		line_add(line, "  %-*s ", NAME_COLUMN, fields[i].name);
		add_value(line, fields[i].encoding, value);
		add_meaning(line, &fields[i], value);
		line_flush(line);
	}
}

/**
 * vmcs_dump - print the current VMCS by field name
 * @vmcs: reads the VMCS, which must stay current
 * @print: takes each line
 * @ctx: passed to @print
 *
 * Fields that the processor lacks are left out.  The exit information comes
 * first, for a VMREAD of a missing field sets the VM-instruction error.
 */
void vmcs_dump(const struct vmcs_reader *vmcs, vmcs_print_fn print, void *ctx)
{
	struct line line = { .print = print, .ctx = ctx };

	print(ctx, "VM-exit information:");
	dump_type(vmcs, VMCS_TYPE_EXIT_INFO, &line);
	print(ctx, "Guest state:");
	dump_type(vmcs, VMCS_TYPE_GUEST, &line);
	print(ctx, "Host state:");
	dump_type(vmcs, VMCS_TYPE_HOST, &line);
	print(ctx, "Controls:");
	dump_type(vmcs, VMCS_TYPE_CONTROL, &line);
}

/* -------------------------------------------------------- a failed entry, in full */

/* A vmcs_report_fn: @ctx is the struct line. */
static void print_violation(void *ctx, const struct vmcs_violation *violation)
{
	const struct vmcs_field_row *field;
	struct line *line = ctx;
	unsigned int i;

	line_add(line, "Broken rule %s, SDM %s \"%s\":", violation->id, violation->section,
		 violation->title);
	line_flush(line);
	line_add(line, "  %s", violation->words);
	line_flush(line);
	for (i = 0; i < violation->nr; i++) {
		field = find_field(violation->field[i].encoding);
		line_add(line, "  %s = ", vmcs_field_name(violation->field[i].encoding));
		add_value(line, violation->field[i].encoding, violation->field[i].value);
		if (field)
			add_meaning(line, field, violation->field[i].value);
		line_flush(line);
		if (i || !violation->bits)
			continue;
		line_add(line, "  wrong bits: 0x%llx", (unsigned long long)violation->bits);
		if (field && decoders[field->decoder].bits)
			add_meaning(line, field, violation->bits);
		line_flush(line);
	}
}

static int explain_vmfail(const struct vmcs_check_env *env, u32 error, struct line *line)
{
	/*
	 * The processor may check controls and host state in any order (SDM
	 * 27.2), and reports one mistake only: always look at both.
	 */
	if (error == VMXERR_ENTRY_INVALID_CONTROL_FIELD ||
	    error == VMXERR_ENTRY_INVALID_HOST_STATE_FIELD)
		return vmcs_check_controls(env, print_violation, line) +
		       vmcs_check_host(env, print_violation, line);
	return -1;
}

static int explain_exit(const struct vmcs_check_env *env, u32 reason, struct line *line)
{
	if ((reason & 0xffff) == EXIT_REASON_INVALID_STATE)
		return vmcs_check_guest(env, print_violation, line);
	return -1;
}

/**
 * vmcs_explain_entry_failure - the full report of a failed VM entry
 * @env: the VMCS, which must stay current, and the processor's capabilities
 * @how: how the entry failed; not for VMfailInvalid, when there is no VMCS
 * @print: takes each line
 * @ctx: passed to @print
 *
 * Says what the processor said, dumps the VMCS and runs the matching part of
 * the rule checker.  Some 200 lines: the caller limits the rate.
 *
 * Return: how many rules are broken; 0 if none is or none applies.
 */
int vmcs_explain_entry_failure(const struct vmcs_check_env *env, enum vmcs_entry_failure how,
			       vmcs_print_fn print, void *ctx)
{
	struct line line = { .print = print, .ctx = ctx };
	const struct vmcs_reader *vmcs = &env->vmcs;
	u64 error = 0, reason = 0, qualification = 0;
	int broken;

	/* Before all else: see vmcs_dump() on VMREADs that fail. */
	vmcs->read(vmcs->ctx, VM_INSTRUCTION_ERROR, &error);
	if (how == VMCS_ENTRY_VMFAIL) {
		line_add(&line, "VM entry failed: VM-instruction error %u, %s", (u32)error,
			 vmx_instruction_error(error));
	} else {
		vmcs->read(vmcs->ctx, VM_EXIT_REASON, &reason);
		vmcs->read(vmcs->ctx, EXIT_QUALIFICATION, &qualification);
		line_add(&line, "VM entry failed: exit reason %u (%s), qualification %llu",
			 (u16)reason, vmx_exit_reason_name(reason),
			 (unsigned long long)qualification);
		if ((u16)reason == EXIT_REASON_INVALID_STATE)
			line_add(&line, " (%s)", vmx_entry_failure_qualification(qualification));
		else if ((u16)reason == EXIT_REASON_MSR_LOAD_FAIL)
			line_add(&line, " (number of the MSR-load entry, from 1)");
	}
	line_flush(&line);

	vmcs_dump(vmcs, print, ctx);

	broken = how == VMCS_ENTRY_VMFAIL ? explain_vmfail(env, error, &line) :
					    explain_exit(env, reason, &line);
	if (broken < 0)
		line_add(&line, "No rule about the VMCS's fields leads to this failure.");
	else if (broken == 0)
		line_add(&line, "All rules checked hold; see vmcs_rules.h for those left out.");
	else
		line_add(&line, "%d broken rule%s.", broken, broken == 1 ? "" : "s");
	line_flush(&line);
	return broken < 0 ? 0 : broken;
}
