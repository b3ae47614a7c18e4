/* gather.c: GATHER along one axis by indices that are computed, portable C. An index outside the
 * axis, which the reference does not check, reads its nearest end. A memcpy per index. */
#include <string.h>

#include "nb_kernels.h"
#include "nb_requant.h"

void nb_gather(const nb_gather_params *p, const int8_t *input, const int32_t *indices,
               int8_t *output)
{
    for (int32_t outer = 0; outer < p->outer; outer++) {
        for (int32_t i = 0; i < p->count; i++) {
            const int32_t index = nb_clamp(indices[i], 0, p->axis - 1);
            memcpy(output, input + index * p->bytes, (size_t)p->bytes);
            output += p->bytes;
        }
        input += p->axis * p->bytes;
    }
}
