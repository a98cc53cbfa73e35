// SPDX-License-Identifier: GPL-2.0
/*
 * abi_diff_test - the same calls on minikvm and on the stock KVM, side by side
 *
 * The yardstick is kvm-intel or kvm-amd of Linux 6.1, loaded beside minikvm.  Each
 * test is a "probe" that makes calls and writes what came back as lines "key |
 * value".  It runs on one device and then on the other (two owners of VMX or SVM
 * cannot have VMs at the same time), and then the lines are compared.  What may
 * differ is in known[] (abi_diff_known.h), each row with its reason; a difference
 * that no row allows fails the test.
 *
 * A probe must make the same calls whatever the answers are, and each call from
 * the same state; else one difference drags others behind it.  Random cases come
 * from a fixed seed.
 *
 * Left out: in-kernel interrupt controllers, of which minikvm has none.
 */
#include <fnmatch.h>
#include <kselftest_harness.h>
#include <stdarg.h>
#include <sys/klog.h>
#include <sys/stat.h>

#include "minikvm_util.h"
#include "abi_diff_known.h"

#define MINI	"/dev/minikvm"
#define STOCK	"/dev/kvm"

/* ---- transcripts ---- */

struct transcript {
	char **line;
	int n, max;
};

static struct transcript *script;
static u64 seed;

static __attribute__((format(printf, 1, 2))) void note(const char *fmt, ...)
{
	va_list ap;

	if (script->n == script->max) {
		script->max = script->max * 2 + 1024;
		script->line = realloc(script->line, script->max * sizeof(char *));
	}
	va_start(ap, fmt);
	if (vasprintf(&script->line[script->n++], fmt, ap) < 0)
		die("out of memory");
	va_end(ap);
}

/* xorshift64: the same numbers on both devices. */
static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* The words of a struct that changed: "offset:value ...". */
static const char *delta(const void *old, const void *new, size_t size)
{
	static char text[1024];
	int len = 0;

	text[0] = 0;
	for (size_t i = 0; i < size; i += 4) {
		u32 a = 0, b = 0;
		size_t n = size - i < 4 ? size - i : 4;

		memcpy(&a, (const u8 *)old + i, n);
		memcpy(&b, (const u8 *)new + i, n);
		if (a != b && len < 900)
			len += sprintf(text + len, " %zx:%x", i, b);
	}
	return text;
}

static const struct known *find_known(const char *line)
{
	enum vendor here = host_is_amd() ? AMD : INTEL;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if ((!known[i].vendor || known[i].vendor == here) &&
		    !fnmatch(known[i].line, line, FNM_EXTMATCH))
			return &known[i];
	return NULL;
}

static void run_on(const char *dev, struct transcript *t, void (*probe)(void))
{
	setenv("MINIKVM_DEV", dev, 1);
	seed = 0x6d696e696b766d31;
	script = t;
	probe();
}

/* Both transcripts of a probe; the number of differences nobody has explained. */
static int compare(void (*probe)(void))
{
	struct transcript mini = {}, stock = {};
	int bad = 0, excused = 0;

	run_on(MINI, &mini, probe);
	run_on(STOCK, &stock, probe);
	if (mini.n != stock.n)
		die("%d lines against %d", mini.n, stock.n);
	for (int i = 0; i < mini.n; i++) {
		const char *theirs = strchr(stock.line[i], '|');

		if (!strcmp(mini.line[i], stock.line[i]))
			continue;
		if (find_known(mini.line[i])) {
			excused++;
			continue;
		}
		if (bad++ < 4000)
			printf("# DIFF %s <> stock%s\n", mini.line[i], theirs ? theirs : "?");
	}
	printf("# %d answers compared, %d differ as known, %d otherwise\n", mini.n, excused, bad);
	fflush(stdout);
	return bad;
}

/* ---- what the probes work on ---- */

static u8 *scratch;		/* one buffer for all arguments, 64 KiB */

/* CPUID that both can give: what minikvm supports. */
static void common_cpuid(struct cpuid_buf *buf)
{
	const char *dev = getenv("MINIKVM_DEV");
	char *keep = strdup(dev);

	setenv("MINIKVM_DEV", MINI, 1);
	supported_cpuid(buf);
	setenv("MINIKVM_DEV", keep, 1);
	free(keep);
}

static struct vcpu *probe_vcpu(void)
{
	struct vcpu *vcpu = vcpu_bare(vm_new(), 0);
	struct cpuid_buf cpuid;

	common_cpuid(&cpuid);
	if (kioctlp(vcpu->fd, KVM_SET_CPUID2, &cpuid))
		die("KVM_SET_CPUID2");
	return vcpu;
}

/* ---- system fd: capabilities, CPUID, MSR lists ---- */

static void probe_extensions(void)
{
	int dev = dev_open();
	struct vm *vm = vm_bare();

	for (int i = 0; i <= 300; i++) {
		note("cap %d dev | %d", i, kioctl(dev, KVM_CHECK_EXTENSION, i));
		note("cap %d vm | %d", i, kioctl(vm->fd, KVM_CHECK_EXTENSION, i));
	}
	note("cap -1 dev | %d", kioctl(dev, KVM_CHECK_EXTENSION, -1));
	vm_free(vm);
	close(dev);
}

static void probe_cpuid_bits(void)
{
	static const u32 functions[] = { 0, 0x40000000, 0x80000000 };
	struct cpuid_buf buf;

	supported_cpuid(&buf);
	for (size_t f = 0; f < ARRAY_SIZE(functions); f++) {
		for (u32 fn = functions[f]; fn < functions[f] + 0x24; fn++) {
			for (u32 idx = 0; idx < 12; idx++) {
				struct kvm_cpuid_entry2 none = {}, *e = NULL;

				for (u32 i = 0; i < buf.head.nent; i++)
					if (buf.e[i].function == fn && buf.e[i].index == idx)
						e = &buf.e[i];
				note("cpuid %x.%u there | %d %x", fn, idx, !!e, e ? e->flags : 0);
				if (!e)
					e = &none;
				for (int r = 0; r < 4; r++)
					note("cpuid %x.%u %c | %08x", fn, idx, 'a' + r,
					     (&e->eax)[r]);
			}
		}
	}
}

static void probe_cpuid_sizes(void)
{
	static const u32 sizes[] = { 0, 1, 2, 3, 10, 100, 256, 257, 1000, 0x10000, -1 };
	static const u32 reqs[] = { KVM_GET_SUPPORTED_CPUID, KVM_GET_EMULATED_CPUID };
	int dev = dev_open();

	for (size_t r = 0; r < ARRAY_SIZE(reqs); r++) {
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			struct kvm_cpuid2 *c = (void *)scratch;
			int ret;

			memset(scratch, 0, 0x10000);
			c->nent = sizes[i];
			ret = kioctlp(dev, reqs[r], c);
			note("cpuid sizes %zu %x | %d kept %d", r, sizes[i], ret,
			     c->nent == sizes[i]);
			memset(scratch, 0, 0x10000);
			c->nent = sizes[i];
			c->padding = 1;
			c->entries[0].padding[1] = 1;
			note("cpuid padding %zu %x | %d", r, sizes[i], kioctlp(dev, reqs[r], c));
		}
	}
	close(dev);
}

static void probe_msr_lists(void)
{
	static const u32 reqs[] = { KVM_GET_MSR_INDEX_LIST, KVM_GET_MSR_FEATURE_INDEX_LIST };
	int dev = dev_open();

	for (u32 r = 0; r < 2; r++) {
		struct kvm_msr_list *l = (void *)scratch;
		static const u32 bases[] = { 0, 0x4b564d00, 0xc0000000, 0xc0010000 };

		memset(scratch, 0, 0x10000);
		note("msr list %u short | %d", r, kioctlp(dev, reqs[r], l));
		l->nmsrs = 4000;
		note("msr list %u long | %d", r, kioctlp(dev, reqs[r], l));
		for (size_t b = 0; b < ARRAY_SIZE(bases); b++) {
			for (u32 i = bases[b]; i < bases[b] + 0xe00; i++) {
				bool there = false;

				for (u32 k = 0; k < l->nmsrs; k++)
					there |= l->indices[k] == i;
				note("msr list %u has %x | %d", r, i, there);
			}
		}
	}
	for (u32 i = 0; i < 0x500; i++) {
		struct {
			struct kvm_msrs head;
			struct kvm_msr_entry e;
		} m = { .head.nmsrs = 1, .e.index = i };
		int ret = kioctlp(dev, KVM_GET_MSRS, &m);

		note("feature msr %x | %d %llx", i, ret, ret == 1 ? m.e.data : 0);
	}
	close(dev);
}

/* ---- every ioctl, with crude arguments ---- */

#define R(name) { name, #name }
static const struct {
	u32 nr;
	const char *name;
} requests[] = {
	R(KVM_GET_API_VERSION), R(KVM_GET_MSR_INDEX_LIST), R(KVM_CHECK_EXTENSION),
	R(KVM_GET_VCPU_MMAP_SIZE), R(KVM_GET_SUPPORTED_CPUID), R(KVM_GET_EMULATED_CPUID),
	R(KVM_GET_MSR_FEATURE_INDEX_LIST), R(KVM_CREATE_VCPU), R(KVM_GET_DIRTY_LOG),
	R(KVM_SET_NR_MMU_PAGES), R(KVM_GET_NR_MMU_PAGES), R(KVM_SET_USER_MEMORY_REGION),
	R(KVM_SET_TSS_ADDR), R(KVM_SET_IDENTITY_MAP_ADDR), R(KVM_IRQ_LINE),
	R(KVM_GET_IRQCHIP), R(KVM_SET_IRQCHIP), R(KVM_GET_PIT), R(KVM_SET_PIT),
	R(KVM_IRQ_LINE_STATUS), R(KVM_REGISTER_COALESCED_MMIO),
	R(KVM_UNREGISTER_COALESCED_MMIO), R(KVM_SET_GSI_ROUTING), R(KVM_REINJECT_CONTROL),
	R(KVM_IRQFD), R(KVM_SET_BOOT_CPU_ID), R(KVM_IOEVENTFD), R(KVM_XEN_HVM_CONFIG),
	R(KVM_SET_CLOCK), R(KVM_GET_CLOCK), R(KVM_GET_PIT2), R(KVM_SET_PIT2),
	R(KVM_SET_TSC_KHZ), R(KVM_GET_TSC_KHZ), R(KVM_SIGNAL_MSI), R(KVM_CREATE_DEVICE),
	R(KVM_SET_DEVICE_ATTR), R(KVM_GET_DEVICE_ATTR), R(KVM_HAS_DEVICE_ATTR),
	R(KVM_RUN), R(KVM_GET_REGS), R(KVM_SET_REGS), R(KVM_GET_SREGS), R(KVM_SET_SREGS),
	R(KVM_TRANSLATE), R(KVM_INTERRUPT), R(KVM_GET_MSRS), R(KVM_SET_MSRS),
	R(KVM_SET_CPUID), R(KVM_SET_SIGNAL_MASK), R(KVM_GET_FPU), R(KVM_SET_FPU),
	R(KVM_GET_LAPIC), R(KVM_SET_LAPIC), R(KVM_SET_CPUID2), R(KVM_GET_CPUID2),
	R(KVM_TPR_ACCESS_REPORTING), R(KVM_SET_VAPIC_ADDR), R(KVM_GET_MP_STATE),
	R(KVM_SET_MP_STATE), R(KVM_NMI), R(KVM_SET_GUEST_DEBUG), R(KVM_X86_SETUP_MCE),
	R(KVM_X86_GET_MCE_CAP_SUPPORTED), R(KVM_X86_SET_MCE), R(KVM_GET_VCPU_EVENTS),
	R(KVM_SET_VCPU_EVENTS), R(KVM_GET_DEBUGREGS), R(KVM_SET_DEBUGREGS),
	R(KVM_ENABLE_CAP), R(KVM_GET_XSAVE), R(KVM_SET_XSAVE), R(KVM_GET_XCRS),
	R(KVM_SET_XCRS), R(KVM_KVMCLOCK_CTRL), R(KVM_SMI), R(KVM_MEMORY_ENCRYPT_OP),
	R(KVM_HYPERV_EVENTFD), R(KVM_GET_NESTED_STATE), R(KVM_SET_NESTED_STATE),
	R(KVM_CLEAR_DIRTY_LOG), R(KVM_GET_SUPPORTED_HV_CPUID), R(KVM_X86_SET_MSR_FILTER),
	R(KVM_RESET_DIRTY_RINGS), R(KVM_SET_PMU_EVENT_FILTER), R(KVM_GET_SREGS2),
	R(KVM_SET_SREGS2), R(KVM_GET_STATS_FD), R(KVM_GET_XSAVE2), R(KVM_GET_ONE_REG),
	R(KVM_SET_ONE_REG), R(KVM_GET_REG_LIST), R(KVM_SET_MEMORY_REGION),
	R(KVM_XEN_HVM_GET_ATTR), R(KVM_XEN_VCPU_GET_ATTR),
};

/* File descriptors that a call may have made. */
static int fdless(u32 nr, int ret)
{
	if (ret > 2 && (nr == KVM_CREATE_VCPU || nr == KVM_GET_STATS_FD ||
			nr == KVM_CREATE_VM)) {
		close(ret);
		return 999;
	}
	return ret;
}

static int crude_call(int fd, u32 nr, int kind)
{
	unsigned long arg = (unsigned long)scratch;

	memset(scratch, kind == 1 ? 0xff : 0, 0x10000);
	if (kind == 2)
		arg = 0;
	else if (kind == 3)
		arg = 1;
	else if (kind == 4)
		arg = -4096UL;
	else if (kind == 5)
		arg = (unsigned long)scratch + 0x10000 - 4;	/* ends in a hole */
	return fdless(nr, kioctl(fd, nr, arg));
}

static void probe_ioctls(void)
{
	static const char * const fds[] = { "dev", "vm", "vcpu" };
	static const char * const kinds[] = { "zeros", "ones", "null", "one", "kernel", "edge" };

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		for (int f = 0; f < 3; f++) {
			struct vm *vm = vm_bare();
			struct vcpu *vcpu = f == 2 ? vcpu_bare(vm, 0) : NULL;
			int fd = f == 0 ? dev_open() : f == 1 ? vm->fd : vcpu->fd;

			for (int k = 0; k < 6; k++)
				note("ioctl %s %s %s | %d", fds[f], requests[i].name, kinds[k],
				     crude_call(fd, requests[i].nr, k));
			if (f == 0)
				close(fd);
			vm_free(vm);
		}
	}
}

/* Numbers that mean nothing, or would with another size or direction. */
static void probe_unknown_ioctls(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	int dev = dev_open();
	int fds[] = { dev, vm->fd, vcpu->fd };

	for (int f = 0; f < 3; f++) {
		for (u32 nr = 0; nr < 256; nr++) {
			note("unknown %d AE %x | %d", f, nr,
			     kioctl(fds[f], _IOC(3, 0xae, nr, 24), (unsigned long)scratch));
			note("unknown %d AF %x | %d", f, nr,
			     kioctl(fds[f], _IOC(0, 0xaf, nr, 0), (unsigned long)scratch));
		}
	}
	close(dev);
	vm_free(vm);
}

/* ---- VMs ---- */

static void probe_vcpu_ids(void)
{
	static const long ids[] = { 0, 0, 1, 1023, 1024, 4095, 4096, 0x7fffffff, 0x80000000,
				    -1, 0x100000000, 0x100000001, 17, 17 };
	int dev = dev_open();

	for (size_t i = 0; i < 8; i++)
		note("vm type %zu | %d", i, fdless(KVM_CREATE_VM, kioctl(dev, KVM_CREATE_VM, i)));
	close(dev);
	for (u64 max = 0; max < 5; max++) {
		static const u64 maxes[] = { 0, 1, 18, 4096, 5000 };
		struct vm *vm = vm_bare();

		note("max id %lu | %d", maxes[max],
		     vm_enable_cap(vm, KVM_CAP_MAX_VCPU_ID, maxes[max]));
		note("max id %lu again | %d", maxes[max],
		     vm_enable_cap(vm, KVM_CAP_MAX_VCPU_ID, 7));
		note("max id %lu read | %d", maxes[max], vm_cap(vm, KVM_CAP_MAX_VCPU_ID));
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
			note("max id %lu vcpu %lx (%zu) | %d", maxes[max], ids[i], i,
			     fdless(KVM_CREATE_VCPU, kioctl(vm->fd, KVM_CREATE_VCPU, ids[i])));
		note("max id %lu late | %d", maxes[max],
		     vm_enable_cap(vm, KVM_CAP_MAX_VCPU_ID, 7));
		vm_free(vm);
	}
}

static void probe_vm_numbers(void)
{
	static const u64 values[] = { 0, 1, 19, 20, 1000, 0xfffbc000, 0xfffbd000, 0xffffc000,
				      0xffffd000, 0xffffd001, 0xfffff000, 1UL << 32, 1UL << 63,
				      -1UL };
	struct vm *vm = vm_bare();

	for (int after = 0; after < 2; after++) {
		for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
			u64 v = values[i];

			note("vm tss %d %lx | %d", after, v, kioctl(vm->fd, KVM_SET_TSS_ADDR, v));
			note("vm ident %d %lx | %d", after, v,
			     kioctlp(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &v));
			note("vm mmu %d %lx | %d", after, v,
			     kioctl(vm->fd, KVM_SET_NR_MMU_PAGES, v));
			note("vm mmu get %d %lx | %d", after, v,
			     kioctl(vm->fd, KVM_GET_NR_MMU_PAGES, 0));
			note("vm tsc %d %lx | %d", after, v, kioctl(vm->fd, KVM_SET_TSC_KHZ, v));
		}
		if (!after)
			vcpu_bare(vm, 0);
	}
	vm_free(vm);
}

static void probe_vm_caps(void)
{
	static const u64 args[] = { 1, 0, 2, 3, 4, 7, 8, 0x10, 0x58, 0x100, -1UL, 1UL << 32 };

	for (u32 cap = 0; cap < 240; cap++) {
		for (int after = 0; after < 2; after++) {
			struct vm *vm = vm_bare();
			struct vcpu *vcpu = after ? vcpu_bare(vm, 0) : NULL;

			for (size_t i = 0; i < ARRAY_SIZE(args); i++) {
				struct kvm_enable_cap c = { .cap = cap, .args = { args[i] } };

				note("enable %u %lx vcpus %d | %d", cap, args[i], after,
				     kioctlp(vm->fd, KVM_ENABLE_CAP, &c));
				if (vcpu)
					note("enable on vcpu %u %lx | %d", cap, args[i],
					     kioctlp(vcpu->fd, KVM_ENABLE_CAP, &c));
				c.flags = 1;
				note("enable flags %u %lx vcpus %d | %d", cap, args[i], after,
				     kioctlp(vm->fd, KVM_ENABLE_CAP, &c));
				c.flags = 0;
				c.args[1] = 1;
				note("enable arg1 %u %lx vcpus %d | %d", cap, args[i], after,
				     kioctlp(vm->fd, KVM_ENABLE_CAP, &c));
			}
			vm_free(vm);
		}
	}
}

static void probe_memory(void)
{
	static const u32 slots[] = { 0, 1, 509, 32763, 32764, 32767, 0xffff, 0x10000, 0x10001,
				     0x17ffc, 0x20000, -1 };
	static const u32 flags[] = { 0, 0, 0, 1, 2, 3, 4, 8, -1 };
	static const u64 gpas[] = { 0, 0x1000, 0x200000, 1, 0xfff000, 1UL << 36, (1UL << 40) - 0x1000,
				    1UL << 40, 1UL << 48, 1UL << 52, -0x1000UL, -0x2000UL };
	static const u64 sizes[] = { 0, 0x1000, 0x2000, 0x10000, 1, 0x1800, 1UL << 31, 1UL << 43,
				     (1UL << 43) - 0x1000, 1UL << 44, -0x1000UL };
	const u64 hvas[] = { (u64)scratch, (u64)scratch, (u64)scratch + 0x1000, 0, 1, 0x1000,
			     0x7ffffffff000, 0x7fffffffe000, 1UL << 47, -0x1000UL, 1UL << 63 };
	struct vm *vm = vm_bare();

	vm_slot(vm, 5, 0, 0x10000000, 0x4000, scratch);
	for (int i = 0; i < 3000; i++) {
		u32 slot = slots[rnd() % ARRAY_SIZE(slots)], f = flags[rnd() % ARRAY_SIZE(flags)];
		u64 gpa = gpas[rnd() % ARRAY_SIZE(gpas)], size = sizes[rnd() % ARRAY_SIZE(sizes)];
		u64 hva = hvas[rnd() % ARRAY_SIZE(hvas)];
		struct kvm_userspace_memory_region mr = { slot, f, gpa, size, hva };
		int ret[5] = { kioctlp(vm->fd, KVM_SET_USER_MEMORY_REGION, &mr) };

		mr.flags ^= 1;
		ret[1] = kioctlp(vm->fd, KVM_SET_USER_MEMORY_REGION, &mr);
		mr.guest_phys_addr = 0x10000000 - 0x1000 * (i % 4);
		ret[2] = kioctlp(vm->fd, KVM_SET_USER_MEMORY_REGION, &mr);
		mr.memory_size += i & 8 ? 0x1000 : 0;
		mr.flags ^= i & 16 ? 2 : 0;
		ret[3] = kioctlp(vm->fd, KVM_SET_USER_MEMORY_REGION, &mr);
		mr.memory_size = 0;
		mr.flags = 0;
		ret[4] = kioctlp(vm->fd, KVM_SET_USER_MEMORY_REGION, &mr);
		note("slot %x f %x gpa %lx size %lx hva %lx (%d) | %d %d %d %d %d", slot, f, gpa,
		     size, hva == (u64)scratch ? 0x5c : hva, i, ret[0], ret[1], ret[2], ret[3],
		     ret[4]);
	}
	vm_free(vm);
}

static void probe_dirty_log(void)
{
	static const u32 slots[] = { 0, 1, 2, 32763, 32764, 0x10000, 0x10002, 0x20000, -1 };
	static const u64 firsts[] = { 0, 1, 64, 128, 192, 256, 1UL << 32, -64UL };
	static const u32 nums[] = { 0, 1, 36, 63, 64, 100, 128, 164, 192, 256, -1 };

	for (u64 manual = 0; manual < 4; manual++) {
		struct vm *vm = vm_bare();

		note("manual %lu | %d", manual,
		     vm_enable_cap(vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, manual));
		vm_add(vm, 0, KVM_MEM_LOG_DIRTY_PAGES, 0, 164 * PAGE_SIZE);
		vm_add(vm, 1, 0, 0x1000000, 164 * PAGE_SIZE);
		vm_add(vm, 2, 3, 0x2000000, 164 * PAGE_SIZE);
		for (size_t s = 0; s < ARRAY_SIZE(slots); s++) {
			struct kvm_dirty_log log = { .slot = slots[s], .dirty_bitmap = scratch };

			memset(scratch, 0x5a, 64);
			note("dirty get %lu %x | %d", manual, slots[s],
			     kioctlp(vm->fd, KVM_GET_DIRTY_LOG, &log));
			note("dirty bits %lu %x | %lx %lx", manual, slots[s],
			     ((u64 *)scratch)[2], ((u64 *)scratch)[3]);
			log.dirty_bitmap = NULL;
			note("dirty null %lu %x | %d", manual, slots[s],
			     kioctlp(vm->fd, KVM_GET_DIRTY_LOG, &log));
			for (size_t f = 0; f < ARRAY_SIZE(firsts); f++) {
				for (size_t n = 0; n < ARRAY_SIZE(nums); n++) {
					struct kvm_clear_dirty_log c = {
						.slot = slots[s], .first_page = firsts[f],
						.num_pages = nums[n], .dirty_bitmap = scratch,
					};
					int ret = kioctlp(vm->fd, KVM_CLEAR_DIRTY_LOG, &c);

					c.dirty_bitmap = NULL;
					note("clear %lu %x %lx %x | %d %d", manual, slots[s],
					     firsts[f], nums[n], ret,
					     kioctlp(vm->fd, KVM_CLEAR_DIRTY_LOG, &c));
				}
			}
		}
		vm_free(vm);
	}
}

static void probe_msr_filter(void)
{
	struct vm *vm = vm_bare();
	static const u32 flags[] = { 0, 1, 2, 3, 4, 8, 0x80000000 };
	static const u32 counts[] = { 0, 1, 7, 8, 0x600 * 8, 0x600 * 8 + 1, 0x3000 * 8, -1 };

	for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
		for (size_t r = 0; r < ARRAY_SIZE(flags); r++) {
			for (size_t n = 0; n < ARRAY_SIZE(counts); n++) {
				struct kvm_msr_filter mf = { .flags = flags[f] };

				memset(scratch, 0, 0x10000);
				mf.ranges[3].flags = flags[r];
				mf.ranges[3].nmsrs = counts[n];
				mf.ranges[3].base = 0xfffffff0;
				mf.ranges[3].bitmap = scratch;
				int ret = kioctlp(vm->fd, KVM_X86_SET_MSR_FILTER, &mf);

				mf.ranges[3].bitmap = NULL;
				note("filter %x range %x n %x | %d %d", flags[f], flags[r], counts[n],
				     ret, kioctlp(vm->fd, KVM_X86_SET_MSR_FILTER, &mf));
			}
		}
	}
	vm_free(vm);
}

/* ---- vCPU state ---- */

enum mode { REAL, PROT, PAE, LONG, COMPAT, NR_MODES };
static const char * const mode_name[] = { "real", "prot", "pae", "long", "compat" };

#define GPA_PAE_PDPT	0xb000		/* free in the library's layout */

static void set_mode(struct vcpu *vcpu, enum mode mode)
{
	struct kvm_vcpu_events ev = {
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW
	};
	struct kvm_sregs s;
	u64 *pdpt = vm_ptr(vcpu->vm, GPA_PAE_PDPT);

	for (u64 i = 0; i < 4; i++)
		pdpt[i] = (GPA_PD + i * PAGE_SIZE) | 1;
	if (mode == REAL)
		vcpu_real(vcpu, GPA_CODE >> 4, 0);
	else if (mode == PROT || mode == PAE)
		vcpu_prot32(vcpu, GPA_CODE);
	else
		vcpu_long(vcpu, (void *)GPA_CODE);
	vcpu_sregs(vcpu, &s);
	if (mode == PAE) {
		s.cr3 = GPA_PAE_PDPT;
		s.cr4 |= 0x20;
		s.cr0 |= 1U << 31;
	}
	if (mode == COMPAT)
		seg_set(&s.cs, SEL_CODE32, 11, 0, 1, 0);
	memset(s.interrupt_bitmap, 0, sizeof(s.interrupt_bitmap));
	s.cr2 = 0;
	s.cr8 = 0;
	if (vcpu_set_sregs(vcpu, &s) || vcpu_set_events(vcpu, &ev))
		die("set_mode %d", mode);
}

/* KVM always names SMM as valid; minikvm has none. */
static void get_events(struct vcpu *vcpu, struct kvm_vcpu_events *ev)
{
	vcpu_events(vcpu, ev);
	ev->flags &= ~KVM_VCPUEVENT_VALID_SMM;
}

/* Try special registers, and tell what became of them. */
static void try_sregs(struct vcpu *vcpu, enum mode mode, struct kvm_sregs *s, const char *what,
		      u64 a, u64 b)
{
	struct kvm_sregs base, now;
	struct kvm_sregs2 s2;
	int ret;

	set_mode(vcpu, mode);
	vcpu_sregs(vcpu, &base);
	ret = vcpu_set_sregs(vcpu, s);
	vcpu_sregs(vcpu, &now);
	note("sregs %s %s %lx %lx | %d%s", mode_name[mode], what, a, b, ret,
	     delta(&base, &now, sizeof(now)));

	set_mode(vcpu, mode);
	memset(&s2, 0, sizeof(s2));
	memcpy(&s2, s, offsetof(struct kvm_sregs2, flags));
	ret = kioctlp(vcpu->fd, KVM_SET_SREGS2, &s2);
	memset(&s2, 0, sizeof(s2));
	kioctlp(vcpu->fd, KVM_GET_SREGS2, &s2);
	note("sregs2 %s %s %lx %lx | %d%s flags %lx %lx", mode_name[mode], what, a, b, ret,
	     delta(&base, &s2, offsetof(struct kvm_sregs2, flags)), (u64)s2.flags,
	     (u64)s2.pdptrs[1]);
}

static void probe_sregs_bits(void)
{
	static const struct {
		size_t offset;
		const char *name;
	} fields[] = {
		{ offsetof(struct kvm_sregs, cr0), "cr0" }, { offsetof(struct kvm_sregs, cr2), "cr2" },
		{ offsetof(struct kvm_sregs, cr3), "cr3" }, { offsetof(struct kvm_sregs, cr4), "cr4" },
		{ offsetof(struct kvm_sregs, cr8), "cr8" }, { offsetof(struct kvm_sregs, efer), "efer" },
		{ offsetof(struct kvm_sregs, apic_base), "apic_base" },
		{ offsetof(struct kvm_sregs, gdt.base), "gdt" },
		{ offsetof(struct kvm_sregs, gdt.limit), "gdt limit" },
		{ offsetof(struct kvm_sregs, interrupt_bitmap), "irq" },
		{ offsetof(struct kvm_sregs, interrupt_bitmap) + 24, "irq3" },
	};
	struct vcpu *vcpu = probe_vcpu();

	for (enum mode m = 0; m < NR_MODES; m++) {
		for (size_t f = 0; f < ARRAY_SIZE(fields); f++) {
			for (int bit = 0; bit < 64; bit++) {
				struct kvm_sregs s;

				set_mode(vcpu, m);
				vcpu_sregs(vcpu, &s);
				*(u64 *)((u8 *)&s + fields[f].offset) ^= 1UL << bit;
				try_sregs(vcpu, m, &s, fields[f].name, bit, 0);
			}
		}
	}
	vm_free(vcpu->vm);
}

static void probe_sregs_segments(void)
{
	static const u64 values[] = { 0, 1, 2, 3, 7, 8, 11, 15, 16, 0xff };
	struct vcpu *vcpu = probe_vcpu();

	for (enum mode m = 0; m < NR_MODES; m++) {
		for (int seg = 0; seg < 8; seg++) {
			for (int field = 0; field < 12; field++) {
				for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
					struct kvm_sregs s;
					struct kvm_segment *g = &s.cs + seg;

					set_mode(vcpu, m);
					vcpu_sregs(vcpu, &s);
					if (field == 0)
						g->base = values[i] << 44 | 3;
					else if (field == 1)
						g->limit = values[i] * 0x1001;
					else if (field == 2)
						g->selector = values[i] << 1;
					else
						(&g->type)[field - 3] = values[i];
					try_sregs(vcpu, m, &s, "segment", seg * 16 + field, i);
				}
			}
		}
	}
	vm_free(vcpu->vm);
}

static void random_sregs(struct kvm_sregs *s)
{
	u64 pick = rnd();

	if (pick & 1)
		s->cr0 ^= 1U << 31;
	if (pick & 2)
		s->cr0 ^= 1;
	if (pick & 4)
		s->cr4 ^= 0x20;
	if (pick & 8)
		s->efer ^= 0x100;
	if (pick & 16)
		s->efer ^= 0x400;
	if (pick & 32)
		s->cs.l ^= 1;
	if (pick & 64)
		s->cs.db ^= 1;
	if ((pick & 0x180) == 0x180)
		s->cr3 = rnd() >> (rnd() & 63);
	if ((pick & 0x600) == 0x600)
		s->cr4 ^= 1UL << (rnd() & 31);
	if ((pick & 0x1800) == 0x1800)
		s->cr0 ^= 1UL << (rnd() & 31);
	if ((pick & 0x6000) == 0x6000)
		s->interrupt_bitmap[rnd() & 3] = rnd();
	s->cr0 |= 0x10;				/* ET has a test of its own */
}

static void probe_sregs_random(void)
{
	struct vcpu *vcpu = probe_vcpu();

	for (int i = 0; i < 3000; i++) {
		enum mode m = rnd() % NR_MODES;
		struct kvm_sregs s;
		char what[100];

		set_mode(vcpu, m);
		vcpu_sregs(vcpu, &s);
		random_sregs(&s);
		sprintf(what, "random %d cr0 %llx cr3 %llx cr4 %llx efer %llx", i, s.cr0, s.cr3,
			s.cr4, s.efer);
		try_sregs(vcpu, m, &s, what, s.cs.l, s.cs.db);
	}
	vm_free(vcpu->vm);
}

static void probe_sregs2(void)
{
	struct vcpu *vcpu = probe_vcpu();

	for (enum mode m = 0; m < NR_MODES; m++) {
		for (int flag = -1; flag < 64; flag++) {
			for (int p = 0; p < 64; p += flag > 0 ? 64 : 7) {
				struct kvm_sregs2 s, now;
				int ret;

				set_mode(vcpu, m);
				memset(&s, 0, sizeof(s));
				kioctlp(vcpu->fd, KVM_GET_SREGS2, &s);
				s.flags = flag < 0 ? 0 : 1UL << flag;
				s.pdptrs[p & 3] |= 1UL << p;
				ret = kioctlp(vcpu->fd, KVM_SET_SREGS2, &s);
				memset(&now, 0, sizeof(now));
				kioctlp(vcpu->fd, KVM_GET_SREGS2, &now);
				note("sregs2 %s flags %d pdptr %d | %d%s", mode_name[m], flag, p, ret,
				     delta(&s, &now, sizeof(s)));
			}
		}
	}
	vm_free(vcpu->vm);
}

static void probe_regs(void)
{
	struct vcpu *vcpu = probe_vcpu();

	for (enum mode m = 0; m < NR_MODES; m++) {
		for (int i = 0; i < 18 * 64; i += i < 16 * 64 ? 13 : 1) {
			struct kvm_regs r = { .rflags = 2 }, now;

			set_mode(vcpu, m);
			(&r.rax)[i / 64] ^= 1UL << i % 64;
			int ret = kioctlp(vcpu->fd, KVM_SET_REGS, &r);

			vcpu_regs(vcpu, &now);
			note("regs %s %d.%d | %d%s", mode_name[m], i / 64, i % 64, ret,
			     delta(&r, &now, sizeof(r)));
		}
	}
	vm_free(vcpu->vm);
}

static void try_events(struct vcpu *vcpu, const struct kvm_vcpu_events *ev, const char *what,
		       u64 a, u64 b)
{
	struct kvm_vcpu_events now;
	struct kvm_sregs s;
	struct kvm_vcpu_events clean = {
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW,
	};
	int ret;

	if (vm_cap(vcpu->vm, KVM_CAP_X86_TRIPLE_FAULT_EVENT))
		vcpu_set_events(vcpu, &(struct kvm_vcpu_events){ .flags = 0x20 });
	vcpu_set_events(vcpu, &clean);
	ret = vcpu_set_events(vcpu, ev);
	get_events(vcpu, &now);
	vcpu_sregs(vcpu, &s);
	note("events %s %lx %lx | %d%s irq %llx", what, a, b, ret,
	     delta(&clean, &now, sizeof(now)), s.interrupt_bitmap[0]);
}

static void probe_events(void)
{
	static const u8 values[] = { 0, 1, 2, 3, 6, 14, 31, 32, 0x80, 0xff };

	for (int caps = 0; caps < 4; caps++) {
		struct vcpu *vcpu = probe_vcpu();
		char what[64];

		if (caps & 1)
			vm_enable_cap(vcpu->vm, KVM_CAP_EXCEPTION_PAYLOAD, 1);
		if (caps & 2)
			vm_enable_cap(vcpu->vm, KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1);
		set_mode(vcpu, LONG);
		for (int bit = 0; bit < 32; bit++) {
			struct kvm_vcpu_events ev = { .flags = 1U << bit };

			sprintf(what, "caps %d flag", caps);
			try_events(vcpu, &ev, what, bit, 0);
		}
		for (size_t byte = 0; byte < sizeof(struct kvm_vcpu_events); byte++) {
			for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
				for (int f = 0; f < 0x40; f = f ? f * 2 : 1) {
					struct kvm_vcpu_events ev = { .flags = f };

					((u8 *)&ev)[byte] = values[v];
					sprintf(what, "caps %d byte %zu", caps, byte);
					try_events(vcpu, &ev, what, values[v], f);
				}
			}
		}
		for (int i = 0; i < 200; i++) {
			struct kvm_vcpu_events ev = { .flags = rnd() & 0x3f };

			for (int k = 0; k < 6; k++)
				((u8 *)&ev)[rnd() % 48] = rnd() & (rnd() & 1 ? 1 : 31);
			ev.flags &= 0x3f;
			sprintf(what, "caps %d random", caps);
			try_events(vcpu, &ev, what, i, ev.flags);
		}
		vm_free(vcpu->vm);
	}
}

static void probe_interrupts(void)
{
	static const u32 irqs[] = { 0, 2, 14, 31, 32, 255, 256, -1 };
	struct vcpu *vcpu = probe_vcpu();
	struct kvm_vcpu_events zero = {}, ev;

	set_mode(vcpu, LONG);
	for (size_t i = 0; i < ARRAY_SIZE(irqs); i++) {
		struct kvm_interrupt irq = { .irq = irqs[i] };
		struct kvm_sregs s;
		int ret = kioctlp(vcpu->fd, KVM_INTERRUPT, &irq);

		get_events(vcpu, &ev);
		vcpu_sregs(vcpu, &s);
		note("interrupt %x | %d%s %llx %llx", irqs[i], ret, delta(&zero, &ev, sizeof(ev)),
		     s.interrupt_bitmap[0], s.interrupt_bitmap[3]);
		vcpu_set_events(vcpu, &ev);
		get_events(vcpu, &ev);
		note("interrupt %x again |%s", irqs[i], delta(&zero, &ev, sizeof(ev)));
	}
	for (int i = 0; i < 4; i++) {
		int ret = kioctl(vcpu->fd, KVM_NMI, i);

		get_events(vcpu, &ev);
		note("nmi %d | %d%s", i, ret, delta(&zero, &ev, sizeof(ev)));
	}
	vm_free(vcpu->vm);
}

static void probe_mp_state(void)
{
	struct vcpu *vcpu = probe_vcpu();

	for (u32 i = 0; i < 18; i++) {
		struct kvm_mp_state mp = { i < 16 ? i : 1U << (i + 14) }, now;
		int ret = kioctlp(vcpu->fd, KVM_SET_MP_STATE, &mp);

		kioctlp(vcpu->fd, KVM_GET_MP_STATE, &now);
		note("mp_state %x | %d %x", mp.mp_state, ret, now.mp_state);
	}
	vm_free(vcpu->vm);
}

/* ---- debug registers, debugging ---- */

static void probe_debugregs(void)
{
	struct vcpu *vcpu = probe_vcpu();

	set_mode(vcpu, LONG);
	for (size_t i = 0; i < sizeof(struct kvm_debugregs) * 8; i++) {
		struct kvm_debugregs base = { .dr6 = 0xffff0ff0, .dr7 = 0x400 }, d, now;

		kioctlp(vcpu->fd, KVM_SET_DEBUGREGS, &base);
		kioctlp(vcpu->fd, KVM_GET_DEBUGREGS, &base);
		d = base;
		((u8 *)&d)[i / 8] ^= 1 << i % 8;
		int ret = kioctlp(vcpu->fd, KVM_SET_DEBUGREGS, &d);

		kioctlp(vcpu->fd, KVM_GET_DEBUGREGS, &now);
		note("debugregs %zu.%zu | %d%s", i / 64, i % 64, ret,
		     delta(&base, &now, sizeof(now)));
	}
	vm_free(vcpu->vm);
}

static void probe_guest_debug(void)
{
	struct vcpu *vcpu = probe_vcpu();

	set_mode(vcpu, LONG);
	for (int i = 0; i < 64 + 1024; i++) {
		struct kvm_guest_debug off = {}, d = {};
		struct kvm_vcpu_events ev, none = {};
		struct kvm_debugregs dr = {};
		struct kvm_regs r;
		int ret[2];

		if (i < 32)
			d.control = 1U << i;
		else if (i < 64)
			d.control = 1 | 1U << (i - 32);
		else
			d.control = (rnd() & 0x1f0003) | (rnd() & 1);
		if (i >= 64)
			d.arch.debugreg[7] = rnd() & 1 ? rnd() & 0xffffffff : 1UL << (rnd() & 63);
		ret[0] = kioctlp(vcpu->fd, KVM_SET_GUEST_DEBUG, &d);
		vcpu_regs(vcpu, &r);
		get_events(vcpu, &ev);
		kioctlp(vcpu->fd, KVM_GET_DEBUGREGS, &dr);
		ret[1] = kioctlp(vcpu->fd, KVM_SET_GUEST_DEBUG, &d);
		note("guest_debug %d %x dr7 %llx | %d %d rflags %llx dr6 %llx dr7 %llx%s", i, d.control,
		     d.arch.debugreg[7], ret[0], ret[1], r.rflags, dr.dr6, dr.dr7,
		     delta(&none, &ev, sizeof(ev)));
		kioctlp(vcpu->fd, KVM_SET_GUEST_DEBUG, &off);
		vcpu_set_events(vcpu, &none);
		vcpu_regs(vcpu, &r);
		note("guest_debug %d off | rflags %llx", i, r.rflags);
	}
	vm_free(vcpu->vm);
}

/* ---- extended state ---- */

static void probe_xcrs(void)
{
	struct vcpu *vcpu = probe_vcpu(), *bare = vcpu_bare(vcpu->vm, 1);

	for (int i = 0; i < 400; i++) {
		struct kvm_xcrs base = { .nr_xcrs = 1, .xcrs[0].value = 1 }, x = base, now = {};
		struct vcpu *v = i & 1 ? bare : vcpu;
		int k = i / 2, ret;

		kioctlp(v->fd, KVM_SET_XCRS, &base);
		if (k < 64)
			x.xcrs[0].value ^= 1UL << k;
		else if (k < 96)
			x.flags = 1U << (k - 64);
		else if (k < 128)
			x.nr_xcrs = k - 96;
		else if (k < 160)
			x.xcrs[0].xcr = 1U << (k - 128);
		else
			x.xcrs[0].value = rnd() & 0x2ff;
		ret = kioctlp(v->fd, KVM_SET_XCRS, &x);
		memset(&now, 0, sizeof(now));
		kioctlp(v->fd, KVM_GET_XCRS, &now);
		note("xcrs %s %d %llx | %d %x %x %llx", i & 1 ? "bare" : "cpuid", k, x.xcrs[0].value,
		     ret, now.nr_xcrs, now.xcrs[0].xcr, now.xcrs[0].value);
	}
	vm_free(vcpu->vm);
}

static void probe_xsave(void)
{
	struct vcpu *vcpu = probe_vcpu(), *bare = vcpu_bare(vcpu->vm, 1);
	static const u32 offsets[] = { 0, 2, 4, 24, 28, 464, 512, 513, 516, 520, 527, 528, 536, 575,
				       576, 831, 832, 1088, 2440, 2688, 4095 };
	static u8 base[4096], x[4096], now[4096];

	for (int i = 0; i < 2; i++) {
		struct vcpu *v = i ? bare : vcpu;

		memset(base, 0, sizeof(base));
		int first = kioctlp(v->fd, KVM_GET_XSAVE, now);

		note("xsave first %d | %d%s", i, first, delta(base, now, sizeof(now)));
		first = kioctlp(v->fd, KVM_GET_XSAVE2, scratch);
		note("xsave2 first %d | %d%s", i, first, delta(base, scratch, sizeof(base)));
		memcpy(base, now, sizeof(base));
		for (u32 xfeatures = 0; xfeatures < 16; xfeatures++) {
			for (size_t o = 0; o < ARRAY_SIZE(offsets) * 8; o++) {
				int ret;

				kioctlp(v->fd, KVM_SET_XSAVE, base);
				memcpy(x, base, sizeof(x));
				x[512] = xfeatures;
				x[offsets[o / 8]] ^= 1 << o % 8;
				ret = kioctlp(v->fd, KVM_SET_XSAVE, x);
				kioctlp(v->fd, KVM_GET_XSAVE, now);
				note("xsave %d features %x %u.%zu | %d%s", i, xfeatures,
				     offsets[o / 8], o % 8, ret, delta(x, now, sizeof(now)));
			}
		}
	}
	vm_free(vcpu->vm);
}

static void probe_fpu(void)
{
	struct vcpu *vcpu = probe_vcpu();

	for (size_t i = 0; i < sizeof(struct kvm_fpu) * 8; i++) {
		struct kvm_fpu base = { .fcw = 0x37f, .mxcsr = 0x1f80 }, f = base, now;
		int ret;

		kioctlp(vcpu->fd, KVM_SET_FPU, &base);
		((u8 *)&f)[i / 8] ^= 1 << i % 8;
		ret = kioctlp(vcpu->fd, KVM_SET_FPU, &f);
		kioctlp(vcpu->fd, KVM_GET_FPU, &now);
		if (i / 8 < 408 || i / 8 > 411)
			now.mxcsr = f.mxcsr;
		note("fpu %zu.%zu | %d%s", i / 8, i % 8, ret, delta(&f, &now, sizeof(now)));
	}
	vm_free(vcpu->vm);
}

/* ---- MSRs ---- */

static void try_msrs(struct vcpu *vcpu, const char *who, u32 first, u32 n)
{
	static const u64 values[] = { 0, 1, -1UL, 0x0606060606060606, 0x0706050404030201, 6, 0x800,
				      0xc06, 0x7fffffffffff, 0x800000000000, 0xffff800000000000,
				      1UL << 63, 0xd01, 0xfee00800, 0x80000000 };
	u64 old, data;
	int ret;

	for (u32 i = first; i < first + n; i++) {
		char text[1024];
		int len = 0;

		if (i == 0x10)			/* time passes */
			continue;
		ret = vcpu_get_msr(vcpu, i, &old);
		len = sprintf(text, "%d %lx", ret, ret == 1 ? old : 0);
		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			ret = vcpu_set_msr(vcpu, i, values[v]);
			len += sprintf(text + len, " %d", ret);
			ret = vcpu_get_msr(vcpu, i, &data);
			if (ret == 1 && data != values[v])
				len += sprintf(text + len, ":%lx", data);
			vcpu_set_msr(vcpu, i, old);
		}
		note("msr %s %x | %s", who, i, text);
	}
}

static void probe_msrs(void)
{
	struct vcpu *vcpu = probe_vcpu(), *bare = vcpu_bare(vcpu->vm, 1);
	struct kvm_msrs *m = (void *)scratch;
	static const u32 counts[] = { 0, 1, 255, 256, 257, -1 };

	set_mode(vcpu, LONG);
	for (int i = 0; i < 2; i++) {
		struct vcpu *v = i ? bare : vcpu;
		const char *who = i ? "bare" : "cpuid";

		try_msrs(v, who, 0, 0x1000);
		try_msrs(v, who, 0xc0000000, 0x1100);
		try_msrs(v, who, 0xc0010000, 0x140);
		try_msrs(v, who, 0x40000000, 0x120);
		try_msrs(v, who, 0x4b564d00, 0x10);
	}
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		memset(scratch, 0, 0x10000);
		m->nmsrs = counts[i];
		for (int k = 0; k < 256; k++)
			m->entries[k].index = k == 100 ? 0x7777 : 0x174;
		note("msrs get %x | %d", counts[i], kioctlp(vcpu->fd, KVM_GET_MSRS, m));
		note("msrs set %x | %d", counts[i], kioctlp(vcpu->fd, KVM_SET_MSRS, m));
	}
	vm_free(vcpu->vm);
}

/* ---- CPUID, time, machine check ---- */

static void probe_set_cpuid(void)
{
	static const u32 nents[] = { 0, 1, 2, 80, 255, 256, 257, 0x10000, -1 };
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_bare(vm, 0);
	struct cpuid_buf c;

	for (size_t i = 0; i < ARRAY_SIZE(nents); i++) {
		for (int mess = 0; mess < 6; mess++) {
			int ret;

			common_cpuid(&c);
			if (mess == 1)
				c.e[0].flags = -1;
			if (mess == 2)
				c.e[0].padding[2] = 1;
			if (mess == 3)
				c.head.padding = 1;
			if (mess == 4)
				c.e[1] = c.e[0];
			for (u32 k = 0; mess == 5 && k < c.head.nent; k++)
				if (c.e[k].function == 0x80000008)
					c.e[k].eax = 0x3034;
			c.head.nent = nents[i];
			ret = kioctlp(vcpu->fd, KVM_SET_CPUID2, &c);
			memset(&c, 0, sizeof(c));
			c.head.nent = 256;
			note("set cpuid %x mess %d | %d", nents[i], mess, ret);
			ret = kioctlp(vcpu->fd, KVM_GET_CPUID2, &c);
			note("get cpuid %x mess %d | %d %u %x %x %x", nents[i], mess, ret,
			     c.head.nent, c.e[0].flags, c.e[0].padding[2], c.e[0].eax);
			c.head.nent = nents[i];
			ret = kioctlp(vcpu->fd, KVM_GET_CPUID2, &c);
			note("get cpuid small %x mess %d | %d %u", nents[i], mess, ret,
			     c.head.nent);
		}
	}
	for (u32 v = 0; v < 256; v++) {
		common_cpuid(&c);
		for (u32 k = 0; k < c.head.nent; k++)
			if (c.e[k].function == 0x80000008)
				c.e[k].eax = v & 1 ? v << 8 | 40 : 0x3000 | v;
		note("cpuid widths %u | %d", v, kioctlp(vcpu->fd, KVM_SET_CPUID2, &c));
	}
	vm_free(vm);
}

/* Leaves that mirror the state of the moment. */
static void probe_runtime_cpuid(void)
{
	struct vcpu *vcpu = probe_vcpu();

	for (int i = 0; i < 8; i++) {
		struct cpuid_buf a, b;
		struct kvm_sregs s;

		set_mode(vcpu, LONG);
		vcpu_sregs(vcpu, &s);
		s.cr4 |= i & 1 ? 1 << 18 : 0;
		s.apic_base &= i & 2 ? ~0x800ULL : -1ULL;
		s.apic_base |= i & 2 ? 0 : 0x800;
		vcpu_set_sregs(vcpu, &s);
		struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs[0].value = i & 4 ? 7 : 1 };

		kioctlp(vcpu->fd, KVM_SET_XCRS, &x);
		common_cpuid(&a);
		memset(&b, 0, sizeof(b));
		b.head.nent = 256;
		int ret = kioctlp(vcpu->fd, KVM_GET_CPUID2, &b);

		note("runtime cpuid %d | %d %u", i, ret, b.head.nent);
		for (u32 k = 0; k < a.head.nent; k++)
			note("runtime cpuid %d %x.%x |%s", i, a.e[k].function, a.e[k].index,
			     delta(&a.e[k], &b.e[k], sizeof(a.e[k])));
	}
	vm_free(vcpu->vm);
}

static void probe_tsc_and_mce(void)
{
	static const u64 caps[] = { 0, 1, 10, 32, 33, 255, 0x10a, 0x100000a, 0x100010a, 0x200010a,
				    0x800010a, 0x800000a, 0x10ff0a, 0x40a, 1UL << 32 | 10, -1UL };
	struct vcpu *vcpu = probe_vcpu();

	set_mode(vcpu, LONG);
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		u64 cap = caps[i], data[3];
		int ret = kioctlp(vcpu->fd, KVM_X86_SETUP_MCE, &cap);

		vcpu_get_msr(vcpu, 0x179, &data[0]);
		vcpu_get_msr(vcpu, 0x17b, &data[1]);
		vcpu_get_msr(vcpu, 0x424, &data[2]);
		note("mce cap %lx | %d %lx %lx %lx", caps[i], ret, data[0], data[1], data[2]);
	}
	kioctlp(vcpu->fd, KVM_X86_SETUP_MCE, &(u64){ 10 });
	for (int i = 0; i < 200; i++) {
		struct kvm_x86_mce m = { .status = rnd() & 3 ? 1UL << 63 | rnd() >> 3 << 3 : rnd(),
					 .addr = rnd(), .bank = rnd() % 12 };
		struct kvm_vcpu_events zero = {}, ev;
		u64 data[3];
		int ret;

		m.status &= ~(1UL << 61) | (i & 1 ? -1UL : 0);
		ret = kioctlp(vcpu->fd, KVM_X86_SET_MCE, &m);
		get_events(vcpu, &ev);
		for (int k = 0; k < 3; k++)
			vcpu_get_msr(vcpu, 0x401 + 4 * (m.bank % 10) + k, &data[k]);
		note("mce %d %llx bank %u | %d %lx %lx %lx%s", i, m.status, m.bank, ret, data[0],
		     data[1], data[2], delta(&zero, &ev, sizeof(ev)));
		vcpu_set_events(vcpu, &zero);
	}
	for (int i = 0; i < 64; i++) {
		struct kvm_device_attr a = { .flags = i & 1, .group = i >> 1 & 3, .attr = i >> 3 & 3,
					     .addr = i & 32 ? 0 : (u64)scratch };

		note("attr %d | %d %d %d", i, kioctlp(vcpu->fd, KVM_HAS_DEVICE_ATTR, &a),
		     kioctlp(vcpu->fd, KVM_GET_DEVICE_ATTR, &a),
		     kioctlp(vcpu->fd, KVM_SET_DEVICE_ATTR, &a));
	}
	int khz = kioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);

	for (int i = -8; i < 8; i++) {
		int ret = kioctl(vcpu->fd, KVM_SET_TSC_KHZ, khz + i * khz / 6);

		note("tsc %d | %d %d", i, ret, kioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0) - khz);
	}
	vm_free(vcpu->vm);
}

static void probe_translate(void)
{
	static const u64 addrs[] = { 0, 0x1234, 0x3fffff, 0x400000, 0xfffffffff, 0x7fffffffffff,
				     0x800000000000, 0xffff800000000000, 0x40000000, 0xffffffff,
				     0x100000000, -1UL, 0x7e00123, 0x80001000 };
	struct vcpu *vcpu = probe_vcpu();
	u64 *pd = vm_ptr(vcpu->vm, GPA_PD);

	pd[63] = 0;				/* not present */
	pd[1024] = 0x7fff000000183 | 1UL << 51;	/* reserved bits */
	for (enum mode m = 0; m < NR_MODES; m++) {
		set_mode(vcpu, m);
		for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
			struct kvm_translation t = { .linear_address = addrs[i] }, was = t;
			int ret = kioctlp(vcpu->fd, KVM_TRANSLATE, &t);

			note("translate %s %lx | %d%s", mode_name[m], addrs[i], ret,
			     delta(&was, &t, sizeof(t)));
		}
	}
	vm_free(vcpu->vm);
}

/* ---- KVM_RUN ---- */

static void note_run(struct vcpu *vcpu, const char *what, u64 a, u64 b)
{
	struct kvm_run *run = vcpu->run;
	struct kvm_regs r;
	struct kvm_sregs s;
	struct kvm_vcpu_events zero = {}, ev;
	char detail[200] = "";
	int ret;

	run->exit_reason = 77;
	set_timer_ms(400);
	ret = vcpu_run(vcpu);
	set_timer_ms(0);
	if (ret == -EINTR) {
		note("run %s %lx %lx | interrupted", what, a, b);
		return;
	}
	if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		sprintf(detail, "sub %u", run->internal.suberror);
	else if (run->exit_reason == KVM_EXIT_MMIO)
		sprintf(detail, "mmio %llx %u %u", run->mmio.phys_addr, run->mmio.len,
			run->mmio.is_write);
	else if (run->exit_reason == KVM_EXIT_IO)
		sprintf(detail, "io %x %u", run->io.port, run->io.size);
	else if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
		sprintf(detail, "reason %llx", run->fail_entry.hardware_entry_failure_reason);
	vcpu_regs(vcpu, &r);
	vcpu_sregs(vcpu, &s);
	get_events(vcpu, &ev);
	note("run %s %lx %lx | %d %s %s rip %llx rflags %llx rsp %llx cs %x if %d cr8 %llx apic %llx ready %d flags %x%s",
	     what, a, b, ret, exit_name(run->exit_reason), detail, r.rip, r.rflags, r.rsp,
	     s.cs.selector, run->if_flag, run->cr8, run->apic_base,
	     run->ready_for_interrupt_injection, run->flags, delta(&zero, &ev, sizeof(ev)));
}

static void put_code(struct vcpu *vcpu)
{
	static const u8 code[] = { 0x90, 0x90, 0xf4, 0xeb, 0xfd };	/* nop; nop; hlt; loop */

	memcpy(vm_ptr(vcpu->vm, GPA_CODE), code, sizeof(code));
}

static void probe_run_fields(void)
{
	struct vcpu *vcpu = probe_vcpu();
	struct kvm_run *run = vcpu->run;

	put_code(vcpu);
	for (enum mode m = 0; m < NR_MODES; m++) {
		for (int i = 0; i < 64; i++) {
			u64 saved = run->kvm_valid_regs;

			set_mode(vcpu, m);
			run->immediate_exit = i == 1 ? 1 : i == 2 ? 0xff : 0;
			run->request_interrupt_window = i >= 3 && i < 6;
			run->cr8 = i >= 8 && i < 16 ? 1UL << (i - 8) : 0;
			run->kvm_valid_regs = i >= 16 && i < 22 ? 1UL << (i - 16) : 0;
			run->kvm_dirty_regs = i >= 22 && i < 28 ? 1UL << (i - 22) : 0;
			if (i == 4 || i == 30) {
				struct kvm_regs r;

				vcpu_regs(vcpu, &r);
				r.rflags |= 0x200;
				vcpu_set_regs(vcpu, &r);
			}
			if (i == 5)
				vcpu_set_events(vcpu, &(struct kvm_vcpu_events){
					.flags = KVM_VCPUEVENT_VALID_SHADOW,
					.interrupt.shadow = 1 });
			note_run(vcpu, mode_name[m], i, 0);
			run->immediate_exit = 0;
			run->kvm_dirty_regs = 0;
			run->request_interrupt_window = 0;
			run->cr8 = 0;
			run->kvm_valid_regs = saved;
		}
	}
	vm_free(vcpu->vm);
}

/*
 * QEMU TCG dies ("invalid tss type") when 32-bit code that is not at CPL 0, which
 * SVM takes from SS.DPL, faults: it takes no busy TSS there.
 */
static bool kills_tcg(enum mode m, int seg, int field, u64 value)
{
	return host_is_tcg() && (m == PROT || m == PAE) &&
	       seg == 5 && field == 5 && (value & 3);
}

/* One thing wrong with an otherwise good state; entered, emulated or refused. */
static void probe_run_odd(void)
{
	static const u64 values[] = { 0, 1, 2, 3, 11, 15 };
	struct vcpu *vcpu = probe_vcpu();

	put_code(vcpu);
	for (enum mode m = 0; m < NR_MODES; m++) {
		for (int seg = 0; seg < 8; seg++) {
			for (int field = 0; field < 12; field++) {
				for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
					struct kvm_sregs s;
					struct kvm_segment *g = &s.cs + seg;
					char what[64];

					if (kills_tcg(m, seg, field, values[i]))
						continue;
					set_mode(vcpu, m);
					vcpu_sregs(vcpu, &s);
					if (field == 0)
						g->base = values[i] << 45;
					else if (field == 1)
						g->limit = values[i] * 0x100001;
					else if (field == 2)
						g->selector = values[i];
					else
						(&g->type)[field - 3] = values[i];
					sprintf(what, "odd %s set %d", mode_name[m],
						vcpu_set_sregs(vcpu, &s));
					note_run(vcpu, what, seg * 16 + field, i);
				}
			}
		}
	}
	vm_free(vcpu->vm);
}

static void probe_run_odd_regs(void)
{
	struct vcpu *vcpu = probe_vcpu();

	put_code(vcpu);
	for (enum mode m = 0; m < NR_MODES; m++) {
		for (int bit = 0; bit < 128; bit++) {
			struct kvm_regs r;

			if (bit == 64)
				bit += 40;	/* below is memory with anything in it */
			char what[64];

			/* Virtual 8086 mode: as kills_tcg() has it. */
			if (host_is_tcg() && (m == PROT || m == PAE) && bit == 17)
				continue;
			set_mode(vcpu, m);
			vcpu_regs(vcpu, &r);
			if (bit < 64)
				r.rflags ^= 1UL << bit;
			else
				r.rip ^= 1UL << (bit - 64);
			vcpu_set_regs(vcpu, &r);
			sprintf(what, "regs %s", mode_name[m]);
			note_run(vcpu, what, bit, 0);
		}
	}
	vm_free(vcpu->vm);
}

/* What an injected event does to a guest that cannot or can take it. */
static void probe_run_events(void)
{
	/* Fresh vCPUs, for on KVM an entry that failed leaves its event behind. */
	static const u8 vectors[] = { 0, 3, 8, 14 };

	for (enum mode m = 0; m < NR_MODES; m += 3) {
		for (int i = 0; i < 256; i += 7) {
			struct vcpu *vcpu = probe_vcpu();
			struct kvm_vcpu_events ev = {
				.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW
			};
			char what[64];
			int ret;

			put_code(vcpu);
			set_mode(vcpu, m);
			ev.exception.injected = i & 1;
			ev.exception.nr = vectors[i >> 1 & 3];
			ev.exception.has_error_code = i >> 2 & 1;
			ev.interrupt.injected = i >> 3 & 1;
			ev.interrupt.nr = 0x30;
			ev.interrupt.soft = i >> 4 & 1;
			ev.nmi.injected = i >> 5 & 1;
			ev.nmi.pending = i >> 6 & 1;
			ev.interrupt.shadow = (i >> 7 & 1) * 2;
			ret = vcpu_set_events(vcpu, &ev);
			sprintf(what, "events %s set %d", mode_name[m], ret);
			note_run(vcpu, what, i, 0);
			vm_free(vcpu->vm);
		}
	}
}

static void probe_sigmask(void)
{
	struct vcpu *vcpu = probe_vcpu();

	for (u32 len = 0; len < 40; len++) {
		struct kvm_signal_mask *m = (void *)scratch;

		memset(scratch, 0, 64);
		m->len = len < 36 ? len : 1U << (len - 8);
		note("sigmask %x | %d", m->len, kioctlp(vcpu->fd, KVM_SET_SIGNAL_MASK, m));
	}
	vm_free(vcpu->vm);
}

/* ---- the tests ---- */

FIXTURE(abi) {};

FIXTURE_SETUP(abi)
{
	struct stat mini, stock;

	if (stat(MINI, &mini) || stat(STOCK, &stock) || mini.st_rdev == stock.st_rdev)
		SKIP(return, "no stock /dev/kvm beside /dev/minikvm");
	scratch = vm_anon(0x11000);
	mprotect(scratch + 0x10000, 0x1000, PROT_NONE);
	alarm_handler();
	klogctl(8, NULL, 1);	/* KVM tells each bad MSR: not on the console */
}

FIXTURE_TEARDOWN(abi)
{
	klogctl(7, NULL, 0);
}

/* The harness runs a test even if its set-up has skipped it. */
#define DIFF(name)						\
TEST_F_TIMEOUT(abi, name, 600)					\
{								\
	if (!_metadata->skip)					\
		EXPECT_EQ(0, compare(probe_##name));		\
}

DIFF(extensions)
DIFF(cpuid_bits)
DIFF(cpuid_sizes)
DIFF(msr_lists)
DIFF(ioctls)
DIFF(unknown_ioctls)
DIFF(vcpu_ids)
DIFF(vm_numbers)
DIFF(vm_caps)
DIFF(memory)
DIFF(dirty_log)
DIFF(msr_filter)
DIFF(sregs_bits)
DIFF(sregs_segments)
DIFF(sregs_random)
DIFF(sregs2)
DIFF(regs)
DIFF(events)
DIFF(interrupts)
DIFF(mp_state)
DIFF(debugregs)
DIFF(guest_debug)
DIFF(xcrs)
DIFF(xsave)
DIFF(fpu)
DIFF(msrs)
DIFF(set_cpuid)
DIFF(runtime_cpuid)
DIFF(tsc_and_mce)
DIFF(translate)
DIFF(run_fields)
DIFF(run_odd)
DIFF(run_odd_regs)
DIFF(run_events)
DIFF(sigmask)

TEST_HARNESS_MAIN
