/* TIM2, 32 bits, on the core's clock (an M0+ has no cycle counter): wraps after 67 s at 64 MHz. */
#ifndef NB_HAL_COUNTER_H
#define NB_HAL_COUNTER_H

#include <stdint.h>

#include "nb_board.h"

#define NB_HAL_COUNTER_HZ ((uint32_t)NB_COUNTER_HZ)

static inline uint32_t nb_hal_counter(void)
{
    __asm volatile("dsb" ::: "memory");
    return *(volatile uint32_t *)0x40000024u;
}

#endif
