// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: any accesses to a PC's two PICs, pins, INTAs, restores
 *
 * After each step: INT is up exactly if a request is there that may be served, by a slow
 * look at the registers; an INTA takes that one and no other; what is level-triggered
 * follows its pin; a chip that gets the saved state is the same one.
 */
#include <string.h>

#include "fuzz.h"
#include "i8259.h"

/* The pin that a chip would have served, by asking for each whether it may; or -1. */
static int served(const struct i8259 *pic, int which)
{
	const struct kvm_pic_state *s = &pic->chip[which];
	int i, j, best = -1;

	for (i = 7; i >= 0; i--) {
		int pin = (i + s->priority_add) % 8;
		bool blocked = false;

		if (!(s->irr & ~s->imr & 1 << pin))
			continue;
		for (j = 0; j <= i; j++) {
			int other = (j + s->priority_add) % 8;
			bool fully = j == i && which == 0 && pin == I8259_CASCADE &&
				     s->special_fully_nested_mode;

			if ((s->isr & 1 << other) && !fully &&
			    !(s->special_mask && (s->imr & 1 << other)))
				blocked = true;
		}
		if (!blocked)
			best = pin;
	}
	return best;
}

static void check(const struct i8259 *pic)
{
	int pin;

	PROMISE(pic->intr == (served(pic, 0) >= 0));
	PROMISE(!!(pic->chip[0].irr & 1 << I8259_CASCADE) == (served(pic, 1) >= 0));
	PROMISE(!(pic->chip[0].elcr & ~0xf8) && !(pic->chip[1].elcr & ~0xde));
	PROMISE(!(pic->chip[0].irq_base & 7) && !(pic->chip[1].irq_base & 7));
	for (pin = 0; pin < I8259_NR_PINS; pin++) {
		const struct kvm_pic_state *s = &pic->chip[pin / 8];

		/* What a source holds high and is level-triggered asks. */
		if (pic->sources[pin] && (s->elcr & 1 << pin % 8))
			PROMISE(s->irr & 1 << pin % 8);
	}
}

static void intack(struct i8259 *pic)
{
	int pin = served(pic, 0), slave = pin == I8259_CASCADE ? served(pic, 1) : -1;
	struct i8259 old = *pic;
	u8 vector = i8259_intack(pic);

	if (pin < 0) {		/* spurious: nothing in service that was not */
		PROMISE(vector == (u8)(old.chip[0].irq_base + 7));
		PROMISE(pic->chip[0].isr == old.chip[0].isr);
		return;
	}
	if (slave >= 0) {
		PROMISE(vector == (u8)(old.chip[1].irq_base + slave));
		if (!old.chip[1].auto_eoi)
			PROMISE(pic->chip[1].isr & 1 << slave);
		if (!(old.chip[1].elcr & 1 << slave))
			PROMISE(!(pic->chip[1].irr & 1 << slave));
	} else {
		PROMISE(vector == (u8)(old.chip[0].irq_base + pin));
	}
	if (!old.chip[0].auto_eoi)
		PROMISE(pic->chip[0].isr & 1 << pin);
	else
		PROMISE(pic->chip[0].isr == (old.chip[0].isr & ~(1 << pin)));
}

static void check_copy(const struct i8259 *pic)
{
	struct kvm_pic_state state[2], again[2];
	struct i8259 copy;

	i8259_init(&copy);
	i8259_get_state(pic, 0, &state[0]);
	i8259_get_state(pic, 1, &state[1]);
	i8259_set_state(&copy, 0, &state[0]);
	i8259_set_state(&copy, 1, &state[1]);
	i8259_get_state(&copy, 0, &again[0]);
	i8259_get_state(&copy, 1, &again[1]);
	PROMISE(!memcmp(state, again, sizeof(state)));
	PROMISE(copy.intr == pic->intr);
}

static void set_any_state(struct i8259 *pic, struct input *in)
{
	struct kvm_pic_state state;
	unsigned char *byte = (unsigned char *)&state;
	unsigned int i, which = take_byte(in) & 1;

	for (i = 0; i < sizeof(state); i++)
		byte[i] = take_byte(in);
	i8259_set_state(pic, which, &state);
	/* The devices come back, each with its line. */
	for (i = 0; i < 8; i++)
		pic->sources[which * 8 + i] = 0;
}

int fuzz_one_input(const unsigned char *data, size_t size)
{
	static const u16 ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x20, 0x21 };
	struct input in = { data, size };
	struct i8259 pic;

	i8259_init(&pic);
	while (in.left) {
		u8 op = take_byte(&in), arg = take_byte(&in);

		switch (op % 8) {
		case 0:
		case 1:
		case 2:
			i8259_write(&pic, ports[op >> 3 & 7], arg);
			break;
		case 3:
			i8259_read(&pic, ports[op >> 3 & 7]);
			break;
		case 4:
		case 5:
			i8259_set_irq(&pic, arg & 15, arg >> 4 & 3, arg & 0x80);
			break;
		case 6:
			intack(&pic);
			break;
		case 7:
			if (arg % 16 == 0)
				set_any_state(&pic, &in);
			break;
		}
		check(&pic);
		check_copy(&pic);
	}
	return 0;
}
