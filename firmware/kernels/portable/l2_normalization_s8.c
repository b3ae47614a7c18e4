/* l2_normalization_s8.c: rows of int8 values to length one, portable C.
 *
 * Equals TensorFlow Lite Micro's reference L2_NORMALIZATION: the inverse root of the sum of squares
 * by five Newton steps on 3.28 fixed-point numbers, one requantization per element.
 */
#include "nb_kernels.h"
#include "nb_requant.h"

static int32_t saturating_left(int32_t x, int32_t shift)
{
    const int64_t wide = (int64_t)x * ((int64_t)1 << shift);
    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

static int32_t leading_zeros(uint32_t x)
{
    int32_t n = 0;
    while ((x & 0x80000000u) == 0) {
        x <<= 1;
        n++;
    }
    return n;
}

/* 1 / sqrt(sum) as multiplier and left shift; sum 0 counts as 1. */
static int32_t inverse_root(int32_t sum, int32_t *shift)
{
    if (sum <= 1) {
        *shift = 0;
        return INT32_MAX;
    }
    int32_t right = 11;
    while (sum >= 1 << 29) {
        sum /= 4;
        right++;
    }
    const int32_t pairs = (leading_zeros((uint32_t)sum) - 1) / 2 - 1;
    right -= pairs;
    sum = (int32_t)((uint32_t)sum << (2 * pairs));
    const int32_t half = nb_shift_right(sum >> 1, 1);
    int32_t x = 1 << 28;
    for (int32_t i = 0; i < 5; i++) {
        const int32_t cube = saturating_left(nb_high_mul(nb_high_mul(x, x), x), 6);
        const int32_t grown = nb_high_mul((1 << 28) + (1 << 27), x);
        x = saturating_left(grown - nb_high_mul(half, cube), 3);
    }
    x = nb_high_mul(x, 1518500250); /* half the root of two */
    if (right < 0) {
        x = (int32_t)((uint32_t)x << -right);
        right = 0;
    }
    *shift = -right;
    return x;
}

void nb_l2_normalization_s8(const nb_l2_normalization_s8_params *p, const int8_t *input,
                            int8_t *output)
{
    for (int32_t row = 0; row < p->rows; row++) {
        int32_t sum = 0;
        for (int32_t i = 0; i < p->depth; i++) {
            const int32_t x = input[i] - p->input_zero;
            sum += x * x;
        }
        int32_t shift;
        const int32_t multiplier = inverse_root(sum, &shift);
        for (int32_t i = 0; i < p->depth; i++) {
            const int32_t x = nb_requant(input[i] - p->input_zero, multiplier, shift + 7);
            output[i] = (int8_t)nb_clamp(x, INT8_MIN, INT8_MAX);
        }
        input += p->depth;
        output += p->depth;
    }
}
