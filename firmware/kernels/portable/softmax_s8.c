/* softmax_s8.c: int8 softmax in fixed point, portable C.
 *
 * Equals TensorFlow Lite Micro's reference SOFTMAX (int8 to int8), which computes exp on Q5.26 by a
 * fourth-order polynomial on [-1/4, 0) and a product of exp(-2^k), and the reciprocal by three
 * Newton steps. Each element's exponential is computed twice, for the sum and for the quotient,
 * about one hundred instructions each; the table-free form costs less flash than it saves time.
 */
#include "nb_kernels.h"
#include "nb_requant.h"

/* x * 2^n, saturated; 0 < n < 31. */
static inline int32_t saturating_left(int32_t x, int32_t n)
{
    const int64_t wide = (int64_t)x * ((int64_t)1 << n);
    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

/* exp(x) in Q0.31 for x <= 0 in Q5.26. */
static int32_t exp_negative(int32_t x)
{
    /* exp(-1/4), exp(-1/2), exp(-1) ... exp(-16) in Q0.31. */
    static const int32_t factors[7] = {1672461947, 1302514674, 790015084, 290630308,
                                       39332535,   720401,     242};
    const int32_t exp_minus_eighth = 1895147668;
    const int32_t third = 715827883;
    const int32_t quarter = 1 << 24;
    if (x == 0) {
        return INT32_MAX;
    }
    const int32_t rest = (x & (quarter - 1)) - quarter; /* in [-1/4, 0) */
    const int32_t y = rest * (1 << 5) + (1 << 28);      /* Q0.31, about -1/8 */
    const int32_t y2 = nb_high_mul(y, y);
    const int32_t y3 = nb_high_mul(y2, y);
    const int32_t y4 = nb_high_mul(y2, y2);
    const int32_t high = nb_high_mul(nb_shift_right(y4, 2) + y3, third) + y2;
    const int32_t tail = nb_shift_right(high, 1);
    int32_t result = exp_minus_eighth + nb_high_mul(exp_minus_eighth, y + tail);
    const int32_t whole = (rest - x) >> 24;
    for (int32_t k = 0; k < 7; k++) {
        if ((whole >> k) & 1) {
            result = nb_high_mul(result, factors[k]);
        }
    }
    return result;
}

/* 1 / (1 + x) in Q0.31 for x in [0, 1), Q0.31. */
static int32_t one_over_one_plus(int32_t x)
{
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2); /* (1 + x) / 2 */
    int32_t r = 1515870810 + nb_high_mul(half, -1010580540); /* 48/17 - 32/17 half, Q2.29 */
    for (int32_t i = 0; i < 3; i++) {
        const int32_t error = (1 << 29) - nb_high_mul(half, r);
        r += saturating_left(nb_high_mul(r, error), 2);
    }
    return saturating_left(r, 1);
}

/* Leading zero bits of a nonzero value. */
static inline int32_t leading_zeros(uint32_t x)
{
    int32_t n = 0;
    while ((x & 0x80000000u) == 0) {
        x <<= 1;
        n++;
    }
    return n;
}

void nb_softmax_s8(const nb_softmax_s8_params *p, const int8_t *input, int8_t *output)
{
    const nb_softmax_s8_params local = *p;
    for (int32_t row = 0; row < local.rows; row++) {
        int32_t largest = INT8_MIN;
        for (int32_t i = 0; i < local.depth; i++) {
            largest = input[i] > largest ? input[i] : largest;
        }
        int32_t sum = 0; /* Q12.19 */
        for (int32_t i = 0; i < local.depth; i++) {
            const int32_t diff = input[i] - largest;
            if (diff >= local.diff_min) {
                const int32_t x = nb_requant(diff, local.multiplier, local.left_shift);
                sum += nb_shift_right(exp_negative(x), 12);
            }
        }
        const int32_t headroom = leading_zeros((uint32_t)sum);
        const int32_t fraction = (int32_t)(((uint32_t)sum << headroom) - 0x80000000u);
        const int32_t reciprocal = one_over_one_plus(fraction);
        const int32_t exponent = 12 - headroom + 31 - 8;
        for (int32_t i = 0; i < local.depth; i++) {
            const int32_t diff = input[i] - largest;
            int32_t value = INT8_MIN;
            if (diff >= local.diff_min) {
                const int32_t x = nb_requant(diff, local.multiplier, local.left_shift);
                const int32_t quotient = nb_high_mul(reciprocal, exp_negative(x));
                value += nb_shift_right(quotient, exponent);
            }
            output[i] = (int8_t)nb_clamp(value, INT8_MIN, INT8_MAX);
        }
        input += local.depth;
        output += local.depth;
    }
}

void nb_softmax_s8_s16(const nb_softmax_s8_params *p, const int8_t *input, int16_t *output)
{
    const nb_softmax_s8_params local = *p;
    for (int32_t row = 0; row < local.rows; row++) {
        int32_t largest = INT8_MIN;
        for (int32_t i = 0; i < local.depth; i++) {
            largest = input[i] > largest ? input[i] : largest;
        }
        int32_t sum = 0; /* Q12.19 */
        for (int32_t i = 0; i < local.depth; i++) {
            const int32_t diff = input[i] - largest;
            if (diff >= local.diff_min) {
                const int32_t x = nb_requant(diff, local.multiplier, local.left_shift);
                sum += nb_shift_right(exp_negative(x), 12);
            }
        }
        const int32_t headroom = leading_zeros((uint32_t)sum);
        const int32_t fraction = (int32_t)(((uint32_t)sum << headroom) - 0x80000000u);
        const int32_t reciprocal = one_over_one_plus(fraction);
        const int32_t exponent = 12 - headroom + 31 - 16;
        for (int32_t i = 0; i < local.depth; i++) {
            const int32_t diff = input[i] - largest;
            int32_t value = INT16_MIN;
            if (diff >= local.diff_min) {
                const int32_t x = nb_requant(diff, local.multiplier, local.left_shift);
                const int32_t quotient = nb_high_mul(reciprocal, exp_negative(x));
                value += nb_shift_right(quotient, exponent);
            }
            output[i] = (int16_t)nb_clamp(value, INT16_MIN, INT16_MAX);
        }
        input += local.depth;
        output += local.depth;
    }
}
