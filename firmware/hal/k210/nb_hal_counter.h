/* mcycle: core cycles, its lower 32 bits wrap after 11 s at 390 MHz. The fence puts stores that are
 * still on their way on the right side of the read. */
#ifndef NB_HAL_COUNTER_H
#define NB_HAL_COUNTER_H

#include <stdint.h>

#include "nb_board.h"

#define NB_HAL_COUNTER_HZ ((uint32_t)NB_COUNTER_HZ)

static inline uint32_t nb_hal_counter(void)
{
    uintptr_t cycles;
    __asm volatile("fence\n csrr %0, mcycle" : "=r"(cycles)::"memory");
    return (uint32_t)cycles;
}

#endif
