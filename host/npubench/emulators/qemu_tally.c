/* qemu_tally.c: QEMU's side of the tally: what was executed between any two reads of the board's
 * counter, by kind and by the addresses that it touched, written to a file. A plugin of QEMU, built
 * on first use with the host's compiler and loaded by the user's QEMU in its own process.
 *
 * Work is done per translated block: what a block counts, given how the core came to it (the
 * instructions before, the line fetched last, open pairs), is worked out once and kept as an edge;
 * after that an execution is one comparison and one addition. Only data addresses, and the lines of
 * fetches in the cache's model, are followed as they come, in order.
 *
 * QEMU ends a block early where a register of a device is touched in its midst: it then runs that
 * instruction as a block of its own without telling, and goes on behind it. The access itself is
 * told, and cuts the block there. A fault in the midst of a block is not told: its window counts the
 * whole block.
 *
 * The declarations below are those of QEMU's public plugin interface, version 1 (QEMU documentation,
 * "QEMU TCG Plugins"). Arguments: windows=FILE,counter=ADDRESS,flash=ADDRESS,bytes=COUNT.
 *
 * QEMU runs through each instruction of an IT block, whether its condition holds or not: FAILED stays
 * zero here, every other count is the board models'. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tally.h"

#define EXPORT __attribute__((visibility("default")))
#define NEAR 32u
#define BUCKETS (1u << 16)

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { QEMU_PLUGIN_CB_NO_REGS = 0, QEMU_PLUGIN_MEM_RW = 3 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*call)(qemu_plugin_id_t, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *instruction);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block,
                                          void (*call)(unsigned, void *), int flags, void *user);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *instruction,
                                      void (*call)(unsigned, uint32_t, uint64_t, void *), int flags,
                                      int kinds, void *user);
unsigned qemu_plugin_mem_size_shift(uint32_t info);
bool qemu_plugin_mem_is_store(uint32_t info);

EXPORT int qemu_plugin_version = 1;

/* Devices and the core's own registers, by the memory map of the Armv7-M and Armv8-M architectures;
 * 0x60000000 to 0x9fffffff is RAM. */
static bool is_register(uint32_t address)
{
    return (address >= 0x40000000u && address < 0x60000000u) || address >= 0xa0000000u;
}

typedef struct nb_place {
    nb_step step;
    uint32_t address;
    uint16_t code[2];
    struct nb_place *next;
} nb_place;

/* How the core comes to a block. */
typedef struct nb_entry {
    const nb_instruction *before, *before2;
    uint32_t next, fetched;
    unsigned open;
    struct nb_entry *chain;
} nb_entry;

typedef struct nb_block nb_block;

/* A block, come to in one way: what it counts, and how the core leaves it. */
typedef struct nb_edge {
    const nb_entry *from, *to;
    nb_block *block;
    uint64_t count; /* executions that are not in the tally yet */
    struct nb_edge *other, *dirty;
    unsigned is_dirty, deltas, lines;
    struct {
        uint32_t which, by;
    } *delta;
    struct {
        uint32_t address, at;
    } *line;
} nb_edge;

struct nb_block {
    unsigned size;
    nb_edge *edges; /* the one that was taken last first */
    nb_block **cut; /* the block's first 1, 2, ... instructions, where they were wanted */
    nb_place *places[];
};

/* An instruction in its block, which its accesses come with. */
typedef struct {
    nb_place *place;
    unsigned at;
} nb_where;

static nb_tally tally;
static nb_place *places[BUCKETS];
static nb_entry *entries[BUCKETS];
static const nb_entry *entry;
static nb_edge *edge, *dirty;
static unsigned line; /* the first line of the edge that was not fetched yet */
static uint32_t counter;
static FILE *windows;
static uint64_t count, window_count, window[NB_TALLY_COUNT];

static void *make(size_t bytes)
{
    void *const made = calloc(1, bytes);
    if (made == NULL) {
        abort();
    }
    return made;
}

/* --- what a block counts ---------------------------------------------------------------------- */

static const nb_entry *entry_of(const nb_tally *t)
{
    const uint32_t mixed = t->next ^ t->fetched << 7 ^ t->open << 3 ^
                           (uint32_t)((uintptr_t)t->before2 >> 5);
    nb_entry **const bucket = &entries[(mixed ^ mixed >> 16) & (BUCKETS - 1u)];
    for (nb_entry *found = *bucket; found != NULL; found = found->chain) {
        if (found->before == t->before && found->before2 == t->before2 && found->next == t->next &&
            found->fetched == t->fetched && found->open == t->open) {
            return found;
        }
    }
    nb_entry *const made = make(sizeof *made);
    made->before = t->before;
    made->before2 = t->before2;
    made->next = t->next;
    made->fetched = t->fetched;
    made->open = t->open;
    made->chain = *bucket;
    *bucket = made;
    return made;
}

static nb_edge *work_out(nb_block *block, const nb_entry *from)
{
    static nb_tally scratch;
    nb_edge *const made = make(sizeof *made);
    uint32_t *const lines = make(block->size * sizeof *lines);
    memset(&scratch, 0, sizeof scratch);
    scratch.flash = tally.flash;
    scratch.flash_bytes = tally.flash_bytes;
    scratch.alias = tally.alias;
    scratch.before = from->before;
    scratch.before2 = from->before2;
    scratch.next = from->next;
    scratch.fetched = from->fetched;
    scratch.open = from->open;
    scratch.lines = lines;
    scratch.line_room = block->size;
    made->line = make(block->size * sizeof *made->line);
    for (unsigned at = 0; at < block->size; at++) {
        nb_tally_run(&scratch, &block->places[at]->step, block->places[at]->address);
        for (; made->lines < scratch.line_count; made->lines++) {
            made->line[made->lines].address = lines[made->lines];
            made->line[made->lines].at = at;
        }
    }
    free(lines);
    for (unsigned pass = 0; pass < 2; pass++) {
        made->deltas = 0;
        for (uint32_t which = 0; which < NB_TALLY_COUNT; which++) {
            if (scratch.counts[which] != 0) {
                if (made->delta != NULL) {
                    made->delta[made->deltas].which = which;
                    made->delta[made->deltas].by = (uint32_t)scratch.counts[which];
                }
                made->deltas++;
            }
        }
        if (made->delta == NULL) {
            made->delta = make(made->deltas * sizeof *made->delta);
        }
    }
    made->block = block;
    made->from = from;
    made->to = entry_of(&scratch);
    made->other = block->edges;
    block->edges = made;
    return made;
}

static nb_edge *edge_of(nb_block *block, const nb_entry *from)
{
    nb_edge **link = &block->edges;
    for (nb_edge *found = *link; found != NULL; link = &found->other, found = *link) {
        if (found->from == from) {
            *link = found->other;
            found->other = block->edges;
            block->edges = found;
            return found;
        }
    }
    return work_out(block, from);
}

/* --- what is executed ------------------------------------------------------------------------- */

static inline void fetch_lines(unsigned until)
{
    for (; line < edge->lines && edge->line[line].at <= until; line++) {
        nb_cache_touch(&tally, edge->line[line].address);
    }
}

static inline void take(nb_edge *taken)
{
    edge = taken;
    taken->count++;
    if (!taken->is_dirty) {
        taken->is_dirty = 1;
        taken->dirty = dirty;
        dirty = taken;
    }
    entry = taken->to;
    count += taken->block->size;
    line = 0;
}

static void executed(unsigned core, void *user)
{
    nb_block *const block = user;
    nb_edge *found = block->edges;
    (void)core;
    if (edge != NULL) {
        fetch_lines(~0u);
    }
    if (found == NULL || found->from != entry) {
        found = edge_of(block, entry);
    }
    take(found);
}

/* The block under way ends behind the instruction at ``place``: what comes next is told anew. */
static void cut_behind(const nb_place *place)
{
    nb_block *const block = edge->block;
    unsigned size = 1;
    while (size < block->size && block->places[size - 1] != place) {
        size++;
    }
    if (size == block->size) {
        return;
    }
    if (block->cut == NULL) {
        block->cut = make(block->size * sizeof *block->cut);
    }
    nb_block **const kept = &block->cut[size];
    if (*kept == NULL) {
        *kept = make(sizeof **kept + size * sizeof *(*kept)->places);
        (*kept)->size = size;
        memcpy((*kept)->places, block->places, size * sizeof *block->places);
    }
    const nb_entry *const from = edge->from;
    const unsigned fetched = line;
    edge->count--;
    count -= block->size;
    take(edge_of(*kept, from));
    line = fetched;
}

static void settle(void)
{
    for (nb_edge *next = dirty; next != NULL; next = next->dirty) {
        for (unsigned i = 0; i < next->deltas; i++) {
            tally.counts[next->delta[i].which] += next->count * next->delta[i].by;
        }
        next->count = 0;
        next->is_dirty = 0;
    }
    dirty = NULL;
}

static void end_window(void)
{
    settle();
    if (count - window_count > NEAR) {
        uint64_t record[NB_TALLY_COUNT + 1];
        record[0] = count - window_count;
        for (unsigned i = 0; i < NB_TALLY_COUNT; i++) {
            record[i + 1] = tally.counts[i] - window[i];
        }
        fwrite(record, sizeof record, 1, windows);
        fflush(windows);
    }
    window_count = count;
    memcpy(window, tally.counts, sizeof window);
}

static void accessed(unsigned core, uint32_t info, uint64_t address, void *user)
{
    const nb_where *const where = user;
    const uint32_t at = (uint32_t)address;
    const int stores = qemu_plugin_mem_is_store(info);
    (void)core;
    if (at - tally.flash < tally.flash_bytes) {
        fetch_lines(where->at);
    } else if (is_register(at)) {
        cut_behind(where->place);
    }
    nb_tally_data(&tally, at, 1u << qemu_plugin_mem_size_shift(info), stores);
    if (at == counter && !stores) {
        fetch_lines(~0u);
        end_window();
    }
}

/* --- translation ------------------------------------------------------------------------------ */

/* The instruction at its place; kept for good, since QEMU holds on to it. */
static nb_place *place_of(uint32_t address, const uint16_t *code)
{
    nb_place **const bucket = &places[address >> 1 & (BUCKETS - 1u)];
    for (nb_place *place = *bucket; place != NULL; place = place->next) {
        if (place->address == address && place->code[0] == code[0] && place->code[1] == code[1]) {
            return place;
        }
    }
    nb_place *const made = make(sizeof *made);
    made->address = address;
    memcpy(made->code, code, sizeof made->code);
    nb_decode(code[0], code[1], &made->step.instruction);
    made->next = *bucket;
    *bucket = made;
    return made;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *told)
{
    const size_t size = qemu_plugin_tb_n_insns(told);
    nb_block *const block = make(sizeof *block + size * sizeof *block->places);
    nb_where *const where = make(size * sizeof *where);
    (void)id;
    block->size = (unsigned)size;
    for (size_t i = 0; i < size; i++) {
        struct qemu_plugin_insn *const instruction = qemu_plugin_tb_get_insn(told, i);
        uint16_t code[2] = {0, 0};
        memcpy(code, qemu_plugin_insn_data(instruction), qemu_plugin_insn_size(instruction));
        block->places[i] = place_of((uint32_t)qemu_plugin_insn_vaddr(instruction), code);
        where[i].place = block->places[i];
        where[i].at = (unsigned)i;
        qemu_plugin_register_vcpu_mem_cb(instruction, accessed, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW, &where[i]);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(told, executed, QEMU_PLUGIN_CB_NO_REGS, block);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    uint32_t flash = 0, bytes = 0;
    (void)info;
    for (int i = 0; i < argc; i++) {
        const char *const value = strchr(argv[i], '=');
        if (value == NULL) {
            return -1;
        }
        if (strncmp(argv[i], "windows=", 8) == 0) {
            windows = fopen(value + 1, "wb");
        } else if (strncmp(argv[i], "counter=", 8) == 0) {
            counter = (uint32_t)strtoul(value + 1, NULL, 0);
        } else if (strncmp(argv[i], "flash=", 6) == 0) {
            flash = (uint32_t)strtoul(value + 1, NULL, 0);
        } else if (strncmp(argv[i], "bytes=", 6) == 0) {
            bytes = (uint32_t)strtoul(value + 1, NULL, 0);
        }
    }
    if (windows == NULL || bytes == 0) {
        fprintf(stderr, "qemu_tally: no file for the windows, or no code region\n");
        return -1;
    }
    nb_tally_init(&tally, flash, bytes, flash);
    entry = entry_of(&tally);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
