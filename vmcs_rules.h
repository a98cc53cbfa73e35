/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rules a VMCS must obey to be entered, in words
 *
 * One row for each rule of the SDM's chapter on VM entries (vol. 3C, ch. 27),
 * in the SDM's order:
 *
 *   X(ID, SECTION, "what must be true")
 *
 * A rule is one statement that can be wrong by itself, so that a report names
 * the mistake.  vmcs_check.c holds the code for each; the unit test fails when
 * a row here has no case that breaks it.
 *
 * The checker sees only the VMCS and the capability MSRs.  Left out are:
 *
 *  - what depends on memory: TPR threshold against VTPR in the virtual-APIC
 *    page, the PDPTEs under shadow paging, the header of the VMCS that the link
 *    pointer names;
 *  - what the processor alone knows: launch state, SMM, the current-VMCS
 *    pointer, whether SGX or RTM exists;
 *  - controls that minikvm never sets: secondary VM-exit controls, HLAT, PASID
 *    translation, LBR and UINV state, FRED.
 */
#ifndef MINIKVM_VMCS_RULES_H
#define MINIKVM_VMCS_RULES_H

/* X(name, number, title) */
#define VMCS_SECTION_LIST(X)						\
	X(EXEC_CTLS, "27.2.1.1", "VM-Execution Control Fields")		\
	X(EXIT_CTLS, "27.2.1.2", "VM-Exit Control Fields")		\
	X(ENTRY_CTLS, "27.2.1.3", "VM-Entry Control Fields")		\
	X(HOST_REGS, "27.2.2", "Checks on Host Control Registers, MSRs, and SSP") \
	X(HOST_SEGS, "27.2.3", "Checks on Host Segment and Descriptor-Table Registers") \
	X(ADDR_SIZE, "27.2.4", "Checks Related to Address-Space Size")	\
	X(GUEST_REGS, "27.3.1.1", "Checks on Guest Control Registers, Debug Registers, and MSRs") \
	X(GUEST_SEGS, "27.3.1.2", "Checks on Guest Segment Registers")	\
	X(GUEST_TABLES, "27.3.1.3", "Checks on Guest Descriptor-Table Registers") \
	X(GUEST_RIP_RFLAGS, "27.3.1.4", "Checks on Guest RIP, RFLAGS, and SSP") \
	X(GUEST_NON_REG, "27.3.1.5", "Checks on Guest Non-Register State") \
	X(GUEST_PDPTES, "27.3.1.6", "Checks on Guest Page-Directory-Pointer-Table Entries")

#define VMCS_RULE_LIST(X)						\
	/* 27.2.1.1 */							\
	X(PIN_CTLS_ALLOWED, EXEC_CTLS,					\
	  "each pin-based control must have a setting the processor allows") \
	X(PROC_CTLS_ALLOWED, EXEC_CTLS,					\
	  "each primary processor-based control must have a setting the processor allows") \
	X(PROC_CTLS2_ALLOWED, EXEC_CTLS,				\
	  "each secondary processor-based control must have a setting the processor allows") \
	X(PROC_CTLS3_ALLOWED, EXEC_CTLS,				\
	  "each tertiary processor-based control must have a setting the processor allows") \
	X(CR3_TARGET_COUNT, EXEC_CTLS,					\
	  "the CR3-target count must not exceed what IA32_VMX_MISC[24:16] allows") \
	X(IO_BITMAP_A_ADDR, EXEC_CTLS,					\
	  "I/O bitmap A's address, if used, must be page-aligned and physical") \
	X(IO_BITMAP_B_ADDR, EXEC_CTLS,					\
	  "I/O bitmap B's address, if used, must be page-aligned and physical") \
	X(MSR_BITMAP_ADDR, EXEC_CTLS,					\
	  "with MSR bitmaps in use, their address must be page-aligned and physical") \
	X(VIRTUAL_APIC_ADDR, EXEC_CTLS,					\
	  "with \"use TPR shadow\", the virtual-APIC address must be page-aligned and physical") \
	X(TPR_THRESHOLD_HIGH, EXEC_CTLS,				\
	  "without \"virtual-interrupt delivery\", bits 31:4 of the TPR threshold must be 0") \
	X(VNMI_NEEDS_NMI_EXITING, EXEC_CTLS,				\
	  "\"virtual NMIs\" needs \"NMI exiting\"")			\
	X(NMI_WINDOW_NEEDS_VNMI, EXEC_CTLS,				\
	  "\"NMI-window exiting\" needs \"virtual NMIs\"")		\
	X(APIC_ACCESS_PAGE, EXEC_CTLS,					\
	  "the APIC-access address, if used, must be page-aligned and physical") \
	X(APIC_VIRT_NEEDS_TPR_SHADOW, EXEC_CTLS,			\
	  "virtual x2APIC mode, APIC registers and interrupt delivery need \"use TPR shadow\"") \
	X(X2APIC_OR_APIC_ACCESS, EXEC_CTLS,				\
	  "\"virtualize x2APIC mode\" excludes \"virtualize APIC accesses\"") \
	X(VID_NEEDS_EXTINT_EXITING, EXEC_CTLS,				\
	  "\"virtual-interrupt delivery\" needs \"external-interrupt exiting\"") \
	X(POSTED_NEEDS_VID, EXEC_CTLS,					\
	  "\"process posted interrupts\" needs \"virtual-interrupt delivery\"") \
	X(POSTED_NEEDS_ACK, EXEC_CTLS,					\
	  "\"process posted interrupts\" needs \"acknowledge interrupt on exit\"") \
	X(POSTED_VECTOR, EXEC_CTLS,					\
	  "the posted-interrupt notification vector must be 0 to 255")	\
	X(POSTED_DESC_ADDR, EXEC_CTLS,					\
	  "the posted-interrupt descriptor must be 64-byte aligned and physical") \
	X(VPID_NOT_ZERO, EXEC_CTLS,					\
	  "with \"enable VPID\", the VPID must not be 0")		\
	X(EPTP_MEMORY_TYPE, EXEC_CTLS,					\
	  "EPTP[2:0] must be a memory type that IA32_VMX_EPT_VPID_CAP reports (0 = UC, 6 = WB)") \
	X(EPTP_WALK_LENGTH, EXEC_CTLS,					\
	  "EPTP[5:3] must be a page-walk length that IA32_VMX_EPT_VPID_CAP reports, less 1") \
	X(EPTP_ACCESSED_DIRTY, EXEC_CTLS,				\
	  "EPTP[6] must be 0 where EPT has no accessed and dirty flags") \
	X(EPTP_SHADOW_STACK, EXEC_CTLS,					\
	  "EPTP[7] must be 0 where EPT has no supervisor shadow-stack control") \
	X(EPTP_RESERVED, EXEC_CTLS,					\
	  "EPTP[11:8] and the bits beyond the physical-address width must be 0") \
	X(PML_NEEDS_EPT, EXEC_CTLS, "\"enable PML\" needs \"enable EPT\"") \
	X(PML_ADDR, EXEC_CTLS, "the PML address must be page-aligned and physical") \
	X(UNRESTRICTED_NEEDS_EPT, EXEC_CTLS, "\"unrestricted guest\" needs \"enable EPT\"") \
	X(MBEC_NEEDS_EPT, EXEC_CTLS,					\
	  "\"mode-based execute control for EPT\" needs \"enable EPT\"") \
	X(SPP_NEEDS_EPT, EXEC_CTLS,					\
	  "\"sub-page write permissions for EPT\" needs \"enable EPT\"") \
	X(SPP_TABLE_ADDR, EXEC_CTLS,					\
	  "the sub-page-permission-table pointer must be page-aligned and physical") \
	X(VMFUNC_ALLOWED, EXEC_CTLS,					\
	  "each VM function enabled must be one that IA32_VMX_VMFUNC reports") \
	X(EPTP_SWITCHING_NEEDS_EPT, EXEC_CTLS, "EPTP switching needs \"enable EPT\"") \
	X(EPTP_LIST_ADDR, EXEC_CTLS,					\
	  "with EPTP switching, the EPTP-list address must be page-aligned and physical") \
	X(VMREAD_BITMAP_ADDR, EXEC_CTLS,				\
	  "with VMCS shadowing, the VMREAD-bitmap address must be page-aligned and physical") \
	X(VMWRITE_BITMAP_ADDR, EXEC_CTLS,				\
	  "with VMCS shadowing, the VMWRITE-bitmap address must be page-aligned and physical") \
	X(VE_INFO_ADDR, EXEC_CTLS,					\
	  "with \"EPT-violation #VE\", the information address must be page-aligned and physical") \
	X(PT_GPA_NEEDS_EPT, EXEC_CTLS,					\
	  "\"Intel PT uses guest physical addresses\" needs \"enable EPT\"") \
	X(PT_GPA_NEEDS_RTIT, EXEC_CTLS,					\
	  "\"Intel PT uses guest physical addresses\" needs IA32_RTIT_CTL loaded and cleared") \
	X(TSC_MULTIPLIER, EXEC_CTLS,					\
	  "with \"use TSC scaling\", the TSC multiplier must not be 0")	\
	X(IPIV_NEEDS_TPR_SHADOW, EXEC_CTLS,				\
	  "\"IPI virtualization\" needs \"use TPR shadow\"")		\
	X(IPIV_TABLE_ADDR, EXEC_CTLS,					\
	  "the PID-pointer table must be 8-byte aligned and physical to its last entry") \
	/* 27.2.1.2 */							\
	X(EXIT_CTLS_ALLOWED, EXIT_CTLS,					\
	  "each VM-exit control must have a setting the processor allows") \
	X(SAVE_TIMER_NEEDS_TIMER, EXIT_CTLS,				\
	  "\"save VMX-preemption timer value\" needs \"activate VMX-preemption timer\"") \
	X(EXIT_MSR_STORE_ADDR, EXIT_CTLS,				\
	  "the VM-exit MSR-store area must be 16-byte aligned and physical to its last byte") \
	X(EXIT_MSR_LOAD_ADDR, EXIT_CTLS,				\
	  "the VM-exit MSR-load area must be 16-byte aligned and physical to its last byte") \
	/* 27.2.1.3 */							\
	X(ENTRY_CTLS_ALLOWED, ENTRY_CTLS,				\
	  "each VM-entry control must have a setting the processor allows") \
	X(ENTRY_OUTSIDE_SMM, ENTRY_CTLS,				\
	  "outside SMM, \"entry to SMM\" and \"deactivate dual-monitor treatment\" must be 0") \
	X(EVENT_TYPE, ENTRY_CTLS,					\
	  "the injected event's type must not be reserved (1; 7 without \"monitor trap flag\")") \
	X(EVENT_VECTOR, ENTRY_CTLS,					\
	  "the vector must be 2 for an NMI, 0 to 31 for a hardware exception, 0 for other events") \
	X(EVENT_ERROR_CODE_MISSING, ENTRY_CTLS,				\
	  "in protected mode, an exception that has an error code must be injected with one") \
	X(EVENT_ERROR_CODE_EXTRA, ENTRY_CTLS,				\
	  "only an exception that has an error code, in protected mode, may be injected with one") \
	X(EVENT_RESERVED, ENTRY_CTLS,					\
	  "bits 30:12 of the VM-entry interruption information must be 0") \
	X(EVENT_ERROR_CODE_HIGH, ENTRY_CTLS,				\
	  "bits 31:16 of an injected error code must be 0")		\
	X(EVENT_INSTRUCTION_LEN, ENTRY_CTLS,				\
	  "a software event's instruction length must be 1 to 15 (0 only with IA32_VMX_MISC[30])") \
	X(ENTRY_MSR_LOAD_ADDR, ENTRY_CTLS,				\
	  "the VM-entry MSR-load area must be 16-byte aligned and physical to its last byte") \
	/* 27.2.2 */							\
	X(HOST_CR0_FIXED, HOST_REGS,					\
	  "each bit of host CR0 must have a value that VMX operation supports") \
	X(HOST_CR4_FIXED, HOST_REGS,					\
	  "each bit of host CR4 must have a value that VMX operation supports") \
	X(HOST_CET_NEEDS_WP, HOST_REGS, "host CR4.CET needs host CR0.WP") \
	X(HOST_CR3_WIDTH, HOST_REGS,					\
	  "host CR3 must not set bits beyond the physical-address width") \
	X(HOST_SYSENTER_CANONICAL, HOST_REGS,				\
	  "host IA32_SYSENTER_ESP and IA32_SYSENTER_EIP must be canonical") \
	X(HOST_PERF_GLOBAL_CTRL, HOST_REGS,				\
	  "reserved bits of host IA32_PERF_GLOBAL_CTRL must be 0")	\
	X(HOST_PAT, HOST_REGS,						\
	  "each byte of host IA32_PAT must be a memory type (0, 1, 4, 5, 6 or 7)") \
	X(HOST_EFER_RESERVED, HOST_REGS, "reserved bits of host IA32_EFER must be 0") \
	X(HOST_EFER_LONG_MODE, HOST_REGS,				\
	  "host IA32_EFER.LMA and LME must both equal \"host address-space size\"") \
	X(HOST_S_CET, HOST_REGS,					\
	  "host IA32_S_CET must be canonical, bits 9:6 clear, bits 11:10 not both set") \
	X(HOST_SSP_TABLE, HOST_REGS,					\
	  "host IA32_INTERRUPT_SSP_TABLE_ADDR must be canonical")	\
	X(HOST_SSP, HOST_REGS, "bits 1:0 of host SSP must be 0")	\
	X(HOST_PKRS, HOST_REGS, "bits 63:32 of host IA32_PKRS must be 0") \
	/* 27.2.3 */							\
	X(HOST_SELECTOR_RPL_TI, HOST_SEGS,				\
	  "a host selector's RPL (bits 1:0) and TI flag (bit 2) must be 0") \
	X(HOST_CS_TR_NOT_NULL, HOST_SEGS, "host CS and TR must not be null") \
	X(HOST_SS_NOT_NULL, HOST_SEGS,					\
	  "host SS must not be null when \"host address-space size\" is 0") \
	X(HOST_BASE_CANONICAL, HOST_SEGS,				\
	  "the bases of host FS, GS, GDTR, IDTR and TR must be canonical") \
	/* 27.2.4 */							\
	X(OUTSIDE_IA32E, ADDR_SIZE,					\
	  "outside IA-32e mode, \"IA-32e mode guest\" and \"host address-space size\" must be 0") \
	X(INSIDE_IA32E, ADDR_SIZE,					\
	  "in IA-32e mode, \"host address-space size\" must be 1")	\
	X(HOST_32_GUEST_64, ADDR_SIZE,					\
	  "a host with 32-bit address space cannot have an \"IA-32e mode guest\"") \
	X(HOST_32_PCIDE, ADDR_SIZE,					\
	  "a host with 32-bit address space must have CR4.PCIDE = 0")	\
	X(HOST_32_RIP, ADDR_SIZE,					\
	  "a host with 32-bit address space must have RIP[63:32] = 0")	\
	X(HOST_64_PAE, ADDR_SIZE, "a host with 64-bit address space must have CR4.PAE = 1") \
	X(HOST_64_RIP, ADDR_SIZE, "a host with 64-bit address space must have a canonical RIP") \
	/* 27.3.1.1 */							\
	X(GUEST_CR0_FIXED, GUEST_REGS,					\
	  "each bit of guest CR0 must be as VMX operation supports (unrestricted: not PE, PG)") \
	X(GUEST_CR0_PG_NEEDS_PE, GUEST_REGS, "guest CR0.PG needs CR0.PE") \
	X(GUEST_CR4_FIXED, GUEST_REGS,					\
	  "each bit of guest CR4 must have a value that VMX operation supports") \
	X(GUEST_CET_NEEDS_WP, GUEST_REGS, "guest CR4.CET needs CR0.WP")	\
	X(GUEST_DEBUGCTL, GUEST_REGS, "reserved bits of guest IA32_DEBUGCTL must be 0") \
	X(GUEST_IA32E_NEEDS_PG, GUEST_REGS, "an \"IA-32e mode guest\" must have CR0.PG = 1") \
	X(GUEST_IA32E_NEEDS_PAE, GUEST_REGS, "an \"IA-32e mode guest\" must have CR4.PAE = 1") \
	X(GUEST_PCIDE_NEEDS_IA32E, GUEST_REGS,				\
	  "guest CR4.PCIDE must be 0 outside IA-32e mode")		\
	X(GUEST_CR3_WIDTH, GUEST_REGS,					\
	  "guest CR3 must not set bits beyond the physical-address width") \
	X(GUEST_DR7_HIGH, GUEST_REGS, "bits 63:32 of guest DR7 must be 0") \
	X(GUEST_SYSENTER_CANONICAL, GUEST_REGS,				\
	  "guest IA32_SYSENTER_ESP and IA32_SYSENTER_EIP must be canonical") \
	X(GUEST_PERF_GLOBAL_CTRL, GUEST_REGS,				\
	  "reserved bits of guest IA32_PERF_GLOBAL_CTRL must be 0")	\
	X(GUEST_PAT, GUEST_REGS,					\
	  "each byte of guest IA32_PAT must be a memory type (0, 1, 4, 5, 6 or 7)") \
	X(GUEST_EFER_RESERVED, GUEST_REGS, "reserved bits of guest IA32_EFER must be 0") \
	X(GUEST_EFER_LMA, GUEST_REGS,					\
	  "guest IA32_EFER.LMA must equal \"IA-32e mode guest\"")	\
	X(GUEST_EFER_LME, GUEST_REGS,					\
	  "with guest CR0.PG = 1, IA32_EFER.LME must equal IA32_EFER.LMA") \
	X(GUEST_BNDCFGS_RESERVED, GUEST_REGS, "bits 11:2 of guest IA32_BNDCFGS must be 0") \
	X(GUEST_BNDCFGS_CANONICAL, GUEST_REGS,				\
	  "the address in guest IA32_BNDCFGS[63:12] must be canonical")	\
	X(GUEST_RTIT_CTL, GUEST_REGS, "reserved bits of guest IA32_RTIT_CTL must be 0") \
	X(GUEST_S_CET, GUEST_REGS,					\
	  "guest IA32_S_CET must be canonical, bits 9:6 clear, bits 11:10 not both set") \
	X(GUEST_SSP_TABLE, GUEST_REGS,					\
	  "guest IA32_INTERRUPT_SSP_TABLE_ADDR must be canonical")	\
	X(GUEST_PKRS, GUEST_REGS, "bits 63:32 of guest IA32_PKRS must be 0") \
	/* 27.3.1.2: selectors */					\
	X(TR_SELECTOR_TI, GUEST_SEGS, "TR's selector must not refer to the LDT (TI, bit 2)") \
	X(LDTR_SELECTOR_TI, GUEST_SEGS,					\
	  "a usable LDTR's selector must not refer to the LDT (TI, bit 2)") \
	X(SS_RPL_IS_CS_RPL, GUEST_SEGS,					\
	  "SS's RPL must equal CS's (not: virtual-8086, unrestricted guest)") \
	/* bases */							\
	X(V86_BASE, GUEST_SEGS, "in virtual-8086 mode, a base must be the selector times 16") \
	X(SEG_BASE_CANONICAL, GUEST_SEGS,				\
	  "the bases of TR, FS, GS and of a usable LDTR must be canonical") \
	X(SEG_BASE_32, GUEST_SEGS,					\
	  "bits 63:32 of the base of CS and of usable SS, DS, ES must be 0") \
	/* limits */							\
	X(V86_LIMIT, GUEST_SEGS, "in virtual-8086 mode, a limit must be 0xffff") \
	/* access rights */						\
	X(V86_AR, GUEST_SEGS, "in virtual-8086 mode, access rights must be 0xf3") \
	X(CS_TYPE, GUEST_SEGS,						\
	  "CS's type must be 9, 11, 13 or 15: accessed code (3, data, for an unrestricted guest)") \
	X(SS_TYPE, GUEST_SEGS, "a usable SS's type must be 3 or 7: accessed, writable data") \
	X(DATA_SEG_ACCESSED, GUEST_SEGS,				\
	  "a usable DS, ES, FS or GS must be marked accessed (type bit 0)") \
	X(DATA_SEG_READABLE, GUEST_SEGS,				\
	  "a usable DS, ES, FS or GS that is a code segment must be readable (type bit 1)") \
	X(SEG_S, GUEST_SEGS,						\
	  "CS and usable SS, DS, ES, FS, GS must be code or data segments (S = 1)") \
	X(CS_DPL_DATA, GUEST_SEGS, "CS of type 3 (data) must have DPL 0") \
	X(CS_DPL_NONCONFORMING, GUEST_SEGS,				\
	  "a nonconforming CS (type 9, 11) must have SS's DPL")		\
	X(CS_DPL_CONFORMING, GUEST_SEGS,				\
	  "a conforming CS (type 13, 15) must have a DPL not above SS's") \
	X(SS_DPL_IS_RPL, GUEST_SEGS,					\
	  "SS's DPL must equal its RPL (not: unrestricted guest)")	\
	X(SS_DPL_ZERO, GUEST_SEGS,					\
	  "SS's DPL must be 0 in real mode or if CS is of type 3 (data)") \
	X(DATA_SEG_DPL, GUEST_SEGS,					\
	  "a usable DS, ES, FS or GS needs DPL >= RPL (not: conforming, unrestricted guest)") \
	X(SEG_PRESENT, GUEST_SEGS, "CS and usable SS, DS, ES, FS, GS must be present (P = 1)") \
	X(SEG_AR_RESERVED, GUEST_SEGS,					\
	  "access-rights bits 11:8 and 31:17 of CS and of a usable segment must be 0") \
	X(CS_D_WITH_L, GUEST_SEGS,					\
	  "in an \"IA-32e mode guest\", CS with L = 1 must have D/B = 0") \
	X(SEG_G_ZERO, GUEST_SEGS,					\
	  "CS or a usable segment whose limit has a 0 in bits 11:0 must have G = 0") \
	X(SEG_G_ONE, GUEST_SEGS,					\
	  "CS or a usable segment whose limit has a 1 in bits 31:20 must have G = 1") \
	X(TR_TYPE, GUEST_SEGS,						\
	  "TR's type must be 11 (busy TSS), or 3 (16-bit busy TSS) outside IA-32e mode") \
	X(TR_S, GUEST_SEGS, "TR must be a system segment (S = 0)")	\
	X(TR_PRESENT, GUEST_SEGS, "TR must be present (P = 1)")		\
	X(TR_AR_RESERVED, GUEST_SEGS,					\
	  "bits 11:8 and 31:17 of TR's access rights must be 0")	\
	X(TR_G_ZERO, GUEST_SEGS,					\
	  "TR whose limit has a 0 in bits 11:0 must have G = 0")	\
	X(TR_G_ONE, GUEST_SEGS,						\
	  "TR whose limit has a 1 in bits 31:20 must have G = 1")	\
	X(TR_USABLE, GUEST_SEGS, "TR must be usable (bit 16 of its access rights 0)") \
	X(LDTR_TYPE, GUEST_SEGS, "a usable LDTR's type must be 2 (LDT)") \
	X(LDTR_S, GUEST_SEGS, "a usable LDTR must be a system segment (S = 0)") \
	X(LDTR_PRESENT, GUEST_SEGS, "a usable LDTR must be present (P = 1)") \
	X(LDTR_AR_RESERVED, GUEST_SEGS,					\
	  "bits 11:8 and 31:17 of a usable LDTR's access rights must be 0") \
	X(LDTR_G_ZERO, GUEST_SEGS,					\
	  "a usable LDTR whose limit has a 0 in bits 11:0 must have G = 0") \
	X(LDTR_G_ONE, GUEST_SEGS,					\
	  "a usable LDTR whose limit has a 1 in bits 31:20 must have G = 1") \
	/* 27.3.1.3 */							\
	X(TABLE_BASE_CANONICAL, GUEST_TABLES,				\
	  "the bases of GDTR and IDTR must be canonical")		\
	X(TABLE_LIMIT_16, GUEST_TABLES,					\
	  "bits 31:16 of the limits of GDTR and IDTR must be 0")	\
	/* 27.3.1.4 */							\
	X(GUEST_RIP_32, GUEST_RIP_RFLAGS,				\
	  "RIP[63:32] must be 0 outside 64-bit mode (\"IA-32e mode guest\" and CS.L)") \
	X(GUEST_RIP_64, GUEST_RIP_RFLAGS,				\
	  "in 64-bit mode, the bits of RIP beyond the linear-address width must be equal") \
	X(RFLAGS_RESERVED, GUEST_RIP_RFLAGS,				\
	  "RFLAGS[63:22], [15], [5], [3] must be 0 and RFLAGS[1] must be 1") \
	X(RFLAGS_VM, GUEST_RIP_RFLAGS,					\
	  "RFLAGS.VM must be 0 in an \"IA-32e mode guest\" and in real mode") \
	X(RFLAGS_IF_EXTINT, GUEST_RIP_RFLAGS,				\
	  "to inject an external interrupt, RFLAGS.IF must be 1")	\
	X(GUEST_SSP_ALIGNED, GUEST_RIP_RFLAGS, "bits 1:0 of guest SSP must be 0") \
	X(GUEST_SSP_WIDTH, GUEST_RIP_RFLAGS,				\
	  "guest SSP must be canonical in 64-bit mode, below 4 GiB outside it") \
	/* 27.3.1.5: activity state */					\
	X(ACTIVITY_SUPPORTED, GUEST_NON_REG,				\
	  "the activity state must be 0 to 3 and one that IA32_VMX_MISC[8:6] reports") \
	X(ACTIVITY_HLT_DPL, GUEST_NON_REG, "in activity state HLT, SS's DPL must be 0") \
	X(ACTIVITY_BLOCKED, GUEST_NON_REG,				\
	  "with blocking by STI or MOV SS, the activity state must be active") \
	X(ACTIVITY_EVENT, GUEST_NON_REG,				\
	  "the injected event must be one that can end the activity state") \
	/* interruptibility state */					\
	X(BLOCKING_RESERVED, GUEST_NON_REG,				\
	  "bits 31:5 of the interruptibility state must be 0")		\
	X(BLOCKING_STI_AND_MOV_SS, GUEST_NON_REG,			\
	  "blocking by STI and blocking by MOV SS exclude each other")	\
	X(BLOCKING_STI_NEEDS_IF, GUEST_NON_REG, "blocking by STI needs RFLAGS.IF = 1") \
	X(BLOCKING_EXTINT, GUEST_NON_REG,				\
	  "to inject an external interrupt, blocking by STI and by MOV SS must be 0") \
	X(BLOCKING_NMI_MOV_SS, GUEST_NON_REG,				\
	  "to inject an NMI, blocking by MOV SS must be 0")		\
	X(BLOCKING_NMI_STI, GUEST_NON_REG,				\
	  "to inject an NMI, blocking by STI must be 0 (on some processors only)") \
	X(BLOCKING_SMI, GUEST_NON_REG, "outside SMM, blocking by SMI must be 0") \
	X(BLOCKING_VIRTUAL_NMI, GUEST_NON_REG,				\
	  "to inject an NMI with \"virtual NMIs\", blocking by NMI must be 0") \
	X(BLOCKING_ENCLAVE, GUEST_NON_REG,				\
	  "enclave interruption excludes blocking by MOV SS")		\
	/* pending debug exceptions */					\
	X(PENDING_DBG_RESERVED, GUEST_NON_REG,				\
	  "reserved bits of the pending debug exceptions must be 0")	\
	X(PENDING_DBG_BS_MISSING, GUEST_NON_REG,			\
	  "with STI or MOV SS blocking or in HLT, BS must be pending if TF = 1 and BTF = 0") \
	X(PENDING_DBG_BS_EXTRA, GUEST_NON_REG,				\
	  "with STI or MOV SS blocking or in HLT, BS must be pending only if TF = 1, BTF = 0") \
	X(PENDING_DBG_RTM, GUEST_NON_REG,				\
	  "a pending RTM exception must have bit 12 set, no other, and no blocking by MOV SS") \
	/* VMCS link pointer */						\
	X(LINK_POINTER, GUEST_NON_REG,					\
	  "the VMCS link pointer must be all ones, or page-aligned and physical") \
	/* 27.3.1.6 */							\
	X(PDPTE_RESERVED, GUEST_PDPTES,					\
	  "with PAE paging under EPT, reserved bits of a present PDPTE must be 0")

enum vmcs_section {
#define X(name, number, title) VMCS_SECTION_##name,
	VMCS_SECTION_LIST(X)
#undef X
};

enum vmcs_rule {
#define X(id, section, words) VMCS_RULE_##id,
	VMCS_RULE_LIST(X)
#undef X
	VMCS_NR_RULES
};

#endif /* MINIKVM_VMCS_RULES_H */
