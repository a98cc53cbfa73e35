// SPDX-License-Identifier: GPL-2.0
/*
 * slot_churn_test - slots come, go, move and change while vCPUs use them
 *
 * Guards: from the moment that KVM_SET_USER_MEMORY_REGION returns, every access of every
 * vCPU finds what the slots now say: no memory of a slot that is gone, no MMIO exit where
 * there is memory, no write in memory that is read-only or no longer the guest's.
 *
 * How it can tell exactly.  There are a few places, guest addresses that are 2M apart,
 * and a few tiles, pieces of host memory that have their name written in them.  Any tile
 * may be at any place, 4K or all 2M of it.  For each place the guest can see a word that
 * says what is there; the host makes it odd before it changes a slot, and gives it a new
 * even value, never used before, when the call has returned:
 *
 *	host				vCPU, for one place after the other
 *	  state |= CHANGING		  s = state
 *	  ioctl				  read the tile's name, write to its word, read that
 *	  state = new			  s == state, and not CHANGING: all of this happened
 *					  with the slots as s says, so it is checked
 *
 * A change of KVM_MEM_LOG_DIRTY_PAGES does not touch the word: nothing may be seen of it.
 * What is written to a tile that has no place is seen by the host when it gets one again.
 */
#include <kselftest_harness.h>

#include "irq_util.h"

#define HI		0x40000000UL
#define MB		0x100000UL
#define LARGE		(2 * MB)
#define DEEP		0x155000UL	/* the page looked at where all 2M are there */
#define MAX_PLACES	8
#define MAX_TILES	6
#define CHURNERS	2		/* vCPUs */
#define MMIO_VALUE	0x3333333333333333UL
#define SLOT(tile)	(10 + (tile))
#define NAME(tile)	(0x7117000000000000UL | (tile))

/* The state of a place. */
#define CHANGING	1UL
#define KIND_SHIFT	1
#define KIND_MASK	3
#define KIND_NONE	0
#define KIND_RAM	1
#define KIND_READONLY	2
#define STATE_LARGE	8UL
#define TILE_SHIFT	4
#define TILE_MASK	0xff
#define COUNT_SHIFT	12

/* ------------------------------------------------------------------- guest */

static GUEST_DATA volatile u64 state[MAX_PLACES];
static GUEST_DATA volatile u64 checked[CHURNERS][MAX_PLACES];	/* the last state found right */
static GUEST_DATA volatile u64 turns[CHURNERS];
static GUEST_DATA volatile u64 exits[CHURNERS];		/* writes that came to the VMM */
static GUEST_DATA volatile u64 places, stop, write_exits;

__guest_inline volatile u64 *word_at(u64 addr)
{
	return (volatile u64 *)addr;
}

/* What this vCPU has seen at a place while it was in state s. */
struct seen {
	u64 name, wrote, back, exits, beside;
};

__guest_inline void look(u64 me, u64 place, u64 s, u64 val, struct seen *seen)
{
	u64 addr = HI + place * LARGE + (s & STATE_LARGE ? DEEP : 0), before = exits[me];

	seen->name = *word_at(addr);
	seen->wrote = val;
	*word_at(addr + 8 + 8 * me) = val;
	/*
	 * Where an ioeventfd takes all writes of whatever length, KVM does not look whether
	 * an access is one, and a read is skipped.
	 */
	seen->back = !write_exits && !(s >> KIND_SHIFT & KIND_MASK) ? MMIO_VALUE :
		     *word_at(addr + 8 + 8 * me);
	seen->exits = exits[me] - before;
	/* A slot of 4K has nothing behind it; not so often, as it is an exit. */
	seen->beside = s & STATE_LARGE || val & 15 ? MMIO_VALUE : *word_at(addr + PAGE_SIZE);
}

__guest_inline bool is_right(u64 s, const struct seen *seen)
{
	u64 kind = s >> KIND_SHIFT & KIND_MASK, name = NAME(s >> TILE_SHIFT & TILE_MASK);

	if (seen->beside != MMIO_VALUE)
		return false;
	if (kind == KIND_RAM)
		return seen->name == name && seen->back == seen->wrote && !seen->exits;
	if (seen->exits != write_exits)
		return false;
	if (kind == KIND_READONLY)
		return seen->name == name && seen->back != seen->wrote;
	return seen->name == MMIO_VALUE && seen->back == MMIO_VALUE;
}

static GUEST_FN void g_churn(u64 me)
{
	u64 val = me << 56, s;
	struct seen seen;

	for (u64 place = 0; !stop; place = place + 1 < places ? place + 1 : 0) {
		s = state[place];
		look(me, place, s, ++val, &seen);
		if (s & CHANGING || state[place] != s)
			continue;
		if (!is_right(s, &seen)) {
			g_ucall(UCALL_SYNC, s, seen.name);
			g_ucall(UCALL_SYNC, seen.wrote, seen.back);
			g_ucall(UCALL_FAIL, place, seen.exits << 32 | (u32)seen.beside);
		}
		checked[me][place] = s;
		turns[me]++;
	}
	g_done();
}

/* -------------------------------------------------------------------- host */

struct tile {
	u8 *mem;
	int place;			/* -1: none */
	bool large, readonly, log;
	u64 left[2][1 + CHURNERS];	/* what was in it when it lost its place */
};

struct churner {
	struct vcpu *vcpu;
	pthread_t thread;
	bool failed;
};

FIXTURE(churn) {
	struct vm *vm;
	struct churner churner[CHURNERS];
	struct tile tile[MAX_TILES];
	int vcpus, tiles;
	u64 count, confirmed;
	u8 *mem;
	unsigned int seed;
	long tables;
};

static u64 *tile_words(struct tile *t, bool deep)
{
	return (u64 *)(t->mem + (deep ? DEEP : 0));
}

FIXTURE_SETUP(churn)
{
	log_mark();
	self->tables = table_pages();
	self->vm = vm_irqchip();
	self->seed = 1;
	self->mem = vm_anon((MAX_TILES + 1) * LARGE);
	for (int i = 0; i < MAX_TILES; i++) {
		struct tile *t = &self->tile[i];

		t->mem = (u8 *)(((u64)self->mem + LARGE - 1) & ~(LARGE - 1)) + i * LARGE;
		t->place = -1;
		madvise(t->mem, LARGE, i & 1 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		for (int deep = 0; deep < 2; deep++) {
			tile_words(t, deep)[0] = NAME(i);
			memcpy(t->left[deep], tile_words(t, deep), sizeof(t->left[deep]));
		}
	}
}

FIXTURE_TEARDOWN(churn)
{
	vm_free(self->vm);
	munmap(self->mem, (MAX_TILES + 1) * LARGE);
	EXPECT_TRUE(table_pages_back_to(self->tables));
	EXPECT_FALSE(log_has_warning());
}

/* The device behind everything that is no memory. */
static void serve_mmio(struct vcpu *vcpu)
{
	u64 addr = vcpu->run->mmio.phys_addr, off = (addr - HI) % LARGE;

	if (addr < HI || addr >= HI + MAX_PLACES * LARGE || vcpu->run->mmio.len != 8 ||
	    (off & ~DEEP & PAGE_MASK & ~PAGE_SIZE))
		die("MMIO at %#lx", addr);
	if (vcpu->run->mmio.is_write)
		GUEST_VAR(vcpu->vm, exits)[vcpu->id]++;
	else
		memcpy(vcpu->run->mmio.data, &(u64){ MMIO_VALUE }, 8);
}

static void *churner_thread(void *arg)
{
	struct churner *c = arg;
	struct kvm_regs r;

	for (;;) {
		switch (vcpu_exit(c->vcpu)) {
		case KVM_EXIT_MMIO:
			serve_mmio(c->vcpu);
			continue;
		case KVM_EXIT_IO:
			vcpu_regs(c->vcpu, &r);
			if ((u32)r.rax == UCALL_DONE)
				return NULL;
			printf("# vCPU %d: ucall %u: %#llx %#llx\n", c->vcpu->id, (u32)r.rax,
			       r.rdi, r.rsi);
			if ((u32)r.rax == UCALL_SYNC)
				continue;
			break;
		default:
			vcpu_dump(c->vcpu);
		}
		c->failed = true;
		return NULL;
	}
}

static void start_churn(struct _test_data_churn *self, int nplaces, int ntiles, int vcpus)
{
	self->tiles = ntiles;
	self->vcpus = vcpus;
	GUEST_VAR(self->vm, places) = nplaces;
	GUEST_VAR(self->vm, write_exits) = 1;
	for (int i = 0; i < vcpus; i++) {
		struct churner *c = &self->churner[i];
		struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };
		struct kvm_regs r;

		c->vcpu = vcpu_new(self->vm, i);
		vcpu_long(c->vcpu, g_churn);
		vcpu_regs(c->vcpu, &r);
		r.rdi = i;
		vcpu_set_regs(c->vcpu, &r);
		kioctlp(c->vcpu->fd, KVM_SET_MP_STATE, &mp);
	}
}

static void run_churn(struct _test_data_churn *self)
{
	for (int i = 0; i < self->vcpus; i++)
		if (pthread_create(&self->churner[i].thread, NULL, churner_thread,
				   &self->churner[i]))
			die("pthread_create");
}

static bool end_churn(struct _test_data_churn *self)
{
	bool good = true;

	GUEST_VAR(self->vm, stop) = 1;
	for (int i = 0; i < self->vcpus; i++) {
		pthread_join(self->churner[i].thread, NULL);
		good &= !self->churner[i].failed;
	}
	return good;
}

static volatile u64 *state_of(struct _test_data_churn *self, int place)
{
	return &GUEST_VAR(self->vm, state)[place];
}

/* The place's new state holds from now on. */
static void set_state(struct _test_data_churn *self, int place, int tile, u64 kind)
{
	struct tile *t = &self->tile[tile];

	*state_of(self, place) = ++self->count << COUNT_SHIFT | (u64)tile << TILE_SHIFT |
				 (t->large ? STATE_LARGE : 0) | kind << KIND_SHIFT;
}

/* Has every vCPU found this place as it should be? */
static bool confirm(struct _test_data_churn *self, int place)
{
	u64 want = *state_of(self, place), end = now_ns() + 20000000000UL;
	int i = 0;

	while (i < self->vcpus) {
		if (self->churner[i].failed)
			return false;
		if (GUEST_VAR(self->vm, checked)[i][place] == want) {
			i++;
			continue;
		}
		if (now_ns() > end) {
			printf("# vCPU %d does not come to place %d\n", i, place);
			return false;
		}
		usleep(20);
	}
	self->confirmed++;
	return true;
}

static int set_tile(struct _test_data_churn *self, int tile, int place, u64 size)
{
	struct tile *t = &self->tile[tile];
	u32 flags = (t->readonly ? KVM_MEM_READONLY : 0) | (t->log ? KVM_MEM_LOG_DIRTY_PAGES : 0);

	return vm_slot(self->vm, SLOT(tile), flags, HI + place * LARGE, size, t->mem);
}

static u64 tile_size(const struct tile *t)
{
	return t->large ? LARGE : PAGE_SIZE;
}

static u64 tile_kind(const struct tile *t)
{
	return t->readonly ? KIND_READONLY : KIND_RAM;
}

/* Nobody may write to a tile that has no place. */
static bool tile_is_as_left(struct tile *t)
{
	return !memcmp(t->left[0], tile_words(t, 0), sizeof(t->left[0])) &&
	       !memcmp(t->left[1], tile_words(t, 1), sizeof(t->left[1]));
}

static bool put_tile(struct _test_data_churn *self, int tile, int place)
{
	struct tile *t = &self->tile[tile];

	if (!tile_is_as_left(t)) {
		printf("# tile %d was written while it had no place\n", tile);
		return false;
	}
	t->large = rand_r(&self->seed) & 1;
	t->readonly = !(rand_r(&self->seed) % 3);
	t->log = !(rand_r(&self->seed) % 4);
	*state_of(self, place) |= CHANGING;
	if (set_tile(self, tile, place, tile_size(t)))
		return false;
	t->place = place;
	set_state(self, place, tile, tile_kind(t));
	return true;
}

static bool take_tile(struct _test_data_churn *self, int tile)
{
	struct tile *t = &self->tile[tile];
	int place = t->place;

	*state_of(self, place) |= CHANGING;
	if (set_tile(self, tile, place, 0))
		return false;
	for (int deep = 0; deep < 2; deep++)
		memcpy(t->left[deep], tile_words(t, deep), sizeof(t->left[deep]));
	t->place = -1;
	set_state(self, place, tile, KIND_NONE);
	return true;
}

static bool move_tile(struct _test_data_churn *self, int tile, int to)
{
	struct tile *t = &self->tile[tile];
	int from = t->place;

	*state_of(self, from) |= CHANGING;
	*state_of(self, to) |= CHANGING;
	if (set_tile(self, tile, to, tile_size(t)))
		return false;
	t->place = to;
	set_state(self, from, tile, KIND_NONE);
	set_state(self, to, tile, tile_kind(t));
	return true;
}

/* Nothing may be seen of that. */
static bool toggle_log(struct _test_data_churn *self, int tile)
{
	struct tile *t = &self->tile[tile];
	u64 bitmap[LARGE / PAGE_SIZE / 64];
	struct kvm_dirty_log log = { .slot = SLOT(tile), .dirty_bitmap = bitmap };

	t->log = !t->log;
	if (set_tile(self, tile, t->place, tile_size(t)))
		return false;
	return !t->log || !kioctlp(self->vm->fd, KVM_GET_DIRTY_LOG, &log);
}

/* A place without a tile, or -1. */
static int free_place(struct _test_data_churn *self)
{
	int n = GUEST_VAR(self->vm, places), first = rand_r(&self->seed) % n;
	bool taken[MAX_PLACES] = { false };

	for (int i = 0; i < self->tiles; i++)
		if (self->tile[i].place >= 0)
			taken[self->tile[i].place] = true;
	for (int i = 0; i < n; i++)
		if (!taken[(first + i) % n])
			return (first + i) % n;
	return -1;
}

/* One change, chosen at random; the place it was about, or -1. */
static int change(struct _test_data_churn *self, bool *good)
{
	int tile = rand_r(&self->seed) % self->tiles, to = free_place(self);
	struct tile *t = &self->tile[tile];
	int place = t->place, what;

	if (place < 0) {
		if (to >= 0)
			*good = put_tile(self, tile, to);
		return to;
	}
	what = rand_r(&self->seed) % 4;
	if (what == 0 && to >= 0) {
		*good = move_tile(self, tile, to);
		return to;
	}
	*good = what < 2 ? take_tile(self, tile) : toggle_log(self, tile);
	return place;
}

static bool churn_on(struct _test_data_churn *self, u64 changes, int confirm_one_in)
{
	bool good = true;
	int place;

	for (u64 i = 0; i < changes && good; ) {
		place = change(self, &good);
		if (place < 0)
			continue;
		i++;
		if (good && !(rand_r(&self->seed) % confirm_one_in))
			good = confirm(self, place);
		for (int k = 0; k < self->vcpus; k++)
			good &= !self->churner[k].failed;
	}
	for (u64 p = 0; p < GUEST_VAR(self->vm, places) && good; p++)
		good = confirm(self, p);
	return good;
}

static u64 how_many(u64 with_two_cpus)
{
	return host_cpus() > 1 ? with_two_cpus : with_two_cpus / 8;
}

/* ------------------------------------------------------------------- tests */

TEST_F_TIMEOUT(churn, many_places, 200)
{
	start_churn(self, 7, 5, 2);
	run_churn(self);
	EXPECT_TRUE(churn_on(self, how_many(8000), 3));
	EXPECT_TRUE(end_churn(self));
	TH_LOG("%lu changes were looked at by both vCPUs", self->confirmed);
	EXPECT_LT(how_many(1000), self->confirmed);
}

/* One address is memory, device, other memory, ...; each change is waited for. */
TEST_F_TIMEOUT(churn, one_address, 100)
{
	start_churn(self, 1, 2, 2);
	run_churn(self);
	EXPECT_TRUE(churn_on(self, how_many(2000), 1));
	EXPECT_TRUE(end_churn(self));
}

/* How many kicks come while the vCPU goes round a few times? */
static u64 kicks(struct _test_data_churn *self, int fd)
{
	volatile u64 *turn = &GUEST_VAR(self->vm, turns)[0];
	u64 until = *turn + 2;

	read_eventfd(fd);
	while (*turn < until && !self->churner[0].failed)
		usleep(20);
	read_eventfd(fd);
	for (until = *turn + 3; *turn < until && !self->churner[0].failed; )
		usleep(20);
	return read_eventfd(fd);
}

/*
 * Where an ioeventfd takes all writes KVM may remember that this address is a device's and
 * ask nobody.  A slot there has precedence, at once.
 */
TEST_F_TIMEOUT(churn, over_an_ioeventfd, 100)
{
	struct kvm_ioeventfd args = { .addr = HI + 8, .len = 0, .fd = new_eventfd() };
	struct kvm_ioeventfd deep = args;
	struct tile *t = &self->tile[0];

	deep.addr += DEEP;
	start_churn(self, 1, 2, 1);
	GUEST_VAR(self->vm, write_exits) = 0;
	ASSERT_EQ(0, kioctlp(self->vm->fd, KVM_IOEVENTFD, &args));
	ASSERT_EQ(0, kioctlp(self->vm->fd, KVM_IOEVENTFD, &deep));
	run_churn(self);
	for (u64 i = 0; i < how_many(400); i++) {
		ASSERT_TRUE(put_tile(self, 0, 0));
		ASSERT_TRUE(confirm(self, 0));
		EXPECT_EQ(t->readonly, kicks(self, args.fd) > 0);
		ASSERT_TRUE(take_tile(self, 0));
		ASSERT_TRUE(confirm(self, 0));
		EXPECT_LT(0UL, kicks(self, args.fd));
	}
	EXPECT_TRUE(end_churn(self));
	close(args.fd);
}

/* ------------------------------------------------- read-only, and a reader */

static GUEST_DATA volatile u64 read_last, wrote_last;

/* What the host writes there only grows. */
static GUEST_FN void g_reader(void)
{
	volatile u64 *word = word_at(HI + DEEP);

	for (u64 last = 0, now; !stop; last = now) {
		now = *word;
		G_ASSERT(now >= last && now != ~0UL && now != MMIO_VALUE, now);
		read_last = now;
	}
	g_done();
}

static GUEST_FN void g_writer(void)
{
	volatile u64 *word = word_at(HI + DEEP);

	for (u64 i = 1; !stop; i++) {
		*word = ~0UL;
		G_ASSERT(exits[1] == i, exits[1]);
		wrote_last = i;
	}
	g_done();
}

TEST_F_TIMEOUT(churn, readonly_beside_a_reader, 60)
{
	struct tile *t = &self->tile[1];
	volatile u64 *word = tile_words(t, true);
	u64 rounds = how_many(2000);

	start_churn(self, 1, 1, 2);
	vcpu_long(self->churner[0].vcpu, g_reader);
	vcpu_long(self->churner[1].vcpu, g_writer);
	*word = 1;
	ASSERT_EQ(0, vm_slot(self->vm, SLOT(1), KVM_MEM_READONLY, HI, LARGE, t->mem));
	run_churn(self);
	for (u64 i = 2; i < rounds && !self->churner[0].failed && !self->churner[1].failed; i++) {
		u64 writes = GUEST_VAR(self->vm, wrote_last), end = now_ns() + 10000000000UL;

		*word = i;
		while ((GUEST_VAR(self->vm, read_last) != i ||
			GUEST_VAR(self->vm, wrote_last) == writes) && now_ns() < end)
			usleep(20);
		ASSERT_EQ(i, GUEST_VAR(self->vm, read_last));
		ASSERT_LT(writes, GUEST_VAR(self->vm, wrote_last));
		ASSERT_EQ(i, *word);
	}
	EXPECT_TRUE(end_churn(self));
}

TEST_HARNESS_MAIN
