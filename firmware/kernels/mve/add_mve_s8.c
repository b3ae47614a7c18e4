/* add_mve_s8.c: int8 sum of two tensors of one shape for cores with Helium (MVE).
 *
 * Equals TensorFlow Lite Micro's reference ADD, all roundings included. Four elements at a time in
 * 32 bits: per input a load, the zero point, the shift to the left, VQRDMULH and a rounding shift
 * of 4; the sum, its rescaling of 5, the limits, the store: about 24, so 6 per element. Works in
 * place on either input.
 */
#include "nb_kernels_mve.h"
#include "nb_mve.h"

/* Rounded to nearest, ties away from zero; `shifts` hold the negative shift. */
static inline int32x4_t shifted(int32x4_t x, int32x4_t shifts)
{
    const int32x4_t fix = vshrq_n_s32(vandq_s32(x, shifts), 31);
    return vrshlq_s32(vqaddq_s32(x, fix), shifts);
}

static inline int32x4_t scaled(int32x4_t x, int32_t zero, int32_t left, int32_t multiplier,
                               int32_t shift)
{
    const int32x4_t y = vqrdmulhq_n_s32(vshlq_r_s32(vsubq_n_s32(x, zero), left), multiplier);
    return shift == 0 ? y : shifted(y, vdupq_n_s32(shift));
}

static inline int32x4_t sum(const nb_mve_add_s8_params *p, int32x4_t x1, int32x4_t x2)
{
    const int32x4_t a = scaled(x1, p->zero1, p->left_shift, p->multiplier1, p->shift1);
    const int32x4_t b = scaled(x2, p->zero2, p->left_shift, p->multiplier2, p->shift2);
    int32x4_t y = vqrdmulhq_n_s32(vaddq_s32(a, b), p->multiplier);
    if (p->low == p->output_zero) {
        y = vrshlq_n_s32(y, p->shift); /* negative ones are cut off, however they are rounded */
    } else {
        y = shifted(y, vdupq_n_s32(p->shift));
    }
    y = vaddq_n_s32(y, p->output_zero);
    return vminq_s32(vmaxq_s32(y, vdupq_n_s32(p->low)), vdupq_n_s32(p->high));
}

void nb_mve_add_s8(const nb_mve_add_s8_params *p, const int8_t *input1, const int8_t *input2,
                   int8_t *output)
{
    const nb_mve_add_s8_params local = *p;
    for (int32_t fours = local.count >> 2; fours > 0; fours--) {
        vstrbq_s32(output, sum(&local, vldrbq_s32(input1), vldrbq_s32(input2)));
        input1 += 4;
        input2 += 4;
        output += 4;
    }
    if (local.count & 3) {
        const mve_pred16_t some = vctp32q((uint32_t)local.count & 3u);
        const int32x4_t x1 = vldrbq_z_s32(input1, some);
        vstrbq_p_s32(output, sum(&local, x1, vldrbq_z_s32(input2, some)), some);
    }
}
