/* DWT CYCCNT: core cycles, wraps after 28.6 s at 150 MHz. The barrier puts stores that are still on their way on the right
 * side of the read. */
#ifndef NB_HAL_COUNTER_H
#define NB_HAL_COUNTER_H

#include <stdint.h>

#include "nb_board.h"

#define NB_HAL_COUNTER_HZ ((uint32_t)NB_COUNTER_HZ)

static inline uint32_t nb_hal_counter(void)
{
    __asm volatile("dsb" ::: "memory");
    return *(volatile uint32_t *)0xE0001004u;
}

#endif
