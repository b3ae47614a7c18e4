/* depthwise_3x3_dsp_s8.c: int8 depthwise convolution, 3x3, for cores with the DSP extension.
 *
 * Equals TensorFlow Lite Micro's reference DEPTHWISE_CONV_2D, both roundings included, for a
 * multiplier of one and a horizontal stride of one or two.
 *
 * Four channels at a time are brought into planes of their own, with the padding around them. In
 * a plane four neighbours x0 x1 x2 x3 of a row are one word, (x0, x2) and (x1, x3) two SXTB16, and
 * two outputs take four multiplies: x0 w0 + x2 w2 and x1 w1, x1 w0 + x3 w2 and x2 w1. All nine
 * weights stay in five registers over the plane, doubled, which saves the doubling of SMMLAR.
 *
 * Where the instructions go, per two outputs: three words of activations 3, widening 6, multiplies
 * 12, bias 1, rescaling 8 with its constants, storing 3, loop 3: 36, so 18 per output and 2.0 per
 * multiply-add after a ReLU that opens at the lowest code, otherwise 25 per output. With a
 * horizontal stride of two 26 per output. Into the planes it is 1.8 per value. The limit are the
 * multiplies and the rescaling: 1.1 per multiply-add. Assembly, because the loop needs fourteen
 * registers and GCC 12 keeps neither the weights nor the pairing.
 *
 * Works in place when one strip holds the image, channels are a multiple of four and the output has
 * the input's shape: every group's input is in the planes before its output is written.
 */
#include "nb_dsp.h"
#include "nb_kernels_dsp.h"

typedef struct {
    const int8_t *plane;  /*  0 */
    int32_t pitch;        /*  4 */
    int8_t *output;       /*  8 */
    int32_t channels;     /* 12 */
    uint32_t outer[3];    /* 16: weights 0 and 2 of each row */
    uint32_t middle01;    /* 28: weight 1 of rows 0 and 1 */
    uint32_t middle2;     /* 32 */
    int32_t bias[2];      /* 36, 40 */
    int32_t multiplier;   /* 44 */
    int32_t rounding;     /* 48 */
    int32_t shift;        /* 52 */
    int32_t low, high;    /* 56, 60 */
    int32_t rows;         /* 64 */
    int32_t row_step;     /* 68 */
    int32_t paired_bytes; /* 72: of a row, read two outputs at a time */
    int32_t single_bytes; /* 76: of a row, behind them, read one at a time in steps of two */
    const int8_t *end;    /* 80 */
    const int8_t *row;    /* 84 */
} lane;
_Static_assert(sizeof(lane) == 88, "the assembly counts on its layout");

/* clang-format off */
#define ROW_OF_TWO(load, outer, b, t, middle) \
    load \
    "sxtb16 r12, r11\n\t" \
    "sxtb16 r11, r11, ror #8\n\t" \
    "smlad r9, r12, " outer ", r9\n\t" \
    b " r9, r11, " middle ", r9\n\t" \
    "smlad r10, r11, " outer ", r10\n\t" \
    t " r10, r12, " middle ", r10\n\t"
#define ROW_OF_ONE(load, outer, b, middle) \
    load \
    "sxtb16 r12, r11\n\t" \
    "sxtb16 r11, r11, ror #8\n\t" \
    "smlad r9, r12, " outer ", r9\n\t" \
    b " r9, r11, " middle ", r9\n\t"
#define TWO \
    "ldrd r9, r10, [sp, #36]\n\t" \
    ROW_OF_TWO("ldr r11, [r0, r1, lsl #1]\n\t", "r6", "smlabb", "smlatb", "r8") \
    ROW_OF_TWO("ldr r11, [r0, r1]\n\t", "r5", "smlabt", "smlatt", "r7") \
    ROW_OF_TWO("ldr r11, [r0], #2\n\t", "r4", "smlabb", "smlatb", "r7") \
    "ldrd r11, r12, [sp, #44]\n\t" \
    "ldr lr, [sp, #52]\n\t"
#define ONE \
    "ldr r9, [sp, #36]\n\t" \
    ROW_OF_ONE("ldr r11, [r0, r1, lsl #1]\n\t", "r6", "smlabb", "r8") \
    ROW_OF_ONE("ldr r11, [r0, r1]\n\t", "r5", "smlabt", "r7") \
    ROW_OF_ONE("ldr r11, [r0], #2\n\t", "r4", "smlabb", "r7") \
    "ldrd r11, r12, [sp, #44]\n\t" \
    "ldr lr, [sp, #52]\n\t"
#define RELU(a) \
    "smmlar " a ", " a ", r11, r12\n\t" \
    "asr " a ", " a ", lr\n\t" \
    "ssat " a ", #8, " a "\n\t"
#define EXACT(a) \
    "smmulr " a ", " a ", r11\n\t" \
    "add " a ", " a ", " a ", asr #31\n\t" \
    "add " a ", " a ", r12\n\t" \
    "asr " a ", " a ", lr\n\t"
#define CLAMP(a) \
    "cmp " a ", r11\n\t" \
    "it lt\n\t" \
    "movlt " a ", r11\n\t" \
    "cmp " a ", r12\n\t" \
    "it gt\n\t" \
    "movgt " a ", r12\n\t"
#define STORE_TWO \
    "strb r9, [r2]\n\t" \
    "strb r10, [r2, r3]\n\t" \
    "add r2, r2, r3, lsl #1\n\t"
#define STORE_ONE \
    "strb r9, [r2]\n\t" \
    "add r2, r2, r3\n\t"
#define UNTIL_END(label) \
    "ldr r11, [sp, #80]\n\t" \
    "cmp r0, r11\n\t" \
    "bne " label "\n\t"

/* One channel: `l->rows` rows of outputs. The lane is copied onto the stack, where the loop reads
 * what has no register. */
#define LANE(name, two, one) \
__attribute__((naked, noinline)) static void name(const lane *l __attribute__((unused))) \
{ \
    __asm volatile( \
        "push {r4-r11, lr}\n\t" \
        "sub sp, #92\n\t" \
        "mov lr, r0\n\t" \
        "mov r12, sp\n\t" \
        "ldmia lr!, {r0-r10}\n\t" \
        "stmia r12!, {r0-r10}\n\t" \
        "ldmia lr, {r0-r8}\n\t" \
        "stmia r12, {r0-r8}\n\t" \
        "ldmia sp, {r0-r8}\n" \
        "1:\n\t" /* a row; r0 at its start */ \
        "str r0, [sp, #84]\n\t" \
        "ldr r11, [sp, #72]\n\t" \
        "cmp r11, #0\n\t" \
        "beq 3f\n\t" \
        "add r11, r0\n\t" \
        "str r11, [sp, #80]\n" \
        "2:\n\t" \
        TWO two STORE_TWO UNTIL_END("2b") \
        "3:\n\t" \
        "ldr r11, [sp, #76]\n\t" \
        "cmp r11, #0\n\t" \
        "beq 5f\n\t" \
        "add r11, r0\n\t" \
        "str r11, [sp, #80]\n" \
        "4:\n\t" \
        ONE one STORE_ONE UNTIL_END("4b") \
        "5:\n\t" \
        "ldrd r11, r12, [sp, #64]\n\t" \
        "ldr r0, [sp, #84]\n\t" \
        "add r0, r12\n\t" \
        "subs r11, #1\n\t" \
        "str r11, [sp, #64]\n\t" \
        "bne 1b\n\t" \
        "add sp, #92\n\t" \
        "pop {r4-r11, pc}"); \
}

LANE(run_lane_relu, RELU("r9") RELU("r10"), RELU("r9"))
LANE(run_lane_exact,
     EXACT("r9") EXACT("r10") "ldrd r11, r12, [sp, #56]\n\t" CLAMP("r9") CLAMP("r10"),
     EXACT("r9") "ldrd r11, r12, [sp, #56]\n\t" CLAMP("r9"))
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

void nb_dsp_depthwise_3x3_s8(const nb_dsp_depthwise_3x3_s8_params *p, const int8_t *input,
                             const int8_t *weights, const int32_t *quant, int8_t *planes,
                             int8_t *output)
{
    const int32_t channels = p->channels;
    const int32_t row_bytes = p->in_w * channels;
    lane l = {0};
    l.pitch = p->pitch;
    l.channels = channels;
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
                    l.bias[0] = q[0];
                    l.bias[1] = q[0];
                    l.multiplier = q[1];
                    l.rounding = q[2];
                    l.shift = q[3];
                    l.rows = rows;
                    if (p->exact) {
                        run_lane_exact(&l);
                    } else {
                        run_lane_relu(&l);
                    }
                }
            }
        }
        input += p->in_h * row_bytes;
        output += p->out_h * p->out_w * channels;
    }
}
