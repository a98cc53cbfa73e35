// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of i8254.c: every mode's count, OUT and events, pulse by pulse, as the 8254's
 * datasheet draws them; latches, read-back, GATE, port 0x61; save and restore in
 * mid-flight; a random walk that looks for events out of step with OUT.
 */
#include <stdlib.h>
#include <string.h>

#include "i8254.h"
#include "tap.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define START	5000000000000ull	/* ns; not a multiple of anything */

/* A time at which so many CLK pulses have passed since START, and a little more. */
static unsigned long long at(unsigned long long ticks)
{
	return START + ticks * 1000000000ull / PIT_FREQ + 400;
}

/* Control word, then both bytes of the count. */
static void program(struct i8254 *pit, unsigned int channel, unsigned int mode,
		    unsigned int count, unsigned long long now)
{
	i8254_write(pit, 3, channel << 6 | 0x30 | mode << 1, now);
	i8254_write(pit, channel, count & 0xff, now);
	i8254_write(pit, channel, count >> 8 & 0xff, now);
}

static unsigned int read_word(struct i8254 *pit, unsigned int channel, unsigned long long now)
{
	unsigned int low = i8254_read(pit, channel, now);

	return low | i8254_read(pit, channel, now) << 8;
}

/* The first @nr pulses of OUT, as a picture: '#' high, '_' low. */
static const char *picture(const struct i8254 *pit, unsigned int channel, unsigned int nr)
{
	static char line[64];
	unsigned int i;

	for (i = 0; i < nr; i++)
		line[i] = i8254_out(pit, channel, at(i)) ? '#' : '_';
	line[nr] = 0;
	return line;
}

static const char *counts(const struct i8254 *pit, unsigned int channel, unsigned int nr)
{
	static char line[128];
	unsigned int i, n = 0;

	for (i = 0; i < nr; i++)
		n += snprintf(line + n, sizeof(line) - n, "%s%d", i ? " " : "",
			      (short)i8254_count(pit, channel, at(i)));
	return line;
}

static void test_modes(void)
{
	static const struct {
		unsigned int mode, count;
		const char *out, *counts;
		unsigned int events[3];		/* after 5, 10 and 20 pulses */
	} rows[] = {
		{ 0, 4, "____######", "4 3 2 1 0 -1 -2", { 1, 1, 1 } },
		{ 2, 4, "###_###_###_", "4 3 2 1 4 3 2", { 1, 2, 5 } },
		{ 2, 5, "####_####_##", "5 4 3 2 1 5 4", { 1, 2, 4 } },
		{ 3, 4, "##__##__##__", "4 2 4 2 4 2 4", { 1, 2, 5 } },
		{ 3, 5, "###__###__##", "4 2 0 4 2 4 2", { 1, 2, 4 } },
		{ 4, 4, "####_#######", "4 3 2 1 0 -1 -2", { 1, 1, 1 } },
		/* Modes 6 and 7 are 2 and 3. */
		{ 6, 4, "###_###_###_", "4 3 2 1 4 3 2", { 1, 2, 5 } },
		{ 7, 4, "##__##__##__", "4 2 4 2 4 2 4", { 1, 2, 5 } },
	};
	struct i8254 pit;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *line;

		i8254_init(&pit);
		program(&pit, 0, rows[i].mode, rows[i].count, START);
		line = picture(&pit, 0, strlen(rows[i].out));
		if (!tap_ok(!strcmp(line, rows[i].out), "mode %u, count %u: OUT",
			    rows[i].mode, rows[i].count))
			tap_note("%s, not %s", line, rows[i].out);
		line = counts(&pit, 0, 7);
		if (!tap_ok(!strcmp(line, rows[i].counts), "mode %u, count %u: counts",
			    rows[i].mode, rows[i].count))
			tap_note("%s, not %s", line, rows[i].counts);
		tap_ok(i8254_events(&pit, 0, at(5)) == rows[i].events[0] &&
		       i8254_events(&pit, 0, at(10)) == rows[i].events[1] &&
		       i8254_events(&pit, 0, at(20)) == rows[i].events[2],
		       "mode %u, count %u: events", rows[i].mode, rows[i].count);
	}
}

/* Counter 2, for its GATE. */
static void test_gate(void)
{
	struct i8254 pit;
	unsigned int mode;

	for (mode = 1; mode <= 5; mode += 4) {
		const char *want = mode == 1 ? "____####" : "####_###";

		i8254_init(&pit);
		program(&pit, 2, mode, 4, START);
		tap_ok(i8254_out(&pit, 2, at(100)) && !i8254_events(&pit, 2, at(100)) &&
		       i8254_next_event(&pit, 2, at(1)) == PIT_NEVER,
		       "mode %u waits for GATE, OUT is high", mode);
		i8254_write_speaker(&pit, 1, START);
		tap_ok(!strcmp(picture(&pit, 2, 8), want), "mode %u: GATE rises", mode);
		i8254_write_speaker(&pit, 0, at(1));
		tap_ok(!strcmp(picture(&pit, 2, 8), want), "mode %u: GATE may fall", mode);
		i8254_write_speaker(&pit, 1, at(100));
		tap_ok(i8254_count(&pit, 2, at(102) + 100) == 2,
		       "mode %u: and trigger again", mode);
		i8254_write_speaker(&pit, 1, at(102));
		tap_ok(i8254_count(&pit, 2, at(103) + 100) == 1,
		       "mode %u: a high GATE is no edge", mode);
	}

	for (mode = 0; mode <= 4; mode += 4) {
		i8254_init(&pit);
		i8254_write_speaker(&pit, 1, START);
		program(&pit, 2, mode, 10, START);
		i8254_write_speaker(&pit, 0, at(3));
		tap_ok(i8254_count(&pit, 2, at(50)) == 7 && !i8254_events(&pit, 2, at(50)) &&
		       i8254_next_event(&pit, 2, at(50)) == PIT_NEVER,
		       "mode %u: GATE low stops it", mode);
		i8254_write_speaker(&pit, 1, at(50));
		tap_ok(i8254_count(&pit, 2, at(52)) == 5 && i8254_events(&pit, 2, at(58)) == 1,
		       "mode %u: GATE high lets it go on", mode);
		i8254_write_speaker(&pit, 0, START);
		program(&pit, 2, mode, 10, START);
		tap_ok(i8254_count(&pit, 2, at(5)) == 10, "mode %u: written while GATE is low",
		       mode);
	}

	for (mode = 2; mode <= 3; mode++) {
		i8254_init(&pit);
		i8254_write_speaker(&pit, 1, START);
		program(&pit, 2, mode, 10, START);
		i8254_write_speaker(&pit, 0, at(9));
		tap_ok(i8254_out(&pit, 2, at(9)) &&
		       i8254_next_event(&pit, 2, at(9)) == PIT_NEVER,
		       "mode %u: GATE low makes OUT high", mode);
		i8254_write_speaker(&pit, 1, at(50));
		tap_ok(i8254_count(&pit, 2, at(50)) == 10 && i8254_events(&pit, 2, at(60)) == 1,
		       "mode %u: GATE high starts it anew", mode);
	}
}

static void test_speaker(void)
{
	struct i8254 pit;

	i8254_init(&pit);
	tap_ok((i8254_read_speaker(&pit, START) & ~0x10) == 0x20, "port 0x61 after power-up");
	i8254_write_speaker(&pit, 0xff, START);
	tap_ok((i8254_read_speaker(&pit, START) & ~0x10) == 0x23, "GATE and data read back");
	tap_ok(pit.flags == KVM_PIT_FLAGS_SPEAKER_DATA_ON, "data is a flag of the state");
	i8254_write_speaker(&pit, 0xfc, START);
	tap_ok((i8254_read_speaker(&pit, START) & ~0x10) == 0x20, "other bits are not ours");
	tap_ok((i8254_read_speaker(&pit, 0) ^ i8254_read_speaker(&pit, 1 << 14)) == 0x10 &&
	       !((i8254_read_speaker(&pit, 0) ^ i8254_read_speaker(&pit, 2 << 14)) & 0x10),
	       "the refresh bit toggles");
	/* How Linux measures its TSC: mode 0 on counter 2, OUT in bit 5. */
	i8254_write_speaker(&pit, 1, START);
	program(&pit, 2, 0, 100, START);
	tap_ok(!(i8254_read_speaker(&pit, at(99)) & 0x20) &&
	       (i8254_read_speaker(&pit, at(100)) & 0x20), "OUT 2 in bit 5");
}

static void test_access(void)
{
	struct i8254 pit;

	i8254_init(&pit);
	tap_ok(i8254_write(&pit, 3, 0x34, START) && i8254_write(&pit, 0, 0x34, START) &&
	       i8254_write(&pit, 0, 0x12, START), "writes that concern counter 0 say so");
	tap_ok(!i8254_write(&pit, 3, 0x74, START) && !i8254_write(&pit, 1, 0, START) &&
	       !i8254_write(&pit, 3, 0x00, START) && !i8254_write(&pit, 3, 0xe2, START),
	       "others do not, nor latches");
	i8254_init(&pit);
	program(&pit, 0, 2, 0x1234, START);
	tap_ok(read_word(&pit, 0, at(4)) == 0x1230, "low byte, high byte");
	tap_ok(i8254_read(&pit, 3, START) == 0, "the control word cannot be read");

	i8254_write(&pit, 3, 0x14, START);
	i8254_write(&pit, 0, 0x20, START);
	tap_ok(pit.channel[0].s.count == 0x20 && i8254_read(&pit, 0, at(1)) == 0x1f &&
	       i8254_read(&pit, 0, at(2)) == 0x1e, "low byte only");
	i8254_write(&pit, 3, 0x24, START);
	i8254_write(&pit, 0, 0x20, START);
	tap_ok(pit.channel[0].s.count == 0x2000 && i8254_read(&pit, 0, at(1)) == 0x1f,
	       "high byte only");
	program(&pit, 0, 2, 0, START);
	tap_ok(pit.channel[0].s.count == 0x10000 && read_word(&pit, 0, at(0)) == 0 &&
	       read_word(&pit, 0, at(1)) == 0xffff, "0 is 65536");

	program(&pit, 0, 2, 0x1000, START);
	i8254_write(&pit, 3, 0x00, at(0x10));
	i8254_write(&pit, 3, 0x00, at(0x20));
	tap_ok(read_word(&pit, 0, at(0x30)) == 0x0ff0, "latch: the first one counts");
	tap_ok(read_word(&pit, 0, at(0x30)) == 0x0fd0, "once read, it is gone");
	i8254_write(&pit, 3, 0x00, at(0x10));
	tap_ok(i8254_read(&pit, 0, at(0x30)) == 0xf0, "latch: one byte,");
	i8254_write(&pit, 3, 0x00, at(0x110));
	tap_ok(i8254_read(&pit, 0, at(0x30)) == 0x0f, "then the other, whatever came between");
	i8254_write(&pit, 3, 0x00, at(0x10));
	i8254_write(&pit, 3, 0x34, at(0x10));
	tap_ok(!pit.channel[0].s.count_latched, "a control word drops the latch");
	i8254_write(&pit, 3, 0x14, START);
	i8254_write(&pit, 0, 0x80, START);
	i8254_write(&pit, 3, 0x00, at(0x10));
	tap_ok(i8254_read(&pit, 0, at(0x20)) == 0x70 && i8254_read(&pit, 0, at(0x20)) == 0x60,
	       "latch of a low byte");
}

static void test_read_back(void)
{
	struct i8254 pit;

	i8254_init(&pit);
	program(&pit, 0, 2, 0x1000, START);
	program(&pit, 2, 3, 0x2000, START);
	i8254_write(&pit, 3, 0xc2, at(0x10));	/* both, counter 0 */
	tap_ok(i8254_read(&pit, 0, at(0x40)) == 0xb4, "read-back: status first");
	tap_ok(read_word(&pit, 0, at(0x40)) == 0x0ff0, "then the count");
	tap_ok(!pit.channel[2].s.count_latched && !pit.channel[1].s.status_latched,
	       "counters not named keep theirs");
	i8254_write_speaker(&pit, 1, START);
	i8254_write(&pit, 3, 0xd8, at(0x1000));	/* counts of 1 and 2 */
	tap_ok(read_word(&pit, 2, at(0x1001)) == 0x2000, "read-back of counts only");
	i8254_write(&pit, 3, 0xe8, at(0x1000));	/* status of 2 */
	tap_ok(i8254_read(&pit, 2, START) == 0x36, "read-back of status only: OUT is low");
	i8254_write(&pit, 3, 0x31, at(1));
	i8254_write(&pit, 3, 0xe2, at(1));
	tap_ok(i8254_read(&pit, 0, at(1)) == 0x71,
	       "status: null count before the count, BCD, mode 0's OUT is low");
	i8254_write(&pit, 0, 1, at(1));
	i8254_write(&pit, 0, 0, at(1));
	i8254_write(&pit, 3, 0xe2, at(1));
	i8254_write(&pit, 3, 0xe2, at(9));
	tap_ok(i8254_read(&pit, 0, at(9)) == 0x31, "then not; a latched status stays");
	i8254_write(&pit, 3, 0xb2, START);	/* mode 1 */
	i8254_write(&pit, 2, 1, START);
	i8254_write(&pit, 2, 0, START);
	i8254_write(&pit, 3, 0xe8, START);
	tap_ok(i8254_read(&pit, 2, START) == 0xf2, "status: a count that waits for GATE is null");
}

static void test_events(void)
{
	struct i8254 pit;
	unsigned long long now, next, nr, wrong = 0;
	unsigned int i;

	i8254_init(&pit);
	tap_ok(i8254_next_event(&pit, 0, START) == PIT_NEVER && !i8254_events(&pit, 0, START) &&
	       !i8254_period(&pit, 0), "power-up: no events");
	i8254_write(&pit, 0, 0x55, START);
	tap_ok(i8254_next_event(&pit, 0, START) == PIT_NEVER, "nor after a count without a mode");

	program(&pit, 0, 2, 11932, START);
	tap_ok(i8254_period(&pit, 0) == 10000151, "period: ns, rounded up");
	now = START;
	for (i = 1; i <= 1000000; i++) {
		next = i8254_next_event(&pit, 0, now);
		nr = i8254_events(&pit, 0, next);
		if (nr != i || i8254_events(&pit, 0, next - 1) != i - 1)
			wrong++;
		now = next + i % 10000;		/* a late timer */
	}
	tap_ok(!wrong, "a million events: the first nanosecond of each");
	tap_ok(next == START + 11932000000ull / PIT_FREQ * 1000000000 +
	       11932000000ull % PIT_FREQ * 1000000000 / PIT_FREQ + 1,
	       "and they do not drift");

	program(&pit, 0, 0, 100, START);
	next = i8254_next_event(&pit, 0, START);
	tap_ok(next > at(99) - 400 && next <= at(100) && !i8254_period(&pit, 0) &&
	       i8254_next_event(&pit, 0, next) == PIT_NEVER, "mode 0: one event");
	i8254_write(&pit, 0, 50, at(10));
	tap_ok(i8254_next_event(&pit, 0, at(10)) == PIT_NEVER && !i8254_out(&pit, 0, at(200)),
	       "mode 0: the first byte of a new count stops it");
	i8254_write(&pit, 0, 0, at(10));
	tap_ok(i8254_events(&pit, 0, at(61)) == 1 && !i8254_events(&pit, 0, at(59)),
	       "the second starts it again");
	i8254_write(&pit, 3, 0x34, at(20));
	tap_ok(i8254_next_event(&pit, 0, at(20)) == PIT_NEVER, "a control word stops it");
	program(&pit, 0, 2, 1, START);
	tap_ok(i8254_events(&pit, 0, at(7)) == 7 && i8254_count(&pit, 0, at(7)) == 1,
	       "count 1 in mode 2, which the chip does not allow");
	program(&pit, 0, 3, 1, START);
	tap_ok(i8254_events(&pit, 0, at(7)) == 7, "and in mode 3");
}

static void transplant(struct i8254 *pit, unsigned long long now)
{
	struct kvm_pit_state2 state;
	struct i8254 other;

	i8254_get_state(pit, &state, now);
	i8254_init(&other);
	i8254_set_channels(&other, state.channels, now);
	other.flags = state.flags;
	*pit = other;
}

/* The same to a guest, at once and later? */
static bool alike(const struct i8254 *a, const struct i8254 *b, unsigned long long now)
{
	unsigned int i;

	for (i = 0; i < PIT_NR_CHANNELS; i++)
		if (i8254_count(a, i, now) != i8254_count(b, i, now) ||
		    i8254_out(a, i, now) != i8254_out(b, i, now) ||
		    i8254_events(a, i, now) != i8254_events(b, i, now) ||
		    i8254_next_event(a, i, now) != i8254_next_event(b, i, now))
			return false;
	return i8254_read_speaker(a, now) == i8254_read_speaker(b, now);
}

static void test_state(void)
{
	struct kvm_pit_state2 state;
	struct i8254 pit, twin;

	i8254_init(&pit);
	i8254_get_state(&pit, &state, START);
	tap_ok(state.channels[0].mode == 0xff && state.channels[0].count == 0x10000 &&
	       state.channels[0].gate && state.channels[1].gate && !state.channels[2].gate &&
	       !state.flags && !state.reserved[0], "save: power-up, as KVM shows it");

	program(&pit, 0, 2, 11932, START);
	program(&pit, 2, 0, 100, START);
	i8254_write_speaker(&pit, 3, at(5));
	i8254_write(&pit, 3, 0x00, at(17));
	i8254_read(&pit, 0, at(18));
	i8254_write(&pit, 2, 0x77, at(20));
	twin = pit;
	transplant(&twin, at(30));
	tap_ok(alike(&pit, &twin, at(31)) && alike(&pit, &twin, at(50000)),
	       "restored in mid-flight: goes on");
	tap_ok(i8254_read(&twin, 0, at(40)) == (11932 - 17) >> 8, "the latch's second byte");
	i8254_write(&twin, 2, 0, at(40));
	tap_ok(twin.channel[2].s.count == 0x77, "the count's second byte");

	i8254_init(&pit);
	i8254_write_speaker(&pit, 1, START);
	program(&pit, 2, 4, 100, START);
	i8254_write_speaker(&pit, 0, at(30));
	transplant(&pit, at(500));
	i8254_write_speaker(&pit, 1, at(600));
	tap_ok(i8254_count(&pit, 2, at(610)) == 60, "restored while GATE holds it");
	program(&pit, 2, 1, 100, START);
	i8254_write_speaker(&pit, 0, START);
	transplant(&pit, at(500));
	i8254_write_speaker(&pit, 1, at(600));
	tap_ok(i8254_count(&pit, 2, at(610)) == 90, "restored while it waits for GATE");
	i8254_write(&pit, 3, 0x34, START);
	transplant(&pit, at(500));
	tap_ok(i8254_next_event(&pit, 0, at(501)) == PIT_NEVER, "restored before the count");

	memset(&state, 0xff, sizeof(state));
	tap_ok(!i8254_state_valid(state.channels), "no count above 65536");
	state.channels[0].count = 0x10000;
	state.channels[1].count = 0;
	state.channels[2].count = 1;
	tap_ok(i8254_state_valid(state.channels), "others are taken");
	state.channels[0].mode = 6;
	state.channels[0].count_load_time = START + 1000;
	state.channels[1].mode = 0;
	state.channels[1].count_load_time = 0;
	i8254_set_channels(&pit, state.channels, START);
	tap_ok(pit.channel[0].s.mode == 2 && pit.channel[0].s.gate == 1 &&
	       pit.channel[0].s.bcd == 1 && pit.channel[1].s.count == 0x10000 &&
	       pit.channel[0].s.read_state == 3 && pit.channel[0].s.write_state == 3,
	       "restore: what no counter can have is made to fit");
	tap_ok(i8254_count(&pit, 0, at(1)) == 0xffff, "begun in the future: begins now");
	tap_ok(i8254_count(&pit, 1, at(1)) == 0xffff, "begun at 0, as KVM says: begins now");
	tap_ok(i8254_next_event(&pit, 2, START) == PIT_NEVER, "begun never: waits");
}

/* No events but those that next_event announces; no crash whatever is written. */
static void test_random(void)
{
	unsigned long long now = START, next, nr;
	struct i8254 pit, twin;
	const char *wrong = NULL;
	unsigned int i;

	srand(1);
	i8254_init(&pit);
	for (i = 0; i < 300000 && !wrong; i++) {
		now += rand() % 100000;
		switch (rand() % 5) {
		case 0:
			i8254_write(&pit, 3, rand(), now);
			break;
		case 1:
		case 2:
			i8254_write(&pit, rand() % 3, rand() % 4 ? rand() : 0, now);
			break;
		case 3:
			i8254_read(&pit, rand() % 4, now);
			break;
		default:
			i8254_write_speaker(&pit, rand(), now);
		}
		next = i8254_next_event(&pit, 0, now);
		nr = i8254_events(&pit, 0, now);
		if (next != PIT_NEVER && (next <= now || i8254_events(&pit, 0, next) != nr + 1 ||
					  i8254_events(&pit, 0, next - 1) != nr))
			wrong = "the next event";
		if (next == PIT_NEVER && i8254_events(&pit, 0, now + 1000000000) != nr)
			wrong = "an event out of nothing";
		twin = pit;
		transplant(&twin, now);
		if (pit.channel[0].phase == PIT_COUNTING && pit.channel[2].phase == PIT_COUNTING &&
		    pit.channel[1].phase == PIT_COUNTING && !alike(&pit, &twin, now + 12345))
			wrong = "a restored one differs";
	}
	tap_ok(!wrong, "300000 random steps: events, save and restore%s%s",
	       wrong ? ": " : "", wrong ? wrong : "");
	if (wrong)
		tap_note("at step %u", i);
}

int main(void)
{
	test_modes();
	test_gate();
	test_speaker();
	test_access();
	test_read_back();
	test_events();
	test_state();
	test_random();
	return tap_done();
}
