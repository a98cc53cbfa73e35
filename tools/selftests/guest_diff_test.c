// SPDX-License-Identifier: GPL-2.0
/*
 * guest_diff_test - does a guest see the same here as on the stock module?
 *
 * Guards: the guest-visible behaviour of everything that exits or is emulated.
 * A snippet of a few instructions is run on /dev/minikvm and on /dev/kvm in the
 * same boot, in each CPU mode it makes sense in, with each of a few disturbances
 * (single step, a shadow, an NMI, ...).  All exits with the registers and events
 * at each, the state at the end and memory are compared.  A second part strings
 * snippets together at random; the seed is printed, and GUEST_DIFF_SEED,
 * GUEST_DIFF_ROUNDS choose another.
 *
 * Not compared: a debugger's single step (stock loses steps and halts; debug_test
 * has ours), RDTSC's time, MSRs one by one (msr_test).
 *
 * Flow: SNIP() assembles a snippet three times; side_reset() puts a vCPU of each
 * side into the mode; side_run() records; compare() looks for the first
 * difference, and known[] says which are accepted, and why.
 *
 * It needs both devices (testhost --modules both); otherwise it skips.
 */
#include <kselftest_harness.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "minikvm_util.h"

#define STOCK_DEV	"/dev/kvm"
#define OUR_DEV		"/dev/minikvm"

/* Guest-physical layout; tables lie where minikvm_util.h has them. */
#define RAM_END		0x40000UL
#define GPA_PD32	0xb000
#define GPA_PAE		0xe000
#define GPA_STUB64	0xf000
#define CODE		0x10000
#define DATA		0x20000
#define RSP0_STACK	0x1b000
#define FS_BASE		(RAM_END - 0x1000)	/* FS:1000 is a hole */
#define ROM		0x80000UL		/* read-only slot, GS:1000 */
#define ROM_SIZE	0x4000UL
#define GS_BASE		(ROM - 0x1000)
#define END_PORT	0x78

#define SEL_UCODE32	0x23
#define SEL_CODE16	0x48
#define SEL_CALLGATE	0x58
#define SEL_LDT		0x70
#define SEL_NP		0x80
#define SEL_TSS2	0x88
#define SEL_UCODE16	0x9b

enum mode { L64, L64U, C32, C32U, P32, P32U, PAE, P16, REAL, VM86, NR_MODES };
static const char * const mode_names[] = {
	"long", "long-user", "compat", "compat-user", "prot32", "prot32-user",
	"pae", "prot16", "real", "vm86",
};

enum variant { PLAIN, TF, HWBP, SS_TF, SS_BP, STI_TF, NMI, IRQ, STI_NMI, STI_IRQ,
	       SS_IRQ, RF_BP, NR_VARIANTS };
static const char * const variant_names[] = {
	"plain", "TF", "hwbp", "movss+TF", "movss+hwbp", "sti+TF", "nmi", "irq",
	"sti+nmi", "sti+irq", "movss+irq", "RF+hwbp",
};

#define M(mode)		(1 << (mode))
#define ANY_TF		(M(TF) | M(SS_TF) | M(STI_TF))
/* Sets of modes for SNIP(): numbers for the assembler. */
#define ALL		"0x3ff"
#define KERNEL		"0x1d5"		/* CPL 0 */
#define LONG		"0x003"
#define LEGACY		"0x3fc"		/* all but 64-bit mode */
#define PROT		"0x0ff"		/* neither real nor virtual-8086 mode */
#define PROT32		"0x0fc"

/* ---- snippets ---- */

struct snip {
	const char *name;
	const u8 *code[3], *end[3];	/* 16, 32, 64 bits */
	u64 modes;
};

#define SNIP(name, modes, text)						\
	asm(".pushsection snip_code, \"a\"\n"				\
	    ".set BITS, 16\n.code16\n91: " text "\n94:\n"		\
	    ".set BITS, 32\n.code32\n92: " text "\n95:\n"		\
	    ".set BITS, 64\n.code64\n93: " text "\n96:\n"		\
	    "97: .asciz \"" name "\"\n.popsection\n"			\
	    ".pushsection snip_table, \"aw\"\n"				\
	    ".quad 97b, 91b, 92b, 93b, 94b, 95b, 96b, " modes "\n"	\
	    ".popsection\n");

#include "guest_diff_snips.h"

extern const struct snip __start_snip_table[], __stop_snip_table[];
#define NR_SNIPS ((int)(__stop_snip_table - __start_snip_table))

/* ---- what is accepted ---- */

static const struct known {
	const char *name;	/* a pattern for snippets' names */
	u32 modes, variants;	/* 0: all */
	const char *why;
} known[] = {
	{ "taskgate*", 0, 0, "hardware task switches are not emulated" },
	{ "outs", 0, 0, "OUTS is sent in one exit, and posted; stock sends items" },
	{ "std ins", 0, 0, "INS with DF is asked for one item at a time" },
	{ "clflush mmio", 0, 0, "CLFLUSH of MMIO reads nothing; stock reads a byte" },
	{ ".byte 0x0f,0x01,0xd9", 0, 0, "VMMCALL is #UD on Intel; stock patches it to VMCALL" },
	{ "vmcall *", 0, 0, "no paravirtual hypercalls, so their errors are of unknown ones" },
	{ "cr3 rom", 0, 0, "stock never ends" },
	{ "cr3 mmio", 0, 0, "PDPTEs in MMIO: an internal error; stock emulates MOV CR3" },
	{ "cr3 far", 0, 0, "the same" },
	{ "cr3 ones", 0, 0, "the same" },
	{ "pml4 to *", 0, 0, "stock takes the page table's address for the operand's" },
	{ "pt in rom", 0, 0, "the same" },
	{ "imul *", 0, 0, "flags that the SDM leaves undefined" },
	{ "mull *", 0, 0, "the same" },
	{ "bsf *", 0, 0, "the same" },
	{ "movq *", 0, 0, "MMX is not emulated" },
	{ "fnstcw *", 0, 0, "x87 is not emulated" },
	{ "popcnt *", 0, 0, "stock does not emulate it" },
	{ "movbe *", 0, 0, "stock forgets an operand-size prefix in 16-bit code" },
	{ "mov %fs:*,%es", 0, 0, "a selector is not read from MMIO" },
	{ "lgdt %fs:*", 0, 0, "descriptor tables are not read from MMIO; stock never ends" },
	{ "sgdt %fs:*", 0, 0, "the same" },
	{ "gdt mmio ds", 0, 0, "the same" },
	{ "fxsave mmio", 0, 0, "not emulated; stock never ends" },
	{ "idt mmio *", M(REAL), 0, "not emulated, RFLAGS.TF is as Bochs leaves it" },
	{ "rdtsc*", 0, 0, "the time is seen" },
	{ "store *", 0, ANY_TF, "stock loses the single step of an emulated write" },
	{ "rmw *", 0, ANY_TF, "the same" },
	{ "lock *", 0, ANY_TF, "the same" },
	{ "alias rom write", 0, ANY_TF, "the same" },
	{ "pde bit 39", 0, ANY_TF, "the same" },
	{ "*mmio w", 0, ANY_TF, "the same" },
	{ "tf mmio", 0, ANY_TF, "the same" },
	{ "ac mmio", 0, ANY_TF, "the same" },
	{ "*%[fg]s:*", 0, ANY_TF, "the same" },
	{ "tf ins", 0, ANY_TF, "each iteration is a step (SDM 18.3.1.4); stock does them in one" },
	{ "rep *", 0, ANY_TF, "the same" },
	{ "data bp insb", 0, ANY_TF, "the same" },
	{ "out %al,$0x7e", 0, ANY_TF, "the step comes after the exit" },
	{ "stack mmio *", 0, 0, "DELIVERY_EV at once; stock emulates the instruction at RIP" },
	{ "lss", 0, 0, "the same" },
};

static bool name_matches(const char *pattern, const char *name)
{
	return !fnmatch(pattern, name, 0);
}

static const char *is_known(const char *name, enum mode mode, enum variant v)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (name_matches(known[i].name, name) &&
		    (!known[i].modes || known[i].modes & M(mode)) &&
		    (!known[i].variants || known[i].variants & M(v)))
			return known[i].why;
	return NULL;
}

/* ---- the record of a run ---- */

#define MAX_EXITS	24
#define NR_MSRS		11

static const u32 final_msrs[NR_MSRS] = {
	0x174, 0x175, 0x176, 0x1a0, 0x1d9, 0x277, 0xc0000080, 0xc0000081, 0xc0000082,
	0xc0000084, 0xc0000102,
};

struct exit_rec {
	int ret;
	u32 reason;
	u64 data[4];
	struct kvm_regs regs;
	struct kvm_vcpu_events ev;
};

struct final_rec {
	struct kvm_sregs sregs;
	struct kvm_debugregs dbg;
	struct kvm_xcrs xcrs;
	u64 msrs[NR_MSRS];
};

/* A word of memory that the run has changed. */
struct word {
	u64 addr, val;
};

#define MAX_WORDS	48

struct result {
	struct final_rec fin;
	int n, nr_words;
	struct word words[MAX_WORDS];
	struct exit_rec e[];
};

struct guest_case {
	const char *name;
	enum mode mode;
	enum variant variant;
	u8 code[160];
	size_t len;
	struct result *res[2];		/* ours, stock's */
};

static const char * const devs[2] = { OUR_DEV, STOCK_DEV };
static struct cpuid_buf cpuid;

/* Where the current side's guest lives, and what its last run has recorded. */
static struct side {
	const char *dev;
	struct vm *vm;
	struct vcpu *vcpu;
	u8 *rom;
	int n;
	struct exit_rec e[MAX_EXITS];
	struct final_rec fin;
} the_side;

/* What memory holds before a run, up to LOW_END; above only RAM's last page is used. */
#define LOW_END		0x22000UL
static u8 images[NR_MODES][LOW_END];
static u8 *image;

/* ---- memory ---- */

static void put_gate64(u8 *ram, int n, u64 to, u16 sel, int dpl)
{
	u64 *idt = (u64 *)(ram + GPA_IDT);

	idt[2 * n] = (to & 0xffff) | (u64)sel << 16 | (0x8eULL | dpl << 5) << 40;
	idt[2 * n + 1] = 0;
}

static void put_gate32(u8 *ram, int n, u64 to, u16 sel, int dpl)
{
	((u64 *)(ram + GPA_IDT32))[n] = (to & 0xffff) | (u64)sel << 16 |
					(0x8eULL | dpl << 5) << 40;
}

/* nop; out; iret: errors end the run, so that nothing has to be popped. */
static void build_stubs(u8 *ram, enum mode mode)
{
	u64 *stub = (u64 *)(ram + GPA_STUB), *stub64 = (u64 *)(ram + GPA_STUB64);
	u32 *ivt = (u32 *)ram;

	for (int n = 0; n < 256; n++) {
		int dpl = n == 3 || n == 4 || n >= 0x40 ? 3 : 0;

		stub[n] = 0xcf00e690ULL | STUB_PORT << 16;
		stub64[n] = 0xcf4800e690ULL | STUB_PORT << 16;
		put_gate64(ram, n, GPA_STUB64 + 8 * n, SEL_CODE64, dpl);
		put_gate32(ram, n, GPA_STUB + 8 * n, SEL_CODE32, dpl);
		if (mode == REAL)
			ivt[n] = GPA_STUB + 8 * n;
	}
	/* Odd gates: not present, a data selector, a hole, a task gate. */
	((u64 *)(ram + GPA_IDT))[2 * 0x60] &= ~(0x80ULL << 40);
	((u64 *)(ram + GPA_IDT32))[0x60] &= ~(0x80ULL << 40);
	put_gate64(ram, 0x61, GPA_STUB64, SEL_DATA, 3);
	put_gate32(ram, 0x61, GPA_STUB, SEL_DATA, 3);
	put_gate64(ram, 0x62, GPA_STUB64, SEL_NP, 3);
	put_gate32(ram, 0x62, GPA_STUB, SEL_NP, 3);
	((u64 *)(ram + GPA_IDT32))[0x63] = (u64)SEL_TSS2 << 16 | 0xe5ULL << 40;
}

static void build_tables(u8 *ram, enum mode mode)
{
	bool lm = mode <= C32U;
	u64 *gdt = (u64 *)(ram + GPA_GDT), *p;

	gdt[1] = lm ? 0x00af9b000000ffff : 0x00cf9b000000ffff;
	gdt[2] = 0x00cf93000000ffff;
	gdt[3] = 0x00cf9b000000ffff;
	gdt[4] = 0x00cffb000000ffff;
	gdt[5] = 0x00cff3000000ffff;
	gdt[6] = 0x00affb000000ffff;
	gdt[7] = 0x00008b0000000067 | (u64)GPA_TSS << 16;
	gdt[9] = 0x00009b000000ffff;
	gdt[11] = lm ? 0x0000ec0000000000 | SEL_CODE64 << 16 | (GPA_STUB64 + 8 * 0x70) :
		  0x0000ec0000000000 | SEL_CODE32 << 16 | (GPA_STUB + 8 * 0x70);
	gdt[14] = 0x000082000000001f | (u64)0x1c00 << 16;
	gdt[16] = 0x00cf13000000ffff;			/* not present */
	gdt[17] = 0x0000890000000067 | (u64)0x9100 << 16;
	gdt[19] = 0x0000fb000000ffff;
	if (lm)
		*(u64 *)(ram + GPA_TSS + 4) = RSP0_STACK;
	else
		*(u64 *)(ram + GPA_TSS + 4) = RSP0_STACK | (u64)SEL_DATA << 32;
	*(u16 *)(ram + GPA_TSS + 102) = 0x68;

	*(u64 *)(ram + GPA_PML4) = GPA_PDPT | 7;
	p = (u64 *)(ram + GPA_PD);
	for (u64 i = 0; i < 4; i++) {
		((u64 *)(ram + GPA_PDPT))[i] = (GPA_PD + i * PAGE_SIZE) | 7;
		((u64 *)(ram + GPA_PAE))[i] = (GPA_PD + i * PAGE_SIZE) | 1;
	}
	for (u64 i = 0; i < 2048; i++)
		p[i] = i << 21 | 0x87;
	for (u64 i = 0; i < 1024; i++)
		((u32 *)(ram + GPA_PD32))[i] = i << 22 | 0x87;
	build_stubs(ram, mode);
}

static void put_pseudo(u8 *p, u16 limit, u64 base)
{
	memcpy(p, &limit, 2);
	memcpy(p + 2, &base, 8);
}

/* What snippets find at (%ebx): see guest_diff_snips.h. */
static void build_data(u8 *ram, enum mode mode)
{
	u8 *d = ram + DATA;

	put_pseudo(d, 22 * 8 - 1, GPA_GDT);
	put_pseudo(d + 0x10, mode <= C32U ? 4095 : mode == REAL ? 0x3ff : 2047,
		   mode <= C32U ? GPA_IDT : mode == REAL ? 0 : GPA_IDT32);
	put_pseudo(d + 0x20, 4095, 0x8000000000000000);
	put_pseudo(d + 0x30, 0x1f, FS_BASE + 0x1000);
	memcpy(d + 0x44, &(u32){ SEL_CALLGATE }, 4);
	for (int i = 0x80; i < 0x100; i++)
		d[i] = i * 37;
}

/* ---- a vCPU in its mode ---- */

static bool is_user(enum mode m)
{
	return m == L64U || m == C32U || m == P32U || m == VM86;
}

static bool is_flat(enum mode m)
{
	return m != REAL && m != VM86;
}

static int bits_index(enum mode m)
{
	return m <= L64U ? 2 : m <= PAE ? 1 : 0;
}

static void seg16(struct kvm_segment *s, u64 base, int type, int dpl)
{
	*s = (struct kvm_segment) { .base = base, .selector = base >> 4, .limit = 0xffff,
		.type = type, .present = 1, .dpl = dpl, .s = 1 };
}

static void set_segments(struct kvm_sregs *s, enum mode m)
{
	static const u16 cs[] = { SEL_CODE64, SEL_UCODE, SEL_CODE32, SEL_UCODE32, SEL_CODE32,
				  SEL_UCODE32, SEL_CODE32, SEL_CODE16 };
	int dpl = is_user(m) ? 3 : 0;

	if (!is_flat(m)) {
		seg16(&s->cs, CODE, m == REAL ? 11 : 3, dpl);
		seg16(&s->ds, DATA, 3, dpl);
		s->es = s->ds;
		seg16(&s->ss, CODE, 3, dpl);
		seg16(&s->fs, FS_BASE, 3, dpl);
		seg16(&s->gs, GS_BASE, 3, dpl);
		return;
	}
	seg_set(&s->cs, cs[m], 11, m <= L64U, m != P16 && m > L64U, dpl);
	if (m == P16) {
		s->cs.limit = 0xffffffff;
		s->cs.g = 1;
	}
	seg_set(&s->ds, dpl ? SEL_UDATA : SEL_DATA, 3, 0, 1, dpl);
	s->es = s->ds;
	s->ss = s->ds;
	s->fs = s->ds;
	s->gs = s->ds;
	s->fs.base = FS_BASE;
	s->gs.base = GS_BASE;
}

static void set_sregs(struct side *side, enum mode m)
{
	struct kvm_sregs s;

	vcpu_sregs(side->vcpu, &s);
	set_segments(&s, m);
	s.gdt.base = GPA_GDT;
	s.gdt.limit = 22 * 8 - 1;
	s.idt.base = m <= C32U ? GPA_IDT : m == REAL ? 0 : GPA_IDT32;
	s.idt.limit = m <= C32U ? 4095 : m == REAL ? 0x3ff : 2047;
	seg_set(&s.tr, SEL_TSS, 11, 0, 0, 0);
	s.tr.s = 0;
	s.tr.g = 0;
	s.tr.base = GPA_TSS;
	s.tr.limit = 0x67;
	memset(&s.ldt, 0, sizeof(s.ldt));
	s.ldt.unusable = 1;
	s.cr0 = m == REAL ? 0x10 : m == P32 || m == P16 ? 0x33 : 0x80050033;
	s.cr2 = 0;
	s.cr3 = m <= C32U ? GPA_PML4 : m == PAE ? GPA_PAE : m == P32U || m == VM86 ? GPA_PD32 : 0;
	s.cr4 = m <= C32U || m == PAE ? 0x620 : m == REAL ? 0 : 0x610;
	s.cr8 = 0;
	s.efer = m <= C32U ? 0xd01 : 0;
	side->vcpu->run->cr8 = 0;
	if (vcpu_set_sregs(side->vcpu, &s))
		die("KVM_SET_SREGS on %s in %s", side->dev, mode_names[m]);
}

static void set_state(struct side *side, enum mode m, u64 rflags)
{
	u64 base = is_flat(m) ? CODE : 0, data = is_flat(m) ? DATA : 0;
	struct kvm_regs r = { .rip = base, .rsp = base + 0x8000, .rflags = rflags,
		.rbx = data, .rax = 0x1234567, .rcx = 0x10, .rdx = 0x89abcdef, .rbp = data + 0x80,
		.rsi = 0, .rdi = data + 0x90, .r8 = 8, .r9 = 9, .r15 = 15 };
	struct kvm_vcpu_events ev = { .flags = KVM_VCPUEVENT_VALID_SHADOW };
	struct kvm_debugregs dbg = { .dr6 = 0xffff0ff0, .dr7 = 0x400 };
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .value = 1 } } };
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };
	static const struct { u32 index; u64 val; } msrs[] = {
		{ 0x174, SEL_CODE64 }, { 0x175, 0x19000 }, { 0x176, GPA_STUB64 + 8 * 0x71 },
		{ 0xc0000081, 0x0023000800000000 }, { 0xc0000082, GPA_STUB64 + 8 * 0x72 },
		{ 0xc0000083, GPA_STUB64 + 8 * 0x73 }, { 0xc0000084, 0x4700 },
		{ 0xc0000102, 0x5000 }, { 0x1d9, 0 },
	};

	set_sregs(side, m);
	vcpu_set_regs(side->vcpu, &r);
	vcpu_set_events(side->vcpu, &ev);
	kioctlp(side->vcpu->fd, KVM_SET_DEBUGREGS, &dbg);
	kioctlp(side->vcpu->fd, KVM_SET_MP_STATE, &mp);
	kioctlp(side->vcpu->fd, KVM_SET_XCRS, &xcrs);
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		vcpu_set_msr(side->vcpu, msrs[i].index, msrs[i].val);
}

static void side_free(struct side *side)
{
	if (side->vm) {
		vm_free(side->vm);
		munmap(side->rom, ROM_SIZE);
	}
	side->vm = NULL;
}

/* A vCPU that never ran, on a VM of its own. */
static void side_new(struct side *side)
{
	int ret;

	side_free(side);
	setenv("MINIKVM_DEV", side->dev, 1);
	side->vm = vm_bare();
	if (kioctl(side->vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000))
		die("KVM_SET_TSS_ADDR");
	side->vm->ram = vm_anon(RAM_SIZE);	/* vm_free() unmaps that much */
	side->rom = vm_anon(ROM_SIZE);
	memset(side->rom, 0x90, ROM_SIZE);
	ret = vm_slot(side->vm, 0, 0, 0, RAM_END, side->vm->ram);
	if (!ret)
		ret = vm_slot(side->vm, 1, KVM_MEM_READONLY, ROM, ROM_SIZE, side->rom);
	if (ret)
		die("memory slots: %d", ret);
	side->vcpu = vcpu_bare(side->vm, 0);
	if (kioctlp(side->vcpu->fd, KVM_SET_CPUID2, &cpuid))
		die("KVM_SET_CPUID2 on %s", side->dev);
}

/* The test host may have /dev/kvm lead to minikvm: that is one, not both. */
static bool both_there(void)
{
	struct stat ours, stock;

	return !access(STOCK_DEV, R_OK | W_OK) && !access(OUR_DEV, R_OK | W_OK) &&
	       !stat(OUR_DEV, &ours) && !stat(STOCK_DEV, &stock) &&
	       ours.st_rdev != stock.st_rdev;
}

/* ---- one run ---- */

static u32 prefix(u8 *code, enum variant v)
{
	switch (v) {
	case STI_TF:
	case STI_NMI:
	case STI_IRQ:
		code[0] = 0xfb;
		return 1;
	case SS_TF:
	case SS_BP:
	case SS_IRQ:
		memcpy(code, "\x8c\xd0\x8e\xd0", 4);
		return 4;
	default:
		return 0;
	}
}

static u64 first_rflags(enum mode m, enum variant v)
{
	u64 rflags = 0x2;

	if (v == TF || v == SS_TF || v == STI_TF)
		rflags |= 0x100;
	if (v == IRQ || v == SS_IRQ)
		rflags |= 0x200;
	if (v == RF_BP)
		rflags |= 0x10000;
	if (is_user(m) && (v == STI_TF || v == STI_NMI || v == STI_IRQ || m == VM86))
		rflags |= 0x3000;
	return m == VM86 ? rflags | 0x20000 : rflags;
}

static void disturb(struct side *side, enum variant v, u64 at)
{
	struct kvm_debugregs dbg = { .db = { at }, .dr6 = 0xffff0ff0, .dr7 = 0x402 };

	if (v == HWBP || v == SS_BP || v == RF_BP)
		kioctlp(side->vcpu->fd, KVM_SET_DEBUGREGS, &dbg);
	if (v == NMI || v == STI_NMI)
		kioctl(side->vcpu->fd, KVM_NMI, 0);
	side->vcpu->run->request_interrupt_window = v == IRQ || v == STI_IRQ || v == SS_IRQ;
}

/* Everything from the same start: memory, state, code. */
static void side_reset(struct side *side, enum mode m, enum variant v, const u8 *code, size_t len)
{
	u8 *ram = side->vm->ram;
	u32 n;

	image = images[m];
	if (!image[GPA_PML4]) {
		build_tables(image, m);
		build_data(image, m);
	}
	memset(image + CODE, 0, 0xf00);
	memset(image + CODE + 0xf00, 0xf4, 0x100);
	n = prefix(image + CODE, v);
	memcpy(image + CODE + n, code, len);
	/* The end: OUT, or the #GP it gives. */
	memcpy(image + CODE + n + len, "\xe6\x78\xf4\xeb\xfe", 5);
	memcpy(ram, image, LOW_END);
	memset(ram + RAM_END - PAGE_SIZE, 0, PAGE_SIZE);
	set_state(side, m, first_rflags(m, v));
	disturb(side, v, CODE + n);
}

static void fill_data(struct side *side, struct exit_rec *e)
{
	struct kvm_run *run = side->vcpu->run;

	switch (e->reason) {
	case KVM_EXIT_IO:
		e->data[0] = run->io.port | run->io.size << 16 | run->io.direction << 24;
		e->data[1] = run->io.count;
		if (run->io.direction == KVM_EXIT_IO_OUT)
			memcpy(&e->data[2], (u8 *)run + run->io.data_offset, run->io.size);
		else
			memset((u8 *)run + run->io.data_offset, 0x5a,
			       run->io.size * run->io.count);
		break;
	case KVM_EXIT_MMIO:
		e->data[0] = run->mmio.phys_addr;
		e->data[1] = run->mmio.len | run->mmio.is_write << 8;
		if (run->mmio.is_write)
			memcpy(&e->data[2], run->mmio.data, run->mmio.len);
		else
			memset(run->mmio.data, 0xa5, 8);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		/* Stock says DELIVERY_EV for MMIO that it met before, else EMULATION. */
		e->data[0] = run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION &&
			     run->internal.suberror != KVM_INTERNAL_ERROR_DELIVERY_EV;
		break;
	case KVM_EXIT_DEBUG:
		e->data[0] = run->debug.arch.exception;
		e->data[1] = run->debug.arch.pc;
		e->data[2] = run->debug.arch.dr6;
		e->data[3] = run->debug.arch.dr7;
		break;
	default:
		break;
	}
}

/* Does the run end here?  Faults with an error code end it: no stub pops it. */
static bool is_end(const struct exit_rec *e)
{
	u16 port = e->data[0];

	if (e->ret || e->reason == KVM_EXIT_SHUTDOWN || e->reason == KVM_EXIT_INTERNAL_ERROR ||
	    e->reason == KVM_EXIT_FAIL_ENTRY)
		return true;
	if (e->reason != KVM_EXIT_IO)
		return false;
	if (port == END_PORT)
		return true;
	if (port == STUB_PORT) {
		u64 rip = e->regs.rip;
		u64 stub = rip >= GPA_STUB64 && rip < GPA_STUB64 + 0x800 ? GPA_STUB64 : GPA_STUB;
		u32 vec = (rip - stub) / 8;

		return vec != 1 && vec != 2 && vec != 3 && vec != 4 && vec < 0x20;
	}
	return false;
}

/* What a field says of an event that is not there is nobody's business. */
static void tidy_events(struct kvm_vcpu_events *ev, u32 reason)
{
	/* Stock queues a #UD that no one waits for, and does not tell of INT3's. */
	if (reason == KVM_EXIT_INTERNAL_ERROR) {
		memset(&ev->exception, 0, sizeof(ev->exception));
		ev->interrupt.injected = 0;
	}
	/* Without KVM_CAP_EXCEPTION_PAYLOAD a VMM is told of "injected" only. */
	ev->exception.pending = 0;
	ev->flags &= ~KVM_VCPUEVENT_VALID_SMM;
	if (!ev->exception.injected)
		memset(&ev->exception, 0, sizeof(ev->exception));
	if (!ev->exception_has_payload)
		ev->exception_payload = 0;
	if (!ev->interrupt.injected)
		ev->interrupt.nr = 0;
}

static void side_run(struct side *side)
{
	struct itimerval it = { { 0, 40000 }, { 0, 40000 } };
	int hangs = 0;

	setitimer(ITIMER_REAL, &it, NULL);
	memset(side->e, 0, sizeof(side->e));
	side->n = 0;
	while (side->n < MAX_EXITS) {
		struct exit_rec *e = &side->e[side->n];

		e->ret = vcpu_run(side->vcpu);
		if (e->ret == -EINTR && hangs++ < 1)
			continue;
		side->n++;
		e->reason = e->ret ? 0 : side->vcpu->run->exit_reason;
		if (!e->ret)
			fill_data(side, e);
		vcpu_regs(side->vcpu, &e->regs);
		vcpu_events(side->vcpu, &e->ev);
		tidy_events(&e->ev, e->reason);
		if (e->ret == -EINTR) {		/* where it spins is chance */
			memset(&e->regs, 0, sizeof(e->regs));
			memset(&e->ev, 0, sizeof(e->ev));
			break;
		}
		if (is_end(e))
			break;
		if (e->reason == KVM_EXIT_IRQ_WINDOW_OPEN) {
			struct kvm_interrupt irq = { .irq = 0x42 };

			side->vcpu->run->request_interrupt_window = 0;
			kioctlp(side->vcpu->fd, KVM_INTERRUPT, &irq);
		}
	}
	setitimer(ITIMER_REAL, &(struct itimerval) { 0 }, NULL);
	memset(&side->fin, 0, sizeof(side->fin));
	vcpu_sregs(side->vcpu, &side->fin.sregs);
	kioctlp(side->vcpu->fd, KVM_GET_DEBUGREGS, &side->fin.dbg);
	kioctlp(side->vcpu->fd, KVM_GET_XCRS, &side->fin.xcrs);
	for (int i = 0; i < NR_MSRS; i++)
		vcpu_get_msr(side->vcpu, final_msrs[i], &side->fin.msrs[i]);
}

static struct result *side_result(struct side *side)
{
	struct result *r = calloc(1, sizeof(*r) + side->n * sizeof(r->e[0]));
	const u64 *old = (u64 *)image, *new = (u64 *)side->vm->ram;

	if (!r)
		die("out of memory");
	r->n = side->n;
	r->fin = side->fin;
	memcpy(r->e, side->e, side->n * sizeof(r->e[0]));
	for (u64 a = 0; a < LOW_END; a += PAGE_SIZE) {
		if (!memcmp((u8 *)old + a, (u8 *)new + a, PAGE_SIZE))
			continue;
		for (u64 i = a / 8; i < (a + PAGE_SIZE) / 8; i++)
			if (old[i] != new[i] && r->nr_words < MAX_WORDS)
				r->words[r->nr_words++] = (struct word) { i * 8, new[i] };
	}
	return r;
}

/* ---- comparing ---- */

static void print_exits(const char *dev, const struct result *r)
{
	for (int i = 0; i < r->n && i < 12; i++) {
		const struct exit_rec *e = &r->e[i];

		printf("#  %s %d: ret %d %s %llx %llx %llx rip %llx rsp %llx fl %llx ",
		       dev + 5, i, e->ret, e->ret ? "-" : exit_name(e->reason),
		       (long long)e->data[0], (long long)e->data[1], (long long)e->data[2],
		       e->regs.rip, e->regs.rsp, e->regs.rflags);
		printf("rax %llx rcx %llx rdx %llx\n", e->regs.rax, e->regs.rcx, e->regs.rdx);
	}
}

static void print_bytes(const char *what, const void *pa, const void *pb, size_t len)
{
	const u8 *a = pa, *b = pb;
	int shown = 0;

	for (size_t i = 0; i < len && shown < 8; i++) {
		if (a[i] != b[i]) {
			printf("#  %s+%#zx: %02x, stock %02x\n", what, i, a[i], b[i]);
			shown++;
		}
	}
}

static bool differs(const char *what, const void *a, const void *b, size_t len, bool show)
{
	if (!memcmp(a, b, len))
		return false;
	if (show)
		print_bytes(what, a, b, len);
	return true;
}

#define DIFFERS(field) differs(#field, &a->field, &b->field, sizeof(a->field), show)

static bool final_differs(const struct final_rec *a, const struct final_rec *b, bool show)
{
	bool d = DIFFERS(sregs.cs) | DIFFERS(sregs.ds) | DIFFERS(sregs.es) | DIFFERS(sregs.ss);

	d |= DIFFERS(sregs.fs) | DIFFERS(sregs.gs) | DIFFERS(sregs.tr) | DIFFERS(sregs.ldt);
	d |= DIFFERS(sregs.gdt) | DIFFERS(sregs.idt) | DIFFERS(sregs.cr0) | DIFFERS(sregs.cr2);
	d |= DIFFERS(sregs.cr3) | DIFFERS(sregs.cr4) | DIFFERS(sregs.cr8) | DIFFERS(sregs.efer);
	d |= DIFFERS(sregs.interrupt_bitmap) | DIFFERS(dbg) | DIFFERS(xcrs) | DIFFERS(msrs);
	return d;
}

static bool words_differ(const struct result *a, const struct result *b, bool show)
{
	bool d = DIFFERS(words);

	for (int i = 0; d && show && i < MAX_WORDS; i++)
		if (memcmp(&a->words[i], &b->words[i], sizeof(a->words[i]))) {
			printf("#  ram %#llx = %#llx, stock %#llx = %#llx\n",
			       (long long)a->words[i].addr, (long long)a->words[i].val,
			       (long long)b->words[i].addr, (long long)b->words[i].val);
			break;
		}
	return d;
}

/* First the exits, then what is left behind.  True if there is a difference. */
static bool results_differ(const struct result *a, const struct result *b, bool show)
{
	bool d = a->n != b->n;

	for (int i = 0; i < a->n && i < b->n && !d; i++) {
		if (!memcmp(&a->e[i], &b->e[i], sizeof(a->e[i])))
			continue;
		d = true;
		if (show) {
			printf("#  exit %d:\n", i);
			print_bytes("regs", &a->e[i].regs, &b->e[i].regs, sizeof(a->e[i].regs));
			print_bytes("events", &a->e[i].ev, &b->e[i].ev, sizeof(a->e[i].ev));
		}
	}
	if (show) {
		print_exits(OUR_DEV, a);
		print_exits(STOCK_DEV, b);
	}
	d |= final_differs(&a->fin, &b->fin, show);
	d |= words_differ(a, b, show);
	return d;
}

static void print_code(const struct guest_case *c)
{
	printf("#  code");
	for (size_t i = 0; i < c->len; i++)
		printf(" %02x", c->code[i]);
	printf("\n");
}

/* ---- many cases, first all on one side ---- */

#define MAX_CASES	8192

static struct guest_case *cases[MAX_CASES];
static int nr_cases;

static void add_case(const char *name, enum mode m, enum variant v, const u8 *code, size_t len)
{
	struct guest_case *c = calloc(1, sizeof(*c));

	if (!c || nr_cases == MAX_CASES || len > sizeof(c->code))
		die("case %s does not fit", name);
	c->name = name;
	c->mode = m;
	c->variant = v;
	c->len = len;
	memcpy(c->code, code, len);
	cases[nr_cases++] = c;
}

/*
 * Let the guest touch every page first, so that no EPT violation hits an event's
 * delivery on one side only: Bochs then sets RF in the frame of a trap.
 */
static void side_warm_up(struct side *side)
{
	/* 1: lock orb $0, (rax); add $0x1000, eax; cmp $RAM_END, eax; jb 1b */
	static const u8 code[] = "\x31\xc0\xf0\x80\x08\x00\x05\x00\x10\x00\x00"
				 "\x3d\x00\x00\x04\x00\x72\xf0";

	side_new(side);
	side_reset(side, L64, PLAIN, code, sizeof(code) - 1);
	side_run(side);
	if (side->e[0].reason != KVM_EXIT_IO)
		die("the warm-up ends with %s", exit_name(side->e[0].reason));
}

/* Only one of the modules can have VMs at a time: the other's VMX is off. */
static void run_side(int n)
{
	struct side *side = &the_side;

	side->dev = devs[n];
	side_warm_up(side);
	for (int i = 0; i < nr_cases; i++) {
		struct guest_case *c = cases[i];

		if (getenv("GUEST_DIFF_VERBOSE"))
			printf("# %s: %s in %s, %s\n", side->dev, c->name, mode_names[c->mode],
			       variant_names[c->variant]);
		side_reset(side, c->mode, c->variant, c->code, c->len);
		side_run(side);
		c->res[n] = side_result(side);
		if (side->e[side->n - 1].reason != KVM_EXIT_IO)
			side_warm_up(side);
	}
	side_free(side);
}

/* Gives the number of differences that are not accepted. */
/*
 * An access that software has to finish and cannot, SGDT to a device say: the stock
 * module of 6.1 tries for ever, minikvm reports KVM_EXIT_INTERNAL_ERROR.
 */
static bool stock_spins(const struct result *ours, const struct result *stock)
{
	return ours->n && ours->n == stock->n && stock->e[stock->n - 1].ret == -EINTR &&
	       ours->e[ours->n - 1].reason == KVM_EXIT_INTERNAL_ERROR;
}

static int compare_cases(void)
{
	int bad = 0, accepted = 0;

	for (int i = 0; i < nr_cases; i++) {
		struct guest_case *c = cases[i];

		if (!results_differ(c->res[0], c->res[1], false))
			continue;
		if (is_known(c->name, c->mode, c->variant) || stock_spins(c->res[0], c->res[1])) {
			accepted++;
			continue;
		}
		bad++;
		printf("# DIFF %s in %s, %s\n", c->name, mode_names[c->mode],
		       variant_names[c->variant]);
		print_code(c);
		results_differ(c->res[0], c->res[1], true);
	}
	printf("# %d cases, %d differ, and %d as known\n", nr_cases, bad, accepted);
	return bad;
}

/* Both sides are given the CPUID that minikvm offers, so that they can agree. */
static int run_cases(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm_handler();
	setenv("MINIKVM_DEV", OUR_DEV, 1);
	supported_cpuid(&cpuid);
	run_side(0);
	run_side(1);
	return compare_cases();
}

/* ---- the tests ---- */

FIXTURE(diff) { };

FIXTURE_SETUP(diff)
{
	if (!both_there())
		SKIP(return, STOCK_DEV " and " OUR_DEV " are not both there");
}

FIXTURE_TEARDOWN(diff) { }

static void add_snip(const struct snip *s, enum mode m, enum variant v)
{
	int b = bits_index(m);

	add_case(s->name, m, v, s->code[b], s->end[b] - s->code[b]);
}

/* A disturbance does not tell more in every mode, or with every CPUID leaf. */
static void add_table(enum variant v)
{
	u64 modes = v == PLAIN ? ~0UL : M(L64) | M(L64U) | M(PAE) | M(REAL);

	for (int i = 0; i < NR_SNIPS; i++) {
		const struct snip *s = &__start_snip_table[i];

		if (v != PLAIN && (name_matches("cpuid *", s->name) ||
				   name_matches("mov ?s *", s->name)))
			continue;
		for (int m = 0; m < NR_MODES; m++)
			if (s->modes & modes & M(m))
				add_snip(s, m, v);
	}
}

/* GUEST_DIFF_TESTS="table_tf random_strings" runs these only. */
static bool chosen(const char *name)
{
	const char *tests = getenv("GUEST_DIFF_TESTS");

	return !tests || strstr(tests, name);
}

/* Each snippet in each of its modes with each disturbance. */
#define TABLE_TEST(name, v)						\
TEST_F_TIMEOUT(diff, name, 900)						\
{									\
	if (_metadata->skip)	/* by the set-up */			\
		return;							\
	if (!chosen(#name))						\
		SKIP(return, "not chosen");				\
	add_table(v);							\
	EXPECT_EQ(0, run_cases());					\
}

TABLE_TEST(table_plain, PLAIN)
TABLE_TEST(table_tf, TF)
TABLE_TEST(table_hwbp, HWBP)
TABLE_TEST(table_movss_tf, SS_TF)
TABLE_TEST(table_movss_hwbp, SS_BP)
TABLE_TEST(table_sti_tf, STI_TF)
TABLE_TEST(table_nmi, NMI)
TABLE_TEST(table_irq, IRQ)
TABLE_TEST(table_sti_nmi, STI_NMI)
TABLE_TEST(table_sti_irq, STI_IRQ)
TABLE_TEST(table_movss_irq, SS_IRQ)
TABLE_TEST(table_rf_hwbp, RF_BP)

static u64 env(const char *name, u64 def)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : def;
}

static u64 rnd_state;

static u32 rnd(u32 n)
{
	rnd_state = rnd_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (rnd_state >> 33) % n;
}

/* Two to four snippets in a row, none of a known difference. */
static void add_random_string(void)
{
	enum mode m = rnd(NR_MODES);
	enum variant v = rnd(NR_VARIANTS);
	int b = bits_index(m), left = 2 + rnd(3);
	u8 code[160];
	size_t len = 0;

	while (left) {
		const struct snip *s = &__start_snip_table[rnd(NR_SNIPS)];
		size_t n = s->end[b] - s->code[b];

		/* With TF most writes differ: see known[]. */
		if (!(s->modes & M(m)) || is_known(s->name, m, v) ||
		    name_matches("*set tf*", s->name) || name_matches("iret tf", s->name))
			continue;
		if (len + n > sizeof(code))
			break;
		memcpy(code + len, s->code[b], n);
		len += n;
		left--;
	}
	add_case("random string", m, v, code, len);
}

TEST_F_TIMEOUT(diff, random_strings, 900)
{
	u64 seed = env("GUEST_DIFF_SEED", 1), rounds = env("GUEST_DIFF_ROUNDS", 1000);

	if (_metadata->skip)
		return;
	if (!chosen("random_strings"))
		SKIP(return, "not chosen");
	TH_LOG("GUEST_DIFF_SEED=%llu GUEST_DIFF_ROUNDS=%llu", (long long)seed,
	       (long long)rounds);
	rnd_state = seed;
	for (u64 i = 0; i < rounds; i++)
		add_random_string();
	EXPECT_EQ(0, run_cases());
}

TEST_HARNESS_MAIN
