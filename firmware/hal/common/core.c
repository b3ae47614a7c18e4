/* core.c: waiting, the same on every core without an operating system. Empty elsewhere. */
#include "nb_core.h"
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_hal_counter.h"

#if !defined(__unix__) && !defined(__APPLE__)

bool nb_core_poll(const volatile uint32_t *where, uint32_t flags, uint32_t value, uint32_t rounds)
{
    while ((*where & flags) != value) {
        if (rounds-- == 0) {
            return false;
        }
    }
    return true;
}

/* In steps of a second, so that the product and the counter's wrap stay out of the way. A round
 * takes more than one cycle: as many rounds as cycles are enough without any counter. */
void nb_hal_wait_us(uint32_t us)
{
    while (us != 0) {
        const uint32_t step = us < 1000000u ? us : 1000000u;
        const uint32_t cycles = step * ((uint32_t)NB_COUNTER_HZ / 1000000u);
        const uint32_t begin = nb_hal_counter();
        for (uint32_t round = 0; round < cycles && nb_hal_counter() - begin < cycles; round++) {
        }
        us -= step;
    }
}

#endif
