/* SPDX-License-Identifier: GPL-2.0 */
/*
 * svm_entry.S - into the guest and out again
 *
 * VMRUN and the exit switch RAX, RSP, RIP, RFLAGS, control registers and four of
 * the segment registers; VMLOAD and VMSAVE the rest of them and the MSRs of
 * SYSCALL and SYSENTER (APM 15.5.1, 15.5.2).  The other general registers go
 * through unchanged, so they are swapped here.  An exit goes on behind VMRUN, with
 * the host's RAX, which is the VMCB's address.
 *
 * The global interrupt flag is 0 (CLGI) before and after.  Interrupts are enabled
 * for VMRUN alone: RFLAGS.IF at that moment says whether a host interrupt makes
 * the guest exit (APM 15.21.1).
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>

/* enum kvm_reg in kvm_host.h */
#define REG(n)	((n) * 8)

	.text

/*
 * void __svm_vcpu_run(unsigned long *regs, unsigned long vmcb_pa, unsigned long host_pa)
 *
 * @regs:	guest registers by number, loaded before and stored after; those of
 *		RAX and RSP are in the VMCB
 * @vmcb_pa:	the guest's VMCB
 * @host_pa:	a page that VMSAVE has filled with the host's state
 *
 * Interrupts off, GIF 0.  From VMLOAD to VMLOAD the CPU has the guest's GS base:
 * nothing in between may touch a per-CPU variable.
 */
SYM_FUNC_START(__svm_vcpu_run)
	push %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
	push %rdx
	push %rdi

	mov %rsi, %rax
	mov REG(1)(%rdi), %rcx
	mov REG(2)(%rdi), %rdx
	mov REG(3)(%rdi), %rbx
	mov REG(5)(%rdi), %rbp
	mov REG(6)(%rdi), %rsi
	mov REG(8)(%rdi), %r8
	mov REG(9)(%rdi), %r9
	mov REG(10)(%rdi), %r10
	mov REG(11)(%rdi), %r11
	mov REG(12)(%rdi), %r12
	mov REG(13)(%rdi), %r13
	mov REG(14)(%rdi), %r14
	mov REG(15)(%rdi), %r15
	mov REG(7)(%rdi), %rdi

#ifdef VM_CLEAR_CPU_BUFFERS
	/* TSA and its kin: leave nothing of the host in the CPU's buffers. */
	VM_CLEAR_CPU_BUFFERS
#endif
	/*
	 * If a reboot has switched SVM off, VMLOAD raises #UD, and there is
	 * nothing to run.  Behind it nobody can: no interrupt and no NMI come.
	 * STI is not next to VMRUN, lest its shadow fall on the guest.
	 */
	sti
.Lvmload:
	vmload %rax
	vmrun %rax
	vmsave %rax
	mov 8(%rsp), %rax	/* host_pa */
	vmload %rax
.Lhost:
	cli
	_ASM_EXTABLE(.Lvmload, .Lhost)

	mov (%rsp), %rax	/* regs */
	mov %rcx, REG(1)(%rax)
	mov %rdx, REG(2)(%rax)
	mov %rbx, REG(3)(%rax)
	mov %rbp, REG(5)(%rax)
	mov %rsi, REG(6)(%rax)
	mov %rdi, REG(7)(%rax)
	mov %r8, REG(8)(%rax)
	mov %r9, REG(9)(%rax)
	mov %r10, REG(10)(%rax)
	mov %r11, REG(11)(%rax)
	mov %r12, REG(12)(%rax)
	mov %r13, REG(13)(%rax)
	mov %r14, REG(14)(%rax)
	mov %r15, REG(15)(%rax)

	/*
	 * The guest chose what is in these: do not let the host speculate with
	 * it.  RBX, RBP and R12 to R15 are overwritten by the pops below.
	 */
	xor %eax, %eax
	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %edi, %edi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d
	xor %ebx, %ebx
	xor %ebp, %ebp
	xor %r12d, %r12d
	xor %r13d, %r13d
	xor %r14d, %r14d
	xor %r15d, %r15d

	/* Nor return to where the guest's calls came from. */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT
#ifdef UNTRAIN_RET_VM
	UNTRAIN_RET_VM
#else
	UNTRAIN_RET
#endif
	add $16, %rsp
	pop %rbx
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	pop %rbp
	RET
SYM_FUNC_END(__svm_vcpu_run)
