// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: any accesses to a PIT, time in steps of any length, restores
 *
 * After each step, for each counter: the next event lies ahead; one nanosecond before
 * it nothing has happened and at it one event has; the number of events does not fall
 * while nobody writes; and a chip that gets the saved state counts the same.
 */
#include <string.h>

#include "fuzz.h"
#include "i8254.h"

static void check(const struct i8254 *pit, u64 now)
{
	unsigned int i;

	for (i = 0; i < PIT_NR_CHANNELS; i++) {
		u64 next = i8254_next_event(pit, i, now), events = i8254_events(pit, i, now);

		i8254_out(pit, i, now);
		i8254_count(pit, i, now);
		PROMISE(i8254_events(pit, i, now + 12345) >= events);
		if (next == PIT_NEVER)
			continue;
		PROMISE(next > now);
		PROMISE(i8254_events(pit, i, next - 1) == events);
		PROMISE(i8254_events(pit, i, next) == events + 1);
	}
}

static void check_copy(const struct i8254 *pit, u64 now)
{
	struct kvm_pit_state2 state, again;
	struct i8254 copy;
	unsigned int i;

	i8254_get_state(pit, &state, now);
	PROMISE(i8254_state_valid(state.channels));
	i8254_init(&copy);
	copy.flags = state.flags;
	i8254_set_channels(&copy, state.channels, now);
	i8254_get_state(&copy, &again, now);
	PROMISE(!memcmp(&state, &again, sizeof(state)));
	for (i = 0; i < PIT_NR_CHANNELS; i++) {
		PROMISE(i8254_count(&copy, i, now) == i8254_count(pit, i, now));
		PROMISE(i8254_next_event(&copy, i, now) == i8254_next_event(pit, i, now));
		PROMISE(i8254_events(&copy, i, now) == i8254_events(pit, i, now));
		PROMISE(i8254_out(&copy, i, now) == i8254_out(pit, i, now));
	}
}

static void set_any_state(struct i8254 *pit, struct input *in, u64 now)
{
	struct kvm_pit_channel_state channels[PIT_NR_CHANNELS];
	unsigned char *byte = (unsigned char *)channels;
	unsigned int i;

	for (i = 0; i < sizeof(channels); i++)
		byte[i] = take_byte(in);
	for (i = 0; i < PIT_NR_CHANNELS; i++)
		channels[i].count_load_time = now - take_u32(in);
	if (i8254_state_valid(channels))
		i8254_set_channels(pit, channels, now);
}

int fuzz_one_input(const unsigned char *data, size_t size)
{
	struct input in = { data, size };
	struct i8254 pit;
	u64 now = 1000000000000ull;

	i8254_init(&pit);
	while (in.left) {
		u8 op = take_byte(&in);

		switch (op % 8) {
		case 0:
		case 1:
		case 2:
			i8254_write(&pit, op >> 3 & 3, take_byte(&in), now);
			break;
		case 3:
			i8254_read(&pit, op >> 3 & 3, now);
			break;
		case 4:
			now += take_u32(&in) >> (op >> 3);
			break;
		case 5:
			now += take_byte(&in);
			break;
		case 6:
			i8254_write_speaker(&pit, take_byte(&in), now);
			i8254_read_speaker(&pit, now);
			break;
		case 7:
			if (op == 7)
				set_any_state(&pit, &in, now);
			break;
		}
		check(&pit, now);
		check_copy(&pit, now);
	}
	return 0;
}
