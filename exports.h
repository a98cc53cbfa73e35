/* SPDX-License-Identifier: GPL-2.0 */
/*
 * exports.h - linker names of what minikvm.ko exports to a vendor module
 *
 * The kernel has one flat name space for exported symbols, and the distribution's
 * kvm.ko, which may be loaded at the same time, exports kvm_init and many
 * others.  The names that every reader knows stay in the sources; here the
 * preprocessor gives those that cross the module boundary a prefix.  The list
 * is also the answer to "what may a vendor module call?".
 */
#ifndef MINIKVM_EXPORTS_H
#define MINIKVM_EXPORTS_H

#define kvm_init			mkvm_init
#define kvm_exit			mkvm_exit
#define kvm_x86_ops			mkvm_x86_ops
#define kvm_caps			mkvm_caps
#define kvm_host_efer			mkvm_host_efer
#define kvm_vcpu_on_spin		mkvm_vcpu_on_spin

#define kvm_add_user_return_msr		mkvm_add_user_return_msr
#define kvm_set_user_return_msrs	mkvm_set_user_return_msrs
#define kvm_access_count		mkvm_access_count

#define kvm_set_cr0			mkvm_set_cr0
#define kvm_set_cr3			mkvm_set_cr3
#define kvm_set_cr4			mkvm_set_cr4
#define kvm_lmsw			mkvm_lmsw
#define kvm_emulate_set_cr8		mkvm_emulate_set_cr8
#define kvm_get_rflags			mkvm_get_rflags
#define kvm_queue_exception_e		mkvm_queue_exception_e
#define kvm_requeue_exception		mkvm_requeue_exception
#define kvm_skip_emulated_instruction	mkvm_skip_emulated_instruction
#define kvm_internal_error		mkvm_internal_error

#define kvm_emulate_as_nop		mkvm_emulate_as_nop
#define kvm_handle_invalid_op		mkvm_handle_invalid_op
#define kvm_emulate_mwait		mkvm_emulate_mwait
#define kvm_emulate_cpuid		mkvm_emulate_cpuid
#define kvm_emulate_halt		mkvm_emulate_halt
#define kvm_emulate_hypercall		mkvm_emulate_hypercall
#define kvm_emulate_rdmsr		mkvm_emulate_rdmsr
#define kvm_emulate_wrmsr		mkvm_emulate_wrmsr
#define kvm_emulate_xsetbv		mkvm_emulate_xsetbv
#define kvm_emulate_instruction		mkvm_emulate_instruction
#define kvm_insn_len			mkvm_insn_len
#define kvm_fast_pio			mkvm_fast_pio
#define kvm_mmu_page_fault		mkvm_mmu_page_fault
#define kvm_read_guest			mkvm_read_guest
#define kvm_vcpu_mark_page_dirty	mkvm_vcpu_mark_page_dirty
#define kvm_vcpu_reset			mkvm_vcpu_reset
#define kvm_io_bus_write		mkvm_io_bus_write
#define kvm_irqchip_mode		mkvm_irqchip_mode

#define kvm_apic_note_cr8		mkvm_apic_note_cr8
#define kvm_apic_page			mkvm_apic_page
#define kvm_apic_eoi_done		mkvm_apic_eoi_done
#define kvm_apic_write_done		mkvm_apic_write_done
#define kvm_emulate_mmio		mkvm_emulate_mmio

#define kvm_handle_debug_exit		mkvm_handle_debug_exit
#define kvm_emulate_mov_dr		mkvm_emulate_mov_dr
#define kvm_emulate_undecoded_mov_dr	mkvm_emulate_undecoded_mov_dr

#define guest_cpuid_has			mkvm_guest_cpuid_has
#define guest_cpuid_is_intel		mkvm_guest_cpuid_is_intel
#define kvm_msr_allowed			mkvm_msr_allowed

#endif
