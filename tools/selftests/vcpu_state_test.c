// SPDX-License-Identifier: GPL-2.0
/*
 * vcpu_state_test - what a VMM reads from a vCPU and writes to it
 *
 * Guards: reset values; what is set is what is read back and what the guest
 * sees; a value that is refused changes nothing; a whole vCPU can be carried to
 * another VM in the middle of its work.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

FIXTURE(state) {
	struct vm *vm;
	struct vcpu *vcpu;
};

ASM_GUEST(idle, "1: hlt; jmp 1b\n");

FIXTURE_SETUP(state)
{
	self->vcpu = vm_long(idle);
	self->vm = self->vcpu->vm;
}

FIXTURE_TEARDOWN(state)
{
	vm_free(self->vm);
}

/* ------------------------------------------------------------------- reset */

TEST(reset_state)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = vcpu_bare(vm, 0), *ap = vcpu_bare(vm, 1);
	struct kvm_debugregs d;
	struct kvm_mp_state mp;
	struct kvm_sregs s;
	struct kvm_regs r;

	vcpu_regs(vcpu, &r);
	vcpu_sregs(vcpu, &s);
	EXPECT_EQ(0xfff0, r.rip);
	EXPECT_EQ(2, r.rflags);
	EXPECT_EQ(0x600, r.rdx & 0xf00);
	EXPECT_EQ(0, r.rax | r.rbx | r.rcx | r.rsp | r.rbp | r.rsi | r.rdi | r.r15);
	EXPECT_EQ(0xf000, s.cs.selector);
	EXPECT_EQ(0xffff0000, s.cs.base);
	EXPECT_EQ(0xffff, s.cs.limit);
	/* SVM has no rules for "accessed" and the TSS' size: APM 2, table 14-2. */
	EXPECT_EQ(0xb, s.cs.type | host_is_amd());
	EXPECT_EQ(0, s.ds.selector);
	EXPECT_EQ(0, s.ds.base);
	EXPECT_EQ(3, s.ss.type | host_is_amd());
	EXPECT_EQ(0xb, s.tr.type | (host_is_amd() ? 8 : 0));
	EXPECT_EQ(0xffff, s.gdt.limit);
	EXPECT_EQ(0xffff, s.idt.limit);
	EXPECT_EQ(0x60000010, s.cr0);
	EXPECT_EQ(0, s.cr2 | s.cr3 | s.cr4 | s.cr8 | s.efer);
	EXPECT_EQ(0xfee00900, s.apic_base);
	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_GET_DEBUGREGS, &d));
	EXPECT_EQ(0xffff0ff0, d.dr6);
	EXPECT_EQ(0x400, d.dr7);
	EXPECT_EQ(0, d.db[0] | d.db[1] | d.db[2] | d.db[3]);
	ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp.mp_state);
	vcpu_sregs(ap, &s);
	EXPECT_EQ(0xfee00800, s.apic_base);	/* no boot processor */
	vm_free(vm);
}

/* -------------------------------------------------------------- round trips */

TEST_F(state, regs)
{
	struct kvm_regs r, q;
	u64 *p = (u64 *)&r;

	for (int i = 0; i < 18; i++)
		p[i] = 0x0123456789abcdefULL * (i + 1);
	r.rflags = 0x246;
	vcpu_set_regs(self->vcpu, &r);
	vcpu_regs(self->vcpu, &q);
	EXPECT_EQ(0, memcmp(&r, &q, sizeof(r)));
	/* Bit 1 of RFLAGS is always 1. */
	r.rflags = 0;
	vcpu_set_regs(self->vcpu, &r);
	vcpu_regs(self->vcpu, &q);
	EXPECT_EQ(2, q.rflags);
}

ASM_GUEST(all_regs,
	  "add $1, %rax; add $1, %rbx; add $1, %rcx; add $1, %rdx; add $1, %rsi\n"
	  "add $1, %rdi; add $1, %rsp; add $1, %rbp; add $1, %r8; add $1, %r9\n"
	  "add $1, %r10; add $1, %r11; add $1, %r12; add $1, %r13; add $1, %r14\n"
	  "add $1, %r15; hlt\n");

/* Every register reaches the guest, and the guest's value comes back. */
TEST_F(state, regs_in_guest)
{
	struct kvm_regs r = { .rip = (u64)all_regs, .rflags = 2 }, q;
	u64 *p = (u64 *)&r, *g = (u64 *)&q;

	for (int i = 0; i < 16; i++)
		p[i] = 0x1000000000000000ULL + i * 0x1111;
	vcpu_set_regs(self->vcpu, &r);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	vcpu_regs(self->vcpu, &q);
	for (int i = 0; i < 16; i++) {
		EXPECT_EQ(p[i] + 1, g[i])
			TH_LOG("register %d of struct kvm_regs", i);
	}
}

TEST_F(state, sregs)
{
	struct kvm_sregs s, q;

	vcpu_sregs(self->vcpu, &s);
	s.fs.base = 0x1234567890;
	s.gs.base = 0xffff800000001000;
	s.ds.limit = 0xfffff;
	s.ds.g = 0;
	s.ds.avl = 1;
	s.cr2 = 0xabcdef012345;
	s.cr8 = 9;
	s.idt.base = 0x5000;
	s.idt.limit = 0x123;
	s.es.unusable = 1;
	s.es.present = 0;
	ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
	vcpu_sregs(self->vcpu, &q);
	EXPECT_EQ(s.fs.base, q.fs.base);
	EXPECT_EQ(s.gs.base, q.gs.base);
	EXPECT_EQ(0xfffff, q.ds.limit);
	EXPECT_EQ(0, q.ds.g);
	EXPECT_EQ(1, q.ds.avl);
	EXPECT_EQ(s.cr2, q.cr2);
	EXPECT_EQ(9, q.cr8);
	EXPECT_EQ(0x5000, q.idt.base);
	EXPECT_EQ(0x123, q.idt.limit);
	EXPECT_EQ(1, q.es.unusable);
	EXPECT_EQ(s.cr0, q.cr0);
	EXPECT_EQ(s.cr3, q.cr3);
	EXPECT_EQ(s.cr4, q.cr4);
	EXPECT_EQ(s.efer, q.efer);
	EXPECT_EQ(0, memcmp(&s.cs, &q.cs, sizeof(s.cs)));
	EXPECT_EQ(0, memcmp(&s.tr, &q.tr, sizeof(s.tr)));
}

/* An interrupt in the bitmap is one that waits to be injected. */
TEST_F(state, sregs_interrupt_bitmap)
{
	struct kvm_sregs s;
	struct kvm_vcpu_events ev;

	vcpu_sregs(self->vcpu, &s);
	EXPECT_EQ(0, s.interrupt_bitmap[0] | s.interrupt_bitmap[1]);
	s.interrupt_bitmap[0x51 / 64] |= 1ULL << (0x51 % 64);
	ASSERT_EQ(0, vcpu_set_sregs(self->vcpu, &s));
	vcpu_sregs(self->vcpu, &s);
	EXPECT_EQ(1ULL << (0x51 % 64), s.interrupt_bitmap[0x51 / 64]);
	vcpu_events(self->vcpu, &ev);
	EXPECT_EQ(1, ev.interrupt.injected);
	EXPECT_EQ(0x51, ev.interrupt.nr);
}

#define SPOIL(name, what)	static void name(struct kvm_sregs *s) { what; }
SPOIL(lme_no_lma, s->efer &= ~0x400ULL)
SPOIL(lma_no_lme, s->efer &= ~0x100ULL)
SPOIL(no_pae, s->cr4 &= ~0x20ULL)
SPOIL(cr3_high, s->cr3 |= 1ULL << 60)
SPOIL(cr4_bit31, s->cr4 |= 1ULL << 31)
SPOIL(cr4_bit15, s->cr4 |= 1ULL << 15)
SPOIL(cr4_high, s->cr4 |= 1ULL << 40)
SPOIL(csl_no_lma, s->efer = 0; s->cr0 &= ~0x80000000ULL)
SPOIL(apic_low, s->apic_base |= 0x20)
SPOIL(apic_high, s->apic_base |= 1ULL << 60)
SPOIL(apic_x2_only, s->apic_base = 0xfee00500)
SPOIL(cr0_pg_no_pe, s->cr0 &= ~1ULL)
SPOIL(cr0_nw, s->cr0 |= 0x20000000; s->cr0 &= ~0x40000000ULL)
SPOIL(cr0_high, s->cr0 |= 1ULL << 32)

static const struct {
	const char *name;
	void (*spoil)(struct kvm_sregs *s);
} bad_sregs[] = {
	{ "LME and PG without LMA", lme_no_lma }, { "LMA without LME", lma_no_lme },
	{ "LME and PG without PAE", no_pae }, { "CR3 beyond MAXPHYADDR", cr3_high },
	{ "CR4 bit 31", cr4_bit31 }, { "CR4 bit 15", cr4_bit15 },
	{ "CR4 bit 40", cr4_high }, { "CS.L without LMA", csl_no_lma },
	{ "APIC_BASE bit 5", apic_low }, { "APIC_BASE bit 60", apic_high },
	{ "x2APIC without enable", apic_x2_only },
	{ "CR0.PG without PE", cr0_pg_no_pe }, { "CR0.NW without CD", cr0_nw },
	{ "CR0 bit 32", cr0_high },
};

TEST_F(state, sregs_refused)
{
	struct kvm_sregs before, bad, after;

	vcpu_sregs(self->vcpu, &before);
	for (size_t i = 0; i < ARRAY_SIZE(bad_sregs); i++) {
		bad = before;
		bad.cr2 = 0x5555;
		bad.fs.base = 0x6666;
		bad_sregs[i].spoil(&bad);
		EXPECT_EQ(-EINVAL, vcpu_set_sregs(self->vcpu, &bad))
			TH_LOG("%s", bad_sregs[i].name);
		vcpu_sregs(self->vcpu, &after);
		EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)))
			TH_LOG("%s: something changed", bad_sregs[i].name);
	}
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
}

TEST_F(state, sregs2)
{
	struct kvm_sregs2 s, q;
	struct kvm_sregs old;

	if (!dev_cap(KVM_CAP_SREGS2))
		SKIP(return, "KVM_CAP_SREGS2 is 0");
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_SREGS2, &s));
	vcpu_sregs(self->vcpu, &old);
	EXPECT_EQ(old.cr3, s.cr3);
	EXPECT_EQ(old.apic_base, s.apic_base);
	EXPECT_EQ(0, memcmp(&old.cs, &s.cs, sizeof(s.cs)));
	EXPECT_EQ(0, s.flags);			/* no PDPTRs in long mode */
	s.cr2 = 0x4242;
	EXPECT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_SREGS2, &s));
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_SREGS2, &q));
	EXPECT_EQ(0x4242, q.cr2);
	q.flags = 2;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_SREGS2, &q));
	q.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_SREGS2, &q));
	EXPECT_EQ(-EFAULT, kioctlp(self->vcpu->fd, KVM_SET_SREGS2, 8));
}

ASM_GUEST_BITS(pae_read, 32, "mov 0x300000, %ebx; hlt\n");

/*
 * PAE with the PDPTEs given by the VMM.  With VMX they count, not what memory
 * holds.  With SVM and nested paging the CPU reads memory (APM 2, 15.25.10).
 */
TEST_F(state, sregs2_pdptrs)
{
	struct kvm_sregs2 s, q;
	struct kvm_regs r;
	u64 *pdpt = vm_ptr(self->vm, 0x110000);

	if (!dev_cap(KVM_CAP_SREGS2))
		SKIP(return, "KVM_CAP_SREGS2 is 0");
	vm_load(self->vm, GPA_CODE, pae_read, pae_read_end);
	vcpu_prot32(self->vcpu, GPA_CODE);
	*(u32 *)vm_ptr(self->vm, 0x300000) = 0x51515151;
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_SREGS2, &s));
	s.cr0 |= 0x80000000;
	s.cr4 |= 0x20;
	s.cr3 = 0x110000;			/* zeros: no PDPTE present... */
	for (u64 i = 0; host_is_amd() && i < 4; i++)
		pdpt[i] = (GPA_PD + i * PAGE_SIZE) | 1;	/* ...but where they count */
	s.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	for (u64 i = 0; i < 4; i++)
		s.pdptrs[i] = (GPA_PD + i * PAGE_SIZE) | 1;
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_SREGS2, &s));
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_SREGS2, &q));
	EXPECT_EQ(KVM_SREGS2_FLAGS_PDPTRS_VALID, q.flags);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(s.pdptrs[i], q.pdptrs[i]);
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	vcpu_regs(self->vcpu, &r);
	EXPECT_EQ(0x51515151, r.rbx);
}

TEST_F(state, debugregs)
{
	struct kvm_debugregs d = {
		.db = { 0x1000, 0x2000, 0xffff800000003000, 0x4000 },
		.dr6 = 0xffff0ff1, .dr7 = 0x455,
	}, q;

	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_DEBUGREGS, &d));
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_DEBUGREGS, &q));
	EXPECT_EQ(0, memcmp(&d, &q, sizeof(d)));
	q.flags = 1;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_DEBUGREGS, &q));
	q = d;
	q.db[0] = 0x9999;
	q.dr6 = 1ULL << 32;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_DEBUGREGS, &q));
	q.dr6 = d.dr6;
	q.dr7 = 1ULL << 32;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_DEBUGREGS, &q));
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_DEBUGREGS, &q));
	EXPECT_EQ(0, memcmp(&d, &q, sizeof(d)));
}

TEST_F(state, mp_state)
{
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };

	EXPECT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_MP_STATE, &mp));
	mp.mp_state = 77;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_MP_STATE, &mp));
	/* Without an irqchip nothing could wake it. */
	mp.mp_state = KVM_MP_STATE_UNINITIALIZED;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_MP_STATE, &mp));
	mp.mp_state = KVM_MP_STATE_HALTED;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_MP_STATE, &mp));
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp.mp_state);
}

/* ------------------------------------------------------------- vCPU events */

TEST_F(state, events)
{
	/* SVM has one bit for both kinds (APM 2, 15.21.5), so both are told. */
	u8 shadow = KVM_X86_SHADOW_INT_MOV_SS | (host_is_amd() ? KVM_X86_SHADOW_INT_STI : 0);
	struct kvm_vcpu_events ev, q;

	vcpu_events(self->vcpu, &ev);
	EXPECT_EQ(0, ev.exception.injected | ev.exception.pending | ev.interrupt.injected |
		  ev.nmi.injected | ev.nmi.pending | ev.nmi.masked | ev.interrupt.shadow);
	EXPECT_EQ(KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW,
		  ev.flags & (KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW));
	for (size_t i = 0; i < sizeof(ev.reserved); i++)
		EXPECT_EQ(0, ev.reserved[i]);
	ev.nmi.masked = 1;
	ev.nmi.pending = 1;
	ev.interrupt.shadow = KVM_X86_SHADOW_INT_MOV_SS;
	ev.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	ASSERT_EQ(0, vcpu_set_events(self->vcpu, &ev));
	vcpu_events(self->vcpu, &q);
	EXPECT_EQ(1, q.nmi.masked);
	EXPECT_EQ(1, q.nmi.pending);
	EXPECT_EQ(shadow, q.interrupt.shadow);
	/* Without their flag, pending NMI and shadow stay as they are. */
	ev.nmi.pending = 0;
	ev.interrupt.shadow = 0;
	ev.flags = 0;
	ASSERT_EQ(0, vcpu_set_events(self->vcpu, &ev));
	vcpu_events(self->vcpu, &q);
	EXPECT_EQ(1, q.nmi.pending);
	EXPECT_EQ(shadow, q.interrupt.shadow);
}

TEST_F(state, events_refused)
{
	static const struct {
		const char *what;
		u32 flags;
		u8 injected, nr;
	} bad[] = {
		{ "unknown flag", 0x40000000, 0, 0 },
		{ "payload without its capability", KVM_VCPUEVENT_VALID_PAYLOAD, 0, 0 },
		{ "triple fault without its capability", KVM_VCPUEVENT_VALID_TRIPLE_FAULT, 0, 0 },
		{ "exception 32", 0, 1, 32 },
		{ "exception 255", 0, 1, 255 },
		{ "NMI as an exception", 0, 1, 2 },
	};
	struct kvm_vcpu_events before, ev, after;

	vcpu_events(self->vcpu, &before);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ev = before;
		ev.flags = bad[i].flags;
		ev.exception.injected = bad[i].injected;
		ev.exception.nr = bad[i].nr;
		ev.nmi.masked = 1;
		EXPECT_EQ(-EINVAL, vcpu_set_events(self->vcpu, &ev))
			TH_LOG("%s", bad[i].what);
		/* The stock module applies some before it finds the fault. */
		if (dev_is_stock())
			continue;
		vcpu_events(self->vcpu, &after);
		EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)))
			TH_LOG("%s: something changed", bad[i].what);
	}
}

/* --------------------------------------------------------------- FPU, XCRS */

TEST_F(state, fpu)
{
	struct kvm_fpu f = { 0 }, q;

	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_FPU, &f));
	EXPECT_TRUE(f.fcw == 0x37f || f.fcw == 0x40);
	EXPECT_EQ(0, f.ftwx);
	f.fcw = 0x27f;
	f.fsw = 0x3800;
	f.ftwx = 0x81;
	f.last_opcode = 0x123;
	for (int i = 0; i < 8; i++)
		memset(f.fpr[i], 0x10 + i, 10);
	for (int i = 0; i < 16; i++)
		memset(f.xmm[i], 0x40 + i, 16);
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_FPU, &f));
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_FPU, &q));
	EXPECT_EQ(f.fcw, q.fcw);
	EXPECT_EQ(f.fsw, q.fsw);
	EXPECT_EQ(f.ftwx, q.ftwx);
	EXPECT_EQ(0, memcmp(f.fpr, q.fpr, sizeof(f.fpr)));
	EXPECT_EQ(0, memcmp(f.xmm, q.xmm, sizeof(f.xmm)));
}

TEST_F(state, xcrs)
{
	struct kvm_xcrs x, q;

	if (!dev_cap(KVM_CAP_XCRS) || !cpuid_has(1, 0, 'c', 26))
		SKIP(return, "no XSAVE");
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_XCRS, &x));
	EXPECT_EQ(1, x.nr_xcrs);
	EXPECT_EQ(0, x.xcrs[0].xcr);
	EXPECT_EQ(1, x.xcrs[0].value);
	x.xcrs[0].value = 3;
	EXPECT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_XCRS, &x));
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_XCRS, &q));
	EXPECT_EQ(3, q.xcrs[0].value);
	static const u64 bad[] = { 0, 2, 5, 1ULL << 63, 0x8001 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		x.xcrs[0].value = bad[i];
		EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_XCRS, &x))
			TH_LOG("XCR0 %#lx", bad[i]);
	}
	x.xcrs[0].value = 1;
	x.nr_xcrs = 17;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_XCRS, &x));
	x.nr_xcrs = 1;
	x.flags = 1;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_XCRS, &x));
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_XCRS, &q));
	EXPECT_EQ(3, q.xcrs[0].value);
}

/* ------------------------------------------------------------------- CPUID */

TEST_F(state, cpuid_limits)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 e[300];
	} c;
	struct cpuid_buf want;

	c.head.nent = 257;
	EXPECT_EQ(-E2BIG, kioctlp(self->vcpu->fd, KVM_SET_CPUID2, &c));
	c.head.nent = 0xffffffff;
	EXPECT_EQ(-E2BIG, kioctlp(self->vcpu->fd, KVM_SET_CPUID2, &c));
	c.head.nent = 0;
	EXPECT_EQ(-E2BIG, kioctlp(self->vcpu->fd, KVM_GET_CPUID2, &c));
	c.head.nent = 300;
	EXPECT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_CPUID2, &c));
	/* Linux 6.1 leaves the count as it was asked; entries are as they were set. */
	supported_cpuid(&want);
	EXPECT_TRUE(c.head.nent == 300 || c.head.nent == want.head.nent);
	EXPECT_EQ(want.e[0].ebx, c.e[0].ebx);
	c.head.nent = want.head.nent;
	/* An impossible number of linear address bits. */
	struct kvm_cpuid_entry2 *e = cpuid_find((struct cpuid_buf *)&c, 0x80000008, 0);

	ASSERT_NE(NULL, e);
	e->eax = (e->eax & ~0xff00) | 0x3300;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_CPUID2, &c));
	EXPECT_EQ(-EFAULT, kioctlp(self->vcpu->fd, KVM_SET_CPUID2, 8));
}

TEST_F(state, cpuid_after_run)
{
	struct cpuid_buf c = { .head.nent = MAX_CPUID }, q;

	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_CPUID2, &c));
	supported_cpuid(&q);
	c.head.nent = q.head.nent;
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
	q = c;
	EXPECT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_CPUID2, &q));
	q = c;
	q.e[0].eax--;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_CPUID2, &q));
	q = c;
	q.head.nent--;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_CPUID2, &q));
	memset(&q, 0, sizeof(q));
	q.head.nent = MAX_CPUID;
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_GET_CPUID2, &q));
	EXPECT_EQ(0, memcmp(c.e, q.e, c.head.nent * sizeof(c.e[0])));
}

/* --------------------------------------------------------------- sync regs */

ASM_GUEST(count_rbx, "1: inc %rbx; mov $0x3e8, %edx; mov $2, %eax; out %eax, %dx; jmp 1b\n");

TEST_F(state, sync_regs)
{
	struct kvm_run *run = self->vcpu->run;
	struct kvm_sregs s;
	struct kvm_regs r;
	int cap = dev_cap(KVM_CAP_SYNC_REGS);

	if (!cap)
		SKIP(return, "KVM_CAP_SYNC_REGS is 0");
	EXPECT_EQ(KVM_SYNC_X86_VALID_FIELDS, cap);
	vcpu_long(self->vcpu, count_rbx);
	run->kvm_valid_regs = 0x100;
	EXPECT_EQ(-EINVAL, vcpu_run(self->vcpu));
	run->kvm_valid_regs = 0;
	run->kvm_dirty_regs = 0x100;
	EXPECT_EQ(-EINVAL, vcpu_run(self->vcpu));
	run->kvm_dirty_regs = 0;
	/* Nothing asked, nothing written. */
	memset(&run->s.regs.regs, 0x5a, sizeof(run->s.regs.regs));
	EXPECT_EXIT(self->vcpu, KVM_EXIT_IO);
	EXPECT_EQ(0x5a5a5a5a5a5a5a5a, run->s.regs.regs.rbx);
	/* Asked: all three groups, as the ioctls have them. */
	run->kvm_valid_regs = KVM_SYNC_X86_VALID_FIELDS;
	EXPECT_EXIT(self->vcpu, KVM_EXIT_IO);
	vcpu_regs(self->vcpu, &r);
	vcpu_sregs(self->vcpu, &s);
	EXPECT_EQ(2, run->s.regs.regs.rbx);
	EXPECT_EQ(0, memcmp(&r, &run->s.regs.regs, sizeof(r)));
	EXPECT_EQ(0, memcmp(&s, &run->s.regs.sregs, sizeof(s)));
	/* Dirty: taken over, and the bits cleared. */
	run->s.regs.regs.rbx = 0x1000;
	run->s.regs.sregs.cr2 = 0x777000;
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	EXPECT_EXIT(self->vcpu, KVM_EXIT_IO);
	EXPECT_EQ(0, run->kvm_dirty_regs);
	EXPECT_EQ(0x1001, run->s.regs.regs.rbx);
	vcpu_sregs(self->vcpu, &s);
	EXPECT_EQ(0x777000, s.cr2);
	/* Not dirty: what stands there is ignored. */
	run->s.regs.regs.rbx = 0x5000;
	EXPECT_EXIT(self->vcpu, KVM_EXIT_IO);
	EXPECT_EQ(0x1002, run->s.regs.regs.rbx);
	/* A refused one: the RUN fails. */
	run->s.regs.sregs.cr4 |= 1ULL << 40;
	run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	EXPECT_EQ(-EINVAL, vcpu_run(self->vcpu));
	run->kvm_dirty_regs = 0;
	EXPECT_EXIT(self->vcpu, KVM_EXIT_IO);
}

/* ------------------------------------------------------------ bad pointers */

TEST_F(state, bad_pointers)
{
	static const struct {
		unsigned long req;
		const char *name;
	} calls[] = {
#define C(req) { req, #req }
		C(KVM_GET_REGS), C(KVM_SET_REGS), C(KVM_GET_SREGS),
		C(KVM_SET_SREGS), C(KVM_GET_FPU), C(KVM_SET_FPU),
		C(KVM_GET_MSRS), C(KVM_SET_MSRS), C(KVM_SET_CPUID2),
		C(KVM_GET_CPUID2), C(KVM_GET_MP_STATE), C(KVM_SET_MP_STATE),
		C(KVM_GET_VCPU_EVENTS), C(KVM_SET_VCPU_EVENTS),
		C(KVM_GET_DEBUGREGS), C(KVM_SET_DEBUGREGS), C(KVM_GET_XSAVE),
		C(KVM_SET_XSAVE), C(KVM_GET_XCRS), C(KVM_SET_XCRS),
		C(KVM_INTERRUPT), C(KVM_TRANSLATE), C(KVM_SET_GUEST_DEBUG),
		C(KVM_SET_SIGNAL_MASK),
#undef C
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		EXPECT_EQ(-EFAULT, kioctl(self->vcpu->fd, calls[i].req, 8))
			TH_LOG("%s", calls[i].name);
		EXPECT_EQ(-EFAULT, kioctl(self->vcpu->fd, calls[i].req, -4096UL))
			TH_LOG("%s", calls[i].name);
	}
	EXPECT_EXIT(self->vcpu, KVM_EXIT_HLT);
}

/* ------------------------------------------------ carried to another VM */

static GUEST_FN void guest_stages(void)
{
	u64 sum = 0, cr2;

	asm volatile("mov %0, %%cr2" : : "r"(0x1234UL));
	asm volatile("mov %0, %%dr1" : : "r"(0x8888UL));
	g_wrmsr(0xc0000082, 0x123456);		/* LSTAR */
	asm volatile("fninit; fld1; fldpi");
	for (u64 i = 0; i < 6; i++) {
		u64 lstar, dr1;

		sum = sum * 31 + i;
		g_ucall(UCALL_SYNC, i, sum);
		asm volatile("mov %%cr2, %0" : "=r"(cr2));
		asm volatile("mov %%dr1, %0" : "=r"(dr1));
		G_ASSERT(g_rdmsr(0xc0000082, &lstar) == -1, i);
		G_ASSERT(lstar == 0x123456 + i, lstar);
		G_ASSERT(cr2 == 0x1234 + i, cr2);
		G_ASSERT(dr1 == 0x8888 + i, dr1);
		asm volatile("mov %0, %%cr2" : : "r"(cr2 + 1));
		asm volatile("mov %0, %%dr1" : : "r"(dr1 + 1));
		g_wrmsr(0xc0000082, lstar + 1);
	}
	g_ucall(UCALL_SYNC, 99, sum);
	g_done();
}

struct all_msrs {
	struct kvm_msrs head;
	struct kvm_msr_entry e[255];
};

static void list_msrs(struct all_msrs *m)
{
	static struct {
		struct kvm_msr_list head;
		u32 indices[600];
	} l;
	int dev = dev_open();

	l.head.nmsrs = 600;
	if (kioctlp(dev, KVM_GET_MSR_INDEX_LIST, &l))
		die("KVM_GET_MSR_INDEX_LIST");
	close(dev);
	m->head.nmsrs = l.head.nmsrs < 255 ? l.head.nmsrs : 255;
	for (u32 i = 0; i < m->head.nmsrs; i++)
		m->e[i].index = l.indices[i];
}

static struct vcpu *carry(struct __test_metadata *_metadata, struct vcpu *from)
{
	struct vm *vm = vm_new();
	struct vcpu *to = vcpu_bare(vm, 0);
	struct cpuid_buf c = { .head.nent = MAX_CPUID };
	static struct all_msrs m;
	static u8 xsave[65536] __attribute__((aligned(64)));
	struct kvm_vcpu_events ev;
	struct kvm_debugregs dr;
	struct kvm_mp_state mp;
	struct kvm_xcrs xcrs;
	struct kvm_sregs s;
	struct kvm_regs r, q;

	/* Finish the I/O that is pending, so that RIP is past it. */
	from->run->immediate_exit = 1;
	EXPECT_EQ(-EINTR, vcpu_run(from));
	memcpy(vm->ram, from->vm->ram, RAM_SIZE);
	memcpy(vm->guest, from->vm->guest, vm->guest_size);
	list_msrs(&m);
	EXPECT_EQ(0, kioctlp(from->fd, KVM_GET_CPUID2, &c));
	vcpu_regs(from, &r);
	vcpu_sregs(from, &s);
	vcpu_events(from, &ev);
	EXPECT_EQ(0, kioctlp(from->fd, KVM_GET_DEBUGREGS, &dr));
	EXPECT_EQ(0, kioctlp(from->fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(0, kioctlp(from->fd, KVM_GET_XSAVE, xsave));
	EXPECT_EQ(0, kioctlp(from->fd, KVM_GET_XCRS, &xcrs));
	EXPECT_EQ(m.head.nmsrs, (u32)kioctlp(from->fd, KVM_GET_MSRS, &m));

	EXPECT_EQ(0, kioctlp(to->fd, KVM_SET_CPUID2, &c));
	EXPECT_EQ(0, vcpu_set_sregs(to, &s));
	EXPECT_EQ(0, kioctlp(to->fd, KVM_SET_XCRS, &xcrs));
	EXPECT_EQ(0, kioctlp(to->fd, KVM_SET_XSAVE, xsave));
	for (u32 i = 0; i < m.head.nmsrs; i++) {
		/* Without an irqchip the stock module refuses what it lists here. */
		if (dev_is_stock() && m.e[i].index >> 8 == 0x4b564d)
			continue;
		EXPECT_EQ(1, vcpu_set_msr(to, m.e[i].index, m.e[i].data))
			TH_LOG("MSR %#x = %#llx", m.e[i].index, m.e[i].data);
	}
	EXPECT_EQ(0, kioctlp(to->fd, KVM_SET_DEBUGREGS, &dr));
	EXPECT_EQ(0, kioctlp(to->fd, KVM_SET_MP_STATE, &mp));
	EXPECT_EQ(0, vcpu_set_events(to, &ev));
	vcpu_set_regs(to, &r);
	vcpu_regs(to, &q);
	EXPECT_EQ(0, memcmp(&r, &q, sizeof(r)));
	to->exc = vm_ptr(vm, GPA_EXC);
	vm_free(from->vm);
	return to;
}

TEST(carried_to_another_vm)
{
	struct vcpu *vcpu = vm_long(guest_stages);
	u64 sum = 0;

	for (u64 i = 0; i < 6; i++) {
		struct ucall uc = vcpu_ucall(vcpu);

		sum = sum * 31 + i;
		ASSERT_EQ(UCALL_SYNC, uc.cmd)
			TH_LOG("ucall %u: line %lu value %#lx", uc.cmd, uc.a, uc.b);
		EXPECT_EQ(i, uc.a);
		EXPECT_EQ(sum, uc.b);
		vcpu = carry(_metadata, vcpu);
	}
	struct ucall uc = vcpu_ucall(vcpu);

	EXPECT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_EQ(99, uc.a);
	vm_free(vcpu->vm);
}

TEST_HARNESS_MAIN
