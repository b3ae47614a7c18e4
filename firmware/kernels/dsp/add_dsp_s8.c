/* add_dsp_s8.c: int8 sum of two tensors of one shape for cores with the DSP extension.
 *
 * Equals TensorFlow Lite Micro's reference ADD, all roundings included. Per element: taking it out
 * of its word 1 for each input, the zero point and the scaling by 2^21 in one RSB, SMMULR, a
 * rounding shift of 3 where the scale has one, the sum and its rescaling 7, putting it into its
 * word 1: 19 in all, and 2 for loads, store and loop. Works in place on either input.
 */
#include "nb_dsp.h"
#include "nb_kernels_dsp.h"

static inline int32_t high_mul2(int32_t a, int32_t b)
{
    int32_t r;
    __asm("smmulr %0, %1, %2" : "=r"(r) : "r"(a), "r"(b));
    return r;
}

static inline int32_t saturate8(int32_t x)
{
    int32_t r;
    __asm("ssat %0, #8, %1" : "=r"(r) : "r"(x));
    return r;
}

/* A shift of 0 comes with a rounding of 0 and `mask` 0, so that nothing is taken off. */
static inline int32_t scaled(int32_t x, int32_t zero, int32_t multiplier, int32_t mask,
                             int32_t rounding, int32_t shift)
{
    const int32_t r = high_mul2((int32_t)((uint32_t)x << 21) - zero, multiplier);
    return (r + ((r >> 31) & mask) + rounding) >> shift;
}

static inline int32_t sum(const nb_dsp_add_s8_params *p, int32_t x1, int32_t x2)
{
    const int32_t total = scaled(x1, p->zero1, p->multiplier1, p->mask1, p->rounding1, p->shift1) +
                          scaled(x2, p->zero2, p->multiplier2, p->mask2, p->rounding2, p->shift2);
    const int32_t r = high_mul2(total * 2, p->multiplier);
    const int32_t y = saturate8((r + (r >> 31) + p->rounding) >> p->shift);
    const int32_t z = y < p->low ? p->low : y;
    return z > p->high ? p->high : z;
}

/* Sums whose first input only loses its last bit (multiplier one half, no shift) and whose output
 * opens at the lowest code. */
static inline int32_t plain_sum(const nb_dsp_add_s8_params *p, int32_t x1, int32_t x2)
{
    const int32_t a = (int32_t)((uint32_t)x1 << 19) - (p->zero1 >> 2);
    const int32_t r2 = high_mul2((int32_t)((uint32_t)x2 << 21) - p->zero2, p->multiplier2);
    const int32_t b = (r2 + (r2 >> 31) + p->rounding2) >> p->shift2;
    int32_t r;
    __asm("smmlar %0, %1, %2, %3"
          : "=r"(r)
          : "r"((a + b) * 2), "r"(p->multiplier), "r"(p->rounding));
    return saturate8(r >> p->shift);
}

static inline uint32_t joined(int32_t a, int32_t b, int32_t c, int32_t d)
{
    return (uint32_t)(a & 0xff) | (uint32_t)(b & 0xff) << 8 | (uint32_t)(c & 0xff) << 16 |
           (uint32_t)d << 24;
}

void nb_dsp_add_s8(const nb_dsp_add_s8_params *p, const int8_t *input1, const int8_t *input2,
                   int8_t *output)
{
    const nb_dsp_add_s8_params local = *p;
    const int8_t *end = output + (local.count & ~3);
    if (local.plain) {
        while (output != end) {
            const uint32_t x1 = nb_load4(input1);
            const uint32_t x2 = nb_load4(input2);
            const int32_t a = plain_sum(&local, (int8_t)x1, (int8_t)x2);
            const int32_t b = plain_sum(&local, (int8_t)(x1 >> 8), (int8_t)(x2 >> 8));
            const int32_t c = plain_sum(&local, (int8_t)(x1 >> 16), (int8_t)(x2 >> 16));
            const int32_t d = plain_sum(&local, (int8_t)(x1 >> 24), (int8_t)(x2 >> 24));
            const uint32_t y = joined(a, b, c, d);
            memcpy(output, &y, 4);
            input1 += 4;
            input2 += 4;
            output += 4;
        }
    } else {
        while (output != end) {
            const uint32_t x1 = nb_load4(input1);
            const uint32_t x2 = nb_load4(input2);
            const int32_t a = sum(&local, (int8_t)x1, (int8_t)x2);
            const int32_t b = sum(&local, (int8_t)(x1 >> 8), (int8_t)(x2 >> 8));
            const int32_t c = sum(&local, (int8_t)(x1 >> 16), (int8_t)(x2 >> 16));
            const int32_t d = sum(&local, (int8_t)(x1 >> 24), (int8_t)(x2 >> 24));
            const uint32_t y = joined(a, b, c, d);
            memcpy(output, &y, 4);
            input1 += 4;
            input2 += 4;
            output += 4;
        }
    }
    for (int32_t rest = local.count & 3; rest > 0; rest--) {
        *output++ = (int8_t)sum(&local, *input1++, *input2++);
    }
}
