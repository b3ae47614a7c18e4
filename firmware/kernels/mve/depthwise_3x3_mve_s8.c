/* depthwise_3x3_mve_s8.c: int8 depthwise convolution, 3x3, for cores with Helium (MVE).
 *
 * Equals TensorFlow Lite Micro's reference DEPTHWISE_CONV_2D, both roundings included, for a
 * multiplier of one, any strides, any number of channels.
 *
 * Up to sixteen channels are taken at once. Their input becomes planes of words: a word holds four
 * (with a stride of two, three) neighbouring rows of one column of one channel, so that a vector of
 * four such words is a window of 4x4, and VMLADAV, which adds up sixteen products, makes one output
 * of it. With strides of one a vector gives four outputs, two by two, its weights lying in four
 * registers, each moved by a row, a column or both. Else it gives one, and four are taken in a row.
 *
 * Where the instructions go, four outputs of one channel with strides of one: one gathering load,
 * four VMLADAV, two moves into a vector, three steps; six for bias, scale, rounding, saturation and
 * the scattering store: 17, so 4.3 per output; 23 with other strides. The planes take 13 (11)
 * instructions per strip and pixel of sixteen channels: 0.4 per output, 1.4 with a stride of two; a
 * channel's weights and scale 25 per group of strips, and 10 per strip. The limit are VMLADAV and
 * requantization, 2.5 per output. A Cortex-M55 takes two cycles for a vector instruction, more for
 * a gathering load.
 *
 * Assembly, because VMLADAV wants its sum in an even register, and a pass lives in all of them.
 */
#include "nb_kernels_mve.h"
#include "nb_mve.h"

/* Rows of the input on their way into planes. */
typedef struct {
    const int8_t *row[4]; /*  0 */
    int32_t step[4];      /* 16: from one load to the next */
    int8_t *to;           /* 32 */
    int32_t count;        /* 36: loads of up to sixteen bytes of each row, at least one */
    uint32_t mask;        /* 40: which of them */
} bring;
_Static_assert(sizeof(bring) == 44, "the assembly counts on its layout");

/* One block of channels over the strips in the planes. */
typedef struct {
    const int8_t *planes;  /*   0: of this channel; the pass advances them */
    int8_t *output;        /*   4 */
    const int8_t *weights; /*   8 */
    const int32_t *quant;  /*  12 */
    int32_t channels;      /*  16 */
    int32_t strips;        /*  20: whole ones */
    int32_t left;          /*  24 */
    int32_t count;         /*  28: whole fours of outputs of a strip */
    uint32_t tail;         /*  32: lanes of one more, or none */
    uint32_t single;       /*  36: lanes of a last strip that is half, or none */
    uint32_t single_tail;  /*  40 */
    int32_t plane_skip;    /*  44: from a strip's end to the next */
    int32_t output_skip;   /*  48 */
    int32_t plane_step;    /*  52 */
    int32_t output_step;   /*  56 */
    int32_t shifted;       /*  60: 1 where this channel's products are shifted */
    int32_t from[4];       /*  64: offsets of a window's words */
    int32_t to[4];         /*  80: offsets of four outputs */
    int32_t low[4];        /*  96 */
    int32_t high[4];       /* 112 */
} pass;
_Static_assert(sizeof(pass) == 128, "the assembly counts on its layout");

/* clang-format off */
#define BRING(then, load, step) \
    "push {r4-r11, lr}\n\t" \
    "ldm r0, {r1-r11}\n\t" \
    "vmsr p0, r11\n\t" \
    "dls lr, r10\n" \
    "1:\n\t" \
    then "\n\t" \
    "vldrbt.u8 q0, [r1]\n\t" \
    "vldrbt.u8 q1, [r2]\n\t" \
    "vldrbt.u8 q2, [r3]\n\t" \
    load \
    "vst40.8 {q0, q1, q2, q3}, [r9]\n\t" \
    "vst41.8 {q0, q1, q2, q3}, [r9]\n\t" \
    "vst42.8 {q0, q1, q2, q3}, [r9]\n\t" \
    "vst43.8 {q0, q1, q2, q3}, [r9]!\n\t" \
    "add r1, r5\n\t" \
    "add r2, r6\n\t" \
    "add r3, r7\n\t" \
    step \
    "le lr, 1b\n\t" \
    "stm r0, {r1-r4}\n\t" \
    "str r9, [r0, #32]\n\t" \
    "pop {r4-r11, pc}"

__attribute__((naked, noinline)) static void bring_3(bring *b __attribute__((unused))) {
    __asm volatile(BRING("vpsttt", "", ""));
}

__attribute__((naked, noinline)) static void bring_4(bring *b __attribute__((unused))) {
    __asm volatile(BRING("vpstttt", "vldrbt.u8 q3, [r4]\n\t", "add r4, r8\n\t"));
}

/* Four sums: two by two, or four in a row. */
#define WEIGHTS_2X2 \
    "vldrw.32 q5, [r0]\n\t" \
    "vldrw.32 q4, [r0, #4]\n\t" \
    "vshl.i32 q7, q5, #8\n\t" \
    "vshl.i32 q6, q4, #8\n\t"
#define SUMS_2X2 \
    "vldrw.u32 q0, [r0, q3]\n\t" \
    "add r0, r10\n\t" \
    "vmladav.s8 r2, q0, q4\n\t" \
    "vmladav.s8 r4, q0, q5\n\t" \
    "vmladav.s8 r6, q0, q6\n\t" \
    "vmladav.s8 r8, q0, q7\n\t"
#define WEIGHTS_1X4 \
    "vldrw.32 q4, [r0, #4]\n\t"
#define SUMS_1X4 \
    "vldrw.u32 q0, [r0, q3]\n\t" \
    "add r0, r10\n\t" \
    "vmladav.s8 r2, q0, q4\n\t" \
    "vldrw.u32 q0, [r0, q3]\n\t" \
    "add r0, r10\n\t" \
    "vmladav.s8 r4, q0, q4\n\t" \
    "vldrw.u32 q0, [r0, q3]\n\t" \
    "add r0, r10\n\t" \
    "vmladav.s8 r6, q0, q4\n\t" \
    "vldrw.u32 q0, [r0, q3]\n\t" \
    "add r0, r10\n\t" \
    "vmladav.s8 r8, q0, q4\n\t"

/* Their codes: scaled, the zero point and half of the last place added, saturated by a shift up
 * and one down. */
#define SCALE \
    NB_MVE_GATHER("q0", "r2", "r4", "r6", "r8") \
    "vadd.i32 q0, q0, r3\n\t" \
    "vqrdmulh.s32 q0, q0, r5\n\t"
#define ROUND \
    "vqadd.s32 q0, q0, r7\n\t" \
    "vqshl.s32 q0, r9\n\t" \
    "vshr.s32 q0, q0, #24\n\t"
/* Where negative codes count: ties go away from zero, and the limits are the activation's. */
#define PLAIN SCALE ROUND
#define CAREFUL \
    SCALE \
    "ldr r2, [r12, #60]\n\t" \
    "vshr.s32 q1, q0, #31\n\t" \
    "vmla.s32 q0, q1, r2\n\t" \
    ROUND \
    "vldrw.32 q1, [r12, #96]\n\t" \
    "vmax.s32 q0, q0, q1\n\t" \
    "vldrw.32 q1, [r12, #112]\n\t" \
    "vmin.s32 q0, q0, q1\n\t"
#define STORE \
    "vstrb.32 q0, [r1, q2]\n\t" \
    "add r1, r11\n\t"
#define STORE_SOME \
    "vpst\n\t" \
    "vstrbt.32 q0, [r1, q2]\n\t" \
    "add r1, r11\n\t"

#define PASS(weights, sums, codes) \
    "push {r4-r11, lr}\n\t" \
    "vpush {d8-d15}\n\t" \
    "mov r12, r0\n\t" \
    "vldrw.32 q3, [r12, #64]\n\t" \
    "vldrw.32 q2, [r12, #80]\n\t" \
    "ldrd r10, r11, [r12, #52]\n" \
    "1:\n\t" /* a channel */ \
    "ldrd r0, r1, [r12, #8]\n\t" \
    weights \
    "adds r0, #16\n\t" \
    "ldrd r3, r5, [r1], #8\n\t" \
    "ldrd r7, r9, [r1], #8\n\t" \
    "strd r0, r1, [r12, #8]\n\t" \
    "subs r2, r9, #24\n\t" \
    "it ne\n\t" \
    "movne r2, #1\n\t" \
    "str r2, [r12, #60]\n\t" \
    "ldrd r0, r1, [r12]\n\t" \
    "adds r4, r0, #4\n\t" \
    "adds r6, r1, #1\n\t" \
    "strd r4, r6, [r12]\n\t" \
    "ldr r2, [r12, #20]\n\t" \
    "cmp r2, #0\n\t" \
    "beq 6f\n" \
    "2:\n\t" /* a strip */ \
    "str r2, [r12, #24]\n\t" \
    "ldr lr, [r12, #28]\n\t" \
    "wls lr, lr, 4f\n" \
    "3:\n\t" \
    sums codes STORE \
    "le lr, 3b\n" \
    "4:\n\t" \
    "ldr r2, [r12, #32]\n\t" \
    "cbz r2, 5f\n\t" \
    "vmsr p0, r2\n\t" \
    sums codes STORE_SOME \
    "5:\n\t" \
    "ldrd r4, r6, [r12, #44]\n\t" \
    "ldr r2, [r12, #24]\n\t" \
    "add r0, r4\n\t" \
    "add r1, r6\n\t" \
    "subs r2, #1\n\t" \
    "bne 2b\n" \
    "6:\n\t" \
    "ldr r2, [r12, #36]\n\t" \
    "cmp r2, #0\n\t" \
    "beq 9f\n\t" \
    "ldr lr, [r12, #28]\n\t" \
    "vmsr p0, r2\n\t" \
    "wls lr, lr, 8f\n" \
    "7:\n\t" \
    sums codes STORE_SOME \
    "le lr, 7b\n" \
    "8:\n\t" \
    "ldr r2, [r12, #40]\n\t" \
    "cbz r2, 9f\n\t" \
    "vmsr p0, r2\n\t" \
    sums codes STORE_SOME \
    "9:\n\t" \
    "ldr r2, [r12, #16]\n\t" \
    "subs r2, #1\n\t" \
    "str r2, [r12, #16]\n\t" \
    "bne 1b\n\t" \
    "vpop {d8-d15}\n\t" \
    "pop {r4-r11, pc}"

#define PASS_FUNCTION(name, weights, sums, codes) \
    __attribute__((naked, noinline)) static void name(pass *s __attribute__((unused))) { \
        __asm volatile(PASS(weights, sums, codes)); \
    }
PASS_FUNCTION(run_2x2, WEIGHTS_2X2, SUMS_2X2, PLAIN)
PASS_FUNCTION(run_2x2_exact, WEIGHTS_2X2, SUMS_2X2, CAREFUL)
PASS_FUNCTION(run_1x4, WEIGHTS_1X4, SUMS_1X4, PLAIN)
PASS_FUNCTION(run_1x4_exact, WEIGHTS_1X4, SUMS_1X4, CAREFUL)
/* clang-format on */

static void offsets(int32_t to[4], int32_t a, int32_t b, int32_t c)
{
    to[0] = 0;
    to[1] = a;
    to[2] = b;
    to[3] = c;
}

static void set_up(const nb_mve_depthwise_3x3_s8_params *p, pass *s)
{
    const int32_t channels = p->channels;
    const int32_t wide = p->lines == 2 ? 2 : 4; /* outputs of a vector in a row */
    const int32_t fours = (p->out_w + wide - 1) / wide;
    const uint32_t rest = (uint32_t)(p->out_w % wide);
    const uint32_t row = (1u << (4 * rest)) - 1u;
    s->count = p->out_w / wide;
    s->plane_step = (p->lines == 2 ? 2 : p->stride_w) * p->pitch;
    s->output_step = wide * channels;
    s->plane_skip = p->strip_bytes - fours * (p->lines == 2 ? 1 : 4) * s->plane_step;
    s->output_skip = p->lines * p->out_w * channels - fours * s->output_step;
    if (p->lines == 2) {
        s->tail = row | row << 8;
        s->single_tail = row;
        offsets(s->from, p->pitch, 2 * p->pitch, 3 * p->pitch);
        offsets(s->to, channels, p->out_w * channels, (p->out_w + 1) * channels);
    } else {
        s->tail = row;
        s->single_tail = 0;
        offsets(s->from, p->pitch, 2 * p->pitch, 2 * p->pitch);
        offsets(s->to, channels, 2 * channels, 3 * channels);
    }
    for (int32_t i = 0; i < 4; i++) {
        s->low[i] = p->low;
        s->high[i] = p->high;
    }
}

/* The rows from `y` on of the channels at `image`, `count` of them, into a strip of the planes.
 * `edges`: with the columns left and right of the image. */
static void fill_strip(const nb_mve_depthwise_3x3_s8_params *p, const int8_t *image, int32_t y,
                       int32_t count, int edges, const int8_t *nothing, int8_t *strip)
{
    const int flat = p->channels <= 16;
    const int32_t step = flat ? 16 : p->channels;
    const int32_t bytes = p->width * p->channels;
    bring b;
    for (int32_t i = 0; i < 4; i++) {
        const int inside = y + i >= 0 && y + i < p->in_h;
        b.row[i] = inside ? image + (y + i) * p->in_w * p->channels : nothing;
        b.step[i] = inside ? step : 0;
    }
    b.to = strip + p->pad_left * p->pitch;
    b.count = flat ? bytes >> 4 : p->width;
    b.mask = flat ? 0xffffu : (1u << count) - 1u;
    for (int32_t again = 0; again < 2; again++) {
        if (b.count > 0 && p->lines == 2) {
            bring_4(&b);
        } else if (b.count > 0) {
            bring_3(&b);
        }
        if (!flat || (bytes & 15) == 0) {
            break;
        }
        b.count = 1;
        b.mask = (1u << (bytes & 15)) - 1u;
    }
    if (edges) {
        const int32_t right = p->pad_left + p->width;
        nb_mve_fill(strip, p->input_zero, p->pad_left * p->pitch);
        nb_mve_fill(strip + right * p->pitch, p->input_zero, (p->columns - right) * p->pitch);
    }
}

void nb_mve_depthwise_3x3_s8(const nb_mve_depthwise_3x3_s8_params *p, const int8_t *input,
                             const int8_t *weights, const int32_t *quant, int8_t *planes,
                             int8_t *output)
{
    int8_t nothing[16];
    pass s;
    nb_mve_fill(nothing, p->input_zero, 16);
    set_up(p, &s);
    for (int32_t b = 0; b < p->batches; b++) {
        for (int32_t oy = 0; oy < p->out_h; oy += p->strips * p->lines) {
            const int32_t most = p->strips * p->lines;
            const int32_t rows = p->out_h - oy < most ? p->out_h - oy : most;
            s.strips = p->lines == 2 ? rows >> 1 : rows;
            s.single = p->lines == 2 && (rows & 1) != 0 ? 0x00ffu : 0;
            s.weights = weights;
            s.quant = quant;
            for (int32_t c = 0; c < p->channels; c += 16) {
                const int32_t count = p->channels - c < 16 ? p->channels - c : 16;
                int8_t *strip = planes;
                for (int32_t row = 0; row < rows; row += p->lines) {
                    fill_strip(p, input + c, (oy + row) * p->stride_h - p->pad_top, count, c == 0,
                               nothing, strip);
                    strip += p->strip_bytes;
                }
                s.planes = planes;
                s.output = output + c;
                s.channels = count;
                if (p->lines == 2 && p->exact) {
                    run_2x2_exact(&s);
                } else if (p->lines == 2) {
                    run_2x2(&s);
                } else if (p->exact) {
                    run_1x4_exact(&s);
                } else {
                    run_1x4(&s);
                }
            }
            output += rows * p->out_w * p->channels;
        }
        input += p->in_h * p->in_w * p->channels;
    }
}
