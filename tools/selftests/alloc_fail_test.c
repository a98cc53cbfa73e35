// SPDX-License-Identifier: GPL-2.0
/*
 * alloc_fail_test - every allocation of a call fails once
 *
 * For each call: in a new VM its first allocation fails, in the next VM its second, and so
 * on until it comes to its end without a failure.  When one fails, the call either says
 * ENOMEM and has changed nothing, so that it succeeds when it is made again, or it does
 * without.  At the end nothing is in use that was not before.  What was left half done
 * shows best with KASAN and lockdep in the same kernel.
 *
 * This takes a kernel with fault injection (FAILSLAB, FAIL_PAGE_ALLOC and their files in
 * debugfs); distributions have none, so there it skips.  Call traces in the log that
 * begin with warn_alloc() are the kernel's own words about a vmalloc() that failed.
 */
#include <kselftest_harness.h>

#include <fcntl.h>

#include "irq_util.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define MOST		2000		/* allocations of one call */
#define SLOT		7
#define HI		0x100000000UL
#define SIZE		(4UL << 20)

/* What a call is made on: new for each. */
struct state {
	struct vm *vm;
	struct vcpu *vcpu;
	int fd;				/* made by the call, or an eventfd for it; or -1 */
};

struct call {
	const char *name;
	void (*prepare)(struct state *s);
	int (*make)(struct state *s);
};

/* ---- fault injection ---- */

static bool injection_ready(void)
{
	return !access(FAIL_NTH, W_OK) &&
	       !write_text("/sys/kernel/debug/failslab/ignore-gfp-wait", "N") &&
	       !write_text("/sys/kernel/debug/failslab/verbose", "0") &&
	       !write_text("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N") &&
	       !write_text("/sys/kernel/debug/fail_page_alloc/min-order", "0") &&
	       !write_text("/sys/kernel/debug/fail_page_alloc/verbose", "0");
}

static int fail_nth = -1;

static void arm(int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(fail_nth, text, len, 0) != len)
		die("fail-nth: %m");
}

/* Has an allocation failed since arm()? */
static bool disarm(void)
{
	char text[16] = "";

	if (pread(fail_nth, text, sizeof(text) - 1, 0) <= 0)
		die("fail-nth: %m");
	arm(0);
	return !atoi(text);
}

/* ---- the calls ---- */

static int dev = -1;
static u8 *mem;				/* SIZE bytes for the slot */

static int make_slot(struct state *s)
{
	return vm_slot(s->vm, SLOT, 0, HI, SIZE, mem);
}

static int make_logged_slot(struct state *s)
{
	return vm_slot(s->vm, SLOT, KVM_MEM_LOG_DIRTY_PAGES, HI, SIZE, mem);
}

static void with_vm(struct state *s)
{
	s->vm = vm_new();
}

static void with_irqchip(struct state *s)
{
	s->vm = vm_irqchip();
}

static void with_eventfd(struct state *s)
{
	with_irqchip(s);
	s->fd = new_eventfd();
}

static void with_ring(struct state *s)
{
	with_vm(s);
	if (vm_enable_cap(s->vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, PAGE_SIZE))
		die("no dirty ring");
}

static void with_slot(struct state *s)
{
	with_vm(s);
	if (make_slot(s))
		die("no slot");
}

/* Writes to RDI for ever, and tells of each. */
ASM_GUEST(writes, "1: mov %rdi, (%rdi); add $0x1000, %rdi\n"
	  "mov $0x3e8, %edx; mov $2, %eax; out %eax, %dx; jmp 1b\n");

static void with_writer(struct state *s)
{
	struct kvm_regs r;

	with_slot(s);
	s->vcpu = vcpu_new(s->vm, 0);
	vcpu_long(s->vcpu, writes);
	vcpu_regs(s->vcpu, &r);
	r.rdi = HI;
	vcpu_set_regs(s->vcpu, &r);
}

static void with_logged_writer(struct state *s)
{
	with_writer(s);
	if (make_logged_slot(s))
		die("no log");
	vcpu_ucall(s->vcpu);
}

static int make_open(struct state *s)
{
	s->fd = open(dev_path(), O_RDWR | O_CLOEXEC);
	return s->fd < 0 ? -errno : 0;
}

static int fd_of(struct state *s, int fd, unsigned long request, unsigned long arg)
{
	int r = kioctl(fd, request, arg);

	s->fd = r < 0 ? -1 : r;
	return r < 0 ? r : 0;
}

static int make_vm(struct state *s)
{
	return fd_of(s, dev, KVM_CREATE_VM, 0);
}

static int make_vcpu(struct state *s)
{
	return fd_of(s, s->vm->fd, KVM_CREATE_VCPU, 3);
}

static int move_slot(struct state *s)
{
	return vm_slot(s->vm, SLOT, 0, 2 * HI, SIZE, mem);
}

static int delete_slot(struct state *s)
{
	return vm_slot(s->vm, SLOT, 0, HI, 0, mem);
}

static int make_irqchip(struct state *s)
{
	return kioctl(s->vm->fd, KVM_CREATE_IRQCHIP, 0);
}

static int make_pit(struct state *s)
{
	struct kvm_pit_config config = { };

	return kioctlp(s->vm->fd, KVM_CREATE_PIT2, &config);
}

static int make_routes(struct state *s)
{
	struct routes routes = { };

	for (u32 gsi = 0; gsi < 60; gsi++)
		route_msi(&routes, gsi, 0x40 + gsi);
	return set_routes(s->vm, &routes);
}

static int make_irqfd(struct state *s)
{
	return irqfd(s->vm, s->fd, 5, 0, 0);
}

static int make_ioeventfd(struct state *s)
{
	struct kvm_ioeventfd ioeventfd = {
		.addr = 0x500, .len = 4, .fd = s->fd, .flags = KVM_IOEVENTFD_FLAG_PIO,
	};

	return kioctlp(s->vm->fd, KVM_IOEVENTFD, &ioeventfd);
}

static int make_zone(struct state *s)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = GPA_MMIO, .size = PAGE_SIZE };

	return kioctlp(s->vm->fd, KVM_REGISTER_COALESCED_MMIO, &zone);
}

static int make_filter(struct state *s)
{
	static u8 bits[64];
	struct kvm_msr_filter filter = { };

	for (u32 i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++)
		filter.ranges[i] = (struct kvm_msr_filter_range) {
			.flags = KVM_MSR_FILTER_READ, .base = 0x100 * i,
			.nmsrs = 8 * sizeof(bits), .bitmap = bits,
		};
	return kioctlp(s->vm->fd, KVM_X86_SET_MSR_FILTER, &filter);
}

static int set_cpuid(struct state *s)
{
	static struct cpuid_buf cpuid;
	int r;

	cpuid.head.nent = MAX_CPUID;
	r = kioctlp(dev, KVM_GET_SUPPORTED_CPUID, &cpuid);
	return r ? r : kioctlp(s->vcpu->fd, KVM_SET_CPUID2, &cpuid);
}

static int set_xsave(struct state *s)
{
	static struct kvm_xsave xsave;
	int r = kioctlp(s->vcpu->fd, KVM_GET_XSAVE, &xsave);

	return r ? r : kioctlp(s->vcpu->fd, KVM_SET_XSAVE, &xsave);
}

static int get_log(struct state *s)
{
	static u64 bitmap[SIZE / PAGE_SIZE / 64];
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };

	return kioctlp(s->vm->fd, KVM_GET_DIRTY_LOG, &log);
}

/* A page fault: tables down to the page. */
static int run(struct state *s)
{
	return vcpu_run(s->vcpu);
}

static const struct call calls[] = {
	{ "open", NULL, make_open },
	{ "KVM_CREATE_VM", NULL, make_vm },
	{ "KVM_CREATE_VCPU", with_vm, make_vcpu },
	{ "KVM_CREATE_VCPU, local APIC", with_irqchip, make_vcpu },
	{ "KVM_CREATE_VCPU, dirty ring", with_ring, make_vcpu },
	{ "a slot", with_vm, make_slot },
	{ "a slot with a log", with_vm, make_logged_slot },
	{ "a log for a slot", with_writer, make_logged_slot },
	{ "a slot moves", with_writer, move_slot },
	{ "a slot goes", with_writer, delete_slot },
	{ "KVM_CREATE_IRQCHIP", with_vm, make_irqchip },
	{ "KVM_CREATE_PIT2", with_irqchip, make_pit },
	{ "KVM_SET_GSI_ROUTING", with_irqchip, make_routes },
	{ "KVM_IRQFD", with_eventfd, make_irqfd },
	{ "KVM_IOEVENTFD", with_eventfd, make_ioeventfd },
	{ "KVM_REGISTER_COALESCED_MMIO", with_vm, make_zone },
	{ "KVM_X86_SET_MSR_FILTER", with_vm, make_filter },
	{ "KVM_SET_CPUID2", with_writer, set_cpuid },
	{ "KVM_SET_XSAVE", with_writer, set_xsave },
	{ "KVM_GET_DIRTY_LOG", with_logged_writer, get_log },
	{ "KVM_RUN, a page fault", with_writer, run },
};

/* ---- the test ---- */

static void clean_up(struct state *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->vm)
		vm_free(s->vm);
}

/* One VM, one failure.  False: the call is through without one, or it went wrong. */
static bool fails(const struct call *call, int n, int *refused, bool *bad)
{
	struct state s = { .fd = -1 };
	bool failed;
	int r;

	if (call->prepare)
		call->prepare(&s);
	arm(n);
	r = call->make(&s);
	failed = disarm();
	if (failed && r == -ENOMEM) {
		(*refused)++;
		r = call->make(&s);
	}
	if (r) {
		ksft_print_msg("%s: allocation %d%s: %s\n", call->name, n,
			       failed ? " failed" : "", strerror(-r));
		*bad = true;
	}
	clean_up(&s);
	return failed && !*bad;
}

/* For its time limit. */
FIXTURE(allocation) { };
FIXTURE_SETUP(allocation) { }
FIXTURE_TEARDOWN(allocation) { }

TEST_F_TIMEOUT(allocation, fails, 280)
{
	struct mem_use before;

	if (!injection_ready())
		SKIP(return, "the kernel has no fault injection");
	fail_nth = open(FAIL_NTH, O_RDWR);
	dev = dev_open();
	mem = vm_anon(SIZE);
	memset(mem, 1, SIZE);			/* only the tables of VMs are new */
	mem_use(&before);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int n = 1, refused = 0;
		bool bad = false;

		while (n < MOST && fails(&calls[i], n, &refused, &bad))
			n++;
		TH_LOG("%s: %d allocations, ENOMEM for %d", calls[i].name, n - 1, refused);
		EXPECT_FALSE(bad);
		EXPECT_LT(n, MOST);
	}
	EXPECT_TRUE(mem_use_back_to(&before));
	EXPECT_FALSE(log_has_warning());
}

TEST_HARNESS_MAIN
