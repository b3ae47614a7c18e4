/* add_s8.c: int8 sum and difference with broadcasting, portable C.
 *
 * Equals TensorFlow Lite Micro's reference ADD and SUB: each input, less its zero point, is shifted
 * left by 20 bits and brought to a common scale, the result is requantized. Three requantizations
 * of about eleven instructions make an element cost about fifty.
 */
#include "nb_broadcast.h"
#include "nb_kernels.h"
#include "nb_requant.h"

static inline int32_t common1(int32_t x, const nb_add_s8_params *p)
{
    return nb_requant((x - p->zero1) * (1 << p->left_shift), p->multiplier1, p->shift1);
}

static inline int32_t common2(int32_t x, const nb_add_s8_params *p)
{
    return nb_requant((x - p->zero2) * (1 << p->left_shift), p->multiplier2, p->shift2);
}

static inline int8_t finish(int32_t x, const nb_add_s8_params *p)
{
    x = nb_requant(x, p->multiplier, p->shift) + p->output_zero;
    return (int8_t)nb_clamp(x, p->low, p->high);
}

void nb_add_s8(const nb_add_s8_params *p, const int8_t *input1, const int8_t *input2,
               int8_t *output)
{
    const nb_add_s8_params local = *p;
    NB_BROADCAST(&local, input1, input2, output,
                 finish(common1(a, &local) + common2(b, &local), &local));
}

void nb_sub_s8(const nb_add_s8_params *p, const int8_t *input1, const int8_t *input2,
               int8_t *output)
{
    const nb_add_s8_params local = *p;
    NB_BROADCAST(&local, input1, input2, output,
                 finish(common1(a, &local) - common2(b, &local), &local));
}
