// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction emulator's arithmetic and flags: pure functions
 *
 * Values are u64, of which the low @bytes bytes (1, 2, 4, 8) count; bits above
 * are ignored in operands and zero in results.  Flags follow the SDM (vol. 2;
 * vol. 1, appendix A): carries come from the carry-out of every bit position,
 * in plain C, so that the same code runs, and is compared with a real CPU, in
 * userspace.
 *
 * A flag that the SDM calls undefined is left alone unless computing it is
 * simpler.  No state, no locks, no hooks.
 */
#include "emulate_priv.h"

#define CF	((u64)X86_EFLAGS_CF)
#define PF	((u64)X86_EFLAGS_PF)
#define AF	((u64)X86_EFLAGS_AF)
#define ZF	((u64)X86_EFLAGS_ZF)
#define SF	((u64)X86_EFLAGS_SF)
#define OF	((u64)X86_EFLAGS_OF)

static bool msb(u64 val, unsigned int bytes)
{
	return (val >> (8 * bytes - 1)) & 1;
}

static void set_flag(u64 *rflags, u64 flag, bool on)
{
	*rflags = on ? *rflags | flag : *rflags & ~flag;
}

/* SF, ZF and PF of a result. */
static void set_szp(u64 *rflags, u64 val, unsigned int bytes)
{
	set_flag(rflags, SF, msb(val, bytes));
	set_flag(rflags, ZF, !(val & emul_mask(bytes)));
	set_flag(rflags, PF, !__builtin_parity(val & 0xff));
}

/**
 * emul_cond() - is the condition true?
 * @rflags: flags
 * @cc: low four bits of the opcode of Jcc, SETcc, CMOVcc
 */
bool emul_cond(u64 rflags, unsigned int cc)
{
	bool less = !(rflags & SF) != !(rflags & OF);
	bool is;

	switch ((cc >> 1) & 7) {
	case 0:			/* O */
		is = rflags & OF;
		break;
	case 1:			/* B */
		is = rflags & CF;
		break;
	case 2:			/* E */
		is = rflags & ZF;
		break;
	case 3:			/* BE */
		is = rflags & (CF | ZF);
		break;
	case 4:			/* S */
		is = rflags & SF;
		break;
	case 5:			/* P */
		is = rflags & PF;
		break;
	case 6:			/* L */
		is = less;
		break;
	default:		/* LE */
		is = less || (rflags & ZF);
		break;
	}
	return is != (cc & 1);
}

/*
 * @carries has, at each bit position, the carry (or borrow) out of it.  Bit 3
 * is AF, the top bit CF; the top two differ on signed overflow.
 */
static void set_carries(u64 *rflags, u64 carries, unsigned int bytes)
{
	unsigned int top = 8 * bytes - 1;

	set_flag(rflags, AF, carries & 8);
	set_flag(rflags, CF, (carries >> top) & 1);
	set_flag(rflags, OF, ((carries >> top) ^ (carries >> (top - 1))) & 1);
}

static u64 add(unsigned int bytes, u64 a, u64 b, bool carry, u64 *rflags)
{
	u64 sum = a + b + carry;

	set_carries(rflags, (a & b) | ((a | b) & ~sum), bytes);
	set_szp(rflags, sum, bytes);
	return sum;
}

static u64 sub(unsigned int bytes, u64 a, u64 b, bool borrow, u64 *rflags)
{
	u64 diff = a - b - borrow;

	set_carries(rflags, (~a & b) | ((~a | b) & diff), bytes);
	set_szp(rflags, diff, bytes);
	return diff;
}

static u64 logic(unsigned int bytes, u64 val, u64 *rflags)
{
	*rflags &= ~(CF | OF | AF);
	set_szp(rflags, val, bytes);
	return val;
}

/* INC and DEC keep CF. */
static u64 inc_dec(enum emul_op op, unsigned int bytes, u64 val, u64 *rflags)
{
	u64 cf = *rflags & CF;

	val = op == EMUL_INC ? add(bytes, val, 1, false, rflags) :
			       sub(bytes, val, 1, false, rflags);
	set_flag(rflags, CF, cf);
	return val;
}

/*
 * ROL, ROR, RCL, RCR.  RCL and RCR rotate through CF: one bit at a time is
 * clear and short enough.  OF is defined for a count of 1 only (vol. 2, RCL).
 */
static u64 rotate(enum emul_op op, unsigned int bytes, u64 val,
		  unsigned int count, u64 *rflags)
{
	unsigned int bits = 8 * bytes;
	bool cf = *rflags & CF, left = op == EMUL_ROL || op == EMUL_RCL;
	bool through_cf = op == EMUL_RCL || op == EMUL_RCR;

	if (through_cf)
		count %= bits + 1;
	else if (count > bits)
		count = (count - 1) % bits + 1;
	if (!count)
		return val;

	while (count--) {
		bool out = left ? msb(val, bytes) : val & 1;
		bool in = through_cf ? cf : out;

		if (left)
			val = val << 1 | in;
		else
			val = val >> 1 | (u64)in << (bits - 1);
		cf = out;
	}
	set_flag(rflags, CF, cf);
	if (left)
		set_flag(rflags, OF, msb(val, bytes) != cf);
	else
		set_flag(rflags, OF, msb(val, bytes) != msb(val << 1, bytes));
	return val;
}

/*
 * SHL, SHR, SAR; @count is 1..63.  For SAR a count past the operand's width
 * gives the sign, in CF too.  For the others CF is then undefined: 0 here.
 */
static u64 shift(enum emul_op op, unsigned int bytes, u64 val,
		 unsigned int count, u64 *rflags)
{
	u64 before = val;

	if (op == EMUL_SHR) {
		set_flag(rflags, CF, (val >> (count - 1)) & 1);
		val >>= count;
		set_flag(rflags, OF, msb(before, bytes));
	} else if (op == EMUL_SAR) {
		s64 wide = emul_sign_extend(val, bytes);

		set_flag(rflags, CF, (wide >> (count - 1)) & 1);
		val = wide >> count;
		set_flag(rflags, OF, false);
	} else {
		set_flag(rflags, CF, msb(val << (count - 1), bytes));
		val <<= count;
		set_flag(rflags, OF, msb(val, bytes) != !!(*rflags & CF));
	}
	set_szp(rflags, val, bytes);
	return val;
}

static u64 shift_or_rotate(enum emul_op op, unsigned int bytes, u64 val,
			   u64 count, u64 *rflags)
{
	count &= bytes == 8 ? 0x3f : 0x1f;
	if (!count)
		return val;
	if (op <= EMUL_RCR)
		return rotate(op, bytes, val, count, rflags);
	return shift(op, bytes, val, count, rflags);
}

/* BT, BTS, BTR, BTC: @bit modulo the operand's width. */
static u64 bit_test(enum emul_op op, unsigned int bytes, u64 val, u64 bit,
		    u64 *rflags)
{
	u64 mask = 1ull << (bit & (8 * bytes - 1));

	set_flag(rflags, CF, val & mask);
	switch (op) {
	case EMUL_BTS:
		return val | mask;
	case EMUL_BTR:
		return val & ~mask;
	case EMUL_BTC:
		return val ^ mask;
	default:
		return val;
	}
}

/* BSF, BSR: a source of 0 sets ZF and keeps the destination. */
static u64 bit_scan(enum emul_op op, u64 dst, u64 src, u64 *rflags)
{
	set_flag(rflags, ZF, !src);
	if (!src)
		return dst;
	return op == EMUL_BSF ? __builtin_ctzll(src) :
				63 - __builtin_clzll(src);
}

/* TZCNT, LZCNT: a source of 0 sets CF and gives the operand's width. */
static u64 bit_count(enum emul_op op, unsigned int bytes, u64 src, u64 *rflags)
{
	u64 res = 8 * bytes;

	set_flag(rflags, CF, !src);
	if (src && op == EMUL_TZCNT)
		res = __builtin_ctzll(src);
	else if (src)
		res = __builtin_clzll(src) - (64 - 8 * bytes);
	set_flag(rflags, ZF, !res);
	return res;
}

/* Bit by bit: __builtin_popcountll() may call a library the kernel lacks. */
static u64 popcount(u64 val, u64 *rflags)
{
	u64 n = 0;

	*rflags &= ~EMUL_ARITH_FLAGS;
	set_flag(rflags, ZF, !val);
	for (; val; val &= val - 1)
		n++;
	return n;
}

/* IMUL with two or three operands: CF and OF tell that the result lost bits. */
static u64 imul_short(unsigned int bytes, u64 a, u64 b, u64 *rflags)
{
	u64 hi, lo = a;

	emul_mul(true, bytes, &lo, &hi, b, rflags);
	return lo;
}

/**
 * emul_alu() - @dst = @dst op @src
 * @op: an operation of this form (EMUL_ADD .. EMUL_MOVBE)
 * @bytes: size of the operands: 1, 2, 4 or 8
 * @dst: first operand; 0 for operations that only write it
 * @src: second operand; extended to @bytes by the caller
 * @rflags: in and out
 *
 * Return: the result, zero-extended.
 */
u64 emul_alu(enum emul_op op, unsigned int bytes, u64 dst, u64 src, u64 *rflags)
{
	u64 mask = emul_mask(bytes);
	bool cf = *rflags & CF;
	u64 res;

	dst &= mask;
	src &= mask;
	switch (op) {
	case EMUL_ADD:
	case EMUL_XADD:
		res = add(bytes, dst, src, false, rflags);
		break;
	case EMUL_ADC:
		res = add(bytes, dst, src, cf, rflags);
		break;
	case EMUL_SUB:
	case EMUL_CMP:
		res = sub(bytes, dst, src, false, rflags);
		break;
	case EMUL_SBB:
		res = sub(bytes, dst, src, cf, rflags);
		break;
	case EMUL_NEG:
		res = sub(bytes, 0, dst, false, rflags);
		break;
	case EMUL_INC:
	case EMUL_DEC:
		res = inc_dec(op, bytes, dst, rflags);
		break;
	case EMUL_OR:
		res = logic(bytes, dst | src, rflags);
		break;
	case EMUL_XOR:
		res = logic(bytes, dst ^ src, rflags);
		break;
	case EMUL_AND:
	case EMUL_TEST:
		res = logic(bytes, dst & src, rflags);
		break;
	case EMUL_NOT:
		res = ~dst;
		break;
	case EMUL_ROL ... EMUL_SAR:
		res = shift_or_rotate(op, bytes, dst, src, rflags);
		break;
	case EMUL_BT ... EMUL_BTC:
		res = bit_test(op, bytes, dst, src, rflags);
		break;
	case EMUL_IMUL:
		res = imul_short(bytes, dst, src, rflags);
		break;
	case EMUL_BSF:
	case EMUL_BSR:
		res = bit_scan(op, dst, src, rflags);
		break;
	case EMUL_TZCNT:
	case EMUL_LZCNT:
		res = bit_count(op, bytes, src, rflags);
		break;
	case EMUL_POPCNT:
		res = popcount(src, rflags);
		break;
	case EMUL_MOVBE:
		res = __builtin_bswap64(src) >> (64 - 8 * bytes);
		break;
	default:		/* EMUL_MOV, EMUL_MOVSX */
		res = src;
		break;
	}
	return res & mask;
}

/**
 * emul_shift_double() - SHLD and SHRD
 * @op: which of the two
 * @bytes: size of the operands: 2, 4 or 8
 * @dst: what is shifted
 * @src: where the bits that move in come from
 * @count: as in the instruction; masked here
 * @rflags: in and out
 *
 * A 16-bit operand and a count above 16 is undefined (SDM); the bits then go
 * round as on a 48-bit value dst:src:dst.
 *
 * Return: the result, zero-extended.
 */
u64 emul_shift_double(enum emul_op op, unsigned int bytes, u64 dst, u64 src,
		      unsigned int count, u64 *rflags)
{
	unsigned int bits = 8 * bytes;
	u64 mask = emul_mask(bytes), res;

	dst &= mask;
	src &= mask;
	count &= bytes == 8 ? 0x3f : 0x1f;
	if (!count)
		return dst;
	if (count > bits) {
		u64 tmp = dst;

		dst = src;
		src = tmp;
		count -= bits;
	}

	/* two steps where count may be all of 64 bits, or 16 of 16 */
	if (op == EMUL_SHLD) {
		res = dst << (count - 1) << 1 | src >> (bits - count);
		set_flag(rflags, CF, msb(dst << (count - 1), bytes));
	} else {
		res = dst >> (count - 1) >> 1 | src << (bits - count);
		set_flag(rflags, CF, (dst >> (count - 1)) & 1);
	}
	set_flag(rflags, OF, msb(res, bytes) != msb(dst, bytes));
	set_szp(rflags, res, bytes);
	return res & mask;
}

/**
 * emul_mul() - hi:lo = lo * src
 * @is_signed: IMUL, else MUL
 * @bytes: size of the operands: 1, 2, 4 or 8
 * @lo: first factor in, low half of the product out
 * @hi: high half out
 * @src: second factor
 * @rflags: in and out; only CF and OF are defined
 */
void emul_mul(bool is_signed, unsigned int bytes, u64 *lo, u64 *hi, u64 src,
	      u64 *rflags)
{
	u64 mask = emul_mask(bytes);
	unsigned int bits = 8 * bytes;
	__int128 prod;
	bool wide;

	if (is_signed)
		prod = (__int128)emul_sign_extend(*lo, bytes) *
		       emul_sign_extend(src, bytes);
	else
		prod = (__uint128_t)(*lo & mask) * (src & mask);

	*lo = (u64)prod & mask;
	*hi = (u64)(prod >> bits) & mask;
	if (is_signed)
		wide = *hi != (msb(*lo, bytes) ? mask : 0);
	else
		wide = *hi != 0;
	set_flag(rflags, CF, wide);
	set_flag(rflags, OF, wide);
}

/*
 * hi:lo / divisor for hi < divisor: the quotient fits.  Long division, because
 * the kernel has no 128-bit one.
 */
static u64 div_128(u64 hi, u64 lo, u64 divisor, u64 *rem)
{
	u64 quot = 0;
	int i;

	for (i = 63; i >= 0; i--) {
		bool carry = hi >> 63;

		hi = hi << 1 | ((lo >> i) & 1);
		if (carry || hi >= divisor) {
			hi -= divisor;
			quot |= 1ull << i;
		}
	}
	*rem = hi;
	return quot;
}

/* The same for operands of @bytes; false: the quotient does not fit. */
static bool div_unsigned(unsigned int bytes, u64 *lo, u64 *hi, u64 divisor)
{
	unsigned int bits = 8 * bytes;
	u64 dividend;

	if (*hi >= divisor)	/* divisor 0 included */
		return false;
	if (bytes == 8) {
		*lo = div_128(*hi, *lo, divisor, hi);
		return true;
	}
	dividend = *hi << bits | *lo;
	*lo = dividend / divisor;
	*hi = dividend % divisor;
	return true;
}

/**
 * emul_div() - lo = hi:lo / src, hi = hi:lo % src
 * @is_signed: IDIV, else DIV
 * @bytes: size of the divisor: 1, 2, 4 or 8
 * @lo: low half of the dividend in, quotient out
 * @hi: high half of the dividend in, remainder out
 * @src: divisor
 *
 * Return: false for #DE: division by 0 or a quotient that does not fit; then
 * @lo and @hi are meaningless.
 */
bool emul_div(bool is_signed, unsigned int bytes, u64 *lo, u64 *hi, u64 src)
{
	u64 mask = emul_mask(bytes);
	bool neg_dividend = is_signed && msb(*hi, bytes);
	bool neg_quot = neg_dividend != (is_signed && msb(src, bytes));

	*lo &= mask;
	*hi &= mask;
	src &= mask;
	if (neg_dividend) {
		*hi = (~*hi + !*lo) & mask;
		*lo = -*lo & mask;
	}
	if (is_signed && msb(src, bytes))
		src = -src & mask;
	if (!div_unsigned(bytes, lo, hi, src))
		return false;
	/* magnitudes up to 2^(n-1) - 1, and 2^(n-1) for the most negative one */
	if (is_signed && *lo > (mask >> 1) + neg_quot)
		return false;
	if (neg_quot)
		*lo = -*lo & mask;
	if (neg_dividend)
		*hi = -*hi & mask;
	return true;
}
