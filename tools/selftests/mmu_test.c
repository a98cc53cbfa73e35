// SPDX-License-Identifier: GPL-2.0
/*
 * mmu_test - the host changes its mind about memory that a guest has mapped
 *
 * Guards: whatever the VMM or the kernel does to the memory behind a slot (unmap,
 * replace, protect, fork, merge, split), a guest sees it with its next access, even
 * one that never leaves guest mode, and never sees a page that is not lent to it;
 * large pages are used where the host has them and only there; under all that at
 * once no write is lost; and when the VM ends nothing is left.
 */
#include <kselftest_harness.h>
#include <linux/mman.h>

#include "guest_count.h"

#define HI	0x40000000UL		/* above the fixture's RAM, mapped 1:1 */
#define SLOT	5
#define MB	0x100000UL
#define SIZE	(8 * MB)
#define LARGE	(2 * MB)

FIXTURE(mmu) {
	struct vm *vm;
	struct vcpu *vcpu;
	u8 *mem;			/* SIZE bytes at a multiple of LARGE */
	u8 *area;
	long base_2m;			/* large entries for the fixture's own RAM */
};

/* RDI: address, RSI: 1 to write RBX there, 0 to read it into RBX. */
ASM_GUEST(access_mem, "1: test %rsi, %rsi; jz 2f\n"
	  "mov %rbx, (%rdi); jmp 3f\n"
	  "2: mov (%rdi), %rbx\n"
	  "3: mov $0x3e8, %edx; mov $2, %eax; out %eax, %dx; jmp 1b\n");

/* One access of the guest: 0, or what KVM_RUN says. */
static int guest_access(struct vcpu *vcpu, u64 addr, u64 *val, bool write)
{
	struct kvm_regs r;
	int ret;

	vcpu_regs(vcpu, &r);
	r.rdi = addr;
	r.rsi = write;
	r.rbx = *val;
	vcpu_set_regs(vcpu, &r);
	ret = vcpu_run(vcpu);
	vcpu_regs(vcpu, &r);
	if (ret) {
		/* The instruction has not been executed; begin anew next time. */
		r.rip = (u64)access_mem;
		vcpu_set_regs(vcpu, &r);
		return ret;
	}
	if (vcpu->run->exit_reason != KVM_EXIT_IO)
		die("exit %s", exit_name(vcpu->run->exit_reason));
	*val = r.rbx;
	return 0;
}

static u64 guest_read(struct vcpu *vcpu, u64 addr)
{
	u64 val = 0;
	int ret = guest_access(vcpu, addr, &val, false);

	if (ret)
		die("read of %#lx: %s", addr, strerror(-ret));
	return val;
}

static int guest_write(struct vcpu *vcpu, u64 addr, u64 val)
{
	return guest_access(vcpu, addr, &val, true);
}

static int guest_read_error(struct vcpu *vcpu, u64 addr)
{
	u64 val = 0;

	return guest_access(vcpu, addr, &val, false);
}

FIXTURE_SETUP(mmu)
{
	self->vcpu = vm_long(access_mem);
	self->vm = self->vcpu->vm;
	self->area = vm_anon(SIZE + LARGE);
	self->mem = (u8 *)(((u64)self->area + LARGE - 1) & ~(LARGE - 1));
	log_mark();
	guest_read(self->vcpu, GPA_DATA);
	self->base_2m = vm_counter(self->vm, "pages_2m");
}

FIXTURE_TEARDOWN(mmu)
{
	vm_free(self->vm);
	munmap(self->area, SIZE + LARGE);
	EXPECT_FALSE(log_has_warning());
}

/* The stock module has other counters. */
#define EXPECT_2M_PAGES(n) do {						\
	if (!dev_is_stock()) {						\
		ASSERT_LE(0, self->base_2m);				\
		EXPECT_EQ((n), vm_counter(self->vm, "pages_2m") - self->base_2m);	\
	}								\
} while (0)

/* Make [p, p + size) huge pages now; says whether the host could. */
static bool make_huge(u8 *p, size_t size)
{
	if (madvise(p, size, MADV_POPULATE_WRITE))
		die("populate: %s", strerror(errno));
	return !madvise(p, size, MADV_COLLAPSE);
}

static u8 *map_fixed(void *at, size_t size)
{
	u8 *p = mmap(at, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (p == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	return p;
}

/* ---- one change at a time, between two accesses ---- */

TEST_F(mmu, unmap_and_map_again)
{
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	ASSERT_EQ(0, guest_write(self->vcpu, HI, 1234));
	EXPECT_EQ(1234, *(u64 *)self->mem);

	ASSERT_EQ(0, madvise(self->mem, PAGE_SIZE, MADV_DONTNEED));
	EXPECT_EQ(0, guest_read(self->vcpu, HI));

	ASSERT_EQ(0, munmap(self->mem, PAGE_SIZE));
	EXPECT_EQ(-EFAULT, guest_read_error(self->vcpu, HI));
	EXPECT_EQ(-EFAULT, guest_write(self->vcpu, HI, 1));
	EXPECT_EQ(0, guest_read(self->vcpu, HI + PAGE_SIZE));

	*(u64 *)map_fixed(self->mem, PAGE_SIZE) = 99;
	EXPECT_EQ(99, guest_read(self->vcpu, HI));
	*(u64 *)map_fixed(self->mem, PAGE_SIZE) = 100;
	EXPECT_EQ(100, guest_read(self->vcpu, HI));
}

TEST_F(mmu, protect)
{
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	ASSERT_EQ(0, guest_write(self->vcpu, HI, 7));

	ASSERT_EQ(0, mprotect(self->mem, PAGE_SIZE, PROT_READ));
	EXPECT_EQ(7, guest_read(self->vcpu, HI));
	EXPECT_EQ(-EFAULT, guest_write(self->vcpu, HI, 8));
	EXPECT_EQ(7, *(u64 *)self->mem);
	ASSERT_EQ(0, mprotect(self->mem, PAGE_SIZE, PROT_NONE));
	EXPECT_EQ(-EFAULT, guest_read_error(self->vcpu, HI));
	ASSERT_EQ(0, mprotect(self->mem, PAGE_SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, guest_write(self->vcpu, HI, 9));
	EXPECT_EQ(9, *(u64 *)self->mem);
}

/* A page moves to another address of the VMM: the guest's address does not. */
TEST_F(mmu, mremap)
{
	u8 *other = vm_anon(PAGE_SIZE);

	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	ASSERT_EQ(0, guest_write(self->vcpu, HI + PAGE_SIZE, 55));
	ASSERT_EQ(other, mremap(self->mem + PAGE_SIZE, PAGE_SIZE, PAGE_SIZE,
				MREMAP_MAYMOVE | MREMAP_FIXED, other));
	EXPECT_EQ(-EFAULT, guest_read_error(self->vcpu, HI + PAGE_SIZE));
	EXPECT_EQ(55, *(u64 *)other);
	munmap(other, PAGE_SIZE);
}

/* After fork() the guest's next write makes a copy; the child keeps the old page. */
TEST_F(mmu, fork_copy_on_write)
{
	int to_child[2], from_child[2], status;
	char c = 0;
	pid_t pid;

	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	ASSERT_EQ(0, guest_write(self->vcpu, HI, 1));
	ASSERT_EQ(0, pipe(to_child));
	ASSERT_EQ(0, pipe(from_child));
	pid = fork();
	if (!pid) {
		struct kvm_regs r;

		/* The VM is the parent's: EIO.  Its memory at this moment is ours. */
		c = ioctl(self->vcpu->fd, KVM_GET_REGS, &r) == -1 && errno == EIO;
		if (read(to_child[0], &r, 1) != 1)
			_exit(1);
		c &= *(u64 *)self->mem == 1;
		*(u64 *)self->mem = 3;
		_exit(write(from_child[1], &c, 1) == 1 && c ? 0 : 1);
	}
	EXPECT_EQ(0, guest_write(self->vcpu, HI, 2));
	EXPECT_EQ(2, *(u64 *)self->mem);
	ASSERT_EQ(1, write(to_child[1], &c, 1));
	ASSERT_EQ(1, read(from_child[0], &c, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(2, guest_read(self->vcpu, HI));
}

/* Shared file memory: the guest sees the file's other users, and they see it. */
TEST_F(mmu, shared_file)
{
	int fd = memfd_create("guest", 0);
	u64 val = 0;
	u8 *p;

	ASSERT_EQ(0, ftruncate(fd, 4 * PAGE_SIZE));
	p = mmap(self->mem, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	ASSERT_EQ(self->mem, p);
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, 4 * PAGE_SIZE, p));
	EXPECT_EQ(0, guest_read(self->vcpu, HI));
	ASSERT_EQ(0, guest_write(self->vcpu, HI, 42));
	ASSERT_EQ(8, pread(fd, &val, 8, 0));
	EXPECT_EQ(42, val);
	val = 43;
	ASSERT_EQ(8, pwrite(fd, &val, 8, 0));
	EXPECT_EQ(43, guest_read(self->vcpu, HI));

	/* The file becomes shorter: to the VMM SIGBUS, to KVM_RUN EFAULT. */
	ASSERT_EQ(0, guest_write(self->vcpu, HI + PAGE_SIZE, 1));
	ASSERT_EQ(0, ftruncate(fd, PAGE_SIZE));
	EXPECT_EQ(-EFAULT, guest_read_error(self->vcpu, HI + PAGE_SIZE));
	EXPECT_EQ(43, guest_read(self->vcpu, HI));
	close(fd);
}

/* A private mapping of a file: reads see the file, the first write makes a copy. */
TEST_F(mmu, private_file)
{
	int fd = memfd_create("guest", 0);
	u64 val = 77;

	ASSERT_EQ(8, pwrite(fd, &val, 8, 0));
	ASSERT_EQ(0, ftruncate(fd, PAGE_SIZE));
	ASSERT_EQ(self->mem, mmap(self->mem, PAGE_SIZE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_FIXED, fd, 0));
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, PAGE_SIZE, self->mem));
	EXPECT_EQ(77, guest_read(self->vcpu, HI));
	ASSERT_EQ(0, guest_write(self->vcpu, HI, 78));
	ASSERT_EQ(8, pread(fd, &val, 8, 0));
	EXPECT_EQ(77, val);
	EXPECT_EQ(78, *(u64 *)self->mem);
	close(fd);
}

/*
 * Frames without pages: the BIOS, through /dev/mem.  The guest has to read what the
 * VMM reads there.
 */
TEST_F(mmu, device_memory)
{
	int fd = open("/dev/mem", O_RDONLY);
	u8 *bios;

	if (fd < 0)
		SKIP(return, "no /dev/mem");
	bios = mmap(NULL, 16 * PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0xf0000);
	if (bios == MAP_FAILED)
		SKIP(return, "the kernel does not let us map the BIOS");
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, KVM_MEM_READONLY, HI, 16 * PAGE_SIZE, bios));
	for (u64 i = 0; i < 16 * PAGE_SIZE; i += 1000)
		EXPECT_EQ(*(u64 *)(bios + (i & ~7)), guest_read(self->vcpu, HI + (i & ~7)));
	ASSERT_EQ(0, munmap(bios + PAGE_SIZE, PAGE_SIZE));
	EXPECT_EQ(-EFAULT, guest_read_error(self->vcpu, HI + PAGE_SIZE));
	munmap(bios, 16 * PAGE_SIZE);
	close(fd);
}

static siginfo_t sigbus;

static void note_sigbus(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	(void)ctx;
	sigbus = *info;
}

/* A page with a memory error: SIGBUS with its address, and KVM_RUN is interrupted. */
TEST_F(mmu, memory_error)
{
	struct sigaction act = { .sa_sigaction = note_sigbus, .sa_flags = SA_SIGINFO };

	madvise(self->mem, SIZE, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	ASSERT_EQ(0, guest_write(self->vcpu, HI + PAGE_SIZE, 1));
	ASSERT_EQ(0, guest_write(self->vcpu, HI + 2 * PAGE_SIZE, 2));
	sigaction(SIGBUS, &act, NULL);
	if (madvise(self->mem + PAGE_SIZE, PAGE_SIZE, MADV_HWPOISON))
		SKIP(return, "the kernel cannot pretend a memory error");
	/* The kernel told us of it already.  What is wanted is the guest's access. */
	memset(&sigbus, 0, sizeof(sigbus));
	EXPECT_EQ(-EINTR, guest_read_error(self->vcpu, HI + PAGE_SIZE));
	EXPECT_EQ(BUS_MCEERR_AR, sigbus.si_code);
	EXPECT_EQ((void *)(self->mem + PAGE_SIZE), sigbus.si_addr);
	EXPECT_EQ(2, guest_read(self->vcpu, HI + 2 * PAGE_SIZE));

	/* A new page in its place cures it. */
	map_fixed(self->mem + PAGE_SIZE, PAGE_SIZE);
	EXPECT_EQ(0, guest_read(self->vcpu, HI + PAGE_SIZE));
}

/* ---- large pages ---- */

TEST_F(mmu, large_pages)
{
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	if (!make_huge(self->mem, SIZE))
		SKIP(return, "the host made no huge pages");
	for (u64 i = 0; i < SIZE; i += LARGE / 2)
		EXPECT_EQ(0, guest_write(self->vcpu, HI + i, i));
	for (u64 i = 0; i < SIZE; i += LARGE / 2)
		EXPECT_EQ(i, *(u64 *)(self->mem + i));
	EXPECT_2M_PAGES((long)(SIZE / LARGE));

	/* A slot that goes takes its entries along. */
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, 0, 0, NULL));
	EXPECT_2M_PAGES(0);
}

/* A hole in a huge page: the guest must not see through the rest of it. */
TEST_F(mmu, hole_in_a_large_page)
{
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	if (!make_huge(self->mem, SIZE))
		SKIP(return, "the host made no huge pages");
	*(u64 *)(self->mem + 5 * PAGE_SIZE) = 5;
	*(u64 *)(self->mem + 6 * PAGE_SIZE) = 6;
	EXPECT_EQ(5, guest_read(self->vcpu, HI + 5 * PAGE_SIZE));
	EXPECT_2M_PAGES(1);

	/* Mapped, then unmapped in part. */
	ASSERT_EQ(0, munmap(self->mem + 5 * PAGE_SIZE, PAGE_SIZE));
	EXPECT_EQ(-EFAULT, guest_read_error(self->vcpu, HI + 5 * PAGE_SIZE));
	EXPECT_EQ(6, guest_read(self->vcpu, HI + 6 * PAGE_SIZE));
	EXPECT_EQ(-EFAULT, guest_read_error(self->vcpu, HI + 5 * PAGE_SIZE));
	EXPECT_2M_PAGES(0);

	/* Unmapped in part, then mapped. */
	ASSERT_EQ(0, munmap(self->mem + LARGE + 7 * PAGE_SIZE, PAGE_SIZE));
	EXPECT_EQ(0, guest_read(self->vcpu, HI + LARGE + 8 * PAGE_SIZE));
	EXPECT_EQ(-EFAULT, guest_read_error(self->vcpu, HI + LARGE + 7 * PAGE_SIZE));
	EXPECT_2M_PAGES(0);
}

/* Huge in the host, but the slot is not aligned to it, or ends within. */
TEST_F(mmu, large_pages_that_do_not_fit)
{
	bool huge = make_huge(self->mem, SIZE);

	for (u64 i = 0; i < SIZE; i += PAGE_SIZE)
		*(u64 *)(self->mem + i) = i;
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI + PAGE_SIZE, LARGE, self->mem));
	for (u64 i = 0; i < LARGE; i += 31 * PAGE_SIZE)
		EXPECT_EQ(i, guest_read(self->vcpu, HI + PAGE_SIZE + i));
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, 0, 0, NULL));

	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI + PAGE_SIZE, LARGE + MB,
			     self->mem + PAGE_SIZE));
	for (u64 i = PAGE_SIZE; i < LARGE + MB; i += 31 * PAGE_SIZE)
		EXPECT_EQ(i, guest_read(self->vcpu, HI + i));
	EXPECT_2M_PAGES(0);
	if (!huge)
		SKIP(return, "the host made no huge pages");
}

/* The host splits and the guest's entries follow; it merges, and they may. */
TEST_F(mmu, large_pages_come_and_go)
{
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	ASSERT_EQ(0, guest_write(self->vcpu, HI + 3 * PAGE_SIZE, 3));
	madvise(self->mem, SIZE, MADV_DONTNEED);
	if (!make_huge(self->mem, SIZE))
		SKIP(return, "the host made no huge pages");
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, guest_write(self->vcpu, HI + 3 * PAGE_SIZE, i));
		EXPECT_2M_PAGES(1);
		ASSERT_EQ(0, mprotect(self->mem + 9 * PAGE_SIZE, PAGE_SIZE, PROT_READ));
		ASSERT_EQ(0, guest_write(self->vcpu, HI + 3 * PAGE_SIZE, i + 10));
		EXPECT_EQ(-EFAULT, guest_write(self->vcpu, HI + 9 * PAGE_SIZE, 1));
		EXPECT_2M_PAGES(0);
		EXPECT_EQ(i + 10, *(u64 *)(self->mem + 3 * PAGE_SIZE));
		ASSERT_EQ(0, mprotect(self->mem + 9 * PAGE_SIZE, PAGE_SIZE,
				      PROT_READ | PROT_WRITE));
		madvise(self->mem, LARGE, MADV_DONTNEED);
		if (!make_huge(self->mem, LARGE))
			SKIP(return, "the host made no huge pages again");
	}
}

/* Logging wants small pages: it splits large ones, and they come back afterwards. */
TEST_F(mmu, large_pages_and_the_dirty_log)
{
	u64 bitmap[SIZE / PAGE_SIZE / 64];
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };

	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	if (!make_huge(self->mem, SIZE))
		SKIP(return, "the host made no huge pages");
	ASSERT_EQ(0, guest_write(self->vcpu, HI, 1));
	EXPECT_2M_PAGES(1);

	ASSERT_EQ(0, vm_slot(self->vm, SLOT, KVM_MEM_LOG_DIRTY_PAGES, HI, SIZE, self->mem));
	ASSERT_EQ(0, guest_write(self->vcpu, HI + 65 * PAGE_SIZE, 1));
	/* Writable for all the host cares, but not written. */
	EXPECT_EQ(0, guest_read(self->vcpu, HI + 66 * PAGE_SIZE));
	EXPECT_2M_PAGES(0);
	ASSERT_EQ(0, kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, &log));
	EXPECT_EQ(0, bitmap[0]);
	EXPECT_EQ(2, bitmap[1]);

	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	ASSERT_EQ(0, guest_write(self->vcpu, HI + 65 * PAGE_SIZE, 2));
	EXPECT_2M_PAGES(1);
}

/* ---- while the guest runs and does not leave by itself ---- */

/* RDI: address.  Spin until it reads RSI there. */
ASM_GUEST(wait_for, "1: cmp %rsi, (%rdi); pause; jne 1b\n" ASM_DONE);

static void *run_thread(void *vcpu)
{
	struct ucall uc = vcpu_ucall(vcpu);

	return (void *)(u64)uc.cmd;
}

static void start_waiting(struct vcpu *vcpu, u64 addr, u64 val, pthread_t *t)
{
	struct kvm_regs r;

	vcpu_long(vcpu, wait_for);
	vcpu_regs(vcpu, &r);
	r.rdi = addr;
	r.rsi = val;
	vcpu_set_regs(vcpu, &r);
	pthread_create(t, NULL, run_thread, vcpu);
	usleep(20000);
}

/* The new page has the value; whoever still has the old one in his TLB never ends. */
TEST_F(mmu, replaced_while_running)
{
	struct vcpu *vcpu = vcpu_new(self->vm, 1);
	u8 *fresh = vm_anon(PAGE_SIZE);
	pthread_t t;
	void *res;

	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	for (int i = 0; i < 5; i++) {
		*(u64 *)map_fixed(fresh, PAGE_SIZE) = 1000 + i;
		start_waiting(vcpu, HI, 1000 + i, &t);
		ASSERT_EQ(self->mem, mremap(fresh, PAGE_SIZE, PAGE_SIZE,
					    MREMAP_MAYMOVE | MREMAP_FIXED, self->mem));
		pthread_join(t, &res);
		ASSERT_EQ(UCALL_DONE, (u64)res);
	}
}

/* Copies what it reads at RDI to where RSI points, till it reads all ones. */
ASM_GUEST(echo, "1: mov (%rdi), %rax; mov %rax, (%rsi); inc %rax; jnz 1b\n" ASM_DONE);

/* Put page @i of the file behind the guest's address; any that was there goes. */
static void map_file_page(u8 *at, int fd, int i)
{
	if (mmap(at, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
		 fd, i * PAGE_SIZE) != at)
		die("mmap: %s", strerror(errno));
}

/*
 * A fault that has looked up a page must not map it after the host has taken it away:
 * the guest would keep it for ever.  Twice in a row another page is put behind the
 * address; the second time at every possible moment of the fault for the first.  With
 * two host CPUs the two race for real.
 */
TEST_F_TIMEOUT(mmu, fault_races_with_unmap, 60)
{
	struct vcpu *vcpu = vcpu_new(self->vm, 1);
	volatile u64 *echoed = vm_ptr(self->vm, GPA_DATA);
	u64 i, end, rounds = host_cpus() > 1 ? 1500 : 20;
	int fd = memfd_create("pages", 0);
	struct kvm_regs r;
	volatile u64 *page;
	pthread_t t;
	void *res;

	ASSERT_EQ(0, ftruncate(fd, 2 * PAGE_SIZE));
	page = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, PAGE_SIZE, self->mem));
	vcpu_long(vcpu, echo);
	vcpu_regs(vcpu, &r);
	r.rdi = HI;
	r.rsi = GPA_DATA;
	vcpu_set_regs(vcpu, &r);
	pthread_create(&t, NULL, run_thread, vcpu);

	for (i = 1; i <= rounds; i++) {
		page[0] = 2 * i;
		page[PAGE_SIZE / 8] = 2 * i + 1;
		map_file_page(self->mem, fd, 0);
		for (volatile u64 delay = i * 7 % 1500; delay; delay--)
			;
		map_file_page(self->mem, fd, 1);
		for (end = now_ns() + 5000000000ul; *echoed != 2 * i + 1 && now_ns() < end; )
			if (host_cpus() == 1)
				usleep(100);
		ASSERT_EQ(2 * i + 1, *echoed);
	}
	page[PAGE_SIZE / 8] = ~0ul;
	pthread_join(t, &res);
	EXPECT_EQ(UCALL_DONE, (u64)res);
	close(fd);
}

/* KSM merges equal pages; a write of the guest parts them again. */
#define KSM "/sys/kernel/mm/ksm/"

TEST_F(mmu, merged_pages)
{
	if (write_text(KSM "run", "1"))
		SKIP(return, "no KSM");
	write_text(KSM "sleep_millisecs", "5");
	write_text(KSM "pages_to_scan", "500");
	madvise(self->mem, SIZE, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	for (int i = 0; i < 16; i++)
		ASSERT_EQ(0, guest_write(self->vcpu, HI + i * PAGE_SIZE, 0xabcdef));
	ASSERT_EQ(0, madvise(self->mem, 16 * PAGE_SIZE, MADV_MERGEABLE));
	for (int i = 0; i < 400 && read_number(KSM "pages_sharing") < 10; i++)
		usleep(5000);
	EXPECT_LE(10, read_number(KSM "pages_sharing"));
	for (int i = 0; i < 16; i++)
		EXPECT_EQ(0xabcdef, guest_read(self->vcpu, HI + i * PAGE_SIZE));
	ASSERT_EQ(0, guest_write(self->vcpu, HI + 3 * PAGE_SIZE, 4));
	for (int i = 0; i < 16; i++)
		EXPECT_EQ(i == 3 ? 4 : 0xabcdef, *(u64 *)(self->mem + i * PAGE_SIZE));
	write_text(KSM "run", "2");
}

/* ---- everything at once ---- */

#define COUNTERS 4

/* Things that must not change what is in memory, at random. */
static void disturb(u8 *mem, unsigned int *seed)
{
	unsigned long page = rand_r(seed) % (SIZE / PAGE_SIZE - 16);
	u8 *p = mem + page * PAGE_SIZE;
	size_t len = (1 + rand_r(seed) % 16) * PAGE_SIZE;
	pid_t pid;

	switch (rand_r(seed) % 8) {
	case 0:
		madvise(p, len, MADV_COLD);
		break;
	case 1:
		madvise(mem + (page * PAGE_SIZE & ~(LARGE - 1)), LARGE, MADV_HUGEPAGE);
		break;
	case 2:
		madvise(p, len, MADV_NOHUGEPAGE);
		break;
	case 3:
		madvise(p, len, MADV_PAGEOUT);
		break;
	case 4:
		madvise(mem + (page * PAGE_SIZE & ~(LARGE - 1)), LARGE, MADV_COLLAPSE);
		break;
	case 5:
		madvise(p, len, MADV_MERGEABLE);
		break;
	case 6:
		madvise(p, len, MADV_UNMERGEABLE);
		break;
	default:
		pid = fork();		/* copy on write for all of it */
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

TEST_F_TIMEOUT(mmu, disturbed_counters, 120)
{
	const u64 pages = SIZE / PAGE_SIZE, rounds = 4;
	u64 bitmap[SIZE / PAGE_SIZE / 64];
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };
	unsigned int seed = 1, n = 0;
	pthread_t t[COUNTERS];
	void *res;

	write_text(KSM "run", "1");
	ASSERT_EQ(0, vm_slot(self->vm, SLOT, 0, HI, SIZE, self->mem));
	for (int i = 0; i < COUNTERS; i++)
		t[i] = count_start(vcpu_new(self->vm, 1 + i), HI + 8 * i, pages, rounds);
	for (int i = 0; i < COUNTERS; ) {
		if (!pthread_tryjoin_np(t[i], &res)) {
			EXPECT_EQ(UCALL_DONE, (u64)res);
			i++;
			continue;
		}
		disturb(self->mem, &seed);
		if (++n % 16 == 0)
			ASSERT_EQ(0, vm_slot(self->vm, SLOT,
					     n & 16 ? KVM_MEM_LOG_DIRTY_PAGES : 0,
					     HI, SIZE, self->mem));
		if (n % 16 > 8)
			kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, &log);
	}
	EXPECT_TRUE(counts_are(self->mem, pages, COUNTERS, rounds));
	TH_LOG("%u disturbances, %ld notifier calls, %ld TLB flushes", n,
	       vm_counter(self->vm, "mmu_notifier_invalidations"),
	       vm_counter(self->vm, "remote_tlb_flush"));
	write_text(KSM "run", "2");
}

/* The VMM is killed while its guest faults pages in. */
TEST_F(mmu, killed_while_faulting)
{
	int status;
	pid_t pid;

	for (int i = 0; i < 5; i++) {
		pid = fork();
		if (!pid) {
			struct vcpu *vcpu = vm_long(count_pages);
			struct kvm_regs r;

			vm_add(vcpu->vm, SLOT, 0, HI, 256 * MB);
			vcpu_regs(vcpu, &r);
			r.rdi = HI;
			r.rsi = 256 * MB / PAGE_SIZE;
			r.rbx = 1000;
			vcpu_set_regs(vcpu, &r);
			vcpu_run(vcpu);
			_exit(0);
		}
		usleep(10000 + i * 20000);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
}

TEST_HARNESS_MAIN
