// SPDX-License-Identifier: GPL-2.0
/*
 * dirtylog.c - which pages the guest has written
 *
 * To copy the RAM of a running guest one has to know what it wrote behind one's back.
 * KVM write-protects the pages of a slot with KVM_MEM_LOG_DIRTY_PAGES (or has the CPU
 * note what is written: PML, EPT dirty bits); the first write to a page sets its bit
 * in the slot's bitmap.  One rule holds for every way to read it:
 *
 *	the bit is cleared, and the page protected again, BEFORE the page is copied.
 *
 * A write after the clearing sets the bit again, so the page is copied again; the
 * other way round, a write between copy and clearing would be lost.
 *
 *	get		KVM_GET_DIRTY_LOG returns the bitmap and clears all of it:
 *			every page is protected at once, long before most are copied
 *	clear		KVM_GET_DIRTY_LOG only reads.  KVM_CLEAR_DIRTY_LOG clears a
 *			part, just before that is copied: what is written until then
 *			does not have to be copied twice
 *	initially-set	the same, and all bits are set when the log is turned on: no
 *			page needs to be protected then, as all will be copied anyway
 *	ring		each vCPU has a ring, in memory shared with KVM, into which it
 *			puts every page that it writes.  We take an entry ("reap"), and
 *			KVM_RESET_DIRTY_RINGS protects the pages of those taken.  A
 *			vCPU whose ring is full leaves KVM_RUN until that was done
 *
 * The bitmaps here span all guest-physical addresses, so that a page's bit is found
 * without knowing its slot.  A slot begins at a multiple of 64 pages, so KVM's bitmap
 * of it is a piece of ours.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "minivmm.h"

#define RING_ENTRIES	1024ul		/* few, so that rings do get full */
#define RING_BYTES	(RING_ENTRIES * sizeof(struct kvm_dirty_gfn))
#define WORD_PAGES	64ul		/* of a bitmap's word; KVM clears by words */

static const char * const mode_names[] = {
	[LOG_GET] = "get",
	[LOG_CLEAR] = "clear",
	[LOG_INITIALLY_SET] = "initially-set",
	[LOG_RING] = "ring",
};

bool log_parse_mode(struct vm *vm, const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mode_names); i++) {
		if (!strcmp(name, mode_names[i])) {
			vm->log_mode = i;
			return true;
		}
	}
	return false;
}

const char *log_mode_name(const struct vm *vm)
{
	return mode_names[vm->log_mode];
}

/* Of a bitmap of all guest-physical addresses up to the end of RAM, in bytes. */
size_t log_bitmap_size(const struct vm *vm)
{
	uint64_t pages = vm_ram_span(vm) / PAGE_SIZE;

	return (pages + WORD_PAGES - 1) / WORD_PAGES * sizeof(uint64_t);
}

/* The way of logging is the VM's, and chosen before it has RAM and vCPUs. */
void log_prepare(struct vm *vm)
{
	static const struct kvm_enable_cap caps[] = {
		[LOG_CLEAR] = {
			.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
			.args[0] = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE,
		},
		[LOG_INITIALLY_SET] = {
			.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
			.args[0] = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
				   KVM_DIRTY_LOG_INITIALLY_SET,
		},
		[LOG_RING] = {
			.cap = KVM_CAP_DIRTY_LOG_RING,
			.args[0] = RING_BYTES,
		},
	};
	const struct kvm_enable_cap *cap = &caps[vm->log_mode];

	if (vm->log_mode == LOG_GET)
		return;
	if (!KVM(vm, vm->kvm_fd, KVM_CHECK_EXTENSION, cap->cap))
		die("%s has no dirty log '%s'", vm->device, log_mode_name(vm));
	KVM(vm, vm->fd, KVM_ENABLE_CAP, cap);
}

/* ---------------------------------------------------------------------- rings */

/* A new vCPU's ring. */
void log_map_ring(struct vcpu *vcpu)
{
	vcpu->ring_next = 0;
	vcpu->ring = NULL;
	if (vcpu->vm->log_mode != LOG_RING)
		return;
	vcpu->ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd,
			  KVM_DIRTY_LOG_PAGE_OFFSET * PAGE_SIZE);
	if (vcpu->ring == MAP_FAILED)
		die_errno("mmap of a vCPU's dirty ring");
}

void log_unmap_ring(struct vcpu *vcpu)
{
	if (vcpu->ring)
		munmap(vcpu->ring, RING_BYTES);
}

/*
 * The entries that a vCPU has made.  Its thread may make more just now: an entry is
 * complete once it can be seen to be dirty, hence acquire; and we are done with it
 * once KVM can see that, hence release.
 */
static bool reap_ring(struct vm *vm, struct vcpu *vcpu)
{
	static const uint64_t base[MAX_SLOTS] = { 0, GAP_END / PAGE_SIZE };
	bool any = false;

	for (;; vcpu->ring_next++) {
		struct kvm_dirty_gfn *entry = &vcpu->ring[vcpu->ring_next % RING_ENTRIES];
		uint64_t page;

		if (__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) !=
		    KVM_DIRTY_GFN_F_DIRTY)
			return any;
		page = base[entry->slot] + entry->offset;
		vm->reaped[page / WORD_PAGES] |= 1ull << page % WORD_PAGES;
		__atomic_store_n(&entry->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
		any = true;
	}
}

/* With vm->ring_lock: who has it sees no page that is reaped but not yet protected. */
static void reap(struct vm *vm)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < vm->nr_cpus; i++)
		any |= reap_ring(vm, &vm->vcpus[i]);
	if (any)
		KVM(vm, vm->fd, KVM_RESET_DIRTY_RINGS, 0);
}

/* A vCPU's thread: it cannot go on without room for what the guest will write. */
void log_ring_full(struct vm *vm)
{
	pthread_mutex_lock(&vm->ring_lock);
	vm->ring_full++;
	reap(vm);
	pthread_mutex_unlock(&vm->ring_lock);
}

static void fetch_rings(struct vm *vm, uint64_t *bitmap)
{
	pthread_mutex_lock(&vm->ring_lock);
	reap(vm);
	memcpy(bitmap, vm->reaped, log_bitmap_size(vm));
	memset(vm->reaped, 0, log_bitmap_size(vm));
	pthread_mutex_unlock(&vm->ring_lock);
}

/* -------------------------------------------------------------- all four ways */

static void set_bits(const struct kvm_userspace_memory_region *slot, uint64_t *bitmap)
{
	uint64_t first = slot->guest_phys_addr / PAGE_SIZE;
	uint64_t page, end = first + slot->memory_size / PAGE_SIZE;

	for (page = first; page < end; page++)
		bitmap[page / WORD_PAGES] |= 1ull << page % WORD_PAGES;
}

/**
 * log_start() - from now on, what the guest writes is logged
 * @vm:		the machine; its vCPUs may run
 * @bitmap:	what has to be copied first: every page of RAM
 *
 * Where KVM has all bits set to begin with, they are taken from it, not made up.
 */
void log_start(struct vm *vm, uint64_t *bitmap)
{
	struct kvm_userspace_memory_region slots[MAX_SLOTS];
	unsigned int i, nr = vm_slots(vm, slots);

	if (vm->log_mode == LOG_RING && !vm->reaped) {
		vm->reaped = calloc(1, log_bitmap_size(vm));
		if (!vm->reaped)
			die_errno("memory for the dirty log");
	}
	vm_set_slots(vm, KVM_MEM_LOG_DIRTY_PAGES);
	if (vm->log_mode == LOG_INITIALLY_SET) {
		log_fetch(vm, bitmap);
		return;
	}
	memset(bitmap, 0, log_bitmap_size(vm));
	for (i = 0; i < nr; i++)
		set_bits(&slots[i], bitmap);
}

/**
 * log_fetch() - what was written since the last time
 * @vm:		the machine
 * @bitmap:	overwritten with it
 *
 * Before a page is copied, log_clear() has to be called for it.
 */
void log_fetch(struct vm *vm, uint64_t *bitmap)
{
	struct kvm_userspace_memory_region slots[MAX_SLOTS];
	unsigned int i, nr = vm_slots(vm, slots);

	if (vm->log_mode == LOG_RING) {
		fetch_rings(vm, bitmap);
		return;
	}
	memset(bitmap, 0, log_bitmap_size(vm));
	for (i = 0; i < nr; i++) {
		struct kvm_dirty_log log = {
			.slot = slots[i].slot,
			.dirty_bitmap = bitmap +
				slots[i].guest_phys_addr / PAGE_SIZE / WORD_PAGES,
		};

		KVM(vm, vm->fd, KVM_GET_DIRTY_LOG, &log);
	}
}

/**
 * log_clear() - some pages are about to be copied
 * @vm:		the machine
 * @bitmap:	as fetched: only the pages whose bits are set are cleared in the log
 * @first:	the first page, a multiple of 64
 * @pages:	how many, a multiple of 64, or up to the end of a slot; in one slot
 */
void log_clear(struct vm *vm, uint64_t *bitmap, uint64_t first, uint64_t pages)
{
	struct kvm_clear_dirty_log clear = {
		.slot = first >= GAP_END / PAGE_SIZE,
		.num_pages = pages,
		.first_page = first,
		.dirty_bitmap = bitmap + first / WORD_PAGES,
	};

	if (vm->log_mode == LOG_GET || vm->log_mode == LOG_RING)
		return;			/* fetching has cleared */
	if (clear.slot)
		clear.first_page -= GAP_END / PAGE_SIZE;
	KVM(vm, vm->fd, KVM_CLEAR_DIRTY_LOG, &clear);
}
