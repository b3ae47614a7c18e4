/* nb_wide.h: what the kernels of int16 layers share: sums of int16 times int8, and the way from a sum
 * to a code. Equals TensorFlow Lite Micro's reference by the type of its bias. */
#ifndef NB_WIDE_H
#define NB_WIDE_H

#include <stdint.h>

#include "nb_kernels.h"
#include "nb_requant.h"

/* The bias of a channel: the first two words of its row. */
static inline int64_t nb_wide_bias(const int32_t *quant)
{
    return (int64_t)(((uint64_t)(uint32_t)quant[1] << 32) | (uint32_t)quant[0]);
}

/* A sum with its bias as a code; `sums` of nb_kernels_wide.h. */
static inline int16_t nb_wide_code(int64_t sum, const int32_t *quant, int32_t sums, int32_t low,
                                   int32_t high)
{
    const int32_t x = sums == NB_SUMS_32_TWICE ? nb_requant((int32_t)sum, quant[2], quant[3])
                                               : nb_requant_wide(sum, quant[2], quant[3]);
    return (int16_t)nb_clamp(x, low, high);
}

/* The sum of `count` products, in 64 or in 32 bits. */
static inline int64_t nb_wide_dot(const int16_t *x, const int8_t *w, int32_t count, int32_t sums)
{
    if (sums == NB_SUMS_64) {
        int64_t sum = 0;
        for (; count > 0; count--) {
            sum += (int32_t)*x++ * *w++;
        }
        return sum;
    }
    int32_t sum = 0;
    for (; count > 0; count--) {
        sum += *x++ * *w++;
    }
    return sum;
}

#endif
