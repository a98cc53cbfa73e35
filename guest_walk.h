/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The walk of a guest's own page tables: guest-virtual to guest-physical
 *
 * A pure core: a struct that says how the guest's paging is set up, two hooks
 * through which the walk reads and updates page-table entries, and one
 * function.  It compiles in userspace too (tools/unit).
 */
#ifndef MINIKVM_GUEST_WALK_H
#define MINIKVM_GUEST_WALK_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#endif

/* The five ways in which x86 translates an address (SDM vol. 3, 4.1.1). */
enum guest_paging {
	GUEST_PAGING_NONE,	/* CR0.PG = 0 */
	GUEST_PAGING_32,	/* CR4.PAE = 0 */
	GUEST_PAGING_PAE,	/* CR4.PAE = 1, EFER.LMA = 0 */
	GUEST_PAGING_4LEVEL,	/* EFER.LMA = 1, CR4.LA57 = 0 */
	GUEST_PAGING_5LEVEL,	/* EFER.LMA = 1, CR4.LA57 = 1 */
};

/* The access that is to be translated. */
#define GUEST_WALK_WRITE	0x1
#define GUEST_WALK_USER		0x2	/* CPL 3, and not an implicit supervisor access */
#define GUEST_WALK_FETCH	0x4
/*
 * An access that instructions make behind the program's back, such as a load
 * from the GDT: a supervisor's whatever the CPL, and RFLAGS.AC does not open
 * user pages to it.
 */
#define GUEST_WALK_IMPLICIT	0x8
/* Somebody only wants to know: nothing is forbidden, nothing is marked. */
#define GUEST_WALK_PEEK		0x10

/* A #PF's error code (SDM vol. 3, 4.7). */
#define GUEST_PF_PRESENT	0x01
#define GUEST_PF_WRITE		0x02
#define GUEST_PF_USER		0x04
#define GUEST_PF_RSVD		0x08
#define GUEST_PF_FETCH		0x10
#define GUEST_PF_PK		0x20

/**
 * struct guest_walk_ops - how the walk gets at page-table entries
 * @read:	copy @size (4 or 8) bytes at @gpa to @entry; 0, or not 0 if
 *		there is no memory
 * @cmpxchg:	if the @size bytes at @gpa still are *@old make them @new, in
 *		one atomic step; 0: done, 1: they were something else, negative:
 *		cannot be written
 */
struct guest_walk_ops {
	int (*read)(void *opaque, u64 gpa, void *entry, unsigned int size);
	int (*cmpxchg)(void *opaque, u64 gpa, void *old, const void *new,
		       unsigned int size);
};

/**
 * struct guest_mmu - a guest's paging, as its control registers have it
 * @ops:	how to reach the page tables
 * @opaque:	the hooks' first argument
 * @mode:	which format and how deep
 * @cr3:	where the walk begins; only the address bits matter
 * @pdptrs:	the four page-directory pointers, PAE only
 * @pkru:	protection keys' rights, if @pke
 * @maxphyaddr:	width of a guest-physical address, 32..52
 * @nxe:	EFER.NXE, with PAE or long mode
 * @wp:		CR0.WP
 * @pse:	CR4.PSE: 4M pages in 32-bit paging
 * @smep, @smap, @pke: the bits of CR4; @pke only matters in long mode
 * @ac:		RFLAGS.AC
 * @gbpages:	CPUID says 1G pages exist
 */
struct guest_mmu {
	const struct guest_walk_ops *ops;
	void *opaque;
	enum guest_paging mode;
	u64 cr3;
	u64 pdptrs[4];
	u32 pkru;
	u8 maxphyaddr;
	bool nxe;
	bool wp;
	bool pse;
	bool smep;
	bool smap;
	bool pke;
	bool ac;
	bool gbpages;
};

/**
 * struct guest_walk_result - where an address is
 * @gpa:	the guest-physical address, if the walk succeeded
 * @page_size:	of the page that holds it, in bytes; 0 without paging
 * @writable, @user, @nx: what the entries on the way allow, all together
 * @error_code:	of the #PF, if it did not
 */
struct guest_walk_result {
	u64 gpa;
	u64 page_size;
	bool writable;
	bool user;
	bool nx;
	u16 error_code;
};

int guest_walk(const struct guest_mmu *mmu, u64 gva, unsigned int access,
	       struct guest_walk_result *res);
bool guest_walk_pdpte_is_valid(u64 pdpte, u8 maxphyaddr);

#endif
