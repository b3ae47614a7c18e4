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
static inline int32x4_t shifted(int32x4_t x, int32x4_t shifts) {
    const int32x4_t fix = vshrq_n_s32(vandq_s32(x, shifts), 31);
    return vrshlq_s32(vqaddq_s32(x, fix), shifts);
}

void nb_mve_add_s8(const nb_mve_add_s8_params *p, const int8_t *input1, const int8_t *input2,
                   int8_t *output) {
    const nb_mve_add_s8_params local = *p;
    const int32x4_t shift1 = vdupq_n_s32(local.shift1);
    const int32x4_t shift2 = vdupq_n_s32(local.shift2);
    const int32x4_t shift = vdupq_n_s32(local.shift);
    const int32x4_t low = vdupq_n_s32(local.low);
    const int32x4_t high = vdupq_n_s32(local.high);
    for (int32_t left = local.count; left > 0; left -= 4) {
        const mve_pred16_t some = vctp32q((uint32_t)left);
        int32x4_t a = vsubq_n_s32(vldrbq_z_s32(input1, some), local.zero1);
        int32x4_t b = vsubq_n_s32(vldrbq_z_s32(input2, some), local.zero2);
        a = vqrdmulhq_n_s32(vshlq_r_s32(a, local.left_shift), local.multiplier1);
        b = vqrdmulhq_n_s32(vshlq_r_s32(b, local.left_shift), local.multiplier2);
        const int32x4_t sum = vaddq_s32(shifted(a, shift1), shifted(b, shift2));
        int32x4_t y = shifted(vqrdmulhq_n_s32(sum, local.multiplier), shift);
        y = vaddq_n_s32(y, local.output_zero);
        vstrbq_p_s32(output, vminq_s32(vmaxq_s32(y, low), high), some);
        input1 += 4;
        input2 += 4;
        output += 4;
    }
}
