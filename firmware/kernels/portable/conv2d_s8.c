/* conv2d_s8.c: int8 convolution, portable C.
 *
 * Equals TensorFlow Lite Micro's reference CONV_2D with per-channel scales. The input's offset is
 * folded into the bias when the network is compiled, so that the inner loop multiplies raw bytes;
 * padded places hold the input's zero point, which makes the folding exact there too.
 *
 * Windows are copied to two columns of scratch (a 1x1 convolution reads the input itself), then
 * two columns meet two output channels at a time. Four steps of the inner loop are 16 loads, 16
 * multiply-adds and 7 for pointers and loop: 39 instructions for 16 multiply-adds, 2.4 each (GCC 12
 * -O2 for Cortex-M4). Requantizing and storing an output takes about 28 more. An odd last column or
 * channel is computed twice rather than in a second loop. A core that has Thumb-1 alone (Cortex-M0+)
 * has eight registers to multiply in, and GCC 12 spills within the loop (25 instructions for four
 * multiply-adds); there the loop is assembly with the sums in the high registers, 14.25 for four. Counted over whole layers on an emulated
 * Cortex-M4: 1x1 with 64 channels 3.0, 3x3 with 16 to 64 channels 2.5 to 2.8, 3x3 on three channels
 * 4.5 to 5. No assumption about shapes or alignment.
 */
#include <string.h>

#include "nb_kernels.h"
#include "nb_requant.h"

typedef struct {
    int32_t depth, out_c, output_zero, low, high;
} tile;

static inline int8_t finish(int32_t sum, const int32_t *quant, const tile *t)
{
    sum = nb_requant(sum, quant[1], quant[2]) + t->output_zero;
    return (int8_t)nb_clamp(sum, t->low, t->high);
}

/* Two columns against two rows of weights, `depth` at least 1: what each sum gains. */
typedef struct {
    const int8_t *a0, *a1, *w0, *w1; /* 0 to 12 */
    int32_t depth;                   /* 16 */
    int32_t sum00, sum10, sum01, sum11;
} square;

#if defined(__thumb__) && !defined(__thumb2__)
_Static_assert(sizeof(square) == 36, "the assembly counts on its layout");

/* clang-format off */
#define TAP \
    "ldrsb r5, [r0, r4]\n\t" \
    "ldrsb r6, [r2, r4]\n\t" \
    "movs r7, r5\n\t" \
    "muls r7, r6\n\t" \
    "add r8, r7\n\t" \
    "ldrsb r7, [r1, r4]\n\t" \
    "muls r6, r7\n\t" \
    "add r9, r6\n\t" \
    "ldrsb r6, [r3, r4]\n\t" \
    "muls r5, r6\n\t" \
    "add r10, r5\n\t" \
    "muls r6, r7\n\t" \
    "add r11, r6\n\t" \
    "adds r4, #1\n\t"

__attribute__((naked, noinline)) static void add_products(square *s __attribute__((unused))) {
    __asm volatile(
        ".syntax unified\n\t"
        "push {r0, r4-r7, lr}\n\t"
        "mov r4, r8\n\t"
        "mov r5, r9\n\t"
        "mov r6, r10\n\t"
        "mov r7, r11\n\t"
        "push {r4-r7}\n\t"
        "movs r1, r0\n\t"
        "adds r1, #20\n\t"
        "ldmia r1!, {r4-r7}\n\t"
        "mov r8, r4\n\t"
        "mov r9, r5\n\t"
        "mov r10, r6\n\t"
        "mov r11, r7\n\t"
        "ldmia r0, {r0-r4}\n\t"
        "adds r0, r4\n\t" /* the ends; the place counts up to 0 */
        "adds r1, r4\n\t"
        "adds r2, r4\n\t"
        "adds r3, r4\n\t"
        "rsbs r4, r4, #0\n"
        "1:\n\t"
        "lsls r5, r4, #30\n\t"
        "beq 2f\n\t"
        TAP
        "b 1b\n"
        "2:\n\t"
        "cmp r4, #0\n\t"
        "beq 4f\n"
        "3:\n\t"
        TAP TAP TAP TAP
        "bne 3b\n"
        "4:\n\t"
        "mov r0, r8\n\t"
        "mov r1, r9\n\t"
        "mov r2, r10\n\t"
        "mov r3, r11\n\t"
        "pop {r4-r7}\n\t"
        "mov r8, r4\n\t"
        "mov r9, r5\n\t"
        "mov r10, r6\n\t"
        "mov r11, r7\n\t"
        "pop {r4}\n\t"
        "adds r4, #20\n\t"
        "stmia r4!, {r0-r3}\n\t"
        "pop {r4-r7, pc}");
}
/* clang-format on */
#else
static inline void add_products(square *s)
{
    const int8_t *a0 = s->a0;
    const int8_t *a1 = s->a1;
    const int8_t *w0 = s->w0;
    const int8_t *w1 = s->w1;
    const int8_t *end = a0 + s->depth;
    int32_t sum00 = s->sum00;
    int32_t sum10 = s->sum10;
    int32_t sum01 = s->sum01;
    int32_t sum11 = s->sum11;
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
    s->sum00 = sum00;
    s->sum10 = sum10;
    s->sum01 = sum01;
    s->sum11 = sum11;
}
#endif

/* Two columns of t->depth values against all output channels. The columns may be the same one, and
 * the outputs too. */
static void multiply_pair(const tile *t, const int8_t *column0, const int8_t *column1,
                          const int8_t *weights, const int32_t *quant, int8_t *out0, int8_t *out1)
{
    const tile local = *t;
    for (int32_t c = 0; c < local.out_c; c += 2) {
        const int32_t next = c + 1 < local.out_c ? 1 : 0;
        const int32_t *quant1 = quant + next * NB_QUANT_WORDS;
        square s = {column0,     column1,  weights,  weights + next * local.depth,
                    local.depth, quant[0], quant[0], quant1[0],
                    quant1[0]};
        add_products(&s);
        out0[c] = finish(s.sum00, quant, &local);
        out1[c] = finish(s.sum10, quant, &local);
        out0[c + next] = finish(s.sum01, quant1, &local);
        out1[c + next] = finish(s.sum11, quant1, &local);
        weights += 2 * local.depth;
        quant += 2 * NB_QUANT_WORDS;
    }
}

/* The window whose top left corner is (y, x) of one image, as a column. */
static void fill_column(const nb_conv2d_s8_params *p, const int8_t *image, int32_t y, int32_t x,
                        int8_t *column)
{
    const size_t pixel = (size_t)p->in_c;
    const int32_t row_bytes = p->in_w * p->in_c;
    const int inside = p->dilation_w == 1 && x >= 0 && x + p->kernel_w <= p->in_w;
    for (int32_t i = 0; i < p->kernel_h; i++, y += p->dilation_h) {
        const size_t run = (size_t)p->kernel_w * pixel;
        if (y < 0 || y >= p->in_h) {
            memset(column, p->input_zero, run);
            column += run;
        } else if (inside) {
            memcpy(column, image + y * row_bytes + x * p->in_c, run);
            column += run;
        } else {
            int32_t at = x;
            for (int32_t j = 0; j < p->kernel_w; j++, at += p->dilation_w) {
                if (at < 0 || at >= p->in_w) {
                    memset(column, p->input_zero, pixel);
                } else {
                    memcpy(column, image + y * row_bytes + at * p->in_c, pixel);
                }
                column += pixel;
            }
        }
    }
}

void nb_conv2d_s8(const nb_conv2d_s8_params *p, const int8_t *input, const int8_t *weights,
                  const int32_t *quant, int8_t *scratch, int8_t *output)
{
    const tile t = {p->kernel_h * p->kernel_w * p->in_c, p->out_c, p->output_zero, p->low, p->high};
    int8_t *pending = NULL;
    for (int32_t b = 0; b < p->batches; b++) {
        for (int32_t oy = 0; oy < p->out_h; oy++) {
            const int32_t y = oy * p->stride_h - p->pad_top;
            for (int32_t ox = 0; ox < p->out_w; ox++) {
                const int32_t x = ox * p->stride_w - p->pad_left;
                if (pending == NULL) {
                    fill_column(p, input, y, x, scratch);
                    pending = output;
                } else {
                    fill_column(p, input, y, x, scratch + t.depth);
                    multiply_pair(&t, scratch, scratch + t.depth, weights, quant, pending, output);
                    pending = NULL;
                }
                output += p->out_c;
            }
        }
        input += p->in_h * p->in_w * p->in_c;
    }
    if (pending != NULL) {
        multiply_pair(&t, scratch, scratch, weights, quant, pending, pending);
    }
}

void nb_conv1x1_s8(const nb_conv1x1_s8_params *p, const int8_t *input, const int8_t *weights,
                   const int32_t *quant, int8_t *output)
{
    const tile t = {p->in_c, p->out_c, p->output_zero, p->low, p->high};
    for (int32_t i = 0; i < p->pixels; i += 2) {
        const int32_t next = i + 1 < p->pixels ? 1 : 0;
        multiply_pair(&t, input, input + next * t.depth, weights, quant, output,
                      output + next * t.out_c);
        input += 2 * t.depth;
        output += 2 * t.out_c;
    }
}
