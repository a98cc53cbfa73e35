// SPDX-License-Identifier: GPL-2.0
/*
 * boot.c - a Linux kernel into the guest's RAM, by the boot protocol
 *
 * A bzImage is two programs in a file: real-mode code of a few sectors, which a PC's
 * boot loader calls, and behind it the protected-mode code, which unpacks the kernel.
 * The protocol (Documentation/x86/boot.rst in the kernel, "32-bit boot protocol")
 * lets a loader leave out the first: it puts the second at 1 MiB, tells it in the
 * "zero page" what the real-mode code would have found out from the firmware (the
 * memory map, where the command line, initrd and ACPI tables are), and jumps to it
 * in flat 32-bit protected mode with the zero page's address in ESI.  That jump is
 * the first vCPU's initial state, in vcpu.c.
 *
 *	0x500	GDT		0x7000	zero page	0x20000	command line
 *	0xe0000	ACPI tables	1 MiB	kernel		end of RAM	initrd
 */
#include <asm/bootparam.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "minivmm.h"

#define SECTOR			512
#define HEADER_OFFSET		0x1f1	/* struct setup_header in the file */
#define BOOT_SIGNATURE		0xaa55
#define HEADER_MAGIC		0x53726448	/* "HdrS" */
#define PROTOCOL_MIN		0x020c	/* 2.12: kernels since 3.8 */
#define LOADER_UNDEFINED	0xff	/* type_of_loader: none of the registered */
#define E820_RAM		1
#define E820_RESERVED		2

/* Flat 4 GiB segments, at the selectors of the protocol: code 0x10, data 0x18. */
static const uint64_t gdt[] = { 0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };

/* Opens a file, or dies. */
static int open_file(const char *path, uint64_t *size)
{
	struct stat stat;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &stat))
		die_errno(path);
	*size = stat.st_size;
	return fd;
}

/* Reads size bytes at the file's offset to an address, or dies. */
static void read_file(int fd, const char *path, uint64_t offset, void *to, uint64_t size)
{
	uint64_t done = 0;
	ssize_t got;

	while (done < size) {
		got = pread(fd, (char *)to + done, size - done, offset + done);
		if (got < 0)
			die_errno(path);
		if (!got)
			die("%s: too short", path);
		done += got;
	}
}

/* The kernel's own header into the zero page, its 32-bit part to 1 MiB. */
static void load_kernel(struct vm *vm, struct boot_params *zero_page)
{
	struct setup_header *header = &zero_page->hdr;
	uint64_t size, start;
	int fd = open_file(vm->kernel, &size);

	read_file(fd, vm->kernel, HEADER_OFFSET, header, sizeof(*header));
	if (header->boot_flag != BOOT_SIGNATURE || header->header != HEADER_MAGIC)
		die("%s: not a bzImage", vm->kernel);
	if (header->version < PROTOCOL_MIN || !(header->loadflags & LOADED_HIGH))
		die("%s: its boot protocol, %d.%02d, is too old", vm->kernel,
		    header->version >> 8, header->version & 0xff);
	/* Zero means four, says the protocol; the boot sector comes on top. */
	start = ((header->setup_sects ?: 4) + 1) * SECTOR;
	if (size <= start)
		die("%s: too short", vm->kernel);
	/* It is unpacked in place: init_size is what it needs to do that. */
	vm_ram(vm, header->pref_address, header->init_size);
	read_file(fd, vm->kernel, start, vm_ram(vm, KERNEL_BASE, size - start), size - start);
	close(fd);
}

/* The initrd as high as it may be, out of the kernel's way. */
static void load_initrd(struct vm *vm, struct boot_params *zero_page)
{
	const struct setup_header *header = &zero_page->hdr;
	uint64_t size, top = vm_low_ram(vm), base;
	int fd = open_file(vm->initrd, &size);

	if (top > header->initrd_addr_max)
		top = (uint64_t)header->initrd_addr_max + 1;
	base = size < top ? (top - size) & ~0xfffull : 0;
	if (base < header->pref_address + header->init_size)
		die("%s: it and the kernel do not fit in %llu MiB", vm->initrd,
		    (unsigned long long)vm->ram_size >> 20);
	read_file(fd, vm->initrd, 0, vm_ram(vm, base, size), size);
	close(fd);
	zero_page->hdr.ramdisk_image = base;
	zero_page->hdr.ramdisk_size = size;
}

static void set_cmdline(struct vm *vm, struct boot_params *zero_page)
{
	size_t size = strlen(vm->cmdline) + 1;

	if (size - 1 > zero_page->hdr.cmdline_size)
		die("the command line is longer than the kernel's %u bytes",
		    zero_page->hdr.cmdline_size);
	memcpy(vm_ram(vm, CMDLINE_BASE, size), vm->cmdline, size);
	zero_page->hdr.cmd_line_ptr = CMDLINE_BASE;
}

static void add_memory(struct boot_params *zero_page, uint64_t start, uint64_t end,
		       unsigned int type)
{
	zero_page->e820_table[zero_page->e820_entries++] = (struct boot_e820_entry) {
		.addr = start, .size = end - start, .type = type,
	};
}

/* What a PC's firmware would answer to INT 15h, EAX=E820h. */
static void set_memory_map(struct vm *vm, struct boot_params *zero_page)
{
	uint64_t low = vm_low_ram(vm);

	add_memory(zero_page, 0, LOW_RAM_END, E820_RAM);
	add_memory(zero_page, ACPI_BASE, KERNEL_BASE, E820_RESERVED);
	add_memory(zero_page, KERNEL_BASE, low, E820_RAM);
	if (vm->ram_size > low)
		add_memory(zero_page, GAP_END, GAP_END + vm->ram_size - low, E820_RAM);
}

/* All of the above; nothing of the guest runs yet. */
void boot_load(struct vm *vm)
{
	struct boot_params *zero_page = vm_ram(vm, ZERO_PAGE, sizeof(*zero_page));

	memcpy(vm_ram(vm, GDT_BASE, sizeof(gdt)), gdt, sizeof(gdt));
	load_kernel(vm, zero_page);
	zero_page->hdr.type_of_loader = LOADER_UNDEFINED;
	set_cmdline(vm, zero_page);
	set_memory_map(vm, zero_page);
	zero_page->acpi_rsdp_addr = vm->acpi_rsdp;
	if (vm->initrd)
		load_initrd(vm, zero_page);
}
