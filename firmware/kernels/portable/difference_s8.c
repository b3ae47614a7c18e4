/* difference_s8.c: int8 squared differences and quotients with broadcasting, portable C.
 *
 * Equals TensorFlow Lite Micro's reference SQUARED_DIFFERENCE and DIV. The reciprocals of a divisor's
 * 256 values are computed when the network is compiled.
 */
#include "nb_broadcast.h"
#include "nb_kernels.h"
#include "nb_requant.h"

static inline int8_t squared(int32_t a, int32_t b, const nb_squared_difference_s8_params *p)
{
    const int32_t x = nb_requant((a - p->zero1) * (1 << p->left_shift), p->multiplier1, p->shift1);
    const int32_t y = nb_requant((b - p->zero2) * (1 << p->left_shift), p->multiplier2, p->shift2);
    const int32_t value = nb_requant((x - y) * (x - y), p->multiplier, p->shift) + p->output_zero;
    return (int8_t)nb_clamp(value, INT8_MIN, INT8_MAX);
}

void nb_squared_difference_s8(const nb_squared_difference_s8_params *p, const int8_t *input1,
                              const int8_t *input2, int8_t *output)
{
    const nb_squared_difference_s8_params local = *p;
    NB_BROADCAST(&local, input1, input2, output, squared(a, b, &local));
}

/* Redundant sign bits. */
static inline int32_t headroom(int32_t x)
{
    int32_t n = 0;
    for (uint32_t y = (uint32_t)(x ^ (x >> 31)); n < 31 && (y & 0x40000000u) == 0; n++) {
        y <<= 1;
    }
    return n;
}

/* x / 2^shift to nearest, ties away from zero; what a shift of 32 or more leaves is nothing. */
static inline int32_t far_right(int32_t x, int32_t shift)
{
    return shift == 0 ? x : shift > 31 ? 0 : nb_shift_right(x, shift);
}

static inline int8_t quotient(int32_t a, int32_t b, const nb_div_s8_params *p,
                              const int32_t *reciprocals, const int8_t *shifts)
{
    const int32_t by = (int32_t)(uint8_t)b;
    const int32_t x = b < p->zero2 ? p->zero1 - a : a - p->zero1;
    const int32_t room = headroom(x);
    const int32_t raw = nb_high_mul((int32_t)((uint32_t)x << room), reciprocals[by]);
    const int32_t right = shifts[by] + room - p->shift;
    const int32_t value = far_right(nb_high_mul(raw, p->multiplier), right) + p->output_zero;
    return (int8_t)nb_clamp(value, p->low, p->high);
}

void nb_div_s8(const nb_div_s8_params *p, const int8_t *input1, const int8_t *input2,
               const int32_t *reciprocals, const int8_t *shifts, int8_t *output)
{
    const nb_div_s8_params local = *p;
    NB_BROADCAST(&local, input1, input2, output, quotient(a, b, &local, reciprocals, shifts));
}
