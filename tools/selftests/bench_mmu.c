// SPDX-License-Identifier: GPL-2.0
/*
 * bench_mmu - what guest memory costs: faults, slots, the dirty log, tables, VMs
 *
 * Beside bench.c, which measures one exit at a time.  A figure is ticks of the TSC for
 * each fault, slot, page or VM, by the clock on the wall: the time from the first vCPU's
 * start to the last one's end, over what all of them did together.  So with two CPUs it
 * shows what goes on in parallel: half the ticks of one CPU is as good as can be.
 *
 *	fault		the guest writes to each page of memory that it has not yet
 *			touched; "new": nor has the host, which has to make the page
 *	slot		KVM_SET_USER_MEMORY_REGION, with so many slots there already
 *	log		for each dirty page: KVM_GET_DIRTY_LOG; the write after it; the
 *			same with manual protection, where GET and CLEAR are two calls
 *	tables		KiB of the host's memory for page tables, for 1 GiB mapped
 *	VM		to make one, and to be rid of it
 *
 * With two CPUs only what keeps both of them busy alike is measured, the faults of 2 and
 * of 4 vCPUs: Bochs' clock goes by the instructions of all CPUs, and faster while one of
 * them idles.
 *
 *	MINIKVM_DEV=/dev/kvm ./bench_mmu [N]		N slots and VMs of each kind
 */
#include "bench_util.h"

#define HI		0x40000000UL		/* nothing is below it but the VM's own */
#define MB		0x100000UL
#define GB		0x40000000UL
#define LARGE		(2 * MB)
#define MEM_SLOT	5
#define MAX_BENCH_VCPUS	4
#define LOG_PAGES	2048UL

static u64 loops;

/* ------------------------------------------------------------------- guest */

/* Write to, or read from, n addresses. */
static GUEST_FN void g_write(u64 addr, u64 n, u64 stride)
{
	for (; n; n--, addr += stride)
		*(volatile u8 *)addr = 1;
	g_done();
}

static GUEST_FN void g_read(u64 addr, u64 n, u64 stride)
{
	for (; n; n--, addr += stride)
		*(volatile u8 *)addr;
	g_done();
}

/* -------------------------------------------------------------------- host */

/* One vCPU's part of the work, and when it began and ended. */
struct work {
	struct vcpu *vcpu;
	void *code;
	u64 addr, n, stride;
	u64 begin, end;
	pthread_barrier_t *barrier;
};

static void run_to_done(struct vcpu *vcpu)
{
	if (vcpu_ucall(vcpu).cmd != UCALL_DONE)
		die("the guest has other ideas");
}

static void set_work(const struct work *w, u64 n)
{
	struct kvm_regs r;

	vcpu_long(w->vcpu, w->code);
	vcpu_regs(w->vcpu, &r);
	r.rdi = w->addr;
	r.rsi = n;
	r.rdx = w->stride;
	vcpu_set_regs(w->vcpu, &r);
}

/* First without work, which brings in the guest's own pages. */
static void *work_thread(void *arg)
{
	struct work *w = arg;

	pin_cpu(w->vcpu->id % host_cpus());
	set_work(w, 0);
	run_to_done(w->vcpu);
	set_work(w, w->n);
	pthread_barrier_wait(w->barrier);
	w->begin = host_tsc();
	run_to_done(w->vcpu);
	w->end = host_tsc();
	return NULL;
}

/*
 * All the vCPUs of a VM share n accesses from HI on, each has a part of its own or,
 * interleaved, every so many-th; the ticks of it all.
 */
static u64 work_shared(struct vm *vm, void *code, u64 n, u64 stride, bool interleaved)
{
	u64 part = n / vm->nvcpus, begin = ~0UL, last = 0;
	struct work w[MAX_BENCH_VCPUS];
	pthread_t t[MAX_BENCH_VCPUS];
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, vm->nvcpus);
	for (int i = 0; i < vm->nvcpus; i++) {
		w[i] = (struct work){
			.vcpu = vm->vcpus[i], .code = code, .n = part,
			.stride = interleaved ? stride * vm->nvcpus : stride,
			.addr = HI + i * (interleaved ? stride : part * stride),
			.barrier = &barrier,
		};
		if (pthread_create(&t[i], NULL, work_thread, &w[i]))
			die("pthread_create");
	}
	for (int i = 0; i < vm->nvcpus; i++) {
		pthread_join(t[i], NULL);
		if (w[i].begin < begin)
			begin = w[i].begin;
		if (w[i].end > last)
			last = w[i].end;
	}
	pthread_barrier_destroy(&barrier);
	return last - begin;
}

static u64 work_together(struct vm *vm, void *code, u64 n, u64 stride)
{
	return work_shared(vm, code, n, stride, false);
}

static struct vm *new_vm(int vcpus)
{
	struct vm *vm = vm_new();

	for (int i = 0; i < vcpus; i++)
		vcpu_new(vm, i);
	return vm;
}

static void set_slot(struct vm *vm, u32 flags, u64 size, void *mem)
{
	int ret = vm_slot(vm, MEM_SLOT, flags, HI, size, mem);

	if (ret)
		die("the slot of %lu MB: %s", size / MB, strerror(-ret));
}

static bool write_number(const char *path, u64 n)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return false;
	fprintf(f, "%lu", n);
	return !fclose(f);
}

/* Memory at a multiple of 2 MiB; what madvise() is told of it. */
static u8 *get_memory(u64 size, int advice)
{
	u8 *p = vm_anon(size + LARGE), *start = (u8 *)(((u64)p + LARGE - 1) & ~(LARGE - 1));

	if (start != p)
		munmap(p, start - p);
	munmap(start + size, p + LARGE - start);
	madvise(start, size, advice);
	return start;
}

static u8 *get_hugetlb(u64 size)
{
	u8 *p;

	write_number("/proc/sys/vm/nr_hugepages", size / LARGE);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_HUGETLB | 21 << MAP_HUGE_SHIFT, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* ------------------------------------------------------------------ faults */

static const struct fault_bench {
	const char *name;
	u64 size, stride;
	int advice;			/* 0: hugetlb */
	bool populated;
	bool interleaved;		/* the vCPUs fill the same tables */
	int times;			/* that the guest has the same memory */
} faults[] = {
	{ "fault 4K, new", 16 * MB, PAGE_SIZE, MADV_NOHUGEPAGE, false, false, 1 },
	{ "fault 4K, populated", 16 * MB, PAGE_SIZE, MADV_NOHUGEPAGE, true, false, 1 },
	{ "fault 4K, same tables", 16 * MB, PAGE_SIZE, MADV_NOHUGEPAGE, true, true, 1 },
	{ "fault 2M, thp, new", 64 * MB, LARGE, MADV_HUGEPAGE, false, false, 1 },
	{ "fault 2M, thp, populated", 64 * MB, LARGE, MADV_HUGEPAGE, true, false, 16 },
	{ "fault 2M, hugetlb", 64 * MB, LARGE, 0, true, false, 16 },
};

static void bench_fault(const struct fault_bench *b, int vcpus)
{
	u8 *mem = b->advice ? get_memory(b->size, b->advice) : get_hugetlb(b->size);
	u64 n = b->times * b->size / b->stride;
	struct vm *vm;
	char name[64];

	snprintf(name, sizeof(name), "%s, %d", b->name, vcpus);
	if (!mem) {
		bench_skip(name, "no such memory");
		return;
	}
	if (b->populated)
		memset(mem, 1, b->size);
	vm = new_vm(vcpus);
	for (int i = 0; i < b->times; i++)
		if (vm_slot(vm, MEM_SLOT + i, 0, HI + i * b->size, b->size, mem))
			die("a slot of %lu MB", b->size / MB);
	bench_line(name, work_shared(vm, g_write, n, b->stride, b->interleaved) / n);
	vm_free(vm);
	munmap(mem, b->size);
}

static void bench_faults(void)
{
	static const int vcpus[] = { 1, 2, 4 };

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		for (size_t j = 0; j < ARRAY_SIZE(vcpus); j++)
			if (vcpus[j] >= host_cpus())
				bench_fault(&faults[i], vcpus[j]);
	write_number("/proc/sys/vm/nr_hugepages", 0);
}

/* ------------------------------------------------------------------- slots */

/* The slots have a page of their own each, and a page between them. */
static void one_slot(struct vm *vm, u64 i, u64 size, u8 *mem)
{
	int ret = vm_slot(vm, i, 0, HI + 2 * i * PAGE_SIZE, size, mem + i * PAGE_SIZE);

	if (ret)
		die("slot %lu: %s", i, strerror(-ret));
}

static void bench_slots(void)
{
	static const u64 counts[] = { 1, 100, 10000 };
	u64 most = counts[ARRAY_SIZE(counts) - 1] + loops, have = 0, t;
	struct vm *vm = vm_bare();
	u8 *mem = vm_anon(most * PAGE_SIZE);
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		for (; have < counts[i]; have++)
			one_slot(vm, have, PAGE_SIZE, mem);

		t = host_tsc();
		for (u64 k = have; k < have + loops; k++)
			one_slot(vm, k, PAGE_SIZE, mem);
		snprintf(name, sizeof(name), "slot create, with %lu", have);
		bench_line(name, (host_tsc() - t) / loops);

		t = host_tsc();
		for (u64 k = have; k < have + loops; k++)
			one_slot(vm, k, 0, mem);
		snprintf(name, sizeof(name), "slot delete, with %lu", have);
		bench_line(name, (host_tsc() - t) / loops);
	}
	t = host_tsc();
	vm_free(vm);
	bench_line("VM with 10000 slots, destroy", host_tsc() - t);
	munmap(mem, most * PAGE_SIZE);
}

/* --------------------------------------------------------------- dirty log */

static u64 log_words[LOG_PAGES / 64];

static u64 ticks_of_get(struct vm *vm)
{
	struct kvm_dirty_log l = { .slot = MEM_SLOT, .dirty_bitmap = log_words };
	u64 t = host_tsc();

	if (kioctlp(vm->fd, KVM_GET_DIRTY_LOG, &l))
		die("KVM_GET_DIRTY_LOG");
	return host_tsc() - t;
}

/* What was read last is clean afterwards. */
static u64 ticks_of_clear(struct vm *vm)
{
	struct kvm_clear_dirty_log l = {
		.slot = MEM_SLOT, .num_pages = LOG_PAGES, .dirty_bitmap = log_words,
	};
	u64 t = host_tsc();

	if (kioctlp(vm->fd, KVM_CLEAR_DIRTY_LOG, &l))
		die("KVM_CLEAR_DIRTY_LOG");
	return host_tsc() - t;
}

static void must_be_dirty(u64 pages)
{
	u64 n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(log_words); i++)
		n += __builtin_popcountll(log_words[i]);
	if (n != pages)
		die("%lu pages are dirty, not %lu", n, pages);
}

/* For each of the dirty pages, which are one in @each. */
static void log_line(const char *what, u64 each, u64 ticks)
{
	char name[64];

	snprintf(name, sizeof(name), "%s, %s", what, each == 1 ? "all" : "1 in 64");
	bench_line(name, ticks / (LOG_PAGES / each));
}

/* One page in @each is dirty; ticks for each of them. */
static void bench_log(bool manual, u64 each)
{
	struct vm *vm = new_vm(1);
	u8 *mem = get_memory(LOG_PAGES * PAGE_SIZE, MADV_NOHUGEPAGE);
	u64 n = LOG_PAGES / each, t;

	if (manual && vm_enable_cap(vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1))
		die("KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2");
	set_slot(vm, KVM_MEM_LOG_DIRTY_PAGES, LOG_PAGES * PAGE_SIZE, mem);
	work_together(vm, g_write, n, each * PAGE_SIZE);
	/* What was new to the host is not what is wanted: once again. */
	ticks_of_get(vm);
	if (manual)
		ticks_of_clear(vm);
	t = work_together(vm, g_write, n, each * PAGE_SIZE);
	if (!manual)
		log_line("write after GET", each, t);
	t = ticks_of_get(vm);
	must_be_dirty(n);
	if (!manual) {
		log_line("log GET", each, t);
	} else {
		if (each == 1)
			bench_line("log GET, manual, a call", t);
		log_line("log CLEAR", each, ticks_of_clear(vm));
		t = work_together(vm, g_write, n, each * PAGE_SIZE);
		log_line("write after CLEAR", each, t);
	}
	vm_free(vm);
	munmap(mem, LOG_PAGES * PAGE_SIZE);
}

/* Logging begins on memory that is mapped 2M at a time. */
static void bench_log_begins(void)
{
	const u64 size = LOG_PAGES * PAGE_SIZE, n = size / LARGE;
	u8 *mem = get_memory(size, MADV_HUGEPAGE);
	struct vm *vm = new_vm(1);
	u64 t;

	memset(mem, 1, size);
	set_slot(vm, 0, size, mem);
	work_together(vm, g_write, n, LARGE);
	t = host_tsc();
	set_slot(vm, KVM_MEM_LOG_DIRTY_PAGES, size, mem);
	bench_line("log begins, each 2M", (host_tsc() - t) / n);
	bench_line("  the writes after it", work_together(vm, g_write, LOG_PAGES, PAGE_SIZE) /
		   LOG_PAGES);
	t = host_tsc();
	set_slot(vm, 0, size, mem);
	bench_line("log ends, each 2M", (host_tsc() - t) / n);
	bench_line("  the writes after it, 2M", work_together(vm, g_write, n, LARGE) / n);
	vm_free(vm);
	munmap(mem, size);
}

/* ------------------------------------------------------------------ tables */

/* The zero page, small or large, is behind all of it, so it costs no memory. */
static void bench_tables(const char *name, u64 stride, int advice)
{
	u8 *mem = get_memory(GB, advice);
	struct vm *vm = new_vm(1);
	char fault[64];
	long before;
	u64 ticks;

	set_slot(vm, 0, GB, mem);
	work_together(vm, g_read, 0, 0);
	before = table_pages();
	ticks = work_together(vm, g_read, GB / stride, stride);
	snprintf(fault, sizeof(fault), "fault %s, zero page", name);
	bench_line(fault, ticks / (GB / stride));
	snprintf(fault, sizeof(fault), "KiB of tables per GiB, %s", name);
	if (before < 0)
		bench_skip(fault, "the host does not tell");
	else
		bench_line(fault, 4 * (table_pages() - before));
	ticks = host_tsc();
	vm_free(vm);
	snprintf(fault, sizeof(fault), "VM with 1 GiB in %s, destroy", name);
	bench_line(fault, host_tsc() - ticks);
	munmap(mem, GB);
}

/* --------------------------------------------------------------------- VMs */

static void bench_vm(void)
{
	u64 make = 0, end = 0, t0, t1;

	for (u64 i = 0; i < loops; i++) {
		struct vm *vm;

		t0 = host_tsc();
		vm = vm_bare();
		t1 = host_tsc();
		vm_free(vm);
		make += t1 - t0;
		end += host_tsc() - t1;
	}
	bench_line("VM, create", make / loops);
	bench_line("VM, destroy", end / loops);
}

static void bench_vm_with_memory(const char *kind, u64 stride, int advice)
{
	u8 *mem = get_memory(64 * MB, advice);
	u64 make = 0, end = 0, t0, t1;
	const u64 n = 3;
	char name[64];

	memset(mem, 1, 64 * MB);
	for (u64 i = 0; i < n; i++) {
		struct vm *vm;

		t0 = host_tsc();
		vm = new_vm(1);
		make += host_tsc() - t0;
		set_slot(vm, 0, 64 * MB, mem);
		work_together(vm, g_write, 64 * MB / stride, stride);
		t1 = host_tsc();
		vm_free(vm);
		end += host_tsc() - t1;
	}
	if (stride == PAGE_SIZE)
		bench_line("VM with vCPU, slots, create", make / n);
	snprintf(name, sizeof(name), "VM with 64M in %s, destroy", kind);
	bench_line(name, end / n);
	munmap(mem, 64 * MB);
}

int main(int argc, char **argv)
{
	loops = bench_start(argc, argv, 20);
	bench_faults();
	if (host_cpus() > 1)
		return 0;
	bench_slots();
	for (int each = 1; each <= 64; each += 63)
		for (int manual = 0; manual < 2; manual++)
			bench_log(manual, each);
	bench_log_begins();
	bench_tables("4K", PAGE_SIZE, MADV_NOHUGEPAGE);
	bench_tables("2M", LARGE, MADV_HUGEPAGE);
	bench_vm();
	bench_vm_with_memory("4K", PAGE_SIZE, MADV_NOHUGEPAGE);
	bench_vm_with_memory("2M", LARGE, MADV_HUGEPAGE);
	return 0;
}
