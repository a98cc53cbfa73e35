// SPDX-License-Identifier: GPL-2.0
/*
 * minikvm_util.c - the selftests' library: see minikvm_util.h for the model
 *
 * Order: failing, the device, VM memory, the guest's tables and exception
 * handler, vCPU modes, state, running, the host's log.
 */
#include <stdarg.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/time.h>

#include "minikvm_util.h"

extern u8 __executable_start[], end[];

void util_die(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "# %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	fflush(stderr);
	_exit(254);
}

/* ----------------------------------------------------------------- device */

const char *dev_path(void)
{
	const char *path = getenv("MINIKVM_DEV");

	return path ? path : "/dev/minikvm";
}

/* True on the stock module, whose differences by design some tests name. */
bool dev_is_stock(void)
{
	const char *base = strrchr(dev_path(), '/');

	return base && !strcmp(base, "/kvm");
}

int dev_open(void)
{
	int fd = open(dev_path(), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("open %s: %s", dev_path(), strerror(errno));
	return fd;
}

/* An ioctl whose result reads as the kernel's: negative errno. */
int kioctl(int fd, unsigned long req, unsigned long arg)
{
	int ret = ioctl(fd, req, arg);

	return ret < 0 ? -errno : ret;
}

int dev_cap(int cap)
{
	int fd = dev_open();
	int ret = kioctl(fd, KVM_CHECK_EXTENSION, cap);

	close(fd);
	return ret;
}

int vm_cap(struct vm *vm, int cap)
{
	return kioctl(vm->fd, KVM_CHECK_EXTENSION, cap);
}

int vm_enable_cap(struct vm *vm, u32 cap, u64 arg0)
{
	struct kvm_enable_cap ec = { .cap = cap, .args = { arg0 } };

	return kioctlp(vm->fd, KVM_ENABLE_CAP, &ec);
}

const char *exit_name(u32 reason)
{
	static const char * const names[] = {
		[KVM_EXIT_UNKNOWN] = "UNKNOWN",
		[KVM_EXIT_EXCEPTION] = "EXCEPTION",
		[KVM_EXIT_IO] = "IO",
		[KVM_EXIT_HYPERCALL] = "HYPERCALL",
		[KVM_EXIT_DEBUG] = "DEBUG",
		[KVM_EXIT_HLT] = "HLT",
		[KVM_EXIT_MMIO] = "MMIO",
		[KVM_EXIT_IRQ_WINDOW_OPEN] = "IRQ_WINDOW_OPEN",
		[KVM_EXIT_SHUTDOWN] = "SHUTDOWN",
		[KVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
		[KVM_EXIT_INTR] = "INTR",
		[KVM_EXIT_SET_TPR] = "SET_TPR",
		[KVM_EXIT_TPR_ACCESS] = "TPR_ACCESS",
		[KVM_EXIT_INTERNAL_ERROR] = "INTERNAL_ERROR",
		[KVM_EXIT_SYSTEM_EVENT] = "SYSTEM_EVENT",
		[KVM_EXIT_X86_RDMSR] = "X86_RDMSR",
		[KVM_EXIT_X86_WRMSR] = "X86_WRMSR",
	};
	static char other[32];

	if (reason < ARRAY_SIZE(names) && names[reason])
		return names[reason];
	snprintf(other, sizeof(other), "exit reason %u", reason);
	return other;
}

/* -------------------------------------------------------------- VM memory */

/* A VM without memory, for tests of the ioctls themselves. */
struct vm *vm_bare(void)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int dev = dev_open();

	do {
		vm->fd = kioctl(dev, KVM_CREATE_VM, 0);
	} while (vm->fd == -EINTR);	/* a test's timer */
	if (vm->fd < 0)
		die("KVM_CREATE_VM: %s", strerror(-vm->fd));
	close(dev);
	return vm;
}

void vm_free(struct vm *vm)
{
	for (int i = 0; i < vm->nvcpus; i++) {
		munmap(vm->vcpus[i]->run, vm->vcpus[i]->run_size);
		close(vm->vcpus[i]->fd);
		free(vm->vcpus[i]);
	}
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->ram)
		munmap(vm->ram, RAM_SIZE);
	if (vm->guest)
		munmap(vm->guest, vm->guest_size);
	free(vm);
}

int vm_slot(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 size, void *hva)
{
	struct kvm_userspace_memory_region mr = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (u64)hva,
	};

	return kioctlp(vm->fd, KVM_SET_USER_MEMORY_REGION, &mr);
}

void *vm_anon(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap of %zu bytes: %s", size, strerror(errno));
	return p;
}

/* A slot of fresh anonymous memory; gives its host address. */
void *vm_add(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 size)
{
	void *p = vm_anon(size);
	int ret = vm_slot(vm, slot, flags, gpa, size, p);

	if (ret)
		die("slot %u at %#lx: %s", slot, gpa, strerror(-ret));
	return p;
}

void *vm_ptr(struct vm *vm, u64 gpa)
{
	if (gpa < RAM_SIZE)
		return vm->ram + gpa;
	if (gpa >= vm->guest_gpa && gpa < vm->guest_gpa + vm->guest_size)
		return vm->guest + (gpa - vm->guest_gpa);
	die("guest address %#lx is in no slot", gpa);
}

void vm_load(struct vm *vm, u64 gpa, const void *from, const void *to)
{
	memcpy(vm_ptr(vm, gpa), from, (const u8 *)to - (const u8 *)from);
}

/* ---------------------------------------------- the guest's own tables */

/*
 * The 64-bit exception entry.  Stub n pushes an error code of 0 where the CPU
 * pushed none, then n; the common part fills struct guest_exc at GS and obeys
 * its action.  Offsets are those of the struct.
 */
extern u8 guest_exc_stubs[];
asm(".pushsection guest, \"ax\", @progbits\n"
	".balign 16\n"
	"guest_exc_stubs:\n"
	".set vec, 0\n"
	".rept 256\n"
	"	.balign 16\n"
	"	.if (vec != 8) && (vec != 17) && (vec != 21) && ((vec < 10) || (vec > 14))\n"
	"	push $0\n"
	"	.endif\n"
	"	push $vec\n"
	"	jmp guest_exc_common\n"
	"	.set vec, vec + 1\n"
	".endr\n"
	"guest_exc_common:\n"
	"	push %rax\n"
	"	push %rbx\n"
	"	mov 16(%rsp), %rax\n"
	"	mov %rax, %gs:24\n"
	"	mov %gs:16, %rbx\n"
	"	and $63, %ebx\n"
	"	add %gs:56, %rbx\n"
	"	mov %al, 80(%rbx)\n"
	"	incq %gs:16\n"
	"	mov 24(%rsp), %rax\n"
	"	mov %rax, %gs:32\n"
	"	mov 32(%rsp), %rax\n"
	"	mov %rax, %gs:40\n"
	"	mov 48(%rsp), %rax\n"
	"	mov %rax, %gs:64\n"
	"	mov %cr2, %rax\n"
	"	mov %rax, %gs:48\n"
	"	mov %gs:0, %rax\n"
	"	cmp $2, %rax\n"
	"	je 4f\n"
	"	cmp $1, %rax\n"
	"	jne 1f\n"
	"	mov %gs:8, %rax\n"		/* EXC_RESUME */
	"	mov %rax, 32(%rsp)\n"
	"	movq $0, %gs:0\n"
	"	jmp 3f\n"
	"1:	push %rdx\n"			/* EXC_REPORT, EXC_UCALL */
	"	push %rdi\n"
	"	push %rsi\n"
	"	mov %gs:24, %rdi\n"
	"	mov %gs:40, %rsi\n"
	"	cmp $3, %rax\n"
	"	mov $5, %eax\n"
	"	je 2f\n"
	"	mov $4, %eax\n"
	"2:	mov $0x3e8, %edx\n"
	"	out %eax, %dx\n"
	"	pop %rsi\n"
	"	pop %rdi\n"
	"	pop %rdx\n"
	"3:	pop %rbx\n"
	"	pop %rax\n"
	"	add $16, %rsp\n"
	"	iretq\n"
	"4:	lea g_halt_hlt(%rip), %rax\n"	/* EXC_IRET */
	"	cmp %rax, 32(%rsp)\n"
	"	jne 3b\n"
	"	incq 32(%rsp)\n"
	"	jmp 3b\n"
	".popsection\n");

/* The HLT has a name, for the entry above. */
ASM_GUEST(g_halt_code, "sti\ng_halt_hlt: hlt\ncli\nret\n");

_Static_assert(offsetof(struct guest_exc, self) == 56, "asm offset");
_Static_assert(offsetof(struct guest_exc, rflags) == 64, "asm offset");
_Static_assert(offsetof(struct guest_exc, log) == 80, "asm offset");

static void build_paging(struct vm *vm)
{
	u64 *pml4 = vm_ptr(vm, GPA_PML4), *pdpt = vm_ptr(vm, GPA_PDPT);
	u64 *pd = vm_ptr(vm, GPA_PD);

	pml4[0] = GPA_PDPT | 7;
	for (u64 i = 0; i < 4; i++)
		pdpt[i] = (GPA_PD + i * PAGE_SIZE) | 7;
	for (u64 i = 0; i < 2048; i++)
		pd[i] = i << 21 | 0x87;		/* PS, user, writable, present */
}

static void build_gdt(struct vm *vm)
{
	u64 *gdt = vm_ptr(vm, GPA_GDT);
	u64 *tss = vm_ptr(vm, GPA_TSS);

	gdt[1] = 0x00af9b000000ffff;		/* SEL_CODE64 */
	gdt[2] = 0x00cf93000000ffff;		/* SEL_DATA */
	gdt[3] = 0x00cf9b000000ffff;		/* SEL_CODE32 */
	gdt[5] = 0x00cff3000000ffff;		/* SEL_UDATA */
	gdt[6] = 0x00affb000000ffff;		/* SEL_UCODE */
	gdt[7] = 0x00008b0000000067 | (u64)GPA_TSS << 16;
	memcpy((u8 *)tss + 4, &(u64){ GPA_STACK - 0x1e000 }, 8);	/* RSP0 */
	*((u8 *)tss + 102) = 0x68;		/* no I/O permission bitmap */
}

static void build_idt(struct vm *vm)
{
	u64 *idt = vm_ptr(vm, GPA_IDT), *idt32 = vm_ptr(vm, GPA_IDT32);
	u32 *ivt = vm_ptr(vm, GPA_IVT16);
	u64 *stub = vm_ptr(vm, GPA_STUB);

	for (u64 n = 0; n < 256; n++) {
		u64 to = (u64)guest_exc_stubs + 16 * n, to32 = GPA_STUB + 8 * n;

		/* DPL 3, so that INT n works from user mode too. */
		idt[2 * n] = (to & 0xffff) | SEL_CODE64 << 16 |
			     0xeeULL << 40 | (to >> 16 & 0xffff) << 48;
		idt[2 * n + 1] = to >> 32;
		idt32[n] = (to32 & 0xffff) | SEL_CODE32 << 16 |
			   0xeeULL << 40 | (to32 >> 16) << 48;
		ivt[n] = to32;			/* segment 0 */
		/*
		 * nop; out; jmp back.  The NOP is for Bochs: with several CPUs
		 * it forgets that RIP changed when the first instruction of a
		 * handler exits.
		 */
		stub[n] = 0xfbeb00e690ULL | STUB_PORT << 16;
	}
}

/* A VM with RAM, its tables and the program's image; no vCPU yet. */
struct vm *vm_new(void)
{
	struct vm *vm = vm_bare();
	u64 lo = (u64)__executable_start & PAGE_MASK;
	u64 hi = ((u64)end + PAGE_SIZE - 1) & PAGE_MASK;
	int ret;

	ret = kioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000);
	if (ret)
		die("KVM_SET_TSS_ADDR: %s", strerror(-ret));
	vm->ram = vm_add(vm, 0, 0, 0, RAM_SIZE);
	vm->guest = vm_add(vm, 1, 0, lo, hi - lo);
	vm->guest_gpa = lo;
	vm->guest_size = hi - lo;
	memcpy(vm->guest + ((u64)__executable_start - lo), __executable_start,
	       end - __executable_start);
	build_paging(vm);
	build_gdt(vm);
	build_idt(vm);
	return vm;
}

/* ------------------------------------------------------------------ vCPUs */

struct vcpu *vcpu_bare(struct vm *vm, int id)
{
	struct vcpu *vcpu = calloc(1, sizeof(*vcpu));
	int dev = dev_open();

	if (vm->nvcpus == MAX_VCPUS)
		die("more than %d vCPUs", MAX_VCPUS);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = kioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (vcpu->fd < 0)
		die("KVM_CREATE_VCPU %d: %s", id, strerror(-vcpu->fd));
	vcpu->run_size = kioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 0);
	close(dev);
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		die("mmap of kvm_run: %s", strerror(errno));
	vm->vcpus[vm->nvcpus++] = vcpu;
	return vcpu;
}

struct vcpu *vcpu_new(struct vm *vm, int id)
{
	struct vcpu *vcpu = vcpu_bare(vm, id);
	struct cpuid_buf cpuid;
	int ret;

	supported_cpuid(&cpuid);
	ret = kioctlp(vcpu->fd, KVM_SET_CPUID2, &cpuid);
	if (ret)
		die("KVM_SET_CPUID2: %s", strerror(-ret));
	return vcpu;
}

void seg_set(struct kvm_segment *seg, u16 sel, u8 type, int l, int db, int dpl)
{
	*seg = (struct kvm_segment) {
		.limit = 0xffffffff, .selector = sel, .type = type,
		.present = 1, .dpl = dpl, .db = db, .s = 1, .l = l, .g = 1,
	};
}

/* All data segments as DS is. */
static void copy_ds(struct kvm_sregs *s)
{
	s->es = s->ds;
	s->ss = s->ds;
	s->fs = s->ds;
	s->gs = s->ds;
}

static void set_tables(struct kvm_sregs *s, u64 idt)
{
	s->gdt.base = GPA_GDT;
	s->gdt.limit = 9 * 8 - 1;
	s->idt.base = idt;
	s->idt.limit = idt == GPA_IDT ? 4095 : 2047;
	seg_set(&s->tr, SEL_TSS, 11, 0, 0, 0);
	s->tr.s = 0;
	s->tr.g = 0;
	s->tr.base = GPA_TSS;
	s->tr.limit = 0x67;
	memset(&s->ldt, 0, sizeof(s->ldt));
	s->ldt.unusable = 1;
}

static void start_at(struct vcpu *vcpu, struct kvm_sregs *s, u64 rip, u64 rsp)
{
	struct kvm_regs r = { .rip = rip, .rsp = rsp, .rflags = 2 };
	int ret = vcpu_set_sregs(vcpu, s);

	if (ret)
		die("KVM_SET_SREGS: %s", strerror(-ret));
	vcpu_set_regs(vcpu, &r);
}

void vcpu_long(struct vcpu *vcpu, void *entry)
{
	struct kvm_sregs s;
	u64 exc = GPA_EXC + vcpu->id * sizeof(struct guest_exc);

	vcpu_sregs(vcpu, &s);
	seg_set(&s.cs, SEL_CODE64, 11, 1, 0, 0);
	seg_set(&s.ds, SEL_DATA, 3, 0, 1, 0);
	copy_ds(&s);
	set_tables(&s, GPA_IDT);
	s.gs.base = exc;
	s.cr0 = 0x80050033;		/* PG AM WP NE ET MP PE */
	s.cr3 = GPA_PML4;
	s.cr4 = 0x620;			/* PAE OSFXSR OSXMMEXCPT */
	s.efer = 0xd01;			/* NXE LMA LME SCE */
	/* As if called: RSP is 8 off a multiple of 16. */
	start_at(vcpu, &s, (u64)entry, GPA_STACK - vcpu->id * 0x2000 - 8);
	vcpu->exc = vm_ptr(vcpu->vm, exc);
	memset(vcpu->exc, 0, sizeof(*vcpu->exc));
	vcpu->exc->self = exc;
}

/* Flat 32-bit protected mode, paging off; exceptions go to the host's stubs. */
void vcpu_prot32(struct vcpu *vcpu, u32 eip)
{
	struct kvm_sregs s;

	vcpu_sregs(vcpu, &s);
	seg_set(&s.cs, SEL_CODE32, 11, 0, 1, 0);
	seg_set(&s.ds, SEL_DATA, 3, 0, 1, 0);
	copy_ds(&s);
	set_tables(&s, GPA_IDT32);
	s.cr0 = 0x33;
	s.cr3 = 0;
	s.cr4 = 0x600;
	s.efer = 0;
	start_at(vcpu, &s, eip, GPA_STACK - vcpu->id * 0x2000);
}

/* Real mode; the stack is SS:SP = 0000:fff0. */
void vcpu_real(struct vcpu *vcpu, u16 cs, u16 ip)
{
	struct kvm_sregs s;

	vcpu_sregs(vcpu, &s);
	seg_set(&s.ds, 0, 3, 0, 0, 0);
	s.ds.g = 0;
	s.ds.limit = 0xffff;
	copy_ds(&s);
	s.cs = s.ds;
	s.cs.selector = cs;
	s.cs.base = cs << 4;
	s.cs.type = 11;
	set_tables(&s, GPA_IVT16);
	s.idt.limit = 0x3ff;
	s.cr0 = 0x10;
	s.cr3 = 0;
	s.cr4 = 0;
	s.efer = 0;
	start_at(vcpu, &s, ip, 0xfff0);
}

struct vcpu *vm_long(void *entry)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, 0);

	vcpu_long(vcpu, entry);
	return vcpu;
}

/* ------------------------------------------------------------------ state */

static void must(int fd, unsigned long req, void *arg, const char *name)
{
	int ret = kioctlp(fd, req, arg);

	if (ret)
		die("%s: %s", name, strerror(-ret));
}

#define MUST(vcpu, req, arg) must((vcpu)->fd, req, arg, #req)

void vcpu_regs(struct vcpu *vcpu, struct kvm_regs *regs)
{
	MUST(vcpu, KVM_GET_REGS, regs);
}

void vcpu_set_regs(struct vcpu *vcpu, const struct kvm_regs *regs)
{
	MUST(vcpu, KVM_SET_REGS, (void *)regs);
}

void vcpu_sregs(struct vcpu *vcpu, struct kvm_sregs *sregs)
{
	MUST(vcpu, KVM_GET_SREGS, sregs);
}

int vcpu_set_sregs(struct vcpu *vcpu, const struct kvm_sregs *sregs)
{
	return kioctlp(vcpu->fd, KVM_SET_SREGS, sregs);
}

void vcpu_events(struct vcpu *vcpu, struct kvm_vcpu_events *ev)
{
	MUST(vcpu, KVM_GET_VCPU_EVENTS, ev);
}

int vcpu_set_events(struct vcpu *vcpu, const struct kvm_vcpu_events *ev)
{
	return kioctlp(vcpu->fd, KVM_SET_VCPU_EVENTS, ev);
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry e;
};

/* 1 = done, 0 = refused by KVM, negative = errno: as the ioctl counts. */
int vcpu_get_msr(struct vcpu *vcpu, u32 index, u64 *data)
{
	struct one_msr m = { .head.nmsrs = 1, .e.index = index };
	int ret = kioctlp(vcpu->fd, KVM_GET_MSRS, &m);

	*data = m.e.data;
	return ret;
}

int vcpu_set_msr(struct vcpu *vcpu, u32 index, u64 data)
{
	struct one_msr m = {
		.head.nmsrs = 1, .e.index = index, .e.data = data,
	};

	return kioctlp(vcpu->fd, KVM_SET_MSRS, &m);
}

/*
 * The guest is going to set XCR0.  QEMU TCG: XSETBV does not exit from SVM, so KVM
 * must be told by other means, or the value is gone at the next entry.
 */
void vcpu_will_set_xcr0(struct vcpu *vcpu, u64 xcr0)
{
	struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs = { { .value = xcr0 } } };

	if (host_is_tcg())
		MUST(vcpu, KVM_SET_XCRS, &x);
}

void supported_cpuid(struct cpuid_buf *buf)
{
	int dev = dev_open(), ret;

	memset(buf, 0, sizeof(*buf));
	buf->head.nent = MAX_CPUID;
	ret = kioctlp(dev, KVM_GET_SUPPORTED_CPUID, buf);
	if (ret)
		die("KVM_GET_SUPPORTED_CPUID: %s", strerror(-ret));
	close(dev);
}

struct kvm_cpuid_entry2 *cpuid_find(struct cpuid_buf *buf, u32 fn, u32 index)
{
	for (u32 i = 0; i < buf->head.nent; i++) {
		struct kvm_cpuid_entry2 *e = &buf->e[i];

		if (e->function == fn &&
		    (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) ||
		     e->index == index))
			return e;
	}
	return NULL;
}

/* One feature bit of what the module supports; reg is 'a', 'b', 'c' or 'd'. */
bool cpuid_has(u32 fn, u32 index, char reg, int bit)
{
	static struct cpuid_buf buf;
	struct kvm_cpuid_entry2 *e;

	if (!buf.head.nent)
		supported_cpuid(&buf);
	e = cpuid_find(&buf, fn, index);
	return e && ((&e->eax)[reg - 'a'] >> bit & 1);
}

/* ---------------------------------------------------------------- running */

int vcpu_run(struct vcpu *vcpu)
{
	return kioctl(vcpu->fd, KVM_RUN, 0);
}

/* Run to an exit and give its reason; a KVM_RUN that fails ends the test. */
u32 vcpu_exit(struct vcpu *vcpu)
{
	int ret = vcpu_run(vcpu);

	if (ret) {
		vcpu_dump(vcpu);
		die("KVM_RUN of vCPU %d: %s", vcpu->id, strerror(-ret));
	}
	return vcpu->run->exit_reason;
}

struct ucall vcpu_ucall(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct ucall uc = { .cmd = UCALL_NONE, .a = vcpu_exit(vcpu) };
	struct kvm_regs r;

	if (run->exit_reason != KVM_EXIT_IO || run->io.port != UCALL_PORT ||
	    run->io.direction != KVM_EXIT_IO_OUT) {
		vcpu_dump(vcpu);
		return uc;
	}
	vcpu_regs(vcpu, &r);
	uc.cmd = *(u32 *)((u8 *)run + run->io.data_offset);
	uc.a = r.rdi;
	uc.b = r.rsi;
	return uc;
}

/*
 * Run to the next exit that is no MMIO, serving those: a ucall, or UCALL_NONE
 * with run->exit_reason for the test to judge.
 */
struct ucall vcpu_mmio(struct vcpu *vcpu, struct mmio_log *log)
{
	struct kvm_run *run = vcpu->run;

	for (;;) {
		struct ucall uc = { .cmd = UCALL_NONE };
		struct kvm_regs r;
		int i = log->n % 64;

		if (vcpu_exit(vcpu) == KVM_EXIT_IO &&
		    run->io.port == UCALL_PORT) {
			vcpu_regs(vcpu, &r);
			uc.cmd = *(u32 *)((u8 *)run + run->io.data_offset);
			uc.a = r.rdi;
			uc.b = r.rsi;
			return uc;
		}
		if (run->exit_reason != KVM_EXIT_MMIO)
			return uc;
		log->e[i].addr = run->mmio.phys_addr;
		log->e[i].len = run->mmio.len;
		log->e[i].write = run->mmio.is_write;
		if (run->mmio.len > 8)
			die("MMIO of %u bytes", run->mmio.len);
		if (!run->mmio.is_write)
			memcpy(run->mmio.data, &log->pattern, 8);
		log->e[i].data = 0;
		memcpy(&log->e[i].data, run->mmio.data, run->mmio.len);
		log->n++;
	}
}

/* The vector of the 16/32-bit stub that made this exit, or -1. */
int vcpu_stub_vector(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct kvm_regs r;

	if (run->exit_reason != KVM_EXIT_IO || run->io.port != STUB_PORT)
		return -1;
	vcpu_regs(vcpu, &r);
	return (r.rip - GPA_STUB) / 8;
}

void vcpu_dump(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct kvm_regs r;
	struct kvm_sregs s;

	vcpu_regs(vcpu, &r);
	vcpu_sregs(vcpu, &s);
	fprintf(stderr, "# vCPU %d: exit %s rip %#llx rsp %#llx rflags %#llx\n",
		vcpu->id, exit_name(run->exit_reason), r.rip, r.rsp, r.rflags);
	fprintf(stderr, "#   rax %#llx rbx %#llx rcx %#llx rdx %#llx rsi %#llx rdi %#llx\n",
		r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi);
	fprintf(stderr, "#   cr0 %#llx cr2 %#llx cr3 %#llx cr4 %#llx efer %#llx cs %#x\n",
		s.cr0, s.cr2, s.cr3, s.cr4, s.efer, s.cs.selector);
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		fprintf(stderr, "#   port %#x size %u count %u dir %u\n",
			run->io.port, run->io.size, run->io.count,
			run->io.direction);
		break;
	case KVM_EXIT_MMIO:
		fprintf(stderr, "#   mmio %#llx len %u write %u\n",
			run->mmio.phys_addr, run->mmio.len,
			run->mmio.is_write);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		fprintf(stderr, "#   suberror %u ndata %u: %#llx %#llx %#llx %#llx\n",
			run->internal.suberror, run->internal.ndata,
			run->internal.data[0], run->internal.data[1],
			run->internal.data[2], run->internal.data[3]);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		fprintf(stderr, "#   hardware reason %#llx\n",
			run->fail_entry.hardware_entry_failure_reason);
		break;
	}
}

/* ------------------------------------------------------------------- host */

u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void ignore_signal(int sig)
{
	(void)sig;
}

/* The 12 characters in EBX, and ECX and EDX in the order given, of a CPUID leaf. */
static bool signature_is(u32 leaf, const char *want, bool edx_first)
{
	u32 a = leaf, b, c = 0, d;
	char text[12];

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	memcpy(text, &b, 4);
	memcpy(text + 4, edx_first ? &d : &c, 4);
	memcpy(text + 8, edx_first ? &c : &d, 4);
	return !memcmp(text, want, 12);
}

/* The host has VMX, and VMCALL is its hypercall. */
bool host_is_intel(void)
{
	return signature_is(0, "GenuineIntel", true);
}

/* The host has SVM, and VMMCALL is its hypercall. */
bool host_is_amd(void)
{
	return signature_is(0, "AuthenticAMD", true) ||
	       signature_is(0, "HygonGenuine", true);
}

/* The host's CPU is QEMU's software emulation, whose SVM has holes. */
bool host_is_tcg(void)
{
	u32 a = 1, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return c >> 31 && signature_is(0x40000000, "TCGTCGTCGTCG", false);
}

/* SIGALRM interrupts KVM_RUN instead of killing the test. */
void alarm_handler(void)
{
	struct sigaction sa = { .sa_handler = ignore_signal };

	sigaction(SIGALRM, &sa, NULL);
}

void set_timer_ms(int ms)
{
	struct itimerval it = {
		.it_value = { .tv_sec = ms / 1000,
			      .tv_usec = ms % 1000 * 1000 },
	};

	setitimer(ITIMER_REAL, &it, NULL);
}

int host_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

/* Does /proc/cpuinfo name it, in this list ("flags", "vmx flags") of any CPU? */
bool cpu_has_flag(const char *list, const char *flag)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[8192], word[64];
	bool has = false;

	snprintf(word, sizeof(word), " %s ", flag);
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = ' ';
		has |= !strncmp(line, list, strlen(list)) && strstr(line, word);
	}
	if (f)
		fclose(f);
	return has;
}

void pin_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("pin to CPU %d: %s", cpu, strerror(errno));
}

/* A counter of minikvm's, of all VMs together; -1: there is none. */
long module_counter(const char *name)
{
	char path[128], text[64] = "";
	int fd;

	if (access("/sys/kernel/debug/minikvm", F_OK))
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	snprintf(path, sizeof(path), "/sys/kernel/debug/minikvm/%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) < 0)
		die("read: %m");
	close(fd);
	return atol(text);
}

/* The same of one VM. */
long vm_counter(struct vm *vm, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "%d-%d/%s", getpid(), vm->fd, name);
	return module_counter(path);
}

/*
 * What the host says of the second level's tables, in KiB, with what its CPUs have counted
 * by themselves till now; -1: it does not.
 */
long host_table_kib(void)
{
	write_text("/proc/sys/vm/stat_refresh", "1");
	return number_after("/proc/meminfo", "SecPageTables:");
}

/*
 * Pages that the second level's tables take, of all VMs together: our own counter, or of
 * the stock module what the host says; -1: there is none.
 */
long table_pages(void)
{
	long kib;

	if (!dev_is_stock())
		return module_counter("pt_pages");
	kib = host_table_kib();
	return kib < 0 ? -1 : kib / 4;
}

/* Does a VM that is gone leave no table?  Some may be freed a little later. */
bool table_pages_back_to(long before)
{
	for (int i = 0; i < 100 && table_pages() > before; i++)
		usleep(10000);
	return table_pages() <= before;
}

static const char * const page_gauges[3] = { "pages_4k", "pages_2m", "pages_1g" };

void mem_use(struct mem_use *use)
{
	use->tables = table_pages();
	for (int i = 0; i < 3; i++)
		use->pages[i] = dev_is_stock() ? -1 : module_counter(page_gauges[i]);
}

/* What a test in which VMs have come and gone ends with. */
bool mem_use_back_to(const struct mem_use *before)
{
	bool back = table_pages_back_to(before->tables);
	struct mem_use now;

	mem_use(&now);
	back &= !memcmp(now.pages, before->pages, sizeof(now.pages));
	if (!back)
		printf("# in use: tables %ld (before %ld), pages %ld %ld %ld (%ld %ld %ld)\n",
		       now.tables, before->tables, now.pages[0], now.pages[1], now.pages[2],
		       before->pages[0], before->pages[1], before->pages[2]);
	return back;
}

/* For the files of /proc and /sys.  0 or -errno. */
int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), ret = 0;

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ret = -errno;
	if (fd >= 0)
		close(fd);
	return ret;
}

/* The number behind a word in a file of "word number" lines; -1: not there. */
long number_after(const char *path, const char *word)
{
	char line[256], name[64];
	long n, found = -1;
	FILE *f = fopen(path, "r");

	while (f && found < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", name, &n) == 2 && !strcmp(name, word))
			found = n;
	if (f)
		fclose(f);
	return found;
}

/* How many of these pages of ours have the bit in /proc/self/pagemap? */
u64 pages_that_are(void *mem, u64 pages, u64 bit)
{
	ssize_t len = pages * sizeof(u64);
	u64 *entries = malloc(len), count = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (pread(fd, entries, len, (u64)mem / PAGE_SIZE * sizeof(u64)) != len)
		die("pagemap: %s", strerror(errno));
	for (u64 i = 0; i < pages; i++)
		count += !!(entries[i] & bit);
	close(fd);
	free(entries);
	return count;
}

/* The number that a file begins with; -1: there is none. */
long read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long n = -1;

	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

static int kmsg = -1;

/* From here on log_has_warning() and log_contains() look at the host's log. */
void log_mark(void)
{
	if (kmsg < 0)
		kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		die("open /dev/kmsg: %s", strerror(errno));
	lseek(kmsg, 0, SEEK_END);
}

static bool log_search(const char * const *words, int n)
{
	char line[2048];
	ssize_t len;

	while ((len = read(kmsg, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (len <= 0)
			continue;
		line[len] = 0;
		for (int i = 0; i < n; i++) {
			if (strstr(line, words[i]))
				return true;
		}
	}
	return false;
}

/* True if the kernel complained since log_mark(). */
bool log_has_warning(void)
{
	static const char * const words[] = {
		"WARNING:", "BUG:", "Oops", "general protection", "lockup",
		"unchecked MSR", "refcount_t", "Call Trace",
	};

	return log_search(words, ARRAY_SIZE(words));
}

/* True if this text was logged since log_mark(). */
bool log_contains(const char *text)
{
	return log_search(&text, 1);
}
