/* space_to_batch_s8.c: SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND on int8, portable C; a memcpy per
 * pixel. Equals TensorFlow Lite Micro's reference where nothing is padded; it pads with a value that it
 * never sets, this one with the zero point. */
#include <string.h>

#include "nb_kernels.h"

void nb_space_to_batch_s8(const nb_space_to_batch_s8_params *p, const int8_t *input, int8_t *output)
{
    const size_t bytes = (size_t)p->channels;
    for (int32_t shift = 0; shift < p->block_h * p->block_w; shift++) {
        const int32_t down = shift / p->block_w - p->top, right = shift % p->block_w - p->left;
        for (int32_t b = 0; b < p->batches; b++) {
            for (int32_t y = 0; y < p->out_h; y++) {
                for (int32_t x = 0; x < p->out_w; x++) {
                    const int32_t row = y * p->block_h + down, column = x * p->block_w + right;
                    if (row < 0 || row >= p->in_h || column < 0 || column >= p->in_w) {
                        memset(output, p->value, bytes);
                    } else {
                        memcpy(output,
                               input + ((b * p->in_h + row) * p->in_w + column) * p->channels,
                               bytes);
                    }
                    output += bytes;
                }
            }
        }
    }
}

void nb_batch_to_space_s8(const nb_space_to_batch_s8_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t b = 0; b < p->batches; b++) {
        for (int32_t y = 0; y < p->out_h; y++) {
            for (int32_t x = 0; x < p->out_w; x++) {
                const int32_t row = y + p->top, column = x + p->left;
                const int32_t shift = row % p->block_h * p->block_w + column % p->block_w;
                const int32_t from = (shift * p->batches + b) * p->in_h + row / p->block_h;
                memcpy(output, input + (from * p->in_w + column / p->block_w) * p->channels,
                       (size_t)p->channels);
                output += p->channels;
            }
        }
    }
}
