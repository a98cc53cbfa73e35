// SPDX-License-Identifier: GPL-2.0
/*
 * x86.c - the vCPU run loop, and the events that it injects
 *
 * The heart is three functions, each a page:
 *
 *	kvm_arch_vcpu_ioctl_run()	KVM_RUN: finish what userspace was asked to
 *					do, run, report
 *	vcpu_run()			until userspace is needed: enter the guest,
 *					let the host's other work in between
 *	vcpu_enter_guest()		once into the guest and out: requests,
 *					events, the switch, the exit's handler
 *
 * All of it is thin: it says in which order the others do their parts.  State
 * ioctls are in x86_state.c, capabilities in cap.c, control registers in cr.c.
 *
 * Events.  vcpu->arch.exception, .nmi_* and .interrupt hold what waits.
 * "injected" means that it is in the hands of the hardware: put there by the
 * entry under way, or taken back because an exit interrupted its delivery; it
 * goes first.  "pending" means not yet.  Whoever changes what could be injected
 * makes KVM_REQ_EVENT, and kvm_inject_events() looks before the next entry.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/entry-kvm.h>
#include <linux/vtime.h>
#include <asm/debugreg.h>
#include <asm/nospec-branch.h>
#include <asm/trapnr.h>
#include <trace/events/ipi.h>

#include "host_work.h"
#include "irq.h"
#include "kvm_host.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

struct kvm_x86_ops kvm_x86_ops __read_mostly;
EXPORT_SYMBOL_GPL(kvm_x86_ops);
struct kvm_caps kvm_caps __read_mostly;
EXPORT_SYMBOL_GPL(kvm_caps);
u64 kvm_host_efer __read_mostly;
EXPORT_SYMBOL_GPL(kvm_host_efer);
u64 kvm_host_xcr0 __read_mostly;

/* ---- module set-up, called by kvm_init() ---- */

/**
 * kvm_arch_init() - the first step of kvm_init(): CPU features, MMU caches
 * @ops: the vendor
 *
 * Return: 0, -EEXIST if another vendor module is in use, -EOPNOTSUPP, -ENOMEM.
 */
int kvm_arch_init(const struct kvm_x86_ops *ops)
{
	if (kvm_x86_ops.name) {
		pr_err("already in use by the vendor module for %s\n", kvm_x86_ops.name);
		return -EEXIST;
	}
	if (!boot_cpu_has(X86_FEATURE_FPU) || !boot_cpu_has(X86_FEATURE_FXSR)) {
		pr_err("this CPU has no FXSAVE\n");
		return -EOPNOTSUPP;
	}
	kvm_x86_ops = *ops;
	return 0;
}

void kvm_arch_exit(void)
{
	kvm_x86_ops = (struct kvm_x86_ops){};
}

/**
 * kvm_arch_hardware_setup() - what can the machine, and so a guest, do?
 * @ops: the vendor, who says what is missing
 *
 * Return: 0 or the vendor's error.
 */
int kvm_arch_hardware_setup(const struct kvm_x86_ops *ops)
{
	int r;

	memset(&kvm_caps, 0, sizeof(kvm_caps));
	kvm_clear_user_return_msrs();
	rdmsrl(MSR_EFER, kvm_host_efer);
	r = ops->hardware_setup();
	if (r)
		return r;
	kvm_fpu_hardware_setup();
	kvm_set_cpu_caps();
	kvm_init_msr_lists();
	r = kvm_mmu_module_init();
	if (r) {
		ops->hardware_unsetup();
		return r;
	}
	kvm_pvclock_init();
	return 0;
}

void kvm_arch_hardware_unsetup(void)
{
	kvm_pvclock_exit();
	kvm_mmu_module_exit();
	kvm_x86_ops.hardware_unsetup();
}

/* ---- VMs and vCPUs ---- */

/**
 * kvm_arch_init_vm() - the x86 part of a new VM
 * @kvm: the VM; memory slots are ready
 * @type: of KVM_CREATE_VM; there is only 0
 *
 * Return: 0; -EINVAL, -ENOMEM, -EINTR: a signal is pending.
 */
int kvm_arch_init_vm(struct kvm *kvm, unsigned long type)
{
	int r;

	if (type)
		return -EINVAL;
	kvm_apic_vm_init(kvm);
	r = kvm_msr_vm_init(kvm);
	if (r)
		return r;
	r = kvm_mmu_init_vm(kvm);
	if (r)
		kvm_msr_vm_destroy(kvm);
	return r;
}

/* What acts by itself stops while the vCPUs that it interrupts still exist. */
void kvm_arch_pre_destroy_vm(struct kvm *kvm)
{
	kvm_pit_destroy(kvm);
	kvm_irqchip_destroy(kvm);
}

void kvm_arch_destroy_vm(struct kvm *kvm)
{
	kvm_apic_vm_destroy(kvm);
	kvm_mmu_uninit_vm(kvm);
	kvm_msr_vm_destroy(kvm);
}

/* The vCPU that was last loaded on each CPU; only its address is of use. */
static DEFINE_PER_CPU(struct kvm_vcpu *, last_vcpu);

/**
 * kvm_arch_vcpu_create() - everything a vCPU owns, in its state after reset
 * @vcpu: zeroed but for what kvm_main.c set
 *
 * Return: 0 or an errno, with nothing left behind.
 */
int kvm_arch_vcpu_create(struct kvm_vcpu *vcpu)
{
	int r, idx;

	r = kvm_mmu_create(vcpu);
	if (r)
		return r;
	r = kvm_io_vcpu_create(vcpu);
	if (r)
		goto err_io;
	r = kvm_fpu_vcpu_create(vcpu);
	if (r)
		goto err_fpu;
	r = kvm_msr_vcpu_create(vcpu);
	if (r)
		goto err_msr;
	kvm_cpuid_vcpu_create(vcpu);
	kvm_async_pf_vcpu_create(vcpu);
	r = kvm_apic_vcpu_create(vcpu);
	if (r)
		goto err_apic;
	r = kvm_x86_ops.vcpu_create(vcpu);
	if (r)
		goto err_vendor;

	vcpu_load(vcpu);
	idx = srcu_read_lock(&vcpu->kvm->srcu);
	kvm_vcpu_reset(vcpu, false);
	srcu_read_unlock(&vcpu->kvm->srcu, idx);
	vcpu_put(vcpu);
	return 0;

err_vendor:
	kvm_apic_vcpu_destroy(vcpu);
err_apic:
	kvm_vcpu_free_cpuid(vcpu);
	kvm_msr_vcpu_destroy(vcpu);
err_msr:
	kvm_fpu_vcpu_destroy(vcpu);
err_fpu:
	kvm_io_vcpu_destroy(vcpu);
err_io:
	kvm_mmu_destroy(vcpu);
	return r;
}

void kvm_arch_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	int cpu;

	/* A new vCPU may get the same address. */
	for_each_possible_cpu(cpu)
		cmpxchg(&per_cpu(last_vcpu, cpu), vcpu, NULL);
	kvm_async_pf_vcpu_destroy(vcpu);
	kvm_x86_ops.vcpu_free(vcpu);
	kvm_apic_vcpu_destroy(vcpu);
	kvm_vcpu_free_cpuid(vcpu);
	kvm_msr_vcpu_destroy(vcpu);
	kvm_fpu_vcpu_destroy(vcpu);
	kvm_io_vcpu_destroy(vcpu);
	kvm_mmu_destroy(vcpu);
}

/* Preemption is off in both. */
void kvm_arch_vcpu_load(struct kvm_vcpu *vcpu, int cpu)
{
	/* A guest must not steer another's speculation: forget its branches. */
	if (this_cpu_read(last_vcpu) != vcpu) {
		this_cpu_write(last_vcpu, vcpu);
		indirect_branch_prediction_barrier();
	}
	kvm_x86_ops.vcpu_load(vcpu, cpu);
	kvm_pvclock_vcpu_load(vcpu, cpu);
	kvm_steal_time_load(vcpu);
	WRITE_ONCE(vcpu->cpu, cpu);
}

void kvm_arch_vcpu_put(struct kvm_vcpu *vcpu)
{
	kvm_steal_time_put(vcpu);
	kvm_x86_ops.vcpu_put(vcpu);
}

/* ---- exceptions on their way to the guest ---- */

enum exception_class { BENIGN, CONTRIBUTORY, PAGE_FAULT };

static enum exception_class exception_class(u8 vector)
{
	switch (vector) {
	case X86_TRAP_PF:
		return PAGE_FAULT;
	case X86_TRAP_DE:
	case X86_TRAP_TS:
	case X86_TRAP_NP:
	case X86_TRAP_SS:
	case X86_TRAP_GP:
		return CONTRIBUTORY;
	}
	return BENIGN;
}

static bool makes_double_fault(u8 first, u8 second)
{
	enum exception_class a = exception_class(first), b = exception_class(second);

	return (a == CONTRIBUTORY && b == CONTRIBUTORY) || (a == PAGE_FAULT && b != BENIGN);
}

/*
 * One exception may already wait, or be half delivered.  The second one makes it
 * a double fault, or a shutdown, or replaces it: the instruction will run again
 * and raise it again (SDM 6.15, interrupt 8, table of fault combinations).
 */
static void kvm_multiple_exception(struct kvm_vcpu *vcpu, const struct kvm_queued_exception *new)
{
	struct kvm_queued_exception *ex = &vcpu->arch.exception;

	kvm_make_request(KVM_REQ_EVENT, vcpu);
	if (ex->pending || ex->injected) {
		if (ex->vector == X86_TRAP_DF) {
			kvm_clear_exception_queue(vcpu);
			kvm_make_request(KVM_REQ_TRIPLE_FAULT, vcpu);
			return;
		}
		if (makes_double_fault(ex->vector, new->vector)) {
			*ex = (struct kvm_queued_exception) {
				.pending = true,
				.vector = X86_TRAP_DF,
				.has_error_code = true,
			};
			return;
		}
	}
	*ex = *new;
	ex->pending = true;
}

/**
 * kvm_queue_exception() - raise an exception without error code in the guest
 * @vcpu: loaded vCPU
 * @nr: vector, 0..31
 */
void kvm_queue_exception(struct kvm_vcpu *vcpu, unsigned int nr)
{
	kvm_multiple_exception(vcpu, &(struct kvm_queued_exception){ .vector = nr });
}

/**
 * kvm_queue_exception_e() - raise an exception with an error code in the guest
 * @vcpu: loaded vCPU
 * @nr: vector
 * @error_code: what it pushes
 */
void kvm_queue_exception_e(struct kvm_vcpu *vcpu, unsigned int nr, u32 error_code)
{
	kvm_multiple_exception(vcpu, &(struct kvm_queued_exception){
		.vector = nr, .has_error_code = true, .error_code = error_code });
}
EXPORT_SYMBOL_GPL(kvm_queue_exception_e);

/**
 * kvm_queue_exception_p() - raise an exception that changes a register
 * @vcpu: loaded vCPU
 * @nr: #DB
 * @payload: bits of DR6 to become set when it is delivered
 */
void kvm_queue_exception_p(struct kvm_vcpu *vcpu, unsigned int nr, unsigned long payload)
{
	kvm_multiple_exception(vcpu, &(struct kvm_queued_exception){
		.vector = nr, .has_payload = true, .payload = payload });
}

/**
 * kvm_requeue_exception() - an exit interrupted the delivery of an exception
 * @vcpu: loaded vCPU
 * @nr: vector
 * @has_error: it has an error code
 * @error_code: which
 *
 * Its side effects (CR2, DR6) are done already.
 */
void kvm_requeue_exception(struct kvm_vcpu *vcpu, unsigned int nr, bool has_error, u32 error_code)
{
	vcpu->arch.exception = (struct kvm_queued_exception) {
		.injected = true,
		.vector = nr,
		.has_error_code = has_error,
		.error_code = error_code,
	};
}
EXPORT_SYMBOL_GPL(kvm_requeue_exception);

/**
 * kvm_inject_x86_exception() - raise what a page walk or the emulator found
 * @vcpu: loaded vCPU
 * @e: the fault; a page fault brings CR2
 */
void kvm_inject_x86_exception(struct kvm_vcpu *vcpu, const struct x86_exception *e)
{
	kvm_multiple_exception(vcpu, &(struct kvm_queued_exception){
		.vector = e->vector,
		.has_error_code = e->has_error_code,
		.error_code = e->error_code,
		.has_payload = e->vector == X86_TRAP_PF,
		.payload = e->address,
	});
}

void kvm_clear_exception_queue(struct kvm_vcpu *vcpu)
{
	vcpu->arch.exception.pending = false;
	vcpu->arch.exception.injected = false;
	vcpu->arch.exception.has_payload = false;
}

/**
 * kvm_deliver_exception_payload() - the register change that comes with it
 * @vcpu: loaded vCPU
 *
 * #PF sets CR2; #DB sets bits of DR6.
 */
void kvm_deliver_exception_payload(struct kvm_vcpu *vcpu)
{
	struct kvm_queued_exception *ex = &vcpu->arch.exception;

	if (!ex->has_payload)
		return;
	ex->has_payload = false;
	if (ex->vector == X86_TRAP_PF)
		vcpu->arch.cr2 = ex->payload;
	else if (ex->vector == X86_TRAP_DB)
		kvm_deliver_db_payload(vcpu, ex->payload);
}

/* ---- events: what goes in with the next entry ---- */

/* Faults report the instruction that caused them, to be run again: RF is set. */
static bool exception_sets_rf(u8 vector)
{
	switch (vector) {
	case X86_TRAP_NMI:
	case X86_TRAP_DB:
	case X86_TRAP_BP:
	case X86_TRAP_OF:
	case X86_TRAP_DF:
	case X86_TRAP_MC:
		return false;
	}
	return true;
}

static void kvm_inject_exception(struct kvm_vcpu *vcpu, bool again)
{
	struct kvm_queued_exception *ex = &vcpu->arch.exception;

	trace_minikvm_inject(vcpu, "exception", ex->vector,
			     ex->has_error_code ? ex->error_code : 0, again);
	kvm_x86_ops.inject_exception(vcpu);
	vcpu->stat.exception_injections++;
}

static void kvm_start_exception(struct kvm_vcpu *vcpu)
{
	struct kvm_queued_exception *ex = &vcpu->arch.exception;

	kvm_deliver_exception_payload(vcpu);
	if (exception_sets_rf(ex->vector))
		kvm_set_rflags(vcpu, kvm_get_rflags(vcpu) | X86_EFLAGS_RF);
	/* Delivery of #DB clears GD, so that the handler may use the registers. */
	if (ex->vector == X86_TRAP_DB && (vcpu->arch.dr7 & DR7_GD)) {
		vcpu->arch.dr7 &= ~DR7_GD;
		kvm_update_dr7(vcpu);
	}
	ex->pending = false;
	ex->injected = true;
	kvm_inject_exception(vcpu, false);
}

/* What an exit interrupted goes first.  True: there was something. */
static bool kvm_reinject_event(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_arch *arch = &vcpu->arch;

	if (arch->exception.injected) {
		kvm_inject_exception(vcpu, true);
	} else if (arch->nmi_injected) {
		trace_minikvm_inject(vcpu, "NMI", X86_TRAP_NMI, 0, true);
		kvm_x86_ops.inject_nmi(vcpu);
	} else if (arch->interrupt.injected) {
		trace_minikvm_inject(vcpu, "interrupt", arch->interrupt.nr, 0, true);
		kvm_x86_ops.inject_irq(vcpu);
	} else {
		return false;
	}
	return true;
}

static bool kvm_try_inject_nmi(struct kvm_vcpu *vcpu)
{
	if (!kvm_x86_ops.event_allowed(vcpu, KVM_EVENT_NMI))
		return false;
	vcpu->arch.nmi_pending--;
	vcpu->arch.nmi_injected = true;
	trace_minikvm_inject(vcpu, "NMI", X86_TRAP_NMI, 0, false);
	kvm_x86_ops.inject_nmi(vcpu);
	vcpu->stat.nmi_injections++;
	return true;
}

static bool kvm_try_inject_irq(struct kvm_vcpu *vcpu)
{
	struct kvm_queued_interrupt *irq = &vcpu->arch.interrupt;
	int vector;

	if (!kvm_x86_ops.event_allowed(vcpu, KVM_EVENT_IRQ))
		return false;
	vector = kvm_cpu_get_interrupt(vcpu);
	if (vector < 0)
		return false;	/* withdrawn */
	irq->injected = true;
	irq->nr = vector;
	irq->soft = false;
	trace_minikvm_inject(vcpu, "interrupt", irq->nr, 0, false);
	kvm_x86_ops.inject_irq(vcpu);
	vcpu->stat.irq_injections++;
	return true;
}

/*
 * Choose the one event that the entry delivers, in the order of SDM 6.9: what was
 * begun, exceptions, NMI, interrupt.  For what must wait a window is opened.
 *
 * Returns true if a second event could follow at once and no window will tell:
 * the entry is then to be left again as soon as the first is delivered.
 */
static bool kvm_inject_events(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_arch *arch = &vcpu->arch;
	bool taken = kvm_reinject_event(vcpu);
	bool leave_soon = false;

	if (arch->exception.pending) {
		if (!taken)
			kvm_start_exception(vcpu);
		else
			leave_soon = true;
		taken = true;
	}
	/* A debugger steps: interrupts and NMIs are to stay out of its way. */
	if (arch->guest_debug & KVM_GUESTDBG_BLOCKIRQ)
		return leave_soon;

	if (arch->nmi_pending && !taken)
		taken = kvm_try_inject_nmi(vcpu);
	if (arch->nmi_pending)
		kvm_x86_ops.enable_window(vcpu, KVM_EVENT_NMI);
	if (!taken && kvm_cpu_has_injectable(vcpu))
		taken = kvm_try_inject_irq(vcpu);
	if (kvm_cpu_has_injectable(vcpu))
		kvm_x86_ops.enable_window(vcpu, KVM_EVENT_IRQ);
	return leave_soon;
}

/* What hardware does of the local APIC's work goes on from where we have brought it. */
static void kvm_tell_apic_hardware(struct kvm_vcpu *vcpu)
{
	struct kvm_apicv v;

	if (!vcpu->arch.apicv_active) {
		kvm_x86_ops.watch_tpr(vcpu, kvm_apic_masked_class(vcpu));
		return;
	}
	kvm_apic_get_apicv(vcpu, &v);
	kvm_x86_ops.load_apicv(vcpu, &v);
}

/**
 * kvm_arch_vcpu_runnable() - would the vCPU, if it ran now, do anything but wait?
 * @vcpu: loaded vCPU, halted or not started
 */
bool kvm_arch_vcpu_runnable(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_arch *arch = &vcpu->arch;

	if (lapic_in_kernel(vcpu) &&
	    (kvm_apic_has_events(vcpu) || kvm_apic_timer_pending(vcpu)))
		return true;
	if (arch->mp_state == KVM_MP_STATE_UNINITIALIZED ||
	    arch->mp_state == KVM_MP_STATE_INIT_RECEIVED)
		return false;
	if (arch->exception.pending || kvm_event_needs_reinjection(vcpu) ||
	    test_bit(KVM_REQ_TRIPLE_FAULT, &vcpu->requests) || READ_ONCE(arch->pv_unhalted) ||
	    test_bit(KVM_REQ_APF_READY, &vcpu->requests))
		return true;
	if ((arch->nmi_pending || test_bit(KVM_REQ_NMI, &vcpu->requests)) &&
	    kvm_x86_ops.event_allowed(vcpu, KVM_EVENT_NMI))
		return true;
	return kvm_cpu_has_interrupt(vcpu) && kvm_x86_ops.event_allowed(vcpu, KVM_EVENT_IRQ);
}

/* KVM_INTERRUPT is for a PIC in userspace; does the guest listen to one? */
static bool kvm_accepts_vmm_interrupt(struct kvm_vcpu *vcpu)
{
	if (kvm_irqchip_mode(vcpu->kvm) == KVM_IRQCHIP_KERNEL)
		return false;
	return !lapic_in_kernel(vcpu) || kvm_apic_accept_pic_intr(vcpu);
}

/**
 * kvm_ready_for_interrupt_injection() - would KVM_INTERRUPT take effect at once?
 * @vcpu: loaded vCPU
 */
bool kvm_ready_for_interrupt_injection(struct kvm_vcpu *vcpu)
{
	return kvm_accepts_vmm_interrupt(vcpu) && !kvm_event_needs_reinjection(vcpu) &&
	       !vcpu->arch.exception.pending && !kvm_cpu_has_interrupt(vcpu) &&
	       kvm_x86_ops.event_allowed(vcpu, KVM_EVENT_IRQ);
}

/* ---- the run loop ---- */

/* Returns 1/0/-errno. */
static int kvm_service_requests(struct kvm_vcpu *vcpu)
{
	if (kvm_check_request(KVM_REQ_VM_DEAD, vcpu))
		return -EIO;
	if (kvm_check_request(KVM_REQ_TRIPLE_FAULT, vcpu)) {
		vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return 0;
	}
	if (kvm_check_request(KVM_REQ_INTERCEPTS, vcpu))
		kvm_x86_ops.update_intercepts(vcpu);
	if (kvm_check_request(KVM_REQ_MASTER_CLOCK, vcpu))
		kvm_pvclock_check_master(vcpu);
	if (test_bit(KVM_REQ_CLOCK_HOLD, &vcpu->requests))
		kvm_pvclock_wait(vcpu);
	if (kvm_check_request(KVM_REQ_CLOCK_UPDATE, vcpu))
		kvm_pvclock_update(vcpu);
	if (kvm_check_request(KVM_REQ_STEAL_UPDATE, vcpu))
		kvm_steal_time_update(vcpu);
	if (kvm_check_request(KVM_REQ_APF_READY, vcpu))
		kvm_async_pf_ready(vcpu);
	if (kvm_check_request(KVM_REQ_APIC_TIMER, vcpu))
		kvm_apic_inject_pending_timer(vcpu);
	if (kvm_check_request(KVM_REQ_NMI, vcpu))
		kvm_process_nmi(vcpu);
	if (kvm_check_request(KVM_REQ_SCAN_IOAPIC, vcpu))
		kvm_vcpu_scan_ioapic(vcpu);
	if (kvm_check_request(KVM_REQ_IOAPIC_EOI_EXIT, vcpu)) {
		vcpu->run->exit_reason = KVM_EXIT_IOAPIC_EOI;
		vcpu->run->eoi.vector = vcpu->arch.pending_ioapic_eoi;
		return 0;
	}
	if (lapic_in_kernel(vcpu) && kvm_apic_has_events(vcpu))
		kvm_apic_accept_events(vcpu);
	return 1;
}

/* Preemption off: the CPU whose TLB is flushed is the one that enters. */
static void kvm_service_flush_request(struct kvm_vcpu *vcpu)
{
	if (!kvm_check_request(KVM_REQ_TLB_FLUSH, vcpu))
		return;
	kvm_x86_ops.flush_tlb_all(vcpu);
	vcpu->stat.tlb_flush_ept++;
}

/*
 * Interrupts off.  Announce that we are in the guest, then look once more whether
 * there is a reason not to be: see kvm_vcpu_kick() for why in this order.
 */
static bool kvm_vcpu_must_not_enter(struct kvm_vcpu *vcpu)
{
	smp_store_mb(vcpu->mode, IN_GUEST_MODE);	/* before the requests are read */
	return kvm_request_pending(vcpu) || xfer_to_guest_mode_work_pending();
}

/* Into the guest and out, interrupts off on both sides. */
static void kvm_switch_to_guest_and_back(struct kvm_vcpu *vcpu)
{
	vtime_account_guest_enter();
	/* The thread was scheduled in since its FPU registers were last loaded. */
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
	kvm_load_guest_xsave_state(vcpu);
	kvm_load_guest_debugregs(vcpu);
	trace_minikvm_entry(vcpu);

	kvm_x86_ops.vcpu_run(vcpu);

	kvm_restore_host_debugregs(vcpu);
	kvm_load_host_xsave_state(vcpu);
	vcpu->mode = OUTSIDE_GUEST_MODE;
	smp_wmb();	/* before requests are looked at again */
	kvm_x86_ops.handle_exit_irqoff(vcpu);

	/*
	 * The interrupt that ended the guest's turn is taken here, while the
	 * time still counts as the guest's.
	 */
	local_irq_enable();
	vcpu->stat.exits++;
	local_irq_disable();
	vtime_account_guest_exit();
}

/*
 * Once into the guest.  Preemptible and kvm->srcu held on entry and return; the
 * lock is not held in the guest, so that a change of slots need not wait for it.
 *
 * Returns 1/0/-errno, see struct kvm_x86_ops.
 */
static int vcpu_enter_guest(struct kvm_vcpu *vcpu)
	__must_hold(&vcpu->kvm->srcu)
{
	/* A PIC that the guest has closed LINT0 to can ask, but is not to be told. */
	bool window = READ_ONCE(vcpu->run->request_interrupt_window) &&
		      kvm_accepts_vmm_interrupt(vcpu);
	bool leave_soon = false;
	int r;

	if (unlikely(vcpu->dirty_ring.gfns) && kvm_dirty_ring_is_full(vcpu)) {
		vcpu->run->exit_reason = KVM_EXIT_DIRTY_RING_FULL;
		return 0;
	}
	if (kvm_request_pending(vcpu)) {
		r = kvm_service_requests(vcpu);
		if (r <= 0)
			return r;
		if (vcpu->arch.mp_state != KVM_MP_STATE_RUNNABLE)
			return 1;	/* INIT has come */
	}
	/* Before events are chosen: it may sleep, and may fail. */
	r = kvm_mmu_reload(vcpu);
	if (unlikely(r))
		return r;
	kvm_apic_sync_to_vapic(vcpu);

	preempt_disable();
	kvm_service_flush_request(vcpu);
	if (kvm_check_request(KVM_REQ_EVENT, vcpu) || window) {
		leave_soon = kvm_inject_events(vcpu);
		if (window)
			kvm_x86_ops.enable_window(vcpu, KVM_EVENT_IRQ);
		if (lapic_in_kernel(vcpu))
			kvm_tell_apic_hardware(vcpu);
		kvm_pv_eoi_offer(vcpu);
	}
	kvm_x86_ops.prepare_switch_to_guest(vcpu);
	local_irq_disable();

	if (unlikely(kvm_vcpu_must_not_enter(vcpu))) {
		vcpu->mode = OUTSIDE_GUEST_MODE;
		smp_wmb();	/* before requests are looked at again */
		local_irq_enable();
		preempt_enable();
		kvm_x86_ops.cancel_injection(vcpu);
		if (vcpu->arch.pv_eoi_offered)
			kvm_pv_eoi_take_back(vcpu);
		if (kvm_event_needs_reinjection(vcpu))
			kvm_make_request(KVM_REQ_EVENT, vcpu);
		return 1;
	}
	srcu_read_unlock(&vcpu->kvm->srcu, vcpu->srcu_idx);

	if (unlikely(leave_soon)) {
		kvm_make_request(KVM_REQ_EVENT, vcpu);
		smp_send_reschedule(vcpu->cpu);
	}
	kvm_switch_to_guest_and_back(vcpu);

	local_irq_enable();
	preempt_enable();
	vcpu->srcu_idx = srcu_read_lock(&vcpu->kvm->srcu);
	kvm_apic_sync_from_vapic(vcpu);
	if (vcpu->arch.pv_eoi_offered)
		kvm_pv_eoi_take_back(vcpu);

	if (trace_minikvm_exit_enabled())
		trace_minikvm_exit(vcpu);
	return kvm_x86_ops.handle_exit(vcpu);
}

/* Signals, rescheduling, task work: what the kernel does on the way to userspace. */
static int kvm_handle_host_work(struct kvm_vcpu *vcpu)
{
	int r;

	srcu_read_unlock(&vcpu->kvm->srcu, vcpu->srcu_idx);
	vcpu->arch.at_rest = true;
	r = kvm_xfer_to_guest_mode_handle_work();
	vcpu->arch.at_rest = false;
	vcpu->srcu_idx = srcu_read_lock(&vcpu->kvm->srcu);
	if (r == -EINTR) {
		vcpu->run->exit_reason = KVM_EXIT_INTR;
		vcpu->stat.signal_exits++;
	}
	return r;
}

/*
 * The vCPU is halted, or waits for INIT or SIPI: out of the CPU until something
 * comes.  Signals are the caller's.  Returns 1.
 */
static int vcpu_wait(struct kvm_vcpu *vcpu)
	__must_hold(&vcpu->kvm->srcu)
{
	srcu_read_unlock(&vcpu->kvm->srcu, vcpu->srcu_idx);
	vcpu->arch.at_rest = true;
	if (vcpu->arch.mp_state == KVM_MP_STATE_HALTED)
		kvm_vcpu_halt(vcpu);
	else
		kvm_vcpu_block(vcpu);
	vcpu->arch.at_rest = false;
	vcpu->srcu_idx = srcu_read_lock(&vcpu->kvm->srcu);

	if (kvm_check_request(KVM_REQ_VM_DEAD, vcpu))
		return -EIO;
	if (kvm_apic_timer_pending(vcpu))
		kvm_apic_inject_pending_timer(vcpu);
	if (kvm_check_request(KVM_REQ_APF_READY, vcpu))
		kvm_async_pf_ready(vcpu);
	if (kvm_apic_has_events(vcpu))
		kvm_apic_accept_events(vcpu);
	if (vcpu->arch.mp_state == KVM_MP_STATE_HALTED && kvm_arch_vcpu_runnable(vcpu)) {
		vcpu->arch.pv_unhalted = false;
		vcpu->arch.mp_state = KVM_MP_STATE_RUNNABLE;
		/* The waker may not have come so far; HLT ends with the interrupt, not before. */
		kvm_make_request(KVM_REQ_EVENT, vcpu);
	}
	return 1;
}

/* Until userspace is needed.  Returns 0 or -errno. */
static int vcpu_run(struct kvm_vcpu *vcpu)
{
	int r;

	for (;;) {
		r = vcpu->arch.mp_state == KVM_MP_STATE_RUNNABLE ? vcpu_enter_guest(vcpu) :
								   vcpu_wait(vcpu);
		if (r <= 0)
			return r;
		if (READ_ONCE(vcpu->run->request_interrupt_window) &&
		    kvm_ready_for_interrupt_injection(vcpu)) {
			vcpu->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
			return 0;
		}
		if (__xfer_to_guest_mode_work_pending()) {
			r = kvm_handle_host_work(vcpu);
			if (r)
				return r;
		}
	}
}

/* What every KVM_RUN tells, whatever it returns. */
static void post_kvm_run_save(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	run->if_flag = !!(kvm_get_rflags(vcpu) & X86_EFLAGS_IF);
	run->cr8 = kvm_get_cr8(vcpu);
	run->apic_base = vcpu->arch.apic_base;
	run->ready_for_interrupt_injection =
		kvm_irqchip_mode(vcpu->kvm) == KVM_IRQCHIP_KERNEL ||
		kvm_ready_for_interrupt_injection(vcpu);
}

/*
 * Started by a SIPI only: wait for that, and let the VMM run the vCPU again, so that
 * it sees the new state.
 */
static int kvm_wait_for_start(struct kvm_vcpu *vcpu)
{
	srcu_read_unlock(&vcpu->kvm->srcu, vcpu->srcu_idx);
	kvm_vcpu_block(vcpu);
	vcpu->srcu_idx = srcu_read_lock(&vcpu->kvm->srcu);
	kvm_apic_accept_events(vcpu);
	if (signal_pending(current)) {
		vcpu->run->exit_reason = KVM_EXIT_INTR;
		vcpu->stat.signal_exits++;
		return -EINTR;
	}
	return -EAGAIN;
}

/* Returns 1 to go on into the guest, 0 or -errno to return. */
static int kvm_prepare_run(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	int (*complete)(struct kvm_vcpu *vcpu);
	int r;

	if ((READ_ONCE(run->kvm_valid_regs) | READ_ONCE(run->kvm_dirty_regs)) &
	    ~(u64)KVM_SYNC_X86_VALID_FIELDS)
		return -EINVAL;
	if (READ_ONCE(run->kvm_dirty_regs)) {
		r = kvm_sync_regs_to_vcpu(vcpu);
		if (r)
			return r;
	}
	/* Without a local APIC of ours the TPR is the VMM's. */
	if (!lapic_in_kernel(vcpu) && kvm_set_cr8(vcpu, READ_ONCE(run->cr8)))
		return -EINVAL;

	complete = vcpu->arch.complete_userspace_io;
	if (complete) {
		vcpu->arch.complete_userspace_io = NULL;
		r = complete(vcpu);
		if (r <= 0)
			return r;
	}
	/* The exit that was completed goes on standing in exit_reason, as KVM has it. */
	if (minikvm_immediate_exit(run)) {
		vcpu->stat.signal_exits++;
		return -EINTR;
	}
	return 1;
}

/**
 * kvm_arch_vcpu_ioctl_run() - KVM_RUN
 * @vcpu: its mutex is held
 *
 * Return: 0 with vcpu->run filled, or an errno.
 */
int kvm_arch_vcpu_ioctl_run(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	int r;

	vcpu_load(vcpu);
	kvm_load_guest_fpu(vcpu);
	vcpu->srcu_idx = srcu_read_lock(&vcpu->kvm->srcu);
	vcpu->ran_once = true;
	run->flags = 0;

	if (unlikely(vcpu->arch.mp_state == KVM_MP_STATE_UNINITIALIZED))
		r = minikvm_immediate_exit(run) ? -EINTR : kvm_wait_for_start(vcpu);
	else
		r = kvm_prepare_run(vcpu);
	if (r > 0) {
		run->exit_reason = KVM_EXIT_UNKNOWN;
		r = vcpu_run(vcpu);
	}
	if (!r)
		vcpu->stat.userspace_exits++;

	kvm_put_guest_fpu(vcpu);
	if (READ_ONCE(run->kvm_valid_regs))
		kvm_sync_regs_from_vcpu(vcpu);
	post_kvm_run_save(vcpu);
	srcu_read_unlock(&vcpu->kvm->srcu, vcpu->srcu_idx);
	vcpu_put(vcpu);
	return r;
}

/* ---- instructions that any vendor's exit may stand for ---- */

/**
 * kvm_skip_emulated_instruction() - an instruction is done: go to the next one
 * @vcpu: loaded vCPU, which exited because of that instruction
 *
 * With TF set its end is a single-step trap, the guest's or a debugger's.  RF ends
 * with it, or the next instruction's breakpoint would be missed (SDM 18.3.1.1).
 *
 * Return: 1, or 0 if a debugger is to be told.
 */
int kvm_skip_emulated_instruction(struct kvm_vcpu *vcpu)
{
	unsigned long rflags = kvm_get_rflags_raw(vcpu);

	kvm_x86_ops.skip_emulated_instruction(vcpu);
	if (unlikely(rflags & (X86_EFLAGS_TF | X86_EFLAGS_RF)))
		return kvm_debug_after_insn(vcpu, rflags);
	return 1;
}
EXPORT_SYMBOL_GPL(kvm_skip_emulated_instruction);

/**
 * kvm_emulate_as_nop() - an instruction that has nothing to do
 * @vcpu: loaded vCPU
 */
int kvm_emulate_as_nop(struct kvm_vcpu *vcpu)
{
	return kvm_skip_emulated_instruction(vcpu);
}
EXPORT_SYMBOL_GPL(kvm_emulate_as_nop);

/**
 * kvm_handle_invalid_op() - an instruction that the guest's CPU does not have
 * @vcpu: loaded vCPU
 */
int kvm_handle_invalid_op(struct kvm_vcpu *vcpu)
{
	kvm_queue_exception(vcpu, X86_TRAP_UD);
	return 1;
}
EXPORT_SYMBOL_GPL(kvm_handle_invalid_op);

/**
 * kvm_emulate_mwait() - MONITOR or MWAIT
 * @vcpu: loaded vCPU
 *
 * They are not in CPUID, so there is nothing to wait for: they do nothing, as KVM
 * always had it, or raise #UD if the VMM switched that off.
 */
int kvm_emulate_mwait(struct kvm_vcpu *vcpu)
{
	if ((vcpu->kvm->arch.disabled_quirks & KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS) &&
	    !guest_cpuid_has(vcpu, X86_FEATURE_MWAIT))
		return kvm_handle_invalid_op(vcpu);
	return kvm_skip_emulated_instruction(vcpu);
}
EXPORT_SYMBOL_GPL(kvm_emulate_mwait);

/**
 * kvm_emulate_halt() - HLT
 * @vcpu: loaded vCPU
 *
 * With a local APIC of ours the run loop waits.  Without one only userspace knows
 * what wakes the vCPU.
 */
int kvm_emulate_halt(struct kvm_vcpu *vcpu)
{
	vcpu->stat.halt_exits++;
	if (lapic_in_kernel(vcpu)) {
		vcpu->arch.mp_state = KVM_MP_STATE_HALTED;
		return kvm_skip_emulated_instruction(vcpu);
	}
	if (!kvm_skip_emulated_instruction(vcpu))
		return 0;
	vcpu->run->exit_reason = KVM_EXIT_HLT;
	return 0;
}
EXPORT_SYMBOL_GPL(kvm_emulate_halt);

/**
 * kvm_internal_error() - KVM_EXIT_INTERNAL_ERROR
 * @vcpu: loaded vCPU
 * @suberror: KVM_INTERNAL_ERROR_*
 * @data: facts that help to find out why
 * @ndata: how many
 *
 * Return: 0, for the run loop.
 */
int kvm_internal_error(struct kvm_vcpu *vcpu, u32 suberror, const u64 *data, unsigned int ndata)
{
	struct kvm_run *run = vcpu->run;

	ndata = min_t(unsigned int, ndata, ARRAY_SIZE(run->internal.data));
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = suberror;
	run->internal.ndata = ndata;
	memcpy(run->internal.data, data, ndata * sizeof(*data));
	return 0;
}
EXPORT_SYMBOL_GPL(kvm_internal_error);
