/* copy_s8.c: strided gather into a dense tensor, portable C.
 *
 * Equals TensorFlow Lite Micro's STRIDED_SLICE and TRANSPOSE on 8-bit elements. A dense innermost
 * run is a memcpy, any other costs about five instructions per element.
 */
#include <string.h>

#include "nb_kernels.h"

void nb_copy_s8(const nb_copy_s8_params *p, const int8_t *input, int8_t *output)
{
    const int32_t run = p->dims[4];
    const int32_t step = p->stride[4];
    for (int32_t i0 = 0; i0 < p->dims[0]; i0++) {
        for (int32_t i1 = 0; i1 < p->dims[1]; i1++) {
            for (int32_t i2 = 0; i2 < p->dims[2]; i2++) {
                for (int32_t i3 = 0; i3 < p->dims[3]; i3++) {
                    int32_t at = p->first + i0 * p->stride[0] + i1 * p->stride[1] +
                                 i2 * p->stride[2] + i3 * p->stride[3];
                    if (step == 1) {
                        memcpy(output, input + at, (size_t)run);
                        output += run;
                    } else {
                        for (int32_t n = run; n > 0; n--, at += step) {
                            *output++ = input[at];
                        }
                    }
                }
            }
        }
    }
}
