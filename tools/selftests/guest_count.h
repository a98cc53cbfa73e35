/* SPDX-License-Identifier: GPL-2.0 */
/*
 * guest_count.h - a guest that counts in memory, and knows what it must find there
 *
 * Each vCPU counts in its own word of every page, once a round, and checks first that it
 * finds what it left.  So vCPUs can use the same pages at once, and a page that was lost,
 * or is an old one, is seen with the next round.
 */
#ifndef GUEST_COUNT_H
#define GUEST_COUNT_H

#include "minikvm_util.h"

/* RDI: its word of the first page, RSI: number of pages, RBX: rounds. */
ASM_GUEST(count_pages, "mov $0, %r8\n"		/* what each word should be */
	  "1: mov %rdi, %r9; mov %rsi, %rcx\n"
	  "2: cmp %r8, (%r9); jne 3f\n"
	  "incq (%r9); add $4096, %r9; loop 2b\n"
	  "inc %r8; dec %rbx; jnz 1b\n"
	  ASM_DONE
	  "3: mov %r9, %rdi; mov (%r9), %rsi\n"
	  "mov $0x3e8, %edx; mov $3, %eax; out %eax, %dx; 4: jmp 4b\n");

static inline void *count_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	struct ucall uc = vcpu_ucall(vcpu);

	if (uc.cmd != UCALL_DONE)
		printf("# vCPU %d: ucall %u, word %#lx is %lu\n", vcpu->id, uc.cmd, uc.a, uc.b);
	return (void *)(u64)uc.cmd;
}

/* The vCPU begins; the thread's result is UCALL_DONE if all was right. */
static inline pthread_t count_start(struct vcpu *vcpu, u64 first_word, u64 pages, u64 rounds)
{
	struct kvm_regs r;
	pthread_t t;

	vcpu_long(vcpu, count_pages);
	vcpu_regs(vcpu, &r);
	r.rdi = first_word;
	r.rsi = pages;
	r.rbx = rounds;
	vcpu_set_regs(vcpu, &r);
	pthread_create(&t, NULL, count_thread, vcpu);
	return t;
}

/* Of that many vCPUs, whose words are the first of each page. */
static inline bool counts_are(u8 *mem, u64 pages, int vcpus, u64 rounds)
{
	for (u64 i = 0; i < pages; i++)
		for (int j = 0; j < vcpus; j++)
			if (((u64 *)(mem + i * PAGE_SIZE))[j] != rounds)
				return false;
	return true;
}

#endif
