// SPDX-License-Identifier: GPL-2.0
/*
 * fpu_test - x87, SSE and AVX registers of guests and of the VMM
 *
 * Guards: a guest's registers survive every exit, its neighbour and the VMM's
 * own use of the FPU; the VMM's survive the guest; a new vCPU sees no one
 * else's; KVM_SET_XSAVE takes what XRSTOR would and refuses the rest.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

#define AREA	4096			/* struct kvm_xsave */
#define XMM(i)	(160 + 16 * (i))
#define BV	512
#define YMM(i)	(576 + 16 * (i))

/*
 * The guest: on each turn write XMM0..15 and the x87 stack's top to memory at
 * RDI, load them from memory at RSI, and report.
 */
ASM_GUEST(fpu_guest,
	  "1: fxsave64 (%rdi)\n"
	  "mov $0x3e8, %edx; mov $2, %eax; out %eax, %dx\n"
	  "fxrstor64 (%rsi)\n"
	  "out %eax, %dx; jmp 1b\n");

FIXTURE(fpu) {
	struct vm *vm;
	struct vcpu *vcpu;
	u8 *out, *in;			/* what the guest had; what it loads */
};

static void set_up(struct vcpu *vcpu, void *code, u64 out, u64 in)
{
	struct kvm_regs r;

	vcpu_long(vcpu, code);
	vcpu_regs(vcpu, &r);
	r.rdi = out;
	r.rsi = in;
	vcpu_set_regs(vcpu, &r);
}

FIXTURE_SETUP(fpu)
{
	self->vm = vm_new();
	self->vcpu = vcpu_new(self->vm, 0);
	set_up(self->vcpu, fpu_guest, GPA_DATA, GPA_DATA + 0x1000);
	self->out = vm_ptr(self->vm, GPA_DATA);
	self->in = vm_ptr(self->vm, GPA_DATA + 0x1000);
}

FIXTURE_TEARDOWN(fpu)
{
	vm_free(self->vm);
}

static void fill_image(u8 *p, u32 seed)
{
	memset(p, 0, 512);
	p[0] = 0x7f;
	p[1] = 0x02;			/* FCW 0x27f */
	p[4] = 0xff;			/* all eight x87 registers in use */
	p[24] = 0x80;
	p[25] = 0x1f;			/* MXCSR 0x1f80 */
	for (int i = 0; i < 8; i++)
		memset(p + 32 + 16 * i, seed + i, 10);
	for (int i = 0; i < 256; i++)
		p[160 + i] = seed * 3 + i;
}

/* Dirty every vector register of the calling process. */
static void clobber_host(u64 seed)
{
	asm volatile("fninit; fldpi; fldpi\n\t"
		     "movq %0, %%xmm0; punpcklqdq %%xmm0, %%xmm0\n\t"
		     "movaps %%xmm0, %%xmm1; movaps %%xmm0, %%xmm2\n\t"
		     "movaps %%xmm0, %%xmm3; movaps %%xmm0, %%xmm4\n\t"
		     "movaps %%xmm0, %%xmm5; movaps %%xmm0, %%xmm6\n\t"
		     "movaps %%xmm0, %%xmm7; movaps %%xmm0, %%xmm8\n\t"
		     "movaps %%xmm0, %%xmm9; movaps %%xmm0, %%xmm10\n\t"
		     "movaps %%xmm0, %%xmm11; movaps %%xmm0, %%xmm12\n\t"
		     "movaps %%xmm0, %%xmm13; movaps %%xmm0, %%xmm14\n\t"
		     "movaps %%xmm0, %%xmm15; fninit"
		     : : "r"(seed)
		     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
		       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
		       "xmm13", "xmm14", "xmm15");
}

/* A new vCPU starts with the state of reset, and nothing of its VMM's. */
TEST_F(fpu, new_vcpu_is_clean)
{
	clobber_host(0x5ec2e75ec2e7);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	for (int i = 0; i < 256; i++) {
		ASSERT_EQ(0, self->out[160 + i])
			TH_LOG("XMM%d", i / 16);
	}
	for (int i = 0; i < 128; i++) {
		ASSERT_EQ(0, self->out[32 + i])
			TH_LOG("ST%d", i / 16);
	}
	EXPECT_EQ(0x1f80, *(u32 *)(self->out + 24));
	EXPECT_EQ(0, self->out[4]);
}

TEST_F(fpu, survives_exits_and_vmm)
{
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	for (u32 round = 1; round < 30; round++) {
		fill_image(self->in, round * 5);
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
		clobber_host(round * 0x1111111111111111ULL);
		if (round % 3 == 0)
			usleep(1000);		/* schedule away */
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
		ASSERT_EQ(0, memcmp(self->in + 160, self->out + 160, 256))
			TH_LOG("XMM, round %u", round);
		for (int i = 0; i < 8; i++) {
			ASSERT_EQ(0, memcmp(self->in + 32 + 16 * i, self->out + 32 + 16 * i, 10))
				TH_LOG("ST%d, round %u", i, round);
		}
		ASSERT_EQ(0x27f, *(u16 *)self->out);
	}
}

TEST_F(fpu, two_vcpus)
{
	struct vcpu *b = vcpu_new(self->vm, 1);
	u8 *out = vm_ptr(self->vm, GPA_DATA + 0x2000);
	u8 *in = vm_ptr(self->vm, GPA_DATA + 0x3000);

	set_up(b, fpu_guest, GPA_DATA + 0x2000, GPA_DATA + 0x3000);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_UCALL(b, UCALL_SYNC);
	for (u32 round = 1; round < 10; round++) {
		fill_image(self->in, round);
		fill_image(in, 200 - round);
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
		EXPECT_UCALL(b, UCALL_SYNC);
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
		EXPECT_UCALL(b, UCALL_SYNC);
		ASSERT_EQ(0, memcmp(self->in + 160, self->out + 160, 256));
		ASSERT_EQ(0, memcmp(in + 160, out + 160, 256));
	}
}

/* ------------------------------------------------------------ the VMM's own */

/* Load XMM0..15 and ST0, do one system call, store them. */
static long run_with_fpu(int fd, u8 *before, u8 *after)
{
	register long a2 asm("rdx") = 0;
	long ret;

	asm volatile("fxrstor64 (%[before])\n\t"
		     "syscall\n\t"
		     "fxsave64 (%[after])\n\t"
		     "fninit"
		     : "=a"(ret)
		     : "a"(SYS_ioctl), "D"((long)fd), "S"((long)KVM_RUN), "r"(a2),
		       [before] "r"(before), [after] "r"(after)
		     : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3",
		       "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
		       "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	return ret;
}

TEST_F(fpu, vmm_keeps_its_own)
{
	u8 before[512] __attribute__((aligned(16)));
	u8 after[512] __attribute__((aligned(16)));

	fill_image(self->in, 77);
	for (u32 round = 0; round < 10; round++) {
		fill_image(before, 3 + round);
		memset(after, 0, sizeof(after));
		ASSERT_EQ(0, run_with_fpu(self->vcpu->fd, before, after));
		ASSERT_EQ(KVM_EXIT_IO, self->vcpu->run->exit_reason);
		EXPECT_EQ(0, memcmp(before + 160, after + 160, 256))
			TH_LOG("XMM, round %u", round);
		for (int i = 0; i < 8; i++)
			EXPECT_EQ(0, memcmp(before + 32 + 16 * i, after + 32 + 16 * i, 10));
		EXPECT_EQ(0, memcmp(before, after, 5));
		EXPECT_EQ(0x1f80, *(u32 *)(after + 24));
	}
}

/* -------------------------------------------------------------- KVM_SET_XSAVE */

TEST_F(fpu, xsave_reaches_guest)
{
	u8 area[AREA] = { 0 }, back[AREA];

	fill_image(area, 9);
	area[BV] = 3;
	*(u32 *)(area + 24) = 0x9fc0;		/* FTZ, DAZ */
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_XSAVE, area));
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_XSAVE, back));
	EXPECT_EQ(0, memcmp(area + 160, back + 160, 256));
	EXPECT_EQ(3, back[BV] & 3);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	EXPECT_EQ(0, memcmp(area + 160, self->out + 160, 256));
	EXPECT_EQ(0x9fc0, *(u32 *)(self->out + 24));
	EXPECT_EQ(0x27f, *(u16 *)self->out);
	/* And back: what the guest loads is what the VMM reads. */
	fill_image(self->in, 100);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_XSAVE, back));
	EXPECT_EQ(0, memcmp(self->in + 160, back + 160, 256));
	/* A clear bit in XSTATE_BV means the state of reset. */
	area[BV] = 1;
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_XSAVE, area));
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	for (int i = 0; i < 256; i++)
		ASSERT_EQ(0, self->out[160 + i]);
}

TEST_F(fpu, xsave_refused)
{
	static const struct {
		const char *what;
		int at;
		u8 val;
	} bad[] = {
		{ "XSTATE_BV bit 63", BV + 7, 0x80 },
		{ "XSTATE_BV bit 40", BV + 5, 1 },
		{ "XCOMP_BV", BV + 8, 3 }, { "XCOMP_BV bit 63", BV + 15, 0x80 },
		{ "header byte 16", BV + 16, 1 }, { "header byte 63", BV + 63, 1 },
		{ "MXCSR bit 16", 26, 1 }, { "MXCSR bit 31", 27, 0x80 },
	};
	u8 good[AREA] = { 0 }, area[AREA], back[AREA];

	fill_image(good, 50);
	good[BV] = 3;
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_XSAVE, good));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		memcpy(area, good, AREA);
		memset(area + 160, 0xee, 256);
		area[bad[i].at] = bad[i].val;
		EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_XSAVE, area))
			TH_LOG("%s", bad[i].what);
		ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_XSAVE, back));
		EXPECT_EQ(0, memcmp(good + 160, back + 160, 256))
			TH_LOG("%s: something changed", bad[i].what);
	}
}

TEST_F(fpu, xsave2)
{
	int size = vm_cap(self->vm, KVM_CAP_XSAVE2);
	u8 *area = vm_anon(65536), back[AREA];

	if (!size)
		SKIP(return, "KVM_CAP_XSAVE2 is 0");
	EXPECT_LE(AREA, size);
	EXPECT_GE(65536, size);
	memset(area, 0x5a, 65536);
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_XSAVE2, area));
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_XSAVE, back));
	EXPECT_EQ(0, memcmp(area, back, AREA));
	EXPECT_EQ(0x5a, area[size]);		/* not a byte more */
}

/* The host's secrets must not be in the gaps of what the VMM reads. */
TEST_F(fpu, xsave_gaps_are_zero)
{
	u8 area[AREA];

	clobber_host(0xabcdefabcdef);
	memset(area, 0xff, AREA);
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_XSAVE, area));
	for (int i = BV + 16; i < BV + 64; i++)
		EXPECT_EQ(0, area[i]);
	for (int i = 2048; i < AREA; i++)
		ASSERT_EQ(0, area[i]);
}

/* ---------------------------------------------------------------------- AVX */

ASM_GUEST(avx_guest,
	  "mov %cr4, %rax; bts $18, %rax; mov %rax, %cr4\n"
	  "xor %ecx, %ecx; xor %edx, %edx; mov $7, %eax; xsetbv\n"
	  "1: vmovups %ymm0, (%rdi); vmovups %ymm9, 32(%rdi)\n"
	  "mov $0x3e8, %edx; mov $2, %eax; out %eax, %dx\n"
	  "vmovups (%rsi), %ymm0; vmovups 32(%rsi), %ymm9\n"
	  "out %eax, %dx; jmp 1b\n");

TEST_F(fpu, avx)
{
	struct kvm_xcrs x;
	u8 area[AREA];

	if (!cpuid_has(1, 0, 'c', 28))
		SKIP(return, "no AVX in the guest's CPUID");
	vcpu_will_set_xcr0(self->vcpu, 7);
	set_up(self->vcpu, avx_guest, GPA_DATA, GPA_DATA + 0x1000);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	for (int i = 0; i < 64; i++)
		EXPECT_EQ(0, self->out[i]);
	for (u32 round = 1; round < 6; round++) {
		for (int i = 0; i < 64; i++)
			self->in[i] = round * 40 + i;
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
		clobber_host(round);
		asm volatile("vzeroall" : : : "xmm0", "xmm1", "xmm2", "xmm3",
			     "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
			     "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
		ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_XSAVE, area));
		EXPECT_EQ(0, memcmp(area + YMM(0), self->in + 16, 16));
		EXPECT_EQ(0, memcmp(area + YMM(9), self->in + 48, 16));
		EXPECT_EQ(4, area[BV] & 4);
		EXPECT_UCALL(self->vcpu, UCALL_SYNC);
		EXPECT_EQ(0, memcmp(self->in, self->out, 64));
	}
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_XCRS, &x));
	EXPECT_EQ(7, x.xcrs[0].value);
	/* The VMM's upper halves reach the guest. */
	memset(area + YMM(9), 0x66, 16);
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_XSAVE, area));
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);	/* loads */
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	memset(area + YMM(9), 0x67, 16);
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_XSAVE, area));
	set_up(self->vcpu, avx_guest, GPA_DATA, GPA_DATA + 0x1000);
	EXPECT_UCALL(self->vcpu, UCALL_SYNC);
	for (int i = 48; i < 64; i++)
		EXPECT_EQ(0x67, self->out[i]);
}

/* A guest with a smaller XCR0 than the host's keeps the host's state whole. */
ASM_GUEST(xcr0_guest,
	  "mov %cr4, %rax; bts $18, %rax; mov %rax, %cr4\n"
	  "xor %ecx, %ecx; xor %edx, %edx; mov $1, %eax; xsetbv\n"
	  "1: mov $0x3e8, %edx; mov $2, %eax; out %eax, %dx; jmp 1b\n");

TEST_F(fpu, small_xcr0)
{
	u8 before[64], after[64];

	if (!cpuid_has(1, 0, 'c', 28))
		SKIP(return, "no AVX in the guest's CPUID");
	set_up(self->vcpu, xcr0_guest, GPA_DATA, GPA_DATA);
	for (int i = 0; i < 64; i++)
		before[i] = i + 1;
	for (int round = 0; round < 5; round++) {
		register long a2 asm("rdx") = 0;
		long ret;

		asm volatile("vmovups (%[b]), %%ymm6; vmovups 32(%[b]), %%ymm15\n\t"
			     "syscall\n\t"
			     "vmovups %%ymm6, (%[a]); vmovups %%ymm15, 32(%[a]); vzeroupper"
			     : "=a"(ret)
			     : "a"(SYS_ioctl), "D"((long)self->vcpu->fd),
			       "S"((long)KVM_RUN), "r"(a2), [b] "r"(before), [a] "r"(after)
			     : "rcx", "r11", "memory", "xmm6", "xmm15");
		ASSERT_EQ(0, ret);
		EXPECT_EQ(0, memcmp(before, after, 64));
	}
}

/* --------------------------------------------------------------------- PKRU */

ASM_GUEST(pkru_guest,
	  "mov %cr4, %rax; bts $22, %rax; mov %rax, %cr4\n"
	  "xor %ecx, %ecx; xor %edx, %edx; mov $0xfffffffc, %eax; wrpkru\n"
	  "1: xor %ecx, %ecx; rdpkru; mov %rax, %rdi; mov $0x3e8, %edx; mov $2, %eax\n"
	  "out %eax, %dx; jmp 1b\n");

TEST_F(fpu, pkru)
{
	if (!cpuid_has(7, 0, 'c', 3))
		SKIP(return, "no protection keys in the guest's CPUID");
	vcpu_long(self->vcpu, pkru_guest);
	for (int i = 0; i < 4; i++) {
		struct ucall uc = vcpu_ucall(self->vcpu);

		EXPECT_EQ(UCALL_SYNC, uc.cmd);
		EXPECT_EQ(0xfffffffc, uc.a);
	}
}

TEST_HARNESS_MAIN
