/* batch_matmul_s8.c: products of int8 matrices, either turned, with broadcasting, portable C.
 *
 * Equals TensorFlow Lite Micro's reference BATCH_MATMUL: a 32-bit sum and one requantization. About
 * seven instructions per multiply-accumulate; nothing is turned in memory.
 */
#include "nb_kernels.h"
#include "nb_requant.h"

static int8_t *product(const nb_batch_matmul_s8_params *p, const int8_t *left, const int8_t *right,
                       int8_t *output)
{
    for (int32_t i = 0; i < p->rows; i++) {
        for (int32_t j = 0; j < p->columns; j++) {
            const int8_t *a = left + i * p->left_row;
            const int8_t *b = right + j * p->right_column;
            int32_t sum = 0;
            for (int32_t k = p->depth; k > 0; k--) {
                sum += (*a - p->left_zero) * (*b - p->right_zero);
                a += p->left_step;
                b += p->right_step;
            }
            sum = nb_requant(sum, p->multiplier, p->shift) + p->output_zero;
            *output++ = (int8_t)nb_clamp(sum, INT8_MIN, INT8_MAX);
        }
    }
    return output;
}

void nb_batch_matmul_s8(const nb_batch_matmul_s8_params *p, const int8_t *left, const int8_t *right,
                        int8_t *output)
{
    const nb_batch_matmul_s8_params local = *p;
    for (int32_t i = 0; i < local.dims[0]; i++) {
        for (int32_t j = 0; j < local.dims[1]; j++) {
            for (int32_t k = 0; k < local.dims[2]; k++) {
                const int8_t *a = left + i * local.left_stride[0] + j * local.left_stride[1] +
                                  k * local.left_stride[2];
                const int8_t *b = right + i * local.right_stride[0] + j * local.right_stride[1] +
                                  k * local.right_stride[2];
                output = product(&local, a, b, output);
            }
        }
    }
}
