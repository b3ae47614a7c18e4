/* noinit.c: what survives a reset. */
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
void nb_noinit_open(void)
{
    if (nb_noinit.magic != NOINIT_MAGIC || nb_noinit.check != noinit_check()) {
        nb_noinit.energy = 0;
        nb_noinit.init_guard = 0;
        nb_noinit_seal();
    }
}
