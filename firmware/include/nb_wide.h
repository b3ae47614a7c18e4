/* nb_wide.h: what the kernels of int16 layers share: sums of int16 times int8, and the way from a sum
 * to a code. Equals TensorFlow Lite Micro's reference by the type of its bias. */
#ifndef NB_WIDE_H
#define NB_WIDE_H

#include <stdint.h>
#include <string.h>

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

/* Gathers the window whose top left corner is (y, x) of one image. */
static inline void nb_wide_column(const nb_conv2d_s16_params *p, const int16_t *image, int32_t y,
                                  int32_t x, int16_t *column)
{
    const size_t bytes = (size_t)p->in_c * sizeof(int16_t);
    const int32_t run = p->kernel_w * p->in_c;
    const int inside = p->dilation_w == 1 && x >= 0 && x + p->kernel_w <= p->in_w;
    for (int32_t i = 0; i < p->kernel_h; i++, y += p->dilation_h) {
        if (inside && y >= 0 && y < p->in_h) {
            memcpy(column, image + (y * p->in_w + x) * p->in_c, (size_t)run * sizeof(int16_t));
            column += run;
            continue;
        }
        int32_t at = x;
        for (int32_t j = 0; j < p->kernel_w; j++, at += p->dilation_w) {
            if (y < 0 || y >= p->in_h || at < 0 || at >= p->in_w) {
                memset(column, 0, bytes);
            } else {
                memcpy(column, image + (y * p->in_w + at) * p->in_c, bytes);
            }
            column += p->in_c;
        }
    }
}

#endif
