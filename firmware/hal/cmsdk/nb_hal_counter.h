/* The MPS2 and MPS3 FPGA images' FPGAIO COUNTER, free-running, wraps at 2^32. */
#ifndef NB_HAL_COUNTER_H
#define NB_HAL_COUNTER_H

#include <stdint.h>

#include "nb_board.h"

#define NB_HAL_COUNTER_HZ ((uint32_t)NB_COUNTER_HZ)

static inline uint32_t nb_hal_counter(void)
{
    return *(volatile uint32_t *)((uintptr_t)NB_CMSDK_FPGAIO_BASE + 0x18u);
}

#endif
