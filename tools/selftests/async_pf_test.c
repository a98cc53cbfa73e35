// SPDX-License-Identifier: GPL-2.0
/*
 * async_pf_test - a guest that is told of slow pages, and of their coming
 *
 * The slow pages are a slot whose memory is registered with userfaultfd: nobody but this
 * program's resolver thread can bring them, and it does so when the guest has shown that
 * it runs on without them, or when it has waited long enough for that.
 *
 * Guards: a #PF with a token of its own for each page, where the guest can take it, and
 * nowhere else; each token comes back by interrupt, once, when the page is there; no more
 * than 64 at a time; a halted vCPU is woken; what is switched off is forgotten, and ~0
 * is told when it is switched on; a VM ends with pages under way; MSRs and gates.
 */
#include <kselftest_harness.h>

#include <linux/userfaultfd.h>
#include <poll.h>

#include "irq_util.h"

#define MSR_EN		0x4b564d02
#define MSR_INT		0x4b564d06
#define MSR_ACK		0x4b564d07
#define EN		9UL		/* enabled, by interrupt */
#define ALWAYS		2UL		/* also at CPL 0 */
#define F_ASYNC_PF	4
#define F_ASYNC_PF_INT	14

#define VEC		0x70
#define APF		(GPA_DATA + 0x1000)	/* flags, token; handlers know it as 0x101000 */
#define NOT_PRESENT	1
#define HI		0x40000000UL
#define PAGES		100
#define MAX_PAGES	64			/* that KVM lets a vCPU wait for */

/* ------------------------------------------------------------------- guest */

enum { TOUCH_IF0 = 1, TOUCH_TWICE = 2, HALT = 4, STOP = 8 };

static GUEST_DATA volatile u64 n_pages, do_write, how, phase;
static GUEST_DATA volatile u64 pf_cr2, pf_error, pf_count, pf_resume;
static GUEST_DATA volatile u64 irq_count;
static GUEST_DATA volatile u32 irq_tokens[256], tokens[PAGES], flags[PAGES];
static GUEST_DATA volatile u64 values[PAGES];

/* A page fault: note CR2 and the error code, and go on at pf_resume. */
ASM_GUEST(h_pf,
	  "push %rax; mov %cr2, %rax; mov %rax, pf_cr2(%rip)\n"
	  "mov 8(%rsp), %rax; mov %rax, pf_error(%rip); incq pf_count(%rip)\n"
	  "mov pf_resume(%rip), %rax; mov %rax, 16(%rsp)\n"
	  "pop %rax; add $8, %rsp; iretq");

/*
 * A page is there: note the token, take it, acknowledge.  Behind a HLT that it came
 * before: not every emulated CPU keeps STI's shadow.
 */
ASM_GUEST(h_ready,
	  "push %rax; push %rcx; push %rdx\n"
	  "mov irq_count(%rip), %rcx; and $255, %ecx\n"
	  "mov 0x101004, %eax; mov %eax, irq_tokens(,%rcx,4); incq irq_count(%rip)\n"
	  "movl $0, 0x101004\n"
	  "mov $0x4b564d07, %ecx; mov $1, %eax; xor %edx, %edx; wrmsr\n"
	  "mov $0xfee000b0, %eax; movl $0, (%rax)\n"
	  "mov 24(%rsp), %rax; cmpb $0xf4, (%rax); jne 1f; incq 24(%rsp)\n"
	  "1: pop %rdx; pop %rcx; pop %rax; iretq");

/* The token, if there is one; otherwise 0, and the page was there. */
__guest_inline u32 touch(u64 addr, u64 *val, bool open)
{
	u64 before = pf_count;

	*val = 0;
	if (open)
		asm volatile("sti" : : : "memory");
	if (do_write)
		asm volatile("lea 771f(%%rip), %%r11; mov %%r11, pf_resume(%%rip)\n"
			     "lock addq $1, (%1)\n"
			     "mov (%1), %0\n771:" : "+r"(*val) : "r"(addr) : "r11", "memory");
	else
		asm volatile("lea 771f(%%rip), %%r11; mov %%r11, pf_resume(%%rip)\n"
			     "mov (%1), %0\n771:" : "+r"(*val) : "r"(addr) : "r11", "memory");
	if (open)
		asm volatile("cli" : : : "memory");
	return pf_count == before ? 0 : pf_cr2;
}

static GUEST_FN void guest_touches(void)
{
	volatile u32 *apf = (u32 *)APF;
	u64 val, told = 0;

	for (u64 i = 0; i < n_pages; i++) {
		tokens[i] = touch(HI + i * PAGE_SIZE, &val, !(how & TOUCH_IF0));
		flags[i] = apf[0];
		apf[0] = 0;
		told += !!tokens[i];
	}
	if (how & TOUCH_TWICE)
		tokens[1] = touch(HI, &val, true);
	phase = 1;
	if (how & STOP)
		g_ucall(UCALL_SYNC, told, 0);
	while (irq_count < told) {
		if (how & HALT)
			asm volatile("sti; hlt; cli" : : : "memory");
		else
			asm volatile("sti; pause; cli" : : : "memory");
	}
	for (u64 i = 0; i < n_pages; i++) {
		touch(HI + i * PAGE_SIZE, &val, false);
		values[i] = val;
	}
	g_ucall(UCALL_SYNC, told, pf_count);
	/* What else comes? */
	for (;;) {
		asm volatile("sti; nop; nop; cli" : : : "memory");
		g_ucall(UCALL_SYNC, irq_count, pf_count);
	}
}

static GUEST_FN void guest_idle(void)
{
	for (;;)
		g_ucall(UCALL_SYNC, 0, 0);
}

static GUEST_FN void guest_msrs(void)
{
	u64 val, done = 0;

	done |= g_rdmsr(MSR_EN, &val) == -1;
	done |= (u64)(g_wrmsr(MSR_EN, 0) == -1) << 1;
	done |= (u64)(g_rdmsr(MSR_INT, &val) == -1) << 2;
	done |= (u64)(g_wrmsr(MSR_INT, VEC) == -1) << 3;
	done |= (u64)(g_rdmsr(MSR_ACK, &val) == -1) << 4;
	done |= (u64)(g_wrmsr(MSR_ACK, 1) == -1) << 5;
	g_ucall(UCALL_SYNC, done, 0);
}

/* -------------------------------------------------------------------- host */

static bool no_feature(void)
{
	return !cpuid_has(0x40000001, 0, 'a', F_ASYNC_PF) ||
	       !cpuid_has(0x40000001, 0, 'a', F_ASYNC_PF_INT);
}

/* Slow memory, and the thread that brings it. */
struct slow {
	u8 *mem;
	int fd;
	struct vm *vm;
	pthread_t thread;
	int patience;			/* ms after which it brings pages anyway */
	volatile bool stop;
	u64 asked[PAGES];		/* addresses, in order */
	int n, at_phase;		/* how many in all; until the guest went on */
	bool saw_phase;
};

static void bring(struct slow *s, u64 addr)
{
	static u64 page[PAGE_SIZE / 8] __attribute__((aligned(PAGE_SIZE)));
	struct uffdio_copy copy = { .dst = addr, .src = (u64)page, .len = PAGE_SIZE };

	page[0] = 1000 + (addr - (u64)s->mem) / PAGE_SIZE;
	if (ioctl(s->fd, UFFDIO_COPY, &copy) && errno != EEXIST)
		die("UFFDIO_COPY: %m");
}

static bool next_fault(struct slow *s, int ms)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&p, 1, ms) <= 0 || read(s->fd, &msg, sizeof(msg)) != sizeof(msg))
		return false;
	if (s->n < PAGES)
		s->asked[s->n++] = msg.arg.pagefault.address & PAGE_MASK;
	return true;
}

/* Wait till the guest has gone on; then bring what it asked for, the last first. */
static void *resolver(void *arg)
{
	struct slow *s = arg;
	u64 end = now_ns() + s->patience * 1000000ULL;
	int done;

	while (!s->stop && now_ns() < end && !s->saw_phase) {
		next_fault(s, 5);
		s->saw_phase = GUEST_VAR(s->vm, phase);
	}
	/* All that it waits for; and a guest that halts has halted. */
	while (next_fault(s, 200))
		;
	s->at_phase = s->n;
	for (done = s->n - 1; done >= 0; done--)
		bring(s, s->asked[done]);
	done = s->n;
	while (!s->stop) {
		if (next_fault(s, 5))
			bring(s, s->asked[done++]);
	}
	return NULL;
}

static void slow_init(struct slow *s, struct vm *vm)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	memset(s, 0, sizeof(*s));
	s->vm = vm;
	s->patience = 20000;
	s->mem = vm_anon(PAGES * PAGE_SIZE);
	madvise(s->mem, PAGES * PAGE_SIZE, MADV_NOHUGEPAGE);
	s->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	reg.range.start = (u64)s->mem;
	reg.range.len = PAGES * PAGE_SIZE;
	if (s->fd < 0 || ioctl(s->fd, UFFDIO_API, &api) || ioctl(s->fd, UFFDIO_REGISTER, &reg))
		die("userfaultfd: %m");
	if (vm_slot(vm, 5, 0, HI, PAGES * PAGE_SIZE, s->mem))
		die("the slow slot");
}

static void slow_start(struct slow *s)
{
	if (pthread_create(&s->thread, NULL, resolver, s))
		die("pthread_create");
}

static void slow_end(struct slow *s)
{
	s->stop = true;
	pthread_join(s->thread, NULL);
	close(s->fd);
	munmap(s->mem, PAGES * PAGE_SIZE);
}

static void set_handler(struct vm *vm, int vector, const void *handler)
{
	u64 *gate = (u64 *)vm_ptr(vm, GPA_IDT) + 2 * vector, addr = (u64)handler;

	gate[0] = (addr & 0xffff) | SEL_CODE64 << 16 | 0x8e00ULL << 32 |
		  (addr >> 16 & 0xffff) << 48;
	gate[1] = addr >> 32;
}

static void set_msr(struct vcpu *vcpu, u32 msr, u64 val)
{
	if (vcpu_set_msr(vcpu, msr, val) != 1)
		die("MSR %#x = %#lx", msr, val);
}

/* Its local APIC is enabled; the token ~0 that comes first is taken. */
static struct vcpu *enabled(u64 en)
{
	struct vm *vm = vm_irqchip();
	struct vcpu *vcpu = vcpu_new(vm, 0);
	struct kvm_lapic_state lapic;

	if (kioctlp(vcpu->fd, KVM_GET_LAPIC, &lapic))
		die("KVM_GET_LAPIC");
	*(u32 *)&lapic.regs[LAPIC_SVR] = 0x1ff;
	if (kioctlp(vcpu->fd, KVM_SET_LAPIC, &lapic))
		die("KVM_SET_LAPIC");
	vcpu_long(vcpu, guest_touches);
	set_handler(vm, 14, h_pf);
	set_handler(vm, VEC, h_ready);
	if (!en)
		return vcpu;
	set_msr(vcpu, MSR_INT, VEC);
	set_msr(vcpu, MSR_EN, APF | en);
	return vcpu;
}

static u32 apf_token(struct vcpu *vcpu)
{
	return ((volatile u32 *)vm_ptr(vcpu->vm, APF))[1];
}

/* Let a guest take the first token, ~0, which is not what the caller is after. */
static struct vcpu *ready(struct __test_metadata *_metadata, u64 en)
{
	struct vcpu *vcpu = enabled(en);
	struct ucall uc;

	GUEST_VAR(vcpu->vm, n_pages) = 0;
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_SYNC, uc.cmd);
	for (int i = 0; i < 5 && !GUEST_VAR(vcpu->vm, irq_count); i++)
		vcpu_ucall(vcpu);
	EXPECT_EQ(1, GUEST_VAR(vcpu->vm, irq_count));
	EXPECT_EQ(~0U, GUEST_VAR(vcpu->vm, irq_tokens)[0]);
	EXPECT_EQ(0, apf_token(vcpu));
	GUEST_VAR(vcpu->vm, irq_count) = 0;
	GUEST_VAR(vcpu->vm, phase) = 0;
	vcpu_long(vcpu, guest_touches);
	return vcpu;
}

/* All tokens differ, each came once by interrupt, and each page has its contents. */
static void check_all(struct __test_metadata *_metadata, struct vcpu *vcpu, u64 n, bool write)
{
	struct vm *vm = vcpu->vm;
	u64 sum = 0, back = 0;

	ASSERT_EQ(n, GUEST_VAR(vm, irq_count));
	for (u64 i = 0; i < n; i++) {
		u32 token = GUEST_VAR(vm, tokens)[i];
		int came = 0;

		EXPECT_NE(0, token);
		EXPECT_NE(~0U, token);
		EXPECT_EQ(NOT_PRESENT, GUEST_VAR(vm, flags)[i]);
		for (u64 j = 0; j < n; j++) {
			came += GUEST_VAR(vm, irq_tokens)[j] == token;
			if (j != i)
				EXPECT_NE(token, GUEST_VAR(vm, tokens)[j]);
		}
		EXPECT_EQ(1, came);
		EXPECT_EQ(1000 + i + write, GUEST_VAR(vm, values)[i]);
		sum += token;
		back += GUEST_VAR(vm, irq_tokens)[i];
	}
	EXPECT_EQ(sum, back);
	EXPECT_EQ(n, GUEST_VAR(vm, pf_count));
	EXPECT_EQ(0, GUEST_VAR(vm, pf_error));
	EXPECT_EQ(0, apf_token(vcpu));
}

static void run_pages(struct __test_metadata *_metadata, struct vcpu *vcpu, u64 n, u64 flags_how,
		      bool write)
{
	struct slow s;
	struct ucall uc;

	slow_init(&s, vcpu->vm);
	GUEST_VAR(vcpu->vm, n_pages) = n;
	GUEST_VAR(vcpu->vm, how) = flags_how;
	GUEST_VAR(vcpu->vm, do_write) = write;
	slow_start(&s);
	uc = vcpu_ucall(vcpu);
	EXPECT_EQ(UCALL_SYNC, uc.cmd);
	EXPECT_EQ(n, uc.a);
	slow_end(&s);
	/* The guest went on before any page was there. */
	EXPECT_TRUE(s.saw_phase);
	EXPECT_EQ(n, s.at_phase);
	check_all(_metadata, vcpu, n, write);
	/* Nothing is told twice. */
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(n, vcpu_ucall(vcpu).a);
}

TEST(guest_runs_on)
{
	if (no_feature())
		SKIP(return, "no asynchronous page faults");
	for (int write = 0; write < 2; write++) {
		struct vcpu *vcpu = ready(_metadata, EN | ALWAYS);

		run_pages(_metadata, vcpu, 16, 0, write);
		vm_free(vcpu->vm);
	}
}

TEST(halted_guest_is_woken)
{
	struct vcpu *vcpu;

	if (no_feature())
		SKIP(return, "no asynchronous page faults");
	vcpu = ready(_metadata, EN | ALWAYS);
	run_pages(_metadata, vcpu, 3, HALT, false);
	vm_free(vcpu->vm);
}

/* CPL 3, with the right to STI, CLI and OUT. */
TEST(user_mode)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct vcpu *vcpu;

	if (no_feature())
		SKIP(return, "no asynchronous page faults");
	vcpu = ready(_metadata, EN);
	vcpu_sregs(vcpu, &sregs);
	seg_set(&sregs.cs, SEL_UCODE, 11, 1, 0, 3);
	seg_set(&sregs.ss, SEL_UDATA, 3, 0, 1, 3);
	ASSERT_EQ(0, vcpu_set_sregs(vcpu, &sregs));
	vcpu_regs(vcpu, &regs);
	regs.rflags |= 3 << 12;
	vcpu_set_regs(vcpu, &regs);
	run_pages(_metadata, vcpu, 2, 0, false);
	vm_free(vcpu->vm);
}

/* Where the guest cannot be told the vCPU waits, and nothing is told later. */
static void run_untold(struct __test_metadata *_metadata, u64 en, u64 flags_how)
{
	struct vcpu *vcpu = en ? ready(_metadata, en) : enabled(0);
	struct slow s;

	slow_init(&s, vcpu->vm);
	s.patience = 300;
	GUEST_VAR(vcpu->vm, n_pages) = 1;
	GUEST_VAR(vcpu->vm, how) = flags_how;
	slow_start(&s);
	EXPECT_EQ(0, vcpu_ucall(vcpu).a);
	EXPECT_FALSE(s.saw_phase);
	EXPECT_EQ(0, GUEST_VAR(vcpu->vm, tokens)[0]);
	EXPECT_EQ(0, GUEST_VAR(vcpu->vm, flags)[0]);
	EXPECT_EQ(1000, GUEST_VAR(vcpu->vm, values)[0]);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, vcpu_ucall(vcpu).a);
	slow_end(&s);
	vm_free(vcpu->vm);
}

TEST(where_it_cannot_be_told)
{
	if (no_feature())
		SKIP(return, "no asynchronous page faults");
	run_untold(_metadata, 0, 0);			/* it is off */
	run_untold(_metadata, EN | ALWAYS, TOUCH_IF0);
	run_untold(_metadata, EN, 0);			/* CPL 0, not always */
}

/* A page that the guest waits for, and touches: no second token, and the first comes. */
TEST(touched_again)
{
	struct vcpu *vcpu;
	struct slow s;

	if (no_feature())
		SKIP(return, "no asynchronous page faults");
	vcpu = ready(_metadata, EN | ALWAYS);
	slow_init(&s, vcpu->vm);
	s.patience = 300;
	GUEST_VAR(vcpu->vm, n_pages) = 1;
	GUEST_VAR(vcpu->vm, how) = TOUCH_TWICE;
	slow_start(&s);
	EXPECT_EQ(1, vcpu_ucall(vcpu).a);
	EXPECT_FALSE(s.saw_phase);
	EXPECT_EQ(0, GUEST_VAR(vcpu->vm, tokens)[1]);
	check_all(_metadata, vcpu, 1, false);
	slow_end(&s);
	vm_free(vcpu->vm);
}

TEST(not_more_than_64)
{
	struct vcpu *vcpu;
	struct slow s;
	u64 told;

	if (no_feature())
		SKIP(return, "no asynchronous page faults");
	vcpu = ready(_metadata, EN | ALWAYS);
	slow_init(&s, vcpu->vm);
	s.patience = 2000;
	GUEST_VAR(vcpu->vm, n_pages) = MAX_PAGES + 4;
	slow_start(&s);
	told = vcpu_ucall(vcpu).a;
	slow_end(&s);
	EXPECT_FALSE(s.saw_phase);
	EXPECT_EQ(MAX_PAGES + 1, s.at_phase);	/* for the last the vCPU itself waits */
	EXPECT_LE(MAX_PAGES, told);
	for (int i = 0; i < MAX_PAGES; i++)
		EXPECT_NE(0, GUEST_VAR(vcpu->vm, tokens)[i]);
	EXPECT_EQ(0, GUEST_VAR(vcpu->vm, tokens)[MAX_PAGES]);
	EXPECT_EQ(told, GUEST_VAR(vcpu->vm, irq_count));
	vm_free(vcpu->vm);
}

/* Switched off with pages under way, and on again: as after a migration. */
TEST(off_and_on)
{
	struct vcpu *vcpu;
	struct slow s;

	if (no_feature())
		SKIP(return, "no asynchronous page faults");
	vcpu = ready(_metadata, EN | ALWAYS);
	slow_init(&s, vcpu->vm);
	GUEST_VAR(vcpu->vm, n_pages) = 3;
	GUEST_VAR(vcpu->vm, how) = STOP;
	ASSERT_EQ(3, vcpu_ucall(vcpu).a);
	/* To be switched off the workers need the page on the stock module. */
	slow_start(&s);
	set_msr(vcpu, MSR_EN, 0);
	while (s.at_phase < 3)
		usleep(1000);
	usleep(100000);
	GUEST_VAR(vcpu->vm, irq_count) = 0;
	/* Tokens that do not come: the guest would wait for ever. */
	set_timer_ms(500);
	alarm_handler();
	EXPECT_EQ(-EINTR, vcpu_run(vcpu));
	EXPECT_EQ(0, GUEST_VAR(vcpu->vm, irq_count));
	EXPECT_EQ(0, apf_token(vcpu));
	set_msr(vcpu, MSR_EN, APF | EN | ALWAYS);
	GUEST_VAR(vcpu->vm, irq_count) = 2;	/* one more will do */
	EXPECT_EQ(3, vcpu_ucall(vcpu).a);
	EXPECT_EQ(~0U, GUEST_VAR(vcpu->vm, irq_tokens)[2]);
	EXPECT_EQ(3, vcpu_ucall(vcpu).a);
	slow_end(&s);
	vm_free(vcpu->vm);
}

/* A token that the guest has not acknowledged is not overwritten. */
TEST(one_token_at_a_time)
{
	struct vcpu *vcpu;
	struct slow s;
	u32 token;

	if (no_feature())
		SKIP(return, "no asynchronous page faults");
	vcpu = ready(_metadata, EN | ALWAYS);
	slow_init(&s, vcpu->vm);
	GUEST_VAR(vcpu->vm, n_pages) = 3;
	GUEST_VAR(vcpu->vm, how) = STOP;
	ASSERT_EQ(3, vcpu_ucall(vcpu).a);
	slow_start(&s);
	while (s.at_phase < 3)
		usleep(1000);
	usleep(100000);
	/* Let it run with interrupts off: tokens are written, and no handler comes. */
	vcpu_long(vcpu, guest_idle);
	for (int i = 0; i < 3; i++) {
		vcpu_ucall(vcpu);
		if (!i)
			token = apf_token(vcpu);
		EXPECT_NE(0, token);
		EXPECT_EQ(token, apf_token(vcpu));
	}
	slow_end(&s);
	vm_free(vcpu->vm);
}

/* A VM whose pages never come ends all the same. */
TEST(vm_ends_with_pages_under_way)
{
	struct vcpu *vcpu;
	struct slow s;
	u64 start;

	if (no_feature())
		SKIP(return, "no asynchronous page faults");
	if (dev_is_stock())
		SKIP(return, "the stock module waits for the pages");
	vcpu = ready(_metadata, EN | ALWAYS);
	slow_init(&s, vcpu->vm);
	GUEST_VAR(vcpu->vm, n_pages) = 10;
	GUEST_VAR(vcpu->vm, how) = STOP;
	ASSERT_EQ(10, vcpu_ucall(vcpu).a);
	usleep(20000);			/* the workers sleep in there by now */
	start = now_ns();
	vm_free(vcpu->vm);
	EXPECT_GT(3000000000ULL, now_ns() - start);
	/* Now they come: to nobody. */
	for (int i = 0; i < 10; i++)
		bring(&s, (u64)s.mem + i * PAGE_SIZE);
	usleep(50000);
	close(s.fd);
	munmap(s.mem, PAGES * PAGE_SIZE);
}

TEST(msrs)
{
	struct vcpu *vcpu;
	u64 val;

	if (no_feature())
		SKIP(return, "no asynchronous page faults");
	EXPECT_EQ(1, dev_cap(KVM_CAP_ASYNC_PF));
	EXPECT_EQ(1, dev_cap(KVM_CAP_ASYNC_PF_INT));
	vcpu = enabled(0);
	for (u32 msr = MSR_EN; msr <= MSR_ACK; msr += msr == MSR_EN ? 4 : 1) {
		ASSERT_EQ(1, vcpu_get_msr(vcpu, msr, &val));
		EXPECT_EQ(0, val);
	}
	/* Reserved bits; memory that is not there. */
	EXPECT_EQ(0, vcpu_set_msr(vcpu, MSR_EN, APF | EN | 0x10));
	EXPECT_EQ(0, vcpu_set_msr(vcpu, MSR_EN, APF | EN | 0x20));
	ASSERT_EQ(1, vcpu_get_msr(vcpu, MSR_EN, &val));
	EXPECT_EQ(0, val);
	EXPECT_EQ(0, vcpu_set_msr(vcpu, MSR_INT, 0x100));
	ASSERT_EQ(1, vcpu_set_msr(vcpu, MSR_INT, 0xff));
	ASSERT_EQ(1, vcpu_get_msr(vcpu, MSR_INT, &val));
	EXPECT_EQ(0xff, val);
	ASSERT_EQ(1, vcpu_set_msr(vcpu, MSR_EN, APF | EN | ALWAYS));
	ASSERT_EQ(1, vcpu_get_msr(vcpu, MSR_EN, &val));
	EXPECT_EQ(APF | EN | ALWAYS, val);
	ASSERT_EQ(1, vcpu_set_msr(vcpu, MSR_ACK, 0));
	EXPECT_EQ(0, vcpu_set_msr(vcpu, MSR_EN, GPA_MMIO | EN));
	vm_free(vcpu->vm);

	/* Without a local APIC in the kernel they can be nothing but 0. */
	vcpu = vm_long(guest_idle);
	EXPECT_EQ(1, vcpu_set_msr(vcpu, MSR_EN, 0));
	EXPECT_EQ(0, vcpu_set_msr(vcpu, MSR_EN, APF | EN));
	vm_free(vcpu->vm);
}

TEST(cpuid_gates)
{
	static const struct {
		u32 features;
		u64 done;
	} cases[] = {
		{ 0, 0 }, { 1 << F_ASYNC_PF, 0x03 }, { 1 << F_ASYNC_PF_INT, 0x3c },
	};

	if (no_feature() || dev_cap(KVM_CAP_ENFORCE_PV_FEATURE_CPUID) <= 0)
		SKIP(return, "no asynchronous page faults, or no gates");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kvm_enable_cap cap = {
			.cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args[0] = 1,
		};
		struct vcpu *vcpu = vcpu_bare(vm_irqchip(), 0);
		struct cpuid_buf buf;

		supported_cpuid(&buf);
		cpuid_find(&buf, 0x40000001, 0)->eax = cases[i].features;
		ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_SET_CPUID2, &buf.head));
		ASSERT_EQ(0, kioctlp(vcpu->fd, KVM_ENABLE_CAP, &cap));
		vcpu_long(vcpu, guest_msrs);
		EXPECT_EQ(cases[i].done, vcpu_ucall(vcpu).a);
		vm_free(vcpu->vm);
	}
}

TEST_HARNESS_MAIN
