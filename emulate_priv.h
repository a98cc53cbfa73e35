/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the emulator, emulate*.c, share
 *
 * No one else includes this.
 */
#ifndef MINIKVM_EMULATE_PRIV_H
#define MINIKVM_EMULATE_PRIV_H

#include "emulate.h"

#define EMUL_ARITH_FLAGS	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
				 X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

/* What an instruction does.  The decoder finds it, the executor does it. */
enum emul_op {
	EMUL_UNKNOWN,
	/* in the order of opcodes 00..3F and of group 1 */
	EMUL_ADD, EMUL_OR, EMUL_ADC, EMUL_SBB,
	EMUL_AND, EMUL_SUB, EMUL_XOR, EMUL_CMP,
	/* in the order of group 2 */
	EMUL_ROL, EMUL_ROR, EMUL_RCL, EMUL_RCR,
	EMUL_SHL, EMUL_SHR, EMUL_SAL, EMUL_SAR,
	EMUL_BT, EMUL_BTS, EMUL_BTR, EMUL_BTC,
	EMUL_TEST, EMUL_NOT, EMUL_NEG, EMUL_INC, EMUL_DEC,
	EMUL_IMUL, EMUL_SHLD, EMUL_SHRD,
	EMUL_BSF, EMUL_BSR, EMUL_TZCNT, EMUL_LZCNT, EMUL_POPCNT,
	EMUL_MOV, EMUL_MOVSX, EMUL_MOVBE, EMUL_CMOV, EMUL_SETCC,
	/* not of the form dst = f(dst, src) */
	EMUL_MUL_A, EMUL_IMUL_A, EMUL_DIV_A, EMUL_IDIV_A,
	EMUL_XCHG, EMUL_XADD, EMUL_CMPXCHG, EMUL_CMPXCHG8B,
	EMUL_XLAT, EMUL_NOP, EMUL_CLFLUSH,
	EMUL_PUSH, EMUL_POP, EMUL_CALL, EMUL_CALL_REL, EMUL_JMP, EMUL_RET,
	EMUL_LEAVE,
	EMUL_IN, EMUL_OUT,
	EMUL_INS, EMUL_OUTS, EMUL_MOVS, EMUL_CMPS, EMUL_STOS, EMUL_LODS,
	EMUL_SCAS,
	/* control and debug registers: emulate_sys.c */
	EMUL_TO_CR, EMUL_FROM_CR, EMUL_TO_DR, EMUL_FROM_DR,
	EMUL_CLTS, EMUL_LMSW, EMUL_SMSW,
	/* known by their length only: x86_insn_len() */
	EMUL_LENGTH,
	/* vector moves: the only ones that take a VEX prefix */
	EMUL_V_FULL,		/* all of the register */
	EMUL_V_SCALAR,		/* low 4 or 8 bytes; a load clears the rest */
	EMUL_V_GPR,		/* the same, size by REX.W */
	EMUL_V_LOW, EMUL_V_HIGH, /* one half; a load keeps the other */
	EMUL_V_DDUP, EMUL_V_SLDUP, EMUL_V_SHDUP,
	EMUL_NR_OPS,
};

/* Where an instruction's operands are.  From EMUL_M on there is a ModRM. */
enum emul_operands {
	EMUL_NONE,
	EMUL_I,			/* an immediate only */
	EMUL_O,			/* register in the opcode's low three bits */
	EMUL_AI,		/* rAX, immediate */
	EMUL_AO,		/* rAX, moffs; the decoder turns it into EMUL_RM */
	EMUL_OA,		/* moffs, rAX; the decoder turns it into EMUL_MR */
	EMUL_M,			/* r/m */
	EMUL_MR,		/* r/m, reg */
	EMUL_RM,		/* reg, r/m */
	EMUL_MI,		/* r/m, immediate */
	EMUL_M1,		/* r/m, 1 */
	EMUL_MCL,		/* r/m, CL */
	EMUL_MRI,		/* r/m, reg, immediate */
	EMUL_MRCL,		/* r/m, reg, CL */
	EMUL_RMI,		/* reg, r/m, immediate */
	EMUL_MS,		/* r/m, segment register */
	EMUL_MX,		/* register r/m, control or debug register */
};

/* x86emul_decode.flags: properties of one row of the opcode tables. */
#define EMUL_F_BYTE	BIT(0)	/* operand size is one byte */
#define EMUL_F_IMM	BIT(1)	/* immediate of operand size, at most 4 */
#define EMUL_F_IMM8	BIT(2)	/* one byte, sign-extended */
#define EMUL_F_IMM16	BIT(3)	/* RET imm16 */
#define EMUL_F_DEF64	BIT(4)	/* operand size is never 4 in 64-bit mode */
#define EMUL_F_FORCE64	BIT(5)	/* and 66H is ignored there: branches */
#define EMUL_F_SRC8	BIT(6)	/* source is narrower: MOVZX, MOVSX */
#define EMUL_F_SRC16	BIT(7)
#define EMUL_F_SRC32	BIT(8)
#define EMUL_F_SRC64	BIT(9)
#define EMUL_F_MEM	BIT(10)	/* no register form: #UD */
#define EMUL_F_ALIGN	BIT(11)	/* vector operand must be aligned */
#define EMUL_F_SSE3	BIT(12)
#define EMUL_F_SSE41	BIT(13)
#define EMUL_F_ONLY64	BIT(14)	/* another instruction in other modes */
#define EMUL_F_NOT16	BIT(15)	/* operand size is never 2 */

/* Properties of an operation, whatever its operands. */
#define EMUL_T_RO	BIT(0)	/* destination is read only */
#define EMUL_T_WO	BIT(1)	/* destination is written only */
#define EMUL_T_LOCK	BIT(2)	/* LOCK is legal with a memory destination */
#define EMUL_T_ALT	BIT(3)	/* LOCK may make another instruction of it */

extern const u8 emul_traits[EMUL_NR_OPS];

/* All ones in the low @bytes bytes (1..8). */
static inline u64 emul_mask(unsigned int bytes)
{
	return ~0ull >> (64 - 8 * bytes);
}

static inline s64 emul_sign_extend(u64 val, unsigned int bytes)
{
	unsigned int shift = 64 - 8 * bytes;

	return (s64)(val << shift) >> shift;
}

static inline bool emul_is_mem(const struct x86emul_decode *d)
{
	return d->has_modrm && d->mod != 3;
}

/* Raise an exception without an error code. */
static inline int emul_fault(struct x86_emulate_ctxt *ctxt, u8 vector)
{
	ctxt->exception = (struct x86emul_exception){ .vector = vector };
	return X86EMUL_FAULT;
}

/* Raise one with error code 0.  Real mode has none: SDM vol. 3, 21.1.4. */
static inline int emul_fault0(struct x86_emulate_ctxt *ctxt, u8 vector)
{
	ctxt->exception = (struct x86emul_exception){
		.vector = vector,
		.has_error = ctxt->mode != X86EMUL_MODE_REAL,
	};
	return X86EMUL_FAULT;
}

/* The segment's cache; asks the binding once. */
static inline const struct x86emul_segment *
emul_segment(struct x86_emulate_ctxt *ctxt, enum x86emul_seg seg)
{
	if (!(ctxt->segs_valid & (1u << seg))) {
		ctxt->ops->get_segment(ctxt, seg, &ctxt->seg[seg]);
		ctxt->segs_valid |= 1u << seg;
	}
	return &ctxt->seg[seg];
}

/* Do the bits above the implemented ones copy the top one? SDM vol. 1, 3.3.7.1 */
static inline bool emul_canonical(const struct x86_emulate_ctxt *ctxt, u64 addr)
{
	unsigned int unused = ctxt->cr4 & X86_CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((s64)(addr << unused) >> unused) == addr;
}

/* emulate_decode.c */
int emul_decode(struct x86_emulate_ctxt *ctxt);

/* emulate.c: memory; the register or memory operand that ModRM names */
int emul_mem_read(struct x86_emulate_ctxt *ctxt, u64 linear, void *buf,
		  unsigned int bytes, unsigned int access);
int emul_mem_write(struct x86_emulate_ctxt *ctxt, u64 linear, const void *buf,
		   unsigned int bytes);
u64 emul_read_reg(const struct x86_emulate_ctxt *ctxt, unsigned int reg,
		  unsigned int bytes);
void emul_write_reg(struct x86_emulate_ctxt *ctxt, unsigned int reg,
		    unsigned int bytes, u64 val);
int emul_rm_locate(struct x86_emulate_ctxt *ctxt, unsigned int bytes,
		   unsigned int access);
int emul_rm_load(struct x86_emulate_ctxt *ctxt, unsigned int bytes,
		 unsigned int access, u64 *val);
int emul_rm_store(struct x86_emulate_ctxt *ctxt, unsigned int bytes,
		  u64 old, u64 val);

/* emulate_sys.c */
int emul_exec_system(struct x86_emulate_ctxt *ctxt);

/* emulate_vec.c */
int emul_exec_vector(struct x86_emulate_ctxt *ctxt);

/* emulate_alu.c */
bool emul_cond(u64 rflags, unsigned int cc);
u64 emul_alu(enum emul_op op, unsigned int bytes, u64 dst, u64 src,
	     u64 *rflags);
u64 emul_shift_double(enum emul_op op, unsigned int bytes, u64 dst, u64 src,
		      unsigned int count, u64 *rflags);
void emul_mul(bool is_signed, unsigned int bytes, u64 *lo, u64 *hi, u64 src,
	      u64 *rflags);
bool emul_div(bool is_signed, unsigned int bytes, u64 *lo, u64 *hi, u64 src);

#endif /* MINIKVM_EMULATE_PRIV_H */
