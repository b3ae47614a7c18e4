/* nb_kernels_math.h: products of matrices, reductions, comparisons and other arithmetic; included by
 * nb_kernels.h. */
#ifndef NB_KERNELS_MATH_H
#define NB_KERNELS_MATH_H

#include <stdint.h>

/* Transposed convolution. Weights [out_c][kernel_h][kernel_w][in_c], quant[out_c][3] = bias,
 * multiplier, shift. Each output gathers from the inputs whose windows reach it. */
typedef struct {
    int32_t batches, in_h, in_w, in_c, out_h, out_w, out_c, kernel_h, kernel_w;
    int32_t stride_h, stride_w, pad_top, pad_left, input_zero, output_zero, low, high;
} nb_transpose_conv_s8_params;
void nb_transpose_conv_s8(const nb_transpose_conv_s8_params *p, const int8_t *input,
                          const int8_t *weights, const int32_t *quant, int8_t *output);

/* Grouped convolution: out_c / groups channels from in_c / groups. Weights
 * [out_c][kernel_h][kernel_w][in_c / groups]; quant as above, without the input's offset. */
typedef struct {
    int32_t batches, in_h, in_w, in_c, out_h, out_w, out_c, groups, kernel_h, kernel_w;
    int32_t stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t input_zero, output_zero, low, high;
} nb_grouped_conv2d_s8_params;
void nb_grouped_conv2d_s8(const nb_grouped_conv2d_s8_params *p, const int8_t *input,
                          const int8_t *weights, const int32_t *quant, int8_t *output);

/* output[i][j] = sum over k of left[i][k] * right[k][j], for dims[0] * dims[1] * dims[2] pairs of
 * matrices; strides in elements, 0 where a side is broadcast. */
typedef struct {
    int32_t dims[3], left_stride[3], right_stride[3], rows, depth, columns;
    int32_t left_row, left_step, right_step, right_column, left_zero, right_zero;
    int32_t multiplier, shift, output_zero;
} nb_batch_matmul_s8_params;
void nb_batch_matmul_s8(const nb_batch_matmul_s8_params *p, const int8_t *left, const int8_t *right,
                        int8_t *output);

/* One step of a singular value filter. state[batches][units * rank][memory] moves on by one; time
 * weights are int16 with an int16 state, or int8 with an int8 one. Bias [units], or NULL. */
typedef struct {
    int32_t batches, depth, units, rank, memory, input_zero, state_zero;
    int32_t multiplier1, shift1, multiplier2, shift2, output_zero;
} nb_svdf_params;
void nb_svdf_s16(const nb_svdf_params *p, const int8_t *input, const int8_t *features,
                 const int16_t *time, const int32_t *bias, int16_t *state, int8_t *output);
void nb_svdf_s8(const nb_svdf_params *p, const int8_t *input, const int8_t *features,
                const int8_t *time, const int32_t *bias, int8_t *state, int8_t *output);

/* Largest (sign 1) or smallest (sign -1) of groups, as nb_mean_s8 forms them. */
typedef struct {
    int32_t keep0, reduce0, keep1, reduce1, keep2, sign;
} nb_reduce_s8_params;
void nb_reduce_s8(const nb_reduce_s8_params *p, const int8_t *input, int8_t *output);

/* Index of the largest (sign 1) or smallest value along an axis; the first of equal ones. */
typedef struct {
    int32_t outer, axis, inner, sign;
} nb_arg_s8_params;
void nb_arg_s8(const nb_arg_s8_params *p, const int8_t *input, int32_t *output);

/* Rows of `depth` values to length one, in 1/128. */
typedef struct {
    int32_t rows, depth, input_zero;
} nb_l2_normalization_s8_params;
void nb_l2_normalization_s8(const nb_l2_normalization_s8_params *p, const int8_t *input,
                            int8_t *output);

/* Comparisons; dims and strides as in nb_add_s8_params. `mask`: whether below (1), equal (2) and
 * above (4) give true. */
typedef struct {
    int32_t dims[5], stride1[5], stride2[5], mask;
    int32_t zero1, zero2, multiplier1, shift1, multiplier2, shift2;
} nb_compare_params;
void nb_compare_s8(const nb_compare_params *p, const int8_t *input1, const int8_t *input2,
                   uint8_t *output);
void nb_compare_raw8(const nb_compare_params *p, const uint8_t *input1, const uint8_t *input2,
                     uint8_t *output);
void nb_compare_s32(const nb_compare_params *p, const int32_t *input1, const int32_t *input2,
                    uint8_t *output);

/* output = condition ? first : second, of elements of `bytes` each. */
typedef struct {
    int32_t dims[5], stride0[5], stride1[5], stride2[5], bytes;
} nb_select_params;
void nb_select(const nb_select_params *p, const uint8_t *condition, const uint8_t *first,
               const uint8_t *second, uint8_t *output);

/* Values as another type, as C converts them; types 0 int8, 1 int16, 2 int32, 3 float, 4 bool. */
typedef struct {
    int32_t count, from, to;
} nb_cast_params;
void nb_cast(const nb_cast_params *p, const uint8_t *input, uint8_t *output);

/* Codes of `from_bytes` each to codes of `to_bytes`, on another scale. */
typedef struct {
    int32_t count, from_bytes, to_bytes, input_zero, output_zero, multiplier, shift, low, high;
} nb_requantize_params;
void nb_requantize(const nb_requantize_params *p, const uint8_t *input, uint8_t *output);
void nb_quantize_f32_s16(const nb_quantize_params *p, const float *input, int16_t *output);
void nb_dequantize_s16_f32(const nb_quantize_params *p, const int16_t *input, float *output);

/* (a - b) squared, scaled as sums are. */
typedef struct {
    int32_t dims[5], stride1[5], stride2[5];
    int32_t zero1, zero2, multiplier1, shift1, multiplier2, shift2, left_shift;
    int32_t multiplier, shift, output_zero;
} nb_squared_difference_s8_params;
void nb_squared_difference_s8(const nb_squared_difference_s8_params *p, const int8_t *input1,
                              const int8_t *input2, int8_t *output);

/* a / b. reciprocals[256]: of |b - its zero| in Q0.31, by the byte of b; shifts[256]: its exponent. */
typedef struct {
    int32_t dims[5], stride1[5], stride2[5];
    int32_t zero1, zero2, multiplier, shift, output_zero, low, high;
} nb_div_s8_params;
void nb_div_s8(const nb_div_s8_params *p, const int8_t *input1, const int8_t *input2,
               const int32_t *reciprocals, const int8_t *shifts, int8_t *output);

#endif
