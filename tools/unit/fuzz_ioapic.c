// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: any accesses to an I/O APIC, pins, EOIs, restores
 *
 * After each step: no level-triggered pin that is high and may send still waits; each
 * message comes from a pin that may send it, once for an edge; no reserved bit is set;
 * a chip that gets the saved state is the same one.
 */
#include <string.h>

#include "fuzz.h"
#include "ioapic.h"

#define ENTRY_BITS	0xff0000000001efffull	/* as the 82093AA has them, without status */
#define MAX_SOURCES	3

static unsigned int sent;
static int answer;
static bool listening = true;

static int deliver(struct ioapic *ioapic, const struct kvm_lapic_irq *irq)
{
	unsigned int pin, candidates = 0;

	(void)irq;
	if (!listening)
		return answer;
	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++) {
		unsigned long long e = ioapic->redirtbl[pin];

		candidates += (ioapic->irr >> pin & 1) && !(e & IOAPIC_MASKED) &&
			      (e & IOAPIC_VECTOR) == irq->vector &&
			      !((e & IOAPIC_LEVEL) && (e & IOAPIC_REMOTE_IRR)) &&
			      !!(e & IOAPIC_LEVEL) == irq->trig_mode;
	}
	PROMISE(candidates);
	sent++;
	return answer;
}

static void check(const struct ioapic *ioapic, unsigned int excused)
{
	unsigned int pin;

	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++) {
		unsigned long long e = ioapic->redirtbl[pin];
		unsigned int mode = (e & IOAPIC_DM_MASK) >> IOAPIC_DM_SHIFT;

		PROMISE(!(e & ~ENTRY_BITS));
		if (e & IOAPIC_REMOTE_IRR)
			PROMISE(e & IOAPIC_LEVEL);
		if (ioapic->delivered >> pin & 1)
			PROMISE(ioapic->irr >> pin & 1);
		if (!(ioapic->irr >> pin & 1) || !(e & IOAPIC_LEVEL) || (e & IOAPIC_MASKED) ||
		    mode > 1 || (excused >> pin & 1))
			continue;
		PROMISE(e & IOAPIC_REMOTE_IRR);
	}
	PROMISE(ioapic->id < 16 && ioapic->ioregsel < 256);
	PROMISE(!(ioapic->irr >> KVM_IOAPIC_NUM_PINS));
}

static void check_copy(const struct ioapic *ioapic)
{
	struct kvm_ioapic_state state, again;
	struct ioapic copy;

	ioapic_get_state(ioapic, &state);
	ioapic_init(&copy);
	copy.deliver = deliver;
	listening = false;
	ioapic_set_state(&copy, &state);
	listening = true;
	ioapic_get_state(&copy, &again);
	again.irr = state.irr;		/* what it could send is sent by now */
	if (answer > 0 && !state.irr)
		PROMISE(!memcmp(&state, &again, sizeof(state)));
	PROMISE(copy.ioregsel == ioapic->ioregsel && copy.id == ioapic->id);
}

static void raise_or_lower(struct ioapic *ioapic, struct input *in)
{
	unsigned int pin = take_byte(in) % KVM_IOAPIC_NUM_PINS, how = take_byte(in);
	bool was = ioapic->irr >> pin & 1, level = how & 1;
	unsigned long long e = ioapic->redirtbl[pin];
	unsigned int before = sent;
	int r = ioapic_set_irq(ioapic, pin, how % 6 / 2, level);

	PROMISE((ioapic->irr >> pin & 1) == !!ioapic->sources[pin]);
	if (e & IOAPIC_LEVEL)
		return;
	/* An edge: one message if it rises and is not masked. */
	PROMISE(sent - before == (level && !was && !(e & IOAPIC_MASKED)));
	if (level && was)
		PROMISE(!r);
}

static void eoi(struct ioapic *ioapic, unsigned char vector)
{
	unsigned int pin, pins = ioapic_pins_of_vector(ioapic, vector);
	unsigned int before = sent;

	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++)
		if (pins >> pin & 1 && ioapic_eoi(ioapic, pin))
			ioapic_redeliver(ioapic);
	PROMISE(sent - before <= KVM_IOAPIC_NUM_PINS);
}

static void set_any_state(struct ioapic *ioapic, struct input *in)
{
	struct kvm_ioapic_state state;
	unsigned char *byte = (unsigned char *)&state;
	unsigned int i;

	for (i = 0; i < sizeof(state); i++)
		byte[i] = take_byte(in);
	memset(ioapic->sources, 0, sizeof(ioapic->sources));
	listening = false;
	ioapic_set_state(ioapic, &state);
	listening = true;
	/* The devices come back, each with its line. */
	for (i = 0; i < KVM_IOAPIC_NUM_PINS; i++)
		ioapic->sources[i] = ioapic->irr >> i & 1;
}

int fuzz_one_input(const unsigned char *data, size_t size)
{
	struct input in = { data, size };
	struct ioapic ioapic;
	unsigned int excused = 0;

	ioapic_init(&ioapic);
	ioapic.deliver = deliver;
	answer = 1;
	sent = 0;
	while (in.left) {
		switch (take_byte(&in) % 8) {
		case 0:
		case 1:
			ioapic_write(&ioapic, 0, take_byte(&in) & 0x3f);
			ioapic_write(&ioapic, 0x10, take_u32(&in));
			break;
		case 2:
			ioapic_write(&ioapic, take_byte(&in), take_u32(&in));
			break;
		case 3:
			ioapic_read(&ioapic, take_byte(&in));
			break;
		case 4:
		case 5:
			raise_or_lower(&ioapic, &in);
			break;
		case 6:
			eoi(&ioapic, take_byte(&in));
			break;
		case 7:
			if (take_byte(&in) % 8 == 0)
				set_any_state(&ioapic, &in);
			else
				answer = take_byte(&in) % 4 - 1;
			break;
		}
		/* Nobody took it: then it waits for what comes next, with no EOI. */
		if (answer <= 0)
			excused = ~0u;
		check(&ioapic, excused);
		check_copy(&ioapic);
	}
	return 0;
}
