/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why did the VM entry fail?  VMX told in words.
 *
 * A VMLAUNCH or VMRESUME that the processor refuses says little more than
 * "something in the VMCS is wrong".  This interface gives the long answer:
 *
 *   names   what a number means: VM-instruction errors, exit reasons, the bits
 *           of the control words, VMCS fields           (vmx_names.c)
 *   dump    the whole VMCS by field name, decoded        (vmx_names.c)
 *   rules   the checks that the SDM says the processor makes, made again in
 *           software, each broken one with its words and values (vmcs_check.c)
 *
 * The failing CPU calls vmcs_explain_entry_failure() with the VMCS still
 * current; that runs all three and hands out finished lines of text.
 *
 * Both files are pure: they know no vCPU, take no lock, allocate nothing and
 * reach the VMCS only through struct vmcs_reader, so they also compile in
 * userspace, where tools/unit/test_vmcs_check.c breaks every rule once.
 *
 * SDM section numbers are those of the editions in which "VM Entries" is
 * chapter 27 of volume 3C; each rule also carries its section's title, which
 * does not move between editions.
 */
#ifndef MINIKVM_VMCS_CHECK_H
#define MINIKVM_VMCS_CHECK_H

#include <linux/types.h>

#include "vmcs_rules.h"
#include "vmx_names.h"

/**
 * struct vmcs_reader - how the pure code reads a VMCS
 * @read: store the value of the field with this encoding in @value (zero
 *	extended) and return true; return false, and say nothing, when the
 *	processor has no such field (VMREAD fails with error 12)
 * @ctx: passed to @read
 */
struct vmcs_reader {
	bool (*read)(void *ctx, u32 encoding, u64 *value);
	void *ctx;
};

/**
 * typedef vmcs_print_fn - take one finished line of text
 * @ctx: the caller's
 * @line: without a newline; gone after the call
 */
typedef void (*vmcs_print_fn)(void *ctx, const char *line);

/* Longest line handed to a vmcs_print_fn, its terminating NUL included. */
#define VMCS_LINE_MAX 256

/**
 * struct vmcs_check_env - what the rules depend on besides the VMCS
 * @vmcs: the VMCS to check
 * @basic: IA32_VMX_BASIC
 * @pin_ctls: IA32_VMX_TRUE_PINBASED_CTLS if @basic has bit 55 (true controls)
 *	set, else IA32_VMX_PINBASED_CTLS: allowed-0 settings in bits 31:0
 *	(1 = must be 1), allowed-1 settings in bits 63:32 (0 = must be 0)
 * @proc_ctls: likewise IA32_VMX_(TRUE_)PROCBASED_CTLS
 * @exit_ctls: likewise IA32_VMX_(TRUE_)EXIT_CTLS
 * @entry_ctls: likewise IA32_VMX_(TRUE_)ENTRY_CTLS
 * @proc_ctls2: IA32_VMX_PROCBASED_CTLS2, 0 if the processor lacks it
 * @proc_ctls3: IA32_VMX_PROCBASED_CTLS3 (all 64 bits are allowed-1), or 0
 * @misc: IA32_VMX_MISC
 * @cr0_fixed0: IA32_VMX_CR0_FIXED0, bits that must be 1
 * @cr0_fixed1: IA32_VMX_CR0_FIXED1, bits that may be 1
 * @cr4_fixed0: IA32_VMX_CR4_FIXED0
 * @cr4_fixed1: IA32_VMX_CR4_FIXED1
 * @ept_vpid_cap: IA32_VMX_EPT_VPID_CAP, 0 if the processor lacks it
 * @vmfunc: IA32_VMX_VMFUNC, 0 if the processor lacks it
 * @host_efer: IA32_EFER at the time of the entry (only LMA matters)
 * @debugctl_reserved: bits of IA32_DEBUGCTL this processor reserves;
 *	VMCS_DEBUGCTL_RESERVED is right for those with no newer bits
 * @perf_global_ctrl_reserved: bits of IA32_PERF_GLOBAL_CTRL this processor
 *	reserves (from CPUID.0AH), ~0 if it has none of the MSR
 * @rtit_ctl_reserved: bits of IA32_RTIT_CTL this processor reserves
 * @phys_bits: physical-address width, CPUID.80000008H:EAX[7:0]
 * @linear_bits: linear-address width the processor supports,
 *	CPUID.80000008H:EAX[15:8]: 48, or 57 whether or not CR4.LA57 is set
 *
 * Filled once when the module reads the capabilities; @vmcs and @host_efer may
 * be set just before the check.  VM entries are taken to happen outside SMM.
 */
struct vmcs_check_env {
	struct vmcs_reader vmcs;
	u64 basic;
	u64 pin_ctls;
	u64 proc_ctls;
	u64 exit_ctls;
	u64 entry_ctls;
	u64 proc_ctls2;
	u64 proc_ctls3;
	u64 misc;
	u64 cr0_fixed0;
	u64 cr0_fixed1;
	u64 cr4_fixed0;
	u64 cr4_fixed1;
	u64 ept_vpid_cap;
	u64 vmfunc;
	u64 host_efer;
	u64 debugctl_reserved;
	u64 perf_global_ctrl_reserved;
	u64 rtit_ctl_reserved;
	u8 phys_bits;
	u8 linear_bits;
};

/*
 * IA32_DEBUGCTL (SDM vol. 4, table of architectural MSRs): LBR 0, BTF 1, bus
 * lock detect 2, TR to freeze-perfmon 6..12, uncore PMI 13, freeze in SMM 14,
 * RTM debug 15; the rest reserved.
 */
#define VMCS_DEBUGCTL_RESERVED 0xffffffffffff0038ull

/* How many fields one rule may blame. */
#define VMCS_VIOLATION_FIELDS 4

/**
 * struct vmcs_violation - one broken rule
 * @rule: which, see vmcs_rules.h
 * @id: its name as a string, "HOST_CR0_FIXED"
 * @section: SDM section, "27.2.2"
 * @title: that section's title
 * @words: the rule: what should be true and is not
 * @bits: the bits of the first field that are wrong, where the rule is about
 *	single bits, else 0
 * @nr: how many entries of @field are used
 * @field: the fields to blame and what they hold
 */
struct vmcs_violation {
	enum vmcs_rule rule;
	const char *id;
	const char *section;
	const char *title;
	const char *words;
	u64 bits;
	unsigned int nr;
	struct {
		u32 encoding;
		u64 value;
	} field[VMCS_VIOLATION_FIELDS];
};

/**
 * typedef vmcs_report_fn - take one broken rule
 * @ctx: the caller's
 * @violation: gone after the call
 */
typedef void (*vmcs_report_fn)(void *ctx, const struct vmcs_violation *violation);

/*
 * The rules, by what a violation leads to.  Each checks every rule of its part
 * (the processor stops at one) and returns how many are broken.
 *
 *   vmcs_check_controls()  SDM 27.2.1: VM-instruction error 7
 *   vmcs_check_host()      SDM 27.2.2 to 27.2.4: VM-instruction error 8
 *   vmcs_check_guest()     SDM 27.3.1: exit reason 33 with bit 31 set
 *   vmcs_check()           all three
 */
int vmcs_check_controls(const struct vmcs_check_env *env, vmcs_report_fn report, void *ctx);
int vmcs_check_host(const struct vmcs_check_env *env, vmcs_report_fn report, void *ctx);
int vmcs_check_guest(const struct vmcs_check_env *env, vmcs_report_fn report, void *ctx);
int vmcs_check(const struct vmcs_check_env *env, vmcs_report_fn report, void *ctx);

/**
 * enum vmcs_entry_failure - how a VM entry failed
 * @VMCS_ENTRY_VMFAIL: the instruction itself failed (CF or ZF set)
 * @VMCS_ENTRY_EXIT: it exited at once, bit 31 of the exit reason set
 */
enum vmcs_entry_failure {
	VMCS_ENTRY_VMFAIL,
	VMCS_ENTRY_EXIT,
};

int vmcs_explain_entry_failure(const struct vmcs_check_env *env, enum vmcs_entry_failure how,
			       vmcs_print_fn print, void *ctx);

void vmcs_dump(const struct vmcs_reader *vmcs, vmcs_print_fn print, void *ctx);

/* Numbers to words.  All strings are constants; none of these returns NULL. */
const char *vmx_instruction_error(u32 error);
const char *vmx_exit_reason_name(u32 reason);
const char *vmx_entry_failure_qualification(u64 qualification);
const char *vmcs_field_name(u32 encoding);

/**
 * enum vmx_control_word - the VMX control words that have named bits
 * @VMX_PIN_CTLS: pin-based VM-execution controls
 * @VMX_PROC_CTLS: primary processor-based VM-execution controls
 * @VMX_PROC_CTLS2: secondary processor-based VM-execution controls
 * @VMX_PROC_CTLS3: tertiary processor-based VM-execution controls
 * @VMX_EXIT_CTLS: VM-exit controls
 * @VMX_ENTRY_CTLS: VM-entry controls
 */
enum vmx_control_word {
	VMX_PIN_CTLS,
	VMX_PROC_CTLS,
	VMX_PROC_CTLS2,
	VMX_PROC_CTLS3,
	VMX_EXIT_CTLS,
	VMX_ENTRY_CTLS,
};

const char *vmx_control_word_name(enum vmx_control_word word);
const char *vmx_control_bit_name(enum vmx_control_word word, unsigned int bit);

#endif /* MINIKVM_VMCS_CHECK_H */
