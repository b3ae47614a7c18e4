/* conv2d_dsp_s8.c: int8 convolution for cores with the DSP extension.
 *
 * Equals TensorFlow Lite Micro's reference CONV_2D, both roundings included. Two windows at a time
 * meet four output channels at a time (see nb_dsp.h for the packing of the weights).
 *
 * Where the instructions go: per four taps, four channels and two windows, 32 multiply-adds, two
 * LDM of activations, two LDM of weights, four SXTB16 and sixteen SMLAD: 24, with the loop over
 * sixteen taps 24.75, so 0.77 per multiply-add. Widening a window takes 0.8 instructions per tap
 * and serves all its output channels. Eight outputs take 64 more after a ReLU whose zero is the
 * lowest code, else 90: bias, multiplier, rounding and shift are loaded for both windows at once,
 * the output's zero point rides in the rounding, SMMLAR multiplies, rounds and adds it. The limit
 * are the sixteen SMLAD: 0.5 per multiply-add. The pass is assembly because it needs fourteen
 * registers at once; GCC 12 spills four of them within the loop.
 *
 * Where the cycles go: an LDM of two words takes three, so that 32 multiply-adds take 32 cycles
 * from RAM. What a group of four channels reads besides activations is one stream (starting sums,
 * weights, scales). Of a stream in flash each word costs wait states again for every two windows;
 * where the compiler found memory for it, a block of groups is first copied into RAM and then
 * serves all windows. The loop of 400 bytes and what follows it fit an instruction cache of 1 KiB.
 */
#include "nb_dsp.h"
#include "nb_kernels_dsp.h"

/* clang-format off */
/* Two taps of four channels and two windows: 48 bytes, on which the entry for what is left of a
 * window beyond sixteen taps counts. */
#define STEP \
    "ldmia.w r1!, {r2, r3}\n\t" \
    "ldmia r0!, {r12, lr}\n\t" \
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
    "ldmia r0!, {r2, r3, r12}\n\t" \
    twice(a) twice(b) \
    "smmlar " a ", " a ", r2, r3\n\t" \
    "smmlar " b ", " b ", r2, r3\n\t" \
    "asr " a ", " a ", r12\n\t" \
    "asr " b ", " b ", r12\n\t" \
    "ssat " a ", #8, " a "\n\t" \
    "ssat " b ", #8, " b "\n\t"
#define EXACT(a, b, twice) \
    "ldmia r0!, {r2, r3, r12}\n\t" \
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
#define WITHIN "ldrd r2, r3, [sp, #28]\n\t" CLAMP("r4") CLAMP("r8")

/* The stack holds, from its pointer on: column, entry (0 for none), end of the column, output of
 * the first window, the second's distance, end of the groups of four, channels behind them, lowest
 * and highest code four times. */
#define PASS(name, scale, within) \
__attribute__((naked, noinline)) static void name(const nb_dsp_pass *pass __attribute__((unused))) \
{ \
    __asm volatile( \
        "push {r4-r11, lr}\n\t" \
        "sub sp, #36\n\t" \
        "ldmia r0, {r1-r10}\n\t" \
        "mov r0, r1\n\t" \
        "cbz r3, 3f\n\t" \
        "rsb r3, r3, #4\n\t" \
        "mov r11, #96\n\t" \
        "adr.w r12, 2f + 1\n\t" \
        "mla r3, r3, r11, r12\n" \
        "3:\n\t" \
        "stmia sp, {r2-r10}\n\t" \
        ".p2align 2\n" \
        "1:\n\t" /* four channels */ \
        "ldmia r0!, {r4, r5, r6, r7}\n\t" \
        "mov r8, r4\n\t" \
        "mov r9, r5\n\t" \
        "mov r10, r6\n\t" \
        "mov r11, r7\n\t" \
        "ldr r1, [sp]\n\t" \
        "ldr r2, [sp, #4]\n\t" \
        "cmp r2, #0\n\t" \
        "bne.w 6f\n" \
        "2:\n\t" /* sixteen taps */ \
        STEP STEP STEP STEP STEP STEP STEP STEP \
        "ldr r2, [sp, #8]\n\t" \
        "cmp r1, r2\n\t" \
        "bne.w 2b\n\t" \
        "sub r5, r5, r4\n\t" \
        "sub r9, r9, r8\n\t" \
        "sub r7, r7, r6\n\t" \
        "sub r11, r11, r10\n\t" \
        scale("r4", "r8", EVEN) \
        scale("r5", "r9", ODD) \
        scale("r6", "r10", EVEN) \
        scale("r7", "r11", ODD) \
        PACK("r4", "r5", "r6", "r7") \
        PACK("r8", "r9", "r10", "r11") \
        within \
        "ldr r2, [sp, #12]\n\t" \
        "ldr r3, [sp, #16]\n\t" \
        "ldr r1, [sp, #20]\n\t" \
        "cmp r0, r1\n\t" \
        "bhi 7f\n\t" \
        "str r8, [r2, r3]\n\t" \
        "str r4, [r2], #4\n\t" \
        "str r2, [sp, #12]\n\t" \
        "bne.w 1b\n\t" \
        "ldr r2, [sp, #24]\n\t" \
        "cmp r2, #0\n\t" \
        "bne.w 1b\n\t" \
        "b 9f\n" \
        "6:\n\t" \
        "bx r2\n" \
        "7:\n\t" /* fewer than four channels are left */ \
        "ldr r12, [sp, #24]\n" \
        "8:\n\t" \
        "strb r8, [r2, r3]\n\t" \
        "strb r4, [r2], #1\n\t" \
        "lsr r4, r4, #8\n\t" \
        "lsr r8, r8, #8\n\t" \
        "subs r12, #1\n\t" \
        "bne 8b\n" \
        "9:\n\t" \
        "add sp, #36\n\t" \
        "pop {r4-r11, pc}"); \
}

PASS(pass_relu, RELU, "")
PASS(pass_exact, EXACT, WITHIN)

/* `fours` times four words: 4 instructions per eight words. */
__attribute__((noinline)) static void copy_words(uint32_t *to, const uint32_t *from, int32_t fours)
{
    const uint32_t *end = from + fours * 4;
    __asm volatile(
        "tst %3, #1\n\t"
        "beq 1f\n\t"
        "ldmia %1!, {r4-r7}\n\t"
        "stmia %0!, {r4-r7}\n"
        "1:\n\t"
        "cmp %1, %2\n\t"
        "beq 3f\n"
        "2:\n\t"
        "ldmia %1!, {r4-r6, r8-r12}\n\t"
        "stmia %0!, {r4-r6, r8-r12}\n\t"
        "cmp %1, %2\n\t"
        "bne 2b\n"
        "3:"
        : "+r"(to), "+r"(from)
        : "r"(end), "r"(fours)
        : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "cc", "memory");
}
/* clang-format on */

/* Before a block of channels: its stream, where it is to be read. */
typedef struct {
    const uint32_t *next;
    uint32_t *copy;
    int32_t first; /* channel */
} blocks;

static inline int32_t group_words(const nb_dsp_conv2d_s8_params *p)
{
    return 4 * p->words + 16;
}

/* The pass of the next block's channels, but for the outputs. */
static nb_dsp_pass next_block(const nb_dsp_conv2d_s8_params *p, blocks *b, const uint32_t *column)
{
    const int32_t left = p->out_c - b->first;
    const int32_t all = (left + 3) / 4;
    const int32_t groups = all < p->groups ? all : p->groups;
    const int32_t channels = left < 4 * groups ? left : 4 * groups;
    nb_dsp_pass pass = {0};
    pass.stream = b->next;
    if (p->copied) {
        copy_words(b->copy, b->next, groups * (p->words + 4));
        pass.stream = b->copy;
    }
    pass.column = column;
    pass.rest = p->words & 3;
    pass.end = column + p->words * 4;
    pass.full = pass.stream + channels / 4 * group_words(p);
    pass.tail = channels & 3;
    pass.low4 = (uint32_t)(p->low & 0xff) * 0x01010101u;
    pass.high4 = (uint32_t)(p->high & 0xff) * 0x01010101u;
    b->next += groups * group_words(p);
    b->first += channels;
    return pass;
}

static inline void run_pass(const nb_dsp_conv2d_s8_params *p, nb_dsp_pass *pass, int8_t *output,
                            int32_t second)
{
    pass->output = output;
    pass->second = second;
    if (p->exact) {
        pass_exact(pass);
    } else {
        pass_relu(pass);
    }
}

void nb_dsp_conv1x1_s8(const nb_dsp_conv2d_s8_params *p, const int8_t *input,
                       const uint32_t *stream, uint32_t *column, int8_t *output)
{
    blocks b = {stream, column + p->words * 4, 0};
    const int32_t in_c = p->in_c;
    const int32_t out_c = p->out_c;
    while (b.first < out_c) {
        const int8_t *source = input;
        int8_t *target = output + b.first;
        nb_dsp_pass pass = next_block(p, &b, column);
        for (int32_t left = p->batches * p->out_h * p->out_w; left > 0; left -= 2) {
            const int32_t next = left > 1 ? 1 : 0;
            nb_widen_run(source, source + next * in_c, in_c, column);
            run_pass(p, &pass, target, next * out_c);
            source += 2 * in_c;
            target += 2 * out_c;
        }
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

void nb_dsp_conv2d_s8(const nb_dsp_conv2d_s8_params *p, const int8_t *input, const uint32_t *stream,
                      uint32_t *column, int8_t *output)
{
    const int32_t out_c = p->out_c;
    int8_t *slots = (int8_t *)(column + p->words * 4);
    blocks b = {stream, column + p->words * 4 + (p->ring_rows * p->pitch + 3) / 4, 0};
    while (b.first < out_c) {
        const int8_t *source = input;
        int8_t *target = output + b.first;
        nb_dsp_pass pass = next_block(p, &b, column);
        for (int32_t image = p->batches; image > 0; image--) {
            ring r = {source, slots, -p->pad_top};
            memset(r.slots, p->input_zero, (size_t)(p->ring_rows * p->pitch));
            int32_t y = -p->pad_top;
            int32_t slot = 0;
            int32_t offset = 0;
            bring(p, &r, y, y + p->reach_h);
            for (int32_t left = p->out_h * p->out_w; left > 0; left -= 2) {
                const int32_t slot0 = slot;
                const int32_t offset0 = offset;
                int32_t second = 0;
                if (left > 1) {
                    next_pixel(p, &r, &y, &slot, &offset);
                    second = out_c;
                }
                fill_columns(p, r.slots, slot0, offset0, slot, offset, column);
                run_pass(p, &pass, target, second);
                target += out_c + second;
                if (left > 2) {
                    next_pixel(p, &r, &y, &slot, &offset);
                }
            }
            source += p->in_h * p->in_w * p->in_c;
        }
    }
}
