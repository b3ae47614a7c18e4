/* clock.c: 64-bit time from the board's 32-bit counter, without interrupts. */
#include "nb_harness.h"

static uint32_t last_low;
static uint32_t wraps;

uint64_t nb_clock_now(void)
{
    const uint32_t low = nb_hal_counter();
    if (low < last_low) {
        wraps++;
    }
    last_low = low;
    return ((uint64_t)wraps << 32) | low;
}

uint64_t nb_divide(uint64_t value, uint32_t divisor, uint32_t *remainder)
{
    uint64_t rest = 0;
    for (uint32_t bit = 0; bit < 64; bit++) {
        rest = (rest << 1) | (value >> 63);
        value <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            value |= 1;
        }
    }
    *remainder = (uint32_t)rest;
    return value;
}

uint32_t nb_clock_us(uint64_t clock)
{
    uint32_t rest;
    const uint32_t seconds = (uint32_t)nb_divide(clock, NB_HAL_COUNTER_HZ, &rest);
    const uint64_t part = nb_divide((uint64_t)rest * 1000000u, NB_HAL_COUNTER_HZ, &rest);
    return seconds * 1000000u + (uint32_t)part;
}
