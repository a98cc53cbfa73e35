// SPDX-License-Identifier: GPL-2.0
/*
 * guest_mmu.c - the guest's own page tables: guest-virtual to guest-physical
 *
 * When software does the guest's work (an emulated instruction, a PAE guest's MOV to
 * CR3), it has to find what the guest's addresses mean, as the guest's MMU would.
 * guest_walk.c knows how that is done, and nothing of KVM.  This file binds it to a
 * vCPU: it says how the guest's paging is set up, and lets the walk read and write
 * guest memory:
 *
 *	emulate: [gva]
 *	  kvm_mmu_gva_to_gpa()
 *	    guest_mmu_init()		CR0, CR3, CR4, EFER, RFLAGS.AC, PKRU
 *	    guest_walk()		kvm_read_guest(), kvm_cmpxchg_guest() for A and D
 *	  gpa, or the error code of a #PF
 *
 * No lock: other vCPUs may change the tables meanwhile, as with hardware.
 */
#include "kvm_host.h"
#include "guest_walk.h"

static int walk_read(void *opaque, u64 gpa, void *entry, unsigned int size)
{
	return kvm_read_guest(opaque, gpa, entry, size);
}

static int walk_cmpxchg(void *opaque, u64 gpa, void *old, const void *new,
			unsigned int size)
{
	return kvm_cmpxchg_guest(opaque, gpa, old, new, size);
}

static const struct guest_walk_ops walk_ops = {
	.read = walk_read,
	.cmpxchg = walk_cmpxchg,
};

static enum guest_paging guest_paging(struct kvm_vcpu *vcpu)
{
	if (!is_paging(vcpu))
		return GUEST_PAGING_NONE;
	if (is_long_mode(vcpu))
		return kvm_read_cr4_bits(vcpu, X86_CR4_LA57) ? GUEST_PAGING_5LEVEL :
							       GUEST_PAGING_4LEVEL;
	return kvm_read_cr4_bits(vcpu, X86_CR4_PAE) ? GUEST_PAGING_PAE : GUEST_PAGING_32;
}

static void guest_mmu_init(struct kvm_vcpu *vcpu, struct guest_mmu *mmu)
{
	unsigned long cr4 = kvm_read_cr4(vcpu);

	*mmu = (struct guest_mmu) {
		.ops = &walk_ops,
		.opaque = vcpu->kvm,
		.mode = guest_paging(vcpu),
		.cr3 = kvm_read_cr3(vcpu),
		.pkru = vcpu->arch.pkru,
		.maxphyaddr = vcpu->arch.maxphyaddr,
		.nxe = vcpu->arch.efer & EFER_NX,
		.wp = kvm_read_cr0_bits(vcpu, X86_CR0_WP),
		.pse = cr4 & X86_CR4_PSE,
		.smep = cr4 & X86_CR4_SMEP,
		.smap = cr4 & X86_CR4_SMAP,
		.pke = cr4 & X86_CR4_PKE,
		.ac = kvm_get_rflags(vcpu) & X86_EFLAGS_AC,
	};
	if (mmu->mode >= GUEST_PAGING_4LEVEL)
		mmu->gbpages = guest_cpuid_has(vcpu, X86_FEATURE_GBPAGES);
	if (mmu->mode == GUEST_PAGING_PAE) {
		kvm_register_fetch(vcpu, VCPU_EXREG_PDPTR);
		memcpy(mmu->pdptrs, vcpu->arch.pdptrs, sizeof(mmu->pdptrs));
	}
}

static unsigned int walk_access(u32 access)
{
	if (access & KVM_FAULT_PROBE)
		return GUEST_WALK_PEEK;
	return (access & KVM_FAULT_WRITE ? GUEST_WALK_WRITE : 0) |
	       (access & KVM_FAULT_USER ? GUEST_WALK_USER : 0) |
	       (access & KVM_FAULT_EXEC ? GUEST_WALK_FETCH : 0) |
	       (access & KVM_FAULT_IMPLICIT ? GUEST_WALK_IMPLICIT : 0);
}

/**
 * kvm_mmu_gva_to_gpa() - translate as the guest's MMU would
 * @vcpu: the vCPU, loaded; kvm->srcu held
 * @gva: linear address; in long mode canonical
 * @access: KVM_FAULT_*, which are checked and for which accessed and dirty bits
 *	are set; KVM_FAULT_PROBE: nothing checked, nothing set
 * @e: the #PF, if there is one; may be NULL
 *
 * Context: may sleep.
 * Return: the guest-physical address, or INVALID_GPA.
 */
gpa_t kvm_mmu_gva_to_gpa(struct kvm_vcpu *vcpu, gva_t gva, u32 access,
			 struct x86_exception *e)
{
	struct guest_walk_result res;
	struct guest_mmu mmu;

	guest_mmu_init(vcpu, &mmu);
	if (!guest_walk(&mmu, gva, walk_access(access), &res))
		return res.gpa;

	if (e)
		*e = (struct x86_exception) {
			.vector = X86_TRAP_PF,
			.has_error_code = true,
			.error_code = res.error_code,
			.address = gva,
		};
	return INVALID_GPA;
}

/**
 * load_pdptrs() - load the four page-directory pointers of PAE paging
 * @vcpu: the vCPU, loaded; kvm->srcu held
 * @cr3: where they are; 32-byte aligned, below 4G
 *
 * MOV to CR3 and the switch to PAE paging load them into registers, which is
 * when they are checked (SDM vol. 3, 4.4.1).
 *
 * Context: may sleep.
 * Return: 1, or 0 if they cannot be read or have reserved bits set (to the guest
 * that is #GP); then nothing has changed.
 */
int load_pdptrs(struct kvm_vcpu *vcpu, unsigned long cr3)
{
	u64 pdptrs[4];
	int i;

	if (kvm_read_guest(vcpu->kvm, cr3 & GENMASK(31, 5), pdptrs, sizeof(pdptrs)))
		return 0;
	for (i = 0; i < 4; i++)
		if (!guest_walk_pdpte_is_valid(pdptrs[i], vcpu->arch.maxphyaddr))
			return 0;

	memcpy(vcpu->arch.pdptrs, pdptrs, sizeof(pdptrs));
	kvm_register_mark_dirty(vcpu, VCPU_EXREG_PDPTR);
	return 1;
}
