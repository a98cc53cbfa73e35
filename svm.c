// SPDX-License-Identifier: GPL-2.0
/*
 * svm.c - AMD SVM: set-up of the module, of each CPU and each vCPU; the entry
 *
 * svm_init() hands svm_x86_ops to the generic core, and everything else here is
 * called back from there, in the order of the file:
 *
 *	svm_hardware_setup()	once: what can this machine do (svm_caps.c)?
 *	svm_hardware_enable()	on each CPU, with the first VM: EFER.SVME
 *	svm_vcpu_create()	a VMCB, filled by svm_init_vmcb()
 *	svm_prepare_switch_to_guest()	what neither VMRUN nor VMLOAD switches
 *	svm_vcpu_run()		into the guest, out again, what was the reason?
 *
 * What an exit means is in svm_exit.c, the guest's registers in svm_state.c.
 *
 * ASIDs (APM 15.16).  TLB entries carry the ASID of the guest that made them, and
 * a CPU has but few.  So ASIDs are lent, on each CPU by itself: every vCPU that
 * runs there gets the next number; when there is none left, a new generation
 * begins with the whole TLB flushed, and each vCPU takes a number anew when it
 * finds that its own is of an older generation or of another CPU.  To take a new
 * number is also the way to flush a guest's TLB on CPUs that cannot flush one ASID.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/slab.h>
#include <asm/cpu_device_id.h>
#include <asm/tlbflush.h>

#include "irq.h"
#include "svm.h"
#include "vmcb_check.h"

MODULE_AUTHOR("the minikvm developers");
MODULE_DESCRIPTION("A KVM small enough to read: AMD SVM");
MODULE_LICENSE("GPL");

static const struct x86_cpu_id svm_cpu_id[] = {
	X86_MATCH_FEATURE(X86_FEATURE_SVM, NULL),
	{}
};
MODULE_DEVICE_TABLE(x86cpu, svm_cpu_id);

/*
 * PAUSEs less than a threshold apart (TSC ticks, where the CPU can tell) are one
 * loop; a loop of more than a count exits (APM 15.14.4).  The count doubles with
 * each exit, up to a limit, for what the guest waits for may take long, or no
 * other vCPU may be there to yield to; it is small again after the vCPU was
 * scheduled out.
 */
#define SVM_PAUSE_THRESHOLD	128
#define SVM_PAUSE_COUNT		3000
#define SVM_PAUSE_COUNT_MAX	U16_MAX

/* I/O permission map (APM 15.10.1): a bit a port, and some to spare. */
#define SVM_IOPM_SIZE		(3 * PAGE_SIZE)
/* MSR permission map: see svm_update_msrpm(). */
#define SVM_MSRPM_ORDER		1

/**
 * struct svm_cpu - what SVM needs on each CPU
 * @hsave:	page where VMRUN keeps what it needs of the host; its own format
 * @save:	page for VMSAVE of what VMRUN does not keep, a VMCB
 * @asid_generation: see the top of this file; 0 is older than any
 * @next_asid:	the next to lend
 */
struct svm_cpu {
	void *hsave;
	struct vmcb *save;
	u64 asid_generation;
	u32 next_asid;
};

static DEFINE_PER_CPU(struct svm_cpu, svm_cpu);

/* All ones: every port exits, even a harmless-looking one such as 0x80. */
static void *svm_iopm;

/* ---- once ---- */

static void svm_free_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		free_page((unsigned long)per_cpu(svm_cpu, cpu).hsave);
		free_page((unsigned long)per_cpu(svm_cpu, cpu).save);
		memset(&per_cpu(svm_cpu, cpu), 0, sizeof(struct svm_cpu));
	}
}

static void *svm_alloc_page(int cpu)
{
	struct page *page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);

	return page ? page_address(page) : NULL;
}

static int svm_alloc_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *sc = &per_cpu(svm_cpu, cpu);

		sc->hsave = svm_alloc_page(cpu);
		sc->save = svm_alloc_page(cpu);
		if (!sc->hsave || !sc->save) {
			svm_free_cpus();
			return -ENOMEM;
		}
	}
	return 0;
}

static int svm_hardware_setup(void)
{
	int r = svm_setup_caps();

	if (r)
		return r;
	svm_iopm = alloc_pages_exact(SVM_IOPM_SIZE, GFP_KERNEL);
	if (!svm_iopm)
		return -ENOMEM;
	memset(svm_iopm, 0xff, SVM_IOPM_SIZE);
	r = svm_alloc_cpus();
	if (r) {
		free_pages_exact(svm_iopm, SVM_IOPM_SIZE);
		return r;
	}
	if (kvm_caps.has_rdtscp)
		kvm_add_user_return_msr(MSR_TSC_AUX);
	return 0;
}

static void svm_hardware_unsetup(void)
{
	svm_free_cpus();
	free_pages_exact(svm_iopm, SVM_IOPM_SIZE);
}

/* ---- each CPU ---- */

/*
 * APM 15.4: EFER.SVME, and the page where VMRUN saves the host.  SVME already set
 * means that somebody else is there.
 */
static int svm_hardware_enable(void)
{
	struct svm_cpu *sc = this_cpu_ptr(&svm_cpu);
	u64 efer;

	rdmsrl(MSR_EFER, efer);
	if (efer & EFER_SVME)
		return -EBUSY;
	wrmsrl(MSR_EFER, efer | EFER_SVME);
	wrmsrl(MSR_VM_HSAVE_PA, __pa(sc->hsave));
	/* Whoever had SVM before may have left TLB entries: the next entry flushes. */
	sc->asid_generation++;
	sc->next_asid = svm_features.nr_asids;
	svm_load_tsc_ratio(BIT_ULL(32));
	return 0;
}

/*
 * With GIF 0 the host would get no interrupt any more; a reboot's NMI may find it
 * so.  Each of the three instructions is skipped if it faults.
 */
static __always_inline void svm_svmoff(void)
{
	u64 efer;

	wrmsrl_safe(MSR_VM_HSAVE_PA, 0);
	rdmsrl(MSR_EFER, efer);
	if (!(efer & EFER_SVME))
		return;
	asm volatile("1: stgi\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : : "memory");
	wrmsrl_safe(MSR_EFER, efer & ~EFER_SVME);
}

static void svm_hardware_disable(void)
{
	/* The host's own TSC never was scaled; who comes next may count on it. */
	svm_load_tsc_ratio(BIT_ULL(32));
	svm_svmoff();
}

/* Crash, or reboot without notifiers: an NMI runs this on each CPU. */
static void svm_emergency_disable(void)
{
	svm_svmoff();
}

/* ---- ASIDs and the TLB (APM 15.16) ---- */

static void svm_new_asid(struct vcpu_svm *svm, struct svm_cpu *sc)
{
	struct vmcb *vmcb = svm->vmcb;

	if (sc->next_asid >= svm_features.nr_asids) {
		sc->asid_generation++;
		sc->next_asid = 1;
		vmcb->control.tlb_ctl = TLB_CONTROL_FLUSH_ALL_ASID;
	}
	svm->asid_generation = sc->asid_generation;
	vmcb->control.asid = sc->next_asid++;
	vmcb_mark_dirty(vmcb, VMCB_ASID);
}

/*
 * With nested paging the TLB holds translations from linear to host-physical
 * addresses, and one flush serves for both causes: a change of the nested page
 * table, and one of the guest's own paging.
 */
static void svm_flush_tlb(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (svm_features.flush_by_asid)
		svm->vmcb->control.tlb_ctl = TLB_CONTROL_FLUSH_ASID;
	else
		svm->asid_generation = 0;
}

/* A new root; the core has the TLB flushed. */
static void svm_load_mmu(struct kvm_vcpu *vcpu, hpa_t root)
{
	struct vmcb *vmcb = to_svm(vcpu)->vmcb;

	vmcb->control.nested_cr3 = root;
	vmcb_mark_dirty(vmcb, VMCB_NPT);
}

/* ---- each vCPU: the VMCB ---- */

static void svm_set_pause_count(struct vcpu_svm *svm, u16 count)
{
	struct vmcb_control_area *control = &svm->vmcb->control;

	if (control->pause_filter_count == count)
		return;
	control->pause_filter_count = count;
	vmcb_mark_dirty(svm->vmcb, VMCB_INTERCEPTS);
}

/* A PAUSE exit. */
void svm_grow_pause_window(struct vcpu_svm *svm)
{
	u32 count = svm->vmcb->control.pause_filter_count * 2;

	svm_set_pause_count(svm, min_t(u32, count, SVM_PAUSE_COUNT_MAX));
}

/*
 * If the local APIC is ours, the guest writes V_TPR as CR8 (APM 15.21.2) without an
 * exit, but for the time when an interrupt waits for a lower one.  (And while a window
 * is open, if only for QEMU's TCG, which ends at once if CR8 is written then.)
 */
static void svm_watch_tpr(struct kvm_vcpu *vcpu, unsigned int class)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	svm_set_intercept(svm, INTERCEPT_CR8_WRITE,
			  class || (svm->vmcb->control.int_ctl & V_IRQ_MASK));
}

/* What always exits.  svm_update_intercepts() adds what depends on the guest. */
static const u8 svm_intercepts[] = {
	INTERCEPT_CR4_WRITE, INTERCEPT_SELECTIVE_CR0,
	INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_DB, INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_AC,
	INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_MC,
	INTERCEPT_INTR, INTERCEPT_NMI, INTERCEPT_SMI, INTERCEPT_INIT, INTERCEPT_SHUTDOWN,
	INTERCEPT_RDPMC, INTERCEPT_CPUID, INTERCEPT_INVD, INTERCEPT_WBINVD, INTERCEPT_HLT,
	INTERCEPT_IOIO_PROT, INTERCEPT_MSR_PROT, INTERCEPT_XSETBV, INTERCEPT_RDPRU,
	INTERCEPT_MONITOR, INTERCEPT_MWAIT,
	INTERCEPT_VMMCALL,
	/* A guest has no SVM of its own; VMRUN refuses to run it with the first. */
	INTERCEPT_VMRUN, INTERCEPT_VMLOAD, INTERCEPT_VMSAVE, INTERCEPT_STGI, INTERCEPT_CLGI,
	INTERCEPT_SKINIT, INTERCEPT_INVLPGA,
};

/*
 * A hardware task switch does not exit: with nested paging the CPU does all of it
 * in the guest's own memory.
 */
static void svm_init_vmcb(struct vcpu_svm *svm)
{
	struct vmcb *vmcb = svm->vmcb;
	struct vmcb_control_area *control = &vmcb->control;
	int i;

	memset(vmcb, 0, PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(svm_intercepts); i++)
		svm_set_intercept(svm, svm_intercepts[i], true);
	svm_set_intercept(svm, INTERCEPT_CR8_WRITE, !lapic_in_kernel(&svm->vcpu));
	if (svm_features.pause_filter) {
		svm_set_intercept(svm, INTERCEPT_PAUSE, true);
		control->pause_filter_count = SVM_PAUSE_COUNT;
		if (svm_features.pause_threshold)
			control->pause_filter_thresh = SVM_PAUSE_THRESHOLD;
	}
	control->iopm_base_pa = __pa(svm_iopm);
	control->msrpm_base_pa = __pa(svm->msrpm);
	/* The host's interrupts are the host's RFLAGS.IF's business (APM 15.21.1). */
	control->int_ctl = V_INTR_MASKING_MASK;
	if (svm_features.vnmi)
		control->int_ctl |= V_NMI_ENABLE_MASK;
	control->nested_ctl = SVM_NESTED_CTL_NP_ENABLE;
	vmcb->save.dr6 = DR6_INIT;
	vmcb->save.g_pat = svm->vcpu.arch.pat;
}

static int svm_vcpu_create(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	svm->vmcb = (struct vmcb *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!svm->vmcb)
		return -ENOMEM;
	svm->msrpm = (void *)__get_free_pages(GFP_KERNEL_ACCOUNT, SVM_MSRPM_ORDER);
	if (!svm->msrpm) {
		free_page((unsigned long)svm->vmcb);
		return -ENOMEM;
	}
	memset(svm->msrpm, 0xff, PAGE_SIZE << SVM_MSRPM_ORDER);
	svm->vmcb_pa = __pa(svm->vmcb);
	svm->last_cpu = -1;
	return 0;
}

static void svm_vcpu_free(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	free_pages((unsigned long)svm->msrpm, SVM_MSRPM_ORDER);
	free_page((unsigned long)svm->vmcb);
}

/* What no generic register covers; loaded vCPU. */
static void svm_vcpu_reset(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	svm_init_vmcb(svm);
	svm->asid_generation = 0;
	svm->soft_len = 0;
	svm->nmi_masked = false;
	svm->await_iret = false;
	svm->nmi_step = false;
	svm->tsc_aux = 0;
	svm->sysenter_esp = 0;
	svm->sysenter_eip = 0;
	svm->vm_cr = 0;
	svm->hsave_pa = 0;
	svm->de_cfg = 0;
}

/* ---- a vCPU on a CPU ---- */

static void svm_vcpu_load(struct kvm_vcpu *vcpu, int cpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (svm->vmcb->control.pause_filter_count)
		svm_set_pause_count(svm, SVM_PAUSE_COUNT);
}

/* VMLOAD has brought the host's state back at the exit; only this is left. */
static void svm_vcpu_put(struct kvm_vcpu *vcpu)
{
	to_svm(vcpu)->guest_state_loaded = false;
}

/*
 * Before an entry, preemption off.  What VMLOAD will overwrite is saved once until
 * the vCPU is scheduled out or returns to userspace: in between it cannot change.
 */
static void svm_prepare_switch_to_guest(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (svm->guest_state_loaded)
		return;
	asm volatile("1: vmsave %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : "a" (__pa(this_cpu_read(svm_cpu.save))) : "memory");
	svm_load_tsc_ratio(vcpu->arch.tsc_scaling_ratio);
	kvm_set_user_return_msrs(0, &svm->tsc_aux, kvm_caps.has_rdtscp);
	svm->guest_state_loaded = true;
	vcpu->stat.host_state_reload++;
}

/* ---- the entry ---- */

/* GIF 0: not even an NMI comes between the host's state and the guest's. */
static __always_inline void svm_clgi(void)
{
	asm volatile("1: clgi\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : : "memory");
}

/* What waited while GIF was 0 comes here: an NMI now, others with interrupts on. */
static __always_inline void svm_stgi(void)
{
	asm volatile("1: stgi\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : : "memory");
}

/*
 * Between kvm_guest_enter() and kvm_guest_exit() RCU may not be watching this
 * CPU: no tracing, no locks, nothing that could be instrumented.
 */
static noinstr void svm_vcpu_enter_exit(struct kvm_vcpu *vcpu, struct vcpu_svm *svm,
					unsigned long host_pa)
{
	kvm_guest_enter_irqoff();
	svm_clgi();
	__svm_vcpu_run(vcpu->arch.regs, svm->vmcb_pa, host_pa);
	svm_stgi();
	kvm_guest_exit_irqoff();
}

/* Interrupts off: the VMCB is about to run here. */
static void svm_settle_on_cpu(struct vcpu_svm *svm, struct svm_cpu *sc)
{
	int cpu = smp_processor_id();

	/* What another CPU has kept of it, this one has not (APM 15.15.1). */
	if (unlikely(svm->last_cpu != cpu)) {
		svm->vmcb->control.clean = 0;
		svm->asid_generation = 0;
		svm->last_cpu = cpu;
	}
	if (unlikely(svm->asid_generation != sc->asid_generation))
		svm_new_asid(svm, sc);
}

/* The debug registers are the guest's until the next exit, or they exit. */
static void svm_intercept_mov_dr(struct vcpu_svm *svm, bool on)
{
	u32 bits = on ? 0x00ff00ff : 0;
	u32 *intercepts = &svm->vmcb->control.intercepts[INTERCEPT_DR];

	if (likely(*intercepts == bits))
		return;
	*intercepts = bits;
	vmcb_mark_dirty(svm->vmcb, VMCB_INTERCEPTS);
}

/* The task priority: the guest reads CR8 without an exit, and may write it so. */
static void svm_sync_cr8(struct vcpu_svm *svm)
{
	u32 *int_ctl = &svm->vmcb->control.int_ctl;
	u32 tpr = svm->vcpu.arch.cr8 & V_TPR_MASK;

	if (likely((*int_ctl & V_TPR_MASK) == tpr))
		return;
	*int_ctl = (*int_ctl & ~V_TPR_MASK) | tpr;
	vmcb_mark_dirty(svm->vmcb, VMCB_INTR);
}

static void svm_fill_vmcb(struct vcpu_svm *svm)
{
	struct kvm_vcpu_arch *arch = &svm->vcpu.arch;
	struct vmcb *vmcb = svm->vmcb;

	vmcb->save.rax = arch->regs[VCPU_REGS_RAX];
	vmcb->save.rsp = arch->regs[VCPU_REGS_RSP];
	vmcb->save.rip = arch->regs[VCPU_REGS_RIP];
	if (arch->regs_dirty)
		svm_flush_dirty_regs(svm);
	vmcb->save.cr2 = arch->cr2;	/* never marked clean */
	if (unlikely(svm->soft_len)) {
		vmcb->save.rip += svm->soft_len;
		vmcb->control.next_rip = vmcb->save.rip;
	}
	svm->nmi_stepped = svm->nmi_step && !(vmcb->save.rflags & X86_EFLAGS_TF);
	if (unlikely(svm->nmi_stepped))
		vmcb->save.rflags |= X86_EFLAGS_TF;
	svm_sync_cr8(svm);
	svm_intercept_mov_dr(svm, !arch->debugreg_in_hw);
	/* Stays, should a reboot have switched SVM off. */
	vmcb->control.exit_code = SVM_EXIT_ERR;
}

static void svm_read_vmcb(struct vcpu_svm *svm)
{
	struct kvm_vcpu_arch *arch = &svm->vcpu.arch;
	struct vmcb *vmcb = svm->vmcb;

	vmcb->control.event_inj = 0;
	svm->exit_code = (s64)(s32)vmcb->control.exit_code;
	/* Some emulators of SVM then leave the host's registers in the VMCB. */
	if (unlikely(svm->exit_code == SVM_EXIT_REFUSED)) {
		vmcb->control.clean = 0;
		return;
	}
	arch->regs[VCPU_REGS_RAX] = vmcb->save.rax;
	arch->regs[VCPU_REGS_RSP] = vmcb->save.rsp;
	arch->regs[VCPU_REGS_RIP] = vmcb->save.rip;
	arch->cr2 = vmcb->save.cr2;
	/* The others must be fetched again, or cannot have changed without us. */
	arch->regs_avail = BIT(NR_VCPU_REGS) - 1;
	arch->regs_avail |= BIT(VCPU_EXREG_CR4) | BIT(VCPU_EXREG_EFER) | BIT(VCPU_EXREG_DR6) |
			    BIT(VCPU_EXREG_DR7);

	if (unlikely((vmcb->control.int_ctl & V_TPR_MASK) != arch->cr8) && arch->apic)
		kvm_apic_note_cr8(&svm->vcpu, vmcb->control.int_ctl & V_TPR_MASK);

	vmcb->control.clean = VMCB_ALL_CLEAN;
	vmcb->control.tlb_ctl = TLB_CONTROL_DO_NOTHING;
}

/*
 * One instruction was let go.  TF is ours and goes, unless that was an IRET, which
 * has loaded another RFLAGS.  Whatever the exit, see again what the NMI waits for.
 */
static void svm_end_nmi_step(struct vcpu_svm *svm)
{
	bool iret_done = svm->await_iret && svm->vmcb->save.rip != svm->iret_rip;

	svm->nmi_step = false;
	if (svm->nmi_stepped && !iret_done)
		svm->vmcb->save.rflags &= ~X86_EFLAGS_TF;
	kvm_make_request(KVM_REQ_EVENT, &svm->vcpu);
}

/* A #DB's causes are in the guest's DR6 already; they are to come with the event. */
static void svm_take_dr6(struct vcpu_svm *svm)
{
	svm->exit_dr6 = svm->vmcb->save.dr6;
	if (svm->vcpu.arch.debugreg_in_hw)
		return;		/* all of it is fetched soon */
	svm->vmcb->save.dr6 = DR6_INIT;
	vmcb_mark_dirty(svm->vmcb, VMCB_DR);
}

/* Interrupts off from before the last look at the requests until after the exit. */
static void svm_vcpu_run(struct kvm_vcpu *vcpu)
{
	struct svm_cpu *sc = this_cpu_ptr(&svm_cpu);
	struct vcpu_svm *svm = to_svm(vcpu);

	svm_settle_on_cpu(svm, sc);
	svm_fill_vmcb(svm);

	svm_vcpu_enter_exit(vcpu, svm, __pa(sc->save));

	svm_read_vmcb(svm);
	if (unlikely(svm->nmi_step))
		svm_end_nmi_step(svm);
	if (unlikely(svm->exit_code == SVM_EXIT_EXCP_BASE + X86_TRAP_DB))
		svm_take_dr6(svm);
	svm_complete_interrupts(svm);
}

/* ---- explaining a failure ---- */

static void svm_print_line(void *ctx, const char *line)
{
	pr_warn("%s\n", line);
}

/*
 * The log gets the story once in a while, whoever causes it how often: a VMM
 * can make entries fail as fast as it likes.
 */
static DEFINE_RATELIMIT_STATE(svm_explain_limit, 30 * HZ, 1);

/* VMRUN has just refused. */
void svm_explain_entry_failure(struct kvm_vcpu *vcpu)
{
	struct vmcb_check_env env;

	ratelimit_set_flags(&svm_explain_limit, RATELIMIT_MSG_ON_RELEASE);
	if (!__ratelimit(&svm_explain_limit))
		return;
	svm_fill_check_env(&env);
	vmcb_explain_invalid(to_svm(vcpu)->vmcb, &env, svm_print_line, NULL);
}

void svm_dump(struct kvm_vcpu *vcpu)
{
	ratelimit_set_flags(&svm_explain_limit, RATELIMIT_MSG_ON_RELEASE);
	if (__ratelimit(&svm_explain_limit))
		vmcb_dump(to_svm(vcpu)->vmcb, svm_print_line, NULL);
}

/* ---- the door to the generic core ---- */

static const struct kvm_x86_ops svm_x86_ops = {
	.name = "SVM",

	.hardware_setup = svm_hardware_setup,
	.hardware_unsetup = svm_hardware_unsetup,
	.emergency_disable = svm_emergency_disable,

	.check_processor_compatibility = svm_check_processor_compatibility,
	.hardware_enable = svm_hardware_enable,
	.hardware_disable = svm_hardware_disable,

	.vcpu_create = svm_vcpu_create,
	.vcpu_free = svm_vcpu_free,
	.vcpu_reset = svm_vcpu_reset,
	.vcpu_load = svm_vcpu_load,
	.vcpu_put = svm_vcpu_put,

	.cache_reg = svm_cache_reg,
	.store_reg = svm_store_reg,
	.get_segment = svm_get_segment,
	.set_segment = svm_set_segment,
	.get_cpl = svm_get_cpl,
	.get_cs_l = svm_get_cs_l,
	.get_dt = svm_get_dt,
	.set_dt = svm_set_dt,
	.is_valid_cr4 = svm_is_valid_cr4,
	.get_msr = svm_get_msr,
	.set_msr = svm_set_msr,
	.write_tsc_offset = svm_write_tsc_offset,
	.update_intercepts = svm_update_intercepts,

	.event_allowed = svm_event_allowed,
	.enable_window = svm_enable_window,
	.inject_exception = svm_inject_exception,
	.inject_irq = svm_inject_irq,
	.inject_nmi = svm_inject_nmi,
	.cancel_injection = svm_cancel_injection,
	.get_interrupt_shadow = svm_get_interrupt_shadow,
	.set_interrupt_shadow = svm_set_interrupt_shadow,
	.get_nmi_mask = svm_get_nmi_mask,
	.set_nmi_mask = svm_set_nmi_mask,
	.watch_tpr = svm_watch_tpr,

	.prepare_switch_to_guest = svm_prepare_switch_to_guest,
	.vcpu_run = svm_vcpu_run,
	.handle_exit_irqoff = svm_handle_exit_irqoff,
	.handle_exit = svm_handle_exit,
	.skip_emulated_instruction = svm_skip_emulated_instruction,

	.load_mmu = svm_load_mmu,
	.flush_tlb_all = svm_flush_tlb,
	.flush_tlb_guest = svm_flush_tlb,

	.get_exit_info = svm_get_exit_info,
	.exit_reason_name = svm_exit_name,
};

static int __init svm_init(void)
{
	return kvm_init(&svm_x86_ops, sizeof(struct vcpu_svm), __alignof__(struct vcpu_svm),
			THIS_MODULE);
}
module_init(svm_init);

static void __exit svm_exit(void)
{
	kvm_exit();
}
module_exit(svm_exit);
