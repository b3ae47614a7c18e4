/* fully_connected_dsp_s8.c: int8 dense layer for cores with the DSP extension.
 *
 * Equals TensorFlow Lite Micro's reference FULLY_CONNECTED with one scale for all outputs, both
 * roundings included. One input meets eight output channels at a time (see nb_dsp.h for the packing
 * of the weights).
 *
 * Where the instructions go: per four taps and eight channels, 32 multiply-adds, one load of
 * activations and two SXTB16, four LDM of weights, eight SXTB16 and sixteen SMLAD: 31, with the
 * loop over sixteen taps 31.75, so 0.99 per multiply-add; 6 per output after a ReLU that opens at
 * the lowest code, else 9.5. The limit are the sixteen SMLAD. Widening the input once instead would
 * save two of the 31 and cost twice the input's size in memory. Assembly for the reason that
 * conv2d_dsp_s8.c gives.
 */
#include "nb_dsp.h"
#include "nb_kernels_dsp.h"

typedef struct {
    const int8_t *weights;   /*  0 */
    const int8_t *input;     /*  4 */
    const int8_t *quarter;   /*  8: end of the whole groups of sixteen taps */
    const int8_t *end;       /* 12: end of the whole words */
    const int32_t *sums;     /* 16 */
    int8_t *output;          /* 20 */
    int32_t channels;        /* 24 */
    int32_t exact;           /* 28 */
    uint32_t low4, high4;    /* 32, 36 */
    int32_t multiplier;      /* 40 */
    int32_t rounding;        /* 44 */
    int32_t shift;           /* 48 */
    int32_t rest;            /* 52: taps beyond whole words */
    uint32_t last;           /* 56: these, zeros behind */
} rows;
_Static_assert(sizeof(rows) == 60, "the assembly counts on its layout");

/* clang-format off */
#define PAIR_OF_WORDS(x, a, b, c, d) \
    "ldmia r0!, {r12, lr}\n\t" \
    "smlad " b ", r12, " x ", " b "\n\t" \
    "sxtb16 r12, r12\n\t" \
    "smlad " a ", r12, " x ", " a "\n\t" \
    "smlad " d ", lr, " x ", " d "\n\t" \
    "sxtb16 lr, lr\n\t" \
    "smlad " c ", lr, " x ", " c "\n\t"
#define STEP \
    "ldr r3, [r1], #4\n\t" \
    REST
#define REST \
    "sxtb16 r2, r3\n\t" \
    "sxtb16 r3, r3, ror #8\n\t" \
    PAIR_OF_WORDS("r2", "r4", "r5", "r6", "r7") \
    PAIR_OF_WORDS("r2", "r8", "r9", "r10", "r11") \
    PAIR_OF_WORDS("r3", "r4", "r5", "r6", "r7") \
    PAIR_OF_WORDS("r3", "r8", "r9", "r10", "r11")
#define SUM(a, b) \
    "sub " b ", " b ", " a "\n\t" \
    "lsl " a ", " a ", #1\n\t" \
    "asr " b ", " b ", #7\n\t"
#define RELU(a) \
    "smmlar " a ", " a ", r2, r3\n\t" \
    "asr " a ", " a ", r12\n\t" \
    "ssat " a ", #8, " a "\n\t"
#define EXACT(a) \
    "smmulr " a ", " a ", r2\n\t" \
    "add " a ", " a ", " a ", asr #31\n\t" \
    "add " a ", " a ", r3\n\t" \
    "asr " a ", " a ", r12\n\t" \
    "ssat " a ", #8, " a "\n\t"
#define EIGHT(each) \
    each("r4") each("r5") each("r6") each("r7") each("r8") each("r9") each("r10") each("r11")
#define PACK(a, b, c, d) \
    "bfi " a ", " b ", #8, #8\n\t" \
    "bfi " c ", " d ", #8, #8\n\t" \
    "pkhbt " a ", " a ", " c ", lsl #16\n\t"
#define CLAMP(a) \
    "ssub8 r12, " a ", r2\n\t" \
    "sel " a ", " a ", r2\n\t" \
    "ssub8 r12, " a ", r3\n\t" \
    "sel " a ", r3, " a "\n\t"

__attribute__((naked, noinline)) static void run_rows(rows *r __attribute__((unused))) {
    __asm volatile(
        "push {r4-r11, lr}\n\t"
        "sub sp, #12\n\t"
        "ldr r1, [r0, #8]\n\t"
        "ldr r2, [r0, #12]\n\t"
        "strd r1, r2, [sp, #4]\n\t"
        "mov lr, r0\n\t"
        "ldr r0, [lr]\n\t"
        "str lr, [sp]\n"
        "1:\n\t" /* eight channels */
        "ldr r1, [lr, #16]\n\t"
        "ldmia r1!, {r4-r11}\n\t"
        "str r1, [lr, #16]\n\t"
        "ldr r1, [lr, #4]\n\t"
        "ldr r12, [sp, #4]\n\t"
        "cmp r1, r12\n\t"
        "beq 3f\n"
        "2:\n\t" /* sixteen taps */
        STEP STEP STEP STEP
        "ldr r12, [sp, #4]\n\t"
        "cmp r1, r12\n\t"
        "bne.w 2b\n"
        "3:\n\t" /* the other taps, four at a time */
        "ldr r12, [sp, #8]\n\t"
        "cmp r1, r12\n\t"
        "beq 4f\n\t"
        STEP
        "b 3b\n"
        "4:\n\t" /* fewer than four taps: their word is in the state */
        "ldr lr, [sp]\n\t"
        "ldr r3, [lr, #52]\n\t"
        "cbz r3, 10f\n\t"
        "ldr r3, [lr, #56]\n\t"
        REST
        "10:\n\t"
        SUM("r4", "r5") SUM("r6", "r7") SUM("r8", "r9") SUM("r10", "r11")
        "ldr lr, [sp]\n\t"
        "ldr r1, [lr, #28]\n\t"
        "ldrd r2, r3, [lr, #40]\n\t"
        "ldr r12, [lr, #48]\n\t"
        "cmp r1, #0\n\t"
        "bne.w 5f\n\t"
        EIGHT(RELU)
        PACK("r4", "r5", "r6", "r7")
        PACK("r8", "r9", "r10", "r11")
        "b 6f\n"
        "5:\n\t"
        EIGHT(EXACT)
        PACK("r4", "r5", "r6", "r7")
        PACK("r8", "r9", "r10", "r11")
        "ldrd r2, r3, [lr, #32]\n\t"
        CLAMP("r4")
        CLAMP("r8")
        "6:\n\t"
        "ldrd r2, r3, [lr, #20]\n\t"
        "subs r3, #8\n\t"
        "blt 7f\n\t"
        "str r4, [r2], #4\n\t"
        "str r8, [r2], #4\n\t"
        "strd r2, r3, [lr, #20]\n\t"
        "bne.w 1b\n\t"
        "b 9f\n"
        "7:\n\t" /* fewer than eight channels are left */
        "add r3, #8\n"
        "8:\n\t"
        "strb r4, [r2], #1\n\t"
        "lsr r4, r4, #8\n\t"
        "orr r4, r4, r8, lsl #24\n\t"
        "lsr r8, r8, #8\n\t"
        "subs r3, #1\n\t"
        "bne 8b\n"
        "9:\n\t"
        "add sp, #12\n\t"
        "pop {r4-r11, pc}");
}
/* clang-format on */

void nb_dsp_fully_connected_s8(const nb_dsp_fully_connected_s8_params *p, const int8_t *input,
                               const int8_t *weights, const int32_t *sums, int8_t *output)
{
    rows r = {0};
    r.exact = p->exact;
    r.low4 = (uint32_t)(p->low & 0xff) * 0x01010101u;
    r.high4 = (uint32_t)(p->high & 0xff) * 0x01010101u;
    r.multiplier = p->multiplier;
    r.rounding = p->rounding;
    r.shift = p->shift;
    r.rest = p->in_c & 3;
    for (int32_t b = p->batches; b > 0; b--) {
        r.input = input;
        r.quarter = input + (p->in_c & ~15);
        r.end = input + (p->in_c & ~3);
        r.last = 0;
        for (int32_t i = r.rest - 1; i >= 0; i--) {
            r.last = r.last << 8 | (uint8_t)r.end[i];
        }
        r.weights = weights;
        r.sums = sums;
        r.output = output;
        r.channels = p->out_c;
        run_rows(&r);
        input += p->in_c;
        output += p->out_c;
    }
}
