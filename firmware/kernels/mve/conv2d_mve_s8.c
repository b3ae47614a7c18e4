/* conv2d_mve_s8.c: int8 convolution for cores with Helium (MVE).
 *
 * Equals TensorFlow Lite Micro's reference CONV_2D, both roundings included. Windows are copied to
 * columns, two at a time, and meet four output channels at a time. Weights lie in the order in
 * which they are used: per four channels, per sixteen taps, sixteen taps of each.
 *
 * Where the instructions go: per sixteen taps, four channels and two windows, 128 multiply-adds,
 * two loads of activations, four of weights and eight VMLADAVA: 14, with the loop over 32 taps 15,
 * so 0.12 per multiply-add. Requantizing and storing takes 4 per output, 4.8 where ties of negative
 * sums count; copying a window three instructions per 32 bytes and some ten per row. The limit are
 * the eight VMLADAVA, 0.06, which take two beats each on a Cortex-M55. Assembly, because VMLADAVA
 * wants its sum in an even register and GCC 12 runs out of them at six.
 */
#include "nb_kernels_mve.h"
#include "nb_mve.h"

/* clang-format off */
#define SIXTEEN(op) \
    "vldrb.8 q0, [r3], #16\n\t" \
    "vldrb.8 q1, [r5], #16\n\t" \
    "vldrb.8 q2, [r1], #16\n\t" \
    op " r0, q0, q2\n\t" \
    op " r8, q1, q2\n\t" \
    "vldrb.8 q3, [r1], #16\n\t" \
    op " r2, q0, q3\n\t" \
    op " r10, q1, q3\n\t" \
    "vldrb.8 q2, [r1], #16\n\t" \
    op " r4, q0, q2\n\t" \
    op " r12, q1, q2\n\t" \
    "vldrb.8 q3, [r1], #16\n\t" \
    op " r6, q0, q3\n\t" \
    op " lr, q1, q3\n\t"
#define FIRST SIXTEEN("vmladav.s8")
#define STEP SIXTEEN("vmladava.s8")

__attribute__((naked, noinline)) static void run_4x2(nb_mve_pass *pass __attribute__((unused))) {
    __asm volatile(
        "push {r4-r11, lr}\n\t"
        "vpush {d8-d11}\n\t"
        "mov r11, r0\n\t"
        "ldr r1, [r11]\n\t"
        "ldr r9, [r11, #16]\n\t"
        "ldrd r3, r5, [r11, #40]\n\t"
        "vdup.32 q4, r3\n\t"
        "vdup.32 q5, r5\n"
        "1:\n\t" /* four channels */
        "ldrd r3, r5, [r11, #4]\n\t"
        "ldr r7, [r11, #12]\n\t"
        FIRST
        "lsrs r7, r7, #1\n\t"
        "bcc 2f\n\t"
        STEP
        "2:\n\t"
        "beq 4f\n"
        "3:\n\t"
        STEP STEP
        "subs r7, #1\n\t"
        "bne 3b\n"
        "4:\n\t"
        NB_MVE_GATHER("q0", "r0", "r2", "r4", "r6")
        NB_MVE_GATHER("q1", "r8", "r10", "r12", "lr")
        "vldrw.32 q2, [r9], #16\n\t"
        "vadd.i32 q0, q0, q2\n\t"
        "vadd.i32 q1, q1, q2\n\t"
        "vldrw.32 q2, [r9], #16\n\t"
        "vldrw.32 q3, [r9], #16\n\t"
        "vqrdmulh.s32 q0, q0, q2\n\t"
        "vqrdmulh.s32 q1, q1, q2\n\t"
        "ldrd r7, r3, [r11, #32]\n\t"
        "cbz r7, 5f\n\t"
        NB_MVE_AWAY("q0", "q3", "q2")
        NB_MVE_AWAY("q1", "q3", "q2")
        "5:\n\t"
        "vrshl.s32 q0, q0, q3\n\t"
        "vrshl.s32 q1, q1, q3\n\t"
        "vadd.i32 q0, q0, r3\n\t"
        "vadd.i32 q1, q1, r3\n\t"
        "ldrd r3, r5, [r11, #20]\n\t"
        "ldr r7, [r11, #48]\n\t"
        "vmax.s32 q0, q0, q4\n\t"
        "vmax.s32 q1, q1, q4\n\t"
        "vmin.s32 q0, q0, q5\n\t"
        "vmin.s32 q1, q1, q5\n\t"
        "cmp r9, r7\n\t"
        "beq 6f\n\t"
        "vstrb.32 q0, [r3], #4\n\t"
        "vstrb.32 q1, [r5], #4\n\t"
        "strd r3, r5, [r11, #20]\n\t"
        "b 1b\n"
        "6:\n\t" /* the last one to four channels */
        "ldr r7, [r11, #28]\n\t"
        "vctp.32 r7\n\t"
        "vpstt\n\t"
        "vstrbt.32 q0, [r3]\n\t"
        "vstrbt.32 q1, [r5]\n\t"
        "vpop {d8-d11}\n\t"
        "pop {r4-r11, pc}");
}
/* clang-format on */

static inline nb_mve_pass start(const nb_mve_conv2d_s8_params *p, const int8_t *columns,
                                const int32_t *quant)
{
    nb_mve_pass pass = {0};
    pass.x0 = columns;
    pass.x1 = columns + 16 * p->blocks;
    pass.blocks = p->blocks - 1;
    pass.channels = ((p->out_c - 1) & 3) + 1;
    pass.quant_end = quant + 12 * ((p->out_c + 3) >> 2);
    pass.exact = p->exact;
    pass.zero = p->output_zero;
    pass.low = p->low;
    pass.high = p->high;
    return pass;
}

static inline void run_pass(nb_mve_pass *pass, const int8_t *weights, const int32_t *quant,
                            int8_t *out0, int8_t *out1)
{
    pass->weights = weights;
    pass->quant = quant;
    pass->out0 = out0;
    pass->out1 = out1;
    run_4x2(pass);
}

/* One run of a window into the column: whole sixteens are copied, what they bring beyond the run is
 * overwritten by the next run or meets weights of zero. */
static inline void copy_run(int8_t *to, const int8_t *from, int32_t blocks)
{
    if (blocks == 1) {
        vstrbq_s8(to, vldrbq_s8(from));
        return;
    }
    for (int32_t k = blocks; k > 0; k--) {
        vstrbq_s8(to, vldrbq_s8(from));
        to += 16;
        from += 16;
    }
}

void nb_mve_conv1x1_s8(const nb_mve_conv2d_s8_params *p, const int8_t *input, const int8_t *weights,
                       const int32_t *quant, int8_t *columns, int8_t *output)
{
    nb_mve_pass pass = start(p, columns, quant);
    const int32_t in_c = p->in_c;
    const int32_t out_c = p->out_c;
    const int32_t blocks = p->blocks;
    const int whole = (in_c & 15) == 0;
    for (int32_t left = p->batches * p->out_h * p->out_w; left > 0; left -= 2) {
        const int32_t next = left > 1 ? 1 : 0;
        if (whole) {
            copy_run(columns, input, blocks);
            copy_run(columns + in_c, input + next * in_c, blocks);
        } else {
            nb_mve_copy(columns, input, in_c);
            nb_mve_copy(columns + 16 * blocks, input + next * in_c, in_c);
        }
        run_pass(&pass, weights, quant, output, output + next * out_c);
        input += 2 * in_c;
        output += 2 * out_c;
    }
}

/* Rows of one image with their padding, the last ring_rows of those that were brought. */
typedef struct {
    const int8_t *image;
    int8_t *slots;
    int32_t have; /* the next row of the image to bring, from -pad_top */
    int32_t y, slot, offset;
} ring;

/* Bring the rows of the window at r->y. */
static void bring(const nb_mve_conv2d_s8_params *p, ring *r)
{
    r->have = r->have < r->y ? r->y : r->have;
    r->slot = (r->y + p->pad_top) % p->ring_rows;
    for (; r->have < r->y + p->reach_h; r->have++) {
        int8_t *slot = r->slots + (r->have + p->pad_top) % p->ring_rows * p->pitch;
        if (r->have >= 0 && r->have < p->in_h) {
            nb_mve_copy(slot + p->pad_left * p->in_c, r->image + r->have * p->in_w * p->in_c,
                        p->width * p->in_c);
        } else {
            nb_mve_fill(slot, p->input_zero, p->pitch);
        }
    }
}

/* The ring's window as a column; moves on to the next output's window. */
static inline __attribute__((always_inline)) void
take_column(const nb_mve_conv2d_s8_params *p, ring *r, int32_t step, int32_t end, int8_t *column)
{
    if (r->offset == end) {
        r->offset = 0;
        r->y += p->stride_h;
        bring(p, r);
    }
    const int32_t run = p->run;
    const int32_t blocks = (run + 15) >> 4;
    const int32_t down = p->dilation_h * p->pitch;
    const int32_t size = p->ring_rows * p->pitch;
    const int8_t *from = r->slots + r->slot * p->pitch + r->offset;
    const int8_t *const wrap = r->slots + size + r->offset;
    r->offset += step;
    if (p->runs_w == 1) {
        for (int32_t i = p->kernel_h; i > 0; i--) {
            copy_run(column, from, blocks);
            column += run;
            from += down;
            from -= from >= wrap ? size : 0;
        }
        return;
    }
    for (int32_t i = p->kernel_h; i > 0; i--) {
        const int8_t *at = from;
        for (int32_t j = p->runs_w; j > 0; j--) {
            copy_run(column, at, blocks);
            column += run;
            at += p->dilation_w * p->in_c;
        }
        from += down;
        from -= from >= wrap ? size : 0;
    }
}

void nb_mve_conv2d_s8(const nb_mve_conv2d_s8_params *params, const int8_t *input,
                      const int8_t *weights, const int32_t *quant, int8_t *columns, int8_t *output)
{
    /* A copy of its own: the stores into the columns could be to *params otherwise. */
    const nb_mve_conv2d_s8_params local = *params;
    const nb_mve_conv2d_s8_params *const p = &local;
    nb_mve_pass pass = start(p, columns, quant);
    const int32_t step = p->stride_w * p->in_c;
    const int32_t end = p->out_w * step;
    const int32_t out_c = p->out_c;
    int8_t *const column0 = columns;
    int8_t *const column1 = columns + 16 * p->blocks + 16;
    for (int32_t b = 0; b < p->batches; b++) {
        ring r = {input, column1 + 16 * p->blocks + 16, -p->pad_top, -p->pad_top, 0, 0};
        nb_mve_fill(r.slots, p->input_zero, p->ring_rows * p->pitch);
        bring(p, &r);
        for (int32_t left = p->out_h * p->out_w; left > 0; left -= 2) {
            int8_t *output1 = output;
            take_column(p, &r, step, end, column0);
            pass.x1 = column0;
            if (left > 1) {
                take_column(p, &r, step, end, column1);
                pass.x1 = column1;
                output1 += out_c;
            }
            run_pass(&pass, weights, quant, output, output1);
            output = output1 + out_c;
        }
        input += p->in_h * p->in_w * p->in_c;
    }
}
