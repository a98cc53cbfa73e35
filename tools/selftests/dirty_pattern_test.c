// SPDX-License-Identifier: GPL-2.0
/*
 * dirty_pattern_test - the dirty log against guests that write as fast as they can
 *
 * Guards: every write is accounted for, whoever makes it (the CPU, the emulator, the kernel
 * for its own structures in guest memory), and no page is called dirty that nobody wrote;
 * with KVM_GET_DIRTY_LOG alone and with KVM_CLEAR_DIRTY_LOG, whatever the host backs the
 * memory with, for one reader of the log and for two, and while logging goes on and off.
 *
 * dirty_log_test has what each call does; here is what they are for.  Two vCPUs write
 * values that they have never written before to words of their own in pages they choose
 * at random.  The host does what a migration does: it keeps a copy, and copies the pages
 * that the log names, after it has got the log.  Two things can be said exactly:
 *
 *	While they write.  A page was looked at before the log was read, and the log does
 *	not name it.  Then nobody wrote to it since it was in the log last, so it looks
 *	like its copy.  (The emulator first writes and then marks the page: what it writes
 *	may come with a later log.)
 *
 *	While they are stopped, which they are between two instructions.  The pages that
 *	changed since they were stopped before are those that the logs since then named:
 *	those and no others.
 */
#include <kselftest_harness.h>
#include <sched.h>
#include <semaphore.h>

#include "irq_util.h"

#define HI		0x40000000UL
#define MB		0x100000UL
#define LARGE		(2 * MB)
#define SLOT		5
#define LOG		KVM_MEM_LOG_DIRTY_PAGES
#define SIZE		(2 * LARGE)
#define PAGES		(SIZE / PAGE_SIZE)
#define WORDS		(PAGES / 64)
#define WRITERS		2
#define IN_PORT		0x80
#define INITIALLY_SET	2

/* ------------------------------------------------------------------- guest */

/* The words of a page; each vCPU has one of each kind. */
enum { BY_MOV, BY_LOCK, BY_MOVS, BY_INS, NR_KINDS };

struct head {
	u64 word[NR_KINDS][WRITERS];
};

static GUEST_DATA volatile u64 pausing, stop;

__guest_inline void write_somehow(u64 me, struct head *page, u64 val, u64 how)
{
	u64 *to;

	if (how == 0) {				/* emulated: its source is a device */
		to = &page->word[BY_MOVS][me];
		asm volatile("movsq" : "+D"(to) : "S"(GPA_MMIO) : "memory");
	} else if (how == 1) {			/* emulated: string input */
		to = &page->word[BY_INS][me];
		asm volatile("insl" : "+D"(to) : "d"(IN_PORT) : "memory");
	} else if (how < 10) {
		asm volatile("lock incq %0" : "+m"(page->word[BY_LOCK][me]));
	} else {
		*(volatile u64 *)&page->word[BY_MOV][me] = val;
	}
}

/*
 * Some pages near each other for a while, then others.  Now and then two pages only, for
 * long and without an exit: their translations stay in the TLB till somebody flushes it.
 */
static GUEST_FN void g_writer(u64 me)
{
	u64 x = 12345 * me + 1, base = 0, mask = 0, left = 0;

	for (u64 val = 1; !stop; val++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		if (!left--) {
			base = x >> 33;
			mask = x >> 61 ? 255 : 1;
			left = x >> 61 ? 64 : 8192;
		}
		write_somehow(me, (struct head *)(HI + (base + (x >> 56 & mask)) % PAGES *
						  PAGE_SIZE),
			      val, mask == 1 ? 2 + (x & 127) : x >> 40 & 255);
		if (pausing)
			g_ucall(UCALL_SYNC, val, 0);
	}
	g_done();
}

/* -------------------------------------------------------------------- host */

struct writer {
	struct vcpu *vcpu;
	pthread_t thread;
	u64 given;			/* by the device: never the same again */
	volatile bool paused;
};

struct pattern {
	struct vm *vm;
	struct writer writer[WRITERS];
	int vcpus;
	u8 *mem;
	bool manual;
	unsigned int seed;
	struct head before[PAGES];	/* looked at before the log was read */
	struct head copy[PAGES];	/* what a migration would have sent */
	struct head stopped[PAGES];	/* when the vCPUs were stopped last */
	u64 got[WORDS];			/* the last log */
	u64 taken[WORDS];		/* what of that was cleared */
	u64 owed[WORDS];		/* was dirty and not cleared: must come again */
	u64 named[WORDS];		/* dirty since the vCPUs were stopped */
	u64 nr_named, nr_reads;
};

static struct pattern *p;		/* the test's; its run threads want it, too */

static bool bit(const u64 *bits, u64 n)
{
	return bits[n / 64] >> (n % 64) & 1;
}

static struct head *page_head(u64 n)
{
	return (struct head *)(p->mem + n * PAGE_SIZE);
}

static bool same(const struct head *a, const struct head *b, int kinds)
{
	return !memcmp(a, b, kinds * sizeof(a->word[0]));
}

/* Once asked to, a vCPU waits here, outside of any ioctl, till it may go on. */
static void pause_here(struct writer *w)
{
	w->paused = true;
	while (GUEST_VAR(p->vm, pausing))
		usleep(50);
	w->paused = false;
}

static void *writer_thread(void *arg)
{
	struct writer *w = arg;
	struct kvm_run *run = w->vcpu->run;

	for (;;) {
		u32 reason = vcpu_exit(w->vcpu);

		w->given++;
		if (reason == KVM_EXIT_MMIO && !run->mmio.is_write)
			memcpy(run->mmio.data, &w->given, 8);
		else if (reason == KVM_EXIT_IO && run->io.port == IN_PORT)
			memcpy((u8 *)run + run->io.data_offset, &w->given, 4);
		else if (reason != KVM_EXIT_IO || run->io.port != UCALL_PORT)
			die("exit %s", exit_name(reason));
		else if (*(u32 *)((u8 *)run + run->io.data_offset) != UCALL_DONE)
			pause_here(w);
		else
			return NULL;
	}
}

static void start_thread(struct writer *w, void *code)
{
	struct kvm_regs r;

	vcpu_long(w->vcpu, code);
	vcpu_regs(w->vcpu, &r);
	r.rdi = w->vcpu->id;
	vcpu_set_regs(w->vcpu, &r);
	if (pthread_create(&w->thread, NULL, writer_thread, w))
		die("pthread_create");
}

/* They stop between two instructions. */
static void pause_vcpus(void)
{
	GUEST_VAR(p->vm, pausing) = 1;
	for (int i = 0; i < p->vcpus; i++)
		while (!p->writer[i].paused)
			usleep(50);
}

static void resume_vcpus(void)
{
	GUEST_VAR(p->vm, pausing) = 0;
	for (int i = 0; i < p->vcpus; i++)
		while (p->writer[i].paused)
			usleep(50);
}

static void end_vcpus(void)
{
	GUEST_VAR(p->vm, stop) = 1;
	GUEST_VAR(p->vm, pausing) = 0;
	for (int i = 0; i < p->vcpus; i++)
		pthread_join(p->writer[i].thread, NULL);
}

static void set_flags(u32 flags)
{
	int ret = vm_slot(p->vm, SLOT, flags, HI, SIZE, p->mem);

	if (ret)
		die("flags %u: %s", flags, strerror(-ret));
}

static void get_log(u64 *bits)
{
	struct kvm_dirty_log l = { .slot = SLOT, .dirty_bitmap = bits };
	int ret = kioctlp(p->vm->fd, KVM_GET_DIRTY_LOG, &l);

	if (ret)
		die("KVM_GET_DIRTY_LOG: %s", strerror(-ret));
}

static void clear_log(u64 first_word, u64 words, u64 *bits)
{
	struct kvm_clear_dirty_log l = {
		.slot = SLOT, .first_page = first_word * 64, .num_pages = words * 64,
		.dirty_bitmap = bits + first_word,
	};
	int ret = kioctlp(p->vm->fd, KVM_CLEAR_DIRTY_LOG, &l);

	if (ret)
		die("KVM_CLEAR_DIRTY_LOG: %s", strerror(-ret));
}

/* In pieces; and, if not everything is wanted, not all of the pages. */
static void clear_in_pieces(bool everything)
{
	u64 n;

	for (u64 i = 0; i < WORDS; i++) {
		if (!everything && !(rand_r(&p->seed) % 4))
			p->taken[i] &= rand_r(&p->seed) * 0x100000001UL;
		p->owed[i] = p->got[i] & ~p->taken[i];
	}
	for (u64 i = 0; i < WORDS; i += n) {
		n = 1 + rand_r(&p->seed) % 5;
		if (n > WORDS - i)
			n = WORDS - i;
		clear_log(i, n, p->taken);
	}
}

/* Read the log, clear it where that is another call; all that was owed must have come. */
static bool read_log(bool everything)
{
	bool good = true;

	get_log(p->got);
	memcpy(p->taken, p->got, sizeof(p->taken));
	for (u64 i = 0; i < WORDS; i++) {
		good &= !(p->owed[i] & ~p->got[i]);
		p->named[i] |= p->got[i];
		p->nr_named += __builtin_popcountll(p->got[i]);
	}
	p->nr_reads++;
	if (!good)
		printf("# pages that were not cleared are clean\n");
	if (p->manual)
		clear_in_pieces(everything);
	return good;
}

static void copy_pages(const u64 *bits)
{
	for (u64 n = 0; n < PAGES; n++)
		if (!bits || bit(bits, n))
			p->copy[n] = *page_head(n);
}

/* A page that the log did not name looks like its copy. */
static bool unnamed_are_as_copied(const struct head *now, int kinds)
{
	for (u64 n = 0; n < PAGES; n++) {
		if (bit(p->got, n) || same(&now[n], &p->copy[n], kinds))
			continue;
		printf("# page %lu was written and is not in the log\n", n);
		return false;
	}
	return true;
}

static void look_at_pages(struct head *heads)
{
	for (u64 n = 0; n < PAGES; n++)
		heads[n] = *page_head(n);
}

static bool harvest_running(void)
{
	bool good;

	look_at_pages(p->before);
	good = read_log(false);
	good &= unnamed_are_as_copied(p->before, BY_MOVS);
	copy_pages(p->taken);
	return good;
}

/* Changed, and named by a log: one must follow from the other. */
static bool harvest_stopped(void)
{
	bool good;

	pause_vcpus();
	look_at_pages(p->before);
	good = read_log(true) && unnamed_are_as_copied(p->before, NR_KINDS);
	for (u64 n = 0; n < PAGES; n++) {
		bool changed = !same(&p->before[n], &p->stopped[n], NR_KINDS);

		if (changed == bit(p->named, n))
			continue;
		printf("# page %lu was %s, and %s\n", n, changed ? "written" : "not written",
		       changed ? "no log had it" : "a log had it");
		good = false;
		break;
	}
	memcpy(p->stopped, p->before, sizeof(p->stopped));
	memset(p->named, 0, sizeof(p->named));
	copy_pages(NULL);
	resume_vcpus();
	return good;
}

/* With all vCPUs stopped: what was written till now does not count. */
static void begin_accounts(void)
{
	look_at_pages(p->stopped);
	copy_pages(NULL);
	memset(p->named, 0, sizeof(p->named));
	memset(p->owed, 0, sizeof(p->owed));
}

enum backing { SMALL, THP, HUGETLB };

static void set_huge_pages(u64 n)
{
	FILE *f = fopen("/proc/sys/vm/nr_hugepages", "w");

	if (f) {
		fprintf(f, "%lu", n);
		fclose(f);
	}
}

static bool get_memory(enum backing backing)
{
	if (backing == HUGETLB) {
		set_huge_pages(SIZE / LARGE);
		p->mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
			      MAP_HUGETLB | 21 << MAP_HUGE_SHIFT | MAP_POPULATE, -1, 0);
		return p->mem != MAP_FAILED;
	}
	p->mem = vm_anon(SIZE + LARGE);
	p->mem = (u8 *)(((u64)p->mem + LARGE - 1) & ~(LARGE - 1));
	madvise(p->mem, SIZE, backing == THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memset(p->mem, 0, SIZE);
	return true;
}

static void begin(struct vm *vm, int vcpus)
{
	p->vm = vm;
	p->vcpus = vcpus;
	p->seed = 1;
	for (int i = 0; i < vcpus; i++)
		p->writer[i].vcpu = vcpu_new(vm, i);
}

static void start_writers(void)
{
	for (int i = 0; i < p->vcpus; i++)
		start_thread(&p->writer[i], g_writer);
}

static void enable_manual(u64 how)
{
	int ret = vm_enable_cap(p->vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, how);

	if (ret)
		die("KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: %s", strerror(-ret));
	p->manual = true;
}

static u64 rounds(u64 with_two_cpus)
{
	return host_cpus() > 1 ? with_two_cpus : with_two_cpus / 4;
}

/* ------------------------------------------------------------------- tests */

FIXTURE(log) {
	long tables;
};

FIXTURE_VARIANT(log) {
	enum backing backing;
	u64 manual;			/* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2's argument */
};

#define VARIANT(name, back, how)					\
	FIXTURE_VARIANT_ADD(log, name) { .backing = (back), .manual = (how) }

VARIANT(get_4k, SMALL, 0);
VARIANT(get_thp, THP, 0);
VARIANT(get_hugetlb, HUGETLB, 0);
VARIANT(clear_4k, SMALL, 1);
VARIANT(clear_thp, THP, 1);
VARIANT(clear_hugetlb, HUGETLB, 1);
VARIANT(initially_set_4k, SMALL, 3);
VARIANT(initially_set_thp, THP, 3);
VARIANT(initially_set_hugetlb, HUGETLB, 3);

FIXTURE_SETUP(log)
{
	(void)variant;
	log_mark();
	self->tables = table_pages();
	p = calloc(1, sizeof(*p));
}

FIXTURE_TEARDOWN(log)
{
	if (p->vm)
		vm_free(p->vm);
	if (variant->backing == HUGETLB) {
		munmap(p->mem, SIZE);
		set_huge_pages(0);
	}
	free(p);
	EXPECT_TRUE(table_pages_back_to(self->tables));
	EXPECT_FALSE(log_has_warning());
}

/* The log as it is when logging begins, the vCPUs being stopped. */
static bool first_log_is(bool all_set)
{
	bool good = read_log(true);

	for (u64 i = 0; i < WORDS; i++)
		good &= p->got[i] == (all_set ? ~0UL : 0);
	return good;
}

TEST_F_TIMEOUT(log, pattern, 60)
{
	bool good = true;

	if (!get_memory(variant->backing))
		SKIP(return, "the host has no such memory");
	begin(vm_new(), 2);
	if (variant->manual)
		enable_manual(variant->manual);
	set_flags(0);
	start_writers();
	usleep(2000);			/* large pages where there are any */
	pause_vcpus();
	set_flags(LOG);
	EXPECT_TRUE(first_log_is(variant->manual & INITIALLY_SET));
	begin_accounts();
	resume_vcpus();

	for (u64 i = 0; i < rounds(16) && good; i++) {
		for (int k = 0; k < 5 && good; k++) {
			usleep(rand_r(&p->seed) % 500);
			good = harvest_running();
		}
		good &= harvest_stopped();
	}
	EXPECT_TRUE(good);
	/* It was neither all dirty nor all clean, or all that would say little. */
	EXPECT_LT(p->nr_reads * 4, p->nr_named);
	EXPECT_GT(p->nr_reads * PAGES * 9 / 10, p->nr_named);
	end_vcpus();
}

/*
 * Logging ends and begins again under the writers.  Whoever switches it on copies all
 * there is, then follows the log.
 */
TEST_F_TIMEOUT(log, switched_off_and_on, 60)
{
	bool good = true;

	if (!get_memory(variant->backing))
		SKIP(return, "the host has no such memory");
	begin(vm_new(), 2);
	if (variant->manual)
		enable_manual(variant->manual);
	set_flags(LOG);
	start_writers();
	for (u64 i = 0; i < rounds(24) && good; i++) {
		set_flags(0);
		usleep(rand_r(&p->seed) % 500);
		set_flags(LOG);
		memset(p->owed, 0, sizeof(p->owed));
		copy_pages(NULL);
		for (int k = 0; k < 3 && good; k++)
			good = harvest_running();
	}
	pause_vcpus();
	look_at_pages(p->before);
	good &= read_log(true) && unnamed_are_as_copied(p->before, NR_KINDS);
	EXPECT_TRUE(good);
	end_vcpus();
}

/* ---- two who read one log ---- */

static pthread_mutex_t copying = PTHREAD_MUTEX_INITIALIZER;
static volatile bool readers_stop;
static volatile u64 reads_done[2];

static void *reader_thread(void *arg)
{
	int me = (u64)arg;
	u64 bits[WORDS];

	while (!readers_stop) {
		get_log(bits);
		if (p->manual)
			clear_log(0, WORDS, bits);
		pthread_mutex_lock(&copying);
		copy_pages(bits);
		pthread_mutex_unlock(&copying);
		reads_done[me]++;
	}
	return NULL;
}

/* Each dirty page goes to one of them at least; between them they miss nothing. */
TEST_F_TIMEOUT(log, two_readers, 60)
{
	u64 want = rounds(60);
	pthread_t t[2];

	if (!get_memory(variant->backing))
		SKIP(return, "the host has no such memory");
	begin(vm_new(), 2);
	if (variant->manual)
		enable_manual(variant->manual);
	set_flags(LOG);
	readers_stop = false;
	reads_done[0] = 0;
	reads_done[1] = 0;
	start_writers();
	for (u64 i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, reader_thread, (void *)i);
	while (reads_done[0] < want || reads_done[1] < want)
		usleep(500);
	readers_stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	pause_vcpus();
	look_at_pages(p->before);
	EXPECT_TRUE(read_log(true));
	EXPECT_TRUE(unnamed_are_as_copied(p->before, NR_KINDS));
	end_vcpus();
}

/* ------------------------------------------------------ the kernel's own writes */

#define MSR_SYSTEM_TIME	0x4b564d01
#define MSR_STEAL	0x4b564d03
#define MSR_PV_EOI	0x4b564d04
#define F_CLOCK		3
#define F_STEAL		5
#define F_PV_EOI	6
#define VEC		0x61
#define CLOCK_PAGE	3
#define STEAL_PAGE	70
#define EOI_PAGE	200
#define PAGE_GPA(n)	(HI + (n) * PAGE_SIZE)

static GUEST_DATA volatile u64 offers, taken_irqs;

/*
 * Takes interrupts and acknowledges them in the APIC.  Where it sees the offer to do it by
 * a bit it says so, but leaves the bit: it is the kernel that sets and clears it.
 */
static GUEST_FN void g_takes_irqs(void)
{
	volatile struct guest_exc *exc = g_exc();
	u64 seen = 0;

	exc->action = EXC_IRET;
	lapic_write(LAPIC_SVR, 0x1ff);
	while (!stop) {
		asm volatile("sti; nop; nop; cli" : : : "memory");
		for (; seen < exc->count; seen++) {
			if (*(volatile u32 *)PAGE_GPA(EOI_PAGE) & 1)
				offers++;
			lapic_write(LAPIC_EOI, 0);
			taken_irqs++;
		}
		if (pausing)
			g_ucall(UCALL_SYNC, 0, 0);
	}
	g_done();
}

static void raise_irq(void)
{
	struct kvm_msi msi = { .address_lo = LAPIC_GPA, .data = VEC };
	u64 before = GUEST_VAR(p->vm, taken_irqs), end = now_ns() + 5000000000UL;

	if (kioctlp(p->vm->fd, KVM_SIGNAL_MSI, &msi) != 1)
		die("KVM_SIGNAL_MSI");
	while (GUEST_VAR(p->vm, taken_irqs) == before && now_ns() < end)
		usleep(20);
}

static void set_clock(void)
{
	struct kvm_clock_data data = {};

	if (kioctlp(p->vm->fd, KVM_GET_CLOCK, &data))
		die("KVM_GET_CLOCK");
	data.flags = 0;
	if (kioctlp(p->vm->fd, KVM_SET_CLOCK, &data))
		die("KVM_SET_CLOCK");
}

static bool enable_msr(u32 msr, int feature, int page)
{
	return cpuid_has(0x40000001, 0, 'a', feature) &&
	       vcpu_set_msr(p->writer[0].vcpu, msr, PAGE_GPA(page) | 1) == 1;
}

static bool page_changed(u64 n)
{
	return memcmp(page_head(n), &p->stopped[n], sizeof(struct head));
}

TEST_F_TIMEOUT(log, kernels_writes, 60)
{
	u64 clocks = 0, steals = 0, eois = 0, seen, n = rounds(60);
	bool clock, steal, eoi;

	if (!get_memory(variant->backing))
		SKIP(return, "the host has no such memory");
	begin(vm_irqchip(), 1);
	if (variant->manual)
		enable_manual(variant->manual);
	set_flags(LOG);
	clock = enable_msr(MSR_SYSTEM_TIME, F_CLOCK, CLOCK_PAGE);
	steal = enable_msr(MSR_STEAL, F_STEAL, STEAL_PAGE);
	eoi = enable_msr(MSR_PV_EOI, F_PV_EOI, EOI_PAGE);
	start_thread(&p->writer[0], g_takes_irqs);
	pause_vcpus();
	read_log(true);
	begin_accounts();
	for (u64 i = 0; i < n; i++) {
		seen = GUEST_VAR(p->vm, offers);
		resume_vcpus();
		if (i & 1)
			set_clock();
		raise_irq();
		read_log(true);
		raise_irq();
		pause_vcpus();
		read_log(true);
		for (u64 page = 0; page < PAGES; page++) {
			EXPECT_FALSE(page_changed(page) && !bit(p->named, page))
				TH_LOG("page %lu was written and is not in the log", page);
		}
		if (GUEST_VAR(p->vm, offers) != seen) {
			EXPECT_TRUE(bit(p->named, EOI_PAGE));
			eois++;
		}
		clocks += page_changed(CLOCK_PAGE);
		steals += page_changed(STEAL_PAGE);
		begin_accounts();
	}
	end_vcpus();
	/* There was something to be seen. */
	EXPECT_TRUE(!clock || clocks >= n / 4);
	EXPECT_TRUE(!steal || steals >= n / 4);
	EXPECT_TRUE(!eoi || eois >= n / 4);
	EXPECT_TRUE(clock && steal);
}

/* ---- "preempted", which is written when the vCPU's thread loses its CPU ---- */

#define PREEMPTED_BYTE	16		/* in struct kvm_steal_time */

static GUEST_FN void g_spins(void)
{
	while (!stop) {
		asm volatile("pause");
		if (pausing)
			g_ucall(UCALL_SYNC, 0, 0);
	}
	g_done();
}

static sem_t take_cpu;
static volatile bool give_back_cpu, no_more;

/* Whoever runs on CPU 1 has to wait. */
static void *preemptor_thread(void *arg)
{
	struct sched_param prio = { .sched_priority = 10 };

	(void)arg;
	pin_cpu(1);
	if (sched_setscheduler(0, SCHED_FIFO, &prio))
		die("SCHED_FIFO");
	for (;;) {
		while (sem_wait(&take_cpu))
			;
		if (no_more)
			return NULL;
		while (!give_back_cpu)
			;
	}
}

/* The log is read after the vCPU has come to run, then it is preempted. */
static bool preempted_once(volatile u8 *preempted, u64 *times)
{
	u64 end = now_ns() + 1000000000UL;
	bool good = true;

	give_back_cpu = false;
	while (*preempted && now_ns() < end)
		;
	read_log(true);
	if (!*preempted) {
		sem_post(&take_cpu);
		while (!*preempted && now_ns() < end)
			;
		if (*preempted) {
			read_log(true);
			good = bit(p->got, STEAL_PAGE);
			++*times;
		}
	}
	give_back_cpu = true;
	usleep(200);
	return good;
}

TEST(preempted_is_logged)
{
	volatile u8 *preempted;
	u64 times = 0, n = 100;
	pthread_t t;

	if (host_cpus() < 2)
		SKIP(return, "one CPU");
	if (!cpuid_has(0x40000001, 0, 'a', F_STEAL))
		SKIP(return, "no steal time");
	p = calloc(1, sizeof(*p));
	get_memory(SMALL);
	begin(vm_new(), 1);
	set_flags(LOG);
	ASSERT_TRUE(enable_msr(MSR_STEAL, F_STEAL, STEAL_PAGE));
	preempted = (u8 *)page_head(STEAL_PAGE) + PREEMPTED_BYTE;
	no_more = false;
	sem_init(&take_cpu, 0, 0);
	pthread_create(&t, NULL, preemptor_thread, NULL);
	pin_cpu(1);			/* its thread inherits that */
	start_thread(&p->writer[0], g_spins);
	pin_cpu(0);
	for (u64 i = 0; i < n; i++)
		EXPECT_TRUE(preempted_once(preempted, &times));
	EXPECT_LT(n / 2, times);
	no_more = true;
	sem_post(&take_cpu);
	pthread_join(t, NULL);
	end_vcpus();
	vm_free(p->vm);
	free(p);
}

static GUEST_FN void g_syncs(void)
{
	for (;;)
		g_ucall(UCALL_SYNC, 0, 0);
}

/* The clock's version is written by itself: here it is the last word of a page. */
TEST(a_word_alone_is_logged)
{
	volatile u32 *version;

	if (dev_is_stock() || !cpuid_has(0x40000001, 0, 'a', F_CLOCK))
		SKIP(return, "no clock on two pages");
	p = calloc(1, sizeof(*p));
	get_memory(SMALL);
	begin(vm_new(), 1);
	set_flags(LOG);
	version = (u32 *)page_head(CLOCK_PAGE + 1) - 1;
	vcpu_long(p->writer[0].vcpu, g_syncs);
	ASSERT_EQ(1, vcpu_set_msr(p->writer[0].vcpu, MSR_SYSTEM_TIME,
				  PAGE_GPA(CLOCK_PAGE + 1) - 4 + 1));
	for (int i = 0; i < 10; i++) {
		u32 before = *version;

		set_clock();
		EXPECT_EQ(UCALL_SYNC, vcpu_ucall(p->writer[0].vcpu).cmd);
		EXPECT_NE(before, *version);
		read_log(true);
		EXPECT_TRUE(bit(p->got, CLOCK_PAGE));
		EXPECT_TRUE(bit(p->got, CLOCK_PAGE + 1));
	}
	vm_free(p->vm);
	free(p);
}

TEST_HARNESS_MAIN
