/* counting.c: counts instructions for the board models; built on first use as a shared library.
 *
 * Unicorn calls count_code before each instruction and count_block at the start of each translated
 * block. It does not call count_code for an instruction whose condition in an IT block fails; such
 * instructions are found as gaps between two that follow one another, and counted (Thumb alone has
 * such).
 * read_counter is the trace unit as the core reads it. Firmware that does nothing but ask it, more
 * than WAITING times with at most NEAR instructions between, waits: then the counter runs ahead by
 * LEAP with each read, so that two seconds of waiting take no two hundred million instructions. */
#include <stdint.h>

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
} nb_counting;

static void count_gap(nb_counting *state, void *engine, uint64_t from, uint64_t to)
{
    uint16_t half;
    while (from < to && state->mem_read(engine, from, &half, sizeof half) == 0) {
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
    state->count++;
    state->last = address;
    state->next = address + size;
}
