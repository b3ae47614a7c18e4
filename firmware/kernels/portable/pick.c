/* pick.c: values from places that tables of offsets give, portable C.
 *
 * Equals TensorFlow Lite Micro's SLICE, GATHER (known indices), MIRROR_PAD, SPACE_TO_DEPTH,
 * DEPTH_TO_SPACE, BROADCAST_TO and REVERSE_V2. A run is one memcpy; single bytes cost about five
 * instructions each.
 */
#include <string.h>

#include "nb_kernels.h"

void nb_pick(const nb_pick_params *p, const int8_t *input, const int32_t *offsets, int8_t *output)
{
    const int32_t *t0 = offsets, *t1 = t0 + p->dims[0], *t2 = t1 + p->dims[1];
    const int32_t *t3 = t2 + p->dims[2], *t4 = t3 + p->dims[3];
    const int32_t bytes = p->bytes;
    for (int32_t i0 = 0; i0 < p->dims[0]; i0++) {
        for (int32_t i1 = 0; i1 < p->dims[1]; i1++) {
            for (int32_t i2 = 0; i2 < p->dims[2]; i2++) {
                for (int32_t i3 = 0; i3 < p->dims[3]; i3++) {
                    const int8_t *from = input + t0[i0] + t1[i1] + t2[i2] + t3[i3];
                    for (int32_t i4 = 0; i4 < p->dims[4]; i4++) {
                        if (bytes == 1) {
                            *output = from[t4[i4]];
                        } else {
                            memcpy(output, from + t4[i4], (size_t)bytes);
                        }
                        output += bytes;
                    }
                }
            }
        }
    }
}
