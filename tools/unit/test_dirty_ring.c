// SPDX-License-Identifier: GPL-2.0
/*
 * test_dirty_ring.c - dirty_ring.c among threads: no write is missed, none is lost
 *
 * Two vCPUs write to the pages of one slot, each through a TLB of its own; the main
 * thread is the VMM, which reaps as much as it likes, resets, and copies what it reaped.
 * When the vCPUs rest the copy has to be equal.  Indices begin just below 2^32.
 *
 *	guest		guest_lock to read while it uses its TLB; a page that is not
 *			writable is a fault, which makes it so under mmu_lock
 *	a flush		guest_lock to write: everybody is out, and the TLB is empty
 *	software	writes without asking, and tells the ring afterwards
 */
#include <stdio.h>
#include <unistd.h>

#include "tap.h"

#define PAGES	150
#define SLOT	5
#define NUMBER	(0x10000 | SLOT)	/* of the second address space */
#define BYTES	4096U
#define ENTRIES	(BYTES / (u32)sizeof(struct kvm_dirty_gfn))
#define ROUNDS	400
#define TURNS	300

struct kvm_caps kvm_caps;

static struct kvm kvm = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .slots_lock = PTHREAD_MUTEX_INITIALIZER,
	.mmu_lock = PTHREAD_RWLOCK_INITIALIZER,
};

static struct kvm_memory_slot slot = { .base_gfn = 0x1234, .npages = PAGES };
static bool slot_is_there = true, slot_is_logged = true;
static pthread_rwlock_t guest_lock = PTHREAD_RWLOCK_INITIALIZER;

static u64 data[PAGES], copy[PAGES];
static bool writable[PAGES];		/* the EPT; mmu_lock */
static bool protected_wrongly;

struct vcpu {
	struct kvm_vcpu vcpu;
	bool tlb[PAGES];
	u64 random;
	u32 next;			/* VMM: to reap */
	unsigned int full;
	bool done;
};

static struct vcpu vcpus[KVM_SHIM_VCPUS];
static struct vcpu vmm;			/* for its random numbers */

/* ---- what dirty_ring.c asks of its surroundings ---- */

void shim_warn(const char *file, int line)
{
	fprintf(stderr, "%s:%d: WARN_ON_ONCE\n", file, line);
	abort();
}

bool need_resched(void)
{
	static u64 x = 1;

	x = x * 6364136223846793005ULL + 1;
	return x >> 61 == 0;
}

int kvm_slot_number(u32 number, int *as_id, int *id)
{
	*as_id = number >> 16;
	*id = (u16)number;
	return *as_id < KVM_ADDRESS_SPACE_NUM && *id < 32764 ? 0 : -EINVAL;
}

struct kvm_memory_slot *id_to_memslot(struct kvm_memslots *slots, int id)
{
	return slot_is_there && slots == &kvm.slots[1] && id == SLOT ? &slot : NULL;
}

bool kvm_slot_dirty_track_enabled(const struct kvm_memory_slot *s)
{
	return s == &slot && slot_is_logged;
}

bool kvm_mmu_write_protect_masked(struct kvm *k, struct kvm_memory_slot *s, gfn_t first,
				  unsigned long mask)
{
	bool changed = false;

	for (; mask; mask >>= 1, first++) {
		if (!(mask & 1))
			continue;
		if (s != &slot || first < slot.base_gfn || first >= slot.base_gfn + PAGES) {
			protected_wrongly = true;
			continue;
		}
		changed |= writable[first - slot.base_gfn];
		WRITE_ONCE(writable[first - slot.base_gfn], false);
	}
	return changed;
}

void kvm_flush_remote_tlbs(struct kvm *k)
{
	pthread_rwlock_wrlock(&guest_lock);
	for (int i = 0; i < KVM_SHIM_VCPUS; i++)
		memset(vcpus[i].tlb, 0, sizeof(vcpus[i].tlb));
	pthread_rwlock_unlock(&guest_lock);
}

/* ---- the vCPU ---- */

static u64 draw(struct vcpu *v, u64 n)
{
	v->random = v->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (v->random >> 33) % n;
}

/* An ordinary store: it orders nothing by itself. */
static void write_page(struct vcpu *v, u64 page)
{
	__atomic_store_n(&data[page], draw(v, 1U << 30), __ATOMIC_RELAXED);
}

/* In the guest until a page is not writable; that page, or PAGES. */
static u64 run_guest(struct vcpu *v)
{
	u64 page = PAGES;

	pthread_rwlock_rdlock(&guest_lock);
	for (int i = 0; i < 8; i++) {
		page = draw(v, PAGES);
		if (!v->tlb[page] && !READ_ONCE(writable[page]))
			break;
		v->tlb[page] = true;
		write_page(v, page);
		page = PAGES;
	}
	pthread_rwlock_unlock(&guest_lock);
	return page;
}

static void fault(struct vcpu *v, u64 page)
{
	read_lock(&kvm.mmu_lock);
	if (!__atomic_exchange_n(&writable[page], true, __ATOMIC_SEQ_CST))
		kvm_dirty_ring_push(&v->vcpu, NUMBER, page);
	read_unlock(&kvm.mmu_lock);
}

static void *run_vcpu(void *arg)
{
	struct vcpu *v = arg;
	u64 page, clock = draw(v, PAGES);

	for (int turn = 0; turn < TURNS; turn++) {
		while (kvm_dirty_ring_is_full(&v->vcpu)) {
			v->full++;
			sched_yield();
		}
		page = run_guest(v);
		if (page < PAGES)
			fault(v, page);
		/* A device writes a page, most often the same, three times in a row. */
		for (int i = 0; draw(v, 2) && i < 3; i++) {
			write_page(v, clock);
			kvm_dirty_ring_push(&v->vcpu, NUMBER, clock);
		}
		if (!draw(v, 20))
			clock = draw(v, PAGES);
	}
	__atomic_store_n(&v->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* ---- the VMM ---- */

static u32 reap(struct vcpu *v, bool *seen, u32 max)
{
	u32 n;

	for (n = 0; n < max; n++) {
		struct kvm_dirty_gfn *e = &v->vcpu.dirty_ring.gfns[v->next & (ENTRIES - 1)];

		if (READ_ONCE(e->flags) != KVM_DIRTY_GFN_F_DIRTY)
			break;
		if (e->slot != NUMBER || e->offset >= PAGES)
			abort();
		seen[e->offset] = true;
		WRITE_ONCE(e->flags, KVM_DIRTY_GFN_F_RESET);
		v->next++;
	}
	return n;
}

/* Returns whether the reset took back what was reaped. */
static bool follow(u32 max)
{
	bool seen[PAGES] = { };
	u32 n = 0;

	for (int i = 0; i < KVM_SHIM_VCPUS; i++)
		n += reap(&vcpus[i], seen, max);
	if (kvm_vm_ioctl_reset_dirty_rings(&kvm) != (int)n)
		return false;
	for (u64 p = 0; p < PAGES; p++)
		if (seen[p])
			copy[p] = READ_ONCE(data[p]);
	return true;
}

static bool all_done(void)
{
	return READ_ONCE(vcpus[0].done) && READ_ONCE(vcpus[1].done);
}

/* A VMM that has other things to do, until a vCPU cannot go on. */
static void idle(void)
{
	while (!all_done() && !kvm_dirty_ring_is_full(&vcpus[0].vcpu) &&
	       !kvm_dirty_ring_is_full(&vcpus[1].vcpu))
		sched_yield();
}

/* Both vCPUs write for a while; are all of it in the copy, and all counts right? */
static bool round_is_exact(void)
{
	pthread_t t[KVM_SHIM_VCPUS];
	bool exact = true;

	for (int i = 0; i < KVM_SHIM_VCPUS; i++) {
		vcpus[i].done = false;
		pthread_create(&t[i], NULL, run_vcpu, &vcpus[i]);
	}
	while (!all_done()) {
		if (!draw(&vmm, 8))
			idle();
		exact &= follow(draw(&vmm, 3) ? ENTRIES : 10);
	}
	for (int i = 0; i < KVM_SHIM_VCPUS; i++)
		pthread_join(t[i], NULL);
	exact &= follow(ENTRIES);
	return exact && !memcmp(copy, data, sizeof(data));
}

static void test_threads(void)
{
	int wrong = 0;

	for (int i = 0; i < ROUNDS; i++)
		wrong += !round_is_exact();
	tap_ok(!wrong, "the copy is equal after each of %d rounds (%d are not)", ROUNDS, wrong);
	tap_ok(!atomic64_read(&kvm.stat.dirty_ring_lost), "no entry found no room");
	tap_ok(!protected_wrongly, "only pages of the slot were protected");
	tap_ok(vcpus[0].full || vcpus[1].full, "the rings were full %u and %u times",
	       vcpus[0].full, vcpus[1].full);
	tap_ok(vcpus[0].vcpu.dirty_ring.pushed < 1U << 31, "the indices went over 2^32");
}

/* ---- one thread ---- */

static void set_up(void)
{
	u32 at = -1000U;

	tap_ok(kvm_vm_ioctl_reset_dirty_rings(&kvm) == -EINVAL, "no ring, no reset");
	tap_ok(kvm_dirty_ring_enable(&kvm, BYTES / 2) == -EINVAL, "less than a page");
	kvm_caps.cpu_dirty_log_size = 512;
	tap_ok(kvm_dirty_ring_enable(&kvm, 2 * BYTES) == -EINVAL, "no room for what PML logs");
	kvm_caps.cpu_dirty_log_size = 0;
	tap_ok(kvm_dirty_ring_enable(&kvm, KVM_DIRTY_RING_MAX_BYTES * 2) == -E2BIG, "too large");
	kvm.created_vcpus = 1;
	tap_ok(kvm_dirty_ring_enable(&kvm, BYTES) == -EINVAL, "there is a vCPU");
	kvm.created_vcpus = 0;
	tap_ok(!kvm_dirty_ring_enable(&kvm, BYTES), "a page");
	tap_ok(kvm_dirty_ring_enable(&kvm, BYTES) == -EINVAL, "a second time");

	for (int i = 0; i < KVM_SHIM_VCPUS; i++) {
		vcpus[i].vcpu.kvm = &kvm;
		vcpus[i].random = i + 1;
		if (kvm_dirty_ring_create(&vcpus[i].vcpu))
			abort();
		vcpus[i].next = at;
		vcpus[i].vcpu.dirty_ring.pushed = at;
		vcpus[i].vcpu.dirty_ring.reset = at;
		kvm.vcpus[i] = &vcpus[i].vcpu;
	}
}

static void test_full(void)
{
	struct kvm_dirty_ring *ring = &vcpus[0].vcpu.dirty_ring;
	u32 limit = 0;

	for (u32 i = 0; i < ENTRIES + 10; i++) {
		if (!limit && kvm_dirty_ring_is_full(&vcpus[0].vcpu))
			limit = i;
		kvm_dirty_ring_push(&vcpus[0].vcpu, NUMBER, i % PAGES);
	}
	tap_ok(limit == ENTRIES - 64, "full with %u entries of %u", limit, ENTRIES);
	tap_ok(atomic64_read(&kvm.stat.dirty_ring_lost) == 10, "what came after the last entry");
	tap_ok(ring->gfns[(ring->reset) & (ENTRIES - 1)].offset == 0, "the first one is there");
	kvm.stat.dirty_ring_lost.v = 0;
	/* All of it, although one is of a slot that is gone, and flags say more. */
	for (u32 i = 0; i < ENTRIES; i++)
		ring->gfns[i].flags = ~0U;
	tap_ok(kvm_vm_ioctl_reset_dirty_rings(&kvm) == (int)ENTRIES, "as many as there were");
	for (u32 i = 0; i < ENTRIES; i++)
		ring->gfns[i].flags = ~0U;
	tap_ok(!kvm_vm_ioctl_reset_dirty_rings(&kvm), "no more than there were");
	memset(ring->gfns, 0, BYTES);
	vcpus[0].next += ENTRIES;
}

/* Reset one entry that says @number, @offset: what is protected then? */
static u64 protect_one(u32 number, u64 offset)
{
	struct kvm_dirty_ring *ring = &vcpus[0].vcpu.dirty_ring;
	u64 n = 0;

	for (u64 p = 0; p < PAGES; p++)
		writable[p] = true;
	kvm_dirty_ring_push(&vcpus[0].vcpu, NUMBER, 3);
	ring->gfns[vcpus[0].next++ & (ENTRIES - 1)] =
		(struct kvm_dirty_gfn){ KVM_DIRTY_GFN_F_RESET, number, offset };
	if (kvm_vm_ioctl_reset_dirty_rings(&kvm) != 1)
		abort();
	for (u64 p = 0; p < PAGES; p++) {
		n += !writable[p];
		writable[p] = false;
	}
	return n;
}

/* Neighbours by their offsets, not by their slots. */
static void test_two_slots_in_one_word(void)
{
	struct kvm_dirty_ring *ring = &vcpus[0].vcpu.dirty_ring;

	writable[0] = true;
	writable[1] = true;
	for (u64 p = 0; p < 2; p++) {
		kvm_dirty_ring_push(&vcpus[0].vcpu, NUMBER, p);
		ring->gfns[vcpus[0].next++ & (ENTRIES - 1)] =
			(struct kvm_dirty_gfn){ KVM_DIRTY_GFN_F_RESET, p ? SLOT : NUMBER, p };
	}
	tap_ok(kvm_vm_ioctl_reset_dirty_rings(&kvm) == 2 && !writable[0] && writable[1],
	       "two slots in one word");
	writable[1] = false;
}

static void test_foreign_entries(void)
{
	static const u64 beyond[] = { PAGES, PAGES + 63, 1ULL << 32, 1ULL << 63, ~0ULL, ~63ULL };

	tap_ok(protect_one(NUMBER, 0) == 1 && protect_one(NUMBER, PAGES - 1) == 1,
	       "the slot's first and last page");
	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
		tap_ok(!protect_one(NUMBER, beyond[i]) && !protected_wrongly,
		       "offset %#llx", (unsigned long long)beyond[i]);
	tap_ok(!protect_one(SLOT, 0) && !protect_one(NUMBER + 1, 0) && !protect_one(-1, 0) &&
	       !protect_one(2 << 16 | SLOT, 0) && !protect_one(1 << 16 | 32764, 0),
	       "slots that are not there");
	slot_is_there = false;
	tap_ok(!protect_one(NUMBER, 0), "a slot that is gone");
	slot_is_there = true;
	slot_is_logged = false;
	tap_ok(!protect_one(NUMBER, 0), "a slot without a log");
	slot_is_logged = true;
}

int main(void)
{
	alarm(100);	/* a ring that is never reset would be waited for without end */
	set_up();
	test_full();
	test_foreign_entries();
	test_two_slots_in_one_word();
	test_threads();
	for (int i = 0; i < KVM_SHIM_VCPUS; i++)
		kvm_dirty_ring_destroy(&vcpus[i].vcpu);
	return tap_done();
}
