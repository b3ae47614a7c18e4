/* DWT CYCCNT: wraps after 26.8 s at 160 MHz. */
#ifndef NB_HAL_COUNTER_H
#define NB_HAL_COUNTER_H

#include "nb_counter_dwt.h"

#endif
