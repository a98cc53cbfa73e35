// SPDX-License-Identifier: GPL-2.0
/*
 * vmm_test - other VMMs' ways: what they ask for, and in which order
 *
 * Other tests set a VM up in the order that suits the module.  Here it is done as
 * real VMMs do it: each capability that they refuse to start without, then the ioctls
 * in their order, and a guest that uses what they set up.
 *
 *	kvmtool			the PIT before the interrupt controllers, real mode,
 *				an AP that waits in KVM_RUN for its start-up message
 *	Firecracker		the same machine saved while its PIT ticks, and
 *				restored in its order in a new VM, where it goes on
 *	cloud-hypervisor	split irqchip; all interrupts are messages by irqfd
 *
 * QEMU is tested by running it, tools/minivmm likewise.
 */
#include <kselftest_harness.h>

#include "irq_util.h"

/* ------------------------------------------------------------- capabilities */

struct wanted_cap {
	int number;
	const char *name;
};

#define CAP(name) { KVM_CAP_##name, #name }

static const struct wanted_cap kvmtool_caps[] = {
	CAP(COALESCED_MMIO), CAP(SET_TSS_ADDR), CAP(PIT2), CAP(USER_MEMORY),
	CAP(IRQ_ROUTING), CAP(IRQCHIP), CAP(HLT), CAP(IRQ_INJECT_STATUS), CAP(EXT_CPUID),
	/* not in its list, but its virtio stops without them */
	CAP(IOEVENTFD), CAP(SIGNAL_MSI), CAP(NR_VCPUS), CAP(MAX_VCPUS),
};

static const struct wanted_cap qemu_caps[] = {
	CAP(USER_MEMORY), CAP(DESTROY_MEMORY_REGION_WORKS), CAP(JOIN_MEMORY_REGIONS_WORKS),
	CAP(SET_TSS_ADDR), CAP(EXT_CPUID), CAP(MP_STATE), CAP(IRQ_ROUTING),
	CAP(IMMEDIATE_EXIT), CAP(IRQCHIP), CAP(SPLIT_IRQCHIP),
	/* it runs without these, but with less */
	CAP(PIT2), CAP(PIT_STATE2), CAP(IRQFD), CAP(IRQFD_RESAMPLE), CAP(IOEVENTFD),
	CAP(IOEVENTFD_ANY_LENGTH), CAP(SIGNAL_MSI), CAP(READONLY_MEM), CAP(SYNC_MMU),
	CAP(ADJUST_CLOCK), CAP(VCPU_EVENTS), CAP(DEBUGREGS), CAP(XSAVE), CAP(XCRS),
	CAP(NR_MEMSLOTS), CAP(IRQ_INJECT_STATUS), CAP(COALESCED_MMIO), CAP(COALESCED_PIO),
};

static const struct wanted_cap firecracker_caps[] = {
	CAP(IRQCHIP), CAP(IOEVENTFD), CAP(IRQFD), CAP(USER_MEMORY), CAP(SET_TSS_ADDR),
	CAP(PIT2), CAP(PIT_STATE2), CAP(ADJUST_CLOCK), CAP(DEBUGREGS), CAP(MP_STATE),
	CAP(VCPU_EVENTS), CAP(XCRS), CAP(XSAVE), CAP(EXT_CPUID),
};

static const struct wanted_cap cloud_hypervisor_caps[] = {
	CAP(ADJUST_CLOCK), CAP(EXT_CPUID), CAP(GET_TSC_KHZ), CAP(IMMEDIATE_EXIT),
	CAP(IOEVENTFD), CAP(IRQCHIP), CAP(IRQFD), CAP(IRQ_ROUTING), CAP(MP_STATE),
	CAP(SET_IDENTITY_MAP_ADDR), CAP(SET_TSS_ADDR), CAP(SPLIT_IRQCHIP),
	CAP(TSC_DEADLINE_TIMER), CAP(USER_MEMORY), CAP(USER_NMI), CAP(VCPU_EVENTS),
	CAP(XSAVE),
};

/* Asked of the device and of a VM, as some ask the one and some the other. */
static unsigned int missing_caps(const char *vmm, const struct wanted_cap *caps, size_t nr)
{
	struct vm *vm = vm_bare();
	unsigned int missing = 0;

	for (size_t i = 0; i < nr; i++) {
		if (dev_cap(caps[i].number) > 0 && vm_cap(vm, caps[i].number) > 0)
			continue;
		ksft_print_msg("%s wants KVM_CAP_%s\n", vmm, caps[i].name);
		missing++;
	}
	vm_free(vm);
	return missing;
}

#define EXPECT_CAPS(vmm) \
	EXPECT_EQ(0, missing_caps(#vmm, vmm##_caps, ARRAY_SIZE(vmm##_caps)))

TEST(capabilities_are_there)
{
	EXPECT_CAPS(kvmtool);
	EXPECT_CAPS(qemu);
	EXPECT_CAPS(firecracker);
	EXPECT_CAPS(cloud_hypervisor);
}

/* The check itself: what is not there is seen to be missing. */
TEST(a_capability_that_nobody_has_is_missed)
{
	static const struct wanted_cap caps[] = { { 9999, "NOBODY_HAS" }, CAP(HLT) };

	EXPECT_EQ(1, missing_caps("this test", caps, ARRAY_SIZE(caps)));
}

/* ------------------------------------------------- a guest in real mode */

#define CODE_GPA	0x10000		/* also AP_VECTOR << 12 */
#define AP_VECTOR	0x10
#define BSP_ENTRY	0x100		/* offsets in the guest's text */
#define VECTOR_PIC	0x20
#define VECTOR_MSI	0x40
#define VECTOR_IRQFD	0x41
#define SERIAL_GSI	4
#define MSI_GSI		24
#define QUEUE_PORT	0x210		/* a virtio device's notify register */
#define STAGE_PORT	0x50
#define PIT_DIVISOR	2983		/* 2.5 ms */

/* At fixed offsets in the guest's text, behind the AP's entry. */
struct shared {
	u8 ticks, serial, msi, irqfd, ap;
};

#define SHARED_OFFSET	0x80

/*
 * The AP's entry is at its start, where the start-up message says.  The BSP goes from
 * stage to stage; each is told to the host by an OUT, which then does its part.  It
 * waits with PAUSE: an emulated CPU may lose STI's shadow, and HLT is tested elsewhere.
 */
ASM_GUEST_BITS(guest16, 16, "cli\n"						/* an AP */
	       "incb %cs:0x84\n"
	       "1: hlt; jmp 1b\n"
	       ".org guest16 + 0x100\n"			/* BSP_ENTRY */
	       "mov $0x11, %al; out %al, $0x20\n"		/* the master PIC */
	       "mov $0x20, %al; out %al, $0x21\n"
	       "mov $0x04, %al; out %al, $0x21\n"
	       "mov $0x01, %al; out %al, $0x21\n"
	       "mov $0xee, %al; out %al, $0x21\n"		/* 0 and 4 are open */
	       "mov $0x34, %al; out %al, $0x43\n"		/* PIT: counter 0, mode 2 */
	       "mov $0xa7, %al; out %al, $0x40\n"		/* PIT_DIVISOR */
	       "mov $0x0b, %al; out %al, $0x40\n"
	       "sti\n"
	       "1: pause; cmpb $3, %cs:0x80; jb 1b\n"
	       "mov $1, %al; out %al, $0x50\n"			/* stage 1: ticks have come */
	       "1: pause; cmpb $0, %cs:0x81; je 1b\n"
	       "mov $0x210, %dx\n"
	       "xor %ax, %ax; out %ax, %dx\n"			/* a queue is kicked: no exit */
	       "mov $2, %al; out %al, $0x50\n"			/* stage 2 */
	       "mov $0x1b, %ecx; rdmsr; or $0xc00, %eax; wrmsr\n"	/* x2APIC, on */
	       "xor %edx, %edx\n"
	       "mov $0x80f, %ecx; mov $0x1ff, %eax; wrmsr\n"	/* SVR */
	       "mov $3, %al; out %al, $0x50\n"			/* stage 3: messages may come */
	       "1: pause; cmpb $0, %cs:0x82; je 1b\n"
	       "1: pause; cmpb $0, %cs:0x83; je 1b\n"
	       "mov $4, %al; out %al, $0x50\n"			/* stage 4: now the AP */
	       "mov $1, %edx\n"
	       "mov $0x830, %ecx; mov $0x4500, %eax; wrmsr\n"	/* INIT */
	       "mov $0x4610, %eax; wrmsr\n"			/* SIPI, AP_VECTOR */
	       "1: pause; cmpb $0, %cs:0x84; je 1b\n"
	       "mov $5, %al; out %al, $0x50\n"			/* stage 5: it runs */
	       /* From here on: tell of each tick. */
	       "2: mov %cs:0x80, %bl\n"
	       "1: pause; cmpb %cs:0x80, %bl; je 1b\n"
	       "mov $6, %al; out %al, $0x50; jmp 2b\n"
	       ".org guest16 + 0x200\n"			/* handlers, 0x20 bytes each */
	       "incb %cs:0x80; jmp 3f\n"
	       ".org guest16 + 0x220\n"
	       "incb %cs:0x81\n"
	       "3: push %ax; mov $0x20, %al; out %al, $0x20; pop %ax; iret\n"
	       ".org guest16 + 0x240\n"
	       "incb %cs:0x82; jmp 4f\n"
	       ".org guest16 + 0x260\n"
	       "incb %cs:0x83\n"
	       "4: push %eax; push %ecx; push %edx\n"
	       "mov $0x80b, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr\n"	/* EOI */
	       "pop %edx; pop %ecx; pop %eax; iret\n");

/* Stages, as the guest numbers them. */
enum stage { TICKS = 1, KICKED, MESSAGES, START_AP, AP_RUNS, TICK };

static volatile struct shared *shared_of(u8 *ram)
{
	return (void *)(ram + CODE_GPA + SHARED_OFFSET);
}

static void load_guest16(u8 *ram)
{
	static const struct { u8 vector; u16 handler; } vectors[] = {
		{ VECTOR_PIC, 0x200 }, { VECTOR_PIC + SERIAL_GSI, 0x220 },
		{ VECTOR_MSI, 0x240 }, { VECTOR_IRQFD, 0x260 },
	};

	memcpy(ram + CODE_GPA, guest16, guest16_end - guest16);
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		u32 far = (CODE_GPA >> 4) << 16 | vectors[i].handler;

		memcpy(ram + 4 * vectors[i].vector, &far, sizeof(far));
	}
}

/* ------------------------------------------------------------------ kvmtool */

#define NR_VCPUS	2

struct machine {
	int dev, fd;
	u8 *ram;
	size_t run_size;
	struct { int fd; struct kvm_run *run; } vcpu[NR_VCPUS];
};

/* An ioctl of the set-up: it has to succeed. */
#define MUST(fd, request, arg) ({					\
	int must_r = kioctl(fd, request, (unsigned long)(arg));		\
									\
	if (must_r < 0)							\
		die("%s: %s", #request, strerror(-must_r));		\
	must_r;								\
})

static void set_ram(struct machine *m, u8 *ram)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = RAM_SIZE, .userspace_addr = (u64)ram,
	};

	m->ram = ram;
	MUST(m->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

/* LINT0 is the PICs', LINT1 NMI; on every CPU, as kvmtool has it. */
static void set_lint(int vcpu)
{
	const u32 extint = 0x700, nmi = 0x400;
	struct kvm_lapic_state lapic;

	MUST(vcpu, KVM_GET_LAPIC, &lapic);
	memcpy(lapic.regs + 0x350, &extint, sizeof(extint));
	memcpy(lapic.regs + 0x360, &nmi, sizeof(nmi));
	MUST(vcpu, KVM_SET_LAPIC, &lapic);
}

static void create_vcpus(struct machine *m, bool lint)
{
	for (int i = 0; i < NR_VCPUS; i++) {
		m->vcpu[i].fd = MUST(m->fd, KVM_CREATE_VCPU, i);
		m->run_size = MUST(m->dev, KVM_GET_VCPU_MMAP_SIZE, 0);
		m->vcpu[i].run = mmap(NULL, m->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
				      m->vcpu[i].fd, 0);
		if (m->vcpu[i].run == MAP_FAILED)
			die("mmap of a vCPU: %m");
		if (lint)
			set_lint(m->vcpu[i].fd);
	}
}

/* A PC's wires: kvmtool's table, pin by pin; and one MSI, as its PCI devices add them. */
static void set_pc_routes(struct machine *m)
{
	struct routes routes = { };

	for (u32 gsi = 0; gsi < 8; gsi++)
		if (gsi != 2)
			route_pin(&routes, gsi, KVM_IRQCHIP_PIC_MASTER, gsi);
	for (u32 gsi = 8; gsi < 16; gsi++)
		route_pin(&routes, gsi, KVM_IRQCHIP_PIC_SLAVE, gsi - 8);
	for (u32 gsi = 0; gsi < 24; gsi++)
		if (gsi != 2)
			route_pin(&routes, gsi, KVM_IRQCHIP_IOAPIC, gsi ? gsi : 2);
	MUST(m->fd, KVM_SET_GSI_ROUTING, &routes);
	route_msi(&routes, MSI_GSI, VECTOR_IRQFD);
	MUST(m->fd, KVM_SET_GSI_ROUTING, &routes);
}

/* What is there is what the CPU shows, room for 100 as in kvmtool. */
static void set_cpuid(struct machine *m, int cpu)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 e[100];
	} cpuid = { .head.nent = 100 };

	MUST(m->dev, KVM_GET_SUPPORTED_CPUID, &cpuid);
	for (u32 i = 0; i < cpuid.head.nent; i++) {
		if (cpuid.e[i].function == 1)
			cpuid.e[i].ebx = (cpuid.e[i].ebx & 0x00ffffff) | cpu << 24;
	}
	MUST(m->vcpu[cpu].fd, KVM_SET_CPUID2, &cpuid);
}

static void set_real_mode(int vcpu)
{
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };
	struct kvm_regs regs = { .rip = BSP_ENTRY, .rsp = 0x8000, .rflags = 2 };
	struct kvm_sregs sregs;

	MUST(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.selector = CODE_GPA >> 4;
	sregs.cs.base = CODE_GPA;
	MUST(vcpu, KVM_SET_SREGS, &sregs);
	MUST(vcpu, KVM_SET_REGS, &regs);
	MUST(vcpu, KVM_SET_FPU, &fpu);
}

/* Those that kvmtool writes; the result is how many were taken. */
static int set_msrs(int vcpu)
{
	static const u32 numbers[] = {
		0x174, 0x175, 0x176, 0xc0000081, 0xc0000083, 0xc0000102, 0xc0000082,
		0xc0000084, 0x10, 0x1a0,
	};
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry e[ARRAY_SIZE(numbers)];
	} msrs = { .head.nmsrs = ARRAY_SIZE(numbers) };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		msrs.e[i].index = numbers[i];
	msrs.e[ARRAY_SIZE(numbers) - 1].data = 1;	/* MISC_ENABLE: fast strings */
	return MUST(vcpu, KVM_SET_MSRS, &msrs) - (int)ARRAY_SIZE(numbers);
}

/* kvmtool's order, from the device to the eve of KVM_RUN. */
static void kvmtool_set_up(struct machine *m)
{
	struct kvm_pit_config pit = { };

	m->dev = dev_open();
	if (MUST(m->dev, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		die("another API");
	m->fd = MUST(m->dev, KVM_CREATE_VM, 0);
	for (size_t i = 0; i < ARRAY_SIZE(kvmtool_caps); i++)
		MUST(m->dev, KVM_CHECK_EXTENSION, kvmtool_caps[i].number);
	MUST(m->fd, KVM_SET_TSS_ADDR, 0xfffbd000);
	MUST(m->fd, KVM_CREATE_PIT2, &pit);		/* before its interrupt has a pin */
	MUST(m->fd, KVM_CREATE_IRQCHIP, 0);
	set_ram(m, vm_anon(RAM_SIZE));
	create_vcpus(m, true);
	set_pc_routes(m);
	load_guest16(m->ram);
	for (int i = 0; i < NR_VCPUS; i++) {
		set_cpuid(m, i);
		set_real_mode(m->vcpu[i].fd);
		if (set_msrs(m->vcpu[i].fd))
			die("not all MSRs were taken");
	}
}

static void machine_end(struct machine *m)
{
	for (int i = 0; i < NR_VCPUS; i++) {
		munmap(m->vcpu[i].run, m->run_size);
		close(m->vcpu[i].fd);
	}
	close(m->fd);
	close(m->dev);
}

/* Run the BSP to its next OUT to STAGE_PORT: the stage, or minus an exit's number. */
static int next_stage(struct machine *m)
{
	struct kvm_run *run = m->vcpu[0].run;
	int r;

	do
		r = kioctl(m->vcpu[0].fd, KVM_RUN, 0);
	while (r == -EINTR || r == -EAGAIN);
	if (r)
		die("KVM_RUN: %s", strerror(-r));
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != STAGE_PORT) {
		ksft_print_msg("exit %s, port %#x\n", exit_name(run->exit_reason), run->io.port);
		return -(int)run->exit_reason;
	}
	return *((u8 *)run + run->io.data_offset);
}

/* What an AP's thread does: KVM_RUN, again when it was started or interrupted. */
struct ap {
	struct machine *m;
	volatile bool over;
	volatile int eagain, other;
};

static void *run_ap(void *arg)
{
	struct ap *ap = arg;

	while (!ap->over) {
		int r = kioctl(ap->m->vcpu[1].fd, KVM_RUN, 0);

		if (r == -EAGAIN)
			ap->eagain++;
		else if (r != -EINTR)
			ap->other++;
	}
	return NULL;
}

static void nothing(int sig)
{
	(void)sig;
}

static pthread_t start_ap(struct ap *ap, struct machine *m)
{
	const struct sigaction action = { .sa_handler = nothing };
	pthread_t thread;

	*ap = (struct ap) { .m = m };
	sigaction(SIGUSR1, &action, NULL);
	if (pthread_create(&thread, NULL, run_ap, ap))
		die("no thread");
	return thread;
}

static void stop_ap(struct ap *ap, pthread_t thread)
{
	ap->over = true;
	ap->m->vcpu[1].run->immediate_exit = 1;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
}

static u64 eventfd_count(int fd)
{
	u64 n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/* The host's part of the guest's stages 1 to 5. */
#define EXPECT_STAGES(m) do {							\
	struct kvm_irq_level line = { .irq = SERIAL_GSI, .level = 1 };		\
	struct kvm_msi msi = { .address_lo = LAPIC_GPA, .data = VECTOR_MSI };	\
	int kick = eventfd(0, EFD_NONBLOCK), call = eventfd(0, EFD_NONBLOCK);	\
	struct kvm_ioeventfd ioeventfd = {					\
		.addr = QUEUE_PORT, .len = 2, .fd = kick,			\
		.flags = KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH,	\
	};									\
	struct kvm_irqfd irqfd = { .fd = call, .gsi = MSI_GSI };		\
	u64 one = 1;								\
										\
	ASSERT_EQ(0, kioctlp((m)->fd, KVM_IOEVENTFD, &ioeventfd));		\
	ASSERT_EQ(0, kioctlp((m)->fd, KVM_IRQFD, &irqfd));			\
	ASSERT_EQ(TICKS, next_stage(m));					\
	ASSERT_EQ(0, kioctlp((m)->fd, KVM_IRQ_LINE, &line));			\
	ASSERT_EQ(KICKED, next_stage(m));					\
	line.level = 0;								\
	ASSERT_EQ(0, kioctlp((m)->fd, KVM_IRQ_LINE, &line));			\
	EXPECT_EQ(1, eventfd_count(kick));					\
	ASSERT_EQ(MESSAGES, next_stage(m));					\
	ASSERT_EQ(1, kioctlp((m)->fd, KVM_SIGNAL_MSI, &msi));			\
	ASSERT_EQ((ssize_t)sizeof(one), write(call, &one, sizeof(one)));	\
	ASSERT_EQ(START_AP, next_stage(m));					\
	EXPECT_EQ(1, shared_of((m)->ram)->serial);				\
	EXPECT_EQ(1, shared_of((m)->ram)->msi);					\
	EXPECT_EQ(1, shared_of((m)->ram)->irqfd);				\
	EXPECT_EQ(0, shared_of((m)->ram)->ap);					\
	ASSERT_EQ(AP_RUNS, next_stage(m));					\
	EXPECT_EQ(1, shared_of((m)->ram)->ap);					\
	close(kick);								\
	close(call);								\
} while (0)

TEST(kvmtools_order_makes_a_machine_that_works)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = GPA_MMIO, .size = PAGE_SIZE };
	struct machine m = { };
	struct ap ap;
	pthread_t thread;

	kvmtool_set_up(&m);
	ASSERT_EQ(0, kioctlp(m.fd, KVM_REGISTER_COALESCED_MMIO, &zone));
	thread = start_ap(&ap, &m);
	EXPECT_STAGES(&m);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(TICK, next_stage(&m));
	stop_ap(&ap, thread);
	/* Its KVM_RUN came back once, to be called again: the AP was started. */
	EXPECT_LE(1, ap.eagain);
	EXPECT_EQ(0, ap.other);
	ASSERT_EQ(0, kioctlp(m.fd, KVM_UNREGISTER_COALESCED_MMIO, &zone));
	/* kvmtool sends this to the VM, where it does not belong. */
	EXPECT_EQ(-ENOTTY, kioctl(m.fd, KVM_KVMCLOCK_CTRL, 0));
	machine_end(&m);
	munmap(m.ram, RAM_SIZE);
}

/* -------------------------------------------------------------- Firecracker */

#define NR_SAVED_MSRS	128

/* What a snapshot holds of a machine, but for its memory. */
struct snapshot {
	struct kvm_pit_state2 pit;
	struct kvm_clock_data clock;
	struct kvm_irqchip chips[KVM_NR_IRQCHIPS];
	struct {
		struct kvm_mp_state mp;
		struct kvm_regs regs;
		struct kvm_sregs sregs;
		struct kvm_xsave xsave;
		struct kvm_xcrs xcrs;
		struct kvm_debugregs debug;
		struct kvm_lapic_state lapic;
		u64 tsc_khz;
		struct cpuid_buf cpuid;
		struct { struct kvm_msrs head; struct kvm_msr_entry e[NR_SAVED_MSRS]; } msrs;
		struct kvm_vcpu_events events;
	} vcpu[NR_VCPUS];
};

static void save_msrs(struct machine *m, struct snapshot *s, int cpu)
{
	struct { struct kvm_msr_list head; u32 index[NR_SAVED_MSRS]; } list = {
		.head.nmsrs = NR_SAVED_MSRS,
	};

	MUST(m->dev, KVM_GET_MSR_INDEX_LIST, &list);
	s->vcpu[cpu].msrs.head.nmsrs = list.head.nmsrs;
	for (u32 i = 0; i < list.head.nmsrs; i++)
		s->vcpu[cpu].msrs.e[i].index = list.index[i];
	if (MUST(m->vcpu[cpu].fd, KVM_GET_MSRS, &s->vcpu[cpu].msrs) != (int)list.head.nmsrs)
		die("not all listed MSRs can be read");
}

static void save(struct machine *m, struct snapshot *s)
{
	for (int i = 0; i < NR_VCPUS; i++) {
		int fd = m->vcpu[i].fd;

		MUST(fd, KVM_GET_MP_STATE, &s->vcpu[i].mp);
		MUST(fd, KVM_GET_REGS, &s->vcpu[i].regs);
		MUST(fd, KVM_GET_SREGS, &s->vcpu[i].sregs);
		MUST(fd, KVM_GET_XSAVE, &s->vcpu[i].xsave);
		MUST(fd, KVM_GET_XCRS, &s->vcpu[i].xcrs);
		MUST(fd, KVM_GET_DEBUGREGS, &s->vcpu[i].debug);
		MUST(fd, KVM_GET_LAPIC, &s->vcpu[i].lapic);
		s->vcpu[i].tsc_khz = MUST(fd, KVM_GET_TSC_KHZ, 0);
		s->vcpu[i].cpuid.head.nent = MAX_CPUID;
		MUST(fd, KVM_GET_CPUID2, &s->vcpu[i].cpuid);
		save_msrs(m, s, i);
		MUST(fd, KVM_GET_VCPU_EVENTS, &s->vcpu[i].events);
	}
	MUST(m->fd, KVM_GET_PIT2, &s->pit);
	MUST(m->fd, KVM_GET_CLOCK, &s->clock);
	s->clock.flags &= ~KVM_CLOCK_TSC_STABLE;
	for (u32 i = 0; i < KVM_NR_IRQCHIPS; i++) {
		s->chips[i].chip_id = i;
		MUST(m->fd, KVM_GET_IRQCHIP, &s->chips[i]);
	}
}

static void restore(struct machine *m, const struct snapshot *s)
{
	for (int i = 0; i < NR_VCPUS; i++) {
		int fd = m->vcpu[i].fd;

		MUST(fd, KVM_SET_CPUID2, &s->vcpu[i].cpuid);
		MUST(fd, KVM_SET_TSC_KHZ, s->vcpu[i].tsc_khz);
		MUST(fd, KVM_SET_MP_STATE, &s->vcpu[i].mp);
		MUST(fd, KVM_SET_REGS, &s->vcpu[i].regs);
		MUST(fd, KVM_SET_SREGS, &s->vcpu[i].sregs);
		MUST(fd, KVM_SET_XSAVE, &s->vcpu[i].xsave);
		MUST(fd, KVM_SET_XCRS, &s->vcpu[i].xcrs);
		MUST(fd, KVM_SET_DEBUGREGS, &s->vcpu[i].debug);
		MUST(fd, KVM_SET_LAPIC, &s->vcpu[i].lapic);
		if (MUST(fd, KVM_SET_MSRS, &s->vcpu[i].msrs) !=
		    (int)s->vcpu[i].msrs.head.nmsrs)
			die("not all saved MSRs can be written");
		MUST(fd, KVM_SET_VCPU_EVENTS, &s->vcpu[i].events);
	}
	MUST(m->fd, KVM_SET_PIT2, &s->pit);
	MUST(m->fd, KVM_SET_CLOCK, &s->clock);
	for (u32 i = 0; i < KVM_NR_IRQCHIPS; i++)
		MUST(m->fd, KVM_SET_IRQCHIP, &s->chips[i]);
}

static void firecracker_create(struct machine *m, u8 *ram)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	m->dev = dev_open();
	m->fd = MUST(m->dev, KVM_CREATE_VM, 0);
	MUST(m->fd, KVM_SET_TSS_ADDR, 0xfffbd000);
	set_ram(m, ram);
	MUST(m->fd, KVM_CREATE_IRQCHIP, 0);
	MUST(m->fd, KVM_CREATE_PIT2, &pit);
	create_vcpus(m, false);
}

TEST(firecrackers_snapshot_goes_on_in_another_vm)
{
	static struct snapshot snapshot;
	struct machine m = { }, twin = { };
	struct ap ap;
	pthread_t thread;
	u8 ticks;

	kvmtool_set_up(&m);
	thread = start_ap(&ap, &m);
	EXPECT_STAGES(&m);
	stop_ap(&ap, thread);
	/* The OUT is finished when its KVM_RUN is called again: so that it will not be twice. */
	m.vcpu[0].run->immediate_exit = 1;
	ASSERT_EQ(-EINTR, kioctl(m.vcpu[0].fd, KVM_RUN, 0));
	save(&m, &snapshot);
	machine_end(&m);

	firecracker_create(&twin, m.ram);
	restore(&twin, &snapshot);
	thread = start_ap(&ap, &twin);
	ticks = shared_of(twin.ram)->ticks;
	for (int i = 0; i < 5; i++)
		ASSERT_EQ(TICK, next_stage(&twin));
	EXPECT_LE(5, (u8)(shared_of(twin.ram)->ticks - ticks));
	stop_ap(&ap, thread);
	/* Started before: it halts where it was, and is not started again. */
	EXPECT_EQ(0, ap.eagain);
	EXPECT_EQ(0, ap.other);
	EXPECT_EQ(1, shared_of(twin.ram)->ap);
	machine_end(&twin);
	munmap(m.ram, RAM_SIZE);
}

/* --------------------------------------------------------- cloud-hypervisor */

TEST(cloud_hypervisors_irqfds_reach_a_guest)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	int eventfds[3];
	struct routes routes = { };
	u64 identity = 0xfffbc000, one = 1, vector, seen;
	struct vm *vm = vm_new();
	struct vcpu *vcpu;

	ASSERT_EQ(0, kioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, (unsigned long)&identity));
	ASSERT_EQ(0, kioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000));
	ASSERT_EQ(0, kioctlp(vm->fd, KVM_ENABLE_CAP, &split));
	vcpu = vcpu_waiting(vm);
	for (u32 i = 0; i < ARRAY_SIZE(eventfds); i++) {
		struct kvm_irqfd irqfd = { .gsi = 24 + i };

		eventfds[i] = eventfd(0, EFD_NONBLOCK);
		irqfd.fd = eventfds[i];
		/* It makes the irqfd first, and routes when the guest enables MSI-X. */
		ASSERT_EQ(0, kioctlp(vm->fd, KVM_IRQFD, &irqfd));
		route_msi(&routes, 24 + i, 0x50 + i);
		ASSERT_EQ(0, set_routes(vm, &routes));
	}
	seen = 0;
	for (u32 i = 0; i < ARRAY_SIZE(eventfds); i++) {
		ASSERT_EQ((ssize_t)sizeof(one), write(eventfds[i], &one, sizeof(one)));
		EXPECT_EQ(++seen, irqs_after_run(vcpu, &vector));
		EXPECT_EQ(0x50 + i, vector);
	}
	for (u32 i = 0; i < ARRAY_SIZE(eventfds); i++)
		close(eventfds[i]);
	vm_free(vm);
}

TEST_HARNESS_MAIN
