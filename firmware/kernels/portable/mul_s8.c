/* mul_s8.c: int8 product with broadcasting, portable C.
 *
 * Equals TensorFlow Lite Micro's reference MUL. One multiplication and one requantization per
 * element, about twenty-five instructions.
 */
#include "nb_broadcast.h"
#include "nb_kernels.h"
#include "nb_requant.h"

static inline int8_t product(int32_t a, int32_t b, const nb_mul_s8_params *p)
{
    const int32_t x = nb_requant((a - p->zero1) * (b - p->zero2), p->multiplier, p->shift);
    return (int8_t)nb_clamp(x + p->output_zero, p->low, p->high);
}

void nb_mul_s8(const nb_mul_s8_params *p, const int8_t *input1, const int8_t *input2,
               int8_t *output)
{
    const nb_mul_s8_params local = *p;
    NB_BROADCAST(&local, input1, input2, output, product(a, b, &local));
}
