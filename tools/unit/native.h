/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Run one instruction on the machine's own CPU, with chosen registers, and see
 * what it did: the reference of the differential test.
 */
#ifndef MINIKVM_NATIVE_H
#define MINIKVM_NATIVE_H

#include "emulate.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

/* Fixed low addresses, so that 32-bit code reaches them too. */
#define NATIVE_CODE	0x20000000ull
#define NATIVE_INSN	(NATIVE_CODE + 0x800)	/* the instruction under test */
#define NATIVE_EXIT	(NATIVE_CODE + 0xc00)	/* a branch may go here */
#define NATIVE_DATA	0x30000000ull		/* two pages, a hole around them */
#define NATIVE_DATA_SIZE 0x2000
#define NATIVE_GS_BASE	0x1230ull

enum native_mode { NATIVE_64, NATIVE_32, NATIVE_16 };

struct native_state {
	u64 gpr[16];
	u64 rflags;
	u8 vec[16][32];
};

struct native_fault {
	int vector;		/* -1: none */
	u64 error_code;
	u64 cr2;
};

/* LDT slots for native_set_ldt(); a selector is NATIVE_SEL(slot). */
enum native_slot { NATIVE_SLOT_CODE16, NATIVE_SLOT_DATA16, NATIVE_SLOT_TEST };

#define NATIVE_SEL(slot)	((slot) << 3 | 7)
#define NATIVE_FLAT_SEL		0x2b	/* Linux' 32-bit user data segment */

/**
 * native_init() - map code and data, install signal handlers
 *
 * Return: false if the addresses are taken.
 */
bool native_init(void);

/**
 * native_set_ldt() - define a data segment; type as in a descriptor
 *
 * Return: false if the kernel refuses: no such segments on this machine.
 */
bool native_set_ldt(enum native_slot slot, const struct x86emul_segment *seg);

/* Load DS and ES.  They matter in NATIVE_32 and NATIVE_16 only. */
void native_set_data_segments(u16 ds, u16 es);

/**
 * native_run() - execute one instruction
 * @mode: as what kind of code
 * @insn: its bytes
 * @len: how many
 * @in: registers before
 * @out: registers after, or at the fault
 * @fault: the fault, if any
 */
void native_run(enum native_mode mode, const u8 *insn, unsigned int len,
		const struct native_state *in, struct native_state *out,
		struct native_fault *fault);

#endif /* MINIKVM_NATIVE_H */
