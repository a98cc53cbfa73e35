// SPDX-License-Identifier: GPL-2.0
/*
 * memload.c - a guest's program that notices when its memory or its time is wrong
 *
 *	memload [MIB [SECONDS]]		on each CPU so much memory, for so long
 *
 * The guest's half of the test of live migration (tools/testhost/host/migrate-test).
 * On every CPU a thread goes round its own memory, page by page in a shuffled order:
 * the page must hold what the thread wrote the last time, word for word, a function of
 * the page's number and of the round; then it is written anew.  A page that comes out
 * older, newer, torn or as another page is found at the next visit.  The words are
 * computed, and compared, in vector registers: should those be lost, so are they.
 *
 * Time: after each round a thread sleeps, which must take no less than was asked for,
 * and not seconds more; all threads wait for each other, by messages between CPUs; and
 * the clock must never run backwards, from no thread to any other.
 *
 * Every second there is a line with the rounds and pages so far.  It ends with 0 after
 * SECONDS or SIGTERM, and says "memload: good"; with 1 as soon as something is wrong.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_CPUS	8
#define PAGE_WORDS	512ul
#define PAGE_PAIRS	(PAGE_WORDS / 2)
#define PAGE_BYTES	(PAGE_WORDS * sizeof(uint64_t))
#define STEP		40503		/* odd: coprime to a number of pages like 2^n */
#define SLEEP_NS	2000000
#define LATE_NS		10000000000	/* longer than any move may take */
#define SECOND_NS	1000000000

typedef uint64_t pair __attribute__((vector_size(16)));

struct worker {
	unsigned int cpu;
	uint64_t *memory;
	pthread_t thread;
};

static unsigned long nr_pages, nr_cpus;
static pthread_barrier_t barrier;
static volatile sig_atomic_t stopped;
static bool last_round;			/* written by worker 0 between two barriers */
static uint64_t end_time;
static _Atomic uint64_t latest;		/* the clock as somebody has read it */
static _Atomic uint64_t pages_done;

static void fail(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	printf("\nmemload: WRONG: ");
	vprintf(format, ap);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

static void stop(int signal)
{
	(void)signal;
	stopped = true;
}

/* The clock, which must not be behind what any thread has seen of it before. */
static uint64_t now(unsigned int cpu)
{
	uint64_t before = atomic_load(&latest), time;
	struct timespec clock;

	clock_gettime(CLOCK_MONOTONIC, &clock);
	time = clock.tv_sec * (uint64_t)SECOND_NS + clock.tv_nsec;
	if (time < before)
		fail("CPU %u: the clock went back by %llu ns", cpu,
		     (unsigned long long)(before - time));
	while (before < time && !atomic_compare_exchange_weak(&latest, &before, time))
		;
	return time;
}

/* What a page's first word is in a round; the others follow from it. */
static uint64_t seed(const struct worker *worker, unsigned long page, unsigned long round)
{
	uint64_t x = (uint64_t)worker->cpu << 56 ^ (uint64_t)page << 32 ^ round;

	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15;
	return x ^ x >> 29;
}

/* Names the words of a page that was not as it should be; the first are enough. */
static void explain(const struct worker *worker, unsigned long page, unsigned long round)
{
	const uint64_t *words = worker->memory + page * PAGE_WORDS;
	uint64_t first = seed(worker, page, round);
	unsigned long i, wrong = 0;

	for (i = 0; i < PAGE_WORDS && wrong < 4; i++) {
		if (words[i] == first + i * STEP)
			continue;
		wrong++;
		printf("\nmemload: word %lu is %llx, not %llx", i,
		       (unsigned long long)words[i],
		       (unsigned long long)(first + i * STEP));
	}
	fail("CPU %u: page %lu in round %lu, %s", worker->cpu, page, round,
	     wrong ? "see above" : "but only in a register");
}

static void check(const struct worker *worker, unsigned long page, unsigned long round)
{
	const pair *pairs = (const pair *)(worker->memory + page * PAGE_WORDS);
	uint64_t first = seed(worker, page, round);
	pair value = { first, first + STEP }, differ = { 0, 0 };
	const pair step = { 2 * STEP, 2 * STEP };
	unsigned long i;

	for (i = 0; i < PAGE_PAIRS; i++) {
		differ |= pairs[i] ^ value;
		value += step;
	}
	if (differ[0] | differ[1])
		explain(worker, page, round);
}

static void fill(const struct worker *worker, unsigned long page, unsigned long round)
{
	pair *pairs = (pair *)(worker->memory + page * PAGE_WORDS);
	uint64_t first = seed(worker, page, round);
	pair value = { first, first + STEP };
	const pair step = { 2 * STEP, 2 * STEP };
	unsigned long i;

	for (i = 0; i < PAGE_PAIRS; i++) {
		pairs[i] = value;
		value += step;
	}
}

static void nap(unsigned int cpu)
{
	const struct timespec length = { .tv_nsec = SLEEP_NS };
	uint64_t start = now(cpu), took;

	if (nanosleep(&length, NULL))
		return;			/* a signal */
	took = now(cpu) - start;
	if (took < SLEEP_NS || took > LATE_NS)
		fail("CPU %u: a sleep took %llu ns", cpu, (unsigned long long)took);
}

/* Worker 0 tells, once a second, and says when it is over. */
static void tell(unsigned long round)
{
	static uint64_t next;
	uint64_t time = now(0);

	last_round = stopped || time > end_time;
	if (time < next && !last_round)
		return;
	printf("memload: round %lu, %llu pages\n", round,
	       (unsigned long long)atomic_load(&pages_done));
	fflush(stdout);
	next = time + SECOND_NS;
}

static void *work(void *arg)
{
	const struct worker *worker = arg;
	unsigned long round, i, page = 0;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(worker->cpu, &cpus);
	if (pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus))
		fail("there is no CPU %u", worker->cpu);
	for (i = 0; i < nr_pages; i++)
		fill(worker, i, 0);
	for (round = 1; !last_round; round++) {
		for (i = 0; i < nr_pages; i++) {
			page = (page + STEP) % nr_pages;
			check(worker, page, round - 1);
			fill(worker, page, round);
		}
		atomic_fetch_add(&pages_done, nr_pages);
		nap(worker->cpu);
		pthread_barrier_wait(&barrier);
		if (!worker->cpu)
			tell(round);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct worker workers[MAX_CPUS];
	unsigned long i;

	nr_pages = (argc > 1 ? strtoul(argv[1], NULL, 10) : 4) << 8;
	end_time = argc > 2 ? now(0) + strtoull(argv[2], NULL, 10) * SECOND_NS : UINT64_MAX;
	nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (!nr_pages || !nr_cpus || nr_cpus > MAX_CPUS)
		fail("%lu pages on %lu CPUs", nr_pages, nr_cpus);
	signal(SIGTERM, stop);
	pthread_barrier_init(&barrier, NULL, nr_cpus);
	for (i = 0; i < nr_cpus; i++) {
		workers[i].cpu = i;
		workers[i].memory = mmap(NULL, nr_pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (workers[i].memory == MAP_FAILED ||
		    pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			fail("no memory, or no thread");
	}
	for (i = 0; i < nr_cpus; i++)
		pthread_join(workers[i].thread, NULL);
	printf("memload: good, %llu pages\n", (unsigned long long)atomic_load(&pages_done));
	return 0;
}
