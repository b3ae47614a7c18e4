/* nb_sigmoid.h: logistic function and hyperbolic tangent on 16 bits, between 256 values of a table of
 * logistic(i / 24) in Q0.16. Equals TensorFlow Lite Micro's int16 LOGISTIC and TANH. */
#ifndef NB_SIGMOID_H
#define NB_SIGMOID_H

#include <stdint.h>

#define NB_SIGMOID_TAIL 255u

static inline uint32_t nb_magnitude(int32_t x)
{
    return x < 0 ? 0u - (uint32_t)x : (uint32_t)x;
}

/* logistic(x) in Q0.15, `x` being 3 / 4 of the argument's 2^12 steps. */
static inline int16_t nb_logistic16(int32_t x, const uint16_t *table)
{
    const uint32_t size = nb_magnitude(x), at = size >> 9;
    uint32_t result = 0x7fffu << 10;
    if (at < NB_SIGMOID_TAIL) {
        const uint32_t a = table[at], b = table[at + 1];
        result = (a << 9) + (size & 0x1ffu) * (b - a);
    }
    result = x >= 0 ? result + (1u << 9) : (1u << 25) - result + (1u << 9) - 1u;
    return (int16_t)(result >> 10);
}

/* tanh(x) in Q0.15, `x` as above. */
static inline int16_t nb_tanh16(int32_t x, const uint16_t *table)
{
    const uint32_t size = nb_magnitude(x), at = size >> 8;
    int32_t result = 0xffff << 8;
    if (at < NB_SIGMOID_TAIL) {
        const uint32_t a = table[at], b = table[at + 1];
        result = (int32_t)((a << 8) + (size & 0xffu) * (b - a));
    }
    result = x >= 0 ? result - (1 << 23) + (1 << 7) : -result + (1 << 23) + (1 << 7) - 1;
    return (int16_t)(result >> 8);
}

#endif
