/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * minikvm.h - the userspace interface of minikvm
 *
 * It is KVM's own, number for number and struct for struct: include this (or
 * just <linux/kvm.h>), open MINIKVM_DEVICE instead of /dev/kvm, and go on as
 * with KVM.  Nothing of <linux/kvm.h> is repeated here.
 *
 * What is there is what a VMM needs that brings its own interrupt controllers
 * and timers, such as QEMU with kernel-irqchip=off.  Documentation/abi.rst has
 * every call with its errors, every capability with its value, and where minikvm
 * differs from KVM on purpose.  In short, KVM_ left out:
 *
 *	device	GET_API_VERSION, CREATE_VM, CHECK_EXTENSION, GET_VCPU_MMAP_SIZE,
 *		GET_SUPPORTED_CPUID, GET_EMULATED_CPUID, GET_MSRS and the two
 *		lists of MSRs, X86_GET_MCE_CAP_SUPPORTED
 *	VM	CREATE_VCPU, CHECK_EXTENSION, ENABLE_CAP, SET_USER_MEMORY_REGION and _REGION2,
 *		GET_DIRTY_LOG, CLEAR_DIRTY_LOG, X86_SET_MSR_FILTER, TSC_KHZ;
 *		accepted without need: SET_TSS_ADDR, SET_IDENTITY_MAP_ADDR,
 *		NR_MMU_PAGES
 *	vCPU	RUN, SET_SIGNAL_MASK, INTERRUPT, NMI, TRANSLATE, SET_GUEST_DEBUG,
 *		X86_SETUP_MCE, X86_SET_MCE, and to get and set: REGS, SREGS,
 *		SREGS2, FPU, XSAVE, XSAVE2, XCRS, DEBUGREGS, MSRS, CPUID2,
 *		VCPU_EVENTS, MP_STATE, TSC_KHZ, and the TSC offset as a device
 *		attribute
 *
 *	capabilities that change what a VMM must do: SYNC_REGS,
 *		IMMEDIATE_EXIT, READONLY_MEM, MANUAL_DIRTY_LOG_PROTECT2,
 *		EXCEPTION_PAYLOAD, X86_TRIPLE_FAULT_EVENT, X86_USER_SPACE_MSR,
 *		X86_MSR_FILTER, X86_DISABLE_EXITS (HLT and PAUSE),
 *		EXIT_ON_EMULATION_FAILURE, XSAVE2, SREGS2
 *
 *	absent, reported as 0: IRQCHIP, PIT2, IRQFD, IOEVENTFD, COALESCED_MMIO,
 *		ADJUST_CLOCK, X86_SMM, NESTED_STATE, DIRTY_LOG_RING,
 *		BINARY_STATS_FD, HYPERV*, XEN_HVM, PMU_CAPABILITY
 *
 * KVM_CHECK_EXTENSION tells the truth; a VMM need not look here.
 */
#ifndef _UAPI_LINUX_MINIKVM_H
#define _UAPI_LINUX_MINIKVM_H

#include <linux/kvm.h>

#define MINIKVM_NAME	"minikvm"
#define MINIKVM_DEVICE	"/dev/minikvm"

#endif
