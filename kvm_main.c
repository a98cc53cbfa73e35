// SPDX-License-Identifier: GPL-2.0
/*
 * kvm_main.c - module life, file descriptors, vCPU scheduling, kicks
 *
 * minikvm.ko does nothing when it is loaded.  A vendor module calls kvm_init()
 * with its struct kvm_x86_ops, and from then on everything starts with a file
 * descriptor that userspace holds:
 *
 *	/dev/minikvm	kvm_dev_ioctl()		what can be done; make a VM
 *	VM fd		kvm_vm_ioctl()		memory slots; make a vCPU
 *	vCPU fd		kvm_vcpu_ioctl()	state; KVM_RUN
 *
 * This file owns those three and what they stand for; what an ioctl means for
 * x86 is in x86.c.  Read from the top: module set-up, /dev/minikvm, VMs, vCPUs, and
 * at last how another thread makes itself heard by a running vCPU.
 *
 * Lifetimes.  A VM lives as long as its own fd or the fd of any of its vCPUs
 * (users_count); vCPUs live as long as their VM.  Each fd, and so each VM,
 * holds a reference to the vendor module through its file_operations' owner,
 * which is why a module cannot be unloaded under a VM.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <trace/events/ipi.h>

#include "include/uapi/linux/minikvm.h"
#include "irq.h"
#include "kvm_host.h"

MODULE_AUTHOR("the minikvm developers");
MODULE_DESCRIPTION("A KVM small enough to read: generic core");
MODULE_LICENSE("GPL");

/* Guards vm_list, and what hardware.c counts.  Taken inside cpus_read_lock(). */
DEFINE_MUTEX(kvm_lock);
LIST_HEAD(vm_list);

static DEFINE_PER_CPU(cpumask_var_t, cpu_kick_mask);
static struct kmem_cache *kvm_vcpu_cache;
static struct preempt_ops kvm_preempt_ops;
static DEFINE_PER_CPU(struct kvm_vcpu *, kvm_running_vcpu);	/* loaded here now */

static struct file_operations kvm_chardev_ops;
static struct file_operations kvm_vm_fops;
static struct file_operations kvm_vcpu_fops;

static struct miscdevice kvm_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = MINIKVM_NAME,
	.fops = &kvm_chardev_ops,
	.mode = 0660,
};

/* ---- module life ---- */

static int kvm_alloc_kick_masks(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		if (!zalloc_cpumask_var_node(&per_cpu(cpu_kick_mask, cpu), GFP_KERNEL,
					     cpu_to_node(cpu)))
			return -ENOMEM;
	}
	return 0;
}

static void kvm_free_kick_masks(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		free_cpumask_var(per_cpu(cpu_kick_mask, cpu));
}

static void kvm_sched_in(struct preempt_notifier *pn, int cpu);
static void kvm_sched_out(struct preempt_notifier *pn, struct task_struct *next);

/**
 * kvm_init() - bring the generic core to life for a vendor module
 * @ops:	the vendor; copied
 * @vcpu_size:	of the vendor's vCPU struct, whose first member is struct kvm_vcpu
 * @vcpu_align:	its alignment
 * @module:	the vendor module; held by every open file descriptor
 *
 * Called from the vendor's module_init, once.  Everything that is set up here
 * is taken down in reverse order by kvm_exit(), or on failure before return.
 *
 * Return: 0; -EBUSY if another vendor module is active; or the error of the
 * step that failed, which has said in the log what is missing.
 */
int kvm_init(const struct kvm_x86_ops *ops, unsigned int vcpu_size, unsigned int vcpu_align,
	     struct module *module)
{
	int r;

	r = kvm_arch_init(ops);
	if (r)
		return r;
	r = kvm_alloc_kick_masks();
	if (r)
		goto err_masks;
	r = kvm_arch_hardware_setup(ops);
	if (r)
		goto err_masks;
	r = kvm_check_all_cpus();
	if (r)
		goto err_compat;
	r = kvm_irqfd_init();
	if (r)
		goto err_compat;
	r = kvm_async_pf_init();
	if (r)
		goto err_async_pf;
	r = kvm_hardware_init();
	if (r)
		goto err_hardware;

	/* get/set ioctls copy to and from arch (CPUID, XSAVE, ...), nothing else. */
	kvm_vcpu_cache = kmem_cache_create_usercopy("minikvm_vcpu", vcpu_size, vcpu_align,
						    SLAB_ACCOUNT, offsetof(struct kvm_vcpu, arch),
						    sizeof_field(struct kvm_vcpu, arch), NULL);
	if (!kvm_vcpu_cache) {
		r = -ENOMEM;
		goto err_cache;
	}

	kvm_chardev_ops.owner = module;
	kvm_vm_fops.owner = module;
	kvm_vcpu_fops.owner = module;

	/* VMs can exist as soon as the device does: what they need comes first. */
	kvm_preempt_ops.sched_in = kvm_sched_in;
	kvm_preempt_ops.sched_out = kvm_sched_out;
	kvm_init_debug();
	r = misc_register(&kvm_dev);
	if (r) {
		pr_err("the device %s cannot be registered (%d)\n", MINIKVM_NAME, r);
		goto err_misc;
	}
	return 0;

err_misc:
	kvm_exit_debug();
	kmem_cache_destroy(kvm_vcpu_cache);
err_cache:
	kvm_hardware_exit();
err_hardware:
	kvm_async_pf_exit();
err_async_pf:
	kvm_irqfd_exit();
err_compat:
	kvm_arch_hardware_unsetup();
err_masks:
	kvm_free_kick_masks();
	kvm_arch_exit();
	return r;
}
EXPORT_SYMBOL_GPL(kvm_init);

/**
 * kvm_exit() - the mirror image of kvm_init()
 *
 * Called from the vendor's module_exit: no file descriptor is open, so no VM
 * exists and VMX is off.
 */
void kvm_exit(void)
{
	misc_deregister(&kvm_dev);
	kvm_exit_debug();
	kmem_cache_destroy(kvm_vcpu_cache);
	kvm_hardware_exit();
	kvm_async_pf_exit();
	kvm_irqfd_exit();
	kvm_arch_hardware_unsetup();
	kvm_free_kick_masks();
	kvm_arch_exit();
}
EXPORT_SYMBOL_GPL(kvm_exit);

/* ---- /dev/minikvm ---- */

static int kvm_dev_ioctl_create_vm(unsigned long type);

static long kvm_dev_ioctl(struct file *filp, unsigned int ioctl, unsigned long arg)
{
	switch (ioctl) {
	case KVM_GET_API_VERSION:
		return arg ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		return kvm_dev_ioctl_create_vm(arg);
	case KVM_CHECK_EXTENSION:
		return kvm_vm_ioctl_check_extension(NULL, arg);
	case KVM_GET_VCPU_MMAP_SIZE:
		return arg ? -EINVAL : KVM_VCPU_MMAP_PAGES * PAGE_SIZE;
	default:
		return kvm_arch_dev_ioctl(filp, ioctl, arg);
	}
}

static struct file_operations kvm_chardev_ops = {
	.unlocked_ioctl = kvm_dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/* ---- VMs ---- */

/* What answers a guest's ports and addresses in the kernel, and eventfds. */
static int kvm_io_vm_init(struct kvm *kvm)
{
	int r;

	kvm_eventfd_vm_init(kvm);
	r = kvm_io_bus_vm_init(kvm);
	if (r)
		return r;
	r = kvm_coalesced_mmio_init(kvm);
	if (r)
		kvm_io_bus_vm_destroy(kvm);
	return r;
}

/* The devices on the buses go first: their destructors want the rest. */
static void kvm_io_vm_destroy(struct kvm *kvm)
{
	kvm_io_bus_vm_destroy(kvm);
	kvm_coalesced_mmio_free(kvm);
}

static struct kvm *kvm_create_vm(unsigned long type)
{
	struct kvm *kvm = kvzalloc(sizeof(*kvm), GFP_KERNEL_ACCOUNT);
	int r;

	if (!kvm)
		return ERR_PTR(-ENOMEM);
	mutex_init(&kvm->lock);
	mutex_init(&kvm->slots_lock);
	rwlock_init(&kvm->mmu_lock);
	INIT_LIST_HEAD(&kvm->vm_list);
	xa_init(&kvm->vcpu_array);
	refcount_set(&kvm->users_count, 1);
	kvm->max_vcpu_ids = KVM_MAX_VCPU_IDS;
	kvm->halt_poll_limit = -1;
	mmgrab(current->mm);
	kvm->mm = current->mm;

	r = init_srcu_struct(&kvm->srcu);
	if (r)
		goto err_srcu;
	r = kvm_memslots_init(kvm);
	if (r)
		goto err_slots;
	r = kvm_irq_vm_init(kvm);
	if (r)
		goto err_irq;
	r = kvm_io_vm_init(kvm);
	if (r)
		goto err_io;
	/* A signal ends it; hardware comes after it, as to switch that off takes long. */
	r = kvm_arch_init_vm(kvm, type);
	if (r)
		goto err_arch;
	r = hardware_enable_all();
	if (r)
		goto err_hardware;

	mutex_lock(&kvm_lock);
	list_add(&kvm->vm_list, &vm_list);
	mutex_unlock(&kvm_lock);
	preempt_notifier_inc();
	return kvm;

err_hardware:
	kvm_arch_destroy_vm(kvm);
err_arch:
	kvm_io_vm_destroy(kvm);
err_io:
	kvm_irq_vm_destroy(kvm);
err_irq:
	kvm_memslots_destroy(kvm);
err_slots:
	cleanup_srcu_struct(&kvm->srcu);
err_srcu:
	mmdrop(kvm->mm);
	kvfree(kvm);
	return ERR_PTR(r);
}

static void kvm_destroy_vcpus(struct kvm *kvm);

/* The last reference is gone: no ioctl runs, no vCPU is loaded. */
static void kvm_destroy_vm(struct kvm *kvm)
{
	kvm_destroy_vm_debugfs(kvm);
	mutex_lock(&kvm_lock);
	list_del(&kvm->vm_list);
	kvm_stats_retire(kvm);
	mutex_unlock(&kvm_lock);
	preempt_notifier_dec();
	kvm_io_vm_destroy(kvm);
	kvm_arch_pre_destroy_vm(kvm);
	kvm_destroy_vcpus(kvm);
	kvm_arch_destroy_vm(kvm);
	kvm_irq_vm_destroy(kvm);
	hardware_disable_all();
	kvm_memslots_destroy(kvm);
	cleanup_srcu_struct(&kvm->srcu);
	mmdrop(kvm->mm);
	kvfree(kvm);
}

/**
 * kvm_get_kvm() - take a reference to a VM that the caller knows to be alive
 * @kvm: the VM
 */
void kvm_get_kvm(struct kvm *kvm)
{
	refcount_inc(&kvm->users_count);
}

/**
 * kvm_put_kvm() - drop a reference; the last one destroys the VM
 * @kvm: the VM
 *
 * May sleep.
 */
void kvm_put_kvm(struct kvm *kvm)
{
	if (refcount_dec_and_test(&kvm->users_count))
		kvm_destroy_vm(kvm);
}

/**
 * kvm_vm_dead() - nothing more can be done with this VM
 * @kvm: the VM
 *
 * Every later ioctl gives EIO, and running vCPUs leave the guest with it.
 */
void kvm_vm_dead(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	WRITE_ONCE(kvm->vm_dead, true);
	kvm_make_all_cpus_request(kvm, KVM_REQ_VM_DEAD);
	kvm_for_each_vcpu(i, vcpu, kvm)
		kvm_vcpu_wake_up(vcpu);
}

static int kvm_dev_ioctl_create_vm(unsigned long type)
{
	struct file *file;
	struct kvm *kvm;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	kvm = kvm_create_vm(type);
	if (IS_ERR(kvm)) {
		put_unused_fd(fd);
		return PTR_ERR(kvm);
	}
	file = anon_inode_getfile("kvm-vm", &kvm_vm_fops, kvm, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		kvm_put_kvm(kvm);
		return PTR_ERR(file);
	}
	kvm_create_vm_debugfs(kvm, fd);
	fd_install(fd, file);
	return fd;
}

static int kvm_vm_release(struct inode *inode, struct file *filp)
{
	/* An irqfd has no reference to its VM: see struct irqfd. */
	kvm_irqfd_release(filp->private_data);
	kvm_put_kvm(filp->private_data);
	return 0;
}

/* Address spaces are not handed over: a VM is used from the mm that made it. */
static bool kvm_wrong_mm_or_dead(struct kvm *kvm)
{
	return kvm->mm != current->mm || READ_ONCE(kvm->vm_dead);
}

static int kvm_vm_ioctl_create_vcpu(struct kvm *kvm, unsigned long id);

static int kvm_enable_manual_protect(struct kvm *kvm, const struct kvm_enable_cap *cap)
{
	const u64 dirty_log_bits = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
				   KVM_DIRTY_LOG_INITIALLY_SET;

	if (cap->flags || (cap->args[0] & ~dirty_log_bits))
		return -EINVAL;
	/* Initially-set makes sense only with manual protection. */
	if (cap->args[0] == KVM_DIRTY_LOG_INITIALLY_SET)
		return -EINVAL;
	mutex_lock(&kvm->slots_lock);
	kvm->manual_dirty_log_protect = cap->args[0];
	mutex_unlock(&kvm->slots_lock);
	return 0;
}

/* Capabilities that any architecture has; the others are x86.c's. */
static int kvm_vm_ioctl_enable_cap(struct kvm *kvm, struct kvm_enable_cap *cap)
{
	switch (cap->cap) {
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return kvm_enable_manual_protect(kvm, cap);
	case KVM_CAP_DIRTY_LOG_RING:
	case KVM_CAP_DIRTY_LOG_RING_ACQ_REL:
		return kvm_dirty_ring_enable(kvm, cap->args[0]);
	default:
		return kvm_arch_vm_ioctl_enable_cap(kvm, cap);
	}
}

static long kvm_vm_ioctl(struct file *filp, unsigned int ioctl, unsigned long arg)
{
	struct kvm *kvm = filp->private_data;
	void __user *argp = (void __user *)arg;
	union {
		struct kvm_userspace_memory_region mem;
		struct kvm_userspace_memory_region2 mem2;
		struct kvm_dirty_log log;
		struct kvm_clear_dirty_log clear;
		struct kvm_enable_cap cap;
	} u;

	BUILD_BUG_ON(offsetofend(typeof(u.mem), userspace_addr) !=
		     offsetof(typeof(u.mem2), guest_memfd_offset));
	if (kvm_wrong_mm_or_dead(kvm))
		return -EIO;

	switch (ioctl) {
	case KVM_CREATE_VCPU:
		return kvm_vm_ioctl_create_vcpu(kvm, arg);
	case KVM_CHECK_EXTENSION:
		return kvm_vm_ioctl_check_extension(kvm, arg);
	case KVM_ENABLE_CAP:
		if (copy_from_user(&u.cap, argp, sizeof(u.cap)))
			return -EFAULT;
		return kvm_vm_ioctl_enable_cap(kvm, &u.cap);
	case KVM_SET_USER_MEMORY_REGION:
		if (copy_from_user(&u.mem, argp, sizeof(u.mem)))
			return -EFAULT;
		return kvm_vm_ioctl_set_memory_region(kvm, &u.mem);
	case KVM_SET_USER_MEMORY_REGION2:
		/* It begins like the first, and the rest is for KVM_MEM_GUEST_MEMFD. */
		if (copy_from_user(&u.mem2, argp, sizeof(u.mem2)))
			return -EFAULT;
		return kvm_vm_ioctl_set_memory_region(kvm, &u.mem);
	case KVM_GET_DIRTY_LOG:
		if (copy_from_user(&u.log, argp, sizeof(u.log)))
			return -EFAULT;
		return kvm_vm_ioctl_get_dirty_log(kvm, &u.log);
	case KVM_CLEAR_DIRTY_LOG:
		if (copy_from_user(&u.clear, argp, sizeof(u.clear)))
			return -EFAULT;
		return kvm_vm_ioctl_clear_dirty_log(kvm, &u.clear);
	case KVM_RESET_DIRTY_RINGS:
		return kvm_vm_ioctl_reset_dirty_rings(kvm);
	default:
		return kvm_arch_vm_ioctl(kvm, ioctl, arg);
	}
}

#ifdef CONFIG_COMPAT
/* A 32-bit VMM: these two structs hold a pointer, of which it sets the low half. */
static long kvm_vm_compat_ioctl(struct file *filp, unsigned int ioctl, unsigned long arg)
{
	struct kvm *kvm = filp->private_data;
	void __user *argp = compat_ptr(arg);
	struct kvm_clear_dirty_log clear;
	struct kvm_dirty_log log;

	if (kvm_wrong_mm_or_dead(kvm))
		return -EIO;

	switch (ioctl) {
	case KVM_GET_DIRTY_LOG:
		if (copy_from_user(&log, argp, sizeof(log)))
			return -EFAULT;
		log.dirty_bitmap = compat_ptr((u32)log.padding2);
		return kvm_vm_ioctl_get_dirty_log(kvm, &log);
	case KVM_CLEAR_DIRTY_LOG:
		if (copy_from_user(&clear, argp, sizeof(clear)))
			return -EFAULT;
		clear.dirty_bitmap = compat_ptr((u32)clear.padding2);
		return kvm_vm_ioctl_clear_dirty_log(kvm, &clear);
	case KVM_CREATE_VCPU:
	case KVM_CHECK_EXTENSION:
		return kvm_vm_ioctl(filp, ioctl, arg);
	default:
		return kvm_arch_vm_compat_ioctl(filp, kvm, ioctl, arg);
	}
}
#endif

static struct file_operations kvm_vm_fops = {
	.release = kvm_vm_release,
	.unlocked_ioctl = kvm_vm_ioctl,
	.llseek = noop_llseek,
#ifdef CONFIG_COMPAT
	.compat_ioctl = kvm_vm_compat_ioctl,
#endif
};

/* ---- vCPUs ---- */

/**
 * kvm_get_vcpu() - the vCPU with an index
 * @kvm: the VM
 * @idx: 0.. in the order of creation
 *
 * Any context; the vCPU lives as long as @kvm.
 *
 * Return: the vCPU, NULL if there is none yet.
 */
struct kvm_vcpu *kvm_get_vcpu(struct kvm *kvm, unsigned long idx)
{
	if (idx >= atomic_read(&kvm->online_vcpus))
		return NULL;
	smp_rmb();	/* pairs with kvm_vm_ioctl_create_vcpu()'s smp_wmb() */
	return xa_load(&kvm->vcpu_array, idx);
}

/* struct kvm_run and the port I/O page; the third that is mapped is the VM's. */
static struct kvm_run *kvm_alloc_run_pages(void)
{
	BUILD_BUG_ON(sizeof(struct kvm_run) > PAGE_SIZE);
	return alloc_pages_exact(KVM_VCPU_OWN_PAGES * PAGE_SIZE, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
}

static struct kvm_vcpu *kvm_alloc_vcpu(struct kvm *kvm, u32 id)
{
	struct kvm_vcpu *vcpu = kmem_cache_zalloc(kvm_vcpu_cache, GFP_KERNEL_ACCOUNT);

	if (!vcpu)
		return NULL;
	vcpu->run = kvm_alloc_run_pages();
	if (!vcpu->run) {
		kmem_cache_free(kvm_vcpu_cache, vcpu);
		return NULL;
	}
	mutex_init(&vcpu->mutex);
	vcpu->kvm = kvm;
	vcpu->vcpu_id = id;
	vcpu->cpu = -1;
	preempt_notifier_init(&vcpu->preempt_notifier, &kvm_preempt_ops);
	rcuwait_init(&vcpu->wait);
	return vcpu;
}

static void kvm_free_vcpu(struct kvm_vcpu *vcpu)
{
	put_pid(rcu_dereference_protected(vcpu->pid, true));
	kvm_dirty_ring_destroy(vcpu);
	free_pages_exact(vcpu->run, KVM_VCPU_OWN_PAGES * PAGE_SIZE);
	kmem_cache_free(kvm_vcpu_cache, vcpu);
}

static void kvm_destroy_vcpus(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long idx;

	xa_for_each(&kvm->vcpu_array, idx, vcpu) {
		kvm_arch_vcpu_destroy(vcpu);
		kvm_free_vcpu(vcpu);
	}
	xa_destroy(&kvm->vcpu_array);
}

static bool kvm_vcpu_id_is_taken(struct kvm *kvm, u32 id)
{
	struct kvm_vcpu *vcpu;
	unsigned long idx;

	kvm_for_each_vcpu(idx, vcpu, kvm) {
		if (vcpu->vcpu_id == id)
			return true;
	}
	return false;
}

/*
 * Make a finished vCPU visible: to the VM first, to userspace last, so that no
 * ioctl on the new fd can meet a VM that does not know its vCPU.
 */
static int kvm_publish_vcpu(struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	struct file *file;
	char name[32];
	int fd, r;

	lockdep_assert_held(&kvm->lock);
	if (kvm_vcpu_id_is_taken(kvm, vcpu->vcpu_id))
		return -EEXIST;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), "kvm-vcpu:%d", vcpu->vcpu_id);
	file = anon_inode_getfile(name, &kvm_vcpu_fops, vcpu, O_RDWR);
	if (IS_ERR(file)) {
		r = PTR_ERR(file);
		goto err_fd;
	}
	vcpu->vcpu_idx = atomic_read(&kvm->online_vcpus);
	r = xa_insert(&kvm->vcpu_array, vcpu->vcpu_idx, vcpu, GFP_KERNEL_ACCOUNT);
	if (r)
		goto err_file;
	kvm_get_kvm(kvm);	/* dropped by kvm_vcpu_release() */
	smp_wmb();		/* the array before the count: kvm_get_vcpu() */
	atomic_inc(&kvm->online_vcpus);
	fd_install(fd, file);
	return fd;

err_file:
	/* The file was never seen; its release must not drop a reference. */
	file->private_data = NULL;
	fput(file);
err_fd:
	put_unused_fd(fd);
	return r;
}

static int kvm_vm_ioctl_create_vcpu(struct kvm *kvm, unsigned long id)
{
	struct kvm_vcpu *vcpu;
	int r;

	mutex_lock(&kvm->lock);
	if (id >= kvm->max_vcpu_ids || kvm->created_vcpus >= KVM_MAX_VCPUS) {
		mutex_unlock(&kvm->lock);
		return -EINVAL;
	}
	kvm->created_vcpus++;	/* from now on what must precede vCPUs is refused */
	mutex_unlock(&kvm->lock);

	r = -ENOMEM;
	vcpu = kvm_alloc_vcpu(kvm, id);
	if (!vcpu)
		goto err_alloc;
	r = kvm_dirty_ring_create(vcpu);
	if (r)
		goto err_ring;
	r = kvm_arch_vcpu_create(vcpu);
	if (r)
		goto err_ring;

	mutex_lock(&kvm->lock);
	r = kvm_publish_vcpu(kvm, vcpu);
	mutex_unlock(&kvm->lock);
	if (r >= 0)
		return r;

	kvm_arch_vcpu_destroy(vcpu);
err_ring:
	kvm_free_vcpu(vcpu);
err_alloc:
	mutex_lock(&kvm->lock);
	kvm->created_vcpus--;
	mutex_unlock(&kvm->lock);
	return r;
}

static int kvm_vcpu_release(struct inode *inode, struct file *filp)
{
	struct kvm_vcpu *vcpu = filp->private_data;

	if (vcpu)
		kvm_put_kvm(vcpu->kvm);
	return 0;
}

static vm_fault_t kvm_vcpu_fault(struct vm_fault *vmf)
{
	struct kvm_vcpu *vcpu = vmf->vma->vm_file->private_data;

	if (vmf->pgoff < KVM_VCPU_OWN_PAGES)
		vmf->page = virt_to_page((void *)vcpu->run + vmf->pgoff * PAGE_SIZE);
	else if (vmf->pgoff == KVM_COALESCED_PAGE_OFFSET)
		vmf->page = virt_to_page(vcpu->kvm->coalesced_mmio_ring);
	else
		vmf->page = kvm_dirty_ring_page(vcpu, vmf->pgoff);
	if (!vmf->page)
		return VM_FAULT_SIGBUS;
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct kvm_vcpu_vm_ops = {
	.fault = kvm_vcpu_fault,
};

/* A private ring would be a copy that the vCPU does not see; and a ring is no code. */
static int kvm_vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct kvm_vcpu *vcpu = file->private_data;

	if (kvm_dirty_ring_overlaps(vcpu->kvm, vma->vm_pgoff, vma_pages(vma)) &&
	    (!(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC)))
		return -EINVAL;
	vma->vm_ops = &kvm_vcpu_vm_ops;
	return 0;
}

/*
 * KVM_SET_SIGNAL_MASK: the mask that is in force during KVM_RUN, so that a
 * signal can be blocked outside and yet end a run (as pselect() does it).
 */
static int kvm_vcpu_ioctl_set_sigmask(struct kvm_vcpu *vcpu, const sigset_t *sigset)
{
	if (sigset) {
		vcpu->sigset = *sigset;
		sigdelsetmask(&vcpu->sigset, sigmask(SIGKILL) | sigmask(SIGSTOP));
	}
	vcpu->sigset_active = sigset;
	return 0;
}

static int kvm_vcpu_ioctl_signal_mask(struct kvm_vcpu *vcpu, void __user *argp, bool compat)
{
	struct kvm_signal_mask __user *user = argp;
	struct kvm_signal_mask mask;
	sigset_t sigset;

	if (!argp)
		return kvm_vcpu_ioctl_set_sigmask(vcpu, NULL);
	if (copy_from_user(&mask, user, sizeof(mask)))
		return -EFAULT;
	if (mask.len != sizeof(sigset))
		return -EINVAL;
#ifdef CONFIG_COMPAT
	if (compat) {
		if (get_compat_sigset(&sigset, (compat_sigset_t __user *)user->sigset))
			return -EFAULT;
		return kvm_vcpu_ioctl_set_sigmask(vcpu, &sigset);
	}
#endif
	if (copy_from_user(&sigset, user->sigset, sizeof(sigset)))
		return -EFAULT;
	return kvm_vcpu_ioctl_set_sigmask(vcpu, &sigset);
}

static void kvm_vcpu_set_thread(struct kvm_vcpu *vcpu);

/*
 * The thread's own mask is kept in real_blocked: a signal that is blocked there will
 * wait after KVM_RUN for whoever fetches it, and so must not, by its default action,
 * end the process when it is sent.
 */
static int kvm_vcpu_ioctl_run(struct kvm_vcpu *vcpu)
{
	int r;

	kvm_vcpu_set_thread(vcpu);
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &vcpu->sigset, &current->real_blocked);
	r = kvm_arch_vcpu_ioctl_run(vcpu);
	if (vcpu->sigset_active) {
		sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
		sigemptyset(&current->real_blocked);
	}
	return r;
}

static long kvm_vcpu_do_ioctl(struct file *filp, unsigned int ioctl, unsigned long arg,
			      bool compat)
{
	struct kvm_vcpu *vcpu = filp->private_data;
	long r;

	if (kvm_wrong_mm_or_dead(vcpu->kvm))
		return -EIO;
	if (unlikely(_IOC_TYPE(ioctl) != KVMIO))
		return -EINVAL;
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	switch (ioctl) {
	case KVM_RUN:
		r = arg ? -EINVAL : kvm_vcpu_ioctl_run(vcpu);
		break;
	case KVM_SET_SIGNAL_MASK:
		r = kvm_vcpu_ioctl_signal_mask(vcpu, (void __user *)arg, compat);
		break;
	default:
		r = kvm_arch_vcpu_ioctl(vcpu, ioctl, arg);
	}
	mutex_unlock(&vcpu->mutex);
	return r;
}

static long kvm_vcpu_ioctl(struct file *filp, unsigned int ioctl, unsigned long arg)
{
	return kvm_vcpu_do_ioctl(filp, ioctl, arg, false);
}

#ifdef CONFIG_COMPAT
static long kvm_vcpu_compat_ioctl(struct file *filp, unsigned int ioctl, unsigned long arg)
{
	return kvm_vcpu_do_ioctl(filp, ioctl, (unsigned long)compat_ptr(arg), true);
}
#endif

static struct file_operations kvm_vcpu_fops = {
	.release = kvm_vcpu_release,
	.unlocked_ioctl = kvm_vcpu_ioctl,
	.mmap = kvm_vcpu_mmap,
	.llseek = noop_llseek,
#ifdef CONFIG_COMPAT
	.compat_ioctl = kvm_vcpu_compat_ioctl,
#endif
};

/* ---- a vCPU on a CPU: load, put, and the scheduler in between ---- */

/**
 * vcpu_load() - put a vCPU's state on this CPU
 * @vcpu: the vCPU; its mutex is held
 *
 * From here to vcpu_put() the thread may sleep and migrate: the scheduler tells
 * us (kvm_sched_out(), kvm_sched_in()), and the state moves along.
 */
void vcpu_load(struct kvm_vcpu *vcpu)
{
	int cpu = get_cpu();

	__this_cpu_write(kvm_running_vcpu, vcpu);
	preempt_notifier_register(&vcpu->preempt_notifier);
	kvm_arch_vcpu_load(vcpu, cpu);
	put_cpu();
}

/**
 * vcpu_put() - the end of what vcpu_load() began
 * @vcpu: the vCPU
 */
void vcpu_put(struct kvm_vcpu *vcpu)
{
	preempt_disable();
	kvm_arch_vcpu_put(vcpu);
	preempt_notifier_unregister(&vcpu->preempt_notifier);
	__this_cpu_write(kvm_running_vcpu, NULL);
	preempt_enable();
}

/**
 * kvm_get_running_vcpu() - which vCPU this thread has loaded
 *
 * Any context but interrupts.  The answer stays true until the thread itself changes
 * that: the scheduler takes the vCPU along to another CPU.
 *
 * Return: the vCPU, or NULL.
 */
struct kvm_vcpu *kvm_get_running_vcpu(void)
{
	struct kvm_vcpu *vcpu;

	preempt_disable();
	vcpu = __this_cpu_read(kvm_running_vcpu);
	preempt_enable();
	return vcpu;
}

static void kvm_sched_in(struct preempt_notifier *pn, int cpu)
{
	struct kvm_vcpu *vcpu = container_of(pn, struct kvm_vcpu, preempt_notifier);

	WRITE_ONCE(vcpu->preempted, false);
	__this_cpu_write(kvm_running_vcpu, vcpu);
	kvm_arch_vcpu_load(vcpu, cpu);
}

static void kvm_sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	struct kvm_vcpu *vcpu = container_of(pn, struct kvm_vcpu, preempt_notifier);

	/* Not asleep: it would run if it could.  See kvm_vcpu_on_spin(). */
	if (task_is_running(current))
		WRITE_ONCE(vcpu->preempted, true);
	kvm_arch_vcpu_put(vcpu);
	__this_cpu_write(kvm_running_vcpu, NULL);
}

/* ---- a guest that spins ---- */

/**
 * kvm_vcpu_yield_to() - give this thread's time to the one that runs another vCPU
 * @target: that vCPU
 *
 * Return: whether there was anything to give, and to whom.
 */
bool kvm_vcpu_yield_to(struct kvm_vcpu *target)
{
	struct task_struct *task;
	bool yielded;

	rcu_read_lock();
	task = get_pid_task(rcu_dereference(target->pid), PIDTYPE_PID);
	rcu_read_unlock();
	if (!task)
		return false;
	yielded = yield_to(task, true) > 0;
	put_task_struct(task);
	return yielded;
}

/**
 * kvm_vcpu_on_spin() - this vCPU waits for another one: let that one run
 * @me: the vCPU that executes PAUSE in a loop; loaded
 *
 * Who holds the lock is not known, but one that was preempted is a good guess,
 * and a spinner's time is lost anyhow.  The search goes round from the one that
 * was favoured last.
 */
void kvm_vcpu_on_spin(struct kvm_vcpu *me)
{
	struct kvm *kvm = me->kvm;
	int nr = atomic_read(&kvm->online_vcpus);
	int last = READ_ONCE(kvm->last_boosted_vcpu);
	struct kvm_vcpu *vcpu;
	int i, idx;

	for (i = 1; i <= nr; i++) {
		idx = (last + i) % nr;
		vcpu = kvm_get_vcpu(kvm, idx);
		if (!vcpu || vcpu == me || !READ_ONCE(vcpu->preempted))
			continue;
		if (kvm_vcpu_yield_to(vcpu)) {
			WRITE_ONCE(kvm->last_boosted_vcpu, idx);
			return;
		}
	}
}
EXPORT_SYMBOL_GPL(kvm_vcpu_on_spin);

/* The thread that runs the vCPU, for kvm_vcpu_yield_to(); vcpu->mutex held. */
static void kvm_vcpu_set_thread(struct kvm_vcpu *vcpu)
{
	struct pid *old = rcu_dereference_protected(vcpu->pid, lockdep_is_held(&vcpu->mutex));

	if (likely(old == task_pid(current)))
		return;
	rcu_assign_pointer(vcpu->pid, get_task_pid(current, PIDTYPE_PID));
	if (old) {
		synchronize_rcu();
		put_pid(old);
	}
}

/* ---- requests and kicks ---- */

/*
 * Another thread wants something of a vCPU: it sets a request bit, then makes
 * sure that the vCPU looks.  The vCPU may just be about to enter the guest:
 *
 *	requester			vCPU thread (vcpu_enter_guest)
 *	---------			-----------
 *	set_bit(requests)		interrupts off
 *	full barrier			mode = IN_GUEST_MODE
 *	mode == IN_GUEST_MODE?		full barrier
 *	  yes: send an IPI		requests?  yes: turn back
 *					VM entry
 *
 * Each side writes, then reads what the other wrote.  With a full barrier in
 * between on both sides, at least one of them sees the other's write: either
 * the vCPU finds the request, or the requester finds IN_GUEST_MODE and sends an
 * IPI.  Interrupts are off on the vCPU's CPU, so that IPI is taken in the guest
 * and ends it.  EXITING_GUEST_MODE spares a second IPI.
 */
static int kvm_vcpu_exiting_guest_mode(struct kvm_vcpu *vcpu)
{
	return cmpxchg(&vcpu->mode, IN_GUEST_MODE, EXITING_GUEST_MODE);
}

/**
 * kvm_vcpu_kick() - make a vCPU look at its requests and pending events
 * @vcpu: the vCPU, not that of the calling thread
 *
 * Any context.  Returns before the vCPU has reacted.
 */
void kvm_vcpu_kick(struct kvm_vcpu *vcpu)
{
	int me, cpu;

	if (kvm_vcpu_wake_up(vcpu))
		return;
	me = get_cpu();
	cpu = READ_ONCE(vcpu->cpu);
	/* cmpxchg() is the full barrier of the left column. */
	if (cpu != me && kvm_vcpu_exiting_guest_mode(vcpu) == IN_GUEST_MODE &&
	    (unsigned int)cpu < nr_cpu_ids && cpu_online(cpu))
		smp_send_reschedule(cpu);
	put_cpu();
}

static void ack_kick(void *unused)
{
}

/*
 * Ask all vCPUs, if @req is a request and not NO_REQUEST; wait till none is in the guest
 * that was there before.  Returns how many CPUs had to be interrupted.
 */
#define NO_REQUEST	-1

static int kick_all_cpus(struct kvm *kvm, int req)
{
	struct kvm_vcpu *vcpu;
	struct cpumask *cpus;
	unsigned long idx;
	int cpu, me, n;

	me = get_cpu();
	cpus = this_cpu_cpumask_var_ptr(cpu_kick_mask);
	cpumask_clear(cpus);
	kvm_for_each_vcpu(idx, vcpu, kvm) {
		if (req != NO_REQUEST)
			kvm_make_request(req, vcpu);
		/* EXITING counts: that vCPU was kicked, but may not be out yet. */
		if (kvm_vcpu_exiting_guest_mode(vcpu) == OUTSIDE_GUEST_MODE)
			continue;
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu != -1 && cpu != me)
			__cpumask_set_cpu(cpu, cpus);
	}
	/* The answer to the call is given outside the guest: that is the wait. */
	n = cpumask_weight(cpus);
	if (n)
		smp_call_function_many(cpus, ack_kick, NULL, true);
	put_cpu();
	return n;
}

/**
 * kvm_make_all_cpus_request() - ask all vCPUs of a VM, and wait till none is
 *	in the guest that has not seen it
 * @kvm: the VM
 * @req: the request
 *
 * Context: spinlocks may be held, interrupts must be on.  A vCPU that enters the
 * guest after this returns has dealt with the request.
 * Return: how many CPUs were interrupted: those that had a vCPU in the guest.
 */
int kvm_make_all_cpus_request(struct kvm *kvm, enum kvm_request req)
{
	return kick_all_cpus(kvm, req);
}

/**
 * kvm_kick_out_of_guest() - each vCPU that is in the guest has left it when this returns
 * @kvm: the VM
 *
 * It may be there again.  But what hardware tells at an exit only, the vCPU has seen.
 *
 * Context: as kvm_make_all_cpus_request().
 */
void kvm_kick_out_of_guest(struct kvm *kvm)
{
	kick_all_cpus(kvm, NO_REQUEST);
}

/**
 * kvm_flush_remote_tlbs() - no vCPU uses a translation that is gone from the EPT
 * @kvm: the VM; its mmu_lock may be held
 *
 * tdp_mmu.c says when this is needed.  Only CPUs that have a vCPU in the guest are
 * interrupted; the others flush before they enter.
 */
void kvm_flush_remote_tlbs(struct kvm *kvm)
{
	int n = kvm_make_all_cpus_request(kvm, KVM_REQ_TLB_FLUSH);

	atomic64_inc(&kvm->stat.remote_tlb_flush_requests);
	if (!n)
		return;
	atomic64_inc(&kvm->stat.remote_tlb_flush);
	atomic64_add(n, &kvm->stat.remote_tlb_flush_ipis);
}
