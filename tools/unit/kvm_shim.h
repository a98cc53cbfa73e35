/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kvm_shim.h - what tdp_mmu.c, mmu_notifier.c and dirty_ring.c want of the kernel and
 * of kvm_host.h
 *
 * Compiled in before them, so that the files of the module run in threads of a process:
 * test_tdp_mmu.c, test_dirty_ring.c.  It takes the place of kvm_host.h by defining that
 * file's guard; the members that are used have the names and types that they have there.
 *
 * A page-table page is one of malloc()'s, with its struct page in the page before, so
 * that AddressSanitizer notices who uses one that was freed.
 */
#ifndef MINIKVM_KVM_HOST_H
#define MINIKVM_KVM_HOST_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef u64 gfn_t, hva_t, hpa_t, kvm_pfn_t;

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096UL
#define BIT_ULL(n)	(1ULL << (n))
#define BIT(n)		(1UL << (n))
#define BITS_PER_LONG	64
#define BUILD_BUG_ON(x)	_Static_assert(!(x), #x)
#define is_power_of_2(n) ((n) && !((n) & ((n) - 1)))
#define round_down(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define GENMASK_ULL(h, l) ((~0ULL >> (63 - (h))) & (~0ULL << (l)))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define ALIGN(x, a)	(((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define min(a, b)	((a) < (b) ? (a) : (b))
#define max(a, b)	((a) > (b) ? (a) : (b))
#define min_t(t, a, b)	min((t)(a), (t)(b))
#define max_t(t, a, b)	max((t)(a), (t)(b))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define likely(x)	(x)
#define unlikely(x)	(x)
#define WARN_ON_ONCE(x)	({ bool __w = (x); if (__w) shim_warn(__FILE__, __LINE__); __w; })
void shim_warn(const char *file, int line);

/* ---- memory order: acquire where the kernel relies on an address dependency ---- */

#define READ_ONCE(x)	__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELEASE)
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)	/* as named */
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)	/* likewise */
#define smp_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)		/* full */
#define smp_rmb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)	/* full, at least */
#define xchg(p, v)	__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define try_cmpxchg64(p, old, new)						\
	(shim_dawdle(), __atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST, \
						    __ATOMIC_SEQ_CST))
void shim_dawdle(void);			/* now and then, to let others be first */

struct shim_atomic {
	u64 v;
};

#define atomic64_t	struct shim_atomic

#define atomic64_add(n, a) ((void)__atomic_fetch_add(&(a)->v, n, __ATOMIC_SEQ_CST))
#define atomic64_inc(a)	atomic64_add(1, a)
#define atomic64_read(a) ((long)__atomic_load_n(&(a)->v, __ATOMIC_SEQ_CST))
#define atomic64_andnot(n, a) ((void)__atomic_fetch_and(&(a)->v, ~(n), __ATOMIC_SEQ_CST))

/* ---- locks ---- */

#define rwlock_t	pthread_rwlock_t
#define read_lock(l)	pthread_rwlock_rdlock(l)
#define read_unlock(l)	pthread_rwlock_unlock(l)
#define write_lock(l)	pthread_rwlock_wrlock(l)
#define write_unlock(l)	pthread_rwlock_unlock(l)
#define lockdep_assert_held(l)		((void)(l))
#define lockdep_assert_held_write(l)	((void)(l))
#define rwlock_needbreak(l)		((void)(l), false)
struct wait_queue_head {
	pthread_mutex_t lock;
	pthread_cond_t cond;
};

#define init_waitqueue_head(wq)							\
	(*(wq) = (struct wait_queue_head){ PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER })
#define wq_has_sleeper(wq)	true
#define wait_event_interruptible(wq, condition)					\
	do {									\
		pthread_mutex_lock(&(wq).lock);					\
		while (!(condition))						\
			pthread_cond_wait(&(wq).cond, &(wq).lock);		\
		pthread_mutex_unlock(&(wq).lock);				\
	} while (0)

static inline void wake_up_all(struct wait_queue_head *wq)
{
	pthread_mutex_lock(&wq->lock);
	pthread_cond_broadcast(&wq->cond);
	pthread_mutex_unlock(&wq->lock);
}

#define cond_resched_rwlock_write(l)						\
	do { write_unlock(l); sched_yield(); write_lock(l); } while (0)
bool need_resched(void);		/* at random */
#define fatal_signal_pending(task) false
#define mutex_lock(m)	pthread_mutex_lock(m)
#define mutex_unlock(m)	pthread_mutex_unlock(m)

/* ---- lists and trees ---- */

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name)	{ &(name), &(name) }

static inline void list_add(struct list_head *new, struct list_head *head)
{
	new->next = head->next;
	new->prev = head;
	head->next->prev = new;
	head->next = new;
}

static inline void list_del(struct list_head *entry)
{
	entry->next->prev = entry->prev;
	entry->prev->next = entry->next;
}

#define list_for_each_entry_safe(pos, n, head, member)				\
	for (pos = container_of((head)->next, __typeof__(*pos), member),	\
	     n = container_of(pos->member.next, __typeof__(*pos), member);	\
	     &pos->member != (head);						\
	     pos = n, n = container_of(n->member.next, __typeof__(*n), member))

struct interval_tree_node {
	unsigned long start, last;
};

/* A tree of one slot is enough. */
struct rb_root_cached {
	struct interval_tree_node *only;
};

static inline struct interval_tree_node *
interval_tree_iter_first(struct rb_root_cached *root, unsigned long start, unsigned long last)
{
	struct interval_tree_node *n = root->only;

	return n && n->start <= last && n->last >= start ? n : NULL;
}

static inline struct interval_tree_node *
interval_tree_iter_next(struct interval_tree_node *node, unsigned long start,
			unsigned long last)
{
	return NULL;
}

/* ---- pages ---- */

struct page {
	struct list_head lru;
	unsigned long private;
};

#define GFP_KERNEL_ACCOUNT	0
#define __GFP_ZERO		0
#define NR_SECONDARY_PAGETABLE	0
#define mod_lruvec_page_state(page, item, n) ((void)(page))
#define __va(pa)	((void *)(uintptr_t)(pa))
#define __pa(va)	((u64)(uintptr_t)(va))
#define virt_to_page(p)	((struct page *)(((uintptr_t)(p) & ~(PAGE_SIZE - 1)) - PAGE_SIZE))
#define page_address(page) ((void *)((uintptr_t)(page) + PAGE_SIZE))
#define page_private(page) ((page)->private)
#define set_page_private(page, v) ((page)->private = (v))
#define clear_page(p)	memset(p, 0, PAGE_SIZE)

static inline unsigned long get_zeroed_page(int gfp)
{
	char *p = aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE);

	memset(p, 0, 2 * PAGE_SIZE);
	return (unsigned long)p + PAGE_SIZE;
}

static inline void free_page(unsigned long addr)
{
	free((void *)(addr - PAGE_SIZE));
}

#define __vmalloc(n, gfp)	calloc(1, n)
#define vfree(p)	free(p)
#define vmalloc_to_page(p) ((struct page *)(p))

static inline void *memchr_inv(const void *p, int c, size_t n)
{
	const u64 *q = p;

	for (size_t i = 0; i < n / 8; i++)
		if (READ_ONCE(q[i]))
			return (void *)&q[i];
	return NULL;
}

/* ---- the MMU notifier ---- */

struct mm_struct;
struct mmu_notifier;

struct mmu_notifier_range {
	unsigned long start, end;
};

#define mmu_notifier_range_blockable(r)	((void)(r), true)

struct mmu_notifier_ops {
	int (*invalidate_range_start)(struct mmu_notifier *mn,
				      const struct mmu_notifier_range *range);
	void (*invalidate_range_end)(struct mmu_notifier *mn,
				     const struct mmu_notifier_range *range);
	int (*clear_flush_young)(struct mmu_notifier *mn, struct mm_struct *mm,
				 unsigned long start, unsigned long end);
	int (*clear_young)(struct mmu_notifier *mn, struct mm_struct *mm,
			   unsigned long start, unsigned long end);
	int (*test_young)(struct mmu_notifier *mn, struct mm_struct *mm,
			  unsigned long address);
	void (*release)(struct mmu_notifier *mn, struct mm_struct *mm);
};

struct mmu_notifier {
	const struct mmu_notifier_ops *ops;
};

static inline int mmu_notifier_register(struct mmu_notifier *mn, struct mm_struct *mm)
{
	return 0;
}

static inline void mmu_notifier_unregister(struct mmu_notifier *mn, struct mm_struct *mm)
{
}

/* ---- of kvm_host.h ---- */

#define KVM_ADDRESS_SPACE_NUM	2
#define KVM_PT_CACHE_SIZE	5

struct kvm_pt_cache {
	int nr;
	u64 *table[KVM_PT_CACHE_SIZE];
};

struct kvm_memory_slot {
	struct interval_tree_node hva_node;
	gfn_t base_gfn;
	unsigned long npages;
	unsigned long userspace_addr;
};

struct kvm_memslots {
	struct rb_root_cached hva_tree;
};

/* Of <linux/kvm.h>. */
#define KVM_DIRTY_LOG_PAGE_OFFSET	64
#define KVM_DIRTY_GFN_F_DIRTY	BIT(0)
#define KVM_DIRTY_GFN_F_RESET	BIT(1)

struct kvm_dirty_gfn {
	u32 flags;
	u32 slot;
	u64 offset;
};

#define KVM_DIRTY_RING_MAX_BYTES	(65536 * sizeof(struct kvm_dirty_gfn))

struct kvm_dirty_ring {
	struct kvm_dirty_gfn *gfns;
	u32 size;
	u32 soft_limit;
	u32 pushed;
	u32 reset;
	u32 newest_slot;
	u64 newest_offset;
};

#define KVM_SHIM_VCPUS	2

struct kvm_vcpu;

struct kvm {
	pthread_mutex_t lock, slots_lock;
	u32 dirty_ring_size;
	int created_vcpus;
	struct kvm_vcpu *vcpus[KVM_SHIM_VCPUS];
	rwlock_t mmu_lock;
	struct mm_struct *mm;
	struct {
		hpa_t root_hpa[KVM_ADDRESS_SPACE_NUM];
	} arch;
	struct kvm_memslots slots[KVM_ADDRESS_SPACE_NUM];
	struct mmu_notifier mmu_notifier;
	unsigned long mmu_invalidate_seq;
	long mmu_invalidate_in_progress;
	hva_t mmu_invalidate_start, mmu_invalidate_end;
	struct wait_queue_head mmu_invalidate_wq;
	struct {
		atomic64_t pt_pages, pages_4k, pages_2m, pages_1g;
		atomic64_t mmu_notifier_invalidations, dirty_ring_lost;
	} stat;
};

struct kvm_vcpu {
	struct kvm *kvm;
	struct kvm_dirty_ring dirty_ring;
	struct {
		struct kvm_pt_cache pt_cache;
	} arch;
	struct {
		u64 tdp_pages_mapped, tdp_lost_races;
	} stat;
};

struct kvm_tdp_format {
	u64 present, table, leaf, exec, write, accessed, dirty, large;
	u64 memtype_wb, memtype_uc, host_writable;
};

struct kvm_caps {
	const struct kvm_tdp_format *tdp_format;
	u8 tdp_levels;
	bool tdp_ad_bits;
	u16 cpu_dirty_log_size;
};

extern struct kvm_caps kvm_caps;

void kvm_flush_remote_tlbs(struct kvm *kvm);

#define kvm_for_each_vcpu(i, v, kvm)						\
	for (i = 0; i < KVM_SHIM_VCPUS && ((v) = (kvm)->vcpus[i]); i++)

int kvm_slot_number(u32 slot, int *as_id, int *id);
struct kvm_memory_slot *id_to_memslot(struct kvm_memslots *slots, int id);
bool kvm_slot_dirty_track_enabled(const struct kvm_memory_slot *slot);
bool kvm_mmu_write_protect_masked(struct kvm *kvm, struct kvm_memory_slot *slot,
				  gfn_t first, unsigned long mask);

int kvm_dirty_ring_enable(struct kvm *kvm, u32 bytes);
int kvm_dirty_ring_create(struct kvm_vcpu *vcpu);
void kvm_dirty_ring_destroy(struct kvm_vcpu *vcpu);
bool kvm_dirty_ring_overlaps(struct kvm *kvm, unsigned long pgoff, unsigned long pages);
struct page *kvm_dirty_ring_page(struct kvm_vcpu *vcpu, unsigned long pgoff);
void kvm_dirty_ring_push(struct kvm_vcpu *vcpu, u32 slot, u64 offset);
bool kvm_dirty_ring_is_full(struct kvm_vcpu *vcpu);
int kvm_vm_ioctl_reset_dirty_rings(struct kvm *kvm);

static inline hva_t gfn_to_hva_memslot(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	return slot->userspace_addr + ((gfn - slot->base_gfn) << PAGE_SHIFT);
}

#endif
