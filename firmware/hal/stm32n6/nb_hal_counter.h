/* DWT CYCCNT: wraps after 7.2 s at 600 MHz. */
#ifndef NB_HAL_COUNTER_H
#define NB_HAL_COUNTER_H

#include "nb_counter_dwt.h"

#endif
