// SPDX-License-Identifier: GPL-2.0
/*
 * Seeds for fuzz_emulate: each form of diff_forms.c in each mode, one file each,
 * so that the fuzzer need not guess opcodes.  usage: seeds_emulate DIRECTORY
 */
#include <stdio.h>
#include <stdlib.h>

#include "diff_forms.h"

/* As fuzz_emulate.c's take_state() reads it: mode, knobs, cr, flags, gpr[]. */
#define STATE_BYTES	(3 + 3 + 2 * 16)

static size_t encode(const struct form *f, u8 *out)
{
	u8 *p = out;

	if (f->mandatory && !(f->flags & D_VEX))
		*p++ = f->mandatory;
	if (f->flags & D_STRING)
		*p++ = 0xf3;
	if (f->flags & D_VEX) {
		*p++ = 0xc4;
		*p++ = 0xe0 | f->map;
		*p++ = 0x78 | (f->mandatory == 0x66 ? 1 :
			       f->mandatory == 0xf3 ? 2 : f->mandatory ? 3 : 0);
	} else if (f->map) {
		*p++ = 0x0f;
		if (f->map == 2)
			*p++ = 0x38;
	}
	*p++ = f->opcode;
	*p++ = (f->ext < 0 ? 0 : f->ext) << 3 | 7;	/* [rdi], [bx] */
	*p++ = 1;					/* an immediate */
	return p - out;
}

static bool write_seed(const char *dir, unsigned int n, u8 mode,
		       const struct form *f)
{
	u8 seed[STATE_BYTES + 32] = { mode }, gpr[8] = { 0 };
	char name[4096];
	unsigned int i;
	size_t len;
	FILE *file;
	bool ok;

	gpr[X86EMUL_RBX] = n & 1 ? 3 : 1;
	gpr[X86EMUL_RDI] = n & 1 ? 3 : 1;
	gpr[X86EMUL_RSP] = 1;
	gpr[X86EMUL_RSI] = 1;
	gpr[X86EMUL_RCX] = 23;
	for (i = 0; i < 8; i++)
		seed[6 + 2 * i] = gpr[i];
	len = STATE_BYTES + encode(f, seed + STATE_BYTES);
	snprintf(name, sizeof(name), "%s/%03u-%u", dir, n, mode);
	file = fopen(name, "wb");
	if (!file)
		return false;
	ok = fwrite(seed, 1, len, file) == len;
	return !fclose(file) && ok;
}

int main(int argc, char **argv)
{
	unsigned int n, mode;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	build_forms();
	for (n = 0; n < nr_forms; n++)
		for (mode = 0; mode < 5; mode++)
			if (!write_seed(argv[1], n, mode, &forms[n])) {
				perror(argv[1]);
				return 1;
			}
	return 0;
}
