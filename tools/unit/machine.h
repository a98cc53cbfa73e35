/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small machine around the emulator: memory, devices, ports, and a binding that
 * keeps the bargain of emulate.h (replay of MMIO reads, posted writes) to the
 * letter.  Used by the unit tests and by the fuzzer, which have it check, at every
 * hook call, what emulate.h promises about their order and size.
 *
 * Linear addresses, no paging:
 *
 *	00000..09fff	RAM			0e000..0efff	nothing: #PF
 *	0a000..0afff	a device		0f000..1ffff	RAM
 *	0b000..0bfff	ROM: writes go to	and the page below each of 4 GiB,
 *			userspace		8000_0000_0000 and the very top:
 *	0c000..0cfff	RAM			RAM
 *	0d000..0dfff	RAM, not writable: #PF
 */
#ifndef MINIKVM_MACHINE_H
#define MINIKVM_MACHINE_H

#include <stdio.h>
#include <stdlib.h>

#include "emulate.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#define RAM_SIZE	0x20000
#define HIGH_PAGES	3
#define MAX_POSTED	600
#define MAX_REPLAY	16

/* A breach of emulate.h's promises: the test is over. */
#define PROMISE(cond) do {						\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: broken promise: %s\n",		\
			__FILE__, __LINE__, #cond);			\
		abort();						\
	}								\
} while (0)

enum kind { KIND_RAM, KIND_DEVICE, KIND_ROM, KIND_PROTECTED, KIND_HOLE };

struct access_log {
	u64 addr;
	unsigned int bytes;
	u64 data;
};

struct machine {
	struct x86_emulate_ctxt ctxt;
	struct x86emul_segment seg[X86EMUL_NR_SEGS];
	u8 vec[16][32];
	u64 cr[9], dr[8];		/* cr[0] and cr[4] are also in ctxt */
	u8 ram[RAM_SIZE];
	u8 high[HIGH_PAGES][4096];
	u8 io_buf[X86EMUL_IO_BUF];

	/* the binding: completed reads of this instruction, the one wanted */
	struct access_log replay[MAX_REPLAY];
	unsigned int nr_replay, replay_pos;
	struct access_log wanted;
	bool pio_wanted, pio_ready;
	u16 pio_port;
	unsigned int pio_size, pio_count;

	/* what userspace saw */
	struct access_log posted[MAX_POSTED];
	unsigned int nr_posted;
	unsigned int device_reads, port_reads, port_writes;
	u8 port_out[X86EMUL_IO_BUF];
	unsigned int port_out_bytes;

	/* knobs for tests */
	bool pio_blocks;		/* port reads need userspace */
	unsigned int pio_limit;		/* elements in one go; 0: any number */
	bool lose_races;		/* cmpxchg finds other data */
	bool dr_guarded;		/* MOV DR has to be tried again */

	/* hook calls of one x86_emulate_insn() */
	unsigned int fetches, reads, writes, pio_ins, set_vecs, sets;
	u8 segs_asked;

	u64 code_page[2];		/* of the first byte and the last: watched for writes */
	bool code_written;
	bool only_decodes;		/* x86_insn_len(): fetch, get_segment */
};

static inline struct machine *machine_of(struct x86_emulate_ctxt *ctxt)
{
	struct machine *m = ctxt->priv;

	PROMISE(!m->only_decodes);
	return m;
}

/* ---- memory ------------------------------------------------------------ */

static inline enum kind kind_of(u64 linear)
{
	switch (linear >> 12) {
	case 0xa:
		return KIND_DEVICE;
	case 0xb:
		return KIND_ROM;
	case 0xd:
		return KIND_PROTECTED;
	case 0xe:
		return KIND_HOLE;
	case 0xfffff:
	case 0x7ffffffff:
	case 0xfffffffffffffull:
		return KIND_RAM;
	default:
		return linear < RAM_SIZE ? KIND_RAM : KIND_HOLE;
	}
}

static inline u8 *byte_at(struct machine *m, u64 linear)
{
	switch (linear >> 12) {
	case 0xfffff:
		return &m->high[0][linear & 0xfff];
	case 0x7ffffffff:
		return &m->high[1][linear & 0xfff];
	case 0xfffffffffffffull:
		return &m->high[2][linear & 0xfff];
	default:
		return &m->ram[linear];
	}
}

static inline bool is_device(enum kind kind, bool write)
{
	return kind == KIND_DEVICE || (write && kind == KIND_ROM);
}

/* What a device gives: a byte that depends on the address. */
static inline u8 device_byte(u64 linear)
{
	return 0x40 + linear * 7;
}

/* The page walk: does any page of the range fault? */
static inline int walk(struct machine *m, u64 linear, unsigned int bytes,
		       bool write, bool system, bool fetch)
{
	u64 at = linear, end = linear + bytes - 1;

	PROMISE(bytes && end >= linear);	/* a range never wraps */
	/* the TSS may lie high in compatibility mode */
	PROMISE(m->ctxt.mode == X86EMUL_MODE_LONG64 || end <= 0xffffffff ||
		(system && m->seg[X86EMUL_TR].base >> 32));
	for (;; at = (at & ~0xfffull) + 0x1000) {
		enum kind kind = kind_of(at);

		if (kind == KIND_HOLE || (kind == KIND_PROTECTED && write)) {
			m->ctxt.exception = (struct x86emul_exception){
				.vector = PF_VECTOR, .has_error = true,
				.error_code = (kind != KIND_HOLE) | write << 1 |
					(m->ctxt.cpl == 3 && !system) << 2 |
					fetch << 4,
				.cr2 = at,
			};
			return X86EMUL_FAULT;
		}
		if (at >> 12 == end >> 12)
			return X86EMUL_CONTINUE;
	}
}

static inline unsigned int piece_len(u64 linear, unsigned int left)
{
	unsigned int to_page_end = 0x1000 - (linear & 0xfff);
	unsigned int n = left < 8 ? left : 8;

	return n < to_page_end ? n : to_page_end;
}

static inline int m_fetch(struct x86_emulate_ctxt *ctxt, u64 linear, void *buf,
			  unsigned int bytes)
{
	struct machine *m = ctxt->priv;
	unsigned int i;

	PROMISE(bytes >= 1 && bytes <= X86EMUL_MAX_INSN);
	PROMISE(linear >> 12 == (linear + bytes - 1) >> 12);
	PROMISE(++m->fetches <= 2 && !m->reads && !m->writes && !m->pio_ins);
	if (walk(m, linear, bytes, false, false, true))
		return X86EMUL_FAULT;
	for (i = 0; i < bytes; i++)
		((u8 *)buf)[i] = *byte_at(m, linear + i);
	return X86EMUL_CONTINUE;
}

/* A device read: from the list of completed ones, or it must wait. */
static inline int device_read(struct machine *m, u64 linear, u8 *buf,
			      unsigned int bytes)
{
	struct access_log *log = &m->replay[m->replay_pos];

	if (m->replay_pos == m->nr_replay) {
		m->wanted = (struct access_log){ linear, bytes };
		return X86EMUL_IO_NEEDED;
	}
	/* sound replay: the same reads in the same order */
	PROMISE(log->addr == linear && log->bytes == bytes);
	memcpy(buf, &log->data, bytes);
	m->replay_pos++;
	return X86EMUL_CONTINUE;
}

static inline int m_read(struct x86_emulate_ctxt *ctxt, u64 linear, void *buf,
			 unsigned int bytes, unsigned int access)
{
	struct machine *m = machine_of(ctxt);
	u8 *out = buf;

	PROMISE(bytes <= X86EMUL_MAX_OPERAND ||
		(bytes <= X86EMUL_IO_BUF &&
		 linear >> 12 == (linear + bytes - 1) >> 12 &&
		 kind_of(linear) != KIND_DEVICE));
	PROMISE(ctxt->d.rep || (!m->writes && !m->pio_ins && !m->set_vecs));
	m->reads += !(access & X86EMUL_ACC_SYSTEM);
	if (walk(m, linear, bytes, access & X86EMUL_ACC_WRITE,
		 access & X86EMUL_ACC_SYSTEM, false))
		return X86EMUL_FAULT;
	while (bytes) {
		unsigned int i, n = piece_len(linear, bytes);

		if (is_device(kind_of(linear), false)) {
			if (device_read(m, linear, out, n))
				return X86EMUL_IO_NEEDED;
		} else {
			for (i = 0; i < n; i++)
				out[i] = *byte_at(m, linear + i);
		}
		linear += n;
		out += n;
		bytes -= n;
	}
	return X86EMUL_CONTINUE;
}

static inline void post(struct machine *m, u64 linear, const u8 *buf,
			unsigned int bytes)
{
	struct access_log *log = &m->posted[m->nr_posted++];

	*log = (struct access_log){ linear, bytes };
	memcpy(&log->data, buf, bytes);
	m->ctxt.stop = true;
}

static inline int m_write(struct x86_emulate_ctxt *ctxt, u64 linear,
			  const void *buf, unsigned int bytes)
{
	struct machine *m = machine_of(ctxt);
	const u8 *in = buf;

	PROMISE(bytes <= X86EMUL_MAX_OPERAND ||
		(bytes <= X86EMUL_IO_BUF &&
		 linear >> 12 == (linear + bytes - 1) >> 12 &&
		 kind_of(linear) == KIND_RAM));
	PROMISE(!m->set_vecs);
	if (walk(m, linear, bytes, true, false, false))
		return X86EMUL_FAULT;
	if (m->nr_posted + 8 > MAX_POSTED)
		return X86EMUL_UNHANDLEABLE;
	m->writes++;
	for (int i = 0; i < 2; i++)
		m->code_written |= linear >> 12 <= m->code_page[i] &&
				   (linear + bytes - 1) >> 12 >= m->code_page[i];
	while (bytes) {
		unsigned int i, n = piece_len(linear, bytes);

		if (is_device(kind_of(linear), true)) {
			post(m, linear, in, n);
		} else {
			for (i = 0; i < n; i++)
				*byte_at(m, linear + i) = in[i];
		}
		linear += n;
		in += n;
		bytes -= n;
	}
	return X86EMUL_CONTINUE;
}

static inline int m_cmpxchg(struct x86_emulate_ctxt *ctxt, u64 linear,
			    const void *old, const void *new, unsigned int bytes)
{
	struct machine *m = machine_of(ctxt);
	unsigned int i;

	PROMISE(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 ||
		bytes == 16);
	PROMISE(m->reads);
	if (m->lose_races)
		return X86EMUL_RETRY;
	for (i = 0; i < bytes; i++)
		if (kind_of(linear + i) == KIND_RAM)
			PROMISE(*byte_at(m, linear + i) == ((u8 *)old)[i]);
	return m_write(ctxt, linear, new, bytes);
}

static inline int m_probe(struct x86_emulate_ctxt *ctxt, u64 linear,
			  unsigned int bytes, unsigned int access, bool *ram)
{
	struct machine *m = machine_of(ctxt);
	bool write = access & X86EMUL_ACC_WRITE;

	PROMISE(bytes <= X86EMUL_MAX_OPERAND ||
		linear >> 12 == (linear + bytes - 1) >> 12);
	if (ram)
		*ram = !is_device(kind_of(linear), write) &&
		       !is_device(kind_of(linear + bytes - 1), write);
	return walk(m, linear, bytes, write, false, false);
}

/* ---- ports, segments, vectors ------------------------------------------ */

/* Element i of a port read is port + i, in each of its bytes. */
static inline int m_pio_in(struct x86_emulate_ctxt *ctxt, u16 port,
			   unsigned int size, void *buf, unsigned int *count)
{
	struct machine *m = machine_of(ctxt);
	unsigned int i;

	PROMISE(size == 1 || size == 2 || size == 4);
	PROMISE(*count && *count * size <= X86EMUL_IO_BUF);
	PROMISE(++m->pio_ins == 1 && !m->writes);
	if (m->pio_blocks && !m->pio_ready) {
		m->pio_wanted = true;
		m->pio_port = port;
		m->pio_size = size;
		m->pio_count = *count;
		return X86EMUL_IO_NEEDED;
	}
	if (m->pio_blocks) {
		PROMISE(m->pio_port == port && m->pio_size == size);
		if (*count > m->pio_count)
			*count = m->pio_count;
	}
	if (m->pio_limit && *count > m->pio_limit)
		*count = m->pio_limit;
	for (i = 0; i < *count * size; i++)
		((u8 *)buf)[i] = port + i / size;
	m->port_reads++;
	return X86EMUL_CONTINUE;
}

static inline int m_pio_out(struct x86_emulate_ctxt *ctxt, u16 port,
			    unsigned int size, const void *buf,
			    unsigned int *count)
{
	struct machine *m = machine_of(ctxt);

	PROMISE(size == 1 || size == 2 || size == 4);
	PROMISE(*count && *count * size <= X86EMUL_IO_BUF);
	PROMISE(!m->writes && !m->pio_ins);
	if (m->pio_limit && *count > m->pio_limit)
		*count = m->pio_limit;
	m->pio_port = port;
	m->port_writes++;
	m->port_out_bytes = *count * size;
	memcpy(m->port_out, buf, m->port_out_bytes);
	ctxt->stop = true;
	return X86EMUL_CONTINUE;
}

static inline void m_get_segment(struct x86_emulate_ctxt *ctxt,
				 enum x86emul_seg seg,
				 struct x86emul_segment *out)
{
	struct machine *m = ctxt->priv;

	PROMISE(seg < X86EMUL_NR_SEGS && !(m->segs_asked & 1u << seg));
	m->segs_asked |= 1u << seg;
	*out = m->seg[seg];
}

static inline int m_get_vec(struct x86_emulate_ctxt *ctxt, unsigned int reg,
			    void *buf)
{
	PROMISE(reg < 16);
	memcpy(buf, machine_of(ctxt)->vec[reg], 32);
	return X86EMUL_CONTINUE;
}

static inline int m_set_vec(struct x86_emulate_ctxt *ctxt, unsigned int reg,
			    const void *buf, unsigned int bytes,
			    bool clear_upper)
{
	struct machine *m = machine_of(ctxt);

	PROMISE(reg < 16 && (bytes == 16 || bytes == 32) && !m->set_vecs);
	m->set_vecs++;
	if (clear_upper)
		memset(m->vec[reg], 0, 32);
	memcpy(m->vec[reg], buf, bytes);
	return X86EMUL_CONTINUE;
}

/* ---- control and debug registers ---------------------------------------- */

#define REFUSED		0x08000000	/* no register takes this bit */

static inline u64 m_get_cr(struct x86_emulate_ctxt *ctxt, unsigned int nr)
{
	PROMISE(nr <= 8 && (1u << nr & 0x11d));
	return machine_of(ctxt)->cr[nr];
}

/* The last thing that an instruction does, and only a kernel's. */
static inline int set_reg(struct machine *m, u64 *reg, u64 val)
{
	PROMISE(!m->ctxt.cpl);
	PROMISE(!m->writes && !m->set_vecs && !m->sets);
	PROMISE(m->ctxt.mode == X86EMUL_MODE_LONG64 || !(val >> 32));
	if (val & REFUSED) {
		m->ctxt.exception = (struct x86emul_exception){
			.vector = GP_VECTOR,
			.has_error = m->ctxt.mode != X86EMUL_MODE_REAL,
		};
		return X86EMUL_FAULT;
	}
	m->sets++;
	*reg = val;
	return X86EMUL_CONTINUE;
}

static inline int m_set_cr(struct x86_emulate_ctxt *ctxt, unsigned int nr, u64 val)
{
	struct machine *m = machine_of(ctxt);

	PROMISE(nr <= 8 && (1u << nr & 0x11d));
	return set_reg(m, &m->cr[nr], val);
}

static inline int m_get_dr(struct x86_emulate_ctxt *ctxt, unsigned int nr, u64 *val)
{
	struct machine *m = machine_of(ctxt);

	PROMISE(nr < 8 && nr != 4 && nr != 5 && !ctxt->cpl);
	if (m->dr_guarded)
		return X86EMUL_RETRY;
	*val = m->dr[nr];
	return X86EMUL_CONTINUE;
}

static inline int m_set_dr(struct x86_emulate_ctxt *ctxt, unsigned int nr, u64 val)
{
	struct machine *m = machine_of(ctxt);

	PROMISE(nr < 8 && nr != 4 && nr != 5);
	return m->dr_guarded ? X86EMUL_RETRY : set_reg(m, &m->dr[nr], val);
}

static const struct x86_emulate_ops machine_ops = {
	.fetch = m_fetch,
	.read = m_read,
	.write = m_write,
	.cmpxchg = m_cmpxchg,
	.probe = m_probe,
	.pio_in = m_pio_in,
	.pio_out = m_pio_out,
	.get_segment = m_get_segment,
	.get_vec = m_get_vec,
	.set_vec = m_set_vec,
	.get_cr = m_get_cr,
	.set_cr = m_set_cr,
	.get_dr = m_get_dr,
	.set_dr = m_set_dr,
};

/* ---- set-up and running ------------------------------------------------ */

/* Flat segments, as wide as the mode has them; no paging; everything enabled. */
static inline void machine_init(struct machine *m, enum x86emul_mode mode)
{
	bool small = mode != X86EMUL_MODE_PROT32 && mode != X86EMUL_MODE_LONG64;
	struct x86emul_segment data = {
		.limit = small ? 0xffff : 0xffffffff, .type = 3, .s = 1,
		.present = 1, .db = !small, .g = !small,
	};
	struct x86_emulate_ctxt *ctxt = &m->ctxt;
	unsigned int seg;

	memset(m, 0, sizeof(*m));
	for (seg = 0; seg < X86EMUL_NR_SEGS; seg++)
		m->seg[seg] = data;
	if (mode != X86EMUL_MODE_REAL && mode != X86EMUL_MODE_VM86)
		m->seg[X86EMUL_CS].type = 11;
	m->seg[X86EMUL_TR] = (struct x86emul_segment){
		.base = 0x3000, .limit = 0x67, .type = 11, .present = 1,
	};

	ctxt->ops = &machine_ops;
	ctxt->priv = m;
	ctxt->io_buf = m->io_buf;
	ctxt->mode = mode;
	ctxt->cpl = mode == X86EMUL_MODE_VM86 ? 3 : 0;
	ctxt->features = ~0u;
	ctxt->cr0 = mode == X86EMUL_MODE_REAL ? 0 : X86_CR0_PE | X86_CR0_AM;
	ctxt->cr4 = X86_CR4_OSFXSR | X86_CR4_OSXSAVE;
	ctxt->xcr0 = 7;
	for (seg = 0; seg < 8; seg++)
		m->dr[seg] = 0xd0 + seg;
	m->cr[0] = ctxt->cr0;
	m->cr[2] = 0xc2;
	m->cr[3] = 0xc3000;
	m->cr[4] = ctxt->cr4;
	m->cr[8] = 8;
	ctxt->rip = 0x1000;
	ctxt->rflags = X86_EFLAGS_FIXED;
}

static inline u64 machine_memory(struct machine *m, u64 linear, unsigned int bytes)
{
	u64 val = 0;

	while (bytes--)
		val = val << 8 | *byte_at(m, linear + bytes);
	return val;
}

static inline void machine_set_memory(struct machine *m, u64 linear, u64 val,
				      unsigned int bytes)
{
	for (; bytes--; linear++, val >>= 8)
		*byte_at(m, linear) = val;
}

/* Userspace does the read that a hook wanted. */
static inline void machine_serve(struct machine *m)
{
	struct access_log *log = &m->replay[m->nr_replay];
	unsigned int i;

	if (m->pio_wanted) {
		m->pio_wanted = false;
		m->pio_ready = true;
		return;
	}
	PROMISE(m->wanted.bytes && m->nr_replay < MAX_REPLAY);
	*log = m->wanted;
	log->data = 0;
	for (i = 0; i < log->bytes; i++)
		((u8 *)&log->data)[i] = device_byte(log->addr + i);
	m->wanted.bytes = 0;
	m->nr_replay++;
	m->device_reads++;
}

/* Its length, found out without any effect. */
static inline unsigned int machine_insn_len(struct machine *m)
{
	struct x86_emulate_ctxt *ctxt = &m->ctxt;
	unsigned int len;

	m->only_decodes = true;
	m->fetches = 0;
	m->segs_asked = 0;
	ctxt->fetched = 0;
	len = x86_insn_len(ctxt);
	m->only_decodes = false;
	m->fetches = 0;
	m->segs_asked = 0;
	ctxt->fetched = 0;
	return len;
}

/*
 * One call of x86_emulate_insn(), as a binding makes it; checks that a failure
 * changes nothing.
 */
static inline int machine_step(struct machine *m)
{
	struct x86_emulate_ctxt *ctxt = &m->ctxt;
	u64 gpr[16], rip = ctxt->rip, rflags = ctxt->rflags;
	unsigned int posted = m->nr_posted, i, len;
	int rc;

	memcpy(gpr, ctxt->gpr, sizeof(gpr));
	m->fetches = 0;
	m->reads = 0;
	m->writes = 0;
	m->pio_ins = 0;
	m->set_vecs = 0;
	m->sets = 0;
	m->replay_pos = 0;
	len = machine_insn_len(m);

	rc = x86_emulate_insn(ctxt);
	PROMISE(ctxt->length == len);

	PROMISE(ctxt->fetched <= X86EMUL_MAX_INSN);
	PROMISE(ctxt->length <= ctxt->fetched);
	if (rc == X86EMUL_CONTINUE || rc == X86EMUL_RESTART) {
		PROMISE(ctxt->length);
		PROMISE(rc == X86EMUL_CONTINUE || ctxt->rip == rip);
		PROMISE(!(ctxt->rflags & X86_EFLAGS_RF) ==
			(rc == X86EMUL_CONTINUE));
		for (i = 0; i < 16; i++)
			PROMISE(gpr[i] == ctxt->gpr[i] ||
				ctxt->regs_dirty & 1u << i);
		if (!ctxt->d.rep)
			PROMISE(m->reads <= 4 && m->writes <= 2);
	} else {
		PROMISE(!memcmp(gpr, ctxt->gpr, sizeof(gpr)));
		PROMISE(rip == ctxt->rip && rflags == ctxt->rflags);
		PROMISE(!m->writes && !m->set_vecs && !m->sets && m->nr_posted == posted);
	}
	if (rc != X86EMUL_IO_NEEDED) {
		m->nr_replay = 0;
		m->wanted.bytes = 0;
		m->pio_wanted = false;
		m->pio_ready = false;
	}
	return rc;
}

/* Until the instruction is over, userspace serving what it waits for. */
static inline int machine_run(struct machine *m)
{
	unsigned int calls = 0;
	int rc;

	do {
		rc = machine_step(m);
		if (rc == X86EMUL_IO_NEEDED)
			machine_serve(m);
	} while ((rc == X86EMUL_IO_NEEDED || rc == X86EMUL_RESTART) &&
		 ++calls < 100000);
	return rc;
}

#endif /* MINIKVM_MACHINE_H */
