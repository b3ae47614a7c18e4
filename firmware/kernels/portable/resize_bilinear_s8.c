/* resize_bilinear_s8.c: bilinear resizing of int8 images, portable C.
 *
 * Equals TensorFlow Lite Micro's integer RESIZE_BILINEAR: weights of 10 bits, one rounding of the sum
 * to nearest, ties away from zero. About 30 instructions per element.
 */
#include "nb_kernels.h"

void nb_resize_bilinear_s8(const nb_resize_nearest_s8_params *p, const int8_t *input,
                           const int16_t *rows, const int16_t *columns, int8_t *output)
{
    const int32_t channels = p->channels, row = p->in_w * channels;
    for (int32_t b = 0; b < p->batches; b++) {
        for (int32_t y = 0; y < p->out_h; y++) {
            const int8_t *upper = input + rows[3 * y] * row, *lower = input + rows[3 * y + 1] * row;
            const int32_t down = rows[3 * y + 2], up = 1024 - down;
            for (int32_t x = 0; x < p->out_w; x++) {
                const int32_t left = columns[3 * x] * channels;
                const int32_t right = columns[3 * x + 1] * channels;
                const int32_t to = columns[3 * x + 2], from = 1024 - to;
                for (int32_t c = 0; c < channels; c++) {
                    const int64_t sum =
                        ((int64_t)upper[left + c] * up + lower[left + c] * down) * from +
                        ((int64_t)upper[right + c] * up + lower[right + c] * down) * to;
                    const int64_t half = sum > 0 ? 1 << 19 : -(1 << 19);
                    *output++ = (int8_t)((sum + half) / (1 << 20));
                }
            }
        }
        input += p->in_h * row;
    }
}
