/* nb_dsp.h: what the kernels for cores with the DSP extension share (Cortex-M4, M7, M33).
 *
 * Two ideas carry all of them.
 *
 * Pairs of channels in one word. Weights stay 8 bits wide in flash, arranged so that a word holds
 * two taps of two output channels as 16-bit numbers a + 256 b. SMLAD on the word as it is adds
 * x (a + 256 b); SXTB16 leaves the two a's, and SMLAD adds x a. The difference of the two sums is
 * 256 times b's sum, exactly, as long as b's sum fits 24 bits: the compiler proves that from the
 * weights, or takes another kernel. So two channels cost one SXTB16 per two taps, not two.
 *
 * Activations widened once. A window becomes a column of 16-bit numbers, four taps x0 x1 x2 x3 as
 * the words (x0, x2) and (x1, x3), which is what SXTB16 makes of four bytes without shuffling.
 */
#ifndef NB_DSP_H
#define NB_DSP_H

#include <stdint.h>
#include <string.h>

#if !defined(__ARM_FEATURE_DSP)
#error "these kernels need a core with the DSP extension"
#endif

/* Four bytes from any address. */
static inline uint32_t nb_load4(const int8_t *p)
{
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}

/* Bytes 0 and 2 of x as 16-bit numbers. */
static inline uint32_t nb_even(uint32_t x)
{
    uint32_t r;
    __asm("sxtb16 %0, %1" : "=r"(r) : "r"(x));
    return r;
}

/* Bytes 1 and 3 of x as 16-bit numbers. */
static inline uint32_t nb_odd(uint32_t x)
{
    uint32_t r;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(r) : "r"(x));
    return r;
}

/* Four taps of each of two windows, interleaved: even taps of both, odd taps of both. */
static inline uint32_t *nb_widen_word(uint32_t x0, uint32_t x1, uint32_t *column)
{
    column[0] = nb_even(x0);
    column[1] = nb_even(x1);
    column[2] = nb_odd(x0);
    column[3] = nb_odd(x1);
    return column + 4;
}

/* `words` times four bytes from p0 and p1 into an interleaved column: 13 instructions for sixteen
 * values, with the loop 15. Returns the column's end. */
static inline uint32_t *nb_widen_words(const int8_t *p0, const int8_t *p1, int32_t words,
                                       uint32_t *column)
{
    if (words & 1) {
        column = nb_widen_word(nb_load4(p0), nb_load4(p1), column);
        p0 += 4;
        p1 += 4;
    }
    const int8_t *end = p0 + (words & ~1) * 4;
    if (p0 != end) {
        __asm volatile("1:\n\t"
                       "ldr r6, [%0], #4\n\t"
                       "ldr r8, [%1], #4\n\t"
                       "ldr r11, [%0], #4\n\t"
                       "ldr r12, [%1], #4\n\t"
                       "sxtb16 r4, r6\n\t"
                       "sxtb16 r5, r8\n\t"
                       "sxtb16 r6, r6, ror #8\n\t"
                       "sxtb16 r8, r8, ror #8\n\t"
                       "sxtb16 r9, r11\n\t"
                       "sxtb16 r10, r12\n\t"
                       "sxtb16 r11, r11, ror #8\n\t"
                       "sxtb16 r12, r12, ror #8\n\t"
                       "stmia %2!, {r4, r5, r6, r8, r9, r10, r11, r12}\n\t"
                       "cmp %0, %3\n\t"
                       "bne 1b"
                       : "+r"(p0), "+r"(p1), "+r"(column)
                       : "r"(end)
                       : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "cc", "memory");
    }
    return column;
}

/* One run of `bytes` neighbouring bytes of two windows. What is left of a run beyond whole words is
 * taken from its last four bytes; the packed weights are zero for taps that came before. */
static inline uint32_t *nb_widen_run(const int8_t *p0, const int8_t *p1, int32_t bytes,
                                     uint32_t *column)
{
    column = nb_widen_words(p0, p1, bytes >> 2, column);
    const int32_t rest = bytes & 3;
    if (rest != 0) {
        if (bytes > 4) {
            column = nb_widen_word(nb_load4(p0 + bytes - 4), nb_load4(p1 + bytes - 4), column);
        } else {
            uint32_t x0 = 0;
            uint32_t x1 = 0;
            for (int32_t i = rest - 1; i >= 0; i--) {
                x0 = x0 << 8 | (uint8_t)p0[i];
                x1 = x1 << 8 | (uint8_t)p1[i];
            }
            column = nb_widen_word(x0, x1, column);
        }
    }
    return column;
}

/* One pass of two windows over the output channels of a block, four at a time. */
typedef struct {
    const uint32_t *stream; /*  0 */
    const uint32_t *column; /*  4 */
    int32_t rest;           /*  8: words of a window beyond whole fours */
    const uint32_t *end;    /* 12: of the column */
    int8_t *output;         /* 16: of the first window */
    int32_t second;         /* 20: from there to the second's */
    const uint32_t *full;   /* 24: end of the stream of whole groups of channels */
    int32_t tail;           /* 28: channels behind them, at most three */
    uint32_t low4, high4;   /* 32, 36 */
} nb_dsp_pass;
_Static_assert(sizeof(nb_dsp_pass) == 40, "the pass's assembly counts on its layout");

#endif
