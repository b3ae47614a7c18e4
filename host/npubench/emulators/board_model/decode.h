/* decode.h: what an Arm Thumb instruction is, as far as its cost goes: its class, how many words it
 * moves, which registers it reads and writes. Encodings: Armv7-M and Armv8-M Architecture Reference
 * Manuals, chapter A5 / C2. Shared by the board models' counter and by QEMU's. */
#ifndef NB_DECODE_H
#define NB_DECODE_H

#include <stdint.h>

/* Exclusive: every instruction is of one class, and their counts add up to all instructions. */
#define NB_CLASSES(X)                                                                              \
    X(ALU) X(SHIFT) X(MOVE) X(COMPARE) X(EXTEND) X(BITFIELD) X(SATURATE) X(SIMD) X(EXTEND16)       \
    X(EXTEND16_ROTATED) X(MUL) X(MLA) X(MUL_LONG) X(MLA_LONG) X(MLA_HALF) X(MLA_DUAL) X(DIV)       \
    X(LDR) X(LDRH) X(LDRB) X(LDR_LITERAL) X(LDRD) X(LDM) X(STR) X(STRH) X(STRB) X(STRD) X(STM)     \
    X(BRANCH) X(BRANCH_IF) X(CALL) X(BRANCH_REGISTER) X(BRANCH_TABLE) X(LOOP) X(IT) X(HINT)        \
    X(SYSTEM) X(FP_ADD) X(FP_MUL) X(FP_MAC) X(FP_DIV) X(FP_SQRT) X(FP_CONVERT) X(FP_MOVE)          \
    X(VLDR) X(VSTR) X(VLDM) X(VSTM) X(MVE) X(MVE_LOAD) X(MVE_STORE) X(OTHER)

#define NB_CLASS(name) NB_##name,
enum nb_class { NB_CLASSES(NB_CLASS) NB_CLASS_COUNT };
#undef NB_CLASS

#define NB_FLAGS_REGISTER (1ull << 16) /* APSR in the masks below; S0 to S31 are bits 32 to 63 */
#define NB_PC (1ull << 15)

typedef struct {
    uint64_t reads;
    uint64_t writes;
    uint8_t kind;    /* enum nb_class */
    uint8_t words;   /* moved by LDM, STM, LDRD, STRD, VLDM, VSTM */
    uint8_t bytes;   /* 2 or 4; 0: not decoded yet */
    uint8_t is_load; /* single loads, whose result comes late */
    uint8_t is_memory;
    uint8_t is_branch;
} nb_instruction;

static inline uint64_t nb_bit(unsigned number)
{
    return 1ull << (number & 15u);
}

static inline uint64_t nb_fp(unsigned number, int is_double)
{
    number &= 31u;
    return is_double ? 3ull << (32u + (number & 30u)) : 1ull << (32u + number);
}

static inline void nb_decode16(unsigned op, nb_instruction *d)
{
    const unsigned lo = op & 7u, mid = op >> 3 & 7u, hi = op >> 6 & 7u, rd8 = op >> 8 & 7u;
    if (op >> 13 == 0) {
        d->kind = (op >> 11) == 3u ? NB_ALU : NB_SHIFT;
        d->reads = nb_bit(mid);
        if ((op >> 11) == 3u && (op >> 10 & 1u) == 0) {
            d->reads |= nb_bit(hi);
        }
        if (op >> 6 == 0) {
            d->kind = NB_MOVE;
        }
        d->writes = nb_bit(lo) | NB_FLAGS_REGISTER;
    } else if (op >> 13 == 1) {
        const unsigned what = op >> 11 & 3u;
        d->kind = what == 0 ? NB_MOVE : what == 1 ? NB_COMPARE : NB_ALU;
        d->reads = what == 0 ? 0 : nb_bit(rd8);
        d->writes = NB_FLAGS_REGISTER | (what == 1 ? 0 : nb_bit(rd8));
    } else if (op >> 10 == 0x10u) {
        const unsigned what = op >> 6 & 15u;
        const int tests = what == 8u || what == 10u || what == 11u;
        d->kind = what == 13u                                            ? NB_MUL
                  : tests                                                ? NB_COMPARE
                  : what == 2u || what == 3u || what == 4u || what == 7u ? NB_SHIFT
                                                                         : NB_ALU;
        d->reads = nb_bit(lo) | nb_bit(mid);
        if (what == 5u || what == 6u) {
            d->reads |= NB_FLAGS_REGISTER;
        }
        d->writes = NB_FLAGS_REGISTER | (tests ? 0 : nb_bit(lo));
    } else if (op >> 10 == 0x11u) {
        const unsigned rd = lo | (op >> 4 & 8u), rm = op >> 3 & 15u, what = op >> 8 & 3u;
        d->reads = nb_bit(rm) | (what < 2u ? nb_bit(rd) : 0);
        if (what == 3u) {
            d->kind = op >> 7 & 1u ? NB_CALL : NB_BRANCH_REGISTER;
            d->writes = NB_PC;
        } else {
            d->kind = what == 0 ? NB_ALU : what == 1u ? NB_COMPARE : NB_MOVE;
            d->writes = what == 1u ? NB_FLAGS_REGISTER : nb_bit(rd);
            if (what != 1u && rd == 15u) {
                d->kind = NB_BRANCH_REGISTER;
            }
        }
    } else if (op >> 11 == 9u) {
        d->kind = NB_LDR_LITERAL;
        d->writes = nb_bit(rd8);
    } else if (op >> 12 == 5u) {
        static const uint8_t kinds[8] = {NB_STR, NB_STRH, NB_STRB, NB_LDRB,
                                         NB_LDR, NB_LDRH, NB_LDRB, NB_LDRH};
        const unsigned what = op >> 9 & 7u;
        d->kind = kinds[what];
        d->reads = nb_bit(mid) | nb_bit(hi) | (what < 3u ? nb_bit(lo) : 0);
        d->writes = what < 3u ? 0 : nb_bit(lo);
    } else if (op >> 13 == 3u || op >> 12 == 8u) {
        const int load = op >> 11 & 1u;
        const unsigned size = op >> 12;
        d->kind = (uint8_t)(size == 6u   ? (load ? NB_LDR : NB_STR)
                            : size == 7u ? (load ? NB_LDRB : NB_STRB)
                                         : (load ? NB_LDRH : NB_STRH));
        d->reads = nb_bit(mid) | (load ? 0 : nb_bit(lo));
        d->writes = load ? nb_bit(lo) : 0;
    } else if (op >> 12 == 9u) {
        const int load = op >> 11 & 1u;
        d->kind = load ? NB_LDR : NB_STR;
        d->reads = nb_bit(13) | (load ? 0 : nb_bit(rd8));
        d->writes = load ? nb_bit(rd8) : 0;
    } else if (op >> 12 == 10u) {
        d->kind = NB_ALU;
        d->reads = op >> 11 & 1u ? nb_bit(13) : 0;
        d->writes = nb_bit(rd8);
    } else if (op >> 12 == 11u) {
        if ((op & 0xF500u) == 0xB100u) {
            d->kind = NB_BRANCH_IF;
            d->reads = nb_bit(lo);
        } else if ((op & 0xFE00u) == 0xB400u || (op & 0xFE00u) == 0xBC00u) {
            const int load = op >> 11 & 1u;
            const uint64_t list = (op & 0xFFu) | (op >> 8 & 1u ? (load ? NB_PC : 1u << 14) : 0);
            d->kind = load ? NB_LDM : NB_STM;
            d->words = (uint8_t)__builtin_popcountll(list);
            d->reads = nb_bit(13) | (load ? 0 : list);
            d->writes = nb_bit(13) | (load ? list : 0);
        } else if ((op & 0xFF00u) == 0xB200u) {
            d->kind = NB_EXTEND;
            d->reads = nb_bit(mid);
            d->writes = nb_bit(lo);
        } else if ((op & 0xFF00u) == 0xBA00u) {
            d->kind = NB_BITFIELD;
            d->reads = nb_bit(mid);
            d->writes = nb_bit(lo);
        } else if ((op & 0xFF00u) == 0xBF00u) {
            d->kind = op & 15u ? NB_IT : NB_HINT;
            d->reads = op & 15u ? NB_FLAGS_REGISTER : 0;
        } else if ((op & 0xFF00u) == 0xB000u) {
            d->kind = NB_ALU;
            d->reads = d->writes = nb_bit(13);
        } else {
            d->kind = NB_SYSTEM;
        }
    } else if (op >> 12 == 12u) {
        const int load = op >> 11 & 1u;
        const uint64_t list = op & 0xFFu;
        d->kind = load ? NB_LDM : NB_STM;
        d->words = (uint8_t)__builtin_popcountll(list);
        d->reads = nb_bit(rd8) | (load ? 0 : list);
        d->writes = nb_bit(rd8) | (load ? list : 0);
    } else if (op >> 12 == 13u) {
        const unsigned condition = op >> 8 & 15u;
        d->kind = condition >= 14u ? NB_SYSTEM : NB_BRANCH_IF;
        d->reads = NB_FLAGS_REGISTER;
    } else {
        d->kind = NB_BRANCH;
    }
}

static inline void nb_decode_fp(unsigned a, unsigned b, nb_instruction *d)
{
    const int wide = (b >> 8 & 15u) == 11u;
    const unsigned vd = wide ? ((b >> 12 & 15u) << 1) : ((b >> 12 & 15u) << 1) | (a >> 6 & 1u);
    const unsigned vn = wide ? ((a & 15u) << 1) : ((a & 15u) << 1) | (b >> 7 & 1u);
    const unsigned vm = wide ? ((b & 15u) << 1) : ((b & 15u) << 1) | (b >> 5 & 1u);
    if ((a & 0xFFE0u) == 0xEC40u) {
        d->kind = NB_FP_MOVE;
        d->words = 2;
        if (a >> 4 & 1u) {
            d->writes = nb_bit(b >> 12) | nb_bit(a);
            d->reads = nb_fp(vm, 1);
        } else {
            d->reads = nb_bit(b >> 12) | nb_bit(a);
            d->writes = nb_fp(vm, 1);
        }
    } else if ((a & 0xFE00u) == 0xEC00u) {
        const int load = a >> 4 & 1u, single = (a >> 8 & 1u) && !(a >> 5 & 1u);
        d->reads = nb_bit(a);
        if (single) {
            d->kind = load ? NB_VLDR : NB_VSTR;
            d->words = wide ? 2 : 1;
            *(load ? &d->writes : &d->reads) |= nb_fp(vd, wide);
        } else {
            d->kind = load ? NB_VLDM : NB_VSTM;
            d->words = (uint8_t)(b & 0xFFu);
            for (unsigned i = 0; i < (b & 0xFFu) && vd + i < 32u; i++) {
                *(load ? &d->writes : &d->reads) |= nb_fp(vd + i, 0);
            }
        }
    } else if ((a & 0xFF00u) == 0xEE00u && (b >> 4 & 1u)) {
        d->kind = NB_FP_MOVE;
        if (a >> 4 & 1u) {
            d->reads = nb_fp(vn, 0);
            d->writes = (b >> 12) == 15u ? NB_FLAGS_REGISTER : nb_bit(b >> 12);
        } else {
            d->reads = nb_bit(b >> 12);
            d->writes = nb_fp(vn, 0);
        }
    } else if ((a & 0xFF00u) == 0xEE00u) {
        const unsigned what = (a >> 4 & 3u) | (a >> 5 & 4u);
        d->reads = nb_fp(vn, wide) | nb_fp(vm, wide);
        d->writes = nb_fp(vd, wide);
        switch (what) {
        case 0: case 1: case 5: case 6:
            d->kind = NB_FP_MAC;
            d->reads |= nb_fp(vd, wide);
            break;
        case 2: d->kind = NB_FP_MUL; break;
        case 3: d->kind = NB_FP_ADD; break;
        case 4: d->kind = NB_FP_DIV; break;
        default: {
            const unsigned which = a & 15u;
            d->reads = nb_fp(vm, wide);
            d->kind = which == 1u && (b >> 6 & 3u) == 3u ? NB_FP_SQRT
                      : which >= 7u                      ? NB_FP_CONVERT
                      : which >= 4u                      ? NB_FP_ADD
                                                         : NB_FP_MOVE;
        }
        }
    } else {
        d->kind = NB_FP_ADD;
        d->reads = nb_fp(vn, wide) | nb_fp(vm, wide);
        d->writes = nb_fp(vd, wide);
    }
}

static inline void nb_decode_multiply(unsigned a, unsigned b, nb_instruction *d)
{
    const unsigned ra = b >> 12, rd = b >> 8 & 15u;
    d->reads = nb_bit(a) | nb_bit(b);
    d->writes = nb_bit(rd);
    if ((a >> 7 & 1u) == 0) {
        static const uint8_t kinds[8] = {NB_MLA,      NB_MLA_HALF, NB_MLA_DUAL, NB_MLA_HALF,
                                         NB_MLA_DUAL, NB_MLA_LONG, NB_MLA_LONG, NB_SIMD};
        const unsigned what = a >> 4 & 7u;
        d->kind = kinds[what];
        if (ra != 15u) {
            d->reads |= nb_bit(ra);
        } else if (what == 0) {
            d->kind = NB_MUL;
        }
        return;
    }
    const unsigned what = a >> 4 & 7u;
    if (what == 1u || what == 3u) {
        d->kind = NB_DIV;
        return;
    }
    d->writes |= nb_bit(ra);
    d->kind = what < 4u ? NB_MUL_LONG : NB_MLA_LONG;
    if (what >= 4u) {
        d->reads |= nb_bit(ra) | nb_bit(rd);
        if (what == 4u && (b >> 4 & 15u) >= 8u) {
            d->kind = (b >> 4 & 15u) >= 12u ? NB_MLA_DUAL : NB_MLA_HALF;
        }
    }
}

static inline void nb_decode_register(unsigned a, unsigned b, nb_instruction *d)
{
    const unsigned what = a >> 4 & 15u;
    d->reads = nb_bit(b) | ((a & 15u) != 15u ? nb_bit(a) : 0);
    d->writes = nb_bit(b >> 8);
    if (what < 8u && (b >> 7 & 1u) == 0) {
        d->kind = NB_SHIFT;
    } else if (what < 8u) {
        d->kind = what == 2u || what == 3u ? ((b >> 4 & 3u) ? NB_EXTEND16_ROTATED : NB_EXTEND16)
                                           : NB_EXTEND;
    } else if ((b >> 7 & 1u) == 0) {
        d->kind = NB_SIMD;
    } else if (what == 10u) {
        d->kind = NB_SIMD; /* SEL */
    } else {
        d->kind = what == 8u ? NB_SATURATE : NB_BITFIELD;
    }
}

static inline void nb_decode32(unsigned a, unsigned b, nb_instruction *d)
{
    const unsigned op1 = a >> 11 & 3u, op2 = a >> 4 & 0x7Fu, rn = a & 15u, rt = b >> 12;
    if (op1 != 2u && (op2 & 0x40u)) { /* coprocessors: FP, MVE */
        const unsigned coprocessor = b >> 8 & 15u;
        const int system = (a & 0xEF00u) == 0xEF00u;
        if (!system && (coprocessor == 10u || coprocessor == 11u) && (a & 0x1000u) == 0) {
            nb_decode_fp(a, b, d);
        } else if (!system && (coprocessor == 10u || coprocessor == 11u) &&
                   (a & 0xFF00u) == 0xFE00u && (b & 0x50u) != 0x50u) {
            nb_decode_fp(a, b, d);
        } else if ((a & 0xEE00u) == 0xEC00u) {
            d->kind = a >> 4 & 1u ? NB_MVE_LOAD : NB_MVE_STORE;
            d->reads = nb_bit(rn);
        } else {
            d->kind = NB_MVE;
        }
    } else if (op1 == 1u && (op2 & 0x64u) == 0) {
        const int load = a >> 4 & 1u;
        d->kind = load ? NB_LDM : NB_STM;
        d->words = (uint8_t)__builtin_popcount(b);
        d->reads = nb_bit(rn) | (load ? 0 : b);
        d->writes = (load ? b : 0) | (a >> 5 & 1u ? nb_bit(rn) : 0);
    } else if (op1 == 1u && (op2 & 0x64u) == 4u) {
        const int load = a >> 4 & 1u;
        d->reads = nb_bit(rn);
        if ((a & 0xFFF0u) == 0xE8D0u && (b & 0xFFE0u) == 0xF000u) {
            d->kind = NB_BRANCH_TABLE;
            d->reads |= nb_bit(b);
        } else if ((a & 0xFF60u) == 0xE840u) { /* exclusive, acquire, release */
            d->kind = load ? NB_LDR : NB_STR;
            *(load ? &d->writes : &d->reads) |= nb_bit(rt);
        } else {
            d->kind = load ? NB_LDRD : NB_STRD;
            d->words = 2;
            *(load ? &d->writes : &d->reads) |= nb_bit(rt) | nb_bit(b >> 8);
        }
    } else if (op1 == 1u) {
        const unsigned what = a >> 5 & 15u, rd = b >> 8 & 15u;
        const int shifts = (b & 0x70C0u) != 0;
        d->reads = nb_bit(b) | (rn != 15u ? nb_bit(rn) : 0);
        d->writes = rd == 15u ? 0 : nb_bit(rd);
        if (a >> 4 & 1u) {
            d->writes |= NB_FLAGS_REGISTER;
        }
        d->kind = what == 6u                ? NB_SIMD
                  : rd == 15u               ? NB_COMPARE
                  : what == 2u && rn == 15u ? (shifts ? NB_SHIFT : NB_MOVE)
                                            : NB_ALU;
    } else if (op1 == 2u && (b >> 15) == 0) {
        const unsigned what = a >> 5 & 15u, rd = b >> 8 & 15u;
        d->reads = rn != 15u ? nb_bit(rn) : 0;
        d->writes = rd == 15u ? 0 : nb_bit(rd);
        if ((a >> 9 & 1u) == 0) {
            if (a >> 4 & 1u) {
                d->writes |= NB_FLAGS_REGISTER;
            }
            d->kind = rd == 15u ? NB_COMPARE : what == 2u && rn == 15u ? NB_MOVE : NB_ALU;
        } else {
            const unsigned plain = a >> 4 & 0x1Fu;
            d->kind = plain == 4u || plain == 12u                               ? NB_MOVE
                      : plain == 16u || plain == 18u || plain == 24u || plain == 26u ? NB_SATURATE
                      : plain >= 20u                                            ? NB_BITFIELD
                                                                                : NB_ALU;
            if (plain == 4u) {
                d->reads = 0;
            } else if (plain == 12u || plain == 22u) {
                d->reads |= nb_bit(rd);
            }
        }
    } else if (op1 == 2u) {
        const unsigned what = b >> 12 & 7u;
        if ((a & 0xFF80u) == 0xF000u && (b & 0xF001u) == 0xC001u) {
            d->kind = NB_LOOP; /* LE, LETP, WLS, DLS and their tail-predicated forms */
        } else if ((what & 5u) == 1u) {
            d->kind = NB_BRANCH;
        } else if (what & 4u) {
            d->kind = NB_CALL;
            d->writes = nb_bit(14);
        } else if ((op2 & 0x38u) != 0x38u) {
            d->kind = NB_BRANCH_IF;
            d->reads = NB_FLAGS_REGISTER;
        } else {
            d->kind = (a & 0xFFF0u) == 0xF3A0u ? NB_HINT : NB_SYSTEM;
        }
    } else if ((op2 & 0x71u) == 0 || (op2 & 0x61u) == 1u) {
        const int load = op2 & 1u;
        const unsigned size = a >> 5 & 3u;
        const int by_register = (a >> 7 & 1u) == 0 && (b >> 11 & 1u) == 0 && rn != 15u;
        const int writes_back = (a >> 7 & 1u) == 0 && (b >> 11 & 1u) && (b >> 8 & 1u);
        d->kind = (uint8_t)(size == 0   ? (load ? NB_LDRB : NB_STRB)
                            : size == 1 ? (load ? NB_LDRH : NB_STRH)
                                        : (load ? (rn == 15u ? NB_LDR_LITERAL : NB_LDR) : NB_STR));
        d->reads = nb_bit(rn) | (by_register ? nb_bit(b) : 0) | (load ? 0 : nb_bit(rt));
        d->writes = (load ? nb_bit(rt) : 0) | (writes_back ? nb_bit(rn) : 0);
        if (load && size < 2u && rt == 15u) {
            d->kind = NB_HINT; /* PLD, PLI */
        }
    } else if ((op2 & 0x70u) == 0x20u) {
        nb_decode_register(a, b, d);
    } else if ((op2 & 0x70u) == 0x30u) {
        nb_decode_multiply(a, b, d);
    } else {
        d->kind = NB_OTHER;
    }
}

static inline void nb_decode(unsigned a, unsigned b, nb_instruction *d)
{
    d->reads = d->writes = 0;
    d->words = 0;
    d->kind = NB_OTHER;
    if (a < 0xE800u) {
        d->bytes = 2;
        nb_decode16(a, d);
    } else {
        d->bytes = 4;
        nb_decode32(a, b, d);
    }
    d->is_load = d->kind == NB_LDR || d->kind == NB_LDRH || d->kind == NB_LDRB ||
                 d->kind == NB_LDR_LITERAL || d->kind == NB_LDRD || d->kind == NB_VLDR;
    d->is_memory = (d->kind >= NB_LDR && d->kind <= NB_STM) ||
                   (d->kind >= NB_VLDR && d->kind <= NB_VSTM) || d->kind == NB_MVE_LOAD ||
                   d->kind == NB_MVE_STORE;
    d->is_branch = d->kind >= NB_BRANCH && d->kind <= NB_LOOP;
}

#endif
