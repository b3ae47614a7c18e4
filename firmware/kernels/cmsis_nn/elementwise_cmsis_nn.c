/* elementwise_cmsis_nn.c: sums, products and softmax through CMSIS-NN. */
#include "arm_nnfunctions.h"
#include "nb_kernels_cmsis_nn.h"

void nb_cmsis_add(const nb_cmsis_elementwise_params *p, const int8_t *first, const int8_t *second,
                  int8_t *output)
{
    if (arm_elementwise_add_s8(first, second, -p->zero1, p->multiplier1, p->shift1, -p->zero2,
                               p->multiplier2, p->shift2, p->left_shift, output, p->output_zero,
                               p->multiplier, p->shift, p->low, p->high,
                               p->count) != ARM_CMSIS_NN_SUCCESS) {
        __builtin_trap();
    }
}

void nb_cmsis_mul(const nb_cmsis_elementwise_params *p, const int8_t *first, const int8_t *second,
                  int8_t *output)
{
    if (arm_elementwise_mul_s8(first, second, -p->zero1, -p->zero2, output, p->output_zero,
                               p->multiplier, p->shift, p->low, p->high,
                               p->count) != ARM_CMSIS_NN_SUCCESS) {
        __builtin_trap();
    }
}

void nb_cmsis_softmax(const nb_cmsis_softmax_params *p, const int8_t *input, int8_t *output)
{
    arm_softmax_s8(input, p->rows, p->depth, p->multiplier, p->left_shift, p->diff_min, output);
}
