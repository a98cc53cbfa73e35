/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tables of VMX names, one row for each thing
 *
 * Each list is an X-macro: X is what the user of the list makes of a row.  One
 * row feeds all uses, so that an exit reason's handler, trace text and counter
 * (or a VMCS field's name and decoder) cannot drift apart.
 *
 *   VMX_EXIT_REASON_LIST(X)        X(constant, "NAME", counter)
 *   VMX_INSTRUCTION_ERROR_LIST(X)  X(number, "words")
 *   VMX_*_CTLS_LIST(X)             X(mask, "name")
 *   VMCS_FIELD_LIST(X)             X(encoding, decoder, "name")
 *
 * Constants are the kernel's.  What <asm/vmx.h> lacks, or only some kernels
 * have, is defined here and nowhere else.  An enum constant cannot be probed by
 * the preprocessor, hence the VMCS_ prefix on our own field encodings.
 */
#ifndef MINIKVM_VMX_NAMES_H
#define MINIKVM_VMX_NAMES_H

#include <asm/vmx.h>

/* Basic exit reasons (SDM app. C "VMX basic exit reasons") not in uapi/asm/vmx.h. */
#ifndef EXIT_REASON_IO_SMI
#define EXIT_REASON_IO_SMI	5
#endif
#ifndef EXIT_REASON_OTHER_SMI
#define EXIT_REASON_OTHER_SMI	6
#endif
#ifndef EXIT_REASON_GETSEC
#define EXIT_REASON_GETSEC	11
#endif
#ifndef EXIT_REASON_RSM
#define EXIT_REASON_RSM		17
#endif
#ifndef EXIT_REASON_PCONFIG
#define EXIT_REASON_PCONFIG	65
#endif
#ifndef EXIT_REASON_SPP
#define EXIT_REASON_SPP		66
#endif
#ifndef EXIT_REASON_LOADIWKEY
#define EXIT_REASON_LOADIWKEY	69
#endif
#ifndef EXIT_REASON_ENCLV
#define EXIT_REASON_ENCLV	70
#endif
#ifndef EXIT_REASON_ENQCMD
#define EXIT_REASON_ENQCMD	72
#endif
#ifndef EXIT_REASON_ENQCMDS
#define EXIT_REASON_ENQCMDS	73
#endif

/*
 * Basic exit reasons, in order.  The third column names the counter under
 * debugfs and must be a C identifier.
 */
#define VMX_EXIT_REASON_LIST(X)						\
	X(EXIT_REASON_EXCEPTION_NMI, "EXCEPTION_NMI", exception_nmi)	\
	X(EXIT_REASON_EXTERNAL_INTERRUPT, "EXTERNAL_INTERRUPT", external_interrupt) \
	X(EXIT_REASON_TRIPLE_FAULT, "TRIPLE_FAULT", triple_fault)	\
	X(EXIT_REASON_INIT_SIGNAL, "INIT_SIGNAL", init_signal)		\
	X(EXIT_REASON_SIPI_SIGNAL, "SIPI_SIGNAL", sipi_signal)		\
	X(EXIT_REASON_IO_SMI, "IO_SMI", io_smi)				\
	X(EXIT_REASON_OTHER_SMI, "OTHER_SMI", other_smi)		\
	X(EXIT_REASON_INTERRUPT_WINDOW, "INTERRUPT_WINDOW", interrupt_window) \
	X(EXIT_REASON_NMI_WINDOW, "NMI_WINDOW", nmi_window)		\
	X(EXIT_REASON_TASK_SWITCH, "TASK_SWITCH", task_switch)		\
	X(EXIT_REASON_CPUID, "CPUID", cpuid)				\
	X(EXIT_REASON_GETSEC, "GETSEC", getsec)				\
	X(EXIT_REASON_HLT, "HLT", hlt)					\
	X(EXIT_REASON_INVD, "INVD", invd)				\
	X(EXIT_REASON_INVLPG, "INVLPG", invlpg)				\
	X(EXIT_REASON_RDPMC, "RDPMC", rdpmc)				\
	X(EXIT_REASON_RDTSC, "RDTSC", rdtsc)				\
	X(EXIT_REASON_RSM, "RSM", rsm)					\
	X(EXIT_REASON_VMCALL, "VMCALL", vmcall)				\
	X(EXIT_REASON_VMCLEAR, "VMCLEAR", vmclear)			\
	X(EXIT_REASON_VMLAUNCH, "VMLAUNCH", vmlaunch)			\
	X(EXIT_REASON_VMPTRLD, "VMPTRLD", vmptrld)			\
	X(EXIT_REASON_VMPTRST, "VMPTRST", vmptrst)			\
	X(EXIT_REASON_VMREAD, "VMREAD", vmread)				\
	X(EXIT_REASON_VMRESUME, "VMRESUME", vmresume)			\
	X(EXIT_REASON_VMWRITE, "VMWRITE", vmwrite)			\
	X(EXIT_REASON_VMOFF, "VMXOFF", vmxoff)				\
	X(EXIT_REASON_VMON, "VMXON", vmxon)				\
	X(EXIT_REASON_CR_ACCESS, "CR_ACCESS", cr_access)		\
	X(EXIT_REASON_DR_ACCESS, "DR_ACCESS", dr_access)		\
	X(EXIT_REASON_IO_INSTRUCTION, "IO_INSTRUCTION", io_instruction)	\
	X(EXIT_REASON_MSR_READ, "MSR_READ", msr_read)			\
	X(EXIT_REASON_MSR_WRITE, "MSR_WRITE", msr_write)		\
	X(EXIT_REASON_INVALID_STATE, "INVALID_GUEST_STATE", invalid_guest_state) \
	X(EXIT_REASON_MSR_LOAD_FAIL, "MSR_LOAD_FAIL", msr_load_fail)	\
	X(EXIT_REASON_MWAIT_INSTRUCTION, "MWAIT", mwait)		\
	X(EXIT_REASON_MONITOR_TRAP_FLAG, "MONITOR_TRAP_FLAG", monitor_trap_flag) \
	X(EXIT_REASON_MONITOR_INSTRUCTION, "MONITOR", monitor)		\
	X(EXIT_REASON_PAUSE_INSTRUCTION, "PAUSE", pause)		\
	X(EXIT_REASON_MCE_DURING_VMENTRY, "MCE_DURING_VMENTRY", mce_during_vmentry) \
	X(EXIT_REASON_TPR_BELOW_THRESHOLD, "TPR_BELOW_THRESHOLD", tpr_below_threshold) \
	X(EXIT_REASON_APIC_ACCESS, "APIC_ACCESS", apic_access)		\
	X(EXIT_REASON_EOI_INDUCED, "EOI_INDUCED", eoi_induced)		\
	X(EXIT_REASON_GDTR_IDTR, "GDTR_IDTR", gdtr_idtr)		\
	X(EXIT_REASON_LDTR_TR, "LDTR_TR", ldtr_tr)			\
	X(EXIT_REASON_EPT_VIOLATION, "EPT_VIOLATION", ept_violation)	\
	X(EXIT_REASON_EPT_MISCONFIG, "EPT_MISCONFIG", ept_misconfig)	\
	X(EXIT_REASON_INVEPT, "INVEPT", invept)				\
	X(EXIT_REASON_RDTSCP, "RDTSCP", rdtscp)				\
	X(EXIT_REASON_PREEMPTION_TIMER, "PREEMPTION_TIMER", preemption_timer) \
	X(EXIT_REASON_INVVPID, "INVVPID", invvpid)			\
	X(EXIT_REASON_WBINVD, "WBINVD", wbinvd)				\
	X(EXIT_REASON_XSETBV, "XSETBV", xsetbv)				\
	X(EXIT_REASON_APIC_WRITE, "APIC_WRITE", apic_write)		\
	X(EXIT_REASON_RDRAND, "RDRAND", rdrand)				\
	X(EXIT_REASON_INVPCID, "INVPCID", invpcid)			\
	X(EXIT_REASON_VMFUNC, "VMFUNC", vmfunc)				\
	X(EXIT_REASON_ENCLS, "ENCLS", encls)				\
	X(EXIT_REASON_RDSEED, "RDSEED", rdseed)				\
	X(EXIT_REASON_PML_FULL, "PML_FULL", pml_full)			\
	X(EXIT_REASON_XSAVES, "XSAVES", xsaves)				\
	X(EXIT_REASON_XRSTORS, "XRSTORS", xrstors)			\
	X(EXIT_REASON_PCONFIG, "PCONFIG", pconfig)			\
	X(EXIT_REASON_SPP, "SPP", spp)					\
	X(EXIT_REASON_UMWAIT, "UMWAIT", umwait)				\
	X(EXIT_REASON_TPAUSE, "TPAUSE", tpause)				\
	X(EXIT_REASON_LOADIWKEY, "LOADIWKEY", loadiwkey)		\
	X(EXIT_REASON_ENCLV, "ENCLV", enclv)				\
	X(EXIT_REASON_ENQCMD, "ENQCMD", enqcmd)				\
	X(EXIT_REASON_ENQCMDS, "ENQCMDS", enqcmds)			\
	X(EXIT_REASON_BUS_LOCK, "BUS_LOCK", bus_lock)			\
	X(EXIT_REASON_NOTIFY, "NOTIFY", notify)

/* Size of an array indexed by basic exit reason. */
#define VMX_NR_EXIT_REASONS (EXIT_REASON_NOTIFY + 1)

/* VM-instruction error numbers (SDM 31.4 "VM Instruction Error Numbers"). */
#define VMX_INSTRUCTION_ERROR_LIST(X)					\
	X(1, "VMCALL executed in VMX root operation")			\
	X(2, "VMCLEAR with an invalid physical address")		\
	X(3, "VMCLEAR with the VMXON pointer")				\
	X(4, "VMLAUNCH with a VMCS that is not clear")			\
	X(5, "VMRESUME with a VMCS that was not launched")		\
	X(6, "VMRESUME after VMXOFF (VMXOFF and VMXON since VMLAUNCH)")	\
	X(7, "VM entry with invalid control fields")			\
	X(8, "VM entry with invalid host-state fields")			\
	X(9, "VMPTRLD with an invalid physical address")		\
	X(10, "VMPTRLD with the VMXON pointer")				\
	X(11, "VMPTRLD with an incorrect VMCS revision identifier")	\
	X(12, "VMREAD or VMWRITE of an unsupported VMCS component")	\
	X(13, "VMWRITE to a read-only VMCS component")			\
	X(15, "VMXON executed in VMX root operation")			\
	X(16, "VM entry with an invalid executive-VMCS pointer")	\
	X(17, "VM entry with an executive VMCS that was not launched")	\
	X(18, "VM entry with an executive-VMCS pointer that is not the VMXON pointer") \
	X(19, "VMCALL with a VMCS that is not clear, to activate the dual-monitor treatment") \
	X(20, "VMCALL with invalid VM-exit control fields")		\
	X(22, "VMCALL with an incorrect MSEG revision identifier")	\
	X(23, "VMXOFF under the dual-monitor treatment of SMIs and SMM") \
	X(24, "VMCALL with invalid SMM-monitor features")		\
	X(25, "VM entry with invalid VM-execution controls in the executive VMCS") \
	X(26, "VM entry with events blocked by MOV SS")			\
	X(28, "invalid operand to INVEPT or INVVPID")

/*
 * Bits of the control words that asm/vmx.h does not have, or has under one name
 * in one kernel and another in the next.
 */
#define VMCS_PROC2_EPT_VIOLATION_VE	VMCS_CONTROL_BIT(EPT_VIOLATION_VE)
#define VMCS_PROC2_XSAVES		VMCS_CONTROL_BIT(XSAVES)
#define VMCS_PROC2_PASID_TRANSLATION	BIT(21)
#define VMCS_PROC2_SUBPAGE_WRITE	BIT(23)
#define VMCS_PROC2_PCONFIG		BIT(27)
#define VMCS_PROC2_ENCLV_EXITING	BIT(28)
#define VMCS_EXIT_CLEAR_LBR_CTL		BIT(26)
#define VMCS_EXIT_CLEAR_UINV		BIT(27)
#define VMCS_EXIT_LOAD_CET		BIT(28)
#define VMCS_EXIT_LOAD_PKRS		BIT(29)
#define VMCS_EXIT_SAVE_PERF_GLOBAL_CTRL	BIT(30)
#define VMCS_EXIT_SECONDARY_CONTROLS	BIT(31)
#define VMCS_ENTRY_LOAD_UINV		BIT(19)
#define VMCS_ENTRY_LOAD_CET		BIT(20)
#define VMCS_ENTRY_LOAD_LBR_CTL		BIT(21)
#define VMCS_ENTRY_LOAD_PKRS		BIT(22)

/* Control bits: the mask and its name in the SDM (25.6 to 25.8 "VM-... Controls"). */
#define VMX_PIN_CTLS_LIST(X)						\
	X(PIN_BASED_EXT_INTR_MASK, "external-interrupt exiting")	\
	X(PIN_BASED_NMI_EXITING, "NMI exiting")				\
	X(PIN_BASED_VIRTUAL_NMIS, "virtual NMIs")			\
	X(PIN_BASED_VMX_PREEMPTION_TIMER, "activate VMX-preemption timer") \
	X(PIN_BASED_POSTED_INTR, "process posted interrupts")

#define VMX_PROC_CTLS_LIST(X)						\
	X(CPU_BASED_INTR_WINDOW_EXITING, "interrupt-window exiting")	\
	X(CPU_BASED_USE_TSC_OFFSETTING, "use TSC offsetting")		\
	X(CPU_BASED_HLT_EXITING, "HLT exiting")				\
	X(CPU_BASED_INVLPG_EXITING, "INVLPG exiting")			\
	X(CPU_BASED_MWAIT_EXITING, "MWAIT exiting")			\
	X(CPU_BASED_RDPMC_EXITING, "RDPMC exiting")			\
	X(CPU_BASED_RDTSC_EXITING, "RDTSC exiting")			\
	X(CPU_BASED_CR3_LOAD_EXITING, "CR3-load exiting")		\
	X(CPU_BASED_CR3_STORE_EXITING, "CR3-store exiting")		\
	X(CPU_BASED_ACTIVATE_TERTIARY_CONTROLS, "activate tertiary controls") \
	X(CPU_BASED_CR8_LOAD_EXITING, "CR8-load exiting")		\
	X(CPU_BASED_CR8_STORE_EXITING, "CR8-store exiting")		\
	X(CPU_BASED_TPR_SHADOW, "use TPR shadow")			\
	X(CPU_BASED_NMI_WINDOW_EXITING, "NMI-window exiting")		\
	X(CPU_BASED_MOV_DR_EXITING, "MOV-DR exiting")			\
	X(CPU_BASED_UNCOND_IO_EXITING, "unconditional I/O exiting")	\
	X(CPU_BASED_USE_IO_BITMAPS, "use I/O bitmaps")			\
	X(CPU_BASED_MONITOR_TRAP_FLAG, "monitor trap flag")		\
	X(CPU_BASED_USE_MSR_BITMAPS, "use MSR bitmaps")			\
	X(CPU_BASED_MONITOR_EXITING, "MONITOR exiting")			\
	X(CPU_BASED_PAUSE_EXITING, "PAUSE exiting")			\
	X(CPU_BASED_ACTIVATE_SECONDARY_CONTROLS, "activate secondary controls")

#define VMX_PROC_CTLS2_LIST(X)						\
	X(SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES, "virtualize APIC accesses") \
	X(SECONDARY_EXEC_ENABLE_EPT, "enable EPT")			\
	X(SECONDARY_EXEC_DESC, "descriptor-table exiting")		\
	X(SECONDARY_EXEC_ENABLE_RDTSCP, "enable RDTSCP")		\
	X(SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE, "virtualize x2APIC mode") \
	X(SECONDARY_EXEC_ENABLE_VPID, "enable VPID")			\
	X(SECONDARY_EXEC_WBINVD_EXITING, "WBINVD exiting")		\
	X(SECONDARY_EXEC_UNRESTRICTED_GUEST, "unrestricted guest")	\
	X(SECONDARY_EXEC_APIC_REGISTER_VIRT, "APIC-register virtualization") \
	X(SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY, "virtual-interrupt delivery") \
	X(SECONDARY_EXEC_PAUSE_LOOP_EXITING, "PAUSE-loop exiting")	\
	X(SECONDARY_EXEC_RDRAND_EXITING, "RDRAND exiting")		\
	X(SECONDARY_EXEC_ENABLE_INVPCID, "enable INVPCID")		\
	X(SECONDARY_EXEC_ENABLE_VMFUNC, "enable VM functions")		\
	X(SECONDARY_EXEC_SHADOW_VMCS, "VMCS shadowing")			\
	X(SECONDARY_EXEC_ENCLS_EXITING, "enable ENCLS exiting")		\
	X(SECONDARY_EXEC_RDSEED_EXITING, "RDSEED exiting")		\
	X(SECONDARY_EXEC_ENABLE_PML, "enable PML")			\
	X(VMCS_PROC2_EPT_VIOLATION_VE, "EPT-violation #VE")		\
	X(SECONDARY_EXEC_PT_CONCEAL_VMX, "conceal VMX from PT")		\
	X(VMCS_PROC2_XSAVES, "enable XSAVES/XRSTORS")			\
	X(VMCS_PROC2_PASID_TRANSLATION, "PASID translation")		\
	X(SECONDARY_EXEC_MODE_BASED_EPT_EXEC, "mode-based execute control for EPT") \
	X(VMCS_PROC2_SUBPAGE_WRITE, "sub-page write permissions for EPT") \
	X(SECONDARY_EXEC_PT_USE_GPA, "Intel PT uses guest physical addresses") \
	X(SECONDARY_EXEC_TSC_SCALING, "use TSC scaling")		\
	X(SECONDARY_EXEC_ENABLE_USR_WAIT_PAUSE, "enable user wait and pause") \
	X(VMCS_PROC2_PCONFIG, "enable PCONFIG")				\
	X(VMCS_PROC2_ENCLV_EXITING, "enable ENCLV exiting")		\
	X(SECONDARY_EXEC_BUS_LOCK_DETECTION, "VMM bus-lock detection")	\
	X(SECONDARY_EXEC_NOTIFY_VM_EXITING, "instruction timeout")

#define VMX_PROC_CTLS3_LIST(X)						\
	X(BIT(0), "LOADIWKEY exiting")					\
	X(BIT(1), "enable HLAT")					\
	X(BIT(2), "EPT paging-write control")				\
	X(BIT(3), "guest-paging verification")				\
	X(TERTIARY_EXEC_IPI_VIRT, "IPI virtualization")			\
	X(BIT(6), "enable MSR-list instructions")			\
	X(BIT(7), "virtualize IA32_SPEC_CTRL")

#define VMX_EXIT_CTLS_LIST(X)						\
	X(VM_EXIT_SAVE_DEBUG_CONTROLS, "save debug controls")		\
	X(VM_EXIT_HOST_ADDR_SPACE_SIZE, "host address-space size")	\
	X(VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL, "load IA32_PERF_GLOBAL_CTRL") \
	X(VM_EXIT_ACK_INTR_ON_EXIT, "acknowledge interrupt on exit")	\
	X(VM_EXIT_SAVE_IA32_PAT, "save IA32_PAT")			\
	X(VM_EXIT_LOAD_IA32_PAT, "load IA32_PAT")			\
	X(VM_EXIT_SAVE_IA32_EFER, "save IA32_EFER")			\
	X(VM_EXIT_LOAD_IA32_EFER, "load IA32_EFER")			\
	X(VM_EXIT_SAVE_VMX_PREEMPTION_TIMER, "save VMX-preemption timer value") \
	X(VM_EXIT_CLEAR_BNDCFGS, "clear IA32_BNDCFGS")			\
	X(VM_EXIT_PT_CONCEAL_PIP, "conceal VMX from PT")		\
	X(VM_EXIT_CLEAR_IA32_RTIT_CTL, "clear IA32_RTIT_CTL")		\
	X(VMCS_EXIT_CLEAR_LBR_CTL, "clear IA32_LBR_CTL")		\
	X(VMCS_EXIT_CLEAR_UINV, "clear UINV")				\
	X(VMCS_EXIT_LOAD_CET, "load CET state")				\
	X(VMCS_EXIT_LOAD_PKRS, "load PKRS")				\
	X(VMCS_EXIT_SAVE_PERF_GLOBAL_CTRL, "save IA32_PERF_GLOBAL_CTRL") \
	X(VMCS_EXIT_SECONDARY_CONTROLS, "activate secondary controls")

#define VMX_ENTRY_CTLS_LIST(X)						\
	X(VM_ENTRY_LOAD_DEBUG_CONTROLS, "load debug controls")		\
	X(VM_ENTRY_IA32E_MODE, "IA-32e mode guest")			\
	X(VM_ENTRY_SMM, "entry to SMM")					\
	X(VM_ENTRY_DEACT_DUAL_MONITOR, "deactivate dual-monitor treatment") \
	X(VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL, "load IA32_PERF_GLOBAL_CTRL") \
	X(VM_ENTRY_LOAD_IA32_PAT, "load IA32_PAT")			\
	X(VM_ENTRY_LOAD_IA32_EFER, "load IA32_EFER")			\
	X(VM_ENTRY_LOAD_BNDCFGS, "load IA32_BNDCFGS")			\
	X(VM_ENTRY_PT_CONCEAL_PIP, "conceal VMX from PT")		\
	X(VM_ENTRY_LOAD_IA32_RTIT_CTL, "load IA32_RTIT_CTL")		\
	X(VMCS_ENTRY_LOAD_UINV, "load UINV")				\
	X(VMCS_ENTRY_LOAD_CET, "load CET state")			\
	X(VMCS_ENTRY_LOAD_LBR_CTL, "load guest IA32_LBR_CTL")		\
	X(VMCS_ENTRY_LOAD_PKRS, "load PKRS")

/*
 * A VMCS field's encoding says what it is (SDM 25.11.2 "VMREAD, VMWRITE, and
 * Encodings of VMCS Fields"):
 *
 *	 14   13   12   11   10  9         1   0
 *	+---------+----+---------+-----------+------+
 *	|  width  |  0 |  type   |   index   | high |
 *	+---------+----+---------+-----------+------+
 */
enum vmcs_field_width {
	VMCS_WIDTH_16,
	VMCS_WIDTH_64,
	VMCS_WIDTH_32,
	VMCS_WIDTH_NATURAL,
};

enum vmcs_field_type {
	VMCS_TYPE_CONTROL,
	VMCS_TYPE_EXIT_INFO,
	VMCS_TYPE_GUEST,
	VMCS_TYPE_HOST,
};

static inline enum vmcs_field_width vmcs_encoding_width(u32 encoding)
{
	return (encoding >> 13) & 3;
}

static inline enum vmcs_field_type vmcs_encoding_type(u32 encoding)
{
	return (encoding >> 10) & 3;
}

/* Encodings (SDM app. B "Field Encoding in VMCS") that asm/vmx.h may lack. */
#define VMCS_VE_INFORMATION_ADDRESS	0x0000202a
#define VMCS_SPP_TABLE_POINTER		0x00002030
#define VMCS_GUEST_IA32_PKRS		0x00002818
#define VMCS_HOST_IA32_PKRS		0x00002c06
#define VMCS_GUEST_S_CET		0x00006828
#define VMCS_GUEST_SSP			0x0000682a
#define VMCS_GUEST_INTR_SSP_TABLE	0x0000682c
#define VMCS_HOST_S_CET			0x00006c18
#define VMCS_HOST_SSP			0x00006c1a
#define VMCS_HOST_INTR_SSP_TABLE	0x00006c1c

/* Segment registers in the order of their encodings, two apart. */
#define VMCS_SEGMENT_ROWS(X, field, decoder, words)			\
	X(GUEST_ES_##field, decoder, "Guest ES " words)			\
	X(GUEST_CS_##field, decoder, "Guest CS " words)			\
	X(GUEST_SS_##field, decoder, "Guest SS " words)			\
	X(GUEST_DS_##field, decoder, "Guest DS " words)			\
	X(GUEST_FS_##field, decoder, "Guest FS " words)			\
	X(GUEST_GS_##field, decoder, "Guest GS " words)			\
	X(GUEST_LDTR_##field, decoder, "Guest LDTR " words)		\
	X(GUEST_TR_##field, decoder, "Guest TR " words)

/*
 * The VMCS fields.  The second column says how the dump explains the value: a
 * VMCS_DECODE_ name, see vmx_names.c; PLAIN for a number that is just a number.
 * The VM-instruction error comes first: a VMREAD that fails overwrites it.
 */
#define VMCS_FIELD_LIST(X)						\
	/* VM-exit information */					\
	X(VM_INSTRUCTION_ERROR, ERROR, "VM-instruction error")		\
	X(VM_EXIT_REASON, REASON, "Exit reason")			\
	X(EXIT_QUALIFICATION, PLAIN, "Exit qualification")		\
	X(VM_EXIT_INTR_INFO, EVENT, "VM-exit interruption information")	\
	X(VM_EXIT_INTR_ERROR_CODE, PLAIN, "VM-exit interruption error code") \
	X(IDT_VECTORING_INFO_FIELD, EVENT, "IDT-vectoring information")	\
	X(IDT_VECTORING_ERROR_CODE, PLAIN, "IDT-vectoring error code")	\
	X(VM_EXIT_INSTRUCTION_LEN, PLAIN, "VM-exit instruction length")	\
	X(VMX_INSTRUCTION_INFO, PLAIN, "VM-exit instruction information") \
	X(GUEST_LINEAR_ADDRESS, PLAIN, "Guest-linear address")		\
	X(GUEST_PHYSICAL_ADDRESS, PLAIN, "Guest-physical address")	\
	/* Guest state */						\
	X(GUEST_CR0, CR0, "Guest CR0")					\
	X(GUEST_CR3, PLAIN, "Guest CR3")				\
	X(GUEST_CR4, CR4, "Guest CR4")					\
	X(GUEST_DR7, PLAIN, "Guest DR7")				\
	X(GUEST_RSP, PLAIN, "Guest RSP")				\
	X(GUEST_RIP, PLAIN, "Guest RIP")				\
	X(GUEST_RFLAGS, RFLAGS, "Guest RFLAGS")				\
	VMCS_SEGMENT_ROWS(X, SELECTOR, PLAIN, "selector")		\
	VMCS_SEGMENT_ROWS(X, BASE, PLAIN, "base")			\
	VMCS_SEGMENT_ROWS(X, LIMIT, PLAIN, "limit")			\
	VMCS_SEGMENT_ROWS(X, AR_BYTES, AR, "access rights")		\
	X(GUEST_GDTR_BASE, PLAIN, "Guest GDTR base")			\
	X(GUEST_GDTR_LIMIT, PLAIN, "Guest GDTR limit")			\
	X(GUEST_IDTR_BASE, PLAIN, "Guest IDTR base")			\
	X(GUEST_IDTR_LIMIT, PLAIN, "Guest IDTR limit")			\
	X(GUEST_IA32_DEBUGCTL, DEBUGCTL, "Guest IA32_DEBUGCTL")		\
	X(GUEST_SYSENTER_CS, PLAIN, "Guest IA32_SYSENTER_CS")		\
	X(GUEST_SYSENTER_ESP, PLAIN, "Guest IA32_SYSENTER_ESP")		\
	X(GUEST_SYSENTER_EIP, PLAIN, "Guest IA32_SYSENTER_EIP")		\
	X(GUEST_IA32_PERF_GLOBAL_CTRL, PLAIN, "Guest IA32_PERF_GLOBAL_CTRL") \
	X(GUEST_IA32_PAT, PAT, "Guest IA32_PAT")			\
	X(GUEST_IA32_EFER, EFER, "Guest IA32_EFER")			\
	X(GUEST_BNDCFGS, PLAIN, "Guest IA32_BNDCFGS")			\
	X(GUEST_IA32_RTIT_CTL, PLAIN, "Guest IA32_RTIT_CTL")		\
	X(VMCS_GUEST_S_CET, PLAIN, "Guest IA32_S_CET")			\
	X(VMCS_GUEST_SSP, PLAIN, "Guest SSP")				\
	X(VMCS_GUEST_INTR_SSP_TABLE, PLAIN, "Guest IA32_INTERRUPT_SSP_TABLE_ADDR") \
	X(VMCS_GUEST_IA32_PKRS, PLAIN, "Guest IA32_PKRS")		\
	X(GUEST_ACTIVITY_STATE, ACTIVITY, "Guest activity state")	\
	X(GUEST_INTERRUPTIBILITY_INFO, BLOCKING, "Guest interruptibility state") \
	X(GUEST_PENDING_DBG_EXCEPTIONS, PENDING_DBG, "Guest pending debug exceptions") \
	X(VMCS_LINK_POINTER, PLAIN, "VMCS link pointer")		\
	X(VMX_PREEMPTION_TIMER_VALUE, PLAIN, "VMX-preemption timer value") \
	X(GUEST_PDPTR0, PLAIN, "Guest PDPTE0")				\
	X(GUEST_PDPTR1, PLAIN, "Guest PDPTE1")				\
	X(GUEST_PDPTR2, PLAIN, "Guest PDPTE2")				\
	X(GUEST_PDPTR3, PLAIN, "Guest PDPTE3")				\
	X(GUEST_INTR_STATUS, PLAIN, "Guest interrupt status")		\
	X(GUEST_PML_INDEX, PLAIN, "PML index")				\
	/* Host state */						\
	X(HOST_CR0, CR0, "Host CR0")					\
	X(HOST_CR3, PLAIN, "Host CR3")					\
	X(HOST_CR4, CR4, "Host CR4")					\
	X(HOST_RSP, PLAIN, "Host RSP")					\
	X(HOST_RIP, PLAIN, "Host RIP")					\
	X(HOST_ES_SELECTOR, PLAIN, "Host ES selector")			\
	X(HOST_CS_SELECTOR, PLAIN, "Host CS selector")			\
	X(HOST_SS_SELECTOR, PLAIN, "Host SS selector")			\
	X(HOST_DS_SELECTOR, PLAIN, "Host DS selector")			\
	X(HOST_FS_SELECTOR, PLAIN, "Host FS selector")			\
	X(HOST_GS_SELECTOR, PLAIN, "Host GS selector")			\
	X(HOST_TR_SELECTOR, PLAIN, "Host TR selector")			\
	X(HOST_FS_BASE, PLAIN, "Host FS base")				\
	X(HOST_GS_BASE, PLAIN, "Host GS base")				\
	X(HOST_TR_BASE, PLAIN, "Host TR base")				\
	X(HOST_GDTR_BASE, PLAIN, "Host GDTR base")			\
	X(HOST_IDTR_BASE, PLAIN, "Host IDTR base")			\
	X(HOST_IA32_SYSENTER_CS, PLAIN, "Host IA32_SYSENTER_CS")	\
	X(HOST_IA32_SYSENTER_ESP, PLAIN, "Host IA32_SYSENTER_ESP")	\
	X(HOST_IA32_SYSENTER_EIP, PLAIN, "Host IA32_SYSENTER_EIP")	\
	X(HOST_IA32_PERF_GLOBAL_CTRL, PLAIN, "Host IA32_PERF_GLOBAL_CTRL") \
	X(HOST_IA32_PAT, PAT, "Host IA32_PAT")				\
	X(HOST_IA32_EFER, EFER, "Host IA32_EFER")			\
	X(VMCS_HOST_S_CET, PLAIN, "Host IA32_S_CET")			\
	X(VMCS_HOST_SSP, PLAIN, "Host SSP")				\
	X(VMCS_HOST_INTR_SSP_TABLE, PLAIN, "Host IA32_INTERRUPT_SSP_TABLE_ADDR") \
	X(VMCS_HOST_IA32_PKRS, PLAIN, "Host IA32_PKRS")			\
	/* Controls */							\
	X(PIN_BASED_VM_EXEC_CONTROL, PIN, "Pin-based VM-execution controls") \
	X(CPU_BASED_VM_EXEC_CONTROL, PROC, "Primary processor-based controls") \
	X(SECONDARY_VM_EXEC_CONTROL, PROC2, "Secondary processor-based controls") \
	X(TERTIARY_VM_EXEC_CONTROL, PROC3, "Tertiary processor-based controls") \
	X(VM_EXIT_CONTROLS, EXIT, "VM-exit controls")			\
	X(VM_ENTRY_CONTROLS, ENTRY, "VM-entry controls")		\
	X(EXCEPTION_BITMAP, PLAIN, "Exception bitmap")			\
	X(PAGE_FAULT_ERROR_CODE_MASK, PLAIN, "Page-fault error-code mask") \
	X(PAGE_FAULT_ERROR_CODE_MATCH, PLAIN, "Page-fault error-code match") \
	X(CR0_GUEST_HOST_MASK, CR0, "CR0 guest/host mask")		\
	X(CR4_GUEST_HOST_MASK, CR4, "CR4 guest/host mask")		\
	X(CR0_READ_SHADOW, CR0, "CR0 read shadow")			\
	X(CR4_READ_SHADOW, CR4, "CR4 read shadow")			\
	X(CR3_TARGET_COUNT, PLAIN, "CR3-target count")			\
	X(CR3_TARGET_VALUE0, PLAIN, "CR3-target value 0")		\
	X(CR3_TARGET_VALUE1, PLAIN, "CR3-target value 1")		\
	X(CR3_TARGET_VALUE2, PLAIN, "CR3-target value 2")		\
	X(CR3_TARGET_VALUE3, PLAIN, "CR3-target value 3")		\
	X(IO_BITMAP_A, PLAIN, "Address of I/O bitmap A")		\
	X(IO_BITMAP_B, PLAIN, "Address of I/O bitmap B")		\
	X(MSR_BITMAP, PLAIN, "Address of MSR bitmaps")			\
	X(TSC_OFFSET, PLAIN, "TSC offset")				\
	X(TSC_MULTIPLIER, PLAIN, "TSC multiplier")			\
	X(EPT_POINTER, PLAIN, "EPT pointer")				\
	X(VIRTUAL_PROCESSOR_ID, PLAIN, "Virtual-processor identifier")	\
	X(VIRTUAL_APIC_PAGE_ADDR, PLAIN, "Virtual-APIC address")	\
	X(APIC_ACCESS_ADDR, PLAIN, "APIC-access address")		\
	X(TPR_THRESHOLD, PLAIN, "TPR threshold")			\
	X(POSTED_INTR_NV, PLAIN, "Posted-interrupt notification vector") \
	X(POSTED_INTR_DESC_ADDR, PLAIN, "Posted-interrupt descriptor address") \
	X(EOI_EXIT_BITMAP0, PLAIN, "EOI-exit bitmap 0")			\
	X(EOI_EXIT_BITMAP1, PLAIN, "EOI-exit bitmap 1")			\
	X(EOI_EXIT_BITMAP2, PLAIN, "EOI-exit bitmap 2")			\
	X(EOI_EXIT_BITMAP3, PLAIN, "EOI-exit bitmap 3")			\
	X(PLE_GAP, PLAIN, "PLE gap")					\
	X(PLE_WINDOW, PLAIN, "PLE window")				\
	X(NOTIFY_WINDOW, PLAIN, "Instruction-timeout control")		\
	X(PML_ADDRESS, PLAIN, "PML address")				\
	X(VM_FUNCTION_CONTROL, PLAIN, "VM-function controls")		\
	X(EPTP_LIST_ADDRESS, PLAIN, "EPTP-list address")		\
	X(VMREAD_BITMAP, PLAIN, "VMREAD-bitmap address")		\
	X(VMWRITE_BITMAP, PLAIN, "VMWRITE-bitmap address")		\
	X(VMCS_VE_INFORMATION_ADDRESS, PLAIN, "Virtualization-exception information address") \
	X(XSS_EXIT_BITMAP, PLAIN, "XSS-exiting bitmap")			\
	X(ENCLS_EXITING_BITMAP, PLAIN, "ENCLS-exiting bitmap")		\
	X(VMCS_SPP_TABLE_POINTER, PLAIN, "Sub-page-permission-table pointer") \
	X(PID_POINTER_TABLE, PLAIN, "PID-pointer table address")	\
	X(LAST_PID_POINTER_INDEX, PLAIN, "Last PID-pointer index")	\
	X(VM_EXIT_MSR_STORE_COUNT, PLAIN, "VM-exit MSR-store count")	\
	X(VM_EXIT_MSR_STORE_ADDR, PLAIN, "VM-exit MSR-store address")	\
	X(VM_EXIT_MSR_LOAD_COUNT, PLAIN, "VM-exit MSR-load count")	\
	X(VM_EXIT_MSR_LOAD_ADDR, PLAIN, "VM-exit MSR-load address")	\
	X(VM_ENTRY_MSR_LOAD_COUNT, PLAIN, "VM-entry MSR-load count")	\
	X(VM_ENTRY_MSR_LOAD_ADDR, PLAIN, "VM-entry MSR-load address")	\
	X(VM_ENTRY_INTR_INFO_FIELD, EVENT, "VM-entry interruption information") \
	X(VM_ENTRY_EXCEPTION_ERROR_CODE, PLAIN, "VM-entry exception error code") \
	X(VM_ENTRY_INSTRUCTION_LEN, PLAIN, "VM-entry instruction length")

#endif /* MINIKVM_VMX_NAMES_H */
