/* elementwise_s16.c: int16 sum, difference, product, extremes, squared difference, slopes and
 * scales, portable C.
 *
 * Equal TensorFlow Lite Micro's reference ADD, SUB, MUL, MINIMUM, MAXIMUM, SQUARED_DIFFERENCE and
 * PRELU of int16 with broadcasting, and RELU, RELU6, LEAKY_RELU and ABS. A requantization takes about
 * eleven instructions: a sum has three, a product one.
 */
#include "nb_broadcast.h"
#include "nb_kernels.h"
#include "nb_requant.h"

static inline int32_t common1(int32_t x, const nb_add_s8_params *p)
{
    return nb_requant(x * (1 << p->left_shift), p->multiplier1, p->shift1);
}

static inline int32_t common2(int32_t x, const nb_add_s8_params *p)
{
    return nb_requant(x * (1 << p->left_shift), p->multiplier2, p->shift2);
}

static inline int16_t finish(int32_t x, const nb_add_s8_params *p)
{
    return (int16_t)nb_clamp(nb_requant(x, p->multiplier, p->shift), p->low, p->high);
}

void nb_add_s16(const nb_add_s8_params *p, const int16_t *input1, const int16_t *input2,
                int16_t *output)
{
    const nb_add_s8_params local = *p;
    NB_BROADCAST_OF(int16_t, &local, input1, input2, output,
                    finish(common1(a, &local) + common2(b, &local), &local));
}

void nb_sub_s16(const nb_add_s8_params *p, const int16_t *input1, const int16_t *input2,
                int16_t *output)
{
    const nb_add_s8_params local = *p;
    NB_BROADCAST_OF(int16_t, &local, input1, input2, output,
                    finish(common1(a, &local) - common2(b, &local), &local));
}

static inline int16_t product(int32_t x, const nb_mul_s8_params *p)
{
    return (int16_t)nb_clamp(nb_requant(x, p->multiplier, p->shift), p->low, p->high);
}

void nb_mul_s16(const nb_mul_s8_params *p, const int16_t *input1, const int16_t *input2,
                int16_t *output)
{
    const nb_mul_s8_params local = *p;
    NB_BROADCAST_OF(int16_t, &local, input1, input2, output, product(a * b, &local));
}

void nb_minimum_s16(const nb_minmax_s8_params *p, const int16_t *input1, const int16_t *input2,
                    int16_t *output)
{
    NB_BROADCAST_OF(int16_t, p, input1, input2, output, (int16_t)(a < b ? a : b));
}

void nb_maximum_s16(const nb_minmax_s8_params *p, const int16_t *input1, const int16_t *input2,
                    int16_t *output)
{
    NB_BROADCAST_OF(int16_t, p, input1, input2, output, (int16_t)(a > b ? a : b));
}

static inline int16_t squared(int32_t x, int32_t y, const nb_squared_difference_s8_params *p)
{
    const int32_t difference =
        nb_requant(x, p->multiplier1, p->shift1) - nb_requant(y, p->multiplier2, p->shift2);
    const int32_t code = nb_requant(difference * difference, p->multiplier, p->shift);
    return (int16_t)nb_clamp(code, INT16_MIN, INT16_MAX);
}

void nb_squared_difference_s16(const nb_squared_difference_s8_params *p, const int16_t *input1,
                               const int16_t *input2, int16_t *output)
{
    const nb_squared_difference_s8_params local = *p;
    NB_BROADCAST_OF(int16_t, &local, input1, input2, output, squared(a, b, &local));
}

static inline int16_t slope(const nb_prelu_s8_params *p, int32_t x, int32_t y)
{
    const int32_t code = x >= 0 ? nb_requant(x, p->multiplier1, p->shift1)
                                : nb_requant(x * (y - p->zero2), p->multiplier2, p->shift2);
    return (int16_t)nb_clamp(code, INT16_MIN, INT16_MAX);
}

void nb_prelu_s16(const nb_prelu_s8_params *p, const int16_t *input, const int8_t *slopes,
                  int16_t *output)
{
    NB_BROADCAST_BOTH(int16_t, int8_t, p, input, slopes, output, slope(p, a, b));
}

void nb_scale_s16(const nb_scale_s16_params *p, const int16_t *input, int16_t *output)
{
    const nb_scale_s16_params local = *p;
    for (int32_t n = local.count; n > 0; n--) {
        int32_t x = *input++;
        x = local.mirror != 0 && x < 0 ? -x : x;
        const int32_t code = x >= 0 ? nb_requant(x, local.multiplier1, local.shift1)
                                    : nb_requant(x, local.multiplier2, local.shift2);
        *output++ = (int16_t)nb_clamp(code, local.low, local.high);
    }
}
