// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction decoder: from bytes to struct x86emul_decode
 *
 * An x86 instruction is (SDM vol. 2, chapter 2)
 *
 *   prefixes | REX or VEX | opcode, 1..3 bytes | ModRM | SIB | disp | immediate
 *
 * The opcode selects a row of a table: one_byte[], two_byte[] (0F xx) or
 * three_byte() (0F 38 xx).  A row says what is done (enum emul_op) and where
 * the operands are (enum emul_operands).  Where the mandatory prefix takes part
 * in the choice, the row refers to by_prefix[]; where ModRM.reg does, to
 * by_reg[].  From the row follows which of ModRM, SIB, displacement and
 * immediate are there, so its end, and with that the length and the effective
 * address, are known.
 *
 * Bytes are fetched as the decoder gets to them, page by page: the next page
 * is touched only if the instruction goes on there.
 *
 * Rows of EMUL_LENGTH are instructions that a hypervisor intercepts and carries
 * out without this emulator, but whose end it must find: CPUID, HLT, RDMSR, ...
 *
 * Left out on purpose: whatever has no row.  Such an opcode is reported
 * unhandleable, not #UD: this file does not know all of the instruction set.
 */
#include "emulate_priv.h"

#define EMUL_PAGE_SIZE	4096

struct emul_row {
	u8 op;
	u8 operands;
	u16 flags;
};

/* Values of emul_row.op that refer to another table. */
enum {
	BY_REG = 128,
	GROUP_1 = BY_REG, GROUP_1A, GROUP_2, GROUP_3, GROUP_4, GROUP_5,
	GROUP_6, GROUP_7, GROUP_8, GROUP_9, GROUP_11, GROUP_15, GROUP_15_66,
	BY_PREFIX = 192,
	PFX_10 = BY_PREFIX, PFX_12, PFX_13, PFX_16, PFX_17, PFX_28, PFX_2B,
	PFX_6E, PFX_6F, PFX_7E, PFX_AE, PFX_B8, PFX_BC, PFX_BD, PFX_C3, PFX_D6,
	PFX_E7, PFX_F0, PFX_38_2A, PFX_38_F0,
};

/* Opcodes 00..3F are eight operations in these six forms. */
static const struct emul_row alu_forms[6] = {
	{ EMUL_ADD, EMUL_MR, EMUL_F_BYTE },
	{ EMUL_ADD, EMUL_MR },
	{ EMUL_ADD, EMUL_RM, EMUL_F_BYTE },
	{ EMUL_ADD, EMUL_RM },
	{ EMUL_ADD, EMUL_AI, EMUL_F_BYTE | EMUL_F_IMM },
	{ EMUL_ADD, EMUL_AI, EMUL_F_IMM },
};

static const struct emul_row one_byte[256] = {
	/* 00..3F: alu_forms */
	[0x50 ... 0x57] = { EMUL_PUSH, EMUL_O, EMUL_F_DEF64 },
	[0x58 ... 0x5f] = { EMUL_POP, EMUL_O, EMUL_F_DEF64 },
	[0x63] = { EMUL_MOVSX, EMUL_RM, EMUL_F_SRC32 | EMUL_F_ONLY64 },
	[0x68] = { EMUL_PUSH, EMUL_I, EMUL_F_DEF64 | EMUL_F_IMM },
	[0x69] = { EMUL_IMUL, EMUL_RMI, EMUL_F_IMM },
	[0x6a] = { EMUL_PUSH, EMUL_I, EMUL_F_DEF64 | EMUL_F_IMM8 },
	[0x6b] = { EMUL_IMUL, EMUL_RMI, EMUL_F_IMM8 },
	[0x6c] = { EMUL_INS, EMUL_NONE, EMUL_F_BYTE },
	[0x6d] = { EMUL_INS },
	[0x6e] = { EMUL_OUTS, EMUL_NONE, EMUL_F_BYTE },
	[0x6f] = { EMUL_OUTS },
	[0x80] = { GROUP_1, EMUL_MI, EMUL_F_BYTE | EMUL_F_IMM },
	[0x81] = { GROUP_1, EMUL_MI, EMUL_F_IMM },
	[0x83] = { GROUP_1, EMUL_MI, EMUL_F_IMM8 },
	[0x84] = { EMUL_TEST, EMUL_MR, EMUL_F_BYTE },
	[0x85] = { EMUL_TEST, EMUL_MR },
	[0x86] = { EMUL_XCHG, EMUL_MR, EMUL_F_BYTE },
	[0x87] = { EMUL_XCHG, EMUL_MR },
	[0x88] = { EMUL_MOV, EMUL_MR, EMUL_F_BYTE },
	[0x89] = { EMUL_MOV, EMUL_MR },
	[0x8a] = { EMUL_MOV, EMUL_RM, EMUL_F_BYTE },
	[0x8b] = { EMUL_MOV, EMUL_RM },
	[0x8c] = { EMUL_MOV, EMUL_MS },
	[0x8f] = { GROUP_1A, EMUL_M },
	[0x90] = { EMUL_LENGTH },			/* PAUSE */
	[0x9c] = { EMUL_LENGTH },			/* PUSHF */
	[0x9d] = { EMUL_LENGTH },			/* POPF */
	[0xa0] = { EMUL_MOV, EMUL_AO, EMUL_F_BYTE },
	[0xa1] = { EMUL_MOV, EMUL_AO },
	[0xa2] = { EMUL_MOV, EMUL_OA, EMUL_F_BYTE },
	[0xa3] = { EMUL_MOV, EMUL_OA },
	[0xa4] = { EMUL_MOVS, EMUL_NONE, EMUL_F_BYTE },
	[0xa5] = { EMUL_MOVS },
	[0xa6] = { EMUL_CMPS, EMUL_NONE, EMUL_F_BYTE },
	[0xa7] = { EMUL_CMPS },
	[0xa8] = { EMUL_TEST, EMUL_AI, EMUL_F_BYTE | EMUL_F_IMM },
	[0xa9] = { EMUL_TEST, EMUL_AI, EMUL_F_IMM },
	[0xaa] = { EMUL_STOS, EMUL_NONE, EMUL_F_BYTE },
	[0xab] = { EMUL_STOS },
	[0xac] = { EMUL_LODS, EMUL_NONE, EMUL_F_BYTE },
	[0xad] = { EMUL_LODS },
	[0xae] = { EMUL_SCAS, EMUL_NONE, EMUL_F_BYTE },
	[0xaf] = { EMUL_SCAS },
	[0xc0] = { GROUP_2, EMUL_MI, EMUL_F_BYTE | EMUL_F_IMM8 },
	[0xc1] = { GROUP_2, EMUL_MI, EMUL_F_IMM8 },
	[0xc2] = { EMUL_RET, EMUL_I, EMUL_F_DEF64 | EMUL_F_FORCE64 | EMUL_F_IMM16 },
	[0xc3] = { EMUL_RET, EMUL_NONE, EMUL_F_DEF64 | EMUL_F_FORCE64 },
	[0xc6] = { GROUP_11, EMUL_MI, EMUL_F_BYTE | EMUL_F_IMM },
	[0xc7] = { GROUP_11, EMUL_MI, EMUL_F_IMM },
	[0xc9] = { EMUL_LEAVE, EMUL_NONE, EMUL_F_DEF64 },
	[0xcc] = { EMUL_LENGTH },			/* INT3 */
	[0xcd] = { EMUL_LENGTH, EMUL_I, EMUL_F_IMM8 },	/* INT n */
	[0xce] = { EMUL_LENGTH },			/* INTO */
	[0xcf] = { EMUL_LENGTH },			/* IRET */
	[0xd0] = { GROUP_2, EMUL_M1, EMUL_F_BYTE },
	[0xd1] = { GROUP_2, EMUL_M1 },
	[0xd2] = { GROUP_2, EMUL_MCL, EMUL_F_BYTE },
	[0xd3] = { GROUP_2, EMUL_MCL },
	[0xd7] = { EMUL_XLAT, EMUL_NONE, EMUL_F_BYTE },
	[0xe4] = { EMUL_IN, EMUL_I, EMUL_F_BYTE | EMUL_F_IMM8 },
	[0xe5] = { EMUL_IN, EMUL_I, EMUL_F_IMM8 },
	[0xe6] = { EMUL_OUT, EMUL_I, EMUL_F_BYTE | EMUL_F_IMM8 },
	[0xe7] = { EMUL_OUT, EMUL_I, EMUL_F_IMM8 },
	[0xe8] = { EMUL_CALL_REL, EMUL_I,
		   EMUL_F_DEF64 | EMUL_F_FORCE64 | EMUL_F_IMM },
	[0xec] = { EMUL_IN, EMUL_NONE, EMUL_F_BYTE },
	[0xed] = { EMUL_IN },
	[0xee] = { EMUL_OUT, EMUL_NONE, EMUL_F_BYTE },
	[0xef] = { EMUL_OUT },
	[0xf1] = { EMUL_LENGTH },			/* ICEBP */
	[0xf4] = { EMUL_LENGTH },			/* HLT */
	[0xf6] = { GROUP_3, EMUL_M, EMUL_F_BYTE },
	[0xf7] = { GROUP_3, EMUL_M },
	[0xfe] = { GROUP_4, EMUL_M, EMUL_F_BYTE },
	[0xff] = { GROUP_5, EMUL_M },
};

static const struct emul_row two_byte[256] = {
	[0x00] = { GROUP_6, EMUL_M },
	[0x01] = { GROUP_7, EMUL_M },
	[0x06] = { EMUL_CLTS },
	[0x08] = { EMUL_LENGTH },			/* INVD */
	[0x09] = { EMUL_LENGTH },			/* WBINVD, WBNOINVD */
	[0x0d] = { EMUL_NOP, EMUL_M, EMUL_F_MEM },	/* PREFETCHW */
	[0x10] = { PFX_10, EMUL_RM },
	[0x11] = { PFX_10, EMUL_MR },
	[0x12] = { PFX_12, EMUL_RM },
	[0x13] = { PFX_13, EMUL_MR },
	[0x16] = { PFX_16, EMUL_RM },
	[0x17] = { PFX_17, EMUL_MR },
	[0x18] = { EMUL_NOP, EMUL_M },			/* PREFETCHh */
	[0x1f] = { EMUL_NOP, EMUL_M },
	[0x20] = { EMUL_FROM_CR, EMUL_MX },
	[0x21] = { EMUL_FROM_DR, EMUL_MX },
	[0x22] = { EMUL_TO_CR, EMUL_MX },
	[0x23] = { EMUL_TO_DR, EMUL_MX },
	[0x28] = { PFX_28, EMUL_RM },
	[0x29] = { PFX_28, EMUL_MR },
	[0x2b] = { PFX_2B, EMUL_MR, EMUL_F_MEM },
	[0x30] = { EMUL_LENGTH },			/* WRMSR */
	[0x31] = { EMUL_LENGTH },			/* RDTSC */
	[0x32] = { EMUL_LENGTH },			/* RDMSR */
	[0x33] = { EMUL_LENGTH },			/* RDPMC */
	[0x40 ... 0x4f] = { EMUL_CMOV, EMUL_RM },
	[0x6e] = { PFX_6E, EMUL_RM },
	[0x6f] = { PFX_6F, EMUL_RM },
	[0x7e] = { PFX_7E, EMUL_MR },
	[0x7f] = { PFX_6F, EMUL_MR },
	[0x90 ... 0x9f] = { EMUL_SETCC, EMUL_M, EMUL_F_BYTE },
	[0xa2] = { EMUL_LENGTH },			/* CPUID */
	[0xa3] = { EMUL_BT, EMUL_MR },
	[0xa4] = { EMUL_SHLD, EMUL_MRI, EMUL_F_IMM8 },
	[0xa5] = { EMUL_SHLD, EMUL_MRCL },
	[0xaa] = { EMUL_LENGTH },			/* RSM */
	[0xab] = { EMUL_BTS, EMUL_MR },
	[0xac] = { EMUL_SHRD, EMUL_MRI, EMUL_F_IMM8 },
	[0xad] = { EMUL_SHRD, EMUL_MRCL },
	[0xae] = { PFX_AE, EMUL_M },
	[0xaf] = { EMUL_IMUL, EMUL_RM },
	[0xb0] = { EMUL_CMPXCHG, EMUL_MR, EMUL_F_BYTE },
	[0xb1] = { EMUL_CMPXCHG, EMUL_MR },
	[0xb3] = { EMUL_BTR, EMUL_MR },
	[0xb6] = { EMUL_MOV, EMUL_RM, EMUL_F_SRC8 },	/* MOVZX */
	[0xb7] = { EMUL_MOV, EMUL_RM, EMUL_F_SRC16 },
	[0xb8] = { PFX_B8, EMUL_RM },
	[0xba] = { GROUP_8, EMUL_MI, EMUL_F_IMM8 },
	[0xbb] = { EMUL_BTC, EMUL_MR },
	[0xbc] = { PFX_BC, EMUL_RM },
	[0xbd] = { PFX_BD, EMUL_RM },
	[0xbe] = { EMUL_MOVSX, EMUL_RM, EMUL_F_SRC8 },
	[0xbf] = { EMUL_MOVSX, EMUL_RM, EMUL_F_SRC16 },
	[0xc0] = { EMUL_XADD, EMUL_MR, EMUL_F_BYTE },
	[0xc1] = { EMUL_XADD, EMUL_MR },
	[0xc3] = { PFX_C3, EMUL_MR, EMUL_F_MEM | EMUL_F_NOT16 },
	[0xc7] = { GROUP_9, EMUL_M },
	[0xd6] = { PFX_D6, EMUL_MR },
	[0xe7] = { PFX_E7, EMUL_MR, EMUL_F_MEM },
	[0xf0] = { PFX_F0, EMUL_RM, EMUL_F_MEM },
};

/* Too few for an array: a function. */
static struct emul_row three_byte(u8 opcode)
{
	switch (opcode) {
	case 0x2a:
		return (struct emul_row){ PFX_38_2A, EMUL_RM, EMUL_F_MEM };
	case 0x82:
		return (struct emul_row){ EMUL_LENGTH, EMUL_RM };	/* INVPCID */
	case 0xf0:
		return (struct emul_row){ PFX_38_F0, EMUL_RM, EMUL_F_MEM };
	case 0xf1:
		return (struct emul_row){ PFX_38_F0, EMUL_MR, EMUL_F_MEM };
	default:
		return (struct emul_row){ EMUL_UNKNOWN };
	}
}

/*
 * Rows chosen by ModRM.reg.  What a row leaves zero (operands, flags) it has
 * from the row that referred to it.
 */
static const struct emul_row by_reg[][8] = {
	[GROUP_1 - BY_REG] = {
		{ EMUL_ADD }, { EMUL_OR }, { EMUL_ADC }, { EMUL_SBB },
		{ EMUL_AND }, { EMUL_SUB }, { EMUL_XOR }, { EMUL_CMP },
	},
	[GROUP_1A - BY_REG] = { { EMUL_POP, 0, EMUL_F_DEF64 } },
	[GROUP_2 - BY_REG] = {
		{ EMUL_ROL }, { EMUL_ROR }, { EMUL_RCL }, { EMUL_RCR },
		{ EMUL_SHL }, { EMUL_SHR }, { EMUL_SAL }, { EMUL_SAR },
	},
	[GROUP_3 - BY_REG] = {
		{ EMUL_TEST, EMUL_MI, EMUL_F_IMM },
		{ EMUL_TEST, EMUL_MI, EMUL_F_IMM },
		{ EMUL_NOT }, { EMUL_NEG },
		{ EMUL_MUL_A }, { EMUL_IMUL_A }, { EMUL_DIV_A }, { EMUL_IDIV_A },
	},
	[GROUP_4 - BY_REG] = { { EMUL_INC }, { EMUL_DEC } },
	[GROUP_5 - BY_REG] = {
		{ EMUL_INC }, { EMUL_DEC },
		[2] = { EMUL_CALL, 0, EMUL_F_DEF64 | EMUL_F_FORCE64 },
		[4] = { EMUL_JMP, 0, EMUL_F_DEF64 | EMUL_F_FORCE64 },
		[6] = { EMUL_PUSH, 0, EMUL_F_DEF64 },
	},
	[GROUP_6 - BY_REG] = {				/* SLDT, STR, LLDT, LTR */
		{ EMUL_LENGTH }, { EMUL_LENGTH }, { EMUL_LENGTH }, { EMUL_LENGTH },
	},
	/*
	 * SGDT, SIDT, LGDT, LIDT, SMSW, -, LMSW, INVLPG; of the register forms
	 * SMSW and LMSW are the same, the others are instructions without operands:
	 * VMMCALL, MWAIT, XSETBV, RDTSCP, ...
	 */
	[GROUP_7 - BY_REG] = {
		{ EMUL_LENGTH }, { EMUL_LENGTH }, { EMUL_LENGTH }, { EMUL_LENGTH },
		{ EMUL_SMSW }, { EMUL_LENGTH }, { EMUL_LMSW }, { EMUL_LENGTH },
	},
	[GROUP_8 - BY_REG] = {
		[4] = { EMUL_BT }, { EMUL_BTS }, { EMUL_BTR }, { EMUL_BTC },
	},
	[GROUP_9 - BY_REG] = { [1] = { EMUL_CMPXCHG8B, 0, EMUL_F_MEM } },
	[GROUP_11 - BY_REG] = { { EMUL_MOV } },
	[GROUP_15 - BY_REG] = { [7] = { EMUL_CLFLUSH } },
	[GROUP_15_66 - BY_REG] = {			/* CLWB, CLFLUSHOPT */
		[6] = { EMUL_CLFLUSH }, { EMUL_CLFLUSH },
	},
};

/* Rows chosen by the mandatory prefix: none, 66, F3, F2; else as above. */
static const struct emul_row by_prefix[][4] = {
	[PFX_10 - BY_PREFIX] = {
		{ EMUL_V_FULL }, { EMUL_V_FULL },	/* MOVUPS, MOVUPD */
		{ EMUL_V_SCALAR, 0, EMUL_F_SRC32 },	/* MOVSS */
		{ EMUL_V_SCALAR, 0, EMUL_F_SRC64 },	/* MOVSD */
	},
	[PFX_12 - BY_PREFIX] = {
		{ EMUL_V_LOW }, { EMUL_V_LOW },		/* MOVLPS, MOVLPD */
		{ EMUL_V_SLDUP, 0, EMUL_F_ALIGN | EMUL_F_SSE3 },
		{ EMUL_V_DDUP, 0, EMUL_F_SSE3 },
	},
	[PFX_13 - BY_PREFIX] = { { EMUL_V_LOW }, { EMUL_V_LOW } },
	[PFX_16 - BY_PREFIX] = {
		{ EMUL_V_HIGH }, { EMUL_V_HIGH },	/* MOVHPS, MOVHPD */
		{ EMUL_V_SHDUP, 0, EMUL_F_ALIGN | EMUL_F_SSE3 },
	},
	[PFX_17 - BY_PREFIX] = { { EMUL_V_HIGH }, { EMUL_V_HIGH } },
	[PFX_28 - BY_PREFIX] = {			/* MOVAPS, MOVAPD */
		{ EMUL_V_FULL, 0, EMUL_F_ALIGN },
		{ EMUL_V_FULL, 0, EMUL_F_ALIGN },
	},
	[PFX_2B - BY_PREFIX] = {			/* MOVNTPS, MOVNTPD */
		{ EMUL_V_FULL, 0, EMUL_F_ALIGN },
		{ EMUL_V_FULL, 0, EMUL_F_ALIGN },
	},
	[PFX_6E - BY_PREFIX] = { [1] = { EMUL_V_GPR } }, /* MOVD, MOVQ */
	[PFX_6F - BY_PREFIX] = {
		[1] = { EMUL_V_FULL, 0, EMUL_F_ALIGN },	/* MOVDQA */
		[2] = { EMUL_V_FULL },			/* MOVDQU */
	},
	[PFX_7E - BY_PREFIX] = {
		[1] = { EMUL_V_GPR },			/* MOVD, MOVQ */
		[2] = { EMUL_V_SCALAR, EMUL_RM, EMUL_F_SRC64 },
	},
	[PFX_AE - BY_PREFIX] = { { GROUP_15 }, { GROUP_15_66 } },
	[PFX_B8 - BY_PREFIX] = { [2] = { EMUL_POPCNT } },
	[PFX_BC - BY_PREFIX] = {
		{ EMUL_BSF }, { EMUL_BSF }, { EMUL_TZCNT }, { EMUL_BSF },
	},
	[PFX_BD - BY_PREFIX] = {
		{ EMUL_BSR }, { EMUL_BSR }, { EMUL_LZCNT }, { EMUL_BSR },
	},
	[PFX_C3 - BY_PREFIX] = { { EMUL_MOV } },	/* MOVNTI */
	[PFX_D6 - BY_PREFIX] = {			/* MOVQ */
		[1] = { EMUL_V_SCALAR, 0, EMUL_F_SRC64 },
	},
	[PFX_E7 - BY_PREFIX] = {			/* MOVNTDQ */
		[1] = { EMUL_V_FULL, 0, EMUL_F_ALIGN },
	},
	[PFX_F0 - BY_PREFIX] = {			/* LDDQU */
		[3] = { EMUL_V_FULL, 0, EMUL_F_SSE3 },
	},
	[PFX_38_2A - BY_PREFIX] = {			/* MOVNTDQA */
		[1] = { EMUL_V_FULL, 0, EMUL_F_ALIGN | EMUL_F_SSE41 },
	},
	[PFX_38_F0 - BY_PREFIX] = { { EMUL_MOVBE }, { EMUL_MOVBE } },
};

const u8 emul_traits[EMUL_NR_OPS] = {
	[EMUL_ADD ... EMUL_XOR] = EMUL_T_LOCK,
	[EMUL_CMP] = EMUL_T_RO,
	[EMUL_BT] = EMUL_T_RO,
	[EMUL_BTS ... EMUL_BTC] = EMUL_T_LOCK,
	[EMUL_TEST] = EMUL_T_RO,
	[EMUL_NOT ... EMUL_DEC] = EMUL_T_LOCK,
	[EMUL_TZCNT ... EMUL_POPCNT] = EMUL_T_WO,
	[EMUL_MOV ... EMUL_MOVBE] = EMUL_T_WO,
	[EMUL_SETCC] = EMUL_T_WO,
	[EMUL_XCHG ... EMUL_CMPXCHG8B] = EMUL_T_LOCK,
	[EMUL_TO_CR ... EMUL_FROM_CR] = EMUL_T_ALT,
};

/* ---- fetching ---------------------------------------------------------- */

/*
 * Get more bytes: to the end of the page, of the code segment or of what an
 * instruction may have, whichever comes first.
 */
static int fetch_more(struct x86_emulate_ctxt *ctxt)
{
	unsigned int bytes = X86EMUL_MAX_INSN - ctxt->fetched;
	u64 linear = ctxt->rip + ctxt->fetched;
	int rc;

	if (!bytes)
		return emul_fault0(ctxt, GP_VECTOR);

	if (ctxt->mode == X86EMUL_MODE_LONG64) {
		if (!emul_canonical(ctxt, linear))
			return emul_fault0(ctxt, GP_VECTOR);
	} else {
		const struct x86emul_segment *cs = emul_segment(ctxt, X86EMUL_CS);

		if (linear > cs->limit)
			return emul_fault0(ctxt, GP_VECTOR);
		if (bytes > cs->limit - linear)
			bytes = cs->limit - linear + 1;
		linear = (u32)(linear + cs->base);
	}
	if (bytes > EMUL_PAGE_SIZE - linear % EMUL_PAGE_SIZE)
		bytes = EMUL_PAGE_SIZE - linear % EMUL_PAGE_SIZE;

	rc = ctxt->ops->fetch(ctxt, linear, ctxt->insn + ctxt->fetched, bytes);
	if (rc == X86EMUL_CONTINUE)
		ctxt->fetched += bytes;
	return rc;
}

/* The next @bytes bytes (1, 2, 4, 8), zero-extended. */
static int take(struct x86_emulate_ctxt *ctxt, unsigned int bytes, u64 *val)
{
	while (ctxt->pos + bytes > ctxt->fetched) {
		int rc = fetch_more(ctxt);

		if (rc)
			return rc;
	}
	*val = 0;
	memcpy(val, ctxt->insn + ctxt->pos, bytes);
	ctxt->pos += bytes;
	return X86EMUL_CONTINUE;
}

static int take_u8(struct x86_emulate_ctxt *ctxt, u8 *val)
{
	if (ctxt->pos >= ctxt->fetched) {
		int rc = fetch_more(ctxt);

		if (rc)
			return rc;
	}
	*val = ctxt->insn[ctxt->pos++];
	return X86EMUL_CONTINUE;
}

static int take_signed(struct x86_emulate_ctxt *ctxt, unsigned int bytes,
		       u64 *val)
{
	int rc = take(ctxt, bytes, val);

	*val = emul_sign_extend(*val, bytes);
	return rc;
}

/* ---- prefixes and opcode ----------------------------------------------- */

/* Is @byte a legacy prefix?  Then note it. */
static bool note_prefix(struct x86_emulate_ctxt *ctxt, u8 byte, u8 *seg)
{
	struct x86emul_decode *d = &ctxt->d;

	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		/* ES, CS, SS, DS; no effect in 64-bit mode */
		if (ctxt->mode != X86EMUL_MODE_LONG64)
			*seg = (byte >> 3) & 3;
		return true;
	case 0x64:
	case 0x65:
		*seg = X86EMUL_FS + (byte & 1);
		return true;
	case 0x66:
		d->opsize = true;
		return true;
	case 0x67:
		d->adsize = true;
		return true;
	case 0xf0:
		d->lock = true;
		return true;
	case 0xf2:
	case 0xf3:
		d->rep = byte;
		return true;
	default:
		return false;
	}
}

/*
 * Prefixes, up to and including the first opcode byte.  A REX counts only if
 * the opcode follows it at once.
 */
static int decode_prefixes(struct x86_emulate_ctxt *ctxt, u8 *opcode, u8 *seg)
{
	struct x86emul_decode *d = &ctxt->d;
	int rc;

	for (;;) {
		rc = take_u8(ctxt, opcode);
		if (rc)
			return rc;
		if (note_prefix(ctxt, *opcode, seg)) {
			d->rex = 0;
		} else if (ctxt->mode == X86EMUL_MODE_LONG64 &&
			   (*opcode & 0xf0) == 0x40) {
			d->rex = *opcode;
		} else {
			return X86EMUL_CONTINUE;
		}
	}
}

/*
 * Does C4 or C5 start a VEX prefix?  Outside 64-bit mode it is LES or LDS
 * unless the next byte would be a ModRM of the register form; in real and
 * virtual-8086 mode always.
 */
static int is_vex(struct x86_emulate_ctxt *ctxt, bool *vex)
{
	u8 next;
	int rc;

	*vex = true;
	if (ctxt->mode == X86EMUL_MODE_LONG64)
		return X86EMUL_CONTINUE;
	rc = take_u8(ctxt, &next);
	if (rc)
		return rc;
	ctxt->pos--;
	*vex = next >= 0xc0 && ctxt->mode != X86EMUL_MODE_REAL &&
	       ctxt->mode != X86EMUL_MODE_VM86;
	return X86EMUL_CONTINUE;
}

/*
 * The VEX prefix (SDM vol. 2, 2.3.5):
 *   C5  R vvvv L pp          implies W = X = B = 0 and map 1
 *   C4  R X B mmmmm  W vvvv L pp
 * R, X, B and vvvv are stored inverted.  *@map: 1 = 0F, 2 = 0F 38, ...
 */
static int decode_vex(struct x86_emulate_ctxt *ctxt, u8 first, u8 *map, u8 *pp)
{
	struct x86emul_decode *d = &ctxt->d;
	u8 rxb, last;
	int rc;

	if (d->rex || d->lock || d->rep || d->opsize)
		return emul_fault(ctxt, UD_VECTOR);

	rc = take_u8(ctxt, &rxb);
	if (rc)
		return rc;
	*map = 1;
	last = rxb & 0x7f;
	d->rex = (~rxb >> 5) & 0x4;
	if (first == 0xc4) {
		*map = rxb & 0x1f;
		d->rex = (~rxb >> 5) & 0x7;
		rc = take_u8(ctxt, &last);
		if (rc)
			return rc;
		d->rex |= (last >> 4) & 0x8;
	}
	d->vex = true;
	d->vex_vvvv = (~last >> 3) & 0xf;
	d->vex_l = (last >> 2) & 1;
	*pp = last & 3;
	if (ctxt->mode != X86EMUL_MODE_LONG64) {
		d->rex = 0;
		d->vex_vvvv &= 7;
	}
	return X86EMUL_CONTINUE;
}

/* Find the row for the opcode whose first byte is @first. */
static int decode_opcode(struct x86_emulate_ctxt *ctxt, u8 first,
			 struct emul_row *row)
{
	struct x86emul_decode *d = &ctxt->d;
	u8 map = 0, pp = d->rep == 0xf2 ? 3 : d->rep ? 2 : d->opsize;
	bool vex = false;
	int rc = 0;

	d->opcode = first;
	if ((first & 0xfe) == 0xc4)
		rc = is_vex(ctxt, &vex);
	if (!rc && vex)
		rc = decode_vex(ctxt, first, &map, &pp);
	if (!rc && !vex && first == 0x0f)
		map = 1;
	if (!rc && map)
		rc = take_u8(ctxt, &d->opcode);
	if (!rc && map == 1 && !vex && d->opcode == 0x38) {
		map = 2;
		rc = take_u8(ctxt, &d->opcode);
	}
	if (rc)
		return rc;

	if (map == 0 && d->opcode < 0x40 && (d->opcode & 7) < 6) {
		*row = alu_forms[d->opcode & 7];
		row->op += d->opcode >> 3;
	} else if (map == 0) {
		*row = one_byte[d->opcode];
	} else if (map == 1) {
		*row = two_byte[d->opcode];
	} else if (map == 2) {
		*row = three_byte(d->opcode);
	} else {
		return X86EMUL_UNHANDLEABLE;
	}
	if (row->op >= BY_PREFIX) {
		struct emul_row base = *row;

		*row = by_prefix[base.op - BY_PREFIX][pp];
		row->operands = row->operands ?: base.operands;
		row->flags |= base.flags;
	}
	if (row->op == EMUL_UNKNOWN || (vex && row->op < EMUL_V_FULL) ||
	    (vex && row->op >= BY_REG))
		return X86EMUL_UNHANDLEABLE;
	if ((row->flags & EMUL_F_ONLY64) && ctxt->mode != X86EMUL_MODE_LONG64)
		return X86EMUL_UNHANDLEABLE;
	return X86EMUL_CONTINUE;
}

/* ---- ModRM, SIB, displacement ------------------------------------------ */

static u64 reg_masked(const struct x86_emulate_ctxt *ctxt, unsigned int reg)
{
	return ctxt->gpr[reg] & emul_mask(ctxt->d.ad_bytes);
}

/* 16-bit forms, SDM vol. 2, table 2-1. */
static int decode_mem16(struct x86_emulate_ctxt *ctxt)
{
	static const s8 base[8] = {
		X86EMUL_RBX, X86EMUL_RBX, X86EMUL_RBP, X86EMUL_RBP,
		X86EMUL_RSI, X86EMUL_RDI, X86EMUL_RBP, X86EMUL_RBX,
	};
	static const s8 index[8] = {
		X86EMUL_RSI, X86EMUL_RDI, X86EMUL_RSI, X86EMUL_RDI,
		-1, -1, -1, -1,
	};
	struct x86emul_decode *d = &ctxt->d;
	unsigned int rm = d->modrm & 7;

	if (d->mod == 0 && rm == 6)
		return take(ctxt, 2, &d->ea);

	d->ea = ctxt->gpr[base[rm]];
	if (index[rm] >= 0)
		d->ea += ctxt->gpr[index[rm]];
	if (base[rm] == X86EMUL_RBP)
		d->seg = X86EMUL_SS;
	if (d->mod)
		return take_signed(ctxt, d->mod, &d->disp);
	return X86EMUL_CONTINUE;
}

/* 32 and 64-bit forms, tables 2-2 and 2-3. */
static int decode_mem32(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	unsigned int base = d->modrm & 7, disp_bytes = d->mod == 1 ? 1 : 4;
	bool has_disp = d->mod != 0;
	u8 sib;
	int rc;

	if (base == 4) {
		unsigned int index;

		rc = take_u8(ctxt, &sib);
		if (rc)
			return rc;
		index = ((sib >> 3) & 7) | ((d->rex & 2) << 2);
		if (index != 4)
			d->ea = reg_masked(ctxt, index) << (sib >> 6);
		base = sib & 7;
		if (base == 5 && d->mod == 0)
			return take_signed(ctxt, 4, &d->disp);
	} else if (base == 5 && d->mod == 0) {
		d->rip_relative = ctxt->mode == X86EMUL_MODE_LONG64;
		return take_signed(ctxt, 4, &d->disp);
	}
	if (base == X86EMUL_RSP || base == X86EMUL_RBP)
		d->seg = X86EMUL_SS;
	base |= (d->rex & 1) << 3;
	if (base >= X86EMUL_R8)
		d->seg = X86EMUL_DS;
	d->base_is_rsp = base == X86EMUL_RSP;
	d->ea += reg_masked(ctxt, base);
	return has_disp ? take_signed(ctxt, disp_bytes, &d->disp) : 0;
}

/* ModRM and what belongs to it; the row if ModRM.reg has a say in it. */
static int decode_modrm(struct x86_emulate_ctxt *ctxt, struct emul_row *row)
{
	struct x86emul_decode *d = &ctxt->d;
	int rc = take_u8(ctxt, &d->modrm);

	if (rc)
		return rc;
	d->has_modrm = true;
	d->mod = d->modrm >> 6;
	d->reg = ((d->modrm >> 3) & 7) | ((d->rex & 4) << 1);
	d->rm = (d->modrm & 7) | ((d->rex & 1) << 3);
	if (row->operands == EMUL_MX)
		d->mod = 3;		/* whatever it says: SDM vol. 2, MOV CR */

	if (row->op >= BY_REG) {
		struct emul_row base = *row;

		*row = by_reg[base.op - BY_REG][d->reg & 7];
		row->operands = row->operands ?: base.operands;
		row->flags |= base.flags;
		if (row->op == EMUL_UNKNOWN)
			return X86EMUL_UNHANDLEABLE;
	}
	if (d->mod == 3)
		return X86EMUL_CONTINUE;
	return d->ad_bytes == 2 ? decode_mem16(ctxt) : decode_mem32(ctxt);
}

/* ---- sizes and immediates ---------------------------------------------- */

/* CS.D outlives CR0.PE until CS is loaded (SDM 10.9.2): real mode has it, too. */
static bool code_is_32bit(const struct x86_emulate_ctxt *ctxt)
{
	return ctxt->mode == X86EMUL_MODE_PROT32 ||
	       (ctxt->mode == X86EMUL_MODE_REAL && ctxt->real_cs_d);
}

static void decode_address_size(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;

	if (ctxt->mode == X86EMUL_MODE_LONG64)
		d->ad_bytes = d->adsize ? 4 : 8;
	else if (code_is_32bit(ctxt))
		d->ad_bytes = d->adsize ? 2 : 4;
	else
		d->ad_bytes = d->adsize ? 4 : 2;
}

static void decode_operand_size(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	bool long64 = ctxt->mode == X86EMUL_MODE_LONG64;

	if (d->flags & EMUL_F_BYTE)
		d->op_bytes = 1;
	else if (long64 && (d->rex & 8))
		d->op_bytes = 8;
	else if (long64 && (d->flags & EMUL_F_FORCE64))
		d->op_bytes = 8;
	else if (long64 && (d->flags & EMUL_F_DEF64))
		d->op_bytes = d->opsize ? 2 : 8;
	else if (long64 || code_is_32bit(ctxt))
		d->op_bytes = d->opsize ? 2 : 4;
	else
		d->op_bytes = d->opsize || (d->flags & EMUL_F_NOT16) ? 4 : 2;

	if (d->flags & EMUL_F_SRC8)
		d->src_bytes = 1;
	else if (d->flags & EMUL_F_SRC16)
		d->src_bytes = 2;
	else if (d->flags & EMUL_F_SRC32)
		d->src_bytes = 4;
	else if (d->flags & EMUL_F_SRC64)
		d->src_bytes = 8;
	else
		d->src_bytes = d->op_bytes;
}

static int decode_immediate(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;

	/* MOV rAX, [moffs] is an ordinary MOV from here on */
	if (d->operands == EMUL_AO || d->operands == EMUL_OA) {
		d->operands = d->operands == EMUL_AO ? EMUL_RM : EMUL_MR;
		d->has_modrm = true;
		return take(ctxt, d->ad_bytes, &d->ea);
	}
	if (d->flags & EMUL_F_IMM8)
		return take_signed(ctxt, 1, &d->imm);
	if (d->flags & EMUL_F_IMM16)
		return take(ctxt, 2, &d->imm);
	if (d->flags & EMUL_F_IMM)
		return take_signed(ctxt, d->op_bytes < 4 ? d->op_bytes : 4,
				   &d->imm);
	return X86EMUL_CONTINUE;
}

/* ---- all of it --------------------------------------------------------- */

/* Does the LOCK prefix, or the register form, make this a #UD? */
static int check_forms(struct x86_emulate_ctxt *ctxt)
{
	const struct x86emul_decode *d = &ctxt->d;
	u8 traits = emul_traits[d->op];
	bool mem_dst = emul_is_mem(d) && d->operands != EMUL_RM &&
		       d->operands != EMUL_RMI;

	if (d->lock && !(mem_dst && (traits & EMUL_T_LOCK)) && !(traits & EMUL_T_ALT))
		return emul_fault(ctxt, UD_VECTOR);
	if ((d->flags & EMUL_F_MEM) && d->mod == 3)
		return emul_fault(ctxt, UD_VECTOR);
	return X86EMUL_CONTINUE;
}

/**
 * emul_decode() - fetch and decode the instruction at ctxt->rip
 * @ctxt: its ->d and ->length are filled; registers stay as they are
 *
 * Return: X86EMUL_CONTINUE; X86EMUL_FAULT (from the fetch, too long, or a form
 * that does not exist); X86EMUL_UNHANDLEABLE (no row for it).
 */
int emul_decode(struct x86_emulate_ctxt *ctxt)
{
	struct x86emul_decode *d = &ctxt->d;
	u8 first, override = X86EMUL_NR_SEGS;
	struct emul_row row;
	int rc;

	memset(d, 0, sizeof(*d));
	d->seg = X86EMUL_DS;

	rc = decode_prefixes(ctxt, &first, &override);
	if (!rc)
		rc = decode_opcode(ctxt, first, &row);
	if (rc)
		return rc;
	decode_address_size(ctxt);
	if (row.op >= BY_REG || row.operands >= EMUL_M)
		rc = decode_modrm(ctxt, &row);
	if (rc)
		return rc;
	d->op = row.op;
	d->operands = row.operands;
	d->flags = row.flags;
	decode_operand_size(ctxt);
	rc = decode_immediate(ctxt);
	if (rc)
		return rc;

	ctxt->length = ctxt->pos;
	d->next_rip = ctxt->rip + ctxt->length;
	if (ctxt->mode != X86EMUL_MODE_LONG64)
		d->next_rip = (u32)d->next_rip;
	if (d->rip_relative)
		d->ea += d->next_rip;
	d->ea = (d->ea + d->disp) & emul_mask(d->ad_bytes);
	if (override != X86EMUL_NR_SEGS)
		d->seg = override;
	return check_forms(ctxt);
}
