// SPDX-License-Identifier: GPL-2.0
/*
 * x86_insn_len() against an independent decoder, Zydis
 *
 * Two runs in each mode.  The first goes through every instruction that SVM can
 * intercept (must_know[]), with every ModRM byte, under all sets of prefixes: both
 * must know it and say the same length.  The second tries random bytes: where
 * both know an instruction, they must agree.
 *
 * Not every CPU has all that Zydis knows and the other way round; a form that
 * only one knows is an error in the first run only if Zydis is the one.
 */
#include <Zydis/Zydis.h>

#include "machine.h"
#include "tap.h"

#define CODE		0x1000
#define RANDOM_CASES	3000000

static const struct mode {
	const char *name;
	enum x86emul_mode mode;
	bool cs_d;
	ZydisMachineMode zydis;
	ZydisStackWidth stack;
} modes[] = {
	{ "real mode", X86EMUL_MODE_REAL, false,
	  ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16 },
	{ "real mode with CS.D", X86EMUL_MODE_REAL, true,
	  ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
	{ "virtual-8086 mode", X86EMUL_MODE_VM86, false,
	  ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16 },
	{ "16-bit mode", X86EMUL_MODE_PROT16, false,
	  ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
	{ "32-bit mode", X86EMUL_MODE_PROT32, false,
	  ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
	{ "64-bit mode", X86EMUL_MODE_LONG64, false,
	  ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
};

/* Opcodes as strings with their length; what follows them is filled in. */
#define OPCODE(bytes) { bytes, sizeof(bytes) - 1 }

static const struct opcode {
	const char *bytes;
	unsigned int len;
} must_know[] = {
	OPCODE("\x0f\x00"),		/* SLDT, STR, LLDT, LTR */
	OPCODE("\x0f\x01"),		/* SGDT .. INVLPG; VMMCALL, VMRUN, ... */
	OPCODE("\x0f\x06"),		/* CLTS */
	OPCODE("\x0f\x08"),		/* INVD */
	OPCODE("\x0f\x09"),		/* WBINVD, WBNOINVD */
	OPCODE("\x0f\x20"), OPCODE("\x0f\x21"), /* MOV CR, MOV DR */
	OPCODE("\x0f\x22"), OPCODE("\x0f\x23"),
	OPCODE("\x0f\x30"),		/* WRMSR */
	OPCODE("\x0f\x31"),		/* RDTSC */
	OPCODE("\x0f\x32"),		/* RDMSR */
	OPCODE("\x0f\x33"),		/* RDPMC */
	OPCODE("\x0f\xa2"),		/* CPUID */
	OPCODE("\x0f\xaa"),		/* RSM */
	OPCODE("\x0f\x38\x82"),		/* INVPCID */
	OPCODE("\x6c"), OPCODE("\x6d"), OPCODE("\x6e"), OPCODE("\x6f"),
	OPCODE("\x90"),			/* PAUSE */
	OPCODE("\x9c"), OPCODE("\x9d"),	/* PUSHF, POPF */
	OPCODE("\xcc"), OPCODE("\xcd"), OPCODE("\xce"), OPCODE("\xcf"),
	OPCODE("\xe4"), OPCODE("\xe5"), OPCODE("\xe6"), OPCODE("\xe7"),
	OPCODE("\xec"), OPCODE("\xed"), OPCODE("\xee"), OPCODE("\xef"),
	OPCODE("\xf1"),			/* ICEBP */
	OPCODE("\xf4"),			/* HLT */
};

/* 0F 00 holds more than SVM intercepts. */
static bool not_ours(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_VERR ||
	       insn->mnemonic == ZYDIS_MNEMONIC_VERW;
}

/* xorshift: the same sequence everywhere. */
static u64 random64(void)
{
	static u64 x = 0x9e3779b97f4a7c15ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static unsigned int our_length(struct machine *m, const struct mode *mode,
			       const u8 *code)
{
	struct x86_emulate_ctxt *ctxt = &m->ctxt;

	memcpy(byte_at(m, CODE), code, 16);
	m->fetches = 0;
	m->segs_asked = 0;
	ctxt->fetched = 0;
	ctxt->rip = CODE;
	ctxt->mode = mode->mode;
	ctxt->real_cs_d = mode->cs_d;
	return x86_insn_len(ctxt);
}

/* 0 if it does not exist. */
static unsigned int zydis_length(const ZydisDecoder *decoder, const u8 *code,
				 ZydisDecodedInstruction *insn)
{
	if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(decoder, ZYAN_NULL, code, 15,
						      insn)))
		return 0;
	return insn->length;
}

static void complain(const u8 *code, unsigned int ours, unsigned int theirs)
{
	char text[64];
	int i, n = 0;

	for (i = 0; i < 15; i++)
		n += snprintf(text + n, sizeof(text) - n, " %02x", code[i]);
	tap_note("%u, Zydis says %u:%s", ours, theirs, text);
}

/* Prefixes by the bits of @set; a REX is the last.  Returns how many. */
static unsigned int put_prefixes(u8 *code, unsigned int set, bool long64)
{
	static const u8 prefixes[] = { 0x66, 0x67, 0xf3, 0xf2, 0x2e, 0x65 };
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (set & 1u << i)
			code[n++] = prefixes[i];
	set >>= ARRAY_SIZE(prefixes);
	if (set & 1)
		code[n++] = 0xf0;
	if (long64 && set >> 1)
		code[n++] = 0x40 | (set >> 1);
	return n;
}

/* One opcode, any ModRM, and what follows at random. */
static bool try_intercept(struct machine *m, const struct mode *mode,
			  const ZydisDecoder *decoder, const struct opcode *op,
			  unsigned int set, u8 modrm, unsigned int *cases)
{
	unsigned int n = 0, ours, theirs;
	ZydisDecodedInstruction insn;
	u64 rest = random64();
	u8 code[16 + sizeof(rest)];

	n = put_prefixes(code, set, mode->mode == X86EMUL_MODE_LONG64);
	memcpy(code + n, op->bytes, op->len);
	n += op->len;
	code[n++] = modrm;
	memcpy(code + n, &rest, sizeof(rest));
	theirs = zydis_length(decoder, code, &insn);
	if (!theirs || not_ours(&insn))
		return true;
	++*cases;
	ours = our_length(m, mode, code);
	if (ours != theirs)
		complain(code, ours, theirs);
	return ours == theirs;
}

static void test_intercepts(struct machine *m, const struct mode *mode,
			    const ZydisDecoder *decoder)
{
	/* seven prefixes; in 64-bit mode sixteen REX besides */
	unsigned int sets = mode->mode == X86EMUL_MODE_LONG64 ? 1u << 11 : 1u << 7;
	unsigned int i, n, cases = 0, bad = 0;

	for (i = 0; i < ARRAY_SIZE(must_know); i++)
		for (n = 0; n < sets * 256 && bad < 10; n++)
			bad += !try_intercept(m, mode, decoder, &must_know[i], n / 256,
					      n % 256, &cases);
	tap_ok(cases && !bad, "%s: intercepts, %u cases, %u differ", mode->name,
	       cases, bad);
}

/* Opcodes with a meaning that depends on more than Zydis is told here. */
static bool is_vex_or_evex(const ZydisDecodedInstruction *insn)
{
	return insn->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY;
}

static void test_random(struct machine *m, const struct mode *mode,
			const ZydisDecoder *decoder)
{
	unsigned int i, known = 0, only_theirs = 0, only_ours = 0, bad = 0;
	ZydisDecodedInstruction insn;

	for (i = 0; i < RANDOM_CASES; i++) {
		u64 bytes[2] = { random64(), random64() };
		const u8 *code = (const u8 *)bytes;
		unsigned int ours, theirs;

		ours = our_length(m, mode, code);
		theirs = zydis_length(decoder, code, &insn);
		if (theirs && mode->cs_d && is_vex_or_evex(&insn))
			continue;
		if (ours && theirs)
			known++;
		else if (ours)
			only_ours++;
		else if (theirs)
			only_theirs++;
		if (ours && theirs && ours != theirs && ++bad < 10)
			complain(code, ours, theirs);
	}
	tap_note("%u known to both, %u to Zydis only, %u here only", known,
		 only_theirs, only_ours);
	tap_ok(known && !bad, "%s: random bytes, %u cases, %u differ", mode->name,
	       known, bad);
}

int main(void)
{
	static struct machine m;
	ZydisDecoder decoder;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		machine_init(&m, modes[i].mode);
		if (ZYAN_FAILED(ZydisDecoderInit(&decoder, modes[i].zydis,
						 modes[i].stack)))
			return 1;
		test_intercepts(&m, &modes[i], &decoder);
		test_random(&m, &modes[i], &decoder);
	}
	return tap_done();
}
