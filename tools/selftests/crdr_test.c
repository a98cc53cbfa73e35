// SPDX-License-Identifier: GPL-2.0
/*
 * crdr_test - instructions on control and debug registers, by every encoding
 *
 * Guards: MOV to and from CR0, 2, 3, 4, 8 and DR0-7 with each general register, in
 * real, protected and long mode; CLTS, LMSW and SMSW with registers, memory and
 * devices; the faults of all of them; DR4 and DR5; KVM_EXIT_SET_TPR.  Hardware that
 * tells an exit's operands (VMX, SVM with decode assists) and hardware that does
 * not, so that the instruction is emulated, must do the same.
 *
 * Each case is a few bytes of code with a HLT behind, made here and run from a state
 * that is set with ioctls; what it did is read back with ioctls.
 */
#include <cpuid.h>
#include <kselftest_harness.h>

#include "minikvm_util.h"

#define HLT_REACHED	-1
#define OTHER_EXIT	-2
#define DR6_FIXED	0xffff0ff0ULL

enum mode { REAL, PROT, LONG, NR_MODES };

static const char *const mode_names[NR_MODES] = { "real", "protected", "long" };

FIXTURE(crdr) {
	struct vm *vm;
	struct vcpu *vcpu;
};

FIXTURE_SETUP(crdr)
{
	self->vm = vm_new();
	self->vcpu = vcpu_new(self->vm, 0);
}

FIXTURE_TEARDOWN(crdr)
{
	vm_free(self->vm);
}

/*
 * QEMU's TCG as the host's CPU does not know all faults: where the hypervisor does
 * not intercept an instruction, it cannot help that.
 */
static bool on_tcg(void)
{
	u32 max, name[3];

	__cpuid(0x40000000, max, name[0], name[1], name[2]);
	return !memcmp(name, "TCGTCGTCGTCG", sizeof(name));
}

/* ---- running a few bytes ---- */

struct insn {
	u8 bytes[15];
	unsigned int len;
};

#define INSN(...) ((struct insn){ .bytes = { __VA_ARGS__ },		\
				  .len = sizeof((u8[]){ __VA_ARGS__ }) })

static void start(struct vcpu *vcpu, enum mode mode, struct insn insn)
{
	u8 *code = vm_ptr(vcpu->vm, GPA_CODE);

	memcpy(code, insn.bytes, insn.len);
	code[insn.len] = 0xf4;
	if (mode == REAL)
		vcpu_real(vcpu, GPA_CODE >> 4, 0);
	else if (mode == PROT)
		vcpu_prot32(vcpu, GPA_CODE);
	else
		vcpu_long(vcpu, (void *)GPA_CODE);
}

/* HLT_REACHED, or the vector of an exception. */
static int outcome(struct vcpu *vcpu, enum mode mode)
{
	struct kvm_run *run = vcpu->run;

	if (run->exit_reason == KVM_EXIT_HLT)
		return HLT_REACHED;
	if (run->exit_reason != KVM_EXIT_IO)
		return OTHER_EXIT;
	if (mode != LONG)
		return vcpu_stub_vector(vcpu);
	return run->io.port == UCALL_PORT ? (int)vcpu->exc->vector : OTHER_EXIT;
}

static int run(struct vcpu *vcpu, enum mode mode)
{
	vcpu_exit(vcpu);
	return outcome(vcpu, mode);
}

static u64 rip_after(enum mode mode, struct insn insn)
{
	return (mode == REAL ? 0 : GPA_CODE) + insn.len + 1;
}

/* A general register by its number in encodings. */
static __u64 *gpr(struct kvm_regs *r, unsigned int nr)
{
	__u64 *const where[16] = {
		&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
		&r->r8, &r->r9, &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15,
	};

	return where[nr];
}

static void set_gpr(struct vcpu *vcpu, unsigned int nr, u64 val)
{
	struct kvm_regs r;

	vcpu_regs(vcpu, &r);
	*gpr(&r, nr) = val;
	vcpu_set_regs(vcpu, &r);
}

static u64 get_gpr(struct vcpu *vcpu, unsigned int nr)
{
	struct kvm_regs r;

	vcpu_regs(vcpu, &r);
	return *gpr(&r, nr);
}

/* ---- control and debug registers from outside ---- */

/* Registers to be tried: control registers, and debug registers from DR(0) on. */
#define DR(n)		(0x10 + (n))
#define IS_DR(reg)	((reg) & 0x10)
#define NR(reg)		((reg) & 0xf)

static __u64 *field(unsigned int reg, struct kvm_sregs *s, struct kvm_debugregs *d)
{
	switch (reg) {
	case 0:
		return &s->cr0;
	case 2:
		return &s->cr2;
	case 3:
		return &s->cr3;
	case 4:
		return &s->cr4;
	case 8:
		return &s->cr8;
	case DR(4):
	case DR(6):
		return &d->dr6;
	case DR(5):
	case DR(7):
		return &d->dr7;
	default:
		return &d->db[NR(reg)];
	}
}

static u64 get_reg(struct vcpu *vcpu, unsigned int reg)
{
	struct kvm_debugregs d;
	struct kvm_sregs s;

	vcpu_sregs(vcpu, &s);
	if (kioctlp(vcpu->fd, KVM_GET_DEBUGREGS, &d))
		die("KVM_GET_DEBUGREGS");
	return *field(reg, &s, &d);
}

static void set_reg(struct vcpu *vcpu, unsigned int reg, u64 val)
{
	struct kvm_debugregs d;
	struct kvm_sregs s;

	vcpu_sregs(vcpu, &s);
	if (kioctlp(vcpu->fd, KVM_GET_DEBUGREGS, &d))
		die("KVM_GET_DEBUGREGS");
	*field(reg, &s, &d) = val;
	/* kvm_run has the last word on CR8. */
	vcpu->run->cr8 = s.cr8;
	if (vcpu_set_sregs(vcpu, &s) || kioctlp(vcpu->fd, KVM_SET_DEBUGREGS, &d))
		die("register %#x = %#llx", reg, (unsigned long long)val);
}

/* ---- MOV, each register with each ---- */

static struct insn encode_mov(enum mode mode, unsigned int reg, unsigned int g, bool to_reg)
{
	struct insn insn = {};
	u8 *b = insn.bytes;

	if (mode == LONG && (NR(reg) > 7 || g > 7))
		*b++ = 0x40 | (NR(reg) > 7) << 2 | g >> 3;
	*b++ = 0x0f;
	*b++ = 0x20 | to_reg << 1 | !!IS_DR(reg);
	*b++ = 0xc0 | (NR(reg) & 7) << 3 | (g & 7);
	insn.len = b - insn.bytes;
	return insn;
}

/* A value that does no harm and is not the one that is there. */
static u64 other_value(enum mode mode, unsigned int reg, u64 old, unsigned int g)
{
	u64 width = mode == LONG ? ~0ULL : 0xffffffff;

	switch (reg) {
	case 0:
		return old ^ 0x22;		/* NE, MP */
	case 2:
		return (0x123456789abcd000 + g) & width;
	case 3:
		return mode == LONG ? old ^ 0x18 : 0x5000 + (g << 12);
	case 4:
		return old ^ 0x204;		/* OSFXSR, TSD */
	case 8:
		return 15 - g % 8;
	case DR(4):
	case DR(6):
		return DR6_FIXED | (1 + g % 15);
	case DR(5):
	case DR(7):
		return 0x00000700 + g * 0x110000;	/* GE, LE, fixed one; R/W and LEN */
	default:
		return (0x7ffe12340000 + (g << 8)) & width;
	}
}

/* What is wrong with `mov gpr, reg` and `mov reg, gpr`, or NULL. */
static const char *try_mov(struct vcpu *vcpu, enum mode mode, unsigned int reg, unsigned int g)
{
	struct insn to = encode_mov(mode, reg, g, true), from = encode_mov(mode, reg, g, false);
	struct kvm_regs before, after;
	u64 val;

	start(vcpu, mode, to);
	set_reg(vcpu, 8, 0);
	val = other_value(mode, reg, get_reg(vcpu, reg), g);
	set_gpr(vcpu, g, val);
	vcpu_regs(vcpu, &before);
	if (run(vcpu, mode) != HLT_REACHED)
		return "write: no HLT";
	vcpu_regs(vcpu, &after);
	before.rip = rip_after(mode, to);
	if (memcmp(&before, &after, sizeof(after)))
		return "write: registers";
	if (get_reg(vcpu, reg) != val)
		return "write: value";

	start(vcpu, mode, from);
	set_reg(vcpu, reg, val);
	set_gpr(vcpu, g, 0x5a5a5a5a);
	vcpu_regs(vcpu, &before);
	if (run(vcpu, mode) != HLT_REACHED)
		return "read: no HLT";
	vcpu_regs(vcpu, &after);
	before.rip = rip_after(mode, from);
	*gpr(&before, g) = val;
	return memcmp(&before, &after, sizeof(after)) ? "read: registers" : NULL;
}

static const unsigned int all_regs[] = {
	0, 2, 3, 4, 8, DR(0), DR(1), DR(2), DR(3), DR(4), DR(5), DR(6), DR(7),
};

static int try_all(struct vcpu *vcpu, enum mode mode, bool drs_only)
{
	unsigned int i, g, reg, gprs = mode == LONG ? 16 : 8;
	const char *wrong;
	int bad = 0;

	for (i = 0; i < ARRAY_SIZE(all_regs); i++) {
		reg = all_regs[i];
		if ((reg == 8 && mode != LONG) || (drs_only && !IS_DR(reg)))
			continue;
		for (g = 0; g < gprs; g++) {
			wrong = try_mov(vcpu, mode, reg, g);
			if (!wrong)
				continue;
			fprintf(stderr, "# %s mode, %s%u, register %u: %s\n", mode_names[mode],
				IS_DR(reg) ? "DR" : "CR", NR(reg), g, wrong);
			bad++;
		}
	}
	return bad;
}

TEST_F(crdr, mov_real)
{
	EXPECT_EQ(0, try_all(self->vcpu, REAL, false));
}

TEST_F(crdr, mov_protected)
{
	EXPECT_EQ(0, try_all(self->vcpu, PROT, false));
}

TEST_F(crdr, mov_long)
{
	EXPECT_EQ(0, try_all(self->vcpu, LONG, false));
}

/* A debugger watches: now each MOV DR is KVM's to carry out. */
TEST_F(crdr, mov_dr_with_debugger)
{
	struct kvm_guest_debug d = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP };

	for (enum mode mode = REAL; mode < NR_MODES; mode++) {
		start(self->vcpu, mode, INSN(0x90));
		ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_GUEST_DEBUG, &d));
		EXPECT_EQ(0, try_all(self->vcpu, mode, true));
	}
}

/* ---- CLTS, LMSW, SMSW ---- */

/* The operand is RAX, or in memory at [RDI]. */
struct msw_case {
	const char *name;
	struct insn insn;
	unsigned int modes;		/* bits of enum mode */
	u64 set, clear;			/* in CR0, before */
	u64 rax;
	u64 cr0_set, cr0_clear;		/* what it does to CR0 */
};

#define ALL	7		/* modes */

static const struct msw_case msw_cases[] = {
	{ "CLTS", { { 0x0f, 0x06 }, 2 }, ALL, .set = 8, .cr0_clear = 8 },
	{ "CLTS, TS is clear", { { 0x0f, 0x06 }, 2 }, ALL, .clear = 8 },
	{ "LMSW sets MP, EM, TS", { { 0x0f, 0x01, 0xf0 }, 3 }, 1 << PROT | 1 << LONG,
	  .clear = 0xe, .rax = 0xfffe, .cr0_set = 0xe },
	{ "LMSW clears MP, EM, TS, not PE", { { 0x0f, 0x01, 0xf0 }, 3 }, 1 << PROT | 1 << LONG,
	  .set = 0xe, .rax = 0, .cr0_clear = 0xe },
	{ "LMSW in real mode", { { 0x0f, 0x01, 0xf0 }, 3 }, 1 << REAL, .rax = 0xfff6,
	  .cr0_set = 6 },
	{ "LMSW sets PE", { { 0x0f, 0x01, 0xf0 }, 3 }, 1 << REAL, .rax = 1, .cr0_set = 1 },
	{ "LMSW m16", { { 0x0f, 0x01, 0x37 }, 3 }, 1 << PROT | 1 << LONG, .clear = 0xe,
	  .rax = 0xa, .cr0_set = 0xa },
	{ "LMSW m16, 32-bit address", { { 0x67, 0x0f, 0x01, 0x37 }, 4 }, 1 << REAL | 1 << LONG,
	  .clear = 0xe, .rax = 0xb, .cr0_set = 0xb },
};

TEST_F(crdr, clts_and_lmsw)
{
	struct vcpu *vcpu = self->vcpu;

	for (size_t i = 0; i < ARRAY_SIZE(msw_cases) * NR_MODES; i++) {
		const struct msw_case *t = &msw_cases[i / NR_MODES];
		enum mode mode = i % NR_MODES;
		u64 cr0;

		if (!(t->modes & 1 << mode))
			continue;
		start(vcpu, mode, t->insn);
		cr0 = (get_reg(vcpu, 0) | t->set) & ~t->clear;
		set_reg(vcpu, 0, cr0);
		set_gpr(vcpu, 0, t->rax);
		set_gpr(vcpu, 7, 0x8f00);
		*(u16 *)vm_ptr(self->vm, 0x8f00) = t->rax;
		cr0 = (cr0 | t->cr0_set) & ~t->cr0_clear;
		EXPECT_EQ(HLT_REACHED, run(vcpu, mode))
			TH_LOG("%s, %s mode", t->name, mode_names[mode]);
		EXPECT_EQ(cr0, get_reg(vcpu, 0))
			TH_LOG("%s, %s mode", t->name, mode_names[mode]);
	}
}

TEST_F(crdr, smsw)
{
	static const struct {
		struct insn insn;
		u64 mask[NR_MODES];	/* of RAX, that the instruction writes */
	} rows[] = {
		{ { { 0x0f, 0x01, 0xe0 }, 3 }, { 0xffff, 0xffffffff, ~0ULL } },
		{ { { 0x66, 0x0f, 0x01, 0xe0 }, 4 }, { 0xffffffff, 0xffff, 0xffff } },
		{ { { 0x48, 0x0f, 0x01, 0xe0 }, 4 }, { 0, 0, ~0ULL } },
	};
	struct vcpu *vcpu = self->vcpu;

	for (size_t i = 0; i < ARRAY_SIZE(rows) * NR_MODES; i++) {
		enum mode mode = i % NR_MODES;
		u64 mask = rows[i / NR_MODES].mask[mode], cr0;

		if (!mask)
			continue;
		start(vcpu, mode, rows[i / NR_MODES].insn);
		cr0 = get_reg(vcpu, 0) | 0xa;
		set_reg(vcpu, 0, cr0);
		set_gpr(vcpu, 0, 0x77777777);
		EXPECT_EQ(HLT_REACHED, run(vcpu, mode));
		EXPECT_EQ((cr0 & mask) | (0x77777777 & ~mask), get_gpr(vcpu, 0))
			TH_LOG("row %zu, %s mode", i / NR_MODES, mode_names[mode]);
	}
	/* To memory 16 bits. */
	for (enum mode mode = REAL; mode < NR_MODES; mode++) {
		u32 *mem = vm_ptr(self->vm, 0x8f00);

		start(vcpu, mode, mode == REAL ? INSN(0x67, 0x0f, 0x01, 0x27) :
						 INSN(0x0f, 0x01, 0x27));
		set_gpr(vcpu, 7, 0x8f00);
		*mem = 0x77777777;
		EXPECT_EQ(HLT_REACHED, run(vcpu, mode));
		EXPECT_EQ(0x77770000 | (get_reg(vcpu, 0) & 0xffff), *mem);
	}
}

/* From and to a device: an exit to userspace in the middle. */
TEST_F(crdr, msw_and_devices)
{
	struct vcpu *vcpu = self->vcpu;
	struct kvm_run *run = vcpu->run;
	u64 cr0;

	start(vcpu, LONG, INSN(0x0f, 0x01, 0x27));		/* smsw (%rdi) */
	set_gpr(vcpu, 7, GPA_MMIO);
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EQ(1, run->mmio.is_write);
	EXPECT_EQ(2, run->mmio.len);
	EXPECT_EQ(GPA_MMIO, run->mmio.phys_addr);
	EXPECT_EQ(get_reg(vcpu, 0) & 0xffff, *(u16 *)run->mmio.data);
	EXPECT_EXIT(vcpu, KVM_EXIT_HLT);

	start(vcpu, LONG, INSN(0x0f, 0x01, 0x37));		/* lmsw (%rdi) */
	set_gpr(vcpu, 7, GPA_MMIO);
	cr0 = get_reg(vcpu, 0);
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EQ(0, run->mmio.is_write);
	EXPECT_EQ(2, run->mmio.len);
	EXPECT_EQ(cr0, get_reg(vcpu, 0));
	*(u16 *)run->mmio.data = 0xc;
	EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
	EXPECT_EQ((cr0 & ~0xeULL) | 0xc, get_reg(vcpu, 0));
}

/* ---- faults ---- */

struct fault_case {
	const char *name;
	struct insn insn;
	u64 rax;
	int vector;
	unsigned int modes;
	bool not_tcg;
};

#define UD	6
#define GP	13

static const struct fault_case faults[] = {
	{ "mov %rax, %cr1", { { 0x0f, 0x22, 0xc8 }, 3 }, 0, UD, ALL },
	{ "mov %cr1, %rax", { { 0x0f, 0x20, 0xc8 }, 3 }, 0, UD, ALL },
	{ "mov %rax, %cr5", { { 0x0f, 0x22, 0xe8 }, 3 }, 0, UD, ALL },
	{ "mov %cr7, %rax", { { 0x0f, 0x20, 0xf8 }, 3 }, 0, UD, ALL },
	{ "mov %rax, %cr9", { { 0x44, 0x0f, 0x22, 0xc8 }, 4 }, 0, UD, 1 << LONG },
	{ "mov %rax, %dr8", { { 0x44, 0x0f, 0x23, 0xc0 }, 4 }, 0, UD, 1 << LONG },
	{ "lock clts", { { 0xf0, 0x0f, 0x06 }, 3 }, 0, UD, ALL, true },
	{ "lock mov %cr3, %rax", { { 0xf0, 0x0f, 0x20, 0xd8 }, 4 }, 0, UD, ALL, true },
	{ "CR0: PG without PE", { { 0x0f, 0x22, 0xc0 }, 3 }, 0x80000010, GP, ALL },
	{ "CR0: NW without CD", { { 0x0f, 0x22, 0xc0 }, 3 }, 0xa0000011, GP, 1 << LONG },
	{ "CR0: PG cleared in 64-bit mode", { { 0x0f, 0x22, 0xc0 }, 3 }, 0x33, GP, 1 << LONG },
	{ "CR0: bit 32", { { 0x0f, 0x22, 0xc0 }, 3 }, 0x180050033, GP, 1 << LONG, true },
	{ "CR3: bit 63", { { 0x0f, 0x22, 0xd8 }, 3 }, 1ULL << 63 | GPA_PML4, GP, 1 << LONG,
	  true },
	{ "CR4: reserved", { { 0x0f, 0x22, 0xe0 }, 3 }, 0x80000620, GP, ALL },
	{ "CR4: PAE cleared", { { 0x0f, 0x22, 0xe0 }, 3 }, 0x600, GP, 1 << LONG },
	{ "CR8: 16", { { 0x44, 0x0f, 0x22, 0xc0 }, 4 }, 16, GP, 1 << LONG },
};

TEST_F(crdr, faults)
{
	struct vcpu *vcpu = self->vcpu;

	for (size_t i = 0; i < ARRAY_SIZE(faults) * NR_MODES; i++) {
		const struct fault_case *t = &faults[i / NR_MODES];
		enum mode mode = i % NR_MODES;
		struct kvm_sregs before, after;

		if (!(t->modes & 1 << mode) || (t->not_tcg && on_tcg()))
			continue;
		start(vcpu, mode, t->insn);
		set_gpr(vcpu, 0, t->rax);
		vcpu_sregs(vcpu, &before);
		EXPECT_EQ(t->vector, run(vcpu, mode))
			TH_LOG("%s, %s mode", t->name, mode_names[mode]);
		vcpu_sregs(vcpu, &after);
		EXPECT_TRUE(before.cr0 == after.cr0 && before.cr2 == after.cr2 &&
			    before.cr3 == after.cr3 && before.cr4 == after.cr4 &&
			    before.cr8 == after.cr8)
			TH_LOG("%s, %s mode: changed something", t->name, mode_names[mode]);
	}
}

/* With CR4.DE there is no DR4 and no DR5; both with and without a debugger. */
TEST_F(crdr, debugging_extensions)
{
	struct vcpu *vcpu = self->vcpu;
	struct kvm_guest_debug d = {};

	for (int i = 0; i < NR_MODES * 8; i++) {
		enum mode mode = i / 8;
		u8 reg = 4 + (i & 1), to = i >> 1 & 1;
		bool watched = i & 4;

		start(vcpu, mode, INSN(0x0f, 0x21 | to << 1, 0xc0 | reg << 3));
		d.control = watched ? KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP : 0;
		ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_SET_GUEST_DEBUG, &d));
		set_reg(vcpu, 4, get_reg(vcpu, 4) | 8);
		EXPECT_EQ(UD, run(vcpu, mode))
			TH_LOG("%s mode, DR%u, %d", mode_names[mode], reg, watched);
	}
}

/*
 * A MOV to a debug register that reaches KVM only if a debugger watches.  The stock
 * emulator forgets DR4 and DR5.
 */
TEST_F(crdr, dr_high_bits)
{
	struct kvm_guest_debug d = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP };
	struct vcpu *vcpu = self->vcpu;

	for (u8 reg = 0; reg < 8; reg++) {
		if (dev_is_stock() && (reg == 4 || reg == 5))
			continue;
		start(vcpu, LONG, INSN(0x0f, 0x23, 0xc0 | reg << 3));
		ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_SET_GUEST_DEBUG, &d));
		set_gpr(vcpu, 0, 0x100000400);
		EXPECT_EQ(reg < 4 ? HLT_REACHED : GP, run(vcpu, LONG))
			TH_LOG("DR%u", reg);
	}
}

/* DR7.GD: #DB with DR6.BD, and the register is not touched. */
TEST_F(crdr, general_detect)
{
	struct vcpu *vcpu = self->vcpu;

	if (dev_is_stock() && on_tcg())
		SKIP(return, "TCG has no DR7.GD, and the stock kvm-amd leaves it to the CPU");
	for (enum mode mode = REAL; mode < NR_MODES; mode++) {
		start(vcpu, mode, INSN(0x0f, 0x23, 0xc8));	/* mov %eax, %dr1 */
		set_reg(vcpu, DR(1), 0x1111);
		set_reg(vcpu, DR(6), DR6_FIXED);
		set_reg(vcpu, DR(7), 0x2400);
		set_gpr(vcpu, 0, 0x2222);
		EXPECT_EQ(1, run(vcpu, mode))
			TH_LOG("%s mode", mode_names[mode]);
		EXPECT_EQ(DR6_FIXED | 0x2000, get_reg(vcpu, DR(6)));
		EXPECT_EQ(0x1111, get_reg(vcpu, DR(1)));
	}
}

/* ---- CR8 and the task priority ---- */

TEST_F(crdr, tpr_exits)
{
	static const struct {
		u64 from, to;
	} rows[] = { { 0, 0 }, { 0, 15 }, { 5, 5 }, { 5, 6 }, { 5, 4 }, { 15, 0 }, { 1, 0 } };
	struct vcpu *vcpu = self->vcpu;

	for (size_t i = 0; i < ARRAY_SIZE(rows) * 16; i++) {
		u64 from = rows[i / 16].from, to = rows[i / 16].to;
		struct insn insn = encode_mov(LONG, 8, i % 16, true);
		struct kvm_regs r;

		start(vcpu, LONG, insn);
		set_reg(vcpu, 8, from);
		set_gpr(vcpu, i % 16, to);
		if (to < from) {
			EXPECT_EXIT(vcpu, KVM_EXIT_SET_TPR);
			EXPECT_EQ(to, vcpu->run->cr8);
			vcpu_regs(vcpu, &r);
			EXPECT_EQ(GPA_CODE + insn.len, r.rip);
		}
		EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
		EXPECT_EQ(to, vcpu->run->cr8);
		EXPECT_EQ(to, get_reg(vcpu, 8));
	}
}

/* LOCK MOV CR0 is MOV CR8 where CPUID 8000_0001 ECX[4] says so, else #UD. */
TEST_F(crdr, alternative_cr8)
{
	bool there = cpuid_has(0x80000001, 0, 'c', 4);
	struct vcpu *vcpu = self->vcpu;

	if (dev_is_stock() && on_tcg())
		SKIP(return, "the stock kvm-amd without decode assists has #UD instead");

	for (enum mode mode = REAL; mode < NR_MODES; mode++) {
		start(vcpu, mode, INSN(0xf0, 0x0f, 0x22, 0xc0));
		set_reg(vcpu, 8, 3);
		set_gpr(vcpu, 0, 9);
		EXPECT_EQ(there ? HLT_REACHED : UD, run(vcpu, mode))
			TH_LOG("%s mode", mode_names[mode]);
		EXPECT_EQ(there ? 9 : 3, get_reg(vcpu, 8));

		start(vcpu, mode, INSN(0xf0, 0x0f, 0x20, 0xc0));
		set_reg(vcpu, 8, 3);
		EXPECT_EQ(there ? HLT_REACHED : UD, run(vcpu, mode))
			TH_LOG("%s mode", mode_names[mode]);
		if (there)
			EXPECT_EQ(3, get_gpr(vcpu, 0));
	}
}

/* ---- single step ---- */

/* The guest's TF: #DB behind the instruction. */
TEST_F(crdr, single_step)
{
	static const struct insn insns[] = {
		{ { 0x0f, 0x22, 0xc0 }, 3 },		/* mov %rax, %cr0 */
		{ { 0x0f, 0x20, 0xc0 }, 3 },		/* mov %cr0, %rax */
		{ { 0x0f, 0x22, 0xe0 }, 3 },		/* mov %rax, %cr4 */
		{ { 0x44, 0x0f, 0x22, 0xc0 }, 4 },	/* mov %rax, %cr8 */
		{ { 0x0f, 0x06 }, 2 },			/* clts */
		{ { 0x0f, 0x01, 0xf0 }, 3 },		/* lmsw %ax */
	};
	static const u64 rax[] = { 0x80050031, 0, 0x624, 5, 0, 3 };
	struct vcpu *vcpu = self->vcpu;
	struct kvm_regs r;

	for (size_t i = 0; i < ARRAY_SIZE(insns); i++) {
		start(vcpu, LONG, insns[i]);
		vcpu_regs(vcpu, &r);
		r.rax = rax[i];
		r.rflags |= 0x100;
		vcpu_set_regs(vcpu, &r);
		EXPECT_EQ(1, run(vcpu, LONG))
			TH_LOG("row %zu", i);
		EXPECT_EQ(GPA_CODE + insns[i].len, vcpu->exc->rip)
			TH_LOG("row %zu", i);
	}
}

TEST_HARNESS_MAIN
