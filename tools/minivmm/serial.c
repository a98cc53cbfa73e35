// SPDX-License-Identifier: GPL-2.0
/*
 * serial.c - the console: a 16550A serial port, connected to this terminal
 *
 * The guest's driver writes a character to the transmitter and may ask for an
 * interrupt when there is room for the next, which here is at once; it is told by an
 * interrupt that characters have come in.  The device has one interrupt line, the OR
 * of its causes; the driver reads from IIR which it was (PC16550D datasheet, 8.0).
 *
 *	guest's OUT -> serial_out() -> standard output
 *	standard input -> reader thread -> ring -> line up -> guest's IN -> serial_in()
 *
 * The ring is the chip's FIFO and the wire in one: when it is full, the reader waits
 * until the guest has read, so no character is lost.  Speed, parity and modem lines
 * can be set but mean nothing: the other end is always there.
 *
 * The line's level is told to KVM only when it changes.  The terminal is raw while
 * the guest has it, so that Ctrl-C and all other keys are the guest's.
 *
 * Functions run with vm->lock held, but for those of the reader and of the terminal.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

#include "minivmm.h"

/* Registers; the first two are the divisor's latch when LCR_DLAB is set. */
enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

#define IER_RX		0x01
#define IER_TX		0x02
#define IER_ALL		0x0f
#define IIR_NONE	0x01
#define IIR_TX		0x02
#define IIR_RX		0x04
#define IIR_FIFO	0xc0
#define FCR_ENABLE	0x01
#define FCR_CLEAR_RX	0x02
#define LCR_DLAB	0x80
#define MCR_LOOP	0x10
#define LSR_RX		0x01
#define LSR_TX_EMPTY	0x60		/* holding and shift register */
#define MSR_ON		0xb0		/* carrier, data set ready, clear to send */

#define ESCAPE		('a' & 0x1f)	/* Ctrl-A */

static pthread_t reader;
static int stop_fd;			/* an eventfd: the reader shall return */
static struct termios saved;
static bool raw;

/* -------------------------------------------------------------------- chip */

/* Why the line is up, the most urgent first. */
static uint8_t cause(const struct serial *serial)
{
	if (serial->ier & IER_RX && serial->rx_count)
		return IIR_RX;
	if (serial->ier & IER_TX && serial->tx_irq)
		return IIR_TX;
	return IIR_NONE;
}

static void update_line(struct vm *vm)
{
	int level = cause(&vm->serial) != IIR_NONE;

	if (level == vm->serial.level)
		return;
	vm->serial.level = level;
	vm_irq_line(vm, SERIAL_IRQ, level);
}

/* A character to the terminal.  If that is gone, so is the character. */
static void transmit(char character)
{
	while (write(STDOUT_FILENO, &character, 1) < 0 && errno == EINTR)
		;
}

static uint8_t receive(struct vm *vm)
{
	struct serial *serial = &vm->serial;
	uint8_t character = serial->rx[serial->rx_first];

	if (!serial->rx_count)
		return 0;
	serial->rx_first = (serial->rx_first + 1) % sizeof(serial->rx);
	serial->rx_count--;
	pthread_cond_signal(&vm->room);
	return character;
}

/* In loop mode the chip's outputs are its own inputs: drivers test that. */
static uint8_t modem_status(const struct serial *serial)
{
	if (!(serial->mcr & MCR_LOOP))
		return MSR_ON;
	return (serial->mcr & 0x0c) << 4 | (serial->mcr & 0x02) << 3 |
		(serial->mcr & 0x01) << 5;
}

static uint8_t read_iir(struct serial *serial)
{
	uint8_t iir = cause(serial);

	if (iir == IIR_TX)
		serial->tx_irq = false;		/* reading it is the answer to it */
	return serial->fcr & FCR_ENABLE ? iir | IIR_FIFO : iir;
}

static uint8_t read_register(struct vm *vm, uint16_t offset)
{
	struct serial *serial = &vm->serial;
	bool latch = serial->lcr & LCR_DLAB;

	switch (offset) {
	case RBR_THR:
		return latch ? serial->dll : receive(vm);
	case IER:
		return latch ? serial->dlm : serial->ier;
	case IIR_FCR:
		return read_iir(serial);
	case LCR:
		return serial->lcr;
	case MCR:
		return serial->mcr;
	case LSR:
		return LSR_TX_EMPTY | (serial->rx_count ? LSR_RX : 0);
	case MSR:
		return modem_status(serial);
	default:
		return serial->scr;
	}
}

static void write_data(struct serial *serial, uint8_t value)
{
	if (serial->lcr & LCR_DLAB) {
		serial->dll = value;
		return;
	}
	if (!(serial->mcr & MCR_LOOP))
		transmit(value);
	serial->tx_irq = true;
}

static void write_ier(struct serial *serial, uint8_t value)
{
	if (serial->lcr & LCR_DLAB) {
		serial->dlm = value;
		return;
	}
	/* The transmitter is empty when asked to tell: it tells. */
	if (value & ~serial->ier & IER_TX)
		serial->tx_irq = true;
	serial->ier = value & IER_ALL;
}

static void write_register(struct vm *vm, uint16_t offset, uint8_t value)
{
	struct serial *serial = &vm->serial;

	switch (offset) {
	case RBR_THR:
		write_data(serial, value);
		break;
	case IER:
		write_ier(serial, value);
		break;
	case IIR_FCR:
		serial->fcr = value;
		if (value & FCR_CLEAR_RX) {
			serial->rx_count = 0;
			pthread_cond_signal(&vm->room);
		}
		break;
	case LCR:
		serial->lcr = value;
		break;
	case MCR:
		serial->mcr = value & 0x1f;
		break;
	case SCR:
		serial->scr = value;
		break;
	}
}

uint32_t serial_in(struct vm *vm, uint16_t offset)
{
	uint8_t value = read_register(vm, offset);

	update_line(vm);
	return value;
}

void serial_out(struct vm *vm, uint16_t offset, uint32_t value)
{
	write_register(vm, offset, value);
	update_line(vm);
}

/**
 * serial_rewire() - connect the chip to another VM's interrupt controllers
 * @vm:		the machine, bound to that VM; its lock is held
 *
 * They do not know how high the line is: that is no part of KVM_GET_IRQCHIP.  If it
 * was up, an edge-triggered input takes this for an edge.  The interrupt may have been
 * seen before; the driver, which finds its cause in IIR, can be told twice.
 */
void serial_rewire(struct vm *vm)
{
	if (vm->serial.level)
		vm_irq_line(vm, SERIAL_IRQ, 1);
}

/* ----------------------------------------------------------------- terminal */

/* A character for the guest, as soon as there is room. */
static void type(struct vm *vm, uint8_t character)
{
	struct serial *serial = &vm->serial;

	pthread_mutex_lock(&vm->lock);
	while (serial->rx_count == sizeof(serial->rx) && !vm_ended(vm))
		pthread_cond_wait(&vm->room, &vm->lock);
	if (serial->rx_count < sizeof(serial->rx)) {
		serial->rx[(serial->rx_first + serial->rx_count) % sizeof(serial->rx)] =
			character;
		serial->rx_count++;
		update_line(vm);
	}
	pthread_mutex_unlock(&vm->lock);
}

/* Characters from the terminal, until that ends or the machine does. */
static void *read_terminal(void *arg)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN },
	};
	bool escape, escaped = false;
	struct vm *vm = arg;
	char character;

	while (poll(fds, 2, -1) > 0 || errno == EINTR) {
		if (fds[1].revents || read(STDIN_FILENO, &character, 1) != 1)
			break;
		if (escaped && character == 'x')
			vm_end(vm, 0, "ended from the keyboard");
		if (escaped && character == 'm')
			vm_move(vm);
		escape = character == ESCAPE;
		if (escape == escaped)		/* neither or both */
			type(vm, character);
		escaped = escape && !escaped;
	}
	return NULL;
}

static void restore_terminal(void)
{
	if (raw)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
	raw = false;
}

/* Whatever way the program ends, the terminal is as it was. */
void console_start(struct vm *vm)
{
	struct termios settings;

	if (isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &saved)) {
		settings = saved;
		cfmakeraw(&settings);
		raw = true;
		atexit(restore_terminal);
		tcsetattr(STDIN_FILENO, TCSANOW, &settings);
	}
	stop_fd = eventfd(0, EFD_CLOEXEC);
	if (stop_fd < 0)
		die_errno("eventfd");
	errno = pthread_create(&reader, NULL, read_terminal, vm);
	if (errno)
		die_errno("the console's thread");
}

void console_stop(struct vm *vm)
{
	eventfd_write(stop_fd, 1);
	pthread_mutex_lock(&vm->lock);
	pthread_cond_signal(&vm->room);
	pthread_mutex_unlock(&vm->lock);
	pthread_join(reader, NULL);
	close(stop_fd);
	restore_terminal();
}
