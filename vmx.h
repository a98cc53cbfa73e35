/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vmx.h - what the VMX files share: the vCPU's VMX half, VMCS access
 *
 *	vmx.c		set-up of module, CPU and vCPU; the entry itself
 *	vmx_caps.c	which VMX controls there are, and which are used
 *	vmx_entry.S	the few instructions around VMLAUNCH and VMRESUME
 *	vmx_state.c	guest registers and MSRs kept in the VMCS
 *	vmx_exit.c	what each exit reason means; events in and out
 *	vmx_apic.c	what VMX does of the local APIC
 *	vmx_pml.c	the CPU's log of the pages that the guest writes
 *	vmx_names.c, vmcs_check.c	VMX in words, and the rules of VM entry
 *
 * A VMCS is reached only on the CPU where it is current, by VMREAD and VMWRITE,
 * and each costs tens of cycles (thousands if a hypervisor below must emulate
 * it).  So what can be remembered is, and what an exit does not need is not
 * read.
 */
#ifndef MINIKVM_VMX_H
#define MINIKVM_VMX_H

#include <linux/list.h>
#include <asm/asm.h>
#include <asm/vmx.h>

#include "count.h"
#include "kvm_host.h"
#include "vmx_names.h"

#define VMX_MAX_GUEST_MSRS	5	/* switched on return to userspace */

/* The region that VMXON, VMPTRLD and VMCLEAR take (SDM 25.2). */
struct vmcs {
	u32 revision_id;
	u32 abort;
	char data[];
};

/**
 * struct vmcs_config - the controls in use, one set for all CPUs and VMs
 *
 * Filled by setup_vmcs_config() from the capability MSRs; constant afterwards.
 */
struct vmcs_config {
	u32 revision_id;
	u32 size;
	u32 pin_based;
	u32 cpu_based;
	u32 cpu_based_2nd;
	u32 vmexit;
	u32 vmentry;
	u64 ept_vpid;		/* IA32_VMX_EPT_VPID_CAP */
};

extern struct vmcs_config vmcs_config;
extern u64 vmx_cr0_fixed0, vmx_cr0_fixed1, vmx_cr4_fixed0, vmx_cr4_fixed1;

/* Fields of the exit that are read when first asked for. */
enum vmx_exit_field {
	VMX_EXIT_QUALIFICATION,
	VMX_EXIT_INTR_INFO,
};

struct vmx_segment_cache {
	u16 selector;
	unsigned long base;
	u32 limit;
	u32 ar;
};

/**
 * struct vcpu_vmx - a vCPU on VMX
 * @vcpu:	the generic half; first, so that a pointer to one is a pointer to both
 * @vmcs:	its VMCS
 * @vmcs_cpu:	CPU where @vmcs is active (VMPTRLD without VMCLEAR since), or -1.
 *		Changed only on that CPU with interrupts off, or when it is -1.
 * @vmcs_link:	in that CPU's list of active VMCSs, under the same rule
 * @launched:	VMRESUME is right, not VMLAUNCH
 * @vpid:	tag for TLB entries, 0 if there was none left
 * @fail:	the last entry was refused by VMLAUNCH/VMRESUME itself
 * @host_rsp:	what HOST_RSP holds
 * @exit_reason: as VMREAD gave it, with the entry-failure bit
 * @exit_fields: which of the lazily read fields are valid
 * @idt_vectoring_info: valid bit clear for exits that cannot have one
 * @exec_control: primary processor-based controls as they are in the VMCS
 * @exception_bitmap: likewise
 * @tpr_threshold: likewise
 * @eoi_exit:	EOI-exit bitmap, likewise
 * @pml_buffer:	page-modification log: vmx_pml.c; NULL: there is none
 * @pml_unread:	it may have pages that were written when no slot kept a log
 * @segments:	copies of guest segment registers; @seg_valid has a bit for each
 *		field of each, see vmx_state.c
 * @guest_state_loaded: the guest's MSRs are in the CPU, not the host's
 * @msr_guest_kernel_gs_base: current only while !@guest_state_loaded
 * @host_*:	what the VMCS's host area holds, to skip needless VMWRITEs
 */
struct vcpu_vmx {
	struct kvm_vcpu vcpu;
	struct vmcs *vmcs;
	int vmcs_cpu;
	struct list_head vmcs_link;
	bool launched;
	bool fail;
	u16 vpid;
	unsigned long host_rsp;

	u32 exit_reason;
	u32 exit_fields;
	u32 exit_intr_info;
	u32 idt_vectoring_info;
	unsigned long exit_qualification;

	u32 exec_control;
	u32 ple_window;		/* 0: no pause-loop exits */
	u32 exception_bitmap;
	u32 tpr_threshold;
	u64 eoi_exit[4];
	unsigned long *msr_bitmap;
	u64 eptp;
	u64 *pml_buffer;
	bool pml_unread;

	u32 seg_valid;
	struct vmx_segment_cache segments[8];

	bool guest_state_loaded;
	u64 msr_guest_kernel_gs_base;
	u64 guest_msrs[VMX_MAX_GUEST_MSRS];
	u64 feat_ctl;
	u16 host_fs_sel, host_gs_sel, host_ds_sel, host_es_sel, host_ldt_sel;
	unsigned long host_fs_base;
	unsigned long host_cr3;
	unsigned long host_cr4;
};

static inline struct vcpu_vmx *to_vmx(struct kvm_vcpu *vcpu)
{
	return container_of(vcpu, struct vcpu_vmx, vcpu);
}

/* ---- VMCS access ---- */

/*
 * Every VMX instruction has an exception-table entry: after a reboot or
 * emergency has switched VMX off under a vCPU, it raises #UD.  Reads then give
 * 0 and writes do nothing; the VM is dead by then.
 */
static __always_inline unsigned long __vmcs_readl(unsigned long field)
{
	unsigned long value;

	asm volatile("1: vmread %[field], %[value]\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_ZERO_REG, %[value])
		     : [value] "=r" (value) : [field] "r" (field) : "cc");
	kvm_count(vmreads);
	return value;
}

void vmwrite_error(unsigned long field, unsigned long value);

static __always_inline void __vmcs_writel(unsigned long field, unsigned long value)
{
	kvm_count(vmwrites);
	/* If it faults RFLAGS are anything; vmwrite_error() knows. */
	asm goto("1: vmwrite %1, %0\n"
		 "2: jna %l[failed]\n"
		 _ASM_EXTABLE(1b, 2b)
		 : : "r" (field), "rm" (value) : "cc" : failed);
	return;
failed:
	vmwrite_error(field, value);
}

/*
 * Bits 14:13 of a field's encoding are its width: 0 = 16 bits, 1 = 64, 2 = 32,
 * 3 = natural (SDM 25.11.2).  A field that is known at compile time must go
 * through the accessor of its width.
 */
#define VMCS_FIELD_WIDTH(field)	(((field) >> 13) & 3)
#define vmcs_check_width(field, width)					\
	BUILD_BUG_ON(__builtin_constant_p(field) && VMCS_FIELD_WIDTH(field) != (width))

static __always_inline u16 vmcs_read16(unsigned long field)
{
	vmcs_check_width(field, 0);
	return __vmcs_readl(field);
}

static __always_inline u64 vmcs_read64(unsigned long field)
{
	vmcs_check_width(field, 1);
	return __vmcs_readl(field);
}

static __always_inline u32 vmcs_read32(unsigned long field)
{
	vmcs_check_width(field, 2);
	return __vmcs_readl(field);
}

static __always_inline unsigned long vmcs_readl(unsigned long field)
{
	vmcs_check_width(field, 3);
	return __vmcs_readl(field);
}

static __always_inline void vmcs_write16(unsigned long field, u16 value)
{
	vmcs_check_width(field, 0);
	__vmcs_writel(field, value);
}

static __always_inline void vmcs_write64(unsigned long field, u64 value)
{
	vmcs_check_width(field, 1);
	__vmcs_writel(field, value);
}

static __always_inline void vmcs_write32(unsigned long field, u32 value)
{
	vmcs_check_width(field, 2);
	__vmcs_writel(field, value);
}

static __always_inline void vmcs_writel(unsigned long field, unsigned long value)
{
	vmcs_check_width(field, 3);
	__vmcs_writel(field, value);
}

/* ---- what vmx.c, vmx_state.c and vmx_exit.c need of each other ---- */

static inline unsigned long vmx_get_exit_qual(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!(vmx->exit_fields & BIT(VMX_EXIT_QUALIFICATION))) {
		vmx->exit_qualification = vmcs_readl(EXIT_QUALIFICATION);
		vmx->exit_fields |= BIT(VMX_EXIT_QUALIFICATION);
	}
	return vmx->exit_qualification;
}

static inline u32 vmx_get_intr_info(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!(vmx->exit_fields & BIT(VMX_EXIT_INTR_INFO))) {
		vmx->exit_intr_info = vmcs_read32(VM_EXIT_INTR_INFO);
		vmx->exit_fields |= BIT(VMX_EXIT_INTR_INFO);
	}
	return vmx->exit_intr_info;
}

/* Primary controls change often (windows); the copy saves a VMREAD each time. */
static inline void vmx_exec_control_set(struct vcpu_vmx *vmx, u32 bits)
{
	if ((vmx->exec_control & bits) == bits)
		return;
	vmx->exec_control |= bits;
	vmcs_write32(CPU_BASED_VM_EXEC_CONTROL, vmx->exec_control);
}

static inline void vmx_exec_control_clear(struct vcpu_vmx *vmx, u32 bits)
{
	if (!(vmx->exec_control & bits))
		return;
	vmx->exec_control &= ~bits;
	vmcs_write32(CPU_BASED_VM_EXEC_CONTROL, vmx->exec_control);
}

static inline bool cpu_has_vmx_vpid(void)
{
	return vmcs_config.cpu_based_2nd & SECONDARY_EXEC_ENABLE_VPID;
}

/* vmx_caps.c */
struct vmcs_check_env;
struct vmcs_reader;
int vmx_setup_caps(void);
int vmx_check_processor_compatibility(void);
void vmx_fill_check_env(struct vmcs_check_env *env, const struct vmcs_reader *reader);

/* vmx.c */
void vmx_prepare_switch_to_host(struct vcpu_vmx *vmx);
void vmx_grow_ple_window(struct vcpu_vmx *vmx);
void vmx_explain_entry_failure(struct kvm_vcpu *vcpu);
void vmx_dump(struct kvm_vcpu *vcpu);
void vmx_set_guest_msr(struct vcpu_vmx *vmx, unsigned int slot, u64 val);
int vmx_guest_msr_slot(u32 msr);	/* -1: not one of them */
extern const u32 vmx_guest_msr_index[VMX_MAX_GUEST_MSRS];

/* vmx_state.c */
void vmx_init_state_masks(struct kvm_vcpu *vcpu);
void vmx_cache_reg(struct kvm_vcpu *vcpu, enum kvm_reg reg);
void vmx_store_reg(struct kvm_vcpu *vcpu, enum kvm_reg reg);
void vmx_flush_dirty_regs(struct vcpu_vmx *vmx);
void vmx_get_segment(struct kvm_vcpu *vcpu, struct kvm_segment *var, int seg);
void vmx_set_segment(struct kvm_vcpu *vcpu, const struct kvm_segment *var, int seg);
int vmx_get_cpl(struct kvm_vcpu *vcpu);
bool vmx_get_cs_l(struct kvm_vcpu *vcpu);
void vmx_get_dt(struct kvm_vcpu *vcpu, struct desc_ptr *dt, enum kvm_dt which);
void vmx_set_dt(struct kvm_vcpu *vcpu, const struct desc_ptr *dt, enum kvm_dt which);
bool vmx_is_valid_cr4(struct kvm_vcpu *vcpu, unsigned long cr4);
int vmx_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data);
int vmx_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 data);
void vmx_write_tsc_offset(struct kvm_vcpu *vcpu);
void vmx_update_intercepts(struct kvm_vcpu *vcpu);
void vmx_msr_bitmap_set(unsigned long *bitmap, u32 index, bool write, bool intercept);

/* vmx_exit.c */
bool vmx_event_allowed(struct kvm_vcpu *vcpu, enum kvm_event_type type);
void vmx_enable_window(struct kvm_vcpu *vcpu, enum kvm_event_type type);
void vmx_inject_exception(struct kvm_vcpu *vcpu);
void vmx_inject_irq(struct kvm_vcpu *vcpu);
void vmx_inject_nmi(struct kvm_vcpu *vcpu);
void vmx_cancel_injection(struct kvm_vcpu *vcpu);
u32 vmx_get_interrupt_shadow(struct kvm_vcpu *vcpu);
void vmx_set_interrupt_shadow(struct kvm_vcpu *vcpu, u32 shadow);
bool vmx_get_nmi_mask(struct kvm_vcpu *vcpu);
void vmx_set_nmi_mask(struct kvm_vcpu *vcpu, bool masked);
void vmx_complete_interrupts(struct vcpu_vmx *vmx);
void vmx_handle_exit_irqoff(struct kvm_vcpu *vcpu);
int vmx_handle_exit(struct kvm_vcpu *vcpu);
void vmx_skip_emulated_instruction(struct kvm_vcpu *vcpu);
void vmx_get_exit_info(struct kvm_vcpu *vcpu, struct kvm_exit_info *info);
const char *vmx_exit_name(u32 reason);

/* vmx_apic.c */
#define VMX_APIC_2ND	(SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES |	\
			 SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE |	\
			 SECONDARY_EXEC_APIC_REGISTER_VIRT |		\
			 SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY)
void vmx_apic_setup(struct vmcs_config *conf);
void vmx_apic_report(void);
u32 vmx_apic_secondary(struct kvm_vcpu *vcpu);
void vmx_apic_update(struct kvm_vcpu *vcpu);
void vmx_load_apicv(struct kvm_vcpu *vcpu, const struct kvm_apicv *v);
int vmx_handle_apic_access(struct kvm_vcpu *vcpu);
int vmx_handle_apic_write(struct kvm_vcpu *vcpu);
int vmx_handle_eoi_induced(struct kvm_vcpu *vcpu);
u32 vmx_apic_cpu_based(struct kvm_vcpu *vcpu);
void vmx_apic_reset(struct kvm_vcpu *vcpu);
void vmx_watch_tpr(struct kvm_vcpu *vcpu, unsigned int class);
int vmx_handle_tpr_below_threshold(struct kvm_vcpu *vcpu);

/* vmx_pml.c */
#define PML_ENTRIES	512	/* SDM vol. 3, 29.3.6 */

int vmx_pml_create(struct vcpu_vmx *vmx);
void vmx_pml_free(struct vcpu_vmx *vmx);
void vmx_pml_init_vmcs(struct vcpu_vmx *vmx);
void vmx_pml_flush(struct vcpu_vmx *vmx);
void vmx_pml_forget(struct vcpu_vmx *vmx);

/* vmx_entry.S */
bool __vmx_vcpu_run(unsigned long *regs, unsigned long *host_rsp, bool launched);
extern char vmx_vmexit[];

#endif
