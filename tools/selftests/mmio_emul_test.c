// SPDX-License-Identifier: GPL-2.0
/*
 * mmio_emul_test - the emulator through the real module, against the real CPU
 *
 * Each row is an instruction whose memory operand is at (RDI).  It runs twice
 * from the same registers: once with RDI in RAM, where the CPU does it, and once
 * with RDI in MMIO, where the module emulates it and a device here plays the same
 * memory.  Registers, flags, XMM, the operand's memory, the stack and the other
 * string operand must come out alike.  No expectation is written by hand.
 *
 * Guards: every ordinary instruction form that touches memory works on MMIO in
 * 16, 32 and 64 bits, across pages, with faults as the CPU gives them; each
 * access reaches the device once, with its own size.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

#define MEM_SIZE	0x3000		/* what the device plays, from its base */
#define OTHER		(GPA_DATA + 0x8000)	/* the other string operand */
#define STACK_AT	(GPA_DATA + 0xc000)
#define WINDOW		0x200		/* compared around OTHER and the stack */

#define F_ALL	0x8d5			/* CF PF AF ZF SF OF */
#define F_NOAF	0x8c5
#define F_CF	0x001
#define F_ZF	0x040
#define F_CFOF	0x801
#define F_NONE	0

#define PTR	1			/* the operand starts with a code address */
#define NOTSTOCK 2			/* the stock module's emulator lacks it */
#define EDGE	4			/* start 4 bytes before the page ends */

#define ROWS64								\
	/* moves */							\
	X(mov_store8, "mov %al, (%rdi)", F_ALL, 0)			\
	X(mov_store8_high, "mov %ah, (%rdi)", F_ALL, 0)			\
	X(mov_store16, "mov %ax, 1(%rdi)", F_ALL, 0)			\
	X(mov_store32, "mov %eax, 4(%rdi)", F_ALL, 0)			\
	X(mov_store64, "mov %r8, (%rdi)", F_ALL, 0)			\
	X(mov_load8, "mov (%rdi), %bl", F_ALL, 0)			\
	X(mov_load8_rex, "mov (%rdi), %sil", F_ALL, 0)			\
	X(mov_load8_high, "mov (%rdi), %bh", F_ALL, 0)			\
	X(mov_load16, "mov (%rdi), %bx", F_ALL, 0)			\
	X(mov_load32, "mov (%rdi), %r9d", F_ALL, 0)			\
	X(mov_load64, "mov 8(%rdi), %r15", F_ALL, 0)			\
	X(mov_imm8, "movb $0x5a, (%rdi)", F_ALL, 0)			\
	X(mov_imm16, "movw $0x5aa5, (%rdi)", F_ALL, 0)			\
	X(mov_imm32, "movl $0x89abcdef, (%rdi)", F_ALL, 0)		\
	X(mov_imm64, "movq $-2, (%rdi)", F_ALL, 0)			\
	X(mov_sib, "mov %eax, 5(%rdi, %rcx, 8)", F_ALL, 0)		\
	X(mov_addr32, "mov %eax, (%edi, %ecx, 4)", F_ALL, 0)		\
	X(mov_moffs, "mov %rdi, %rbx; mov (%rbx), %eax", F_ALL, 0)	\
	X(mov_fs, "mov %fs:(%rdi), %eax", F_ALL, 0)			\
	X(mov_seg_store, "mov %ss, (%rdi)", F_ALL, 0)			\
	X(movzbl, "movzbl (%rdi), %eax", F_ALL, 0)			\
	X(movzbw, "movzbw (%rdi), %ax", F_ALL, 0)			\
	X(movzwq, "movzwq 2(%rdi), %rax", F_ALL, 0)			\
	X(movsbl, "movsbl 6(%rdi), %eax", F_ALL, 0)			\
	X(movsbq, "movsbq 6(%rdi), %rax", F_ALL, 0)			\
	X(movswl, "movswl 5(%rdi), %eax", F_ALL, 0)			\
	X(movslq, "movslq 3(%rdi), %r10", F_ALL, 0)			\
	X(movnti, "movnti %r8, (%rdi)", F_ALL, 0)			\
	X(cmov_taken, "cmp %rax, %rax; cmovz (%rdi), %rbx", F_ALL, 0)	\
	X(cmov_not, "cmp %rax, %rax; cmovnz (%rdi), %ebx", F_ALL, 0)	\
	X(bswap_movbe, "mov (%rdi), %eax; bswap %eax", F_ALL, 0)	\
	X(setc, "setc (%rdi)", F_ALL, 0)				\
	X(setnl, "setnl (%rdi)", F_ALL, 0)				\
	/* exchanges */							\
	X(xchg32, "xchg %eax, (%rdi)", F_ALL, 0)			\
	X(xchg8, "xchg %bl, (%rdi)", F_ALL, 0)				\
	X(xadd, "lock xadd %eax, (%rdi)", F_ALL, 0)			\
	X(xadd8, "xadd %al, (%rdi)", F_ALL, 0)				\
	X(cmpxchg_no, "lock cmpxchg %ebx, (%rdi)", F_ALL, 0)		\
	X(cmpxchg_yes, "mov (%rdi), %eax; cmpxchg %ebx, (%rdi)", F_ALL, 0) \
	X(cmpxchg_own, "mov (%rdi), %rax; lock cmpxchg %rbx, (%rdi)", F_ALL, 0) \
	X(cmpxchg8b_no, "lock cmpxchg8b (%rdi)", F_ALL, 0)		\
	X(cmpxchg8b_yes,					\
	  "mov (%rdi), %eax; mov 4(%rdi), %edx; mov $7, %ecx; cmpxchg8b (%rdi)", F_ALL, 0) \
	/* arithmetic */						\
	X(add_mr, "add %eax, (%rdi)", F_ALL, 0)				\
	X(add_rm, "add (%rdi), %rax", F_ALL, 0)				\
	X(add_mi, "addl $0x11223344, (%rdi)", F_ALL, 0)			\
	X(add_mi8, "addq $-3, (%rdi)", F_ALL, 0)			\
	X(adc_mr, "adc %ax, (%rdi)", F_ALL, 0)				\
	X(adc_rm, "adc (%rdi), %r8", F_ALL, 0)				\
	X(sub_mr, "lock sub %rax, (%rdi)", F_ALL, 0)			\
	X(sub_rm8, "sub (%rdi), %al", F_ALL, 0)				\
	X(sbb_mr, "sbb %al, (%rdi)", F_ALL, 0)				\
	X(sbb_mi, "sbbl $0x7f, (%rdi)", F_ALL, 0)			\
	X(cmp_mr, "cmp %rax, (%rdi)", F_ALL, 0)				\
	X(cmp_rm, "cmp (%rdi), %eax", F_ALL, 0)				\
	X(cmp_mi8, "cmpb $0x80, (%rdi)", F_ALL, 0)			\
	X(and_mr, "and %eax, (%rdi)", F_NOAF, 0)			\
	X(and_mi, "andb $0xf0, (%rdi)", F_NOAF, 0)			\
	X(or_mr, "lock or %rax, (%rdi)", F_NOAF, 0)			\
	X(or_mi, "orw $0x1234, (%rdi)", F_NOAF, 0)			\
	X(xor_rm, "xor (%rdi), %eax", F_NOAF, 0)			\
	X(xor_mi, "xorq $-1, (%rdi)", F_NOAF, 0)			\
	X(test_mr, "test %eax, (%rdi)", F_NOAF, 0)			\
	X(test_mi, "testl $0x80000001, (%rdi)", F_NOAF, 0)		\
	X(test_mi8, "testb $1, 3(%rdi)", F_NOAF, 0)			\
	X(inc, "incl (%rdi)", F_ALL, 0)					\
	X(dec, "lock decq (%rdi)", F_ALL, 0)				\
	X(inc8, "incb (%rdi)", F_ALL, 0)				\
	X(neg, "negl (%rdi)", F_ALL, 0)					\
	X(not, "notq (%rdi)", F_ALL, 0)					\
	X(mul, "mull (%rdi)", F_CFOF, 0)				\
	X(mul8, "mulb 2(%rdi)", F_CFOF, 0)				\
	X(imul1, "imulq (%rdi)", F_CFOF, 0)				\
	X(imul2, "imul (%rdi), %rax", F_CFOF, 0)			\
	X(imul3, "imul $-77, (%rdi), %ebx", F_CFOF, 0)			\
	X(div, "xor %edx, %edx; divl (%rdi)", F_NONE, 0)		\
	X(idiv, "xor %edx, %edx; idivl (%rdi)", F_NONE, 0)		\
	X(div8, "mov $0x77, %ax; divb (%rdi)", F_NONE, 0)		\
	/* shifts and bits */						\
	X(shl1, "shll (%rdi)", F_NOAF, 0)				\
	X(shr1, "shrw (%rdi)", F_NOAF, 0)				\
	X(sar_imm, "sarl $5, (%rdi)", 0xc5, 0)				\
	X(shl_cl, "shlq %cl, (%rdi)", 0xc5, 0)				\
	X(rol1, "rolb (%rdi)", F_ALL, 0)				\
	X(rcr1, "rcrl (%rdi)", F_ALL, 0)				\
	X(ror_imm, "rorq $9, (%rdi)", 0x0d5, 0)				\
	X(rcl_cl, "rcll %cl, (%rdi)", 0x0d5, 0)				\
	X(shld, "shld $7, %rax, (%rdi)", 0xc5, 0)			\
	X(shrd_cl, "shrd %cl, %eax, (%rdi)", 0xc5, 0)			\
	X(bt_imm, "btl $17, (%rdi)", F_CF, 0)				\
	X(bt_far, "mov $1000, %ecx; bt %ecx, (%rdi)", F_CF, 0)		\
	X(bts_reg, "mov $77, %ecx; lock bts %rcx, (%rdi)", F_CF, 0)	\
	X(btr_imm, "btrq $44, (%rdi)", F_CF, 0)				\
	X(btc_negative,					\
	  "add $64, %rdi; mov $-100, %rcx; btc %rcx, (%rdi); sub $64, %rdi", F_NONE, 0) \
	X(bsf, "bsf (%rdi), %rax", F_ZF, 0)				\
	X(bsr, "bsr (%rdi), %eax", F_ZF, 0)				\
	/* stack */							\
	X(push_m, "push (%rdi)", F_ALL, 0)				\
	X(push_m16, "pushw (%rdi)", F_ALL, 0)				\
	X(pop_m, "pop (%rdi)", F_ALL, 0)				\
	X(push_to_mmio,					\
	  "mov %rsp, %rbp; lea 0x100(%rdi), %rsp; push %rax; push $-7; mov %rbp, %rsp", F_ALL, 0) \
	X(pop_from_mmio,					\
	  "mov %rsp, %rbp; mov %rdi, %rsp; pop %rbx; pop %rcx; mov %rbp, %rsp", F_ALL, 0) \
	X(call_to_mmio_stack,					\
	  "mov %rsp, %rbp; lea 0x100(%rdi), %rsp; call 1f; 1: mov %rbp, %rsp", F_ALL, 0) \
	X(call_m, "call *(%rdi)", F_ALL, PTR)				\
	X(jmp_m, "jmp *(%rdi)", F_ALL, PTR)				\
	X(ret_m, "mov %rdi, %rsp; ret", F_ALL, PTR)			\
	/* strings */							\
	X(stosb, "rep stosb", F_ALL, 0)					\
	X(stosq, "mov $5, %ecx; rep stosq", F_ALL, 0)			\
	X(stosl_down, "add $0x40, %rdi; std; rep stosl; cld; sub $0x34, %rdi", F_ALL, 0) \
	X(stos_zero, "xor %ecx, %ecx; rep stosb", F_NONE, 0)		\
	X(stosb_1000, "mov $1000, %ecx; rep stosb", F_ALL, 0)		\
	X(movsb_to, "rep movsb", F_ALL, 0)				\
	X(movsl_from, "xchg %rsi, %rdi; rep movsl; xchg %rsi, %rdi", F_ALL, 0) \
	X(movsq_within, "mov %rdi, %rsi; add $0x80, %rdi; rep movsq; sub $0x80, %rdi", F_ALL, 0) \
	X(movsw_down, "add $0x20, %rdi; add $0x20, %rsi; std; rep movsw; cld", F_ALL, 0) \
	X(lodsb, "mov %rdi, %rsi; lodsb", F_ALL, 0)			\
	X(lodsq, "mov %rdi, %rsi; lodsq", F_ALL, 0)			\
	X(scasb, "mov 2(%rdi), %al; mov $20, %ecx; repne scasb", F_ALL, 0) \
	X(scasl, "scasl", F_ALL, 0)					\
	X(cmpsb, "mov $9, %ecx; repe cmpsb", F_ALL, 0)			\
	X(cmpsl_same, "mov %rdi, %rsi; repe cmpsl", F_ALL, 0)	\
	X(xlat, "mov %rdi, %rbx; mov $3, %al; xlat", F_ALL, 0)	\
	/* SSE moves */							\
	X(movdqu_load, "movdqu (%rdi), %xmm0", F_ALL, 0)		\
	X(movdqu_store, "movdqu %xmm1, 3(%rdi)", F_ALL, 0)		\
	X(movdqa_load, "movdqa (%rdi), %xmm3", F_ALL, 0)		\
	X(movaps_store, "movaps %xmm1, (%rdi)", F_ALL, 0)		\
	X(movups_load, "movups 1(%rdi), %xmm15", F_ALL, 0)		\
	X(movntdq, "movntdq %xmm1, (%rdi)", F_ALL, 0)			\
	X(movq_load, "movq (%rdi), %xmm0", F_ALL, NOTSTOCK)		\
	X(movd_store, "movd %xmm1, (%rdi)", F_ALL, NOTSTOCK)		\
	X(movss_load, "movss (%rdi), %xmm0", F_ALL, NOTSTOCK)		\
	X(movsd_store, "movsd %xmm1, (%rdi)", F_ALL, NOTSTOCK)		\
	/* across a page */						\
	X(edge_load64, "mov (%rdi), %rax", F_ALL, EDGE)			\
	X(edge_store64, "mov %r8, (%rdi)", F_ALL, EDGE)			\
	X(edge_add, "add %r8, (%rdi)", F_ALL, EDGE)			\
	X(edge_movdqu, "movdqu (%rdi), %xmm0", F_ALL, EDGE)		\
	X(edge_stosw, "mov $9, %ecx; inc %rdi; rep stosw; dec %rdi", F_ALL, EDGE) \
	X(edge_push, "push (%rdi)", F_ALL, EDGE)

#define X(name, text, flags, opts) ASM_GUEST(m_##name, text "\nhlt\n");
ROWS64
#undef X

ASM_GUEST(ptr_target, "hlt\n");

struct row {
	const char *name;
	u8 *code, *code_end;
	u32 flags;
	u32 opts;
};

static const struct row rows64[] = {
#define X(name, text, flags, opts) \
	{ #name, m_##name, m_##name##_end, flags, opts },
	ROWS64
#undef X
};

/* Everything that is compared after a run. */
struct outcome {
	struct kvm_regs regs;
	u8 xmm[16][16];
	u8 mem[MEM_SIZE];
	u8 other[WINDOW];
	u8 stack[WINDOW];
	u32 exit;
	u32 accesses;
};

FIXTURE(emul) {
	struct vm *vm;
	struct vcpu *vcpu;
	struct outcome *cpu, *dev;
};

FIXTURE_SETUP(emul)
{
	self->vcpu = vm_long(ptr_target);
	self->vm = self->vcpu->vm;
	self->cpu = calloc(1, sizeof(*self->cpu));
	self->dev = calloc(1, sizeof(*self->dev));
}

FIXTURE_TEARDOWN(emul)
{
	vm_free(self->vm);
	free(self->cpu);
	free(self->dev);
}

/* Run until something else than MMIO within the device, playing memory. */
static void play_device(struct vcpu *vcpu, u64 base, struct outcome *o)
{
	struct kvm_run *run = vcpu->run;

	while (vcpu_exit(vcpu) == KVM_EXIT_MMIO) {
		u64 off = run->mmio.phys_addr - base;

		if (run->mmio.len > 8 || !run->mmio.len ||
		    off + run->mmio.len > MEM_SIZE)
			die("MMIO at %#llx, %u bytes", run->mmio.phys_addr,
			    run->mmio.len);
		if ((off & 0xfff) + run->mmio.len > PAGE_SIZE)
			die("one MMIO exit for two pages");
		if (run->mmio.is_write)
			memcpy(o->mem + off, run->mmio.data, run->mmio.len);
		else
			memcpy(run->mmio.data, o->mem + off, run->mmio.len);
		o->accesses++;
	}
	o->exit = run->exit_reason;
}

static void fill(u8 *p, u32 n, u32 seed)
{
	for (u32 i = 0; i < n; i++)
		p[i] = (i + seed) * 37 + 11 + (i >> 8);
}

/* The registers each row starts from; RDI is `base`, or an edge of its page. */
static void prepare(struct vcpu *vcpu, const struct row *row, u64 base, u64 rip,
		    bool flags_on, struct outcome *o)
{
	struct kvm_regs r = {
		.rax = 0x1122334455667788, .rbx = 0x0102030405060708,
		.rcx = 3, .rdx = 0x99aabbcc, .rsi = OTHER, .rsp = STACK_AT,
		.rbp = 0x1234, .r8 = 0xf0e0d0c0b0a09080, .r9 = -1ULL,
		.r10 = 0x5555, .r11 = 1, .r12 = 2, .r13 = 3, .r14 = 4, .r15 = 5,
		.rip = rip, .rflags = flags_on ? 0x8d7 : 2,
	};
	u8 xsave[4096] = { 0x7f, 3, [24] = 0x80, 0x1f, [512] = 3 };

	r.rdi = base + (row->opts & EDGE ? PAGE_SIZE - 4 : 0);
	vcpu_set_regs(vcpu, &r);
	for (int i = 0; i < 16; i++)
		fill(xsave + 160 + 16 * i, 16, 100 + i);
	if (kioctlp(vcpu->fd, KVM_SET_XSAVE, xsave))
		die("KVM_SET_XSAVE");
	memset(o, 0, sizeof(*o));
	fill(o->mem, MEM_SIZE, 0);
	if (row->opts & PTR)
		memcpy(o->mem, &(u64){ (u64)ptr_target }, 8);
	fill(vm_ptr(vcpu->vm, OTHER), WINDOW, 7);
	fill(vm_ptr(vcpu->vm, STACK_AT - WINDOW / 2), WINDOW, 9);
}

static void collect(struct vcpu *vcpu, u64 base, struct outcome *o)
{
	struct kvm_fpu f;
	u64 *p;

	vcpu_regs(vcpu, &o->regs);
	/* Addresses into the operand become offsets, to compare. */
	p = (u64 *)&o->regs;
	for (int i = 0; i < 16; i++) {
		if (p[i] - base < MEM_SIZE)
			p[i] = p[i] - base + 0x7000000000000000;
	}
	if (kioctlp(vcpu->fd, KVM_GET_FPU, &f))
		die("KVM_GET_FPU");
	memcpy(o->xmm, f.xmm, sizeof(o->xmm));
	memcpy(o->other, vm_ptr(vcpu->vm, OTHER), WINDOW);
	memcpy(o->stack, vm_ptr(vcpu->vm, STACK_AT - WINDOW / 2), WINDOW);
}

/* Run a row in both places; `rip`, ram and mmio base are the mode's. */
static bool run_both(struct vcpu *vcpu, const struct row *row, u64 rip, u64 ram,
		     u64 mmio, bool flags_on, struct outcome *cpu,
		     struct outcome *dev, void (*locate)(struct vcpu *, u64))
{
	u64 where = locate ? 0 : ram;

	prepare(vcpu, row, where, rip, flags_on, cpu);
	memcpy(vm_ptr(vcpu->vm, ram), cpu->mem, MEM_SIZE);
	if (locate)
		locate(vcpu, ram);
	cpu->exit = vcpu_exit(vcpu);
	memcpy(cpu->mem, vm_ptr(vcpu->vm, ram), MEM_SIZE);
	collect(vcpu, where, cpu);

	where = locate ? 0 : mmio;
	prepare(vcpu, row, where, rip, flags_on, dev);
	if (locate)
		locate(vcpu, mmio);
	play_device(vcpu, mmio, dev);
	collect(vcpu, where, dev);
	return cpu->exit == KVM_EXIT_HLT;
}

static void compare(struct __test_metadata *_metadata, const struct row *row,
		    const struct outcome *cpu, const struct outcome *dev)
{
	const u64 *c = (u64 *)&cpu->regs, *d = (u64 *)&dev->regs;
	static const char * const names[] = {
		"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp", "r8",
		"r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
	};

	for (int i = 0; i < 17; i++) {
		EXPECT_EQ(c[i], d[i])
			TH_LOG("%s: %s is %#lx, on the CPU %#lx", row->name,
			       names[i], d[i], c[i]);
	}
	EXPECT_EQ(cpu->regs.rflags & row->flags, dev->regs.rflags & row->flags)
		TH_LOG("%s: flags %#llx, on the CPU %#llx", row->name,
		       dev->regs.rflags, cpu->regs.rflags);
	EXPECT_EQ(0, memcmp(cpu->xmm, dev->xmm, sizeof(cpu->xmm)))
		TH_LOG("%s: XMM differ", row->name);
	for (int i = 0; i < MEM_SIZE; i++) {
		if (cpu->mem[i] == dev->mem[i])
			continue;
		EXPECT_EQ(cpu->mem[i], dev->mem[i])
			TH_LOG("%s: memory at +%#x", row->name, i);
		break;
	}
	EXPECT_EQ(0, memcmp(cpu->other, dev->other, WINDOW))
		TH_LOG("%s: the other operand differs", row->name);
	EXPECT_EQ(0, memcmp(cpu->stack, dev->stack, WINDOW))
		TH_LOG("%s: the stack differs", row->name);
}

static void check_row(struct __test_metadata *_metadata, struct vcpu *vcpu,
		      const struct row *row, u64 rip, u64 mmio,
		      struct outcome *cpu, struct outcome *dev,
		      void (*locate)(struct vcpu *, u64))
{
	if (row->opts & NOTSTOCK && dev_is_stock())
		return;
	for (int on = 0; on < 2; on++) {
		ASSERT_TRUE(run_both(vcpu, row, rip, GPA_DATA, mmio, on, cpu, dev, locate))
			TH_LOG("%s: the CPU itself gave %s", row->name,
			       exit_name(cpu->exit));
		EXPECT_EQ(KVM_EXIT_HLT, dev->exit)
			TH_LOG("%s: %s", row->name, exit_name(dev->exit));
		if (dev->exit == KVM_EXIT_HLT)
			compare(_metadata, row, cpu, dev);
		else
			vcpu_dump(vcpu);
		if (dev->exit != KVM_EXIT_HLT)
			break;
	}
}

TEST_F(emul, instructions_64)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows64); i++) {
		vcpu_long(self->vcpu, ptr_target);
		check_row(_metadata, self->vcpu, &rows64[i], (u64)rows64[i].code,
			  GPA_MMIO, self->cpu, self->dev, NULL);
	}
}

/* --------------------------------------------------------------------- AVX */

ASM_GUEST(avx_on, "mov %cr4, %rax; bts $18, %rax; mov %rax, %cr4\n"
	  "xor %ecx, %ecx; xor %edx, %edx; mov $7, %eax; xsetbv; hlt\n");

#define ROWS_AVX							\
	X(vmovdqu_load, "vmovdqu (%rdi), %xmm2", F_ALL, 0)		\
	X(vmovdqu_store, "vmovdqu %xmm1, (%rdi)", F_ALL, 0)		\
	X(vmovups_load, "vmovups 5(%rdi), %xmm9", F_ALL, 0)		\
	X(vmovdqu_y, "vmovdqu (%rdi), %ymm2; vmovdqu %ymm2, 0x40(%rdi)", F_ALL, 0) \
	X(vmovntdq, "vmovntdq %ymm1, 0x20(%rdi)", F_ALL, 0)

#define X(name, text, flags, opts) ASM_GUEST(m_##name, text "\nhlt\n");
ROWS_AVX
#undef X

static const struct row rows_avx[] = {
#define X(name, text, flags, opts) \
	{ #name, m_##name, m_##name##_end, flags, opts },
	ROWS_AVX
#undef X
};

TEST_F(emul, avx_moves)
{
	if (!cpuid_has(1, 0, 'c', 28))
		SKIP(return, "no AVX in the guest's CPUID");
	if (dev_is_stock())
		SKIP(return, "the stock module does not emulate AVX");
	vcpu_long(self->vcpu, avx_on);
	vcpu_will_set_xcr0(self->vcpu, 7);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	for (size_t i = 0; i < ARRAY_SIZE(rows_avx); i++)
		check_row(_metadata, self->vcpu, &rows_avx[i], (u64)rows_avx[i].code,
			  GPA_MMIO, self->cpu, self->dev, NULL);
}

/* ------------------------------------------------------------------ 32 bits */

#define ROWS32								\
	X(mov_store, "mov %eax, (%edi)", F_ALL, 0)			\
	X(mov_load8, "mov (%edi), %dh", F_ALL, 0)			\
	X(mov_load16, "mov 2(%edi), %bx", F_ALL, 0)			\
	X(mov_sib, "mov %eax, 4(%edi, %ecx, 4)", F_ALL, 0)		\
	X(mov_a16, "mov %edi, %ebx; mov (%ebx), %cl", F_ALL, 0)	\
	X(inc, "incw (%edi)", F_ALL, 0)					\
	X(adc, "adc %eax, (%edi)", F_ALL, 0)				\
	X(xchg, "xchg %ebx, (%edi)", F_ALL, 0)				\
	X(stosl, "rep stosl", F_ALL, 0)					\
	X(movsw, "rep movsw", F_ALL, 0)					\
	X(scasb, "mov $30, %ecx; repne scasb", F_ALL, 0)		\
	X(push, "pushl (%edi)", F_ALL, 0)				\
	X(pushw, "pushw (%edi)", F_ALL, 0)				\
	X(pop, "popl 4(%edi)", F_ALL, 0)				\
	X(cmpxchg8b, "lock cmpxchg8b (%edi)", F_ALL, 0)			\
	X(movdqu, "movdqu (%edi), %xmm1", F_ALL, 0)			\
	X(shld, "shld $3, %eax, (%edi)", 0xc5, 0)			\
	X(bts, "mov $99, %ecx; bts %ecx, (%edi)", F_CF, 0)

#define X(name, text, flags, opts) ASM_GUEST_BITS(p_##name, 32, text "\nhlt\n");
ROWS32
#undef X

static const struct row rows32[] = {
#define X(name, text, flags, opts) \
	{ #name, p_##name, p_##name##_end, flags, opts },
	ROWS32
#undef X
};

TEST_F(emul, instructions_32)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows32); i++) {
		vm_load(self->vm, GPA_CODE, rows32[i].code, rows32[i].code_end);
		vcpu_prot32(self->vcpu, GPA_CODE);
		check_row(_metadata, self->vcpu, &rows32[i], GPA_CODE, GPA_MMIO,
			  self->cpu, self->dev, NULL);
	}
}

/* ------------------------------------------------------------------ 16 bits */

/* DS and ES point to the operand; addresses are offsets from 0. */
#define ROWS16								\
	X(mov_store, "mov %ax, (%di)", F_ALL, 0)			\
	X(mov_load, "mov 4(%di), %bx", F_ALL, 0)			\
	X(mov_bx_si, "xor %bx, %bx; mov $6, %si; mov 2(%bx, %si), %dl", F_ALL, 0) \
	X(mov_bp_ss, "mov $8, %bp; mov %ds:(%bp), %ax", F_ALL, 0)	\
	X(mov_disp16, "mov %al, 0x123", F_ALL, 0)			\
	X(mov_a32, "mov %eax, 4(%edi)", F_ALL, 0)			\
	X(add, "add %cx, (%di)", F_ALL, 0)				\
	X(inc, "incb (%di)", F_ALL, 0)					\
	X(stosb, "rep stosb", F_ALL, 0)					\
	X(stosl, "rep stosl", F_ALL, 0)					\
	X(lodsw, "xor %si, %si; lodsw", F_ALL, 0)			\
	X(movsb, "xor %si, %si; mov $0x40, %di; rep movsb", F_ALL, 0)	\
	X(movzx, "movzbl (%di), %eax", F_ALL, 0)			\
	X(push, "pushw (%di)", F_ALL, 0)				\
	X(xchg, "xchg %al, (%di)", F_ALL, 0)				\
	X(aaa_test, "testw $0x8000, (%di)", F_NOAF, 0)

#define X(name, text, flags, opts) ASM_GUEST_BITS(r_##name, 16, text "\nhlt\n");
ROWS16
#undef X

static const struct row rows16[] = {
#define X(name, text, flags, opts) \
	{ #name, r_##name, r_##name##_end, flags, opts },
	ROWS16
#undef X
};

static void locate16(struct vcpu *vcpu, u64 base)
{
	struct kvm_sregs s;

	vcpu_sregs(vcpu, &s);
	s.ds.base = base;
	s.es.base = base;
	if (vcpu_set_sregs(vcpu, &s))
		die("real mode segments");
}

TEST_F(emul, instructions_16)
{
	struct kvm_sregs s;

	for (size_t i = 0; i < ARRAY_SIZE(rows16); i++) {
		vm_load(self->vm, GPA_CODE, rows16[i].code, rows16[i].code_end);
		vcpu_real(self->vcpu, GPA_CODE >> 4, 0);
		vcpu_sregs(self->vcpu, &s);
		s.ss.base = STACK_AT & ~0xffffUL;
		ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
		check_row(_metadata, self->vcpu, &rows16[i], 0, GPA_MMIO,
			  self->cpu, self->dev, locate16);
	}
}

/* --------------------------------------------------- RAM next to a device */

#define HI 0x40000000UL

ASM_GUEST(half_load, "mov (%rdi), %rax; hlt\n");
ASM_GUEST(half_store, "mov %rax, (%rdi); hlt\n");

/* The first four bytes in RAM, the last four in a device, and the other way. */
TEST_F(emul, half_ram_half_mmio)
{
	u8 *page = vm_add(self->vm, 10, 0, HI, PAGE_SIZE);
	struct kvm_regs r = { .rflags = 2, .rsp = STACK_AT };
	struct kvm_run *run = self->vcpu->run;

	memset(page, 0x11, PAGE_SIZE);
	for (int before = 0; before < 2; before++) {
		u64 at = before ? HI - 4 : HI + PAGE_SIZE - 4;
		u64 dev = before ? HI - 4 : HI + PAGE_SIZE;
		u8 *ram = before ? page : page + PAGE_SIZE - 4;

		r.rip = (u64)half_load;
		r.rdi = at;
		vcpu_set_regs(self->vcpu, &r);
		EXPECT_EXIT(self->vcpu, KVM_EXIT_MMIO);
		EXPECT_EQ(dev, run->mmio.phys_addr);
		EXPECT_EQ(4, run->mmio.len);
		EXPECT_EQ(0, run->mmio.is_write);
		memset(run->mmio.data, 0x22, 8);
		EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
		vcpu_regs(self->vcpu, &r);
		EXPECT_EQ(before ? 0x1111111122222222 : 0x2222222211111111, r.rax);
		r.rip = (u64)half_store;
		r.rax = before ? 0x5555555566666666 : 0x6666666655555555;
		vcpu_set_regs(self->vcpu, &r);
		EXPECT_EXIT(self->vcpu, KVM_EXIT_MMIO);
		EXPECT_EQ(dev, run->mmio.phys_addr);
		EXPECT_EQ(1, run->mmio.is_write);
		EXPECT_EQ(0, memcmp(run->mmio.data, "ffff", 4));
		EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
		EXPECT_EQ(0, memcmp(ram, "UUUU", 4));
		memset(page, 0x11, PAGE_SIZE);
	}
}

/* --------------------------------------------------- faults while emulating */

#define BAD "mov $0x700000000000, %rbx\n"

#define ROWS_FAULT							\
	X(movs_to_unmapped, BAD "mov %rdi, %rsi; mov %rbx, %rdi; movsb", 14, 2) \
	X(movs_from_unmapped, BAD "mov %rbx, %rsi; movsb", 14, 0)	\
	X(push_to_unmapped, BAD "mov %rbx, %rsp; .globl f_push_at\nf_push_at: push (%rdi)", 8, 0) \
	X(movaps_misaligned, "movaps 1(%rdi), %xmm0", 13, 0)		\
	X(movdqa_misaligned, "movdqa %xmm0, 8(%rdi)", 13, 0)		\
	X(div_by_zero, "movl $0, (%rdi); xor %edx, %edx; divl (%rdi)", 0, 0) \
	X(div_overflow, "movb $1, (%rdi); mov $0x1000, %ax; divb (%rdi)", 0, 0)

#define X(name, text, vec, err) ASM_GUEST(f_##name, text "\nhlt\n");
ROWS_FAULT
#undef X

static const struct {
	const char *name;
	u8 *code;
	u64 vector, error;
} rows_fault[] = {
#define X(name, text, vec, err) { #name, f_##name, vec, err },
	ROWS_FAULT
#undef X
};

TEST_F(emul, faults)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows_fault); i++) {
		u64 base[2] = { GPA_DATA, GPA_MMIO };
		struct kvm_regs r[2];
		struct guest_exc exc[2];

		/* A push that faults with a bad stack is a double, then triple fault. */
		if (rows_fault[i].vector == 8)
			continue;
		for (int k = 0; k < 2; k++) {
			struct row row = { .name = rows_fault[i].name };

			vcpu_long(self->vcpu, rows_fault[i].code);
			self->vcpu->exc->action = EXC_UCALL;
			prepare(self->vcpu, &row, base[k], (u64)rows_fault[i].code,
				false, self->dev);
			memcpy(vm_ptr(self->vm, GPA_DATA), self->dev->mem, MEM_SIZE);
			play_device(self->vcpu, base[k], self->dev);
			ASSERT_EQ(KVM_EXIT_IO, self->dev->exit)
				TH_LOG("%s: %s", row.name, exit_name(self->dev->exit));
			exc[k] = *self->vcpu->exc;
			vcpu_regs(self->vcpu, &r[k]);
		}
		EXPECT_EQ(rows_fault[i].vector, exc[0].vector)
			TH_LOG("%s: on the CPU", rows_fault[i].name);
		EXPECT_EQ(exc[0].vector, exc[1].vector)
			TH_LOG("%s: vector", rows_fault[i].name);
		EXPECT_EQ(exc[0].error, exc[1].error)
			TH_LOG("%s: error code", rows_fault[i].name);
		EXPECT_EQ(exc[0].rip, exc[1].rip)
			TH_LOG("%s: rip", rows_fault[i].name);
		if (exc[0].vector == 14)
			EXPECT_EQ(exc[0].cr2, exc[1].cr2);
		EXPECT_EQ(r[0].rcx, r[1].rcx);
		EXPECT_EQ(r[0].rbx, r[1].rbx);
	}
}

ASM_GUEST(f_jmp, "mov $1, %eax; shl $50, %rax; mov %rax, (%rdi)\n"
	  ".globl f_jmp_at\nf_jmp_at: jmp *(%rdi); hlt\n");
extern u8 f_jmp_at[];

/* The jump itself faults, not the fetch behind it. */
TEST_F(emul, jmp_noncanonical)
{
	u64 base[2] = { GPA_DATA, GPA_MMIO };

	/* QEMU TCG: on the CPU it is the fetch, so there only the emulator is asked. */
	for (int k = host_is_tcg(); k < 2; k++) {
		struct row row = { .name = "jmp" };

		vcpu_long(self->vcpu, f_jmp);
		self->vcpu->exc->action = EXC_UCALL;
		prepare(self->vcpu, &row, base[k], (u64)f_jmp, false, self->dev);
		memcpy(vm_ptr(self->vm, GPA_DATA), self->dev->mem, MEM_SIZE);
		play_device(self->vcpu, base[k], self->dev);
		ASSERT_EQ(KVM_EXIT_IO, self->dev->exit);
		EXPECT_EQ(13, self->vcpu->exc->vector);
		EXPECT_EQ(0, self->vcpu->exc->error);
		EXPECT_EQ((u64)f_jmp_at, self->vcpu->exc->rip)
			TH_LOG("%s", k ? "MMIO" : "RAM");
	}
}

/* A faulting push leads to a double fault and a triple fault, in both places. */
TEST_F(emul, push_with_a_bad_stack)
{
	u64 base[2] = { GPA_DATA, GPA_MMIO };

	for (int k = 0; k < 2; k++) {
		struct row row = { .name = "push" };

		vcpu_long(self->vcpu, f_push_to_unmapped);
		prepare(self->vcpu, &row, base[k], (u64)f_push_to_unmapped, false,
			self->dev);
		play_device(self->vcpu, base[k], self->dev);
		EXPECT_EQ(KVM_EXIT_SHUTDOWN, self->dev->exit)
			TH_LOG("%s: %s", k ? "MMIO" : "RAM", exit_name(self->dev->exit));
	}
}

/* ------------------------------------------------------------ single step */

ASM_GUEST(tf_load, "pushf; orw $0x100, (%rsp); popf\n"
	  "mov (%rdi), %ebx\n.globl tf_load_1\ntf_load_1: nop; hlt\n");
ASM_GUEST(tf_store, "pushf; orw $0x100, (%rsp); popf\n"
	  "mov %ebx, (%rdi)\n.globl tf_store_1\ntf_store_1: nop; hlt\n");
extern u8 tf_load_1[], tf_store_1[];

/* TF traps behind an emulated instruction as behind any other. */
static void check_tf(struct __test_metadata *_metadata, struct vcpu *vcpu,
		     struct outcome *o, u8 *code, u8 *behind)
{
	struct row row = { .name = "TF" };
	struct ucall uc;

	vcpu_long(vcpu, code);
	vcpu->exc->action = EXC_UCALL;
	prepare(vcpu, &row, GPA_MMIO, (u64)code, false, o);
	/* The POPF itself does not trap; what follows does, behind itself. */
	play_device(vcpu, GPA_MMIO, o);
	ASSERT_EQ(KVM_EXIT_IO, o->exit);
	EXPECT_EQ(1, o->accesses);
	EXPECT_EQ(1, vcpu->exc->vector);
	EXPECT_EQ((u64)behind, vcpu->exc->rip);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_IRQ, uc.cmd);
	EXPECT_EQ((u64)behind + 1, uc.b);
}

TEST_F(emul, trap_flag_load)
{
	check_tf(_metadata, self->vcpu, self->dev, tf_load, tf_load_1);
}

TEST_F(emul, trap_flag_store)
{
	if (dev_is_stock())
		SKIP(return, "the stock module loses the trap behind an MMIO store");
	check_tf(_metadata, self->vcpu, self->dev, tf_store, tf_store_1);
}

TEST_HARNESS_MAIN
