/* depthwise_3x3_mve_s8.c: int8 depthwise convolution, 3x3, for cores with Helium (MVE).
 *
 * Equals TensorFlow Lite Micro's reference DEPTHWISE_CONV_2D, both roundings included, for a
 * multiplier of one, any strides, channels a multiple of four.
 *
 * The rows that a row of outputs needs lie in a ring of three, with the padding at both ends; each
 * row of the input is copied into it once. Four channels lie side by side in a vector of 32 bits;
 * up to four neighbouring outputs share the loads of weights and, with a stride of one, of
 * activations.
 *
 * Where the instructions go, four outputs of four channels, stride one: per row of the window three
 * loads of weights, six of activations with a step each, twelve VMLA; rescaling and storing 24: with
 * the loop about 7 per output, 0.8 per multiply-add; with a stride of two 8.3. The limit are VMLA,
 * 2.25 per output, and the rescaling, 1.5.
 */
#include "nb_kernels_mve.h"
#include "nb_mve.h"

#define OUTPUTS 3

typedef struct {
    const int8_t *row[3];
    int32_t channels;
    int32_t exact, zero;
    int32x4_t low, high;
} state;

/* `count` outputs side by side of four channels; all but the pointers are constants of the call. */
static inline __attribute__((always_inline)) int8_t *
outputs(const state *s, const int8_t *weights, const int32_t *quant, int32_t offset, int8_t *output,
        const int32_t count, const int32_t stride) {
    const int32_t channels = s->channels;
    const int32x4_t bias = vldrwq_s32(quant);
    int32x4_t sum[OUTPUTS];
    for (int32_t i = 0; i < count; i++) {
        sum[i] = bias;
    }
    for (int32_t y = 0; y < 3; y++) {
        const int32x4_t w0 = vldrbq_s32(weights + 12 * y);
        const int32x4_t w1 = vldrbq_s32(weights + 12 * y + 4);
        const int32x4_t w2 = vldrbq_s32(weights + 12 * y + 8);
        const int8_t *x = s->row[y] + offset;
#pragma GCC unroll 9
        for (int32_t i = 0; i < (count - 1) * stride + 3; i++) {
            const int32x4_t v = vldrbq_s32(x);
            x += channels;
            /* Output o sees this column as its tap i - o * stride. */
#pragma GCC unroll 4
            for (int32_t o = 0; o < count; o++) {
                const int32_t tap = i - o * stride;
                if (tap >= 0 && tap < 3) {
                    const int32x4_t w = tap == 0 ? w0 : tap == 1 ? w1 : w2;
                    sum[o] = vaddq_s32(sum[o], vmulq_s32(v, w));
                }
            }
        }
    }
    const int32x4_t multiplier = vldrwq_s32(quant + 4);
    const int32x4_t shift = vldrwq_s32(quant + 8);
    for (int32_t i = 0; i < count; i++) {
        int32x4_t y = vqrdmulhq_s32(sum[i], multiplier);
        if (s->exact) {
            y = vqaddq_s32(y, vshrq_n_s32(vandq_s32(y, shift), 31));
        }
        y = vaddq_n_s32(vrshlq_s32(y, shift), s->zero);
        y = vminq_s32(vmaxq_s32(y, s->low), s->high);
        vstrbq_s32(output, y);
        output += channels;
    }
    return output;
}

static inline __attribute__((always_inline)) void
row_of_outputs(const state *s, const int8_t *weights, const int32_t *quant, int32_t out_w,
               int8_t *output, const int32_t stride) {
    for (int32_t c = 0; c < s->channels; c += 4) {
        int8_t *to = output + c;
        int32_t offset = c;
        int32_t left = out_w;
        for (; left >= 3; left -= 3) {
            to = outputs(s, weights, quant, offset, to, 3, stride);
            offset += 3 * stride * s->channels;
        }
        if (left == 2) {
            outputs(s, weights, quant, offset, to, 2, stride);
        } else if (left == 1) {
            outputs(s, weights, quant, offset, to, 1, stride);
        }
        weights += 36;
        quant += 12;
    }
}

static void row_of_any(const state *s, const int8_t *weights, const int32_t *quant, int32_t out_w,
                       int8_t *output, int32_t stride) {
    for (int32_t c = 0; c < s->channels; c += 4) {
        int8_t *to = output + c;
        for (int32_t x = 0; x < out_w; x++) {
            to = outputs(s, weights, quant, c + x * stride * s->channels, to, 1, 1);
        }
        weights += 36;
        quant += 12;
    }
}

void nb_mve_depthwise_3x3_s8(const nb_mve_depthwise_3x3_s8_params *p, const int8_t *input,
                             const int8_t *weights, const int32_t *quant, int8_t *ring,
                             int8_t *output) {
    const int32_t row_bytes = p->in_w * p->channels;
    const int32_t pitch = p->pitch;
    const int32_t lead = p->pad_left * p->channels;
    const int32_t inside = p->width * p->channels;
    state s = {{ring, ring, ring},     p->channels, p->exact, p->output_zero, vdupq_n_s32(p->low),
               vdupq_n_s32(p->high)};
    for (int32_t b = 0; b < p->batches; b++) {
        int32_t have = -p->pad_top; /* the next row of the image to bring */
        nb_mve_fill(ring, p->input_zero, 3 * pitch);
        for (int32_t oy = 0; oy < p->out_h; oy++) {
            const int32_t y = oy * p->stride_h - p->pad_top;
            have = have < y ? y : have;
            for (; have < y + 3; have++) {
                int8_t *slot = ring + ((have + p->pad_top) % 3) * pitch;
                if (have >= 0 && have < p->in_h) {
                    nb_mve_copy(slot + lead, input + have * row_bytes, inside);
                } else {
                    nb_mve_fill(slot, p->input_zero, pitch);
                }
            }
            for (int32_t i = 0; i < 3; i++) {
                s.row[i] = ring + ((y + i + p->pad_top) % 3) * pitch;
            }
            if (p->stride_w == 1) {
                row_of_outputs(&s, weights, quant, p->out_w, output, 1);
            } else if (p->stride_w == 2) {
                row_of_outputs(&s, weights, quant, p->out_w, output, 2);
            } else {
                row_of_any(&s, weights, quant, p->out_w, output, p->stride_w);
            }
            output += p->out_w * p->channels;
        }
        input += p->in_h * row_bytes;
    }
}
