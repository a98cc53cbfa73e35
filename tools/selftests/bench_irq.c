// SPDX-License-Identifier: GPL-2.0
/*
 * bench_irq - how long interrupts and wake-ups take
 *
 * Beside bench.c, which measures one exit at a time: here something goes from one place
 * to another, and both ends look at the TSC, which guest and host share (the offset of
 * each vCPU is 0).  Where the other end stamps, it puts its time into struct stamps, and
 * the end that waits for it keeps the difference: one sample.  The median of the samples
 * is printed, as interrupts of the host fall into some.
 *
 *	self-IPI		from before the write to the handler's first instruction
 *	EOI			the write in the handler
 *	deadline, APIC timer	to arm it; how late the handler comes
 *	irqfd			signalled while the vCPU is out of the guest, to the handler
 *	ioeventfd		what the guest's write costs; from before it to the reader
 *	HLT wake-up		the vCPU's thread sleeps: from the kick to the handler
 *	IPI			to another vCPU and back
 *
 * Host threads share a CPU unless there are two, which the spinning IPI needs.
 *
 *	MINIKVM_DEV=/dev/kvm ./bench_irq [N]
 */
#include "bench_util.h"
#include "irq_util.h"

#define MSR_APIC_BASE	0x1b
#define MSR_DEADLINE	0x6e0
#define X2APIC_ENABLE	0x400
#define LAPIC_ICR	0x300
#define LAPIC_ICR2	0x310
#define LAPIC_LVTT	0x320
#define LAPIC_TMICT	0x380
#define LAPIC_TDCR	0x3e0
#define LVTT_DEADLINE	0x40000
#define ICR_ASSERT	0x4000
#define ICR_SELF	0x40000
#define X2APIC_MSR(reg)	(0x800 + (reg) / 16)
#define X2APIC_SELF_IPI	0x83f

#define VEC		0x60
#define GSI		5
#define KICK_PORT	0x510
#define KICK_MMIO	0xd0001000UL
#define MAX_SAMPLES	1000

static u64 loops;

/* ------------------------------------------------------------------- guest */

/* What the handlers of the two vCPUs write, and asm knows the layout of. */
struct stamps {
	u64 irq;		/* 0: the handler's first look at the clock */
	u64 eoi;		/* 8: after its EOI */
	u64 count;		/* 16: how many there were */
};

/* GS points to struct guest_exc; its log is free, as these handlers write none. */
__guest_inline volatile struct stamps *stamps(void)
{
	return (volatile struct stamps *)g_exc()->log;
}

static GUEST_DATA volatile u64 n_loops, x2apic, delay, kicked, use_mmio;
static GUEST_DATA volatile u64 sample[2][MAX_SAMPLES];

/*
 * The handler.  If it has come between STI and HLT, which a CPU that loses STI's shadow
 * lets happen, nothing would end the HLT: so it goes on behind it.
 */
#define HANDLER(eoi)							\
	"push %rax; push %rcx; push %rdx\n"				\
	"rdtsc; shl $32, %rdx; or %rdx, %rax; mov %rax, %gs:80\n"	\
	eoi "\n"							\
	"rdtsc; shl $32, %rdx; or %rdx, %rax; mov %rax, %gs:88\n"	\
	"incq %gs:96\n"							\
	"mov 24(%rsp), %rax; cmpb $0xf4, (%rax); jne 1f; incq 24(%rsp)\n" \
	"1: pop %rdx; pop %rcx; pop %rax; iretq\n"

ASM_GUEST(h_xapic, HANDLER("mov $0xfee000b0, %ecx; movl $0, (%rcx)"));
ASM_GUEST(h_x2apic, HANDLER("mov $0x80b, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr"));

__guest_inline void wrmsr(u32 msr, u64 val)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)val), "d"((u32)(val >> 32)) : "memory");
}

__guest_inline void apic_set(u32 reg, u32 val)
{
	if (x2apic)
		wrmsr(X2APIC_MSR(reg), val);
	else
		*(volatile u32 *)(LAPIC_GPA + reg) = val;
}

__guest_inline void apic_ipi(u32 dest, u32 icr)
{
	if (x2apic) {
		wrmsr(X2APIC_MSR(LAPIC_ICR), (u64)dest << 32 | icr);
	} else {
		*(volatile u32 *)(LAPIC_GPA + LAPIC_ICR2) = dest << 24;
		*(volatile u32 *)(LAPIC_GPA + LAPIC_ICR) = icr;
	}
}

__guest_inline void await_spinning(u64 count)
{
	asm volatile("sti" : : : "memory");
	while (stamps()->count <= count)
		asm volatile("pause" : : : "memory");
	asm volatile("cli" : : : "memory");
}

__guest_inline void await_halted(u64 count)
{
	while (stamps()->count <= count)
		asm volatile("sti; hlt; cli" : : : "memory");
}

static GUEST_FN void g_self_ipi(void)
{
	apic_set(LAPIC_SVR, 0x1ff);
	asm volatile("sti" : : : "memory");
	for (u64 i = 0; i < n_loops; i++) {
		u64 t = g_rdtsc();

		if (x2apic)
			wrmsr(X2APIC_SELF_IPI, VEC);
		else
			*(volatile u32 *)(LAPIC_GPA + LAPIC_ICR) = ICR_SELF | ICR_ASSERT | VEC;
		await_spinning(i);
		asm volatile("sti" : : : "memory");
		sample[0][i] = stamps()->irq - t;
		sample[1][i] = stamps()->eoi - stamps()->irq;
	}
	g_done();
}

/* The APIC's timer: its clock is 1 GHz; a deadline shows also how late it is. */
__guest_inline u64 arm_timer(bool deadline)
{
	u64 t = g_rdtsc();

	if (deadline)
		wrmsr(MSR_DEADLINE, t + delay);
	else
		apic_set(LAPIC_TMICT, delay);
	return t;
}

__guest_inline void timer_loop(bool deadline, bool halt)
{
	apic_set(LAPIC_SVR, 0x1ff);
	apic_set(LAPIC_TDCR, 0xb);
	apic_set(LAPIC_LVTT, VEC | (deadline ? LVTT_DEADLINE : 0));
	for (u64 i = 0; i < n_loops; i++) {
		u64 t = arm_timer(deadline), armed = g_rdtsc();

		if (halt)
			await_halted(i);
		else
			await_spinning(i);
		sample[0][i] = armed - t;
		sample[1][i] = stamps()->irq - (t + delay);
	}
	g_done();
}

static GUEST_FN void g_deadline(void)
{
	timer_loop(true, false);
}

static GUEST_FN void g_deadline_hlt(void)
{
	timer_loop(true, true);
}

static GUEST_FN void g_timer(void)
{
	timer_loop(false, false);
}

/* What the write costs the guest, when nobody waits for it. */
static GUEST_FN void g_ioeventfd(void)
{
	for (u64 i = 0; i < n_loops; i++) {
		u64 t = g_rdtsc();

		if (use_mmio)
			*(volatile u32 *)KICK_MMIO = 1;
		else
			asm volatile("out %%al, %%dx" : : "a"(1), "d"(KICK_PORT) : "memory");
		sample[0][i] = g_rdtsc() - t;
	}
	g_done();
}

/* Tell the host that this vCPU is about to halt, and when it did. */
static GUEST_FN void g_halts(void)
{
	apic_set(LAPIC_SVR, 0x1ff);
	for (u64 i = 0; i < n_loops; i++) {
		kicked = g_rdtsc();
		asm volatile("out %%al, %%dx" : : "a"(1), "d"(KICK_PORT) : "memory");
		await_halted(i);
	}
	g_done();
}

/* Each turn begins out of the guest, where an interrupt comes up. */
static GUEST_FN void g_stops(void)
{
	apic_set(LAPIC_SVR, 0x1ff);
	for (u64 i = 0; i < n_loops; i++) {
		g_ucall(UCALL_SYNC, 0, 0);
		await_spinning(i);
	}
	g_done();
}

/* There: an IPI to the other vCPU; back: its answer. */
__guest_inline void ipi_loop(bool halt)
{
	apic_set(LAPIC_SVR, 0x1ff);
	g_ucall(UCALL_SYNC, 0, 0);
	for (u64 i = 0; i < n_loops; i++) {
		u64 t = g_rdtsc();

		apic_ipi(1, ICR_ASSERT | VEC);
		if (halt)
			await_halted(i);
		else
			await_spinning(i);
		sample[0][i] = stamps()->irq - t;
	}
	g_done();
}

__guest_inline void ipi_answer_loop(bool halt)
{
	apic_set(LAPIC_SVR, 0x1ff);
	g_ucall(UCALL_SYNC, 0, 0);
	for (u64 i = 0; i < n_loops; i++) {
		if (halt)
			await_halted(i);
		else
			await_spinning(i);
		apic_ipi(0, ICR_ASSERT | VEC);
	}
	g_done();
}

static GUEST_FN void g_ipi_spin(void)
{
	ipi_loop(false);
}

static GUEST_FN void g_ipi_hlt(void)
{
	ipi_loop(true);
}

static GUEST_FN void g_answer_spin(void)
{
	ipi_answer_loop(false);
}

static GUEST_FN void g_answer_hlt(void)
{
	ipi_answer_loop(true);
}

/* -------------------------------------------------------------------- host */

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *name, const volatile u64 *samples)
{
	int64_t sorted[MAX_SAMPLES];

	for (u64 i = 0; i < loops; i++)
		sorted[i] = samples[i];
	qsort(sorted, loops, sizeof(*sorted), by_size);
	bench_line(name, sorted[loops / 2]);
}

static void no_tsc_offset(struct vcpu *vcpu)
{
	u64 zero = 0;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (u64)&zero,
	};
	int ret = kioctlp(vcpu->fd, KVM_SET_DEVICE_ATTR, &attr);

	if (ret)
		die("KVM_VCPU_TSC_OFFSET: %s", strerror(-ret));
}

/* A vCPU with the features that irqchips add to what KVM_GET_SUPPORTED_CPUID says. */
static struct vcpu *new_vcpu(struct vm *vm, int id, void *entry, bool is_x2apic)
{
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };
	u64 base = LAPIC_GPA | 0x800 | (id ? 0 : 0x100) | (is_x2apic ? X2APIC_ENABLE : 0);
	struct vcpu *vcpu = vcpu_bare(vm, id);
	struct cpuid_buf cpuid;

	supported_cpuid(&cpuid);
	cpuid_find(&cpuid, 1, 0)->ecx |= 1u << 24 | 1u << 21;
	if (kioctlp(vcpu->fd, KVM_SET_CPUID2, &cpuid))
		die("KVM_SET_CPUID2");
	if (vcpu_set_msr(vcpu, MSR_APIC_BASE, base) != 1)
		die("IA32_APIC_BASE");
	vcpu_long(vcpu, entry);
	no_tsc_offset(vcpu);
	if (kioctlp(vcpu->fd, KVM_SET_MP_STATE, &mp))
		die("KVM_SET_MP_STATE");
	return vcpu;
}

static void set_handler(struct vm *vm, int vector, const void *handler)
{
	u64 *gate = (u64 *)vm_ptr(vm, GPA_IDT) + 2 * vector, addr = (u64)handler;

	gate[0] = (addr & 0xffff) | SEL_CODE64 << 16 | 0x8e00ULL << 32 |
		  (addr >> 16 & 0xffff) << 48;
	gate[1] = addr >> 32;
}

static struct vcpu *start(void *entry, bool is_x2apic)
{
	struct vm *vm = vm_irqchip();

	set_handler(vm, VEC, is_x2apic ? h_x2apic : h_xapic);
	GUEST_VAR(vm, n_loops) = loops;
	GUEST_VAR(vm, x2apic) = is_x2apic;
	return new_vcpu(vm, 0, entry, is_x2apic);
}

static void until(struct vcpu *vcpu, u32 cmd)
{
	struct ucall uc = vcpu_ucall(vcpu);

	if (uc.cmd != cmd) {
		vcpu_dump(vcpu);
		die("ucall %u %#lx %#lx", uc.cmd, uc.a, uc.b);
	}
}

static const volatile u64 *samples_of(struct vm *vm, int n)
{
	return GUEST_VAR(vm, sample)[n];
}

static void bench_self_ipi(void)
{
	for (int i = 0; i < 2; i++) {
		struct vcpu *vcpu = start(g_self_ipi, i);

		until(vcpu, UCALL_DONE);
		report(i ? "self-IPI, x2APIC" : "self-IPI, xAPIC", samples_of(vcpu->vm, 0));
		report(i ? "EOI, x2APIC" : "EOI, xAPIC", samples_of(vcpu->vm, 1));
		vm_free(vcpu->vm);
	}
}

static void bench_timer(void)
{
	static const struct {
		void *entry;
		const char *arm, *late;
	} timers[] = {
		{ g_deadline, "TSC deadline, arm", "TSC deadline, late" },
		{ g_deadline_hlt, NULL, "TSC deadline in HLT, late" },
		{ g_timer, "APIC timer (TMICT), arm", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		struct vcpu *vcpu = start(timers[i].entry, true);

		GUEST_VAR(vcpu->vm, delay) = 300000;
		until(vcpu, UCALL_DONE);
		if (timers[i].arm)
			report(timers[i].arm, samples_of(vcpu->vm, 0));
		if (timers[i].late)
			report(timers[i].late, samples_of(vcpu->vm, 1));
		vm_free(vcpu->vm);
	}
}

static void add_route(struct vm *vm)
{
	struct routes r = {};
	int ret;

	route_msi(&r, GSI, VEC);
	ret = set_routes(vm, &r);
	if (ret)
		die("KVM_SET_GSI_ROUTING: %s", strerror(-ret));
}

static void add_ioeventfd(struct vm *vm, int fd, bool mmio)
{
	struct kvm_ioeventfd args = {
		.addr = mmio ? KICK_MMIO : KICK_PORT, .len = mmio ? 4 : 1, .fd = fd,
		.flags = mmio ? 0 : KVM_IOEVENTFD_FLAG_PIO,
	};
	int ret = kioctlp(vm->fd, KVM_IOEVENTFD, &args);

	if (ret)
		die("KVM_IOEVENTFD: %s", strerror(-ret));
}

static void bench_ioeventfd(void)
{
	for (int mmio = 0; mmio < 2; mmio++) {
		struct vcpu *vcpu = start(g_ioeventfd, true);
		int fd = new_eventfd();

		add_ioeventfd(vcpu->vm, fd, mmio);
		GUEST_VAR(vcpu->vm, use_mmio) = mmio;
		until(vcpu, UCALL_DONE);
		if (read_eventfd(fd) != loops)
			die("kicks were lost");
		report(mmio ? "ioeventfd, mmio write" : "ioeventfd, out",
		       samples_of(vcpu->vm, 0));
		vm_free(vcpu->vm);
		close(fd);
	}
}

/* The vCPU's thread itself raises it, between two KVM_RUNs. */
static void bench_irqfd(void)
{
	struct vcpu *vcpu = start(g_stops, true);
	volatile struct stamps *st = (void *)vcpu->exc->log;
	static u64 samples[MAX_SAMPLES];
	int fd = new_eventfd();

	add_route(vcpu->vm);
	if (irqfd(vcpu->vm, fd, GSI, 0, 0))
		die("KVM_IRQFD");
	until(vcpu, UCALL_SYNC);
	for (u64 i = 0; i < loops; i++) {
		u64 t = host_tsc();

		signal_eventfd(fd);
		until(vcpu, i == loops - 1 ? UCALL_DONE : UCALL_SYNC);
		samples[i] = st->irq - t;
	}
	report("irqfd to handler, stopped", samples);
	vm_free(vcpu->vm);
	close(fd);
}

static void *run_to_done(void *vcpu)
{
	until(vcpu, UCALL_DONE);
	return NULL;
}

static pthread_t run_thread(struct vcpu *vcpu)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_to_done, vcpu))
		die("pthread_create");
	return thread;
}

/*
 * The vCPU kicks an ioeventfd, which wakes this thread, and halts.  This thread sees to
 * it that it sleeps, by a sleep of its own longer than a halted vCPU may poll, and
 * wakes it.
 */
static void bench_hlt(bool by_irqfd)
{
	struct vcpu *vcpu = start(g_halts, true);
	volatile struct stamps *st = (void *)vcpu->exc->log;
	struct kvm_msi msi = { .address_lo = LAPIC_GPA, .data = VEC };
	static u64 wake[MAX_SAMPLES], kick[MAX_SAMPLES];
	int fd = new_eventfd(), kick_fd = eventfd(0, EFD_CLOEXEC);
	pthread_t thread;

	add_route(vcpu->vm);
	add_ioeventfd(vcpu->vm, kick_fd, false);
	if (irqfd(vcpu->vm, fd, GSI, 0, 0))
		die("KVM_IRQFD");
	thread = run_thread(vcpu);
	for (u64 i = 0; i < loops; i++) {
		u64 t;

		/* Blocks until the guest has come so far. */
		if (read_eventfd(kick_fd) != 1)
			die("a kick was lost");
		t = host_tsc();
		kick[i] = t - GUEST_VAR(vcpu->vm, kicked);
		if (i)
			wake[i - 1] = st->irq - wake[i - 1];
		usleep(2000);
		wake[i] = host_tsc();
		if (by_irqfd)
			signal_eventfd(fd);
		else if (kioctlp(vcpu->vm->fd, KVM_SIGNAL_MSI, &msi) != 1)
			die("KVM_SIGNAL_MSI");
	}
	pthread_join(thread, NULL);
	wake[loops - 1] = st->irq - wake[loops - 1];
	if (by_irqfd)
		report("ioeventfd to its reader", kick);
	report(by_irqfd ? "HLT wake-up by irqfd" : "HLT wake-up by SIGNAL_MSI", wake);
	vm_free(vcpu->vm);
	close(fd);
	close(kick_fd);
}

static void bench_ipi(bool halt)
{
	const char *name = halt ? "IPI and back, both halted" : "IPI and back, both spinning";
	struct vcpu *a, *b;
	pthread_t thread;

	if (!halt && host_cpus() < 2) {
		bench_skip(name, "one CPU");
		return;
	}
	a = start(halt ? g_ipi_hlt : g_ipi_spin, true);
	b = new_vcpu(a->vm, 1, halt ? g_answer_hlt : g_answer_spin, true);
	until(a, UCALL_SYNC);
	until(b, UCALL_SYNC);
	thread = run_thread(b);
	if (host_cpus() > 1)
		pin_cpu(1);
	until(a, UCALL_DONE);
	pin_cpu(0);
	pthread_join(thread, NULL);
	report(name, samples_of(a->vm, 0));
	vm_free(a->vm);
}

int main(int argc, char **argv)
{
	loops = bench_start(argc, argv, 200);
	if (loops > MAX_SAMPLES)
		loops = MAX_SAMPLES;
	bench_self_ipi();
	bench_timer();
	bench_irqfd();
	bench_ioeventfd();
	bench_hlt(true);
	bench_hlt(false);
	bench_ipi(true);
	bench_ipi(false);
	return 0;
}
