// SPDX-License-Identifier: GPL-2.0
/*
 * vmx.c - Intel VMX: set-up of the module, of each CPU and each vCPU; the entry
 *
 * vmx_init() hands vmx_x86_ops to the generic core, and everything else here is
 * called back from there, in the order of the file:
 *
 *	vmx_hardware_setup()	once: what can this machine do (vmx_caps.c)?
 *	vmx_hardware_enable()	on each CPU, with the first VM: VMXON
 *	vmx_vcpu_create()	a VMCS, filled by vmx_init_vmcs()
 *	vmx_vcpu_load()		make that VMCS current on this CPU
 *	vmx_prepare_switch_to_guest()	MSRs that no VM entry switches
 *	vmx_vcpu_run()		into the guest, out again, what was the reason?
 *
 * What an exit means is in vmx_exit.c, the guest's registers in vmx_state.c, its local
 * APIC in vmx_apic.c, the log of its writes in vmx_pml.c.
 *
 * VMCS rules (SDM 25.1).  A VMCS is active on at most one CPU; it is current
 * there after VMPTRLD; VMCLEAR writes it back to memory so that another CPU may
 * take it.  Each CPU keeps a list of the VMCSs active on it, changed with
 * interrupts off on that CPU alone, so that VMX can be switched off safely.
 *
 * Section numbers are those of the SDM volume 3C in which "VMX Non-Root
 * Operation" is chapter 26.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/slab.h>
#include <asm/cpu_device_id.h>
#include <asm/mmu_context.h>
#include <asm/perf_event.h>
#include <asm/reboot.h>
#include <asm/tlbflush.h>

#include "vmcs_check.h"
#include "vmx.h"

MODULE_AUTHOR("the minikvm developers");
MODULE_DESCRIPTION("A KVM small enough to read: Intel VMX");
MODULE_LICENSE("GPL");

static const struct x86_cpu_id vmx_cpu_id[] = {
	X86_MATCH_FEATURE(X86_FEATURE_VMX, NULL),
	{}
};
MODULE_DEVICE_TABLE(x86cpu, vmx_cpu_id);

/* Both all ones: see vmx_alloc_bitmaps(). */
static unsigned long *vmx_io_bitmap;

/*
 * PAUSEs at CPL 0 less than a gap apart are one loop; a loop of more than a window
 * exits.  TSC ticks (SDM 26.1.3).  The window doubles with each exit, up to a
 * limit, for what the guest waits for may take long, or no other vCPU may be
 * there to yield to; it is small again after the vCPU was scheduled out.
 */
#define VMX_PLE_GAP		128
#define VMX_PLE_WINDOW		4096
#define VMX_PLE_WINDOW_MAX	(VMX_PLE_WINDOW << 8)

/* Bit n: VPID n is in use.  VPID 0 is the host's. */
static DECLARE_BITMAP(vmx_vpid_bitmap, VMX_NR_VPIDS);
static DEFINE_SPINLOCK(vmx_vpid_lock);

static DEFINE_PER_CPU(struct vmcs *, vmxarea);
static DEFINE_PER_CPU(struct vmcs *, current_vmcs);
static DEFINE_PER_CPU(struct list_head, active_vmcss);

/* ---- once ---- */

/*
 * I/O bitmaps (SDM 25.6.4): all ones, every port exits.  Letting the guest reach
 * even a harmless-looking port such as 0x80 lets it stall the host's bus.
 */
static int vmx_alloc_bitmaps(void)
{
	vmx_io_bitmap = (unsigned long *)__get_free_pages(GFP_KERNEL, 1);
	if (!vmx_io_bitmap)
		return -ENOMEM;
	memset(vmx_io_bitmap, 0xff, 2 * PAGE_SIZE);
	return 0;
}

static struct vmcs *alloc_vmcs(int node, gfp_t flags)
{
	struct page *page = alloc_pages_node(node, flags | __GFP_ZERO, 0);
	struct vmcs *vmcs;

	if (!page)
		return NULL;
	vmcs = page_address(page);
	vmcs->revision_id = vmcs_config.revision_id;
	return vmcs;
}

static void free_vmcs(struct vmcs *vmcs)
{
	free_page((unsigned long)vmcs);
}

static void vmx_free_vmxareas(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		free_vmcs(per_cpu(vmxarea, cpu));
		per_cpu(vmxarea, cpu) = NULL;
	}
}

static int vmx_alloc_vmxareas(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		INIT_LIST_HEAD(&per_cpu(active_vmcss, cpu));
		per_cpu(vmxarea, cpu) = alloc_vmcs(cpu_to_node(cpu), GFP_KERNEL);
		if (!per_cpu(vmxarea, cpu)) {
			vmx_free_vmxareas();
			return -ENOMEM;
		}
	}
	return 0;
}

/* For user_return.c: a slot there is an index here; not every machine has TSC_AUX. */
const u32 vmx_guest_msr_index[VMX_MAX_GUEST_MSRS] = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK, MSR_TSC_AUX,
};

#define VMX_NR_SYSCALL_MSRS	4	/* the first four matter only if EFER.SCE is set */

static unsigned int vmx_nr_guest_msrs;

static void vmx_setup_user_return_msrs(void)
{
	unsigned int i;

	vmx_nr_guest_msrs = VMX_NR_SYSCALL_MSRS + kvm_caps.has_rdtscp;
	for (i = 0; i < vmx_nr_guest_msrs; i++)
		kvm_add_user_return_msr(vmx_guest_msr_index[i]);
}

static int vmx_hardware_setup(void)
{
	int r = vmx_setup_caps();

	if (r)
		return r;
	r = vmx_alloc_bitmaps();
	if (r)
		return r;
	r = vmx_alloc_vmxareas();
	if (r) {
		free_pages((unsigned long)vmx_io_bitmap, 1);
		return r;
	}
	set_bit(0, vmx_vpid_bitmap);
	vmx_setup_user_return_msrs();
	return 0;
}

static void vmx_hardware_unsetup(void)
{
	vmx_free_vmxareas();
	free_pages((unsigned long)vmx_io_bitmap, 1);
}

/* ---- MSRs that only userspace notices (user_return.c) ---- */

int vmx_guest_msr_slot(u32 msr)
{
	int i;

	for (i = 0; i < VMX_MAX_GUEST_MSRS; i++) {
		if (vmx_guest_msr_index[i] == msr)
			return i;
	}
	return -1;
}

/* Preemption off. */
static void vmx_load_user_msrs(struct vcpu_vmx *vmx)
{
	unsigned int first = vmx->vcpu.arch.efer & EFER_SCE ? 0 : VMX_NR_SYSCALL_MSRS;

	kvm_set_user_return_msrs(first, vmx->guest_msrs + first, vmx_nr_guest_msrs - first);
}

/* A new value of guest MSR number @slot; the vCPU is loaded. */
void vmx_set_guest_msr(struct vcpu_vmx *vmx, unsigned int slot, u64 val)
{
	vmx->guest_msrs[slot] = val;
	preempt_disable();
	if (vmx->guest_state_loaded)
		vmx_load_user_msrs(vmx);
	preempt_enable();
}

/* ---- each CPU ---- */

/*
 * SDM 24.7: CR4.VMXE, then VMXON with a region of the right revision.  CR4.VMXE
 * already set means that somebody else is there; VMXON twice would fail.
 */
static int vmx_hardware_enable(void)
{
	u64 phys = __pa(this_cpu_read(vmxarea));

	if (cr4_read_shadow() & X86_CR4_VMXE)
		return -EBUSY;
	intel_pt_handle_vmx(1);
	cr4_set_bits(X86_CR4_VMXE);
	/* CF = 1 is "failed", also if VMXON faults and leaves it alone. */
	asm goto("stc\n"
		 "1: vmxon %0\n"
		 "2: jbe %l[failed]\n"
		 _ASM_EXTABLE(1b, 2b)
		 : : "m" (phys) : "memory", "cc" : failed);
	return 0;

failed:
	cr4_clear_bits(X86_CR4_VMXE);
	intel_pt_handle_vmx(0);
	pr_warn_ratelimited("VMXON failed on CPU %d\n", smp_processor_id());
	return -EIO;
}

static void vmcs_clear(struct vmcs *vmcs)
{
	u64 phys = __pa(vmcs);

	asm volatile("1: vmclear %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : "m" (phys) : "memory", "cc");
}

static void vmcs_load(struct vmcs *vmcs)
{
	u64 phys = __pa(vmcs);

	asm volatile("1: vmptrld %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : "m" (phys) : "memory", "cc");
}

static void vmx_vmxoff(void)
{
	asm volatile("1: vmxoff\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : : "memory", "cc");
	cr4_clear_bits(X86_CR4_VMXE);
}

/* The VMCS goes back to memory; on the CPU where it is active, interrupts off. */
static void __vmx_clear(struct vcpu_vmx *vmx)
{
	vmcs_clear(vmx->vmcs);
	if (this_cpu_read(current_vmcs) == vmx->vmcs)
		this_cpu_write(current_vmcs, NULL);
	list_del(&vmx->vmcs_link);
	vmx->launched = false;
	/* Off the list before another CPU may put it on its own. */
	smp_wmb();
	WRITE_ONCE(vmx->vmcs_cpu, -1);
}

static void vmx_clear_ipi(void *arg)
{
	struct vcpu_vmx *vmx = arg;

	/* VMX may have been switched off here in the meantime. */
	if (vmx->vmcs_cpu == smp_processor_id())
		__vmx_clear(vmx);
}

static void vmx_clear(struct vcpu_vmx *vmx)
{
	int cpu = READ_ONCE(vmx->vmcs_cpu);

	if (cpu != -1)
		smp_call_function_single(cpu, vmx_clear_ipi, vmx, 1);
}

static void vmx_hardware_disable(void)
{
	struct vcpu_vmx *vmx, *next;

	list_for_each_entry_safe(vmx, next, this_cpu_ptr(&active_vmcss), vmcs_link)
		__vmx_clear(vmx);
	vmx_vmxoff();
	intel_pt_handle_vmx(0);
}

/*
 * Crash, or reboot without notifiers: an NMI runs this on each CPU, whatever it
 * was doing.  VMCSs in the CPU's caches are written back first, lest they be
 * written over the crash kernel's memory later.
 */
static void vmx_emergency_disable(void)
{
	struct vcpu_vmx *vmx;

	if (!(__read_cr4() & X86_CR4_VMXE))
		return;
	list_for_each_entry(vmx, this_cpu_ptr(&active_vmcss), vmcs_link)
		vmcs_clear(vmx->vmcs);
	asm volatile("1: vmxoff\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : : "memory", "cc");
}

/* ---- each vCPU: the VMCS ---- */

static u16 allocate_vpid(void)
{
	unsigned long vpid;

	if (!cpu_has_vmx_vpid())
		return 0;
	spin_lock(&vmx_vpid_lock);
	vpid = find_first_zero_bit(vmx_vpid_bitmap, VMX_NR_VPIDS);
	if (vpid < VMX_NR_VPIDS)
		__set_bit(vpid, vmx_vpid_bitmap);
	else
		vpid = 0;
	spin_unlock(&vmx_vpid_lock);
	return vpid;
}

static void free_vpid(u16 vpid)
{
	if (!vpid)
		return;
	spin_lock(&vmx_vpid_lock);
	__clear_bit(vpid, vmx_vpid_bitmap);
	spin_unlock(&vmx_vpid_lock);
}

static void vmx_set_ple_window(struct vcpu_vmx *vmx, u32 window)
{
	if (vmx->ple_window == window)
		return;
	vmx->ple_window = window;
	vmcs_write32(PLE_WINDOW, window);
}

/* A pause-loop exit; loaded vCPU. */
void vmx_grow_ple_window(struct vcpu_vmx *vmx)
{
	vmx_set_ple_window(vmx, min(vmx->ple_window * 2, (u32)VMX_PLE_WINDOW_MAX));
}

/* SDM 25.6: VM-execution control fields. */
static void vmx_init_execution_controls(struct vcpu_vmx *vmx)
{
	u32 secondary = vmcs_config.cpu_based_2nd;

	vmcs_write32(PIN_BASED_VM_EXEC_CONTROL, vmcs_config.pin_based);
	vmx->exec_control = vmx_apic_cpu_based(&vmx->vcpu);
	vmcs_write32(CPU_BASED_VM_EXEC_CONTROL, vmx->exec_control);
	if (!vmx->vpid)
		secondary &= ~SECONDARY_EXEC_ENABLE_VPID;
	/* INVPCID, RDTSCP, XSAVES: vmx_update_intercepts() follows CPUID. */
	vmcs_write32(SECONDARY_VM_EXEC_CONTROL, secondary);
	if (vmx->vpid)
		vmcs_write16(VIRTUAL_PROCESSOR_ID, vmx->vpid);

	vmcs_write64(IO_BITMAP_A, __pa(vmx_io_bitmap));
	vmcs_write64(IO_BITMAP_B, __pa(vmx_io_bitmap) + PAGE_SIZE);
	vmcs_write64(MSR_BITMAP, __pa(vmx->msr_bitmap));
	vmcs_write64(TSC_OFFSET, 0);
	/* No page fault exits: the bit in the exception bitmap is 0, and 0 == 0. */
	vmcs_write32(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmcs_write32(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmcs_write32(CR3_TARGET_COUNT, 0);
	if (secondary & SECONDARY_EXEC_ENABLE_XSAVES)
		vmcs_write64(XSS_EXIT_BITMAP, 0);
	if (secondary & SECONDARY_EXEC_ENCLS_EXITING)
		vmcs_write64(ENCLS_EXITING_BITMAP, ~0ull);
	if (secondary & SECONDARY_EXEC_PAUSE_LOOP_EXITING) {
		vmcs_write32(PLE_GAP, VMX_PLE_GAP);
		vmx_set_ple_window(vmx, VMX_PLE_WINDOW);
	}
	if (secondary & SECONDARY_EXEC_TSC_SCALING)
		vmcs_write64(TSC_MULTIPLIER, 1ull << kvm_caps.tsc_scaling_frac_bits);
	vmx_pml_init_vmcs(vmx);
}

/* SDM 25.7 and 25.8: what exits and entries save and load. */
static void vmx_init_transition_controls(void)
{
	vmcs_write32(VM_EXIT_CONTROLS, vmcs_config.vmexit);
	vmcs_write32(VM_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write32(VM_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write32(VM_ENTRY_CONTROLS, vmcs_config.vmentry);
	vmcs_write32(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, 0);
}

/*
 * SDM 25.5: the host state that is the same on every CPU and for ever.  What
 * belongs to a CPU is set in vmx_vcpu_load(), what belongs to the thread in
 * vmx_prepare_switch_to_guest(), CR3 and CR4 in vmx_vcpu_run().
 *
 * DS, ES, FS and GS are 0 after an exit; a process that uses others gets them
 * back in vmx_prepare_switch_to_host().  Nearly none does.
 */
static void vmx_init_host_state(void)
{
	u64 val;

	vmcs_writel(HOST_CR0, read_cr0() & ~X86_CR0_TS);
	vmcs_write16(HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write16(HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write16(HOST_DS_SELECTOR, 0);
	vmcs_write16(HOST_ES_SELECTOR, 0);
	vmcs_write16(HOST_FS_SELECTOR, 0);
	vmcs_write16(HOST_GS_SELECTOR, 0);
	vmcs_write16(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmcs_writel(HOST_RIP, (unsigned long)vmx_vmexit);
	vmcs_write32(HOST_IA32_SYSENTER_CS, __KERNEL_CS);
	rdmsrl(MSR_IA32_SYSENTER_EIP, val);
	vmcs_writel(HOST_IA32_SYSENTER_EIP, val);
	vmcs_write64(HOST_IA32_EFER, kvm_host_efer);
	rdmsrl(MSR_IA32_CR_PAT, val);
	vmcs_write64(HOST_IA32_PAT, val);
}

/* SDM 25.4: guest state that no register accessor covers. */
static void vmx_init_guest_state(void)
{
	vmcs_write64(VMCS_LINK_POINTER, ~0ull);
	vmcs_write64(GUEST_IA32_DEBUGCTL, 0);
	vmcs_write32(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmcs_writel(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, 0);
}

/*
 * The MSR bitmap has four parts of 1 KiB: reads of MSRs 0..1fff and of
 * c0000000..c0001fff, then writes of both.  A set bit exits (SDM 25.6.9).
 * vmx_update_intercepts() opens what the guest may touch itself.
 */
static int vmx_alloc_msr_bitmap(struct vcpu_vmx *vmx)
{
	vmx->msr_bitmap = (unsigned long *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->msr_bitmap)
		return -ENOMEM;
	memset(vmx->msr_bitmap, 0xff, PAGE_SIZE);
	return 0;
}

static void vmx_init_vmcs(struct vcpu_vmx *vmx)
{
	vmx_init_execution_controls(vmx);
	vmx_apic_reset(&vmx->vcpu);
	vmx_init_transition_controls();
	vmx_init_host_state();
	vmx_init_guest_state();
	vmx_init_state_masks(&vmx->vcpu);
}

static void vmx_vcpu_load(struct kvm_vcpu *vcpu, int cpu);
static void vmx_vcpu_put(struct kvm_vcpu *vcpu);

static int vmx_vcpu_create(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	int r;

	vmx->vmcs_cpu = -1;
	vmx->vpid = allocate_vpid();
	r = vmx_alloc_msr_bitmap(vmx);
	if (r)
		goto err_bitmap;
	r = vmx_pml_create(vmx);
	if (r)
		goto err_pml;
	vmx->vmcs = alloc_vmcs(numa_node_id(), GFP_KERNEL_ACCOUNT);
	if (!vmx->vmcs) {
		r = -ENOMEM;
		goto err_vmcs;
	}
	/* A new VMCS must be cleared before it is loaded (SDM 25.11.3). */
	vmcs_clear(vmx->vmcs);
	return 0;

err_vmcs:
	vmx_pml_free(vmx);
err_pml:
	free_page((unsigned long)vmx->msr_bitmap);
err_bitmap:
	free_vpid(vmx->vpid);
	return r;
}

static void vmx_vcpu_free(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	vmx_clear(vmx);
	free_vmcs(vmx->vmcs);
	vmx_pml_free(vmx);
	free_page((unsigned long)vmx->msr_bitmap);
	free_vpid(vmx->vpid);
}

/* The VMCS fields that no generic register covers; loaded vCPU. */
static void vmx_vcpu_reset(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	vmx_init_vmcs(vmx);
	vmx->seg_valid = 0;
	vmx->msr_guest_kernel_gs_base = 0;
	memset(vmx->guest_msrs, 0, sizeof(vmx->guest_msrs));
	vmx->feat_ctl = 0;
	vmcs_write32(GUEST_SYSENTER_CS, 0);
	vmcs_writel(GUEST_SYSENTER_ESP, 0);
	vmcs_writel(GUEST_SYSENTER_EIP, 0);
	vmcs_write64(GUEST_IA32_PAT, vcpu->arch.pat);
}

/* ---- a vCPU on a CPU ---- */

/* Host state that belongs to this CPU. */
static void vmx_write_cpu_host_state(int cpu)
{
	u64 sysenter_esp;

	vmcs_writel(HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vmcs_writel(HOST_GDTR_BASE, (unsigned long)get_current_gdt_ro());
	vmcs_writel(HOST_GS_BASE, cpu_kernelmode_gs_base(cpu));
	rdmsrl(MSR_IA32_SYSENTER_ESP, sysenter_esp);
	vmcs_writel(HOST_IA32_SYSENTER_ESP, sysenter_esp);
}

static void vmx_write_idt_base(void)
{
	struct desc_ptr dt;

	store_idt(&dt);
	vmcs_writel(HOST_IDTR_BASE, dt.address);
}

/* Preemption off; the VMCS becomes current here, wherever it was. */
static void vmx_vcpu_load(struct kvm_vcpu *vcpu, int cpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	bool migrated = READ_ONCE(vmx->vmcs_cpu) != cpu;

	if (migrated) {
		vmx_clear(vmx);
		local_irq_disable();
		smp_rmb();	/* pairs with __vmx_clear(): it is off the other list */
		list_add(&vmx->vmcs_link, this_cpu_ptr(&active_vmcss));
		vmx->vmcs_cpu = cpu;
		local_irq_enable();
	}
	if (this_cpu_read(current_vmcs) != vmx->vmcs) {
		this_cpu_write(current_vmcs, vmx->vmcs);
		vmcs_load(vmx->vmcs);
	}
	if (vmx->ple_window)
		vmx_set_ple_window(vmx, VMX_PLE_WINDOW);
	if (migrated) {
		vmx_write_cpu_host_state(cpu);
		vmx_write_idt_base();
		vmx->host_rsp = 0;
		/* This CPU's TLB may hold what was flushed elsewhere. */
		kvm_make_request(KVM_REQ_TLB_FLUSH, vcpu);
	}
}

static void vmx_vcpu_put(struct kvm_vcpu *vcpu)
{
	vmx_prepare_switch_to_host(to_vmx(vcpu));
}

/*
 * Before an entry, preemption off: put in place what VM entry does not switch.
 * Done once until the vCPU is scheduled out or returns to userspace.
 */
static void vmx_prepare_switch_to_guest(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (vmx->guest_state_loaded)
		return;

	vmx_load_user_msrs(vmx);

	current_save_fsgs();	/* thread.fsbase and .gsbase are right now */
	savesegment(fs, vmx->host_fs_sel);
	savesegment(gs, vmx->host_gs_sel);
	savesegment(ds, vmx->host_ds_sel);
	savesegment(es, vmx->host_es_sel);
	store_ldt(vmx->host_ldt_sel);
	if (vmx->host_fs_base != current->thread.fsbase) {
		vmx->host_fs_base = current->thread.fsbase;
		vmcs_writel(HOST_FS_BASE, vmx->host_fs_base);
	}
	kvm_wrmsr(MSR_KERNEL_GS_BASE, vmx->msr_guest_kernel_gs_base);
	vmx->guest_state_loaded = true;
	vcpu->stat.host_state_reload++;
}

/* The mirror image; preemption off. */
void vmx_prepare_switch_to_host(struct vcpu_vmx *vmx)
{
	if (!vmx->guest_state_loaded)
		return;

	vmx->msr_guest_kernel_gs_base = kvm_rdmsr(MSR_KERNEL_GS_BASE);
	if (vmx->host_ldt_sel)
		asm volatile("lldt %0" : : "rm" (vmx->host_ldt_sel));
	if (vmx->host_ds_sel | vmx->host_es_sel) {
		loadsegment(ds, vmx->host_ds_sel);
		loadsegment(es, vmx->host_es_sel);
	}
	if (vmx->host_fs_sel)
		loadsegment(fs, vmx->host_fs_sel);
	if (vmx->host_gs_sel)
		load_gs_index(vmx->host_gs_sel);
	/* A VM exit sets TR's limit to 0x67 and GDTR's to 0xffff (SDM 28.5.2). */
	invalidate_tss_limit();
	kvm_wrmsr(MSR_KERNEL_GS_BASE, current->thread.gsbase);
	load_fixmap_gdt(raw_smp_processor_id());
	vmx->guest_state_loaded = false;
}

/* ---- TLB (SDM 29.4.3) ---- */

static void invept_context(u64 eptp)
{
	struct {
		u64 eptp, reserved;
	} operand = { eptp, 0 };

	asm volatile("1: invept %0, %1\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : "m" (operand), "r" ((u64)VMX_EPT_EXTENT_CONTEXT) : "memory", "cc");
}

static void invvpid_context(u16 vpid)
{
	struct {
		u64 vpid, linear_address;
	} operand = { vpid, 0 };

	asm volatile("1: invvpid %0, %1\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : "m" (operand), "r" ((u64)VMX_VPID_EXTENT_SINGLE_CONTEXT)
		     : "memory", "cc");
}

/* Everything cached through this VM's EPT: guest-physical and combined mappings. */
static void vmx_flush_tlb_all(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (vmx->eptp)
		invept_context(vmx->eptp);
}

/*
 * What the guest's own paging put there: combined mappings tagged with its VPID.
 * Without a VPID every entry and exit flushes them.
 */
static void vmx_flush_tlb_guest(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (vmx->vpid)
		invvpid_context(vmx->vpid);
}

/* A new EPT root (SDM 25.6.11): write-back tables, how many levels, A/D bits if in use. */
static void vmx_load_mmu(struct kvm_vcpu *vcpu, hpa_t root)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	vmx->eptp = root | VMX_EPTP_MT_WB;
	vmx->eptp |= kvm_caps.tdp_levels == 5 ? VMX_EPTP_PWL_5 : VMX_EPTP_PWL_4;
	if (kvm_caps.tdp_ad_bits)
		vmx->eptp |= VMX_EPTP_AD_ENABLE_BIT;
	vmcs_write64(EPT_POINTER, vmx->eptp);
}

/* ---- the entry ---- */

/* CR3 and CR4 of the host follow the thread and the CPU; compare, seldom write. */
static void vmx_update_host_cr(struct vcpu_vmx *vmx)
{
	unsigned long cr3 = __get_current_cr3_fast();
	unsigned long cr4 = cr4_read_shadow();

	if (unlikely(cr3 != vmx->host_cr3)) {
		vmcs_writel(HOST_CR3, cr3);
		vmx->host_cr3 = cr3;
	}
	if (unlikely(cr4 != vmx->host_cr4)) {
		vmcs_writel(HOST_CR4, cr4);
		vmx->host_cr4 = cr4;
	}
}

/*
 * Between kvm_guest_enter() and kvm_guest_exit() RCU may not be watching this
 * CPU: no tracing, no locks, nothing that could be instrumented.
 */
static noinstr void vmx_vcpu_enter_exit(struct kvm_vcpu *vcpu, struct vcpu_vmx *vmx)
{
	kvm_guest_enter_irqoff();
	if (vcpu->arch.cr2 != native_read_cr2())
		native_write_cr2(vcpu->arch.cr2);
	vmx->fail = __vmx_vcpu_run(vcpu->arch.regs, &vmx->host_rsp, vmx->launched);
	vcpu->arch.cr2 = native_read_cr2();
	kvm_guest_exit_irqoff();
}

/*
 * Exits that can happen in the middle of delivering an event to the guest; only
 * then has the IDT-vectoring information a meaning (SDM 28.2.4).
 */
#define REASON_BIT(x)	BIT_ULL(EXIT_REASON_##x)
static const u64 vmx_exits_in_delivery =
	REASON_BIT(EXCEPTION_NMI) | REASON_BIT(TRIPLE_FAULT) | REASON_BIT(TASK_SWITCH) |
	REASON_BIT(EPT_VIOLATION) | REASON_BIT(EPT_MISCONFIG) | REASON_BIT(APIC_ACCESS) |
	REASON_BIT(PML_FULL);

static void vmx_read_exit(struct vcpu_vmx *vmx)
{
	u16 basic;

	vmx->exit_fields = 0;
	vmx->idt_vectoring_info = 0;
	if (unlikely(vmx->fail)) {
		vmx->exit_reason = ~0;	/* no exit took place */
		return;
	}
	vmx->exit_reason = vmcs_read32(VM_EXIT_REASON);
	if (unlikely(vmx->exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY))
		return;
	vmx->launched = true;
	basic = vmx->exit_reason;
	if (basic < 64 && (vmx_exits_in_delivery & BIT_ULL(basic)))
		vmx->idt_vectoring_info = vmcs_read32(IDT_VECTORING_INFO_FIELD);
}

/* The full buffer is emptied even if nobody wants to know, so that the guest can go on. */
static bool vmx_must_flush_pml(const struct vcpu_vmx *vmx)
{
	return vmx->pml_buffer && (READ_ONCE(vmx->vcpu.kvm->nr_slots_logging) ||
				   vmx->exit_reason == EXIT_REASON_PML_FULL);
}

/* Interrupts off from before the last look at the requests until after the exit. */
static void vmx_vcpu_run(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (vcpu->arch.regs_dirty)
		vmx_flush_dirty_regs(vmx);
	vmx_update_host_cr(vmx);
	/* The debug registers are the guest's until the next exit, or they exit. */
	if (unlikely(vcpu->arch.debugreg_in_hw))
		vmx_exec_control_clear(vmx, CPU_BASED_MOV_DR_EXITING);
	else
		vmx_exec_control_set(vmx, CPU_BASED_MOV_DR_EXITING);
	/*
	 * A debugger steps over STI and MOV SS: with TF set the shadow must be
	 * gone, or a single step must be pending (SDM 27.3.1.5).
	 */
	if (unlikely(vcpu->arch.guest_debug & KVM_GUESTDBG_SINGLESTEP))
		vmx_set_interrupt_shadow(vcpu, 0);

	if (vmx->pml_unread && READ_ONCE(vcpu->kvm->nr_slots_logging))
		vmx_pml_forget(vmx);

	vmx_vcpu_enter_exit(vcpu, vmx);

	/* What the hardware keeps must be fetched again; the 15 below it are here. */
	vcpu->arch.regs_avail = (BIT(NR_VCPU_REGS) - 1) &
				~(BIT(VCPU_REGS_RIP) | BIT(VCPU_REGS_RSP));
	vcpu->arch.regs_avail |= BIT(VCPU_EXREG_EFER) | BIT(VCPU_EXREG_DR7);
	vmx->seg_valid = 0;
	vmx_read_exit(vmx);
	vmx_complete_interrupts(vmx);
	if (vmx_must_flush_pml(vmx))
		vmx_pml_flush(vmx);
	else
		vmx->pml_unread = vmx->pml_buffer;
}

/* ---- explaining a failure ---- */

static bool vmx_read_field(void *ctx, u32 encoding, u64 *value)
{
	unsigned long val = 0;
	bool failed;

	asm volatile("1: vmread %2, %0\n"
		     "setbe %1\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+r" (val), "=qm" (failed) : "r" ((unsigned long)encoding), "1" (true)
		     : "cc");
	*value = val;
	return !failed;
}

static void vmx_print_line(void *ctx, const char *line)
{
	pr_warn("%s\n", line);
}

/*
 * The log gets the story once in a while, whoever causes it how often: a VMM
 * can make entries fail as fast as it likes.
 */
static DEFINE_RATELIMIT_STATE(vmx_explain_limit, 30 * HZ, 1);

/* The last entry failed; the VMCS is current. */
void vmx_explain_entry_failure(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	const struct vmcs_reader reader = { .read = vmx_read_field };
	struct vmcs_check_env env;

	ratelimit_set_flags(&vmx_explain_limit, RATELIMIT_MSG_ON_RELEASE);
	if (!__ratelimit(&vmx_explain_limit))
		return;
	vmx_fill_check_env(&env, &reader);
	vmcs_explain_entry_failure(&env, vmx->fail ? VMCS_ENTRY_VMFAIL : VMCS_ENTRY_EXIT,
				   vmx_print_line, NULL);
}

void vmx_dump(struct kvm_vcpu *vcpu)
{
	struct vmcs_reader reader = { .read = vmx_read_field };

	ratelimit_set_flags(&vmx_explain_limit, RATELIMIT_MSG_ON_RELEASE);
	if (__ratelimit(&vmx_explain_limit))
		vmcs_dump(&reader, vmx_print_line, NULL);
}

void vmwrite_error(unsigned long field, unsigned long value)
{
	/* VMX was switched off under us: the VM is dead, nobody misses the write. */
	if (!(cr4_read_shadow() & X86_CR4_VMXE))
		return;
	pr_err_ratelimited("VMWRITE of %#lx to field %#lx (%s) failed: %s\n", value, field,
			   vmcs_field_name(field),
			   vmx_instruction_error(vmcs_read32(VM_INSTRUCTION_ERROR)));
}

/* ---- the door to the generic core ---- */

static const struct kvm_x86_ops vmx_x86_ops = {
	.name = "VMX",

	.hardware_setup = vmx_hardware_setup,
	.hardware_unsetup = vmx_hardware_unsetup,
	.emergency_disable = vmx_emergency_disable,

	.check_processor_compatibility = vmx_check_processor_compatibility,
	.hardware_enable = vmx_hardware_enable,
	.hardware_disable = vmx_hardware_disable,

	.vcpu_create = vmx_vcpu_create,
	.vcpu_free = vmx_vcpu_free,
	.vcpu_reset = vmx_vcpu_reset,
	.vcpu_load = vmx_vcpu_load,
	.vcpu_put = vmx_vcpu_put,

	.cache_reg = vmx_cache_reg,
	.store_reg = vmx_store_reg,
	.get_segment = vmx_get_segment,
	.set_segment = vmx_set_segment,
	.get_cpl = vmx_get_cpl,
	.get_cs_l = vmx_get_cs_l,
	.get_dt = vmx_get_dt,
	.set_dt = vmx_set_dt,
	.is_valid_cr4 = vmx_is_valid_cr4,
	.get_msr = vmx_get_msr,
	.set_msr = vmx_set_msr,
	.write_tsc_offset = vmx_write_tsc_offset,
	.update_intercepts = vmx_update_intercepts,

	.event_allowed = vmx_event_allowed,
	.enable_window = vmx_enable_window,
	.inject_exception = vmx_inject_exception,
	.inject_irq = vmx_inject_irq,
	.inject_nmi = vmx_inject_nmi,
	.cancel_injection = vmx_cancel_injection,
	.get_interrupt_shadow = vmx_get_interrupt_shadow,
	.set_interrupt_shadow = vmx_set_interrupt_shadow,
	.get_nmi_mask = vmx_get_nmi_mask,
	.set_nmi_mask = vmx_set_nmi_mask,
	.load_apicv = vmx_load_apicv,
	.watch_tpr = vmx_watch_tpr,

	.prepare_switch_to_guest = vmx_prepare_switch_to_guest,
	.vcpu_run = vmx_vcpu_run,
	.handle_exit_irqoff = vmx_handle_exit_irqoff,
	.handle_exit = vmx_handle_exit,
	.skip_emulated_instruction = vmx_skip_emulated_instruction,

	.load_mmu = vmx_load_mmu,
	.flush_tlb_all = vmx_flush_tlb_all,
	.flush_tlb_guest = vmx_flush_tlb_guest,

	.get_exit_info = vmx_get_exit_info,
	.exit_reason_name = vmx_exit_name,
};

static int __init vmx_init(void)
{
	return kvm_init(&vmx_x86_ops, sizeof(struct vcpu_vmx), __alignof__(struct vcpu_vmx),
			THIS_MODULE);
}
module_init(vmx_init);

static void __exit vmx_exit(void)
{
	kvm_exit();
}
module_exit(vmx_exit);
