// SPDX-License-Identifier: GPL-2.0
/*
 * i8254.c - the interval timer (PIT)
 *
 * Models the Intel 8254 ("Intel 8254 Programmable Interval Timer", datasheet 231164)
 * as a PC wires it: counter 0 drives IRQ 0, its GATE is always high; so is that of
 * counter 1, which once refreshed memory; counter 2 drives the speaker and has its
 * GATE in port 0x61.
 *
 * Nothing ticks here.  A counter is what was written and the time at which it began;
 * its value, OUT and the time of its next interrupt are functions of these and of
 * "now":
 *
 *	i8254_write()		control word, then the count: counting begins
 *	i8254_count()		what the counter holds now
 *	i8254_out()		OUT, which port 0x61 and the status byte show
 *	i8254_next_event()	when OUT rises next: the binding's timer
 *	i8254_events()		how often it has risen
 *
 * Times are exact: an event is computed from the start and its number, so roundings do
 * not add up.  The 8254 takes a new count with the CLK pulse after the write; here it
 * is taken at once.
 *
 * Left out on purpose: BCD counting (the bit is stored, counting is binary; as KVM);
 * a count written while one runs takes effect at once in all modes, while the chip
 * finishes the cycle first in modes 2 and 3 and waits for GATE in modes 1 and 5.
 *
 * No locks: struct i8254 is the binding's.
 */
#include "i8254.h"

#define NSEC_PER_SECOND	1000000000ull

#define PIT_REG_CONTROL	3

/* The control word, 8254 datasheet, "Control Word Format". */
#define CW_READ_BACK	3	/* in place of a counter's number */
#define CW_NO_COUNT	0x20	/* read-back: active low */
#define CW_NO_STATUS	0x10
#define STATUS_OUT	0x80
#define STATUS_NULL	0x40

/* How bytes are read and written: kvm_pit_channel_state's *_state, count_latched. */
enum { RW_LATCH, RW_LSB, RW_MSB, RW_WORD0, RW_WORD1 };

#define PIT_MODE_UNSET	0xff	/* before the first control word; as KVM shows it */

/* Port 0x61 */
#define SPEAKER_GATE	0x01
#define SPEAKER_DATA	0x02
#define SPEAKER_REFRESH	0x10
#define SPEAKER_OUT	0x20
#define REFRESH_SHIFT	14	/* the refresh bit toggles every 2^14 ns; about 15 us */

/* ---- time ---- */

static u64 pit_ns_to_ticks(u64 ns)
{
	return ns / NSEC_PER_SECOND * PIT_FREQ +
	       ns % NSEC_PER_SECOND * PIT_FREQ / NSEC_PER_SECOND;
}

/* The first nanosecond at which so many ticks have passed. */
static u64 pit_ticks_to_ns(u64 ticks)
{
	return ticks / PIT_FREQ * NSEC_PER_SECOND +
	       (ticks % PIT_FREQ * NSEC_PER_SECOND + PIT_FREQ - 1) / PIT_FREQ;
}

static u64 pit_elapsed_ns(const struct pit_channel *c, u64 now)
{
	u64 since = c->s.count_load_time;

	if (c->stopped)
		return c->stopped_ns;
	return now > since ? now - since : 0;
}

static u64 pit_elapsed(const struct pit_channel *c, u64 now)
{
	return pit_ns_to_ticks(pit_elapsed_ns(c, now));
}

/* Modes 2 and 3 start over and over. */
static bool pit_periodic(const struct pit_channel *c)
{
	return c->s.mode == 2 || c->s.mode == 3;
}

/* Modes 1 and 5 begin when GATE rises, not when the count is written. */
static bool pit_triggered(const struct pit_channel *c)
{
	return c->s.mode == 1 || c->s.mode == 5;
}

/* GATE is low and that matters: periodic modes will start anew, modes 0 and 4 go on. */
static bool pit_gated(const struct pit_channel *c)
{
	return !c->s.gate && !pit_triggered(c);
}

/* ---- what time makes of a counter ---- */

/*
 * Mode 3 counts by twos, and an odd count is high for one pulse more than low (8254
 * datasheet, "Mode 3").
 */
static u16 pit_count_square(u32 count, u64 ticks)
{
	u32 high = (count + 1) / 2, t = ticks % count;

	if (t >= high)
		t -= high;
	return (count & ~1u) - 2 * t;
}

static u16 pit_count(const struct pit_channel *c, u64 now)
{
	u32 count = c->s.count;
	u64 ticks;

	if (c->phase != PIT_COUNTING)
		return count;
	ticks = pit_elapsed(c, now);
	switch (c->s.mode) {
	case 2:
		return count - ticks % count;
	case 3:
		return pit_count_square(count, ticks);
	default:
		return count - ticks;	/* goes on below zero */
	}
}

/* OUT, as "Mode Definitions" of the 8254's datasheet has it. */
static bool pit_out(const struct pit_channel *c, u64 now)
{
	u32 count = c->s.count;
	u64 ticks;

	if (c->phase != PIT_COUNTING)
		return c->s.mode != 0;
	ticks = pit_elapsed(c, now);
	switch (c->s.mode) {
	case 0:
	case 1:
		return ticks >= count;
	case 2:
		return pit_gated(c) || ticks % count != count - 1;
	case 3:
		return pit_gated(c) || ticks % count < (count + 1) / 2;
	default:
		return ticks != count;	/* a strobe of one pulse */
	}
}

/**
 * i8254_count() - the value of a counter
 * @pit: the chip
 * @channel: 0..2
 * @now: ns
 */
u16 i8254_count(const struct i8254 *pit, unsigned int channel, u64 now)
{
	return pit_count(&pit->channel[channel], now);
}

/**
 * i8254_out() - the level of OUT
 * @pit: the chip
 * @channel: 0..2
 * @now: ns
 */
bool i8254_out(const struct i8254 *pit, unsigned int channel, u64 now)
{
	return pit_out(&pit->channel[channel], now);
}

/**
 * i8254_period() - how long from one event to the next?
 * @pit: the chip
 * @channel: 0..2
 *
 * Return: ns; 0 if there is at most one event.
 */
u64 i8254_period(const struct i8254 *pit, unsigned int channel)
{
	const struct pit_channel *c = &pit->channel[channel];

	return pit_periodic(c) ? pit_ticks_to_ns(c->s.count) : 0;
}

/**
 * i8254_events() - how often has the count run out since it began?
 * @pit: the chip
 * @channel: 0..2
 * @now: ns
 */
u64 i8254_events(const struct i8254 *pit, unsigned int channel, u64 now)
{
	const struct pit_channel *c = &pit->channel[channel];
	u64 ticks;

	if (c->phase != PIT_COUNTING || (pit_periodic(c) && pit_gated(c)))
		return 0;
	ticks = pit_elapsed(c, now);
	return pit_periodic(c) ? ticks / c->s.count : ticks >= c->s.count;
}

/**
 * i8254_next_event() - when does it run out next?
 * @pit: the chip
 * @channel: 0..2
 * @now: ns
 *
 * Return: a time after @now, or PIT_NEVER.
 */
u64 i8254_next_event(const struct i8254 *pit, unsigned int channel, u64 now)
{
	const struct pit_channel *c = &pit->channel[channel];
	u64 nr = i8254_events(pit, channel, now);

	if (c->phase != PIT_COUNTING || pit_gated(c) || (nr && !pit_periodic(c)))
		return PIT_NEVER;
	return c->s.count_load_time + pit_ticks_to_ns((nr + 1) * c->s.count);
}

/* ---- writing ---- */

static void pit_start(struct pit_channel *c, u64 now)
{
	c->phase = PIT_COUNTING;
	c->s.count_load_time = now;
	c->stopped = pit_gated(c);
	c->stopped_ns = 0;
}

static void pit_stop(struct pit_channel *c)
{
	c->phase = PIT_NO_COUNT;
	c->s.count_load_time = PIT_NOT_COUNTING;
	c->stopped = false;
}

/* The count is complete. */
static void pit_load_count(struct pit_channel *c, u32 count, u64 now)
{
	c->s.count = count ?: PIT_MAX_COUNT;
	if (c->s.mode == PIT_MODE_UNSET)
		return;
	if (!pit_triggered(c))
		pit_start(c, now);
	else if (c->phase == PIT_NO_COUNT)
		c->phase = PIT_WAIT_GATE;
}

static void pit_write_count(struct pit_channel *c, u8 val, u64 now)
{
	switch (c->s.write_state) {
	case RW_MSB:
		pit_load_count(c, val << 8, now);
		break;
	case RW_WORD0:
		c->s.write_latch = val;
		c->s.write_state = RW_WORD1;
		/* Mode 0: "Writing the first byte disables counting." */
		if (c->s.mode == 0)
			pit_stop(c);
		break;
	case RW_WORD1:
		c->s.write_state = RW_WORD0;
		pit_load_count(c, c->s.write_latch | val << 8, now);
		break;
	default:
		pit_load_count(c, val, now);
	}
}

/* A latch that was not read yet keeps its value. */
static void pit_latch_count(struct pit_channel *c, u64 now)
{
	if (c->s.count_latched)
		return;
	c->s.latched_count = pit_count(c, now);
	c->s.count_latched = c->s.rw_mode;
}

static void pit_latch_status(struct pit_channel *c, u64 now)
{
	if (c->s.status_latched)
		return;
	c->s.status = (pit_out(c, now) ? STATUS_OUT : 0) |
		      (c->phase == PIT_COUNTING ? 0 : STATUS_NULL) |
		      c->s.rw_mode << 4 | (c->s.mode & 7) << 1 | c->s.bcd;
	c->s.status_latched = 1;
}

static void pit_write_control(struct i8254 *pit, u8 val, u64 now)
{
	unsigned int i, channel = val >> 6, mode = val >> 1 & 7;
	struct pit_channel *c = &pit->channel[channel];

	if (channel == CW_READ_BACK) {
		for (i = 0; i < PIT_NR_CHANNELS; i++) {
			if (!(val & (2 << i)))
				continue;
			if (!(val & CW_NO_COUNT))
				pit_latch_count(&pit->channel[i], now);
			if (!(val & CW_NO_STATUS))
				pit_latch_status(&pit->channel[i], now);
		}
		return;
	}
	if ((val >> 4 & 3) == RW_LATCH) {
		pit_latch_count(c, now);
		return;
	}
	c->s.rw_mode = val >> 4 & 3;
	c->s.read_state = c->s.rw_mode;
	c->s.write_state = c->s.rw_mode;
	c->s.count_latched = 0;
	c->s.status_latched = 0;
	c->s.mode = mode > 5 ? mode - 4 : mode;	/* bit 2 means nothing in modes 2 and 3 */
	c->s.bcd = val & 1;
	pit_stop(c);
}

/**
 * i8254_write() - the guest writes a register
 * @pit: the chip
 * @reg: 0..2: a counter, 3: the control word
 * @val: what it writes
 * @now: ns
 *
 * Return: true if counter 0 may count differently now: its events begin anew.
 */
bool i8254_write(struct i8254 *pit, unsigned int reg, u8 val, u64 now)
{
	if (reg != PIT_REG_CONTROL) {
		pit_write_count(&pit->channel[reg], val, now);
		return reg == 0;
	}
	pit_write_control(pit, val, now);
	return val >> 6 == 0 && (val >> 4 & 3) != RW_LATCH;
}

/* ---- reading ---- */

static u8 pit_read_latched(struct pit_channel *c)
{
	u16 count = c->s.latched_count;

	switch (c->s.count_latched) {
	case RW_MSB:
		c->s.count_latched = 0;
		return count >> 8;
	case RW_WORD0:
		c->s.count_latched = RW_MSB;
		return count;
	default:
		c->s.count_latched = 0;
		return count;
	}
}

/**
 * i8254_read() - the guest reads a register
 * @pit: the chip
 * @reg: 0..2: a counter; 3 cannot be read and gives 0
 * @now: ns
 */
u8 i8254_read(struct i8254 *pit, unsigned int reg, u64 now)
{
	struct pit_channel *c = &pit->channel[reg];
	u16 count;

	if (reg == PIT_REG_CONTROL)
		return 0;
	if (c->s.status_latched) {
		c->s.status_latched = 0;
		return c->s.status;
	}
	if (c->s.count_latched)
		return pit_read_latched(c);

	count = pit_count(c, now);
	switch (c->s.read_state) {
	case RW_MSB:
		return count >> 8;
	case RW_WORD0:
		c->s.read_state = RW_WORD1;
		return count;
	case RW_WORD1:
		c->s.read_state = RW_WORD0;
		return count >> 8;
	default:
		return count;
	}
}

/* ---- port 0x61 ---- */

static void pit_set_gate(struct pit_channel *c, bool gate, u64 now)
{
	bool rises = gate && !c->s.gate;
	bool falls = !gate && c->s.gate;

	c->s.gate = gate;
	if (c->phase == PIT_NO_COUNT)
		return;
	if (rises && (pit_periodic(c) || pit_triggered(c))) {
		pit_start(c, now);
	} else if (rises && c->stopped) {
		c->s.count_load_time = now - c->stopped_ns;
		c->stopped = false;
	} else if (falls && !pit_triggered(c)) {
		c->stopped_ns = pit_elapsed_ns(c, now);
		c->stopped = true;
	}
}

/**
 * i8254_read_speaker() - the guest reads port 0x61
 * @pit: the chip
 * @now: ns
 */
u8 i8254_read_speaker(const struct i8254 *pit, u64 now)
{
	return (pit->channel[2].s.gate ? SPEAKER_GATE : 0) |
	       (pit->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON ? SPEAKER_DATA : 0) |
	       (now >> REFRESH_SHIFT & 1 ? SPEAKER_REFRESH : 0) |
	       (i8254_out(pit, 2, now) ? SPEAKER_OUT : 0);
}

/**
 * i8254_write_speaker() - the guest writes port 0x61
 * @pit: the chip
 * @val: what it writes; only GATE 2 and the speaker's switch are ours
 * @now: ns
 */
void i8254_write_speaker(struct i8254 *pit, u8 val, u64 now)
{
	if (val & SPEAKER_DATA)
		pit->flags |= KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	else
		pit->flags &= ~KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	pit_set_gate(&pit->channel[2], val & SPEAKER_GATE, now);
}

/* ---- set-up, save and restore ---- */

/**
 * i8254_init() - power-up
 * @pit: the chip
 */
void i8254_init(struct i8254 *pit)
{
	unsigned int i;

	*pit = (struct i8254){};
	for (i = 0; i < PIT_NR_CHANNELS; i++) {
		pit->channel[i].s.mode = PIT_MODE_UNSET;
		pit->channel[i].s.count = PIT_MAX_COUNT;
		pit->channel[i].s.gate = i != 2;
		pit_stop(&pit->channel[i]);
	}
}

/**
 * i8254_get_state() - save
 * @pit: the chip
 * @state: all of its state
 * @now: ns
 *
 * A counter that GATE holds is shown as if it had begun that much before @now; one that
 * does not count has PIT_NOT_COUNTING.
 */
void i8254_get_state(const struct i8254 *pit, struct kvm_pit_state2 *state, u64 now)
{
	unsigned int i;

	*state = (struct kvm_pit_state2){ .flags = pit->flags };
	for (i = 0; i < PIT_NR_CHANNELS; i++) {
		const struct pit_channel *c = &pit->channel[i];

		state->channels[i] = c->s;
		if (c->stopped)
			state->channels[i].count_load_time = now - c->stopped_ns;
	}
}

/**
 * i8254_state_valid() - can the counters be set to this?
 * @channels: three of them
 */
bool i8254_state_valid(const struct kvm_pit_channel_state *channels)
{
	unsigned int i;

	for (i = 0; i < PIT_NR_CHANNELS; i++)
		if (channels[i].count > PIT_MAX_COUNT)
			return false;
	return true;
}

/* What no counter can have is made to fit. */
static void pit_sanitize(struct kvm_pit_channel_state *s)
{
	if (s->mode != PIT_MODE_UNSET)
		s->mode = (s->mode & 7) > 5 ? (s->mode & 7) - 4 : s->mode & 7;
	s->count = s->count ?: PIT_MAX_COUNT;
	s->rw_mode &= 3;
	s->bcd &= 1;
	s->gate = !!s->gate;
	s->status_latched = !!s->status_latched;
	if (s->count_latched > RW_WORD0)
		s->count_latched = 0;
	if (s->read_state > RW_WORD1)
		s->read_state = s->rw_mode;
	if (s->write_state > RW_WORD1)
		s->write_state = s->rw_mode;
}

/* When did a restored counter begin?  0: KVM says so of counter 0; it means nothing. */
static void pit_restore(struct pit_channel *c, u64 now)
{
	s64 since = c->s.count_load_time;

	if (since < 0 || c->s.mode == PIT_MODE_UNSET) {
		pit_stop(c);
		if (pit_triggered(c) && c->s.mode != PIT_MODE_UNSET)
			c->phase = PIT_WAIT_GATE;
		return;
	}
	if (since == 0 || (u64)since > now)
		since = now;
	c->phase = PIT_COUNTING;
	c->s.count_load_time = since;
	c->stopped = pit_gated(c);
	c->stopped_ns = now - since;
}

/**
 * i8254_set_channels() - restore the counters
 * @pit: the chip
 * @channels: as i8254_get_state() gave them; i8254_state_valid()
 * @now: ns
 *
 * A counter goes on from where its count_load_time says that it is; one that has it in
 * the future begins now.
 */
void i8254_set_channels(struct i8254 *pit, const struct kvm_pit_channel_state *channels,
			u64 now)
{
	unsigned int i;

	for (i = 0; i < PIT_NR_CHANNELS; i++) {
		pit->channel[i].s = channels[i];
		pit_sanitize(&pit->channel[i].s);
		pit_restore(&pit->channel[i], now);
	}
}
