// SPDX-License-Identifier: GPL-2.0
/*
 * module_test - the modules come, go, refuse, and share the machine
 *
 * Guards: loading and unloading leaves nothing behind, over and over; a module
 * in use cannot go; VMX or SVM has one owner at a time, and the one who comes
 * second is told who that is; CPUs may leave and return while a VM lives.
 *
 * Loads and unloads modules itself.  MINIKVM_KO_DIR and STOCK_KO_DIR say where
 * they lie (defaults: /t/minikvm, /t/stock).  What was loaded at the start is
 * loaded again at the end.  Runs on minikvm only.
 */
#include <kselftest_harness.h>
#include <sys/stat.h>

#include "minikvm_util.h"

#define DEBUGFS "/sys/kernel/debug/minikvm"

static const char *ko_dir(bool stock)
{
	const char *dir = getenv(stock ? "STOCK_KO_DIR" : "MINIKVM_KO_DIR");

	return dir ? dir : stock ? "/t/stock" : "/t/minikvm";
}

/* Load DIR/FILE.ko; 0 or -errno. */
static int load(bool stock, const char *file, const char *params)
{
	char path[256];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s.ko", ko_dir(stock), file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, params, 0) ? -errno : 0;
	close(fd);
	return ret;
}

static int unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

static bool loaded(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", name);
	return !access(path, F_OK);
}

/* The vendor's modules: as files, and as the kernel calls them. */
static const char *vendor_ko(bool stock)
{
	if (host_is_amd())
		return stock ? "kvm-amd" : "minikvm-amd";
	return stock ? "kvm-intel" : "minikvm-intel";
}

static const char *vendor_mod(bool stock)
{
	if (host_is_amd())
		return stock ? "kvm_amd" : "minikvm_amd";
	return stock ? "kvm_intel" : "minikvm_intel";
}

static int load_both(void)
{
	int ret = load(false, "minikvm", "");

	return ret ? ret : load(false, vendor_ko(false), "");
}

static int unload_both(void)
{
	int ret = unload(vendor_mod(false));

	return ret ? ret : unload("minikvm");
}

/* On 6.12 kvm.ko takes VMX or SVM when it is loaded, unless told not to. */
static int load_stock(void)
{
	int ret = load(true, "irqbypass", "");

	if (ret && ret != -EEXIST)
		return ret;
	ret = load(true, "kvm", "enable_virt_at_load=0");
	if (ret && ret != -EEXIST)
		return ret;
	return load(true, vendor_ko(true), "");
}

static void unload_stock(void)
{
	unload(vendor_mod(true));
	unload("kvm");
	unload("irqbypass");
}

FIXTURE(module) {
	int unused;
};

FIXTURE_SETUP(module)
{
	char path[256];

	if (dev_is_stock())
		SKIP(return, "this is about minikvm's own modules");
	snprintf(path, sizeof(path), "%s/minikvm.ko", ko_dir(false));
	if (access(path, R_OK))
		SKIP(return, "%s is not there", path);
	if (!loaded(vendor_mod(false)))
		ASSERT_EQ(0, load_both());
	log_mark();
}

FIXTURE_TEARDOWN(module)
{
	if (!loaded("minikvm"))
		load(false, "minikvm", "");
	if (!loaded(vendor_mod(false)))
		load(false, vendor_ko(false), "");
	EXPECT_FALSE(log_has_warning());
}

/* ------------------------------------------------------------- come and go */

static bool file_mentions(const char *path, const char *word)
{
	FILE *f = fopen(path, "r");
	char line[512];
	bool found = false;

	while (f && fgets(line, sizeof(line), f))
		found |= !!strstr(line, word);
	if (f)
		fclose(f);
	return found;
}

TEST_F_TIMEOUT(module, ten_times, 180)
{
	if (_metadata->skip)			/* by the set-up */
		return;
	for (int i = 0; i < 10; i++) {
		struct vm *vm;

		ASSERT_EQ(0, access("/dev/minikvm", R_OK | W_OK));
		ASSERT_EQ(0, access(DEBUGFS, F_OK));
		vm = vm_bare();
		vcpu_bare(vm, 0);
		vm_free(vm);
		ASSERT_EQ(0, unload_both());
		EXPECT_NE(0, access("/dev/minikvm", F_OK));
		EXPECT_NE(0, access(DEBUGFS, F_OK));
		EXPECT_FALSE(loaded("minikvm"));
		EXPECT_FALSE(file_mentions("/proc/misc", "minikvm"));
		EXPECT_FALSE(file_mentions("/proc/slabinfo", "minikvm"));
		EXPECT_FALSE(file_mentions("/proc/vmallocinfo", "minikvm"));
		ASSERT_EQ(0, load_both());
	}
}

TEST_F_TIMEOUT(module, order_and_twice, 180)
{
	if (_metadata->skip)			/* by the set-up */
		return;
	EXPECT_EQ(-EEXIST, load(false, "minikvm", ""));
	EXPECT_EQ(-EEXIST, load(false, vendor_ko(false), ""));
	/* The core is needed by the vendor's module. */
	EXPECT_EQ(-EWOULDBLOCK, unload("minikvm"));
	ASSERT_EQ(0, unload(vendor_mod(false)));
	/* Alone the core does nothing: no device. */
	EXPECT_NE(0, access("/dev/minikvm", F_OK));
	ASSERT_EQ(0, unload("minikvm"));
	EXPECT_EQ(-ENOENT, load(false, vendor_ko(false), ""));
	ASSERT_EQ(0, load_both());
}

/* Memory comes back: a hundred VMs leave no more than noise. */
TEST_F_TIMEOUT(module, memory_returns, 180)
{
	unsigned long slab[2] = { 0 };

	if (_metadata->skip)			/* by the set-up */
		return;
	for (int part = 0; part < 2; part++) {
		FILE *f;
		char line[128];

		for (int i = 0; i < 50; i++) {
			struct vm *vm = vm_bare();

			for (int k = 0; k < 4; k++)
				vcpu_bare(vm, k);
			vm_free(vm);
		}
		usleep(100000);
		f = fopen("/proc/meminfo", "r");
		while (f && fgets(line, sizeof(line), f))
			sscanf(line, "SUnreclaim: %lu", &slab[part]);
		if (f)
			fclose(f);
	}
	/* kB; 200 leaked vCPUs would be more than this. */
	EXPECT_LT(0, slab[0]);
	EXPECT_GT(slab[0] + 1024, slab[1]);
}

/* ------------------------------------------------------------------- in use */

TEST_F_TIMEOUT(module, in_use, 180)
{
	struct vm *vm;
	struct vcpu *vcpu;
	int dev;

	if (_metadata->skip)			/* by the set-up */
		return;
	dev = dev_open();
	EXPECT_EQ(-EWOULDBLOCK, unload(vendor_mod(false)));
	vm = vm_bare();
	close(dev);
	EXPECT_EQ(-EWOULDBLOCK, unload(vendor_mod(false)));
	vcpu = vcpu_bare(vm, 0);
	close(vm->fd);
	vm->fd = -1;
	EXPECT_EQ(-EWOULDBLOCK, unload(vendor_mod(false)));
	/* The mapping alone keeps it all. */
	close(vcpu->fd);
	EXPECT_EQ(-EWOULDBLOCK, unload(vendor_mod(false)));
	munmap(vcpu->run, vcpu->run_size);
	EXPECT_EQ(0, unload(vendor_mod(false)));
	EXPECT_EQ(0, unload("minikvm"));
	ASSERT_EQ(0, load_both());
}

/* --------------------------------------------------- two owners of one CPU */

static int stock_vm(void)
{
	int dev = open("/dev/kvm", O_RDWR | O_CLOEXEC), fd;

	if (dev < 0)
		return -errno;
	fd = kioctl(dev, KVM_CREATE_VM, 0);
	close(dev);
	return fd;
}

static int mini_vm(void)
{
	int dev = dev_open(), fd;

	fd = kioctl(dev, KVM_CREATE_VM, 0);
	close(dev);
	return fd;
}

TEST_F_TIMEOUT(module, shares_the_machine, 180)
{
	struct stat st;
	bool link = false;
	int stock, mini, ret;

	if (_metadata->skip)			/* by the set-up */
		return;
	if (loaded("kvm"))
		SKIP(return, "the stock modules are loaded already");
	/* The test host may have /dev/kvm point to minikvm. */
	if (!lstat("/dev/kvm", &st) && S_ISLNK(st.st_mode)) {
		link = true;
		unlink("/dev/kvm");
	}
	/* They come while a VM of minikvm lives: see the crash callback in hardware.c. */
	mini = mini_vm();
	EXPECT_LE(0, mini);
	ret = load_stock();
	if (ret == -ENOENT) {
		close(mini);
		if (link && symlink("minikvm", "/dev/kvm"))
			TH_LOG("the link is lost");
		SKIP(return, "no stock modules in %s", ko_dir(true));
	}
	ASSERT_EQ(0, ret);
	EXPECT_FALSE(log_has_warning());
	/* Both loaded: either may have VMX (or SVM), and minikvm has. */
	stock = stock_vm();
	/* 6.1 says EBUSY, 6.12 EIO. */
	EXPECT_TRUE(stock == -EBUSY || stock == -EIO)
		TH_LOG("the stock module gave %d", stock);
	close(mini);
	stock = stock_vm();
	EXPECT_LE(0, stock);
	log_mark();
	EXPECT_EQ(-EBUSY, mini_vm());
	EXPECT_TRUE(log_contains(vendor_mod(true)));
	close(stock);
	mini = mini_vm();
	EXPECT_LE(0, mini);
	unload_stock();
	EXPECT_FALSE(loaded("kvm"));
	close(mini);
	if (link)
		EXPECT_EQ(0, symlink("minikvm", "/dev/kvm"));
}

/* ------------------------------------------------------------- CPU hotplug */

static int cpu1_online(bool on)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, on ? "1" : "0", 1) == 1 ? 0 : -errno;
	close(fd);
	return ret;
}

ASM_GUEST(hlt_loop, "1: hlt; jmp 1b\n");
ASM_GUEST(spin, "1: incq 0x100000; jmp 1b\n");

static void *run_spin(void *arg)
{
	struct vcpu *vcpu = arg;

	while (!vcpu->run->immediate_exit) {
		int ret = vcpu_run(vcpu);

		if (ret != -EINTR)
			die("KVM_RUN: %d, exit %s", ret, exit_name(vcpu->run->exit_reason));
	}
	return NULL;
}

TEST_F_TIMEOUT(module, cpu_hotplug, 180)
{
	struct vcpu *vcpu, *other;
	volatile u64 *count;
	pthread_t t;

	if (_metadata->skip)			/* by the set-up */
		return;
	if (host_cpus() < 2)
		SKIP(return, "one host CPU");
	alarm_handler();
	vcpu = vm_long(hlt_loop);
	for (int i = 0; i < 3; i++) {
		pin_cpu(1);
		EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
		/* Its VMCS (or ASID) was loaded on the CPU that goes. */
		pin_cpu(0);
		ASSERT_EQ(0, cpu1_online(false));
		EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
		ASSERT_EQ(0, cpu1_online(true));
		pin_cpu(1);
		EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
	}
	/* A VM made while the CPU is away runs there when it is back. */
	pin_cpu(0);
	vm_free(vcpu->vm);
	ASSERT_EQ(0, cpu1_online(false));
	vcpu = vm_long(hlt_loop);
	EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
	ASSERT_EQ(0, cpu1_online(true));
	pin_cpu(1);
	EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
	/* With a guest running on it. */
	other = vcpu_new(vcpu->vm, 1);
	vcpu_long(other, spin);
	count = vm_ptr(vcpu->vm, GPA_DATA);
	pthread_create(&t, NULL, run_spin, other);
	pin_cpu(0);
	while (!*count)
		usleep(1000);
	ASSERT_EQ(0, cpu1_online(false));
	for (u64 was = *count; *count == was;)
		usleep(1000);
	ASSERT_EQ(0, cpu1_online(true));
	other->run->immediate_exit = 1;
	pthread_kill(t, SIGALRM);
	pthread_join(t, NULL);
	vm_free(vcpu->vm);
}

/* The last VM gone, VMX or SVM is off: the stock module's test above relies on it too. */
TEST_F_TIMEOUT(module, unload_with_cpu_offline, 180)
{
	if (_metadata->skip)			/* by the set-up */
		return;
	if (host_cpus() < 2)
		SKIP(return, "one host CPU");
	ASSERT_EQ(0, cpu1_online(false));
	EXPECT_EQ(0, unload_both());
	EXPECT_EQ(0, load_both());
	ASSERT_EQ(0, cpu1_online(true));
	pin_cpu(1);
	struct vcpu *vcpu = vm_long(hlt_loop);

	EXPECT_EXIT(vcpu, KVM_EXIT_HLT);
	vm_free(vcpu->vm);
}

TEST_HARNESS_MAIN
