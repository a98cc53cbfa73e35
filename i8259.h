/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two 8259A interrupt controllers of a PC
 *
 * A pure core: no lock, no kernel service; it compiles in userspace too
 * (tools/unit).  irqchip.c is the binding.
 */
#ifndef MINIKVM_I8259_H
#define MINIKVM_I8259_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
typedef unsigned char u8;
typedef unsigned short u16;
#endif
#include <asm/kvm.h>

#define I8259_NR_PINS	16	/* 0..7: master, 8..15: slave */
#define I8259_CASCADE	2	/* the master's pin with the slave on it */

/**
 * struct i8259 - both PICs
 * @chip:	master, slave: the registers, as KVM_GET_IRQCHIP shows them
 * @sources:	for each pin a bit for each source that holds it high
 * @intr:	the master's INT output: an interrupt waits for its INTA
 * @acked:	pins whose interrupt ended since the binding cleared this
 * @unmasked:	pins unmasked since the binding cleared this
 *
 * "Ended" is what a device that waits for it wants to know: an EOI, an automatic
 * EOI, or an initialization that forgets the interrupt.
 */
struct i8259 {
	struct kvm_pic_state chip[2];
	u8 sources[I8259_NR_PINS];
	bool intr;
	u16 acked;
	u16 unmasked;
};

void i8259_init(struct i8259 *pic);
int i8259_set_irq(struct i8259 *pic, unsigned int pin, unsigned int source, bool level);
u8 i8259_intack(struct i8259 *pic);
u8 i8259_read(struct i8259 *pic, u16 port);
void i8259_write(struct i8259 *pic, u16 port, u8 val);
void i8259_get_state(const struct i8259 *pic, unsigned int which, struct kvm_pic_state *state);
void i8259_set_state(struct i8259 *pic, unsigned int which, const struct kvm_pic_state *state);

#endif
