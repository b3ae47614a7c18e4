/* mean_s8.c: int8 mean over any of up to four dimensions, portable C.
 *
 * Equals TensorFlow Lite Micro's reference MEAN: a 32-bit sum, then one requantization whose
 * multiplier holds the division. About five instructions per input element.
 */
#include "nb_kernels.h"
#include "nb_requant.h"

void nb_mean_s8(const nb_mean_s8_params *p, const int8_t *input, int8_t *output)
{
    const nb_mean_s8_params local = *p;
    const int32_t row = local.keep1 * local.reduce1 * local.keep2;
    const int32_t block = local.reduce1 * local.keep2;
    for (int32_t k0 = 0; k0 < local.keep0; k0++) {
        for (int32_t k1 = 0; k1 < local.keep1; k1++) {
            for (int32_t k2 = 0; k2 < local.keep2; k2++) {
                int32_t sum = -local.offset;
                for (int32_t r0 = 0; r0 < local.reduce0; r0++) {
                    const int8_t *x = input + r0 * row + k1 * block + k2;
                    for (int32_t n = local.reduce1; n > 0; n--) {
                        sum += *x;
                        x += local.keep2;
                    }
                }
                sum = nb_requant(sum, local.multiplier, local.shift) + local.output_zero;
                *output++ = (int8_t)nb_clamp(sum, INT8_MIN, INT8_MAX);
            }
        }
        input += local.reduce0 * row;
    }
}
