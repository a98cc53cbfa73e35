// SPDX-License-Identifier: GPL-2.0
/*
 * msr_test - model-specific registers, from the VMM and from the guest
 *
 * Guards: QEMU aborts unless each of the MSRs it writes is taken, so all are
 * tried; values the CPU would refuse are refused; the ioctls count exactly;
 * filters deny and allow what they say, also for MSRs that the guest otherwise
 * reaches without an exit; userspace can answer for an MSR.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"
#include "guest_msr.h"

#define EFER		0xc0000080
#define LSTAR		0xc0000082
#define FS_BASE		0xc0000100
#define KERNEL_GS	0xc0000102

FIXTURE(msr) {
	struct vm *vm;
	struct vcpu *vcpu;
	typeof(op) *op;
};

FIXTURE_SETUP(msr)
{
	self->vcpu = vm_long(guest_msr);
	self->vm = self->vcpu->vm;
	self->op = &GUEST_VAR(self->vm, op);
}

FIXTURE_TEARDOWN(msr)
{
	vm_free(self->vm);
}

/* --------------------------------------------- every one that QEMU writes */

/* index, a good value, a bad one (GOOD_ONLY: none is refused) */
#define GOOD_ONLY 0x5eed5eed5eed5eedULL
#define NONCANON 0x8000000000000000ULL

static const struct {
	u32 index;
	u64 good, bad;
	const char *name;
} msrs[] = {
	{ 0x174, 0x10, GOOD_ONLY, "SYSENTER_CS" },
	{ 0x175, 0x81001000, GOOD_ONLY, "SYSENTER_ESP" },	/* see svm_test */
	{ 0x176, 0x81002000, GOOD_ONLY, "SYSENTER_EIP" },
	{ 0x277, 0x0007010600070406, 0x0207010600070406, "PAT" },
	{ 0xc0000081, 0x0023001000000000, GOOD_ONLY, "STAR" },
	{ LSTAR, 0xffffffff81000000, NONCANON, "LSTAR" },
	{ 0xc0000083, 0xffffffff82000000, NONCANON, "CSTAR" },
	{ 0xc0000084, 0x47700, GOOD_ONLY, "FMASK" },
	{ FS_BASE, 0x7f0000001000, NONCANON, "FS_BASE" },
	{ 0xc0000101, 0xffff888000000000, NONCANON, "GS_BASE" },
	{ KERNEL_GS, 0xffff888000001000, NONCANON, "KERNEL_GS_BASE" },
	{ EFER, 0xd01, 1ULL << 20, "EFER" },
	{ 0x2ff, 0xc06, 0xc02, "MTRRdefType" },
	{ 0x2ff, 0xc00, 0x1c06, "MTRRdefType, reserved" },
	{ 0x250, 0x0606060606060606, 0x0606060606060602, "MTRRfix64K" },
	{ 0x258, 0x0505050505050505, 0x0707070707070707, "MTRRfix16K_80000" },
	{ 0x259, 0x0404040404040404, 0x0300000000000000, "MTRRfix16K_A0000" },
	{ 0x268, 0x0101010101010101, 0x0000000000000800, "MTRRfix4K_C0000" },
	{ 0x269, 0, 2, "MTRRfix4K_C8000" }, { 0x26a, 0, 2, "MTRRfix4K_D0000" },
	{ 0x26b, 0, 2, "MTRRfix4K_D8000" }, { 0x26c, 0, 2, "MTRRfix4K_E0000" },
	{ 0x26d, 0, 2, "MTRRfix4K_E8000" }, { 0x26e, 0, 2, "MTRRfix4K_F0000" },
	{ 0x26f, 6, 2, "MTRRfix4K_F8000" },
	{ 0x200, 0xc0000006, 0xc0000002, "MTRRphysBase0" },
	{ 0x200, 0xc0000000, 0x8000000000000000, "MTRRphysBase0, reserved" },
	{ 0x201, 0xfc0000800, 0x8000000000000800, "MTRRphysMask0" },
	{ 0x202, 0, 3, "MTRRphysBase1" }, { 0x203, 0x800, GOOD_ONLY, "MTRRphysMask1" },
	{ 0x20e, 6, 2, "MTRRphysBase7" }, { 0x20f, 0, GOOD_ONLY, "MTRRphysMask7" },
	{ 0x17a, 0, GOOD_ONLY, "MCG_STATUS" },
	{ 0x400, ~0ULL, 0x1234, "MC0_CTL" }, { 0x401, 0, GOOD_ONLY, "MC0_STATUS" },
	{ 0x402, 0x1000, GOOD_ONLY, "MC0_ADDR" }, { 0x403, 0x2000, GOOD_ONLY, "MC0_MISC" },
	{ 0x424, 0, 0x1234, "MC9_CTL" }, { 0x427, 0, GOOD_ONLY, "MC9_MISC" },
	{ 0x10, 0x123456789, GOOD_ONLY, "TSC" },
	{ 0x3b, 0x1000, GOOD_ONLY, "TSC_ADJUST" },
	{ 0x1a0, 1, GOOD_ONLY, "MISC_ENABLE" },
	{ 0x1b, 0xfee00900, 0x80000000fee00900, "APIC_BASE" },
	{ 0x11, 0, GOOD_ONLY, "KVM_WALL_CLOCK" },
	{ 0x12, 0, GOOD_ONLY, "KVM_SYSTEM_TIME" },
};

TEST_F(msr, set_and_get)
{
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
		u64 val = 0;

		EXPECT_EQ(1, vcpu_set_msr(self->vcpu, msrs[i].index, msrs[i].good))
			TH_LOG("%s = %#lx", msrs[i].name, msrs[i].good);
		EXPECT_EQ(1, vcpu_get_msr(self->vcpu, msrs[i].index, &val))
			TH_LOG("%s", msrs[i].name);
		if (msrs[i].index != 0x10 && msrs[i].index != 0x3b) {
			EXPECT_EQ(msrs[i].good, val)
				TH_LOG("%s", msrs[i].name);
		}
		if (msrs[i].bad == GOOD_ONLY)
			continue;
		EXPECT_EQ(0, vcpu_set_msr(self->vcpu, msrs[i].index, msrs[i].bad))
			TH_LOG("%s = %#lx", msrs[i].name, msrs[i].bad);
		EXPECT_EQ(1, vcpu_get_msr(self->vcpu, msrs[i].index, &val));
		EXPECT_EQ(msrs[i].good, val)
			TH_LOG("%s changed though refused", msrs[i].name);
	}
}

/* All 40 of the 10 banks that QEMU sets up, whatever KVM_CAP_MCE says. */
TEST_F(msr, mce_banks)
{
	for (u32 i = 0; i < 40; i++) {
		EXPECT_EQ(1, vcpu_set_msr(self->vcpu, 0x400 + i, 0))
			TH_LOG("MSR %#x", 0x400 + i);
	}
}

/* QEMU writes MCG_CTL after it set up MCE with it; a plain zero always goes. */
TEST_F(msr, mcg_ctl)
{
	u64 cap = 0x100010a;

	EXPECT_EQ(1, vcpu_set_msr(self->vcpu, 0x17b, 0));
	if (dev_cap(KVM_CAP_MCE) < 10)
		SKIP(return, "KVM_CAP_MCE is below 10 banks");
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_X86_SETUP_MCE, &cap));
	EXPECT_EQ(1, vcpu_set_msr(self->vcpu, 0x17b, ~0ULL));
	cap = 0x20;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_X86_SETUP_MCE, &(u64){ 0xff }));
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_X86_SETUP_MCE, &(u64){ 0 }));
}

/* ----------------------------------------------------------------- counting */

struct msr_buf {
	struct kvm_msrs head;
	struct kvm_msr_entry e[300];
};

TEST_F(msr, counts)
{
	static struct msr_buf m;
	u64 val;

	m.head.nmsrs = 4;
	m.e[0].index = 0x174;
	m.e[0].data = 0x11;
	m.e[1].index = LSTAR;
	m.e[1].data = 0x2222;
	m.e[2].index = 0xdeadbeef;
	m.e[3].index = 0x176;
	m.e[3].data = 0x4444;
	EXPECT_EQ(2, kioctlp(self->vcpu->fd, KVM_SET_MSRS, &m));
	EXPECT_EQ(1, vcpu_get_msr(self->vcpu, LSTAR, &val));
	EXPECT_EQ(0x2222, val);
	EXPECT_EQ(1, vcpu_get_msr(self->vcpu, 0x176, &val));
	EXPECT_EQ(0, val);
	EXPECT_EQ(2, kioctlp(self->vcpu->fd, KVM_GET_MSRS, &m));
	EXPECT_EQ(0x11, m.e[0].data);
	m.head.nmsrs = 0;
	EXPECT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_MSRS, &m));
	EXPECT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_MSRS, &m));
	m.head.nmsrs = 256;
	EXPECT_EQ(-E2BIG, kioctlp(self->vcpu->fd, KVM_GET_MSRS, &m));
	EXPECT_EQ(-E2BIG, kioctlp(self->vcpu->fd, KVM_SET_MSRS, &m));
	m.head.nmsrs = 0xffffffff;
	EXPECT_EQ(-E2BIG, kioctlp(self->vcpu->fd, KVM_SET_MSRS, &m));
	for (int i = 0; i < 255; i++)
		m.e[i].index = 0x174;
	m.head.nmsrs = 255;
	EXPECT_EQ(255, kioctlp(self->vcpu->fd, KVM_GET_MSRS, &m));
}

/* Every MSR of the list reads; what was read can be written. */
TEST_F(msr, index_list)
{
	static struct {
		struct kvm_msr_list head;
		u32 indices[600];
	} l;
	int dev = dev_open();

	l.head.nmsrs = 600;
	ASSERT_EQ(0, kioctlp(dev, KVM_GET_MSR_INDEX_LIST, &l));
	close(dev);
	for (u32 i = 0; i < l.head.nmsrs; i++) {
		u64 val;

		EXPECT_EQ(1, vcpu_get_msr(self->vcpu, l.indices[i], &val))
			TH_LOG("MSR %#x", l.indices[i]);
		/* Listed but refused without an irqchip, by the stock module. */
		if (dev_is_stock() && l.indices[i] >> 8 == 0x4b564d)
			continue;
		EXPECT_EQ(1, vcpu_set_msr(self->vcpu, l.indices[i], val))
			TH_LOG("MSR %#x = %#lx", l.indices[i], val);
	}
}

/* -------------------------------------------------------------- the guest */

static int guest_do(struct _test_data_msr *self, u32 index, bool write, u64 val)
{
	struct ucall uc;

	self->op->index = index;
	self->op->write = write;
	self->op->val = val;
	uc = vcpu_ucall(self->vcpu);
	if (uc.cmd != UCALL_SYNC)
		die("MSR %#x: ucall %u", index, uc.cmd);
	return self->op->vec;
}

static const struct {
	u32 index;
	u64 val;
	int vec;			/* of the write; -1: it reads back */
	const char *name;
} guest_ops[] = {
	{ 0x174, 0x33, -1, "SYSENTER_CS" },
	{ 0x175, 0x81003000, -1, "SYSENTER_ESP" },
	{ 0x176, 0x81004000, -1, "SYSENTER_EIP" },
	{ 0x277, 0x0001040600070406, -1, "PAT" },
	{ 0x277, 0x0000000000000003, 13, "PAT, type 3" },
	{ 0xc0000081, 0x1b000800000000, -1, "STAR" },
	{ LSTAR, 0xffffffff80000000, -1, "LSTAR" },
	{ 0xc0000084, 0x700, -1, "FMASK" },
	{ FS_BASE, 0x123456789000, -1, "FS_BASE" },
	{ KERNEL_GS, 0xffff800000005000, -1, "KERNEL_GS_BASE" },
	{ EFER, 0xd00, -1, "EFER without SCE" },
	{ EFER, 0xd01, -1, "EFER" },
	{ EFER, 1ULL << 40, 13, "EFER, reserved" },
	{ EFER, 0xc01, 13, "EFER, LME off with paging on" },
	{ 0x2ff, 0xc06, -1, "MTRRdefType" },
	{ 0x2ff, 0x3, 13, "MTRRdefType, type 3" },
	{ 0x200, 0x80000006, -1, "MTRRphysBase0" },
	{ 0x1b, 0xfee00900, -1, "APIC_BASE" },
	{ 0x1b, 0xfee00901, 13, "APIC_BASE, reserved" },
	{ 0xfe, 0x508, 13, "MTRRcap is read-only" },
	{ 0x179, 0, 13, "MCG_CAP is read-only" },
	{ 0x10000, 0, 13, "no such MSR" },
};

TEST_F(msr, guest_access)
{
	for (size_t i = 0; i < ARRAY_SIZE(guest_ops); i++) {
		u64 val;

		EXPECT_EQ(guest_ops[i].vec,
			  guest_do(self, guest_ops[i].index, true, guest_ops[i].val))
			TH_LOG("%s", guest_ops[i].name);
		if (guest_ops[i].vec != -1)
			continue;
		EXPECT_EQ(-1, guest_do(self, guest_ops[i].index, false, 0));
		EXPECT_EQ(guest_ops[i].val, self->op->val)
			TH_LOG("%s", guest_ops[i].name);
		/* The VMM sees the guest's value. */
		EXPECT_EQ(1, vcpu_get_msr(self->vcpu, guest_ops[i].index, &val));
		EXPECT_EQ(guest_ops[i].val, val)
			TH_LOG("%s, from outside", guest_ops[i].name);
	}
}

/* No exit: the CPU refuses these by itself. */
TEST_F(msr, guest_address_not_canonical)
{
	static const u32 list[] = { LSTAR, 0xc0000083, FS_BASE, 0xc0000101, KERNEL_GS };

	SKIP_ON_TCG("WRMSR takes any address");
	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		EXPECT_EQ(13, guest_do(self, list[i], true, NONCANON))
			TH_LOG("MSR %#x", list[i]);
	}
}

/* VMX has 64 bits of these, SVM 32 (APM 2, 6.1.2) unless the guest is an Intel one. */
TEST_F(msr, sysenter_width)
{
	u64 want = 0xffff800000001000, val;

	for (u32 i = 0x175; i < 0x177; i++) {
		EXPECT_EQ(1, vcpu_set_msr(self->vcpu, i, want));
		EXPECT_EQ(1, vcpu_get_msr(self->vcpu, i, &val));
		EXPECT_EQ(host_is_amd() ? (u32)want : want, val)
			TH_LOG("MSR %#x", i);
	}
}

/* The VMM's value is the guest's, also after the guest has run. */
TEST_F(msr, guest_sees_vmm_value)
{
	static const u32 list[] = {
		0x174, 0x175, 0x176, LSTAR, 0xc0000083, 0xc0000081, KERNEL_GS, FS_BASE,
	};

	for (int round = 1; round < 4; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
			u64 want = 0x1000 * round + i;

			ASSERT_EQ(1, vcpu_set_msr(self->vcpu, list[i], want));
			EXPECT_EQ(-1, guest_do(self, list[i], false, 0));
			EXPECT_EQ(want, self->op->val)
				TH_LOG("MSR %#x", list[i]);
		}
	}
}

/* SWAPGS and WRMSR agree about the two GS bases. */
ASM_GUEST(swapgs, "swapgs; mov $0xc0000101, %ecx; rdmsr; shl $32, %rdx; or %rdx, %rax\n"
	  "mov %rax, %rdi; mov $0xc0000102, %ecx; rdmsr; shl $32, %rdx; or %rdx, %rax\n"
	  "mov %rax, %rsi; swapgs\n" ASM_DONE);

TEST_F(msr, swapgs)
{
	struct ucall uc;

	vcpu_long(self->vcpu, swapgs);
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, KERNEL_GS, 0xffff800012345000));
	uc = vcpu_ucall(self->vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd);
	EXPECT_EQ(0xffff800012345000, uc.a);
	EXPECT_EQ(GPA_EXC, uc.b);
}

/* The SYSCALL instruction goes where the MSRs say, and back. */
ASM_GUEST(syscall_user, "mov $7, %edi; syscall; lea 1(%rdi), %rdi\n" ASM_DONE);
ASM_GUEST(syscall_entry, "add $100, %rdi; sysretq\n");

TEST_F(msr, syscall)
{
	struct kvm_sregs s;
	struct kvm_regs r;
	struct ucall uc;

	vcpu_long(self->vcpu, syscall_user);
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, 0xc0000081,
				  (u64)SEL_CODE64 << 32 | 0x23ULL << 48));
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, LSTAR, (u64)syscall_entry));
	ASSERT_EQ(1, vcpu_set_msr(self->vcpu, 0xc0000084, 0x200));
	vcpu_sregs(self->vcpu, &s);
	seg_set(&s.cs, SEL_UCODE, 11, 1, 0, 3);
	seg_set(&s.ss, SEL_UDATA, 3, 0, 1, 3);
	ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
	vcpu_regs(self->vcpu, &r);
	r.rflags = 0x3002;			/* IOPL 3 for the ucall */
	vcpu_set_regs(self->vcpu, &r);
	uc = vcpu_ucall(self->vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd);
	EXPECT_EQ(108, uc.a);
	vcpu_sregs(self->vcpu, &s);
	EXPECT_EQ(3, s.cs.dpl);
}

/* ------------------------------------------------------------------ filters */

static int set_filter(struct vm *vm, u32 flags, u32 rflags, u32 base, u32 n, u8 *bitmap)
{
	struct kvm_msr_filter f = { .flags = flags };

	if (n)
		f.ranges[0] = (struct kvm_msr_filter_range) {
			.flags = rflags, .base = base, .nmsrs = n, .bitmap = bitmap,
		};
	return kioctlp(vm->fd, KVM_X86_SET_MSR_FILTER, &f);
}

#define RW (KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)

TEST_F(msr, filter_bad)
{
	static u8 ones[KVM_MSR_FILTER_MAX_BITMAP_SIZE + 16];
	struct kvm_msr_filter f = { 0 };

	EXPECT_EQ(-EINVAL, set_filter(self->vm, 2, RW, 0x174, 8, ones));
	EXPECT_EQ(-EINVAL, set_filter(self->vm, 0, 4, 0x174, 8, ones));
	EXPECT_EQ(-EINVAL, set_filter(self->vm, 0, 0, 0x174, 8, ones));
	EXPECT_EQ(-EINVAL, set_filter(self->vm, 0, RW, 0x174,
				      KVM_MSR_FILTER_MAX_BITMAP_SIZE * 8 + 1, ones));
	/* Deny everything, with no range to allow anything. */
	EXPECT_EQ(-EINVAL, set_filter(self->vm, KVM_MSR_FILTER_DEFAULT_DENY, 0, 0, 0, NULL));
	EXPECT_EQ(-EFAULT, kioctlp(self->vm->fd, KVM_X86_SET_MSR_FILTER, 8));
	f.ranges[0] = (struct kvm_msr_filter_range) {
		.flags = RW, .base = 0x174, .nmsrs = 8, .bitmap = (u8 *)8,
	};
	EXPECT_EQ(-EFAULT, kioctlp(self->vm->fd, KVM_X86_SET_MSR_FILTER, &f));
	/* None of these took effect. */
	EXPECT_EQ(-1, guest_do(self, 0x174, true, 5));
}

TEST_F(msr, filter_denies)
{
	static const u32 list[] = { 0x174, FS_BASE, LSTAR, KERNEL_GS, 0x277, 0xc0000081 };

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		u8 none = 0;
		u64 val;

		EXPECT_EQ(-1, guest_do(self, list[i], false, 0));
		val = self->op->val;
		ASSERT_EQ(0, set_filter(self->vm, 0, RW, list[i], 1, &none));
		EXPECT_EQ(13, guest_do(self, list[i], false, 0))
			TH_LOG("MSR %#x, read", list[i]);
		EXPECT_EQ(13, guest_do(self, list[i], true, val))
			TH_LOG("MSR %#x, write", list[i]);
		/* Reads only: writes go. */
		ASSERT_EQ(0, set_filter(self->vm, 0, KVM_MSR_FILTER_READ, list[i], 1, &none));
		EXPECT_EQ(13, guest_do(self, list[i], false, 0));
		EXPECT_EQ(-1, guest_do(self, list[i], true, val));
		/* The VMM is not filtered. */
		EXPECT_EQ(1, vcpu_get_msr(self->vcpu, list[i], &val));
		ASSERT_EQ(0, set_filter(self->vm, 0, 0, 0, 0, NULL));
		EXPECT_EQ(-1, guest_do(self, list[i], false, 0))
			TH_LOG("MSR %#x, filter gone", list[i]);
	}
}

TEST_F(msr, filter_default_deny)
{
	u8 bits[2] = { 0x05, 0x01 };		/* base, base + 2, base + 8 */

	ASSERT_EQ(0, set_filter(self->vm, KVM_MSR_FILTER_DEFAULT_DENY, RW, 0x174, 16, bits));
	EXPECT_EQ(-1, guest_do(self, 0x174, false, 0));
	EXPECT_EQ(13, guest_do(self, 0x175, false, 0));
	EXPECT_EQ(-1, guest_do(self, 0x176, false, 0));
	EXPECT_EQ(13, guest_do(self, LSTAR, false, 0));
	EXPECT_EQ(13, guest_do(self, FS_BASE, false, 0));
	EXPECT_EQ(13, guest_do(self, 0x173, false, 0));
}

/* ------------------------------------------------------ answered by the VMM */

#define USER_MSR(w, want_reason) do {					\
	EXPECT_EXIT(self->vcpu, (w) ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR); \
	EXPECT_EQ((u32)(want_reason), (u32)self->vcpu->run->msr.reason);	\
	EXPECT_EQ(self->op->index, self->vcpu->run->msr.index);		\
} while (0)

static void ask(struct _test_data_msr *self, u32 index, bool write, u64 val)
{
	self->op->index = index;
	self->op->write = write;
	self->op->val = val;
}

TEST_F(msr, userspace_unknown)
{
	struct kvm_run *run = self->vcpu->run;
	struct ucall uc;

	ASSERT_EQ(0, vm_enable_cap(self->vm, KVM_CAP_X86_USER_SPACE_MSR,
				   KVM_MSR_EXIT_REASON_UNKNOWN));
	ask(self, 0xdead, false, 0);
	USER_MSR(false, KVM_MSR_EXIT_REASON_UNKNOWN);
	run->msr.data = 0x1234567890abcdef;
	run->msr.error = 0;
	uc = vcpu_ucall(self->vcpu);
	EXPECT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_EQ(-1, (int)uc.a);
	EXPECT_EQ(0x1234567890abcdef, uc.b);
	/* And refused by the VMM: #GP. */
	USER_MSR(false, KVM_MSR_EXIT_REASON_UNKNOWN);
	run->msr.error = 1;
	uc = vcpu_ucall(self->vcpu);
	EXPECT_EQ(13, (int)uc.a);
	/* Writes. */
	ask(self, 0xdead, true, 0xfedcba9876543210);
	USER_MSR(true, KVM_MSR_EXIT_REASON_UNKNOWN);
	EXPECT_EQ(0xfedcba9876543210, run->msr.data);
	run->msr.error = 0;
	EXPECT_EQ(-1, (int)vcpu_ucall(self->vcpu).a);
	USER_MSR(true, KVM_MSR_EXIT_REASON_UNKNOWN);
	run->msr.error = 1;
	EXPECT_EQ(13, (int)vcpu_ucall(self->vcpu).a);
	/* Only the reason that was asked for: a bad value is still a #GP. */
	ask(self, EFER, true, 1ULL << 40);
	EXPECT_EQ(13, (int)vcpu_ucall(self->vcpu).a);
}

TEST_F(msr, userspace_inval)
{
	ASSERT_EQ(0, vm_enable_cap(self->vm, KVM_CAP_X86_USER_SPACE_MSR,
				   KVM_MSR_EXIT_REASON_INVAL));
	ask(self, EFER, true, 1ULL << 40);
	USER_MSR(true, KVM_MSR_EXIT_REASON_INVAL);
	EXPECT_EQ(1ULL << 40, self->vcpu->run->msr.data);
	self->vcpu->run->msr.error = 0;
	EXPECT_EQ(-1, (int)vcpu_ucall(self->vcpu).a);
	ask(self, 0xdead, false, 0);
	EXPECT_EQ(13, (int)vcpu_ucall(self->vcpu).a);
}

TEST_F(msr, userspace_filter)
{
	u8 none = 0;

	ASSERT_EQ(0, vm_enable_cap(self->vm, KVM_CAP_X86_USER_SPACE_MSR,
				   KVM_MSR_EXIT_REASON_FILTER));
	ASSERT_EQ(0, set_filter(self->vm, 0, RW, FS_BASE, 1, &none));
	ask(self, FS_BASE, false, 0);
	USER_MSR(false, KVM_MSR_EXIT_REASON_FILTER);
	self->vcpu->run->msr.data = 0x77;
	self->vcpu->run->msr.error = 0;
	EXPECT_EQ(0x77, vcpu_ucall(self->vcpu).b);
	ask(self, FS_BASE, true, 0x88);
	USER_MSR(true, KVM_MSR_EXIT_REASON_FILTER);
	EXPECT_EQ(0x88, self->vcpu->run->msr.data);
	self->vcpu->run->msr.error = 1;
	EXPECT_EQ(13, (int)vcpu_ucall(self->vcpu).a);
	/* The capability off again: #GP, no exit. */
	ASSERT_EQ(0, vm_enable_cap(self->vm, KVM_CAP_X86_USER_SPACE_MSR, 0));
	EXPECT_EQ(13, (int)vcpu_ucall(self->vcpu).a);
}

TEST_HARNESS_MAIN
