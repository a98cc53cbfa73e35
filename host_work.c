// SPDX-License-Identifier: GPL-2.0
/*
 * host_work.c - what the host kernel wants done before the next entry
 *
 * On its way to the guest, as on its way to userspace, a thread may find that it
 * is to be rescheduled, has a signal, or has work queued for it (task work,
 * rseq).  The kernel has a function for this, xfer_to_guest_mode_handle_work(),
 * but it takes a struct kvm_vcpu, by which it means the kernel's own: for a signal
 * it writes run->exit_reason and a counter in there.  Ours has another layout.
 *
 * So this file alone includes the kernel's <linux/kvm_host.h>, keeps one such vCPU
 * for those two writes to land in, and nothing else of it is ever used.  All
 * threads share it: what is written there is never read.
 */
#include <linux/entry-kvm.h>
#include <linux/kvm_host.h>

#include "host_work.h"

static struct kvm_run scapegoat_run;
static struct kvm_vcpu scapegoat = {
	.run = &scapegoat_run,
};

/**
 * kvm_xfer_to_guest_mode_handle_work() - do the host's pending work
 *
 * Context: process, preemptible, interrupts on, no lock held.
 * Return: 0, or -EINTR if a signal is pending.
 */
int kvm_xfer_to_guest_mode_handle_work(void)
{
	return xfer_to_guest_mode_handle_work(&scapegoat);
}
