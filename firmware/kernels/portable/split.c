/* split.c: runs of a tensor into tensors of their own, portable C: SPLIT, SPLIT_V and UNPACK. A
 * memcpy per output and outer index. */
#include <string.h>

#include "nb_kernels.h"

void nb_split(const nb_split_params *p, const int8_t *input, int8_t *out0, int8_t *out1,
              int8_t *out2, int8_t *out3, int8_t *out4, int8_t *out5, int8_t *out6, int8_t *out7,
              int8_t *out8, int8_t *out9)
{
    int8_t *outputs[NB_SPLIT_OUTPUTS] = {out0, out1, out2, out3, out4,
                                         out5, out6, out7, out8, out9};
    for (int32_t outer = 0; outer < p->outer; outer++) {
        for (int32_t i = 0; i < p->outputs; i++) {
            const size_t bytes = (size_t)p->run[i];
            memcpy(outputs[i], input, bytes);
            outputs[i] += bytes;
            input += bytes;
        }
    }
}
