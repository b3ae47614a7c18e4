/* nb_mve.h: what the kernels for cores with Helium (MVE, Cortex-M55 and M85) share. */
#ifndef NB_MVE_H
#define NB_MVE_H

#include <arm_mve.h>
#include <stddef.h>
#include <stdint.h>

/* Copy `bytes` from `from` to `to`, whatever their alignment: two instructions per 16 bytes, the
 * rest by one predicated pair. */
static inline void nb_mve_copy(int8_t *to, const int8_t *from, int32_t bytes)
{
    for (int32_t blocks = bytes >> 5; blocks > 0; blocks--) {
        const int8x16_t a = vldrbq_s8(from);
        const int8x16_t b = vldrbq_s8(from + 16);
        vstrbq_s8(to, a);
        vstrbq_s8(to + 16, b);
        from += 32;
        to += 32;
    }
    if (bytes & 16) {
        vstrbq_s8(to, vldrbq_s8(from));
        from += 16;
        to += 16;
    }
    if (bytes & 15) {
        const mve_pred16_t some = vctp8q((uint32_t)bytes & 15u);
        vstrbq_p_s8(to, vldrbq_z_s8(from, some), some);
    }
}

/* Fill `bytes` with `value`. */
static inline void nb_mve_fill(int8_t *to, int32_t value, int32_t bytes)
{
    const int8x16_t v = vdupq_n_s8((int8_t)value);
    for (; bytes > 0; bytes -= 16) {
        vstrbq_p_s8(to, v, vctp8q((uint32_t)bytes));
        to += 16;
    }
}

/* One pass of one or two columns over all output channels; the pass advances it. */
typedef struct {
    const int8_t *weights;    /*  0 */
    const int8_t *x0, *x1;    /*  4, 8 */
    int32_t blocks;           /* 12: of sixteen taps (a convolution's: less one) */
    const int32_t *quant;     /* 16 */
    int8_t *out0, *out1;      /* 20, 24 */
    int32_t channels;         /* 28 (a convolution's: of the last four) */
    int32_t exact;            /* 32 */
    int32_t zero;             /* 36 */
    int32_t low, high;        /* 40, 44 */
    union {
        const int32_t *quant_end; /* 48, where every channel has a scale */
        int32_t multiplier;       /* 48, where one serves all */
    };
    int32_t shift; /* 52: negative, to the right */
} nb_mve_pass;
_Static_assert(sizeof(nb_mve_pass) == 56, "the pass's assembly counts on its layout");

/* clang-format off */
/* Four sums of 32 bits from even registers into the lanes of a vector. */
#define NB_MVE_GATHER(q, a, b, c, d) \
    "vmov " q "[2], " q "[0], " a ", " c "\n\t" \
    "vmov " q "[3], " q "[1], " b ", " d "\n\t"
/* Takes one off negative products that are shifted, so that ties go away from zero; s holds the
 * negative shifts. */
#define NB_MVE_AWAY(q, s, t) \
    "vand " t ", " q ", " s "\n\t" \
    "vshr.s32 " t ", " t ", #31\n\t" \
    "vqadd.s32 " q ", " q ", " t "\n\t"
/* clang-format on */

#endif
