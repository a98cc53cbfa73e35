// SPDX-License-Identifier: GPL-2.0
/*
 * signal_test - getting a vCPU out, and VMs that end badly
 *
 * Guards: a kick always works and quickly; signal masks hold; threads that share
 * a CPU all advance; a VMM may be killed, fork, unmap or close things in any
 * order at any moment and the host lives on.
 */
#include <kselftest_harness.h>
#include <sched.h>

#include "minikvm_util.h"

ASM_GUEST(spin, "1: jmp 1b\n");
ASM_GUEST(spin_count, "1: lock incq (%rdi); pause; jmp 1b\n");

FIXTURE(sig) {
	struct vm *vm;
	struct vcpu *vcpu;
};

FIXTURE_SETUP(sig)
{
	self->vcpu = vm_long(spin);
	self->vm = self->vcpu->vm;
	alarm_handler();
}

FIXTURE_TEARDOWN(sig)
{
	vm_free(self->vm);
}

/* --------------------------------------------------------------- getting out */

TEST_F(sig, immediate_exit)
{
	struct kvm_regs r;

	self->vcpu->run->immediate_exit = 1;
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-EINTR, vcpu_run(self->vcpu));
	vcpu_regs(self->vcpu, &r);
	EXPECT_EQ((u64)spin, r.rip);
}

TEST_F(sig, timer_kick)
{
	for (int i = 0; i < 5; i++) {
		u64 start = now_ns(), took;

		set_timer_ms(10);
		EXPECT_EQ(-EINTR, vcpu_run(self->vcpu));
		took = now_ns() - start;
		EXPECT_EQ(KVM_EXIT_INTR, self->vcpu->run->exit_reason);
		EXPECT_LE(9000000, took);
		EXPECT_GE(100000000, took);
	}
}

/* A guest with interrupts off is no harder to stop. */
TEST_F(sig, kick_with_if_off_and_on)
{
	for (int on = 0; on < 2; on++) {
		struct kvm_regs r;

		vcpu_regs(self->vcpu, &r);
		r.rflags = on ? 0x202 : 2;
		vcpu_set_regs(self->vcpu, &r);
		set_timer_ms(10);
		EXPECT_EQ(-EINTR, vcpu_run(self->vcpu));
	}
}

/* A signal that is pending already lets the guest not start at all. */
TEST_F(sig, pending_before_run)
{
	struct kvm_regs r;
	sigset_t set, old;

	vcpu_long(self->vcpu, spin_count);
	vcpu_regs(self->vcpu, &r);
	r.rdi = GPA_DATA;
	vcpu_set_regs(self->vcpu, &r);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGALRM);
	struct {
		struct kvm_signal_mask head;
		u64 bits;
	} __attribute__((packed)) mask = { .head.len = 8, .bits = 0 };

	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_SIGNAL_MASK, &mask));
	/* Unblocked for the RUN only: EINTR, and the signal stays pending. */
	EXPECT_EQ(-EINTR, vcpu_run(self->vcpu));
	EXPECT_EQ(-EINTR, vcpu_run(self->vcpu));
	sigpending(&set);
	EXPECT_EQ(1, sigismember(&set, SIGALRM));
	EXPECT_EQ(0, *(u64 *)vm_ptr(self->vm, GPA_DATA));
}

/* The thread that blocks a signal outside fetches it later: sent during RUN, it kills nobody. */
TEST_F(sig, signal_mask_and_the_default_action)
{
	struct {
		struct kvm_signal_mask head;
		u64 bits;
	} __attribute__((packed)) mask = { .head.len = 8, .bits = 0 };
	sigset_t set;
	int sig = 0;

	signal(SIGUSR2, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_SIGNAL_MASK, &mask));
	for (int i = 0; i < 3; i++) {
		pid_t me = getpid();

		if (!fork()) {
			usleep(20000);
			kill(me, SIGUSR2);
			_exit(0);
		}
		EXPECT_EQ(-EINTR, vcpu_run(self->vcpu));
		EXPECT_EQ(0, sigwait(&set, &sig));
		EXPECT_EQ(SIGUSR2, sig);
		wait(NULL);
	}
}

TEST_F(sig, signal_mask_blocks)
{
	struct {
		struct kvm_signal_mask head;
		u64 bits;
	} __attribute__((packed)) mask = { .head.len = 8, .bits = 1ULL << (SIGALRM - 1) };
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t set;

	mask.head.len = 4;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_SIGNAL_MASK, &mask));
	mask.head.len = 16;
	EXPECT_EQ(-EINVAL, kioctlp(self->vcpu->fd, KVM_SET_SIGNAL_MASK, &mask));
	mask.head.len = 8;
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_SIGNAL_MASK, &mask));
	/* SIGALRM is held back during RUN; another thread's SIGUSR1 ends it. */
	sa.sa_handler = SIG_IGN;
	sigaction(SIGUSR2, &sa, NULL);
	sigaction(SIGALRM, NULL, &sa);
	sigaction(SIGUSR1, &sa, NULL);
	pid_t self_pid = getpid();

	if (!fork()) {
		usleep(20000);
		kill(self_pid, SIGALRM);
		usleep(50000);
		kill(self_pid, SIGUSR1);
		_exit(0);
	}
	u64 start = now_ns();

	EXPECT_EQ(-EINTR, vcpu_run(self->vcpu));
	EXPECT_LE(60000000, now_ns() - start);
	/* With no mask it is as before. */
	ASSERT_EQ(0, kioctlp(self->vcpu->fd, KVM_SET_SIGNAL_MASK, NULL));
	sigprocmask(SIG_SETMASK, NULL, &set);
	EXPECT_EQ(0, sigismember(&set, SIGALRM));
	set_timer_ms(10);
	EXPECT_EQ(-EINTR, vcpu_run(self->vcpu));
	while (wait(NULL) > 0)
		;
}

/* ------------------------------------------------------------------- threads */

struct runner {
	struct vcpu *vcpu;
	volatile bool *stop;
};

static void *run_until_stop(void *arg)
{
	struct runner *r = arg;

	while (!*r->stop) {
		int ret = vcpu_run(r->vcpu);

		if (ret && ret != -EINTR)
			die("KVM_RUN: %s", strerror(-ret));
	}
	return NULL;
}

static void kick_all(struct runner *r, pthread_t *t, int n, volatile bool *stop)
{
	*stop = true;
	for (int i = 0; i < n; i++)
		r[i].vcpu->run->immediate_exit = 1;
	for (int i = 0; i < n; i++)
		pthread_kill(t[i], SIGALRM);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

/* Ten spinning vCPUs, one host CPU: each gets its share. */
TEST_F(sig, ten_threads_one_cpu)
{
	enum { N = 10 };
	volatile bool stop = false;
	struct runner r[N];
	pthread_t t[N];
	u64 *count = vm_ptr(self->vm, GPA_DATA), first[N];

	pin_cpu(0);
	for (int i = 0; i < N; i++) {
		struct kvm_regs regs;

		r[i].vcpu = i ? vcpu_new(self->vm, i) : self->vcpu;
		r[i].stop = &stop;
		vcpu_long(r[i].vcpu, spin_count);
		vcpu_regs(r[i].vcpu, &regs);
		regs.rdi = GPA_DATA + i * 64;
		/* Both kinds: those with interrupts on, those with them off. */
		regs.rflags = i & 1 ? 0x202 : 2;
		vcpu_set_regs(r[i].vcpu, &regs);
		pthread_create(&t[i], NULL, run_until_stop, &r[i]);
	}
	for (int part = 0; part < 2; part++) {
		u64 until = now_ns() + 3000000000;

		for (int i = 0; i < N; i++)
			first[i] = count[i * 8];
		for (int i = 0; i < N; i++) {
			while (*(volatile u64 *)&count[i * 8] <= first[i] && now_ns() < until)
				usleep(10000);
			EXPECT_LT(first[i], *(volatile u64 *)&count[i * 8])
				TH_LOG("vCPU %d stands still", i);
		}
	}
	kick_all(r, t, N, &stop);
}

/* One vCPU, several threads in turn, on either CPU. */
static void *run_kicked(void *arg)
{
	struct vcpu *vcpu = arg;

	if (vcpu_run(vcpu) != -EINTR)
		die("no EINTR");
	return NULL;
}

TEST_F(sig, moved_between_threads)
{
	struct kvm_regs r = { .rip = (u64)spin_count, .rdi = GPA_DATA, .rflags = 2 };
	volatile u64 *count = vm_ptr(self->vm, GPA_DATA);

	vcpu_set_regs(self->vcpu, &r);
	for (int i = 0; i < 8; i++) {
		u64 before = *count;
		pthread_t t;

		pin_cpu(i % host_cpus());
		pthread_create(&t, NULL, run_kicked, self->vcpu);
		while (*count == before)
			usleep(1000);
		pthread_kill(t, SIGALRM);
		pthread_join(t, NULL);
	}
	vcpu_regs(self->vcpu, &r);
	EXPECT_EQ(GPA_DATA, r.rdi);
}

static GUEST_FN void guest_sum(u64 n)
{
	u64 sum = 0;

	for (u64 i = 0; i < 20000; i++) {
		sum = sum * 7 + i * n;
		if (i % 2000 == 0)
			g_ucall(UCALL_SYNC, i, sum);
	}
	g_ucall(UCALL_DONE, n, sum);
}

static u64 host_sum(u64 n)
{
	u64 sum = 0;

	for (u64 i = 0; i < 20000; i++)
		sum = sum * 7 + i * n;
	return sum;
}

struct sum_job {
	u64 n, sum;
};

static void *sum_thread(void *arg)
{
	struct sum_job *job = arg;
	struct vcpu *vcpu = vm_long(guest_sum);
	struct kvm_regs r;
	struct ucall uc;

	vcpu_regs(vcpu, &r);
	r.rdi = job->n;
	vcpu_set_regs(vcpu, &r);
	do {
		uc = vcpu_ucall(vcpu);
	} while (uc.cmd == UCALL_SYNC);
	job->sum = uc.b;
	vm_free(vcpu->vm);
	return NULL;
}

/* Four VMs at once in one process; each computes its own. */
TEST(several_vms_at_once)
{
	struct sum_job job[4];
	pthread_t t[4];

	for (int i = 0; i < 4; i++) {
		job[i].n = i + 3;
		pthread_create(&t[i], NULL, sum_thread, &job[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		EXPECT_EQ(host_sum(i + 3), job[i].sum);
	}
}

/* ---------------------------------------------------------- violent endings */

static u32 seed = 20261122;

static u32 rnd(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

static void child_vmm(void)
{
	volatile bool stop = false;
	struct vm *vm = vm_new();
	struct runner r[2];
	pthread_t t[2];

	for (int i = 0; i < 2; i++) {
		struct kvm_regs regs;

		r[i].vcpu = vcpu_new(vm, i);
		r[i].stop = &stop;
		vcpu_long(r[i].vcpu, spin_count);
		vcpu_regs(r[i].vcpu, &regs);
		regs.rdi = GPA_DATA + i * PAGE_SIZE;
		vcpu_set_regs(r[i].vcpu, &regs);
		pthread_create(&t[i], NULL, run_until_stop, &r[i]);
	}
	/* Meanwhile the main thread keeps the VM busy. */
	for (int i = 0;; i++) {
		void *p = vm_add(vm, 10, 0, 0x40000000, 16 * PAGE_SIZE);

		vm_slot(vm, 10, 0, 0, 0, NULL);
		munmap(p, 16 * PAGE_SIZE);
	}
}

/* SIGKILL at any moment of a VMM's life, 60 times. */
TEST(killed_at_any_moment)
{
	log_mark();
	for (int i = 0; i < 60; i++) {
		int status;
		pid_t pid = fork();

		if (!pid)
			child_vmm();
		usleep(rnd() % (i % 3 ? 30000 : 3000));
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status))
			TH_LOG("exit status %d", WEXITSTATUS(status));
	}
	EXPECT_FALSE(log_has_warning());
	/* The next VM works. */
	struct vcpu *vcpu = vm_long(guest_sum);

	EXPECT_UCALL(vcpu, UCALL_SYNC);
	vm_free(vcpu->vm);
}

/* exit(2) with threads inside KVM_RUN. */
TEST(process_exits_while_running)
{
	for (int i = 0; i < 5; i++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			volatile bool stop = false;
			struct runner r = { vm_long(spin), &stop };
			pthread_t t;

			pthread_create(&t, NULL, run_until_stop, &r);
			usleep(5000);
			_exit(7);
		}
		waitpid(pid, &status, 0);
		EXPECT_EQ(7, WEXITSTATUS(status));
	}
}

/* execve() takes the mm away from under a VM whose fds stay open. */
TEST(exec_with_open_vm)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct vm *vm = vm_new();

		vcpu_new(vm, 0);
		dup(vm->fd);			/* without FD_CLOEXEC */
		execl("/proc/self/exe", "signal_test", "--just-exit", NULL);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_NE(99, WEXITSTATUS(status));
}

TEST_F(sig, vm_fd_closed_while_running)
{
	volatile bool stop = false;
	struct runner r = { self->vcpu, &stop };
	pthread_t t;

	pthread_create(&t, NULL, run_until_stop, &r);
	usleep(10000);
	close(self->vm->fd);
	self->vm->fd = -1;
	usleep(10000);
	kick_all(&r, &t, 1, &stop);
}

static void *run_to_error(void *arg)
{
	struct runner *r = arg;
	static int ret;

	do {
		ret = vcpu_run(r->vcpu);
	} while (ret == -EINTR);
	return &ret;
}

/* The memory goes away under the running guest: EFAULT, no oops. */
TEST_F(sig, munmap_while_running)
{
	struct runner r = { self->vcpu, NULL };
	void *ret;
	pthread_t t;

	log_mark();
	pthread_create(&t, NULL, run_to_error, &r);
	usleep(10000);
	munmap(self->vm->guest, self->vm->guest_size);
	self->vm->guest = NULL;
	pthread_join(t, &ret);
	EXPECT_EQ(-EFAULT, *(int *)ret);
	EXPECT_FALSE(log_has_warning());
}

/* After a fork both have copies; the guest must write to its owner's. */
TEST_F(sig, fork_while_running)
{
	volatile bool stop = false;
	volatile u64 *count = vm_ptr(self->vm, GPA_DATA);
	struct runner r = { self->vcpu, &stop };
	struct kvm_regs regs = { .rip = (u64)spin_count, .rdi = GPA_DATA, .rflags = 2 };
	pthread_t t;

	vcpu_set_regs(self->vcpu, &regs);
	pthread_create(&t, NULL, run_until_stop, &r);
	for (int i = 0; i < 5; i++) {
		int status;
		u64 before;
		pid_t pid;

		usleep(5000);
		pid = fork();
		if (!pid) {
			u64 mine = *count;

			usleep(20000);
			/* The child's copy stands still. */
			_exit(*count == mine ? 0 : 1);
		}
		/* Ours goes on; when, is up to a slow host. */
		before = *count;
		for (int k = 0; k < 500 && *count == before; k++)
			usleep(10000);
		EXPECT_LT(before, *count);
		waitpid(pid, &status, 0);
		EXPECT_EQ(0, status);
	}
	kick_all(&r, &t, 1, &stop);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--just-exit"))
		return 0;
	return test_harness_run(argc, argv);
}
