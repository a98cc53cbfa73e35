// SPDX-License-Identifier: GPL-2.0
/*
 * vcpu.c - virtual CPUs: their first state, and the loop that runs them
 *
 * A vCPU is a file descriptor and a page shared with the kernel, struct kvm_run.
 * Its thread calls KVM_RUN, which returns when the guest did something that the
 * kernel leaves to us: the loop looks at run->exit_reason, emulates, and calls
 * KVM_RUN again.  Trap, emulate, trap: that is a VMM's whole life.  HLT and the
 * interrupt controllers are in the kernel here, so what comes is port I/O.
 *
 * The first vCPU starts where the boot protocol says (boot.c).  The others' local
 * APICs wait for INIT and start-up messages; the kernel keeps their KVM_RUN waiting
 * until the guest sends those, so they need neither registers nor attention.
 *
 * A thread is stopped by a signal.  Its handler sets run->immediate_exit, so a
 * signal that comes just before KVM_RUN is not lost: KVM_RUN then returns at once.
 *
 * At a pause the threads end, and others go on with what migrate.c has made of the
 * vCPUs.  A thread leaves for a pause only by KVM_RUN's EINTR.  An IN that was just
 * emulated is finished by the next KVM_RUN, which puts the value into a register:
 * without that the guest would not be between two instructions.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "minivmm.h"

#define KICK_SIGNAL	SIGUSR1
#define MAX_CPUID	100		/* entries, as many as kvmtool has room for */

/* SDM vol. 3, 2.2.1, 2.5: CR0, and RFLAGS' bit that is always set. */
#define CR0_PE		0x01
#define CR0_ET		0x10
#define RFLAGS_FIXED	0x02

/* SDM vol. 3, "Local vector table": delivery mode and mask of LINT0 and LINT1. */
#define APIC_LVT_LINT0	0x350
#define APIC_LVT_LINT1	0x360
#define LVT_NMI		0x400
#define LVT_EXTINT	0x700
#define LVT_MASKED	0x10000

#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_MISC_ENABLE		0x1a0
#define MISC_ENABLE_FAST_STRING	0x1
#define MSR_MTRR_DEFAULT	0x2ff
#define MTRR_ENABLE_WB		0x806	/* enabled; all memory is write-back */
#define MSR_STAR		0xc0000081	/* LSTAR, CSTAR, FMASK follow */
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_TSC			0x10

/* ------------------------------------------------------------------- set-up */

/*
 * As firmware leaves it: the 8259s' output comes in at LINT0 of the first CPU, NMIs
 * at LINT1 of all.
 */
static void set_lint(struct vcpu *vcpu)
{
	const uint32_t lint1 = LVT_NMI;
	uint32_t lint0 = LVT_EXTINT;
	struct kvm_lapic_state lapic;

	if (vcpu->id)
		lint0 |= LVT_MASKED;
	KVM(vcpu->vm, vcpu->fd, KVM_GET_LAPIC, &lapic);
	memcpy(lapic.regs + APIC_LVT_LINT0, &lint0, sizeof(lint0));
	memcpy(lapic.regs + APIC_LVT_LINT1, &lint1, sizeof(lint1));
	KVM(vcpu->vm, vcpu->fd, KVM_SET_LAPIC, &lapic);
}

void vcpus_create(struct vm *vm)
{
	unsigned int id;

	for (id = 0; id < vm->nr_cpus; id++) {
		struct vcpu *vcpu = &vm->vcpus[id];

		vcpu->vm = vm;
		vcpu->id = id;
		vcpu->fd = KVM(vm, vm->fd, KVM_CREATE_VCPU, id);
		vcpu->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
				 vcpu->fd, 0);
		if (vcpu->run == MAP_FAILED)
			die_errno("mmap of a vCPU");
		log_map_ring(vcpu);
		set_lint(vcpu);
	}
}

/*
 * What the CPUID instruction will say: all that the module supports, but for what
 * depends on the machine that we make: one package of nr_cpus cores, whose APIC IDs
 * count from 0.
 */
static void edit_cpuid(const struct vcpu *vcpu, struct kvm_cpuid_entry2 *entry)
{
	const struct vm *vm = vcpu->vm;

	switch (entry->function) {
	case 0x1:
		entry->ebx = (entry->ebx & 0xffff) | vm->nr_cpus << 16 | vcpu->id << 24;
		entry->ecx |= 1u << 31;			/* there is a hypervisor */
		if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
			entry->ecx |= 1 << 24;
		if (vm->nr_cpus > 1)
			entry->edx |= 1 << 28;		/* more than one in the package */
		break;
	case 0x4:					/* Intel: all caches private */
		entry->eax = (entry->eax & 0x3fff) | (vm->nr_cpus - 1) << 26;
		break;
	case 0xa:					/* no performance counters */
	case 0xb:					/* topology as above, */
	case 0x1f:					/* not the host's */
	case 0x8000001e:
		entry->eax = 0;
		entry->ebx = 0;
		entry->ecx = 0;
		entry->edx = 0;
		break;
	case 0x80000001:
		entry->ecx &= ~(1u << 22);		/* AMD: no 0x8000001e */
		break;
	case 0x80000008:				/* AMD: so many cores */
		entry->ecx = vm->nr_cpus - 1;
		break;
	}
}

static void set_cpuid(struct vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid;
	unsigned int i;

	cpuid = calloc(1, sizeof(*cpuid) + MAX_CPUID * sizeof(cpuid->entries[0]));
	if (!cpuid)
		die_errno("memory for CPUID");
	cpuid->nent = MAX_CPUID;
	KVM(vcpu->vm, vcpu->vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid);
	for (i = 0; i < cpuid->nent; i++)
		edit_cpuid(vcpu, &cpuid->entries[i]);
	KVM(vcpu->vm, vcpu->fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
}

/* 32-bit protected mode without paging, segments flat, interrupts off. */
static void set_registers(struct vcpu *vcpu)
{
	const struct kvm_segment data = {
		.selector = 0x18, .limit = 0xffffffff, .type = 3, .s = 1,
		.present = 1, .db = 1, .g = 1,
	};
	struct kvm_segment code = data;
	struct kvm_regs regs = {
		.rip = KERNEL_BASE, .rsi = ZERO_PAGE, .rflags = RFLAGS_FIXED,
	};
	struct kvm_sregs sregs;

	code.selector = 0x10;
	code.type = 11;
	KVM(vcpu->vm, vcpu->fd, KVM_GET_SREGS, &sregs);
	sregs.cs = code;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.gdt.base = GDT_BASE;
	sregs.gdt.limit = 4 * 8 - 1;
	sregs.cr0 = CR0_PE | CR0_ET;
	KVM(vcpu->vm, vcpu->fd, KVM_SET_SREGS, &sregs);
	KVM(vcpu->vm, vcpu->fd, KVM_SET_REGS, &regs);
}

/* As FNINIT and LDMXCSR of the reset value would: all exceptions masked. */
static void set_fpu(struct vcpu *vcpu)
{
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };

	KVM(vcpu->vm, vcpu->fd, KVM_SET_FPU, &fpu);
}

/* MSRs at their reset values, but for what firmware turns on. */
static void set_msrs(struct vcpu *vcpu)
{
	static const struct kvm_msr_entry entries[] = {
		{ .index = MSR_SYSENTER_CS }, { .index = MSR_SYSENTER_ESP },
		{ .index = MSR_SYSENTER_EIP }, { .index = MSR_STAR },
		{ .index = MSR_STAR + 1 }, { .index = MSR_STAR + 2 },
		{ .index = MSR_STAR + 3 }, { .index = MSR_KERNEL_GS_BASE },
		{ .index = MSR_TSC },
		{ .index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING },
		{ .index = MSR_MTRR_DEFAULT, .data = MTRR_ENABLE_WB },
	};
	const int nr = ARRAY_SIZE(entries);
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entries[ARRAY_SIZE(entries)];
	} msrs = { .header.nmsrs = nr };
	int done;

	memcpy(msrs.entries, entries, sizeof(entries));
	/* The result is how many were written: it stops at one it does not know. */
	done = KVM(vcpu->vm, vcpu->fd, KVM_SET_MSRS, &msrs);
	if (done != nr)
		die("KVM_SET_MSRS: MSR 0x%x was refused", entries[done].index);
}

/* ----------------------------------------------------------------- run loop */

static const char *exit_name(unsigned int reason)
{
	static const char * const names[] = {
		[KVM_EXIT_UNKNOWN] = "UNKNOWN",
		[KVM_EXIT_EXCEPTION] = "EXCEPTION",
		[KVM_EXIT_HYPERCALL] = "HYPERCALL",
		[KVM_EXIT_DEBUG] = "DEBUG",
		[KVM_EXIT_HLT] = "HLT",
		[KVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
		[KVM_EXIT_INTERNAL_ERROR] = "INTERNAL_ERROR",
	};

	if (reason < ARRAY_SIZE(names) && names[reason])
		return names[reason];
	return "(see linux/kvm.h)";
}

/* An exit that means that the guest cannot go on: say all that helps to see why. */
static void explain(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	fprintf(stderr, "\r\nminivmm: vCPU %u: exit %u, KVM_EXIT_%s\r\n", vcpu->id,
		run->exit_reason, exit_name(run->exit_reason));
	if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
		fprintf(stderr, "\thardware's reason 0x%llx\r\n",
			run->fail_entry.hardware_entry_failure_reason);
	if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		fprintf(stderr, "\tsuberror %u\r\n", run->internal.suberror);
	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) || ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		return;
	fprintf(stderr, "\tcs:rip %x:%llx rflags %llx cr0 %llx cr3 %llx efer %llx\r\n",
		sregs.cs.selector, regs.rip, regs.rflags, sregs.cr0, sregs.cr3, sregs.efer);
}

/* IN and OUT, also INS and OUTS: count items, one behind the other. */
static void handle_port_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	unsigned int i;

	for (i = 0; i < run->io.count; i++, data += run->io.size)
		port_io(vcpu->vm, run->io.direction == KVM_EXIT_IO_OUT, run->io.port,
			run->io.size, data);
}

/* One exit, emulated. */
static void handle_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_port_io(vcpu);
		break;
	case KVM_EXIT_MMIO:
		/* No device of ours is in memory: as a bus where nobody answers. */
		if (!run->mmio.is_write)
			memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
		break;
	case KVM_EXIT_DIRTY_RING_FULL:
		log_ring_full(vcpu->vm);
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_SHUTDOWN:
		vm_end(vcpu->vm, 0, "the guest reset by a triple fault");
		break;
	default:
		explain(vcpu);
		vm_end(vcpu->vm, 1, "the guest cannot go on");
	}
}

static __thread struct kvm_run *this_run;

static void kicked(int signal)
{
	(void)signal;
	if (this_run)
		this_run->immediate_exit = 1;
}

/* A vCPU's thread, from the state that the vCPU has. */
static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	struct vm *vm = vcpu->vm;

	this_run = vcpu->run;
	if (vm->paused)			/* the signal may have come before this_run */
		this_run->immediate_exit = 1;
	while (!vm_ended(vm)) {
		if (!ioctl(vcpu->fd, KVM_RUN, 0)) {
			handle_exit(vcpu);
		} else if (errno == EINTR && vm->paused) {
			break;
		} else if (errno != EINTR && errno != EAGAIN) {	/* kicked; was started */
			perror("\r\nminivmm: KVM_RUN");
			vm_end(vm, 1, "the guest cannot go on");
		}
	}
	return NULL;
}

/*
 * The same, from power-on.  The initial state is set here, in parallel with the
 * others', as an ioctl on a vCPU wants to come from the thread that runs it.
 */
static void *first_thread(void *arg)
{
	struct vcpu *vcpu = arg;

	set_cpuid(vcpu);
	set_registers(vcpu);
	set_fpu(vcpu);
	set_msrs(vcpu);
	return vcpu_thread(vcpu);
}

static void start_threads(struct vm *vm, void *(*function)(void *))
{
	unsigned int i;

	for (i = 0; i < vm->nr_cpus; i++) {
		errno = pthread_create(&vm->vcpus[i].thread, NULL, function,
				       &vm->vcpus[i]);
		if (errno)
			die_errno("a vCPU's thread");
	}
}

void vcpus_start(struct vm *vm)
{
	const struct sigaction action = { .sa_handler = kicked };

	sigaction(KICK_SIGNAL, &action, NULL);
	start_threads(vm, first_thread);
}

/* vm->ended or vm->paused is set: whoever is in KVM_RUN only has to come out of it. */
void vcpus_stop(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_cpus; i++)
		pthread_kill(vm->vcpus[i].thread, KICK_SIGNAL);
	for (i = 0; i < vm->nr_cpus; i++)
		pthread_join(vm->vcpus[i].thread, NULL);
}

/**
 * vcpus_pause() - all vCPUs stop between two instructions
 * @vm:		the machine
 *
 * Returns when they have; their threads are gone until vcpus_resume().  If the
 * machine ends meanwhile, an instruction may be half done, which nobody will miss.
 */
void vcpus_pause(struct vm *vm)
{
	vm->paused = true;
	vcpus_stop(vm);
}

/* They go on; if the machine has ended, their threads return at once. */
void vcpus_resume(struct vm *vm)
{
	vm->paused = false;
	start_threads(vm, vcpu_thread);
}
