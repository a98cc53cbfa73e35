/* SPDX-License-Identifier: GPL-2.0 */
/*
 * guest_diff_snips.h - the guest snippets of guest_diff_test.c
 *
 * SNIP(name, modes, text): text is assembled for 16, 32 and 64 bits; BITS tells which.
 * At the start EBX points to data (see build_data()), EDI behind it, ESI is 0; FS:1000
 * is where RAM ends, GS:1000 where the read-only slot begins, GS:5000 where it ends.
 * MOV CR and MOV DR are in bytes, because their operand size is the mode's.
 */
SNIP("nop", ALL,
	"nop")
SNIP("cpuid 0", ALL,
	"mov $0,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 1", ALL,
	"mov $1,%eax; xor %ecx,%ecx; cpuid; and $0x00ffffff,%ebx")
SNIP("cpuid 4", ALL,
	"mov $4,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 7", ALL,
	"mov $7,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0xd", ALL,
	"mov $0xd,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0xa", ALL,
	"mov $0xa,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0x12", ALL,
	"mov $0x12,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0x15", ALL,
	"mov $0x15,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0x40000000", ALL,
	"mov $0x40000000,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0x40000001", ALL,
	"mov $0x40000001,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0x4000ffff", ALL,
	"mov $0x4000ffff,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0x80000000", ALL,
	"mov $0x80000000,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0x80000001", ALL,
	"mov $0x80000001,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0x80000007", ALL,
	"mov $0x80000007,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0x80000008", ALL,
	"mov $0x80000008,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0x80000099", ALL,
	"mov $0x80000099,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0x8fffffff", ALL,
	"mov $0x8fffffff,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0xffffffff", ALL,
	"mov $0xffffffff,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid 0xc0000000", ALL,
	"mov $0xc0000000,%eax; xor %ecx,%ecx; cpuid")
SNIP("cpuid d.1", ALL,
	"mov $0xd,%eax; mov $1,%ecx; cpuid")
SNIP("cpuid d.2", ALL,
	"mov $0xd,%eax; mov $2,%ecx; cpuid")
SNIP("cpuid d.3", ALL,
	"mov $0xd,%eax; mov $3,%ecx; cpuid")
SNIP("cpuid d.63", ALL,
	"mov $0xd,%eax; mov $63,%ecx; cpuid")
SNIP("cpuid 4.3", ALL,
	"mov $4,%eax; mov $3,%ecx; cpuid")
SNIP("cpuid 7.1", ALL,
	"mov $7,%eax; mov $1,%ecx; cpuid")
SNIP("cpuid cpuid", ALL,
	"xor %eax,%eax; cpuid; xor %eax,%eax; cpuid")
SNIP("rdtsc", ALL,
	"rdtsc; xor %eax,%eax; xor %edx,%edx")
SNIP("rdtscp", ALL,
	"rdtscp; xor %eax,%eax; xor %edx,%edx")
SNIP("rdpmc", ALL,
	"rdpmc")
SNIP("rdpmc fixed", ALL,
	"mov $0x40000000,%ecx; rdpmc")
SNIP("rdpmc 0", ALL,
	"xor %ecx,%ecx; rdpmc")
SNIP("rdmsr apicbase", ALL,
	"mov $0x1b,%ecx; rdmsr")
SNIP("rdmsr efer", ALL,
	"mov $0xc0000080,%ecx; rdmsr")
SNIP("rdmsr bad", ALL,
	"mov $0x12345,%ecx; rdmsr")
SNIP("wrmsr bad", ALL,
	"mov $0x12345,%ecx; wrmsr")
SNIP("wrmsr efer same", ALL,
	"mov $0xc0000080,%ecx; rdmsr; wrmsr")
SNIP("wrmsr efer lme", ALL,
	"mov $0xc0000080,%ecx; rdmsr; xor $0x100,%eax; wrmsr")
SNIP("wrmsr efer bad", ALL,
	"mov $0xc0000080,%ecx; rdmsr; or $0x200,%eax; wrmsr")
SNIP("wrmsr efer nxe", ALL,
	"mov $0xc0000080,%ecx; rdmsr; xor $0x800,%eax; wrmsr; rdmsr")
SNIP("wrmsr lstar noncanon", ALL,
	"mov $0xc0000082,%ecx; mov $0x80000000,%edx; wrmsr")
SNIP("wrmsr sysenter", ALL,
	"mov $0x175,%ecx; mov $0x11,%edx; wrmsr; rdmsr")
SNIP("wrmsr debugctl btf", ALL,
	"mov $0x1d9,%ecx; mov $2,%eax; xor %edx,%edx; wrmsr; rdmsr")
SNIP("wrmsr debugctl lbr", ALL,
	"mov $0x1d9,%ecx; mov $1,%eax; xor %edx,%edx; wrmsr; rdmsr")
SNIP("mov from cr0", ALL,
	".byte 0x0f,0x20,0xc0")
SNIP("mov from cr2", ALL,
	".byte 0x0f,0x20,0xd0")
SNIP("mov from cr3", ALL,
	".byte 0x0f,0x20,0xd8")
SNIP("mov from cr4", ALL,
	".byte 0x0f,0x20,0xe0")
SNIP("mov from cr1 bad", ALL,
	".byte 0x0f,0x20,0xc8")
SNIP("mov to cr1 bad", ALL,
	".byte 0x0f,0x22,0xc8")
SNIP("mov from cr5 bad", ALL,
	".byte 0x0f,0x20,0xe8")
SNIP("mov to cr5 bad", ALL,
	".byte 0x0f,0x22,0xe8")
SNIP("mov from cr7 bad", ALL,
	".byte 0x0f,0x20,0xf8")
SNIP("mov to cr7 bad", ALL,
	".byte 0x0f,0x22,0xf8")
SNIP("mov to cr0 same", ALL,
	".byte 0x0f,0x20,0xc0;.byte 0x0f,0x22,0xc0")
SNIP("mov to cr2 same", ALL,
	".byte 0x0f,0x20,0xd0;.byte 0x0f,0x22,0xd0")
SNIP("mov to cr3 same", ALL,
	".byte 0x0f,0x20,0xd8;.byte 0x0f,0x22,0xd8")
SNIP("mov to cr4 same", ALL,
	".byte 0x0f,0x20,0xe0;.byte 0x0f,0x22,0xe0")
SNIP("mov cr mod0", ALL,
	".byte 0x0f,0x20,0x00")
SNIP("mov cr mod1", ALL,
	".byte 0x0f,0x22,0x40; nop")
SNIP("mov from cr8", ALL,
	".byte 0x44,0x0f,0x20,0xc0")
SNIP("mov to cr8", LONG,
	"mov $5,%eax; .byte 0x44,0x0f,0x22,0xc0; .byte 0x44,0x0f,0x20,0xc0; xor "
	"%eax,%eax; .byte 0x44,0x0f,0x22,0xc0")
SNIP("mov to cr8 bad", LONG,
	"mov $16,%eax; .byte 0x44,0x0f,0x22,0xc0")
SNIP("lock cr8", ALL,
	".byte 0xf0,0x0f,0x20,0xc0")
SNIP("clts", ALL,
	".byte 0x0f,0x20,0xc0; or $8,%eax;.byte 0x0f,0x22,0xc0; clts;.byte 0x0f,0x20,0xc0")
SNIP("clts alone", ALL,
	"clts")
SNIP("smsw", ALL,
	"smsw %eax")
SNIP("smsw mem", ALL,
	"smsw (%ebx)")
SNIP("lmsw same", ALL,
	"smsw %ax; lmsw %ax")
SNIP("lmsw ts", ALL,
	"smsw %ax; or $8,%ax; lmsw %ax")
SNIP("lmsw 0", ALL,
	"xor %eax,%eax; lmsw %ax; smsw %ax")
SNIP("lmsw f", ALL,
	"mov $0xffff,%eax; lmsw %ax; smsw %ax")
SNIP("lmsw mem", ALL,
	"movw $9,(%ebx); lmsw (%ebx); smsw %ax")
SNIP("fpu ts", KERNEL,
	".byte 0x0f,0x20,0xc0; or $8,%eax;.byte 0x0f,0x22,0xc0; fninit")
SNIP("sse em", KERNEL,
	".byte 0x0f,0x20,0xc0; or $4,%eax;.byte 0x0f,0x22,0xc0; fninit")
SNIP("mov from dr0", ALL,
	".byte 0x0f,0x21,0xc0")
SNIP("mov to dr0", ALL,
	"mov $0x1234,%eax;.byte 0x0f,0x23,0xc0;.byte 0x0f,0x21,0xc0")
SNIP("mov from dr1", ALL,
	".byte 0x0f,0x21,0xc8")
SNIP("mov to dr1", ALL,
	"mov $0x1234,%eax;.byte 0x0f,0x23,0xc8;.byte 0x0f,0x21,0xc8")
SNIP("mov from dr2", ALL,
	".byte 0x0f,0x21,0xd0")
SNIP("mov to dr2", ALL,
	"mov $0x1234,%eax;.byte 0x0f,0x23,0xd0;.byte 0x0f,0x21,0xd0")
SNIP("mov from dr3", ALL,
	".byte 0x0f,0x21,0xd8")
SNIP("mov to dr3", ALL,
	"mov $0x1234,%eax;.byte 0x0f,0x23,0xd8;.byte 0x0f,0x21,0xd8")
SNIP("mov from dr4", ALL,
	".byte 0x0f,0x21,0xe0")
SNIP("mov to dr4", ALL,
	"mov $0x1234,%eax;.byte 0x0f,0x23,0xe0;.byte 0x0f,0x21,0xe0")
SNIP("mov from dr5", ALL,
	".byte 0x0f,0x21,0xe8")
SNIP("mov to dr5", ALL,
	"mov $0x1234,%eax;.byte 0x0f,0x23,0xe8;.byte 0x0f,0x21,0xe8")
SNIP("mov from dr6", ALL,
	".byte 0x0f,0x21,0xf0")
SNIP("mov to dr6", ALL,
	"mov $0x1234,%eax;.byte 0x0f,0x23,0xf0;.byte 0x0f,0x21,0xf0")
SNIP("mov from dr7", ALL,
	".byte 0x0f,0x21,0xf8")
SNIP("mov to dr7", ALL,
	"mov $0x1234,%eax;.byte 0x0f,0x23,0xf8;.byte 0x0f,0x21,0xf8")
SNIP("dr4 de", KERNEL,
	".byte 0x0f,0x20,0xe0; or $8,%eax;.byte 0x0f,0x22,0xe0;.byte 0x0f,0x21,0xe0")
SNIP("dr5 de", KERNEL,
	".byte 0x0f,0x20,0xe0; or $8,%eax;.byte 0x0f,0x22,0xe0;.byte 0x0f,0x23,0xe8")
SNIP("dr7 gd", KERNEL,
	"mov $0x2400,%eax;.byte 0x0f,0x23,0xf8;.byte 0x0f,0x21,0xc0; nop;.byte "
	"0x0f,0x21,0xf0")
SNIP("dr7 gd dr4 de", KERNEL,
	".byte 0x0f,0x20,0xe0; or $8,%eax;.byte 0x0f,0x22,0xe0; mov $0x2400,%eax;.byte "
	"0x0f,0x23,0xf8;.byte 0x0f,0x21,0xe0")
SNIP("dr7 high", LONG,
	".if BITS==64; mov $1,%eax; shl $32,%rax; .endif;.byte 0x0f,0x23,0xf8")
SNIP("dr6 high", LONG,
	".if BITS==64; mov $1,%eax; shl $32,%rax; .endif;.byte 0x0f,0x23,0xf0")
SNIP("dr6 ones", ALL,
	"xor %eax,%eax; dec %eax;.byte 0x0f,0x23,0xf0;.byte 0x0f,0x21,0xf0")
SNIP("dr7 ones", ALL,
	"mov $0xffffdc00,%eax;.byte 0x0f,0x23,0xf8;.byte 0x0f,0x21,0xf8")
SNIP("dr0 noncanon", LONG,
	".if BITS==64; mov $1,%eax; shl $63,%rax; .endif;.byte 0x0f,0x23,0xc0;.byte "
	"0x0f,0x21,0xc0")
SNIP("mov dr r15", LONG,
	".byte 0x41,0x0f,0x21,0xc7")
SNIP("mov dr8", LONG,
	".byte 0x44,0x0f,0x21,0xc0")
SNIP("data bp write", KERNEL,
	"mov %ebx,%eax; .if BITS==16; add $0x20000,%eax; .endif;.byte 0x0f,0x23,0xc0; mov "
	"$0xd0402,%eax;.byte 0x0f,0x23,0xf8; movl $1,(%ebx); nop;.byte 0x0f,0x21,0xf0")
SNIP("data bp rep", KERNEL,
	"mov %ebx,%eax; .if BITS==16; add $0x20000,%eax; .endif; add $0x94,%eax;.byte "
	"0x0f,0x23,0xc0; mov $0xd0402,%eax;.byte 0x0f,0x23,0xf8; mov $8,%ecx; cld; rep "
	"stosb; nop;.byte 0x0f,0x21,0xf0")
SNIP("data bp insb", KERNEL,
	"mov %ebx,%eax; .if BITS==16; add $0x20000,%eax; .endif; add $0x91,%eax;.byte "
	"0x0f,0x23,0xc0; mov $0xd0402,%eax;.byte 0x0f,0x23,0xf8; mov $4,%ecx; mov "
	"$0x99,%dx; rep insb; nop;.byte 0x0f,0x21,0xf0")
SNIP("io bp", KERNEL,
	".byte 0x0f,0x20,0xe0; or $8,%eax;.byte 0x0f,0x22,0xe0; mov $0x99,%eax;.byte "
	"0x0f,0x23,0xc0; mov $0x20402,%eax;.byte 0x0f,0x23,0xf8; in $0x99,%al; nop; out "
	"%al,$0x99; nop;.byte 0x0f,0x21,0xf0")
SNIP("data bp movss int3", KERNEL,
	"mov %ebx,%eax; .if BITS==16; add $0x20000,%eax; .endif;.byte 0x0f,0x23,0xc0; mov "
	"$0xf0402,%eax;.byte 0x0f,0x23,0xf8; mov %ss,(%ebx); mov (%ebx),%ss; int3; "
	"nop;.byte 0x0f,0x21,0xf0")
SNIP("data bp movss cpuid", KERNEL,
	"mov %ebx,%eax; .if BITS==16; add $0x20000,%eax; .endif; push %ax;.byte "
	"0x0f,0x23,0xc0; mov $0xf0402,%eax;.byte 0x0f,0x23,0xf8; mov %ss,(%ebx); mov "
	"(%ebx),%ss; cpuid; nop;.byte 0x0f,0x21,0xf0")
SNIP("data bp mmio", KERNEL,
	"mov $0x40000,%eax;.byte 0x0f,0x23,0xc0; mov $0xf0402,%eax;.byte 0x0f,0x23,0xf8; "
	"movl %fs:0x1000(%esi),%eax; nop;.byte 0x0f,0x21,0xf0")
SNIP("int 0x3", ALL,
	"int $0x3")
SNIP("int 0x40", ALL,
	"int $0x40")
SNIP("int 0x4", ALL,
	"int $0x4")
SNIP("int 0x1", ALL,
	"int $0x1")
SNIP("int 0x20", ALL,
	"int $0x20")
SNIP("int 0x60", ALL,
	"int $0x60")
SNIP("int 0x61", ALL,
	"int $0x61")
SNIP("int 0x62", ALL,
	"int $0x62")
SNIP("int 0xff", ALL,
	"int $0xff")
SNIP("int 0x8", ALL,
	"int $0x8")
SNIP("int 0xd", ALL,
	"int $0xd")
SNIP("int 0xe", ALL,
	"int $0xe")
SNIP("int3", ALL,
	"int3")
SNIP("int1", ALL,
	".byte 0xf1; nop")
SNIP("int1 int1", ALL,
	".byte 0xf1,0xf1")
SNIP("into", ALL,
	"mov $0x7fffffff,%eax; add $1,%eax; .byte 0xce")
SNIP("ud2", ALL,
	"ud2")
SNIP("ud1", ALL,
	".byte 0x0f,0xb9,0xc0")
SNIP("bound", ALL,
	".byte 0x62,0x03; nop; nop")
SNIP("taskgate", PROT32,
	"int $0x63")
SNIP("hlt", ALL,
	"hlt; nop")
SNIP("hlt hlt", ALL,
	"hlt; hlt")
SNIP("pause", ALL,
	"pause")
SNIP("pause x2", ALL,
	"pause; pause")
SNIP("sti", ALL,
	"sti; nop")
SNIP("cli", ALL,
	"cli; nop")
SNIP("sti cli", ALL,
	"sti; cli; nop")
SNIP("sti hlt", ALL,
	"sti; hlt; nop")
SNIP("sti sti hlt", ALL,
	"sti; sti; hlt; nop")
SNIP("sti cpuid", ALL,
	"sti; cpuid; nop")
SNIP("sti in", ALL,
	"sti; in $0x99,%al; nop")
SNIP("sti out", ALL,
	"sti; out %al,$0x99; nop")
SNIP("sti rdmsr", ALL,
	"mov $0x1b,%ecx; sti; rdmsr; nop")
SNIP("sti wbinvd", ALL,
	"sti; wbinvd; nop")
SNIP("sti mmio", ALL,
	"sti; movl %fs:0x1000(%esi),%eax; nop")
SNIP("sti mmio w", ALL,
	"sti; movl %eax,%fs:0x1000(%esi); nop")
SNIP("sti insb", ALL,
	"mov $0x99,%dx; sti; insb; nop")
SNIP("sti int3", ALL,
	"sti; int3; nop")
SNIP("sti ud2", ALL,
	"sti; ud2")
SNIP("sti mov cr", ALL,
	"sti;.byte 0x0f,0x20,0xd8;.byte 0x0f,0x22,0xd8")
SNIP("sti pushf", ALL,
	"sti; pushf; popf; nop")
SNIP("sti mov dr", ALL,
	"sti;.byte 0x0f,0x21,0xf0; nop")
SNIP("movss cpuid", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; cpuid; nop")
SNIP("movss in", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; in $0x99,%al; nop")
SNIP("movss out", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; out %al,$0x99; nop")
SNIP("movss hlt", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; hlt; nop")
SNIP("movss int3", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; int3; nop")
SNIP("movss int1", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; .byte 0xf1; nop")
SNIP("movss mmio", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; movl %fs:0x1000(%esi),%eax; nop")
SNIP("movss mmio w", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; movl %eax,%fs:0x1000(%esi); nop")
SNIP("movss insb", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; insb; nop")
SNIP("movss vmcall", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; vmcall; nop")
SNIP("movss mov cr3", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; .byte 0x0f,0x20,0xd8; nop")
SNIP("movss mov dr", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; .byte 0x0f,0x21,0xf0; nop")
SNIP("movss ud2", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; ud2; nop")
SNIP("movss pushf", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; pushf; nop")
SNIP("movss mov ss", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; mov %eax,%ss; cpuid; nop")
SNIP("movss sti", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; sti; cpuid; nop")
SNIP("movss int 40", ALL,
	"mov $0x99,%dx; mov %ss,%eax; mov %eax,%ss; int $0x40; nop")
SNIP("pop ss cpuid", LEGACY,
	".if BITS!=64; push %ss; pop %ss; .endif; cpuid")
SNIP("set tf", ALL,
	"pushf; .if BITS==64; orw $0x100,(%rsp); .else; .if BITS==32; orw $0x100,(%esp); "
	".else; pop %ax; or $0x100,%ax; push %ax; .endif; .endif; popf; nop; cpuid; nop; "
	"in $0x99,%al; out %al,$0x99; vmcall; hlt; nop")
SNIP("set tf sti", ALL,
	"pushf; .if BITS==64; orw $0x100,(%rsp); .else; .if BITS==32; orw $0x100,(%esp); "
	".else; pop %ax; or $0x100,%ax; push %ax; .endif; .endif; popf; sti; cpuid; mov "
	"%ss,%eax; mov %eax,%ss; cpuid; nop")
SNIP("tf mmio", ALL,
	"movl %fs:0x1000(%esi),%eax; movl %eax,%fs:0x1000(%esi); nop")
SNIP("tf ins", ALL,
	"mov $3,%ecx; mov $0x99,%dx; rep insb; nop")
SNIP("outs", ALL,
	"mov $3,%ecx; mov $0x99,%dx; rep outsb; nop")
SNIP("insl", ALL,
	"mov $0x99,%dx; insl")
SNIP("rep ins big", ALL,
	"mov $0x300,%ecx; mov $0x99,%dx; rep insb")
SNIP("rep insw 0", ALL,
	"xor %ecx,%ecx; mov $0x99,%dx; rep insw")
SNIP("std ins", ALL,
	"std; mov $3,%ecx; mov $0x99,%dx; rep insw; cld")
SNIP("rep movs mmio", ALL,
	"mov $3,%ecx; .if BITS==64; lea 0x90(%ebx),%edi; .endif; fs movsl; nop")
SNIP("rep movs from mmio", ALL,
	"mov $3,%ecx; mov $0x1000,%esi; cld; rep movsb %fs:(%esi),%es:(%edi); nop")
SNIP("rep lods mmio", ALL,
	"mov $3,%ecx; mov $0x1000,%esi; rep lodsw %fs:(%esi); nop")
SNIP("cmps mmio", ALL,
	"mov $3,%ecx; mov $0x1000,%esi; repe cmpsb %es:(%edi),%fs:(%esi); nop")
SNIP("in $0x99,%al", ALL,
	"in $0x99,%al")
SNIP("in $0x99,%ax", ALL,
	"in $0x99,%ax")
SNIP("in $0x99,%eax", ALL,
	"in $0x99,%eax")
SNIP("in %dx,%eax", ALL,
	"in %dx,%eax")
SNIP("out %al,$0x99", ALL,
	"out %al,$0x99")
SNIP("out %ax,$0x99", ALL,
	"out %ax,$0x99")
SNIP("out %eax,$0x99", ALL,
	"out %eax,$0x99")
SNIP("out %al,$0x7e", ALL,
	"out %al,$0x7e; nop")
SNIP("in $0x7e,%al", ALL,
	"in $0x7e,%al")
SNIP("monitor", ALL,
	"monitor")
SNIP("mwait", ALL,
	"mwait")
SNIP("invd", ALL,
	"invd")
SNIP("wbinvd", ALL,
	"wbinvd")
SNIP("invlpg", ALL,
	"invlpg (%ebx)")
SNIP("invlpg reg", ALL,
	".byte 0x0f,0x01,0xf8")
SNIP("invpcid", ALL,
	".byte 0x66,0x0f,0x38,0x82,0x03")
SNIP("prefetchw", ALL,
	"prefetchw (%ebx)")
SNIP("clflush", ALL,
	"clflush (%ebx)")
SNIP("clflush mmio", ALL,
	"clflush %fs:0x1000(%esi)")
SNIP("xgetbv", ALL,
	"xor %ecx,%ecx; xgetbv")
SNIP("osxsave xgetbv", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; "
	"xgetbv")
SNIP("osxsave xgetbv 1", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; inc "
	"%ecx; xgetbv")
SNIP("osxsave xgetbv 2", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; mov "
	"$2,%ecx; xgetbv")
SNIP("osxsave xsetbv same", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; "
	"xgetbv; xsetbv")
SNIP("osxsave xsetbv 3", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; mov "
	"$3,%eax; xor %edx,%edx; xsetbv; xgetbv")
SNIP("osxsave xsetbv 0", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; xor "
	"%eax,%eax; xor %edx,%edx; xsetbv")
SNIP("osxsave xsetbv 5", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; mov "
	"$5,%eax; xor %edx,%edx; xsetbv")
SNIP("osxsave xsetbv 7", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; mov "
	"$7,%eax; xor %edx,%edx; xsetbv; xgetbv")
SNIP("osxsave xsetbv ff", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; mov "
	"$0xff,%eax; xor %edx,%edx; xsetbv")
SNIP("osxsave xsetbv xcr1", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; "
	"xgetbv; inc %ecx; xsetbv")
SNIP("osxsave xsave", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; xor "
	"%edx,%edx; mov $7,%eax; xsave 0x100(%ebx)")
SNIP("osxsave xrstor", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; xor "
	"%edx,%edx; mov $7,%eax; xsave 0x100(%ebx); xrstor 0x100(%ebx)")
SNIP("osxsave xsave unaligned", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; "
	"xsave 0x104(%ebx)")
SNIP("osxsave cpuid1", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x40000,%eax;.byte 0x0f,0x22,0xe0; xor %ecx,%ecx; mov "
	"$1,%eax; cpuid; and $0xffffff,%ebx")
SNIP("xsetbv noosxsave", ALL,
	"xor %ecx,%ecx; xor %edx,%edx; mov $1,%eax; xsetbv")
SNIP("xsave noosxsave", ALL,
	"xsave 0x100(%ebx)")
SNIP("fxsave", ALL,
	"fxsave 0x100(%ebx)")
SNIP("fxsave mmio", ALL,
	"fxsave %fs:0x1000(%esi)")
SNIP("vmcall", ALL,
	"vmcall")
SNIP("vmlaunch", ALL,
	"vmlaunch")
SNIP("vmresume", ALL,
	"vmresume")
SNIP("vmxoff", ALL,
	"vmxoff")
SNIP("vmxon (%ebx)", ALL,
	"vmxon (%ebx)")
SNIP("vmclear (%ebx)", ALL,
	"vmclear (%ebx)")
SNIP("vmptrld (%ebx)", ALL,
	"vmptrld (%ebx)")
SNIP("vmptrst (%ebx)", ALL,
	"vmptrst (%ebx)")
SNIP(".byte 0x0f,0x01,0xd9", ALL,
	".byte 0x0f,0x01,0xd9")
SNIP(".byte 0x0f,0x01,0xd8", ALL,
	".byte 0x0f,0x01,0xd8")
SNIP(".byte 0x0f,0x01,0xdd", ALL,
	".byte 0x0f,0x01,0xdd")
SNIP(".byte 0x0f,0x78,0xc1", ALL,
	".byte 0x0f,0x78,0xc1")
SNIP(".byte 0x0f,0x79,0xc1", ALL,
	".byte 0x0f,0x79,0xc1")
SNIP(".byte 0x66,0x0f,0x38,0x80,0x03", ALL,
	".byte 0x66,0x0f,0x38,0x80,0x03")
SNIP(".byte 0x66,0x0f,0x38,0x81,0x03", ALL,
	".byte 0x66,0x0f,0x38,0x81,0x03")
SNIP(".byte 0x0f,0x01,0xd4", ALL,
	".byte 0x0f,0x01,0xd4")
SNIP(".byte 0x0f,0x01,0xcf", ALL,
	".byte 0x0f,0x01,0xcf")
SNIP(".byte 0x0f,0xaa", ALL,
	".byte 0x0f,0xaa")
SNIP(".byte 0x0f,0x01,0xd0+0x0e", ALL,
	".byte 0x0f,0x01,0xd0+0x0e")
SNIP("getsec", ALL,
	"getsec")
SNIP("vmcall clock", ALL,
	"mov $9,%eax; vmcall")
SNIP("vmcall 5", ALL,
	"mov $5,%eax; vmcall; nop")
SNIP("vmcall vapic", ALL,
	"mov $1,%eax; vmcall")
SNIP("sysenter", ALL,
	"sysenter")
SNIP("sysexit", ALL,
	"sysexit")
SNIP("syscall", ALL,
	"syscall")
SNIP("sysret", ALL,
	"sysret")
SNIP("sysretq", LONG,
	".byte 0x48; sysret")
SNIP("swapgs", ALL,
	".byte 0x0f,0x01,0xf8")
SNIP("rdfsbase", ALL,
	".byte 0xf3,0x0f,0xae,0xc0")
SNIP("wrfsbase", ALL,
	".byte 0xf3,0x0f,0xae,0xd0")
SNIP("fsgsbase on", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x10000,%eax;.byte 0x0f,0x22,0xe0; .byte "
	"0xf3,0x0f,0xae,0xc0; .byte 0xf3,0x0f,0xae,0xd8")
SNIP("lgdt (%ebx)", ALL,
	"lgdt (%ebx)")
SNIP("lidt 0x10(%ebx)", ALL,
	"lidt 0x10(%ebx)")
SNIP("lidt 0x20(%ebx)", ALL,
	"lidt 0x20(%ebx)")
SNIP("sgdt 0x80(%ebx)", ALL,
	"sgdt 0x80(%ebx)")
SNIP("sidt 0x80(%ebx)", ALL,
	"sidt 0x80(%ebx)")
SNIP("str %ax", ALL,
	"str %ax")
SNIP("sldt %ax", ALL,
	"sldt %ax")
SNIP("str (%ebx)", ALL,
	"str (%ebx)")
SNIP("lgdt %fs:0x1000(%esi)", ALL,
	"lgdt %fs:0x1000(%esi)")
SNIP("sgdt %fs:0x1000(%esi)", ALL,
	"sgdt %fs:0x1000(%esi)")
SNIP("verr %ax", ALL,
	"verr %ax")
SNIP("verw %ax", ALL,
	"verw %ax")
SNIP("lar %ax,%ecx", ALL,
	"lar %ax,%ecx")
SNIP("lsl %ax,%ecx", ALL,
	"lsl %ax,%ecx")
SNIP("lldt 0x70", ALL,
	"mov $0x70,%eax; lldt %ax; sldt %cx")
SNIP("ltr 0x70", ALL,
	"mov $0x70,%eax; ltr %ax; str %cx")
SNIP("lldt 0x10", ALL,
	"mov $0x10,%eax; lldt %ax; sldt %cx")
SNIP("ltr 0x10", ALL,
	"mov $0x10,%eax; ltr %ax; str %cx")
SNIP("lldt 0", ALL,
	"mov $0,%eax; lldt %ax; sldt %cx")
SNIP("ltr 0", ALL,
	"mov $0,%eax; ltr %ax; str %cx")
SNIP("lldt 0x88", ALL,
	"mov $0x88,%eax; lldt %ax; sldt %cx")
SNIP("ltr 0x88", ALL,
	"mov $0x88,%eax; ltr %ax; str %cx")
SNIP("lldt 0x80", ALL,
	"mov $0x80,%eax; lldt %ax; sldt %cx")
SNIP("ltr 0x80", ALL,
	"mov $0x80,%eax; ltr %ax; str %cx")
SNIP("lldt 0x38", ALL,
	"mov $0x38,%eax; lldt %ax; sldt %cx")
SNIP("ltr 0x38", ALL,
	"mov $0x38,%eax; ltr %ax; str %cx")
SNIP("lldt 0x1000", ALL,
	"mov $0x1000,%eax; lldt %ax; sldt %cx")
SNIP("ltr 0x1000", ALL,
	"mov $0x1000,%eax; ltr %ax; str %cx")
SNIP("lldt 0x74", ALL,
	"mov $0x74,%eax; lldt %ax; sldt %cx")
SNIP("ltr 0x74", ALL,
	"mov $0x74,%eax; ltr %ax; str %cx")
SNIP("mov ds 0", ALL,
	"mov $0,%eax; mov %eax,%ds")
SNIP("mov ds 0x10", ALL,
	"mov $0x10,%eax; mov %eax,%ds")
SNIP("mov ds 0x13", ALL,
	"mov $0x13,%eax; mov %eax,%ds")
SNIP("mov ds 0x2b", ALL,
	"mov $0x2b,%eax; mov %eax,%ds")
SNIP("mov ds 0x80", ALL,
	"mov $0x80,%eax; mov %eax,%ds")
SNIP("mov ds 0x08", ALL,
	"mov $0x08,%eax; mov %eax,%ds")
SNIP("mov ds 0x38", ALL,
	"mov $0x38,%eax; mov %eax,%ds")
SNIP("mov ds 0x500", ALL,
	"mov $0x500,%eax; mov %eax,%ds")
SNIP("mov ds 0x14", ALL,
	"mov $0x14,%eax; mov %eax,%ds")
SNIP("mov es 0", ALL,
	"mov $0,%eax; mov %eax,%es")
SNIP("mov es 0x10", ALL,
	"mov $0x10,%eax; mov %eax,%es")
SNIP("mov es 0x13", ALL,
	"mov $0x13,%eax; mov %eax,%es")
SNIP("mov es 0x2b", ALL,
	"mov $0x2b,%eax; mov %eax,%es")
SNIP("mov es 0x80", ALL,
	"mov $0x80,%eax; mov %eax,%es")
SNIP("mov es 0x08", ALL,
	"mov $0x08,%eax; mov %eax,%es")
SNIP("mov es 0x38", ALL,
	"mov $0x38,%eax; mov %eax,%es")
SNIP("mov es 0x500", ALL,
	"mov $0x500,%eax; mov %eax,%es")
SNIP("mov es 0x14", ALL,
	"mov $0x14,%eax; mov %eax,%es")
SNIP("mov ss 0", ALL,
	"mov $0,%eax; mov %eax,%ss")
SNIP("mov ss 0x10", ALL,
	"mov $0x10,%eax; mov %eax,%ss")
SNIP("mov ss 0x13", ALL,
	"mov $0x13,%eax; mov %eax,%ss")
SNIP("mov ss 0x2b", ALL,
	"mov $0x2b,%eax; mov %eax,%ss")
SNIP("mov ss 0x80", ALL,
	"mov $0x80,%eax; mov %eax,%ss")
SNIP("mov ss 0x08", ALL,
	"mov $0x08,%eax; mov %eax,%ss")
SNIP("mov ss 0x38", ALL,
	"mov $0x38,%eax; mov %eax,%ss")
SNIP("mov ss 0x500", ALL,
	"mov $0x500,%eax; mov %eax,%ss")
SNIP("mov ss 0x14", ALL,
	"mov $0x14,%eax; mov %eax,%ss")
SNIP("mov fs 0", ALL,
	"mov $0,%eax; mov %eax,%fs")
SNIP("mov fs 0x10", ALL,
	"mov $0x10,%eax; mov %eax,%fs")
SNIP("mov fs 0x13", ALL,
	"mov $0x13,%eax; mov %eax,%fs")
SNIP("mov fs 0x2b", ALL,
	"mov $0x2b,%eax; mov %eax,%fs")
SNIP("mov fs 0x80", ALL,
	"mov $0x80,%eax; mov %eax,%fs")
SNIP("mov fs 0x08", ALL,
	"mov $0x08,%eax; mov %eax,%fs")
SNIP("mov fs 0x38", ALL,
	"mov $0x38,%eax; mov %eax,%fs")
SNIP("mov fs 0x500", ALL,
	"mov $0x500,%eax; mov %eax,%fs")
SNIP("mov fs 0x14", ALL,
	"mov $0x14,%eax; mov %eax,%fs")
SNIP("mov gs 0", ALL,
	"mov $0,%eax; mov %eax,%gs")
SNIP("mov gs 0x10", ALL,
	"mov $0x10,%eax; mov %eax,%gs")
SNIP("mov gs 0x13", ALL,
	"mov $0x13,%eax; mov %eax,%gs")
SNIP("mov gs 0x2b", ALL,
	"mov $0x2b,%eax; mov %eax,%gs")
SNIP("mov gs 0x80", ALL,
	"mov $0x80,%eax; mov %eax,%gs")
SNIP("mov gs 0x08", ALL,
	"mov $0x08,%eax; mov %eax,%gs")
SNIP("mov gs 0x38", ALL,
	"mov $0x38,%eax; mov %eax,%gs")
SNIP("mov gs 0x500", ALL,
	"mov $0x500,%eax; mov %eax,%gs")
SNIP("mov gs 0x14", ALL,
	"mov $0x14,%eax; mov %eax,%gs")
SNIP("lss", ALL,
	".byte 0x0f,0xb2,0x23")
SNIP("lds", LEGACY,
	".byte 0xc5,0x03")
SNIP("callgate", PROT,
	".if BITS==16; nop; .else; lcall *0x40(%ebx); .endif")
SNIP("ljmp callgate", PROT,
	".if BITS==16; nop; .else; ljmp *0x40(%ebx); .endif")
SNIP("far call np", PROT,
	".if BITS==16; nop; .else; movl $0x80,0x44(%ebx); lcall *0x40(%ebx); .endif")
SNIP("far call null", PROT,
	".if BITS==16; nop; .else; movl $0,0x44(%ebx); lcall *0x40(%ebx); .endif")
SNIP("taskgate far", PROT,
	".if BITS==16; nop; .else; movl $0x88,0x44(%ebx); lcall *0x40(%ebx); .endif")
SNIP("retf bad", ALL,
	"push $0x80; push $0; lret")
SNIP("iret nt", ALL,
	"pushf; .if BITS==64; orw $0x4000,(%rsp); .else; .if BITS==32; orw "
	"$0x4000,(%esp); .else; pop %ax; or $0x4000,%ax; push %ax; .endif; .endif; popf; "
	"push $0; push $0; push $0; iret")
SNIP("iret bad", ALL,
	"push $0; push $0x80; push $0; iret")
SNIP("iret rf", LONG,
	".if BITS==64; mov %ss,%eax; push %rax; lea 8(%rsp),%rax; push %rax; pushf; orl "
	"$0x10000,(%rsp); mov %cs,%eax; push %rax; lea 71f(%rip),%rax; push %rax; iretq; "
	"71: pushf; pop %rax; nop; .endif")
SNIP("iret tf", LONG,
	".if BITS==64; mov %ss,%eax; push %rax; lea 8(%rsp),%rax; push %rax; pushf; orl "
	"$0x100,(%rsp); mov %cs,%eax; push %rax; lea 71f(%rip),%rax; push %rax; iretq; "
	"71: cpuid; nop; in $0x99,%al; nop; .endif")
SNIP("div0", ALL,
	"xor %ecx,%ecx; div %ecx")
SNIP("gp noncanon", LONG,
	".if BITS==64; mov $1,%eax; shl $63,%rax; mov (%rax),%eax; .endif")
SNIP("ss noncanon", LONG,
	".if BITS==64; mov $1,%eax; shl $63,%rax; mov %rax,%rsp; push %rax; .endif")
SNIP("rsp noncanon fault", LONG,
	".if BITS==64; mov $1,%eax; shl $63,%rax; mov %rax,%rsp; ud2; .endif")
SNIP("ac", ALL,
	".byte 0x0f,0x20,0xc0; or $0x40000,%eax;.byte 0x0f,0x22,0xc0; movl %eax,1(%ebx)")
SNIP("ac user", PROT,
	"pushf; .if BITS==64; orl $0x40000,(%rsp); popf; .else; .if BITS==32; orl "
	"$0x40000,(%esp); popf; .endif; .endif; movl %eax,1(%ebx); nop")
SNIP("ac mmio", PROT,
	"pushf; .if BITS==64; orl $0x40000,(%rsp); popf; .else; .if BITS==32; orl "
	"$0x40000,(%esp); popf; .endif; .endif; movl %eax,%fs:0x1001(%esi); nop")
SNIP("stack mmio push", ALL,
	".if BITS==64; mov $0x40010,%esp; .else; mov $0x40010,%esp; .endif; push %ax")
SNIP("stack mmio int3", ALL,
	"mov $0x40040,%esp; int3; nop")
SNIP("stack rom int3", ALL,
	"mov $0x80040,%esp; int3")
SNIP("stack mmio ud2", ALL,
	"mov $0x40040,%esp; ud2")
SNIP("stack top int3", ALL,
	"mov $0x40010,%esp; int3")
SNIP("stack mmio cpuid", ALL,
	"mov $0x40040,%esp; cpuid; pop %ax")
SNIP("idt mmio int3", KERNEL,
	"movw $0xfff,0x80(%ebx); movl $0x40000,0x82(%ebx); movl $0,0x86(%ebx); lidt "
	"0x80(%ebx); int3; nop")
SNIP("idt mmio ud2", KERNEL,
	"movw $0xfff,0x80(%ebx); movl $0x40000,0x82(%ebx); movl $0,0x86(%ebx); lidt "
	"0x80(%ebx); ud2; nop")
SNIP("idt mmio int 40", KERNEL,
	"movw $0xfff,0x80(%ebx); movl $0x40000,0x82(%ebx); movl $0,0x86(%ebx); lidt "
	"0x80(%ebx); int $0x40; nop")
SNIP("idt rom int3", KERNEL,
	"movw $0xfff,0x80(%ebx); movl $0x80000,0x82(%ebx); movl $0,0x86(%ebx); lidt "
	"0x80(%ebx); int3; nop")
SNIP("idt rom ud2", KERNEL,
	"movw $0xfff,0x80(%ebx); movl $0x80000,0x82(%ebx); movl $0,0x86(%ebx); lidt "
	"0x80(%ebx); ud2; nop")
SNIP("idt rom int 40", KERNEL,
	"movw $0xfff,0x80(%ebx); movl $0x80000,0x82(%ebx); movl $0,0x86(%ebx); lidt "
	"0x80(%ebx); int $0x40; nop")
SNIP("idt far int3", KERNEL,
	"movw $0xfff,0x80(%ebx); movl $0x70000000,0x82(%ebx); movl $0,0x86(%ebx); lidt "
	"0x80(%ebx); int3; nop")
SNIP("idt far ud2", KERNEL,
	"movw $0xfff,0x80(%ebx); movl $0x70000000,0x82(%ebx); movl $0,0x86(%ebx); lidt "
	"0x80(%ebx); ud2; nop")
SNIP("idt far int 40", KERNEL,
	"movw $0xfff,0x80(%ebx); movl $0x70000000,0x82(%ebx); movl $0,0x86(%ebx); lidt "
	"0x80(%ebx); int $0x40; nop")
SNIP("idt limit 0", ALL,
	"movl $0,0x80(%ebx); movl $0,0x84(%ebx); lidt 0x80(%ebx); int3")
SNIP("idt limit 0 ud2", ALL,
	"movl $0,0x80(%ebx); movl $0,0x84(%ebx); lidt 0x80(%ebx); ud2")
SNIP("idt no gp", ALL,
	"movw $0x40,0x80(%ebx); movl $0x8000,0x82(%ebx); movl $0,0x86(%ebx); lidt "
	"0x80(%ebx); int $0x40")
SNIP("gdt limit 0 int", ALL,
	"movl $0,0x80(%ebx); movl $0,0x84(%ebx); lgdt 0x80(%ebx); int $0x40")
SNIP("gdt mmio ds", ALL,
	"movw $0xfff,0x80(%ebx); movl $0x40000,0x82(%ebx); movl $0,0x86(%ebx); lgdt "
	"0x80(%ebx); mov $0x10,%eax; mov %eax,%es")
SNIP("cr3 rom", KERNEL,
	"mov $0x80000,%eax;.byte 0x0f,0x22,0xd8; nop")
SNIP("cr3 mmio", KERNEL,
	"mov $0x40000,%eax;.byte 0x0f,0x22,0xd8; nop")
SNIP("cr3 far", KERNEL,
	"mov $0x70000000,%eax;.byte 0x0f,0x22,0xd8; nop")
SNIP("cr3 low bits", ALL,
	".byte 0x0f,0x20,0xd8; or $0x18,%eax;.byte 0x0f,0x22,0xd8;.byte 0x0f,0x20,0xd8")
SNIP("cr3 ones", KERNEL,
	".if BITS==64; mov $-1,%rax; .else; mov $-1,%eax; .endif;.byte 0x0f,0x22,0xd8")
SNIP("pde maxphy", LONG,
	".if BITS==64; mov $0x000fff0000000087,%rax; mov %rax,0x3008; invlpg 0x200000; "
	"mov 0x200000,%eax; mov %eax,0x200000; .endif; nop")
SNIP("pde maxphy bit 40", LONG,
	".if BITS==64; mov $0x0000010000000087,%rax; mov %rax,0x3008; invlpg 0x200000; "
	"mov 0x200000,%eax; mov %eax,0x200000; .endif; nop")
SNIP("pde bit 51", LONG,
	".if BITS==64; mov $0x0008000000000087,%rax; mov %rax,0x3008; invlpg 0x200000; "
	"mov 0x200000,%eax; mov %eax,0x200000; .endif; nop")
SNIP("pde bit 39", LONG,
	".if BITS==64; mov $0x0000008000000087,%rax; mov %rax,0x3008; invlpg 0x200000; "
	"mov 0x200000,%eax; mov %eax,0x200000; .endif; nop")
SNIP("pde nx", LONG,
	".if BITS==64; mov $0x8000000000000087,%rax; mov %rax,0x3008; invlpg 0x200000; "
	"mov 0x200000,%eax; mov %eax,0x200000; .endif; nop")
SNIP("pde pse rsvd", LONG,
	".if BITS==64; mov $0x0000000000003087,%rax; mov %rax,0x3008; invlpg 0x200000; "
	"mov 0x200000,%eax; mov %eax,0x200000; .endif; nop")
SNIP("pde np", LONG,
	".if BITS==64; mov $0,%rax; mov %rax,0x3008; invlpg 0x200000; mov 0x200000,%eax; "
	"mov %eax,0x200000; .endif; nop")
SNIP("pde ro", LONG,
	".if BITS==64; mov $0x85,%rax; mov %rax,0x3008; invlpg 0x200000; mov "
	"0x200000,%eax; mov %eax,0x200000; .endif; nop")
SNIP("pde super", LONG,
	".if BITS==64; mov $0x83,%rax; mov %rax,0x3008; invlpg 0x200000; mov "
	"0x200000,%eax; mov %eax,0x200000; .endif; nop")
SNIP("pml4 to hole", "0x1",
	".if BITS==64; movq $0x41007,0x1008; mov $0x8000000000,%rax; mov (%rax),%ecx; "
	".endif")
SNIP("pml4 to rom", "0x1",
	".if BITS==64; movq $0x80007,0x1008; mov $0x8000000000,%rax; mov (%rax),%ecx; "
	".endif")
SNIP("pt in rom", "0x1",
	".if BITS==64; movq $0x81007,0x3008; mov 0x200000,%eax; .endif")
SNIP("pt self ad", "0x1",
	".if BITS==64; movq $0x3007,0x3008; mov 0x200000,%eax; mov 0x3008,%rcx; .endif")
SNIP("1g page", "0x1",
	".if BITS==64; movq $0x87,0x2008; mov 0x40020000,%ecx; .endif")
SNIP("alias rom write", "0x1",
	".if BITS==64; movl $1,0x80010; mov 0x80010,%eax; .endif")
SNIP("ad emulated", "0x1",
	".if BITS==64; mov 0x1000(%rsi),%eax; fs movl 0x1000(%esi),%eax; mov 0x3000,%rcx; "
	".endif")
SNIP("load 0x40000", ALL,
	"mov $0x40000,%eax; movl (%eax),%ecx")
SNIP("store 0x40000", ALL,
	"mov $0x40000,%eax; movl %ecx,(%eax)")
SNIP("rmw 0x40000", ALL,
	"mov $0x40000,%eax; addl %ecx,(%eax)")
SNIP("lock 0x40000", ALL,
	"mov $0x40000,%eax; lock xaddl %ecx,(%eax)")
SNIP("load 0x3fffe", ALL,
	"mov $0x3fffe,%eax; movl (%eax),%ecx")
SNIP("store 0x3fffe", ALL,
	"mov $0x3fffe,%eax; movl %ecx,(%eax)")
SNIP("rmw 0x3fffe", ALL,
	"mov $0x3fffe,%eax; addl %ecx,(%eax)")
SNIP("lock 0x3fffe", ALL,
	"mov $0x3fffe,%eax; lock xaddl %ecx,(%eax)")
SNIP("load 0x3ffff", ALL,
	"mov $0x3ffff,%eax; movl (%eax),%ecx")
SNIP("store 0x3ffff", ALL,
	"mov $0x3ffff,%eax; movl %ecx,(%eax)")
SNIP("rmw 0x3ffff", ALL,
	"mov $0x3ffff,%eax; addl %ecx,(%eax)")
SNIP("lock 0x3ffff", ALL,
	"mov $0x3ffff,%eax; lock xaddl %ecx,(%eax)")
SNIP("load 0x40ffd", ALL,
	"mov $0x40ffd,%eax; movl (%eax),%ecx")
SNIP("store 0x40ffd", ALL,
	"mov $0x40ffd,%eax; movl %ecx,(%eax)")
SNIP("rmw 0x40ffd", ALL,
	"mov $0x40ffd,%eax; addl %ecx,(%eax)")
SNIP("lock 0x40ffd", ALL,
	"mov $0x40ffd,%eax; lock xaddl %ecx,(%eax)")
SNIP("load 0x7fffe", ALL,
	"mov $0x7fffe,%eax; movl (%eax),%ecx")
SNIP("store 0x7fffe", ALL,
	"mov $0x7fffe,%eax; movl %ecx,(%eax)")
SNIP("rmw 0x7fffe", ALL,
	"mov $0x7fffe,%eax; addl %ecx,(%eax)")
SNIP("lock 0x7fffe", ALL,
	"mov $0x7fffe,%eax; lock xaddl %ecx,(%eax)")
SNIP("load 0x80000", ALL,
	"mov $0x80000,%eax; movl (%eax),%ecx")
SNIP("store 0x80000", ALL,
	"mov $0x80000,%eax; movl %ecx,(%eax)")
SNIP("rmw 0x80000", ALL,
	"mov $0x80000,%eax; addl %ecx,(%eax)")
SNIP("lock 0x80000", ALL,
	"mov $0x80000,%eax; lock xaddl %ecx,(%eax)")
SNIP("load 0x83ffe", ALL,
	"mov $0x83ffe,%eax; movl (%eax),%ecx")
SNIP("store 0x83ffe", ALL,
	"mov $0x83ffe,%eax; movl %ecx,(%eax)")
SNIP("rmw 0x83ffe", ALL,
	"mov $0x83ffe,%eax; addl %ecx,(%eax)")
SNIP("lock 0x83ffe", ALL,
	"mov $0x83ffe,%eax; lock xaddl %ecx,(%eax)")
SNIP("load 0x84000", ALL,
	"mov $0x84000,%eax; movl (%eax),%ecx")
SNIP("store 0x84000", ALL,
	"mov $0x84000,%eax; movl %ecx,(%eax)")
SNIP("rmw 0x84000", ALL,
	"mov $0x84000,%eax; addl %ecx,(%eax)")
SNIP("lock 0x84000", ALL,
	"mov $0x84000,%eax; lock xaddl %ecx,(%eax)")
SNIP("load 0xfee00000", ALL,
	"mov $0xfee00000,%eax; movl (%eax),%ecx")
SNIP("store 0xfee00000", ALL,
	"mov $0xfee00000,%eax; movl %ecx,(%eax)")
SNIP("rmw 0xfee00000", ALL,
	"mov $0xfee00000,%eax; addl %ecx,(%eax)")
SNIP("lock 0xfee00000", ALL,
	"mov $0xfee00000,%eax; lock xaddl %ecx,(%eax)")
SNIP("load 0xfee00020", ALL,
	"mov $0xfee00020,%eax; movl (%eax),%ecx")
SNIP("store 0xfee00020", ALL,
	"mov $0xfee00020,%eax; movl %ecx,(%eax)")
SNIP("rmw 0xfee00020", ALL,
	"mov $0xfee00020,%eax; addl %ecx,(%eax)")
SNIP("lock 0xfee00020", ALL,
	"mov $0xfee00020,%eax; lock xaddl %ecx,(%eax)")
SNIP("load 0xfec00000", ALL,
	"mov $0xfec00000,%eax; movl (%eax),%ecx")
SNIP("store 0xfec00000", ALL,
	"mov $0xfec00000,%eax; movl %ecx,(%eax)")
SNIP("rmw 0xfec00000", ALL,
	"mov $0xfec00000,%eax; addl %ecx,(%eax)")
SNIP("lock 0xfec00000", ALL,
	"mov $0xfec00000,%eax; lock xaddl %ecx,(%eax)")
SNIP("load 0xfffbd000", ALL,
	"mov $0xfffbd000,%eax; movl (%eax),%ecx")
SNIP("store 0xfffbd000", ALL,
	"mov $0xfffbd000,%eax; movl %ecx,(%eax)")
SNIP("rmw 0xfffbd000", ALL,
	"mov $0xfffbd000,%eax; addl %ecx,(%eax)")
SNIP("lock 0xfffbd000", ALL,
	"mov $0xfffbd000,%eax; lock xaddl %ecx,(%eax)")
SNIP("load 0xfffffffc", ALL,
	"mov $0xfffffffc,%eax; movl (%eax),%ecx")
SNIP("store 0xfffffffc", ALL,
	"mov $0xfffffffc,%eax; movl %ecx,(%eax)")
SNIP("rmw 0xfffffffc", ALL,
	"mov $0xfffffffc,%eax; addl %ecx,(%eax)")
SNIP("lock 0xfffffffc", ALL,
	"mov $0xfffffffc,%eax; lock xaddl %ecx,(%eax)")
SNIP("movw %ax,%fs:0x1001(%esi)", ALL,
	"movw %ax,%fs:0x1001(%esi); nop")
SNIP("movb %fs:0x1003(%esi),%ah", ALL,
	"movb %fs:0x1003(%esi),%ah; nop")
SNIP("movzbl %fs:0x1000(%esi),%ecx", ALL,
	"movzbl %fs:0x1000(%esi),%ecx; nop")
SNIP("movswl %fs:0x1000(%esi),%ecx", ALL,
	"movswl %fs:0x1000(%esi),%ecx; nop")
SNIP("bts %eax,%fs:0x1000(%esi)", ALL,
	"bts %eax,%fs:0x1000(%esi); nop")
SNIP("btl $5,%fs:0x1000(%esi)", ALL,
	"btl $5,%fs:0x1000(%esi); nop")
SNIP("testb $1,%fs:0x1000(%esi)", ALL,
	"testb $1,%fs:0x1000(%esi); nop")
SNIP("cmpxchg %ecx,%fs:0x1000(%esi)", ALL,
	"cmpxchg %ecx,%fs:0x1000(%esi); nop")
SNIP("lock cmpxchg8b %fs:0x1000(%esi)", ALL,
	"lock cmpxchg8b %fs:0x1000(%esi); nop")
SNIP("xchg %eax,%fs:0x1000(%esi)", ALL,
	"xchg %eax,%fs:0x1000(%esi); nop")
SNIP("notl %fs:0x1000(%esi)", ALL,
	"notl %fs:0x1000(%esi); nop")
SNIP("imul %fs:0x1000(%esi),%ecx", ALL,
	"imul %fs:0x1000(%esi),%ecx; nop")
SNIP("mull %fs:0x1000(%esi)", ALL,
	"mull %fs:0x1000(%esi); nop")
SNIP("divl %fs:0x1000(%esi)", ALL,
	"divl %fs:0x1000(%esi); nop")
SNIP("shll $3,%fs:0x1000(%esi)", ALL,
	"shll $3,%fs:0x1000(%esi); nop")
SNIP("shld $3,%ecx,%fs:0x1000(%esi)", ALL,
	"shld $3,%ecx,%fs:0x1000(%esi); nop")
SNIP("movups %fs:0x1000(%esi),%xmm0", ALL,
	"movups %fs:0x1000(%esi),%xmm0; nop")
SNIP("movups %xmm0,%fs:0x1000(%esi)", ALL,
	"movups %xmm0,%fs:0x1000(%esi); nop")
SNIP("movaps %xmm0,%fs:0x1008(%esi)", ALL,
	"movaps %xmm0,%fs:0x1008(%esi); nop")
SNIP("movq %mm0,%fs:0x1000(%esi)", ALL,
	"movq %mm0,%fs:0x1000(%esi); nop")
SNIP("pushw %fs:0x1000(%esi)", ALL,
	"pushw %fs:0x1000(%esi); nop")
SNIP("popw %fs:0x1000(%esi)", ALL,
	"popw %fs:0x1000(%esi); nop")
SNIP("adcl $1,%fs:0x1000(%esi)", ALL,
	"adcl $1,%fs:0x1000(%esi); nop")
SNIP("setc %fs:0x1000(%esi)", ALL,
	"setc %fs:0x1000(%esi); nop")
SNIP("cmovcl %fs:0x1000(%esi),%ecx", ALL,
	"cmovcl %fs:0x1000(%esi),%ecx; nop")
SNIP("bsf %fs:0x1000(%esi),%ecx", ALL,
	"bsf %fs:0x1000(%esi),%ecx; nop")
SNIP("popcnt %fs:0x1000(%esi),%ecx", ALL,
	"popcnt %fs:0x1000(%esi),%ecx; nop")
SNIP("movbe %fs:0x1000(%esi),%ecx", ALL,
	"movbe %fs:0x1000(%esi),%ecx; nop")
SNIP("fldl %fs:0x1000(%esi)", ALL,
	"fldl %fs:0x1000(%esi); nop")
SNIP("fstpl %fs:0x1000(%esi)", ALL,
	"fstpl %fs:0x1000(%esi); nop")
SNIP("fnstcw %fs:0x1000(%esi)", ALL,
	"fnstcw %fs:0x1000(%esi); nop")
SNIP("fldcw %fs:0x1000(%esi)", ALL,
	"fldcw %fs:0x1000(%esi); nop")
SNIP("ldmxcsr %fs:0x1000(%esi)", ALL,
	"ldmxcsr %fs:0x1000(%esi); nop")
SNIP("crc32l %fs:0x1000(%esi),%ecx", ALL,
	"crc32l %fs:0x1000(%esi),%ecx; nop")
SNIP("pinsrw $1,%fs:0x1000(%esi),%xmm0", ALL,
	"pinsrw $1,%fs:0x1000(%esi),%xmm0; nop")
SNIP("movnti %ecx,%fs:0x1000(%esi)", ALL,
	"movnti %ecx,%fs:0x1000(%esi); nop")
SNIP("lar %fs:0x1000(%esi),%ecx", ALL,
	"lar %fs:0x1000(%esi),%ecx; nop")
SNIP("mov %fs:0x1000(%esi),%es", ALL,
	"mov %fs:0x1000(%esi),%es; nop")
SNIP("mov %ds,%fs:0x1000(%esi)", ALL,
	"mov %ds,%fs:0x1000(%esi); nop")
SNIP(".byte 0x67,0x64,0xff,0xa6,0,0x10,0,0", ALL,
	".byte 0x67,0x64,0xff,0xa6,0,0x10,0,0; nop")
SNIP("movl %gs:0x1000(%esi),%eax", ALL,
	"movl %gs:0x1000(%esi),%eax; nop")
SNIP("movl %eax,%gs:0x1000(%esi)", ALL,
	"movl %eax,%gs:0x1000(%esi); nop")
SNIP("addl %eax,%gs:0x1000(%esi)", ALL,
	"addl %eax,%gs:0x1000(%esi); nop")
SNIP("movl %eax,%gs:0xffe(%esi)", ALL,
	"movl %eax,%gs:0xffe(%esi); nop")
SNIP("movl %eax,%gs:0x4ffe(%esi)", ALL,
	"movl %eax,%gs:0x4ffe(%esi); nop")
SNIP("movl %gs:0x4ffe(%esi),%eax", ALL,
	"movl %gs:0x4ffe(%esi),%eax; nop")
SNIP("movl %fs:0xffe(%esi),%eax", ALL,
	"movl %fs:0xffe(%esi),%eax; nop")
SNIP("movl %eax,%fs:0xffe(%esi)", ALL,
	"movl %eax,%fs:0xffe(%esi); nop")
SNIP("enter $8,$0", ALL,
	"enter $8,$0; nop")
SNIP("lock incl %fs:0x1001(%esi)", ALL,
	"lock incl %fs:0x1001(%esi); nop")
SNIP(".byte 0x67,0x64,0xf0,0x8b,0x06", ALL,
	".byte 0x67,0x64,0xf0,0x8b,0x06; nop")
SNIP("exec into mmio", "0x7f",
	"movl $0x90909090,0x1fffc(%ebx); .if BITS!=16; mov $0x3fffc,%eax; .if BITS==64; "
	"jmp *%rax; .else; jmp *%eax; .endif; .endif")
SNIP("exec rom", "0x7f",
	".if BITS!=16; mov $0x83ff0,%eax; .if BITS==64; jmp *%rax; .else; jmp *%eax; "
	".endif; .endif")
SNIP("exec mmio", "0x7f",
	".if BITS!=16; mov $0x41000,%eax; .if BITS==64; jmp *%rax; .else; jmp *%eax; "
	".endif; .endif")
SNIP("insn crosses into mmio", "0x7f",
	"movl $0xb8909090,0x1fffc(%ebx); .if BITS!=16; mov $0x3fffc,%eax; .if BITS==64; "
	"jmp *%rax; .else; jmp *%eax; .endif; .endif")
SNIP("pushf popf vm", ALL,
	"pushf; pop %ax; push %ax; popf")
SNIP("popf iopl", ALL,
	"pushw $0x3202; popfw; pushfw; pop %ax")
SNIP("popf vip", ALL,
	"pushf; .if BITS==64; orl $0x180000,(%rsp); .else; .if BITS==32; orl "
	"$0x180000,(%esp); .endif; .endif; popf; pushf; pop %ax")
SNIP("cpl0 to 3 sti", ALL,
	"sti; pushf; pop %ax")
SNIP("pg off", KERNEL,
	".byte 0x0f,0x20,0xc0; and $0x7fffffff,%eax;.byte 0x0f,0x22,0xc0;.byte "
	"0x0f,0x20,0xc0")
SNIP("pg on", KERNEL,
	".byte 0x0f,0x20,0xc0; or $0x80000000,%eax;.byte 0x0f,0x22,0xc0;.byte "
	"0x0f,0x20,0xc0")
SNIP("pe off", KERNEL,
	".byte 0x0f,0x20,0xc0; and $0x7ffffffe,%eax;.byte 0x0f,0x22,0xc0; nop;.byte "
	"0x0f,0x20,0xc0")
SNIP("pe on", KERNEL,
	".byte 0x0f,0x20,0xc0; or $1,%eax;.byte 0x0f,0x22,0xc0; nop; smsw %cx; mov "
	"$0x10,%eax; mov %eax,%ds; mov %eax,%es")
SNIP("pe on off", KERNEL,
	".byte 0x0f,0x20,0xc0; or $1,%eax;.byte 0x0f,0x22,0xc0; nop; mov $0x10,%ecx; mov "
	"%ecx,%ds; and $0xfe,%al;.byte 0x0f,0x22,0xc0; movl $1,(%ebx); mov %ecx,%es")
SNIP("pe off mmio", "0x10",
	".byte 0x0f,0x20,0xc0; and $0x7ffffffe,%eax; .byte 0x0f,0x22,0xc0; mov $0x40008,%eax; addl "
	"%ecx,(%eax); movb $5,%fs:0x1000(%esi); nop")
SNIP("pae on", KERNEL,
	".byte 0x0f,0x20,0xe0; xor $0x20,%eax;.byte 0x0f,0x22,0xe0;.byte 0x0f,0x20,0xe0")
SNIP("to long", KERNEL,
	"mov $0xe000,%eax; mov $0x1000,%eax;.byte 0x0f,0x22,0xd8;.byte 0x0f,0x20,0xe0; or "
	"$0x20,%eax;.byte 0x0f,0x22,0xe0; mov $0xc0000080,%ecx; rdmsr; or $0x100,%eax; "
	"wrmsr;.byte 0x0f,0x20,0xc0; or $0x80000001,%eax;.byte 0x0f,0x22,0xc0; "
	"rdmsr;.byte 0x0f,0x20,0xc0")
SNIP("to long pae first", KERNEL,
	"mov $0xe000,%eax;.byte 0x0f,0x22,0xd8;.byte 0x0f,0x20,0xe0; or $0x20,%eax;.byte "
	"0x0f,0x22,0xe0;.byte 0x0f,0x20,0xc0; or $0x80000001,%eax;.byte "
	"0x0f,0x22,0xc0;.byte 0x0f,0x20,0xc0; mov $0xc0000080,%ecx; rdmsr; or "
	"$0x100,%eax; wrmsr")
SNIP("long off on", "0x4",
	".byte 0x0f,0x20,0xc0; and $0x7fffffff,%eax;.byte 0x0f,0x22,0xc0; mov "
	"$0xc0000080,%ecx; rdmsr; and $0xfffffeff,%eax; wrmsr; rdmsr; mov "
	"$0xe000,%eax;.byte 0x0f,0x22,0xd8;.byte 0x0f,0x20,0xc0; or "
	"$0x80000000,%eax;.byte 0x0f,0x22,0xc0; rdmsr")
SNIP("pae bad pdpt", "0x40",
	"movl $0x1e1,0xe000; .byte 0x0f,0x20,0xd8;.byte 0x0f,0x22,0xd8")
SNIP("pae pdpt changed", "0x40",
	"movl $0,0xe008; mov 0x40000000,%eax;.byte 0x0f,0x20,0xd8;.byte 0x0f,0x22,0xd8; "
	"mov 0x40000000,%eax")
SNIP("pae cr4 pge", "0x40",
	"movl $0x1e1,0xe000; .byte 0x0f,0x20,0xe0; xor $0x80,%eax;.byte 0x0f,0x22,0xe0")
SNIP("pae cr0 cd", "0x40",
	"movl $0x1e1,0xe000; .byte 0x0f,0x20,0xc0; or $0x40000000,%eax;.byte "
	"0x0f,0x22,0xc0")
SNIP("pae cr0 wp", "0x40",
	"movl $0x1e1,0xe000; .byte 0x0f,0x20,0xc0; xor $0x10000,%eax;.byte 0x0f,0x22,0xc0")
SNIP("pae cr0 ts", "0x40",
	"movl $0x1e1,0xe000; .byte 0x0f,0x20,0xc0; xor $0x8,%eax;.byte 0x0f,0x22,0xc0")
SNIP("pcide", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x20000,%eax;.byte 0x0f,0x22,0xe0;.byte 0x0f,0x20,0xe0")
SNIP("smep", KERNEL,
	".byte 0x0f,0x20,0xe0; or $0x100000,%eax;.byte 0x0f,0x22,0xe0;.byte "
	"0x0f,0x20,0xe0")
SNIP("cs limit end", "0x100",
	".if BITS==16; ljmp $0x1000,$0xffff; .endif")
