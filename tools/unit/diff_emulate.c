// SPDX-License-Identifier: GPL-2.0
/*
 * The emulator against the machine's own CPU.
 *
 * For each instruction form (diff_forms.c), again and again: pick a mode (64, 32
 * or 16-bit code), operand size, addressing mode and prefixes at random, random
 * registers, flags and memory; run the instruction natively (native.c) and in the
 * emulator on a copy; compare registers, defined flags, memory, and the fault if
 * there is one.  Operands straddle a page boundary often; some lie at the end of
 * the mapping (#PF), at non-canonical addresses, or beyond a segment's limit.
 *
 * One TAP line for each group of forms and mode.  usage: SEED=n CASES=n
 * diff_emulate; the seed is printed, the same seed gives the same cases.
 *
 * Not compared: RF, which only a debugger sees, and what the SDM leaves undefined.
 */
#include <stdlib.h>
#include <time.h>

#include "diff_forms.h"
#include "native.h"
#include "tap.h"

#define DEFAULT_CASES	3000000
#define WINDOW		1024	/* bytes of memory in play */
#define MAX_REPORTS	5

#define CF X86_EFLAGS_CF
#define PF X86_EFLAGS_PF
#define AF X86_EFLAGS_AF
#define ZF X86_EFLAGS_ZF
#define SF X86_EFLAGS_SF
#define OF X86_EFLAGS_OF
#define ARITH (CF | PF | AF | ZF | SF | OF)

/* One instruction to compare. */
struct test_case {
	const struct form *form;
	enum native_mode mode;
	u8 insn[32];
	unsigned int len;
	unsigned int size;	/* operand size */
	u8 reg;
	u8 base, index;		/* registers that make the address, or 255 */
	bool lock;
	struct native_state in;
	u64 window;		/* linear address of the memory in play */
	u64 target;		/* linear address of the operand */
	u8 memory[WINDOW];
	u8 imm;
};

static struct x86emul_segment segments[3][X86EMUL_NR_SEGS];
static u32 features;
static bool have_avx;

/* ---- randomness -------------------------------------------------------- */

static u64 rng_state;

static u64 rnd(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state * 0x2545f4914f6cdd1dull;
}

static unsigned int pick(unsigned int n)
{
	return (rnd() >> 33) % n;
}

static bool one_in(unsigned int n)
{
	return !pick(n);
}

/* Values at which arithmetic turns corners, as often as random ones. */
static u64 interesting(void)
{
	static const u64 corners[] = {
		0, 1, 2, ~0ull, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffffull,
		0x8000000000000000ull, 0x100000000ull,
	};

	switch (pick(4)) {
	case 0:
		return corners[pick(16)];
	case 1:
		return corners[pick(16)] | (rnd() << 32);
	default:
		return rnd();
	}
}

/* ---- the emulator's side ----------------------------------------------- */

struct emulated {
	struct native_state regs;
	u8 *memory;
	u64 window;
	bool escaped;		/* touched memory that is not in play: our bug */
	const struct test_case *tc;
};

/* As the kernel would for user code that runs off the end of the mapping. */
static int page_fault(struct x86_emulate_ctxt *ctxt, u64 linear, bool write)
{
	ctxt->exception = (struct x86emul_exception){
		PF_VECTOR, true, 4 | write << 1, linear
	};
	return X86EMUL_FAULT;
}

static u8 *locate(struct x86_emulate_ctxt *ctxt, u64 linear, unsigned int bytes,
		  bool write, int *rc)
{
	struct emulated *e = ctxt->priv;
	u64 end = NATIVE_DATA + NATIVE_DATA_SIZE;

	*rc = X86EMUL_CONTINUE;
	if (linear + bytes > end && linear < end + 4096) {
		*rc = page_fault(ctxt, linear < end ? end : linear, write);
		return NULL;
	}
	if (linear < e->window || linear + bytes > e->window + WINDOW) {
		e->escaped = true;
		*rc = X86EMUL_UNHANDLEABLE;
		return NULL;
	}
	return e->memory + (linear - e->window);
}

static int emu_fetch(struct x86_emulate_ctxt *ctxt, u64 linear, void *buf,
		     unsigned int bytes)
{
	const struct emulated *e = ctxt->priv;

	memcpy(buf, e->tc->insn + (linear - NATIVE_INSN), bytes);
	return X86EMUL_CONTINUE;
}

static int emu_read(struct x86_emulate_ctxt *ctxt, u64 linear, void *buf,
		    unsigned int bytes, unsigned int access)
{
	int rc;
	u8 *at = locate(ctxt, linear, bytes, access & X86EMUL_ACC_WRITE, &rc);

	if (at)
		memcpy(buf, at, bytes);
	return rc;
}

static int emu_write(struct x86_emulate_ctxt *ctxt, u64 linear, const void *buf,
		     unsigned int bytes)
{
	int rc;
	u8 *at = locate(ctxt, linear, bytes, true, &rc);

	if (at)
		memcpy(at, buf, bytes);
	return rc;
}

static int emu_cmpxchg(struct x86_emulate_ctxt *ctxt, u64 linear,
		       const void *old, const void *new, unsigned int bytes)
{
	int rc;
	u8 *at = locate(ctxt, linear, bytes, true, &rc);

	if (at && memcmp(at, old, bytes))
		return X86EMUL_RETRY;
	if (at)
		memcpy(at, new, bytes);
	return rc;
}

static int emu_probe(struct x86_emulate_ctxt *ctxt, u64 linear,
		     unsigned int bytes, unsigned int access, bool *ram)
{
	int rc;

	locate(ctxt, linear, bytes, access & X86EMUL_ACC_WRITE, &rc);
	if (ram)
		*ram = true;
	return rc;
}

static int emu_no_pio_in(struct x86_emulate_ctxt *ctxt, u16 port,
			 unsigned int size, void *buf, unsigned int *count)
{
	(void)ctxt, (void)port, (void)size, (void)buf, (void)count;
	return X86EMUL_UNHANDLEABLE;
}

static int emu_no_pio_out(struct x86_emulate_ctxt *ctxt, u16 port,
			  unsigned int size, const void *buf,
			  unsigned int *count)
{
	(void)ctxt, (void)port, (void)size, (void)buf, (void)count;
	return X86EMUL_UNHANDLEABLE;
}

static void emu_get_segment(struct x86_emulate_ctxt *ctxt, enum x86emul_seg seg,
			    struct x86emul_segment *out)
{
	const struct emulated *e = ctxt->priv;

	*out = segments[e->tc->mode][seg];
}

static int emu_get_vec(struct x86_emulate_ctxt *ctxt, unsigned int reg,
		       void *buf)
{
	struct emulated *e = ctxt->priv;

	memcpy(buf, e->regs.vec[reg], 32);
	return X86EMUL_CONTINUE;
}

static int emu_set_vec(struct x86_emulate_ctxt *ctxt, unsigned int reg,
		       const void *buf, unsigned int bytes, bool clear_upper)
{
	struct emulated *e = ctxt->priv;

	if (clear_upper)
		memset(e->regs.vec[reg], 0, 32);
	memcpy(e->regs.vec[reg], buf, bytes);
	return X86EMUL_CONTINUE;
}

static const struct x86_emulate_ops emu_ops = {
	.fetch = emu_fetch,
	.read = emu_read,
	.write = emu_write,
	.cmpxchg = emu_cmpxchg,
	.probe = emu_probe,
	.pio_in = emu_no_pio_in,
	.pio_out = emu_no_pio_out,
	.get_segment = emu_get_segment,
	.get_vec = emu_get_vec,
	.set_vec = emu_set_vec,
};

static u64 code_offset(const struct test_case *tc)
{
	return tc->mode == NATIVE_16 ? NATIVE_INSN - NATIVE_CODE : NATIVE_INSN;
}

static void emulate(const struct test_case *tc, struct emulated *e,
		    struct x86_emulate_ctxt *ctxt, int *rc)
{
	static const enum x86emul_mode modes[] = {
		X86EMUL_MODE_LONG64, X86EMUL_MODE_PROT32, X86EMUL_MODE_PROT16,
	};

	e->regs = tc->in;
	e->window = tc->window;
	e->escaped = false;
	e->tc = tc;

	ctxt->ops = &emu_ops;
	ctxt->priv = e;
	ctxt->mode = modes[tc->mode];
	ctxt->cpl = 3;
	ctxt->features = features;
	ctxt->cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_AM;
	ctxt->cr4 = X86_CR4_OSFXSR | X86_CR4_OSXSAVE;
	ctxt->xcr0 = 7;
	ctxt->rip = code_offset(tc);
	ctxt->rflags = tc->in.rflags;
	memcpy(ctxt->gpr, tc->in.gpr, sizeof(ctxt->gpr));
	do {
		ctxt->fetched = 0;
		*rc = x86_emulate_insn(ctxt);
	} while (*rc == X86EMUL_RESTART);
	memcpy(e->regs.gpr, ctxt->gpr, sizeof(ctxt->gpr));
	e->regs.rflags = ctxt->rflags;
}

/* ---- making a case: the memory operand --------------------------------- */

static void put(struct test_case *tc, u64 val, unsigned int bytes)
{
	memcpy(tc->insn + tc->len, &val, bytes);
	tc->len += bytes;
}

/*
 * Where in memory: the middle of the window, which is a page boundary; or, at
 * times, the end of the mapping, beyond which there is a page fault.
 */
static void choose_target(struct test_case *tc)
{
	u64 end = NATIVE_DATA + NATIVE_DATA_SIZE;

	if (one_in(16)) {
		tc->window = end - WINDOW;
		tc->target = end - 64 + pick(128);
	} else {
		tc->window = NATIVE_DATA + 4096 - WINDOW / 2;
		tc->target = tc->window + WINDOW / 2 - 128 + pick(256);
		/* of #AC and #PF a CPU may report either: not both */
		if (one_in(32) && !(tc->form->flags & D_VECTOR))
			tc->in.rflags |= X86_EFLAGS_AC;
	}
	if ((tc->form->flags & (D_VECTOR | D_CX16)) && !one_in(8))
		tc->target &= ~31ull;
}

/* A register that may hold an address: one that has no other job here. */
static u8 choose_address_reg(const struct test_case *tc)
{
	u8 reg;

	do {
		reg = pick(tc->mode == NATIVE_64 ? 16 : 8);
	} while ((tc->form->flags & D_BIT_OFFSET && reg == tc->reg) ||
		 (tc->form->flags & D_COUNT_CL && reg == X86EMUL_RCX) ||
		 (tc->form->flags & D_STACK && reg == X86EMUL_RSP && one_in(2)));
	return reg;
}

static void set_address_reg(struct test_case *tc, u8 reg, u64 val,
			    unsigned int ad_bytes)
{
	u64 mask = ~0ull >> (64 - 8 * ad_bytes);

	tc->in.gpr[reg] = (rnd() & ~mask) | (val & mask);
	tc->base = reg;
}

/* ModRM and on, 16-bit: the data segment is 64K, so any register value does. */
static void put_mem16(struct test_case *tc, u8 reg, u64 ea)
{
	static const u8 base[8] = { 3, 3, 5, 5, 6, 7, 5, 3 };
	static const u8 index[8] = { 6, 7, 6, 7, 0, 0, 0, 0 };
	u8 rm = pick(8), mod = pick(3);
	s32 disp = mod == 1 ? (s8)rnd() : mod == 2 ? (s16)rnd() : 0;

	put(tc, mod << 6 | reg << 3 | rm, 1);
	if (mod == 0 && rm == 6) {
		put(tc, ea, 2);
		return;
	}
	if (tc->form->flags & D_BIT_OFFSET && tc->reg == base[rm])
		tc->in.gpr[tc->reg] = 0;	/* overwritten: offset = address */
	set_address_reg(tc, base[rm], ea - disp -
			(rm < 4 ? tc->in.gpr[index[rm]] : 0), 2);
	put(tc, disp, mod);
}

/* ModRM and on, 32 and 64-bit, for the given effective address. */
static void put_mem32(struct test_case *tc, u8 reg, u64 ea, unsigned int ad_bytes,
		      u8 base, bool has_base, bool has_index, u8 index)
{
	u8 mod = pick(3), scale = pick(4);
	bool sib = has_index || (base & 7) == 4;
	s64 disp;

	if (!has_base) {		/* [disp32] or [rip + disp32]: elsewhere */
		put(tc, (reg & 7) << 3 | 4, 1);
		put(tc, 0x25, 1);
		put(tc, ea, 4);
		return;
	}
	if (mod == 0 && (base & 7) == 5)
		mod = 1;
	disp = mod == 1 ? (s8)rnd() : mod == 2 ? (s32)rnd() : 0;
	put(tc, mod << 6 | (reg & 7) << 3 | (sib ? 4 : base & 7), 1);
	if (sib)
		put(tc, scale << 6 | (has_index ? index & 7 : 4) << 3 | (base & 7), 1);
	put(tc, disp, mod == 1 ? 1 : mod == 2 ? 4 : 0);
	ea -= disp;
	if (has_index) {
		ea -= tc->in.gpr[index] << scale;
		tc->index = index;
	}
	set_address_reg(tc, base, ea, ad_bytes);
}

/* ---- making a case: prefixes and opcode -------------------------------- */

struct encoding {
	u8 rex, seg;		/* seg: prefix byte or 0 */
	bool opsize, adsize;
	u8 base, index;
	bool is_mem, has_base, has_index, rip_relative;
	unsigned int ad_bytes;
};

static void choose_size(struct test_case *tc, struct encoding *enc)
{
	const struct form *f = tc->form;
	bool long64 = tc->mode == NATIVE_64;
	unsigned int dflt = tc->mode == NATIVE_16 ? 2 : 4;

	tc->size = dflt;
	if (f->flags & D_BYTE) {
		tc->size = 1;
		enc->opsize = !(f->flags & D_NO66) && one_in(8);
		return;
	}
	if (long64 && one_in(3)) {
		enc->rex |= 0x48;
		tc->size = 8;
		enc->opsize = !(f->flags & D_NO66) && one_in(8);
	} else if (!(f->flags & D_NO66) && one_in(3)) {
		enc->opsize = true;
		tc->size = dflt == 4 ? 2 : 4;
	}
	if (long64 && (f->flags & (D_STACK | D_TARGET)) && tc->size == 4)
		tc->size = 8;
}

static void choose_addressing(struct test_case *tc, struct encoding *enc)
{
	const struct form *f = tc->form;
	bool long64 = tc->mode == NATIVE_64;

	enc->is_mem = !(f->flags & D_NO_MODRM) &&
		      ((f->flags & D_MEM) || !one_in(4));
	enc->adsize = one_in(6) && tc->mode != NATIVE_32;
	enc->ad_bytes = long64 ? (enc->adsize ? 4 : 8) :
			tc->mode == NATIVE_32 || enc->adsize ? 4 : 2;
	if (!enc->is_mem)
		return;
	enc->has_base = !one_in(6);
	enc->rip_relative = !enc->has_base && long64 && one_in(2);
	if (enc->has_base && enc->ad_bytes > 2) {
		enc->base = choose_address_reg(tc);
		enc->has_index = one_in(2);
		do {
			enc->index = choose_address_reg(tc);
		} while (enc->index == enc->base || enc->index == X86EMUL_RSP);
	}
}

static void choose_registers(struct test_case *tc, struct encoding *enc)
{
	bool long64 = tc->mode == NATIVE_64;

	enc->rex |= tc->reg >= 8 ? 0x44 : 0;
	if (enc->is_mem && enc->has_base) {
		enc->rex |= enc->base >= 8 ? 0x41 : 0;
		enc->rex |= enc->has_index && enc->index >= 8 ? 0x42 : 0;
	}
	if (long64 && one_in(4))
		enc->rex |= 0x40;
}

/*
 * The segment.  16-bit code: data is in a 64K segment that DS and ES name, the
 * stack is not, so an override to DS keeps rBP and rSP forms there.
 */
static void choose_segment(struct test_case *tc, struct encoding *enc)
{
	static const u8 ignored[] = { 0x26, 0x2e, 0x36, 0x3e };

	if (tc->mode == NATIVE_16)
		enc->seg = one_in(2) ? 0x3e : 0x26;
	else if (tc->mode == NATIVE_64 && one_in(8))
		enc->seg = one_in(2) ? 0x65 : ignored[pick(4)];
	else if (tc->mode == NATIVE_32 && one_in(8))
		enc->seg = ignored[pick(4)] & ~8;	/* ES or SS: both flat */
}

static void put_prefixes(struct test_case *tc, const struct encoding *enc)
{
	const struct form *f = tc->form;
	bool mem_dst = enc->is_mem;

	bool followed = enc->adsize || enc->seg || enc->opsize;

	if (tc->mode == NATIVE_64 && followed && one_in(64))
		put(tc, 0x48, 1);		/* a REX that does not count */
	if (enc->adsize)
		put(tc, 0x67, 1);
	if (enc->seg)
		put(tc, enc->seg, 1);
	if (enc->seg == 0x65 && one_in(4))
		put(tc, 0x3e, 1);		/* ignored: GS stays */
	if (enc->opsize)
		put(tc, 0x66, 1);
	tc->lock = f->flags & D_LOCK && mem_dst ? one_in(4) : one_in(64);
	if (tc->lock)
		put(tc, 0xf0, 1);
	if (f->mandatory && !(f->flags & D_VEX))
		put(tc, f->mandatory, 1);
}

static void put_vex(struct test_case *tc, const struct encoding *enc)
{
	const struct form *f = tc->form;
	u8 pp = f->mandatory == 0x66 ? 1 : f->mandatory == 0xf3 ? 2 :
		f->mandatory == 0xf2 ? 3 : 0;
	bool l = f->flags & D_L256 ? one_in(2) : one_in(32);
	u8 vvvv = f->flags & D_VVVV || one_in(32) ? pick(16) : 0;
	u8 last;

	if (tc->mode != NATIVE_64)
		vvvv &= 7;
	last = (~vvvv & 0xf) << 3 | l << 2 | pp;
	if (f->map == 1 && !(enc->rex & 0xb) && one_in(2)) {
		put(tc, 0xc5, 1);
		put(tc, (enc->rex & 4 ? 0 : 0x80) | last, 1);
		return;
	}
	put(tc, 0xc4, 1);
	put(tc, (~enc->rex & 7) << 5 | f->map, 1);
	put(tc, (enc->rex & 8) << 4 | last, 1);
}

static void put_opcode(struct test_case *tc, const struct encoding *enc)
{
	const struct form *f = tc->form;

	if (f->flags & D_VEX) {
		put_vex(tc, enc);
	} else {
		if (enc->rex)
			put(tc, enc->rex, 1);
		if (f->map)
			put(tc, 0x0f, 1);
		if (f->map == 2)
			put(tc, 0x38, 1);
	}
	put(tc, f->opcode, 1);
}

/* ---- making a case: operands ------------------------------------------- */

static unsigned int immediate_bytes(const struct test_case *tc)
{
	u32 flags = tc->form->flags;

	if (flags & D_IMM8)
		return 1;
	if (flags & D_IMM16)
		return 2;
	if (flags & D_IMM)
		return tc->size < 4 ? tc->size : 4;
	return flags & D_REL ? 4 : 0;
}

/*
 * Non-canonical, for #GP and #SS; only if a 64-bit register makes the address.
 * Misaligned and non-canonical by rSP: a CPU may report #GP or #SS.
 */
static u64 spoil(const struct test_case *tc, const struct encoding *enc, u64 ea)
{
	bool may_misalign = tc->form->flags & (D_VECTOR | D_CX16);

	if (enc->ad_bytes == 8 && enc->has_base && one_in(64) &&
	    !(may_misalign && tc->target % 32))
		return ea ^ (0x800000000000ull << pick(17));
	return ea;
}

static void put_operand(struct test_case *tc, const struct encoding *enc, u8 reg)
{
	unsigned int imm = immediate_bytes(tc);
	u64 ea = tc->target;

	if (tc->mode == NATIVE_16)
		ea -= NATIVE_DATA;
	if (enc->seg == 0x65)
		ea -= NATIVE_GS_BASE;

	if (tc->form->flags & D_MOFFS)
		put(tc, ea, enc->ad_bytes);
	if (tc->form->flags & D_NO_MODRM)
		return;
	if (!enc->is_mem) {
		put(tc, 0xc0 | (reg & 7) << 3 | pick(8), 1);
	} else if (enc->ad_bytes == 2) {
		put_mem16(tc, reg, ea);
	} else if (enc->rip_relative) {
		put(tc, (reg & 7) << 3 | 5, 1);
		put(tc, ea - (NATIVE_INSN + tc->len + 4 + imm), 4);
	} else if (!enc->has_base && tc->mode != NATIVE_64) {
		put(tc, (reg & 7) << 3 | 5, 1);
		put(tc, ea, 4);
	} else {
		put_mem32(tc, reg, spoil(tc, enc, ea), enc->ad_bytes, enc->base,
			  enc->has_base, enc->has_index, enc->index);
	}
}

static void put_immediate(struct test_case *tc)
{
	u64 imm = one_in(2) ? rnd() : interesting();

	if (tc->form->flags & D_REL)
		imm = NATIVE_EXIT - (NATIVE_INSN + tc->len + 4);
	/* SHLD, SHRD of 16 bits by more than 16: the result is undefined */
	if (tc->form->undefined == U_SHIFT_DOUBLE && tc->size == 2)
		imm &= 0xf;
	tc->imm = imm;
	put(tc, imm, immediate_bytes(tc));
}

/* Operands that the instruction implies: strings, stack, XLAT, counts. */
static void set_implied(struct test_case *tc, const struct encoding *enc)
{
	u32 flags = tc->form->flags;
	u64 ea = tc->target - (tc->mode == NATIVE_16 ? NATIVE_DATA : 0);
	u64 exit = NATIVE_EXIT;
	u8 stack_reg = flags & D_LEAVE ? X86EMUL_RBP : X86EMUL_RSP;

	if (flags & D_STRING) {
		set_address_reg(tc, X86EMUL_RDI, ea + pick(32), enc->ad_bytes);
		if (enc->seg == 0x65)
			ea -= NATIVE_GS_BASE;
		set_address_reg(tc, X86EMUL_RSI, ea - pick(32), enc->ad_bytes);
		/* Some CPUs clear upper halves if ECX is 0: not that, then. */
		set_address_reg(tc, X86EMUL_RCX, pick(8) + (enc->ad_bytes == 4),
				enc->ad_bytes);
	}
	if (flags & D_XLAT)
		set_address_reg(tc, X86EMUL_RBX, ea - (tc->in.gpr[0] & 0xff) -
				(enc->seg == 0x65 ? NATIVE_GS_BASE : 0),
				enc->ad_bytes);
	if (flags & D_STACK && tc->base != stack_reg)
		tc->in.gpr[stack_reg] = tc->target - 64 + 8 * pick(16);
	if (flags & D_TARGET)
		memcpy(tc->memory + WINDOW / 2, &exit, 8);
	if (flags & D_BIT_OFFSET && enc->is_mem)
		tc->in.gpr[tc->reg] = (s64)(pick(2000)) - 1000;
	if (flags & D_COUNT_CL && tc->form->undefined == U_SHIFT_DOUBLE &&
	    tc->size == 2)
		tc->in.gpr[X86EMUL_RCX] &= ~0x10ull;
}

static bool makes_address(const struct test_case *tc, u8 reg)
{
	return tc->base == reg || tc->index == reg;
}

/* Make quotients that fit likely: a small or sign-extended high half. */
static void set_dividend(struct test_case *tc)
{
	u64 *rax = &tc->in.gpr[X86EMUL_RAX], *rdx = &tc->in.gpr[X86EMUL_RDX];

	if (one_in(4) || makes_address(tc, X86EMUL_RAX) ||
	    makes_address(tc, X86EMUL_RDX))
		return;
	*rdx = one_in(2) ? pick(4) : -(u64)pick(3);
	if (tc->size == 1)
		*rax = (*rax & 0xff) | (*rdx & 0xff) << 8;
}

static void random_state(struct test_case *tc)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		tc->in.gpr[i] = interesting();
	tc->in.rflags = (rnd() & ARITH) | X86_EFLAGS_FIXED | X86_EFLAGS_IF;
	if (tc->form->flags & D_STRING)
		tc->in.rflags |= rnd() & X86_EFLAGS_DF;
	for (i = 0; i < WINDOW / 8; i++) {
		u64 val = rnd();

		memcpy(tc->memory + 8 * i, &val, 8);
	}
	if (tc->form->flags & D_STRING && one_in(2))	/* long runs of equals */
		memset(tc->memory, tc->in.gpr[X86EMUL_RAX], WINDOW);
	if (tc->form->flags & D_VECTOR)
		for (i = 0; i < sizeof(tc->in.vec) / 8; i++) {
			u64 val = rnd();

			memcpy(tc->in.vec[0] + 8 * i, &val, 8);
		}
}

/* CMPXCHG: half the time let the comparison succeed. */
static void set_comparand(struct test_case *tc)
{
	const u8 *at = tc->memory + (tc->target - tc->window);

	if (tc->target + 16 > tc->window + WINDOW || one_in(2))
		return;
	if (!makes_address(tc, X86EMUL_RAX))
		memcpy(&tc->in.gpr[X86EMUL_RAX], at, tc->size);
	if (!makes_address(tc, X86EMUL_RDX) && tc->form->flags & D_CX16)
		memcpy(&tc->in.gpr[X86EMUL_RDX], at + tc->size, tc->size);
}

/* RET: the exit's address where the stack pointer is; CALL/JMP m: the operand. */
static void set_branch_target(struct test_case *tc)
{
	u64 exit = NATIVE_EXIT, at = tc->target;

	if (tc->form->flags & D_RET)
		at = tc->in.gpr[X86EMUL_RSP];
	if (at >= tc->window && at + 8 <= tc->window + WINDOW)
		memcpy(tc->memory + (at - tc->window), &exit, 8);
}

static void make_case(struct test_case *tc, const struct form *f,
		      enum native_mode mode)
{
	struct encoding enc = { 0 };
	u8 reg;

	tc->form = f;
	tc->mode = mode;
	tc->len = 0;
	tc->base = 255;
	tc->index = 255;
	random_state(tc);
	choose_target(tc);
	tc->reg = f->ext >= 0 ? 0 : pick(mode == NATIVE_64 ? 16 : 8);
	reg = f->ext >= 0 ? f->ext : tc->reg;
	choose_size(tc, &enc);
	choose_addressing(tc, &enc);
	choose_registers(tc, &enc);
	choose_segment(tc, &enc);
	put_prefixes(tc, &enc);
	if (f->flags & D_STRING && !one_in(3))
		put(tc, one_in(2) ? 0xf2 : 0xf3, 1);
	put_opcode(tc, &enc);
	put_operand(tc, &enc, reg);
	put_immediate(tc);
	set_implied(tc, &enc);
	if (f->flags & D_DIVIDE)
		set_dividend(tc);
	if (f->group[0] == 'e')
		set_comparand(tc);
	if (f->flags & (D_TARGET | D_RET))
		set_branch_target(tc);
}

/* ---- comparing --------------------------------------------------------- */

/* Flags that may differ: SDM vol. 2, "Flags Affected". */
static u64 undefined_flags(const struct test_case *tc)
{
	unsigned int bits = 8 * tc->size, count = tc->imm;

	if (tc->form->flags & D_COUNT_1)
		count = 1;
	if (tc->form->flags & D_COUNT_CL)
		count = tc->in.gpr[X86EMUL_RCX];
	count &= tc->size == 8 ? 0x3f : 0x1f;

	switch (tc->form->undefined) {
	case U_AF:
		return AF;
	case U_ROTATE:
		return count > 1 ? OF : 0;
	case U_SHIFT:
	case U_SHIFT_DOUBLE:
		if (!count)
			return 0;
		return AF | (count > 1 ? OF : 0) | (count >= bits ? CF : 0);
	case U_MUL:
		return SF | ZF | AF | PF;
	case U_ALL:
		return ARITH;
	case U_BT:
		return OF | SF | AF | PF;
	case U_SCAN:
		return CF | OF | SF | AF | PF;
	case U_COUNT:
		return OF | SF | AF | PF;
	default:
		return 0;
	}
}

static void print_case(const struct test_case *tc)
{
	char hex[64];
	unsigned int i;

	for (i = 0; i < tc->len; i++)
		sprintf(hex + 3 * i, "%02x ", tc->insn[i]);
	tap_note("  %s, %s-bit code, size %u, base %u: %s", tc->form->group,
		 tc->mode == NATIVE_64 ? "64" : tc->mode == NATIVE_32 ? "32" : "16",
		 tc->size, tc->base, hex);
	tap_note("  target %llx flags %llx rax %llx rcx %llx rdx %llx rsp %llx",
		 tc->target, tc->in.rflags, tc->in.gpr[0], tc->in.gpr[1],
		 tc->in.gpr[2], tc->in.gpr[4]);
}

/* The first difference, in words; NULL if there is none. */
static const char *compare_state(const struct test_case *tc,
				 const struct native_state *want,
				 const struct emulated *e)
{
	static char text[128];
	u64 undefined = undefined_flags(tc) | X86_EFLAGS_RF;
	u64 mask = tc->mode == NATIVE_64 ? ~0ull : 0xffffffff;
	unsigned int i, n = tc->mode == NATIVE_64 ? 16 : 8;

	for (i = 0; i < n; i++) {
		/* BSF, BSR of 0: on some CPUs the upper half becomes 0 */
		u64 keep = tc->form->undefined == U_SCAN && i == tc->reg &&
			   want->rflags & ZF ? 0xffffffff : ~0ull;

		if (!((want->gpr[i] ^ e->regs.gpr[i]) & mask & keep))
			continue;
		sprintf(text, "register %u: CPU %llx, emulator %llx", i,
			want->gpr[i], e->regs.gpr[i]);
		return text;
	}
	if ((want->rflags ^ e->regs.rflags) & ~undefined) {
		sprintf(text, "flags: CPU %llx, emulator %llx, undefined %llx",
			want->rflags, e->regs.rflags, undefined);
		return text;
	}
	if (memcmp((void *)tc->window, e->memory, WINDOW)) {
		for (i = 0; ((u8 *)tc->window)[i] == e->memory[i]; i++)
			;
		sprintf(text, "memory at %llx: CPU %02x, emulator %02x",
			tc->window + i, ((u8 *)tc->window)[i], e->memory[i]);
		return text;
	}
	if (tc->form->flags & D_VECTOR &&
	    memcmp(want->vec, e->regs.vec, have_avx ? sizeof(want->vec) : 256))
		return "vector registers differ";
	return NULL;
}

static const char *compare_fault(const struct native_fault *fault, int rc,
				 const struct x86_emulate_ctxt *ctxt)
{
	const struct x86emul_exception *ex = &ctxt->exception;
	static char text[128];

	if (fault->vector < 0) {
		if (rc == X86EMUL_CONTINUE)
			return NULL;
		sprintf(text, "CPU is fine, emulator returns %d, vector %u", rc,
			ex->vector);
		return text;
	}
	if (rc == X86EMUL_FAULT && ex->vector == fault->vector &&
	    (!ex->has_error || ex->error_code == fault->error_code) &&
	    (ex->vector != PF_VECTOR || ex->cr2 == fault->cr2))
		return NULL;
	sprintf(text, "CPU: #%d error %llx cr2 %llx; emulator: rc %d #%u error %x cr2 %llx",
		fault->vector, fault->error_code, fault->cr2, rc,
		ex->vector, ex->error_code, ex->cr2);
	return text;
}

struct tally {
	const char *group;
	unsigned int forms;
	unsigned long cases[3], faults[3], bad[3], skipped[3];
};

static void run_case(const struct test_case *tc, struct tally *tally)
{
	u8 memory[WINDOW];
	struct emulated e = { .memory = memory };
	struct x86_emulate_ctxt ctxt;
	struct native_state out;
	struct native_fault fault;
	const char *why;
	int rc;

	memcpy(memory, tc->memory, WINDOW);
	memcpy((void *)tc->window, tc->memory, WINDOW);
	emulate(tc, &e, &ctxt, &rc);
	if (e.escaped) {	/* an operand of the generator's went astray */
		tally->skipped[tc->mode]++;
		return;
	}
	native_run(tc->mode, tc->insn, tc->len, &tc->in, &out, &fault);
	tally->cases[tc->mode]++;
	tally->faults[tc->mode] += fault.vector >= 0;

	why = compare_fault(&fault, rc, &ctxt);
	if (!why)
		why = compare_state(tc, &out, &e);
	if (!why && rc == X86EMUL_CONTINUE &&
	    ctxt.rip != code_offset(tc) + tc->len && ctxt.rip != NATIVE_EXIT)
		why = "rip differs";
	if (!why)
		return;
	if (tally->bad[tc->mode]++ < MAX_REPORTS) {
		tap_note("%s", why);
		print_case(tc);
	}
}

/* ---- segments: limits and types ---------------------------------------- */

/*
 * A data segment of random limit, type and base as DS and ES of 32-bit code;
 * MOV to and from offsets around its edges.
 */
static void run_segment_case(struct test_case *tc, struct tally *tally)
{
	static const struct form load = { "segment limits", 0, 0x8b, -1 };
	static const struct form store = { "segment limits", 0, 0x89, -1 };
	struct x86emul_segment seg = {
		.base = NATIVE_DATA + 4096 - pick(256), .present = 1, .s = 1,
		.limit = pick(256), .type = pick(4) << 1 | 1, .dpl = 3,
		.db = pick(2), .selector = NATIVE_SEL(NATIVE_SLOT_TEST),
	};
	u64 ea = (u64)seg.limit - 8 + pick(16);

	if (one_in(4))
		ea = (seg.db ? 0xffffffff : 0xffff) - 8 + pick(12);
	if (!native_set_ldt(NATIVE_SLOT_TEST, &seg))
		return;
	seg.type |= 1;
	native_set_data_segments(seg.selector, seg.selector);
	segments[NATIVE_32][X86EMUL_DS] = seg;
	segments[NATIVE_32][X86EMUL_ES] = seg;

	tc->form = one_in(2) ? &load : &store;
	tc->mode = NATIVE_32;
	tc->size = 4;
	tc->base = 255;
	tc->index = 255;
	random_state(tc);
	tc->window = NATIVE_DATA + 4096 - WINDOW / 2;
	tc->target = (u32)(seg.base + ea);
	tc->len = 0;
	put(tc, tc->form->opcode, 1);
	put(tc, 0x05, 1);		/* mov %eax, disp32 */
	put(tc, ea, 4);
	run_case(tc, tally);
}

static void report_segment_cases(unsigned long n)
{
	struct tally tally = { "segment limits" };
	static struct test_case tc;

	while (n--)
		run_segment_case(&tc, &tally);
	tap_ok(!tally.bad[NATIVE_32] && tally.cases[NATIVE_32] > 0 &&
	       tally.faults[NATIVE_32] > 0,
	       "segment limits and types, 32-bit: %lu cases, %lu faults, %lu wrong",
	       tally.cases[NATIVE_32], tally.faults[NATIVE_32],
	       tally.bad[NATIVE_32]);
}

/* ---- all of it --------------------------------------------------------- */

static struct tally tallies[32];
static unsigned int nr_tallies;
static bool mode_works[3] = { true };

static struct tally *tally_of(const struct form *f)
{
	unsigned int i;

	for (i = 0; i < nr_tallies; i++)
		if (!strcmp(tallies[i].group, f->group))
			return &tallies[i];
	tallies[nr_tallies].group = f->group;
	return &tallies[nr_tallies++];
}

/* The segments that Linux gives, and 64K ones for 16-bit code. */
static void set_up_segments(void)
{
	const struct x86emul_segment flat = {
		.limit = 0xffffffff, .selector = NATIVE_FLAT_SEL, .type = 3,
		.dpl = 3, .s = 1, .present = 1, .db = 1, .g = 1,
	};
	const struct x86emul_segment data16 = {
		.base = NATIVE_DATA, .limit = 0xffff, .type = 3, .dpl = 3, .s = 1,
		.selector = NATIVE_SEL(NATIVE_SLOT_DATA16), .present = 1,
	};
	const struct x86emul_segment code16 = {
		.base = NATIVE_CODE, .limit = 0xffff, .type = 11, .dpl = 3, .s = 1,
		.selector = NATIVE_SEL(NATIVE_SLOT_CODE16), .present = 1,
	};
	unsigned int mode, seg;

	for (mode = 0; mode < 3; mode++)
		for (seg = X86EMUL_ES; seg <= X86EMUL_DS; seg++)
			segments[mode][seg] = flat;
	for (mode = 0; mode < 3; mode++) {
		segments[mode][X86EMUL_FS].unusable = 1;
		segments[mode][X86EMUL_GS].unusable = 1;
		segments[mode][X86EMUL_CS].type = 11;
	}
	segments[NATIVE_64][X86EMUL_CS].selector = 0x33;
	segments[NATIVE_32][X86EMUL_CS].selector = 0x23;
	segments[NATIVE_64][X86EMUL_GS].base = NATIVE_GS_BASE;
	segments[NATIVE_16][X86EMUL_CS] = code16;
	segments[NATIVE_16][X86EMUL_DS] = data16;
	segments[NATIVE_16][X86EMUL_ES] = data16;

	mode_works[NATIVE_16] = native_set_ldt(NATIVE_SLOT_CODE16, &code16) &&
				native_set_ldt(NATIVE_SLOT_DATA16, &data16);
}

/* Does this kernel run 32-bit code at all?  Try a NOP. */
static void probe_modes(void)
{
	static const struct native_state in = { .rflags = 0x202 };
	const u8 nop = 0x90;
	struct native_state out;
	struct native_fault fault;

	native_run(NATIVE_32, &nop, 1, &in, &out, &fault);
	mode_works[NATIVE_32] = fault.vector < 0;
	mode_works[NATIVE_16] = mode_works[NATIVE_16] && mode_works[NATIVE_32];
}

static bool form_runs(const struct form *f, enum native_mode mode)
{
	if (!mode_works[mode] || (mode != NATIVE_64 && f->flags & D_ONLY64))
		return false;
	return have_avx || !(f->flags & D_VEX);
}

static void probe_features(void)
{
	have_avx = __builtin_cpu_supports("avx");
	features = X86EMUL_FEAT_SSE3 | X86EMUL_FEAT_CX16;
	features |= __builtin_cpu_supports("sse4.1") ? X86EMUL_FEAT_SSE41 : 0;
	features |= __builtin_cpu_supports("popcnt") ? X86EMUL_FEAT_POPCNT : 0;
	features |= __builtin_cpu_supports("bmi") ? X86EMUL_FEAT_TZCNT : 0;
	features |= __builtin_cpu_supports("lzcnt") ? X86EMUL_FEAT_LZCNT : 0;
	features |= __builtin_cpu_supports("movbe") ? X86EMUL_FEAT_MOVBE : 0;
	features |= __builtin_cpu_supports("avx") ? X86EMUL_FEAT_AVX : 0;
	features |= __builtin_cpu_supports("avx2") ? X86EMUL_FEAT_AVX2 : 0;
}

static void run_forms(enum native_mode mode, unsigned long cases)
{
	const struct x86emul_segment *segs = segments[mode];
	static struct test_case tc;
	unsigned long n;

	native_set_data_segments(segs[X86EMUL_DS].selector,
				 segs[X86EMUL_ES].selector);
	for (n = 0; n < cases; n++) {
		const struct form *f = &forms[n % nr_forms];

		if (!form_runs(f, mode))
			continue;
		make_case(&tc, f, mode);
		run_case(&tc, tally_of(f));
	}
}

static void report(const struct tally *t)
{
	static const char *const names[] = { "64-bit", "32-bit", "16-bit" };
	unsigned int mode;

	for (mode = 0; mode < 3; mode++) {
		if (!t->cases[mode] && !mode_works[mode])
			tap_skip("this kernel does not run such code",
				 "%s, %s", t->group, names[mode]);
		else if (!strcmp(t->group, "avx") && !have_avx)
			tap_skip("this CPU has no AVX", "avx, %s", names[mode]);
		else if (t->cases[mode] || strcmp(t->group, "branch"))
			tap_ok(!t->bad[mode] && t->cases[mode] >
			       20 * t->skipped[mode],
			       "%s, %s: %u forms, %lu cases, %lu faults, %lu wrong",
			       t->group, names[mode], t->forms, t->cases[mode],
			       t->faults[mode], t->bad[mode]);
	}
}

static u64 number_from(const char *name, u64 dflt)
{
	const char *val = getenv(name);

	return val && *val ? strtoull(val, NULL, 0) : dflt;
}

int main(void)
{
	unsigned long cases = number_from("CASES", DEFAULT_CASES), total = 0;
	u64 seed = number_from("SEED", time(NULL));
	unsigned int i, mode;

	rng_state = seed * 0x9e3779b97f4a7c15ull + 1;
	if (!native_init())
		return !tap_ok(false, "map code and data at fixed addresses");
	probe_features();
	set_up_segments();
	probe_modes();
	build_forms();
	for (i = 0; i < nr_forms; i++)
		tally_of(&forms[i])->forms++;
	tap_note("differential test: SEED=%llu CASES=%lu, %u forms", seed, cases,
		 nr_forms);

	run_forms(NATIVE_64, cases / 2);
	run_forms(NATIVE_32, cases / 4);
	run_forms(NATIVE_16, cases / 4);
	for (i = 0; i < nr_tallies; i++) {
		report(&tallies[i]);
		for (mode = 0; mode < 3; mode++)
			total += tallies[i].cases[mode];
	}
	if (mode_works[NATIVE_16])
		report_segment_cases(cases / 50);
	else
		tap_skip("this kernel has no LDT", "segment limits and types");
	tap_note("%lu cases compared with this CPU", total);
	return tap_done();
}
