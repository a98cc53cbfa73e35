/* SPDX-License-Identifier: GPL-2.0 */
/*
 * minivmm.h - what the parts of the small VMM share
 *
 * A virtual machine monitor is the other half of KVM: the kernel runs guest code
 * and emulates what must be quick (interrupt controllers, PIT); the monitor, an
 * ordinary program, gives it memory, a kernel to start, and slow devices.  This
 * one is as small as an unmodified Debian kernel lets it be.  Read it in this
 * order, beside the module:
 *
 *	main.c		the stages from options to the end	kvm_main.c
 *	vm.c		the VM: RAM, interrupt routes		memslot.c, irq.c
 *	boot.c		a kernel and its initrd into RAM
 *	acpi.c		tables that tell the kernel what there is
 *	vcpu.c		a vCPU's first state, and its run loop	x86.c, vmx.c, svm.c
 *	devices.c	the port bus, clock, power button	io.c
 *	serial.c	the console: a 16550A
 *	migrate.c	all that into a new VM, while the guest runs
 *	dirtylog.c	which pages the guest has written		memslot.c
 *	state.c		all that KVM keeps for a guest, out and in	x86_state.c
 *
 * Threads: one for each vCPU, one that reads the terminal, and the first, which
 * waits for the end, and moves the guest to a new VM when told to.  One lock,
 * vm->lock, covers all devices: a vCPU holds it while it is at the port bus, the
 * reader while it hands over a character.
 */
#ifndef MINIVMM_H
#define MINIVMM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The guest's physical addresses. */
#define MAX_CPUS	8
#define MAX_SLOTS	2		/* RAM below and above the gap */
#define PAGE_SIZE	4096ul
#define GDT_BASE	0x00000500	/* the boot protocol's four descriptors */
#define ZERO_PAGE	0x00007000	/* struct boot_params */
#define CMDLINE_BASE	0x00020000
#define LOW_RAM_END	0x0009fc00	/* from here to 1 MiB a PC has no RAM */
#define ACPI_BASE	0x000e0000	/* up to 1 MiB: where firmware keeps tables */
#define KERNEL_BASE	0x00100000
#define GAP_START	0xc0000000ull	/* 3 GiB: from here to 4 GiB are devices */
#define GAP_END		0x100000000ull
#define IOAPIC_BASE	0xfec00000
#define LAPIC_BASE	0xfee00000
#define TSS_BASE	0xfffbd000	/* three pages that old VMX wants for itself */

/* Interrupt lines, which are GSIs. */
#define SERIAL_IRQ	4
#define SCI_IRQ		9		/* ACPI's, never raised */
#define NR_GSIS		24

/* I/O ports. */
#define SERIAL_PORT	0x3f8
#define KBD_COMMAND	0x64
#define KBD_RESET	0xfe		/* its command: pulse the reset line */
#define PM_EVENT	0x600		/* status, enable: 16 bits each */
#define PM_CONTROL	0x604
#define PM_TIMER	0x608
#define PM_SLEEP_TYPE	5		/* what \_S5 in acpi.c says */

struct serial {
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
	bool tx_irq;			/* transmitter empty, not yet reported */
	uint8_t rx[64];			/* a ring of rx_count bytes from rx_first */
	unsigned int rx_first, rx_count;
	int level;			/* of the interrupt line */
};

/* How the pages that the guest writes are found out, see dirtylog.c. */
enum log_mode { LOG_GET, LOG_CLEAR, LOG_INITIALLY_SET, LOG_RING };

struct vcpu {
	struct vm *vm;
	unsigned int id;		/* also its APIC ID */
	int fd;
	struct kvm_run *run;		/* shared with the kernel */
	struct kvm_dirty_gfn *ring;	/* so is this; NULL without LOG_RING */
	uint32_t ring_next;		/* entry to look at */
	pthread_t thread;
};

struct vm {
	/* options; do not change */
	const char *device, *kernel, *initrd, *cmdline;
	unsigned int nr_cpus;
	uint64_t ram_size;
	bool verbose;			/* print every ioctl of the set-up */
	unsigned int rounds;		/* moves to a new VM for each request */
	enum log_mode log_mode;
	bool compare;			/* old and new RAM, when all is copied */

	int kvm_fd, fd;
	size_t run_size;		/* of each vCPU's struct kvm_run */
	uint8_t *ram;			/* host address of guest-physical 0 */
	struct vcpu vcpus[MAX_CPUS];
	uint64_t acpi_rsdp;		/* guest-physical */
	atomic_bool paused;		/* vCPU threads return, the machine is on */

	pthread_mutex_t ring_lock;	/* all rings, and the next two */
	uint64_t *reaped;		/* bitmap: what came out of them */
	unsigned long ring_full;	/* times that a vCPU waited for room */

	pthread_mutex_t lock;		/* all devices */
	pthread_cond_t room;		/* the console took a character */
	struct serial serial;
	uint16_t pm_enable, pm_control;
	uint8_t cmos_index, cmos[128];

	pthread_mutex_t end_lock;
	pthread_cond_t end_cond;	/* ended or move has become true */
	bool ended;			/* the machine is off; all threads return */
	bool move;			/* somebody wants the guest moved */
	int status;			/* what minivmm exits with */
};

/* main.c */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void die_errno(const char *what) __attribute__((noreturn));
void vm_end(struct vm *vm, int status, const char *why);
bool vm_ended(struct vm *vm);
void vm_move(struct vm *vm);

/* vm.c: an ioctl that must succeed; the macro gives the message its name */
int kvm_call(const struct vm *vm, int fd, unsigned long request, const char *name,
	     unsigned long arg);
#define KVM(vm, fd, request, arg) \
	kvm_call(vm, fd, request, #request, (unsigned long)(arg))

void vm_open(struct vm *vm);
void vm_create(struct vm *vm);
void vm_set_ram(struct vm *vm);
void vm_set_slots(struct vm *vm, uint32_t flags);
unsigned int vm_slots(const struct vm *vm, struct kvm_userspace_memory_region *slots);
uint64_t vm_ram_span(const struct vm *vm);
void vm_set_routes(struct vm *vm);
void vm_destroy(struct vm *vm);
void vm_close(struct vm *vm);
void *vm_ram(const struct vm *vm, uint64_t gpa, uint64_t size);
uint64_t vm_low_ram(const struct vm *vm);
void vm_irq_line(const struct vm *vm, unsigned int gsi, int level);

/* boot.c, acpi.c */
void boot_load(struct vm *vm);
void acpi_write_tables(struct vm *vm);

/* vcpu.c */
void vcpus_create(struct vm *vm);
void vcpus_start(struct vm *vm);
void vcpus_stop(struct vm *vm);
void vcpus_pause(struct vm *vm);
void vcpus_resume(struct vm *vm);

/* devices.c */
void devices_init(struct vm *vm);
void port_io(struct vm *vm, bool out, uint16_t port, unsigned int size, uint8_t *data);

/* serial.c; in and out with vm->lock held */
void console_start(struct vm *vm);
void console_stop(struct vm *vm);
uint32_t serial_in(struct vm *vm, uint16_t offset);
void serial_out(struct vm *vm, uint16_t offset, uint32_t value);
void serial_rewire(struct vm *vm);

/* migrate.c */
void migrate(struct vm *vm);

/* dirtylog.c: bit n of a bitmap is the page at guest-physical n * PAGE_SIZE */
bool log_parse_mode(struct vm *vm, const char *name);
const char *log_mode_name(const struct vm *vm);
void log_prepare(struct vm *vm);
void log_start(struct vm *vm, uint64_t *bitmap);
void log_fetch(struct vm *vm, uint64_t *bitmap);
void log_clear(struct vm *vm, uint64_t *bitmap, uint64_t first, uint64_t pages);
size_t log_bitmap_size(const struct vm *vm);
void log_map_ring(struct vcpu *vcpu);
void log_unmap_ring(struct vcpu *vcpu);
void log_ring_full(struct vm *vm);

/* state.c */
struct state *state_get(struct vm *vm);
void state_set(struct vm *vm, struct state *state);

#endif
