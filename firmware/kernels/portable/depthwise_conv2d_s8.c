/* depthwise_conv2d_s8.c: int8 depthwise convolution, portable C.
 *
 * Equals TensorFlow Lite Micro's reference DEPTHWISE_CONV_2D with per-channel scales. The input's
 * offset is folded into the bias when the network is compiled. A window inside the input is read
 * in place; one that crosses an edge is copied to scratch with the input's zero point around it,
 * which makes the folding exact there too.
 *
 * Four channels at a time: a tap is eight loads, four multiply-adds and two pointer steps, 14
 * instructions for 4 multiply-adds, plus the loop's two where the window is not 3x3 (GCC 12 -O2 for
 * Cortex-M4). Requantizing and storing an output takes about 28 more, which weighs as much as nine
 * taps: counted over whole 3x3 layers on an emulated Cortex-M4, 8.6 to 10 instructions per
 * multiply-add. With a depth multiplier above one, channels are taken one by one, about seven
 * instructions per tap. No assumption about shapes or alignment.
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

/* One tap of four channels; x and w move on to the row's next tap. */
#define TAP()                                                                                      \
    do {                                                                                           \
        sum0 += x[0] * w[0];                                                                       \
        sum1 += x[1] * w[1];                                                                       \
        sum2 += x[2] * w[2];                                                                       \
        sum3 += x[3] * w[3];                                                                       \
        x += tap_step;                                                                             \
        w += channels;                                                                             \
    } while (0)

/* Four output channels of one pixel, 3x3 window. x and w point at the first channel's first tap.
 * Spelled out because it is by far the commonest window. */
static inline void nine_taps(const nb_depthwise_conv2d_s8_params *p, const window *in,
                             const int8_t *x, const int8_t *w, const int32_t *quant, int8_t *output)
{
    const int32_t channels = p->in_c;
    const int32_t tap_step = in->tap_step;
    const int32_t row_step = in->row_step - 3 * tap_step;
    int32_t sum0 = quant[0];
    int32_t sum1 = quant[NB_QUANT_WORDS];
    int32_t sum2 = quant[2 * NB_QUANT_WORDS];
    int32_t sum3 = quant[3 * NB_QUANT_WORDS];
    TAP();
    TAP();
    TAP();
    x += row_step;
    TAP();
    TAP();
    TAP();
    x += row_step;
    TAP();
    TAP();
    TAP();
    output[0] = finish(sum0, quant, p);
    output[1] = finish(sum1, quant + NB_QUANT_WORDS, p);
    output[2] = finish(sum2, quant + 2 * NB_QUANT_WORDS, p);
    output[3] = finish(sum3, quant + 3 * NB_QUANT_WORDS, p);
}

/* Four output channels of one pixel, any window. */
static inline void any_taps(const nb_depthwise_conv2d_s8_params *p, const window *in,
                            const int8_t *x, const int8_t *w, const int32_t *quant, int8_t *output)
{
    const int32_t channels = p->in_c;
    const int32_t tap_step = in->tap_step;
    const int32_t row_step = in->row_step - p->kernel_w * tap_step;
    int32_t sum0 = quant[0];
    int32_t sum1 = quant[NB_QUANT_WORDS];
    int32_t sum2 = quant[2 * NB_QUANT_WORDS];
    int32_t sum3 = quant[3 * NB_QUANT_WORDS];
    for (int32_t i = p->kernel_h; i > 0; i--) {
        for (int32_t j = p->kernel_w; j > 0; j--) {
            TAP();
        }
        x += row_step;
    }
    output[0] = finish(sum0, quant, p);
    output[1] = finish(sum1, quant + NB_QUANT_WORDS, p);
    output[2] = finish(sum2, quant + 2 * NB_QUANT_WORDS, p);
    output[3] = finish(sum3, quant + 3 * NB_QUANT_WORDS, p);
}

/* All output channels of one pixel; multiplier 1. */
static __attribute__((noinline)) void plain_pixel(const nb_depthwise_conv2d_s8_params *p,
                                                  const window *in, const int8_t *weights,
                                                  const int32_t *quant, int8_t *output)
{
    const int32_t channels = p->in_c;
    const int8_t *x = in->base;
    int32_t left = channels;
    if (p->kernel_h == 3 && p->kernel_w == 3) {
        for (; left >= 4; left -= 4) {
            nine_taps(p, in, x, weights, quant, output);
            x += 4;
            weights += 4;
            quant += 4 * NB_QUANT_WORDS;
            output += 4;
        }
    }
    for (; left >= 4; left -= 4) {
        any_taps(p, in, x, weights, quant, output);
        x += 4;
        weights += 4;
        quant += 4 * NB_QUANT_WORDS;
        output += 4;
    }
    for (; left > 0; left--) {
        const int8_t *row = x++;
        const int8_t *w = weights++;
        int32_t sum = quant[0];
        for (int32_t i = p->kernel_h; i > 0; i--) {
            const int8_t *at = row;
            for (int32_t j = p->kernel_w; j > 0; j--) {
                sum += *at * *w;
                at += in->tap_step;
                w += channels;
            }
            row += in->row_step;
        }
        *output++ = finish(sum, quant, p);
        quant += NB_QUANT_WORDS;
    }
}

/* All output channels of one pixel; any multiplier. */
static __attribute__((noinline)) void multiplied_pixel(const nb_depthwise_conv2d_s8_params *p,
                                                       const window *in, const int8_t *weights,
                                                       const int32_t *quant, int8_t *output)
{
    const int32_t row_step = in->row_step - p->kernel_w * in->tap_step;
    for (int32_t c = 0; c < p->in_c; c++) {
        for (int32_t m = 0; m < p->multiplier; m++) {
            const int8_t *x = in->base + c;
            const int8_t *w = weights++;
            int32_t sum = quant[0];
            for (int32_t i = p->kernel_h; i > 0; i--) {
                for (int32_t j = p->kernel_w; j > 0; j--) {
                    sum += *x * *w;
                    x += in->tap_step;
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
                    plain_pixel(&local, &in, weights, quant, output);
                } else {
                    multiplied_pixel(&local, &in, weights, quant, output);
                }
                output += local.out_c;
            }
        }
        input += local.in_h * local.in_w * local.in_c;
    }
}
