/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cpu_agent.h - guest CPUs that do what the host's test says, one step at a time
 *
 * A test of a device wants to write a register, let some interrupts in, look, and go
 * on.  So each vCPU runs agent(): it takes a command of its own mailbox, does it,
 * and reports by a SYNC ucall.  Interrupts get in only where a command says so; the
 * log of g_exc() has their vectors in order.  NMIs get in when they like.
 *
 *	struct vm *vm = vm_agents(4);
 *
 *	apic_write(vm->vcpus[0], APIC_TPR, 0x20);
 *	send_ipi(vm->vcpus[0], 0x41, 3);
 *	n = agent_take(vm->vcpus[3]);
 *
 * Registers of the local APIC are named by their offset in its page; the functions
 * go through the page or through MSRs, as the vCPU's mode demands.
 */
#ifndef CPU_AGENT_H
#define CPU_AGENT_H

#include "irq_util.h"

#define APIC_ID		0x20
#define APIC_LVR	0x30
#define APIC_TPR	0x80
#define APIC_PPR	0xa0
#define APIC_EOI	0xb0
#define APIC_LDR	0xd0
#define APIC_DFR	0xe0
#define APIC_SVR	0xf0
#define APIC_ISR	0x100
#define APIC_TMR	0x180
#define APIC_IRR	0x200
#define APIC_ESR	0x280
#define APIC_ICR	0x300
#define APIC_ICR2	0x310
#define APIC_LVTT	0x320
#define APIC_LVTTHMR	0x330
#define APIC_LVTPC	0x340
#define APIC_LVT0	0x350
#define APIC_LVT1	0x360
#define APIC_LVTERR	0x370
#define APIC_TMICT	0x380
#define APIC_TMCCT	0x390
#define APIC_TDCR	0x3e0
#define APIC_SELF	0x3f0

#define DM_LOWEST	0x100u
#define DM_SMI		0x200u
#define DM_NMI		0x400u
#define DM_INIT		0x500u
#define DM_SIPI		0x600u
#define DM_EXTINT	0x700u
#define ICR_LOGICAL	0x800u
#define ICR_ASSERT	0x4000u
#define ICR_LEVEL	0x8000u
#define ICR_SELF	0x40000u
#define ICR_ALL		0x80000u
#define ICR_OTHERS	0xc0000u
#define LVT_MASKED	0x10000u
#define LVT_PERIODIC	0x20000u
#define LVT_DEADLINE	0x40000u

#define MSR_TSC		0x10
#define MSR_APIC_BASE	0x1b
#define MSR_TSC_ADJUST	0x3b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC	0x800
#define BASE_BSP	0x100u
#define BASE_X2APIC	0x400u
#define BASE_ENABLED	0x800u

#define VECTOR_GP	13

enum agent_op {
	AGENT_NOP,
	AGENT_READ,		/* memory: @reg address, @len */
	AGENT_WRITE,
	AGENT_RDMSR,
	AGENT_WRMSR,
	AGENT_IN,
	AGENT_OUT,
	AGENT_GET_CR8,
	AGENT_SET_CR8,
	AGENT_TAKE,		/* let in what waits */
	AGENT_SPIN,		/* the same till one has come, or for @val cycles; TSC */
	AGENT_TICKS,		/* take @val, an EOI after each; TSC */
	AGENT_HALT,		/* STI and HLT */
	AGENT_RDTSC,
};

struct agent_cmd {
	u32 op, len;
	u64 reg, val;		/* the result is in @val */
	int vector;		/* of an exception, or -1 */
};

static GUEST_DATA volatile struct agent_cmd agent_cmds[MAX_VCPUS];

GUEST_FN static u64 agent_spin(u64 limit)
{
	volatile struct guest_exc *exc = g_exc();
	u64 start = g_rdtsc(), count = exc->count;

	asm volatile("sti" : : : "memory");
	while (exc->count == count && g_rdtsc() - start < limit)
		asm volatile("pause");
	asm volatile("cli" : : : "memory");
	return g_rdtsc();
}

GUEST_FN static void agent_eoi(void)
{
	u64 base;

	g_rdmsr(MSR_APIC_BASE, &base);
	if (base & BASE_X2APIC)
		g_wrmsr(MSR_X2APIC + (APIC_EOI >> 4), 0);
	else
		lapic_write(APIC_EOI, 0);
	g_exc()->action = EXC_IRET;
}

GUEST_FN static u64 agent_ticks(u64 n)
{
	u64 tsc = 0;

	while (n--) {
		tsc = agent_spin(~0UL);
		agent_eoi();
	}
	return tsc;
}

GUEST_FN static u64 agent_read(u64 address, u32 len)
{
	switch (len) {
	case 1:
		return *(volatile u8 *)address;
	case 2:
		return *(volatile u16 *)address;
	case 4:
		return *(volatile u32 *)address;
	}
	return *(volatile u64 *)address;
}

GUEST_FN static void agent_write(u64 address, u32 len, u64 val)
{
	switch (len) {
	case 1:
		*(volatile u8 *)address = val;
		break;
	case 2:
		*(volatile u16 *)address = val;
		break;
	case 4:
		*(volatile u32 *)address = val;
		break;
	default:
		*(volatile u64 *)address = val;
	}
}

GUEST_FN static void agent_do(volatile struct agent_cmd *c)
{
	u64 val = c->val;
	u8 byte = val;

	switch (c->op) {
	case AGENT_READ:
		val = agent_read(c->reg, c->len);
		break;
	case AGENT_WRITE:
		agent_write(c->reg, c->len, val);
		break;
	case AGENT_RDMSR:
		c->vector = g_rdmsr(c->reg, &val);
		break;
	case AGENT_WRMSR:
		c->vector = g_wrmsr(c->reg, val);
		break;
	case AGENT_IN:
		asm volatile("in %1, %0" : "=a"(byte) : "Nd"((u16)c->reg));
		val = byte;
		break;
	case AGENT_OUT:
		asm volatile("out %0, %1" : : "a"(byte), "Nd"((u16)c->reg));
		break;
	case AGENT_GET_CR8:
		asm volatile("mov %%cr8, %0" : "=r"(val));
		break;
	case AGENT_SET_CR8:
		c->vector = G_TRY("mov %0, %%cr8", : "r"(val) : "r11", "memory");
		break;
	case AGENT_TAKE:
		asm volatile("sti; nop; nop; cli" : : : "memory");
		break;
	case AGENT_SPIN:
		val = agent_spin(val);
		break;
	case AGENT_TICKS:
		val = agent_ticks(val);
		break;
	case AGENT_HALT:
		g_halt();
		break;
	case AGENT_RDTSC:
		val = g_rdtsc();
		break;
	}
	c->val = val;
}

GUEST_FN static void agent(u64 id)
{
	volatile struct agent_cmd *c = &agent_cmds[id];

	for (;;) {
		g_exc()->action = EXC_IRET;
		g_ucall(UCALL_SYNC, 0, 0);
		c->vector = -1;
		agent_do(c);
	}
}

/* ------------------------------------------------------------------ the host's side */

static inline volatile struct agent_cmd *agent_mailbox(struct vcpu *vcpu)
{
	return &GUEST_VAR(vcpu->vm, agent_cmds)[vcpu->id];
}

static inline void agent_finish(struct vcpu *vcpu)
{
	struct ucall uc = vcpu_ucall(vcpu);

	if (uc.cmd != UCALL_SYNC)
		die("vCPU %d: ucall %u (%#llx, %#llx) instead of a SYNC", vcpu->id, uc.cmd,
		    (unsigned long long)uc.a, (unsigned long long)uc.b);
}

/* A command without its end: the vCPU is to be run yet. */
static inline void agent_order(struct vcpu *vcpu, u32 op, u64 reg, u32 len, u64 val)
{
	volatile struct agent_cmd *c = agent_mailbox(vcpu);

	c->op = op;
	c->reg = reg;
	c->len = len;
	c->val = val;
}

static inline u64 agent_run(struct vcpu *vcpu, u32 op, u64 reg, u32 len, u64 val)
{
	agent_order(vcpu, op, reg, len, val);
	agent_finish(vcpu);
	return agent_mailbox(vcpu)->val;
}

/* The exception of the last command, -1 if there was none. */
static inline int agent_vector(struct vcpu *vcpu)
{
	return agent_mailbox(vcpu)->vector;
}

static inline int guest_wrmsr(struct vcpu *vcpu, u32 msr, u64 val)
{
	agent_run(vcpu, AGENT_WRMSR, msr, 0, val);
	return agent_vector(vcpu);
}

static inline int guest_rdmsr(struct vcpu *vcpu, u32 msr, u64 *val)
{
	*val = agent_run(vcpu, AGENT_RDMSR, msr, 0, 0);
	return agent_vector(vcpu);
}

static inline bool in_x2apic(struct vcpu *vcpu)
{
	return vcpu->run->apic_base & BASE_X2APIC;
}

static inline u64 apic_read(struct vcpu *vcpu, u32 reg)
{
	u64 val;

	if (!in_x2apic(vcpu))
		return agent_run(vcpu, AGENT_READ, LAPIC_GPA + reg, 4, 0);
	if (guest_rdmsr(vcpu, MSR_X2APIC + (reg >> 4), &val) >= 0)
		die("RDMSR of register %#x faults", reg);
	return val;
}

/* Returns the vector of an exception, or -1. */
static inline int apic_write(struct vcpu *vcpu, u32 reg, u64 val)
{
	if (in_x2apic(vcpu))
		return guest_wrmsr(vcpu, MSR_X2APIC + (reg >> 4), val);
	agent_run(vcpu, AGENT_WRITE, LAPIC_GPA + reg, 4, val);
	return -1;
}

static inline void send_ipi(struct vcpu *vcpu, u32 icr, u32 dest)
{
	if (in_x2apic(vcpu)) {
		apic_write(vcpu, APIC_ICR, (u64)dest << 32 | icr);
		return;
	}
	apic_write(vcpu, APIC_ICR2, dest << 24);
	apic_write(vcpu, APIC_ICR, icr);
}

static inline void self_ipi(struct vcpu *vcpu, u8 vector)
{
	apic_write(vcpu, APIC_ICR, vector | ICR_SELF | ICR_ASSERT);
}

/* Let in what waits; how many came? */
static inline u64 agent_take(struct vcpu *vcpu)
{
	u64 before = vcpu->exc->count;

	agent_run(vcpu, AGENT_TAKE, 0, 0, 0);
	return vcpu->exc->count - before;
}

/* The last interrupt, the one before it, ... */
static inline u8 agent_log(struct vcpu *vcpu, int back)
{
	return vcpu->exc->log[(vcpu->exc->count - 1 - back) % 64];
}

/* Take all, with an EOI for each, till nothing comes any more. */
static inline u64 agent_drain(struct vcpu *vcpu)
{
	u64 n, all = 0;

	while ((n = agent_take(vcpu))) {
		all += n;
		while (n--)
			apic_write(vcpu, APIC_EOI, 0);
	}
	return all;
}

/* To the kernel's other side of the last exit, which is complete then. */
static inline void agent_settle(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	if (vcpu_run(vcpu) != -EINTR)
		die("the last exit cannot be completed");
	vcpu->run->immediate_exit = 0;
}

static inline struct kvm_lapic_state lapic_get(struct vcpu *vcpu)
{
	struct kvm_lapic_state s;
	int r = kioctlp(vcpu->fd, KVM_GET_LAPIC, &s);

	if (r)
		die("KVM_GET_LAPIC: %s", strerror(-r));
	return s;
}

static inline u32 *lapic_reg(struct kvm_lapic_state *s, u32 reg)
{
	return (u32 *)(s->regs + reg);
}

static inline void lapic_set(struct vcpu *vcpu, struct kvm_lapic_state s)
{
	int r = kioctlp(vcpu->fd, KVM_SET_LAPIC, &s);

	if (r)
		die("KVM_SET_LAPIC: %s", strerror(-r));
}

static inline bool vector_in(struct vcpu *vcpu, u32 base, u8 vector)
{
	struct kvm_lapic_state s = lapic_get(vcpu);

	return *lapic_reg(&s, base + vector / 32 * 0x10) >> vector % 32 & 1;
}

/* On which vCPUs does the vector wait?  A bit for each. */
static inline u32 who_has(struct vm *vm, u8 vector)
{
	u32 mask = 0;

	for (int i = 0; i < vm->nvcpus; i++)
		mask |= (u32)vector_in(vm->vcpus[i], APIC_IRR, vector) << i;
	return mask;
}

static inline bool remote_irr(struct vm *vm, int pin)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	int r = kioctlp(vm->fd, KVM_GET_IRQCHIP, &chip);

	if (r)
		die("KVM_GET_IRQCHIP: %s", strerror(-r));
	return chip.chip.ioapic.redirtbl[pin].fields.remote_irr;
}

static inline u32 mp_state(struct vcpu *vcpu)
{
	struct kvm_mp_state s;
	int r = kioctlp(vcpu->fd, KVM_GET_MP_STATE, &s);

	if (r)
		die("KVM_GET_MP_STATE: %s", strerror(-r));
	return s.mp_state;
}

static inline int set_mp_state(struct vcpu *vcpu, u32 state)
{
	struct kvm_mp_state s = { .mp_state = state };

	return kioctlp(vcpu->fd, KVM_SET_MP_STATE, &s);
}

static inline u64 tsc_khz_of(struct vcpu *vcpu)
{
	int khz = kioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);

	if (khz <= 0)
		die("KVM_GET_TSC_KHZ");
	return khz;
}

/* A vCPU that can have x2APIC mode and TSC deadlines, with its ID in CPUID. */
static inline struct vcpu *vcpu_with_apic(struct vm *vm, int id)
{
	struct vcpu *vcpu = vcpu_bare(vm, id);
	struct cpuid_buf cpuid;
	struct kvm_cpuid_entry2 *e;
	int r;

	supported_cpuid(&cpuid);
	e = cpuid_find(&cpuid, 1, 0);
	e->ecx |= 1 << 21 | 1 << 24;
	e->ebx = (e->ebx & 0xffffff) | id << 24;
	r = kioctlp(vcpu->fd, KVM_SET_CPUID2, &cpuid);
	if (r)
		die("KVM_SET_CPUID2: %s", strerror(-r));
	return vcpu;
}

/* In agent(), at its first SYNC, its APIC switched on. */
static inline struct vcpu *agent_start(struct vcpu *vcpu)
{
	struct kvm_regs regs;

	vcpu_long(vcpu, agent);
	vcpu_regs(vcpu, &regs);
	regs.rdi = vcpu->id;
	vcpu_set_regs(vcpu, &regs);
	if (set_mp_state(vcpu, KVM_MP_STATE_RUNNABLE))
		die("KVM_SET_MP_STATE");
	agent_finish(vcpu);
	apic_write(vcpu, APIC_SVR, 0x1ff);
	return vcpu;
}

static inline struct vm *agents_in(struct vm *vm, int n)
{
	for (int i = 0; i < n; i++)
		agent_start(vcpu_with_apic(vm, i));
	return vm;
}

static inline struct vm *vm_agents(int n)
{
	return agents_in(vm_irqchip(), n);
}

static inline void to_x2apic(struct vcpu *vcpu)
{
	if (guest_wrmsr(vcpu, MSR_APIC_BASE, vcpu->run->apic_base | BASE_X2APIC) != -1)
		die("no x2APIC mode");
}

#endif
