/* svdf.c: one step of a singular value filter with an int16 or an int8 state, portable C.
 *
 * Equals TensorFlow Lite Micro's reference SVDF: the state moves on by one element over all its
 * memory, the newest of each filter is the product of input and features, the output is the sum of
 * a unit's filters over time, which wraps at 32 bits as there. About six instructions per multiply-accumulate.
 */
#include <stddef.h>
#include <string.h>

#include "nb_kernels.h"
#include "nb_requant.h"

static int32_t feature(const nb_svdf_params *p, const int8_t *input, const int8_t *weights)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < p->depth; i++) {
        sum += weights[i] * (input[i] - p->input_zero);
    }
    return nb_requant(sum, p->multiplier1, p->shift1);
}

static int8_t finish(const nb_svdf_params *p, int32_t sum)
{
    sum = nb_requant(sum, p->multiplier2, p->shift2) + p->output_zero;
    return (int8_t)nb_clamp(sum, INT8_MIN, INT8_MAX);
}

#define NB_SVDF(type, low, high)                                                                   \
    do {                                                                                           \
        const int32_t filters = p->units * p->rank;                                                \
        const int32_t all = p->batches * filters * p->memory;                                      \
        memmove(state, state + 1, (size_t)(all - 1) * sizeof(type));                               \
        for (int32_t batch = 0; batch < p->batches; batch++) {                                     \
            const type *weight = time;                                                             \
            type *kept = state + batch * filters * p->memory;                                      \
            for (int32_t unit = 0; unit < p->units; unit++) {                                      \
                uint32_t sum = bias == NULL ? 0 : (uint32_t)bias[unit];                            \
                for (int32_t rank = 0; rank < p->rank; rank++) {                                   \
                    const int32_t filter = unit * p->rank + rank;                                  \
                    const int32_t fresh = feature(p, input, features + filter * p->depth);         \
                    kept[p->memory - 1] = (type)(p->state_zero + nb_clamp(fresh, low, high));      \
                    for (int32_t i = p->memory; i > 0; i--) {                                      \
                        sum += (uint32_t)(*weight++ * (*kept++ - p->state_zero));                  \
                    }                                                                              \
                }                                                                                  \
                *output++ = finish(p, (int32_t)sum);                                               \
            }                                                                                      \
            input += p->depth;                                                                     \
        }                                                                                          \
    } while (0)

void nb_svdf_s16(const nb_svdf_params *p, const int8_t *input, const int8_t *features,
                 const int16_t *time, const int32_t *bias, int16_t *state, int8_t *output)
{
    NB_SVDF(int16_t, INT16_MIN, INT16_MAX);
}

void nb_svdf_s8(const nb_svdf_params *p, const int8_t *input, const int8_t *features,
                const int8_t *time, const int32_t *bias, int8_t *state, int8_t *output)
{
    NB_SVDF(int8_t, INT8_MIN, INT8_MAX);
}
