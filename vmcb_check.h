/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why did VMRUN fail?  SVM told in words.
 *
 * A VMRUN that the processor refuses ends in exit code -1, VMEXIT_INVALID, and
 * says nothing more: not even which area of the VMCB is to blame.  This
 * interface gives the long answer:
 *
 *   names   what an exit code or an intercept bit is called  (svm_names.c)
 *   dump    the whole VMCB by field name, decoded             (svm_names.c)
 *   rules   the checks that the APM says the processor makes, made again in
 *           software, each broken one with its words and values (vmcb_check.c)
 *
 * The CPU whose VMRUN failed calls vmcb_explain_invalid(), which runs all three
 * and hands out finished lines of text.
 *
 * Both files are pure: they know no vCPU, take no lock, allocate nothing and only
 * read the VMCB, so they also compile in userspace, where
 * tools/unit/test_vmcb_check.c breaks every rule once.
 *
 * APM section numbers are those of volume 2, chapter 15; each rule also carries
 * its section's title.
 */
#ifndef MINIKVM_VMCB_CHECK_H
#define MINIKVM_VMCB_CHECK_H

#include <linux/types.h>

#include "svm_names.h"
#include "vmcb_rules.h"

/**
 * typedef vmcb_print_fn - take one finished line of text
 * @ctx: the caller's
 * @line: without a newline; gone after the call
 */
typedef void (*vmcb_print_fn)(void *ctx, const char *line);

/**
 * struct vmcb_check_env - what the rules depend on besides the VMCB
 * @efer_bits: bits of EFER that the processor has and a guest may have set, SVME
 *	among them
 * @cr4_bits: bits of CR4 that the processor has
 * @c_bit: address bit that selects memory encryption in the host's page tables
 *	(sme_me_mask), which is no part of an address; 0 if there is none
 * @nr_asids: CPUID.8000000AH:EBX, number of ASIDs, the host's 0 among them
 * @features: CPUID.8000000AH:EDX, the SVM features
 * @phys_bits: physical-address width, CPUID.80000008H:EAX[7:0]
 *
 * Filled once when the module reads the capabilities.
 */
struct vmcb_check_env {
	u64 efer_bits;
	u64 cr4_bits;
	u64 c_bit;
	u32 nr_asids;
	u32 features;
	u8 phys_bits;
};

/* How many fields one rule may blame. */
#define VMCB_VIOLATION_FIELDS 4

/**
 * struct vmcb_violation - one broken rule
 * @rule: which, see vmcb_rules.h
 * @id: its name as a string, "EFER_SVME"
 * @section: APM section, "15.5.1"
 * @title: that section's title
 * @words: the rule: what should be true and is not
 * @bits: the bits of the first field that are wrong, where the rule is about
 *	single bits, else 0
 * @nr: how many entries of @field are used
 * @field: the fields to blame, the guilty one first
 */
struct vmcb_violation {
	enum vmcb_rule rule;
	const char *id;
	const char *section;
	const char *title;
	const char *words;
	u64 bits;
	unsigned int nr;
	enum vmcb_field field[VMCB_VIOLATION_FIELDS];
};

/**
 * typedef vmcb_report_fn - take one broken rule
 * @ctx: the caller's
 * @violation: gone after the call
 */
typedef void (*vmcb_report_fn)(void *ctx, const struct vmcb_violation *violation);

unsigned int vmcb_check(const struct vmcb *vmcb, const struct vmcb_check_env *env,
			vmcb_report_fn report, void *ctx);

unsigned int vmcb_explain_invalid(const struct vmcb *vmcb, const struct vmcb_check_env *env,
				  vmcb_print_fn print, void *ctx);

void vmcb_dump(const struct vmcb *vmcb, vmcb_print_fn print, void *ctx);

#endif /* MINIKVM_VMCB_CHECK_H */
