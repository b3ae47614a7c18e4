/* access.h: which memory an Arm Thumb instruction touches, as far as its encoding says: base and
 * index register, offset, number and size of accesses. With the registers' values that gives the
 * addresses, which is much cheaper than to ask the emulator at each access. Encodings: Armv7-M and
 * Armv8-M Architecture Reference Manuals, chapter A5 / C2. */
#ifndef NB_ACCESS_H
#define NB_ACCESS_H

#include <stdint.h>

#define NB_NO_REGISTER 16u

typedef struct {
    int32_t offset;
    uint8_t base;   /* register; 15: the instruction's address + 4, aligned to words */
    uint8_t index;  /* register or NB_NO_REGISTER */
    uint8_t shift;  /* of the index */
    uint8_t count;  /* accesses, one after the other; 0: none */
    uint8_t bytes;  /* of each */
    uint8_t writes; /* stores */
    uint8_t exact;  /* base 15 is not aligned (table branches) */
} nb_access;

static inline void nb_access_at(nb_access *a, unsigned base, int32_t offset, unsigned bytes,
                                int writes)
{
    a->base = (uint8_t)base;
    a->offset = offset;
    a->bytes = (uint8_t)bytes;
    a->writes = (uint8_t)writes;
    a->count = 1;
}

static inline void nb_access16(unsigned op, nb_access *a)
{
    static const uint8_t bytes_of[8] = {4, 2, 1, 1, 4, 2, 1, 2};
    const unsigned mid = op >> 3 & 7u, wide = op >> 8 & 7u;
    const int32_t imm5 = (int32_t)(op >> 6 & 31u), imm8 = (int32_t)(op & 0xFFu);
    const unsigned list = (unsigned)__builtin_popcount(op & 0xFFu);
    if (op >> 11 == 9u) {
        nb_access_at(a, 15, 4 * imm8, 4, 0);
    } else if (op >> 12 == 5u) {
        const unsigned kind = op >> 9 & 7u;
        nb_access_at(a, mid, 0, bytes_of[kind], kind < 3u);
        a->index = (uint8_t)(op >> 6 & 7u);
    } else if (op >> 12 == 6u) {
        nb_access_at(a, mid, 4 * imm5, 4, !(op >> 11 & 1u));
    } else if (op >> 12 == 7u) {
        nb_access_at(a, mid, imm5, 1, !(op >> 11 & 1u));
    } else if (op >> 12 == 8u) {
        nb_access_at(a, mid, 2 * imm5, 2, !(op >> 11 & 1u));
    } else if (op >> 12 == 9u) {
        nb_access_at(a, 13, 4 * imm8, 4, !(op >> 11 & 1u));
    } else if (op >> 9 == 0x5Au || op >> 9 == 0x5Eu) {
        const unsigned words = list + (op >> 8 & 1u);
        const int pops = op >> 11 & 1u;
        nb_access_at(a, 13, pops ? 0 : -4 * (int32_t)words, 4, !pops);
        a->count = (uint8_t)words;
    } else if (op >> 12 == 12u) {
        nb_access_at(a, wide, 0, 4, !(op >> 11 & 1u));
        a->count = (uint8_t)list;
    }
}

/* LDM, STM; LDRD, STRD, exclusives, table branches. */
static inline void nb_access_multiple(unsigned hw1, unsigned hw2, nb_access *a)
{
    const unsigned base = hw1 & 15u, load = hw1 >> 4 & 1u;
    const int32_t imm8 = 4 * (int32_t)(hw2 & 0xFFu);
    if ((hw1 & 0x40u) == 0) {
        const unsigned words = (unsigned)__builtin_popcount(hw2 & 0xFFFFu), how = hw1 >> 7 & 3u;
        if (how == 1u || how == 2u) {
            nb_access_at(a, base, how == 2u ? -4 * (int32_t)words : 0, 4, !load);
            a->count = (uint8_t)words;
        }
    } else if ((hw1 & 0x120u) != 0) {
        const int32_t offset = hw1 & 0x80u ? imm8 : -imm8;
        nb_access_at(a, base, hw1 & 0x100u ? offset : 0, 4, !load);
        a->count = 2;
    } else if ((hw1 & 0x80u) == 0) {
        nb_access_at(a, base, imm8, 4, !load);
    } else {
        const unsigned kind = hw2 >> 4 & 15u;
        if (load && kind < 2u) {
            nb_access_at(a, base, 0, 1u + kind, 0);
            a->index = (uint8_t)(hw2 & 15u);
            a->shift = (uint8_t)kind;
            a->exact = 1;
        } else if (kind >= 4u) {
            nb_access_at(a, base, 0, 1u << (kind & 3u), !load);
        }
    }
}

static inline void nb_access_single(unsigned hw1, unsigned hw2, nb_access *a)
{
    const unsigned base = hw1 & 15u, load = hw1 >> 4 & 1u, size = hw1 >> 5 & 3u;
    const int32_t imm12 = (int32_t)(hw2 & 0xFFFu), imm8 = (int32_t)(hw2 & 0xFFu);
    if (size == 3u || (load && size < 2u && hw2 >> 12 == 15u)) {
        return; /* not a load or store of the core; a hint to fetch ahead */
    }
    if (load && base == 15u) {
        nb_access_at(a, 15, hw1 & 0x80u ? imm12 : -imm12, 1u << size, 0);
    } else if (hw1 & 0x80u) {
        nb_access_at(a, base, imm12, 1u << size, !load);
    } else if (hw2 & 0x800u) {
        const int32_t offset = hw2 & 0x200u ? imm8 : -imm8;
        nb_access_at(a, base, hw2 & 0x400u ? offset : 0, 1u << size, !load);
    } else {
        nb_access_at(a, base, 0, 1u << size, !load);
        a->index = (uint8_t)(hw2 & 15u);
        a->shift = (uint8_t)(hw2 >> 4 & 3u);
    }
}

static inline void nb_access_fp(unsigned hw1, unsigned hw2, nb_access *a)
{
    const unsigned base = hw1 & 15u, load = hw1 >> 4 & 1u, doubles = hw2 >> 8 & 1u;
    const unsigned before = hw1 >> 8 & 1u, up = hw1 >> 7 & 1u, back = hw1 >> 5 & 1u;
    const unsigned words = hw2 & 0xFFu, bytes = doubles ? 8u : 4u;
    const int32_t offset = 4 * (int32_t)words;
    if (before && !back) {
        nb_access_at(a, base, up ? offset : -offset, bytes, !load);
    } else if (before != up) {
        nb_access_at(a, base, up ? 0 : -offset, bytes, !load);
        a->count = (uint8_t)(doubles ? words / 2u : words);
    }
}

/* What the instruction with these halfwords touches (hw2: 0 for 16-bit ones). */
static inline void nb_decode_access(unsigned hw1, unsigned hw2, nb_access *a)
{
    *a = (nb_access){0, 0, NB_NO_REGISTER, 0, 0, 0, 0, 0};
    if (hw1 < 0xE800u) {
        nb_access16(hw1, a);
    } else if (hw1 >> 9 == 0x74u) {
        nb_access_multiple(hw1, hw2, a);
    } else if (hw1 >> 9 == 0x7Cu) {
        nb_access_single(hw1, hw2, a);
    } else if (hw1 >> 9 == 0x76u && (hw2 >> 9 & 7u) == 5u) {
        nb_access_fp(hw1, hw2, a);
    }
}

#endif
