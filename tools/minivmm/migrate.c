// SPDX-License-Identifier: GPL-2.0
/*
 * migrate.c - the guest into a new VM, while it runs
 *
 * Live migration, but for the network: from one VM of this program to another, with
 * another descriptor, another mapping for the RAM, other vCPUs.  A guest writes its
 * RAM faster than it could be sent, so that is done in passes ("pre-copy"):
 *
 *	 old VM						 new VM
 *	 the log is turned on
 *	 runs		--- pass 0: all pages -------->
 *	 runs		--- pass 1: what it wrote ---->	 each is shorter, until the
 *	 ...						 guest writes as fast as that
 *	 stops; state is read
 *			--- the last pages, state ---->
 *	 is destroyed					 runs
 *
 * The guest does not run from "stops" to "runs": the downtime.  Its clocks do, see
 * state.c; to it this is as if the host had not scheduled it for that long.
 *
 * This program's own devices (serial port, clock, ACPI) stay what they are, and only
 * have another VM to send interrupts to.  vm->lock is held meanwhile, so nobody types.
 *
 * A page that was written and is not in the log would be a silent corruption, found
 * hours later.  With --compare all of the RAM is compared after the last pass, when
 * nothing runs: every page that differs was missed, and is an error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "minivmm.h"

#define MAX_PASSES	8		/* while the guest runs, with the first */
#define FEW_PAGES	64		/* stop it when there are no more than these */
#define CHUNK		1024ul		/* pages that are cleared in the log at once */
#define PASS_PAUSE	20000		/* microseconds: a network would be slower */

static double milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/*
 * A page that is the same there needs no copying, so memory that nobody has touched
 * stays that way.  The guest may write to it just now; then it is in the log again.
 */
static void copy_page(const struct vm *from, const struct vm *to, uint64_t page)
{
	const void *source = from->ram + page * PAGE_SIZE;
	void *target = to->ram + page * PAGE_SIZE;

	if (memcmp(target, source, PAGE_SIZE))
		memcpy(target, source, PAGE_SIZE);
}

/* A piece of a slot: what the bitmap has of it is cleared in the log, and copied. */
static unsigned long copy_chunk(struct vm *from, const struct vm *to, uint64_t *bitmap,
				uint64_t first, uint64_t pages)
{
	unsigned long copied = 0;
	uint64_t page;

	log_clear(from, bitmap, first, pages);
	for (page = first; page < first + pages; page++) {
		if (bitmap[page / 64] >> page % 64 & 1) {
			copy_page(from, to, page);
			copied++;
		}
	}
	return copied;
}

/* All pages whose bits are set; returns how many they were. */
static unsigned long copy_pages(struct vm *from, const struct vm *to, uint64_t *bitmap)
{
	struct kvm_userspace_memory_region slots[MAX_SLOTS];
	unsigned int i, nr = vm_slots(from, slots);
	unsigned long copied = 0;

	for (i = 0; i < nr; i++) {
		uint64_t first = slots[i].guest_phys_addr / PAGE_SIZE;
		uint64_t end = first + slots[i].memory_size / PAGE_SIZE;

		for (; first < end; first += CHUNK)
			copied += copy_chunk(from, to, bitmap, first,
					     end - first < CHUNK ? end - first : CHUNK);
	}
	return copied;
}

/* With the guest stopped and all copied: how many pages differ?  Names a few. */
static unsigned long compare(const struct vm *from, const struct vm *to)
{
	struct kvm_userspace_memory_region slots[MAX_SLOTS];
	unsigned int i, nr = vm_slots(from, slots);
	unsigned long differ = 0;
	uint64_t gpa, end;

	for (i = 0; i < nr; i++) {
		end = slots[i].guest_phys_addr + slots[i].memory_size;
		for (gpa = slots[i].guest_phys_addr; gpa < end; gpa += PAGE_SIZE) {
			if (!memcmp(to->ram + gpa, from->ram + gpa, PAGE_SIZE))
				continue;
			if (differ++ < 5)
				fprintf(stderr, "\r\nminivmm: a write to 0x%llx was missed\r\n",
					(unsigned long long)gpa);
		}
	}
	return differ;
}

/* A machine of the same shape, built by the stages that built the first. */
static void build(struct vm *next, const struct vm *vm)
{
	*next = (struct vm) {
		.device = vm->device,
		.kvm_fd = vm->kvm_fd,
		.nr_cpus = vm->nr_cpus,
		.ram_size = vm->ram_size,
		.run_size = vm->run_size,
		.log_mode = vm->log_mode,
		.verbose = vm->verbose,
	};
	vm_create(next);
	log_prepare(next);
	vm_set_ram(next);
	vcpus_create(next);
	vm_set_routes(next);
}

/* The two machines change their VMs: the devices, options and threads stay. */
static void swap(struct vm *vm, struct vm *next)
{
	struct vm old = { .fd = vm->fd, .ram = vm->ram };
	unsigned int i;

	vm->fd = next->fd;
	vm->ram = next->ram;
	next->fd = old.fd;
	next->ram = old.ram;
	for (i = 0; i < vm->nr_cpus; i++) {
		old.vcpus[i] = vm->vcpus[i];
		vm->vcpus[i] = next->vcpus[i];
		vm->vcpus[i].vm = vm;
		next->vcpus[i] = old.vcpus[i];
		next->vcpus[i].vm = next;
	}
}

/* Passes while the guest runs; what they copied is added to a text for the person. */
static void copy_live(struct vm *vm, const struct vm *next, uint64_t *bitmap, FILE *report)
{
	unsigned long pages;
	unsigned int pass;

	log_start(vm, bitmap);
	for (pass = 0; pass < MAX_PASSES; pass++) {
		if (pass)
			log_fetch(vm, bitmap);
		pages = copy_pages(vm, next, bitmap);
		fprintf(report, " %lu", pages);
		if (pages <= FEW_PAGES || vm_ended(vm))
			break;
		usleep(PASS_PAUSE);
	}
}

/*
 * The guest stands still: the rest of it.  State comes first, because reading it may
 * write to the RAM; setting it needs all of the RAM.  Returns false if a page differs.
 */
static bool copy_rest(struct vm *vm, struct vm *next, uint64_t *bitmap, FILE *report)
{
	struct state *state = state_get(vm);
	unsigned long differ = 0;

	log_fetch(vm, bitmap);
	fprintf(report, " + %lu pages", copy_pages(vm, next, bitmap));
	if (vm->compare) {
		differ = compare(vm, next);
		fprintf(report, ", %lu missed", differ);
	}
	state_set(next, state);
	free(state);
	swap(vm, next);
	serial_rewire(vm);
	return !differ;
}

/* One move.  Returns false if it was no good, or the machine has ended meanwhile. */
static bool move(struct vm *vm, unsigned int round, uint64_t *bitmap, FILE *report)
{
	bool good = false;
	struct vm next;
	double stopped;

	fprintf(report, "round %u:", round);
	build(&next, vm);
	copy_live(vm, &next, bitmap, report);
	stopped = milliseconds();
	vcpus_pause(vm);
	if (!vm_ended(vm)) {
		pthread_mutex_lock(&vm->lock);
		good = copy_rest(vm, &next, bitmap, report);
		pthread_mutex_unlock(&vm->lock);
		fprintf(report, ", down for %.1f ms", milliseconds() - stopped);
		if (vm->ring_full)
			fprintf(report, ", rings full %lu times so far", vm->ring_full);
		if (!good)
			vm_end(vm, 1, "pages were missed");
	}
	vcpus_resume(vm);
	vm_destroy(&next);
	return good;
}

/**
 * migrate() - move the guest to a new VM, as many times as the option says
 * @vm:		the machine, running
 *
 * Each time there is a line with the pages of each pass and the downtime.  Ends the
 * machine, with status 1, if a page was missed.
 */
void migrate(struct vm *vm)
{
	uint64_t *bitmap = malloc(log_bitmap_size(vm));
	unsigned int round;
	bool good = true;
	char line[256];

	if (!bitmap)
		die_errno("memory for the dirty log");
	for (round = 1; good && round <= vm->rounds; round++) {
		FILE *report = fmemopen(line, sizeof(line), "w");

		if (!report)
			die_errno("memory for a line");
		good = move(vm, round, bitmap, report);
		fclose(report);
		fprintf(stderr, "\r\nminivmm: %s\r\n", line);
	}
	if (good)
		fprintf(stderr, "\r\nminivmm: moved %u times, dirty log '%s'\r\n",
			vm->rounds, log_mode_name(vm));
	free(bitmap);
}
