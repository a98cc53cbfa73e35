// SPDX-License-Identifier: GPL-2.0
/*
 * stats.c - the counters, and how they are shown
 *
 *	/sys/kernel/debug/minikvm/exits			all VMs together
 *	/sys/kernel/debug/minikvm/exit_cpuid		one exit reason, ditto
 *	/sys/kernel/debug/minikvm/<pid>-<fd>/...	the same files for one VM,
 *							which thread <pid> made
 *							and got <fd> for
 *
 * A file is one decimal number.  Its value is summed up when it is read; who
 * counts does just vcpu->stat.exits++ on a variable of its own vCPU.  There is one
 * file for each X(name) of the lists in kvm_host.h and for each exit reason that
 * the vendor has a name for, so a new counter is one new row there.
 *
 * A VM's directory goes with the VM, but what it counted stays in the totals: a
 * script can start a VMM and look at the totals afterwards.  Not so the gauges,
 * which tell what is in use now.
 *
 * Locks and lifetimes.  The totals' readers hold kvm_lock, which keeps the VMs
 * on vm_list.  A VM's own files need no lock and no reference to the VM:
 * debugfs lets no reader in once debugfs_remove() was called, and that waits for
 * those inside.  So the VM may not be freed, and kvm_lock not be held, before
 * kvm_destroy_vm_debugfs() has returned.  vCPUs may be added under a reader's
 * eyes (kvm_for_each_vcpu() sees only finished ones) and live as long as the VM.
 * A counter is written by one thread and read by any: a u64, never torn.
 *
 * Left out: resetting the counters, and KVM_GET_STATS_FD.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string_helpers.h>

#include "count.h"
#include "kvm_host.h"

/* Where a counter lives, and so what its offset is an offset in. */
enum stat_kind {
	STAT_VCPU,		/* struct kvm_vcpu_stat */
	STAT_VM_COUNTER,	/* struct kvm_vm_stat */
	STAT_VM_GAUGE,		/* ditto, and does not outlive the VM */
};

struct stat_desc {
	const char *name;
	enum stat_kind kind;
	unsigned int offset;
};

static const struct stat_desc stat_descs[] = {
#define X(name) { #name, STAT_VCPU, offsetof(struct kvm_vcpu_stat, name) },
	KVM_VCPU_STAT_LIST(X)
#undef X
#define X(name) { #name, STAT_VM_COUNTER, offsetof(struct kvm_vm_stat, name) },
	KVM_VM_COUNTER_LIST(X)
#undef X
#define X(name) { #name, STAT_VM_GAUGE, offsetof(struct kvm_vm_stat, name) },
	KVM_VM_GAUGE_LIST(X)
#undef X
};

#define NR_STAT_FILES (ARRAY_SIZE(stat_descs) + KVM_NR_EXIT_REASONS)

/**
 * struct kvm_stat_file - what stands behind one file
 * @kvm:	whose; NULL: all VMs'
 * @kind:	of the counter
 * @offset:	where it is in the struct of that kind
 */
struct kvm_stat_file {
	struct kvm *kvm;
	enum stat_kind kind;
	unsigned int offset;
};

static struct dentry *kvm_debugfs_dir;
static struct kvm_stat_file total_files[NR_STAT_FILES];

/* Counted by VMs that are gone; kvm_lock.  Their gauges stay 0. */
static struct kvm_vcpu_stat dead_vcpu_stat;
static struct kvm_vm_stat dead_vm_stat;

/* ---- summing up ---- */

static u64 *vcpu_counter(struct kvm_vcpu_stat *stat, unsigned int offset)
{
	return (void *)stat + offset;
}

static atomic64_t *vm_counter(struct kvm_vm_stat *stat, unsigned int offset)
{
	return (void *)stat + offset;
}

/* Of one VM, which the caller keeps alive. */
static u64 kvm_stat_sum(struct kvm *kvm, enum stat_kind kind, unsigned int offset)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	u64 sum = 0;

	if (kind != STAT_VCPU)
		return atomic64_read(vm_counter(&kvm->stat, offset));
	kvm_for_each_vcpu(i, vcpu, kvm)
		sum += READ_ONCE(*vcpu_counter(&vcpu->stat, offset));
	return sum;
}

static u64 kvm_stat_total(enum stat_kind kind, unsigned int offset)
{
	struct kvm *kvm;
	u64 sum;

	lockdep_assert_held(&kvm_lock);
	if (kind == STAT_VCPU)
		sum = *vcpu_counter(&dead_vcpu_stat, offset);
	else
		sum = atomic64_read(vm_counter(&dead_vm_stat, offset));
	list_for_each_entry(kvm, &vm_list, vm_list)
		sum += kvm_stat_sum(kvm, kind, offset);
	return sum;
}

static int kvm_stat_get(void *data, u64 *val)
{
	const struct kvm_stat_file *file = data;

	if (file->kvm) {
		*val = kvm_stat_sum(file->kvm, file->kind, file->offset);
		return 0;
	}
	if (mutex_lock_killable(&kvm_lock))
		return -EINTR;
	*val = kvm_stat_total(file->kind, file->offset);
	mutex_unlock(&kvm_lock);
	return 0;
}

DEFINE_SIMPLE_ATTRIBUTE(kvm_stat_fops, kvm_stat_get, NULL, "%llu\n");

/**
 * kvm_stats_retire() - keep what a VM has counted, for the totals
 * @kvm: the VM, just removed from vm_list; its vCPUs still exist, none runs
 *
 * kvm_lock is held since before the removal, so that no reader of a total
 * misses the VM or counts it twice.
 */
void kvm_stats_retire(struct kvm *kvm)
{
	unsigned int offset, i;

	lockdep_assert_held(&kvm_lock);
	BUILD_BUG_ON(sizeof(struct kvm_vcpu_stat) % sizeof(u64));
	for (offset = 0; offset < sizeof(struct kvm_vcpu_stat); offset += sizeof(u64))
		*vcpu_counter(&dead_vcpu_stat, offset) += kvm_stat_sum(kvm, STAT_VCPU, offset);
	for (i = 0; i < ARRAY_SIZE(stat_descs); i++)
		if (stat_descs[i].kind == STAT_VM_COUNTER)
			atomic64_add(atomic64_read(vm_counter(&kvm->stat, stat_descs[i].offset)),
				     vm_counter(&dead_vm_stat, stat_descs[i].offset));
}

/* ---- the files ---- */

static void kvm_add_stat_file(struct dentry *dir, const char *name, struct kvm_stat_file *file,
			      struct kvm *kvm, enum stat_kind kind, unsigned int offset)
{
	*file = (struct kvm_stat_file){ .kvm = kvm, .kind = kind, .offset = offset };
	debugfs_create_file(name, 0444, dir, file, &kvm_stat_fops);
}

/* @files: NR_STAT_FILES of them, which live as long as @dir. */
static void kvm_add_stat_files(struct dentry *dir, struct kvm_stat_file *files, struct kvm *kvm)
{
	const size_t exits = offsetof(struct kvm_vcpu_stat, exit_reasons);
	const char *reason_name;
	char name[64];
	int i, n;

	for (i = 0; i < ARRAY_SIZE(stat_descs); i++)
		kvm_add_stat_file(dir, stat_descs[i].name, &files[i], kvm, stat_descs[i].kind,
				  stat_descs[i].offset);

	for (n = 0; n < KVM_NR_EXIT_REASONS; n++) {
		reason_name = kvm_x86_ops.exit_reason_name(n);
		if (!reason_name)
			continue;
		snprintf(name, sizeof(name), "exit_%s", reason_name);
		string_lower(name, name);
		kvm_add_stat_file(dir, name, &files[i++], kvm, STAT_VCPU, exits + n * sizeof(u64));
	}
}

/**
 * kvm_init_debug() - make the directory and the files of the totals
 *
 * Once for each vendor module that is loaded.  debugfs can be compiled or locked
 * out: then there is nothing to see, which is no error.
 */
void kvm_init_debug(void)
{
	memset(&dead_vcpu_stat, 0, sizeof(dead_vcpu_stat));
	memset(&dead_vm_stat, 0, sizeof(dead_vm_stat));
	kvm_debugfs_dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	if (IS_ERR(kvm_debugfs_dir))
		return;
	kvm_add_stat_files(kvm_debugfs_dir, total_files, NULL);
	kvm_count_init(kvm_debugfs_dir);
}

/**
 * kvm_exit_debug() - remove what kvm_init_debug() made; waits for readers
 */
void kvm_exit_debug(void)
{
	debugfs_remove(kvm_debugfs_dir);
	kvm_debugfs_dir = NULL;
}

/**
 * kvm_create_vm_debugfs() - give a VM its directory
 * @kvm: the VM, on vm_list
 * @fd:  its file descriptor, reserved for current
 *
 * The VM gets none if memory is short, or if an older VM has the name: one that
 * outlives its own fd through those of its vCPUs.
 */
void kvm_create_vm_debugfs(struct kvm *kvm, int fd)
{
	struct dentry *dir;
	char name[32];

	if (IS_ERR_OR_NULL(kvm_debugfs_dir))
		return;
	snprintf(name, sizeof(name), "%d-%d", task_pid_nr(current), fd);
	/* debugfs logs each name that it refuses, and a VMM could ask for many. */
	dir = debugfs_lookup(name, kvm_debugfs_dir);
	if (dir) {
		dput(dir);
		return;
	}
	kvm->debugfs_files = kcalloc(NR_STAT_FILES, sizeof(*kvm->debugfs_files),
				     GFP_KERNEL_ACCOUNT);
	if (!kvm->debugfs_files)
		return;
	kvm->debugfs_dentry = debugfs_create_dir(name, kvm_debugfs_dir);
	if (!IS_ERR(kvm->debugfs_dentry))
		kvm_add_stat_files(kvm->debugfs_dentry, kvm->debugfs_files, kvm);
}

/**
 * kvm_destroy_vm_debugfs() - remove a VM's directory; waits for readers
 * @kvm: the VM, whose last reference is gone
 *
 * May sleep; kvm_lock is not held.  Harmless if there is no directory.
 */
void kvm_destroy_vm_debugfs(struct kvm *kvm)
{
	debugfs_remove(kvm->debugfs_dentry);
	kvm->debugfs_dentry = NULL;
	kfree(kvm->debugfs_files);
	kvm->debugfs_files = NULL;
}
