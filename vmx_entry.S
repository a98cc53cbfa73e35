/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vmx_entry.S - into the guest and out again
 *
 * VM entry and exit switch what the VMCS holds: RIP, RSP, RFLAGS, control and
 * segment registers (SDM 27.3, 28.3).  The other general registers go through
 * unchanged, so they are swapped here.  After an exit the CPU goes on at
 * HOST_RIP, which is vmx_vmexit below, with RSP = HOST_RSP and RFLAGS = 2.
 *
 * A VMLAUNCH or VMRESUME that is refused does not leave: it sets CF or ZF and
 * falls through to the same place.  RFLAGS tells the two apart.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>

/* enum kvm_reg in kvm_host.h */
#define REG(n)	((n) * 8)

/* VMCS field encoding, as vmcs_writel(HOST_RSP) has it; asm/vmx.h is C only. */
#define VMCS_HOST_RSP	0x6c14

	.text

/*
 * bool __vmx_vcpu_run(unsigned long *regs, unsigned long *host_rsp, bool launched)
 *
 * @regs:	guest registers by number, loaded before and stored after; RSP's
 *		slot is not touched
 * @host_rsp:	the value that HOST_RSP is known to have, updated
 * @launched:	use VMRESUME
 *
 * Interrupts off, the VMCS current.  Returns false after a VM exit, true if the
 * entry was refused (or VMX is off).
 */
SYM_FUNC_START(__vmx_vcpu_run)
	push %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
	push %rdi

	/* The stack is nearly always where it was: spare the VMWRITE. */
	cmp %rsp, (%rsi)
	je .Lhost_rsp_done
	mov %rsp, (%rsi)
	mov $VMCS_HOST_RSP, %eax
.Lwrite_rsp:
	vmwrite %rsp, %rax
	_ASM_EXTABLE(.Lwrite_rsp, .Lhost_rsp_done)
.Lhost_rsp_done:
	bt $0, %edx		/* CF = launched; no instruction below changes CF */

	mov REG(0)(%rdi), %rax
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
	/* MDS and its kin: leave nothing of the host in the CPU's buffers. */
	VM_CLEAR_CPU_BUFFERS
#endif
	jc .Lvmresume
.Lvmlaunch:
	vmlaunch
	jmp vmx_vmexit
.Lvmresume:
	vmresume
	_ASM_EXTABLE(.Lvmlaunch, .Lvmx_is_off)
	_ASM_EXTABLE(.Lvmresume, .Lvmx_is_off)

SYM_INNER_LABEL(vmx_vmexit, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR	/* reached by VM exit, never by a branch */
	push %rax
	mov 8(%rsp), %rax	/* regs */
	pop REG(0)(%rax)
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
	setbe %bl		/* CF or ZF: the entry was refused */

	/*
	 * The guest chose what is in these: do not let the host speculate with
	 * it.  RBX, RBP and R12 to R15 are overwritten by the pops below.
	 */
	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %edi, %edi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d
	xor %ebp, %ebp
	xor %r12d, %r12d
	xor %r13d, %r13d
	xor %r14d, %r14d
	xor %r15d, %r15d

	/* Nor return to where the guest's calls came from. */
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE
#ifdef MINIKVM_HAVE_CLEAR_BRANCH_HISTORY_VMEXIT
	CLEAR_BRANCH_HISTORY_VMEXIT
#endif
	movzbl %bl, %eax

	add $8, %rsp
	pop %rbx
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	pop %rbp
	RET

.Lvmx_is_off:
	stc
	jmp vmx_vmexit
SYM_FUNC_END(__vmx_vcpu_run)
