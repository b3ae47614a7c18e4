/* reduce_s8.c: extremes of int8 values over dimensions, and where they are, portable C.
 *
 * Equals TensorFlow Lite Micro's reference REDUCE_MAX, REDUCE_MIN, ARG_MAX and ARG_MIN, which
 * compare raw values. About six instructions per input element.
 */
#include "nb_kernels.h"

void nb_reduce_s8(const nb_reduce_s8_params *p, const int8_t *input, int8_t *output)
{
    const nb_reduce_s8_params local = *p;
    const int32_t row = local.keep1 * local.reduce1 * local.keep2;
    const int32_t block = local.reduce1 * local.keep2;
    for (int32_t k0 = 0; k0 < local.keep0; k0++) {
        for (int32_t k1 = 0; k1 < local.keep1; k1++) {
            for (int32_t k2 = 0; k2 < local.keep2; k2++) {
                int32_t best = INT32_MIN;
                for (int32_t r0 = 0; r0 < local.reduce0; r0++) {
                    const int8_t *x = input + r0 * row + k1 * block + k2;
                    for (int32_t n = local.reduce1; n > 0; n--) {
                        const int32_t value = *x * local.sign;
                        best = value > best ? value : best;
                        x += local.keep2;
                    }
                }
                *output++ = (int8_t)(best * local.sign);
            }
        }
        input += local.reduce0 * row;
    }
}

void nb_arg_s8(const nb_arg_s8_params *p, const int8_t *input, int32_t *output)
{
    for (int32_t outer = 0; outer < p->outer; outer++) {
        for (int32_t inner = 0; inner < p->inner; inner++) {
            const int8_t *x = input + inner;
            int32_t best = *x * p->sign;
            int32_t where = 0;
            for (int32_t i = 1; i < p->axis; i++) {
                x += p->inner;
                if (*x * p->sign > best) {
                    best = *x * p->sign;
                    where = i;
                }
            }
            *output++ = where;
        }
        input += p->axis * p->inner;
    }
}
