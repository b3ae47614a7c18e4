/* conv2d_dsp_s16.c: int16 convolution and dense layer with int8 weights, DSP extension.
 *
 * Equals nb_conv2d_s16. Two windows in scratch meet a word of four weights, which two SXTB16 widen to
 * pairs. In 32 bits two channels are taken at a time: for sixteen multiply-adds six loads, four
 * SXTB16, eight SMLAD and two for the loop, 1.25 each, in assembly, since GCC 12 spills. In 64 bits one channel: for eight five loads,
 * two SXTB16, four SMLALD and five. A last window alone meets two channels, or is computed twice.
 */
#include <string.h>

#include "nb_dsp.h"
#include "nb_kernels_dsp.h"
#include "nb_wide.h"

#define UNIT 4

typedef struct {
    int32_t taps, out_c, sums, low, high;
    const int8_t *weights;
    const int32_t *quant;
} layer;

static inline uint32_t pair_of(const int16_t *x)
{
    uint32_t word;
    memcpy(&word, x, sizeof word);
    return word;
}

static inline int32_t add32(uint32_t x, uint32_t w, int32_t sum)
{
    int32_t r;
    __asm("smlad %0, %1, %2, %3" : "=r"(r) : "r"(x), "r"(w), "r"(sum));
    return r;
}

static inline int64_t add64(uint32_t x, uint32_t w, int64_t sum)
{
    uint32_t low = (uint32_t)sum, high = (uint32_t)((uint64_t)sum >> 32);
    __asm("smlald %0, %1, %2, %3" : "+r"(low), "+r"(high) : "r"(x), "r"(w));
    return (int64_t)(((uint64_t)high << 32) | low);
}

static inline void put(const layer *l, int32_t channel, int64_t sum, int16_t *output)
{
    const int32_t *row = l->quant + channel * NB_WIDE_QUANT_WORDS;
    output[channel] = nb_wide_code(sum + nb_wide_bias(row), row, l->sums, l->low, l->high);
}

/* The products of two windows and two channels; each second one `next` bytes or l->taps values behind
 * the first. Apart, so that its registers are its own. */
static __attribute__((noinline)) void pass32(const int16_t *x, int32_t taps, const int8_t *a,
                                             int32_t next, int32_t sums[4])
{
    const int8_t *b = a + next;
    const int16_t *y = x + taps, *end = y;
    int32_t sum00 = 0, sum01 = 0, sum10 = 0, sum11 = 0;
    uint32_t ka, kb, u, v, even;
    __asm volatile("1:\n\t"
                   "ldr %[ka], [%[a]], #4\n\t"
                   "ldr %[u], [%[x]], #4\n\t"
                   "ldr %[v], [%[y]], #4\n\t"
                   "sxtb16 %[even], %[ka]\n\t"
                   "smlad %[s00], %[u], %[even], %[s00]\n\t"
                   "smlad %[s10], %[v], %[even], %[s10]\n\t"
                   "ldr %[kb], [%[b]], #4\n\t"
                   "sxtb16 %[even], %[kb]\n\t"
                   "smlad %[s01], %[u], %[even], %[s01]\n\t"
                   "smlad %[s11], %[v], %[even], %[s11]\n\t"
                   "ldr %[u], [%[x]], #4\n\t"
                   "ldr %[v], [%[y]], #4\n\t"
                   "sxtb16 %[ka], %[ka], ror #8\n\t"
                   "smlad %[s00], %[u], %[ka], %[s00]\n\t"
                   "smlad %[s10], %[v], %[ka], %[s10]\n\t"
                   "sxtb16 %[kb], %[kb], ror #8\n\t"
                   "smlad %[s01], %[u], %[kb], %[s01]\n\t"
                   "smlad %[s11], %[v], %[kb], %[s11]\n\t"
                   "cmp %[x], %[end]\n\t"
                   "bne 1b"
                   : [x] "+&r"(x), [y] "+&r"(y), [a] "+&r"(a), [b] "+&r"(b), [s00] "+&r"(sum00),
                     [s01] "+&r"(sum01), [s10] "+&r"(sum10), [s11] "+&r"(sum11), [ka] "=&r"(ka),
                     [kb] "=&r"(kb), [u] "=&r"(u), [v] "=&r"(v), [even] "=&r"(even)
                   : [end] "r"(end)
                   : "cc", "memory");
    sums[0] = sum00;
    sums[1] = sum01;
    sums[2] = sum10;
    sums[3] = sum11;
}

/* One window, two channels. */
static __attribute__((noinline)) void single32(const int16_t *x, int32_t taps, const int8_t *a,
                                               int32_t next, int32_t sums[2])
{
    const int8_t *b = a + next;
    const int16_t *end = x + taps;
    int32_t sum0 = 0, sum1 = 0;
    while (x != end) {
        const uint32_t ka = nb_load4(a), kb = nb_load4(b);
        const uint32_t u = pair_of(x), v = pair_of(x + 2);
        sum0 = add32(v, nb_odd(ka), add32(u, nb_even(ka), sum0));
        sum1 = add32(v, nb_odd(kb), add32(u, nb_even(kb), sum1));
        a += 4;
        b += 4;
        x += 4;
    }
    sums[0] = sum0;
    sums[1] = sum1;
}

/* Two windows, taps values apart or the same one, one channel in 64 bits. */
static __attribute__((noinline)) void pass64(const int16_t *x, const int16_t *y, int32_t taps,
                                             const int8_t *a, int64_t sums[2])
{
    const int16_t *end = x + taps;
    int64_t sum0 = 0, sum1 = 0;
    while (x != end) {
        const uint32_t k = nb_load4(a), even = nb_even(k), odd = nb_odd(k);
        sum0 = add64(pair_of(x), even, sum0);
        sum1 = add64(pair_of(y), even, sum1);
        sum0 = add64(pair_of(x + 2), odd, sum0);
        sum1 = add64(pair_of(y + 2), odd, sum1);
        a += 4;
        x += 4;
        y += 4;
    }
    sums[0] = sum0;
    sums[1] = sum1;
}

static void wide(const layer *l, const int16_t *x, const int16_t *y, int16_t *out0, int16_t *out1)
{
    const int8_t *w = l->weights;
    for (int32_t c = 0; c < l->out_c; c++) {
        int64_t sums[2];
        pass64(x, y, l->taps, w, sums);
        put(l, c, sums[0], out0);
        put(l, c, sums[1], out1);
        w += l->taps;
    }
}

/* Two windows, the second l->taps values behind the first. */
static void two(const layer *l, const int16_t *column, int16_t *out0, int16_t *out1)
{
    const int8_t *w = l->weights;
    if (l->sums == NB_SUMS_64) {
        wide(l, column, column + l->taps, out0, out1);
        return;
    }
    for (int32_t c = 0; c < l->out_c; c += 2) {
        const int32_t next = c + 1 < l->out_c ? 1 : 0;
        int32_t sums[4];
        pass32(column, l->taps, w, next * l->taps, sums);
        put(l, c, sums[0], out0);
        put(l, c + next, sums[1], out0);
        put(l, c, sums[2], out1);
        put(l, c + next, sums[3], out1);
        w += 2 * l->taps;
    }
}

/* One window. */
static void one(const layer *l, const int16_t *column, int16_t *output)
{
    const int8_t *w = l->weights;
    if (l->sums == NB_SUMS_64) {
        wide(l, column, column, output, output);
        return;
    }
    for (int32_t c = 0; c < l->out_c; c += 2) {
        const int32_t next = c + 1 < l->out_c ? 1 : 0;
        int32_t sums[2];
        single32(column, l->taps, w, next * l->taps, sums);
        put(l, c, sums[0], output);
        put(l, c + next, sums[1], output);
        w += 2 * l->taps;
    }
}

void nb_dsp_conv2d_s16(const nb_conv2d_s16_params *p, const int16_t *input, const int8_t *weights,
                       const int32_t *quant, int16_t *scratch, int16_t *output)
{
    const int32_t taps = (p->kernel_h * p->kernel_w * p->in_c + UNIT - 1) / UNIT * UNIT;
    const layer l = {taps, p->out_c, p->sums, p->low, p->high, weights, quant};
    int16_t *pending = NULL;
    /* What lies behind a window meets weights of zero. */
    memset(scratch, 0, 2 * (size_t)taps * sizeof(int16_t));
    for (int32_t b = 0; b < p->batches; b++) {
        for (int32_t oy = 0; oy < p->out_h; oy++) {
            const int32_t y = oy * p->stride_h - p->pad_top;
            for (int32_t ox = 0; ox < p->out_w; ox++) {
                const int32_t x = ox * p->stride_w - p->pad_left;
                if (pending == NULL) {
                    nb_wide_column(p, input, y, x, scratch);
                    pending = output;
                } else {
                    nb_wide_column(p, input, y, x, scratch + taps);
                    two(&l, scratch, pending, output);
                    pending = NULL;
                }
                output += p->out_c;
            }
        }
        input += p->in_h * p->in_w * p->in_c;
    }
    if (pending != NULL) {
        one(&l, scratch, pending);
    }
}
