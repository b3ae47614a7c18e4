/* depthwise_conv2d_s16.c: int16 depthwise convolution with int8 weights, portable C.
 *
 * Equals TensorFlow Lite Micro's reference DEPTHWISE_CONV_2D of int16. The window is cut to the
 * image before its taps are added, so that padding costs nothing. About six instructions per
 * multiply-accumulate in 32 bits and seven in 64. No assumption about shapes or alignment.
 */
#include "nb_wide.h"

/* Taps of one axis that meet the image: from `first` until `end`. */
typedef struct {
    int32_t first, end;
} span;

static span met(int32_t at, int32_t taps, int32_t dilation, int32_t size)
{
    span s = {0, taps};
    if (at < 0) {
        s.first = (dilation - 1 - at) / dilation;
    }
    const int32_t room = size - at; /* taps below room / dilation are inside */
    if (room <= 0) {
        s.end = 0;
    } else if ((room + dilation - 1) / dilation < taps) {
        s.end = (room + dilation - 1) / dilation;
    }
    return s;
}

void nb_depthwise_conv2d_s16(const nb_depthwise_conv2d_s16_params *p, const int16_t *input,
                             const int8_t *weights, const int32_t *quant, int16_t *output)
{
    const nb_depthwise_conv2d_s16_params local = *p;
    const int32_t tap = local.dilation_w * local.in_c;
    for (int32_t b = 0; b < local.batches; b++) {
        for (int32_t oy = 0; oy < local.out_h; oy++) {
            const int32_t y = oy * local.stride_h - local.pad_top;
            const span rows = met(y, local.kernel_h, local.dilation_h, local.in_h);
            for (int32_t ox = 0; ox < local.out_w; ox++) {
                const int32_t x = ox * local.stride_w - local.pad_left;
                const span columns = met(x, local.kernel_w, local.dilation_w, local.in_w);
                int32_t c = 0;
                for (int32_t out = 0; out < local.out_c; out++) {
                    const int32_t *row = quant + out * NB_WIDE_QUANT_WORDS;
                    int64_t wide = nb_wide_bias(row);
                    int32_t narrow = 0;
                    for (int32_t i = rows.first; i < rows.end; i++) {
                        const int16_t *in =
                            input + ((y + i * local.dilation_h) * local.in_w + x) * local.in_c +
                            columns.first * tap + c;
                        const int8_t *w =
                            weights + (i * local.kernel_w + columns.first) * local.out_c + out;
                        if (local.sums == NB_SUMS_64) {
                            for (int32_t j = columns.first; j < columns.end; j++) {
                                wide += (int32_t)*in * *w;
                                in += tap;
                                w += local.out_c;
                            }
                        } else {
                            for (int32_t j = columns.first; j < columns.end; j++) {
                                narrow += *in * *w;
                                in += tap;
                                w += local.out_c;
                            }
                        }
                    }
                    *output++ = nb_wide_code(wide + narrow, row, local.sums, local.low, local.high);
                    if ((out + 1) % local.multiplier == 0) {
                        c++;
                    }
                }
            }
        }
        input += local.in_h * local.in_w * local.in_c;
    }
}
