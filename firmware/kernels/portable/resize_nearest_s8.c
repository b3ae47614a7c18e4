/* resize_nearest_s8.c: nearest-neighbour resizing, portable C.
 *
 * Equals TensorFlow Lite Micro's RESIZE_NEAREST_NEIGHBOR; the source indices are computed when the
 * network is compiled, in the reference's float arithmetic. Costs a memcpy per output pixel.
 */
#include <string.h>

#include "nb_kernels.h"

void nb_resize_nearest_s8(const nb_resize_nearest_s8_params *p, const int8_t *input,
                          const uint16_t *rows, const uint16_t *columns, int8_t *output)
{
    for (int32_t b = 0; b < p->batches; b++) {
        for (int32_t y = 0; y < p->out_h; y++) {
            const int8_t *row = input + rows[y] * p->in_w * p->channels;
            for (int32_t x = 0; x < p->out_w; x++) {
                memcpy(output, row + columns[x] * p->channels, (size_t)p->channels);
                output += p->channels;
            }
        }
        input += p->in_h * p->in_w * p->channels;
    }
}
