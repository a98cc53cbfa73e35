/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rules a VMCB must obey to be entered, in words
 *
 * One row for each rule of the APM (AMD64 Architecture Programmer's Manual) vol.
 * 2, chapter 15 "Secure Virtual Machine", in the APM's order:
 *
 *   X(ID, SECTION, "what must be true")
 *
 * A rule is one statement that can be wrong by itself, so that a report names
 * the mistake.  vmcb_check.c holds the code for each; the unit test fails when
 * a row here has no case that breaks it.
 *
 * They are few, for VMRUN takes most of the state as it is: there are no rules
 * about segments but one, none about RIP, RFLAGS or the interrupt shadow, and
 * bits that a control field reserves are ignored.
 *
 * The checker sees only the VMCB and the processor's capabilities.  Left out are:
 *
 *  - what VMRUN answers with #GP: a bad address of the VMCB or of VM_HSAVE_PA;
 *  - what depends on memory: the PDPEs under shadow paging;
 *  - the host's state: CR0.PG clear with nested paging on, U_CET in an MSR;
 *  - what minikvm never sets: AVIC, SEV and its kin, GMET, LBR virtualization.
 */
#ifndef MINIKVM_VMCB_RULES_H
#define MINIKVM_VMCB_RULES_H

/* X(name, number, title) */
#define VMCB_SECTION_LIST(X)						\
	X(BASIC, "15.5.1", "Basic Operation")				\
	X(TLB, "15.16", "TLB Control")					\
	X(EVENT, "15.20", "Event Injection")				\
	X(VNMI, "15.21.10", "NMI Virtualization")			\
	X(NPT, "15.25.4", "Nested Paging and VMRUN/#VMEXIT")

#define VMCB_RULE_LIST(X)						\
	/* 15.5.1: the guest's registers */				\
	X(EFER_SVME, BASIC, "EFER.SVME must be 1, although the guest need not see it") \
	X(CR0_NW_NEEDS_CD, BASIC, "CR0.NW must be 0 where CR0.CD is 0")	\
	X(CR0_HIGH, BASIC, "CR0[63:32] must be 0")			\
	X(CR3_RESERVED, BASIC, "CR3 must be 0 beyond the physical-address width") \
	X(CR4_RESERVED, BASIC, "bits of CR4 that the processor lacks must be 0") \
	X(DR6_HIGH, BASIC, "DR6[63:32] must be 0")			\
	X(DR7_HIGH, BASIC, "DR7[63:32] must be 0")			\
	X(EFER_RESERVED, BASIC, "bits of EFER that the processor lacks must be 0") \
	X(LONG_MODE_EXISTS, BASIC, "EFER.LME and LMA must be 0 where there is no long mode") \
	X(LONG_MODE_PAE, BASIC, "EFER.LME with CR0.PG needs CR4.PAE")	\
	X(LONG_MODE_PE, BASIC, "EFER.LME with CR0.PG needs CR0.PE")	\
	X(CS_L_OR_D, BASIC, "in long mode, CS must not have both L and D set") \
	X(S_CET_RESERVED, BASIC, "reserved bits of S_CET must be 0")	\
	X(CET_NEEDS_WP, BASIC, "CR4.CET needs CR0.WP")			\
	/* 15.5.1: the controls */					\
	X(VMRUN_INTERCEPT, BASIC, "VMRUN must be intercepted")		\
	X(MSRPM_ADDR, BASIC, "the MSR permission map must end below the end of physical memory") \
	X(IOPM_ADDR, BASIC, "the I/O permission map must end below the end of physical memory") \
	X(ASID_NOT_ZERO, BASIC, "the guest's ASID must not be 0, which is the host's") \
	/* 15.16 */							\
	X(ASID_EXISTS, TLB, "the guest's ASID must be one that the processor has") \
	X(TLB_CONTROL, TLB,						\
	  "TLB_CONTROL must be 0 or 1, or, with FlushByAsid, 3 or 7")	\
	/* 15.20 */							\
	X(EVENT_TYPE, EVENT, "the type of an injected event must not be a reserved one") \
	X(EVENT_VECTOR, EVENT, "an injected exception's vector must be an exception's (2 is not)") \
	X(EVENT_MODE, EVENT,						\
	  "#OF and #BR, which 64-bit mode does not have, must not be injected there") \
	/* 15.21.10 */							\
	X(VNMI_NEEDS_INTERCEPT, VNMI, "V_NMI_ENABLE needs NMIs to be intercepted") \
	/* 15.25.4 */							\
	X(NCR3_RESERVED, NPT,						\
	  "with nested paging, N_CR3 must be 0 beyond the physical-address width") \
	X(G_PAT_TYPES, NPT,						\
	  "with nested paging, each byte of G_PAT must be a memory type: 0, 1, or 4 to 7")

enum vmcb_section {
#define X(name, number, title) VMCB_SECTION_##name,
	VMCB_SECTION_LIST(X)
#undef X
};

enum vmcb_rule {
#define X(id, section, words) VMCB_RULE_##id,
	VMCB_RULE_LIST(X)
#undef X
	VMCB_NR_RULES
};

#endif /* MINIKVM_VMCB_RULES_H */
