// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction emulator's main flow
 *
 * x86_emulate_insn() decodes (emulate_decode.c), then hands the instruction to
 * one of a few executors by its shape:
 *
 *   exec_general()	dst = f(dst, src): MOV, ALU, shifts, bits, CMOV, SETcc
 *   exec_exchange()	XCHG, XADD, CMPXCHG; exec_cmpxchg8b()
 *   exec_mul_div()	rDX:rAX and an r/m
 *   exec_push() ...	the stack, CALL, JMP, RET
 *   exec_in() ...	port I/O
 *   exec_string()	string instructions, REP or not
 *   emul_exec_vector()	SSE and AVX moves (emulate_vec.c)
 *   emul_exec_system()	control and debug registers (emulate_sys.c)
 *
 * Each goes the same way: linear address with all segment checks, reads, the
 * computation on local variables, the write, and only then, when nothing can
 * fail any more, registers and flags.  That order is what emulate.h promises
 * about replay, and what keeps the guest's state whole on every failure.
 *
 * No locks: the context belongs to the caller.  Paging, alignment of locked
 * accesses, breakpoints and #DB are the binding's.
 *
 * Left out on purpose: loading segment registers, far branches, other system
 * instructions, FPU, MMX and AVX-512; stack instructions that no one points at a device
 * (PUSHA, PUSHF, PUSH sreg, ENTER); vector moves between registers; a LOCKed
 * operand that wraps at the top of the linear address space.  All are
 * unhandleable.
 */
#include "emulate_priv.h"

#define TSS_IO_BASE	102	/* offset of the I/O map base, SDM vol. 3, 8.2 */
#define TSS_MIN_LIMIT	103
#define TSS_TYPE_BUSY	11	/* 32 or 64-bit, busy */
#define TSS_TYPE_AVAIL	9

/* ---- segmentation ------------------------------------------------------ */

static bool is_long64(const struct x86_emulate_ctxt *ctxt)
{
	return ctxt->mode == X86EMUL_MODE_LONG64;
}

/* Is [ea, last] inside the segment?  Expand-down: SDM vol. 3, 5.3. */
static bool within_limit(const struct x86emul_segment *seg, u64 ea, u64 last)
{
	bool code = seg->type & 8, down = seg->type & 4;

	if (seg->s && !code && down)
		return ea > seg->limit && last <= (seg->db ? 0xffffffff : 0xffff);
	return last <= seg->limit;
}

/* May the segment be used this way?  Protected mode only: vol. 3, 5.5. */
static bool type_allows(const struct x86emul_segment *seg, unsigned int access)
{
	bool code = seg->type & 8, readable_or_writable = seg->type & 2;

	if (seg->unusable)
		return false;
	if (access & X86EMUL_ACC_WRITE)
		return !code && readable_or_writable;
	return !code || readable_or_writable;
}

/*
 * Segment and offset to linear address, for @bytes bytes.  A violation is
 * #SS(0) in the stack segment, else #GP(0).
 */
static int linearize(struct x86_emulate_ctxt *ctxt, unsigned int seg, u64 ea,
		     unsigned int bytes, unsigned int access, u64 *linear)
{
	u64 last = ea + bytes - 1;

	if (is_long64(ctxt)) {
		u64 base = 0;

		if (seg == X86EMUL_FS || seg == X86EMUL_GS)
			base = emul_segment(ctxt, seg)->base;
		*linear = ea + base;
		if (emul_canonical(ctxt, *linear) &&
		    emul_canonical(ctxt, last + base))
			return X86EMUL_CONTINUE;
	} else {
		const struct x86emul_segment *s = emul_segment(ctxt, seg);
		bool prot = ctxt->mode == X86EMUL_MODE_PROT16 ||
			    ctxt->mode == X86EMUL_MODE_PROT32;

		*linear = (u32)(ea + s->base);
		if ((!prot || type_allows(s, access)) &&
		    within_limit(s, ea, last))
			return X86EMUL_CONTINUE;
	}
	return emul_fault0(ctxt, seg == X86EMUL_SS ? SS_VECTOR : GP_VECTOR);
}

/* ---- memory ------------------------------------------------------------ */

/*
 * How many of @bytes bytes from @linear on come before the top of the linear
 * address space?  The rest is at address 0.
 */
static unsigned int before_wrap(const struct x86_emulate_ctxt *ctxt, u64 linear,
				unsigned int bytes)
{
	u64 room = is_long64(ctxt) ? -linear : 0x100000000ull - linear;

	return room && room < bytes ? room : bytes;
}

/*
 * #AC: misaligned data at CPL 3 with CR0.AM and EFLAGS.AC set (SDM vol. 3,
 * 6.15; operands above 8 bytes have rules of their own).  If the page would
 * fault as well, a CPU may report either.
 */
static int check_alignment(struct x86_emulate_ctxt *ctxt, u64 linear,
			   unsigned int bytes)
{
	if (!(linear & (bytes - 1)) || bytes > 8 || ctxt->cpl != 3 ||
	    !(ctxt->rflags & X86_EFLAGS_AC) || !(ctxt->cr0 & X86_CR0_AM))
		return X86EMUL_CONTINUE;
	return emul_fault0(ctxt, AC_VECTOR);
}

/**
 * emul_mem_read() - read memory, checking alignment
 * @ctxt: the context
 * @linear: where, segmentation done; may wrap at the top of the address space
 * @buf: where to
 * @bytes: 1..X86EMUL_MAX_OPERAND
 * @access: X86EMUL_ACC_*
 *
 * Return: enum x86emul_rc.
 */
int emul_mem_read(struct x86_emulate_ctxt *ctxt, u64 linear, void *buf,
		  unsigned int bytes, unsigned int access)
{
	unsigned int first = before_wrap(ctxt, linear, bytes);
	int rc = check_alignment(ctxt, linear, bytes);

	if (!rc)
		rc = ctxt->ops->read(ctxt, linear, buf, first, access);
	if (!rc && first < bytes)
		rc = ctxt->ops->read(ctxt, 0, (u8 *)buf + first, bytes - first,
				     access);
	return rc;
}

/* Would an access to the range fault, and is all of it RAM? */
static int mem_probe(struct x86_emulate_ctxt *ctxt, u64 linear,
		     unsigned int bytes, unsigned int access, bool *ram)
{
	unsigned int first = before_wrap(ctxt, linear, bytes);
	int rc = ctxt->ops->probe(ctxt, linear, first, access, ram);

	if (!rc && first < bytes) {
		rc = ctxt->ops->probe(ctxt, 0, bytes - first, access, NULL);
		if (ram)
			*ram = false;
	}
	return rc;
}

/**
 * emul_mem_write() - write memory, checking alignment
 * @ctxt: the context
 * @linear: where, segmentation done; may wrap at the top of the address space
 * @buf: what
 * @bytes: 1..X86EMUL_MAX_OPERAND
 *
 * Return: enum x86emul_rc.
 */
int emul_mem_write(struct x86_emulate_ctxt *ctxt, u64 linear, const void *buf,
		   unsigned int bytes)
{
	unsigned int first = before_wrap(ctxt, linear, bytes);
	unsigned int rest = bytes - first, access = X86EMUL_ACC_WRITE;
	int rc = check_alignment(ctxt, linear, bytes);

	if (!rc && rest)
		rc = mem_probe(ctxt, linear, bytes, access, NULL);
	if (!rc)
		rc = ctxt->ops->write(ctxt, linear, buf, first);
	if (!rc && rest)
		rc = ctxt->ops->write(ctxt, 0, (const u8 *)buf + first, rest);
	return rc;
}

/* Write back what was read from the same place, atomically. */
static int mem_cmpxchg(struct x86_emulate_ctxt *ctxt, u64 linear,
		       const void *old, const void *new, unsigned int bytes)
{
	if (before_wrap(ctxt, linear, bytes) < bytes)
		return X86EMUL_UNHANDLEABLE;
	return ctxt->ops->cmpxchg(ctxt, linear, old, new, bytes);
}

/* ---- registers and the r/m operand ------------------------------------- */

/* AH, CH, DH, BH: byte registers 4..7 if there is no REX prefix. */
static bool is_high_byte(const struct x86_emulate_ctxt *ctxt, unsigned int reg,
			 unsigned int bytes)
{
	return bytes == 1 && !ctxt->d.rex && reg >= 4;
}

/**
 * emul_read_reg() - read a general register
 * @ctxt: decoded; a REX prefix decides what byte registers 4..7 are
 * @reg: 0..15
 * @bytes: 1, 2, 4, 8
 *
 * Return: its value, zero-extended.
 */
u64 emul_read_reg(const struct x86_emulate_ctxt *ctxt, unsigned int reg,
		  unsigned int bytes)
{
	if (is_high_byte(ctxt, reg, bytes))
		return (ctxt->gpr[reg - 4] >> 8) & 0xff;
	return ctxt->gpr[reg] & emul_mask(bytes);
}

/**
 * emul_write_reg() - write to a general register, as instructions do
 * @ctxt: decoded; a REX prefix decides what byte registers 4..7 are
 * @reg: 0..15
 * @bytes: 1, 2, 4, 8: 4 clear the upper half, fewer keep the rest
 * @val: the value; what is above @bytes does not matter
 */
void emul_write_reg(struct x86_emulate_ctxt *ctxt, unsigned int reg,
		    unsigned int bytes, u64 val)
{
	u64 mask = emul_mask(bytes);

	if (is_high_byte(ctxt, reg, bytes)) {
		reg -= 4;
		mask = 0xff00;
		val <<= 8;
	} else if (bytes == 4) {
		mask = ~0ull;
		val &= 0xffffffff;
	}
	ctxt->gpr[reg] = (ctxt->gpr[reg] & ~mask) | (val & mask);
	ctxt->regs_dirty |= 1u << reg;
}

/**
 * emul_rm_locate() - check the memory operand and note where it is
 * @ctxt: decoded; if its r/m is a register there is nothing to do
 * @bytes: size of the operand
 * @access: X86EMUL_ACC_*
 *
 * Return: X86EMUL_CONTINUE, or X86EMUL_FAULT: segmentation forbids it.
 */
int emul_rm_locate(struct x86_emulate_ctxt *ctxt, unsigned int bytes,
		   unsigned int access)
{
	struct x86emul_decode *d = &ctxt->d;

	if (!emul_is_mem(d))
		return X86EMUL_CONTINUE;
	return linearize(ctxt, d->seg, d->ea, bytes, access, &d->linear);
}

/**
 * emul_rm_load() - locate and read the r/m operand
 * @ctxt: decoded
 * @bytes: 1, 2, 4, 8
 * @access: X86EMUL_ACC_WRITE: it will be written, too
 * @val: where to, zero-extended
 *
 * Return: enum x86emul_rc.
 */
int emul_rm_load(struct x86_emulate_ctxt *ctxt, unsigned int bytes,
		 unsigned int access, u64 *val)
{
	int rc;

	if (!emul_is_mem(&ctxt->d)) {
		*val = emul_read_reg(ctxt, ctxt->d.rm, bytes);
		return X86EMUL_CONTINUE;
	}
	*val = 0;
	rc = emul_rm_locate(ctxt, bytes, access);
	return rc ? rc : emul_mem_read(ctxt, ctxt->d.linear, val, bytes, access);
}

/**
 * emul_rm_store() - write the r/m operand
 * @ctxt: decoded; emul_rm_locate() or emul_rm_load() was called
 * @bytes: 1, 2, 4, 8
 * @old: what was read; with LOCK only
 * @val: the value
 *
 * Return: enum x86emul_rc.
 */
int emul_rm_store(struct x86_emulate_ctxt *ctxt, unsigned int bytes,
		  u64 old, u64 val)
{
	const struct x86emul_decode *d = &ctxt->d;

	if (!emul_is_mem(d)) {
		emul_write_reg(ctxt, d->rm, bytes, val);
		return X86EMUL_CONTINUE;
	}
	if (d->lock)
		return mem_cmpxchg(ctxt, d->linear, &old, &val, bytes);
	return emul_mem_write(ctxt, d->linear, &val, bytes);
}

/* ---- dst = f(dst, src) ------------------------------------------------- */

static bool dst_is_rm(const struct x86emul_decode *d)
{
	return d->operands != EMUL_RM && d->operands != EMUL_RMI &&
	       d->operands != EMUL_AI;
}

static int load_source(struct x86_emulate_ctxt *ctxt, u64 *src)
{
	struct x86emul_decode *d = &ctxt->d;
	int rc;

	switch (d->operands) {
	case EMUL_RM:
	case EMUL_RMI:
		rc = emul_rm_load(ctxt, d->src_bytes, 0, src);
		if (d->op == EMUL_MOVSX)
			*src = emul_sign_extend(*src, d->src_bytes);
		return rc;
	case EMUL_MR:
	case EMUL_MRI:
	case EMUL_MRCL:
		*src = emul_read_reg(ctxt, d->reg, d->op_bytes);
		return X86EMUL_CONTINUE;
	case EMUL_MS:
		if ((d->reg & 7) > X86EMUL_GS)
			return emul_fault(ctxt, UD_VECTOR);
		if (emul_is_mem(d))
			d->op_bytes = 2;
		*src = emul_segment(ctxt, d->reg & 7)->selector;
		return X86EMUL_CONTINUE;
	case EMUL_M1:
		*src = 1;
		return X86EMUL_CONTINUE;
	case EMUL_MCL:
		*src = ctxt->gpr[X86EMUL_RCX] & 0xff;
		return X86EMUL_CONTINUE;
	default:
		*src = d->imm;
		return X86EMUL_CONTINUE;
	}
}

static int load_destination(struct x86_emulate_ctxt *ctxt, u64 *dst)
{
	struct x86emul_decode *d = &ctxt->d;
	u8 traits = emul_traits[d->op];
	unsigned int access = traits & EMUL_T_RO ? 0 : X86EMUL_ACC_WRITE;

	*dst = 0;
	if (d->operands == EMUL_RMI)		/* IMUL: not read, only written */
		*dst = d->imm;
	else if (traits & EMUL_T_WO)
		return dst_is_rm(d) ? emul_rm_locate(ctxt, d->op_bytes, access) : 0;
	else if (d->operands == EMUL_AI)
		*dst = emul_read_reg(ctxt, X86EMUL_RAX, d->op_bytes);
	else if (d->operands == EMUL_RM)
		*dst = emul_read_reg(ctxt, d->reg, d->op_bytes);
	else
		return emul_rm_load(ctxt, d->op_bytes, access, dst);
	return X86EMUL_CONTINUE;
}

/*
 * BT m, r: the bit offset is signed and not limited to the operand.  It moves
 * the address by whole operands (SDM vol. 2, 3.1.1.9).
 */
static void apply_bit_offset(struct x86_emulate_ctxt *ctxt, u64 src)
{
	struct x86emul_decode *d = &ctxt->d;
	s64 offset = emul_sign_extend(src, d->op_bytes);
	u64 operands = offset >> (d->op_bytes == 8 ? 6 :
				  d->op_bytes == 4 ? 5 : 4);

	d->ea = (d->ea + operands * d->op_bytes) & emul_mask(d->ad_bytes);
}

static u64 compute(struct x86_emulate_ctxt *ctxt, u64 dst, u64 src, u64 *rflags)
{
	struct x86emul_decode *d = &ctxt->d;
	unsigned int count = d->imm;

	switch (d->op) {
	case EMUL_SETCC:
		return emul_cond(*rflags, d->opcode);
	case EMUL_CMOV:
		return emul_cond(*rflags, d->opcode) ? src : dst;
	case EMUL_SHLD:
	case EMUL_SHRD:
		if (d->operands == EMUL_MRCL)
			count = ctxt->gpr[X86EMUL_RCX];
		return emul_shift_double(d->op, d->op_bytes, dst, src, count,
					 rflags);
	default:
		return emul_alu(d->op, d->op_bytes, dst, src, rflags);
	}
}

static int exec_general(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	u64 src, dst, res, rflags = ctxt->rflags;
	bool is_bt = d->op >= EMUL_BT && d->op <= EMUL_BTC;
	int rc = load_source(ctxt, &src);

	if (rc)
		return rc;
	if (is_bt && d->operands == EMUL_MR && emul_is_mem(d))
		apply_bit_offset(ctxt, src);
	rc = load_destination(ctxt, &dst);
	if (rc)
		return rc;

	res = compute(ctxt, dst, src, &rflags);

	if (emul_traits[d->op] & EMUL_T_RO)
		;
	else if (dst_is_rm(d))
		rc = emul_rm_store(ctxt, d->op_bytes, dst, res);
	else if ((d->op == EMUL_BSF || d->op == EMUL_BSR) && !src)
		;	/* unmodified, upper half too */
	else
		emul_write_reg(ctxt, d->operands == EMUL_AI ? X86EMUL_RAX : d->reg,
			       d->op_bytes, res);
	if (!rc)
		ctxt->rflags = rflags;
	return rc;
}

/* ---- multiply and divide, exchanges ------------------------------------ */

/* The double-width operand is rDX:rAX; for bytes it is AH:AL. */
static int exec_mul_div(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	bool is_signed = d->op == EMUL_IMUL_A || d->op == EMUL_IDIV_A;
	unsigned int bytes = d->op_bytes;
	u64 src, lo = emul_read_reg(ctxt, X86EMUL_RAX, bytes), hi;
	u64 rflags = ctxt->rflags;
	int rc = emul_rm_load(ctxt, bytes, 0, &src);

	if (rc)
		return rc;
	if (bytes == 1)
		hi = (ctxt->gpr[X86EMUL_RAX] >> 8) & 0xff;
	else
		hi = emul_read_reg(ctxt, X86EMUL_RDX, bytes);

	if (d->op == EMUL_MUL_A || d->op == EMUL_IMUL_A)
		emul_mul(is_signed, bytes, &lo, &hi, src, &rflags);
	else if (!emul_div(is_signed, bytes, &lo, &hi, src))
		return emul_fault(ctxt, DE_VECTOR);

	if (bytes == 1) {
		emul_write_reg(ctxt, X86EMUL_RAX, 2, hi << 8 | lo);
	} else {
		emul_write_reg(ctxt, X86EMUL_RAX, bytes, lo);
		emul_write_reg(ctxt, X86EMUL_RDX, bytes, hi);
	}
	ctxt->rflags = rflags;
	return X86EMUL_CONTINUE;
}

/* XCHG, XADD, CMPXCHG: two registers, or a register and memory, change. */
static int exec_exchange(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	unsigned int bytes = d->op_bytes, reg = d->reg;
	u64 old, new, val = emul_read_reg(ctxt, reg, bytes), rflags = ctxt->rflags;
	u64 acc = emul_read_reg(ctxt, X86EMUL_RAX, bytes);
	bool write_old = true;
	int rc = emul_rm_load(ctxt, bytes, X86EMUL_ACC_WRITE, &old);

	if (rc)
		return rc;

	switch (d->op) {
	case EMUL_XCHG:
		d->lock = true;		/* implied with memory */
		new = val;
		break;
	case EMUL_XADD:
		new = emul_alu(EMUL_XADD, bytes, old, val, &rflags);
		break;
	default:		/* EMUL_CMPXCHG */
		emul_alu(EMUL_CMP, bytes, acc, old, &rflags);
		write_old = acc != old;
		new = write_old ? old : val;	/* memory is written either way */
		reg = X86EMUL_RAX;
		break;
	}

	/* memory can fail: first.  XADD r, r of one register leaves the sum. */
	if (emul_is_mem(d))
		rc = emul_rm_store(ctxt, bytes, old, new);
	if (rc)
		return rc;
	if (write_old)
		emul_write_reg(ctxt, reg, bytes, old);
	/* a register that did not compare keeps its upper half too */
	if (!emul_is_mem(d) && !(d->op == EMUL_CMPXCHG && write_old))
		emul_write_reg(ctxt, d->rm, bytes, new);
	ctxt->rflags = rflags;
	return X86EMUL_CONTINUE;
}

/* CMPXCHG8B and, with REX.W, CMPXCHG16B. */
static int exec_cmpxchg8b(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	unsigned int half = d->op_bytes == 8 ? 8 : 4, bytes = 2 * half;
	u8 old[16], new[16], want[16];
	bool equal;
	int rc;

	if (half == 8 && !(ctxt->features & X86EMUL_FEAT_CX16))
		return emul_fault(ctxt, UD_VECTOR);
	rc = emul_rm_locate(ctxt, bytes, X86EMUL_ACC_WRITE);
	if (rc)
		return rc;
	if (half == 8 && (d->linear & 15))
		return emul_fault0(ctxt, GP_VECTOR);
	rc = emul_mem_read(ctxt, d->linear, old, bytes, X86EMUL_ACC_WRITE);
	if (rc)
		return rc;

	memcpy(want, &ctxt->gpr[X86EMUL_RAX], half);
	memcpy(want + half, &ctxt->gpr[X86EMUL_RDX], half);
	memcpy(new, &ctxt->gpr[X86EMUL_RBX], half);
	memcpy(new + half, &ctxt->gpr[X86EMUL_RCX], half);
	equal = !memcmp(old, want, bytes);
	if (!equal)
		memcpy(new, old, bytes);	/* written either way */

	rc = d->lock ? mem_cmpxchg(ctxt, d->linear, old, new, bytes) :
		       emul_mem_write(ctxt, d->linear, new, bytes);
	if (rc)
		return rc;
	if (!equal) {
		u64 lo = 0, hi = 0;

		memcpy(&lo, old, half);
		memcpy(&hi, old + half, half);
		emul_write_reg(ctxt, X86EMUL_RAX, half, lo);
		emul_write_reg(ctxt, X86EMUL_RDX, half, hi);
	}
	ctxt->rflags &= ~(u64)X86_EFLAGS_ZF;
	ctxt->rflags |= equal ? X86_EFLAGS_ZF : 0;
	return X86EMUL_CONTINUE;
}

/* ---- the stack and near branches --------------------------------------- */

/* Width of the stack pointer. */
static unsigned int stack_bytes(struct x86_emulate_ctxt *ctxt)
{
	if (is_long64(ctxt))
		return 8;
	return emul_segment(ctxt, X86EMUL_SS)->db ? 4 : 2;
}

static int push(struct x86_emulate_ctxt *ctxt, u64 val)
{
	unsigned int width = stack_bytes(ctxt), bytes = ctxt->d.op_bytes;
	u64 sp = (ctxt->gpr[X86EMUL_RSP] - bytes) & emul_mask(width), linear;
	int rc = linearize(ctxt, X86EMUL_SS, sp, bytes, X86EMUL_ACC_WRITE,
			   &linear);

	if (!rc)
		rc = emul_mem_write(ctxt, linear, &val, bytes);
	if (!rc)
		emul_write_reg(ctxt, X86EMUL_RSP, width, sp);
	return rc;
}

/* Read the operand at SS:@sp; the caller moves the stack pointer. */
static int read_stack(struct x86_emulate_ctxt *ctxt, u64 sp, u64 *val)
{
	unsigned int bytes = ctxt->d.op_bytes;
	u64 linear;
	int rc;

	*val = 0;
	rc = linearize(ctxt, X86EMUL_SS, sp & emul_mask(stack_bytes(ctxt)),
		       bytes, 0, &linear);
	return rc ? rc : emul_mem_read(ctxt, linear, val, bytes, 0);
}

/* Register in the opcode's low bits. */
static unsigned int opcode_reg(const struct x86emul_decode *d)
{
	return (d->opcode & 7) | ((d->rex & 1) << 3);
}

static int exec_push(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	u64 val = d->imm;
	int rc = 0;

	if (d->operands == EMUL_O)
		val = ctxt->gpr[opcode_reg(d)];
	else if (d->operands == EMUL_M)
		rc = emul_rm_load(ctxt, d->op_bytes, 0, &val);
	return rc ? rc : push(ctxt, val);
}

/*
 * POP m computes its address with the stack pointer already moved (vol. 2,
 * POP); POP rSP ends with the value popped.
 */
static int exec_pop(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	u64 val, sp = ctxt->gpr[X86EMUL_RSP];
	int rc;

	if (emul_is_mem(d) && d->base_is_rsp)
		d->ea = (d->ea + d->op_bytes) & emul_mask(d->ad_bytes);
	rc = read_stack(ctxt, sp, &val);
	if (!rc && emul_is_mem(d)) {
		rc = emul_rm_locate(ctxt, d->op_bytes, X86EMUL_ACC_WRITE);
		if (!rc)
			rc = emul_rm_store(ctxt, d->op_bytes, 0, val);
	}
	if (rc)
		return rc;
	emul_write_reg(ctxt, X86EMUL_RSP, stack_bytes(ctxt), sp + d->op_bytes);
	if (d->operands == EMUL_O)
		emul_write_reg(ctxt, opcode_reg(d), d->op_bytes, val);
	else if (!emul_is_mem(d))
		emul_write_reg(ctxt, d->rm, d->op_bytes, val);
	return X86EMUL_CONTINUE;
}

/* LEAVE: rSP = rBP, then POP rBP. */
static int exec_leave(struct x86_emulate_ctxt *ctxt)
{
	u64 val, sp = ctxt->gpr[X86EMUL_RBP];
	int rc = read_stack(ctxt, sp, &val);

	if (rc)
		return rc;
	emul_write_reg(ctxt, X86EMUL_RSP, stack_bytes(ctxt), sp + ctxt->d.op_bytes);
	emul_write_reg(ctxt, X86EMUL_RBP, ctxt->d.op_bytes, val);
	return X86EMUL_CONTINUE;
}

static int check_target(struct x86_emulate_ctxt *ctxt, u64 target)
{
	bool ok;

	if (is_long64(ctxt))
		ok = emul_canonical(ctxt, target);
	else
		ok = target <= emul_segment(ctxt, X86EMUL_CS)->limit;
	return ok ? X86EMUL_CONTINUE : emul_fault0(ctxt, GP_VECTOR);
}

static int exec_branch(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	u64 target, sp = ctxt->gpr[X86EMUL_RSP];
	int rc = 0;

	if (d->op == EMUL_RET)
		rc = read_stack(ctxt, sp, &target);
	else if (d->op == EMUL_CALL_REL)
		target = (d->next_rip + d->imm) & emul_mask(d->op_bytes);
	else
		rc = emul_rm_load(ctxt, d->op_bytes, 0, &target);
	if (!rc)
		rc = check_target(ctxt, target);
	if (!rc && (d->op == EMUL_CALL || d->op == EMUL_CALL_REL))
		rc = push(ctxt, d->next_rip);
	if (rc)
		return rc;
	if (d->op == EMUL_RET)
		emul_write_reg(ctxt, X86EMUL_RSP, stack_bytes(ctxt),
			       sp + d->op_bytes + d->imm);
	d->next_rip = target;
	return X86EMUL_CONTINUE;
}

/* ---- odds and ends ----------------------------------------------------- */

static int exec_xlat(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	u64 ea = ctxt->gpr[X86EMUL_RBX] + (ctxt->gpr[X86EMUL_RAX] & 0xff);
	u64 linear;
	u8 val;
	int rc = linearize(ctxt, d->seg, ea & emul_mask(d->ad_bytes), 1, 0,
			   &linear);

	if (!rc)
		rc = emul_mem_read(ctxt, linear, &val, 1, 0);
	if (!rc)
		emul_write_reg(ctxt, X86EMUL_RAX, 1, val);
	return rc;
}

/* A cache hint with no effect here; but it faults as a byte load would. */
static int exec_clflush(struct x86_emulate_ctxt *ctxt)
{
	int rc;

	if (!emul_is_mem(&ctxt->d))
		return X86EMUL_UNHANDLEABLE;	/* a fence */
	rc = emul_rm_locate(ctxt, 1, 0);
	return rc ? rc : ctxt->ops->probe(ctxt, ctxt->d.linear, 1, 0, NULL);
}

/* ---- port I/O ---------------------------------------------------------- */

/*
 * Two bytes of the TSS.  Its base has 64 bits in compatibility mode too; one below
 * 4 GiB outside 64-bit mode is taken to wrap there, as in a 32-bit kernel.
 */
static int read_tss(struct x86_emulate_ctxt *ctxt, u32 offset, u16 *val)
{
	u64 base = emul_segment(ctxt, X86EMUL_TR)->base, linear = base + offset;

	if (!is_long64(ctxt) && !(base >> 32)) {
		linear = (u32)linear;
		if (before_wrap(ctxt, linear, 2) < 2)
			return X86EMUL_UNHANDLEABLE;
	}
	return ctxt->ops->read(ctxt, linear, val, 2, X86EMUL_ACC_SYSTEM);
}

/*
 * May the guest touch @size ports from @port on?  IOPL decides, else the
 * bitmap in the TSS (SDM vol. 1, 19.5.2).  Two bytes of the bitmap are read
 * always, so both must be within the limit.
 */
static int check_io_permission(struct x86_emulate_ctxt *ctxt, u16 port,
			       unsigned int size)
{
	unsigned int iopl = (ctxt->rflags & X86_EFLAGS_IOPL) >>
			    X86_EFLAGS_IOPL_BIT;
	const struct x86emul_segment *tr;
	u16 map = 0, perm = 0;
	u32 offset;
	int rc;

	if (ctxt->mode == X86EMUL_MODE_REAL ||
	    (ctxt->mode != X86EMUL_MODE_VM86 && ctxt->cpl <= iopl))
		return X86EMUL_CONTINUE;

	tr = emul_segment(ctxt, X86EMUL_TR);
	if (tr->unusable || tr->limit < TSS_MIN_LIMIT ||
	    (tr->type != TSS_TYPE_BUSY && tr->type != TSS_TYPE_AVAIL))
		return emul_fault0(ctxt, GP_VECTOR);
	rc = read_tss(ctxt, TSS_IO_BASE, &map);
	if (rc)
		return rc;
	offset = map + port / 8;
	if (offset + 1 > tr->limit)
		return emul_fault0(ctxt, GP_VECTOR);
	rc = read_tss(ctxt, offset, &perm);
	if (rc)
		return rc;
	if ((perm >> (port & 7)) & ((1u << size) - 1))
		return emul_fault0(ctxt, GP_VECTOR);
	return X86EMUL_CONTINUE;
}

/* I/O ports are at most 4 bytes wide; REX.W means nothing. */
static unsigned int io_bytes(const struct x86emul_decode *d)
{
	return d->op_bytes < 4 ? d->op_bytes : 4;
}

static int exec_in_out(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	unsigned int size = io_bytes(d), count = 1;
	u16 port = d->operands == EMUL_I ? d->imm & 0xff :
					   ctxt->gpr[X86EMUL_RDX];
	u32 val = 0;
	int rc = check_io_permission(ctxt, port, size);

	if (rc)
		return rc;
	if (d->op == EMUL_OUT) {
		val = ctxt->gpr[X86EMUL_RAX];
		return ctxt->ops->pio_out(ctxt, port, size, &val, &count);
	}
	rc = ctxt->ops->pio_in(ctxt, port, size, &val, &count);
	if (!rc)
		emul_write_reg(ctxt, X86EMUL_RAX, size, val);
	return rc;
}

/* ---- strings ----------------------------------------------------------- */

/* A string instruction in flight: the side in memory, for INS and OUTS. */
struct string_side {
	unsigned int seg, reg, access;
};

static u64 string_ea(const struct x86_emulate_ctxt *ctxt, unsigned int reg)
{
	return ctxt->gpr[reg] & emul_mask(ctxt->d.ad_bytes);
}

static int string_linear(struct x86_emulate_ctxt *ctxt, unsigned int seg,
			 unsigned int reg, unsigned int bytes,
			 unsigned int access, u64 *linear)
{
	return linearize(ctxt, seg, string_ea(ctxt, reg), bytes, access, linear);
}

/* Move rSI or rDI past @count elements of @bytes. */
static void string_advance(struct x86_emulate_ctxt *ctxt, unsigned int reg,
			   unsigned int bytes, unsigned int count)
{
	u64 step = (u64)bytes * count;

	if (ctxt->rflags & X86_EFLAGS_DF)
		step = -step;
	emul_write_reg(ctxt, reg, ctxt->d.ad_bytes, ctxt->gpr[reg] + step);
}

static int string_load(struct x86_emulate_ctxt *ctxt, unsigned int seg,
		       unsigned int reg, u64 *val)
{
	unsigned int bytes = ctxt->d.op_bytes;
	u64 linear;
	int rc = string_linear(ctxt, seg, reg, bytes, 0, &linear);

	*val = 0;
	return rc ? rc : emul_mem_read(ctxt, linear, val, bytes, 0);
}

static int string_store(struct x86_emulate_ctxt *ctxt, u64 val)
{
	unsigned int bytes = ctxt->d.op_bytes;
	u64 linear;
	int rc = string_linear(ctxt, X86EMUL_ES, X86EMUL_RDI, bytes,
			       X86EMUL_ACC_WRITE, &linear);

	return rc ? rc : emul_mem_write(ctxt, linear, &val, bytes);
}

/* One element of MOVS, CMPS, STOS, LODS or SCAS. */
static int string_element(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	unsigned int bytes = d->op_bytes;
	bool si = d->op == EMUL_MOVS || d->op == EMUL_CMPS || d->op == EMUL_LODS;
	bool di = d->op != EMUL_LODS;
	u64 a = emul_read_reg(ctxt, X86EMUL_RAX, bytes), b;
	int rc = 0;

	if (si)
		rc = string_load(ctxt, d->seg, X86EMUL_RSI, &a);
	if (!rc && (d->op == EMUL_CMPS || d->op == EMUL_SCAS))
		rc = string_load(ctxt, X86EMUL_ES, X86EMUL_RDI, &b);
	else if (!rc && di)
		rc = string_store(ctxt, a);
	if (rc)
		return rc;

	if (d->op == EMUL_CMPS || d->op == EMUL_SCAS)
		emul_alu(EMUL_CMP, bytes, a, b, &ctxt->rflags);
	if (d->op == EMUL_LODS)
		emul_write_reg(ctxt, X86EMUL_RAX, bytes, a);
	if (si)
		string_advance(ctxt, X86EMUL_RSI, bytes, 1);
	if (di)
		string_advance(ctxt, X86EMUL_RDI, bytes, 1);
	return X86EMUL_CONTINUE;
}

/*
 * How many elements of INS or OUTS can go at once from @linear on: in one page,
 * with no wrap of the offset, within the segment, going up.  At least 1.
 */
static unsigned int io_batch(struct x86_emulate_ctxt *ctxt, u64 max,
			     const struct string_side *side, u64 linear)
{
	unsigned int size = io_bytes(&ctxt->d);
	u64 room = X86EMUL_IO_BUF - linear % X86EMUL_IO_BUF, unused;
	u64 ea = string_ea(ctxt, side->reg), n = room / size;

	if (n > max)
		n = max;
	if (n <= 1 || (ctxt->rflags & (X86_EFLAGS_DF | X86_EFLAGS_TF)) ||
	    ea + n * size - 1 > emul_mask(ctxt->d.ad_bytes) ||
	    linearize(ctxt, side->seg, ea, n * size, side->access, &unused))
		return 1;
	return n;
}

/*
 * All checks come before pio_in(): what a device gave cannot be given back.
 * *@n: elements wanted, then done.
 */
static int ins_batch(struct x86_emulate_ctxt *ctxt, u16 port, unsigned int size,
		     u64 linear, unsigned int *n)
{
	const struct x86_emulate_ops *ops = ctxt->ops;
	bool ram;
	int rc = mem_probe(ctxt, linear, *n * size, X86EMUL_ACC_WRITE, &ram);

	if (rc)
		return rc;
	if (!ram)
		*n = 1;
	rc = ops->pio_in(ctxt, port, size, ctxt->io_buf, n);
	if (rc)
		return rc;
	if (*n == 1)
		return emul_mem_write(ctxt, linear, ctxt->io_buf, size);
	return ops->write(ctxt, linear, ctxt->io_buf, *n * size);
}

static int outs_batch(struct x86_emulate_ctxt *ctxt, u16 port,
		      unsigned int size, u64 linear, unsigned int *n)
{
	const struct x86_emulate_ops *ops = ctxt->ops;
	bool ram = false;
	int rc = 0;

	if (*n > 1)
		rc = mem_probe(ctxt, linear, *n * size, 0, &ram);
	if (rc)
		return rc;
	if (!ram)
		*n = 1;
	if (*n == 1)
		rc = emul_mem_read(ctxt, linear, ctxt->io_buf, size, 0);
	else
		rc = ops->read(ctxt, linear, ctxt->io_buf, *n * size, 0);
	return rc ? rc : ops->pio_out(ctxt, port, size, ctxt->io_buf, n);
}

/* A batch of INS or OUTS, up to *@count elements; *@count becomes what was done. */
static int string_io(struct x86_emulate_ctxt *ctxt, u64 *count)
{
	bool in = ctxt->d.op == EMUL_INS;
	const struct string_side side = {
		.seg = in ? X86EMUL_ES : ctxt->d.seg,
		.reg = in ? X86EMUL_RDI : X86EMUL_RSI,
		.access = in ? X86EMUL_ACC_WRITE : 0,
	};
	unsigned int size = io_bytes(&ctxt->d), n;
	u16 port = ctxt->gpr[X86EMUL_RDX];
	u64 linear;
	int rc = string_linear(ctxt, side.seg, side.reg, size, side.access,
			       &linear);

	if (!rc)
		rc = check_alignment(ctxt, linear, size);
	if (rc)
		return rc;
	n = io_batch(ctxt, *count, &side, linear);
	rc = in ? ins_batch(ctxt, port, size, linear, &n) :
		  outs_batch(ctxt, port, size, linear, &n);
	if (rc)
		return rc;
	string_advance(ctxt, side.reg, size, n);
	*count = n;
	return X86EMUL_CONTINUE;
}

/* REPE ends with ZF clear, REPNE with ZF set; only if there is a comparison. */
static bool comparison_ends(const struct x86_emulate_ctxt *ctxt)
{
	const struct x86emul_decode *d = &ctxt->d;
	bool equal = ctxt->rflags & X86_EFLAGS_ZF;

	if (d->op != EMUL_CMPS && d->op != EMUL_SCAS)
		return false;
	return equal == (d->rep == 0xf2);
}

/*
 * Registers are committed after each iteration (INS, OUTS: one batch), so that
 * one that cannot be done leaves the ones before it done, and the instruction
 * may stop after any of them: the batch is full, a hook wants to be served, or
 * TF is set.
 */
static int exec_string(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	bool io = d->op == EMUL_INS || d->op == EMUL_OUTS;
	u64 count = d->rep ? string_ea(ctxt, X86EMUL_RCX) : 1;
	int rc = 0, i;

	if (!count)
		return X86EMUL_CONTINUE;
	if (io)
		rc = check_io_permission(ctxt, ctxt->gpr[X86EMUL_RDX],
					 io_bytes(d));
	if (rc)
		return rc;

	for (i = 0; i < X86EMUL_REP_BATCH; i++) {
		u64 done = io ? count : 1;

		rc = io ? string_io(ctxt, &done) : string_element(ctxt);
		if (rc)
			return i ? X86EMUL_RESTART : rc;
		count -= done;
		if (d->rep)
			emul_write_reg(ctxt, X86EMUL_RCX, d->ad_bytes, count);
		if (!count || comparison_ends(ctxt))
			return X86EMUL_CONTINUE;
		if (io || ctxt->stop || (ctxt->rflags & X86_EFLAGS_TF))
			break;
	}
	return X86EMUL_RESTART;
}

/* ---- main flow --------------------------------------------------------- */

/* Instructions that only some CPUs have. */
static int check_features(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	u32 features = ctxt->features;

	if (d->op == EMUL_TZCNT && !(features & X86EMUL_FEAT_TZCNT))
		d->op = EMUL_BSF;
	else if (d->op == EMUL_LZCNT && !(features & X86EMUL_FEAT_LZCNT))
		d->op = EMUL_BSR;
	else if ((d->op == EMUL_MOVBE && !(features & X86EMUL_FEAT_MOVBE)) ||
		 (d->op == EMUL_POPCNT && !(features & X86EMUL_FEAT_POPCNT)))
		return emul_fault(ctxt, UD_VECTOR);
	return X86EMUL_CONTINUE;
}

static int execute(struct x86_emulate_ctxt *ctxt)
{
	int rc;

	switch (ctxt->d.op) {
	case EMUL_ADD ... EMUL_SETCC:
		rc = check_features(ctxt);
		return rc ? rc : exec_general(ctxt);
	case EMUL_MUL_A ... EMUL_IDIV_A:
		return exec_mul_div(ctxt);
	case EMUL_XCHG ... EMUL_CMPXCHG:
		return exec_exchange(ctxt);
	case EMUL_CMPXCHG8B:
		return exec_cmpxchg8b(ctxt);
	case EMUL_XLAT:
		return exec_xlat(ctxt);
	case EMUL_NOP:
		return X86EMUL_CONTINUE;
	case EMUL_CLFLUSH:
		return exec_clflush(ctxt);
	case EMUL_PUSH:
		return exec_push(ctxt);
	case EMUL_POP:
		return exec_pop(ctxt);
	case EMUL_CALL ... EMUL_RET:
		return exec_branch(ctxt);
	case EMUL_LEAVE:
		return exec_leave(ctxt);
	case EMUL_IN ... EMUL_OUT:
		return exec_in_out(ctxt);
	case EMUL_INS ... EMUL_SCAS:
		return exec_string(ctxt);
	case EMUL_TO_CR ... EMUL_SMSW:
		return emul_exec_system(ctxt);
	case EMUL_V_FULL ... EMUL_V_SHDUP:
		return emul_exec_vector(ctxt);
	default:
		return X86EMUL_UNHANDLEABLE;
	}
}

static int start(struct x86_emulate_ctxt *ctxt)
{
	ctxt->pos = 0;
	ctxt->length = 0;
	ctxt->segs_valid = 0;
	ctxt->regs_dirty = 0;
	ctxt->stop = false;
	return emul_decode(ctxt);
}

unsigned int x86_insn_len(struct x86_emulate_ctxt *ctxt)
{
	start(ctxt);
	return ctxt->length;
}

int x86_emulate_insn(struct x86_emulate_ctxt *ctxt)
{
	int rc = start(ctxt);

	if (!rc)
		rc = execute(ctxt);

	if (rc == X86EMUL_CONTINUE) {
		ctxt->rip = ctxt->d.next_rip;
		ctxt->rflags &= ~(u64)X86_EFLAGS_RF;
	} else if (rc == X86EMUL_RESTART) {
		ctxt->rflags |= X86_EFLAGS_RF;
	}
	return rc;
}
