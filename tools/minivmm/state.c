// SPDX-License-Identifier: GPL-2.0
/*
 * state.c - all that KVM keeps for a guest, out of one VM and into another
 *
 * A guest is its RAM and what its processors and the kernel's devices hold.  The VM's
 * part: three interrupt chips (two 8259s, the I/O APIC), the PIT, the paravirtual
 * clock.  Each vCPU's: registers and what the list below names.  The interrupt routes
 * have no getter; a VMM knows them, and makes them again.
 *
 * Everything is stopped, but time is not: while state is read, the PIT may still tick.
 * Interrupts go one way,
 *
 *	PIT -> 8259s and I/O APIC -> local APICs -> the vCPU's pending events
 *
 * so state is read in this direction: an interrupt that moves on meanwhile is seen
 * twice, at worst, but never missed.  And it is written in the opposite direction:
 * setting the I/O APIC makes it deliver what it holds back, and the local APIC which
 * gets that must have its own state by then, or would lose it with the next ioctl.
 *
 * Within a vCPU the order matters as well, see vcpu_set().
 *
 * Left out: nested virtualization (KVM_GET_NESTED_STATE) and what belongs to devices
 * that this VMM does not make.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "minivmm.h"

#define MAX_CPUID		100
#define MAX_MSRS		400
#define XSAVE_ROOM		(4 * PAGE_SIZE)	/* with AMX' tiles: less than three */

#define MSR_TSC			0x10
#define MSR_TSC_DEADLINE	0x6e0
#define MSR_HYPERV_FIRST	0x40000000
#define MSR_HYPERV_LAST		0x400001ff

struct vcpu_state {
	struct kvm_mp_state mp_state;
	struct kvm_vcpu_events events;
	struct kvm_lapic_state lapic;
	struct kvm_regs regs;
	struct kvm_sregs2 sregs;
	struct kvm_debugregs debugregs;
	struct kvm_xcrs xcrs;
	uint64_t tsc_offset, tsc_deadline;
	unsigned int nr_msrs;
	struct kvm_msr_entry msrs[MAX_MSRS];
	union {
		struct kvm_cpuid2 cpuid;
		uint8_t cpuid_room[sizeof(struct kvm_cpuid2) +
				   MAX_CPUID * sizeof(struct kvm_cpuid_entry2)];
	};
	union {
		struct kvm_xsave xsave;
		uint8_t xsave_room[XSAVE_ROOM];
	};
};

struct state {
	struct kvm_pit_state2 pit;
	struct kvm_irqchip chips[KVM_NR_IRQCHIPS];
	struct kvm_clock_data clock;
	struct vcpu_state vcpus[MAX_CPUS];
};

/* ------------------------------------------------------------- what there is */

/* Capabilities without which something would be left behind. */
static const struct {
	int number;
	const char *name;
} required[] = {
	{ KVM_CAP_MP_STATE, "MP_STATE" },
	{ KVM_CAP_VCPU_EVENTS, "VCPU_EVENTS" },
	{ KVM_CAP_DEBUGREGS, "DEBUGREGS" },
	{ KVM_CAP_XSAVE, "XSAVE" },
	{ KVM_CAP_SREGS2, "SREGS2" },
	{ KVM_CAP_ADJUST_CLOCK, "ADJUST_CLOCK" },
	{ KVM_CAP_PIT_STATE2, "PIT_STATE2" },
	{ KVM_CAP_VCPU_ATTRIBUTES, "VCPU_ATTRIBUTES" },
};

static void check_capabilities(const struct vm *vm)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(required); i++)
		if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, required[i].number) <= 0)
			die("%s lacks KVM_CAP_%s", vm->device, required[i].name);
}

/* MSRs with a place of their own in the order, and those that the guest has not. */
static bool msr_is_special(uint32_t index)
{
	return index == MSR_TSC || index == MSR_TSC_DEADLINE ||
		(index >= MSR_HYPERV_FIRST && index <= MSR_HYPERV_LAST);
}

static bool msr_get(const struct vcpu *vcpu, struct kvm_msr_entry *entry)
{
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entry;
	} one = { .header.nmsrs = 1, .entry = { .index = entry->index } };

	if (ioctl(vcpu->fd, KVM_GET_MSRS, &one) != 1)
		return false;
	*entry = one.entry;
	return true;
}

static bool msr_set(const struct vcpu *vcpu, const struct kvm_msr_entry *entry)
{
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entry;
	} one = { .header.nmsrs = 1, .entry = *entry };

	return ioctl(vcpu->fd, KVM_SET_MSRS, &one) == 1;
}

/* An attribute of the vCPU: what is added to the host's counter to be the guest's. */
static void tsc_offset(const struct vcpu *vcpu, unsigned long request, const char *name,
		       uint64_t *offset)
{
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)offset,
	};

	kvm_call(vcpu->vm, vcpu->fd, request, name, (uintptr_t)&attr);
}

/* ------------------------------------------------------------------------ out */

/*
 * Every MSR that KVM lists.  It lists what it knows, not what this guest's CPUID has;
 * those that the vCPU lacks cannot be read.
 */
static void msrs_get(const struct vcpu *vcpu, struct vcpu_state *state)
{
	struct {
		struct kvm_msr_list header;
		uint32_t indices[MAX_MSRS];
	} list = { .header.nmsrs = MAX_MSRS };
	struct kvm_msr_entry entry = { .index = MSR_TSC_DEADLINE };
	unsigned int i;

	KVM(vcpu->vm, vcpu->vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, &list);
	for (i = 0; i < list.header.nmsrs; i++) {
		state->msrs[state->nr_msrs].index = list.indices[i];
		if (!msr_is_special(list.indices[i]) &&
		    msr_get(vcpu, &state->msrs[state->nr_msrs]))
			state->nr_msrs++;
	}
	if (msr_get(vcpu, &entry))
		state->tsc_deadline = entry.data;
}

/*
 * The state of waiting comes first: KVM_GET_MP_STATE takes a start-up message that has
 * come in, and that changes registers.
 */
static void vcpu_get(struct vcpu *vcpu, struct vcpu_state *state)
{
	const struct vm *vm = vcpu->vm;
	int size;

	KVM(vm, vcpu->fd, KVM_GET_MP_STATE, &state->mp_state);
	state->cpuid.nent = MAX_CPUID;
	KVM(vm, vcpu->fd, KVM_GET_CPUID2, &state->cpuid);
	KVM(vm, vcpu->fd, KVM_GET_LAPIC, &state->lapic);
	KVM(vm, vcpu->fd, KVM_GET_VCPU_EVENTS, &state->events);
	KVM(vm, vcpu->fd, KVM_GET_REGS, &state->regs);
	KVM(vm, vcpu->fd, KVM_GET_SREGS2, &state->sregs);
	KVM(vm, vcpu->fd, KVM_GET_DEBUGREGS, &state->debugregs);
	if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XCRS) > 0)
		KVM(vm, vcpu->fd, KVM_GET_XCRS, &state->xcrs);
	/* With CPU features that a program has to ask for, 4 KiB are not enough. */
	size = ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);
	if (size > (int)XSAVE_ROOM)
		die("a vCPU's XSAVE area has %d bytes", size);
	if (size > 0)
		KVM(vm, vcpu->fd, KVM_GET_XSAVE2, &state->xsave);
	else
		KVM(vm, vcpu->fd, KVM_GET_XSAVE, &state->xsave);
	tsc_offset(vcpu, KVM_GET_DEVICE_ATTR, "KVM_GET_DEVICE_ATTR", &state->tsc_offset);
	msrs_get(vcpu, state);
}

/**
 * state_get() - all of a stopped guest but its RAM
 * @vm:		the machine: no vCPU runs, no device of ours moves an interrupt line
 *
 * KVM may write to the guest's RAM in these ioctls, so the dirty log is fetched for
 * the last time after this.
 *
 * Return: the state; free() it.
 */
struct state *state_get(struct vm *vm)
{
	struct state *state = calloc(1, sizeof(*state));
	unsigned int i;

	if (!state)
		die_errno("memory for the state");
	check_capabilities(vm);
	KVM(vm, vm->fd, KVM_GET_PIT2, &state->pit);
	for (i = 0; i < KVM_NR_IRQCHIPS; i++) {
		state->chips[i].chip_id = i;
		KVM(vm, vm->fd, KVM_GET_IRQCHIP, &state->chips[i]);
	}
	for (i = 0; i < vm->nr_cpus; i++)
		vcpu_get(&vm->vcpus[i], &state->vcpus[i]);
	KVM(vm, vm->fd, KVM_GET_CLOCK, &state->clock);
	return state;
}

/* ------------------------------------------------------------------------- in */

/*
 * An MSR that has its value already is left alone: some can be read only.  One that
 * has not, and cannot be given it, would make another guest of this.
 */
static void msrs_set(const struct vcpu *vcpu, const struct vcpu_state *state)
{
	unsigned int i;

	for (i = 0; i < state->nr_msrs; i++) {
		const struct kvm_msr_entry *entry = &state->msrs[i];
		struct kvm_msr_entry now = { .index = entry->index };

		if (msr_get(vcpu, &now) && now.data == entry->data)
			continue;
		if (!msr_set(vcpu, entry))
			die("MSR 0x%x of vCPU %u cannot be set to 0x%llx", entry->index,
			    vcpu->id, entry->data);
	}
}

/*
 * The guest's counter goes on from the host's, so it does not stand still while the
 * guest does: its clocks agree with each other, and with the world, as before.
 *
 * The deadline, a value of the counter, is for a timer of the local APIC in that mode:
 * both have to be there, or it is ignored.  If it is past by now, it fires at once.
 */
static void timer_set(const struct vcpu *vcpu, struct vcpu_state *state)
{
	const struct kvm_msr_entry deadline = {
		.index = MSR_TSC_DEADLINE, .data = state->tsc_deadline,
	};

	tsc_offset(vcpu, KVM_SET_DEVICE_ATTR, "KVM_SET_DEVICE_ATTR", &state->tsc_offset);
	KVM(vcpu->vm, vcpu->fd, KVM_SET_LAPIC, &state->lapic);
	if (deadline.data && !msr_set(vcpu, &deadline))
		die("vCPU %u: the timer's deadline is refused", vcpu->id);
}

/*
 * CPUID says which bits of all the rest may be set.  The system registers come next:
 * they have the APIC's mode, and long mode, without which other values make no sense.
 * Events come last: KVM_SET_REGS drops an exception that is to be delivered, and the
 * vCPU's state of waiting decides which events it may have.
 */
static void vcpu_set(struct vcpu *vcpu, struct vcpu_state *state)
{
	const struct vm *vm = vcpu->vm;

	KVM(vm, vcpu->fd, KVM_SET_CPUID2, &state->cpuid);
	KVM(vm, vcpu->fd, KVM_SET_SREGS2, &state->sregs);
	KVM(vm, vcpu->fd, KVM_SET_REGS, &state->regs);
	if (state->xcrs.nr_xcrs)
		KVM(vm, vcpu->fd, KVM_SET_XCRS, &state->xcrs);
	KVM(vm, vcpu->fd, KVM_SET_XSAVE, &state->xsave);
	KVM(vm, vcpu->fd, KVM_SET_DEBUGREGS, &state->debugregs);
	msrs_set(vcpu, state);
	timer_set(vcpu, state);
	KVM(vm, vcpu->fd, KVM_SET_MP_STATE, &state->mp_state);
	KVM(vm, vcpu->fd, KVM_SET_VCPU_EVENTS, &state->events);
}

/*
 * The paravirtual clock.  If KVM could say which moment of the world's time the value
 * belongs to, it can add what has passed since then.
 */
static void clock_set(const struct vm *vm, struct kvm_clock_data *clock)
{
	clock->flags &= KVM_CLOCK_REALTIME;
	KVM(vm, vm->fd, KVM_SET_CLOCK, clock);
}

/* The guest's watchdog is told why it saw nothing for a while, if it uses the clock. */
static void tell_pause(const struct vcpu *vcpu)
{
	if (ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0) && errno != EINVAL)
		die_errno("KVM_KVMCLOCK_CTRL");
}

/**
 * state_set() - all of a guest but its RAM
 * @vm:		a machine of the same shape which never ran, with all of the RAM: some
 *		MSRs make KVM write to that
 * @state:	what state_get() returned
 *
 * The clock comes before the vCPUs, as one of those MSRs wants it written to RAM.
 */
void state_set(struct vm *vm, struct state *state)
{
	unsigned int i;

	clock_set(vm, &state->clock);
	for (i = 0; i < vm->nr_cpus; i++)
		vcpu_set(&vm->vcpus[i], &state->vcpus[i]);
	for (i = 0; i < KVM_NR_IRQCHIPS; i++)
		KVM(vm, vm->fd, KVM_SET_IRQCHIP, &state->chips[i]);
	KVM(vm, vm->fd, KVM_SET_PIT2, &state->pit);
	for (i = 0; i < vm->nr_cpus; i++)
		tell_pause(&vm->vcpus[i]);
}
