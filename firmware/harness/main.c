/* main.c: boot, and the loop that waits for commands. */
#include "nb_harness.h"

#define NOINIT_MAGIC 0x4E504242u

__attribute__((section(".noinit"))) nb_noinit_state nb_noinit;

static uint32_t noinit_check(void)
{
    return ~(nb_noinit.magic ^ nb_noinit.energy ^ nb_noinit.init_guard);
}

void nb_noinit_seal(void)
{
    nb_noinit.magic = NOINIT_MAGIC;
    nb_noinit.check = noinit_check();
}

/* After power-up the memory holds anything: then performance mode, engine untried. */
static void noinit_open(void)
{
    if (nb_noinit.magic != NOINIT_MAGIC || nb_noinit.check != noinit_check()) {
        nb_noinit.energy = 0;
        nb_noinit.init_guard = 0;
        nb_noinit_seal();
    }
}

_Noreturn void nb_main(void)
{
    nb_hal_init();
    noinit_open();
    nb_hal_timestamp(true);
    nb_hal_marker(NB_STAGE_NONE);
    nb_engine_boot();
    nb_command_boot();
    for (;;) {
        const int byte = nb_hal_getc();
        if (byte >= 0 && nb_console_take((uint8_t)byte)) {
            nb_command_run();
        } else {
            nb_command_idle();
        }
    }
}
