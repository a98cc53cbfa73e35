// SPDX-License-Identifier: GPL-2.0
/*
 * bench - what each kind of exit costs, measured by the guest with RDTSC
 *
 * A guest does one thing N times between two RDTSCs; the cost of the same loop
 * without it is taken off.  Under Bochs with one CPU, and under QEMU TCG with icount
 * within some parts in a hundred, the TSC counts instructions, guest and host
 * together; on hardware it counts cycles.
 * Exits that go to userspace include this program's own part, one ioctl.
 *
 * Prints one line for each: "bench NAME TICKS", and when the module was built to
 * count (MINIKVM_COUNT=1; debugfs files vmreads, vmwrites, rdmsrs, wrmsrs) four
 * more figures, per exit.  bench.sh makes a table of two such runs.
 *
 *	MINIKVM_DEV=/dev/kvm ./bench [N]
 */
#include "bench_util.h"

static u64 loops;

/*
 * RCX: how often.  The time goes to RSI.  Registers that the
 * measured text may use freely: RAX, RBX, RDX, R8, R9.
 */
#define LOOP(text)							\
	"mov %rcx, %r12; mov %rcx, %r13; rdtsc; shl $32, %rdx; or %rdx, %rax\n" \
	"mov %rax, %r14\n"						\
	"1: " text "\n"							\
	"dec %r12; jnz 1b\n"						\
	"rdtsc; shl $32, %rdx; or %rdx, %rax; sub %r14, %rax; mov %rax, %rsi\n" \
	ASM_DONE

ASM_GUEST(b_empty, LOOP(""));
ASM_GUEST(b_rdtsc, LOOP("rdtsc"));
ASM_GUEST(b_cpuid, LOOP("xor %eax, %eax; xor %ecx, %ecx; cpuid"));
ASM_GUEST(b_vmcall, LOOP("mov $999, %eax; vmcall"));
ASM_GUEST(b_vmmcall, LOOP("mov $999, %eax; vmmcall"));
ASM_GUEST(b_rdmsr, LOOP("mov $0x277, %ecx; rdmsr"));
ASM_GUEST(b_wrmsr, LOOP("mov $0x277, %ecx; mov $0x70406, %eax; mov $0x70406, %edx; wrmsr"));
ASM_GUEST(b_rdmsr_direct, LOOP("mov $0xc0000100, %ecx; rdmsr"));
ASM_GUEST(b_rdmsr_gp, LOOP("mov $0xdead, %ecx; lea 2f(%rip), %r11; mov %r11, %gs:8\n"
			   "movq $1, %gs:0; rdmsr; 2:"));
ASM_GUEST(b_cr4, LOOP("mov %cr4, %rax; xor $0x80, %rax; mov %rax, %cr4"));
ASM_GUEST(b_cr3, LOOP("mov %cr3, %rax; mov %rax, %cr3"));
ASM_GUEST(b_wbinvd, LOOP("wbinvd"));
ASM_GUEST(b_dr, LOOP("mov %dr7, %rax"));
ASM_GUEST(b_hlt, LOOP("hlt"));
ASM_GUEST(b_pio_out, LOOP("out %al, $0x80"));
ASM_GUEST(b_pio_in, LOOP("in $0x80, %al"));
ASM_GUEST(b_pio_string, LOOP("mov $0x80, %edx; mov $0x100000, %edi; mov $64, %ecx; rep insb"));
ASM_GUEST(b_mmio_read, LOOP("mov $0xd0000000, %ebx; mov (%rbx), %eax"));
ASM_GUEST(b_mmio_write, LOOP("mov $0xd0000000, %ebx; mov %eax, (%rbx)"));
ASM_GUEST(b_mmio_rmw, LOOP("mov $0xd0000000, %ebx; lock incl (%rbx)"));

static const struct bench {
	const char *name;
	u8 *code;
	u64 n;				/* 0: loops */
} benches[] = {
	{ "rdtsc (no exit)", b_rdtsc, 0 },
	{ "rdmsr FS_BASE (no exit)", b_rdmsr_direct, 0 },
	{ "mov to cr3 (no exit)", b_cr3, 0 },
	{ "cpuid", b_cpuid, 0 },
	{ "hypercall", b_vmcall, 0 },
	{ "rdmsr PAT", b_rdmsr, 0 },
	{ "wrmsr PAT", b_wrmsr, 0 },
	{ "rdmsr unknown, #GP", b_rdmsr_gp, 0 },
	{ "mov to cr4", b_cr4, 0 },
	{ "mov from dr7", b_dr, 0 },
	{ "wbinvd", b_wbinvd, 0 },
	{ "hlt to userspace", b_hlt, 0 },
	{ "out to userspace", b_pio_out, 0 },
	{ "in from userspace", b_pio_in, 0 },
	{ "rep insb of 64, userspace", b_pio_string, 100 },
	{ "mmio write, userspace", b_mmio_write, 0 },
	{ "mmio read, userspace", b_mmio_read, 0 },
	{ "mmio lock inc, userspace", b_mmio_rmw, 0 },
};

/* The module's counters, of a build that counts. */
static const char * const counters[] = { "vmreads", "vmwrites", "rdmsrs", "wrmsrs" };
#define NCOUNTERS 4

static bool read_counters(u64 *c)
{
	for (int i = 0; i < NCOUNTERS; i++) {
		char path[80];
		FILE *f;

		snprintf(path, sizeof(path), "/sys/kernel/debug/minikvm/%s", counters[i]);
		f = fopen(path, "r");
		if (!f || fscanf(f, "%lu", &c[i]) != 1) {
			if (f)
				fclose(f);
			return false;
		}
		fclose(f);
	}
	return true;
}

/* Serve exits as fast as can be until the guest is done; how many there were. */
static u64 serve(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 exits = 0;

	for (;; exits++) {
		if (ioctl(vcpu->fd, KVM_RUN, 0))
			die("KVM_RUN: %s", strerror(errno));
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			if (run->io.port == UCALL_PORT)
				return exits;
			break;
		case KVM_EXIT_MMIO:
		case KVM_EXIT_HLT:
			break;
		default:
			vcpu_dump(vcpu);
			die("exit %s", exit_name(run->exit_reason));
		}
	}
}

/* Ticks for n turns of this code. */
static u64 run_once(struct vcpu *vcpu, u8 *code, u64 n)
{
	struct kvm_regs r;

	vcpu_long(vcpu, code);
	vcpu_regs(vcpu, &r);
	r.rcx = n;
	vcpu_set_regs(vcpu, &r);
	serve(vcpu);
	vcpu_regs(vcpu, &r);
	return r.rsi;
}

static void run_bench(const struct bench *b)
{
	struct vcpu *vcpu = vm_long(b_empty);
	u8 *code = b->code == b_vmcall && host_is_amd() ? b_vmmcall : b->code;
	u64 n = b->n ? b->n : loops, empty, ticks;
	u64 c0[NCOUNTERS], c1[NCOUNTERS];
	bool counted;

	/* Once to warm up: code pages, tables, the first MMIO. */
	empty = run_once(vcpu, b_empty, n);
	empty = run_once(vcpu, b_empty, n);
	run_once(vcpu, code, 10);
	counted = read_counters(c0);
	ticks = run_once(vcpu, code, n);
	printf("bench %-28s %10lu", b->name, (ticks - empty) / n);
	if (counted && read_counters(c1)) {
		for (int i = 0; i < NCOUNTERS; i++)
			printf(" %8.2f", (double)(c1[i] - c0[i]) / n);
	}
	printf("\n");
	fflush(stdout);
	vm_free(vcpu->vm);
}

/* What the VMM itself pays: calls that make no VM entry. */
static void run_calls(void)
{
	struct vcpu *vcpu = vm_long(b_empty);
	struct kvm_interrupt irq = { .irq = 0x40 };
	struct kvm_sregs s;
	struct kvm_regs r;
	u64 t;

#define CALL(name, n, what) do {					\
	t = host_tsc();							\
	for (u64 i = 0; i < (n); i++) {					\
		what;							\
	}								\
	bench_line(name, (host_tsc() - t) / (n));			\
} while (0)

	CALL("ioctl GET_REGS", 200, vcpu_regs(vcpu, &r));
	CALL("ioctl SET_REGS", 200, vcpu_set_regs(vcpu, &r));
	CALL("ioctl GET_SREGS", 200, vcpu_sregs(vcpu, &s));
	CALL("ioctl SET_SREGS", 200, vcpu_set_sregs(vcpu, &s));
	vcpu->run->immediate_exit = 1;
	CALL("ioctl RUN, immediate_exit", 200, vcpu_run(vcpu));
	CALL("ioctl INTERRUPT", 200, kioctlp(vcpu->fd, KVM_INTERRUPT, &irq));
	vm_free(vcpu->vm);
}

int main(int argc, char **argv)
{
	loops = bench_start(argc, argv, 500);
	for (size_t i = 0; i < ARRAY_SIZE(benches); i++)
		run_bench(&benches[i]);
	run_calls();
	return 0;
}
