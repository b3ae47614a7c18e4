/* Microseconds of the host's monotonic clock, modulo 2^32: for waits and MLPerf's laps. It is no
 * measure of a microcontroller, so board.toml says unit "none". */
#ifndef NB_HAL_COUNTER_H
#define NB_HAL_COUNTER_H

#include <stdint.h>

#define NB_HAL_COUNTER_HZ 1000000u

uint32_t nb_native_us(void);

static inline uint32_t nb_hal_counter(void)
{
    return nb_native_us();
}

#endif
