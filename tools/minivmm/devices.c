// SPDX-License-Identifier: GPL-2.0
/*
 * devices.c - the port bus, and the small devices on it
 *
 * KVM emulates the interrupt controllers and the PIT, and hands every other IN and
 * OUT to vcpu.c, which calls port_io().  The bus is a table of port ranges; where no
 * device is, reads give all ones and writes vanish, as on a PC.
 *
 * The small devices: the keyboard controller, of which only the line that resets the
 * machine is there; ACPI's power management (ACPI specification, chapter 4: event and
 * control registers, a timer of 3.58 MHz); and the CMOS clock (Motorola MC146818),
 * which tells the time and keeps, but does not heed, what is written.
 *
 * vm->lock is held around each access, so devices need no lock of their own.
 */
#include <string.h>
#include <time.h>

#include "minivmm.h"

#define PM_CONTROL_SCI		0x0001	/* ACPI mode: always */
#define PM_CONTROL_SLEEP	0x2000	/* enter the state of bits 12:10 */
#define PM_TIMER_HZ		3579545

#define CMOS_PORT		0x70	/* index, data */
#define CMOS_STATUS_A		0x0a
#define CMOS_STATUS_B		0x0b
#define CMOS_STATUS_C		0x0c
#define CMOS_STATUS_D		0x0d
#define CMOS_B_24_HOURS		0x02
#define CMOS_B_BINARY		0x04
#define CMOS_D_VALID		0x80
#define CMOS_CENTURY		0x32

/* ----------------------------------------------------- reset and power button */

/* Nothing to read: no key was pressed, and the controller is ready. */
static uint32_t keyboard_in(struct vm *vm, uint16_t offset)
{
	(void)vm;
	(void)offset;
	return 0;
}

static void keyboard_out(struct vm *vm, uint16_t offset, uint32_t value)
{
	(void)offset;
	if (value == KBD_RESET)
		vm_end(vm, 0, "the guest reset");
}

/* 24 bits of a clock that starts anywhere and wraps every 4.7 seconds. */
static uint32_t pm_timer(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec * (uint64_t)PM_TIMER_HZ +
		now.tv_nsec * (uint64_t)PM_TIMER_HZ / 1000000000) & 0xffffff;
}

/* The status register, the first of the events', never has a bit set. */
static uint32_t pm_in(struct vm *vm, uint16_t offset)
{
	switch (PM_EVENT + offset) {
	case PM_EVENT + 2:
		return vm->pm_enable;
	case PM_CONTROL:
		return vm->pm_control | PM_CONTROL_SCI;
	case PM_TIMER:
		return pm_timer();
	default:
		return 0;
	}
}

static void pm_out(struct vm *vm, uint16_t offset, uint32_t value)
{
	switch (PM_EVENT + offset) {
	case PM_EVENT + 2:
		vm->pm_enable = value;
		break;
	case PM_CONTROL:
		vm->pm_control = value & ~PM_CONTROL_SLEEP;
		if (value & PM_CONTROL_SLEEP && (value >> 10 & 7) == PM_SLEEP_TYPE)
			vm_end(vm, 0, NULL);
		break;
	}
}

/* --------------------------------------------------------------- CMOS clock */

static uint8_t to_bcd(unsigned int value)
{
	return value / 10 << 4 | value % 10;
}

/* A register of the clock: the host's UTC, in BCD unless the guest wants binary. */
static uint8_t cmos_read(struct vm *vm)
{
	time_t now = time(NULL);
	unsigned int value;
	struct tm tm;

	gmtime_r(&now, &tm);
	switch (vm->cmos_index) {
	case 0:
		value = tm.tm_sec;
		break;
	case 2:
		value = tm.tm_min;
		break;
	case 4:
		value = tm.tm_hour;
		break;
	case 6:
		value = tm.tm_wday + 1;
		break;
	case 7:
		value = tm.tm_mday;
		break;
	case 8:
		value = tm.tm_mon + 1;
		break;
	case 9:
		value = tm.tm_year % 100;
		break;
	case CMOS_CENTURY:
		value = tm.tm_year / 100 + 19;
		break;
	default:
		return vm->cmos[vm->cmos_index];
	}
	return vm->cmos[CMOS_STATUS_B] & CMOS_B_BINARY ? value : to_bcd(value);
}

static uint32_t cmos_in(struct vm *vm, uint16_t offset)
{
	return offset ? cmos_read(vm) : 0xff;
}

/* The index' bit 7 would mask NMIs.  Of the status registers, A and B are kept. */
static void cmos_out(struct vm *vm, uint16_t offset, uint32_t value)
{
	if (!offset)
		vm->cmos_index = value & 0x7f;
	else if (vm->cmos_index == CMOS_STATUS_A)
		vm->cmos[CMOS_STATUS_A] = value & 0x7f;	/* no update in progress */
	else if (vm->cmos_index == CMOS_STATUS_B)
		vm->cmos[CMOS_STATUS_B] = value | CMOS_B_24_HOURS;
	else if (vm->cmos_index != CMOS_STATUS_C && vm->cmos_index != CMOS_STATUS_D)
		vm->cmos[vm->cmos_index] = value;
}

/* ---------------------------------------------------------------------- bus */

static const struct device {
	uint16_t first, last;
	uint32_t (*in)(struct vm *vm, uint16_t offset);
	void (*out)(struct vm *vm, uint16_t offset, uint32_t value);
} devices[] = {
	{ KBD_COMMAND, KBD_COMMAND,	keyboard_in,	keyboard_out },
	{ CMOS_PORT, CMOS_PORT + 1,	cmos_in,	cmos_out },
	{ SERIAL_PORT, SERIAL_PORT + 7,	serial_in,	serial_out },
	{ PM_EVENT, PM_TIMER + 3,	pm_in,		pm_out },
};

void devices_init(struct vm *vm)
{
	vm->cmos[CMOS_STATUS_A] = 0x26;		/* the divider of a 32 kHz crystal */
	vm->cmos[CMOS_STATUS_B] = CMOS_B_24_HOURS;
	vm->cmos[CMOS_STATUS_D] = CMOS_D_VALID;
}

static const struct device *find_device(uint16_t port)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(devices); i++)
		if (port >= devices[i].first && port <= devices[i].last)
			return &devices[i];
	return NULL;
}

/**
 * port_io() - one IN or OUT of the guest
 * @vm:		the machine
 * @out:	the guest writes
 * @port:	the first byte's port
 * @size:	1, 2 or 4 bytes
 * @data:	what is written, or where to put what is read; little endian
 *
 * Devices have registers of the width that guests use; a wider read finds zeroes
 * above.  Takes vm->lock.
 */
void port_io(struct vm *vm, bool out, uint16_t port, unsigned int size, uint8_t *data)
{
	const struct device *device = find_device(port);
	uint32_t value = 0;

	if (!device) {
		if (!out)
			memset(data, 0xff, size);
		return;
	}
	if (out)
		memcpy(&value, data, size);
	pthread_mutex_lock(&vm->lock);
	if (out)
		device->out(vm, port - device->first, value);
	else
		value = device->in(vm, port - device->first);
	pthread_mutex_unlock(&vm->lock);
	if (!out)
		memcpy(data, &value, size);
}
