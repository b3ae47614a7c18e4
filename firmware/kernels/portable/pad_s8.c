/* pad_s8.c: constant padding, portable C.
 *
 * Equals TensorFlow Lite Micro's PAD and PADV2. Costs a memset of the output and a memcpy per run
 * of the innermost dimension.
 */
#include <string.h>

#include "nb_kernels.h"

void nb_pad_s8(const nb_pad_s8_params *p, const int8_t *input, int8_t *output)
{
    int32_t step[NB_DIMS];
    int32_t size = 1;
    for (int32_t d = NB_DIMS - 1; d >= 0; d--) {
        step[d] = size;
        size *= p->before[d] + p->dims[d] + p->after[d];
    }
    memset(output, p->value, (size_t)size);
    output += p->before[4];
    for (int32_t i0 = 0; i0 < p->dims[0]; i0++) {
        for (int32_t i1 = 0; i1 < p->dims[1]; i1++) {
            for (int32_t i2 = 0; i2 < p->dims[2]; i2++) {
                for (int32_t i3 = 0; i3 < p->dims[3]; i3++) {
                    memcpy(output + (i0 + p->before[0]) * step[0] + (i1 + p->before[1]) * step[1] +
                               (i2 + p->before[2]) * step[2] + (i3 + p->before[3]) * step[3],
                           input, (size_t)p->dims[4]);
                    input += p->dims[4];
                }
            }
        }
    }
}
