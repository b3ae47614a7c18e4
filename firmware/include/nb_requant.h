/* nb_requant.h: the integer arithmetic that every int8 kernel shares.
 *
 * Equals TensorFlow Lite Micro's default build, which rounds twice: a rounding doubling high
 * multiply (ties towards plus infinity), then a rounding right shift (ties away from zero). All
 * functions are pure, need no state and have no undefined behaviour for the ranges they state.
 */
#ifndef NB_REQUANT_H
#define NB_REQUANT_H

#include <stdint.h>

/* (a * b * 2 + 2^31) / 2^32, rounded down: the high half of the doubled product, to nearest.
 * Not both a and b may be INT32_MIN. */
static inline int32_t nb_high_mul(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^shift to nearest, ties away from zero; 1 <= shift <= 31, |x| < 2^31 - 1. */
static inline int32_t nb_shift_right(int32_t x, int32_t shift)
{
    return (((x + (x >> 31)) >> (shift - 1)) + 1) >> 1;
}

/* x * multiplier * 2^(shift - 31), rounded twice; multiplier >= 0, -31 <= shift <= 30. A left shift
 * wraps, as in the reference. */
static inline int32_t nb_requant(int32_t x, int32_t multiplier, int32_t shift)
{
    if (__builtin_expect(shift < 0, 1)) {
        return nb_shift_right(nb_high_mul(x, multiplier), -shift);
    }
    return nb_high_mul((int32_t)((uint32_t)x << shift), multiplier);
}

/* x * multiplier * 2^-shift, rounded once, ties towards plus infinity: how the reference requantizes
 * 64-bit sums. 0 <= multiplier < 2^15, 8 <= shift <= 46, |x| < 2^47; the low 32 bits of the result. */
static inline int32_t nb_requant_wide(int64_t x, int32_t multiplier, int32_t shift)
{
    return (int32_t)((x * multiplier + ((int64_t)1 << (shift - 1))) >> shift);
}

/* x limited to [low, high]. */
static inline int32_t nb_clamp(int32_t x, int32_t low, int32_t high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

#endif
