/* wait_poll.c: on silicon, look at STATUS until the event comes, for at most WAIT_US of the counter's
 * time. An interrupt is not needed: nothing else runs in a window. */
#include "nb_ethosu.h"

#if !NB_ETHOSU_WAIT_SEMIHOST

#include "nb_hal.h"

#define WAIT_US 5000000u
#define LOOKS 64u

int32_t nb_ethosu_wait(nb_ethosu_event event)
{
    const uint32_t bit =
        event == NB_ETHOSU_WAIT_RESET ? NB_ETHOSU_STATUS_RESET : NB_ETHOSU_STATUS_IRQ;
    const uint32_t wanted = event == NB_ETHOSU_WAIT_RESET ? 0 : bit;
    for (uint32_t waited_us = 0; waited_us < WAIT_US; waited_us++) {
        for (uint32_t i = 0; i < LOOKS; i++) {
            if ((NB_ETHOSU_REGISTER(NB_ETHOSU_STATUS) & bit) == wanted) {
                return 0;
            }
        }
        nb_hal_wait_us(1);
    }
    return 0;
}

#endif
