// SPDX-License-Identifier: GPL-2.0
/*
 * async_pf.c - asynchronous page faults: the guest runs on while the host fetches a page
 *
 * The host has swapped a page out, or its VMM brings it over a network by and by.  The
 * guest touches it, and the vCPU would sleep till it is there.  A guest that has asked for
 * it is told instead, and runs another of its threads:
 *
 *	guest			vCPU's thread			worker
 *	touches the page	kvm_mmu_page_fault()
 *				kvm_async_pf(): it is slow	get_user_pages...()
 *	#PF, CR2 = token	flags = PAGE_NOT_PRESENT		.
 *	the thread waits,				.
 *	another runs						.
 *				KVM_REQ_APF_READY	<--	there it is
 *	interrupt		kvm_async_pf_ready(): token
 *	the thread runs on
 *	MSR_KVM_ASYNC_PF_ACK	the next token
 *
 * flags and token are words of a struct kvm_vcpu_pv_apf_data in the guest's memory, one
 * for each vCPU; MSR_KVM_ASYNC_PF_EN says where, MSR_KVM_ASYNC_PF_INT which vector.  A
 * token is the guest's when it has found it, and ours again when it has acknowledged it.
 *
 * Only a guest that could take an interrupt can switch threads: otherwise the vCPU waits
 * after all.  So it does if the guest touches the page once more (whoever it is, it has
 * not understood), or has APF_MAX pages under way.
 *
 * Nobody can say which faults of a guest that was saved are still unanswered where it is
 * restored.  Hence each write of MSR_KVM_ASYNC_PF_EN forgets them all, and if it enables
 * it, the first token is ~0: whoever waits shall try again.
 *
 * Locks and lifetimes.  A worker may sleep for as long as the page takes, longer than its
 * vCPU lives.  It needs the VMM's mm, which it holds, and not the vCPU: apf->vcpu is NULL
 * when that has lost interest, and apf_lock keeps it there while it is used.  The
 * workqueue outlives all VMs, and the module waits for it.  All else is the vCPU's.
 *
 * Left out: that the vCPU halts, instead of sleeping, where the guest cannot be told; to
 * tell a nested hypervisor by an exit; to map the page before the guest asks again.
 */
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include "irq.h"
#include "kvm_host.h"

#define APF_MAX		64	/* pages a vCPU may wait for */
#define APF_RESERVED	0x30
#define APF_WAKE_ALL	(~0u)

/**
 * struct async_pf - a page that a vCPU waits for
 * @work:	runs apf_work()
 * @link:	in vcpu->arch.apf.pages					(apf_lock)
 * @vcpu:	which one; NULL: none any more				(apf_lock)
 * @done:	the page was there					(apf_lock)
 * @mm:		the VMM's, held
 * @hva:	its address in there
 * @gfn:	and in the guest
 * @write:	the guest wants to write
 * @token:	what the guest knows it by
 */
struct async_pf {
	struct work_struct work;
	struct list_head link;
	struct kvm_vcpu *vcpu;
	bool done;
	struct mm_struct *mm;
	hva_t hva;
	gfn_t gfn;
	bool write;
	u32 token;
};

static DEFINE_SPINLOCK(apf_lock);
static struct workqueue_struct *apf_wq;

/**
 * kvm_async_pf_init() - once, before the first VM
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_async_pf_init(void)
{
	apf_wq = alloc_workqueue("minikvm-async-pf", WQ_UNBOUND, 0);
	return apf_wq ? 0 : -ENOMEM;
}

/**
 * kvm_async_pf_exit() - the mirror image of kvm_async_pf_init()
 *
 * Waits for the pages that are still under way.
 */
void kvm_async_pf_exit(void)
{
	destroy_workqueue(apf_wq);
}

/* ---- the page ---- */

static long get_page_at(hva_t hva, bool write, unsigned int flags)
{
	struct page *page;
	long n = get_user_pages_unlocked(hva, 1, &page, MINIKVM_FOLL_FLAGS | flags |
					 (write ? FOLL_WRITE : 0));

	if (n == 1)
		put_page(page);
	return n;
}

/* Whatever comes of it, the guest tries again, and learns of errors then. */
static void apf_work(struct work_struct *work)
{
	struct async_pf *apf = container_of(work, struct async_pf, work);
	bool wanted;

	kthread_use_mm(apf->mm);
	get_page_at(apf->hva, apf->write, 0);
	kthread_unuse_mm(apf->mm);
	mmput(apf->mm);

	spin_lock(&apf_lock);
	wanted = apf->vcpu;
	if (wanted) {
		apf->done = true;
		kvm_make_request(KVM_REQ_APF_READY, apf->vcpu);
		kvm_vcpu_kick(apf->vcpu);
	}
	spin_unlock(&apf_lock);
	if (!wanted)
		kfree(apf);
}

/* ---- "not present" ---- */

/* Can this guest, where it is now, be told to do something else? */
static bool apf_can_deliver(struct kvm_vcpu *vcpu)
{
	if (!(vcpu->arch.apf.msr_en & KVM_ASYNC_PF_SEND_ALWAYS) &&
	    kvm_x86_ops.get_cpl(vcpu) == 0)
		return false;
	return lapic_in_kernel(vcpu) && !vcpu->arch.exception.pending &&
	       !kvm_event_needs_reinjection(vcpu) &&
	       kvm_x86_ops.event_allowed(vcpu, KVM_EVENT_IRQ);
}

static gpa_t apf_gpa(struct kvm_vcpu *vcpu, unsigned int offset)
{
	return (vcpu->arch.apf.msr_en & ~63ULL) + offset;
}

/* Only this thread adds to the list and takes from it. */
static bool apf_waits_for(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	struct async_pf *apf;

	list_for_each_entry(apf, &vcpu->arch.apf.pages, link) {
		if (apf->gfn == gfn)
			return true;
	}
	return false;
}

/* Unique among those under way, in this VM; not 0, which is "none", nor ~0. */
static u32 apf_new_token(struct kvm_vcpu *vcpu)
{
	u32 id = ++vcpu->arch.apf.last_id & 0xfffff;

	if (!id || id == 0xfffff) {
		vcpu->arch.apf.last_id = 1;
		id = 1;
	}
	return id << 12 | vcpu->vcpu_id;
}

static struct async_pf *apf_alloc(struct kvm_vcpu *vcpu, gfn_t gfn, hva_t hva, bool write)
{
	struct async_pf *apf = kzalloc(sizeof(*apf), GFP_KERNEL_ACCOUNT);

	if (!apf)
		return NULL;
	INIT_WORK(&apf->work, apf_work);
	apf->vcpu = vcpu;
	apf->mm = current->mm;
	apf->hva = hva;
	apf->gfn = gfn;
	apf->write = write;
	apf->token = apf_new_token(vcpu);
	return apf;
}

/**
 * kvm_async_pf() - the guest faulted: does its page take time, and can it be told?
 * @vcpu: loaded vCPU, kvm_apf_enabled(); kvm->srcu held, may sleep
 * @gfn: where
 * @hva: the same, in the VMM
 * @write: the access was a write
 *
 * Return: true: the guest gets a #PF, and the page is on its way; false: get it.
 */
bool kvm_async_pf(struct kvm_vcpu *vcpu, gfn_t gfn, hva_t hva, bool write)
{
	gpa_t flags = apf_gpa(vcpu, offsetof(struct kvm_vcpu_pv_apf_data, flags));
	struct async_pf *apf;

	static_assert(KVM_MAX_VCPU_IDS <= 1 << 12);	/* see apf_new_token() */
	if (!apf_can_deliver(vcpu) || vcpu->arch.apf.nr >= APF_MAX || apf_waits_for(vcpu, gfn))
		return false;
	/* 0: it would have to sleep.  1, or an error: no reason to wait for it. */
	if (get_page_at(hva, write, FOLL_NOWAIT))
		return false;
	apf = apf_alloc(vcpu, gfn, hva, write);
	if (!apf)
		return false;
	if (kvm_put_guest_u32(vcpu->kvm, flags, KVM_PV_REASON_PAGE_NOT_PRESENT)) {
		kfree(apf);
		return false;
	}
	mmget(apf->mm);
	list_add_tail(&apf->link, &vcpu->arch.apf.pages);
	vcpu->arch.apf.nr++;
	queue_work(apf_wq, &apf->work);
	kvm_inject_x86_exception(vcpu, &(struct x86_exception){
		.vector = X86_TRAP_PF, .has_error_code = true, .address = apf->token,
	});
	return true;
}

/* ---- "ready" ---- */

/* The first page that has come, 0: none has. */
static u32 apf_take_done(struct kvm_vcpu *vcpu)
{
	struct async_pf *apf, *found = NULL;
	u32 token = 0;

	spin_lock(&apf_lock);
	list_for_each_entry(apf, &vcpu->arch.apf.pages, link) {
		if (apf->done) {
			found = apf;
			break;
		}
	}
	spin_unlock(&apf_lock);
	if (found) {
		list_del(&found->link);
		vcpu->arch.apf.nr--;
		token = found->token;
		kfree(found);
	}
	return token;
}

/**
 * kvm_async_pf_ready() - tell the guest of a page that has come: KVM_REQ_APF_READY
 * @vcpu: loaded vCPU; kvm->srcu held, may sleep
 *
 * One at a time: the next is told when the guest has acknowledged this.
 */
void kvm_async_pf_ready(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic_irq irq = {
		.vector = vcpu->arch.apf.vector, .delivery_mode = APIC_DM_FIXED, .level = true,
	};
	gpa_t gpa = apf_gpa(vcpu, offsetof(struct kvm_vcpu_pv_apf_data, token));
	u32 token;

	if (!kvm_apf_enabled(vcpu) || vcpu->arch.apf.ready_pending ||
	    !kvm_apic_sw_enabled(vcpu))
		return;
	/* Not read yet: that of the host from which the guest was moved. */
	if (kvm_read_guest(vcpu->kvm, gpa, &token, sizeof(token)) || token)
		return;
	token = vcpu->arch.apf.wake_all ? APF_WAKE_ALL : apf_take_done(vcpu);
	vcpu->arch.apf.wake_all = false;
	if (!token || kvm_put_guest_u32(vcpu->kvm, gpa, token))
		return;
	vcpu->arch.apf.ready_pending = true;
	kvm_apic_set_irq(vcpu, &irq);
}

/* ---- MSRs ---- */

/* The pages come, but nobody is told any more. */
static void apf_forget_all(struct kvm_vcpu *vcpu)
{
	struct async_pf *apf, *next;

	spin_lock(&apf_lock);
	list_for_each_entry_safe(apf, next, &vcpu->arch.apf.pages, link) {
		list_del(&apf->link);
		if (apf->done)
			kfree(apf);
		else
			apf->vcpu = NULL;	/* the worker frees it */
	}
	spin_unlock(&apf_lock);
	vcpu->arch.apf.nr = 0;
	vcpu->arch.apf.wake_all = false;
}

/**
 * kvm_async_pf_set_en() - MSR_KVM_ASYNC_PF_EN is written
 * @vcpu: loaded vCPU; kvm->srcu held
 * @data: its value
 *
 * Return: 0, or 1: #GP.
 */
int kvm_async_pf_set_en(struct kvm_vcpu *vcpu, u64 data)
{
	u8 area[sizeof(u64)];

	/* There is no nested guest that an exit could tell. */
	if (data & (APF_RESERVED | KVM_ASYNC_PF_DELIVERY_AS_PF_VMEXIT))
		return 1;
	if (!lapic_in_kernel(vcpu))
		return data != 0;
	if (data & KVM_ASYNC_PF_ENABLED &&
	    kvm_read_guest(vcpu->kvm, data & ~63ULL, area, sizeof(area)))
		return 1;
	apf_forget_all(vcpu);
	vcpu->arch.apf.msr_en = data;
	if (kvm_apf_enabled(vcpu)) {
		vcpu->arch.apf.wake_all = true;
		kvm_make_request(KVM_REQ_APF_READY, vcpu);
	}
	return 0;
}

/**
 * kvm_async_pf_set_int() - MSR_KVM_ASYNC_PF_INT is written
 * @vcpu: loaded vCPU
 * @data: its value: the vector
 *
 * Return: 0, or 1: #GP.
 */
int kvm_async_pf_set_int(struct kvm_vcpu *vcpu, u64 data)
{
	if (data > 0xff)
		return 1;
	/* What was read is to be written back when a VM without local APICs is restored. */
	if (!lapic_in_kernel(vcpu))
		return data != 0;
	vcpu->arch.apf.vector = data;
	return 0;
}

/**
 * kvm_async_pf_ack() - MSR_KVM_ASYNC_PF_ACK is written: the token has been read
 * @vcpu: loaded vCPU
 * @data: bit 0 says so
 */
void kvm_async_pf_ack(struct kvm_vcpu *vcpu, u64 data)
{
	if (!(data & 1))
		return;
	vcpu->arch.apf.ready_pending = false;
	kvm_make_request(KVM_REQ_APF_READY, vcpu);
}

/* ---- set-up and teardown ---- */

void kvm_async_pf_vcpu_create(struct kvm_vcpu *vcpu)
{
	INIT_LIST_HEAD(&vcpu->arch.apf.pages);
}

void kvm_async_pf_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	apf_forget_all(vcpu);
}

/**
 * kvm_async_pf_vcpu_reset() - RESET and INIT
 * @vcpu: the vCPU
 */
void kvm_async_pf_vcpu_reset(struct kvm_vcpu *vcpu)
{
	apf_forget_all(vcpu);
	vcpu->arch.apf.msr_en = 0;
	vcpu->arch.apf.vector = 0;
	vcpu->arch.apf.ready_pending = false;
}
