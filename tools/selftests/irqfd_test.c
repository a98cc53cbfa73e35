// SPDX-License-Identifier: GPL-2.0
/*
 * irqfd_test - eventfds whose signal is an interrupt
 *
 * Guards: which arguments are refused; that a signal reaches the guest by MSI and by
 * a chip's pin, also one from before the irqfd was made; that a resampled line stays
 * up till the guest's EOI and no longer; that after a removal, or a change of
 * routes, nothing goes the old way; and that every end of an irqfd (removed, eventfd
 * closed, VM closed) can meet a signal, and each other.
 */
#include <kselftest_harness.h>

#include "irq_util.h"

#define GSI		40
#define VECTOR		0x41
#define PIN		20	/* of the I/O APIC alone */
#define RESAMPLE	KVM_IRQFD_FLAG_RESAMPLE
#define DEASSIGN	KVM_IRQFD_FLAG_DEASSIGN

/* GSIs @GSI.. are MSIs with vectors @VECTOR.., and PIN is a pin. */
static void set_test_routes(struct vm *vm)
{
	struct routes routes = {};

	for (int i = 0; i < 8; i++)
		route_msi(&routes, GSI + i, VECTOR + i);
	route_pin(&routes, PIN, KVM_IRQCHIP_IOAPIC, PIN);
	if (set_routes(vm, &routes))
		die("KVM_SET_GSI_ROUTING");
}

static struct vcpu *vm_with_routes(void)
{
	struct vm *vm = vm_irqchip();

	set_test_routes(vm);
	return vcpu_waiting(vm);
}

/* ------------------------------------------------------------------ arguments */

TEST(capabilities)
{
	EXPECT_EQ(1, dev_cap(KVM_CAP_IRQFD));
	EXPECT_EQ(1, dev_cap(KVM_CAP_IRQFD_RESAMPLE));
}

TEST(what_is_refused)
{
	struct vm *none = vm_new(), *split = vm_split(24), *vm = vm_irqchip();
	int fd = new_eventfd(), other = new_eventfd();
	int file = open("/dev/null", O_RDWR);

	EXPECT_EQ(-EINVAL, irqfd(none, fd, GSI, 0, 0));
	EXPECT_EQ(-EINVAL, irqfd(split, fd, GSI, RESAMPLE, other));
	EXPECT_EQ(0, irqfd(split, fd, GSI, 0, 0));
	EXPECT_EQ(-EINVAL, irqfd(vm, fd, GSI, 0x4, 0));
	EXPECT_EQ(-EINVAL, irqfd(vm, file, GSI, 0, 0));
	EXPECT_EQ(-EBADF, irqfd(vm, -1, GSI, 0, 0));
	EXPECT_EQ(-EINVAL, irqfd(vm, fd, GSI, RESAMPLE, file));
	EXPECT_EQ(-EBADF, irqfd(vm, fd, GSI, RESAMPLE, -1));
	EXPECT_EQ(-EBADF, irqfd(vm, -1, GSI, DEASSIGN, 0));
	EXPECT_EQ(0, irqfd(vm, fd, GSI, DEASSIGN, 0));	/* there is none: that is fine */

	EXPECT_EQ(0, irqfd(vm, fd, GSI, 0, 0));
	EXPECT_EQ(-EBUSY, irqfd(vm, fd, GSI, 0, 0));
	EXPECT_EQ(-EBUSY, irqfd(vm, fd, GSI + 1, RESAMPLE, other));
	EXPECT_EQ(0, irqfd(vm, other, GSI, 0, 0));
	EXPECT_EQ(0, irqfd(vm, fd, GSI + 1, DEASSIGN, 0));	/* not this GSI's */
	EXPECT_EQ(-EBUSY, irqfd(vm, fd, GSI, 0, 0));
	EXPECT_EQ(0, irqfd(vm, fd, GSI, DEASSIGN, 0));
	EXPECT_EQ(0, irqfd(vm, fd, GSI, 0, 0));
	vm_free(vm);
	vm_free(split);
	vm_free(none);
}

/* -------------------------------------------------------------------- delivery */

TEST(a_signal_is_an_msi)
{
	struct vcpu *vcpu = vm_with_routes();
	int fd = new_eventfd();
	u64 vector;

	ASSERT_EQ(0, irqfd(vcpu->vm, fd, GSI, 0, 0));
	for (u64 n = 1; n <= 3; n++) {
		signal_eventfd(fd);
		EXPECT_EQ(n, irqs_after_run(vcpu, &vector));
		EXPECT_EQ(VECTOR, vector);
		EXPECT_EQ(0, read_eventfd(fd));	/* the irqfd has taken it */
	}
	EXPECT_EQ(3, irqs_now(vcpu));
	vm_free(vcpu->vm);
}

TEST(a_signal_is_a_pins_edge)
{
	struct vcpu *vcpu = vm_with_routes();
	int fd = new_eventfd();
	u64 vector;

	set_redirection(vcpu->vm, PIN, 0x55);
	ASSERT_EQ(0, irqfd(vcpu->vm, fd, PIN, 0, 0));
	for (u64 n = 1; n <= 3; n++) {
		signal_eventfd(fd);
		EXPECT_EQ(n, irqs_after_run(vcpu, &vector));
		EXPECT_EQ(0x55, vector);
	}
	EXPECT_EQ(3, irqs_now(vcpu));
	vm_free(vcpu->vm);
}

TEST(a_signal_from_before)
{
	struct vcpu *vcpu = vm_with_routes();
	int fd = new_eventfd();

	signal_eventfd(fd);
	signal_eventfd(fd);
	ASSERT_EQ(0, irqfd(vcpu->vm, fd, GSI, 0, 0));
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));
	EXPECT_EQ(1, irqs_now(vcpu));
	vm_free(vcpu->vm);
}

TEST(split_irqchip)
{
	struct vm *vm = vm_split(24);
	struct routes routes = {};
	struct vcpu *vcpu;
	int fd = new_eventfd();

	route_msi(&routes, GSI, VECTOR);
	ASSERT_EQ(0, set_routes(vm, &routes));
	vcpu = vcpu_waiting(vm);
	ASSERT_EQ(0, irqfd(vm, fd, GSI, 0, 0));
	signal_eventfd(fd);
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));
	vm_free(vm);
}

TEST(no_route)
{
	struct vcpu *vcpu = vm_with_routes();
	static const u32 gsis[] = { 39, 4095, 4096, 0x7fffffff, -1U };
	int fd;

	for (u32 i = 0; i < ARRAY_SIZE(gsis); i++) {
		fd = new_eventfd();
		ASSERT_EQ(0, irqfd(vcpu->vm, fd, gsis[i], 0, 0));
		signal_eventfd(fd);
	}
	EXPECT_EQ(0, irqs_now(vcpu));
	vm_free(vcpu->vm);
}

TEST(removed)
{
	struct vcpu *vcpu = vm_with_routes();
	int fd = new_eventfd();

	ASSERT_EQ(0, irqfd(vcpu->vm, fd, GSI, 0, 0));
	ASSERT_EQ(0, irqfd(vcpu->vm, fd, GSI, DEASSIGN, 0));
	signal_eventfd(fd);
	EXPECT_EQ(0, irqs_now(vcpu));
	EXPECT_EQ(1, read_eventfd(fd));	/* it is ours again */
	vm_free(vcpu->vm);
}

TEST(routes_are_followed_at_once)
{
	struct vcpu *vcpu = vm_with_routes();
	int fd = new_eventfd();
	u64 vector, count = 0;

	ASSERT_EQ(0, irqfd(vcpu->vm, fd, GSI, 0, 0));
	for (int i = 0; i < 20; i++) {
		struct routes routes = {};

		route_msi(&routes, GSI, VECTOR + i);
		ASSERT_EQ(0, set_routes(vcpu->vm, &routes));
		signal_eventfd(fd);
		EXPECT_EQ(++count, irqs_after_run(vcpu, &vector));
		EXPECT_EQ(VECTOR + i, vector);
	}
	ASSERT_EQ(0, set_routes(vcpu->vm, &(struct routes){}));
	signal_eventfd(fd);
	EXPECT_EQ(count, irqs_now(vcpu));
	set_test_routes(vcpu->vm);
	signal_eventfd(fd);
	EXPECT_EQ(count + 1, irqs_after_run(vcpu, NULL));
	vm_free(vcpu->vm);
}

/* ------------------------------------------------------------------- resampling */

TEST(a_resampled_line_is_up_till_the_eoi)
{
	struct vcpu *vcpu = vm_with_routes();
	int fd = new_eventfd(), resample = new_eventfd();
	volatile u32 *flags = &GUEST_VAR(vcpu->vm, irq_flags);

	set_redirection(vcpu->vm, PIN, 0x55 | REDIR_LEVEL);
	ASSERT_EQ(0, irqfd(vcpu->vm, fd, PIN, RESAMPLE, resample));
	*flags = 0;
	signal_eventfd(fd);
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));
	EXPECT_EQ(1, irqs_now(vcpu));
	EXPECT_EQ(0, read_eventfd(resample));	/* not before the EOI */
	*flags = IRQ_EOI;
	EXPECT_EQ(1, irqs_now(vcpu));		/* and the line is down again */
	EXPECT_EQ(1, read_eventfd(resample));

	/* The device still wants something. */
	signal_eventfd(fd);
	EXPECT_EQ(2, irqs_after_run(vcpu, NULL));
	EXPECT_EQ(2, irqs_now(vcpu));
	EXPECT_EQ(1, read_eventfd(resample));
	vm_free(vcpu->vm);
}

TEST(two_devices_on_one_line)
{
	struct vcpu *vcpu = vm_with_routes();
	int a = new_eventfd(), b = new_eventfd();
	int look_a = new_eventfd(), look_b = new_eventfd();

	set_redirection(vcpu->vm, PIN, 0x55 | REDIR_LEVEL);
	ASSERT_EQ(0, irqfd(vcpu->vm, a, PIN, RESAMPLE, look_a));
	ASSERT_EQ(0, irqfd(vcpu->vm, b, PIN, RESAMPLE, look_b));
	signal_eventfd(a);
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));
	EXPECT_EQ(1, irqs_now(vcpu));
	EXPECT_EQ(1, read_eventfd(look_a));
	EXPECT_EQ(1, read_eventfd(look_b));

	ASSERT_EQ(0, irqfd(vcpu->vm, a, PIN, DEASSIGN, 0));
	signal_eventfd(b);
	EXPECT_EQ(2, irqs_after_run(vcpu, NULL));
	EXPECT_EQ(2, irqs_now(vcpu));
	EXPECT_EQ(0, read_eventfd(look_a));
	EXPECT_EQ(1, read_eventfd(look_b));
	vm_free(vcpu->vm);
}

TEST(removal_lets_go_of_the_line)
{
	struct vcpu *vcpu = vm_with_routes();
	int fd = new_eventfd(), resample = new_eventfd();

	set_redirection(vcpu->vm, PIN, 0x55 | REDIR_LEVEL | REDIR_MASKED);
	ASSERT_EQ(0, irqfd(vcpu->vm, fd, PIN, RESAMPLE, resample));
	signal_eventfd(fd);
	EXPECT_EQ(0, irqs_now(vcpu));
	ASSERT_EQ(0, irqfd(vcpu->vm, fd, PIN, DEASSIGN, 0));
	set_redirection(vcpu->vm, PIN, 0x55 | REDIR_LEVEL);
	EXPECT_EQ(0, irqs_now(vcpu));
	vm_free(vcpu->vm);
}

TEST(two_sources_of_one_line)
{
	struct vcpu *vcpu = vm_with_routes();
	int fd = new_eventfd(), resample = new_eventfd();

	/* KVM_IRQ_LINE holds the line as well: the resampler lets go of its part only. */
	set_redirection(vcpu->vm, PIN, 0x55 | REDIR_LEVEL);
	ASSERT_EQ(0, irqfd(vcpu->vm, fd, PIN, RESAMPLE, resample));
	ASSERT_EQ(0, irq_line(vcpu->vm, PIN, 1));
	signal_eventfd(fd);
	EXPECT_EQ(1, irqs_after_run(vcpu, NULL));
	EXPECT_LT(1, irqs_now(vcpu));		/* again after each EOI */
	ASSERT_EQ(0, irq_line(vcpu->vm, PIN, 0));
	irqs_now(vcpu);
	EXPECT_EQ(irqs_now(vcpu), irqs_now(vcpu));
	EXPECT_LT(0, read_eventfd(resample));
	vm_free(vcpu->vm);
}

/* ------------------------------------------------------------------- either end */

TEST(the_eventfd_is_closed_first)
{
	struct vcpu *vcpu = vm_with_routes();
	int fd = new_eventfd(), look = new_eventfd();

	log_mark();
	ASSERT_EQ(0, irqfd(vcpu->vm, fd, GSI, 0, 0));
	close(fd);
	for (int i = 0; i < 100; i++) {
		fd = new_eventfd();
		ASSERT_EQ(0, irqfd(vcpu->vm, fd, i % 2 ? PIN : GSI, i % 2 ? RESAMPLE : 0, look));
		if (i % 3)
			signal_eventfd(fd);
		close(fd);
	}
	irqs_now(vcpu);
	fd = new_eventfd();
	ASSERT_EQ(0, irqfd(vcpu->vm, fd, GSI + 1, 0, 0));
	signal_eventfd(fd);
	irqs_after_run(vcpu, NULL);
	vm_free(vcpu->vm);
	EXPECT_FALSE(log_has_warning());
}

TEST(the_vm_is_closed_first)
{
	int fd = new_eventfd(), look = new_eventfd();
	struct vcpu *vcpu;

	log_mark();
	for (int i = 0; i < 10; i++) {
		vcpu = vm_with_routes();
		ASSERT_EQ(0, irqfd(vcpu->vm, fd, i % 2 ? PIN : GSI, i % 2 ? RESAMPLE : 0, look));
		signal_eventfd(fd);
		vm_free(vcpu->vm);
		signal_eventfd(fd);
		EXPECT_EQ(1, read_eventfd(fd));
	}
	EXPECT_FALSE(log_has_warning());
}

TEST(the_vms_descriptor_alone_is_closed)
{
	struct vcpu *vcpu = vm_with_routes();
	int fd = new_eventfd();

	ASSERT_EQ(0, irqfd(vcpu->vm, fd, GSI, 0, 0));
	close(vcpu->vm->fd);
	vcpu->vm->fd = -1;
	signal_eventfd(fd);
	EXPECT_EQ(0, irqs_now(vcpu));	/* the vCPU lives, its irqfds do not */
	EXPECT_EQ(1, read_eventfd(fd));
	vm_free(vcpu->vm);
}

/* -------------------------------------------------------------------- races */

struct signaller {
	int fd;
	int close_fd;
	volatile bool stop;
	u64 n;
};

static void *signal_often(void *arg)
{
	struct signaller *s = arg;

	while (!s->stop) {
		/* The descriptor may be closed, and be another eventfd by now. */
		if (write(s->fd, &(u64){ 1 }, 8) < 0)
			usleep(1);
		s->n++;
	}
	return NULL;
}

static void start(struct signaller *s, pthread_t *thread)
{
	if (pthread_create(thread, NULL, signal_often, s))
		die("no thread");
}

static void stop(struct signaller *s, pthread_t thread)
{
	s->stop = true;
	pthread_join(thread, NULL);
}

#define ROUNDS	150

TEST(removal_against_signal)
{
	struct vcpu *vcpu = vm_with_routes();
	struct signaller s = { .fd = new_eventfd() };
	int look = new_eventfd();
	pthread_t thread;

	log_mark();
	start(&s, &thread);
	for (int i = 0; i < ROUNDS; i++) {
		u32 gsi = i % 2 ? PIN : GSI;

		ASSERT_EQ(0, irqfd(vcpu->vm, s.fd, gsi, i % 2 ? RESAMPLE : 0, look));
		irqs_after_run(vcpu, NULL);
		ASSERT_EQ(0, irqfd(vcpu->vm, s.fd, gsi, DEASSIGN, 0));
		if (i == 0)
			set_redirection(vcpu->vm, PIN, 0x55 | REDIR_LEVEL);
		read_eventfd(look);
	}
	stop(&s, thread);
	/* Only what was on its way may still come, once. */
	irqs_now(vcpu);
	signal_eventfd(s.fd);
	EXPECT_EQ(irqs_now(vcpu), irqs_now(vcpu));
	vm_free(vcpu->vm);
	EXPECT_FALSE(log_has_warning());
}

TEST(close_against_signal)
{
	struct vcpu *vcpu = vm_with_routes();
	struct signaller s = { .fd = new_eventfd() };
	int look = new_eventfd();
	pthread_t thread;

	log_mark();
	start(&s, &thread);
	for (int i = 0; i < ROUNDS; i++) {
		int fd = new_eventfd();

		ASSERT_EQ(0, irqfd(vcpu->vm, fd, i % 2 ? PIN : GSI, i % 2 ? RESAMPLE : 0, look));
		/* The old one is closed here, while it is written. */
		ASSERT_EQ(s.fd, dup2(fd, s.fd));
		close(fd);
	}
	stop(&s, thread);
	vm_free(vcpu->vm);
	EXPECT_FALSE(log_has_warning());
}

struct remover {
	struct vm *vm;
	int fd;
	pthread_barrier_t *barrier;
};

static void *remove_once(void *arg)
{
	struct remover *r = arg;

	pthread_barrier_wait(r->barrier);
	irqfd(r->vm, r->fd, GSI, DEASSIGN, 0);
	return NULL;
}

/* Two ends at once, of which one wins; and the VM's as the third. */
TEST(close_against_removal)
{
	pthread_barrier_t barrier;

	log_mark();
	pthread_barrier_init(&barrier, NULL, 2);
	for (int i = 0; i < ROUNDS / 3; i++) {
		struct vm *vm = vm_irqchip();
		struct remover r = { .vm = vm, .fd = new_eventfd(), .barrier = &barrier };
		pthread_t thread;

		ASSERT_EQ(0, irqfd(vm, r.fd, GSI, 0, 0));
		ASSERT_EQ(0, pthread_create(&thread, NULL, remove_once, &r));
		pthread_barrier_wait(&barrier);
		close(r.fd);
		if (i % 2)
			pthread_join(thread, NULL);
		close(vm->fd);
		vm->fd = -1;
		if (!(i % 2))
			pthread_join(thread, NULL);
		vm_free(vm);
	}
	EXPECT_FALSE(log_has_warning());
}

TEST(vm_close_against_signal)
{
	struct signaller s = { .fd = new_eventfd() };
	pthread_t thread;

	log_mark();
	start(&s, &thread);
	for (int i = 0; i < ROUNDS / 5; i++) {
		struct vcpu *vcpu = vm_with_routes();

		ASSERT_EQ(0, irqfd(vcpu->vm, s.fd, i % 2 ? PIN : GSI, 0, 0));
		irqs_now(vcpu);
		vm_free(vcpu->vm);
	}
	stop(&s, thread);
	EXPECT_FALSE(log_has_warning());
}

/* After KVM_SET_GSI_ROUTING returned, nothing new comes by the old route. */
TEST(route_change_against_signal)
{
	struct vcpu *vcpu = vm_with_routes();
	struct signaller s = { .fd = new_eventfd() };
	u64 vector;
	pthread_t thread;

	ASSERT_EQ(0, irqfd(vcpu->vm, s.fd, GSI, 0, 0));
	start(&s, &thread);
	for (int i = 0; i < ROUNDS; i++) {
		struct routes routes = {};

		/* Higher than the last one, so it is seen first. */
		route_msi(&routes, GSI, VECTOR + i % 2 * 0x10);
		route_pin(&routes, PIN, KVM_IRQCHIP_IOAPIC, PIN);
		ASSERT_EQ(0, set_routes(vcpu->vm, &routes));
		/* One of the old kind may wait, no more than one. */
		irqs_after_run(vcpu, NULL);
		irqs_after_run(vcpu, NULL);
		irqs_after_run(vcpu, &vector);
		EXPECT_EQ(VECTOR + i % 2 * 0x10, vector)
			TH_LOG("round %d", i);
	}
	stop(&s, thread);
	vm_free(vcpu->vm);
}

TEST_HARNESS_MAIN
