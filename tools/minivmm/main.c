// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - the small VMM: options, the stages of a machine's life, its end
 *
 * A machine is built in stages, listed in one table below: each makes a few ioctls
 * whose order matters, much as kvmtool makes them.  Then everything is done by
 * threads (see minivmm.h), and main() only waits.  The machine ends when the guest
 * powers it off, when it resets (also by a triple fault), when the person types
 * Ctrl-A x, or when KVM gives an exit that nobody here can handle.  Whoever notices
 * calls vm_end(); main() then stops the stages in reverse order.  Ctrl-A m only wakes
 * main() up for a while: it moves the guest to a new VM, see migrate.c.
 *
 * Exit status: 0 the guest powered off or reset, or was told to go; 1 it could not
 * be started or run; 2 the options make no sense.
 *
 * Left out on purpose: disks and networks (virtio), resets that start the guest
 * anew.  kvmtool is the next larger VMM to read.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "minivmm.h"

/* A stage sets up its part or does not return. */
static const struct stage {
	const char *name;
	void (*start)(struct vm *vm);
	void (*stop)(struct vm *vm);
} stages[] = {
	{ "the device: version and capabilities",	vm_open,	vm_close },
	{ "a VM with interrupt controllers and a PIT",	vm_create,	NULL },
	{ "a log of the pages that the guest writes",	log_prepare,	NULL },
	{ "RAM",					vm_set_ram,	NULL },
	{ "vCPUs",					vcpus_create,	NULL },
	{ "interrupt routes",				vm_set_routes,	NULL },
	{ "devices on the port bus",			devices_init,	NULL },
	{ "ACPI tables",				acpi_write_tables, NULL },
	{ "kernel, initrd, command line",		boot_load,	NULL },
	{ "the console",				console_start,	console_stop },
	{ "vCPU threads",				vcpus_start,	vcpus_stop },
};

enum { MIGRATE = 256, DIRTY_LOG, COMPARE };	/* options without a letter */

static const char usage[] =
"usage: minivmm -k KERNEL [OPTION]...\n"
"\n"
"  -k, --kernel FILE    a bzImage\n"
"  -i, --initrd FILE    its initial ramdisk\n"
"  -p, --params TEXT    its command line (default: console=ttyS0)\n"
"  -c, --cpus N         virtual CPUs, 1 to 8 (default 1)\n"
"  -m, --mem MIB        RAM in MiB (default 256)\n"
"      --dev PATH       the device (default /dev/minikvm)\n"
"      --migrate N      Ctrl-A m moves the guest N times to a new VM (default 1)\n"
"      --dirty-log HOW  get (default), clear, initially-set, ring: how to learn what\n"
"                       it writes meanwhile\n"
"      --compare        compare all RAM after each move; exit with 1 if it differs\n"
"  -v, --verbose        name each stage, and each ioctl it makes\n"
"  -h, --help           this\n"
"\n"
"The guest's serial port is this terminal.  Ctrl-A x ends the guest, Ctrl-A m moves\n"
"it to a new VM, Ctrl-A twice sends one Ctrl-A.\n";

/* ------------------------------------------------------------------- errors */

/* Something is wrong that cannot be mended: say what, and exit. */
void die(const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "minivmm: ");
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(1);
}

/* The same, for what errno explains. */
void die_errno(const char *what)
{
	die("%s: %s", what, strerror(errno));
}

/* ------------------------------------------------------------------ options */

static unsigned long number(const char *text, unsigned long min, unsigned long max,
			    const char *what)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || value < min || value > max) {
		fprintf(stderr, "minivmm: %s '%s': wanted is one from %lu to %lu\n",
			what, text, min, max);
		exit(2);
	}
	return value;
}

static void usage_error(void)
{
	fputs(usage, stderr);
	exit(2);
}

static void parse_options(struct vm *vm, int argc, char **argv)
{
	static const struct option options[] = {
		{ "kernel", required_argument, NULL, 'k' },
		{ "initrd", required_argument, NULL, 'i' },
		{ "params", required_argument, NULL, 'p' },
		{ "cpus", required_argument, NULL, 'c' },
		{ "mem", required_argument, NULL, 'm' },
		{ "dev", required_argument, NULL, 'd' },
		{ "migrate", required_argument, NULL, MIGRATE },
		{ "dirty-log", required_argument, NULL, DIRTY_LOG },
		{ "compare", no_argument, NULL, COMPARE },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "k:i:p:c:m:vh", options, NULL)) >= 0) {
		switch (option) {
		case 'k':
			vm->kernel = optarg;
			break;
		case 'i':
			vm->initrd = optarg;
			break;
		case 'p':
			vm->cmdline = optarg;
			break;
		case 'c':
			vm->nr_cpus = number(optarg, 1, MAX_CPUS, "--cpus");
			break;
		case 'm':
			vm->ram_size = number(optarg, 16, 1 << 20, "--mem") << 20;
			break;
		case 'd':
			vm->device = optarg;
			break;
		case MIGRATE:
			vm->rounds = number(optarg, 1, 1000000, "--migrate");
			break;
		case DIRTY_LOG:
			if (!log_parse_mode(vm, optarg))
				usage_error();
			break;
		case COMPARE:
			vm->compare = true;
			break;
		case 'v':
			vm->verbose = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			usage_error();
		}
	}
	if (!vm->kernel || optind != argc)
		usage_error();
}

/* ---------------------------------------------------------------------- end */

/**
 * vm_end() - the machine is over; any thread may say so
 * @vm:		the machine
 * @status:	what minivmm exits with
 * @why:	for the person, or NULL
 *
 * The first one to call it decides.  The caller goes on, to return soon.
 */
void vm_end(struct vm *vm, int status, const char *why)
{
	pthread_mutex_lock(&vm->end_lock);
	if (!vm->ended) {
		vm->ended = true;
		vm->status = status;
		if (why)
			fprintf(stderr, "\r\nminivmm: %s\r\n", why);
		pthread_cond_signal(&vm->end_cond);
	}
	pthread_mutex_unlock(&vm->end_lock);
}

bool vm_ended(struct vm *vm)
{
	bool ended;

	pthread_mutex_lock(&vm->end_lock);
	ended = vm->ended;
	pthread_mutex_unlock(&vm->end_lock);
	return ended;
}

/* Somebody wants the guest in a new VM: main() sees to it, once it waits. */
void vm_move(struct vm *vm)
{
	pthread_mutex_lock(&vm->end_lock);
	vm->move = true;
	pthread_cond_signal(&vm->end_cond);
	pthread_mutex_unlock(&vm->end_lock);
}

/* Waits until the machine has ended, or, and returns true, it is to move. */
static bool wait_for_move(struct vm *vm)
{
	bool move;

	pthread_mutex_lock(&vm->end_lock);
	while (!vm->ended && !vm->move)
		pthread_cond_wait(&vm->end_cond, &vm->end_lock);
	move = !vm->ended;
	vm->move = false;
	pthread_mutex_unlock(&vm->end_lock);
	return move;
}

int main(int argc, char **argv)
{
	static struct vm vm = {
		.device = "/dev/minikvm",
		.cmdline = "console=ttyS0",
		.nr_cpus = 1,
		.ram_size = 256 << 20,
		.rounds = 1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.room = PTHREAD_COND_INITIALIZER,
		.ring_lock = PTHREAD_MUTEX_INITIALIZER,
		.end_lock = PTHREAD_MUTEX_INITIALIZER,
		.end_cond = PTHREAD_COND_INITIALIZER,
	};
	size_t i;

	parse_options(&vm, argc, argv);
	for (i = 0; i < ARRAY_SIZE(stages); i++) {
		if (vm.verbose)
			fprintf(stderr, "minivmm: %s\n", stages[i].name);
		stages[i].start(&vm);
	}
	while (wait_for_move(&vm))
		migrate(&vm);
	while (i--)
		if (stages[i].stop)
			stages[i].stop(&vm);
	return vm.status;
}
