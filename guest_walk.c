// SPDX-License-Identifier: GPL-2.0
/*
 * guest_walk.c - what the MMU does with the guest's own page tables
 *
 * With EPT the hardware walks them by itself, and this code sleeps.  It wakes
 * when software has to use a guest-virtual address: an instruction that is
 * emulated, KVM_TRANSLATE.  It is SDM vol. 3, chapter 4, as an algorithm:
 *
 *	    63    48 47   39 38   30 29   21 20   12 11         0
 *	   +--------+-------+-------+-------+-------+------------+
 *	   |        | index | index | index | index |   offset   |  4-level
 *	   +--------+-------+-------+-------+-------+------------+
 *		 level 4       3       2       1
 *
 *	table = CR3
 *	for level = top, top - 1, ...
 *		entry = table[index(gva, level)]
 *		not present?             fault
 *		a reserved bit is set?   fault
 *		permissions are what all the entries on the way grant
 *		entry maps a page?       leave the loop
 *		table = the address in entry
 *	the access is not permitted?     fault
 *	set the accessed bits, and the dirty bit of the last entry if it writes
 *	gpa = the address in entry, and the rest of gva below it
 *
 * 5-level paging has one more index (56:48).  PAE has three levels, but the top
 * one, of four entries, is in registers (the PDPTEs) and has no permissions.
 * 32-bit paging has two levels, of 1024 entries of 4 bytes.
 *
 * Reserved bits and permissions are pure functions of the entry, so that the
 * unit test can go through them bit by bit.
 *
 * Other CPUs change the tables meanwhile.  Accessed and dirty bits are set by
 * compare and exchange with the entry that was judged; if it has changed, the
 * walk begins anew.
 *
 * Locks: none.  The hooks may sleep.
 *
 * Left out: protection keys for supervisor pages, LAM, shadow stacks: CPUID
 * does not offer them.  The accessed bit is set when the access is permitted;
 * hardware may also set it in the entries that it went through before a fault.
 */
#include "guest_walk.h"

#define PTE_P		0x01ull
#define PTE_W		0x02ull
#define PTE_U		0x04ull
#define PTE_A		0x20ull
#define PTE_D		0x40ull
#define PTE_PS		0x80ull
#define PTE_NX		0x8000000000000000ull
#define PTE_PKEY_SHIFT	59

#define GUEST_MAX_LEVEL	5
/* A loser of that many races is told to fault: see guest_walk(). */
#define GUEST_MAX_RESTARTS 8

enum walk_status { WALK_DONE, WALK_FAULT, WALK_RESTART };

/* The entries that a walk went through, [level]; 0 is not used. */
struct walk_trail {
	int level;		/* of the last one */
	u64 gpa[GUEST_MAX_LEVEL + 1];
	u64 entry[GUEST_MAX_LEVEL + 1];
};

/* A mask of the bits hi..lo; empty if hi < lo. */
static u64 bits(int hi, int lo)
{
	if (hi < lo)
		return 0;
	return (~0ull >> (63 - hi)) & (~0ull << lo);
}

static bool is_long(const struct guest_mmu *mmu)
{
	return mmu->mode >= GUEST_PAGING_4LEVEL;
}

static bool nx_enabled(const struct guest_mmu *mmu)
{
	return mmu->nxe && mmu->mode >= GUEST_PAGING_PAE;
}

/* Bytes in an entry, and address bits that one level translates. */
static unsigned int entry_size(const struct guest_mmu *mmu)
{
	return mmu->mode == GUEST_PAGING_32 ? 4 : 8;
}

static int level_bits(const struct guest_mmu *mmu)
{
	return mmu->mode == GUEST_PAGING_32 ? 10 : 9;
}

/* Of the tables in memory: PAE's third level is in registers. */
static int top_level(const struct guest_mmu *mmu)
{
	switch (mmu->mode) {
	case GUEST_PAGING_5LEVEL:
		return 5;
	case GUEST_PAGING_4LEVEL:
		return 4;
	default:
		return 2;
	}
}

/* Bits of the address below those that @level's index translates. */
static int level_shift(const struct guest_mmu *mmu, int level)
{
	return 12 + (level - 1) * level_bits(mmu);
}

static bool entry_is_leaf(const struct guest_mmu *mmu, u64 entry, int level)
{
	if (level == 1)
		return true;
	if (!(entry & PTE_PS))
		return false;
	if (level == 2)
		return mmu->mode != GUEST_PAGING_32 || mmu->pse;
	return level == 3;	/* PAE's is in a register and has no such bit */
}

/*
 * The bits of @entry that must be 0 (SDM vol. 3, tables 4-4 .. 4-20).  A 4M page
 * of 32-bit paging has address bits 39:32 in bits 20:13 of its entry (PSE-36),
 * as far as physical addresses are that wide.
 */
static u64 entry_reserved_bits(const struct guest_mmu *mmu, u64 entry, int level)
{
	u64 reserved;
	int width;

	if (mmu->mode == GUEST_PAGING_32) {
		if (!entry_is_leaf(mmu, entry, level) || level == 1)
			return 0;
		width = mmu->maxphyaddr < 40 ? mmu->maxphyaddr : 40;
		return bits(21, width - 19);
	}

	/* Long mode ignores bits 62:52, PAE does not. */
	reserved = bits(is_long(mmu) ? 51 : 62, mmu->maxphyaddr);
	if (!nx_enabled(mmu))
		reserved |= PTE_NX;
	if (level == 1 || !(entry & PTE_PS))
		return reserved;

	if (level == 2)
		return reserved | bits(20, 13);
	if (level == 3 && mmu->gbpages)
		return reserved | bits(29, 13);
	return reserved | PTE_PS;
}

static u64 entry_address(const struct guest_mmu *mmu, u64 entry, int level)
{
	u64 addr;

	if (!entry_is_leaf(mmu, entry, level))
		return entry & bits(51, 12);
	addr = entry & bits(51, level_shift(mmu, level));
	if (mmu->mode == GUEST_PAGING_32 && level == 2)
		addr |= (entry & bits(20, 13)) << (32 - 13);
	return addr;
}

/*
 * Whether a protection key forbids the access (SDM vol. 3, 4.6.2): data only,
 * user pages only, two bits of PKRU for each of the 16 keys.
 */
static bool pkey_forbids(const struct guest_mmu *mmu, u64 leaf, bool user_page,
			 unsigned int access)
{
	unsigned int rights;

	if (!mmu->pke || !is_long(mmu) || !user_page || (access & GUEST_WALK_FETCH))
		return false;
	rights = mmu->pkru >> (2 * ((leaf >> PTE_PKEY_SHIFT) & 15));
	if (rights & 1)
		return true;
	if (!(rights & 2) || !(access & GUEST_WALK_WRITE))
		return false;
	return (access & GUEST_WALK_USER) || mmu->wp;
}

/* Everything else of SDM vol. 3, 4.6.1. */
static bool access_forbidden(const struct guest_mmu *mmu,
			     const struct guest_walk_result *page, unsigned int access)
{
	if ((access & GUEST_WALK_FETCH) && page->nx)
		return true;

	if (access & GUEST_WALK_USER) {
		if (!page->user)
			return true;
		return (access & GUEST_WALK_WRITE) && !page->writable;
	}

	if (page->user && (access & GUEST_WALK_FETCH))
		return mmu->smep;
	if (page->user && mmu->smap &&
	    (!mmu->ac || (access & GUEST_WALK_IMPLICIT)))
		return true;
	return (access & GUEST_WALK_WRITE) && !page->writable && mmu->wp;
}

/* The part of the error code that does not depend on what the walk meets. */
static u16 fault_code(const struct guest_mmu *mmu, unsigned int access)
{
	u16 code = 0;

	if (access & GUEST_WALK_WRITE)
		code |= GUEST_PF_WRITE;
	if (access & GUEST_WALK_USER)
		code |= GUEST_PF_USER;
	if ((access & GUEST_WALK_FETCH) && (nx_enabled(mmu) || mmu->smep))
		code |= GUEST_PF_FETCH;
	return code;
}

static bool read_entry(const struct guest_mmu *mmu, u64 gpa, u64 *entry)
{
	u32 narrow;

	if (entry_size(mmu) == 8)
		return !mmu->ops->read(mmu->opaque, gpa, entry, 8);
	if (mmu->ops->read(mmu->opaque, gpa, &narrow, 4))
		return false;
	*entry = narrow;
	return true;
}

static bool entry_changed(const struct guest_mmu *mmu, u64 gpa, u64 old, u64 new)
{
	u32 narrow_old = old, narrow_new = new;

	if (entry_size(mmu) == 8)
		return mmu->ops->cmpxchg(mmu->opaque, gpa, &old, &new, 8) > 0;
	return mmu->ops->cmpxchg(mmu->opaque, gpa, &narrow_old, &narrow_new, 4) > 0;
}

/*
 * Go down the tables.  Leaves the trail and, in @page, what the entries grant;
 * or the error code.  A table where there is no memory counts as not present.
 */
static enum walk_status walk_tables(const struct guest_mmu *mmu, u64 gva, u16 code,
				    struct walk_trail *trail,
				    struct guest_walk_result *page)
{
	u64 table = mmu->cr3 & bits(51, 12);
	int level = top_level(mmu);
	u64 entry, gpa;

	page->writable = true;
	page->user = true;
	page->nx = false;
	page->error_code = code;

	if (mmu->mode == GUEST_PAGING_32) {
		table &= bits(31, 12);
	} else if (mmu->mode == GUEST_PAGING_PAE) {
		entry = mmu->pdptrs[(gva >> 30) & 3];
		if (!(entry & PTE_P))
			return WALK_FAULT;
		table = entry & bits(51, 12);
	}

	for (;; level--) {
		gpa = table + ((gva >> level_shift(mmu, level)) &
			       bits(level_bits(mmu) - 1, 0)) * entry_size(mmu);
		if (!read_entry(mmu, gpa, &entry) || !(entry & PTE_P))
			return WALK_FAULT;
		if (entry & entry_reserved_bits(mmu, entry, level)) {
			page->error_code |= GUEST_PF_PRESENT | GUEST_PF_RSVD;
			return WALK_FAULT;
		}

		page->writable &= !!(entry & PTE_W);
		page->user &= !!(entry & PTE_U);
		page->nx |= nx_enabled(mmu) && (entry & PTE_NX);
		trail->gpa[level] = gpa;
		trail->entry[level] = entry;
		trail->level = level;
		if (entry_is_leaf(mmu, entry, level))
			return WALK_DONE;
		table = entry_address(mmu, entry, level);
	}
}

/*
 * Set accessed and dirty bits, from the top.  An entry that cannot be written
 * (page tables in ROM) stays as it is.
 */
static enum walk_status mark_entries(const struct guest_mmu *mmu,
				     const struct walk_trail *trail, bool write)
{
	u64 entry, marked;
	int level;

	for (level = top_level(mmu); level >= trail->level; level--) {
		entry = trail->entry[level];
		marked = entry | PTE_A;
		if (write && level == trail->level)
			marked |= PTE_D;
		if (marked != entry &&
		    entry_changed(mmu, trail->gpa[level], entry, marked))
			return WALK_RESTART;
	}
	return WALK_DONE;
}

static enum walk_status walk_once(const struct guest_mmu *mmu, u64 gva,
				  unsigned int access, struct guest_walk_result *res)
{
	struct walk_trail trail;
	enum walk_status status;
	u64 leaf, offset;
	bool pkey;

	status = walk_tables(mmu, gva, fault_code(mmu, access), &trail, res);
	if (status != WALK_DONE)
		return status;

	leaf = trail.entry[trail.level];
	if (!(access & GUEST_WALK_PEEK)) {
		pkey = pkey_forbids(mmu, leaf, res->user, access);
		if (pkey || access_forbidden(mmu, res, access)) {
			res->error_code |= GUEST_PF_PRESENT | (pkey ? GUEST_PF_PK : 0);
			return WALK_FAULT;
		}
		status = mark_entries(mmu, &trail, access & GUEST_WALK_WRITE);
		if (status != WALK_DONE)
			return status;
	}

	res->page_size = 1ull << level_shift(mmu, trail.level);
	offset = gva & (res->page_size - 1);
	res->gpa = entry_address(mmu, leaf, trail.level) | offset;
	res->error_code = 0;
	return WALK_DONE;
}

/**
 * guest_walk() - translate a guest-virtual address as the guest's MMU would
 * @mmu:	the guest's paging
 * @gva:	linear address.  In long mode canonical, which is the caller's check;
 *		otherwise only bits 31:0 matter
 * @access:	GUEST_WALK_*
 * @res:	the result
 *
 * Sets accessed and dirty bits unless GUEST_WALK_PEEK is given.  Whoever loses
 * eight races for them in a row is told that the page is not present: to the
 * guest a spurious fault, which software must expect anyway because of stale
 * TLB entries (SDM vol. 3, 4.10.4.3), and the kernel does not spin for a guest
 * that changes its page tables all the time.
 *
 * Return: 0, or 1 if the access faults and @res->error_code says how.
 */
int guest_walk(const struct guest_mmu *mmu, u64 gva, unsigned int access,
	       struct guest_walk_result *res)
{
	enum walk_status status;
	int tries;

	if (mmu->mode == GUEST_PAGING_NONE) {
		*res = (struct guest_walk_result) {
			.gpa = gva, .writable = true, .user = true,
		};
		return 0;
	}

	for (tries = 0; tries < GUEST_MAX_RESTARTS; tries++) {
		status = walk_once(mmu, gva, access, res);
		if (status != WALK_RESTART)
			return status == WALK_FAULT;
	}
	res->error_code = fault_code(mmu, access);
	return 1;
}

/**
 * guest_walk_pdpte_is_valid() - may a PAE page-directory pointer be loaded?
 * @pdpte:	the entry
 * @maxphyaddr:	width of a guest-physical address
 *
 * SDM vol. 3, table 4-8: bits 2:1, 8:5 and those above the address are reserved
 * if the entry is present.
 */
bool guest_walk_pdpte_is_valid(u64 pdpte, u8 maxphyaddr)
{
	return !(pdpte & PTE_P) ||
	       !(pdpte & (bits(63, maxphyaddr) | bits(8, 5) | bits(2, 1)));
}
