// SPDX-License-Identifier: GPL-2.0
/*
 * system_ioctl_test - every call on the device itself, good and bad
 *
 * Guards: the errno of each misuse (an unknown ioctl, a stray argument, a bad
 * pointer), the E2BIG protocols by which a VMM learns the size of a list, that
 * what a list names can be read, and that no capability is promised in vain.
 */
#include <kselftest_harness.h>

#include "minikvm_util.h"

FIXTURE(dev) {
	int fd;
};

FIXTURE_SETUP(dev)
{
	self->fd = dev_open();
}

FIXTURE_TEARDOWN(dev)
{
	close(self->fd);
}

TEST_F(dev, api_version)
{
	EXPECT_EQ(12, kioctl(self->fd, KVM_GET_API_VERSION, 0));
	EXPECT_EQ(-EINVAL, kioctl(self->fd, KVM_GET_API_VERSION, 1));
}

TEST_F(dev, unknown_ioctl)
{
	static const unsigned long reqs[] = {
		_IO(KVMIO, 0xff), _IO(KVMIO, 0x06), _IO('x', 0x01), 0, ~0U,
		KVM_RUN, KVM_GET_REGS, KVM_CREATE_VCPU, KVM_SET_USER_MEMORY_REGION,
	};

	for (size_t i = 0; i < ARRAY_SIZE(reqs); i++) {
		EXPECT_EQ(-EINVAL, kioctl(self->fd, reqs[i], 0))
			TH_LOG("ioctl %#lx", reqs[i]);
	}
}

TEST_F(dev, create_vm)
{
	int fd = kioctl(self->fd, KVM_CREATE_VM, 0);
	int fd2;

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	fd2 = kioctl(self->fd, KVM_CREATE_VM, 0);
	EXPECT_LT(fd, fd2);
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, close(fd2));
	EXPECT_EQ(-EINVAL, kioctl(self->fd, KVM_CREATE_VM, 1));
	EXPECT_EQ(-EINVAL, kioctl(self->fd, KVM_CREATE_VM, -1UL));
}

/* A refused call must not leave a file descriptor behind. */
TEST_F(dev, failed_create_leaks_no_fd)
{
	int before = dup(0), after;

	close(before);
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(-EINVAL, kioctl(self->fd, KVM_CREATE_VM, 77));
	after = dup(0);
	EXPECT_EQ(before, after);
}

TEST_F(dev, vcpu_mmap_size)
{
	int size = kioctl(self->fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	EXPECT_LE((int)(2 * PAGE_SIZE), size);
	EXPECT_EQ(0, size % (int)PAGE_SIZE);
	EXPECT_EQ(-EINVAL, kioctl(self->fd, KVM_GET_VCPU_MMAP_SIZE, 1));
}

/* What QEMU and the issue cannot do without, with the least value. */
static const struct {
	int cap, min;
	const char *name;
} needed[] = {
#define CAP(c, min) { KVM_CAP_ ## c, min, #c }
	CAP(USER_MEMORY, 1), CAP(DESTROY_MEMORY_REGION_WORKS, 1),
	CAP(JOIN_MEMORY_REGIONS_WORKS, 1), CAP(SET_TSS_ADDR, 1),
	CAP(EXT_CPUID, 1), CAP(MP_STATE, 1), CAP(IRQ_ROUTING, 1),
	CAP(HLT, 1), CAP(NR_VCPUS, 1), CAP(MAX_VCPUS, 4), CAP(MAX_VCPU_ID, 4),
	CAP(NR_MEMSLOTS, 32), CAP(SYNC_MMU, 1), CAP(USER_NMI, 1),
	CAP(SET_GUEST_DEBUG, 1), CAP(VCPU_EVENTS, 1), CAP(DEBUGREGS, 1),
	CAP(XSAVE, 1), CAP(XCRS, 1), CAP(GET_TSC_KHZ, 1),
	CAP(READONLY_MEM, 1), CAP(IMMEDIATE_EXIT, 1), CAP(SREGS2, 1),
	CAP(XSAVE2, 4096), CAP(X86_USER_SPACE_MSR, 1),
	CAP(X86_MSR_FILTER, 1), CAP(SYNC_REGS, 7),
	CAP(EXCEPTION_PAYLOAD, 1), CAP(X86_TRIPLE_FAULT_EVENT, 1),
	CAP(GET_MSR_FEATURES, 1), CAP(VCPU_ATTRIBUTES, 1),
	CAP(X86_ROBUST_SINGLESTEP, 1), CAP(INTERNAL_ERROR_DATA, 1),
	CAP(CHECK_EXTENSION_VM, 1), CAP(ENABLE_CAP_VM, 1),
	CAP(SET_IDENTITY_MAP_ADDR, 1),
#undef CAP
};

TEST_F(dev, needed_capabilities)
{
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		int got = kioctl(self->fd, KVM_CHECK_EXTENSION, needed[i].cap);

		EXPECT_LE(needed[i].min, got)
			TH_LOG("KVM_CAP_%s", needed[i].name);
	}
}

TEST_F(dev, unknown_capabilities)
{
	static const unsigned long caps[] = { 999, 5, 17, 100000, 0x7fffffff, ~0UL };

	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		EXPECT_EQ(0, kioctl(self->fd, KVM_CHECK_EXTENSION, caps[i]))
			TH_LOG("capability %lu", caps[i]);
	}
	for (int cap = 0; cap < 300; cap++)
		EXPECT_LE(0, kioctl(self->fd, KVM_CHECK_EXTENSION, cap));
	/* Other architectures' must not be claimed. */
	EXPECT_EQ(0, kioctl(self->fd, KVM_CHECK_EXTENSION, KVM_CAP_S390_PSW));
	EXPECT_EQ(0, kioctl(self->fd, KVM_CHECK_EXTENSION, KVM_CAP_PPC_SMT));
	EXPECT_EQ(0, kioctl(self->fd, KVM_CHECK_EXTENSION, KVM_CAP_ARM_SVE));
}

TEST_F(dev, limits_agree)
{
	int nr = kioctl(self->fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS);
	int max = kioctl(self->fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	int id = kioctl(self->fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPU_ID);
	int as = kioctl(self->fd, KVM_CHECK_EXTENSION, KVM_CAP_MULTI_ADDRESS_SPACE);
	int smm = kioctl(self->fd, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM);

	EXPECT_LE(nr, max);
	EXPECT_LE(max, id);
	/* SMM memory lives in address space 1. */
	if (smm)
		EXPECT_LE(2, as);
}

TEST_F(dev, supported_cpuid_counts)
{
	struct cpuid_buf *buf = calloc(1, sizeof(*buf));
	u32 n;

	/* Too small: E2BIG.  QEMU doubles from 1 until it is not. */
	for (n = 1; n < MAX_CPUID; n *= 2) {
		int ret;

		buf->head.nent = n;
		ret = kioctlp(self->fd, KVM_GET_SUPPORTED_CPUID, buf);
		if (!ret)
			break;
		EXPECT_EQ(-E2BIG, ret);
	}
	ASSERT_GT(MAX_CPUID, n);
	EXPECT_LT(4, n);
	n = buf->head.nent;
	/* kvmtool asks once, with room for 100. */
	EXPECT_GE(100, n);
	/* The exact number is enough. */
	EXPECT_EQ(0, kioctlp(self->fd, KVM_GET_SUPPORTED_CPUID, buf));
	EXPECT_EQ(n, buf->head.nent);
	buf->head.nent = n - 1;
	EXPECT_EQ(-E2BIG, kioctlp(self->fd, KVM_GET_SUPPORTED_CPUID, buf));
	buf->head.nent = 0;
	EXPECT_EQ(-E2BIG, kioctlp(self->fd, KVM_GET_SUPPORTED_CPUID, buf));
	/* More than the most KVM takes is cut, not an error. */
	buf->head.nent = 0xffffffff;
	EXPECT_EQ(0, kioctlp(self->fd, KVM_GET_SUPPORTED_CPUID, buf));
	EXPECT_EQ(n, buf->head.nent);
	EXPECT_EQ(-EFAULT, kioctlp(self->fd, KVM_GET_SUPPORTED_CPUID, 8));
}

TEST_F(dev, emulated_cpuid)
{
	struct cpuid_buf *buf = calloc(1, sizeof(*buf));

	if (!kioctl(self->fd, KVM_CHECK_EXTENSION, KVM_CAP_EXT_EMUL_CPUID)) {
		EXPECT_EQ(-EINVAL, kioctlp(self->fd, KVM_GET_EMULATED_CPUID, buf));
		return;
	}
	buf->head.nent = MAX_CPUID;
	EXPECT_EQ(0, kioctlp(self->fd, KVM_GET_EMULATED_CPUID, buf));
	EXPECT_GT(MAX_CPUID, buf->head.nent);
}

struct msr_list {
	struct kvm_msr_list head;
	u32 indices[600];
};

/* Both index lists: nmsrs = 0 gives E2BIG and the count, then all, no duplicate. */
static void check_list(struct __test_metadata *_metadata, int fd,
		       unsigned long req, struct msr_list *l)
{
	u32 n;

	l->head.nmsrs = 0;
	EXPECT_EQ(-E2BIG, kioctlp(fd, req, l));
	n = l->head.nmsrs;
	ASSERT_LT(0, n);
	ASSERT_GT(ARRAY_SIZE(l->indices), n);
	l->head.nmsrs = n - 1;
	memset(l->indices, 0x5a, sizeof(l->indices));
	EXPECT_EQ(-E2BIG, kioctlp(fd, req, l));
	EXPECT_EQ(n, l->head.nmsrs);
	EXPECT_EQ(0x5a5a5a5a, l->indices[0]);
	l->head.nmsrs = n + 20;
	EXPECT_EQ(0, kioctlp(fd, req, l));
	EXPECT_EQ(n, l->head.nmsrs);
	EXPECT_EQ(0x5a5a5a5a, l->indices[n]);
	for (u32 i = 0; i < n; i++) {
		for (u32 j = 0; j < i; j++)
			EXPECT_NE(l->indices[i], l->indices[j]);
	}
	EXPECT_EQ(-EFAULT, kioctlp(fd, req, 8));
}

TEST_F(dev, msr_index_list)
{
	static const u32 want[] = {
		0x10, 0x174, 0x175, 0x176, 0x277, 0xc0000081, 0xc0000082,
		0xc0000083, 0xc0000084, 0xc0000102, 0x3b, 0x1a0,
	};
	struct msr_list *l = calloc(1, sizeof(*l));

	check_list(_metadata, self->fd, KVM_GET_MSR_INDEX_LIST, l);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		bool found = false;

		for (u32 j = 0; j < l->head.nmsrs; j++)
			found |= l->indices[j] == want[i];
		EXPECT_TRUE(found)
			TH_LOG("MSR %#x is not listed", want[i]);
	}
}

struct msrs {
	struct kvm_msrs head;
	struct kvm_msr_entry e[300];
};

TEST_F(dev, feature_msrs)
{
	struct msr_list *l = calloc(1, sizeof(*l));
	struct msrs *m = calloc(1, sizeof(*m));

	check_list(_metadata, self->fd, KVM_GET_MSR_FEATURE_INDEX_LIST, l);
	for (u32 i = 0; i < l->head.nmsrs; i++) {
		m->head.nmsrs = 1;
		m->e[0].index = l->indices[i];
		EXPECT_EQ(1, kioctlp(self->fd, KVM_GET_MSRS, m))
			TH_LOG("feature MSR %#x", l->indices[i]);
	}
}

/* System GET_MSRS stops at the first one it refuses and gives the count. */
TEST_F(dev, get_msrs_counts)
{
	struct msr_list *l = calloc(1, sizeof(*l));
	struct msrs *m = calloc(1, sizeof(*m));

	l->head.nmsrs = ARRAY_SIZE(l->indices);
	ASSERT_EQ(0, kioctlp(self->fd, KVM_GET_MSR_FEATURE_INDEX_LIST, l));
	m->head.nmsrs = 3;
	m->e[0].index = l->indices[0];
	m->e[1].index = 0xdeadbeef;
	m->e[2].index = l->indices[0];
	EXPECT_EQ(1, kioctlp(self->fd, KVM_GET_MSRS, m));
	m->head.nmsrs = 1;
	m->e[0].index = 0x10;			/* no feature MSR: the host's TSC */
	EXPECT_EQ(0, kioctlp(self->fd, KVM_GET_MSRS, m));
	m->head.nmsrs = 0;
	EXPECT_EQ(0, kioctlp(self->fd, KVM_GET_MSRS, m));
	m->head.nmsrs = 257;
	EXPECT_EQ(-E2BIG, kioctlp(self->fd, KVM_GET_MSRS, m));
	m->head.nmsrs = 0xffffffff;
	EXPECT_EQ(-E2BIG, kioctlp(self->fd, KVM_GET_MSRS, m));
	EXPECT_EQ(-EFAULT, kioctlp(self->fd, KVM_GET_MSRS, 8));
}

/* The MSRs of the machine itself stay hidden: a VM must not read its host. */
TEST_F(dev, host_msrs_hidden)
{
	static const u32 secret[] = {
		0x1b, 0xc0000080, 0xc0000082, 0xc0000100, 0xc0000101, 0x176,
		0xc1, 0x277,
	};
	struct msrs *m = calloc(1, sizeof(*m));

	for (size_t i = 0; i < ARRAY_SIZE(secret); i++) {
		m->head.nmsrs = 1;
		m->e[0].index = secret[i];
		m->e[0].data = 0x1234;
		EXPECT_EQ(0, kioctlp(self->fd, KVM_GET_MSRS, m))
			TH_LOG("MSR %#x", secret[i]);
		/* Zeroed or as it was: never the host's value. */
		EXPECT_TRUE(m->e[0].data == 0 || m->e[0].data == 0x1234);
	}
}

TEST_F(dev, no_read_write_mmap)
{
	char c = 0;

	EXPECT_EQ(-1, read(self->fd, &c, 1));
	EXPECT_EQ(-1, write(self->fd, &c, 1));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, self->fd, 0));
}

TEST_F(dev, mce_cap)
{
	u64 cap = 0;
	int mce = kioctl(self->fd, KVM_CHECK_EXTENSION, KVM_CAP_MCE);

	if (!mce) {
		EXPECT_GT(0, kioctlp(self->fd, KVM_X86_GET_MCE_CAP_SUPPORTED, &cap));
		return;
	}
	EXPECT_LE(10, mce);
	EXPECT_EQ(0, kioctlp(self->fd, KVM_X86_GET_MCE_CAP_SUPPORTED, &cap));
	EXPECT_EQ(-EFAULT, kioctlp(self->fd, KVM_X86_GET_MCE_CAP_SUPPORTED, 8));
}

TEST_HARNESS_MAIN
