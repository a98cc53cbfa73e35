// SPDX-License-Identifier: GPL-2.0
/*
 * Unit test of vmcb_check.c and svm_names.c: does each rule of VMRUN find its
 * mistake, and only its own?
 *
 * Tables say what to do to a VMCB that a processor would enter: rows that break
 * one rule each, rows that look wrong and are not, fields whose every bit or
 * value is tried.  A rule that no row breaks fails the test, and so does a rule
 * about a field that has none.
 *
 * With the argument --example it prints the report of one failed VMRUN, which
 * Documentation/vmrun-failure.rst quotes.
 */
#include <string.h>
#include <linux/bits.h>
#include <linux/kernel.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "tap.h"
#include "vmcb_check.h"

#define NR_RANDOM 20000

/* ---------------------------------------------------------------- the VMCB's fields */

static const struct {
	size_t offset, size;
	const char *id;
} fields[] = {
#define X(id, member, decoder, name)						\
	[VMCB_FIELD_##id] = { offsetof(struct vmcb, member),			\
			      sizeof(((struct vmcb *)NULL)->member), #id },
	VMCB_FIELD_LIST(X)
#undef X
};

static union {
	struct vmcb vmcb;
	u8 bytes[4096];
} page;

static void set_field(enum vmcb_field field, u64 value)
{
	memcpy(page.bytes + fields[field].offset, &value, fields[field].size);
}

/* -------------------------------------------------------------------- valid VMCBs */

#define PHYS_BITS 40
#define CR4_BITS (X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE |	\
		  X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE |		\
		  X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_UMIP |			\
		  X86_CR4_FSGSBASE | X86_CR4_PCIDE | X86_CR4_OSXSAVE | X86_CR4_SMEP |	\
		  X86_CR4_SMAP | X86_CR4_PKE | X86_CR4_CET)
#define EFER_BITS (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX | EFER_SVME | EFER_FFXSR)

#define FLUSH_BY_ASID	BIT(6)
#define VNMI		BIT(25)

static const struct vmcb_check_env processor = {
	.efer_bits = EFER_BITS,
	.cr4_bits = CR4_BITS,
	.nr_asids = 16,
	.features = FLUSH_BY_ASID | VNMI,
	.phys_bits = PHYS_BITS,
};

enum base {
	LONG_MODE,
	COMPATIBILITY,
	PROTECTED,
	REAL,
	PAGED_REAL,
	NR_BASES
};

static const struct {
	const char *name;
	u64 efer, cr0, cr4;
	u16 cs;
	bool nested_paging;
} bases[] = {
	[LONG_MODE] = { "64-bit mode", EFER_SVME | EFER_LME | EFER_LMA | EFER_SCE | EFER_NX,
			0x80050033, 0x6b0, 0xa9b, true },
	[COMPATIBILITY] = { "compatibility mode", EFER_SVME | EFER_LME | EFER_LMA,
			    0x80000011, 0x20, 0xc9b, true },
	[PROTECTED] = { "protected mode", EFER_SVME, 0x80010011, 0x10, 0xc9b, false },
	[REAL] = { "real mode, LME set", EFER_SVME | EFER_LME, 0x60000010, 0, 0x9b, true },
	[PAGED_REAL] = { "paged real mode", EFER_SVME, 0x80000010, 0, 0x9b, false },
};

static void load_base(enum base base)
{
	memset(&page, 0, sizeof(page));
	set_field(VMCB_FIELD_EFER, bases[base].efer);
	set_field(VMCB_FIELD_CR0, bases[base].cr0);
	set_field(VMCB_FIELD_CR4, bases[base].cr4);
	set_field(VMCB_FIELD_CS, bases[base].cs);
	set_field(VMCB_FIELD_CR3, 0x1000);
	set_field(VMCB_FIELD_DR6, 0xffff0ff0);
	set_field(VMCB_FIELD_DR7, 0x400);
	set_field(VMCB_FIELD_RFLAGS, 2);
	set_field(VMCB_FIELD_SS, 0xc93);
	set_field(VMCB_FIELD_INTERCEPT_3, BIT(INTERCEPT_INTR % 32) | BIT(INTERCEPT_NMI % 32) |
		  BIT(INTERCEPT_IOIO_PROT % 32) | BIT(INTERCEPT_MSR_PROT % 32));
	set_field(VMCB_FIELD_INTERCEPT_4, BIT(INTERCEPT_VMRUN % 32));
	set_field(VMCB_FIELD_IOPM_BASE, 0x20000);
	set_field(VMCB_FIELD_MSRPM_BASE, 0x30000);
	set_field(VMCB_FIELD_ASID, 1);
	set_field(VMCB_FIELD_G_PAT, 0x0007040600070406);
	if (bases[base].nested_paging) {
		set_field(VMCB_FIELD_NESTED_CTL, SVM_NESTED_CTL_NP_ENABLE);
		set_field(VMCB_FIELD_NCR3, 0x40000);
	}
}

/* ---------------------------------------------------------------- the tables of rows */

#define MAX_CHANGES 3

struct change {
	enum vmcb_field field;
	u64 value;
};

/* @rule is broken, blaming @blames; for rows of valid[], neither is read. */
struct row {
	const char *name;
	enum base base;
	enum vmcb_rule rule;
	enum vmcb_field blames;
	struct change changes[MAX_CHANGES];
	const struct vmcb_check_env *env;
};

/* A change of the field to blame. */
#define BREAKS(rule, field, value) VMCB_RULE_##rule, VMCB_FIELD_##field, \
	{ { VMCB_FIELD_##field, value } }
#define TO(field, value) { VMCB_FIELD_##field, value }

#define EXCEPTION(vector) (SVM_EVTINJ_VALID | SVM_EVTINJ_TYPE_EXEPT | (vector))
#define TOP BIT_ULL(PHYS_BITS)

static const struct vmcb_check_env no_long_mode = {
	.efer_bits = EFER_SCE | EFER_SVME, .cr4_bits = CR4_BITS, .nr_asids = 16,
	.features = FLUSH_BY_ASID | VNMI, .phys_bits = PHYS_BITS,
};

static const struct vmcb_check_env old = {
	.efer_bits = EFER_BITS, .cr4_bits = CR4_BITS & ~X86_CR4_CET, .nr_asids = 16,
	.phys_bits = PHYS_BITS,
};

static const struct vmcb_check_env encrypting = {
	.efer_bits = EFER_BITS, .cr4_bits = CR4_BITS, .nr_asids = 16,
	.features = FLUSH_BY_ASID | VNMI, .phys_bits = PHYS_BITS, .c_bit = 1ull << 47,
};

static const struct row broken[] = {
	{ "SVME clear", LONG_MODE, BREAKS(EFER_SVME, EFER, EFER_LME | EFER_LMA) },
	{ "SVME clear in real mode", REAL, BREAKS(EFER_SVME, EFER, 0) },
	{ "NW without CD", LONG_MODE, BREAKS(CR0_NW_NEEDS_CD, CR0, 0xa0050033) },
	{ "CR0 bit 32", LONG_MODE, BREAKS(CR0_HIGH, CR0, 0x180050033) },
	{ "CR3 too wide", LONG_MODE, BREAKS(CR3_RESERVED, CR3, TOP) },
	{ "CR3 bit 63", PROTECTED, BREAKS(CR3_RESERVED, CR3, 1ull << 63) },
	{ "CR4.VMXE", LONG_MODE, BREAKS(CR4_RESERVED, CR4, X86_CR4_PAE | X86_CR4_VMXE) },
	{ "CR4 bit 32", REAL, BREAKS(CR4_RESERVED, CR4, 1ull << 32) },
	{ "DR6 bit 32", LONG_MODE, BREAKS(DR6_HIGH, DR6, 0x1ffff0ff0) },
	{ "DR7 bit 63", LONG_MODE, BREAKS(DR7_HIGH, DR7, 0x8000000000000400) },
	{ "EFER bit 1", LONG_MODE, BREAKS(EFER_RESERVED, EFER, 0x1502) },
	{ "EFER bit 63", REAL, BREAKS(EFER_RESERVED, EFER, EFER_SVME | 1ull << 63) },
	{ "LME without long mode", REAL, BREAKS(LONG_MODE_EXISTS, EFER, EFER_SVME | EFER_LME),
	  &no_long_mode },
	{ "LMA without long mode", REAL, BREAKS(LONG_MODE_EXISTS, EFER, EFER_SVME | EFER_LMA),
	  &no_long_mode },
	{ "no PAE", LONG_MODE, BREAKS(LONG_MODE_PAE, CR4, X86_CR4_PSE) },
	{ "no PAE, L and D", LONG_MODE, VMCB_RULE_LONG_MODE_PAE, VMCB_FIELD_CR4,
	  { TO(CR4, X86_CR4_PSE), TO(CS, 0xe9b) } },
	{ "no PE", LONG_MODE, BREAKS(LONG_MODE_PE, CR0, X86_CR0_PG) },
	{ "LME in paged real mode", PAGED_REAL, VMCB_RULE_LONG_MODE_PE, VMCB_FIELD_CR0,
	  { TO(EFER, EFER_SVME | EFER_LME), TO(CR4, X86_CR4_PAE) } },
	{ "L and D", LONG_MODE, BREAKS(CS_L_OR_D, CS, 0xe9b) },
	{ "S_CET bit 2", LONG_MODE, BREAKS(S_CET_RESERVED, S_CET, 4) },
	{ "CET without WP", LONG_MODE, VMCB_RULE_CET_NEEDS_WP, VMCB_FIELD_CR0,
	  { TO(CR0, 0x80040033), TO(CR4, X86_CR4_PAE | X86_CR4_CET) } },
	{ "VMRUN not intercepted", LONG_MODE, BREAKS(VMRUN_INTERCEPT, INTERCEPT_4, ~1ull) },
	{ "MSRPM's second page", LONG_MODE, BREAKS(MSRPM_ADDR, MSRPM_BASE, TOP - 0x1000) },
	{ "MSRPM ends with memory", LONG_MODE, BREAKS(MSRPM_ADDR, MSRPM_BASE, TOP - 0x2000) },
	{ "MSRPM too high", LONG_MODE, BREAKS(MSRPM_ADDR, MSRPM_BASE, TOP) },
	{ "MSRPM wraps", LONG_MODE, BREAKS(MSRPM_ADDR, MSRPM_BASE, -0x1000ull) },
	{ "MSRPM encrypted", LONG_MODE, BREAKS(MSRPM_ADDR, MSRPM_BASE, 1ull << 47) },
	{ "IOPM's third page", LONG_MODE, BREAKS(IOPM_ADDR, IOPM_BASE, TOP - 0x2000) },
	{ "IOPM too high", REAL, BREAKS(IOPM_ADDR, IOPM_BASE, 1ull << 63) },
	{ "ASID 0", LONG_MODE, BREAKS(ASID_NOT_ZERO, ASID, 0) },
	{ "ASID 16 of 16", LONG_MODE, BREAKS(ASID_EXISTS, ASID, 16) },
	{ "ASID -1", LONG_MODE, BREAKS(ASID_EXISTS, ASID, ~0u) },
	{ "TLB_CONTROL 2", LONG_MODE, BREAKS(TLB_CONTROL, TLB_CONTROL, 2) },
	{ "flush by ASID", LONG_MODE, BREAKS(TLB_CONTROL, TLB_CONTROL, 3), &old },
	{ "event type 1", LONG_MODE, BREAKS(EVENT_TYPE, EVENT_INJ, 0x80000120) },
	{ "event type 7", LONG_MODE, BREAKS(EVENT_TYPE, EVENT_INJ, 0x80000703) },
	{ "exception 2", LONG_MODE, BREAKS(EVENT_VECTOR, EVENT_INJ, EXCEPTION(2)) },
	{ "exception 32", REAL, BREAKS(EVENT_VECTOR, EVENT_INJ, EXCEPTION(32)) },
	{ "#OF", LONG_MODE, BREAKS(EVENT_MODE, EVENT_INJ, EXCEPTION(4)) },
	{ "#BR", LONG_MODE, BREAKS(EVENT_MODE, EVENT_INJ, EXCEPTION(5)) },
	{ "an event moved to EXITINTINFO", LONG_MODE,
	  BREAKS(EVENT_TYPE, EXIT_INT_INFO, 0x80000120) },
	{ "vNMI, NMIs not intercepted", LONG_MODE, VMCB_RULE_VNMI_NEEDS_INTERCEPT,
	  VMCB_FIELD_INTERCEPT_3, { TO(VINTR, BIT(26)), TO(INTERCEPT_3, 1) } },
	{ "N_CR3 too wide", LONG_MODE, BREAKS(NCR3_RESERVED, NCR3, TOP) },
	{ "N_CR3 too wide in real mode", REAL, BREAKS(NCR3_RESERVED, NCR3, 1ull << 52) },
	{ "N_CR3 encrypted", LONG_MODE, BREAKS(NCR3_RESERVED, NCR3, 1ull << 47) },
	{ "PAT type 2", LONG_MODE, BREAKS(G_PAT_TYPES, G_PAT, 2) },
	{ "PAT type 8", COMPATIBILITY, BREAKS(G_PAT_TYPES, G_PAT, 8ull << 56) },
};

#define VALID(...) 0, 0, { __VA_ARGS__ }

static const struct row valid[] = {
	{ "NW with CD", LONG_MODE, VALID(TO(CR0, 0xe0050033)) },
	{ "the last page of CR3", LONG_MODE, VALID(TO(CR3, TOP - 0x1000)) },
	{ "LMA without LME", REAL, VALID(TO(EFER, EFER_SVME | EFER_LMA)) },
	{ "PAE off, LME set, no paging", REAL, VALID(TO(CR4, 0)) },
	{ "L and D without LME", PROTECTED, VALID(TO(CS, 0xe9b)) },
	{ "L and D without paging", REAL, VALID(TO(CS, 0xe9b)) },
	{ "L alone", LONG_MODE, VALID(TO(CS, 0xa9b)) },
	{ "D alone", LONG_MODE, VALID(TO(CS, 0xc9b)) },
	{ "shadow stacks", LONG_MODE, VALID(TO(CR4, X86_CR4_PAE | X86_CR4_CET), TO(S_CET, 3)) },
	{ "S_CET on a processor without", LONG_MODE, VALID(TO(S_CET, ~0ull)), &old },
	{ "MSRPM at the end", LONG_MODE, VALID(TO(MSRPM_BASE, TOP - 0x3000)) },
	{ "MSRPM's low bits", LONG_MODE, VALID(TO(MSRPM_BASE, TOP - 0x2001)) },
	{ "IOPM at the end", LONG_MODE, VALID(TO(IOPM_BASE, TOP - 0x3000)) },
	{ "IOPM's low bits", LONG_MODE, VALID(TO(IOPM_BASE, TOP - 0x2001)) },
	{ "all encrypted", LONG_MODE, VALID(TO(MSRPM_BASE, 1ull << 47), TO(NCR3, 1ull << 47),
					    TO(IOPM_BASE, 1ull << 47)), &encrypting },
	{ "ASID 15 of 16", LONG_MODE, VALID(TO(ASID, 15)) },
	{ "event not valid", LONG_MODE, VALID(TO(EVENT_INJ, 0x7fffffff)) },
	{ "EXITINTINFO of an earlier exit", LONG_MODE,
	  VALID(TO(EVENT_INJ, 0x80000020), TO(EXIT_INT_INFO, 0x80000120)) },
	{ "interrupt 2", LONG_MODE, VALID(TO(EVENT_INJ, 0x80000002)) },
	{ "NMI, vector 255", LONG_MODE, VALID(TO(EVENT_INJ, 0x800002ff)) },
	{ "INT 4", LONG_MODE, VALID(TO(EVENT_INJ, 0x80000404)) },
	{ "#OF in compatibility mode", COMPATIBILITY, VALID(TO(EVENT_INJ, EXCEPTION(4))) },
	{ "#BR in protected mode", PROTECTED, VALID(TO(EVENT_INJ, EXCEPTION(5)),
						    TO(CS, 0xa9b)) },
	{ "#PF with error code", LONG_MODE, VALID(TO(EVENT_INJ, 0x80000b0e)) },
	{ "vNMI", LONG_MODE, VALID(TO(VINTR, BIT(26))) },
	{ "vNMI on a processor without", LONG_MODE,
	  VALID(TO(VINTR, BIT(26)), TO(INTERCEPT_3, 0)), &old },
	{ "N_CR3 unused", PROTECTED, VALID(TO(NCR3, ~0ull)) },
	{ "G_PAT unused", PROTECTED, VALID(TO(G_PAT, ~0ull)) },
	{ "PAT types", LONG_MODE, VALID(TO(G_PAT, 0x0706050401000706)) },
};

/*
 * Fields whose bits are flipped one by one: those in @wrong break @rule, and the
 * others do not.
 */
static const struct {
	enum vmcb_rule rule;
	enum vmcb_field field;
	enum base base;
	u64 wrong;
} bit_sweeps[] = {
#define SWEEP(rule, field, base, wrong) { VMCB_RULE_##rule, VMCB_FIELD_##field, base, wrong }
	SWEEP(EFER_SVME, EFER, LONG_MODE, EFER_SVME),
	SWEEP(EFER_RESERVED, EFER, LONG_MODE, ~(u64)EFER_BITS),
	SWEEP(CR0_HIGH, CR0, LONG_MODE, GENMASK_ULL(63, 32)),
	SWEEP(CR0_NW_NEEDS_CD, CR0, LONG_MODE, X86_CR0_NW),
	SWEEP(CR0_NW_NEEDS_CD, CR0, REAL, X86_CR0_CD),
	SWEEP(LONG_MODE_PE, CR0, LONG_MODE, X86_CR0_PE),
	SWEEP(LONG_MODE_PE, CR0, REAL, X86_CR0_PG),
	SWEEP(LONG_MODE_PAE, CR4, LONG_MODE, X86_CR4_PAE),
	SWEEP(LONG_MODE_PAE, CR4, PAGED_REAL, 0),
	SWEEP(CR4_RESERVED, CR4, LONG_MODE, ~(u64)CR4_BITS),
	SWEEP(CR3_RESERVED, CR3, LONG_MODE, GENMASK_ULL(63, PHYS_BITS)),
	SWEEP(NCR3_RESERVED, NCR3, LONG_MODE, GENMASK_ULL(63, PHYS_BITS)),
	SWEEP(MSRPM_ADDR, MSRPM_BASE, LONG_MODE, GENMASK_ULL(63, PHYS_BITS)),
	SWEEP(IOPM_ADDR, IOPM_BASE, LONG_MODE, GENMASK_ULL(63, PHYS_BITS)),
	SWEEP(DR6_HIGH, DR6, LONG_MODE, GENMASK_ULL(63, 32)),
	SWEEP(DR7_HIGH, DR7, LONG_MODE, GENMASK_ULL(63, 32)),
	SWEEP(S_CET_RESERVED, S_CET, LONG_MODE, ~3ull),
	SWEEP(CS_L_OR_D, CS, LONG_MODE, BIT(10)),
	SWEEP(CS_L_OR_D, CS, COMPATIBILITY, BIT(9)),
	SWEEP(VMRUN_INTERCEPT, INTERCEPT_4, LONG_MODE, 1),
	SWEEP(ASID_EXISTS, ASID, LONG_MODE, GENMASK_ULL(31, 4)),
	SWEEP(ASID_NOT_ZERO, ASID, LONG_MODE, 1),
#undef SWEEP
};

/* ------------------------------------------------------------------ running a row */

struct result {
	unsigned int nr;
	struct vmcb_violation seen[4];
};

static void collect(void *ctx, const struct vmcb_violation *violation)
{
	struct result *result = ctx;

	if (result->nr < ARRAY_SIZE(result->seen))
		result->seen[result->nr] = *violation;
	result->nr++;
}

static bool breaks(const struct vmcb_check_env *env, struct result *result)
{
	*result = (struct result){};
	if (vmcb_check(&page.vmcb, env, collect, result) != result->nr)
		return false;
	return result->nr;
}

static void note_result(const struct result *result)
{
	unsigned int i;

	for (i = 0; i < result->nr && i < ARRAY_SIZE(result->seen); i++)
		tap_note("  reported %s: %s", result->seen[i].id,
			 fields[result->seen[i].field[0]].id);
}

static bool is_only(const struct result *result, enum vmcb_rule rule)
{
	return result->nr == 1 && result->seen[0].rule == rule;
}

static const struct vmcb_check_env *load_row(const struct row *row)
{
	const struct change *change;

	load_base(row->base);
	/* Field 0, the CR intercepts, is in no row: it ends the changes. */
	for (change = row->changes; change < row->changes + MAX_CHANGES && change->field; change++)
		set_field(change->field, change->value);
	return row->env ? row->env : &processor;
}

/* ----------------------------------------------------------------------- the tests */

static void test_valid(void)
{
	struct result result;
	unsigned int i;

	for (i = 0; i < NR_BASES; i++) {
		load_base(i);
		if (!tap_ok(!breaks(&processor, &result), "valid: %s", bases[i].name))
			note_result(&result);
	}
	for (i = 0; i < ARRAY_SIZE(valid); i++)
		if (!tap_ok(!breaks(load_row(&valid[i]), &result), "valid: %s: %s",
			    bases[valid[i].base].name, valid[i].name))
			note_result(&result);
}

static void test_broken(void)
{
	const struct row *row;
	struct result result;

	for (row = broken; row < broken + ARRAY_SIZE(broken); row++) {
		breaks(load_row(row), &result);
		if (!tap_ok(is_only(&result, row->rule) && result.seen[0].nr &&
			    result.seen[0].field[0] == row->blames,
			    "broken: %s: %s", bases[row->base].name, row->name))
			note_result(&result);
	}
}

/* A rule that no row breaks is a rule that nobody has seen work. */
static void test_every_rule_has_a_row(void)
{
	static const char * const ids[] = {
#define X(id, section, words) [VMCB_RULE_##id] = #id,
		VMCB_RULE_LIST(X)
#undef X
	};
	unsigned int i, missing = 0;
	bool tested[VMCB_NR_RULES] = {};

	for (i = 0; i < ARRAY_SIZE(broken); i++)
		tested[broken[i].rule] = true;
	for (i = 0; i < VMCB_NR_RULES; i++) {
		if (tested[i])
			continue;
		tap_note("  no row breaks %s", ids[i]);
		missing++;
	}
	tap_ok(missing == 0, "each of the %u rules is broken by a row", VMCB_NR_RULES);
}

static bool has_rule(const struct result *result, enum vmcb_rule rule)
{
	unsigned int i;

	for (i = 0; i < result->nr && i < ARRAY_SIZE(result->seen); i++)
		if (result->seen[i].rule == rule)
			return true;
	return false;
}

static void test_bit_sweeps(void)
{
	struct result result;
	unsigned int i, bit, wrong;
	enum vmcb_field field;
	bool expected;

	for (i = 0; i < ARRAY_SIZE(bit_sweeps); i++) {
		field = bit_sweeps[i].field;
		for (wrong = 0, bit = 0; bit < fields[field].size * 8; bit++) {
			load_base(bit_sweeps[i].base);
			set_field(field, vmcb_field_value(&page.vmcb, field) ^ BIT_ULL(bit));
			breaks(&processor, &result);
			expected = bit_sweeps[i].wrong >> bit & 1;
			if (has_rule(&result, bit_sweeps[i].rule) == expected)
				continue;
			tap_note("  bit %u %sreported", bit, expected ? "not " : "");
			wrong++;
		}
		tap_ok(!wrong, "each bit of %s: %s", fields[field].id,
		       bases[bit_sweeps[i].base].name);
	}
}

/* All values of a byte of @field at bit @shift: is exactly @rule broken where @legal says no? */
static bool byte_sweep(enum vmcb_field field, unsigned int shift, enum vmcb_rule rule,
		       bool (*legal)(u8 value))
{
	u64 kept = vmcb_field_value(&page.vmcb, field) & ~(0xffull << shift);
	struct result result;
	unsigned int value;
	bool ok;

	for (value = 0; value < 256; value++) {
		set_field(field, kept | (u64)value << shift);
		breaks(&processor, &result);
		ok = legal(value) ? result.nr == 0 : is_only(&result, rule);
		if (ok)
			continue;
		tap_note("  value 0x%x", value);
		note_result(&result);
		return false;
	}
	return true;
}

static bool legal_tlb_control(u8 value)
{
	return value == 0 || value == 1 || value == 3 || value == 7;
}

static bool legal_memory_type(u8 value)
{
	return value == 0 || value == 1 || (value >= 4 && value <= 7);
}

static bool legal_exception(u8 vector)
{
	static const u8 legal[] = {
		0, 1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19, 21, 28, 29, 30,
	};

	return memchr(legal, vector, sizeof(legal));
}

static bool any(u8 vector)
{
	(void)vector;
	return true;
}

static void test_byte_sweeps(void)
{
	unsigned int shift, type;
	bool ok = true;

	load_base(LONG_MODE);
	tap_ok(byte_sweep(VMCB_FIELD_TLB_CONTROL, 0, VMCB_RULE_TLB_CONTROL, legal_tlb_control),
	       "each value of TLB_CONTROL");
	for (shift = 0; shift < 64; shift += 8) {
		load_base(LONG_MODE);
		ok = ok && byte_sweep(VMCB_FIELD_G_PAT, shift, VMCB_RULE_G_PAT_TYPES,
				      legal_memory_type);
	}
	tap_ok(ok, "each value of each byte of G_PAT");

	load_base(PROTECTED);
	set_field(VMCB_FIELD_EVENT_INJ, EXCEPTION(0));
	tap_ok(byte_sweep(VMCB_FIELD_EVENT_INJ, 0, VMCB_RULE_EVENT_VECTOR, legal_exception),
	       "each exception");
	for (ok = true, type = 0; type < 8; type++) {
		if (type == 3)
			continue;
		set_field(VMCB_FIELD_EVENT_INJ, SVM_EVTINJ_VALID | type << 8);
		if (type == 0 || type == 2 || type == 4) {
			ok = ok && byte_sweep(VMCB_FIELD_EVENT_INJ, 0, 0, any);
		} else {
			struct result result;

			breaks(&processor, &result);
			ok = ok && is_only(&result, VMCB_RULE_EVENT_TYPE);
		}
	}
	tap_ok(ok, "each type and vector of the other events");
}

/* What no rule is about may hold anything: VMRUN does not look at it. */
static void test_fields_without_rule(void)
{
	bool ruled[VMCB_NR_FIELDS] = {};
	unsigned int i, nr = 0, wrong = 0;
	struct result result;

	for (i = 0; i < ARRAY_SIZE(broken); i++)
		ruled[broken[i].blames] = true;
	/* All ones there turn on what has rules. */
	ruled[VMCB_FIELD_NESTED_CTL] = true;
	for (i = 0; i < VMCB_NR_FIELDS; i++) {
		if (ruled[i])
			continue;
		load_base(LONG_MODE);
		set_field(i, ~0ull);
		nr++;
		if (!breaks(&processor, &result))
			continue;
		tap_note("  %s", fields[i].id);
		note_result(&result);
		wrong++;
	}
	tap_ok(nr > 50 && !wrong, "%u fields without a rule", nr);
}

/* ----------------------------------------------------------------------- the names */

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void test_names(void)
{
	static const struct {
		u64 code;
		const char *name;
	} list[] = {
#define X(code, name) { code, name },
		SVM_EXIT_CODE_LIST(X)
#undef X
	};
	bool ok = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(list); i++) {
		ok = ok && (!i || list[i].code > list[i - 1].code) &&
		     svm_exit_row(list[i].code) < SVM_NR_EXIT_ROWS &&
		     same(svm_exit_row_name(svm_exit_row(list[i].code)), list[i].name) &&
		     same(svm_exit_code_name(list[i].code), list[i].name);
	}
	tap_ok(ok, "%zu exit codes, in order, with a row and a name", ARRAY_SIZE(list));
	tap_ok(SVM_NR_EXIT_ROWS == 176 && svm_exit_row(0xa7) == 0xa7 &&
	       svm_exit_row(0x400) == 0xa8 && svm_exit_row(0x407) == 175 &&
	       svm_exit_row(0xa8) == 176 && svm_exit_row(0x3ff) == 176 &&
	       svm_exit_row(0x408) == 176 && svm_exit_row(~0ull) == 176 &&
	       svm_exit_row(1ull << 32) == 176 && svm_exit_row((1ull << 32) + 0x400) == 176,
	       "rows of exits");
	tap_ok(same(svm_exit_row_name(0), "READ_CR0") &&
	       same(svm_exit_row_name(0x18), "WRITE_CR8") &&
	       same(svm_exit_row_name(0x37), "WRITE_DR7") &&
	       same(svm_exit_row_name(0x4e), "EXCP_PF") &&
	       same(svm_exit_row_name(0x94), "CR4_WRITE_TRAP") &&
	       same(svm_exit_row_name(0xa8), "NPF") && !svm_exit_row_name(0x4f) &&
	       !svm_exit_row_name(0xa7) && !svm_exit_row_name(0xac) && !svm_exit_row_name(176) &&
	       !svm_exit_row_name(~0u), "names of rows");
	tap_ok(same(svm_exit_code_name(~0ull), "INVALID") &&
	       same(svm_exit_code_name(0xffffffff), "INVALID") &&
	       same(svm_exit_code_name(-2ull), "BUSY") &&
	       same(svm_exit_code_name(0x1ffffffff), "UNKNOWN") &&
	       same(svm_exit_code_name(-5ull), "UNKNOWN") &&
	       same(svm_exit_code_name(0xa8), "UNKNOWN") &&
	       same(svm_exit_code_name(0x400), "NPF") &&
	       same(svm_exit_code_name(0x78), "HLT"), "names of exit codes");
	tap_ok(same(svm_intercept_name(INTERCEPT_CR3_WRITE), "WRITE_CR3") &&
	       same(svm_intercept_name(INTERCEPT_EXCEPTION_OFFSET + 14), "EXCP_PF") &&
	       same(svm_intercept_name(INTERCEPT_VINTR), "VINTR") &&
	       same(svm_intercept_name(INTERCEPT_IOIO_PROT), "IOIO") &&
	       same(svm_intercept_name(INTERCEPT_VMRUN), "VMRUN") &&
	       same(svm_intercept_name(INTERCEPT_XSETBV), "XSETBV") &&
	       same(svm_intercept_name(TRAP_CR8_WRITE), "CR8_WRITE_TRAP") &&
	       same(svm_intercept_name(INTERCEPT_TLBSYNC), "TLBSYNC") &&
	       !svm_intercept_name(0xa8), "names of intercepts");
}

/* Each field once, none overlapping the next; @page.bytes holds them all. */
static void test_field_list(void)
{
	unsigned int i, j;
	bool ok = true;

	for (i = 0; i < VMCB_NR_FIELDS; i++) {
		ok = ok && fields[i].size && fields[i].size <= 8 &&
		     fields[i].offset + fields[i].size <= sizeof(struct vmcb);
		ok = ok && (!i || fields[i].offset >= fields[i - 1].offset + fields[i - 1].size);
		for (j = 0; j < i; j++)
			ok = ok && strcmp(vmcb_field_name(i), vmcb_field_name(j));
	}
	tap_ok(ok && !strcmp(vmcb_field_name(VMCB_FIELD_G_PAT), "G_PAT") &&
	       !strcmp(vmcb_field_name(VMCB_NR_FIELDS), "unknown VMCB field"),
	       "%u VMCB fields, each listed once and in order", VMCB_NR_FIELDS);
}

/* ------------------------------------------------------------------------ the report */

static char output[200][256];
static unsigned int output_lines, output_too_long;

static void keep_line(void *ctx, const char *line)
{
	(void)ctx;
	if (strlen(line) > 120 || strchr(line, '\n'))
		output_too_long++;
	if (output_lines < ARRAY_SIZE(output))
		snprintf(output[output_lines], sizeof(output[0]), "%s", line);
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
	load_base(LONG_MODE);
	set_field(VMCB_FIELD_INTERCEPT_CR, BIT(INTERCEPT_CR0_READ) | BIT(INTERCEPT_CR8_WRITE));
	set_field(VMCB_FIELD_INTERCEPT_EXCP, BIT(14) | BIT(15));
	set_field(VMCB_FIELD_EXIT_CODE, SVM_EXIT_NPF);
	set_field(VMCB_FIELD_EXIT_INT_INFO, 0x80000b0d);
	set_field(VMCB_FIELD_TLB_CONTROL, 3);
	set_field(VMCB_FIELD_VINTR, 0x81001105);
	set_field(VMCB_FIELD_INSN_LEN, 3);
	memcpy(page.vmcb.control.insn_bytes, "\x0f\x01\xd9\xcc", 4);
	page.vmcb.save.cs.selector = 0x10;
	page.vmcb.save.cs.limit = ~0u;
	page.vmcb.save.ldtr.selector = 0x58;
	page.vmcb.save.idtr.limit = 0xfff;
	page.vmcb.save.idtr.base = 0xfffffe0000000000;
	output_lines = 0;
	vmcb_dump(&page.vmcb, keep_line, NULL);
	tap_ok(output_has("  Intercepts, CRs           0x01000001 READ_CR0, WRITE_CR8") &&
	       output_has("  Intercepts, exceptions    0x0000c000 EXCP_PF, reserved 0x8000") &&
	       output_has("  Intercepts, word 3        0x18000003 INTR, NMI, IOIO, MSR") &&
	       output_has("0x00000400 NPF") && output_has("0x03 flush this ASID") &&
	       output_has("0x80000b0d exception, vector 13, with error code") &&
	       output_has("V_TPR 5, V_INTR_PRIO 0, V_IRQ, V_NMI_MASK, V_INTR_MASKING, AVIC") &&
	       output_has("0x03 0f 01 d9") && output_has("NP_ENABLE") &&
	       output_has("selector 0x0010, base 0x0, limit 0xffffffff, code, execute/read,") &&
	       output_has("0x0000 selector 0x0058, base 0x0, limit 0x0, not present") &&
	       output_has("base 0xfffffe0000000000, limit 0xfff") &&
	       output_has("SCE, LME, LMA, NXE, SVME") && output_has("UC-, UC"), "the dump decodes");
	tap_ok(!strcmp(output[0], "VMCB control area:") && output_has("VMCB save area (") &&
	       output_lines >= VMCB_NR_FIELDS + 2 && output_lines < ARRAY_SIZE(output) &&
	       !output_too_long, "the dump has %u lines, none too long", output_lines);
}

/* The failed VMRUN that the documentation shows. */
static unsigned int explain_example(vmcb_print_fn print)
{
	load_base(LONG_MODE);
	set_field(VMCB_FIELD_EXIT_CODE, ~0ull);
	set_field(VMCB_FIELD_EXIT_CODE_HI, ~0ull);
	set_field(VMCB_FIELD_EFER, 0xd01);		/* SVME forgotten */
	set_field(VMCB_FIELD_ASID, 0);
	page.vmcb.save.cs.selector = 0x10;
	return vmcb_explain_invalid(&page.vmcb, &processor, print, NULL);
}

static void test_explain(void)
{
	output_lines = 0;
	tap_ok(explain_example(keep_line) == 2 &&
	       output_has("VMRUN failed: exit code 0xffffffffffffffff (INVALID)") &&
	       output_has("VMCB control area:") &&
	       output_has("Broken rule EFER_SVME, APM vol. 2, 15.5.1 \"Basic Operation\":") &&
	       output_has("  EFER = 0x0000000000000d01 SCE, LME, LMA, NXE") &&
	       output_has("Broken rule ASID_NOT_ZERO, ") && output_has("2 broken rules."),
	       "a failed VMRUN is explained");
	load_base(LONG_MODE);
	set_field(VMCB_FIELD_EFER, EFER_SVME | EFER_LME | BIT_ULL(9));
	output_lines = 0;
	tap_ok(vmcb_explain_invalid(&page.vmcb, &processor, keep_line, NULL) == 1 &&
	       output_has("  wrong bits: 0x200 reserved 0x200") && output_has("1 broken rule."),
	       "wrong bits are named");
	load_base(LONG_MODE);
	output_lines = 0;
	tap_ok(vmcb_explain_invalid(&page.vmcb, &processor, keep_line, NULL) == 0 &&
	       output_has("All rules checked hold; see vmcb_rules.h for those left out."),
	       "no rule broken");
	set_field(VMCB_FIELD_CLEAN, BIT(5));
	output_lines = 0;
	tap_ok(vmcb_explain_invalid(&page.vmcb, &processor, keep_line, NULL) == 0 &&
	       output_has("a copy of what is marked clean") && output_has("CRx, EFER"),
	       "no rule broken, but groups are clean");
}

/*
 * The documentation quotes explain_example()'s output in its literal blocks,
 * indented by four.  What looks like such a line must be one.
 */
static void test_documentation(void)
{
	FILE *file = fopen(DOCUMENT, "r");
	unsigned int quoted = 0, wrong = 0, i;
	char line[256];

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

/* Nothing in a VMCB or a capability may upset the code (ASan and UBSan watch). */
static void test_random_vmcb(void)
{
	struct vmcb_check_env env;
	unsigned int i, j, violations = 0;

	output_too_long = 0;
	for (i = 0; i < NR_RANDOM; i++) {
		load_base(random64() % NR_BASES);
		for (j = 0; j < random64() % 64; j++)
			set_field(random64() % VMCB_NR_FIELDS, random64() >> (random64() & 63));
		env = processor;
		if (i & 1)
			for (j = 0; j < sizeof(env); j++)
				((u8 *)&env)[j] = random64();
		output_lines = 0;
		violations += vmcb_explain_invalid(&page.vmcb, &env, keep_line, NULL);
	}
	tap_ok(violations > NR_RANDOM && !output_too_long, "%u random VMCBs", NR_RANDOM);
}

static void print_line(void *ctx, const char *line)
{
	(void)ctx;
	puts(line);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--example"))
		return explain_example(print_line) != 2;

	test_valid();
	test_broken();
	test_every_rule_has_a_row();
	test_bit_sweeps();
	test_byte_sweeps();
	test_fields_without_rule();
	test_names();
	test_field_list();
	test_dump();
	test_explain();
	test_documentation();
	test_random_vmcb();
	return tap_done();
}
