// SPDX-License-Identifier: GPL-2.0
/*
 * memslot_test - guest memory as the VMM lays it out
 *
 * Guards: every geometry error gets its errno and changes nothing; a slot that
 * is created, moved, deleted or made read-only takes effect for the very next
 * access, also while the vCPU runs; what no slot covers is MMIO, not data; many
 * slots are all found.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

#define HI	0x40000000UL		/* above the fixture's RAM, mapped 1:1 */

FIXTURE(slots) {
	struct vm *vm;
	struct vcpu *vcpu;
	u8 *mem;			/* 16 pages, in no slot */
};

/* RDI = address, RSI = value.  Loops: store to it, load from it, report. */
ASM_GUEST(load_at, "1: mov (%rdi), %rsi; mov $0x3e8, %edx; mov $2, %eax\n"
	  "out %eax, %dx; jmp 1b\n");
ASM_GUEST(store_at, "1: mov %rsi, (%rdi); mov $0x3e8, %edx; mov $2, %eax\n"
	  "out %eax, %dx; jmp 1b\n");

FIXTURE_SETUP(slots)
{
	self->vcpu = vm_long(load_at);
	self->vm = self->vcpu->vm;
	self->mem = vm_anon(16 * PAGE_SIZE);
	for (u64 i = 0; i < 16; i++)
		*(u64 *)(self->mem + i * PAGE_SIZE) = 0x1000 + i;
}

FIXTURE_TEARDOWN(slots)
{
	vm_free(self->vm);
	munmap(self->mem, 16 * PAGE_SIZE);
}

static void point(struct vcpu *vcpu, void *code, u64 addr, u64 val)
{
	struct kvm_regs r;

	vcpu->run->immediate_exit = 1;		/* finish what is pending */
	vcpu_run(vcpu);
	vcpu->run->immediate_exit = 0;
	vcpu_regs(vcpu, &r);
	r.rip = (u64)code;
	r.rdi = addr;
	r.rsi = val;
	vcpu_set_regs(vcpu, &r);
}

/* What a load from this address gives the guest; MMIO reads as 0x3333.... */
#define MMIO_VALUE 0x3333333333333333ULL
static u64 guest_load(struct vcpu *vcpu, u64 addr)
{
	struct mmio_log log = { .pattern = MMIO_VALUE };
	struct ucall uc;

	point(vcpu, load_at, addr, 0);
	uc = vcpu_mmio(vcpu, &log);
	if (uc.cmd != UCALL_SYNC)
		die("load of %#lx: %s", addr, exit_name(vcpu->run->exit_reason));
	return uc.b;
}

/* True if a store to this address went to a device. */
static bool store_exits(struct vcpu *vcpu, u64 addr, u64 val)
{
	struct mmio_log log = { 0 };

	point(vcpu, store_at, addr, val);
	if (vcpu_mmio(vcpu, &log).cmd != UCALL_SYNC)
		die("store to %#lx: %s", addr, exit_name(vcpu->run->exit_reason));
	if (!log.n)
		return false;
	if (log.n != 1 || !log.e[0].write || log.e[0].addr != addr ||
	    log.e[0].len != 8 || log.e[0].data != val)
		die("store to %#lx became %d exits", addr, log.n);
	return true;
}

/* -------------------------------------------------------------- geometry */

TEST_F(slots, geometry_errors)
{
	u64 p = PAGE_SIZE;
	u8 *m = self->mem;
	int nslots = vm_cap(self->vm, KVM_CAP_NR_MEMSLOTS);
	int spaces = vm_cap(self->vm, KVM_CAP_MULTI_ADDRESS_SPACE) ?: 1;
	const struct {
		const char *what;
		u32 slot, flags;
		u64 gpa, size;
		void *hva;
		int want;
	} bad[] = {
		{ "gpa misaligned", 5, 0, HI + 1, p, m, -EINVAL },
		{ "gpa misaligned by 2048", 5, 0, HI + 2048, p, m, -EINVAL },
		{ "size misaligned", 5, 0, HI, p + 1, m, -EINVAL },
		{ "size below a page", 5, 0, HI, 512, m, -EINVAL },
		{ "hva misaligned", 5, 0, HI, p, m + 1, -EINVAL },
		{ "gpa wraps", 5, 0, -p, 2 * p, m, -EINVAL },
		{ "gpa wraps to 0", 5, 0, -p, p, m, -EINVAL },
		{ "hva in the kernel", 5, 0, HI, p, (void *)0xffff888000000000, -EINVAL },
		{ "hva not canonical", 5, 0, HI, p, (void *)(1UL << 62), -EINVAL },
		{ "hva runs into the kernel", 5, 0, HI, 1UL << 47, m, -EINVAL },
		{ "2^31 pages", 5, 0, HI, 1UL << 43, m, -EINVAL },
		{ "slot number", nslots, 0, HI, p, m, -EINVAL },
		{ "slot number, high", 0x7fff, 0, HI, p, m, -EINVAL },
		{ "address space", spaces << 16 | 5, 0, HI, p, m, -EINVAL },
		{ "address space, high", 0xffff0005, 0, HI, p, m, -EINVAL },
		{ "flags", 5, 4, HI, p, m, -EINVAL },
		{ "flags, high", 5, 0x80000000, HI, p, m, -EINVAL },
		{ "overlap: inside", 5, 0, 0x200000, p, m, -EEXIST },
		{ "overlap: the end", 5, 0, RAM_SIZE - p, 4 * p, m, -EEXIST },
		{ "overlap: around", 5, 0, 0, 2 * RAM_SIZE, m, -EEXIST },
		{ "resize", 0, 0, 0, RAM_SIZE / 2, self->vm->ram, -EINVAL },
		{ "another hva", 0, 0, 0, RAM_SIZE, m, -EINVAL },
		{ "read-only toggle", 0, KVM_MEM_READONLY, 0, RAM_SIZE, self->vm->ram, -EINVAL },
		{ "delete what is not", 5, 0, HI, 0, m, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(bad[i].want, vm_slot(self->vm, bad[i].slot, bad[i].flags,
					       bad[i].gpa, bad[i].size, bad[i].hva))
			TH_LOG("%s", bad[i].what);
	}
	EXPECT_EQ(-EFAULT, kioctlp(self->vm->fd, KVM_SET_USER_MEMORY_REGION, 8));
	/* Nothing of that was half applied. */
	EXPECT_EQ(MMIO_VALUE, guest_load(self->vcpu, HI));
	*(u64 *)vm_ptr(self->vm, GPA_DATA) = 0x77;
	EXPECT_EQ(0x77, guest_load(self->vcpu, GPA_DATA));
	EXPECT_FALSE(store_exits(self->vcpu, GPA_DATA, 0x78));
}

/* Neighbours that touch do not overlap; the last slot number is good. */
/* As <linux/kvm.h> has it since 6.8. */
struct region2 {
	__u32 slot, flags;
	__u64 gpa, size, hva;
	__u64 unused[16];		/* guest_memfd's */
};

#define REGION2		_IOW(KVMIO, 0x49, struct region2)
#define MEM_GUEST_MEMFD	4U

TEST_F(slots, region2)
{
	struct region2 r = { .slot = 5, .gpa = HI, .size = PAGE_SIZE, .hva = (u64)self->mem };

	if (!vm_cap(self->vm, 231))
		SKIP(return, "no KVM_CAP_USER_MEMORY2");
	EXPECT_EQ(0, kioctlp(self->vm->fd, REGION2, &r));
	EXPECT_EQ(0x1000UL, guest_load(self->vcpu, HI));
	r.gpa += PAGE_SIZE;
	r.slot = 6;
	r.flags = MEM_GUEST_MEMFD;
	EXPECT_EQ(-EINVAL, kioctlp(self->vm->fd, REGION2, &r));
	EXPECT_EQ(MMIO_VALUE, guest_load(self->vcpu, HI + PAGE_SIZE));
	EXPECT_EQ(-EFAULT, kioctlp(self->vm->fd, REGION2, 8));
	r = (struct region2){ .slot = 5 };
	EXPECT_EQ(0, kioctlp(self->vm->fd, REGION2, &r));
	EXPECT_EQ(MMIO_VALUE, guest_load(self->vcpu, HI));
}

TEST_F(slots, neighbours)
{
	int last = vm_cap(self->vm, KVM_CAP_NR_MEMSLOTS) - 1;

	EXPECT_EQ(0, vm_slot(self->vm, 5, 0, HI, PAGE_SIZE, self->mem));
	EXPECT_EQ(0, vm_slot(self->vm, 6, 0, HI + PAGE_SIZE, PAGE_SIZE,
			     self->mem + PAGE_SIZE));
	EXPECT_EQ(0, vm_slot(self->vm, last, 0, HI - PAGE_SIZE, PAGE_SIZE,
			     self->mem + 2 * PAGE_SIZE));
	EXPECT_EQ(0x1000, guest_load(self->vcpu, HI));
	EXPECT_EQ(0x1001, guest_load(self->vcpu, HI + PAGE_SIZE));
	EXPECT_EQ(0x1002, guest_load(self->vcpu, HI - PAGE_SIZE));
	EXPECT_EQ(MMIO_VALUE, guest_load(self->vcpu, HI + 2 * PAGE_SIZE));
	/* Two slots may share host memory. */
	EXPECT_EQ(0, vm_slot(self->vm, 7, 0, HI + 0x10000, PAGE_SIZE, self->mem));
	EXPECT_FALSE(store_exits(self->vcpu, HI + 0x10000, 0x99));
	EXPECT_EQ(0x99, guest_load(self->vcpu, HI));
}

/* ------------------------------------------------------- create and delete */

TEST_F(slots, create_delete)
{
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(MMIO_VALUE, guest_load(self->vcpu, HI));
		ASSERT_EQ(0, vm_slot(self->vm, 5, 0, HI, PAGE_SIZE,
				     self->mem + i * PAGE_SIZE));
		EXPECT_EQ(0x1000 + i, guest_load(self->vcpu, HI));
		EXPECT_FALSE(store_exits(self->vcpu, HI, 0x2000 + i));
		EXPECT_EQ(0x2000 + i, *(u64 *)(self->mem + i * PAGE_SIZE));
		ASSERT_EQ(0, vm_slot(self->vm, 5, 0, 0, 0, NULL));
		EXPECT_TRUE(store_exits(self->vcpu, HI, 0x3000));
		EXPECT_EQ(0x2000 + i, *(u64 *)(self->mem + i * PAGE_SIZE));
	}
	EXPECT_EQ(-EINVAL, vm_slot(self->vm, 5, 0, 0, 0, NULL));
}

/* The same values again change nothing and are no error. */
TEST_F(slots, no_change)
{
	ASSERT_EQ(0, vm_slot(self->vm, 5, 0, HI, PAGE_SIZE, self->mem));
	EXPECT_EQ(0, vm_slot(self->vm, 5, 0, HI, PAGE_SIZE, self->mem));
	EXPECT_EQ(0x1000, guest_load(self->vcpu, HI));
}

TEST_F(slots, move)
{
	ASSERT_EQ(0, vm_slot(self->vm, 5, 0, HI, 2 * PAGE_SIZE, self->mem));
	EXPECT_EQ(0x1000, guest_load(self->vcpu, HI));
	ASSERT_EQ(0, vm_slot(self->vm, 5, 0, HI + 0x20000, 2 * PAGE_SIZE, self->mem));
	EXPECT_EQ(MMIO_VALUE, guest_load(self->vcpu, HI));
	EXPECT_EQ(0x1000, guest_load(self->vcpu, HI + 0x20000));
	EXPECT_EQ(0x1001, guest_load(self->vcpu, HI + 0x21000));
	/* By less than its own size: it may overlap itself. */
	ASSERT_EQ(0, vm_slot(self->vm, 5, 0, HI + 0x21000, 2 * PAGE_SIZE, self->mem));
	EXPECT_EQ(MMIO_VALUE, guest_load(self->vcpu, HI + 0x20000));
	EXPECT_EQ(0x1000, guest_load(self->vcpu, HI + 0x21000));
	EXPECT_EQ(0x1001, guest_load(self->vcpu, HI + 0x22000));
	/* Onto another slot: refused, and it stays where it was. */
	EXPECT_EQ(-EEXIST, vm_slot(self->vm, 5, 0, 0, 2 * PAGE_SIZE, self->mem));
	EXPECT_EQ(0x1000, guest_load(self->vcpu, HI + 0x21000));
}

TEST_F(slots, readonly)
{
	if (!vm_cap(self->vm, KVM_CAP_READONLY_MEM))
		SKIP(return, "KVM_CAP_READONLY_MEM is 0");
	ASSERT_EQ(0, vm_slot(self->vm, 5, KVM_MEM_READONLY, HI, PAGE_SIZE, self->mem));
	EXPECT_EQ(0x1000, guest_load(self->vcpu, HI));
	EXPECT_TRUE(store_exits(self->vcpu, HI, 0x55));
	EXPECT_EQ(0x1000, *(u64 *)self->mem);
	EXPECT_EQ(0x1000, guest_load(self->vcpu, HI));
	/* A flag cannot be taken away, but the slot can be made anew. */
	EXPECT_EQ(-EINVAL, vm_slot(self->vm, 5, 0, HI, PAGE_SIZE, self->mem));
	ASSERT_EQ(0, vm_slot(self->vm, 5, 0, HI, 0, self->mem));
	ASSERT_EQ(0, vm_slot(self->vm, 5, 0, HI, PAGE_SIZE, self->mem));
	EXPECT_FALSE(store_exits(self->vcpu, HI, 0x56));
	EXPECT_EQ(0x56, *(u64 *)self->mem);
}

/* Memory that the VMM itself may only read serves a read-only slot. */
TEST_F(slots, readonly_host_memory)
{
	ASSERT_EQ(0, mprotect(self->mem, PAGE_SIZE, PROT_READ));
	ASSERT_EQ(0, vm_slot(self->vm, 5, KVM_MEM_READONLY, HI, PAGE_SIZE, self->mem));
	EXPECT_EQ(0x1000, guest_load(self->vcpu, HI));
	EXPECT_TRUE(store_exits(self->vcpu, HI, 1));
}

/* A slot over host memory that is not there: RUN says EFAULT, and recovers. */
TEST_F(slots, unmapped_host_memory)
{
	munmap(self->mem + PAGE_SIZE, PAGE_SIZE);
	ASSERT_EQ(0, vm_slot(self->vm, 5, 0, HI, 2 * PAGE_SIZE, self->mem));
	EXPECT_EQ(0x1000, guest_load(self->vcpu, HI));
	point(self->vcpu, load_at, HI + PAGE_SIZE, 0);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-EFAULT, vcpu_run(self->vcpu));
	mmap(self->mem + PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	EXPECT_EQ(0, guest_load(self->vcpu, HI + PAGE_SIZE));
}

/* ------------------------------------------------------------ many slots */

TEST_F(slots, thousand)
{
	int n = vm_cap(self->vm, KVM_CAP_NR_MEMSLOTS);
	u8 *mem;

	if (n > 1000)
		n = 1000;
	mem = vm_anon(n * PAGE_SIZE);
	/* Every other page, made in an order that is not the address order. */
	for (int k = 2; k < n; k++) {
		u64 i = (u64)k * 7919 % n;

		*(u64 *)(mem + i * PAGE_SIZE) = ~i;
		ASSERT_EQ(0, vm_slot(self->vm, k, 0, HI + i * 2 * PAGE_SIZE,
				     PAGE_SIZE, mem + i * PAGE_SIZE))
			TH_LOG("slot %d", k);
	}
	for (int k = 2; k < n; k += 37) {
		u64 i = (u64)k * 7919 % n;

		EXPECT_EQ(~i, guest_load(self->vcpu, HI + i * 2 * PAGE_SIZE));
		EXPECT_EQ(MMIO_VALUE, guest_load(self->vcpu, HI + (i * 2 + 1) * PAGE_SIZE));
	}
	for (int k = 2; k < n; k += 2)
		ASSERT_EQ(0, vm_slot(self->vm, k, 0, 0, 0, NULL));
	for (int k = 2; k < n; k += 41) {
		u64 i = (u64)k * 7919 % n;

		EXPECT_EQ(k & 1 ? ~i : MMIO_VALUE,
			  guest_load(self->vcpu, HI + i * 2 * PAGE_SIZE));
	}
	munmap(mem, n * PAGE_SIZE);
}

/*
 * A vCPU that goes through all slots, in an order of its own, again and again: so many
 * rounds, and more while it is told to.  In the end @rounds is how many there were.
 */
struct visit {
	u64 slots, step, rounds, more, gaps;
};

static GUEST_DATA volatile struct visit visits[2];

/* Slot n has one page, and none behind it. */
#define VISITED(n)	(HI + (n) * 2 * PAGE_SIZE)

static GUEST_FN void g_visits(u64 me)
{
	volatile struct visit *v = &visits[me];
	u64 round;

	for (round = 0; round < v->rounds || v->more; round++) {
		for (u64 i = 0, slot = 0; i < v->slots; i++) {
			volatile u64 *word = (u64 *)VISITED(slot) + me;

			G_ASSERT(*word == round, *word);
			*word = round + 1;
			if (v->gaps && !(i % 64) && !(slot % 2)) {
				word += PAGE_SIZE / 8;
				G_ASSERT(*word == MMIO_VALUE, *word);
			}
			slot += v->step;
			if (slot >= v->slots)
				slot -= v->slots;
		}
	}
	v->rounds = round;
	g_done();
}

struct visitor {
	struct vcpu *vcpu;
	pthread_t thread;
	volatile bool done;
};

static void *visit_thread(void *arg)
{
	struct mmio_log log = { .pattern = MMIO_VALUE };
	struct visitor *v = arg;
	struct ucall uc = vcpu_mmio(v->vcpu, &log);

	if (uc.cmd != UCALL_DONE)
		printf("# vCPU %d: ucall %u %#lx %#lx\n", v->vcpu->id, uc.cmd, uc.a, uc.b);
	v->done = true;
	return (void *)(u64)(uc.cmd == UCALL_DONE);
}

/* Each step has to be prime to the number of slots. */
static void start_visits(struct vm *vm, struct visitor v[2], struct visit what, u64 step)
{
	for (int i = 0; i < 2; i++) {
		struct kvm_regs r;

		GUEST_VAR(vm, visits)[i] = what;
		if (i)
			GUEST_VAR(vm, visits)[i].step = step;
		v[i].vcpu = vm->nvcpus > i ? vm->vcpus[i] : vcpu_new(vm, i);
		v[i].done = false;
		vcpu_long(v[i].vcpu, g_visits);
		vcpu_regs(v[i].vcpu, &r);
		r.rdi = i;
		vcpu_set_regs(v[i].vcpu, &r);
		if (pthread_create(&v[i].thread, NULL, visit_thread, &v[i]))
			die("pthread_create");
	}
}

static bool end_visits(struct visitor v[2], const u8 *mem)
{
	volatile struct visit *visit = GUEST_VAR(v[0].vcpu->vm, visits);
	bool good = true;
	void *res;

	for (int i = 0; i < 2; i++)
		visit[i].more = 0;
	for (int i = 0; i < 2; i++) {
		pthread_join(v[i].thread, &res);
		good &= (bool)res;
		for (u64 n = 0; n < visit[i].slots; n++)
			good &= ((u64 *)(mem + n * PAGE_SIZE))[i] == visit[i].rounds;
	}
	return good;
}

/*
 * Two vCPUs count in the pages of a thousand slots.  Meanwhile slots come and go between
 * those, and the log of those is switched.
 */
TEST_F_TIMEOUT(slots, thousand_in_use, 60)
{
	const struct visit what = { .slots = 1000, .step = 7, .rounds = 6, .more = 1, .gaps = 1 };
	u8 *mem = vm_anon(what.slots * PAGE_SIZE);
	struct visitor v[2];
	u64 changes = 0;

	if (vm_cap(self->vm, KVM_CAP_NR_MEMSLOTS) < 1600)
		SKIP(return, "not so many slots");
	for (u64 k = 0; k < what.slots; k++)
		ASSERT_EQ(0, vm_slot(self->vm, 10 + k, 0, VISITED(k), PAGE_SIZE,
				     mem + k * PAGE_SIZE));
	start_visits(self->vm, v, what, 333);
	for (u64 i = 0; i < 50 && !v[0].done && !v[1].done; i++) {
		u64 k = i * 37 % what.slots, gap = 2 * (i * 41 % (what.slots / 2)) + 1;

		ASSERT_EQ(0, vm_slot(self->vm, 10 + k, i & 1 ? KVM_MEM_LOG_DIRTY_PAGES : 0,
				     VISITED(k), PAGE_SIZE, mem + k * PAGE_SIZE));
		ASSERT_EQ(0, vm_slot(self->vm, 1100 + i % 400, 0, VISITED(gap) + PAGE_SIZE,
				     PAGE_SIZE, self->mem));
		ASSERT_EQ(0, vm_slot(self->vm, 1100 + i % 400, 0, 0, 0, NULL));
		changes += 3;
	}
	EXPECT_TRUE(end_visits(v, mem));
	EXPECT_EQ(150UL, changes);
	munmap(mem, what.slots * PAGE_SIZE);
}

/*
 * All the slots there can be, and vCPUs that use them all.  The teardown of such a VM is
 * an oops or none.
 */
TEST(all_of_them)
{
	struct vm *vm = vm_new();
	struct visit what = { .step = 1, .rounds = 1 };
	long tables = table_pages();
	struct visitor v[2];
	u8 *mem;

	/* Slots 0 and 1 are there already. */
	what.slots = vm_cap(vm, KVM_CAP_NR_MEMSLOTS) - 2;
	mem = vm_anon(what.slots * PAGE_SIZE);
	madvise(mem, what.slots * PAGE_SIZE, MADV_NOHUGEPAGE);
	log_mark();
	for (u64 k = 0; k < what.slots; k++) {
		ASSERT_EQ(0, vm_slot(vm, k + 2, 0, VISITED(k), PAGE_SIZE, mem + k * PAGE_SIZE))
			TH_LOG("slot %lu", k + 2);
	}
	start_visits(vm, v, what, what.slots - 1);
	EXPECT_TRUE(end_visits(v, mem));
	vm_free(vm);
	usleep(200000);			/* what is freed by RCU is freed by now */
	EXPECT_FALSE(log_has_warning());
	EXPECT_TRUE(table_pages_back_to(tables));
	munmap(mem, what.slots * PAGE_SIZE);
}

TEST_F(slots, second_address_space)
{
	if (vm_cap(self->vm, KVM_CAP_MULTI_ADDRESS_SPACE) < 2)
		SKIP(return, "one address space");
	/* Same slot number, same address, another space: no clash, not seen. */
	ASSERT_EQ(0, vm_slot(self->vm, 1 << 16 | 0, 0, 0, PAGE_SIZE, self->mem));
	ASSERT_EQ(0, vm_slot(self->vm, 1 << 16 | 5, 0, HI, PAGE_SIZE, self->mem));
	EXPECT_EQ(MMIO_VALUE, guest_load(self->vcpu, HI));
	EXPECT_EQ(0, vm_slot(self->vm, 1 << 16 | 5, 0, 0, 0, NULL));
	EXPECT_EQ(-EINVAL, vm_slot(self->vm, 5, 0, 0, 0, NULL));
}

/* ---------------------------------------------------- while the vCPU runs */

GUEST_FN static void guest_poll(void)
{
	volatile u64 *p = (u64 *)HI;

	for (;;) {
		u64 v = *p;

		if (v == 0xdeadbeefcafeULL)
			g_done();
		if (v != 0x1000 && v != 0x1001 && v != MMIO_VALUE)
			g_ucall(UCALL_FAIL, 0, v);
	}
}

struct runner {
	struct vcpu *vcpu;
	u32 mmio;
	struct ucall uc;
};

static void *run_thread(void *arg)
{
	struct runner *r = arg;

	for (;;) {
		struct mmio_log log = { .pattern = MMIO_VALUE };

		vcpu_exit(r->vcpu);
		if (r->vcpu->run->exit_reason == KVM_EXIT_MMIO) {
			r->mmio++;
			if (r->vcpu->run->mmio.phys_addr != HI ||
			    r->vcpu->run->mmio.len != 8)
				die("MMIO at %#llx", r->vcpu->run->mmio.phys_addr);
			memcpy(r->vcpu->run->mmio.data, &log.pattern, 8);
			continue;
		}
		if (r->vcpu->run->exit_reason != KVM_EXIT_IO)
			die("exit %s", exit_name(r->vcpu->run->exit_reason));
		r->uc.cmd = *(u32 *)((u8 *)r->vcpu->run +
				     r->vcpu->run->io.data_offset);
		return NULL;
	}
}

TEST_F(slots, move_while_running)
{
	struct runner r = { .vcpu = self->vcpu };
	pthread_t t;

	vcpu_long(self->vcpu, guest_poll);
	ASSERT_EQ(0, vm_slot(self->vm, 5, 0, HI, PAGE_SIZE, self->mem));
	pthread_create(&t, NULL, run_thread, &r);
	for (int i = 0; i < 40; i++) {
		usleep(500);
		ASSERT_EQ(0, vm_slot(self->vm, 5, 0, HI + 0x20000, PAGE_SIZE, self->mem));
		usleep(500);
		ASSERT_EQ(0, vm_slot(self->vm, 5, 0, HI, PAGE_SIZE, self->mem));
	}
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, vm_slot(self->vm, 5, 0, 0, 0, NULL));
		usleep(500);
		ASSERT_EQ(0, vm_slot(self->vm, 5, 0, HI, PAGE_SIZE,
				     self->mem + (i & 1) * PAGE_SIZE));
	}
	*(volatile u64 *)self->mem = 0xdeadbeefcafeULL;
	*(volatile u64 *)(self->mem + PAGE_SIZE) = 0xdeadbeefcafeULL;
	pthread_join(t, NULL);
	EXPECT_EQ(UCALL_DONE, r.uc.cmd);
	EXPECT_LT(0, r.mmio);
}

/* The slot that holds the running code goes away: an exit, not a hang. */
ASM_GUEST(spin, "1: jmp 1b\n");

static void *run_once(void *arg)
{
	struct runner *r = arg;

	r->uc.a = vcpu_run(r->vcpu);
	return NULL;
}

TEST_F(slots, delete_code_while_running)
{
	struct runner r = { .vcpu = self->vcpu };
	pthread_t t;
	u32 reason;

	vcpu_long(self->vcpu, spin);
	pthread_create(&t, NULL, run_once, &r);
	usleep(20000);
	ASSERT_EQ(0, vm_slot(self->vm, 1, 0, 0, 0, NULL));
	pthread_join(t, NULL);
	reason = self->vcpu->run->exit_reason;
	EXPECT_EQ(0, r.uc.a);
	EXPECT_TRUE(reason == KVM_EXIT_INTERNAL_ERROR || reason == KVM_EXIT_SHUTDOWN)
		TH_LOG("exit %s", exit_name(reason));
}

TEST_HARNESS_MAIN
