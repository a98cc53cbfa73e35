// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of i8259.c: both PICs, register by register, as the 8259A's datasheet and the
 * PIIX's ELCR describe them; save and restore between any two steps; a random walk
 * that compares them with a slow model of the priorities.
 */
#include <stdlib.h>
#include <string.h>

#include "i8259.h"
#include "tap.h"

#define M_CMD	0x20
#define M_DATA	0x21
#define S_CMD	0xa0
#define S_DATA	0xa1
#define M_ELCR	0x4d0
#define S_ELCR	0x4d1

#define EOI	0x20

/* ICW1 to ICW4 as a PC's firmware writes them, vectors 0x08 and 0x70, all unmasked. */
static void setup(struct i8259 *pic, unsigned char m_icw4, unsigned char s_icw4)
{
	i8259_init(pic);
	i8259_write(pic, M_CMD, 0x11);
	i8259_write(pic, M_DATA, 0x08);
	i8259_write(pic, M_DATA, 0x04);
	i8259_write(pic, M_DATA, m_icw4);
	i8259_write(pic, S_CMD, 0x11);
	i8259_write(pic, S_DATA, 0x70);
	i8259_write(pic, S_DATA, 0x02);
	i8259_write(pic, S_DATA, s_icw4);
	pic->acked = 0;
	pic->unmasked = 0;
}

static void pulse(struct i8259 *pic, unsigned int pin)
{
	i8259_set_irq(pic, pin, 0, true);
	i8259_set_irq(pic, pin, 0, false);
}

static unsigned char read_isr(struct i8259 *pic, unsigned short port)
{
	i8259_write(pic, port, 0x0b);
	return i8259_read(pic, port);
}

static unsigned char read_irr(struct i8259 *pic, unsigned short port)
{
	i8259_write(pic, port, 0x0a);
	return i8259_read(pic, port);
}

static void test_init(void)
{
	struct i8259 pic;

	i8259_init(&pic);
	tap_ok(!pic.intr && i8259_read(&pic, M_CMD) == 0 && i8259_read(&pic, M_DATA) == 0 &&
	       i8259_read(&pic, M_ELCR) == 0, "power-up: nothing");

	i8259_write(&pic, M_DATA, 0xff);
	pulse(&pic, 3);
	i8259_write(&pic, M_CMD, 0x11);
	tap_ok(i8259_read(&pic, M_DATA) == 0, "ICW1 clears the mask");
	tap_ok(read_irr(&pic, M_CMD) == 0, "ICW1 forgets edges");
	tap_ok(pic.acked == 1 << 3, "ICW1: whoever waits for the forgotten edge's EOI hears");
	tap_ok((pic.unmasked & 0xff) == 0xff, "ICW1 unmasks, which is noted");

	i8259_write(&pic, M_DATA, 0x27);
	i8259_write(&pic, M_DATA, 0x04);
	i8259_write(&pic, M_DATA, 0x01);
	i8259_write(&pic, M_DATA, 0xfe);
	tap_ok(i8259_read(&pic, M_DATA) == 0xfe, "after ICW4 the odd port is the mask");
	pulse(&pic, 0);
	tap_ok(pic.intr && i8259_intack(&pic) == 0x20, "ICW2's low three bits are the pin's");

	i8259_write(&pic, M_CMD, 0x10);		/* IC4 = 0 */
	i8259_write(&pic, M_DATA, 0x30);
	i8259_write(&pic, M_DATA, 0x04);
	i8259_write(&pic, M_DATA, 0x55);
	tap_ok(i8259_read(&pic, M_DATA) == 0x55, "without IC4 there is no ICW4");
	tap_ok(read_isr(&pic, M_CMD) == 0, "ICW1 forgets what is in service");

	setup(&pic, 1, 1);
	i8259_write(&pic, M_CMD, 0x68);
	i8259_write(&pic, M_CMD, 0x0f);
	i8259_write(&pic, M_CMD, 0xc3);
	i8259_write(&pic, M_CMD, 0x80);
	i8259_write(&pic, M_ELCR, 0x20);
	i8259_set_irq(&pic, 5, 0, true);
	pic.acked = 0;
	i8259_write(&pic, M_CMD, 0x11);
	tap_ok(!pic.chip[0].special_mask && !pic.chip[0].poll && !pic.chip[0].read_reg_select &&
	       !pic.chip[0].priority_add && !pic.chip[0].rotate_on_auto_eoi,
	       "ICW1 ends special modes");
	tap_ok(!pic.acked, "ICW1: a level is not over");

	setup(&pic, 0x13, 0x01);
	i8259_write(&pic, M_CMD, 0x10);
	tap_ok(!pic.chip[0].auto_eoi && !pic.chip[0].special_fully_nested_mode,
	       "ICW1 without IC4 clears ICW4's functions");
}

static void test_edge(void)
{
	struct i8259 pic;

	setup(&pic, 1, 1);
	tap_ok(i8259_set_irq(&pic, 4, 0, true) == 1 && pic.intr, "an edge raises INT");
	tap_ok(i8259_set_irq(&pic, 4, 0, true) == 0, "again: coalesced");
	tap_ok(read_irr(&pic, M_CMD) == 0x10 && read_isr(&pic, M_CMD) == 0, "IRR has it");
	tap_ok(i8259_intack(&pic) == 0x0c, "INTA: the vector");
	tap_ok(read_irr(&pic, M_CMD) == 0 && read_isr(&pic, M_CMD) == 0x10 && !pic.intr,
	       "from IRR to ISR, INT falls");
	i8259_write(&pic, M_CMD, EOI);
	tap_ok(!pic.intr && !pic.chip[0].isr, "EOI: the same high level is no new edge");
	tap_ok(pic.acked == 1 << 4, "the EOI is noted");
	i8259_set_irq(&pic, 4, 0, false);
	tap_ok(i8259_set_irq(&pic, 4, 0, true) == 1 && pic.intr, "low, high: a new edge");
	i8259_intack(&pic);
	pulse(&pic, 4);
	tap_ok(!pic.intr && (read_irr(&pic, M_CMD) & 0x10) == 0,
	       "the pin was high: no edge from there");
	pulse(&pic, 4);
	tap_ok(!pic.intr && read_irr(&pic, M_CMD) == 0x10, "an edge in service waits");
	i8259_write(&pic, M_CMD, EOI);
	tap_ok(pic.intr && i8259_intack(&pic) == 0x0c, "and comes after the EOI");

	setup(&pic, 1, 1);
	i8259_write(&pic, M_DATA, 0x10);
	tap_ok(i8259_set_irq(&pic, 4, 0, true) == -1 && !pic.intr, "masked: -1");
	i8259_set_irq(&pic, 4, 0, false);
	i8259_write(&pic, M_DATA, 0);
	tap_ok(pic.intr && pic.unmasked == 1 << 4, "unmask after the pulse: it was kept");
	pic.unmasked = 0;
	i8259_write(&pic, S_DATA, 0x01);
	i8259_write(&pic, S_DATA, 0x03);
	i8259_write(&pic, S_DATA, 0x01);
	tap_ok(pic.unmasked == 1 << 9, "what stays masked or open was not unmasked");

	setup(&pic, 1, 1);
	i8259_set_irq(&pic, 5, 0, true);
	i8259_set_irq(&pic, 5, 1, true);
	i8259_intack(&pic);
	i8259_write(&pic, M_CMD, EOI);
	i8259_set_irq(&pic, 5, 0, false);
	tap_ok(i8259_set_irq(&pic, 5, 0, true) == 0 && !pic.intr,
	       "while another source holds the pin there is no edge");
}

static void test_level(void)
{
	struct i8259 pic;

	setup(&pic, 1, 1);
	i8259_write(&pic, M_ELCR, 0xff);
	i8259_write(&pic, S_ELCR, 0xff);
	tap_ok(i8259_read(&pic, M_ELCR) == 0xf8 && i8259_read(&pic, S_ELCR) == 0xde,
	       "ELCR: pins 0, 1, 2, 8 and 13 are edges");

	i8259_set_irq(&pic, 11, 0, true);
	tap_ok(pic.intr && i8259_intack(&pic) == 0x73, "a level raises INT");
	tap_ok(!pic.intr && (read_irr(&pic, S_CMD) & 8), "in service, still requested");
	i8259_write(&pic, S_CMD, EOI);
	i8259_write(&pic, M_CMD, EOI);
	tap_ok(pic.intr, "EOI while high: requested again");
	i8259_set_irq(&pic, 11, 0, false);
	tap_ok(!pic.intr && read_irr(&pic, S_CMD) == 0, "the pin falls: taken back");

	i8259_set_irq(&pic, 11, 0, true);
	i8259_set_irq(&pic, 11, 1, true);
	i8259_set_irq(&pic, 11, 0, false);
	tap_ok(pic.intr, "one of two sources still holds it");
	i8259_set_irq(&pic, 11, 1, false);
	tap_ok(!pic.intr, "none does");

	i8259_set_irq(&pic, 12, 0, true);
	i8259_write(&pic, S_CMD, 0x11);
	i8259_write(&pic, S_DATA, 0x70);
	i8259_write(&pic, S_DATA, 2);
	i8259_write(&pic, S_DATA, 1);
	tap_ok(pic.intr && i8259_intack(&pic) == 0x74, "ICW1 does not forget a level");

	setup(&pic, 1, 1);
	i8259_set_irq(&pic, 5, 0, true);
	i8259_intack(&pic);
	i8259_write(&pic, M_CMD, EOI);
	i8259_write(&pic, M_ELCR, 0x20);
	tap_ok(pic.intr, "a high pin that becomes level-triggered is a request");
	i8259_intack(&pic);
	i8259_set_irq(&pic, 7, 0, true);
	pic.chip[0].irr = 0;			/* taken by a poll, say */
	i8259_write(&pic, M_ELCR, 0xa0);
	tap_ok(pic.chip[0].irr == 0x80, "only of the pin that changes");
	pulse(&pic, 6);
	i8259_write(&pic, M_ELCR, 0x60);
	tap_ok(!(pic.chip[0].irr & 0x40), "a low one is none, whatever edge waited");
}

static void test_priority(void)
{
	struct i8259 pic;
	unsigned int i;

	setup(&pic, 1, 1);
	pulse(&pic, 5);
	pulse(&pic, 3);
	tap_ok(i8259_intack(&pic) == 0x0b, "the lower pin first");
	tap_ok(!pic.intr, "a lower priority waits");
	pulse(&pic, 1);
	tap_ok(pic.intr && i8259_intack(&pic) == 0x09, "a higher one nests");
	i8259_write(&pic, M_CMD, EOI);
	tap_ok(pic.chip[0].isr == 0x08, "EOI ends the highest in service");
	i8259_write(&pic, M_CMD, EOI);
	tap_ok(pic.intr && i8259_intack(&pic) == 0x0d, "then the one that waited");
	i8259_write(&pic, M_CMD, EOI);
	pic.acked = 0;
	i8259_write(&pic, M_CMD, EOI);
	tap_ok(pic.acked == 0, "EOI with nothing in service: nothing");

	for (i = 0; i < 8; i++) {
		setup(&pic, 1, 1);
		i8259_write(&pic, M_CMD, 0xc0 | i);	/* i is lowest */
		pulse(&pic, 0);
		pulse(&pic, 7);
		tap_ok(i8259_intack(&pic) == (i == 7 ? 0x08 : 0x0f),
		       "set priority: IR%u lowest", i);
	}

	setup(&pic, 1, 1);
	pulse(&pic, 3);
	pulse(&pic, 4);
	i8259_intack(&pic);
	i8259_write(&pic, M_CMD, 0xa0);
	tap_ok(pic.chip[0].priority_add == 4, "rotate on non-specific EOI");
	i8259_intack(&pic);
	pic.acked = 0;
	i8259_write(&pic, M_CMD, 0xe4);
	tap_ok(pic.chip[0].priority_add == 5 && pic.acked == 1 << 4 && !pic.chip[0].isr,
	       "rotate on specific EOI");
	pulse(&pic, 1);
	pulse(&pic, 0);
	i8259_intack(&pic);
	i8259_write(&pic, M_CMD, 0x61);
	tap_ok(pic.chip[0].isr == 1, "specific EOI of another pin ends nothing else");
	i8259_write(&pic, M_CMD, 0x60);
	tap_ok(!pic.chip[0].isr, "specific EOI");
	i8259_write(&pic, M_CMD, 0x40);
	tap_ok(pic.chip[0].priority_add == 5 && !pic.chip[0].rotate_on_auto_eoi,
	       "OCW2 010: no operation");
}

static void test_cascade(void)
{
	struct i8259 pic;

	setup(&pic, 1, 1);
	pulse(&pic, 12);
	tap_ok(pic.intr && i8259_intack(&pic) == 0x74 && pic.chip[0].isr == 4 &&
	       pic.chip[1].isr == 0x10, "slave: both in service, the slave's vector");
	pulse(&pic, 8);
	tap_ok(!pic.intr, "fully nested: the slave cannot interrupt itself");
	i8259_write(&pic, S_CMD, EOI);
	tap_ok(!pic.intr, "not before the master's EOI either");
	i8259_write(&pic, M_CMD, EOI);
	tap_ok(pic.intr && i8259_intack(&pic) == 0x70, "then it does");

	setup(&pic, 0x11, 1);
	pulse(&pic, 12);
	i8259_intack(&pic);
	pulse(&pic, 8);
	tap_ok(pic.intr && i8259_intack(&pic) == 0x70, "special fully nested: it does at once");
	pulse(&pic, 13);
	tap_ok(!pic.intr, "but only by priority");
	pulse(&pic, 5);
	tap_ok(!pic.intr, "the master's lower pins wait");
	pulse(&pic, 1);
	tap_ok(pic.intr && i8259_intack(&pic) == 0x09, "its higher ones do not");

	setup(&pic, 1, 1);
	tap_ok(i8259_set_irq(&pic, 2, 0, true) == -1 && !pic.intr, "pin 2 is the slave's");

	setup(&pic, 1, 1);
	i8259_write(&pic, M_DATA, 0x04);
	pulse(&pic, 9);
	tap_ok(!pic.intr, "the cascade can be masked");
	i8259_write(&pic, M_DATA, 0);
	tap_ok(pic.intr, "and unmasked");

	setup(&pic, 1, 3);
	pulse(&pic, 9);
	pulse(&pic, 10);
	tap_ok(i8259_intack(&pic) == 0x71 && !pic.chip[1].isr && !pic.intr,
	       "slave with automatic EOI: the second waits for the master");
	i8259_write(&pic, M_CMD, EOI);
	tap_ok(pic.intr && i8259_intack(&pic) == 0x72, "and is not lost");
}

static void test_spurious(void)
{
	struct i8259 pic;

	setup(&pic, 1, 1);
	tap_ok(i8259_intack(&pic) == 0x0f && !pic.chip[0].isr,
	       "INTA for nothing: IR7, not in service");

	i8259_write(&pic, M_ELCR, 0x20);
	i8259_set_irq(&pic, 5, 0, true);
	tap_ok(pic.intr, "a level is requested");
	i8259_set_irq(&pic, 5, 0, false);
	tap_ok(i8259_intack(&pic) == 0x0f && !pic.chip[0].isr, "and gone before INTA: IR7");

	i8259_write(&pic, S_ELCR, 0x08);
	i8259_set_irq(&pic, 11, 0, true);
	i8259_write(&pic, S_DATA, 0xff);
	tap_ok(!pic.intr && i8259_intack(&pic) == 0x0f, "masked between: IR7");

	setup(&pic, 1, 1);
	i8259_write(&pic, M_CMD, 0x0c);		/* poll master */
	tap_ok(i8259_read(&pic, M_CMD) == 0x07, "poll for nothing");
}

static void test_modes(void)
{
	struct i8259 pic;

	setup(&pic, 3, 1);
	pulse(&pic, 3);
	tap_ok(i8259_intack(&pic) == 0x0b && !pic.chip[0].isr && pic.acked == 1 << 3,
	       "automatic EOI");
	i8259_write(&pic, M_CMD, 0x80);
	pulse(&pic, 3);
	i8259_intack(&pic);
	tap_ok(pic.chip[0].priority_add == 4, "rotate in automatic EOI: set");
	i8259_write(&pic, M_CMD, 0x00);
	pulse(&pic, 5);
	i8259_intack(&pic);
	tap_ok(pic.chip[0].priority_add == 4, "and clear");

	setup(&pic, 1, 1);
	pulse(&pic, 1);
	i8259_intack(&pic);
	pulse(&pic, 6);
	i8259_write(&pic, M_CMD, 0x68);
	tap_ok(!pic.intr, "special mask mode, nothing masked: as before");
	i8259_write(&pic, M_DATA, 0x02);
	tap_ok(pic.intr && i8259_intack(&pic) == 0x0e,
	       "masking the one in service lets lower ones through");
	i8259_write(&pic, M_CMD, EOI);
	tap_ok(pic.chip[0].isr == 0x02, "a non-specific EOI does not end a masked one");
	i8259_write(&pic, M_CMD, 0x08);
	tap_ok(pic.chip[0].special_mask, "OCW3 without ESMM leaves the mode alone");
	i8259_write(&pic, M_CMD, 0x48);
	tap_ok(!pic.chip[0].special_mask, "special mask mode ends");

	setup(&pic, 1, 1);
	pulse(&pic, 6);
	i8259_write(&pic, M_CMD, 0x0c);
	tap_ok(i8259_read(&pic, M_DATA) == 0x86 && pic.chip[0].isr == 0x40 && !pic.intr,
	       "poll: at either port, and it is an INTA");
	tap_ok(i8259_read(&pic, M_DATA) == 0, "the next read is an ordinary one");
	pulse(&pic, 0);
	i8259_write(&pic, M_CMD, 0x0c);
	tap_ok(i8259_read(&pic, M_CMD) == 0x80, "poll finds IR0");
	pulse(&pic, 9);
	i8259_write(&pic, S_CMD, 0x0c);
	tap_ok(i8259_read(&pic, S_CMD) == 0x81 && !pic.intr, "poll of the slave takes INT back");

	setup(&pic, 1, 1);
	pulse(&pic, 6);
	i8259_write(&pic, M_CMD, 0x0b);
	i8259_write(&pic, M_CMD, 0x08);
	tap_ok(i8259_read(&pic, M_CMD) == 0, "the register selected stays so (ISR)");
	i8259_write(&pic, M_CMD, 0x0a);
	tap_ok(i8259_read(&pic, M_CMD) == 0x40, "IRR");
}

/* Save both chips, and restore them in new ones: only the pins' sources are not in it. */
static void transplant(struct i8259 *pic)
{
	struct kvm_pic_state state[2];
	struct i8259 other;

	i8259_get_state(pic, 0, &state[0]);
	i8259_get_state(pic, 1, &state[1]);
	i8259_init(&other);
	i8259_set_state(&other, 0, &state[0]);
	i8259_set_state(&other, 1, &state[1]);
	memcpy(other.sources, pic->sources, sizeof(other.sources));
	other.acked = pic->acked;
	other.unmasked = pic->unmasked;
	*pic = other;
}

static void test_state(void)
{
	struct kvm_pic_state state;
	struct i8259 pic;

	setup(&pic, 1, 1);
	pulse(&pic, 12);
	pulse(&pic, 1);
	transplant(&pic);
	tap_ok(pic.intr && i8259_intack(&pic) == 0x09, "restored: what is pending");
	transplant(&pic);
	tap_ok(!pic.intr, "restored: what is in service");
	i8259_write(&pic, M_CMD, EOI);
	transplant(&pic);
	tap_ok(i8259_intack(&pic) == 0x74, "restored: the slave's request");

	setup(&pic, 1, 1);
	i8259_write(&pic, M_CMD, 0x11);
	transplant(&pic);
	i8259_write(&pic, M_DATA, 0x40);
	transplant(&pic);
	i8259_write(&pic, M_DATA, 0x04);
	transplant(&pic);
	i8259_write(&pic, M_DATA, 0x03);
	transplant(&pic);
	tap_ok(pic.chip[0].irq_base == 0x40 && pic.chip[0].auto_eoi, "restored between the ICWs");

	i8259_write(&pic, M_ELCR, 0x20);
	i8259_set_irq(&pic, 5, 0, true);
	transplant(&pic);
	memset(pic.sources, 0, sizeof(pic.sources));
	i8259_set_irq(&pic, 5, 0, false);
	tap_ok(!pic.intr, "a restored level falls when its device says so");

	memset(&state, 0xff, sizeof(state));
	i8259_set_state(&pic, 0, &state);
	i8259_set_state(&pic, 1, &state);
	i8259_get_state(&pic, 1, &state);
	tap_ok(state.priority_add == 7 && state.irq_base == 0xf8 && state.init_state == 3 &&
	       state.elcr == 0xde && state.elcr_mask == 0xde && state.poll == 1,
	       "restore: what no chip can have is made to fit");
	memset(&pic.chip[0], 0, sizeof(pic.chip[0]));
	pic.chip[0].elcr_mask = 0xf8;
	state.init_state = 0;
	i8259_get_state(&pic, 0, &state);
	tap_ok(!memcmp(&state, &pic.chip[0], sizeof(state)), "save: every register");
}

/* ---- random walk against a slow model ---- */

/* Walk the priorities from the highest: who would be served?  -1: nobody. */
static int model_pending(const struct kvm_pic_state *s, bool master)
{
	int i, pin;

	for (i = 0; i < 8; i++) {
		bool masked, served;

		pin = (s->priority_add + i) % 8;
		masked = s->imr >> pin & 1;
		served = (s->isr >> pin & 1) && !(s->special_mask && masked);
		if (served && !(master && pin == 2 && s->special_fully_nested_mode &&
				!masked && (s->irr >> 2 & 1)))
			return -1;
		if (!masked && (s->irr >> pin & 1))
			return pin;
	}
	return -1;
}

static const char *model_check(const struct i8259 *pic)
{
	bool slave = model_pending(&pic->chip[1], false) >= 0;

	if ((pic->chip[0].irr >> 2 & 1) != slave)
		return "the cascade is not the slave's INT";
	if (pic->intr != (model_pending(&pic->chip[0], true) >= 0))
		return "INT";
	if (pic->chip[0].priority_add > 7 || pic->chip[1].priority_add > 7)
		return "priority";
	if ((pic->chip[0].elcr & ~0xf8) || (pic->chip[1].elcr & ~0xde))
		return "ELCR";
	return NULL;
}

static void random_step(struct i8259 *pic)
{
	static const unsigned short ports[] = { M_CMD, M_DATA, S_CMD, S_DATA, M_ELCR, S_ELCR };

	switch (rand() % 6) {
	case 0:
		i8259_intack(pic);
		break;
	case 1:
		i8259_write(pic, ports[rand() % 6], rand());
		break;
	case 2:
		i8259_write(pic, rand() % 2 ? M_CMD : S_CMD, rand() % 2 ? EOI : rand() & 0xef);
		break;
	case 3:
		i8259_read(pic, ports[rand() % 6]);
		break;
	default:
		i8259_set_irq(pic, rand() % 16, rand() % 3, rand() % 2);
	}
}

static void test_random(void)
{
	struct i8259 pic, twin;
	const char *wrong = NULL;
	unsigned int i, vector = 0;

	srand(1);
	setup(&pic, 1, 1);
	for (i = 0; i < 300000 && !wrong; i++) {
		if (i % 1000 == 0)
			setup(&pic, rand() & 0x13, rand() & 0x13);
		random_step(&pic);
		wrong = model_check(&pic);
		twin = pic;
		transplant(&twin);
		if (!wrong && memcmp(&twin, &pic, sizeof(pic)))
			wrong = "a restored one differs";
		/* INTR up means that INTA finds a request. */
		if (!wrong && twin.intr) {
			int pin = model_pending(&twin.chip[0], true);

			vector = i8259_intack(&twin);
			if (pin != 2 && vector != (unsigned int)twin.chip[0].irq_base + pin)
				wrong = "INTA's vector";
		}
	}
	tap_ok(!wrong, "300000 random steps: outputs, vectors, save and restore%s%s",
	       wrong ? ": " : "", wrong ? wrong : "");
	if (wrong)
		tap_note("at step %u, vector %u", i, vector);
}

int main(void)
{
	test_init();
	test_edge();
	test_level();
	test_priority();
	test_cascade();
	test_spurious();
	test_modes();
	test_state();
	test_random();
	return tap_done();
}
