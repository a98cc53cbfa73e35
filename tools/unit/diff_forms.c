// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction forms that the differential test compares, written from the
 * SDM's opcode maps, not from the emulator's tables: a row missing or wrong there
 * must show up here.
 */
#include <stdlib.h>

#include "diff_forms.h"

struct form forms[MAX_FORMS];
unsigned int nr_forms;

static void add(struct form form)
{
	if (nr_forms == MAX_FORMS)
		abort();
	forms[nr_forms++] = form;
}

#define FORM(...)	add((struct form){ __VA_ARGS__ })

/* A pair: opcode for bytes, opcode + 1 for wider operands. */
static void add_pair(struct form form)
{
	u32 flags = form.flags;

	form.flags = flags | D_BYTE;
	add(form);
	form.flags = flags;
	form.opcode++;
	add(form);
}

#define PAIR(...)	add_pair((struct form){ __VA_ARGS__ })

static void add_alu(void)
{
	unsigned int op;

	for (op = 0; op < 8; op++) {
		u32 lock = op == 7 ? 0 : D_LOCK;
		enum undefined u = op == 1 || op == 4 || op == 6 ? U_AF : U_NONE;

		PAIR("alu", 0, 8 * op, -1, 0, lock, u);
		PAIR("alu", 0, 8 * op + 2, -1, 0, 0, u);
		PAIR("alu", 0, 8 * op + 4, -1, 0, D_NO_MODRM | D_IMM, u);
		PAIR("alu", 0, 0x80, op, 0, lock | D_IMM, u);
		FORM("alu", 0, 0x83, op, 0, lock | D_IMM8, u);
	}
	PAIR("alu", 0, 0x84, -1, 0, 0, U_AF);			/* TEST */
	PAIR("alu", 0, 0xa8, -1, 0, D_NO_MODRM | D_IMM, U_AF);
	PAIR("alu", 0, 0xf6, 0, 0, D_IMM, U_AF);
	PAIR("alu", 0, 0xf6, 2, 0, D_LOCK);			/* NOT */
	PAIR("alu", 0, 0xf6, 3, 0, D_LOCK);			/* NEG */
	PAIR("alu", 0, 0xfe, 0, 0, D_LOCK);			/* INC */
	PAIR("alu", 0, 0xfe, 1, 0, D_LOCK);			/* DEC */
}

static void add_shifts(void)
{
	unsigned int op;

	for (op = 0; op < 8; op++) {
		enum undefined u = op < 4 ? U_ROTATE : U_SHIFT;

		PAIR("shift", 0, 0xc0, op, 0, D_IMM8 | D_COUNT_IMM, u);
		PAIR("shift", 0, 0xd0, op, 0, D_COUNT_1, u);
		PAIR("shift", 0, 0xd2, op, 0, D_COUNT_CL, u);
	}
	for (op = 0xa4; op <= 0xac; op += 8) {
		FORM("shift", 1, op, -1, 0, D_IMM8 | D_COUNT_IMM, U_SHIFT_DOUBLE);
		FORM("shift", 1, op + 1, -1, 0, D_COUNT_CL, U_SHIFT_DOUBLE);
	}
}

static void add_bits(void)
{
	unsigned int op;

	for (op = 4; op < 8; op++) {
		u32 lock = op == 4 ? 0 : D_LOCK;

		FORM("bit", 1, 0x83 + 8 * op, -1, 0, lock | D_BIT_OFFSET, U_BT);
		FORM("bit", 1, 0xba, op, 0, lock | D_IMM8, U_BT);
	}
	FORM("bit", 1, 0xbc, -1, 0, 0, U_SCAN);			/* BSF, BSR */
	FORM("bit", 1, 0xbd, -1, 0, 0, U_SCAN);
	FORM("bit", 1, 0xbc, -1, 0xf3, 0, U_COUNT);		/* TZCNT, LZCNT */
	FORM("bit", 1, 0xbd, -1, 0xf3, 0, U_COUNT);
	FORM("bit", 1, 0xb8, -1, 0xf3);				/* POPCNT */
}

static void add_moves(void)
{
	unsigned int cc;

	PAIR("mov", 0, 0x88, -1);
	PAIR("mov", 0, 0x8a, -1);
	PAIR("mov", 0, 0xc6, 0, 0, D_IMM);
	PAIR("mov", 0, 0xa0, -1, 0, D_MOFFS | D_NO_MODRM);
	PAIR("mov", 0, 0xa2, -1, 0, D_MOFFS | D_NO_MODRM);
	for (cc = 0; cc < 6; cc++)				/* MOV m, sreg */
		FORM("mov", 0, 0x8c, cc);
	FORM("mov", 0, 0x63, -1, 0, D_ONLY64);			/* MOVSXD */
	FORM("mov", 1, 0xb6, -1);				/* MOVZX, MOVSX */
	FORM("mov", 1, 0xb7, -1);
	FORM("mov", 1, 0xbe, -1);
	FORM("mov", 1, 0xbf, -1);
	FORM("mov", 1, 0xc3, -1, 0, D_MEM | D_NO66);		/* MOVNTI */
	FORM("mov", 2, 0xf0, -1, 0, D_MEM);			/* MOVBE */
	FORM("mov", 2, 0xf1, -1, 0, D_MEM);
	FORM("mov", 0, 0xd7, -1, 0, D_XLAT | D_NO_MODRM | D_BYTE);
	for (cc = 0; cc < 16; cc++) {
		FORM("cmov/setcc", 1, 0x40 + cc, -1);
		FORM("cmov/setcc", 1, 0x90 + cc, 0, 0, D_BYTE);
	}
	FORM("nop/prefetch", 1, 0x0d, 1, 0, D_MEM);
	FORM("nop/prefetch", 1, 0x18, 1, 0, D_MEM);
	FORM("nop/prefetch", 1, 0x1f, 0);
	FORM("nop/prefetch", 1, 0xae, 7, 0, D_MEM | D_NO66);	/* CLFLUSH */
}

static void add_exchanges(void)
{
	PAIR("exchange", 0, 0x86, -1, 0, D_LOCK);		/* XCHG */
	PAIR("exchange", 1, 0xb0, -1, 0, D_LOCK);		/* CMPXCHG */
	PAIR("exchange", 1, 0xc0, -1, 0, D_LOCK);		/* XADD */
	FORM("exchange", 1, 0xc7, 1, 0, D_LOCK | D_MEM | D_CX16 | D_NO66);
}

static void add_mul_div(void)
{
	PAIR("mul/div", 0, 0xf6, 4, 0, 0, U_MUL);
	PAIR("mul/div", 0, 0xf6, 5, 0, 0, U_MUL);
	PAIR("mul/div", 0, 0xf6, 6, 0, D_DIVIDE, U_ALL);
	PAIR("mul/div", 0, 0xf6, 7, 0, D_DIVIDE, U_ALL);
	FORM("mul/div", 1, 0xaf, -1, 0, 0, U_MUL);
	FORM("mul/div", 0, 0x69, -1, 0, D_IMM, U_MUL);
	FORM("mul/div", 0, 0x6b, -1, 0, D_IMM8, U_MUL);
}

static void add_stack(void)
{
	unsigned int reg;

	for (reg = 0; reg < 8; reg++) {
		FORM("stack", 0, 0x50 + reg, -1, 0, D_STACK | D_NO_MODRM);
		FORM("stack", 0, 0x58 + reg, -1, 0, D_STACK | D_NO_MODRM);
	}
	FORM("stack", 0, 0x68, -1, 0, D_STACK | D_NO_MODRM | D_IMM);
	FORM("stack", 0, 0x6a, -1, 0, D_STACK | D_NO_MODRM | D_IMM8);
	FORM("stack", 0, 0xff, 6, 0, D_STACK);
	FORM("stack", 0, 0x8f, 0, 0, D_STACK);
	FORM("stack", 0, 0xc9, -1, 0, D_STACK | D_NO_MODRM | D_LEAVE);
	FORM("branch", 0, 0xff, 2, 0, D_STACK | D_TARGET | D_MEM | D_NO66 | D_ONLY64);
	FORM("branch", 0, 0xff, 4, 0, D_TARGET | D_MEM | D_NO66 | D_ONLY64);
	FORM("branch", 0, 0xe8, -1, 0,
	     D_STACK | D_NO_MODRM | D_REL | D_NO66 | D_ONLY64);
	FORM("branch", 0, 0xc3, -1, 0,
	     D_STACK | D_NO_MODRM | D_RET | D_NO66 | D_ONLY64);
	FORM("branch", 0, 0xc2, -1, 0,
	     D_STACK | D_NO_MODRM | D_RET | D_IMM16 | D_NO66 | D_ONLY64);
}

static void add_strings(void)
{
	unsigned int op;

	for (op = 0xa4; op <= 0xae; op += 2)
		if (op != 0xa8)
			PAIR("string", 0, op, -1, 0, D_STRING | D_NO_MODRM);
}

/* Legacy and VEX form of a vector move. */
static void add_vector(u8 map, u8 opcode, u8 mandatory, u32 flags)
{
	flags |= D_VECTOR | D_MEM | D_NO66;
	FORM("sse", map, opcode, -1, mandatory, flags & ~(D_L256 | D_VVVV));
	FORM("avx", map, opcode, -1, mandatory, flags | D_VEX);
}

static void add_vectors(void)
{
	add_vector(1, 0x10, 0, D_L256);			/* MOVUPS, MOVUPD */
	add_vector(1, 0x11, 0, D_L256);
	add_vector(1, 0x10, 0x66, D_L256);
	add_vector(1, 0x11, 0x66, D_L256);
	add_vector(1, 0x10, 0xf3, 0);			/* MOVSS, MOVSD */
	add_vector(1, 0x11, 0xf3, 0);
	add_vector(1, 0x10, 0xf2, 0);
	add_vector(1, 0x11, 0xf2, 0);
	add_vector(1, 0x12, 0, D_VVVV);			/* MOVLPS, MOVLPD */
	add_vector(1, 0x13, 0, 0);
	add_vector(1, 0x12, 0x66, D_VVVV);
	add_vector(1, 0x13, 0x66, 0);
	add_vector(1, 0x12, 0xf3, D_L256);		/* MOVSLDUP, MOVDDUP */
	add_vector(1, 0x12, 0xf2, D_L256);
	add_vector(1, 0x16, 0, D_VVVV);			/* MOVHPS, MOVHPD */
	add_vector(1, 0x17, 0, 0);
	add_vector(1, 0x16, 0x66, D_VVVV);
	add_vector(1, 0x17, 0x66, 0);
	add_vector(1, 0x16, 0xf3, D_L256);		/* MOVSHDUP */
	add_vector(1, 0x28, 0, D_L256);			/* MOVAPS, MOVAPD */
	add_vector(1, 0x29, 0, D_L256);
	add_vector(1, 0x28, 0x66, D_L256);
	add_vector(1, 0x29, 0x66, D_L256);
	add_vector(1, 0x2b, 0, D_L256);			/* MOVNTPS, MOVNTPD */
	add_vector(1, 0x2b, 0x66, D_L256);
	add_vector(1, 0x6e, 0x66, 0);			/* MOVD, MOVQ */
	add_vector(1, 0x7e, 0x66, 0);
	add_vector(1, 0x7e, 0xf3, 0);
	add_vector(1, 0xd6, 0x66, 0);
	add_vector(1, 0x6f, 0x66, D_L256);		/* MOVDQA, MOVDQU */
	add_vector(1, 0x7f, 0x66, D_L256);
	add_vector(1, 0x6f, 0xf3, D_L256);
	add_vector(1, 0x7f, 0xf3, D_L256);
	add_vector(1, 0xe7, 0x66, D_L256);		/* MOVNTDQ, LDDQU */
	add_vector(1, 0xf0, 0xf2, D_L256);
	add_vector(2, 0x2a, 0x66, D_L256);		/* MOVNTDQA */
}

void build_forms(void)
{
	add_alu();
	add_shifts();
	add_bits();
	add_moves();
	add_exchanges();
	add_mul_div();
	add_stack();
	add_strings();
	add_vectors();
}
