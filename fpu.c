// SPDX-License-Identifier: GPL-2.0
/*
 * fpu.c - the guest's x87, SSE and extended state, XCR0, IA32_XSS and PKRU
 *
 * VMX and SVM leave the floating-point and vector registers alone: a VM entry
 * finds in them what the host left there, and an exit leaves what the guest
 * put there.  So somebody has to swap them.  Three things are swapped, at three
 * different times, each as rarely as is safe:
 *
 *	the registers	kvm_load_guest_fpu() at the start of KVM_RUN and
 *			kvm_put_guest_fpu() at its end.  In between the host
 *			kernel treats the guest's registers as if they were
 *			the VMM thread's own: a context switch saves them, and
 *			vcpu_enter_guest() calls switch_fpu_return() when they
 *			are not in hardware any more.
 *	XCR0, XSS	around each VM entry, if the guest can use them and
 *			its values differ from the host's.  XCR0 says which
 *			state components XSAVE touches: the host kernel would
 *			lose registers if it were to run with the guest's.
 *	PKRU		likewise.  It is a register of XSAVE's and of the
 *			memory protection at once: the host's copy_to_user()
 *			must not be checked against the guest's keys.
 *
 * The host's kernel owns the format of the saved registers (struct fpstate,
 * possibly compacted) and converts it to the XSAVE image of the user ABI; the
 * FPU ioctls below all go through that image, so a component in its initial
 * configuration, which the hardware need not have written to memory, reads as
 * what it is (SDM vol. 1, 13.6 "Processor tracking of XSAVE-managed state").
 *
 * Offered: x87, SSE, AVX, AVX-512, PKRU, as far as the host uses them.  Left
 * out: MPX (gone from the hardware), AMX (its state must be asked for by the
 * process before it may be used), and all supervisor state: IA32_XSS is 0.
 *
 * Locks: all is vcpu->mutex's.  fpregs_lock() keeps a softirq or a context
 * switch from taking the registers away under the emulator's accesses.
 */
#include <linux/slab.h>
#include <asm/fpu/xcr.h>
#include <asm/fpu/xstate.h>
#include <asm/pkru.h>
#include "kvm_host.h"

/* What this code switches, whatever else the host may have. */
#define KVM_XCR0_HANDLED	(XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM | \
				 XFEATURE_MASK_AVX512 | XFEATURE_MASK_PKRU)

/* CPUID leaf 0DH, sub-leaves 2 and up: where a component lies in XSAVE's image. */
static struct {
	u32 size;
	u32 offset;	/* in the standard format */
	bool aligned;	/* to 64 bytes, in the compacted format */
} xstate_comp[XFEATURE_MAX];

static u64 host_xss;

/* ---- set-up ---- */

/**
 * kvm_fpu_hardware_setup() - learn the host's extended state
 *
 * Fills kvm_host_xcr0, kvm_caps.supported_xcr0 and kvm_caps.supported_xss.
 * Called once, before kvm_set_cpu_caps().
 */
void kvm_fpu_hardware_setup(void)
{
	unsigned int i, eax, ebx, ecx, edx;

	kvm_host_xcr0 = 0;
	host_xss = 0;
	kvm_caps.supported_xcr0 = 0;
	kvm_caps.supported_xss = 0;
	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return;

	kvm_host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	kvm_caps.supported_xcr0 = kvm_host_xcr0 & KVM_XCR0_HANDLED;
	if (!boot_cpu_has(X86_FEATURE_OSPKE))
		kvm_caps.supported_xcr0 &= ~XFEATURE_MASK_PKRU;
	if (boot_cpu_has(X86_FEATURE_XSAVES))
		rdmsrl(MSR_IA32_XSS, host_xss);

	for (i = XFEATURE_YMM; i < XFEATURE_MAX; i++) {
		if (!(kvm_caps.supported_xcr0 & BIT_ULL(i)))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		xstate_comp[i].size = eax;
		xstate_comp[i].offset = ebx;
		xstate_comp[i].aligned = ecx & BIT(1);
	}
}

/**
 * kvm_xstate_size() - how large is XSAVE's image for a set of components?
 * @xfeatures:	XCR0, or XCR0 | IA32_XSS
 * @compacted:	the format of XSAVEC and XSAVES, else that of XSAVE
 *
 * SDM vol. 1, 13.4.2 and 13.4.3.
 *
 * Return: bytes, with the legacy region and the header.
 */
u32 kvm_xstate_size(u64 xfeatures, bool compacted)
{
	u32 size = FXSAVE_SIZE + XSAVE_HDR_SIZE;
	unsigned int i;

	for (i = XFEATURE_YMM; i < XFEATURE_MAX; i++) {
		u32 offset = xstate_comp[i].offset;

		if (!(xfeatures & BIT_ULL(i)))
			continue;
		if (compacted)
			offset = xstate_comp[i].aligned ? ALIGN(size, 64) : size;
		size = max(size, offset + xstate_comp[i].size);
	}
	return size;
}

/**
 * kvm_fpu_vcpu_create() - a vCPU's FPU, in its initial configuration
 * @vcpu:	the vCPU
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_fpu_vcpu_create(struct kvm_vcpu *vcpu)
{
	return fpu_alloc_guest_fpstate(&vcpu->arch.guest_fpu) ? 0 : -ENOMEM;
}

/**
 * kvm_fpu_vcpu_destroy() - undo kvm_fpu_vcpu_create()
 * @vcpu:	the vCPU; harmless if its creation had failed
 */
void kvm_fpu_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	fpu_free_guest_fpstate(&vcpu->arch.guest_fpu);
}

/**
 * kvm_fpu_vcpu_reset() - XCR0, IA32_XSS and PKRU as after RESET
 * @vcpu:	the vCPU
 *
 * The registers are in their initial configuration since their allocation;
 * SDM vol. 3, table 10-1.
 */
void kvm_fpu_vcpu_reset(struct kvm_vcpu *vcpu)
{
	vcpu->arch.xcr0 = XFEATURE_MASK_FP;
	vcpu->arch.ia32_xss = 0;
	vcpu->arch.pkru = 0;
}

/* ---- KVM_RUN ---- */

/**
 * kvm_load_guest_fpu() - the guest's registers for the VMM's, at KVM_RUN's start
 * @vcpu:	the vCPU, loaded
 */
void kvm_load_guest_fpu(struct kvm_vcpu *vcpu)
{
	fpu_swap_kvm_fpstate(&vcpu->arch.guest_fpu, true);
	/* Only userspace changes it, so this holds until KVM_RUN returns. */
	if (cpu_feature_enabled(X86_FEATURE_OSPKE))
		vcpu->arch.host_pkru = rdpkru();
	vcpu->stat.fpu_reload++;
}

/**
 * kvm_put_guest_fpu() - the VMM's registers for the guest's, at KVM_RUN's end
 * @vcpu:	the vCPU, loaded
 */
void kvm_put_guest_fpu(struct kvm_vcpu *vcpu)
{
	fpu_swap_kvm_fpstate(&vcpu->arch.guest_fpu, false);
}

/*
 * Can the guest change PKRU?  By WRPKRU if CR4.PKE is set, or else by XRSTOR.
 * (OSXSAVE and PKE are never the guest's own bits of CR4: no fetch here.)
 */
static bool guest_uses_pkru(struct kvm_vcpu *vcpu)
{
	return cpu_feature_enabled(X86_FEATURE_OSPKE) &&
	       ((vcpu->arch.xcr0 & XFEATURE_MASK_PKRU) ||
		kvm_read_cr4_bits(vcpu, X86_CR4_PKE));
}

/**
 * kvm_load_guest_xsave_state() - XCR0, IA32_XSS and PKRU of the guest
 * @vcpu:	the vCPU, about to enter; interrupts off
 */
void kvm_load_guest_xsave_state(struct kvm_vcpu *vcpu)
{
	if (kvm_read_cr4_bits(vcpu, X86_CR4_OSXSAVE)) {
		if (vcpu->arch.xcr0 != kvm_host_xcr0)
			xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->arch.xcr0);
		if (kvm_caps.has_xsaves && vcpu->arch.ia32_xss != host_xss)
			wrmsrl(MSR_IA32_XSS, vcpu->arch.ia32_xss);
	}
	if (guest_uses_pkru(vcpu) && vcpu->arch.pkru != vcpu->arch.host_pkru)
		wrpkru(vcpu->arch.pkru);
}

/**
 * kvm_load_host_xsave_state() - undo kvm_load_guest_xsave_state() after the exit
 * @vcpu:	the vCPU; interrupts still off since the entry
 *
 * Nothing that the conditions look at has changed since the entry: XSETBV,
 * CR4.OSXSAVE, CR4.PKE and IA32_XSS all exit, and exits are handled later.
 */
void kvm_load_host_xsave_state(struct kvm_vcpu *vcpu)
{
	if (guest_uses_pkru(vcpu)) {
		vcpu->arch.pkru = rdpkru();
		if (vcpu->arch.pkru != vcpu->arch.host_pkru)
			wrpkru(vcpu->arch.host_pkru);
	}
	if (kvm_read_cr4_bits(vcpu, X86_CR4_OSXSAVE)) {
		if (vcpu->arch.xcr0 != kvm_host_xcr0)
			xsetbv(XCR_XFEATURE_ENABLED_MASK, kvm_host_xcr0);
		if (kvm_caps.has_xsaves && vcpu->arch.ia32_xss != host_xss)
			wrmsrl(MSR_IA32_XSS, host_xss);
	}
}

/* ---- XCR0 ---- */

/* The rules of XSETBV for XCR0: SDM vol. 1, 13.3. */
static bool is_valid_xcr0(struct kvm_vcpu *vcpu, u64 xcr0)
{
	u64 avx512 = xcr0 & XFEATURE_MASK_AVX512;

	if (xcr0 & ~(vcpu->arch.guest_supported_xcr0 | XFEATURE_MASK_FP))
		return false;
	if (!(xcr0 & XFEATURE_MASK_FP))
		return false;
	if ((xcr0 & XFEATURE_MASK_YMM) && !(xcr0 & XFEATURE_MASK_SSE))
		return false;
	if (avx512 && (avx512 != XFEATURE_MASK_AVX512 || !(xcr0 & XFEATURE_MASK_YMM)))
		return false;
	return true;
}

/**
 * kvm_set_xcr() - set an extended control register, if its new value is legal
 * @vcpu:	the vCPU
 * @index:	only 0 exists
 * @xcr:	its value
 *
 * Return: 0, or 1 if XSETBV would cause #GP.
 */
int kvm_set_xcr(struct kvm_vcpu *vcpu, u32 index, u64 xcr)
{
	if (index != XCR_XFEATURE_ENABLED_MASK || !is_valid_xcr0(vcpu, xcr))
		return 1;

	if (vcpu->arch.xcr0 != xcr) {
		vcpu->arch.xcr0 = xcr;
		kvm_update_cpuid_runtime(vcpu);
	}
	return 0;
}

/**
 * kvm_emulate_xsetbv() - an XSETBV exited
 * @vcpu:	the vCPU
 *
 * Return: 1/0/-errno of the run loop.
 */
int kvm_emulate_xsetbv(struct kvm_vcpu *vcpu)
{
	if (kvm_x86_ops.get_cpl(vcpu) != 0 ||
	    kvm_set_xcr(vcpu, kvm_ecx_read(vcpu), kvm_edx_eax_read(vcpu))) {
		kvm_inject_gp(vcpu, 0);
		return 1;
	}
	return kvm_skip_emulated_instruction(vcpu);
}
EXPORT_SYMBOL_GPL(kvm_emulate_xsetbv);

/**
 * kvm_vcpu_ioctl_get_xcrs() - KVM_GET_XCRS
 * @vcpu:	the vCPU
 * @xcrs:	where to; wholly overwritten.  Empty on a host without XSAVE
 */
void kvm_vcpu_ioctl_get_xcrs(struct kvm_vcpu *vcpu, struct kvm_xcrs *xcrs)
{
	memset(xcrs, 0, sizeof(*xcrs));
	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return;

	xcrs->nr_xcrs = 1;
	xcrs->xcrs[0].xcr = XCR_XFEATURE_ENABLED_MASK;
	xcrs->xcrs[0].value = vcpu->arch.xcr0;
}

/**
 * kvm_vcpu_ioctl_set_xcrs() - KVM_SET_XCRS
 * @vcpu:	the vCPU
 * @xcrs:	registers other than XCR0 are ignored
 *
 * Return: 0; -EINVAL if there is no XSAVE, for flags, a count above
 * KVM_MAX_XCRS, and an XCR0 that the guest's CPUID does not allow.
 */
int kvm_vcpu_ioctl_set_xcrs(struct kvm_vcpu *vcpu, const struct kvm_xcrs *xcrs)
{
	u32 i;

	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return -EINVAL;
	if (xcrs->nr_xcrs > KVM_MAX_XCRS || xcrs->flags)
		return -EINVAL;

	for (i = 0; i < xcrs->nr_xcrs; i++) {
		if (xcrs->xcrs[i].xcr != XCR_XFEATURE_ENABLED_MASK)
			continue;
		return kvm_set_xcr(vcpu, XCR_XFEATURE_ENABLED_MASK,
				   xcrs->xcrs[i].value) ? -EINVAL : 0;
	}
	return 0;
}

/* ---- the register ioctls ---- */

/**
 * kvm_xsave2_size() - what KVM_CAP_XSAVE2 reports
 *
 * Return: bytes of KVM_GET_XSAVE2's and KVM_SET_XSAVE's buffer, at least
 * sizeof(struct kvm_xsave).
 */
unsigned int kvm_xsave2_size(void)
{
	return max_t(u32, sizeof(struct kvm_xsave),
		     kvm_xstate_size(kvm_caps.supported_xcr0, false));
}

/**
 * kvm_vcpu_ioctl_get_xsave() - KVM_GET_XSAVE, KVM_GET_XSAVE2
 * @vcpu:	the vCPU, not in KVM_RUN
 * @state:	where to; wholly overwritten
 * @size:	its size, kvm_xsave2_size() or less
 *
 * Only components that the guest's CPUID has are named in the header, so that
 * the image can be set on a host that has just these.
 */
void kvm_vcpu_ioctl_get_xsave(struct kvm_vcpu *vcpu, void *state, unsigned int size)
{
	memset(state, 0, size);
	minikvm_fpstate_to_uabi(&vcpu->arch.guest_fpu, state, size,
				vcpu->arch.guest_supported_xcr0 | XFEATURE_MASK_FPSSE,
				vcpu->arch.pkru);
}

/**
 * kvm_vcpu_ioctl_set_xsave() - KVM_SET_XSAVE
 * @vcpu:	the vCPU, not in KVM_RUN
 * @state:	kvm_xsave2_size() bytes
 *
 * Return: 0; -EINVAL for a component that is not supported, reserved bits of
 * the header, and reserved bits of MXCSR.
 */
int kvm_vcpu_ioctl_set_xsave(struct kvm_vcpu *vcpu, const void *state)
{
	return fpu_copy_uabi_to_guest_fpstate(&vcpu->arch.guest_fpu, state,
					      kvm_caps.supported_xcr0,
					      &vcpu->arch.pkru);
}

/*
 * An XSAVE image of all that the guest's registers hold.  Return: a buffer to
 * kfree(), or NULL.
 */
static struct xregs_state *guest_xsave_image(struct kvm_vcpu *vcpu)
{
	unsigned int size = kvm_xsave2_size();
	struct xregs_state *image = kzalloc(size, GFP_KERNEL_ACCOUNT);

	if (image)
		minikvm_fpstate_to_uabi(&vcpu->arch.guest_fpu, image, size,
					kvm_caps.supported_xcr0 | XFEATURE_MASK_FPSSE,
					vcpu->arch.pkru);
	return image;
}

/**
 * kvm_vcpu_ioctl_get_fpu() - KVM_GET_FPU: the FXSAVE part alone
 * @vcpu:	the vCPU, not in KVM_RUN
 * @fpu:	where to; wholly overwritten
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_vcpu_ioctl_get_fpu(struct kvm_vcpu *vcpu, struct kvm_fpu *fpu)
{
	struct xregs_state *image = guest_xsave_image(vcpu);
	const struct fxregs_state *fx;

	if (!image)
		return -ENOMEM;

	fx = &image->i387;
	memset(fpu, 0, sizeof(*fpu));
	memcpy(fpu->fpr, fx->st_space, sizeof(fpu->fpr));
	fpu->fcw = fx->cwd;
	fpu->fsw = fx->swd;
	fpu->ftwx = fx->twd;
	fpu->last_opcode = fx->fop;
	fpu->last_ip = fx->rip;
	fpu->last_dp = fx->rdp;
	fpu->mxcsr = fx->mxcsr;
	memcpy(fpu->xmm, fx->xmm_space, sizeof(fpu->xmm));
	kfree(image);
	return 0;
}

/**
 * kvm_vcpu_ioctl_set_fpu() - KVM_SET_FPU
 * @vcpu:	the vCPU, not in KVM_RUN
 * @fpu:	x87 and SSE registers; all other components keep their values
 *
 * MXCSR is set too, and so is checked; Linux' own KVM ignores the field.
 *
 * Return: 0, -ENOMEM, or -EINVAL for reserved bits of MXCSR.
 */
int kvm_vcpu_ioctl_set_fpu(struct kvm_vcpu *vcpu, const struct kvm_fpu *fpu)
{
	struct xregs_state *image = guest_xsave_image(vcpu);
	struct fxregs_state *fx;
	int r;

	if (!image)
		return -ENOMEM;

	fx = &image->i387;
	memcpy(fx->st_space, fpu->fpr, sizeof(fpu->fpr));
	fx->cwd = fpu->fcw;
	fx->swd = fpu->fsw;
	fx->twd = fpu->ftwx;
	fx->fop = fpu->last_opcode;
	fx->rip = fpu->last_ip;
	fx->rdp = fpu->last_dp;
	fx->mxcsr = fpu->mxcsr;
	memcpy(fx->xmm_space, fpu->xmm, sizeof(fpu->xmm));
	image->header.xfeatures |= XFEATURE_MASK_FPSSE;

	r = fpu_copy_uabi_to_guest_fpstate(&vcpu->arch.guest_fpu, image,
					   kvm_caps.supported_xcr0 | XFEATURE_MASK_FPSSE,
					   &vcpu->arch.pkru);
	kfree(image);
	return r;
}

/* ---- vector registers, for the emulator ---- */

/* An instruction names its register, so each register is a piece of code. */
#define VECTOR_SWITCH(nr, before, after, ...)				\
	do {								\
		switch (nr) {						\
		case 0:							\
			asm volatile(before "0" after : __VA_ARGS__);	\
			break;						\
		case 1:							\
			asm volatile(before "1" after : __VA_ARGS__);	\
			break;						\
		case 2:							\
			asm volatile(before "2" after : __VA_ARGS__);	\
			break;						\
		case 3:							\
			asm volatile(before "3" after : __VA_ARGS__);	\
			break;						\
		case 4:							\
			asm volatile(before "4" after : __VA_ARGS__);	\
			break;						\
		case 5:							\
			asm volatile(before "5" after : __VA_ARGS__);	\
			break;						\
		case 6:							\
			asm volatile(before "6" after : __VA_ARGS__);	\
			break;						\
		case 7:							\
			asm volatile(before "7" after : __VA_ARGS__);	\
			break;						\
		case 8:							\
			asm volatile(before "8" after : __VA_ARGS__);	\
			break;						\
		case 9:							\
			asm volatile(before "9" after : __VA_ARGS__);	\
			break;						\
		case 10:						\
			asm volatile(before "10" after : __VA_ARGS__);	\
			break;						\
		case 11:						\
			asm volatile(before "11" after : __VA_ARGS__);	\
			break;						\
		case 12:						\
			asm volatile(before "12" after : __VA_ARGS__);	\
			break;						\
		case 13:						\
			asm volatile(before "13" after : __VA_ARGS__);	\
			break;						\
		case 14:						\
			asm volatile(before "14" after : __VA_ARGS__);	\
			break;						\
		case 15:						\
			asm volatile(before "15" after : __VA_ARGS__);	\
			break;						\
		}							\
	} while (0)

typedef struct { u8 b[16]; } xmm_t;
typedef struct { u8 b[32]; } ymm_t;

/* The guest's registers are in hardware, and stay there till fpregs_unlock(). */
static void guest_fpregs_lock(void)
{
	fpregs_lock();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
}

static bool host_has_ymm(void)
{
	return kvm_host_xcr0 & XFEATURE_MASK_YMM;
}

/**
 * kvm_read_vector_reg() - a guest's XMM or YMM register
 * @vcpu:	the vCPU, in KVM_RUN: its registers are this thread's
 * @nr:		0..15
 * @data:	where to
 * @size:	16, or 32; on a host without AVX the upper half reads as 0
 */
void kvm_read_vector_reg(struct kvm_vcpu *vcpu, unsigned int nr, void *data, unsigned int size)
{
	guest_fpregs_lock();
	if (size == sizeof(ymm_t) && host_has_ymm()) {
		VECTOR_SWITCH(nr, "vmovdqu %%ymm", ", %0", "=m" (*(ymm_t *)data));
	} else {
		memset(data, 0, size);
		VECTOR_SWITCH(nr, "movdqu %%xmm", ", %0", "+m" (*(xmm_t *)data));
	}
	fpregs_unlock();
}

/**
 * kvm_write_vector_reg() - set a guest's XMM or YMM register
 * @vcpu:	the vCPU, in KVM_RUN: its registers are this thread's
 * @nr:		0..15
 * @data:	the value
 * @size:	16 as an SSE instruction does it: bits 128 and up keep their
 *		values; 32 as an AVX instruction does it: bits 256 and up become 0
 */
void kvm_write_vector_reg(struct kvm_vcpu *vcpu, unsigned int nr, const void *data,
			  unsigned int size)
{
	guest_fpregs_lock();
	if (size == sizeof(ymm_t) && host_has_ymm())
		VECTOR_SWITCH(nr, "vmovdqu %0, %%ymm", "", : "m" (*(const ymm_t *)data));
	else
		VECTOR_SWITCH(nr, "movdqu %0, %%xmm", "", : "m" (*(const xmm_t *)data));
	fpregs_unlock();
}
