/* fully_connected_s16.c: int16 fully connected layer and products of int16 matrices, portable C.
 *
 * Equal TensorFlow Lite Micro's reference FULLY_CONNECTED (int8 weights) and BATCH_MATMUL of int16.
 * The layer takes about four instructions per multiply-accumulate in 32 bits and five in 64, the
 * product of matrices seven. No assumption about shapes or alignment.
 */
#include "nb_wide.h"

void nb_fully_connected_s16(const nb_fully_connected_s16_params *p, const int16_t *input,
                            const int8_t *weights, const int32_t *quant, int16_t *output)
{
    for (int32_t r = 0; r < p->rows; r++) {
        const int8_t *w = weights;
        const int32_t *row = quant;
        for (int32_t c = 0; c < p->out_c; c++) {
            const int64_t sum = nb_wide_bias(row) + nb_wide_dot(input, w, p->in_c, p->sums);
            *output++ = nb_wide_code(sum, row, p->sums, p->low, p->high);
            w += p->in_c;
            row += NB_WIDE_QUANT_WORDS;
        }
        input += p->in_c;
    }
}

static int16_t *product(const nb_batch_matmul_s16_params *p, const int16_t *left,
                        const int16_t *right, int16_t *output)
{
    for (int32_t i = 0; i < p->rows; i++) {
        for (int32_t j = 0; j < p->columns; j++) {
            const int16_t *a = left + i * p->left_row;
            const int16_t *b = right + j * p->right_column;
            int64_t sum = 0;
            for (int32_t k = p->depth; k > 0; k--) {
                sum += (int32_t)*a * *b;
                a += p->left_step;
                b += p->right_step;
            }
            const int32_t code = nb_requant_wide(sum, p->multiplier, p->shift);
            *output++ = (int16_t)nb_clamp(code, INT16_MIN, INT16_MAX);
        }
    }
    return output;
}

void nb_batch_matmul_s16(const nb_batch_matmul_s16_params *p, const int16_t *left,
                         const int16_t *right, int16_t *output)
{
    const nb_batch_matmul_s16_params local = *p;
    for (int32_t i = 0; i < local.dims[0]; i++) {
        for (int32_t j = 0; j < local.dims[1]; j++) {
            for (int32_t k = 0; k < local.dims[2]; k++) {
                const int16_t *a = left + i * local.left_stride[0] + j * local.left_stride[1] +
                                   k * local.left_stride[2];
                const int16_t *b = right + i * local.right_stride[0] + j * local.right_stride[1] +
                                   k * local.right_stride[2];
                output = product(&local, a, b, output);
            }
        }
    }
}
