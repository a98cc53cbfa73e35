// SPDX-License-Identifier: GPL-2.0
/*
 * vendor_test - where Intel's and AMD's CPUs differ in CPUID and MSRs
 *
 * Two kinds of difference.  Some registers exist on the CPUs of one maker alone: they
 * go with the module that runs, so these cases ask what the host is.  And some rules
 * follow the maker that the VMM named in the guest's CPUID: these run everywhere,
 * with the vendor string of the one and of the other.
 *
 * Guards: no register of the other maker's is listed, kept or answered; what the
 * feature MSRs say can be had is to be had; an AMD guest can be restored with what
 * its registers may hold; and nothing is shown that cannot be used.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"
#include "guest_msr.h"

#define FEAT_CTL	0x3a
#define SYSENTER_ESP	0x175
#define SPEC_CTRL	0x48
#define MCG_CAP		0x179
#define MC0_STATUS	0x401
#define EFER		0xc0000080
#define SFMASK		0xc0000084
#define TSC_AUX		0xc0000103
#define HWCR		0xc0010015
#define VM_CR		0xc0010114
#define VM_HSAVE_PA	0xc0010117
#define OSVW_LENGTH	0xc0010140
#define OSVW_STATUS	0xc0010141
#define LS_CFG		0xc0011020
#define IC_CFG		0xc0011021
#define DE_CFG		0xc0011029

#define TAKEN		-1
#define REFUSED		13

/* A guest's CPUID: the supported one, to be changed before it is set. */
static struct cpuid_buf cpuid;

static u32 *cpuid_reg(u32 fn, u32 index, int reg)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(&cpuid, fn, index);

	return e ? &e->eax + reg : NULL;
}

static void change(u32 fn, u32 index, int reg, u32 clear, u32 set)
{
	u32 *r = cpuid_reg(fn, index, reg);

	if (r)
		*r = (*r & ~clear) | set;
}

static void set_vendor(const char *name)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(&cpuid, 0, 0);

	memcpy(&e->ebx, name, 4);
	memcpy(&e->edx, name + 4, 4);
	memcpy(&e->ecx, name + 8, 4);
}

#define INTEL	"GenuineIntel"
#define AMD	"AuthenticAMD"
#define HYGON	"HygonGenuine"

FIXTURE(vendor) {
	struct vm *vm;
	struct vcpu *vcpu;
	typeof(op) *op;
};

FIXTURE_SETUP(vendor)
{
	self->vm = NULL;
	supported_cpuid(&cpuid);
}

FIXTURE_TEARDOWN(vendor)
{
	if (self->vm)
		vm_free(self->vm);
}

/* A fresh VM, whose guest has the CPUID as it is by now. */
static void start(struct _test_data_vendor *self, void *entry)
{
	int ret;

	if (self->vm)
		vm_free(self->vm);
	self->vm = vm_new();
	self->vcpu = vcpu_bare(self->vm, 0);
	ret = kioctlp(self->vcpu->fd, KVM_SET_CPUID2, &cpuid);
	if (ret)
		die("KVM_SET_CPUID2: %s", strerror(-ret));
	vcpu_long(self->vcpu, entry);
	self->op = &GUEST_VAR(self->vm, op);
}

static int guest_do(struct _test_data_vendor *self, u32 index, bool write, u64 val)
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

#define guest_read(self, index)		guest_do(self, index, false, 0)
#define guest_write(self, index, val)	guest_do(self, index, true, val)

/* --------------------------------------------- one maker's registers, by host */

static bool is_listed(unsigned long ioctl, u32 index)
{
	static struct {
		struct kvm_msr_list head;
		u32 indices[600];
	} list;
	int dev = dev_open();
	u32 i = 0;

	list.head.nmsrs = ARRAY_SIZE(list.indices);
	if (kioctlp(dev, ioctl, &list))
		die("the list of MSRs");
	close(dev);
	while (i < list.head.nmsrs && list.indices[i] != index)
		i++;
	return i < list.head.nmsrs;
}

/* Not all are there for a VMM either, so that a saved VM has none of the other's. */
TEST_F(vendor, registers_of_one_maker)
{
	static const struct {
		u32 index;
		bool intel, amd;
		const char *name;
	} regs[] = {
		{ FEAT_CTL, true, false, "FEAT_CTL" },
		{ VM_CR, false, true, "VM_CR" },
		{ DE_CFG, false, true, "DE_CFG" },
	};
	u64 val;

	start(self, guest_msr);
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
		bool there = host_is_amd() ? regs[i].amd : regs[i].intel;

		EXPECT_EQ(there ? TAKEN : REFUSED, guest_read(self, regs[i].index))
			TH_LOG("%s", regs[i].name);
		/*
		 * The stock module asks the CPU which registers there are, and on
		 * an emulator each can be read.
		 */
		if (dev_is_stock())
			continue;
		EXPECT_EQ(there, vcpu_get_msr(self->vcpu, regs[i].index, &val))
			TH_LOG("%s", regs[i].name);
	}
	EXPECT_EQ(host_is_amd(), is_listed(KVM_GET_MSR_FEATURE_INDEX_LIST, DE_CFG));
	if (dev_is_stock())
		return;
	EXPECT_EQ(!host_is_amd(), is_listed(KVM_GET_MSR_INDEX_LIST, FEAT_CTL));
	EXPECT_EQ(host_is_amd(), is_listed(KVM_GET_MSR_INDEX_LIST, VM_HSAVE_PA));
}

/* A kernel that found these would believe that it had switched a mitigation on. */
TEST_F(vendor, no_control_without_effect)
{
	start(self, guest_msr);
	EXPECT_EQ(REFUSED, guest_read(self, LS_CFG));
	EXPECT_EQ(REFUSED, guest_write(self, LS_CFG, 0));
	if (dev_is_stock())
		return;
	EXPECT_EQ(REFUSED, guest_read(self, SPEC_CTRL));
	EXPECT_EQ(REFUSED, guest_write(self, SPEC_CTRL, 0));
}

/* There is no SVM for a guest, but its registers keep what is written. */
TEST_F(vendor, svm_registers)
{
	u64 val;

	if (!host_is_amd())
		SKIP(return, "this host has no SVM");
	start(self, guest_msr);
	EXPECT_EQ(TAKEN, guest_write(self, VM_HSAVE_PA, 0x123000));
	EXPECT_EQ(TAKEN, guest_read(self, VM_HSAVE_PA));
	EXPECT_EQ(0x123000, self->op->val);
	EXPECT_EQ(1, vcpu_get_msr(self->vcpu, VM_HSAVE_PA, &val));
	EXPECT_EQ(0x123000, val);
	EXPECT_EQ(REFUSED, guest_write(self, VM_HSAVE_PA, 0x123001));
	EXPECT_EQ(REFUSED, guest_write(self, VM_HSAVE_PA, 1ULL << 52));
	EXPECT_EQ(TAKEN, guest_read(self, VM_HSAVE_PA));
	EXPECT_EQ(0x123000, self->op->val);

	EXPECT_EQ(REFUSED, guest_write(self, VM_CR, 0x20));
	EXPECT_EQ(TAKEN, guest_write(self, VM_CR, 0x1a));	/* off, and locked */
	EXPECT_EQ(TAKEN, guest_write(self, VM_CR, 0x0));
	EXPECT_EQ(TAKEN, guest_read(self, VM_CR));
	EXPECT_EQ(0x18, self->op->val);
}

/* What the feature MSR says is what a guest can set, and CPUID says it too. */
TEST_F(vendor, de_cfg)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry e;
	} m = { .head.nmsrs = 1, .e.index = DE_CFG };
	int dev = dev_open();
	struct kvm_cpuid_entry2 *facts = cpuid_find(&cpuid, 0x80000021, 0);

	if (!host_is_amd()) {
		EXPECT_EQ(0, kioctlp(dev, KVM_GET_MSRS, &m));
		close(dev);
		return;
	}
	ASSERT_EQ(1, kioctlp(dev, KVM_GET_MSRS, &m));
	close(dev);
	EXPECT_EQ(0, m.e.data & ~2ULL);
	if (facts)
		EXPECT_EQ(m.e.data >> 1 & 1, facts->eax >> 2 & 1);
	start(self, guest_msr);
	EXPECT_EQ(TAKEN, guest_write(self, DE_CFG, m.e.data));
	EXPECT_EQ(TAKEN, guest_read(self, DE_CFG));
	EXPECT_EQ(m.e.data, self->op->val);
	EXPECT_EQ(REFUSED, guest_write(self, DE_CFG, m.e.data | 1ULL << 9));
	EXPECT_EQ(TAKEN, guest_read(self, DE_CFG));
	EXPECT_EQ(m.e.data, self->op->val);
}

/* ---------------------------------------- rules that follow the guest's maker */

/* An AMD guest may write errors into its banks, if it says so before. */
TEST_F(vendor, mce_status)
{
	static const char *const names[] = { AMD, HYGON, INTEL };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int want = i < 2 ? TAKEN : REFUSED;
		u64 val;

		set_vendor(names[i]);
		start(self, guest_msr);
		EXPECT_EQ(REFUSED, guest_write(self, MC0_STATUS, 1))
			TH_LOG("%s", names[i]);
		EXPECT_EQ(TAKEN, guest_write(self, HWCR, 1 << 18));
		EXPECT_EQ(TAKEN, guest_read(self, HWCR));
		EXPECT_EQ(1 << 18, self->op->val);
		EXPECT_EQ(want, guest_write(self, MC0_STATUS, 1))
			TH_LOG("%s", names[i]);
		EXPECT_EQ(1, vcpu_get_msr(self->vcpu, MC0_STATUS, &val));
		EXPECT_EQ(want == TAKEN, val)
			TH_LOG("%s", names[i]);
		EXPECT_EQ(TAKEN, guest_write(self, MC0_STATUS, 0));
	}
}

/* On AMD's CPUs all but the banks and MCG_CTL_P is reserved. */
TEST_F(vendor, mcg_cap)
{
	for (int intel = 0; intel < 2; intel++) {
		u64 cap = 0x100010a;			/* and MCG_SER_P, as QEMU sets it */

		/* The stock module goes by the CPU below. */
		if (dev_is_stock() && intel == host_is_amd())
			continue;
		set_vendor(intel ? INTEL : AMD);
		start(self, guest_msr);
		ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_X86_SETUP_MCE, &cap));
		EXPECT_EQ(TAKEN, guest_read(self, MCG_CAP));
		EXPECT_EQ(intel ? cap : 0x10a, self->op->val);
	}
}

/* What kernels set as workarounds vanishes; what means something is refused. */
TEST_F(vendor, hwcr)
{
	start(self, guest_msr);
	EXPECT_EQ(TAKEN, guest_write(self, HWCR, 1 << 3 | 1 << 6 | 1 << 8));
	EXPECT_EQ(TAKEN, guest_read(self, HWCR));
	EXPECT_EQ(0, self->op->val);
	EXPECT_EQ(REFUSED, guest_write(self, HWCR, 1 << 0));	/* SmmLock */
	EXPECT_EQ(REFUSED, guest_write(self, HWCR, 1 << 30));	/* IRPerfEn */
	EXPECT_TRUE(is_listed(KVM_GET_MSR_INDEX_LIST, HWCR));
}

TEST_F(vendor, tsc_aux_upper_half)
{
	if (!cpuid_has(0x80000001, 0, 'd', 27))
		SKIP(return, "no RDTSCP in the guest's CPUID");
	for (int intel = 0; intel < 2; intel++) {
		set_vendor(intel ? INTEL : AMD);
		start(self, guest_msr);
		EXPECT_EQ(TAKEN, guest_write(self, TSC_AUX, 0x77));
		EXPECT_EQ(intel ? REFUSED : TAKEN,
			  guest_write(self, TSC_AUX, 0x1100000088ULL));
		EXPECT_EQ(TAKEN, guest_read(self, TSC_AUX));
		EXPECT_EQ(intel ? 0x77 : 0x88, self->op->val);
	}
}

/* A VMM can restore what an AMD guest may have there, and the next entry works. */
TEST_F(vendor, sysenter_not_canonical)
{
	u64 val;

	set_vendor(AMD);
	start(self, guest_msr);
	for (u32 i = SYSENTER_ESP; i < SYSENTER_ESP + 2; i++) {
		EXPECT_EQ(1, vcpu_set_msr(self->vcpu, i, 0x8000000012345678ULL));
		EXPECT_EQ(1, vcpu_get_msr(self->vcpu, i, &val));
		EXPECT_EQ(0x12345678, (u32)val);
	}
	EXPECT_EQ(TAKEN, guest_read(self, SYSENTER_ESP));
	EXPECT_EQ(0x12345678, (u32)self->op->val);
}

/* What a guest can get into the register without an exit, the VMM can put back. */
TEST_F(vendor, syscall_mask_upper_half)
{
	u64 val;

	start(self, guest_msr);
	guest_write(self, SFMASK, 0x1100000700ULL);
	ASSERT_EQ(1, vcpu_get_msr(self->vcpu, SFMASK, &val));
	EXPECT_EQ(1, vcpu_set_msr(self->vcpu, SFMASK, val));
	EXPECT_EQ(1, vcpu_set_msr(self->vcpu, SFMASK, 0x1100000700ULL));
}

/* Family 15h: the filter of the instruction cache is off already. */
TEST_F(vendor, ic_cfg)
{
	static const struct {
		const char *vendor;
		u32 signature;
		int vec;
		u64 val;
	} cpus[] = {
		{ AMD, 0x600f20, TAKEN, 0x1e },		/* Opteron_G5 */
		{ AMD, 0x610f01, TAKEN, 0x1e },
		{ AMD, 0x630f01, TAKEN, 0 },
		{ AMD, 0x600f12, TAKEN, 0 },		/* Opteron_G4: model 1 */
		{ AMD, 0x800f12, TAKEN, 0 },		/* EPYC */
		{ INTEL, 0x306c3, REFUSED, 0 },
	};

	/* The stock module has it for any guest, but on AMD's CPUs only. */
	if (dev_is_stock() && !host_is_amd())
		SKIP(return, "the stock module has no IC_CFG on Intel");
	for (size_t i = 0; i < ARRAY_SIZE(cpus) - dev_is_stock(); i++) {
		set_vendor(cpus[i].vendor);
		change(1, 0, 0, ~0U, cpus[i].signature);
		start(self, guest_msr);
		EXPECT_EQ(cpus[i].vec, guest_read(self, IC_CFG))
			TH_LOG("%s %#x", cpus[i].vendor, cpus[i].signature);
		if (cpus[i].vec == TAKEN)
			EXPECT_EQ(cpus[i].val, self->op->val)
				TH_LOG("%s %#x", cpus[i].vendor, cpus[i].signature);
		EXPECT_EQ(REFUSED, guest_write(self, IC_CFG, cpus[i].val));
	}
}

/* Timers that stop while the CPU sleeps (1, 2) are not the guest's trouble. */
TEST_F(vendor, osvw)
{
	change(0x80000001, 0, 2, 1 << 9, 0);
	start(self, guest_msr);
	EXPECT_EQ(REFUSED, guest_read(self, OSVW_LENGTH));
	EXPECT_EQ(REFUSED, guest_read(self, OSVW_STATUS));
	if (!cpuid_has(0x80000001, 0, 'c', 9))
		return;
	change(0x80000001, 0, 2, 0, 1 << 9);
	start(self, guest_msr);
	EXPECT_EQ(TAKEN, guest_read(self, OSVW_LENGTH));
	EXPECT_LE(3, self->op->val);
	EXPECT_EQ(TAKEN, guest_read(self, OSVW_STATUS));
	EXPECT_EQ(0, self->op->val & 6);
}

/* ------------------------------------------------------------------ EFER, CPUID */

/* Each bit of EFER is there with its CPUID bit, and no other is. */
TEST_F(vendor, efer_bits)
{
	static const struct {
		int bit;
		u32 fn;
		int reg, cpuid_bit;
	} bits[] = {
		{ 0, 0x80000001, 3, 11 },	/* SCE: SYSCALL */
		{ 11, 0x80000001, 3, 20 },	/* NXE */
		{ 14, 0x80000001, 3, 25 },	/* FFXSR */
		{ 21, 0x80000021, 0, 8 },	/* AutoIBRS */
	};
	u64 may = 0, base = 1 << 8 | 1 << 10;

	if (dev_is_stock())
		SKIP(return, "the stock module can nest SVM");
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		u32 *r = cpuid_reg(bits[i].fn, 0, bits[i].reg);

		if (r && *r >> bits[i].cpuid_bit & 1)
			may |= 1ULL << bits[i].bit;
	}
	may |= 1;			/* Intel's bit follows the mode, so EFER has it */
	start(self, guest_msr);
	for (int bit = 0; bit < 64; bit++) {
		if (base >> bit & 1)
			continue;
		EXPECT_EQ(may >> bit & 1 ? TAKEN : REFUSED,
			  guest_write(self, EFER, base | 1ULL << bit))
			TH_LOG("bit %d", bit);
	}
	for (size_t i = 1; i < ARRAY_SIZE(bits); i++) {
		change(bits[i].fn, 0, bits[i].reg, 1U << bits[i].cpuid_bit, 0);
		start(self, guest_msr);
		EXPECT_EQ(REFUSED, guest_write(self, EFER, base | 1ULL << bits[i].bit))
			TH_LOG("bit %d without CPUID", bits[i].bit);
	}
}

/* AMD's leaves go to 0x80000021 if there are any of the newer ones, and are honest. */
TEST_F(vendor, leaves)
{
	struct kvm_cpuid_entry2 *top = cpuid_find(&cpuid, 0x80000000, 0), *e;
	u32 last = 0;

	ASSERT_NE(NULL, top);
	if (top->eax >= 0x8000001d)
		EXPECT_LE(0x80000021, top->eax);
	for (u32 i = 0; i < cpuid.head.nent; i++)
		if (cpuid.e[i].function >> 31 && cpuid.e[i].function > last)
			last = cpuid.e[i].function;
	EXPECT_EQ(top->eax, last);
	if (dev_is_stock())
		return;
	/* Nested SVM, memory encryption, IBS, topology of the host: none. */
	static const u32 empty[] = { 0x8000000a, 0x8000001b, 0x8000001c, 0x8000001e,
				     0x8000001f, 0x80000020 };
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		e = cpuid_find(&cpuid, empty[i], 0);
		if (e)
			EXPECT_EQ(0, e->eax | e->ebx | e->ecx | e->edx)
				TH_LOG("%#x", empty[i]);
	}
	e = cpuid_find(&cpuid, 0x80000021, 0);
	if (e) {
		EXPECT_TRUE(e->eax & 1 << 9)
			TH_LOG("there is no SMM_CTL");
		EXPECT_EQ(0, e->ebx | e->ecx | e->edx);
	}
	/* SVM, IBS, SKINIT, WDT, LWP, performance counters, MWAITX. */
	e = cpuid_find(&cpuid, 0x80000001, 0);
	EXPECT_EQ(0, e->ecx & (1U << 2 | 1U << 10 | 1U << 12 | 1U << 13 | 1U << 15 |
			       1U << 23 | 1U << 24 | 1U << 28 | 1U << 29));
}

/* ------------------------------------------- instructions that CPUID takes away */

static GUEST_DATA int vectors[3];

static GUEST_FN void guest_instructions(void)
{
	u64 descriptor[2] = { 0, 0 };

	vectors[0] = G_TRY("rdtscp", : : "rax", "rcx", "rdx", "r11", "memory");
	vectors[1] = G_TRY("invpcid %0, %1", : "m"(descriptor), "r"(2UL) : "r11", "memory");
	/* RDPRU, which shows the host's clock rates. */
	vectors[2] = G_TRY(".byte 0x0f, 0x01, 0xfd", : "c"(0) : "rax", "rdx", "r11", "memory");
	g_done();
}

TEST_F(vendor, instructions)
{
	bool rdtscp = cpuid_has(0x80000001, 0, 'd', 27), invpcid = cpuid_has(7, 0, 'b', 10);
	int *vec;

	for (int on = 1; on >= 0; on--) {
		if (!on) {
			change(0x80000001, 0, 3, 1 << 27, 0);
			change(7, 0, 1, 1 << 10, 0);
			change(7, 0, 2, 1 << 22, 0);	/* RDPID goes with RDTSCP on VMX */
		}
		start(self, guest_instructions);
		vec = GUEST_VAR(self->vm, vectors);
		EXPECT_UCALL(self->vcpu, UCALL_DONE);
		/* QEMU TCG lacks this intercept. */
		if (on || !host_is_tcg())
			EXPECT_EQ(on && rdtscp ? TAKEN : 6, vec[0])
				TH_LOG("RDTSCP, CPUID bit %d", on && rdtscp);
		EXPECT_EQ(on && invpcid ? TAKEN : 6, vec[1])
			TH_LOG("INVPCID, CPUID bit %d", on && invpcid);
		EXPECT_EQ(6, vec[2])
			TH_LOG("RDPRU");
	}
}

TEST_HARNESS_MAIN
