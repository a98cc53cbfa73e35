// SPDX-License-Identifier: GPL-2.0
/*
 * vm_ioctl_test - calls on a VM's file descriptor, good and bad
 *
 * Guards: ENOTTY for the unknown, EIO for a process that is not the VM's owner,
 * vCPU id rules, call ordering, capabilities that can be enabled and those that
 * cannot, and that what is not there (the in-kernel irqchip) is honestly absent:
 * the capability says 0 and the call gives an errno.
 */
#include <kselftest_harness.h>
#include <sys/socket.h>

#include "minikvm_util.h"

FIXTURE(vm) {
	struct vm *vm;
};

FIXTURE_SETUP(vm)
{
	self->vm = vm_bare();
}

FIXTURE_TEARDOWN(vm)
{
	vm_free(self->vm);
}

TEST_F(vm, unknown_ioctl)
{
	static const unsigned long reqs[] = {
		_IO(KVMIO, 0xff), _IO('x', 1), 0, KVM_RUN, KVM_GET_REGS,
		KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_GET_VCPU_MMAP_SIZE,
	};

	for (size_t i = 0; i < ARRAY_SIZE(reqs); i++) {
		EXPECT_EQ(-ENOTTY, kioctl(self->vm->fd, reqs[i], 0))
			TH_LOG("ioctl %#lx", reqs[i]);
	}
}

/* vCPU: EINVAL for what is no KVM call, and for what it does not know. */
TEST_F(vm, unknown_vcpu_ioctl)
{
	static const unsigned long reqs[] = {
		_IO(KVMIO, 0xff), _IO('x', 1), 0, KVM_CREATE_VM,
		KVM_CREATE_VCPU, KVM_GET_API_VERSION,
		KVM_SET_USER_MEMORY_REGION,
	};
	struct vcpu *vcpu = vcpu_bare(self->vm, 0);

	for (size_t i = 0; i < ARRAY_SIZE(reqs); i++) {
		EXPECT_EQ(-EINVAL, kioctl(vcpu->fd, reqs[i], 0))
			TH_LOG("ioctl %#lx", reqs[i]);
	}
	EXPECT_EQ(-EINVAL, kioctl(vcpu->fd, KVM_RUN, 1));
}

TEST_F(vm, check_extension_agrees)
{
	int dev = dev_open();

	for (int cap = 0; cap < 256; cap++) {
		int sys = kioctl(dev, KVM_CHECK_EXTENSION, cap);
		int vm = vm_cap(self->vm, cap);

		/* The VM may know more (or less) of a few, never an errno. */
		EXPECT_LE(0, vm)
			TH_LOG("capability %d", cap);
		if (cap != KVM_CAP_XSAVE2 && cap != KVM_CAP_MAX_VCPU_ID) {
			EXPECT_EQ(!!sys, !!vm)
				TH_LOG("capability %d", cap);
		}
	}
	EXPECT_EQ(0, vm_cap(self->vm, 100000));
	close(dev);
}

/* -------------------------------------------------------- another process */

/* Runs fn(arg) in a fork and gives the errno it returned. */
static int in_child(int (*fn)(struct vm *vm, struct vcpu *vcpu), struct vm *vm,
		    struct vcpu *vcpu)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(-fn(vm, vcpu));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -999;
}

static int child_vm(struct vm *vm, struct vcpu *vcpu)
{
	(void)vcpu;
	return kioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY);
}

static int child_create_vcpu(struct vm *vm, struct vcpu *vcpu)
{
	(void)vcpu;
	return kioctl(vm->fd, KVM_CREATE_VCPU, 1);
}

static int child_slot(struct vm *vm, struct vcpu *vcpu)
{
	(void)vcpu;
	return vm_slot(vm, 5, 0, 1 << 30, PAGE_SIZE, vm_anon(PAGE_SIZE));
}

static int child_run(struct vm *vm, struct vcpu *vcpu)
{
	(void)vm;
	return vcpu_run(vcpu);
}

static int child_get_regs(struct vm *vm, struct vcpu *vcpu)
{
	struct kvm_regs r;

	(void)vm;
	return kioctlp(vcpu->fd, KVM_GET_REGS, &r);
}

/* The VM belongs to the mm that made it: a fork shares the fd, not the VM. */
TEST_F(vm, wrong_process)
{
	struct vcpu *vcpu = vcpu_bare(self->vm, 0);

	EXPECT_EQ(-EIO, in_child(child_vm, self->vm, vcpu));
	EXPECT_EQ(-EIO, in_child(child_create_vcpu, self->vm, vcpu));
	EXPECT_EQ(-EIO, in_child(child_slot, self->vm, vcpu));
	EXPECT_EQ(-EIO, in_child(child_run, self->vm, vcpu));
	EXPECT_EQ(-EIO, in_child(child_get_regs, self->vm, vcpu));
	/* The owner is not disturbed. */
	EXPECT_LT(0, vm_cap(self->vm, KVM_CAP_USER_MEMORY));
	EXPECT_LE(0, kioctl(self->vm->fd, KVM_CREATE_VCPU, 1));
}

/* ------------------------------------------------------------------ vCPUs */

TEST_F(vm, vcpu_ids)
{
	int max_id = vm_cap(self->vm, KVM_CAP_MAX_VCPU_ID);
	int fd = kioctl(self->vm->fd, KVM_CREATE_VCPU, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(-EEXIST, kioctl(self->vm->fd, KVM_CREATE_VCPU, 0));
	EXPECT_EQ(-EINVAL, kioctl(self->vm->fd, KVM_CREATE_VCPU, max_id));
	EXPECT_EQ(-EINVAL, kioctl(self->vm->fd, KVM_CREATE_VCPU, -1));
	EXPECT_EQ(-EINVAL, kioctl(self->vm->fd, KVM_CREATE_VCPU, 0x7fffffff));
	if (!dev_is_stock())		/* 6.1's takes it for 1 */
		EXPECT_EQ(-EINVAL, kioctl(self->vm->fd, KVM_CREATE_VCPU, 0x100000001));
	/* Ids need no order, and the last one is good. */
	EXPECT_LE(0, kioctl(self->vm->fd, KVM_CREATE_VCPU, max_id - 1));
	EXPECT_LE(0, kioctl(self->vm->fd, KVM_CREATE_VCPU, 7));
	EXPECT_LE(0, kioctl(self->vm->fd, KVM_CREATE_VCPU, 3));
	EXPECT_EQ(-EEXIST, kioctl(self->vm->fd, KVM_CREATE_VCPU, 7));
	/* Closing the fd does not free the id: the VM keeps its vCPUs. */
	close(fd);
	EXPECT_EQ(-EEXIST, kioctl(self->vm->fd, KVM_CREATE_VCPU, 0));
}

/* The first CPU has to be one that there can be. */
TEST_F(vm, boot_cpu_id)
{
	int fd, max_id = vm_cap(self->vm, KVM_CAP_MAX_VCPU_ID);

	if (dev_is_stock())
		SKIP(return, "6.1's takes any number");
	EXPECT_EQ(-EINVAL, kioctl(self->vm->fd, KVM_SET_BOOT_CPU_ID, max_id + 1));
	EXPECT_EQ(-EINVAL, kioctl(self->vm->fd, KVM_SET_BOOT_CPU_ID, 1L << 32));
	EXPECT_EQ(0, kioctl(self->vm->fd, KVM_SET_BOOT_CPU_ID, 5));
	EXPECT_EQ(-EINVAL, vm_enable_cap(self->vm, KVM_CAP_MAX_VCPU_ID, 4));
	EXPECT_EQ(0, vm_enable_cap(self->vm, KVM_CAP_MAX_VCPU_ID, 5));
	EXPECT_EQ(-EINVAL, kioctl(self->vm->fd, KVM_SET_BOOT_CPU_ID, 6));
	fd = kioctl(self->vm->fd, KVM_CREATE_VCPU, 0);
	EXPECT_LE(0, fd);
	EXPECT_EQ(-EBUSY, kioctl(self->vm->fd, KVM_SET_BOOT_CPU_ID, 0));
	close(fd);
}

TEST_F(vm, many_vcpus)
{
	int max = vm_cap(self->vm, KVM_CAP_MAX_VCPUS);
	int n = max < 64 ? max : 64;

	for (int i = 0; i < n; i++) {
		ASSERT_LE(0, kioctl(self->vm->fd, KVM_CREATE_VCPU, i))
			TH_LOG("vCPU %d", i);
	}
	/* Where the most is small enough to reach, one more is refused. */
	if (n == max)
		EXPECT_EQ(-EINVAL, kioctl(self->vm->fd, KVM_CREATE_VCPU, n));
}

struct racer {
	struct vm *vm;
	int made;
};

static void *create_racer(void *arg)
{
	struct racer *r = arg;

	for (int id = 0; id < 12; id++)
		r->made += kioctl(r->vm->fd, KVM_CREATE_VCPU, id) >= 0;
	return NULL;
}

/* Three threads want the same ids: each id is made once. */
TEST_F(vm, parallel_create_vcpu)
{
	struct racer r[3];
	pthread_t t[3];
	int made = 0;

	for (int i = 0; i < 3; i++) {
		r[i] = (struct racer){ .vm = self->vm };
		pthread_create(&t[i], NULL, create_racer, &r[i]);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(t[i], NULL);
		made += r[i].made;
	}
	EXPECT_EQ(12, made);
}

TEST_F(vm, vcpu_mmap)
{
	struct vcpu *vcpu = vcpu_bare(self->vm, 0);
	struct kvm_run *again;

	EXPECT_EQ(0, vcpu->run->exit_reason);
	/* A second mapping is the same page. */
	again = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		     vcpu->fd, 0);
	ASSERT_NE(MAP_FAILED, again);
	again->immediate_exit = 1;
	EXPECT_EQ(1, vcpu->run->immediate_exit);
	again->immediate_exit = 0;
	munmap(again, vcpu->run_size);
}

/* Beyond the pages it has, the mapping faults with SIGBUS, nothing worse. */
TEST_SIGNAL(vcpu_mmap_beyond, SIGBUS)
{
	struct vcpu *vcpu = vcpu_bare(vm_bare(), 0);
	volatile char *p = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED,
				vcpu->fd, vcpu->run_size + 16 * PAGE_SIZE);

	ASSERT_NE(MAP_FAILED, (void *)p);
	(void)p[0];
}

TEST_F(vm, no_read_write)
{
	struct vcpu *vcpu = vcpu_bare(self->vm, 0);
	char c = 0;

	EXPECT_EQ(-1, read(self->vm->fd, &c, 1));
	EXPECT_EQ(-1, write(vcpu->fd, &c, 1));
}

/* --------------------------------------------------------------- TSS, maps */

TEST_F(vm, tss_and_identity_map)
{
	u64 addr = 0xfffbc000;

	EXPECT_EQ(0, kioctlp(self->vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &addr));
	EXPECT_EQ(-EFAULT, kioctlp(self->vm->fd, KVM_SET_IDENTITY_MAP_ADDR, 8));
	EXPECT_EQ(0, kioctl(self->vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000));
	/* The three pages must end below 4 GiB. */
	EXPECT_EQ(-EINVAL, kioctl(self->vm->fd, KVM_SET_TSS_ADDR, 0xffffffff));
	vcpu_bare(self->vm, 0);
	/* Too late: a vCPU may have used it. */
	EXPECT_EQ(-EINVAL, kioctlp(self->vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &addr));
}

/* -------------------------------------------------------------- ENABLE_CAP */

TEST_F(vm, enable_cap_bad)
{
	struct kvm_enable_cap ec = { .cap = KVM_CAP_EXCEPTION_PAYLOAD };

	EXPECT_EQ(-EINVAL, vm_enable_cap(self->vm, 9999, 0));
	EXPECT_EQ(-EINVAL, vm_enable_cap(self->vm, KVM_CAP_USER_MEMORY, 0));
	ec.flags = 1;
	EXPECT_EQ(-EINVAL, kioctlp(self->vm->fd, KVM_ENABLE_CAP, &ec));
	EXPECT_EQ(-EFAULT, kioctlp(self->vm->fd, KVM_ENABLE_CAP, 8));
	/* Reason bits that do not exist. */
	EXPECT_EQ(-EINVAL, vm_enable_cap(self->vm, KVM_CAP_X86_USER_SPACE_MSR, 1 << 20));
}

TEST_F(vm, enable_cap_good)
{
	static const struct {
		u32 cap;
		u64 arg;
	} good[] = {
		{ KVM_CAP_EXCEPTION_PAYLOAD, 1 }, { KVM_CAP_EXCEPTION_PAYLOAD, 0 },
		{ KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1 },
		{ KVM_CAP_X86_USER_SPACE_MSR, 7 }, { KVM_CAP_X86_USER_SPACE_MSR, 0 },
		{ KVM_CAP_X86_NOTIFY_VMEXIT, (u64)128 << 32 | 1 },
		{ KVM_CAP_X86_DISABLE_EXITS, 2 },
		{ KVM_CAP_MSR_PLATFORM_INFO, 1 },
		{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1 },
		{ KVM_CAP_DISABLE_QUIRKS2, 0 },
		{ KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		int want = vm_cap(self->vm, good[i].cap) > 0 ? 0 : -EINVAL;

		/* Claimed means it can be enabled; not claimed, it cannot. */
		EXPECT_EQ(want, vm_enable_cap(self->vm, good[i].cap, good[i].arg))
			TH_LOG("capability %u", good[i].cap);
	}
}

/* ----------------------------------------------------- without an irqchip */

/*
 * With the capability at 0 the calls are unknown ones: ENOTTY, or what KVM
 * gives for them without an irqchip (ENXIO, EINVAL).  Never success.
 */
TEST_F(vm, irqchip_absent)
{
	static u8 zeros[PAGE_SIZE];
	static const struct {
		unsigned long req;
		const char *name;
	} calls[] = {
#define C(req) { req, #req }
		C(KVM_CREATE_IRQCHIP), C(KVM_GET_IRQCHIP), C(KVM_SET_IRQCHIP),
		C(KVM_CREATE_PIT2), C(KVM_GET_PIT2), C(KVM_SET_PIT2),
		C(KVM_IRQ_LINE), C(KVM_IRQ_LINE_STATUS), C(KVM_SIGNAL_MSI),
		C(KVM_REINJECT_CONTROL), C(KVM_GET_PIT), C(KVM_SET_PIT),
#undef C
	};

	if (vm_cap(self->vm, KVM_CAP_IRQCHIP))
		SKIP(return, "this module has an in-kernel irqchip");
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int ret = kioctlp(self->vm->fd, calls[i].req, zeros);

		EXPECT_TRUE(ret == -ENOTTY || ret == -ENXIO || ret == -EINVAL)
			TH_LOG("%s: %d", calls[i].name, ret);
	}
	EXPECT_EQ(0, vm_cap(self->vm, KVM_CAP_PIT2));
	EXPECT_EQ(0, vm_cap(self->vm, KVM_CAP_PIT_STATE2));
	EXPECT_EQ(0, vm_cap(self->vm, KVM_CAP_SPLIT_IRQCHIP));
	EXPECT_EQ(-EINVAL, vm_enable_cap(self->vm, KVM_CAP_SPLIT_IRQCHIP, 24));
}

/* These hold with either module as long as no irqchip was created. */
TEST_F(vm, irqchip_not_created)
{
	struct vcpu *vcpu = vcpu_bare(self->vm, 0);
	struct kvm_irq_level line = { .irq = 4, .level = 1 };
	u8 lapic[1024];
	int ret;

	ret = kioctlp(self->vm->fd, KVM_IRQ_LINE, &line);
	EXPECT_TRUE(ret == -ENXIO || ret == -ENOTTY);
	EXPECT_EQ(-EINVAL, kioctlp(vcpu->fd, KVM_GET_LAPIC, lapic));
	EXPECT_EQ(-EINVAL, kioctlp(vcpu->fd, KVM_SET_LAPIC, lapic));
}

TEST_F(vm, gsi_routing_capability)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry e[1];
	} r = { .head.nr = 1 };

	/* QEMU insists on the capability even with the irqchip off. */
	EXPECT_LT(0, vm_cap(self->vm, KVM_CAP_IRQ_ROUTING));
	r.head.flags = 1;
	EXPECT_EQ(-EINVAL, kioctlp(self->vm->fd, KVM_SET_GSI_ROUTING, &r));
}

/* ------------------------------------------------------------ lifetime */

TEST_F(vm, close_order)
{
	struct vcpu *vcpu = vcpu_bare(self->vm, 0);
	struct kvm_regs r;

	/* The vCPU keeps the VM alive. */
	close(self->vm->fd);
	self->vm->fd = -1;
	EXPECT_EQ(0, kioctlp(vcpu->fd, KVM_GET_REGS, &r));
	EXPECT_EQ(0xfff0, r.rip);
	EXPECT_EQ(0x2, r.rflags);
}

/* Another process may hold the fd while the owner dies; it can only close it. */
TEST(fd_outlives_owner)
{
	int sock[2], status, fd = -1;
	char buf[CMSG_SPACE(sizeof(int))] = { 0 }, c = 'x';
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = buf, .msg_controllen = sizeof(buf),
	};
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	pid = fork();
	if (!pid) {
		struct vm *vm = vm_new();
		struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

		vcpu_new(vm, 0);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &vm->fd, sizeof(int));
		_exit(sendmsg(sock[0], &msg, 0) != 1);
	}
	ASSERT_EQ(1, recvmsg(sock[1], &msg, 0));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	EXPECT_EQ(-EIO, kioctl(fd, KVM_CREATE_VCPU, 1));
	EXPECT_EQ(-EIO, kioctl(fd, KVM_CHECK_EXTENSION, 0));
	EXPECT_EQ(0, close(fd));
}

TEST(many_vms)
{
	struct vm *vms[40];

	for (size_t i = 0; i < ARRAY_SIZE(vms); i++) {
		vms[i] = vm_bare();
		vcpu_bare(vms[i], 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(vms); i++)
		vm_free(vms[i]);
}

TEST_HARNESS_MAIN
