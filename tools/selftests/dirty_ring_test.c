// SPDX-License-Identifier: GPL-2.0
/*
 * dirty_ring_test - which pages a guest wrote, as a ring for each vCPU
 *
 * Guards: the size that KVM_CAP_DIRTY_LOG_RING takes, and when; where the ring can be
 * mapped, and how; the bitmap's calls are closed; each page that was written is in the
 * ring of the vCPU that did so, once, whoever wrote: the CPU, its page walks, the
 * emulator, a device of the kernel's or a call on the vCPU; a full ring stops the vCPU
 * and loses nothing; what was reset shows its next write; what a VMM writes in the
 * ring, or does to the slots meanwhile, harms nobody; and a copy kept up by the rings
 * alone, as migration does, ends up equal.
 */
#include <kselftest_harness.h>

#include "emulated_writes.h"
#include "minikvm_util.h"

#define HI	0x40000000UL
#define PAGES	2048UL
#define SLOT	5
#define LOG	KVM_MEM_LOG_DIRTY_PAGES
#define ENTRY	sizeof(struct kvm_dirty_gfn)
#define ENTRIES	1024U			/* larger than what any CPU has reserved */
#define RSVD	64U
#define PML	512U
#define RESET	KVM_DIRTY_GFN_F_RESET
#define DIRTY	KVM_DIRTY_GFN_F_DIRTY
#define OFFSET	(KVM_DIRTY_LOG_PAGE_OFFSET * PAGE_SIZE)

#define MSR_WALL_CLOCK	0x4b564d00
#define MSR_SYSTEM_TIME	0x4b564d01
#define MSR_STEAL_TIME	0x4b564d03

struct ring {
	struct vcpu *vcpu;
	struct kvm_dirty_gfn *e;
	u32 next;			/* to reap */
};

FIXTURE(ring) {
	struct vm *vm;
	struct ring r[2];
	u8 *mem;
	u8 *seen;			/* how often a page was reaped */
};

/* Write RSI pages from RDI on, once each; report; again. */
ASM_GUEST(sweep, "1: test %rsi, %rsi; jz 2f\n"
	  "incq (%rdi); add $4096, %rdi; dec %rsi; jmp 1b\n"
	  "2: mov $0x3e8, %edx; mov $2, %eax; out %eax, %dx; jmp 1b\n");
/* The same with reads. */
ASM_GUEST(sweep_read, "1: test %rsi, %rsi; jz 2f\n"
	  "mov (%rdi), %rbx; add $4096, %rdi; dec %rsi; jmp 1b\n"
	  "2: mov $0x3e8, %edx; mov $2, %eax; out %eax, %dx; jmp 1b\n");

static int enable(struct vm *vm, u64 bytes)
{
	return vm_enable_cap(vm, KVM_CAP_DIRTY_LOG_RING, bytes);
}

static void *map_ring(struct vcpu *vcpu, size_t bytes, int prot, int flags, off_t offset)
{
	return mmap(NULL, bytes, prot, flags, vcpu->fd, offset);
}

static void ring_open(struct ring *r, struct vm *vm, int id, u32 entries)
{
	r->vcpu = vcpu_new(vm, id);
	r->next = 0;
	r->e = map_ring(r->vcpu, entries * ENTRY, PROT_READ | PROT_WRITE, MAP_SHARED, OFFSET);
	if (r->e == MAP_FAILED)
		die("mmap of the ring: %s", strerror(errno));
}

static struct vm *vm_with_rings(u32 entries, struct ring *r, int n, u8 **mem)
{
	struct vm *vm = vm_new();

	if (enable(vm, entries * ENTRY))
		die("KVM_CAP_DIRTY_LOG_RING");
	for (int i = 0; i < n; i++)
		ring_open(&r[i], vm, i, entries);
	*mem = vm_add(vm, SLOT, LOG, HI, PAGES * PAGE_SIZE);
	return vm;
}

FIXTURE_SETUP(ring)
{
	self->vm = vm_with_rings(ENTRIES, self->r, 2, &self->mem);
	self->seen = calloc(1, PAGES);
}

FIXTURE_TEARDOWN(ring)
{
	free(self->seen);
	for (int i = 0; i < 2; i++)
		munmap(self->r[i].e, ENTRIES * ENTRY);
	vm_free(self->vm);
}

static int reset(struct vm *vm)
{
	return kioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0);
}

static u32 flags_of(const struct kvm_dirty_gfn *e)
{
	return __atomic_load_n(&e->flags, __ATOMIC_ACQUIRE);
}

/* The next entry, if there is one; it is not given back yet. */
static struct kvm_dirty_gfn *ring_peek(struct ring *r)
{
	struct kvm_dirty_gfn *e = &r->e[r->next % ENTRIES];

	return flags_of(e) == DIRTY ? e : NULL;
}

static void ring_reap(struct ring *r)
{
	__atomic_store_n(&r->e[r->next++ % ENTRIES].flags, RESET, __ATOMIC_RELEASE);
}

/* Reap up to @max entries; each is to be of slot SLOT.  Returns how many there were. */
static int collect(struct ring *r, u8 *seen, int max)
{
	struct kvm_dirty_gfn *e;
	int n;

	for (n = 0; n < max && (e = ring_peek(r)); n++) {
		if (e->slot != SLOT || e->offset >= PAGES)
			die("entry of slot %u, offset %llu", e->slot, e->offset);
		if (seen)
			seen[e->offset]++;
		ring_reap(r);
	}
	return n;
}

static void start(struct ring *r, void *code, u64 first, u64 pages)
{
	struct kvm_regs regs;

	vcpu_long(r->vcpu, code);
	vcpu_regs(r->vcpu, &regs);
	regs.rdi = HI + first * PAGE_SIZE;
	regs.rsi = pages;
	vcpu_set_regs(r->vcpu, &regs);
}

/* Write pages one after the other, to the end. */
static void guest_write(struct ring *r, u64 first, u64 pages)
{
	start(r, sweep, first, pages);
	if (vcpu_ucall(r->vcpu).cmd != UCALL_SYNC)
		die("the guest did not come to its end");
}

/* Take everything out, so that all pages are read-only and the rings empty. */
static void drain(struct _test_data_ring *self)
{
	int n = 0;

	for (int i = 0; i < 2; i++)
		n += collect(&self->r[i], NULL, ENTRIES);
	if (reset(self->vm) < n || reset(self->vm))
		die("reset");
	memset(self->seen, 0, PAGES);
}

/* ------------------------------------------------------------ how to get one */

TEST(sizes)
{
	u32 max = dev_cap(KVM_CAP_DIRTY_LOG_RING);
	struct vm *vm = vm_bare();

	ASSERT_EQ(65536 * ENTRY, max);
	EXPECT_EQ(max, (u32)vm_cap(vm, KVM_CAP_DIRTY_LOG_RING));
	EXPECT_EQ(max, (u32)dev_cap(KVM_CAP_DIRTY_LOG_RING_ACQ_REL));
	EXPECT_EQ(-EINVAL, reset(vm));
	EXPECT_EQ(-EINVAL, enable(vm, 0));
	EXPECT_EQ(-EINVAL, enable(vm, 1));
	EXPECT_EQ(-EINVAL, enable(vm, RSVD * ENTRY));	/* 1024: below a page */
	EXPECT_EQ(-EINVAL, enable(vm, PAGE_SIZE / 2));
	EXPECT_EQ(-EINVAL, enable(vm, 3 * PAGE_SIZE));
	EXPECT_EQ(-EINVAL, enable(vm, ENTRIES * ENTRY + 16));
	EXPECT_EQ(-E2BIG, enable(vm, 2 * max));
	EXPECT_EQ(-E2BIG, enable(vm, 1UL << 31));
	EXPECT_EQ(-EINVAL, enable(vm, 1UL << 32));	/* as KVM has it: 32 bits count */
	EXPECT_EQ(-EINVAL, vm_enable_cap(vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, 3 * PAGE_SIZE));
	EXPECT_EQ(-EINVAL, reset(vm));			/* nothing of this was taken */
	EXPECT_EQ(0, enable(vm, max));
	EXPECT_EQ(-EINVAL, enable(vm, max));		/* once */
	EXPECT_EQ(-EINVAL, vm_enable_cap(vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, max));
	EXPECT_EQ(-E2BIG, enable(vm, 2 * max));
	EXPECT_EQ(0, reset(vm));
	vm_free(vm);

	vm = vm_bare();
	EXPECT_EQ(0, vm_enable_cap(vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, max));
	EXPECT_EQ(0, reset(vm));
	vm_free(vm);
}

TEST(not_after_a_vcpu)
{
	struct vm *vm = vm_new();

	vcpu_bare(vm, 0);
	EXPECT_EQ(-EINVAL, enable(vm, ENTRIES * ENTRY));
	EXPECT_EQ(-E2BIG, enable(vm, 1 << 21));
	EXPECT_EQ(-EINVAL, reset(vm));
	vm_free(vm);
}

/* What is behind a page of the vCPU's file: is it there?  In a child: SIGBUS. */
static bool page_is_there(struct vcpu *vcpu, off_t offset)
{
	volatile char *p = map_ring(vcpu, PAGE_SIZE, PROT_READ, MAP_SHARED, offset);
	int status;
	pid_t pid;

	if (p == MAP_FAILED)
		die("mmap at %#lx: %s", offset, strerror(errno));
	pid = fork();
	if (!pid) {
		signal(SIGBUS, SIG_DFL);
		(void)*p;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	munmap((void *)p, PAGE_SIZE);
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGBUS)
		die("signal %d", WTERMSIG(status));
	return !WIFSIGNALED(status);
}

TEST_F(ring, where_it_is_mapped)
{
	const int rw = PROT_READ | PROT_WRITE;
	struct vcpu *vcpu = self->r[0].vcpu;
	size_t bytes = ENTRIES * ENTRY;
	void *p;

	EXPECT_TRUE(page_is_there(vcpu, OFFSET));
	EXPECT_TRUE(page_is_there(vcpu, OFFSET + bytes - PAGE_SIZE));
	EXPECT_FALSE(page_is_there(vcpu, OFFSET + bytes));
	EXPECT_FALSE(page_is_there(vcpu, OFFSET - PAGE_SIZE));
	EXPECT_FALSE(page_is_there(vcpu, OFFSET + (1UL << 40)));

	EXPECT_EQ(MAP_FAILED, map_ring(vcpu, bytes, rw, MAP_PRIVATE, OFFSET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_ring(vcpu, bytes, PROT_READ, MAP_PRIVATE, OFFSET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_ring(vcpu, bytes, rw | PROT_EXEC, MAP_SHARED, OFFSET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_ring(vcpu, PAGE_SIZE, PROT_READ, MAP_PRIVATE,
				       OFFSET + bytes - PAGE_SIZE));
	/* One end in the ring is enough. */
	EXPECT_EQ(MAP_FAILED, map_ring(vcpu, 2 * PAGE_SIZE, rw, MAP_PRIVATE,
				       OFFSET - PAGE_SIZE));
	EXPECT_EQ(MAP_FAILED, map_ring(vcpu, 2 * PAGE_SIZE, rw, MAP_PRIVATE,
				       OFFSET + bytes - PAGE_SIZE));
	p = map_ring(vcpu, PAGE_SIZE, rw, MAP_PRIVATE, OFFSET + bytes);
	EXPECT_NE(MAP_FAILED, p);
	munmap(p, PAGE_SIZE);
	p = map_ring(vcpu, PAGE_SIZE, rw, MAP_PRIVATE, 0);	/* as ever */
	EXPECT_NE(MAP_FAILED, p);
	munmap(p, PAGE_SIZE);
}

TEST(no_ring_is_mapped_without_the_capability)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_bare(vm, 0);

	EXPECT_FALSE(page_is_there(vcpu, OFFSET));
	vm_free(vm);
}

TEST_F(ring, the_bitmap_is_closed)
{
	u64 bitmap[PAGES / 64];
	struct kvm_dirty_log get = { .slot = SLOT, .dirty_bitmap = bitmap };
	struct kvm_clear_dirty_log clear = {
		.slot = SLOT, .num_pages = PAGES, .dirty_bitmap = bitmap,
	};

	EXPECT_EQ(-ENXIO, kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, &get));
	EXPECT_EQ(-ENXIO, kioctlp(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &clear));
	get.slot = 77;
	EXPECT_EQ(-ENXIO, kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, &get));
}

/* --------------------------------------------------------- what is in it, when */

TEST_F(ring, exact)
{
	struct ring *r = &self->r[0];

	for (u64 round = 0; round < 4; round++) {
		guest_write(r, 10 + round, 200);
		memset(self->seen, 0, PAGES);
		EXPECT_EQ(200, collect(r, self->seen, ENTRIES));
		for (u64 p = 0; p < PAGES; p++) {
			ASSERT_EQ(p >= 10 + round && p < 210 + round, self->seen[p])
				TH_LOG("round %lu: page %lu", round, p);
		}
		EXPECT_EQ(NULL, ring_peek(&self->r[1]));
		EXPECT_EQ(200, reset(self->vm));
		EXPECT_EQ(0, reset(self->vm));
	}
	EXPECT_EQ(4, *(u64 *)(self->mem + 100 * PAGE_SIZE));
}

TEST_F(ring, reads_and_second_writes_are_not)
{
	struct ring *r = &self->r[0];

	start(r, sweep_read, 0, 300);
	EXPECT_UCALL(r->vcpu, UCALL_SYNC);
	EXPECT_EQ(NULL, ring_peek(r));
	guest_write(r, 7, 1);
	guest_write(r, 7, 1);
	guest_write(r, 7, 1);
	EXPECT_EQ(1, collect(r, self->seen, ENTRIES));
	EXPECT_EQ(1, self->seen[7]);
	/* Reaped, but not reset: still writable. */
	guest_write(r, 7, 1);
	EXPECT_EQ(0, collect(r, self->seen, ENTRIES));
	EXPECT_EQ(1, reset(self->vm));
	guest_write(r, 7, 1);
	EXPECT_EQ(1, collect(r, self->seen, ENTRIES));
	EXPECT_EQ(5, *(u64 *)(self->mem + 7 * PAGE_SIZE));
}

/* Entries go back in the order they came; one that stays keeps those behind it. */
TEST_F(ring, reset_of_a_part)
{
	struct ring *r = &self->r[0];
	u8 first[PAGES] = { };
	u64 fifty;

	guest_write(r, 0, 100);
	EXPECT_EQ(0, reset(self->vm));			/* none is reaped */
	fifty = r->e[50].offset;
	EXPECT_EQ(40, collect(r, first, 40));
	memcpy(self->seen, first, PAGES);
	__atomic_store_n(&r->e[50].flags, RESET, __ATOMIC_RELEASE);
	EXPECT_EQ(40, reset(self->vm));
	for (int i = 0; i < 40; i++)
		EXPECT_EQ(0, flags_of(&r->e[i]));
	EXPECT_EQ(DIRTY, flags_of(&r->e[40]));
	EXPECT_EQ(RESET, flags_of(&r->e[50]));
	/* Of all 100 pages, those of the first 40 entries are seen again. */
	guest_write(r, 0, 100);
	EXPECT_EQ(DIRTY, flags_of(&r->e[139]));
	EXPECT_EQ(0, flags_of(&r->e[140]));
	EXPECT_EQ(10, collect(r, self->seen, 10));
	r->next++;					/* entry 50 */
	EXPECT_EQ(89, collect(r, self->seen, ENTRIES));
	EXPECT_EQ(100, reset(self->vm));
	for (u64 p = 0; p < 100; p++)
		EXPECT_EQ(first[p] ? 2 : p == fifty ? 0 : 1, self->seen[p]);
}

/* The ring's own words begin at any place: it goes round a few times. */
TEST_F(ring, round_and_round)
{
	struct ring *r = &self->r[0];
	u64 at = 0, n;

	for (int i = 0; i < 40; i++, at = (at + n) % (PAGES - 400)) {
		n = 100 + 7 * i;
		if (n > 300)
			n -= 190;
		memset(self->seen, 0, PAGES);
		guest_write(r, at, n);
		ASSERT_EQ((int)n, collect(r, self->seen, ENTRIES));
		for (u64 p = 0; p < PAGES; p++)
			ASSERT_EQ(p >= at && p < at + n, self->seen[p]);
		ASSERT_EQ((int)n, reset(self->vm));
	}
	EXPECT_LT(3 * ENTRIES, r->next);
}

/* Each vCPU's writes are in its own ring, and a page that both write in at least one. */
TEST_F(ring, two_vcpus)
{
	for (int round = 0; round < 3; round++) {
		guest_write(&self->r[0], 0, 200);
		guest_write(&self->r[1], 500, 100);
		EXPECT_EQ(200, collect(&self->r[0], self->seen, ENTRIES));
		EXPECT_EQ(100, collect(&self->r[1], self->seen, ENTRIES));
		EXPECT_EQ(300, reset(self->vm));
	}
	for (u64 p = 0; p < PAGES; p++)
		EXPECT_EQ(p < 200 || (p >= 500 && p < 600) ? 3 : 0, self->seen[p]);
}

/* ------------------------------------------------------------------ it is full */

TEST_F(ring, full)
{
	struct ring *r = &self->r[0];
	u32 exits = 0, total = 0;
	bool pml = false;
	struct kvm_regs before, after;

	start(r, sweep, 0, PAGES);
	for (;;) {
		u32 reason = vcpu_exit(r->vcpu);
		u32 n;

		if (reason != KVM_EXIT_DIRTY_RING_FULL) {
			ASSERT_EQ(KVM_EXIT_IO, reason);
			break;
		}
		exits++;
		/* Nothing moves until there is room, however often it is tried. */
		vcpu_regs(r->vcpu, &before);
		for (int i = 0; i < 3; i++)
			ASSERT_EQ(KVM_EXIT_DIRTY_RING_FULL, vcpu_exit(r->vcpu));
		vcpu_regs(r->vcpu, &after);
		ASSERT_EQ(0, memcmp(&before, &after, sizeof(after)));

		n = collect(r, self->seen, ENTRIES);
		/* Reaped is not reset. */
		ASSERT_EQ(KVM_EXIT_DIRTY_RING_FULL, vcpu_exit(r->vcpu));
		ASSERT_EQ((int)n, reset(self->vm));
		/* A CPU that logs by itself has as much room again, and exits less exactly. */
		if (exits == 1)
			pml = n < ENTRIES - RSVD;
		if (!pml)
			ASSERT_EQ(ENTRIES - RSVD, n);
		ASSERT_LE(ENTRIES - RSVD - PML, n);
		ASSERT_GE(ENTRIES - RSVD, n);
		total += n;
	}
	total += collect(r, self->seen, ENTRIES);
	EXPECT_LE(1, exits);
	for (u64 p = 0; p < PAGES; p++)
		ASSERT_LE(1, self->seen[p]);
	/* The write that filled the ring was not done yet: it may have faulted again. */
	EXPECT_LE(PAGES, total);
	EXPECT_GE(PAGES + exits, total);
	for (u64 p = 0; p < PAGES; p++)
		ASSERT_EQ(1, *(u64 *)(self->mem + p * PAGE_SIZE));
}

/* A full ring stops the vCPU it belongs to, and no other. */
TEST_F(ring, full_is_one_vcpus)
{
	start(&self->r[0], sweep, 0, PAGES);
	EXPECT_EXIT(self->r[0].vcpu, KVM_EXIT_DIRTY_RING_FULL);
	guest_write(&self->r[1], 0, 100);
	EXPECT_EXIT(self->r[0].vcpu, KVM_EXIT_DIRTY_RING_FULL);
	self->r[0].vcpu->run->immediate_exit = 1;
	EXPECT_EQ(-EINTR, vcpu_run(self->r[0].vcpu));
}

/* Calls that make the kernel write go on, beyond the limit; it stays in its bounds. */
TEST_F(ring, full_to_the_last_entry)
{
	struct ring *r = &self->r[0];
	int n;

	if (dev_is_stock())
		SKIP(return, "the stock KVM warns and writes over old entries");
	start(r, sweep, 0, PAGES);
	EXPECT_EXIT(r->vcpu, KVM_EXIT_DIRTY_RING_FULL);
	for (u32 i = 0; i < 2 * ENTRIES; i++)
		ASSERT_EQ(1, vcpu_set_msr(r->vcpu, MSR_WALL_CLOCK,
					  HI + (PAGES - 1 - i % 8) * PAGE_SIZE));
	EXPECT_LT(0, module_counter("dirty_ring_lost"));
	n = collect(r, self->seen, 2 * ENTRIES);
	EXPECT_EQ((int)ENTRIES, n);
	EXPECT_EQ(NULL, ring_peek(&self->r[1]));
	EXPECT_EQ(n, reset(self->vm));
	drain(self);
	guest_write(r, 5, 20);
	EXPECT_EQ(20, collect(r, self->seen, ENTRIES));
}

/* ---------------------------------------------------------- who else writes */

TEST_F(ring, emulated_writes)
{
	struct ring *r = &self->r[0];

	for (size_t i = 0; i < ARRAY_SIZE(emulated_writes); i++) {
		const struct emulated_write *w = &emulated_writes[i];

		drain(self);
		start(r, w->code, 10, 0);
		while (vcpu_exit(r->vcpu) != KVM_EXIT_HLT)
			collect(r, self->seen, ENTRIES);
		collect(r, self->seen, ENTRIES);
		for (u64 p = 0; p < PAGES; p++) {
			EXPECT_EQ(p >= w->from && p <= w->to, !!self->seen[p])
				TH_LOG("%s: page %lu", w->name, p);
		}
	}
}

/* The CPU's own writes to a page table: accessed and dirty bits. */
TEST_F(ring, page_table_walks)
{
	struct ring *r = &self->r[0];
	struct kvm_sregs s;

	memcpy(self->mem, vm_ptr(self->vm, GPA_PML4), PAGE_SIZE);
	*(u64 *)self->mem &= ~0x20ULL;
	start(r, sweep_read, 5, 1);
	vcpu_sregs(r->vcpu, &s);
	s.cr3 = HI;
	ASSERT_EQ(0, vcpu_set_sregs(r->vcpu, &s));
	EXPECT_UCALL(r->vcpu, UCALL_SYNC);
	EXPECT_LE(1, collect(r, self->seen, ENTRIES));
	EXPECT_LE(1, self->seen[0]);
	/* The stock KVM of 6.12 may open the page that is read: it tells of that as well. */
	for (u64 p = 1; p < PAGES; p++)
		EXPECT_FALSE(self->seen[p] && !(dev_is_stock() && p == 5));
	EXPECT_EQ(0x20, *(u64 *)self->mem & 0x20);
}

/*
 * Paravirtual clocks: an MSR of userspace's makes the kernel write at once (wall clock)
 * or at the next KVM_RUN (system time, steal time).
 */
TEST_F(ring, clocks)
{
	static const struct {
		const char *name;
		u32 msr;
		u64 page, enable;
	} t[] = {
		{ "wall clock", MSR_WALL_CLOCK, 20, 0 },
		{ "system time", MSR_SYSTEM_TIME, 21, 1 },
		{ "steal time", MSR_STEAL_TIME, 22, 1 },
	};
	struct ring *r = &self->r[1];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		if (t[i].msr == MSR_STEAL_TIME && !dev_cap(KVM_CAP_STEAL_TIME))
			continue;
		drain(self);
		ASSERT_EQ(1, vcpu_set_msr(r->vcpu, t[i].msr,
					  (HI + t[i].page * PAGE_SIZE) | t[i].enable))
			TH_LOG("%s", t[i].name);
		start(r, sweep_read, 0, 1);
		EXPECT_UCALL(r->vcpu, UCALL_SYNC);
		EXPECT_LE(1, collect(r, self->seen, ENTRIES))
			TH_LOG("%s", t[i].name);
		EXPECT_NE(0, self->seen[t[i].page])
			TH_LOG("%s", t[i].name);
		for (u64 p = 0; p < PAGES; p++)
			EXPECT_TRUE(!self->seen[p] || (p >= 20 && p <= t[i].page));
		EXPECT_EQ(0, collect(&self->r[0], NULL, ENTRIES));
		ASSERT_EQ(1, vcpu_set_msr(r->vcpu, t[i].msr, 0));
	}
}

/* Software's writes to a page that was reaped, but not reset, are new ones. */
TEST_F(ring, written_again_before_the_reset)
{
	struct ring *r = &self->r[0];

	for (int i = 0; i < 5; i++) {
		memset(self->seen, 0, PAGES);
		ASSERT_EQ(1, vcpu_set_msr(r->vcpu, MSR_WALL_CLOCK, HI + 20 * PAGE_SIZE));
		EXPECT_LE(1, collect(r, self->seen, ENTRIES));
		EXPECT_LE(1, self->seen[20]);
	}
	EXPECT_LE(5, reset(self->vm));
}

/* ------------------------------------------------------------------ the slots */

static int slot_is(struct _test_data_ring *self, u32 flags, u64 gpa, u64 pages)
{
	return vm_slot(self->vm, SLOT, flags, gpa, pages * PAGE_SIZE, self->mem);
}

TEST_F(ring, slot_deleted_and_made_again)
{
	struct ring *r = &self->r[0];

	guest_write(r, PAGES - 200, 200);
	ASSERT_EQ(0, slot_is(self, 0, 0, 0));
	EXPECT_EQ(200, collect(r, self->seen, ENTRIES));
	EXPECT_EQ(200, reset(self->vm));		/* of a slot that is gone */
	ASSERT_EQ(0, slot_is(self, LOG, HI, PAGES));
	guest_write(r, 100, 200);
	/* As a smaller one: the entries are beyond its end, in part. */
	ASSERT_EQ(0, slot_is(self, 0, 0, 0));
	ASSERT_EQ(0, slot_is(self, LOG, HI, 150));
	guest_write(r, 0, 150);
	EXPECT_EQ(350, collect(r, self->seen, ENTRIES));
	EXPECT_EQ(350, reset(self->vm));
	memset(self->seen, 0, PAGES);
	guest_write(r, 0, 150);
	EXPECT_EQ(150, collect(r, self->seen, ENTRIES));
	for (u64 p = 0; p < 150; p++)
		EXPECT_EQ(1, self->seen[p]);
}

TEST_F(ring, slot_moved)
{
	struct ring *r = &self->r[0];
	const u64 to = 1024;

	guest_write(r, 0, 100);
	ASSERT_EQ(0, slot_is(self, LOG, HI + to * PAGE_SIZE, PAGES));
	guest_write(r, to, 100);			/* the same offsets */
	EXPECT_EQ(200, collect(r, self->seen, ENTRIES));
	for (u64 p = 0; p < PAGES; p++)
		EXPECT_EQ(p < 100 ? 2 : 0, self->seen[p]);
	EXPECT_EQ(200, reset(self->vm));
	guest_write(r, to + 50, 100);
	EXPECT_EQ(100, collect(r, self->seen, ENTRIES));
	EXPECT_EQ(1, self->seen[149]);
}

TEST_F(ring, flag_toggles)
{
	struct ring *r = &self->r[0];

	for (int round = 0; round < 3; round++) {
		guest_write(r, 0, 80);
		EXPECT_EQ(80, collect(r, self->seen, 80));
		ASSERT_EQ(0, slot_is(self, 0, HI, PAGES));
		EXPECT_EQ(80, reset(self->vm));		/* keeps no log any more */
		guest_write(r, 0, 300);
		EXPECT_EQ(0, collect(r, self->seen, ENTRIES));
		ASSERT_EQ(0, slot_is(self, LOG, HI, PAGES));
		guest_write(r, 40, 40);
		EXPECT_EQ(40, collect(r, self->seen, ENTRIES));
		ASSERT_EQ(40, reset(self->vm));
		drain(self);
	}
}

/* Initially-all-set means bitmaps: a ring begins empty, and misses nothing. */
TEST_F(ring, initially_set_is_not_for_rings)
{
	struct ring *r = &self->r[0];

	if (dev_is_stock())
		SKIP(return, "the stock KVM then does not see the first write");
	ASSERT_EQ(0, vm_enable_cap(self->vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 3));
	ASSERT_EQ(0, slot_is(self, 0, HI, PAGES));
	guest_write(r, 0, 50);
	ASSERT_EQ(0, slot_is(self, LOG, HI, PAGES));
	guest_write(r, 0, 50);
	EXPECT_EQ(50, collect(r, self->seen, ENTRIES));
}

/* ---------------------------------------------------------- a VMM out of its mind */

/* A ring full of @fill is reset, then works as ever.  Returns what the reset said. */
static int garbage(struct _test_data_ring *self, u32 flags, u32 slot, u64 offset)
{
	struct ring *r = &self->r[0];
	int n;

	drain(self);
	/* What was given back under a wrong name is still writable. */
	if (slot_is(self, 0, HI, PAGES) || slot_is(self, LOG, HI, PAGES))
		die("KVM_SET_USER_MEMORY_REGION");
	guest_write(r, 0, 100);
	for (u32 i = 0; i < ENTRIES; i++)
		r->e[i] = (struct kvm_dirty_gfn){ flags, slot, offset + 64 * i };
	n = reset(self->vm);
	/* Make of it a ring again: everything that was pushed goes back. */
	for (u32 i = 0; i < ENTRIES; i++)
		r->e[i] = (struct kvm_dirty_gfn){ RESET, SLOT, i };
	n += reset(self->vm);
	memset(r->e, 0, ENTRIES * ENTRY);
	r->next += 100;
	return n;
}

TEST_F(ring, garbage)
{
	static const struct {
		u32 flags, slot;
		u64 offset;
	} t[] = {
		{ ~0u, ~0u, ~0ULL },
		{ RESET, SLOT, ~0ULL },
		{ RESET, SLOT, ~0ULL - 63 },
		{ RESET, SLOT, PAGES - 1 },
		{ RESET, SLOT, PAGES },
		{ RESET, SLOT, 1ULL << 63 },
		{ RESET, SLOT, 1ULL << 52 },
		{ RESET, 77, 0 },
		{ RESET, 32764, 0 },
		{ RESET, 0xffff, 0 },
		{ RESET, 1 << 16 | SLOT, 0 },
		{ RESET, 2 << 16 | SLOT, 0 },
		{ RESET, 0x7fffu << 16 | SLOT, 0 },
		{ RESET, 0, 0 },		/* a slot without a log */
		{ 0, 0, 0 },
		{ ~(u32)RESET, ~0u, 5 },
	};
	struct ring *r = &self->r[0];

	if (dev_is_stock())
		SKIP(return, "the stock KVM takes back what it never pushed, and so is stuck");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		EXPECT_EQ(100, garbage(self, t[i].flags, t[i].slot, t[i].offset))
			TH_LOG("flags %#x, slot %#x, offset %#lx", t[i].flags, t[i].slot,
			       t[i].offset);
		guest_write(r, 1000, 100);
		ASSERT_EQ(100, collect(r, NULL, ENTRIES));
	}
}

static volatile bool stop;

/* Writes whatever comes to mind into the rings. */
static void *scribble(void *arg)
{
	struct ring *r = arg;
	u64 x = 88172645463325252ULL;

	while (!stop) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		r[x & 1].e[x >> 8 & (ENTRIES - 1)] = (struct kvm_dirty_gfn){
			x >> 20 & 3, (x >> 22 & 3) ? SLOT : x >> 24,
			x >> 23 & 1 ? x >> 30 & (PAGES - 1) : x };
		if (!(x >> 40 & 0xfff))
			usleep(100);
	}
	return NULL;
}

static GUEST_FN void guest_writer(u64 n)
{
	u64 x = n * 12345 + 1;

	for (u64 i = 1;; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		*(volatile u64 *)(HI + (x >> 33) % PAGES * PAGE_SIZE + 8 * n) = i;
	}
}

static void *writer_thread(void *arg)
{
	struct vcpu *vcpu = arg;

	while (!stop) {
		int ret = vcpu_run(vcpu);

		if (ret && ret != -EINTR)
			die("KVM_RUN: %s", strerror(-ret));
		if (!ret && vcpu->run->exit_reason != KVM_EXIT_DIRTY_RING_FULL)
			die("exit %s", exit_name(vcpu->run->exit_reason));
		if (!ret)
			usleep(500);
	}
	return NULL;
}

static void start_writers(struct ring *r, pthread_t t[2])
{
	struct kvm_regs regs;

	stop = false;
	alarm_handler();
	for (int i = 0; i < 2; i++) {
		vcpu_long(r[i].vcpu, guest_writer);
		vcpu_regs(r[i].vcpu, &regs);
		regs.rdi = i + 1;
		vcpu_set_regs(r[i].vcpu, &regs);
		pthread_create(&t[i], NULL, writer_thread, r[i].vcpu);
	}
}

static void stop_writers(struct ring *r, pthread_t t[2])
{
	stop = true;
	for (int i = 0; i < 2; i++) {
		r[i].vcpu->run->immediate_exit = 1;
		pthread_kill(t[i], SIGALRM);
		pthread_join(t[i], NULL);
		r[i].vcpu->run->immediate_exit = 0;
	}
}

TEST_F(ring, scribbled_while_it_runs)
{
	pthread_t t[2], s;

	if (dev_is_stock())
		SKIP(return, "the stock KVM takes back what it never pushed");
	start_writers(self->r, t);
	pthread_create(&s, NULL, scribble, self->r);
	for (int i = 0; i < 200; i++) {
		int n = reset(self->vm);

		ASSERT_LE(0, n);
		ASSERT_GE(2 * (int)ENTRIES, n);
		if (i % 16 == 0)
			usleep(500);
	}
	stop_writers(self->r, t);
	pthread_join(s, NULL);
}

/* --------------------------------------------------------- nothing is ever lost */

/* Copy what the rings say, after they were reset.  Returns the number of entries. */
static int follow(struct _test_data_ring *self, u8 *copy)
{
	int n = 0;

	memset(self->seen, 0, PAGES);
	for (int i = 0; i < 2; i++)
		n += collect(&self->r[i], self->seen, ENTRIES);
	if (reset(self->vm) != n)
		die("reset");
	for (u64 p = 0; p < PAGES; p++) {
		if (self->seen[p])
			memcpy(copy + p * PAGE_SIZE, self->mem + p * PAGE_SIZE, PAGE_SIZE);
	}
	return n;
}

TEST_F(ring, migration_copy_is_exact)
{
	u8 *copy = vm_anon(PAGES * PAGE_SIZE);
	int passes = 0, rounds = 60, n;
	pthread_t t[2];

	memcpy(copy, self->mem, PAGES * PAGE_SIZE);
	start_writers(self->r, t);
	for (int round = 0; round < rounds; round++) {
		usleep(2000);
		passes += follow(self, copy) > 0;
	}
	stop_writers(self->r, t);
	/* What a CPU has logged by itself comes with its exit, which was just now. */
	n = follow(self, copy);
	EXPECT_EQ(0, follow(self, copy));
	EXPECT_LT(2, passes);
	EXPECT_EQ(0, memcmp(copy, self->mem, PAGES * PAGE_SIZE))
		TH_LOG("%d entries in the last pass", n);
	munmap(copy, PAGES * PAGE_SIZE);
}

/* A VMM that is killed in the middle of it: the module must come out of use after. */
TEST(killed)
{
	for (int i = 0; i < 5; i++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			struct ring r[2];
			pthread_t t[2];
			u8 *mem;
			struct vm *vm = vm_with_rings(ENTRIES, r, 2, &mem);

			start_writers(r, t);
			for (;;) {
				collect(&r[0], NULL, ENTRIES);
				collect(&r[1], NULL, ENTRIES);
				reset(vm);
			}
		}
		usleep(100000 + 7000 * i);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
}

TEST_HARNESS_MAIN
