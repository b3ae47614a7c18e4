/* qemu_tally.c: QEMU's side of the tally: what was executed between any two reads of the board's
 * counter, by kind and by the addresses that it touched, written to a file. A plugin of QEMU, built
 * on first use with the host's compiler and loaded by the user's QEMU in its own process.
 *
 * The declarations below are those of QEMU's public plugin interface, version 1 (QEMU documentation,
 * "QEMU TCG Plugins"). Arguments: windows=FILE,counter=ADDRESS,flash=ADDRESS,bytes=COUNT.
 *
 * QEMU calls for each instruction of an IT block, whether its condition holds or not: FAILED stays
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
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *instruction,
                                            void (*call)(unsigned, void *), int flags, void *user);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *instruction,
                                      void (*call)(unsigned, uint32_t, uint64_t, void *), int flags,
                                      int kinds, void *user);
unsigned qemu_plugin_mem_size_shift(uint32_t info);
bool qemu_plugin_mem_is_store(uint32_t info);

EXPORT int qemu_plugin_version = 1;

typedef struct nb_place {
    nb_step step;
    uint32_t address;
    uint16_t code[2];
    struct nb_place *next;
} nb_place;

static nb_tally tally;
static nb_place *places[BUCKETS];
static uint32_t counter;
static FILE *windows;
static uint64_t count, window_count, window[NB_TALLY_COUNT];

static void end_window(void)
{
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

static void executed(unsigned core, void *user)
{
    nb_place *const place = user;
    (void)core;
    nb_tally_run(&tally, &place->step, place->address);
    count++;
}

static void accessed(unsigned core, uint32_t info, uint64_t address, void *user)
{
    const int stores = qemu_plugin_mem_is_store(info);
    (void)core;
    (void)user;
    nb_tally_data(&tally, (uint32_t)address, 1u << qemu_plugin_mem_size_shift(info), stores);
    if ((uint32_t)address == counter && !stores) {
        end_window();
    }
}

/* The instruction at its place; kept for good, since QEMU holds on to it. */
static nb_place *place_of(uint32_t address, const uint16_t *code)
{
    nb_place **const bucket = &places[address >> 1 & (BUCKETS - 1u)];
    for (nb_place *place = *bucket; place != NULL; place = place->next) {
        if (place->address == address && place->code[0] == code[0] && place->code[1] == code[1]) {
            return place;
        }
    }
    nb_place *const made = calloc(1, sizeof *made);
    if (made == NULL) {
        abort();
    }
    made->address = address;
    memcpy(made->code, code, sizeof made->code);
    nb_decode(code[0], code[1], &made->step.instruction);
    made->next = *bucket;
    *bucket = made;
    return made;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    const size_t size = qemu_plugin_tb_n_insns(block);
    (void)id;
    for (size_t i = 0; i < size; i++) {
        struct qemu_plugin_insn *const instruction = qemu_plugin_tb_get_insn(block, i);
        uint16_t code[2] = {0, 0};
        memcpy(code, qemu_plugin_insn_data(instruction), qemu_plugin_insn_size(instruction));
        nb_place *const place = place_of((uint32_t)qemu_plugin_insn_vaddr(instruction), code);
        qemu_plugin_register_vcpu_insn_exec_cb(instruction, executed, QEMU_PLUGIN_CB_NO_REGS, place);
        qemu_plugin_register_vcpu_mem_cb(instruction, accessed, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW, NULL);
    }
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
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
