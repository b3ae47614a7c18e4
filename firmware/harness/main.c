/* main.c: boot, and the loop that waits for commands. */
#include "nb_harness.h"

_Noreturn void nb_main(void)
{
    nb_hal_init();
    nb_noinit_open();
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
