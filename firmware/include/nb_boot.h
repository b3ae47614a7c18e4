/* nb_boot.h: what start-up code and the HAL families share with the harness.
 *
 * Start-up (hal/common/startup_m.c on Cortex-M, startup_rv.c on RISC-V, hal/native on a host)
 * prepares memory and calls nb_main. Where there is no operating system the linker script gives
 *   _nb_stack_limit .. _nb_stack_top   NB_STACK_BYTES, at the end of RAM, painted by start-up
 *   _nb_data_load, _nb_data_start, _nb_data_end, _nb_bss_start, _nb_bss_end   whole words
 *   .nb_vectors    first in the code region, KEEP
 *   .noinit        no load image, neither cleared nor copied by anything
 */
#ifndef NB_BOOT_H
#define NB_BOOT_H

#include <stdint.h>

#include "nb_board.h"

#define NB_STACK_PAINT 0xA5A5A5A5u

/* The stack, lowest address first. */
extern uint32_t _nb_stack_limit[NB_STACK_BYTES / 4];

/* What outlives a reset. It means something only while `magic` and `check` agree with the rest. */
typedef struct {
    uint32_t magic;
    uint32_t energy;     /* 1 in energy mode */
    uint32_t init_guard; /* 1 while the engine's first init runs */
    uint32_t check;      /* ~(magic ^ energy ^ init_guard) */
} nb_noinit_state;
extern nb_noinit_state nb_noinit;

typedef enum {
    NB_FAULT_HARD,
    NB_FAULT_BUS,
    NB_FAULT_USAGE,
    NB_FAULT_MEM,
    NB_FAULT_NPU,
} nb_fault_kind;

/* A fault, with zeros for what the core does not tell. `psr` is mcause on RISC-V. */
typedef struct {
    nb_fault_kind kind;
    uintptr_t pc;
    uintptr_t lr;
    uintptr_t addr;
    uint32_t psr;
    uint32_t cfsr;
    uint32_t hfsr;
} nb_fault;

/* Send one fault record and restart the board. Needs a stack of 256 bytes and the console. */
_Noreturn void nb_fault_report(const nb_fault *fault);

/* The harness. Never returns. */
_Noreturn void nb_main(void);

#endif
