/* SPDX-License-Identifier: GPL-2.0 */
/*
 * svm.h - what the SVM files share: the vCPU's SVM half
 *
 *	svm.c		set-up of module, CPU and vCPU; the entry itself
 *	svm_caps.c	which SVM features there are, and which are used
 *	svm_entry.S	the few instructions around VMRUN
 *	svm_state.c	guest registers and MSRs kept in the VMCB
 *	svm_exit.c	what each exit code means; events in and out
 *	svm_names.c, vmcb_check.c	SVM in words, and the rules of VMRUN
 *
 * A VMCB is plain memory, unlike a VMCS: reading it costs no more than a load.
 * What costs is that VMRUN has to load all of it, so the CPU may keep parts from
 * one VMRUN to the next; a part that software has changed must be marked (VMCB
 * clean bits, APM vol. 2, 15.15.3).
 *
 * Section numbers are those of AMD64 Architecture Programmer's Manual volume 2,
 * chapter 15, "Secure Virtual Machine".
 */
#ifndef MINIKVM_SVM_H
#define MINIKVM_SVM_H

#include <asm/asm.h>
#include <asm/svm.h>

#include "count.h"
#include "kvm_host.h"
#include "svm_names.h"

/*
 * VMCB clean bits (APM 15.15.3): a bit for each part of the VMCB that the CPU may
 * have kept.  CR2 has one as well, but changes with each page fault.
 */
enum {
	VMCB_INTERCEPTS,	/* intercept vectors, TSC offset, pause filter */
	VMCB_PERM_MAP,		/* IOPM and MSRPM addresses */
	VMCB_ASID,
	VMCB_INTR,		/* int_ctl, int_vector */
	VMCB_NPT,		/* nested CR3, guest PAT */
	VMCB_CR,		/* CR0, CR3, CR4, EFER */
	VMCB_DR,		/* DR6, DR7 */
	VMCB_DT,		/* GDT, IDT */
	VMCB_SEG,		/* CS, DS, SS, ES, CPL */
};

#define VMCB_ALL_CLEAN	(GENMASK(VMCB_SEG, VMCB_INTERCEPTS))

/* VMCB virtual-interrupt control: NMI virtualization (APM 15.21.10). */
#ifndef V_NMI_BLOCKING_MASK
#define V_NMI_BLOCKING_MASK	BIT(12)
#define V_NMI_ENABLE_MASK	BIT(26)
#endif

/**
 * struct svm_features - what CPUID 8000_000AH offers and is in use
 * @nr_asids:	ASIDs 1 to @nr_asids - 1 are for guests
 * @nrips:	an exit tells the next instruction's address
 * @decode_assists: an exit tells the operand of MOV CR and MOV DR
 * @flush_by_asid: VMRUN can flush one ASID
 * @pause_filter: a count of PAUSEs before one exits
 * @pause_threshold: and a time between two that starts the count again
 * @vnmi:	hardware keeps the NMI mask
 * @tsc_ratio:	the TSC ratio MSR is there
 * @invpcid:	the CPU has INVPCID, whatever the kernel was told of it
 *
 * Filled by svm_setup_caps(); constant afterwards.
 */
struct svm_features {
	u32 nr_asids;
	bool nrips;
	bool decode_assists;
	bool flush_by_asid;
	bool pause_filter;
	bool pause_threshold;
	bool vnmi;
	bool tsc_ratio;
	bool invpcid;
};

extern struct svm_features svm_features;

/* vcpu_svm.exit_code if VMRUN refused: all ones, VMEXIT_INVALID. */
#define SVM_EXIT_REFUSED	((u64)(s64)SVM_EXIT_ERR)

/**
 * struct vcpu_svm - a vCPU on SVM
 * @vcpu:	the generic half; first, so that a pointer to one is a pointer to both
 * @vmcb:	its VMCB, one page
 * @vmcb_pa:	physical address of @vmcb
 * @msrpm:	its MSR permission map, two pages
 * @last_cpu:	where @vmcb ran last, or -1
 * @asid_generation: its ASID is good there in this generation, see svm.c
 * @exit_code:	of the last exit; SVM_EXIT_REFUSED if there was none
 * @exit_dr6:	what a #DB that exited has put in DR6
 * @soft_len:	length of the instruction for which an event is injected, or 0:
 *		its return address lies behind it, see svm_write_event()
 * @nmi_masked:	NMIs are blocked, where hardware does not keep that (no vNMI)
 * @iret_rip:	an IRET was let through at this address and ends the blocking
 * @await_iret:	@iret_rip has a meaning
 * @nmi_step:	the next entry is for one instruction, behind which an NMI gets in
 * @nmi_stepped: the last entry was, and the guest did not have TF set itself
 * @guest_state_loaded: host's state that VMRUN leaves is in the CPU's save page
 * @tsc_aux:	the guest's
 */
struct vcpu_svm {
	struct kvm_vcpu vcpu;
	struct vmcb *vmcb;
	unsigned long vmcb_pa;
	u32 *msrpm;
	int last_cpu;
	u64 asid_generation;

	u64 exit_code;
	unsigned long exit_dr6;
	u8 soft_len;

	bool nmi_masked;
	bool await_iret;
	unsigned long iret_rip;
	bool nmi_step;
	bool nmi_stepped;

	bool guest_state_loaded;
	u64 tsc_aux;
	u64 sysenter_esp, sysenter_eip;
	u64 vm_cr, hsave_pa, de_cfg;	/* the guest's own; nothing follows from them */
};

static inline struct vcpu_svm *to_svm(struct kvm_vcpu *vcpu)
{
	return container_of(vcpu, struct vcpu_svm, vcpu);
}

/* This part of the VMCB was written: VMRUN must load it anew. */
static inline void vmcb_mark_dirty(struct vmcb *vmcb, int part)
{
	vmcb->control.clean &= ~BIT(part);
}

/* @bit: INTERCEPT_*, and INTERCEPT_EXCEPTION_OFFSET + vector */
static inline bool svm_is_intercept(struct vcpu_svm *svm, unsigned int bit)
{
	return svm->vmcb->control.intercepts[bit / 32] & BIT(bit % 32);
}

static inline void svm_set_intercept(struct vcpu_svm *svm, unsigned int bit, bool on)
{
	if (svm_is_intercept(svm, bit) == on)
		return;
	svm->vmcb->control.intercepts[bit / 32] ^= BIT(bit % 32);
	vmcb_mark_dirty(svm->vmcb, VMCB_INTERCEPTS);
}

/* svm_caps.c */
struct vmcb_check_env;
int svm_setup_caps(void);
int svm_check_processor_compatibility(void);
void svm_fill_check_env(struct vmcb_check_env *env);

/* svm.c */
void svm_explain_entry_failure(struct kvm_vcpu *vcpu);
void svm_dump(struct kvm_vcpu *vcpu);
void svm_grow_pause_window(struct vcpu_svm *svm);

/* svm_state.c */
void svm_cache_reg(struct kvm_vcpu *vcpu, enum kvm_reg reg);
void svm_store_reg(struct kvm_vcpu *vcpu, enum kvm_reg reg);
void svm_flush_dirty_regs(struct vcpu_svm *svm);
void svm_get_segment(struct kvm_vcpu *vcpu, struct kvm_segment *var, int seg);
void svm_set_segment(struct kvm_vcpu *vcpu, const struct kvm_segment *var, int seg);
int svm_get_cpl(struct kvm_vcpu *vcpu);
bool svm_get_cs_l(struct kvm_vcpu *vcpu);
void svm_get_dt(struct kvm_vcpu *vcpu, struct desc_ptr *dt, enum kvm_dt which);
void svm_set_dt(struct kvm_vcpu *vcpu, const struct desc_ptr *dt, enum kvm_dt which);
bool svm_is_valid_cr4(struct kvm_vcpu *vcpu, unsigned long cr4);
int svm_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data);
int svm_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 data);
void svm_load_tsc_ratio(u64 ratio);
void svm_write_tsc_offset(struct kvm_vcpu *vcpu);
void svm_update_intercepts(struct kvm_vcpu *vcpu);

/* svm_exit.c */
bool svm_event_allowed(struct kvm_vcpu *vcpu, enum kvm_event_type type);
void svm_enable_window(struct kvm_vcpu *vcpu, enum kvm_event_type type);
void svm_inject_exception(struct kvm_vcpu *vcpu);
void svm_inject_irq(struct kvm_vcpu *vcpu);
void svm_inject_nmi(struct kvm_vcpu *vcpu);
void svm_cancel_injection(struct kvm_vcpu *vcpu);
u32 svm_get_interrupt_shadow(struct kvm_vcpu *vcpu);
void svm_set_interrupt_shadow(struct kvm_vcpu *vcpu, u32 shadow);
bool svm_get_nmi_mask(struct kvm_vcpu *vcpu);
void svm_set_nmi_mask(struct kvm_vcpu *vcpu, bool masked);
void svm_complete_interrupts(struct vcpu_svm *svm);
void svm_handle_exit_irqoff(struct kvm_vcpu *vcpu);
int svm_handle_exit(struct kvm_vcpu *vcpu);
void svm_skip_emulated_instruction(struct kvm_vcpu *vcpu);
void svm_get_exit_info(struct kvm_vcpu *vcpu, struct kvm_exit_info *info);
const char *svm_exit_name(u32 row);

/* svm_entry.S */
void __svm_vcpu_run(unsigned long *regs, unsigned long vmcb_pa, unsigned long host_pa);

#endif
