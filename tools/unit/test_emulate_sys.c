// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of emulate_sys.c: control and debug registers
 *
 * First every encoding of MOV CR and MOV DR against a table of what exists: all
 * control, debug and general registers, both ways, every mode and privilege level,
 * with and without LOCK.  Then CLTS, LMSW and SMSW, and what is special.
 */
#include "machine.h"
#include "tap.h"

#define LONG64	X86EMUL_MODE_LONG64

static struct machine machine;

/* ---- MOV CR, MOV DR ---- */

struct mov {
	enum x86emul_mode mode;
	unsigned int cpl, reg, gpr, mod;
	bool dr, to, lock, alt_cr8, de;
};

/* Which register is meant?  NULL: none, #UD.  As the manuals' tables have it. */
static u64 *meant(struct machine *m, const struct mov *t)
{
	if (t->dr && t->reg < 8 && !t->lock) {
		static const u8 names[2][8] = {
			{ 0, 1, 2, 3, 6, 7, 6, 7 },
			{ 0, 1, 2, 3, 0xff, 0xff, 6, 7 },
		};
		u8 nr = names[t->de][t->reg];

		return nr == 0xff ? NULL : &m->dr[nr];
	}
	if (t->dr)
		return NULL;
	if (t->lock)
		return t->alt_cr8 && t->reg == 0 ? &m->cr[8] : NULL;
	switch (t->reg) {
	case 0: case 2: case 3: case 4: case 8:
		return &m->cr[t->reg];
	default:
		return NULL;
	}
}

static void encode(struct machine *m, const struct mov *t)
{
	u8 *code = byte_at(m, m->ctxt.rip);

	if (t->lock)
		*code++ = 0xf0;
	if (t->mode == LONG64)
		*code++ = 0x40 | (t->reg >> 3) << 2 | t->gpr >> 3;
	*code++ = 0x0f;
	*code++ = 0x20 | t->to << 1 | t->dr;
	*code++ = t->mod << 6 | (t->reg & 7) << 3 | (t->gpr & 7);
}

static bool try_mov(const struct mov *t, u64 val)
{
	struct machine *m = &machine;
	u64 width = t->mode == LONG64 ? ~0ull : 0xffffffff, gpr[16], want, *reg;
	int rc;

	machine_init(m, t->mode);
	m->ctxt.cpl = t->cpl;
	m->ctxt.cr4 |= t->de ? X86_CR4_DE : 0;
	m->ctxt.features = t->alt_cr8 ? X86EMUL_FEAT_ALT_CR8 : 0;
	memset(m->ctxt.gpr, 0x7f, sizeof(gpr));
	m->ctxt.gpr[t->gpr] = val;
	memcpy(gpr, m->ctxt.gpr, sizeof(gpr));
	encode(m, t);
	reg = meant(m, t);
	want = reg ? *reg : 0;

	rc = machine_run(m);

	if (!reg)
		return rc == X86EMUL_FAULT && m->ctxt.exception.vector == UD_VECTOR;
	if (t->cpl || (t->to && val & REFUSED))
		return rc == X86EMUL_FAULT && *reg == want &&
		       m->ctxt.exception.vector == GP_VECTOR &&
		       m->ctxt.exception.has_error == (t->mode != X86EMUL_MODE_REAL) &&
		       !m->ctxt.exception.error_code;
	if (t->to)
		want = val & width;
	else
		gpr[t->gpr] = want & width;
	return rc == X86EMUL_CONTINUE && *reg == want &&
	       m->ctxt.rip == 0x1000 + 3u + t->lock + (t->mode == LONG64) &&
	       !memcmp(gpr, m->ctxt.gpr, sizeof(gpr));
}

static void test_mov(enum x86emul_mode mode, const char *name)
{
	static const u64 values[] = { 0x5a5a5a5a12345678, 0x77770000fffffff0 };
	unsigned int regs = mode == LONG64 ? 16 : 8, cases, bad = 0, i;
	unsigned int first = mode == X86EMUL_MODE_VM86 ? 3 : 0;
	unsigned int cpls = mode == X86EMUL_MODE_REAL || first == 3 ? 1 : 4;

	cases = 256 * regs * regs * cpls;
	for (i = 0; i < cases; i++) {
		unsigned int bits = i % 256, rest = i / 256;
		struct mov t = {
			.mode = mode, .reg = rest % regs, .gpr = rest / regs % regs,
			.cpl = first + rest / regs / regs,
			.mod = bits & 3, .dr = bits & 4, .to = bits & 8,
			.lock = bits & 16, .alt_cr8 = bits & 32, .de = bits & 64,
		};

		if (!try_mov(&t, values[bits >> 7]) && ++bad < 10)
			tap_note("reg %u gpr %u cpl %u bits %#x", t.reg, t.gpr, t.cpl, bits);
	}
	tap_ok(!bad, "MOV CR and DR, %s: %u cases, %u wrong", name, cases, bad);
}

/* ---- the others ---- */

#define CODE(s)	.code = (s), .code_len = sizeof(s) - 1

static const struct other {
	const char *name;
	const char *code;
	unsigned int code_len;
	enum x86emul_mode mode;
	unsigned int cpl;
	u64 cr0;			/* before */
	u64 rax;			/* before; memory operands are at RDI */
	u64 rdi;
	bool umip, guarded;
	int rc;
	u8 vector;
	u64 cr0_after, rax_after, mem_after;	/* memory at 0x2000 is -1 before */
} others[] = {
	{ "CLTS", CODE("\x0f\x06"), LONG64, .cr0 = 0x8005003b, .cr0_after = 0x80050033 },
	{ "CLTS with TS clear", CODE("\x0f\x06"), LONG64, .cr0 = 0x80050033,
	  .cr0_after = 0x80050033 },
	{ "CLTS at CPL 1", CODE("\x0f\x06"), LONG64, .cpl = 1, .cr0 = 0x8005003b,
	  .rc = X86EMUL_FAULT, .vector = GP_VECTOR, .cr0_after = 0x8005003b },
	{ "LOCK CLTS", CODE("\xf0\x0f\x06"), LONG64, .cr0 = 0x3b,
	  .rc = X86EMUL_FAULT, .vector = UD_VECTOR, .cr0_after = 0x3b },
	{ "LMSW sets four bits", CODE("\x0f\x01\xf0"), X86EMUL_MODE_REAL,
	  .cr0 = 0x60000010, .rax = 0x1234ffff, .rax_after = 0x1234ffff,
	  .cr0_after = 0x6000001f },
	{ "LMSW cannot clear PE", CODE("\x0f\x01\xf0"), X86EMUL_MODE_PROT16,
	  .cr0 = 0x6000001f, .cr0_after = 0x60000011 },
	{ "LMSW m16", CODE("\x0f\x01\x37"), LONG64, .rdi = 0x2000, .cr0 = 0x40000031,
	  .cr0_after = 0x4000003f },
	{ "LMSW m16 from a device", CODE("\x0f\x01\x37"), LONG64, .rdi = 0xa006,
	  .cr0 = 0x31, .cr0_after = 0x3b },
	{ "LMSW m16 from nowhere", CODE("\x0f\x01\x37"), LONG64, .rdi = 0xe000,
	  .cr0 = 0x31, .rc = X86EMUL_FAULT, .vector = PF_VECTOR, .cr0_after = 0x31 },
	{ "LMSW at CPL 3 does not read", CODE("\x0f\x01\x37"), LONG64, .cpl = 3,
	  .rdi = 0xe000, .cr0 = 0x31, .rc = X86EMUL_FAULT, .vector = GP_VECTOR,
	  .cr0_after = 0x31 },
	{ "SMSW r16", CODE("\x66\x0f\x01\xe0"), LONG64, .cr0 = 0x40050033,
	  .rax = ~0ull, .rax_after = 0xffffffffffff0033, .cr0_after = 0x40050033 },
	{ "SMSW r32", CODE("\x0f\x01\xe0"), LONG64, .cr0 = 0x40050033,
	  .rax = ~0ull, .rax_after = 0x40050033, .cr0_after = 0x40050033 },
	{ "SMSW r64", CODE("\x48\x0f\x01\xe0"), LONG64, .cr0 = 0x40050033,
	  .rax = ~0ull, .rax_after = 0x40050033, .cr0_after = 0x40050033 },
	{ "SMSW r16, 16-bit mode", CODE("\x0f\x01\xe0"), X86EMUL_MODE_REAL,
	  .cr0 = 0x60000010, .rax = 0xffffffff, .rax_after = 0xffff0010,
	  .cr0_after = 0x60000010 },
	{ "SMSW m16", CODE("\x48\x0f\x01\x27"), LONG64, .rdi = 0x2000,
	  .cr0 = 0x40050033, .cr0_after = 0x40050033, .mem_after = 0xffffffffffff0033 },
	{ "SMSW at CPL 3", CODE("\x0f\x01\xe0"), LONG64, .cpl = 3, .cr0 = 0x33,
	  .rax_after = 0x33, .cr0_after = 0x33 },
	{ "SMSW at CPL 3 with UMIP", CODE("\x0f\x01\xe0"), LONG64, .cpl = 3, .umip = true,
	  .cr0 = 0x33, .rc = X86EMUL_FAULT, .vector = GP_VECTOR, .cr0_after = 0x33 },
	{ "SMSW at CPL 0 with UMIP", CODE("\x0f\x01\xe0"), LONG64, .umip = true,
	  .cr0 = 0x33, .rax_after = 0x33, .cr0_after = 0x33 },
	{ "LOCK SMSW", CODE("\xf0\x0f\x01\x27"), LONG64, .rdi = 0x2000, .cr0 = 0x33,
	  .rc = X86EMUL_FAULT, .vector = UD_VECTOR, .cr0_after = 0x33 },
	{ "MOV DR that the binding wants again", CODE("\x0f\x23\xf8"), LONG64,
	  .cr0 = 0x33, .guarded = true, .rc = X86EMUL_RETRY, .cr0_after = 0x33 },
	{ "MOV from DR likewise", CODE("\x0f\x21\xf8"), LONG64, .cr0 = 0x33, .rax = 5,
	  .guarded = true, .rc = X86EMUL_RETRY, .cr0_after = 0x33, .rax_after = 5 },
	{ "operand size does not matter to MOV CR", CODE("\x66\x0f\x20\xc0"), LONG64,
	  .cr0 = 0x40050033, .rax = ~0ull, .rax_after = 0x40050033,
	  .cr0_after = 0x40050033 },
	{ "nor do F2, F3", CODE("\xf3\xf2\x0f\x20\xc0"), LONG64, .cr0 = 0x40050033,
	  .rax = ~0ull, .rax_after = 0x40050033, .cr0_after = 0x40050033 },
};

static void test_other(const struct other *t)
{
	struct machine *m = &machine;
	struct x86_emulate_ctxt *ctxt = &m->ctxt;
	u64 mem_after = t->mem_after ?: ~0ull, mem;
	int rc;

	machine_init(m, t->mode);
	memcpy(byte_at(m, ctxt->rip), t->code, t->code_len);
	machine_set_memory(m, 0x2000, ~0ull, 8);
	m->cr[0] = t->cr0;
	m->dr_guarded = t->guarded;
	ctxt->cpl = t->cpl;
	ctxt->cr4 |= t->umip ? X86_CR4_UMIP : 0;
	ctxt->gpr[X86EMUL_RAX] = t->rax;
	ctxt->gpr[X86EMUL_RDI] = t->rdi;

	rc = machine_run(m);
	mem = machine_memory(m, 0x2000, 8);
	if (!tap_ok(rc == t->rc && m->cr[0] == t->cr0_after && mem == mem_after &&
		    ctxt->gpr[X86EMUL_RAX] == t->rax_after &&
		    ctxt->gpr[X86EMUL_RDI] == t->rdi && m->dr[7] == 0xd7 &&
		    (rc != X86EMUL_FAULT || ctxt->exception.vector == t->vector),
		    "%s", t->name))
		tap_note("rc %d vector %u cr0 %llx rax %llx memory %llx", rc,
			 ctxt->exception.vector, m->cr[0], ctxt->gpr[X86EMUL_RAX], mem);
}

int main(void)
{
	unsigned int i;

	test_mov(X86EMUL_MODE_REAL, "real mode");
	test_mov(X86EMUL_MODE_VM86, "virtual-8086 mode");
	test_mov(X86EMUL_MODE_PROT16, "16-bit mode");
	test_mov(X86EMUL_MODE_PROT32, "32-bit mode");
	test_mov(LONG64, "64-bit mode");
	for (i = 0; i < ARRAY_SIZE(others); i++)
		test_other(&others[i]);
	return tap_done();
}
