/* pool_mve_s8.c: int8 average pooling for cores with Helium (MVE).
 *
 * Equals TensorFlow Lite Micro's reference AVERAGE_POOL_2D: the window is cut off at the edges, the
 * average divides by the places that remain and rounds half away from zero. For windows of at most
 * 255 places and channels a multiple of eight.
 *
 * Eight channels at a time in 16 bits: a load, a sum and the loop, four instructions for eight
 * values; the division, one output at a time, about 12.
 */
#include "nb_kernels_mve.h"
#include "nb_mve.h"

static inline int8_t average(int32_t sum, int32_t count, const nb_pool_s8_params *p)
{
    sum += sum > 0 ? count / 2 : -(count / 2);
    const int32_t y = sum / count;
    const int32_t z = y < p->low ? p->low : y;
    return (int8_t)(z > p->high ? p->high : z);
}

void nb_mve_average_pool_s8(const nb_pool_s8_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->channels;
    for (int32_t b = 0; b < p->batches; b++) {
        for (int32_t oy = 0; oy < p->out_h; oy++) {
            for (int32_t ox = 0; ox < p->out_w; ox++) {
                const int32_t y = oy * p->stride_h - p->pad_top;
                const int32_t x = ox * p->stride_w - p->pad_left;
                const int32_t y0 = y < 0 ? 0 : y;
                const int32_t x0 = x < 0 ? 0 : x;
                const int32_t y1 = y + p->window_h < p->in_h ? y + p->window_h : p->in_h;
                const int32_t x1 = x + p->window_w < p->in_w ? x + p->window_w : p->in_w;
                const int32_t count = (y1 - y0) * (x1 - x0);
                const int32_t skip = (p->in_w - (x1 - x0)) * channels;
                const int8_t *corner = input + (y0 * p->in_w + x0) * channels;
                for (int32_t c = 0; c < channels; c += 8) {
                    const int8_t *at = corner + c;
                    int16x8_t sums = vdupq_n_s16(0);
                    for (int32_t i = y1 - y0; i > 0; i--) {
                        for (int32_t j = x1 - x0; j > 0; j--) {
                            sums = vaddq_s16(sums, vldrbq_s16(at));
                            at += channels;
                        }
                        at += skip;
                    }
                    int16_t each[8];
                    vst1q_s16(each, sums);
                    for (int32_t k = 0; k < 8; k++) {
                        output[k] = average(each[k], count, p);
                    }
                    output += 8;
                }
            }
        }
        input += p->in_h * p->in_w * channels;
    }
}
