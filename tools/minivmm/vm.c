// SPDX-License-Identifier: GPL-2.0
/*
 * vm.c - the virtual machine: a file descriptor, RAM, interrupt controllers, routes
 *
 * KVM is a device that hands out file descriptors: ioctls on /dev/minikvm ask what
 * the module can do and create a VM; ioctls on the VM's descriptor give it memory
 * and interrupt controllers and create vCPUs; a vCPU's descriptor is vcpu.c's.
 *
 * RAM is this program's own memory.  It is one mapping in which guest-physical
 * address 0 is vm->ram, so that an address is translated by an addition; a VM with
 * more than 3 GiB has a hole in it below 4 GiB, where a PC has its devices.  KVM
 * learns of it as one or two slots: (guest-physical address, size, address here).
 *
 * Interrupts: a device here raises a GSI (KVM_IRQ_LINE).  The routing table says
 * which pins that means.  As on a PC, a GSI is connected to both controllers, the
 * pair of 8259s and the I/O APIC; the guest chooses one by masking the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "minivmm.h"

/* What has to be there, with the name for the message. */
#define CAPABILITY(name) { KVM_CAP_##name, #name }

static const struct {
	int number;
	const char *name;
} required[] = {
	CAPABILITY(SET_TSS_ADDR),
	CAPABILITY(PIT2),
	CAPABILITY(USER_MEMORY),
	CAPABILITY(IRQ_ROUTING),
	CAPABILITY(IRQCHIP),
	CAPABILITY(HLT),
	CAPABILITY(IRQ_INJECT_STATUS),
	CAPABILITY(EXT_CPUID),
	CAPABILITY(IMMEDIATE_EXIT),
};

/**
 * kvm_call() - make an ioctl that must succeed; use it through KVM()
 * @vm:		the machine
 * @fd:		the device, the VM or a vCPU
 * @request:	which
 * @name:	its name
 * @arg:	its argument: a number or an address
 *
 * Return: what the ioctl returned, never negative.
 */
int kvm_call(const struct vm *vm, int fd, unsigned long request, const char *name,
	     unsigned long arg)
{
	int result = ioctl(fd, request, arg);

	if (vm->verbose)
		fprintf(stderr, "\t%s = %d\n", name, result);
	if (result < 0)
		die_errno(name);
	return result;
}

/* The device: the right ABI, and all that the next stages need. */
void vm_open(struct vm *vm)
{
	int version, recommended;
	size_t i;

	vm->kvm_fd = open(vm->device, O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0)
		die_errno(vm->device);
	version = KVM(vm, vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION)
		die("%s speaks version %d of the ABI, not %d", vm->device, version,
		    KVM_API_VERSION);
	for (i = 0; i < ARRAY_SIZE(required); i++)
		if (!KVM(vm, vm->kvm_fd, KVM_CHECK_EXTENSION, required[i].number))
			die("%s lacks KVM_CAP_%s", vm->device, required[i].name);
	recommended = KVM(vm, vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS);
	if (vm->verbose && vm->nr_cpus > (unsigned int)recommended)
		fprintf(stderr, "minivmm: %u vCPUs on %d CPUs will take turns\n",
			vm->nr_cpus, recommended);
	vm->run_size = KVM(vm, vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
}

/*
 * The VM.  Interrupt controllers come before the vCPUs, which then get a local APIC
 * each, and before the PIT, whose output is a GSI (Linux 6.1 takes either order).
 */
void vm_create(struct vm *vm)
{
	/* Port 0x61, by which the guest gates the PIT's counter 2, comes with it. */
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	vm->fd = KVM(vm, vm->kvm_fd, KVM_CREATE_VM, 0);
	KVM(vm, vm->fd, KVM_SET_TSS_ADDR, TSS_BASE);
	KVM(vm, vm->fd, KVM_CREATE_IRQCHIP, 0);
	KVM(vm, vm->fd, KVM_CREATE_PIT2, &pit);
}

/* ---------------------------------------------------------------------- RAM */

/* How much of the RAM lies below the gap. */
uint64_t vm_low_ram(const struct vm *vm)
{
	return vm->ram_size < GAP_START ? vm->ram_size : GAP_START;
}

/* How long the mapping is, with the gap. */
uint64_t vm_ram_span(const struct vm *vm)
{
	uint64_t low = vm_low_ram(vm), high = vm->ram_size - low;

	return high ? GAP_END + high : low;
}

/**
 * vm_slots() - the RAM as KVM knows it
 * @vm:		the machine
 * @slots:	room for MAX_SLOTS
 *
 * Return: how many there are.
 */
unsigned int vm_slots(const struct vm *vm, struct kvm_userspace_memory_region *slots)
{
	uint64_t low = vm_low_ram(vm), high = vm->ram_size - low;

	slots[0] = (struct kvm_userspace_memory_region) {
		.memory_size = low,
		.userspace_addr = (uintptr_t)vm->ram,
	};
	slots[1] = (struct kvm_userspace_memory_region) {
		.slot = 1,
		.guest_phys_addr = GAP_END,
		.memory_size = high,
		.userspace_addr = (uintptr_t)vm->ram + GAP_END,
	};
	return high ? 2 : 1;
}

/* Makes the slots, or changes the flags of those that there are. */
void vm_set_slots(struct vm *vm, uint32_t flags)
{
	struct kvm_userspace_memory_region slots[MAX_SLOTS];
	unsigned int i, nr = vm_slots(vm, slots);

	for (i = 0; i < nr; i++) {
		slots[i].flags = flags;
		KVM(vm, vm->fd, KVM_SET_USER_MEMORY_REGION, &slots[i]);
	}
}

/* Pages come into being when they are touched, here or by the guest. */
void vm_set_ram(struct vm *vm)
{
	vm->ram = mmap(NULL, vm_ram_span(vm), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (vm->ram == MAP_FAILED)
		die_errno("memory for the guest's RAM");
	vm_set_slots(vm, 0);
}

/**
 * vm_ram() - where a piece of the guest's RAM below 3 GiB is in this program
 * @vm:		the machine
 * @gpa:	guest-physical address
 * @size:	bytes wanted from there
 *
 * Return: the address.  Dies when the RAM is too small.
 */
void *vm_ram(const struct vm *vm, uint64_t gpa, uint64_t size)
{
	uint64_t low = vm_low_ram(vm);

	if (gpa > low || size > low - gpa)
		die("%llu MiB of RAM are not enough", (unsigned long long)vm->ram_size >> 20);
	return vm->ram + gpa;
}

/* --------------------------------------------------------------- interrupts */

static void add_route(struct kvm_irq_routing *table, unsigned int gsi,
		      unsigned int chip, unsigned int pin)
{
	table->entries[table->nr++] = (struct kvm_irq_routing_entry) {
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

/*
 * A PC's wiring: GSIs 0 to 15 are the 8259s' pins (2 is where the second one is
 * connected to the first), and GSI n is the I/O APIC's pin n, but for the PIT:
 * GSI 0 is pin 2, which the ACPI tables tell the guest.
 */
void vm_set_routes(struct vm *vm)
{
	struct {
		struct kvm_irq_routing table;
		struct kvm_irq_routing_entry entries[2 * NR_GSIS];
	} routes = { };
	unsigned int gsi;

	for (gsi = 0; gsi < NR_GSIS; gsi++) {
		if (gsi == 2)
			continue;
		if (gsi < 8)
			add_route(&routes.table, gsi, KVM_IRQCHIP_PIC_MASTER, gsi);
		else if (gsi < 16)
			add_route(&routes.table, gsi, KVM_IRQCHIP_PIC_SLAVE, gsi - 8);
		add_route(&routes.table, gsi, KVM_IRQCHIP_IOAPIC, gsi ? gsi : 2);
	}
	KVM(vm, vm->fd, KVM_SET_GSI_ROUTING, &routes.table);
}

/* A device's line goes up (1) or down (0). */
void vm_irq_line(const struct vm *vm, unsigned int gsi, int level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	if (ioctl(vm->fd, KVM_IRQ_LINE, &line) < 0)
		die_errno("KVM_IRQ_LINE");
}

/* ----------------------------------------------------------------- teardown */

/* The VM lives until its last descriptor is closed: its own and its vCPUs'. */
void vm_destroy(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_cpus; i++) {
		log_unmap_ring(&vm->vcpus[i]);
		munmap(vm->vcpus[i].run, vm->run_size);
		close(vm->vcpus[i].fd);
	}
	close(vm->fd);
	munmap(vm->ram, vm_ram_span(vm));
}

void vm_close(struct vm *vm)
{
	vm_destroy(vm);
	close(vm->kvm_fd);
}
