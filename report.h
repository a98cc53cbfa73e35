/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lines of a report: numbers as words
 *
 * What the report of a failed VM entry (vmx_names.c) and that of a failed VMRUN
 * (svm_names.c) have in common: building a line of text item by item, wrapped
 * where it gets long, and the names of bits that the architecture gives to both.
 *
 * Pure: no lock, no allocation; a line lives on the stack.  In a header, for the
 * two users are in two modules, each of which includes it once.
 */
#ifndef MINIKVM_REPORT_H
#define MINIKVM_REPORT_H

#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

/* Longest line, its terminating NUL included, and where a list of items wraps. */
#define REPORT_LINE_MAX 256
#define REPORT_WRAP_COLUMN 116

/**
 * struct line - one line in the making
 * @print: where it goes
 * @ctx: passed to @print
 * @indent: spaces before a continuation
 * @len: characters in @text
 * @text: always a string
 */
struct line {
	void (*print)(void *ctx, const char *line);
	void *ctx;
	unsigned int indent;
	unsigned int len;
	char text[REPORT_LINE_MAX];
};

/* Hand out what the line holds, if anything, and start anew. */
static inline void line_flush(struct line *line)
{
	if (line->len)
		line->print(line->ctx, line->text);
	line->len = 0;
	line->text[0] = '\0';
}

/* Add text; what is beyond REPORT_LINE_MAX is cut. */
static inline __printf(2, 3) void line_add(struct line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line->len += vscnprintf(line->text + line->len, sizeof(line->text) - line->len, format,
				args);
	va_end(args);
}

/* Add ", @item", on a new line if it would pass the wrap column. */
static inline void line_item(struct line *line, bool first, const char *item)
{
	if (!first)
		line_add(line, ",");
	if (line->len + strlen(item) + 1 > REPORT_WRAP_COLUMN) {
		line_flush(line);
		line_add(line, "%*s", (int)line->indent, "");
	} else {
		line_add(line, " ");
	}
	line_add(line, "%s", item);
}

/* ------------------------------------------------------------------ names of bits */

/* An entry without a name ends a table. */
struct bit_name {
	u64 mask;
	const char *name;
};

static const struct bit_name cr0_bits[] = {
	{ X86_CR0_PE, "PE" }, { X86_CR0_MP, "MP" }, { X86_CR0_EM, "EM" }, { X86_CR0_TS, "TS" },
	{ X86_CR0_ET, "ET" }, { X86_CR0_NE, "NE" }, { X86_CR0_WP, "WP" }, { X86_CR0_AM, "AM" },
	{ X86_CR0_NW, "NW" }, { X86_CR0_CD, "CD" }, { X86_CR0_PG, "PG" }, {}
};

static const struct bit_name cr4_bits[] = {
	{ X86_CR4_VME, "VME" }, { X86_CR4_PVI, "PVI" }, { X86_CR4_TSD, "TSD" },
	{ X86_CR4_DE, "DE" }, { X86_CR4_PSE, "PSE" }, { X86_CR4_PAE, "PAE" },
	{ X86_CR4_MCE, "MCE" }, { X86_CR4_PGE, "PGE" }, { X86_CR4_PCE, "PCE" },
	{ X86_CR4_OSFXSR, "OSFXSR" }, { X86_CR4_OSXMMEXCPT, "OSXMMEXCPT" },
	{ X86_CR4_UMIP, "UMIP" }, { X86_CR4_LA57, "LA57" }, { X86_CR4_VMXE, "VMXE" },
	{ X86_CR4_SMXE, "SMXE" }, { X86_CR4_FSGSBASE, "FSGSBASE" }, { X86_CR4_PCIDE, "PCIDE" },
	{ X86_CR4_OSXSAVE, "OSXSAVE" }, { X86_CR4_SMEP, "SMEP" }, { X86_CR4_SMAP, "SMAP" },
	{ X86_CR4_PKE, "PKE" }, { X86_CR4_CET, "CET" }, { BIT_ULL(24), "PKS" },
	{ BIT_ULL(25), "UINTR" }, { BIT_ULL(28), "LAM_SUP" }, {}
};

static const struct bit_name rflags_bits[] = {
	{ X86_EFLAGS_CF, "CF" }, { X86_EFLAGS_PF, "PF" }, { X86_EFLAGS_AF, "AF" },
	{ X86_EFLAGS_ZF, "ZF" }, { X86_EFLAGS_SF, "SF" }, { X86_EFLAGS_TF, "TF" },
	{ X86_EFLAGS_IF, "IF" }, { X86_EFLAGS_DF, "DF" }, { X86_EFLAGS_OF, "OF" },
	{ BIT_ULL(12), "IOPL bit 0" }, { BIT_ULL(13), "IOPL bit 1" }, { X86_EFLAGS_NT, "NT" },
	{ X86_EFLAGS_RF, "RF" }, { X86_EFLAGS_VM, "VM" }, { X86_EFLAGS_AC, "AC" },
	{ X86_EFLAGS_VIF, "VIF" }, { X86_EFLAGS_VIP, "VIP" }, { X86_EFLAGS_ID, "ID" },
	{ X86_EFLAGS_FIXED, "fixed 1" }, {}
};

/* From bit 12 on they are AMD's only. */
static const struct bit_name efer_bits[] = {
	{ EFER_SCE, "SCE" }, { EFER_LME, "LME" }, { EFER_LMA, "LMA" }, { EFER_NX, "NXE" },
	{ EFER_SVME, "SVME" }, { EFER_LMSLE, "LMSLE" }, { EFER_FFXSR, "FFXSR" },
	{ BIT_ULL(15), "TCE" }, { BIT_ULL(17), "MCOMMIT" }, { BIT_ULL(18), "INTWB" },
	{ BIT_ULL(20), "UAIE" }, { BIT_ULL(21), "AIBRSE" }, {}
};

/* The names of the bits set in @value, and "reserved" with the others. */
static inline void decode_bits(struct line *line, const struct bit_name *bits, u64 value)
{
	bool first = true;
	char rest[40];

	for (; bits->name; bits++) {
		if (!(value & bits->mask))
			continue;
		line_item(line, first, bits->name);
		value &= ~bits->mask;
		first = false;
	}
	if (value) {
		scnprintf(rest, sizeof(rest), "reserved 0x%llx", (unsigned long long)value);
		line_item(line, first, rest);
	}
}

/* ------------------------------------------------------------ what has more parts */

/* The eight memory types of a PAT. */
static inline void decode_pat(struct line *line, u64 value)
{
	static const char * const types[] = { "UC", "WC", "?", "?", "WT", "WP", "WB", "UC-" };
	unsigned int i;

	for (i = 0; i < 8; i++) {
		u8 type = value >> (8 * i);

		line_item(line, i == 0, type < ARRAY_SIZE(types) ? types[type] : "?");
	}
}

/* The low byte of a descriptor's attributes: type 3:0, S 4, DPL 6:5, P 7. */
static inline void decode_descriptor_type(struct line *line, u8 type)
{
	static const char * const system_types[16] = {
		"reserved type", "available 16-bit TSS", "LDT", "busy 16-bit TSS",
		"16-bit call gate", "task gate", "16-bit interrupt gate", "16-bit trap gate",
		"reserved type", "available TSS", "reserved type", "busy TSS", "call gate",
		"reserved type", "interrupt gate", "trap gate",
	};

	if (!(type & BIT(4))) {
		line_item(line, true, system_types[type & 15]);
		return;
	}
	if (type & BIT(3)) {
		line_item(line, true, type & BIT(2) ? "conforming code" : "code");
		line_item(line, false, type & BIT(1) ? "execute/read" : "execute-only");
	} else {
		line_item(line, true, type & BIT(2) ? "expand-down data" : "data");
		line_item(line, false, type & BIT(1) ? "read/write" : "read-only");
	}
	line_item(line, false, type & BIT(0) ? "accessed" : "not accessed");
}

#endif /* MINIKVM_REPORT_H */
