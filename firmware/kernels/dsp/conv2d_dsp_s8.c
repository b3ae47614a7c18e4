/* conv2d_dsp_s8.c: int8 convolution for cores with the DSP extension.
 *
 * Equals TensorFlow Lite Micro's reference CONV_2D, both roundings included. Two windows at a time
 * meet four output channels at a time (see nb_dsp.h for the packing of the weights).
 *
 * Where the instructions go: per four taps, four channels and two windows, 32 multiply-adds, two
 * LDRD of activations, two LDRD of weights, four SXTB16 and sixteen SMLAD: 24, with the loop over
 * sixteen taps 24.75, so 0.77 per multiply-add. Widening a window takes a good instruction per tap
 * and serves all its output channels. Requantizing and storing takes 5.9 per output after a ReLU
 * whose zero is the lowest code, else 9: bias, multiplier, rounding and shift are loaded for both
 * windows at once, the output's zero point rides in the rounding, SMMLAR multiplies, rounds and
 * adds it. The limit are the sixteen SMLAD: 0.5 per multiply-add. The pass is assembly because it
 * needs fourteen registers at once, two in even and odd positions for LDRD; GCC 12 spills four of
 * them within the loop.
 */
#include "nb_dsp.h"
#include "nb_kernels_dsp.h"

/* clang-format off */
#define STEP \
    "ldrd r2, r3, [r1], #8\n\t" \
    "ldrd r12, lr, [r0], #8\n\t" \
    "smlad r5, r12, r2, r5\n\t" \
    "smlad r9, r12, r3, r9\n\t" \
    "sxtb16 r12, r12\n\t" \
    "smlad r4, r12, r2, r4\n\t" \
    "smlad r8, r12, r3, r8\n\t" \
    "smlad r7, lr, r2, r7\n\t" \
    "smlad r11, lr, r3, r11\n\t" \
    "sxtb16 lr, lr\n\t" \
    "smlad r6, lr, r2, r6\n\t" \
    "smlad r10, lr, r3, r10\n\t"

/* A channel's two sums, doubled by `twice` (the even channel is left-shifted by one, the odd one
 * comes as 256 times its sum). */
#define RELU(a, b, twice) \
    "ldmia r1!, {r2, r3, r12}\n\t" \
    twice(a) twice(b) \
    "smmlar " a ", " a ", r2, r3\n\t" \
    "smmlar " b ", " b ", r2, r3\n\t" \
    "asr " a ", " a ", r12\n\t" \
    "asr " b ", " b ", r12\n\t" \
    "ssat " a ", #8, " a "\n\t" \
    "ssat " b ", #8, " b "\n\t"
#define EXACT(a, b, twice) \
    "ldmia r1!, {r2, r3, r12}\n\t" \
    twice(a) twice(b) \
    "smmulr " a ", " a ", r2\n\t" \
    "smmulr " b ", " b ", r2\n\t" \
    "add " a ", " a ", " a ", asr #31\n\t" \
    "add " b ", " b ", " b ", asr #31\n\t" \
    "add " a ", " a ", r3\n\t" \
    "add " b ", " b ", r3\n\t" \
    "asr " a ", " a ", r12\n\t" \
    "asr " b ", " b ", r12\n\t" \
    "ssat " a ", #8, " a "\n\t" \
    "ssat " b ", #8, " b "\n\t"
#define EVEN(a) "lsl " a ", " a ", #1\n\t"
#define ODD(a) "asr " a ", " a ", #7\n\t"
#define PACK(a, b, c, d) \
    "bfi " a ", " b ", #8, #8\n\t" \
    "bfi " c ", " d ", #8, #8\n\t" \
    "pkhbt " a ", " a ", " c ", lsl #16\n\t"
#define CLAMP(a) \
    "ssub8 r12, " a ", r2\n\t" \
    "sel " a ", " a ", r2\n\t" \
    "ssub8 r12, " a ", r3\n\t" \
    "sel " a ", r3, " a "\n\t"

__attribute__((naked, noinline)) void nb_dsp_pass_4x2(nb_dsp_pass *pass __attribute__((unused))) {
    __asm volatile(
        "push {r4-r11, lr}\n\t"
        "sub sp, #12\n\t"
        "ldr r1, [r0, #8]\n\t"
        "ldr r2, [r0, #12]\n\t"
        "strd r1, r2, [sp, #4]\n\t"
        "mov lr, r0\n\t"
        "ldr r0, [lr]\n\t"
        "str lr, [sp]\n"
        "1:\n\t" /* four channels */
        "ldr r1, [lr, #16]\n\t"
        "ldmia r1!, {r4, r5, r6, r7}\n\t"
        "str r1, [lr, #16]\n\t"
        "ldr r1, [lr, #4]\n\t"
        "ldr r12, [sp, #4]\n\t"
        "mov r8, r4\n\t"
        "mov r9, r5\n\t"
        "mov r10, r6\n\t"
        "mov r11, r7\n\t"
        "cmp r1, r12\n\t"
        "beq 3f\n"
        "2:\n\t" /* sixteen taps */
        STEP STEP STEP STEP STEP STEP STEP STEP
        "ldr r12, [sp, #4]\n\t"
        "cmp r1, r12\n\t"
        "bne 2b\n"
        "3:\n\t" /* the other taps, four at a time */
        "ldr r12, [sp, #8]\n\t"
        "cmp r1, r12\n\t"
        "beq 4f\n\t"
        STEP STEP
        "b 3b\n"
        "4:\n\t"
        "ldr lr, [sp]\n\t"
        "ldr r1, [lr, #16]\n\t"
        "ldr r2, [lr, #32]\n\t"
        "sub r5, r5, r4\n\t"
        "sub r9, r9, r8\n\t"
        "sub r7, r7, r6\n\t"
        "sub r11, r11, r10\n\t"
        "cmp r2, #0\n\t"
        "bne.w 5f\n\t"
        RELU("r4", "r8", EVEN)
        RELU("r5", "r9", ODD)
        RELU("r6", "r10", EVEN)
        RELU("r7", "r11", ODD)
        PACK("r4", "r5", "r6", "r7")
        PACK("r8", "r9", "r10", "r11")
        "b 6f\n"
        "5:\n\t"
        EXACT("r4", "r8", EVEN)
        EXACT("r5", "r9", ODD)
        EXACT("r6", "r10", EVEN)
        EXACT("r7", "r11", ODD)
        PACK("r4", "r5", "r6", "r7")
        PACK("r8", "r9", "r10", "r11")
        "ldrd r2, r3, [lr, #36]\n\t"
        CLAMP("r4")
        CLAMP("r8")
        "6:\n\t"
        "str r1, [lr, #16]\n\t"
        "ldrd r2, r3, [lr, #20]\n\t"
        "ldr r12, [lr, #28]\n\t"
        "subs r12, #4\n\t"
        "blt 7f\n\t"
        "str r4, [r2], #4\n\t"
        "str r8, [r3], #4\n\t"
        "strd r2, r3, [lr, #20]\n\t"
        "str r12, [lr, #28]\n\t"
        "bne 1b\n\t"
        "b 9f\n"
        "7:\n\t" /* fewer than four channels are left */
        "add r12, #4\n"
        "8:\n\t"
        "strb r4, [r2], #1\n\t"
        "strb r8, [r3], #1\n\t"
        "lsr r4, r4, #8\n\t"
        "lsr r8, r8, #8\n\t"
        "subs r12, #1\n\t"
        "bne 8b\n"
        "9:\n\t"
        "add sp, #12\n\t"
        "pop {r4-r11, pc}");
}
/* clang-format on */

static inline void run_pass(const nb_dsp_conv2d_s8_params *p, nb_dsp_pass *pass,
                            const int8_t *weights, const int32_t *quant, int8_t *out0, int8_t *out1)
{
    pass->weights = weights;
    pass->quant = quant;
    pass->out0 = out0;
    pass->out1 = out1;
    pass->channels = p->out_c;
    nb_dsp_pass_4x2(pass);
}

static inline nb_dsp_pass start(const nb_dsp_conv2d_s8_params *p, const uint32_t *column)
{
    nb_dsp_pass pass = {0};
    pass.column = column;
    pass.quarter = column + (p->words & ~3) * 4;
    pass.end = column + p->words * 4;
    pass.exact = p->exact;
    pass.low4 = (uint32_t)(p->low & 0xff) * 0x01010101u;
    pass.high4 = (uint32_t)(p->high & 0xff) * 0x01010101u;
    return pass;
}

void nb_dsp_conv1x1_s8(const nb_dsp_conv2d_s8_params *p, const int8_t *input, const int8_t *weights,
                       const int32_t *quant, uint32_t *column, int8_t *output)
{
    nb_dsp_pass pass = start(p, column);
    const int32_t in_c = p->in_c;
    const int32_t out_c = p->out_c;
    for (int32_t left = p->batches * p->out_h * p->out_w; left > 0; left -= 2) {
        const int32_t next = left > 1 ? 1 : 0;
        nb_widen_run(input, input + next * in_c, in_c, column);
        run_pass(p, &pass, weights, quant, output, output + next * out_c);
        input += 2 * in_c;
        output += 2 * out_c;
    }
}

/* Rows of one image with their padding, the last `rows` of those that were brought. */
typedef struct {
    const int8_t *image;
    int8_t *slots;
    int32_t have; /* the next row of the image to bring, from -pad_top */
} ring;

/* Bring the rows above `stop`. */
static void bring(const nb_dsp_conv2d_s8_params *p, ring *r, int32_t first, int32_t stop)
{
    r->have = r->have < first ? first : r->have;
    for (; r->have < stop; r->have++) {
        int8_t *slot = r->slots + (r->have + p->pad_top) % p->ring_rows * p->pitch;
        if (r->have >= 0 && r->have < p->in_h) {
            memcpy(slot + p->pad_left * p->in_c, r->image + r->have * p->in_w * p->in_c,
                   (size_t)(p->width * p->in_c));
        } else {
            memset(slot, p->input_zero, (size_t)p->pitch);
        }
    }
}

/* Two windows, given by the ring's slot of their first row and the offset in a row. */
static void fill_columns(const nb_dsp_conv2d_s8_params *p, const int8_t *slots, int32_t slot0,
                         int32_t offset0, int32_t slot1, int32_t offset1, uint32_t *column)
{
    for (int32_t i = p->kernel_h; i > 0; i--) {
        const int8_t *p0 = slots + slot0 * p->pitch + offset0;
        const int8_t *p1 = slots + slot1 * p->pitch + offset1;
        column = nb_widen_run(p0, p1, p->run, column);
        for (int32_t j = p->runs_w - 1; j > 0; j--) {
            p0 += p->dilation_w * p->in_c;
            p1 += p->dilation_w * p->in_c;
            column = nb_widen_run(p0, p1, p->run, column);
        }
        slot0 += p->dilation_h;
        slot0 -= slot0 >= p->ring_rows ? p->ring_rows : 0;
        slot1 += p->dilation_h;
        slot1 -= slot1 >= p->ring_rows ? p->ring_rows : 0;
    }
}

/* One output to the right, or to the start of the next row, whose rows are brought. */
static void next_pixel(const nb_dsp_conv2d_s8_params *p, ring *r, int32_t *y, int32_t *slot,
                       int32_t *offset)
{
    const int32_t step = p->stride_w * p->in_c;
    *offset += step;
    if (*offset == p->out_w * step) {
        *offset = 0;
        *y += p->stride_h;
        *slot = (*y + p->pad_top) % p->ring_rows;
        bring(p, r, *y, *y + p->reach_h);
    }
}

void nb_dsp_conv2d_s8(const nb_dsp_conv2d_s8_params *p, const int8_t *input, const int8_t *weights,
                      const int32_t *quant, uint32_t *column, int8_t *output)
{
    nb_dsp_pass pass = start(p, column);
    const int32_t out_c = p->out_c;
    for (int32_t b = 0; b < p->batches; b++) {
        ring r = {input, (int8_t *)(column + p->words * 4), -p->pad_top};
        memset(r.slots, p->input_zero, (size_t)(p->ring_rows * p->pitch));
        int32_t y = -p->pad_top;
        int32_t slot = 0;
        int32_t offset = 0;
        bring(p, &r, y, y + p->reach_h);
        for (int32_t left = p->out_h * p->out_w; left > 0; left -= 2) {
            const int32_t slot0 = slot;
            const int32_t offset0 = offset;
            int8_t *output1 = output;
            if (left > 1) {
                next_pixel(p, &r, &y, &slot, &offset);
                output1 += out_c;
            }
            fill_columns(p, r.slots, slot0, offset0, slot, offset, column);
            run_pass(p, &pass, weights, quant, output, output1);
            output = output1 + out_c;
            if (left > 2) {
                next_pixel(p, &r, &y, &slot, &offset);
            }
        }
        input += p->in_h * p->in_w * p->in_c;
    }
}
