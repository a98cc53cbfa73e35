// SPDX-License-Identifier: GPL-2.0
/*
 * mce.c - machine check: errors of the hardware, as a guest hears of them
 *
 * A real error is the host's affair.  What a guest sees are errors that the VMM
 * makes up or passes on (KVM_X86_SET_MCE: QEMU does, when memory of the guest has
 * gone bad).  Each vCPU has banks of four registers, IA32_MCi_CTL, _STATUS, _ADDR
 * and _MISC, and the global IA32_MCG_CAP, _STATUS and _CTL (SDM 16.3; AMD's are the
 * same, APM vol. 2, 9.3).  The VMM says how many banks and which abilities there
 * are (KVM_X86_SETUP_MCE).
 *
 * Flow: the ioctl fills a bank.  A corrected error stays there until the guest looks;
 * for an uncorrected one #MC is queued, or the guest is shut down if it cannot take
 * it.  The guest reads and clears the bank by MSRs: msr.c's table leads here.
 *
 * Locks: everything is vcpu->mutex's.
 *
 * Left out: CMCI, LMCE, and AMD's thresholds and scalable banks (SMCA): neither
 * IA32_MCG_CAP nor CPUID offers them.
 */
#include <linux/nospec.h>
#include <linux/slab.h>
#include <asm/mce.h>
#include "kvm_host.h"

/**
 * kvm_mce_cap_supported() - KVM_X86_GET_MCE_CAP_SUPPORTED
 *
 * Return: bits of IA32_MCG_CAP that KVM_X86_SETUP_MCE takes, without the
 * number of banks (KVM_MAX_MCE_BANKS, which KVM_CAP_MCE tells).
 */
u64 kvm_mce_cap_supported(void)
{
	return MCG_CTL_P | MCG_SER_P;
}

static unsigned int mce_nr_banks(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.mcg_cap & MCG_BANKCNT_MASK;
}

/* A bank's registers, in the order of their MSRs. */
enum { MCI_CTL, MCI_STATUS, MCI_ADDR, MCI_MISC };

/**
 * kvm_mce_vcpu_create() - a vCPU's banks, empty
 * @vcpu:	the vCPU
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_mce_vcpu_create(struct kvm_vcpu *vcpu)
{
	vcpu->arch.mce_banks = kcalloc(KVM_MAX_MCE_BANKS, MCI_NR_REGS * sizeof(u64),
				       GFP_KERNEL_ACCOUNT);
	if (!vcpu->arch.mce_banks)
		return -ENOMEM;
	/* A VMM may use the banks without having set them up. */
	vcpu->arch.mcg_cap = KVM_MAX_MCE_BANKS;
	return 0;
}

/**
 * kvm_mce_vcpu_destroy() - undo kvm_mce_vcpu_create()
 * @vcpu:	the vCPU; harmless if its creation had failed
 */
void kvm_mce_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	kfree(vcpu->arch.mce_banks);
	vcpu->arch.mce_banks = NULL;
}

/**
 * kvm_vcpu_ioctl_x86_setup_mce() - KVM_X86_SETUP_MCE
 * @vcpu:	the vCPU
 * @mcg_cap:	IA32_MCG_CAP
 *
 * Return: 0, or -EINVAL for no or too many banks and for unsupported bits.
 */
int kvm_vcpu_ioctl_x86_setup_mce(struct kvm_vcpu *vcpu, u64 mcg_cap)
{
	unsigned int banks = mcg_cap & MCG_BANKCNT_MASK, i;

	if (!banks || banks > KVM_MAX_MCE_BANKS)
		return -EINVAL;
	if (mcg_cap & ~(kvm_mce_cap_supported() | MCG_BANKCNT_MASK | MCG_EXT_CNT_MASK))
		return -EINVAL;

	vcpu->arch.mcg_cap = mcg_cap;
	if (mcg_cap & MCG_CTL_P)
		vcpu->arch.mcg_ctl = ~0ULL;
	for (i = 0; i < banks; i++)
		vcpu->arch.mce_banks[i * MCI_NR_REGS + MCI_CTL] = ~0ULL;
	return 0;
}

/* An uncorrected error: #MC, or shutdown if the guest cannot take one now. */
static void raise_machine_check(struct kvm_vcpu *vcpu, const struct kvm_x86_mce *mce, u64 *bank)
{
	u64 status = mce->status;

	if ((vcpu->arch.mcg_status & MCG_STATUS_MCIP) ||
	    !kvm_read_cr4_bits(vcpu, X86_CR4_MCE)) {
		kvm_make_request(KVM_REQ_TRIPLE_FAULT, vcpu);
		return;
	}
	if (bank[MCI_STATUS] & MCI_STATUS_VAL)
		status |= MCI_STATUS_OVER;
	bank[MCI_STATUS] = status;
	bank[MCI_ADDR] = mce->addr;
	bank[MCI_MISC] = mce->misc;
	vcpu->arch.mcg_status = mce->mcg_status;
	kvm_queue_exception(vcpu, X86_TRAP_MC);
}

/*
 * "Uncorrected, no action required": the data are lost, but nobody has used them.
 * It is logged, and raises no #MC (SDM 16.6.3).  For uncorrected errors only.
 */
static bool is_ucna(const struct kvm_x86_mce *mce)
{
	return !mce->mcg_status &&
	       !(mce->status & (MCI_STATUS_PCC | MCI_STATUS_S | MCI_STATUS_AR));
}

/**
 * kvm_vcpu_ioctl_x86_set_mce() - KVM_X86_SET_MCE: an error for the guest
 * @vcpu:	the vCPU, loaded
 * @mce:	the error
 *
 * Return: 0, also if the guest has switched the reporting off; -EINVAL for a
 * bank that is not there and an error that is not valid.
 */
int kvm_vcpu_ioctl_x86_set_mce(struct kvm_vcpu *vcpu, struct kvm_x86_mce *mce)
{
	unsigned int nr = mce_nr_banks(vcpu);
	u64 *bank;

	if (mce->bank >= nr || !(mce->status & MCI_STATUS_VAL))
		return -EINVAL;
	bank = vcpu->arch.mce_banks + MCI_NR_REGS * array_index_nospec(mce->bank, nr);

	if ((mce->status & MCI_STATUS_UC) && is_ucna(mce)) {
		bank[MCI_ADDR] = mce->addr;
		bank[MCI_MISC] = mce->misc;
		bank[MCI_STATUS] = mce->status;
		return 0;
	}
	if (mce->status & MCI_STATUS_UC) {
		if ((vcpu->arch.mcg_cap & MCG_CTL_P) && vcpu->arch.mcg_ctl != ~0ULL)
			return 0;
		if (bank[MCI_CTL] != ~0ULL)
			return 0;
		raise_machine_check(vcpu, mce, bank);
		return 0;
	}

	/* A corrected error is only logged, and never over an uncorrected one. */
	if ((bank[MCI_STATUS] & MCI_STATUS_VAL) && (bank[MCI_STATUS] & MCI_STATUS_UC)) {
		bank[MCI_STATUS] |= MCI_STATUS_OVER;
		return 0;
	}
	bank[MCI_ADDR] = mce->addr;
	bank[MCI_MISC] = mce->misc;
	bank[MCI_STATUS] = mce->status | (bank[MCI_STATUS] & MCI_STATUS_VAL ? MCI_STATUS_OVER : 0);
	return 0;
}

/* ---- the registers ---- */

static u64 *mce_bank_reg(struct kvm_vcpu *vcpu, u32 index)
{
	u32 n = index - MSR_IA32_MC0_CTL, limit = mce_nr_banks(vcpu) * MCI_NR_REGS;

	return n < limit ? &vcpu->arch.mce_banks[array_index_nospec(n, limit)] : NULL;
}

/**
 * kvm_get_mce_bank() - read a register of a bank
 * @vcpu:	the vCPU
 * @index:	MSR_IA32_MC0_CTL and up
 * @data:	where to
 * @host:	for the VMM
 *
 * Return: 0, or 1 if RDMSR would cause #GP: there are fewer banks.
 */
int kvm_get_mce_bank(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	u64 *reg = mce_bank_reg(vcpu, index);

	if (!reg)
		return 1;
	*data = *reg;
	return 0;
}

/*
 * A guest can only clear STATUS (SDM 16.3.2.2), unless it believes to be on a CPU of
 * AMD's and has said so in HWCR (APM vol. 2, 9.3.2.1), to test itself.
 */
static bool may_set_status(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.hwcr & HWCR_MC_STATUS_WR_EN && guest_cpuid_is_amd(vcpu);
}

/**
 * kvm_set_mce_bank() - write a register of a bank
 * @vcpu:	the vCPU
 * @index:	MSR_IA32_MC0_CTL and up
 * @data:	the value; a guest enables a bank's errors wholesale
 * @host:	for the VMM
 *
 * Return: 0, or 1 if WRMSR would cause #GP.
 */
int kvm_set_mce_bank(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	u64 *reg = mce_bank_reg(vcpu, index);

	if (!reg)
		return 1;
	switch ((index - MSR_IA32_MC0_CTL) % MCI_NR_REGS) {
	case MCI_CTL:
		/* Linux clears bit 0, or bit 10 on some AMD machines, for their firmware. */
		if (data && (data | BIT(10) | BIT(0)) != ~0ULL)
			return 1;
		break;
	case MCI_STATUS:
		if (data && !host && !may_set_status(vcpu))
			return 1;
		break;
	}
	*reg = data;
	return 0;
}

/**
 * kvm_get_mcg_cap() - read IA32_MCG_CAP
 * @vcpu:	the vCPU
 * @index:	MSR_IA32_MCG_CAP
 * @data:	where to
 * @host:	for the VMM
 *
 * AMD has but the number of banks and MCG_CTL_P there (APM vol. 2, 9.3.1.1).  What
 * else the VMM set is not told to a guest that has a CPU of AMD's.
 *
 * Return: 0.
 */
int kvm_get_mcg_cap(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = vcpu->arch.mcg_cap;
	if (guest_cpuid_is_amd(vcpu))
		*data &= MCG_BANKCNT_MASK | MCG_CTL_P;
	return 0;
}

/**
 * kvm_get_mcg_ctl() - read IA32_MCG_CTL
 * @vcpu:	the vCPU
 * @index:	MSR_IA32_MCG_CTL
 * @data:	where to
 * @host:	for the VMM, who can save it even if it does not exist
 *
 * Return: 0, or 1 if RDMSR would cause #GP.
 */
int kvm_get_mcg_ctl(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (!(vcpu->arch.mcg_cap & MCG_CTL_P) && !host)
		return 1;
	*data = vcpu->arch.mcg_ctl;
	return 0;
}

/**
 * kvm_set_mcg_ctl() - write IA32_MCG_CTL
 * @vcpu:	the vCPU
 * @index:	MSR_IA32_MCG_CTL
 * @data:	the value: all or nothing
 * @host:	for the VMM
 *
 * Return: 0, or 1 if WRMSR would cause #GP.
 */
int kvm_set_mcg_ctl(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!(vcpu->arch.mcg_cap & MCG_CTL_P) && (data || !host))
		return 1;
	if (data && data != ~0ULL)
		return 1;
	vcpu->arch.mcg_ctl = data;
	return 0;
}
