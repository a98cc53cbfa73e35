// SPDX-License-Identifier: GPL-2.0
/*
 * acpi.c - tables that tell the guest's kernel which CPUs and wires there are
 *
 * A kernel finds PCI cards by asking, but not CPUs, I/O APICs and the power button:
 * firmware describes those in tables (ACPI specification 3.0, chapter 5).  Each table
 * has the same 36-byte header with a name, a length and a checksum; they form a tree:
 *
 *	RSDP ("here is ACPI") -> XSDT (a list) -> FADT: ports of power management
 *						    `-> DSDT: code; here only \_S5
 *					       -> MADT: local APICs, I/O APIC, wires
 *
 * kvmtool writes Intel's older MP table instead.  Debian's cloud kernel is built
 * without a parser for that, and without tables it would use one CPU and the 8259s.
 *
 * The tables are written once, at 0xe0000, before the guest runs.
 */
#include <string.h>

#include "minivmm.h"

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct rsdp {
	char signature[8];
	uint8_t checksum;		/* of the first 20 bytes */
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t checksum_all, reserved[3];
} __attribute__((packed));

struct xsdt {
	struct header header;
	uint64_t tables[2];
} __attribute__((packed));

struct address {			/* ACPI's "generic address structure" */
	uint8_t space, bits, offset, access;
	uint64_t address;
} __attribute__((packed));

#define SPACE_IO	1

struct fadt {				/* revision 3; fields that stay 0 are pads */
	struct header header;
	uint32_t facs, dsdt;
	uint8_t pad1, profile;
	uint16_t sci_irq;
	uint32_t smi_command;		/* 0: there is no firmware to ask for ACPI mode */
	uint8_t pad2[4];
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control;
	uint32_t pm_timer, gpe0, gpe1;
	uint8_t pm1_event_length, pm1_control_length, pm2_control_length;
	uint8_t pm_timer_length, pad3[4];
	uint16_t c2_latency, c3_latency;	/* beyond 100, 1000 us: no such state */
	uint8_t pad4[8], century;
	uint16_t boot_arch;
	uint8_t pad5;
	uint32_t flags;
	struct address reset_register;
	uint8_t reset_value, pad6[3];
	uint64_t x_facs, x_dsdt;
	struct address x_pads[8];
} __attribute__((packed));

_Static_assert(sizeof(struct fadt) == 244, "a FADT of revision 3");

#define BOOT_ARCH_LEGACY	0x01	/* a serial port, for one; no keyboard (bit 1) */
#define BOOT_ARCH_NO_VGA	0x04
#define FADT_WBINVD		0x001
#define FADT_NO_POWER_BUTTON	0x010	/* none at a fixed place */
#define FADT_NO_SLEEP_BUTTON	0x020
#define FADT_RESET_REGISTER	0x400

/* A wire that is not where its ISA number says: the PIT's, IRQ 0, is GSI 2. */
struct source_override {
	uint8_t type, length, bus, irq;
	uint32_t gsi;
	uint16_t flags;			/* 0: polarity and trigger as on ISA */
} __attribute__((packed));

struct local_apic {
	uint8_t type, length, processor, id;
	uint32_t flags;			/* 1: enabled */
} __attribute__((packed));

struct io_apic {
	uint8_t type, length, id, reserved;
	uint32_t address, first_gsi;
} __attribute__((packed));

struct nmi_source {			/* which LINT pin of the local APICs has NMI */
	uint8_t type, length, processor;
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));

struct madt {
	struct header header;
	uint32_t lapic_address, flags;	/* 1: there are 8259s, too */
	struct io_apic io_apic;
	struct source_override pit;
	struct nmi_source nmi;
	struct local_apic lapics[MAX_CPUS];
} __attribute__((packed));

enum { MADT_LAPIC, MADT_IOAPIC, MADT_OVERRIDE, MADT_LAPIC_NMI = 4 };

/* Name (\_S5_, Package { 5, 5, 0, 0 }): what to write where to power off. */
static const uint8_t dsdt_code[] = {
	0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x04,
	0x0a, PM_SLEEP_TYPE, 0x0a, PM_SLEEP_TYPE, 0x00, 0x00,
};

/* All of them, one behind the other. */
struct tables {
	struct rsdp rsdp __attribute__((aligned(16)));
	struct xsdt xsdt __attribute__((aligned(16)));
	struct fadt fadt __attribute__((aligned(16)));
	struct madt madt __attribute__((aligned(16)));
	struct {
		struct header header;
		uint8_t code[sizeof(dsdt_code)];
	} __attribute__((packed, aligned(16))) dsdt;
};

/* The guest-physical address of one of the tables. */
#define TABLE(name) (ACPI_BASE + offsetof(struct tables, name))

/* What makes the sum of all bytes 0. */
static uint8_t checksum(const void *data, size_t length)
{
	const uint8_t *byte = data;
	uint8_t sum = 0;

	while (length--)
		sum += *byte++;
	return -sum;
}

/* The header of a table that is otherwise complete. */
static void finish(struct header *header, const char *signature, uint8_t revision,
		   size_t length)
{
	memcpy(header->signature, signature, 4);
	header->length = length;
	header->revision = revision;
	memcpy(header->oem, "MINVMM", 6);
	memcpy(header->oem_table, "MINIVMM ", 8);
	memcpy(header->creator, "MVMM", 4);
	header->oem_revision = 1;
	header->creator_revision = 1;
	header->checksum = checksum(header, length);
}

static void write_fadt(struct fadt *fadt)
{
	fadt->dsdt = TABLE(dsdt);
	fadt->sci_irq = SCI_IRQ;
	fadt->pm1a_event = PM_EVENT;
	fadt->pm1_event_length = 4;
	fadt->pm1a_control = PM_CONTROL;
	fadt->pm1_control_length = 2;
	fadt->pm_timer = PM_TIMER;
	fadt->pm_timer_length = 4;
	fadt->c2_latency = 0xffff;
	fadt->c3_latency = 0xffff;
	fadt->century = 0x32;		/* the CMOS byte, see devices.c */
	fadt->boot_arch = BOOT_ARCH_LEGACY | BOOT_ARCH_NO_VGA;
	fadt->flags = FADT_WBINVD | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
		FADT_RESET_REGISTER;
	fadt->reset_register = (struct address) {
		.space = SPACE_IO, .bits = 8, .address = KBD_COMMAND,
	};
	fadt->reset_value = KBD_RESET;
	finish(&fadt->header, "FACP", 3, sizeof(*fadt));
}

static void write_madt(struct madt *madt, unsigned int nr_cpus)
{
	unsigned int i;

	madt->lapic_address = LAPIC_BASE;
	madt->flags = 1;
	madt->io_apic = (struct io_apic) {
		.type = MADT_IOAPIC, .length = sizeof(struct io_apic),
		.address = IOAPIC_BASE, .first_gsi = 0,
	};
	madt->pit = (struct source_override) {
		.type = MADT_OVERRIDE, .length = sizeof(struct source_override),
		.irq = 0, .gsi = 2,
	};
	madt->nmi = (struct nmi_source) {
		.type = MADT_LAPIC_NMI, .length = sizeof(struct nmi_source),
		.processor = 0xff, .lint = 1,
	};
	for (i = 0; i < nr_cpus; i++)
		madt->lapics[i] = (struct local_apic) {
			.type = MADT_LAPIC, .length = sizeof(struct local_apic),
			.processor = i, .id = i, .flags = 1,
		};
	finish(&madt->header, "APIC", 1, offsetof(struct madt, lapics[nr_cpus]));
}

void acpi_write_tables(struct vm *vm)
{
	struct tables *tables = vm_ram(vm, ACPI_BASE, sizeof(*tables));
	struct rsdp *rsdp = &tables->rsdp;

	memcpy(tables->dsdt.code, dsdt_code, sizeof(dsdt_code));
	finish(&tables->dsdt.header, "DSDT", 2, sizeof(tables->dsdt.header) + sizeof(dsdt_code));
	write_fadt(&tables->fadt);
	write_madt(&tables->madt, vm->nr_cpus);
	tables->xsdt.tables[0] = TABLE(fadt);
	tables->xsdt.tables[1] = TABLE(madt);
	finish(&tables->xsdt.header, "XSDT", 1, sizeof(tables->xsdt));

	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem, "MINVMM", 6);
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = TABLE(xsdt);
	rsdp->checksum = checksum(rsdp, 20);
	rsdp->checksum_all = checksum(rsdp, sizeof(*rsdp));
	vm->acpi_rsdp = TABLE(rsdp);
}
