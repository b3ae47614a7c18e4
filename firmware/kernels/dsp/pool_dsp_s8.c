/* pool_dsp_s8.c: int8 average pooling for cores with the DSP extension.
 *
 * Equals TensorFlow Lite Micro's reference AVERAGE_POOL_2D: the window is cut off at the edges, the
 * average divides by the places that remain and rounds half away from zero. For windows of at most
 * 255 places and channels a multiple of four.
 *
 * Four channels at a time: one load and two SXTAB16 take four values, with the loop five
 * instructions, 1.3 per value; an output takes about 12 more, the division among them.
 */
#include "nb_dsp.h"
#include "nb_kernels_dsp.h"

static inline uint32_t add_even(uint32_t sums, uint32_t x)
{
    uint32_t r;
    __asm("sxtab16 %0, %1, %2" : "=r"(r) : "r"(sums), "r"(x));
    return r;
}

static inline uint32_t add_odd(uint32_t sums, uint32_t x)
{
    uint32_t r;
    __asm("sxtab16 %0, %1, %2, ror #8" : "=r"(r) : "r"(sums), "r"(x));
    return r;
}

static inline int8_t average(int32_t sum, int32_t count, const nb_pool_s8_params *p)
{
    sum += sum > 0 ? count / 2 : -(count / 2);
    const int32_t y = sum / count;
    const int32_t z = y < p->low ? p->low : y;
    return (int8_t)(z > p->high ? p->high : z);
}

void nb_dsp_average_pool_s8(const nb_pool_s8_params *p, const int8_t *input, int8_t *output)
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
                for (int32_t c = 0; c < channels; c += 4) {
                    const int8_t *at = corner + c;
                    uint32_t even = 0;
                    uint32_t odd = 0;
                    for (int32_t i = y1 - y0; i > 0; i--) {
                        for (int32_t j = x1 - x0; j > 0; j--) {
                            const uint32_t four = nb_load4(at);
                            at += channels;
                            even = add_even(even, four);
                            odd = add_odd(odd, four);
                        }
                        at += skip;
                    }
                    output[0] = average((int16_t)even, count, p);
                    output[1] = average((int16_t)odd, count, p);
                    output[2] = average((int16_t)(even >> 16), count, p);
                    output[3] = average((int16_t)(odd >> 16), count, p);
                    output += 4;
                }
            }
        }
        input += p->in_h * p->in_w * channels;
    }
}
