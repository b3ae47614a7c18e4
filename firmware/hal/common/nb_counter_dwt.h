/* nb_counter_dwt.h: DWT CYCCNT as the harness's counter: core cycles. A family whose counter this
 * is includes it as its nb_hal_counter.h; core_m.c then also gives it nb_hal_idle. The barrier puts
 * stores that are still on their way on the right side of the read. */
#ifndef NB_COUNTER_DWT_H
#define NB_COUNTER_DWT_H

#include <stdint.h>

#include "nb_board.h"

#define NB_COUNTER_DWT 1
#define NB_HAL_COUNTER_HZ ((uint32_t)NB_COUNTER_HZ)

static inline uint32_t nb_hal_counter(void)
{
    __asm volatile("dsb" ::: "memory");
    return *(volatile uint32_t *)0xE0001004u;
}

#endif
