/* compare.c: comparisons, choices between two tensors and changes of type, portable C.
 *
 * Equals TensorFlow Lite Micro's EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS, LESS_EQUAL,
 * SELECT_V2 and CAST. int8 values are compared on one scale, as there; other types raw.
 */
#include <string.h>

#include "nb_broadcast.h"
#include "nb_kernels.h"
#include "nb_requant.h"

#define NB_COMPARE_SHIFT 8

static inline uint8_t relation(int32_t a, int32_t b, int32_t mask)
{
    const int32_t which = a < b ? 0 : a == b ? 1 : 2;
    return (uint8_t)((mask >> which) & 1);
}

static inline int32_t scaled(int32_t x, int32_t multiplier, int32_t shift)
{
    return nb_requant(x * (1 << NB_COMPARE_SHIFT), multiplier, shift);
}

void nb_compare_s8(const nb_compare_params *p, const int8_t *input1, const int8_t *input2,
                   uint8_t *output)
{
    const nb_compare_params local = *p;
    NB_BROADCAST(&local, input1, input2, output,
                 relation(scaled(a - local.zero1, local.multiplier1, local.shift1),
                          scaled(b - local.zero2, local.multiplier2, local.shift2), local.mask));
}

void nb_compare_raw8(const nb_compare_params *p, const uint8_t *input1, const uint8_t *input2,
                     uint8_t *output)
{
    const nb_compare_params local = *p;
    NB_BROADCAST_OF(uint8_t, &local, input1, input2, output, relation(a, b, local.mask));
}

void nb_compare_s32(const nb_compare_params *p, const int32_t *input1, const int32_t *input2,
                    uint8_t *output)
{
    const nb_compare_params local = *p;
    NB_BROADCAST_OF(int32_t, &local, input1, input2, output, relation(a, b, local.mask));
}

static int32_t place(const int32_t *stride, const int32_t *at)
{
    int32_t offset = 0;
    for (int32_t axis = 0; axis < 5; axis++) {
        offset += stride[axis] * at[axis];
    }
    return offset;
}

void nb_select(const nb_select_params *p, const uint8_t *condition, const uint8_t *first,
               const uint8_t *second, uint8_t *output)
{
    int32_t at[5] = {0};
    int32_t left = 1;
    for (int32_t axis = 0; axis < 5; axis++) {
        left *= p->dims[axis];
    }
    for (; left > 0; left--) {
        const uint8_t *chosen = condition[place(p->stride0, at)] != 0
                                    ? first + place(p->stride1, at) * p->bytes
                                    : second + place(p->stride2, at) * p->bytes;
        memcpy(output, chosen, (size_t)p->bytes);
        output += p->bytes;
        for (int32_t axis = 4; axis >= 0 && ++at[axis] == p->dims[axis]; axis--) {
            at[axis] = 0;
        }
    }
}

#define NB_CAST_TO(type, from)                                                                     \
    do {                                                                                           \
        const type value = (type)(from);                                                           \
        memcpy(output, &value, sizeof value);                                                      \
        output += sizeof value;                                                                    \
    } while (0)

#define NB_CAST(type)                                                                              \
    do {                                                                                           \
        type x;                                                                                    \
        memcpy(&x, input, sizeof x);                                                               \
        input += sizeof x;                                                                         \
        switch (p->to) {                                                                           \
        case 0:                                                                                    \
            NB_CAST_TO(int8_t, x);                                                                 \
            break;                                                                                 \
        case 1:                                                                                    \
            NB_CAST_TO(int16_t, x);                                                                \
            break;                                                                                 \
        case 2:                                                                                    \
            NB_CAST_TO(int32_t, x);                                                                \
            break;                                                                                 \
        default:                                                                                   \
            NB_CAST_TO(float, x);                                                                  \
            break;                                                                                 \
        }                                                                                          \
    } while (0)

void nb_cast(const nb_cast_params *p, const uint8_t *input, uint8_t *output)
{
    for (int32_t n = p->count; n > 0; n--) {
        switch (p->from) {
        case 0:
            NB_CAST(int8_t);
            break;
        case 1:
            NB_CAST(int16_t);
            break;
        case 2:
            NB_CAST(int32_t);
            break;
        case 3:
            NB_CAST(float);
            break;
        default:
            NB_CAST(uint8_t);
            break;
        }
    }
}
