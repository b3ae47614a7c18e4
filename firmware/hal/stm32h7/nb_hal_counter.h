/* DWT CYCCNT: wraps after 15.3 s at 280 MHz. */
#ifndef NB_HAL_COUNTER_H
#define NB_HAL_COUNTER_H

#include "nb_counter_dwt.h"

#endif
