/* DWT CYCCNT: wraps after 10.7 s at 400 MHz. */
#ifndef NB_HAL_COUNTER_H
#define NB_HAL_COUNTER_H

#include "nb_counter_dwt.h"

#endif
