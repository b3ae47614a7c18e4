/* conv2d_mve_s16.c: int16 convolution and dense layer with int8 weights, Helium.
 *
 * Equals nb_conv2d_s16. Eight taps of two windows in scratch meet those of two channels, widened as
 * they are loaded: four loads and four VMLADAV (32 bits) or VMLALDAV (64) for 32 multiply-adds.
 */
#include <string.h>

#include "nb_kernels_mve.h"
#include "nb_mve.h"
#include "nb_wide.h"

#define UNIT 8

typedef struct {
    int32_t taps, out_c, sums, low, high;
    const int8_t *weights;
    const int32_t *quant;
} layer;

static inline void put(const layer *l, int32_t channel, int64_t sum, int16_t *output)
{
    const int32_t *row = l->quant + channel * NB_WIDE_QUANT_WORDS;
    output[channel] = nb_wide_code(sum + nb_wide_bias(row), row, l->sums, l->low, l->high);
}

/* Two windows, l->taps values apart or the same one, against all channels. */
static void both(const layer *l, const int16_t *x, const int16_t *y, int16_t *out0, int16_t *out1)
{
    const int8_t *w0 = l->weights;
    for (int32_t c = 0; c < l->out_c; c += 2) {
        const int32_t next = c + 1 < l->out_c ? 1 : 0;
        const int8_t *w1 = w0 + next * l->taps;
        int64_t sum00 = 0, sum01 = 0, sum10 = 0, sum11 = 0;
        if (l->sums == NB_SUMS_64) {
            for (int32_t i = 0; i < l->taps; i += 8) {
                const int16x8_t a = vldrbq_s16(w0 + i), b = vldrbq_s16(w1 + i);
                const int16x8_t u = vldrhq_s16(x + i), v = vldrhq_s16(y + i);
                sum00 = vmlaldavaq_s16(sum00, u, a);
                sum01 = vmlaldavaq_s16(sum01, u, b);
                sum10 = vmlaldavaq_s16(sum10, v, a);
                sum11 = vmlaldavaq_s16(sum11, v, b);
            }
        } else {
            int32_t s00 = 0, s01 = 0, s10 = 0, s11 = 0;
            for (int32_t i = 0; i < l->taps; i += 8) {
                const int16x8_t a = vldrbq_s16(w0 + i), b = vldrbq_s16(w1 + i);
                const int16x8_t u = vldrhq_s16(x + i), v = vldrhq_s16(y + i);
                s00 = vmladavaq_s16(s00, u, a);
                s01 = vmladavaq_s16(s01, u, b);
                s10 = vmladavaq_s16(s10, v, a);
                s11 = vmladavaq_s16(s11, v, b);
            }
            sum00 = s00;
            sum01 = s01;
            sum10 = s10;
            sum11 = s11;
        }
        put(l, c, sum00, out0);
        put(l, c + next, sum01, out0);
        put(l, c, sum10, out1);
        put(l, c + next, sum11, out1);
        w0 += 2 * l->taps;
    }
}

static void two(const layer *l, const int16_t *column, int16_t *out0, int16_t *out1)
{
    both(l, column, column + l->taps, out0, out1);
}

static void one(const layer *l, const int16_t *column, int16_t *output)
{
    both(l, column, column, output, output);
}

void nb_mve_conv2d_s16(const nb_conv2d_s16_params *p, const int16_t *input, const int8_t *weights,
                       const int32_t *quant, int16_t *scratch, int16_t *output)
{
    const int32_t taps = (p->kernel_h * p->kernel_w * p->in_c + UNIT - 1) / UNIT * UNIT;
    const layer l = {taps, p->out_c, p->sums, p->low, p->high, weights, quant};
    int16_t *pending = NULL;
    /* What lies behind a window meets weights of zero. */
    memset(scratch, 0, 2 * (size_t)taps * sizeof(int16_t));
    for (int32_t b = 0; b < p->batches; b++) {
        for (int32_t oy = 0; oy < p->out_h; oy++) {
            const int32_t y = oy * p->stride_h - p->pad_top;
            for (int32_t ox = 0; ox < p->out_w; ox++) {
                const int32_t x = ox * p->stride_w - p->pad_left;
                if (pending == NULL) {
                    nb_wide_column(p, input, y, x, scratch);
                    pending = output;
                } else {
                    nb_wide_column(p, input, y, x, scratch + taps);
                    two(&l, scratch, pending, output);
                    pending = NULL;
                }
                output += p->out_c;
            }
        }
        input += p->in_h * p->in_w * p->in_c;
    }
    if (pending != NULL) {
        one(&l, scratch, pending);
    }
}
