/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vmx_names.h: the tables of VMX names, one row for each thing
 *
 * Each list is an X-macro: X is what the user of the list makes of a row.  One
 * row feeds all uses, so that an exit reason's handler, trace text and counter
 * (or a VMCS field's name and decoder) cannot drift apart.
 *
 *   VMX_EXIT_REASON_LIST(X)        X(constant, "NAME", counter)
 *   VMX_INSTRUCTION_ERROR_LIST(X)  X(number, "words")
 *   VMX_*_CTLS_LIST(X)             X(bit, "name")
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

#endif /* MINIKVM_VMX_NAMES_H */
