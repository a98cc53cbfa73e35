/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instruction forms that the differential test compares: opcode, operand
 * sizes, and which flags the SDM leaves undefined.
 */
#ifndef MINIKVM_DIFF_FORMS_H
#define MINIKVM_DIFF_FORMS_H

#include "emulate.h"

/* What the generator must know about a form. */
#define D_BYTE		BIT(0)	/* byte operand */
#define D_LOCK		BIT(1)	/* LOCK is legal with memory */
#define D_MEM		BIT(2)	/* no register form */
#define D_NO_MODRM	BIT(3)
#define D_MOFFS		BIT(4)
#define D_STRING	BIT(5)
#define D_STACK		BIT(6)	/* rSP must point to memory */
#define D_BIT_OFFSET	BIT(7)	/* the register moves the address */
#define D_DIVIDE	BIT(8)
#define D_ONLY64	BIT(9)
#define D_VECTOR	BIT(10)
#define D_VEX		BIT(11)	/* encode with VEX; implies D_VECTOR */
#define D_VVVV		BIT(12)	/* three operands under VEX */
#define D_L256		BIT(13)	/* VEX.L = 1 is legal */
#define D_XLAT		BIT(14)
#define D_LEAVE		BIT(15)
#define D_NO66		BIT(16)	/* 66H would make it another instruction */
#define D_IMM8		BIT(17)
#define D_IMM		BIT(18)	/* of operand size, at most 4 */
#define D_IMM16		BIT(19)
#define D_COUNT_IMM	BIT(20)	/* shift count: the immediate, 1 or CL */
#define D_COUNT_1	BIT(21)
#define D_COUNT_CL	BIT(22)
#define D_TARGET	BIT(23)	/* memory or stack holds a branch target */
#define D_CX16		BIT(24)
#define D_REL		BIT(25)	/* CALL rel32 */
#define D_RET		BIT(26)

/* Flags that are undefined after the instruction. */
enum undefined {
	U_NONE, U_AF, U_SHIFT, U_ROTATE, U_SHIFT_DOUBLE, U_MUL, U_ALL, U_BT,
	U_SCAN, U_COUNT,
};

struct form {
	const char *group;
	u8 map;			/* 0: one byte, 1: 0F, 2: 0F 38 */
	u8 opcode;
	s8 ext;			/* ModRM.reg, or -1: a register */
	u8 mandatory;		/* 0, 0x66, 0xf2, 0xf3 */
	u32 flags;
	enum undefined undefined;
};

#define MAX_FORMS 512

extern struct form forms[MAX_FORMS];
extern unsigned int nr_forms;

/* Fill forms[]; group by group. */
void build_forms(void);

#endif /* MINIKVM_DIFF_FORMS_H */
