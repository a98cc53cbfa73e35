// SPDX-License-Identifier: GPL-2.0
/*
 * io.c - port I/O, memory-mapped I/O, and what binds emulate.c to a vCPU
 *
 * All devices live in the VMM.  An access to one leaves the guest, is turned
 * into a KVM_EXIT_IO or KVM_EXIT_MMIO, and the next KVM_RUN completes it.
 * There are two ways in:
 *
 *   kvm_fast_pio()		IN and OUT of a register: hardware has decoded the
 *				instruction, nothing is to be emulated
 *   kvm_emulate_mmio()		a gpa without memory, or a write to read-only
 *   kvm_emulate_instruction()	memory; INS and OUTS; MOV CR where hardware does
 *				not decode it.  It says little or nothing about
 *				the instruction: emulate.c runs it
 *
 * A read cannot be answered at once.  It is asked for (io_ask), userspace
 * answers in kvm_run, and the instruction is emulated again from its start with
 * the answer at hand.  An instruction with two reads, or one that is wider than
 * the 8 bytes of kvm_run, takes several rounds:
 *
 *	KVM_RUN		EPT violation -> emulate: read A not known -> exit
 *	KVM_RUN		note A's data -> emulate: A known, B not   -> exit
 *	KVM_RUN		note B's data -> emulate: all known, done  -> guest
 *
 * Until the last round nothing of the guest has changed, so userspace may look
 * at it, change it or save it.  If it moves RIP, the instruction is forgotten:
 * it was a reset, or the VMM handled the access in its own way.  Setting
 * registers by itself does not cancel an access, because a VMM that reads and
 * writes back all registers while it serves one is quite normal.
 *
 * A write needs no answer.  It is posted: the instruction completes, the
 * guest's registers are written back, and then userspace is told, fragment by
 * fragment.  What an instruction's end brings with it (a debugger's step, #DB of
 * TF) comes after the last fragment.  (A plain OUT, unlike all others, exits
 * with RIP still on the instruction: that is how KVM does it and VMMs know it.)
 *
 * Userspace may write to kvm_run at any time, from other threads too.  So it is
 * only ever written here, with one exception: the answer's data bytes, as many
 * as this file noted for itself, each copied once.
 *
 * Rules.  All state is the vCPU's own: vcpu->mutex is held, and kvm->srcu
 * for reading, as guest memory and slots are looked at.  The vCPU is loaded.
 * Work without a return to the run loop, where signals and events are looked
 * at, is bounded by IO_MAX_ROUNDS.
 *
 * Left out: data breakpoints (DR7) on emulated accesses; atomicity of a locked
 * access that is not naturally aligned or not all in RAM.
 */
#include <linux/export.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "emulate.h"
#include "irq.h"
#include "kvm_host.h"
#include "trace.h"

/* kvm_run has room for this many bytes of MMIO: an access is cut in such pieces. */
#define IO_MAX_MMIO	8
/*
 * An operand of 32 bytes that crosses a page has 5 fragments (13 + 19 bytes: 8, 5,
 * 8, 8, 3); CMPS or a push from memory may read two operands, and a check of the
 * I/O permission bitmap adds two words.
 */
#define IO_MAX_READS	16
#define IO_MAX_WRITES	8
/* Calls of the emulator for one exit; each may be X86EMUL_REP_BATCH iterations. */
#define IO_MAX_ROUNDS	16
/* Two operands that cross a page each. */
#define IO_MAX_TRANSLATIONS	4

/* A piece of an access, as userspace sees it. */
struct mmio_fragment {
	gpa_t gpa;
	u8 len;			/* 1..IO_MAX_MMIO; 0: none */
	u8 data[IO_MAX_MMIO];
};

enum pio_state {
	PIO_IDLE,
	PIO_ASKED,		/* an IN is at userspace, or will be */
	PIO_ANSWERED,		/* its data is in the port I/O page */
	PIO_POSTED,		/* an OUT's data is in the page, to be sent */
};

/*
 * A page that the instruction touches, looked up once and not for each round.  As
 * good as an entry of a TLB: the guest can demand a new walk only by what it does
 * after this instruction, and userspace only by changing struct io_paging (PKRU
 * aside, for which it would have to catch a read in flight).
 */
struct io_translation {
	u64 linear;		/* of the page */
	gpa_t gpa;
	u32 access;		/* KVM_FAULT_* that it was looked up for */
};

/* What decides where an instruction is and what an address means. */
struct io_paging {
	u64 cr0, cr3, cr4, efer, pdptrs[4];
	u64 cs_base;
	u32 cs_limit;
	enum x86emul_mode mode;
	unsigned int cpl;
	bool real_cs_d;
	bool ac;
};

/**
 * struct kvm_io_state - a vCPU's instruction under emulation
 * @ctxt:	the emulator's
 * @reads:	reads of this instruction that userspace has answered, in order
 * @nr_reads:	how many
 * @next_read:	the one that the next read() of this round should be for
 * @ask:	the read that has to be asked for; len 0 if none
 * @writes:	posted, to be sent to userspace
 * @nr_writes:	how many
 * @next_write:	first that is not sent yet
 * @pio:	the one port access of this instruction
 * @paging:	with which the next two, and the bytes in @ctxt, were got
 * @translations: pages that the instruction touches
 * @nr_translations: how many were looked up; more than fit push out the oldest
 * @rip:	RIP at the exit to userspace: another one later cancels
 * @gpa:	what hardware says was accessed, or INVALID_GPA
 * @unplaced:	KVM_FAULT_READ or WRITE: that is the gpa of the operand, whose linear
 *		address hardware did not tell; 0 once an operand was looked up
 * @rflags:	before the instruction, a debugger's TF included, for the trap at
 *		its end
 * @error:	why a hook could not do its part, if it is KVM_RUN's errno
 * @tpr_lowered: the instruction has written a smaller value to CR8
 * @restart:	a REP instruction whose next iterations are still to come
 * @features_known: CPUID was looked at; it does not change after the first run
 * @features:	X86EMUL_FEAT_*
 * @io_buf:	scratch of the emulator
 */
struct kvm_io_state {
	struct x86_emulate_ctxt ctxt;
	struct mmio_fragment reads[IO_MAX_READS];
	unsigned int nr_reads, next_read;
	struct mmio_fragment ask;
	struct mmio_fragment writes[IO_MAX_WRITES];
	unsigned int nr_writes, next_write;
	struct {
		enum pio_state state;
		u16 port;
		u8 size;
		u32 count;
	} pio;
	struct io_paging paging;
	struct io_translation translations[IO_MAX_TRANSLATIONS];
	unsigned int nr_translations;
	unsigned long rip;
	gpa_t gpa;
	u32 unplaced;
	unsigned long rflags;
	int error;
	bool tpr_lowered;
	bool restart;
	bool features_known;
	u32 features;
	u8 io_buf[X86EMUL_IO_BUF];
};

static const struct x86_emulate_ops io_emulate_ops;

/**
 * kvm_io_vcpu_create() - make a vCPU's emulation state
 * @vcpu: the vCPU, not yet visible to anyone
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_io_vcpu_create(struct kvm_vcpu *vcpu)
{
	struct kvm_io_state *io = kvzalloc(sizeof(*io), GFP_KERNEL_ACCOUNT);

	BUILD_BUG_ON(X86EMUL_IO_BUF > PAGE_SIZE);
	if (!io)
		return -ENOMEM;
	io->ctxt.ops = &io_emulate_ops;
	io->ctxt.priv = vcpu;
	io->ctxt.io_buf = io->io_buf;
	vcpu->arch.io = io;
	return 0;
}

/**
 * kvm_io_vcpu_destroy() - the mirror image; harmless if creation failed
 * @vcpu: the vCPU, no longer in use
 */
void kvm_io_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	kvfree(vcpu->arch.io);
	vcpu->arch.io = NULL;
}

/* Forget the instruction and all that userspace answered for it. */
static void io_forget(struct kvm_io_state *io)
{
	io->nr_reads = 0;
	io->next_read = 0;
	io->ask.len = 0;
	io->nr_writes = 0;
	io->next_write = 0;
	io->pio.state = PIO_IDLE;
	io->restart = false;
	io->tpr_lowered = false;
	io->error = 0;
}

/* And where it was found. */
static void io_forget_translations(struct kvm_io_state *io)
{
	io->nr_translations = 0;
	io->unplaced = 0;
	io->ctxt.fetched = 0;
}

static void io_note_translation(struct kvm_io_state *io, u64 linear, gpa_t gpa, u32 access)
{
	unsigned int i = io->nr_translations++ % IO_MAX_TRANSLATIONS;

	io->translations[i] = (struct io_translation){
		.linear = linear & PAGE_MASK,
		.gpa = gpa & PAGE_MASK,
		.access = access,
	};
}

/* A write to read-only memory (a ROM's slot) is an access to a device. */
static bool io_is_ram(struct kvm *kvm, gpa_t gpa, bool write)
{
	struct kvm_memory_slot *slot = gfn_to_memslot(kvm, gpa_to_gfn(gpa));

	return slot && !(write && (slot->flags & KVM_MEM_READONLY));
}

/* ---- devices in the kernel ---- */

/* 0: one of them did it.  Else userspace is to be asked. */
static int device_read(struct kvm_vcpu *vcpu, gpa_t gpa, void *data, unsigned int len)
{
	if (lapic_in_kernel(vcpu) && kvm_apic_mmio_in_range(vcpu, gpa)) {
		kvm_apic_mmio_read(vcpu, gpa, data, len);
		return 0;
	}
	return kvm_io_bus_read(vcpu, KVM_MMIO_BUS, gpa, len, data);
}

static int device_write(struct kvm_vcpu *vcpu, const struct mmio_fragment *frag)
{
	if (lapic_in_kernel(vcpu) && kvm_apic_mmio_in_range(vcpu, frag->gpa)) {
		kvm_apic_mmio_write(vcpu, frag->gpa, frag->data, frag->len);
		return 0;
	}
	return kvm_io_bus_write(vcpu, KVM_MMIO_BUS, frag->gpa, frag->len, frag->data);
}

/* One device has a port: who did the first of @count does them all. */
static int device_in(struct kvm_vcpu *vcpu, u16 port, unsigned int size, void *data,
		     unsigned int count)
{
	unsigned int i;
	int r;

	for (i = 0; i < count; i++) {
		r = kvm_io_bus_read(vcpu, KVM_PIO_BUS, port, size, data + i * size);
		if (r && !i)
			return r;
		if (r)
			memset(data + i * size, 0xff, size);	/* it was just removed */
	}
	return 0;
}

static int device_out(struct kvm_vcpu *vcpu, u16 port, unsigned int size, const void *data,
		      unsigned int count)
{
	unsigned int i;
	int r;

	for (i = 0; i < count; i++) {
		r = kvm_io_bus_write(vcpu, KVM_PIO_BUS, port, size, data + i * size);
		if (r && !i)
			return r;
	}
	return 0;
}

/* ---- exits to userspace ---- */

static void *pio_page(struct kvm_vcpu *vcpu)
{
	return (void *)vcpu->run + KVM_PIO_PAGE_OFFSET * PAGE_SIZE;
}

/*
 * Every port access that the kernel does not answer passes here, so devices
 * in the kernel would be asked just before.  The data of an OUT is in the page.
 */
static int exit_pio(struct kvm_vcpu *vcpu, bool in, u16 port, unsigned int size,
		    unsigned int count, int (*complete)(struct kvm_vcpu *vcpu))
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = size;
	run->io.port = port;
	run->io.count = count;
	run->io.data_offset = KVM_PIO_PAGE_OFFSET * PAGE_SIZE;
	vcpu->arch.complete_userspace_io = complete;
	return 0;
}

/* The same for every fragment of MMIO. */
static int exit_mmio(struct kvm_vcpu *vcpu, bool is_write, const struct mmio_fragment *frag,
		     int (*complete)(struct kvm_vcpu *vcpu))
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = frag->gpa;
	run->mmio.len = frag->len;
	run->mmio.is_write = is_write;
	memcpy(run->mmio.data, frag->data, sizeof(frag->data));
	vcpu->stat.mmio_exits++;
	vcpu->arch.complete_userspace_io = complete;
	return 0;
}

/* ---- IN and OUT of a register ---- */

/*
 * Is the vCPU still at the instruction that exited?  The offset is compared,
 * not CS:RIP: who reset the vCPU has moved it far from any IN or OUT, and the
 * base of CS would have to be fetched for each of them.
 */
static bool io_rip_moved(struct kvm_vcpu *vcpu)
{
	return kvm_rip_read(vcpu) != vcpu->arch.io->rip;
}

static int complete_fast_out(struct kvm_vcpu *vcpu)
{
	if (io_rip_moved(vcpu))
		return 1;
	return kvm_skip_emulated_instruction(vcpu);
}

/* RIP is past the instruction already; its end was put off. */
static int complete_fast_out_7e(struct kvm_vcpu *vcpu)
{
	return kvm_debug_after_insn(vcpu, vcpu->arch.io->rflags);
}

static int finish_fast_in(struct kvm_vcpu *vcpu, const void *data, unsigned int size)
{
	unsigned long val = 0;

	/* A write to AL or AX keeps the rest of RAX, one to EAX clears it. */
	if (size < 4)
		val = kvm_register_read_raw(vcpu, VCPU_REGS_RAX);
	memcpy(&val, data, size);
	kvm_register_write_raw(vcpu, VCPU_REGS_RAX, val);
	return kvm_skip_emulated_instruction(vcpu);
}

static int complete_fast_in(struct kvm_vcpu *vcpu)
{
	struct kvm_io_state *io = vcpu->arch.io;

	io->pio.state = PIO_IDLE;
	if (io_rip_moved(vcpu))
		return 1;
	return finish_fast_in(vcpu, pio_page(vcpu), io->pio.size);
}

static int fast_out(struct kvm_vcpu *vcpu, int size, unsigned short port)
{
	unsigned long val = kvm_register_read_raw(vcpu, VCPU_REGS_RAX);

	if (!device_out(vcpu, port, size, &val, 1))
		return kvm_skip_emulated_instruction(vcpu);
	memcpy(pio_page(vcpu), &val, size);
	/*
	 * Port 7E: an old firmware's OUT to it is served by VMMs that save the
	 * vCPU at this exit and expect it to be past the instruction.  A quirk
	 * that a VMM can switch off.
	 */
	if (port == 0x7e && !(vcpu->kvm->arch.disabled_quirks & KVM_X86_QUIRK_OUT_7E_INC_RIP)) {
		vcpu->arch.io->rflags = kvm_get_rflags_raw(vcpu);
		kvm_x86_ops.skip_emulated_instruction(vcpu);
		return exit_pio(vcpu, false, port, size, 1, complete_fast_out_7e);
	}
	return exit_pio(vcpu, false, port, size, 1, complete_fast_out);
}

/**
 * kvm_fast_pio() - IN or OUT between a port and AL, AX or EAX
 * @vcpu: the vCPU; RIP is at the instruction, all its checks are done
 * @size: 1, 2 or 4 bytes
 * @port: which port
 * @in:   IN, else OUT
 *
 * RIP stays on the instruction during the exit, and is moved on completion
 * unless userspace has set it meanwhile.
 *
 * Return: 1: a device in the kernel did it; 0: kvm_run tells userspace what to do.
 */
int kvm_fast_pio(struct kvm_vcpu *vcpu, int size, unsigned short port, bool in)
{
	struct kvm_io_state *io = vcpu->arch.io;
	u32 val;

	io->rip = kvm_rip_read(vcpu);
	if (!in)
		return fast_out(vcpu, size, port);
	if (!device_in(vcpu, port, size, &val, 1))
		return finish_fast_in(vcpu, &val, size);
	io->pio.size = size;
	return exit_pio(vcpu, true, port, size, 1, complete_fast_in);
}
EXPORT_SYMBOL_GPL(kvm_fast_pio);

/* ---- the emulator's view of the vCPU ---- */

static u32 io_guest_features(struct kvm_vcpu *vcpu)
{
	static const struct {
		unsigned int feature;
		u32 bit;
	} map[] = {
		{ X86_FEATURE_MOVBE,	X86EMUL_FEAT_MOVBE },
		{ X86_FEATURE_POPCNT,	X86EMUL_FEAT_POPCNT },
		{ X86_FEATURE_ABM,	X86EMUL_FEAT_LZCNT },
		{ X86_FEATURE_BMI1,	X86EMUL_FEAT_TZCNT },
		{ X86_FEATURE_CX16,	X86EMUL_FEAT_CX16 },
		{ X86_FEATURE_XMM3,	X86EMUL_FEAT_SSE3 },
		{ X86_FEATURE_XMM4_1,	X86EMUL_FEAT_SSE41 },
		{ X86_FEATURE_AVX,	X86EMUL_FEAT_AVX },
		{ X86_FEATURE_AVX2,	X86EMUL_FEAT_AVX2 },
		{ X86_FEATURE_CR8_LEGACY, X86EMUL_FEAT_ALT_CR8 },
	};
	u32 features = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (guest_cpuid_has(vcpu, map[i].feature))
			features |= map[i].bit;
	return features;
}

/* Outside 64-bit mode, where CS counts. */
static enum x86emul_mode io_legacy_mode(struct kvm_vcpu *vcpu, const struct kvm_segment *cs,
					unsigned long rflags)
{
	if (!is_protmode(vcpu))
		return X86EMUL_MODE_REAL;
	if (rflags & X86_EFLAGS_VM)
		return X86EMUL_MODE_VM86;
	return cs->db ? X86EMUL_MODE_PROT32 : X86EMUL_MODE_PROT16;
}

static void io_get_paging(struct kvm_vcpu *vcpu, unsigned long rflags, struct io_paging *p)
{
	struct kvm_segment cs;

	memset(p, 0, sizeof(*p));	/* padding too: it is compared as bytes */
	p->cr0 = kvm_read_cr0(vcpu);
	p->cr3 = kvm_read_cr3(vcpu);
	p->cr4 = kvm_read_cr4(vcpu);
	p->efer = vcpu->arch.efer;
	if (is_pae_paging(vcpu)) {
		kvm_register_fetch(vcpu, VCPU_EXREG_PDPTR);
		memcpy(p->pdptrs, vcpu->arch.pdptrs, sizeof(p->pdptrs));
	}
	if (is_64_bit_mode(vcpu)) {
		p->mode = X86EMUL_MODE_LONG64;
	} else {
		kvm_x86_ops.get_segment(vcpu, &cs, VCPU_SREG_CS);
		p->cs_base = cs.base;
		p->cs_limit = cs.limit;
		p->mode = io_legacy_mode(vcpu, &cs, rflags);
		p->real_cs_d = p->mode == X86EMUL_MODE_REAL && cs.db;
	}
	p->cpl = kvm_x86_ops.get_cpl(vcpu);
	p->ac = rflags & X86_EFLAGS_AC;
}

/* RIP and all that tells where its instruction is and how it is to be read. */
static void io_load_mode(struct kvm_vcpu *vcpu)
{
	struct kvm_io_state *io = vcpu->arch.io;
	struct x86_emulate_ctxt *ctxt = &io->ctxt;
	struct io_paging paging;

	ctxt->rip = kvm_rip_read(vcpu);
	/* A debugger's TF too: it wants each iteration of a REP to itself. */
	ctxt->rflags = kvm_get_rflags_raw(vcpu);

	/* Another round of the same instruction need not fetch and walk again. */
	io_get_paging(vcpu, ctxt->rflags, &paging);
	if (memcmp(&paging, &io->paging, sizeof(paging))) {
		io->paging = paging;
		io_forget_translations(io);
	}
	ctxt->mode = paging.mode;
	ctxt->real_cs_d = paging.real_cs_d;
	ctxt->cpl = paging.cpl;
	ctxt->cr0 = paging.cr0;
	ctxt->cr4 = paging.cr4;
}

static void io_load_ctxt(struct kvm_vcpu *vcpu)
{
	struct kvm_io_state *io = vcpu->arch.io;
	struct x86_emulate_ctxt *ctxt = &io->ctxt;
	int i;

	BUILD_BUG_ON((int)X86EMUL_R15 != (int)VCPU_REGS_R15);
	if (!io->features_known) {
		io->features = io_guest_features(vcpu);
		io->features_known = true;
	}
	for (i = 0; i < X86EMUL_NR_GPRS; i++)
		ctxt->gpr[i] = kvm_register_read_raw(vcpu, i);
	ctxt->features = io->features;
	ctxt->xcr0 = vcpu->arch.xcr0;
	io_load_mode(vcpu);
}

/* Part of an instruction's end: what it did becomes the guest's state. */
static void io_store_ctxt(struct kvm_vcpu *vcpu)
{
	struct kvm_io_state *io = vcpu->arch.io;
	unsigned long dirty = io->ctxt.regs_dirty;
	int i;

	for_each_set_bit(i, &dirty, X86EMUL_NR_GPRS)
		kvm_register_write_raw(vcpu, i, io->ctxt.gpr[i]);
	kvm_rip_write(vcpu, io->ctxt.rip);
	if (io->ctxt.rflags != io->rflags)
		kvm_set_rflags(vcpu, io->ctxt.rflags);
	/* STI and MOV SS hold events off for one instruction: this was it. */
	if (kvm_x86_ops.get_interrupt_shadow(vcpu)) {
		kvm_x86_ops.set_interrupt_shadow(vcpu, 0);
		kvm_make_request(KVM_REQ_EVENT, vcpu);
	}
}

/* ---- the emulation of one exit ---- */

/* Something waits for the run loop: a REP instruction lets it have its turn. */
static bool io_must_yield(struct kvm_vcpu *vcpu)
{
	return kvm_request_pending(vcpu) || vcpu->arch.exception.pending ||
	       signal_pending(current) || need_resched() ||
	       minikvm_immediate_exit(vcpu->run) ||
	       READ_ONCE(vcpu->run->request_interrupt_window);
}

static int io_emulate(struct kvm_vcpu *vcpu);
static int complete_emulated_read(struct kvm_vcpu *vcpu);
static int complete_posted(struct kvm_vcpu *vcpu);

/* A hook wants data that only userspace has. */
static int io_ask(struct kvm_vcpu *vcpu)
{
	struct kvm_io_state *io = vcpu->arch.io;

	io->rip = io->ctxt.rip;
	if (io->ask.len)
		return exit_mmio(vcpu, false, &io->ask, complete_emulated_read);
	return exit_pio(vcpu, true, io->pio.port, io->pio.size, io->pio.count,
			complete_emulated_read);
}

/* Userspace has answered, by running the vCPU again. */
static int complete_emulated_read(struct kvm_vcpu *vcpu)
{
	struct kvm_io_state *io = vcpu->arch.io;

	if (io_rip_moved(vcpu)) {
		io_forget(io);
		return 1;
	}
	if (io->ask.len) {
		memcpy(io->ask.data, vcpu->run->mmio.data, io->ask.len);
		io->reads[io->nr_reads++] = io->ask;
		io->ask.len = 0;
	} else {
		io->pio.state = PIO_ANSWERED;
	}
	return io_emulate(vcpu);
}

/* All of the instruction, or of an iteration, is done and sent. */
static int io_after_insn(struct kvm_vcpu *vcpu)
{
	struct kvm_io_state *io = vcpu->arch.io;
	bool restart = io->restart, tpr_lowered = io->tpr_lowered;
	int r;

	io_forget(io);
	io->restart = restart;
	r = kvm_debug_after_insn(vcpu, io->rflags);
	return r == 1 && tpr_lowered ? kvm_exit_set_tpr(vcpu) : r;
}

/* The next posted write goes to userspace.  0; or 1 if there is none. */
static int io_send_posted(struct kvm_vcpu *vcpu)
{
	struct kvm_io_state *io = vcpu->arch.io;

	const struct mmio_fragment *frag;

	while (io->next_write < io->nr_writes) {
		frag = &io->writes[io->next_write++];
		if (device_write(vcpu, frag))
			return exit_mmio(vcpu, true, frag, complete_posted);
	}
	if (io->pio.state == PIO_POSTED) {
		io->pio.state = PIO_IDLE;
		if (!device_out(vcpu, io->pio.port, io->pio.size, pio_page(vcpu), io->pio.count))
			return 1;
		return exit_pio(vcpu, false, io->pio.port, io->pio.size, io->pio.count,
				complete_posted);
	}
	return 1;
}

/* Userspace has seen a posted write. */
static int complete_posted(struct kvm_vcpu *vcpu)
{
	struct kvm_io_state *io = vcpu->arch.io;
	int r;

	if (!io_send_posted(vcpu))
		return 0;
	if (io_rip_moved(vcpu)) {
		io_forget(io);
		return 1;
	}
	r = io_after_insn(vcpu);
	/* REP OUTS, or REP MOVS to a device: on with it, without another VM exit. */
	if (r == 1 && io->restart && !io_must_yield(vcpu))
		return io_emulate(vcpu);
	return r;
}

static void io_inject_fault(struct kvm_vcpu *vcpu)
{
	const struct x86emul_exception *from = &vcpu->arch.io->ctxt.exception;
	struct x86_exception e = {
		.vector = from->vector,
		.has_error_code = from->has_error,
		.error_code = from->error_code,
		.address = from->cr2,
	};

	kvm_inject_x86_exception(vcpu, &e);
}

/*
 * KVM_INTERNAL_ERROR_EMULATION has a layout of its own, struct emulation_failure
 * over kvm_run's internal.data[]: flags, then the instruction's bytes if the
 * flag says so, then what may help to debug, which is no ABI.
 */
static int exit_emulation_failure(struct kvm_vcpu *vcpu)
{
	const struct x86_emulate_ctxt *ctxt = &vcpu->arch.io->ctxt;
	struct {
		u8 size;
		u8 bytes[X86EMUL_MAX_INSN];
	} insn = { .size = ctxt->fetched };
	struct kvm_exit_info info = {};
	u64 data[8] = {};
	unsigned int n = 1;

	BUILD_BUG_ON(sizeof(insn) != 2 * sizeof(u64));
	BUILD_BUG_ON(offsetof(struct kvm_run, emulation_failure.flags) !=
		     offsetof(struct kvm_run, internal.data));
	if (ctxt->fetched) {
		data[0] |= KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
		memset(insn.bytes, 0x90, sizeof(insn.bytes));
		memcpy(insn.bytes, ctxt->insn, ctxt->fetched);
		memcpy(&data[n], &insn, sizeof(insn));
		n += 2;
	}
	kvm_x86_ops.get_exit_info(vcpu, &info);
	data[n++] = info.reason;
	data[n++] = info.info1;
	data[n++] = info.info2;
	data[n++] = info.intr_info;
	data[n++] = info.error_code;
	return kvm_internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION, data, n);
}

/*
 * The emulator cannot do it, and the guest's state is untouched.  If there is
 * memory at the address by now, because another thread of the VMM has changed
 * the slots, the guest can do it itself.  A user program must not be able to
 * stop its whole machine, so outside the guest's kernel it is #UD, unless
 * userspace wants to hear of every failure.
 */
static int io_emulation_failed(struct kvm_vcpu *vcpu)
{
	struct kvm_io_state *io = vcpu->arch.io;

	if (io->error)
		return io->error;
	if (io->gpa != INVALID_GPA && io_is_ram(vcpu->kvm, io->gpa, true))
		return 1;
	vcpu->stat.insn_emulation_fail++;
	if (io->ctxt.cpl && !vcpu->kvm->arch.exit_on_emulation_error) {
		kvm_queue_exception(vcpu, X86_TRAP_UD);
		return 1;
	}
	return exit_emulation_failure(vcpu);
}

/* An instruction, or some iterations of one, have taken place. */
static int io_insn_done(struct kvm_vcpu *vcpu, bool restart)
{
	struct kvm_io_state *io = vcpu->arch.io;

	io->restart = restart;
	io->rip = io->ctxt.rip;
	io_store_ctxt(vcpu);
	if (!io_send_posted(vcpu))
		return 0;
	return io_after_insn(vcpu);
}

/* io_emulate(), with what io_load_ctxt() has got. */
static int io_run(struct kvm_vcpu *vcpu)
{
	struct kvm_io_state *io = vcpu->arch.io;
	int round, rc, r;

	for (round = 0; round < IO_MAX_ROUNDS; round++) {
		io->next_read = 0;
		io->rflags = io->ctxt.rflags;
		io->ctxt.stop = false;
		rc = x86_emulate_insn(&io->ctxt);
		trace_minikvm_emulate(vcpu, kvm_rip_read(vcpu), io->ctxt.insn, io->ctxt.length,
				      rc);
		switch (rc) {
		case X86EMUL_CONTINUE:
			return io_insn_done(vcpu, false);
		case X86EMUL_RESTART:
			r = io_insn_done(vcpu, true);
			if (r != 1)
				return r;
			break;
		case X86EMUL_RETRY:
			io_forget(io);
			break;
		case X86EMUL_FAULT:
			io_inject_fault(vcpu);
			io_forget(io);
			return 1;
		case X86EMUL_IO_NEEDED:
			return io_ask(vcpu);
		default:
			r = io_emulation_failed(vcpu);
			io_forget(io);
			return r;
		}
		if (io_must_yield(vcpu))
			break;
	}
	return 1;
}

/*
 * Emulate the instruction at RIP with the answers that there are, to its end or
 * to the next obstacle.  1/0/-errno.
 */
static int io_emulate(struct kvm_vcpu *vcpu)
{
	io_load_ctxt(vcpu);
	return io_run(vcpu);
}

/* The exit itself tells one translation, mostly the only one that will be needed. */
static void io_note_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u32 access)
{
	u32 type = access & KVM_FAULT_WRITE ? KVM_FAULT_WRITE : KVM_FAULT_READ;
	struct kvm_io_state *io = vcpu->arch.io;

	/*
	 * In user mode it may have been for an access that the processor makes by
	 * itself with a supervisor's rights, such as a look into the TSS.  And a
	 * read says nothing about the right to write.
	 */
	if ((access & KVM_FAULT_EXEC) || io->ctxt.cpl == 3)
		return;
	if (access & KVM_FAULT_GVA_VALID)
		io_note_translation(io, vcpu->arch.fault_gva, gpa, type);
	else if (access & KVM_FAULT_GVA_UNKNOWN)
		io->unplaced = type;
}

/**
 * kvm_emulate_instruction() - emulate the instruction at RIP
 * @vcpu: the vCPU
 *
 * For an exit that hardware leaves to software.  kvm->srcu is held.
 *
 * Return: 1: done, or a fault is queued; enter the guest.  0: kvm_run tells
 * userspace what to do.  -EFAULT: the VMM's memory behind a slot is not there.
 */
int kvm_emulate_instruction(struct kvm_vcpu *vcpu)
{
	return kvm_emulate_mmio(vcpu, INVALID_GPA, 0);
}
EXPORT_SYMBOL_GPL(kvm_emulate_instruction);

/*
 * The CPU was delivering an event: the guest's IDT, GDT, TSS or stack is where there
 * is no memory.  No instruction is at fault, so there is none to emulate.
 */
static int io_delivery_error(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	struct kvm_exit_info info;
	u64 data[4];

	kvm_x86_ops.get_exit_info(vcpu, &info);
	data[0] = info.vectoring;
	data[1] = info.reason;
	data[2] = info.info1;
	data[3] = gpa;
	return kvm_internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV, data, ARRAY_SIZE(data));
}

/**
 * kvm_emulate_mmio() - emulate the instruction that met a gpa without memory
 * @vcpu: the vCPU
 * @gpa:  the address that hardware reported; INVALID_GPA: none
 * @access: KVM_FAULT_*, what was done there
 *
 * The emulator finds its operands by itself, and they may well be elsewhere: the
 * guest's page tables, or the slots, can have changed since.  Whatever it finds,
 * the instruction is done, faults or fails, so a guest cannot come back here
 * with the same instruction for ever.  If the guest has its page tables where
 * there is no memory, the instruction gets a #PF.
 *
 * Return: as kvm_emulate_instruction().
 */
int kvm_emulate_mmio(struct kvm_vcpu *vcpu, gpa_t gpa, u32 access)
{
	struct kvm_io_state *io = vcpu->arch.io;

	if (unlikely(kvm_event_needs_reinjection(vcpu) || vcpu->arch.soft_event_interrupted))
		return io_delivery_error(vcpu, gpa);
	vcpu->stat.insn_emulation++;
	io_forget(io);
	io->gpa = gpa;
	io_load_ctxt(vcpu);
	io_forget_translations(io);
	io_note_fault(vcpu, gpa, access);
	return io_run(vcpu);
}
EXPORT_SYMBOL_GPL(kvm_emulate_mmio);

/**
 * kvm_insn_len() - how long is the instruction at RIP?
 * @vcpu: loaded vCPU, whose exit that instruction has caused
 *
 * For hardware that does not say.  The instruction is fetched as the guest would
 * fetch it and decoded in the guest's mode; nothing of the guest changes, and no
 * fault is queued.  kvm->srcu is held; may sleep.
 *
 * Return: 1..15 bytes.  0: it cannot be fetched any more, because the guest's
 * other CPUs or the VMM have changed it or its page, or emulate.h does not know it.
 */
int kvm_insn_len(struct kvm_vcpu *vcpu)
{
	struct kvm_io_state *io = vcpu->arch.io;
	int len;

	io_load_mode(vcpu);
	io_forget_translations(io);
	len = x86_insn_len(&io->ctxt);
	io_forget_translations(io);
	io->error = 0;
	return len;
}
EXPORT_SYMBOL_GPL(kvm_insn_len);

/* ---- the hooks: memory ---- */

/* A part of an access that lies in one page. */
struct io_span {
	gpa_t gpa;
	unsigned int len;
	bool ram;
};

static int hook_page_fault(struct x86_emulate_ctxt *ctxt, const struct x86_exception *e)
{
	ctxt->exception.vector = e->vector;
	ctxt->exception.has_error = e->has_error_code;
	ctxt->exception.error_code = e->error_code;
	ctxt->exception.cr2 = e->address;
	return X86EMUL_FAULT;
}

/*
 * Is it the operand for which hardware told a gpa, but no linear address?  If the
 * first operand that is looked up is for the same kind of access, at the same place
 * in its page, and the instruction's only explicit one.  What it accesses without a
 * ModRM byte to say so (strings, the stack) can be two places that look alike.
 */
static gpa_t io_place_fault(struct kvm_io_state *io, u64 linear, u32 access)
{
	u32 type = io->unplaced;

	if (likely(!type) || (access & (KVM_FAULT_EXEC | KVM_FAULT_IMPLICIT)))
		return INVALID_GPA;
	io->unplaced = 0;
	if (access != type || !x86_insn_has_modrm(&io->ctxt) ||
	    offset_in_page(linear) != offset_in_page(io->gpa))
		return INVALID_GPA;
	return io->gpa;
}

static gpa_t hook_walk(struct kvm_vcpu *vcpu, u64 linear, u32 access, struct x86_exception *e)
{
	struct kvm_io_state *io = vcpu->arch.io;
	struct io_translation *t = io->translations;
	unsigned int i, n;
	gpa_t gpa;

	n = min_t(unsigned int, io->nr_translations, IO_MAX_TRANSLATIONS);
	for (i = 0; i < n; i++, t++)
		if (t->linear == (linear & PAGE_MASK) && t->access == access)
			return t->gpa + offset_in_page(linear);

	gpa = io_place_fault(io, linear, access);
	if (gpa == INVALID_GPA)
		gpa = kvm_mmu_gva_to_gpa(vcpu, linear, access, e);
	if (gpa == INVALID_GPA)
		return gpa;
	io_note_translation(io, linear, gpa, access);
	return gpa;
}

/* @access: KVM_FAULT_* without USER.  Fills @span, whose gpa is the first byte's. */
static int hook_translate_page(struct x86_emulate_ctxt *ctxt, u64 linear, unsigned int bytes,
			       u32 access, struct io_span *span)
{
	struct kvm_vcpu *vcpu = ctxt->priv;
	struct x86_exception e = {};

	if (ctxt->cpl == 3 && !(access & KVM_FAULT_IMPLICIT))
		access |= KVM_FAULT_USER;
	span->gpa = hook_walk(vcpu, linear, access, &e);
	if (span->gpa == INVALID_GPA)
		return hook_page_fault(ctxt, &e);
	span->len = bytes;
	span->ram = io_is_ram(vcpu->kvm, span->gpa, access & KVM_FAULT_WRITE);
	return X86EMUL_CONTINUE;
}

/*
 * Where are these bytes?  All of them are looked up before anything is done
 * with any, so that a fault in the second page leaves the first one alone.
 * @span[1].len is 0 if there is no second page.
 */
static int hook_translate(struct x86_emulate_ctxt *ctxt, u64 linear, unsigned int bytes,
			  unsigned int emul_access, struct io_span span[2])
{
	u32 access = emul_access & X86EMUL_ACC_WRITE ? KVM_FAULT_WRITE : KVM_FAULT_READ;
	unsigned int first = min_t(unsigned int, bytes, PAGE_SIZE - offset_in_page(linear));
	int rc;

	if (emul_access & X86EMUL_ACC_SYSTEM)
		access |= KVM_FAULT_IMPLICIT;
	span[1].len = 0;
	rc = hook_translate_page(ctxt, linear, first, access, &span[0]);
	if (rc || first == bytes)
		return rc;
	return hook_translate_page(ctxt, linear + first, bytes - first, access, &span[1]);
}

/*
 * A slot whose memory the VMM has taken away: KVM_RUN fails, the guest cannot help it.
 * Or the slot itself has gone since it was looked up; then it stays away for as long
 * as we hold kvm->srcu (memslot.c), and the next round meets a device.
 */
static int hook_ram_error(struct kvm_vcpu *vcpu, gpa_t gpa, bool write, int err)
{
	if (!io_is_ram(vcpu->kvm, gpa, write))
		return X86EMUL_RETRY;
	vcpu->arch.io->error = err;
	return X86EMUL_UNHANDLEABLE;
}

static int hook_fetch(struct x86_emulate_ctxt *ctxt, u64 linear, void *buf, unsigned int bytes)
{
	struct kvm_vcpu *vcpu = ctxt->priv;
	struct io_span span;
	int rc;

	rc = hook_translate_page(ctxt, linear, bytes, KVM_FAULT_EXEC, &span);
	if (rc)
		return rc;
	/* Code cannot come from a device: nobody would know how much to ask for. */
	if (!span.ram)
		return X86EMUL_UNHANDLEABLE;
	rc = kvm_read_guest(vcpu->kvm, span.gpa, buf, bytes);
	return rc ? hook_ram_error(vcpu, span.gpa, false, rc) : X86EMUL_CONTINUE;
}

/*
 * One fragment of a device's memory.  The emulator asks for the same fragments
 * in the same order in each round, unless userspace or the guest's other CPUs
 * changed something in between: then the answers from there on are worthless.
 */
static int hook_read_fragment(struct kvm_vcpu *vcpu, gpa_t gpa, void *buf, unsigned int len)
{
	struct kvm_io_state *io = vcpu->arch.io;
	struct mmio_fragment *known = &io->reads[io->next_read];

	if (io->next_read < io->nr_reads) {
		if (known->gpa == gpa && known->len == len) {
			memcpy(buf, known->data, len);
			io->next_read++;
			return X86EMUL_CONTINUE;
		}
		io->nr_reads = io->next_read;
	}
	if (io->nr_reads == IO_MAX_READS)
		return X86EMUL_UNHANDLEABLE;
	/* A device in the kernel is read once, too, however many rounds there are. */
	*known = (struct mmio_fragment){ .gpa = gpa, .len = len };
	if (!device_read(vcpu, gpa, known->data, len)) {
		memcpy(buf, known->data, len);
		io->nr_reads = ++io->next_read;
		return X86EMUL_CONTINUE;
	}
	io->ask = (struct mmio_fragment){ .gpa = gpa, .len = len };
	return X86EMUL_IO_NEEDED;
}

static int hook_read_span(struct kvm_vcpu *vcpu, const struct io_span *span, void *buf)
{
	unsigned int done, len;
	int rc;

	if (span->ram) {
		rc = kvm_read_guest(vcpu->kvm, span->gpa, buf, span->len);
		return rc ? hook_ram_error(vcpu, span->gpa, false, rc) : X86EMUL_CONTINUE;
	}
	for (done = 0; done < span->len; done += len) {
		len = min_t(unsigned int, span->len - done, IO_MAX_MMIO);
		rc = hook_read_fragment(vcpu, span->gpa + done, buf + done, len);
		if (rc)
			return rc;
	}
	return X86EMUL_CONTINUE;
}

static int hook_read(struct x86_emulate_ctxt *ctxt, u64 linear, void *buf, unsigned int bytes,
		     unsigned int access)
{
	struct kvm_vcpu *vcpu = ctxt->priv;
	struct io_span span[2];
	int i, rc;

	rc = hook_translate(ctxt, linear, bytes, access, span);
	if (rc)
		return rc;
	for (i = 0; i < 2 && span[i].len; i++) {
		/* Read-modify-write of a ROM: only the write goes to a device. */
		if (access & X86EMUL_ACC_WRITE)
			span[i].ram = io_is_ram(vcpu->kvm, span[i].gpa, false);
		rc = hook_read_span(vcpu, &span[i], buf);
		if (rc)
			return rc;
		buf += span[i].len;
	}
	return X86EMUL_CONTINUE;
}

static unsigned int nr_fragments(const struct io_span *span)
{
	return span->ram ? 0 : DIV_ROUND_UP(span->len, IO_MAX_MMIO);
}

/* There is room: the caller has counted. */
static void hook_post_span(struct kvm_io_state *io, const struct io_span *span, const void *buf)
{
	struct mmio_fragment *frag;
	unsigned int done;

	for (done = 0; done < span->len; done += frag->len) {
		frag = &io->writes[io->nr_writes++];
		memset(frag, 0, sizeof(*frag));
		frag->gpa = span->gpa + done;
		frag->len = min_t(unsigned int, span->len - done, IO_MAX_MMIO);
		memcpy(frag->data, buf + done, frag->len);
	}
}

static int hook_write_spans(struct x86_emulate_ctxt *ctxt, const struct io_span span[2],
			    const void *buf)
{
	struct kvm_vcpu *vcpu = ctxt->priv;
	struct kvm_io_state *io = vcpu->arch.io;
	unsigned int i, nr = 0;
	int err;

	for (i = 0; i < 2 && span[i].len; i++)
		nr += nr_fragments(&span[i]);
	if (nr > IO_MAX_WRITES - io->nr_writes)
		return X86EMUL_UNHANDLEABLE;

	/* Memory, which may fail, before the queue, which cannot. */
	for (i = 0; i < 2 && span[i].len; i++) {
		if (!span[i].ram)
			continue;
		err = kvm_write_guest(vcpu->kvm, span[i].gpa, buf + (i ? span[0].len : 0),
				      span[i].len);
		if (err && !i)
			return hook_ram_error(vcpu, span[i].gpa, true, err);
		if (err) {
			/* The first part is written: no way back. */
			io->error = err;
			return X86EMUL_UNHANDLEABLE;
		}
	}
	for (i = 0; i < 2 && span[i].len; i++)
		if (!span[i].ram)
			hook_post_span(io, &span[i], buf + (i ? span[0].len : 0));
	if (nr)
		ctxt->stop = true;
	return X86EMUL_CONTINUE;
}

static int hook_write(struct x86_emulate_ctxt *ctxt, u64 linear, const void *buf,
		      unsigned int bytes)
{
	struct io_span span[2];
	int rc;

	rc = hook_translate(ctxt, linear, bytes, X86EMUL_ACC_WRITE, span);
	return rc ? rc : hook_write_spans(ctxt, span, buf);
}

/*
 * A device has no atomic accesses; KVM and we make a write of it.  The same goes
 * for memory in the odd shapes that no lock of the guest has.
 */
static int hook_cmpxchg(struct x86_emulate_ctxt *ctxt, u64 linear, const void *old,
			const void *new, unsigned int bytes)
{
	struct kvm_vcpu *vcpu = ctxt->priv;
	struct io_span span[2];
	u64 expected = 0;
	int rc;

	rc = hook_translate(ctxt, linear, bytes, X86EMUL_ACC_WRITE, span);
	if (rc)
		return rc;
	if (!span[0].ram || bytes > sizeof(expected) || linear % bytes)
		return hook_write_spans(ctxt, span, new);

	memcpy(&expected, old, bytes);
	rc = kvm_cmpxchg_guest(vcpu->kvm, span[0].gpa, &expected, new, bytes);
	if (rc < 0)
		return hook_ram_error(vcpu, span[0].gpa, true, rc);
	return rc ? X86EMUL_RETRY : X86EMUL_CONTINUE;
}

static int hook_probe(struct x86_emulate_ctxt *ctxt, u64 linear, unsigned int bytes,
		      unsigned int access, bool *ram)
{
	struct io_span span[2];
	int rc;

	rc = hook_translate(ctxt, linear, bytes, access, span);
	if (!rc && ram)
		*ram = span[0].ram && (!span[1].len || span[1].ram);
	return rc;
}

/* ---- the hooks: ports ---- */

/*
 * Userspace may have changed RCX, DX or anything else since it was asked: what
 * it has answered is used as far as it fits and thrown away otherwise.
 */
static int hook_pio_in(struct x86_emulate_ctxt *ctxt, u16 port, unsigned int size, void *buf,
		       unsigned int *count)
{
	struct kvm_vcpu *vcpu = ctxt->priv;
	struct kvm_io_state *io = vcpu->arch.io;

	if (io->pio.state == PIO_ANSWERED && io->pio.port == port && io->pio.size == size) {
		io->pio.state = PIO_IDLE;
		*count = min(*count, io->pio.count);
		memcpy(buf, pio_page(vcpu), *count * size);
		return X86EMUL_CONTINUE;
	}
	if (!device_in(vcpu, port, size, buf, *count))
		return X86EMUL_CONTINUE;
	io->pio.state = PIO_ASKED;
	io->pio.port = port;
	io->pio.size = size;
	io->pio.count = *count;
	return X86EMUL_IO_NEEDED;
}

static int hook_pio_out(struct x86_emulate_ctxt *ctxt, u16 port, unsigned int size,
			const void *buf, unsigned int *count)
{
	struct kvm_vcpu *vcpu = ctxt->priv;
	struct kvm_io_state *io = vcpu->arch.io;

	memcpy(pio_page(vcpu), buf, *count * size);
	io->pio.state = PIO_POSTED;
	io->pio.port = port;
	io->pio.size = size;
	io->pio.count = *count;
	ctxt->stop = true;
	return X86EMUL_CONTINUE;
}

/* ---- the hooks: registers ---- */

static void hook_get_segment(struct x86_emulate_ctxt *ctxt, enum x86emul_seg seg,
			     struct x86emul_segment *out)
{
	struct kvm_segment var;

	BUILD_BUG_ON((int)X86EMUL_TR != (int)VCPU_SREG_TR);
	kvm_x86_ops.get_segment(ctxt->priv, &var, seg);
	*out = (struct x86emul_segment){
		.base = var.base,
		.limit = var.limit,
		.selector = var.selector,
		.type = var.type,
		.dpl = var.dpl,
		.s = var.s,
		.present = var.present,
		.db = var.db,
		.l = var.l,
		.g = var.g,
		.unusable = var.unusable,
	};
}

static int hook_get_vec(struct x86_emulate_ctxt *ctxt, unsigned int reg, void *buf)
{
	kvm_read_vector_reg(ctxt->priv, reg, buf, X86EMUL_MAX_OPERAND);
	return X86EMUL_CONTINUE;
}

/* A write of 32 bytes clears what is above; so a VEX.128 one is made one of 32. */
static int hook_set_vec(struct x86_emulate_ctxt *ctxt, unsigned int reg, const void *buf,
			unsigned int bytes, bool clear_upper)
{
	u8 wide[X86EMUL_MAX_OPERAND] = {};

	memcpy(wide, buf, bytes);
	kvm_write_vector_reg(ctxt->priv, reg, wide, clear_upper ? sizeof(wide) : bytes);
	return X86EMUL_CONTINUE;
}

static int hook_gp(struct x86_emulate_ctxt *ctxt)
{
	ctxt->exception = (struct x86emul_exception){
		.vector = X86_TRAP_GP,
		.has_error = ctxt->mode != X86EMUL_MODE_REAL,
	};
	return X86EMUL_FAULT;
}

static u64 hook_get_cr(struct x86_emulate_ctxt *ctxt, unsigned int nr)
{
	struct kvm_vcpu *vcpu = ctxt->priv;

	switch (nr) {
	case 0:
		return kvm_read_cr0(vcpu);
	case 2:
		return vcpu->arch.cr2;
	case 3:
		return kvm_read_cr3(vcpu);
	case 4:
		return kvm_read_cr4(vcpu);
	default:
		return kvm_get_cr8(vcpu);
	}
}

static int hook_set_cr(struct x86_emulate_ctxt *ctxt, unsigned int nr, u64 val)
{
	struct kvm_vcpu *vcpu = ctxt->priv;
	unsigned long old_cr8 = vcpu->arch.cr8;
	int err = 0;

	switch (nr) {
	case 0:
		err = kvm_set_cr0(vcpu, val);
		break;
	case 2:
		vcpu->arch.cr2 = val;
		break;
	case 3:
		err = kvm_set_cr3(vcpu, val);
		break;
	case 4:
		err = kvm_set_cr4(vcpu, val);
		break;
	default:
		err = kvm_set_cr8(vcpu, val);
		break;
	}
	vcpu->arch.io->tpr_lowered = !lapic_in_kernel(vcpu) && vcpu->arch.cr8 < old_cr8;
	return err ? hook_gp(ctxt) : X86EMUL_CONTINUE;
}

/*
 * kvm_emulate_undecoded_mov_dr() has looked at DR7.GD.  If it is set after all, the
 * guest's other CPUs have made another instruction of this one since, and the
 * MOV DR shall exit in its own right.
 */
static int hook_get_dr(struct x86_emulate_ctxt *ctxt, unsigned int nr, u64 *val)
{
	if (kvm_dr_is_guarded(ctxt->priv))
		return X86EMUL_RETRY;
	*val = kvm_get_dr(ctxt->priv, nr);
	return X86EMUL_CONTINUE;
}

static int hook_set_dr(struct x86_emulate_ctxt *ctxt, unsigned int nr, u64 val)
{
	if (kvm_dr_is_guarded(ctxt->priv))
		return X86EMUL_RETRY;
	return kvm_set_dr(ctxt->priv, nr, val) ? hook_gp(ctxt) : X86EMUL_CONTINUE;
}

static const struct x86_emulate_ops io_emulate_ops = {
	.fetch = hook_fetch,
	.read = hook_read,
	.write = hook_write,
	.cmpxchg = hook_cmpxchg,
	.probe = hook_probe,
	.pio_in = hook_pio_in,
	.pio_out = hook_pio_out,
	.get_segment = hook_get_segment,
	.get_vec = hook_get_vec,
	.set_vec = hook_set_vec,
	.get_cr = hook_get_cr,
	.set_cr = hook_set_cr,
	.get_dr = hook_get_dr,
	.set_dr = hook_set_dr,
};
