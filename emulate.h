/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instruction emulator: one x86 instruction in, its effects out
 *
 * Hardware leaves some instructions to software: string port I/O, every access
 * to an address that has no memory behind it (memory-mapped I/O), and, where
 * it does not tell the operands, those on control and debug registers.
 * x86_emulate_insn() fetches, decodes and executes the one instruction at
 * RIP, in 16, 32 or 64 bit mode.  It is a pure core: it knows no kvm struct,
 * takes no lock, calls no kernel service, keeps nothing between two calls, and
 * compiles in userspace too (tools/unit).  All it wants of the world goes
 * through the hooks of struct x86_emulate_ops; whoever supplies them is
 * called "the binding" below.
 *
 * Five files: emulate.c (main flow, memory operands, segments, strings),
 * emulate_decode.c (opcode tables and decoder), emulate_alu.c (arithmetic and
 * flags as pure functions), emulate_vec.c (vector moves), emulate_sys.c (control
 * and debug registers).  emulate_priv.h is private to these five.
 *
 *
 * The result, and what the binding does with it
 * ---------------------------------------------
 *
 *  X86EMUL_CONTINUE	Done.  Registers, rflags and rip in the context hold the
 *			new state; write back what regs_dirty names, rip and
 *			rflags.  If a hook queued something for userspace, exit
 *			to userspace now, else enter the guest.
 *  X86EMUL_RESTART	Progress, but not finished: some iterations of a REP
 *			string instruction are done, rip still points to it.
 *			Write back as above, serve what was queued, deliver what
 *			is pending, then enter the guest or emulate again; both
 *			are right.
 *  X86EMUL_RETRY	Nothing done: a cmpxchg hook lost its race, or a hook wants
 *			another try.  Enter the guest or emulate again.
 *  X86EMUL_FAULT	ctxt->exception is to be injected.
 *  X86EMUL_IO_NEEDED	A hook wants data from userspace; exit, then call again.
 *  X86EMUL_UNHANDLEABLE The core does not know the instruction, or a hook could
 *			not do its part.  ctxt->insn[0..fetched) are its bytes.
 *
 * After RETRY, FAULT, IO_NEEDED and UNHANDLEABLE gpr[], rip, rflags, the vector
 * registers and memory are exactly as before: a REP instruction that trips
 * over one of them in a later iteration returns RESTART for the iterations
 * that are complete, and meets the obstacle as its first iteration next time.
 * (So a hook's IO_NEEDED counts only if x86_emulate_insn() returns it.)
 *
 * On CONTINUE and RESTART the binding also:
 *  - clears blocking by STI and by MOV SS (no instruction emulated here
 *    creates either);
 *  - delivers #DB (DR6.BS) if rflags.TF was set before the call.  With TF set a
 *    REP instruction does one iteration a call, so the trap is exact;
 *  - checks data and I/O breakpoints (DR7), if it cares: it saw the addresses.
 * RF is the core's: cleared by CONTINUE, set by RESTART (SDM vol. 3, 18.3.1.1:
 * an instruction breakpoint must not fire again between iterations).
 *
 *
 * Order of hook calls, and replay
 * -------------------------------
 *
 * A read from a device cannot complete inside a hook; userspace has to be
 * asked.  So the hook returns X86EMUL_IO_NEEDED, the core returns it with no
 * state changed, and when the data has come the binding simply calls again:
 * the same instruction runs from its start, and now the hook has the data.
 * That is sound because for every instruction, in every mode:
 *
 *  1. fetch() first: at most two calls, each inside one page, the second one
 *     only if the instruction really goes on there.
 *  2. then, and between the reads, get_segment(), get_vec(), get_cr(), get_dr(),
 *     probe(): no side effects;
 *  3. then at most two reads of operands: none, one (loads, read-modify-write,
 *     OUTS, POP m), or two (CMPS: source [rSI] then [rDI]).  Each may be
 *     answered IO_NEEDED.  A permission-bitmap check makes two more reads
 *     before those, marked X86EMUL_ACC_SYSTEM.  An operand that wraps at the
 *     top of the linear address space is read as two pieces;
 *  4. then pio_in(), at most once; may be answered IO_NEEDED;
 *  5. then at most one write(), cmpxchg(), pio_out(), set_cr() or set_dr().  (An operand that wraps
 *     at the top of the linear address space: two write() calls, both probed
 *     beforehand.)  What these do cannot be undone, so all checks come before;
 *  6. then at most one set_vec(); then the registers in the context.
 *
 * A REP string instruction repeats 2..6 for each iteration (for INS and OUTS:
 * each batch).  The order depends on nothing but the guest's registers, the
 * instruction's bytes and the data read so far.
 *
 * The binding's side of the bargain: keep the completed reads of the current
 * instruction in order, each with address, size and data, and answer from that
 * list; forget it on every result other than IO_NEEDED.  Userspace may have
 * changed registers or memory in between, so an entry answers a call only if
 * address and size match; otherwise drop the list and ask userspace again.
 * With the limits above a list of 2 operands x 32 bytes is enough.
 *
 * A write to a device is posted: the hook checks all pages, copies the data to
 * its queue, returns X86EMUL_CONTINUE and sets ctxt->stop, which ends a REP
 * batch after the current iteration.  The binding exits to userspace after it
 * has written back the registers, so nothing is ever replayed after a write.
 * A hook that may not post (queue full) returns UNHANDLEABLE.
 *
 *
 * REP INS, REP OUTS
 * -----------------
 *
 * With DF clear and RAM on the memory side, as many elements as fit in the
 * page, at most X86EMUL_IO_BUF bytes, go through one pio_in() or pio_out() call
 * and one read() or write().  Both pio hooks may take fewer (*count is in and
 * out), and RCX, RSI, RDI move by what they took.  INS probes its
 * destination for writing before it asks for data, so no input is lost to a
 * page fault.
 *
 * If userspace writes RCX while it serves the request, the next call asks
 * pio_in() for another count.  The hook gives min(asked, available) and drops
 * the rest; the buffer is never overrun, the loop ends when RCX says so, and
 * an RCX of zero ends it with no call at all.
 *
 * One call of x86_emulate_insn() does at most X86EMUL_REP_BATCH iterations of
 * other string instructions, so that a guest cannot hold off interrupts.
 */
#ifndef MINIKVM_EMULATE_H
#define MINIKVM_EMULATE_H

#ifdef __KERNEL__
#include <linux/bits.h>
#include <linux/string.h>
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
#define BIT(n) (1ul << (n))
#endif
#include <asm/processor-flags.h>
#include <asm/kvm.h>		/* for its vector numbers: GP_VECTOR, ... */

#define X86EMUL_MAX_INSN	15	/* longer: #GP(0), SDM vol. 2, 2.3.11 */
#define X86EMUL_IO_BUF		4096	/* bytes of one INS/OUTS batch */
#define X86EMUL_REP_BATCH	256	/* iterations of MOVS, STOS, ... a call */
#define X86EMUL_MAX_OPERAND	32	/* widest memory operand: a YMM register */

enum x86emul_rc {
	X86EMUL_CONTINUE = 0,
	X86EMUL_RESTART,
	X86EMUL_RETRY,
	X86EMUL_FAULT,
	X86EMUL_IO_NEEDED,
	X86EMUL_UNHANDLEABLE,
};

enum x86emul_mode {
	X86EMUL_MODE_REAL,	/* CR0.PE = 0 */
	X86EMUL_MODE_VM86,	/* EFLAGS.VM = 1 */
	X86EMUL_MODE_PROT16,	/* CS.D = 0, compatibility mode included */
	X86EMUL_MODE_PROT32,	/* CS.D = 1, compatibility mode included */
	X86EMUL_MODE_LONG64,	/* EFER.LMA = 1, CS.L = 1 */
};

/* As encoded in instructions: ModRM, REX; and the order of gpr[]. */
enum x86emul_reg {
	X86EMUL_RAX, X86EMUL_RCX, X86EMUL_RDX, X86EMUL_RBX,
	X86EMUL_RSP, X86EMUL_RBP, X86EMUL_RSI, X86EMUL_RDI,
	X86EMUL_R8, X86EMUL_R9, X86EMUL_R10, X86EMUL_R11,
	X86EMUL_R12, X86EMUL_R13, X86EMUL_R14, X86EMUL_R15,
	X86EMUL_NR_GPRS
};

/* The first six as encoded in instructions. */
enum x86emul_seg {
	X86EMUL_ES, X86EMUL_CS, X86EMUL_SS, X86EMUL_DS, X86EMUL_FS, X86EMUL_GS,
	X86EMUL_TR,
	X86EMUL_NR_SEGS
};

/*
 * What the segment's descriptor cache holds; fields as in the SDM, vol. 3,
 * 3.4.5.  limit counts bytes: granularity is already applied.
 */
struct x86emul_segment {
	u64 base;
	u32 limit;
	u16 selector;
	u8 type;	/* the 4-bit type field */
	u8 dpl;
	u8 s : 1;	/* 1 = code or data */
	u8 present : 1;
	u8 db : 1;
	u8 l : 1;
	u8 g : 1;
	u8 unusable : 1;
};

struct x86emul_exception {
	u8 vector;
	bool has_error;	/* never in real mode, as far as the core raises it */
	u32 error_code;
	u64 cr2;	/* #PF only */
};

/*
 * What the guest's CPUID offers, as far as the core must know.  Without the bit
 * an instruction raises #UD, or for LZCNT/TZCNT executes as BSR/BSF.
 */
#define X86EMUL_FEAT_MOVBE	BIT(0)
#define X86EMUL_FEAT_POPCNT	BIT(1)
#define X86EMUL_FEAT_LZCNT	BIT(2)	/* ABM */
#define X86EMUL_FEAT_TZCNT	BIT(3)	/* BMI1 */
#define X86EMUL_FEAT_CX16	BIT(4)
#define X86EMUL_FEAT_SSE3	BIT(5)	/* LDDQU, MOVDDUP, MOVSxDUP */
#define X86EMUL_FEAT_SSE41	BIT(6)	/* MOVNTDQA */
#define X86EMUL_FEAT_AVX	BIT(7)
#define X86EMUL_FEAT_AVX2	BIT(8)	/* 256-bit VMOVNTDQA */
#define X86EMUL_FEAT_ALT_CR8	BIT(9)	/* LOCK MOV CR0 means CR8 */

/* How memory is accessed; flags of read() and probe(). */
#define X86EMUL_ACC_WRITE	BIT(0)	/* write permission is needed (too) */
#define X86EMUL_ACC_SYSTEM	BIT(1)	/* implicit supervisor access: the TSS */

struct x86_emulate_ctxt;

/*
 * The hooks.  Addresses are linear: segmentation is done, paging is the hook's
 * (with the context's cpl and rflags.AC for SMAP).  A range never wraps past the
 * top of the linear address space, but may cross pages and may straddle RAM
 * and MMIO.  Unless said otherwise a hook returns
 *   X86EMUL_CONTINUE		done;
 *   X86EMUL_FAULT		ctxt->exception filled (vector, error code, CR2);
 *   X86EMUL_UNHANDLEABLE	cannot be done;
 * and has then, in the last two cases, changed nothing.
 */
struct x86_emulate_ops {
	/**
	 * @fetch: read instruction bytes, as an instruction fetch.
	 *
	 * The range lies within one page; 1..15 bytes.
	 */
	int (*fetch)(struct x86_emulate_ctxt *ctxt, u64 linear, void *buf,
		     unsigned int bytes);

	/**
	 * @read: read memory; or X86EMUL_IO_NEEDED.
	 *
	 * 1..X86EMUL_MAX_OPERAND bytes; for OUTS up to X86EMUL_IO_BUF bytes
	 * within one page, and then probe() called it RAM just before.
	 * With X86EMUL_ACC_WRITE in @access the same bytes will be written next
	 * (read-modify-write): page faults must be those of a write.
	 */
	int (*read)(struct x86_emulate_ctxt *ctxt, u64 linear, void *buf,
		    unsigned int bytes, unsigned int access);

	/**
	 * @write: write memory, or post the write and set ctxt->stop.
	 *
	 * Size as for read().  All pages are checked before the first byte
	 * is written.  Never IO_NEEDED.
	 */
	int (*write)(struct x86_emulate_ctxt *ctxt, u64 linear,
		     const void *buf, unsigned int bytes);

	/**
	 * @cmpxchg: if memory holds @old, replace it with @new, atomically.
	 *
	 * For LOCK and XCHG; 1, 2, 4, 8 or 16 bytes, read just before with
	 * X86EMUL_ACC_WRITE; may be misaligned, may cross pages.
	 * X86EMUL_RETRY if memory held something else: the core gives up, the
	 * instruction starts over.  On MMIO: a plain posted write.
	 */
	int (*cmpxchg)(struct x86_emulate_ctxt *ctxt, u64 linear,
		       const void *old, const void *new, unsigned int bytes);

	/**
	 * @probe: would this access fault?  Nothing is accessed.
	 *
	 * *@ram (may be NULL) tells whether all of it is RAM that the access
	 * would really reach (not MMIO, not read-only memory if
	 * X86EMUL_ACC_WRITE).  1..X86EMUL_IO_BUF bytes; up to
	 * X86EMUL_MAX_OPERAND they may cross a page.
	 */
	int (*probe)(struct x86_emulate_ctxt *ctxt, u64 linear,
		     unsigned int bytes, unsigned int access, bool *ram);

	/**
	 * @pio_in: read *@count (>= 1) elements of @size 1, 2 or 4 from @port;
	 * or X86EMUL_IO_NEEDED.
	 *
	 * *@count may be lowered, to 1 at least.  IN asks for one.
	 * *@count * @size <= X86EMUL_IO_BUF.
	 */
	int (*pio_in)(struct x86_emulate_ctxt *ctxt, u16 port,
		      unsigned int size, void *buf, unsigned int *count);

	/**
	 * @pio_out: write, or post and set ctxt->stop; else like pio_in().
	 * Never IO_NEEDED.
	 */
	int (*pio_out)(struct x86_emulate_ctxt *ctxt, u16 port,
		       unsigned int size, const void *buf, unsigned int *count);

	/**
	 * @get_segment: called at most once per segment and instruction, and
	 * only for what is needed (in 64-bit mode: FS, GS, TR; any for MOV m,
	 * sreg).
	 */
	void (*get_segment)(struct x86_emulate_ctxt *ctxt, enum x86emul_seg seg,
			    struct x86emul_segment *out);

	/** @get_vec: read the low 32 bytes of vector register 0..15 (YMM). */
	int (*get_vec)(struct x86_emulate_ctxt *ctxt, unsigned int reg,
		       void *buf);

	/**
	 * @set_vec: write the low @bytes (16 or 32) of vector register 0..15.
	 *
	 * @clear_upper: everything above becomes zero (VEX); else it is kept.
	 */
	int (*set_vec)(struct x86_emulate_ctxt *ctxt, unsigned int reg,
		       const void *buf, unsigned int bytes, bool clear_upper);

	/** @get_cr: the guest's CR0, 2, 3, 4 or 8. */
	u64 (*get_cr)(struct x86_emulate_ctxt *ctxt, unsigned int nr);

	/**
	 * @set_cr: write it, or fault: #GP(0) for a value that is not allowed.
	 *
	 * The new mode concerns the next instruction: ctxt keeps the old one.
	 */
	int (*set_cr)(struct x86_emulate_ctxt *ctxt, unsigned int nr, u64 val);

	/**
	 * @get_dr: the guest's DR0..3, 6 or 7; or X86EMUL_RETRY.
	 *
	 * DR7.GD is the hooks'; they come after all other checks.
	 */
	int (*get_dr)(struct x86_emulate_ctxt *ctxt, unsigned int nr, u64 *val);

	/** @set_dr: write it; else like get_dr() and set_cr(). */
	int (*set_dr)(struct x86_emulate_ctxt *ctxt, unsigned int nr, u64 val);
};

/* The decoder's findings.  Private to the core; here because it is embedded. */
struct x86emul_decode {
	u64 imm;		/* immediate, sign-extended as the row says */
	u64 ea;			/* effective address, before segmentation */
	u64 disp;
	u64 linear;		/* of the memory operand */
	u64 next_rip;
	u16 flags;		/* EMUL_F_* of the table row */
	u8 op;			/* enum emul_op */
	u8 rex;			/* 0x4X, or from VEX; 0 = none */
	u8 opcode;		/* last opcode byte */
	u8 modrm;
	u8 mod, reg, rm;	/* with REX bits applied */
	u8 op_bytes;		/* operand size 1, 2, 4, 8, 16, 32 */
	u8 src_bytes;		/* MOVZX and the like: size of the source */
	u8 ad_bytes;		/* address size 2, 4, 8 */
	u8 seg;			/* segment of the memory operand */
	u8 rep;			/* 0, 0xf2, 0xf3: last one wins */
	u8 vex_vvvv;		/* a register; 0 also if unused (1111b) */
	u8 vex_l;
	u8 operands;		/* enum emul_operands: who is dst, who is src */
	bool lock, opsize, adsize, vex, has_modrm, rip_relative, base_is_rsp;
};

/**
 * struct x86_emulate_ctxt - one instruction's worth of state
 *
 * The binding fills the first part before each call, reads the second part
 * after it, and leaves the third alone.  It need not be zeroed.
 */
struct x86_emulate_ctxt {
	/* in: */
	const struct x86_emulate_ops *ops;
	void *priv;		/* the binding's; the core never looks */
	void *io_buf;		/* X86EMUL_IO_BUF bytes of scratch, for INS/OUTS */
	enum x86emul_mode mode;
	bool real_cs_d;		/* real mode only: CS.D is still set */
	u8 cpl;			/* 3 in VM86 mode, 0 in real mode */
	u32 features;		/* X86EMUL_FEAT_* */
	u64 cr0;
	u64 cr4;
	u64 xcr0;

	/* in and out; changed on CONTINUE and RESTART only: */
	u64 rip;
	u64 rflags;
	u64 gpr[X86EMUL_NR_GPRS];

	/*
	 * The bytes at RIP.  A binding that already knows some of them (from
	 * hardware) puts them here and sets fetched; else fetched = 0.
	 */
	u8 insn[X86EMUL_MAX_INSN];
	u8 fetched;

	/* set by a hook: end the REP batch after this iteration */
	bool stop;

	/* out: */
	u8 length;		/* of the instruction; 0 if not decoded */
	u16 regs_dirty;		/* bit n: gpr[n] was written */
	struct x86emul_exception exception;

	/* private to the core: */
	u8 pos;			/* decoder: next byte of insn[] */
	u8 segs_valid;		/* bit n: seg[n] is read */
	struct x86emul_segment seg[X86EMUL_NR_SEGS];
	struct x86emul_decode d;
};

/**
 * x86_emulate_insn() - emulate the instruction at ctxt->rip
 * @ctxt: filled as described above
 *
 * Needs no lock and sleeps only if a hook does.
 *
 * Return: enum x86emul_rc; see the top of this file.
 */
int x86_emulate_insn(struct x86_emulate_ctxt *ctxt);

/**
 * x86_insn_len() - how long is the instruction at ctxt->rip?
 * @ctxt: filled as for x86_emulate_insn(), but gpr[] and rflags do not matter
 *
 * For a CPU that exits because of an instruction and does not tell where it ends.
 * Known are the instructions that x86_emulate_insn() executes and those that
 * SVM can intercept.  Only the hooks fetch() and get_segment() are called.  A
 * form that raises #UD (LOCK, say) has a length too.
 *
 * Return: 1..15; 0 if it cannot be fetched, is too long or not known.
 */
unsigned int x86_insn_len(struct x86_emulate_ctxt *ctxt);

/**
 * x86_insn_has_modrm() - does a ModRM byte say where the first operand in memory is?
 * @ctxt: with the instruction under emulation, decoded: in a hook
 */
static inline bool x86_insn_has_modrm(const struct x86_emulate_ctxt *ctxt)
{
	return ctxt->d.has_modrm;
}

#endif /* MINIKVM_EMULATE_H */
