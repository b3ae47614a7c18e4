/* The system's monotonic clock, modulo 2^32: microseconds, or in the unit of NB_COUNTER_HZ on a board
 * that runs this family under its own Linux. On the host it is no measure of a microcontroller, only
 * for waits and MLPerf's laps, so its board.toml says unit "none". */
#ifndef NB_HAL_COUNTER_H
#define NB_HAL_COUNTER_H

#include <stdint.h>

#include "nb_board.h"

#if NB_COUNTER_NONE
#define NB_HAL_COUNTER_HZ 1000000u
#else
#define NB_HAL_COUNTER_HZ ((uint32_t)NB_COUNTER_HZ)
#endif

/* Must divide 10^9. */
uint32_t nb_native_count(uint32_t hz);

static inline uint32_t nb_hal_counter(void)
{
    return nb_native_count(NB_HAL_COUNTER_HZ);
}

#endif
