/* tally.h: what was executed, in the terms that cost cycles: instruction classes, pairs that wait
 * for each other, and the trains of fetch and data addresses, reduced on the fly by small models of
 * flash lines and caches. Shared by the board models' counter (counting.c) and QEMU's plugin.
 *
 * What an instruction is and how it stands to the one before is worked out once for its place;
 * caches are asked only when the line changes. */
#ifndef NB_TALLY_H
#define NB_TALLY_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"

/* Besides the classes; these overlap. "flash" is any address in the code region or its aliases.
 *   LDM_WORDS ... words moved by LDM and POP, by STM and PUSH, by LDRD/STRD, by VLDM/VSTM
 *   TAKEN         next instruction elsewhere (exceptions too); *_TAKEN: conditional branches of these
 *   TARGET_SPLIT  a branch to a 32-bit instruction that crosses a word
 *   LOAD_GROUP    a single load that no single load precedes, or that needs that one's result
 *   LOAD_ALONE    the same, where a single store before it will do as well as a load
 *   LOAD_LAST     a single load with no single load or store right after it
 *   WIDE_SPLIT    32-bit instructions that cross a word
 *   LOAD_USE      the instruction right after a single load needs its result; LOAD_USE2: one later
 *   MUL_USE       the instruction right after a multiply needs its result, but not to accumulate
 *   UNALIGNED     accesses that cross their own size
 *   WIDE          32-bit instructions; FAILED: in an IT block, condition not met
 *   PAIR_ANY ...  pairs that an in-order core could issue together: two at most one of which
 *                 touches memory; the same with two loads allowed; two 16-bit ones
 *   FETCH8 ...    fetches from flash that leave a line of 8, 16, 32 bytes; _JUMP: not to the next
 *   FETCH_RAM     the same for 8 bytes of code outside flash
 *   DATA4 ...     reads of data from flash in another word of 4, 8, 16, 32 bytes than the last
 *   DATA8_JUMP    of DATA8, those not to the next word
 *   MISS_U8K      misses of a cache of 8 KiB for code and constants from flash */
#define NB_EXTRAS(X)                                                                               \
    X(LDM_WORDS) X(STM_WORDS) X(DOUBLE_WORDS) X(VLDM_WORDS) X(TAKEN) X(IF_TAKEN) X(TARGET_SPLIT)   \
    X(LOAD_GROUP) X(LOAD_USE) X(LOAD_USE2) X(MUL_USE) X(UNALIGNED) X(WIDE) X(FAILED) X(PAIR_ANY)   \
    X(PAIR_LOADS) X(PAIR_NARROW) X(FETCH8) X(FETCH16) X(FETCH32) X(FETCH8_JUMP) X(FETCH16_JUMP)    \
    X(FETCH_RAM) X(FLASH_READS) X(RAM_READS) X(WRITES) X(DATA4) X(DATA8) X(DATA16) X(DATA32)       \
    X(DATA8_JUMP) X(MISS_U8K)                                                                      \
    X(LOAD_ALONE) X(LOAD_LAST) X(WIDE_SPLIT)

#define NB_EXTRA(name) NB_##name,
enum nb_extra { NB_FIRST_EXTRA = NB_CLASS_COUNT - 1, NB_EXTRAS(NB_EXTRA) NB_TALLY_COUNT };
#undef NB_EXTRA

#define NB_NAME(name) #name " "
static const char nb_tally_names[] = NB_CLASSES(NB_NAME) NB_EXTRAS(NB_NAME);
#undef NB_NAME

#define NB_LINE_SHIFT 4u
#define NB_SETS 128u
#define NB_WAYS 4u

/* PSoC 6's: 4 ways, lines of 16 bytes, the one not used for longest goes. */
typedef struct {
    uint32_t last;
    uint32_t tags[NB_SETS][NB_WAYS]; /* most recent first; line number + 1, 0 = empty */
} nb_cache;

/* An instruction at its place, and how it stands to the one before: worked out once. */
typedef struct {
    nb_instruction instruction;
    const nb_instruction *before;
    unsigned relation;
} nb_step;

/* Bits of a relation; the last three are the kinds of pairs. */
enum { NB_R_WAITS = 1, NB_R_LOAD_USE = 2, NB_R_MUL_USE = 4, NB_R_LOAD_GROUP = 8, NB_R_LOAD_ALONE = 16,
       NB_R_LOAD_LAST = 32, NB_R_ANY = 64, NB_R_LOADS = 128, NB_R_NARROW = 256 };
#define NB_PAIRINGS (NB_R_ANY | NB_R_LOADS | NB_R_NARROW)

typedef struct {
    uint64_t counts[NB_TALLY_COUNT];
    const nb_instruction *before;  /* the instruction executed last */
    const nb_instruction *before2; /* the one before that */
    uint32_t next;                 /* address after it */
    uint32_t fetched;              /* its own address */
    uint32_t data;                 /* the flash read last */
    unsigned open; /* pairs that the instruction before may still be the first of (NB_PAIRINGS) */
    uint32_t flash, flash_bytes; /* the code region ... */
    uint32_t alias;              /* ... which is seen here too (same value: it has no alias) */
    nb_cache cache;
    uint32_t *lines; /* not 0: where the lines of fetches are kept for later */
    unsigned line_count, line_room;
} nb_tally;

static inline void nb_tally_init(nb_tally *t, uint32_t flash, uint32_t flash_bytes, uint32_t alias)
{
    memset(t, 0, sizeof *t);
    t->flash = flash;
    t->flash_bytes = flash_bytes;
    t->alias = alias;
    t->fetched = t->data = 0xFFFFFFFFu;
}

static inline void nb_cache_touch(nb_tally *t, uint32_t address)
{
    const uint32_t line = (address >> NB_LINE_SHIFT) + 1u;
    if (line == t->cache.last) {
        return;
    }
    t->cache.last = line;
    uint32_t *const tags = t->cache.tags[line % NB_SETS];
    uint32_t carried = line;
    for (unsigned way = 0; way < NB_WAYS; way++) {
        const uint32_t here = tags[way];
        tags[way] = carried;
        if (here == line) {
            return;
        }
        carried = here;
    }
    t->counts[NB_MISS_U8K]++;
}

/* Whether an address is flash; through an alias it becomes the flash's own. */
static inline int nb_in_flash(const nb_tally *t, uint32_t *address)
{
    if (*address - t->flash < t->flash_bytes) {
        return 1;
    }
    if (*address - t->alias < t->flash_bytes) {
        *address = *address - t->alias + t->flash;
        return 1;
    }
    return 0;
}

/* A fetch from another line of 16 bytes. Who works a block out beforehand keeps the lines instead. */
static inline void nb_line(nb_tally *t, uint32_t address)
{
    if (t->lines == 0) {
        nb_cache_touch(t, address);
    } else if (t->line_count < t->line_room) {
        t->lines[t->line_count++] = address;
    } else {
        abort();
    }
}

static inline void nb_fetch(nb_tally *t, uint32_t address)
{
    const uint32_t before = t->fetched;
    t->fetched = address;
    if (((address ^ before) >> 3) == 0) {
        return;
    }
    uint32_t real = address;
    if (!nb_in_flash(t, &real)) {
        t->counts[NB_FETCH_RAM]++;
        return;
    }
    t->counts[NB_FETCH8]++;
    t->counts[NB_FETCH8_JUMP] += (address >> 3) != (before >> 3) + 1u;
    if ((address ^ before) >> 4) {
        t->counts[NB_FETCH16]++;
        t->counts[NB_FETCH16_JUMP] += (address >> 4) != (before >> 4) + 1u;
        t->counts[NB_FETCH32] += ((address ^ before) >> 5) != 0;
        nb_line(t, real);
    }
}

static inline int nb_is_multiply(unsigned kind)
{
    return kind >= NB_MUL && kind <= NB_MLA_DUAL;
}

static inline int nb_is_fp(unsigned kind)
{
    return kind >= NB_FP_ADD && kind <= NB_FP_MOVE;
}

/* Whether an in-order core with two issue slots could take both at once. */
static inline int nb_pairs(const nb_instruction *a, const nb_instruction *b)
{
    const uint64_t waits = a->writes & b->reads;
    if (waits & (b->is_branch ? ~NB_FLAGS_REGISTER : ~0ull)) {
        return 0;
    }
    if (a->kind == NB_DIV || b->kind == NB_DIV || a->is_branch || a->words > 1 || b->words > 1) {
        return 0;
    }
    if (nb_is_multiply(a->kind) && nb_is_multiply(b->kind)) {
        return 0;
    }
    return !(nb_is_fp(a->kind) && nb_is_fp(b->kind));
}

/* How d stands to the instruction right before it. */
static inline unsigned nb_relate(const nb_instruction *before, const nb_instruction *d)
{
    const int waits = (before->writes & d->reads) != 0, single = d->is_memory && d->words < 2;
    unsigned found = waits ? NB_R_WAITS : 0u;
    if (waits) {
        found |= before->is_load ? NB_R_LOAD_USE : 0u;
        found |= nb_is_multiply(before->kind) && !nb_is_multiply(d->kind) ? NB_R_MUL_USE : 0u;
    }
    if (d->is_load) {
        found |= !before->is_load || waits ? NB_R_LOAD_GROUP : 0u;
        found |= waits || !(before->is_memory && before->words < 2) ? NB_R_LOAD_ALONE : 0u;
    }
    if (before->is_load) {
        found |= single ? 0u : NB_R_LOAD_LAST;
    }
    if (nb_pairs(before, d)) {
        const int two = before->is_memory && d->is_memory;
        found |= two ? 0u : NB_R_ANY;
        found |= two && !(before->is_load && d->is_load) ? 0u : NB_R_LOADS;
        found |= two || before->bytes == 4 || d->bytes == 4 ? 0u : NB_R_NARROW;
    }
    return found;
}

/* One instruction at ``address`` runs. */
static inline void nb_tally_run(nb_tally *t, nb_step *step, uint32_t address)
{
    uint64_t *const counts = t->counts;
    const nb_instruction *const d = &step->instruction, *const before = t->before;
    counts[d->kind]++;
    if (d->bytes == 4) {
        counts[NB_WIDE]++;
        counts[NB_WIDE_SPLIT] += address >> 1 & 1u;
    }
    if (d->words) {
        const unsigned extra = d->kind == NB_LDM   ? NB_LDM_WORDS
                               : d->kind == NB_STM ? NB_STM_WORDS
                               : d->kind == NB_LDRD || d->kind == NB_STRD ? NB_DOUBLE_WORDS
                                                                          : NB_VLDM_WORDS;
        counts[extra] += d->words;
    }
    nb_fetch(t, address);
    if (before != 0 && address == t->next) {
        if (step->before != before) {
            step->before = before;
            step->relation = nb_relate(before, d);
        }
        const unsigned relation = step->relation;
        counts[NB_LOAD_LAST] += (relation & NB_R_LOAD_LAST) != 0;
        if (d->is_load) {
            counts[NB_LOAD_GROUP] += (relation & NB_R_LOAD_GROUP) != 0;
            counts[NB_LOAD_ALONE] += (relation & NB_R_LOAD_ALONE) != 0;
        }
        if (relation & NB_R_WAITS) {
            counts[NB_LOAD_USE] += (relation & NB_R_LOAD_USE) != 0;
            counts[NB_MUL_USE] += (relation & NB_R_MUL_USE) != 0;
        } else if (t->before2 != 0 && t->before2->is_load && (t->before2->writes & d->reads)) {
            counts[NB_LOAD_USE2]++;
        }
        const unsigned pairs = relation & t->open;
        if (pairs) {
            counts[NB_PAIR_ANY] += (pairs & NB_R_ANY) != 0;
            counts[NB_PAIR_LOADS] += (pairs & NB_R_LOADS) != 0;
            counts[NB_PAIR_NARROW] += (pairs & NB_R_NARROW) != 0;
        }
        t->open = NB_PAIRINGS & ~pairs;
    } else {
        if (before != 0) {
            counts[NB_TAKEN]++;
            counts[NB_IF_TAKEN] += before->kind == NB_BRANCH_IF;
            counts[NB_TARGET_SPLIT] += d->bytes == 4 && (address & 2u);
            counts[NB_LOAD_LAST] += before->is_load;
        }
        counts[NB_LOAD_GROUP] += d->is_load;
        counts[NB_LOAD_ALONE] += d->is_load;
        t->open = d->is_branch ? 0u : NB_PAIRINGS;
    }
    t->before2 = before;
    t->before = d;
    t->next = address + d->bytes;
}

/* One access of the core to data. */
static inline void nb_tally_data(nb_tally *t, uint32_t address, unsigned bytes, int is_write)
{
    uint64_t *const counts = t->counts;
    counts[NB_UNALIGNED] += (address & (bytes - 1u) & 3u) != 0;
    if (address - 0x40000000u < 0x20000000u || address >= 0xE0000000u) {
        return; /* registers */
    }
    uint32_t real = address;
    if (nb_in_flash(t, &real)) {
        if (is_write) {
            return;
        }
        const uint32_t differs = real ^ t->data;
        counts[NB_FLASH_READS]++;
        if (differs >> 2) {
            counts[NB_DATA4]++;
            if (differs >> 3) {
                counts[NB_DATA8]++;
                counts[NB_DATA8_JUMP] += (real >> 3) != (t->data >> 3) + 1u;
                counts[NB_DATA16] += (differs >> 4) != 0;
                counts[NB_DATA32] += (differs >> 5) != 0;
            }
        }
        t->data = real;
        nb_cache_touch(t, real);
    } else if (is_write) {
        counts[NB_WRITES]++;
    } else {
        counts[NB_RAM_READS]++;
    }
}

#endif
