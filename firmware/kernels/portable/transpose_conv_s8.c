/* transpose_conv_s8.c: int8 transposed and grouped convolution, portable C.
 *
 * Equal TensorFlow Lite Micro's reference TRANSPOSE_CONV and CONV_2D: 32-bit sums, whose order does
 * not matter, one requantization per output. An output of the transposed form gathers over the taps
 * that fall on an input, so no sums are kept. Per multiply-accumulate about six instructions.
 */
#include <stddef.h>

#include "nb_kernels.h"
#include "nb_requant.h"

static int32_t products(const int8_t *x, const int8_t *w, int32_t count, int32_t zero)
{
    int32_t sum = 0;
    for (; count > 0; count--) {
        sum += (*x++ - zero) * *w++;
    }
    return sum;
}

static int8_t finish(int32_t sum, const int32_t *quant, int32_t zero, int32_t low, int32_t high)
{
    const int32_t value = nb_requant(sum + quant[0], quant[1], quant[2]) + zero;
    return (int8_t)nb_clamp(value, low, high);
}

/* The input that tap `tap` of output `at` reads along one axis, or -1. */
static int32_t source(int32_t at, int32_t tap, int32_t stride, int32_t limit)
{
    const int32_t reach = at - tap;
    if (reach < 0 || reach % stride != 0) {
        return -1;
    }
    const int32_t index = reach / stride;
    return index < limit ? index : -1;
}

static int32_t gathered(const nb_transpose_conv_s8_params *p, const int8_t *input,
                        const int8_t *weights, int32_t out_y, int32_t out_x)
{
    int32_t sum = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t y = source(out_y + p->pad_top, ky, p->stride_h, p->in_h);
        for (int32_t kx = 0; y >= 0 && kx < p->kernel_w; kx++) {
            const int32_t x = source(out_x + p->pad_left, kx, p->stride_w, p->in_w);
            if (x >= 0) {
                sum +=
                    products(input + (y * p->in_w + x) * p->in_c,
                             weights + (ky * p->kernel_w + kx) * p->in_c, p->in_c, p->input_zero);
            }
        }
    }
    return sum;
}

void nb_transpose_conv_s8(const nb_transpose_conv_s8_params *p, const int8_t *input,
                          const int8_t *weights, const int32_t *quant, int8_t *output)
{
    const int32_t taps = p->kernel_h * p->kernel_w * p->in_c;
    for (int32_t batch = 0; batch < p->batches; batch++) {
        for (int32_t y = 0; y < p->out_h; y++) {
            for (int32_t x = 0; x < p->out_w; x++) {
                for (int32_t c = 0; c < p->out_c; c++) {
                    const int32_t sum = gathered(p, input, weights + c * taps, y, x);
                    *output++ = finish(sum, quant + 3 * c, p->output_zero, p->low, p->high);
                }
            }
        }
        input += p->in_h * p->in_w * p->in_c;
    }
}

static int32_t windowed(const nb_grouped_conv2d_s8_params *p, const int8_t *input,
                        const int8_t *weights, int32_t out_y, int32_t out_x, int32_t depth)
{
    int32_t sum = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t y = out_y * p->stride_h - p->pad_top + ky * p->dilation_h;
        for (int32_t kx = 0; y >= 0 && y < p->in_h && kx < p->kernel_w; kx++) {
            const int32_t x = out_x * p->stride_w - p->pad_left + kx * p->dilation_w;
            if (x >= 0 && x < p->in_w) {
                sum += products(input + (y * p->in_w + x) * p->in_c,
                                weights + (ky * p->kernel_w + kx) * depth, depth, p->input_zero);
            }
        }
    }
    return sum;
}

void nb_grouped_conv2d_s8(const nb_grouped_conv2d_s8_params *p, const int8_t *input,
                          const int8_t *weights, const int32_t *quant, int8_t *output)
{
    const int32_t depth = p->in_c / p->groups;
    const int32_t each = p->out_c / p->groups;
    const int32_t taps = p->kernel_h * p->kernel_w * depth;
    for (int32_t batch = 0; batch < p->batches; batch++) {
        for (int32_t y = 0; y < p->out_h; y++) {
            for (int32_t x = 0; x < p->out_w; x++) {
                for (int32_t c = 0; c < p->out_c; c++) {
                    const int32_t sum =
                        windowed(p, input + c / each * depth, weights + c * taps, y, x, depth);
                    *output++ = finish(sum, quant + 3 * c, p->output_zero, p->low, p->high);
                }
            }
        }
        input += p->in_h * p->in_w * p->in_c;
    }
}
