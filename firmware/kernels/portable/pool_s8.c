/* pool_s8.c: int8 average and maximum pooling, portable C.
 *
 * Equals TensorFlow Lite Micro's reference AVERAGE_POOL_2D and MAX_POOL_2D: the window is cut off
 * at the edges, the average divides by the places that remain and rounds half away from zero.
 *
 * The channel is the outer loop, the window the inner one: per element one load, one add or
 * compare, one pointer step and the loop's two, about five instructions. No assumption about
 * shapes or alignment.
 */
#include "nb_kernels.h"
#include "nb_requant.h"

/* A window cut to its image: rows by columns from `base`, `skip` from a row's end to the next. */
typedef struct {
    const int8_t *base;
    int32_t rows, columns, skip;
} window;

static inline window cut(const nb_pool_s8_params *p, const int8_t *image, int32_t oy, int32_t ox)
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

void nb_average_pool_s8(const nb_pool_s8_params *p, const int8_t *input, int8_t *output)
{
    const nb_pool_s8_params local = *p;
    for (int32_t b = 0; b < local.batches; b++) {
        for (int32_t oy = 0; oy < local.out_h; oy++) {
            for (int32_t ox = 0; ox < local.out_w; ox++) {
                const window w = cut(&local, input, oy, ox);
                const int32_t count = w.rows * w.columns;
                for (int32_t c = 0; c < local.channels; c++) {
                    const int8_t *x = w.base + c;
                    int32_t sum = 0;
                    for (int32_t i = w.rows; i > 0; i--) {
                        for (int32_t j = w.columns; j > 0; j--) {
                            sum += *x;
                            x += local.channels;
                        }
                        x += w.skip;
                    }
                    sum += sum > 0 ? count / 2 : -(count / 2);
                    *output++ = (int8_t)nb_clamp(sum / count, local.low, local.high);
                }
            }
        }
        input += local.in_h * local.in_w * local.channels;
    }
}

void nb_max_pool_s8(const nb_pool_s8_params *p, const int8_t *input, int8_t *output)
{
    const nb_pool_s8_params local = *p;
    for (int32_t b = 0; b < local.batches; b++) {
        for (int32_t oy = 0; oy < local.out_h; oy++) {
            for (int32_t ox = 0; ox < local.out_w; ox++) {
                const window w = cut(&local, input, oy, ox);
                for (int32_t c = 0; c < local.channels; c++) {
                    const int8_t *x = w.base + c;
                    int32_t best = INT8_MIN;
                    for (int32_t i = w.rows; i > 0; i--) {
                        for (int32_t j = w.columns; j > 0; j--) {
                            best = *x > best ? *x : best;
                            x += local.channels;
                        }
                        x += w.skip;
                    }
                    *output++ = (int8_t)nb_clamp(best, local.low, local.high);
                }
            }
        }
        input += local.in_h * local.in_w * local.channels;
    }
}
