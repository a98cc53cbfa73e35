// SPDX-License-Identifier: GPL-2.0
/*
 * Unit test of vmcs_check.c and vmx_names.c: does each rule of VM entry find its
 * mistake, and only its own?
 *
 * A VMCS here is an array.  vmcs_rows.h says what to put into it: VMCSs that a
 * processor would enter, rows that break one rule each, rows that look wrong and
 * are not.  A rule that no row breaks fails the test.
 *
 * With the argument --example it prints the report of one failed entry, which
 * Documentation/vmx-entry-failure.rst quotes.
 */
#include <string.h>
#include <linux/bits.h>
#include <linux/kernel.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "tap.h"
#include "vmcs_check.h"
#include "vmcs_rows.h"

/* ------------------------------------------------------------- an array as VMCS */

#define NR_ENCODINGS 0x8000
#define NR_RANDOM 20000

static u64 vmcs[NR_ENCODINGS];
static bool listed[NR_ENCODINGS];	/* in VMCS_FIELD_LIST */
static bool absent[NR_ENCODINGS];	/* this processor lacks it */
static unsigned int unlisted_reads;

static bool read_vmcs(void *ctx, u32 encoding, u64 *value)
{
	(void)ctx;
	if (encoding >= NR_ENCODINGS || !listed[encoding]) {
		unlisted_reads++;
		return false;
	}
	if (absent[encoding]) {
		vmcs[VM_INSTRUCTION_ERROR] = VMXERR_UNSUPPORTED_VMCS_COMPONENT;
		return false;
	}
	*value = vmcs[encoding];
	return true;
}

static struct vmcs_check_env the_processor(void)
{
	struct vmcs_check_env env = processor;

	env.vmcs.read = read_vmcs;
	return env;
}

/* As VMWRITE does: no more bits than the field has. */
static void set_field(u32 encoding, u64 value)
{
	switch (vmcs_encoding_width(encoding)) {
	case VMCS_WIDTH_16:
		value = (u16)value;
		break;
	case VMCS_WIDTH_32:
		value = (u32)value;
		break;
	default:
		break;
	}
	vmcs[encoding] = value;
}

/* ---------------------------------------------------------------- running a row */

/* An all-zero change ends the list (field 0 is the VPID, which is never set to 0). */
static void apply(const struct change *changes, unsigned int max)
{
	unsigned int i;

	for (i = 0; i < max && (changes[i].field || changes[i].value); i++)
		set_field(changes[i].field, changes[i].value);
}

static void load_base(enum base base)
{
	unsigned int i;

	memset(vmcs, 0, sizeof(vmcs));
	for (i = 0; i < ARRAY_SIZE(bases[base].layers) && bases[base].layers[i]; i++)
		apply(bases[base].layers[i], NR_ENCODINGS);
}

static struct vmcs_check_env load_row(const struct row *row)
{
	struct vmcs_check_env env = the_processor();

	load_base(row->base);
	apply(row->changes, MAX_CHANGES);
	if (row->env)
		memcpy((char *)&env + row->env, &row->env_value, sizeof(row->env_value));
	return env;
}

/* What one check reported. */
struct result {
	unsigned int nr;
	struct vmcs_violation seen[8];
};

static void collect(void *ctx, const struct vmcs_violation *violation)
{
	struct result *result = ctx;

	if (result->nr < ARRAY_SIZE(result->seen))
		result->seen[result->nr] = *violation;
	result->nr++;
}

static void note_result(const struct result *result)
{
	unsigned int i;

	for (i = 0; i < result->nr && i < ARRAY_SIZE(result->seen); i++)
		tap_note("  reported %s: %s = 0x%llx", result->seen[i].id,
			 vmcs_field_name(result->seen[i].field[0].encoding),
			 result->seen[i].field[0].value);
}

/* Which part of the checker a rule belongs to. */
static int (*part_of(const struct vmcs_violation *v))(const struct vmcs_check_env *env,
						       vmcs_report_fn report, void *ctx)
{
	if (!strncmp(v->section, "27.2.1", 6))
		return vmcs_check_controls;
	if (!strncmp(v->section, "27.2.", 5))
		return vmcs_check_host;
	return vmcs_check_guest;
}

static bool has_rule(const struct result *result, enum vmcs_rule rule)
{
	unsigned int i;

	for (i = 0; i < result->nr && i < ARRAY_SIZE(result->seen); i++)
		if (result->seen[i].rule == rule)
			return true;
	return false;
}

/* Exactly the one rule, blaming the right field with its value, in the right part. */
static bool row_is_reported(const struct row *row, struct result *result)
{
	struct vmcs_check_env env = load_row(row);
	const struct vmcs_violation *v;
	unsigned int i, wanted = row->also ? 2 : 1;
	struct result part = {};

	if (vmcs_check(&env, collect, result) != (int)result->nr || result->nr != wanted ||
	    (row->also && !has_rule(result, row->also)))
		return false;
	for (i = 0; i < wanted; i++) {
		v = &result->seen[i];
		if (v->rule != row->rule)
			continue;
		part_of(v)(&env, collect, &part);
		return v->nr >= 1 && v->field[0].encoding == row->blames &&
		       v->field[0].value == vmcs[row->blames] && has_rule(&part, row->rule);
	}
	return false;
}

/* ----------------------------------------------------------------------- the tests */

static void test_bases(void)
{
	struct vmcs_check_env env = the_processor();
	struct result result;
	enum base base;

	for (base = LONG_MODE; base < HOST32; base++) {
		load_base(base);
		result = (struct result){};
		if (!tap_ok(vmcs_check(&env, collect, &result) == 0, "valid: %s",
			    bases[base].name))
			note_result(&result);
	}
}

static void test_valid(void)
{
	struct vmcs_check_env env;
	struct result result;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(valid); i++) {
		env = load_row(&valid[i]);
		result = (struct result){};
		if (!tap_ok(vmcs_check(&env, collect, &result) == 0, "valid: %s: %s",
			    bases[valid[i].base].name, valid[i].name))
			note_result(&result);
	}
}

static void test_broken(void)
{
	struct result result;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(broken); i++) {
		result = (struct result){};
		if (!tap_ok(row_is_reported(&broken[i], &result), "broken: %s: %s",
			    bases[broken[i].base].name, broken[i].name))
			note_result(&result);
	}
}

struct hits {
	enum vmcs_rule rule;
	unsigned int nr;
};

static void count_hits(void *ctx, const struct vmcs_violation *violation)
{
	struct hits *hits = ctx;

	hits->nr += violation->rule == hits->rule;
}

/* How many tries of a sweep the checker judges otherwise than the table. */
static unsigned int misjudged(const struct sweep *sweep, bool flip, unsigned int tries)
{
	struct vmcs_check_env env = the_processor();
	unsigned int try, wrong = 0;
	struct hits hits = { .rule = sweep->rule };

	for (try = 0; try < tries; try++) {
		load_base(sweep->base);
		apply(sweep->changes, MAX_CHANGES);
		if (flip)
			vmcs[sweep->field] ^= BIT_ULL(try);
		else
			vmcs[sweep->field] += try;
		hits.nr = 0;
		vmcs_check(&env, count_hits, &hits);
		if (!!hits.nr == !!(sweep->wrong & BIT_ULL(try)))
			continue;
		tap_note("  try %u, %s = 0x%llx: %s", try, vmcs_field_name(sweep->field),
			 vmcs[sweep->field], hits.nr ? "reported" : "not reported");
		wrong++;
	}
	return wrong;
}

static unsigned int field_bits(u32 encoding)
{
	static const u8 bits[] = {
		[VMCS_WIDTH_16] = 16,
		[VMCS_WIDTH_64] = 64,
		[VMCS_WIDTH_32] = 32,
		[VMCS_WIDTH_NATURAL] = 64,
	};

	return bits[vmcs_encoding_width(encoding)];
}

static void test_sweeps(void)
{
	const struct sweep *sweep;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bit_sweeps); i++) {
		sweep = &bit_sweeps[i];
		tap_ok(misjudged(sweep, true, field_bits(sweep->field)) == 0,
		       "each bit of: %s: %s", bases[sweep->base].name,
		       vmcs_field_name(sweep->field));
	}
	for (i = 0; i < ARRAY_SIZE(value_sweeps); i++) {
		sweep = &value_sweeps[i];
		/* Access rights: the type has four bits. */
		tap_ok(misjudged(sweep, false, sweep->wrong >> 16 || !sweep->wrong ? 64 : 16) == 0,
		       "each value of: %s: %s", bases[sweep->base].name,
		       vmcs_field_name(sweep->field));
	}
}

/* A rule that no row breaks is a rule that nobody has seen work. */
static void test_every_rule_has_a_row(void)
{
	static const char * const ids[] = {
#define X(id, section, words) \
		[VMCS_RULE_##id] = #id,
		VMCS_RULE_LIST(X)
#undef X
	};
	unsigned int i, missing = 0;
	bool tested[VMCS_NR_RULES] = {};

	for (i = 0; i < ARRAY_SIZE(broken); i++)
		tested[broken[i].rule] = true;
	for (i = 0; i < VMCS_NR_RULES; i++) {
		if (tested[i])
			continue;
		tap_note("  no row breaks %s", ids[i]);
		missing++;
	}
	tap_ok(missing == 0, "each of the %u rules is broken by a row", VMCS_NR_RULES);
}

static void test_names(void)
{
	static const u32 reasons[] = {
#define X(constant, name, counter) constant,
		VMX_EXIT_REASON_LIST(X)
#undef X
	};
	bool ok = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		ok = ok && reasons[i] < VMX_NR_EXIT_REASONS &&
		     (!i || reasons[i] > reasons[i - 1]) &&
		     strcmp(vmx_exit_reason_name(reasons[i]), "UNKNOWN");
	tap_ok(ok, "exit reasons are in order and named");
	tap_ok(!strcmp(vmx_exit_reason_name(EXIT_REASON_EPT_VIOLATION), "EPT_VIOLATION") &&
	       !strcmp(vmx_exit_reason_name(0x80000021), "INVALID_GUEST_STATE") &&
	       !strcmp(vmx_exit_reason_name(35), "UNKNOWN") &&
	       !strcmp(vmx_exit_reason_name(~0u), "UNKNOWN"), "exit-reason names");
	tap_ok(strstr(vmx_instruction_error(7), "invalid control") &&
	       strstr(vmx_instruction_error(8), "invalid host-state") &&
	       strstr(vmx_instruction_error(26), "MOV SS") &&
	       strstr(vmx_instruction_error(0), "no VM-instruction error") &&
	       !strncmp(vmx_instruction_error(14), "unknown", 7) &&
	       !strncmp(vmx_instruction_error(29), "unknown", 7) &&
	       !strncmp(vmx_instruction_error(~0u), "unknown", 7), "VM-instruction errors");
	tap_ok(!strcmp(vmx_control_bit_name(VMX_PROC_CTLS, 7), "HLT exiting") &&
	       !strcmp(vmx_control_bit_name(VMX_PROC_CTLS2, 1), "enable EPT") &&
	       !strcmp(vmx_control_bit_name(VMX_PROC_CTLS, 31), "activate secondary controls") &&
	       !strcmp(vmx_control_bit_name(VMX_PIN_CTLS, 1), "reserved") &&
	       !strcmp(vmx_control_bit_name(VMX_ENTRY_CTLS, 64), "reserved") &&
	       !strcmp(vmx_control_bit_name(99, 0), "reserved"), "control-bit names");
	tap_ok(!strcmp(vmcs_field_name(GUEST_CR0), "Guest CR0") &&
	       !strcmp(vmcs_field_name(GUEST_GS_AR_BYTES), "Guest GS access rights") &&
	       !strcmp(vmcs_field_name(0x7ffe), "unknown VMCS field"), "field names");
}

/* Every field once, and never the high half of a 64-bit one. */
static void test_field_list(void)
{
	static const struct {
		u32 encoding;
		const char *name;
	} rows[] = {
#define X(encoding, decoder, name) { encoding, name },
		VMCS_FIELD_LIST(X)
#undef X
	};
	bool encodings = true, names = true;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		encodings = encodings && rows[i].encoding < NR_ENCODINGS &&
			    !(rows[i].encoding & 1);
		for (j = 0; j < i; j++) {
			encodings = encodings && rows[i].encoding != rows[j].encoding;
			names = names && strcmp(rows[i].name, rows[j].name);
		}
	}
	tap_ok(encodings && names, "%zu VMCS fields, each listed once", ARRAY_SIZE(rows));
}

static char output[400][VMCS_LINE_MAX];
static unsigned int output_lines, output_too_long;

static void keep_line(void *ctx, const char *line)
{
	(void)ctx;
	if (strlen(line) > 120 || strchr(line, '\n'))
		output_too_long++;
	if (output_lines < ARRAY_SIZE(output))
		snprintf(output[output_lines], VMCS_LINE_MAX, "%s", line);
	output_lines++;
}

static bool output_has(const char *wanted)
{
	unsigned int i;

	for (i = 0; i < output_lines && i < ARRAY_SIZE(output); i++)
		if (strstr(output[i], wanted))
			return true;
	tap_note("  no line has: %s", wanted);
	return false;
}

static void test_dump(void)
{
	struct vmcs_reader reader = { .read = read_vmcs };

	load_base(LONG_MODE);
	vmcs[VM_ENTRY_INTR_INFO_FIELD] = 0x80000b0d;
	vmcs[VM_EXIT_REASON] = 0x80000021;
	absent[PLE_GAP] = true;
	output_lines = 0;
	vmcs_dump(&reader, keep_line, NULL);
	absent[PLE_GAP] = false;
	tap_ok(output_has("Guest CR0                          0x0000000080050033 PE, MP,") &&
	       output_has("Guest CS selector                  0x0010") &&
	       output_has("0x0000a09b code, execute/read, accessed, DPL 0, present, 64-bit,") &&
	       output_has("0x0000008b busy TSS, DPL 0, present, limit in bytes") &&
	       output_has("0x00010000 unusable") &&
	       output_has("0x80000b0d hardware exception, vector 13, with error code") &&
	       output_has("0x80000021 INVALID_GUEST_STATE, VM-entry failure") &&
	       output_has("external-interrupt exiting") && output_has("reserved 0x16") &&
	       output_has("WB, WT, UC-, UC, WB, WT, UC-, UC"), "the dump decodes");
	tap_ok(!strcmp(output[0], "VM-exit information:") &&
	       strstr(output[1], "VM-instruction error") && output_has("Guest state:") &&
	       output_has("Host state:") && output_has("Controls:"), "the dump is grouped");
	tap_ok(output_has("PLE window") && output_lines < ARRAY_SIZE(output) && !output_too_long,
	       "no line too long");
}

static void test_dump_leaves_out_absent_fields(void)
{
	struct vmcs_reader reader = { .read = read_vmcs };
	unsigned int i, seen = 0;

	load_base(LONG_MODE);
	absent[TSC_MULTIPLIER] = true;
	output_lines = 0;
	vmcs_dump(&reader, keep_line, NULL);
	absent[TSC_MULTIPLIER] = false;
	for (i = 0; i < output_lines; i++)
		seen += strstr(output[i], "TSC multiplier") ? 1 : 0;
	tap_ok(seen == 0, "a field the processor lacks is left out");
}

/* The failed entry that the documentation shows. */
static int explain_example(vmcs_print_fn print)
{
	struct vmcs_check_env env = the_processor();

	load_base(LONG_MODE);
	vmcs[VM_EXIT_REASON] = 0x80000000 | EXIT_REASON_INVALID_STATE;
	vmcs[GUEST_CR4] = 0x6e0;			/* VMXE forgotten */
	vmcs[GUEST_TR_AR_BYTES] = 0x89;			/* available, not busy */
	return vmcs_explain_entry_failure(&env, VMCS_ENTRY_EXIT, print, NULL);
}

static void test_explain_exit(void)
{
	output_lines = 0;
	tap_ok(explain_example(keep_line) == 2 &&
	       output_has("VM entry failed: exit reason 33 (INVALID_GUEST_STATE), qual") &&
	       output_has("qualification 0 (guest state in general)") &&
	       output_has("Broken rule GUEST_CR4_FIXED, SDM 27.3.1.1 ") &&
	       output_has("wrong bits: 0x2000 VMXE") &&
	       output_has("Broken rule TR_TYPE, SDM 27.3.1.2 ") && output_has("2 broken rules."),
	       "a failed entry is explained: guest state");
}

static void test_explain_vmfail(void)
{
	struct vmcs_check_env env = the_processor();

	load_base(LONG_MODE);
	vmcs[VM_INSTRUCTION_ERROR] = 7;
	vmcs[CPU_BASED_VM_EXEC_CONTROL] = PROC | BIT(18);
	vmcs[HOST_TR_SELECTOR] = 0;
	vmcs[GUEST_CR4] = 0;	/* not looked at: guest state is checked later */
	/* A processor without PLE: its failing VMREAD must not hide error 7. */
	absent[PLE_GAP] = true;
	output_lines = 0;
	tap_ok(vmcs_explain_entry_failure(&env, VMCS_ENTRY_VMFAIL, keep_line, NULL) == 2 &&
	       output_has("VM-instruction error 7, VM entry with invalid control fields") &&
	       output_has("0x00000007 VM entry with invalid control fields") &&
	       output_has("Broken rule PROC_CTLS_ALLOWED, SDM 27.2.1.1 ") &&
	       output_has("wrong bits: 0x40000 reserved 0x40000") &&
	       output_has("Broken rule HOST_CS_TR_NOT_NULL, SDM 27.2.3 "),
	       "a failed entry is explained: controls and host state");
	absent[PLE_GAP] = false;
}

static void test_explain_others(void)
{
	struct vmcs_check_env env = the_processor();

	load_base(LONG_MODE);
	vmcs[VM_INSTRUCTION_ERROR] = 5;
	output_lines = 0;
	tap_ok(vmcs_explain_entry_failure(&env, VMCS_ENTRY_VMFAIL, keep_line, NULL) == 0 &&
	       output_has("VM-instruction error 5, VMRESUME with a VMCS that was not launched") &&
	       output_has("No rule about the VMCS's fields leads to this failure."),
	       "a failed entry is explained: not launched");
	vmcs[VM_EXIT_REASON] = 0x80000000 | EXIT_REASON_MSR_LOAD_FAIL;
	vmcs[EXIT_QUALIFICATION] = 3;
	output_lines = 0;
	tap_ok(vmcs_explain_entry_failure(&env, VMCS_ENTRY_EXIT, keep_line, NULL) == 0 &&
	       output_has("MSR_LOAD_FAIL), qualification 3 (number of the MSR-load entry, from 1)"),
	       "a failed entry is explained: MSR loading");
	vmcs[VM_INSTRUCTION_ERROR] = 8;
	output_lines = 0;
	tap_ok(vmcs_explain_entry_failure(&env, VMCS_ENTRY_VMFAIL, keep_line, NULL) == 0 &&
	       output_has("All rules checked hold"), "a failed entry is explained: no rule broken");
}

/*
 * The documentation quotes explain_example()'s output in its literal blocks,
 * indented by four.  What looks like such a line must be one.
 */
static void test_documentation(void)
{
	FILE *file = fopen(DOCUMENT, "r");
	unsigned int quoted = 0, wrong = 0, i;
	char line[VMCS_LINE_MAX];

	output_lines = 0;
	explain_example(keep_line);
	while (file && fgets(line, sizeof(line), file)) {
		if (strspn(line, " ") < 4 || strspn(line, " ") > 8)
			continue;	/* prose, or a table's second column */
		line[strcspn(line, "\n")] = '\0';
		quoted++;
		for (i = 0; i < output_lines && strcmp(output[i], line + 4); i++)
			;
		if (i == output_lines) {
			tap_note("  not printed: %s", line);
			wrong++;
		}
	}
	if (file)
		fclose(file);
	tap_ok(quoted > 10 && wrong == 0, "%u lines quoted in the documentation", quoted);
}

static u64 random64(void)
{
	static u64 state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Nothing in a VMCS or a capability MSR may upset the code (ASan and UBSan watch). */
static void test_random_vmcs(void)
{
	struct vmcs_check_env env;
	unsigned int i, j, field;
	int violations = 0;

	output_too_long = 0;
	for (i = 0; i < NR_RANDOM; i++) {
		load_base(random64() % NR_BASES);
		for (j = 0; j < random64() % 64; j++) {
			do
				field = random64() % NR_ENCODINGS;
			while (!listed[field]);
			set_field(field, random64() >> (random64() & 63));
		}
		env = the_processor();
		if (i & 1)
			for (j = 0; j < sizeof(env) - offsetof(struct vmcs_check_env, basic); j++)
				((u8 *)&env.basic)[j] = random64();
		output_lines = 0;
		vmcs[VM_EXIT_REASON] = 0x80000021;
		violations += vmcs_explain_entry_failure(&env, i & 2 ? VMCS_ENTRY_EXIT :
								      VMCS_ENTRY_VMFAIL,
							 keep_line, NULL);
	}
	tap_ok(violations > NR_RANDOM && !output_too_long, "%u random VMCSs", NR_RANDOM);
}

static void print_line(void *ctx, const char *line)
{
	(void)ctx;
	puts(line);
}

static void list_fields(void)
{
	static const u32 encodings[] = {
#define X(encoding, decoder, name) encoding,
		VMCS_FIELD_LIST(X)
#undef X
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(encodings); i++)
		listed[encodings[i]] = true;
}

int main(int argc, char **argv)
{
	list_fields();
	if (argc > 1 && !strcmp(argv[1], "--example"))
		return explain_example(print_line) != 2;

	test_bases();
	test_valid();
	test_broken();
	test_sweeps();
	test_every_rule_has_a_row();
	test_names();
	test_field_list();
	test_dump();
	test_dump_leaves_out_absent_fields();
	test_explain_exit();
	test_explain_vmfail();
	test_explain_others();
	test_documentation();
	test_random_vmcs();
	tap_ok(unlisted_reads == 0, "every field read is in VMCS_FIELD_LIST");
	return tap_done();
}
