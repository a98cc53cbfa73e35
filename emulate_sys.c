// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions on control and debug registers
 *
 * MOV to and from CR and DR, CLTS, LMSW, SMSW (SDM vol. 2; APM vol. 3).  VMX tells
 * a hypervisor their operands; SVM does so only with decode assists, and without
 * them the instruction has to be emulated.
 *
 * The core checks what concerns the instruction: does the register exist, is the
 * privilege there.  Whether a value is allowed, and what it brings about, is
 * for the hooks get_cr(), set_cr(), get_dr() and set_dr() to know.  A set hook is
 * like a write to memory: it comes last, as it cannot be undone.
 *
 * Left out: DR7.GD, which is the hooks'.
 */
#include "emulate_priv.h"

#define CRS_DEFINED	(BIT(0) | BIT(2) | BIT(3) | BIT(4) | BIT(8))

/* Whatever the prefixes say: SDM vol. 2, MOV CR. */
static unsigned int sys_bytes(const struct x86_emulate_ctxt *ctxt)
{
	return ctxt->mode == X86EMUL_MODE_LONG64 ? 8 : 4;
}

/*
 * CR8 has an encoding for modes without REX: LOCK MOV CR0 (APM vol. 3, MOV CRn;
 * CPUID 8000_0001 ECX[4]).  LOCK with anything else is #UD.
 */
static int which_cr(struct x86_emulate_ctxt *ctxt, unsigned int *nr)
{
	const struct x86emul_decode *d = &ctxt->d;

	*nr = d->reg;
	if (d->lock) {
		if (d->reg || !(ctxt->features & X86EMUL_FEAT_ALT_CR8))
			return emul_fault(ctxt, UD_VECTOR);
		*nr = 8;
	}
	if (!(CRS_DEFINED & BIT(*nr)))
		return emul_fault(ctxt, UD_VECTOR);
	return X86EMUL_CONTINUE;
}

static int exec_mov_cr(struct x86_emulate_ctxt *ctxt)
{
	const struct x86emul_decode *d = &ctxt->d;
	unsigned int bytes = sys_bytes(ctxt), nr;
	int rc = which_cr(ctxt, &nr);

	if (rc)
		return rc;
	if (ctxt->cpl)
		return emul_fault0(ctxt, GP_VECTOR);
	if (d->op == EMUL_TO_CR)
		return ctxt->ops->set_cr(ctxt, nr, emul_read_reg(ctxt, d->rm, bytes));
	emul_write_reg(ctxt, d->rm, bytes, ctxt->ops->get_cr(ctxt, nr));
	return X86EMUL_CONTINUE;
}

/* DR4 and DR5 are other names of DR6 and DR7 unless CR4.DE is set (SDM 18.2.2). */
static int exec_mov_dr(struct x86_emulate_ctxt *ctxt)
{
	const struct x86emul_decode *d = &ctxt->d;
	unsigned int bytes = sys_bytes(ctxt), nr = d->reg;
	u64 val;
	int rc;

	if (nr > 7)
		return emul_fault(ctxt, UD_VECTOR);
	if ((nr == 4 || nr == 5) && (ctxt->cr4 & X86_CR4_DE))
		return emul_fault(ctxt, UD_VECTOR);
	if (ctxt->cpl)
		return emul_fault0(ctxt, GP_VECTOR);
	if (nr == 4 || nr == 5)
		nr += 2;
	if (d->op == EMUL_TO_DR)
		return ctxt->ops->set_dr(ctxt, nr, emul_read_reg(ctxt, d->rm, bytes));
	rc = ctxt->ops->get_dr(ctxt, nr, &val);
	if (!rc)
		emul_write_reg(ctxt, d->rm, bytes, val);
	return rc;
}

static int exec_clts(struct x86_emulate_ctxt *ctxt)
{
	const u64 others = ~(u64)X86_CR0_TS;

	if (ctxt->cpl)
		return emul_fault0(ctxt, GP_VECTOR);
	return ctxt->ops->set_cr(ctxt, 0, ctxt->ops->get_cr(ctxt, 0) & others);
}

/* The low four bits of CR0; PE cannot be cleared. */
static int exec_lmsw(struct x86_emulate_ctxt *ctxt)
{
	const u64 others = ~(u64)(X86_CR0_MP | X86_CR0_EM | X86_CR0_TS);
	u64 msw;
	int rc;

	if (ctxt->cpl)
		return emul_fault0(ctxt, GP_VECTOR);
	rc = emul_rm_load(ctxt, 2, 0, &msw);
	if (rc)
		return rc;
	return ctxt->ops->set_cr(ctxt, 0, (ctxt->ops->get_cr(ctxt, 0) & others) | (msw & 0xf));
}

/* To memory always 16 bits, to a register as many as it has. */
static int exec_smsw(struct x86_emulate_ctxt *ctxt)
{
	unsigned int bytes = emul_is_mem(&ctxt->d) ? 2 : ctxt->d.op_bytes;
	int rc;

	if (ctxt->cpl && (ctxt->cr4 & X86_CR4_UMIP))
		return emul_fault0(ctxt, GP_VECTOR);
	rc = emul_rm_locate(ctxt, bytes, X86EMUL_ACC_WRITE);
	return rc ? rc : emul_rm_store(ctxt, bytes, 0, ctxt->ops->get_cr(ctxt, 0));
}

/**
 * emul_exec_system() - execute one of EMUL_TO_CR ... EMUL_SMSW
 * @ctxt: decoded
 *
 * Return: enum x86emul_rc.
 */
int emul_exec_system(struct x86_emulate_ctxt *ctxt)
{
	switch (ctxt->d.op) {
	case EMUL_TO_CR:
	case EMUL_FROM_CR:
		return exec_mov_cr(ctxt);
	case EMUL_TO_DR:
	case EMUL_FROM_DR:
		return exec_mov_dr(ctxt);
	case EMUL_CLTS:
		return exec_clts(ctxt);
	case EMUL_LMSW:
		return exec_lmsw(ctxt);
	default:
		return exec_smsw(ctxt);
	}
}
