// SPDX-License-Identifier: GPL-2.0
/*
 * cpuid_test - what the module says a guest has, and what the guest then sees
 *
 * Guards: the supported list is well formed and honest (what is listed works,
 * what cannot work is not listed); a guest sees exactly what its VMM set, but
 * for the bits that follow its own state (OSXSAVE, OSPKE, the XSAVE size).
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

TEST(supported_is_well_formed)
{
	struct cpuid_buf c;
	struct kvm_cpuid_entry2 *e;

	supported_cpuid(&c);
	for (u32 i = 0; i < c.head.nent; i++) {
		e = &c.e[i];
		EXPECT_EQ(0, e->padding[0] | e->padding[1] | e->padding[2]);
		EXPECT_EQ(0, e->flags & ~(u32)KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
		for (u32 j = 0; j < i; j++) {
			EXPECT_FALSE(c.e[j].function == e->function &&
				     c.e[j].index == e->index)
				TH_LOG("twice: %#x.%u", e->function, e->index);
		}
		if (e->function < 0x40000000)
			EXPECT_LE(e->function, c.e[0].eax);
	}
	ASSERT_NE(NULL, cpuid_find(&c, 0, 0));
	ASSERT_NE(NULL, cpuid_find(&c, 1, 0));
	e = cpuid_find(&c, 0x80000000, 0);
	ASSERT_NE(NULL, e);
	EXPECT_LE(0x80000008, e->eax);
	ASSERT_NE(NULL, cpuid_find(&c, 0x80000001, 0));
	ASSERT_NE(NULL, cpuid_find(&c, 0x80000008, 0));
}

/* A long mode guest of today needs these. */
TEST(long_mode_essentials)
{
	static const struct {
		u32 fn;
		char reg;
		int bit;
		const char *name;
	} need[] = {
		{ 1, 'd', 0, "FPU" }, { 1, 'd', 4, "TSC" }, { 1, 'd', 5, "MSR" },
		{ 1, 'd', 6, "PAE" }, { 1, 'd', 8, "CX8" }, { 1, 'd', 11, "SEP" },
		{ 1, 'd', 13, "PGE" }, { 1, 'd', 15, "CMOV" }, { 1, 'd', 16, "PAT" },
		{ 1, 'd', 24, "FXSR" }, { 1, 'd', 25, "SSE" }, { 1, 'd', 26, "SSE2" },
		{ 0x80000001, 'd', 11, "SYSCALL" }, { 0x80000001, 'd', 20, "NX" },
		{ 0x80000001, 'd', 29, "LM" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(need); i++) {
		EXPECT_TRUE(cpuid_has(need[i].fn, 0, need[i].reg, need[i].bit))
			TH_LOG("%s", need[i].name);
	}
}

/* What a guest cannot have here must not be claimed. */
TEST(honest)
{
	if (!dev_is_stock()) {
		EXPECT_FALSE(cpuid_has(1, 0, 'c', 5))
			TH_LOG("VMX");
		EXPECT_FALSE(cpuid_has(0x80000001, 0, 'c', 2))
			TH_LOG("SVM");
		EXPECT_FALSE(cpuid_has(1, 0, 'c', 3))
			TH_LOG("MONITOR");
	}
	EXPECT_FALSE(cpuid_has(1, 0, 'c', 6))
		TH_LOG("SMX");
	EXPECT_FALSE(cpuid_has(1, 0, 'd', 21))
		TH_LOG("DS");
	EXPECT_FALSE(cpuid_has(1, 0, 'd', 22))
		TH_LOG("ACPI thermal");
	/* XCR0 bits must be a legal set with x87. */
	struct cpuid_buf c;
	struct kvm_cpuid_entry2 *e;

	supported_cpuid(&c);
	e = cpuid_find(&c, 0xd, 0);
	if (cpuid_has(1, 0, 'c', 26)) {
		ASSERT_NE(NULL, e);
		EXPECT_EQ(1, e->eax & 1);
		if (e->eax & 4)
			EXPECT_EQ(3, e->eax & 3);
		EXPECT_EQ(!!(e->eax & 4), cpuid_has(1, 0, 'c', 28));
		EXPECT_LE(576, e->ecx);
	}
}

/* Every bit of the host's that is claimed is one the host really has. */
TEST(no_more_than_the_host)
{
	static const struct {
		u32 fn, index;
		int reg;
		u32 emulated;		/* KVM adds these by itself */
		const char *name;
	} words[] = {
		{ 1, 0, 3, 0, "1.EDX" },
		{ 1, 0, 2, 1u << 21 | 1u << 24 | 1u << 31, "1.ECX" },
		{ 7, 0, 1, 1u << 1, "7.EBX" },
		{ 0x80000001, 0, 3, 1u << 20 | 0x183f3ff, "80000001.EDX" },
	};
	struct cpuid_buf c;

	supported_cpuid(&c);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct kvm_cpuid_entry2 *e = cpuid_find(&c, words[i].fn, words[i].index);
		u32 host[4];

		if (!e)
			continue;
		asm volatile("cpuid" : "=a"(host[0]), "=b"(host[1]), "=c"(host[2]),
			     "=d"(host[3]) : "a"(words[i].fn), "c"(words[i].index));
		EXPECT_EQ(0, (&e->eax)[words[i].reg] & ~host[words[i].reg] &
			  ~words[i].emulated)
			TH_LOG("%s: claims %#x, host %#x", words[i].name,
			       (&e->eax)[words[i].reg], host[words[i].reg]);
	}
}

/* ------------------------------------------------------- the guest's view */

#define NLEAVES 128
static GUEST_DATA struct {
	u32 n;
	struct {
		u32 fn, index, r[4];
	} leaf[NLEAVES];
} ask = { .n = 1 };

static GUEST_FN void guest_cpuid(void)
{
	for (;;) {
		for (u32 i = 0; i < ask.n; i++)
			g_cpuid(ask.leaf[i].fn, ask.leaf[i].index, ask.leaf[i].r);
		g_ucall(UCALL_SYNC, 0, 0);
	}
}

TEST(guest_sees_what_was_set)
{
	struct vcpu *vcpu = vm_long(guest_cpuid);
	struct cpuid_buf c;
	typeof(ask) *a = &GUEST_VAR(vcpu->vm, ask);

	supported_cpuid(&c);
	a->n = c.head.nent < NLEAVES ? c.head.nent : NLEAVES;
	for (u32 i = 0; i < a->n; i++) {
		a->leaf[i].fn = c.e[i].function;
		a->leaf[i].index = c.e[i].index;
	}
	EXPECT_UCALL(vcpu, UCALL_SYNC);
	for (u32 i = 0; i < a->n; i++) {
		u32 skip_a = 0, skip_b = 0, skip_c = 0, skip_d = 0;

		/* These follow the guest's state; tested below. */
		if (c.e[i].function == 0x40000001)
			/* Only with an irqchip: #PF and EOI in PV ways, kicks, IPIs. */
			skip_a = 1u << 4 | 1u << 6 | 1u << 7 | 1u << 11 | 1u << 14;
		if (c.e[i].function == 1)
			skip_c = 1u << 27 | 1u << 3;
		if (c.e[i].function == 1)
			skip_b = 0xff000000;	/* APIC id */
		if (c.e[i].function == 1)
			skip_d = 1u << 9;	/* APIC: follows APIC_BASE */
		if (c.e[i].function == 7 && c.e[i].index == 0)
			skip_c = 1u << 4;
		if (c.e[i].function == 0xd)
			skip_b = -1u;
		if (c.e[i].function == 7 && c.e[i].index == 0)
			skip_b = 1u << 11 | 1u << 4;	/* TSX may be hidden by MSR */
		EXPECT_EQ(c.e[i].eax & ~skip_a, a->leaf[i].r[0] & ~skip_a)
			TH_LOG("%#x.%u EAX", c.e[i].function, c.e[i].index);
		EXPECT_EQ(c.e[i].ebx & ~skip_b, a->leaf[i].r[1] & ~skip_b)
			TH_LOG("%#x.%u EBX", c.e[i].function, c.e[i].index);
		EXPECT_EQ(c.e[i].ecx & ~skip_c, a->leaf[i].r[2] & ~skip_c)
			TH_LOG("%#x.%u ECX", c.e[i].function, c.e[i].index);
		EXPECT_EQ(c.e[i].edx & ~skip_d, a->leaf[i].r[3] & ~skip_d)
			TH_LOG("%#x.%u EDX", c.e[i].function, c.e[i].index);
	}
	vm_free(vcpu->vm);
}

static const struct kvm_cpuid_entry2 own[] = {
	{ .function = 0, .eax = 4, .ebx = 0x756e6547, .ecx = 0x6c65746e, .edx = 0x49656e69 },
	{ .function = 1, .eax = 0x12345, .edx = 0x078bfbff },
	{ .function = 4, .index = 0, .flags = 1, .eax = 0x40 },
	{ .function = 4, .index = 1, .flags = 1, .eax = 0x41 },
	{ .function = 0x40000000, .eax = 0x40000001, .ebx = 0x12121212 },
	{ .function = 0x40000001, .eax = 0x77 },
	{ .function = 0x80000000, .eax = 0x80000008 },
	{ .function = 0x80000001, .edx = 0x20100800 },
	{ .function = 0x80000008, .eax = 0x3024 },
};

/* A list of the VMM's own, with holes: subleaves, and what is out of range. */
TEST(own_list)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	struct cpuid_buf c = { .head.nent = ARRAY_SIZE(own) };
	typeof(ask) *a = &GUEST_VAR(vm, ask);
	static const struct {
		u32 fn, index;
	} q[] = {
		{ 4, 0 }, { 4, 1 }, { 4, 2 }, { 1, 77 }, { 0x40000000, 0 },
		{ 0x40000001, 0 }, { 3, 0 }, { 0x80000002, 0 },
	};

	memcpy(c.e, own, sizeof(own));
	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_SET_CPUID2, &c));
	vcpu_long(vcpu, guest_cpuid);
	a->n = ARRAY_SIZE(q);
	for (u32 i = 0; i < a->n; i++) {
		a->leaf[i].fn = q[i].fn;
		a->leaf[i].index = q[i].index;
	}
	EXPECT_UCALL(vcpu, UCALL_SYNC);
	EXPECT_EQ(0x40, a->leaf[0].r[0]);
	EXPECT_EQ(0x41, a->leaf[1].r[0]);
	EXPECT_EQ(0, a->leaf[2].r[0]);
	EXPECT_EQ(0x12345, a->leaf[3].r[0]);	/* no index in leaf 1 */
	EXPECT_EQ(0x12121212, a->leaf[4].r[1]);
	EXPECT_EQ(0x77, a->leaf[5].r[0]);
	EXPECT_EQ(0, a->leaf[6].r[0] | a->leaf[6].r[1] | a->leaf[6].r[2] | a->leaf[6].r[3]);
	EXPECT_EQ(0, a->leaf[7].r[0] | a->leaf[7].r[1] | a->leaf[7].r[2] | a->leaf[7].r[3]);
	vm_free(vm);
}

/* No CPUID set at all: the guest sees zeros, and lives. */
TEST(no_list)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	struct kvm_sregs s;
	struct kvm_regs r;

	/* Long mode needs CPUID's leave; real mode does not. */
	static const u8 code[] = { 0x66, 0x31, 0xc0, 0x0f, 0xa2, 0xf4 };

	memcpy(vm_ptr(vm, GPA_CODE), code, sizeof(code));
	vcpu_sregs(vcpu, &s);
	vcpu_real(vcpu, GPA_CODE >> 4, 0);
	EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
	vcpu_regs(vcpu, &r);
	EXPECT_EQ(0, r.rax | r.rbx | r.rcx | r.rdx);
	vm_free(vm);
}

/* ------------------------------------------------------ bits that move */

static GUEST_FN void guest_dynamic(void)
{
	u32 r[4];
	u64 cr4;

	g_cpuid(1, 0, r);
	g_ucall(UCALL_SYNC, r[2] >> 27 & 1, 0);
	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	asm volatile("mov %0, %%cr4" : : "r"(cr4 | 1 << 18));
	g_cpuid(1, 0, r);
	g_ucall(UCALL_SYNC, r[2] >> 27 & 1, 0);
	g_cpuid(0xd, 0, r);
	g_ucall(UCALL_SYNC, r[1], r[2]);
	asm volatile("xsetbv" : : "a"(3), "d"(0), "c"(0));
	g_cpuid(0xd, 0, r);
	g_ucall(UCALL_SYNC, r[1], r[2]);
	if (r[0] & 4) {
		asm volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
		g_cpuid(0xd, 0, r);
	}
	g_ucall(UCALL_SYNC, r[1], r[0] & 4);
	asm volatile("mov %0, %%cr4" : : "r"(cr4));
	g_cpuid(1, 0, r);
	g_ucall(UCALL_SYNC, r[2] >> 27 & 1, 0);
}

TEST(osxsave_and_xsave_size)
{
	struct vcpu *vcpu;
	struct ucall uc;

	if (!cpuid_has(1, 0, 'c', 26))
		SKIP(return, "no XSAVE in the guest's CPUID");
	vcpu = vm_long(guest_dynamic);
	uc = vcpu_ucall(vcpu);
	ASSERT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_EQ(0, uc.a);			/* OSXSAVE, CR4 clear */
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(1, uc.a);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(576, uc.a);			/* x87: legacy area and header */
	EXPECT_LE(576, uc.b);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(576, uc.a);
	uc = vcpu_ucall(vcpu);
	/* QEMU TCG: XSETBV does not exit from SVM, so KVM never knows of it. */
	if (uc.b && !host_is_tcg())
		EXPECT_EQ(832, uc.a);		/* and the upper halves of YMM */
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(0, uc.a);
	vm_free(vcpu->vm);
}

/* The VMM's own writes move the bit as well. */
TEST(osxsave_follows_set_sregs)
{
	struct vcpu *vcpu;
	struct kvm_sregs s;
	typeof(ask) *a;

	if (!cpuid_has(1, 0, 'c', 26))
		SKIP(return, "no XSAVE in the guest's CPUID");
	vcpu = vm_long(guest_cpuid);
	a = &GUEST_VAR(vcpu->vm, ask);
	a->leaf[0].fn = 1;
	for (int on = 1; on >= 0; on--) {
		vcpu_sregs(vcpu, &s);
		s.cr4 = on ? s.cr4 | 1 << 18 : s.cr4 & ~(1ULL << 18);
		ASSERT_EQ(0, vcpu_set_sregs(vcpu, &s));
		EXPECT_UCALL(vcpu, UCALL_SYNC);
		EXPECT_EQ((u32)on, a->leaf[0].r[2] >> 27 & 1);
	}
	vm_free(vcpu->vm);
}

/* CR4 bits are refused when CPUID lacks the feature. */
TEST(cr4_follows_cpuid)
{
	static const struct {
		int cr4_bit;
		u32 fn;
		int reg, bit;
		const char *name;
	} t[] = {
		{ 18, 1, 2, 26, "OSXSAVE" }, { 20, 7, 1, 7, "SMEP" },
		{ 21, 7, 1, 20, "SMAP" }, { 16, 7, 1, 0, "FSGSBASE" },
		{ 17, 1, 2, 17, "PCIDE" }, { 22, 7, 2, 3, "PKE" },
		{ 11, 7, 2, 2, "UMIP" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		for (int with = 0; with < 2; with++) {
			struct vm *vm = vm_new();
			struct vcpu *vcpu = vcpu_bare(vm, 0);
			struct kvm_cpuid_entry2 *e;
			struct kvm_sregs s;
			struct cpuid_buf c;

			supported_cpuid(&c);
			e = cpuid_find(&c, t[i].fn, 0);
			if (!e || !(*(&e->eax + t[i].reg) >> t[i].bit & 1)) {
				vm_free(vm);
				continue;
			}
			if (!with)
				*(&e->eax + t[i].reg) &= ~(1u << t[i].bit);
			ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_SET_CPUID2, &c));
			vcpu_long(vcpu, guest_cpuid);
			vcpu_sregs(vcpu, &s);
			s.cr4 |= 1ULL << t[i].cr4_bit;
			EXPECT_EQ(with ? 0 : -EINVAL, vcpu_set_sregs(vcpu, &s))
				TH_LOG("%s, CPUID %s it", t[i].name,
				       with ? "has" : "lacks");
			vm_free(vm);
		}
	}
}

TEST_HARNESS_MAIN
