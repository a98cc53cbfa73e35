/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kvm_host.h - the types that every generic file shares, and the one door to
 * a vendor module (struct kvm_x86_ops).
 *
 * Addresses.  Five address spaces meet here; a name says which one is meant,
 * and <linux/kvm_types.h> has a type for each:
 *
 *	gva_t	guest virtual: what guest instructions use
 *	gpa_t	guest physical; gfn_t is a gpa shifted right by PAGE_SHIFT
 *	hva_t	host virtual: an address in the VMM's process
 *	hpa_t	host physical; kvm_pfn_t is an hpa shifted right by PAGE_SHIFT
 *
 * The guest's own page tables turn gva into gpa; a memory slot turns gfn into
 * hva; the host's page tables turn hva into pfn; EPT (or nested paging) is
 * where mmu.c records the way from gpa to hpa for the hardware.
 *
 * Locks, outermost first:
 *
 *	kvm_lock		module-wide: the list of VMs, VMX on/off count
 *	vcpu->mutex		one ioctl at a time on a vCPU
 *	kvm->lock		a VM's vCPU array, VM-wide capabilities
 *	kvm->slots_lock		changes of the memory slots
 *	kvm->srcu		read side: slots and the MSR filter stay valid
 *	kvm->mmu_lock		EPT entries and their page-table pages: shared to give,
 *				exclusively to take, see tdp_mmu.c
 *
 * A letter behind a field tells its guard: (c) constant after creation,
 * (l) kvm->lock, (s) kvm->slots_lock to write and kvm->srcu to read,
 * (m) kvm->mmu_lock, (v) vcpu->mutex: only the thread that runs the vCPU.
 */
#ifndef MINIKVM_KVM_HOST_H
#define MINIKVM_KVM_HOST_H

#include <linux/cpumask.h>
#include <linux/ftrace.h>
#include <linux/instrumentation.h>
#include <linux/interval_tree.h>
#include <linux/irqflags.h>
#include <linux/kvm.h>
#include <linux/kvm_types.h>
#include <linux/list.h>
#include <linux/maple_tree.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/xarray.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/kvm_para.h>
#include <asm/mtrr.h>
#include <asm/processor.h>
#include <asm/trapnr.h>

#include "compat.h"
#include "exports.h"

#define KVM_MAX_VCPUS		1024
/* Ids may be sparse (an APIC id's topology bits); QEMU asks for this bound. */
#define KVM_MAX_VCPU_IDS	(4 * KVM_MAX_VCPUS)
/* Slots 0..32763 of each address space; an as_id is bits 16 and up of a slot number. */
#define KVM_USER_MEM_SLOTS	32764
#define KVM_ADDRESS_SPACE_NUM	2
#define KVM_MAX_CPUID_ENTRIES	256
/* KVM_MCE_CAP_SUPPORTED's bank count, and what QEMU asks for at least. */
#define KVM_MAX_MCE_BANKS	32
#define KVM_NR_VAR_MTRR		8
#define KVM_MAX_IRQ_ROUTES	4096
#define KVM_NR_DB_REGS		4
/*
 * What a vCPU's file descriptor maps: struct kvm_run and a page of port I/O data, which
 * are the vCPU's own; the VM's ring of coalesced writes.
 */
#define KVM_PIO_PAGE_OFFSET	1
#define KVM_VCPU_OWN_PAGES	2
#define KVM_COALESCED_PAGE_OFFSET	2
#define KVM_VCPU_MMAP_PAGES	3

/* ---- statistics: one row each; the debugfs files are made of this list ---- */

/*
 * X(name): an event counted for each vCPU, summed for each VM and in total.
 * Exit reasons are counted besides, in vcpu->stat.exit_reasons.
 */
#define KVM_VCPU_STAT_LIST(X)						\
	X(exits)		/* VM exits, of every reason */		\
	X(userspace_exits)	/* KVM_RUN returned 0 */		\
	X(signal_exits)		/* KVM_RUN returned EINTR */		\
	X(io_exits)		/* IN, OUT, INS, OUTS */		\
	X(mmio_exits)		/* MMIO completed by userspace */	\
	X(halt_exits)		/* HLT */				\
	X(halt_poll_successes)	/* woken while still polling */		\
	X(halt_sleeps)							\
	X(irq_exits)		/* host interrupt while in the guest */	\
	X(nmi_exits)		/* host NMI while in the guest */	\
	X(irq_window_exits)						\
	X(nmi_window_exits)						\
	X(irq_injections)						\
	X(nmi_injections)						\
	X(exception_injections)						\
	X(reinjections)		/* an event that an exit interrupted */	\
	X(insn_emulation)						\
	X(insn_emulation_fail)						\
	X(tdp_faults)		/* EPT violations, nested page faults */ \
	X(tdp_pages_mapped)	/* leaf entries made by them */		\
	X(tdp_lost_races)	/* another vCPU changed the entry first */ \
	X(tdp_stale_faults)	/* the host took the page away meanwhile */ \
	X(pml_pages)		/* pages that hardware said were written */ \
	X(tlb_flush_ept)	/* by request: all of the VM's translations */ \
	X(tlb_flush_guest)	/* what this vCPU's own paging made */	\
	X(hypercalls)							\
	X(ioeventfd_signals)	/* a guest's write was an eventfd's signal */ \
	X(pause_exits)		/* PAUSE in a loop */			\
	X(host_state_reload)	/* guest MSRs and segments swapped in */ \
	X(fpu_reload)							\
	X(entry_failures)

/* Rows of a vendor's table of exits: VMX has use for 80 of them, SVM for 172. */
#define KVM_NR_EXIT_REASONS	176

struct kvm_vcpu_stat {
#define X(name) u64 name;
	KVM_VCPU_STAT_LIST(X)
#undef X
	u64 exit_reasons[KVM_NR_EXIT_REASONS];	/* by row: vendor's exit_reason_name() */
};

/* X(name): an event counted for each VM. */
#define KVM_VM_COUNTER_LIST(X)						\
	X(remote_tlb_flush_requests) /* the tables lost something */	\
	X(remote_tlb_flush)	/* of these: a vCPU was in the guest */	\
	X(remote_tlb_flush_ipis) /* CPUs that were interrupted for it */ \
	X(mmu_notifier_invalidations)					\
	X(irqfd_signals)	/* an eventfd's signal was an interrupt */ \
	X(dirty_ring_lost)	/* pages that were written, and a ring had no room */

/* X(name): what a VM uses at the moment; it ends with the VM. */
#define KVM_VM_GAUGE_LIST(X)						\
	X(pt_pages)		/* page-table pages in use now */	\
	X(pages_4k)		/* leaf entries in use now */		\
	X(pages_2m)							\
	X(pages_1g)

struct kvm_vm_stat {
#define X(name) atomic64_t name;
	KVM_VM_COUNTER_LIST(X)
	KVM_VM_GAUGE_LIST(X)
#undef X
};

/* ---- memory slots (memslot.c) ---- */

/**
 * struct kvm_memory_slot - a range of guest-physical memory backed by the VMM
 * @hva_node:	its host-virtual range, in kvm->slots[as].hva_tree	(m)
 * @base_gfn:	first frame						(c)
 * @npages:	length in pages, not 0					(c)
 * @userspace_addr: hva of the first page				(c)
 * @flags:	KVM_MEM_*						(c)
 * @id:		slot number without the address space			(c)
 * @as_id:	address space						(c)
 * @dirty_bitmap: a bit a page, set by whoever lets a write through;
 *		NULL unless KVM_MEM_LOG_DIRTY_PAGES, and if the VM has rings instead
 *
 * A slot never changes once it can be found: every change of a slot makes a
 * new struct, and the old one is freed a grace period of kvm->srcu later.
 */
struct kvm_memory_slot {
	struct interval_tree_node hva_node;
	gfn_t base_gfn;
	unsigned long npages;
	unsigned long userspace_addr;
	unsigned long *dirty_bitmap;
	u32 flags;
	u16 id;
	u16 as_id;
};

/**
 * struct kvm_memslots - the slots of one address space
 * @by_gfn:	gfn range to slot; readers under kvm->srcu		(s)
 * @by_id:	slot number to slot					(s)
 * @hva_tree:	hva range to slots, for the MMU notifier		(m)
 */
struct kvm_memslots {
	struct maple_tree by_gfn;
	struct xarray by_id;
	struct rb_root_cached hva_tree;
};

static inline bool kvm_slot_dirty_track_enabled(const struct kvm_memory_slot *slot)
{
	return slot->flags & KVM_MEM_LOG_DIRTY_PAGES;
}

static inline hva_t gfn_to_hva_memslot(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	return slot->userspace_addr + ((gfn - slot->base_gfn) << PAGE_SHIFT);
}

static inline gfn_t gpa_to_gfn(gpa_t gpa)
{
	return (gfn_t)(gpa >> PAGE_SHIFT);
}

/* ---- the dirty ring (dirty_ring.c) ---- */

/* What KVM_CHECK_EXTENSION says, too. */
#define KVM_DIRTY_RING_MAX_BYTES	(65536 * sizeof(struct kvm_dirty_gfn))

/**
 * struct kvm_dirty_ring - pages that a vCPU has written, for the VMM to reap
 * @gfns:	the entries, which userspace maps and may write any time; NULL: no ring (c)
 * @size:	of them, a power of two						(c)
 * @soft_limit:	entries in use with which the vCPU does not enter the guest	(c)
 * @pushed:	entries pushed so far, modulo 2^32; the thread that has the vCPU loaded
 *		writes it, kvm_vm_ioctl_reset_dirty_rings() reads it
 * @reset:	of these, entries taken back; the other way round, under kvm->slots_lock
 * @newest_slot, @newest_offset: what was pushed last; the pusher's own
 *
 * Pages of @gfns are the vCPU's: a mapping holds the vCPU's file, and so the vCPU.
 */
struct kvm_dirty_ring {
	struct kvm_dirty_gfn *gfns;
	u32 size;
	u32 soft_limit;
	u32 pushed;
	u32 reset;
	u32 newest_slot;
	u64 newest_offset;
};

/* ---- guest registers ---- */

/* The first 16 are numbered as instructions encode them. */
enum kvm_reg {
	VCPU_REGS_RAX, VCPU_REGS_RCX, VCPU_REGS_RDX, VCPU_REGS_RBX,
	VCPU_REGS_RSP, VCPU_REGS_RBP, VCPU_REGS_RSI, VCPU_REGS_RDI,
	VCPU_REGS_R8, VCPU_REGS_R9, VCPU_REGS_R10, VCPU_REGS_R11,
	VCPU_REGS_R12, VCPU_REGS_R13, VCPU_REGS_R14, VCPU_REGS_R15,
	VCPU_REGS_RIP,
	NR_VCPU_REGS,

	/* Kept by hardware while the guest runs; fetched when first asked for. */
	VCPU_EXREG_RFLAGS = NR_VCPU_REGS,
	VCPU_EXREG_CR0,
	VCPU_EXREG_CR3,
	VCPU_EXREG_CR4,
	VCPU_EXREG_PDPTR,
	/*
	 * Only ever stored: the copy in the vcpu is the truth.  DR6 and DR7 are
	 * fetched too, into arch.dr6 and dr7, after a run with arch.debugreg_in_hw.
	 */
	VCPU_EXREG_EFER,
	VCPU_EXREG_DR6,
	VCPU_EXREG_DR7,
	NR_VCPU_EXREGS,
};

/* Segment registers are numbered as instructions encode them, then LDTR, TR. */
enum kvm_seg {
	VCPU_SREG_ES, VCPU_SREG_CS, VCPU_SREG_SS, VCPU_SREG_DS, VCPU_SREG_FS,
	VCPU_SREG_GS, VCPU_SREG_TR, VCPU_SREG_LDTR,
};

enum kvm_dt { VCPU_DT_GDTR, VCPU_DT_IDTR };

/**
 * struct x86_exception - a fault on its way to the guest
 * @vector:	0..31
 * @has_error_code: the vector pushes one
 * @error_code:	that code
 * @address:	CR2's new value, for a page fault
 */
struct x86_exception {
	u8 vector;
	bool has_error_code;
	u16 error_code;
	u64 address;
};

/**
 * struct kvm_queued_exception - the one exception a vCPU can hold
 * @pending:	waits for the next entry; its side effects are not done yet
 * @injected:	was being delivered when an exit interrupted it; goes first
 * @has_payload: @payload (CR2, or DR6's new bits) is still to be applied
 */
struct kvm_queued_exception {
	bool pending;
	bool injected;
	bool has_error_code;
	bool has_payload;
	u8 vector;
	u32 error_code;
	u64 payload;
};

/**
 * struct kvm_queued_interrupt - an interrupt on its way into the guest
 * @pending:	KVM_INTERRUPT asked for it; waits for an open window
 * @injected:	is in the entry controls, or was when an exit interrupted it
 * @soft:	INT n, which carries an instruction length
 */
struct kvm_queued_interrupt {
	bool pending;
	bool injected;
	bool soft;
	u8 nr;
};

struct kvm_mtrr {
	u64 deftype;
	u64 fixed[11];
	struct {
		u64 base;
		u64 mask;
	} var[KVM_NR_VAR_MTRR];
};

/*
 * Zeroed pages for page tables, one for each level below a root of 5 levels and
 * the root itself: allocated while sleeping is allowed, used under mmu_lock.
 */
#define KVM_PT_CACHE_SIZE	5

struct kvm_pt_cache {
	int nr;
	u64 *table[KVM_PT_CACHE_SIZE];
};

/**
 * struct kvm_vcpu_arch - the x86 state of a vCPU; all of it (v)
 *
 * Each group names the file that writes it.
 */
struct kvm_vcpu_arch {
	/*
	 * x86.c and the vendor.  regs_avail: the copy here is current;
	 * regs_dirty: it is newer than the hardware's.
	 */
	unsigned long regs[NR_VCPU_REGS];
	u32 regs_avail;
	u32 regs_dirty;
	unsigned long rflags;
	unsigned long cr0, cr0_guest_owned_bits;
	unsigned long cr2;
	unsigned long cr3;
	unsigned long cr4, cr4_guest_owned_bits;
	/*
	 * The TPR's class.  If the local APIC is ours, that has the truth, which
	 * kvm_get_cr8() tells, and this is a copy; with VMX's TPR shadow an old one.
	 */
	unsigned long cr8;
	u64 pdptrs[4];
	u64 efer;
	u64 apic_base;
	u32 mp_state;

	/* mmu.c */
	struct kvm_pt_cache pt_cache;
	hpa_t root_hpa;		/* what load_mmu was last told, 0: nothing yet */

	/* x86.c: events */
	struct kvm_queued_exception exception;
	struct kvm_queued_interrupt interrupt;
	bool nmi_injected;
	atomic_t nmi_queued;		/* by any thread; kvm_process_nmi() moves it to */
	unsigned int nmi_pending;	/* at most 2, as hardware latches one more */

	/* io.c: what a userspace exit left to be done at the next KVM_RUN */
	int (*complete_userspace_io)(struct kvm_vcpu *vcpu);
	struct kvm_io_state *io;
	/* The vendor: linear address of the last fault with KVM_FAULT_GVA_VALID. */
	gva_t fault_gva;

	/* cpuid.c */
	struct kvm_cpuid_entry2 *cpuid_entries;
	int cpuid_nent;
	/* First entry of a function, as [function >> 30][function & 31]; see cpuid.c. */
	u16 cpuid_first[4][32];
	u8 maxphyaddr;
	u64 reserved_gpa_bits;
	u64 cr4_reserved_bits;
	u64 guest_supported_xcr0;
	u64 ia32_misc_enable;
	u64 efer_reserved_bits;

	/* msr.c */
	struct kvm_mtrr mtrr;
	u64 pat;
	u64 microcode_version;
	u64 arch_capabilities;
	u64 msr_platform_info;
	u64 msr_misc_features_enables;
	u64 msr_power_ctl;
	u64 hwcr;
	u64 osvw_id_length, osvw_status;

	/* apic.c; NULL: the VMM has the local APIC */
	struct kvm_lapic *apic;
	/* The vendor, in update_intercepts(): the CPU takes interrupts from its page itself. */
	bool apicv_active;
	gpa_t vapic_addr;	/* of the TPR that a patched guest uses; 0: there is none */
	/* Vectors whose EOI the I/O APIC, ours or userspace's, wants to hear of. */
	DECLARE_BITMAP(ioapic_handled_vectors, 256);
	u8 pending_ioapic_eoi;		/* KVM_REQ_IOAPIC_EOI_EXIT's */

	/* mce.c */
	u64 mcg_cap, mcg_status, mcg_ctl;
	u64 *mce_banks;

	/* msr.c: time.  guest TSC = (host TSC * ratio >> frac bits) + offset */
	u64 tsc_offset;
	u64 tsc_scaling_ratio;
	u64 ia32_tsc_adjust;
	u32 virtual_tsc_khz;

	/* pv.c: what the guest's CPUID offers of KVM's own, and whether that binds */
	u32 pv_features;
	bool pv_enforce;

	/* pvclock.c: MSR_KVM_SYSTEM_TIME; when its line was made; KVM_KVMCLOCK_CTRL */
	u64 system_time;
	u64 clock_updated_ns;
	bool clock_guest_stopped;

	/* pv.c: steal time; KVM_HC_KICK_CPU ends this HLT or the next, by any vCPU */
	u64 steal_msr, last_run_delay;
	bool steal_marked;
	bool at_rest;		/* x86.c: nothing for the guest is half done */
	bool pv_unhalted;
	/* pv.c: PV EOI; the guest's word says that it need not write the register */
	u64 pv_eoi_msr;
	u64 poll_control;	/* MSR_KVM_POLL_CONTROL: bit 0: the host is to poll on HLT */
	bool pv_eoi_offered;

	/* async_pf.c: its MSRs, what the guest waits for, what it was told last */
	struct {
		u64 msr_en;
		u8 vector;
		bool ready_pending;	/* a token that is not acknowledged */
		bool wake_all;		/* the next token is ~0 */
		u32 last_id;
		unsigned int nr;
		struct list_head pages;
	} apf;

	/* fpu.c */
	struct fpu_guest guest_fpu;
	u64 xcr0;
	u64 ia32_xss;
	u32 pkru, host_pkru;

	/*
	 * debug.c: db, dr6 and dr7 are what the guest reads; eff_db and eff_dr7
	 * what it runs with.  store_reg(VCPU_EXREG_DR7) puts eff_dr7 in hardware.
	 */
	unsigned long db[KVM_NR_DB_REGS];
	unsigned long dr6, dr7;
	unsigned long eff_db[KVM_NR_DB_REGS];
	unsigned long eff_dr7, guest_debug_dr7;
	/* KVM_GUESTDBG_*; 0 unless KVM_SET_GUEST_DEBUG enabled it. */
	u32 guest_debug;
	/* eff_dr7 enables a breakpoint: eff_db goes to hardware for each entry. */
	bool debugreg_active;
	/*
	 * DRs in hardware are the guest's, from the next entry to the exit after
	 * it: the vendor, who looks at each entry, lets MOV DR run without an
	 * exit exactly while this is set.
	 */
	bool debugreg_in_hw;
	/* Length of the INT3 that exited last, for a VMM that injects it again. */
	u8 event_insn_len;
	/*
	 * The exit interrupted the delivery of an instruction's own event, which is
	 * not injected again: the instruction will be executed again.
	 */
	bool soft_event_interrupted;
};

enum {
	OUTSIDE_GUEST_MODE,
	IN_GUEST_MODE,
	EXITING_GUEST_MODE,
};

/*
 * Requests: what another thread wants of a vCPU, done before its next entry.
 * The protocol is at kvm_make_request() in kvm_main.c.
 */
enum kvm_request {
	KVM_REQ_TLB_FLUSH,	/* all translations of this VM */
	KVM_REQ_EVENT,		/* an event may be ready for injection */
	KVM_REQ_TRIPLE_FAULT,
	KVM_REQ_INTERCEPTS,	/* what exits may have changed: MSR filter, DISABLE_EXITS */
	KVM_REQ_NMI,		/* arch.nmi_queued: kvm_process_nmi() */
	KVM_REQ_APIC_TIMER,	/* kvm_apic_inject_pending_timer() */
	KVM_REQ_SCAN_IOAPIC,	/* kvm_vcpu_scan_ioapic() */
	KVM_REQ_IOAPIC_EOI_EXIT, /* split irqchip: tell userspace of an EOI */
	KVM_REQ_MASTER_CLOCK,	/* kvm_pvclock_check_master() */
	KVM_REQ_CLOCK_UPDATE,	/* kvm_pvclock_update() */
	KVM_REQ_STEAL_UPDATE,	/* kvm_steal_time_update() */
	KVM_REQ_APF_READY,	/* kvm_async_pf_ready() */
	KVM_REQ_CLOCK_HOLD,	/* stay out: whoever made it takes it back, see pvclock.c */
	KVM_REQ_VM_DEAD,
};

struct kvm_vcpu {
	struct kvm *kvm;				/* (c) */
	struct kvm_run *run;				/* (c); userspace writes it any time */
	struct preempt_notifier preempt_notifier;
	int cpu;		/* where it is or was loaded; -1 before */
	int vcpu_id;					/* (c) from userspace */
	int vcpu_idx;					/* (c) 0.. in creation order */
	int mode;		/* IN_GUEST_MODE ...; see kvm_vcpu_kick() */
	unsigned long requests;				/* bits of enum kvm_request */
	int srcu_idx;					/* (v) */
	struct pid __rcu *pid;	/* thread of the last KVM_RUN; (v) to write */
	bool preempted;		/* scheduled out while it could run */
	struct rcuwait wait;	/* halt.c: its thread, while that sleeps */
	unsigned int halt_poll_ns;			/* (v) */
	struct mutex mutex;
	bool ran_once;					/* (v) KVM_RUN was called */
	bool sigset_active;				/* (v) */
	sigset_t sigset;				/* (v) */
	struct kvm_dirty_ring dirty_ring;
	struct kvm_vcpu_stat stat;

	/* What KVM_SET_CPUID2 and friends may copy: see the slab's usercopy region. */
	struct kvm_vcpu_arch arch;
};

/**
 * struct kvm_x86_msr_filter - which MSR accesses go to userspace instead
 *
 * Immutable once installed; replaced under kvm->lock, freed after a grace
 * period of kvm->srcu.  Owned by msr.c.
 */
struct kvm_x86_msr_filter;

/**
 * struct kvm_arch - the x86 state of a VM
 */
struct kvm_arch {
	/* tdp_mmu.c: the EPT root of each address space, 0 when none		(m) */
	hpa_t root_hpa[KVM_ADDRESS_SPACE_NUM];
	gfn_t shrink_gfn;		/* mmu.c: where to take memory next	(m) */

	/* cap.c: KVM_ENABLE_CAP						(l) */
	bool exception_payload_enabled;
	bool triple_fault_event;
	u32 user_space_msr_mask;
	bool guest_can_read_msr_platform_info;
	bool exit_on_emulation_error;
	u64 disabled_quirks;
	u64 disabled_exits;

	struct kvm_x86_msr_filter __rcu *msr_filter;	/* (l) to write, srcu to read */

	bool max_vcpu_ids_set;				/* (l) by KVM_ENABLE_CAP, once */
	u64 identity_map_addr;				/* (l) accepted, not needed */
	u32 default_tsc_khz;		/* (l) of a new vCPU; 0: the host's */
	/* msr.c: TSC writes close together are one synchronisation attempt. */
	raw_spinlock_t tsc_write_lock;
	u64 last_tsc_write, last_tsc_nsec, last_tsc_offset;
	u32 last_tsc_khz;
	/* pvclock.c: the clock is host_ns() + clock_offset; see there for the master clock */
	struct mutex clock_lock;
	u64 clock_offset;
	u64 wall_clock;			/* MSR_KVM_WALL_CLOCK: one for all vCPUs */
	bool master_clock, master_stale;
	u64 master_tsc, master_ns;
	u64 n_max_mmu_pages;				/* stored for GET_NR_MMU_PAGES */

	/* irq.h: each is made once, under kvm->lock, and published with a barrier */
	int irqchip_mode;		/* enum kvm_irqchip_mode */
	u16 nr_user_ioapic_pins;	/* split irqchip: GSIs below are userspace's pins */
	struct kvm_irqchip_state *irqchip;	/* irqchip.c: PICs and I/O APIC */
	struct kvm_pit *pit;			/* irqchip.c */
	hpa_t apic_access_page;		/* apic.c: VMX's APIC-access page; made once */
	bool apic_page_dropped;		/* mmu.c: and not mapped any more		(m) */
	struct kvm_apic_map __rcu *apic_map;	/* apic.c: who has which APIC id */
	struct mutex apic_map_lock;		/* to write it; innermost */
	u32 bsp_vcpu_id;
	bool x2apic_format, x2apic_broadcast_quirk_disabled;	/* KVM_CAP_X2APIC_API */
};

/* The kernel's own answer to guest addresses: iobus.c. */
enum kvm_bus { KVM_MMIO_BUS, KVM_PIO_BUS, KVM_FAST_MMIO_BUS, KVM_NR_BUSES };

struct kvm {
	struct mm_struct *mm;				/* (c) */
	struct mutex lock;		/* see the top of this file for these four */
	struct mutex slots_lock;	/* slots */
	rwlock_t mmu_lock;		/* EPT */
	struct srcu_struct srcu;
	refcount_t users_count;		/* the VM fd and each vCPU fd */
	struct list_head vm_list;			/* kvm_lock */
	bool vm_dead;			/* set once, read anywhere */

	struct xarray vcpu_array;			/* (l) idx to vCPU */
	atomic_t online_vcpus;		/* entries of vcpu_array that are ready */
	int created_vcpus;				/* (l) */
	int last_boosted_vcpu;		/* a hint, see kvm_vcpu_on_spin() */
	u32 max_vcpu_ids;				/* (l) */

	struct kvm_memslots slots[KVM_ADDRESS_SPACE_NUM];
	unsigned long nr_slot_pages;			/* (s) */
	int nr_slots_logging;	/* (s) with KVM_MEM_LOG_DIRTY_PAGES; anybody may look */
	u32 manual_dirty_log_protect;			/* (l) */
	u32 dirty_ring_size;	/* (l) bytes, set before the first vCPU; 0: bitmaps */

	struct kvm_io_bus __rcu *buses[KVM_NR_BUSES];	/* (s) iobus.c */

	/*
	 * irq.c: where a GSI goes, and who wants to hear of its EOI.  Changed
	 * under irq_lock, read under irq_srcu.
	 */
	struct mutex irq_lock;
	struct srcu_struct irq_srcu;
	struct kvm_irq_routing_table __rcu *irq_routing;
	struct hlist_head irq_ack_notifiers;

	/* eventfd.c: each file's head says how these are used */
	struct mutex irqfds_mutex;
	spinlock_t irqfds_lock;				/* irqfds */
	struct list_head irqfds;			/* irqfds_lock */
	struct list_head resamplers;			/* irqfds_mutex */
	struct list_head ioeventfds;			/* (s) */

	/* coalesced_mmio.c */
	struct kvm_coalesced_mmio_ring *coalesced_mmio_ring;	/* (c) a page */
	spinlock_t ring_lock;		/* writers of it */
	struct list_head coalesced_zones;		/* (s) */

	s64 halt_poll_limit;	/* ns; -1: halt.c's parameter; KVM_CAP_HALT_POLL, any time */

	/* mmu_notifier.c: invalidations of host mappings under way, and how many there were */
	struct mmu_notifier mmu_notifier;
	unsigned long mmu_invalidate_seq;		/* (m) */
	long mmu_invalidate_in_progress;		/* (m) */
	/* Covers all that are under way; means something while there are any. */
	hva_t mmu_invalidate_start, mmu_invalidate_end;	/* (m) */
	wait_queue_head_t mmu_invalidate_wq;		/* faults that wait for the end of one */

	struct kvm_vm_stat stat;
	/* stats.c: the VM's directory, and what stands behind its files	(c) */
	struct dentry *debugfs_dentry;
	struct kvm_stat_file *debugfs_files;

	struct kvm_arch arch;
};

/* ---- the vendor's door ---- */

enum kvm_event_type { KVM_EVENT_IRQ, KVM_EVENT_NMI };

/**
 * struct kvm_exit_info - what happened, as trace and error reports want it
 * @name:	of @reason; never NULL
 * @reason:	the exit reason (SVM: exit code)
 * @info1, @info2: VMX: exit qualification, 0; SVM: EXITINFO1, EXITINFO2
 * @intr_info:	VMX: the exception or NMI that exited
 * @error_code:	of @intr_info, or on SVM of @vectoring
 * @vectoring:	the event in whose delivery the exit came, in the vendor's format
 */
struct kvm_exit_info {
	const char *name;
	u32 reason;
	u64 info1, info2;
	u32 intr_info;
	u32 error_code;
	u32 vectoring;
};

/**
 * struct kvm_apicv - what hardware that delivers interrupts is told before an entry
 * @rvi:	the highest vector in the IRR, 0: none
 * @svi:	the highest vector in the ISR, 0: none
 * @eoi_exit:	a bit for each vector whose EOI is to exit
 */
struct kvm_apicv {
	u8 rvi, svi;
	u64 eoi_exit[4];
};

/**
 * struct kvm_x86_ops - all that generic code asks of a vendor module
 *
 * Grouped by lifetime.  Functions are called in process context with the vCPU
 * loaded (preemptible) unless said otherwise.  "1/0/-errno" is the run loop's
 * contract: 1 = enter the guest again, 0 = return to userspace with kvm_run
 * filled, negative = errno of KVM_RUN.
 */
struct kvm_x86_ops {
	const char *name;

	/* Module: once. */
	int (*hardware_setup)(void);	/* fills kvm_caps; says what is missing */
	void (*hardware_unsetup)(void);
	void (*emergency_disable)(void);	/* crash: from NMI, on each CPU */

	/* Each CPU, interrupts off. */
	int (*check_processor_compatibility)(void);
	int (*hardware_enable)(void);
	void (*hardware_disable)(void);

	/* Each vCPU. */
	int (*vcpu_create)(struct kvm_vcpu *vcpu);
	void (*vcpu_free)(struct kvm_vcpu *vcpu);
	void (*vcpu_reset)(struct kvm_vcpu *vcpu);
	void (*vcpu_load)(struct kvm_vcpu *vcpu, int cpu);	/* preemption off */
	void (*vcpu_put)(struct kvm_vcpu *vcpu);		/* preemption off */

	/* State.  Loaded vCPU. */
	void (*cache_reg)(struct kvm_vcpu *vcpu, enum kvm_reg reg);
	void (*store_reg)(struct kvm_vcpu *vcpu, enum kvm_reg reg);
	void (*get_segment)(struct kvm_vcpu *vcpu, struct kvm_segment *var, int seg);
	void (*set_segment)(struct kvm_vcpu *vcpu, const struct kvm_segment *var, int seg);
	int (*get_cpl)(struct kvm_vcpu *vcpu);
	bool (*get_cs_l)(struct kvm_vcpu *vcpu);	/* CS.L alone: asked for often */
	void (*get_dt)(struct kvm_vcpu *vcpu, struct desc_ptr *dt, enum kvm_dt which);
	void (*set_dt)(struct kvm_vcpu *vcpu, const struct desc_ptr *dt, enum kvm_dt which);
	bool (*is_valid_cr4)(struct kvm_vcpu *vcpu, unsigned long cr4);
	int (*get_msr)(struct kvm_vcpu *vcpu, u32 index, u64 *data);	/* 0, or 1: not mine */
	int (*set_msr)(struct kvm_vcpu *vcpu, u32 index, u64 data);	/* likewise */
	void (*write_tsc_offset)(struct kvm_vcpu *vcpu);
	/* CPUID, MSR filter, guest debugging, disabled exits or the APIC's mode changed. */
	void (*update_intercepts)(struct kvm_vcpu *vcpu);

	/* Events. */
	bool (*event_allowed)(struct kvm_vcpu *vcpu, enum kvm_event_type type);
	void (*enable_window)(struct kvm_vcpu *vcpu, enum kvm_event_type type);
	void (*inject_exception)(struct kvm_vcpu *vcpu);
	void (*inject_irq)(struct kvm_vcpu *vcpu);
	void (*inject_nmi)(struct kvm_vcpu *vcpu);
	void (*cancel_injection)(struct kvm_vcpu *vcpu);
	u32 (*get_interrupt_shadow)(struct kvm_vcpu *vcpu);	/* KVM_X86_SHADOW_INT_* */
	void (*set_interrupt_shadow)(struct kvm_vcpu *vcpu, u32 shadow);
	bool (*get_nmi_mask)(struct kvm_vcpu *vcpu);
	void (*set_nmi_mask)(struct kvm_vcpu *vcpu, bool masked);
	/* Before an entry with arch.apicv_active. */
	void (*load_apicv)(struct kvm_vcpu *vcpu, const struct kvm_apicv *v);
	/* If hardware has CR8: exit when it goes below this class; 0: never. */
	void (*watch_tpr)(struct kvm_vcpu *vcpu, unsigned int class);

	/* The run loop. */
	void (*prepare_switch_to_guest)(struct kvm_vcpu *vcpu);	/* preemption off */
	void (*vcpu_run)(struct kvm_vcpu *vcpu);		/* interrupts off */
	void (*handle_exit_irqoff)(struct kvm_vcpu *vcpu);	/* interrupts off */
	int (*handle_exit)(struct kvm_vcpu *vcpu);		/* 1/0/-errno */
	/* Moves RIP past the instruction that exited. */
	void (*skip_emulated_instruction)(struct kvm_vcpu *vcpu);

	/* Memory. */
	void (*load_mmu)(struct kvm_vcpu *vcpu, hpa_t root);
	void (*flush_tlb_all)(struct kvm_vcpu *vcpu);		/* this VM's, preemption off */
	void (*flush_tlb_guest)(struct kvm_vcpu *vcpu);		/* this vCPU's linear ones */

	/* Explaining. */
	void (*get_exit_info)(struct kvm_vcpu *vcpu, struct kvm_exit_info *info);
	const char *(*exit_reason_name)(u32 row);	/* of stat.exit_reasons; NULL: unused */
};

/**
 * struct kvm_tdp_format - an entry of the vendor's second-level page table
 * @present:	the entry is in use if any of these bits is set
 * @table:	the bits of an entry that points to a table; restricts nothing
 * @leaf:	the bits of every leaf: may be read
 * @exec:	bit of a leaf that may be executed too; 0: all may
 * @write:	bit of a leaf that may be written too
 * @accessed:	bit that hardware sets on use, if kvm_caps.tdp_ad_bits
 * @dirty:	bit that hardware sets when it writes, ditto
 * @large:	bit of a leaf above the lowest level
 * @memtype_wb: bits of a leaf that is ordinary memory
 * @memtype_uc: bits of a leaf that is a device's
 * @host_writable: a bit that hardware ignores, for mmu.c
 *
 * Bits 51:12 of an entry are a physical address and a table has 512 entries,
 * with every vendor.  Two formats exist: EPT (SDM vol. 3, 29.3.2) and AMD's
 * nested tables, which are ordinary page tables with the user bit set.
 */
struct kvm_tdp_format {
	u64 present;
	u64 table;
	u64 leaf;
	u64 exec;
	u64 write;
	u64 accessed;
	u64 dirty;
	u64 large;
	u64 memtype_wb;
	u64 memtype_uc;
	u64 host_writable;
};

/**
 * struct kvm_caps - what the machine and the vendor can do; constant after
 * kvm_init's hardware setup
 * @supported_xcr0: XCR0 bits a guest may set
 * @supported_xss: IA32_XSS bits a guest may set
 * @supported_efer: EFER bits a guest may set
 * @tdp_format:	what an entry of the vendor's second-level page table looks like
 * @tdp_max_page_level: 1 = 4K, 2 = 2M, 3 = 1G
 * @tdp_levels:	depth of the EPT, 4 or 5
 * @tdp_ad_bits: EPT has accessed and dirty bits, and they are in use
 * @cpu_dirty_log_size: if not 0, hardware logs the page whenever it sets a dirty bit, so that
 *		bit is cleared to see the next write, and not the write permission; so many
 *		pages can be logged between two exits
 * @has_tsc_scaling: the ratio of a vCPU may differ from 1.0
 * @tsc_scaling_frac_bits: fixed-point position of the ratio
 * @max_tsc_scaling_ratio: its largest value
 * @has_invpcid, @has_rdtscp, @has_xsaves: a guest can use the instruction
 * @has_apicv:	hardware delivers a local APIC's interrupts: load_apicv()
 * @own_msrs:	MSRs that this vendor alone has, up to a 0
 * @ucode_rev:	IA32_UCODE_REV (AMD: PATCH_LEVEL) of a new vCPU
 * @supported_de_cfg: bits of AMD's DE_CFG that a guest may set
 */
struct kvm_caps {
	u64 supported_xcr0;
	u64 supported_xss;
	u64 supported_efer;
	const struct kvm_tdp_format *tdp_format;
	u8 tdp_max_page_level;
	u8 tdp_levels;
	bool tdp_ad_bits;
	u16 cpu_dirty_log_size;
	bool has_tsc_scaling;
	u8 tsc_scaling_frac_bits;
	u64 max_tsc_scaling_ratio;
	bool has_invpcid;
	bool has_rdtscp;
	bool has_xsaves;
	bool has_apicv;
	const u32 *own_msrs;
	u64 ucode_rev;
	u64 supported_de_cfg;
};

extern struct kvm_x86_ops kvm_x86_ops;
extern struct kvm_caps kvm_caps;
extern u64 kvm_host_efer, kvm_host_xcr0;

/* ---- kvm_main.c ---- */

extern struct mutex kvm_lock;
extern struct list_head vm_list;	/* of struct kvm, by vm_list; kvm_lock held */

int kvm_init(const struct kvm_x86_ops *ops, unsigned int vcpu_size,
	     unsigned int vcpu_align, struct module *module);
void kvm_exit(void);

/* hardware.c */
int kvm_hardware_init(void);
void kvm_hardware_exit(void);
int kvm_check_all_cpus(void);
int hardware_enable_all(void);
void hardware_disable_all(void);

struct kvm_vcpu *kvm_get_vcpu(struct kvm *kvm, unsigned long idx);
void vcpu_load(struct kvm_vcpu *vcpu);
void vcpu_put(struct kvm_vcpu *vcpu);
struct kvm_vcpu *kvm_get_running_vcpu(void);
void kvm_vcpu_kick(struct kvm_vcpu *vcpu);

/* halt.c */
void kvm_vcpu_block(struct kvm_vcpu *vcpu);
void kvm_vcpu_halt(struct kvm_vcpu *vcpu);
bool kvm_vcpu_wake_up(struct kvm_vcpu *vcpu);

int kvm_make_all_cpus_request(struct kvm *kvm, enum kvm_request req);
void kvm_kick_out_of_guest(struct kvm *kvm);
void kvm_flush_remote_tlbs(struct kvm *kvm);
void kvm_vcpu_on_spin(struct kvm_vcpu *me);
bool kvm_vcpu_yield_to(struct kvm_vcpu *target);
void kvm_vm_dead(struct kvm *kvm);
void kvm_get_kvm(struct kvm *kvm);
void kvm_put_kvm(struct kvm *kvm);

#define kvm_for_each_vcpu(idx, vcpu, kvm)				\
	for ((idx) = 0; (idx) < atomic_read(&(kvm)->online_vcpus) &&	\
	     ((vcpu) = kvm_get_vcpu(kvm, idx)); (idx)++)

/**
 * kvm_make_request() - ask a vCPU to do something before its next entry
 *
 * The bit is set before the caller kicks, and vcpu_enter_guest() sets
 * IN_GUEST_MODE before it looks at the bits: kvm_vcpu_kick() has the proof.
 */
static inline void kvm_make_request(enum kvm_request req, struct kvm_vcpu *vcpu)
{
	smp_wmb();	/* what the request is about is visible before it */
	set_bit(req, &vcpu->requests);
}

static inline bool kvm_request_pending(struct kvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests);
}

/* Take a request: true once for each time that it was made since the last. */
static inline bool kvm_check_request(enum kvm_request req, struct kvm_vcpu *vcpu)
{
	if (!test_bit(req, &vcpu->requests))
		return false;
	clear_bit(req, &vcpu->requests);
	smp_mb__after_atomic();	/* pairs with kvm_make_request()'s smp_wmb() */
	return true;
}

/* ---- memslot.c ---- */

int kvm_memslots_init(struct kvm *kvm);
void kvm_memslots_destroy(struct kvm *kvm);
int __kvm_set_memory_region(struct kvm *kvm, const struct kvm_userspace_memory_region *mem);
int kvm_vm_ioctl_set_memory_region(struct kvm *kvm, struct kvm_userspace_memory_region *mem);
int kvm_slot_number(u32 slot, int *as_id, int *id);
struct kvm_memory_slot *id_to_memslot(struct kvm_memslots *slots, int id);
struct kvm_memory_slot *gfn_to_memslot(struct kvm *kvm, gfn_t gfn);

/* ---- dirty_log.c ---- */

int kvm_vm_ioctl_get_dirty_log(struct kvm *kvm, struct kvm_dirty_log *log);
int kvm_vm_ioctl_clear_dirty_log(struct kvm *kvm, struct kvm_clear_dirty_log *log);
void mark_page_dirty_in_slot(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn);
void kvm_vcpu_mark_page_dirty(struct kvm_vcpu *vcpu, gfn_t gfn);

/* ---- dirty_ring.c ---- */

int kvm_dirty_ring_enable(struct kvm *kvm, u32 bytes);
int kvm_dirty_ring_create(struct kvm_vcpu *vcpu);
void kvm_dirty_ring_destroy(struct kvm_vcpu *vcpu);
bool kvm_dirty_ring_overlaps(struct kvm *kvm, unsigned long pgoff, unsigned long pages);
struct page *kvm_dirty_ring_page(struct kvm_vcpu *vcpu, unsigned long pgoff);
void kvm_dirty_ring_push(struct kvm_vcpu *vcpu, u32 slot, u64 offset);
bool kvm_dirty_ring_is_full(struct kvm_vcpu *vcpu);
int kvm_vm_ioctl_reset_dirty_rings(struct kvm *kvm);

/* ---- guest_mem.c ---- */

/* Guest memory by guest-physical address; kvm->srcu held, VMM's process. 0 or -EFAULT. */
int kvm_read_guest(struct kvm *kvm, gpa_t gpa, void *data, unsigned long len);
int kvm_write_guest(struct kvm *kvm, gpa_t gpa, const void *data, unsigned long len);
int kvm_put_guest_u32(struct kvm *kvm, gpa_t gpa, u32 val);	/* aligned: in one store */
int kvm_put_guest_u8_atomic(struct kvm *kvm, gpa_t gpa, u8 val);	/* preemption may be off */
int kvm_cmpxchg_guest(struct kvm *kvm, gpa_t gpa, void *old, const void *new, unsigned int len);

/* ---- mmu.c, guest_mmu.c ---- */

#define KVM_FAULT_READ		BIT(0)
#define KVM_FAULT_WRITE		BIT(1)
#define KVM_FAULT_EXEC		BIT(2)
#define KVM_FAULT_USER		BIT(3)	/* guest page walks only: CPL 3 */
/* The access was of a translated gva (arch.fault_gva), not of the guest's page tables. */
#define KVM_FAULT_GVA_VALID	BIT(4)
/* The same, but hardware does not say which gva. */
#define KVM_FAULT_GVA_UNKNOWN	BIT(7)
/* Guest page walks only: a supervisor's access by hardware itself, such as to the GDT. */
#define KVM_FAULT_IMPLICIT	BIT(5)
/* Guest page walks only: where is it?  Nothing is forbidden, no bit of a page table is set. */
#define KVM_FAULT_PROBE		BIT(6)
/* An instruction's plain write, and skip_emulated_instruction() knows how long that is. */
#define KVM_FAULT_CAN_SKIP	BIT(8)
/* The tables of the second level have an entry, but it does not allow the access. */
#define KVM_FAULT_PRESENT	BIT(9)

int kvm_mmu_module_init(void);
void kvm_mmu_module_exit(void);
int kvm_mmu_init_vm(struct kvm *kvm);
void kvm_mmu_uninit_vm(struct kvm *kvm);
int kvm_mmu_create(struct kvm_vcpu *vcpu);
void kvm_mmu_destroy(struct kvm_vcpu *vcpu);
int kvm_mmu_reload(struct kvm_vcpu *vcpu);
int kvm_mmu_page_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u32 access);
void kvm_mmu_drop_apic_page(struct kvm *kvm);
/* memslot.c tells mmu.c; kvm->slots_lock held */
void kvm_mmu_zap_memslot(struct kvm *kvm, struct kvm_memory_slot *slot);
void kvm_mmu_write_protect_memslot(struct kvm *kvm, struct kvm_memory_slot *slot);
void kvm_mmu_recover_huge_pages(struct kvm *kvm, struct kvm_memory_slot *slot);
/* mmu_lock held to write; true: the caller is to flush the TLBs before he drops it */
bool kvm_mmu_write_protect_masked(struct kvm *kvm, struct kvm_memory_slot *slot,
				  gfn_t first, unsigned long mask);

#define INVALID_GPA		(~(gpa_t)0)

gpa_t kvm_mmu_gva_to_gpa(struct kvm_vcpu *vcpu, gva_t gva, u32 access,
			 struct x86_exception *e);
int load_pdptrs(struct kvm_vcpu *vcpu, unsigned long cr3);

/* ---- x86.c ---- */

int kvm_arch_init(const struct kvm_x86_ops *ops);
void kvm_arch_exit(void);
int kvm_arch_hardware_setup(const struct kvm_x86_ops *ops);
void kvm_arch_hardware_unsetup(void);
int kvm_arch_init_vm(struct kvm *kvm, unsigned long type);
void kvm_arch_pre_destroy_vm(struct kvm *kvm);	/* before the vCPUs are destroyed */
void kvm_arch_destroy_vm(struct kvm *kvm);
int kvm_arch_vcpu_create(struct kvm_vcpu *vcpu);
void kvm_arch_vcpu_destroy(struct kvm_vcpu *vcpu);
void kvm_arch_vcpu_load(struct kvm_vcpu *vcpu, int cpu);
void kvm_arch_vcpu_put(struct kvm_vcpu *vcpu);
int kvm_arch_vcpu_ioctl_run(struct kvm_vcpu *vcpu);
bool kvm_arch_vcpu_runnable(struct kvm_vcpu *vcpu);
long kvm_arch_dev_ioctl(struct file *filp, unsigned int ioctl, unsigned long arg);
long kvm_arch_vm_ioctl(struct kvm *kvm, unsigned int ioctl, unsigned long arg);
long kvm_arch_vcpu_ioctl(struct kvm_vcpu *vcpu, unsigned int ioctl, unsigned long arg);
long kvm_arch_vm_compat_ioctl(struct file *filp, struct kvm *kvm, unsigned int ioctl,
			      unsigned long arg);

void kvm_queue_exception(struct kvm_vcpu *vcpu, unsigned int nr);
void kvm_queue_exception_e(struct kvm_vcpu *vcpu, unsigned int nr, u32 error_code);
void kvm_queue_exception_p(struct kvm_vcpu *vcpu, unsigned int nr, unsigned long payload);
void kvm_requeue_exception(struct kvm_vcpu *vcpu, unsigned int nr, bool has_error, u32 error_code);
void kvm_inject_x86_exception(struct kvm_vcpu *vcpu, const struct x86_exception *e);
void kvm_clear_exception_queue(struct kvm_vcpu *vcpu);
void kvm_deliver_exception_payload(struct kvm_vcpu *vcpu);
int kvm_skip_emulated_instruction(struct kvm_vcpu *vcpu);	/* 1/0: 0 = debug exit */
int kvm_emulate_as_nop(struct kvm_vcpu *vcpu);		/* these are for exit tables: */
int kvm_handle_invalid_op(struct kvm_vcpu *vcpu);	/* 1/0 of the run loop */
int kvm_emulate_mwait(struct kvm_vcpu *vcpu);
int kvm_emulate_halt(struct kvm_vcpu *vcpu);
int kvm_internal_error(struct kvm_vcpu *vcpu, u32 suberror, const u64 *data, unsigned int ndata);

/* Can an interrupt be injected at the next entry, with nothing in its way? */
bool kvm_ready_for_interrupt_injection(struct kvm_vcpu *vcpu);

/* ---- cap.c ---- */

int kvm_vm_ioctl_check_extension(struct kvm *kvm, long ext);
int kvm_arch_vm_ioctl_enable_cap(struct kvm *kvm, const struct kvm_enable_cap *cap);

/* ---- cr.c; RFLAGS: below ---- */

void kvm_flush_guest_tlb(struct kvm_vcpu *vcpu);
int kvm_set_cr0(struct kvm_vcpu *vcpu, unsigned long cr0);	/* 0, or 1: #GP */
int kvm_set_cr3(struct kvm_vcpu *vcpu, unsigned long cr3);
int kvm_set_cr4(struct kvm_vcpu *vcpu, unsigned long cr4);
int kvm_set_cr8(struct kvm_vcpu *vcpu, unsigned long cr8);
unsigned long kvm_get_cr8(struct kvm_vcpu *vcpu);
void kvm_lmsw(struct kvm_vcpu *vcpu, unsigned long msw);
int kvm_emulate_set_cr8(struct kvm_vcpu *vcpu, unsigned long cr8);	/* 1/0 */
bool kvm_is_valid_cr0(unsigned long cr0);
bool kvm_is_valid_cr4(struct kvm_vcpu *vcpu, unsigned long cr4);

/* ---- x86_state.c ---- */

void kvm_vcpu_reset(struct kvm_vcpu *vcpu, bool init);
int kvm_sync_regs_to_vcpu(struct kvm_vcpu *vcpu);
void kvm_sync_regs_from_vcpu(struct kvm_vcpu *vcpu);

/*
 * Without a local APIC of ours the TPR is the VMM's.  It wants to know when the guest
 * lowers it, for an interrupt may wait for that.
 */
static inline int kvm_exit_set_tpr(struct kvm_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_SET_TPR;
	return 0;
}

static inline void kvm_inject_gp(struct kvm_vcpu *vcpu, u32 error_code)
{
	kvm_queue_exception_e(vcpu, X86_TRAP_GP, error_code);
}

/* For the trace: never NULL. */
static inline const char *kvm_exit_reason_name(struct kvm_vcpu *vcpu)
{
	struct kvm_exit_info info;

	kvm_x86_ops.get_exit_info(vcpu, &info);
	return info.name;
}

/*
 * Around the guest, interrupts off.  Between the two calls the CPU counts as
 * being in user mode: with nohz_full RCU does not watch it, so nothing between
 * them may be traced or take a lock.
 */
static __always_inline void kvm_guest_enter_irqoff(void)
{
	instrumentation_begin();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();

	if (!context_tracking_guest_enter()) {
		instrumentation_begin();
		minikvm_rcu_note_guest();
		instrumentation_end();
	}
	lockdep_hardirqs_on(CALLER_ADDR0);
}

static __always_inline void kvm_guest_exit_irqoff(void)
{
	lockdep_hardirqs_off(CALLER_ADDR0);
	context_tracking_guest_exit();
	instrumentation_begin();
	trace_hardirqs_off_finish();
	instrumentation_end();
}

/* A machine check found the guest running: the host's handler is to see it.  Interrupts off. */
static inline void kvm_raise_host_mce(void)
{
	asm volatile("int $18");
}

/* ---- io.c: port I/O, MMIO and the binding of emulate.c ---- */

int kvm_io_vcpu_create(struct kvm_vcpu *vcpu);
void kvm_io_vcpu_destroy(struct kvm_vcpu *vcpu);
int kvm_fast_pio(struct kvm_vcpu *vcpu, int size, unsigned short port, bool in);
int kvm_insn_len(struct kvm_vcpu *vcpu);	/* 1..15; 0: not to be found out */
int kvm_emulate_instruction(struct kvm_vcpu *vcpu);
int kvm_emulate_mmio(struct kvm_vcpu *vcpu, gpa_t gpa, u32 access);

/* ---- cpuid.c ---- */

/* Fills kvm_caps.supported_efer too.  After hardware_setup() and kvm_fpu_hardware_setup(). */
void kvm_set_cpu_caps(void);
void kvm_cpuid_vcpu_create(struct kvm_vcpu *vcpu);
int kvm_dev_ioctl_get_cpuid(struct kvm_cpuid2 *cpuid, struct kvm_cpuid_entry2 __user *entries,
			    unsigned int type);
int kvm_vcpu_ioctl_set_cpuid(struct kvm_vcpu *vcpu, struct kvm_cpuid *cpuid,
			     struct kvm_cpuid_entry __user *entries);
int kvm_vcpu_ioctl_set_cpuid2(struct kvm_vcpu *vcpu, struct kvm_cpuid2 *cpuid,
			      struct kvm_cpuid_entry2 __user *entries);
int kvm_vcpu_ioctl_get_cpuid2(struct kvm_vcpu *vcpu, struct kvm_cpuid2 *cpuid,
			      struct kvm_cpuid_entry2 __user *entries);
void kvm_vcpu_free_cpuid(struct kvm_vcpu *vcpu);
struct kvm_cpuid_entry2 *kvm_find_cpuid_entry(struct kvm_vcpu *vcpu, u32 function, u32 index);
/* Looks an X86_FEATURE_* up in the CPUID that userspace gave the guest. */
bool guest_cpuid_has(struct kvm_vcpu *vcpu, unsigned int x86_feature);
/* Whose CPU is it, by the vendor string that userspace gave the guest? */
bool guest_cpuid_is_intel(struct kvm_vcpu *vcpu);
bool guest_cpuid_is_amd(struct kvm_vcpu *vcpu);
bool kvm_cpu_cap_has(unsigned int x86_feature);	/* KVM_GET_SUPPORTED_CPUID says so */
void kvm_cpu_cap_clear(unsigned int x86_feature);
/* CR4 (OSXSAVE, PKE), XCR0, XSS or MISC_ENABLE changed. */
void kvm_update_cpuid_runtime(struct kvm_vcpu *vcpu);
int kvm_emulate_cpuid(struct kvm_vcpu *vcpu);

/* ---- msr.c ---- */

int kvm_msr_vm_init(struct kvm *kvm);
void kvm_msr_vm_destroy(struct kvm *kvm);
int kvm_msr_vcpu_create(struct kvm_vcpu *vcpu);
void kvm_msr_vcpu_destroy(struct kvm_vcpu *vcpu);
void kvm_msr_vcpu_reset(struct kvm_vcpu *vcpu);
void kvm_init_msr_lists(void);
int kvm_get_msr_index_list(struct kvm_msr_list __user *user, bool features);
/* KVM_GET_MSRS/KVM_SET_MSRS; @vcpu NULL: the feature MSRs of the system fd */
long kvm_msr_io(struct kvm_vcpu *vcpu, struct kvm_msrs __user *user, bool set);
int kvm_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host_initiated);
int kvm_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host_initiated);
int kvm_emulate_rdmsr(struct kvm_vcpu *vcpu);
int kvm_emulate_wrmsr(struct kvm_vcpu *vcpu);
/* @type: KVM_MSR_FILTER_READ or _WRITE; kvm->srcu held */
bool kvm_msr_allowed(struct kvm_vcpu *vcpu, u32 index, u32 type);
int kvm_vm_ioctl_set_msr_filter(struct kvm *kvm, const void __user *user);
int kvm_set_efer(struct kvm_vcpu *vcpu, u64 efer, bool host_initiated);
int kvm_set_apic_base(struct kvm_vcpu *vcpu, u64 value, bool host_initiated);

/* ---- mce.c ---- */

#define MCI_NR_REGS		4		/* of a bank: CTL, STATUS, ADDR, MISC */
#define HWCR_MC_STATUS_WR_EN	BIT_ULL(18)	/* of AMD's MSR_K7_HWCR */

int kvm_mce_vcpu_create(struct kvm_vcpu *vcpu);
void kvm_mce_vcpu_destroy(struct kvm_vcpu *vcpu);
u64 kvm_mce_cap_supported(void);
int kvm_vcpu_ioctl_x86_setup_mce(struct kvm_vcpu *vcpu, u64 mcg_cap);
int kvm_vcpu_ioctl_x86_set_mce(struct kvm_vcpu *vcpu, struct kvm_x86_mce *mce);
/* Of msr.c's table: 0, or 1: #GP. */
int kvm_get_mce_bank(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host);
int kvm_set_mce_bank(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host);
int kvm_get_mcg_cap(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host);
int kvm_get_mcg_ctl(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host);
int kvm_set_mcg_ctl(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host);

/* ---- tsc.c ---- */

void kvm_tsc_vm_init(struct kvm *kvm);
int kvm_tsc_vcpu_create(struct kvm_vcpu *vcpu);
void kvm_tsc_vcpu_reset(struct kvm_vcpu *vcpu);
u64 kvm_guest_tsc_hz(struct kvm_vcpu *vcpu);
u64 kvm_read_l1_tsc(struct kvm_vcpu *vcpu, u64 host_tsc);
void kvm_synchronize_tsc(struct kvm_vcpu *vcpu, u64 tsc);
void kvm_write_tsc_as_guest(struct kvm_vcpu *vcpu, u64 tsc);
void kvm_write_tsc_adjust(struct kvm_vcpu *vcpu, u64 adjust, bool host_initiated);
int kvm_set_tsc_khz(struct kvm_vcpu *vcpu, u32 khz);
int kvm_vcpu_ioctl_device_attr(struct kvm_vcpu *vcpu, unsigned int ioctl,
			       const struct kvm_device_attr *attr);

/* ---- pvclock.c ---- */

/* What KVM_GET_CLOCK's flags may be, and KVM_CAP_ADJUST_CLOCK's value. */
#define KVM_PVCLOCK_FLAGS	(KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC)

void kvm_pvclock_init(void);
void kvm_pvclock_exit(void);
void kvm_pvclock_vm_init(struct kvm *kvm);
void kvm_pvclock_vcpu_load(struct kvm_vcpu *vcpu, int cpu);	/* preemption off */
void kvm_pvclock_check_master(struct kvm_vcpu *vcpu);		/* these serve requests */
void kvm_pvclock_update(struct kvm_vcpu *vcpu);
void kvm_pvclock_wait(struct kvm_vcpu *vcpu);
void kvm_set_system_time(struct kvm_vcpu *vcpu, u64 data);
void kvm_set_wall_clock(struct kvm_vcpu *vcpu, u64 data);
void kvm_vm_ioctl_get_clock(struct kvm *kvm, struct kvm_clock_data *data);
int kvm_vm_ioctl_set_clock(struct kvm *kvm, const struct kvm_clock_data *data);
int kvm_vcpu_ioctl_kvmclock_ctrl(struct kvm_vcpu *vcpu);
long kvm_pvclock_pairing(struct kvm_vcpu *vcpu, gpa_t gpa, unsigned long type);

/* ---- pv.c ---- */

u32 kvm_pv_supported_features(void);
void kvm_pv_cpuid_changed(struct kvm_vcpu *vcpu);
void kvm_pv_trim_cpuid(struct kvm_vcpu *vcpu, struct kvm_cpuid_entry2 *entries, u32 nent);
void kvm_steal_time_update(struct kvm_vcpu *vcpu);
void kvm_steal_time_load(struct kvm_vcpu *vcpu);	/* preemption off in both */
void kvm_steal_time_put(struct kvm_vcpu *vcpu);
void kvm_pv_eoi_offer(struct kvm_vcpu *vcpu);
void kvm_pv_eoi_take_back(struct kvm_vcpu *vcpu);
void kvm_pv_vcpu_reset(struct kvm_vcpu *vcpu);
/* Does the guest poll by itself before HLT? */
static inline bool kvm_arch_no_poll(struct kvm_vcpu *vcpu)
{
	return !(vcpu->arch.poll_control & 1);
}

/* async_pf.c */
int kvm_async_pf_init(void);
void kvm_async_pf_exit(void);
void kvm_async_pf_vcpu_create(struct kvm_vcpu *vcpu);
void kvm_async_pf_vcpu_destroy(struct kvm_vcpu *vcpu);
void kvm_async_pf_vcpu_reset(struct kvm_vcpu *vcpu);
int kvm_async_pf_set_en(struct kvm_vcpu *vcpu, u64 data);
int kvm_async_pf_set_int(struct kvm_vcpu *vcpu, u64 data);
void kvm_async_pf_ack(struct kvm_vcpu *vcpu, u64 data);
bool kvm_async_pf(struct kvm_vcpu *vcpu, gfn_t gfn, hva_t hva, bool write);
void kvm_async_pf_ready(struct kvm_vcpu *vcpu);
static inline bool kvm_apf_enabled(struct kvm_vcpu *vcpu)
{
	const u64 mode = KVM_ASYNC_PF_ENABLED | KVM_ASYNC_PF_DELIVERY_AS_INT;

	return unlikely((vcpu->arch.apf.msr_en & mode) == mode);
}

int kvm_vcpu_ioctl_enable_cap(struct kvm_vcpu *vcpu, const struct kvm_enable_cap *cap);
/* Of msr.c's table: 0, or 1: #GP. */
int kvm_get_pv_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data, bool host);
int kvm_set_pv_msr(struct kvm_vcpu *vcpu, u32 index, u64 data, bool host);
int kvm_emulate_hypercall(struct kvm_vcpu *vcpu);		/* 1/0 of the run loop */

/* ---- fpu.c ---- */

/* Fills kvm_host_xcr0 and kvm_caps.supported_xcr0 and _xss. */
void kvm_fpu_hardware_setup(void);
u32 kvm_xstate_size(u64 xfeatures, bool compacted);
int kvm_fpu_vcpu_create(struct kvm_vcpu *vcpu);
void kvm_fpu_vcpu_destroy(struct kvm_vcpu *vcpu);
void kvm_fpu_vcpu_reset(struct kvm_vcpu *vcpu);
void kvm_load_guest_fpu(struct kvm_vcpu *vcpu);
void kvm_put_guest_fpu(struct kvm_vcpu *vcpu);
void kvm_load_guest_xsave_state(struct kvm_vcpu *vcpu);	/* interrupts off */
void kvm_load_host_xsave_state(struct kvm_vcpu *vcpu);	/* interrupts off */
int kvm_vcpu_ioctl_get_fpu(struct kvm_vcpu *vcpu, struct kvm_fpu *fpu);
int kvm_vcpu_ioctl_set_fpu(struct kvm_vcpu *vcpu, const struct kvm_fpu *fpu);
void kvm_vcpu_ioctl_get_xsave(struct kvm_vcpu *vcpu, void *state, unsigned int size);
int kvm_vcpu_ioctl_set_xsave(struct kvm_vcpu *vcpu, const void *state);
unsigned int kvm_xsave2_size(void);
void kvm_vcpu_ioctl_get_xcrs(struct kvm_vcpu *vcpu, struct kvm_xcrs *xcrs);
int kvm_vcpu_ioctl_set_xcrs(struct kvm_vcpu *vcpu, const struct kvm_xcrs *xcrs);
int kvm_set_xcr(struct kvm_vcpu *vcpu, u32 index, u64 xcr);	/* 0, or 1: #GP */
int kvm_emulate_xsetbv(struct kvm_vcpu *vcpu);
void kvm_read_vector_reg(struct kvm_vcpu *vcpu, unsigned int nr, void *data, unsigned int size);
void kvm_write_vector_reg(struct kvm_vcpu *vcpu, unsigned int nr, const void *data,
			  unsigned int size);

/* ---- user_return.c: MSRs switched on the way to userspace ---- */

#define KVM_MAX_USER_RETURN_MSRS	8

void kvm_clear_user_return_msrs(void);
int kvm_add_user_return_msr(u32 msr);
void kvm_set_user_return_msrs(unsigned int first, const u64 *values, unsigned int n);
void kvm_drop_user_return_msrs(void);

/* ---- debug.c ---- */

#define KVM_GUESTDBG_VALID	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | \
				 KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_USE_HW_BP | \
				 KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP | \
				 KVM_GUESTDBG_BLOCKIRQ)

#define DR6_BD		BIT(13)	/* DR7.GD caught a MOV DR */
#define DR6_RTM		BIT(16)	/* inverted: 0 = in a transaction */
#define DR6_INIT	0xffff0ff0UL	/* after reset; what cannot be written reads so */
#define DR7_GD		BIT(13)

void kvm_debug_vcpu_reset(struct kvm_vcpu *vcpu);
void kvm_update_dr7(struct kvm_vcpu *vcpu);
/* MOV to or from DR exited; does all of it.  1/0: 0 = debug exit. */
int kvm_emulate_mov_dr(struct kvm_vcpu *vcpu, int dr, enum kvm_reg reg, bool from_dr);
/* The same where hardware does not tell the register. */
int kvm_emulate_undecoded_mov_dr(struct kvm_vcpu *vcpu, int dr);
bool kvm_dr_is_guarded(struct kvm_vcpu *vcpu);
unsigned long kvm_get_dr(struct kvm_vcpu *vcpu, int dr);
int kvm_set_dr(struct kvm_vcpu *vcpu, int dr, unsigned long val);	/* 0, or 1: #GP */
/* Puts a #DB's payload in DR6, when the exception is delivered. */
void kvm_deliver_db_payload(struct kvm_vcpu *vcpu, unsigned long payload);
unsigned long kvm_get_linear_rip(struct kvm_vcpu *vcpu);
void kvm_vcpu_ioctl_get_debugregs(struct kvm_vcpu *vcpu, struct kvm_debugregs *dbg);
int kvm_vcpu_ioctl_set_debugregs(struct kvm_vcpu *vcpu, const struct kvm_debugregs *dbg);
int kvm_vcpu_ioctl_set_guest_debug(struct kvm_vcpu *vcpu, const struct kvm_guest_debug *dbg);
void kvm_load_guest_debugregs(struct kvm_vcpu *vcpu);	/* interrupts off, before entry */
void kvm_restore_host_debugregs(struct kvm_vcpu *vcpu);	/* interrupts off, after exit */
int kvm_handle_debug_exit(struct kvm_vcpu *vcpu, unsigned long dr6, bool is_bp, u32 insn_len);
/* After an emulated instruction: is a step or breakpoint due?  1, or 0: debug exit. */
int kvm_debug_after_insn(struct kvm_vcpu *vcpu, unsigned long old_rflags);

/* ---- ud.c ---- */

#define KVM_VMCALL_BYTE		0xc1	/* VMCALL is 0F 01 C1, VMMCALL 0F 01 D9 */
#define KVM_VMMCALL_BYTE	0xd9

/* Does the VM want the other vendor's hypercall mended, and so #UD's exits? */
static inline bool kvm_fixes_hypercalls(struct kvm *kvm)
{
	return !(READ_ONCE(kvm->arch.disabled_quirks) & KVM_X86_QUIRK_FIX_HYPERCALL_INSN);
}

int kvm_handle_ud(struct kvm_vcpu *vcpu, u8 own);

/* ---- stats.c ---- */

void kvm_init_debug(void);
void kvm_exit_debug(void);
void kvm_create_vm_debugfs(struct kvm *kvm, int fd);
void kvm_destroy_vm_debugfs(struct kvm *kvm);
void kvm_stats_retire(struct kvm *kvm);	/* kvm_lock held */

/* ---- register access; at most one fetch from hardware for each exit ---- */

static inline bool kvm_register_is_available(struct kvm_vcpu *vcpu, enum kvm_reg reg)
{
	return vcpu->arch.regs_avail & BIT(reg);
}

static inline void kvm_register_mark_available(struct kvm_vcpu *vcpu, enum kvm_reg reg)
{
	vcpu->arch.regs_avail |= BIT(reg);
}

static inline void kvm_register_mark_dirty(struct kvm_vcpu *vcpu, enum kvm_reg reg)
{
	vcpu->arch.regs_avail |= BIT(reg);
	vcpu->arch.regs_dirty |= BIT(reg);
}

static inline void kvm_register_fetch(struct kvm_vcpu *vcpu, enum kvm_reg reg)
{
	if (!kvm_register_is_available(vcpu, reg))
		kvm_x86_ops.cache_reg(vcpu, reg);
}

/* All 64 bits, whatever mode the guest is in. */
static inline unsigned long kvm_register_read_raw(struct kvm_vcpu *vcpu, enum kvm_reg reg)
{
	kvm_register_fetch(vcpu, reg);
	return vcpu->arch.regs[reg];
}

static inline void kvm_register_write_raw(struct kvm_vcpu *vcpu, enum kvm_reg reg,
					  unsigned long val)
{
	vcpu->arch.regs[reg] = val;
	kvm_register_mark_dirty(vcpu, reg);
}

static inline unsigned long kvm_rip_read(struct kvm_vcpu *vcpu)
{
	return kvm_register_read_raw(vcpu, VCPU_REGS_RIP);
}

static inline void kvm_rip_write(struct kvm_vcpu *vcpu, unsigned long val)
{
	kvm_register_write_raw(vcpu, VCPU_REGS_RIP, val);
}

static inline unsigned long kvm_rsp_read(struct kvm_vcpu *vcpu)
{
	return kvm_register_read_raw(vcpu, VCPU_REGS_RSP);
}

static inline u32 kvm_eax_read(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.regs[VCPU_REGS_RAX];
}

static inline u32 kvm_ecx_read(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.regs[VCPU_REGS_RCX];
}

static inline u32 kvm_edx_read(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.regs[VCPU_REGS_RDX];
}

/* EDX:EAX, as RDMSR, WRMSR and XSETBV use them. */
static inline u64 kvm_edx_eax_read(struct kvm_vcpu *vcpu)
{
	return kvm_eax_read(vcpu) | (u64)kvm_edx_read(vcpu) << 32;
}

static inline void kvm_edx_eax_write(struct kvm_vcpu *vcpu, u64 val)
{
	vcpu->arch.regs[VCPU_REGS_RAX] = (u32)val;
	vcpu->arch.regs[VCPU_REGS_RDX] = val >> 32;
}

/* As hardware has them. */
static inline unsigned long kvm_get_rflags_raw(struct kvm_vcpu *vcpu)
{
	kvm_register_fetch(vcpu, VCPU_EXREG_RFLAGS);
	return vcpu->arch.rflags;
}

/* As the guest has them: see cr.c for the debugger's TF. */
unsigned long kvm_get_rflags(struct kvm_vcpu *vcpu);
void kvm_set_rflags(struct kvm_vcpu *vcpu, unsigned long rflags);

static inline unsigned long kvm_read_cr0(struct kvm_vcpu *vcpu)
{
	kvm_register_fetch(vcpu, VCPU_EXREG_CR0);
	return vcpu->arch.cr0;
}

static inline unsigned long kvm_read_cr3(struct kvm_vcpu *vcpu)
{
	kvm_register_fetch(vcpu, VCPU_EXREG_CR3);
	return vcpu->arch.cr3;
}

static inline unsigned long kvm_read_cr4(struct kvm_vcpu *vcpu)
{
	kvm_register_fetch(vcpu, VCPU_EXREG_CR4);
	return vcpu->arch.cr4;
}

/* One bit of CR0 or CR4, without a fetch if the guest cannot change it by itself. */
static inline bool kvm_read_cr0_bits(struct kvm_vcpu *vcpu, unsigned long mask)
{
	if (mask & vcpu->arch.cr0_guest_owned_bits)
		kvm_register_fetch(vcpu, VCPU_EXREG_CR0);
	return vcpu->arch.cr0 & mask;
}

static inline bool kvm_read_cr4_bits(struct kvm_vcpu *vcpu, unsigned long mask)
{
	if (mask & vcpu->arch.cr4_guest_owned_bits)
		kvm_register_fetch(vcpu, VCPU_EXREG_CR4);
	return vcpu->arch.cr4 & mask;
}

static inline bool is_protmode(struct kvm_vcpu *vcpu)
{
	return kvm_read_cr0_bits(vcpu, X86_CR0_PE);
}

static inline bool is_paging(struct kvm_vcpu *vcpu)
{
	return kvm_read_cr0_bits(vcpu, X86_CR0_PG);
}

static inline bool is_long_mode(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.efer & EFER_LMA;
}

static inline bool is_pae_paging(struct kvm_vcpu *vcpu)
{
	return !is_long_mode(vcpu) && is_paging(vcpu) && kvm_read_cr4_bits(vcpu, X86_CR4_PAE);
}

static inline bool is_64_bit_mode(struct kvm_vcpu *vcpu)
{
	return is_long_mode(vcpu) && kvm_x86_ops.get_cs_l(vcpu);
}

/* A general register as the current mode has it: 32 bits outside 64-bit mode. */
static inline unsigned long kvm_register_read(struct kvm_vcpu *vcpu, enum kvm_reg reg)
{
	unsigned long val = kvm_register_read_raw(vcpu, reg);

	return is_64_bit_mode(vcpu) ? val : (u32)val;
}

static inline void kvm_register_write(struct kvm_vcpu *vcpu, enum kvm_reg reg,
				      unsigned long val)
{
	kvm_register_write_raw(vcpu, reg, is_64_bit_mode(vcpu) ? val : (u32)val);
}

static inline bool is_noncanonical_address(u64 addr, struct kvm_vcpu *vcpu)
{
	u8 bits = kvm_read_cr4_bits(vcpu, X86_CR4_LA57) ? 57 : 48;

	return (u64)((s64)(addr << (64 - bits)) >> (64 - bits)) != addr;
}

static inline bool kvm_event_needs_reinjection(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.exception.injected || vcpu->arch.interrupt.injected ||
	       vcpu->arch.nmi_injected;
}

#endif
