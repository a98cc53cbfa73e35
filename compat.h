/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - the kernel interfaces that differ between the kernels we build on
 *
 * Kbuild greps the kernel's headers and passes a MINIKVM_HAVE_* macro for each
 * shape that it finds: Debian backports interfaces inside one version, so a
 * version number would lie.  Everything else in the tree is written against
 * the names below.
 */
#ifndef MINIKVM_COMPAT_H
#define MINIKVM_COMPAT_H

#include <linux/cpuhotplug.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>

#ifdef MINIKVM_HAVE_ASM_CPUID_API_H
#include <asm/cpuid/api.h>
#elif defined(MINIKVM_HAVE_ASM_CPUID_H)
#include <asm/cpuid.h>
#endif

/* asm/vmx.h: the bit's name lost its "ENABLE" and got it back. */
#ifndef SECONDARY_EXEC_ENABLE_XSAVES
#define SECONDARY_EXEC_ENABLE_XSAVES	SECONDARY_EXEC_XSAVES
#endif

/* Newer kernels hand syscore callbacks a data pointer and register a wrapper. */
#ifdef MINIKVM_HAVE_REGISTER_SYSCORE
#define SYSCORE_ARG void *data
#define DEFINE_MINIKVM_SYSCORE(name, _suspend, _resume, _shutdown)	\
	static const struct syscore_ops name##_ops = {			\
		.suspend = _suspend,					\
		.resume = _resume,					\
		.shutdown = _shutdown,					\
	};								\
	static struct syscore name = { .ops = &name##_ops }
#define minikvm_register_syscore(s)	register_syscore(s)
#define minikvm_unregister_syscore(s)	unregister_syscore(s)
#else
#define SYSCORE_ARG void
#define DEFINE_MINIKVM_SYSCORE(name, _suspend, _resume, _shutdown)	\
	static struct syscore_ops name = {				\
		.suspend = _suspend,					\
		.resume = _resume,					\
		.shutdown = _shutdown,					\
	}
#define minikvm_register_syscore(s)	register_syscore_ops(s)
#define minikvm_unregister_syscore(s)	unregister_syscore_ops(s)
#endif

static inline void minikvm_rcu_note_guest(void)
{
#ifdef MINIKVM_RCU_NOTE_TAKES_CPU
	rcu_virt_note_context_switch(smp_processor_id());
#else
	rcu_virt_note_context_switch();
#endif
}

#endif
