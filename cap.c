// SPDX-License-Identifier: GPL-2.0
/*
 * cap.c - what a VMM may rely on, and what it may switch
 *
 *	KVM_CHECK_EXTENSION	a table of constants, and a few that the host decides
 *	KVM_ENABLE_CAP		of a VM: a flag in struct kvm that others read
 *
 * Who enables what belongs to another file (dirty rings, the split irqchip) only
 * finds its way there through here.
 */
#include <linux/kvm_para.h>

#include "irq.h"
#include "kvm_host.h"

#define KVM_X2APIC_API_FLAGS	(KVM_X2APIC_API_USE_32BIT_IDS | \
				 KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)

/* Habits of KVM that a VMM may switch off: those that exist here. */
#define KVM_QUIRKS	(KVM_X86_QUIRK_OUT_7E_INC_RIP | KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT | \
			 KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS | KVM_X86_QUIRK_LINT0_REENABLED | \
			 KVM_X86_QUIRK_FIX_HYPERCALL_INSN)

/*
 * KVM_CAP_*: what a VMM may rely on.  A number promises the calls that belong to
 * it; whatever is not in the table is 0.
 */
static const struct {
	long cap;
	int value;
} kvm_constant_caps[] = {
	{ KVM_CAP_USER_MEMORY, 1 },
	{ KVM_CAP_USER_MEMORY2, 1 },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
	{ KVM_CAP_NR_MEMSLOTS, KVM_USER_MEM_SLOTS },
	{ KVM_CAP_MULTI_ADDRESS_SPACE, KVM_ADDRESS_SPACE_NUM },
	{ KVM_CAP_READONLY_MEM, 1 },
	{ KVM_CAP_SYNC_MMU, 1 },
	{ KVM_CAP_MMU_SHADOW_CACHE_CONTROL, 1 },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
	  KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET },
	{ KVM_CAP_DIRTY_LOG_RING, KVM_DIRTY_RING_MAX_BYTES },
	{ KVM_CAP_DIRTY_LOG_RING_ACQ_REL, KVM_DIRTY_RING_MAX_BYTES },
	{ KVM_CAP_SET_TSS_ADDR, 1 },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, 1 },
	{ KVM_CAP_EXT_CPUID, 1 },
	{ KVM_CAP_EXT_EMUL_CPUID, 1 },
	{ KVM_CAP_GET_MSR_FEATURES, 1 },
	{ KVM_CAP_MSR_PLATFORM_INFO, 1 },
	{ KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN |
				      KVM_MSR_EXIT_REASON_FILTER },
	{ KVM_CAP_X86_MSR_FILTER, 1 },
	{ KVM_CAP_MCE, KVM_MAX_MCE_BANKS },
	{ KVM_CAP_MP_STATE, 1 },
	{ KVM_CAP_HLT, 1 },
	{ KVM_CAP_PCI_SEGMENT, 1 },
	{ KVM_CAP_USER_NMI, 1 },
	{ KVM_CAP_VCPU_EVENTS, 1 },
	{ KVM_CAP_EXCEPTION_PAYLOAD, 1 },
	{ KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1 },
	{ KVM_CAP_DEBUGREGS, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG2, KVM_GUESTDBG_VALID },
	{ KVM_CAP_X86_ROBUST_SINGLESTEP, 1 },
	{ KVM_CAP_XSAVE, 1 },
	{ KVM_CAP_SREGS2, 1 },
	{ KVM_CAP_SYNC_REGS, KVM_SYNC_X86_VALID_FIELDS },
	{ KVM_CAP_CLOCKSOURCE, 1 },
	{ KVM_CAP_NOP_IO_DELAY, 1 },
	{ KVM_CAP_ADJUST_CLOCK, KVM_PVCLOCK_FLAGS },
	{ KVM_CAP_KVMCLOCK_CTRL, 1 },
	{ KVM_CAP_HALT_POLL, 1 },
	{ KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1 },
	{ KVM_CAP_ASYNC_PF, 1 },
	{ KVM_CAP_ASYNC_PF_INT, 1 },
	{ KVM_CAP_GET_TSC_KHZ, 1 },
	{ KVM_CAP_VCPU_ATTRIBUTES, 1 },
	{ KVM_CAP_IMMEDIATE_EXIT, 1 },
	{ KVM_CAP_INTERNAL_ERROR_DATA, 1 },
	{ KVM_CAP_DISABLE_QUIRKS, 1 },
	{ KVM_CAP_DISABLE_QUIRKS2, KVM_QUIRKS },
	{ KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1 },
	{ KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_EXITS_HLT | KVM_X86_DISABLE_EXITS_PAUSE },
	{ KVM_CAP_CHECK_EXTENSION_VM, 1 },
	{ KVM_CAP_ENABLE_CAP, 1 },
	{ KVM_CAP_ENABLE_CAP_VM, 1 },
	{ KVM_CAP_MAX_VCPUS, KVM_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPU_ID, KVM_MAX_VCPU_IDS },
	{ KVM_CAP_IRQCHIP, 1 },
	{ KVM_CAP_SPLIT_IRQCHIP, 1 },
	{ KVM_CAP_PIT, 1 },
	{ KVM_CAP_PIT2, 1 },
	{ KVM_CAP_PIT_STATE2, 1 },
	{ KVM_CAP_REINJECT_CONTROL, 1 },
	{ KVM_CAP_IRQ_ROUTING, KVM_MAX_IRQ_ROUTES },
	{ KVM_CAP_IRQ_INJECT_STATUS, 1 },
	{ KVM_CAP_SIGNAL_MSI, 1 },
	{ KVM_CAP_IOAPIC_POLARITY_IGNORED, 1 },
	{ KVM_CAP_IRQFD, 1 },
	{ KVM_CAP_IRQFD_RESAMPLE, 1 },
	{ KVM_CAP_IOEVENTFD, 1 },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, 1 },
	{ KVM_CAP_IOEVENTFD_NO_LENGTH, 1 },
	{ KVM_CAP_COALESCED_MMIO, KVM_COALESCED_PAGE_OFFSET },
	{ KVM_CAP_COALESCED_PIO, 1 },
	{ KVM_CAP_SET_BOOT_CPU_ID, 1 },
	{ KVM_CAP_TSC_DEADLINE_TIMER, 1 },
	{ KVM_CAP_X2APIC_API, KVM_X2APIC_API_FLAGS },
};

/**
 * kvm_vm_ioctl_check_extension() - KVM_CHECK_EXTENSION
 * @kvm: the VM, NULL on the system file descriptor
 * @ext: KVM_CAP_*
 *
 * Return: the capability's value, 0 if it is unknown or absent.
 */
int kvm_vm_ioctl_check_extension(struct kvm *kvm, long ext)
{
	int i;

	switch (ext) {
	case KVM_CAP_NR_VCPUS:
		return min_t(unsigned int, num_online_cpus(), KVM_MAX_VCPUS);
	case KVM_CAP_MAX_VCPU_ID:
		return kvm ? kvm->max_vcpu_ids : KVM_MAX_VCPU_IDS;
	case KVM_CAP_XCRS:
		return boot_cpu_has(X86_FEATURE_XSAVE);
	case KVM_CAP_STEAL_TIME:
		return kvm_pv_supported_features() & BIT(KVM_FEATURE_STEAL_TIME) ? 1 : 0;
	case KVM_CAP_XSAVE2:
		return kvm_xsave2_size();
	case KVM_CAP_TSC_CONTROL:
	case KVM_CAP_VM_TSC_CONTROL:
		return kvm_caps.has_tsc_scaling;
	}
	for (i = 0; i < ARRAY_SIZE(kvm_constant_caps); i++) {
		if (kvm_constant_caps[i].cap == ext)
			return kvm_constant_caps[i].value;
	}
	return 0;
}

/* There is no way back.  vCPUs that exist follow before they enter the guest again. */
static int kvm_disable_exits(struct kvm *kvm, u64 exits)
{
	if (exits & ~(u64)(KVM_X86_DISABLE_EXITS_HLT | KVM_X86_DISABLE_EXITS_PAUSE))
		return -EINVAL;
	mutex_lock(&kvm->lock);
	kvm->arch.disabled_exits |= exits;
	mutex_unlock(&kvm->lock);
	kvm_make_all_cpus_request(kvm, KVM_REQ_INTERCEPTS);
	return 0;
}

static int kvm_enable_max_vcpu_id(struct kvm *kvm, u64 ids)
{
	int r = -EINVAL;

	if (!ids || ids > KVM_MAX_VCPU_IDS)
		return -EINVAL;
	mutex_lock(&kvm->lock);
	if (kvm->arch.bsp_vcpu_id > ids) {
		r = -EINVAL;	/* a VM without its first CPU */
	} else if (kvm->max_vcpu_ids == ids) {
		r = 0;
	} else if (!kvm->arch.max_vcpu_ids_set && !kvm->created_vcpus) {
		kvm->max_vcpu_ids = ids;
		kvm->arch.max_vcpu_ids_set = true;
		r = 0;
	}
	mutex_unlock(&kvm->lock);
	return r;
}

/**
 * kvm_arch_vm_ioctl_enable_cap() - KVM_ENABLE_CAP on a VM
 * @kvm: the VM
 * @cap: from userspace, copied
 *
 * Return: 0 or -EINVAL, and then nothing has changed.
 */
int kvm_arch_vm_ioctl_enable_cap(struct kvm *kvm, const struct kvm_enable_cap *cap)
{
	u64 arg = cap->args[0];

	if (cap->flags)
		return -EINVAL;
	switch (cap->cap) {
	case KVM_CAP_EXCEPTION_PAYLOAD:
		WRITE_ONCE(kvm->arch.exception_payload_enabled, arg);
		return 0;
	case KVM_CAP_X86_TRIPLE_FAULT_EVENT:
		WRITE_ONCE(kvm->arch.triple_fault_event, arg);
		return 0;
	case KVM_CAP_MSR_PLATFORM_INFO:
		WRITE_ONCE(kvm->arch.guest_can_read_msr_platform_info, arg);
		return 0;
	case KVM_CAP_DISABLE_QUIRKS2:
		if (arg & ~(u64)KVM_QUIRKS)
			return -EINVAL;
		fallthrough;
	case KVM_CAP_DISABLE_QUIRKS:	/* its first version never refused a bit */
		WRITE_ONCE(kvm->arch.disabled_quirks, arg);
		return 0;
	case KVM_CAP_EXIT_ON_EMULATION_FAILURE:
		if (arg & ~1ull)
			return -EINVAL;
		WRITE_ONCE(kvm->arch.exit_on_emulation_error, arg);
		return 0;
	case KVM_CAP_X86_USER_SPACE_MSR:
		if (arg & ~(u64)(KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN |
				 KVM_MSR_EXIT_REASON_FILTER))
			return -EINVAL;
		WRITE_ONCE(kvm->arch.user_space_msr_mask, arg);
		return 0;
	case KVM_CAP_X86_DISABLE_EXITS:
		return kvm_disable_exits(kvm, arg);
	case KVM_CAP_MAX_VCPU_ID:
		return kvm_enable_max_vcpu_id(kvm, arg);
	case KVM_CAP_HALT_POLL:
		if (arg > UINT_MAX)
			return -EINVAL;
		WRITE_ONCE(kvm->halt_poll_limit, arg);
		return 0;
	case KVM_CAP_SPLIT_IRQCHIP:
		return kvm_enable_split_irqchip(kvm, arg);
	case KVM_CAP_X2APIC_API:
		if (arg & ~(u64)KVM_X2APIC_API_FLAGS)
			return -EINVAL;
		if (arg & KVM_X2APIC_API_USE_32BIT_IDS)
			WRITE_ONCE(kvm->arch.x2apic_format, true);
		if (arg & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
			WRITE_ONCE(kvm->arch.x2apic_broadcast_quirk_disabled, true);
		return 0;
	}
	return -EINVAL;
}
