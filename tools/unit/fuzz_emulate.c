// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: any bytes as machine state and instruction.
 *
 * ASan and UBSan watch memory and arithmetic; machine.h checks at every hook call
 * and after every step what emulate.h promises: sizes, order, no wrap, soundness
 * of replay, and that whatever does not succeed changes nothing.  Besides: a REP
 * instruction must end the same whether it runs in batches or, with TF set, one
 * iteration at a time.
 *
 * Userspace is hostile too: while a read is pending it may change registers.
 */
#include "emulate_priv.h"
#include "machine.h"

#define MAX_STEPS	40

struct input {
	const u8 *at;
	size_t left;
};

static u8 take_byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

/* Values near which something happens: page ends, device, holes, wraps. */
static u64 take_value(struct input *in)
{
	static const u64 bases[] = {
		0, 0x2000, 0x9ff8, 0xa000, 0xaff8, 0xb000, 0xcff8, 0xd000, 0xdff8,
		0xf000, 0xfff8, 0x1fff8, 0xfffff000, 0xfffffff8, 0x7fffffffffe8,
		0x7ffffffffff8, 0x800000000000, 0xffff7ffffffffff8,
		0xffff800000000000, ~0ull - 7, 0x8000000000000000, 1, 2, 8,
	};
	u8 sel = take_byte(in), low = take_byte(in);

	return bases[sel % ARRAY_SIZE(bases)] + (low & 15) +
	       (sel >= 240 ? (u64)low << 32 : 0);
}

static void take_segment(struct input *in, struct x86emul_segment *seg)
{
	u8 what = take_byte(in);

	if (what & 1)
		seg->base = take_value(in);
	if (what & 2)
		seg->limit = take_value(in);
	if (what & 4)
		seg->type = take_byte(in) & 15;
	seg->db ^= what >> 3;
	seg->s ^= (what & 0x30) == 0x30;
	seg->unusable = (what & 0xc0) == 0xc0;
}

static void take_state(struct input *in, struct machine *m)
{
	struct x86_emulate_ctxt *ctxt = &m->ctxt;
	enum x86emul_mode mode = take_byte(in) % 5;
	u8 knobs = take_byte(in), cr = take_byte(in);
	unsigned int i;

	machine_init(m, mode);
	if (mode != X86EMUL_MODE_REAL && mode != X86EMUL_MODE_VM86)
		ctxt->cpl = knobs & 3;
	m->pio_blocks = knobs & 4;
	m->pio_limit = knobs & 8 ? 3 : 0;
	m->lose_races = (knobs & 0x70) == 0x70;
	m->dr_guarded = (knobs & 0x70) == 0x30;
	ctxt->cr0 ^= (cr & 1 ? X86_CR0_TS : 0) | (cr & 2 ? X86_CR0_EM : 0);
	ctxt->cr4 ^= (cr & 4 ? X86_CR4_OSFXSR : 0) |
		     (cr & 8 ? X86_CR4_OSXSAVE : 0) |
		     (cr & 16 ? X86_CR4_LA57 : 0);
	if (cr & 32)
		ctxt->features = take_byte(in) | take_byte(in) << 8;
	ctxt->rflags |= (take_byte(in) | take_byte(in) << 8 |
			 take_byte(in) << 16) & 0x257fd5;
	for (i = 0; i < 16; i++)
		ctxt->gpr[i] = take_value(in);
	if (cr & 64)
		for (i = 0; i < X86EMUL_NR_SEGS; i++)
			take_segment(in, &m->seg[i]);
	if (cr & 128)
		ctxt->rip = take_value(in);
	/* an instruction pointer is never wider than the mode */
	if (mode != X86EMUL_MODE_LONG64)
		ctxt->rip = (u32)ctxt->rip;
	for (i = 0; i < 256; i++)
		m->ram[0x2000 + i] = i * 37;
}

/* The code is wherever CS:RIP leads, if there is memory. */
static void put_code(struct input *in, struct machine *m)
{
	u64 at = m->ctxt.rip;
	unsigned int i;

	for (i = 0; i < X86EMUL_MAX_INSN + 1; i++, at++) {
		u64 linear = at;

		if (m->ctxt.mode != X86EMUL_MODE_LONG64)
			linear = (u32)(at + m->seg[X86EMUL_CS].base);
		m->code_page[!!i] = linear >> 12;	/* which may wrap */
		if (kind_of(linear) != KIND_HOLE)
			*byte_at(m, linear) = take_byte(in);
	}
}

/* To the end, or so far.  @in: userspace's tricks, NULL for none. */
static int run(struct machine *m, struct input *in)
{
	unsigned int steps = 0;
	int rc;

	do {
		rc = machine_step(m);
		m->nr_posted = 0;
		if (rc != X86EMUL_IO_NEEDED)
			continue;
		machine_serve(m);
		if (in && take_byte(in) == 1) {
			m->ctxt.gpr[take_byte(in) & 7] = take_value(in);
			m->nr_replay = 0;	/* as emulate.h demands */
			m->pio_ready = false;
		}
	} while ((rc == X86EMUL_IO_NEEDED || rc == X86EMUL_RESTART) &&
		 ++steps < MAX_STEPS);
	return rc;
}

/*
 * Batches against single steps.  Code that overwrites itself may differ: it is
 * fetched again for each batch only.
 */
static void compare_with_steps(struct machine *batch, struct machine *steps)
{
	u64 ignore = X86_EFLAGS_TF | X86_EFLAGS_RF;
	int rc;

	batch->ctxt.rflags &= ~(u64)X86_EFLAGS_TF;
	memcpy(steps, batch, sizeof(*steps));
	steps->ctxt.priv = steps;
	steps->ctxt.io_buf = steps->io_buf;
	steps->ctxt.rflags |= X86_EFLAGS_TF;

	rc = run(batch, NULL);
	if (rc != X86EMUL_CONTINUE || run(steps, NULL) != X86EMUL_CONTINUE ||
	    batch->code_written || steps->code_written)
		return;
	PROMISE(!memcmp(batch->ctxt.gpr, steps->ctxt.gpr, sizeof(steps->ctxt.gpr)));
	PROMISE(!((batch->ctxt.rflags ^ steps->ctxt.rflags) & ~ignore));
	PROMISE(batch->ctxt.rip == steps->ctxt.rip);
	PROMISE(!memcmp(batch->ram, steps->ram, sizeof(steps->ram)));
}

/* The name that libFuzzer calls, in a style of its own. */
int fuzz_one_input(const u8 *data, size_t size)
	__asm__("LLVMFuzzerTestOneInput");

int fuzz_one_input(const u8 *data, size_t size)
{
	static struct machine m, before, steps;
	struct input in = { data, size };
	unsigned int op;

	take_state(&in, &m);
	put_code(&in, &m);
	memcpy(&before, &m, sizeof(m));
	run(&m, &in);

	/* INS gives data by position in the batch, see m_pio_in() */
	op = m.ctxt.d.op;
	if (m.ctxt.d.rep && op >= EMUL_OUTS && op <= EMUL_SCAS && m.ctxt.length) {
		before.ctxt.priv = &before;
		before.ctxt.io_buf = before.io_buf;
		compare_with_steps(&before, &steps);
	}
	return 0;
}
