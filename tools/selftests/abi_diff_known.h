/* SPDX-License-Identifier: GPL-2.0 */
/*
 * abi_diff_known.h - where minikvm's answers may differ from the stock KVM's
 *
 * For abi_diff_test.c, which says what the lines are.  A row is for both vendors
 * unless it names one.
 */
#ifndef ABI_DIFF_KNOWN_H
#define ABI_DIFF_KNOWN_H

enum vendor { BOTH, INTEL, AMD };

/*
 * What may differ: minikvm's line as fnmatch() has it (with the "@(a|b)" of ksh),
 * and why.  KVM's answer may then be anything else.
 */
static const struct known {
	const char *line, *why;
	enum vendor vendor;
} known[] = {
	/* Capabilities and what belongs to them. */
	{ "cap @(6|44|45|46|96|117|123|148|149|154|155|157|161|163|167|173|182|184|187|"
	  "191|192|196|197|199|201|203|206|209|215|220|223) @(dev|vm) | 0",
	  "not there, and says so" },
	{ "cap 143 * | 6", "HLT and PAUSE are all that can be left to the guest" },
	{ "cap 188 * | 7", "KVM forgets two of the three reasons that it knows" },
	{ "cap 231 * | 1", "of Linux 6.8" },
	{ "cap 213 * | 121", "the quirks that are there" },
	{ "enable* @(182|193|197|201|206|220) * | -22", "not there" },
	{ "enable* 143 @(1|3|7|8) * | -22", "MWAIT and C-states stay KVM's" },
	{ "enable* 213 @(2|3|4|7) * | -22", "quirks that are not there" },
	{ "enable on vcpu 1@(63|75|90|99) * | -22", "not there" },
	{ "ioctl vm KVM_SET_BOOT_CPU_ID * | -22", "6.1's KVM takes any number for an id" },
	{ "max id * vcpu 10000000[01] * | -22", "KVM before 6.12 cuts an id to 32 bits" },
	{ "max id 0 | -22", "KVM takes 0 while nothing is set" },
	{ "max id * read | *", "shows what was set; KVM shows its own limit" },
	{ "max id 4096 *", "to set the limit that is there counts as nothing" },

	/* Calls. */
	{ "ioctl vm KVM_@(IRQ_LINE|IRQ_LINE_STATUS|GET_IRQCHIP|SET_IRQCHIP|GET_PIT|SET_PIT|SET_PIT2|"
	  "SET_GSI_ROUTING|REINJECT_CONTROL|IRQFD|SIGNAL_MSI) @(null|one|kernel|edge) | -@(6|22)",
	  "refused before the argument is read" },
	{ "ioctl vcpu KVM_SET_@(LAPIC|VAPIC_ADDR) @(null|one|kernel|edge) | -14",
	  "the argument is read before it is refused" },
	{ "ioctl vm KVM_REGISTER_COALESCED_MMIO zeros | -22", "an empty range is refused" },
	{ "ioctl vm KVM_IOEVENTFD ones | -22", "unknown flags are refused" },
	{ "ioctl vm KVM_@(CREATE_DEVICE|HYPERV_EVENTFD|RESET_DIRTY_RINGS|"
	  "SET_PMU_EVENT_FILTER|GET_STATS_FD) * | -25", "not there" },
	{ "ioctl @(dev|vcpu) KVM_@(GET_DEVICE_ATTR|HAS_DEVICE_ATTR|TPR_ACCESS_REPORTING|ENABLE_CAP|"
	  "SMI|GET_NESTED_STATE|SET_NESTED_STATE|GET_SUPPORTED_HV_CPUID|GET_STATS_FD) * | -22",
	  "not there" },
	{ "ioctl @(dev|vm) KVM_CHECK_EXTENSION null | 0", "the null pointer is KVM_CAP_IRQCHIP" },
	{ "ioctl @(vm|vcpu) KVM_SET_TSC_KHZ * | -22", "only rates that the hardware can do" },
	{ "vm tsc * | -22", "likewise" },
	{ "tsc *", "likewise" },
	{ "ioctl vcpu KVM_RUN null | 0", "KVM does not run a VM without memory: ENOSPC" },
	{ "ioctl vcpu KVM_SET_FPU ones | -22", "MXCSR is set, and so checked" },
	{ "fpu @(408|409|410|411).? | *", "likewise" },
	{ "ioctl vcpu KVM_SET_GUEST_DEBUG ones | -22", "unknown flags are refused" },
	{ "guest_debug * | -22 -22 *", "likewise" },
	{ "attr @(1|33) | -22 *", "flags are refused" },
	{ "slot * size 7fffffff000 *", "beyond the address width: EINVAL comes before EEXIST" },

	/* CPUID and MSRs. */
	{ "cpuid 1.0 b | *", "the package of the host is not shown" },
	{ "cpuid 1.0 c | *", "no VMX, no x2APIC; HYPERVISOR is offered" },
	{ "cpuid 7.0 c | *", "UMIP is not emulated" },
	{ "cpuid 7.0 d | *", "ARCH_CAPABILITIES is not invented" },
	{ "cpuid 40000001.0 a | 01007afb", "no exits for asynchronous page faults: no nesting" },
	{ "cpuid 8000000[234].0 [abcd] | *", "the brand string is shown" },
	{ "cpuid sizes 1 [123] | 0 kept 0", "no CPUID bits are emulated" },
	{ "msr list 0 has @(2[05]?|26?|2ff) | 1", "MTRRs are listed, for they are to be saved" },
	{ "msr list [01] has * | 0", "not there" },
	{ "feature msr 10a | 1 0", "the host has none; KVM makes them up" },
	{ "feature msr 4[89]? | 0 0", "no nesting" },

	{ "msr @(cpuid|bare) * | 0 0 0 *", "not there" },
	{ "msr @(cpuid|bare) @(0|1|17|2a|79|10a|199|1db|1dc|1dd|1de|606|611|619|639|641|c0010010|"
	  "c001001a|c001001b|c001001d|c0010020|c0010055|c0010062|c0010112|c0010113) | 1 *",
	  "constants, for guests that do not look at CPUID: what is read can be written" },
	{ "msr @(cpuid|bare) 4b564d06 | 1 *", "without a local APIC: 0, which is read, can be written" },
	{ "msr @(cpuid|bare) 17[56] | 1 *", "SYSENTER's: canonical addresses only" },
	{ "msr @(cpuid|bare) c0000084 | 1 *", "FMASK has 32 bits" },
	{ "msr bare @(3b|c0000103) | 1 *", "a VMM may write what CPUID does not show" },
	{ "get cpuid *", "KVM writes the number of entries back on E2BIG only, or not at all" },
	{ "runtime cpuid ? | 0 *", "likewise" },
	{ "runtime cpuid ? 40000001.0 | *", "what needs a local APIC is not shown without one" },

	/* Registers. */
	{ "sregs* cr0 4 0 | *", "CR0.ET reads as 1, as on hardware" },
	{ "sregs* cr8 * | -22*", "KVM ignores a bad CR8" },
	{ "sregs* efer * | -22*", "KVM ignores bad bits of EFER" },
	{ "events caps [01] byte * 20 | -22*", "KVM has half applied what it refuses" },
	{ "events caps [01] flag 5 0 | -22*", "likewise" },
	{ "events caps ? @(byte *|random) * | -22*", "likewise, and there is no SMM" },
	{ "events caps ? byte 2[4-7] * | 0*", "no SMM, whose state stays there from case to case" },
	{ "events caps [13] byte 55 * 10 | 0*", "the payload of no exception is kept; no effect" },
	{ "events caps ? byte 13 * | 0 c:200*", "two waiting NMIs are shown as two" },
	{ "events caps ? random * | 0*", "likewise, and #BP and #OF are not hidden" },
	{ "nmi [1-3] | 0 * c:200*", "two waiting NMIs are shown as two" },
	{ "events caps ? byte 1 [34] * | 0*", "#BP and #OF are not hidden" },
	{ "run odd * ?([1-6])4 2 | *", "a \"present\" of 2 is yes; KVM looks at bit 0 here only" },
	{ "run regs * 8 0 | * 38:4000", "the payload of a #DB that was delivered still shows" },
	{ "run events * | *", "KVM cannot inject #BP; see vmx_exit.c" },
	{ "guest_debug * | 0 -16 * 0:[13]01*", "shown as injected, and as nothing else" },
	{ "debugregs [45].* | *", "fixed bits of DR6 and DR7 read as on hardware" },
	{ "mce cap * | -22 *", "neither CMCI nor LMCE" },

	/* AMD. */
	{ "cpuid 80000001.0 c | *", "no nesting of SVM", AMD },
	{ "cpuid 8000000a.0 ? | 00000000", "no nesting of SVM", AMD },
	{ "cpuid 80000005.0 ? | *", "the host's L1 caches and TLBs are shown", AMD },
	{ "cpuid 80000008.0 a | 00003028", "no five-level paging", AMD },
	{ "cpuid 80000008.0 b | 00000000", "VIRT_SSBD is not emulated", AMD },
	{ "msr @(cpuid|bare) 1d9 | 1 0 1 1:0 0:*", "DEBUGCTL: no last-branch records, and says so",
	  AMD },
	{ "msr @(cpuid|bare) c0010117 | 1 0 1 0:*", "VM_HSAVE_PA: no nesting of SVM", AMD },
	{ "sregs* segment ?4 [258] | *", "a \"present\" of 2 is yes; KVM looks at bit 0", AMD },
	{ "sregs* segment 4 [258] | *", "likewise", AMD },
	{ "sregs* segment ?[19] * | *", "G is the VMM's; KVM makes it up from the limit", AMD },
	{ "sregs* segment [19] * | *", "likewise", AMD },
	{ "run odd * set 0 @(4|b) ? | 0 HLT  rip *3 rflags *",
	  "HLT in a CS that is not present ends; KVM cannot fetch it, and halts again", AMD },
	{ "run odd @(long set 0 6|compat set 0 8) ? | 0 FAIL_ENTRY reason ffffffff rip 10000 *",
	  "QEMU TCG: VMRUN spoils RIP in the VMCB when it refuses; minikvm does not take it", AMD },
	{ "mce cap 1000@(0|1)0a | 0 1000?0a *", "KVM takes SER_P away on AMD", AMD },
};

#endif
