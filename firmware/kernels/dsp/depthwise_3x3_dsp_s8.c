/* depthwise_3x3_dsp_s8.c: int8 depthwise convolution, 3x3, for cores with the DSP extension.
 *
 * Equals TensorFlow Lite Micro's reference DEPTHWISE_CONV_2D, both roundings included, for a
 * multiplier of one and a horizontal stride of one or two.
 *
 * Four channels at a time are brought into planes of their own, with the padding around them. In
 * a plane four neighbours x0 x1 x2 x3 of a row are one word, (x0, x2) and (x1, x3) two SXTB16, and
 * two outputs take four multiplies: x0 w0 + x2 w2 and x1 w1, x1 w0 + x3 w2 and x2 w1. All nine
 * weights stay in five registers over the plane, doubled, which saves the doubling of SMMLAR. Where
 * strides are one, two rows of outputs are computed at once: four rows of a plane serve both.
 *
 * Where the instructions go, per two outputs of two rows: four words of activations 5, widening 8,
 * multiplies 24, rescaling with its constants 14, storing 10, loop 3: 64, so 16 per output and 1.8
 * per multiply-add after a ReLU that opens at the lowest code, otherwise 24 per output. A row alone
 * takes 17 per output, with a horizontal stride of two 24. Into the planes it is 1.8 per value. The
 * limit are the multiplies and the rescaling: 1.1 per multiply-add. Assembly, because the loops
 * need fourteen registers and GCC 12 keeps neither the weights nor the pairing. Constants come from
 * the stack by one LDM, and loads stand side by side, so that only the last of them waits.
 *
 * Works in place when one strip holds the image, channels are a multiple of four and the output has
 * the input's shape: every group's input is in the planes before its output is written.
 */
#include "nb_dsp.h"
#include "nb_kernels_dsp.h"

typedef struct {
    int32_t multiplier;   /*  0 */
    int32_t rounding;     /*  4 */
    int32_t shift;        /*  8 */
    int32_t bias;         /* 12 */
    int8_t *output;       /* 16 */
    int32_t channels;     /* 20 */
    int32_t output_row;   /* 24: from a row of outputs to the next */
    int32_t rows;         /* 28: or pairs of rows */
    int32_t row_step;     /* 32 */
    int32_t paired_bytes; /* 36: of a row, read two outputs at a time */
    int32_t single_bytes; /* 40: of a row, behind them, read one at a time in steps of two */
    int32_t low, high;    /* 44, 48 */
    const int8_t *plane;  /* 52: from here on what stays in registers */
    int32_t pitch;        /* 56 */
    uint32_t outer[3];    /* 60: weights 0 and 2 of each row */
    uint32_t middle01;    /* 72: weight 1 of rows 0 and 1 */
    uint32_t middle2;     /* 76 */
} lane;
_Static_assert(sizeof(lane) == 80, "the assembly counts on its layout");

/* clang-format off */
/* The lane onto the stack, up to its limits; behind it 52 the end of a row's pairs, 56 the row, 60
 * its outputs. */
#define ENTER \
    "push {r4-r11, lr}\n\t" \
    "sub sp, #64\n\t" \
    "mov lr, r0\n\t" \
    "ldmia lr!, {r0-r12}\n\t" \
    "stmia sp, {r0-r12}\n\t" \
    "ldmia lr, {r0, r1, r4, r5, r6, r7, r8}\n\t"
#define LEAVE \
    "add sp, #64\n\t" \
    "pop {r4-r11, pc}"

/* Two outputs a and b: even taps in e, odd ones in o; `from` is what a sum starts from. */
#define OUTPUTS_FROM(a, b, from, e, o, outer, bottom, top, middle) \
    "smlad " b ", " o ", " outer ", " from "\n\t" \
    "smlad " a ", " e ", " outer ", " from "\n\t" \
    bottom " " a ", " o ", " middle ", " a "\n\t" \
    top " " b ", " e ", " middle ", " b "\n\t"
#define OUTPUTS(a, b, e, o, outer, bottom, top, middle) \
    "smlad " a ", " e ", " outer ", " a "\n\t" \
    "smlad " b ", " o ", " outer ", " b "\n\t" \
    bottom " " a ", " o ", " middle ", " a "\n\t" \
    top " " b ", " e ", " middle ", " b "\n\t"
#define OUTPUT(a, from, e, o, outer, bottom, middle) \
    "smlad " a ", " e ", " outer ", " from "\n\t" \
    bottom " " a ", " o ", " middle ", " a "\n\t"
#define WIDEN(e, o, x) \
    "sxtb16 " e ", " x "\n\t" \
    "sxtb16 " o ", " x ", ror #8\n\t"
#define RELU(a, multiplier, rounding, shift) \
    "smmlar " a ", " a ", " multiplier ", " rounding "\n\t" \
    "asr " a ", " a ", " shift "\n\t" \
    "ssat " a ", #8, " a "\n\t"
#define EXACT(a, multiplier, rounding, shift) \
    "smmulr " a ", " a ", " multiplier "\n\t" \
    "add " a ", " a ", " a ", asr #31\n\t" \
    "add " a ", " a ", " rounding "\n\t" \
    "asr " a ", " a ", " shift "\n\t"
#define CLAMP(a, low, high) \
    "cmp " a ", " low "\n\t" \
    "it lt\n\t" \
    "movlt " a ", " low "\n\t" \
    "cmp " a ", " high "\n\t" \
    "it gt\n\t" \
    "movgt " a ", " high "\n\t"

/* One row at a time: one channel's `rows` rows of outputs. */
#define TWO \
    "ldr r9, [sp, #12]\n\t" \
    "ldr r11, [r0, r1, lsl #1]\n\t" \
    WIDEN("r12", "r11", "r11") \
    OUTPUTS_FROM("r9", "r10", "r9", "r12", "r11", "r6", "smlabb", "smlatb", "r8") \
    "ldr r11, [r0, r1]\n\t" \
    WIDEN("r12", "r11", "r11") \
    OUTPUTS("r9", "r10", "r12", "r11", "r5", "smlabt", "smlatt", "r7") \
    "ldr r11, [r0], #2\n\t" \
    WIDEN("r12", "r11", "r11") \
    OUTPUTS("r9", "r10", "r12", "r11", "r4", "smlabb", "smlatb", "r7") \
    "ldmia sp, {r11, r12, lr}\n\t"
#define ONE \
    "ldr r9, [sp, #12]\n\t" \
    "ldr r11, [r0, r1, lsl #1]\n\t" \
    "ldr r10, [r0, r1]\n\t" \
    "ldr lr, [r0], #2\n\t" \
    WIDEN("r12", "r11", "r11") \
    OUTPUT("r9", "r9", "r12", "r11", "r6", "smlabb", "r8") \
    WIDEN("r12", "r11", "r10") \
    OUTPUT("r9", "r9", "r12", "r11", "r5", "smlabt", "r7") \
    WIDEN("r12", "r11", "lr") \
    OUTPUT("r9", "r9", "r12", "r11", "r4", "smlabb", "r7") \
    "ldmia sp, {r11, r12, lr}\n\t"
#define UNTIL_END(label) \
    "ldr r11, [sp, #52]\n\t" \
    "cmp r0, r11\n\t" \
    "bne.w " label "\n\t"
#define ROWS(name, scale, two, one) \
__attribute__((naked, noinline)) static void name(const lane *l __attribute__((unused))) \
{ \
    __asm volatile( \
        ENTER \
        "ldr r2, [sp, #16]\n\t" \
        "ldr r3, [sp, #20]\n" \
        "1:\n\t" /* a row; r0 at its start */ \
        "ldr r11, [sp, #36]\n\t" \
        "str r0, [sp, #56]\n\t" \
        "cmp r11, #0\n\t" \
        "beq 3f\n\t" \
        "add r11, r0\n\t" \
        "str r11, [sp, #52]\n" \
        "2:\n\t" \
        TWO \
        scale("r9", "r11", "r12", "lr") scale("r10", "r11", "r12", "lr") two \
        "strb r9, [r2]\n\t" \
        "strb r10, [r2, r3]\n\t" \
        "add r2, r2, r3, lsl #1\n\t" \
        UNTIL_END("2b") \
        "3:\n\t" \
        "ldr r11, [sp, #40]\n\t" \
        "cmp r11, #0\n\t" \
        "beq 5f\n\t" \
        "add r11, r0\n\t" \
        "str r11, [sp, #52]\n" \
        "4:\n\t" \
        ONE \
        scale("r9", "r11", "r12", "lr") one \
        "strb r9, [r2]\n\t" \
        "add r2, r2, r3\n\t" \
        UNTIL_END("4b") \
        "5:\n\t" \
        "ldr r11, [sp, #28]\n\t" \
        "ldr r12, [sp, #32]\n\t" \
        "ldr r0, [sp, #56]\n\t" \
        "subs r11, #1\n\t" \
        "add r0, r12\n\t" \
        "str r11, [sp, #28]\n\t" \
        "bne.w 1b\n\t" \
        LEAVE); \
}

/* Two rows at a time, strides of one: outputs r9 and r10 of the first, r11 and r12 of the second. */
#define FOUR_SUMS \
    "add r2, r0, r1\n\t" \
    "ldr lr, [sp, #12]\n\t" \
    "ldr r2, [r2, r1, lsl #1]\n\t" \
    WIDEN("r3", "r2", "r2") \
    OUTPUTS_FROM("r11", "r12", "lr", "r3", "r2", "r6", "smlabb", "smlatb", "r8") \
    "ldr r2, [r0, r1, lsl #1]\n\t" \
    WIDEN("r3", "r2", "r2") \
    OUTPUTS_FROM("r9", "r10", "lr", "r3", "r2", "r6", "smlabb", "smlatb", "r8") \
    OUTPUTS("r11", "r12", "r3", "r2", "r5", "smlabt", "smlatt", "r7") \
    "ldr r2, [r0, r1]\n\t" \
    "ldr lr, [r0], #2\n\t" \
    WIDEN("r3", "r2", "r2") \
    OUTPUTS("r9", "r10", "r3", "r2", "r5", "smlabt", "smlatt", "r7") \
    OUTPUTS("r11", "r12", "r3", "r2", "r4", "smlabb", "smlatb", "r7") \
    WIDEN("r3", "r2", "lr") \
    OUTPUTS("r9", "r10", "r3", "r2", "r4", "smlabb", "smlatb", "r7") \
    "ldmia sp, {r2, r3, lr}\n\t"
#define TWO_SUMS \
    "add r2, r0, r1\n\t" \
    "ldr lr, [sp, #12]\n\t" \
    "ldr r2, [r2, r1, lsl #1]\n\t" \
    "ldr r10, [r0, r1, lsl #1]\n\t" \
    "ldr r12, [r0, r1]\n\t" \
    WIDEN("r3", "r2", "r2") \
    OUTPUT("r11", "lr", "r3", "r2", "r6", "smlabb", "r8") \
    WIDEN("r3", "r2", "r10") \
    OUTPUT("r9", "lr", "r3", "r2", "r6", "smlabb", "r8") \
    OUTPUT("r11", "r11", "r3", "r2", "r5", "smlabt", "r7") \
    WIDEN("r3", "r2", "r12") \
    OUTPUT("r9", "r9", "r3", "r2", "r5", "smlabt", "r7") \
    OUTPUT("r11", "r11", "r3", "r2", "r4", "smlabb", "r7") \
    "ldr r2, [r0]\n\t" \
    WIDEN("r3", "r2", "r2") \
    OUTPUT("r9", "r9", "r3", "r2", "r4", "smlabb", "r7") \
    "ldmia sp, {r2, r3, lr}\n\t"
#define PAIRS_OF_ROWS(name, scale, four, two) \
__attribute__((naked, noinline)) static void name(const lane *l __attribute__((unused))) \
{ \
    __asm volatile( \
        ENTER \
        "1:\n\t" /* two rows; r0 at the start of the first */ \
        "ldr r2, [sp, #16]\n\t" \
        "ldr r3, [sp, #36]\n\t" \
        "str r0, [sp, #56]\n\t" \
        "str r2, [sp, #60]\n\t" \
        "cmp r3, #0\n\t" \
        "beq.w 3f\n\t" \
        "add r3, r0\n\t" \
        "str r3, [sp, #52]\n" \
        "2:\n\t" \
        FOUR_SUMS \
        scale("r9", "r2", "r3", "lr") scale("r10", "r2", "r3", "lr") \
        scale("r11", "r2", "r3", "lr") scale("r12", "r2", "r3", "lr") four \
        "ldr r2, [sp, #16]\n\t" \
        "ldr r3, [sp, #20]\n\t" \
        "ldr lr, [sp, #24]\n\t" \
        "add lr, r2\n\t" \
        "strb r9, [r2]\n\t" \
        "strb r10, [r2, r3]\n\t" \
        "strb r11, [lr]\n\t" \
        "strb r12, [lr, r3]\n\t" \
        "add r2, r2, r3, lsl #1\n\t" \
        "str r2, [sp, #16]\n\t" \
        "ldr r3, [sp, #52]\n\t" \
        "cmp r0, r3\n\t" \
        "bne.w 2b\n" \
        "3:\n\t" \
        "ldr r2, [sp, #40]\n\t" \
        "cmp r2, #0\n\t" \
        "beq.w 5f\n\t" \
        TWO_SUMS \
        scale("r9", "r2", "r3", "lr") scale("r11", "r2", "r3", "lr") two \
        "ldr r2, [sp, #16]\n\t" \
        "ldr lr, [sp, #24]\n\t" \
        "strb r9, [r2]\n\t" \
        "strb r11, [r2, lr]\n" \
        "5:\n\t" \
        "ldr r0, [sp, #56]\n\t" \
        "ldr r2, [sp, #60]\n\t" \
        "ldr r3, [sp, #24]\n\t" \
        "ldr lr, [sp, #28]\n\t" \
        "add r0, r0, r1, lsl #1\n\t" \
        "add r2, r2, r3, lsl #1\n\t" \
        "subs lr, #1\n\t" \
        "str r2, [sp, #16]\n\t" \
        "str lr, [sp, #28]\n\t" \
        "bne.w 1b\n\t" \
        LEAVE); \
}
#define LIMITS(low, high) "ldrd " low ", " high ", [sp, #44]\n\t"

ROWS(rows_relu, RELU, "", "")
ROWS(rows_exact, EXACT,
     LIMITS("r11", "r12") CLAMP("r9", "r11", "r12") CLAMP("r10", "r11", "r12"),
     LIMITS("r11", "r12") CLAMP("r9", "r11", "r12"))
PAIRS_OF_ROWS(pairs_relu, RELU, "", "")
PAIRS_OF_ROWS(pairs_exact, EXACT,
     LIMITS("r2", "r3") CLAMP("r9", "r2", "r3") CLAMP("r10", "r2", "r3")
     CLAMP("r11", "r2", "r3") CLAMP("r12", "r2", "r3"),
     LIMITS("r2", "r3") CLAMP("r9", "r2", "r3") CLAMP("r11", "r2", "r3"))
/* clang-format on */

/* Byte 0 and 2 of a, byte 0 and 2 of b: a0 b0 a2 b2. */
static inline uint32_t zip_even(uint32_t a, uint32_t b)
{
    uint32_t r;
    uint32_t t;
    __asm("uxtb16 %0, %2\n\tuxtb16 %1, %3\n\torr %0, %0, %1, lsl #8"
          : "=&r"(r), "=&r"(t)
          : "r"(a), "r"(b));
    return r;
}

/* a1 b1 a3 b3. */
static inline uint32_t zip_odd(uint32_t a, uint32_t b)
{
    uint32_t r;
    __asm("uxtb16 %0, %1, ror #8" : "=r"(r) : "r"(a));
    return r | (b & 0xff00ff00u);
}

static inline uint32_t low_halves(uint32_t a, uint32_t b)
{
    uint32_t r;
    __asm("pkhbt %0, %1, %2, lsl #16" : "=r"(r) : "r"(a), "r"(b));
    return r;
}

static inline uint32_t high_halves(uint32_t a, uint32_t b)
{
    uint32_t r;
    __asm("pkhtb %0, %1, %2, asr #16" : "=r"(r) : "r"(b), "r"(a));
    return r;
}

static inline void store4(int8_t *p, uint32_t x)
{
    memcpy(p, &x, 4);
}

/* A row of `width` pixels of four channels into four planes. */
static void split_row(const int8_t *input, int32_t channels, int32_t width, int8_t *plane,
                      int32_t plane_bytes)
{
    int8_t *plane2 = plane + 2 * plane_bytes;
    int8_t *end = plane + (width & ~3);
    while (plane != end) {
        const uint32_t x0 = nb_load4(input);
        const uint32_t x1 = nb_load4(input + channels);
        input += 2 * channels;
        const uint32_t x2 = nb_load4(input);
        const uint32_t x3 = nb_load4(input + channels);
        input += 2 * channels;
        const uint32_t even01 = zip_even(x0, x1);
        const uint32_t even23 = zip_even(x2, x3);
        const uint32_t odd01 = zip_odd(x0, x1);
        const uint32_t odd23 = zip_odd(x2, x3);
        store4(plane, low_halves(even01, even23));
        store4(plane + plane_bytes, low_halves(odd01, odd23));
        store4(plane2, high_halves(even01, even23));
        store4(plane2 + plane_bytes, high_halves(odd01, odd23));
        plane += 4;
        plane2 += 4;
    }
    for (int32_t rest = width & 3; rest > 0; rest--) {
        const uint32_t x = nb_load4(input);
        plane[0] = (int8_t)x;
        plane[plane_bytes] = (int8_t)(x >> 8);
        plane2[0] = (int8_t)(x >> 16);
        plane2[plane_bytes] = (int8_t)(x >> 24);
        input += channels;
        plane++;
        plane2++;
    }
}

/* Nine weights, doubled, into the lane's five words. */
static inline void set_weights(lane *l, const int8_t *weights)
{
    const uint32_t row0 = nb_load4(weights);
    const uint32_t row1 = nb_load4(weights + 3);
    const uint32_t row2 = nb_load4(weights + 5) >> 8;
    l->outer[0] = nb_even(row0) << 1 & 0xfffeffffu;
    l->outer[1] = nb_even(row1) << 1 & 0xfffeffffu;
    l->outer[2] = nb_even(row2) << 1 & 0xfffeffffu;
    const int32_t middle0 = weights[1] * 2;
    const int32_t middle1 = weights[4] * 2;
    l->middle01 = ((uint32_t)middle0 & 0xffffu) | (uint32_t)middle1 << 16;
    l->middle2 = (uint32_t)(weights[7] * 2);
}

/* `rows` rows of outputs of one channel. */
static inline void run_lane(const nb_dsp_depthwise_3x3_s8_params *p, lane *l, int32_t rows)
{
    l->rows = rows;
    if (p->stride_h == 1 && p->stride_w == 1) {
        l->rows = rows >> 1;
        if (l->rows != 0) {
            if (p->exact) {
                pairs_exact(l);
            } else {
                pairs_relu(l);
            }
            l->plane += 2 * l->rows * p->pitch;
            l->output += 2 * l->rows * l->output_row;
        }
        l->rows = rows & 1;
    }
    if (l->rows != 0) {
        if (p->exact) {
            rows_exact(l);
        } else {
            rows_relu(l);
        }
    }
}

void nb_dsp_depthwise_3x3_s8(const nb_dsp_depthwise_3x3_s8_params *p, const int8_t *input,
                             const int8_t *weights, const int32_t *quant, int8_t *planes,
                             int8_t *output)
{
    const int32_t channels = p->channels;
    const int32_t row_bytes = p->in_w * channels;
    lane l = {0};
    l.pitch = p->pitch;
    l.channels = channels;
    l.output_row = p->out_w * channels;
    l.low = p->low;
    l.high = p->high;
    l.row_step = p->stride_h * p->pitch;
    l.paired_bytes = p->stride_w == 1 ? p->out_w & ~1 : 0;
    l.single_bytes = (p->stride_w == 1 ? p->out_w & 1 : p->out_w) * 2;
    for (int32_t b = 0; b < p->batches; b++) {
        for (int32_t first = 0; first < p->out_h; first += p->strip_rows) {
            const int32_t left = p->out_h - first;
            const int32_t rows = left < p->strip_rows ? left : p->strip_rows;
            const int32_t y = first * p->stride_h - p->pad_top;
            const int32_t stop_y = y + (rows - 1) * p->stride_h + 3;
            const int32_t y0 = y < 0 ? 0 : y;
            const int32_t y1 = stop_y < p->in_h ? stop_y : p->in_h;
            memset(planes, p->input_zero, (size_t)(4 * p->plane_bytes));
            for (int32_t c = 0; c < channels; c += 4) {
                /* The last group overlaps the one before where channels are no multiple of 4. */
                const int32_t at = c + 4 <= channels ? c : channels - 4;
                const int8_t *source = input + y0 * row_bytes + at;
                int8_t *plane = planes + (y0 - y) * p->pitch + p->pad_left;
                for (int32_t i = y0; i < y1; i++) {
                    split_row(source, channels, p->width, plane, p->plane_bytes);
                    source += row_bytes;
                    plane += p->pitch;
                }
                for (int32_t k = 0; k < 4; k++) {
                    const int32_t *q = quant + 4 * (at + k);
                    set_weights(&l, weights + 9 * (at + k));
                    l.plane = planes + k * p->plane_bytes;
                    l.output = output + first * p->out_w * channels + at + k;
                    l.bias = q[0];
                    l.multiplier = q[1];
                    l.rounding = q[2];
                    l.shift = q[3];
                    run_lane(p, &l, rows);
                }
            }
        }
        input += p->in_h * row_bytes;
        output += p->out_h * p->out_w * channels;
    }
}
