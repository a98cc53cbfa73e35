/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tables of SVM names, one row for each thing
 *
 * Each list is an X-macro: X is what the user of the list makes of a row.
 *
 *   SVM_EXIT_CODE_LIST(X)   X(code, "NAME")
 *   VMCB_FIELD_LIST(X)      X(id, member of struct vmcb, decoder, "name")
 *
 * Exit codes up to 0xa7 belong to an intercept each, and the code is the number
 * of the intercept's bit, counted from the first bit of the VMCB (APM vol. 2,
 * app. C "SVM Intercept Exit Codes").  So one list names the exits, their
 * counters and the intercept bits.
 *
 * Constants are the kernel's.  What <asm/svm.h> lacks, or only some kernels
 * have, is defined here and nowhere else.
 */
#ifndef MINIKVM_SVM_NAMES_H
#define MINIKVM_SVM_NAMES_H

#include <linux/types.h>
#include <asm/svm.h>
#include <asm/trapnr.h>

/* Exit codes (APM vol. 2, app. C) not in uapi/asm/svm.h. */
#ifndef SVM_EXIT_INVLPGB
#define SVM_EXIT_INVLPGB		0x0a0
#endif
#ifndef SVM_EXIT_INVLPGB_ILLEGAL
#define SVM_EXIT_INVLPGB_ILLEGAL	0x0a1
#endif
#ifndef SVM_EXIT_MCOMMIT
#define SVM_EXIT_MCOMMIT		0x0a3
#endif
#ifndef SVM_EXIT_TLBSYNC
#define SVM_EXIT_TLBSYNC		0x0a4
#endif
#ifndef SVM_EXIT_BUS_LOCK
#define SVM_EXIT_BUS_LOCK		0x0a5
#endif
#ifndef SVM_EXIT_IDLE_HLT
#define SVM_EXIT_IDLE_HLT		0x0a6
#endif

/* #HV (hypervisor injection) and #SX (security) are not in asm/trapnr.h. */
#define SVM_TRAP_HV			28
#define SVM_TRAP_SX			30

/* X(base + n, "PREFIX" n "SUFFIX") for n from 0 to 15. */
#define SVM_EXIT_16(X, base, prefix, suffix)				\
	X((base) + 0, prefix "0" suffix)				\
	X((base) + 1, prefix "1" suffix)				\
	X((base) + 2, prefix "2" suffix)				\
	X((base) + 3, prefix "3" suffix)				\
	X((base) + 4, prefix "4" suffix)				\
	X((base) + 5, prefix "5" suffix)				\
	X((base) + 6, prefix "6" suffix)				\
	X((base) + 7, prefix "7" suffix)				\
	X((base) + 8, prefix "8" suffix)				\
	X((base) + 9, prefix "9" suffix)				\
	X((base) + 10, prefix "10" suffix)				\
	X((base) + 11, prefix "11" suffix)				\
	X((base) + 12, prefix "12" suffix)				\
	X((base) + 13, prefix "13" suffix)				\
	X((base) + 14, prefix "14" suffix)				\
	X((base) + 15, prefix "15" suffix)

#define SVM_EXIT_EXCP(X, trap)						\
	X(SVM_EXIT_EXCP_BASE + X86_TRAP_##trap, "EXCP_" #trap)

/*
 * Exit codes that have a row of their own, in order.  The name is the kernel's
 * constant without SVM_EXIT_; in lower case it is the counter under debugfs.
 */
#define SVM_EXIT_CODE_LIST(X)						\
	SVM_EXIT_16(X, SVM_EXIT_READ_CR0, "READ_CR", "")		\
	SVM_EXIT_16(X, SVM_EXIT_WRITE_CR0, "WRITE_CR", "")		\
	SVM_EXIT_16(X, SVM_EXIT_READ_DR0, "READ_DR", "")		\
	SVM_EXIT_16(X, SVM_EXIT_WRITE_DR0, "WRITE_DR", "")		\
	SVM_EXIT_EXCP(X, DE)						\
	SVM_EXIT_EXCP(X, DB)						\
	SVM_EXIT_EXCP(X, NMI)						\
	SVM_EXIT_EXCP(X, BP)						\
	SVM_EXIT_EXCP(X, OF)						\
	SVM_EXIT_EXCP(X, BR)						\
	SVM_EXIT_EXCP(X, UD)						\
	SVM_EXIT_EXCP(X, NM)						\
	SVM_EXIT_EXCP(X, DF)						\
	SVM_EXIT_EXCP(X, OLD_MF)					\
	SVM_EXIT_EXCP(X, TS)						\
	SVM_EXIT_EXCP(X, NP)						\
	SVM_EXIT_EXCP(X, SS)						\
	SVM_EXIT_EXCP(X, GP)						\
	SVM_EXIT_EXCP(X, PF)						\
	SVM_EXIT_EXCP(X, MF)						\
	SVM_EXIT_EXCP(X, AC)						\
	SVM_EXIT_EXCP(X, MC)						\
	SVM_EXIT_EXCP(X, XF)						\
	SVM_EXIT_EXCP(X, CP)						\
	X(SVM_EXIT_EXCP_BASE + SVM_TRAP_HV, "EXCP_HV")			\
	SVM_EXIT_EXCP(X, VC)						\
	X(SVM_EXIT_EXCP_BASE + SVM_TRAP_SX, "EXCP_SX")			\
	X(SVM_EXIT_INTR, "INTR")					\
	X(SVM_EXIT_NMI, "NMI")						\
	X(SVM_EXIT_SMI, "SMI")						\
	X(SVM_EXIT_INIT, "INIT")					\
	X(SVM_EXIT_VINTR, "VINTR")					\
	X(SVM_EXIT_CR0_SEL_WRITE, "CR0_SEL_WRITE")			\
	X(SVM_EXIT_IDTR_READ, "IDTR_READ")				\
	X(SVM_EXIT_GDTR_READ, "GDTR_READ")				\
	X(SVM_EXIT_LDTR_READ, "LDTR_READ")				\
	X(SVM_EXIT_TR_READ, "TR_READ")					\
	X(SVM_EXIT_IDTR_WRITE, "IDTR_WRITE")				\
	X(SVM_EXIT_GDTR_WRITE, "GDTR_WRITE")				\
	X(SVM_EXIT_LDTR_WRITE, "LDTR_WRITE")				\
	X(SVM_EXIT_TR_WRITE, "TR_WRITE")				\
	X(SVM_EXIT_RDTSC, "RDTSC")					\
	X(SVM_EXIT_RDPMC, "RDPMC")					\
	X(SVM_EXIT_PUSHF, "PUSHF")					\
	X(SVM_EXIT_POPF, "POPF")					\
	X(SVM_EXIT_CPUID, "CPUID")					\
	X(SVM_EXIT_RSM, "RSM")						\
	X(SVM_EXIT_IRET, "IRET")					\
	X(SVM_EXIT_SWINT, "SWINT")					\
	X(SVM_EXIT_INVD, "INVD")					\
	X(SVM_EXIT_PAUSE, "PAUSE")					\
	X(SVM_EXIT_HLT, "HLT")						\
	X(SVM_EXIT_INVLPG, "INVLPG")					\
	X(SVM_EXIT_INVLPGA, "INVLPGA")					\
	X(SVM_EXIT_IOIO, "IOIO")					\
	X(SVM_EXIT_MSR, "MSR")						\
	X(SVM_EXIT_TASK_SWITCH, "TASK_SWITCH")				\
	X(SVM_EXIT_FERR_FREEZE, "FERR_FREEZE")				\
	X(SVM_EXIT_SHUTDOWN, "SHUTDOWN")				\
	X(SVM_EXIT_VMRUN, "VMRUN")					\
	X(SVM_EXIT_VMMCALL, "VMMCALL")					\
	X(SVM_EXIT_VMLOAD, "VMLOAD")					\
	X(SVM_EXIT_VMSAVE, "VMSAVE")					\
	X(SVM_EXIT_STGI, "STGI")					\
	X(SVM_EXIT_CLGI, "CLGI")					\
	X(SVM_EXIT_SKINIT, "SKINIT")					\
	X(SVM_EXIT_RDTSCP, "RDTSCP")					\
	X(SVM_EXIT_ICEBP, "ICEBP")					\
	X(SVM_EXIT_WBINVD, "WBINVD")					\
	X(SVM_EXIT_MONITOR, "MONITOR")					\
	X(SVM_EXIT_MWAIT, "MWAIT")					\
	X(SVM_EXIT_MWAIT_COND, "MWAIT_COND")				\
	X(SVM_EXIT_XSETBV, "XSETBV")					\
	X(SVM_EXIT_RDPRU, "RDPRU")					\
	X(SVM_EXIT_EFER_WRITE_TRAP, "EFER_WRITE_TRAP")			\
	SVM_EXIT_16(X, SVM_EXIT_CR0_WRITE_TRAP, "CR", "_WRITE_TRAP") \
	X(SVM_EXIT_INVLPGB, "INVLPGB")					\
	X(SVM_EXIT_INVLPGB_ILLEGAL, "INVLPGB_ILLEGAL")			\
	X(SVM_EXIT_INVPCID, "INVPCID")					\
	X(SVM_EXIT_MCOMMIT, "MCOMMIT")					\
	X(SVM_EXIT_TLBSYNC, "TLBSYNC")					\
	X(SVM_EXIT_BUS_LOCK, "BUS_LOCK")				\
	X(SVM_EXIT_IDLE_HLT, "IDLE_HLT")				\
	X(SVM_EXIT_NPF, "NPF")						\
	X(SVM_EXIT_AVIC_INCOMPLETE_IPI, "AVIC_INCOMPLETE_IPI")		\
	X(SVM_EXIT_AVIC_UNACCELERATED_ACCESS, "AVIC_UNACCELERATED_ACCESS") \
	X(SVM_EXIT_VMGEXIT, "VMGEXIT")

/*
 * Rows of an array that counts exits: the codes of the intercepts as they are,
 * then those from 0x400 on.  The negative codes, for a VMRUN that did not enter
 * the guest, have none.
 */
#define SVM_NR_INTERCEPT_ROWS	0xa8
#define SVM_NR_EXIT_ROWS	(SVM_NR_INTERCEPT_ROWS + 8)

/* As code to be indexed at compile time; svm_exit_row() is for what the CPU says. */
#define SVM_EXIT_ROW(code)							\
	((code) >= SVM_EXIT_NPF ? (code) - SVM_EXIT_NPF + SVM_NR_INTERCEPT_ROWS : (code))

/*
 * Fields of the VMCB in the order they lie in it, under the APM's names (vol. 2,
 * app. B "Layout of VMCB").  A segment register is one row, by its attributes; the
 * decoder finds the rest beside them.
 */
#define VMCB_CONTROL_LIST(X)						\
	X(INTERCEPT_CR, control.intercepts[INTERCEPT_CR], INTERCEPT, "Intercepts, CRs") \
	X(INTERCEPT_DR, control.intercepts[INTERCEPT_DR], INTERCEPT, "Intercepts, DRs") \
	X(INTERCEPT_EXCP, control.intercepts[INTERCEPT_EXCEPTION], INTERCEPT,	\
	  "Intercepts, exceptions")					\
	X(INTERCEPT_3, control.intercepts[INTERCEPT_WORD3], INTERCEPT, "Intercepts, word 3") \
	X(INTERCEPT_4, control.intercepts[INTERCEPT_WORD4], INTERCEPT, "Intercepts, word 4") \
	X(INTERCEPT_5, control.intercepts[INTERCEPT_WORD5], INTERCEPT, "Intercepts, word 5") \
	X(PAUSE_THRESHOLD, control.pause_filter_thresh, PLAIN, "Pause filter threshold") \
	X(PAUSE_COUNT, control.pause_filter_count, PLAIN, "Pause filter count") \
	X(IOPM_BASE, control.iopm_base_pa, PLAIN, "IOPM_BASE_PA")	\
	X(MSRPM_BASE, control.msrpm_base_pa, PLAIN, "MSRPM_BASE_PA")	\
	X(TSC_OFFSET, control.tsc_offset, PLAIN, "TSC_OFFSET")		\
	X(ASID, control.asid, PLAIN, "Guest ASID")			\
	X(TLB_CONTROL, control.tlb_ctl, TLB_CONTROL, "TLB_CONTROL")	\
	X(VINTR, control.int_ctl, VINTR, "Virtual interrupt control")	\
	X(VINTR_VECTOR, control.int_vector, PLAIN, "V_INTR_VECTOR")	\
	X(INT_SHADOW, control.int_state, INT_SHADOW, "Interrupt shadow") \
	X(EXIT_CODE, control.exit_code, EXIT_CODE, "EXITCODE[31:0]")	\
	X(EXIT_CODE_HI, control.exit_code_hi, PLAIN, "EXITCODE[63:32]")	\
	X(EXIT_INFO_1, control.exit_info_1, PLAIN, "EXITINFO1")		\
	X(EXIT_INFO_2, control.exit_info_2, PLAIN, "EXITINFO2")		\
	X(EXIT_INT_INFO, control.exit_int_info, EVENT, "EXITINTINFO")	\
	X(EXIT_INT_ERROR, control.exit_int_info_err, PLAIN, "EXITINTINFO error code") \
	X(NESTED_CTL, control.nested_ctl, NESTED_CTL, "Nested paging, SEV") \
	X(AVIC_BAR, control.avic_vapic_bar, PLAIN, "AVIC APIC_BAR")	\
	X(GHCB, control.ghcb_gpa, PLAIN, "GHCB address")		\
	X(EVENT_INJ, control.event_inj, EVENT, "EVENTINJ")		\
	X(EVENT_INJ_ERROR, control.event_inj_err, PLAIN, "EVENTINJ error code") \
	X(NCR3, control.nested_cr3, PLAIN, "N_CR3")			\
	X(VIRT_EXT, control.virt_ext, VIRT_EXT, "LBR, VMSAVE/VMLOAD")	\
	X(CLEAN, control.clean, CLEAN, "VMCB clean bits")		\
	X(NEXT_RIP, control.next_rip, PLAIN, "nRIP")			\
	X(INSN_LEN, control.insn_len, BYTES, "Bytes fetched")		\
	X(AVIC_BACKING_PAGE, control.avic_backing_page, PLAIN, "AVIC backing page") \
	X(AVIC_LOGICAL_TABLE, control.avic_logical_id, PLAIN, "AVIC logical table") \
	X(AVIC_PHYSICAL_TABLE, control.avic_physical_id, PLAIN, "AVIC physical table") \
	X(VMSA, control.vmsa_pa, PLAIN, "VMSA address")

#define VMCB_SAVE_LIST(X)						\
	X(ES, save.es.attrib, SEGMENT, "ES")				\
	X(CS, save.cs.attrib, SEGMENT, "CS")				\
	X(SS, save.ss.attrib, SEGMENT, "SS")				\
	X(DS, save.ds.attrib, SEGMENT, "DS")				\
	X(FS, save.fs.attrib, SEGMENT, "FS")				\
	X(GS, save.gs.attrib, SEGMENT, "GS")				\
	X(GDTR, save.gdtr.attrib, TABLE, "GDTR")			\
	X(LDTR, save.ldtr.attrib, SEGMENT, "LDTR")			\
	X(IDTR, save.idtr.attrib, TABLE, "IDTR")			\
	X(TR, save.tr.attrib, SEGMENT, "TR")				\
	X(CPL, save.cpl, PLAIN, "CPL")					\
	X(EFER, save.efer, EFER, "EFER")				\
	X(CR4, save.cr4, CR4, "CR4")					\
	X(CR3, save.cr3, PLAIN, "CR3")					\
	X(CR0, save.cr0, CR0, "CR0")					\
	X(DR7, save.dr7, PLAIN, "DR7")					\
	X(DR6, save.dr6, PLAIN, "DR6")					\
	X(RFLAGS, save.rflags, RFLAGS, "RFLAGS")			\
	X(RIP, save.rip, PLAIN, "RIP")					\
	X(RSP, save.rsp, PLAIN, "RSP")					\
	X(S_CET, save.s_cet, S_CET, "S_CET")				\
	X(SSP, save.ssp, PLAIN, "SSP")					\
	X(ISST_ADDR, save.isst_addr, PLAIN, "ISST_ADDR")		\
	X(RAX, save.rax, PLAIN, "RAX")					\
	X(STAR, save.star, PLAIN, "STAR")				\
	X(LSTAR, save.lstar, PLAIN, "LSTAR")				\
	X(CSTAR, save.cstar, PLAIN, "CSTAR")				\
	X(SFMASK, save.sfmask, PLAIN, "SFMASK")				\
	X(KERNEL_GS_BASE, save.kernel_gs_base, PLAIN, "KernelGsBase")	\
	X(SYSENTER_CS, save.sysenter_cs, PLAIN, "SYSENTER_CS")		\
	X(SYSENTER_ESP, save.sysenter_esp, PLAIN, "SYSENTER_ESP")	\
	X(SYSENTER_EIP, save.sysenter_eip, PLAIN, "SYSENTER_EIP")	\
	X(CR2, save.cr2, PLAIN, "CR2")					\
	X(G_PAT, save.g_pat, PAT, "G_PAT")				\
	X(DBGCTL, save.dbgctl, PLAIN, "DBGCTL")				\
	X(BR_FROM, save.br_from, PLAIN, "BR_FROM")			\
	X(BR_TO, save.br_to, PLAIN, "BR_TO")				\
	X(LAST_EXCP_FROM, save.last_excp_from, PLAIN, "LASTEXCPFROM")	\
	X(LAST_EXCP_TO, save.last_excp_to, PLAIN, "LASTEXCPTO")		\
	X(SPEC_CTRL, save.spec_ctrl, PLAIN, "SPEC_CTRL")

#define VMCB_FIELD_LIST(X)						\
	VMCB_CONTROL_LIST(X)						\
	VMCB_SAVE_LIST(X)

enum vmcb_field {
#define X(id, member, decoder, name) VMCB_FIELD_##id,
	VMCB_FIELD_LIST(X)
#undef X
	VMCB_NR_FIELDS
};

const char *svm_exit_code_name(u64 code);
unsigned int svm_exit_row(u64 code);
const char *svm_exit_row_name(u32 row);
const char *svm_intercept_name(unsigned int bit);
const char *vmcb_field_name(enum vmcb_field field);
u64 vmcb_field_value(const struct vmcb *vmcb, enum vmcb_field field);

#endif /* MINIKVM_SVM_NAMES_H */
