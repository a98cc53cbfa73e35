// SPDX-License-Identifier: GPL-2.0
/*
 * x86_state.c - ioctls that read and write a VM's and a vCPU's state
 *
 * Three dispatchers, one for each kind of file descriptor, and under them what
 * belongs to no other file: general and segment registers, control registers,
 * pending events, run state.  Everything else is handed to its owner (cpuid.c,
 * msr.c, tsc.c, fpu.c, debug.c, mmu.c).
 *
 * Rules for all of them: everything is copied from userspace first and checked
 * next; then it is put in place, which cannot fail.  So an error has changed
 * nothing.  Structs that go to userspace are zeroed before they are filled.
 *
 * vCPU ioctls run with vcpu->mutex held, the vCPU loaded and kvm->srcu held.
 */
#include <linux/compat.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/trapnr.h>

#include "irq.h"
#include "kvm_host.h"

/* ---- general registers ---- */

static void kvm_get_regs(struct kvm_vcpu *vcpu, struct kvm_regs *regs)
{
	unsigned long *r = vcpu->arch.regs;

	*regs = (struct kvm_regs) {
		.rax = r[VCPU_REGS_RAX], .rbx = r[VCPU_REGS_RBX],
		.rcx = r[VCPU_REGS_RCX], .rdx = r[VCPU_REGS_RDX],
		.rsi = r[VCPU_REGS_RSI], .rdi = r[VCPU_REGS_RDI],
		.rsp = kvm_rsp_read(vcpu), .rbp = r[VCPU_REGS_RBP],
		.r8 = r[VCPU_REGS_R8], .r9 = r[VCPU_REGS_R9],
		.r10 = r[VCPU_REGS_R10], .r11 = r[VCPU_REGS_R11],
		.r12 = r[VCPU_REGS_R12], .r13 = r[VCPU_REGS_R13],
		.r14 = r[VCPU_REGS_R14], .r15 = r[VCPU_REGS_R15],
		.rip = kvm_rip_read(vcpu),
		.rflags = kvm_get_rflags(vcpu),
	};
}

static void kvm_set_regs(struct kvm_vcpu *vcpu, const struct kvm_regs *regs)
{
	unsigned long *r = vcpu->arch.regs;

	r[VCPU_REGS_RAX] = regs->rax;
	r[VCPU_REGS_RBX] = regs->rbx;
	r[VCPU_REGS_RCX] = regs->rcx;
	r[VCPU_REGS_RDX] = regs->rdx;
	r[VCPU_REGS_RSI] = regs->rsi;
	r[VCPU_REGS_RDI] = regs->rdi;
	r[VCPU_REGS_RBP] = regs->rbp;
	r[VCPU_REGS_R8] = regs->r8;
	r[VCPU_REGS_R9] = regs->r9;
	r[VCPU_REGS_R10] = regs->r10;
	r[VCPU_REGS_R11] = regs->r11;
	r[VCPU_REGS_R12] = regs->r12;
	r[VCPU_REGS_R13] = regs->r13;
	r[VCPU_REGS_R14] = regs->r14;
	r[VCPU_REGS_R15] = regs->r15;
	kvm_register_write_raw(vcpu, VCPU_REGS_RSP, regs->rsp);
	kvm_rip_write(vcpu, regs->rip);
	kvm_set_rflags(vcpu, regs->rflags);
	/* The VMM moved the guest elsewhere: what it was about to suffer is moot. */
	vcpu->arch.exception.pending = false;
}

/* ---- special registers ---- */

static const struct {
	u8 seg;
	u8 offset;
} kvm_sregs_segments[] = {
#define SEG(reg, field) { VCPU_SREG_##reg, offsetof(struct kvm_sregs, field) }
	SEG(CS, cs), SEG(DS, ds), SEG(ES, es), SEG(FS, fs), SEG(GS, gs), SEG(SS, ss),
	SEG(TR, tr), SEG(LDTR, ldt),
#undef SEG
};

/*
 * struct kvm_sregs and kvm_sregs2 begin with the same members, up to apic_base;
 * the first goes on with a bitmap of the interrupt to inject, the second with the
 * PDPTEs.
 */
static void kvm_get_sregs_common(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs)
{
	struct desc_ptr dt;
	int i;

	for (i = 0; i < ARRAY_SIZE(kvm_sregs_segments); i++)
		kvm_x86_ops.get_segment(vcpu, (void *)sregs + kvm_sregs_segments[i].offset,
					kvm_sregs_segments[i].seg);
	kvm_x86_ops.get_dt(vcpu, &dt, VCPU_DT_IDTR);
	sregs->idt.limit = dt.size;
	sregs->idt.base = dt.address;
	kvm_x86_ops.get_dt(vcpu, &dt, VCPU_DT_GDTR);
	sregs->gdt.limit = dt.size;
	sregs->gdt.base = dt.address;
	sregs->cr0 = kvm_read_cr0(vcpu);
	sregs->cr2 = vcpu->arch.cr2;
	sregs->cr3 = kvm_read_cr3(vcpu);
	sregs->cr4 = kvm_read_cr4(vcpu);
	sregs->cr8 = kvm_get_cr8(vcpu);
	sregs->efer = vcpu->arch.efer;
	sregs->apic_base = vcpu->arch.apic_base;
}

static void kvm_get_sregs(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs)
{
	struct kvm_queued_interrupt *irq = &vcpu->arch.interrupt;

	memset(sregs, 0, sizeof(*sregs));
	kvm_get_sregs_common(vcpu, sregs);
	if ((irq->injected && !irq->soft) || irq->pending)
		__set_bit(irq->nr, (unsigned long *)sregs->interrupt_bitmap);
}

static void kvm_get_sregs2(struct kvm_vcpu *vcpu, struct kvm_sregs2 *sregs2)
{
	int i;

	memset(sregs2, 0, sizeof(*sregs2));
	kvm_get_sregs_common(vcpu, (struct kvm_sregs *)sregs2);
	if (!is_pae_paging(vcpu))
		return;
	kvm_register_fetch(vcpu, VCPU_EXREG_PDPTR);
	for (i = 0; i < 4; i++)
		sregs2->pdptrs[i] = vcpu->arch.pdptrs[i];
	sregs2->flags |= KVM_SREGS2_FLAGS_PDPTRS_VALID;
}

/* The mode must be one that exists: paging, long mode and CS.L go together. */
static bool kvm_is_valid_sregs(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	if (sregs->efer & ~(kvm_caps.supported_efer | vcpu->arch.efer))
		return false;
	if ((sregs->efer & EFER_LME) && (sregs->cr0 & X86_CR0_PG)) {
		if (!(sregs->cr4 & X86_CR4_PAE) || !(sregs->efer & EFER_LMA))
			return false;
		if (sregs->cr3 & vcpu->arch.reserved_gpa_bits)
			return false;
	} else if ((sregs->efer & EFER_LMA) || sregs->cs.l) {
		return false;
	}
	if (sregs->cr8 & ~0xfull)
		return false;
	return kvm_is_valid_cr4(vcpu, sregs->cr4) && kvm_is_valid_cr0(sregs->cr0);
}

/* Checked already.  The order matters: modes before what is read in them. */
static void kvm_put_sregs(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	struct kvm_vcpu_arch *arch = &vcpu->arch;
	struct desc_ptr dt;
	int i;

	dt.size = sregs->idt.limit;
	dt.address = sregs->idt.base;
	kvm_x86_ops.set_dt(vcpu, &dt, VCPU_DT_IDTR);
	dt.size = sregs->gdt.limit;
	dt.address = sregs->gdt.base;
	kvm_x86_ops.set_dt(vcpu, &dt, VCPU_DT_GDTR);

	arch->cr2 = sregs->cr2;
	arch->cr3 = sregs->cr3;
	kvm_register_mark_dirty(vcpu, VCPU_EXREG_CR3);
	kvm_set_cr8(vcpu, sregs->cr8);
	arch->efer = sregs->efer;
	arch->cr0 = sregs->cr0 | X86_CR0_ET;
	kvm_x86_ops.store_reg(vcpu, VCPU_EXREG_CR0);
	arch->cr4 = sregs->cr4;
	kvm_x86_ops.store_reg(vcpu, VCPU_EXREG_CR4);
	kvm_x86_ops.store_reg(vcpu, VCPU_EXREG_EFER);
	kvm_update_cpuid_runtime(vcpu);

	for (i = 0; i < ARRAY_SIZE(kvm_sregs_segments); i++)
		kvm_x86_ops.set_segment(vcpu, (void *)sregs + kvm_sregs_segments[i].offset,
					kvm_sregs_segments[i].seg);
	kvm_flush_guest_tlb(vcpu);
	kvm_make_request(KVM_REQ_EVENT, vcpu);
}

static int kvm_set_sregs_common(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	if (!kvm_is_valid_sregs(vcpu, sregs))
		return -EINVAL;
	if (kvm_set_apic_base(vcpu, sregs->apic_base, true))
		return -EINVAL;
	kvm_put_sregs(vcpu, sregs);
	return 0;
}

static int kvm_set_sregs(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	int irq, r = kvm_set_sregs_common(vcpu, sregs);

	if (r)
		return r;
	/* A bad CR3 is found by the guest, as on hardware a bad PDPTE would be. */
	if (is_pae_paging(vcpu))
		load_pdptrs(vcpu, vcpu->arch.cr3);
	irq = find_first_bit((const unsigned long *)sregs->interrupt_bitmap,
			     KVM_NR_INTERRUPTS);
	if (irq < KVM_NR_INTERRUPTS) {
		vcpu->arch.interrupt.pending = true;
		vcpu->arch.interrupt.nr = irq;
	}
	return 0;
}

static int kvm_set_sregs2(struct kvm_vcpu *vcpu, const struct kvm_sregs2 *sregs2)
{
	bool valid_pdptrs = sregs2->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID;
	bool pae = (sregs2->cr0 & X86_CR0_PG) && (sregs2->cr4 & X86_CR4_PAE) &&
		   !(sregs2->efer & EFER_LMA);
	int i, r;

	if (sregs2->flags & ~KVM_SREGS2_FLAGS_PDPTRS_VALID)
		return -EINVAL;
	if (valid_pdptrs && !pae)
		return -EINVAL;
	r = kvm_set_sregs_common(vcpu, (const struct kvm_sregs *)sregs2);
	if (r || !pae)
		return r;
	if (valid_pdptrs) {
		for (i = 0; i < 4; i++)
			vcpu->arch.pdptrs[i] = sregs2->pdptrs[i];
		kvm_register_mark_dirty(vcpu, VCPU_EXREG_PDPTR);
	} else {
		load_pdptrs(vcpu, vcpu->arch.cr3);
	}
	return 0;
}

/* ---- the state after reset (SDM 10.1.1) ---- */

static void kvm_reset_segments(struct kvm_vcpu *vcpu)
{
	const struct kvm_segment data = { .limit = 0xffff, .type = 3, .s = 1, .present = 1 };
	const struct kvm_segment tr = { .limit = 0xffff, .type = 11, .present = 1 };
	const struct kvm_segment ldt = { .limit = 0xffff, .type = 2, .present = 1 };
	struct kvm_segment cs = data;
	const struct desc_ptr dt = { .size = 0xffff };
	int seg;

	/* The first instruction is at 0xfffffff0. */
	cs.type = 11;
	cs.selector = 0xf000;
	cs.base = 0xffff0000;
	for (seg = VCPU_SREG_ES; seg <= VCPU_SREG_GS; seg++)
		kvm_x86_ops.set_segment(vcpu, seg == VCPU_SREG_CS ? &cs : &data, seg);
	kvm_x86_ops.set_segment(vcpu, &tr, VCPU_SREG_TR);
	kvm_x86_ops.set_segment(vcpu, &ldt, VCPU_SREG_LDTR);
	kvm_x86_ops.set_dt(vcpu, &dt, VCPU_DT_GDTR);
	kvm_x86_ops.set_dt(vcpu, &dt, VCPU_DT_IDTR);
}

/**
 * kvm_vcpu_reset() - bring a vCPU into the state after power-up, or after INIT
 * @vcpu: loaded vCPU; kvm->srcu held
 * @init: INIT, which leaves the MSRs, the FPU and the caching bits of CR0 alone, but
 *	for those MSRs that are in the vendor's VMCS or VMCB (SDM table 10-1)
 */
void kvm_vcpu_reset(struct kvm_vcpu *vcpu, bool init)
{
	const unsigned long caching = X86_CR0_CD | X86_CR0_NW;
	bool is_bsp = vcpu->vcpu_id == vcpu->kvm->arch.bsp_vcpu_id;
	struct kvm_vcpu_arch *arch = &vcpu->arch;

	/* What is in hardware now is nobody's any more. */
	arch->regs_avail = ~0u;
	arch->regs_dirty = 0;
	memset(arch->regs, 0, sizeof(arch->regs));
	arch->regs[VCPU_REGS_RDX] = 0x600;	/* family 6, until CPUID says more */
	arch->cr0 = X86_CR0_ET | (init ? arch->cr0 & caching : caching);
	arch->cr2 = 0;
	arch->cr3 = 0;
	arch->cr4 = 0;
	arch->cr8 = 0;
	arch->efer = 0;
	arch->root_hpa = 0;
	arch->exception = (struct kvm_queued_exception) {};
	arch->interrupt = (struct kvm_queued_interrupt) {};
	arch->nmi_injected = false;
	arch->nmi_pending = 0;
	atomic_set(&arch->nmi_queued, 0);
	kvm_pv_vcpu_reset(vcpu);
	kvm_async_pf_vcpu_reset(vcpu);
	if (!init) {
		/* With local APICs of ours others start with INIT and SIPI. */
		arch->mp_state = is_bsp || !lapic_in_kernel(vcpu) ? KVM_MP_STATE_RUNNABLE :
								    KVM_MP_STATE_UNINITIALIZED;
		arch->apic_base = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE;
		if (is_bsp)
			arch->apic_base |= MSR_IA32_APICBASE_BSP;
		kvm_msr_vcpu_reset(vcpu);
		kvm_fpu_vcpu_reset(vcpu);
	}
	kvm_x86_ops.vcpu_reset(vcpu);
	kvm_debug_vcpu_reset(vcpu);
	kvm_x86_ops.store_reg(vcpu, VCPU_EXREG_CR0);
	kvm_x86_ops.store_reg(vcpu, VCPU_EXREG_CR4);
	kvm_x86_ops.store_reg(vcpu, VCPU_EXREG_EFER);
	kvm_register_mark_dirty(vcpu, VCPU_EXREG_CR3);
	kvm_register_write_raw(vcpu, VCPU_REGS_RSP, 0);
	kvm_rip_write(vcpu, 0xfff0);
	kvm_set_rflags(vcpu, 0);
	kvm_reset_segments(vcpu);
	kvm_x86_ops.write_tsc_offset(vcpu);
	kvm_x86_ops.update_intercepts(vcpu);
	kvm_apic_vcpu_reset(vcpu, init);
}
EXPORT_SYMBOL_GPL(kvm_vcpu_reset);

/* ---- pending events ---- */

static void kvm_get_vcpu_exception(struct kvm_vcpu *vcpu, struct kvm_vcpu_events *events)
{
	struct kvm_queued_exception *ex = &vcpu->arch.exception;

	/*
	 * A VMM that does not know of payloads must find CR2 and DR6 as they will
	 * be, for nobody would apply the payload after a restore.
	 */
	if (!vcpu->kvm->arch.exception_payload_enabled && ex->pending)
		kvm_deliver_exception_payload(vcpu);

	events->exception.injected = ex->injected;
	events->exception.pending = ex->pending;
	/* Without the capability "pending" is not known either: say injected. */
	if (!vcpu->kvm->arch.exception_payload_enabled) {
		events->exception.injected |= ex->pending;
		events->exception.pending = 0;
	}
	events->exception.nr = ex->vector;
	events->exception.has_error_code = ex->has_error_code;
	events->exception.error_code = ex->error_code;
	events->exception_has_payload = ex->has_payload;
	events->exception_payload = ex->payload;
}

static void kvm_get_vcpu_events(struct kvm_vcpu *vcpu, struct kvm_vcpu_events *events)
{
	struct kvm_queued_interrupt *irq = &vcpu->arch.interrupt;

	memset(events, 0, sizeof(*events));
	if (kvm_check_request(KVM_REQ_NMI, vcpu))
		kvm_process_nmi(vcpu);
	kvm_get_vcpu_exception(vcpu, events);

	events->interrupt.injected = (irq->injected && !irq->soft) || irq->pending;
	events->interrupt.nr = irq->nr;
	events->interrupt.shadow = kvm_x86_ops.get_interrupt_shadow(vcpu);
	events->nmi.injected = vcpu->arch.nmi_injected;
	events->nmi.pending = vcpu->arch.nmi_pending;
	events->nmi.masked = kvm_x86_ops.get_nmi_mask(vcpu);

	events->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	if (vcpu->kvm->arch.exception_payload_enabled)
		events->flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	if (vcpu->kvm->arch.triple_fault_event) {
		events->triple_fault.pending = test_bit(KVM_REQ_TRIPLE_FAULT, &vcpu->requests);
		events->flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	}
}

static bool kvm_are_valid_vcpu_events(struct kvm_vcpu *vcpu, const struct kvm_vcpu_events *events)
{
	const struct kvm_arch *arch = &vcpu->kvm->arch;
	u32 known = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
		    KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM |
		    KVM_VCPUEVENT_VALID_PAYLOAD | KVM_VCPUEVENT_VALID_TRIPLE_FAULT;

	if (events->flags & ~known)
		return false;
	if (events->flags & KVM_VCPUEVENT_VALID_PAYLOAD) {
		if (!arch->exception_payload_enabled)
			return false;
		if (events->exception.pending && events->exception.injected)
			return false;
	}
	if ((events->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT) && !arch->triple_fault_event)
		return false;
	if ((events->exception.injected || (events->flags & KVM_VCPUEVENT_VALID_PAYLOAD &&
					    events->exception.pending)) &&
	    (events->exception.nr > 31 || events->exception.nr == X86_TRAP_NMI))
		return false;
	/* There is no system management mode. */
	if ((events->flags & KVM_VCPUEVENT_VALID_SMM) &&
	    (events->smi.smm || events->smi.pending || events->smi.smm_inside_nmi ||
	     events->smi.latched_init))
		return false;
	return true;
}

static int kvm_set_vcpu_events(struct kvm_vcpu *vcpu, const struct kvm_vcpu_events *events)
{
	struct kvm_vcpu_arch *arch = &vcpu->arch;
	bool payload = events->flags & KVM_VCPUEVENT_VALID_PAYLOAD;

	if (!kvm_are_valid_vcpu_events(vcpu, events))
		return -EINVAL;

	arch->exception = (struct kvm_queued_exception) {
		.injected = events->exception.injected,
		.pending = payload && events->exception.pending,
		.vector = events->exception.nr,
		.has_error_code = events->exception.has_error_code,
		.error_code = events->exception.error_code,
		.has_payload = payload && events->exception_has_payload,
		.payload = events->exception_payload,
	};
	arch->interrupt.injected = events->interrupt.injected;
	arch->interrupt.pending = false;
	arch->interrupt.soft = events->interrupt.soft;
	arch->interrupt.nr = events->interrupt.nr;
	if ((events->flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR) && lapic_in_kernel(vcpu))
		kvm_apic_set_sipi_vector(vcpu, events->sipi_vector);
	if (events->flags & KVM_VCPUEVENT_VALID_SHADOW)
		kvm_x86_ops.set_interrupt_shadow(vcpu, events->interrupt.shadow);
	arch->nmi_injected = events->nmi.injected;
	if (events->flags & KVM_VCPUEVENT_VALID_NMI_PENDING) {
		atomic_set(&arch->nmi_queued, 0);
		arch->nmi_pending = min_t(unsigned int, events->nmi.pending, 2);
	}
	kvm_x86_ops.set_nmi_mask(vcpu, events->nmi.masked);
	if (events->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT) {
		if (events->triple_fault.pending)
			kvm_make_request(KVM_REQ_TRIPLE_FAULT, vcpu);
		else
			clear_bit(KVM_REQ_TRIPLE_FAULT, &vcpu->requests);
	}
	kvm_make_request(KVM_REQ_EVENT, vcpu);
	return 0;
}

/* KVM_INTERRUPT: taken when the guest can take it; userspace watches the window. */
static int kvm_vcpu_ioctl_interrupt(struct kvm_vcpu *vcpu, const struct kvm_interrupt *irq)
{
	if (irq->irq >= KVM_NR_INTERRUPTS)
		return -EINVAL;
	if (kvm_irqchip_mode(vcpu->kvm) == KVM_IRQCHIP_KERNEL)
		return -ENXIO;
	/* The PIC in userspace looks at ready_for_interrupt_injection first. */
	if (lapic_in_kernel(vcpu) && vcpu->arch.interrupt.pending)
		return -EEXIST;
	vcpu->arch.interrupt.pending = true;
	vcpu->arch.interrupt.nr = irq->irq;
	kvm_make_request(KVM_REQ_EVENT, vcpu);
	return 0;
}

/* One NMI can be pending while another is handled; hardware latches no more. */
static int kvm_vcpu_ioctl_nmi(struct kvm_vcpu *vcpu)
{
	kvm_inject_nmi(vcpu);
	return 0;
}

/*
 * Without a local APIC of ours there is only one state: it can run.  "SIPI received"
 * is a vCPU in INIT for which a SIPI waits.
 */
static int kvm_set_mp_state(struct kvm_vcpu *vcpu, const struct kvm_mp_state *mp_state)
{
	switch (mp_state->mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_HALTED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_SIPI_RECEIVED:
		if (lapic_in_kernel(vcpu))
			break;
		fallthrough;
	default:
		return -EINVAL;
	}
	if (mp_state->mp_state == KVM_MP_STATE_SIPI_RECEIVED) {
		vcpu->arch.mp_state = KVM_MP_STATE_INIT_RECEIVED;
		kvm_apic_set_pending_sipi(vcpu);
	} else {
		vcpu->arch.mp_state = mp_state->mp_state;
	}
	kvm_make_request(KVM_REQ_EVENT, vcpu);
	return 0;
}

static void kvm_translate(struct kvm_vcpu *vcpu, struct kvm_translation *tr)
{
	struct x86_exception e;
	gpa_t gpa = kvm_mmu_gva_to_gpa(vcpu, tr->linear_address, KVM_FAULT_PROBE, &e);

	tr->physical_address = gpa;
	tr->valid = gpa != INVALID_GPA;
	tr->writeable = 1;
	tr->usermode = 0;
}

/* ---- registers through kvm_run, without an ioctl each ---- */

/**
 * kvm_sync_regs_to_vcpu() - take the sets that userspace marked in kvm_dirty_regs
 * @vcpu: loaded vCPU
 *
 * The page is userspace's to write at any moment: each set is copied before it
 * is looked at.
 *
 * Return: 0 or -EINVAL.
 */
int kvm_sync_regs_to_vcpu(struct kvm_vcpu *vcpu)
{
	struct kvm_sync_regs *sync = &vcpu->run->s.regs;
	u64 dirty = READ_ONCE(vcpu->run->kvm_dirty_regs);
	union {
		struct kvm_regs regs;
		struct kvm_sregs sregs;
		struct kvm_vcpu_events events;
	} u;

	if (dirty & KVM_SYNC_X86_REGS) {
		memcpy(&u.regs, &sync->regs, sizeof(u.regs));
		kvm_set_regs(vcpu, &u.regs);
		vcpu->run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_REGS;
	}
	if (dirty & KVM_SYNC_X86_SREGS) {
		memcpy(&u.sregs, &sync->sregs, sizeof(u.sregs));
		if (kvm_set_sregs(vcpu, &u.sregs))
			return -EINVAL;
		vcpu->run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_SREGS;
	}
	if (dirty & KVM_SYNC_X86_EVENTS) {
		memcpy(&u.events, &sync->events, sizeof(u.events));
		if (kvm_set_vcpu_events(vcpu, &u.events))
			return -EINVAL;
		vcpu->run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_EVENTS;
	}
	return 0;
}

/**
 * kvm_sync_regs_from_vcpu() - show the sets that userspace asked for
 * @vcpu: loaded vCPU
 */
void kvm_sync_regs_from_vcpu(struct kvm_vcpu *vcpu)
{
	struct kvm_sync_regs *sync = &vcpu->run->s.regs;
	u64 valid = READ_ONCE(vcpu->run->kvm_valid_regs);

	if (valid & KVM_SYNC_X86_REGS)
		kvm_get_regs(vcpu, &sync->regs);
	if (valid & KVM_SYNC_X86_SREGS)
		kvm_get_sregs(vcpu, &sync->sregs);
	if (valid & KVM_SYNC_X86_EVENTS)
		kvm_get_vcpu_events(vcpu, &sync->events);
}

/* ---- vCPU ioctls ---- */

union kvm_vcpu_ioctl_data {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_sregs2 sregs2;
	struct kvm_fpu fpu;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
	struct kvm_lapic_state lapic;
	struct kvm_vapic_addr vapic;
	struct kvm_interrupt irq;
	struct kvm_translation translation;
	struct kvm_guest_debug debug;
	struct kvm_cpuid cpuid;
	struct kvm_cpuid2 cpuid2;
	struct kvm_x86_mce mce;
	struct kvm_device_attr attr;
	struct kvm_enable_cap cap;
	u64 mcg_cap;
};

/*
 * The ioctls whose argument is one struct, of the size and direction that the
 * number says (_IOC_SIZE, _IOC_DIR): copied in and out in one place.
 */
static const unsigned int kvm_vcpu_struct_ioctls[] = {
	KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS, KVM_SET_SREGS,
	KVM_GET_SREGS2, KVM_SET_SREGS2, KVM_GET_FPU, KVM_SET_FPU,
	KVM_GET_XCRS, KVM_SET_XCRS, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS,
	KVM_SET_GUEST_DEBUG, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS,
	KVM_GET_LAPIC, KVM_SET_LAPIC, KVM_SET_VAPIC_ADDR,
	KVM_GET_MP_STATE, KVM_SET_MP_STATE, KVM_INTERRUPT, KVM_TRANSLATE,
	KVM_X86_SETUP_MCE, KVM_X86_SET_MCE,
	KVM_HAS_DEVICE_ATTR, KVM_GET_DEVICE_ATTR, KVM_SET_DEVICE_ATTR, KVM_ENABLE_CAP,
};

static bool kvm_vcpu_ioctl_takes_struct(unsigned int ioctl)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(kvm_vcpu_struct_ioctls); i++) {
		if (kvm_vcpu_struct_ioctls[i] == ioctl)
			return true;
	}
	return false;
}

static int kvm_vcpu_ioctl_cpuid(struct kvm_vcpu *vcpu, unsigned int ioctl, void __user *argp)
{
	struct kvm_cpuid2 __user *user = argp;
	struct kvm_cpuid2 cpuid;
	int r;

	/* struct kvm_cpuid begins in the same way. */
	if (copy_from_user(&cpuid, user, sizeof(cpuid)))
		return -EFAULT;
	if (ioctl == KVM_SET_CPUID) {
		struct kvm_cpuid v1 = { .nent = cpuid.nent };

		return kvm_vcpu_ioctl_set_cpuid(vcpu, &v1, argp + sizeof(v1));
	}
	if (ioctl == KVM_SET_CPUID2)
		return kvm_vcpu_ioctl_set_cpuid2(vcpu, &cpuid, user->entries);
	r = kvm_vcpu_ioctl_get_cpuid2(vcpu, &cpuid, user->entries);
	if (!r && copy_to_user(user, &cpuid, sizeof(cpuid)))
		r = -EFAULT;
	return r;
}

static int kvm_vcpu_ioctl_xsave(struct kvm_vcpu *vcpu, unsigned int ioctl, void __user *argp)
{
	unsigned int size = sizeof(struct kvm_xsave);
	void *buf;
	int r = 0;

	if (ioctl != KVM_GET_XSAVE)
		size = max_t(unsigned int, size, kvm_xsave2_size());
	if (ioctl == KVM_SET_XSAVE) {
		buf = memdup_user(argp, size);
		if (IS_ERR(buf))
			return PTR_ERR(buf);
		r = kvm_vcpu_ioctl_set_xsave(vcpu, buf);
		kfree(buf);
		return r;
	}
	buf = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	kvm_vcpu_ioctl_get_xsave(vcpu, buf, size);
	if (copy_to_user(argp, buf, size))
		r = -EFAULT;
	kfree(buf);
	return r;
}

/* @u is filled from userspace, or will be copied there, as the number says. */
static long kvm_vcpu_ioctl_struct(struct kvm_vcpu *vcpu, unsigned int ioctl,
				  union kvm_vcpu_ioctl_data *u)
{
	switch (ioctl) {
	case KVM_GET_REGS:
		kvm_get_regs(vcpu, &u->regs);
		return 0;
	case KVM_SET_REGS:
		kvm_set_regs(vcpu, &u->regs);
		return 0;
	case KVM_GET_SREGS:
		kvm_get_sregs(vcpu, &u->sregs);
		return 0;
	case KVM_SET_SREGS:
		return kvm_set_sregs(vcpu, &u->sregs);
	case KVM_GET_SREGS2:
		kvm_get_sregs2(vcpu, &u->sregs2);
		return 0;
	case KVM_SET_SREGS2:
		return kvm_set_sregs2(vcpu, &u->sregs2);
	case KVM_GET_FPU:
		return kvm_vcpu_ioctl_get_fpu(vcpu, &u->fpu);
	case KVM_SET_FPU:
		return kvm_vcpu_ioctl_set_fpu(vcpu, &u->fpu);
	case KVM_GET_XCRS:
		if (!boot_cpu_has(X86_FEATURE_XSAVE))
			return -EINVAL;
		kvm_vcpu_ioctl_get_xcrs(vcpu, &u->xcrs);
		return 0;
	case KVM_SET_XCRS:
		return kvm_vcpu_ioctl_set_xcrs(vcpu, &u->xcrs);
	case KVM_GET_DEBUGREGS:
		kvm_vcpu_ioctl_get_debugregs(vcpu, &u->debugregs);
		return 0;
	case KVM_SET_DEBUGREGS:
		return kvm_vcpu_ioctl_set_debugregs(vcpu, &u->debugregs);
	case KVM_SET_GUEST_DEBUG:
		return kvm_vcpu_ioctl_set_guest_debug(vcpu, &u->debug);
	case KVM_GET_VCPU_EVENTS:
		kvm_get_vcpu_events(vcpu, &u->events);
		return 0;
	case KVM_SET_VCPU_EVENTS:
		return kvm_set_vcpu_events(vcpu, &u->events);
	case KVM_GET_LAPIC:
		return kvm_vcpu_ioctl_get_lapic(vcpu, &u->lapic);
	case KVM_SET_LAPIC:
		return kvm_vcpu_ioctl_set_lapic(vcpu, &u->lapic);
	case KVM_SET_VAPIC_ADDR:
		return kvm_vcpu_ioctl_set_vapic_addr(vcpu, u->vapic.vapic_addr);
	case KVM_GET_MP_STATE:
		if (lapic_in_kernel(vcpu))
			kvm_apic_accept_events(vcpu);
		u->mp_state.mp_state = vcpu->arch.mp_state;
		/* Kicked already: that is not saved anywhere else. */
		if (vcpu->arch.mp_state == KVM_MP_STATE_HALTED && vcpu->arch.pv_unhalted)
			u->mp_state.mp_state = KVM_MP_STATE_RUNNABLE;
		return 0;
	case KVM_SET_MP_STATE:
		return kvm_set_mp_state(vcpu, &u->mp_state);
	case KVM_INTERRUPT:
		return kvm_vcpu_ioctl_interrupt(vcpu, &u->irq);
	case KVM_TRANSLATE:
		kvm_translate(vcpu, &u->translation);
		return 0;
	case KVM_X86_SETUP_MCE:
		return kvm_vcpu_ioctl_x86_setup_mce(vcpu, u->mcg_cap);
	case KVM_X86_SET_MCE:
		return kvm_vcpu_ioctl_x86_set_mce(vcpu, &u->mce);
	case KVM_ENABLE_CAP:
		return kvm_vcpu_ioctl_enable_cap(vcpu, &u->cap);
	case KVM_HAS_DEVICE_ATTR:
	case KVM_GET_DEVICE_ATTR:
	case KVM_SET_DEVICE_ATTR:
		return kvm_vcpu_ioctl_device_attr(vcpu, ioctl, &u->attr);
	}
	return -EINVAL;
}

static long kvm_vcpu_ioctl_copied(struct kvm_vcpu *vcpu, unsigned int ioctl, void __user *argp)
{
	unsigned int size = _IOC_SIZE(ioctl);
	union kvm_vcpu_ioctl_data u;
	long r;

	memset(&u, 0, size);
	if ((_IOC_DIR(ioctl) & _IOC_WRITE) && copy_from_user(&u, argp, size))
		return -EFAULT;
	r = kvm_vcpu_ioctl_struct(vcpu, ioctl, &u);
	if (r >= 0 && (_IOC_DIR(ioctl) & _IOC_READ) && copy_to_user(argp, &u, size))
		r = -EFAULT;
	return r;
}

static long kvm_vcpu_ioctl_loaded(struct kvm_vcpu *vcpu, unsigned int ioctl, unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (ioctl) {
	case KVM_GET_MSRS:
	case KVM_SET_MSRS:
		return kvm_msr_io(vcpu, argp, ioctl == KVM_SET_MSRS);
	case KVM_SET_CPUID:
	case KVM_SET_CPUID2:
	case KVM_GET_CPUID2:
		return kvm_vcpu_ioctl_cpuid(vcpu, ioctl, argp);
	case KVM_GET_XSAVE:
	case KVM_GET_XSAVE2:
	case KVM_SET_XSAVE:
		return kvm_vcpu_ioctl_xsave(vcpu, ioctl, argp);
	case KVM_NMI:
		return kvm_vcpu_ioctl_nmi(vcpu);
	case KVM_SET_TSC_KHZ:
		return kvm_set_tsc_khz(vcpu, arg);
	case KVM_GET_TSC_KHZ:
		return vcpu->arch.virtual_tsc_khz;
	case KVM_KVMCLOCK_CTRL:
		return kvm_vcpu_ioctl_kvmclock_ctrl(vcpu);
	}
	if (!kvm_vcpu_ioctl_takes_struct(ioctl))
		return -EINVAL;
	return kvm_vcpu_ioctl_copied(vcpu, ioctl, argp);
}

/**
 * kvm_arch_vcpu_ioctl() - every ioctl of a vCPU but KVM_RUN and the signal mask
 * @vcpu: its mutex is held
 * @ioctl: the number
 * @arg: a value or a user pointer
 *
 * Return: as userspace gets it; -EINVAL for an unknown number.
 */
long kvm_arch_vcpu_ioctl(struct kvm_vcpu *vcpu, unsigned int ioctl, unsigned long arg)
{
	long r;
	int idx;

	vcpu_load(vcpu);
	idx = srcu_read_lock(&vcpu->kvm->srcu);
	r = kvm_vcpu_ioctl_loaded(vcpu, ioctl, arg);
	srcu_read_unlock(&vcpu->kvm->srcu, idx);
	vcpu_put(vcpu);
	return r;
}

/* ---- VM ioctls ---- */

static int kvm_vm_set_identity_map_addr(struct kvm *kvm, u64 addr)
{
	int r = -EINVAL;

	mutex_lock(&kvm->lock);
	if (!kvm->created_vcpus) {
		kvm->arch.identity_map_addr = addr;
		r = 0;
	}
	mutex_unlock(&kvm->lock);
	return r;
}

#define MIN_MMU_PAGES	64	/* what KVM takes at least */

/* A hint for shadow paging, of which there is none; what is set is read back. */
static int kvm_vm_set_nr_mmu_pages(struct kvm *kvm, unsigned long nr)
{
	if (nr < MIN_MMU_PAGES)
		return -EINVAL;
	WRITE_ONCE(kvm->arch.n_max_mmu_pages, nr);
	return 0;
}

static int kvm_vm_set_boot_cpu_id(struct kvm *kvm, unsigned long id)
{
	int r = 0;

	mutex_lock(&kvm->lock);
	if (kvm->created_vcpus)
		r = -EBUSY;
	else if (id > kvm->max_vcpu_ids)
		r = -EINVAL;
	else
		kvm->arch.bsp_vcpu_id = id;
	mutex_unlock(&kvm->lock);
	return r;
}

static int kvm_vm_set_tsc_khz(struct kvm *kvm, unsigned long khz)
{
	int r = -EINVAL;

	if (!kvm_caps.has_tsc_scaling && khz && khz != tsc_khz)
		return -EINVAL;
	if (khz > U32_MAX)
		return -EINVAL;
	mutex_lock(&kvm->lock);
	if (!kvm->created_vcpus) {
		kvm->arch.default_tsc_khz = khz;
		r = 0;
	}
	mutex_unlock(&kvm->lock);
	return r;
}

/* Too big for the stack. */
static long kvm_vm_ioctl_irqchip(struct kvm *kvm, unsigned int ioctl, void __user *argp)
{
	struct kvm_irqchip *chip = memdup_user(argp, sizeof(*chip));
	int r;

	if (IS_ERR(chip))
		return PTR_ERR(chip);
	if (ioctl == KVM_SET_IRQCHIP)
		r = kvm_vm_ioctl_set_irqchip(kvm, chip);
	else
		r = kvm_vm_ioctl_get_irqchip(kvm, chip);
	if (!r && ioctl == KVM_GET_IRQCHIP && copy_to_user(argp, chip, sizeof(*chip)))
		r = -EFAULT;
	kfree(chip);
	return r;
}

/* struct kvm_pit_state2 begins as the older kvm_pit_state. */
static long kvm_vm_ioctl_pit(struct kvm *kvm, unsigned int ioctl, void __user *argp)
{
	struct kvm_reinject_control reinject;
	struct kvm_pit_config config = {};
	struct kvm_pit_state2 state = {};
	bool pit2 = ioctl == KVM_GET_PIT2 || ioctl == KVM_SET_PIT2;
	size_t size = pit2 ? sizeof(state) : sizeof(struct kvm_pit_state);
	int r;

	switch (ioctl) {
	case KVM_CREATE_PIT2:
		if (copy_from_user(&config, argp, sizeof(config)))
			return -EFAULT;
		return kvm_vm_ioctl_create_pit(kvm, &config);
	case KVM_CREATE_PIT:
		config.flags = KVM_PIT_SPEAKER_DUMMY;
		return kvm_vm_ioctl_create_pit(kvm, &config);
	case KVM_REINJECT_CONTROL:
		if (copy_from_user(&reinject, argp, sizeof(reinject)))
			return -EFAULT;
		return kvm_vm_ioctl_reinject(kvm, &reinject);
	case KVM_SET_PIT:
	case KVM_SET_PIT2:
		if (copy_from_user(&state, argp, size))
			return -EFAULT;
		return kvm_vm_ioctl_set_pit(kvm, &state, pit2);
	}
	r = kvm_vm_ioctl_get_pit(kvm, &state);
	return !r && copy_to_user(argp, &state, size) ? -EFAULT : r;
}

/* The ways into the guest and out of it that irq.h is about: each takes one struct. */
static long kvm_vm_ioctl_irq(struct kvm *kvm, unsigned int ioctl, void __user *argp)
{
	union {
		struct kvm_irq_level level;
		struct kvm_msi msi;
		struct kvm_irqfd irqfd;
		struct kvm_ioeventfd ioeventfd;
		struct kvm_coalesced_mmio_zone zone;
	} u;
	int r;

	if (copy_from_user(&u, argp, _IOC_SIZE(ioctl)))
		return -EFAULT;
	switch (ioctl) {
	case KVM_IRQ_LINE:
		return kvm_vm_ioctl_irq_line(kvm, &u.level, false);
	case KVM_IRQ_LINE_STATUS:
		r = kvm_vm_ioctl_irq_line(kvm, &u.level, true);
		if (!r && copy_to_user(argp, &u.level, sizeof(u.level)))
			r = -EFAULT;
		return r;
	case KVM_SIGNAL_MSI:
		return kvm_send_userspace_msi(kvm, &u.msi);
	case KVM_IRQFD:
		return kvm_irqfd(kvm, &u.irqfd);
	case KVM_IOEVENTFD:
		return kvm_ioeventfd(kvm, &u.ioeventfd);
	case KVM_REGISTER_COALESCED_MMIO:
		return kvm_vm_ioctl_register_coalesced_mmio(kvm, &u.zone);
	case KVM_UNREGISTER_COALESCED_MMIO:
		return kvm_vm_ioctl_unregister_coalesced_mmio(kvm, &u.zone);
	}
	return -ENOTTY;
}

/**
 * kvm_arch_vm_ioctl() - x86 ioctls of a VM
 * @kvm: the VM
 * @ioctl: the number
 * @arg: a value or a user pointer
 *
 * Return: as userspace gets it; -ENOTTY for an unknown number.
 */
long kvm_arch_vm_ioctl(struct kvm *kvm, unsigned int ioctl, unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	struct kvm_clock_data clock;
	u64 addr;

	switch (ioctl) {
	case KVM_SET_TSS_ADDR:
		/* Real mode needs no TSS of ours with unrestricted guest. */
		return arg > (unsigned int)(-3 * PAGE_SIZE) ? -EINVAL : 0;
	case KVM_SET_IDENTITY_MAP_ADDR:
		if (copy_from_user(&addr, argp, sizeof(addr)))
			return -EFAULT;
		return kvm_vm_set_identity_map_addr(kvm, addr);
	case KVM_SET_NR_MMU_PAGES:
		return kvm_vm_set_nr_mmu_pages(kvm, arg);
	case KVM_GET_NR_MMU_PAGES:
		return kvm->arch.n_max_mmu_pages;
	case KVM_SET_TSC_KHZ:
		return kvm_vm_set_tsc_khz(kvm, arg);
	case KVM_GET_TSC_KHZ:
		return READ_ONCE(kvm->arch.default_tsc_khz) ?: tsc_khz;
	case KVM_GET_CLOCK:
		kvm_vm_ioctl_get_clock(kvm, &clock);
		return copy_to_user(argp, &clock, sizeof(clock)) ? -EFAULT : 0;
	case KVM_SET_CLOCK:
		if (copy_from_user(&clock, argp, sizeof(clock)))
			return -EFAULT;
		return kvm_vm_ioctl_set_clock(kvm, &clock);
	case KVM_X86_SET_MSR_FILTER:
		return kvm_vm_ioctl_set_msr_filter(kvm, argp);

	case KVM_SET_BOOT_CPU_ID:
		return kvm_vm_set_boot_cpu_id(kvm, arg);
	case KVM_CREATE_IRQCHIP:
		return kvm_vm_ioctl_create_irqchip(kvm);
	case KVM_SET_GSI_ROUTING:
		return kvm_set_gsi_routing(kvm, argp);
	case KVM_IRQ_LINE:
	case KVM_IRQ_LINE_STATUS:
	case KVM_SIGNAL_MSI:
	case KVM_IRQFD:
	case KVM_IOEVENTFD:
	case KVM_REGISTER_COALESCED_MMIO:
	case KVM_UNREGISTER_COALESCED_MMIO:
		return kvm_vm_ioctl_irq(kvm, ioctl, argp);

	case KVM_GET_IRQCHIP:
	case KVM_SET_IRQCHIP:
		return kvm_vm_ioctl_irqchip(kvm, ioctl, argp);
	case KVM_CREATE_PIT:
	case KVM_CREATE_PIT2:
	case KVM_GET_PIT:
	case KVM_SET_PIT:
	case KVM_GET_PIT2:
	case KVM_SET_PIT2:
	case KVM_REINJECT_CONTROL:
		return kvm_vm_ioctl_pit(kvm, ioctl, argp);
	}
	return -ENOTTY;
}

#ifdef CONFIG_COMPAT
long kvm_arch_vm_compat_ioctl(struct file *filp, struct kvm *kvm, unsigned int ioctl,
			      unsigned long arg)
{
	return filp->f_op->unlocked_ioctl(filp, ioctl, (unsigned long)compat_ptr(arg));
}
#endif

/* ---- /dev/minikvm ---- */

static int kvm_dev_ioctl_cpuid(unsigned int ioctl, void __user *argp)
{
	struct kvm_cpuid2 __user *user = argp;
	struct kvm_cpuid2 cpuid;
	int r;

	if (copy_from_user(&cpuid, user, sizeof(cpuid)))
		return -EFAULT;
	r = kvm_dev_ioctl_get_cpuid(&cpuid, user->entries, ioctl);
	if (!r && copy_to_user(user, &cpuid, sizeof(cpuid)))
		r = -EFAULT;
	return r;
}

/**
 * kvm_arch_dev_ioctl() - x86 ioctls of /dev/minikvm
 * @filp: unused
 * @ioctl: the number
 * @arg: a user pointer
 *
 * Return: as userspace gets it; -EINVAL for an unknown number.
 */
long kvm_arch_dev_ioctl(struct file *filp, unsigned int ioctl, unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	u64 mcg_cap;

	switch (ioctl) {
	case KVM_GET_SUPPORTED_CPUID:
	case KVM_GET_EMULATED_CPUID:
		return kvm_dev_ioctl_cpuid(ioctl, argp);
	case KVM_GET_MSR_INDEX_LIST:
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		return kvm_get_msr_index_list(argp, ioctl == KVM_GET_MSR_FEATURE_INDEX_LIST);
	case KVM_GET_MSRS:
		return kvm_msr_io(NULL, argp, false);
	case KVM_X86_GET_MCE_CAP_SUPPORTED:
		mcg_cap = kvm_mce_cap_supported();
		return copy_to_user(argp, &mcg_cap, sizeof(mcg_cap)) ? -EFAULT : 0;
	}
	return -EINVAL;
}
