// SPDX-License-Identifier: GPL-2.0
/*
 * SSE and AVX moves between a vector register and memory
 *
 * Device memory is copied, and frame buffers are filled, with these too.  The
 * operation says which part of the register is meant, and vector_mem_bytes() how
 * many bytes of memory that is; a load goes through vector_shape(), which
 * makes of the bytes read what the register gets.
 *
 * Left out on purpose: moves between registers (no one intercepts them),
 * arithmetic, masked moves and gathers, MMX, AVX-512.
 */
#include "emulate_priv.h"

#define XCR0_SSE_AVX	6	/* XCR0[2:1], SDM vol. 1, 13.3 */

union vec {
	u8 byte[32];
	u32 dword[8];
	u64 qword[4];
};

/* Is the state enabled, the feature there?  SDM vol. 2, 2.4 and 2.5. */
static int check_vector(struct x86_emulate_ctxt *ctxt)
{
	const struct x86emul_decode *d = &ctxt->d;
	u32 need = 0;

	if (d->vex) {
		if (!(ctxt->cr4 & X86_CR4_OSXSAVE) ||
		    (ctxt->xcr0 & XCR0_SSE_AVX) != XCR0_SSE_AVX)
			return emul_fault(ctxt, UD_VECTOR);
		need = X86EMUL_FEAT_AVX;
		if (d->vex_l && (d->flags & EMUL_F_SSE41))
			need |= X86EMUL_FEAT_AVX2;
	} else {
		if ((ctxt->cr0 & X86_CR0_EM) || !(ctxt->cr4 & X86_CR4_OSFXSR))
			return emul_fault(ctxt, UD_VECTOR);
		if (d->flags & EMUL_F_SSE3)
			need = X86EMUL_FEAT_SSE3;
		if (d->flags & EMUL_F_SSE41)
			need = X86EMUL_FEAT_SSE41;
	}
	if ((ctxt->features & need) != need)
		return emul_fault(ctxt, UD_VECTOR);
	if (ctxt->cr0 & X86_CR0_TS)
		return emul_fault(ctxt, NM_VECTOR);
	return X86EMUL_CONTINUE;
}

/* Size in memory; 0 if VEX says something that does not exist. */
static unsigned int vector_mem_bytes(const struct x86_emulate_ctxt *ctxt)
{
	const struct x86emul_decode *d = &ctxt->d;
	bool merges = (d->op == EMUL_V_LOW || d->op == EMUL_V_HIGH) &&
		      d->operands == EMUL_RM;

	if (d->vex_vvvv && !merges)
		return 0;
	switch (d->op) {
	case EMUL_V_SCALAR:	/* VMOVSS, VMOVSD ignore L; VMOVQ does not */
		if (d->vex_l && d->opcode != 0x10 && d->opcode != 0x11)
			return 0;
		return d->src_bytes;
	case EMUL_V_GPR:
		if (d->vex_l)
			return 0;
		return d->rex & 8 ? 8 : 4;
	case EMUL_V_LOW:
	case EMUL_V_HIGH:
		return d->vex_l ? 0 : 8;
	case EMUL_V_DDUP:
		return d->vex_l ? 32 : 8;
	default:
		return d->vex_l ? 32 : 16;
	}
}

/* Turn what was read, in *@v, into what the register gets. */
static void vector_shape(const struct x86_emulate_ctxt *ctxt, union vec *v,
			 const union vec *merge)
{
	int i;

	switch (ctxt->d.op) {
	case EMUL_V_LOW:
		v->qword[1] = merge->qword[1];
		break;
	case EMUL_V_HIGH:
		v->qword[1] = v->qword[0];
		v->qword[0] = merge->qword[0];
		break;
	case EMUL_V_DDUP:
		v->qword[1] = v->qword[0];
		v->qword[3] = v->qword[2];
		break;
	case EMUL_V_SLDUP:
		for (i = 0; i < 8; i += 2)
			v->dword[i + 1] = v->dword[i];
		break;
	case EMUL_V_SHDUP:
		for (i = 0; i < 8; i += 2)
			v->dword[i] = v->dword[i + 1];
		break;
	default:
		break;
	}
}

static int vector_load(struct x86_emulate_ctxt *ctxt, unsigned int bytes)
{
	const struct x86emul_decode *d = &ctxt->d;
	union vec v = {}, merge;
	int rc = 0;

	if (d->op == EMUL_V_LOW || d->op == EMUL_V_HIGH)
		rc = ctxt->ops->get_vec(ctxt, d->vex ? d->vex_vvvv : d->reg,
					&merge);
	if (!rc)
		rc = emul_mem_read(ctxt, d->linear, &v, bytes, 0);
	if (rc)
		return rc;
	vector_shape(ctxt, &v, &merge);
	return ctxt->ops->set_vec(ctxt, d->reg, &v, bytes == 32 ? 32 : 16,
				  d->vex);
}

static int vector_store(struct x86_emulate_ctxt *ctxt, unsigned int bytes)
{
	const struct x86emul_decode *d = &ctxt->d;
	union vec v;
	int rc = ctxt->ops->get_vec(ctxt, d->reg, &v);

	if (rc)
		return rc;
	if (d->op == EMUL_V_HIGH)
		v.qword[0] = v.qword[1];
	return emul_mem_write(ctxt, d->linear, &v, bytes);
}

/**
 * emul_exec_vector() - execute one of EMUL_V_FULL ... EMUL_V_SHDUP
 * @ctxt: decoded
 *
 * Return: enum x86emul_rc.
 */
int emul_exec_vector(struct x86_emulate_ctxt *ctxt)
{
	const struct x86emul_decode *d = &ctxt->d;
	bool store = d->operands == EMUL_MR;
	bool dup = d->op == EMUL_V_SLDUP || d->op == EMUL_V_SHDUP;
	unsigned int bytes = vector_mem_bytes(ctxt);
	int rc;

	if (!emul_is_mem(d))
		return X86EMUL_UNHANDLEABLE;
	if (!bytes)
		return emul_fault(ctxt, UD_VECTOR);
	rc = check_vector(ctxt);
	if (!rc)
		rc = emul_rm_locate(ctxt, bytes, store ? X86EMUL_ACC_WRITE : 0);
	if (rc)
		return rc;
	if ((d->flags & EMUL_F_ALIGN) && !(dup && d->vex) &&
	    (d->linear & (bytes - 1)))
		return emul_fault0(ctxt, GP_VECTOR);
	return store ? vector_store(ctxt, bytes) : vector_load(ctxt, bytes);
}
