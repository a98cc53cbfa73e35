// SPDX-License-Identifier: GPL-2.0
/*
 * stats_test - the counters under /sys/kernel/debug/minikvm
 *
 * Guards: each VM has its directory with every counter, and it goes with the VM;
 * what a VM did is counted, in its own files and in the totals, and the totals
 * keep it when the VM is gone while gauges go down again; readers race with the
 * birth and death of VMs and vCPUs.
 */
#include <dirent.h>
#include <kselftest_harness.h>
#include <sys/mount.h>

#include "minikvm_util.h"

#define DEBUGFS	"/sys/kernel/debug"
#define STATS	DEBUGFS "/minikvm"

FIXTURE(stats) {
	int unused;
};

FIXTURE_SETUP(stats)
{
	if (dev_is_stock())
		SKIP(return, "the stock module's counters are others");
	if (access(STATS, F_OK))
		mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	ASSERT_EQ(0, access(STATS "/exits", R_OK));
}

FIXTURE_TEARDOWN(stats)
{
}

/* What a fixture skips, the harness of 6.1 runs all the same. */
#define NOT_ON_STOCK() do {						\
	if (_metadata->skip)						\
		return;							\
} while (0)

/* A counter of a VM ("<pid>-<fd>") or, with "", the total; -1 if there is none. */
static long counter(const char *vm, const char *name)
{
	char path[256], text[64] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), STATS "/%s/%s", vm, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? atol(text) : -1;
}

static const char *vm_dir(int fd)
{
	static char name[2][32];
	static int i;

	i = !i;
	snprintf(name[i], sizeof(name[i]), "%d-%d", (int)syscall(SYS_gettid), fd);
	return name[i];
}

ASM_GUEST(work, "mov $0xd0000000, %edi; mov (%rdi), %eax; mov %eax, (%rdi)\n"
	  "xor %eax, %eax; cpuid; xor %eax, %eax; cpuid; in $0x80, %al\n" ASM_DONE);

static void do_work(struct __test_metadata *_metadata, struct vcpu *vcpu)
{
	vcpu_long(vcpu, work);
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EXIT(vcpu, KVM_EXIT_MMIO);
	EXPECT_EXIT(vcpu, KVM_EXIT_IO);
	EXPECT_UCALL(vcpu, UCALL_DONE);
}

TEST_F(stats, counted_for_the_vm_and_in_total)
{
	NOT_ON_STOCK();
	const struct {
		const char *name;
		long want;
	} c[] = {
		{ "mmio_exits", 2 }, { "insn_emulation", 2 }, { "io_exits", 2 },
		{ "exit_cpuid", 2 }, { host_is_amd() ? "exit_ioio" : "exit_io_instruction", 2 },
		{ "insn_emulation_fail", 0 }, { "userspace_exits", 4 },
	};
	long before[ARRAY_SIZE(c)];
	struct vm *vm;
	const char *dir;

	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		before[i] = counter("", c[i].name);
	vm = vm_new();
	dir = vm_dir(vm->fd);
	EXPECT_EQ(0, counter(dir, "exits"));
	do_work(_metadata, vcpu_new(vm, 0));
	do_work(_metadata, vcpu_new(vm, 1));
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		EXPECT_EQ(2 * c[i].want, counter(dir, c[i].name))
			TH_LOG("%s", c[i].name);
		EXPECT_EQ(before[i] + 2 * c[i].want, counter("", c[i].name))
			TH_LOG("%s, total", c[i].name);
	}
	EXPECT_LE(8, counter(dir, "exits"));
	EXPECT_LE(1, counter(dir, "pt_pages"));

	vm_free(vm);
	EXPECT_EQ(-1, counter(dir, "exits"));
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		EXPECT_EQ(before[i] + 2 * c[i].want, counter("", c[i].name))
			TH_LOG("%s, afterwards", c[i].name);
	}
	EXPECT_EQ(0, counter("", "pt_pages"));
	EXPECT_EQ(0, counter("", "pages_4k"));
	EXPECT_EQ(0, counter("", "pages_2m"));
}

/* Every file of the totals is a number, and a VM has the same files. */
TEST_F(stats, every_file_reads)
{
	NOT_ON_STOCK();
	struct vm *vm = vm_new();
	const char *dir = vm_dir(vm->fd);
	DIR *d = opendir(STATS);
	struct dirent *e;
	int files = 0, exits = 0;

	ASSERT_NE(NULL, d);
	while ((e = readdir(d))) {
		if (e->d_type != DT_REG)
			continue;
		EXPECT_LE(0, counter("", e->d_name))
			TH_LOG("%s", e->d_name);
		EXPECT_LE(0, counter(dir, e->d_name))
			TH_LOG("%s/%s", dir, e->d_name);
		files++;
		exits += !strncmp(e->d_name, "exit_", 5);
	}
	closedir(d);
	EXPECT_LT(25, files - exits);
	EXPECT_LT(30, exits);
	vm_free(vm);
}

/* An open file outlives its VM: it reads as gone, and the VM is freed all the same. */
TEST_F(stats, file_open_when_the_vm_dies)
{
	NOT_ON_STOCK();
	struct vm *vm = vm_new();
	char path[128], c;
	int fd;

	snprintf(path, sizeof(path), STATS "/%s/exits", vm_dir(vm->fd));
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, read(fd, &c, 1));
	vm_free(vm);
	EXPECT_EQ(-1, read(fd, &c, 1));
	EXPECT_EQ(EIO, errno);
	close(fd);
}

/* The VM lives on through its vCPU, and a second one gets the same fd. */
TEST_F(stats, two_vms_want_one_name)
{
	NOT_ON_STOCK();
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0);
	const char *dir = vm_dir(vm->fd);
	int dev = dev_open(), fd = vm->fd;

	log_mark();
	close(fd);
	EXPECT_EQ(0, counter(dir, "exits"));
	ASSERT_EQ(fd, kioctl(dev, KVM_CREATE_VM, 0));
	do_work(_metadata, vcpu);
	EXPECT_LT(0, counter(dir, "exits"));		/* the first one's */
	close(fd);
	EXPECT_LT(0, counter(dir, "exits"));
	EXPECT_FALSE(log_contains("already present"));
}

static int stop;

static void *reader(void *unused)
{
	static const char * const name[] = { "exits", "pt_pages", "mmio_exits" };
	DIR *d;
	struct dirent *e;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		d = opendir(STATS);
		while (d && (e = readdir(d)))
			if (e->d_type == DT_DIR && e->d_name[0] != '.')
				for (int i = 0; i < 3; i++)
					counter(e->d_name, name[i]);
		if (d)
			closedir(d);
		counter("", "exits");
	}
	return unused;
}

TEST_F(stats, readers_race_with_vms)
{
	NOT_ON_STOCK();
	long before = counter("", "exit_cpuid");
	const int rounds = 15;
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, reader, NULL));
	for (int i = 0; i < rounds; i++) {
		struct vm *vm = vm_new();

		do_work(_metadata, vcpu_new(vm, 0));
		vcpu_new(vm, 1);
		vm_free(vm);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(before + 2 * rounds, counter("", "exit_cpuid"));
}

TEST_HARNESS_MAIN
