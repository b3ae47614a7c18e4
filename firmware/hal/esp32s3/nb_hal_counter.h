/* CCOUNT: cycles of the core, wraps after 17.9 s at 240 MHz. */
#ifndef NB_HAL_COUNTER_H
#define NB_HAL_COUNTER_H

#include <stdint.h>

#include "esp_cpu.h"
#include "nb_board.h"

#define NB_HAL_COUNTER_HZ ((uint32_t)NB_COUNTER_HZ)

static inline uint32_t nb_hal_counter(void)
{
    return (uint32_t)esp_cpu_get_cycle_count();
}

#endif
