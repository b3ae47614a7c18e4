/* prelu_s8.c: int8 PRELU with broadcast slopes, portable C; about 20 instructions per element.
 * Equals TensorFlow Lite Micro's reference. */
#include "nb_broadcast.h"
#include "nb_kernels.h"
#include "nb_requant.h"

static inline int8_t slope(const nb_prelu_s8_params *p, int32_t x, int32_t y)
{
    const int32_t value = x >= 0 ? nb_requant(x, p->multiplier1, p->shift1)
                                 : nb_requant(x * (y - p->zero2), p->multiplier2, p->shift2);
    return (int8_t)nb_clamp(value + p->output_zero, INT8_MIN, INT8_MAX);
}

void nb_prelu_s8(const nb_prelu_s8_params *p, const int8_t *input, const int8_t *slopes,
                 int8_t *output)
{
    NB_BROADCAST(p, input, slopes, output, slope(p, a - p->zero1, b));
}
