/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interval timer (PIT): three counters that time moves
 *
 * A pure core: no lock, no clock, no timer; "now" is always an argument, in
 * nanoseconds of the host's monotonic clock.  It compiles in userspace too
 * (tools/unit).  pit.c is the binding.
 */
#ifndef MINIKVM_I8254_H
#define MINIKVM_I8254_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;
#endif
#include <asm/kvm.h>

#define PIT_FREQ		1193182		/* Hz, of CLK */
#define PIT_NR_CHANNELS		3
#define PIT_MAX_COUNT		0x10000u	/* written as 0 */
#define PIT_NEVER		(~0ull)
/*
 * kvm_pit_channel_state.count_load_time of a counter that does not count: so far in
 * the past that no VMM that converts between clocks makes it a real time.
 */
#define PIT_NOT_COUNTING	(-(1ll << 62))

enum pit_phase {
	PIT_NO_COUNT,		/* a control word was written, a count not yet */
	PIT_WAIT_GATE,		/* modes 1 and 5: GATE has to rise first */
	PIT_COUNTING,		/* since count_load_time; see also @stopped */
};

/**
 * struct pit_channel - a counter
 * @s:		the registers, as KVM_GET_PIT2 shows them
 * @phase:	does it count?
 * @stopped:	GATE is low and holds it (not in modes 1 and 5)
 * @stopped_ns:	for how long it had counted when GATE fell
 */
struct pit_channel {
	struct kvm_pit_channel_state s;
	enum pit_phase phase;
	bool stopped;
	u64 stopped_ns;
};

/**
 * struct i8254 - the chip, and the parts of port 0x61 that belong to it
 * @channel:	counters
 * @flags:	KVM_PIT_FLAGS_*
 */
struct i8254 {
	struct pit_channel channel[PIT_NR_CHANNELS];
	u32 flags;
};

void i8254_init(struct i8254 *pit);
u8 i8254_read(struct i8254 *pit, unsigned int reg, u64 now);
bool i8254_write(struct i8254 *pit, unsigned int reg, u8 val, u64 now);
u8 i8254_read_speaker(const struct i8254 *pit, u64 now);
void i8254_write_speaker(struct i8254 *pit, u8 val, u64 now);
u16 i8254_count(const struct i8254 *pit, unsigned int channel, u64 now);
bool i8254_out(const struct i8254 *pit, unsigned int channel, u64 now);
u64 i8254_events(const struct i8254 *pit, unsigned int channel, u64 now);
u64 i8254_next_event(const struct i8254 *pit, unsigned int channel, u64 now);
u64 i8254_period(const struct i8254 *pit, unsigned int channel);
void i8254_get_state(const struct i8254 *pit, struct kvm_pit_state2 *state, u64 now);
bool i8254_state_valid(const struct kvm_pit_channel_state *channels);
void i8254_set_channels(struct i8254 *pit, const struct kvm_pit_channel_state *channels,
			u64 now);

#endif
