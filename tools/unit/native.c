// SPDX-License-Identifier: GPL-2.0
/*
 * Run one instruction on the machine's own CPU.
 *
 * A page of code is written byte by byte at start-up:
 *
 *   entry:  save the C world, load vectors, flags, all registers, jump to
 *   insn:   the instruction under test, then a jump to
 *   exit:   store all registers, flags, vectors, restore the C world, return
 *
 * 32 and 16-bit code runs in compatibility mode: the jumps are far ones.  State
 * lies at a fixed low address, because nothing but an absolute address is at
 * hand when all registers are in use.  A fault arrives as a signal; the handler
 * notes it and goes on at exit, with the registers as the fault left them.
 *
 * One thread only.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "native.h"

#define STATE_ADDR	0x20010000ull
#define CS_64		0x33		/* Linux' user code segments */
#define CS_32		0x23
#define CODE16_BASE	NATIVE_CODE

/* What the code page reads and writes. */
struct state {
	struct native_state in, out;
	u64 host_rsp;
	u32 insn_offset;		/* these two: a far pointer */
	u16 insn_cs;
};

#define STATE	((struct state *)STATE_ADDR)
#define ADDR(field)	((u32)(STATE_ADDR + offsetof(struct state, field)))

static struct native_fault *current_fault;
static bool have_avx;

/* ---- writing code ------------------------------------------------------ */

static u8 *emit_at;

static void emit(const void *bytes, size_t len)
{
	memcpy(emit_at, bytes, len);
	emit_at += len;
}

#define EMIT(...)	emit((const u8[]){ __VA_ARGS__ }, \
			     sizeof((const u8[]){ __VA_ARGS__ }))

static void emit_u32(u32 val)
{
	emit(&val, 4);
}

/* op reg, [disp32]: ModRM with SIB and no base is absolute in 64-bit mode. */
static void emit_absolute(u8 opcode, unsigned int reg, u32 addr)
{
	EMIT(0x48 | (reg >> 3 << 2), opcode, (reg & 7) << 3 | 4, 0x25);
	emit_u32(addr);
}

/* Load (0x10) or store (0x11) a vector register: VMOVUPS, else MOVUPS. */
static void emit_vector(u8 opcode, unsigned int reg, u32 addr)
{
	if (have_avx)
		EMIT(0xc5, (reg < 8 ? 0xfc : 0x7c), opcode,
		     (reg & 7) << 3 | 4, 0x25);
	else
		EMIT(0x40 | (reg >> 3 << 2), 0x0f, opcode,
		     (reg & 7) << 3 | 4, 0x25);
	emit_u32(addr);
}

static void write_code(void)
{
	unsigned int reg;

	emit_at = (u8 *)NATIVE_CODE;
	EMIT(0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57, 0x9c);
	emit_absolute(0x89, X86EMUL_RSP, ADDR(host_rsp));
	for (reg = 0; reg < 16; reg++)
		emit_vector(0x10, reg, ADDR(in.vec) + 32 * reg);
	EMIT(0xff, 0x34, 0x25);				/* push, popf */
	emit_u32(ADDR(in.rflags));
	EMIT(0x9d);
	for (reg = 0; reg < 16; reg++)
		emit_absolute(0x8b, reg, ADDR(in.gpr) + 8 * reg);
	EMIT(0xff, 0x2c, 0x25);				/* ljmp [insn] */
	emit_u32(ADDR(insn_offset));
	if (emit_at > (u8 *)NATIVE_INSN)
		abort();

	emit_at = (u8 *)NATIVE_EXIT;
	for (reg = 0; reg < 16; reg++)
		emit_absolute(0x89, reg, ADDR(out.gpr) + 8 * reg);
	emit_absolute(0x8b, X86EMUL_RSP, ADDR(host_rsp));
	EMIT(0x9c, 0x8f, 0x04, 0x25);			/* pushf, pop */
	emit_u32(ADDR(out.rflags));
	for (reg = 0; reg < 16; reg++)
		emit_vector(0x11, reg, ADDR(out.vec) + 32 * reg);
	EMIT(0x9d, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b);
	EMIT(0xc3);
}

/* ---- faults ------------------------------------------------------------ */

/*
 * The vector and error code are what the CPU pushed.  EFLAGS.AC may be set by a
 * test: clear it before anything that the compiler made misaligned.
 */
static void on_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *regs = uc->uc_mcontext.gregs;

	asm volatile("pushfq; andl $~0x40000, (%%rsp); popfq" ::: "memory", "cc");
	if (!current_fault) {
		fprintf(stderr, "signal %d outside of a test, at %p\n", sig,
			(void *)regs[REG_RIP]);
		_exit(1);
	}
	(void)info;
	current_fault->vector = regs[REG_TRAPNO];
	current_fault->error_code = regs[REG_ERR];
	current_fault->cr2 = regs[REG_CR2];
	regs[REG_RIP] = NATIVE_EXIT;
	regs[REG_CSGSFS] = (regs[REG_CSGSFS] & ~0xffffll) | CS_64;
}

static bool install_handlers(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
	struct sigaction sa = {
		.sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	stack_t stack = { .ss_size = 65536, .ss_sp = malloc(65536) };
	unsigned int i;

	if (!stack.ss_sp || sigaltstack(&stack, NULL))
		return false;
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], &sa, NULL))
			return false;
	return true;
}

/* ---- set-up ------------------------------------------------------------ */

static bool map_at(u64 addr, size_t size, int prot)
{
	void *want = (void *)addr;

	return mmap(want, size, prot, MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_FIXED_NOREPLACE, -1, 0) == want;
}

bool native_init(void)
{
	have_avx = __builtin_cpu_supports("avx");
	if (!map_at(NATIVE_CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    !map_at(STATE_ADDR, 8192, PROT_READ | PROT_WRITE) ||
	    !map_at(NATIVE_DATA, NATIVE_DATA_SIZE, PROT_READ | PROT_WRITE))
		return false;
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, NATIVE_GS_BASE))
		return false;
	write_code();
	return install_handlers();
}

bool native_set_ldt(enum native_slot slot, const struct x86emul_segment *seg)
{
	struct user_desc desc = {
		.entry_number = slot,
		.base_addr = seg->base,
		.limit = seg->g ? seg->limit >> 12 : seg->limit,
		.seg_32bit = seg->db,
		.contents = seg->type >> 2 & 3,
		.read_exec_only = !(seg->type & 2),
		.limit_in_pages = seg->g,
	};

	return !syscall(SYS_modify_ldt, 0x11, &desc, sizeof(desc));
}

void native_set_data_segments(u16 ds, u16 es)
{
	asm volatile("mov %0, %%ds; mov %1, %%es" : : "r"(ds), "r"(es));
}

/* ---- running ----------------------------------------------------------- */

void native_run(enum native_mode mode, const u8 *insn, unsigned int len,
		const struct native_state *in, struct native_state *out,
		struct native_fault *fault)
{
	u8 *code = (u8 *)NATIVE_INSN;
	struct state *state = STATE;
	s32 rel = NATIVE_EXIT - (NATIVE_INSN + len + 5);

	state->in = *in;
	state->insn_offset = NATIVE_INSN;
	state->insn_cs = CS_64;
	if (mode == NATIVE_32)
		state->insn_cs = CS_32;
	if (mode == NATIVE_16) {
		state->insn_offset = NATIVE_INSN - CODE16_BASE;
		state->insn_cs = NATIVE_SEL(NATIVE_SLOT_CODE16);
	}

	memcpy(code, insn, len);
	emit_at = code + len;
	if (mode == NATIVE_64) {
		EMIT(0xe9);				/* jmp exit */
		emit_u32(rel);
	} else {
		if (mode == NATIVE_16)
			EMIT(0x66);
		EMIT(0xea);				/* ljmp CS_64:exit */
		emit_u32(NATIVE_EXIT);
		EMIT(CS_64, 0);
	}

	fault->vector = -1;
	current_fault = fault;
	((void (*)(void))NATIVE_CODE)();
	current_fault = NULL;
	*out = state->out;
}
