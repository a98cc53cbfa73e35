// SPDX-License-Identifier: GPL-2.0
/*
 * backing_test - kinds of memory behind a slot, and page tables on top of it
 *
 * Guards: pages that are shared with the rest of the host (the zero page, a
 * file's) are never written through; explicit huge pages, truncated files and
 * memory of two VMs behave; the guest's own page tables fault with the right
 * codes; KVM_TRANSLATE and emulated accesses walk them as the CPU does.  What
 * the host changes while a guest runs is mmu_test's.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

#define HI	0x40000000UL		/* a multiple of 1 GiB */
#define SLOT	5
#define HUGE	(2UL << 20)

FIXTURE(mem) {
	struct vm *vm;
	struct vcpu *vcpu;
};

ASM_GUEST(load_at, "1: mov (%rdi), %rsi; mov $0x3e8, %edx; mov $2, %eax\n"
	  "out %eax, %dx; jmp 1b\n");
ASM_GUEST(store_at, "1: mov %rsi, (%rdi); mov $0x3e8, %edx; mov $2, %eax\n"
	  "out %eax, %dx; jmp 1b\n");

FIXTURE_SETUP(mem)
{
	self->vcpu = vm_long(load_at);
	self->vm = self->vcpu->vm;
	log_mark();
}

FIXTURE_TEARDOWN(mem)
{
	EXPECT_FALSE(log_has_warning());
	vm_free(self->vm);
}

static void point(struct vcpu *vcpu, void *code, u64 addr, u64 val)
{
	struct kvm_regs r;

	vcpu->run->immediate_exit = 1;
	vcpu_run(vcpu);
	vcpu->run->immediate_exit = 0;
	vcpu_regs(vcpu, &r);
	r.rip = (u64)code;
	r.rdi = addr;
	r.rsi = val;
	vcpu_set_regs(vcpu, &r);
}

static u64 load(struct vcpu *vcpu, u64 addr)
{
	struct ucall uc;

	point(vcpu, load_at, addr, 0);
	uc = vcpu_ucall(vcpu);
	if (uc.cmd != UCALL_SYNC)
		die("no answer, address %#lx", addr);
	return uc.b;
}

static void store(struct vcpu *vcpu, u64 addr, u64 val)
{
	point(vcpu, store_at, addr, val);
	if (vcpu_ucall(vcpu).cmd != UCALL_SYNC)
		die("no answer, address %#lx", addr);
}

static int try_load(struct vcpu *vcpu, u64 addr)
{
	point(vcpu, load_at, addr, 0);
	return vcpu_run(vcpu);
}

static void add(struct _test_data_mem *self, void *mem, u64 size)
{
	int ret = vm_slot(self->vm, SLOT, 0, HI, size, mem);

	if (ret)
		die("slot: %s", strerror(-ret));
}

/* ----------------------------------------------------------------- backing */

/* A read maps the zero page; a write must leave it zero for all others. */
TEST_F(mem, zero_page)
{
	u8 *mem = vm_anon(8 * PAGE_SIZE), *fresh;

	madvise(mem, 8 * PAGE_SIZE, MADV_NOHUGEPAGE);
	add(self, mem, 8 * PAGE_SIZE);
	for (u64 i = 0; i < 8; i++)
		EXPECT_EQ(0, load(self->vcpu, HI + i * PAGE_SIZE));
	for (u64 i = 0; i < 8; i += 2)
		store(self->vcpu, HI + i * PAGE_SIZE, 0xff00 + i);
	fresh = vm_anon(PAGE_SIZE);
	EXPECT_EQ(0, *(volatile u64 *)fresh);
	for (u64 i = 0; i < 8; i++) {
		u64 want = i & 1 ? 0 : 0xff00 + i;

		EXPECT_EQ(want, load(self->vcpu, HI + i * PAGE_SIZE));
		EXPECT_EQ(want, *(volatile u64 *)(mem + i * PAGE_SIZE));
	}
	/* The VMM's first write to a page that the guest has read. */
	*(volatile u64 *)(mem + PAGE_SIZE) = 0x1111;
	EXPECT_EQ(0x1111, load(self->vcpu, HI + PAGE_SIZE));
}

TEST_F(mem, hugetlb)
{
	u8 *mem;

	write_text("/proc/sys/vm/nr_hugepages", "4");
	mem = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT, -1, 0);
	if (mem == MAP_FAILED)
		SKIP(return, "no huge pages to be had: %s", strerror(errno));
	add(self, mem, 2 * HUGE);
	for (u64 off = 0; off < 2 * HUGE; off += 0x10000) {
		*(volatile u64 *)(mem + off) = off + 1;
		ASSERT_EQ(off + 1, load(self->vcpu, HI + off));
		store(self->vcpu, HI + off, off + 2);
		ASSERT_EQ(off + 2, *(volatile u64 *)(mem + off));
	}
	/* One goes back while it is mapped; the other stays. */
	munmap(mem + HUGE, HUGE);
	EXPECT_EQ(-EFAULT, try_load(self->vcpu, HI + HUGE));
	EXPECT_EQ(2, load(self->vcpu, HI));
	munmap(mem, HUGE);
	write_text("/proc/sys/vm/nr_hugepages", "0");
}

TEST_F(mem, shared_between_vms)
{
	int fd = memfd_create("guest", 0);
	struct vcpu *other = vm_long(load_at);
	u8 *a, *b;

	ASSERT_EQ(0, ftruncate(fd, 8 * PAGE_SIZE));
	a = mmap(NULL, 8 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, 8 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	add(self, a, 8 * PAGE_SIZE);
	ASSERT_EQ(0, vm_slot(other->vm, SLOT, 0, HI, 8 * PAGE_SIZE, b));
	for (u64 i = 0; i < 8; i++) {
		store(self->vcpu, HI + i * PAGE_SIZE, 100 + i);
		EXPECT_EQ(100 + i, load(other, HI + i * PAGE_SIZE));
		store(other, HI + i * PAGE_SIZE, 200 + i);
		EXPECT_EQ(200 + i, load(self->vcpu, HI + i * PAGE_SIZE));
	}
	vm_free(other->vm);
}

TEST_F(mem, truncated_file)
{
	int fd = memfd_create("file", 0);
	u8 *mem;

	ASSERT_EQ(0, ftruncate(fd, 8 * PAGE_SIZE));
	mem = mmap(NULL, 8 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	add(self, mem, 8 * PAGE_SIZE);
	for (u64 i = 0; i < 8; i++)
		store(self->vcpu, HI + i * PAGE_SIZE, i + 1);
	ASSERT_EQ(0, ftruncate(fd, 4 * PAGE_SIZE));
	for (u64 i = 0; i < 4; i++)
		EXPECT_EQ(i + 1, load(self->vcpu, HI + i * PAGE_SIZE));
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(-EFAULT, try_load(self->vcpu, HI + 5 * PAGE_SIZE));
	ASSERT_EQ(0, ftruncate(fd, 8 * PAGE_SIZE));
	EXPECT_EQ(0, load(self->vcpu, HI + 5 * PAGE_SIZE));
	/* A hole punched under it. */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       PAGE_SIZE, PAGE_SIZE));
	EXPECT_EQ(0, load(self->vcpu, HI + PAGE_SIZE));
	EXPECT_EQ(3, load(self->vcpu, HI + 2 * PAGE_SIZE));
}

/* Reclaim tries to take the pages; whatever it does, the contents stay. */
TEST_F(mem, paged_out)
{
	u8 *mem = vm_anon(16 * PAGE_SIZE);

	add(self, mem, 16 * PAGE_SIZE);
	for (u64 i = 0; i < 16; i++)
		store(self->vcpu, HI + i * PAGE_SIZE, i + 7);
	madvise(mem, 16 * PAGE_SIZE, MADV_COLD);
	madvise(mem, 16 * PAGE_SIZE, MADV_PAGEOUT);
	for (u64 i = 0; i < 16; i++)
		EXPECT_EQ(i + 7, load(self->vcpu, HI + i * PAGE_SIZE));
}

/* ------------------------------------------------------------- guest tables */

/* The guest changes its own page tables; INVLPG and CR3 make it so. */
static GUEST_FN void guest_remaps(void)
{
	volatile u64 *pd = (u64 *)GPA_PD;
	volatile u64 *window = (u64 *)0x600000;
	volatile u64 *pt = (u64 *)(GPA_DATA + 0x10000);

	for (u64 i = 0; i < 512; i++)
		pt[i] = (GPA_DATA + i * PAGE_SIZE) | 7;
	pd[3] = (u64)pt | 7;			/* 0x600000: 4K pages now */
	asm volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
	window[0] = 0x1111;
	G_ASSERT(*(volatile u64 *)GPA_DATA == 0x1111, *window);
	G_ASSERT((pt[0] & 0x60) == 0x60, pt[0]);	/* accessed, dirty */
	G_ASSERT((pt[9] & 0x60) == 0, pt[9]);
	pt[0] = (GPA_DATA + PAGE_SIZE) | 7;
	asm volatile("invlpg (%0)" : : "r"(window) : "memory");
	window[0] = 0x2222;
	G_ASSERT(*(volatile u64 *)GPA_DATA == 0x1111, 0);
	G_ASSERT(*(volatile u64 *)(GPA_DATA + PAGE_SIZE) == 0x2222, 0);
	/* Not present, read-only, no-execute: faults with the right codes. */
	pt[1] = 0;
	pt[2] = (GPA_DATA + 2 * PAGE_SIZE) | 5;
	pt[3] = (GPA_DATA + 3 * PAGE_SIZE) | 7 | 1UL << 63;
	asm volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
	G_ASSERT(G_TRY("mov %%rax, 0x601000", : : "r11", "memory") == 14, 0);
	G_ASSERT(g_exc()->error == 2 && g_exc()->cr2 == 0x601000, g_exc()->error);
	G_ASSERT(G_TRY("mov %%rax, 0x602000", : : "r11", "memory") == 14, 0);
	G_ASSERT(g_exc()->error == 3, g_exc()->error);
	*(volatile u8 *)(GPA_DATA + 3 * PAGE_SIZE) = 0xc3;
	G_ASSERT(G_TRY("mov $0x603000, %%rax; call *%%rax", : : "r11", "rax", "memory") == 14, 0);
	G_ASSERT(g_exc()->error == 0x11, g_exc()->error);
	/* A reserved bit. */
	pt[4] = (GPA_DATA + 4 * PAGE_SIZE) | 7 | 1UL << 51;
	G_ASSERT(G_TRY("mov 0x604000, %%rax", : : "r11", "rax", "memory") == 14, 0);
	G_ASSERT(g_exc()->error & 8, g_exc()->error);
	g_done();
}

TEST_F(mem, guest_page_tables)
{
	struct ucall uc;

	vcpu_long(self->vcpu, guest_remaps);
	uc = vcpu_ucall(self->vcpu);
	EXPECT_EQ(UCALL_DONE, uc.cmd)
		TH_LOG("line %lu, value %#lx", uc.a, uc.b);
}

/* Emulated accesses use the guest's tables: a virtual address far from its MMIO. */
ASM_GUEST(virt_mmio, "mov 0x605010, %eax; movl $5, 0x605020\n" ASM_DONE);

TEST_F(mem, emulated_access_translates)
{
	struct mmio_log log = { .pattern = 0x11223344 };
	u64 *pd = vm_ptr(self->vm, GPA_PD), *pt = vm_ptr(self->vm, GPA_DATA);

	pd[3] = GPA_DATA | 7;
	pt[5] = (GPA_MMIO + 0x7000) | 7;
	vcpu_long(self->vcpu, virt_mmio);
	ASSERT_EQ(UCALL_DONE, vcpu_mmio(self->vcpu, &log).cmd);
	ASSERT_EQ(2, log.n);
	EXPECT_EQ(GPA_MMIO + 0x7010, log.e[0].addr);
	EXPECT_EQ(GPA_MMIO + 0x7020, log.e[1].addr);
	EXPECT_EQ(5, log.e[1].data);
}

/* ------------------------------------------------------------ KVM_TRANSLATE */

static void translate(struct __test_metadata *_metadata, struct vcpu *vcpu,
		      u64 linear, bool valid, u64 phys)
{
	struct kvm_translation tr = { .linear_address = linear };

	EXPECT_EQ(0, kioctlp(vcpu->fd, KVM_TRANSLATE, &tr));
	EXPECT_EQ(valid, tr.valid)
		TH_LOG("address %#lx", linear);
	if (valid) {
		EXPECT_EQ(phys, tr.physical_address)
			TH_LOG("address %#lx", linear);
	}
}

TEST_F(mem, translate_64)
{
	u64 *pd = vm_ptr(self->vm, GPA_PD), *pt = vm_ptr(self->vm, GPA_DATA);
	u64 *pdpt = vm_ptr(self->vm, GPA_PDPT);

	pd[3] = GPA_DATA | 7;
	pt[5] = 0x123000 | 7;
	pdpt[4] = 0xc0000000 | 0x87;		/* a page of 1 GiB */
	translate(_metadata, self->vcpu, 0x1234, true, 0x1234);
	translate(_metadata, self->vcpu, 0xd0000010, true, 0xd0000010);
	translate(_metadata, self->vcpu, 0x605678, true, 0x123678);
	translate(_metadata, self->vcpu, 0x606000, false, 0);
	translate(_metadata, self->vcpu, 0x700000000000, false, 0);
	if (cpuid_has(0x80000001, 0, 'd', 26))
		translate(_metadata, self->vcpu, 0x112345678, true, 0xd2345678);
}

TEST_F(mem, translate_32_and_real)
{
	u32 *pd32 = vm_ptr(self->vm, 0x120000), *pt32 = vm_ptr(self->vm, 0x121000);
	struct kvm_sregs s;

	/* Paging off: what goes in comes out. */
	vcpu_prot32(self->vcpu, GPA_CODE);
	translate(_metadata, self->vcpu, 0x605678, true, 0x605678);
	/* A 4 MiB page, a 4 KiB page, nothing. */
	pd32[0] = 0x00800083;
	pd32[1] = 0x121003;
	pt32[7] = 0x345003;
	vcpu_sregs(self->vcpu, &s);
	s.cr0 |= 0x80000000;
	s.cr4 |= 0x10;
	s.cr3 = 0x120000;
	ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
	translate(_metadata, self->vcpu, 0x123456, true, 0x923456);
	translate(_metadata, self->vcpu, 0x407abc, true, 0x345abc);
	translate(_metadata, self->vcpu, 0x408000, false, 0);
	translate(_metadata, self->vcpu, 0x800000, false, 0);
	vcpu_real(self->vcpu, 0, 0);
	translate(_metadata, self->vcpu, 0x12345, true, 0x12345);
}

TEST_HARNESS_MAIN
