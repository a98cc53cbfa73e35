// SPDX-License-Identifier: GPL-2.0
/*
 * i8259.c - the two 8259A interrupt controllers of a PC
 *
 * Models the Intel 8259A ("Intel 8259A Programmable Interrupt Controller",
 * datasheet 231468) twice, the slave's INT output wired to the master's IR2, and the
 * edge/level registers (ELCR) that EISA and the PIIX added at ports 0x4d0 and 0x4d1.
 *
 * The way of an interrupt:
 *
 *	a pin rises	i8259_set_irq()	its bit in IRR
 *	INT goes up	i8259_update()	if it is not masked and nothing more urgent
 *					is in service (i8259_pending())
 *	INTA		i8259_intack()	IRR to ISR; the CPU gets the vector
 *	EOI		i8259_ocw2()	out of ISR; the next one may come
 *
 * A level-triggered pin's IRR bit follows the pin.  An edge's bit stays till INTA,
 * even if the pin falls (the chip forgets it then, and answers INTA with IR7): as
 * with KVM, so that devices whose line is only pulsed lose nothing.  The cascade pin
 * always follows the slave's INT, so an interrupt that the slave takes back is no
 * request of the master's either.
 *
 * After each change the outputs are derived again from the registers; no copy of
 * them is saved or restored.
 *
 * Left out on purpose: ICW1's single and level bits and ICW3, which a PC's board
 * fixes; 8080 mode; buffered mode.
 *
 * No locks: struct i8259 is the binding's.
 */
#include "i8259.h"

#define MASTER	0
#define SLAVE	1
#define NONE	8		/* a priority below the lowest */

#define ICW1_INIT	0x10	/* at the even port */
#define ICW1_IC4	0x01
#define ICW4_AEOI	0x02
#define ICW4_SFNM	0x10
#define OCW3_SELECT	0x08
#define OCW3_RIS	0x01
#define OCW3_RR		0x02
#define OCW3_POLL	0x04
#define OCW3_SMM	0x20
#define OCW3_ESMM	0x40

/* kvm_pic_state.init_state: which ICW is awaited at the odd port */
enum { INIT_DONE, WAIT_ICW2, WAIT_ICW3, WAIT_ICW4 };

/* Pins that can be level-triggered: not the timer, keyboard, cascade, RTC, FPU. */
static const u8 elcr_mask[2] = { 0xf8, 0xde };

/* ---- priorities ---- */

/* The most urgent of these pins, as a distance from the highest priority, or NONE. */
static unsigned int i8259_priority(const struct kvm_pic_state *s, u8 pins)
{
	unsigned int priority;

	for (priority = 0; priority < 8; priority++)
		if (pins & (1 << ((priority + s->priority_add) & 7)))
			break;
	return priority;
}

/* In-service interrupts that hold others back, or that an EOI may mean. */
static u8 i8259_in_service(const struct kvm_pic_state *s)
{
	return s->special_mask ? s->isr & ~s->imr : s->isr;
}

/* The pin whose interrupt this chip would have served now, or -1. */
static int i8259_pending(const struct i8259 *pic, unsigned int which)
{
	const struct kvm_pic_state *s = &pic->chip[which];
	unsigned int request = i8259_priority(s, s->irr & ~s->imr);
	unsigned int service = i8259_priority(s, i8259_in_service(s));
	unsigned int pin = (request + s->priority_add) & 7;

	if (request == NONE)
		return -1;
	/* Special fully nested: the slave may interrupt what came from the slave. */
	if (request == service && which == MASTER && pin == I8259_CASCADE &&
	    s->special_fully_nested_mode)
		return pin;
	return request < service ? (int)pin : -1;
}

/* Derive the outputs: the slave's, which is the master's IR2, and the master's. */
static void i8259_update(struct i8259 *pic)
{
	struct kvm_pic_state *master = &pic->chip[MASTER];
	u8 cascade = 1 << I8259_CASCADE;

	if (i8259_pending(pic, SLAVE) >= 0) {
		master->irr |= cascade;
		master->last_irr |= cascade;
	} else {
		master->irr &= ~cascade;
		master->last_irr &= ~cascade;
	}
	pic->intr = i8259_pending(pic, MASTER) >= 0;
}

/* These interrupts are over. */
static void i8259_end(struct i8259 *pic, unsigned int which, u8 pins)
{
	pic->chip[which].isr &= ~pins;
	pic->acked |= pins << (which * 8);
}

/* ---- pins and INTA ---- */

/**
 * i8259_set_irq() - a source holds a pin high, or does no more
 * @pic: both PICs
 * @pin: 0..15
 * @source: 0..7; the pin is high while any source holds it
 * @level: high
 *
 * Return: 1: taken; 0: no new request; -1: masked, or the cascade pin, which is the
 * slave's.
 */
int i8259_set_irq(struct i8259 *pic, unsigned int pin, unsigned int source, bool level)
{
	struct kvm_pic_state *s = &pic->chip[pin / 8];
	u8 bit = 1 << (pin % 8);
	int r = 1;

	if (pin == I8259_CASCADE)
		return -1;
	if (level)
		pic->sources[pin] |= 1 << source;
	else
		pic->sources[pin] &= ~(1 << source);

	if (pic->sources[pin]) {
		bool request = (s->elcr & bit) || !(s->last_irr & bit);

		r = request && !(s->irr & bit);
		if (request)
			s->irr |= bit;
		s->last_irr |= bit;
	} else {
		s->irr &= ~(s->elcr & bit);
		s->last_irr &= ~bit;
	}
	i8259_update(pic);
	return s->imr & bit ? -1 : r;
}

/* What INTA does to one chip. */
static void i8259_intack_chip(struct i8259 *pic, unsigned int which, unsigned int pin)
{
	struct kvm_pic_state *s = &pic->chip[which];
	u8 bit = 1 << pin;

	s->isr |= bit;
	s->irr &= ~(bit & ~s->elcr);
	if (s->auto_eoi) {
		if (s->rotate_on_auto_eoi)
			s->priority_add = (pin + 1) & 7;
		i8259_end(pic, which, bit);
	}
}

/* INTA for a chip with or without a request; without, it says IR7 (spurious). */
static unsigned int i8259_serve(struct i8259 *pic, unsigned int which)
{
	int pin = i8259_pending(pic, which);

	if (pin < 0)
		return 7;
	i8259_intack_chip(pic, which, pin);
	return pin;
}

/**
 * i8259_intack() - the CPU acknowledges
 * @pic: both PICs
 *
 * Return: the vector.  If no request is left it is that of IR7, and nothing is in
 * service.
 */
u8 i8259_intack(struct i8259 *pic)
{
	bool cascade = i8259_pending(pic, MASTER) == I8259_CASCADE;
	u8 vector = pic->chip[MASTER].irq_base + i8259_serve(pic, MASTER);

	if (cascade)
		vector = pic->chip[SLAVE].irq_base + i8259_serve(pic, SLAVE);
	i8259_update(pic);
	return vector;
}

/* ---- registers ---- */

/* ICW1: most of the chip is as after power-up, but for the vector and the ELCR. */
static void i8259_icw1(struct i8259 *pic, unsigned int which, u8 val)
{
	struct kvm_pic_state *s = &pic->chip[which];

	/* Edges that waited and interrupts in service will never see an EOI. */
	i8259_end(pic, which, s->isr | (s->irr & ~s->elcr));
	pic->unmasked |= s->imr << (which * 8);
	s->last_irr = 0;
	s->irr &= s->elcr;
	s->imr = 0;
	s->priority_add = 0;
	s->special_mask = 0;
	s->read_reg_select = 0;
	s->poll = 0;
	s->rotate_on_auto_eoi = 0;
	s->init4 = val & ICW1_IC4;
	if (!s->init4) {
		s->special_fully_nested_mode = 0;
		s->auto_eoi = 0;
	}
	s->init_state = WAIT_ICW2;
}

/* OCW2: EOIs and rotation of priorities, chosen by the three highest bits. */
static void i8259_ocw2(struct i8259 *pic, unsigned int which, u8 val)
{
	struct kvm_pic_state *s = &pic->chip[which];
	bool rotate = val & 0x80, specific = val & 0x40, eoi = val & 0x20;
	unsigned int priority, pin = val & 7;

	if (!eoi && !specific) {
		s->rotate_on_auto_eoi = rotate;
		return;
	}
	if (eoi && !specific) {
		priority = i8259_priority(s, i8259_in_service(s));
		if (priority == NONE)
			return;
		pin = (priority + s->priority_add) & 7;
	}
	if (eoi)
		i8259_end(pic, which, 1 << pin);
	if (rotate)
		s->priority_add = (pin + 1) & 7;
}

static void i8259_ocw3(struct kvm_pic_state *s, u8 val)
{
	if (val & OCW3_POLL)
		s->poll = 1;
	if (val & OCW3_RR)
		s->read_reg_select = val & OCW3_RIS;
	if (val & OCW3_ESMM)
		s->special_mask = !!(val & OCW3_SMM);
}

/* The odd port: ICW2 to ICW4 while they are awaited, else the mask (OCW1). */
static void i8259_write_data(struct i8259 *pic, unsigned int which, u8 val)
{
	struct kvm_pic_state *s = &pic->chip[which];

	switch (s->init_state) {
	case WAIT_ICW2:
		s->irq_base = val & 0xf8;
		s->init_state = WAIT_ICW3;
		break;
	case WAIT_ICW3:
		s->init_state = s->init4 ? WAIT_ICW4 : INIT_DONE;
		break;
	case WAIT_ICW4:
		s->special_fully_nested_mode = !!(val & ICW4_SFNM);
		s->auto_eoi = !!(val & ICW4_AEOI);
		s->init_state = INIT_DONE;
		break;
	default:
		pic->unmasked |= (s->imr & ~val) << (which * 8);
		s->imr = val;
	}
}

/* A pin that becomes level-triggered has its request exactly while it is high. */
static void i8259_write_elcr(struct i8259 *pic, unsigned int which, u8 val)
{
	struct kvm_pic_state *s = &pic->chip[which];
	u8 new_level = val & elcr_mask[which] & ~s->elcr;
	unsigned int pin;

	s->elcr = val & elcr_mask[which];
	for (pin = 0; pin < 8; pin++) {
		u8 bit = 1 << pin;

		if (!(new_level & bit))
			continue;
		if ((s->last_irr & bit) || pic->sources[which * 8 + pin])
			s->irr |= bit;
		else
			s->irr &= ~bit;
	}
}

/* The read that a poll command announced is an INTA. */
static u8 i8259_poll(struct i8259 *pic, unsigned int which)
{
	bool found = i8259_pending(pic, which) >= 0;
	u8 val = i8259_serve(pic, which);

	pic->chip[which].poll = 0;
	i8259_update(pic);
	return found ? val | 0x80 : val;
}

/**
 * i8259_read() - the guest reads a port
 * @pic: both PICs
 * @port: 0x20, 0x21, 0xa0, 0xa1, 0x4d0 or 0x4d1
 */
u8 i8259_read(struct i8259 *pic, u16 port)
{
	unsigned int which = port >= 0x4d0 ? port & 1 : port >= 0xa0;
	const struct kvm_pic_state *s = &pic->chip[which];

	if (port >= 0x4d0)
		return s->elcr;
	if (s->poll)
		return i8259_poll(pic, which);
	if (port & 1)
		return s->imr;
	return s->read_reg_select ? s->isr : s->irr;
}

/**
 * i8259_write() - the guest writes a port
 * @pic: both PICs
 * @port: 0x20, 0x21, 0xa0, 0xa1, 0x4d0 or 0x4d1
 * @val: what it writes
 */
void i8259_write(struct i8259 *pic, u16 port, u8 val)
{
	unsigned int which = port >= 0x4d0 ? port & 1 : port >= 0xa0;

	if (port >= 0x4d0)
		i8259_write_elcr(pic, which, val);
	else if (port & 1)
		i8259_write_data(pic, which, val);
	else if (val & ICW1_INIT)
		i8259_icw1(pic, which, val);
	else if (val & OCW3_SELECT)
		i8259_ocw3(&pic->chip[which], val);
	else
		i8259_ocw2(pic, which, val);
	i8259_update(pic);
}

/* ---- set-up, save and restore ---- */

/**
 * i8259_init() - power-up
 * @pic: both PICs
 */
void i8259_init(struct i8259 *pic)
{
	*pic = (struct i8259){
		.chip[MASTER].elcr_mask = elcr_mask[MASTER],
		.chip[SLAVE].elcr_mask = elcr_mask[SLAVE],
	};
}

/**
 * i8259_get_state() - save one chip
 * @pic: both PICs
 * @which: 0: master, 1: slave
 * @state: all of the chip's state
 */
void i8259_get_state(const struct i8259 *pic, unsigned int which, struct kvm_pic_state *state)
{
	*state = pic->chip[which];
}

/**
 * i8259_set_state() - restore one chip
 * @pic: both PICs
 * @which: 0: master, 1: slave
 * @state: as i8259_get_state() gave it; what no chip can have is made to fit
 *
 * Who holds the pins is not changed: the devices are restored by others.
 */
void i8259_set_state(struct i8259 *pic, unsigned int which, const struct kvm_pic_state *state)
{
	struct kvm_pic_state *s = &pic->chip[which];

	*s = *state;
	s->priority_add &= 7;
	s->irq_base &= 0xf8;
	s->read_reg_select = !!s->read_reg_select;
	s->poll = !!s->poll;
	s->special_mask = !!s->special_mask;
	s->init_state &= 3;
	s->auto_eoi = !!s->auto_eoi;
	s->rotate_on_auto_eoi = !!s->rotate_on_auto_eoi;
	s->special_fully_nested_mode = !!s->special_fully_nested_mode;
	s->init4 = !!s->init4;
	s->elcr_mask = elcr_mask[which];
	s->elcr &= s->elcr_mask;
	i8259_update(pic);
}
