/* sigmoid_s16.c: int16 logistic function, hyperbolic tangent and softmax, portable C.
 *
 * Equal TensorFlow Lite Micro's reference LOGISTIC, TANH and SOFTMAX of int16, which interpolate
 * between the values of tables. About 25 instructions per element, softmax about 70.
 */
#include "nb_kernels.h"
#include "nb_requant.h"
#include "nb_sigmoid.h"

static inline int32_t argument(const nb_sigmoid_s16_params *p, int32_t x)
{
    const int32_t round = p->shift > 0 ? 1 << (p->shift - 1) : 0;
    return (x * p->multiplier + round) >> p->shift;
}

void nb_logistic_s16(const nb_sigmoid_s16_params *p, const int16_t *input, const uint16_t *table,
                     int16_t *output)
{
    const nb_sigmoid_s16_params local = *p;
    for (int32_t n = local.count; n > 0; n--) {
        *output++ = nb_logistic16(argument(&local, *input++), table);
    }
}

void nb_tanh_s16(const nb_sigmoid_s16_params *p, const int16_t *input, const uint16_t *table,
                 int16_t *output)
{
    const nb_sigmoid_s16_params local = *p;
    for (int32_t n = local.count; n > 0; n--) {
        *output++ = nb_tanh16(argument(&local, *input++), table);
    }
}

/* Between two of a table's 513 values. */
static inline int32_t between(int32_t x, const int16_t *table)
{
    const int32_t at = 256 + (x >> 7);
    const int32_t base = table[at];
    const int32_t slope = (int16_t)(table[at + 1] - base);
    return (int16_t)(base + ((slope * (x & 0x7f) + 64) >> 7));
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

void nb_softmax_s16(const nb_softmax_s16_params *p, const int16_t *input,
                    const int16_t *exponentials, const int16_t *reciprocals, int16_t *output)
{
    const nb_softmax_s16_params local = *p;
    for (int32_t row = 0; row < local.rows; row++) {
        int32_t largest = INT16_MIN;
        for (int32_t i = 0; i < local.depth; i++) {
            largest = input[i] > largest ? input[i] : largest;
        }
        int32_t sum = 0; /* Q16.15 */
        for (int32_t i = 0; i < local.depth; i++) {
            const int32_t scaled = nb_requant(input[i] - largest, local.multiplier, local.shift);
            const int32_t value = between(nb_clamp(scaled, -65535, 0) + INT16_MAX, exponentials);
            output[i] = (int16_t)value;
            sum += value;
        }
        const int32_t zeros = leading_zeros((uint32_t)sum);
        const int32_t mantissa = (int32_t)((((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14);
        const int32_t reciprocal =
            between(nb_clamp(mantissa - (1 << 15) - (1 << 16), INT16_MIN, INT16_MAX), reciprocals);
        const int32_t shift = 31 - zeros;
        for (int32_t i = 0; i < local.depth; i++) {
            const int64_t product = (int64_t)output[i] * reciprocal + ((int64_t)1 << (shift - 1));
            output[i] = (int16_t)nb_clamp((int32_t)(product >> shift), 0, INT16_MAX);
        }
        input += local.depth;
        output += local.depth;
    }
}
