/* transpose_conv_s16.c: int16 transposed convolution with int8 weights, portable C.
 *
 * Equals TensorFlow Lite Micro's reference TRANSPOSE_CONV of int16. An output gathers over the taps
 * that fall on an input, so that no sums are kept: the first tap of each axis is found by one
 * division, the others follow in steps of the stride. About four instructions per
 * multiply-accumulate over long channels.
 */
#include "nb_wide.h"

/* Taps of one axis that fall on an input: `tap` the first, `at` its input, `count` of them, each
 * `stride` taps further and one input back. */
typedef struct {
    int32_t tap, at, count;
} comb;

static comb fallen(int32_t place, int32_t stride, int32_t taps, int32_t size)
{
    comb c = {place % stride, place / stride, 0};
    if (c.at >= size) {
        c.tap += (c.at - size + 1) * stride;
        c.at = size - 1;
    }
    if (c.tap < taps) {
        c.count = (taps - 1 - c.tap) / stride + 1;
        c.count = c.count < c.at + 1 ? c.count : c.at + 1;
    }
    return c;
}

void nb_transpose_conv_s16(const nb_transpose_conv_s16_params *p, const int16_t *input,
                           const int8_t *weights, const int32_t *quant, int16_t *output)
{
    const nb_transpose_conv_s16_params local = *p;
    const int32_t taps = local.kernel_h * local.kernel_w * local.in_c;
    for (int32_t batch = 0; batch < local.batches; batch++) {
        for (int32_t oy = 0; oy < local.out_h; oy++) {
            const comb y = fallen(oy + local.pad_top, local.stride_h, local.kernel_h, local.in_h);
            for (int32_t ox = 0; ox < local.out_w; ox++) {
                const comb x =
                    fallen(ox + local.pad_left, local.stride_w, local.kernel_w, local.in_w);
                for (int32_t c = 0; c < local.out_c; c++) {
                    const int32_t *row = quant + c * NB_WIDE_QUANT_WORDS;
                    int64_t sum = nb_wide_bias(row);
                    for (int32_t i = 0; i < y.count; i++) {
                        for (int32_t j = 0; j < x.count; j++) {
                            const int32_t from = (y.at - i) * local.in_w + x.at - j;
                            const int32_t tap = (y.tap + i * local.stride_h) * local.kernel_w +
                                                x.tap + j * local.stride_w;
                            sum += nb_wide_dot(input + from * local.in_c,
                                               weights + c * taps + tap * local.in_c, local.in_c,
                                               local.sums);
                        }
                    }
                    *output++ = nb_wide_code(sum, row, local.sums, local.low, local.high);
                }
            }
        }
        input += local.in_h * local.in_w * local.in_c;
    }
}
