// SPDX-License-Identifier: GPL-2.0
/*
 * vmx_pml.c - page-modification logging: the CPU notes which pages the guest writes
 *
 * Without it, the dirty log learns of a page's first write by an exit: the page is
 * write-protected.  With PML (SDM vol. 3, 29.3.6) the page stays writable and its EPT
 * entry's dirty bit is clear.  When the CPU sets that bit, it also writes the page's
 * address into a page of memory, the log buffer; the guest does not notice.
 *
 *	PML index	511		the next entry to be written; counts down
 *			0xffff		after entry 0: the buffer is full.  The next write that
 *					would be logged exits instead, and is done again later
 *
 * PML is on for all of a vCPU's life, where there is any.  What is not to be logged has
 * its dirty bit set by software to begin with (tdp_mmu.c, "open"), so a VM that had no log
 * never writes to the buffer, and an exit need not look at it: kvm->nr_slots_logging
 * says so, without a VMREAD.  It is changed before the first page of a slot waits for a
 * write, so it cannot be 0 after an exit of a vCPU that has something to tell.
 *
 * When a log ends, dirty bits that are clear stay so, and the buffer fills though nobody
 * reads it.  What is in there is of the past when another log begins: vmx_pml_forget(),
 * before the next entry.
 *
 * No write is ever missed.  The buffer is emptied on the way out of the guest, before
 * the vCPU says that it is outside, and before its CPU takes interrupts:
 *
 *	vCPU					VMM: KVM_GET_DIRTY_LOG
 *	  mode = IN_GUEST_MODE
 *	  guest writes: dirty bit, buffer
 *						  kvm_kick_out_of_guest():
 *						    mode is not OUTSIDE: IPI, and wait
 *	  VM exit
 *	  buffer -> the log's bits
 *	  mode = OUTSIDE_GUEST_MODE
 *	  interrupts on: the IPI is answered
 *						    returns
 *						  take_dirty_words(): takes the bits, clears
 *						    dirty bits, flushes the TLBs
 *
 * If the VMM finds OUTSIDE, the bits are set already: the vCPU stores them first, and x86
 * keeps stores in order.  If the vCPU goes back into the guest before the bits are taken,
 * and writes to a page that
 *
 *	is not taken	the dirty bit stays set, and the buffer has the page: its bit is
 *			set at the next exit, for the next KVM_GET_DIRTY_LOG
 *	is taken	the VMM copies the page after the call, with what was written; and
 *			once more if the buffer had it, which does no harm
 *
 * So a vCPU that is not in KVM_RUN has an empty buffer, and so has one that was scheduled
 * out.  KVM_CLEAR_DIRTY_LOG and KVM_RESET_DIRTY_RINGS need not kick: they act only on pages
 * that the VMM has been told of.
 *
 * Locks: none; the buffer is its vCPU's.  It is emptied with interrupts off: at most 512
 * bits are set then, some tens of microseconds.
 */
#include <linux/gfp.h>
#include <linux/srcu.h>

#include "vmx.h"

#define PML_EMPTY	(PML_ENTRIES - 1)	/* the index then */

/**
 * vmx_pml_create() - a new vCPU's log buffer, if there is PML
 * @vmx: the vCPU
 *
 * Return: 0 or -ENOMEM.
 */
int vmx_pml_create(struct vcpu_vmx *vmx)
{
	if (!kvm_caps.cpu_dirty_log_size)
		return 0;
	vmx->pml_buffer = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vmx->pml_buffer ? 0 : -ENOMEM;
}

/**
 * vmx_pml_free() - undo vmx_pml_create()
 * @vmx: the vCPU, whose VMCS is on no CPU any more
 */
void vmx_pml_free(struct vcpu_vmx *vmx)
{
	free_page((unsigned long)vmx->pml_buffer);
}

/**
 * vmx_pml_init_vmcs() - tell the CPU of the buffer, which is empty
 * @vmx: loaded vCPU
 */
void vmx_pml_init_vmcs(struct vcpu_vmx *vmx)
{
	if (!vmx->pml_buffer)
		return;
	vmcs_write64(PML_ADDRESS, __pa(vmx->pml_buffer));
	vmcs_write16(GUEST_PML_INDEX, PML_EMPTY);
}

/**
 * vmx_pml_flush() - from the buffer to the dirty log
 * @vmx: the vCPU, which has a buffer and just left the guest
 *
 * In the order in which the pages were written, for the rings' sake.
 *
 * Context: interrupts off, the VMCS is current.
 */
void vmx_pml_flush(struct vcpu_vmx *vmx)
{
	struct kvm_vcpu *vcpu = &vmx->vcpu;
	u16 index = vmcs_read16(GUEST_PML_INDEX);
	int last = index < PML_ENTRIES ? index + 1 : 0;
	int i, srcu_idx;

	if (index == PML_EMPTY)
		return;
	/* vcpu_enter_guest() let go of it for the time in the guest. */
	srcu_idx = srcu_read_lock(&vcpu->kvm->srcu);
	for (i = PML_ENTRIES - 1; i >= last; i--)
		kvm_vcpu_mark_page_dirty(vcpu, gpa_to_gfn(vmx->pml_buffer[i]));
	srcu_read_unlock(&vcpu->kvm->srcu, srcu_idx);
	vcpu->stat.pml_pages += PML_ENTRIES - last;
	vmcs_write16(GUEST_PML_INDEX, PML_EMPTY);
}

/**
 * vmx_pml_forget() - a slot keeps a log now: drop what was written before
 * @vmx: the vCPU, which is about to enter the guest
 *
 * All of it was written before an exit that found no slot with a log, and so before that
 * log began.
 *
 * Context: interrupts off, the VMCS is current.
 */
void vmx_pml_forget(struct vcpu_vmx *vmx)
{
	vmcs_write16(GUEST_PML_INDEX, PML_EMPTY);
	vmx->pml_unread = false;
}
