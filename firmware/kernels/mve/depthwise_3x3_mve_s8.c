/* depthwise_3x3_mve_s8.c: int8 depthwise convolution, 3x3, for cores with Helium (MVE).
 *
 * Equals TensorFlow Lite Micro's reference DEPTHWISE_CONV_2D, both roundings included, for a
 * multiplier of one, any strides, channels a multiple of four.
 *
 * The rows that a row of outputs needs lie in a ring of three, with the padding at both ends; each
 * row of the input is copied into it once. Four channels lie side by side in a vector of 32 bits;
 * three neighbouring outputs share the loads of weights and, with a stride of one, of activations.
 *
 * Where the instructions go, three outputs of four channels, stride one: per row of the window
 * three loads of weights, five of activations with a step each, nine VMUL and nine VADD (Helium has
 * no multiply-add of two vectors): 31; rescaling and storing 18: with the loop about 11 per output,
 * 1.2 per multiply-add. The limit are VMUL and VADD, 4.5 per output, and the rescaling, 1.5.
 *
 * Scheduling before register allocation and the regrouping of expressions are off: with them GCC
 * 12 forms all products of a window first and spills twenty of them.
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-schedule-insns", "no-tree-ter")
#endif
#include "nb_kernels_mve.h"
#include "nb_mve.h"

typedef struct {
    const int8_t *row[3];
    int32_t channels;
    int32_t exact, zero;
    int32_t low, high;
} state;

/* One column of the window's row: its four channels, and the step to the next. */
static inline int32x4_t column(const int8_t **x, int32_t step) {
    const int32x4_t v = vldrbq_s32(*x);
    *x += step;
    return v;
}

#define ADD(sum, v, w) sum = vaddq_s32(sum, vmulq_s32(v, w))
#define WEIGHTS(y) \
    const int32x4_t w0 = vldrbq_s32(weights + 12 * (y)); \
    const int32x4_t w1 = vldrbq_s32(weights + 12 * (y) + 4); \
    const int32x4_t w2 = vldrbq_s32(weights + 12 * (y) + 8); \
    const int8_t *x = s->row[y] + offset

/* Rescales up to three sums and stores them. */
static inline int8_t *put(const state *s, const int32_t *quant, int8_t *output, int32_t count,
                          int32x4_t a, int32x4_t b, int32x4_t c) {
    const int32_t step = s->channels;
    const int32x4_t multiplier = vldrwq_s32(quant + 4);
    const int32x4_t shift = vldrwq_s32(quant + 8);
    a = vqrdmulhq_s32(a, multiplier);
    b = vqrdmulhq_s32(b, multiplier);
    c = vqrdmulhq_s32(c, multiplier);
    if (s->exact) {
        a = vqaddq_s32(a, vshrq_n_s32(vandq_s32(a, shift), 31));
        b = vqaddq_s32(b, vshrq_n_s32(vandq_s32(b, shift), 31));
        c = vqaddq_s32(c, vshrq_n_s32(vandq_s32(c, shift), 31));
    }
    const int32_t zero = s->zero;
    a = vaddq_n_s32(vrshlq_s32(a, shift), zero);
    b = vaddq_n_s32(vrshlq_s32(b, shift), zero);
    c = vaddq_n_s32(vrshlq_s32(c, shift), zero);
    const int32x4_t low = vdupq_n_s32(s->low);
    const int32x4_t high = vdupq_n_s32(s->high);
    a = vminq_s32(vmaxq_s32(a, low), high);
    b = vminq_s32(vmaxq_s32(b, low), high);
    c = vminq_s32(vmaxq_s32(c, low), high);
    vstrbq_s32(output, a);
    output += step;
    if (count > 1) {
        vstrbq_s32(output, b);
        output += step;
    }
    if (count > 2) {
        vstrbq_s32(output, c);
        output += step;
    }
    return output;
}

/* Three outputs side by side of four channels. With their sums, the weights of a row, a column and
 * a product they fill the eight vector registers. */
static inline int8_t *three(const state *s, const int8_t *weights, const int32_t *quant,
                            int32_t offset, int8_t *output, int32_t stride) {
    const int32_t step = s->channels;
    int32x4_t a = vldrwq_s32(quant);
    int32x4_t b = a;
    int32x4_t c = a;
    if (stride == 1) {
#define ROW(y) \
    do { \
        WEIGHTS(y); \
        int32x4_t v = column(&x, step); \
        ADD(a, v, w0); \
        v = column(&x, step); \
        ADD(a, v, w1); \
        ADD(b, v, w0); \
        v = column(&x, step); \
        ADD(a, v, w2); \
        ADD(b, v, w1); \
        ADD(c, v, w0); \
        v = column(&x, step); \
        ADD(b, v, w2); \
        ADD(c, v, w1); \
        v = column(&x, step); \
        ADD(c, v, w2); \
    } while (0)
        ROW(0);
        ROW(1);
        ROW(2);
#undef ROW
    } else {
#define ROW(y) \
    do { \
        WEIGHTS(y); \
        int32x4_t v = column(&x, step); \
        ADD(a, v, w0); \
        v = column(&x, step); \
        ADD(a, v, w1); \
        v = column(&x, step); \
        ADD(a, v, w2); \
        ADD(b, v, w0); \
        v = column(&x, step); \
        ADD(b, v, w1); \
        v = column(&x, step); \
        ADD(b, v, w2); \
        ADD(c, v, w0); \
        v = column(&x, step); \
        ADD(c, v, w1); \
        v = column(&x, step); \
        ADD(c, v, w2); \
    } while (0)
        ROW(0);
        ROW(1);
        ROW(2);
#undef ROW
    }
    return put(s, quant, output, 3, a, b, c);
}

static inline int8_t *two(const state *s, const int8_t *weights, const int32_t *quant,
                          int32_t offset, int8_t *output) {
    const int32_t step = s->channels;
    int32x4_t a = vldrwq_s32(quant);
    int32x4_t b = a;
#define ROW(y) \
    do { \
        WEIGHTS(y); \
        int32x4_t v = column(&x, step); \
        ADD(a, v, w0); \
        v = column(&x, step); \
        ADD(a, v, w1); \
        ADD(b, v, w0); \
        v = column(&x, step); \
        ADD(a, v, w2); \
        ADD(b, v, w1); \
        v = column(&x, step); \
        ADD(b, v, w2); \
    } while (0)
    ROW(0);
    ROW(1);
    ROW(2);
#undef ROW
    return put(s, quant, output, 2, a, b, b);
}

static inline int8_t *one(const state *s, const int8_t *weights, const int32_t *quant,
                          int32_t offset, int8_t *output) {
    const int32_t step = s->channels;
    int32x4_t a = vldrwq_s32(quant);
#define ROW(y) \
    do { \
        WEIGHTS(y); \
        int32x4_t v = column(&x, step); \
        ADD(a, v, w0); \
        v = column(&x, step); \
        ADD(a, v, w1); \
        v = column(&x, step); \
        ADD(a, v, w2); \
    } while (0)
    ROW(0);
    ROW(1);
    ROW(2);
#undef ROW
    return put(s, quant, output, 1, a, a, a);
}

static void row_of_outputs(const state *s, const int8_t *weights, const int32_t *quant,
                           int32_t out_w, int8_t *output, int32_t stride) {
    const int32_t step = stride * s->channels;
    for (int32_t c = 0; c < s->channels; c += 4) {
        int8_t *to = output + c;
        int32_t offset = c;
        int32_t left = out_w;
        if (stride == 1) {
            for (; left >= 3; left -= 3) {
                to = three(s, weights, quant, offset, to, 1);
                offset += 3 * step;
            }
            if (left == 2) {
                two(s, weights, quant, offset, to);
                left = 0;
            }
        } else if (stride == 2) {
            for (; left >= 3; left -= 3) {
                to = three(s, weights, quant, offset, to, 2);
                offset += 3 * step;
            }
        }
        for (; left > 0; left--) {
            to = one(s, weights, quant, offset, to);
            offset += step;
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
    state s = {{ring, ring, ring},     p->channels, p->exact, p->output_zero, p->low, p->high};
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
            row_of_outputs(&s, weights, quant, p->out_w, output, p->stride_w);
            output += p->out_w * p->channels;
        }
        input += p->in_h * row_bytes;
    }
}
