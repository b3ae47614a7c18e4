/* DWT CYCCNT: wraps after 28.6 s at 150 MHz. */
#ifndef NB_HAL_COUNTER_H
#define NB_HAL_COUNTER_H

#include "nb_counter_dwt.h"

#endif
