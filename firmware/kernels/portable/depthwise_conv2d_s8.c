/* depthwise_conv2d_s8.c: int8 depthwise convolution, portable C.
 *
 * Equals TensorFlow Lite Micro's reference DEPTHWISE_CONV_2D with per-channel scales. The input's
 * offset is folded into the bias when the network is compiled. A window inside the input is read
 * in place; one that crosses an edge is copied to scratch with the input's zero point around it,
 * which makes the folding exact there too.
 *
 * Four channels at a time: per tap eight loads, four multiply-adds and two pointer steps,
 * INNER_COST. With a depth multiplier above one, channels are taken one by one. No assumption
 * about shapes or alignment.
 */
#include <string.h>

#include "nb_kernels.h"
#include "nb_requant.h"

/* Where a window lies: tap (i, j), channel c is at base[i * row_step + j * tap_step + c]. */
typedef struct {
    const int8_t *base;
    int32_t row_step, tap_step;
} window;

static inline int8_t finish(int32_t sum, const int32_t *quant,
                            const nb_depthwise_conv2d_s8_params *p)
{
    sum = nb_requant(sum, quant[1], quant[2]) + p->output_zero;
    return (int8_t)nb_clamp(sum, p->low, p->high);
}

/* All output channels of one pixel; multiplier 1. */
static void plain_pixel(const nb_depthwise_conv2d_s8_params *p, window in, const int8_t *weights,
                        const int32_t *quant, int8_t *output)
{
    const int32_t channels = p->in_c;
    const int32_t rows = p->kernel_h;
    const int32_t taps = p->kernel_w;
    const int32_t tap_step = in.tap_step;
    const int32_t row_step = in.row_step - taps * tap_step;
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4) {
        const int8_t *x = in.base + c;
        const int8_t *w = weights + c;
        int32_t sum0 = quant[0];
        int32_t sum1 = quant[NB_QUANT_WORDS];
        int32_t sum2 = quant[2 * NB_QUANT_WORDS];
        int32_t sum3 = quant[3 * NB_QUANT_WORDS];
        for (int32_t i = rows; i > 0; i--) {
            for (int32_t j = taps; j > 0; j--) {
                sum0 += x[0] * w[0];
                sum1 += x[1] * w[1];
                sum2 += x[2] * w[2];
                sum3 += x[3] * w[3];
                x += tap_step;
                w += channels;
            }
            x += row_step;
        }
        output[c] = finish(sum0, quant, p);
        output[c + 1] = finish(sum1, quant + NB_QUANT_WORDS, p);
        output[c + 2] = finish(sum2, quant + 2 * NB_QUANT_WORDS, p);
        output[c + 3] = finish(sum3, quant + 3 * NB_QUANT_WORDS, p);
        quant += 4 * NB_QUANT_WORDS;
    }
    for (; c < channels; c++) {
        const int8_t *x = in.base + c;
        const int8_t *w = weights + c;
        int32_t sum = quant[0];
        for (int32_t i = rows; i > 0; i--) {
            for (int32_t j = taps; j > 0; j--) {
                sum += *x * *w;
                x += tap_step;
                w += channels;
            }
            x += row_step;
        }
        output[c] = finish(sum, quant, p);
        quant += NB_QUANT_WORDS;
    }
}

/* All output channels of one pixel; any multiplier. */
static void multiplied_pixel(const nb_depthwise_conv2d_s8_params *p, window in,
                             const int8_t *weights, const int32_t *quant, int8_t *output)
{
    const int32_t row_step = in.row_step - p->kernel_w * in.tap_step;
    for (int32_t c = 0; c < p->in_c; c++) {
        for (int32_t m = 0; m < p->multiplier; m++) {
            const int8_t *x = in.base + c;
            const int8_t *w = weights++;
            int32_t sum = quant[0];
            for (int32_t i = p->kernel_h; i > 0; i--) {
                for (int32_t j = p->kernel_w; j > 0; j--) {
                    sum += *x * *w;
                    x += in.tap_step;
                    w += p->out_c;
                }
                x += row_step;
            }
            *output++ = finish(sum, quant, p);
            quant += NB_QUANT_WORDS;
        }
    }
}

/* Copy the window with top left corner (y, x) to scratch, the zero point where it leaves the
 * image. */
static void fill_window(const nb_depthwise_conv2d_s8_params *p, const int8_t *image, int32_t y,
                        int32_t x, int8_t *scratch)
{
    const size_t pixel = (size_t)p->in_c;
    for (int32_t i = 0; i < p->kernel_h; i++, y += p->dilation_h) {
        int32_t at = x;
        for (int32_t j = 0; j < p->kernel_w; j++, at += p->dilation_w) {
            if (y < 0 || y >= p->in_h || at < 0 || at >= p->in_w) {
                memset(scratch, p->input_zero, pixel);
            } else {
                memcpy(scratch, image + (y * p->in_w + at) * p->in_c, pixel);
            }
            scratch += pixel;
        }
    }
}

void nb_depthwise_conv2d_s8(const nb_depthwise_conv2d_s8_params *p, const int8_t *input,
                            const int8_t *weights, const int32_t *quant, int8_t *scratch,
                            int8_t *output)
{
    const nb_depthwise_conv2d_s8_params local = *p;
    const int32_t last_y = local.in_h - (local.kernel_h - 1) * local.dilation_h;
    const int32_t last_x = local.in_w - (local.kernel_w - 1) * local.dilation_w;
    for (int32_t b = 0; b < local.batches; b++) {
        for (int32_t oy = 0; oy < local.out_h; oy++) {
            const int32_t y = oy * local.stride_h - local.pad_top;
            for (int32_t ox = 0; ox < local.out_w; ox++) {
                const int32_t x = ox * local.stride_w - local.pad_left;
                window in;
                if (y >= 0 && y < last_y && x >= 0 && x < last_x) {
                    in.base = input + (y * local.in_w + x) * local.in_c;
                    in.row_step = local.dilation_h * local.in_w * local.in_c;
                    in.tap_step = local.dilation_w * local.in_c;
                } else {
                    fill_window(&local, input, y, x, scratch);
                    in.base = scratch;
                    in.row_step = local.kernel_w * local.in_c;
                    in.tap_step = local.in_c;
                }
                if (local.multiplier == 1) {
                    plain_pixel(&local, in, weights, quant, output);
                } else {
                    multiplied_pixel(&local, in, weights, quant, output);
                }
                output += local.out_c;
            }
        }
        input += local.in_h * local.in_w * local.in_c;
    }
}
