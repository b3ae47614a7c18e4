/* marker.c: timestamp pin and stage-code pins. All edges come from here, so that a log of their
 * times has one place to be written. */
#include "nb_harness.h"

void nb_timestamp_pulse(void)
{
    nb_hal_timestamp(false);
    nb_hal_wait_us(NB_TIMESTAMP_HOLD_US);
    nb_hal_timestamp(true);
}

#if NB_MARKERS
uint32_t nb_marker_hold_us = NB_MARKER_HOLD_US;
uint32_t nb_marker_count;

/* Change the level, and hold it for the instrument. */
void nb_marker(uint32_t code)
{
    const uint32_t begin = nb_hal_counter();
    nb_hal_marker(code);
    nb_hal_wait_us(nb_marker_hold_us);
    nb_marker_count += nb_hal_counter() - begin;
}
#endif
