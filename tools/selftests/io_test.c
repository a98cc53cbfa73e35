// SPDX-License-Identifier: GPL-2.0
/*
 * io_test - how an instruction that touches a device gets to userspace and back
 *
 * exits_test looks at single accesses; this one at what lies between the exits
 * of one instruction.  Guards: how wide and page-crossing accesses are cut; that
 * an instruction happens once, however many exits it takes and whatever
 * userspace does meanwhile (moves RIP, writes back registers, scribbles over
 * kvm_run, asks to stop); that a REP instruction lets interrupts in; that a
 * step or a trap comes after a posted write, not instead of it.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

#define PAGE_RAM	0xe0000000UL	/* one page of memory, MMIO behind it */
#define PAGE_ROM	0xe0100000UL
#define ANSWER		0xa1b2c3d4e5f60718ULL

struct access {
	u64 addr;
	u32 len;
	bool write;
};

/* Run @vcpu to its UCALL_DONE and compare what it accessed on the way. */
static void expect_accesses(struct __test_metadata *_metadata, struct vcpu *vcpu,
			    struct mmio_log *log, const struct access *want, int n)
{
	struct ucall uc = vcpu_mmio(vcpu, log);

	if (uc.cmd != UCALL_DONE)
		vcpu_dump(vcpu);
	ASSERT_EQ(UCALL_DONE, uc.cmd);
	ASSERT_EQ(n, log->n);
	for (int i = 0; i < n; i++) {
		EXPECT_EQ(want[i].addr, log->e[i].addr)
			TH_LOG("access %d", i);
		EXPECT_EQ(want[i].len, log->e[i].len)
			TH_LOG("access %d", i);
		EXPECT_EQ(want[i].write, log->e[i].write)
			TH_LOG("access %d", i);
	}
}

#define EXPECT_ACCESSES(vcpu, log, ...) do {				\
	static const struct access __want[] = { __VA_ARGS__ };		\
	expect_accesses(_metadata, vcpu, log, __want, ARRAY_SIZE(__want)); \
} while (0)

/* ------------------------------------------------------------- how it is cut */

ASM_GUEST(wide, "mov $0xd0000000, %edi; movups (%rdi), %xmm1\n"
	  "movups %xmm1, 0x100(%rdi)\n" ASM_DONE);

TEST(sixteen_bytes_are_two_accesses)
{
	struct mmio_log log = { .pattern = ANSWER };
	struct vcpu *vcpu = vm_long(wide);

	EXPECT_ACCESSES(vcpu, &log, { 0xd0000000, 8, 0 }, { 0xd0000008, 8, 0 },
			{ 0xd0000100, 8, 1 }, { 0xd0000108, 8, 1 });
	EXPECT_EQ(ANSWER, log.e[2].data);
	EXPECT_EQ(ANSWER, log.e[3].data);
	vm_free(vcpu->vm);
}

ASM_GUEST(wide_cross, "mov $0xd0000ff5, %edi; movups (%rdi), %xmm1\n"
	  "movups %xmm1, (%rdi)\n" ASM_DONE);

TEST(page_crossing_is_cut_at_the_page)
{
	struct mmio_log log = { .pattern = ANSWER };
	struct vcpu *vcpu = vm_long(wide_cross);

	EXPECT_ACCESSES(vcpu, &log, { 0xd0000ff5, 8, 0 }, { 0xd0000ffd, 3, 0 },
			{ 0xd0001000, 5, 0 }, { 0xd0000ff5, 8, 1 },
			{ 0xd0000ffd, 3, 1 }, { 0xd0001000, 5, 1 });
	/* Each fragment was answered with the first bytes of the pattern. */
	EXPECT_EQ(ANSWER, log.e[3].data);
	EXPECT_EQ(0xf60718, log.e[4].data);
	EXPECT_EQ(0xd4e5f60718, log.e[5].data);
	vm_free(vcpu->vm);
}

ASM_GUEST(unaligned, "mov $0xd0000003, %edi; mov (%rdi), %rax; mov %rax, 2(%rdi)\n"
	  ASM_DONE);

TEST(unaligned_in_a_page_is_one_access)
{
	struct mmio_log log = { .pattern = ANSWER };
	struct vcpu *vcpu = vm_long(unaligned);

	EXPECT_ACCESSES(vcpu, &log, { 0xd0000003, 8, 0 }, { 0xd0000005, 8, 1 });
	vm_free(vcpu->vm);
}

ASM_GUEST(straddle, "mov $0xe0000ffc, %edi; mov (%rdi), %rsi\n"
	  "mov $0x1122334455667788, %rax; mov %rax, (%rdi); mov %rsi, %rdi\n" ASM_DONE);

TEST(half_memory_half_device)
{
	struct mmio_log log = { .pattern = ANSWER };
	struct vcpu *vcpu = vm_long(straddle);
	u8 *ram = vm_add(vcpu->vm, 5, 0, PAGE_RAM, PAGE_SIZE);
	struct kvm_regs r;

	memcpy(ram + 0xffc, &(u32){ 0xcafebabe }, 4);
	EXPECT_ACCESSES(vcpu, &log, { 0xe0001000, 4, 0 }, { 0xe0001000, 4, 1 });
	vcpu_regs(vcpu, &r);
	EXPECT_EQ(0xe5f60718cafebabe, r.rsi);
	EXPECT_EQ(0x55667788, *(u32 *)(ram + 0xffc));
	EXPECT_EQ(0x11223344, log.e[1].data);
	vm_free(vcpu->vm);
}

ASM_GUEST(ymm, "mov %cr4, %rax; or $0x40000, %eax; mov %rax, %cr4\n"
	  "xor %ecx, %ecx; xgetbv; or $7, %eax; xsetbv\n"
	  "mov $0xd0000000, %edi; vmovdqu (%rdi), %ymm2; vmovdqu %ymm2, 0x100(%rdi)\n"
	  "vmovdqu (%rdi), %xmm2; vmovdqu %ymm2, 0x100(%rdi)\n" ASM_DONE);

TEST(thirty_two_bytes)
{
	struct mmio_log log = { .pattern = ANSWER };
	struct vcpu *vcpu;

	if (!cpuid_has(1, 0, 'c', 28))
		SKIP(return, "no AVX here");
	if (dev_is_stock())
		SKIP(return, "the stock module does not emulate VMOVDQU");
	vcpu = vm_long(ymm);
	vcpu_will_set_xcr0(vcpu, 7);
	EXPECT_ACCESSES(vcpu, &log,
			{ 0xd0000000, 8, 0 }, { 0xd0000008, 8, 0 },
			{ 0xd0000010, 8, 0 }, { 0xd0000018, 8, 0 },
			{ 0xd0000100, 8, 1 }, { 0xd0000108, 8, 1 },
			{ 0xd0000110, 8, 1 }, { 0xd0000118, 8, 1 },
			{ 0xd0000000, 8, 0 }, { 0xd0000008, 8, 0 },
			{ 0xd0000100, 8, 1 }, { 0xd0000108, 8, 1 },
			{ 0xd0000110, 8, 1 }, { 0xd0000118, 8, 1 });
	EXPECT_EQ(ANSWER, log.e[7].data);
	EXPECT_EQ(ANSWER, log.e[11].data);
	EXPECT_EQ(0, log.e[12].data);		/* VEX.128 clears the upper half */
	EXPECT_EQ(0, log.e[13].data);
	vm_free(vcpu->vm);
}

/* ------------------------------------------------- read and write, and strings */

ASM_GUEST(rmw, "mov $0xd0000000, %edi; mov $0x10, %eax; add %eax, (%rdi)\n"
	  "lock xadd %ax, 8(%rdi); mov %rax, %rbx; xchg %rbx, 16(%rdi)\n"
	  "mov $0xe5f60718, %eax; mov $7, %ecx; lock cmpxchg %ecx, 24(%rdi)\n"
	  "setz %cl; movzx %cl, %esi; mov %rbx, %rdi\n" ASM_DONE);

TEST(read_modify_write)
{
	struct mmio_log log = { .pattern = ANSWER };
	struct vcpu *vcpu = vm_long(rmw);
	struct kvm_regs r;

	EXPECT_ACCESSES(vcpu, &log, { 0xd0000000, 4, 0 }, { 0xd0000000, 4, 1 },
			{ 0xd0000008, 2, 0 }, { 0xd0000008, 2, 1 },
			{ 0xd0000010, 8, 0 }, { 0xd0000010, 8, 1 },
			{ 0xd0000018, 4, 0 }, { 0xd0000018, 4, 1 });
	EXPECT_EQ(0xe5f60728, log.e[1].data);
	EXPECT_EQ(0x0728, log.e[3].data);
	EXPECT_EQ(0x0718, log.e[5].data);	/* what XADD left in RAX */
	EXPECT_EQ(7, log.e[7].data);
	vcpu_regs(vcpu, &r);
	EXPECT_EQ(ANSWER, r.rdi);
	EXPECT_EQ(1, r.rsi);
	vm_free(vcpu->vm);
}

ASM_GUEST(rom, "mov $0xe0100010, %edi; mov (%rdi), %ebx; addl $1, (%rdi)\n"
	  "lock incl (%rdi); movl $9, (%rdi); mov (%rdi), %esi; mov %rbx, %rdi\n" ASM_DONE);

TEST(only_writes_to_rom_are_device_accesses)
{
	struct mmio_log log = { .pattern = ANSWER };
	struct vcpu *vcpu = vm_long(rom);
	u8 *mem = vm_add(vcpu->vm, 5, KVM_MEM_READONLY, PAGE_ROM, PAGE_SIZE);
	struct kvm_regs r;

	memcpy(mem + 0x10, &(u32){ 41 }, 4);
	EXPECT_ACCESSES(vcpu, &log, { 0xe0100010, 4, 1 }, { 0xe0100010, 4, 1 },
			{ 0xe0100010, 4, 1 });
	EXPECT_EQ(42, log.e[0].data);
	EXPECT_EQ(42, log.e[1].data);
	EXPECT_EQ(9, log.e[2].data);
	EXPECT_EQ(41, *(u32 *)(mem + 0x10));
	vcpu_regs(vcpu, &r);
	EXPECT_EQ(41, r.rdi);
	EXPECT_EQ(41, r.rsi);
	vm_free(vcpu->vm);
}

ASM_GUEST(cmps, "mov $0xd0000000, %esi; mov $0xd0000200, %edi; mov $3, %ecx; cld\n"
	  "repe cmpsw; mov %rcx, %rsi\n" ASM_DONE);

TEST(two_reads_in_order)
{
	struct mmio_log log = { .pattern = ANSWER };
	struct vcpu *vcpu = vm_long(cmps);

	EXPECT_ACCESSES(vcpu, &log, { 0xd0000000, 2, 0 }, { 0xd0000200, 2, 0 },
			{ 0xd0000002, 2, 0 }, { 0xd0000202, 2, 0 },
			{ 0xd0000004, 2, 0 }, { 0xd0000204, 2, 0 });
	vm_free(vcpu->vm);
}

ASM_GUEST(copy, "mov $0xd0000000, %esi; mov $0x100000, %edi; mov $5, %ecx; cld\n"
	  "rep movsb; mov $0x100000, %esi; mov $0xd0000100, %edi; mov $5, %ecx\n"
	  "rep movsb; mov $0xd0000200, %edi; mov $2, %ecx; mov $-1, %eax; rep stosl\n"
	  "mov %rcx, %rsi\n" ASM_DONE);

/* From a device, to a device: one access an item, each item once. */
TEST(rep_strings)
{
	struct vcpu *vcpu = vm_long(copy);
	struct kvm_run *run = vcpu->run;
	struct kvm_regs r;

	for (int i = 0; i < 5; i++) {
		EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
		ASSERT_EQ(0, run->mmio.is_write);
		ASSERT_EQ(0xd0000000 + i, run->mmio.phys_addr);
		run->mmio.data[0] = 'a' + i;
	}
	for (int i = 0; i < 5; i++) {
		EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
		ASSERT_EQ(1, run->mmio.is_write);
		ASSERT_EQ(0xd0000100 + i, run->mmio.phys_addr);
		ASSERT_EQ(1, run->mmio.len);
		EXPECT_EQ('a' + i, run->mmio.data[0]);
	}
	for (int i = 0; i < 2; i++) {
		EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
		ASSERT_EQ(0xd0000200 + 4 * i, run->mmio.phys_addr);
	}
	EXPECT_UCALL(vcpu, UCALL_DONE);
	vcpu_regs(vcpu, &r);
	EXPECT_EQ(0, r.rcx);
	EXPECT_EQ(0xd0000208, r.rdi);
	EXPECT_EQ(0, memcmp(vm_ptr(vcpu->vm, 0x100000), "abcde", 5));
	vm_free(vcpu->vm);
}

/* -------------------------------------------------- what userspace may do meanwhile */

ASM_GUEST(load, "mov $0xd0000000, %edi; mov $-1, %rax; xor %esi, %esi\n"
	  "mov (%rdi), %eax; .globl load_next\nload_next: inc %esi\n"
	  "mov %rax, %rdi\n" ASM_DONE);
extern u8 load_next[];

TEST(read_completed_by_immediate_exit)
{
	struct vcpu *vcpu = vm_long(load);
	struct kvm_run *run = vcpu->run;
	struct kvm_regs r;

	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	memcpy(run->mmio.data, &(u64){ ANSWER }, 8);
	run->immediate_exit = 1;
	EXPECT_EQ(-EINTR, vcpu_run(vcpu));
	vcpu_regs(vcpu, &r);
	EXPECT_EQ((u64)load_next, r.rip);
	EXPECT_EQ(0xe5f60718, r.rax);
	EXPECT_EQ(-EINTR, vcpu_run(vcpu));
	run->immediate_exit = 0;
	EXPECT_UCALL(vcpu, UCALL_DONE);
	vcpu_regs(vcpu, &r);
	EXPECT_EQ(0xe5f60718, r.rdi);
	EXPECT_EQ(1, r.rsi);
	vm_free(vcpu->vm);
}

/* Several exits: each RUN finishes one, and only the last one ends in EINTR. */
TEST(fragments_completed_by_immediate_exit)
{
	struct vcpu *vcpu = vm_long(wide_cross);
	struct kvm_run *run = vcpu->run;

	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	run->immediate_exit = 1;
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EQ(0xd0001000, run->mmio.phys_addr);
	EXPECT_EQ(-EINTR, vcpu_run(vcpu));
	EXPECT_EQ(-EINTR, vcpu_run(vcpu));
	run->immediate_exit = 0;
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EQ(1, run->mmio.is_write);
	vm_free(vcpu->vm);
}

TEST(registers_written_back_meanwhile)
{
	struct vcpu *vcpu = vm_long(load);
	struct kvm_run *run = vcpu->run;
	struct kvm_sregs s;
	struct kvm_regs r;
	struct ucall uc;

	if (dev_is_stock())
		SKIP(return, "the stock module loses the value that was read");
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	vcpu_regs(vcpu, &r);
	vcpu_sregs(vcpu, &s);
	vcpu_set_regs(vcpu, &r);
	ASSERT_EQ(0, vcpu_set_sregs(vcpu, &s));
	memcpy(run->mmio.data, &(u64){ ANSWER }, 8);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd);
	EXPECT_EQ(0xe5f60718, uc.a);
	EXPECT_EQ(1, uc.b);
	vm_free(vcpu->vm);
}

ASM_GUEST(elsewhere, "mov $77, %esi; mov %rax, %rdi\n" ASM_DONE);

/* A reset from a device's handler: the access is forgotten. */
TEST(rip_moved_during_mmio)
{
	struct vcpu *vcpu = vm_long(load);
	struct kvm_regs r;
	struct ucall uc;

	if (dev_is_stock())
		SKIP(return, "the stock module completes the old instruction");
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	vcpu_regs(vcpu, &r);
	r.rip = (u64)elsewhere;
	r.rax = 0x55;
	vcpu_set_regs(vcpu, &r);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd);
	EXPECT_EQ(77, uc.b);
	EXPECT_EQ(0x55, uc.a);
	vm_free(vcpu->vm);
}

ASM_GUEST(in_out, "mov $0x80, %edx; in %dx, %al; out %al, %dx\n" ASM_DONE);

TEST(rip_moved_during_port_access)
{
	static const int after_exits[] = { 1, 2 };
	struct vcpu *vcpu;
	struct kvm_regs r;
	struct ucall uc;

	for (int i = 0; i < 2; i++) {
		vcpu = vm_long(in_out);
		for (int j = 0; j < after_exits[i]; j++)
			EXPECT_EXIT(vcpu, KVM_EXIT_IO);
		vcpu_regs(vcpu, &r);
		r.rip = (u64)elsewhere;
		r.rax = 0x1234567;
		vcpu_set_regs(vcpu, &r);
		uc = vcpu_ucall(vcpu);
		EXPECT_EQ(UCALL_DONE, uc.cmd);
		EXPECT_EQ(0x1234567, uc.a);
		EXPECT_EQ(77, uc.b);
		vm_free(vcpu->vm);
	}
}

/* The kernel keeps what it asked for to itself. */
TEST(scribbled_kvm_run)
{
	struct vcpu *vcpu = vm_long(load);
	struct kvm_run *run = vcpu->run;
	struct kvm_run was = *run;
	struct kvm_regs r;

	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	memset(&run->exit_reason, 0xff, sizeof(*run) - offsetof(struct kvm_run, exit_reason));
	memcpy(run->mmio.data, &(u64){ ANSWER }, 8);
	/* These are userspace's to set, and checked. */
	run->cr8 = was.cr8;
	run->apic_base = was.apic_base;
	run->kvm_dirty_regs = 0;
	run->kvm_valid_regs = 0;
	EXPECT_UCALL(vcpu, UCALL_DONE);
	vcpu_regs(vcpu, &r);
	EXPECT_EQ(0xe5f60718, r.rdi);
	EXPECT_EQ(1, r.rsi);
	vm_free(vcpu->vm);

	vcpu = vm_long(in_out);
	run = vcpu->run;
	EXPECT_EXIT(vcpu, KVM_EXIT_IO);
	*((u8 *)run + run->io.data_offset) = 0x42;
	run->io.count = 0xffffffff;
	run->io.size = 0xff;
	run->io.data_offset = 0x7fffffffffff;
	EXPECT_EXIT(vcpu, KVM_EXIT_IO);
	EXPECT_EQ(KVM_EXIT_IO_OUT, run->io.direction);
	EXPECT_EQ(0x42, *((u8 *)run + run->io.data_offset));
	vm_free(vcpu->vm);
}

/* The memory that an answer is for is gone, and another device is there. */
TEST(address_changed_meanwhile)
{
	struct vcpu *vcpu = vm_long(load);
	struct kvm_run *run = vcpu->run;
	struct kvm_regs r;
	struct ucall uc;

	if (dev_is_stock())
		SKIP(return, "the stock module keeps the first answer");
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	run->mmio.data[0] = 0x11;
	vcpu_regs(vcpu, &r);
	r.rdi = 0xd0000800;
	vcpu_set_regs(vcpu, &r);
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EQ(0xd0000800, run->mmio.phys_addr);
	memcpy(run->mmio.data, &(u64){ 0x22222222 }, 8);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd);
	EXPECT_EQ(0x22222222, uc.a);
	EXPECT_EQ(1, uc.b);
	vm_free(vcpu->vm);
}

/* Userspace gives the guest other page tables: the old translation is not kept. */
TEST(page_tables_changed_meanwhile)
{
	const u64 tables = GPA_DATA + 0x10000, slot = (0xd0000000 >> 21) & 511;
	struct vcpu *vcpu = vm_long(load);
	struct kvm_run *run = vcpu->run;
	u64 *pml4 = vm_ptr(vcpu->vm, tables), *pdpt = pml4 + 512, *pd = pdpt + 512;
	struct kvm_sregs s;
	struct ucall uc;

	if (dev_is_stock())
		SKIP(return, "the stock module keeps the first answer");
	memcpy(pml4, vm_ptr(vcpu->vm, GPA_PML4), PAGE_SIZE);
	memcpy(pdpt, vm_ptr(vcpu->vm, GPA_PDPT), PAGE_SIZE);
	memcpy(pd, vm_ptr(vcpu->vm, GPA_PD + 3 * PAGE_SIZE), PAGE_SIZE);
	pml4[0] += tables + PAGE_SIZE - GPA_PDPT;
	pdpt[3] += tables + 2 * PAGE_SIZE - (GPA_PD + 3 * PAGE_SIZE);
	pd[slot] += 0x800000;

	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EQ(0xd0000000, run->mmio.phys_addr);
	vcpu_sregs(vcpu, &s);
	s.cr3 = tables;
	ASSERT_EQ(0, vcpu_set_sregs(vcpu, &s));
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EQ(0xd0800000, run->mmio.phys_addr);
	memcpy(run->mmio.data, &(u64){ 0x33333333 }, 8);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd);
	EXPECT_EQ(0x33333333, uc.a);
	vm_free(vcpu->vm);
}

/* ------------------------------------------------------------------- port 7E */

ASM_GUEST(out_7e, "mov $0x5a, %al; .globl out_7e_at, out_7e_next\nout_7e_at: out %al, $0x7e\n"
	  "out_7e_next: xor %esi, %esi\n" ASM_DONE);
extern u8 out_7e_at[], out_7e_next[];

TEST(out_7e_quirk)
{
	struct vcpu *vcpu = vm_long(out_7e);
	struct kvm_regs r;

	EXPECT_EXIT(vcpu, KVM_EXIT_IO);
	vcpu_regs(vcpu, &r);
	EXPECT_EQ((u64)out_7e_next, r.rip);
	EXPECT_UCALL(vcpu, UCALL_DONE);
	vm_free(vcpu->vm);
}

TEST(out_7e_quirk_disabled)
{
	struct vcpu *vcpu = vm_long(out_7e);
	struct kvm_regs r;

	if (!(vm_cap(vcpu->vm, KVM_CAP_DISABLE_QUIRKS2) & KVM_X86_QUIRK_OUT_7E_INC_RIP))
		SKIP(return, "the quirk cannot be switched off: no KVM_CAP_DISABLE_QUIRKS2");
	ASSERT_EQ(0, vm_enable_cap(vcpu->vm, KVM_CAP_DISABLE_QUIRKS2,
				   KVM_X86_QUIRK_OUT_7E_INC_RIP));
	EXPECT_EXIT(vcpu, KVM_EXIT_IO);
	vcpu_regs(vcpu, &r);
	EXPECT_EQ((u64)out_7e_at, r.rip);
	EXPECT_UCALL(vcpu, UCALL_DONE);
	vm_free(vcpu->vm);
}

/* ------------------------------------------------------- events in the middle */

ASM_GUEST(rep_irq, "mov $0xd0000000, %esi; mov $0x100000, %edi; mov $40, %ecx; cld; sti\n"
	  "rep movsb; mov %rcx, %rsi\n" ASM_DONE);

/* A long REP does not hold an interrupt off, and loses no item to it. */
TEST(interrupt_in_rep)
{
	struct kvm_interrupt irq = { .irq = 0x40 };
	struct vcpu *vcpu = vm_long(rep_irq);
	struct kvm_run *run = vcpu->run;
	int items = 0, at = -1;

	if (dev_is_stock())
		SKIP(return, "the stock module goes through with the REP first");
	vcpu->exc->action = EXC_IRET;
	for (;;) {
		u32 reason = vcpu_exit(vcpu);

		if (reason == KVM_EXIT_IRQ_WINDOW_OPEN) {
			run->request_interrupt_window = 0;
			ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_INTERRUPT, &irq));
			at = items;
			continue;
		}
		if (reason != KVM_EXIT_MMIO)
			break;
		if (at >= 0 && items > at + 1)
			EXPECT_EQ(1, vcpu->exc->count);
		ASSERT_EQ(0xd0000000 + items, run->mmio.phys_addr);
		run->mmio.data[0] = items++;
		if (items == 5)
			run->request_interrupt_window = 1;
	}
	EXPECT_EQ(KVM_EXIT_IO, run->exit_reason);
	EXPECT_EQ(40, items);
	EXPECT_LE(5, at);
	EXPECT_GE(7, at);
	EXPECT_EQ(1, vcpu->exc->count);
	for (int i = 0; i < 40; i++)
		EXPECT_EQ(i, *(u8 *)vm_ptr(vcpu->vm, 0x100000 + i));
	vm_free(vcpu->vm);
}

ASM_GUEST(store, "mov $0xd0000000, %edi; .globl store_at, store_next\n"
	  "store_at: mov %eax, (%rdi)\nstore_next: inc %esi; inc %esi\n" ASM_DONE);
extern u8 store_at[], store_next[];

TEST(single_step_over_a_posted_write)
{
	struct kvm_guest_debug dbg = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP,
	};
	struct vcpu *vcpu = vm_long(store);
	struct kvm_run *run = vcpu->run;
	struct kvm_regs r;

	if (dev_is_stock())
		SKIP(return, "the stock module steps one instruction too far");
	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_SET_GUEST_DEBUG, &dbg));
	EXPECT_EXIT(vcpu, KVM_EXIT_DEBUG);
	EXPECT_EQ((u64)store_at, run->debug.arch.pc);
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EXIT(vcpu, KVM_EXIT_DEBUG);
	EXPECT_EQ((u64)store_next, run->debug.arch.pc);
	vcpu_regs(vcpu, &r);
	EXPECT_EQ((u64)store_next, r.rip);
	vm_free(vcpu->vm);
}

TEST(single_step_over_a_read)
{
	struct kvm_guest_debug dbg = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP,
	};
	struct vcpu *vcpu = vm_long(load);
	struct kvm_run *run = vcpu->run;

	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_SET_GUEST_DEBUG, &dbg));
	EXPECT_EXIT(vcpu, KVM_EXIT_DEBUG);
	EXPECT_EQ((u64)load_next, run->debug.arch.pc);
	vm_free(vcpu->vm);
}

ASM_GUEST(trap, "mov $0xd0000000, %edi; pushf; orl $0x100, (%rsp); popf\n"
	  "mov %eax, (%rdi); .globl trap_next\ntrap_next: mov %eax, 4(%rdi); xor %esi, %esi\n"
	  ASM_DONE);
extern u8 trap_next[];

/* The guest's own TF: #DB after the write, at the next instruction. */
TEST(trap_flag_over_a_posted_write)
{
	struct vcpu *vcpu = vm_long(trap);

	if (dev_is_stock())
		SKIP(return, "the stock module loses the trap");
	vcpu->exc->action = EXC_IRET;
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EQ(0, vcpu->exc->count);
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EQ(1, vcpu->exc->count);
	EXPECT_EQ(1, vcpu->exc->vector);
	EXPECT_EQ((u64)trap_next, vcpu->exc->rip);
	vm_free(vcpu->vm);
}

/* ------------------------------------------------------------- what fails */

ASM_GUEST(fault_2nd_page, "mov $0xfffffffd, %edi; mov %rax, (%rdi)\n" ASM_DONE);

/* The first page is a device's, the second one is not mapped: no device sees it. */
TEST(fault_in_the_second_page)
{
	struct mmio_log log = { .pattern = ANSWER };
	struct vcpu *vcpu = vm_long(fault_2nd_page);
	struct ucall uc = vcpu_mmio(vcpu, &log);

	EXPECT_EQ(UCALL_EXC, uc.cmd);
	EXPECT_EQ(14, uc.a);
	EXPECT_EQ(0, log.n);
	EXPECT_EQ(0x100000000, vcpu->exc->cr2);
	EXPECT_EQ(2, vcpu->exc->error);
	vm_free(vcpu->vm);
}

ASM_GUEST(user_addps, "mov $0xd0000000, %edi; addps (%rdi), %xmm1\n" ASM_DONE);

/* A user program cannot stop its machine with what nobody emulates. */
TEST(user_mode_failure_is_ud)
{
	struct vcpu *vcpu = vm_long(user_addps);
	struct kvm_sregs s;
	struct ucall uc;

	vcpu_sregs(vcpu, &s);
	seg_set(&s.cs, SEL_UCODE, 11, 1, 0, 3);
	seg_set(&s.ss, SEL_UDATA, 3, 0, 1, 3);
	ASSERT_EQ(0, vcpu_set_sregs(vcpu, &s));
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_EXC, uc.cmd);
	EXPECT_EQ(6, uc.a);
	vm_free(vcpu->vm);

	vcpu = vm_long(user_addps);
	ASSERT_EQ(0, vm_enable_cap(vcpu->vm, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1));
	ASSERT_EQ(0, vcpu_set_sregs(vcpu, &s));
	EXPECT_EXIT(vcpu, KVM_EXIT_INTERNAL_ERROR);
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, vcpu->run->internal.suberror);
	vm_free(vcpu->vm);
}

/* A slot's memory is unmapped by the VMM: EFAULT, and it works when it is back. */
ASM_GUEST(gone, "mov $0xe0000000, %esi; mov $0xd0000000, %edi; movsl\n" ASM_DONE);

TEST(memory_behind_a_slot_is_gone)
{
	struct mmio_log log = { .pattern = ANSWER };
	struct vcpu *vcpu = vm_long(gone);
	u8 *ram = vm_add(vcpu->vm, 5, 0, PAGE_RAM, PAGE_SIZE);

	ASSERT_EQ(0, munmap(ram, PAGE_SIZE));
	EXPECT_EQ(-EFAULT, vcpu_run(vcpu));
	EXPECT_EQ(-EFAULT, vcpu_run(vcpu));
	ASSERT_EQ(ram, mmap(ram, PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	*(u32 *)ram = 0x1234;
	EXPECT_ACCESSES(vcpu, &log, { 0xd0000000, 4, 1 });
	EXPECT_EQ(0x1234, log.e[0].data);
	vm_free(vcpu->vm);
}

TEST_HARNESS_MAIN
