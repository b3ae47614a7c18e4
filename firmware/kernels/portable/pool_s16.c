/* pool_s16.c: int16 average and maximum pooling, mean and sum, portable C.
 *
 * Equal TensorFlow Lite Micro's reference AVERAGE_POOL_2D, MAX_POOL_2D, MEAN and SUM of int16, as
 * the kernels of int8 do. About five instructions per value of a window.
 */
#include "nb_kernels.h"
#include "nb_requant.h"

/* A window cut to its image: rows by columns from `base`, `skip` from a row's end to the next. */
typedef struct {
    const int16_t *base;
    int32_t rows, columns, skip;
} window;

static inline window cut(const nb_pool_s8_params *p, const int16_t *image, int32_t oy, int32_t ox)
{
    const int32_t y = oy * p->stride_h - p->pad_top;
    const int32_t x = ox * p->stride_w - p->pad_left;
    const int32_t y0 = y < 0 ? 0 : y;
    const int32_t x0 = x < 0 ? 0 : x;
    const int32_t y1 = y + p->window_h < p->in_h ? y + p->window_h : p->in_h;
    const int32_t x1 = x + p->window_w < p->in_w ? x + p->window_w : p->in_w;
    window w;
    w.base = image + (y0 * p->in_w + x0) * p->channels;
    w.rows = y1 - y0;
    w.columns = x1 - x0;
    w.skip = (p->in_w - w.columns) * p->channels;
    return w;
}

static int32_t total(const window *w, int32_t channel, int32_t channels)
{
    const int16_t *x = w->base + channel;
    int32_t sum = 0;
    for (int32_t i = w->rows; i > 0; i--) {
        for (int32_t j = w->columns; j > 0; j--) {
            sum += *x;
            x += channels;
        }
        x += w->skip;
    }
    return sum;
}

static int32_t largest(const window *w, int32_t channel, int32_t channels)
{
    const int16_t *x = w->base + channel;
    int32_t best = INT16_MIN;
    for (int32_t i = w->rows; i > 0; i--) {
        for (int32_t j = w->columns; j > 0; j--) {
            best = *x > best ? *x : best;
            x += channels;
        }
        x += w->skip;
    }
    return best;
}

static void pool(const nb_pool_s8_params *p, const int16_t *input, int16_t *output, int average)
{
    const nb_pool_s8_params local = *p;
    for (int32_t b = 0; b < local.batches; b++) {
        for (int32_t oy = 0; oy < local.out_h; oy++) {
            for (int32_t ox = 0; ox < local.out_w; ox++) {
                const window w = cut(&local, input, oy, ox);
                const int32_t count = w.rows * w.columns;
                for (int32_t c = 0; c < local.channels; c++) {
                    int32_t value;
                    if (average != 0) {
                        value = total(&w, c, local.channels);
                        value += value > 0 ? count / 2 : -(count / 2);
                        value /= count;
                    } else {
                        value = largest(&w, c, local.channels);
                    }
                    *output++ = (int16_t)nb_clamp(value, local.low, local.high);
                }
            }
        }
        input += local.in_h * local.in_w * local.channels;
    }
}

void nb_average_pool_s16(const nb_pool_s8_params *p, const int16_t *input, int16_t *output)
{
    pool(p, input, output, 1);
}

void nb_max_pool_s16(const nb_pool_s8_params *p, const int16_t *input, int16_t *output)
{
    pool(p, input, output, 0);
}

void nb_mean_s16(const nb_mean_s8_params *p, const int16_t *input, int16_t *output)
{
    const nb_mean_s8_params local = *p;
    const int32_t row = local.keep1 * local.reduce1 * local.keep2;
    const int32_t block = local.reduce1 * local.keep2;
    for (int32_t k0 = 0; k0 < local.keep0; k0++) {
        for (int32_t k1 = 0; k1 < local.keep1; k1++) {
            for (int32_t k2 = 0; k2 < local.keep2; k2++) {
                int32_t sum = -local.offset;
                for (int32_t r0 = 0; r0 < local.reduce0; r0++) {
                    const int16_t *x = input + r0 * row + k1 * block + k2;
                    for (int32_t n = local.reduce1; n > 0; n--) {
                        sum += *x;
                        x += local.keep2;
                    }
                }
                sum = nb_requant(sum, local.multiplier, local.shift) + local.output_zero;
                *output++ = (int16_t)nb_clamp(sum, INT16_MIN, INT16_MAX);
            }
        }
        input += local.reduce0 * row;
    }
}
