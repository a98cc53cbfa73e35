// SPDX-License-Identifier: GPL-2.0
/*
 * reclaim_test - the host's reclaim, swapoff and memory cgroups, and what a VM is to them
 *
 * Each test's process is in a memory cgroup of its own, so that reclaim can be asked for
 * (memory.reclaim) and looks at nothing but the VMM.  The swap device is the test host's
 * /dev/swapdisk, a real disk.  Guests count in one word of each page and check it first.
 *
 * Guards: reclaim sees which pages the guest uses and leaves it those, with the accessed
 * bits of the second level's tables and without them; what was swapped out is the guest's
 * again after swapoff, which goes on while vCPUs run; tables and vCPUs are charged to the
 * VMM's cgroup, all of it is given back with the VM; and a VMM that has used up its
 * cgroup is killed, or gets ENOMEM and may go on when there is room: nobody else suffers.
 *
 * The kernel reports each time that a cgroup is full with a call trace.  host/run does not
 * mind it from a process called OOM_NAME.
 */
#include <kselftest_harness.h>

#include <limits.h>
#include <sys/prctl.h>
#include <sys/swap.h>

#include "cgroup_util.h"

#define OOM_NAME	"oom-expected"
#define MB		0x100000UL
#define LARGE		(2 * MB)
#define SIZE		(16 * MB)
#define PAGES		(SIZE / PAGE_SIZE)
#define AREA		0x40000000UL	/* guest-physical, mapped 1:1 by the guest */
#define SLOT		5
#define VCPUS		2
/* The same 2M of the VMM's, again and again: each time a table for one page. */
#define ALIASES		1024

/*
 * Count in a word of each page.  RDI: that word of the first page, R10: from one page to the
 * next, RSI: pages, RBX: rounds, R8: what is in the words.
 */
ASM_GUEST(sweep, "1: mov %rdi, %r9; mov %rsi, %rcx\n"
	  "2: cmp %r8, (%r9); jne 3f\n"
	  "incq (%r9); add %r10, %r9; loop 2b\n"
	  "inc %r8; dec %rbx; jnz 1b\n"
	  "mov $0x3e8, %edx; mov $2, %eax; out %eax, %dx; jmp 1b\n"
	  "3: mov %r9, %rdi; mov (%r9), %rsi\n"
	  "mov $0x3e8, %edx; mov $3, %eax; out %eax, %dx; 4: jmp 4b\n");

/* ------------------------------------------------------------------ guests */

static void set_sweep(struct vcpu *vcpu, u64 word, u64 step, u64 val)
{
	struct kvm_regs r;

	vcpu_long(vcpu, sweep);
	vcpu_regs(vcpu, &r);
	r.rdi = word;
	r.r10 = step;
	r.r8 = val;
	vcpu_set_regs(vcpu, &r);
}

/* False: a word was not what it had to be. */
static bool run_sweep(struct vcpu *vcpu, u64 pages, u64 rounds)
{
	struct kvm_regs r;
	struct ucall uc;

	vcpu_regs(vcpu, &r);
	r.rsi = pages;
	r.rbx = rounds;
	vcpu_set_regs(vcpu, &r);
	uc = vcpu_ucall(vcpu);
	if (uc.cmd != UCALL_SYNC)
		printf("# vCPU %d: ucall %u, at %#lx there is %#lx\n", vcpu->id, uc.cmd, uc.a,
		       uc.b);
	return uc.cmd == UCALL_SYNC;
}

/* The words of pages from `first` on have this value. */
static bool words_are(u8 *area, u64 word, u64 first, u64 n, u64 val)
{
	for (u64 i = first; i < first + n; i++) {
		u64 got = ((volatile u64 *)(area + i * PAGE_SIZE))[word];

		if (got != val) {
			printf("# page %lu: %#lx, not %#lx\n", i, got, val);
			return false;
		}
	}
	return true;
}

FIXTURE(reclaim) {
	struct vm *vm;
	struct vcpu *vcpu[VCPUS];
	u8 *area;
	long tables;
	bool ready, swap;
};

FIXTURE_SETUP(reclaim)
{
	log_mark();
	self->tables = table_pages();
	self->ready = enter_group();
	self->swap = self->ready && !swapon(SWAPDISK, 0);
}

FIXTURE_TEARDOWN(reclaim)
{
	if (self->vm)
		vm_free(self->vm);
	EXPECT_TRUE(table_pages_back_to(self->tables));
	if (self->swap && swapoff(SWAPDISK))
		EXPECT_EQ(EINVAL, errno);	/* it has been switched off */
	if (self->ready)
		EXPECT_TRUE(leave_group());
}

#define NEED_GROUP() do {						\
	if (!self->ready)						\
		SKIP(return, "the host has no memory cgroup");		\
} while (0)
#define NEED_SWAP() do {						\
	if (!self->swap)						\
		SKIP(return, "no " SWAPDISK ", or no memory cgroup");	\
} while (0)

static void make_vm(struct _test_data_reclaim *self)
{
	self->vm = vm_new();
	self->area = vm_add(self->vm, SLOT, 0, AREA, SIZE);
	madvise(self->area, SIZE, MADV_NOHUGEPAGE);
	for (int i = 0; i < VCPUS; i++) {
		self->vcpu[i] = vcpu_new(self->vm, i);
		set_sweep(self->vcpu[i], AREA + 8 * i, PAGE_SIZE, 0);
	}
}

/* ------------------------------------------------------------------ aging */

/*
 * The guest, and nobody else, uses the first half of its memory.  The host knows that from
 * the second level alone.
 */
static void used_pages_stay(struct __test_metadata *_metadata,
			    struct _test_data_reclaim *self)
{
	u64 hot = 0, cold = 0, half = PAGES / 2, rounds = 1;

	make_vm(self);
	ASSERT_TRUE(run_sweep(self->vcpu[0], PAGES, 1));
	for (int i = 0; i < 60 && cold < half / 2; i++) {
		/* It is used before each look of reclaim's, and what was taken comes back. */
		ASSERT_TRUE(run_sweep(self->vcpu[0], half, 3));
		rounds += 3;
		write_text(GROUP "/memory.reclaim", "128K");
		hot += pages_that_are(self->area, half, PM_SWAPPED);
		cold = pages_that_are(self->area + half * PAGE_SIZE, half, PM_SWAPPED);
	}
	TH_LOG("swapped out: %lu pages that the guest uses, %lu that it does not", hot, cold);
	EXPECT_LE(half / 2, cold);
	EXPECT_GE(cold / 2, hot);
	EXPECT_TRUE(words_are(self->area, 0, 0, half, rounds));
	EXPECT_TRUE(words_are(self->area, 0, half, half, 1));
	EXPECT_FALSE(log_has_warning());
}

TEST_F_TIMEOUT(reclaim, used_pages_stay, 60)
{
	NEED_SWAP();
	used_pages_stay(_metadata, self);
}

/* What lies where, and its name once it is loaded. */
#define VENDOR_KO	(dev_is_stock() ? "/t/stock/kvm-intel.ko" : "/t/minikvm/minikvm-intel.ko")
#define VENDOR_MOD	(dev_is_stock() ? "kvm_intel" : "minikvm_intel")

/* The vendor's module anew; 0 or -errno. */
static int load_again(const char *params)
{
	int fd = open(VENDOR_KO, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_delete_module, VENDOR_MOD, O_NONBLOCK);
	if (!ret)
		ret = syscall(SYS_finit_module, fd, params, 0);
	ret = ret ? -errno : 0;
	close(fd);
	return ret;
}

static bool accessed_bits_are_used(void)
{
	char path[128];
	int c;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/eptad", VENDOR_MOD);
	f = fopen(path, "r");
	c = f ? fgetc(f) : EOF;
	if (f)
		fclose(f);
	return c == 'Y';
}

/* Entries that may be old are made useless for a while: an access shows as a fault. */
TEST_F_TIMEOUT(reclaim, used_pages_stay_without_accessed_bits, 60)
{
	NEED_SWAP();
	if (!accessed_bits_are_used())
		SKIP(return, "no parameter eptad, or a CPU without the bits");
	if (load_again("eptad=0"))
		SKIP(return, "%s cannot be loaded again", VENDOR_MOD);
	EXPECT_FALSE(accessed_bits_are_used());
	used_pages_stay(_metadata, self);
	if (self->vm)
		vm_free(self->vm);
	self->vm = NULL;
	EXPECT_EQ(0, load_again(""));
}

/* ---------------------------------------------------------------- swapoff */

#define FEW		1024UL		/* pages: the disk is slow */

struct sweeper {
	pthread_t thread;
	struct vcpu *vcpu;
	volatile bool stop, failed;
	volatile u64 rounds;
};

static void *sweep_thread(void *arg)
{
	struct sweeper *s = arg;

	while (!s->stop && !s->failed) {
		s->failed = !run_sweep(s->vcpu, FEW, 1);
		s->rounds += !s->failed;
	}
	return NULL;
}

/* Everything out, then the device goes while both vCPUs want it back. */
TEST_F_TIMEOUT(reclaim, swapoff_while_running, 120)
{
	struct sweeper s[VCPUS] = {};
	long in, least = FEW;

	NEED_SWAP();
	make_vm(self);
	in = number_after("/proc/vmstat", "pswpin");
	for (int i = 0; i < VCPUS; i++) {
		ASSERT_TRUE(run_sweep(self->vcpu[i], FEW, 1));
		s[i].vcpu = self->vcpu[i];
		s[i].rounds = 1;
	}
	for (int round = 0; round < 2; round++) {
		/* What was used stays the first time. */
		for (int i = 0; i < 3; i++)
			ASSERT_EQ(0, madvise(self->area, FEW * PAGE_SIZE, MADV_PAGEOUT));
		/* What is on the disk need not be in memory as well. */
		write_text(GROUP "/memory.reclaim", "16M");
		if ((long)pages_that_are(self->area, FEW, PM_SWAPPED) < least)
			least = pages_that_are(self->area, FEW, PM_SWAPPED);
		for (int i = 0; i < VCPUS; i++) {
			s[i].stop = false;
			pthread_create(&s[i].thread, NULL, sweep_thread, &s[i]);
		}
		usleep(1000);
		ASSERT_EQ(0, swapoff(SWAPDISK));
		EXPECT_EQ(0, pages_that_are(self->area, FEW, PM_SWAPPED));
		for (int i = 0; i < VCPUS; i++) {
			s[i].stop = true;
			pthread_join(s[i].thread, NULL);
			ASSERT_FALSE(s[i].failed);
			EXPECT_TRUE(words_are(self->area, i, 0, FEW, s[i].rounds));
		}
		ASSERT_EQ(0, swapon(SWAPDISK, 0));
	}
	in = number_after("/proc/vmstat", "pswpin") - in;
	TH_LOG("at least %ld pages were out each time, %ld came in", least, in);
	EXPECT_LE((long)FEW / 2, least);
	EXPECT_LE((long)FEW, in);
	EXPECT_FALSE(log_has_warning());
}

/* ------------------------------------------------------------- who pays */

static void make_aliases(struct vm *vm, u64 first, u64 n, u8 *mem)
{
	for (u64 i = first; i < first + n; i++)
		if (vm_slot(vm, SLOT + i, 0, AREA + i * LARGE, LARGE, mem))
			die("slot %lu: %m", i);
}

/* Exactly the tables, as soon as they are there and as long as they are. */
TEST_F_TIMEOUT(reclaim, tables_are_charged, 60)
{
	long before, kernel, tables, n = ALIASES / 2;
	u8 *mem;

	NEED_GROUP();
	before = charged("sec_pagetables");
	kernel = charged("kernel");
	ASSERT_LE(0, before);
	ASSERT_LE(0, kernel);
	self->vm = vm_new();
	self->vcpu[0] = vcpu_new(self->vm, 0);
	mem = vm_anon(LARGE);
	madvise(mem, LARGE, MADV_NOHUGEPAGE);
	make_aliases(self->vm, 0, n, mem);
	/* One page, that each alias finds as the one before has left it. */
	for (long i = 0; i < n; i++) {
		set_sweep(self->vcpu[0], AREA + i * LARGE, 0, i);
		ASSERT_TRUE(run_sweep(self->vcpu[0], 1, 1));
	}
	tables = (table_pages() - self->tables) * (long)PAGE_SIZE;
	EXPECT_LE(n * (long)PAGE_SIZE, tables);
	EXPECT_TRUE(charge_comes_to("sec_pagetables", before + tables, before + tables));
	EXPECT_TRUE(charge_comes_to("kernel", kernel + tables, LONG_MAX));
	vm_free(self->vm);
	self->vm = NULL;
	EXPECT_TRUE(charge_comes_to("sec_pagetables", before, before));
	EXPECT_TRUE(charge_comes_to("kernel", 0, kernel + tables / 4));
	EXPECT_FALSE(log_has_warning());
}

/* A vCPU takes its state, its communication page and what the hardware wants. */
TEST_F_TIMEOUT(reclaim, vcpus_are_charged, 60)
{
	long kernel, each = 3 * PAGE_SIZE, n = 64;
	struct vm *vm[4];

	NEED_GROUP();
	kernel = charged("kernel");
	ASSERT_LE(0, kernel);
	for (u64 i = 0; i < ARRAY_SIZE(vm); i++) {
		vm[i] = vm_bare();
		for (int id = 0; id < n / (long)ARRAY_SIZE(vm); id++)
			vcpu_bare(vm[i], id);
	}
	EXPECT_TRUE(charge_comes_to("kernel", kernel + n * each, LONG_MAX));
	TH_LOG("%ld KiB for each vCPU", (charged("kernel") - kernel) / n / 1024);
	for (u64 i = 0; i < ARRAY_SIZE(vm); i++)
		vm_free(vm[i]);
	EXPECT_TRUE(charge_comes_to("kernel", 0, kernel + n * each / 4));
	EXPECT_FALSE(log_has_warning());
}

/* ---------------------------------------------------------- at the limit */

#define ROOM		MB		/* for tables */

/* What a VMM that goes too far tells the test. */
struct greedy {
	volatile u64 aliases;		/* used so far */
	volatile int ret;		/* what KVM_RUN gave at the limit */
	volatile bool went_on;
};

/* From now on the cgroup may have `more` bytes above what it has. */
static bool set_room(int max, long more)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld",
			   read_number(GROUP "/memory.current") + more);

	return write(max, text, len) == len;
}

/*
 * A VMM of its own process, in the cgroup: tables for 4 MiB of them, where there is room
 * for less.  Unless it is killed it asks for more room at the first error, and goes on.
 */
static void greedy_vmm(struct greedy *g, int max)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0);
	u8 *mem = vm_anon(LARGE);
	struct kvm_regs r;
	int ret;

	madvise(mem, LARGE, MADV_NOHUGEPAGE);
	make_aliases(vm, 0, ALIASES, mem);
	set_sweep(vcpu, AREA, 0, 0);
	if (!run_sweep(vcpu, 1, 1) || mlockall(MCL_CURRENT) || !set_room(max, ROOM))
		_exit(1);
	for (g->aliases = 1; g->aliases < ALIASES; g->aliases++) {
		vcpu_regs(vcpu, &r);
		r.rdi = AREA + g->aliases * LARGE;
		r.rsi = 1;
		r.rbx = 1;
		vcpu_set_regs(vcpu, &r);
		ret = vcpu_run(vcpu);
		if (ret && !g->ret) {
			g->ret = ret;
			if (write(max, "max", 3) != 3)
				_exit(1);
			ret = vcpu_run(vcpu);
			g->went_on = !ret;
		}
		vcpu_regs(vcpu, &r);
		if (ret || r.rsi != 1 || r.r8 != g->aliases + 1)
			_exit(1);
	}
	_exit(0);
}

/* How it ended: a status of wait(). */
static int run_greedy(struct greedy *g, const char *oom_score)
{
	int status = -1, max = open(GROUP "/memory.max", O_WRONLY);
	pid_t pid;

	/* The test's own process is not in it. */
	write_text(CGROUPS "/cgroup.procs", "0");
	write_text(GROUP "/memory.swap.max", "0");
	pid = fork();
	if (!pid) {
		prctl(PR_SET_NAME, OOM_NAME);
		if (write_text("/proc/self/oom_score_adj", oom_score) ||
		    write_text(GROUP "/cgroup.procs", "0"))
			_exit(2);
		greedy_vmm(g, max);
	}
	waitpid(pid, &status, 0);
	close(max);
	return status;
}

static struct greedy *new_greedy(void)
{
	struct greedy *g = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (g == MAP_FAILED)
		die("mmap: %m");
	memset(g, 0, PAGE_SIZE);
	return g;
}

/* The neighbours' VMs work, and what the greedy one had is there again. */
static void all_is_well(struct __test_metadata *_metadata, struct _test_data_reclaim *self)
{
	EXPECT_TRUE(table_pages_back_to(self->tables));
	EXPECT_TRUE(charge_comes_to("sec_pagetables", 0, 0));
	make_vm(self);
	EXPECT_TRUE(run_sweep(self->vcpu[0], PAGES, 1));
}

TEST_F_TIMEOUT(reclaim, too_much_is_deadly, 60)
{
	struct greedy *g = new_greedy();
	int status;

	NEED_GROUP();
	status = run_greedy(g, "0");
	TH_LOG("%lu tables fit into %lu KiB", g->aliases, ROOM / 1024);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
	EXPECT_EQ(1, number_after(GROUP "/memory.events", "oom_kill"));
	/* Those that were made in advance, and steps of 64 pages. */
	EXPECT_LT(ROOM / PAGE_SIZE / 4, g->aliases);
	EXPECT_GT(ROOM / PAGE_SIZE * 2, g->aliases);
	all_is_well(_metadata, self);
}

/* Who must not be killed is told, and nothing is broken for it. */
TEST_F_TIMEOUT(reclaim, too_much_is_enomem, 60)
{
	struct greedy *g = new_greedy();
	int status;

	NEED_GROUP();
	status = run_greedy(g, "-1000");
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(-ENOMEM, g->ret);
	EXPECT_TRUE(g->went_on);
	EXPECT_EQ(ALIASES, g->aliases);
	EXPECT_EQ(0, number_after(GROUP "/memory.events", "oom_kill"));
	EXPECT_LT(0, number_after(GROUP "/memory.events", "oom"));
	all_is_well(_metadata, self);
}

TEST_HARNESS_MAIN
