// SPDX-License-Identifier: GPL-2.0
/*
 * hardware.c - virtualization on and off, CPU by CPU
 *
 * VMX (or SVM) is on, on every online CPU, while there is at least one VM:
 *
 *	the first VM, the last VM	hardware_enable_all(), hardware_disable_all()
 *	a CPU comes, a CPU goes		kvm_online_cpu(), kvm_dying_cpu()
 *	suspend and resume		kvm_suspend(), kvm_resume(), on the last CPU
 *	reboot, kexec			kvm_reboot(): off, whoever still runs
 *	crash				the vendor's emergency_disable()
 *
 * Each CPU knows by itself whether it is on (hardware_enabled), so to switch it twice
 * does nothing.  The stock KVM wants the same hardware: who comes second is refused,
 * and is told who has it.
 *
 * Locks: kvm_lock, taken inside cpus_read_lock(), guards the count of VMs and the crash's
 * callback.  Suspend and a dying CPU are alone, and take none.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/reboot.h>
#include <asm/reboot.h>

#include "kvm_host.h"

static int kvm_usage_count;			/* VMs; kvm_lock */
static DEFINE_PER_CPU(bool, hardware_enabled);
static enum cpuhp_state kvm_online_state;

/* ---- one CPU ---- */

/* Runs on the CPU in question, with interrupts off. */
static int hardware_enable_nolock(void)
{
	int r;

	if (__this_cpu_read(hardware_enabled))
		return 0;
	r = kvm_x86_ops.hardware_enable();
	if (!r)
		__this_cpu_write(hardware_enabled, true);
	return r;
}

static void hardware_disable_nolock(void *unused)
{
	if (!__this_cpu_read(hardware_enabled))
		return;
	kvm_drop_user_return_msrs();
	kvm_x86_ops.hardware_disable();
	__this_cpu_write(hardware_enabled, false);
}

static void check_compat_ipi(void *failed)
{
	int r = kvm_x86_ops.check_processor_compatibility();

	if (r)
		atomic_set(failed, r);
}

/**
 * kvm_check_all_cpus() - can each online CPU do what the vendor found on this one?
 *
 * Return: 0 or the error of one that cannot.
 */
int kvm_check_all_cpus(void)
{
	atomic_t failed = ATOMIC_INIT(0);

	on_each_cpu(check_compat_ipi, &failed, 1);
	return atomic_read(&failed);
}

/* ---- all CPUs ---- */

/* A module that is loaded has a directory in sysfs. */
static bool module_is_loaded(const char *module)
{
	struct path path;
	char name[64];

	snprintf(name, sizeof(name), "/sys/module/%s", module);
	if (kern_path(name, LOOKUP_FOLLOW, &path))
		return false;
	path_put(&path);
	return true;
}

/*
 * Somebody else has virtualization on.  The kernel keeps no record of who, but
 * there are only so many candidates.
 */
static void report_likely_owner(void)
{
	static const char * const candidates[] = { "kvm_intel", "kvm_amd", "vboxdrv", "vmmon" };
	int i;

	for (i = 0; i < ARRAY_SIZE(candidates); i++) {
		if (!module_is_loaded(candidates[i]))
			continue;
		pr_warn_ratelimited("the CPU's virtualization is in use by something else; likely owner: %s (stop its VMs, or unload it)\n",
				    candidates[i]);
		return;
	}
	pr_warn_ratelimited("the CPU's virtualization is in use by something else; no known owner is loaded\n");
}

/*
 * A crash stops the CPUs by NMI, wherever they are, and then wants virtualization
 * off: the crash kernel's first write to CR4 would fault with it on.  The kernel
 * has room for one callback, and warns of a second.  A stock vendor module that is
 * loaded wants that room; its callback does for us as well, for it looks at
 * CR4.VMXE, not at who set it.  So ours is registered while there are VMs and
 * no such module, and makes way when one is loaded.  Both flags: kvm_lock.
 */
static bool emergency_registered;
static bool stock_vendor_loaded;

static bool is_stock_vendor(const char *module)
{
	return !strcmp(module, "kvm_intel") || !strcmp(module, "kvm_amd");
}

static void kvm_register_emergency_callback(void)
{
#ifdef MINIKVM_HAVE_EMERGENCY_CALLBACK
	if (stock_vendor_loaded)
		return;
	cpu_emergency_register_virt_callback(kvm_x86_ops.emergency_disable);
	emergency_registered = true;
#endif
}

static void kvm_unregister_emergency_callback(void)
{
#ifdef MINIKVM_HAVE_EMERGENCY_CALLBACK
	if (emergency_registered)
		cpu_emergency_unregister_virt_callback(kvm_x86_ops.emergency_disable);
	emergency_registered = false;
#endif
}

/* "Coming" is before the module's init function runs, "going" also if that fails. */
static int kvm_module_event(struct notifier_block *nb, unsigned long state, void *data)
{
	struct module *module = data;

	if (!is_stock_vendor(module->name))
		return NOTIFY_DONE;
	mutex_lock(&kvm_lock);
	if (state == MODULE_STATE_COMING) {
		stock_vendor_loaded = true;
		kvm_unregister_emergency_callback();
	} else if (state == MODULE_STATE_GOING) {
		stock_vendor_loaded = false;
	}
	mutex_unlock(&kvm_lock);
	return NOTIFY_OK;
}

static struct notifier_block kvm_module_notifier = {
	.notifier_call = kvm_module_event,
};

/* From now on we know; a module that was loaded before shows in sysfs. */
static int kvm_watch_stock_vendors(void)
{
	int r = register_module_notifier(&kvm_module_notifier);

	if (r)
		return r;
	mutex_lock(&kvm_lock);
	stock_vendor_loaded = module_is_loaded("kvm_intel") || module_is_loaded("kvm_amd");
	mutex_unlock(&kvm_lock);
	return 0;
}

static void hardware_enable_ipi(void *failed)
{
	int r = hardware_enable_nolock();

	if (r)
		atomic_set(failed, r);
}

/**
 * hardware_enable_all() - one more VM: the first switches every CPU on
 *
 * Context: may sleep; takes cpus_read_lock() and kvm_lock.
 * Return: 0; -EBUSY if something else has virtualization on, which the log then names; or
 * the vendor's error.  Nothing is on then that was not before.
 */
int hardware_enable_all(void)
{
	atomic_t failed = ATOMIC_INIT(0);
	int r;

	cpus_read_lock();
	mutex_lock(&kvm_lock);
	if (kvm_usage_count++ == 0) {
		on_each_cpu(hardware_enable_ipi, &failed, 1);
		if (atomic_read(&failed)) {
			on_each_cpu(hardware_disable_nolock, NULL, 1);
			kvm_usage_count--;
		} else {
			kvm_register_emergency_callback();
		}
	}
	mutex_unlock(&kvm_lock);
	cpus_read_unlock();

	r = atomic_read(&failed);
	if (r == -EBUSY)
		report_likely_owner();
	return r;
}

/**
 * hardware_disable_all() - one VM less: the last switches every CPU off
 *
 * Context: as hardware_enable_all().
 */
void hardware_disable_all(void)
{
	cpus_read_lock();
	mutex_lock(&kvm_lock);
	if (--kvm_usage_count == 0) {
		kvm_unregister_emergency_callback();
		on_each_cpu(hardware_disable_nolock, NULL, 1);
	}
	mutex_unlock(&kvm_lock);
	cpus_read_unlock();
}

/* ---- CPUs that come and go ---- */

/*
 * A CPU comes up.  This state runs in the CPU's hotplug thread before user
 * tasks may run there; an error keeps the CPU offline.
 */
static int kvm_online_cpu(unsigned int cpu)
{
	int r;

	mutex_lock(&kvm_lock);
	preempt_disable();
	local_irq_disable();
	r = kvm_x86_ops.check_processor_compatibility();
	if (!r && kvm_usage_count)
		r = hardware_enable_nolock();
	local_irq_enable();
	preempt_enable();
	mutex_unlock(&kvm_lock);
	if (r)
		pr_warn("CPU %u stays offline: it cannot run the VMs that exist (%d)\n", cpu, r);
	return r;
}

/*
 * A CPU goes down.  It must not lose VMX while a vCPU's thread can still be
 * scheduled on it, and dynamic hotplug states come too early for that: tasks
 * leave the CPU only after them.  The states of the "starting" section run in
 * the CPU's last moments, interrupts off, all tasks gone; but they are a fixed
 * list.  KVM's own belongs to kvm.ko.  So this borrows one that an x86 kernel
 * never uses.
 */
#define CPUHP_AP_MINIKVM_DYING	CPUHP_AP_ARM_XEN_STARTING

static int kvm_dying_cpu(unsigned int cpu)
{
	hardware_disable_nolock(NULL);
	return 0;
}

static int kvm_hotplug_init(void)
{
	int r;

	r = cpuhp_setup_state_nocalls(CPUHP_AP_MINIKVM_DYING, "minikvm:dying", NULL,
				      kvm_dying_cpu);
	if (r)
		return r;
	r = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "minikvm:online", kvm_online_cpu, NULL);
	if (r < 0) {
		cpuhp_remove_state_nocalls(CPUHP_AP_MINIKVM_DYING);
		return r;
	}
	kvm_online_state = r;
	return 0;
}

static void kvm_hotplug_exit(void)
{
	cpuhp_remove_state_nocalls(kvm_online_state);
	cpuhp_remove_state_nocalls(CPUHP_AP_MINIKVM_DYING);
}

/* ---- the machine stops, or sleeps ---- */

/*
 * Reboot and kexec: firmware and the next kernel expect VMX off, and an INIT
 * signal is blocked while it is on (SDM 24.8).  VMs that still run are told to
 * stop; a thread that is between two VMX instructions at this moment is caught
 * by their exception-table entries.
 */
static int kvm_reboot(struct notifier_block *nb, unsigned long val, void *v)
{
	struct kvm *kvm;

	mutex_lock(&kvm_lock);
	list_for_each_entry(kvm, &vm_list, vm_list)
		kvm_vm_dead(kvm);
	on_each_cpu(hardware_disable_nolock, NULL, 1);
	mutex_unlock(&kvm_lock);
	return NOTIFY_OK;
}

static struct notifier_block kvm_reboot_notifier = {
	.notifier_call = kvm_reboot,
};

/*
 * Suspend: all CPUs but this one are offline already, tasks are frozen and
 * interrupts off.  VMX state does not survive the sleep; the VMCSs were
 * written to memory by hardware_disable().
 */
static int kvm_suspend(SYSCORE_ARG)
{
	if (kvm_usage_count)
		hardware_disable_nolock(NULL);
	return 0;
}

static void kvm_resume(SYSCORE_ARG)
{
	if (kvm_usage_count && hardware_enable_nolock())
		pr_err("virtualization could not be switched on again after suspend\n");
}

DEFINE_MINIKVM_SYSCORE(kvm_syscore, kvm_suspend, kvm_resume, NULL);

/* ---- module life ---- */

/**
 * kvm_hardware_init() - hear of CPUs, modules, suspend and reboot
 *
 * Return: 0 or the error of the step that failed.
 */
int kvm_hardware_init(void)
{
	int r = kvm_hotplug_init();

	if (r)
		return r;
	r = register_reboot_notifier(&kvm_reboot_notifier);
	if (r)
		goto err_reboot;
	r = kvm_watch_stock_vendors();
	if (r)
		goto err_watch;
	minikvm_register_syscore(&kvm_syscore);
	return 0;

err_watch:
	unregister_reboot_notifier(&kvm_reboot_notifier);
err_reboot:
	kvm_hotplug_exit();
	return r;
}

/**
 * kvm_hardware_exit() - the mirror image of kvm_hardware_init(); there is no VM
 */
void kvm_hardware_exit(void)
{
	minikvm_unregister_syscore(&kvm_syscore);
	unregister_module_notifier(&kvm_module_notifier);
	unregister_reboot_notifier(&kvm_reboot_notifier);
	kvm_hotplug_exit();
}
