/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trace.h - trace events: what a vCPU does, in order, when somebody looks
 *
 *	cd /sys/kernel/tracing; echo 1 > events/minikvm/enable; cat trace_pipe
 *
 * The names are not KVM's own (kvm_exit, ...), for both modules may be loaded.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM minikvm

#if !defined(MINIKVM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MINIKVM_TRACE_H

#include <linux/tracepoint.h>

#include "kvm_host.h"

TRACE_EVENT(minikvm_entry,
	TP_PROTO(struct kvm_vcpu *vcpu),
	TP_ARGS(vcpu),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(unsigned long, rip)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu->vcpu_id;
		__entry->rip = kvm_rip_read(vcpu);
	),
	TP_printk("vcpu %u rip 0x%lx", __entry->vcpu_id, __entry->rip)
);

TRACE_EVENT(minikvm_exit,
	TP_PROTO(struct kvm_vcpu *vcpu),
	TP_ARGS(vcpu),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(unsigned long, rip)
		__field(u32, reason)
		__field(u64, info1)
		__field(u64, info2)
		__field(u32, intr_info)
		__field(u32, error_code)
		__field(u32, vectoring)
		__string(name, kvm_exit_reason_name(vcpu))
	),
	TP_fast_assign(
		struct kvm_exit_info info;

		kvm_x86_ops.get_exit_info(vcpu, &info);
		__entry->vcpu_id = vcpu->vcpu_id;
		__entry->rip = kvm_rip_read(vcpu);
		__entry->reason = info.reason;
		__entry->info1 = info.info1;
		__entry->info2 = info.info2;
		__entry->intr_info = info.intr_info;
		__entry->error_code = info.error_code;
		__entry->vectoring = info.vectoring;
		minikvm_assign_str(name, kvm_exit_reason_name(vcpu));
	),
	TP_printk("vcpu %u reason %s (0x%x) rip 0x%lx info1 0x%llx info2 0x%llx intr_info 0x%x error_code 0x%x vectoring 0x%x",
		  __entry->vcpu_id, __get_str(name), __entry->reason, __entry->rip,
		  __entry->info1, __entry->info2, __entry->intr_info, __entry->error_code,
		  __entry->vectoring)
);

TRACE_EVENT(minikvm_inject,
	TP_PROTO(struct kvm_vcpu *vcpu, const char *what, unsigned int vector,
		 unsigned int error_code, bool again),
	TP_ARGS(vcpu, what, vector, error_code, again),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(const char *, what)
		__field(unsigned int, vector)
		__field(unsigned int, error_code)
		__field(bool, again)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu->vcpu_id;
		__entry->what = what;	/* a string constant of minikvm.ko */
		__entry->vector = vector;
		__entry->error_code = error_code;
		__entry->again = again;
	),
	TP_printk("vcpu %u %s vector %u error_code 0x%x%s", __entry->vcpu_id, __entry->what,
		  __entry->vector, __entry->error_code, __entry->again ? " (again)" : "")
);

TRACE_EVENT(minikvm_page_fault,
	TP_PROTO(struct kvm_vcpu *vcpu, gpa_t gpa, u32 access),
	TP_ARGS(vcpu, gpa, access),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(u64, gpa)
		__field(u32, access)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu->vcpu_id;
		__entry->gpa = gpa;
		__entry->access = access;
	),
	TP_printk("vcpu %u gpa 0x%llx %s", __entry->vcpu_id, __entry->gpa,
		  __print_flags(__entry->access, "|",
				{ KVM_FAULT_READ, "read" }, { KVM_FAULT_WRITE, "write" },
				{ KVM_FAULT_EXEC, "exec" }, { KVM_FAULT_GVA_VALID, "gva" },
				{ KVM_FAULT_GVA_UNKNOWN, "some gva" }))
);

TRACE_EVENT(minikvm_emulate,
	TP_PROTO(struct kvm_vcpu *vcpu, unsigned long rip, const u8 *insn, unsigned int len,
		 int result),
	TP_ARGS(vcpu, rip, insn, len, result),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(unsigned long, rip)
		__field(unsigned int, len)
		__field(int, result)
		__array(u8, insn, 15)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu->vcpu_id;
		__entry->rip = rip;
		__entry->len = min(len, 15u);
		__entry->result = result;
		memcpy(__entry->insn, insn, 15);
	),
	TP_printk("vcpu %u rip 0x%lx insn %s result %d", __entry->vcpu_id, __entry->rip,
		  __print_hex(__entry->insn, __entry->len), __entry->result)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
