/* SPDX-License-Identifier: GPL-2.0 */
/*
 * emulated_writes.h - guests whose writes the emulator makes, for the tests of the dirty log
 *
 * Each begins with RDI at the start of page 10 of the test's memory, takes what it writes
 * from MMIO or a port, and ends with HLT.
 */
#ifndef EMULATED_WRITES_H
#define EMULATED_WRITES_H

#include "minikvm_util.h"

ASM_GUEST(ins_code, "mov $3000, %ecx; mov $0x80, %edx; rep insw; hlt\n");
ASM_GUEST(movs_code, "mov $0xd0000000, %esi; mov $20, %ecx; rep movsb; hlt\n");
ASM_GUEST(push_code, "mov %rdi, %rsp; mov $0xd0000000, %esi; push (%rsi); hlt\n");

static const struct emulated_write {
	const char *name;
	u8 *code;
	u64 from, to;			/* the pages that are written */
} emulated_writes[] = {
	{ "rep insw", ins_code, 10, 11 },
	{ "rep movsb from MMIO", movs_code, 10, 10 },
	{ "push of MMIO", push_code, 9, 9 },
};

#endif
