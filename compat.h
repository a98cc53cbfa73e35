/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - the kernel interfaces that differ between the kernels we build on
 *
 * Kbuild greps the kernel's headers and passes a MINIKVM_HAVE_* macro for each
 * shape that it finds: Debian backports interfaces inside one version, so a
 * version number would lie.  Everything else in the tree is written against
 * the names below.
 */
#ifndef MINIKVM_COMPAT_H
#define MINIKVM_COMPAT_H

#include <linux/context_tracking.h>
#include <linux/cpuhotplug.h>
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include <asm/fpu/api.h>

#ifdef MINIKVM_HAVE_ASM_CPUID_API_H
#include <asm/cpuid/api.h>
#elif defined(MINIKVM_HAVE_ASM_CPUID_H)
#include <asm/cpuid.h>
#endif

/* linux/kvm.h since 6.8.  VMMs go by the capability, whatever kernel they are on. */
#ifndef KVM_CAP_USER_MEMORY2
#define KVM_CAP_USER_MEMORY2	231
struct kvm_userspace_memory_region2 {
	__u32 slot;
	__u32 flags;
	__u64 guest_phys_addr;
	__u64 memory_size;
	__u64 userspace_addr;
	__u64 guest_memfd_offset;
	__u32 guest_memfd;
	__u32 pad1;
	__u64 pad2[14];
};

#define KVM_SET_USER_MEMORY_REGION2 _IOW(KVMIO, 0x49, struct kvm_userspace_memory_region2)
#endif

/* asm/vmx.h: the bit's name lost its "ENABLE" and got it back. */
#ifndef SECONDARY_EXEC_ENABLE_XSAVES
#define SECONDARY_EXEC_ENABLE_XSAVES	SECONDARY_EXEC_XSAVES
#endif

/* Newer kernels hand syscore callbacks a data pointer and register a wrapper. */
#ifdef MINIKVM_HAVE_REGISTER_SYSCORE
#define SYSCORE_ARG void *data
#define DEFINE_MINIKVM_SYSCORE(name, _suspend, _resume, _shutdown)	\
	static const struct syscore_ops name##_ops = {			\
		.suspend = _suspend,					\
		.resume = _resume,					\
		.shutdown = _shutdown,					\
	};								\
	static struct syscore name = { .ops = &name##_ops }
#define minikvm_register_syscore(s)	register_syscore(s)
#define minikvm_unregister_syscore(s)	unregister_syscore(s)
#else
#define SYSCORE_ARG void
#define DEFINE_MINIKVM_SYSCORE(name, _suspend, _resume, _shutdown)	\
	static struct syscore_ops name = {				\
		.suspend = _suspend,					\
		.resume = _resume,					\
		.shutdown = _shutdown,					\
	}
#define minikvm_register_syscore(s)	register_syscore_ops(s)
#define minikvm_unregister_syscore(s)	unregister_syscore_ops(s)
#endif

static inline void minikvm_rcu_note_guest(void)
{
#ifdef MINIKVM_RCU_NOTE_TAKES_CPU
	rcu_virt_note_context_switch(smp_processor_id());
#else
	rcu_virt_note_context_switch();
#endif
}

/* Which components the image may name was once not the caller's to say. */
static inline void minikvm_fpstate_to_uabi(struct fpu_guest *gfpu, void *buf,
					   unsigned int size, u64 xfeatures, u32 pkru)
{
#ifdef MINIKVM_UABI_TAKES_XFEATURES
	fpu_copy_guest_fpstate_to_uabi(gfpu, buf, size, xfeatures, pkru);
#else
	fpu_copy_guest_fpstate_to_uabi(gfpu, buf, size, pkru);
#endif
}

/*
 * For faulting pages in: know a page with a memory error from one that is absent;
 * and take a NUMA hinting fault as the guest's, where one can ask for that.
 */
#ifdef MINIKVM_HAVE_FOLL_HONOR_NUMA_FAULT
#define MINIKVM_FOLL_FLAGS	(FOLL_HWPOISON | FOLL_HONOR_NUMA_FAULT)
#else
#define MINIKVM_FOLL_FLAGS	FOLL_HWPOISON
#endif

/*
 * The frame behind @addr in a mapping of bare frames, whether it may be written and
 * whether it is mapped write-back.  mmap_lock held.  0, or -EINVAL if not present.
 */
static inline int minikvm_follow_pfnmap(struct vm_area_struct *vma, unsigned long addr,
					unsigned long *pfn, bool *writable, bool *cached)
{
#ifdef MINIKVM_HAVE_FOLLOW_PFNMAP
	struct follow_pfnmap_args args = { .vma = vma, .address = addr };
	int r = follow_pfnmap_start(&args);

	if (r)
		return r;
	*pfn = args.pfn;
	*writable = args.writable;
	*cached = !(pgprot_val(args.pgprot) & _PAGE_CACHE_MASK);
	follow_pfnmap_end(&args);
#else
	spinlock_t *lock;	/* of the page table */
	pte_t *pte;
	int r = follow_pte(vma->vm_mm, addr, &pte, &lock);

	if (r)
		return r;
	__acquire(lock);	/* which follow_pte() does not tell sparse */
	*pfn = pte_pfn(*pte);
	*writable = pte_write(*pte);
	*cached = !(pte_flags(*pte) & _PAGE_CACHE_MASK);
	pte_unmap_unlock(pte, lock);
#endif
	return 0;
}

/* Initialisation and the callback were two steps once. */
static inline void minikvm_hrtimer_setup(struct hrtimer *timer,
					 enum hrtimer_restart (*function)(struct hrtimer *),
					 clockid_t clock, enum hrtimer_mode mode)
{
#ifdef MINIKVM_HAVE_HRTIMER_SETUP
	hrtimer_setup(timer, function, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = function;
#endif
}

/* Userspace may write it at any time: newer kernels say so in the member's name. */
static inline bool minikvm_immediate_exit(const struct kvm_run *run)
{
#ifdef MINIKVM_IMMEDIATE_EXIT_UNSAFE
	return READ_ONCE(run->immediate_exit__unsafe);
#else
	return READ_ONCE(run->immediate_exit);
#endif
}

/* By one: how much was once the caller's to say. */
static inline void minikvm_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef MINIKVM_EVENTFD_SIGNAL_TAKES_N
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

/* The source of a trace event's string: given again, or remembered by __string(). */
#ifdef MINIKVM_ASSIGN_STR_ONE_ARG
#define minikvm_assign_str(dst, src)	__assign_str(dst)
#else
#define minikvm_assign_str(dst, src)	__assign_str(dst, src)
#endif

/*
 * A shrinker whose objects take long to make again: they are the last to go.
 * Newer kernels allocate the struct themselves.
 */
typedef unsigned long minikvm_shrink_fn(struct shrinker *, struct shrink_control *);

static inline struct shrinker *minikvm_register_shrinker(minikvm_shrink_fn *count,
							 minikvm_shrink_fn *scan)
{
#ifdef MINIKVM_HAVE_SHRINKER_ALLOC
	struct shrinker *s = shrinker_alloc(0, "minikvm-mmu");
#else
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);
#endif

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = 10 * DEFAULT_SEEKS;
#ifdef MINIKVM_HAVE_SHRINKER_ALLOC
	shrinker_register(s);
#else
	if (register_shrinker(s, "minikvm-mmu")) {
		kfree(s);
		return NULL;
	}
#endif
	return s;
}

static inline void minikvm_unregister_shrinker(struct shrinker *s)
{
#ifdef MINIKVM_HAVE_SHRINKER_ALLOC
	shrinker_free(s);
#else
	unregister_shrinker(s);
	kfree(s);
#endif
}

#endif
