// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of ioapic.c: registers with their reserved bits, edges and levels, EOIs, and the
 * orders in which an EOI, a mask, a raise and a restore can meet; a random walk after
 * which nothing that is high and allowed may still wait.
 */
#include <stdlib.h>
#include <string.h>

#include "ioapic.h"
#include "tap.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define SELECT	0x00
#define WINDOW	0x10

#define DM(mode)	((unsigned long long)(mode) << IOAPIC_DM_SHIFT)

static struct kvm_lapic_irq last;	/* message */
static unsigned int sent;		/* how many */
static int answer;			/* what the hook returns */

static int deliver(struct ioapic *ioapic, const struct kvm_lapic_irq *irq)
{
	(void)ioapic;
	last = *irq;
	sent++;
	return answer;
}

static void setup(struct ioapic *ioapic)
{
	ioapic_init(ioapic);
	ioapic->deliver = deliver;
	sent = 0;
	answer = 1;
}

static unsigned int get(struct ioapic *ioapic, unsigned int index)
{
	ioapic_write(ioapic, SELECT, index);
	return ioapic_read(ioapic, WINDOW);
}

static bool set(struct ioapic *ioapic, unsigned int index, unsigned int val)
{
	ioapic_write(ioapic, SELECT, index);
	return ioapic_write(ioapic, WINDOW, val);
}

static void set_entry(struct ioapic *ioapic, unsigned int pin, unsigned long long entry)
{
	set(ioapic, 0x11 + 2 * pin, entry >> 32);
	set(ioapic, 0x10 + 2 * pin, entry);
}

static bool remote_irr(struct ioapic *ioapic, unsigned int pin)
{
	return get(ioapic, 0x10 + 2 * pin) & IOAPIC_REMOTE_IRR;
}

static void pulse(struct ioapic *ioapic, unsigned int pin)
{
	ioapic_set_irq(ioapic, pin, 0, true);
	ioapic_set_irq(ioapic, pin, 0, false);
}

/* What the binding does with an EOI, and how many devices heard of it. */
static unsigned int eoi(struct ioapic *ioapic, unsigned char vector)
{
	unsigned int pin, nr = 0, pins = ioapic_pins_of_vector(ioapic, vector);

	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++) {
		if (!(pins >> pin & 1))
			continue;
		nr++;
		ioapic_eoi(ioapic, pin);
	}
	return nr;
}

static void test_registers(void)
{
	struct ioapic ioapic;
	unsigned int i, wrong = 0;

	setup(&ioapic);
	tap_ok(get(&ioapic, 1) == 0x00170011, "version 0x11, 24 entries");
	set(&ioapic, 1, 0);
	tap_ok(get(&ioapic, 1) == 0x00170011, "the version is read-only");
	set(&ioapic, 0, 0xffffffff);
	tap_ok(get(&ioapic, 0) == 0x0f000000, "ID: four bits");
	tap_ok(get(&ioapic, 2) == 0x0f000000, "arbitration: as the ID");
	set(&ioapic, 2, 0);
	tap_ok(get(&ioapic, 2) == 0x0f000000, "and read-only");

	for (i = 0; i < 24; i++)
		wrong += get(&ioapic, 0x10 + 2 * i) != IOAPIC_MASKED ||
			 get(&ioapic, 0x11 + 2 * i);
	tap_ok(!wrong, "after power-up all entries are masked, the rest is 0");

	for (i = 0; i < 24; i++) {
		set(&ioapic, 0x10 + 2 * i, 0xffffffff);
		set(&ioapic, 0x11 + 2 * i, 0xffffffff);
		/* Delivery Status and Remote IRR are not written. */
		wrong += get(&ioapic, 0x10 + 2 * i) != 0x0001afff;
		wrong += get(&ioapic, 0x11 + 2 * i) != 0xff000000;
		set(&ioapic, 0x10 + 2 * i, 0x10000);
		wrong += get(&ioapic, 0x11 + 2 * i) != 0xff000000;
	}
	tap_ok(!wrong, "entries: reserved and read-only bits, halves apart");

	tap_ok(get(&ioapic, 0x40) == ~0u && get(&ioapic, 0xff) == ~0u,
	       "behind the last entry: all ones");
	tap_ok(get(&ioapic, 0x03) == 0 && get(&ioapic, 0x0f) == 0, "no register: 0");
	tap_ok(!set(&ioapic, 0x40, 0) && !set(&ioapic, 0xff, 0) && !set(&ioapic, 0x03, 0),
	       "and writes are ignored");
	tap_ok(set(&ioapic, 0x3f, 0) && set(&ioapic, 0x10, 0x10000) && !set(&ioapic, 0, 0),
	       "a write says whether it was an entry");
	ioapic_write(&ioapic, SELECT, 0xffffff12);
	tap_ok(ioapic_read(&ioapic, SELECT) == 0x12, "the index has 8 bits");
	ioapic_write(&ioapic, 0x40, 0xff);
	tap_ok(ioapic_read(&ioapic, 0x40) == 0 && ioapic_read(&ioapic, 0x14) == 0,
	       "there is no EOI register");
}

static void test_message(void)
{
	static const unsigned int modes[] = { 0, 1, 2, 4, 5, 7 };
	struct ioapic ioapic;
	unsigned int i, wrong = 0;

	setup(&ioapic);
	set_entry(&ioapic, 5, 0x41 | 0x3ull << IOAPIC_DEST_SHIFT);
	tap_ok(ioapic_set_irq(&ioapic, 5, 0, true) == 1 && sent == 1 && last.vector == 0x41 &&
	       last.dest_id == 3 && last.dest_mode == APIC_DEST_PHYSICAL && !last.trig_mode &&
	       last.level && last.shorthand == APIC_DEST_NOSHORT && !last.msi_redir_hint,
	       "message: fixed, physical, edge");
	set_entry(&ioapic, 6, 0xff | IOAPIC_LOGICAL | IOAPIC_LEVEL | 0xffull << IOAPIC_DEST_SHIFT);
	ioapic_set_irq(&ioapic, 6, 0, true);
	tap_ok(last.vector == 0xff && last.dest_id == 0xff && last.trig_mode &&
	       last.dest_mode == APIC_DEST_LOGICAL, "message: logical, level, broadcast");
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		set_entry(&ioapic, 7, 0x50 | DM(modes[i]));
		pulse(&ioapic, 7);
		wrong += last.delivery_mode != modes[i] << 8;
	}
	tap_ok(!wrong && APIC_DM_NMI == 4 << 8 && APIC_DM_EXTINT == 7 << 8,
	       "message: every delivery mode");

	setup(&ioapic);
	set_entry(&ioapic, 8, 0x50 | DM(4) | IOAPIC_LEVEL);
	ioapic_set_irq(&ioapic, 8, 0, true);
	tap_ok(!remote_irr(&ioapic, 8), "an NMI has no EOI: no Remote IRR");
	set_entry(&ioapic, 9, 0x51 | DM(1) | IOAPIC_LEVEL);
	ioapic_set_irq(&ioapic, 9, 0, true);
	tap_ok(remote_irr(&ioapic, 9), "lowest priority has");
}

static void test_edge(void)
{
	struct ioapic ioapic;

	setup(&ioapic);
	set_entry(&ioapic, 4, 0x44);
	tap_ok(ioapic_set_irq(&ioapic, 4, 0, true) == 1 && sent == 1, "an edge is a message");
	tap_ok(ioapic_set_irq(&ioapic, 4, 0, true) == 0 && sent == 1, "high again: coalesced");
	tap_ok(ioapic_set_irq(&ioapic, 4, 1, true) == 0 && sent == 1,
	       "another source on a high pin: coalesced");
	tap_ok(ioapic_set_irq(&ioapic, 4, 0, false) == 0 && ioapic.irr == 1 << 4,
	       "one source lets go");
	tap_ok(ioapic_set_irq(&ioapic, 4, 1, false) == 1 && !ioapic.irr, "both do");
	pulse(&ioapic, 4);
	tap_ok(sent == 2 && !remote_irr(&ioapic, 4), "the next edge; it needs no EOI");
	answer = 0;
	tap_ok(ioapic_set_irq(&ioapic, 4, 0, true) == 0, "coalesced in the local APIC: 0");
	ioapic_set_irq(&ioapic, 4, 0, false);
	answer = -1;
	tap_ok(ioapic_set_irq(&ioapic, 4, 0, true) == -1, "no such CPU: -1");
	ioapic_set_irq(&ioapic, 4, 0, false);

	setup(&ioapic);
	set_entry(&ioapic, 4, 0x44 | IOAPIC_MASKED);
	tap_ok(ioapic_set_irq(&ioapic, 4, 0, true) == -1 && !sent, "masked: -1");
	set_entry(&ioapic, 4, 0x44);
	tap_ok(!sent && ioapic.unmasked == 1 << 4, "an edge on a masked pin is lost");
	ioapic_set_irq(&ioapic, 4, 0, false);
	pulse(&ioapic, 4);
	tap_ok(sent == 1, "the next is not");
	tap_ok(eoi(&ioapic, 0x44) == 1 && sent == 1, "EOI of an edge: only devices hear of it");
}

static void test_level(void)
{
	struct ioapic ioapic;

	setup(&ioapic);
	set_entry(&ioapic, 10, 0x5a | IOAPIC_LEVEL);
	ioapic_set_irq(&ioapic, 10, 0, true);
	tap_ok(sent == 1 && remote_irr(&ioapic, 10), "a level is a message, and Remote IRR");
	tap_ok(ioapic_set_irq(&ioapic, 10, 1, true) == -1 && sent == 1, "no second before the EOI");
	eoi(&ioapic, 0x5b);
	tap_ok(sent == 1 && remote_irr(&ioapic, 10), "another vector's EOI");
	eoi(&ioapic, 0x5a);
	tap_ok(sent == 2 && remote_irr(&ioapic, 10), "EOI while high: the next message");
	ioapic_set_irq(&ioapic, 10, 0, false);
	eoi(&ioapic, 0x5a);
	tap_ok(sent == 3, "one of two sources still holds it");
	ioapic_set_irq(&ioapic, 10, 1, false);
	eoi(&ioapic, 0x5a);
	tap_ok(sent == 3 && !remote_irr(&ioapic, 10), "low: quiet");

	answer = -1;
	ioapic_set_irq(&ioapic, 10, 0, true);
	tap_ok(!remote_irr(&ioapic, 10), "nobody took it: no EOI will come, no Remote IRR");
	answer = 1;
	set_entry(&ioapic, 10, 0x5a | IOAPIC_LEVEL);
	tap_ok(remote_irr(&ioapic, 10), "so that a new destination gets it");
	ioapic_set_irq(&ioapic, 10, 0, false);
	eoi(&ioapic, 0x5a);

	/* Two pins, one vector: the second's message is coalesced with the first's. */
	setup(&ioapic);
	set_entry(&ioapic, 10, 0x5a | IOAPIC_LEVEL);
	set_entry(&ioapic, 11, 0x5a | IOAPIC_LEVEL);
	ioapic_set_irq(&ioapic, 10, 0, true);
	answer = 0;
	ioapic_set_irq(&ioapic, 11, 0, true);
	answer = 1;
	ioapic_set_irq(&ioapic, 10, 0, false);
	tap_ok(eoi(&ioapic, 0x5a) == 2 && sent == 3 && remote_irr(&ioapic, 11),
	       "two pins with one vector: an EOI serves both");
}

/* The orders in which things that happen at once can be seen. */
static void test_races(void)
{
	struct ioapic ioapic;
	unsigned int i, storms = 0;

	setup(&ioapic);
	set_entry(&ioapic, 3, 0x33 | IOAPIC_LEVEL | IOAPIC_MASKED);
	ioapic_set_irq(&ioapic, 3, 0, true);
	set_entry(&ioapic, 3, 0x33 | IOAPIC_LEVEL);
	tap_ok(sent == 1, "raise, unmask: sent once");
	eoi(&ioapic, 0x33);
	ioapic_set_irq(&ioapic, 3, 0, false);
	eoi(&ioapic, 0x33);
	sent = 0;
	set_entry(&ioapic, 3, 0x33 | IOAPIC_LEVEL | IOAPIC_MASKED);
	set_entry(&ioapic, 3, 0x33 | IOAPIC_LEVEL);
	ioapic_set_irq(&ioapic, 3, 0, true);
	tap_ok(sent == 1, "unmask, raise: sent once");

	set_entry(&ioapic, 3, 0x33 | IOAPIC_LEVEL | IOAPIC_MASKED);
	eoi(&ioapic, 0x33);
	tap_ok(sent == 1 && !remote_irr(&ioapic, 3), "mask, EOI: nothing is sent");
	set_entry(&ioapic, 3, 0x33 | IOAPIC_LEVEL);
	tap_ok(sent == 2, "unmask: still high, sent");
	set_entry(&ioapic, 3, 0x33 | IOAPIC_LEVEL | IOAPIC_MASKED);
	set_entry(&ioapic, 3, 0x33 | IOAPIC_LEVEL);
	tap_ok(sent == 2, "mask, unmask before the EOI: not sent twice");
	ioapic_set_irq(&ioapic, 3, 0, false);
	ioapic_set_irq(&ioapic, 3, 0, true);
	eoi(&ioapic, 0x33);
	tap_ok(sent == 3, "low and high again before the EOI: one more");
	set_entry(&ioapic, 3, 0x33 | IOAPIC_MASKED);
	tap_ok(!remote_irr(&ioapic, 3), "edge for a moment: Remote IRR is gone");
	set_entry(&ioapic, 3, 0x33 | IOAPIC_LEVEL);
	tap_ok(sent == 4, "and the level is sent anew");
	set_entry(&ioapic, 3, 0x33 | IOAPIC_MASKED);
	tap_ok(!ioapic_eoi(&ioapic, 3) && sent == 4, "the late EOI of what became an edge");

	setup(&ioapic);
	set_entry(&ioapic, 3, 0x33 | IOAPIC_LEVEL);
	ioapic_set_irq(&ioapic, 3, 0, true);
	for (i = 1; i < IOAPIC_EOI_STORM; i++)
		storms += ioapic_eoi(&ioapic, 3);
	tap_ok(!storms && sent == IOAPIC_EOI_STORM, "EOIs in a row: sent again each time");
	tap_ok(ioapic_eoi(&ioapic, 3) && sent == IOAPIC_EOI_STORM && !remote_irr(&ioapic, 3),
	       "then a storm is seen");
	ioapic_redeliver(&ioapic);
	tap_ok(sent == IOAPIC_EOI_STORM + 1 && remote_irr(&ioapic, 3), "and the message late");
	ioapic_redeliver(&ioapic);
	tap_ok(sent == IOAPIC_EOI_STORM + 1, "but only once");
	set_entry(&ioapic, 4, 0x44);
	ioapic_set_irq(&ioapic, 4, 0, true);
	ioapic_redeliver(&ioapic);
	tap_ok(sent == IOAPIC_EOI_STORM + 2, "and no edge again");
	for (i = 1; i < IOAPIC_EOI_STORM; i++)
		storms += ioapic_eoi(&ioapic, 3);
	ioapic_set_irq(&ioapic, 3, 0, false);
	storms += ioapic_eoi(&ioapic, 3);
	ioapic_set_irq(&ioapic, 3, 0, true);
	for (i = 1; i < IOAPIC_EOI_STORM; i++)
		storms += ioapic_eoi(&ioapic, 3);
	tap_ok(!storms, "one EOI that finds the pin low, and it is no storm");
	tap_ok(ioapic_eoi(&ioapic, 3), "counted anew");

	setup(&ioapic);
	set_entry(&ioapic, 3, 0x33);
	ioapic.unmasked = 0;
	set_entry(&ioapic, 3, 0x34);
	set_entry(&ioapic, 3, 0x34 | IOAPIC_MASKED);
	tap_ok(!ioapic.unmasked, "open to open, open to masked: not unmasked");
	set_entry(&ioapic, 0, 0x77);
	set_entry(&ioapic, 23, 0x77);
	tap_ok(ioapic_pins_of_vector(&ioapic, 0x77) == (1u << 0 | 1u << 23),
	       "pins of a vector, the first and the last");
}

static void transplant(struct ioapic *ioapic)
{
	struct kvm_ioapic_state state;
	struct ioapic other;

	ioapic_get_state(ioapic, &state);
	ioapic_init(&other);
	other.deliver = deliver;
	ioapic_set_state(&other, &state);
	*ioapic = other;
}

static void test_state(void)
{
	struct kvm_ioapic_state state, again;
	struct ioapic ioapic;

	setup(&ioapic);
	ioapic_get_state(&ioapic, &state);
	tap_ok(state.base_address == 0xfec00000 && state.irr == 0 && state.id == 0 &&
	       state.redirtbl[23].bits == IOAPIC_MASKED, "save: power-up");

	set_entry(&ioapic, 4, 0x44);
	ioapic_set_irq(&ioapic, 4, 0, true);
	transplant(&ioapic);
	tap_ok(sent == 1, "a delivered edge is not delivered again");
	ioapic_set_irq(&ioapic, 4, 0, false);
	ioapic_set_irq(&ioapic, 4, 0, true);
	tap_ok(sent == 2, "the next one is");

	setup(&ioapic);
	set_entry(&ioapic, 9, 0x49 | IOAPIC_LEVEL);
	ioapic_set_irq(&ioapic, 9, 0, true);
	transplant(&ioapic);
	tap_ok(sent == 1 && remote_irr(&ioapic, 9), "a level in service waits for its EOI");
	eoi(&ioapic, 0x49);
	tap_ok(sent == 2, "and is sent again then, for it is high");
	ioapic_set_irq(&ioapic, 9, 0, false);
	eoi(&ioapic, 0x49);
	tap_ok(sent == 2 && !ioapic.irr, "until its device lets go");

	setup(&ioapic);
	set_entry(&ioapic, 9, 0x49 | IOAPIC_LEVEL | IOAPIC_MASKED);
	ioapic_set_irq(&ioapic, 9, 0, true);
	ioapic_get_state(&ioapic, &state);
	state.redirtbl[9].bits &= ~IOAPIC_MASKED;
	ioapic_set_state(&ioapic, &state);
	tap_ok(sent == 1, "high and unmasked in the state: sent");

	memset(&state, 0xff, sizeof(state));
	ioapic_set_state(&ioapic, &state);
	ioapic_get_state(&ioapic, &again);
	tap_ok(again.id == 0xf && again.ioregsel == 0xff && again.irr == 0xffffff && !again.pad &&
	       again.redirtbl[0].bits == (IOAPIC_VECTOR | IOAPIC_DM_MASK | IOAPIC_LOGICAL |
					  IOAPIC_POLARITY | IOAPIC_REMOTE_IRR | IOAPIC_LEVEL |
					  IOAPIC_MASKED | 0xffull << IOAPIC_DEST_SHIFT),
	       "restore: what no chip can have is made to fit");
	state.redirtbl[0].bits = IOAPIC_REMOTE_IRR;
	ioapic_set_state(&ioapic, &state);
	tap_ok(!remote_irr(&ioapic, 0), "restore: an edge has no Remote IRR");
}

/* Whatever is high, level-triggered and not masked must have been sent. */
static bool forgotten(const struct ioapic *ioapic)
{
	unsigned int pin;

	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++) {
		unsigned long long entry = ioapic->redirtbl[pin];

		if ((entry & IOAPIC_LEVEL) && !(entry & IOAPIC_MASKED) &&
		    (entry & IOAPIC_DM_MASK) <= DM(1) && (ioapic->irr >> pin & 1) &&
		    !(entry & IOAPIC_REMOTE_IRR))
			return true;
		if (!(entry & IOAPIC_LEVEL) && (entry & IOAPIC_REMOTE_IRR))
			return true;
		if (entry & ~(0x1ffffull | 0xffull << IOAPIC_DEST_SHIFT))
			return true;
	}
	return false;
}

static void test_random(void)
{
	struct ioapic ioapic;
	unsigned int i, pin;

	srand(1);
	setup(&ioapic);
	for (i = 0; i < 300000 && !forgotten(&ioapic); i++) {
		pin = rand() % KVM_IOAPIC_NUM_PINS;
		switch (rand() % 6) {
		case 0:
			eoi(&ioapic, ioapic.redirtbl[pin]);
			break;
		case 1:
			set(&ioapic, rand(), rand());
			break;
		case 2:
			set(&ioapic, 0x10 + 2 * pin, rand() & 0x1f0ff);
			break;
		case 3:
			transplant(&ioapic);
			break;
		default:
			ioapic_set_irq(&ioapic, pin, rand() % 3, rand() % 2);
		}
	}
	tap_ok(!forgotten(&ioapic), "300000 random steps: no level is forgotten");
	if (forgotten(&ioapic))
		tap_note("at step %u", i);
}

int main(void)
{
	test_registers();
	test_message();
	test_edge();
	test_level();
	test_races();
	test_state();
	test_random();
	return tap_done();
}
