// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of guest_walk.c
 *
 * Three kinds: a table of single walks with known results; sweeps in which each
 * reserved bit, and each combination of permissions, is compared with what the
 * SDM's tables and sentences say, written down here a second time and in another
 * form; and tables filled at random, for which a second walker has to come to the
 * same end.
 *
 * Guest memory is an array.  Page tables are at 0x1000 (the top), 0x2000, ... so
 * that the table of a level is known by its address.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_walk.h"
#include "tap.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#define MEM_SIZE	0x8000
#define BIT(n)		(1ull << (n))
#define P		BIT(0)
#define W		BIT(1)
#define U		BIT(2)
#define A		BIT(5)
#define D		BIT(6)
#define PS		BIT(7)
#define NX		BIT(63)

static unsigned char mem[MEM_SIZE];
static bool rom;			/* writes fail */
static int races;			/* so many cmpxchg lose */
static unsigned int cmpxchg_calls;

static int mem_read(void *opaque, u64 gpa, void *entry, unsigned int size)
{
	(void)opaque;
	if (gpa > MEM_SIZE - size)
		return -1;
	memcpy(entry, mem + gpa, size);
	return 0;
}

static int mem_cmpxchg(void *opaque, u64 gpa, void *old, const void *new, unsigned int size)
{
	(void)opaque;
	cmpxchg_calls++;
	if (rom || gpa > MEM_SIZE - size)
		return -1;
	if (races) {
		races--;
		return 1;
	}
	if (memcmp(mem + gpa, old, size))
		return 1;
	memcpy(mem + gpa, new, size);
	return 0;
}

static const struct guest_walk_ops ops = { mem_read, mem_cmpxchg };

static void put(unsigned int size, u64 gpa, u64 val)
{
	memcpy(mem + gpa, &val, size);
}

static u64 get(unsigned int size, u64 gpa)
{
	u64 val = 0;

	memcpy(&val, mem + gpa, size);
	return val;
}

/* ---- geometry, a second time ---- */

struct geometry {
	const char *name;
	enum guest_paging mode;
	int top;			/* levels in memory */
	unsigned int size;		/* of an entry */
	int shift[6];			/* by level */
	int entries;
};

static const struct geometry geometries[] = {
	{ "32-bit", GUEST_PAGING_32, 2, 4, { 0, 12, 22 }, 1024 },
	{ "PAE", GUEST_PAGING_PAE, 2, 8, { 0, 12, 21 }, 512 },
	{ "4-level", GUEST_PAGING_4LEVEL, 4, 8, { 0, 12, 21, 30, 39 }, 512 },
	{ "5-level", GUEST_PAGING_5LEVEL, 5, 8, { 0, 12, 21, 30, 39, 48 }, 512 },
};

#define NR_GEOMETRIES	ARRAY_SIZE(geometries)

/* The table of @level, when the top one is at 0x1000. */
static u64 table_at(const struct geometry *g, int level)
{
	return 0x1000ull * (g->top - level + 1);
}

static u64 entry_at(const struct geometry *g, int level, u64 gva)
{
	return table_at(g, level) + ((gva >> g->shift[level]) % g->entries) * g->size;
}

/* Full permissions, everything on that widens what an entry may be. */
static struct guest_mmu make_mmu(const struct geometry *g)
{
	struct guest_mmu mmu = {
		.ops = &ops, .mode = g->mode, .cr3 = 0x1000, .maxphyaddr = 46,
		.nxe = true, .wp = true, .pse = true, .gbpages = true,
	};
	int i;

	if (g->mode == GUEST_PAGING_32)
		mmu.cr3 |= 0xfff00000000fff;	/* bits that do not count */
	if (g->mode == GUEST_PAGING_PAE) {
		mmu.cr3 = 0xdeadb000;	/* not to be used */
		for (i = 0; i < 4; i++)
			mmu.pdptrs[i] = 0x1000 | P;
	}
	return mmu;
}

/* Where the pages are: aligned as every size of page wants it. */
#define FRAME	0x40000000ull

/* Tables for @gva down to @leaf_level, whose entry maps FRAME. */

static void build(const struct geometry *g, u64 gva, int leaf_level, u64 flags)
{
	int level;

	memset(mem, 0, sizeof(mem));
	for (level = g->top; level > leaf_level; level--)
		put(g->size, entry_at(g, level, gva), table_at(g, level - 1) | P | W | U);
	put(g->size, entry_at(g, leaf_level, gva),
	    FRAME | flags | (leaf_level > 1 ? PS : 0));
}

/* ---- what the SDM says, a second time ---- */

/*
 * Tables 4-4 .. 4-20: the reserved bits of an entry, by the width of physical
 * addresses.  Written as the tables are: one line for each kind of entry.
 */
static u64 above(int width, int top)		/* bits top..width */
{
	u64 mask = 0;

	for (; width <= top; width++)
		mask |= BIT(width);
	return mask;
}

static bool oracle_large(const struct guest_mmu *mmu, u64 entry, int level)
{
	if (!(entry & PS) || level == 1 || level > 3)
		return false;
	if (mmu->mode == GUEST_PAGING_32)
		return level == 2 && mmu->pse;
	return level == 2 || mmu->mode != GUEST_PAGING_PAE;
}

static u64 oracle_reserved(const struct guest_mmu *mmu, u64 entry, int level)
{
	int m = mmu->maxphyaddr;
	u64 xd = mmu->nxe ? 0 : NX;
	bool large = oracle_large(mmu, entry, level);

	switch (mmu->mode) {
	case GUEST_PAGING_32:
		if (!large)
			return 0;
		/* bits 20:13 are 39:32 of the address, 21 is always reserved */
		return BIT(21) | (m >= 40 ? 0 : above(m - 32 + 13, 20));
	case GUEST_PAGING_PAE:
		return above(m, 62) | xd | (large ? 0x1fe000 : 0);
	default:
		if (level >= 4)
			return above(m, 51) | xd | PS;
		if (level == 3 && large)
			return above(m, 51) | xd | (mmu->gbpages ? 0x3fffe000 : PS);
		return above(m, 51) | xd | (large ? 0x1fe000 : 0);
	}
}

/*
 * SDM vol. 3, 4.6.1 and 4.6.2, sentence by sentence.  Returns whether the access
 * is allowed; sets *pk if a protection key is (also) against it.
 */
static bool oracle_allows(const struct guest_mmu *mmu, unsigned int access, bool w, bool u,
			  bool nx, int key, bool *pk)
{
	bool user_access = access & GUEST_WALK_USER;
	bool long_mode = mmu->mode == GUEST_PAGING_4LEVEL || mmu->mode == GUEST_PAGING_5LEVEL;
	bool nxe = mmu->nxe && mmu->mode != GUEST_PAGING_32;
	bool ad, wd, allowed;

	*pk = false;
	if (access & GUEST_WALK_FETCH) {
		if (user_access)
			return u && !(nxe && nx);
		if (u && mmu->smep)
			return false;
		return !(nxe && nx);
	}

	if (u && mmu->pke && long_mode) {
		ad = mmu->pkru & BIT(2 * key);
		wd = mmu->pkru & BIT(2 * key + 1);
		*pk = ad || ((access & GUEST_WALK_WRITE) && wd && (user_access || mmu->wp));
	}

	if (user_access) {
		allowed = u && (w || !(access & GUEST_WALK_WRITE));
	} else {
		allowed = !(access & GUEST_WALK_WRITE) || w || !mmu->wp;
		/* user pages: SMAP clear, or an explicit access with AC set */
		if (u && mmu->smap && !(mmu->ac && !(access & GUEST_WALK_IMPLICIT)))
			allowed = false;
	}
	return allowed && !*pk;
}

static u16 oracle_code(const struct guest_mmu *mmu, unsigned int access)
{
	bool nxe = mmu->nxe && mmu->mode != GUEST_PAGING_32;

	return (access & GUEST_WALK_WRITE ? 2 : 0) | (access & GUEST_WALK_USER ? 4 : 0) |
	       ((access & GUEST_WALK_FETCH) && (nxe || mmu->smep) ? 16 : 0);
}

/* The whole walk, by recursion; returns the error code, or -1 and sets *gpa. */
static int oracle_walk(const struct geometry *g, const struct guest_mmu *mmu, u64 gva,
		       unsigned int access, int level, u64 table, bool w, bool u, bool nx,
		       u64 *gpa)
{
	u64 entry, addr, low, offset = ((gva >> g->shift[level]) % g->entries) * g->size;
	u16 code = oracle_code(mmu, access);
	bool pk;

	if (table + offset > MEM_SIZE - g->size)
		return code;
	entry = get(g->size, table + offset);
	if (!(entry & P))
		return code;
	if (entry & oracle_reserved(mmu, entry, level))
		return code | 1 | 8;
	w &= !!(entry & W);
	u &= !!(entry & U);
	nx |= !!(entry & NX);

	if (level > 1 && !oracle_large(mmu, entry, level)) {
		addr = entry & 0x000ffffffffff000ull;
		return oracle_walk(g, mmu, gva, access, level - 1, addr, w, u, nx, gpa);
	}
	if (!oracle_allows(mmu, access, w, u, nx, entry >> 59 & 15, &pk))
		return code | 1 | (pk ? 32 : 0);

	low = BIT(g->shift[level]) - 1;
	addr = entry & 0x000ffffffffff000ull & ~low;
	if (g->mode == GUEST_PAGING_32 && level == 2)
		addr = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
	*gpa = addr + (gva & low);
	return -1;
}

/* ---- single walks ---- */

static const struct walk_case {
	const char *name;
	unsigned int geometry;
	int leaf_level;
	u64 flags;		/* of the leaf */
	u64 gva;
	unsigned int access;
	u64 gpa;		/* if error < 0 */
	int error;
} cases[] = {
	{ "32-bit, 4K page", 0, 1, P | W | U, 0x00c01234, 0, FRAME + 0x234, -1 },
	{ "32-bit, 4M page", 0, 2, P | W | U, 0x00e01234, 0, FRAME + 0x201234, -1 },
	{ "32-bit, 4M page above 4G", 0, 2, P | 3 << 13, 0x00e01234, 0,
	  FRAME + 0x300201234, -1 },
	{ "32-bit, address bits above 31 do not count", 0, 1, P, 0xffff00000c01234, 0,
	  FRAME + 0x234, -1 },
	{ "32-bit, PTE of 0xfffff000", 0, 1, P | 0xbffff000, 0xfffff678, 0, 0xfffff678, -1 },
	{ "PAE, 4K page", 1, 1, P | W | U, 0xc0201234, 0, FRAME + 0x234, -1 },
	{ "PAE, 2M page", 1, 2, P | W | U, 0xc0301234, 0, FRAME + 0x101234, -1 },
	{ "PAE, 4K page above 4G", 1, 1, P | 0x100000000000, 0x201234, 0,
	  FRAME + 0x100000000234, -1 },
	{ "4-level, 4K page", 2, 1, P | W | U, 0x7f0012345678, 0, FRAME + 0x678, -1 },
	{ "4-level, 2M page", 2, 2, P | W | U, 0x7f0012345678, 0, FRAME + 0x145678, -1 },
	{ "4-level, 1G page", 2, 3, P | W | U, 0x7f0012345678, 0, FRAME + 0x12345678, -1 },
	{ "4-level, top of the address space", 2, 1, P, ~0ull, 0, FRAME + 0xfff, -1 },
	{ "5-level, 4K page", 3, 1, P | W | U, 0x55007f0012345678, 0, FRAME + 0x678, -1 },
	{ "5-level, 1G page", 3, 3, P | W | U, 0x55007f0012345678, 0, FRAME + 0x12345678, -1 },
	{ "PAT bit of a 2M page is no address bit", 2, 2, P | BIT(12), 0x345678, 0,
	  FRAME + 0x145678, -1 },
	{ "ignored bits 62:52 and 11:9", 2, 1, P | 0x7ff0000000000e00, 0x678, 0,
	  FRAME + 0x678, -1 },

	{ "not present", 2, 1, W | U, 0x1000, GUEST_WALK_WRITE | GUEST_WALK_USER, 0, 0x06 },
	{ "not present, fetch with NXE", 2, 1, W | U, 0x1000, GUEST_WALK_FETCH, 0, 0x10 },
	{ "not present: no other bit matters", 2, 1, ~0ull & ~P & ~FRAME, 0, 0, 0, 0x00 },
	{ "user to a supervisor page", 2, 1, P | W, 0, GUEST_WALK_USER, 0, 0x05 },
	{ "user writes to a read-only page", 2, 1, P | U, 0,
	  GUEST_WALK_WRITE | GUEST_WALK_USER, 0, 0x07 },
	{ "supervisor writes to a read-only page, WP", 2, 1, P, 0, GUEST_WALK_WRITE, 0, 0x03 },
	{ "fetch from an NX page", 2, 1, P | NX, 0, GUEST_WALK_FETCH, 0, 0x11 },
	{ "reserved bit", 2, 1, P | BIT(46), 0, GUEST_WALK_USER, 0, 0x0d },
	{ "reserved bit goes before permission", 2, 1, P | BIT(51), 0,
	  GUEST_WALK_USER | GUEST_WALK_WRITE, 0, 0x0f },
	{ "peek is allowed everything", 2, 1, P | NX, 0,
	  GUEST_WALK_PEEK | GUEST_WALK_WRITE | GUEST_WALK_USER, FRAME, -1 },
	{ "peek at nothing", 2, 1, 0, 0, GUEST_WALK_PEEK, 0, 0x00 },
	{ "PAE, bit 52 is reserved", 1, 1, P | BIT(52), 0, 0, 0, 0x09 },
};

static void test_cases(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct walk_case *c = &cases[i];
		const struct geometry *g = &geometries[c->geometry];
		struct guest_mmu mmu = make_mmu(g);
		struct guest_walk_result res = {};
		int r;

		build(g, c->gva, c->leaf_level, c->flags);
		r = guest_walk(&mmu, c->gva, c->access, &res);
		if (!tap_ok(c->error < 0 ? !r && res.gpa == c->gpa :
			    r == 1 && res.error_code == c->error, "%s", c->name))
			tap_note("returned %d, gpa %llx, error code %x; wanted %llx, %x", r,
				 res.gpa, res.error_code, c->gpa, c->error);
	}
}

static void test_no_paging(void)
{
	struct guest_mmu mmu = { .ops = &ops, .mode = GUEST_PAGING_NONE };
	struct guest_walk_result res;

	tap_ok(!guest_walk(&mmu, 0xfee00123, GUEST_WALK_WRITE, &res) && res.gpa == 0xfee00123,
	       "no paging: gva is gpa");
}

/* PAE's top level is in registers; a missing table or one outside memory faults. */
static void test_missing_tables(void)
{
	struct guest_walk_result res;
	unsigned int i;
	int level;

	for (i = 0; i < NR_GEOMETRIES; i++) {
		const struct geometry *g = &geometries[i];
		struct guest_mmu mmu = make_mmu(g);
		bool ok = true;

		for (level = 2; level <= g->top; level++) {
			build(g, 0x5000, 1, P | W | U);
			put(g->size, entry_at(g, level, 0x5000), 0x6000 | W | U);
			ok &= guest_walk(&mmu, 0x5000, GUEST_WALK_WRITE, &res) == 1 &&
			      res.error_code == 2;
			put(g->size, entry_at(g, level, 0x5000), 0x1000000 | P | W | U);
			ok &= guest_walk(&mmu, 0x5000, GUEST_WALK_USER, &res) == 1 &&
			      res.error_code == 4;
		}
		tap_ok(ok, "%s: a table is missing, at each level", g->name);
	}

	struct guest_mmu mmu = make_mmu(&geometries[1]);

	build(&geometries[1], 0x5000, 1, P | W | U);
	mmu.pdptrs[0] &= ~P;
	tap_ok(guest_walk(&mmu, 0x5000, 0, &res) == 1 && res.error_code == 0 &&
	       !guest_walk(&mmu, 0x40005000, 0, &res),
	       "PAE: each PDPTE serves its own gigabyte");
}

/* ---- sweeps ---- */

/*
 * Set each bit of an entry of @level in turn; returns how often the walk differs
 * from the SDM about it.  Address bits are 0 but for that bit: aligned to any size.
 */
static unsigned int try_bits(const struct geometry *g, const struct guest_mmu *mmu,
			     int level, bool large)
{
	u64 entry, at = entry_at(g, level, 0x9000);
	struct guest_walk_result res;
	unsigned int wrong = 0;
	bool reserved, got;
	int bit;

	for (bit = 0; bit < (int)g->size * 8; bit++) {
		build(g, 0x9000, 1, P | W | U);
		entry = (get(g->size, at) & ~0x3fffe000ull) | BIT(bit) | (large ? PS : 0);
		put(g->size, at, entry);
		reserved = entry & oracle_reserved(mmu, entry, level);
		got = guest_walk(mmu, 0x9000, GUEST_WALK_PEEK, &res) && res.error_code == 9;
		wrong += got != reserved;
	}
	return wrong;
}

/* Every bit of every kind of entry, with several widths of addresses. */
static void test_reserved_bits(void)
{
	static const int widths[] = { 32, 36, 39, 40, 41, 46, 51, 52 };
	unsigned int i, v, checked, wrong;
	int level;

	for (i = 0; i < NR_GEOMETRIES; i++) {
		const struct geometry *g = &geometries[i];

		checked = 0;
		wrong = 0;
		for (v = 0; v < ARRAY_SIZE(widths) * 8; v++) {
			struct guest_mmu mmu = make_mmu(g);

			mmu.maxphyaddr = widths[v / 8];
			mmu.nxe = v & 1;
			mmu.pse = v & 2;
			mmu.gbpages = v & 4;
			for (level = 1; level <= g->top; level++) {
				wrong += try_bits(g, &mmu, level, false);
				wrong += try_bits(g, &mmu, level, true);
				checked += 2 * g->size * 8;
			}
		}
		tap_ok(!wrong, "%s: reserved bits, %u entries", g->name, checked);
	}
}

/* Every combination of what a permission can depend on. */
static void test_permissions(void)
{
	unsigned int i, n, checked, wrong, denied;
	struct guest_walk_result res;

	for (i = 0; i < NR_GEOMETRIES; i++) {
		const struct geometry *g = &geometries[i];

		checked = 0;
		wrong = 0;
		denied = 0;
		for (n = 0; n < 1 << 18; n++) {
			unsigned int access = (n & 1 ? GUEST_WALK_USER : 0) |
					      (n & 2 ? GUEST_WALK_WRITE : 0) |
					      (n & 4 ? GUEST_WALK_FETCH : 0) |
					      (n & 8 ? GUEST_WALK_IMPLICIT : 0);
			struct guest_mmu mmu = make_mmu(g);
			u64 leaf = (n & 0x10 ? W : 0) | (n & 0x20 ? U : 0);
			u64 top = (n & 0x40 ? W : 0) | (n & 0x80 ? U : 0);
			bool allowed, pk, nx = n & 0x100;
			int r, code, key = 5;

			/* Fetches do not write; nor are user accesses implicit. */
			if ((n & 6) == 6 || (n & 9) == 9)
				continue;
			mmu.nxe = n & 0x200;
			mmu.wp = n & 0x400;
			mmu.smep = n & 0x800;
			mmu.smap = n & 0x1000;
			mmu.ac = n & 0x2000;
			mmu.pke = n & 0x4000;
			mmu.pkru = (n >> 15 & 3) << (2 * key) | (n >> 17 & 1 ? 0xc : 0);
			if (nx && (!mmu.nxe || g->size == 4))
				continue;	/* a reserved bit, or no bit at all */

			build(g, 0xa000, 1, P | leaf | (nx ? NX : 0) |
			      (g->top >= 4 ? (u64)key << 59 : 0));
			put(g->size, entry_at(g, g->top, 0xa000),
			    table_at(g, g->top - 1) | P | top);
			allowed = oracle_allows(&mmu, access, leaf & top & W, leaf & top & U,
						nx, key, &pk);
			r = guest_walk(&mmu, 0xa000, access, &res);
			checked++;
			denied += !allowed;
			code = oracle_code(&mmu, access) | 1 | (pk ? 32 : 0);
			wrong += r != !allowed || (r && res.error_code != code);
		}
		tap_ok(!wrong && denied && denied < checked,
		       "%s: permissions, %u combinations, %u of them denied", g->name, checked,
		       denied);
	}
}

static u64 rnd(void)
{
	static u64 state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* An entry that is often valid and often leads on. */
static u64 random_entry(void)
{
	u64 entry = rnd();

	if (rnd() % 16)
		entry |= P | W | U;
	if (rnd() % 8)
		entry &= ~NX & ~0x7ff0000000000000ull;
	if (rnd() % 8)
		entry &= ~(0x000fffc000000000ull);	/* 38 bits of address */
	if (rnd() % 4)
		entry &= ~PS;
	if (rnd() % 4)
		entry = (entry & 0xfff) | (rnd() % 10) << 12;
	return entry;
}

static void test_random(void)
{
	static const unsigned int accesses[] = {
		0, GUEST_WALK_WRITE, GUEST_WALK_FETCH, GUEST_WALK_USER,
		GUEST_WALK_USER | GUEST_WALK_WRITE, GUEST_WALK_USER | GUEST_WALK_FETCH,
		GUEST_WALK_IMPLICIT, GUEST_WALK_IMPLICIT | GUEST_WALK_WRITE,
	};
	unsigned int i, n, k, wrong, mapped;

	for (i = 0; i < NR_GEOMETRIES; i++) {
		const struct geometry *g = &geometries[i];

		wrong = 0;
		mapped = 0;
		for (n = 0; n < 2000; n++) {
			for (k = 0; k < MEM_SIZE; k += g->size)
				put(g->size, k, random_entry());
			for (k = 0; k < 50; k++) {
				struct guest_mmu mmu = make_mmu(g);
				unsigned int access = accesses[rnd() % 8];
				struct guest_walk_result res;
				u64 opt = rnd(), gva = rnd(), gpa = 0;
				int r, want;

				mmu.nxe = opt & 1;
				mmu.wp = opt & 2;
				mmu.smep = opt & 4;
				mmu.smap = opt & 8;
				mmu.pke = opt & 16;
				mmu.ac = opt & 32;
				mmu.pse = opt & 64;
				mmu.gbpages = opt & 128;
				mmu.pkru = rnd();
				mmu.maxphyaddr = 32 + rnd() % 21;
				want = oracle_walk(g, &mmu, gva & (g->top == 2 ? ~0u : ~0ull),
						   access, g->top, 0x1000, true, true, false,
						   &gpa);
				r = guest_walk(&mmu, gva, access, &res);
				mapped += want < 0;
				wrong += want < 0 ? r || res.gpa != gpa :
						    !r || res.error_code != want;
			}
		}
		tap_ok(!wrong && mapped > 1000,
		       "%s: 100000 walks of random tables, %u of them lead somewhere", g->name,
		       mapped);
	}
}

/* ---- accessed and dirty bits ---- */

static void test_accessed_dirty(void)
{
	struct guest_walk_result res;
	unsigned int i, access;
	int level, leaf;

	for (i = 0; i < NR_GEOMETRIES; i++) {
		const struct geometry *g = &geometries[i];
		struct guest_mmu mmu = make_mmu(g);
		bool ok = true;

		for (leaf = 1; leaf <= (g->top > 2 ? 3 : 2); leaf++)
			for (access = 0; access <= GUEST_WALK_WRITE; access++) {
				build(g, 0xb000, leaf, P | W | U);
				ok &= !guest_walk(&mmu, 0xb000, access, &res);
				for (level = leaf; level <= g->top; level++) {
					u64 got = get(g->size, entry_at(g, level, 0xb000));
					bool dirty = access && level == leaf;

					ok &= (got & A) && !(got & D) == !dirty;
				}
				cmpxchg_calls = 0;
				guest_walk(&mmu, 0xb000, access, &res);
				ok &= !cmpxchg_calls;
			}
		tap_ok(ok, "%s: accessed and dirty bits are set, once", g->name);

		build(g, 0xb000, 1, P);
		cmpxchg_calls = 0;
		ok = guest_walk(&mmu, 0xb000, GUEST_WALK_USER, &res) == 1;
		ok &= !guest_walk(&mmu, 0xb000, GUEST_WALK_PEEK | GUEST_WALK_WRITE, &res);
		tap_ok(ok && !cmpxchg_calls, "%s: a fault or a peek sets none", g->name);

		rom = true;
		ok = !guest_walk(&mmu, 0xb000, 0, &res) && res.gpa == FRAME;
		rom = false;
		tap_ok(ok && !(get(g->size, entry_at(g, 1, 0xb000)) & A),
		       "%s: tables in ROM work and stay as they are", g->name);

		races = 7;
		ok = !guest_walk(&mmu, 0xb000, 0, &res) && res.gpa == FRAME;
		tap_ok(ok && (get(g->size, entry_at(g, 1, 0xb000)) & A),
		       "%s: seven lost races and a win", g->name);

		build(g, 0xb000, 1, P | W);
		races = 1000;
		ok = guest_walk(&mmu, 0xb000, GUEST_WALK_WRITE, &res) == 1;
		tap_ok(ok && res.error_code == 2 && races > 900,
		       "%s: whoever always loses gets a spurious fault", g->name);
		races = 0;
	}
}

static void test_pdpte(void)
{
	unsigned int wrong = 0;
	int width, bit;

	for (width = 32; width <= 52; width++)
		for (bit = 1; bit < 64; bit++) {
			bool valid = bit == 3 || bit == 4 || (bit >= 9 && bit < width);

			wrong += guest_walk_pdpte_is_valid(P | BIT(bit), width) != valid;
			wrong += !guest_walk_pdpte_is_valid(BIT(bit), width);
		}
	tap_ok(!wrong, "PDPTEs: each bit, each width of addresses");
}

int main(void)
{
	test_cases();
	test_no_paging();
	test_missing_tables();
	test_reserved_bits();
	test_permissions();
	test_random();
	test_accessed_dirty();
	test_pdpte();
	return tap_done();
}
