/* counting.c: counts instructions for the board models; built on first use as a shared library.
 *
 * Unicorn calls count_code before each instruction and count_block at the start of each translated
 * block. It does not call count_code for an instruction whose condition in an IT block fails; such
 * instructions are found as gaps between two that follow one another, and counted (Thumb alone has
 * such).
 * read_counter is the trace unit as the core reads it. Firmware that does nothing but ask it, more
 * than WAITING times with at most NEAR instructions between, waits: then the counter runs ahead by
 * LEAP with each read, so that two seconds of waiting take no two hundred million instructions.
 *
 * With a tally (tally_start) the same hooks also count what kind of instruction it was and which
 * addresses it touches, by its encoding and the registers (a hook on memory would cost three times
 * as much); between two reads of CYCCNT more than NEAR instructions apart the tally is
 * written to a file: the firmware's own windows, in its own order. */
#include <stdint.h>
#include <stdio.h>

#include "access.h"
#include "tally.h"

#define NEAR 32u
#define WAITING 10000u
#define LEAP 65536u

typedef struct {
    uint64_t count;     /* instructions so far */
    uint64_t limit;     /* stop at the first block that starts at or beyond this count */
    uint64_t next;      /* address after the last instruction counted, 0 = unknown */
    uint64_t block_end; /* address after the present block, 0 = unknown */
    uint64_t stop;      /* not 0: stop at the next block */
    uint64_t stopped;   /* not 0: that is what ended the run */
    uint64_t control;   /* DWT_CTRL */
    uint64_t counting;  /* not 0: CYCCNT counts */
    uint64_t value;     /* CYCCNT when it was set or stopped ... */
    uint64_t since;     /* ... and the instruction at which that was */
    uint64_t polls;     /* reads of CYCCNT in a row */
    uint64_t polled;    /* the instruction of the last one */
    uint64_t last;      /* address of the last instruction counted */
    uint64_t thumb;     /* not 0: Thumb code, where count_code misses instructions */
    int (*emu_stop)(void *engine);
    int (*mem_read)(void *engine, uint64_t address, void *bytes, uint64_t size);
    int (*reg_read)(void *engine, int number, void *value);
    uint64_t registers[16];              /* Unicorn's numbers of R0 to R15 */
    struct nb_tallying *tallying;        /* NULL: instructions are counted, and no more */
} nb_counting;

#define KNOWN (1u << 17)

struct nb_tallying {
    nb_tally tally;
    struct nb_known {
        nb_step step;
        nb_access access;
        uint32_t tag;       /* its address + 1 */
        uint32_t it_length; /* of the block that an IT instruction opens */
    } known[KNOWN] __attribute__((aligned(64)));
    uint32_t it_left; /* instructions of an IT block to come */
    uint64_t reads; /* of CYCCNT, and what was counted at the last one */
    uint64_t read_count;
    uint64_t read[NB_TALLY_COUNT];
    uint64_t window_count;
    uint64_t window[NB_TALLY_COUNT];
    FILE *windows;
};

static struct nb_known *known(nb_counting *state, void *engine, uint32_t address)
{
    struct nb_tallying *const t = state->tallying;
    const uint32_t at = address >> 1 & (KNOWN - 1u);
    struct nb_known *const found = &t->known[at];
    if (found->tag != address + 1u) {
        uint16_t code[2] = {0, 0};
        state->mem_read(engine, address, code, 2);
        if (code[0] >= 0xE800u) {
            state->mem_read(engine, address + 2u, code + 1, 2);
        }
        nb_decode(code[0], code[1], &found->step.instruction);
        nb_decode_access(code[0], code[1], &found->access);
        found->it_length =
            found->step.instruction.kind == NB_IT ? 4u - (uint32_t)__builtin_ctz(code[0] & 15u) : 0u;
        found->step.before = NULL;
        found->tag = address + 1u;
    }
    return found;
}

static uint32_t register_of(nb_counting *state, void *engine, unsigned number)
{
    uint32_t value = 0;
    state->reg_read(engine, (int)state->registers[number], &value);
    return value;
}

/* The accesses of an instruction that is about to run, from the registers as they are. */
static void tally_accesses(nb_counting *state, void *engine, const nb_access *a, uint32_t address)
{
    uint32_t at = a->base == 15u ? (a->exact ? address + 4u : (address + 4u) & ~3u)
                                 : register_of(state, engine, a->base);
    at += (uint32_t)a->offset;
    if (a->index != NB_NO_REGISTER) {
        at += register_of(state, engine, a->index) << a->shift;
    }
    for (unsigned i = 0; i < a->count; i++, at += a->bytes) {
        nb_tally_data(&state->tallying->tally, at, a->bytes, a->writes);
    }
}

/* ``runs``: not in an IT block whose condition fails. */
static void tally_one(nb_counting *state, void *engine, uint32_t address, int runs)
{
    struct nb_tallying *const t = state->tallying;
    struct nb_known *const k = known(state, engine, address);
    nb_tally_run(&t->tally, &k->step, address);
    if (runs && k->access.count != 0) {
        tally_accesses(state, engine, &k->access, address);
    }
    t->it_left -= t->it_left != 0;
    if (k->it_length != 0) {
        t->it_left = k->it_length;
    }
}

int tally_start(nb_counting *state, uint32_t flash, uint32_t bytes, uint32_t alias,
                const char *windows)
{
    struct nb_tallying *const t = aligned_alloc(64, sizeof *t);
    if (t == NULL) {
        return -1;
    }
    memset(t, 0, sizeof *t);
    nb_tally_init(&t->tally, flash, bytes, alias);
    if (windows != NULL && (t->windows = fopen(windows, "wb")) == NULL) {
        return -1;
    }
    state->tallying = t;
    return 0;
}

int tally_count(void)
{
    return NB_TALLY_COUNT;
}

const char *tally_names(void)
{
    return nb_tally_names;
}

const uint64_t *tally_counts(const nb_counting *state)
{
    return state->tallying->tally.counts;
}

uint64_t tally_reads(const nb_counting *state)
{
    return state->tallying->reads;
}

uint64_t tally_read_count(const nb_counting *state)
{
    return state->tallying->read_count;
}

const uint64_t *tally_read(const nb_counting *state)
{
    return state->tallying->read;
}

static void end_window(nb_counting *state)
{
    struct nb_tallying *const t = state->tallying;
    if (t->windows != NULL && state->count - t->window_count > NEAR) {
        uint64_t record[NB_TALLY_COUNT + 1];
        record[0] = state->count - t->window_count;
        for (unsigned i = 0; i < NB_TALLY_COUNT; i++) {
            record[i + 1] = t->tally.counts[i] - t->window[i];
        }
        fwrite(record, sizeof record, 1, t->windows);
        fflush(t->windows);
    }
    t->window_count = state->count;
    memcpy(t->window, t->tally.counts, sizeof t->window);
}

void tally_window(nb_counting *state)
{
    end_window(state);
}

static void count_gap(nb_counting *state, void *engine, uint64_t from, uint64_t to)
{
    uint16_t half;
    while (from < to && state->mem_read(engine, from, &half, sizeof half) == 0) {
        if (state->tallying != NULL) {
            tally_one(state, engine, (uint32_t)from, 0);
            state->tallying->tally.counts[NB_FAILED]++;
        }
        from += half >= 0xE800u ? 4u : 2u;
        state->count++;
    }
}

uint64_t read_counter(void *engine, uint64_t offset, unsigned size, void *user)
{
    nb_counting *const state = user;
    (void)engine;
    (void)size;
    if (offset == 4) {
        if (state->tallying != NULL) {
            struct nb_tallying *const t = state->tallying;
            end_window(state);
            t->reads++;
            t->read_count = state->count;
            memcpy(t->read, t->tally.counts, sizeof t->read);
        }
        state->polls = state->count - state->polled <= NEAR ? state->polls + 1 : 0;
        state->polled = state->count;
        if (state->polls > WAITING && state->counting != 0) {
            state->value += LEAP;
        }
        return (state->value + (state->counting != 0 ? state->count - state->since : 0)) & 0xFFFFFFFFu;
    }
    return offset == 0 ? state->control : 0;
}

void count_block(void *engine, uint64_t address, uint32_t size, void *user)
{
    nb_counting *const state = user;
    if (state->thumb != 0 && state->next != 0 && state->next < state->block_end) {
        count_gap(state, engine, state->next, state->block_end);
    }
    state->next = address;
    state->block_end = address + size;
    if (state->tallying != NULL && state->tallying->it_left != 0) {
        return; /* inside an IT block: a stop here would lose what is left of it */
    }
    if (state->stop != 0 || state->count >= state->limit) {
        state->next = 0;
        state->block_end = 0;
        state->stopped = 1;
        state->emu_stop(engine);
    }
}

void count_code(void *engine, uint64_t address, uint32_t size, void *user)
{
    nb_counting *const state = user;
    if (state->thumb != 0 && state->next != 0 && address > state->next) {
        count_gap(state, engine, state->next, address);
    }
    if (state->tallying != NULL) {
        tally_one(state, engine, (uint32_t)address, 1);
    }
    state->count++;
    state->last = address;
    state->next = address + size;
}
