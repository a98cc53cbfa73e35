// SPDX-License-Identifier: GPL-2.0
/*
 * exits_test - what each reason to leave the guest does, seen from both sides
 *
 * Most rows are one instruction in a 64-bit guest and its result: an exception
 * with its vector, or a value.  The rest look at the exits that userspace gets:
 * port I/O, MMIO, HLT, SHUTDOWN, INTERNAL_ERROR, FAIL_ENTRY.
 *
 * Guards: an exit that reaches the handler must never surface as
 * KVM_EXIT_UNKNOWN; instructions of features that CPUID does not claim give #UD;
 * RIP moves past an emulated instruction exactly once; a failed entry can be
 * repeated, is explained, and can be recovered from.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

/* ------------------------------------------------ one instruction a row */

/*
 * X(name, setup and instruction, want, value): want is a vector, or DONE, with
 * the value wanted in RDI; ANY leaves RDI open.
 */
#define DONE	-1
#define ANY	0xa5a5a5a5a5a5a5a5ULL
#define CR4_OR(bits) "mov %cr4, %rax; or $" #bits ", %eax; mov %rax, %cr4\n"
#define RESULT	"; mov %rax, %rdi\n"

#define ROWS								\
	X(ud2, "ud2", 6, 0)						\
	X(int3, "int3", 3, 0)						\
	X(int_0x80, "int $0x80", 0x80, 0)				\
	X(divide, "xor %ecx, %ecx; xor %edx, %edx; div %ecx", 0, 0)	\
	X(cpuid_rip, "mov $7, %edi; xor %eax, %eax; cpuid", DONE, 7)	\
	X(rdmsr_unknown, "mov $0xdead, %ecx; rdmsr", 13, 0)		\
	X(wrmsr_unknown, "mov $0xdead, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr", 13, 0) \
	X(rdmsr_high, "mov $0xc000dead, %ecx; rdmsr", 13, 0)		\
	X(rdmsr_4000, "mov $0x4000dead, %ecx; rdmsr", 13, 0)		\
	X(rdmsr_efer, "mov $0xc0000080, %ecx; rdmsr" RESULT, DONE, 0xd01) \
	X(wrmsr_efer_lme, "mov $0xc0000080, %ecx; mov $0xc01, %eax; xor %edx, %edx; wrmsr", 13, 0) \
	X(wrmsr_efer_reserved,					\
	  "mov $0xc0000080, %ecx; mov $0x2d01, %eax; mov $1, %edx; wrmsr", 13, 0) \
	X(wrmsr_efer_sce,					\
	  "mov $0xc0000080, %ecx; mov $0xd00, %eax; xor %edx, %edx; wrmsr; " \
	  "rdmsr" RESULT, DONE, 0xd00) \
	X(invlpg, "mov $5, %edi; invlpg 0x100000", DONE, 5)		\
	X(wbinvd, "mov $5, %edi; wbinvd", DONE, 5)			\
	X(invd, "mov $5, %edi; invd", DONE, 5)				\
	X(pause, "mov $50000, %edi; 1: pause; dec %edi; jnz 1b", DONE, 0) \
	X(clts,					\
	  "mov %cr0, %rax; or $8, %eax; mov %rax, %cr0; clts; " \
	  "mov %cr0, %rax" RESULT, DONE, 0x80050033) \
	X(lmsw, "mov $0x3b, %eax; lmsw %ax; mov %cr0, %rax" RESULT, DONE, 0x8005003b) \
	X(smsw, "xor %eax, %eax; smsw %ax" RESULT, DONE, 0x33)		\
	X(lmsw_keeps_pe, "mov $0x32, %eax; lmsw %ax; mov %cr0, %rax" RESULT, DONE, 0x80050033) \
	X(cr0_ts,					\
	  "mov %cr0, %rax; or $8, %eax; mov %rax, %cr0; mov %cr0, %rax" RESULT, DONE, 0x8005003b) \
	X(cr0_ts_nm, "mov %cr0, %rax; or $8, %eax; mov %rax, %cr0; fninit", 7, 0) \
	X(cr0_em_ud, "mov %cr0, %rax; or $4, %eax; mov %rax, %cr0; movaps %xmm0, %xmm1", 6, 0) \
	X(cr0_ne_hidden,					\
	  "mov %cr0, %rax; and $~0x20, %rax; mov %rax, %cr0; " \
	  "mov %cr0, %rax" RESULT, DONE, 0x80050013) \
	X(cr0_pg_no_pe, "mov $0x80050032, %eax; mov %rax, %cr0", 13, 0)	\
	X(cr0_nw_no_cd, "mov $0xa0050033, %eax; mov %rax, %cr0", 13, 0)	\
	X(cr0_cd,					\
	  "mov $0xc0050033, %eax; mov %rax, %cr0; mov %cr0, %rax" RESULT, DONE, 0xc0050033) \
	X(cr0_pg_off_long, "mov $0x00050033, %eax; mov %rax, %cr0", 13, 0) \
	X(cr3_same, "mov %cr3, %rax; mov %rax, %cr3; mov %cr3, %rax" RESULT, DONE, GPA_PML4) \
	X(cr4_reserved, "mov $0x80000620, %eax; mov %rax, %cr4", 13, 0)	\
	X(cr4_pae_off, "mov $0x600, %eax; mov %rax, %cr4", 13, 0)	\
	X(cr4_pge, CR4_OR(0x80) "mov %cr4, %rax" RESULT, DONE, 0x6a0)	\
	X(cr4_tsd_cpl0, CR4_OR(4) "rdtsc", DONE, ANY)			\
	X(cr4_vmxe_hidden, "mov %cr4, %rax; and $0x2000, %eax" RESULT, DONE, 0) \
	X(cr8, "mov $5, %eax; mov %rax, %cr8; xor %eax, %eax; mov %cr8, %rax" RESULT, DONE, 5) \
	X(cr8_bad, "mov $0x10, %eax; mov %rax, %cr8", 13, 0)		\
	X(cr2, "mov $0x123456789, %rax; mov %rax, %cr2; mov %cr2, %rax" RESULT, DONE, 0x123456789) \
	X(cr1_read, ".byte 0x0f, 0x20, 0xc8", 6, 0)			\
	X(dr0,					\
	  "mov $0x1234567, %eax; mov %rax, %dr0; xor %eax, %eax; " \
	  "mov %dr0, %rax" RESULT, DONE, 0x1234567) \
	X(dr3,					\
	  "mov $-8, %rax; mov %rax, %dr3; xor %eax, %eax; mov %dr3, %rax" RESULT, DONE, -8ULL) \
	X(dr6, "xor %eax, %eax; mov %rax, %dr6; mov %dr6, %rax" RESULT, DONE, 0xffff0ff0) \
	X(dr6_reset, "mov %dr6, %rax" RESULT, DONE, 0xffff0ff0)		\
	X(dr7, "mov $0x455, %eax; mov %rax, %dr7; mov %dr7, %rax" RESULT, DONE, 0x455) \
	X(dr7_reset, "mov %dr7, %rax" RESULT, DONE, 0x400)		\
	X(dr4_alias,					\
	  "mov %dr6, %rax; mov %rax, %rdi; .byte 0x0f, 0x21, 0xe0; sub %rax, %rdi", DONE, 0) \
	X(dr4_de, CR4_OR(8) ".byte 0x0f, 0x21, 0xe0", 6, 0)		\
	X(dr6_high, "mov $0x100000000, %rax; mov %rax, %dr6", 13, 0)	\
	X(dr7_high, "mov $0x100000000, %rax; mov %rax, %dr7", 13, 0)	\
	X(rdtsc_runs,					\
	  "rdtsc; mov %eax, %ecx; rdtsc; sub %ecx, %eax; shr $31, %eax" RESULT, DONE, 0) \
	X(rdpmc, "mov $0x7fff, %ecx; rdpmc", 13, 0)			\
	X(xsetbv_no_osxsave, "xor %ecx, %ecx; xor %edx, %edx; mov $3, %eax; xsetbv", 6, 0) \
	X(xgetbv_no_osxsave, "xor %ecx, %ecx; xgetbv", 6, 0)		\
	X(vmxoff, "vmxoff", 6, 0)					\
	X(vmlaunch, "vmlaunch", 6, 0)					\
	X(vmresume, "vmresume", 6, 0)					\
	X(vmxon, "vmxon 0x100000", 6, 0)				\
	X(vmclear, "vmclear 0x100000", 6, 0)				\
	X(vmptrld, "vmptrld 0x100000", 6, 0)				\
	X(vmptrst, "vmptrst 0x100000", 6, 0)				\
	X(vmread, "vmread %rax, %rcx", 6, 0)				\
	X(vmwrite, "vmwrite %rax, %rcx", 6, 0)				\
	X(invept, "xor %eax, %eax; invept 0x100000, %rax", 6, 0)	\
	X(invvpid, "xor %eax, %eax; invvpid 0x100000, %rax", 6, 0)	\
	X(vmfunc, "xor %eax, %eax; vmfunc", 6, 0)			\
	X(vmrun, "vmrun", 6, 0)						\
	X(rsm, "rsm", 6, 0)						\
	X(getsec, "xor %eax, %eax; getsec", 6, 0)			\
	X(encls, "xor %eax, %eax; encls", 6, 0)				\
	X(sgdt, "sgdt 0x100000; mov 0x100002, %rdi", DONE, GPA_GDT)	\
	X(sidt, "sidt 0x100000; movzwl 0x100000, %edi", DONE, 4095)	\
	X(str, "xor %eax, %eax; str %ax" RESULT, DONE, SEL_TSS)		\
	X(sldt, "mov $1, %eax; sldt %ax" RESULT, DONE, 0)		\
	X(lgdt_reload, "sgdt 0x100000; lgdt 0x100000; mov $0x10, %eax; mov %eax, %ds", DONE, ANY) \
	X(load_null_sel, "mov $0x60, %eax; mov %eax, %ds", 13, 0x60)	\
	X(noncanonical_load, "mov $0x800000000000, %rax; mov (%rax), %rax", 13, 0) \
	X(unmapped_load, "mov $0x700000000000, %rax; mov (%rax), %rax", 14, 0) \
	X(unmapped_store, "mov $0x700000000000, %rax; mov %rax, (%rax)", 14, 2)

/* A CPU looks at all of the register before it exits; QEMU TCG exits first. */
#define ROWS_HIGH							\
	X(cr4_high, "mov $0x100000620, %rax; mov %rax, %cr4", 13, 0)

/* No exit on SVM, so the CPU alone refuses. */
#define ROWS_BY_CPU							\
	X(cr0_high, "mov $0x180050033, %rax; mov %rax, %cr0", 13, 0)	\
	X(wrmsr_noncanonical,						\
	  "mov $0xc0000082, %ecx; xor %eax, %eax; mov $0x80000000, %edx; wrmsr", 13, 0) \
	X(cr3_high, "mov $0x8000000000001000, %rax; mov %rax, %cr3", 13, 0)

#define HYPERCALL(insn)							\
	"mov $999, %eax; mov $3, %ebx; mov $4, %ecx; " insn "; lea (%rbx, %rcx), %rsi" RESULT

#define ROWS_HYPERCALL							\
	X(vmcall, HYPERCALL("vmcall"), DONE, -1000ULL)			\
	X(vmmcall, HYPERCALL("vmmcall"), DONE, -1000ULL)

#define X(name, text, want, value) ASM_GUEST(row_##name, text "\n" ASM_DONE);
/* Layout constants appear inside asm only as C values: keep texts free of them. */
ROWS
ROWS_HIGH
ROWS_BY_CPU
ROWS_HYPERCALL
#undef X

struct row {
	const char *name;
	u8 *code, *code_end;
	int want;
	u64 value;
};

#define X(name, text, want, value)					\
	{ #name, row_##name, row_##name##_end, want, value },
static const struct row rows[] = { ROWS };
static const struct row rows_high[] = { ROWS_HIGH };
static const struct row rows_by_cpu[] = { ROWS_BY_CPU };
static const struct row rows_hypercall[] = { ROWS_HYPERCALL };
#undef X

/* A fresh vCPU for each row; a VM is made for every MAX_VCPUS of them. */
static struct vcpu *next_vcpu(struct vm **vm, u8 *code)
{
	struct vcpu *vcpu;

	if (*vm && (*vm)->nvcpus == MAX_VCPUS) {
		vm_free(*vm);
		*vm = NULL;
	}
	if (!*vm)
		*vm = vm_new();
	vcpu = vcpu_new(*vm, (*vm)->nvcpus);
	vcpu_long(vcpu, code);
	return vcpu;
}

static void check_row(struct __test_metadata *_metadata, struct vcpu *vcpu,
		      const struct row *row, int want)
{
	struct ucall uc = vcpu_ucall(vcpu);

	if (want == DONE) {
		EXPECT_EQ(UCALL_DONE, uc.cmd)
			TH_LOG("%s: ucall %u vector %lu", row->name, uc.cmd, uc.a);
		if (uc.cmd == UCALL_DONE && row->value != ANY) {
			EXPECT_EQ(row->value, uc.a)
				TH_LOG("%s: result %#lx, want %#lx",
				       row->name, uc.a, row->value);
		}
		return;
	}
	EXPECT_EQ(UCALL_EXC, uc.cmd)
		TH_LOG("%s: want vector %d", row->name, want);
	EXPECT_EQ((u64)want, uc.a)
		TH_LOG("%s: vector", row->name);
	EXPECT_EQ(row->want == want ? row->value : 0, vcpu->exc->error)
		TH_LOG("%s: error code", row->name);
	/* Faults point into the guest's own code. */
	EXPECT_TRUE(uc.b >= (u64)row->code && uc.b < (u64)row->code_end)
		TH_LOG("%s: rip %#lx", row->name, uc.b);
}

static void check_rows(struct __test_metadata *_metadata, const struct row *row, size_t n)
{
	struct vm *vm = NULL;

	log_mark();
	for (; n--; row++)
		check_row(_metadata, next_vcpu(&vm, row->code), row, row->want);
	vm_free(vm);
	EXPECT_FALSE(log_has_warning());
}

TEST(instructions)
{
	check_rows(_metadata, rows, ARRAY_SIZE(rows));
}

TEST(high_half_of_cr4)
{
	if (dev_is_stock())
		SKIP_ON_TCG("exits before #GP, and stock emulates with 32 bits");
	check_rows(_metadata, rows_high, ARRAY_SIZE(rows_high));
}

TEST(refused_by_the_cpu)
{
	SKIP_ON_TCG("WRMSR takes any address, MOV to CR0 32 bits, to CR3 gives VMEXIT_INVALID");
	check_rows(_metadata, rows_by_cpu, ARRAY_SIZE(rows_by_cpu));
}

/* The vendor's own instruction calls; the other's is not defined. */
TEST(hypercall)
{
	struct vm *vm = vm_new();

	/* Else KVM would write the right instruction into the guest. */
	ASSERT_EQ(0, vm_enable_cap(vm, KVM_CAP_DISABLE_QUIRKS2,
				   KVM_X86_QUIRK_FIX_HYPERCALL_INSN));
	log_mark();
	for (int vmmcall = 0; vmmcall < 2; vmmcall++) {
		const struct row *row = &rows_hypercall[vmmcall];
		struct vcpu *vcpu = next_vcpu(&vm, row->code);
		bool own = vmmcall == host_is_amd();
		struct kvm_regs r;

		check_row(_metadata, vcpu, row, own ? DONE : 6);
		vcpu_regs(vcpu, &r);
		if (own)			/* nothing but RAX changes */
			EXPECT_EQ(7, r.rsi);
	}
	vm_free(vm);
	EXPECT_FALSE(log_has_warning());
}

/* By default KVM writes the own instruction over the other's. */
TEST(hypercall_mended)
{
	static const u8 own_last[2] = { 0xc1, 0xd9 };	/* Intel's, AMD's */
	const struct row *row = &rows_hypercall[!host_is_amd()];
	struct vm *vm = vm_new();
	struct vcpu *vcpu;
	const u8 foreign[] = { 0x0f, 0x01, own_last[!host_is_amd()] };
	u8 *code = row->code;

	log_mark();
	while (memcmp(code, foreign, sizeof(foreign)))
		code++;
	vcpu = next_vcpu(&vm, row->code);
	code = vm_ptr(vm, (u64)code);
	check_row(_metadata, vcpu, row, DONE);
	EXPECT_EQ(own_last[host_is_amd()], code[2]);
	vm_free(vm);
	EXPECT_FALSE(log_has_warning());
}

/* ---------------------------------------------------- by CPUID's promise */

static GUEST_FN void guest_mwait(void)
{
	int vec = G_TRY("monitor", : "a"(GPA_DATA), "c"(0), "d"(0) : "r11", "memory");
	int vec2 = G_TRY("mwait", : "a"(0), "c"(0) : "r11", "memory");

	g_ucall(UCALL_SYNC, vec, vec2);
}

/* CPUID need not have them: KVM lets them pass as no-ops all the same. */
TEST(monitor_mwait)
{
	struct vcpu *vcpu = vm_long(guest_mwait);
	struct ucall uc = vcpu_ucall(vcpu);

	EXPECT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_EQ(-1UL, uc.a);
	EXPECT_EQ(-1UL, uc.b);
	vm_free(vcpu->vm);
}

static GUEST_FN void guest_invpcid(void)
{
	static u64 desc[2];
	int vec = G_TRY("invpcid %0, %1", : "m"(desc), "r"(2UL) : "r11", "memory");
	int bad = G_TRY("invpcid %0, %1", : "m"(desc), "r"(9UL) : "r11", "memory");

	g_ucall(UCALL_SYNC, vec, bad);
}

TEST(invpcid)
{
	struct vcpu *vcpu = vm_long(guest_invpcid);
	struct ucall uc = vcpu_ucall(vcpu);
	bool has = cpuid_has(7, 0, 'b', 10);

	EXPECT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_EQ(has ? -1UL : 6UL, uc.a);
	EXPECT_EQ(has ? 13UL : 6UL, uc.b);
	vm_free(vcpu->vm);
}

static GUEST_FN void guest_rand(void)
{
	u64 r;
	int vec = G_TRY("rdrand %0", "=r"(r) : : "r11", "memory", "cc");
	int vec2 = G_TRY("rdseed %0", "=r"(r) : : "r11", "memory", "cc");

	g_ucall(UCALL_SYNC, vec, vec2);
}

/* What CPUID claims works.  What it hides may still run: hardware decides. */
TEST(rdrand_rdseed)
{
	struct vcpu *vcpu = vm_long(guest_rand);
	struct ucall uc = vcpu_ucall(vcpu);

	EXPECT_EQ(UCALL_SYNC, uc.cmd);
	if (cpuid_has(1, 0, 'c', 30))
		EXPECT_EQ(-1UL, uc.a);
	if (cpuid_has(7, 0, 'b', 18))
		EXPECT_EQ(-1UL, uc.b);
	EXPECT_TRUE(uc.a == -1UL || uc.a == 6);
	EXPECT_TRUE(uc.b == -1UL || uc.b == 6);
	vm_free(vcpu->vm);
}

static GUEST_FN void guest_rdtscp(void)
{
	u32 a = 0, c = 0, d = 0;
	int vec = G_TRY("rdtscp", "+a"(a), "+c"(c), "+d"(d) : : "r11", "memory");

	g_ucall(UCALL_SYNC, vec, c);
}

TEST(rdtscp)
{
	struct vcpu *vcpu = vm_long(guest_rdtscp);
	bool has = cpuid_has(0x80000001, 0, 'd', 27);
	struct ucall uc;

	if (has)
		ASSERT_EQ(1, vcpu_set_msr(vcpu, 0xc0000103, 0x77));
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_EQ(has ? -1UL : 6UL, uc.a);
	EXPECT_EQ(has ? 0x77UL : 0UL, uc.b);
	vm_free(vcpu->vm);
}

static GUEST_FN void guest_xsetbv(void)
{
	static const struct {
		u32 xcr, eax, edx;
		int vec;
	} tries[] = {
		{ 0, 3, 0, -1 }, { 0, 1, 0, -1 }, { 0, 0, 0, 13 },
		{ 0, 2, 0, 13 }, { 0, 5, 0, 13 }, { 1, 3, 0, 13 },
		{ 0, 3, 0x80000000, 13 }, { 0x80000000, 3, 0, 13 },
	};
	u32 lo, hi;

	asm volatile("mov %%cr4, %%rax; bts $18, %%rax; mov %%rax, %%cr4"
		     : : : "rax");
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		int vec = G_TRY("xsetbv", : "a"(tries[i].eax), "d"(tries[i].edx),
				"c"(tries[i].xcr) : "r11", "memory");

		if (vec != tries[i].vec)
			g_ucall(UCALL_FAIL, i, vec);
	}
	/* The refused ones changed nothing. */
	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	g_ucall(UCALL_SYNC, lo, hi);
	g_done();
}

TEST(xsetbv)
{
	struct vcpu *vcpu;
	struct ucall uc;

	if (!cpuid_has(1, 0, 'c', 26))
		SKIP(return, "no XSAVE in the guest's CPUID");
	vcpu = vm_long(guest_xsetbv);
	uc = vcpu_ucall(vcpu);
	ASSERT_EQ(UCALL_SYNC, uc.cmd)
		TH_LOG("try %lu gave %ld", uc.a, uc.b);
	EXPECT_EQ(1, uc.a);
	EXPECT_EQ(0, uc.b);
	EXPECT_UCALL(vcpu, UCALL_DONE);
	vm_free(vcpu->vm);
}

/* -------------------------------------------------------------- user mode */

static void user_mode(struct vcpu *vcpu, u64 rflags)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	vcpu_sregs(vcpu, &s);
	seg_set(&s.cs, SEL_UCODE, 11, 1, 0, 3);
	seg_set(&s.ss, SEL_UDATA, 3, 0, 1, 3);
	if (vcpu_set_sregs(vcpu, &s))
		die("user mode");
	vcpu_regs(vcpu, &r);
	r.rflags = rflags;
	vcpu_set_regs(vcpu, &r);
}

#define USER_ROWS							\
	X(in, "in $0x80, %al", 0x2, 13)					\
	X(hlt, "hlt", 0x2, 13)						\
	X(cli, "cli", 0x2, 13)						\
	X(rdmsr, "mov $0x10, %ecx; rdmsr", 0x2, 13)			\
	X(wrmsr, "mov $0x10, %ecx; wrmsr", 0x2, 13)			\
	X(cr0_read, "mov %cr0, %rax", 0x2, 13)				\
	X(cr8_write, "mov %rax, %cr8", 0x2, 13)				\
	X(dr_read, "mov %dr0, %rax", 0x2, 13)				\
	X(invlpg, "invlpg (%rax)", 0x2, 13)				\
	X(wbinvd, "wbinvd", 0x2, 13)					\
	X(clts, "clts", 0x2, 13)					\
	X(lgdt, "lgdt 0x100000", 0x2, 13)				\
	X(rdpmc, "xor %ecx, %ecx; rdpmc", 0x2, 13)			\
	X(vmread, "vmread %rax, %rax", 0x2, 6)				\
	X(vmxoff, "vmxoff", 0x2, 6)

#define X(name, text, flags, want) ASM_GUEST(user_##name, text "\n" ASM_DONE);
USER_ROWS
#undef X

static const struct {
	const char *name;
	u8 *code;
	u64 flags;
	u64 want;
} user_rows[] = {
#define X(name, text, flags, want) { #name, user_##name, flags, want },
	USER_ROWS
#undef X
};

TEST(privileged_instructions_in_user_mode)
{
	struct vm *vm = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(user_rows); i++) {
		struct vcpu *vcpu = next_vcpu(&vm, user_rows[i].code);
		struct ucall uc;

		user_mode(vcpu, user_rows[i].flags);
		uc = vcpu_ucall(vcpu);
		EXPECT_EQ(UCALL_EXC, uc.cmd)
			TH_LOG("%s", user_rows[i].name);
		EXPECT_EQ(user_rows[i].want, uc.a)
			TH_LOG("%s", user_rows[i].name);
	}
	vm_free(vm);
}

#define USER_CALLS(insn)						\
	"mov $0, %eax; " insn "; mov %rax, %rdi\n"			\
	"xor %eax, %eax; mov $3, %esi; cpuid\n" ASM_DONE
ASM_GUEST(user_vmcall, USER_CALLS("vmcall"));
ASM_GUEST(user_vmmcall, USER_CALLS("vmmcall"));

/* A hypercall is the kernel's privilege; CPUID and I/O with IOPL 3 are not. */
TEST(user_mode_hypercall)
{
	struct vcpu *vcpu;
	struct ucall uc;

	vcpu = vm_long(host_is_amd() ? user_vmmcall : user_vmcall);
	user_mode(vcpu, 0x3002);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd);
	EXPECT_EQ(-1LL, (long long)uc.a);	/* -KVM_EPERM */
	EXPECT_EQ(3, uc.b);
	vm_free(vcpu->vm);
}

/* ---------------------------------------------------------------- port I/O */

ASM_GUEST(io_out, "mov $0x11223344, %eax; out %al, $0x80; out %ax, $0x80\n"
	  "out %eax, $0x80; mov $0xffff, %edx; out %al, %dx\n" ASM_DONE);
ASM_GUEST(io_in, "mov $-1, %rax; in $0x80, %al; mov %rax, %rdi; mov $-1, %rax\n"
	  "in $0x80, %ax; mov %rax, %rsi; mov $-1, %rax; mov $0x1234, %edx\n"
	  "in %dx, %eax; mov %rax, %rbx\n" ASM_DONE);

TEST(io_out_sizes)
{
	static const struct {
		u32 port, size, data;
	} want[] = {
		{ 0x80, 1, 0x44 }, { 0x80, 2, 0x3344 },
		{ 0x80, 4, 0x11223344 }, { 0xffff, 1, 0x44 },
	};
	struct vcpu *vcpu = vm_long(io_out);
	struct kvm_run *run = vcpu->run;

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		u32 data = 0;

		EXPECT_EXIT(vcpu, KVM_EXIT_IO);
		EXPECT_EQ(KVM_EXIT_IO_OUT, run->io.direction);
		EXPECT_EQ(want[i].port, run->io.port);
		EXPECT_EQ(want[i].size, run->io.size);
		EXPECT_EQ(1, run->io.count);
		ASSERT_LE(run->io.data_offset + 4, vcpu->run_size);
		memcpy(&data, (u8 *)run + run->io.data_offset, run->io.size);
		EXPECT_EQ(want[i].data, data);
	}
	EXPECT_UCALL(vcpu, UCALL_DONE);
	vm_free(vcpu->vm);
}

TEST(io_in_sizes)
{
	static const u32 size[] = { 1, 2, 4 };
	struct vcpu *vcpu = vm_long(io_in);
	struct kvm_run *run = vcpu->run;
	struct kvm_regs r;
	struct ucall uc;

	for (int i = 0; i < 3; i++) {
		EXPECT_EXIT(vcpu, KVM_EXIT_IO);
		EXPECT_EQ(KVM_EXIT_IO_IN, run->io.direction);
		EXPECT_EQ(size[i], run->io.size);
		EXPECT_EQ(i == 2 ? 0x1234 : 0x80, run->io.port);
		memcpy((u8 *)run + run->io.data_offset, &(u32){ 0x55667788 }, 4);
	}
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd);
	EXPECT_EQ(0xffffffffffffff88, uc.a);
	EXPECT_EQ(0xffffffffffff7788, uc.b);
	vcpu_regs(vcpu, &r);
	EXPECT_EQ(0x55667788, r.rbx);		/* a 32-bit IN clears the top */
	vm_free(vcpu->vm);
}

/* Userspace sees RIP at the IN until it is completed, so it can be migrated. */
TEST(io_completion_by_immediate_exit)
{
	struct vcpu *vcpu = vm_long(io_in);
	struct kvm_run *run = vcpu->run;
	struct kvm_regs r;

	EXPECT_EXIT(vcpu, KVM_EXIT_IO);
	*((u8 *)run + run->io.data_offset) = 0x42;
	run->immediate_exit = 1;
	EXPECT_EQ(-EINTR, vcpu_run(vcpu));
	run->immediate_exit = 0;
	vcpu_regs(vcpu, &r);
	EXPECT_EQ(0xffffffffffffff42, r.rax);
	EXPECT_EXIT(vcpu, KVM_EXIT_IO);
	EXPECT_EQ(2, run->io.size);
	vm_free(vcpu->vm);
}

#define STRIO(insn, rsi, rdi, n)					\
	"mov $" #rsi ", %esi; mov $" #rdi ", %edi; mov $" #n ", %ecx\n"	\
	"mov $0x99, %edx; " insn "; cld; mov %rcx, %rbx\n" ASM_DONE

ASM_GUEST(rep_outsb, STRIO("rep outsb", 0x100000, 0, 5));
ASM_GUEST(rep_outsl_down, STRIO("std; rep outsl", 0x100ffc, 0, 1030));
ASM_GUEST(rep_outsw_cross, STRIO("rep outsw", 0x100fff, 0, 3));
ASM_GUEST(outsb_one, STRIO("outsb", 0x100000, 0, 7));
ASM_GUEST(rep_insb, STRIO("rep insb", 0, 0x100000, 5));
ASM_GUEST(rep_insw_cross, STRIO("rep insw", 0, 0x100fff, 3000));
ASM_GUEST(rep_insl_down, STRIO("std; rep insl", 0, 0x1000f0, 9));
ASM_GUEST(insl_one, STRIO("insl", 0, 0x100000, 7));
ASM_GUEST(rep_outsb_zero, STRIO("rep outsb", 0x100000, 0, 0));
ASM_GUEST(rep_insb_zero, STRIO("rep insb", 0, 0x100000, 0));

static const struct strio {
	const char *name;
	u8 *code;
	bool in;
	u32 size, n, left;
	u64 start;
	int step;
} strio[] = {
	{ "rep outsb", rep_outsb, 0, 1, 5, 0, 0x100000, 1 },
	{ "rep outsl, down", rep_outsl_down, 0, 4, 1030, 0, 0x100ffc, -4 },
	{ "rep outsw across a page", rep_outsw_cross, 0, 2, 3, 0, 0x100fff, 2 },
	{ "outsb", outsb_one, 0, 1, 1, 7, 0x100000, 1 },
	{ "rep outsb, rcx 0", rep_outsb_zero, 0, 1, 0, 0, 0x100000, 1 },
	{ "rep insb", rep_insb, 1, 1, 5, 0, 0x100000, 1 },
	{ "rep insw across pages", rep_insw_cross, 1, 2, 3000, 0, 0x100fff, 2 },
	{ "rep insl, down", rep_insl_down, 1, 4, 9, 0, 0x1000f0, -4 },
	{ "insl", insl_one, 1, 4, 1, 7, 0x100000, 4 },
	{ "rep insb, rcx 0", rep_insb_zero, 1, 1, 0, 0, 0x100000, 1 },
};

static u8 pattern_byte(u32 i)
{
	return i * 7 + (i >> 8) + 3;
}

/*
 * String I/O of any split: KVM may hand out as many items an exit as it likes,
 * but the items, their order, memory and registers are what the SDM says.
 */
static void run_strio(struct __test_metadata *_metadata, const struct strio *t)
{
	struct vcpu *vcpu = vm_long(t->code);
	struct kvm_run *run = vcpu->run;
	u32 done = 0, bad = 0;
	struct kvm_regs r;

	for (u32 i = 0; !t->in && i < t->n * t->size; i++) {
		u64 at = t->start + (long)(i / t->size) * t->step + i % t->size;

		*(u8 *)vm_ptr(vcpu->vm, at) = pattern_byte(i);
	}
	while (done < t->n) {
		u8 *data;

		ASSERT_EQ(KVM_EXIT_IO, vcpu_exit(vcpu))
			TH_LOG("%s", t->name);
		ASSERT_EQ(0x99, run->io.port);
		ASSERT_EQ(t->in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT, run->io.direction);
		ASSERT_EQ(t->size, run->io.size);
		ASSERT_LT(0, run->io.count);
		ASSERT_GE(t->n - done, run->io.count);
		ASSERT_LE(run->io.data_offset + run->io.count * t->size,
			  vcpu->run_size);
		data = (u8 *)run + run->io.data_offset;
		for (u32 i = 0; i < run->io.count * t->size; i++) {
			if (t->in)
				data[i] = pattern_byte(done * t->size + i);
			else
				bad += data[i] != pattern_byte(done * t->size + i);
		}
		done += run->io.count;
	}
	EXPECT_EQ(0, bad)
		TH_LOG("%s: wrong bytes", t->name);
	EXPECT_UCALL(vcpu, UCALL_DONE);
	for (u32 i = 0; t->in && i < t->n * t->size; i++) {
		u64 at = t->start + (long)(i / t->size) * t->step + i % t->size;

		bad += *(u8 *)vm_ptr(vcpu->vm, at) != pattern_byte(i);
	}
	EXPECT_EQ(0, bad)
		TH_LOG("%s: wrong memory", t->name);
	vcpu_regs(vcpu, &r);
	EXPECT_EQ(t->left, r.rbx)
		TH_LOG("%s: rcx", t->name);
	EXPECT_EQ(t->start + (long)t->n * t->step, t->in ? r.rdi : r.rsi)
		TH_LOG("%s: rsi/rdi", t->name);
	vm_free(vcpu->vm);
}

TEST(io_strings)
{
	for (size_t i = 0; i < ARRAY_SIZE(strio); i++)
		run_strio(_metadata, &strio[i]);
}

/* Userspace changes RCX in the middle: no endless loop, nothing overrun. */
TEST(io_string_rcx_changed)
{
	struct vcpu *vcpu = vm_long(rep_insb);
	struct kvm_run *run = vcpu->run;
	struct kvm_regs r;
	u32 items = 0;

	EXPECT_EXIT(vcpu, KVM_EXIT_IO);
	while (run->exit_reason == KVM_EXIT_IO && run->io.port == 0x99) {
		items += run->io.count;
		ASSERT_GE(8192, items);
		vcpu_regs(vcpu, &r);
		r.rcx = items < 4 ? 3 : 1;
		vcpu_set_regs(vcpu, &r);
		vcpu_exit(vcpu);
	}
	EXPECT_EQ(KVM_EXIT_IO, run->exit_reason);
	EXPECT_EQ(UCALL_PORT, run->io.port);
	vm_free(vcpu->vm);
}

/* -------------------------------------------------------------------- MMIO */

ASM_GUEST(mmio_sizes,
	  "mov $0xd0000010, %edi; mov $0x1122334455667788, %rax\n"
	  "mov %al, (%rdi); mov %ax, (%rdi); mov %eax, (%rdi); mov %rax, (%rdi)\n"
	  "mov $-1, %rax; mov (%rdi), %al; mov %rax, %r8\n"
	  "mov $-1, %rax; mov (%rdi), %ax; mov %rax, %r9\n"
	  "mov $-1, %rax; mov (%rdi), %eax; mov %rax, %r10\n"
	  "mov (%rdi), %r12\n" ASM_DONE);

TEST(mmio_access_sizes)
{
	static const u64 wrote[] = {
		0x88, 0x7788, 0x55667788, 0x1122334455667788,
	};
	struct mmio_log log = { .pattern = 0xa1b2c3d4e5f60718 };
	struct vcpu *vcpu = vm_long(mmio_sizes);
	struct kvm_regs r;

	ASSERT_EQ(UCALL_DONE, vcpu_mmio(vcpu, &log).cmd);
	ASSERT_EQ(8, log.n);
	for (int i = 0; i < 8; i++) {
		EXPECT_EQ(0xd0000010, log.e[i].addr);
		EXPECT_EQ(1U << (i & 3), log.e[i].len);
		EXPECT_EQ(i < 4, log.e[i].write);
		if (i < 4)
			EXPECT_EQ(wrote[i], log.e[i].data);
	}
	vcpu_regs(vcpu, &r);
	EXPECT_EQ(0xffffffffffffff18, r.r8);
	EXPECT_EQ(0xffffffffffff0718, r.r9);
	EXPECT_EQ(0xe5f60718, r.r10);
	EXPECT_EQ(0xa1b2c3d4e5f60718, r.r12);
	vm_free(vcpu->vm);
}

/* Neither module emulates ADDPS: told with the bytes, state untouched. */
ASM_GUEST(mmio_addps, "mov $0xd0000000, %edi; mov $5, %ebx; xorps %xmm1, %xmm1\n"
	  ".globl addps_at\naddps_at: addps (%rdi), %xmm1\n" ASM_DONE);
extern u8 addps_at[];

TEST(internal_error_has_instruction_bytes)
{
	struct vcpu *vcpu = vm_long(mmio_addps);
	struct kvm_run *run = vcpu->run;
	struct kvm_regs r;

	log_mark();
	EXPECT_EXIT(vcpu, KVM_EXIT_INTERNAL_ERROR);
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, run->internal.suberror);
	EXPECT_LE(4, run->emulation_failure.ndata);
	EXPECT_TRUE(run->emulation_failure.flags &
		    KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES);
	EXPECT_LE(3, run->emulation_failure.insn_size);
	EXPECT_GE(15, run->emulation_failure.insn_size);
	EXPECT_EQ(0, memcmp(run->emulation_failure.insn_bytes, addps_at, 3));
	vcpu_regs(vcpu, &r);
	EXPECT_EQ((u64)addps_at, r.rip);
	EXPECT_EQ(0xd0000000, r.rdi);
	EXPECT_EQ(5, r.rbx);
	EXPECT_FALSE(log_has_warning());
	vm_free(vcpu->vm);
}

ASM_GUEST(exec_mmio, "mov $0xd0000000, %eax; jmp *%rax\n");

TEST(executing_mmio)
{
	struct vcpu *vcpu = vm_long(exec_mmio);
	struct kvm_regs r;

	EXPECT_EXIT(vcpu, KVM_EXIT_INTERNAL_ERROR);
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, vcpu->run->internal.suberror);
	vcpu_regs(vcpu, &r);
	EXPECT_EQ(0xd0000000, r.rip);
	vm_free(vcpu->vm);
}

/* ------------------------------------------------------------- HLT, SHUTDOWN */

ASM_GUEST(hlt_twice, "mov $1, %edi; hlt; inc %edi; hlt; inc %edi\n" ASM_DONE);

TEST(hlt)
{
	struct vcpu *vcpu = vm_long(hlt_twice);
	struct ucall uc;

	EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
	EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd);
	EXPECT_EQ(3, uc.a);
	vm_free(vcpu->vm);
}

ASM_GUEST(triple_fault, "movq $0, 0x100000; movw $0, 0x100008; lidt 0x100000; ud2\n");

TEST(shutdown)
{
	struct vcpu *vcpu = vm_long(triple_fault);
	struct kvm_regs r;

	EXPECT_EXIT(vcpu, KVM_EXIT_SHUTDOWN);
	/* A VMM resets the vCPU and goes on. */
	vcpu_long(vcpu, hlt_twice);
	vcpu_regs(vcpu, &r);
	EXPECT_EQ((u64)hlt_twice, r.rip);
	EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
	vm_free(vcpu->vm);
}

/* ----------------------------------------------------------------- real mode */

ASM_GUEST_BITS(real_code, 16,
	       "mov $0x1234, %ax; mov %ax, %ds; mov $0x5678, %ebx; hlt\n"
	       "mov $0xdead, %cx; cpuid; out %al, $0x55; ud2\n");

TEST(real_mode)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0);
	struct kvm_sregs s;

	vm_load(vm, GPA_CODE, real_code, real_code_end);
	vcpu_real(vcpu, GPA_CODE >> 4, 0);
	EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
	vcpu_sregs(vcpu, &s);
	EXPECT_EQ(0x1234, s.ds.selector);
	EXPECT_EQ(0x12340, s.ds.base);
	EXPECT_EXIT(vcpu, KVM_EXIT_IO);
	EXPECT_EQ(0x55, vcpu->run->io.port);
	EXPECT_EXIT(vcpu, KVM_EXIT_IO);
	EXPECT_EQ(6, vcpu_stub_vector(vcpu))
		vcpu_dump(vcpu);
	vm_free(vm);
}

/* Real mode to 32 bits to real mode again, as boot loaders do. */
ASM_GUEST_BITS(mode_switch, 16,
	       "cli; mov %cr0, %eax; or $1, %al; mov %eax, %cr0\n"
	       "ljmpl $0x18, $1f - mode_switch + 0x10000\n"
	       ".code32\n1: mov $0x10, %ax; mov %ax, %ds; mov %ax, %ss\n"
	       "movl $0x600dbeef, 0x100000; hlt\n"
	       "jmp . + 2; mov %cr0, %eax; and $~1, %al; mov %eax, %cr0\n"
	       ".byte 0xea; .long 2f - mode_switch; .word 0x1000\n"
	       ".code16\n2: xor %ax, %ax; mov %ax, %ds; mov $0x77, %al\n"
	       "out %al, $0x55\n");

TEST(real_to_protected_and_back)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0);
	struct kvm_sregs s;

	vm_load(vm, GPA_CODE, mode_switch, mode_switch_end);
	vcpu_real(vcpu, GPA_CODE >> 4, 0);
	EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
	EXPECT_EQ(0x600dbeef, *(u32 *)vm_ptr(vm, GPA_DATA));
	vcpu_sregs(vcpu, &s);
	EXPECT_EQ(1, s.cr0 & 1);
	EXPECT_EQ(0x18, s.cs.selector);
	EXPECT_EXIT(vcpu, KVM_EXIT_IO);
	EXPECT_EQ(0x55, vcpu->run->io.port);
	vcpu_sregs(vcpu, &s);
	EXPECT_EQ(0, s.cr0 & 1);
	EXPECT_EQ(0x1000, s.cs.selector);
	vm_free(vm);
}

/*
 * A task in virtual-8086 mode: its exits find it there, and it goes on there.  Its ports
 * are those that the I/O bitmap in the TSS allows: the bitmap begins at 28H, all zeros.
 */
ASM_GUEST_BITS(enter_v86, 32,
	       "pushl $0; pushl $0; pushl $0x1234; pushl $0; pushl $0x2000; pushl $0x8000\n"
	       "pushl $0x23002; pushl $0x1000; pushl $1f - enter_v86; iretl\n"
	       ".code16\n1: mov $0x11, %al; out %al, $0x55; xor %eax, %eax; cpuid\n"
	       "mov $0x22, %al; out %al, $0x56; mov %ds, %cx; hlt\n");

TEST(virtual_8086_mode)
{
	struct kvm_sregs s;
	struct kvm_regs r;
	struct vcpu *vcpu;
	struct vm *vm;
	u32 *tss;

	SKIP_ON_TCG("#VMEXIT leaves RFLAGS.VM set, and the host dies of it");
	vm = vm_new();
	vcpu = vcpu_new(vm, 0);
	tss = vm_ptr(vm, GPA_TSS);
	vm_load(vm, GPA_CODE, enter_v86, enter_v86_end);
	vcpu_prot32(vcpu, GPA_CODE);
	tss[1] = GPA_STACK;
	tss[2] = SEL_DATA;
	tss[25] = 0x28 << 16;
	for (u32 port = 0x55; port <= 0x56; port++) {
		EXPECT_EXIT(vcpu, KVM_EXIT_IO);
		EXPECT_EQ(port, vcpu->run->io.port);
		vcpu_regs(vcpu, &r);
		vcpu_sregs(vcpu, &s);
		EXPECT_EQ(0x23000, r.rflags & 0x23000);
		EXPECT_EQ(0x10000, s.cs.base);
		EXPECT_EQ(0x2000, s.ss.selector);
		EXPECT_EQ(0x12340, s.ds.base);
	}
	EXPECT_NE(0, r.rbx);			/* CPUID's */
	EXPECT_EXIT(vcpu, KVM_EXIT_IO);		/* HLT is privileged */
	EXPECT_EQ(13, vcpu_stub_vector(vcpu))
		vcpu_dump(vcpu);
	vcpu_regs(vcpu, &r);
	EXPECT_EQ(0, r.rflags & 0x20000);
	EXPECT_EQ(0x1234, r.rcx & 0xffff);
	vm_free(vm);
}

/* Long mode entered by the guest itself: EFER.LMA follows CR0.PG. */
ASM_GUEST_BITS(enter_long, 32,
	       "mov $0x20, %eax; mov %eax, %cr4; mov $0x1000, %eax; mov %eax, %cr3\n"
	       "mov $0xc0000080, %ecx; rdmsr; or $0x100, %eax; wrmsr\n"
	       "mov %cr0, %eax; or $0x80000000, %eax; mov %eax, %cr0\n"
	       "rdmsr; mov %eax, %esi\n"
	       "ljmpl $0x08, $1f - enter_long + 0x10000\n"
	       ".code64\n1: mov $0x1234567812345678, %rdi\n" ASM_DONE);

TEST(enter_long_mode)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0);
	struct kvm_sregs s;
	struct ucall uc;

	vm_load(vm, GPA_CODE, enter_long, enter_long_end);
	vcpu_prot32(vcpu, GPA_CODE);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd);
	EXPECT_EQ(0x1234567812345678, uc.a);
	EXPECT_EQ(0x500, uc.b & 0x500);
	vcpu_sregs(vcpu, &s);
	EXPECT_EQ(0x500, s.efer & 0x500);
	EXPECT_EQ(1, s.cs.l);
	vm_free(vm);
}

/* PAE paging in 32 bits: the four PDPTEs come from memory at MOV CR3. */
ASM_GUEST_BITS(enter_pae, 32,
	       "mov $0x20, %eax; mov %eax, %cr4; mov $0x120000, %eax; mov %eax, %cr3\n"
	       "mov %cr0, %eax; or $0x80000000, %eax; mov %eax, %cr0\n"
	       "mov $0xcafe, %edi; mov %edi, 0x130000; hlt; mov $0xbad, %eax\n"
	       "movl $0x2000, 0x120000; mov %cr3, %eax; mov %eax, %cr3; nop\n"
	       ASM_DONE);

TEST(pae_paging)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0);
	u64 *pdpt = vm_ptr(vm, 0x120000);

	for (int i = 0; i < 4; i++)
		pdpt[i] = (GPA_PD + i * PAGE_SIZE) | 1;
	vm_load(vm, GPA_CODE, enter_pae, enter_pae_end);
	vcpu_prot32(vcpu, GPA_CODE);
	EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
	EXPECT_EQ(0xcafe, *(u32 *)vm_ptr(vm, 0x130000));
	/* The reload finds PDPTE 0 not present: #PF, then no IDT: triple fault. */
	EXPECT_EXIT(vcpu, KVM_EXIT_SHUTDOWN);
	vm_free(vm);
}

/* ------------------------------------------------------------- failed entry */

#define SPOIL(name, what)	static void name(struct kvm_sregs *s) { what; }
SPOIL(bad_tr, s->tr.unusable = 1; s->tr.present = 0)
SPOIL(bad_tr_type, s->tr.type = 3)
SPOIL(bad_cs_type, s->cs.type = 3; s->cs.dpl = 2)
SPOIL(bad_ss_rpl, s->ss.selector = 0x13; s->ss.dpl = 2)
SPOIL(bad_fs_base, s->fs.base = 0x800000000000)
SPOIL(bad_ldt, s->ldt.unusable = 0; s->ldt.present = 1; s->ldt.type = 7)
SPOIL(bad_gdt, s->gdt.base = 0x900000000000)
SPOIL(bad_cs_ld, s->cs.db = 1)

static const struct {
	const char *name;
	void (*spoil)(struct kvm_sregs *s);
} bad_states[] = {
	{ "TR unusable", bad_tr }, { "TR type", bad_tr_type },
	{ "CS type", bad_cs_type }, { "SS RPL and DPL", bad_ss_rpl },
	{ "FS base not canonical", bad_fs_base }, { "LDTR type", bad_ldt },
	{ "GDTR base not canonical", bad_gdt }, { "CS.L with CS.D", bad_cs_ld },
};

TEST(failed_entry)
{
	if (!host_is_intel())
		SKIP(return, "these states fail the entry on VMX only: see svm_test");
	log_mark();
	for (size_t i = 0; i < ARRAY_SIZE(bad_states); i++) {
		struct vcpu *vcpu = vm_long(hlt_twice);
		struct kvm_sregs good, bad;
		struct kvm_regs r;

		vcpu_sregs(vcpu, &good);
		bad = good;
		bad_states[i].spoil(&bad);
		if (vcpu_set_sregs(vcpu, &bad)) {
			/* Refused at once is as good. */
			vm_free(vcpu->vm);
			continue;
		}
		for (int n = 0; n < 3; n++) {
			u32 reason = vcpu_exit(vcpu);

			EXPECT_TRUE(reason == KVM_EXIT_FAIL_ENTRY ||
				    reason == KVM_EXIT_INTERNAL_ERROR)
				TH_LOG("%s: %s", bad_states[i].name,
				       exit_name(reason));
			if (reason == KVM_EXIT_FAIL_ENTRY) {
				EXPECT_EQ(0x80000021,
					  vcpu->run->fail_entry.hardware_entry_failure_reason)
					TH_LOG("%s", bad_states[i].name);
			}
		}
		vcpu_regs(vcpu, &r);
		EXPECT_EQ((u64)hlt_twice, r.rip);
		EXPECT_EQ(0, vcpu_set_sregs(vcpu, &good));
		EXPECT_EQ(KVM_EXIT_HLT, vcpu_exit(vcpu))
			TH_LOG("%s: no recovery", bad_states[i].name);
		vm_free(vcpu->vm);
	}
	EXPECT_FALSE(log_has_warning());
}

/* No memory where the vCPU starts: the first fetch fails, and that is told. */
TEST(no_memory_at_reset_vector)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = vcpu_bare(vm, 0);

	vm_add(vm, 0, 0, 1 << 30, PAGE_SIZE);
	for (int i = 0; i < 2; i++)
		EXPECT_EXIT(vcpu, KVM_EXIT_INTERNAL_ERROR);
	vm_free(vm);
}

/* No memory at all: the stock module says ENOSPC, an exit is as good. */
TEST(no_memory_at_all)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = vcpu_bare(vm, 0);

	for (int i = 0; i < 2; i++) {
		int ret = vcpu_run(vcpu);

		EXPECT_TRUE(ret == -ENOSPC || ret == 0);
		if (!ret)
			EXPECT_EQ(KVM_EXIT_INTERNAL_ERROR, vcpu->run->exit_reason);
	}
	vm_free(vm);
}

TEST_HARNESS_MAIN
