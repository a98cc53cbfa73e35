/* SPDX-License-Identifier: GPL-2.0 */
/*
 * minikvm_util.h - what every selftest shares: a VM in three lines
 *
 * The model: one VM has 4 MiB of RAM at guest-physical 0 (slot 0) and a private
 * copy of the program's own "guest" section at the address it was linked for
 * (slot 1).  Programs are linked statically at a fixed address, so guest code is
 * written as ordinary C functions (GUEST_FN) or as asm in that section, and a
 * function's host address is its guest address: vcpu_long(vcpu, fn) runs it.
 * Everything below 4 GiB is mapped one to one with 2 MiB pages, so what lies
 * outside the slots is MMIO.
 *
 * A guest speaks to its host by a "ucall": an OUT to UCALL_PORT with the command
 * in EAX and two arguments in RDI and RSI.  Exceptions go through a 64-bit IDT
 * whose handler keeps a log in struct guest_exc, which GS points to; what it does
 * next is chosen by guest_exc.action.
 *
 * Library functions print and end the test's process when the set-up itself
 * fails; functions that return an int give 0 or -errno, for the test to judge.
 *
 * MINIKVM_DEV chooses the device (default /dev/minikvm), so that the same
 * program checks the stock module: a test that fails there is a wrong test.
 */
#ifndef MINIKVM_UTIL_H
#define MINIKVM_UTIL_H

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#ifndef ARRAY_SIZE			/* the harness has it as well */
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#ifndef MADV_COLLAPSE			/* newer than the C library */
#define MADV_COLLAPSE	25
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE_SIZE	4096UL
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define MAX_VCPUS	16
#define MAX_CPUID	256

/* Guest-physical layout of slot 0; everything is identity mapped. */
#define GPA_PML4	0x1000
#define GPA_PDPT	0x2000
#define GPA_PD		0x3000		/* four pages: 4 GiB in 2 MiB pages */
#define GPA_GDT		0x7000
#define GPA_IDT		0x8000
#define GPA_TSS		0x9000
#define GPA_EXC		0xa000		/* struct guest_exc, one for each vCPU */
#define GPA_IVT16	0x0		/* real mode vectors */
#define GPA_STUB	0xc000		/* 256 host-driven stubs, 16 and 32 bit */
#define GPA_IDT32	0xd000
#define GPA_CODE	0x10000		/* room for 16-bit and 32-bit code */
#define GPA_STACK	0x40000		/* top; vCPU n starts 0x2000 * n below */
#define GPA_DATA	0x100000	/* free for tests, 3 MiB */
#define RAM_SIZE	0x400000
#define GPA_MMIO	0xd0000000UL	/* never backed by a slot */

#define SEL_CODE64	0x08
#define SEL_DATA	0x10
#define SEL_CODE32	0x18
#define SEL_UDATA	0x2b
#define SEL_UCODE	0x33
#define SEL_TSS		0x38

#define UCALL_PORT	0x3e8
#define STUB_PORT	0x77		/* a 16/32-bit exception stub ran */

enum ucall_cmd {
	UCALL_DONE = 1,			/* the guest's work ended well */
	UCALL_SYNC,			/* a milestone, arguments say which */
	UCALL_FAIL,			/* a check in the guest failed: line, value */
	UCALL_EXC,			/* unexpected exception: vector, rip */
	UCALL_IRQ,			/* EXC_UCALL: vector, rip */
	UCALL_NONE = 100,		/* host side: the exit was no ucall */
};

struct ucall {
	u32 cmd;
	u64 a, b;
};

enum exc_action {
	EXC_REPORT,			/* UCALL_EXC; the default */
	EXC_RESUME,			/* go on at guest_exc.resume, once */
	EXC_IRET,			/* log it and return */
	EXC_UCALL,			/* UCALL_IRQ, then return */
};

/* Written by the guest's exception handler; offsets are used by its asm. */
struct guest_exc {
	u64 action;			/* 0 */
	u64 resume;			/* 8 */
	u64 count;			/* 16 */
	u64 vector;			/* 24, of the last one, like the next three */
	u64 error;			/* 32 */
	u64 rip;			/* 40 */
	u64 cr2;			/* 48 */
	u64 self;			/* 56, linear address of this struct */
	u64 rflags;			/* 64 */
	u64 pad;			/* 72 */
	u8 log[64];			/* 80, vectors in order, wraps */
};

struct vm;

struct vcpu {
	struct vm *vm;
	int fd;
	int id;
	struct kvm_run *run;
	size_t run_size;
	struct guest_exc *exc;
};

struct vm {
	int fd;
	u8 *ram;
	u8 *guest;			/* copy of the guest section */
	u64 guest_gpa;
	u64 guest_size;
	int nvcpus;
	struct vcpu *vcpus[MAX_VCPUS];
};

/* What VMs have of tables and of entries for pages; of the stock module: tables. */
struct mem_use {
	long tables, pages[3];
};

struct cpuid_buf {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 e[MAX_CPUID];
};

/* Ends the test's process with a message; for failures of the set-up. */
#define die(...) util_die(__FILE__, __LINE__, __VA_ARGS__)
void util_die(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));

/* Devices and raw calls. */
const char *dev_path(void);
bool dev_is_stock(void);
int dev_open(void);
int kioctl(int fd, unsigned long req, unsigned long arg);
#define kioctlp(fd, req, ptr) kioctl(fd, req, (unsigned long)(ptr))
int dev_cap(int cap);
int vm_cap(struct vm *vm, int cap);
int vm_enable_cap(struct vm *vm, u32 cap, u64 arg0);
const char *exit_name(u32 reason);

/* VMs and memory. */
struct vm *vm_bare(void);
struct vm *vm_new(void);
void vm_free(struct vm *vm);
int vm_slot(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 size, void *hva);
void *vm_anon(size_t size);
void *vm_add(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 size);
void *vm_ptr(struct vm *vm, u64 gpa);
/* The VM's copy of an object in the guest section. */
#define GUEST_VAR(vm, var) (*(__typeof__(var) *)vm_ptr(vm, (u64)&(var)))

/* vCPUs and their modes. */
struct vcpu *vcpu_bare(struct vm *vm, int id);
struct vcpu *vcpu_new(struct vm *vm, int id);
void vcpu_long(struct vcpu *vcpu, void *entry);
void vcpu_prot32(struct vcpu *vcpu, u32 eip);
void vcpu_real(struct vcpu *vcpu, u16 cs, u16 ip);
struct vcpu *vm_long(void *entry);	/* vm_new + vcpu_new(0) + vcpu_long */
void vm_load(struct vm *vm, u64 gpa, const void *from, const void *to);

/* State. */
void vcpu_regs(struct vcpu *vcpu, struct kvm_regs *regs);
void vcpu_set_regs(struct vcpu *vcpu, const struct kvm_regs *regs);
void vcpu_sregs(struct vcpu *vcpu, struct kvm_sregs *sregs);
int vcpu_set_sregs(struct vcpu *vcpu, const struct kvm_sregs *sregs);
void vcpu_events(struct vcpu *vcpu, struct kvm_vcpu_events *ev);
int vcpu_set_events(struct vcpu *vcpu, const struct kvm_vcpu_events *ev);
int vcpu_get_msr(struct vcpu *vcpu, u32 index, u64 *data);
int vcpu_set_msr(struct vcpu *vcpu, u32 index, u64 data);
void vcpu_will_set_xcr0(struct vcpu *vcpu, u64 xcr0);
void supported_cpuid(struct cpuid_buf *buf);
struct kvm_cpuid_entry2 *cpuid_find(struct cpuid_buf *buf, u32 fn, u32 index);
bool cpuid_has(u32 fn, u32 index, char reg, int bit);
void seg_set(struct kvm_segment *seg, u16 sel, u8 type, int l, int db, int dpl);

/* Running. */
int vcpu_run(struct vcpu *vcpu);
u32 vcpu_exit(struct vcpu *vcpu);
struct ucall vcpu_ucall(struct vcpu *vcpu);
void vcpu_dump(struct vcpu *vcpu);
int vcpu_stub_vector(struct vcpu *vcpu);

/*
 * A device behind every unbacked address: reads give the bytes of `pattern`,
 * accesses are logged in order.
 */
struct mmio_log {
	u64 pattern;
	int n;
	struct {
		u64 addr, data;
		u32 len;
		bool write;
	} e[64];
};

struct ucall vcpu_mmio(struct vcpu *vcpu, struct mmio_log *log);

/* Host odds and ends. */
bool host_is_intel(void);
bool host_is_amd(void);
bool host_is_tcg(void);
u64 now_ns(void);
void alarm_handler(void);
void set_timer_ms(int ms);
int host_cpus(void);
bool cpu_has_flag(const char *list, const char *flag);
void pin_cpu(int cpu);
bool log_has_warning(void);
long module_counter(const char *name);
long vm_counter(struct vm *vm, const char *name);
long host_table_kib(void);
long table_pages(void);
bool table_pages_back_to(long before);
void mem_use(struct mem_use *use);
bool mem_use_back_to(const struct mem_use *before);
int write_text(const char *path, const char *text);
long read_number(const char *path);
long number_after(const char *path, const char *word);

/* Bits of /proc/self/pagemap. */
#define PM_PRESENT	0x8000000000000000UL
#define PM_SWAPPED	0x4000000000000000UL
#define PM_FRAME	0x007fffffffffffffUL

u64 pages_that_are(void *mem, u64 pages, u64 bit);
void log_mark(void);
bool log_contains(const char *text);

static inline u64 host_tsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

/* Expect one exit reason, by name, and show the vCPU when it is another. */
#define EXPECT_EXIT(vcpu, reason) do {					\
	u32 __want = (reason);						\
	u32 __got = vcpu_exit(vcpu);					\
	if (__got != __want)						\
		vcpu_dump(vcpu);					\
	ASSERT_STREQ(exit_name(__want), exit_name(__got));		\
} while (0)

/* Run to the next ucall, and expect it to be this one. */
#define EXPECT_UCALL(vcpu, want) do {					\
	struct ucall __uc = vcpu_ucall(vcpu);				\
	if (__uc.cmd != (want))						\
		TH_LOG("ucall %u: %#llx %#llx", __uc.cmd,		\
		       (unsigned long long)__uc.a,			\
		       (unsigned long long)__uc.b);			\
	ASSERT_EQ((u32)(want), __uc.cmd);				\
} while (0)

/* For a test of what real CPUs do and QEMU's emulation of SVM does not. */
#define SKIP_ON_TCG(why) do {						\
	if (host_is_tcg())						\
		SKIP(return, "QEMU TCG: " why);				\
} while (0)

/* ------------------------------------------------------------------ guest */

#define GUEST_SECTION	__attribute__((section("guest")))
#define GUEST_FN	__attribute__((section("guest"), noinline, used,	\
				       target("general-regs-only"),		\
				       optimize("no-tree-loop-distribute-patterns")))
/* Data lives in the same section, behind the code; one copy for each VM. */
#define GUEST_DATA	__attribute__((section("guest_data"), used))

/* Asm guests: ASM_GUEST(name, "text") defines name[] and name_end[]. */
#define ASM_GUEST_BITS(name, bits, text)				\
	extern u8 name[], name##_end[];					\
	asm(".pushsection guest, \"ax\", @progbits\n"			\
	    ".code" #bits "\n"						\
	    ".globl " #name ", " #name "_end\n"				\
	    #name ":\n" text "\n"					\
	    #name "_end:\n"						\
	    ".code64\n.popsection\n")
#define ASM_GUEST(name, text) ASM_GUEST_BITS(name, 64, text)

/* The shortest end of an asm guest: a UCALL_DONE, RDI and RSI as they are. */
#define ASM_DONE "mov $0x3e8, %edx; mov $1, %eax; out %eax, %dx; 9: jmp 9b\n"

#define __guest_inline							\
	static inline __attribute__((always_inline, target("general-regs-only")))

__guest_inline void g_ucall(u32 cmd, u64 a, u64 b)
{
	asm volatile("out %%eax, %%dx"
		     : : "a"(cmd), "d"(UCALL_PORT), "D"(a), "S"(b) : "memory");
}

__guest_inline void g_done(void)
{
	for (;;)
		g_ucall(UCALL_DONE, 0, 0);
}

/*
 * Wait for an interrupt, for handlers with EXC_IRET.  Not every emulated CPU keeps STI's
 * shadow over an exit, so that the interrupt can come between STI and HLT; the handler then
 * returns behind the HLT.
 */
__guest_inline void g_halt(void)
{
	asm volatile("call g_halt_code" : : : "memory", "cc");
}

#define G_ASSERT(cond, val) do {					\
	if (!(cond))							\
		g_ucall(UCALL_FAIL, __LINE__, (u64)(val));		\
} while (0)

__guest_inline struct guest_exc *g_exc(void)
{
	struct guest_exc *e;

	asm volatile("mov %%gs:56, %0" : "=r"(e));
	return e;
}

__guest_inline u64 g_rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

/*
 * Run one instruction that may fault: G_TRY("insn", outputs : inputs : clobbers).
 * Gives -1, or the vector of the exception, which leaves its mark in g_exc().
 */
#define G_TRY(insn, ...) ({						\
	struct guest_exc *__e = g_exc();				\
	__e->vector = -1UL;						\
	__e->action = EXC_RESUME;					\
	asm volatile("lea 771f(%%rip), %%r11\n\t"			\
		     "mov %%r11, %%gs:8\n\t"				\
		     insn "\n"						\
		     "771:" : __VA_ARGS__);				\
	__e->action = EXC_REPORT;					\
	(int)__e->vector;						\
})

__guest_inline int g_rdmsr(u32 index, u64 *val)
{
	u32 lo = 0, hi = 0;
	int vec = G_TRY("rdmsr", "+a"(lo), "+d"(hi) : "c"(index) : "r11", "memory");

	*val = (u64)hi << 32 | lo;
	return vec;
}

__guest_inline int g_wrmsr(u32 index, u64 val)
{
	return G_TRY("wrmsr", : "a"((u32)val), "d"((u32)(val >> 32)),
		     "c"(index) : "r11", "memory");
}

__guest_inline void g_cpuid(u32 fn, u32 index, u32 r[4])
{
	asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
		     : "a"(fn), "c"(index));
}

#endif
